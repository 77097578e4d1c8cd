-- +goose Up

-- How far the people of a campaign have come, by group, as of the end of a day: counted once a day, so that no page has to.
CREATE TABLE funnel (
  campaign   BIGINT PRIMARY KEY,
  counted_to BIGINT NOT NULL, -- civil
  body       TEXT NOT NULL    -- JSON of campaign.Funnel
);

-- Deprivation by postcode sector, as a network has uploaded it: nothing of a person.
CREATE TABLE deprivation (
  network BIGINT PRIMARY KEY REFERENCES network (id),
  at      BIGINT NOT NULL,
  account BIGINT NOT NULL,
  body    TEXT NOT NULL -- JSON of campaign.Deprivation
);

-- What became of texts that did not arrive, by the provider's code.
CREATE INDEX message_trouble ON message (campaign, code) WHERE state IN ('undelivered', 'failed', 'rejected');
