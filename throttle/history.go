package throttle

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Bins is the number of delay bins in which a campaign's answers are counted, by response-hours since delivery.
const Bins = bins

// Lesson is what one campaign taught about how people answer. It holds no person and no practice, only sums, so that it can be kept.
// It is stored: if the bins ever change, what was stored has to go.
type Lesson struct {
	Ended time.Time
	Texts float64 // delivered
	// Answers by delay bin, and the texts that have been through each bin, each text weighted by how its stratum responds.
	Answers, Through [Bins]float64
	// Spread is the variance of the strata's response relative to the whole, less what chance explains; 0 if it cannot be told.
	Spread float64
	// Starts per answer; 0 if none were counted.
	Starts float64
}

// Prior is what earlier campaigns of the same network let one expect of the next.
type Prior struct {
	// Mean answers per delivered text, and the certainty behind it as the shape of a Gamma.
	Mean, Shape float64
	// Curves are shares of answers by delay bin, with the weight of each; they join the built-in ones.
	Curves []WeightedCurve
	// Spread as in Lesson; 0 means unknown.
	Spread float64
	// Starts per answer; 0 means unknown.
	Starts float64
}

// WeightedCurve is a delay curve and how much it counts for.
type WeightedCurve struct {
	Weight float64
	Share  [Bins]float64
}

const (
	enoughToCompare = 20  // answers below which the strata's differences are chance as far as anybody can tell
	leastSpread     = .02 // strata are never taken to be more alike than this
)

// Learn sums up a campaign. It may be asked while late answers are still to come: a text counts only for the delays that it has lived
// through, so an early lesson says less about the slow but nothing wrong. What earlier campaigns taught does not enter; it would count
// twice.
func Learn(now time.Time, p CampaignPolicy, s CampaignState) Lesson {
	p.Prior = nil
	if m := &s.Memory; m.Silence != nil { // nobody has said whether the link worked
		m.Quiet = append(slices.Clone(m.Quiet), Silence{m.Silence.From, now.Unix()})
		m.Silence = nil
	}
	s.OnTheWay, s.OnTheWayBy = 0, nil // never delivered, by now
	first := now.Unix()
	l := Lesson{Ended: now}
	for _, d := range s.Delivered {
		first = min(first, d.At)
	}
	for _, a := range s.Answers {
		first = min(first, a.Delivered)
	}
	const longest = 5 * 366 * 24 // hours
	behind := newPast(now, london, max(first/3600, now.Unix()/3600-longest))
	e := gather(&behind, &p, &s)
	l.Texts = e.allSent
	l.Answers, l.Through = e.byBin, e.through(e.seen)
	l.Spread = e.difference()
	if n := e.starts(); n > 0 && e.answers > 0 {
		l.Starts = max(1, n/e.answers)
	}
	return l
}

// difference is the variance of the strata's response relative to the whole, by moments: squared deviations less those of a Poisson.
func (e *evidence) difference() float64 {
	if e.answers < enoughToCompare {
		return 0
	}
	expected := make([]float64, e.strata)
	sum := 0.0
	for s := range expected {
		for j := range e.templates {
			expected[s] += e.weight[j] * e.long[j] * dot(&e.seen[s], &e.curves[j])
		}
		sum += expected[s]
	}
	if sum <= 0 {
		return 0
	}
	over, squares, n := 0.0, 0.0, 0.0
	for s, m := range expected {
		m *= e.answers / sum
		if m <= 0 {
			continue
		}
		d := e.byStratum[s] - m
		over += d*d - m
		squares += m * m
		n++
	}
	if n < 2 {
		return 0
	}
	return max(leastSpread, (over*n/(n-1))/squares)
}

const (
	mostLessons  = 20  // the newest
	mostLearned  = 3   // curves
	alike        = .12 // two curves are one if their shares of answers by any age differ by less
	curveAnswers = 15  // answers below which a curve is the built-in one with another name
	// Campaigns of one network differ: by so much, as a variance relative to the square, before there are two to compare, and for so many
	// campaigns does that belief count.
	betweenCampaigns, belief = 1. / 3, 2.
	mostShape                = 6   // however alike they were, the next may be another
	mustAllow                = .06 // answers per text that one campaign in a hundred must be expected to reach, whatever came before
)

// PriorFrom turns lessons into what to expect next; nil without any. Their order does not matter.
//
// The rate is the middle one of the lessons, so that one odd campaign does not move it; how sure to be follows from how far apart they lie,
// so that one odd campaign does make it less sure.
func PriorFrom(lessons []Lesson) *Prior {
	var all []lesson
	for _, l := range lessons {
		if x, ok := l.read(); ok {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, lesson.compare) // sums of floats depend on the order
	all = all[max(0, len(all)-mostLessons):]
	if len(all) == 0 {
		return nil
	}
	p := &Prior{}
	p.Mean, p.Shape = rates(all)
	p.Curves = learned(all)
	weighSpread, weighStarts := 0.0, 0.0
	for _, l := range all {
		if l.Spread > 0 {
			p.Spread += l.Spread * l.answers
			weighSpread += l.answers
		}
		if l.Starts > 0 {
			p.Starts += l.Starts * l.answers
			weighStarts += l.answers
		}
	}
	if weighSpread > 0 {
		p.Spread = max(leastSpread, p.Spread/weighSpread)
	}
	if weighStarts > 0 {
		p.Starts /= weighStarts
	}
	return p
}

// lesson is one with what follows from it.
type lesson struct {
	Lesson
	answers float64
	rate    float64
	curve   curve
	chance  float64 // variance of the rate relative to its square, by chance alone
}

// read fits rate and curve as for a running campaign. A lesson that says nothing, or nonsense, is left out.
func (l Lesson) read() (lesson, bool) {
	x := lesson{Lesson: l}
	through := 0.0
	for k := range bins {
		if !(l.Answers[k] >= 0 && l.Answers[k] < 1e9 && l.Through[k] >= 0 && l.Through[k] < 1e12) { // not for NaN either
			return x, false
		}
		x.answers += l.Answers[k]
		through += l.Through[k]
	}
	if through <= 0 {
		return x, false
	}
	if !(l.Spread > 0 && l.Spread < 100) {
		x.Spread = 0
	}
	if !(l.Starts > 0 && l.Starts < 1e6) {
		x.Starts = 0
	}
	e := evidence{state: &CampaignState{}, strata: 1, shape: priorShape, rate: priorShape / priorMean, seen: [][bins]float64{l.Through},
		byBin: l.Answers, answers: x.answers, byStratum: []float64{x.answers}, theta: []float64{1}}
	e.expect(nil)
	e.fit()
	for j := range e.templates {
		x.rate += e.weight[j] * e.long[j]
		for k := range bins {
			x.curve[k] += e.weight[j] * e.curves[j][k]
		}
	}
	x.curve = x.curve.normal()
	// What the curves do not agree on, the rate does not know either.
	x.chance = 1 / (priorShape + x.answers)
	for j := range e.templates {
		d := e.long[j]/x.rate - 1
		x.chance += e.weight[j] * d * d
	}
	return x, true
}

func (l lesson) compare(o lesson) int {
	if c := l.Ended.Compare(o.Ended); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(l.Texts, o.Texts), cmp.Compare(l.Spread, o.Spread), cmp.Compare(l.Starts, o.Starts)); c != 0 {
		return c
	}
	return cmp.Or(slices.Compare(l.Answers[:], o.Answers[:]), slices.Compare(l.Through[:], o.Through[:]))
}

// rates finds the mean of the answers per text and the shape of a Gamma around it.
func rates(all []lesson) (mean, shape float64) {
	type point struct{ log, weight float64 }
	points := make([]point, len(all))
	sum, answers := 0.0, 0.0
	for i, l := range all {
		points[i] = point{math.Log(l.rate), betweenCampaigns / (betweenCampaigns + l.chance)} // 1 for a lesson without chance
		sum += points[i].weight
		answers += l.answers
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.log, b.log) })
	// The weighted middle, between two points in proportion.
	middle, before := points[len(points)-1].log, 0.0
	for i, x := range points {
		upTo := before + x.weight/2
		if upTo >= sum/2 {
			middle = x.log
			if i > 0 {
				last := before - points[i-1].weight/2
				middle = points[i-1].log + (x.log-points[i-1].log)*(sum/2-last)/(upTo-last)
			}
			break
		}
		before += x.weight
	}
	apart := 0.0
	for _, l := range all {
		d := math.Log(l.rate) - middle
		apart += betweenCampaigns / (betweenCampaigns + l.chance) * max(0, d*d-l.chance)
	}
	square := (belief*betweenCampaigns+apart)/(belief+max(0, sum-1)) + 1/(priorShape+answers)
	return cautious(math.Exp(middle), min(max(1/square, priorShape), mostShape))
}

// cautious keeps a low rate from making the next campaign bold: its list may be of other people. That many have answered is taken at its
// word, that few have is not: the mean is never below the wide prior's, and the tail never much lighter. In the simulator a firm belief in
// .75 % called a quarter of the people too late when 8 % answered, and won no time when .3 % did.
func cautious(mean, shape float64) (float64, float64) {
	mean = max(mean, priorMean)
	const inHundred = 2.3263
	for shape > priorShape && quantile(mean, shape, inHundred) < mustAllow {
		shape = max(priorShape, shape*.98)
	}
	return mean, shape
}

// learned are the lessons' curves. Those that are alike become one; of more than a few, the closest.
func learned(all []lesson) []WeightedCurve {
	type group struct {
		answers, weight float64
		curve           curve
	}
	var groups []group
	for _, l := range all {
		if l.answers > 0 {
			groups = append(groups, group{l.answers, l.answers / (l.answers + curveAnswers), l.curve})
		}
	}
	for len(groups) > 1 {
		best, x, y := math.Inf(1), 0, 0
		for i := range groups {
			for j := range i {
				if d := groups[i].curve.apart(&groups[j].curve); d < best {
					best, x, y = d, j, i
				}
			}
		}
		if best > alike && len(groups) <= mostLearned {
			break
		}
		a, b := groups[x], groups[y]
		for k := range bins {
			a.curve[k] = (a.answers*a.curve[k] + b.answers*b.curve[k]) / (a.answers + b.answers)
		}
		a.answers += b.answers
		a.weight += b.weight
		groups[x] = a
		groups = slices.Delete(groups, y, y+1)
	}
	var out []WeightedCurve
	for _, g := range groups {
		if g.answers >= curveAnswers {
			out = append(out, WeightedCurve{g.weight, g.curve.normal()})
		}
	}
	return out
}

// apart is by how much two curves' shares of answers by any age differ at most.
func (c *curve) apart(o *curve) (most float64) {
	a, b := 0.0, 0.0
	for k := range bins {
		a, b = a+c[k], b+o[k]
		most = max(most, math.Abs(a-b))
	}
	return most
}
