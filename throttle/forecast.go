package throttle

import (
	"math"
	"sort"
	"time"
)

// checkpointHalfHours are the working half-hours ahead at which the queue is looked at; openings after long closures are added.
var checkpointHalfHours = [...]float64{1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 240, 288, 320}

const (
	longClosure = 20 * time.Hour // more than a night: a weekend, a bank holiday
	windows     = 9              // starts of the windows in which a breach is looked for
	dead        = 1.             // contacts: with less capacity than this within the promise, nobody could answer
)

// checkpoint is one instant ahead.
type checkpoint struct {
	at       time.Time
	elapsed  float64 // response-hours from now
	cleared  float64 // first contacts between the previous checkpoint and this one
	capacity float64 // first contacts within the promise of somebody who comes at this instant
	fromNow  float64 // first contacts from now until that promise runs out
	other    float64 // other referrals expected by now
	closure  int     // index + 1 of the long closure that ended less than a working day before, else 0
	near     bool    // within the promise and before the next long closure
	dead     bool
}

// closure is a long stretch of closed hours, between two checkpoints; started < 0 if it has begun before now.
type closure struct{ start, end int }

// stream is what one campaign will bring: earlier texts, and each further text. Both are linear in texts, so everything is computed once.
type stream struct {
	e       *evidence
	pending [][templates][bins]float64 // by checkpoint: answers expected by then from texts sent
	single  [][templates][bins]float64 // and from one more text
	strata  [][templates][]float64     // pending by stratum
	each    []float64                  // share of one more text's answers by stratum
	mean    []float64                  // pending, mean over templates
	perText []float64
}

// outlook is the team's forecast.
type outlook struct {
	g        *grid
	now      time.Time
	waiting  float64
	points   []checkpoint
	closures []closure
	// arrived answers came in a long closure that ended less than a working day ago, and count until then.
	arrived      float64
	arrivedUntil time.Time
	otherRate    float64 // per working hour
	otherSeen    float64
	canAnswer    float64 // first contacts within the promise from now
	due          time.Time
	headcount    float64
	streams      []*stream
	scenarios    []scenario
	pairs        []pair
	lifted       bool // caseload limits are ignored
}

// scenario says which delay curve each campaign has. The campaigns' curves are taken to be fast or slow together.
type scenario struct {
	weight float64
	curve  []int
}

// pair is one window (from, to]: a breach is when more come in it than can be answered by the promise of the last.
type pair struct {
	base     float64 // waiting now, for windows that start now
	capacity float64
	spread   float64 // of the capacity, as a coefficient of variation
	mean     float64 // other referrals
	variance float64
	terms    []term // by campaign and template
}

// term gives mean and variance of one campaign's answers in a window as polynomials of its further texts.
type term struct{ m0, m1, sigma, q0, q1, q2 float64 }

func newOutlook(g *grid, now time.Time, p *TeamPolicy, s *TeamState, streams []*evidence, lifted bool) *outlook {
	o := &outlook{g: g, now: now, waiting: float64(max(0, s.Waiting)), lifted: lifted}
	o.due = g.due(now)
	o.canAnswer = g.capacity(now, o.due, lifted)
	for i := range p.Roster {
		if w := &p.Roster[i]; w.FirstContact > 0 && w.Minutes > 0 {
			o.headcount++
		}
	}
	o.headcount = max(1, o.headcount)
	o.others(p.Calendar, s)
	o.lookAhead()
	o.recent(p.Calendar, s)
	for _, e := range streams {
		o.streams = append(o.streams, o.stream(e))
	}
	o.couple()
	o.window()
	return o
}

// others learns the rate of other referrals: slow background in working hours, with a prior strong enough not to jump.
func (o *outlook) others(cal Calendar, s *TeamState) {
	from := o.now.Add(-28 * 24 * time.Hour)
	first := o.now
	earlier := func(hour int64) {
		if t := time.Unix(hour*3600, 0); t.Before(first) {
			first = t
		}
	}
	for _, h := range s.Other {
		earlier(h.Hour)
		if h.Hour >= from.Unix()/3600 {
			o.otherSeen += float64(max(0, h.N))
		}
	}
	for _, h := range s.Contacts {
		earlier(h.Hour)
	}
	for i := range s.Campaigns {
		for _, d := range s.Campaigns[i].Delivered {
			earlier(d.Hour)
		}
	}
	if first.Before(from) {
		first = from
	}
	const priorCount, priorHours = .25, 40
	o.otherRate = (priorCount + o.otherSeen) / (priorHours + cal.Working(first, o.now).Hours())
}

// lookAhead places the checkpoints: just before the work clock passes so many half-hours, so that a weekend's answers are in.
func (o *outlook) lookAhead() {
	g := o.g
	var at []time.Time
	open := g.at(g.open, o.now)
	for _, h := range checkpointHalfHours {
		if t, ok := g.reach(g.open, open+h/2, true); ok && t.After(o.now) {
			at = append(at, t)
		}
	}
	type stretch struct{ from, to time.Time }
	var closed []stretch
	// Closures within the horizon, and the last moment before each.
	first := int(o.now.Sub(g.start) / step)
	const horizon = 160 // working hours
	for i := first; i < len(g.open)-1 && g.open[i] < open+horizon; i++ {
		if g.open[i+1] > g.open[i] {
			continue
		}
		j := i
		for j < len(g.open)-1 && g.open[j+1] == g.open[j] {
			j++
		}
		from, to := g.start.Add(time.Duration(i)*step), g.start.Add(time.Duration(j)*step)
		if to.Sub(from) >= longClosure && j < len(g.open)-1 {
			if from.Before(o.now) {
				from = o.now
			}
			closed = append(closed, stretch{from, to})
			at = append(at, to)
			if from.After(o.now) {
				at = append(at, from)
			}
		}
		i = j
	}
	sort.Slice(at, func(i, j int) bool { return at[i].Before(at[j]) })
	index := func(t time.Time) int {
		return sort.Search(len(o.points), func(i int) bool { return !o.points[i].at.Before(t) })
	}
	elapsed := g.at(g.response, o.now)
	previous := o.now
	for _, t := range at {
		if len(o.points) > 0 && t.Equal(previous) {
			continue
		}
		due := g.due(t)
		c := checkpoint{
			at: t, elapsed: g.at(g.response, t) - elapsed,
			cleared:  g.capacity(previous, t, true),
			capacity: g.capacity(t, due, o.lifted), fromNow: g.capacity(o.now, due, o.lifted),
			other: o.otherRate * g.between(g.open, o.now, t),
		}
		c.dead = c.capacity < dead
		c.near = g.between(g.open, o.now, t) <= g.promise && (len(closed) == 0 || !t.After(closed[0].from))
		o.points = append(o.points, c)
		previous = t
	}
	perDay := g.promise / 2
	for _, c := range closed {
		k := closure{start: -1, end: index(c.to)}
		if c.from.After(o.now) {
			k.start = index(c.from)
		}
		o.closures = append(o.closures, k)
		for i := k.end; i < len(o.points) && g.between(g.open, c.to, o.points[i].at) <= perDay; i++ {
			o.points[i].closure = len(o.closures)
		}
	}
}

// recent counts what came in a long closure that ended less than a working day ago; the steady queue may be larger by it.
func (o *outlook) recent(cal Calendar, s *TeamState) {
	week := cal.open()
	today := cal.day(o.now)
	span, ok := today.span(&week)
	if !ok || o.now.Before(span.From) {
		return
	}
	back := today
	closed := time.Time{}
	for range 14 {
		back = cal.day(back.midnight.Add(-time.Hour))
		if b, ok := back.span(&week); ok {
			closed = b.To
			break
		}
	}
	if closed.IsZero() || span.From.Sub(closed) < longClosure {
		return
	}
	from, to := closed.Unix()/3600, (span.From.Unix()+3599)/3600
	for i := range s.Campaigns {
		for _, a := range s.Campaigns[i].Answers {
			if a.Answered >= from && a.Answered < to {
				o.arrived += float64(max(0, a.N))
			}
		}
	}
	o.arrivedUntil = span.From.Add(cal.WorkingDayLength())
}

// stream forecasts one campaign.
func (o *outlook) stream(e *evidence) *stream {
	n := len(o.points)
	s := &stream{
		e:       e,
		pending: make([][templates][bins]float64, n),
		single:  make([][templates][bins]float64, n),
		strata:  make([][templates][]float64, n),
		each:    make([]float64, e.strata),
		mean:    make([]float64, n),
		perText: make([]float64, n),
	}
	mixed := 0.0
	for i, m := range e.mix {
		s.each[i] = m * e.theta[i]
		mixed += s.each[i]
	}
	if mixed > 0 {
		for i := range s.each {
			s.each[i] /= mixed
		}
	}
	flat := make([]float64, n*templates*e.strata)
	through := make([]float64, bins*e.strata)
	for u := range o.points {
		d := o.points[u].elapsed
		clear(through)
		for c := range e.cohorts {
			co := &e.cohorts[c]
			for k := binOf(co.age); k < bins && edges[k] < co.age+d; k++ {
				if part := crossed(k, co.age, co.age+d); part > 0 {
					row := through[k*e.strata : (k+1)*e.strata]
					for i, x := range co.n {
						row[i] += part * x
					}
				}
			}
		}
		for j := range templates {
			by := flat[:e.strata:e.strata]
			flat = flat[e.strata:]
			for k := range bins {
				f := e.level[j] * e.curves[j][k]
				s.single[u][j][k] = f * mixed * crossed(k, 0, d)
				s.perText[u] += e.weight[j] * s.single[u][j][k]
				sum := 0.0
				for i, x := range through[k*e.strata : (k+1)*e.strata] {
					if x != 0 {
						x *= f * e.theta[i]
						by[i] += x
						sum += x
					}
				}
				s.pending[u][j][k] = sum
				s.mean[u] += e.weight[j] * sum
			}
			s.strata[u][j] = by
		}
	}
	return s
}

// couple pairs the campaigns' curves so that slow goes with slow; each keeps its own weights.
func (o *outlook) couple() {
	n := len(o.streams)
	at := make([]int, n)
	left := make([]float64, n)
	for i, s := range o.streams {
		left[i] = s.e.weight[0]
	}
	for n > 0 {
		w := 1.0
		for i := range left {
			w = min(w, left[i])
		}
		if w > 1e-5 {
			o.scenarios = append(o.scenarios, scenario{w, append([]int(nil), at...)})
		}
		done := false
		for i := range left {
			left[i] -= w
			for left[i] <= 1e-12 && !done {
				at[i]++
				if at[i] == templates {
					done = true
					break
				}
				left[i] = o.streams[i].e.weight[at[i]]
			}
		}
		if done {
			return
		}
	}
	o.scenarios = []scenario{{1, nil}}
}

// window prepares the pairs.
func (o *outlook) window() {
	starts := []int{-1} // now
	n := len(o.points)
	for i := 1; i < windows && n > 0; i++ {
		// Denser at first: the near future matters and the far one is vague.
		at := (i*i*n/(windows*windows) + i*n/windows) / 2
		if at > starts[len(starts)-1] && at < n {
			starts = append(starts, at)
		}
	}
	terms := 0
	for range o.streams {
		terms += templates
	}
	flat := make([]term, 0, terms*len(starts)*n)
	for _, v := range starts {
		from := o.now
		base := o.waiting
		if v >= 0 {
			if o.points[v].dead {
				continue
			}
			from, base = o.points[v].at, 0
		}
		for u := v + 1; u < n; u++ {
			c := &o.points[u]
			if c.dead {
				continue // their answers have a budget of their own, see nobody
			}
			p := pair{base: base, capacity: c.fromNow}
			if v >= 0 {
				p.capacity = o.g.capacity(from, o.g.due(c.at), o.lifted)
			}
			days := c.at.Sub(from).Hours() / 24
			p.spread = math.Sqrt(.25/max(p.capacity, 4) + .04/(o.headcount*(days+1)))
			p.mean = c.other
			if v >= 0 {
				p.mean -= o.points[v].other
			}
			p.variance = p.mean + p.mean*p.mean/(.25+o.otherSeen)
			at := len(flat)
			for _, s := range o.streams {
				for j := range templates {
					flat = append(flat, s.term(j, v, u, .01+.04/max(1, days)))
				}
			}
			p.terms = flat[at:]
			o.pairs = append(o.pairs, p)
		}
	}
}

// term works out the polynomials of one campaign and curve for the window from checkpoint v (-1: now) to u.
func (s *stream) term(j, v, u int, noise float64) term {
	e := s.e
	t := term{sigma: noise + 1/(e.weigh+e.faded)}
	for k := range bins {
		a, b := s.pending[u][j][k], s.single[u][j][k]
		if v >= 0 {
			a -= s.pending[v][j][k]
			b -= s.single[v][j][k]
		}
		t.m0 += a
		t.m1 += b
		// The curve is uncertain in each bin that is still to come.
		w := 1 / (3 + e.byBin[k])
		t.q0 += a * a * w
		t.q1 += 2 * a * b * w
		t.q2 += b * b * w
	}
	for i := range e.strata {
		a, b := s.strata[u][j][i], t.m1*s.each[i]
		if v >= 0 {
			a -= s.strata[v][j][i]
		}
		w := 1 / (2 + e.byStratum[i])
		t.q0 += a * a * w
		t.q1 += 2 * a * b * w
		t.q2 += b * b * w
	}
	return t
}

// deviate turns the chance that a Gamma of this mean and variance exceeds x into a standard normal deviate, by Wilson and Hilferty.
func deviate(x, mean, variance float64) float64 {
	switch {
	case x <= 0:
		return -40
	case mean <= 1e-12:
		return 40
	}
	k := mean * mean / variance
	return (math.Cbrt(x/mean) - 1 + 1/(9*k)) * 3 * math.Sqrt(k)
}

func above(z float64) float64 { return .5 * math.Erfc(z/math.Sqrt2) }

// risk is the chance that somebody waits longer than the promise if the campaigns release so many texts now and nothing after.
func (o *outlook) risk(n []float64) float64 {
	total := 0.0
	for _, sc := range o.scenarios {
		worst := 0.0
		for i := range o.pairs {
			p := &o.pairs[i]
			mean, variance := p.mean, p.variance
			for c, j := range sc.curve {
				t := &p.terms[c*templates+j]
				x := n[c]
				m := t.m0 + t.m1*x
				mean += m
				variance += m + m*m*t.sigma + t.q0 + x*(t.q1+x*t.q2)
			}
			// Capacity at three points stands for its distribution; noise in it must not fatten the tail of the arrivals.
			low := deviate(p.capacity*(1-math.Sqrt(3)*p.spread)-p.base, mean, variance)
			if low > 8 || above(low) <= worst {
				continue
			}
			mid := deviate(p.capacity-p.base, mean, variance)
			high := deviate(p.capacity*(1+math.Sqrt(3)*p.spread)-p.base, mean, variance)
			worst = max(worst, above(low)/6+above(mid)*2/3+above(high)/6)
		}
		total += sc.weight * worst
	}
	return total
}

// arrivals is the mean number of arrivals by checkpoint u.
func (o *outlook) arrivals(u int, n []float64) float64 {
	if u < 0 {
		return 0
	}
	sum := o.points[u].other
	for c, s := range o.streams {
		sum += s.mean[u] + n[c]*s.perText[u]
	}
	return sum
}

// steady reports whether the mean queue stays a small share of what can be cleared within the promise. After a weekend it may be
// larger by the weekend's answers, for one working day.
func (o *outlook) steady(n []float64, share float64) bool {
	queue, before := o.waiting, 0.0
	for u := range o.points {
		p := &o.points[u]
		now := o.arrivals(u, n)
		queue = max(0, queue+now-before-p.cleared)
		before = now
		if p.dead {
			continue
		}
		most := share * p.capacity
		if p.closure > 0 {
			c := o.closures[p.closure-1]
			relaxed := most + o.arrivals(c.end, n) - o.arrivals(c.start, n)
			most = max(most, min(relaxed, .6*p.capacity))
		}
		if !p.at.After(o.arrivedUntil) {
			most = max(most, min(most+o.arrived, .6*p.capacity))
		}
		if queue > most {
			return false
		}
	}
	return true
}

// robust reports whether a surge of answers together with a loss of staff would still be answered in time.
func (o *outlook) robust(n []float64, surge, loss float64) bool {
	for u := range o.points {
		p := &o.points[u]
		if !p.near || p.dead {
			continue
		}
		answers := o.arrivals(u, n) - p.other
		if o.waiting+surge*answers+p.other > (1-loss)*p.fromNow {
			return false
		}
	}
	return true
}

// stranded is how many answers are expected at times when nobody could answer them within the promise.
func (o *outlook) stranded(n []float64) float64 {
	sum := 0.0
	for u := range o.points {
		if o.points[u].dead {
			sum += o.arrivals(u, n) - o.arrivals(u-1, n) - o.points[u].other
			if u > 0 {
				sum += o.points[u-1].other
			}
		}
	}
	return sum
}
