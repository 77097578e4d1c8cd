package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// campaign is one list on its way through a run.
type campaign struct {
	s              *stage
	starts         time.Time
	patients, left int
	size, taken    []int     // by stratum
	rate           []float64 // by stratum
	turns          [][]int   // strata that are texted together, one turn after the other
	turn           int
	people         [][]responder // by stratum, in the order of the list
	next           []int
	starters       [][]responder
	nextStarter    []int
	share          []int // of the last batch
}

// responder is somebody who asks for help when texted, if the response is at least so high.
type responder struct {
	at        int     // place in the stratum
	threshold float64 // answers if the rate of the moment is above it
	delay     float64 // response-hours
}

// newCampaign draws who would answer. It depends on the dice alone, not on the policy: two policies face the same people.
func newCampaign(s *stage, w *World, patients int, rate float64, starts time.Time, rng *rand.Rand) *campaign {
	shares := w.shares()
	n := len(shares)
	c := &campaign{s: s, starts: starts, patients: patients, left: patients, size: make([]int, n), taken: make([]int, n), rate: make([]float64, n),
		people: make([][]responder, n), next: make([]int, n), starters: make([][]responder, n), nextStarter: make([]int, n), share: make([]int, n)}
	sum, given := 0.0, 0
	for i, share := range shares {
		sum += share
		upTo := int(float64(patients)*sum + .5)
		c.size[i], given = upTo-given, upTo
		c.rate[i] = w.relative(rate, i)
	}
	bands := len(w.bands())
	for i := range n {
		if i == 0 || w.Sequence && i%bands == 0 {
			c.turns = append(c.turns, nil)
		}
		c.turns[len(c.turns)-1] = append(c.turns[len(c.turns)-1], i)
	}
	head := w.fiercest() * (1 + 8*w.DayNoise) // no day is livelier
	for i := range n {
		c.people[i] = draw(rng, w, c.size[i], c.rate[i]*head)
		if w.Starts > 1 {
			c.starters[i] = draw(rng, w, c.size[i], c.rate[i]*head*(w.Starts-1))
		}
	}
	return c
}

// draw skips from one responder to the next, so that it costs as many draws as there are.
func draw(rng *rand.Rand, w *World, size int, p float64) []responder {
	if p <= 0 {
		return nil
	}
	most := min(1, p)
	log := math.Log1p(-min(most, 1-1e-12))
	var out []responder
	for at := -1; ; {
		at += int(math.Log(1-rng.Float64())/log) + 1
		if at >= size {
			return out
		}
		out = append(out, responder{at, rng.Float64() * most, w.Delay(rng)})
	}
}

// take picks the next n of the list: how many of each stratum. Within a turn every prefix mirrors the turn.
func (c *campaign) take(n int) []int {
	clear(c.share)
	for n > 0 && c.turn < len(c.turns) {
		turn := c.turns[c.turn]
		size, done := 0, 0
		for _, s := range turn {
			size += c.size[s]
			done += c.taken[s] + c.share[s]
		}
		now := min(n, size-done)
		given := 0
		for _, s := range turn { // whole people first
			x := c.size[s]*(done+now)/size - c.taken[s] - c.share[s]
			x = max(0, min(x, now-given))
			c.share[s] += x
			given += x
		}
		for given < now { // then whoever is furthest behind
			best, behind := -1, math.Inf(-1)
			for _, s := range turn {
				has := c.taken[s] + c.share[s]
				if b := float64(c.size[s])*float64(done+now)/float64(size) - float64(has); has < c.size[s] && b > behind {
					best, behind = s, b
				}
			}
			c.share[best]++
			given++
		}
		n -= now
		if done+now == size {
			c.turn++
		}
	}
	return c.share
}

// expected is how many answers the next n texts bring on an average day without a surge.
func (c *campaign) expected(n int) float64 {
	sum := 0.0
	for t := c.turn; t < len(c.turns) && n > 0; t++ {
		left, mean := 0, 0.0
		for _, s := range c.turns[t] {
			x := c.size[s] - c.taken[s]
			left += x
			mean += float64(x) * c.rate[s]
		}
		if left == 0 {
			continue
		}
		x := min(n, left)
		sum += mean * float64(x) / float64(left)
		n -= x
	}
	return sum
}

// poisson draws by counting, which is fine for the small means of half an hour.
func poisson(rng *rand.Rand, mean float64) int {
	if mean <= 0 {
		return 0
	}
	n := 0
	for limit, p := math.Exp(-mean), rng.Float64(); p > limit; n++ {
		p *= rng.Float64()
	}
	return n
}
