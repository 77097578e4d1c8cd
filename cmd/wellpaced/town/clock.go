package town

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // the town's own time zone must exist on a bare machine too
)

// London is the town's time zone.
var London = func() *time.Location {
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic("town: the embedded time zones hold no Europe/London: " + err.Error())
	}
	return loc
}()

// Clock is civil time. It stands still until it is stepped, and goes on from where it stood when the town is opened again.
type Clock struct {
	path string
	now  atomic.Int64 // unix ms

	mu     sync.Mutex // of Step
	synced int64      // hour
}

// OpenClock reads the clock in a folder; a town without one starts at start.
func OpenClock(dir string, start time.Time) (*Clock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the town's folder: %w", err)
	}
	c := &Clock{path: filepath.Join(dir, "clock")}
	c.now.Store(start.UnixMilli())
	b, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, c.write(start.UnixMilli(), true)
	}
	if err != nil {
		return nil, fmt.Errorf("read the town's clock: %w", err)
	}
	t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("read the town's clock in %s: %w", c.path, err)
	}
	c.now.Store(t.UnixMilli())
	return c, nil
}

// Now is the civil time. It never goes back.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.now.Load()).In(London) }

// Step moves the clock on; a step back is ignored. The new time is on disk before anybody can read it, so that after kill -9 nothing has
// happened later than now.
func (c *Clock) Step(to time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ms := to.UnixMilli()
	if ms <= c.now.Load() {
		return nil
	}
	// Syncing each of the thousands of steps would cost more than the steps. kill -9 loses none of them; a power cut may cost an hour.
	hour := ms / 3_600_000
	if err := c.write(ms, hour != c.synced); err != nil {
		return err
	}
	c.synced = hour
	c.now.Store(ms)
	return nil
}

func (c *Clock) write(ms int64, sync bool) error {
	return ReplaceFile(c.path, []byte(time.UnixMilli(ms).In(London).Format(time.RFC3339Nano)+"\n"), sync)
}

// ReplaceFile puts a file in the place of another one: whoever reads it sees the old or the new one, and nothing between.
func ReplaceFile(path string, b []byte, sync bool) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(b)
	if err == nil && sync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
