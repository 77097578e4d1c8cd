-- +goose Up

-- When to ask the provider about a text whose receipt has not come (machine time); NULL when it is not asked about any more. 0, which earlier
-- rows get, means at once.
ALTER TABLE message ADD COLUMN sweep_at BIGINT DEFAULT 0;
-- While unknown: since when no look at the provider's record has succeeded (machine time); 0 if the last one did.
ALTER TABLE message ADD COLUMN blind_since BIGINT NOT NULL DEFAULT 0;
CREATE INDEX message_sweep ON message (sweep_at) WHERE state IN ('accepted', 'sent') AND sweep_at IS NOT NULL;
