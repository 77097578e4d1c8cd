-- +goose Up

-- Since when nobody has had a referral in hand; 0 is: since it came.
ALTER TABLE referral ADD COLUMN free_since BIGINT NOT NULL DEFAULT 0;
-- Who has handed it over, until whoever has it now opens it; 0 afterwards, and without.
ALTER TABLE referral ADD COLUMN handed_by BIGINT NOT NULL DEFAULT 0;
-- The senior who was told of it, when, and when they opened it.
ALTER TABLE referral ADD COLUMN escalated_to BIGINT NOT NULL DEFAULT 0;
ALTER TABLE referral ADD COLUMN escalated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE referral ADD COLUMN escalated_seen BIGINT NOT NULL DEFAULT 0;
-- 0: its words and reasons are not indexed yet, for it is older than they.
ALTER TABLE referral ADD COLUMN indexed BIGINT NOT NULL DEFAULT 0;

ALTER TABLE referral_event ADD COLUMN to_account BIGINT NOT NULL DEFAULT 0;
ALTER TABLE referral_event ADD COLUMN escalation BLOB; -- sealed: why, who was told, by which number, when

-- Keyed blind indexes of the words of names, of any two of them, and of numbers that were typed. Equal words have other indexes in other networks.
CREATE TABLE referral_term (
  ix       BLOB NOT NULL,
  referral BIGINT NOT NULL,
  PRIMARY KEY (ix, referral)
) WITHOUT ROWID;

-- What open referrals ask help for, in the order of calling.
CREATE TABLE referral_reason (
  network  BIGINT NOT NULL,
  team     BIGINT NOT NULL,
  reason   TEXT NOT NULL,
  urgent   BOOLEAN NOT NULL,
  lane     TEXT NOT NULL,
  due_at   BIGINT NOT NULL,
  referral BIGINT NOT NULL,
  practice TEXT NOT NULL, -- to narrow further without looking each of them up
  language TEXT NOT NULL,
  PRIMARY KEY (network, team, reason, urgent, lane, due_at, referral)
) WITHOUT ROWID;

-- One index for each way of looking at the queue, in the order in which it is read: a page costs the same however long the queue is.
DROP INDEX referral_open;
DROP INDEX referral_state;
CREATE INDEX referral_open ON referral (network, team, urgent, lane, due_at, id) WHERE state IN ('new', 'claimed', 'contacting');
CREATE INDEX referral_open_state ON referral (network, team, state, urgent, lane, due_at, id) WHERE state IN ('new', 'claimed', 'contacting');
CREATE INDEX referral_open_practice ON referral (network, team, practice, urgent, lane, due_at, id) WHERE state IN ('new', 'claimed', 'contacting');
CREATE INDEX referral_open_language ON referral (network, team, language, urgent, lane, due_at, id) WHERE state IN ('new', 'claimed', 'contacting');
CREATE INDEX referral_hands ON referral (network, claimed_by, state, id, urgent, team) WHERE state IN ('claimed', 'contacting', 'in_support');
CREATE INDEX referral_done ON referral (network, team, id) WHERE state IN ('in_support', 'onward', 'closed', 'declined', 'unreachable', 'duplicate');
CREATE INDEX referral_done_state ON referral (network, team, state, id) WHERE state IN ('in_support', 'onward', 'closed', 'declined', 'unreachable', 'duplicate');
CREATE INDEX referral_phone_done ON referral (phone_ix) WHERE state IN ('closed', 'declined', 'unreachable', 'duplicate');
CREATE INDEX referral_nhs_done ON referral (nhs_ix) WHERE state IN ('closed', 'declined', 'unreachable', 'duplicate');
CREATE INDEX referral_handed ON referral (claimed_by) WHERE handed_by <> 0;
CREATE INDEX referral_escalated ON referral (escalated_to) WHERE escalated_to <> 0 AND escalated_seen = 0;
CREATE INDEX referral_unindexed ON referral (id) WHERE indexed = 0;

-- How many there are of each kind is counted as they move; those of before are counted here. Reasons are sealed: they are counted with the index.
INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
SELECT network, 'queue:all:' || state || ':' || CASE WHEN urgent THEN 'urgent' ELSE '' END || ':' || lane || ':', team, 0, 0, 0, COUNT(*)
FROM referral
GROUP BY network, team, state, urgent, lane;
INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
SELECT network, 'queue:practice:' || state || ':' || CASE WHEN urgent THEN 'urgent' ELSE '' END || ':' || lane || ':' || practice, team, 0, 0, 0, COUNT(*)
FROM referral
WHERE state IN ('new', 'claimed', 'contacting')
GROUP BY network, team, state, urgent, lane, practice;
INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
SELECT network, 'queue:language:' || state || ':' || CASE WHEN urgent THEN 'urgent' ELSE '' END || ':' || lane || ':' || language, team, 0, 0, 0, COUNT(*)
FROM referral
WHERE state IN ('new', 'claimed', 'contacting')
GROUP BY network, team, state, urgent, lane, language;
