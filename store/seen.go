package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// seen answers the screening's question "did an earlier row have this?" exactly, in memory that does not grow with the list: a SQLite
// file of its own, for both engines and for a dry run too. The file holds blind indexes only; its name is gone as soon as it is open, so
// that nothing stays of it, however the import ends. It is not safe for concurrent use.
type seen struct {
	path             string
	db               *sql.DB
	conn             *sql.Conn
	persons, numbers seenSet
}

const (
	// seenCache is in KiB. Pages that it has no room for come from the system's own cache, fast enough.
	seenCache = 2000
	// seenLast are kept in memory and then written in their order, so that each page of the file is touched once for several of them.
	seenLast, seenAtOnce = 16 << 10, 64
	// seenBits is the size of a filter: with a million noted, one question in thousands goes to the disk in vain; with ten million one in four.
	seenBits = 1 << 25
)

// seenSet is what was noted of one kind: on the disk, but for the last few. A Bloom filter answers for nearly all rows that they are new, without
// asking the disk.
type seenSet struct {
	write, has *sql.Stmt
	seed       maphash.Seed
	filter     []uint64
	last       map[string]bool // not on the disk yet
}

func (s *seenSet) prepare(ctx context.Context, conn *sql.Conn, table string) (err error) {
	s.seed, s.filter, s.last = maphash.MakeSeed(), make([]uint64, seenBits/64), make(map[string]bool, seenLast)
	if s.has, err = conn.PrepareContext(ctx, `SELECT COUNT(*) FROM `+table+` WHERE ix = $1`); err != nil {
		return err
	}
	s.write, err = conn.PrepareContext(ctx, `INSERT INTO `+table+` (ix) VALUES (?)`+strings.Repeat(`, (?)`, seenAtOnce-1))
	return err
}

// bits are the places of a key in the filter.
func (s *seenSet) bits(ix []byte) (at [4]uint64) {
	h := maphash.Bytes(s.seed, ix)
	for i := range at {
		at[i] = (h>>32 + uint64(i)*(h|1)) % seenBits
	}
	return at
}

func (s *seenSet) noted(ix []byte) (bool, error) {
	for _, bit := range s.bits(ix) {
		if s.filter[bit/64]&(1<<(bit%64)) == 0 {
			return false, nil
		}
	}
	if s.last[string(ix)] {
		return true, nil
	}
	var n int
	if err := s.has.QueryRowContext(context.Background(), ix).Scan(&n); err != nil {
		return false, fmt.Errorf("look up an earlier row: %w", err)
	}
	return n > 0, nil
}

// note notes a key, and tells whether it was noted before.
func (s *seenSet) note(ix []byte) (before bool, err error) {
	if before, err = s.noted(ix); before || err != nil {
		return before, err
	}
	for _, bit := range s.bits(ix) {
		s.filter[bit/64] |= 1 << (bit % 64)
	}
	if s.last[string(ix)] = true; len(s.last) < seenLast {
		return false, nil
	}
	args := make([]any, 0, seenAtOnce)
	for _, key := range slices.Sorted(maps.Keys(s.last)) {
		if args = append(args, []byte(key)); len(args) < seenAtOnce {
			continue
		}
		if _, err := s.write.ExecContext(context.Background(), args...); err != nil {
			return false, fmt.Errorf("note rows: %w", err)
		}
		args = args[:0]
	}
	clear(s.last)
	return false, nil
}

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
	if err := errors.Join(s.persons.prepare(ctx, s.conn, "person"), s.numbers.prepare(ctx, s.conn, "number")); err != nil {
		return nil, err
	}
	return s, nil
}

// Person notes a person and tells whether an earlier row had them.
func (s *seen) Person(ix []byte) (before bool, err error) { return s.persons.note(ix) }

// Number tells whether a number was noted before; with invite it is noted now.
func (s *seen) Number(ix []byte, invite bool) (before bool, err error) {
	if invite {
		return s.numbers.note(ix)
	}
	return s.numbers.noted(ix)
}

// close may be called more than once, and of a nil.
func (s *seen) close() (err error) {
	if s == nil {
		return nil
	}
	for _, stmt := range []*sql.Stmt{s.persons.write, s.persons.has, s.numbers.write, s.numbers.has} {
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
