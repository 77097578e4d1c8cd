package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// recounted counts the queue row by row, as the counters should have it.
func (w *world) recounted() map[string]int64 {
	w.tb.Helper()
	want := map[string]int64{}
	w.must(w.db.read(context.Background(), "test", func(tx *Tx) error {
		rows, err := list(tx, func(row scanner, r *selfrefer.Referral) error {
			sealed, err := scanReferral(row, r)
			if err != nil {
				return err
			}
			return w.db.openReferral(r, sealed, true)
		}, `SELECT `+referralColumns+` FROM referral WHERE network = $1`, int64(w.network.ID))
		for _, r := range rows {
			want[queueTally(countAll, r, "")]++
			if r.State.Open() {
				want[queueTally(countPractice, r, r.Practice)]++
				want[queueTally(countLanguage, r, r.Language)]++
				for _, reason := range reasonsOf(r) {
					want[queueTally(countReason, r, reason)]++
					want["listed by reason"]++
				}
			}
		}
		return err
	}))
	return want
}

// steady fails if a counter of the queue, or the list by reason, is not what the rows say.
func (w *world) steady(when string) {
	w.tb.Helper()
	got := map[string]int64{}
	w.must(w.db.read(context.Background(), "test", func(tx *Tx) error {
		all, err := list(tx, func(r scanner, c *counted) error { return r.Scan(&c.kind, &c.n) },
			`SELECT kind, CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = $1 GROUP BY kind HAVING SUM(n) <> 0`, int64(w.network.ID))
		for _, c := range all {
			got[c.kind] = int64(c.n)
		}
		return err
	}))
	if n := w.count(`SELECT COUNT(*) FROM referral_reason w JOIN referral r ON r.id = w.referral AND r.network = w.network AND r.team = w.team AND r.urgent = w.urgent AND r.lane = w.lane AND r.due_at = w.due_at`); n > 0 {
		got["listed by reason"] = n
	}
	if n := w.count(`SELECT COUNT(*) FROM referral_reason`); n != got["listed by reason"] {
		w.tb.Errorf("%s: %d are listed by reason, %d of them rightly", when, n, got["listed by reason"])
	}
	if want := w.recounted(); !maps.Equal(got, want) {
		w.tb.Errorf("%s: counted %v, want %v", when, got, want)
	}
}

func TestQueue_countsFollow(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01", Reasons: []string{"money", "housing", "money", "made up"}})).ID
		w.mustKeep(form("g", w.text(celia, false), selfrefer.Answers{Words: "I took an overdose", Reasons: []string{"coping"}, Language: "a:b"}))
		w.steady("two came")
		for _, e := range []selfrefer.Event{selfrefer.Claim, selfrefer.Attempt, selfrefer.Release, selfrefer.Claim, selfrefer.HandOver, selfrefer.TakeBack, selfrefer.StartSupport, selfrefer.Close} {
			_, err := w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: e, To: w.other.ID})
			w.must(err)
			w.steady(string(e))
		}
		// What came before there was an index is counted by its reasons when it is found, opened or moved, once.
		old := w.mustKeep(form("h", w.text(personDoc{Given: "Dora", Family: "Dale", Born: "1970-01-01", NHS: "9990000042", Phone: "+447700900004"}, false), selfrefer.Answers{BirthDate: "1970-01-01", Reasons: []string{"carer"}})).ID
		forget := func(id selfrefer.ReferralID) {
			w.write(`UPDATE referral SET indexed = 0 WHERE id = $1`, int64(id))
			w.write(`DELETE FROM referral_term WHERE referral = $1`, int64(id))
			w.write(`DELETE FROM referral_reason WHERE referral = $1`, int64(id))
			w.write(`DELETE FROM tally WHERE owner = $1 AND kind LIKE 'queue:reason:%:carer'`, int64(w.network.ID))
		}
		for name, do := range map[string]func() error{
			"opened": func() error { _, _, err := w.db.Referral(ctx, w.worker, old); return err },
			"claimed": func() error {
				_, err := w.db.Act(ctx, w.worker, old, selfrefer.Contact{Event: selfrefer.Claim})
				return err
			},
			"found": func() error { _, err := w.db.IndexOld(ctx); return err },
		} {
			forget(old)
			for range 2 {
				w.must(do())
				w.steady(name)
				if name == "claimed" {
					_, err := w.db.Act(ctx, w.worker, old, selfrefer.Contact{Event: selfrefer.Release})
					w.must(err)
				}
			}
			if n := w.count(`SELECT COUNT(*) FROM referral_term WHERE referral = $1`, int64(old)); n != 4 {
				t.Errorf("%s: %d terms of a name of two words and a birth date", name, n)
			}
		}
		// One that cannot be opened keeps no other from being found.
		forget(old)
		w.write(`UPDATE referral SET person = $1, indexed = 0 WHERE id = $2`, []byte("broken"), int64(id))
		if n, err := w.db.IndexOld(ctx); n != 2 || err != nil {
			t.Errorf("indexed %d, %v", n, err)
		}
		if n, err := w.db.IndexOld(ctx); n != 0 || err != nil || w.count(`SELECT COUNT(*) FROM referral_term WHERE referral = $1`, int64(old)) != 4 {
			t.Errorf("indexed %d once more, %v", n, err)
		}
	})
}

func TestSearch(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		ag := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01", Phone: "0151 496 0777"}))
		ce := w.mustKeep(form("g", w.text(celia, false), selfrefer.Answers{BirthDate: "1961-12-24", Words: "I took an overdose"}))
		general := func(name string, network staff.NetworkID) selfrefer.ReferralID {
			rc, err := w.keep(selfrefer.Form{ID: "form of " + name + itoa(int64(network)), Network: network, Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Name: name, Phone: "07700 900555", ForOther: true, HelperPhone: "07700 900666"}, At: testCivil})
			w.must(err)
			return selfrefer.ReferralID(w.count(`SELECT id FROM referral WHERE reference = $1`, rc.Reference))
		}
		oc := general("Siân O'Connor-Smith", w.network.ID)
		away := general("Agnes Arkwright", w.stranger.Network)
		for _, e := range []selfrefer.Event{selfrefer.Claim, selfrefer.Close} {
			_, err := w.db.Act(ctx, w.worker, ag.ID, selfrefer.Contact{Event: e})
			w.must(err)
		}
		for _, c := range []struct {
			who   staff.Account
			typed string
			want  []selfrefer.ReferralID
		}{
			{w.worker, "agnes ARKWRIGHT", []selfrefer.ReferralID{ag.ID}},
			{w.worker, "Arkwright", []selfrefer.ReferralID{ag.ID}},
			{w.worker, strings.ToLower(ag.Reference), []selfrefer.ReferralID{ag.ID}},
			{w.worker, "999 000 0018", []selfrefer.ReferralID{ag.ID}},
			{w.worker, "+44 7700 900001", []selfrefer.ReferralID{ag.ID}}, // that was texted
			{w.worker, "0151 496 0777", []selfrefer.ReferralID{ag.ID}},   // that they typed
			{w.worker, "sian o connor", []selfrefer.ReferralID{oc}},
			{w.worker, "Smith-O'Connor", []selfrefer.ReferralID{oc}},
			{w.worker, "07700 900555", []selfrefer.ReferralID{oc}},
			{w.worker, "07700 900666", []selfrefer.ReferralID{oc}},
			{w.worker, "Connor", nil},
			{w.worker, "Agnes Cole", nil},
			{w.worker, "Celia Cole", []selfrefer.ReferralID{ce.ID}},
			{w.helper, "Celia Cole", nil}, // urgent: not for volunteers
			{w.helper, ce.Reference, nil},
			{w.helper, "07700 900003", nil},
			{w.helper, "agnes arkwright", []selfrefer.ReferralID{ag.ID}},
			{w.stranger, "agnes arkwright", []selfrefer.ReferralID{away}},
			{w.stranger, ag.Reference, nil},
			{w.stranger, "999 000 0018", nil},
		} {
			s, err := selfrefer.ParseSearch(c.typed)
			w.must(err)
			found, err := w.db.Search(ctx, c.who, s)
			w.must(err)
			var got []selfrefer.ReferralID
			for _, r := range found.Referrals {
				got = append(got, r.ID)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) || found.More {
				t.Errorf("%s finds %v, want %v", c.typed, got, c.want)
			}
		}
		if w.auditedBy(w.worker, "referral.search", "by name", "1 found") < 4 || w.auditedBy(w.worker, "referral.search", "by nhs_number", "1 found") != 1 {
			t.Error("the audit does not know who searched")
		}
		s, err := selfrefer.ParseSearch("arkwright")
		w.must(err)
		for _, who := range []staff.Account{{}, {ID: w.worker.ID, Network: w.network.ID, Role: staff.Administrator}, {ID: w.worker.ID, Network: w.network.ID, Role: staff.LinkWorker, Disabled: true}} {
			found, err := w.db.Search(ctx, who, s)
			wantErr(t, err, staff.ErrDenied)
			if len(found.Referrals) > 0 {
				t.Error("somebody was shown what they may not see")
			}
		}
		// Nothing that was searched for, and no name, stands anywhere in clear.
		if n := w.count(`SELECT COUNT(*) FROM audit WHERE LOWER(target || outcome) LIKE '%arkwright%'`); n != 0 {
			t.Error("the audit holds a name")
		}
		here, there := w.db.term(w.network.ID, "word", "arkwright"), w.db.term(w.stranger.Network, "word", "arkwright")
		if bytes.Equal(here, there) || bytes.Contains(here, []byte("ark")) {
			t.Error("equal names can be told in two networks")
		}
		for i := range searchShown + 1 {
			general(fmt.Sprint("Many Persons", strings.Repeat("a", i+1)), w.network.ID)
		}
		s, err = selfrefer.ParseSearch("many")
		w.must(err)
		found, err := w.db.Search(ctx, w.worker, s)
		w.must(err)
		if len(found.Referrals) != searchShown || !found.More || found.Referrals[0].ID < found.Referrals[1].ID {
			t.Errorf("found %d, more %v", len(found.Referrals), found.More)
		}
	})
}

func (w *world) auditedBy(who staff.Account, action, target, outcome string) (n int) {
	w.tb.Helper()
	all, _, err := w.db.AuditEntries(context.Background(), who.Network, 0, 1000)
	w.must(err)
	for _, e := range all {
		if e.Account == who.ID && e.Action == action && e.Target == target && e.Outcome == outcome {
			n++
		}
	}
	return n
}

func TestAct_handOver(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"})).ID
		act := func(who staff.Account, e selfrefer.Event, to staff.Account, want error) selfrefer.Referral {
			t.Helper()
			now = now.Add(time.Minute)
			r, err := w.db.Act(ctx, who, id, selfrefer.Contact{Event: e, To: to.ID, Note: "she knows you"})
			if (want == nil) != (err == nil) {
				t.Fatalf("%s: %v, want %v", e, err, want)
			}
			wantErr(t, err, want)
			return r
		}
		told := func(who staff.Account, want int) {
			t.Helper()
			all, err := w.db.Notices(ctx, who)
			w.must(err)
			if len(all) != want {
				t.Errorf("%s has %d notices, want %d", who.Name, len(all), want)
			}
		}
		nobody := staff.Account{}
		act(w.worker, selfrefer.HandOver, w.other, selfrefer.ErrTaken) // nobody's yet
		act(w.worker, selfrefer.Claim, nobody, nil)
		act(w.other, selfrefer.HandOver, w.other, selfrefer.ErrTaken)
		act(w.worker, selfrefer.TakeBack, nobody, selfrefer.ErrNotNow)
		for _, to := range []staff.Account{nobody, w.stranger, w.worker} {
			act(w.worker, selfrefer.HandOver, to, selfrefer.ErrNotTheirs)
		}
		if r := act(w.worker, selfrefer.HandOver, w.other, nil); r.ClaimedBy != w.other.ID || r.HandedBy != w.worker.ID || r.State != selfrefer.Claimed {
			t.Errorf("handed over: %d has it, by %d", r.ClaimedBy, r.HandedBy)
		}
		told(w.other, 1)
		told(w.worker, 0)
		_, _, err := w.db.Referral(ctx, w.worker, id) // the giver's look changes nothing
		w.must(err)
		if r := act(w.worker, selfrefer.TakeBack, nobody, nil); r.ClaimedBy != w.worker.ID || r.HandedBy != 0 {
			t.Errorf("taken back: %d has it", r.ClaimedBy)
		}
		told(w.other, 0)
		act(w.worker, selfrefer.HandOver, w.other, nil)
		_, contacts, err := w.db.Referral(ctx, w.other, id)
		w.must(err)
		if c := contacts[len(contacts)-1]; c.Event != selfrefer.HandOver || c.To != w.other.ID || c.Note != "she knows you" {
			t.Errorf("the history has %s", c.Event)
		}
		told(w.other, 0)
		act(w.worker, selfrefer.TakeBack, nobody, selfrefer.ErrNotNow)
		act(w.other, selfrefer.Attempt, nobody, nil)
		if r := act(w.senior, selfrefer.HandOver, w.senior, nil); r.ClaimedBy != w.senior.ID || r.HandedBy != 0 || r.State != selfrefer.Contacting {
			t.Errorf("a senior took it over: %d has it, by %d", r.ClaimedBy, r.HandedBy)
		}
		act(w.senior, selfrefer.HandOver, w.helper, nil)
		if r := act(w.helper, selfrefer.Attempt, nobody, nil); r.HandedBy != 0 {
			t.Error("whoever works on it has not seen it")
		}
		if w.audited(w.worker, "referral.hand_over", id, "not_theirs") != 3 || w.audited(w.worker, "referral.take_back", id, "done") != 1 || w.audited(w.senior, "referral.hand_over", id, "done") != 2 {
			t.Error("the audit does not know of it")
		}
		// No volunteer is handed an urgent one.
		urgent := w.mustKeep(form("g", w.text(celia, false), selfrefer.Answers{Words: "I took an overdose"})).ID
		_, err = w.db.Act(ctx, w.worker, urgent, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		r, err := w.db.Act(ctx, w.worker, urgent, selfrefer.Contact{Event: selfrefer.HandOver, To: w.helper.ID})
		wantErr(t, err, selfrefer.ErrNotTheirs)
		if r.ID != 0 || w.count(`SELECT COUNT(*) FROM referral WHERE id = $1 AND claimed_by = $2`, int64(urgent), int64(w.worker.ID)) != 1 {
			t.Error("a volunteer was handed an urgent one")
		}
	})
}

func TestAct_escalate(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"})).ID
		why := selfrefer.Escalation{Why: "canary: her son takes her money", Told: "Jo Hill, safeguarding lead", Number: "0151 496 0999", At: testCivil.Add(-5 * time.Minute)}
		tell := func(who, to staff.Account, want error) {
			t.Helper()
			_, err := w.db.Act(ctx, who, id, selfrefer.Contact{Event: selfrefer.Escalate, To: to.ID, Escalation: why})
			if (want == nil) != (err == nil) {
				t.Fatalf("%v, want %v", err, want)
			}
			wantErr(t, err, want)
		}
		tell(w.helper, w.worker, selfrefer.ErrNotTheirs)
		tell(w.senior, w.senior, selfrefer.ErrNotTheirs)
		tell(w.stranger, w.senior, selfrefer.ErrNotFound)
		tell(w.helper, w.senior, nil) // unclaimed: whoever sees it
		_, err := w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		tell(w.helper, w.senior, selfrefer.ErrTaken)
		notices, err := w.db.Notices(ctx, w.senior)
		w.must(err)
		if len(notices) != 1 || notices[0].Kind != selfrefer.EscalatedToYou || notices[0].Referral != id || !notices[0].Since.Equal(testCivil) {
			t.Errorf("got notices %+v", notices)
		}
		r, contacts, err := w.db.Referral(ctx, w.senior, id)
		w.must(err)
		if r.EscalatedTo != w.senior.ID || !r.EscalatedAt.Equal(testCivil) || r.ClaimedBy != w.worker.ID || contacts[0].Event != selfrefer.Escalate || contacts[0].To != w.senior.ID ||
			contacts[0].By != w.helper.ID || contacts[0].Escalation.Why != why.Why || contacts[0].Escalation.Told != why.Told || contacts[0].Escalation.Number != why.Number || !contacts[0].Escalation.At.Equal(why.At) {
			t.Errorf("the history does not tell of the escalation")
		}
		if notices, err = w.db.Notices(ctx, w.senior); err != nil || len(notices) != 0 {
			t.Errorf("opened, and still told: %d, %v", len(notices), err)
		}
		if n := w.count(`SELECT COUNT(*) FROM referral_event WHERE CAST(escalation AS TEXT) LIKE '%canary%'`); cfg.Database == "" && n != 0 {
			t.Error("an escalation stands in clear")
		}
		if w.audited(w.helper, "referral.escalate", id, "done") != 1 || w.audited(w.helper, "referral.escalate", id, "taken") != 1 {
			t.Error("the audit does not know of it")
		}
	})
}

func TestNotices_urgent(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil.Add(-15 * time.Minute) // 9:45am on a Monday
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		var week throttle.Week
		for d := time.Monday; d <= time.Friday; d++ {
			week[d] = throttle.Hours{From: 9 * 60, To: 17 * 60}
		}
		account := func(role staff.Role, n staff.NetworkID) staff.Account {
			a, err := w.db.CreateAccount(ctx, staff.Account{Network: n, Email: string(role) + itoa(int64(n)) + "@offer.test", Name: "M", Role: role}, "")
			w.must(err)
			return a
		}
		manager, admin, elsewhere := account(staff.CampaignManager, w.network.ID), account(staff.Administrator, w.network.ID), account(staff.CampaignManager, w.stranger.Network)
		for _, a := range []staff.Account{w.senior, w.worker} {
			w.must(w.db.SetWorker(ctx, w.senior, a.ID, throttle.Worker{Week: week, FirstContact: .5, Minutes: 45, Places: -1}))
		}
		w.must(w.db.SetSharing(ctx, w.senior, w.team.ID, selfrefer.Sharing{Wait: time.Hour, AskAt: -1})) // nobody is asked who is in
		rc, err := (&selfrefer.Receiver{Keeper: w.db, Now: cfg.Now}).Receive(ctx, selfrefer.Form{ID: "u", Network: w.network.ID, Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Words: "I took an overdose"}})
		w.must(err)
		claimed, seniorAway := false, false
		check := func(after time.Duration, offer selfrefer.Offer, want map[string]int) {
			t.Helper()
			now = testCivil.Add(-15 * time.Minute).Add(after)
			for _, who := range []staff.Account{w.senior, w.worker, w.helper, manager, admin, elsewhere, w.stranger} {
				all, err := w.db.Notices(ctx, who)
				w.must(err)
				// Whoever of the team is at work knows of it from the first minute, until it is claimed; who is offered it is told that instead.
				waits := !claimed && (who.ID == w.worker.ID || who.ID == w.senior.ID && offer == selfrefer.ToTeam && !seniorAway)
				if there := len(all) == 1 && all[0].Kind == selfrefer.UrgentArrived && all[0].Referral != 0 && all[0].Ref == rc.Reference; waits != there {
					t.Errorf("after %v, %s: waits for them %v, told %+v", after, who.Role, waits, all)
				} else if there {
					all = nil
				}
				if len(all) != want[string(who.Role)+itoa(int64(who.Network-w.network.ID))] {
					t.Errorf("after %v, %s: %d notices", after, who.Role, len(all))
				}
				for _, n := range all {
					if n.Ref != rc.Reference || n.Kind != selfrefer.UrgentUnclaimed || n.Offer != offer || (n.Referral != 0) != (who.ID == w.senior.ID) {
						t.Errorf("after %v, %s: told %+v", after, who.Role, n)
					}
				}
			}
			queue, err := w.db.Queue(ctx, selfrefer.Filter{Network: w.network.ID})
			w.must(err)
			if queue[0].Offer != offer {
				t.Errorf("after %v: the queue says %q, want %q", after, queue[0].Offer, offer)
			}
		}
		check(29*time.Minute, selfrefer.ToTeam, nil)
		check(30*time.Minute, selfrefer.ToSenior, map[string]int{"senior_link_worker0": 1})
		all := map[string]int{"senior_link_worker0": 1, "campaign_manager0": 1, "administrator0": 1}
		check(60*time.Minute, selfrefer.ToManager, all)
		w.must(w.db.SetWorker(ctx, w.senior, w.senior.ID, throttle.Worker{FirstContact: .5, Minutes: 45, Places: -1})) // the senior is not at work
		delete(all, "senior_link_worker0")
		check(45*time.Minute, selfrefer.ToManager, all)
		id := selfrefer.ReferralID(w.count(`SELECT id FROM referral WHERE reference = $1`, rc.Reference))
		_, err = w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		claimed = true
		check(90*time.Minute, selfrefer.ToTeam, nil)
		claimed = false
		seniorAway = true
		_, err = w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.Release})
		w.must(err)
		check(119*time.Minute, selfrefer.ToTeam, nil) // put back: the half hour begins again
		check(120*time.Minute, selfrefer.ToManager, all)
	})
}

// explaining runs statements and keeps how SQLite goes about them.
type explaining struct {
	runner
	plans map[string]string
}

func (e explaining) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	rows, err := e.runner.query(ctx, "EXPLAIN QUERY PLAN "+query, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			return nil, err
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	e.plans[query] = plan.String()
	return e.runner.query(ctx, query, args) //nolint:sqlclosecheck // whoever asked closes them
}

// A page of the queue, a count and a search read what they show and no more: SQLite goes along an index for each, and sorts nothing but what
// one person has in hand.
func TestQueue_plans(t *testing.T) {
	ctx := context.Background()
	w := mustWorld(t, mustOpen(t, testConfig(t)))
	w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01", Reasons: []string{"money"}}))
	look := func(name, index string, sorts bool, do func(tx *Tx) error) {
		t.Helper()
		plans := map[string]string{}
		w.must(w.db.read(ctx, "test", func(tx *Tx) error {
			tx.run = explaining{tx.run, plans}
			return do(tx)
		}))
		seen := 0
		for query, plan := range plans {
			if !strings.Contains(query, "referral") {
				continue
			}
			seen++
			if !strings.Contains(plan, index) {
				t.Errorf("%s: goes not along %s:\n%s", name, index, plan)
			}
			if strings.Contains(plan, "SCAN referral") || strings.Contains(plan, "SCAN t") || strings.Contains(plan, "TEMP B-TREE") && !sorts {
				t.Errorf("%s: %s goes like this:\n%s", name, query, plan)
			}
		}
		if seen == 0 {
			t.Errorf("%s: nothing was looked at", name)
		}
	}
	for _, team := range []staff.TeamID{0, w.team.ID} {
		for _, state := range []string{"open", "new", "claimed", "waiting", "mine", "supported", "urgent", "unverified", "done", "closed", "in_support"} {
			for _, noUrgent := range []bool{false, true} {
				f := selfrefer.Filter{Network: w.network.ID, Team: team, State: state, NoUrgent: noUrgent, Mine: w.worker.ID, Limit: 51}
				queue := func(f selfrefer.Filter) func(*Tx) error {
					return func(tx *Tx) error { _, err := w.db.queue(tx, f); return err }
				}
				if state == "urgent" && noUrgent {
					continue // there is nothing to read
				}
				index := map[string]string{"open": "referral_open (", "urgent": "referral_open (", "unverified": "referral_open (", "mine": "referral_hands", "supported": "referral_hands", "done": "referral_done (",
					"closed": "referral_done_state", "in_support": "referral_done_state"}[state]
				look(state, cmp.Or(index, "referral_open_state"), state == "mine", queue(f))
				if state == "done" || state == "closed" || state == "in_support" || state == "supported" {
					continue
				}
				for name, g := range map[string]selfrefer.Filter{"practice": {Practice: "N83001"}, "reason": {Reason: "money"}, "language": {Language: "en"}} {
					n := f
					n.Practice, n.Reason, n.Language = g.Practice, g.Reason, g.Language
					index := map[string]string{"practice": "referral_open_practice", "reason": "SEARCH w USING PRIMARY KEY", "language": "referral_open_language"}[name]
					switch {
					case state == "mine":
						index = "referral_hands"
					case name == "reason" && (state == "claimed" || state == "waiting"):
						index = "referral_open_state"
					}
					look(state+" by "+name, index, state == "mine", queue(n))
				}
			}
		}
	}
	for _, n := range []struct {
		index string
		find  func(*DB, *Tx, staff.Account) ([]selfrefer.Notice, error)
		sorts bool
	}{{"USING ", (*DB).offered, false}, {"referral_promise", (*DB).promised, false}, {"referral_open", (*DB).unclaimed, false}, {"referral_", (*DB).told, true}} {
		for _, who := range []staff.Account{w.worker, w.senior} {
			look("notices", n.index, n.sorts, func(tx *Tx) error { _, err := n.find(w.db, tx, who); return err })
		}
	}
	for _, typed := range []string{"K7QP-3XYZ", "999 000 0018", "07700 900001", "agnes", "agnes arkwright", "agnes mary arkwright"} {
		s, err := selfrefer.ParseSearch(typed)
		w.must(err)
		for _, who := range []staff.Account{w.worker, w.helper} {
			look("search "+typed, "SEARCH", strings.HasPrefix(typed, "9") || strings.HasPrefix(typed, "0"), func(tx *Tx) error { _, err := w.db.search(tx, who, s); return err })
		}
	}
}
