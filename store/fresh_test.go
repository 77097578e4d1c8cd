package store

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// freshList uploads a list a day later.
func (t *townsfolk) freshList(tb testing.TB, rows []campaign.Candidate) campaign.Audience {
	tb.Helper()
	im := must[campaign.Importer](tb)(t.db.BeginImport(context.Background(), t.manager, "fresh", true, false))
	for _, c := range rows {
		if err := im.Candidate(context.Background(), c); err != nil {
			tb.Fatal(err)
		}
	}
	return must[campaign.Audience](tb)(im.Finish(context.Background()))
}

// A fresh list in the middle of a run takes out who has died, left, objected or changed their number, also of those whose text waits at the
// provider's door, adds nobody, and lets the age of the list count anew. Many at once are asked about first.
func TestFreshList(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 40, func(c *campaign.Campaign) {
			c.Steps = append(c.Steps, campaign.Step{Number: 2, Template: campaign.DefaultText, AfterDays: 3})
		})
		id := w.campaign.ID
		rings := w.release(t, 2)
		must[campaign.Outgoing](t)(db.Claim(ctx, rings[0]))
		for _, ev := range []campaign.Event{campaign.Accept, campaign.Deliver} {
			if err := db.Adopt(ctx, campaign.Evidence{Message: rings[0].Message, Attempt: 1, Event: ev, Kind: "callback", SID: "SM1"}); err != nil {
				t.Fatal(err)
			}
		}
		rowOf := func(r campaign.MessageID) int {
			return int(count(t, db, `SELECT p.row FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = $1`, int64(r)))
		}
		texted, released := rowOf(rings[0].Message), rowOf(rings[1].Message)
		if err := w.say("N83001", campaign.Withdraws); err != nil { // its patients are looked at too
			t.Fatal(err)
		}
		if err := db.SettlePractices(ctx, id); err != nil {
			t.Fatal(err)
		}
		wantErr(t, db.StartFresh(ctx, w.manager, id, w.campaign.Audience), campaign.ErrNotFresh)

		now = testCivil.AddDate(0, 0, 15)
		snapshot := must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID))
		if s := snapshot.Policy.Campaigns[0].Screened; !s.Equal(campaign.CivilDay(testCivil)) {
			t.Errorf("screened %s", s)
		}
		var rows []campaign.Candidate
		want := map[string]int{}
		k := 0
		for i := 1; i <= 40; i++ {
			c := testCandidate(t, i)
			switch {
			case i == texted || i == released: // both have left the practice
				if i == released {
					want[campaign.OutLeft]++
				}
				continue
			case k == 0:
				c.Dead = true
				want[string(campaign.ExDeceased)]++
			case k == 1:
				c.Dissent = true
				want[string(campaign.ExDissent)]++
			case k == 2:
				c.DoNotContact = true
				want[string(campaign.ExDoNotContact)]++
			case k == 3:
				c.Phone = testCandidate(t, 900).Phone
				want[campaign.OutNumber]++
			}
			k++
			rows = append(rows, c)
		}
		// Somebody new, and a child who uses the number of somebody on the list.
		rows = append(rows, testCandidate(t, 41))
		twin := testCandidate(t, 42)
		shares := rows[len(rows)-2]
		twin.Phone = shares.Phone
		rows = append(rows, twin)
		fresh := w.freshList(t, rows)
		if err := db.StartFresh(ctx, w.manager, id, fresh.ID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, db.StartFresh(ctx, w.manager, id, fresh.ID), campaign.ErrNotNow)
		if snapshot = must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID)); snapshot.State.Campaigns[0].Held == "" {
			t.Error("texts go while the list is screened")
		}
		if err := db.Freshen(ctx, id); err != nil {
			t.Fatal(err)
		}
		f := must[[]campaign.Freshening](t)(db.Freshenings(ctx, w.network.ID, id))[0]
		if f.State != campaign.FreshAsking || !maps.Equal(f.Out, want) || f.Waiting != 39 || f.Texted != 1 || f.New != 1 || f.Looked != 40 || f.People != 40 {
			t.Fatalf("found %+v, want %v", f, want)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM taken_out`); n != 0 {
			t.Errorf("%d taken out before anybody was asked", n)
		}
		wantErr(t, db.ConfirmFresh(ctx, w.manager, id, f.Removed()+1), campaign.ErrNumber)
		if err := db.ConfirmFresh(ctx, w.manager, id, f.Removed()); err != nil {
			t.Fatal(err)
		}
		wantErr(t, db.CancelFresh(ctx, w.manager, id), campaign.ErrNotNow)
		if err := db.Finish(ctx, w.epoch); err != nil { // as after a crash: the leader goes on
			t.Fatal(err)
		}
		f = must[[]campaign.Freshening](t)(db.Freshenings(ctx, w.network.ID, id))[0]
		if f.State != campaign.FreshDone {
			t.Fatalf("it is %s", f.State)
		}
		w.checkCounters(t)
		for why, n := range want {
			if got := count(t, db, `SELECT COUNT(*) FROM message WHERE state = 'suppressed' AND code = $1`, why); got != int64(n) {
				t.Errorf("%d are out for %s, want %d", got, why, n)
			}
		}
		if n := count(t, db, `SELECT COUNT(*) FROM message`); n != 40 {
			t.Errorf("%d messages: somebody was added, or reminded who has left", n)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM message m JOIN patient p ON p.id = m.patient WHERE m.shared AND p.row = $1`, shares.Row); n != 1 {
			t.Error("a number that two people have now gets a name")
		}
		if snapshot = must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID)); !snapshot.Policy.Campaigns[0].Screened.Equal(campaign.CivilDay(now)) || snapshot.State.Campaigns[0].Held != "" {
			t.Errorf("the list counts from %s, held %q", snapshot.Policy.Campaigns[0].Screened, snapshot.State.Campaigns[0].Held)
		}
		// Who was taken out stays out when their practice agrees again, and whatever brings a message back.
		if err := errors.Join(w.say("N83001", campaign.Agrees), db.SettlePractices(ctx, id)); err != nil {
			t.Fatal(err)
		}
		total := f.Removed()
		if c := w.checkCounters(t); c[campaign.Suppressed] != total || c[campaign.Planned] != 39-total {
			t.Errorf("after the practice agreed again: %v", c)
		}
		dead := count(t, db, `SELECT id FROM message WHERE code = 'deceased'`)
		mustWrite(t, db, `UPDATE message SET state = 'released', code = '' WHERE code = 'deceased'`)
		attempt := count(t, db, `SELECT attempt FROM message WHERE id = $1`, dead)
		if _, err := db.Claim(ctx, campaign.Ring{Message: campaign.MessageID(dead), Attempt: int(attempt)}); !errors.Is(err, campaign.ErrTooLate) || w.state(t, campaign.MessageID(dead)) != campaign.Suppressed {
			t.Errorf("somebody who has died is texted: %v", err)
		}
	})
}

// Few are taken out without a question; a list that lacks a practice, or that is made up, is refused.
func TestFreshList_few(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 60, nil)
		now = testCivil.Add(time.Hour)
		var half, most []campaign.Candidate
		for i := 1; i <= 60; i++ {
			if c := testCandidate(t, i); c.Practice == "N83001" {
				half = append(half, c)
			}
			if i > 3 {
				most = append(most, testCandidate(t, i))
			}
		}
		var lacks campaign.ErrFreshLacks
		if err := db.StartFresh(ctx, w.manager, w.campaign.ID, w.freshList(t, half).ID); !errors.As(err, &lacks) || len(lacks) != 1 || lacks[0] != "N83002" {
			t.Errorf("half a list: %v", err)
		}
		if err := errors.Join(db.StartFresh(ctx, w.manager, w.campaign.ID, w.freshList(t, most).ID), db.Freshen(ctx, w.campaign.ID)); err != nil {
			t.Fatal(err)
		}
		f := must[[]campaign.Freshening](t)(db.Freshenings(ctx, w.network.ID, w.campaign.ID))[0]
		if c := w.checkCounters(t); f.State != campaign.FreshDone || c[campaign.Suppressed] != 3 || c[campaign.Planned] != 57 {
			t.Errorf("%s: %v", f.State, c)
		}
	})
}
