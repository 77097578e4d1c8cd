-- +goose Up

-- The journals outside the database, and how far this database has taken each of them in: a restored database asks for the rest. With
-- Postgres every process has a journal in its own data folder; with SQLite there is one, beside the database.
CREATE TABLE journal (
  id       TEXT PRIMARY KEY,
  host     TEXT NOT NULL,    -- where it lies, for people
  seq      BIGINT NOT NULL,  -- the last record that somebody was told is safe
  at       BIGINT NOT NULL,  -- machine: when that was
  drained  BIGINT NOT NULL,  -- every record up to this one is in this database
  seen_at  BIGINT NOT NULL,  -- machine
  closed   BOOLEAN NOT NULL, -- its process ended in good order, with nothing left to take in
  replayed TEXT NOT NULL     -- the last quarantine in which it told all it holds
);

-- What no journal and no record of the provider can give back. Sending waits until a person accepts it.
CREATE TABLE gap (
  quarantine  TEXT NOT NULL,
  journal     TEXT NOT NULL,   -- or 'provider': texts that its record hides
  why         TEXT NOT NULL,
  from_at     BIGINT NOT NULL, -- machine
  to_at       BIGINT NOT NULL, -- machine
  records     BIGINT NOT NULL, -- 0: nobody knows how many
  found_at    BIGINT NOT NULL, -- machine
  accepted_at BIGINT NOT NULL, -- machine, 0 until then
  accepted_by TEXT NOT NULL,
  PRIMARY KEY (quarantine, journal)
);

-- Texts at the provider whose campaign a restored database does not know: their numbers are in the contact ledger.
CREATE TABLE stranger (
  sid TEXT PRIMARY KEY,
  at  BIGINT NOT NULL
);
