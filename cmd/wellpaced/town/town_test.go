package town

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/throttle"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

func TestClock_goesOn(t *testing.T) {
	dir, start := t.TempDir(), testToday
	c, err := OpenClock(dir, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []time.Time{start.Add(time.Minute), start.Add(3 * time.Hour), start.Add(time.Hour)} {
		if err := c.Step(to); err != nil {
			t.Fatal(err)
		}
	}
	if !c.Now().Equal(start.Add(3 * time.Hour)) {
		t.Errorf("the clock stands at %v: it must not go back", c.Now())
	}
	again, err := OpenClock(dir, start)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Now().Equal(c.Now()) {
		t.Errorf("after a restart it is %v, was %v", again.Now(), c.Now())
	}
}

func TestDiary_tornLine(t *testing.T) {
	dir := t.TempDir()
	d, err := openDiary(dir, func(entry) { t.Error("a new diary is not empty") })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := d.note(entry{Kind: did, Text: int64(i + 1), Deed: asks}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.f.WriteString(`{"k":"did","t":4,"d":"ref`); err != nil { // kill -9
		t.Fatal(err)
	}
	_ = d.f.Close()
	for _, want := range []int{3, 4} {
		n := 0
		d, err := openDiary(dir, func(entry) { n++ })
		if err != nil {
			t.Fatal(err)
		}
		if n != want {
			t.Errorf("read %d entries, want %d", n, want)
		}
		if err := d.note(entry{Kind: did, Text: 9, Deed: opens}); err != nil {
			t.Fatal(err)
		}
		_ = d.f.Close()
	}
	if err := os.WriteFile(filepath.Join(dir, "diary.jsonl"), []byte("{\"k\":1}\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDiary(dir, func(entry) {}); err == nil {
		t.Error("a broken line in the middle was passed over")
	}
}

func testTown(t *testing.T) *Town {
	t.Helper()
	world, err := sim.LoadWorld("21")
	if err != nil {
		t.Fatal(err)
	}
	world.DayNoise = 0
	return &Town{cfg: Config{Seed: 3}, world: world, people: map[string]neighbour{}}
}

// TestDecide holds the shares of what people do to those of the world, and their minds to the seed.
func TestDecide(t *testing.T) {
	town, n := testTown(t), 40_000
	count := map[string]int{}
	at := time.Date(2026, time.June, 2, 10, 0, 0, 0, London)
	for i := range n {
		x := emulator.Text{Seq: int64(i + 1), To: fmt.Sprintf("+4474%08d", i), StatusAt: at}
		plans := town.decide(x, 0)
		for j, p := range town.decide(x, 0) {
			if p.what != plans[j].what || !p.at.Equal(plans[j].at) {
				t.Fatal("somebody has changed their mind")
			}
		}
		for _, p := range plans {
			count[p.what]++
			if p.at.Before(at) {
				t.Fatalf("%s before the text was there", p.what)
			}
		}
	}
	for what, share := range map[string]float64{asks: town.world.RateOf(0), opens: (shareOpens - town.world.RateOf(0)) * (1 - shareStarts), stops: shareStop * (1 - shareOpens)} {
		want := share * float64(n)
		if got := float64(count[what]); math.Abs(got-want) > 4*math.Sqrt(want) {
			t.Errorf("%s: %v people, want about %.0f", what, got, want)
		}
	}
}

// TestDecide_surge: in a world with a surge more people answer the texts of its days, and as many as ever those before.
func TestDecide_surge(t *testing.T) {
	world, err := sim.LoadWorld("23") // five times as many from the ninth day to the twelfth
	if err != nil {
		t.Fatal(err)
	}
	world.DayNoise = 0
	today := time.Date(2026, time.June, 1, 8, 0, 0, 0, London)
	town := &Town{cfg: Config{Seed: 3, Today: today}, world: world, people: map[string]neighbour{}}
	const n = 20_000
	for day, factor := range map[int]float64{8: 1, 9: 5, 11: 5, 12: 1} {
		count := 0
		for i := range n {
			for _, p := range town.decide(emulator.Text{Seq: int64(i + 1), To: fmt.Sprintf("+4474%08d", i), StatusAt: today.AddDate(0, 0, day)}, 0) {
				if p.what == asks {
					count++
				}
			}
		}
		if want := world.Rate * factor * n; math.Abs(float64(count)-want) > 4*math.Sqrt(want) {
			t.Errorf("day %d: %d ask for help, want about %.0f", day, count, want)
		}
	}
}

func TestHand_atWork(t *testing.T) {
	day := func(d, h, m int) time.Time { return time.Date(2026, time.August, d, h, m, 0, 0, London) }
	// Monday 31 August 2026 is a bank holiday; Thursday 27 is a leave.
	w := throttle.Worker{Leave: []throttle.Span{{From: day(27, 0, 0), To: day(28, 0, 0)}}}
	for _, d := range []time.Weekday{time.Monday, time.Wednesday, time.Thursday} {
		w.Week[d] = throttle.Hours{From: 9 * 60, To: 13 * 60}
	}
	h, d := &hand{Worker: w}, &desk{}
	for _, c := range []struct {
		from time.Time
		work time.Duration
		want time.Time
	}{
		{day(26, 9, 30), time.Hour, day(26, 10, 30)},
		{day(26, 7, 0), time.Hour, day(26, 10, 0)},
		{day(26, 12, 30), time.Hour, day(33, 9, 30)}, // Wednesday 2 September: leave, weekend and bank holiday between
		{day(27, 10, 0), 0, day(33, 9, 0)},
	} {
		got, ok := d.after(h, c.from, c.work)
		if !ok || !got.Equal(c.want) {
			t.Errorf("%v of work from %v on: %v, want %v", c.work, c.from, got, c.want)
		}
	}
	if _, ok := d.present(&hand{}, day(3, 9, 0)); ok {
		t.Error("somebody without hours is at work")
	}
}
