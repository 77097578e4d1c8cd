-- +goose Up
-- What somebody has claimed and called nobody of yet, by when its promise ends: each page of the desk looks there.
CREATE INDEX referral_promise ON referral (network, claimed_by, due_at, id) WHERE state IN ('claimed', 'contacting') AND contacted_at = 0;
