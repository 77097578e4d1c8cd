package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// shared is a world whose people have hours, and whose clock can be set. It begins on a Monday at 10:00 in London.
type shared struct {
	*world
	mu  sync.Mutex
	now time.Time
}

func (s *shared) civil() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now }

func (s *shared) set(t time.Time) { s.mu.Lock(); defer s.mu.Unlock(); s.now = t }

func mustShare(t *testing.T, cfg Config) *shared {
	t.Helper()
	s := &shared{now: testCivil}
	cfg.Now = s.civil
	s.world = mustWorld(t, mustOpen(t, cfg))
	return s
}

// hours puts somebody on the roster from nine to five, with one first contact an hour.
func (s *shared) hours(a staff.Account, share float64, places int) {
	s.tb.Helper()
	var week throttle.Week
	for d := time.Monday; d <= time.Friday; d++ {
		week[d] = throttle.Hours{From: 9 * 60, To: 17 * 60}
	}
	s.must(s.db.SetWorker(context.Background(), s.senior, a.ID, throttle.Worker{Week: week, FirstContact: share, Minutes: 60, Places: places}))
}

// come keeps forms that came at an instant, and gives them to the team.
func (s *shared) come(n int, at time.Time, a selfrefer.Answers) (all []selfrefer.ReferralID) {
	s.tb.Helper()
	for range n {
		f := form(fmt.Sprint("shared ", s.db.newID()), texted{}, a)
		f.At = at
		r := selfrefer.Receiver{Keeper: s.db, Now: func() time.Time { return at }}
		rc, err := r.Receive(context.Background(), f)
		s.must(err)
		id := s.count(`SELECT id FROM referral WHERE reference = $1`, rc.Reference)
		s.write(`UPDATE referral SET team = $1, network = $2, lane = 'verified' WHERE id = $3`, int64(s.team.ID), int64(s.network.ID), id)
		all = append(all, selfrefer.ReferralID(id))
	}
	return all
}

func (s *shared) auto(wait time.Duration) {
	s.tb.Helper()
	s.must(s.db.SetSharing(context.Background(), s.senior, s.team.ID, selfrefer.Sharing{Auto: true, Wait: wait, AskAt: 630}))
}

func (s *shared) holder(id selfrefer.ReferralID) staff.AccountID {
	s.tb.Helper()
	return staff.AccountID(s.count(`SELECT claimed_by FROM referral WHERE id = $1`, int64(id)))
}

func (s *shared) share() int {
	s.tb.Helper()
	n, err := s.db.ShareOut(context.Background())
	s.must(err)
	return n
}

func TestShareOut(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		s.hours(s.worker, .5, -1)
		s.hours(s.helper, .5, -1)
		plain := s.come(1, testCivil, selfrefer.Answers{Name: "Somebody"})[0]
		urgent := s.come(1, testCivil, selfrefer.Answers{Name: "Ursula", Words: "I took an overdose"})[0]
		s.set(testCivil.Add(2 * time.Hour))
		if n := s.share(); n != 0 {
			t.Fatalf("%d handed over although nobody has switched it on", n)
		}
		s.auto(time.Hour)
		s.set(testCivil.Add(59 * time.Minute))
		if n := s.share(); n != 0 {
			t.Errorf("%d handed over before they had waited an hour", n)
		}
		s.set(testCivil.Add(11 * time.Hour))
		if n := s.share(); n != 0 {
			t.Errorf("%d handed over at night", n)
		}
		away := throttle.Span{From: testCivil, To: testCivil.Add(3 * time.Hour)}
		_, err := s.db.AddLeave(ctx, s.senior, s.worker.ID, away)
		s.must(err)
		s.set(testCivil.Add(time.Hour))
		if n := s.share(); n != 1 || s.holder(urgent) != 0 || s.holder(plain) != s.helper.ID {
			t.Errorf("%d handed over, with a volunteer alone at work: urgent to %d, the other to %d", n, s.holder(urgent), s.holder(plain))
		}
		s.must(s.db.RemoveLeave(ctx, s.senior, s.worker.ID, away))
		if n := s.share(); n != 1 || s.holder(urgent) != s.worker.ID {
			t.Errorf("%d handed over, urgent to %d", n, s.holder(urgent))
		}
		if n := s.share(); n != 0 {
			t.Errorf("%d handed over twice", n)
		}
		// It stands at the top of their pages, and in the history, by nobody.
		notices, err := s.db.Notices(ctx, s.worker)
		s.must(err)
		if len(notices) != 1 || notices[0].Kind != selfrefer.HandedToYou || notices[0].By != selfrefer.BySystem || notices[0].Referral != urgent {
			t.Errorf("got notices %+v", notices)
		}
		_, contacts, err := s.db.Referral(ctx, s.senior, urgent)
		s.must(err)
		if len(contacts) != 1 || contacts[0].Event != selfrefer.HandOver || contacts[0].By != 0 || contacts[0].To != s.worker.ID || !strings.HasPrefix(contacts[0].Note, "Nobody had claimed it. Wanda: is at work now") {
			t.Errorf("history: %+v", contacts)
		}
		if n := s.count(`SELECT COUNT(*) FROM audit WHERE account = 0 AND action = 'referral.hand_over' AND target = $1 AND network = $2`, "referral "+itoa(int64(urgent)), int64(s.network.ID)); n != 1 {
			t.Errorf("%d lines of the audit", n)
		}
		// Whoever may work on it can take it, until it is opened; then nobody can.
		if _, err := s.db.Act(ctx, s.helper, urgent, selfrefer.Contact{Event: selfrefer.TakeBack}); !errors.Is(err, staff.ErrDenied) {
			t.Errorf("a volunteer takes an urgent one: %v", err)
		}
		r, err := s.db.Act(ctx, s.other, urgent, selfrefer.Contact{Event: selfrefer.TakeBack})
		if err != nil || r.ClaimedBy != s.other.ID || r.HandedBy != 0 {
			t.Errorf("taken: %v, %d", err, r.ClaimedBy)
		}
		if _, err := s.db.Act(ctx, s.worker, urgent, selfrefer.Contact{Event: selfrefer.TakeBack}); !errors.Is(err, selfrefer.ErrNotNow) {
			t.Errorf("taken again: %v", err)
		}
		// What was put back does not go to the same person again.
		_, err = s.db.Act(ctx, s.other, urgent, selfrefer.Contact{Event: selfrefer.Release})
		s.must(err)
		s.set(testCivil.Add(3 * time.Hour))
		if n := s.share(); n != 0 || s.holder(urgent) != 0 {
			t.Errorf("%d handed over, to %d again", n, s.holder(urgent))
		}
		s.hours(s.senior, .5, 0)
		if n := s.share(); n != 0 {
			t.Errorf("%d handed to somebody who is at their limit", n)
		}
		s.hours(s.senior, .5, 1)
		if n := s.share(); n != 1 || s.holder(urgent) != s.senior.ID {
			t.Errorf("%d handed over, to %d", n, s.holder(urgent))
		}
	})
}

// Two processes share the same work out at the same moment, while everybody claims what they see: each referral is somebody's once, and nobody
// is given more than their limit.
func TestShareOut_race(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		for _, a := range []staff.Account{s.senior, s.worker, s.other} {
			s.hours(a, 1, 5)
		}
		all := s.come(24, testCivil, selfrefer.Answers{Name: "Somebody"})
		s.auto(time.Hour)
		s.set(testCivil.Add(time.Hour))
		twin := s.db
		if cfg.Database != "" {
			second := cfg
			second.DataDir, second.Now = t.TempDir(), s.civil
			twin = mustOpen(t, second)
		}
		claimers := []staff.Account{s.account("Una", staff.LinkWorker), s.account("Uri", staff.LinkWorker)} // without hours: they get nothing
		var won, handed [2]int
		var wg sync.WaitGroup
		for i, db := range []*DB{s.db, twin} {
			wg.Go(func() {
				n, err := db.ShareOut(ctx)
				if err != nil {
					t.Error(err)
				}
				handed[i] = n
			})
			wg.Go(func() {
				for _, id := range all {
					switch _, err := db.Act(ctx, claimers[i], id, selfrefer.Contact{Event: selfrefer.Claim}); {
					case err == nil:
						won[i]++
					case !errors.Is(err, selfrefer.ErrTaken) && !errors.Is(err, selfrefer.ErrNotNow):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if sum := won[0] + won[1] + handed[0] + handed[1]; sum != len(all) {
			t.Errorf("claimed %v, handed over %v: %d of %d", won, handed, sum, len(all))
		}
		if n := s.count(`SELECT COUNT(*) FROM referral_event`); n != int64(len(all)) {
			t.Errorf("%d events for %d referrals", n, len(all))
		}
		if n := s.count(`SELECT COUNT(DISTINCT referral) FROM referral_event`); n != int64(len(all)) {
			t.Errorf("events of %d referrals", n)
		}
		for _, a := range []staff.Account{s.senior, s.worker, s.other} {
			if n := s.count(`SELECT COUNT(*) FROM referral WHERE claimed_by = $1`, int64(a.ID)); n > 5 {
				t.Errorf("%s was given %d, with a limit of 5", a.Name, n)
			}
		}
	})
}

// account makes one more account of the team.
func (s *shared) account(name string, role staff.Role) staff.Account {
	s.tb.Helper()
	a, err := s.db.CreateAccount(context.Background(), staff.Account{Network: s.network.ID, Team: s.team.ID, Email: name + "@more.test", Name: name, Role: role}, "")
	s.must(err)
	return a
}

// The two processes alone, without anybody who claims: everything that fits is handed over, once.
func TestShareOut_twice(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		s.hours(s.worker, 1, 3)
		s.hours(s.other, 1, 3)
		s.come(20, testCivil, selfrefer.Answers{Name: "Somebody"})
		s.auto(time.Hour)
		s.set(testCivil.Add(time.Hour))
		twin := s.db
		if cfg.Database != "" {
			second := cfg
			second.DataDir, second.Now = t.TempDir(), s.civil
			twin = mustOpen(t, second)
		}
		var handed [2]int
		var wg sync.WaitGroup
		for i, db := range []*DB{s.db, twin} {
			wg.Go(func() {
				n, err := db.ShareOut(ctx)
				if err != nil {
					t.Error(err)
				}
				handed[i] = n
			})
		}
		wg.Wait()
		if events := s.count(`SELECT COUNT(*) FROM referral_event`); handed[0]+handed[1] != 6 || events != 6 {
			t.Errorf("handed over %v, %d events, with room for 6", handed, events)
		}
	})
}

func TestNext(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		next := func(who staff.Account) selfrefer.NextCall {
			t.Helper()
			n, err := s.db.Next(ctx, who)
			s.must(err)
			return n
		}
		if n := next(s.worker); n.Rostered || n.Referral.ID != 0 {
			t.Errorf("without hours: %+v", n)
		}
		s.hours(s.worker, .5, -1)
		s.hours(s.other, .5, -1)
		s.hours(s.helper, .5, -1)
		if n := next(s.worker); !n.Rostered || n.Room != 4 || n.Referral.ID != 0 {
			t.Errorf("nobody waits: %+v", n)
		}
		// Both had the same person a year ago: it is who had them last. A number alone is a household's.
		was := s.mustKeep(form("before", s.text(agnes, false), selfrefer.Answers{BirthDate: "1950-02-01"}))
		s.write(`UPDATE referral SET team = $1, state = 'closed', claimed_by = $2, claimed_at = $3, contacted_at = $3 WHERE id = $4`,
			int64(s.team.ID), int64(s.other.ID), testCivil.AddDate(-1, 0, 0).UnixMilli(), int64(was.ID))
		as := func(born, columns string) selfrefer.ReferralID { // somebody who is known by what was has
			id := s.come(1, testCivil, selfrefer.Answers{Name: "Somebody", BirthDate: born})[0]
			for _, c := range strings.Fields(columns) {
				s.write(`UPDATE referral SET `+c+` = (SELECT `+c+` FROM referral WHERE id = $1) WHERE id = $2`, int64(was.ID), int64(id))
			}
			return id
		}
		household := as("30 7 1948", "phone_ix")
		if n := next(s.worker); n.Referral.ID != household || !n.Why.Knew.IsZero() {
			t.Errorf("the same number, another person: %+v", n.Why)
		}
		s.write(`UPDATE referral SET state = 'closed', claimed_by = 1 WHERE id = $1`, int64(household))
		again := as("1 2 1950", "phone_ix nhs_ix")
		if n := next(s.other); n.Referral.ID != again || n.Why.Knew.Year() != 2025 || n.Why.Sentence("") != "You have 4 first contacts free today, you knew them in June 2025." {
			t.Errorf("known before: %d, %q", n.Referral.ID, n.Why.Sentence(""))
		}
		s.write(`UPDATE referral SET nhs_ix = $1 WHERE id = $2`, []byte{}, int64(was.ID)) // the number and the birth date do, too
		if n := next(s.other); n.Referral.ID != again || n.Why.Knew.Year() != 2025 {
			t.Errorf("known by number and birth date: %+v", n.Why)
		}
		s.write(`UPDATE referral SET state = 'closed' WHERE id = $1`, int64(again))
		// The language counts, and what is urgent is no volunteer's.
		s.must(s.db.SetSpeaks(ctx, s.senior, s.other.ID, []string{"Urdu", "Polish"}))
		if err := s.db.SetSpeaks(ctx, s.senior, s.other.ID, []string{"Klingon"}); err == nil {
			t.Error("a language that nobody can ask for is taken")
		}
		if err := s.db.SetSpeaks(ctx, s.worker, s.worker.ID, nil); !errors.Is(err, staff.ErrDenied) {
			t.Errorf("a link worker sets languages: %v", err)
		}
		polish := s.come(1, testCivil, selfrefer.Answers{Name: "Pola", Language: "Polish"})[0]
		urgent := s.come(1, testCivil, selfrefer.Answers{Name: "Ursula", Words: "I took an overdose"})[0]
		if n := next(s.other); n.Referral.ID != polish && n.Referral.ID != urgent {
			t.Errorf("got %d", n.Referral.ID)
		}
		loads, err := s.db.Loads(ctx, s.team.ID)
		s.must(err)
		suggested := map[staff.AccountID]int{}
		for _, l := range loads {
			suggested[l.Account] = l.Suggested
			if l.Account == s.other.ID && !slices.Equal(l.Speaks, []string{"Polish", "Urdu"}) {
				t.Errorf("speaks %v", l.Speaks)
			}
		}
		if suggested[s.helper.ID] != 0 || suggested[s.worker.ID]+suggested[s.other.ID] != 2 || suggested[s.other.ID] == 0 {
			t.Errorf("suggested: %v", suggested)
		}
		// Whoever holds as many as fit is suggested no more, and whoever is at the limit neither.
		_, err = s.db.Act(ctx, s.worker, urgent, selfrefer.Contact{Event: selfrefer.Claim})
		s.must(err)
		s.hours(s.other, .5, 0)
		s.hours(s.worker, .125, -1)
		for _, a := range []staff.Account{s.worker, s.other} {
			if n := next(a); n.Referral.ID != 0 {
				t.Errorf("%s is suggested %d", a.Name, n.Referral.ID)
			}
		}
		if n := next(s.stranger); n.Referral.ID != 0 || n.Rostered {
			t.Errorf("somebody of another network: %+v", n)
		}
	})
}

func TestSetSharing(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		s := mustShare(t, cfg)
		if got, err := s.db.Sharing(ctx, s.team.ID); err != nil || got != selfrefer.UsualSharing {
			t.Errorf("%+v, %v", got, err)
		}
		want := selfrefer.Sharing{Auto: true, Wait: 90 * time.Minute, AskAt: -1}
		for who, refusal := range map[*staff.Account]error{&s.worker: staff.ErrDenied, &s.stranger: staff.ErrNotFound, &s.senior: nil} {
			if err := s.db.SetSharing(ctx, *who, s.team.ID, want); !errors.Is(err, refusal) {
				t.Errorf("%s: %v", who.Name, err)
			}
		}
		if got, err := s.db.Sharing(ctx, s.team.ID); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
		if err := s.db.SetSharing(ctx, s.senior, s.team.ID, selfrefer.Sharing{}); err == nil {
			t.Error("a wait of nothing is taken")
		}
		if n := s.count(`SELECT COUNT(*) FROM audit WHERE action = 'sharing.set' AND outcome = 'auto'`); n != 1 {
			t.Errorf("%d lines of the audit", n)
		}
	})
}
