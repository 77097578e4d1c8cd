package store

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

var crisisLine = selfrefer.Words{
	Lines: []selfrefer.OwnLine{{Words: map[lang.Code]string{lang.English: "Riverside crisis line", lang.Urdu: "ہیلپ لائن"}, By: selfrefer.ByPhone, Number: "0800 145 6570"},
		{Key: "shout", Hidden: true}},
	Options: []selfrefer.OwnReason{{Code: "money", Labels: map[lang.Code]string{lang.English: "Food"}}},
}

func (w *world) manager() staff.Account {
	w.tb.Helper()
	a, err := w.db.CreateAccount(context.Background(), staff.Account{Network: w.network.ID, Email: "manager@example.test", Name: "Mona Manager", Role: staff.CampaignManager}, "x")
	w.must(err)
	return a
}

func (w *world) auditTargets(action, outcome string) (targets []string) {
	w.tb.Helper()
	all, _, err := w.db.AuditEntries(context.Background(), w.network.ID, 0, 1000)
	w.must(err)
	for _, e := range all {
		if e.Action == action && e.Outcome == outcome {
			targets = append(targets, e.Target)
		}
	}
	return targets
}

func TestWords(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		w := mustWorld(t, mustOpen(t, cfg))
		mona := w.manager()
		read := func() selfrefer.Words {
			t.Helper()
			got, err := w.db.WordsOf(ctx, w.network.ID)
			w.must(err)
			return got
		}
		e, err := w.db.Edition(ctx, w.network.ID)
		if w.must(err); e.Version != 0 || !reflect.DeepEqual(e, selfrefer.Edition{}) || !reflect.DeepEqual(read(), selfrefer.Words{}) {
			t.Errorf("a network that has changed nothing: %+v, %+v", e, read())
		}
		for _, version := range []int64{-1, 1} {
			_, err = w.db.SetWords(ctx, mona, version, crisisLine)
			wantErr(t, err, selfrefer.ErrChanged)
		}
		first, err := w.db.SetWords(ctx, mona, 0, crisisLine)
		if w.must(err); first.Version != 1 || first.By != mona.ID || !first.At.Equal(testCivil) {
			t.Errorf("%+v", first)
		}
		if !reflect.DeepEqual(read(), crisisLine) { // not a minute later: at once
			t.Errorf("read %+v", read())
		}
		// Whoever has read the version before comes too late, and changes nothing.
		for _, version := range []int64{0, 2, -1} {
			_, err = w.db.SetWords(ctx, mona, version, selfrefer.Words{})
			wantErr(t, err, selfrefer.ErrChanged)
		}
		second, err := w.db.SetWords(ctx, mona, 1, selfrefer.Words{})
		if w.must(err); second.Version != 2 || !reflect.DeepEqual(second.Before, crisisLine) {
			t.Errorf("%+v", second)
		}
		if e, err = w.db.Edition(ctx, w.network.ID); err != nil || !reflect.DeepEqual(e.Before, crisisLine) || e.Version != 2 || e.By != mona.ID || !e.At.Equal(testCivil) {
			t.Errorf("%+v, %v", e, err)
		}
		// Neither a link worker nor somebody of another network changes them, and words that cannot be shown are not kept.
		for _, who := range []staff.Account{w.worker, w.senior} {
			_, err = w.db.SetWords(ctx, who, 2, crisisLine)
			wantErr(t, err, staff.ErrDenied)
		}
		if _, err := w.db.SetWords(ctx, mona, 2, selfrefer.Words{Lines: []selfrefer.OwnLine{{Key: "999", Hidden: true}}}); err == nil || !strings.Contains(err.Error(), "must stay") {
			t.Errorf("999 was hidden: %v", err)
		}
		if !reflect.DeepEqual(read(), selfrefer.Words{}) {
			t.Errorf("read %+v", read())
		}
		if got := w.auditTargets("words.edit", "done"); !reflect.DeepEqual(got, []string{"words 2: standard", "words 1: hidden: shout; own lines: 1; own reasons: 1"}) {
			t.Errorf("audit: %q", got)
		}
		if got := w.auditTargets("words.edit", "denied"); len(got) != 2 {
			t.Errorf("refusals in the audit: %q", got)
		}
		// The other network has its own.
		if got, err := w.db.WordsOf(ctx, w.stranger.Network); err != nil || !reflect.DeepEqual(got, selfrefer.Words{}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Of those who change the same version at once, one wins, whether or not there was a row before.
func TestWords_together(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		mona := w.manager()
		for version := range int64(3) {
			var wg sync.WaitGroup
			errs, start := make([]error, 16), make(chan struct{})
			for i := range errs {
				wg.Go(func() { <-start; _, errs[i] = w.db.SetWords(context.Background(), mona, version, crisisLine) })
			}
			close(start)
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else {
					wantErr(t, err, selfrefer.ErrChanged)
				}
			}
			if won != 1 {
				t.Errorf("version %d: %d have won", version, won)
			}
		}
		if n := len(w.auditTargets("words.edit", "done")); n != 3 {
			t.Errorf("%d changes in the audit", n)
		}
	})
}

func TestDutyOf(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		var mu sync.Mutex
		civil, machine := testCivil, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) // Monday 10:00 in London
		cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return civil }
		cfg.Machine = func() time.Time { mu.Lock(); defer mu.Unlock(); return machine }
		pass := func(c, m time.Duration) { mu.Lock(); defer mu.Unlock(); civil, machine = civil.Add(c), machine.Add(m) }
		w := mustWorld(t, mustOpen(t, cfg))
		duty := func(n staff.NetworkID, team staff.TeamID) selfrefer.Duty {
			t.Helper()
			d, err := w.db.DutyOf(ctx, n, team)
			w.must(err)
			return d
		}
		if d := duty(w.network.ID, w.team.ID); d.Known() {
			t.Errorf("with an empty roster: %+v", d)
		}
		week := throttle.Week{time.Monday: {From: 9 * 60, To: 17 * 60}, time.Tuesday: {From: 9 * 60, To: 17 * 60}, time.Thursday: {From: 9 * 60, To: 17 * 60}}
		evening := throttle.Week{time.Monday: {From: 9 * 60, To: 22 * 60}, time.Saturday: {From: 9 * 60, To: 17 * 60}}
		w.must(w.db.SetWorker(ctx, w.senior, w.worker.ID, throttle.Worker{Week: week, FirstContact: .5, Minutes: 30, Places: 0}))
		w.must(w.db.SetWorker(ctx, w.senior, w.helper.ID, throttle.Worker{Week: evening, FirstContact: .5, Minutes: 30, Places: -1})) // a volunteer
		if d := duty(w.network.ID, w.team.ID); d.Known() {
			t.Errorf("within a minute the roster is read again: %+v", d)
		}
		pass(0, time.Minute)
		for _, team := range []staff.TeamID{w.team.ID, 0} {
			if d := duty(w.network.ID, team); !d.Open || !d.Until.Equal(time.Date(2026, 6, 1, 16, 0, 0, 0, time.UTC)) {
				t.Errorf("on Monday morning, team %d: %+v", team, d)
			}
		}
		// Time goes on without another query: the volunteer, who sees no urgent referral, is nobody.
		pass(8*time.Hour, 30*time.Second)
		if d := duty(w.network.ID, w.team.ID); d.Open || !d.Next.Equal(time.Date(2026, 6, 2, 8, 0, 0, 0, time.UTC)) {
			t.Errorf("on Monday evening: %+v", d)
		}
		pass(24*time.Hour, 0)
		if d := duty(w.network.ID, w.team.ID); d.Open || !d.Next.Equal(time.Date(2026, 6, 4, 8, 0, 0, 0, time.UTC)) {
			t.Errorf("on Tuesday evening, nobody works on Wednesdays: %+v", d)
		}
		// Another network's team is nobody's.
		if d := duty(w.stranger.Network, w.team.ID); d.Known() {
			t.Errorf("in another network: %+v", d)
		}
		if _, err := w.db.AddLeave(ctx, w.senior, w.worker.ID, throttle.Span{From: civil, To: civil.AddDate(1, 0, 0)}); err != nil {
			t.Fatal(err)
		}
		w.must(w.db.SetWorker(ctx, w.senior, w.senior.ID, throttle.Worker{Week: throttle.Week{time.Friday: {From: 600, To: 660}}, FirstContact: 0, Minutes: 30, Places: -1}))
		pass(0, time.Minute)
		if d := duty(w.network.ID, 0); d.Open || !d.Next.Equal(time.Date(2026, 6, 5, 9, 0, 0, 0, time.UTC)) {
			t.Errorf("with one on leave: %+v", d)
		}
	})
}

// What a link leads to names the team that will answer.
func TestInvitation_team(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		in, err := w.db.Invitation(context.Background(), w.text(agnes, false).token)
		if w.must(err); !in.Found || in.Team != w.team.ID {
			t.Errorf("%+v", in)
		}
	})
}

func TestRemembered(t *testing.T) {
	var m remembered[int, string]
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	log := textLogger(t.Output())
	reads := 0
	get := func(value string, err error) string {
		got, gotErr := m.get(now, log, 1, func() (string, error) { reads++; return value, err })
		if gotErr != nil {
			return "error"
		}
		return got
	}
	down := errors.New("down")
	for i, c := range []struct {
		later time.Duration
		value string
		err   error
		want  string
		reads int
	}{
		{0, "", down, "error", 1},
		{0, "a", nil, "a", 2},                // a failure is not remembered
		{59 * time.Second, "b", nil, "a", 2}, // a value is, for a minute
		{time.Second, "", down, "a", 3},      // and for longer while nothing better can be had
		{time.Second, "c", nil, "a", 3},      // without asking each time
		{5 * time.Second, "c", nil, "c", 4},
		{-time.Hour, "d", nil, "d", 5}, // a clock that was set back remembers nothing for an hour
	} {
		now = now.Add(c.later)
		if got := get(c.value, c.err); got != c.want || reads != c.reads {
			t.Errorf("%d: got %q after %d reads, want %q after %d", i, got, reads, c.want, c.reads)
		}
	}
	// A value that was read before a change is not kept after it.
	now = now.Add(time.Hour)
	got, err := m.get(now, log, 1, func() (string, error) { m.forget(1); return "old", nil })
	if got != "old" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got := get("new", nil); got != "new" {
		t.Errorf("after a change: %q", got)
	}
}

func BenchmarkSurroundings(b *testing.B) {
	ctx := context.Background()
	w := mustWorld(b, mustOpen(b, testConfig(b)))
	w.must(w.db.SetWorker(ctx, w.senior, w.worker.ID, throttle.Worker{Week: throttle.Week{time.Thursday: {From: 9 * 60, To: 17 * 60}}, FirstContact: .5, Minutes: 30}))
	if _, err := w.db.SetWords(ctx, w.manager(), 0, crisisLine); err != nil {
		b.Fatal(err)
	}
	b.Run("words", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.db.WordsOf(ctx, w.network.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("duty", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.db.DutyOf(ctx, w.network.ID, w.team.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("words from the database", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.db.Edition(ctx, w.network.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}
