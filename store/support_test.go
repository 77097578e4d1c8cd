package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

const testDay = selfrefer.Day("2026-06-01")

// record applies a change that must go well.
func (w *world) record(who staff.Account, id selfrefer.ReferralID, c selfrefer.Change) {
	w.tb.Helper()
	if f := c.Check(testDay); len(f) > 0 {
		w.tb.Fatalf("%s: %+v", c.Name(), f)
	}
	w.must(w.db.RecordSupport(context.Background(), who, id, c))
}

func (w *world) does(who staff.Account, id selfrefer.ReferralID, e selfrefer.Event) {
	w.tb.Helper()
	_, err := w.db.Act(context.Background(), who, id, selfrefer.Contact{Event: e, Channel: "call"})
	w.must(err)
}

func (w *world) support(who staff.Account, id selfrefer.ReferralID) selfrefer.Support {
	w.tb.Helper()
	s, err := w.db.Support(context.Background(), who, id)
	w.must(err)
	return s
}

func (w *world) supported() selfrefer.ReferralID {
	w.tb.Helper()
	id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01", Reasons: []string{"money"}, Language: "Polish"})).ID
	w.does(w.worker, id, selfrefer.Claim)
	w.does(w.worker, id, selfrefer.StartSupport)
	return id
}

func TestNote(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"})).ID
		note := func(who staff.Account) error {
			_, err := w.db.Act(ctx, who, id, selfrefer.Contact{Event: selfrefer.Note, Note: "Marigold rang"})
			return err
		}
		w.must(note(w.other)) // nobody has it yet
		w.does(w.worker, id, selfrefer.Claim)
		w.must(note(w.other)) // took the call
		wantErr(t, note(w.stranger), selfrefer.ErrNotFound)
		r, contacts, err := w.db.Referral(ctx, w.worker, id)
		w.must(err)
		if r.State != selfrefer.Claimed || r.ClaimedBy != w.worker.ID || r.Attempts != 0 || !r.Contacted.IsZero() {
			t.Errorf("a note has moved it: %+v", r)
		}
		if len(contacts) != 3 || contacts[2].Event != selfrefer.Note || contacts[2].Note != "Marigold rang" || contacts[2].By != w.other.ID {
			t.Errorf("%+v", contacts)
		}
		w.does(w.worker, id, selfrefer.Close)
		wantErr(t, note(w.worker), selfrefer.ErrNotNow)
		if n := w.audited(w.other, "referral.note", id, "done"); n != 2 {
			t.Errorf("%d lines in the audit", n)
		}
	})
}

func TestTasks(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"})).ID
		urgent := w.mustKeep(form("g", w.text(celia, false), selfrefer.Answers{BirthDate: "1961-12-24", Words: "I took an overdose"})).ID
		w.does(w.worker, id, selfrefer.Claim)
		add := func(who staff.Account, id selfrefer.ReferralID, words string, due selfrefer.Day, to staff.AccountID) error {
			return w.db.RecordSupport(ctx, who, id, selfrefer.AddTask{Task: selfrefer.Task{Kind: selfrefer.PlainTask, Words: selfrefer.FreeText(words), Due: due, For: to}})
		}
		w.must(add(w.worker, id, "ring again", "2026-06-04", 0))
		w.must(add(w.worker, id, "ask the practice", "2026-06-02", w.worker.ID)) // the holder by name is the holder
		w.must(add(w.worker, id, "find a club", "2026-06-03", w.helper.ID))
		wantErr(t, add(w.worker, id, "x", "2026-06-03", w.stranger.ID), selfrefer.ErrNotTheirs)
		wantErr(t, add(w.worker, urgent, "x", "2026-06-03", w.helper.ID), selfrefer.ErrNotTheirs)
		wantErr(t, add(w.stranger, id, "x", "2026-06-03", 0), selfrefer.ErrNotFound)
		wantErr(t, add(w.helper, urgent, "x", "2026-06-03", 0), staff.ErrDenied)
		tasks := func(who staff.Account) (out string) {
			t.Helper()
			all, err := w.db.Tasks(ctx, who)
			w.must(err)
			for _, k := range all {
				out += fmt.Sprintf("%s %s %s; ", k.Due, k.Words.Reveal(), k.Name.Reveal())
			}
			return out
		}
		const holders = "2026-06-02 ask the practice Agnes Arkwright; 2026-06-04 ring again Agnes Arkwright; "
		for who, want := range map[staff.Account]string{w.worker: holders, w.helper: "2026-06-03 find a club Agnes Arkwright; ", w.other: "", w.stranger: ""} {
			if got := tasks(who); got != want {
				t.Errorf("%s has %q, want %q", who.Name, got, want)
			}
		}
		// The holder's go along; the other's stay theirs.
		_, err := w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.HandOver, To: w.other.ID})
		w.must(err)
		if tasks(w.worker) != "" || tasks(w.other) != holders || tasks(w.helper) == "" {
			t.Errorf("handed over: %q, %q, %q", tasks(w.worker), tasks(w.other), tasks(w.helper))
		}
		// Done, by somebody else, and not done after all.
		first := w.support(w.other, id).Tasks[0]
		w.record(w.helper, id, selfrefer.TickTask{ID: first.ID, Done: true})
		if got := tasks(w.other); got != "2026-06-04 ring again Agnes Arkwright; " {
			t.Errorf("done: %q", got)
		}
		if k := w.support(w.other, id).Tasks[0]; k.Open() || k.DoneBy != w.helper.ID || !k.DoneAt.Equal(testCivil) {
			t.Errorf("%+v", k)
		}
		w.record(w.other, id, selfrefer.TickTask{ID: first.ID})
		if k := w.support(w.other, id).Tasks[0]; !k.Open() || k.DoneBy != 0 || tasks(w.other) != holders {
			t.Errorf("open again: %+v", k)
		}
		wantErr(t, w.db.RecordSupport(ctx, w.other, urgent, selfrefer.TickTask{ID: first.ID, Done: true}), selfrefer.ErrEntry) // of another referral
		// What is left when the referral ends is still to be done.
		w.does(w.other, id, selfrefer.Close)
		if tasks(w.other) != holders {
			t.Errorf("closed: %q", tasks(w.other))
		}
		wantErr(t, add(w.other, id, "x", "2026-06-03", 0), selfrefer.ErrNotNow)
		// A list shows nothing of a referral that one may not look at.
		w.write(`UPDATE task SET for_account = $1 WHERE id = $2`, int64(w.helper.ID), int64(first.ID))
		w.write(`UPDATE task SET referral = $1 WHERE id = $2`, int64(urgent), int64(first.ID))
		if got := tasks(w.helper); strings.Contains(got, "practice") {
			t.Errorf("a volunteer reads %q", got)
		}
		if _, err := w.db.ReferralTasks(ctx, w.helper, urgent); !errors.Is(err, staff.ErrDenied) {
			t.Errorf("a volunteer reads the tasks of an urgent one: %v", err)
		}
		if _, err := w.db.ReferralTasks(ctx, w.stranger, id); !errors.Is(err, selfrefer.ErrNotFound) {
			t.Errorf("a stranger reads tasks: %v", err)
		}
		if all, err := w.db.ReferralTasks(ctx, w.helper, id); err != nil || len(all) != 2 {
			t.Errorf("%d tasks, %v", len(all), err)
		}
	})
}

func TestSupport(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.supported()
		club, err := w.db.SetService(ctx, w.senior, selfrefer.Service{Name: "Elm House", Places: selfrefer.UnknownPlaces, Active: true})
		w.must(err)
		own, err := w.db.AddOwnMeasure(ctx, w.senior, selfrefer.OwnMeasure{Name: "Star", Questions: []string{"Money?", "Friends?"}, Low: 1, High: 10, MoreIs: selfrefer.Better})
		w.must(err)
		w.record(w.worker, id, selfrefer.AddGoal{Goal: selfrefer.Goal{Words: "see Marigold more", Set: testDay}})
		w.record(w.senior, id, selfrefer.AddGoal{Goal: selfrefer.Goal{Words: "a mistake", Set: testDay}})
		w.record(w.worker, id, selfrefer.AddOnward{Onward: selfrefer.OnwardReferral{Service: club.ID, How: selfrefer.ByRinging, State: selfrefer.Referred, Day: testDay, Why: "near Marigold's"}})
		w.record(w.worker, id, selfrefer.AddOnward{Onward: selfrefer.OnwardReferral{Place: "Marigold's church", How: selfrefer.ByThemselves, State: selfrefer.Suggested, Day: testDay}})
		w.record(w.worker, id, selfrefer.AddIntervention{Intervention: selfrefer.Intervention{Kind: "advocacy", Day: testDay, Minutes: 25, Note: "rang Marigold's landlord"}})
		w.record(w.worker, id, selfrefer.AddIntervention{Intervention: selfrefer.Intervention{Kind: "listening", Day: "2026-05-30"}})
		measure := func(of selfrefer.Instrument, day selfrefer.Day, scores map[string]int) {
			t.Helper()
			w.record(w.worker, id, selfrefer.AddMeasure{Measure: selfrefer.Measure{Day: day, Scores: scores}, Of: of})
		}
		measure(selfrefer.ONS4, testDay, map[string]int{"satisfied": 7, "anxious": 2})
		measure(selfrefer.ONS4, "2026-05-01", map[string]int{"satisfied": 3})
		measure(selfrefer.Loneliness, testDay, map[string]int{"companionship": 3, "left_out": 2, "isolated": 3})
		s := w.support(w.worker, id)
		star, _ := selfrefer.InstrumentOf(selfrefer.KindOwn, own, s.Own)
		measure(star, testDay, map[string]int{"q1": 4, "q2": 5})
		for _, who := range []staff.Account{w.other, w.helper} {
			wantErr(t, w.db.RecordSupport(ctx, who, id, selfrefer.AddGoal{Goal: selfrefer.Goal{Words: "x"}}), selfrefer.ErrTaken)
		}
		wantErr(t, w.db.RecordSupport(ctx, w.stranger, id, selfrefer.AddGoal{}), selfrefer.ErrNotFound)
		wantErr(t, w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddOnward{Onward: selfrefer.OnwardReferral{Service: 999}}), selfrefer.ErrNoService)
		wantErr(t, w.db.RecordSupport(ctx, w.worker, 999, selfrefer.AddGoal{}), selfrefer.ErrNotFound)

		s = w.support(w.other, id) // who may look, without changing it
		if len(s.Goals) != 2 || s.Goals[0].Words.Reveal() != "see Marigold more" || s.Goals[0].State != selfrefer.WorkingOn || s.Goals[0].By != w.worker.ID {
			t.Errorf("goals: %+v", s.Goals)
		}
		if o := s.Onward; len(o) != 2 || o[0].Place.Reveal() != "Elm House" || o[0].Service != club.ID || o[0].Why.Reveal() != "near Marigold's" || o[0].State != selfrefer.Referred || o[1].Place.Reveal() != "Marigold's church" {
			t.Errorf("onward: %+v", o)
		}
		if i := s.Interventions; len(i) != 2 || i[0].Kind != "listening" || i[1].Note.Reveal() != "rang Marigold's landlord" || i[1].Minutes != 25 {
			t.Errorf("interventions: %+v", i)
		}
		if m := s.Measures; len(m) != 4 || m[0].Day != "2026-05-01" || m[1].Scores["satisfied"] != 7 || len(m[1].Scores) != 2 || m[3].Own != own || len(m[3].Scores) != 2 {
			t.Errorf("measures: %+v", m)
		}
		if c := selfrefer.Compare(selfrefer.ONS4, s.Measures[:2]); c[0].Change != "Better by 4" {
			t.Errorf("%+v", c[0])
		}
		if s.Referral.Answers.Reasons[0] != "money" || len(s.Kinds) != len(selfrefer.Kinds) || s.Ended != "" {
			t.Errorf("%+v", s)
		}
		for total, item := range map[int64]string{8: "ucla", 9: "total"} {
			if n := w.count(`SELECT score FROM measure_score WHERE item = $1`, item); n != total {
				t.Errorf("the sum %s is %d", item, n)
			}
		}

		// States, mistakes, and what was taken back by mistake.
		w.record(w.worker, id, selfrefer.SetGoal{ID: s.Goals[0].ID, State: selfrefer.Reached, On: testDay})
		w.record(w.senior, id, selfrefer.Remove{Kind: selfrefer.GoalEntry, ID: s.Goals[1].ID, Removed: true})
		w.record(w.worker, id, selfrefer.Remove{Kind: selfrefer.MeasureEntry, ID: s.Measures[0].ID, Removed: true})
		w.record(w.worker, id, selfrefer.Remove{Kind: selfrefer.MeasureEntry, ID: s.Measures[0].ID})
		w.record(w.worker, id, selfrefer.SetOnward{ID: s.Onward[1].ID, State: selfrefer.DidNotStart, On: testDay, Why: "too far for Marigold"})
		w.record(w.worker, id, selfrefer.SetOnward{ID: s.Onward[0].ID, State: selfrefer.Started, On: testDay})
		wantErr(t, w.db.RecordSupport(ctx, w.worker, id, selfrefer.SetGoal{ID: s.Onward[0].ID, State: selfrefer.Reached}), selfrefer.ErrEntry)
		wantErr(t, w.db.RecordSupport(ctx, w.worker, id, selfrefer.SetOnward{ID: s.Goals[0].ID, State: selfrefer.Started}), selfrefer.ErrEntry)
		wantErr(t, w.db.RecordSupport(ctx, w.worker, id, selfrefer.Remove{Kind: selfrefer.OnwardEntry, ID: s.Goals[0].ID, Removed: true}), selfrefer.ErrEntry)
		s = w.support(w.worker, id)
		if s.Goals[0].State != selfrefer.Reached || s.Goals[0].Ended != testDay || s.Removed[s.Goals[0].ID] || !s.Removed[s.Goals[1].ID] || s.Removed[s.Measures[0].ID] {
			t.Errorf("%+v, %v", s.Goals, s.Removed)
		}
		if o := s.Onward; o[0].State != selfrefer.Started || o[0].Why.Reveal() != "near Marigold's" || o[1].Why.Reveal() != "too far for Marigold" || o[1].Place.Reveal() != "Marigold's church" {
			t.Errorf("%+v", o)
		}
		w.record(w.worker, id, selfrefer.SetGoal{ID: s.Goals[0].ID, State: selfrefer.WorkingOn, On: testDay})
		if g := w.support(w.worker, id).Goals[0]; g.Ended != "" || g.State != selfrefer.WorkingOn {
			t.Errorf("taken up again: %+v", g)
		}

		// The end, with its reason in a plain column, and what is known later.
		_, err = w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.Close, Reason: selfrefer.NeedsMet, Note: "thanks"})
		w.must(err)
		s = w.support(w.worker, id)
		if s.Ended != selfrefer.NeedsMet || !s.EndedAt.Equal(testCivil) {
			t.Errorf("ended %q at %s", s.Ended, s.EndedAt)
		}
		wantErr(t, w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddGoal{Goal: selfrefer.Goal{Words: "x"}}), selfrefer.ErrNotNow)
		w.record(w.worker, id, selfrefer.SetOnward{ID: s.Onward[0].ID, State: selfrefer.DidNotStart, On: testDay, Why: "stopped"})
		_, contacts, err := w.db.Referral(ctx, w.worker, id)
		w.must(err)
		if last := contacts[len(contacts)-1]; last.Reason != selfrefer.NeedsMet || contacts[0].Reason != "" {
			t.Errorf("%+v", contacts)
		}
		if n := w.count(`
			SELECT COUNT(*)
			FROM referral_event e
			JOIN referral r ON r.id = e.referral
			WHERE r.network = $1 AND r.state IN ('closed', 'onward') AND e.reason = 'needs_met'
			  AND NOT EXISTS (SELECT 1 FROM referral_event l WHERE l.referral = e.referral AND l.reason <> '' AND l.id > e.id)`, int64(w.network.ID)); n != 1 {
			t.Errorf("%d were counted", n)
		}

		// Who did what is in the audit, refusals too; the words are nowhere.
		for action, n := range map[string]int{"support.goal": 1, "support.onward_state": 3, "support.measure": 4, "support.intervention": 2, "support.remove": 2} {
			if got := w.audited(w.worker, action, id, "done"); got != n {
				t.Errorf("%s: %d lines in the audit, want %d", action, got, n)
			}
		}
		if w.audited(w.other, "support.goal", id, "taken") != 1 || w.audited(w.stranger, "support.goal", id, "not_found") != 1 || w.audited(w.worker, "support.remove", id, "not_found") != 1 {
			t.Error("a refusal is not in the audit")
		}
		for _, q := range []string{`SELECT words FROM goal`, `SELECT words FROM onward`, `SELECT note FROM intervention WHERE note IS NOT NULL`} {
			w.must(w.db.read(ctx, "test", func(tx *Tx) error {
				sealed, err := list(tx, func(r scanner, b *[]byte) error { return r.Scan(b) }, q)
				for _, b := range sealed {
					if bytes.Contains(b, []byte("Marigold")) || bytes.Contains(b, []byte("mistake")) {
						t.Errorf("%s holds words in clear", q)
					}
				}
				return err
			}))
		}
	})
}

// Whoever has been handed a referral and works on its support has seen it: it cannot be taken back any more.
func TestSupport_opens(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.supported()
		for name, look := range map[string]func(){
			"looked":   func() { w.support(w.other, id) },
			"recorded": func() { w.record(w.other, id, selfrefer.AddGoal{Goal: selfrefer.Goal{Words: "x", Set: testDay}}) },
		} {
			_, err := w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.HandOver, To: w.other.ID})
			w.must(err)
			w.support(w.senior, id) // nobody's to open but theirs
			if n := w.count(`SELECT COUNT(*) FROM referral WHERE handed_by = $1`, int64(w.worker.ID)); n != 1 {
				t.Fatalf("%s: %d are handed over", name, n)
			}
			look()
			_, err = w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.TakeBack})
			wantErr(t, err, selfrefer.ErrNotNow)
			_, err = w.db.Act(ctx, w.senior, id, selfrefer.Contact{Event: selfrefer.HandOver, To: w.worker.ID})
			w.must(err)
			_, _, err = w.db.Referral(ctx, w.worker, id)
			w.must(err)
		}
	})
}

func TestSupport_walls(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.supported()
		if s, err := w.db.Support(ctx, w.stranger, id); !errors.Is(err, selfrefer.ErrNotFound) || s.Referral.ID != 0 {
			t.Errorf("a stranger reads %+v, %v", s, err)
		}
		manager := staff.Account{ID: 77, Network: w.network.ID, Role: staff.CampaignManager}
		if _, err := w.db.Support(ctx, manager, id); !errors.Is(err, staff.ErrDenied) || w.audited(manager, "referral.view", id, "denied") != 1 {
			t.Errorf("a manager reads it: %v", err)
		}
		if _, err := w.db.Tasks(ctx, manager); !errors.Is(err, staff.ErrDenied) {
			t.Errorf("a manager has tasks: %v", err)
		}
		before := w.audited(w.other, "referral.view", id, "done")
		w.support(w.other, id)
		if w.audited(w.other, "referral.view", id, "done") != before+1 {
			t.Error("a view is not in the audit")
		}
		// What a network offers is its own.
		wantErr(t, w.db.SetKinds(ctx, w.worker, selfrefer.Kinds[:1]), staff.ErrDenied)
		w.must(w.db.SetKinds(ctx, w.senior, selfrefer.Kinds[:2]))
		w.must(w.db.SetKinds(ctx, w.senior, []selfrefer.Kind{{Code: "debt_cafe", Words: "Debt café"}}))
		m, err := w.db.AddOwnMeasure(ctx, w.senior, selfrefer.OwnMeasure{Name: "Star", Questions: []string{"a"}, High: 5, MoreIs: selfrefer.Worse})
		w.must(err)
		if _, err := w.db.AddOwnMeasure(ctx, w.worker, selfrefer.OwnMeasure{Name: "Star", Questions: []string{"a"}, High: 5, MoreIs: selfrefer.Worse}); !errors.Is(err, staff.ErrDenied) {
			t.Errorf("a link worker added a measure: %v", err)
		}
		elsewhere := w.stranger
		elsewhere.Role = staff.SeniorLinkWorker
		wantErr(t, w.db.UseOwnMeasure(ctx, elsewhere, m, false), staff.ErrNotFound)
		w.must(w.db.UseOwnMeasure(ctx, w.senior, m, false))
		kinds, own, err := w.db.SupportOffer(ctx, w.network.ID)
		w.must(err)
		if fmt.Sprint(kinds) != "[{debt_cafe Debt café}]" || len(own) != 1 || own[0].Used || own[0].MoreIs != selfrefer.Worse || own[0].Questions[0] != "a" {
			t.Errorf("%v, %+v", kinds, own)
		}
		kinds, own, err = w.db.SupportOffer(ctx, w.stranger.Network)
		w.must(err)
		if len(kinds) != len(selfrefer.Kinds) || len(own) != 0 {
			t.Errorf("another network is offered %v, %v", kinds, own)
		}
	})
}
