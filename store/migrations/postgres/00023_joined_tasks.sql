-- +goose Up

-- The tasks that went along when referrals were joined, so that they go back when these are separated. Rows are kept as long as their join.
CREATE TABLE task_joined (
  event BIGINT NOT NULL, -- of the join
  task  BIGINT NOT NULL REFERENCES task (id),
  PRIMARY KEY (event, task)
);
