package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// takenList imports people as of a list that was taken on a day.
func takenList(tb testing.TB, db *DB, who staff.Account, on, file time.Time, people int) campaign.Audience {
	tb.Helper()
	ctx := context.Background()
	im := must[campaign.Importer](tb)(db.BeginImport(ctx, who, "list", true, false))
	for i := range people {
		if err := im.Candidate(ctx, testCandidate(tb, i+1)); err != nil {
			tb.Fatal(err)
		}
	}
	im.Taken(on, file)
	return must[campaign.Audience](tb)(im.Finish(ctx))
}

func civilDay(tb testing.TB, s string) time.Time {
	tb.Helper()
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// launchedAsOf runs a campaign whose list was taken on a day.
func launchedAsOf(tb testing.TB, db *DB, on time.Time) *townsfolk {
	tb.Helper()
	return launched(tb, db, 40, func(c *campaign.Campaign) {
		who := staff.Account{ID: staff.AccountID(count(tb, db, `SELECT created_by FROM audience`)), Network: staff.NetworkID(count(tb, db, `SELECT network FROM audience`))}
		c.Audience = takenList(tb, db, who, on, on, 40).ID
	})
}

// Sending stops 14 days after the export, not after the upload; it goes on with a fresh list, from the day on which that was taken.
func TestTaken_stops(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil // Monday 1 June 2026
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launchedAsOf(t, db, civilDay(t, "2026-05-28"))
		limit := func(at time.Time) throttle.Limit {
			t.Helper()
			now = at
			s := must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID))
			return throttle.Decide(now, s.Policy, s.State)[0].Limit
		}
		last, after := time.Date(2026, 6, 10, 14, 0, 0, 0, time.UTC), time.Date(2026, 6, 11, 9, 0, 0, 0, time.UTC)
		if l := limit(last); l == throttle.LimitListAge {
			t.Error("it stops before its list is 14 days old")
		}
		if l := limit(after); l != throttle.LimitListAge {
			t.Errorf("on the 15th day after the export the limit is %s", l)
		}
		older := takenList(t, db, w.manager, civilDay(t, "2026-05-27"), time.Time{}, 40)
		wantErr(t, db.StartFresh(ctx, w.manager, w.campaign.ID, older.ID), campaign.ErrOlderList)
		fresh := takenList(t, db, w.manager, civilDay(t, "2026-06-03"), time.Time{}, 40)
		if err := errors.Join(db.StartFresh(ctx, w.manager, w.campaign.ID, fresh.ID), db.Freshen(ctx, w.campaign.ID)); err != nil {
			t.Fatal(err)
		}
		if f := must[[]campaign.Freshening](t)(db.Freshenings(ctx, w.network.ID, w.campaign.ID))[0]; !f.ListAt.Equal(fresh.TakenOn) || f.State != campaign.FreshDone {
			t.Errorf("screened against %+v", f)
		}
		if l := limit(after); l == throttle.LimitListAge {
			t.Error("the fresh list does not count")
		}
		if l := limit(time.Date(2026, 6, 17, 9, 0, 0, 0, time.UTC)); l != throttle.LimitListAge {
			t.Errorf("14 days after the fresh list was taken the limit is %s", l)
		}
		// Older than the last fresh list, though newer than the campaign's own.
		between := takenList(t, db, w.manager, civilDay(t, "2026-06-02"), time.Time{}, 40)
		wantErr(t, db.StartFresh(ctx, w.manager, w.campaign.ID, between.ID), campaign.ErrOlderList)
	})
}

// Of two lists of one day the one that was checked later is the fresher; a list is kept with both its days, and narrowing changes neither.
func TestTaken_kept(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		day := civilDay(t, "2026-05-28")
		w := launchedAsOf(t, db, day)
		sameHour := takenList(t, db, w.manager, day, time.Time{}, 40)
		wantErr(t, db.StartFresh(ctx, w.manager, w.campaign.ID, sameHour.ID), campaign.ErrNotFresh)
		now = testCivil.Add(time.Hour)
		again := takenList(t, db, w.manager, day, civilDay(t, "2026-05-20"), 40)
		if err := db.StartFresh(ctx, w.manager, w.campaign.ID, again.ID); err != nil {
			t.Errorf("a second export of the day: %v", err)
		}
		part := must[campaign.Audience](t)(must[campaign.Narrowing](t)(db.BeginNarrow(ctx, w.manager, again.ID, campaign.Cohort{Practices: []string{"N83001"}}, "part")).Run(ctx))
		for what, a := range map[string]campaign.Audience{"kept": again, "narrowed": part} {
			a = must[campaign.Audience](t)(db.Audience(ctx, w.network.ID, a.ID))
			if !a.TakenOn.Equal(day) || a.FileOn.Format(time.DateOnly) != "2026-05-20" || !a.Contradicts() || !a.ScreenedAt.Equal(now) {
				t.Errorf("%s: taken on %s, by the file %s, checked at %s", what, a.TakenOn, a.FileOn, a.ScreenedAt)
			}
		}
		// Without a word it is the day of the import; so it is of a list that a process of an earlier version checks during an upgrade.
		silent := takenList(t, db, w.manager, time.Time{}, time.Time{}, 1)
		if today := campaign.CivilDay(testCivil); !silent.TakenOn.Equal(today) || !silent.FileOn.IsZero() {
			t.Errorf("of a list that says nothing: %s, %s", silent.TakenOn, silent.FileOn)
		}
		mustWrite(t, db, `UPDATE audience SET taken_on = 0`)
		for _, a := range must[[]campaign.Audience](t)(db.Audiences(ctx, w.network.ID, 9)) {
			if !a.TakenOn.Equal(campaign.CivilDay(testCivil)) {
				t.Errorf("a list without a day is of %s", a.TakenOn)
			}
		}
		if s := must[campaign.Snapshot](t)(db.Snapshot(ctx, w.team.ID)); !s.Policy.Campaigns[0].Screened.Equal(campaign.CivilDay(testCivil)) {
			t.Errorf("the pacer counts its age from %s", s.Policy.Campaigns[0].Screened)
		}
	})
}

// A list that has grown too old for any campaign is not submitted.
func TestTaken_submit(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launchedAsOf(t, db, civilDay(t, "2026-05-28"))
		for on, refused := range map[string]bool{"2026-05-03": true, "2026-05-05": false} {
			c := must[campaign.Campaign](t)(db.CreateCampaign(ctx, w.manager, campaign.Campaign{Audience: takenList(t, db, w.manager, civilDay(t, on), time.Time{}, 3).ID, Team: w.team.ID, Name: on,
				Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}, Policy: campaign.Policy{Price: 240, Rate: 10}}))
			_, err := db.MoveCampaign(ctx, w.manager, c.ID, campaign.Submit)
			if age := (campaign.ErrListAge{}); errors.As(err, &age) != refused || (err != nil) != refused {
				t.Errorf("a list of %s is submitted: %v", on, err)
			}
		}
		// What an agreement is to knows no day: it holds when the list turns out to be older.
		before := must[campaign.Campaign](t)(db.Campaign(ctx, w.network.ID, w.campaign.ID))
		mustWrite(t, db, `UPDATE audience SET taken_on = 1`)
		if after := must[campaign.Campaign](t)(db.Campaign(ctx, w.network.ID, w.campaign.ID)); after.Terms() != before.Terms() || after.Hash() != before.Hash() {
			t.Error("what practices and the second person agreed to has changed")
		}
	})
}

// Lists of earlier versions are of the day of their screening, and so are the fresh ones.
func TestTaken_upgrade(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		if cfg.Database != "" {
			cfg.Database = postgresDatabase(t) // with no schema yet
		}
		in, err := parseTarget(cfg.Database, cfg.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		older(t, in, 35)
		writers, readers, err := in.open()
		if err != nil {
			t.Fatal(err)
		}
		_, err = writers.Exec(`UPDATE audience SET screened_at = $1`, testCivil.UnixMilli())
		if err == nil {
			_, err = writers.Exec(`UPDATE campaign SET fresh_at = $1`, testCivil.AddDate(0, 0, 9).UnixMilli())
		}
		if err = errors.Join(err, writers.Close(), readers.Close()); err != nil {
			t.Fatal(err)
		}
		db := mustOpen(t, cfg)
		ctx := context.Background()
		a := must[campaign.Audience](t)(db.Audience(ctx, 1, 1))
		if n := count(t, db, `SELECT taken_on FROM audience`); !a.TakenOn.Equal(campaign.CivilDay(testCivil)) || n != a.TakenOn.UnixMilli() || !a.ScreenedAt.Equal(testCivil) || !a.FileOn.IsZero() {
			t.Errorf("taken on %s (%d), checked at %s", a.TakenOn, n, a.ScreenedAt)
		}
		if c := must[campaign.Campaign](t)(db.Campaign(ctx, 1, 1)); c.FreshAt.Format(time.RFC3339) != "2026-06-10T00:00:00Z" {
			t.Errorf("its fresh list is of %s", c.FreshAt)
		}
	})
}
