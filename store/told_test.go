package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// callers are senders whose referrals a link worker calls.
type callers struct {
	*senders
	worker staff.Account
}

// newCallers opens a store in which n people have had their text. It is ten in the morning of a Monday in London.
func newCallers(tb testing.TB, cfg Config, n int) *callers {
	tb.Helper()
	c := &callers{senders: newSenders(tb, cfg, n)}
	c.worker = must[staff.Account](tb)(c.db.CreateAccount(context.Background(),
		staff.Account{Network: c.townsfolk.network.ID, Team: c.team.ID, Email: fmt.Sprintf("w%d@x.example", c.db.newID()), Name: "Wanda", Role: staff.LinkWorker}, "x"))
	return c
}

// referral sends the form of the ith person, who gives no other number.
func (c *callers) referral(i int, change func(*selfrefer.Form)) selfrefer.ReferralID {
	c.Helper()
	reference := c.send(i, func(f *selfrefer.Form) {
		f.Answers.Phone = ""
		if change != nil {
			change(f)
		}
	})
	return selfrefer.ReferralID(count(c, c.db, `SELECT id FROM referral WHERE reference = $1`, reference))
}

func (c *callers) act(id selfrefer.ReferralID, events ...selfrefer.Event) {
	c.Helper()
	for _, e := range events {
		if _, err := c.db.Act(context.Background(), c.worker, id, selfrefer.Contact{Event: e, Channel: "call"}); err != nil {
			c.Fatalf("%s: %v", e, err)
		}
	}
}

// tries claims a referral and tries to reach the person so many times.
func (c *callers) tries(id selfrefer.ReferralID, n int) {
	c.Helper()
	c.act(id, selfrefer.Claim)
	for range n {
		c.act(id, selfrefer.Attempt)
	}
}

// late tells who waits for longer, as the pacer does.
func (c *callers) late() []campaign.Ring {
	c.Helper()
	return must[[]campaign.Ring](c.TB)(c.db.TellLate(context.Background()))
}

// owedTo is the text of a kind that is owed to a referral; 0 if none is.
func (c *callers) owedTo(id selfrefer.ReferralID, kind campaign.Service) campaign.Ring {
	c.Helper()
	return campaign.Ring{Message: campaign.MessageID(count(c, c.db, `SELECT COALESCE(MAX(id), 0) FROM service_text WHERE referral = $1 AND kind = $2`, int64(id), string(kind)))}
}

// refused wants a claim to fail, and the text to stand where it then stands.
func (c *callers) refused(r campaign.Ring, state campaign.MessageState, code, why string) {
	c.Helper()
	if r.Message == 0 {
		c.Fatalf("%s: nothing is owed", why)
	}
	if _, err := c.db.Claim(context.Background(), r); !errors.Is(err, campaign.ErrTooLate) {
		c.Errorf("%s: claimed: %v", why, err)
	}
	if n := count(c, c.db, `SELECT COUNT(*) FROM service_text WHERE id = $1 AND state = $2 AND code = $3`, int64(r.Message), string(state), code); n != 1 {
		c.Errorf("%s: it is %s", why, c.service(r))
	}
}

// The third attempt owes one text, by day at once; the fourth owes no other.
func TestWeTried(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		c := newCallers(t, cfg, 6)
		id := c.referral(0, nil)
		c.rung = nil
		c.tries(id, 2)
		if len(c.rung) != 0 {
			t.Fatal("rung after two attempts")
		}
		c.act(id, selfrefer.Attempt)
		if len(c.rung) != 1 {
			t.Fatalf("three attempts rang %d times", len(c.rung))
		}
		c.act(id, selfrefer.Attempt, selfrefer.Release, selfrefer.Claim, selfrefer.Attempt)
		if n := count(t, c.db, `SELECT COUNT(*) FROM service_text WHERE kind = 'we_tried'`); n != 1 || len(c.rung) != 1 {
			t.Fatalf("five attempts owe %d texts and rang %d times", n, len(c.rung))
		}
		out := must[campaign.Outgoing](t)(c.db.Claim(ctx, c.rung[0]))
		if want := "We have tried to reach you and will try again. You can also ring us on 0151 496 0000. Test PCN"; out.Body != want {
			t.Errorf("it says %q", out.Body)
		}
		if out.To != c.phone(t, c.texts[0]) || out.ValidFor != 7*time.Hour || out.Segments != 1 || out.From != "TestPCN" {
			t.Errorf("claimed %+v", out)
		}
		c.must(c.db.Record(ctx, c.rung[0], campaign.Outcome{Event: campaign.Accept, SID: "SMtried"}))
		c.must(c.db.Adopt(ctx, campaign.Evidence{Message: out.Message, Attempt: 1, Event: campaign.Deliver, Kind: "callback", SID: "SMtried"}))
		texts := must[[]selfrefer.Text](t)(c.db.Texts(ctx, c.worker, id))
		if len(texts) != 2 || texts[0].Kind != selfrefer.TextConfirmation || texts[1].Kind != selfrefer.TextWeTried || texts[1].State != "delivered" || !texts[1].At.Equal(c.now) {
			t.Errorf("the desk sees %+v", texts)
		}
		v := c.checkServices()
		if v.ServiceCost != 2*240 { // the confirmation waits to be sent
			t.Errorf("two texts cost %d", v.ServiceCost)
		}
		elsewhere := must[staff.Network](t)(c.db.CreateNetwork(ctx, staff.Network{Name: "Far"}))
		if _, err := c.db.Texts(ctx, staff.Account{ID: 9, Network: elsewhere.ID, Role: staff.LinkWorker}, id); !errors.Is(err, selfrefer.ErrNotFound) {
			t.Errorf("another network reads the texts: %v", err)
		}

		// In the evening it waits for the next morning, and a process that was away then lets it be.
		c.now = time.Date(2026, 6, 1, 16, 50, 0, 0, time.UTC) // ten to six in London
		evening, missed := c.referral(1, nil), c.referral(2, nil)
		c.rung = nil
		c.tries(evening, 3)
		c.tries(missed, 3)
		night := c.owedTo(evening, campaign.WeTried)
		if s := c.service(night); s != campaign.Planned || len(c.rung) != 0 {
			t.Errorf("in the evening it is %s and rang %d times", s, len(c.rung))
		}
		c.checkServices()
		later := func() time.Time { return time.Now().Add(time.Hour) }
		for _, hour := range []int{18, 23, 24 + 2, 24 + 7} {
			c.now = time.Date(2026, 6, 1, hour, 59, 0, 0, time.UTC)
			for _, r := range must[[]campaign.Ring](t)(c.db.OverdueServices(ctx, later(), 100)) {
				if r.Message == night.Message {
					t.Errorf("rung at %v", c.now)
				}
			}
			if _, err := c.db.Claim(ctx, night); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("claimed at %v: %v", c.now, err)
			}
		}
		c.now = time.Date(2026, 6, 2, 8, 0, 0, 0, time.UTC) // nine in London
		rings := must[[]campaign.Ring](t)(c.db.OverdueServices(ctx, time.Now().Add(-time.Hour), 100))
		if len(rings) != 2 || rings[0].Message != night.Message {
			t.Fatalf("in the morning: %v", rings)
		}
		if out := must[campaign.Outgoing](t)(c.db.Claim(ctx, rings[0])); out.ValidFor != 8*time.Hour {
			t.Errorf("valid for %s", out.ValidFor)
		}
		c.now = time.Date(2026, 6, 2, 16, 0, 0, 0, time.UTC) // five
		c.refused(rings[1], campaign.Expired, "too_late", "after the hours")
		c.checkServices()
	})
}

// Whoever is not beyond doubt the one who said yes gets nothing, and the desk says why.
func TestWeTried_whoGetsNone(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		c := newCallers(t, cfg, 12)
		for i, k := range []struct {
			why    selfrefer.NoText
			change func(*selfrefer.Form)
		}{
			{selfrefer.TextUnsafe, func(f *selfrefer.Form) { f.Answers.TextSafe = selfrefer.SafeNo }},
			{selfrefer.TextUnsafe, func(f *selfrefer.Form) { f.Answers.TextSafe = selfrefer.SafeUnasked }},
			{selfrefer.TextForOther, func(f *selfrefer.Form) { f.Answers.ForOther = true }},
			{selfrefer.TextUnproven, func(f *selfrefer.Form) { f.Answers.BirthDate = "1/1/1999" }},
			{selfrefer.TextUrgent, func(f *selfrefer.Form) { f.Answers.Words = "I want to die" }},
			{selfrefer.TextOther, func(f *selfrefer.Form) { f.Answers.Phone = "07700 900123" }},
			{selfrefer.TextOther, func(f *selfrefer.Form) { f.Answers.Phone = "my sister's" }},
		} {
			id := c.referral(i, k.change)
			c.rung = nil
			c.tries(id, 4)
			if len(c.rung) != 0 || c.owedTo(id, campaign.WeTried).Message != 0 {
				t.Errorf("%s: a text", k.why)
			}
			texts := must[[]selfrefer.Text](t)(c.db.Texts(ctx, c.worker, id))
			if n := len(texts); n == 0 || texts[n-1] != (selfrefer.Text{Kind: selfrefer.TextWeTried, Code: string(k.why)}) {
				t.Errorf("%s: the desk sees %+v", k.why, texts)
			}
		}
		general := c.referral(7, func(f *selfrefer.Form) {
			f.TokenHash, f.Source, f.Answers.Phone = nil, selfrefer.ByGeneral, "07700 900124"
		})
		c.tries(general, 3)
		c.must(c.db.SetTextBack(ctx, c.townsfolk.network.ID, false))
		c.db.senders.Clear()
		off := c.referral(8, nil)
		c.tries(off, 3)
		if n := count(t, c.db, `SELECT COUNT(*) FROM service_text WHERE kind <> 'confirmation'`); n != 0 {
			t.Errorf("%d texts", n)
		}
		c.must(c.db.SetTextBack(ctx, c.townsfolk.network.ID, true))
		c.db.senders.Clear()
		same := c.referral(9, func(f *selfrefer.Form) { f.Answers.Phone = c.phone(t, c.texts[9]).Reveal() })
		c.tries(same, 3)
		if c.owedTo(same, campaign.WeTried).Message == 0 {
			t.Error("who typed the number that was invited gets none")
		}
		c.checkServices()
	})
}

// What was true at the third attempt need not be true any more when the text would leave.
func TestWeTried_claimChecksAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		c := newCallers(t, cfg, 12)
		n := 0
		tried := func() (selfrefer.ReferralID, campaign.Ring) {
			id := c.referral(n, nil)
			n++
			c.tries(id, 3)
			return id, c.owedTo(id, campaign.WeTried)
		}
		reply := func(i int, id, words string) {
			r := selfrefer.Receiver{Keeper: c.db, Undoer: c.db, Now: func() time.Time { return c.now }}
			c.must(r.Reply(ctx, selfrefer.Reply{ID: id, Network: c.townsfolk.network.ID, From: c.phone(t, c.texts[i]), Body: words}))
		}
		id, ring := tried()
		c.act(id, selfrefer.StartSupport)
		c.refused(ring, campaign.Expired, "reached", "reached")
		id, ring = tried()
		c.act(id, selfrefer.GiveUp)
		c.refused(ring, campaign.Expired, "over", "given up")
		_, ring = tried()
		c.must(c.db.OptOut(ctx, selfrefer.OptOut{Network: c.townsfolk.network.ID, Phone: c.phone(t, c.texts[2]), Why: selfrefer.WhyStop, At: c.now}))
		c.refused(ring, campaign.Suppressed, "opted_out", "opted out")
		_, ring = tried()
		reply(3, "danger", "he hits me")
		c.refused(ring, campaign.Expired, "wrote_again", "a danger word in a later reply")
		_, ring = tried()
		reply(4, "who", "who is this? wrong number")
		c.refused(ring, campaign.Expired, "wrote_again", "the wrong number")
		id, ring = tried()
		c.write(t, `UPDATE referral SET urgent = $1 WHERE id = $2`, true, int64(id))
		c.refused(ring, campaign.Expired, "urgent", "urgent by now")
		id, ring = tried()
		c.write(t, `UPDATE referral SET attempts = 2 WHERE id = $1`, int64(id)) // as an undo leaves it
		c.refused(ring, campaign.Expired, "fewer_tries", "an attempt was taken back")
		_, ring = tried()
		c.must(c.db.SetTextBack(ctx, c.townsfolk.network.ID, false))
		c.db.senders.Clear()
		c.refused(ring, campaign.Expired, "switched_off", "switched off")
		c.must(c.db.SetTextBack(ctx, c.townsfolk.network.ID, true))
		c.db.senders.Clear()
		// A reply that is done with still counts: it may have said that this is the wrong number.
		id, ring = tried()
		reply(8, "thanks", "thanks")
		c.write(t, `UPDATE referral SET state = 'closed' WHERE source = 'reply' AND state = 'new'`)
		c.refused(ring, campaign.Expired, "wrote_again", "a reply that is closed")
		// A quarantine leaves what may have left, and afterwards nothing more is owed to referrals of before.
		_, ring = tried()
		c.must(c.db.Begin(ctx, campaign.Restored))
		c.refused(ring, campaign.Unknown, "restored", "in a quarantine")
		must[int](t)(c.db.doubtServices(ctx))
		mustWrite(t, c.db, `DELETE FROM meta WHERE key = 'quarantine'`)
		mustWrite(t, c.db, fmt.Sprintf(`DELETE FROM service_text WHERE referral = %d`, id)) // as in a backup of before
		c.write(t, `UPDATE referral SET state = 'duplicate' WHERE source = 'reply'`)
		c.act(id, selfrefer.Attempt)
		if c.owedTo(id, campaign.WeTried).Message != 0 {
			t.Error("a text is owed that may have left in a life of the database that is forgotten")
		}
	})
}

func (c *callers) write(t *testing.T, query string, args ...any) {
	t.Helper()
	c.must(c.db.write(context.Background(), "test", func(tx *Tx) error { _, err := tx.Exec(query, args...); return err }))
}

// Two hours before the promised day is over, whoever still waits is told the new one: once, by whichever process looks first.
func TestTellLate(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		c := newCallers(t, cfg, 12)
		monday, tuesday := c.now, func(hour, minute int) time.Time { return time.Date(2026, 6, 2, hour-1, minute, 0, 0, time.UTC) }
		c.db.ContactBy = func(_ staff.TeamID, now time.Time) time.Time { // the day after, at five
			return c.db.Calendar.Midnight(now).AddDate(0, 0, 1).Add(17 * time.Hour)
		}
		// Two days promised at ten on Monday: until ten on Wednesday; but all were told Tuesday, and one no day.
		for i := range 10 {
			c.referral(i, func(f *selfrefer.Form) {
				if i == 1 {
					f.Answers.TextSafe = selfrefer.SafeNo
				}
				if i == 2 {
					f.Answers.Words = "I want to die"
				}
			})
		}
		var ids []int64
		c.must(c.db.read(ctx, "test", func(tx *Tx) (err error) {
			ids, err = list(tx, func(r scanner, id *int64) error { return r.Scan(id) }, `SELECT id FROM referral ORDER BY id`)
			return err
		}))
		c.write(t, `UPDATE referral SET due_at = $1`, tuesday(11, 0).UnixMilli())
		c.write(t, `UPDATE referral SET contact_by = 0 WHERE id = $1`, ids[3])
		for _, quiet := range []time.Time{monday, tuesday(8, 0), tuesday(8, 59)} {
			c.now = quiet
			if r := c.late(); len(r) != 0 {
				t.Errorf("told at %v: %v", quiet, r)
			}
		}
		c.now = tuesday(9, 0)
		if r := c.late(); len(r) != 1 || r[0].Message != c.owedTo(selfrefer.ReferralID(ids[3]), campaign.RunningLate).Message {
			t.Errorf("whose promise ends at eleven: %v", r)
		}
		c.now = tuesday(14, 59)
		if r := c.late(); len(r) != 0 {
			t.Errorf("told too soon: %v", r)
		}
		// One has been reached, one was tried three times, one is just being called, and for one the day is still good.
		c.act(selfrefer.ReferralID(ids[4]), selfrefer.Claim, selfrefer.StartSupport)
		c.tries(selfrefer.ReferralID(ids[5]), 3)
		c.act(selfrefer.ReferralID(ids[6]), selfrefer.Claim)
		c.now = tuesday(15, 0)
		kept := c.db.ContactBy
		c.db.ContactBy = func(staff.TeamID, time.Time) time.Time { return tuesday(17, 0) }
		if r := c.late(); len(r) != 0 {
			t.Errorf("told although the forecast keeps the day: %v", r)
		}
		c.db.ContactBy = kept
		second := mustOpen(t, c.db.cfg) // another process
		second.ContactBy = kept
		var mu sync.Mutex
		var all []campaign.Ring
		var both sync.WaitGroup
		for i := range 4 {
			both.Go(func() {
				r, err := []*DB{c.db, second}[i%2].TellLate(ctx)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, r...)
			})
		}
		both.Wait()
		if len(all) != 4 { // the first, and the last three
			t.Fatalf("four at once told %d", len(all))
		}
		for _, i := range []int{1, 2, 4, 5, 6} {
			if c.owedTo(selfrefer.ReferralID(ids[i]), campaign.RunningLate).Message != 0 {
				t.Errorf("number %d is told", i)
			}
		}
		ring := c.owedTo(selfrefer.ReferralID(ids[0]), campaign.RunningLate)
		out := must[campaign.Outgoing](t)(c.db.Claim(ctx, ring))
		if want := "We need a little longer. You will hear from us by Wednesday 3 June. Test PCN"; out.Body != want || out.ValidFor != 2*time.Hour {
			t.Errorf("it says %q, valid for %s", out.Body, out.ValidFor)
		}
		// Claimed between the decision and the claim.
		c.act(selfrefer.ReferralID(ids[7]), selfrefer.Claim)
		c.refused(c.owedTo(selfrefer.ReferralID(ids[7]), campaign.RunningLate), campaign.Expired, "in_hand", "somebody calls")
		c.act(selfrefer.ReferralID(ids[8]), selfrefer.Claim, selfrefer.Close)
		c.refused(c.owedTo(selfrefer.ReferralID(ids[8]), campaign.RunningLate), campaign.Expired, "reached", "reached meanwhile")
		// Half an hour later nobody calls any more. Without a forecast there is no day in it.
		c.db.ContactBy = nil
		c.now = tuesday(15, 30)
		rings := c.late()
		if len(rings) != 1 || rings[0].Message != c.owedTo(selfrefer.ReferralID(ids[6]), campaign.RunningLate).Message {
			t.Fatalf("half an hour after a claim: %v", rings)
		}
		if out := must[campaign.Outgoing](t)(c.db.Claim(ctx, rings[0])); out.Body != "We need a little longer. You will hear from us as soon as we can. Test PCN" {
			t.Errorf("it says %q", out.Body)
		}
		if r := c.late(); len(r) != 0 {
			t.Errorf("told again: %v", r)
		}
		c.checkServices()
	})
}

// However many wait, those whose day is nearly over are found by an index.
func TestTellLate_plan(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		err := db.write(context.Background(), "test", func(tx *Tx) error {
			explain := `EXPLAIN QUERY PLAN `
			if db.engine == enginePostgres {
				if _, err := tx.Exec(`SET LOCAL enable_seqscan = off`); err != nil { // the table is empty
					return err
				}
				explain = `EXPLAIN `
			}
			rows, err := tx.Query(explain+lateOnes, 1, 2, 3, false, selfrefer.Tries, string(campaign.RunningLate), lateChunk)
			if err != nil {
				return err
			}
			defer rows.Close()
			var plan strings.Builder
			for rows.Next() {
				var line string
				var n any
				to := []any{&line}
				if db.engine == engineSQLite {
					to = []any{&n, &n, &n, &line}
				}
				if err := rows.Scan(to...); err != nil {
					return err
				}
				plan.WriteString(line + "\n")
			}
			if p := plan.String(); !strings.Contains(p, "referral_told") || strings.Contains(p, "Sort") || strings.Contains(p, "TEMP B-TREE") {
				t.Errorf("the plan is %s", p)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// More than one chunk of those who may not be told does not stand in the way of those who may, and too short a rest of the day tells nobody.
func TestTellLate_many(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		const n = lateChunk + 6
		c := newCallers(t, cfg, n)
		for i := range n {
			c.referral(i, func(f *selfrefer.Form) {
				if i < n-3 {
					f.Answers.TextSafe = selfrefer.SafeNo
				}
			})
		}
		c.db.ContactBy = nil
		c.write(t, `UPDATE referral SET due_at = $1, contact_by = $1`, time.Date(2026, 6, 2, 16, 0, 0, 0, time.UTC).UnixMilli())
		c.now = time.Date(2026, 6, 2, 15, 50, 0, 0, time.UTC)
		if r := c.late(); len(r) != 0 {
			t.Errorf("told ten minutes before the hours end: %v", r)
		}
		c.now = c.now.Add(-10 * time.Minute)
		if r := c.late(); len(r) != 3 {
			t.Errorf("%d told, want 3", len(r))
		}
		c.checkServices()
	})
}

// Once an opt-out is acknowledged, nothing that goes by itself is claimed.
func TestWeTried_optOutRacesClaim(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		const n = 30
		c := newCallers(t, cfg, n)
		for i := range n {
			id := c.referral(i, nil)
			c.tries(id, 3)
			r, phone := c.owedTo(id, campaign.WeTried), c.phone(t, c.texts[i])
			var atAnswer campaign.MessageState
			var both sync.WaitGroup
			both.Go(func() {
				if err := c.db.OptOut(context.Background(), selfrefer.OptOut{Network: c.townsfolk.network.ID, Phone: phone, Why: selfrefer.WhyStop, At: c.now}); err != nil {
					t.Error(err)
				}
				atAnswer = c.service(r)
			})
			both.Go(func() {
				time.Sleep(time.Duration(i%8) * 200 * time.Microsecond)
				if _, err := c.db.Claim(context.Background(), r); err != nil && !errors.Is(err, campaign.ErrTooLate) {
					t.Error(err)
				}
			})
			both.Wait()
			if got := c.service(r); got == campaign.Sending && atAnswer != campaign.Sending || got != campaign.Sending && got != campaign.Suppressed {
				t.Errorf("it is %s, and was %s when the opt-out was answered", got, atAnswer)
			}
		}
		c.checkServices()
	})
}

// Whatever link workers do and however often the pacer looks, a referral is owed at most one text of each kind, none of them leaves at night or
// to somebody who has been reached, and the counters are right.
func TestTexts_atMostOne(t *testing.T) {
	c := newCallers(t, testConfig(t), 200)
	ctx := context.Background()
	c.db.ContactBy = func(_ staff.TeamID, now time.Time) time.Time {
		return c.db.Calendar.Midnight(now).AddDate(0, 0, 2).Add(17 * time.Hour)
	}
	used := 0
	rapid.Check(t, func(rt *rapid.T) {
		if used == 200 {
			return
		}
		c.now = testCivil // else the links run out
		id := c.referral(used, nil)
		used++
		left := map[campaign.Service]int{}
		c.now = c.now.Add(rapid.SampledFrom([]time.Duration{0, 53 * time.Hour, 53 * time.Hour}).Draw(rt, "first looked at after")) // the last is when the day is nearly over
		for range rapid.IntRange(10, 24).Draw(rt, "steps") {
			c.now = c.now.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 7 * time.Hour}).Draw(rt, "passed"))
			switch e := rapid.SampledFrom([]selfrefer.Event{selfrefer.Claim, selfrefer.Claim, selfrefer.Attempt, selfrefer.Attempt, selfrefer.Attempt, selfrefer.Attempt,
				selfrefer.Attempt, selfrefer.Release, selfrefer.Decline, "late", "late", "send", "send", "send"}).Draw(rt, "event"); e {
			case "late":
				c.late()
			case "send":
				must[[]campaign.Ring](t)(c.db.OverdueServices(ctx, time.Now().Add(-time.Hour), 1000))
				for _, kind := range []campaign.Service{campaign.WeTried, campaign.RunningLate} {
					reached := count(t, c.db, `SELECT COUNT(*) FROM referral WHERE id = $1 AND state NOT IN ('new', 'claimed', 'contacting')`, int64(id)) > 0
					r := c.owedTo(id, kind)
					if _, err := c.db.Claim(ctx, r); err == nil {
						left[kind]++
						if hour := c.now.Add(time.Hour).Hour(); hour < 9 || hour >= 17 || reached {
							rt.Fatalf("%s left at %v, reached: %v", kind, c.now, reached)
						}
					} else if r.Message != 0 && !errors.Is(err, campaign.ErrTooLate) {
						rt.Fatal(err)
					}
				}
			default:
				_, err := c.db.Act(ctx, c.worker, id, selfrefer.Contact{Event: e, Channel: "call"})
				if err != nil && !errors.Is(err, selfrefer.ErrNotNow) && !errors.Is(err, selfrefer.ErrTaken) {
					rt.Fatal(err)
				}
			}
		}
		for kind, n := range left {
			if n > 1 {
				rt.Fatalf("%s left %d times", kind, n)
			}
		}
		if n := count(t, c.db, `SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) AS n FROM service_text GROUP BY referral, kind) AS k`); n > 1 {
			rt.Fatalf("a referral is owed %d texts of a kind", n)
		}
	})
	c.checkServices()
	for _, kind := range []campaign.Service{campaign.WeTried, campaign.RunningLate} {
		if n := count(t, c.db, `SELECT COUNT(*) FROM service_text WHERE kind = $1 AND attempt > 0`, string(kind)); n < 2 {
			t.Errorf("only %d texts of %s left: nothing was tried", n, kind)
		}
	}
}

// No log and no column of a text that goes by itself holds a number.
func TestWeTried_noPersonalData(t *testing.T) {
	cfg := testConfig(t)
	var log strings.Builder
	cfg.Logger = textLogger(&log)
	c := newCallers(t, cfg, 1)
	id := c.referral(0, nil)
	c.tries(id, 3)
	phone := c.phone(t, c.texts[0]).Reveal()
	if n := count(t, c.db, `SELECT COUNT(*) FROM service_text WHERE INSTR(HEX(frozen), HEX($1)) > 0 OR INSTR(code, $1) > 0`, phone); n != 0 || strings.Contains(log.String(), phone) {
		t.Error("the number can be read")
	}
}
