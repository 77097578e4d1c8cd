-- +goose Up

-- How far an import is; which list this one was made from, and how it was narrowed (sealed); the codes of needs in it, with their numbers (sealed).
ALTER TABLE audience ADD COLUMN done_rows BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audience ADD COLUMN parent BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audience ADD COLUMN cohort BLOB;
ALTER TABLE audience ADD COLUMN needs BLOB;

-- Who has which need: by blind index, for needs are health data.
CREATE TABLE patient_need (
  audience BIGINT NOT NULL,
  patient  BIGINT NOT NULL,
  ix       BLOB NOT NULL,
  PRIMARY KEY (audience, patient, ix)
);

-- Files that have arrived and wait for somebody to say what their columns are, or are being screened.
CREATE TABLE upload (
  id         INTEGER PRIMARY KEY,
  network    BIGINT NOT NULL REFERENCES network (id),
  file       TEXT NOT NULL,
  name       TEXT NOT NULL,
  practice   TEXT NOT NULL,
  size       BIGINT NOT NULL,
  state      TEXT NOT NULL, -- arriving, waiting, screening, interrupted, failed, done
  choice     TEXT NOT NULL, -- JSON: which column is which, by number
  run        BIGINT NOT NULL, -- the screening that may write
  beat_at    BIGINT NOT NULL, -- machine: when it last did
  done_rows  BIGINT NOT NULL,
  done_bytes BIGINT NOT NULL,
  problem    TEXT NOT NULL,
  audience   BIGINT NOT NULL,
  created_by BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL -- machine
);
CREATE INDEX upload_network ON upload (network, id);
CREATE TABLE upload_part (
  upload BIGINT NOT NULL,
  n      BIGINT NOT NULL,
  bytes  BLOB NOT NULL, -- sealed
  PRIMARY KEY (upload, n)
);
