package sim

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

const seeds = 5

func load(t *testing.T, name string) World {
	t.Helper()
	w, err := LoadWorld(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Every scenario says what the pacer has to keep in it.
func TestWorlds(t *testing.T) {
	for _, name := range Worlds() {
		t.Run(name, func(t *testing.T) {
			w := load(t, name)
			working, late, peak := 0.0, 0.0, 0
			for seed := uint64(1); seed <= seeds; seed++ {
				r := Run(w, Pacer, seed)
				working += r.WorkingDays / seeds
				late += r.LatePercent / seeds
				peak = max(peak, r.PeakQueue)
				if r.Texts != w.Patients || r.TextsLeft != 0 {
					t.Errorf("seed %d: %d of %d texts", seed, r.Texts, w.Patients)
				}
				if e := w.Expect.LatePercent; e > 0 && r.LatePercent > e {
					t.Errorf("seed %d: %.2f %% of %d referrals late, at most %.2f %% may be", seed, r.LatePercent, r.Referrals, e)
				}
				if r.BrokenBy*100 > r.Referrals {
					t.Errorf("seed %d: %d of %d were called after the date that they were given", seed, r.BrokenBy, r.Referrals)
				}
			}
			t.Logf("late %.2f %%, %.1f working days, longest queue %d", late, working, peak)
			if e := w.Expect.WorkingDays; e > 0 && working > e {
				t.Errorf("%.1f working days until the last text, at most %.0f", working, e)
			}
		})
	}
}

// What it is all for: the same town without the pacer.
func TestBlastFloods(t *testing.T) {
	for seed := uint64(1); seed <= seeds; seed++ {
		r := Run(load(t, "01"), Blast, seed)
		if r.LatePercent < 50 || r.WorkingDays > 1 || r.PeakQueue < 100 {
			t.Errorf("seed %d: %.1f %% late, %.1f days, longest queue %d", seed, r.LatePercent, r.WorkingDays, r.PeakQueue)
		}
	}
}

// Being asked every few minutes instead of each half hour changes neither lateness nor speed by much.
func TestAskedOften(t *testing.T) {
	w := load(t, "01")
	seldom := Run(w, Pacer, 2)
	w.EveryMinutes = 5
	often := Run(w, Pacer, 2)
	if often.LatePercent > 1 || often.PeakQueue > seldom.PeakQueue+6 || math.Abs(often.WorkingDays-seldom.WorkingDays) > 4 {
		t.Errorf("each half hour: %+v\neach five minutes: %+v", seldom, often)
	}
}

func TestRunIsReproducible(t *testing.T) {
	w := load(t, "02")
	if a, b := Run(w, Pacer, 3), Run(w, Pacer, 3); !reflect.DeepEqual(a, b) {
		t.Errorf("one seed, two results:\n%+v\n%+v", a, b)
	}
	if a, b := Run(w, Pacer, 3), Run(w, Pacer, 4); reflect.DeepEqual(a.Referrals, b.Referrals) && a.Decisions == b.Decisions {
		t.Error("two seeds, one result")
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
	for _, text := range []string{"", "{}", `{"patients":1,"practices":1,"rate":2,"delays":[{}],"contacts_per_day":1,"start":"2026-06-01T09:00"}`,
		`{"patients":1,"practices":1,"rate":1,"delays":[{}],"contacts_per_day":1,"start":"June"}`} {
		if w, err := ParseWorld([]byte(text)); err == nil {
			t.Errorf("parsed %q as %+v", text, w)
		}
	}
}

// The town draws people one by one; they must be the people of the world.
func TestDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	w := load(t, "01").Drawn(rng)
	answers, quick := 0, 0
	const n = 400000
	for i := range n {
		if w.Answers(rng, i%w.Practices) {
			answers++
		}
	}
	if share := float64(answers) / n; math.Abs(share-w.Rate) > .0006 {
		t.Errorf("%.4f answer, want %.4f", share, w.Rate)
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
	sum, squares := 0.0, 0.0
	for range 100000 {
		x := Gamma(rng, .5)
		sum += x
		squares += x * x
	}
	if mean, variance := sum/1e5, squares/1e5-sum*sum/1e10; math.Abs(mean-1) > .01 || math.Abs(variance-.25) > .01 {
		t.Errorf("Gamma of mean %.3f and variance %.3f, want 1 and .25", mean, variance)
	}
	count := 0
	for range 2000 {
		count += binomial(rng, 1000, .0066)
	}
	if mean := float64(count) / 2000; math.Abs(mean-6.6) > .25 {
		t.Errorf("binomial mean %.2f, want 6.6", mean)
	}
	if binomial(rng, 7, 1) != 7 || binomial(rng, 7, 0) != 0 {
		t.Error("binomial of certainties")
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

func BenchmarkCampaign(b *testing.B) {
	w, err := LoadWorld("01")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Run(w, Pacer, 1)
	}
}
