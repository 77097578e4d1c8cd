package store

import (
	"math/rand/v2"
	"sync/atomic"
)

// idEpoch is 2026-01-01, in unix milliseconds: ids stay below 2^53 for two centuries, so that JSON readers keep them whole.
const idEpoch = 1767225600000

// newID gives a unique, time-ordered id: milliseconds and ten random bits, never the same twice in one process. A restored
// backup never gives an id again that was given after the backup: a message id becomes a link, and two people must not share one.
func (db *DB) newID() int64 { return nextID(&db.lastID, db.cfg.Machine().UnixMilli()) }

func nextID(last *atomic.Int64, ms int64) int64 {
	for {
		was := last.Load()
		id := max(was+1, (ms-idEpoch)<<10|rand.Int64N(1<<10))
		if last.CompareAndSwap(was, id) {
			return id
		}
	}
}

// reserveIDs gives n consecutive ids and returns the first.
func (db *DB) reserveIDs(n int) int64 {
	for {
		was := db.lastID.Load()
		first := max(was+1, (db.cfg.Machine().UnixMilli()-idEpoch)<<10|rand.Int64N(1<<10))
		if db.lastID.CompareAndSwap(was, first+int64(n)-1) {
			return first
		}
	}
}
