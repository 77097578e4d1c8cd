-- +goose Up

-- Which languages somebody speaks besides English, by the names that the form offers.
CREATE TABLE speaks (
  account  BIGINT NOT NULL REFERENCES account (id),
  language TEXT NOT NULL,
  PRIMARY KEY (account, language)
) WITHOUT ROWID;

-- How a team shares its work; without a row as usual.
CREATE TABLE sharing (
  team       BIGINT PRIMARY KEY REFERENCES team (id),
  auto       BOOLEAN NOT NULL, -- hand over by itself what nobody has claimed
  wait       BIGINT NOT NULL,  -- for so long, in minutes of working time
  ask_at     BIGINT NOT NULL,  -- when to ask about somebody who has opened nothing, in minutes after midnight; -1 for never
  changed_by BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
) WITHOUT ROWID;

-- When somebody was ill, and what was handed over for them.
CREATE TABLE away (
  id         INTEGER PRIMARY KEY,
  account    BIGINT NOT NULL REFERENCES account (id),
  from_at    BIGINT NOT NULL,  -- a leave has the same two
  to_at      BIGINT NOT NULL,
  support    BOOLEAN NOT NULL, -- people in support, too
  told_by    BIGINT NOT NULL,
  touched_at BIGINT NOT NULL,  -- machine: when its work was last taken up
  work       TEXT NOT NULL,    -- out: is being shared out, back: is being returned, '': done
  back_at    BIGINT NOT NULL
);
CREATE INDEX away_account ON away (account, id);
CREATE INDEX away_work ON away (id) WHERE work <> '';
CREATE TABLE away_move (
  away       BIGINT NOT NULL REFERENCES away (id),
  referral   BIGINT NOT NULL REFERENCES referral (id),
  to_account BIGINT NOT NULL,  -- 0: back into the queue
  settled    BOOLEAN NOT NULL, -- returned, or to stay where it is
  PRIMARY KEY (away, referral)
) WITHOUT ROWID;

-- Who is in although they have opened nothing that day.
CREATE TABLE present (
  account BIGINT NOT NULL REFERENCES account (id),
  day     TEXT NOT NULL, -- as 2026-06-04
  told_by BIGINT NOT NULL,
  PRIMARY KEY (account, day)
) WITHOUT ROWID;

-- What somebody has done today.
CREATE INDEX audit_account ON audit (account, at);
