-- +goose Up

-- ODS codes of a practice viewer's practices, in order, with a space between.
ALTER TABLE account ADD COLUMN practices TEXT NOT NULL DEFAULT '';

-- What each practice, as controller, says of a campaign now, and to what: terms is the hash of what it was asked, '' of an agreement from before
-- that was kept. A campaign that has not been launched is asked about again.
ALTER TABLE practice_approval ADD COLUMN word TEXT NOT NULL DEFAULT 'agreed';         -- agreed, refused, withdrawn
ALTER TABLE practice_approval ADD COLUMN terms TEXT NOT NULL DEFAULT '';
ALTER TABLE practice_approval ADD COLUMN settled BOOLEAN NOT NULL DEFAULT TRUE;       -- its messages are where the word wants them
DELETE FROM practice_approval WHERE campaign IN (SELECT id FROM campaign WHERE launched_at = 0);
CREATE INDEX practice_unsettled ON practice_approval (campaign) WHERE NOT settled;

-- All that the practices have said, append-only.
CREATE TABLE practice_word (
  id       INTEGER PRIMARY KEY,
  campaign BIGINT NOT NULL REFERENCES campaign (id),
  ods      TEXT NOT NULL,
  account  BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  word     TEXT NOT NULL,
  terms    TEXT NOT NULL,
  note     BLOB -- sealed: who said so to an administrator, or why not
);
CREATE INDEX practice_word_of ON practice_word (campaign, ods, id);

-- Why a campaign may use its list (JSON), and when the list was last screened against a fresh one.
ALTER TABLE campaign ADD COLUMN grounds TEXT NOT NULL DEFAULT '{}';
ALTER TABLE campaign ADD COLUMN fresh_at BIGINT NOT NULL DEFAULT 0;

-- The people of a list who are not invited and whose row could be read, by keyed index: what a fresh list says of somebody who is on an older one.
CREATE TABLE not_invited (
  audience BIGINT NOT NULL,
  nhs_ix   BLOB NOT NULL,
  phone_ix BLOB NOT NULL,
  code     TEXT NOT NULL,
  PRIMARY KEY (audience, nhs_ix, code)
) WITHOUT ROWID;
CREATE INDEX patient_practice ON patient (audience, practice) WHERE invited;

-- A campaign's list being screened against a fresh one, in chunks: done is the last patient looked at.
CREATE TABLE freshening (
  id       INTEGER PRIMARY KEY,
  campaign BIGINT NOT NULL REFERENCES campaign (id),
  audience BIGINT NOT NULL REFERENCES audience (id), -- the fresh list
  account  BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  state    TEXT NOT NULL,  -- counting, asking, removing, done, cancelled
  done     BIGINT NOT NULL,
  counts   TEXT NOT NULL   -- JSON
);
CREATE INDEX freshening_of ON freshening (campaign, id);
CREATE UNIQUE INDEX freshening_open ON freshening (campaign) WHERE state IN ('counting', 'asking', 'removing');
-- Whom a fresh list has taken out of a campaign: no text of any step goes to them.
CREATE TABLE taken_out (
  campaign BIGINT NOT NULL,
  patient  BIGINT NOT NULL,
  why      TEXT NOT NULL,
  PRIMARY KEY (campaign, patient)
) WITHOUT ROWID;

-- Messages that wait for their practice to agree again.
CREATE INDEX message_withheld ON message (campaign, id) WHERE state = 'suppressed' AND code = 'practice_disagrees';
