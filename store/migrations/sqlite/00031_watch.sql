-- +goose Up

-- Pages tell of all strata together: answers by hour, and starts, without reading the tens of thousands of rows that the pacer needs.
INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
SELECT owner, 'answered', 0, hour, 0, 0, SUM(n) FROM tally WHERE kind = 'answer' GROUP BY owner, hour;
INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
SELECT owner, 'started', 0, 0, 0, 0, SUM(n) FROM tally WHERE kind = 'start' GROUP BY owner;

-- What a practice keeps back, and texts that did not arrive by the provider's code, are counted as they move. The owner of the latter is
-- the campaign's number below zero.
INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
SELECT campaign, 'withheld', stratum, 0, 0, 0, COUNT(*) FROM message WHERE state = 'suppressed' AND code = 'practice_disagrees' GROUP BY campaign, stratum;
INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
SELECT -campaign, 'trouble:' || code, 0, 0, 0, 0, COUNT(*) FROM message WHERE state IN ('undelivered', 'failed', 'rejected') GROUP BY campaign, code;
DROP INDEX message_trouble;

-- Texts that have left, in the order in which they did: a month's for the reports, the first for whoever looks at it.
CREATE INDEX message_left ON message (campaign, sent_at, id) WHERE state IN ('accepted', 'sent', 'delivered', 'undelivered', 'failed');
