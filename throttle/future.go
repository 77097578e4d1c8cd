package throttle

import (
	"math"
	"math/rand/v2"
	"time"
)

// A future is one way in which the weeks ahead may go: dice say how many people answer and how soon, how good the team's days are and how
// long its calls take. A quick copy of the pacer's rules, which sees no more than the real one would see, releases the texts; Decide
// itself would take a hundred times as long.

const (
	dayResponse = .04  // variance of one day's response to texts, relative to its square
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
	gaps       []gap
	lanes      []lane
	knobs      Knobs
	throughput throughput
	others     others
	headcount  float64
	waiting    []float64 // promise hours from now, mostly negative, at which those who wait came
	braked     bool
	relax      float64 // people who came in a long closure that ended less than a working day ago,
	relaxed    float64 // and until which promise hour they count
	perCall    float64 // people that are called at once; above 1 only in large teams, where it saves time
	slow       []float64
}

// lane is one campaign's part in all futures.
type lane struct {
	e       *evidence
	state   *CampaignState
	stopped string // why it sends nothing
	blast   bool
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
	affords int       // texts that the budget still pays for
	least   int
	last    time.Time
	weight  float64 // people per particle
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
	flow, slow              []float64
	planned, sent, today    int
	answers, faded          float64
	through, fresh, matured float64
	turn, inTurn            int // place in the order, where it is given
	finished                int // block of the last text, or -1
	// A decision's scratch.
	most, share, expect, single float64
	n                           int
}

// future is the scratch of one future; it is used for one after the other.
type future struct {
	s                *stage
	runs             []run
	first            []float64 // by block: people first seen in it
	used             []float64 // by limited worker: people taken on
	output, response []float64 // by day
	queue            float64
	braked           bool
	relax, relaxed   float64 // people who came in a long closure, and until which promise hour they count
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
	pending  float64 // answers expected by then from texts sent
	single   float64 // and from one more text, in the campaigns' proportions
	other    float64
	cleared  float64 // first contacts since the point before
	capacity float64 // within the promise of somebody who comes then
	fromNow  float64 // from now until that promise runs out
	hours    float64 // of the promise, from now
	days     float64 // civil
	most     float64 // the set-point
	unsure   float64 // variance of what the team makes of its hours until then, but for single calls
	near     bool
	dead     bool
	// Less than a working day after a long closure: what has come before it, in it, and what can be done about it from then on.
	gap                                    bool
	gapPending, gapSingle, gapCame, gapOne float64
	gapOther, gapCapacity                  float64
}

// Kinds of dice. Each kind is thrown for itself, so that a change of policy leaves the others' throws as they are.
const (
	diceDays, diceCalls, diceOthers, diceCurve, diceAnswers = 1, 2, 3, 4, 5
)

func sow(source *rand.PCG, number, kind, campaign int) {
	source.Seed(uint64(number)+1, uint64(kind)<<32|uint64(campaign))
}

// drawGamma draws from a Gamma of mean 1 (Marsaglia and Tsang).
func drawGamma(dice *rand.Rand, shape float64) float64 {
	if !(shape > 1e-9) || shape > 1e9 {
		return 1
	}
	boost, k := 1.0, shape
	if k < 1 {
		boost = math.Pow(dice.Float64(), 1/k)
		k++
	}
	d := k - 1./3
	for {
		x := dice.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-dice.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v * boost / shape
		}
	}
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
	k, before := 0, 0.0
	for i := range out {
		age := float64(i) * clockUnit
		for k < bins-1 && age >= edges[k+1] {
			before += c[k]
			k++
		}
		out[i] = before + c[k]*min(1, (age-edges[k])/(edges[k+1]-edges[k]))
	}
	return out
}

func newFuture(s *stage) *future {
	blocks, hours, days := len(s.blocks)+1, len(s.hours)+1, len(s.days)
	table := func(n int) []float64 { return make([]float64, n) }
	f := &future{
		s: s, first: table(blocks), used: table(len(s.g.limited)), output: table(days), response: table(days),
		texts: table(days), answers: table(days), arrivals: table(days), contacts: table(days),
		source: &rand.PCG{}, callsOf: &rand.PCG{}, runs: make([]run, len(s.lanes)),
	}
	f.dice, f.calls = rand.New(f.source), rand.New(f.callsOf)
	for i := range f.runs {
		r := &f.runs[i]
		r.source = &rand.PCG{}
		r.dice = rand.New(r.source)
		r.theta, r.came = table(s.lanes[i].e.strata), table(blocks)
		r.flow, r.slow = table(hours), table(hours)
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
	f.relax, f.relaxed = s.relax, s.relaxed
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
	s := f.s
	sow(f.source, number, diceDays, 0)
	team := 1.0
	if z := f.dice.NormFloat64(); s.throughput.doubt > 0 {
		team = quantile(1, 1/s.throughput.doubt, z)
	}
	missing := f.dice.Float64() < s.throughput.away
	for d := range f.output {
		f.response[d] = quantile(1, 1/dayResponse, f.dice.NormFloat64())
		// The throw does not depend on the team: a larger one has the same day, less extreme.
		f.output[d] = team * quantile(1, s.headcount/dayNoise, f.dice.NormFloat64())
		if missing && d < absentFor {
			f.output[d] *= s.throughput.present
		}
	}
}

// strangers lets those come who were sent no text.
func (f *future) strangers(number int) {
	s, o := f.s, &f.s.others
	sow(f.source, number, diceOthers, 0)
	rate := o.perHour * drawGamma(f.dice, otherPriorCount+o.seen)
	wave := 0.0
	if f.dice.Float64() < o.chance {
		wave = o.wave * drawGamma(f.dice, 4)
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
	r.rate = e.level[j] * drawGamma(r.dice, 1/(1/(e.weigh+e.faded)+.01))
	for k := range bins {
		r.curve[k] = e.curves[j][k] * drawGamma(r.dice, curvePrior+e.byBin[k])
	}
	r.curve = r.curve.normal()
	// The level is what the texts so far have shown; how the strata share it must not move it.
	was, is := 0.0, 0.0
	for i := range r.theta {
		r.theta[i] = e.theta[i] * drawGamma(r.dice, e.spread+e.byStratum[i])
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
	r.livelyDays, r.lively = 0, e.surge.factor*drawGamma(r.dice, 1/max(1e-9, e.surge.variance))
	if r.dice.Float64() < e.surge.weight {
		r.livelyDays = surgeFor
	}
	r.sum, r.next = 0, r.gap(l.weight)
	r.planned, r.sent, r.today = max(0, l.state.Planned), 0, l.state.SentToday
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
	if weight == 1 {
		return r.dice.ExpFloat64()
	}
	return max(.1*weight, weight+math.Sqrt(weight)*r.dice.NormFloat64())
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
	r.planned -= n
	r.sent += n
	r.today += n
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
	if r.planned == 0 {
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
				f.runs[c].today = 0
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
			f.call = n * f.length(n)
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

// length draws how long n calls take, in average calls.
func (f *future) length(n float64) float64 {
	if n > 1 {
		return max(.2, 1+math.Sqrt(callNoise/n)*f.calls.NormFloat64())
	}
	const shape = int(1 / callNoise) // a Gamma of whole shape is a sum of exponentials
	x := 1.0
	for range shape {
		x *= 1 - f.calls.Float64()
	}
	return -math.Log(x) / float64(shape)
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
	arrived := 0.0
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
		arrived += r.came[h.block]
	}
	if h.opening && (at > 0 || h.unit > 0) {
		if at > 0 {
			f.relax = 0
		}
		f.relax, f.relaxed = f.relax+arrived, s.blocks[h.block].open+s.g.promise/2
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
// promises in what comes from now on and from the next long closure on; it sees neither surges nor absences until the answers and calls
// show them; and the maturity of single strata is left out.
func (f *future) decide(at int) {
	s := f.s
	h := &s.hours[at]
	if at > nearHours && at%2 == 1 {
		return
	}
	canAnswer := f.capacity(at, at)
	switch {
	case f.queue >= brakeOn*canAnswer:
		f.braked = true
	case f.queue <= brakeOff*canAnswer:
		f.braked = false
	}
	weights, most, budget, shapes := 0.0, 0.0, 0.0, 0.0
	for c := range f.runs {
		r, l := &f.runs[c], &s.lanes[c]
		r.n, r.share, r.most = 0, 0, f.allowed(c, at)
		mean, shape := r.level(l)
		r.expect, r.single = mean, 0
		budget += strandedShare * mean * float64(r.sent+r.planned)
		shapes += shape
		if r.most <= 0 {
			continue
		}
		if s.lanes[c].blast {
			f.text(c, int(r.most), h, at)
			continue
		}
		if l.slow != nil && r.answers < matureAnswers {
			r.most = min(r.most, .8*canAnswer*l.e.rate/l.e.shape+4*r.matured-float64(r.sent))
		}
		if r.most < 1 {
			continue
		}
		mixed := l.mixed
		if r.turn < len(l.state.Ahead) {
			if i := l.state.Ahead[r.turn].Stratum; i >= 0 && i < len(r.theta) {
				mixed = l.e.theta[i]
			}
		}
		r.share, r.single = float64(r.planned), mean*mixed
		weights += r.share
		most += r.most
	}
	if weights == 0 || !h.known || canAnswer < dead || f.braked {
		return
	}
	for c := range f.runs {
		f.runs[c].share /= weights
	}
	if f.look(at); len(f.points) == 0 {
		return // nothing is known of the time after
	}
	n := f.stranded(most, budget)
	n = f.steady(n, at)
	n = f.robust(n)
	n = f.safe(n, 1/max(1, shapes))
	f.release(n, h, at)
}

// allowed is what the limits allow that have nothing to do with people.
func (f *future) allowed(c, at int) float64 {
	s, r, l := f.s, &f.runs[c], &f.s.lanes[c]
	if l.stopped != "" || !l.window[at] || r.planned <= 0 || !l.last.IsZero() && s.blocks[s.hours[at].block].at.After(l.last) {
		return 0
	}
	perHour := l.perHour
	if at > nearHours {
		perHour *= 2
	}
	return float64(min(r.planned, perHour, l.cap-r.today, l.affords-(r.sent-int(l.e.allSent))))
}

// look prepares the coming hours for a decision.
func (f *future) look(at int) {
	s := f.s
	f.points = f.points[:0]
	h := &s.hours[at]
	now, before := s.blocks[h.block].open, h.cleared
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
				single += r.share * r.single * l.believe[min(x.unit-h.unit, len(l.believe)-1)]
			}
		}
		sum[k-at], one[k-at] = pending, single
		if !dense || !x.known {
			continue
		}
		b := &s.blocks[x.block]
		p := point{
			pending: pending, single: single, cleared: x.cleared - before, hours: b.open - now, capacity: f.capacity(k, k), fromNow: f.capacity(at, k),
			days: float64(b.day - s.blocks[h.block].day),
		}
		p.other = s.others.perHour * p.hours
		p.near = p.hours <= s.g.promise && x.passed == h.passed
		p.dead = p.capacity < dead
		p.most = target(s.knobs.SetPoint, p.capacity)
		p.unsure = dayNoise/(s.headcount*max(1, (p.hours+s.g.promise)/(s.g.promise/2))) + s.throughput.doubt
		if x.gap > 0 {
			if g := &s.gaps[x.gap-1]; g.to > at {
				p.gap = true
				from := max(0, g.from-at)
				p.gapPending, p.gapSingle = sum[from], one[from]
				p.gapCame, p.gapOne = sum[g.to-at]-sum[from], one[g.to-at]-one[from]
				p.gapCapacity = f.capacity(max(at, g.from), k)
				p.gapOther = s.others.perHour * max(0, b.open-g.open)
			}
		}
		before = x.cleared
		f.points = append(f.points, p)
	}
}

// stranded keeps the answers that come when nobody is there to a sliver.
func (f *future) stranded(n, budget float64) float64 {
	pending, single := 0.0, 0.0
	var last *point
	for i := range f.points {
		p := &f.points[i]
		if p.dead {
			pending += p.pending
			single += p.single
			if last != nil {
				pending -= last.pending
				single -= last.single
			}
		}
		last = p
	}
	switch {
	case single <= 0:
		return n
	case pending >= budget:
		return 0
	}
	return min(n, (budget-pending)/single)
}

// steady keeps the mean queue short. How far the queue is above its target at the worst hour is convex in n, so Newton's method finds
// where it vanishes, from above.
func (f *future) steady(n float64, at int) float64 {
	relax := 0.0
	now := f.s.blocks[f.s.hours[at].block].open
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
			if p.gap {
				if x := most + p.gapCame + n*p.gapOne; x < .6*p.capacity {
					most, rise = x, p.gapOne
				} else {
					most = max(most, .6*p.capacity)
				}
			}
			if relax = 0; now+p.hours <= f.relaxed {
				relax = f.relax
			}
			if x := min(most+relax, .6*p.capacity); x > most {
				most = x
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

// robust keeps a reserve for a surge of answers together with a loss of staff.
func (f *future) robust(n float64) float64 {
	k := &f.s.knobs
	for i := range f.points {
		if p := &f.points[i]; p.near && !p.dead && p.single > 0 {
			n = min(n, ((1-k.Loss)*p.fromNow-f.queue-p.other-k.Surge*p.pending)/(k.Surge*p.single))
		}
	}
	return max(0, n)
}

// safe keeps the chance of a broken promise small.
func (f *future) safe(n, doubt float64) float64 {
	if n < 1 || f.risk(n, doubt) {
		return n
	}
	lo, hi := 0.0, n
	for hi-lo > max(.5, .02*hi) {
		if mid := (lo + hi) / 2; f.risk(mid, doubt) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// risk reports whether n more texts keep the promise surely enough: in the tightest of the windows from now, or from the next long
// closure, to each coming hour.
func (f *future) risk(n, doubt float64) bool {
	tightest := strait{slack: math.Inf(1)}
	for i := range f.points {
		p := &f.points[i]
		if p.dead {
			continue
		}
		f.tighten(&tightest, f.queue, p.pending+n*p.single, p.other, p.fromNow, p, doubt)
		if p.gap {
			f.tighten(&tightest, 0, p.pending-p.gapPending+n*(p.single-p.gapSingle), p.gapOther, p.gapCapacity, p, doubt)
		}
	}
	if tightest.slack > 36 { // six standard deviations
		return true
	}
	t := &tightest
	x := pair{base: t.base, capacity: t.capacity, spread: math.Sqrt(t.spread)}
	return x.breach(1, t.mean, t.variance, 0) <= f.s.knobs.Risk
}

// strait is a window with what comes in it; slack is by how many standard deviations it is wide enough, squared, with the sign.
type strait struct{ slack, base, mean, variance, capacity, spread float64 }

func (f *future) tighten(t *strait, base, answers, others, capacity float64, p *point, doubt float64) {
	s := f.s
	mean := answers + others
	x := strait{base: base, mean: mean, capacity: capacity}
	x.variance = mean + answers*answers*(.01+dayResponse/max(1, p.days)+doubt) + others*others/(otherPriorCount+s.others.seen)
	x.spread = callNoise/max(capacity, 4) + p.unsure
	over := capacity - base - mean
	x.slack = over * math.Abs(over) / (x.variance + capacity*capacity*x.spread + 1e-9)
	if x.slack < t.slack {
		*t = x
	}
}

// release shares a total among the campaigns as Decide does: in proportion to what they have left, none above its own limits, no batch
// too small to be worth sending.
func (f *future) release(n float64, h *hour, at int) {
	for range f.runs {
		weights := 0.0
		for c := range f.runs {
			if r := &f.runs[c]; r.share > 0 && float64(r.n) < r.most {
				weights += r.share
			}
		}
		if weights == 0 || n < 1 {
			break
		}
		given := 0.0
		for c := range f.runs {
			if r := &f.runs[c]; r.share > 0 && float64(r.n) < r.most {
				x := int(min(n*r.share/weights+1e-9, r.most-float64(r.n)))
				r.n += x
				given += float64(x)
			}
		}
		n -= given
	}
	short, pool := 0, 0
	for c := range f.runs {
		if r := &f.runs[c]; r.share > 0 && r.n < min(f.s.lanes[c].least, r.planned) {
			short++
			pool += r.n
			r.n = 0
			if turn := at%len(f.runs) == c || len(f.runs) == 1; turn {
				r.n = -1
			}
		}
	}
	for c := range f.runs {
		r := &f.runs[c]
		if r.n < 0 {
			if r.n = min(pool, int(r.most)); r.n < min(f.s.lanes[c].least, r.planned) {
				r.n = 0
			}
		}
		if r.n > 0 {
			f.text(c, r.n, h, at)
		}
	}
}
