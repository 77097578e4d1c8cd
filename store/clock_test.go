package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/throttle"
)

// The computer's clock is set while texts are released: nothing is sent until it has run true for a minute, which is said once, and unknown texts
// rest anew before anybody looks for them.
func TestClockStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		var elapsed, set time.Duration
		base := testCivil
		clock := func() time.Time { return base.Add(elapsed + set) }
		log := &strings.Builder{}
		cfg.Now, cfg.Machine, cfg.Elapsed = clock, clock, func() time.Duration { return elapsed }
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		db := mustOpen(t, cfg)
		w := launched(t, db, 8, nil)
		rings := w.release(t, 8)
		next := 0
		claims := func() bool {
			t.Helper()
			r := rings[next]
			_, err := db.Claim(ctx, r)
			if err != nil && !errors.Is(err, campaign.ErrTooLate) {
				t.Fatal(err)
			}
			if err == nil {
				next++
			}
			return err == nil
		}
		for range 600 { // slow corrections are no step
			elapsed, set = elapsed+time.Second, set+200*time.Millisecond
			db.clock.steady()
		}
		if !claims() {
			t.Fatal("a clock that runs true is not believed")
		}
		for _, by := range []time.Duration{90 * time.Second, -90 * time.Second, 11 * time.Hour, -11 * time.Hour} {
			elapsed, set = elapsed+time.Second, set+by
			if claims() {
				t.Errorf("sent at once after a step of %s", by)
			}
			if code, why := db.Stopped(); code != "clock_step" || !strings.Contains(why, "clock") {
				t.Errorf("after a step of %s: %q %q", by, code, why)
			}
			for range 59 {
				elapsed += time.Second
				if db.Steady() {
					t.Fatalf("believed %s after a step of %s", elapsed, by)
				}
			}
			elapsed += 2 * time.Second
			if by.Abs() < time.Hour && !claims() { // in the window
				t.Errorf("not sent when the clock has run true for a minute after a step of %s", by)
			}
		}
		if got := strings.Count(log.String(), "clock of this computer was set"); got != 4 || len(db.alarms) != 4 {
			t.Errorf("4 steps are told %d times, with %d alarms", got, len(db.alarms))
		}

		// An unknown text that is nearly due for its second look.
		db.Settle = 10 * time.Minute
		r := rings[next]
		must[campaign.Outgoing](t)(db.Claim(ctx, r))
		if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}); err != nil {
			t.Fatal(err)
		}
		if err := db.Looked(ctx, campaign.Doubtful{Message: r.Message, Attempt: r.Attempt + 1}, campaign.LookEmpty, time.Second); err != nil {
			t.Fatal(err)
		}
		if err := db.Resettle(ctx, w.epoch+1); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("somebody who does not lead: %v", err)
		}
		if err := db.Resettle(ctx, w.epoch); err != nil {
			t.Fatal(err)
		}
		early := must[[]campaign.Doubtful](t)(db.Doubts(ctx, clock().Add(10*time.Minute-time.Second), 10))
		late := must[[]campaign.Doubtful](t)(db.Doubts(ctx, clock().Add(10*time.Minute+time.Second), 10))
		if len(early) != 0 || len(late) != 1 || late[0].Empty != 0 {
			t.Errorf("due before the settle time: %v, after it: %v", early, late)
		}
	})
}

// A lease that was written by a clock far ahead does not keep everybody from leading once the clock is set back; a true one does.
func TestLead_clockSetBack(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := time.Now()
		cfg.Machine = func() time.Time { return now }
		db := mustOpen(t, cfg)
		lead := func(who string) (int64, bool) {
			t.Helper()
			epoch, ok, err := db.Lead(ctx, who, 15*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			return epoch, ok
		}
		first, _ := lead("a")
		now = now.Add(10 * time.Second)
		if _, ok := lead("b"); ok {
			t.Error("two lead")
		}
		if again, ok := lead("a"); !ok || again != first {
			t.Error("the leader cannot keep its lease")
		}
		now = now.Add(16 * time.Second)
		second, ok := lead("b")
		if !ok || second != first+1 {
			t.Errorf("after the lease: epoch %d, %v", second, ok)
		}
		now = now.Add(-time.Hour)
		third, ok := lead("c")
		if !ok || third != second+1 {
			t.Errorf("after the clock was set back: epoch %d, %v", third, ok)
		}
		now = now.Add(16 * time.Second)
		// Who was deposed releases nothing, recalls nothing and clears nothing.
		w := launched(t, db, 2, nil)
		for _, old := range []int64{first, second, third} {
			if old == w.epoch {
				t.Fatalf("%d leads still", old)
			}
			if rings, err := db.Release(ctx, old, []throttle.Decision{{Campaign: campaignKey(w.campaign.ID), At: testCivil, N: 1, Limit: throttle.LimitRate}}); !errors.Is(err, campaign.ErrConflict) || len(rings) != 0 {
				t.Errorf("epoch %d released %d: %v", old, len(rings), err)
			}
		}
		if got := w.checkCounters(t); got[campaign.Released] != 0 {
			t.Errorf("%d are released", got[campaign.Released])
		}
	})
}

// Through both nights of the clock changes nothing is released or sent outside the window, the day's cap counts every text once, and nobody is
// released twice.
func TestClockChangeNights(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]time.Time{"autumn": time.Date(2026, 10, 24, 20, 0, 0, 0, london), "spring": time.Date(2027, 3, 27, 20, 0, 0, 0, london)} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			now := from
			cfg := testConfig(t)
			cfg.Now = func() time.Time { return now }
			db := mustOpen(t, cfg)
			var night throttle.Week
			for d := range night {
				night[d] = throttle.Hours{From: 60, To: 120} // 01:00 to 02:00: twice in autumn, missing in spring
			}
			w := launched(t, db, 40, func(c *campaign.Campaign) {
				c.Policy.Windows, c.Policy.Blast, c.Policy.Rate = night, true, .015 // one or two at a time
			})
			pacer := campaign.Pacer{Store: db, Bell: silentBell{}, Holder: "test", Machine: time.Now, Log: db.log}
			perDay := map[string]int{}
			for step := time.Duration(0); now.Before(from.Add(60 * time.Hour)); now = now.Add(step) {
				wall := now.In(london)
				if step = 10 * time.Minute; wall.Hour() > 3 {
					step = time.Hour
				}
				n, err := pacer.Tick(ctx, now)
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 && wall.Hour() != 1 {
					t.Errorf("%d released at %v", n, wall)
				}
				perDay[wall.Format(time.DateOnly)] += n
				snap := must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID))
				if got := snap.State.Campaigns[0].SentToday; got != perDay[wall.Format(time.DateOnly)] {
					t.Errorf("at %v the day's cap counts %d, and %d were released", wall, got, perDay[wall.Format(time.DateOnly)])
				}
				for _, r := range must[[]campaign.Ring](t)(db.Overdue(ctx, time.Now().Add(time.Hour), 100)) {
					out, err := db.Claim(ctx, r)
					switch {
					case errors.Is(err, campaign.ErrTooLate):
					case err != nil:
						t.Fatal(err)
					case wall.Hour() != 1 || out.ValidFor <= 0 || now.Add(out.ValidFor).In(london).Format("15:04") != "02:00":
						t.Errorf("sent at %v, valid for %s", wall, out.ValidFor)
					default:
						if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: campaignKey(campaign.ID(r.Message))}); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			// The Monday after the spring night is Easter Monday.
			sends := map[string]bool{"2026-10-25": true, "2026-10-26": true, "2026-10-27": true, "2027-03-30": true}
			total := 0
			for day, n := range perDay {
				if (n > 0) != sends[day] {
					t.Errorf("%d released on %s", n, day)
				}
				total += n
			}
			if got := count(t, db, `SELECT COUNT(*) FROM attempt`); got != int64(total) || total == 0 {
				t.Errorf("%d released, %d attempts", total, got)
			}
			w.checkCounters(t)
		})
	}
}

// silentBell loses every ring.
type silentBell struct{}

func (silentBell) Ring(context.Context, []campaign.Ring) error { return nil }
func (silentBell) Waiting(context.Context) (int, error)        { return 0, nil }
