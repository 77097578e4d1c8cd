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
)

// sorry is a correction to all who were texted.
var sorry = campaign.Wording{Text: campaign.DefaultCorrection}

func (t *townsfolk) written(tb testing.TB, w campaign.Wording) campaign.Correction {
	tb.Helper()
	return must[campaign.Correction](tb)(t.db.WriteCorrection(context.Background(), t.manager, t.campaign.ID, w))
}

// corrects writes and approves a correction for so many people, and gives its first rings.
func (t *townsfolk) corrects(tb testing.TB, w campaign.Wording, people int) (campaign.Correction, []campaign.Ring) {
	tb.Helper()
	k := t.written(tb, w)
	k = must[campaign.Correction](tb)(t.db.ApproveCorrection(context.Background(), t.second, t.campaign.ID, k.ID, campaign.CorrectionApproval{Approval: campaign.Approval{People: people}}))
	return k, must[[]campaign.Ring](tb)(t.db.Correct(context.Background()))
}

func (t *townsfolk) correction(tb testing.TB) campaign.Correction {
	tb.Helper()
	return must[[]campaign.Correction](tb)(t.db.CampaignCorrections(context.Background(), t.network.ID, t.campaign.ID))[0]
}

// correctionState is the state of a text of a correction, by the message that it corrects; "" if there is none.
func (t *townsfolk) correctionState(tb testing.TB, k campaign.Correction, corrects campaign.MessageID) (s campaign.MessageState, code string) {
	tb.Helper()
	err := t.db.read(context.Background(), "test", func(tx *Tx) error {
		return notFound(tx.QueryRow(`SELECT state, code FROM service_text WHERE correction = $1 AND corrects = $2`, int64(k.ID), int64(corrects)).Scan((*string)(&s), &code), nil)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s, code
}

// checkCorrections compares the counters of corrections with their rows, and the campaign's money with both.
func (t *townsfolk) checkCorrections(tb testing.TB) {
	tb.Helper()
	t.checkCounters(tb)
	cost := int64(0)
	for _, k := range must[[]campaign.Correction](tb)(t.db.CampaignCorrections(context.Background(), t.network.ID, t.campaign.ID)) {
		for _, s := range campaign.MessageStates {
			if n := count(tb, t.db, `SELECT COUNT(*) FROM service_text WHERE correction = $1 AND state = $2`, int64(k.ID), string(s)); n != int64(k.Counts[s]) {
				tb.Errorf("%d texts of a correction are %s, the counter says %d", n, s, k.Counts[s])
			}
		}
		if n := count(tb, t.db, `SELECT COALESCE(SUM(cost), 0) FROM service_text WHERE correction = $1 AND state NOT IN ('planned', 'suppressed', 'expired', 'rejected')`, int64(k.ID)); n != k.Cost {
			tb.Errorf("a correction costs %d, the counter says %d", n, k.Cost)
		}
		cost += k.Cost
	}
	v := must[campaign.View](tb)(t.db.View(context.Background(), t.network.ID, t.campaign.ID))
	messages := count(tb, t.db, `SELECT COALESCE(SUM(cost), 0) FROM message WHERE campaign = $1 AND state NOT IN ('planned', 'suppressed', 'expired', 'rejected')`, int64(t.campaign.ID))
	if v.Cost != messages+cost+v.ServiceCost {
		tb.Errorf("the campaign costs %d: %d of messages, %d of corrections, %d of others", v.Cost, messages, cost, v.ServiceCost)
	}
	if n := count(tb, t.db, `SELECT COUNT(*) FROM (SELECT correction, phone_ix FROM service_text WHERE correction > 0 GROUP BY correction, phone_ix HAVING COUNT(*) > 1) AS twice`); n != 0 {
		tb.Errorf("%d numbers have two texts of a correction", n)
	}
}

// repaired are the rings of all that was released and never claimed.
func (t *townsfolk) repaired(tb testing.TB) []campaign.Ring {
	tb.Helper()
	late := time.Now().Add(time.Hour)
	rings := must[[]campaign.Ring](tb)(t.db.OverdueServices(context.Background(), late, 100))
	return append(rings, must[[]campaign.Ring](tb)(t.db.Overdue(context.Background(), late, 100))...)
}

// sent claims a text and has it accepted.
func (t *townsfolk) sent(tb testing.TB, r campaign.Ring) campaign.Outgoing {
	tb.Helper()
	out := must[campaign.Outgoing](tb)(t.db.Claim(context.Background(), r))
	if err := t.db.Record(context.Background(), r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", r.Message)}); err != nil {
		tb.Fatal(err)
	}
	return out
}

// Exactly those get a correction who have had the text, or may have, and who may be texted: in the order of this table.
func TestCorrection_whom(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 16, nil)
		rings := w.release(t, 14)
		adopt := func(on campaign.Event) func(campaign.Ring) {
			return func(r campaign.Ring) {
				w.sent(t, r)
				if err := db.Adopt(ctx, campaign.Evidence{Message: r.Message, Attempt: 1, Event: on, Kind: "callback", SID: fmt.Sprint("SM", r.Message)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		lose := func(r campaign.Ring) {
			must[campaign.Outgoing](t)(db.Claim(ctx, r))
			if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}); err != nil {
				t.Fatal(err)
			}
		}
		suppressed := func(kind, why string) func(campaign.Ring) {
			return func(r campaign.Ring) {
				w.sent(t, r)
				mustWrite(t, db, fmt.Sprintf(`INSERT INTO suppression (network, kind, ix, why, at) SELECT %d, '%s', %s, '%s', 0 FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = %d`,
					w.network.ID+1, kind, map[string]string{"phone": "m.phone_ix", "nhs": "p.nhs_ix"}[kind], why, r.Message))
			}
		}
		all := []struct {
			what string
			do   func(campaign.Ring)
			out  string // why they get none; "" if they get one, "-" if they were never texted
		}{
			{"accepted", func(r campaign.Ring) { w.sent(t, r) }, ""},
			{"sent", adopt(campaign.ReportSent), ""},
			{"delivered", adopt(campaign.Deliver), ""},
			{"being sent", func(r campaign.Ring) { must[campaign.Outgoing](t)(db.Claim(ctx, r)) }, ""},
			{"nobody knows", lose, ""},
			{"held", func(r campaign.Ring) {
				lose(r)
				if err := db.Clear(ctx, w.epoch, campaign.Doubtful{Message: r.Message, Attempt: 1}, campaign.Hold, campaign.HeldAgain); err != nil {
					t.Fatal(err)
				}
			}, ""},
			{"undelivered", adopt(campaign.Undeliver), campaign.NeverLeft},
			{"failed", adopt(campaign.Fail), campaign.NeverLeft},
			{"opted out, of another network", suppressed("phone", "opted_out"), "opted_out"},
			{"died", suppressed("nhs", "died"), "died"},
			{"a wrong number", suppressed("phone", "not_me"), "not_me"},
			{"on no fresh list", func(r campaign.Ring) {
				w.sent(t, r)
				mustWrite(t, db, fmt.Sprintf(`INSERT INTO taken_out (campaign, patient, why) SELECT campaign, patient, 'deceased' FROM message WHERE id = %d`, r.Message))
			}, "deceased"},
			{"refused", func(r campaign.Ring) {
				must[campaign.Outgoing](t)(db.Claim(ctx, r))
				if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.Reject, Code: "21211"}); err != nil {
					t.Fatal(err)
				}
			}, "-"},
			{"released", func(campaign.Ring) {}, "-"},
		}
		want := map[string]int{}
		people := 0
		for i, c := range all {
			c.do(rings[i])
			switch c.out {
			case "":
				people++
			case "-":
			default:
				want[c.out]++
			}
		}
		r := must[campaign.Reach](t)(db.CorrectionReach(ctx, w.network.ID, w.campaign.ID, sorry))
		if r.People != people || r.In[lang.English] != people || fmt.Sprint(r.Out) != fmt.Sprint(want) || r.Segments != people*2 || r.Cost != int64(r.Segments)*240 {
			t.Errorf("it reaches %+v, want %d and %v", r, people, want)
		}
		k, rung := w.corrects(t, sorry, people)
		if len(rung) != people {
			t.Errorf("rung for %d", len(rung))
		}
		for i, c := range all {
			state, _ := w.correctionState(t, k, rings[i].Message)
			if (state != "") != (c.out == "") {
				t.Errorf("%s: a text that is %q", c.what, state)
			}
		}
		for _, r := range rung { // what is not settled waits
			if _, err := db.Claim(ctx, r); err != nil && !errors.Is(err, campaign.ErrTooLate) {
				t.Error(err)
			}
		}
		for _, i := range []int{3, 4} {
			if s, code := w.correctionState(t, k, rings[i].Message); s != campaign.Planned || code != "unsettled" {
				t.Errorf("%s: %s %s", all[i].what, s, code)
			}
		}
		if s, _ := w.correctionState(t, k, rings[5].Message); s != campaign.Sending {
			t.Errorf("held: %s", s)
		}
		w.checkCorrections(t)
	})
}

// While somebody types how many people get a correction, people opt out: what they typed is held against what they were shown, as long as the
// mark that came with it is theirs, of these words and of this number. If it has grown, they look again.
func TestCorrection_shown(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		const n = campaign.OnePersonMost + 6
		w := launched(t, db, n, nil)
		rings := w.release(t, n)
		for _, r := range rings {
			w.sent(t, r)
		}
		optOut := func(r campaign.Ring) {
			mustWrite(t, db, fmt.Sprintf(`INSERT INTO suppression (network, kind, ix, why, at) SELECT %d, 'phone', phone_ix, 'opted_out', 0 FROM message WHERE id = %d`, w.network.ID, r.Message))
		}
		people := func(k campaign.Correction) int {
			return must[campaign.Reach](t)(db.CorrectionReach(ctx, w.network.ID, w.campaign.ID, k.Wording)).People
		}
		dropped := w.written(t, sorry)
		if err := db.StopCorrection(ctx, w.second, w.campaign.ID, dropped.ID); err != nil {
			t.Fatal(err)
		}
		k := w.written(t, sorry)
		approve := func(typed int, mark string) error {
			_, err := db.ApproveCorrection(ctx, w.second, w.campaign.ID, k.ID, campaign.CorrectionApproval{Approval: campaign.Approval{Hash: k.Hash(), People: typed}, Shown: mark})
			return err
		}
		optOut(rings[0])
		shown := people(k)
		if shown != n-1 {
			t.Fatalf("%d are shown", shown)
		}
		mark := db.MarkReach(w.second, k, shown)
		// Somebody who was put on the list of opt-outs by mistake is taken off it.
		mustWrite(t, db, `DELETE FROM suppression`)
		wantErr(t, approve(shown, mark), campaign.ErrMorePeople{Shown: n - 1, Now: n})
		shown = people(k)
		mark = db.MarkReach(w.second, k, shown)
		for _, r := range rings[:3] {
			optOut(r)
		}
		otherWords := k
		otherWords.Text += "!"
		for what, err := range map[string]error{
			"without a mark":                   approve(n, ""),
			"with a mark of nobody":            approve(n, strings.Repeat("0", len(mark))),
			"with the mark of another number":  approve(n-1, mark),
			"with that of somebody else":       approve(n, db.MarkReach(w.manager, k, n)),
			"with that of another correction":  approve(n, db.MarkReach(w.second, dropped, n)),
			"with that of another text":        approve(n, db.MarkReach(w.second, otherWords, n)),
			"with a part of it":                approve(n, mark[:len(mark)-1]),
			"without the number that it is of": approve(0, mark),
		} {
			if !errors.Is(err, campaign.ErrPeople) {
				t.Errorf("approved %s: %v", what, err)
			}
		}
		if err := approve(n, mark); err != nil {
			t.Fatalf("%d typed as shown, %d now: %v", n, people(k), err)
		}
		if rung := must[[]campaign.Ring](t)(db.Correct(ctx)); len(rung) != n-3 {
			t.Errorf("%d texts leave", len(rung))
		}
		w.checkCorrections(t)
	})
}

// A correction leaves once to each number, in the words that were approved, and is no text of the campaign: neither the pacer nor the contact
// ledger sees it. Its link opens the form of the text that it corrects.
func TestCorrection(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 12, nil)
		rings := w.release(t, 8)
		numbers := map[string]bool{}
		for _, r := range rings {
			numbers[w.sent(t, r).To.Reveal()] = true
		}
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, w.manager, w.campaign.ID, campaign.Stop))
		if err := db.Finish(ctx, w.epoch); err != nil {
			t.Fatal(err)
		}
		before, view := must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID)), must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID))
		ledger := count(t, db, `SELECT COUNT(*) FROM contact`)
		words := campaign.Wording{Text: "This is ((practice)). Our last text was wrong. Here is the form:\n((link))\nNo more texts: ((stop_link))"}
		k := w.written(t, words)
		if _, err := db.WriteCorrection(ctx, w.manager, w.campaign.ID, words); !errors.Is(err, campaign.ErrCorrecting) {
			t.Errorf("a second one at the same time: %v", err)
		}
		approve := func(who staff.Account, a campaign.CorrectionApproval) error {
			_, err := db.ApproveCorrection(ctx, who, w.campaign.ID, k.ID, a)
			return err
		}
		wantErr(t, approve(w.manager, campaign.CorrectionApproval{}), campaign.ErrCorrectionHands)
		wantErr(t, approve(w.second, campaign.CorrectionApproval{Approval: campaign.Approval{People: 7}}), campaign.ErrPeople)
		wantErr(t, approve(w.second, campaign.CorrectionApproval{Approval: campaign.Approval{Hash: "other"}}), campaign.ErrCorrectionOther)
		if n := count(t, db, `SELECT COUNT(*) FROM service_text`); n != 0 {
			t.Fatalf("%d texts of what nobody has approved", n)
		}
		if rung := must[[]campaign.Ring](t)(db.Correct(ctx)); len(rung) != 0 {
			t.Fatalf("rung %d times for what nobody has approved", len(rung))
		}
		now = time.Date(2026, 6, 1, 21, 0, 0, 0, time.UTC) // ten at night in London
		if err := approve(w.second, campaign.CorrectionApproval{Approval: campaign.Approval{Hash: k.Hash(), People: 8}}); err != nil {
			t.Fatal(err)
		}
		wantErr(t, approve(w.second, campaign.CorrectionApproval{}), campaign.ErrNotNow)
		if rung := must[[]campaign.Ring](t)(db.Correct(ctx)); len(rung) != 0 {
			t.Errorf("rung %d times at night", len(rung))
		}
		if rung := w.repaired(t); len(rung) != 0 {
			t.Errorf("the repair has rung %d times at night", len(rung))
		}
		now = testCivil.Add(24 * time.Hour)
		rung := must[[]campaign.Ring](t)(db.Correct(ctx))
		if again := must[[]campaign.Ring](t)(db.Correct(ctx)); len(rung) != 8 || len(again) != 0 {
			t.Fatalf("rung %d and %d times", len(rung), len(again))
		}
		if again := w.repaired(t); len(again) != 8 || again[0].Nth != 2 { // their bells were lost
			t.Errorf("the repair rings %d times", len(again))
		}
		for i, r := range rung {
			out := w.sent(t, r)
			if !numbers[out.To.Reveal()] {
				t.Error("it goes to a number that had no text, or to one twice")
			}
			delete(numbers, out.To.Reveal())
			practice := "First Surgery"
			if strings.Contains(out.Body, "Second") {
				practice = "Second Surgery"
			}
			token := link.Mint(db.sealer.linkKey(), int64(r.Message))
			want := fmt.Sprintf("This is %s. Our last text was wrong. Here is the form:\n%s\nNo more texts: %s", practice, link.URL("https://test.example", token), link.StopURL("https://test.example", token))
			if out.Body != want || out.From != "TestPCN" || !out.Synthetic || out.ValidFor != 7*time.Hour || out.Attempt != 1 {
				t.Errorf("claimed %+v, want the words %q", out, want)
			}
			if _, err := db.Claim(ctx, r); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("claimed twice: %v", err)
			}
			if i == 0 {
				in := must[selfrefer.Invitation](t)(db.Invitation(ctx, token.Hash()))
				if !in.Found || in.Practice.Name != practice {
					t.Errorf("its link leads to %+v", in)
				}
			}
		}
		must[[]campaign.Ring](t)(db.Correct(ctx))
		if k := w.correction(t); k.State != campaign.CorrectionDone || k.Counts[campaign.Accepted] != 8 || k.Cost == 0 || k.EndedAt.IsZero() {
			t.Errorf("in the end %+v", k)
		}
		after, then := must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID)), must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID))
		was, is := before.State.Campaigns[0], after.State.Campaigns[0]
		if is.OnTheWay != was.OnTheWay || is.SentToday != 0 || is.Planned != was.Planned || is.Spent != was.Spent+w.correction(t).Cost {
			t.Errorf("the pacer sees %+v, and saw %+v", is, was)
		}
		if then.State != campaign.Stopped || then.Counts.Texts() != view.Counts.Texts() || then.Services.Texts() != 0 || then.ServiceCost != 0 || then.Cost != view.Cost+w.correction(t).Cost {
			t.Errorf("the campaign's page shows %+v, and showed %+v", then, view)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM contact`); n != ledger {
			t.Errorf("the contact ledger has %d entries more", n-ledger)
		}
		// An answer by its link is an answer to the text that it corrects; and it has left, whatever is said of it later.
		message := count(t, db, `SELECT corrects FROM service_text WHERE id = $1`, int64(rung[0].Message))
		rc := selfrefer.Receiver{Keeper: db, Now: cfg.Now}
		_, err := rc.Receive(ctx, selfrefer.Form{ID: "f", Network: w.network.ID, Source: selfrefer.ByLink, TokenHash: link.Mint(db.sealer.linkKey(), int64(rung[0].Message)).Hash(),
			Answers: selfrefer.Answers{BirthDate: "15/06/1950", Agreed: true}})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM referral WHERE message = $1 AND lane = 'verified'`, message); n != 1 {
			t.Errorf("%d answers to the text that is corrected", n)
		}
		// The way out is the way out of all.
		if err := db.OptOut(ctx, selfrefer.OptOut{TokenHash: link.Mint(db.sealer.linkKey(), int64(rung[1].Message)).Hash(), Why: selfrefer.WhyStop, At: now}); err != nil {
			t.Fatal(err)
		}
		entries, _, err := db.AuditEntries(ctx, w.network.ID, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		done := ""
		for _, e := range entries {
			if strings.Contains(e.Target, "correction") {
				done = e.Action + " " + strings.Fields(e.Target)[4] + ", " + done
			}
		}
		if done != "campaign.edit write, campaign.approve approve, " {
			t.Errorf("the audit has %q", done)
		}
		next, rung := w.corrects(t, campaign.Wording{Text: campaign.DefaultCorrection}, 7)
		if len(rung) != 7 || next.ID == k.ID {
			t.Errorf("a further correction rings %d times", len(rung))
		}
		w.checkCorrections(t)
		sending := must[[]selfrefer.Sending](t)(db.Sending(ctx))
		if !strings.Contains(strings.Join(sending[0].Texts, "\n"), "We are sorry") {
			t.Error("the page on which a text can be checked does not have it")
		}
	})
}

// Whatever is said after the approval counts: the claim looks again.
func TestCorrection_claimChecksAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 12, nil)
		texts := w.release(t, 12)
		of := map[campaign.MessageID]campaign.Ring{} // by the message that it corrects
		for _, r := range texts {
			w.sent(t, r)
		}
		k, rung := w.corrects(t, sorry, 12)
		for _, r := range rung {
			of[campaign.MessageID(count(t, db, `SELECT corrects FROM service_text WHERE id = $1`, int64(r.Message)))] = r
		}
		refused := func(i int, want campaign.MessageState, why string) {
			t.Helper()
			if _, err := db.Claim(ctx, of[texts[i].Message]); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("%s: claimed: %v", why, err)
			}
			if s, code := w.correctionState(t, k, texts[i].Message); s != want || code != why {
				t.Errorf("%s %s, want %s %s", s, code, want, why)
			}
		}
		if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: w.phone(t, texts[0]), Why: selfrefer.WhyStop, At: now}); err != nil {
			t.Fatal(err)
		}
		refused(0, campaign.Suppressed, "opted_out")
		mustWrite(t, db, fmt.Sprintf(`INSERT INTO taken_out (campaign, patient, why) SELECT campaign, patient, 'left' FROM message WHERE id = %d`, texts[1].Message))
		refused(1, campaign.Suppressed, "left")
		if err := db.Adopt(ctx, campaign.Evidence{Message: texts[2].Message, Event: campaign.Undeliver, Kind: "callback", SID: fmt.Sprint("SM", texts[2].Message)}); err != nil {
			t.Fatal(err)
		}
		refused(2, campaign.Suppressed, campaign.NeverLeft)
		mustWrite(t, db, fmt.Sprintf(`INSERT INTO contact (phone_ix, message, campaign, at) SELECT phone_ix, 0, 0, %d FROM message WHERE id = %d`, now.Add(time.Minute).UnixMilli(), texts[3].Message))
		refused(3, campaign.Suppressed, string(campaign.ExRecentlyTexted))
		now = testCivil.Add(12 * time.Hour)
		refused(4, campaign.Planned, "window_closed")
		now = testCivil
		// A practice that withdraws tells its patients itself.
		gone := -1
		for i := 5; i < 12; i++ {
			if practice := count(t, db, `SELECT COUNT(*) FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = $1 AND p.practice = 'N83001'`, int64(texts[i].Message)); practice == 1 {
				gone = i
				break
			}
		}
		if err := db.SayPractice(ctx, w.second, w.campaign.ID, "N83001", campaign.Say{Word: campaign.Withdraws}); err != nil {
			t.Fatal(err)
		}
		refused(gone, campaign.Suppressed, campaign.OutOfAgree)
		other := -1
		for i := 5; i < 12 && other < 0; i++ {
			if practice := count(t, db, `SELECT COUNT(*) FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = $1 AND p.practice = 'N83002'`, int64(texts[i].Message)); practice == 1 {
				other = i
			}
		}
		// The account is refused: all of it is held, and somebody lets it go on.
		ring := of[texts[other].Message]
		must[campaign.Outgoing](t)(db.Claim(ctx, ring))
		if err := db.Record(ctx, ring, campaign.Outcome{Event: campaign.Postpone, Code: "20003", Campaign: true}); err != nil {
			t.Fatal(err)
		}
		if k := w.correction(t); k.Held == "" {
			t.Error("it is not held")
		}
		if more := must[[]campaign.Ring](t)(db.Correct(ctx)); len(more) != 0 {
			t.Errorf("released %d while it is held", len(more))
		}
		if err := db.ResumeCorrection(ctx, w.manager, w.campaign.ID, k.ID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, db.ResumeCorrection(ctx, w.manager, w.campaign.ID, k.ID), campaign.ErrNotNow)
		more := must[[]campaign.Ring](t)(db.Correct(ctx))
		if len(more) != 1 || more[0].Message != ring.Message { // the one at night waits for the morning
			t.Fatalf("released %v", more)
		}
		of[texts[other].Message] = more[0]
		// Stopped is stopped, whatever was released before.
		if err := db.StopCorrection(ctx, w.manager, w.campaign.ID, k.ID); err != nil {
			t.Fatal(err)
		}
		refused(other, campaign.Expired, "stopped")
		must[[]campaign.Ring](t)(db.Correct(ctx))
		k = w.correction(t)
		if k.State != campaign.CorrectionStopped || k.Counts[campaign.Planned]+k.Counts[campaign.Released] != 0 {
			t.Errorf("stopped, and %+v", k)
		}
		wantErr(t, db.StopCorrection(ctx, w.manager, w.campaign.ID, k.ID), campaign.ErrNotNow)
		w.checkCorrections(t)
	})
}

// Once an opt-out is acknowledged, no claim of a correction commits; a claim that came first stands.
func TestCorrection_optOutRaces(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		const n = 60
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, n, nil)
		for _, r := range w.release(t, n) {
			w.sent(t, r)
		}
		k, rung := w.corrects(t, sorry, n)
		for i, r := range rung {
			message := campaign.MessageID(count(t, db, `SELECT corrects FROM service_text WHERE id = $1`, int64(r.Message)))
			phone := w.phone(t, campaign.Ring{Message: message})
			var atAnswer campaign.MessageState
			var both sync.WaitGroup
			var won atomic.Int32
			both.Go(func() {
				if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
					t.Error(err)
				}
				atAnswer, _ = w.correctionState(t, k, message)
			})
			for range 3 {
				both.Go(func() {
					time.Sleep(time.Duration(i%8) * 200 * time.Microsecond)
					_, err := db.Claim(ctx, r)
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, campaign.ErrTooLate) {
						t.Error(err)
					}
				})
			}
			both.Wait()
			switch got, _ := w.correctionState(t, k, message); {
			case won.Load() > 1:
				t.Errorf("%d claims won", won.Load())
			case got == campaign.Sending && atAnswer != campaign.Sending:
				t.Error("claimed after an acknowledged opt-out")
			case got != campaign.Sending && got != campaign.Suppressed:
				t.Errorf("it is %s", got)
			}
		}
		w.checkCorrections(t)
	})
}

// A process that is killed between the intent and the first byte leaves a text unknown; the provider's record tells that it never left, and it
// goes once. One that is there is adopted, though it is to the number that had the first text too.
func TestCorrection_unknown(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		db.Settle = 0
		w := launched(t, db, 4, nil)
		provider := &phones{}
		for _, r := range w.release(t, 4) {
			out := w.sent(t, r)
			provider.all = append(provider.all, campaign.Listed{SID: fmt.Sprint("SM", r.Message), To: out.To, Body: out.Body, Status: "delivered", At: testCivil})
		}
		k, rung := w.corrects(t, sorry, 4)
		for i, r := range rung {
			out := must[campaign.Outgoing](t)(db.Claim(ctx, r))
			if i == 1 {
				provider.all = append(provider.all, campaign.Listed{SID: "SMthere", To: out.To, Body: out.Body, Status: "delivered", At: testCivil})
			}
		}
		if n, late, err := db.Forgotten(ctx, provider.all); n != 0 || len(late) != 0 || err != nil {
			t.Errorf("%d texts at the provider are forgotten, %d late: %v", n, len(late), err)
		}
		if err := db.Record(ctx, rung[3], campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}); err != nil {
			t.Fatal(err)
		}
		if n := must[int](t)(db.Overrun(ctx, time.Now().Add(time.Minute))); n != 3 {
			t.Errorf("%d overran", n)
		}
		if err := db.LinkSeen(ctx, link.Mint(db.sealer.linkKey(), int64(rung[3].Message)).Hash()); err != nil { // a previewer has it
			t.Fatal(err)
		}
		reconcile := campaign.Reconciler{Store: db, Lister: provider, Log: db.log}
		states := func() (all []campaign.MessageState) {
			for _, r := range rung {
				var s string
				if err := db.read(ctx, "test", func(tx *Tx) error {
					return tx.QueryRow(`SELECT state FROM service_text WHERE id = $1`, int64(r.Message)).Scan(&s)
				}); err != nil {
					t.Fatal(err)
				}
				all = append(all, campaign.MessageState(s))
			}
			return all
		}
		for _, want := range []string{"[unknown delivered unknown accepted]", "[planned delivered planned accepted]"} {
			if err := reconcile.Tick(ctx, w.epoch, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(states()); got != want {
				t.Errorf("after a look: %s, want %s", got, want)
			}
		}
		again := must[[]campaign.Ring](t)(db.Correct(ctx))
		if len(again) != 2 {
			t.Fatalf("%d go again, want 2", len(again))
		}
		if out := w.sent(t, again[0]); out.Attempt != 2 {
			t.Errorf("attempt %d", out.Attempt)
		}
		// What cannot be told waits for a person.
		if err := db.Record(ctx, campaign.Ring{Message: again[1].Message, Attempt: 1}, campaign.Outcome{Event: campaign.LoseSight}); !errors.Is(err, campaign.ErrTooLate) {
			t.Errorf("recorded what was not claimed: %v", err)
		}
		must[campaign.Outgoing](t)(db.Claim(ctx, again[1]))
		if err := db.Record(ctx, again[1], campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}); err != nil {
			t.Fatal(err)
		}
		provider.redacted = true
		if err := reconcile.Tick(ctx, w.epoch, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		held := must[[]campaign.HeldMessage](t)(db.HeldMessages(ctx, w.network.ID, w.campaign.ID, 10))
		if len(held) != 1 || held[0].ID != again[1].Message || held[0].Why != campaign.HeldUnreadable || !held[0].Correction {
			t.Fatalf("held %+v", held)
		}
		if err := db.SettleHeld(ctx, w.manager, held[0].ID, held[0].Attempt, campaign.SettleAgain); err != nil {
			t.Fatal(err)
		}
		last := must[[]campaign.Ring](t)(db.Correct(ctx))
		if len(last) != 1 {
			t.Fatalf("%d go again by a person's word", len(last))
		}
		w.sent(t, last[0])
		must[[]campaign.Ring](t)(db.Correct(ctx))
		if now := w.correction(t); now.State != campaign.CorrectionDone || now.ID != k.ID {
			t.Errorf("in the end %+v", now)
		}
		w.checkCorrections(t)
	})
}

// phones is the provider's record, by number.
type phones struct {
	all      []campaign.Listed
	redacted bool
}

func (p *phones) List(_ context.Context, to person.Phone) (some []campaign.Listed, err error) {
	for _, l := range p.all {
		if l.To == to {
			if p.redacted {
				l.Body = ""
			}
			some = append(some, l)
		}
	}
	return some, nil
}

// A restored backup does not know which corrections left since, or that there was one at all. Nobody gets one twice.
func TestCorrection_restored(t *testing.T) {
	for _, moment := range []string{"before it was written", "before it left", "while it left"} {
		t.Run(moment, func(t *testing.T) {
			ctx := context.Background()
			cfg := testConfig(t)
			cfg.Serve = true
			db := must[*DB](t)(Open(ctx, cfg))
			w := launched(t, db, 12, nil)
			provider := &listing{}
			texted := map[string]int{}
			send := func(rings []campaign.Ring) {
				t.Helper()
				for _, r := range rings {
					out := w.sent(t, r)
					texted[out.To.Reveal()]++
					provider.all = append(provider.all, campaign.Listed{SID: fmt.Sprint("SM", r.Message), To: out.To, Body: out.Body, Status: "delivered", At: testCivil.Add(time.Second)})
				}
			}
			file := filepath.Join(cfg.DataDir, "wellpaced.db")
			var backup []byte
			reopen := func() {
				t.Helper()
				var err error
				if db, err = Open(ctx, cfg); err != nil {
					t.Fatal(err)
				}
				w.db = db
			}
			at := func(now string) {
				t.Helper()
				if now != moment {
					return
				}
				if err := errors.Join(db.Tick(), db.Close()); err != nil {
					t.Fatal(err)
				}
				backup = must[[]byte](t)(os.ReadFile(file))
				reopen()
				w.epoch, _, _ = db.Lead(ctx, "test", time.Hour)
			}
			send(w.release(t, 10))
			at("before it was written")
			_, rung := w.corrects(t, sorry, 10)
			at("before it left")
			send(rung[:4])
			at("while it left")
			send(rung[4:8]) // the last two never left
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{file + "-wal", file + "-shm"} {
				_ = os.Remove(name)
			}
			if err := os.WriteFile(file, backup, 0o600); err != nil {
				t.Fatal(err)
			}
			reopen()
			t.Cleanup(func() { _ = db.Close() })
			if !must[campaign.Halt](t)(db.Examine(ctx)).On() {
				t.Fatal("a restored backup was not noticed")
			}
			for _, r := range rung {
				if _, err := db.Claim(ctx, r); err == nil {
					t.Error("claimed in a quarantine")
				}
			}
			q := campaign.Quarantine{Store: db, Record: provider, Leads: true, Holder: "test", Log: db.log, Machine: cfg.Machine}
			q.Tick(ctx)
			if h := must[campaign.Halt](t)(db.Examine(ctx)); h.On() {
				t.Fatalf("the quarantine goes on: %s", h.Sentence())
			}
			w.epoch, _, _ = db.Lead(ctx, "test", time.Hour)
			if moment == "before it was written" { // nobody knows of it any more, and it is written again
				w.corrects(t, sorry, 10)
			}
			must[[]campaign.Ring](t)(db.Correct(ctx))
			for _, r := range append(w.repaired(t), rung...) {
				if out, err := db.Claim(ctx, r); err == nil {
					texted[out.To.Reveal()]++
				}
			}
			for _, n := range texted {
				if n != 2 {
					t.Errorf("a number had %d texts, want the wrong one and its correction", n)
				}
			}
			w.checkCorrections(t)
		})
	}
}

// Who is texted between two instants, in a language, and who had an earlier correction.
func TestCorrection_narrowed(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		var people []campaign.Candidate
		for i := range 9 {
			c := testCandidate(t, i+1)
			c.Language = []string{"English", "Polish", "Urdu"}[i%3]
			people = append(people, c)
		}
		polish, _ := campaign.Ready(lang.Polish)
		w := launchedList(t, db, people, 9, func(c *campaign.Campaign) {
			c.Policy.Budget = 9*3*240 + 100
			c.Steps[0].Translations = map[lang.Code]campaign.Translation{lang.Polish: {Text: polish.Text, Reviewed: true}}
		})
		var from time.Time
		for i, r := range w.release(t, 9) {
			now = testCivil.Add(time.Duration(i) * time.Minute)
			if i == 3 {
				from = now
			}
			w.sent(t, r)
		}
		until := testCivil.Add(6 * time.Minute)
		now = now.Add(time.Minute)
		reach := func(whom campaign.Whom) campaign.Reach {
			t.Helper()
			return must[campaign.Reach](t)(db.CorrectionReach(ctx, w.network.ID, w.campaign.ID, campaign.Wording{Text: campaign.DefaultCorrection, Whom: whom}))
		}
		if r := reach(campaign.Whom{}); r.People != 9 || r.In[lang.Polish] != 3 || r.In[lang.English] != 6 || !r.OverBudget() { // whoever has Urdu had it in English
			t.Errorf("it reaches %+v", r)
		}
		if r := reach(campaign.Whom{From: from, To: until}); r.People != 4 {
			t.Errorf("between two instants it reaches %d", r.People)
		}
		if r := reach(campaign.Whom{Language: lang.Polish}); r.People != 3 || r.In[lang.Polish] != 3 {
			t.Errorf("in Polish it reaches %+v", r)
		}
		if r := reach(campaign.Whom{Step: 2}); r.People != 0 {
			t.Errorf("of the reminder it reaches %d", r.People)
		}
		words := campaign.Wording{Text: campaign.DefaultCorrection, Translations: map[lang.Code]campaign.Translation{lang.Polish: {Text: "To jest ((practice)). Poprzedni SMS był błędny. Nie trzeba nic robić.\n((stop_link))", Reviewed: true}},
			Whom: campaign.Whom{From: from, To: until}}
		k := w.written(t, words)
		if _, err := db.ApproveCorrection(ctx, w.second, w.campaign.ID, k.ID, campaign.CorrectionApproval{}); !errors.Is(err, campaign.ErrOverBudget) {
			t.Errorf("beyond the budget: %v", err)
		}
		must[campaign.Correction](t)(db.ApproveCorrection(ctx, w.second, w.campaign.ID, k.ID, campaign.CorrectionApproval{OverBudget: true}))
		rung := must[[]campaign.Ring](t)(db.Correct(ctx))
		inPolish := 0
		for _, r := range rung {
			out := w.sent(t, r)
			language := count(t, db, `SELECT COUNT(*) FROM service_text s JOIN message m ON m.id = s.corrects JOIN patient p ON p.id = m.patient WHERE s.id = $1 AND p.language = 'Polish'`, int64(r.Message)) == 1
			if strings.Contains(out.Body, "błędny") != language {
				t.Errorf("somebody whose first text was in Polish (%t) gets %q", language, out.Body)
			}
			if language {
				inPolish++
			}
		}
		if len(rung) != 4 || inPolish == 0 || inPolish == 4 {
			t.Errorf("%d texts, %d in Polish", len(rung), inPolish)
		}
		must[[]campaign.Ring](t)(db.Correct(ctx))
		if r := reach(campaign.Whom{Uncorrected: true}); r.People != 5 || r.Out[campaign.HadCorrection] != 4 {
			t.Errorf("to whoever had none it reaches %+v", r)
		}
		rest := w.written(t, campaign.Wording{Text: campaign.DefaultCorrection, Whom: campaign.Whom{Uncorrected: true}})
		must[campaign.Correction](t)(db.ApproveCorrection(ctx, w.second, w.campaign.ID, rest.ID, campaign.CorrectionApproval{Approval: campaign.Approval{People: 5}, OverBudget: true}))
		if rung := must[[]campaign.Ring](t)(db.Correct(ctx)); len(rung) != 5 {
			t.Errorf("%d texts to whoever had none", len(rung))
		}
		w.checkCorrections(t)
	})
}

// A practice's file tells of a correction as of every text in its name: the words, without what opens a form, and that one did not arrive.
func TestCorrection_inThePracticesFile(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 4, nil)
		for _, r := range w.release(t, 4) {
			w.sent(t, r)
		}
		_, rung := w.corrects(t, sorry, 4)
		for _, r := range rung {
			w.sent(t, r)
		}
		told := func() (all []selfrefer.PracticeEntry) {
			t.Helper()
			f := must[selfrefer.PracticeFile](t)(db.MakePracticeFile(ctx, w.manager, "N83001"))
			if err := db.PracticeEntries(ctx, f, func(e selfrefer.PracticeEntry) error { all = append(all, e); return nil }); err != nil {
				t.Fatal(err)
			}
			return all
		}
		news := func(kind selfrefer.EntryKind) int {
			t.Helper()
			for _, n := range must[[]selfrefer.PracticeNews](t)(db.PracticeNews(ctx, w.manager)) {
				if n.Practice.ODS == "N83001" {
					return n.Counts[kind]
				}
			}
			return -1
		}
		if n := news(selfrefer.EntryText); n != 4 {
			t.Errorf("%d texts are new, want 4", n)
		}
		all := told()
		corrections := 0
		for _, e := range all {
			if strings.Contains(e.Words, "We are sorry") && strings.HasSuffix(e.Words, "/stop/…") && !e.Phone.IsZero() && e.Code == "" {
				corrections++
			}
		}
		if kinds(all) != "4 text" || corrections != 2 {
			t.Errorf("the file holds %s, %d of them corrections", kinds(all), corrections)
		}
		if _, err := db.MakePracticeFile(ctx, w.manager, "N83001"); !errors.Is(err, selfrefer.ErrNothingNew) {
			t.Errorf("told twice: %v", err)
		}
		lost := count(t, db, `SELECT s.id FROM service_text s JOIN message m ON m.id = s.corrects JOIN patient p ON p.id = m.patient WHERE p.practice = 'N83001' ORDER BY s.id LIMIT 1`)
		if err := db.Adopt(ctx, campaign.Evidence{Message: campaign.MessageID(lost), Event: campaign.Undeliver, Kind: "callback", SID: fmt.Sprint("SM", lost), Code: "30003"}); err != nil {
			t.Fatal(err)
		}
		if n := news(selfrefer.EntryUndelivered); n != 1 {
			t.Errorf("%d that did not arrive are new, want 1", n)
		}
		if all := told(); kinds(all) != "1 undelivered" || all[0].Why != "30003" {
			t.Errorf("then %s", kinds(all))
		}
	})
}
