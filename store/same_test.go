package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// row is every plain column of a referral, and what is sealed of it, opened.
func (w *world) row(id selfrefer.ReferralID) (s string) {
	w.tb.Helper()
	w.must(w.db.read(context.Background(), "test", func(tx *Tx) error {
		r, sealed, err := referralOf(tx, id, "")
		if err != nil {
			return err
		}
		if err := w.db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		a := r.Answers
		s = fmt.Sprintf("%+v %q %q %q %q %q %q", stoodAs(r), r.WhyUrgent, a.CallSafe, a.TextSafe, a.MessageSafe, a.IfAnother, a.Words)
		return nil
	}))
	return s
}

// recount compares the counters of the queue, of first contacts and of reasons with the rows.
func (w *world) recount(t rapidOrTest) {
	ctx := context.Background()
	want, got := map[string]int{}, map[string]int{}
	err := w.db.read(ctx, "test", func(tx *Tx) error {
		all, err := w.db.referrals(tx, `FROM referral WHERE `, conditions{`network = $1`, []any{int64(w.network.ID)}}, `id`, 100_000)
		if err != nil {
			return err
		}
		reasons := 0
		for _, r := range all {
			want[queueTally(countAll, r, "")]++
			if !r.Contacted.IsZero() {
				want[fmt.Sprintf("contact %d", hourOf(msOf(r.Contacted)))]++
			}
			if !r.State.Open() {
				continue
			}
			want[queueTally(countPractice, r, r.Practice)]++
			want[queueTally(countLanguage, r, r.Language)]++
			for _, reason := range reasonsOf(r) {
				want[queueTally(countReason, r, reason)]++
				reasons++
				var n int
				if err := tx.QueryRow(`SELECT COUNT(*) FROM referral_reason WHERE team = $1 AND reason = $2 AND urgent = $3 AND lane = $4 AND due_at = $5 AND referral = $6`,
					int64(r.Team), reason, r.Urgent, string(r.Lane), msOf(r.Due), int64(r.ID)).Scan(&n); err != nil || n != 1 {
					return errors.Join(err, fmt.Errorf("referral %d stands %d times under %s", r.ID, n, reason))
				}
			}
		}
		var n int
		if err := tx.QueryRow(`SELECT COUNT(*) FROM referral_reason`).Scan(&n); err != nil || n != reasons {
			return errors.Join(err, fmt.Errorf("%d lines by reason, want %d", n, reasons))
		}
		counts, err := list(tx, func(r scanner, c *counted) error { return r.Scan(&c.kind, &c.hour, &c.n) },
			`SELECT kind, hour, CAST(SUM(n) AS BIGINT) FROM tally WHERE owner IN ($1, $2) AND (kind LIKE 'queue:%' OR kind = 'contact') GROUP BY kind, hour`, int64(w.network.ID), int64(w.team.ID))
		for _, c := range counts {
			if c.kind == tallyContact {
				c.kind = fmt.Sprintf("contact %d", c.hour)
			}
			if c.n != 0 {
				got[c.kind] += c.n
			}
		}
		return err
	})
	if err != nil {
		t.Fatalf("recount: %v", err)
	}
	if !maps.Equal(got, want) {
		t.Fatalf("counted %v\nwant    %v", got, want)
	}
}

type rapidOrTest interface{ Fatalf(string, ...any) }

// Whatever is done, joined, undone and separated: the counters say what the rows say, an undo gives the row of before, what is separated stands
// as it did, and nothing is in two joins or joined to what is joined, round and round.
func TestSame_anything(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		crew := []staff.Account{w.senior, w.worker, w.other, w.helper}
		forms := 0
		rapid.Check(t, func(t *rapid.T) {
			var ids []selfrefer.ReferralID
			for range 3 {
				forms++
				a := selfrefer.Answers{Name: "Agnes Arkwright", BirthDate: "1 2 1950", Reasons: rapid.SampledFrom([][]string{nil, {"money"}, {"money", "housing"}}).Draw(t, "reasons"),
					CallSafe: rapid.SampledFrom([]selfrefer.Safe{"", selfrefer.SafeYes, selfrefer.SafeNo}).Draw(t, "safe"), Words: rapid.SampledFrom([]string{"", "I took an overdose", "there is no food in the house"}).Draw(t, "words")}
				now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
				rc, err := (&selfrefer.Receiver{Keeper: w.db, Now: cfg.Now}).Receive(ctx, selfrefer.Form{ID: fmt.Sprint("form ", forms), Network: w.network.ID, Source: selfrefer.ByGeneral, Answers: a, At: now})
				w.must(err)
				ids = append(ids, selfrefer.ReferralID(w.count(`SELECT id FROM referral WHERE reference = $1`, rc.Reference)))
			}
			before := map[selfrefer.ReferralID]string{}               // before the last step
			joined := map[selfrefer.ReferralID][2]string{}            // gone -> how both stood, if nothing was done with what goes on since
			goesOn := map[selfrefer.ReferralID]selfrefer.ReferralID{} // gone -> what goes on
			for range rapid.IntRange(1, 12).Draw(t, "steps") {
				who, id := rapid.SampledFrom(crew).Draw(t, "who"), rapid.SampledFrom(ids).Draw(t, "referral")
				now = now.Add(time.Duration(rapid.IntRange(0, 8).Draw(t, "minutes")) * time.Minute)
				was := map[selfrefer.ReferralID]string{}
				for _, id := range ids {
					was[id] = w.row(id)
				}
				touched := func(ids ...selfrefer.ReferralID) {
					for gone, on := range goesOn {
						for _, id := range ids {
							if on == id {
								delete(joined, gone)
							}
						}
					}
				}
				switch rapid.SampledFrom([]string{"act", "act", "act", "undo", "undo", "join", "separate"}).Draw(t, "what") {
				case "act":
					event := rapid.SampledFrom([]selfrefer.Event{selfrefer.Claim, selfrefer.Claim, selfrefer.Attempt, selfrefer.StartSupport, selfrefer.Close, selfrefer.Decline, selfrefer.GiveUp, selfrefer.Release, selfrefer.MarkDuplicate, selfrefer.HandOver, selfrefer.Escalate}).Draw(t, "event")
					c := selfrefer.Contact{Event: event}
					if event == selfrefer.HandOver || event == selfrefer.Escalate {
						c.To = rapid.SampledFrom(crew).Draw(t, "to").ID
					}
					if _, err := w.db.Act(ctx, who, id, c); err == nil {
						touched(id)
						if before[id] = was[id]; !event.CanBeUndone() {
							delete(before, id)
						}
					}
				case "undo":
					_, _, err := w.db.Undo(ctx, who, id)
					if err == nil {
						if before[id] == "" || w.row(id) != before[id] {
							t.Fatalf("undone to %s\nwant      %s", w.row(id), before[id])
						}
						touched(id)
						delete(before, id)
						if _, _, err := w.db.Undo(ctx, w.senior, id); !errors.Is(err, selfrefer.ErrCannotUndo) {
							t.Fatalf("undone twice: %v", err)
						}
					}
				case "join":
					other := rapid.SampledFrom(ids).Draw(t, "other")
					if on, err := w.db.Join(ctx, who, id, other); err == nil {
						gone := selfrefer.ReferralID(w.count(`SELECT gone FROM referral_join WHERE goes_on = $1 ORDER BY event DESC LIMIT 1`, int64(on.ID)))
						touched(on.ID)
						joined[gone], goesOn[gone] = [2]string{was[gone], was[on.ID]}, on.ID
						delete(before, on.ID)
						delete(before, gone)
					}
				case "separate":
					if on, err := w.db.Separate(ctx, who, id); err == nil {
						if how, still := joined[id]; still && (w.row(id) != how[0] || w.row(on.ID) != how[1]) {
							t.Fatalf("separated as %s and %s\nwant         %s and %s", w.row(id), w.row(on.ID), how[0], how[1])
						}
						touched(on.ID)
						delete(joined, id)
						delete(goesOn, id)
					}
				}
				w.recount(t)
				if n := w.count(`SELECT COUNT(*) FROM referral r WHERE (r.joined_to <> 0) <> EXISTS (SELECT 1 FROM referral_join j WHERE j.gone = r.id AND j.goes_on = r.joined_to) OR r.joined_to <> 0 AND r.state <> 'duplicate'`); n != 0 {
					t.Fatalf("%d referrals do not stand as they are joined", n)
				}
				w.must(w.db.read(ctx, "test", func(tx *Tx) error {
					for _, id := range ids {
						if _, err := endOf(tx, id); err != nil {
							return err
						}
					}
					return nil
				}))
			}
		})
	})
}

// Two forms of one person become one case, and two again.
func TestJoin(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		husband := basil
		husband.Phone = "+447700900002" // he was texted on his own, and gives that of the house
		first := w.mustKeep(form("first", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01", CallSafe: selfrefer.SafeYes, TextSafe: selfrefer.SafeYes, IfAnother: "the library", Reasons: []string{"money"}}))
		later := selfrefer.Form{ID: "later", Network: w.network.ID, Source: selfrefer.ByGeneral, At: testCivil.Add(3 * time.Hour),
			Answers: selfrefer.Answers{Name: "AGNES Mary Arkwright", BirthDate: "1 2 1950", Words: "canary: I took an overdose", CallSafe: selfrefer.SafeNo, IfAnother: "the surgery"}}
		second := w.mustKeep(later)
		household := w.mustKeep(form("household", w.text(husband, false), selfrefer.Answers{BirthDate: "1948-07-30", Phone: "07700 900001"}))
		w.mustKeep(form("other", w.text(celia, false), selfrefer.Answers{BirthDate: "1961-12-24"}))
		same := func(who staff.Account, id selfrefer.ReferralID) selfrefer.Same {
			t.Helper()
			s, err := w.db.Same(ctx, who, id)
			w.must(err)
			return s
		}
		found := func(s selfrefer.Same) string {
			var all []string
			for _, a := range s.Possible {
				why := ""
				for _, l := range a.Why {
					why += " " + string(l)
				}
				all = append(all, map[selfrefer.ReferralID]string{first.ID: "first", second.ID: "second", household.ID: "household"}[a.ID]+why+map[bool]string{true: " two numbers"}[a.TwoNumbers])
			}
			return strings.Join(all, ", ")
		}
		if got := found(same(w.worker, first.ID)); got != "second name_and_birth_date, household phone two numbers" {
			t.Errorf("the worker is shown %s", got)
		}
		if got := found(same(w.helper, first.ID)); got != "household phone two numbers" {
			t.Errorf("the volunteer, who may not see urgent ones, is shown %s", got)
		}
		_, err := w.db.Same(ctx, w.stranger, first.ID)
		wantErr(t, err, selfrefer.ErrNotFound)

		// Only what who may open, never with itself, never across the wall.
		for _, c := range []struct {
			who   staff.Account
			other selfrefer.ReferralID
			want  error
		}{{w.stranger, second.ID, selfrefer.ErrNotFound}, {w.helper, second.ID, staff.ErrDenied}, {w.worker, first.ID, selfrefer.ErrJoined}, {w.worker, first.ID + 1, selfrefer.ErrNotFound}} {
			_, err := w.db.Join(ctx, c.who, first.ID, c.other)
			wantErr(t, err, c.want)
		}
		_, err = w.db.Act(ctx, w.other, first.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		was := [2]string{w.row(first.ID), w.row(second.ID)}
		now = now.Add(time.Hour)
		on, err := w.db.Join(ctx, w.worker, second.ID, first.ID)
		w.must(err)
		a := on.Answers
		if on.ID != first.ID || !on.Urgent || len(on.WhyUrgent) == 0 || on.ClaimedBy != w.other.ID || on.HandedBy != w.worker.ID || !on.Received.Equal(first.Received) || !on.Due.Equal(first.Due) {
			t.Errorf("goes on as %+v, urgent for %d reasons", stoodAs(on), len(on.WhyUrgent))
		}
		if a.CallSafe != selfrefer.SafeNo || a.TextSafe != selfrefer.SafeUnasked || a.IfAnother != "the library / the surgery" {
			t.Errorf("safe: %+v %+v %+v", a.CallSafe, a.TextSafe, a.IfAnother)
		}
		if r, _, err := w.db.Referral(ctx, w.worker, first.ID); err != nil || r.Answers.CallSafe != selfrefer.SafeNo || len(r.WhyUrgent) != len(on.WhyUrgent) {
			t.Errorf("kept as %v, %v", r.Answers.CallSafe, err)
		}
		if n := w.count(`SELECT COUNT(*) FROM referral_join WHERE CAST(said AS TEXT) LIKE '%library%'`); cfg.Database == "" && n != 0 {
			t.Error("what they said stands in clear")
		}
		if notices, err := w.db.Notices(ctx, w.other); err != nil || len(notices) != 1 || notices[0].Referral != first.ID {
			t.Errorf("who has it is told %+v, %v", notices, err)
		}
		if s := same(w.worker, first.ID); len(s.Joined) != 1 || s.Joined[0].ID != second.ID || s.Joined[0].Answers.Words != later.Answers.Words || s.Joined[0].By != w.worker.ID || found(s) != "household phone two numbers" {
			t.Errorf("joined: %d, and %s", len(s.Joined), found(s))
		}
		if s := same(w.worker, second.ID); s.Into == nil || s.Into.ID != first.ID || s.By != w.worker.ID || len(s.Possible) != 0 {
			t.Errorf("the joined one goes on in %v", s.Into)
		}
		_, history, err := w.db.Referral(ctx, w.worker, second.ID)
		w.must(err)
		if last := history[len(history)-1]; last.Event != selfrefer.MarkDuplicate || last.Other != first.Reference {
			t.Errorf("the history ends with %s of %s", last.Event, last.Other)
		}
		_, err = w.db.Join(ctx, w.worker, second.ID, first.ID)
		wantErr(t, err, selfrefer.ErrJoined)

		// What was done with the other since stays; what it took over goes back.
		_, err = w.db.Separate(ctx, w.stranger, second.ID)
		wantErr(t, err, selfrefer.ErrNotFound)
		_, err = w.db.Separate(ctx, w.worker, first.ID)
		wantErr(t, err, selfrefer.ErrNotNow)
		on, err = w.db.Separate(ctx, w.other, second.ID)
		w.must(err)
		if w.row(first.ID) != was[0] || w.row(second.ID) != was[1] {
			t.Errorf("separated as %s and %s\nwant         %s and %s", w.row(first.ID), w.row(second.ID), was[0], was[1])
		}
		_, err = w.db.Separate(ctx, w.other, second.ID)
		wantErr(t, err, selfrefer.ErrNotNow)
		for _, id := range []selfrefer.ReferralID{first.ID, second.ID} {
			if w.audited(w.worker, "referral.join", id, "done") != 1 || w.audited(w.other, "referral.separate", id, "done") != 1 {
				t.Error("the audit does not know of it")
			}
		}
		_, err = w.db.Join(ctx, w.senior, second.ID, first.ID)
		w.must(err)
		_, err = w.db.Act(ctx, w.other, first.ID, selfrefer.Contact{Event: selfrefer.Attempt})
		w.must(err)
		_, err = w.db.Separate(ctx, w.senior, second.ID)
		w.must(err)
		if r, _, err := w.db.Referral(ctx, w.senior, first.ID); err != nil || r.State != selfrefer.Contacting || r.Attempts != 1 || r.Urgent || len(r.WhyUrgent) != 0 || r.Answers.CallSafe != selfrefer.SafeYes {
			t.Errorf("after a try, separated as %+v, %v", stoodAs(r), err)
		}
		if w.row(second.ID) != was[1] {
			t.Errorf("the other came back as %s", w.row(second.ID))
		}
		// What was joined is not offered again; and what somebody may not open is not shown because something else of the person is.
		_, err = w.db.Join(ctx, w.senior, household.ID, first.ID)
		w.must(err)
		if s := same(w.helper, first.ID); len(s.Joined) != 1 || s.Hidden != 0 || found(s) != "" {
			t.Errorf("%d joined, %d hidden, and %s", len(s.Joined), s.Hidden, found(s))
		}
		w.recount(t)
		w.write(`UPDATE referral SET urgent = $1 WHERE id = $2`, true, int64(household.ID))
		if s := same(w.helper, first.ID); len(s.Joined) != 0 || s.Hidden != 1 {
			t.Errorf("%d joined that a volunteer may not open, %d hidden", len(s.Joined), s.Hidden)
		}
	})
}

// What is urgent does not lose its clock, its words or its place by being joined.
// What somebody has said they will do is done for the person: it goes along, and back, through one join after another.
func TestJoin_tasks(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		keep := func(name string) selfrefer.ReferralID {
			return w.mustKeep(selfrefer.Form{ID: name, Network: w.network.ID, Source: selfrefer.ByGeneral, At: testCivil, Answers: selfrefer.Answers{Name: "Agnes Mary Arkwright", BirthDate: "1 2 1950"}}).ID
		}
		first, second, third := keep("first"), keep("second"), keep("third")
		for _, id := range []selfrefer.ReferralID{first, second, third} {
			w.record(w.worker, id, selfrefer.AddTask{Task: selfrefer.Task{Kind: selfrefer.PlainTask, Words: "ring her son", Due: "2026-06-04"}})
		}
		tasks := func() string {
			var n []string
			for _, id := range []selfrefer.ReferralID{first, second, third} {
				n = append(n, itoa(int64(len(w.support(w.worker, id).Tasks))))
			}
			return strings.Join(n, " ")
		}
		join := func(on, gone selfrefer.ReferralID) {
			t.Helper()
			r, err := w.db.Join(ctx, w.senior, on, gone)
			w.must(err)
			if r.ID != on {
				t.Fatal("the other one goes on")
			}
		}
		join(second, third)
		join(first, second)
		if got := tasks(); got != "3 0 0" {
			t.Errorf("joined: %s tasks", got)
		}
		w.does(w.worker, first, selfrefer.Claim)
		if mine, err := w.db.Tasks(ctx, w.worker); err != nil || len(mine) != 3 {
			t.Errorf("whoever has it has %d tasks, %v", len(mine), err)
		}
		for _, id := range []selfrefer.ReferralID{second, third} {
			_, err := w.db.Separate(ctx, w.senior, id)
			w.must(err)
		}
		if got := tasks(); got != "1 1 1" {
			t.Errorf("separated: %s tasks", got)
		}
		if n := w.count(`SELECT COUNT(*) FROM task_joined`); n != 0 {
			t.Errorf("%d tasks are still remembered", n)
		}
	})
}

func TestJoin_urgent(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		keep := func(id, words string, at time.Time) selfrefer.Referral {
			t.Helper()
			return w.mustKeep(selfrefer.Form{ID: id, Network: w.network.ID, Source: selfrefer.ByGeneral, At: at, Answers: selfrefer.Answers{Name: "Agnes Arkwright", BirthDate: "1 2 1950", Words: words}})
		}
		act := func(who staff.Account, id selfrefer.ReferralID, e selfrefer.Event) {
			t.Helper()
			_, err := w.db.Act(ctx, who, id, selfrefer.Contact{Event: e})
			w.must(err)
		}
		old, danger := keep("old", "", now), keep("danger", "I took an overdose", now.Add(time.Hour))
		now = now.Add(2 * time.Hour)
		act(w.helper, old.ID, selfrefer.Claim)
		on, err := w.db.Join(ctx, w.senior, old.ID, danger.ID)
		w.must(err)
		if on.ID != old.ID || on.State != selfrefer.New || on.ClaimedBy != 0 || !on.Urgent || !on.Since().Equal(danger.Received) || !on.Due.Equal(old.Due) || on.Lane != selfrefer.Verified {
			t.Errorf("out of a volunteer's hands, it goes on as %+v", stoodAs(on))
		}
		_, err = w.db.Separate(ctx, w.senior, danger.ID)
		w.must(err)
		if r, _, err := w.db.Referral(ctx, w.helper, old.ID); err != nil || r.ClaimedBy != w.helper.ID || r.State != selfrefer.Claimed || r.Urgent {
			t.Errorf("the volunteer has it back as %+v, %v", stoodAs(r), err)
		}

		// A reply that comes while they are joined may be urgent itself.
		_, err = w.db.Join(ctx, w.senior, old.ID, danger.ID)
		w.must(err)
		w.write(`INSERT INTO later_reply (form_ix, referral, at, words) VALUES ($1, $2, 0, $3)`, []byte("reply"), int64(old.ID), []byte("sealed"))
		on, err = w.db.Separate(ctx, w.senior, danger.ID)
		w.must(err)
		if !on.Urgent || len(on.WhyUrgent) == 0 {
			t.Error("what became urgent by a reply is so no longer")
		}
		w.write(`DELETE FROM later_reply`)

		// Nobody calls who is in support: what is urgent does not disappear there.
		supported, urgent := keep("supported", "", now), keep("urgent", "I want to die", now)
		act(w.worker, supported.ID, selfrefer.Claim)
		act(w.worker, supported.ID, selfrefer.StartSupport)
		_, err = w.db.Join(ctx, w.worker, supported.ID, urgent.ID)
		wantErr(t, err, selfrefer.ErrUrgentStays)
		// What somebody else has in hand is not taken away from them, but by a senior.
		mine, theirs := keep("mine", "", now), keep("theirs", "", now.Add(time.Minute))
		act(w.worker, mine.ID, selfrefer.Claim)
		act(w.other, theirs.ID, selfrefer.Claim)
		r, err := w.db.Join(ctx, w.worker, mine.ID, theirs.ID)
		if wantErr(t, err, selfrefer.ErrTaken); r.ClaimedBy != w.other.ID {
			t.Errorf("is told that %d has it", r.ClaimedBy)
		}
		_, err = w.db.Join(ctx, w.senior, mine.ID, theirs.ID)
		w.must(err)

		// Joined one after the other, they come apart from the last: whoever asks for an earlier one is told so.
		third := keep("third", "", now.Add(2*time.Minute))
		if on, err = w.db.Join(ctx, w.senior, third.ID, theirs.ID); err != nil || on.ID != mine.ID {
			t.Errorf("follows to %d, %v", on.ID, err)
		}
		_, err = w.db.Separate(ctx, w.senior, theirs.ID)
		wantErr(t, err, selfrefer.ErrJoinedSince)
		_, err = w.db.Separate(ctx, w.other, third.ID)
		wantErr(t, err, selfrefer.ErrTaken)
		fourth := keep("fourth", "", now)
		act(w.worker, fourth.ID, selfrefer.Claim)
		act(w.worker, fourth.ID, selfrefer.StartSupport)
		if on, err = w.db.Join(ctx, w.senior, fourth.ID, mine.ID); err != nil || on.ID != fourth.ID {
			t.Fatalf("goes on in %d, %v", on.ID, err)
		}
		_, err = w.db.Separate(ctx, w.senior, third.ID)
		wantErr(t, err, selfrefer.ErrJoinedSince)
		s, err := w.db.Same(ctx, w.senior, fourth.ID)
		w.must(err)
		if len(s.Joined) != 3 {
			t.Errorf("%d are joined, want all three", len(s.Joined))
		}
		for _, id := range []selfrefer.ReferralID{mine.ID, third.ID, theirs.ID} {
			_, err = w.db.Separate(ctx, w.senior, id)
			w.must(err)
		}
		w.recount(t)
	})
}

func TestSame_earlier(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		end := func(id selfrefer.ReferralID, who staff.Account, events ...selfrefer.Event) {
			t.Helper()
			for _, e := range append([]selfrefer.Event{selfrefer.Claim}, events...) {
				_, err := w.db.Act(ctx, who, id, selfrefer.Contact{Event: e})
				w.must(err)
			}
		}
		p := w.text(agnes, true)
		w.patient(basil, false)
		spring := w.mustKeep(form("spring", p, selfrefer.Answers{BirthDate: "1950-02-01"}))
		end(spring.ID, w.other, selfrefer.Close)
		husband := w.mustKeep(form("husband", p, selfrefer.Answers{BirthDate: "1948-07-30"}))
		end(husband.ID, w.other, selfrefer.Decline)
		byName := w.mustKeep(selfrefer.Form{ID: "name", Network: w.network.ID, Source: selfrefer.ByGeneral, At: now.Add(time.Minute), Answers: selfrefer.Answers{Name: "Arkwright, Agnes", BirthDate: "1 2 1950"}})
		end(byName.ID, w.worker, selfrefer.StartSupport)
		now = now.AddDate(0, 3, 0)
		again := w.mustKeep(selfrefer.Form{ID: "again", Network: w.network.ID, Source: selfrefer.ByGeneral, At: now, Answers: selfrefer.Answers{Name: "Agnes Arkwright", BirthDate: "1 2 1950"}})
		s, err := w.db.Same(ctx, w.senior, again.ID)
		w.must(err)
		if len(s.Earlier) != 2 || s.Earlier[0].ID != byName.ID || s.Earlier[0].State != selfrefer.InSupport || s.Earlier[1].ID != spring.ID || s.Earlier[1].ClaimedBy != w.other.ID || s.Earlier[1].ClosedAt.IsZero() {
			t.Errorf("%d of earlier, %+v", len(s.Earlier), s.Earlier)
		}
		if len(s.Possible) != 1 || s.Possible[0].ID != byName.ID {
			t.Errorf("%d may be joined: only who is still in support", len(s.Possible))
		}
		// By the number alone it is somebody of the household, who has had no contact of hers.
		if s, err = w.db.Same(ctx, w.senior, spring.ID); err != nil || len(s.Earlier) != 1 || len(s.Possible) != 3 {
			t.Errorf("%d of earlier, %d possible, %v", len(s.Earlier), len(s.Possible), err)
		}
		// Referrals from before birth dates were indexed are found once they are.
		w.write(`DELETE FROM referral_term`)
		w.write(`UPDATE referral SET indexed = 1`)
		n, err := w.db.IndexOld(ctx)
		w.must(err)
		if s, err = w.db.Same(ctx, w.senior, again.ID); err != nil || n != 4 || len(s.Earlier) != 2 {
			t.Errorf("indexed %d, %d of earlier, %v", n, len(s.Earlier), err)
		}
		w.recount(t) // nothing was counted twice
	})
}

func TestUndo(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"})).ID
		act := func(who staff.Account, e selfrefer.Event) {
			t.Helper()
			now = now.Add(time.Minute)
			_, err := w.db.Act(ctx, who, id, selfrefer.Contact{Event: e, Channel: "call", Note: "a note"})
			w.must(err)
		}
		undo := func(who staff.Account, want error) {
			t.Helper()
			_, left, err := w.db.Undo(ctx, who, id)
			if wantErr(t, err, want); left {
				t.Error("says that a text has left")
			}
		}
		undo(w.worker, selfrefer.ErrCannotUndo)
		fresh := w.row(id)
		act(w.worker, selfrefer.Claim)
		undo(w.stranger, selfrefer.ErrNotFound)
		undo(w.other, selfrefer.ErrCannotUndo)
		undo(w.worker, nil)
		undo(w.worker, selfrefer.ErrCannotUndo)
		if w.row(id) != fresh {
			t.Errorf("undone to %s\nwant      %s", w.row(id), fresh)
		}
		act(w.worker, selfrefer.Claim)
		claimed := w.row(id)
		contacts := func() (n int) {
			w.must(w.db.read(ctx, "test", func(tx *Tx) error {
				s, err := w.db.teamState(tx, w.team.ID)
				n = len(s.Contacts)
				return err
			}))
			return n
		}
		act(w.worker, selfrefer.Close)
		if contacts() != 1 {
			t.Error("the pacer does not know of the first contact")
		}
		now = now.Add(selfrefer.UndoFor)
		undo(w.worker, nil) // to the last moment
		if w.row(id) != claimed || contacts() != 0 {
			t.Errorf("undone to %s, and the pacer knows of %d hours with a contact", w.row(id), contacts())
		}
		act(w.worker, selfrefer.Attempt)
		now = now.Add(selfrefer.UndoFor + time.Millisecond)
		if step, err := w.db.LastStep(ctx, w.worker, id); err != nil || step != nil {
			t.Errorf("a step can be undone that is too old: %v, %v", step, err)
		}
		undo(w.worker, selfrefer.ErrCannotUndo)
		if n, err := w.db.PurgeSteps(ctx); n != 1 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}

		// Whoever else has opened it may act on what they read.
		act(w.worker, selfrefer.Attempt)
		if step, err := w.db.LastStep(ctx, w.worker, id); err != nil || step == nil || step.Event != selfrefer.Attempt || step.By != w.worker.ID {
			t.Errorf("the step is %+v, %v", step, err)
		}
		_, _, err := w.db.Referral(ctx, w.worker, id)
		w.must(err)
		_, _, err = w.db.Referral(ctx, w.senior, id)
		w.must(err)
		undo(w.worker, selfrefer.ErrCannotUndo)
		undo(w.senior, nil) // who has opened it alone
		act(w.worker, selfrefer.Attempt)
		_, _, err = w.db.Referral(ctx, w.senior, id)
		w.must(err)
		_, _, err = w.db.Referral(ctx, w.other, id)
		w.must(err)
		undo(w.senior, selfrefer.ErrCannotUndo)

		// What came after it stands.
		act(w.worker, selfrefer.Release)
		act(w.other, selfrefer.Claim)
		undo(w.worker, selfrefer.ErrCannotUndo)
		act(w.other, selfrefer.MarkDuplicate)
		w.write(`UPDATE referral SET urgent = $1 WHERE id = $2`, true, int64(id)) // by a reply, say
		undo(w.other, selfrefer.ErrCannotUndo)
		w.write(`UPDATE referral SET urgent = $1 WHERE id = $2`, false, int64(id))
		undo(w.other, nil)

		_, history, err := w.db.Referral(ctx, w.worker, id)
		w.must(err)
		undone, undos := 0, 0
		for i, c := range history {
			if c.Undone {
				undone++
			}
			if c.Event == selfrefer.UndoStep {
				undos++
				if before := history[i-1]; !before.Undone || before.Event != c.Of {
					t.Errorf("the undoing of %s comes after %s", c.Of, before.Event)
				}
			}
		}
		if undone != 4 || undos != 4 {
			t.Errorf("%d steps are undone by %d", undone, undos)
		}
		if w.audited(w.worker, "referral.undo", id, "done") != 2 || w.audited(w.worker, "referral.undo", id, "cannot_undo") < 3 || w.audited(w.stranger, "referral.undo", id, "not_found") != 1 {
			t.Error("the audit does not know of it")
		}
		w.recount(t)

		// What has left stays away, and whoever undoes is told.
		act(w.other, selfrefer.Close)
		w.write(`INSERT INTO service_text (id, kind, referral, network, campaign, state, attempt, rings, not_before, expires_at, released_at, deadline, code, segments, cost, phone_ix, nhs_ix, sent_at)
			VALUES (1, 'test', $1, $2, 0, 'sent', 1, 1, 0, 0, 0, 0, '', 1, 0, $3, $3, $4)`, int64(id), int64(w.network.ID), []byte{}, now.Add(time.Minute).UnixMilli())
		if _, left, err := w.db.Undo(ctx, w.other, id); err != nil || !left {
			t.Errorf("a text has gone out since: %v, %v", left, err)
		}
	})
}

// The number of a referral that was joined stays out of campaigns for as long as what it goes on in is open.
func TestJoin_noText(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		w := launched(t, db, 12, nil)
		rings := w.release(t, 2)
		senior, err := db.CreateAccount(ctx, staff.Account{Network: w.network.ID, Team: w.team.ID, Email: "senior@join.test", Name: "Senior", Role: staff.SeniorLinkWorker}, "")
		if err != nil {
			t.Fatal(err)
		}
		var ids []selfrefer.ReferralID
		for i, phone := range []string{"07700 900009", w.phone(t, rings[0]).Reveal()} {
			r := selfrefer.Receiver{Keeper: db, Now: func() time.Time { return testCivil }}
			rc, err := r.Receive(ctx, selfrefer.Form{ID: fmt.Sprint("form ", i), Network: w.network.ID, Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Phone: phone}, At: testCivil.Add(time.Duration(i) * time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, selfrefer.ReferralID(count(t, db, `SELECT id FROM referral WHERE reference = $1`, rc.Reference)))
		}
		if on, err := db.Join(ctx, senior, ids[0], ids[1]); err != nil || on.ID != ids[0] {
			t.Fatalf("goes on in %d, %v", on.ID, err)
		}
		if _, err := db.Claim(ctx, rings[0]); !errors.Is(err, campaign.ErrTooLate) || w.state(t, rings[0].Message) != campaign.Suppressed {
			t.Errorf("somebody whose case is open is texted: %v", err)
		}
		if _, err := db.Claim(ctx, rings[1]); err != nil {
			t.Errorf("somebody else: %v", err)
		}
	})
}

// Whoever else a person is takes look-ups, however many referrals there are.
func TestSame_plans(t *testing.T) {
	ctx := context.Background()
	w := mustWorld(t, mustOpen(t, testConfig(t)))
	r := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01", Phone: "07700 900009"}))
	w.mustKeep(selfrefer.Form{ID: "g", Network: w.network.ID, Source: selfrefer.ByGeneral, At: testCivil, Answers: selfrefer.Answers{Name: "Agnes Arkwright", BirthDate: "1 2 1950"}})
	plans := map[string]string{}
	w.must(w.db.read(ctx, "test", func(tx *Tx) error {
		tx.run = explaining{tx.run, plans}
		var s selfrefer.Same
		if err := w.db.joinedTo(tx, w.worker, r, &s); err != nil {
			return err
		}
		return w.db.alike(tx, w.worker, r, &s)
	}))
	var all strings.Builder
	for query, plan := range plans {
		all.WriteString(plan)
		if strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s goes like this:\n%s", query, plan)
		}
	}
	for _, index := range []string{"referral_nhs (", "referral_nhs_done", "referral_phone (", "referral_phone_done", "SEARCH t USING PRIMARY KEY (ix=?)", "SEARCH o EXISTS USING PRIMARY KEY (ix=? AND referral=?)", "referral_join_of"} {
		if !strings.Contains(all.String(), index) {
			t.Errorf("nothing goes along %s:\n%s", index, all.String())
		}
	}
}
