package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// senders are townsfolk whose texts are on their phones, and who send the form.
type senders struct {
	*townsfolk
	testing.TB
	now   time.Time // civil
	texts []campaign.Ring
	rung  []campaign.Ring // of texts back, by the store itself
}

// newSenders opens a store in which n people have had their text.
func newSenders(tb testing.TB, cfg Config, n int) *senders {
	tb.Helper()
	a := &senders{TB: tb, now: testCivil}
	cfg.Now = func() time.Time { return a.now }
	db := mustOpen(tb, cfg)
	a.townsfolk = launched(tb, db, n, nil)
	a.serve(db)
	a.texts = a.release(tb, n)
	for i, r := range a.texts {
		must[campaign.Outgoing](tb)(db.Claim(context.Background(), r))
		a.must(db.Record(context.Background(), r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", i)}))
	}
	return a
}

// serve goes on with a database.
func (a *senders) serve(db *DB) {
	a.db, a.rung = db, nil
	db.ContactBy = func(staff.TeamID, time.Time) time.Time { return time.Date(2026, 6, 2, 22, 59, 0, 0, time.UTC) } // still Tuesday in London
	var mu sync.Mutex
	db.Ring = func(r campaign.Ring) {
		mu.Lock()
		defer mu.Unlock()
		a.rung = append(a.rung, r)
	}
}

func (a *senders) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

func (a *senders) form(i int, change func(*selfrefer.Form)) selfrefer.Form {
	f := selfrefer.Form{ID: fmt.Sprint("form", i), Network: a.network.ID, Source: selfrefer.ByLink, TokenHash: link.Mint(a.db.sealer.linkKey(), int64(a.texts[i].Message)).Hash(),
		Answers: selfrefer.Answers{BirthDate: "15/06/1950", TextSafe: selfrefer.SafeYes, Phone: "07700 900123", Agreed: true}}
	if change != nil {
		change(&f)
	}
	return f
}

// send sends the form of the ith person and gives its reference.
func (a *senders) send(i int, change func(*selfrefer.Form)) string {
	a.Helper()
	r := selfrefer.Receiver{Keeper: a.db, Now: func() time.Time { return a.now }}
	rc, err := r.Receive(context.Background(), a.form(i, change))
	a.must(err)
	return rc.Reference
}

// owed are the rings of texts back that the ith person's form has brought: none or one.
func (a *senders) owed(i int, change func(*selfrefer.Form)) campaign.Ring {
	a.Helper()
	before := len(a.rung)
	a.send(i, change)
	if len(a.rung) == before {
		return campaign.Ring{}
	}
	if len(a.rung) != before+1 {
		a.Fatalf("one form rang %d times", len(a.rung)-before)
	}
	return a.rung[before]
}

func (a *senders) service(r campaign.Ring) (s campaign.MessageState) {
	a.Helper()
	a.must(a.db.read(context.Background(), "test", func(tx *Tx) error {
		return tx.QueryRow(`SELECT state FROM service_text WHERE id = $1`, int64(r.Message)).Scan((*string)(&s))
	}))
	return s
}

// checkServices compares the counters of texts back with their rows, and sees that none has touched the funnel.
func (a *senders) checkServices() campaign.View {
	a.Helper()
	a.checkCounters(a.TB)
	v := must[campaign.View](a.TB)(a.db.View(context.Background(), a.townsfolk.network.ID, a.campaign.ID))
	for _, s := range campaign.MessageStates {
		if n := count(a, a.db, `SELECT COUNT(*) FROM service_text WHERE state = $1`, string(s)); n != int64(v.Services[s]) {
			a.Errorf("%d texts back are %s, the counter says %d", n, s, v.Services[s])
		}
	}
	if n := count(a, a.db, `SELECT COALESCE(SUM(cost), 0) FROM service_text WHERE state NOT IN ('planned', 'suppressed', 'expired', 'rejected')`); n != v.ServiceCost {
		a.Errorf("texts back cost %d, the counter says %d", n, v.ServiceCost)
	}
	if n := count(a, a.db, `SELECT COUNT(*) FROM service_text WHERE frozen IS NOT NULL AND state NOT IN ('planned', 'released', 'sending')`); n != 0 {
		a.Errorf("%d texts back are over and still hold a number", n)
	}
	return v
}

// Who says that a text is safe gets one, to the number that was invited, once, and it is counted apart from what the pacer sends.
func TestConfirmation(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		a := newSenders(t, cfg, 8)
		invited := a.phone(t, a.texts[0])
		ledger := count(t, a.db, `SELECT COUNT(*) FROM contact`)
		before := must[campaign.Snapshot](t)(a.db.Snapshot(ctx, a.team.ID))
		funnel := a.checkServices()
		a.now = time.Date(2026, 6, 1, 22, 0, 0, 0, time.UTC) // eleven at night in London
		reference := a.send(0, nil)
		if len(a.rung) != 1 {
			t.Fatalf("rung %d times", len(a.rung))
		}
		for range 3 { // an impatient thumb, and one that comes back later
			if again := a.send(0, nil); again != reference {
				t.Errorf("references %s and %s", reference, again)
			}
		}
		if len(a.rung) != 1 {
			t.Errorf("one form sent again and again rang %d times", len(a.rung))
		}
		a.must(a.db.ReplayJournal(ctx, 0))
		if n := count(t, a.db, `SELECT COUNT(*) FROM service_text`); n != 1 {
			t.Fatalf("%d texts back for one form", n)
		}
		out := must[campaign.Outgoing](t)(a.db.Claim(ctx, a.rung[0]))
		if out.To != invited {
			t.Error("it does not go to the number that was invited")
		}
		if want := "Thank you. We have received this, ref " + reference + ". You will hear from us by Tuesday 2 June. Test PCN"; out.Body != want {
			t.Errorf("it says %q, want %q", out.Body, want)
		}
		if out.Segments != 1 || out.From != "TestPCN" || !out.Synthetic || out.Attempt != 1 || out.ValidFor != 15*time.Minute {
			t.Errorf("claimed %+v", out)
		}
		if _, err := a.db.Claim(ctx, a.rung[0]); !errors.Is(err, campaign.ErrTooLate) {
			t.Errorf("claimed twice: %v", err)
		}
		a.must(a.db.Record(ctx, a.rung[0], campaign.Outcome{Event: campaign.Accept, SID: "SMback"}))
		for _, on := range []campaign.Event{campaign.Deliver, campaign.ReportSent, campaign.Deliver} {
			a.must(a.db.Adopt(ctx, campaign.Evidence{Message: out.Message, Attempt: 1, Event: on, Kind: "callback", SID: "SMback"}))
		}
		if s := a.service(a.rung[0]); s != campaign.Delivered {
			t.Errorf("it is %s", s)
		}
		v := a.checkServices()
		if v.Services.Texts() != 1 || v.ServiceCost != 240 || v.Cost != funnel.Cost+240 {
			t.Errorf("%v texts back for %d, %d in all", v.Services, v.ServiceCost, v.Cost)
		}
		if n := count(t, a.db, `SELECT COUNT(*) FROM contact`); n != ledger {
			t.Errorf("the contact ledger has %d entries more", n-ledger)
		}
		after := must[campaign.Snapshot](t)(a.db.Snapshot(ctx, a.team.ID))
		was, is := before.State.Campaigns[0], after.State.Campaigns[0]
		if is.OnTheWay+1 != was.OnTheWay || is.SentToday != was.SentToday || is.Planned != was.Planned || is.Released != was.Released || is.Spent != was.Spent+240 {
			t.Errorf("the pacer sees %+v, and saw %+v", is, was) // one is on the way no more: its link was used
		}
		// A second id is two texts, and nobody may be texted twice.
		a.must(a.db.Adopt(ctx, campaign.Evidence{Message: out.Message, Event: campaign.Accept, Kind: "callback", SID: "SMtwice"}))
		a.must(a.db.Adopt(ctx, campaign.Evidence{Message: out.Message, Event: campaign.Deliver, Kind: "callback", SID: "SMtwice"}))
		if v := a.checkServices(); len(v.Alarms) != 1 || v.Alarms[0].Code != "two_sids" || len(v.Alarms[0].SIDs) != 2 {
			t.Errorf("alarms %+v", v.Alarms)
		}
	})
}

// Unasked means no text, and so does everything that leaves in doubt whose phone it would be.
func TestConfirmation_whoGetsNone(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		a := newSenders(t, cfg, 9)
		none := func(i int, why string, change func(*selfrefer.Form)) {
			t.Helper()
			if r := a.owed(i, change); r.Message != 0 {
				t.Errorf("%s: a text back", why)
			}
		}
		none(0, "not safe", func(f *selfrefer.Form) { f.Answers.TextSafe = selfrefer.SafeNo })
		none(1, "unasked", func(f *selfrefer.Form) { f.Answers.TextSafe = selfrefer.SafeUnasked })
		none(2, "for somebody else", func(f *selfrefer.Form) { f.Answers.ForOther = true })
		none(3, "a wrong birth date", func(f *selfrefer.Form) { f.Answers.BirthDate = "1/1/1999" })
		none(4, "without a link", func(f *selfrefer.Form) { f.TokenHash, f.Source = nil, selfrefer.ByGeneral })
		none(0, "a link that was used", func(f *selfrefer.Form) { f.ID = "second" })
		a.must(a.db.SetTextBack(ctx, a.network.ID, false))
		a.db.senders.Clear() // it counts within seconds
		none(5, "switched off", nil)
		a.must(a.db.SetTextBack(ctx, a.network.ID, true))
		a.db.senders.Clear()
		if n := count(t, a.db, `SELECT COUNT(*) FROM service_text`); n != 0 {
			t.Errorf("%d texts back", n)
		}
		if n := count(t, a.db, `SELECT COUNT(*) FROM referral`); n != 7 {
			t.Errorf("%d referrals, want 7: nothing keeps a form back", n)
		}
		urgent := a.owed(6, func(f *selfrefer.Form) { f.Answers.BirthDate, f.Answers.Words = "1/1/1999", "I want to die" })
		if urgent.Message == 0 {
			t.Error("an urgent one that says that a text is safe gets none")
		}
		arabic := a.owed(7, func(f *selfrefer.Form) { f.Answers.Pages = lang.Arabic })
		if out := must[campaign.Outgoing](t)(a.db.Claim(ctx, arabic)); !strings.Contains(out.Body, "الثلاثاء 2 يونيو") || out.Segments != 2 {
			t.Errorf("in Arabic: %q, %d parts", out.Body, out.Segments)
		}
		a.checkServices()
	})
}

// What was true when the form came need not be true any more when the text would leave.
func TestConfirmation_claimChecksAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		a := newSenders(t, cfg, 8)
		refused := func(r campaign.Ring, want campaign.MessageState, why string) {
			t.Helper()
			if r.Message == 0 {
				t.Fatalf("%s: nothing is owed", why)
			}
			if _, err := a.db.Claim(ctx, r); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("%s: claimed: %v", why, err)
			}
			if s := a.service(r); s != want {
				t.Errorf("%s: %s, want %s", why, s, want)
			}
		}
		r := a.owed(0, nil)
		a.must(a.db.OptOut(ctx, selfrefer.OptOut{Network: a.network.ID, Phone: a.phone(t, a.texts[0]), Why: selfrefer.WhyStop, At: a.now}))
		refused(r, campaign.Suppressed, "opted out")
		r = a.owed(1, nil)
		mustWrite(t, a.db, fmt.Sprintf(`INSERT INTO suppression (network, kind, ix, why, at) SELECT 1, 'nhs', nhs_ix, 'died', 0 FROM service_text WHERE id = %d`, r.Message))
		refused(r, campaign.Suppressed, "the person, in another network")
		r = a.owed(2, nil)
		mustWrite(t, a.db, fmt.Sprintf(`INSERT INTO suppression (network, kind, ix, why, at) SELECT 1, 'other kind', phone_ix, 'opted_out', 0 FROM service_text WHERE id = %d`, r.Message))
		refused(r, campaign.Suppressed, "a kind of opt-out that came later")
		r = a.owed(3, nil)
		a.now = a.now.Add(15 * time.Minute)
		refused(r, campaign.Expired, "too late")
		// A pause is about invitations: who has just sent the form is still answered.
		must[campaign.Campaign](t)(a.db.MoveCampaign(ctx, a.manager, a.campaign.ID, campaign.Pause))
		r = a.owed(4, nil)
		stale := r
		stale.Attempt = 1
		if _, err := a.db.Claim(ctx, stale); !errors.Is(err, campaign.ErrTooLate) {
			t.Errorf("a ring of another attempt claims: %v", err)
		}
		must[campaign.Outgoing](t)(a.db.Claim(ctx, r))
		if _, err := a.db.Claim(ctx, campaign.Ring{Message: 77 | serviceBit}); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("a forged ring: %v", err)
		}
		// Nobody knows what a database in quarantine has forgotten: what is owed may have left, and nothing more is owed.
		r = a.owed(5, nil)
		a.must(a.db.Begin(ctx, campaign.Restored))
		refused(r, campaign.Unknown, "in a quarantine")
		if r := a.owed(6, nil); r.Message != 0 {
			t.Error("a text back is owed in a quarantine")
		}
		a.checkServices()
	})
}

// Once an opt-out is acknowledged, no text back is claimed.
func TestConfirmation_optOutRacesClaim(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		const n = 60
		a := newSenders(t, cfg, n)
		for i := range n {
			r, phone := a.owed(i, nil), a.phone(t, a.texts[i])
			var atAnswer campaign.MessageState
			var both sync.WaitGroup
			both.Go(func() {
				if err := a.db.OptOut(context.Background(), selfrefer.OptOut{Network: a.network.ID, Phone: phone, Why: selfrefer.WhyStop, At: a.now}); err != nil {
					t.Error(err)
				}
				atAnswer = a.service(r)
			})
			both.Go(func() {
				time.Sleep(time.Duration(i%8) * 200 * time.Microsecond)
				if _, err := a.db.Claim(context.Background(), r); err != nil && !errors.Is(err, campaign.ErrTooLate) {
					t.Error(err)
				}
			})
			both.Wait()
			switch got := a.service(r); {
			case got == campaign.Sending && atAnswer != campaign.Sending:
				t.Error("claimed after an acknowledged opt-out")
			case got != campaign.Sending && got != campaign.Suppressed:
				t.Errorf("it is %s", got)
			}
		}
		a.checkServices()
	})
}

// Two taps at the same moment, and many who answer one ring: one text.
func TestConfirmation_oneOfMany(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		a := newSenders(t, cfg, 6)
		for i := range 6 {
			var taps sync.WaitGroup
			for range 6 {
				taps.Go(func() { a.send(i, nil) })
			}
			taps.Wait()
			if len(a.rung) != i+1 {
				t.Fatalf("%d forms rang %d times", i+1, len(a.rung))
			}
			var won atomic.Int32
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					if _, err := a.db.Claim(context.Background(), a.rung[i]); err == nil {
						won.Add(1)
					} else if !errors.Is(err, campaign.ErrTooLate) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 {
				t.Errorf("%d claims won", won.Load())
			}
		}
		if n := count(t, a.db, `SELECT COUNT(*) FROM service_text`); n != 6 {
			t.Errorf("%d texts back for 6 forms", n)
		}
		a.checkServices()
	})
}

// The process ends at each point between the form and the receipt. The text leaves once or not at all, and never twice.
func TestConfirmation_crashPoints(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		a := newSenders(t, cfg, 6)
		later := func() time.Time { return time.Now().Add(time.Hour) }
		again := func() []campaign.Ring {
			t.Helper()
			return must[[]campaign.Ring](t)(a.db.OverdueServices(ctx, later(), 100))
		}
		// Between the form and its ring: the bell is lost, and rung again.
		lost := a.owed(0, nil)
		if rings := must[[]campaign.Ring](t)(a.db.OverdueServices(ctx, time.Now().Add(-time.Minute), 100)); len(rings) != 0 {
			t.Errorf("rung again at once: %v", rings)
		}
		rings := again()
		if len(rings) != 1 || rings[0].Message != lost.Message || rings[0].Nth != 2 {
			t.Fatalf("a lost ring brings %v", rings)
		}
		must[campaign.Outgoing](t)(a.db.Claim(ctx, rings[0]))
		// After the intent, before or after the provider took it: nobody knows which, so it is not sent again.
		if n := must[int](t)(a.db.Overrun(ctx, later())); n != 1 {
			t.Errorf("%d overran", n)
		}
		if s := a.service(lost); s != campaign.Unknown {
			t.Errorf("after its deadline it is %s", s)
		}
		timeout := a.owed(1, nil)
		must[campaign.Outgoing](t)(a.db.Claim(ctx, timeout))
		a.must(a.db.Record(ctx, timeout, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}))
		s := campaign.Reconciler{Store: a.db, Lister: &listing{}, Log: a.db.log}
		for range 3 {
			a.must(s.Tick(ctx, a.epoch, later()))
		}
		if rings := again(); len(rings) != 0 {
			t.Errorf("rung again for what may have left: %v", rings)
		}
		for _, r := range []campaign.Ring{lost, timeout} {
			if s := a.service(r); s != campaign.Unknown {
				t.Errorf("after empty listings it is %s", s)
			}
			r.Attempt = 1
			if _, err := a.db.Claim(ctx, r); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("claimed again: %v", err)
			}
		}
		// The late reply and the callback are evidence.
		a.must(a.db.Record(ctx, lost, campaign.Outcome{Event: campaign.Accept, SID: "SMlate"}))
		a.must(a.db.Adopt(ctx, campaign.Evidence{Message: timeout.Message, Attempt: 1, Event: campaign.Deliver, Kind: "callback", SID: "SMheard"}))
		if a.service(lost) != campaign.Accepted || a.service(timeout) != campaign.Delivered {
			t.Errorf("evidence is not adopted: %s, %s", a.service(lost), a.service(timeout))
		}
		// A definite refusal that may pass: it goes again when that is over, as a new attempt; a late refusal of the old one counts for nothing.
		busy := a.owed(2, nil)
		must[campaign.Outgoing](t)(a.db.Claim(ctx, busy))
		a.must(a.db.Record(ctx, busy, campaign.Outcome{Event: campaign.Postpone, Code: "20429", After: time.Minute}))
		if rings := again(); len(rings) != 0 {
			t.Errorf("rung before the refusal has passed: %v", rings)
		}
		a.now = a.now.Add(time.Minute)
		if rings = again(); len(rings) != 1 || rings[0].Attempt != 1 {
			t.Fatalf("after a refusal: %v", rings)
		}
		must[campaign.Outgoing](t)(a.db.Claim(ctx, rings[0]))
		if err := a.db.Record(ctx, busy, campaign.Outcome{Event: campaign.Postpone, Code: "20429"}); !errors.Is(err, campaign.ErrTooLate) {
			t.Errorf("a zombie's refusal: %v", err)
		}
		a.must(a.db.Record(ctx, rings[0], campaign.Outcome{Event: campaign.Reject, Code: "21610", OptedOut: true}))
		if n := count(t, a.db, `SELECT COUNT(*) FROM suppression`); a.service(busy) != campaign.Rejected || n != 1 {
			t.Errorf("refused for good: %s, %d suppressions", a.service(busy), n)
		}
		// Too late for anybody: it expires instead of arriving at night.
		night := a.owed(3, nil)
		a.now = a.now.Add(time.Hour)
		if rings := again(); len(rings) != 0 || a.service(night) != campaign.Expired {
			t.Errorf("an hour later: %v, %s", rings, a.service(night))
		}
		// Weeks without a sender: hundreds expire, and do not stand in the way of the one that is of use.
		a.must(a.db.write(ctx, "test", func(tx *Tx) error {
			for i := range serviceChunk + 5 {
				_, err := tx.Exec(`
					INSERT INTO service_text (id, kind, referral, network, campaign, state, attempt, rings, not_before, expires_at, released_at, deadline, code, segments, cost, phone_ix, nhs_ix, sent_at)
					SELECT id + $1, 'old', $1, network, campaign, 'released', 0, 1, 0, 1, 0, 0, '', 1, 0, phone_ix, nhs_ix, 0
					FROM service_text
					WHERE id = $2`, i+1, int64(night.Message))
				if err != nil {
					return err
				}
			}
			return a.db.countService(tx, int64(a.campaign.ID), campaign.Released, serviceChunk+5, 0)
		}))
		fresh := a.owed(5, nil)
		if rings := again(); len(rings) != 1 || rings[0].Message != fresh.Message {
			t.Errorf("after weeks without a sender: %v", rings)
		}
		// The account is refused: that holds the campaign too.
		account := a.owed(4, nil)
		must[campaign.Outgoing](t)(a.db.Claim(ctx, account))
		a.must(a.db.Record(ctx, account, campaign.Outcome{Event: campaign.Reject, Code: "20003", Campaign: true}))
		if v := a.checkServices(); v.State != campaign.Paused || v.Held == "" {
			t.Errorf("the campaign is %s: %q", v.State, v.Held)
		}
	})
}

// A receipt of a text back that was lost is asked for.
func TestConfirmation_sweep(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		a := newSenders(t, cfg, 2)
		r := a.owed(0, nil)
		must[campaign.Outgoing](t)(a.db.Claim(ctx, r))
		a.must(a.db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: "SMback"}))
		provider := &ledgerOfSIDs{status: map[string]string{"SM0": "delivered", "SM1": "sent", "SMback": "sent"}}
		s := campaign.Sweeper{Store: a.db, Fetcher: provider, Lister: provider, Log: a.db.log}
		start := time.Now()
		a.must(s.Tick(ctx, start.Add(61*time.Minute)))
		if got := strings.Join(provider.asked, " "); strings.Count(got, "SMback") != 1 || a.service(r) != campaign.Sent {
			t.Errorf("asked for %q; it is %s", got, a.service(r))
		}
		provider.asked, provider.status["SMback"] = nil, "undelivered"
		a.must(s.Tick(ctx, start.Add(2*time.Hour)))
		if len(provider.asked) != 0 {
			t.Errorf("asked again for %q", provider.asked)
		}
		a.must(s.Tick(ctx, start.Add(6*time.Hour+time.Minute)))
		if a.service(r) != campaign.Undelivered {
			t.Errorf("it is %s", a.service(r))
		}
		a.checkServices()
	})
}

// A backup is put back: from before the form, from between the form and its text, and from after. The text is not sent again.
func TestConfirmation_restoredBackup(t *testing.T) {
	for _, moment := range []string{"before the form", "before the claim", "while it was sent"} {
		t.Run(moment, func(t *testing.T) {
			ctx := context.Background()
			cfg := testConfig(t)
			cfg.Serve = true
			a := &senders{TB: t, now: testCivil}
			cfg.Now = func() time.Time { return a.now }
			db := must[*DB](t)(Open(ctx, cfg))
			a.townsfolk = launched(t, db, 3, nil)
			a.serve(db)
			a.texts = a.release(t, 3)
			provider := &listing{}
			leave := func(r campaign.Ring) campaign.Outgoing {
				t.Helper()
				out := must[campaign.Outgoing](t)(a.db.Claim(ctx, r))
				provider.all = append(provider.all, campaign.Listed{SID: fmt.Sprint("SM", r.Message), To: out.To, Body: out.Body, Status: "sent", At: a.now})
				return out
			}
			for _, r := range a.texts {
				leave(r)
				a.must(a.db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", r.Message)}))
			}
			file := filepath.Join(cfg.DataDir, "wellpaced.db")
			var backup []byte
			at := func(m string) {
				if m != moment {
					return
				}
				rung := a.rung
				a.must(a.db.Close())
				backup = must[[]byte](t)(os.ReadFile(file))
				a.serve(must[*DB](t)(Open(ctx, cfg)))
				a.rung = rung
			}
			at("before the form")
			reference := a.send(0, nil)
			at("before the claim")
			leave(a.rung[0])
			at("while it was sent")
			a.must(a.db.Record(ctx, a.rung[0], campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", a.rung[0].Message)}))
			a.must(a.db.Close())
			a.must(os.WriteFile(file, backup, 0o600))

			a.serve(mustOpen(t, cfg))
			h := must[campaign.Halt](t)(a.db.Examine(ctx))
			if moment == "while it was sent" { // the backup knows the attempt, so nothing is missing from it: its deadline tells
				if h.On() {
					t.Fatalf("a quarantine: %s", h.Sentence())
				}
			} else if !h.On() {
				t.Fatal("the database has forgotten an attempt, and nothing notices")
			}
			if moment == "before the form" { // somebody taps again before the journal has told
				if again := a.send(0, nil); again != reference || len(a.rung) != 0 {
					t.Errorf("reference %s, then %s, and %d rings", reference, again, len(a.rung))
				}
			}
			q := campaign.Quarantine{Store: a.db, Record: provider, Leads: true, Holder: "test", Log: a.db.log, Machine: cfg.Machine}
			q.Tick(ctx)
			if h := must[campaign.Halt](t)(a.db.Examine(ctx)); h.On() {
				t.Fatalf("the quarantine goes on: %s", h.Sentence())
			}
			must[int](t)(a.db.Overrun(ctx, time.Now().Add(time.Hour)))
			must[int](t)(a.db.DrainJournal(ctx))
			a.send(0, nil)
			rings := append(must[[]campaign.Ring](t)(a.db.OverdueServices(ctx, time.Now().Add(time.Hour), 100)), a.rung...)
			for _, r := range rings {
				if _, err := a.db.Claim(ctx, r); err == nil {
					t.Error("texted again")
				}
			}
			if n := count(t, a.db, `SELECT COUNT(*) FROM referral WHERE reference = $1`, reference); n != 1 {
				t.Errorf("the referral is there %d times", n)
			}
			want := map[string]int64{"before the form": 0}[moment]
			if moment != "before the form" {
				want = 1
			}
			if n := count(t, a.db, `SELECT COUNT(*) FROM service_text WHERE state = 'unknown'`); n != want {
				t.Errorf("%d texts back are unknown, want %d", n, want)
			}
			a.epoch, _, _ = a.db.Lead(ctx, "test", time.Hour)
			a.checkServices()
		})
	}
}

// While the database refuses, the journal alone keeps a form. Its confirmation is not made up for when nobody waits for it any more.
func TestConfirmation_notFromTheJournal(t *testing.T) {
	ctx := context.Background()
	a := newSenders(t, testConfig(t), 2)
	mustWrite(t, a.db, `ALTER TABLE audit RENAME TO lost`)
	if r := a.owed(0, nil); r.Message != 0 {
		t.Error("rung for what the database has not taken")
	}
	mustWrite(t, a.db, `ALTER TABLE lost RENAME TO audit`)
	if n := must[int](t)(a.db.DrainJournal(ctx)); n != 1 {
		t.Errorf("%d records drained", n)
	}
	if n := count(t, a.db, `SELECT COUNT(*) FROM service_text`); n != 0 || len(a.rung) != 0 {
		t.Errorf("%d texts back, %d rings", n, len(a.rung))
	}
	if n := count(t, a.db, `SELECT COUNT(*) FROM referral`); n != 1 {
		t.Errorf("%d referrals", n)
	}
}

// Redacted or not, a text back in the provider's list is no text of a campaign that somebody has forgotten.
func TestConfirmation_inTheProvidersList(t *testing.T) {
	ctx := context.Background()
	a := newSenders(t, testConfig(t), 1)
	r := a.owed(0, nil)
	out := must[campaign.Outgoing](t)(a.db.Claim(ctx, r))
	a.must(a.db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: "SMback"}))
	before := count(t, a.db, `SELECT COUNT(*) FROM contact`)
	all := []campaign.Listed{{SID: "SMback", To: out.To, Body: out.Body, Status: "sent", At: a.now}, {SID: "SMback", To: out.To, Status: "sent", At: a.now}, {SID: "SMback", To: person.Phone{}, Status: "sent", At: a.now}}
	n, late, err := a.db.Forgotten(ctx, all)
	if err != nil || n != 0 || len(late) != 0 {
		t.Errorf("%d forgotten, %d late: %v", n, len(late), err)
	}
	if hidden := must[[]campaign.Listed](t)(a.db.Adopted(ctx, all)); len(hidden) != 0 {
		t.Errorf("%d hidden", len(hidden))
	}
	if n := count(t, a.db, `SELECT COUNT(*) FROM contact`); n != before {
		t.Errorf("the contact ledger has %d entries more", n-before)
	}
	if _, err := a.db.Release(ctx, a.epoch, []throttle.Decision{{Campaign: campaignKey(a.campaign.ID), N: 1}}); err != nil {
		t.Error(err)
	}
	if s := a.service(r); s != campaign.Accepted {
		t.Errorf("it is %s", s)
	}
}
