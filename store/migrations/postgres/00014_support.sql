-- +goose Up

-- Days are TEXT, as 2026-06-04: they have no hour and no time zone. What stands here is kept as long as its referral.

ALTER TABLE referral_event ADD COLUMN reason TEXT NOT NULL DEFAULT ''; -- why the support ended, of what ends it
CREATE INDEX referral_event_reason ON referral_event (at, reason) WHERE reason <> '';

CREATE TABLE task (
  id          BIGINT PRIMARY KEY,
  network     BIGINT NOT NULL REFERENCES network (id),
  referral    BIGINT NOT NULL REFERENCES referral (id),
  kind        TEXT NOT NULL, -- task, follow_up
  for_account BIGINT NOT NULL, -- 0: whoever has the referral
  due         TEXT NOT NULL,
  words       BYTEA NOT NULL, -- sealed
  made_by     BIGINT NOT NULL,
  made_at     BIGINT NOT NULL,
  done_by     BIGINT NOT NULL,
  done_at     BIGINT NOT NULL -- 0: to be done
);
CREATE INDEX task_of ON task (referral, id);
CREATE INDEX task_open ON task (network, for_account, due) WHERE done_at = 0;

CREATE TABLE goal (
  id         BIGINT PRIMARY KEY,
  network    BIGINT NOT NULL REFERENCES network (id),
  referral   BIGINT NOT NULL REFERENCES referral (id),
  state      TEXT NOT NULL, -- working_on, reached, given_up
  set_on     TEXT NOT NULL,
  ended_on   TEXT NOT NULL, -- '' before
  words      BYTEA NOT NULL, -- sealed
  made_by    BIGINT NOT NULL,
  removed_at BIGINT NOT NULL -- taken back, for it was recorded by mistake; 0: it counts
);
CREATE INDEX goal_of ON goal (referral, id);

CREATE TABLE onward (
  id         BIGINT PRIMARY KEY,
  network    BIGINT NOT NULL REFERENCES network (id),
  referral   BIGINT NOT NULL REFERENCES referral (id),
  service    BIGINT NOT NULL, -- of the directory; 0: another place
  how        TEXT NOT NULL, -- self, phone, email, form, in_person
  state      TEXT NOT NULL, -- suggested, referred, started, did_not_start
  made_on    TEXT NOT NULL,
  changed_on TEXT NOT NULL, -- the state
  words      BYTEA NOT NULL, -- sealed: what the place is called, and why
  made_by    BIGINT NOT NULL,
  removed_at BIGINT NOT NULL
);
CREATE INDEX onward_of ON onward (referral, id);
CREATE INDEX onward_service ON onward (network, service);

CREATE TABLE intervention (
  id         BIGINT PRIMARY KEY,
  network    BIGINT NOT NULL REFERENCES network (id),
  referral   BIGINT NOT NULL REFERENCES referral (id),
  kind       TEXT NOT NULL,
  made_on    TEXT NOT NULL,
  minutes    BIGINT NOT NULL, -- 0: not noted
  note       BYTEA, -- sealed
  made_by    BIGINT NOT NULL,
  removed_at BIGINT NOT NULL
);
CREATE INDEX intervention_of ON intervention (referral, id);

CREATE TABLE measure (
  id          BIGINT PRIMARY KEY,
  network     BIGINT NOT NULL REFERENCES network (id),
  referral    BIGINT NOT NULL REFERENCES referral (id),
  kind        TEXT NOT NULL, -- ons4, loneliness, own
  own_measure BIGINT NOT NULL, -- of own
  made_on     TEXT NOT NULL,
  made_by     BIGINT NOT NULL,
  removed_at  BIGINT NOT NULL
);
CREATE INDEX measure_of ON measure (referral, id);
CREATE TABLE measure_score (
  measure BIGINT NOT NULL REFERENCES measure (id),
  item    TEXT NOT NULL, -- a question, or the sum
  score   BIGINT NOT NULL,
  PRIMARY KEY (measure, item)
);

CREATE TABLE own_measure (
  id        BIGINT PRIMARY KEY,
  network   BIGINT NOT NULL REFERENCES network (id),
  name      TEXT NOT NULL,
  questions TEXT NOT NULL, -- JSON
  low       BIGINT NOT NULL,
  high      BIGINT NOT NULL,
  more_is   BIGINT NOT NULL, -- 1 better, -1 worse
  used      BOOLEAN NOT NULL,
  made_by   BIGINT NOT NULL,
  made_at   BIGINT NOT NULL
);
CREATE INDEX own_measure_of ON own_measure (network, id);

CREATE TABLE support_offer (
  network    BIGINT PRIMARY KEY REFERENCES network (id),
  kinds      TEXT NOT NULL, -- JSON: the interventions to choose among
  changed_by BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
);

-- The directory of local services: organisations, no people.
CREATE TABLE service (
  id           BIGINT PRIMARY KEY,
  network      BIGINT NOT NULL REFERENCES network (id),
  key          TEXT NOT NULL, -- by which an import finds it again; by its own id if it was typed in here
  name         TEXT NOT NULL,
  about        TEXT NOT NULL,
  reasons      TEXT NOT NULL, -- JSON, as are the next two
  reason_words TEXT NOT NULL,
  languages    TEXT NOT NULL,
  area         TEXT NOT NULL,
  places       BIGINT NOT NULL, -- -1: nobody knows
  places_on    TEXT NOT NULL,
  how          TEXT NOT NULL,
  phone        TEXT NOT NULL,
  email        TEXT NOT NULL,
  web          TEXT NOT NULL,
  active       BOOLEAN NOT NULL,
  version      BIGINT NOT NULL,
  changed_by   BIGINT NOT NULL,
  changed_at   BIGINT NOT NULL,
  UNIQUE (network, key)
);
