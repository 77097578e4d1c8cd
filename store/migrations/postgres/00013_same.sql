-- +goose Up

-- The referral of the same person in which this one goes on; 0 if it stands by itself.
ALTER TABLE referral ADD COLUMN joined_to BIGINT NOT NULL DEFAULT 0;

ALTER TABLE referral_event ADD COLUMN other BIGINT NOT NULL DEFAULT 0;  -- of what joins or separates: the other referral
ALTER TABLE referral_event ADD COLUMN undoes BIGINT NOT NULL DEFAULT 0; -- the event that this one undoes

-- What was joined, and how both stood before and after: so it can be taken back. A referral goes on in one other at most.
CREATE TABLE referral_join (
  gone        BIGINT PRIMARY KEY REFERENCES referral (id),
  goes_on     BIGINT NOT NULL REFERENCES referral (id),
  event       BIGINT NOT NULL, -- of the one that goes on
  at          BIGINT NOT NULL,
  account     BIGINT NOT NULL,
  gone_was    TEXT NOT NULL,   -- plain columns, as JSON; so are the other three
  gone_became TEXT NOT NULL,
  was         TEXT NOT NULL,   -- the one that goes on
  became      TEXT NOT NULL,
  said        BYTEA NOT NULL,   -- sealed: what it said of safety and urgency before
  replies     BIGINT NOT NULL  -- how many replies it had
);
CREATE INDEX referral_join_of ON referral_join (goes_on, event);

-- The last step of a referral, for as long as it can be undone.
CREATE TABLE referral_step (
  referral BIGINT PRIMARY KEY,
  event    BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  account  BIGINT NOT NULL,
  step     TEXT NOT NULL,
  was      TEXT NOT NULL,  -- plain columns, as JSON
  became   TEXT NOT NULL,
  seen_by  BIGINT NOT NULL -- who else has opened it since; -1 for several
);
CREATE INDEX referral_step_age ON referral_step (at);

-- A text that answers somebody, by what it answers.
CREATE INDEX service_text_referral ON service_text (referral);

-- Birth dates are indexed, too, from here on: 1 is indexed without, 2 and more is all. Those of before are indexed by and by.
DROP INDEX referral_unindexed;
CREATE INDEX referral_unindexed ON referral (id) WHERE indexed IN (0, 1);
