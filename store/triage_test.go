package store

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// audited counts the lines of the audit about a referral.
func (w *world) audited(who staff.Account, action string, id selfrefer.ReferralID, outcome string) (n int) {
	w.tb.Helper()
	all, _, err := w.db.AuditEntries(context.Background(), who.Network, 0, 1000)
	w.must(err)
	for _, e := range all {
		if e.Account == who.ID && e.Action == action && e.Target == "referral "+itoa(int64(id)) && e.Outcome == outcome {
			n++
		}
	}
	return n
}

func TestAct_claimRace(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		r := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"}))
		people := make([]staff.Account, 20)
		for i := range people {
			a, err := w.db.CreateAccount(ctx, staff.Account{Network: w.network.ID, Team: w.team.ID, Email: itoa(int64(i)) + "@race.test", Name: "Racer", Role: staff.LinkWorker}, "")
			w.must(err)
			people[i] = a
		}
		var mu sync.Mutex
		var winners []staff.AccountID
		var toldOf []staff.AccountID
		var wg sync.WaitGroup
		for _, who := range people {
			wg.Go(func() {
				got, err := w.db.Act(ctx, who, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && got.ClaimedBy == who.ID && got.State == selfrefer.Claimed:
					winners = append(winners, who.ID)
				case errors.Is(err, selfrefer.ErrTaken):
					toldOf = append(toldOf, got.ClaimedBy)
				default:
					t.Errorf("account %d: %v, claimed by %d", who.ID, err, got.ClaimedBy)
				}
			})
		}
		wg.Wait()
		if len(winners) != 1 || len(toldOf) != 19 {
			t.Fatalf("%d won, %d were told that somebody else has it", len(winners), len(toldOf))
		}
		for _, id := range toldOf {
			if id != winners[0] {
				t.Errorf("somebody was told that %d has it, not %d", id, winners[0])
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM referral_event WHERE referral = $1`, int64(r.ID)); n != 1 {
			t.Errorf("got %d events", n)
		}
	})
}

func TestAct_life(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		id := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"})).ID
		waiting := func() int {
			var n int
			w.must(w.db.read(ctx, "test", func(tx *Tx) error {
				s, err := w.db.teamState(tx, w.team.ID)
				n = s.Waiting
				return err
			}))
			return n
		}
		if n := waiting(); n != 1 {
			t.Errorf("%d wait before anything was done", n)
		}
		for i, step := range []struct {
			who   staff.Account
			event selfrefer.Event
			note  string
			want  error
			state selfrefer.State
		}{
			{w.worker, selfrefer.GiveUp, "", selfrefer.ErrTaken, selfrefer.New},
			{w.worker, selfrefer.Claim, "", nil, selfrefer.Claimed},
			{w.other, selfrefer.Attempt, "", selfrefer.ErrTaken, selfrefer.Claimed},
			{w.worker, selfrefer.GiveUp, "", selfrefer.ErrNotNow, selfrefer.Claimed},
			{w.senior, selfrefer.Release, "went home", nil, selfrefer.New},
			{w.other, selfrefer.Claim, "", nil, selfrefer.Claimed},
			{w.other, selfrefer.Attempt, "no answer", nil, selfrefer.Contacting},
			{w.other, selfrefer.Attempt, "", nil, selfrefer.Contacting},
			{w.other, selfrefer.StartSupport, "good talk", nil, selfrefer.InSupport},
			{w.other, selfrefer.Close, "", nil, selfrefer.Closed},
			{w.other, selfrefer.Close, "", selfrefer.ErrNotNow, selfrefer.Closed},
		} {
			now = now.Add(time.Minute)
			r, err := w.db.Act(ctx, step.who, id, selfrefer.Contact{Event: step.event, Channel: "call", Note: step.note})
			if !errors.Is(err, step.want) || r.State != step.state {
				t.Fatalf("step %d: got %q, %v; want %q, %v", i, r.State, err, step.state, step.want)
			}
		}
		r, contacts, err := w.db.Referral(ctx, w.senior, id)
		w.must(err)
		if r.Attempts != 2 || !r.Contacted.Equal(testCivil.Add(9*time.Minute)) || !r.ClosedAt.Equal(testCivil.Add(10*time.Minute)) || r.ClaimedBy != w.other.ID {
			t.Errorf("got %d attempts, contacted %v, closed %v, by %d", r.Attempts, r.Contacted, r.ClosedAt, r.ClaimedBy)
		}
		if len(contacts) != 7 || contacts[1].Note != "went home" || contacts[5].Note != "good talk" || contacts[5].By != w.other.ID || contacts[5].Event != selfrefer.StartSupport {
			t.Errorf("got %d contacts", len(contacts))
		}
		if n := w.count(`SELECT SUM(n) FROM tally WHERE owner = $1 AND kind = 'contact'`, int64(w.team.ID)); n != 1 {
			t.Errorf("the team made %d first contacts", n)
		}
		if n := waiting(); n != 0 {
			t.Errorf("%d still wait", n)
		}
		for _, a := range []struct {
			who             staff.Account
			action, outcome string
		}{{w.worker, "referral.claim", "done"}, {w.other, "referral.attempt", "taken"}, {w.worker, "referral.give_up", "not_now"}, {w.senior, "referral.view", "done"}} {
			if w.audited(a.who, a.action, id, a.outcome) == 0 {
				t.Errorf("the audit does not know that %s was %s", a.action, a.outcome)
			}
		}
	})
}

func TestAct_refused(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		urgent := w.mustKeep(form("f", w.text(agnes, false), selfrefer.Answers{Words: "I took an overdose"})).ID
		for _, c := range []struct {
			name    string
			who     staff.Account
			id      selfrefer.ReferralID
			want    error
			outcome string
		}{
			{"another network", w.stranger, urgent, selfrefer.ErrNotFound, "not_found"},
			{"no such referral", w.worker, urgent + 1, selfrefer.ErrNotFound, "not_found"},
			{"a volunteer and an urgent one", w.helper, urgent, staff.ErrDenied, "denied"},
			{"nobody", staff.Account{Network: w.network.ID}, urgent, staff.ErrDenied, "denied"},
		} {
			r, contacts, err := w.db.Referral(ctx, c.who, c.id)
			wantErr(t, err, c.want)
			if r.ID != 0 || !r.Name.IsZero() || contacts != nil {
				t.Errorf("%s: was shown referral %d", c.name, r.ID)
			}
			r, err = w.db.Act(ctx, c.who, c.id, selfrefer.Contact{Event: selfrefer.Claim})
			wantErr(t, err, c.want)
			if r.ID != 0 || !r.Name.IsZero() {
				t.Errorf("%s: was given referral %d", c.name, r.ID)
			}
			if w.audited(c.who, "referral.view", c.id, c.outcome) != 1 || w.audited(c.who, "referral.claim", c.id, c.outcome) != 1 {
				t.Errorf("%s: the refusals are not in the audit", c.name)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM referral WHERE state = 'new'`); n != 1 {
			t.Errorf("a refused claim changed the referral")
		}
	})
}

// TestQueue_order compares pages of the queue with a plain sort.
func TestQueue_order(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		random := rand.New(rand.NewPCG(7, 7))
		second, err := w.db.CreateTeam(ctx, staff.Team{Network: w.network.ID, Name: "Evening team"})
		w.must(err)
		const columns = `INSERT INTO referral (id, network, team, campaign, message, patient, form_ix, reference, state, lane, urgent, source, not_matched, practice,
			language, received_at, due_at, contact_by, claimed_by, claimed_at, contacted_at, attempts, closed_at, person, phone_ix, nhs_ix)`
		var all []selfrefer.Referral
		var args []any
		for range 120 {
			r := selfrefer.Referral{ID: selfrefer.ReferralID(w.db.newID()), State: selfrefer.States[random.IntN(len(selfrefer.States))], Urgent: random.IntN(4) == 0,
				Lane: []selfrefer.Lane{selfrefer.Verified, selfrefer.Unverified}[random.IntN(2)], Team: []staff.TeamID{w.team.ID, second.ID, 0}[random.IntN(3)], Practice: []string{"N83001", "N83002"}[random.IntN(2)], Language: []string{"", "Polish"}[random.IntN(2)],
				Due: testCivil.Add(time.Duration(random.IntN(9)-4) * time.Hour), Network: w.network.ID}
			r.Answers.Reasons = [][]string{nil, {"money"}, {"housing", "money", "made up"}, {"housing"}}[random.IntN(4)]
			if r.State != selfrefer.New {
				r.ClaimedBy = w.worker.ID + staff.AccountID(random.IntN(2))
			}
			sealed, err := w.db.sealReferral(int64(r.ID), referralDoc{Answers: r.Answers})
			w.must(err)
			ix := []byte(itoa(int64(r.ID)))
			args = append(args, int64(r.ID), int64(w.network.ID), int64(r.Team), 0, 0, 0, ix, itoa(int64(r.ID)), string(r.State), string(r.Lane), r.Urgent, "link", "", r.Practice,
				r.Language, 0, r.Due.UnixMilli(), 0, int64(r.ClaimedBy), 0, 0, 0, 0, sealed, []byte{}, []byte{})
			all = append(all, r)
		}
		w.must(w.db.write(ctx, "test", func(tx *Tx) error {
			_, err := tx.bulkInsert(columns, 26, args, "")
			for _, r := range all { // as the migration counts what was there before
				for by, value := range map[string]string{countAll: "", countPractice: r.Practice, countLanguage: r.Language} {
					if by == countAll || r.State.Open() {
						err = errors.Join(err, w.db.bump(tx, int64(r.Network), queueTally(by, r, value), int64(r.Team), 0, 0, 1))
					}
				}
			}
			return err
		}))
		if n, err := w.db.IndexOld(ctx); n != len(all) || err != nil {
			t.Fatalf("indexed %d, %v", n, err)
		}
		if n, err := w.db.IndexOld(ctx); n != 0 || err != nil {
			t.Errorf("indexed %d once more, %v", n, err)
		}
		has := func(r selfrefer.Referral, reason string) bool { return slices.Contains(r.Answers.Reasons, reason) }
		flag := func(b bool) int { return map[bool]int{true: 0, false: 1}[b] }
		for _, c := range []struct {
			f    selfrefer.Filter
			want func(selfrefer.Referral) bool
		}{
			{selfrefer.Filter{}, func(r selfrefer.Referral) bool { return r.State.Open() }},
			{selfrefer.Filter{State: "open", Team: w.team.ID}, func(r selfrefer.Referral) bool { return r.State.Open() && r.Team == w.team.ID }},
			{selfrefer.Filter{State: "new", NoUrgent: true}, func(r selfrefer.Referral) bool { return r.State == selfrefer.New && !r.Urgent }},
			{selfrefer.Filter{State: "mine", Mine: w.worker.ID}, func(r selfrefer.Referral) bool { return r.State.Open() && r.ClaimedBy == w.worker.ID }},
			{selfrefer.Filter{State: "urgent"}, func(r selfrefer.Referral) bool { return r.State.Open() && r.Urgent }},
			{selfrefer.Filter{State: "unverified"}, func(r selfrefer.Referral) bool { return r.State.Open() && r.Lane == selfrefer.Unverified }},
			{selfrefer.Filter{State: "contacting"}, func(r selfrefer.Referral) bool { return r.State == selfrefer.Contacting }},
			{selfrefer.Filter{State: "done"}, func(r selfrefer.Referral) bool { return !r.State.Open() }},
			{selfrefer.Filter{State: "in_support", Mine: w.worker.ID}, func(r selfrefer.Referral) bool { return r.State == selfrefer.InSupport }},
			{selfrefer.Filter{State: "supported", Mine: w.worker.ID}, func(r selfrefer.Referral) bool { return r.State == selfrefer.InSupport && r.ClaimedBy == w.worker.ID }},
			{selfrefer.Filter{State: "waiting", Team: second.ID}, func(r selfrefer.Referral) bool { return r.State == selfrefer.Contacting && r.Team == second.ID }},
			{selfrefer.Filter{State: "done", NoUrgent: true, Team: w.team.ID}, func(r selfrefer.Referral) bool { return !r.State.Open() && !r.Urgent && r.Team == w.team.ID }},
			{selfrefer.Filter{Practice: "N83001"}, func(r selfrefer.Referral) bool { return r.State.Open() && r.Practice == "N83001" }},
			{selfrefer.Filter{Language: "Polish", NoUrgent: true}, func(r selfrefer.Referral) bool { return r.State.Open() && r.Language == "Polish" && !r.Urgent }},
			{selfrefer.Filter{Reason: "money"}, func(r selfrefer.Referral) bool { return r.State.Open() && has(r, "money") }},
			{selfrefer.Filter{Reason: "housing", State: "urgent"}, func(r selfrefer.Referral) bool { return r.State.Open() && has(r, "housing") && r.Urgent }},
			{selfrefer.Filter{Reason: "housing", State: "unverified", NoUrgent: true}, func(r selfrefer.Referral) bool {
				return r.State.Open() && has(r, "housing") && r.Lane == selfrefer.Unverified && !r.Urgent
			}},
			{selfrefer.Filter{Reason: "money", State: "new", Practice: "N83002", Language: "Polish"}, func(r selfrefer.Referral) bool {
				return r.State == selfrefer.New && has(r, "money") && r.Practice == "N83002" && r.Language == "Polish"
			}},
			{selfrefer.Filter{Reason: "money", State: "mine", Mine: w.worker.ID}, func(r selfrefer.Referral) bool {
				return r.State.Open() && has(r, "money") && r.ClaimedBy == w.worker.ID
			}},
			{selfrefer.Filter{Reason: "money", State: "waiting"}, func(r selfrefer.Referral) bool { return r.State == selfrefer.Contacting && has(r, "money") }},
		} {
			var want, got []selfrefer.ReferralID
			rows := slices.DeleteFunc(slices.Clone(all), func(r selfrefer.Referral) bool { return !c.want(r) })
			slices.SortFunc(rows, func(a, b selfrefer.Referral) int {
				if !a.State.Open() {
					return cmp.Compare(b.ID, a.ID)
				}
				return cmp.Or(cmp.Compare(flag(a.Urgent), flag(b.Urgent)), cmp.Compare(flag(a.Lane == selfrefer.Verified), flag(b.Lane == selfrefer.Verified)),
					a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
			})
			for _, r := range rows {
				want = append(want, r.ID)
			}
			f := c.f
			f.Network, f.Limit = w.network.ID, 1+random.IntN(9)
			counts, err := w.db.Count(ctx, f)
			w.must(err)
			tab := map[string]int{"": counts.Open(), "open": counts.Open(), "new": counts.New, "urgent": counts.Urgent, "unverified": counts.Unverified, "done": counts.Done, "waiting": counts.Contacting}
			if n, ok := tab[f.State]; ok && counts.Known && n != len(want) || counts.Known != (f.Narrowed() < 2) {
				t.Errorf("%+v: counted %d, want %d (known %v)", c.f, n, len(want), counts.Known)
			}
			if f.Narrowed() == 0 && (f.State == "mine" && counts.Mine != len(want) || f.State == "supported" && counts.Supported != len(want)) {
				t.Errorf("%+v: counted %d and %d of one's own, want %d", c.f, counts.Mine, counts.Supported, len(want))
			}
			if n := map[bool]int{true: counts.Practices[f.Practice], false: len(want)}[f.Practice != "" && f.Narrowed() == 1 && f.State == ""]; n != len(want) {
				t.Errorf("%+v: the filter says %d, want %d", c.f, n, len(want))
			}
			for {
				page, err := w.db.Queue(ctx, f)
				w.must(err)
				if len(page) == 0 {
					break
				}
				for _, r := range page {
					got = append(got, r.ID)
				}
				if len(got) > 2*len(all) {
					t.Fatalf("%+v: the pages never end", c.f)
				}
				f.After = int64(page[len(page)-1].ID)
			}
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%+v: got %d referrals, want %d in this order", c.f, len(got), len(want))
			}
		}
		var want selfrefer.Tally
		for _, r := range all {
			if !r.State.Open() {
				want.Done++
				continue
			}
			want.New, want.Claimed, want.Contacting = want.New+1-flag(r.State == selfrefer.New), want.Claimed+1-flag(r.State == selfrefer.Claimed), want.Contacting+1-flag(r.State == selfrefer.Contacting)
			want.Urgent, want.Unverified, want.Overdue = want.Urgent+1-flag(r.Urgent), want.Unverified+1-flag(r.Lane == selfrefer.Unverified), want.Overdue+1-flag(r.Due.Before(testCivil))
		}
		got, err := w.db.Tally(ctx, w.network.ID, 0)
		w.must(err)
		if got != want {
			t.Errorf("got tally %+v, want %+v", got, want)
		}
		if page, err := w.db.Queue(ctx, selfrefer.Filter{Network: w.stranger.Network}); err != nil || len(page) != 0 {
			t.Errorf("another network sees %d referrals, %v", len(page), err)
		}
		if _, err := w.db.Queue(ctx, selfrefer.Filter{Network: w.network.ID, State: "done", Practice: "N83001"}); err == nil {
			t.Error("what is done was narrowed")
		}
		if _, err := w.db.Queue(ctx, selfrefer.Filter{Network: w.network.ID, State: "everything"}); err == nil {
			t.Error("an unknown part of the queue was listed")
		}
	})
}
