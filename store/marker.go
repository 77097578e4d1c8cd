package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/uuid"
)

// verdict is what the marker says about the database it stands beside.
type verdict int

const (
	markerOK      verdict = iota
	markerMissing         // there is none: a new folder, or the file was lost
	markerOther           // it belongs to another database
	databaseOlder         // the database has forgotten intents: a restored backup or a failed-over server
)

func (v verdict) String() string {
	switch v {
	case markerOK:
		return "ok"
	case markerMissing:
		return "marker missing"
	case markerOther:
		return "other database"
	case databaseOlder:
		return "database is older than the marker"
	}
	return fmt.Sprintf("verdict(%d)", int(v))
}

// mark is what a marker remembers.
type mark struct {
	database uuid.UUID
	high     int64 // highest intent counter known to be committed
	seq      int64 // last record of the journal that somebody was told is safe
	at       int64 // machine unix ms: when that was
}

// Sizes of a mark on the disk: the first version had no journal in it.
const (
	markSizeOld = 16 + 8
	markSize    = markSizeOld + 16
)

// judge compares a mark with the database. A database ahead of the mark is as it
// should be: the file follows up to a second behind.
func judge(known bool, m mark, database uuid.UUID, dbHigh int64) verdict {
	switch {
	case !known:
		return markerMissing
	case m.database != database:
		return markerOther
	case dbHigh < m.high:
		return databaseOlder
	}
	return markerOK
}

// marker is a small file outside the database that remembers which database it
// stands beside and how far that and its journal had got. There are two: one in
// the data folder, and the witness in the keys folder, which no backup of the
// data takes back in time.
type marker struct {
	mu    sync.Mutex
	file  slots
	now   mark
	known bool
	dirty bool
}

func openMarker(path string) (*marker, error) {
	m := &marker{file: slots{path: path}}
	b, err := m.file.read()
	if err != nil {
		return nil, fmt.Errorf("read marker: %w", err)
	}
	if len(b) == markSizeOld || len(b) == markSize {
		m.known = true
		copy(m.now.database[:], b[:16])
		m.now.high = int64(binary.LittleEndian.Uint64(b[16:]))
	}
	if len(b) == markSize {
		m.now.seq = int64(binary.LittleEndian.Uint64(b[24:]))
		m.now.at = int64(binary.LittleEndian.Uint64(b[32:]))
	}
	return m, nil
}

// remembers gives what the marker knows. Whoever compares it with the database
// reads it first: in between, the database may only move on.
func (m *marker) remembers() (now mark, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now, m.known
}

// adopt makes the marker follow this database from here on. It is durable when it
// returns. Call it for a new database, and when a quarantine is over.
func (m *marker) adopt(database uuid.UUID, high int64) error {
	m.mu.Lock()
	if m.now.database != database {
		m.now = mark{database: database}
	}
	m.now.high, m.known, m.dirty = high, true, true
	m.mu.Unlock()
	return m.flush()
}

// raise notes that intent n is committed. It costs nothing; flush makes it durable.
func (m *marker) raise(n int64) {
	m.mu.Lock()
	if n > m.now.high {
		m.now.high = n
		m.dirty = true
	}
	m.mu.Unlock()
}

// note remembers how far the journal has got.
func (m *marker) note(seq, at int64) {
	m.mu.Lock()
	if seq > m.now.seq {
		m.now.seq, m.now.at, m.dirty = seq, at, true
	}
	m.mu.Unlock()
}

// flush writes the marker if it has moved. A marker nobody has adopted is not
// written: it would vouch for a database that was never judged.
func (m *marker) flush() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirty || !m.known {
		return nil
	}
	b := make([]byte, markSize)
	copy(b, m.now.database[:])
	binary.LittleEndian.PutUint64(b[16:], uint64(m.now.high))
	binary.LittleEndian.PutUint64(b[24:], uint64(m.now.seq))
	binary.LittleEndian.PutUint64(b[32:], uint64(m.now.at))
	if err := m.file.write(b); err != nil {
		return fmt.Errorf("write marker: %w", err)
	}
	m.dirty = false
	return nil
}

func (m *marker) close() error {
	err := m.flush()
	return errors.Join(err, m.file.close())
}

// slots is a file of two slots that are written in turn, so that a write torn by a
// power cut costs the newest value and never the file. Slots are a disk sector
// apart or more.
type slots struct {
	path string
	f    *os.File
	turn uint64
}

const (
	slotSize  = 4096
	slotMagic = "WPSLOT1\x00"
	slotHead  = 8 + 8 + 4 // magic, turn, length; then the value, then a checksum
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// read returns the newest whole value, nil if there is no file or no value.
func (s *slots) read() ([]byte, error) {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var newest []byte
	for at := 0; at < len(data); at += slotSize {
		turn, value, ok := parseSlot(data[at:min(at+slotSize, len(data))])
		if ok && turn > s.turn {
			s.turn, newest = turn, value
		}
	}
	return newest, nil
}

func parseSlot(b []byte) (turn uint64, value []byte, ok bool) {
	if len(b) < slotHead+4 || string(b[:8]) != slotMagic {
		return 0, nil, false
	}
	turn = binary.LittleEndian.Uint64(b[8:])
	n := int(binary.LittleEndian.Uint32(b[16:]))
	if n > len(b)-slotHead-4 {
		return 0, nil, false
	}
	end := slotHead + n
	if crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return 0, nil, false
	}
	return turn, b[slotHead:end], true
}

// write puts the value into the older slot and makes it durable.
func (s *slots) write(value []byte) error {
	if s.f == nil {
		f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(s.path)); err != nil {
			_ = f.Close()
			return err
		}
		s.f = f
	}
	turn := s.turn + 1
	b := make([]byte, 0, slotSize)
	b = append(b, slotMagic...)
	b = binary.LittleEndian.AppendUint64(b, turn)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, value...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := s.f.WriteAt(b, int64(turn%2)*slotSize); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return err
	}
	s.turn = turn
	return nil
}

func (s *slots) close() error {
	if s.f == nil {
		return nil
	}
	return s.f.Close()
}
