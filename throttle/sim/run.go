package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// Options of a run. The zero value measures and no more.
type Options struct {
	// Course records how the run goes.
	Course bool
	// Dates asks, for everybody who comes, what date they would be told, and counts those that are broken.
	Dates bool
	// Nights asks the pacer outside the hours for texts too: it has to say none.
	Nights bool
	// Knobs turn the pacer's own constants, to see what they cost and what they buy.
	Knobs throttle.Knobs
}

// Result is what became of one run.
type Result struct {
	World       string  `json:"world"`
	Policy      Policy  `json:"policy"`
	Seed        uint64  `json:"seed"`
	Texts       int     `json:"texts"`
	Referrals   int     `json:"referrals"`
	Late        int     `json:"late"` // first contact after the promise
	LatePercent float64 `json:"late_percent"`
	// Pass says whether at most one in a hundred was late; of a list that brings fewer than a hundred, at most one.
	Pass      bool    `json:"pass"`
	PeakQueue int     `json:"peak_queue"`
	Peak      float64 `json:"peak"` // the queue against what the team could clear within the promise, at its worst
	// WorkingDays from the start to the last text, at least 1; TextsLeft if it was not reached in the time simulated.
	WorkingDays float64 `json:"working_days"`
	TextsLeft   int     `json:"texts_left"`
	Decisions   int     `json:"decisions"`
	// Idle is the share of the team's time, until the last text, with nobody to call.
	Idle float64 `json:"idle"`
	// Limits counts by which limit the decisions were bound.
	Limits map[string]int `json:"limits,omitempty"`
	// Outside counts decisions beyond the hours for texts, the sender's speed, the list or the roster. There must be none.
	Outside int `json:"outside"`
	// Lost are people who met a form that was down.
	Lost int `json:"lost,omitempty"`
	// BrokenBy counts referrals called after the date that they were told when they came, if Options.Dates.
	BrokenBy int `json:"broken_by,omitempty"`
	// Calibration compares what the policy said with what came.
	Calibration Calibration `json:"calibration,omitzero"`
	// Course of the run, if Options.Course.
	Course *Course `json:"-"`
}

// Calibration counts decisions by what was said and what came. A next day are the 24 hours after a decision; its answers are those to
// texts released up to and with that decision.
type Calibration struct {
	Days       int     `json:"days"` // decisions that gave both bands
	In50, In90 int     // of those
	Risks      int     `json:"risks"`     // decisions that gave a chance of a late contact
	RiskSaid   float64 `json:"risk_said"` // sum of those chances
	RiskSeen   int     `json:"risk_seen"` // how often it came true
}

func (c *Calibration) add(o Calibration) {
	c.Days += o.Days
	c.In50 += o.In50
	c.In90 += o.In90
	c.Risks += o.Risks
	c.RiskSaid += o.RiskSaid
	c.RiskSeen += o.RiskSeen
}

// Course is a run by half hours of working time, from the launch.
type Course struct {
	Start time.Time
	Steps []Step
}

// Step is one half hour of a course. What happens after hours is in the last step before.
type Step struct {
	Day    int     // civil, since the launch
	Open   float64 // working hours since the launch
	Texts  int
	Queue  int     // at its start
	Clears float64 // first contacts that the team can make within the promise from then on
	Late   int     // called too late
}

const firstCall = 4. // working hours after the start that do not count as idle

// referral is somebody who asks for help, or only presses Start.
type referral struct {
	campaign, stratum int // campaign is negative if no text brought them
	sent              instant
	delivered, came   instant
	by                time.Time
	startOnly         bool
}

// receipt is the provider's word on some texts of a batch.
type receipt struct {
	campaign, stratum, sent, n int
	delivered                  bool
}

// made is a decision to be judged later.
type made struct {
	at       instant
	campaign int // whose answers it foretells; negative for all
	choice   choice
	answers  int
	someLate bool
}

// Run simulates one campaign. The same world, policy and seed give the same result, and one seed gives all policies the same town.
func Run(w World, policy Policy, seed uint64, o Options) Result {
	return newRun(newStage(w), policy, seed, o).play()
}

type run struct {
	s         *stage
	o         Options
	w         World // with its practices drawn
	campaigns []*campaign
	ledger    *ledger // of the pacer
	planner   planner // of the others
	oracle    *oracle

	days, outputs     []float64 // response and team by day
	real              []float64 // cumulative: what the team can do in this run
	callers, others   *rand.Rand
	post, jitter      *rand.Rand
	coming            [][]referral // by tick
	receipts          [][]receipt
	pending           int
	queue             []referral
	call              float64 // left of the call at hand, in average calls
	answers           int
	decided           []made
	checks            []float64 // by campaign: open hour at which somebody looks whether the link works; 0 for nobody
	lastText, lastDay int
	worked, idle      float64
	result            Result
}

// dice are independent of each other, so that what a policy does with one kind leaves the others alone.
func dice(seed uint64, kind uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x77656c6c<<8|kind))
}

func newRun(s *stage, policy Policy, seed uint64, o Options) *run {
	r := &run{
		s: s, o: o, callers: dice(seed, 1), others: dice(seed, 2), post: dice(seed, 3), jitter: dice(seed, 4), lastDay: -1, lastText: s.first,
		coming: make([][]referral, mostDays*perDay), receipts: make([][]receipt, mostDays*perDay),
		result: Result{World: s.w.Name, Policy: policy, Seed: seed, Limits: map[string]int{}},
	}
	town := dice(seed, 0)
	r.w = s.w.Drawn(town)
	weather, mood := dice(seed, 5), dice(seed, 6)
	spread := s.w.Productivity / math.Sqrt(float64(max(1, len(s.team))))
	for range s.begins {
		r.days = append(r.days, Gamma(weather, s.w.DayNoise))
		r.outputs = append(r.outputs, Gamma(mood, spread))
	}
	r.real = make([]float64, ticks+1)
	for k := range ticks {
		r.real[k+1] = r.real[k] + (s.capacity[k+1]-s.capacity[k])*r.outputs[s.day[k]]
	}
	r.campaigns = append(r.campaigns, newCampaign(s, &r.w, s.w.Patients, s.w.Rate, s.w.StartTime(), town))
	for _, c := range s.w.Also {
		starts := s.w.midnight(c.StartDay).Add(9 * time.Hour)
		r.campaigns = append(r.campaigns, newCampaign(s, &r.w, c.Patients, c.Rate, starts, town))
	}
	r.checks = make([]float64, len(r.campaigns))
	if o.Course {
		r.result.Course = &Course{Start: s.w.StartTime()}
	}
	r.appoint(policy)
	return r
}

func (r *run) play() Result {
	s := r.s
	for i := s.first; i < mostDays*perDay; i++ {
		if d := s.day[i]; d != r.lastDay {
			r.lastDay = d
			if r.ledger != nil {
				r.ledger.midnight()
			}
		}
		for _, x := range r.receipts[i] {
			if r.ledger != nil {
				r.ledger.receipt(x.campaign, x.sent, x.stratum, x.n, s.at(i), x.delivered)
			}
		}
		r.measure(i)
		texts, late := r.result.Texts, r.result.Late
		if r.left() > 0 {
			r.consult(i)
		} else if r.pending == 0 && len(r.queue) == 0 {
			break
		}
		r.work(i)
		r.arrive(i)
		if c := r.result.Course; c != nil && len(c.Steps) > 0 {
			last := &c.Steps[len(c.Steps)-1]
			last.Texts += r.result.Texts - texts
			last.Late += r.result.Late - late
		}
	}
	return r.judge()
}

func (r *run) left() int {
	n := 0
	for _, c := range r.campaigns {
		n += c.left
	}
	return n
}

// consult asks the policy, as often as is due in a half hour.
func (r *run) consult(i int) {
	s := r.s
	step := int(s.every / time.Minute)
	night := r.o.Nights && r.ledger != nil && (s.half[i] == 41 || s.half[i] == 14)
	if !s.window[i] && !night {
		return
	}
	for m := 0; m < 30; m++ {
		if (s.half[i]*30+m)%step == 0 {
			r.decide(i, instant(i)*tick+instant(m)*time.Minute)
		}
	}
	if night {
		r.decide(i, instant(i)*tick)
	}
}

func (r *run) decide(i int, at instant) {
	s := r.s
	v := r.view(i, at)
	if v.left == 0 {
		return
	}
	var choices []choice
	if r.ledger != nil {
		r.confirm(v)
		if len(r.queue) > 0 {
			v.oldestDue = s.origin.Add(reach(s.open, read(s.open, r.queue[0].came)+s.promise))
		}
		choices = r.ledger.decide(v)
	} else {
		choices = r.split(v, r.planner.total(v))
	}
	r.result.Decisions++
	for c, x := range choices {
		if r.ledger != nil {
			r.result.Limits[x.limit]++
			r.decided = append(r.decided, made{at: at, campaign: c, choice: x})
		} else if c == 0 { // a planner speaks once, for all
			r.decided = append(r.decided, made{at: at, campaign: -1, choice: x})
		}
		if !r.allowed(v, c, x.n) {
			r.result.Outside++
		}
		if x.asks && r.checks[c] == 0 {
			r.checks[c] = read(s.open, at) + checkedIn
		}
		r.send(v, c, min(max(0, x.n), r.campaigns[c].left))
	}
}

// view is what everybody may see at an instant.
func (r *run) view(i int, at instant) view {
	s := r.s
	v := view{now: s.origin.Add(at), at: at, tick: i, queue: len(r.queue), known: s.present(i), every: s.every.Hours(), answers: r.answers,
		sent: r.result.Texts, running: make([]bool, len(r.campaigns))}
	for c, x := range r.campaigns {
		if v.running[c] = !v.now.Before(x.starts); v.running[c] {
			v.left += x.left
		}
	}
	v.canAnswer = v.known.capacity[s.due[i]] - v.known.capacity[i]
	return v
}

// allowed holds a batch to the limits that nobody may break.
func (r *run) allowed(v view, c, n int) bool {
	if n == 0 {
		return true
	}
	return n > 0 && v.running[c] && r.s.window[v.tick] && n <= r.campaigns[c].left && float64(n) <= sender*v.every*3600 && v.canAnswer >= 1
}

const checkedIn = 2. // working hours until somebody has looked whether the link works

// confirm lets a person who was asked to look at the link say that it works, if it does.
func (r *run) confirm(v view) {
	open := read(r.s.open, v.at)
	for c, due := range r.checks {
		switch {
		case due == 0 || open < due:
		case r.down(v.at):
			r.checks[c] = open + checkedIn // the person looks again
		default:
			r.checks[c] = 0
			r.ledger.confirm(c, v.now)
		}
	}
}

// down reports whether the form is down.
func (r *run) down(at instant) bool {
	for _, o := range r.s.w.Outages {
		from := r.s.w.midnight(o.FromDay).Sub(r.s.origin) + instant(o.FromHour*float64(time.Hour))
		if at >= from && at < from+instant(o.Days*24*float64(time.Hour)) {
			return true
		}
	}
	return false
}

// send texts the next n of a list.
func (r *run) send(v view, c, n int) {
	if n == 0 {
		return
	}
	x := r.campaigns[c]
	share := x.take(n)
	if r.oracle != nil {
		r.oracle.sent(v, x, share)
	}
	factor := r.days[r.s.day[v.tick]] * r.w.Surge(r.s.day[v.tick])
	for stratum, k := range share {
		if k == 0 {
			continue
		}
		if r.ledger != nil {
			r.ledger.released(c, v.tick, stratum, k)
		}
		r.deliver(v, c, stratum, k, factor)
		x.taken[stratum] += k
	}
	x.left -= n
	r.result.Texts += n
	r.lastText = v.tick
}

// deliver brings texts of one stratum to people, some of whom will answer.
func (r *run) deliver(v view, c, stratum, n int, factor float64) {
	x := r.campaigns[c]
	from := x.taken[stratum]
	var when func(place int) instant // of delivery; negative for never
	if w := r.s.w.Receipts; w == (Receipts{}) {
		when = func(int) instant { return v.at }
		if r.ledger != nil {
			r.ledger.receipt(c, v.tick, stratum, n, v.now, true)
		}
	} else {
		ats := make([]instant, n)
		for i := range ats {
			lag := w.MedianMinutes * math.Exp(w.Sigma*r.post.NormFloat64())
			k := int((v.at + instant(lag*float64(time.Minute))) / tick)
			lost := r.post.Float64() < w.Undelivered
			ats[i] = max(v.at, instant(k)*tick)
			if lost {
				ats[i] = -1
			}
			if k = max(k, v.tick) + 1; k < len(r.receipts) { // known in the next half hour
				r.receipts[k] = append(r.receipts[k], receipt{c, stratum, v.tick, 1, !lost})
			}
		}
		when = func(place int) instant { return ats[place-from] }
	}
	rate := x.rate[stratum] * factor
	r.respond(x.people[stratum], &x.next[stratum], from+n, rate, when, referral{campaign: c, stratum: stratum, sent: v.at})
	if x.starters[stratum] != nil {
		r.respond(x.starters[stratum], &x.nextStarter[stratum], from+n, rate*(r.s.w.Starts-1), when,
			referral{campaign: c, stratum: stratum, sent: v.at, startOnly: true})
	}
}

// respond plans who will come of those up to a place in the stratum.
func (r *run) respond(people []responder, next *int, upTo int, rate float64, when func(int) instant, a referral) {
	for ; *next < len(people) && people[*next].at < upTo; *next++ {
		p := &people[*next]
		if p.threshold >= rate {
			continue
		}
		if a.delivered = when(p.at); a.delivered < 0 {
			continue
		}
		a.came = reach(r.s.response, read(r.s.response, a.delivered)+p.delay)
		if k := int(a.came / tick); k < len(r.coming) {
			r.coming[k] = append(r.coming[k], a)
			if !a.startOnly {
				r.pending++
			}
		}
	}
}

// work lets the team call for half an hour those who waited at its beginning.
func (r *run) work(k int) {
	all := r.real[k+1] - r.real[k]
	if all <= 0 {
		return
	}
	counted := r.left() > 0 && r.s.open[k]-r.s.open[r.s.first] >= firstCall
	if counted {
		r.worked += all
	}
	units := all
	for units > 0 && len(r.queue) > 0 {
		if r.call <= 0 {
			r.call = Gamma(r.callers, r.s.w.CallNoise)
		}
		if r.call > units {
			r.call -= units
			units = 0
			break
		}
		units -= r.call
		r.call = 0
		a := r.queue[0]
		r.queue = r.queue[1:]
		r.called(a, instant(k)*tick+instant((1-units/all)*float64(tick)))
	}
	if counted {
		r.idle += units
	}
}

// called ends somebody's wait.
func (r *run) called(a referral, at instant) {
	if read(r.s.open, at)-read(r.s.open, a.came) > r.s.promise+1e-9 {
		r.late(a, at)
	}
	if !a.by.IsZero() && r.s.origin.Add(at).After(a.by) {
		r.result.BrokenBy++
	}
	if r.ledger != nil {
		r.ledger.called(r.s.origin.Add(at))
	}
}

// late counts somebody, and reminds the decisions that had said how likely that was.
func (r *run) late(a referral, until instant) {
	r.result.Late++
	for i := len(r.decided) - 1; i >= 0 && r.decided[i].at >= a.sent; i-- {
		if r.decided[i].at < until {
			r.decided[i].someLate = true
		}
	}
}

// arrive lets in whoever asks for help in a half hour.
func (r *run) arrive(k int) {
	came := r.coming[k]
	for range poisson(r.others, r.s.other[k+1]-r.s.other[k]) {
		at := instant(k)*tick + instant(r.others.Float64()*float64(tick))
		came = append(came, referral{campaign: -1, sent: at, came: at})
	}
	if len(came) == 0 {
		return
	}
	slices.SortStableFunc(came, func(a, b referral) int { return cmp.Compare(a.came, b.came) })
	var by time.Time
	if r.o.Dates && r.ledger != nil {
		by = r.ledger.contactBy(r.view(k, instant(k)*tick))
	}
	for _, a := range came {
		if a.campaign >= 0 && !a.startOnly {
			r.pending--
		}
		if r.down(a.came) {
			if !a.startOnly {
				r.result.Lost++
			}
			continue
		}
		at := r.s.origin.Add(a.came)
		if r.ledger != nil {
			switch {
			case a.campaign < 0:
				r.ledger.other(at)
			case !a.startOnly:
				r.ledger.answer(a.campaign, a.stratum, r.s.origin.Add(a.delivered), at)
			}
			if a.campaign >= 0 && r.s.w.Starts > 0 {
				r.ledger.start(a.campaign, a.stratum, at)
			}
		}
		if a.startOnly {
			continue
		}
		if a.campaign >= 0 {
			r.answers++
			r.foretold(a)
		}
		a.by = by
		r.queue = append(r.queue, a)
		r.result.Referrals++
	}
	r.result.PeakQueue = max(r.result.PeakQueue, len(r.queue))
}

// foretold counts an answer for the decisions of the day before that had its text released.
func (r *run) foretold(a referral) {
	from := max(a.sent, a.came-24*time.Hour)
	for i := len(r.decided) - 1; i >= 0 && r.decided[i].at >= from; i-- {
		if d := &r.decided[i]; d.at < a.came && (d.campaign < 0 || d.campaign == a.campaign) {
			d.answers++
		}
	}
}

// measure looks at the queue at the start of a half hour.
func (r *run) measure(i int) {
	s := r.s
	if s.open[i+1] == s.open[i] {
		return
	}
	clears := r.real[s.due[i]] - r.real[i]
	r.result.Peak = max(r.result.Peak, float64(len(r.queue))/max(1, clears))
	if c := r.result.Course; c != nil {
		c.Steps = append(c.Steps, Step{Day: s.day[i], Open: s.open[i] - s.open[s.first], Queue: len(r.queue), Clears: clears})
	}
}

// judge closes the books.
func (r *run) judge() Result {
	x := &r.result
	x.TextsLeft = r.left()
	for _, a := range r.queue { // the world ends and nobody has called them
		r.late(a, math.MaxInt64)
	}
	if x.Referrals > 0 {
		x.LatePercent = 100 * float64(x.Late) / float64(x.Referrals)
	}
	x.Pass = x.LatePercent <= 1
	if r.fewExpected() {
		x.Pass = x.Late <= 1
	}
	last := r.lastText
	if x.TextsLeft > 0 {
		last, x.Pass = mostDays*perDay, false
	}
	x.WorkingDays = max(1, (r.s.open[last]-r.s.open[r.s.first])/8)
	if r.worked > 0 {
		x.Idle = r.idle / r.worked
	}
	for i := range r.decided {
		r.weigh(&r.decided[i])
	}
	return *x
}

// fewExpected reports whether the lists bring fewer than a hundred referrals, of whom one would already be more than one in a hundred.
func (r *run) fewExpected() bool {
	n := float64(r.s.w.Patients) * r.s.w.Rate
	for _, c := range r.s.w.Also {
		n += float64(c.Patients) * c.Rate
	}
	return n < 100
}

// weigh compares one decision with what came.
func (r *run) weigh(m *made) {
	c := &r.result.Calibration
	if m.choice.saysRisk {
		c.Risks++
		c.RiskSaid += m.choice.risk
		if m.someLate {
			c.RiskSeen++
		}
	}
	if m.choice.saysNext {
		// A count is spread over its unit: else no band of a small count could hold just half of them.
		y := float64(m.answers) + r.jitter.Float64() - .5
		c.Days++
		if m.choice.fifty.holds(y) {
			c.In50++
		}
		if m.choice.ninety.holds(y) {
			c.In90++
		}
	}
}
