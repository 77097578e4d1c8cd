-- +goose Up

-- Whether one person may submit and approve a campaign of at most 200 people. An administrator allows it on the command line.
ALTER TABLE network ADD COLUMN one_person BOOLEAN NOT NULL DEFAULT FALSE;
-- Whether somebody has looked at the first texts: '' nobody need, due, waiting (the campaign is paused for it), done.
ALTER TABLE campaign ADD COLUMN first_look TEXT NOT NULL DEFAULT '';
-- The parts of a draft that somebody has saved, a bit each. What was made in one go has all of them.
ALTER TABLE campaign ADD COLUMN parts BIGINT NOT NULL DEFAULT 31;
-- Who had a test text sent to their own phone; 0 for a text that answers a patient.
ALTER TABLE service_text ADD COLUMN asked_by BIGINT NOT NULL DEFAULT 0;
CREATE INDEX service_text_asked ON service_text (asked_by, owed_at) WHERE asked_by > 0;
