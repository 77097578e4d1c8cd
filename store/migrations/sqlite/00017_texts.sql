-- +goose Up

-- Since when a text is owed, civil; 0 for those of before, which were owed with the form.
ALTER TABLE service_text ADD COLUMN owed_at BIGINT NOT NULL DEFAULT 0;

-- Who waits, by the end of the day that they were told: whom to tell that it takes longer.
CREATE INDEX referral_told ON referral ((CASE WHEN contact_by > due_at THEN contact_by ELSE due_at END), id) WHERE state IN ('new', 'claimed', 'contacting');
