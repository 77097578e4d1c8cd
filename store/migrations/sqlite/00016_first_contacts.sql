-- +goose Up

-- How long first contacts took lately, of one team, without looking at those of years.
CREATE INDEX referral_contacted ON referral (team, contacted_at, claimed_by, claimed_at) WHERE contacted_at > 0;
