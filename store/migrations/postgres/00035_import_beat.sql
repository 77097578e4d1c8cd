-- +goose Up
-- When whoever imports a list, or throws one away that came to nothing, last showed that they are there: machine time.
ALTER TABLE audience ADD COLUMN beat_at BIGINT NOT NULL DEFAULT 0;
