package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// practiceOfMessage is whose patient a message is for.
func (t *townsfolk) practiceOf(tb testing.TB, id campaign.MessageID) string {
	tb.Helper()
	var ods string
	err := t.db.read(context.Background(), "test", func(tx *Tx) error {
		return tx.QueryRow(`SELECT p.practice FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = $1`, int64(id)).Scan(&ods)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ods
}

func (t *townsfolk) say(ods string, word campaign.Word) error {
	return t.db.SayPractice(context.Background(), t.second, t.campaign.ID, ods, campaign.Say{Word: word, Note: "Dr Ray said so"})
}

func (t *townsfolk) share(tb testing.TB, ods string) campaign.PracticeShare {
	tb.Helper()
	all := must[[]campaign.PracticeShare](tb)(t.db.PracticeShares(context.Background(), t.network.ID, t.campaign.ID))
	i := slices.IndexFunc(all, func(s campaign.PracticeShare) bool { return s.ODS == ods })
	if i < 0 {
		tb.Fatalf("practice %s has no share: %+v", ods, all)
	}
	return all[i]
}

// One of two practices withdraws in the middle of a run: what was released for it is refused by the claim, the rest is put aside, the other goes
// on, the counts stay right, and all of it comes back in its order when the practice agrees again.
func TestWithdrawnMeansStopped(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 40, nil)
		id := w.campaign.ID
		rings := w.release(t, 10)
		if err := w.say("N83001", campaign.Withdraws); err != nil {
			t.Fatal(err)
		}
		mine := 0
		for _, r := range rings {
			_, err := db.Claim(ctx, r)
			if ods := w.practiceOf(t, r.Message); ods == "N83001" {
				mine++
				if !errors.Is(err, campaign.ErrTooLate) || w.state(t, r.Message) != campaign.Suppressed {
					t.Errorf("a text left for a practice that has withdrawn: %v, %s", err, w.state(t, r.Message))
				}
			} else if err != nil {
				t.Errorf("the other practice does not go on: %v", err)
			}
		}
		if mine == 0 || mine == len(rings) {
			t.Fatalf("%d of %d are of one practice: the test says nothing", mine, len(rings))
		}
		if err := db.SettlePractices(ctx, id); err != nil {
			t.Fatal(err)
		}
		c := w.checkCounters(t)
		if s := w.share(t, "N83001"); c[campaign.Suppressed] != 20 || s.Withheld != 20 || s.Word != campaign.Withdraws || s.Approved {
			t.Errorf("put aside %d, %+v", c[campaign.Suppressed], s)
		}
		for _, r := range w.release(t, c[campaign.Planned]) { // all that is left are the other's
			if ods := w.practiceOf(t, r.Message); ods != "N83002" {
				t.Errorf("released for %s", ods)
			}
		}
		wantErr(t, w.say("N83001", campaign.Withdraws), campaign.ErrNotNow)
		if err := errors.Join(w.say("N83001", campaign.Agrees), db.Finish(ctx, w.epoch)); err != nil { // the leader settles it as well
			t.Fatal(err)
		}
		if c := w.checkCounters(t); c[campaign.Planned] != 20 || c[campaign.Suppressed] != 0 {
			t.Errorf("back in their places: %v", c)
		}
		again := w.release(t, 20)
		if _, err := db.Claim(ctx, again[0]); err != nil {
			t.Errorf("agreed again, and not sent: %v", err)
		}
		said := must[[]campaign.Said](t)(db.PracticeSaid(ctx, w.second, id, "N83001"))
		if len(said) != 3 || said[0].Word != campaign.Agrees || said[1].Word != campaign.Withdraws || said[1].Note != "Dr Ray said so" || said[1].Account != w.second.ID {
			t.Errorf("said %+v", said)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM audit WHERE target = $1`, fmt.Sprintf("campaign %d practice N83001 withdrawn", id)); n != 1 {
			t.Errorf("%d entries of the withdrawal in the audit", n)
		}
	})
}

// Claims and a withdrawal at once: whatever is claimed has been claimed before the withdrawal was answered, and what was being handed over is done.
func TestWithdrawAgainstClaims(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 120, nil)
		rings := w.release(t, 120)
		var mu sync.Mutex
		answered, late, sent := false, 0, 0
		var all sync.WaitGroup
		work := make(chan campaign.Ring)
		for range 4 {
			all.Go(func() {
				for r := range work {
					_, err := db.Claim(ctx, r)
					if err != nil {
						if !errors.Is(err, campaign.ErrTooLate) {
							t.Error(err)
						}
						continue
					}
					time.Sleep(2 * time.Millisecond) // the gateway writes
					mu.Lock()
					if w.practiceOf(t, r.Message) == "N83001" {
						if sent++; answered {
							late++
						}
					}
					mu.Unlock()
					if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", r.Message)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i, r := range rings {
			work <- r
			if i == 30 {
				all.Go(func() {
					if err := w.say("N83001", campaign.Withdraws); err != nil {
						t.Error(err)
					}
					mu.Lock()
					answered = true
					mu.Unlock()
				})
			}
		}
		close(work)
		all.Wait()
		if late != 0 || sent == 0 {
			t.Errorf("%d of %d texts left after the withdrawal was answered", late, sent)
		}
		if err := db.SettlePractices(ctx, w.campaign.ID); err != nil {
			t.Fatal(err)
		}
		if c := w.checkCounters(t); c[campaign.Suppressed] != 60-sent {
			t.Errorf("%d sent, %d put aside, want 60 in all", sent, c[campaign.Suppressed])
		}
	})
}

// An agreement is to a hash: other grounds, list or words need another one, at the claim too. A practice that says no does not keep the others from
// being texted, and the last one to withdraw pauses the campaign.
func TestAgreementIsToTerms(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 20, nil)
		id := w.campaign.ID
		rings := w.release(t, 2)
		mustWrite(t, db, `UPDATE campaign SET grounds = '{"purpose":"direct_care","basis":"public_task_health"}'`)
		if _, err := db.Claim(ctx, rings[0]); !errors.Is(err, campaign.ErrTooLate) {
			t.Errorf("claimed on an agreement to something else: %v", err)
		}
		if s := w.share(t, "N83001"); !s.Stale || s.Approved {
			t.Errorf("not asked again: %+v", s)
		}
		wantErr(t, db.SayPractice(ctx, w.second, id, "N83001", campaign.Say{Word: campaign.Agrees, Terms: w.campaign.Terms()}), campaign.ErrChanged)
		for _, p := range w.network.Practices {
			if err := w.say(p.ODS, campaign.Agrees); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.SettlePractices(ctx, id); err != nil {
			t.Fatal(err)
		}
		if c := w.checkCounters(t); c[campaign.Suppressed] != 0 {
			t.Errorf("not back: %v", c)
		}
		if err := errors.Join(w.say("N83001", campaign.Withdraws), w.say("N83002", campaign.Withdraws)); err != nil {
			t.Fatal(err)
		}
		v := must[campaign.View](t)(db.View(ctx, w.network.ID, id))
		if v.State != campaign.Paused || v.Held == "" {
			t.Errorf("nobody agrees, and it is %s", v.State)
		}
		_, err := db.MoveCampaign(ctx, w.manager, id, campaign.Resume)
		wantErr(t, err, campaign.ErrNoPractice)

		viewer := must[staff.Account](t)(db.CreateAccount(ctx, staff.Account{Network: w.network.ID, Email: "v@x.example", Name: "Vi", Role: staff.PracticeViewer, Practices: "N83002"}, "x"))
		wantErr(t, db.SayPractice(ctx, viewer, id, "N83001", campaign.Say{Word: campaign.Agrees}), campaign.ErrNotFound)
		if err := db.SayPractice(ctx, viewer, id, "N83002", campaign.Say{Word: campaign.Agrees}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.MoveCampaign(ctx, w.manager, id, campaign.Resume); err != nil {
			t.Errorf("one agrees again: %v", err)
		}
		if all := must[[]campaign.Campaign](t)(db.CampaignsSeen(ctx, viewer, 9)); len(all) != 1 {
			t.Errorf("the viewer sees %d campaigns", len(all))
		}
		if err := db.SetPractices(ctx, w.second, viewer.ID, nil); err != nil {
			t.Fatal(err)
		}
		viewer = must[staff.Account](t)(db.Account(ctx, viewer.ID))
		if yes := must[bool](t)(db.SeesCampaign(ctx, viewer, id)); yes || viewer.Practices != "" {
			t.Error("a viewer of no practice sees a campaign")
		}
		wantErr(t, db.SetPractices(ctx, w.second, viewer.ID, []string{"N99999"}), staff.ErrPractice)
		wantErr(t, db.SetPractices(ctx, w.second, w.manager.ID, []string{"N83001"}), staff.ErrPractice)
	})
}
