package throttle

import "math"

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

// tomorrow is the distribution of one campaign's answers within a day, to texts sent by then and n more.
func (o *outlook) tomorrow(campaign int, n float64) Band {
	if o.nextDay < 0 {
		return Band{}
	}
	s := o.streams[campaign]
	var m mixed
	for r, chance := range [regimes]float64{1 - o.surge, o.surge} {
		if r >= s.regimes {
			break
		}
		for j := range s.curves {
			t := s.term(r, j, -1, o.nextDay, 1)
			mean, variance := t.moments(n)
			m = append(m, struct{ weight, mean, variance float64 }{chance * s.e.weight[j], mean, variance})
		}
	}
	if o.surge == 0 {
		for i := range m {
			m[i].weight = s.e.weight[i]
		}
	}
	return Band{Mean: m.mean(), P05: m.quantile(.05), P25: m.quantile(.25), P75: m.quantile(.75), P95: m.quantile(.95)}
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
