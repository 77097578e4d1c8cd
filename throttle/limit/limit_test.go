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
