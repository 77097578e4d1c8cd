-- +goose Up
-- When whoever imports a list, or throws one away that came to nothing, last showed that they are there: machine time.
ALTER TABLE audience ADD COLUMN beat_at BIGINT NOT NULL DEFAULT 0;
-- The file that a list was read from, also once that is gone: whoever looked at its first rows has looked at people of the list.
ALTER TABLE audience ADD COLUMN upload BIGINT NOT NULL DEFAULT 0;

-- Who has been shown people of one list, without reading what everybody did.
CREATE INDEX audit_people ON audit (target, id) WHERE action = 'people.view';
