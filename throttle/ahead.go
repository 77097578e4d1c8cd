package throttle

import (
	"math"
	"time"
)

// mixed is a distribution made of Gammas, each with its weight.
type mixed []struct{ weight, mean, variance float64 }

// below is the chance of less than x.
func (m mixed) below(x float64) float64 {
	sum := 0.0
	for _, g := range m {
		if g.mean <= 1e-12 {
			sum += g.weight
		} else {
			sum += g.weight * above(-deviate(x, g.mean, g.variance))
		}
	}
	return sum
}

func (m mixed) mean() (sum float64) {
	for _, g := range m {
		sum += g.weight * g.mean
	}
	return sum
}

// quantile is the x below which a share q lies.
func (m mixed) quantile(q float64) float64 {
	hi := 1.0
	for _, g := range m {
		hi = max(hi, g.mean+12*math.Sqrt(g.variance)+12*g.variance/max(g.mean, 1))
	}
	lo := 0.0
	for range 30 {
		if mid := (lo + hi) / 2; m.below(mid) < q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}

const (
	fewAnswers  = 60                                             // up to so many are counted one by one, beyond a Gamma will do
	responseDay = 15*dayWeight + 2*eveningWeight + 7*nightWeight // response-hours of a civil day
	mostMoods   = 30                                             // days whose texts are told apart
)

// counts finds the quantiles, in rising order, of a count whose mean is distributed so: Poisson within each Gamma, hence negative
// binomial. A count k fills the stretch from k-.5 to k+.5, or no band of a count that is mostly 0 or 1 could hold just every second one;
// whoever shows a quantile rounds it.
func (m mixed) counts(quantiles ...float64) []float64 {
	out := make([]float64, 0, len(quantiles))
	if m.mean() > fewAnswers {
		for _, q := range quantiles {
			out = append(out, m.quantile(q))
		}
		return out
	}
	type component struct{ p, shape, odds float64 } // chance of k, with its weight
	parts := make([]component, len(m))
	for i, g := range m {
		shape := min(1e6, g.mean*g.mean/max(1e-9, g.variance-g.mean))
		parts[i] = component{g.weight * math.Exp(-shape*math.Log1p(g.mean/max(1e-9, shape))), shape, g.mean / (g.mean + shape + 1e-12)}
	}
	below := 0.0
	for k := 0.0; len(out) < len(quantiles); k++ {
		p := 0.0
		for i := range parts {
			c := &parts[i]
			p += c.p
			c.p *= (k + c.shape) / (k + 1) * c.odds
		}
		for len(out) < len(quantiles) && (below+p >= quantiles[len(out)] || k > 100*fewAnswers) {
			out = append(out, k-.5+min(1, (quantiles[len(out)]-below)/max(p, 1e-300)))
		}
		below += p
	}
	return out
}

// moods is of how many days' texts the answers within a day are, were they equally many of each: each day's texts have a mood of their own,
// and those of many days even out.
func (o *outlook) moods(s *stream, n float64) float64 {
	e := s.e
	y, month, d := o.now.Date()
	today := e.p.ago(time.Date(y, month, d, 0, 0, 0, 0, o.now.Location()).Unix())
	elapsed := o.points[o.nextDay].elapsed
	c, _ := e.average()
	var by [mostMoods]float64
	by[0] = n * e.mixed() * c.by(elapsed)
	for i := range e.cohorts {
		co := &e.cohorts[i]
		mass := 0.0
		for k, x := range co.n {
			mass += x * e.theta[k]
		}
		day := 0
		if co.age > today {
			day = 1 + min(mostMoods-2, int((co.age-today)/responseDay))
		}
		by[day] += mass * (c.by(co.age+elapsed) - c.by(co.age))
	}
	sum, squares := 0.0, 0.0
	for _, x := range by {
		sum += x
		squares += x * x
	}
	if squares <= 0 {
		return 1
	}
	return sum * sum / squares
}

// tomorrow is the distribution of one campaign's answers within a day, to texts sent by then and n more.
func (o *outlook) tomorrow(campaign int, n float64) Band {
	if o.nextDay < 0 {
		return Band{}
	}
	s := o.streams[campaign]
	var m mixed
	days := o.moods(s, n)
	for r, chance := range [regimes]float64{1 - o.surge, o.surge} {
		if r >= s.regimes {
			break
		}
		for j := range s.curves {
			t := s.term(r, j, -1, o.nextDay, days)
			mean, variance := t.moments(n)
			variance -= modelNoise * mean * mean // what no model says grows over weeks; within a day it is mood
			m = append(m, struct{ weight, mean, variance float64 }{chance * s.e.weight[j], mean, variance})
		}
	}
	if o.surge == 0 {
		for i := range m {
			m[i].weight = s.e.weight[i]
		}
	}
	if m.mean() <= 1e-9 {
		return Band{}
	}
	q := m.counts(.05, .25, .75, .95)
	return Band{Mean: m.mean(), P05: q[0], P25: q[1], P75: q[2], P95: q[3]}
}

// queueAhead is how many will wait if nothing is sent after these batches.
func (o *outlook) queueAhead(n []float64) []QueueAt {
	present := 1 - o.throughput.away*(1-o.throughput.present)
	out := make([]QueueAt, 0, len(o.points))
	mean, low, high := o.waiting, o.waiting, o.waiting
	var before, lowBefore, highBefore float64
	for u := range o.points {
		p := &o.points[u]
		m := mixed{{1, p.other, p.otherVar}}
		for c, s := range o.streams { // as one Gamma: the band is for the eye
			a, v := 0.0, 0.0
			for j := range s.curves {
				t := s.term(usual, j, -1, u, max(1, p.at.Sub(o.now).Hours()/24))
				x, y := t.moments(n[c])
				a += s.e.weight[j] * x
				v += s.e.weight[j] * y
			}
			m[0].mean += a
			m[0].variance += v
		}
		now := o.arrivals(u, n)
		lowNow, highNow := min(now, m.quantile(.1)), max(now, m.quantile(.9))
		mean = max(0, mean+now-before-present*p.cleared)
		low = max(0, low+max(0, lowNow-lowBefore)-1.05*p.cleared)
		high = max(0, high+max(0, highNow-highBefore)-.9*present*p.cleared)
		before, lowBefore, highBefore = now, lowNow, highNow
		if p.open {
			out = append(out, QueueAt{At: p.at, Mean: mean, P10: min(low, mean), P90: max(high, mean)})
		}
	}
	return out
}
