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

// The curves between which the evidence chooses, from fast to very slow, and how likely each is beforehand.
const templates = 4

var (
	templateCurves = [templates]curve{
		mixture(.72, .3, 1, .2, 4, 1, .08, 36, 1),
		mixture(.42, .5, 1.1, .33, 6, 1.1, .25, 50, 1.1),
		mixture(.22, .6, 1.1, .33, 10, 1.1, .45, 80, 1.1),
		mixture(.10, .8, 1.1, .22, 16, 1.1, .68, 140, 1),
	}
	templatePrior = [templates]float64{.25, .40, .20, .15}
)

// slowTemplate is the curve that the maturity limit assumes.
const slowTemplate = 2

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

const (
	priorMean, priorShape = .015, .5
	hourly                = 48        // cohorts older than so many hours are merged by day
	oldest                = 60        // days, at which the last cohort collects the rest
	fade                  = ln2 / 100 // per response-hour: evidence on the present level has a half-life of about six days
	ln2                   = math.Ln2
)

// cohort is a group of texts of about the same age.
type cohort struct {
	age float64 // response-hours since delivery
	n   []float64
}

// past is the response clock behind us, by UTC hour.
type past struct {
	first int64
	clock []float64 // at the start of hour first+i
	now   float64
}

func newPast(now time.Time, loc *time.Location, first int64) past {
	last := now.Unix() / 3600
	first = min(first, last)
	p := past{first: first, clock: make([]float64, last-first+2)}
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
	p.now = p.at(float64(now.Unix()) / 3600)
	return p
}

// at is the clock at a unix hour with fraction.
func (p *past) at(hour float64) float64 {
	x := hour - float64(p.first)
	if x <= 0 {
		return 0
	}
	i := int(x)
	if i >= len(p.clock)-1 {
		return p.clock[len(p.clock)-1]
	}
	return p.clock[i] + (p.clock[i+1]-p.clock[i])*(x-float64(i))
}

// evidence is what one campaign's counters say about its response.
type evidence struct {
	strata  int
	cohorts []cohort
	mix     []float64 // of the next texts over strata, sums to 1
	sent    []float64 // by stratum, on the way included
	allSent float64

	seen, recent   [][bins]float64 // texts that have been through each delay bin, by stratum; recent fades
	byBin          [bins]float64   // answers
	byStratum      []float64
	answers, faded float64

	shape, rate float64 // Gamma prior

	weight [templates]float64
	curves [templates]curve
	level  [templates]float64 // present answers per text
	theta  []float64          // a stratum's response relative to the whole
	weigh  float64            // how many answers the long-run rate counts for
}

func gather(now time.Time, p *past, policy *CampaignPolicy, s *CampaignState) *evidence {
	n := max(len(s.Strata), len(s.Sizes), 1)
	e := &evidence{strata: n, shape: policy.PriorShape}
	if e.shape <= 0 {
		e.shape = priorShape
	}
	mean := policy.PriorMean
	if mean <= 0 {
		mean = priorMean
	}
	e.rate = e.shape / mean
	flat := make([]float64, 4*n)
	e.sent, e.mix, e.byStratum, e.theta = flat[:n], flat[n:2*n], flat[2*n:3*n], flat[3*n:]
	tables := make([][bins]float64, 2*n)
	e.seen, e.recent = tables[:n], tables[n:]

	nowHour := float64(now.Unix()) / 3600
	e.group(int64(nowHour), nowHour, p, s)
	for i := range e.cohorts {
		e.expose(&e.cohorts[i])
	}
	for _, a := range s.Answers {
		if a.N > 0 && a.Stratum >= 0 && a.Stratum < n {
			e.answer(p, nowHour, a)
		}
	}
	e.mixture(s)
	e.fit()
	return e
}

// group sorts delivery counts into cohorts, the young by hour and the old by day.
func (e *evidence) group(current int64, now float64, p *past, s *CampaignState) {
	const slots = hourly + oldest
	var at [slots + 1]int16 // cohort + 1
	flat := make([]float64, 0, 64*e.strata)
	add := func(slot int, stratum int, n int, clock float64) {
		i := at[slot]
		if i == 0 {
			if cap(flat)-len(flat) < e.strata {
				flat = make([]float64, 0, 64*e.strata)
			}
			flat = flat[:len(flat)+e.strata]
			e.cohorts = append(e.cohorts, cohort{n: flat[len(flat)-e.strata:]})
			i = int16(len(e.cohorts))
			at[slot] = i
		}
		c := &e.cohorts[i-1]
		c.n[stratum] += float64(n)
		c.age += float64(n) * max(0, p.now-clock) // a mean at last
		e.sent[stratum] += float64(n)
		e.allSent += float64(n)
	}
	for _, d := range s.Delivered {
		if d.N <= 0 || d.Stratum < 0 || d.Stratum >= e.strata {
			continue
		}
		back := max(0, current-d.Hour)
		slot := int(back)
		if back >= hourly {
			slot = int(min(hourly+(back-hourly)/24, slots-1))
		}
		// Deliveries count as of the middle of their hour, those of this hour as of the middle of what has passed of it.
		add(slot, d.Stratum, d.N, p.at((float64(d.Hour)+min(float64(d.Hour+1), now))/2))
	}
	if s.OnTheWay > 0 {
		split := proportional(s.OnTheWay, s.OnTheWayBy, s.Sizes, e.strata)
		for i, n := range split {
			if n > 0 {
				add(slots, i, n, p.now)
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

// expose counts the bins that a cohort has been through.
func (e *evidence) expose(c *cohort) {
	for k := range bins {
		lo, hi := edges[k], min(edges[k+1], c.age)
		if hi <= lo {
			break
		}
		width := edges[k+1] - edges[k]
		whole := (hi - lo) / width
		faded := (math.Exp(-fade*(c.age-hi)) - math.Exp(-fade*(c.age-lo))) / (fade * width)
		for s, n := range c.n {
			if n != 0 {
				e.seen[s][k] += n * whole
				e.recent[s][k] += n * faded
			}
		}
	}
}

// answer counts answers by age. Both hours are known only to the hour, so the age is spread over what it may have been.
func (e *evidence) answer(p *past, now float64, a Answer) {
	n := float64(a.N)
	mid := func(h int64) float64 { return p.at((float64(h) + min(float64(h+1), now)) / 2) }
	from, to := mid(a.Delivered), mid(max(a.Answered, a.Delivered))
	switch age := to - from; {
	case a.Answered <= a.Delivered: // the density falls from the start to the whole hour
		e.byBin[0] += .75 * n
		e.byBin[1] += .25 * n
	case a.Answered == a.Delivered+1:
		e.byBin[0] += .125 * n
		e.byBin[1] += .375 * n
		e.byBin[2] += .5 * n
	default:
		e.byBin[binOf(age-.4)] += n / 3
		e.byBin[binOf(age)] += n / 3
		e.byBin[binOf(age+.4)] += n / 3
	}
	e.byStratum[a.Stratum] += n
	e.answers += n
	e.faded += n * math.Exp(-fade*max(0, p.now-to))
}

func binOf(age float64) int {
	for k := range bins {
		if age < edges[k+1] {
			return k
		}
	}
	return bins - 1
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

// fit learns rate, delay and strata together. Answers in a bin are Poisson with mean rate x theta x curve x texts that have been through
// the bin, so an answer that has not come yet is never taken for a no.
func (e *evidence) fit() {
	for s := range e.theta {
		e.theta[s] = 1
	}
	var long [templates]float64
	var through [bins]float64
	for range 3 {
		through = e.through(e.seen)
		best := math.Inf(-1)
		for j := range templates {
			t := &templateCurves[j]
			mass := 0.0
			for k := range bins {
				mass += through[k] * t[k]
			}
			log := math.Log(templatePrior[j]) - (e.shape+e.answers)*math.Log(e.rate+mass)
			for k, y := range e.byBin {
				if y > 0 {
					log += y * math.Log(t[k])
				}
			}
			e.weight[j] = log
			best = max(best, log)

			p, c := (e.shape+e.answers)/(e.rate+mass), *t
			for range 15 { // fewer leave a visible saw-tooth whenever sending pauses
				for k := range bins {
					c[k] = t[k] * (3 + e.byBin[k]) / (3 + p*through[k]*t[k])
				}
				c = c.normal()
				mass = 0
				for k := range bins {
					mass += through[k] * c[k]
				}
				p = (e.shape + e.answers) / (e.rate + mass)
			}
			long[j], e.curves[j] = p, c
		}
		sum := 0.0
		for j := range e.weight {
			e.weight[j] = math.Exp(e.weight[j] - best)
			sum += e.weight[j]
		}
		var expect [bins]float64 // per text of an average stratum
		for j := range e.weight {
			e.weight[j] /= sum
			for k := range bins {
				expect[k] += e.weight[j] * long[j] * e.curves[j][k]
			}
		}
		for s := range e.theta {
			expected := 0.0
			for k := range bins {
				expected += expect[k] * e.seen[s][k]
			}
			e.theta[s] = (2 + e.byStratum[s]) / (2 + expected)
		}
	}
	// The present level follows recent evidence. Silence is weak evidence: it must not open the tap, hence the floor.
	e.weigh = min(20, e.shape+e.answers)
	recent := e.through(e.recent)
	for j := range templates {
		mass := 0.0
		for k := range bins {
			mass += recent[k] * e.curves[j][k]
		}
		e.level[j] = max((e.weigh+e.faded)/(e.weigh/long[j]+mass), .7*long[j])
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

// present is the mean level over the templates and the certainty behind it, as the shape of a Gamma.
func (e *evidence) present() (mean, shape float64) {
	mixed := 0.0
	for s, m := range e.mix {
		mixed += m * e.theta[s]
	}
	for j, w := range e.weight {
		mean += w * e.level[j] * mixed
	}
	return mean, e.weigh + e.faded
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
