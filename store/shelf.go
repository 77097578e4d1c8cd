package store

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/wellpaced/wellpaced/campaign"
)

// shelf keeps blocks in a file beside the database, sealed with a key that is nowhere but in memory. The file's name is gone as soon as it is
// open, so that nothing stays of it, however its reader ends. It is not safe for concurrent use.
type shelf struct {
	f      *os.File
	path   string // while it has one
	sealer passing
	ends   []int64 // of the blocks in the file
	sealed []byte
}

// Shelf makes an empty one.
func (db *DB) Shelf() (_ campaign.Shelf, err error) {
	s := &shelf{}
	if s.sealer, err = newPassing(); err != nil {
		return nil, err
	}
	if s.f, err = os.CreateTemp(db.cfg.DataDir, "workbook-*.tmp"); err != nil { // made with mode 0600
		return nil, fmt.Errorf("make a file for a workbook: %w", err)
	}
	s.path = s.f.Name()
	if runtime.GOOS != "windows" { // it does not remove what is open; Close does
		if err := os.Remove(s.path); err != nil {
			return nil, errors.Join(fmt.Errorf("make a file for a workbook: %w", err), s.f.Close())
		}
		s.path = ""
	}
	return s, nil
}

// Put implements campaign.Shelf.
func (s *shelf) Put(block []byte) error {
	s.sealed = s.sealer.seal(s.sealed[:0], uint64(len(s.ends)), block)
	from := s.start(len(s.ends))
	if _, err := s.f.WriteAt(s.sealed, from); err != nil {
		return fmt.Errorf("keep a part of a workbook: %w", err)
	}
	s.ends = append(s.ends, from+int64(len(s.sealed)))
	return nil
}

// Take implements campaign.Shelf.
func (s *shelf) Take(n int, buf []byte) ([]byte, error) {
	if n < 0 || n >= len(s.ends) {
		return nil, fmt.Errorf("take a part of a workbook: there is no part %d of %d", n, len(s.ends))
	}
	from := s.start(n)
	size := int(s.ends[n] - from)
	if cap(s.sealed) < size {
		s.sealed = make([]byte, size)
	}
	s.sealed = s.sealed[:size]
	if _, err := s.f.ReadAt(s.sealed, from); err != nil {
		return nil, fmt.Errorf("take a part of a workbook: %w", err)
	}
	return s.sealer.open(buf, uint64(n), s.sealed)
}

func (s *shelf) start(n int) int64 {
	if n == 0 {
		return 0
	}
	return s.ends[n-1]
}

// Close implements campaign.Shelf.
func (s *shelf) Close() error {
	err := s.f.Close()
	if s.path != "" {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}
