package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const thingTable = `CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE)`

func insertThing(id int, name string) func(tx *Tx) error {
	return func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO thing (id, name) VALUES ($1, $2)`, id, name)
		return err
	}
}

// stall holds the SQLite writer until release is called, so that what is written
// meanwhile shares the next commit.
func stall(db *DB) (release func()) {
	started, gate := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.write(context.Background(), "stall", func(*Tx) error {
			close(started)
			<-gate
			return nil
		})
	})
	<-started
	return func() { close(gate); wg.Wait() }
}

func TestWrite_failuresStayApart(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		mustWrite(t, db, thingTable, `INSERT INTO thing (id, name) VALUES (0, 'taken')`)
		boom := errors.New("boom")
		ctx := context.Background()
		kinds := []struct {
			name string
			fn   func(id int) func(tx *Tx) error
			ok   func(err error) bool
			kept bool
		}{
			{"good", func(id int) func(*Tx) error { return insertThing(id, fmt.Sprint(id)) },
				func(err error) bool { return err == nil }, true},
			{"error after insert", func(id int) func(*Tx) error {
				return func(tx *Tx) error { return errors.Join(insertThing(id, fmt.Sprint(id))(tx), boom) }
			}, func(err error) bool { return errors.Is(err, boom) }, false},
			{"panic after insert", func(id int) func(*Tx) error {
				return func(tx *Tx) error { _ = insertThing(id, fmt.Sprint(id))(tx); panic("secret name") }
			}, func(err error) bool {
				return err != nil && strings.Contains(err.Error(), "panicked") && !strings.Contains(err.Error(), "secret")
			}, false},
			{"unique violation", func(id int) func(*Tx) error { return insertThing(id, "taken") },
				db.engine.isUnique, false},
			{"swallowed violation", func(id int) func(*Tx) error {
				return func(tx *Tx) error { _ = insertThing(id, "taken")(tx); return nil }
			}, db.engine.isUnique, false},
			{"statement after a failed one", func(id int) func(*Tx) error {
				return func(tx *Tx) error {
					_ = insertThing(id, "taken")(tx)
					var n int
					if err := tx.QueryRow(`SELECT 1`).Scan(&n); err == nil {
						return nil
					}
					return insertThing(id, fmt.Sprint(id))(tx)
				}
			}, func(err error) bool { return err != nil }, false},
			{"rows left open", func(id int) func(*Tx) error {
				return func(tx *Tx) error {
					if err := insertThing(id, fmt.Sprint(id))(tx); err != nil {
						return err
					}
					rows, err := tx.Query(`SELECT id FROM thing`) //nolint:rowserrcheck,sqlclosecheck // left open on purpose
					if err == nil {
						rows.Next()
					}
					return err
				}
			}, func(err error) bool { return err == nil }, true},
		}
		release := func() {}
		if db.engine == engineSQLite {
			release = stall(db)
		}
		var wg sync.WaitGroup
		want := int64(1)
		for round := range 10 {
			for i, k := range kinds {
				if k.kept {
					want++
				}
				id := 1 + round*len(kinds) + i
				wg.Go(func() {
					if err := db.write(ctx, k.name, k.fn(id)); !k.ok(err) {
						t.Errorf("%s: got error %v", k.name, err)
					}
				})
			}
		}
		release()
		wg.Wait()
		if got := count(t, db, `SELECT count(*) FROM thing`); got != want {
			t.Errorf("got %d rows, want %d", got, want)
		}
	})
}

func TestWrite_cancelledInQueue(t *testing.T) {
	db := mustOpen(t, testConfig(t))
	mustWrite(t, db, thingTable)
	release := stall(db)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() { got <- db.write(ctx, "late", insertThing(1, "a")) }()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	release()
	if n := count(t, db, `SELECT count(*) FROM thing`); n != 0 {
		t.Errorf("a write that was given up left %d rows", n)
	}

	// Once fn runs, cancelling changes nothing: the commit is what is reported.
	ctx, cancel = context.WithCancel(context.Background())
	err := db.write(ctx, "running", func(tx *Tx) error {
		cancel()
		return insertThing(2, "b")(tx)
	})
	if n := count(t, db, `SELECT count(*) FROM thing`); err != nil || n != 1 {
		t.Errorf("got error %v and %d rows, want none and 1", err, n)
	}
}

func TestWrite_lostCommitIsEverybodysError(t *testing.T) {
	cfg := testConfig(t)
	cfg.Machine = func() time.Time { return testCivil } // a group never runs out of time
	db := mustOpen(t, cfg)
	mustWrite(t, db, thingTable, `CREATE TABLE part (thing BIGINT REFERENCES thing (id) DEFERRABLE INITIALLY DEFERRED)`)
	release := stall(db)
	var failed atomic.Int64
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			err := db.write(context.Background(), "part", func(tx *Tx) error {
				if i == 0 { // an orphan is found at COMMIT
					_, err := tx.Exec(`INSERT INTO part (thing) VALUES (77)`)
					return err
				}
				return insertThing(i, fmt.Sprint(i))(tx)
			})
			if err != nil {
				failed.Add(1)
			}
		})
	}
	for len(db.writer.jobs) < 5 { // all wait for the same commit
		runtime.Gosched()
	}
	release()
	wg.Wait()
	if rows := count(t, db, `SELECT count(*) FROM thing`); failed.Load() != 5 || rows != 0 {
		t.Errorf("%d writes failed and %d rows are there, want 5 and 0", failed.Load(), rows)
	}
	if err := db.write(context.Background(), "after", insertThing(9, "z")); err != nil {
		t.Errorf("the writer did not recover: %v", err)
	}
}

func TestWrite_fullDisk(t *testing.T) {
	db := mustOpen(t, testConfig(t))
	mustWrite(t, db, thingTable)
	pages := count(t, db, `PRAGMA page_count`)
	mustWrite(t, db, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+20))
	big := strings.Repeat("x", 4000)
	var kept int64
	var err error
	for id := 1; err == nil && id < 100; id++ {
		if err = db.write(context.Background(), "fill", insertThing(id, fmt.Sprint(big, id))); err == nil {
			kept++
		}
	}
	if !db.engine.isFull(err) {
		t.Fatalf("got %v, want a full disk", err)
	}
	if n := count(t, db, `SELECT count(*) FROM thing`); n != kept || kept == 0 {
		t.Errorf("%d rows were acknowledged, %d are there", kept, n)
	}
	mustWrite(t, db, `PRAGMA max_page_count = 100000`) // somebody made room
	if err := db.write(context.Background(), "after", insertThing(1000, big)); err != nil {
		t.Errorf("the writer did not recover: %v", err)
	}
}

func TestWrite_deadlockIsRunAgain(t *testing.T) {
	cfg := testConfig(t)
	cfg.Database = postgresDatabase(t)
	db := mustOpen(t, cfg)
	mustWrite(t, db, thingTable, `INSERT INTO thing (id, name) VALUES (1, 'a'), (2, 'b')`)
	var wg, both sync.WaitGroup
	both.Add(2)
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		first := true
		wg.Go(func() {
			err := db.write(context.Background(), "cross", func(tx *Tx) error {
				if _, err := tx.Exec(`UPDATE thing SET name = name || 'x' WHERE id = $1`, order[0]); err != nil {
					return err
				}
				if first { // both hold a row before either asks for the other's
					first = false
					both.Done()
					both.Wait()
				}
				_, err := tx.Exec(`UPDATE thing SET name = name || 'x' WHERE id = $1`, order[1])
				return err
			})
			if err != nil {
				t.Errorf("order %v: %v", order, err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db, `SELECT count(*) FROM thing WHERE name IN ('axx', 'bxx')`); n != 2 {
		t.Errorf("%d rows were changed exactly twice, want 2", n)
	}
}

// A connection that was made while the server took no writes is not kept when it takes them again.
func TestWrite_afterReadOnly(t *testing.T) {
	cfg := testConfig(t)
	cfg.Database = postgresDatabase(t)
	db := mustOpen(t, cfg)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	admin, err := sql.Open("pgx", cfg.Database)
	must(err)
	defer admin.Close()
	c, err := admin.Conn(context.Background())
	must(err)
	defer c.Close()
	do := func(query string) {
		t.Helper()
		_, err := c.ExecContext(context.Background(), query)
		must(err)
	}
	var name string
	must(c.QueryRowContext(context.Background(), `SELECT quote_ident(current_database())`).Scan(&name))
	note := func() error {
		return db.write(context.Background(), "note", func(tx *Tx) error {
			_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('note', '1')`)
			return err
		})
	}
	do(`ALTER DATABASE ` + name + ` SET default_transaction_read_only = on`)
	do(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`)
	var failed error
	for range postgresWriters + 1 { // the first ones find out that their connection is gone
		failed = note()
	}
	if e := (*pgconn.PgError)(nil); !errors.As(failed, &e) || e.Code != "25006" {
		t.Fatalf("while the server takes no writes: %v", failed)
	}
	do(`SET default_transaction_read_only = off`)
	do(`ALTER DATABASE ` + name + ` RESET default_transaction_read_only`)
	must(note())
}

func TestWrite_survivesGoexit(t *testing.T) {
	db := mustOpen(t, testConfig(t))
	mustWrite(t, db, thingTable)
	err := db.write(context.Background(), "exit", func(tx *Tx) error {
		_ = insertThing(1, "a")(tx)
		runtime.Goexit()
		return nil
	})
	if err == nil {
		t.Error("a function that never returned was reported as committed")
	}
	if err := db.write(context.Background(), "next", insertThing(2, "b")); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, `SELECT count(*) FROM thing`); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}

func TestWrite_slowIsLogged(t *testing.T) {
	var b bytes.Buffer
	cfg := testConfig(t)
	now := testCivil
	cfg.Machine = func() time.Time { return now }
	cfg.Logger = slog.New(slog.NewTextHandler(&b, nil))
	db := mustOpen(t, cfg)
	err := db.write(context.Background(), "import chunk", func(*Tx) error { now = now.Add(51 * time.Millisecond); return nil })
	if err != nil || !strings.Contains(b.String(), "import chunk") {
		t.Errorf("error %v, log %q: want a warning with the label", err, b.String())
	}
}

func TestWrite_counter(t *testing.T) {
	// Read-then-write must not lose an update on either engine.
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		mustWrite(t, db, thingTable, `INSERT INTO thing (id, name) VALUES (1, '0')`)
		query := `SELECT name FROM thing WHERE id = $1` + db.engine.lockClause()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					err := db.write(context.Background(), "count", func(tx *Tx) error {
						var n int
						if err := tx.QueryRow(query, 1).Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec(`UPDATE thing SET name = $1 WHERE id = $2`, fmt.Sprint(n+1), 1)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := count(t, db, `SELECT CAST(name AS BIGINT) FROM thing`); got != 160 {
			t.Errorf("counted to %d, want 160", got)
		}
	})
}

func TestRead_snapshot(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		mustWrite(t, db, thingTable, `INSERT INTO thing (id, name) VALUES (1, 'a')`)
		ctx := context.Background()
		err := db.read(ctx, "snapshot", func(tx *Tx) error {
			var before, after int
			if err := tx.QueryRow(`SELECT count(*) FROM thing`).Scan(&before); err != nil {
				return err
			}
			if err := db.write(ctx, "meanwhile", insertThing(2, "b")); err != nil {
				return err
			}
			if err := tx.QueryRow(`SELECT count(*) FROM thing`).Scan(&after); err != nil {
				return err
			}
			if before != 1 || after != 1 {
				t.Errorf("the snapshot moved from %d to %d rows", before, after)
			}
			if tx.now != testCivil.UnixMilli() {
				t.Errorf("now is %d, want civil time", tx.now)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.read(ctx, "read only", insertThing(3, "c")); err == nil {
			t.Error("a read could write")
		}
		if err := db.read(ctx, "none", func(tx *Tx) error {
			return tx.QueryRow(`SELECT name FROM thing WHERE id = 99`).Scan(new(string))
		}); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("got %v, want sql.ErrNoRows", err)
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		for range 2 * sqliteReaders { // a cancelled read gives its reader back whole
			_ = db.read(cancelled, "cancelled", func(tx *Tx) error { _, err := tx.Exec(`SELECT 1`); return err })
		}
		if n := count(t, db, `SELECT count(*) FROM thing`); n != 2 {
			t.Errorf("got %d rows, want 2", n)
		}
	})
}

func TestBulkInsert(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		mustWrite(t, db, thingTable, `INSERT INTO thing (id, name) VALUES (3, '3')`)
		var inserted int64
		err := db.write(context.Background(), "bulk", func(tx *Tx) (err error) {
			var args []any
			for i := range 1234 {
				args = append(args, i, fmt.Sprint(i))
			}
			inserted, err = tx.bulkInsert(`INSERT INTO thing (id, name)`, 2, args, `ON CONFLICT DO NOTHING`)
			return err
		})
		if n := count(t, db, `SELECT count(*) FROM thing WHERE CAST(id AS TEXT) = name`); err != nil || n != 1234 || inserted != 1233 {
			t.Errorf("error %v, %d rows, %d inserted; want 1234 and 1233", err, n, inserted)
		}
	})
}

func TestPlaceholders(t *testing.T) {
	for e, want := range map[engine]string{enginePostgres: "($2,$3,$4),($5,$6,$7)", engineSQLite: "(?,?,?),(?,?,?)"} {
		if got := e.placeholders(1, 2, 3); got != want {
			t.Errorf("%v: got %s, want %s", e, got, want)
		}
	}
}

// benchClients is how many people press "Send" at once.
const benchClients = 64

func BenchmarkGroupCommit(b *testing.B) {
	db := mustOpen(b, testConfig(b))
	mustWrite(b, db, `CREATE TABLE form (id BIGINT PRIMARY KEY, body BLOB)`)
	body := bytes.Repeat([]byte{7}, 300)
	var id atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for range benchClients {
		wg.Go(func() {
			for n := id.Add(1); n <= int64(b.N); n = id.Add(1) {
				err := db.write(context.Background(), "form", func(tx *Tx) error {
					_, err := tx.Exec(`INSERT INTO form (id, body) VALUES ($1, $2)`, n, body)
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// BenchmarkBare is the same rows by a plain loop: one transaction each.
func BenchmarkBare(b *testing.B) {
	t := target{engine: engineSQLite, path: filepath.Join(b.TempDir(), "bare.db")}
	pool, readers, err := t.open()
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	defer readers.Close()
	if _, err := pool.Exec(`CREATE TABLE form (id BIGINT PRIMARY KEY, body BLOB)`); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte{7}, 300)
	b.ResetTimer()
	for i := range b.N {
		if _, err := pool.Exec(`INSERT INTO form (id, body) VALUES ($1, $2)`, i, body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
