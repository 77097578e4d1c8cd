-- +goose Up

-- What every referral asks help for, so that it can be counted without opening it: as plain as its state, and kept as long as the referral.
-- '?' is one of before, whose answers have not been looked at.
CREATE TABLE referral_asked (
  referral BIGINT NOT NULL REFERENCES referral (id),
  reason   TEXT NOT NULL,
  PRIMARY KEY (referral, reason)
);
INSERT INTO referral_asked (referral, reason) SELECT id, '?' FROM referral;
CREATE INDEX referral_asked_old ON referral_asked (referral) WHERE reason = '?';

-- What happened in a month that is over, counted once and never again: numbers alone. Purged after 3 years.
CREATE TABLE report_month (
  network BIGINT NOT NULL REFERENCES network (id),
  month   TEXT NOT NULL, -- 2026-06
  made_at BIGINT NOT NULL, -- civil
  figures TEXT NOT NULL, -- JSON
  PRIMARY KEY (network, month)
);

CREATE INDEX referral_received ON referral (network, received_at);
CREATE INDEX referral_ended ON referral (network, closed_at) WHERE closed_at > 0;
CREATE INDEX onward_made ON onward (network, made_on);
CREATE INDEX intervention_made ON intervention (network, made_on);
CREATE INDEX goal_ended ON goal (network, ended_on);
CREATE INDEX measure_made ON measure (network, made_on);
