-- +goose Up

-- When somebody last looked at the link of a campaign whose answers had stopped, and found that it works.
ALTER TABLE campaign ADD COLUMN resumed_at BIGINT NOT NULL DEFAULT 0;

-- What an ended campaign taught about how people answer: sums of a whole campaign, no person and no practice. It is kept for good, because
-- the network's next campaigns start from it.
CREATE TABLE lesson (
  campaign   BIGINT PRIMARY KEY,
  network    BIGINT NOT NULL REFERENCES network (id),
  synthetic  BOOLEAN NOT NULL, -- a made-up list teaches made-up lists only
  ended_at   BIGINT NOT NULL,
  learned_at BIGINT NOT NULL,  -- late answers still come for six weeks; until then it is learned again each day
  sums       TEXT NOT NULL     -- JSON of throttle.Lesson
);
CREATE INDEX lesson_network ON lesson (network, ended_at);
