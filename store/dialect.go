package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
)

//go:embed migrations
var migrationFiles embed.FS

// engine is which database we talk to. Every difference between the two is a
// method of engine or stands in this file.
type engine int

const (
	engineSQLite engine = iota
	enginePostgres
)

const (
	sqliteReaders   = 4  // snapshot readers beside the one writer
	postgresWriters = 12 // connections for write; the server's usual limit is 100 for all processes
	postgresReaders = 8
	connectTimeout  = 5 * time.Second // a server that is away must not keep a form waiting: the journal takes it
)

func (e engine) String() string {
	if e == enginePostgres {
		return "postgres"
	}
	return "sqlite"
}

// target is a parsed Config.Database.
type target struct {
	engine engine
	path   string // of the SQLite file, absolute
	url    string // of the Postgres server; holds a password, never log it
}

// parseTarget reads "", "PATH", "sqlite:PATH" or "postgres://…".
func parseTarget(database, dataDir string) (target, error) {
	scheme, rest, hasScheme := strings.Cut(database, ":")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		if _, err := pgx.ParseConfig(database); err != nil {
			// pgx's own error can quote the address, password included.
			return target{}, errors.New("the database address cannot be read: write it as postgres://user:password@host:5432/name")
		}
		return target{engine: enginePostgres, url: database}, nil
	case hasScheme && scheme == "sqlite":
		database = rest
	case strings.Contains(database, "://"):
		return target{}, fmt.Errorf("the database kind %q is not known: use postgres://… or sqlite:PATH", scheme)
	}
	if database == "" {
		database = filepath.Join(dataDir, "wellpaced.db")
	}
	path, err := filepath.Abs(database)
	if err != nil {
		return target{}, fmt.Errorf("find database file: %w", err)
	}
	return target{engine: engineSQLite, path: path}, nil
}

// open returns two bounded pools: one that writes and one that reads.
func (t target) open() (writers, readers *sql.DB, err error) {
	if t.engine == enginePostgres {
		cfg, err := pgx.ParseConfig(t.url)
		if err != nil {
			return nil, nil, errors.New("the database address cannot be read")
		}
		if cfg.ConnectTimeout == 0 {
			cfg.ConnectTimeout = connectTimeout
		}
		for name, value := range map[string]string{
			"application_name":                    "wellpaced",
			"synchronous_commit":                  "on", // a claim that is not on disk is a second text
			"timezone":                            "UTC",
			"lock_timeout":                        "10s",
			"idle_in_transaction_session_timeout": "60s",
		} {
			if _, set := cfg.RuntimeParams[name]; !set {
				cfg.RuntimeParams[name] = value
			}
		}
		writers, readers = stdlib.OpenDB(*cfg, stdlib.OptionResetSession(stillWrites)), stdlib.OpenDB(*cfg)
		bound(writers, postgresWriters)
		bound(readers, postgresReaders)
		return writers, readers, nil
	}
	writers, err = sql.Open("sqlite", t.dsn(false))
	if err != nil {
		return nil, nil, fmt.Errorf("open sqlite writer: %w", err)
	}
	bound(writers, 1)
	readers, err = sql.Open("sqlite", t.dsn(true))
	if err != nil {
		_ = writers.Close()
		return nil, nil, fmt.Errorf("open sqlite readers: %w", err)
	}
	bound(readers, sqliteReaders)
	return writers, readers, nil
}

// stillWrites turns away a connection that was made while its server took no writes: it would refuse them for as long as it is kept, however
// long ago the server takes them again, and the pool hands out the same few again and again. Servers before version 14 do not report it.
func stillWrites(_ context.Context, conn *pgx.Conn) error {
	reported := conn.PgConn().ParameterStatus
	if reported("default_transaction_read_only") == "on" || reported("in_hot_standby") == "on" {
		return driver.ErrBadConn
	}
	return nil
}

func bound(db *sql.DB, n int) {
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
}

// dsn is the SQLite address. synchronous=FULL is what makes a commit survive a
// power cut in WAL mode; without _txlock=immediate, half of all concurrent
// transactions fail with "busy" in spite of the time-out.
func (t target) dsn(readOnly bool) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
		"temp_store(MEMORY)", // sorted personal data never touch a temporary file
		"journal_size_limit(67108864)",
	}}
	// KiB of each connection. The writer needs more: a million rows land all over their indexes. SQLite shares the sum among all
	// connections of the process, and the driver's allocator takes 2.2 times as much: with 48 MB more, importing a long list takes 100 MB more.
	if readOnly {
		q.Add("_pragma", "cache_size(-1000)")
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Add("_pragma", "cache_size(-16000)")
		// 32 MB of log between checkpoints: each checkpoint writes and syncs the whole file while everybody waits.
		q.Add("_pragma", "wal_autocheckpoint(8000)")
		q.Set("_txlock", "immediate")
	}
	q.Set("_dqs", "0")
	return (&url.URL{Scheme: "file", Path: t.path, RawQuery: q.Encode()}).String()
}

// The statements that open a SQLite transaction by hand.
const (
	sqliteBeginWrite = "BEGIN IMMEDIATE"
	sqliteBeginRead  = "BEGIN DEFERRED" // the snapshot is fixed by the first SELECT
)

// readOptions opens a snapshot on Postgres.
var readOptions = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}

// shareClause keeps the rows of one of a SELECT's tables as they are until the transaction ends, for any number of readers.
func (e engine) shareClause(table string) string {
	if e == enginePostgres {
		return " FOR SHARE OF " + table
	}
	return ""
}

// lockClause ends a SELECT whose rows the transaction is about to change. SQLite
// needs none: its one writer is alone already. It starts with a space.
func (e engine) lockClause() string {
	if e == enginePostgres {
		return " FOR UPDATE"
	}
	return ""
}

// servedByOne tells whether a database has one serving process at a time, which its lock sees to.
func (e engine) servedByOne() bool { return e == engineSQLite }

// serverIs are expressions for which server and which of its lives a database is on, best first; "" if it cannot be told. A standby that
// takes over begins a new timeline, which pg_control_checkpoint() may tell minutes later only; a copy on another server has another system
// identifier, which not every account may ask for. What still follows another server is trusted by nobody.
func (e engine) serverIs() []string {
	const none = `''`
	if e == enginePostgres {
		const timeline = `CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END`
		return []string{`(SELECT (` + timeline + `) || '/' || system_identifier FROM pg_control_system())`, timeline, none}
	}
	return []string{none}
}

// sameServer compares what serverIs gave at two times. What could not be told at one of them proves nothing.
func sameServer(a, b string) bool {
	timelineA, systemA, _ := strings.Cut(a, "/")
	timelineB, systemB, _ := strings.Cut(b, "/")
	same := func(a, b string) bool { return a == b || a == "" || b == "" }
	return same(timelineA, timelineB) && same(systemA, systemB)
}

// maxParams is how many placeholders one statement may hold.
func (e engine) maxParams() int {
	if e == enginePostgres {
		return 65535
	}
	return 32766
}

// bulkRows is how many rows one INSERT carries: more gains nothing on SQLite and
// saves round trips on Postgres.
func (e engine) bulkRows() int {
	if e == enginePostgres {
		return 500
	}
	return 50
}

// placeholders returns "($3,$4),($5,$6)" for two rows of two columns that come after two other arguments. SQLite gets "(?,?),(?,?)": its
// driver asks for the name of every placeholder, and SQLite goes through all names to find one, which for a bulk insert takes longer than
// the inserting.
func (e engine) placeholders(after, rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("),(")
		default:
			b.WriteByte(',')
		}
		if e == engineSQLite {
			b.WriteByte('?')
			continue
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(after + i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// isUnique tells whether err says that such a row is there already.
func (e engine) isUnique(err error) bool {
	if e == enginePostgres {
		return pgCode(err) == "23505"
	}
	code := sqliteCode(err)
	return code == 2067 || code == 1555 // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY
}

// isRetry tells whether the same transaction may succeed if it is run again.
func (e engine) isRetry(err error) bool {
	if e == enginePostgres {
		switch pgCode(err) {
		case "40001", "40P01": // serialisation failure, deadlock
			return true
		}
		return false
	}
	switch sqliteCode(err) & 0xff {
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED, with their extended codes
		return true
	}
	return false
}

// isFull tells whether the disk of the database is full.
func (e engine) isFull(err error) bool {
	if e == enginePostgres {
		return pgCode(err) == "53100"
	}
	return sqliteCode(err)&0xff == 13 // SQLITE_FULL
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func pgCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// migrator returns goose set up for the engine and its folder of migrations.
func (e engine) migrator(db *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(migrationFiles, "migrations/"+e.String())
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if e == engineSQLite {
		return goose.NewProvider(goose.DialectSQLite3, db, dir, options...)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, dir, append(options, goose.WithSessionLocker(locker))...)
}

// migrate brings the schema up to what this program knows and refuses a schema
// that is ahead of it.
func (e engine) migrate(ctx context.Context, db *sql.DB) (from, to int64, err error) {
	m, err := e.migrator(db)
	if err != nil {
		return 0, 0, fmt.Errorf("read migrations: %w", err)
	}
	from, to, err = m.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read schema version: %w", err)
	}
	if from > to {
		return from, to, &NewerSchemaError{Database: from, Program: to}
	}
	if from == to {
		return from, to, nil
	}
	if _, err := m.Up(ctx); err != nil {
		return from, to, fmt.Errorf("migrate schema from %d to %d: %w", from, to, err)
	}
	return from, to, nil
}

// NewerSchemaError says that a newer Wellpaced has written the database.
type NewerSchemaError struct {
	Database, Program int64 // schema versions
}

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("the database was written by a newer Wellpaced (schema %d; this program knows %d): "+
		"start the newer program, or restore a backup made before the upgrade", e.Database, e.Program)
}

// dumpName is what a copy of the database is called in a backup.
func (e engine) dumpName() string {
	if e == enginePostgres {
		return "dump"
	}
	return "wellpaced.db"
}

// dump copies the database as it is at one moment, while others use it, and fills in what the manifest says of that moment.
func (db *DB) dump(ctx context.Context, t target, to string, m *Manifest) error {
	if t.engine == enginePostgres {
		tool, err := clientTool("pg_dump")
		if err != nil {
			return err
		}
		return db.read(ctx, "backup", func(tx *Tx) error {
			var snapshot string
			if _, err := tx.Exec(`SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil { // it waits for the whole dump
				return err
			}
			if err := tx.QueryRow(`SELECT pg_export_snapshot()`).Scan(&snapshot); err != nil {
				return err
			}
			if err := m.count(func(q string) *sql.Row { return tx.QueryRow(q) }); err != nil {
				return err
			}
			row, err := journalRowOf(tx, db.books.id)
			if err != nil {
				return err
			}
			m.Drained = row.drained
			f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			err = t.client(ctx, f, tool, "--format=custom", "--no-owner", "--no-privileges", "--snapshot="+snapshot)
			return errors.Join(err, f.Sync(), f.Close())
		})
	}
	if err := makePrivate(to); err != nil {
		return err
	}
	q := url.Values{"_pragma": {"busy_timeout(5000)", "temp_store(MEMORY)", "cache_size(-4000)"}}
	live, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: t.path, RawQuery: q.Encode()}).String())
	if err != nil {
		return err
	}
	defer live.Close()
	// One long read: writers go on, and the log grows until it is over.
	if _, err := live.ExecContext(ctx, `VACUUM INTO ?`, to); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return askCopy(to, func(ask rowAsker) error {
		var drained *int64
		err := ask(`SELECT MAX(drained) FROM journal`).Scan(&drained)
		if drained != nil {
			m.Drained = *drained
		}
		return errors.Join(err, m.count(ask))
	})
}

// rowAsker runs a query that gives one row.
type rowAsker = func(query string) *sql.Row

// askCopy reads a copy of a SQLite database that nobody else uses.
func askCopy(path string, fn func(ask rowAsker) error) error {
	path, err := filepath.Abs(path) // of a relative one, SQLite takes the first folder for the name of a computer
	if err != nil {
		return err
	}
	q := url.Values{"mode": {"ro"}, "immutable": {"1"}}
	c, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(func(query string) *sql.Row { return c.QueryRow(query) })
}

// checkDump reads a copy from end to end. A SQLite copy is opened and checked as a database; of a Postgres dump only restoring it into an
// empty database tells more than that pg_restore can read all of it.
func checkDump(ctx context.Context, path string, m Manifest) error {
	if m.Engine == enginePostgres.String() {
		tool, err := clientTool("pg_restore")
		if err != nil {
			return err
		}
		return runTool(exec.CommandContext(ctx, tool, "--file=/dev/null", path))
	}
	return askCopy(path, func(ask rowAsker) error {
		var said string
		if err := ask(`PRAGMA integrity_check`).Scan(&said); err != nil || said != "ok" {
			return errors.Join(errors.New("the copy of the database is damaged"), err)
		}
		var table any
		if err := ask(`PRAGMA foreign_key_check`).Scan(&table, new(any), new(any), new(any)); !errors.Is(err, sql.ErrNoRows) {
			return errors.Join(fmt.Errorf("the copy of the database has rows without their owner, in %v", table), err)
		}
		return m.agrees(ask)
	})
}

// load restores a dump into an empty Postgres database.
func (t target) load(ctx context.Context, path string) error {
	tool, err := clientTool("pg_restore")
	if err != nil {
		return err
	}
	_, readers, err := t.open()
	if err != nil {
		return err
	}
	defer readers.Close()
	var tables int
	err = readers.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')`).Scan(&tables)
	if err != nil {
		return err
	}
	if tables > 0 {
		return errors.New("the Postgres database is not empty: make a new one (createdb) and name it with --database. The old one stays as it is")
	}
	return t.client(ctx, nil, tool, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--dbname="+t.name(), path)
}

// clientTool finds one of Postgres's own commands.
func clientTool(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not on the PATH: install PostgreSQL's client commands, of the server's version or newer, "+
			"or back the server up by its own means (pg_basebackup and its log), which wellpaced notices when it is put back", name)
	}
	return path, nil
}

func (t target) name() string {
	cfg, err := pgx.ParseConfig(t.url)
	if err != nil {
		return ""
	}
	return cfg.Database
}

// client runs one of Postgres's own commands on this database. The password goes by the environment: a command line is for all to see.
func (t target) client(ctx context.Context, out io.Writer, tool string, args ...string) error {
	u, err := url.Parse(t.url)
	if err != nil {
		return errors.New("the database address cannot be read")
	}
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = os.Environ()
	if password, ok := u.User.Password(); ok {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+password)
	}
	cfg, err := pgx.ParseConfig(t.url)
	if err != nil {
		return errors.New("the database address cannot be read")
	}
	cmd.Env = append(cmd.Env, "PGHOST="+cfg.Host, "PGPORT="+strconv.Itoa(int(cfg.Port)), "PGUSER="+cfg.User, "PGDATABASE="+cfg.Database)
	for name, variable := range map[string]string{"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"} {
		if value := u.Query().Get(name); value != "" {
			cmd.Env = append(cmd.Env, variable+"="+value)
		}
	}
	cmd.Stdout = out
	return runTool(cmd)
}

func runTool(cmd *exec.Cmd) error {
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(said.String()))
	}
	return nil
}
