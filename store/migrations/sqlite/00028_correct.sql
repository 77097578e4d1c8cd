-- +goose Up

-- What a campaign says, once more, to those whom it has texted: that something was wrong.
CREATE TABLE correction_text (
  id          INTEGER PRIMARY KEY,
  campaign    BIGINT NOT NULL REFERENCES campaign (id),
  state       TEXT NOT NULL,   -- written, sending, done, stopped
  words       TEXT NOT NULL,   -- JSON: the text, its translations, and to whom it goes
  held        TEXT NOT NULL,   -- why sending is held; '' if nothing holds it
  planning    BIGINT NOT NULL, -- last message looked at while it is being planned, -1 when all are
  written_by  BIGINT NOT NULL,
  written_at  BIGINT NOT NULL, -- civil
  approved_by BIGINT NOT NULL,
  approved_at BIGINT NOT NULL, -- civil
  ended_at    BIGINT NOT NULL  -- civil
);
CREATE INDEX correction_text_campaign ON correction_text (campaign, id);
-- One at a time for a campaign.
CREATE UNIQUE INDEX correction_text_open ON correction_text (campaign) WHERE state IN ('written', 'sending');

-- A correction is a service text for each number: which one it is, and the message that it corrects. It has a token of its own, for the way out and
-- to be found by in the provider's record; and, as a message, it is looked for there before it may go again.
ALTER TABLE service_text ADD COLUMN correction BIGINT NOT NULL DEFAULT 0;
ALTER TABLE service_text ADD COLUMN corrects BIGINT NOT NULL DEFAULT 0;
ALTER TABLE service_text ADD COLUMN token BLOB; -- hash
ALTER TABLE service_text ADD COLUMN look_at BIGINT NOT NULL DEFAULT 0;     -- machine, while unknown
ALTER TABLE service_text ADD COLUMN looks BIGINT NOT NULL DEFAULT 0;       -- complete empty listings
ALTER TABLE service_text ADD COLUMN blind_since BIGINT NOT NULL DEFAULT 0; -- machine
-- What a practice's files have told of it, as of a message.
ALTER TABLE service_text ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX service_text_once ON service_text (phone_ix, correction) WHERE correction > 0;
CREATE UNIQUE INDEX service_text_token ON service_text (token) WHERE token IS NOT NULL;
CREATE INDEX service_text_correcting ON service_text (correction, state, id) WHERE correction > 0;
CREATE INDEX service_text_looked ON service_text (look_at) WHERE state = 'unknown' AND correction > 0;
CREATE INDEX service_text_corrected ON service_text (campaign, sent_at) WHERE correction > 0;
