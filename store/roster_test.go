package store

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// The pacer knows who is senior, by the account's role and not by what is declared, and every real team needs one.
func TestSeniorsOnTheRoster(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		week := throttle.Week{}
		for d := time.Monday; d <= time.Friday; d++ {
			week[d] = throttle.Hours{From: 540, To: 1020}
		}
		at := throttle.Worker{Week: week, FirstContact: .5, Minutes: 45, Places: -1, Senior: true}
		w.must(w.db.SetWorker(ctx, w.senior, w.worker.ID, at)) // who says so of themselves is none
		seniors := func() (names string, needed bool) {
			s, err := w.db.Snapshot(ctx, w.team.ID)
			w.must(err)
			for _, x := range s.Policy.Roster {
				if x.Senior {
					names += x.Name
				}
			}
			return names, s.Policy.NeedSenior
		}
		if names, needed := seniors(); names != "" || !needed {
			t.Errorf("seniors %q, needed: %v", names, needed)
		}
		w.must(w.db.SetWorker(ctx, w.senior, w.senior.ID, at))
		if names, _ := seniors(); names != "Senior" {
			t.Errorf("seniors %q", names)
		}
		w.write(`UPDATE account SET disabled_at = 1 WHERE id = $1`, int64(w.senior.ID))
		if names, _ := seniors(); names != "" {
			t.Errorf("a senior who cannot sign in is on duty: %q", names)
		}
	})
}

// Rostered is what Workers would be, and changes nothing.
func TestRostered(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		week := throttle.Week{time.Monday: {From: 540, To: 1020}}
		one := throttle.Worker{ID: itoa(int64(w.worker.ID)), Week: week, FirstContact: .5, Minutes: 45, Places: 3}
		w.must(w.db.SetWorker(ctx, w.senior, w.worker.ID, one))
		r := w.mustKeep(form("a", w.text(agnes, false), selfrefer.Answers{}))
		_, err := w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		leave := throttle.Span{From: testCivil.Add(time.Hour), To: testCivil.Add(5 * time.Hour)}
		wanted := []throttle.Worker{
			{ID: itoa(int64(w.stranger.ID)), Week: week, FirstContact: 1, Minutes: 10, Places: -1}, // of another network
			{ID: itoa(int64(w.senior.ID)), Name: "Made up", Week: week, FirstContact: .2, Minutes: 30, Places: -1, Leave: []throttle.Span{leave}},
			{ID: one.ID, Senior: true, Week: week, FirstContact: .5, Minutes: 30, Places: 5},
			{ID: "nobody"},
		}
		declared := slices.Clone(wanted)
		all, err := w.db.Rostered(ctx, w.team.ID, wanted)
		w.must(err)
		if len(all) != 2 || all[0].Name != "Senior" || !all[0].Senior || !slices.Equal(all[0].Leave, []throttle.Span{leave}) || all[0].Places != -1 ||
			all[1].Name != "Wanda" || all[1].Senior || all[1].Places != 4 || all[1].Minutes != 30 {
			t.Errorf("got %+v", all)
		}
		for i := range wanted {
			if wanted[i].Places != declared[i].Places || wanted[i].Name != declared[i].Name {
				t.Errorf("what was asked about has changed: %+v", wanted[i])
			}
		}
		_, now, err := w.db.Capacity(ctx, w.team.ID)
		w.must(err)
		if len(now) != 1 || now[0].Minutes != 45 || now[0].Places != 3 {
			t.Errorf("to ask has changed the roster: %+v", now)
		}
		// Saved, it is what was said.
		w.must(w.db.SetCapacity(ctx, w.senior, w.team.ID, wanted[1:3]))
		saved, err := w.db.Workers(ctx, w.team.ID)
		w.must(err)
		for i := range saved {
			a, b := saved[i], all[i]
			if a.ID != b.ID || a.Name != b.Name || a.Senior != b.Senior || a.Places != b.Places || a.Minutes != b.Minutes || a.Week != b.Week || len(a.Leave) != len(b.Leave) {
				t.Errorf("saved it is %+v, it was said to be %+v", a, b)
			}
		}
	})
}

// A first contact runs from when somebody took the referral to when they had spoken to the person; what was handed on since tells nothing.
func TestCallTimes(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		act := func(who staff.Account, id selfrefer.ReferralID, c selfrefer.Contact) {
			t.Helper()
			_, err := w.db.Act(ctx, who, id, c)
			w.must(err)
		}
		var ids []selfrefer.ReferralID
		for i := range 5 {
			ids = append(ids, w.mustKeep(form(itoa(int64(i)), texted{}, selfrefer.Answers{Name: "Somebody"})).ID)
		}
		w.write(`UPDATE referral SET team = $1, network = $2`, int64(w.team.ID), int64(w.network.ID))
		for i, id := range ids[:4] {
			act(w.worker, id, selfrefer.Contact{Event: selfrefer.Claim})
			now = now.Add(time.Duration(10+i) * time.Minute)
			if i == 1 { // not reached at first
				act(w.worker, id, selfrefer.Contact{Event: selfrefer.Attempt, Channel: "call"})
				now = now.Add(time.Hour)
			}
			act(w.worker, id, selfrefer.Contact{Event: []selfrefer.Event{selfrefer.StartSupport, selfrefer.Close, selfrefer.StartSupport, selfrefer.Decline}[i], Channel: "call"})
		}
		now = now.Add(time.Minute)
		act(w.senior, ids[2], selfrefer.Contact{Event: selfrefer.HandOver, To: w.other.ID})
		act(w.other, ids[4], selfrefer.Contact{Event: selfrefer.Claim}) // nobody has been spoken to yet
		all, err := w.db.CallTimes(ctx, w.team.ID, testCivil)
		w.must(err)
		var got []string
		for _, c := range all {
			if c.By != w.worker.ID {
				t.Errorf("by %d, want %d", c.By, w.worker.ID)
			}
			got = append(got, c.Spoken.Sub(c.Taken).String())
		}
		if s := strings.Join(got, " "); s != "10m0s 1h11m0s 13m0s" {
			t.Errorf("got %s", s)
		}
		if all, err = w.db.CallTimes(ctx, w.team.ID, now.Add(-10*time.Minute)); err != nil || len(all) != 1 {
			t.Errorf("of the last minutes: %+v, %v", all, err)
		}
		if all, err = w.db.CallTimes(ctx, w.team.ID+1, testCivil); err != nil || len(all) != 0 {
			t.Errorf("of another team: %+v, %v", all, err)
		}
	})
}

// The first contacts of the last weeks are read along their index, however many years there are.
func TestCallTimes_plan(t *testing.T) {
	w := mustWorld(t, mustOpen(t, testConfig(t)))
	plans := map[string]string{}
	w.must(w.db.read(context.Background(), "test", func(tx *Tx) error {
		tx.run = explaining{tx.run, plans}
		_, err := callTimes(tx, w.team.ID, testCivil)
		return err
	}))
	for query, plan := range plans {
		if !strings.Contains(plan, "COVERING INDEX referral_contacted (team=? AND contacted_at>?)") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s goes like this:\n%s", query, plan)
		}
	}
	if len(plans) != 1 {
		t.Errorf("%d statements", len(plans))
	}
}
