package selfrefer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// A Tuesday, ten o'clock in London.
var tuesday = time.Date(2026, 6, 2, 9, 0, 0, 0, time.UTC)

func endOfDay(now time.Time) time.Time {
	c := throttle.Calendar{}
	return c.Midnight(c.Midnight(now).AddDate(0, 0, 1))
}

func taker(id int64, role staff.Role, share float64, places int) Taker {
	var week throttle.Week
	for d := time.Monday; d <= time.Friday; d++ {
		week[d] = throttle.Hours{From: 9 * 60, To: 17 * 60}
	}
	return Taker{Account: staff.Account{ID: staff.AccountID(id), Network: 1, Role: role},
		Worker: throttle.Worker{ID: strconv.FormatInt(id, 10), Name: fmt.Sprint("W", id), Week: week, FirstContact: share, Minutes: 60, Places: places}}
}

func waits(id int64, due time.Duration) Waiting {
	return Waiting{Referral: Referral{ID: ReferralID(id), Network: 1, State: New, Lane: Verified, Received: tuesday.Add(-time.Hour), Due: tuesday.Add(due)}}
}

func dealt(waiting []Waiting, takers []Taker) (to []staff.AccountID) {
	for _, g := range Deal(throttle.Calendar{}, waiting, takers, tuesday, endOfDay(tuesday)) {
		to = append(to, g.To)
	}
	return to
}

func TestDeal(t *testing.T) {
	lin, sam, val := taker(1, staff.LinkWorker, .5, -1), taker(2, staff.SeniorLinkWorker, .25, -1), taker(3, staff.Volunteer, .5, -1) // 4, 2 and 4 a day
	urgent := waits(7, time.Hour)
	urgent.Referral.Urgent, urgent.Risk = true, true
	told := waits(8, time.Hour)
	told.Risk = true
	known, polish := waits(9, time.Hour), waits(10, time.Hour)
	known.Knew = []Knew{{1, tuesday.AddDate(-1, 0, 0)}, {2, tuesday.AddDate(0, -1, 0)}}
	polish.Referral.Language = "polish"
	speaker := sam
	speaker.Speaks = []string{"Polish"}
	full := lin
	full.Worker.Places = 0
	busy := lin
	busy.Holds = 3
	away := lin
	away.Worker.Leave = []throttle.Span{{From: tuesday.Add(-time.Hour), To: tuesday.Add(24 * time.Hour)}}
	gone := lin
	gone.Account.Disabled = true
	back := waits(11, time.Hour)
	back.Not = []staff.AccountID{1}
	support := waits(12, time.Hour)
	support.Support = true
	none := lin
	none.Holds = 4 // no time for a first call, yet for somebody in support
	for _, c := range []struct {
		name    string
		waiting []Waiting
		takers  []Taker
		want    []staff.AccountID
	}{
		{"by what is free", []Waiting{waits(1, 1), waits(2, 2), waits(3, 3), waits(4, 4)}, []Taker{lin, sam}, []staff.AccountID{1, 1, 2, 1}},
		{"no more than fits", []Waiting{waits(1, 1), waits(2, 2), waits(3, 3)}, []Taker{busy}, []staff.AccountID{1, 0, 0}},
		{"never above the limit", []Waiting{waits(1, 1)}, []Taker{full, sam}, []staff.AccountID{2}},
		{"not an urgent one either", []Waiting{urgent}, []Taker{full}, []staff.AccountID{0}},
		{"an urgent one waits for nobody's diary", []Waiting{urgent}, []Taker{none}, []staff.AccountID{1}},
		{"volunteers get nothing urgent and no high risk", []Waiting{urgent, told, waits(1, 1)}, []Taker{val}, []staff.AccountID{0, 3, 0}},
		{"nobody on leave", []Waiting{waits(1, 1), urgent}, []Taker{away}, []staff.AccountID{0, 0}},
		{"nobody who cannot sign in", []Waiting{waits(1, 1)}, []Taker{gone}, []staff.AccountID{0}},
		{"who had them last", []Waiting{known}, []Taker{lin, sam}, []staff.AccountID{2}},
		{"who speaks their language", []Waiting{polish}, []Taker{lin, speaker}, []staff.AccountID{2}},
		{"not who gave it back", []Waiting{back}, []Taker{lin, sam}, []staff.AccountID{2}},
		{"in support it takes a place alone", []Waiting{support}, []Taker{none}, []staff.AccountID{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := dealt(c.waiting, c.takers); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRoom(t *testing.T) {
	c := throttle.Calendar{}
	full := func(change func(*Taker)) int {
		w := taker(1, staff.LinkWorker, .5, -1) // four hours of eight
		change(&w)
		return w.Room(c, tuesday, endOfDay(tuesday))
	}
	for _, x := range []struct {
		name   string
		change func(*Taker)
		want   int
	}{
		{"as declared", func(*Taker) {}, 4},
		{"less what is done", func(w *Taker) { w.Done = 1 }, 3},
		{"less whom they hold", func(w *Taker) { w.Done, w.Holds = 1, 2 }, 1},
		{"never below nothing", func(w *Taker) { w.Holds = 9 }, 0},
		{"follow-ups take from the rest first", func(w *Taker) { w.Booked = 3 * 60 }, 4},
		{"and then from first contacts", func(w *Taker) { w.Booked = 5 * 60 }, 2}, // seven hours are left
		{"ill", func(w *Taker) { w.Worker.Leave = []throttle.Span{{From: tuesday, To: endOfDay(tuesday)}} }, 0},
		{"no hours", func(w *Taker) { w.Worker.Week = throttle.Week{} }, 0},
		{"no share", func(w *Taker) { w.Worker.FirstContact = 0 }, 0},
	} {
		if got := full(x.change); got != x.want {
			t.Errorf("%s: %d, want %d", x.name, got, x.want)
		}
	}
	// Half an hour before the end nothing that takes an hour fits, however little was done.
	w := taker(1, staff.LinkWorker, .5, -1)
	if got := w.Room(c, tuesday.Add(6*time.Hour+30*time.Minute), endOfDay(tuesday)); got != 0 {
		t.Errorf("%d fit into the last half hour", got)
	}
}

func TestWhy(t *testing.T) {
	ana := taker(1, staff.LinkWorker, .5, -1)
	ana.Worker.Name, ana.Speaks, ana.Done = "Ana", []string{"Polish"}, 1
	w := waits(1, time.Hour)
	w.Referral.Language, w.Knew = "Polish", []Knew{{1, tuesday.AddDate(-1, 0, 0)}}
	why := Deal(throttle.Calendar{}, []Waiting{w}, []Taker{ana}, tuesday, endOfDay(tuesday))[0].Why
	if got := why.Sentence("Ana"); got != "Ana: has 3 first contacts free today, speaks Polish, knew them in June 2025." {
		t.Error(got)
	}
	if got := why.Sentence(""); got != "You have 3 first contacts free today, you speak Polish, you knew them in June 2025." {
		t.Error(got)
	}
	if got := why.Plain().Sentence("Ana"); got != "Ana: has 3 first contacts free today." {
		t.Error(got)
	}
	why = Deal(throttle.Calendar{}, []Waiting{waits(1, 1)}, []Taker{ana}, tuesday, endOfDay(tuesday.AddDate(0, 0, 2)))[0].Why
	if got := why.Sentence("Ana"); !strings.HasSuffix(got, "first contacts free until Thursday.") {
		t.Error(got)
	}
	risk := waits(2, 1)
	risk.Risk = true
	for want, takers := range map[string][]Taker{
		"Only a volunteer has room, and this is no work for volunteers.": {taker(3, staff.Volunteer, 1, -1)},
		"Everybody who has room is at their caseload limit.":             {taker(3, staff.LinkWorker, 1, 0)},
		"Nobody has room today.":                                         nil,
	} {
		if got := Deal(throttle.Calendar{}, []Waiting{risk}, takers, tuesday, endOfDay(tuesday))[0].Why.Sentence("x"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Whatever the team and whoever waits: everybody waiting is answered for, in the order of calling; nobody gets more than fits or than their
// limit; volunteers get no risk; nobody gets what they may not have; without languages and earlier contacts each next one goes to whoever has
// used least of their part; and the order in which the arguments come changes nothing.
func TestDeal_properties(t *testing.T) {
	c := throttle.Calendar{}
	roles := []staff.Role{staff.LinkWorker, staff.SeniorLinkWorker, staff.Volunteer, staff.Administrator}
	rapid.Check(t, func(t *rapid.T) {
		now := tuesday.Add(time.Duration(rapid.IntRange(-3*60, 30*60).Draw(t, "now")) * time.Minute)
		until := endOfDay(now.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "days")))
		plain := rapid.Bool().Draw(t, "plain")
		var takers []Taker
		for i := range rapid.IntRange(0, 7).Draw(t, "takers") {
			w := taker(int64(i+1), rapid.SampledFrom(roles).Draw(t, "role"), rapid.Float64Range(0, 1.2).Draw(t, "share"), rapid.IntRange(-1, 6).Draw(t, "places"))
			w.Worker.Minutes = rapid.Float64Range(10, 90).Draw(t, "minutes")
			w.Holds, w.Done, w.Booked = rapid.IntRange(0, 3).Draw(t, "holds"), rapid.IntRange(0, 3).Draw(t, "done"), rapid.Float64Range(0, 300).Draw(t, "booked")
			if rapid.IntRange(0, 4).Draw(t, "leave") == 0 {
				from := now.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "from")) * time.Minute)
				w.Worker.Leave = []throttle.Span{{From: from, To: from.Add(5 * time.Hour)}}
			}
			if !plain && rapid.Bool().Draw(t, "speaks") {
				w.Speaks = []string{"Polish"}
			}
			takers = append(takers, w)
		}
		var waiting []Waiting
		for i := range rapid.IntRange(0, 30).Draw(t, "waiting") {
			w := waits(int64(i+1), time.Duration(rapid.IntRange(-50, 50).Draw(t, "due"))*time.Hour)
			w.Referral.Urgent = rapid.IntRange(0, 9).Draw(t, "urgent") == 0
			w.Risk = w.Referral.Urgent || rapid.IntRange(0, 9).Draw(t, "risk") == 0
			w.Support = !w.Referral.Urgent && rapid.IntRange(0, 9).Draw(t, "support") == 0
			if rapid.IntRange(0, 9).Draw(t, "unverified") == 0 {
				w.Referral.Lane = Unverified
			}
			if rapid.IntRange(0, 9).Draw(t, "not") == 0 {
				w.Not = []staff.AccountID{staff.AccountID(rapid.IntRange(1, 7).Draw(t, "whom"))}
			}
			if !plain && rapid.Bool().Draw(t, "polish") {
				w.Referral.Language = "Polish"
			}
			if !plain && rapid.IntRange(0, 3).Draw(t, "knew") == 0 {
				w.Knew = []Knew{{staff.AccountID(rapid.IntRange(1, 7).Draw(t, "who")), now.AddDate(0, -3, 0)}}
			}
			waiting = append(waiting, w)
		}
		got := Deal(c, waiting, takers, now, until)
		again := Deal(c, rapid.Permutation(waiting).Draw(t, "shuffled"), rapid.Permutation(takers).Draw(t, "mixed"), now, until)
		if !slices.Equal(got, again) {
			t.Fatalf("in another order: %v, then %v", got, again)
		}
		byID := map[ReferralID]Waiting{}
		for _, w := range waiting {
			byID[w.Referral.ID] = w
		}
		who := map[staff.AccountID]Taker{}
		for _, x := range takers {
			who[x.Account.ID] = x
		}
		calls, places := map[staff.AccountID]int{}, map[staff.AccountID]int{}
		fits := func(w Waiting, x Taker) bool { // said once more, in other words
			hours := throttle.AtWork(c, x.Worker, now, until).Hours()
			switch {
			case !x.Account.Role.Answers(), x.Worker.Places >= 0 && places[x.Account.ID] >= x.Worker.Places, w.Risk && x.Account.Role == staff.Volunteer, slices.Contains(w.Not, x.Account.ID):
				return false
			case w.Support:
				return hours > 0
			case w.Referral.Urgent:
				return throttle.AtWork(c, x.Worker, now, now.Add(time.Nanosecond)) > 0
			}
			return calls[x.Account.ID] < x.Room(c, now, until)
		}
		last := Referral{}
		for i, g := range got {
			w, known := byID[g.Referral]
			if delete(byID, g.Referral); !known {
				t.Fatalf("%d is answered for twice, or never waited", g.Referral)
			}
			if i > 0 && callingOrder(last, w.Referral) >= 0 {
				t.Fatalf("%d comes after %d", w.Referral.ID, last.ID)
			}
			last = w.Referral
			if g.To == 0 {
				for _, x := range takers {
					if fits(w, x) {
						t.Fatalf("%d goes to nobody, and %d could take it (%s)", g.Referral, x.Account.ID, g.Why.Nobody)
					}
				}
				if g.Why.Nobody == "" {
					t.Fatal("nobody can take it, and it is not said why")
				}
				continue
			}
			x := who[g.To]
			if !fits(w, x) {
				t.Fatalf("%d goes to %d, who cannot take it", g.Referral, g.To)
			}
			if plain && !w.Support {
				turn := func(x Taker) float64 {
					return float64(calls[x.Account.ID]+1) / math.Max(1, float64(x.Room(c, now, until)))
				}
				for _, y := range takers {
					if fits(w, y) && turn(y) < turn(x) {
						t.Fatalf("%d goes to %d with a part of %v, and %d would have used %v", g.Referral, g.To, turn(x), y.Account.ID, turn(y))
					}
				}
			}
			places[g.To]++
			if !w.Support {
				calls[g.To]++
			}
		}
		if len(byID) > 0 {
			t.Fatalf("%d are not answered for", len(byID))
		}
	})
}

func TestSharing(t *testing.T) {
	c := throttle.Calendar{}
	s := Sharing{Auto: true, Wait: time.Hour, AskAt: 10*60 + 30}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 6, day, hour-1, minute, 0, 0, time.UTC) } // London, in June
	r := func(received time.Time) Referral { return Referral{State: New, Received: received} }
	for _, x := range []struct {
		name     string
		s        Sharing
		r        Referral
		now      time.Time
		deal     bool
		sentence string
	}{
		{"waited an hour", s, r(at(2, 9, 0)), at(2, 10, 0), true, ""},
		{"not yet", s, r(at(2, 9, 0)), at(2, 9, 59), false, ""},
		{"the night does not count", s, r(at(1, 16, 30)), at(2, 9, 29), false, ""},
		{"then it does", s, r(at(1, 16, 30)), at(2, 9, 30), true, ""},
		{"never at night", s, r(at(1, 9, 0)), at(1, 20, 0), false, ""},
		{"nor on a Sunday", s, r(at(1, 9, 0)), at(7, 11, 0), false, ""},
		{"off", Sharing{Wait: time.Hour}, r(at(2, 9, 0)), at(2, 12, 0), false, ""},
		{"somebody has it", s, Referral{State: Claimed, Received: at(2, 9, 0)}, at(2, 12, 0), false, ""},
		{"put back just now", s, Referral{State: New, Received: at(1, 9, 0), FreeSince: at(2, 11, 30)}, at(2, 12, 0), false, ""},
	} {
		if got := x.s.DueToDeal(c, x.r, x.now); got != x.deal {
			t.Errorf("%s: %v", x.name, got)
		}
	}
	w := taker(1, staff.LinkWorker, .5, -1).Worker
	late := w
	late.Week[time.Tuesday] = throttle.Hours{From: 10 * 60, To: 12 * 60}
	off := w
	off.Leave = []throttle.Span{{From: at(2, 0, 0), To: at(3, 0, 0)}}
	for _, x := range []struct {
		name string
		w    throttle.Worker
		now  time.Time
		want bool
	}{
		{"at half past ten", w, at(2, 10, 30), true}, {"not before", w, at(2, 10, 29), false}, {"not after their hours", w, at(2, 17, 0), false},
		{"not in their first hour", late, at(2, 10, 59), false}, {"after it", late, at(2, 11, 0), true}, {"not on leave", off, at(2, 11, 0), false},
		{"not on a bank holiday", w, time.Date(2026, 8, 31, 10, 0, 0, 0, time.UTC), false}, {"not on a Sunday", w, at(7, 11, 0), false},
	} {
		if got := s.AskFor(c, x.w, x.now); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
	if (Sharing{Wait: time.Hour, AskAt: -1}).AskFor(c, w, at(2, 11, 0)) {
		t.Error("asked although nobody wants to be")
	}
	for _, bad := range []Sharing{{Wait: time.Minute}, {Wait: 41 * time.Hour}, {Wait: time.Hour, AskAt: 1440}, {Wait: time.Hour, AskAt: -2}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if err := UsualSharing.Check(); err != nil {
		t.Error(err)
	}
}

func TestHighRisk(t *testing.T) {
	for want, all := range map[bool][]Referral{
		true:  {{Urgent: true}, {WhyUrgent: []string{"x"}}, {EscalatedTo: 3}, {Answers: Answers{Words: "I took an overdose"}}, {Answers: Answers{Needs: "I took an overdose"}}},
		false: {{}, {Answers: Answers{Words: "I would like to meet people", Needs: "speak slowly"}}},
	} {
		for _, r := range all {
			if HighRisk(r) != want {
				t.Errorf("%+v: not %v", r.Urgent, want)
			}
		}
	}
}
