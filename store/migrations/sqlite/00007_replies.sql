-- +goose Up

-- By whom an opt-out can be undone: 'reply', for the number's own STOP, or 'link' and the hash of the link; '' is nobody, as in earlier rows.
ALTER TABLE suppression ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
-- The number or the NHS number, sealed, so that an administrator can give the list to another system; NULL in earlier rows, which stay blind.
ALTER TABLE suppression ADD COLUMN who BLOB;

-- Replies that were added to an open referral of the same number. Rows are kept as long as their referral.
CREATE TABLE later_reply (
  form_ix  BLOB PRIMARY KEY,
  referral BIGINT NOT NULL REFERENCES referral (id),
  at       BIGINT NOT NULL,
  words    BLOB NOT NULL -- sealed
);
CREATE INDEX later_reply_of ON later_reply (referral, at);

-- What a practice has to correct in its own records, because we cannot.
CREATE TABLE correction (
  id           INTEGER PRIMARY KEY,
  network      BIGINT NOT NULL REFERENCES network (id),
  why          TEXT NOT NULL, -- not_me, moved, died, all_texts
  subject      BLOB NOT NULL,   -- the number's blind index
  practice     TEXT NOT NULL,
  shared       BOOLEAN NOT NULL, -- several people are on the number: nobody knows which of them it is
  person       BLOB NOT NULL,   -- sealed
  made_by      TEXT NOT NULL,
  at           BIGINT NOT NULL,
  done_at      BIGINT NOT NULL,
  done_by      BIGINT NOT NULL,
  withdrawn_at BIGINT NOT NULL, -- who asked for it has taken it back
  UNIQUE (network, why, subject)
);
