package limit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// In no stretch of time does more pass than the burst and what has trickled in since; what is refused passes after the wait it was told.
func TestSpendKeepsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := Rule{time.Duration(rapid.IntRange(1, 5000).Draw(t, "every")) * time.Millisecond, rapid.IntRange(1, 8).Draw(t, "burst")}
		now, state := noon, State{}
		type grant struct {
			at time.Time
			n  int
		}
		var grants []grant
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 9000).Draw(t, "gap")) * time.Millisecond)
			n := rapid.IntRange(1, rule.Burst).Draw(t, "n")
			next, wait := Spend(now, rule, n, state)
			if wait > 0 {
				if next != state {
					t.Fatal("a refusal changed the state")
				}
				if _, early := Spend(now.Add(wait-1), rule, n, state); early <= 0 {
					t.Fatalf("told to wait %v, but it passes before", wait)
				}
				now = now.Add(wait)
				if next, wait = Spend(now, rule, n, state); wait != 0 {
					t.Fatalf("refused again after the wait, by %v", wait)
				}
			}
			state = next
			grants = append(grants, grant{now, n})
			sum := 0
			for i := len(grants) - 1; i >= 0; i-- {
				sum += grants[i].n
				if most := float64(rule.Burst) + float64(now.Sub(grants[i].at))/float64(rule.Every); float64(sum) > most+1e-6 {
					t.Fatalf("%d passed in %v, at most %.2f may", sum, now.Sub(grants[i].at), most)
				}
			}
		}
	})
}

func TestSpendEdges(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rule  Rule
		n     int
		state State
		wait  time.Duration
	}{
		{"nothing asked", Rule{}, 0, State{}, 0},
		{"no rule", Rule{}, 1, State{}, -1},
		{"more than ever", Per(3, time.Minute), 4, State{}, -1},
		{"all at once", Per(3, time.Minute), 3, State{}, 0},
		{"spent", Per(3, time.Minute), 1, State(noon.Add(time.Minute)), 20 * time.Second},
		{"clock set back", Per(3, time.Minute), 1, State(noon.Add(24 * time.Hour)), 20 * time.Second},
	} {
		if _, wait := Spend(noon, tt.rule, tt.n, tt.state); wait != tt.wait {
			t.Errorf("%s: wait %v, want %v", tt.name, wait, tt.wait)
		}
	}
}

func TestLimiter(t *testing.T) {
	l := NewLimiter(Per(2, time.Minute), 100)
	for i, want := range []bool{true, true, false} {
		if ok, _ := l.Allow(noon, "a"); ok != want {
			t.Errorf("request %d: %v", i, ok)
		}
	}
	if ok, _ := l.Allow(noon, "b"); !ok {
		t.Error("one key pays for another")
	}
	// A key is remembered while fewer than the promised number of others come by, and memory stays bounded when many do.
	for i := range 99 {
		l.Allow(noon, fmt.Sprint(i))
	}
	if ok, _ := l.Allow(noon, "a"); ok {
		t.Error("forgotten too soon")
	}
	for i := range 10000 {
		l.Allow(noon, fmt.Sprint("flood ", i))
	}
	if n := len(l.young) + len(l.old); n > 200 {
		t.Errorf("%d keys in memory", n)
	}
	if ok, _ := l.Allow(noon.Add(30*time.Second), "a"); !ok {
		t.Error("locked out after the wait")
	}
}

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now() // the bubble's clock
		p := NewPacer(10)
		for range 50 {
			if err := p.Wait(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 8900*time.Millisecond || took > 9100*time.Millisecond {
			t.Errorf("100 segments at 10 a second took %v, want 9 s after the first second's worth", took)
		}
		if err := p.Wait(t.Context(), 25); err != nil {
			t.Errorf("a text longer than one second's worth: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.Wait(ctx, 1) == nil || NewPacer(0).Wait(ctx, 1) == nil {
			t.Error("a cancelled wait succeeded")
		}
	})
}

// One subscriber comes no further by using all of their addresses, and the many of a mobile network are not held against each other.
func TestAllowAddress(t *testing.T) {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		address func(i int) string
		want    int // of 1,000 at once
	}{
		{"one phone", func(int) string { return "192.0.2.1" }, 10},
		{"one phone, spelled in two ways", func(i int) string { return []string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2] }, 10},
		{"one /64", func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, 10},
		{"one link, in zones", func(i int) string { return fmt.Sprintf("fe80::1%%eth%d", i) }, 10},
		{"a house with a /56", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i%256) }, 40},
		{"a house with a /48", func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i*64) }, 160},
		{"phones in many /48", func(i int) string { return fmt.Sprintf("2001:db8:%x::1", i) }, 1000},
		{"phones", func(i int) string { return fmt.Sprintf("192.0.%d.%d", i/250, i%250) }, 1000},
		{"nobody knows", func(int) string { return "" }, 1000},
		{"no address", func(int) string { return "a proxy" }, 1000},
	} {
		l := NewLimiter(Per(10, time.Minute), 100) // forgets many, and not those who are over
		got := 0
		for i := range 1000 {
			ok, wait := l.AllowAddress(now, c.address(i))
			if ok {
				got++
			} else if wait <= 0 || wait > time.Minute {
				t.Fatalf("%s: has to wait %v", c.name, wait)
			}
		}
		if got != c.want {
			t.Errorf("%s: %d pass, want %d", c.name, got, c.want)
		}
	}
	// Whoever goes on is not forgotten, however many others come.
	l := NewLimiter(Per(10, time.Minute), 100)
	got := 0
	for i := range 3000 {
		if ok, _ := l.AllowAddress(now, fmt.Sprintf("2001:db8:0:%x::1", i)); ok {
			got++
		}
		if i%20 == 0 {
			l.AllowAddress(now, fmt.Sprintf("2001:db8:%x::1", i+1))
		}
	}
	if got != 160 {
		t.Errorf("somebody who goes on passes %d times, want 160", got)
	}
	// A refusal by the house takes nothing from the room.
	l = NewLimiter(Per(1, time.Minute), 100)
	for i := range 4 {
		if ok, _ := l.AllowAddress(now, fmt.Sprintf("2001:db8:0:%x::1", i)); !ok {
			t.Fatal("the first four of a /56 pass")
		}
	}
	if ok, _ := l.AllowAddress(now, "2001:db8:0:5::1"); ok {
		t.Error("the fifth of a /56 passes")
	}
	if ok, _ := l.AllowAddress(now.Add(15*time.Second), "2001:db8:0:5::1"); !ok {
		t.Error("refused before, it does not pass when the house may again")
	}
}
