package campaign

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Every prefix of the order mirrors the list: the promise that everyone gets a fair turn.
func TestOrder_EveryPrefixMirrorsTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 300), 1, 12).Draw(t, "sizes")
		seed := rapid.Uint64().Draw(t, "seed")
		got := Order(seed, sizes)
		if !reflect.DeepEqual(got, Order(seed, sizes)) {
			t.Fatal("the same seed gives another order")
		}
		type member struct {
			place   int64
			stratum int
		}
		var all []member
		for s, places := range got {
			if len(places) != sizes[s] {
				t.Fatalf("stratum %d has %d places, want %d", s, len(places), sizes[s])
			}
			for _, p := range places {
				all = append(all, member{p, s})
			}
		}
		slices.SortFunc(all, func(a, b member) int { return int(math.Copysign(1, float64(a.place-b.place))) })
		seen := make([]int, len(sizes))
		for i, m := range all {
			seen[m.stratum]++
			for s, n := range sizes {
				if want := float64(i+1) * float64(n) / float64(len(all)); math.Abs(float64(seen[s])-want) > float64(len(sizes)) {
					t.Fatalf("after %d texts stratum %d (%d of %d) has %d, a mirror would have %.1f", i+1, s, n, len(all), seen[s], want)
				}
			}
		}
	})
}

func TestOrder_SeedMatters(t *testing.T) {
	if reflect.DeepEqual(Order(1, []int{100}), Order(2, []int{100})) {
		t.Error("two seeds give one order")
	}
}
