package store

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	clockStep   = time.Minute // a civil clock that moves by more at once was set
	clockSettle = time.Minute // how long it must then run true before it is believed
)

// clockWatch compares the civil clock with time that nobody can set. Windows, the contact ledger and the promise hang on the civil clock: one that
// was set may say that it is ten in the morning in the middle of the night.
type clockWatch struct {
	civil   func() time.Time
	elapsed func() time.Duration // nil: the civil clock is stepped on purpose, and nobody watches it
	log     *slog.Logger
	stepped func(by time.Duration)

	mu    sync.Mutex
	known bool
	gap   time.Duration // civil time less elapsed time when we last looked
	until time.Duration // of elapsed time: before it the clock is not believed
}

// steady looks at both clocks and reports whether the civil one can be believed.
func (c *clockWatch) steady() bool {
	if c.elapsed == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	elapsed := c.elapsed()
	gap := time.Duration(c.civil().UnixNano()) - elapsed
	by := gap - c.gap
	c.gap = gap // small corrections do not add up to a step
	if !c.known {
		c.known = true
		return true
	}
	if by.Abs() > clockStep {
		c.until = elapsed + clockSettle
		c.log.Error("the clock of this computer was set: nothing is sent until it has run true for a minute", slog.Duration("by", by.Round(time.Second)))
		c.stepped(by)
	}
	return elapsed >= c.until
}

// Resettle lets every unknown text rest anew, because the clock was set: nobody can tell any more how long it has rested.
func (db *DB) Resettle(ctx context.Context, epoch int64) error {
	at := db.cfg.Machine().Add(db.Settle).UnixMilli()
	for _, of := range []string{`message WHERE state = 'unknown'`, `service_text WHERE state = 'unknown' AND correction > 0`} {
		table, _, _ := strings.Cut(of, " ")
		for n := int64(doubtChunk); n == doubtChunk; {
			err := db.write(ctx, "resettle", func(tx *Tx) (err error) {
				if err := tx.leads(epoch, ""); err != nil {
					return err
				}
				// What a restored backup put in doubt is not looked for one by one: the far future stays.
				n, err = tx.Exec(`
					UPDATE `+table+`
					SET looks = 0, look_at = $1
					WHERE id IN (SELECT id FROM `+of+` AND look_at <> $1 AND look_at < 8000000000000000000 LIMIT $2)`, at, doubtChunk)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
