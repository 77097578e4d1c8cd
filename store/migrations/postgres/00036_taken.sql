-- +goose Up

-- On which day a list was taken from the GP system, and what its file says of that: midnight UTC, 0 for nothing. The age of a list counts from it;
-- of the lists that are here, and of the fresh ones that campaigns were screened against, from the day of their screening.
ALTER TABLE audience ADD COLUMN taken_on BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audience ADD COLUMN file_on BIGINT NOT NULL DEFAULT 0;
UPDATE audience SET taken_on = screened_at - screened_at % 86400000 WHERE screened_at > 0;
UPDATE campaign SET fresh_at = fresh_at - fresh_at % 86400000 WHERE fresh_at > 0;
