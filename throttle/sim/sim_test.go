package sim

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

func load(t testing.TB, name string) World {
	t.Helper()
	w, err := LoadWorld(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func compare(t *testing.T, c Comparison) []Row {
	t.Helper()
	rows, err := Compare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Every scenario says what the pacer has to keep in it.
func TestWorlds(t *testing.T) {
	c := Comparison{Policies: []Policy{Pacer}, Seeds: 2, First: 1, Options: Options{Nights: true}}
	for _, name := range Worlds() {
		w := load(t, name)
		if w.Name != name || w.About == "" {
			t.Errorf("%s is called %q: %q", name, w.Name, w.About)
		}
		c.Worlds = append(c.Worlds, w)
	}
	all, err := c.results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range c.Worlds {
		t.Run(w.Name, func(t *testing.T) {
			row := sum(all[i][Pacer], all[i][Honest], all[i][Oracle])
			t.Logf("%.0f referrals, %.2f %% late, %.1f working days, %.2f of the honest oracle's, queue up to %.2f of what can be cleared, idle %.0f %%",
				row.Referrals, row.LatePercent, row.WorkingDays, row.ToHonest, row.PeakP95, row.IdlePercent)
			for _, r := range all[i][Pacer] {
				if r.TextsLeft != 0 {
					t.Errorf("seed %d: %d texts are left", r.Seed, r.TextsLeft)
				}
				if r.Outside != 0 {
					t.Errorf("seed %d: %d decisions beyond window, rate, list or roster", r.Seed, r.Outside)
				}
			}
			if e := w.Expect.LatePercent; e > 0 && row.LatePercent > e {
				t.Errorf("%.2f %% of %.0f referrals late, at most %.2f %% may be", row.LatePercent, row.Referrals, e)
			}
			if e := w.Expect.WorkingDays; e > 0 && row.WorkingDays > e {
				t.Errorf("%.1f working days until the last text, at most %.0f", row.WorkingDays, e)
			}
		})
	}
}

// What it is all for: the same town under each of the policies that people use today.
func TestPoliciesOfToday(t *testing.T) {
	rows := map[string]Row{}
	for _, r := range compare(t, Comparison{Worlds: []World{load(t, "01"), load(t, "03"), load(t, "06")}, Policies: Policies[:6], Seeds: 20, First: 1}) {
		rows[r.World[:2]+" "+string(r.Policy)] = r
	}
	for key, good := range map[string]func(Row) bool{
		"01 blast":  func(r Row) bool { return r.LatePercent > 80 && r.PassPercent == 0 && r.WorkingDays == 1 },
		"01 fixed":  func(r Row) bool { return r.PassPercent >= 95 && r.ToHonest > 1.5 }, // safe by luck, since the guess was too high
		"03 fixed":  func(r Row) bool { return r.LatePercent > 50 },                      // and it was too low here
		"01 aimd":   func(r Row) bool { return r.PassPercent >= 80 && r.ToHonest > 1.4 },
		"01 token":  func(r Row) bool { return r.PassPercent > 50 && r.ToHonest < 1.25 },
		"06 token":  func(r Row) bool { return r.PassPercent < 20 }, // not yet is not no
		"01 oracle": func(r Row) bool { return r.PassPercent < 75 && r.ToHonest <= 1.01 && r.ToOracle == 1 },
		"01 honest": func(r Row) bool { return r.PassPercent >= 60 && r.ToHonest == 1 && r.IdlePercent < 1 },
	} {
		if r := rows[key]; !good(r) {
			t.Errorf("%s: %+v", key, r)
		}
	}
}

// The oracle knows the town, so what it says has to come true about as often as it says.
func TestOracleIsCalibrated(t *testing.T) {
	w := load(t, "03")
	w.DayNoise, w.CallNoise, w.Productivity = 0, 0, 0
	r := compare(t, Comparison{Worlds: []World{w}, Policies: []Policy{Honest}, Seeds: 20, First: 1})[0]
	if r.Cover50 < 46 || r.Cover50 > 54 || r.Cover90 < 87 || r.Cover90 > 93 {
		t.Errorf("the bands of a half and of nine tenths hold %.1f %% and %.1f %%", r.Cover50, r.Cover90)
	}
	if r.PassPercent < 95 || r.RiskSaid > .6 {
		t.Errorf("without noise beyond chance: %+v", r)
	}
}

// Each bound gives up just what it says, and is the careful oracle elsewhere.
func TestBounds(t *testing.T) {
	calm, hole := load(t, "01"), load(t, "17")
	for _, p := range []Policy{Holder, Learner, Guard} {
		if got, err := ParsePolicy(string(p)); err != nil || got != p {
			t.Errorf("%s is not known: %v", p, err)
		}
	}
	honest := Run(calm, Honest, 1, Options{})
	if r := Run(calm, Holder, 1, Options{}); r.WorkingDays != honest.WorkingDays || r.Late != honest.Late {
		t.Errorf("nothing is down, and the holder goes another way: %+v", r)
	}
	lost, without, peak, low := 0, 0, 0.0, 0.0
	for seed := range uint64(5) {
		lost += Run(hole, Honest, seed, Options{}).Lost
		without += Run(hole, Holder, seed, Options{}).Lost
		peak += Run(calm, Honest, seed, Options{}).Peak
		low += Run(calm, Guard, seed, Options{Knobs: throttle.Knobs{Absence: .5}}).Peak
	}
	if without == 0 || 2*without > lost { // those who had their text before are lost to both
		t.Errorf("%d people are lost who texts on, %d who stops", lost, without)
	}
	if low > .9*peak {
		t.Errorf("the queue's peak is %.2f with a reserve and %.2f without", low/5, peak/5)
	}
	// Who has to learn sends less before the first answers, and yet is not lost.
	sent := func(p Policy) (first, days float64) {
		for seed := range uint64(5) {
			r := Run(load(t, "02"), p, seed, Options{Course: true})
			for _, x := range r.Course.Steps[:2] {
				first += float64(x.Texts)
			}
			days += r.WorkingDays
		}
		return first, days
	}
	bold, quick := sent(Honest)
	shy, slow := sent(Learner)
	if shy > bold/4 || slow > 1.2*quick {
		t.Errorf("in the first hour %.0f texts who knows the response, %.0f who learns it; %.1f and %.1f days", bold, shy, quick, slow)
	}
}

// A knob moves the pacer in its direction.
func TestKnobs(t *testing.T) {
	w := load(t, "02")
	days := func(k throttle.Knobs) float64 { return Run(w, Pacer, 1, Options{Knobs: k}).WorkingDays }
	if usual, shy := days(throttle.Knobs{}), days(throttle.Knobs{Absence: .85}); shy < usual+1 {
		t.Errorf("%.1f days with a reserve against most of the team, %.1f with the usual", shy, usual)
	}
	if a, b := Run(w, Pacer, 1, Options{}), Run(w, Pacer, 1, Options{Knobs: throttle.Knobs{}.Defaults()}); !reflect.DeepEqual(a, b) {
		t.Error("the defaults are not the defaults")
	}
}

// Being asked every few minutes instead of each hour changes neither lateness nor speed by much.
func TestAskedOften(t *testing.T) {
	w := load(t, "02")
	seldom := Run(w, Pacer, 2, Options{})
	w.EveryMinutes = 10
	often := Run(w, Pacer, 2, Options{})
	if often.Decisions < 5*seldom.Decisions || often.LatePercent > 1 || often.PeakQueue > seldom.PeakQueue+6 ||
		math.Abs(often.WorkingDays-seldom.WorkingDays) > 3 {
		t.Errorf("each hour: %+v\neach ten minutes: %+v", seldom, often)
	}
}

func TestRunIsReproducible(t *testing.T) {
	w := load(t, "02")
	if a, b := Run(w, Pacer, 3, Options{}), Run(w, Pacer, 3, Options{}); !reflect.DeepEqual(a, b) {
		t.Errorf("one seed, two results:\n%+v\n%+v", a, b)
	}
	if a, b := Run(w, Token, 3, Options{}), Run(w, Token, 4, Options{}); a.Referrals == b.Referrals && a.Decisions == b.Decisions {
		t.Error("two seeds, one result")
	}
}

// The order in which the cores get to the runs must not show.
func TestCompareIsReproducible(t *testing.T) {
	c := Comparison{Worlds: []World{load(t, "14"), load(t, "31")}, Policies: []Policy{Token, Honest}, Seeds: 4, First: 9}
	many := compare(t, c)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	done := 0
	c.Progress = func(n, all int) {
		if done++; n != done || all != 2*3*4 { // the fast oracle runs along
			t.Errorf("%d of %d", n, all)
		}
	}
	if one := compare(t, c); !reflect.DeepEqual(many, one) {
		t.Errorf("on all cores and on one:\n%+v\n%+v", many, one)
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	if rows, err := Compare(gone, c); err == nil {
		t.Errorf("nobody waits for it any more: %+v", rows)
	}
}

// Policies are compared in the same town: with nothing that depends on the day, the same people answer all of them.
func TestOneSeedOneTown(t *testing.T) {
	w := load(t, "33")
	w.DayNoise = 0
	a, b := Run(w, Blast, 5, Options{}), Run(w, Fixed, 5, Options{})
	if a.Referrals != b.Referrals || a.Texts != w.Patients || b.Texts != w.Patients {
		t.Errorf("%d and %d referrals from %d and %d texts", a.Referrals, b.Referrals, a.Texts, b.Texts)
	}
}

// Each misfortune of a world happens, and only there.
func TestMisfortunes(t *testing.T) {
	if r, calm := Run(load(t, "17"), Token, 1, Options{}), Run(load(t, "01"), Token, 1, Options{}); r.Lost == 0 || calm.Lost != 0 {
		t.Errorf("the form was down for %d people, and for %d where it was up", r.Lost, calm.Lost)
	}
	extra := 0
	for seed := range uint64(10) {
		extra += Run(load(t, "18"), Blast, seed, Options{}).Referrals - Run(load(t, "01"), Blast, seed, Options{}).Referrals
	}
	if extra < 380 || extra > 520 { // Poisson of 450
		t.Errorf("the link brought %d people without a text in ten towns, want about 450", extra)
	}
	if r := Run(load(t, "32"), Fixed, 1, Options{}); r.Texts != 43000 {
		t.Errorf("two campaigns sent %d texts", r.Texts)
	}
	if r := Run(load(t, "35"), Pacer, 1, Options{}); r.Referrals > 600 {
		t.Errorf("those who only press Start are counted as referrals: %d", r.Referrals)
	}
}

// The pacer's books must be right at the end: every text delivered or known not to be, every answer counted.
func TestLedger(t *testing.T) {
	for _, name := range []string{"31", "33"} {
		w := load(t, name)
		r := newRun(newStage(w), Pacer, 1, Options{})
		got := r.play()
		x := r.ledger.state.Campaigns[0]
		delivered, answers := 0, 0
		for _, c := range x.Delivered {
			if c.N < 0 {
				t.Errorf("%s: a cell of %v texts", name, c.N)
			}
			delivered += int(c.N)
		}
		for _, a := range x.Answers {
			answers += int(a.N)
		}
		want := float64(w.Patients) * (1 - w.Receipts.Undelivered)
		if x.OnTheWay != 0 || x.Planned != 0 || math.Abs(float64(delivered)-want) > 5*math.Sqrt(want*w.Receipts.Undelivered)+.5 {
			t.Errorf("%s: %d delivered, want %.0f; %d on the way, %d planned", name, delivered, want, x.OnTheWay, x.Planned)
		}
		if answers != got.Referrals || len(x.Strata) != len(x.Sizes) {
			t.Errorf("%s: %d answers in the books, %d referrals", name, answers, got.Referrals)
		}
		contacts := 0
		for _, c := range r.ledger.state.Contacts {
			contacts += int(c.N)
		}
		if contacts != got.Referrals {
			t.Errorf("%s: %d contacts in the books of %d referrals", name, contacts, got.Referrals)
		}
	}
}

// The simulator keeps its own clocks, for speed. They must agree with the calendar and the roster that the pacer goes by.
func TestStageAgreesWithTheCalendar(t *testing.T) {
	for _, name := range []string{"01", "12", "24", "30", "34", "40"} {
		w := load(t, name)
		s := newStage(w)
		for i := s.first; i < s.first+60*perDay; i += 7 {
			from, to := s.at(i), s.at(i+31)
			if got, want := s.open[i+31]-s.open[i], s.calendar.Working(from, to).Hours(); math.Abs(got-want) > 1e-9 {
				t.Fatalf("%s: %v working hours from %v, the calendar has %v", name, got, from.In(civil), want)
			}
			if got, want := s.at(s.due[i]), s.calendar.DueBy(from, int(s.promise/8)); !got.Equal(want) {
				t.Fatalf("%s: the promise of %v runs out at %v, by the calendar at %v", name, from.In(civil), got.In(civil), want.In(civil))
			}
			k := s.present(i)
			if got, want := k.capacity[i+31]-k.capacity[i], throttle.Capacity(s.calendar, k.roster, nil, from, to); math.Abs(got-want) > 1e-6 {
				t.Fatalf("%s: %v contacts from %v, the roster has %v", name, got, from.In(civil), want)
			}
		}
		// And the response clock with the one by which the town lives.
		for i := s.first; i < s.first+20*perDay; i += 11 {
			at := instant(i) * tick
			got := s.origin.Add(reach(s.response, read(s.response, at)+5.3))
			if want := w.Clock().Add(s.origin.Add(at), 5.3); got.Sub(want).Abs() > time.Second {
				t.Fatalf("%s: 5.3 response-hours after %v are %v and %v", name, s.at(i).In(civil), got, want)
			}
		}
	}
}

// An absence is seen by the roster when it is known, and by the queue when it happens.
func TestKnowledge(t *testing.T) {
	week := func(s *stage, capacity []float64, day int) float64 {
		return capacity[s.begins[day+5]] - capacity[s.begins[day]]
	}
	for name, want := range map[string][3]float64{ // contacts of the week of absence: as known at the launch, as known on its first day, in truth
		"12": {0, 0, 0}, "09": {60, 30, 30}, "10": {60, 60, 30}, "01": {60, 60, 60},
	} {
		s := newStage(load(t, name))
		got := [3]float64{week(s, s.present(s.first).capacity, 14), week(s, s.present(s.begins[14]).capacity, 14), week(s, s.capacity, 14)}
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-6 {
				t.Errorf("%s: %v contacts, want %v", name, got, want)
				break
			}
		}
	}
	if s := newStage(load(t, "27")); len(s.known) != 3 || s.known[1].from != s.begins[7] {
		t.Errorf("leave at three days' notice: the roster changes %d times", len(s.known)-1)
	}
	if s := newStage(load(t, "22")); !s.dead[s.begins[15]] || s.dead[s.begins[11]] {
		t.Error("in the week in which all are on leave nobody can be called in time, and before it they can")
	}
}

// Every prefix of the list mirrors it, or one practice comes after the other.
func TestTake(t *testing.T) {
	w := load(t, "33")
	rng := rand.New(rand.NewPCG(1, 1))
	s := newStage(w)
	drawn := w.Drawn(rng)
	c := newCampaign(s, &drawn, 5003, .01, w.StartTime(), rng)
	sent := 0
	for sent < 5003 {
		n := min(5003-sent, 1+rng.IntN(90))
		total := 0
		for i, k := range c.take(n) {
			c.taken[i] += k
			total += k
		}
		sent += n
		if total != n {
			t.Fatalf("%d of %d", total, n)
		}
		for i := range c.taken {
			if fair := float64(sent) * float64(c.size[i]) / 5003; math.Abs(float64(c.taken[i])-fair) > 2 {
				t.Fatalf("after %d texts %d of stratum %d have theirs, %.1f would be fair", sent, c.taken[i], i, fair)
			}
		}
	}
	w = load(t, "28")
	drawn = w.Drawn(rng)
	c = newCampaign(newStage(w), &drawn, 1000, .01, w.StartTime(), rng)
	if got := c.take(200); got[0] != 150 || got[1] != 50 || got[2] != 0 { // sizes 3, 1, 2 of 20
		t.Errorf("in turn: %v", got)
	}
}

func TestLoadWorld(t *testing.T) {
	if w := load(t, "01-knowsley"); w.Patients != 52000 || w.Rate != .0066 || !w.StartTime().Equal(time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("Knowsley: %+v", w)
	}
	for _, name := range []string{"", "0", "99", "01-"} {
		if w, err := LoadWorld(name); err == nil {
			t.Errorf("world %q: %+v", name, w)
		}
	}
	const good = `{"patients":1,"practices":1,"rate":1,"delays":[{"weight":1,"median":1,"sigma":1}],"workers":1,"contacts_per_day":1,"start":"2026-06-01T09:00"}`
	if _, err := ParseWorld([]byte(good)); err != nil {
		t.Error(err)
	}
	for from, to := range map[string]string{
		good: "", `"rate":1`: `"rate":2`, `"2026-06-01T09:00"`: `"June"`, `"workers":1`: `"workers":0`, `"practices":1`: `"practice":1`,
		`"median":1`: `"median":0`, `{"patients"`: `{"hours":[1,2],"patients"`, `"workers":1,"contacts_per_day":1`: `"team":[{"days":"Mo","contacts_per_day":1}]`,
		`"contacts_per_day":1`: `"contacts_per_day":1,"absences":[{"workers":1,"known":"perhaps"}]`,
	} {
		text := strings.Replace(good, from, to, 1)
		if w, err := ParseWorld([]byte(text)); err == nil {
			t.Errorf("parsed %q as %+v", text, w)
		}
	}
	if p, err := ParsePolicy("token"); err != nil || p != Token {
		t.Error(p, err)
	}
	if p, err := ParsePolicy("hope"); err == nil || !strings.Contains(err.Error(), "blast, fixed, aimd") {
		t.Error(p, err)
	}
}

// The town draws people one by one; they must be the people of the world.
func TestDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	w := load(t, "01").Drawn(rng)
	answers, quick := 0, 0
	const n = 400000
	for i := range n {
		if rng.Float64() < w.RateOf(i%w.Practices) {
			answers++
		}
	}
	if share := float64(answers) / n; math.Abs(share-w.Rate) > .0006 {
		t.Errorf("%.4f answer, want %.4f", share, w.Rate)
	}
	// With age bands a practice's rate is the mean of its bands.
	bands, mean := load(t, "33").Drawn(rng), 0.0
	for i := range bands.Practices {
		mean += bands.RateOf(i) / float64(bands.Practices)
	}
	if math.Abs(mean-bands.Rate) > 1e-9 || bands.RateOf(0) == bands.RateOf(1) {
		t.Errorf("practices answer at %.5f, the world at %.5f", mean, bands.Rate)
	}
	for range 20000 {
		if w.Delay(rng) < .4 {
			quick++
		}
	}
	// Half of the 45 % whose median is .4, and very few others.
	if share := float64(quick) / 20000; share < .215 || share > .24 {
		t.Errorf("%.3f answer within .4 response-hours", share)
	}
	if s := newStage(w); math.Abs(s.within(.4)-.227) > .003 || math.Abs(s.within(2000)-1) > .01 || s.within(-1) != 0 {
		t.Errorf("%.3f answer within .4 response-hours by the table", s.within(.4))
	}
	sum, squares := 0.0, 0.0
	for range 100000 {
		x := Gamma(rng, .5)
		sum += x
		squares += x * x
	}
	if mean, variance := sum/1e5, squares/1e5-sum*sum/1e10; math.Abs(mean-1) > .01 || math.Abs(variance-.25) > .01 {
		t.Errorf("Gamma of mean %.3f and variance %.3f, want 1 and .25", mean, variance)
	}
	low, all := 0, 0
	for range 200 {
		for i, p := range draw(rng, &w, 1000, .4) {
			all++
			if p.threshold < .1 {
				low++
			}
			if p.at >= 1000 || i > 0 && p.at < 0 {
				t.Fatalf("somebody at place %d", p.at)
			}
		}
	}
	if math.Abs(float64(all)/200-400) > 5 || math.Abs(float64(low)/200-100) > 4 {
		t.Errorf("of a thousand %.1f might answer and %.1f do at a rate of a tenth", float64(all)/200, float64(low)/200)
	}
	if len(draw(rng, &w, 7, 1)) != 7 || draw(rng, &w, 7, 0) != nil {
		t.Error("draws of certainties")
	}
}

func TestResponseClock(t *testing.T) {
	noon := time.Date(2026, 6, 1, 11, 0, 0, 0, time.UTC) // 12:00 in London
	if got := (ResponseClock{}).Add(noon, 1.1); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("1.1 response-hours after noon: %v", got)
	}
	// Nights hardly count, and the clock never runs backwards, across a clock change either.
	evening := time.Date(2026, 10, 24, 19, 0, 0, 0, time.UTC)
	if got := (ResponseClock{}).Add(evening, 3); got.In(civil).Hour() < 7 || got.Sub(evening) < 10*time.Hour {
		t.Errorf("three response-hours after 20:00: %v", got.In(civil))
	}
	last := evening
	for h := 0.0; h < 60; h += .25 {
		if next := (ResponseClock{}).Add(evening, h); next.Before(last) {
			t.Fatalf("%v response-hours are before fewer", h)
		} else {
			last = next
		}
	}
	// Far out of range it ends rather than running for ever.
	if got := (ResponseClock{}).Add(evening, 1e9); got.Sub(evening) < 300*24*time.Hour {
		t.Errorf("a billion hours: %v", got)
	}
}

// A course adds up to its result.
func TestCourse(t *testing.T) {
	r := Run(load(t, "02"), Token, 1, Options{Course: true})
	texts, late, most := 0, 0, 0
	for _, s := range r.Course.Steps {
		texts += s.Texts
		late += s.Late
		most = max(most, s.Queue)
	}
	if texts != r.Texts || late != r.Late || most != r.PeakQueue || len(r.Course.Steps) == 0 {
		t.Errorf("%d texts, %d late, queue up to %d; want %d, %d, %d", texts, late, most, r.Texts, r.Late, r.PeakQueue)
	}
}

// The date on the confirmation page is kept for nearly everybody, since it is reckoned with what the team surely does.
func TestDatesAreKept(t *testing.T) {
	for _, name := range []string{"01", "21"} {
		r := Run(load(t, name), Pacer, 1, Options{Dates: true})
		if r.BrokenBy*100 > r.Referrals {
			t.Errorf("%s: %d of %d were called after the date that they were given", name, r.BrokenBy, r.Referrals)
		}
	}
}

func BenchmarkCampaign(b *testing.B) {
	for _, p := range []Policy{Fixed, Honest, Pacer} {
		b.Run(string(p), func(b *testing.B) {
			s := newStage(load(b, "01"))
			for b.Loop() {
				newRun(s, p, 1, Options{}).play()
			}
		})
	}
}
