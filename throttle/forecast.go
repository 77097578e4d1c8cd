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
	relaxed     = .30            // of what can be cleared within the promise may wait after a long closure
	relaxedSlow = .90            // if people answer slowly
	shorter     = .35            // by this share the queue may be shorter if people answer at once
	eveExtra    = .3             // by this share the queue may be longer on the morning before a long closure
	absenceSlow = .3             // Knobs.Absence, if people are known to answer slowly: from so many answers on, fully after so many more
	surgeSlow   = 2.0            // Knobs.Surge, likewise
	slowBase    = 20
	slowAnswers = 60
	endShare    = .55 // of the last stretch: Knobs.SetPoint, relaxed, Knobs.Absence, Knobs.Surge
	endRelax    = .75
	endRisk     = .25 // of the tolerable risk: nothing that follows could be held back to make good for it
	endAbsence  = .25
	endSurge    = 1.5
	mood        = .04  // variance of one day's response relative to its square: news, weather, other texts
	modelNoise  = .01  // the same for what no model says
	negligible  = 1e-4 // a scenario with less weight is left out
	nextDay     = 24 * time.Hour
)

// checkpoint is one instant ahead.
type checkpoint struct {
	at       time.Time
	elapsed  float64 // response-hours from now
	working  float64 // hours of the promise from now
	cleared  float64 // first contacts between the previous checkpoint and this one
	capacity float64 // first contacts within the promise of somebody who comes at this instant
	fromNow  float64 // first contacts from now until that promise runs out
	other    float64 // other referrals expected by now
	otherVar float64
	closure  int     // index + 1 of the long closure that ended less than a working day before, else 0
	eve      float64 // how much of the working day is left, on the last before a long closure
	near     bool    // within the promise and before the next long closure
	dead     bool
	open     bool // the queue is judged here; else the point only serves a forecast
}

// closure is a long stretch of closed hours, between two checkpoints; started < 0 if it has begun before now.
type closure struct{ start, end int }

// Regimes: people answer as usual, or a surge is on.
const (
	usual, surging = 0, 1
	regimes        = 2
)

// stream is what one campaign will bring: earlier texts, and each further text. Both are linear in texts, so everything is computed once.
type stream struct {
	e       *evidence
	curves  int
	regimes int
	pending [regimes][][bins]float64 // by checkpoint and curve: answers expected by then from texts sent
	strata  [regimes][][]float64     // the same by stratum
	single  [][bins]float64          // by checkpoint and curve: answers to one more text
	each    []float64                // share of one more text's answers by stratum
	surge   float64                  // chance of a surge of this campaign, given that there is one at all
	factor  float64                  // mean of what a surge makes of one more text
	mean    []float64                // pending, mean over everything
	perText []float64
}

// outlook is the team's forecast.
type outlook struct {
	g          *grid
	now        time.Time
	waiting    float64
	points     []checkpoint
	nextDay    int // index of the checkpoint a day ahead, or -1
	closures   []closure
	others     others
	throughput throughput
	canAnswer  float64 // first contacts within the promise from now
	due        time.Time
	headcount  float64
	streams    []*stream
	surge      float64 // chance that any campaign surges
	scenarios  []scenario
	pairs      []pair
	width      int  // terms of one campaign in a pair
	lifted     bool // caseload limits are ignored
}

// scenario says which delay curve each campaign has, and whether a surge is on. The campaigns' curves are taken to be fast or slow together.
type scenario struct {
	weight float64
	term   []int // by campaign: index among its terms
}

// pair is one window (from, to]: a breach is when more come in it than can be answered by the promise of the last.
type pair struct {
	base     float64 // waiting now, for windows that start now
	capacity float64
	spread   float64 // of the capacity, as a coefficient of variation
	mean     float64 // other referrals
	variance float64
	terms    []term // by campaign, regime and curve
}

// term gives mean and variance of one campaign's answers in a window as polynomials of its further texts.
type term struct{ m0, m1, sigma, q0, q1, q2 float64 }

// ground is what a forecast stands on, apart from the campaigns.
type ground struct {
	grid       *grid
	throughput throughput
	others     others
}

func newOutlook(gr *ground, now time.Time, p *TeamPolicy, s *TeamState, streams []*evidence, lifted bool) *outlook {
	g := gr.grid
	o := &outlook{g: g, now: now, waiting: float64(max(0, s.Waiting)), lifted: lifted, others: gr.others, throughput: gr.throughput, nextDay: -1}
	o.due, _ = g.due(now)
	o.canAnswer = g.capacity(now, o.due, lifted)
	o.headcount = p.headcount(now, false)
	o.lookAhead()
	for _, e := range streams {
		o.surge = 1 - (1-o.surge)*(1-e.surge.weight)
	}
	if o.surge < negligible {
		o.surge = 0
	}
	for _, e := range streams {
		o.streams = append(o.streams, o.stream(e))
	}
	o.couple()
	o.windows()
	return o
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
	day := o.now.Add(nextDay)
	at = append(at, day)
	sort.Slice(at, func(i, j int) bool { return at[i].Before(at[j]) })
	elapsed := g.at(g.response, o.now)
	previous := o.now
	for _, t := range at {
		due, known := g.due(t)
		if len(o.points) > 0 && t.Equal(previous) || !known && !t.Equal(day) {
			continue
		}
		c := checkpoint{
			at: t, elapsed: g.at(g.response, t) - elapsed, working: g.between(g.open, o.now, t), open: known,
			cleared:  g.capacity(previous, t, true),
			capacity: g.capacity(t, due, o.lifted), fromNow: g.capacity(o.now, due, o.lifted),
		}
		c.other, c.otherVar = o.others.by(c.working, c.elapsed)
		c.dead = c.capacity < dead
		c.near = c.working <= g.promise && (len(closed) == 0 || !t.After(closed[0].from))
		if t.Equal(day) {
			o.nextDay = len(o.points)
		}
		o.points = append(o.points, c)
		previous = t
	}
	for i := range o.points {
		p := &o.points[i]
		for _, c := range closed {
			if left := g.between(g.open, p.at, c.from); c.from.After(p.at) && left <= g.promise/2+1e-6 {
				p.eve = left / (g.promise / 2)
				break
			}
		}
	}
	index := func(t time.Time) int {
		return sort.Search(len(o.points), func(i int) bool { return !o.points[i].at.Before(t) })
	}
	perDay := g.promise / 2
	for _, c := range closed {
		k := closure{start: -1, end: index(c.to)}
		if k.end == len(o.points) {
			break
		}
		if c.from.After(o.now) {
			k.start = index(c.from)
		}
		o.closures = append(o.closures, k)
		for i := k.end; i < len(o.points) && g.between(g.open, c.to, o.points[i].at) <= perDay; i++ {
			o.points[i].closure = len(o.closures)
		}
	}
}

// stream forecasts one campaign.
func (o *outlook) stream(e *evidence) *stream {
	n, curves := len(o.points), e.templates
	s := &stream{
		e: e, curves: curves, regimes: 1, factor: 1,
		single:  make([][bins]float64, n*curves),
		each:    make([]float64, e.strata),
		mean:    make([]float64, n),
		perText: make([]float64, n),
	}
	if o.surge > 0 {
		s.regimes = regimes
		s.surge = e.surge.weight / o.surge
		s.factor = 1 + s.surge*(e.surge.factor-1)
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
	through := make([]float64, bins*e.strata) // texts that go through each bin from now on, weighted by how their stratum responds
	for r := range s.regimes {
		s.pending[r] = make([][bins]float64, n*curves)
		s.strata[r] = make([][]float64, n*curves)
		flat := make([]float64, n*curves*e.strata)
		clear(through)
		before := 0.0
		for u := range o.points {
			elapsed := o.points[u].elapsed
			e.progress(through, before, elapsed, func(c *cohort) float64 {
				if r == usual {
					return 1
				}
				return 1 + s.surge*(c.boost-1)
			})
			before = elapsed
			for j := range curves {
				by := flat[:e.strata:e.strata]
				flat = flat[e.strata:]
				into := &s.pending[r][u*curves+j]
				for k := range bins {
					f := e.level[j] * e.curves[j][k]
					sum := 0.0
					for i, x := range through[k*e.strata : (k+1)*e.strata] {
						x *= f
						by[i] += x
						sum += x
					}
					into[k] = sum
				}
				s.strata[r][u*curves+j] = by
			}
		}
	}
	for u := range o.points {
		for j := range curves {
			one := &s.single[u*curves+j]
			for k := range bins {
				one[k] = e.level[j] * e.curves[j][k] * mixed * crossed(k, 0, o.points[u].elapsed)
				w := e.weight[j]
				s.perText[u] += w * (1 + o.surge*(s.factor-1)) * one[k]
				s.mean[u] += w * s.pending[usual][u*curves+j][k]
				if s.regimes > 1 {
					s.mean[u] += w * o.surge * (s.pending[surging][u*curves+j][k] - s.pending[usual][u*curves+j][k])
				}
			}
		}
	}
	return s
}

// progress adds to through what every cohort goes through between two response-hours from now.
func (e *evidence) progress(through []float64, from, to float64, boost func(*cohort) float64) {
	for c := range e.cohorts {
		co := &e.cohorts[c]
		f := boost(co)
		for k := binOf(co.age + from); k < bins && edges[k] < co.age+to; k++ {
			part := f * crossed(k, co.age+from, co.age+to)
			if part <= 0 {
				continue
			}
			row := through[k*e.strata : (k+1)*e.strata]
			for i, x := range co.n {
				if x != 0 {
					row[i] += part * x * e.theta[i]
				}
			}
		}
	}
}

// couple pairs the campaigns' curves so that slow goes with slow; each keeps its own weights. A surge doubles the scenarios.
func (o *outlook) couple() {
	add := func(weight float64, curves []int) {
		for r, chance := range [regimes]float64{1 - o.surge, o.surge} {
			if weight*chance < negligible {
				continue
			}
			sc := scenario{weight: weight * chance, term: make([]int, len(o.streams))}
			for i, j := range curves {
				sc.term[i] = r*o.streams[i].curves + j
			}
			o.scenarios = append(o.scenarios, sc)
		}
	}
	n := len(o.streams)
	if n == 0 {
		add(1, nil)
		return
	}
	at := make([]int, n)
	left := make([]float64, n)
	for i, s := range o.streams {
		left[i] = s.e.weight[0]
	}
	for {
		w := 1.0
		for i := range left {
			w = min(w, left[i])
		}
		add(w, at)
		for i := range left {
			left[i] -= w
			for left[i] <= 1e-12 {
				at[i]++
				if at[i] == o.streams[i].curves {
					return
				}
				left[i] = o.streams[i].e.weight[at[i]]
			}
		}
	}
}

// windows prepares the pairs.
func (o *outlook) windows() {
	starts := []int{-1} // now
	n := len(o.points)
	for i := 1; i < windows && n > 0; i++ {
		// Denser at first: the near future matters and the far one is vague.
		at := (i*i*n/(windows*windows) + i*n/windows) / 2
		if at > starts[len(starts)-1] && at < n {
			starts = append(starts, at)
		}
	}
	for _, c := range o.closures { // what comes in a closure comes upon nobody
		if c.start >= 0 {
			starts = append(starts, c.start)
		}
	}
	sort.Ints(starts)
	for _, s := range o.streams {
		o.width += s.regimes * s.curves
	}
	flat := make([]term, 0, o.width*len(starts)*n)
	for i, v := range starts {
		if i > 0 && v == starts[i-1] {
			continue
		}
		from := o.now
		base := o.waiting
		if v >= 0 {
			if o.points[v].dead || !o.points[v].open {
				continue
			}
			from, base = o.points[v].at, 0
		}
		for u := v + 1; u < n; u++ {
			c := &o.points[u]
			if c.dead || !c.open {
				continue // their answers have a budget of their own, see nobody
			}
			p := pair{base: base, capacity: c.fromNow}
			working := c.working
			if v >= 0 {
				due, _ := o.g.due(c.at)
				p.capacity = o.g.capacity(from, due, o.lifted)
				working -= o.points[v].working
			}
			days := c.at.Sub(from).Hours() / 24
			p.spread = o.unsure(p.capacity, working+o.g.promise)
			p.mean, p.variance = c.other, c.otherVar
			if v >= 0 {
				p.mean -= o.points[v].other
				p.variance = max(p.mean, p.variance-o.points[v].otherVar)
			}
			at := len(flat)
			for _, s := range o.streams {
				for r := range s.regimes {
					for j := range s.curves {
						flat = append(flat, s.term(r, j, v, u, days))
					}
				}
			}
			p.terms = flat[at:]
			o.pairs = append(o.pairs, p)
		}
	}
}

// unsure is how much the team may do more or less than the roster says in so many hours, as a coefficient of variation: calls are uneven
// and days are good or bad.
func (o *outlook) unsure(capacity, hours float64) float64 {
	days := max(1, hours/(o.g.promise/2))
	return math.Sqrt(callNoise/max(capacity, 4) + dayNoise/(o.headcount*days) + o.throughput.doubt)
}

// term works out the polynomials of one campaign, regime and curve for the window from checkpoint v (-1: now) to u.
func (s *stream) term(r, j, v, u int, days float64) term {
	e := s.e
	t := term{sigma: modelNoise + mood/max(1, days) + 1/(e.weigh+e.faded)}
	factor := 1.0
	if r == surging {
		factor = s.factor
		t.sigma += s.surge * e.surge.variance
	}
	at, from := u*s.curves+j, v*s.curves+j
	pending, single := &s.pending[r][at], &s.single[at]
	for k := range bins {
		a, b := pending[k], factor*single[k]
		if v >= 0 {
			a -= s.pending[r][from][k]
			b -= factor * s.single[from][k]
		}
		t.m0 += a
		t.m1 += b
		// The curve is uncertain in each bin that is still to come.
		w := 1 / (curvePrior + e.byBin[k])
		t.q0 += a * a * w
		t.q1 += 2 * a * b * w
		t.q2 += b * b * w
	}
	by := s.strata[r][at]
	for i := range e.strata {
		a, b := by[i], t.m1*s.each[i]
		if v >= 0 {
			a -= s.strata[r][from][i]
		}
		if a == 0 && b == 0 {
			continue
		}
		w := 1 / (e.spread + e.byStratum[i])
		t.q0 += a * a * w
		t.q1 += 2 * a * b * w
		t.q2 += b * b * w
	}
	return t
}

func (t *term) moments(n float64) (mean, variance float64) {
	mean = t.m0 + t.m1*n
	return mean, mean + mean*mean*t.sigma + t.q0 + n*(t.q1+n*t.q2)
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

// breach is the chance that more arrivals of this mean and variance come in a window than a capacity can answer. Three points stand for
// the capacity's distribution: noise in it must not fatten the tail of the arrivals.
func (p *pair) breach(share, mean, variance, worst float64) float64 {
	capacity := share * p.capacity
	x := capacity*(1-math.Sqrt(3)*p.spread) - p.base
	if over := x - mean; over > 0 && over*over > 64*variance {
		return 0
	}
	low := above(deviate(x, mean, variance))
	if low <= worst || low < 1e-7 {
		return 0
	}
	mid := above(deviate(capacity-p.base, mean, variance))
	high := above(deviate(capacity*(1+math.Sqrt(3)*p.spread)-p.base, mean, variance))
	return low/6 + mid*2/3 + high/6
}

// risk is the chance that somebody waits longer than the promise if the campaigns release so many texts now and nothing after. It may
// stop counting once it is above enough.
func (o *outlook) risk(n []float64, enough float64) float64 {
	total := 0.0
	away := o.throughput.away
	for _, sc := range o.scenarios {
		worst, worstAway := 0.0, 0.0
		for i := range o.pairs {
			p := &o.pairs[i]
			mean, variance := p.mean, p.variance
			at := 0
			for c, j := range sc.term {
				m, v := p.terms[at+j].moments(n[c])
				mean += m
				variance += v
				at += o.streams[c].regimes * o.streams[c].curves
			}
			worst = max(worst, p.breach(1, mean, variance, worst))
			if away > negligible {
				worstAway = max(worstAway, p.breach(o.throughput.present, mean, variance, worstAway))
			}
		}
		total += sc.weight * ((1-away)*worst + away*worstAway)
		if total > enough {
			return total
		}
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

// target is the queue that keeps everybody busy and yet leaves room for a surprise: a share of what can be cleared within the promise,
// larger for a small team, to whom chance matters more, and smaller for a large one.
func target(share, capacity float64) float64 {
	const linear = .65
	return share * (linear*capacity + (1-linear)*math.Sqrt(ordinary*max(0, capacity)))
}

// answeredBy is the share of answers that come within so many response-hours, over all campaigns.
func (o *outlook) answeredBy(hours float64) float64 {
	came, all := 0.0, 0.0
	for _, s := range o.streams {
		c, level := s.e.average()
		w := level * max(1, s.e.allSent)
		came += w * c.by(hours)
		all += w
	}
	if all == 0 {
		return 0
	}
	return came / all
}

// haste is by how much a shorter queue will do when people answer at once: then the next batch is felt within the hour.
func (o *outlook) haste() float64 {
	return 1 - shorter*min(1, max(0, (o.answeredBy(2)-.5)/.3))
}

// slowness is 0 if most answers come within two days, as is usual, and 1 if six in ten come later.
func (o *outlook) slowness() float64 { return min(1, max(0, (1-o.answeredBy(32)-.25)/.35)) }

// relax is up to which share of what can be cleared within the promise the queue may grow over a closure. The slower people answer, the
// more: then little that is sent now comes over the weekend, most of it is on its way already, and a surge is seen before its bulk comes.
func (o *outlook) relax() float64 { return relaxed + (relaxedSlow-relaxed)*o.slowness() }

// reserve is what is kept free for surprises.
type reserve struct {
	setPoint    float64 // mean queue as a share of what can be cleared within the promise
	relax       float64 // the same at most after a long closure
	surge, loss float64 // times the answers, with this share of the team lost, until the next closure
	absence     float64 // share of the team that may vanish
}

// reserve is what is kept while the list goes on. If people are known to answer slowly, less is kept for an absence: their answers to one
// week's texts come evenly over the next weekends, so on Monday more wait than half a team could call, or the team idles from Tuesday on. A
// surge among them comes slowly too: it is seen, and texts are held, days before most of its answers are there.
func (o *outlook) reserve(k Knobs) reserve {
	answers := 0.0
	for _, s := range o.streams {
		answers += s.e.answers
	}
	known := min(1, max(0, answers-slowBase)/slowAnswers)
	return reserve{
		setPoint: k.SetPoint * o.haste(), relax: o.relax(), surge: k.Surge + min(0, surgeSlow-k.Surge)*o.slowness()*known, loss: k.Loss,
		absence: k.Absence + min(0, absenceSlow-k.Absence)*o.slowness()*known,
	}
}

// last is what is kept in the last stretch, when all that is left may go at once. A place in the queue that is taken is free again within
// hours while the list goes on, so that a longer queue would gain nothing and be a danger for weeks; at the end it gains its whole length,
// once, and is a danger for days. The risk has to be small, since no text is left to be held back. A small team, where one person is a large share, keeps more.
func (r reserve) last(canAnswer float64) reserve {
	size := min(1, canAnswer/ordinary)
	ease := func(from, to float64) float64 { return from + (to-from)*size }
	return reserve{
		setPoint: max(r.setPoint, ease(r.setPoint, endShare)), relax: max(r.relax, ease(r.relax, endRelax)),
		surge: min(r.surge, ease(r.surge, endSurge)), loss: r.loss, absence: min(r.absence, ease(r.absence, endAbsence)),
	}
}

// setPoint reports whether the mean queue stays a small share of what can be cleared within the promise. After a weekend it may be
// larger by the weekend's answers, for one working day.
func (o *outlook) setPoint(n []float64, keep reserve) bool {
	queue, before := o.waiting, 0.0
	present := 1 - o.throughput.away*(1-o.throughput.present)
	for u := range o.points {
		p := &o.points[u]
		now := o.arrivals(u, n)
		queue = max(0, queue+now-before-present*p.cleared)
		before = now
		if p.dead || !p.open {
			continue
		}
		capacity := present * p.capacity
		most := target(keep.setPoint*(1+eveExtra*p.eve), capacity)
		if p.closure > 0 {
			c := o.closures[p.closure-1]
			most = max(most, min(most+o.arrivals(c.end, n)-o.arrivals(c.start, n), keep.relax*capacity))
		}
		if queue > most {
			return false
		}
	}
	return true
}

// stress reports whether a surge of answers together with a loss of staff, or a larger loss alone, would still be answered in time.
func (o *outlook) stress(n []float64, keep reserve) bool {
	present := 1 - o.throughput.away*(1-o.throughput.present)
	for u := range o.points {
		p := &o.points[u]
		if p.dead || !p.open {
			continue
		}
		answers := o.arrivals(u, n) - p.other
		if p.working <= o.g.promise && o.waiting+answers+p.other > (1-keep.absence)*present*p.fromNow {
			return false
		}
		if p.near && o.waiting+keep.surge*answers+p.other > (1-keep.loss)*present*p.fromNow {
			return false
		}
	}
	return true
}

// nobody is how many answers are expected at times when nobody could answer them within the promise.
func (o *outlook) nobody(n []float64) float64 {
	sum := 0.0
	for u := range o.points {
		if o.points[u].dead && o.points[u].open {
			sum += o.arrivals(u, n) - o.arrivals(u-1, n) - o.points[u].other
			if u > 0 {
				sum += o.points[u-1].other
			}
		}
	}
	return sum
}
