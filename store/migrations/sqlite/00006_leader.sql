-- +goose Up

-- Since when the leader leads, in machine time.
ALTER TABLE leader ADD COLUMN since_at BIGINT NOT NULL DEFAULT 0;
