-- +goose Up

-- What is done is read by when it came. By id alone PostgreSQL walks the primary key instead, past all that is open, to find one network's.
DROP INDEX referral_done;
DROP INDEX referral_done_state;
CREATE INDEX referral_done ON referral (network, team, received_at, id) WHERE state IN ('in_support', 'onward', 'closed', 'declined', 'unreachable', 'duplicate');
CREATE INDEX referral_done_state ON referral (network, team, state, received_at, id) WHERE state IN ('in_support', 'onward', 'closed', 'declined', 'unreachable', 'duplicate');
