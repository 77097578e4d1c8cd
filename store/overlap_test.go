package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/throttle"
)

// What happens when two things overlap, each interleaving by its name, on both engines.

// upload screens a list in t's network, as a manager does again and again.
func (t *townsfolk) upload(tb testing.TB, people ...campaign.Candidate) campaign.Audience {
	tb.Helper()
	ctx := context.Background()
	im := must[campaign.Importer](tb)(t.db.BeginImport(ctx, t.manager, "list", true, false))
	for _, c := range people {
		if err := im.Candidate(ctx, c); err != nil {
			tb.Fatal(err)
		}
	}
	return must[campaign.Audience](tb)(im.Finish(ctx))
}

// another launches one more campaign of the same network and people, over its own list.
func (t *townsfolk) another(tb testing.TB, a campaign.Audience, change func(*campaign.Campaign)) *townsfolk {
	tb.Helper()
	ctx := context.Background()
	c := campaign.Campaign{Audience: a.ID, Team: t.team.ID, Name: "Another", Seed: 8, Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}, Policy: campaign.Policy{Price: 240, Rate: 10}}
	if change != nil {
		change(&c)
	}
	c = must[campaign.Campaign](tb)(t.db.CreateCampaign(ctx, t.manager, c))
	must[campaign.Campaign](tb)(t.db.MoveCampaign(ctx, t.manager, c.ID, campaign.Submit))
	must[campaign.Campaign](tb)(t.db.ApproveCampaign(ctx, t.second, c.ID, campaign.Approval{People: a.Ledger.Invited}))
	for _, p := range t.network.Practices {
		if err := t.db.ApprovePractice(ctx, t.second, c.ID, p.ODS); err != nil {
			tb.Fatal(err)
		}
	}
	u := *t
	u.campaign = must[campaign.Campaign](tb)(t.db.MoveCampaign(ctx, t.manager, c.ID, campaign.Launch))
	return &u
}

func candidates(tb testing.TB, n int) (all []campaign.Candidate) {
	for i := range n {
		all = append(all, testCandidate(tb, i+1))
	}
	return all
}

func (t *townsfolk) claim(tb testing.TB, r campaign.Ring) campaign.Outgoing {
	tb.Helper()
	return must[campaign.Outgoing](tb)(t.db.Claim(context.Background(), r))
}

// refused checks that a ring is answered with nothing to send.
func (t *townsfolk) refused(tb testing.TB, r campaign.Ring, why string, want campaign.MessageState) {
	tb.Helper()
	if out, err := t.db.Claim(context.Background(), r); !errors.Is(err, campaign.ErrTooLate) || out.Body != "" {
		tb.Errorf("%s: claimed: %v", why, err)
	}
	if got := t.state(tb, r.Message); got != want {
		tb.Errorf("%s: it is %s, want %s", why, got, want)
	}
}

func (t *townsfolk) record(tb testing.TB, r campaign.Ring, o campaign.Outcome) {
	tb.Helper()
	if err := t.db.Record(context.Background(), r, o); err != nil {
		tb.Fatalf("record %s: %v", o.Event, err)
	}
}

func (t *townsfolk) adopt(tb testing.TB, m campaign.MessageID, on campaign.Event, sid string) {
	tb.Helper()
	if err := t.db.Adopt(context.Background(), campaign.Evidence{Message: m, Event: on, Kind: "callback", SID: sid}); err != nil {
		tb.Fatalf("adopt %s: %v", on, err)
	}
}

func (t *townsfolk) move(tb testing.TB, m campaign.Move) {
	tb.Helper()
	must[campaign.Campaign](tb)(t.db.MoveCampaign(context.Background(), t.manager, t.campaign.ID, m))
}

func (t *townsfolk) finish(tb testing.TB) {
	tb.Helper()
	if err := t.db.Finish(context.Background(), t.epoch); err != nil {
		tb.Fatal(err)
	}
}

// cleared is what the reconciler does after two complete listings that do not show the text.
func (t *townsfolk) cleared(tb testing.TB, r campaign.Ring) {
	tb.Helper()
	if err := t.db.Clear(context.Background(), t.epoch, campaign.Doubtful{Message: r.Message, Attempt: r.Attempt + 1}, campaign.Clear, ""); err != nil {
		tb.Fatal(err)
	}
}

// ledger counts the contact ledger's entries for a message's number, whichever campaign made them.
func (t *townsfolk) ledger(tb testing.TB, m campaign.MessageID) int64 {
	tb.Helper()
	return count(tb, t.db, `SELECT COUNT(*) FROM contact WHERE phone_ix = (SELECT phone_ix FROM message WHERE id = $1)`, int64(m))
}

func (t *townsfolk) alarms(tb testing.TB) int {
	tb.Helper()
	n := 0
	for _, a := range must[campaign.View](tb)(t.db.View(context.Background(), t.network.ID, t.campaign.ID)).Alarms {
		if a.Code == "two_sids" {
			n++
		}
	}
	return n
}

func byNumber(t *townsfolk, tb testing.TB, rings []campaign.Ring) map[string]campaign.Ring {
	all := map[string]campaign.Ring{}
	for _, r := range rings {
		all[t.phone(tb, r).Reveal()] = r
	}
	return all
}

// Two campaigns have the same people, and both have released them: the contact ledger lets one text through to each number.
func TestOverlap_twoCampaignsOneNumber(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		const n = 24
		w := launched(t, mustOpen(t, cfg), n, nil)
		x := w.another(t, w.upload(t, candidates(t, n)...), nil)
		first, second := byNumber(w, t, w.release(t, n)), byNumber(x, t, x.release(t, n))
		i := 0
		for number, a := range first {
			b := second[number]
			i++
			switch i {
			case 1: // one after the other
				w.claim(t, a)
				x.refused(t, b, "texted by another campaign a moment ago", campaign.Suppressed)
			case 2: // the first is refused for now, so nobody has been texted
				w.claim(t, a)
				w.record(t, a, campaign.Outcome{Event: campaign.Postpone, Code: "20429"})
				x.claim(t, b)
			case 3: // it may have left
				w.claim(t, a)
				w.record(t, a, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
				x.refused(t, b, "perhaps texted by another campaign", campaign.Suppressed)
			default: // at the same moment
				var won atomic.Int32
				var both sync.WaitGroup
				for _, r := range []campaign.Ring{a, b} {
					both.Go(func() {
						_, err := w.db.Claim(context.Background(), r)
						if err == nil {
							won.Add(1)
						} else if !errors.Is(err, campaign.ErrTooLate) {
							t.Error(err)
						}
					})
				}
				both.Wait()
				if won.Load() != 1 {
					t.Errorf("%d campaigns may text one number", won.Load())
				}
			}
		}
		// The one that was refused for now comes again, after the other campaign has texted.
		for _, r := range w.release(t, 1) {
			w.refused(t, r, "texted by another campaign meanwhile", campaign.Suppressed)
		}
		w.checkCounters(t)
		x.checkCounters(t)
	})
}

// The list of a campaign is uploaded again while nobody knows whether some of its texts left.
func TestOverlap_listAgainWhileUnknown(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := launched(t, mustOpen(t, cfg), 6, nil)
		before := w.upload(t, candidates(t, 6)...) // screened before anybody was texted
		rings := w.release(t, 3)
		for _, r := range rings {
			w.claim(t, r)
			w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		}
		after := w.upload(t, candidates(t, 6)...)
		if after.Ledger.Invited != 3 || after.Ledger.Excluded[string(campaign.ExRecentlyTexted)] != 3 {
			t.Errorf("the list after it invites %d and leaves out %v", after.Ledger.Invited, after.Ledger.Excluded)
		}
		x := w.another(t, before, nil)
		second := byNumber(x, t, x.release(t, 6))
		for _, r := range rings[:2] {
			x.refused(t, second[w.phone(t, r).Reveal()], "perhaps texted", campaign.Suppressed)
		}
		// The third never left, which is proved before the other campaign comes to it: whoever is first now texts.
		w.cleared(t, rings[2])
		x.claim(t, second[w.phone(t, rings[2]).Reveal()])
		again := w.release(t, 4)
		for _, r := range again {
			if r.Message == rings[2].Message {
				w.refused(t, r, "texted by the other campaign meanwhile", campaign.Suppressed)
			}
		}
		// A text that turns up late is the only one of its number.
		w.adopt(t, rings[0].Message, campaign.Accept, "SM1")
		if got := w.ledger(t, rings[0].Message); got != 1 {
			t.Errorf("%d entries for one text", got)
		}
		w.checkCounters(t)
		x.checkCounters(t)
	})
}

// A campaign is paused with rows released and rung for. Their rings come to nothing, until it is resumed and they are rung for again.
func TestOverlap_pauseAndResumeWithReleasedRows(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := launched(t, mustOpen(t, cfg), 4, nil)
		old := w.release(t, 4)
		w.claim(t, old[0]) // in flight
		w.move(t, campaign.Pause)
		w.refused(t, old[1], "paused", campaign.Planned)
		if n := must[int](t)(w.db.Recall(context.Background(), w.epoch)); n != 2 {
			t.Errorf("recalled %d, want the 2 that nobody asked for", n)
		}
		w.record(t, old[0], campaign.Outcome{Event: campaign.Accept, SID: "SM0"}) // what was in flight stands
		w.refused(t, old[2], "recalled", campaign.Planned)
		w.move(t, campaign.Resume)
		w.refused(t, old[2], "resumed and not released yet", campaign.Planned)
		again := w.release(t, 3)
		for i, r := range again {
			for _, o := range old {
				if o.Message == r.Message && i == 0 {
					w.claim(t, o) // an old ring is as good, once
					w.refused(t, r, "the old ring has claimed it", campaign.Sending)
				}
			}
		}
		for _, r := range again[1:] {
			w.claim(t, r)
			w.refused(t, r, "claimed", campaign.Sending)
		}
		if c := w.checkCounters(t); c[campaign.Sending] != 3 || c[campaign.Accepted] != 1 {
			t.Errorf("got %v", c)
		}
	})
}

// A pause is answered while claims are on their way: none of them commits after the answer.
func TestOverlap_pauseRacesClaim(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		const rounds, each = 25, 8
		ctx := context.Background()
		w := launched(t, mustOpen(t, cfg), rounds*each, nil)
		sending := func() int64 { return count(t, w.db, `SELECT COUNT(*) FROM message WHERE state = 'sending'`) }
		for range rounds {
			var atAnswer int64
			var all sync.WaitGroup
			for i, r := range w.release(t, each) {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 300 * time.Microsecond) // some before the pause, some after
					if _, err := w.db.Claim(ctx, r); err != nil && !errors.Is(err, campaign.ErrTooLate) {
						t.Error(err)
					}
				})
			}
			all.Go(func() {
				time.Sleep(time.Millisecond)
				if _, err := w.db.MoveCampaign(ctx, w.manager, w.campaign.ID, campaign.Pause); err != nil {
					t.Error(err)
				}
				atAnswer = sending()
			})
			all.Wait()
			if late := sending() - atAnswer; late != 0 {
				t.Errorf("%d messages were claimed after the pause was answered", late)
			}
			must[int](t)(w.db.Recall(ctx, w.epoch))
			w.move(t, campaign.Resume)
		}
		if n := sending(); n == 0 || n == rounds*each {
			t.Logf("%d of %d claims came before the pause: there was no race", n, rounds*each)
		}
		w.checkCounters(t)
	})
}

// A campaign is stopped while the outcome of some texts is unknown: they are held for a person, and whatever they say, nothing is sent.
func TestOverlap_stopWithUnknownRows(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		db.Settle = 0
		w := launched(t, db, 6, nil)
		rings := w.release(t, 5) // one stays planned
		for _, r := range rings[:4] {
			w.claim(t, r)
			w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		}
		w.move(t, campaign.Stop)
		s := campaign.Reconciler{Store: db, Lister: &listing{}, Log: db.log}
		for range 2 {
			if err := s.Tick(ctx, w.epoch, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		w.finish(t)
		if c := w.checkCounters(t); c[campaign.Held] != 4 || c[campaign.Expired] != 2 {
			t.Fatalf("after the stop: %v", c)
		}
		w.refused(t, rings[4], "stopped", campaign.Expired)
		now = now.AddDate(0, 0, 3) // a person comes to it days later
		for i, on := range []campaign.Event{campaign.SettleSent, campaign.SettleAgain} {
			if err := db.SettleHeld(ctx, w.second, rings[i].Message, 1, on); err != nil {
				t.Fatal(err)
			}
		}
		w.adopt(t, rings[2].Message, campaign.Deliver, "SM2") // evidence comes to a held one
		w.finish(t)
		for i, want := range []campaign.MessageState{campaign.Accepted, campaign.Expired, campaign.Delivered, campaign.Held} {
			if got := w.state(t, rings[i].Message); got != want {
				t.Errorf("held message %d became %s, want %s", i, got, want)
			}
		}
		if rings := must[[]campaign.Ring](t)(db.Release(ctx, w.epoch, []throttle.Decision{{Campaign: campaignKey(w.campaign.ID), At: now, N: 6, Limit: throttle.LimitRate, Sentence: "test"}})); len(rings) != 0 {
			t.Errorf("released %d of a stopped campaign", len(rings))
		}
		w.checkCounters(t)
	})
}

// An opt-out that the journal alone could take is acknowledged while a claim is on its way: the claim's text does not leave.
func TestOverlap_optOutInTheJournalAloneDuringClaim(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		var during atomic.Pointer[func()]
		cfg.Now = func() time.Time {
			if f := during.Swap(nil); f != nil {
				(*f)()
			}
			return testCivil
		}
		db := mustOpen(t, cfg)
		w := launched(t, db, 2, nil)
		ring := w.release(t, 1)[0]
		acknowledge := func() { db.owed.add(1<<40, recordOptOut) } // what OptOut does last when the database has refused it
		during.Store(&acknowledge)
		w.refused(t, ring, "an opt-out is owed to the database", campaign.Planned)
		if n := w.ledger(t, ring.Message); n != 0 {
			t.Errorf("%d entries in the contact ledger for a text that did not leave", n)
		}
		again := w.release(t, 1)[0]
		w.refused(t, again, "it is still owed", campaign.Released)
		db.owed.settle(1 << 40)
		w.claim(t, again)
		w.checkCounters(t)
	})
}

// reminding is a campaign with a second step, whose first texts have been delivered.
func reminding(t *testing.T, cfg Config, n int) (w *townsfolk, now *time.Time, first []campaign.Ring) {
	now = new(time.Time)
	*now = testCivil
	cfg.Now = func() time.Time { return *now }
	w = launched(t, mustOpen(t, cfg), n, func(c *campaign.Campaign) {
		c.Steps = append(c.Steps, campaign.Step{Number: 2, Template: campaign.DefaultText, AfterDays: 8})
	})
	first = w.release(t, n)
	return w, now, first
}

func (t *townsfolk) delivered(tb testing.TB, r campaign.Ring) {
	tb.Helper()
	t.claim(tb, r)
	t.record(tb, r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", r.Message)})
	t.adopt(tb, r.Message, campaign.Deliver, fmt.Sprint("SM", r.Message))
}

// The second step reminds whoever has neither answered nor opted out, at the moment of the claim and not only of the plan.
func TestOverlap_reminderAfterAnAnswer(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		w, now, first := reminding(t, cfg, 4)
		for _, r := range first {
			w.delivered(t, r)
		}
		token := func(m campaign.MessageID) link.Token { return link.Mint(w.db.sealer.linkKey(), int64(m)) }
		*now = now.AddDate(0, 0, 8)
		w.finish(t)
		w.finish(t)
		if c := w.checkCounters(t); c[campaign.Planned] != 4 {
			t.Fatalf("%d reminders planned twice over, want 4", c[campaign.Planned])
		}
		second := byNumber(w, t, w.release(t, 4))
		reminder := func(i int) campaign.Ring { return second[w.phone(t, first[i]).Reveal()] }
		// Answered between the plan and the claim, and dealt with already.
		receiver := selfrefer.Receiver{Keeper: w.db, Now: func() time.Time { return *now }}
		if _, err := receiver.Receive(ctx, selfrefer.Form{ID: "f", Network: w.network.ID, Source: selfrefer.ByLink, TokenHash: token(first[0].Message).Hash(), Answers: selfrefer.Answers{BirthDate: "15/06/1950"}}); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, w.db, `UPDATE referral SET state = 'closed'`)
		w.refused(t, reminder(0), "answered", campaign.Suppressed)
		if err := w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: token(first[1].Message).Hash(), Why: selfrefer.WhyStop, At: *now}); err != nil {
			t.Fatal(err)
		}
		w.refused(t, reminder(1), "opted out", campaign.Suppressed)
		out := w.claim(t, reminder(2))
		if tokens := link.In(out.Body); len(tokens) == 0 || tokens[0] != token(reminder(2).Message) || tokens[0] == token(first[2].Message) {
			t.Error("the reminder does not carry its own link")
		}
		// One step, one message: for a person and for a number.
		for _, column := range []string{"patient", "phone_ix"} {
			err := w.db.write(ctx, "twice", func(tx *Tx) error {
				other := map[string]string{"patient": "phone_ix", "phone_ix": "patient"}[column]
				_, err := tx.Exec(fmt.Sprintf(`
					INSERT INTO message (id, campaign, step, patient, stratum, place, state, attempt, rings, shared, not_before, batch, released_at, deadline, look_at, looks, code, cost,
						token, phone_ix, sent_at, delivered_at, opened_at, answered_at)
					SELECT id + 1, campaign, step, CASE WHEN '%[1]s' = 'patient' THEN 1 ELSE patient END, stratum, place, 'planned', 0, 0, shared, 0, 0, 0, 0, 0, 0, '', 0,
						$1, CASE WHEN '%[1]s' = 'phone_ix' THEN $2 ELSE phone_ix END, 0, 0, 0, 0
					FROM message WHERE id = $3`, other), []byte(column), []byte(column), int64(reminder(3).Message))
				return err
			})
			if err == nil {
				t.Errorf("two reminders with the same %s", column)
			}
		}
		w.checkCounters(t)
	})
}

// Nobody is reminded of a text that may never have come, or that a person still has to decide about.
func TestOverlap_reminderWhileTheFirstIsUnknown(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		w, now, first := reminding(t, cfg, 5)
		w.delivered(t, first[0])
		for _, r := range first[1:4] {
			w.claim(t, r)
			w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		}
		if err := w.db.Clear(ctx, w.epoch, campaign.Doubtful{Message: first[2].Message, Attempt: 1}, campaign.Hold, campaign.HeldOver); err != nil {
			t.Fatal(err)
		}
		w.claim(t, first[4])
		w.record(t, first[4], campaign.Outcome{Event: campaign.Accept, SID: "SM4"})
		w.adopt(t, first[4].Message, campaign.Undeliver, "SM4")
		*now = now.AddDate(0, 0, 30)
		w.finish(t)
		if c := w.checkCounters(t); c[campaign.Planned] != 1 || c[campaign.Unknown] != 2 || c[campaign.Held] != 1 || c[campaign.Undelivered] != 1 {
			t.Fatalf("a month later: %v", c)
		}
		w.delivered(t, w.release(t, 1)[0])
		// Evidence comes at last. The gap to the reminder counts from here: that is when the phone is known to have it.
		w.adopt(t, first[1].Message, campaign.Deliver, "SM1")
		w.finish(t)
		if c := w.checkCounters(t); c[campaign.Planned] != 0 {
			t.Error("a reminder on the heels of its invitation")
		}
		*now = now.AddDate(0, 0, 8)
		w.finish(t)
		if c := w.checkCounters(t); c[campaign.Planned] != 1 {
			t.Errorf("%d reminders, want 1", c[campaign.Planned])
		}
	})
}

// Two people have one number: one text goes to it, without a name, and one reminder.
func TestOverlap_twoPeopleOneNumber(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 1, nil)
		people := []campaign.Candidate{testCandidate(t, 11), testCandidate(t, 12), testCandidate(t, 13)}
		people[1].Phone = people[0].Phone
		a := w.upload(t, people...)
		if a.Ledger.Invited != 2 || a.Ledger.Excluded[string(campaign.ExSharedNumber)] != 1 {
			t.Fatalf("invited %d, left out %v", a.Ledger.Invited, a.Ledger.Excluded)
		}
		x := w.another(t, a, func(c *campaign.Campaign) {
			c.Steps = append(c.Steps, campaign.Step{Number: 2, Template: campaign.DefaultText, AfterDays: 8})
		})
		for step := 1; step <= 2; step++ {
			rings := x.release(t, 2)
			named := 0
			for _, r := range rings {
				out := x.claim(t, r)
				if strings.Contains(out.Body, "Ann") {
					named++
					if out.To.Reveal() == people[0].Phone.Reveal() {
						t.Errorf("step %d names one of two who share a number", step)
					}
				}
				x.record(t, r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", r.Message)})
				x.adopt(t, r.Message, campaign.Deliver, fmt.Sprint("SM", r.Message))
			}
			if named != 1 {
				t.Errorf("step %d: %d texts carry a name, want 1", step, named)
			}
			now = now.AddDate(0, 0, 8)
			x.finish(t)
		}
		x.checkCounters(t)
	})
}

// Two empty listings have planned a message again, and then a callback proves that its first attempt left after all.
func TestOverlap_lateCallbackForAMessagePlannedAgain(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := launched(t, mustOpen(t, cfg), 3, nil)
		rings := w.release(t, 3)
		for _, r := range rings {
			w.claim(t, r)
			w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
			w.cleared(t, r)
			if s := w.state(t, r.Message); s != campaign.Planned || w.ledger(t, r.Message) != 0 {
				t.Fatalf("after two empty listings: %s", s)
			}
		}
		w.adopt(t, rings[0].Message, campaign.Deliver, "SM0") // while it is planned
		again := w.release(t, 2)                              // the others
		w.adopt(t, again[0].Message, campaign.ReportSent, "SM1")
		for _, r := range append(rings, again[0]) {
			if r.Message == again[1].Message {
				continue
			}
			w.refused(t, r, "it has left", w.state(t, r.Message))
			if !w.state(t, r.Message).Left() || w.ledger(t, r.Message) != 1 {
				t.Errorf("it is %s with %d entries in the contact ledger", w.state(t, r.Message), w.ledger(t, r.Message))
			}
		}
		if out := w.claim(t, again[1]); out.Attempt != 2 {
			t.Errorf("attempt %d of the one that never left, want 2", out.Attempt)
		}
		if n := w.alarms(t); n != 0 {
			t.Errorf("%d alarms", n)
		}
		w.checkCounters(t)
	})
}

// Evidence is adopted from every state that a message can be in: it is never sent afterwards, and other campaigns know of it.
func TestOverlap_evidenceInEveryState(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, len(campaign.MessageStates)+1, nil)
		rings := w.release(t, len(campaign.MessageStates))
		in := map[campaign.MessageState]campaign.Ring{}
		for i, s := range campaign.MessageStates {
			r := rings[i]
			in[s] = r
			claimed := func(o ...campaign.Outcome) {
				w.claim(t, r)
				for _, o := range o {
					w.record(t, r, o)
				}
			}
			accepted := campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", i)}
			lost := campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}
			switch s {
			case campaign.Planned:
				claimed(campaign.Outcome{Event: campaign.Postpone, Code: "20429"})
			case campaign.Released:
			case campaign.Sending:
				claimed()
			case campaign.Unknown:
				claimed(lost)
			case campaign.Held:
				claimed(lost)
				if err := db.Clear(ctx, w.epoch, campaign.Doubtful{Message: r.Message, Attempt: 1}, campaign.Hold, campaign.HeldOver); err != nil {
					t.Fatal(err)
				}
			case campaign.Accepted:
				claimed(accepted)
			case campaign.Sent:
				claimed(accepted)
				w.adopt(t, r.Message, campaign.ReportSent, accepted.SID)
			case campaign.Delivered:
				claimed(accepted)
				w.adopt(t, r.Message, campaign.Deliver, accepted.SID)
			case campaign.Undelivered:
				claimed(accepted)
				w.adopt(t, r.Message, campaign.Undeliver, accepted.SID)
			case campaign.Failed:
				claimed(accepted)
				w.adopt(t, r.Message, campaign.Fail, accepted.SID)
			case campaign.Rejected:
				claimed(campaign.Outcome{Event: campaign.Reject, Code: "21211"})
			case campaign.Suppressed:
				if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: w.phone(t, r), Why: selfrefer.WhyStop, At: testCivil}); err != nil {
					t.Fatal(err)
				}
				w.refused(t, r, "opted out", campaign.Suppressed)
			case campaign.Expired:
				mustWrite(t, db, fmt.Sprintf(`UPDATE campaign SET state = 'stopped', finished_at = %d WHERE id = %d`, testCivil.UnixMilli(), w.campaign.ID))
				w.refused(t, r, "stopped", campaign.Expired)
				mustWrite(t, db, fmt.Sprintf(`UPDATE campaign SET state = 'running', finished_at = 0 WHERE id = %d`, w.campaign.ID))
			}
			if got := w.state(t, r.Message); got != s {
				t.Fatalf("the message is %s, should be %s", got, s)
			}
		}
		for i, s := range campaign.MessageStates {
			w.adopt(t, in[s].Message, campaign.Accept, fmt.Sprint("SM", i))
			got := w.state(t, in[s].Message)
			if !got.Left() || (s.Left() && got != s) {
				t.Errorf("the provider has a %s message, and it became %s", s, got)
			}
			w.refused(t, in[s], "the provider has it", got)
			if n := w.ledger(t, in[s].Message); n != 1 {
				t.Errorf("a %s message that had left has %d entries in the contact ledger", s, n)
			}
		}
		if rings := w.release(t, 1); w.state(t, rings[0].Message) != campaign.Released { // the only one that has not left
			t.Error("nothing is left to send")
		}
		if n := w.alarms(t); n != 0 {
			t.Errorf("%d alarms for texts with one id each", n)
		}
		w.checkCounters(t)
	})
}

// A worker that stood still tells of its attempt while the next attempt is being sent: two texts of one message are at the provider. It is the
// one thing that must never happen, so it rings the alarm, once, in whichever order the news come.
func TestOverlap_zombieAcceptDuringTheNextAttempt(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := launched(t, mustOpen(t, cfg), 3, nil)
		first := w.release(t, 3)
		for _, r := range first {
			w.claim(t, r)
			w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
			w.cleared(t, r)
		}
		second := byNumber(w, t, w.release(t, 3))
		for i, r := range first {
			next := second[w.phone(t, r).Reveal()]
			w.claim(t, next)
			zombie := campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SMzombie", i)}
			switch i {
			case 0: // the zombie first
				w.record(t, r, zombie)
				w.refused(t, next, "it has left", campaign.Accepted)
				w.record(t, next, campaign.Outcome{Event: campaign.Accept, SID: "SMnext"})
			case 1: // the next attempt first, and everything said twice
				w.record(t, next, campaign.Outcome{Event: campaign.Accept, SID: "SMnext1"})
				w.record(t, r, zombie)
				w.record(t, r, zombie)
				w.record(t, next, campaign.Outcome{Event: campaign.Accept, SID: "SMnext1"})
			case 2: // the next attempt was refused: one text, no alarm, and no third attempt
				w.record(t, r, zombie)
				if err := w.db.Record(context.Background(), next, campaign.Outcome{Event: campaign.Postpone, Code: "20429"}); !errors.Is(err, campaign.ErrTooLate) {
					t.Errorf("a refusal after the proof: %v", err)
				}
			}
			if s := w.state(t, r.Message); s != campaign.Accepted || w.ledger(t, r.Message) != 1 {
				t.Errorf("message %d is %s with %d entries in the contact ledger", i, s, w.ledger(t, r.Message))
			}
			if got, want := w.alarms(t), min(i+1, 2); got != want {
				t.Errorf("after message %d there are %d alarms, want %d", i, got, want)
			}
		}
		// A zombie that tells of anything but acceptance changes nothing.
		w.checkCounters(t)
	})
}

// A zombie whose attempt is over can only say that the provider has the text: a refusal of attempt 1 says nothing of attempt 2.
func TestOverlap_zombieRefusalDuringTheNextAttempt(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := launched(t, mustOpen(t, cfg), 1, nil)
		r := w.release(t, 1)[0]
		w.claim(t, r)
		w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		w.cleared(t, r)
		next := w.release(t, 1)[0]
		w.claim(t, next)
		for _, e := range []campaign.Event{campaign.Postpone, campaign.Reject, campaign.LoseSight} {
			if err := w.db.Record(context.Background(), r, campaign.Outcome{Event: e, Code: "21211"}); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("%s of an attempt that is over: %v", e, err)
			}
			if s := w.state(t, r.Message); s != campaign.Sending || w.ledger(t, r.Message) != 1 {
				t.Fatalf("%s of an attempt that is over made it %s", e, s)
			}
		}
	})
}

// The leader clears a message at the very moment in which evidence comes: it is never sent again.
func TestOverlap_clearRacesEvidence(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		const n = 100
		w := launched(t, mustOpen(t, cfg), n, nil)
		rings := w.release(t, n)
		for i, r := range rings {
			w.claim(t, r)
			w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
			var both sync.WaitGroup
			both.Go(func() {
				if err := w.db.Clear(context.Background(), w.epoch, campaign.Doubtful{Message: r.Message, Attempt: 1}, campaign.Clear, ""); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				if err := w.db.Adopt(context.Background(), campaign.Evidence{Message: r.Message, Event: campaign.Accept, Kind: "callback", SID: fmt.Sprint("SM", i)}); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			if s := w.state(t, r.Message); s != campaign.Accepted || w.ledger(t, r.Message) != 1 {
				t.Fatalf("it is %s with %d entries in the contact ledger", s, w.ledger(t, r.Message))
			}
		}
		w.checkCounters(t)
	})
}

// What the leader saw of attempt 1 says nothing of attempt 2, and nothing is cleared against evidence.
func TestOverlap_clearOfAnAttemptThatIsOver(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		db.Settle = 0
		w := launched(t, db, 1, nil)
		r := w.release(t, 1)[0]
		lost := campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}
		w.claim(t, r)
		w.record(t, r, lost)
		seen := must[[]campaign.Doubtful](t)(db.Doubts(ctx, time.Now().Add(time.Hour), 10))[0]
		w.cleared(t, r)
		next := w.release(t, 1)[0]
		w.claim(t, next)
		w.record(t, next, lost)
		if err := db.Looked(ctx, seen, campaign.LookEmpty, 0); err != nil {
			t.Fatal(err)
		}
		for _, on := range []campaign.Event{campaign.Clear, campaign.Hold} {
			if err := db.Clear(ctx, w.epoch, seen, on, ""); err != nil {
				t.Fatal(err)
			}
		}
		now := must[[]campaign.Doubtful](t)(db.Doubts(ctx, time.Now().Add(time.Hour), 10))
		if len(now) != 1 || now[0].Attempt != 2 || now[0].Empty != 0 {
			t.Fatalf("attempt 2 after the looks for attempt 1: %d in doubt", len(now))
		}
		// As a restored database may have it: unknown, with the proof beside it.
		mustWrite(t, db, fmt.Sprintf(`INSERT INTO evidence (message, attempt, kind, event, sid, code, at) VALUES (%d, 2, 'listing', 'accept', 'SM2', '', 0)`, r.Message))
		for _, on := range []campaign.Event{campaign.Clear, campaign.Hold} {
			if err := db.Clear(ctx, w.epoch, now[0], on, ""); err != nil {
				t.Fatal(err)
			}
		}
		if s := w.state(t, r.Message); s != campaign.Unknown {
			t.Errorf("cleared against evidence: it is %s", s)
		}
	})
}

// A leader that stood still while another took over can neither release, nor recall, nor clear, nor end anything.
func TestOverlap_staleLeader(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 6, func(c *campaign.Campaign) {
			c.Steps = append(c.Steps, campaign.Step{Number: 2, Template: campaign.DefaultText, AfterDays: 8})
		})
		rings := w.release(t, 4)
		w.claim(t, rings[0])
		w.record(t, rings[0], campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		w.delivered(t, rings[1])
		live := rings[2]
		w.claim(t, live)
		if _, _, err := db.Lead(ctx, "test", 0); err != nil { // its lease runs out
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
		epoch, ok, err := db.Lead(ctx, "another", time.Hour)
		if err != nil || !ok || epoch != w.epoch+1 {
			t.Fatalf("take over: epoch %d, %v, %v", epoch, ok, err)
		}
		if _, ok, err := db.Lead(ctx, "test", time.Hour); ok || err != nil {
			t.Fatalf("two lead: %v", err)
		}
		before := w.checkCounters(t)
		// The one who takes over leaves alone what is being sent: only its deadline ends it.
		if n := must[int](t)(db.Overrun(ctx, time.Now().Add(campaign.SendDeadline-5*time.Second))); n != 0 || w.state(t, live.Message) != campaign.Sending {
			t.Errorf("a takeover gave up %d live sends", n)
		}
		stale := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, campaign.ErrConflict) {
				t.Errorf("a stale leader may %s: %v", what, err)
			}
		}
		_, err = db.Release(ctx, w.epoch, []throttle.Decision{{Campaign: campaignKey(w.campaign.ID), At: now, N: 3, Limit: throttle.LimitRate, Sentence: "test"}})
		stale("release", err)
		for _, on := range []campaign.Event{campaign.Clear, campaign.Hold} {
			stale(string(on), db.Clear(ctx, w.epoch, campaign.Doubtful{Message: rings[0].Message, Attempt: 1}, on, ""))
		}
		now = now.AddDate(0, 0, 8)
		stale("remind", db.Finish(ctx, w.epoch))
		w.move(t, campaign.Pause)
		_, err = db.Recall(ctx, w.epoch)
		stale("recall", err)
		w.move(t, campaign.Stop)
		stale("expire", db.Finish(ctx, w.epoch))
		if after := w.checkCounters(t); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("it changed %v into %v", before, after)
		}
		w.record(t, live, campaign.Outcome{Event: campaign.Accept, SID: "SM2"})
		if s := w.state(t, live.Message); s != campaign.Accepted {
			t.Errorf("what was being sent during the takeover is %s", s)
		}
	})
}

// The provider's reply is kept when the database takes nothing, through a restart if need be: it is evidence.
func TestRecord_databaseLost(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := must[*DB](t)(Open(ctx, cfg))
		w := launched(t, db, 3, nil)
		rings := w.release(t, 3)
		for _, r := range rings {
			w.claim(t, r)
		}
		must[int](t)(db.DrainJournal(ctx))
		mustWrite(t, db, `ALTER TABLE evidence RENAME TO evidence_away`)
		w.record(t, rings[0], campaign.Outcome{Event: campaign.Accept, SID: "SM0"})
		w.record(t, rings[0], campaign.Outcome{Event: campaign.Accept, SID: "SM0"}) // asynq may answer a ring twice
		if n, err := db.DrainJournal(ctx); n != 0 || err == nil {
			t.Errorf("%d records went into a database that takes none: %v", n, err)
		}
		if db.optOutsOwed() {
			t.Error("a reply counts as an opt-out: nobody else would be texted")
		}
		mustWrite(t, db, `ALTER TABLE evidence_away RENAME TO evidence`)
		if n := must[int](t)(db.DrainJournal(ctx)); n != 2 || w.state(t, rings[0].Message) != campaign.Accepted {
			t.Errorf("drained %d, and the message is %s", n, w.state(t, rings[0].Message))
		}
		mustWrite(t, db, `ALTER TABLE evidence RENAME TO evidence_away`)
		w.record(t, rings[1], campaign.Outcome{Event: campaign.Accept, SID: "SM1"})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, cfg)
		w.db = db
		mustWrite(t, db, `ALTER TABLE evidence_away RENAME TO evidence`)
		if n := must[int](t)(db.DrainJournal(ctx)); n == 0 || w.state(t, rings[1].Message) != campaign.Accepted {
			t.Errorf("after a restart drained %d, and the message is %s", n, w.state(t, rings[1].Message))
		}
		if sid := count(t, db, `SELECT COUNT(*) FROM message WHERE sid IN ('SM0', 'SM1')`); sid != 2 || w.alarms(t) != 0 {
			t.Errorf("%d ids, %d alarms", sid, w.alarms(t))
		}
		// Only when nothing can keep it is it an error, and then the dispatcher tries again.
		mustWrite(t, db, `ALTER TABLE evidence RENAME TO evidence_away`)
		db.journal.mu.Lock()
		db.journal.closed = true
		db.journal.mu.Unlock()
		if err := db.Record(ctx, rings[2], campaign.Outcome{Event: campaign.Accept, SID: "SM2"}); err == nil {
			t.Error("a reply was kept nowhere, without an error")
		}
		mustWrite(t, db, `ALTER TABLE evidence_away RENAME TO evidence`)
		w.checkCounters(t)
	})
}

// A reply of the journal whose message a restored backup does not know does not keep the rest of the journal from it.
func TestReplayJournal_replyOfAnUnknownMessage(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		w := launched(t, mustOpen(t, cfg), 1, nil)
		r := w.release(t, 1)[0]
		w.claim(t, r)
		mustWrite(t, w.db, `ALTER TABLE evidence RENAME TO evidence_away`)
		if err := w.db.Record(ctx, campaign.Ring{Message: 12345}, campaign.Outcome{Event: campaign.Accept, SID: "SM0"}); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("a reply for a message that never was: %v", err)
		}
		w.record(t, r, campaign.Outcome{Event: campaign.Accept, SID: "SM1"})
		mustWrite(t, w.db, `ALTER TABLE evidence_away RENAME TO evidence`, fmt.Sprintf(`DELETE FROM message WHERE id = %d`, r.Message))
		phone := must[person.Phone](t)(person.ParseMobile("07400000999"))
		if err := w.db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, w.db, `DELETE FROM suppression`)
		if err := w.db.ReplayJournal(ctx, 0); err != nil {
			t.Error(err)
		}
		if n := count(t, w.db, `SELECT COUNT(*) FROM suppression`); n != 1 {
			t.Errorf("%d opt-outs came back, want 1", n)
		}
	})
}

// A text whose outcome is unknown rests for the settle time; the second look comes no sooner than the time between looks after the first.
func TestUnknownRestsBeforeItIsLookedFor(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		machine := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
		cfg.Machine = func() time.Time { return machine }
		db := mustOpen(t, cfg)
		if db.Settle != campaign.DefaultSettle {
			t.Fatalf("texts rest for %s", db.Settle)
		}
		w := launched(t, db, 2, nil)
		rings := w.release(t, 2)
		r := rings[0]
		w.claim(t, r)
		lister := &looked{}
		s := campaign.Reconciler{Store: db, Lister: lister, Log: db.log, Settle: campaign.DefaultSettle, Again: campaign.DefaultAgain}
		after := func(d time.Duration, looks int, want campaign.MessageState) {
			t.Helper()
			machine = machine.Add(d)
			if err := s.Tick(ctx, w.epoch, machine); err != nil {
				t.Fatal(err)
			}
			if got := w.state(t, r.Message); lister.n != looks || got != want {
				t.Errorf("%d looks, and it is %s; want %d and %s", lister.n, got, looks, want)
			}
		}
		after(campaign.SendDeadline, 0, campaign.Sending)
		after(time.Millisecond, 0, campaign.Unknown) // the deadline is over
		after(campaign.DefaultSettle-time.Millisecond, 0, campaign.Unknown)
		after(time.Millisecond, 1, campaign.Unknown)
		after(campaign.DefaultAgain-time.Millisecond, 1, campaign.Unknown)
		after(time.Millisecond, 2, campaign.Planned)
		// The same for one of which the gateway lost sight.
		lister.n, r = 0, rings[1]
		w.claim(t, r)
		w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		after(campaign.DefaultSettle-time.Millisecond, 0, campaign.Unknown)
		after(time.Millisecond, 1, campaign.Unknown)
	})
}

// looked is a provider that has nothing, and counts.
type looked struct{ n int }

func (l *looked) List(context.Context, person.Phone) ([]campaign.Listed, error) {
	l.n++
	return nil, nil
}

// A text is looked for by the number and the token it was sent with, whatever the list says by now.
func TestUnknownIsLookedForByWhatWasSent(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		db.Settle = 0
		w := launched(t, db, 1, nil)
		r := w.release(t, 1)[0]
		sent := w.claim(t, r)
		w.record(t, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		patient := count(t, db, `SELECT patient FROM message WHERE id = $1`, int64(r.Message))
		moved, err := db.sealPerson("patient", patient, personDoc{Given: "Ann", Family: "Testperson", Phone: "+447400999999"})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.write(ctx, "a new number", func(tx *Tx) error {
			_, err := tx.Exec(`UPDATE patient SET person = $1 WHERE id = $2`, moved, patient)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		doubts := must[[]campaign.Doubtful](t)(db.Doubts(ctx, time.Now().Add(time.Hour), 10))
		if len(doubts) != 1 || doubts[0].To != sent.To || doubts[0].Token != link.In(sent.Body)[0] {
			t.Errorf("it would be looked for at another number, or by another token")
		}
	})
}
