package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/store/servers"
	"github.com/wellpaced/wellpaced/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashChild); dir != "" {
		crashingChild(dir)
		return
	}
	storetest.Main(m)
}

// testCivil is the civil time of every test; machine time really passes.
var testCivil = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

func testConfig(tb testing.TB) Config {
	tb.Helper()
	return Config{
		DataDir: tb.TempDir(),
		Keys:    tb.TempDir() + "/keys",
		Now:     func() time.Time { return testCivil },
		Machine: time.Now,
	}
}

// mustOpen opens a store and closes it with the test.
func mustOpen(tb testing.TB, cfg Config) *DB {
	tb.Helper()
	db, err := Open(context.Background(), cfg)
	if err != nil {
		tb.Fatalf("open store: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close store: %v", err)
		}
	})
	return db
}

// eachEngine runs the test on SQLite and, where there is a server, on Postgres.
func eachEngine(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Run("sqlite", func(t *testing.T) { test(t, testConfig(t)) })
	t.Run("postgres", func(t *testing.T) {
		cfg := testConfig(t)
		cfg.Database = migratedDatabase(t)
		test(t, cfg)
	})
}

// migrated is a database with the newest schema and nothing in it, of which tests get copies: to migrate each costs as much as many tests.
var migrated = sync.OnceValues(func() (url string, err error) {
	url, _, err = servers.Postgres() // it goes with the server
	if err != nil {
		return "", err
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		return "", err
	}
	_, _, err = enginePostgres.migrate(context.Background(), db)
	return url, errors.Join(err, db.Close())
})

// migratedDatabase makes a database that a store was never opened on, with the newest schema.
func migratedDatabase(tb testing.TB) string {
	tb.Helper()
	if os.Getenv("WELLPACED_TEST_POSTGRES") != "" {
		return postgresDatabase(tb)
	}
	of, err := migrated()
	if errors.Is(err, servers.ErrMissing) {
		return postgresDatabase(tb) // says so
	}
	if err != nil {
		tb.Fatalf("migrate a database for tests: %v", err)
	}
	return storetest.PostgresCopy(tb, of)
}

var databases atomic.Int64

// postgresDatabase makes an empty database on the server whose address
// WELLPACED_TEST_POSTGRES holds, or else on one that storetest starts.
func postgresDatabase(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv("WELLPACED_TEST_POSTGRES")
	if server == "" {
		return storetest.Postgres(tb)
	}
	name := fmt.Sprintf("store_%d_%d", os.Getpid(), databases.Add(1))
	admin := func(query string) error {
		db, err := sql.Open("pgx", server)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.Exec(query)
		return err
	}
	if err := admin("CREATE DATABASE " + name); err != nil {
		tb.Fatalf("make test database: %v", err)
	}
	tb.Cleanup(func() { _ = admin("DROP DATABASE " + name + " WITH (FORCE)") })
	base, query, _ := strings.Cut(server, "?")
	address := base[:strings.LastIndexByte(base, '/')+1] + name
	if query != "" {
		address += "?" + query
	}
	return address
}

// mustWrite runs statements in one transaction.
func mustWrite(tb testing.TB, db *DB, statements ...string) {
	tb.Helper()
	err := db.write(context.Background(), "test", func(tx *Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("write: %v", err)
	}
}

// count returns the number a query selects.
func count(tb testing.TB, db *DB, query string, args ...any) (n int64) {
	tb.Helper()
	err := db.read(context.Background(), "test", func(tx *Tx) error {
		return tx.QueryRow(query, args...).Scan(&n)
	})
	if err != nil {
		tb.Fatalf("read: %v", err)
	}
	return n
}

func textLogger(to io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

func mintFor(db *DB, message int64) string { return link.Mint(db.sealer.linkKey(), message).Reveal() }
