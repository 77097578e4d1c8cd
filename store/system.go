package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

const (
	alarmDays   = 14 * 24 * time.Hour // how long the system page shows an alarm
	alarmsShown = 50
)

// Workings tells a network's administrators how sending stands. It reads counters: its cost does not grow with the lists.
func (db *DB) Workings(ctx context.Context, n staff.NetworkID) (w campaign.Workings, err error) {
	err = db.read(ctx, "workings", func(tx *Tx) error {
		w = campaign.Workings{Counts: campaign.Counts{}, Owed: db.Owed()}
		var since, expires int64
		err := tx.QueryRow(`SELECT holder, since_at, expires_at FROM leader WHERE name = 'pacer'`).Scan(&w.Leader, &since, &expires)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		w.Leads, w.Since = w.Leader != "" && expires >= tx.machine, timeOf(since)
		mark, err := tx.meta(metaQuarantine)
		if err != nil {
			return err
		}
		if w.Halt, err = db.haltOf(tx, mark); err != nil {
			return err
		}
		guardian, err := guardianOf(tx, n)
		if err != nil {
			return err
		}
		w.NoGuardian = guardian == 0
		rows, err := tx.Query(`
			SELECT t.kind, SUM(t.n)
			FROM tally t
			JOIN campaign c ON c.id = t.owner
			WHERE c.network = $1 AND t.kind LIKE 'is:%'
			GROUP BY t.kind`, int64(n))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var kind string
			var k int
			if err := rows.Scan(&kind, &k); err != nil {
				return err
			}
			w.Counts[campaign.MessageState(kind[len("is:"):])] = k
		}
		if err := rows.Err(); err != nil {
			return err
		}
		w.Alarms, err = list(tx, func(r scanner, a *campaign.Alarm) error {
			var at int64
			err := r.Scan(&at, &a.Code, (*int64)(&a.Campaign), (*int64)(&a.Message))
			a.At = timeOf(at)
			return err
		}, `
			SELECT a.at, a.code, a.campaign, a.message
			FROM alarm a
			WHERE a.at > $1 AND (a.campaign = 0 OR a.campaign IN (SELECT id FROM campaign WHERE network = $2))
			ORDER BY a.at DESC, a.id DESC
			LIMIT $3`, tx.now-alarmDays.Milliseconds(), int64(n), alarmsShown)
		return err
	})
	return w, err
}

// Owed is how many forms and opt-outs that this process took the journal alone has.
func (db *DB) Owed() int {
	db.owed.mu.Lock()
	defer db.owed.mu.Unlock()
	return len(db.owed.open)
}
