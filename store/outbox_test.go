package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// outboxOf lists what a webhook is told, in the order of writing: "event code practice".
func (w *world) outboxOf(hook int64) (all []string) {
	w.tb.Helper()
	w.must(w.db.read(context.Background(), "test", func(tx *Tx) (err error) {
		all, err = list(tx, func(r scanner, s *string) error {
			var event, code, practice, reference string
			var about int64
			err := r.Scan(&event, &code, &practice, &reference, &about)
			*s = fmt.Sprintf("%s %s %s", event, code, practice)
			if event != string(selfrefer.HookOptOut) && event != string(selfrefer.HookTest) && about == 0 || strings.HasPrefix(event, "referral") && reference == "" {
				*s += " of nothing"
			}
			return err
		}, `SELECT event, code, practice, reference, about FROM outbox WHERE webhook = $1 ORDER BY id`, hook)
		return err
	}))
	return all
}

// Events are written with what they tell, for those alone who want them, and not where nothing has happened.
func TestOutbox(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		machine := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
		cfg.Machine = func() time.Time { return machine }
		w := mustWorld(t, mustOpen(t, cfg))
		ada, mo := w.admin(), w.manager()
		all, err := w.db.AddWebhook(ctx, ada, "https://hooks.test/zebra", selfrefer.HookEvents, []byte("key"))
		w.must(err)
		some, err := w.db.AddWebhook(ctx, ada, "https://other.test/", []selfrefer.HookEvent{selfrefer.HookDeclined}, []byte("key"))
		w.must(err)

		a, b, c := w.text(celia, false), w.text(agnes, false), w.text(personDoc{Given: "Dora", Born: "1957-06-09", NHS: "9990000042", Phone: "+447700900004"}, false)
		r := w.mustKeep(form("a", a, selfrefer.Answers{BirthDate: "24 12 1961", Tell: []string{"practice"}}))
		w.mustKeep(form("a", a, selfrefer.Answers{})) // the same form, a double tap
		w.act(r.ID, selfrefer.Claim, selfrefer.Attempt, selfrefer.StartSupport, selfrefer.Close)
		if _, err := w.db.Act(ctx, w.senior, r.ID, selfrefer.Contact{Event: selfrefer.Close}); !errors.Is(err, selfrefer.ErrNotNow) {
			t.Fatal(err)
		}
		d := w.mustKeep(form("b", b, selfrefer.Answers{}))
		w.act(d.ID, selfrefer.Claim, selfrefer.Decline)
		u := w.mustKeep(form("c", c, selfrefer.Answers{}))
		w.act(u.ID, selfrefer.Claim, selfrefer.Attempt, selfrefer.GiveUp)
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: c.token, Why: selfrefer.WhyMoved, At: testCivil}))
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: c.token, Why: selfrefer.WhyMoved, At: testCivil}))
		w.told(mo)
		want := []string{"referral.received new N83001", "referral.contacted in_support N83001", "referral.closed closed N83001", "referral.received new N83001", "referral.contacted declined N83001", "referral.declined declined N83001",
			"referral.received new N83001", "referral.unreachable unreachable N83001", "correction moved N83001", "optout moved N83001", "optout moved N83001", "export.ready  N83001"}
		if got := w.outboxOf(all.ID); !slices.Equal(got, want) {
			t.Errorf("told:\n%q, want\n%q", got, want)
		}
		if got := w.outboxOf(some.ID); !slices.Equal(got, []string{"referral.declined declined N83001"}) {
			t.Errorf("who wants refusals alone is told %q", got)
		}

		// The address and the key are sealed.
		var sealed []byte
		w.must(w.db.read(ctx, "test", func(tx *Tx) error {
			return tx.QueryRow(`SELECT target FROM webhook WHERE id = $1`, all.ID).Scan(&sealed)
		}))
		if bytes.Contains(sealed, []byte("zebra")) || bytes.Contains(sealed, []byte("key")) {
			t.Error("an address stands in the clear")
		}

		// Four at once take each of them once, and keep it until the lease is over.
		var mu sync.Mutex
		taken := map[int64]int{}
		var wg sync.WaitGroup
		take := func() {
			due, err := w.db.DueDeliveries(ctx, 5, time.Minute)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, d := range due {
				taken[d.ID]++
				if string(d.Secret) != "key" || d.URL == "" {
					t.Errorf("%v goes nowhere", d)
				}
			}
		}
		for range 12 {
			wg.Go(take)
		}
		wg.Wait()
		for range 4 {
			take()
		}
		if len(taken) != len(want)+1 {
			t.Errorf("%d of %d were taken", len(taken), len(want)+1)
		}
		for id, n := range taken {
			if n != 1 {
				t.Errorf("delivery %d was taken %d times", id, n)
			}
		}
		machine = machine.Add(time.Minute)
		due, err := w.db.DueDeliveries(ctx, 100, time.Minute)
		w.must(err)
		if len(due) != len(want)+1 {
			t.Errorf("after the lease %d are due", len(due))
		}
		w.must(w.db.Told(ctx, due[0], "204"))
		w.must(w.db.NotTold(ctx, due[1], "500", machine.Add(time.Hour), false))
		w.must(w.db.PutBack(ctx, due[2], machine))
		again, err := w.db.DueDeliveries(ctx, 100, time.Minute)
		w.must(err)
		if len(again) != 1 || again[0].ID != due[2].ID {
			t.Errorf("due again: %v", again)
		}
		w.must(w.db.SwitchWebhook(ctx, ada, all.ID, false))
		w.mustKeep(form("d", a, selfrefer.Answers{}))
		if got := w.outboxOf(all.ID); len(got) != len(want) || w.count(`SELECT COUNT(*) FROM outbox WHERE webhook = $1 AND state = 'due'`, all.ID) != 0 {
			t.Errorf("one that is off is told: %q", got[len(want):])
		}

		// Walls and roles.
		alien := staff.Account{ID: 99, Network: w.stranger.Network, Role: staff.Administrator}
		for _, err := range []error{w.db.RemoveWebhook(ctx, alien, all.ID), w.db.SwitchWebhook(ctx, alien, all.ID, true), w.db.TestWebhook(ctx, alien, all.ID), w.db.Redeliver(ctx, alien, all.ID, due[0].ID), w.db.Redeliver(ctx, ada, some.ID, due[0].ID+1)} {
			if !errors.Is(err, staff.ErrNotFound) {
				t.Errorf("across networks: %v", err)
			}
		}
		_, err = w.db.Deliveries(ctx, alien, all.ID)
		wantErr(t, err, staff.ErrNotFound)
		for _, who := range []staff.Account{mo, w.senior, w.worker, w.helper} {
			_, err := w.db.AddWebhook(ctx, who, "https://hooks.test/", selfrefer.HookEvents, nil)
			wantErr(t, err, staff.ErrDenied)
			wantErr(t, w.db.RemoveWebhook(ctx, who, all.ID), staff.ErrDenied)
		}
		for range MaxWebhooks - 2 {
			_, err := w.db.AddWebhook(ctx, ada, "https://hooks.test/", selfrefer.HookEvents, nil)
			w.must(err)
		}
		_, err = w.db.AddWebhook(ctx, ada, "https://hooks.test/", selfrefer.HookEvents, nil)
		wantErr(t, err, selfrefer.ErrTooManyHooks)
		w.must(w.db.RemoveWebhook(ctx, ada, all.ID))
		if n := w.count(`SELECT COUNT(*) FROM outbox WHERE webhook = $1`, all.ID) + w.count(`SELECT COUNT(*) FROM webhook WHERE id = $1`, all.ID); n != 0 {
			t.Errorf("%d rows of a webhook that was removed", n)
		}
	})
}
