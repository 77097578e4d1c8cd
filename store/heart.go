package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// This file knows which imports still have somebody who does them. Every import has a heart, which beats for as long as its process lives,
// however slowly its rows come in; what has none any more is ended by whoever sees that first.

const (
	importBeat   = 10 * time.Second
	importSilent = time.Minute // machine time; an import that is silent for so long is nobody's any more
)

// hearts are those of this process.
type hearts struct {
	ctx   context.Context //nolint:containedctx // they end with the store, not with whoever began an import
	every time.Duration
	beat  sync.WaitGroup
}

// beginHearts is called last when the store opens, so that they stop before what they write with.
func (db *DB) beginHearts() {
	ctx, stop := context.WithCancel(context.Background())
	db.hearts.ctx, db.hearts.every = ctx, importBeat
	db.onClose(func() error {
		stop()
		db.hearts.beat.Wait()
		return nil
	})
}

// live begins the import's heart; still ends it.
func (im *listImport) live() {
	ctx, stop := context.WithCancel(im.db.hearts.ctx)
	im.still = stop
	db, id := im.db, int64(im.a.ID)
	db.hearts.beat.Go(func() {
		tick := time.NewTicker(db.hearts.every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := db.write(ctx, "beat of an import", func(tx *Tx) error {
				return running(tx.Exec(`UPDATE audience SET beat_at = $1 WHERE id = $2 AND state = 'importing'`, tx.machine, id))
			})
			if errors.Is(err, campaign.ErrConflict) { // it was taken away, which its next rows will find out; after any other error the next beat may succeed
				return
			}
		}
	})
}

// DropBrokenImports ends what imports left behind that were cut off by the end of a serving process. Call it before serving.
//
// One process serves a SQLite database: what began before that one is broken, however short ago that was. Beside a Postgres database others
// may be at work, and their hearts decide.
func (db *DB) DropBrokenImports(ctx context.Context, before time.Time) error {
	if !db.engine.servedByOne() {
		return db.DropSilentImports(ctx)
	}
	// By machine time, which ids carry: an import beside a running server is younger.
	return db.dropImports(ctx, func(tx *Tx) (string, []any) {
		return `state = 'abandoned' OR (state = 'importing' AND id < $1)`, []any{(before.UnixMilli() - idEpoch) << 10}
	})
}

// DropSilentImports ends the imports whose process has died, whichever it was. Call it now and then; any number of processes may at once, and
// one of them ends each.
func (db *DB) DropSilentImports(ctx context.Context) error {
	return db.dropImports(ctx, func(tx *Tx) (string, []any) {
		// A program before this one tells of uploads alone that they live.
		return `state IN ('importing', 'abandoned') AND beat_at < $1
			AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.audience = audience.id AND u.state = 'screening' AND u.beat_at >= $1)`,
			[]any{tx.machine - importSilent.Milliseconds()}
	})
}

// dropImports ends those that are broken: their rows go, and of what they were read from stays that they were interrupted.
func (db *DB) dropImports(ctx context.Context, broken func(tx *Tx) (where string, args []any)) error {
	there := 0
	err := db.read(ctx, "look for broken imports", func(tx *Tx) error { // there hardly ever are any, and a write is a write
		where, args := broken(tx)
		return tx.QueryRow(`SELECT COUNT(*) FROM audience WHERE `+where, args...).Scan(&there)
	})
	if err != nil || there == 0 {
		return err
	}
	var ids []int64
	err = db.write(ctx, "end broken imports", func(tx *Tx) error {
		where, args := broken(tx)
		args = append(args, tx.machine) // from now on they are this process's
		rows, err := tx.Query(`UPDATE audience SET state = 'abandoned', beat_at = $2 WHERE `+where+` RETURNING id`, args...)
		if err != nil {
			return err
		}
		if ids, err = scanIDs(rows); err != nil {
			return err
		}
		for _, id := range ids { // what they were read from is still there
			if _, err := tx.Exec(`UPDATE upload SET state = 'interrupted', run = 0, audience = 0 WHERE audience = $1 AND state = 'screening'`, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		err = errors.Join(err, db.dropAudience(ctx, campaign.AudienceID(id)))
	}
	return err
}
