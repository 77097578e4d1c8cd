package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestOpen_again(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		id := db.id
		db.marker.raise(42)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if err := db.write(context.Background(), "late", func(*Tx) error { return nil }); err == nil {
			t.Error("a closed store took a write")
		}
		db = mustOpen(t, cfg)
		if db.id != id {
			t.Errorf("the database changed its id")
		}
		if now, known := db.marker.remembers(); judge(known, now, db.id, 41) != databaseOlder {
			t.Errorf("the marker says %+v, want that the database is older", now)
		}
	})
}

// Two processes that find the same empty database agree on one id.
func TestOpen_together(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		var wg sync.WaitGroup
		ids := make([]string, 4)
		for i := range ids {
			wg.Go(func() {
				db, err := Open(context.Background(), cfg)
				if err != nil {
					t.Errorf("open %d: %v", i, err)
					return
				}
				ids[i] = db.id.String()
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("got ids %v", ids)
			}
		}
	})
}

func TestOpen_oneServes(t *testing.T) {
	cfg := testConfig(t)
	cfg.Serve = true
	db := mustOpen(t, cfg)
	if _, err := Open(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "already serving") {
		t.Errorf("a second server: got %v", err)
	}
	elsewhere := testConfig(t)
	elsewhere.Serve, elsewhere.Keys = true, cfg.Keys
	elsewhere.Database = filepath.Join(t.TempDir(), "shared.db")
	mustOpen(t, elsewhere)
	third := testConfig(t)
	third.Serve, third.Keys, third.Database = true, cfg.Keys, elsewhere.Database
	if _, err := Open(context.Background(), third); err == nil || !strings.Contains(err.Error(), "already serving") {
		t.Errorf("a second server on the same file: got %v", err)
	}
	cfg.Serve = false
	command := mustOpen(t, cfg)
	mustWrite(t, command, thingTable)
	mustWrite(t, db, `INSERT INTO thing (id, name) VALUES (1, 'a')`)
	if n := count(t, command, `SELECT count(*) FROM thing`); n != 1 {
		t.Errorf("the command sees %d rows, want 1", n)
	}
}

func TestOpen_newerSchemaIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		mustWrite(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(context.Background(), cfg)
		if newer, ok := errors.AsType[*NewerSchemaError](err); !ok || newer.Database != 9999 {
			t.Errorf("got %v", err)
		}
		if _, _, err := MigrateOnly(context.Background(), cfg); err == nil {
			t.Error("MigrateOnly took a newer schema")
		}
	})
}

func TestOpen_sqliteIsDurableAndPrivate(t *testing.T) {
	cfg := testConfig(t)
	cfg.DataDir = filepath.Join(cfg.DataDir, "a folder?with#odd%names")
	db := mustOpen(t, cfg)
	pragma := func(s *session, name string) (value string) {
		if err := s.queryRow(context.Background(), "PRAGMA "+name, nil).Scan(&value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	for _, s := range []*session{db.writer.s, <-db.readers} {
		reader := "0"
		if s != db.writer.s {
			reader = "1"
			defer func() { db.readers <- s }()
		}
		for name, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "query_only": reader} {
			if got := pragma(s, name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	}
	info, err := os.Stat(filepath.Join(cfg.DataDir, "wellpaced.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("database file: %v, %v", info, err)
	}
}

func TestOpen_keysInsideData(t *testing.T) {
	cfg := testConfig(t)
	cfg.Keys = filepath.Join(cfg.DataDir, "keys")
	if _, err := Open(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "--keys") {
		t.Errorf("got %v", err)
	}
}

func TestMeta(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		err := db.write(context.Background(), "meta", func(tx *Tx) error {
			for _, want := range []string{"", "1", "2"} {
				if got, err := tx.meta("k"); err != nil || got != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
				if err := tx.setMeta("k", map[string]string{"": "1", "1": "2", "2": "3"}[want]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestWithin(t *testing.T) {
	root := t.TempDir()
	segment := rapid.StringMatching(`[a-z.]{1,3}`).Filter(func(s string) bool { return s != "." && s != ".." })
	rapid.Check(t, func(t *rapid.T) {
		dir := filepath.Join(root, segment.Draw(t, "dir"))
		inner := filepath.Join(dir, segment.Draw(t, "inner"))
		beside := dir + segment.Draw(t, "beside")
		if !within(inner, dir) || !within(dir, dir) || within(dir, inner) || within(beside, dir) {
			t.Fatalf("%s, %s, %s", dir, inner, beside)
		}
	})
}
