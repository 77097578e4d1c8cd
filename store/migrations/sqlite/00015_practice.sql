-- +goose Up

-- What goes back to practices. A file takes what no file before has taken; it is gathered in short transactions, and whoever asks next goes on
-- with one that was begun.
CREATE TABLE practice_file (
  id        INTEGER PRIMARY KEY,
  network   BIGINT NOT NULL REFERENCES network (id),
  practice  TEXT NOT NULL,
  state     TEXT NOT NULL,   -- gathering, ready, deleting, deleted
  made_by   BIGINT NOT NULL,
  made_at   BIGINT NOT NULL, -- civil; what happened later is for the next file
  ready_at  BIGINT NOT NULL, -- civil, 0 until then
  counts    TEXT NOT NULL,   -- JSON: entries by kind
  again_of  BIGINT NOT NULL, -- the file whose entries it tells again on purpose, 0 usually
  reason    BLOB,            -- sealed: why again
  taken     BIGINT NOT NULL, -- how often it was downloaded
  taken_at  BIGINT NOT NULL, -- civil, the last time
  taken_by  BIGINT NOT NULL
);
CREATE UNIQUE INDEX practice_file_begun ON practice_file (network, practice) WHERE state = 'gathering';
CREATE INDEX practice_file_of ON practice_file (network, practice, id);
CREATE INDEX practice_file_old ON practice_file (state, ready_at);

-- The entries, and with them the marks of what has been told. The mark outlives what it tells.
CREATE TABLE practice_entry (
  id       INTEGER PRIMARY KEY,
  file     BIGINT NOT NULL, -- 0: waits for the next file
  network  BIGINT NOT NULL,
  practice TEXT NOT NULL,
  kind     TEXT NOT NULL,
  about    BIGINT NOT NULL, -- a message, a correction or a referral
  ix       BLOB NOT NULL,   -- or the blind index of a number
  since    BIGINT NOT NULL, -- tells what can come to pass more than once apart
  person   BLOB NOT NULL,   -- blind index: the entries of one person stand together
  doc      BLOB,            -- sealed: the entry; NULL once the file is deleted
  made_at  BIGINT NOT NULL, -- civil
  UNIQUE (network, practice, kind, about, ix, since)
);
CREATE INDEX practice_entry_file ON practice_entry (file, person, kind, id);
CREATE INDEX practice_entry_old ON practice_entry (made_at);
CREATE INDEX practice_entry_ix ON practice_entry (network, ix) WHERE kind = 'optout';

-- Which texts are among them: 1 the text, 2 that it could not be delivered, 3 both. So what is new costs as much as there is new, however much
-- was ever sent.
ALTER TABLE message ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
CREATE INDEX message_untold ON message (campaign, patient, step, sent_at) WHERE told IN (0, 2) AND state IN ('accepted', 'sent', 'delivered', 'undelivered', 'failed');
CREATE INDEX message_untold_failure ON message (campaign, patient, step, sent_at) WHERE told IN (0, 1) AND state IN ('undelivered', 'failed');

-- Referrals whose person said that the practice may be told. Those of before are looked at once: their answers are sealed.
CREATE TABLE practice_consent (
  referral BIGINT PRIMARY KEY REFERENCES referral (id),
  network  BIGINT NOT NULL,
  agreed   BOOLEAN NOT NULL -- false: not looked at yet
);
CREATE INDEX practice_consent_network ON practice_consent (network, agreed, referral);
INSERT INTO practice_consent (referral, network, agreed) SELECT id, network, FALSE FROM referral;

-- What a network writes into the record, where that is not what is usual.
CREATE TABLE practice_codes (
  network    BIGINT PRIMARY KEY REFERENCES network (id),
  accepted   TEXT NOT NULL,
  declined   TEXT NOT NULL,
  offered    TEXT NOT NULL,
  changed_by BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
);

-- Other systems that are told of events.
CREATE TABLE webhook (
  id            INTEGER PRIMARY KEY,
  network       BIGINT NOT NULL REFERENCES network (id),
  target        BLOB NOT NULL,   -- sealed: address and secret
  events        TEXT NOT NULL,   -- comma between
  made_by       BIGINT NOT NULL,
  made_at       BIGINT NOT NULL,
  off_at        BIGINT NOT NULL, -- machine, 0 while it is on
  why_off       TEXT NOT NULL,   -- by_hand, failing, gone
  failing_since BIGINT NOT NULL  -- machine, 0 after a success
);
CREATE INDEX webhook_network ON webhook (network, id);
-- What is to be told, written with what it tells. Nothing of any person.
CREATE TABLE outbox (
  id        INTEGER PRIMARY KEY,
  webhook   BIGINT NOT NULL REFERENCES webhook (id),
  network   BIGINT NOT NULL,
  event     TEXT NOT NULL,
  at        BIGINT NOT NULL, -- civil: when it happened
  about     BIGINT NOT NULL,
  reference TEXT NOT NULL,
  practice  TEXT NOT NULL,
  code      TEXT NOT NULL,
  state     TEXT NOT NULL,   -- due, delivered, given_up
  tries     BIGINT NOT NULL,
  made_at   BIGINT NOT NULL, -- machine: retries end three days later
  next_at   BIGINT NOT NULL, -- machine
  tried_at  BIGINT NOT NULL, -- machine
  outcome   TEXT NOT NULL    -- of the last try: a status or a code
);
CREATE INDEX outbox_due ON outbox (webhook, next_at) WHERE state = 'due';
CREATE INDEX outbox_of ON outbox (webhook, id);
CREATE INDEX outbox_old ON outbox (made_at) WHERE state <> 'due';
