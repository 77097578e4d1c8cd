package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Disk is how the disk of the data folder stands, in bytes. Its zero value means that nobody has looked.
type Disk struct {
	Free, Total int64
	Floor       int64 // below it nothing is sent, so that forms and opt-outs have the rest
	Ballast     int64 // held back to be let go when the disk is full
	Low         bool
}

// mostFloor is the floor of large disks; of small ones it is a twentieth.
const mostFloor = 256 << 20

// room watches the disk of the data folder. Its ballast is a file that takes up room for nothing: when the disk is full, whatever fills it, the
// ballast goes, and what is in hand can be written.
type room struct {
	dir     string
	want    int64 // bytes of ballast on a disk that is large enough
	machine func() time.Time
	log     *slog.Logger
	statfs  func(dir string) (free, total int64, err error)

	mu   sync.Mutex
	disk Disk
	gone time.Time // when the ballast went, machine
	said bool      // that the disk is low
	mute bool      // the disk could not be looked at; said once
}

func newRoom(dir string, want int64, machine func() time.Time, log *slog.Logger) *room {
	return &room{dir: dir, want: want, machine: machine, log: log, statfs: diskSpace}
}

func diskSpace(dir string) (free, total int64, err error) {
	var s syscall.Statfs_t
	for {
		if err = syscall.Statfs(dir, &s); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	size := int64(s.Bsize) //nolint:unconvert // it has other types on other systems
	return int64(s.Bavail) * size, int64(s.Blocks) * size, err
}

func (r *room) path() string { return filepath.Join(r.dir, "ballast") }

// look asks the disk how much is free, and makes or drops the ballast. becameLow is true once for each time that the disk gets low.
func (r *room) look() (becameLow bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, total, err := r.statfs(r.dir)
	if err != nil || total <= 0 {
		if !r.mute {
			r.log.Warn("cannot see how much room the disk has", slog.Any("error", err))
		}
		r.mute = true
		return false
	}
	floor := min(total/20, mostFloor)
	was := r.disk.Low
	r.disk = Disk{Free: free, Total: total, Floor: floor, Ballast: r.held(), Low: free < floor || was && free < floor*5/4}
	size := min(r.want, floor) &^ 4095
	switch {
	case r.disk.Ballast > 0 && free < r.disk.Ballast/4:
		r.drop()
	case r.disk.Ballast == 0 && size > 0 && !r.disk.Low && free-size > floor*5/4 && r.machine().Sub(r.gone) > time.Minute:
		if err := r.fill(size); err != nil {
			r.log.Warn("cannot make the ballast; it is tried again", slog.Any("error", err))
			r.gone = r.machine()
		}
	}
	switch {
	case r.disk.Low && !r.said:
		r.said = true
		r.log.Error("the disk is nearly full: nothing is sent until there is room again; forms and opt-outs are still taken",
			slog.Int64("free_mb", free>>20), slog.Int64("needed_mb", floor>>20))
		return true
	case r.said && !r.disk.Low:
		r.said = false
		r.log.Info("the disk has room again", slog.Int64("free_mb", free>>20))
	}
	return false
}

// held is the size of the ballast, 0 if there is none.
func (r *room) held() int64 {
	info, err := os.Stat(r.path())
	if err != nil {
		return 0
	}
	return info.Size()
}

// fill writes the ballast under another name first: a torn one would not be worth what it says. Its bytes are random, because a file system that
// compresses would keep nothing of zeros.
func (r *room) fill(size int64) (err error) {
	name := r.path() + ".new"
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	chance := rand.New(rand.NewPCG(1, 2))
	for i := range block {
		block[i] = byte(chance.Uint32())
	}
	for left := size; left > 0 && err == nil; left -= int64(len(block)) {
		_, err = f.Write(block[:min(left, int64(len(block)))])
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(name, r.path())
	}
	if err != nil {
		_ = os.Remove(name)
		return err
	}
	r.disk.Ballast = size
	return nil
}

func (r *room) drop() {
	err := os.Remove(r.path())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.log.Error("cannot drop the ballast", slog.Any("error", err))
		}
		return
	}
	r.gone, r.disk.Ballast = r.machine(), 0
	r.log.Error("the disk is full: the ballast is dropped, so that what is in hand can be finished. Make room on the disk of the data folder")
}

// makeWay drops the ballast because a write found no room, and tells whether to try again: also for those who wrote at the same time.
func (r *room) makeWay() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.disk.Low = true
	r.drop()
	return r.machine().Sub(r.gone) < time.Second
}

func (r *room) now() Disk {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.disk
}

// sentence is for people who wonder why nothing is sent.
func (d Disk) sentence() string {
	return fmt.Sprintf("The disk of the computer that sends is nearly full: %d MB are left, and %d MB are kept for forms and opt-outs. Sending goes on by itself once there is room.", d.Free>>20, max(d.Floor>>20, 1))
}
