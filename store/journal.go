package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Record is one entry of the journal. Its payload is personal data.
type Record struct {
	Seq     int64
	At      int64 // machine unix ms
	Kind    string
	payload []byte
}

// Reveal returns the payload in clear.
func (r Record) Reveal() []byte { return r.payload }

// String leaves the payload out.
func (r Record) String() string {
	return fmt.Sprintf("journal record %d (%s, %d bytes)", r.Seq, r.Kind, len(r.payload))
}

// GoString, Format, LogValue and MarshalText all say what String says.
func (r Record) GoString() string             { return r.String() }
func (r Record) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(r.String())) }
func (r Record) LogValue() slog.Value         { return slog.StringValue(r.String()) }
func (r Record) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A segment is a header and frames. A frame is
//
//	magic(4) length(4) seq(8) checksum(4) sealed(length)
//
// and its checksum covers length, seq and the sealed bytes. The magic lets a
// reader find the next frame behind a damaged one. A sealed record opens only in
// its own segment and at its own seq.
const (
	segmentMax    = 64 << 20
	segmentMagic  = "WPJRNL1\n"
	segmentHeader = 8 + 4 + 8 + 4 // magic, segment, first seq, checksum
	frameMagic    = "WPJ\x01"
	frameHeader   = 4 + 4 + 8 + 4
	frameMax      = 16 << 20 // bytes of one record; a form is a few kilobytes
)

// journal is the second home of what must not be lost. Appends that come at the
// same time share one fsync.
type journal struct {
	dir     string
	sealer  *sealer
	machine func() time.Time
	log     *slog.Logger
	max     int64 // bytes of a segment

	mu       sync.Mutex
	ready    bool  // the lock is held and the tail is whole
	floor    int64 // records up to here were given out, whatever the disk still holds: their numbers are not given again
	last     int64 // the last whole record on the disk when we began
	lastAt   int64 // machine unix ms of it, 0 if not known
	acked    int64 // the last one that somebody was told is safe
	ackedAt  int64 // machine unix ms
	lock     *os.File
	closed   bool
	seq      int64 // last one given out
	segment  int   // the next frame goes here
	size     int64 // of that segment, pending frames included
	pending  *commit
	flushing bool
	idle     *sync.Cond
	open     map[int64]struct{} // appended and not yet in the database
	mark     slots
	marked   int64 // the watermark on disk

	// Only the flushing goroutine touches these.
	file        *os.File
	fileSegment int
	fileSize    int64 // whole and durable
}

// commit is a set of frames that share an fsync.
type commit struct {
	chunks []chunk
	seqs   []int64
	at     int64 // machine unix ms of the newest
	done   chan struct{}
	err    error
}

type chunk struct {
	segment int
	first   int64 // seq of its first frame
	data    []byte
}

func openJournal(dir string, s *sealer, machine func() time.Time, log *slog.Logger) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal folder: %w", err)
	}
	j := &journal{dir: dir, sealer: s, machine: machine, log: log, max: segmentMax,
		open: make(map[int64]struct{}), mark: slots{path: filepath.Join(dir, "drained")}}
	j.idle = sync.NewCond(&j.mu)
	b, err := j.mark.read()
	if err != nil {
		return nil, fmt.Errorf("read journal watermark: %w", err)
	}
	if len(b) == 8 {
		j.marked = int64(binary.LittleEndian.Uint64(b))
	}
	return j, nil
}

// append seals a record and returns when it is on the disk.
func (j *journal) append(kind string, payload []byte) (seq int64, err error) {
	if len(kind) > math.MaxUint8 || len(payload) > frameMax-1024 {
		return 0, fmt.Errorf("append to journal: record of %d bytes is too long", len(payload))
	}
	j.mu.Lock()
	if err := j.prepare(); err != nil {
		j.mu.Unlock()
		return 0, err
	}
	seq = j.seq + 1
	frame, err := j.frame(seq, kind, payload)
	if err != nil {
		j.mu.Unlock()
		return 0, err
	}
	j.seq = seq
	j.open[seq] = struct{}{}
	if j.pending == nil {
		j.pending = &commit{done: make(chan struct{})}
	}
	c := j.pending
	if n := len(c.chunks); n == 0 || c.chunks[n-1].segment != j.segment {
		c.chunks = append(c.chunks, chunk{segment: j.segment, first: seq})
	}
	last := &c.chunks[len(c.chunks)-1]
	last.data = append(last.data, frame...)
	c.seqs, c.at = append(c.seqs, seq), j.machine().UnixMilli()
	if !j.flushing {
		j.flushing = true
		go j.flushPending()
	}
	j.mu.Unlock()
	<-c.done
	if c.err != nil {
		return 0, fmt.Errorf("append to journal: %w", c.err)
	}
	return seq, nil
}

// frame seals one record for the place it will have and moves on to the next
// segment when this one is full.
func (j *journal) frame(seq int64, kind string, payload []byte) ([]byte, error) {
	plain := make([]byte, 0, 9+len(kind)+len(payload))
	plain = binary.LittleEndian.AppendUint64(plain, uint64(j.machine().UnixMilli()))
	plain = append(plain, byte(len(kind)))
	plain = append(plain, kind...)
	plain = append(plain, payload...)
	segment, size := j.segment, j.size
	const sealing = 64 // bytes; more than nonce, tag and key id add
	if size > segmentHeader && size+int64(frameHeader+len(plain)+sealing) > j.max {
		segment, size = segment+1, segmentHeader
	}
	sealed, err := j.sealer.seal("journal", strconv.Itoa(segment), strconv.FormatInt(seq, 10), plain)
	if err != nil {
		return nil, err
	}
	b := make([]byte, frameHeader, frameHeader+len(sealed))
	copy(b, frameMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(sealed)))
	binary.LittleEndian.PutUint64(b[8:], uint64(seq))
	binary.LittleEndian.PutUint32(b[16:], frameSum(b[4:16], sealed))
	b = append(b, sealed...)
	j.segment, j.size = segment, size+int64(len(b))
	return b, nil
}

func frameSum(head, sealed []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, sealed)
}

// gather is how long a busy journal waits for more before it syncs.
const gather = 8 * time.Millisecond

// flushPending writes what waits until nothing waits.
func (j *journal) flushPending() {
	for busy := false; ; {
		if busy {
			// Others come at the same pace: one sync for all of them costs the disk, which the database shares, less than several.
			time.Sleep(gather)
		}
		j.mu.Lock()
		c := j.pending
		j.pending = nil
		if c == nil {
			j.flushing = false
			j.idle.Broadcast()
			j.mu.Unlock()
			return
		}
		j.mu.Unlock()
		busy = len(c.seqs) > 1
		if err := j.writeChunks(c.chunks); err != nil {
			j.giveUp(c, err)
			continue
		}
		j.mu.Lock()
		j.acked, j.ackedAt = c.seqs[len(c.seqs)-1], c.at
		j.mu.Unlock()
		close(c.done)
	}
}

func (j *journal) writeChunks(chunks []chunk) error {
	for _, c := range chunks {
		if j.file == nil || j.fileSegment != c.segment {
			if err := j.openSegment(c); err != nil {
				return err
			}
		}
		if _, err := j.file.WriteAt(c.data, j.fileSize); err != nil {
			return err
		}
		if err := j.file.Sync(); err != nil {
			return err
		}
		j.fileSize += int64(len(c.data))
	}
	return nil
}

// giveUp answers everybody with err. After a failed fsync nobody knows what the
// file holds, so the next append starts a new segment; what waits already is
// sealed for the old one and fails too.
func (j *journal) giveUp(c *commit, err error) {
	if j.file != nil {
		_ = j.file.Truncate(j.fileSize) // best effort: a reader skips the rest
		_ = j.file.Close()
		j.file = nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	failed := []*commit{c}
	if j.pending != nil {
		failed = append(failed, j.pending)
		j.pending = nil
	}
	for _, c := range failed {
		for _, seq := range c.seqs {
			delete(j.open, seq)
		}
		c.err = err
		close(c.done)
	}
	j.segment, j.size = j.segment+1, segmentHeader
}

// openSegment makes the segment of a chunk, or continues the one prepare found.
func (j *journal) openSegment(c chunk) error {
	if j.file != nil {
		_ = j.file.Close() // every write was synced
		j.file = nil
	}
	f, err := os.OpenFile(j.path(c.segment), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	size := info.Size()
	if size < segmentHeader {
		h := make([]byte, 0, segmentHeader)
		h = append(h, segmentMagic...)
		h = binary.LittleEndian.AppendUint32(h, uint32(c.segment))
		h = binary.LittleEndian.AppendUint64(h, uint64(c.first))
		h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
		_, err := f.WriteAt(h, 0)
		if err := errors.Join(err, f.Sync(), syncDir(j.dir)); err != nil {
			_ = f.Close()
			return err
		}
		size = segmentHeader
	}
	j.file, j.fileSegment, j.fileSize = f, c.segment, size
	return nil
}

// prepare takes the journal's lock, cuts a tail that a crash tore, and learns what
// is not yet in the database. It runs before the first append.
func (j *journal) prepare() error {
	if j.closed {
		return errClosed
	}
	if j.ready {
		return nil
	}
	lock, err := lockFile(filepath.Join(j.dir, "lock"), false)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("the journal %s is being written by another wellpaced: stop it first", j.dir)
	}
	if err != nil {
		return err
	}
	if err := j.learn(); err != nil {
		_ = lock.Close()
		return err
	}
	j.acked, j.ackedAt = j.last, j.lastAt
	j.seq = max(j.seq, j.floor)
	j.lock, j.ready = lock, true
	return nil
}

// learn reads the segments from the watermark on.
func (j *journal) learn() error {
	segments, err := j.segments()
	if err != nil {
		return err
	}
	j.seq, j.segment, j.size = j.marked, 1, segmentHeader
	for i, n := range segments {
		if i+1 < len(segments) && j.startsBy(segments[i+1], j.marked+1) {
			continue // everything here is in the database
		}
		data, err := os.ReadFile(j.path(n))
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		var newest []byte
		s := scanSegment(n, data, func(seq int64, sealed []byte) {
			if seq > j.last {
				j.last, newest = seq, sealed
			}
			if seq > j.marked {
				j.open[seq] = struct{}{}
			}
		})
		if newest != nil {
			j.lastAt = 0 // unless it can be read
			if r, err := j.decode(n, j.last, newest); err == nil {
				j.lastAt = r.At
			}
		}
		if s.headerOK {
			j.last = max(j.last, s.first-1)
		}
		j.seq = max(j.seq, j.last)
		if s.damaged > 0 {
			j.log.Error("the journal is damaged in its middle: keep a copy of the file and look at the disk",
				slog.Int("segment", n), slog.Int64("bytes", s.damaged))
		}
		if i < len(segments)-1 {
			continue
		}
		j.segment, j.size = n, s.end
		if !s.headerOK || s.damaged > 0 {
			j.segment, j.size = n+1, segmentHeader
		} else if s.end < int64(len(data)) {
			// Nobody was told that these bytes are safe.
			j.log.Warn("a crash tore the end of the journal; the unfinished record is cut off",
				slog.Int("segment", n), slog.Int64("bytes", int64(len(data))-s.end))
			if err := truncate(j.path(n), s.end); err != nil {
				return fmt.Errorf("cut the torn end of the journal: %w", err)
			}
		}
	}
	return nil
}

func truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

// scanned is what a reader found in a segment.
type scanned struct {
	headerOK bool
	first    int64 // seq the header promises
	end      int64 // behind the last whole frame
	damaged  int64 // bytes between whole frames that are none
}

// scanSegment calls fn for every whole frame. Bytes that are no frame are skipped
// up to the next one that is.
func scanSegment(segment int, data []byte, fn func(seq int64, sealed []byte)) scanned {
	var s scanned
	if len(data) >= segmentHeader && string(data[:8]) == segmentMagic &&
		binary.LittleEndian.Uint32(data[8:]) == uint32(segment) &&
		binary.LittleEndian.Uint32(data[20:]) == crc32.Checksum(data[:20], castagnoli) {
		s.headerOK = true
		s.first = int64(binary.LittleEndian.Uint64(data[12:]))
		s.end = segmentHeader
	}
	for at := s.end; at < int64(len(data)); {
		seq, sealed, ok := parseFrame(data[at:])
		if !ok {
			next := bytes.Index(data[at+1:], []byte(frameMagic))
			if next < 0 {
				break
			}
			at += 1 + int64(next)
			continue
		}
		s.damaged += at - s.end
		at += frameHeader + int64(len(sealed))
		s.end = at
		fn(seq, sealed)
	}
	return s
}

func parseFrame(b []byte) (seq int64, sealed []byte, ok bool) {
	if len(b) < frameHeader || string(b[:4]) != frameMagic {
		return 0, nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > frameMax || int64(n) > int64(len(b)-frameHeader) {
		return 0, nil, false
	}
	sealed = b[frameHeader : frameHeader+int(n)]
	if frameSum(b[4:16], sealed) != binary.LittleEndian.Uint32(b[16:]) {
		return 0, nil, false
	}
	return int64(binary.LittleEndian.Uint64(b[8:])), sealed, true
}

// damage is what a replay could not read. It is an error that comes after every
// record that can be read has been handed over.
type damage struct {
	records  int64 // at least; some of them may be records that nobody was told are safe
	from, to int64 // machine unix ms: the whole records before and after, 0 if there is none
	reasons  []error
}

func (d *damage) Error() string { return errors.Join(d.reasons...).Error() }

func (d *damage) add(records, from, to int64) {
	if d.records == 0 {
		d.from = from
	}
	d.records, d.to = d.records+records, to
}

// replay calls fn for every record from seq on, in order. It stops at an error of
// fn. Damage does not stop it: every record that can be read is handed over first
// and the *damage is the error at the end. Records may come that nobody was told
// are safe, so fn must not mind what it knows already.
func (j *journal) replay(from int64, fn func(Record) error) error {
	segments, err := j.segments()
	if err != nil {
		return err
	}
	var hurt damage
	lastSeq, lastAt := from-1, int64(0)
	unread := int64(0) // records since then that do not open
	for i, n := range segments {
		if i+1 < len(segments) && j.startsBy(segments[i+1], from) {
			continue // everything here is older
		}
		data, err := os.ReadFile(j.path(n))
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		var stop error
		var skipped damage // a failed append skips numbers too: only in a damaged segment do they tell of lost records
		s := scanSegment(n, data, func(seq int64, sealed []byte) {
			if stop != nil || seq < from {
				return
			}
			r, err := j.decode(n, seq, sealed)
			if err != nil {
				hurt.reasons = append(hurt.reasons, fmt.Errorf("journal record %d: %w", seq, err))
				unread++
				return
			}
			if unread > 0 {
				hurt.add(unread, lastAt, r.At)
			}
			if missing := seq - lastSeq - 1 - unread; missing > 0 {
				skipped.add(missing, lastAt, r.At)
			}
			lastSeq, lastAt, unread = seq, r.At, 0
			stop = fn(r)
		})
		if stop != nil {
			return stop
		}
		if s.damaged > 0 || (!s.headerOK && len(data) >= segmentHeader && i < len(segments)-1) {
			hurt.reasons = append(hurt.reasons, fmt.Errorf("journal segment %d: %d bytes are damaged", n, max(s.damaged, segmentHeader)))
			hurt.add(max(skipped.records, 1), skipped.from, skipped.to)
		}
	}
	if unread > 0 {
		hurt.add(unread, lastAt, 0)
	}
	if len(hurt.reasons) > 0 {
		return &hurt
	}
	return nil
}

// startsBy tells whether the segment's first record is at or before seq.
func (j *journal) startsBy(segment int, seq int64) bool {
	f, err := os.Open(j.path(segment))
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, segmentHeader)
	if _, err := f.ReadAt(head, 0); err != nil {
		return false
	}
	s := scanSegment(segment, head, nil)
	return s.headerOK && s.first <= seq
}

func (j *journal) decode(segment int, seq int64, sealed []byte) (Record, error) {
	plain, err := j.sealer.open("journal", strconv.Itoa(segment), strconv.FormatInt(seq, 10), sealed)
	if err != nil {
		return Record{}, err
	}
	if len(plain) < 9 || len(plain) < 9+int(plain[8]) {
		return Record{}, errors.New("the record is too short")
	}
	kind := 9 + int(plain[8])
	return Record{
		Seq:     seq,
		At:      int64(binary.LittleEndian.Uint64(plain)),
		Kind:    string(plain[9:kind]),
		payload: plain[kind:],
	}, nil
}

// drained notes that a record is in the database too.
func (j *journal) drained(seq int64) {
	j.mu.Lock()
	delete(j.open, seq)
	j.mu.Unlock()
}

// undrained returns the seq from which on a replay finds every record that the
// database may not have. Ready for a boot: replay(undrained(), …), then drained.
func (j *journal) undrained() (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.prepare(); err != nil {
		return 0, err
	}
	return j.watermark() + 1, nil
}

// progress is how far the journal has got: the last record that somebody was told
// is safe, when that was, and the record up to which the database has everything.
// ready is false before the first append, when none of it is known.
func (j *journal) progress() (acked, at, drained int64, ready bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.acked, j.ackedAt, j.watermark(), j.ready
}

// watermark is the highest seq up to which the database has everything.
func (j *journal) watermark() int64 {
	low := j.seq + 1
	for seq := range j.open {
		low = min(low, seq)
	}
	return low - 1
}

// flush writes the watermark if it has moved. Losing the newest one only means
// that a boot offers the database some records it has.
func (j *journal) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ready {
		return nil
	}
	low := j.watermark()
	if low == j.marked {
		return nil
	}
	if err := j.mark.write(binary.LittleEndian.AppendUint64(nil, uint64(low))); err != nil {
		return fmt.Errorf("write journal watermark: %w", err)
	}
	j.marked = low
	return nil
}

// close waits for what is being written, notes the watermark and lets the lock go.
func (j *journal) close() error {
	j.mu.Lock()
	j.closed = true
	for j.flushing {
		j.idle.Wait()
	}
	j.mu.Unlock()
	errs := []error{j.flush(), j.mark.close()}
	if j.file != nil {
		errs = append(errs, j.file.Close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Close())
	}
	return errors.Join(errs...)
}

func (j *journal) path(segment int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%04d.jnl", segment))
}

// segments lists the segment numbers in order.
func (j *journal) segments() ([]int, error) {
	entries, err := os.ReadDir(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	var all []int
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".jnl"); ok {
			if n, err := strconv.Atoi(name); err == nil && n > 0 {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}
