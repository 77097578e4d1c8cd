-- +goose Up

-- What a network has changed of what its patients read: lines of urgent help and reasons to choose from. Nothing of any person.
CREATE TABLE words (
  network    BIGINT PRIMARY KEY REFERENCES network (id),
  version    BIGINT NOT NULL, -- counts the changes: two editors do not overwrite each other
  words      TEXT NOT NULL,   -- JSON of selfrefer.Words
  before     TEXT NOT NULL,   -- what stood before the last change, to be put back
  changed_by BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
);
