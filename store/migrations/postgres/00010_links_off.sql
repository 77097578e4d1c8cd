-- +goose Up

-- When the links of a campaign's texts were switched off; 0 while they work.
ALTER TABLE campaign ADD COLUMN links_off_at BIGINT NOT NULL DEFAULT 0;
