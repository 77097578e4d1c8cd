package throttle

import (
	"math"
	"time"
)

// How long people take to answer is learned in bins of response-hours: night hours count little, see responseWeight.
const bins = 12

var edges = [bins + 1]float64{0, .5, 1, 2, 4, 8, 16, 32, 64, 112, 224, 448, 700}

// A curve is the share of all answers that falls in each bin.
type curve [bins]float64

// The built-in curves, from fast to very slow, and how likely each is beforehand. Published answer times to texts lie between the first
// two; the last two are those of e-mail and letters.
var (
	templateCurves = [...]curve{
		mixture(.72, .3, 1, .2, 4, 1, .08, 36, 1),
		mixture(.42, .5, 1.1, .33, 6, 1.1, .25, 50, 1.1),
		mixture(.22, .6, 1.1, .33, 10, 1.1, .45, 80, 1.1),
		mixture(.10, .8, 1.1, .22, 16, 1.1, .68, 140, 1),
	}
	templatePrior = [...]float64{.25, .40, .20, .15}
)

const (
	slowTemplate = 2    // the curve that the maturity limit assumes
	mostCurves   = 7    // built-in and from history
	unlikely     = .002 // a curve with less weight is left out
	historyShare = .75  // of the prior weight goes to the curves of earlier campaigns, if there are any
)

// mixture makes a curve of log-normals given as weight, median in response-hours, sigma.
func mixture(parts ...float64) curve {
	var c curve
	for k := range bins {
		for i := 0; i < len(parts); i += 3 {
			c[k] += parts[i] * (logNormal(edges[k+1], parts[i+1], parts[i+2]) - logNormal(edges[k], parts[i+1], parts[i+2]))
		}
	}
	return c.normal()
}

func logNormal(x, median, sigma float64) float64 {
	if x <= 0 {
		return 0
	}
	return .5 * math.Erfc(-math.Log(x/median)/sigma/math.Sqrt2)
}

func (c curve) normal() curve {
	sum := 0.0
	for _, x := range c {
		sum += x
	}
	for k := range c {
		c[k] /= sum
	}
	return c
}

// by is the share of answers that have come by an age.
func (c *curve) by(age float64) float64 {
	sum := 0.0
	for k := range bins {
		sum += c[k] * crossed(k, 0, age)
	}
	return sum
}

// crossed is the share of bin k that lies between two ages.
func crossed(k int, from, to float64) float64 {
	return max(0, min(to, edges[k+1])-max(from, edges[k])) / (edges[k+1] - edges[k])
}

func binOf(age float64) int {
	for k := range bins {
		if age < edges[k+1] {
			return k
		}
	}
	return bins - 1
}

const (
	priorMean, priorShape = .015, .5
	fade                  = ln2 / 100 // per response-hour: evidence on the present level has a half-life of about six days
	ln2                   = math.Ln2
	firmest               = 20 // answers at most for which the long-run rate counts against recent evidence
	silenceFloor          = .7 // of the long-run rate: silence is weak evidence and must not open the tap
	curvePrior            = 3  // answers per bin by which a template is believed
)

// Texts of about the same age are one cohort: by the half hour while young, by the hour, at last by the day.
const (
	halfHourly = 24  // half hours
	hourly     = 120 // hours: beyond the longest window of change.go
	daily      = 60  // days; the last collects the rest
)

// cohort is a group of texts of about the same age.
type cohort struct {
	age   float64 // response-hours since delivery
	n     []float64
	boost float64           // times as many answer if a surge is on, see surge
	faded [bins + 1]float64 // what evidence at the start of each bin counts for now
}

// fadedAt is what evidence at an age counts for now; the age lies at edge k or before it.
func (c *cohort) fadedAt(k int, age float64) float64 {
	if age == edges[k] {
		return c.faded[k]
	}
	return math.Exp(-fade * (c.age - age))
}

// past is the response clock behind us.
type past struct {
	first int64     // unix hour
	clock []float64 // response-hours at the start of hour first+i
	now   float64
	unix  int64
}

func newPast(now time.Time, loc *time.Location, first int64) past {
	last := now.Unix() / 3600
	first = min(first, last)
	p := past{first: first, clock: make([]float64, last-first+2), unix: now.Unix()}
	sum, offset := 0.0, int64(0)
	for i := range p.clock {
		if i%6 == 0 {
			_, o := time.Unix((first+int64(i))*3600, 0).In(loc).Zone()
			offset = int64(o)
		}
		p.clock[i] = sum
		// A zone that is off by half an hour gets the weight of the hour's start.
		sum += responseWeight(int(((first+int64(i))*3600 + offset) % 86400 / 3600))
	}
	p.now = p.at(now.Unix())
	return p
}

// at is the clock at an instant behind us.
func (p *past) at(unix int64) float64 {
	x := float64(min(unix, p.unix))/3600 - float64(p.first)
	if x <= 0 {
		return 0
	}
	i := int(x)
	if i >= len(p.clock)-1 {
		return p.clock[len(p.clock)-1]
	}
	return p.clock[i] + (p.clock[i+1]-p.clock[i])*(x-float64(i))
}

// ago is how many response-hours ago an instant was.
func (p *past) ago(unix int64) float64 { return max(0, p.now-p.at(unix)) }

// evidence is what one campaign's counters say about its response.
type evidence struct {
	p       *past
	state   *CampaignState
	strata  int
	cohorts []cohort
	quiet   [][2]float64 // silences that say nothing, as response-hours ago, from > to
	grain   float64      // hours by which instants of answers and deliveries may be off

	mix       []float64 // of the next texts over strata, sums to 1
	stretches []int     // of a given order: texts up to the end of each, the last without end
	sent      []float64 // by stratum, on the way included
	allSent   float64

	seen, recent   [][bins]float64 // texts that have been through each delay bin, by stratum; recent fades
	byBin          [bins]float64   // answers
	byStratum      []float64
	answers, faded float64

	shape, rate float64 // Gamma prior of the answers per text

	templates    int
	prior        [mostCurves]curve
	weight       [mostCurves]float64
	curves       [mostCurves]curve   // refined
	long         [mostCurves]float64 // answers per text, all evidence alike
	level        [mostCurves]float64 // at present
	theta        []float64           // a stratum's response relative to the whole
	spread       float64             // shape of the Gamma from which the strata's responses come
	weigh        float64             // for how many answers the long-run rate counts
	windows      [2 * len(windowHours)]window
	surge        surge
	startsBefore float64 // starts per answer of earlier campaigns
}

// gather reads a campaign's counters: exposure, answers, and what follows from them.
func gather(p *past, policy *CampaignPolicy, s *CampaignState) *evidence {
	n := max(len(s.Strata), len(s.Sizes), 1)
	e := &evidence{p: p, state: s, strata: n, shape: priorShape, rate: priorShape / priorMean, grain: max(.25, s.Grain.Hours())}
	flat := make([]float64, 4*n)
	e.sent, e.mix, e.byStratum, e.theta = flat[:n], flat[n:2*n], flat[2*n:3*n], flat[3*n:]
	tables := make([][bins]float64, 2*n)
	e.seen, e.recent = tables[:n], tables[n:]
	e.expect(policy.Prior)
	for _, q := range s.Memory.Quiet {
		if from, to := p.ago(q.From), p.ago(q.To); from > to {
			e.quiet = append(e.quiet, [2]float64{from, to})
		}
	}
	e.group(s)
	for i := range e.cohorts {
		e.exposure(&e.cohorts[i])
	}
	for i := range s.Answers {
		e.answer(&s.Answers[i])
	}
	e.mixture(s)
	e.alongOrder()
	e.fit()
	e.presentLevel()
	e.windows = e.look()
	e.surge = e.lookForSurge()
	return e
}

// expect takes in what is known beforehand: the built-in curves and the wide prior, or what earlier campaigns of the network taught.
func (e *evidence) expect(h *Prior) {
	share := 1.0
	e.startsBefore = 1
	if h != nil {
		e.startsBefore = max(1, h.Starts)
		if h.Mean > 0 && h.Shape > 0 {
			e.shape, e.rate = h.Shape, h.Shape/h.Mean
		}
		if h.Spread > 0 {
			e.spread = 1 / h.Spread
		}
		sum := 0.0
		for _, c := range h.Curves {
			sum += max(0, c.Weight)
		}
		for _, c := range h.Curves {
			if sum > 0 && c.Weight > 0 && e.templates < mostCurves-len(templateCurves) {
				share = 1 - historyShare
				e.prior[e.templates] = softened(c.Share)
				e.weight[e.templates] = historyShare * c.Weight / sum
				e.templates++
			}
		}
	}
	for j := range templateCurves {
		e.prior[e.templates] = templateCurves[j]
		e.weight[e.templates] = share * templatePrior[j]
		e.templates++
	}
}

// softened keeps a learned curve from ruling anything out.
func softened(share [bins]float64) curve {
	c := curve(share)
	for k := range c {
		c[k] = max(0, c[k])
	}
	sum := 0.0
	for _, x := range c {
		sum += x
	}
	if sum <= 0 {
		return templateCurves[1]
	}
	for k := range c {
		c[k] = .95*c[k]/sum + .05*templateCurves[1][k]
	}
	return c.normal()
}

// group sorts delivery counts into cohorts.
func (e *evidence) group(s *CampaignState) {
	const slots = halfHourly + hourly + daily
	var at [slots + 1]int16 // cohort + 1
	flat := make([]float64, 0, 64*e.strata)
	add := func(slot int, stratum int, n float64, age float64) {
		i := at[slot]
		if i == 0 {
			if cap(flat)-len(flat) < e.strata {
				flat = make([]float64, 0, 64*e.strata)
			}
			flat = flat[:len(flat)+e.strata]
			e.cohorts = append(e.cohorts, cohort{n: flat[len(flat)-e.strata:], boost: 1})
			i = int16(len(e.cohorts))
			at[slot] = i
		}
		c := &e.cohorts[i-1]
		c.n[stratum] += n
		c.age += n * age // a mean at last
		e.sent[stratum] += n
		e.allSent += n
	}
	now := e.p.unix
	for _, d := range s.Delivered {
		if !(d.N > 0) || d.Stratum < 0 || d.Stratum >= e.strata {
			continue
		}
		hours := float64(max(0, now-d.At)) / 3600
		slot := int(hours * 2)
		if slot >= halfHourly {
			slot = int(min(halfHourly+hours-halfHourly/2, halfHourly+hourly))
			if slot >= halfHourly+hourly {
				slot = int(min(halfHourly+hourly+(hours-halfHourly/2-hourly)/24, slots-1))
			}
		}
		add(slot, d.Stratum, d.N, e.p.ago(d.At))
	}
	if s.OnTheWay > 0 {
		for i, n := range proportional(s.OnTheWay, s.OnTheWayBy, s.Sizes, e.strata) {
			if n > 0 {
				add(slots, i, float64(n), 0)
			}
		}
	}
	for i := range e.cohorts {
		c := &e.cohorts[i]
		sum := 0.0
		for _, n := range c.n {
			sum += n
		}
		c.age /= sum
		for k := range c.faded {
			c.faded[k] = math.Exp(-fade * max(0, c.age-edges[k]))
		}
	}
}

// proportional splits a total by known parts, else by sizes; the parts need not add up to the total.
func proportional(total int, parts, sizes []int, n int) []int {
	out := make([]int, n)
	weights := sizes
	known := 0
	for _, x := range parts {
		known += max(0, x)
	}
	if known > 0 {
		weights = parts
	}
	sum := 0
	for i := range min(n, len(weights)) {
		sum += max(0, weights[i])
	}
	if sum == 0 {
		out[0] = total
		return out
	}
	cum, given := 0, 0
	for i := range min(n, len(weights)) {
		cum += max(0, weights[i])
		upTo := int(float64(total)*float64(cum)/float64(sum) + .5)
		out[i] = upTo - given
		given = upTo
	}
	return out
}

// exposure counts the bins that a cohort has been through: a text whose answer may still come counts only as far as it has come. What was
// lived through in an explained silence does not count.
func (e *evidence) exposure(c *cohort) {
	e.expose(c, 0, c.age, 1)
	for _, q := range e.quiet {
		if from, to := max(0, c.age-q[0]), c.age-q[1]; to > from {
			e.expose(c, from, to, -1)
		}
	}
}

// expose adds the ages between from and to.
func (e *evidence) expose(c *cohort, from, to, sign float64) {
	for k := range bins {
		lo, hi := max(from, edges[k]), min(edges[k+1], to)
		if edges[k] >= to {
			break
		}
		if hi <= lo {
			continue
		}
		width := edges[k+1] - edges[k]
		whole := sign * (hi - lo) / width
		faded := sign * (c.fadedAt(k+1, hi) - c.fadedAt(k, lo)) / (fade * width)
		for s, n := range c.n {
			if n != 0 {
				e.seen[s][k] += n * whole
				e.recent[s][k] += n * faded
			}
		}
	}
}

// answer counts an answer by its age. The instants are known only to a grain, so the age is spread over what it may have been.
func (e *evidence) answer(a *Answer) {
	if !e.counts(a) {
		return
	}
	came := e.p.at(max(a.Answered, a.Delivered))
	age := max(0, came-e.p.at(a.Delivered))
	first := binOf(age - e.grain)
	if age-e.grain >= edges[first] && (first == bins-1 || age+e.grain <= edges[first+1]) {
		e.byBin[first] += a.N
	} else {
		before := triangle(0, age, e.grain)
		rest := 1 - before
		for k := first; k < bins && before < 1; k++ {
			upTo := 1.
			if k < bins-1 {
				upTo = triangle(edges[k+1], age, e.grain)
			}
			e.byBin[k] += a.N * (upTo - before) / rest
			before = upTo
		}
	}
	e.byStratum[a.Stratum] += a.N
	e.answers += a.N
	e.faded += a.N * math.Exp(-fade*(e.p.now-came))
}

// counts reports whether an answer is evidence: not one of nobody, and not from an explained silence.
func (e *evidence) counts(a *Answer) bool {
	if !(a.N > 0) || a.Stratum < 0 || a.Stratum >= e.strata {
		return false
	}
	ago := e.p.ago(a.Answered)
	for _, q := range e.quiet {
		if ago <= q[0] && ago > q[1] {
			return false
		}
	}
	return true
}

// triangle is the distribution function of a triangle around mid.
func triangle(x, mid, half float64) float64 {
	switch t := (x - mid) / half; {
	case t <= -1:
		return 0
	case t >= 1:
		return 1
	case t < 0:
		return (1 + t) * (1 + t) / 2
	default:
		return 1 - (1-t)*(1-t)/2
	}
}

// mixture estimates whom the next texts reach: what is left of each stratum.
func (e *evidence) mixture(s *CampaignState) {
	sum := 0.0
	for i := range e.mix {
		if i < len(s.Sizes) {
			e.mix[i] = max(0, float64(s.Sizes[i])-e.sent[i])
		}
		sum += e.mix[i]
	}
	if sum == 0 {
		for i := range e.mix {
			if i < len(s.Sizes) {
				e.mix[i] = max(0, float64(s.Sizes[i]))
			}
			sum += e.mix[i]
		}
	}
	for i := range e.mix {
		if sum == 0 {
			e.mix[i] = 1 / float64(e.strata)
		} else {
			e.mix[i] /= sum
		}
	}
}

const (
	mostStretches = 12
	firstStretch  = 20 // texts; each further stretch ends where at least half as many more have gone
)

// alongOrder cuts a given order into stretches, at the ends of its runs, and looks at the first.
func (e *evidence) alongOrder() {
	e.stretches = append(e.stretches, unlimited)
	sum, least := 0, firstStretch
	for _, a := range e.state.Ahead {
		if a.N <= 0 || a.Stratum < 0 || a.Stratum >= e.strata {
			continue
		}
		if sum += a.N; sum >= least && len(e.stretches) < mostStretches {
			e.stretches = append(e.stretches[:len(e.stretches)-1], sum, unlimited)
			least = sum + sum/2
		}
	}
	if sum > 0 {
		e.reach(e.stretches[0])
	}
}

// reach says whom the next n texts reach where the order is given.
func (e *evidence) reach(n int) {
	left, sum := float64(n), 0.0
	clear(e.mix)
	for _, a := range e.state.Ahead {
		if a.N > 0 && a.Stratum >= 0 && a.Stratum < e.strata && left > 0 {
			x := min(left, float64(a.N))
			e.mix[a.Stratum] += x
			sum += x
			left -= x
		}
	}
	for i := range e.mix {
		e.mix[i] /= sum
	}
}

// fit learns rate, delay and strata together. Answers in a bin are Poisson with mean rate x theta x curve x texts that have been through
// the bin, so an answer that has not come yet is never taken for a no. Each curve keeps a weight: how well it explains what came.
func (e *evidence) fit() {
	for s := range e.theta {
		e.theta[s] = 1
	}
	var through [bins]float64
	var prior [mostCurves]float64
	copy(prior[:], e.weight[:])
	rounds := 3
	if e.answers == 0 {
		rounds = 2
	}
	for range rounds {
		through = e.through(e.seen)
		best := math.Inf(-1)
		for j := range e.templates {
			t := &e.prior[j]
			mass := dot(&through, t)
			log := math.Log(prior[j]) - (e.shape+e.answers)*math.Log(e.rate+mass)
			for k, y := range e.byBin {
				if y > 0 {
					log += y * math.Log(t[k])
				}
			}
			e.weight[j] = log
			best = max(best, log)
			e.long[j], e.curves[j] = e.refine(t, &through, mass)
		}
		sum := 0.0
		for j := range e.templates {
			e.weight[j] = math.Exp(e.weight[j] - best)
			sum += e.weight[j]
		}
		for j := range e.templates {
			e.weight[j] /= sum
		}
		e.compareStrata()
	}
	e.drop()
}

// refine lets the answers bend a template where they say so: each bin by what came against what was expected, rate and curve in turn
// until they agree. With few turns the rate visibly saw-tooths whenever sending pauses.
func (e *evidence) refine(t *curve, through *[bins]float64, mass float64) (rate float64, c curve) {
	rate, c = (e.shape+e.answers)/(e.rate+mass), *t
	if e.answers == 0 {
		return rate, c
	}
	for range 15 {
		for k := range bins {
			c[k] = t[k] * (curvePrior + e.byBin[k]) / (curvePrior + rate*through[k]*t[k])
		}
		c = c.normal()
		before := rate
		rate = (e.shape + e.answers) / (e.rate + dot(through, &c))
		if math.Abs(rate-before) < 1e-9*before {
			break
		}
	}
	return rate, c
}

func dot(a *[bins]float64, c *curve) (sum float64) {
	for k := range bins {
		sum += a[k] * c[k]
	}
	return sum
}

// shapes are how alike the strata may be, as shapes of the Gamma from which their responses come: from wildly different to nearly alike.
var (
	shapes     = [...]float64{1.5, 3, 6, 15, 50}
	shapePrior = [...]float64{.20, .35, .25, .12, .08}
)

// compareStrata learns how each stratum responds relative to the whole, and how alike the strata are.
func (e *evidence) compareStrata() {
	var expect [bins]float64 // per text of an average stratum
	for j := range e.templates {
		for k := range bins {
			expect[k] += e.weight[j] * e.long[j] * e.curves[j][k]
		}
	}
	expected := make([]float64, e.strata)
	for s := range expected {
		for k := range bins {
			expected[s] += expect[k] * e.seen[s][k]
		}
	}
	if e.state != nil && e.strata > 1 && e.answers > 0 {
		e.spread = likelyShape(e.byStratum, expected, e.spread)
	} else if e.spread == 0 {
		e.spread = 2
	}
	for s := range e.theta {
		e.theta[s] = (e.spread + e.byStratum[s]) / (e.spread + expected[s])
	}
}

// likelyShape weighs the shapes by how well they explain the strata's answers. known is the shape found in earlier campaigns, or 0.
func likelyShape(answers, expected []float64, known float64) float64 {
	var log [len(shapes)]float64
	best := math.Inf(-1)
	for i, a := range shapes {
		log[i] = math.Log(shapePrior[i])
		if known > 0 { // a firm but not a blind belief
			d := math.Log(a/known) / .5
			log[i] = -d * d / 2
		}
		for s, y := range answers {
			if x := expected[s]; x > 0 {
				up, _ := math.Lgamma(a + y)
				down, _ := math.Lgamma(a)
				log[i] += up - down + a*math.Log(a) - (a+y)*math.Log(a+x) + y*math.Log(x)
			}
		}
		best = max(best, log[i])
	}
	sum, inverse := 0.0, 0.0
	for i, a := range shapes {
		w := math.Exp(log[i] - best)
		sum += w
		inverse += w / a
	}
	return sum / inverse // what counts is the variance, which is one over the shape
}

// drop leaves out the curves that have become unlikely.
func (e *evidence) drop() {
	n, sum := 0, 0.0
	for j := range e.templates {
		if e.weight[j] >= unlikely {
			e.prior[n], e.curves[n], e.long[n], e.weight[n] = e.prior[j], e.curves[j], e.long[j], e.weight[j]
			sum += e.weight[j]
			n++
		}
	}
	e.templates = n
	for j := range n {
		e.weight[j] /= sum
	}
}

// presentLevel finds the level at which people answer now: recent evidence against the long run. Silence is weak evidence, hence the floor.
func (e *evidence) presentLevel() {
	e.weigh = min(firmest, e.shape+e.answers)
	recent := e.through(e.recent)
	for j := range e.templates {
		e.level[j] = max((e.weigh+e.faded)/(e.weigh/e.long[j]+dot(&recent, &e.curves[j])), silenceFloor*e.long[j])
	}
}

// through sums texts over strata, each counted by how it responds.
func (e *evidence) through(seen [][bins]float64) (sum [bins]float64) {
	for s := range seen {
		for k := range bins {
			sum[k] += e.theta[s] * seen[s][k]
		}
	}
	return sum
}

// mixed is how the next texts respond relative to the whole.
func (e *evidence) mixed() (sum float64) {
	for s, m := range e.mix {
		sum += m * e.theta[s]
	}
	return sum
}

// rateNow is the mean of answers per further text, and the certainty behind it as the shape of a Gamma.
func (e *evidence) rateNow() (mean, shape float64) {
	mixed := e.mixed()
	for j := range e.templates {
		mean += e.weight[j] * e.level[j] * mixed
	}
	return mean * (1 + e.surge.weight*(e.surge.factor-1)), e.weigh + e.faded
}

// mature is how many texts have had the time to answer if people are slow, in one stratum or, if it is negative, in all.
func (e *evidence) mature(stratum int) float64 {
	sum := 0.0
	for i := range e.cohorts {
		n := 0.0
		if stratum >= 0 {
			n = e.cohorts[i].n[stratum]
		} else {
			for _, x := range e.cohorts[i].n {
				n += x
			}
		}
		if n > 0 {
			sum += n * templateCurves[slowTemplate].by(e.cohorts[i].age)
		}
	}
	return sum
}

// seenStrata is from how many strata the evidence comes, were they equally many texts of each. What one practice has shown says little of the
// next: its own response and that of the whole cannot be told apart.
func (e *evidence) seenStrata() float64 {
	squares := 0.0
	for _, n := range e.sent {
		squares += n * n
	}
	if squares <= 0 {
		return 0
	}
	return e.allSent * e.allSent / squares
}

// some is a count that may be nonsense.
func some(n float64) float64 {
	if n > 0 { // not for NaN either
		return n
	}
	return 0
}
