-- +goose Up

-- Calls of the API that were sent under a key, so that they can be sent again. A row goes when its time is over: a running one whose process
-- has died after two minutes, an answer after a day.
CREATE TABLE idempotency (
  account  BIGINT NOT NULL REFERENCES account (id),
  key_hash BLOB NOT NULL,
  holder   BLOB NOT NULL,             -- which process's request runs
  request  BLOB,                      -- the hash of what was asked; NULL while it runs
  referral BIGINT NOT NULL DEFAULT 0, -- that the answer is about; 0: none
  answer   BLOB,                      -- sealed: status, header and body; NULL while it runs
  until    BIGINT NOT NULL,           -- machine
  PRIMARY KEY (account, key_hash)
);
CREATE INDEX idempotency_until ON idempotency (until);

-- The corrections of a network are told page by page, oldest first.
CREATE INDEX correction_order ON correction (network, at, id);
