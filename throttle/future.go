package throttle

import (
	"math"
	"math/rand/v2"
)

// A future is one way in which the weeks ahead may go: dice say how many people answer and how soon, how good the team's days are and how
// long its calls take. A quick copy of the pacer's rules, which sees no more than the real one would see, releases the texts; Decide
// itself would take a hundred times as long.

const (
	particles   = 2000 // of one campaign in one future: beyond, one particle stands for several people
	absentFor   = 5    // civil days for which somebody who may be missing unannounced stays away
	surgeFor    = 4    // civil days for which a surge that may be on lasts
	freshFor    = 16.  // response-hours: texts of the last day share the present day's response
	lookHours   = 90   // hours of the timeline that the copy of the rules looks ahead
	denseHours  = 16   // of them it looks at each,
	coarseHours = 48   // then at every fourth, at last at every eighth, and at all openings
	nearHours   = 320  // of the timeline in which it decides at each; later at every second
	settled     = 30   // further answers after which one curve describes the evidence
)

// stage is what all futures share.
type stage struct {
	*timeline
	gaps    []gap
	lanes   []lane
	knobs   Knobs
	o       outlook // what the rules of Decide need that is the same at each of its instants
	keep    reserve
	waiting []float64 // promise hours from now, mostly negative, at which those who wait came
	braked  bool
	perCall float64 // people that are called at once; above 1 only in large teams, where it saves time
	slow    []float64
}

// lane is one campaign's part in all futures.
type lane struct {
	desk
	stopped string    // why it sends nothing
	assumed bool      // answers have stopped, and the link is taken to work
	window  []bool    // by hour
	believe []float64 // share of answers by unit of the response clock, as the pacer believes it
	mixed   float64   // how the next texts respond relative to the whole, as the pacer believes it
	flow    []float64 // by hour: texts of the past that go through the curve, each weighed by how its stratum responds
	slow    []float64 // by hour: texts of the past that go through the slow curve, if the campaign is not mature
	ripe    float64   // and those that have
	through float64   // weighed texts that have gone through the curve
	fresh   float64   // the same, counting the recent more
	bend    float64   // level by all curves over the level by their mean
	perHour int       // the sender's speed
	cap     int       // by day
	affords int       // texts that the budget pays for, those sent included
	weight  float64   // people per particle
}

// run is one campaign within one future.
type run struct {
	// What is true, and unknown to the pacer.
	rate       float64
	curve      curve
	theta      []float64
	lively     float64 // times as many answer
	livelyDays int     // for so many days
	sum, next  float64 // answers expected so far, and at how many the next particle answers
	came       []float64
	dice       *rand.Rand
	source     *rand.PCG
	// What the pacer sees.
	desk
	rest                    CampaignState // what is left to send, and what has been sent today
	sent                    int
	flow, slow              []float64
	answers, faded          float64
	through, fresh, matured float64
	turn, inTurn            int     // place in the order, where it is given
	finished                int     // block of the last text, or -1
	expect, single          float64 // answers per text, and per one of the next texts
}

// future is the scratch of one future; it is used for one after the other.
type future struct {
	s                *stage
	o                outlook // at the instant of a decision
	runs             []run
	desks            []*desk   // theirs
	first            []float64 // by block: people first seen in it
	used             []float64 // by limited worker: people taken on
	output, response []float64 // by day
	queue            float64
	braked           bool
	last             reserve // of the last stretch, at the hour of a decision
	present          float64 // share of the team that is there for the first days
	unit             int     // of the response clock when the pacer last looked
	head             int     // of the queue: block in which they were first seen
	left             float64 // people of that block
	call             float64 // left of the call at hand, in average calls
	dice, calls      *rand.Rand
	source, callsOf  *rand.PCG
	points           []point
	// What becomes of it, by day.
	texts, answers, arrivals, contacts []float64
	late, called                       float64
}

// point is a coming hour as a decision sees it.
type point struct {
	checkpoint
	pending float64 // answers expected by then from texts sent
	single  float64 // and from one more text, in the campaigns' proportions
	days    float64 // civil
	most    float64 // the set-point
	last    float64 // and that of the last stretch
	// Less than a working day after a long closure: what has come before it, in it, and what can be done about it from then on.
	gap                                    bool
	gapPending, gapSingle, gapCame, gapOne float64
	gapHours, gapCapacity                  float64
}

// Kinds of dice. Each kind is thrown for itself, so that a change of policy leaves the others' throws as they are.
const (
	diceDays, diceCalls, diceOthers, diceCurve, diceAnswers = 1, 2, 3, 4, 5
)

func sow(source *rand.PCG, number, kind, campaign int) {
	source.Seed(uint64(number)+1, uint64(kind)<<32|uint64(campaign))
}

// when is the age by which a share of the answers has come.
func (c *curve) when(share float64) float64 {
	for k := range bins {
		if share < c[k] {
			return edges[k] + (edges[k+1]-edges[k])*share/c[k]
		}
		share -= c[k]
	}
	return edges[bins]
}

// table gives the share of answers by unit of the response clock.
func (c *curve) table() []float64 {
	out := make([]float64, units(edges[bins])+1)
	for i := range out {
		out[i] = c.by(float64(i) * clockUnit)
	}
	return out
}

func newFuture(s *stage) *future {
	blocks, hours, days := len(s.blocks)+1, len(s.hours)+1, len(s.days)
	table := func(n int) []float64 { return make([]float64, n) }
	f := &future{
		s: s, o: s.o, first: table(blocks), used: table(len(s.g.limited)), output: table(days), response: table(days),
		texts: table(days), answers: table(days), arrivals: table(days), contacts: table(days),
		source: &rand.PCG{}, callsOf: &rand.PCG{}, runs: make([]run, len(s.lanes)),
	}
	f.o.others.chance = 0 // a wave dies away before most decisions
	f.dice, f.calls = rand.New(f.source), rand.New(f.callsOf)
	for i := range f.runs {
		r := &f.runs[i]
		r.source = &rand.PCG{}
		r.dice = rand.New(r.source)
		r.theta, r.came = table(s.lanes[i].e.strata), table(blocks)
		r.flow, r.slow = table(hours), table(hours)
		r.desk, r.state = s.lanes[i].desk, &r.rest
		f.desks = append(f.desks, &r.desk)
	}
	return f
}

// play plays one future to its end.
func (f *future) play(number int) {
	s := f.s
	for _, x := range [...][]float64{f.first, f.used, f.texts, f.answers, f.arrivals, f.contacts} {
		clear(x)
	}
	f.braked, f.queue, f.late, f.called, f.unit = s.braked, float64(len(s.waiting)), 0, 0, 0
	f.head, f.left, f.call = -1, 0, 0
	sow(f.callsOf, number, diceCalls, 0)
	f.weather(number)
	f.strangers(number)
	sow(f.source, number, diceCurve, 0)
	slowness := f.dice.Float64() // one for all campaigns: slow goes with slow
	for c := range f.runs {
		f.people(number, c, slowness)
	}
	f.goOn()
}

// weather draws what each day is like, for those who answer and for those who call.
func (f *future) weather(number int) {
	o := &f.s.o
	sow(f.source, number, diceDays, 0)
	team := 1.0
	if z := f.dice.NormFloat64(); o.throughput.doubt > 0 {
		team = quantile(1, 1/o.throughput.doubt, z)
	}
	if f.present = 1; f.dice.Float64() < o.throughput.away {
		f.present = o.throughput.present
	}
	for d := range f.output {
		f.response[d] = quantile(1, 1/mood, f.dice.NormFloat64())
		// The throw does not depend on the team: a larger one has the same day, less extreme.
		f.output[d] = team * quantile(1, o.headcount/dayNoise, f.dice.NormFloat64()) * f.there(d)
	}
}

// there is the share of the team that is there on a day, unannounced absence aside.
func (f *future) there(day int) float64 {
	if day < absentFor {
		return f.present
	}
	return 1
}

// strangers lets those come who were sent no text.
func (f *future) strangers(number int) {
	s, o := f.s, &f.s.o.others
	sow(f.source, number, diceOthers, 0)
	rate := o.perHour * quantile(1, otherPriorCount+o.seen, f.dice.NormFloat64())
	wave := 0.0
	if f.dice.Float64() < o.chance {
		wave = o.wave * quantile(1, 4, f.dice.NormFloat64())
	}
	size := 1.0
	if n := len(s.blocks); n > 0 {
		size = max(1, math.Ceil(rate*s.blocks[n-1].open/particles))
	}
	left := func(unit int) float64 { return waveHalfLife / ln2 * math.Exp2(-float64(unit)*clockUnit/waveHalfLife) }
	next, sum := size*f.dice.ExpFloat64(), 0.0
	for b := range s.blocks {
		x := &s.blocks[b]
		sum += rate * x.length
		if wave > 0 && b+1 < len(s.blocks) {
			sum += wave * (left(x.unit) - left(s.blocks[b+1].unit))
		}
		for ; next < sum; next += size * f.dice.ExpFloat64() {
			f.first[b+1] += size
			f.arrivals[x.day] += size
		}
	}
}

// people says how one campaign's people really answer, and lets those come who have their text already.
func (f *future) people(number, c int, slowness float64) {
	r, l := &f.runs[c], &f.s.lanes[c]
	e := l.e
	sow(r.source, number, diceAnswers, c)
	j := 0
	for ; j < e.templates-1 && slowness >= e.weight[j]; j++ {
		slowness -= e.weight[j]
	}
	r.rate = quantile(e.level[j], 1/(1/(e.weigh+e.faded)+modelNoise), r.dice.NormFloat64())
	for k := range bins {
		r.curve[k] = quantile(e.curves[j][k], curvePrior+e.byBin[k], r.dice.NormFloat64())
	}
	r.curve = r.curve.normal()
	// The level is what the texts so far have shown; how the strata share it must not move it.
	was, is := 0.0, 0.0
	for i := range r.theta {
		r.theta[i] = quantile(e.theta[i], max(.1, e.spread+e.byStratum[i]), r.dice.NormFloat64())
		weight := e.sent[i]
		if e.allSent == 0 {
			weight = e.mix[i]
		}
		was += weight * e.theta[i]
		is += weight * r.theta[i]
	}
	if is > 0 {
		for i := range r.theta {
			r.theta[i] *= was / is
		}
	}
	r.livelyDays, r.lively = 0, quantile(e.surge.factor, 1/max(1e-9, e.surge.variance), r.dice.NormFloat64())
	if r.dice.Float64() < e.surge.weight {
		r.livelyDays = surgeFor
	}
	r.sum, r.next = 0, r.gap(l.weight)
	r.rest.Planned, r.rest.SentToday, r.sent = max(0, l.state.Planned), l.state.SentToday, int(e.allSent)
	r.answers, r.faded, r.through, r.fresh, r.matured = e.answers, e.faded, l.through, l.fresh, l.ripe
	r.turn, r.inTurn, r.finished = 0, 0, -1
	clear(r.came)
	copy(r.flow, l.flow)
	copy(r.slow, l.slow)
	for i := range e.cohorts {
		co := &e.cohorts[i]
		mass := 0.0
		for k, n := range co.n {
			mass += n * r.theta[k]
		}
		before := r.curve.by(co.age)
		mass *= r.rate * (1 - before)
		if co.age < freshFor && len(f.response) > 0 {
			mass *= f.response[0]
		}
		if r.livelyDays > 0 {
			mass *= co.boost
		}
		for r.sum += max(0, mass); r.next < r.sum; r.next += r.gap(l.weight) {
			age := r.curve.when(before + r.dice.Float64()*(1-before))
			f.come(c, units(max(0, age-co.age)))
		}
	}
}

// gap is how many more answers are expected until the next particle answers.
func (r *run) gap(weight float64) float64 {
	return quantile(weight, weight, r.dice.NormFloat64())
}

// come lets a particle answer so many units of the response clock from now.
func (f *future) come(c, unit int) {
	s := f.s
	if unit >= len(s.seen) {
		return
	}
	w := s.lanes[c].weight
	b := s.seen[unit]
	f.first[b] += w
	f.runs[c].came[b] += w
	f.answers[s.day[unit]] += w
	f.arrivals[s.day[unit]] += w
}

// text sends n texts at an hour: people will answer, and the pacer expects them to.
func (f *future) text(c, n int, h *hour, at int) {
	s, r, l := f.s, &f.runs[c], &f.s.lanes[c]
	day := s.blocks[h.block].day
	f.texts[day] += float64(n)
	r.rest.Planned -= n
	r.rest.SentToday += n
	r.sent += n
	factor := r.rate * f.response[day]
	if day < r.livelyDays {
		factor *= r.lively
	}
	truly, believed := 0.0, 0.0
	if len(l.state.Ahead) > 0 {
		truly, believed = r.take(l, n)
	} else {
		for i, m := range l.e.mix {
			truly += m * r.theta[i]
		}
		truly, believed = truly*float64(n), l.mixed*float64(n)
	}
	for r.sum += min(factor*truly, float64(n)); r.next < r.sum; r.next += r.gap(l.weight) {
		f.come(c, h.unit+units(r.curve.when(r.dice.Float64())))
	}
	pass(r.flow, s.hours, at+1, h.unit, l.believe, believed)
	if l.slow != nil {
		pass(r.slow, s.hours, at+1, h.unit, s.slow, float64(n))
	}
	if r.rest.Planned == 0 {
		r.finished = h.block
	}
}

// pass adds what texts delivered at a unit of the response clock, at the hour before or earlier, go through until each later hour.
func pass(flow []float64, hours []hour, from, unit int, table []float64, n float64) {
	last := len(table) - 1
	before := 0.0
	if unit < 0 {
		before = table[min(-unit, last)]
	}
	for k := from; k < len(hours); k++ {
		u := hours[k].unit - unit
		x := table[min(u, last)]
		flow[k] += n * (x - before)
		if u >= last {
			return
		}
		before = x
	}
}

// take goes on in an order that is given: how the next n respond in truth, and as the pacer believes.
func (r *run) take(l *lane, n int) (truly, believed float64) {
	for ; n > 0 && r.turn < len(l.state.Ahead); r.turn++ {
		a := l.state.Ahead[r.turn]
		if a.N <= 0 || a.Stratum < 0 || a.Stratum >= len(r.theta) {
			continue
		}
		x := min(n, a.N-r.inTurn)
		truly += float64(x) * r.theta[a.Stratum]
		believed += float64(x) * l.e.theta[a.Stratum]
		n -= x
		if r.inTurn += x; r.inTurn < a.N {
			return truly, believed
		}
		r.inTurn = 0
	}
	return truly + float64(n), believed + float64(n) // the order was shorter than the list
}

// goOn lets time pass, block by block.
func (f *future) goOn() {
	s := f.s
	day := 0
	for b := range s.blocks {
		x := &s.blocks[b]
		if x.day != day {
			day = x.day
			for c := range f.runs {
				f.runs[c].rest.SentToday = 0
			}
		}
		f.queue += f.first[b]
		if x.hour >= 0 {
			f.learn(x.hour)
			f.decide(x.hour)
		}
		if f.queue > 1e-9 {
			f.work(b)
		}
	}
	f.leave()
}

// leave counts those who at the end have been waiting too long already.
func (f *future) leave() {
	s := f.s
	end := 0.0
	if n := len(s.blocks); n > 0 {
		end = s.blocks[n-1].open + s.blocks[n-1].length
	}
	for i := int(f.called); i < len(s.waiting); i++ {
		if end-s.waiting[i] > s.g.promise {
			f.late++
		}
	}
	n := f.left
	for b := max(0, f.head); b < len(s.blocks) && end-s.blocks[b].came > s.g.promise; b++ {
		if b != f.head {
			n = f.first[b]
		}
		f.late += n
	}
}

// work lets the team call those who wait, in turn.
func (f *future) work(b int) {
	s := f.s
	x := &s.blocks[b]
	all := x.contacts
	for k, could := range x.limited {
		all += min(could, max(0, x.places[k]-f.used[k]))
	}
	could := all
	all *= f.output[x.day]
	if all <= 0 {
		return
	}
	units, done := all, 0.0
	for f.queue > 1e-9 {
		came, n := 0.0, 1.0
		if f.called < float64(len(s.waiting)) {
			came = s.waiting[int(f.called)]
		} else {
			for f.left <= 1e-9 && f.head < b {
				f.head++
				f.left = f.first[f.head]
			}
			came, n = s.blocks[f.head].came, min(s.perCall, f.left)
			if n <= 0 {
				break
			}
		}
		if f.call <= 0 {
			f.call = quantile(n, n/callNoise, f.calls.NormFloat64())
		}
		if f.call > units {
			f.call -= units
			break
		}
		units -= f.call
		f.call = 0
		if f.called >= float64(len(s.waiting)) {
			f.left -= n
		}
		f.queue -= n
		f.called += n
		done += n
		if x.open+x.length*(1-units/all)-came > s.g.promise+1e-9 {
			f.late += n
		}
	}
	f.contacts[x.day] += done
	for k, c := range x.limited {
		f.used[k] += done * min(c, max(0, x.places[k]-f.used[k])) / could
	}
}

// learn lets the pacer see what has come since the hour before.
func (f *future) learn(at int) {
	s := f.s
	h := &s.hours[at]
	from := 0
	if at > 0 {
		from = s.hours[at-1].block + 1
	}
	kept := math.Exp(-fade * float64(h.unit-f.unit) * clockUnit)
	f.unit = h.unit
	for c := range f.runs {
		r := &f.runs[c]
		came := 0.0
		for _, x := range r.came[from : h.block+1] {
			came += x
		}
		r.answers += came
		r.faded = r.faded*kept + came
		r.through += r.flow[at]
		r.fresh = r.fresh*kept + r.flow[at]
		r.matured += r.slow[at]
	}
}

// level is at which rate the pacer believes that people answer, and how surely, as the shape of a Gamma.
func (r *run) level(l *lane) (mean, shape float64) {
	e := l.e
	long := (e.shape + r.answers) / (e.rate + r.through)
	weigh := min(firmest, e.shape+r.answers)
	mean = max((weigh+r.faded)/(weigh/long+r.fresh), silenceFloor*long)
	return mean * (1 + (l.bend-1)*settled/(settled+r.answers-e.answers)), weigh + r.faded
}

// capacity is what the team can do from one hour until the promise made at another runs out, by the roster and the caseload limits.
func (f *future) capacity(from, due int) float64 {
	a, b := &f.s.hours[from], &f.s.hours[due]
	sum := b.due - a.cleared
	for k := range a.limited {
		x := b.limited[k].due - a.limited[k].cleared
		sum -= max(0, x-max(0, b.limited[k].places-f.used[k]))
	}
	return max(0, sum)
}

// decide releases texts as the pacer would, nearly. It knows the mean delay curve only, not the chances of each; it looks for broken
// promises in what comes from now on and from the next long closure on; it sees no surge until the answers show it; and the maturity of
// single strata is left out.
func (f *future) decide(at int) {
	s := f.s
	h := &s.hours[at]
	if at > nearHours && at%2 == 1 {
		return
	}
	f.o.waiting, f.o.canAnswer = f.queue, f.capacity(at, at)
	f.braked = f.o.brake(f.braked)
	weights, budget, shapes, most, whole := 0.0, 0.0, 0.0, 0, true
	for c := range f.runs {
		r, l := &f.runs[c], &s.lanes[c]
		r.share, r.single, r.most = 0, 0, f.allowed(c, at)
		mean, shape := r.level(l)
		r.expect = mean
		budget += strandedShare * mean * float64(r.sent+r.rest.Planned)
		shapes += shape
		if r.policy.Blast {
			continue
		}
		if l.slow != nil && r.answers < matureAnswers {
			mature := firstTexts*f.o.canAnswer*l.e.rate/l.e.shape + growth*r.matured - float64(r.sent)
			r.most = int(min(float64(r.most), max(0, mature)))
		}
		whole = whole && (l.stopped != "" || r.most == r.rest.Planned && r.turn >= len(l.state.Ahead)-1)
		if r.most < 1 {
			continue
		}
		mixed := l.mixed
		if r.turn < len(l.state.Ahead) {
			if i := l.state.Ahead[r.turn].Stratum; i >= 0 && i < len(r.theta) {
				mixed = l.e.theta[i]
			}
		}
		r.share, r.single = float64(r.rest.Planned), mean*mixed
		weights += r.share
		most += r.most
	}
	n := 0.0
	if most > 0 && h.known && f.o.canAnswer >= dead && !f.braked && !h.alone {
		f.last = s.keep.last(f.o.canAnswer)
		f.look(at, weights)
		if len(f.points) > 0 { // else nothing is known of the time after
			rest := float64(most)
			n = f.nobody(rest, budget)
			whole = whole && f.risk(rest, 1/max(1, shapes), endRisk)
			if !whole || f.setPoint(rest, true) < rest {
				n = f.setPoint(n, false)
			}
			if !whole || f.stress(rest, f.last) < rest {
				n = f.stress(n, s.keep)
			}
			n = f.safe(n, 1/max(1, shapes))
		}
	}
	split(s.blocks[h.block].at, f.desks, int(n+1e-6), false)
	for c := range f.runs {
		if r := &f.runs[c]; r.n > 0 {
			f.text(c, r.n, h, at)
		}
	}
}

// allowed is what the limits allow that have nothing to do with people.
func (f *future) allowed(c, at int) int {
	s, r, l := f.s, &f.runs[c], &f.s.lanes[c]
	begins := s.blocks[s.hours[at].block].at
	if last := l.policy.Last; l.stopped != "" || !l.window[at] || begins.Before(l.policy.First) || !last.IsZero() && begins.After(last) {
		return 0
	}
	perHour := l.perHour
	if at > nearHours {
		perHour *= 2
	}
	return max(0, min(r.rest.Planned, perHour, l.cap-r.rest.SentToday, l.affords-r.sent))
}

// look prepares the coming hours for a decision.
func (f *future) look(at int, weights float64) {
	s := f.s
	f.points = f.points[:0]
	h := &s.hours[at]
	now, before := s.blocks[h.block].open, h.cleared
	present := f.there(s.blocks[h.block].day) // it has shown by now
	pending := 0.0
	var sum, one [lookHours + 1]float64 // pending and single by hour
	for k := at + 1; k < len(s.hours) && k-at <= lookHours; k++ {
		x := &s.hours[k]
		single := 0.0
		dense := k-at <= denseHours || (k-at)%4 == 0 && k-at <= coarseHours || (k-at)%8 == 0 || x.opening
		for c := range f.runs {
			r, l := &f.runs[c], &s.lanes[c]
			pending += r.expect * r.flow[k]
			if r.share > 0 && (dense || x.ending) {
				single += r.share / weights * r.single * l.believe[min(x.unit-h.unit, len(l.believe)-1)]
			}
		}
		sum[k-at], one[k-at] = pending, single
		if !dense || !x.known {
			continue
		}
		b := &s.blocks[x.block]
		could := f.capacity(k, k)
		p := point{pending: pending, single: single, days: float64(b.day - s.blocks[h.block].day)}
		p.working, p.cleared, p.capacity, p.fromNow = b.open-now, present*(x.cleared-before), present*could, present*f.capacity(at, k)
		p.other, p.otherVar = f.o.others.by(p.working, 0)
		p.near, p.dead = p.working <= s.g.promise && x.passed == h.passed, could < dead
		p.most, p.last = target((1+eveExtra*x.eve)*s.keep.setPoint, p.capacity), target((1+eveExtra*x.eve)*f.last.setPoint, p.capacity)
		if x.gap > 0 {
			if g := &s.gaps[x.gap-1]; g.to > at {
				p.gap = true
				from := max(0, g.from-at)
				p.gapPending, p.gapSingle = sum[from], one[from]
				p.gapCame, p.gapOne = sum[g.to-at]-sum[from], one[g.to-at]-one[from]
				p.gapHours, p.gapCapacity = max(0, b.open-g.open), present*f.capacity(max(at, g.from), k)
			}
		}
		before = x.cleared
		f.points = append(f.points, p)
	}
}

// nobody keeps the answers that come when nobody is there to a sliver.
func (f *future) nobody(n, budget float64) float64 {
	pending, single := 0.0, 0.0
	var before point
	for _, p := range f.points {
		if p.dead {
			pending += p.pending - before.pending
			single += p.single - before.single
		}
		before = p
	}
	switch {
	case single <= 0:
		return n
	case pending >= budget:
		return 0
	}
	return min(n, (budget-pending)/single)
}

// setPoint keeps the mean queue short. How far the queue is above its target at the worst hour is convex in n, so Newton's method finds
// where it vanishes, from above.
func (f *future) setPoint(n float64, last bool) float64 {
	relax := f.s.keep.relax
	if last {
		relax = f.last.relax
	}
	for range 12 {
		if n <= 0 {
			return 0
		}
		queue, slope := f.queue, 0.0 // and by how much it grows with n
		worst, at := math.Inf(-1), 0.0
		before, single := 0.0, 0.0
		for i := range f.points {
			p := &f.points[i]
			queue += p.pending + p.other + n*p.single - before - n*single - p.cleared
			slope += p.single - single
			before, single = p.pending+p.other, p.single
			if queue <= 0 {
				queue, slope = 0, 0
			}
			if p.dead {
				continue
			}
			most, rise := p.most, 0.0
			if last {
				most = p.last
			}
			if p.gap {
				if x, widest := most+p.gapCame+n*p.gapOne, relax*p.capacity; x < widest {
					most, rise = x, p.gapOne
				} else {
					most = max(most, widest)
				}
			}
			if over := queue - most; over > worst {
				worst, at = over, slope-rise
			}
		}
		if worst <= 1e-6 {
			return n
		}
		if at <= 0 {
			return 0
		}
		n -= worst / at
	}
	return max(0, n)
}

// stress keeps a reserve for a surge of answers together with a loss of staff, and for an absence of more of them.
func (f *future) stress(n float64, kept reserve) float64 {
	for i := range f.points {
		p := &f.points[i]
		if p.dead || p.single <= 0 {
			continue
		}
		keep := func(surge, loss float64) {
			n = min(n, ((1-loss)*p.fromNow-f.queue-p.other-surge*p.pending)/(surge*p.single))
		}
		if p.working <= f.s.g.promise {
			keep(1, kept.absence)
		}
		if p.near {
			keep(kept.surge, kept.loss)
		}
	}
	return max(0, n)
}

// safe keeps the chance of a broken promise small.
func (f *future) safe(n, doubt float64) float64 {
	if n < 1 || f.risk(n, doubt, 1) {
		return n
	}
	lo, hi := 0.0, n
	for hi-lo > max(.5, .02*hi) {
		if mid := (lo + hi) / 2; f.risk(mid, doubt, 1) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// risk reports whether n more texts keep the promise as surely as a part of the tolerable risk allows: in the tightest of the windows from now, or from the next long
// closure, to each coming hour.
func (f *future) risk(n, doubt, part float64) bool {
	var tightest pair
	least := math.Inf(1) // by how many standard deviations it is wide enough, squared, with the sign
	for i := range f.points {
		p := &f.points[i]
		if p.dead {
			continue
		}
		spread := modelNoise + mood/max(1, p.days) + doubt
		tighten := func(base, answers, other, otherVar, capacity float64) {
			x := pair{base: base, mean: answers + other, capacity: capacity, spread: f.o.unsure(capacity, p.working+f.s.g.promise)}
			x.variance = otherVar + answers + answers*answers*spread
			over, unsure := capacity-base-x.mean, capacity*x.spread
			if slack := over * math.Abs(over) / (x.variance + unsure*unsure + 1e-9); slack < least {
				least, tightest = slack, x
			}
		}
		tighten(f.queue, p.pending+n*p.single, p.other, p.otherVar, p.fromNow)
		if p.gap {
			other, otherVar := f.o.others.by(p.gapHours, 0)
			tighten(0, p.pending-p.gapPending+n*(p.single-p.gapSingle), other, otherVar, p.gapCapacity)
		}
	}
	const clear = 36 // six standard deviations
	return least > clear || tightest.breach(1, tightest.mean, tightest.variance, 0) <= part*f.o.tolerable(f.s.knobs.Risk)
}
