package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
)

// seen answers the screening's question "did an earlier row have this?" exactly, in memory that does not grow with the list: a SQLite
// file of its own, for both engines and for a dry run too. The file holds blind indexes only; its name is gone as soon as it is open, so
// that nothing stays of it, however the import ends. It is not safe for concurrent use.
type seen struct {
	path                        string
	db                          *sql.DB
	conn                        *sql.Conn
	notePerson, noteNum, hasNum *sql.Stmt
}

// seenCache is in KiB. Pages that it has no room for come from the system's own cache, fast enough.
const seenCache = 2000

func openSeen(dir string) (_ *seen, err error) {
	f, err := os.CreateTemp(dir, "screening-*.tmp") // made with mode 0600
	if err != nil {
		return nil, fmt.Errorf("make a file for the screening: %w", err)
	}
	ctx := context.Background() // a statement that is interrupted would undo all before it
	s := &seen{path: f.Name()}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("begin the screening: %w", err), s.close())
		}
	}()
	if err := f.Close(); err != nil {
		return nil, err
	}
	if s.path, err = filepath.Abs(s.path); err != nil { // in an address the first part of a path like data/x is taken for a host
		return nil, err
	}
	// Whatever happens to this file, nobody reads it again: no journal, no syncs, and one transaction that is never committed.
	q := url.Values{"_pragma": {"journal_mode(OFF)", "synchronous(OFF)", "locking_mode(EXCLUSIVE)", "temp_store(MEMORY)", fmt.Sprintf("cache_size(-%d)", seenCache)}}
	if s.db, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: s.path, RawQuery: q.Encode()}).String()); err != nil {
		return nil, err
	}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, err
	}
	for _, q := range []string{
		`CREATE TABLE person (ix BLOB PRIMARY KEY) WITHOUT ROWID`,
		`CREATE TABLE number (ix BLOB PRIMARY KEY) WITHOUT ROWID`,
		`BEGIN`,
	} {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return nil, err
		}
	}
	if runtime.GOOS != "windows" { // it does not remove what is open; close does
		if err := os.Remove(s.path); err != nil {
			return nil, err
		}
		s.path = ""
	}
	for _, p := range []struct {
		to    **sql.Stmt
		query string
	}{
		{&s.notePerson, `INSERT OR IGNORE INTO person (ix) VALUES ($1)`},
		{&s.noteNum, `INSERT OR IGNORE INTO number (ix) VALUES ($1)`},
		{&s.hasNum, `SELECT COUNT(*) FROM number WHERE ix = $1`},
	} {
		if *p.to, err = s.conn.PrepareContext(ctx, p.query); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Person notes a person and tells whether an earlier row had them.
func (s *seen) Person(ix []byte) (before bool, err error) { return note(s.notePerson, ix) }

// Number tells whether a number was noted before; with invite it is noted now.
func (s *seen) Number(ix []byte, invite bool) (before bool, err error) {
	if invite {
		return note(s.noteNum, ix)
	}
	var n int
	if err := s.hasNum.QueryRowContext(context.Background(), ix).Scan(&n); err != nil {
		return false, fmt.Errorf("look up an earlier row: %w", err)
	}
	return n > 0, nil
}

func note(insert *sql.Stmt, ix []byte) (before bool, err error) {
	res, err := insert.ExecContext(context.Background(), ix)
	if err != nil {
		return false, fmt.Errorf("note a row: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 0, err
}

// close may be called more than once, and of a nil.
func (s *seen) close() (err error) {
	if s == nil {
		return nil
	}
	for _, stmt := range []*sql.Stmt{s.notePerson, s.noteNum, s.hasNum} {
		if stmt != nil {
			err = errors.Join(err, stmt.Close())
		}
	}
	if s.conn != nil {
		err = errors.Join(err, s.conn.Close())
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.path != "" {
		err = errors.Join(err, os.Remove(s.path))
	}
	*s = seen{}
	return err
}
