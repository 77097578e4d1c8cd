package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Somebody falls ill with a hundred people in hand: a plan is seen, all is shared out as it said, limits hold, what nobody can take waits in the
// queue with its promise, the pacer knows at once; and when they are back, what nobody has opened returns.
func TestSick(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		s.hours(s.worker, .5, -1)
		s.hours(s.other, 1, 7)
		s.hours(s.senior, .25, -1)
		s.hours(s.helper, .5, -1)
		all := s.come(99, testCivil, selfrefer.Answers{Name: "Somebody"})
		urgent := s.come(1, testCivil, selfrefer.Answers{Name: "Ursula", Words: "I took an overdose"})[0]
		for i, id := range append(all, urgent) {
			s.write(`UPDATE referral SET due_at = $1 WHERE id = $2`, testCivil.Add(time.Duration(i)*time.Minute+time.Hour).UnixMilli(), int64(id))
			_, err := s.db.Act(ctx, s.worker, id, selfrefer.Contact{Event: selfrefer.Claim})
			s.must(err)
		}
		supported := all[98]
		_, err := s.db.Act(ctx, s.worker, supported, selfrefer.Contact{Event: selfrefer.StartSupport, Channel: "call"})
		s.must(err)
		_, err = s.db.Act(ctx, s.worker, all[0], selfrefer.Contact{Event: selfrefer.Attempt, Channel: "call"})
		s.must(err)
		dues := s.count(`SELECT SUM(due_at) FROM referral`)
		capacity := func() float64 {
			snap, err := s.db.Snapshot(ctx, s.team.ID)
			s.must(err)
			return throttle.Capacity(throttle.Calendar{}, snap.Policy.Roster, nil, testCivil, s.db.endOfToday(testCivil))
		}
		before := capacity()

		until := s.db.endOfToday(testCivil)
		for who, want := range map[*staff.Account]error{&s.other: staff.ErrDenied, &s.helper: staff.ErrDenied, &s.stranger: staff.ErrNotFound} {
			if _, err := s.db.PlanSick(ctx, *who, s.worker.ID, until, false); !errors.Is(err, want) {
				t.Errorf("%s plans: %v", who.Name, err)
			}
			if _, err := s.db.Sick(ctx, *who, s.worker.ID, until, false, nil); !errors.Is(err, want) {
				t.Errorf("%s does it: %v", who.Name, err)
			}
		}
		for _, bad := range []time.Time{testCivil, testCivil.AddDate(0, 2, 0)} {
			if _, err := s.db.Sick(ctx, s.senior, s.worker.ID, bad, false, nil); err == nil {
				t.Errorf("ill until %v", bad)
			}
		}
		plan, err := s.db.PlanSick(ctx, s.worker, s.worker.ID, until, false)
		s.must(err)
		if n := s.count(`SELECT COUNT(*) FROM leave`) + s.count(`SELECT COUNT(*) FROM away`); len(plan) != 99 || n != 0 || plan[0].Referral != urgent {
			t.Fatalf("%d moves planned, %d written, the first %d", len(plan), n, plan[0].Referral)
		}
		aw, err := s.db.Sick(ctx, s.worker, s.worker.ID, until, false, plan)
		s.must(err)
		if !aw.Done || len(aw.Moves) != 99 {
			t.Fatalf("done %v, %d moves", aw.Done, len(aw.Moves))
		}
		given := map[staff.AccountID]int{}
		for _, m := range plan {
			got := s.holder(m.Referral)
			if got != m.To {
				t.Errorf("%d went to %d, not as planned to %d", m.Referral, got, m.To)
			}
			given[got]++
			if m.Why.Sentence("x") == "" {
				t.Error("no reason")
			}
		}
		// Three days of calls fit: 24 of Otto's, but 7 is his limit; 6 of the senior's; 12 of the volunteer's, who gets nothing urgent.
		if given[s.other.ID] != 7 || given[s.helper.ID] != 12 || given[s.senior.ID] < 6 || given[s.senior.ID] > 7 || given[0] != 99-given[s.senior.ID]-19 || s.holder(urgent) == s.helper.ID || s.holder(urgent) == 0 {
			t.Errorf("given %v, urgent to %d", given, s.holder(urgent))
		}
		if n := s.count(`SELECT COUNT(*) FROM referral WHERE claimed_by = $1`, int64(s.worker.ID)); n != 1 || s.holder(supported) != s.worker.ID {
			t.Errorf("%d are still theirs, of them in support the one of %d", n, s.holder(supported))
		}
		if n := s.count(`SELECT SUM(due_at) FROM referral`); n != dues {
			t.Error("a promise has moved")
		}
		if n := s.count(`SELECT COUNT(*) FROM referral WHERE state = 'new' AND claimed_by = 0 AND free_since = $1`, testCivil.UnixMilli()); n != int64(given[0]) {
			t.Errorf("%d in the queue, want %d", n, given[0])
		}
		tally, err := s.db.Tally(ctx, s.network.ID, s.team.ID)
		s.must(err)
		if tally.New != given[0] || tally.Open() != 99 {
			t.Errorf("counted: %+v", tally)
		}
		if after := capacity(); after >= before-3 {
			t.Errorf("the pacer counts on %v first contacts today, before on %v", after, before)
		}
		// What is pressed twice changes nothing.
		events := s.count(`SELECT COUNT(*) FROM referral_event`)
		_, err = s.db.Sick(ctx, s.senior, s.worker.ID, until, false, plan)
		s.must(err)
		if n, leaves := s.count(`SELECT COUNT(*) FROM referral_event`), s.count(`SELECT COUNT(*) FROM leave`); n != events || leaves != 1 {
			t.Errorf("%d more events, %d leaves", n-events, leaves)
		}
		// Otto opens one, and somebody claims one of the queue: these stay. The others return.
		var opened, claimed selfrefer.ReferralID
		for _, m := range plan {
			switch {
			case m.To == s.other.ID && opened == 0 && !m.Urgent:
				opened = m.Referral
			case m.To == 0 && claimed == 0:
				claimed = m.Referral
			}
		}
		_, _, err = s.db.Referral(ctx, s.other, opened)
		s.must(err)
		_, err = s.db.Act(ctx, s.senior, claimed, selfrefer.Contact{Event: selfrefer.Claim})
		s.must(err)
		s.set(testCivil.Add(time.Hour))
		if _, err := s.db.Back(ctx, s.other, s.worker.ID); !errors.Is(err, staff.ErrDenied) {
			t.Errorf("a colleague says that they are back: %v", err)
		}
		n, err := s.db.Back(ctx, s.senior, s.worker.ID)
		s.must(err)
		if n != 97 || s.holder(opened) != s.other.ID || s.holder(claimed) != s.senior.ID || s.holder(urgent) != s.worker.ID || s.count(`SELECT COUNT(*) FROM referral WHERE claimed_by = $1`, int64(s.worker.ID)) != 98 {
			t.Errorf("%d returned, %d are theirs", n, s.count(`SELECT COUNT(*) FROM referral WHERE claimed_by = $1`, int64(s.worker.ID)))
		}
		if n := s.count(`SELECT COUNT(*) FROM leave WHERE from_at = $1 AND to_at = $2`, testCivil.UnixMilli(), testCivil.Add(time.Hour).UnixMilli()); n != 1 {
			t.Error("the leave has not ended")
		}
		if _, err := s.db.Back(ctx, s.senior, s.worker.ID); !errors.Is(err, selfrefer.ErrNotAway) {
			t.Errorf("back again: %v", err)
		}
		for _, c := range []struct {
			who     staff.Account
			action  string
			outcome string
		}{{s.worker, "away.start", "done"}, {s.other, "away.start", "denied"}, {s.senior, "away.end", "done"}, {s.other, "away.end", "denied"}} {
			if s.count(`SELECT COUNT(*) FROM audit WHERE account = $1 AND action = $2 AND outcome = $3`, int64(c.who.ID), c.action, c.outcome) == 0 {
				t.Errorf("the audit does not know that %s was %s", c.action, c.outcome)
			}
		}
	})
}

// People in support go only on choice, and stay where nobody has a place; what was cut off goes on by itself.
func TestSick_supportAndCut(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		s.hours(s.worker, .5, -1)
		s.hours(s.other, .5, 3)
		all := s.come(6, testCivil, selfrefer.Answers{Name: "Somebody"})
		for i, id := range all {
			_, err := s.db.Act(ctx, s.worker, id, selfrefer.Contact{Event: selfrefer.Claim})
			s.must(err)
			if i > 0 {
				_, err = s.db.Act(ctx, s.worker, id, selfrefer.Contact{Event: selfrefer.StartSupport, Channel: "call"})
				s.must(err)
			}
		}
		until := s.db.endOfToday(testCivil)
		plan, err := s.db.PlanSick(ctx, s.senior, s.worker.ID, until, true)
		s.must(err)
		stays := 0
		for _, m := range plan {
			if m.Stays {
				stays++
			}
		}
		if len(plan) != 6 || stays != 3 {
			t.Fatalf("%d moves, %d stay", len(plan), stays)
		}
		// The process is killed after the first of them.
		_, err = s.db.Sick(ctx, s.senior, s.worker.ID, until, false, nil)
		s.must(err)
		s.write(`UPDATE away SET work = 'out', support = TRUE, touched_at = 1`)
		s.share()
		if mine, theirs := s.count(`SELECT COUNT(*) FROM referral WHERE claimed_by = $1`, int64(s.worker.ID)), s.count(`SELECT COUNT(*) FROM referral WHERE claimed_by = $1 AND handed_by = -1`, int64(s.other.ID)); mine != 3 || theirs != 3 {
			t.Errorf("%d stay, %d are handed over", mine, theirs)
		}
		if n := s.count(`SELECT COUNT(*) FROM away WHERE work = ''`); n != 1 {
			t.Error("the work is not done")
		}
		s.write(`UPDATE away SET work = 'back', back_at = 1, touched_at = 1`)
		s.share()
		if n := s.count(`SELECT COUNT(*) FROM referral WHERE claimed_by = $1`, int64(s.worker.ID)); n != 6 {
			t.Errorf("%d are theirs again", n)
		}
		events := s.count(`SELECT COUNT(*) FROM referral_event`)
		s.share()
		if n := s.count(`SELECT COUNT(*) FROM referral_event`); n != events {
			t.Error("it is done again and again")
		}
	})
}

// It asks a senior on duty, once a day, about somebody who should be there and has opened nothing; and nothing changes before the answer.
func TestPresence(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		admin, second := s.account("Ada", staff.Administrator), s.account("Sid", staff.SeniorLinkWorker)
		for _, a := range []staff.Account{s.senior, second, s.worker, s.other} {
			s.hours(a, .5, -1)
		}
		asked := func(who staff.Account) (out string) {
			t.Helper()
			all, err := s.db.Notices(ctx, who)
			s.must(err)
			for _, n := range all {
				if n.Kind == selfrefer.AskIfIn {
					out += fmt.Sprint(map[staff.AccountID]string{s.senior.ID: "senior", second.ID: "second", s.worker.ID: "worker", s.other.ID: "other"}[n.By], " ")
				}
			}
			return out
		}
		next := func(hour, minute int) { s.set(time.Date(2026, 6, 2, hour-1, minute, 0, 0, time.UTC)) } // the next day: on the first the roster was set
		next(10, 29)
		if got := asked(s.senior); got != "" {
			t.Errorf("asked before half past ten: %s", got)
		}
		next(10, 30)
		if got := asked(s.senior); got != "second worker other " && got != "worker other second " {
			t.Errorf("asked about %q", got)
		}
		if got := asked(second) + asked(s.worker) + asked(s.helper) + asked(s.stranger) + asked(admin); got != "senior worker other " {
			t.Errorf("asked of the others: %q", got)
		}
		snap, err := s.db.Snapshot(ctx, s.team.ID)
		s.must(err)
		if len(snap.Policy.Roster) != 4 || len(snap.Policy.Roster[1].Leave) != 0 {
			t.Error("it has assumed something")
		}
		// Whoever opens a page is there, and whoever is said to be.
		_, err = s.db.SignIn(ctx, staff.SignIn{Account: s.worker.ID, For: time.Hour})
		s.must(err)
		if err := s.db.Present(ctx, s.worker, s.other.ID); !errors.Is(err, staff.ErrDenied) {
			t.Errorf("a link worker says so: %v", err)
		}
		s.must(s.db.Present(ctx, s.senior, s.other.ID))
		s.must(s.db.Present(ctx, s.senior, s.other.ID))
		if got := asked(s.senior); got != "second " {
			t.Errorf("asked again about %q", got)
		}
		// Without another senior on duty it asks an administrator.
		_, err = s.db.AddLeave(ctx, admin, s.senior.ID, throttle.Span{From: testCivil, To: testCivil.AddDate(0, 0, 3)})
		s.must(err)
		if got := asked(admin); got != "second " {
			t.Errorf("asked of the administrator: %q", got)
		}
		if got := asked(s.senior); got != "" {
			t.Errorf("asked of a senior on leave: %q", got)
		}
		s.must(s.db.SetSharing(ctx, admin, s.team.ID, selfrefer.Sharing{Wait: time.Hour, AskAt: -1}))
		if got := asked(admin); got != "" {
			t.Errorf("asked although nobody wants to be: %q", got)
		}
	})
}
