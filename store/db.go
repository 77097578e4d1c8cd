package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Config says where the data are and who may touch them.
type Config struct {
	// Database is "" (SQLite in DataDir), a path, "sqlite:PATH" or "postgres://…".
	Database string
	// DataDir holds the SQLite file, the journal, the marker and the locks. It is
	// what a backup copies.
	DataDir string
	// Keys is the folder of the keys. It must not lie inside DataDir.
	Keys string
	// Now is civil time, which a demo may scale; Machine is real time.
	Now, Machine func() time.Time
	// Logger is silent when nil.
	Logger *slog.Logger
	// Elapsed is time that nobody can set, since some instant: the civil clock is checked against it. nil if that clock is stepped on purpose.
	Elapsed func() time.Duration
	// Ballast is how many bytes of disk a serving process holds back for when the disk is full; less on a small disk, 0 for none.
	Ballast int64
	// Serve takes the serving lock: one process serves a data folder. Commands
	// that work beside it leave this false.
	Serve bool

	staging bool // Restore opens what it is about to put in its place
}

// DB is the store. Its methods are safe for concurrent use.
type DB struct {
	// Calendar is the networks' calendar; the zero value is England's.
	Calendar throttle.Calendar
	// Settle is how long an unknown text waits before the first look at the provider.
	Settle time.Duration

	engine  engine
	sealer  *sealer
	journal *journal
	marker  *marker // in the data folder
	witness *marker // in the keys folder

	server string    // SQL for which server this is
	books  books     // how far the journal is told to the database
	blind  sync.Once // the keys folder takes no witness; said once

	cfg  Config
	log  *slog.Logger
	id   uuid.UUID // of this database, made with it
	path string    // of the SQLite file

	writers, readPool *sql.DB
	writer            *writer       // SQLite only
	readers           chan *session // SQLite only
	closers           []func() error

	lastID    atomic.Int64 // see newID
	refuses   atomic.Bool  // the database took nothing of the last thing that somebody sent
	senders   sync.Map     // staff.NetworkID -> knownSender
	plans     sync.Map     // campaign.ID -> *knownPlan
	estimates sync.Map     // campaign.AudienceID -> map[width]alike
	heads     sync.Map     // campaign.ID -> *headcount
	owed      debts        // journal records that the database has yet to take
	closed    closedHours  // counters that the pacer need not read again
	counts    reportCounts // months being counted for whoever waits for a report
	hearts    hearts       // of the imports of this process
	room      *room
	clock     clockWatch
	alarms    chan string // codes that the database has yet to take
	words     remembered[staff.NetworkID, selfrefer.Words]
	rosters   remembered[posted, []throttle.Worker]

	// ContactBy forecasts by when a team will have called somebody who asks for help now. Set it before serving; nil tells nobody a date.
	ContactBy func(team staff.TeamID, now time.Time) time.Time
	// Ring is told of a service text once what it answers is kept. Set it before serving; without it the pacer's repair finds the text.
	Ring func(campaign.Ring)
}

// Keys of the table meta that belong to the plumbing.
const (
	metaDatabaseID = "database_id"
)

// Open opens the store, creating it if it is new, and brings its schema up to
// date. Errors are sentences for the operator.
func Open(ctx context.Context, cfg Config) (_ *DB, err error) {
	if cfg.Now == nil || cfg.Machine == nil {
		return nil, errors.New("open store: Config.Now and Config.Machine must be set")
	}
	db := &DB{cfg: cfg, log: cfg.Logger, Settle: campaign.DefaultSettle, alarms: make(chan string, 16)}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	db.room = newRoom(cfg.DataDir, cfg.Ballast, cfg.Machine, db.log)
	db.clock = clockWatch{civil: cfg.Now, elapsed: cfg.Elapsed, log: db.log, stepped: func(time.Duration) { db.alarm("clock_step") }}
	defer func() {
		if err != nil {
			_ = db.Close()
		}
	}()
	if err := db.openFolders(); err != nil {
		return nil, err
	}
	t, err := parseTarget(cfg.Database, cfg.DataDir)
	if err != nil {
		return nil, err
	}
	db.engine, db.path = t.engine, t.path
	if _, err := os.Stat(filepath.Join(cfg.DataDir, restoringName)); err == nil && !cfg.staging {
		return nil, fmt.Errorf("a restore into %s is under way, or was cut off: wait for it, or run wellpaced restore again", cfg.DataDir)
	}
	if cfg.Serve {
		if err := db.lockServing(t); err != nil {
			return nil, err
		}
	}
	if err := db.openDatabase(ctx, t); err != nil {
		return nil, err
	}
	fresh, err := db.openIdentity(ctx)
	if err != nil {
		return nil, err
	}
	if db.journal, err = openJournal(filepath.Join(cfg.DataDir, "journal"), db.sealer, cfg.Machine, db.log); err != nil {
		return nil, err
	}
	db.onClose(db.journal.close)
	if cfg.Serve {
		db.look()
	}
	if db.marker, err = openMarker(filepath.Join(cfg.DataDir, "marker")); err != nil {
		return nil, err
	}
	db.onClose(db.marker.close)
	if err := db.openBooks(ctx); err != nil {
		return nil, err
	}
	// A marker that is there already stays: it may tell of a database that was lost.
	if fresh && !db.marker.known {
		if err := db.marker.adopt(db.id, 0); err != nil {
			return nil, err
		}
	}
	db.countReports()
	db.beginHearts()
	return db, nil
}

// MigrateOnly brings the schema up to date and closes the store again. It returns
// the schema versions before and after.
func MigrateOnly(ctx context.Context, cfg Config) (from, to int64, err error) {
	t, err := parseTarget(cfg.Database, cfg.DataDir)
	if err != nil {
		return 0, 0, err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return 0, 0, fmt.Errorf("make data folder: %w", err)
	}
	return t.migrate(ctx)
}

// Close finishes accepted writes and releases everything.
func (db *DB) Close() error {
	var errs []error
	for i := len(db.closers) - 1; i >= 0; i-- {
		errs = append(errs, db.closers[i]())
	}
	db.closers = nil
	return errors.Join(errs...)
}

func (db *DB) onClose(f func() error) { db.closers = append(db.closers, f) }

// Run keeps the files outside the database fresh until ctx ends, and an eye on the disk and the clock.
func (db *DB) Run(ctx context.Context) error {
	var alarms sync.WaitGroup
	alarms.Go(func() { db.raiseAlarms(ctx) }) // apart: the database may be away
	defer alarms.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return db.Tick()
		case <-tick.C:
			if err := db.Tick(); err != nil {
				db.log.Error("cannot write beside the database", slog.Any("error", err))
			}
		}
	}
}

// Tick writes the marker, the witness and the journal's watermark if they have moved, tells the database how far the journal is, and looks
// at the disk and the clock.
func (db *DB) Tick() error {
	db.look()
	db.clock.steady()
	acked, at, _, ready := db.journal.progress()
	if ready {
		db.marker.note(acked, at)
		db.witness.note(acked, at)
	}
	err := errors.Join(db.marker.flush(), db.journal.flush())
	if db.cfg.Serve {
		db.flushWitness()
		db.tell(context.Background())
	}
	return err
}

func (db *DB) look() {
	if db.room.look() {
		db.alarm("disk_low")
	}
}

// Disk is how the disk of the data folder stood a second ago.
func (db *DB) Disk() Disk { return db.room.now() }

// Steady reports whether the civil clock can be believed.
func (db *DB) Steady() bool { return db.clock.steady() }

// Stopped says in a sentence why nothing may be sent from this computer now, and in a word; "" if it may. Claims obey it.
func (db *DB) Stopped() (code, why string) {
	if d := db.room.now(); d.Low {
		return "disk_low", d.sentence()
	}
	if !db.clock.steady() {
		return "clock_step", "The clock of the computer that sends was set. Sending goes on by itself once the clock has run true for a minute."
	}
	return "", ""
}

// alarm notes something that an administrator should hear of. The database may refuse just now: it is told as soon as it listens.
func (db *DB) alarm(code string) {
	select {
	case db.alarms <- code:
	default: // so many wait already that one more says nothing
	}
}

// raiseAlarms writes alarms until ctx ends.
func (db *DB) raiseAlarms(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case code := <-db.alarms:
			for {
				err := db.write(ctx, "alarm", func(tx *Tx) error {
					_, err := tx.Exec(`INSERT INTO alarm (id, at, code, campaign, message) VALUES ($1, $2, $3, 0, 0)`, db.newID(), tx.now, code)
					return err
				})
				if err == nil {
					break
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Second):
				}
			}
		}
	}
}

func (db *DB) openFolders() error {
	if db.cfg.DataDir == "" || db.cfg.Keys == "" {
		return errors.New("open store: the data folder and the keys folder must be named")
	}
	if err := os.MkdirAll(db.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	return keysApart(db.cfg.Keys, db.cfg.DataDir)
}

func (db *DB) lockServing(t target) error {
	for _, path := range t.serveLocks(db.cfg.DataDir) {
		f, err := lockFile(path, false)
		switch {
		case errors.Is(err, errLocked) && t.engine == enginePostgres:
			return fmt.Errorf("another wellpaced is using the data folder %s: give each process a --data folder of its own, because its journal and its marker cannot be shared", db.cfg.DataDir)
		case errors.Is(err, errLocked):
			return fmt.Errorf("another wellpaced is already serving %s: stop it first. One process serves a SQLite database; to share the work between processes, "+
				"use --database postgres://… and --redis redis://…", db.cfg.DataDir)
		}
		if err != nil {
			return err
		}
		db.onClose(f.Close)
	}
	return nil
}

// serveLocks are the files that whoever serves has locked.
func (t target) serveLocks(dataDir string) []string {
	paths := []string{filepath.Join(dataDir, serveLockName)}
	if t.engine == engineSQLite && !within(t.path, dataDir) {
		paths = append(paths, t.path+".serve.lock") // two data folders could share the file
	}
	return paths
}

// migrate opens the database for the migrations alone, since they need other
// connections than the running store.
func (t target) migrate(ctx context.Context) (from, to int64, err error) {
	writers, readers, err := t.open()
	if err != nil {
		return 0, 0, err
	}
	defer writers.Close()
	defer readers.Close()
	if t.engine == engineSQLite {
		if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
			return 0, 0, fmt.Errorf("make database folder: %w", err)
		}
		f, err := lockFile(t.path+".migrate.lock", true)
		if err != nil {
			return 0, 0, err
		}
		defer f.Close()
		if err := makePrivate(t.path); err != nil {
			return 0, 0, err
		}
	}
	return t.engine.migrate(ctx, writers)
}

// makePrivate creates the database file for its owner alone, before SQLite
// creates it with the process's usual permissions.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database file: %w", err)
	}
	return f.Close()
}

func (db *DB) openDatabase(ctx context.Context, t target) error {
	from, to, err := t.migrate(ctx)
	if err != nil {
		if t.engine == enginePostgres {
			return fmt.Errorf("open the Postgres database: %w", err)
		}
		return fmt.Errorf("open the database %s: %w", t.path, err)
	}
	if from != to {
		db.log.Info("schema migrated", slog.Int64("from", from), slog.Int64("to", to))
	}
	if db.writers, db.readPool, err = t.open(); err != nil {
		return err
	}
	db.onClose(db.readPool.Close)
	db.onClose(db.writers.Close)
	if t.engine == enginePostgres {
		return db.learnServer(ctx)
	}
	db.server = t.engine.serverIs()[0]
	s, err := openSession(ctx, db.writers)
	if err != nil {
		return fmt.Errorf("open writer: %w", err)
	}
	db.onClose(s.close)
	db.readers = make(chan *session, sqliteReaders)
	for range sqliteReaders {
		r, err := openSession(ctx, db.readPool)
		if err != nil {
			return fmt.Errorf("open reader: %w", err)
		}
		db.onClose(r.close)
		db.readers <- r
	}
	db.writer = newWriter(db, s)
	db.onClose(func() error { db.writer.close(); return nil })
	return nil
}

// openIdentity reads who this database is and checks that the keys belong to it.
// Only a database that has never had keys gets new ones: then it is fresh.
func (db *DB) openIdentity(ctx context.Context) (fresh bool, err error) {
	var known map[string]string
	err = db.read(ctx, "identity", func(tx *Tx) (err error) {
		known, err = tx.metas()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read identity: %w", err)
	}
	fresh = known[metaDatabaseID] == ""
	if db.sealer, err = openSealer(db.cfg.Keys, fresh); err != nil {
		return false, err
	}
	if fresh {
		id, err := uuid.NewRandom()
		if err != nil {
			return false, fmt.Errorf("make database id: %w", err)
		}
		err = db.write(ctx, "identity", func(tx *Tx) error {
			// Another process may do the same at this moment: the first row wins, and
			// both check their keys against it.
			n, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, metaDatabaseID, id.String())
			if err != nil {
				return err
			}
			if n == 1 {
				marks, err := db.sealer.checkMarks(id.String())
				if err != nil {
					return err
				}
				for key, value := range marks {
					if err := tx.setMeta(key, value); err != nil {
						return err
					}
				}
			}
			known, err = tx.metas()
			return err
		})
		if err != nil {
			return false, fmt.Errorf("write identity: %w", err)
		}
	}
	if db.id, err = uuid.Parse(known[metaDatabaseID]); err != nil {
		return false, fmt.Errorf("read database id: %w", err)
	}
	return fresh, db.sealer.verify(db.cfg.Keys, known)
}

// meta returns a value of the table meta, "" if there is none.
func (t *Tx) meta(key string) (string, error) {
	var value string
	err := t.QueryRow(`SELECT value FROM meta WHERE key = $1`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

func (t *Tx) setMeta(key, value string) error {
	_, err := t.Exec(`INSERT INTO meta (key, value) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

func (t *Tx) metas() (map[string]string, error) {
	rows, err := t.Query(`SELECT key, value FROM meta`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[string]string)
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return nil, err
		}
		all[key] = value
	}
	return all, rows.Err()
}
