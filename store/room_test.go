package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
)

// tmpfs mounts a disk of the test's own; only root may.
func tmpfs(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=700", megabytes)); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Skipf("a small disk cannot be mounted here (root may): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return dir
}

// fillUp takes all but so many bytes of a disk.
func fillUp(t *testing.T, dir string, leave int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "somebody-elses"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		free, _, err := diskSpace(dir)
		if err != nil {
			t.Fatal(err)
		}
		if free <= leave {
			return
		}
		block := make([]byte, min(free-leave, 1<<20))
		_, _ = rand.Read(block)
		if _, err := f.Write(block); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return
			}
			t.Fatal(err)
		}
	}
}

// A real disk gets full while texts and forms are in hand: sends stop first, forms and opt-outs are taken down to the last byte and beyond it by
// the ballast, then they are refused with an error that the page understands; once there is room everything goes on and nothing is lost.
func TestDiskFull(t *testing.T) {
	const disk = 96
	dir := tmpfs(t, disk)
	log := &bytes.Buffer{}
	cfg := testConfig(t)
	cfg.DataDir, cfg.Serve, cfg.Ballast = filepath.Join(dir, "data"), true, 16<<20
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	now := time.Now()
	cfg.Machine = func() time.Time { return now }
	db := mustOpen(t, cfg)
	ctx := context.Background()
	w := launched(t, db, 6, nil)
	rings := w.release(t, 4)
	receiver := selfrefer.Receiver{Keeper: db, Now: cfg.Now}
	n := 0
	acknowledged := map[string]bool{}
	refer := func() error {
		n++
		rc, err := receiver.Receive(ctx, selfrefer.Form{ID: fmt.Sprintf("form-%d", n), Source: selfrefer.ByGeneral, Network: w.network.ID, Answers: selfrefer.Answers{Words: strings.Repeat("hello ", 600), Phone: "07700 900123"}})
		if err == nil {
			acknowledged[rc.Reference] = true
		}
		return err
	}
	look := func() {
		t.Helper()
		now = now.Add(time.Second)
		if err := db.Tick(); err != nil {
			t.Log(err) // the marker may find no room
		}
	}

	look()
	if d := db.Disk(); d.Low || d.Floor != disk<<20/20 || d.Ballast == 0 || d.Ballast > d.Floor {
		t.Fatalf("at first the disk is %+v", d)
	}
	if _, err := db.Claim(ctx, rings[0]); err != nil {
		t.Fatalf("claim with room: %v", err)
	}

	fillUp(t, dir, disk<<20/20-1<<20)
	look()
	look()
	code, why := db.Stopped()
	if code != "disk_low" || !strings.Contains(why, "nearly full") {
		t.Errorf("below the floor: %q %q", code, why)
	}
	if _, err := db.Claim(ctx, rings[1]); !errors.Is(err, campaign.ErrTooLate) || w.state(t, rings[1].Message) != campaign.Released {
		t.Errorf("a claim below the floor: %v, and the message is %s", err, w.state(t, rings[1].Message))
	}
	if err := refer(); err != nil {
		t.Errorf("a form below the floor: %v", err)
	}
	if got := strings.Count(log.String(), "nothing is sent until there is room"); got != 1 {
		t.Errorf("the log says it %d times", got)
	}
	if len(db.alarms) != 1 {
		t.Errorf("%d alarms wait to be written", len(db.alarms))
	}

	// Full to the brim between two looks, and neither the journal nor the database has room of its own left: the ballast makes way for what is in hand.
	aside, err := sql.Open("sqlite", db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer aside.Close()
	var busy int
	if err := aside.QueryRow(`PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, new(int), new(int)); err != nil || busy != 0 {
		t.Fatalf("empty the log: %d %v", busy, err)
	}
	fillUp(t, dir, 0)
	if db.Disk().Ballast == 0 {
		t.Fatal("the ballast went before the disk was full")
	}
	if err := db.Record(ctx, rings[0], campaign.Outcome{Event: campaign.Accept, SID: "SM1"}); err != nil {
		t.Errorf("the outcome of a text in hand: %v", err)
	}
	if db.Disk().Ballast != 0 {
		t.Fatal("nothing needed the ballast: this test would find nothing")
	}
	if err := refer(); err != nil {
		t.Errorf("a form on a full disk whose ballast went: %v", err)
	}

	// Full again and no ballast: refused, with the error for which the page keeps the answers.
	fillUp(t, dir, 0)
	var refused error
	for refused == nil && n < 2000 {
		refused = refer()
	}
	if !errors.Is(refused, selfrefer.ErrNotKept) {
		t.Fatalf("after %d forms on a full disk: %v", n, refused)
	}
	if err := refer(); !errors.Is(err, selfrefer.ErrNotKept) {
		t.Errorf("still full: %v", err)
	}

	if err := os.Remove(filepath.Join(dir, "somebody-elses")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	look()
	if d := db.Disk(); d.Low || d.Ballast == 0 {
		t.Errorf("with room again the disk is %+v", d)
	}
	if err := refer(); err != nil {
		t.Errorf("a form with room again: %v", err)
	}
	if _, err := db.Claim(ctx, rings[1]); err != nil {
		t.Errorf("a claim with room again: %v", err)
	}
	if _, err := db.DrainJournal(ctx); err != nil {
		t.Error(err)
	}
	for ref := range acknowledged {
		if got := count(t, db, `SELECT COUNT(*) FROM referral WHERE reference = $1`, ref); got != 1 {
			t.Errorf("the acknowledged referral %s is %d times in the database", ref, got)
		}
	}
	if w.state(t, rings[0].Message) != campaign.Accepted {
		t.Errorf("the text in hand is %s", w.state(t, rings[0].Message))
	}
	if got := count(t, db, `SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'`); got != 0 {
		t.Error("the database is damaged")
	}
	t.Logf("%d forms, %d acknowledged, first refusal: %v", n, len(acknowledged), refused)
}

// The database takes nothing and the journal's disk is full: the ballast makes way for the form.
func TestDiskFull_journalAlone(t *testing.T) {
	dir := tmpfs(t, 64)
	cfg := testConfig(t)
	cfg.Database, cfg.DataDir, cfg.Serve, cfg.Ballast = filepath.Join(t.TempDir(), "elsewhere.db"), filepath.Join(dir, "data"), true, 16<<20
	db := mustOpen(t, cfg)
	w := mustWorld(t, db)
	p := w.text(agnes, false)
	back := w.lose("referral")
	fillUp(t, dir, 0)
	words := strings.Repeat("hello ", 900) // more than the last page of the journal can have left
	if _, err := w.keep(form("form-1", p, selfrefer.Answers{Words: words})); err != nil {
		t.Errorf("with ballast: %v", err)
	}
	if db.Disk().Ballast != 0 {
		t.Error("nothing needed the ballast: this test would find nothing")
	}
	back()
	if n, err := db.DrainJournal(context.Background()); err != nil || n != 1 {
		t.Errorf("%d came home, %v", n, err)
	}
}

// The floor and the ballast fit the disk, and neither flaps.
func TestRoom(t *testing.T) {
	const mb = 1 << 20
	var free, total int64
	now := time.Now()
	r := newRoom(t.TempDir(), 4*mb, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	r.statfs = func(string) (int64, int64, error) { return free, total, nil }
	at := func(f, of int64) (Disk, bool) {
		now = now.Add(2 * time.Minute)
		free, total = f*mb, of*mb
		became := r.look()
		return r.now(), became
	}
	if d, became := at(100_000, 200_000); became || d.Low || d.Floor != 256*mb || d.Ballast != 4*mb {
		t.Errorf("a large disk: %+v", d)
	}
	if d, became := at(255, 200_000); !became || !d.Low || d.Ballast != 4*mb {
		t.Errorf("a large disk that is nearly full: %+v", d)
	}
	if d, became := at(300, 200_000); became || !d.Low {
		t.Errorf("a little more: %+v", d)
	}
	if d, _ := at(400, 200_000); d.Low {
		t.Errorf("more: %+v", d)
	}
	if _, became := at(200, 200_000); !became {
		t.Error("the second time is not told")
	}
	if d, _ := at(0, 200_000); d.Ballast != 0 || r.held() != 0 || !d.Low {
		t.Errorf("full: %+v", d)
	}
	if d, _ := at(250, 200_000); d.Ballast != 0 {
		t.Errorf("the ballast came back too soon: %+v", d)
	}
	if d, _ := at(500, 200_000); d.Ballast != 4*mb || r.held() != 4*mb {
		t.Errorf("the ballast did not come back: %+v", d)
	}
	r.mu.Lock()
	r.drop()
	r.mu.Unlock()
	if d, _ := at(30, 40); d.Low || d.Floor != 2*mb || d.Ballast != 2*mb {
		t.Errorf("a small disk: %+v", d)
	}
}
