package throttle

import (
	"math"
	"time"
)

// Something may have changed: a newspaper prints the link, the form is down, somebody is ill at home and has told nobody. Each of these is
// looked for in the same way: over windows that end now, what came is compared with what the evidence outside the window lets expect. The
// answer is a chance, not an alarm, and it goes into the risk like every other chance; only silence asks for a person.

// windowHours are the windows' lengths in response-hours.
var windowHours = [...]float64{1, 2, 4, 8, 16, 32, 64}

// factors are by how much a surge may multiply the answers.
var factors = [...]float64{1.6, 2.5, 4, 6}

const (
	surgeChance  = .15 // beforehand, that a surge has begun within the longest window
	levelNoise   = .03 // variance of a few days' response relative to the level
	silenceScore = 6.  // log likelihood ratio of "a tenth of the usual answers" at which somebody has to look
	silenceRate  = .1
	backAgain    = 3 // answers that end a silence without anybody's word
	mostQuiet    = 20
	enoughStarts = 20
	comparable   = .2 // of all that texts have lived through must lie before a window, or its edge blurs the comparison
)

// surge is the chance that more people answer than before, and how many more.
type surge struct {
	weight   float64
	factor   float64 // for further texts; each cohort has its own boost
	variance float64 // of the factor, relative to its square
}

// window is what came and what was to be expected in one window.
type window struct {
	hours      float64
	came, mean float64
	outside    float64 // answers before the window
	shape      float64 // certainty of the mean
	level      float64 // answers per text outside the window
	known      bool    // enough went before to compare with
	young      bool    // it is about texts delivered within the window, else about all answers in it

	faded, mass, fading float64 // sums on the way to the above
}

// score is the log likelihood ratio of factor g against none; the mean is Gamma distributed.
func (w *window) score(g float64) float64 {
	return w.came*math.Log(g) - (w.came+w.shape)*math.Log((w.shape+g*w.mean)/(w.shape+w.mean))
}

// average is the likely curve and level.
func (e *evidence) average() (c curve, level float64) {
	for j := range e.templates {
		level += e.weight[j] * e.level[j]
		for k := range bins {
			c[k] += e.weight[j] * e.curves[j][k]
		}
	}
	return c, level
}

// look compares each window with what went before it: first those about all answers, then those about young texts.
func (e *evidence) look() (all [2 * len(windowHours)]window) {
	const n = len(windowHours)
	for i, hours := range windowHours {
		all[i] = window{hours: hours}
		all[n+i] = window{hours: hours, young: true}
	}
	for i := range e.state.Answers {
		a := &e.state.Answers[i]
		if !e.counts(a) {
			continue
		}
		answered, delivered := e.p.ago(a.Answered), e.p.ago(a.Delivered)
		faded := a.N * math.Exp(-fade*answered)
		for i := n - 1; i >= 0 && answered <= windowHours[i]; i-- {
			all[i].came += a.N
			all[i].faded += faded
			if delivered <= windowHours[i] {
				all[n+i].came += a.N
				all[n+i].faded += faded
			}
		}
	}
	c, _ := e.average()
	for i := range e.cohorts {
		co := &e.cohorts[i]
		weighed := 0.0
		for s, x := range co.n {
			weighed += x * e.theta[s]
		}
		for i := n - 1; i >= 0; i-- {
			mass, fading := e.lived(co, &c, max(0, co.age-windowHours[i]))
			all[i].mass += weighed * mass
			all[i].fading += weighed * fading
			if co.age <= windowHours[i] {
				all[n+i].mass += weighed * mass
				all[n+i].fading += weighed * fading
			}
		}
	}
	seen, recent := e.through(e.seen), e.through(e.recent)
	through, fresh := dot(&seen, &c), dot(&recent, &c)
	starts := e.useStarts()
	for i := range all {
		w := &all[i]
		w.outside = max(0, e.answers-w.came)
		w.known = through-w.mass >= comparable*through
		long := (e.shape + w.outside) / (e.rate + max(0, through-w.mass))
		weigh, faded := min(firmest, e.shape+w.outside), max(0, e.faded-w.faded)
		w.level = max((weigh+faded)/(weigh/long+max(0, fresh-w.fading)), silenceFloor*long)
		w.shape = 1 / (1/(weigh+faded) + levelNoise)
		w.mean = w.level * w.mass
		if starts && !w.young { // more people press Start than send the form, and sooner: the earlier signal
			w.came = 0
			for _, c := range e.state.Starts {
				if e.p.ago(c.At) <= w.hours {
					w.came += some(c.N)
				}
			}
			w.mean *= e.startsPerAnswer()
			w.shape = 1 / (1/w.shape + 1/e.answers + 1/e.starts()) // how many start for each who sends is not quite known either
		}
	}
	return all
}

// lived is the share of a curve that a cohort has lived through since an age, and the same faded; explained silences do not count.
func (e *evidence) lived(co *cohort, c *curve, since float64) (whole, faded float64) {
	add := func(from, to, sign float64) {
		for k := binOf(from); k < bins && edges[k] < to; k++ {
			lo, hi := max(from, edges[k]), min(edges[k+1], to)
			if hi <= lo {
				continue
			}
			x := sign * c[k] / (edges[k+1] - edges[k])
			whole += x * (hi - lo)
			faded += x * (co.fadedAt(k+1, hi) - co.fadedAt(k, lo)) / fade
		}
	}
	add(since, co.age, 1)
	for _, q := range e.quiet {
		if from, to := max(since, co.age-q[0]), co.age-q[1]; to > from {
			add(from, to, -1)
		}
	}
	return whole, faded
}

// starts counts all of them.
func (e *evidence) starts() (n float64) {
	for _, c := range e.state.Starts {
		n += some(c.N)
	}
	return n
}

func (e *evidence) useStarts() bool {
	return e.answers >= matureStratum && e.starts() >= enoughStarts
}

// startsPerAnswer is how many people press Start for each who sends the form.
func (e *evidence) startsPerAnswer() float64 {
	const weight = 5 // answers for which earlier campaigns count
	return max(1, (e.starts()+weight*e.startsBefore)/(e.answers+weight))
}

// lookForSurge weighs the hypotheses "since so many hours ago people answer g times as often", for texts of these hours and for all texts.
func (e *evidence) lookForSurge() surge {
	s := surge{factor: 1}
	if e.answers == 0 {
		return s
	}
	_, level := e.average()
	prior := surgeChance / (1 - surgeChance) / float64(len(e.windows)*len(factors))
	type hypothesis struct {
		odds, factor, hours, shape float64
		young                      bool
	}
	var all [2 * len(windowHours) * len(factors)]hypothesis
	n := 0
	sum := 0.0
	for i := range e.windows {
		w := &e.windows[i]
		if w.mean <= 0 || !w.known {
			continue
		}
		for _, g := range factors {
			h := hypothesis{odds: prior * math.Exp(min(w.score(g), 50)), factor: max(1, g*w.level/level), hours: w.hours, young: w.young, shape: w.shape + w.came}
			sum += h.odds
			all[n] = h
			n++
		}
	}
	if sum == 0 {
		return s
	}
	s.weight, s.factor = beyond(sum/(1+sum), surgeChance), 0
	square := 0.0
	for i := range e.cohorts {
		e.cohorts[i].boost = 0
	}
	for _, h := range all[:n] {
		w := h.odds / sum
		s.factor += w * h.factor
		square += w * h.factor * h.factor * (1 + 1/h.shape)
		for i := range e.cohorts {
			if c := &e.cohorts[i]; h.young && c.age > h.hours {
				c.boost += w
			} else {
				c.boost += w * h.factor
			}
		}
	}
	s.variance = max(0, square/(s.factor*s.factor)-1)
	return s
}

// silence decides whether answers have stopped, and remembers it: it holds the campaign until a person has looked at the link, or until
// answers come again. Then the silence is explained and says nothing about how many people answer. It never makes more texts go.
func (e *evidence) silence(now time.Time) Memory {
	m := e.state.Memory
	if m.Silence != nil {
		back := 0.0
		for i := range e.state.Answers {
			if a := &e.state.Answers[i]; a.Answered > m.Silence.To {
				back += some(a.N)
			}
		}
		resumed := e.state.Resumed.Unix() > m.Silence.To
		if !resumed && back < backAgain {
			return m
		}
		quiet := append([]Silence(nil), m.Quiet...)
		if len(quiet) == mostQuiet {
			quiet = quiet[1:]
		}
		m.Quiet, m.Silence = append(quiet, Silence{m.Silence.From, now.Unix()}), nil
		return m
	}
	if e.answers < matureStratum || e.state.Resumed.Unix() >= now.Unix() { // somebody has looked this very minute
		return m
	}
	for i := range windowHours {
		w := &e.windows[i]
		if !w.known || w.outside < matureStratum || w.score(silenceRate) < silenceScore {
			continue
		}
		from := e.p.when(w.hours)
		for _, q := range m.Quiet {
			from = max(from, q.To)
		}
		m.Silence = &Silence{from, now.Unix()}
		return m
	}
	return m
}

// beyond is how much of a chance is due to evidence: what could happen any day is the business of LimitStress.
func beyond(chance, prior float64) float64 { return max(0, chance-prior) / (1 - prior) }

// when is the instant so many response-hours ago.
func (p *past) when(ago float64) int64 {
	lo, hi := p.first*3600, p.unix
	for hi-lo > 60 {
		mid := (lo + hi) / 2
		if p.ago(mid) > ago {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// Other referrals: a slow background in working hours, and perhaps a wave, when somebody has passed the general link on.
const (
	otherPriorCount, otherPriorHours = .25, 40.
	otherDays                        = 28
	waveChance                       = .01
	waveHalfLife                     = 16. // response-hours
	waveFactor                       = 5.
)

// others is what comes besides the campaigns' answers.
type others struct {
	perHour float64 // of working time
	seen    float64
	wave    float64 // further referrals per response-hour now, dying away
	chance  float64 // of a wave
}

// lookAtOthers learns the background, with a prior strong enough not to jump, and looks for a wave.
func lookAtOthers(now time.Time, p *TeamPolicy, g *grid, behind *past, s *TeamState, first time.Time) others {
	o := others{}
	from := now.Add(-otherDays * 24 * time.Hour)
	if first.After(from) {
		from = first
	}
	for _, h := range s.Other {
		if h.At >= from.Unix() && h.At <= now.Unix() {
			o.seen += some(h.N)
		}
	}
	hours := p.working(g, from, now)
	o.perHour = (otherPriorCount + o.seen) / (otherPriorHours + hours)
	odds := 0.0
	for _, length := range [...]float64{2, 4, 8, 16, 32} {
		came := 0.0
		start := behind.when(length)
		for _, h := range s.Other {
			if h.At > start && h.At <= now.Unix() {
				came += some(h.N)
			}
		}
		if came < 3 {
			continue
		}
		inside := p.working(g, time.Unix(start, 0), now)
		shape := otherPriorCount + max(0, o.seen-came)
		rate := shape / (otherPriorHours + max(0, hours-inside))
		// People ask at night too when they have it from a friend: the background there is small but not nothing.
		w := window{came: came, mean: rate * max(inside, .2*length), shape: 1 / (1/(shape+1) + levelNoise)}
		x := waveChance / 5 * math.Exp(min(w.score(waveFactor), 50))
		if extra := (came - w.mean) / length; extra > 0 {
			o.wave += x * extra
			odds += x
		}
	}
	if odds > 0 {
		o.wave /= odds
		o.chance = odds / (1 + odds)
		// While a wave is likely the background is what it was before.
		o.perHour *= 1 - .5*o.chance
	}
	return o
}

// by is the mean and the variance of other referrals within so many working hours and response-hours from now.
func (o *others) by(working, response float64) (mean, variance float64) {
	mean = o.perHour * working
	variance = mean + mean*mean/(otherPriorCount+o.seen)
	if o.chance > 0 {
		wave := o.wave * waveHalfLife / ln2 * (1 - math.Exp2(-response/waveHalfLife))
		mean += o.chance * wave
		variance += o.chance*(wave+.25*wave*wave) + o.chance*(1-o.chance)*wave*wave
	}
	return mean, variance
}
