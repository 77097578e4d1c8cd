package emulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// JournalFile is the name of the journal in Config.Dir.
const JournalFile = "twilio.jsonl"

// kind says what a line of the journal tells.
type kind string

const (
	kindWorld    kind = "world"    // first line: whose journal this is
	kindText     kind = "text"     // a text was accepted
	kindInbound  kind = "inbound"  // a phone sent a text
	kindStatus   kind = "status"   // a text reached a status
	kindCallback kind = "callback" // a webhook is settled: confirmed, given up or dropped
	kindRedact   kind = "redact"
	kindDelete   kind = "delete"
	kindFault    kind = "fault" // something was done wrong on purpose
)

// line is one line of the journal. Times are civil unix milliseconds. Lines after a text's own refer
// to it by Seq.
type line struct {
	Kind kind  `json:"kind"`
	Seq  int64 `json:"seq,omitempty"` // 1, 2, 3 … in the order of acceptance

	Account string `json:"account,omitempty"` // world
	SIDKey  string `json:"sid_key,omitempty"`

	SID      string `json:"sid,omitempty"` // text, inbound
	To       string `json:"to,omitempty"`
	From     string `json:"from,omitempty"`
	Service  string `json:"service,omitempty"`
	Body     string `json:"body,omitempty"`
	At       int64  `json:"at,omitempty"` // and status
	Callback string `json:"callback,omitempty"`
	Validity int    `json:"validity,omitempty"`

	PlanSent  int64  `json:"plan_sent,omitempty"` // 0: fails before it is sent
	PlanDone  int64  `json:"plan_done,omitempty"`
	PlanFinal status `json:"plan_final,omitempty"`
	PlanCode  int    `json:"plan_code,omitempty"`

	Status status `json:"status,omitempty"` // status, callback
	Result string `json:"result,omitempty"` // callback: ok, gave_up, dropped
	Fault  string `json:"fault,omitempty"`  // its kind
}

// Text is one text as the emulator knows it. It hides the person when it is printed or logged.
type Text struct {
	Seq       int64 // order of acceptance, from 1
	Delivery  int64 // order of delivery, from 1; 0 while it has not arrived
	SID       string
	To, From  string
	Body      string
	Callback  string    // the attempt's own status URL
	At        time.Time // accepted, civil
	Status    string    // queued, accepted, sent, delivered, undelivered, failed, canceled
	StatusAt  time.Time // civil
	ErrorCode int       // Twilio's, 0 if there is none
}

func (t Text) String() string { return "text " + t.SID + " " + t.Status }

// Format hides number and body from every verb of fmt.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue hides number and body from logs.
func (t Text) LogValue() slog.Value {
	return slog.GroupValue(slog.String("sid", t.SID), slog.String("status", t.Status))
}

// MarshalText hides number and body from encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Journal is what the emulator accepted, in order: the evidence.
type Journal struct {
	Texts   []Text
	Replies []Text         // what phones sent in
	Struck  map[string]int // faults by kind
}

// ReadJournal reads the journal in dir, of an emulator that runs or of one that was killed. A last line
// that is not complete was never promised to anybody and is left out.
func ReadJournal(dir string) (Journal, error) {
	f, err := os.Open(filepath.Join(dir, JournalFile))
	if err != nil {
		return Journal{}, fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	b := newBook()
	if _, err := scan(f, b.applyLine); err != nil {
		return Journal{}, err
	}
	j := Journal{Struck: b.struck}
	for _, t := range b.texts {
		if t.inbound {
			j.Replies = append(j.Replies, t.public())
		} else {
			j.Texts = append(j.Texts, t.public())
		}
	}
	return j, nil
}

// Twice counts the numbers that got more than one text with the same key: what key calls the same
// step, or any text at all if key is nil. Texts with the key "" are left out.
func Twice(texts []Text, key func(Text) string) int {
	type once struct{ to, key string }
	seen := make(map[once]struct{}, len(texts))
	twice := map[string]struct{}{}
	for _, t := range texts {
		k := once{to: t.To}
		if key != nil {
			if k.key = key(t); k.key == "" {
				continue
			}
		}
		if _, ok := seen[k]; ok {
			twice[t.To] = struct{}{}
		}
		seen[k] = struct{}{}
	}
	return len(twice)
}

// scan calls fn for each complete line and returns how many bytes those are.
func scan(r io.Reader, fn func(line) error) (good int64, err error) {
	br := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		raw, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil // raw, if any, is torn
		}
		if err != nil {
			return good, fmt.Errorf("read journal: %w", err)
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			// A power cut can leave a last block of zeros; anywhere else damage is damage.
			if _, rest := br.Peek(1); errors.Is(rest, io.EOF) {
				return good, nil
			}
			return good, fmt.Errorf("read journal: line %d is damaged: %w", n, err)
		}
		if err := fn(l); err != nil {
			return good, fmt.Errorf("read journal: line %d: %w", n, err)
		}
		good += int64(len(raw))
	}
}

// journal appends lines. append only buffers; reach makes them written or durable, one caller
// doing it for all who wait.
type journal struct {
	fsync func() error // file.Sync; tests slow it down

	mu       sync.Mutex
	done     *sync.Cond
	file     *os.File
	buf      []byte
	spare    []byte
	appended int64 // positions in bytes since Open
	written  int64
	synced   int64
	busy     bool
	err      error // sticky: after a failed write nobody knows what is on the disk
}

func newJournal(f *os.File) *journal {
	j := &journal{file: f, fsync: f.Sync}
	j.done = sync.NewCond(&j.mu)
	return j
}

func (j *journal) append(l line) (pos int64) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // people read this file
	if err := enc.Encode(l); err != nil {
		panic(err) // a line is strings and numbers
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = append(j.buf, b.Bytes()...)
	j.appended += int64(b.Len())
	return j.appended
}

// end is the position of all that was appended so far.
func (j *journal) end() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.appended
}

// reach returns once everything up to pos is written (it survives kill -9) and, if durable,
// fsynced (it survives a power cut).
func (j *journal) reach(pos int64, durable bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		switch {
		case j.err != nil:
			return j.err
		case j.synced >= pos, !durable && j.written >= pos:
			return nil
		case j.busy:
			j.done.Wait()
			continue
		}
		j.busy = true
		buf, upto := j.buf, j.appended
		j.buf = j.spare[:0]
		j.mu.Unlock()
		_, err := j.file.Write(buf)
		if err == nil && durable {
			err = j.fsync()
		}
		j.mu.Lock()
		j.busy, j.spare = false, buf[:0]
		if err != nil {
			j.err = fmt.Errorf("write the emulator's journal (free some disk space, then start again): %w", err)
		} else {
			j.written = upto
			if durable {
				j.synced = upto
			}
		}
		j.done.Broadcast()
	}
}

func (j *journal) close() error {
	err := j.reach(j.end(), true)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = errClosed
	}
	return errors.Join(err, j.file.Close())
}
