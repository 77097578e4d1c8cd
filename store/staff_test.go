package store

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestStaff(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		w.must(w.db.AddPractices(ctx, w.network.ID, []staff.Practice{{ODS: "N83002", Name: "New"}, {ODS: "N83001", Name: "Elm Road Surgery"}}))
		n, err := w.db.Network(ctx, w.network.ID)
		w.must(err)
		if n.Name != "Riverside" || n.LinkHost != w.network.LinkHost || len(n.Practices) != 2 || n.Practices[0].Name != "Elm Road Surgery" {
			t.Errorf("got network %+v", n)
		}
		if all, err := w.db.Networks(ctx); err != nil || len(all) != 2 || all[0].ID != n.ID {
			t.Errorf("got %d networks, %v", len(all), err)
		}
		if teams, err := w.db.NetworkTeams(ctx, n.ID); err != nil || !slices.Equal(teams, []staff.Team{w.team}) || w.team.PromiseDays != 2 {
			t.Errorf("got teams %+v, %v", teams, err)
		}
		_, err = w.db.Network(ctx, 1)
		wantErr(t, err, staff.ErrNotFound)

		a, hash, err := w.db.AccountByEmail(ctx, "  WANDA@"+itoa(int64(n.ID))+".Test ")
		if err != nil || a != w.worker || hash != "hash of Wanda" {
			t.Errorf("got account %+v, %q, %v", a, hash, err)
		}
		_, _, err = w.db.AccountByEmail(ctx, "nobody@riverside.test")
		wantErr(t, err, staff.ErrSignIn)
		_, err = w.db.CreateAccount(ctx, staff.Account{Network: w.stranger.Network, Email: w.worker.Email, Name: "Twin", Role: staff.LinkWorker}, "")
		wantErr(t, err, staff.ErrEmailTaken)
		_, err = w.db.CreateAccount(ctx, staff.Account{Network: w.stranger.Network, Team: w.team.ID, Email: "x@hillside.test", Name: "X", Role: staff.LinkWorker}, "")
		wantErr(t, err, staff.ErrNotFound)
		if all, err := w.db.Accounts(ctx, n.ID); err != nil || len(all) != 4 || all[0] != w.other {
			t.Errorf("got accounts %+v, %v", all, err)
		}
	})
}

func TestSession(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		machine := testCivil
		cfg.Machine = func() time.Time { return machine }
		w := mustWorld(t, mustOpen(t, cfg))
		secret, err := w.db.StartSession(ctx, w.worker.ID, SessionBrowser, "", time.Hour)
		w.must(err)
		other, err := w.db.StartSession(ctx, w.worker.ID, SessionAPI, "export", time.Hour)
		w.must(err)
		if len(secret) < 27 || secret == other {
			t.Errorf("got secrets %q and %q", secret, other)
		}
		if n := w.count(`SELECT COUNT(*) FROM session WHERE hash = $1`, []byte(secret)); n != 0 {
			t.Error("the secret itself is stored")
		}
		in := func(secret string, want bool) {
			t.Helper()
			s, err := w.db.Session(ctx, secret, true)
			if want && (err != nil || s.Account != w.worker) {
				t.Errorf("got %+v, %v", s, err)
			} else if !want {
				wantErr(t, err, staff.ErrSignIn)
			}
		}
		seen := func() int64 {
			return w.count(`SELECT seen_at FROM session WHERE hash = $1`, hashSecret(secret)) - testCivil.UnixMilli()
		}
		in(secret, true)
		machine = machine.Add(59 * time.Second)
		in(secret, true)
		if got := seen(); got != 0 {
			t.Errorf("seen after %d ms: written more than once a minute", got)
		}
		machine = machine.Add(time.Second)
		in(secret, true)
		if got := seen(); got != 60_000 {
			t.Errorf("seen after %d ms", got)
		}
		in("guess", false)
		w.must(w.db.EndSession(ctx, other))
		in(other, false)
		w.write(`UPDATE account SET disabled_at = 1 WHERE id = $1`, int64(w.worker.ID))
		in(secret, false)
		_, err = w.db.StartSession(ctx, w.worker.ID, SessionBrowser, "", time.Hour)
		wantErr(t, err, staff.ErrSignIn)
		w.write(`UPDATE account SET disabled_at = 0 WHERE id = $1`, int64(w.worker.ID))
		in(secret, true)
		machine = testCivil.Add(time.Hour)
		in(secret, false)
	})
}

func TestAuditEntries(t *testing.T) {
	ctx := context.Background()
	w := mustWorld(t, mustOpen(t, testConfig(t)))
	for i := range 7 {
		w.must(w.db.Audit(ctx, staff.Entry{Network: w.network.ID, Account: w.worker.ID, Action: "try", Target: itoa(int64(i)), Outcome: "denied"}))
	}
	w.must(w.db.Audit(ctx, staff.Entry{Network: w.stranger.Network, Action: "try", Target: "elsewhere"}))
	var got []string
	for after, first := int64(0), true; first || after != 0; first = false {
		page, next, err := w.db.AuditEntries(ctx, w.network.ID, after, 3)
		w.must(err)
		for _, e := range page {
			if e.Action == "try" && e.Outcome == "denied" && e.At.Equal(testCivil) {
				got = append(got, e.Target)
			}
		}
		after = next
	}
	if want := []string{"6", "5", "4", "3", "2", "1", "0"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCapacity(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		week := throttle.Week{time.Monday: {From: 540, To: 1020}}
		worker := throttle.Worker{Week: week, FirstContact: .5, Minutes: 45, Places: 3}
		w.must(w.db.SetWorker(ctx, w.senior, w.worker.ID, worker))
		wantErr(t, w.db.SetWorker(ctx, w.helper, w.worker.ID, worker), staff.ErrDenied)
		wantErr(t, w.db.SetWorker(ctx, w.stranger, w.worker.ID, worker), staff.ErrNotFound)
		bad := worker
		bad.Minutes = 0
		if err := w.db.SetWorker(ctx, w.senior, w.worker.ID, bad); err == nil {
			t.Error("a first contact of no minutes was taken")
		}
		from := testCivil.Add(24 * time.Hour)
		span := throttle.Span{From: from, To: from.Add(72 * time.Hour)}
		_, err := w.db.AddLeave(ctx, w.senior, w.worker.ID, span)
		w.must(err)
		for i, doc := range []personDoc{agnes, celia} {
			r := w.mustKeep(form(itoa(int64(i)), w.text(doc, false), selfrefer.Answers{}))
			_, err := w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
			w.must(err)
		}
		all, err := w.db.Workers(ctx, w.team.ID)
		w.must(err)
		if len(all) != 1 || all[0].ID != itoa(int64(w.worker.ID)) || all[0].Name != "Wanda" || all[0].Places != 1 || all[0].Week != week ||
			all[0].Minutes != 45 || !slices.Equal(all[0].Leave, []throttle.Span{span}) {
			t.Errorf("got roster %+v", all)
		}
		team, declared, err := w.db.Capacity(ctx, w.team.ID)
		w.must(err)
		if team != w.team || len(declared) != 1 || declared[0].Places != 3 {
			t.Errorf("got capacity %+v of %+v", declared, team)
		}
		var state throttle.TeamState
		w.must(w.db.read(ctx, "test", func(tx *Tx) error {
			policy, _, err := w.db.teamPolicy(tx, w.team.ID)
			if err != nil {
				return err
			}
			if policy.PromiseDays != 2 || len(policy.Roster) != 1 || policy.Roster[0].Places != 1 {
				t.Errorf("got policy %+v", policy)
			}
			state, err = w.db.teamState(tx, w.team.ID)
			return err
		}))
		if due := (throttle.Calendar{}).DueBy(testCivil, 2); state.Waiting != 2 || state.Urgent != 0 || !state.OldestDue.Equal(due) || len(state.Contacts) != 0 {
			t.Errorf("got state %+v", state)
		}

		w.must(w.db.RemoveLeave(ctx, w.senior, w.worker.ID, span))
		declared[0].ID, declared[0].Leave = itoa(int64(w.other.ID)), []throttle.Span{span, span}
		w.must(w.db.SetCapacity(ctx, w.senior, w.team.ID, declared))
		wantErr(t, w.db.SetCapacity(ctx, w.stranger, w.team.ID, nil), staff.ErrNotFound)
		wantErr(t, w.db.SetCapacity(ctx, w.worker, w.team.ID, nil), staff.ErrDenied)
		if err := w.db.SetCapacity(ctx, w.senior, w.team.ID, []throttle.Worker{{ID: itoa(int64(w.stranger.ID)), Minutes: 30}}); err == nil {
			t.Error("somebody of another network came onto the roster")
		}
		all, err = w.db.Workers(ctx, w.team.ID)
		w.must(err)
		if len(all) != 1 || all[0].Name != "Otto" || len(all[0].Leave) != 2 || all[0].Places != 3 {
			t.Errorf("got roster %+v", all)
		}
		if n := w.count(`SELECT COUNT(*) FROM audit WHERE outcome = 'denied' AND account IN ($1, $2)`, int64(w.helper.ID), int64(w.worker.ID)); n != 2 {
			t.Errorf("got %d refusals in the audit", n)
		}
	})
}

func TestDraft(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		machine := testCivil
		cfg.Machine = func() time.Time { return machine }
		db := mustOpen(t, cfg)
		token := []byte("token")
		is := func(secret string, token []byte, want string) {
			t.Helper()
			a, found, err := db.Draft(ctx, secret, token)
			if err != nil || found != (want != "") || a.Words != want {
				t.Errorf("got draft %q, %v, %v; want %q", a.Words, found, err, want)
			}
		}
		save := func(token []byte, words string) {
			t.Helper()
			if err := db.SaveDraft(ctx, "browser", token, selfrefer.Answers{Words: words}); err != nil {
				t.Fatal(err)
			}
		}
		save(token, "first")
		save(token, "second")
		save(nil, "general")
		is("browser", token, "second")
		is("browser", nil, "general")
		is("another", token, "")
		is("browser", []byte("other"), "")
		if err := db.DropDraft(ctx, "browser", nil); err != nil {
			t.Fatal(err)
		}
		is("browser", nil, "")
		machine = machine.Add(draftLife - time.Millisecond)
		is("browser", token, "second")
		machine = machine.Add(time.Millisecond)
		is("browser", token, "")
		if n, err := db.PurgeDrafts(ctx); n != 1 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
		if err := db.SaveDraft(ctx, "", token, selfrefer.Answers{}); err == nil {
			t.Error("a draft without a secret was kept")
		}
	})
}
