package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// looked are the audit's lines of who was shown people, oldest first.
func (t *townsfolk) looked(tb testing.TB) string {
	tb.Helper()
	entries, _, err := t.db.AuditEntries(context.Background(), t.network.ID, 0, 1000)
	if err != nil {
		tb.Fatal(err)
	}
	who := map[staff.AccountID]string{t.manager.ID: "Mo", t.second.ID: "Sam"}
	var all []string
	for _, e := range entries {
		if e.Action == "people.view" {
			all = append([]string{fmt.Sprintf("%s %s %s", who[e.Account], strings.Fields(e.Target)[0], e.Outcome)}, all...)
		}
	}
	return strings.Join(all, ", ")
}

// Whoever is shown people of a list stands in the audit, once for each person and hour, and with nothing of what they saw. What cannot be noted
// is not shown.
func TestLooks(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		machine := time.Now()
		cfg.Machine = func() time.Time { return machine }
		db := mustOpen(t, cfg)
		w := launched(t, db, 4, nil)
		list := w.campaign.Audience
		see := func(who staff.Account, at campaign.PatientID) campaign.Sample {
			t.Helper()
			return must[campaign.Sample](t)(db.Sample(ctx, who, list, at))
		}
		first := see(w.second, 0)
		see(w.second, first.ID)
		see(w.manager, 0)
		second := see(w.second, first.After)
		machine = machine.Add(lookLasts - time.Minute)
		see(w.second, 0)
		want := fmt.Sprintf("Sam list row %d, Mo list row %d, Sam list row %d", first.Row, first.Row, second.Row)
		if got := w.looked(t); got != want || first.Row == second.Row {
			t.Errorf("the audit: %s; want %s", got, want)
		}
		machine = machine.Add(2 * time.Minute)
		see(w.second, 0)
		want += fmt.Sprintf(", Sam list row %d", first.Row)
		far := staff.Account{ID: w.second.ID, Network: w.network.ID + 1}
		_, err := db.Sample(ctx, far, list, 0)
		wantErr(t, err, campaign.ErrNotFound)
		if body := must[string](t)(db.SentSample(ctx, w.second, w.campaign.ID)); body != "" {
			t.Errorf("nothing has left, and is shown: %q", body)
		}
		_, err = db.SentSample(ctx, far, w.campaign.ID)
		wantErr(t, err, campaign.ErrNotFound)
		if got := w.looked(t); got != want {
			t.Errorf("the audit: %s; want %s", got, want)
		}
		r := w.release(t, 1)[0]
		w.sent(t, r)
		row := count(t, db, `SELECT p.row FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = $1`, int64(r.Message))
		for range 2 { // the page that shows it is drawn anew every minute
			if body := must[string](t)(db.SentSample(ctx, w.manager, w.campaign.ID)); !strings.Contains(body, "Hello ") {
				t.Errorf("shown: %q", body)
			}
		}
		want += fmt.Sprintf(", Mo list row %d masked", row)
		if got := w.looked(t); got != want {
			t.Errorf("the audit: %s; want %s", got, want)
		}

		// Who looked at the file has looked at the list that was made of it.
		u := must[campaign.Upload](t)(db.StageUpload(ctx, w.manager, campaign.Upload{File: "list.csv", Name: "Kept"}, strings.NewReader("a,b")))
		for _, rows := range []int{0, 5, 5} {
			if err := db.LookAtUpload(ctx, w.manager, u.ID, rows); err != nil {
				t.Fatal(err)
			}
		}
		im := must[campaign.Importer](t)(db.BeginUpload(ctx, w.manager, must[campaign.Upload](t)(db.StartUpload(ctx, w.manager, u))))
		if err := im.Candidate(ctx, testCandidate(t, 9)); err != nil {
			t.Fatal(err)
		}
		made := must[campaign.Audience](t)(im.Finish(ctx))
		machine = machine.Add(uploadLife + time.Minute)
		if n := must[int64](t)(db.PurgeUploads(ctx)); n != 1 {
			t.Fatalf("%d files are thrown away", n)
		}
		must[campaign.Sample](t)(db.Sample(ctx, w.second, made.ID, 0))
		told := func(id campaign.AudienceID, after int64, limit int) (all []campaign.Viewing) {
			t.Helper()
			return must[[]campaign.Viewing](t)(db.LooksAfter(ctx, w.manager, id, after, limit))
		}
		all := told(made.ID, 0, 9)
		if len(all) != 2 || all[0].By != w.second.ID || all[0].Row == 0 || all[1].By != w.manager.ID || all[1].First != 5 || !all[1].At.Equal(testCivil) {
			t.Errorf("who looked at what was uploaded: %+v", all)
		}
		all = told(list, 0, 9)
		if len(all) != 5 || all[0].Shown != (campaign.Shown{Row: int(row), Masked: true}) || all[4].Shown != (campaign.Shown{Row: first.Row}) {
			t.Errorf("who looked at the list: %+v", all)
		}
		if page := told(list, all[1].ID, 2); len(page) != 2 || page[0] != all[2] || page[1] != all[3] {
			t.Errorf("a page of them: %+v", page)
		}
		_, err = db.LooksAfter(ctx, far, list, 0, 9)
		wantErr(t, err, campaign.ErrNotFound)
		if n := count(t, db, `SELECT COUNT(*) FROM audit WHERE action = 'list.who_looked' AND account = $1 AND target = $2`, int64(w.manager.ID), listTarget(list)); n != 2 {
			t.Errorf("that somebody asks stands %d times in the audit", n)
		}
		name := first.To.Name.First()
		if n := count(t, db, `SELECT COUNT(*) FROM audit WHERE target LIKE $1 OR outcome LIKE $1`, "%"+name+"%"); n != 0 || name == "" {
			t.Errorf("%d lines of the audit hold a name", n)
		}

		mustWrite(t, db, `ALTER TABLE audit RENAME TO audit_lost`)
		if s, err := db.Sample(ctx, w.second, list, 0); err == nil || s.ID != 0 || s.To.Name.First() != "" {
			t.Errorf("shown without the audit: row %d, %v", s.Row, err)
		}
		if body, err := db.SentSample(ctx, w.second, w.campaign.ID); err == nil || body != "" {
			t.Errorf("a text is shown without the audit: %v", err)
		}
	})
}

// However much stands in the audit, who looked at one list is found by an index of its own.
func TestLooks_plan(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		for name, p := range map[string]string{"who looked": planOf(t, db, peopleLooks, "list 1", "upload 2", 1, beforeID(0), 50), "whether somebody has": planOf(t, db, lookedAlready, "list 1", 1, 2, "row 3")} {
			if !strings.Contains(p, "audit_people") {
				t.Errorf("%s is found by %s", name, p)
			}
		}
	})
}
