package store

import (
	"context"
	"errors"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
)

var _ campaign.QuarantineStore = (*DB)(nil)

// metaQuarantine is set while a restored database must not send; a restart goes on with it.
const metaQuarantine = "quarantine"

// highestIntent is the machine time of the newest claim: what the marker outside the database remembers.
func highestIntent(tx *Tx) (int64, error) {
	var high *int64
	err := tx.QueryRow(`SELECT MAX(started_at) FROM attempt`).Scan(&high)
	if high == nil {
		return 0, err
	}
	return *high, err
}

// Restored compares the database with the marker outside it. A database that never sent anything has nothing to forget.
func (db *DB) Restored(ctx context.Context) (bool, error) {
	var high int64
	var mark string
	err := db.read(ctx, "marker", func(tx *Tx) (err error) {
		if mark, err = tx.meta(metaQuarantine); err != nil {
			return err
		}
		high, err = highestIntent(tx)
		return err
	})
	if err != nil {
		return false, err
	}
	if mark != "" {
		return true, nil
	}
	switch db.marker.check(db.id, high) {
	case markerOK:
		return false, nil
	case markerMissing:
		// On Postgres every process has its own marker, and a new process starts without one. On SQLite the marker lies beside the
		// database: if texts were sent and it is gone, the folder is not what it was.
		if high == 0 || db.engine == enginePostgres {
			return false, db.marker.adopt(db.id, high)
		}
	}
	return true, nil
}

// doubtChunk keeps each step well below 50 ms of the writer.
const doubtChunk = 1000

// Doubt makes unknown what could have left without this database knowing, and replays opt-outs and forms from the journal.
func (db *DB) Doubt(ctx context.Context) error {
	err := db.write(ctx, "begin quarantine", func(tx *Tx) error {
		if _, err := tx.Exec(`INSERT INTO alarm (id, at, code, campaign, message) SELECT $1, $2, 'generation', 0, 0 WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = $3)`, db.newID(), tx.now, metaQuarantine); err != nil {
			return err
		}
		return tx.setMeta(metaQuarantine, "1")
	})
	if err != nil {
		return err
	}
	if err := db.ReplayJournal(ctx, 0); err != nil {
		return err
	}
	return db.moveAll(ctx, "doubt", campaign.Doubt, `code = 'restored', looks = 0, look_at = 9000000000000000000`, ``)
}

// ClearDoubts plans again what is unknown and without evidence.
func (db *DB) ClearDoubts(ctx context.Context) error {
	return db.moveAll(ctx, "clear doubts", campaign.Clear, `code = '', look_at = 0`,
		`AND code = 'restored' AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.message = message.id)`)
}

// moveAll applies an event to all messages in the states it leaves, in chunks.
func (db *DB) moveAll(ctx context.Context, label string, on campaign.Event, sets, and string) error {
	var owners []int64
	err := db.read(ctx, label, func(tx *Tx) error {
		rows, err := tx.Query(`SELECT id FROM campaign WHERE state IN ('running', 'paused')`)
		if err != nil {
			return err
		}
		owners, err = scanIDs(rows)
		return err
	})
	if err != nil {
		return err
	}
	for _, owner := range owners {
		for _, from := range on.From() {
			to, _ := campaign.Next(from, on)
			for n := doubtChunk; n == doubtChunk; {
				err := db.write(ctx, label, func(tx *Tx) error {
					rings, err := db.moved(tx, owner, from, to, `
						UPDATE message
						SET state = $1, `+sets+`
						WHERE state = $2 AND id IN (SELECT id FROM message WHERE campaign = $3 AND state = $2 `+and+` LIMIT $4)
						RETURNING id, attempt, rings, stratum, cost`, string(to), string(from), owner, doubtChunk)
					n = len(rings)
					return err
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Known finds the message of a token.
func (db *DB) Known(ctx context.Context, t link.Token) (id campaign.MessageID, known bool, err error) {
	err = db.read(ctx, "token", func(tx *Tx) error {
		m, err := messageOf(tx, `token = $1`, "", t.Hash())
		if errors.Is(err, campaign.ErrNotFound) {
			return nil
		}
		id, known = campaign.MessageID(m.id), err == nil
		return err
	})
	return id, known, err
}

// Adopted takes one text of the provider's list.
func (db *DB) Adopted(ctx context.Context, l campaign.Listed, t link.Token, known bool) error {
	return db.write(ctx, "adopt listed", func(tx *Tx) error {
		if known {
			m, err := messageOf(tx, `token = $1`, "", t.Hash())
			if err != nil {
				return err
			}
			return db.adopt(tx, campaign.Evidence{Message: campaign.MessageID(m.id), Event: campaign.StatusEvent(l.Status), Kind: "listing", SID: l.SID, Code: l.Code, At: time.UnixMilli(tx.now)})
		}
		// Sent by the campaign that the backup has never heard of: nobody may text this number again too soon.
		_, err := tx.Exec(`
			INSERT INTO contact (phone_ix, message, campaign, at) VALUES ($1, 0, 0, $2)
			ON CONFLICT (phone_ix, message) DO NOTHING`, db.phoneIndex(l.To), max(tx.now, msOf(l.At)))
		return err
	})
}

// Trust ends the quarantine.
func (db *DB) Trust(ctx context.Context) error {
	var high int64
	err := db.write(ctx, "end quarantine", func(tx *Tx) (err error) {
		if high, err = highestIntent(tx); err != nil {
			return err
		}
		_, err = tx.Exec(`DELETE FROM meta WHERE key = $1`, metaQuarantine)
		return err
	})
	if err != nil {
		return err
	}
	return db.marker.adopt(db.id, high)
}
