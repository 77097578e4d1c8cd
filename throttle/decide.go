package throttle

import (
	"math"
	"time"
)

// A list may be so old before nothing is released, if a campaign says nothing of it, and at most.
const (
	UsualListAge   = 14 * 24 * time.Hour
	LongestListAge = 28 * 24 * time.Hour
)

const (
	defaultMinBatch = 5
	defaultRate     = 10 // segments per second
	atOnce          = 5 * time.Minute
	brakeOn         = .85 // of what can be answered within the promise
	brakeOff        = .60
	matureAnswers   = 30 // after so many answers of a campaign, or of a stratum, the rate is known well enough
	matureStratum   = 8
	firstTexts      = 1.2 // texts before any answer, in what can be answered within the promise at the rate expected beforehand
	firstOfStratum  = .26 // the same for one stratum, at the rate of the whole
	doubtful        = .1  // of the tolerable risk, until so many answers have come, and then so many more
	firstAnswers    = 10
	firmAnswers     = 60
	growth          = 3     // further texts for each that has had its time
	strandedShare   = .0015 // of all the answers that a campaign brings
	ordinary        = 24    // first contacts within the promise: four workers, two days
	unlimited       = math.MaxInt32
)

// Decide says how many messages each campaign of a team may release now: one decision per campaign, in the order of the policy.
//
// It asks what would happen if that many texts went out now and none after them. More can always be sent later, so only what has been
// sent must fit the people who answer, and it may be asked as often as one likes: it does not release more for being asked more often.
// It is pure: the same arguments give the same bits.
func Decide(now time.Time, p TeamPolicy, s TeamState) []Decision {
	return decide(now, &p, &s, nil)
}

// caps are the most texts that each limit allows, by limit; a limit that is missing allows any number.
type caps map[Limit]int

// desk is one campaign on its way to a decision.
type desk struct {
	policy *CampaignPolicy
	state  *CampaignState
	e      *evidence
	own    caps // limits of this campaign alone
	most   int  // their minimum
	least  int  // smallest batch
	share  float64
	n      int
	limit  Limit
	memory Memory
	// stretch is how far along a given order the batch has been looked at, and floor how many of it are known to fit.
	stretch, floor int
}

// order is the order in which limits are named when several allow the same number: first what lasts longest.
var order = [...]Limit{
	LimitList, LimitPaused, LimitHeld, LimitSilence, LimitListAge, LimitStart, LimitBudget, LimitDailyCap, LimitSenior, LimitWindow, LimitNobody, LimitBrake, LimitCaseloads,
	LimitMaturity, LimitSetPoint, LimitStress, LimitRisk, LimitRate,
}

// lift switches limits off; tests use it to check that the limit that is named is the one that binds.
type lift map[Limit]bool

func decide(now time.Time, p *TeamPolicy, s *TeamState, off lift) []Decision {
	now = now.Round(0).In(p.Calendar.zone()) // the same instant gives the same bits, wherever it was read
	k := p.Knobs.Defaults()
	behind := newPast(now, p.Calendar.zone(), beginning(now, s).Unix()/3600)
	ground := lookAround(now, p, s, &behind)

	desks := make([]*desk, len(p.Campaigns))
	evidences := make([]*evidence, len(desks))
	braked := false
	for i := range desks {
		d := &desk{policy: &p.Campaigns[i], state: stateOf(s, p.Campaigns[i].ID)}
		d.e = gather(&behind, d.policy, d.state)
		d.memory = d.e.silence(now)
		d.own, d.least = d.limits(now, p.Calendar, off), d.policy.MinBatch
		if d.least <= 0 {
			d.least = defaultMinBatch
		}
		d.most = d.own.min()
		braked = braked || d.state.Memory.Braked
		desks[i], evidences[i] = d, d.e
	}

	w := &weighing{now: now, p: p, s: s, ground: ground, evidences: evidences, k: k, off: off, braked: braked}
	o, team := w.weigh(desks, off[LimitCaseloads])
	// Where the order is given, whom a batch reaches depends on its size: go along it, a stretch at a time, until a batch ends within one.
	for range 2 * mostStretches * len(desks) {
		further := false
		for _, d := range desks {
			further = d.goAlong() || further
		}
		if !further {
			break
		}
		o, team = w.weigh(desks, off[LimitCaseloads])
		if d := desks[0]; len(desks) == 1 { // so many were found to fit already, whoever comes after them
			d.n = max(d.n, min(d.floor, d.own.min()))
		}
	}
	name(desks, team)
	if len(ground.grid.limited) > 0 && !o.lifted {
		w.blameCaseloads(o, desks)
	}

	words := newWriter(o, p, desks, k)
	out := make([]Decision, len(desks))
	for i, d := range desks {
		d.memory.Braked = w.braked
		out[i] = Decision{
			Campaign: d.policy.ID, At: now, N: d.n, Limit: d.limit,
			Figures: words.figures(i), Forecast: words.forecast(i), Memory: d.memory,
		}
		out[i].Sentence = words.sentence(i, &out[i])
	}
	return out
}

// goAlong looks at the next stretch of a given order if the batch fills those that have been looked at. It goes only forwards, so that
// with more capacity a batch never ends sooner.
func (d *desk) goAlong() bool {
	if d.stretch == len(d.e.stretches)-1 || d.n < d.e.stretches[d.stretch] {
		return false
	}
	d.floor = d.e.stretches[d.stretch]
	d.stretch++
	d.e.reach(d.e.stretches[d.stretch])
	return true
}

// beginning is when the first of what a state tells of happened, at most a year ago.
func beginning(now time.Time, s *TeamState) time.Time {
	first := now.Unix()
	for i := range s.Campaigns {
		c := &s.Campaigns[i]
		for _, d := range c.Delivered {
			first = min(first, d.At)
		}
		for _, a := range c.Answers {
			first = min(first, a.Delivered)
		}
	}
	for _, h := range s.Other {
		first = min(first, h.At)
	}
	for _, h := range s.Contacts {
		first = min(first, h.At)
	}
	return time.Unix(max(first, now.Unix()-366*24*3600), 0)
}

// lookAround reads what the team has ahead and behind, apart from the campaigns.
func lookAround(now time.Time, p *TeamPolicy, s *TeamState, behind *past) *ground {
	g := newGrid(p, s.Booked, now.Add(-throughputDays*24*time.Hour), throughputDays*24*time.Hour+ahead)
	gr := &ground{grid: g}
	gr.throughput = lookAtThroughput(now, g, s, p.headcount(now, true))
	g.output = gr.throughput.usual
	g.lookForSeniors(p, now, now.AddDate(0, 0, answersDays))
	gr.others = lookAtOthers(now, p, g, behind, s, beginning(now, s))
	return gr
}

// weighing holds what the team's limits are weighed with.
type weighing struct {
	now       time.Time
	p         *TeamPolicy
	s         *TeamState
	ground    *ground
	evidences []*evidence
	k         Knobs
	off       lift
	braked    bool
}

// weigh forecasts, finds what the team's limits allow, and shares it among the campaigns.
func (w *weighing) weigh(desks []*desk, lifted bool) (*outlook, caps) {
	o := newOutlook(w.ground, w.now, w.p, w.s, w.evidences, lifted)
	w.braked = o.brake(w.braked)
	team := o.people(desks, w.k, w.braked, w.off)
	split(w.now, desks, team.min(), w.off[LimitMinBatch])
	return o, team
}

// brake stops everything when the queue is nearly what can be answered within the promise, with slack, so that it does not chatter.
func (o *outlook) brake(on bool) bool {
	switch {
	case o.waiting >= brakeOn*o.canAnswer:
		return true
	case o.waiting <= brakeOff*o.canAnswer:
		return false
	}
	return on
}

// Defaults fills in the measured defaults.
func (k Knobs) Defaults() Knobs {
	set := func(x *float64, otherwise float64) {
		if *x <= 0 {
			*x = otherwise
		}
	}
	set(&k.Risk, .03)
	set(&k.SetPoint, .25)
	set(&k.Surge, 3)
	set(&k.Loss, .25)
	set(&k.Absence, .64)
	return k
}

func stateOf(s *TeamState, id string) *CampaignState {
	for i := range s.Campaigns {
		if s.Campaigns[i].ID == id {
			return &s.Campaigns[i]
		}
	}
	return &CampaignState{ID: id}
}

func (c caps) min() int {
	least := unlimited
	for _, x := range c {
		least = min(least, x)
	}
	return least
}

// limits are those that have nothing to do with people.
func (d *desk) limits(now time.Time, cal Calendar, off lift) caps {
	p, s := d.policy, d.state
	c := caps{}
	set := func(l Limit, n float64) {
		if !off[l] {
			c[l] = int(min(max(0, n), unlimited))
		}
	}
	shut := func(l Limit, yes bool) {
		if yes {
			set(l, 0)
		}
	}
	set(LimitList, float64(s.Planned))
	shut(LimitPaused, !s.Running || !p.Last.IsZero() && now.After(p.Last))
	shut(LimitHeld, s.Held != "")
	shut(LimitSilence, d.memory.Silence != nil && !p.Blast)
	shut(LimitStart, now.Before(p.First))
	shut(LimitWindow, !cal.within(now, p.Windows.or(officeWeek)))
	rate, segments := p.Rate, p.SegmentsPerText
	if rate <= 0 {
		rate = defaultRate
	}
	if segments <= 0 {
		segments = 1
	}
	set(LimitRate, math.Floor(rate*p.once().Seconds()/segments)-float64(s.Released))
	if p.Blast {
		return c
	}
	shut(LimitListAge, !p.Screened.IsZero() && now.Sub(p.Screened) > p.listAge())
	if p.DailyCap > 0 {
		set(LimitDailyCap, float64(p.DailyCap-s.SentToday))
	}
	if left := p.Budget - s.Spent; p.Budget > 0 {
		if p.CostPerText > 0 {
			set(LimitBudget, float64(max(0, left)/p.CostPerText))
		} else {
			shut(LimitBudget, left <= 0)
		}
	}
	return c
}

// once is how much of the sender's time may be released at once.
func (p *CampaignPolicy) once() time.Duration {
	if p.AtOnce <= 0 {
		return atOnce
	}
	return p.AtOnce
}

func (p *CampaignPolicy) listAge() time.Duration { return ListLasts(p.MaxListAge) }

// ListLasts is how long after it was taken from the GP system a list may be used by a campaign with this MaxListAge.
func ListLasts(most time.Duration) time.Duration {
	if most <= 0 {
		return UsualListAge
	}
	return min(most, LongestListAge)
}

// maturity is how many texts may be out before the rate is known: enough to learn from, too few to swamp the team if the rate is much
// higher than it looks because people are slow.
func (d *desk) maturity(canAnswer float64) int {
	e := d.e
	prior := e.shape / e.rate
	most := math.Inf(1)
	if e.answers < matureAnswers {
		most = firstTexts*canAnswer/prior + growth*e.mature(-1) - e.allSent
	}
	level, _ := e.rateNow()
	if e.strata > 1 && level > 0 {
		whole := level + max(0, prior-level)/math.Pow(1+e.seenStrata(), 2)
		for i, m := range e.mix {
			if m > 0 && e.byStratum[i] < matureStratum {
				most = min(most, (firstOfStratum*canAnswer/whole+growth*e.mature(i)-e.sent[i])/m)
			}
		}
	}
	return int(min(max(0, most), unlimited))
}

// people finds the most texts that the team's limits allow, together for all campaigns. A limit that allows more than those before it is
// left out, since it does not bind.
func (o *outlook) people(desks []*desk, k Knobs, braked bool, off lift) caps {
	c := caps{}
	for _, d := range desks {
		d.share = 0
		if d.most > 0 && !d.policy.Blast {
			d.share = float64(d.state.Planned)
			if !off[LimitMaturity] {
				d.own[LimitMaturity] = d.maturity(o.canAnswer)
				d.most = d.own.min()
			}
		}
	}
	if !off[LimitNobody] && o.canAnswer < dead {
		c[LimitNobody] = 0
	} else if !off[LimitSenior] && o.g.seniorless(o.now) {
		c[LimitSenior] = 0
	}
	if !off[LimitBrake] && braked {
		c[LimitBrake] = 0
	}
	if c.min() == 0 {
		return c
	}
	n := make([]float64, len(desks))
	// most searches for the largest total that a limit allows, up to one more than what is asked for.
	most := func(l Limit, fits func(n []float64) bool) {
		if off[l] {
			return
		}
		asked := 0
		for _, d := range desks {
			if d.share > 0 {
				asked = min(asked+d.most, unlimited)
			}
		}
		if asked == 0 {
			return
		}
		hi := min(asked, c.min()) + 1
		pour(desks, float64(hi), n, true)
		if fits(n) {
			return
		}
		lo := -1
		for hi-lo > 1 {
			mid := (lo + hi) / 2
			pour(desks, float64(mid), n, true)
			if fits(n) {
				lo = mid
			} else {
				hi = mid
			}
		}
		c[l] = max(0, lo)
	}
	budget := 0.0
	for _, d := range desks {
		level, _ := d.e.rateNow()
		budget += strandedShare * level * (d.e.allSent + float64(d.state.Planned))
	}
	most(LimitNobody, func(n []float64) bool { return o.nobody(n) <= budget })
	keep := o.reserve(k)
	last := keep.last(o.canAnswer)
	rest, whole := o.rest(desks)
	sure := endRisk * o.tolerable(k.Risk)
	whole = whole && o.risk(rest, sure) <= sure
	if !whole || !o.setPoint(rest, last) {
		most(LimitSetPoint, func(n []float64) bool { return o.setPoint(n, keep) })
	}
	if !whole || !o.stress(rest, last) {
		most(LimitStress, func(n []float64) bool { return o.stress(n, keep) })
	}
	most(LimitRisk, func(n []float64) bool { return o.risk(n, o.tolerable(k.Risk)) <= o.tolerable(k.Risk) })
	return c
}

// rest is all that is left of the campaigns that run, if their own limits let all of it go now, and if it is known whom it would reach.
func (o *outlook) rest(desks []*desk) ([]float64, bool) {
	n := make([]float64, len(desks))
	ends := false
	for i, d := range desks {
		if d.policy.Blast || !d.state.Running || d.state.Planned <= 0 {
			continue
		}
		if d.share == 0 || d.most < d.state.Planned || d.e.stretches[d.stretch] < d.state.Planned {
			return nil, false
		}
		n[i], ends = float64(d.state.Planned), true
	}
	return n, ends
}

// tolerable is the most chance of a broken promise: less for a small team, where one person late is a larger share, and less while there
// are few answers, because then the chance hangs on what was believed beforehand.
func (o *outlook) tolerable(risk float64) float64 {
	answers := 0.0
	for _, s := range o.streams {
		answers += s.e.answers
	}
	size := min(1, o.canAnswer/ordinary)
	known := min(1, max(0, answers-firstAnswers*size)/(firmAnswers*max(.2, size)))
	return risk * math.Pow(size, 1.4) * math.Pow(doubtful+(1-doubtful)*known, math.Sqrt(size))
}

// pour shares a total among campaigns in proportion to what they have planned, none above its own limits unless spill says that what
// they cannot take goes on top.
func pour(desks []*desk, total float64, n []float64, spill bool) {
	clear(n)
	left := total
	for range desks {
		weights := 0.0
		for i, d := range desks {
			if d.share > 0 && n[i] < float64(d.most) {
				weights += d.share
			}
		}
		if weights == 0 || left <= 1e-9 {
			break
		}
		given := 0.0
		for i, d := range desks {
			if d.share > 0 && n[i] < float64(d.most) {
				x := min(left*d.share/weights, float64(d.most)-n[i])
				n[i] += x
				given += x
			}
		}
		left -= given
	}
	if !spill || left <= 1e-9 {
		return
	}
	weights := 0.0
	for _, d := range desks {
		weights += d.share
	}
	for i, d := range desks {
		if d.share > 0 {
			n[i] += left * d.share / weights
		}
	}
}

// split settles whole batches. Campaigns whose share would be less than a batch take turns for it, in proportion to their shares.
func split(now time.Time, desks []*desk, total int, anySize bool) {
	n := make([]float64, len(desks))
	pour(desks, float64(total), n, false)
	rest := 0.0
	for i, d := range desks {
		if d.share == 0 {
			d.n = 0
			if d.policy.Blast {
				d.n = d.most
			}
			continue
		}
		d.n = int(n[i] + 1e-6)
		rest += n[i] - float64(d.n)
	}
	for i := 0; i < len(desks) && rest > .5; i++ {
		if d := desks[i]; d.share > 0 && d.n < d.most {
			d.n++
			rest--
		}
	}
	if anySize {
		return
	}
	pool, weights := 0, 0.0
	for _, d := range desks {
		if d.short() {
			pool += d.n
			weights += d.share
		}
	}
	if weights == 0 {
		return
	}
	// The minute times the golden ratio visits all fractions evenly.
	turn := math.Mod(float64(now.Unix()/60)*(math.Sqrt(5)-1)/2, 1) * weights
	for _, d := range desks {
		if !d.short() {
			continue
		}
		d.n = 0
		mine := turn >= 0 && turn < d.share
		turn -= d.share
		if batch := min(pool, d.most); mine && batch >= min(d.least, d.state.Planned) {
			d.n = batch
		}
	}
}

// short reports whether the batch is smaller than is worth sending and not the rest of the list.
func (d *desk) short() bool { return d.share > 0 && d.n < min(d.least, d.state.Planned) }

// name finds for each campaign the limit that binds: the one without which the batch would be larger.
func name(desks []*desk, team caps) {
	reached := make([]map[Limit]int, len(desks)) // by campaign: what each limit allows it
	for i, d := range desks {
		reached[i] = map[Limit]int{}
		for l, x := range d.own {
			reached[i][l] = x
		}
	}
	n := make([]float64, len(desks))
	for _, l := range order {
		x, ok := team[l]
		if !ok {
			continue
		}
		pour(desks, float64(x), n, true)
		for i, d := range desks {
			if !d.policy.Blast && (d.share > 0 || x == 0) {
				reached[i][l] = int(n[i] + 1e-6)
			}
		}
	}
	for i, d := range desks {
		d.limit = d.binding(reached[i])
	}
}

// binding looks for a single limit whose absence makes a difference. If several allow the same, it is the first in order.
func (d *desk) binding(reached caps) Limit {
	lowest, first := unlimited, LimitList
	for _, l := range order {
		if x, ok := reached[l]; ok && x < lowest {
			lowest, first = x, l
		}
	}
	second := unlimited // without first
	for l, x := range reached {
		if l != first {
			second = min(second, x)
		}
	}
	switch {
	case d.n == 0 && lowest > 0 && !(second >= min(d.least, d.state.Planned) && second > lowest):
		return LimitMinBatch
	default:
		return first
	}
}

// blameCaseloads names the caseload limits if a batch would be larger without them.
func (w *weighing) blameCaseloads(o *outlook, desks []*desk) {
	capped := false
	for i := range o.points {
		c := &o.points[i]
		due, _ := o.g.due(c.at)
		capped = capped || o.g.capacity(w.now, due, true) > c.fromNow+1e-9
	}
	if !capped {
		return
	}
	others := make([]*desk, len(desks))
	for i, d := range desks {
		c := *d
		c.own = caps{}
		for l, x := range d.own {
			if l != LimitMaturity {
				c.own[l] = x
			}
		}
		c.most = c.own.min()
		others[i] = &c
	}
	free := *w
	free.weigh(others, true)
	for i, d := range desks {
		if others[i].n > d.n {
			d.limit = LimitCaseloads
		}
	}
}
