-- +goose Up

-- How the groups of a campaign have grown in a month, with what its pages tell of that: the month's report tells nothing that those hide. Purged
-- with the month.
CREATE TABLE funnel_month (
  campaign BIGINT NOT NULL,
  month    TEXT NOT NULL, -- 2026-06
  body     TEXT NOT NULL, -- JSON of campaign.Growth
  PRIMARY KEY (campaign, month)
);
