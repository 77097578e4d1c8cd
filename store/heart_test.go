package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// beside are two processes that share a database, and their machine time, which begins when there is none yet of any import.
type beside struct {
	testing.TB
	a, b    *DB
	w       *world
	machine *atomic.Int64
}

func openBeside(t *testing.T, cfg Config) *beside {
	t.Helper()
	p := &beside{TB: t, machine: new(atomic.Int64)}
	p.machine.Store(time.Now().UnixMilli())
	cfg.Machine = func() time.Time { return time.UnixMilli(p.machine.Load()) }
	p.a = mustOpen(t, cfg)
	if p.a.engine == enginePostgres {
		cfg.DataDir = filepath.Join(t.TempDir(), "data") // each has its own; a command beside SQLite has not
	}
	p.b = mustOpen(t, cfg)
	p.a.hearts.every, p.b.hearts.every = time.Hour, time.Hour
	p.w = mustWorld(t, p.a)
	return p
}

func (p *beside) after(d time.Duration) { p.machine.Add(d.Milliseconds()) }

// begun are the three kinds of imports on their way: of a file that was kept, of a call or a command, and of another list.
type begun struct {
	upload campaign.Upload
	of     [3]*listImport
}

func (p *beside) begin() (g begun) {
	p.Helper()
	ctx, who := context.Background(), p.w.senior
	im := must[campaign.Importer](p)(p.a.BeginImport(ctx, who, "All", false, false))
	p.takes(im.(*listImport), 1)
	all := must[campaign.Audience](p)(im.Finish(ctx))
	staged := must[campaign.Upload](p)(p.a.StageUpload(ctx, who, campaign.Upload{File: "list.csv", Name: "Kept"}, strings.NewReader("a,b")))
	g.upload = must[campaign.Upload](p)(p.a.StartUpload(ctx, who, staged))
	g.of[0] = must[campaign.Importer](p)(p.a.BeginUpload(ctx, who, g.upload)).(*listImport)
	g.of[1] = must[campaign.Importer](p)(p.a.BeginImport(ctx, who, "Called", false, false)).(*listImport)
	g.of[2] = must[campaign.Narrowing](p)(p.a.BeginNarrow(ctx, who, all.ID, campaign.Cohort{Practices: []string{testCandidate(p, 1).Practice}}, "Some")).(*narrowing).im
	for i, im := range g.of {
		p.takes(im, 10+i)
	}
	return g
}

// takes has a row taken and written.
func (p *beside) takes(im *listImport, n int) {
	p.Helper()
	if err := errors.Join(im.Candidate(context.Background(), testCandidate(p, n)), im.flush(context.Background())); err != nil {
		p.Fatal(err)
	}
}

func (p *beside) state(im *listImport) (s campaign.AudienceState) {
	p.Helper()
	a, err := p.b.Audience(context.Background(), p.w.network.ID, im.a.ID)
	if err != nil && !errors.Is(err, campaign.ErrNotFound) {
		p.Fatal(err)
	}
	return a.State
}

func (p *beside) states(g begun) string {
	u := must[campaign.Upload](p)(p.b.Upload(context.Background(), p.w.network.ID, g.upload.ID))
	return fmt.Sprintf("%s of %s, %s, %s", p.state(g.of[0]), u.State, p.state(g.of[1]), p.state(g.of[2]))
}

// both has both processes look for silent imports at the same time.
func (p *beside) both() {
	p.Helper()
	var errs [2]error
	var at sync.WaitGroup
	for i, db := range []*DB{p.a, p.b} {
		at.Go(func() { errs[i] = db.DropSilentImports(context.Background()) })
	}
	at.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		p.Fatal(err)
	}
}

const (
	allGoOn  = "importing of screening, importing, importing"
	allEnded = " of interrupted, , interrupted"
)

// A process that starts ends no import that another one does, for as long as that one lives.
func TestImports_anotherStarts(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		p := openBeside(t, cfg)
		p.a.hearts.every = 5 * time.Millisecond
		g := p.begin()
		p.after(time.Second)
		if p.a.engine == enginePostgres {
			if err := p.b.DropBrokenImports(ctx, p.b.cfg.Machine()); err != nil {
				t.Fatal(err)
			}
			if s := p.states(g); s != allGoOn {
				t.Errorf("another process starts: %s", s)
			}
		}
		// No row comes in for an hour: whoever sends them is slow, and the process is there.
		for range 3 {
			p.after(20 * time.Minute)
			for until := time.Now().Add(10 * time.Second); count(t, p.b, `SELECT COUNT(*) FROM audience WHERE state = 'importing' AND beat_at = $1`, p.machine.Load()) < 3; {
				if time.Now().After(until) {
					t.Fatal("they give no sign of life")
				}
				time.Sleep(5 * time.Millisecond)
			}
			p.both()
		}
		if s := p.states(g); s != "importing of interrupted, importing, importing" { // it has told for itself that it lives, which nobody does here
			t.Errorf("while their process lives: %s", s)
		}
		for i, im := range g.of {
			p.takes(im, 20+i)
			if a, err := im.Finish(ctx); err != nil || a.Ledger.Invited != 2 {
				t.Errorf("list %d at its end: %+v, %v", i, a.Ledger, err)
			}
		}
		beats := count(t, p.b, `SELECT COUNT(*) FROM audience WHERE beat_at = $1`, p.machine.Load())
		p.after(time.Hour)
		time.Sleep(50 * time.Millisecond)
		if n := count(t, p.b, `SELECT COUNT(*) FROM audience WHERE beat_at = $1`, p.machine.Load()); n != 0 || beats != 3 {
			t.Errorf("%d hearts go on, of %d", n, beats)
		}
		p.both()
		if n := count(t, p.b, `SELECT COUNT(*) FROM audience WHERE state = 'screened'`); n != 5 { // the world's own, too
			t.Errorf("%d lists", n)
		}
	})
}

// An import whose process was killed is told as interrupted once it has been silent for a minute, though no process starts, and once only.
func TestImports_silent(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		p := openBeside(t, cfg)
		g := p.begin()
		for _, im := range g.of {
			im.still()
		}
		p.after(importSilent)
		p.both()
		if s := p.states(g); s != "importing of interrupted, importing, importing" { // the page says so after half a minute
			t.Errorf("too early: %s", s)
		}
		// An older program tells of uploads alone that they live.
		if err := p.a.BeatUpload(ctx, g.upload, 1, 1); err != nil {
			t.Fatal(err)
		}
		p.after(time.Millisecond)
		p.both()
		if s := p.states(g); s != "importing of screening, , interrupted" {
			t.Errorf("after a minute: %s", s)
		}
		p.after(importSilent)
		p.both()
		if s := p.states(g); s != allEnded {
			t.Errorf("after two: %s", s)
		}
		for i, im := range g.of { // the process was not dead, but had lost the database for a while
			if err := errors.Join(im.Candidate(ctx, testCandidate(t, 30)), im.flush(ctx)); !errors.Is(err, campaign.ErrConflict) {
				t.Errorf("list %d takes rows after its end: %v", i, err)
			}
			if _, err := im.Finish(ctx); !errors.Is(err, campaign.ErrConflict) {
				t.Errorf("list %d finished after its end: %v", i, err)
			}
			if err := im.Abandon(ctx); err != nil {
				t.Error(err)
			}
		}
		if s := p.states(g); s != allEnded {
			t.Errorf("given up, too: %s", s)
		}
		if n := count(t, p.b, `SELECT COUNT(*) FROM audit WHERE target = $1 AND outcome = 'interrupted'`, fmt.Sprintf("list %d", g.of[2].a.ID)); n != 1 {
			t.Errorf("told %d times in the audit", n)
		}
		if n := count(t, p.b, `SELECT COUNT(*) FROM patient WHERE audience IN ($1, $2, $3)`, int64(g.of[0].a.ID), int64(g.of[1].a.ID), int64(g.of[2].a.ID)); n != 0 {
			t.Errorf("%d people stay", n)
		}
		if again, err := p.b.StartUpload(ctx, p.w.senior, g.upload); err != nil || again.Run == g.upload.Run {
			t.Errorf("it cannot be started again: %v", err)
		}
	})
}

// What was thrown away half is thrown away whole: by another process only once the first one is silent.
func TestImports_halfGone(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		p := openBeside(t, cfg)
		g := p.begin()
		for _, im := range g.of {
			im.still()
		}
		p.w.write(`UPDATE audience SET state = 'abandoned' WHERE id = $1`, int64(g.of[1].a.ID))
		people := func() int64 {
			return count(t, p.b, `SELECT COUNT(*) FROM patient WHERE audience = $1`, int64(g.of[1].a.ID))
		}
		if p.both(); people() != 1 {
			t.Error("taken out of another's hands")
		}
		p.after(importSilent + time.Millisecond)
		if p.both(); people() != 0 || p.state(g.of[1]) != "" {
			t.Error("it stays half")
		}
	})
}

// One process serves a SQLite database: when it starts, all that is unfinished is broken at once; only what a command began since is not.
func TestImports_startAlone(t *testing.T) {
	ctx := context.Background()
	p := openBeside(t, testConfig(t))
	g := p.begin()
	p.after(time.Second)
	began := p.a.cfg.Machine()
	p.after(time.Second)
	young := p.begin()
	if err := p.b.DropBrokenImports(ctx, began); err != nil {
		t.Fatal(err)
	}
	if s := p.states(g); s != allEnded {
		t.Errorf("from before the start: %s", s)
	}
	if s := p.states(young); s != allGoOn {
		t.Errorf("begun since: %s", s)
	}
}
