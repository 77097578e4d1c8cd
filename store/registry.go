package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/wellpaced/wellpaced/campaign"
)

// theJournal is the id of a SQLite database's journal: there is one.
const theJournal = "beside the database"

// books are what this process knows of its journal's row in the database. The row goes back in time with the database, and so tells what
// a restored one has yet to be told.
type books struct {
	id string // of this journal

	mu     sync.Mutex
	told   int64 // the row's watermark as we wrote it last
	seen   int64 // machine: when
	lost   *loss // what the journal should hold and does not, until a gap names it
	doubt  campaign.Reason
	under  string // the quarantine that this process has seen
	joined string // the quarantine in which it has told all it holds
	opened int64  // machine
}

// loss are records that somebody was told are safe and that are not there.
type loss struct {
	records  int64
	from, to int64 // machine unix ms
	why      string
}

const (
	whyBehind   = "the journal was put back to an older state, or is gone"
	whyDamaged  = "the journal is damaged"
	whyTogether = "the provider knows more than the database, and the journal does not: both were put back, with whatever remembers them"
	whyAway     = "the process that keeps this journal has not come back"
)

// lose notes damage in the middle of the journal.
func (db *DB) lose(hurt *damage) {
	db.books.mu.Lock()
	defer db.books.mu.Unlock()
	l := loss{records: hurt.records, from: hurt.from, to: hurt.to, why: whyDamaged}
	if l.to == 0 {
		l.to = db.cfg.Machine().UnixMilli()
	}
	if was := db.books.lost; was != nil && was.why == whyBehind {
		l.records, l.from, l.to = l.records+was.records, min(l.from, was.from), max(l.to, was.to)
	}
	db.books.lost = &l
}

// openBooks opens the witness and finds out from where on the journal has to be read: from where this very database stopped. On a
// serving process it takes the journal in hand, and compares it with what is remembered of it elsewhere.
func (db *DB) openBooks(ctx context.Context) (err error) {
	db.books.opened = db.cfg.Machine().UnixMilli()
	if db.books.id, err = db.journalID(); err != nil {
		return err
	}
	name := "witness-" + db.id.String()
	if db.engine == enginePostgres {
		name += "-" + db.books.id
	}
	if db.witness, err = openMarker(filepath.Join(db.cfg.Keys, name)); err != nil {
		return err
	}
	db.onClose(func() error {
		if db.cfg.Serve {
			db.flushWitness()
		}
		return db.witness.file.close()
	})
	var row journalRow
	err = db.read(ctx, "journal row", func(tx *Tx) (err error) {
		row, err = journalRowOf(tx, db.books.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("read how far the journal is taken in: %w", err)
	}
	j := db.journal
	j.marked = row.drained // the file beside the journal does not know that the database went back
	db.books.told = row.drained
	j.floor = max(row.seq, row.drained)
	until := row.at
	for _, m := range []*marker{db.marker, db.witness} {
		if now, known := m.remembers(); known && now.database == db.id && now.seq > j.floor {
			j.floor, until = now.seq, now.at
		}
	}
	if !db.cfg.Serve {
		return nil
	}
	if _, err := j.undrained(); err != nil { // cuts a torn tail now, not at the first form
		return err
	}
	if have := max(j.last, row.drained); j.floor > have {
		db.books.lost = &loss{records: j.floor - have, from: max(j.lastAt, row.at), to: until, why: whyBehind}
		if j.last >= row.drained {
			db.books.lost.from = j.lastAt
		}
	}
	db.onClose(func() error { db.closeBooks(); return nil })
	return db.write(ctx, "register journal", func(tx *Tx) error {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		_, err = tx.Exec(`
			INSERT INTO journal (id, host, seq, at, drained, seen_at, closed, replayed) VALUES ($1, $2, 0, 0, 0, $3, FALSE, '')
			ON CONFLICT (id) DO UPDATE SET host = excluded.host, seen_at = excluded.seen_at, closed = FALSE`,
			db.books.id, host+":"+db.cfg.DataDir, tx.machine)
		return err
	})
}

// journalID names this data folder's journal. With Postgres there are many.
func (db *DB) journalID() (string, error) {
	if db.engine == engineSQLite {
		return theJournal, nil
	}
	path := filepath.Join(db.journal.dir, "id")
	b, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(b)); err == nil && id != "" {
		return id, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the journal's id: %w", err)
	}
	id := uuid.NewString()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("name the journal: %w", err)
	}
	_, err = f.WriteString(id + "\n")
	if err := errors.Join(err, f.Sync(), f.Close(), syncDir(db.journal.dir)); err != nil {
		return "", fmt.Errorf("name the journal: %w", err)
	}
	return id, nil
}

// journalRow is a journal as the database knows it.
type journalRow struct {
	seq, at, drained int64
	known            bool
}

func journalRowOf(tx *Tx, id string) (r journalRow, err error) {
	err = tx.QueryRow(`SELECT seq, at, drained FROM journal WHERE id = $1`, id).Scan(&r.seq, &r.at, &r.drained)
	if errors.Is(err, sql.ErrNoRows) {
		return journalRow{}, nil
	}
	r.known = err == nil
	return r, err
}

// flushWitness writes the witness. A keys folder that cannot be written to costs one of the ways to notice a restored backup, no more.
func (db *DB) flushWitness() {
	if err := db.witness.flush(); err != nil {
		db.blind.Do(func() {
			db.log.Warn("the keys folder takes no witness: if the whole data folder is put back from a backup, only the provider's record can tell. Let wellpaced write to it",
				slog.String("keys", db.cfg.Keys), slog.Any("error", err))
		})
	}
}

// heartbeat is how often a process of many says that its journal is in use.
const heartbeat = 10 * time.Second

// tell writes into the database how far the journal is taken in. It compares and sets: if the row is not as we left it, or the server is
// another, the database has gone back in time, and nothing may hide that.
func (db *DB) tell(ctx context.Context) {
	acked, at, drained, ready := db.journal.progress()
	b := &db.books
	b.mu.Lock()
	told, lost, under, seen := b.told, b.lost, b.under, b.seen
	b.mu.Unlock()
	now := db.cfg.Machine().UnixMilli()
	beat := db.engine == enginePostgres && now-seen >= heartbeat.Milliseconds()
	if !ready || lost != nil || under != "" || (drained == told && !beat) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // the files beside the database wait for it
	defer cancel()
	behind, wrote := false, false
	err := db.write(ctx, "tell of the journal", func(tx *Tx) error {
		behind, wrote = false, false
		if stop, err := db.quarantined(tx); err != nil || stop {
			return err
		}
		n, err := tx.Exec(`UPDATE journal SET seq = $1, at = $2, drained = $3, seen_at = $4 WHERE id = $5 AND drained = $6`, acked, at, drained, tx.machine, b.id, told)
		behind, wrote = n == 0, n > 0
		return err
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		db.log.Debug("tell the database of the journal", slog.Any("error", err)) // it is tried again; a database that is away is said elsewhere
	case behind:
		b.doubt = campaign.JournalAhead
	case wrote:
		b.told, b.seen = drained, now
	}
}

// closeBooks tells the database that this journal has nothing more for it.
func (db *DB) closeBooks() {
	db.tell(context.Background())
	acked, at, drained, _ := db.journal.progress()
	db.marker.note(acked, at)
	db.witness.note(acked, at)
	b := &db.books
	b.mu.Lock()
	clean := b.lost == nil && b.under == "" && b.doubt == "" && b.told == drained && drained >= acked
	b.mu.Unlock()
	if !clean {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := db.write(ctx, "close the journal", func(tx *Tx) error {
		if stop, err := db.quarantined(tx); err != nil || stop {
			return err
		}
		_, err := tx.Exec(`UPDATE journal SET closed = TRUE, seen_at = $1 WHERE id = $2 AND drained = $3`, tx.machine, b.id, drained)
		return err
	})
	if err != nil {
		db.log.Debug("close the journal's row", slog.Any("error", err)) // its next process, or RetireJournals, does it
	}
}

// retireAfter is how long a process may be silent before its journal, all of which the database has, is taken for closed.
const retireAfter = 24 * time.Hour

// RetireJournals closes the rows of processes that were killed long ago and owe nothing. A database that was restored a moment ago must not
// do so: all its rows are old. So this waits until the process has been serving, without a quarantine, for most of an hour.
func (db *DB) RetireJournals(ctx context.Context) error {
	if db.cfg.Machine().UnixMilli()-db.books.opened < (50 * time.Minute).Milliseconds() {
		return nil
	}
	return db.write(ctx, "retire journals", func(tx *Tx) error {
		if stop, err := db.quarantined(tx); err != nil || stop {
			return err
		}
		_, err := tx.Exec(`UPDATE journal SET closed = TRUE WHERE NOT closed AND id <> $1 AND drained >= seq AND seen_at < $2`, db.books.id, tx.machine-retireAfter.Milliseconds())
		return err
	})
}
