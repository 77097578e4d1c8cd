package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func (w *world) account(name string, role staff.Role) staff.Account {
	w.tb.Helper()
	a, err := w.db.CreateAccount(context.Background(), staff.Account{Network: w.network.ID, Team: w.team.ID, Email: name + "@glass.test", Name: name + " Surname", Role: role}, "hash")
	w.must(err)
	return a
}

// model is a restriction as the test understands it, for one case.
type model struct {
	only, set  bool
	may, never map[staff.AccountID]bool
	broken     map[staff.AccountID]bool
}

// Whatever is restricted, for whomever: the queue of everybody holds exactly what exists for them, with a name where they may open it and
// without where not; the page opens exactly where the list has a name; and every count says what the list says.
func TestRestrict_anything(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		admin := w.account("Ada", staff.Administrator)
		senior := w.account("Second", staff.SeniorLinkWorker)
		crew := []staff.Account{w.senior, senior, w.worker, w.other, w.helper, admin}
		forms := 0
		rapid.Check(t, func(t *rapid.T) {
			w.write(`DELETE FROM glass`) // what earlier rounds have left
			w.write(`DELETE FROM restriction_name`)
			w.write(`DELETE FROM restriction_on`)
			w.write(`DELETE FROM restriction`)
			w.write(`UPDATE referral SET restricted = FALSE, network = $1, team = 0`, int64(w.stranger.Network))
			w.write(`DELETE FROM referral_reason`)
			w.write(`DELETE FROM tally`)
			var ids []selfrefer.ReferralID
			models := map[selfrefer.ReferralID]*model{}
			for range rapid.IntRange(1, 3).Draw(t, "referrals") {
				forms++
				a := selfrefer.Answers{Name: fmt.Sprint("Agnes Arkwright", forms), Reasons: rapid.SampledFrom([][]string{nil, {"money"}, {"money", "housing"}}).Draw(t, "reasons"),
					Words: rapid.SampledFrom([]string{"", "there is no food in the house"}).Draw(t, "words")}
				now = now.Add(time.Minute)
				rc, err := (&selfrefer.Receiver{Keeper: w.db, Now: cfg.Now}).Receive(ctx, selfrefer.Form{ID: fmt.Sprint("form ", forms), Network: w.network.ID, Source: selfrefer.ByGeneral, Answers: a, At: now})
				w.must(err)
				id := selfrefer.ReferralID(w.count(`SELECT id FROM referral WHERE reference = $1`, rc.Reference))
				ids = append(ids, id)
				models[id] = &model{may: map[staff.AccountID]bool{}, never: map[staff.AccountID]bool{}, broken: map[staff.AccountID]bool{}}
			}
			sees := func(a staff.Account, id selfrefer.ReferralID, r selfrefer.Referral) selfrefer.Sight {
				switch m := models[id]; {
				case m.never[a.ID]:
					return selfrefer.Hidden
				case !m.only || m.may[a.ID] || r.ClaimedBy == a.ID:
					return selfrefer.Open
				case m.broken[a.ID]:
					return selfrefer.ThroughGlass
				}
				return selfrefer.ShutOut
			}
			row := func(id selfrefer.ReferralID) (r selfrefer.Referral) {
				w.must(w.db.read(ctx, "test", func(tx *Tx) (err error) { r, _, err = referralOf(tx, id, ""); return err }))
				return r
			}
			for range rapid.IntRange(1, 8).Draw(t, "steps") {
				id, who := rapid.SampledFrom(ids).Draw(t, "id"), rapid.SampledFrom(crew).Draw(t, "who")
				r := row(id)
				s := sees(who, id, r)
				switch rapid.SampledFrom([]string{"restrict", "restrict", "restrict", "lift", "break", "claim", "attempt", "support", "hand over", "close"}).Draw(t, "what") {
				case "restrict":
					x := selfrefer.Restriction{Only: rapid.Bool().Draw(t, "only"), Reason: selfrefer.WorksHere}
					for _, a := range crew {
						switch rapid.SampledFrom([]string{"", "", "may", "never"}).Draw(t, a.Name) {
						case "may":
							x.May = append(x.May, a.ID)
						case "never":
							x.Never = append(x.Never, a.ID)
						}
					}
					err := w.db.Restrict(ctx, who, id, x)
					if err == nil && s != selfrefer.Open && !(who.Role == staff.Administrator && s != selfrefer.Hidden) {
						t.Fatalf("%s restricts what they do not see", who.Name)
					}
					if err == nil {
						m := models[id]
						m.set, m.only, m.may, m.never = true, x.Only, map[staff.AccountID]bool{}, map[staff.AccountID]bool{}
						for _, a := range x.May {
							m.may[a] = true
						}
						for _, a := range x.Never {
							m.never[a] = true
						}
					}
				case "lift":
					if err := w.db.Lift(ctx, who, id); err == nil {
						if !models[id].set {
							t.Fatalf("lifted what was not restricted")
						}
						*models[id] = model{may: map[staff.AccountID]bool{}, never: map[staff.AccountID]bool{}, broken: models[id].broken}
					}
				case "break":
					err := w.db.BreakGlass(ctx, who, id, "she rang and is afraid")
					may := s == selfrefer.ShutOut && staff.May(who, staff.ViewReferral, who.Network) == nil && (!r.Urgent || staff.May(who, staff.ViewUrgent, who.Network) == nil)
					if (err == nil) != may {
						t.Fatalf("%s (%v) breaks the glass: %v", who.Name, s, err)
					}
					if err == nil {
						models[id].broken[who.ID] = true
					}
				default:
					e := map[string]selfrefer.Event{"claim": selfrefer.Claim, "attempt": selfrefer.Attempt, "support": selfrefer.StartSupport, "hand over": selfrefer.HandOver, "close": selfrefer.Close}[rapid.SampledFrom([]string{"claim", "attempt", "support", "hand over", "close"}).Draw(t, "event")]
					to := rapid.SampledFrom(crew).Draw(t, "to")
					if _, err := w.db.Act(ctx, who, id, selfrefer.Contact{Event: e, To: to.ID}); err == nil {
						if s != selfrefer.Open {
							t.Fatalf("%s does %s with what they may not open", who.Name, e)
						}
						if e == selfrefer.HandOver && sees(to, id, r) != selfrefer.Open {
							t.Fatalf("handed to %s, who may not open it", to.Name)
						}
					}
				}
			}
			for _, a := range crew {
				noUrgent := staff.May(a, staff.ViewUrgent, a.Network) != nil
				opens := staff.May(a, staff.ViewReferral, a.Network) == nil
				f := selfrefer.Filter{Network: w.network.ID, Who: a, Mine: a.ID, NoUrgent: noUrgent, Limit: 100_000}
				list := func(f selfrefer.Filter) []selfrefer.Referral {
					all, err := w.db.Queue(ctx, f)
					w.must(err)
					return all
				}
				count := func(f selfrefer.Filter) selfrefer.Counts {
					c, err := w.db.Count(ctx, f)
					w.must(err)
					return c
				}
				open, done, states := list(f), f, map[selfrefer.State]int{}
				done.State = "done"
				ended := list(done)
				if noUrgent { // the open list hides urgent ones in its lanes
					open = slices.DeleteFunc(open, func(r selfrefer.Referral) bool { return r.Urgent })
				}
				listed := map[selfrefer.ReferralID]selfrefer.Referral{}
				late := 0
				for _, r := range append(slices.Clone(open), ended...) {
					listed[r.ID] = r
					states[r.State]++
					if r.State.Open() && r.Due.Before(now) {
						late++
					}
				}
				for _, id := range ids {
					r := row(id)
					s := sees(a, id, r)
					l, is := listed[id]
					if want := s != selfrefer.Hidden && !(noUrgent && r.Urgent); is != want {
						t.Fatalf("%s (%v): %d is listed: %v", a.Name, s, id, is)
					}
					if is && (l.Masked != (s == selfrefer.ShutOut) || l.Masked && (l.Name.Reveal() != "" || l.Practice != "" || len(l.Answers.Reasons) > 0 || len(l.WhyUrgent) > 0)) {
						t.Fatalf("%s (%v) reads %+v", a.Name, s, l)
					}
					var err error // as its page answers
					w.must(w.db.read(ctx, "test", func(tx *Tx) (failed error) { err, failed = w.db.mayView(tx, a, r); return failed }))
					switch {
					case !opens:
						if !errors.Is(err, staff.ErrDenied) {
							t.Fatalf("%s opens it: %v", a.Name, err)
						}
					case s == selfrefer.Hidden:
						if !errors.Is(err, selfrefer.ErrNotFound) {
							t.Fatalf("%s, for whom it does not exist: %v", a.Name, err)
						}
					case noUrgent && r.Urgent:
						if !errors.Is(err, staff.ErrDenied) {
							t.Fatalf("%s opens an urgent one: %v", a.Name, err)
						}
					case s == selfrefer.ShutOut:
						if !errors.Is(err, selfrefer.ErrRestricted) {
							t.Fatalf("%s, who is shut out: %v", a.Name, err)
						}
					case err != nil:
						t.Fatalf("%s (%v) may not open it: %v", a.Name, s, err)
					}
				}
				c := count(f)
				if c.New != states[selfrefer.New] || c.Claimed != states[selfrefer.Claimed] || c.Contacting != states[selfrefer.Contacting] || c.Done != len(ended) || !noUrgent && c.Overdue != min(late, selfrefer.MaxOverdue) {
					t.Fatalf("%s counts %+v, and the lists hold %v and %d late, %d ended", a.Name, c, states, late, len(ended))
				}
				mine := f
				mine.State = "mine"
				if n := len(list(mine)); c.Mine != n && !noUrgent {
					t.Fatalf("%s has %d, counted %d", a.Name, n, c.Mine)
				}
				for _, reason := range []string{"money", "housing"} {
					narrow := f
					narrow.Reason = reason
					found := list(narrow)
					if n := len(slices.DeleteFunc(found, func(r selfrefer.Referral) bool { return noUrgent && r.Urgent })); count(narrow).Open() != n || c.Reasons[reason] != n {
						t.Fatalf("%s: %d ask for %s, counted %d and %d", a.Name, n, reason, count(narrow).Open(), c.Reasons[reason])
					}
					if slices.ContainsFunc(found, func(r selfrefer.Referral) bool { return r.Masked }) {
						t.Fatalf("%s learns by a filter what a restricted one asks for", a.Name)
					}
				}
			}
		})
	})
}

func (w *world) texts(tb testing.TB) (selfrefer.Referral, texted) {
	p := w.text(agnes, false)
	return w.mustKeep(form("glass "+tb.Name(), p, selfrefer.Answers{BirthDate: "1950-02-01", Reasons: []string{"money"}, Tell: []string{"practice"}, Words: "she works here"})), p
}

func TestRestrict_never(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		r, _ := w.texts(t)
		admin := w.account("Ada", staff.Administrator)
		_, err := w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		w.must(w.db.RecordSupport(ctx, w.senior, r.ID, selfrefer.AddTask{Task: selfrefer.Task{Kind: selfrefer.PlainTask, For: w.worker.ID, Due: "2026-06-02", Words: "ring"}}))
		x := selfrefer.Restriction{Never: []staff.AccountID{w.worker.ID}, Reason: selfrefer.HarmHere, Words: "her husband"}
		// Whoever has it in hand loses it: nobody calls her any more but others.
		w.must(w.db.Restrict(ctx, w.senior, r.ID, x))
		got, contacts, err := w.db.Referral(ctx, w.senior, r.ID)
		w.must(err)
		if got.State != selfrefer.New || got.ClaimedBy != 0 || !got.FreeSince.Equal(testCivil) || !slices.Equal(got.Barred, []staff.AccountID{w.worker.ID}) || contacts[len(contacts)-1].Event != selfrefer.RestrictTo {
			t.Errorf("restricted, it stands as %+v", got)
		}
		w.steady("restricted")
		for what, err := range map[string]error{
			"claims": func() error {
				_, err := w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
				return err
			}(),
			"is handed it": func() error {
				_, err := w.db.Act(ctx, w.senior, r.ID, selfrefer.Contact{Event: selfrefer.HandOver, To: w.worker.ID})
				return err
			}(),
			"undoes":      func() error { _, _, err := w.db.Undo(ctx, w.worker, r.ID); return err }(),
			"has support": func() error { _, err := w.db.Support(ctx, w.worker, r.ID); return err }(),
			"has tasks":   func() error { _, err := w.db.ReferralTasks(ctx, w.worker, r.ID); return err }(),
			"has texts":   func() error { _, err := w.db.Texts(ctx, w.worker, r.ID); return err }(),
			"finds alike": func() error { _, err := w.db.Same(ctx, w.worker, r.ID); return err }(),
			"breaks it":   w.db.BreakGlass(ctx, w.worker, r.ID, "I must know what she says"),
			"sees glass":  func() error { _, err := w.db.Glass(ctx, w.worker, r.ID); return err }(),
			"reads who":   func() error { _, _, err := w.db.WhoLooked(ctx, w.worker, r.ID); return err }(),
			"restricts":   w.db.Restrict(ctx, w.worker, r.ID, x),
			"lifts":       w.db.Lift(ctx, w.worker, r.ID),
			"reads why":   func() error { _, err := w.db.Restriction(ctx, w.worker, r.ID); return err }(),
		} {
			want := selfrefer.ErrNotFound
			if what == "is handed it" {
				want = selfrefer.ErrTaken // of the senior, who has not claimed it
			}
			if !errors.Is(err, want) {
				t.Errorf("who must not know of it %s: %v", what, err)
			}
		}
		if tasks, err := w.db.Tasks(ctx, w.worker); err != nil || len(tasks) > 0 {
			t.Errorf("still has %d tasks, %v", len(tasks), err)
		}
		if n := w.count(`SELECT COUNT(*) FROM task WHERE for_account = $1`, int64(w.worker.ID)); n != 0 {
			t.Error("the task is still for who must not do it: nobody does it")
		}
		for _, typed := range []string{"Agnes Arkwright", r.Reference, "999 000 0018", "07700 900001"} {
			s, err := selfrefer.ParseSearch(typed)
			w.must(err)
			if found, err := w.db.Search(ctx, w.worker, s); err != nil || len(found.Referrals) > 0 || found.More {
				t.Errorf("found by %q: %+v, %v", typed, found, err)
			}
			if found, err := w.db.Search(ctx, w.other, s); err != nil || len(found.Referrals) != 1 || found.Referrals[0].Masked {
				t.Errorf("not found by a colleague by %q: %+v, %v", typed, found, err)
			}
		}
		// Their escalations and hand-overs leave the top of their pages.
		w.write(`UPDATE referral SET escalated_to = $1, escalated_at = 1, escalated_seen = 0, handed_by = 7 WHERE id = $2`, int64(w.worker.ID), int64(r.ID))
		if all, err := w.db.Notices(ctx, w.worker); err != nil || len(all) > 0 {
			t.Errorf("notices %+v, %v", all, err)
		}
		// The words stand sealed, and only those who may open it read them.
		if got, err := w.db.Restriction(ctx, w.other, r.ID); err != nil || got.Words.Reveal() != "her husband" || got.Reason != selfrefer.HarmHere {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := w.db.Restriction(ctx, admin, r.ID); err != nil || !got.Set || got.Words != "" || got.Reason != "" || !slices.Equal(got.Never, x.Never) {
			t.Errorf("an administrator reads %+v, %v", got, err)
		}
		// Whoever asks again, from the same phone, is not found by them either.
		again := w.mustKeep(selfrefer.Form{ID: "again", Network: w.network.ID, Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Name: "A. Arkwright", Phone: "07700 900001"}, At: testCivil})
		if _, _, err := w.db.Referral(ctx, w.worker, again.ID); !errors.Is(err, selfrefer.ErrNotFound) || again.ID == r.ID {
			t.Errorf("her next request is open to who must not know of her: %v", err)
		}
		w.must(w.db.Lift(ctx, w.senior, r.ID))
		for _, id := range []selfrefer.ReferralID{r.ID, again.ID} {
			if _, _, err := w.db.Referral(ctx, w.worker, id); err != nil {
				t.Errorf("lifted: %v", err)
			}
		}
		wantErr(t, w.db.Lift(ctx, w.senior, r.ID), selfrefer.ErrNotNow)
	})
}

func TestRestrict_join(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		first := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"}))
		second := w.mustKeep(form("g", w.text(celia, false), selfrefer.Answers{BirthDate: "1961-12-24"}))
		w.must(w.db.Restrict(ctx, w.senior, second.ID, selfrefer.Restriction{Never: []staff.AccountID{w.worker.ID}}))
		_, err := w.db.Act(ctx, w.worker, first.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		opens := func(a staff.Account, id selfrefer.ReferralID) error {
			_, _, err := w.db.Referral(ctx, a, id)
			return err
		}
		_, err = w.db.Join(ctx, w.worker, first.ID, second.ID)
		wantErr(t, err, selfrefer.ErrNotFound)
		on, err := w.db.Join(ctx, w.senior, first.ID, second.ID)
		w.must(err)
		if on.ID != first.ID {
			t.Fatalf("%d goes on", on.ID)
		}
		// It is one case: kept from them as a whole, and out of their hands.
		for _, id := range []selfrefer.ReferralID{first.ID, second.ID} {
			wantErr(t, opens(w.worker, id), selfrefer.ErrNotFound)
			w.must(opens(w.other, id))
		}
		if n := w.count(`SELECT claimed_by FROM referral WHERE id = $1`, int64(first.ID)); n != 0 {
			t.Errorf("%d still has it in hand", n)
		}
		w.steady("joined")
		_, err = w.db.Separate(ctx, w.senior, second.ID)
		w.must(err)
		wantErr(t, opens(w.worker, second.ID), selfrefer.ErrNotFound)
		got, contacts, err := w.db.Referral(ctx, w.worker, first.ID)
		w.must(err)
		for _, c := range contacts { // not even the history tells of the other
			if c.Other != "" || c.Event == selfrefer.Join || c.Event == selfrefer.Separate {
				t.Errorf("the history of %s says %+v", got.Reference, c)
			}
		}
		if w.count(`SELECT COUNT(*) FROM restriction_on WHERE referral = $1`, int64(first.ID)) != 0 || got.Restricted {
			t.Error("separated, it is still restricted")
		}
		// Who supports somebody cannot be made to lose them by a join.
		_, err = w.db.Act(ctx, w.worker, first.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		_, err = w.db.Act(ctx, w.worker, first.ID, selfrefer.Contact{Event: selfrefer.StartSupport})
		w.must(err)
		_, err = w.db.Join(ctx, w.senior, first.ID, second.ID)
		wantErr(t, err, selfrefer.ErrHolderBarred)
		wantErr(t, w.db.Restrict(ctx, w.senior, first.ID, selfrefer.Restriction{Never: []staff.AccountID{w.worker.ID}}), selfrefer.ErrHolderBarred)
	})
}

func TestGlass(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		r, _ := w.texts(t)
		ada, mira := w.account("Ada", staff.Administrator), w.account("Mira", staff.Administrator)
		w.must(w.db.Restrict(ctx, ada, r.ID, selfrefer.Restriction{Only: true, May: []staff.AccountID{w.other.ID}, Never: []staff.AccountID{mira.ID}, Reason: selfrefer.WorksHere}))
		_, _, err := w.db.Referral(ctx, w.worker, r.ID)
		wantErr(t, err, selfrefer.ErrRestricted)
		for _, e := range []selfrefer.Event{selfrefer.Claim, selfrefer.Note, selfrefer.MarkDuplicate} {
			if got, err := w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: e, Note: "x"}); !errors.Is(err, selfrefer.ErrRestricted) || got.Name.Reveal() != "" {
				t.Errorf("%s of what they may not open: %v %v", e, got, err)
			}
		}
		masked, err := w.db.Glass(ctx, w.worker, r.ID)
		if err != nil || masked.Reference != r.Reference || masked.Name.Reveal() != "" {
			t.Errorf("%+v, %v", masked, err)
		}
		wantErr(t, w.db.BreakGlass(ctx, w.worker, r.ID, " too short "), selfrefer.ErrReason)
		wantErr(t, w.db.BreakGlass(ctx, ada, r.ID, "an administrator is curious"), staff.ErrDenied)
		wantErr(t, w.db.BreakGlass(ctx, w.other, r.ID, "who may open it anyway"), selfrefer.ErrNotNow)
		wantErr(t, w.db.BreakGlass(ctx, w.stranger, r.ID, "of another network"), selfrefer.ErrNotFound)
		wantErr(t, w.db.BreakGlass(ctx, w.worker, r.ID, "she rang and is afraid"), nil)
		got, contacts, err := w.db.Referral(ctx, w.worker, r.ID)
		if err != nil || !got.Glass.Equal(now.Add(time.Hour)) || contacts[len(contacts)-1].Note != "she rang and is afraid" {
			t.Errorf("%+v %v, %v", got, contacts, err)
		}
		// To look, and to write down what they see: not to take it, and not to open it to others.
		_, err = w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Note, Note: "told her to ring 999"})
		w.must(err)
		_, err = w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
		wantErr(t, err, selfrefer.ErrRestricted)
		wantErr(t, w.db.Lift(ctx, w.worker, r.ID), selfrefer.ErrRestricted)
		for _, sealed := range []string{"she rang", "afraid"} {
			if w.count(`SELECT COUNT(*) FROM referral_event WHERE CAST(note AS TEXT) LIKE $1`, "%"+sealed+"%") != 0 {
				t.Error("the reason is not sealed")
			}
		}
		told := func(a staff.Account) int {
			all, err := w.db.Notices(ctx, a)
			w.must(err)
			return len(slices.DeleteFunc(all, func(n selfrefer.Notice) bool {
				return n.Kind != selfrefer.GlassBroken || n.By != w.worker.ID || n.Ref != r.Reference
			}))
		}
		// Without a guardian every administrator is told, but for whom it does not exist.
		if told(ada) != 1 || told(mira) != 0 || told(w.senior) != 0 || told(w.stranger) != 0 {
			t.Errorf("told: %d %d %d", told(ada), told(mira), told(w.senior))
		}
		wantErr(t, w.db.SetGuardian(ctx, w.senior, w.senior.ID), staff.ErrDenied)
		wantErr(t, w.db.SetGuardian(ctx, ada, w.worker.ID), selfrefer.ErrNotTheirs)
		wantErr(t, w.db.SetGuardian(ctx, ada, w.stranger.ID), selfrefer.ErrNotTheirs)
		w.must(w.db.SetGuardian(ctx, ada, w.senior.ID))
		if told(ada) != 0 || told(w.senior) != 1 {
			t.Errorf("with a guardian: %d %d", told(ada), told(w.senior))
		}
		all, err := w.db.Breakings(ctx, w.senior)
		if err != nil || len(all) != 1 || all[0].Reason.Reveal() != "she rang and is afraid" || all[0].By != w.worker.ID {
			t.Fatalf("%+v, %v", all, err)
		}
		wantErr(t, w.db.Acknowledge(ctx, ada, all[0].ID, ""), staff.ErrNotFound)
		w.must(w.db.Acknowledge(ctx, w.senior, all[0].ID, "spoke with Wanda"))
		wantErr(t, w.db.Acknowledge(ctx, w.senior, all[0].ID, ""), selfrefer.ErrNotNow)
		if all, err := w.db.Breakings(ctx, w.senior); err != nil || told(w.senior) != 0 || all[0].Note.Reveal() != "spoke with Wanda" || all[0].SeenBy != w.senior.ID {
			t.Errorf("%+v, %v", all, err)
		}
		// The guardian is not told by themselves of what they do themselves.
		w.must(w.db.BreakGlass(ctx, w.senior, r.ID, "to see what is there"))
		if all, err := w.db.Breakings(ctx, ada); err != nil || len(all) != 1 || all[0].By != w.senior.ID {
			t.Errorf("%+v, %v", all, err)
		}
		reference, looks, err := w.db.WhoLooked(ctx, ada, r.ID)
		glass := 0
		for _, l := range looks {
			if l.Glass {
				glass++
			}
		}
		if err != nil || reference != r.Reference || glass != 2 || !slices.ContainsFunc(looks, func(l selfrefer.Look) bool { return l.By == w.worker.ID && !l.Glass }) {
			t.Errorf("%s %+v, %v", reference, looks, err)
		}
		_, _, err = w.db.WhoLooked(ctx, mira, r.ID)
		wantErr(t, err, selfrefer.ErrNotFound)
		// After an hour it is shut.
		now = now.Add(time.Hour)
		_, _, err = w.db.Referral(ctx, w.worker, r.ID)
		wantErr(t, err, selfrefer.ErrRestricted)
		entries, _, err := w.db.AuditEntries(ctx, w.network.ID, 0, 1000)
		w.must(err)
		outcomes := map[string]int{}
		for _, e := range entries {
			if e.Action == "referral.break_glass" {
				outcomes[e.Outcome]++
			}
			if strings.Contains(e.Target+e.Outcome, "afraid") {
				t.Error("the audit holds the reason")
			}
		}
		if want := (map[string]int{"done": 2, "not_so": 1, "denied": 1, "not_now": 1}); !maps.Equal(outcomes, want) {
			t.Errorf("audited %v, want %v", outcomes, want)
		}
	})
}

func TestRestrict_practice(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		r, _ := w.texts(t)
		ada, cam := w.account("Ada", staff.Administrator), w.account("Cam", staff.CampaignManager)
		news := func() int {
			w.tb.Helper()
			all, err := w.db.PracticeNews(ctx, ada)
			w.must(err)
			return all[0].Counts[selfrefer.EntryReferral]
		}
		if news() != 1 {
			t.Fatalf("%d are new before anything is restricted", news())
		}
		for name, c := range map[string]struct {
			x    selfrefer.Restriction
			want int
		}{
			"a link worker must not know":    {selfrefer.Restriction{Never: []staff.AccountID{w.worker.ID}}, 1},
			"somebody there must not know":   {selfrefer.Restriction{NoPractice: true}, 0},
			"who makes files must not know":  {selfrefer.Restriction{Never: []staff.AccountID{cam.ID}}, 0},
			"these alone, the practice does": {selfrefer.Restriction{Only: true, May: []staff.AccountID{w.senior.ID}}, 1},
		} {
			w.must(w.db.Restrict(ctx, ada, r.ID, c.x))
			if got := news(); got != c.want {
				t.Errorf("%s: %d are told, want %d", name, got, c.want)
			}
		}
		// A file of before, taken by somebody who must not know of one of its people.
		w.must(w.db.Lift(ctx, ada, r.ID))
		f, err := w.db.MakePracticeFile(ctx, ada, "N83001")
		w.must(err)
		w.must(w.db.Restrict(ctx, ada, r.ID, selfrefer.Restriction{Never: []staff.AccountID{cam.ID}}))
		for who, want := range map[staff.Account]int{ada: 1, cam: 0} {
			f, err := w.db.TakePracticeFile(ctx, who, "N83001", f.ID)
			w.must(err)
			n := 0
			w.must(w.db.PracticeEntries(ctx, f, func(e selfrefer.PracticeEntry) error {
				if e.Kind == selfrefer.EntryReferral {
					n++
				}
				return nil
			}))
			if n != want {
				t.Errorf("%s takes %d entries about it, want %d", who.Name, n, want)
			}
		}
	})
}
