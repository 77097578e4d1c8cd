package town

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// entry is one line of the diary.
type entry struct {
	Kind string `json:"k"`
	// Text and Deed name what a patient did: with which text (by its number at the provider), and what.
	Text int64  `json:"t,omitempty"`
	Deed string `json:"d,omitempty"`
	// Cookie and Form are of a form that is about to be sent: sent again after a crash, it is the same form.
	Cookie string `json:"c,omitempty"`
	Form   string `json:"f,omitempty"`
	Base   string `json:"b,omitempty"` // where it is
	// Worker, Referral and At (civil, unix ms) say what a link worker is going to do, and when.
	Worker   int64 `json:"w,omitempty"`
	Referral int64 `json:"r,omitempty"`
	At       int64 `json:"at,omitempty"`
	Reached  bool  `json:"y,omitempty"`
	// Since (civil, unix ms) is since when answers had stopped when the manager saw it.
	Since int64 `json:"s,omitempty"`
}

// Kinds of entries.
const (
	did     = "did"     // a patient has done it
	sending = "sending" // a patient is about to send the form
	ours    = "ours"    // a form of the town's own got this reference
	busy    = "busy"    // a worker takes no new call before At
	call    = "call"    // a worker's call with somebody ends at At
	again   = "again"   // a worker tries somebody again at At
	support = "support" // a worker will discharge somebody at At
	watch   = "watch"   // the manager has seen that answers had stopped, and opens the link at At; never if there is none
	over    = "over"    // a worker has nothing more to do with a referral; nobody is to try before At
)

// diary is what the town has done: an append-only file. It survives kill -9 as soon as note returns, and a power cut after sync.
type diary struct {
	mu    sync.Mutex
	f     *os.File
	dirty bool
}

// openDiary reads the diary of a folder and goes on with it. A line that kill -9 has torn was not written: what it would have said is
// done again, and everything that the town does may be.
func openDiary(dir string, each func(entry)) (*diary, error) {
	f, err := os.OpenFile(filepath.Join(dir, "diary.jsonl"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the town's diary: %w", err)
	}
	r, good := bufio.NewReaderSize(f, 1<<16), int64(0)
	for {
		line, err := r.ReadBytes('\n')
		var e entry
		if err == nil {
			err = json.Unmarshal(line, &e)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = f.Close()
				return nil, fmt.Errorf("read the town's diary at byte %d: %w", good, err)
			}
			break
		}
		good += int64(len(line))
		each(e)
	}
	if err := f.Truncate(good); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cut off a torn line of the town's diary: %w", err)
	}
	if _, err := f.Seek(good, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open the town's diary: %w", err)
	}
	return &diary{f: f}, nil
}

func (d *diary) note(e entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write the town's diary: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dirty = true
	if _, err := d.f.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write the town's diary: %w", err)
	}
	return nil
}

func (d *diary) sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.dirty {
		return nil
	}
	d.dirty = false
	if err := d.f.Sync(); err != nil {
		return fmt.Errorf("write the town's diary: %w", err)
	}
	return nil
}
