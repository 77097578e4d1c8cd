package store

import (
	"slices"
	"sync"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/throttle"
)

// hourly are a campaign's counters by hour and stratum: after six weeks they are ten thousand rows, and hardly one of an earlier day
// changes any more.
type hourly struct {
	delivered, starts []throttle.Cell
	answers           []throttle.Answer
}

func (h *hourly) add(o hourly) {
	h.delivered, h.starts, h.answers = append(h.delivered, o.delivered...), append(h.starts, o.starts...), append(h.answers, o.answers...)
}

func (h hourly) clone() hourly {
	return hourly{slices.Clone(h.delivered), slices.Clone(h.starts), slices.Clone(h.answers)}
}

// closedHours keeps what the pacer reads every minute and what only changes when something very late is counted. It works where one
// process counts: the one that serves a SQLite file.
type closedHours struct {
	mu      sync.Mutex
	changes int64 // of earlier hours, by anybody
	by      map[int64]closed
}

type closed struct {
	until int64 // unix hour: everything before it is in here
	hourly
}

// counted is what a transaction has added to a counter.
type counted struct {
	counter
	n int
}

// changed is told after a commit, before its caller is. Hour now is civil.
func (c *closedHours) changed(what []counted, now int64) {
	for _, w := range what {
		if w.hour == 0 || w.hour >= now {
			continue
		}
		c.mu.Lock()
		c.changes++
		if w.hour < c.by[w.owner].until {
			delete(c.by, w.owner)
		}
		c.mu.Unlock()
	}
}

// get gives what is known of a campaign.
func (c *closedHours) get(owner int64) closed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[owner]
}

// mark is asked for before the snapshot is taken from which something will be put.
func (c *closedHours) mark() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// put keeps what was read, unless an earlier hour has changed since the mark.
func (c *closedHours) put(owner int64, k closed, mark int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != mark {
		return
	}
	if c.by == nil {
		c.by = map[int64]closed{}
	}
	c.by[owner] = k
}

// readHourly reads the counters of the hours [from, to) in order.
func readHourly(tx *Tx, owner, from, to int64) (h hourly, err error) {
	rows, err := tx.Query(`
		SELECT kind, hour, stratum, from_hour, CAST(SUM(n) AS BIGINT)
		FROM tally
		WHERE owner = $1 AND kind IN ('answer', 'delivered', 'start') AND hour >= $2 AND hour < $3
		GROUP BY kind, hour, stratum, from_hour -- the order of the primary key: nothing is sorted
		ORDER BY kind, hour, stratum, from_hour`, owner, from, to)
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var hour, began int64
		var stratum int
		var n float64
		if err := rows.Scan(&kind, &hour, &stratum, &began, &n); err != nil {
			return h, err
		}
		at := tx.middleOf(hour)
		switch cell := (throttle.Cell{At: at, Stratum: stratum, N: n}); kind {
		case tallyDelivered:
			h.delivered = append(h.delivered, cell)
		case tallyStart:
			h.starts = append(h.starts, cell)
		case tallyAnswer:
			h.answers = append(h.answers, throttle.Answer{Delivered: min(at, tx.middleOf(began)), Answered: at, Stratum: stratum, N: n})
		}
	}
	return h, rows.Err()
}

// middleOf is the middle of a unix hour, or of what has passed of it, in unix seconds.
func (t *Tx) middleOf(hour int64) int64 {
	return (hour*3600 + max(hour*3600, min((hour+1)*3600, t.now/1000))) / 2
}

const endOfHours = 1 << 40

// hours gives all of a campaign's counters by hour; those before midnight come from memory if they are there.
func (db *DB) hours(tx *Tx, id campaign.ID, midnight, mark int64) (hourly, error) {
	if db.engine != engineSQLite || !db.cfg.Serve {
		return readHourly(tx, int64(id), 1, endOfHours)
	}
	known := db.closed.get(int64(id))
	if known.until < midnight {
		more, err := readHourly(tx, int64(id), max(known.until, 1), midnight)
		if err != nil {
			return hourly{}, err
		}
		known = closed{midnight, known.hourly.clone()} // others may be reading the old one
		known.add(more)
		db.closed.put(int64(id), known, mark)
	}
	all := known.hourly.clone()
	today, err := readHourly(tx, int64(id), known.until, endOfHours)
	all.add(today)
	return all, err
}
