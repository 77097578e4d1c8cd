package throttle

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lessonOf is what a campaign of so many texts teaches long after its end, if people answer at a rate and by a curve.
func lessonOf(ended time.Time, texts, rate float64, c curve) Lesson {
	l := Lesson{Ended: ended, Texts: texts}
	for k := range bins {
		l.Through[k] = texts
		l.Answers[k] = texts * rate * c[k]
	}
	return l
}

func TestLearn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	now := monday.AddDate(0, 0, 40)
	const rate = .03
	s := history(rng, now, 40, 100, 8, rate)
	came := 0.0
	for i, a := range s.Answers {
		came += a.N
		if i%2 == 0 {
			s.Starts = append(s.Starts, Cell{a.Answered, a.Stratum, 3 * a.N})
		}
	}
	l := Learn(now, CampaignPolicy{}, s)
	answers := 0.0
	for k := range bins {
		answers += l.Answers[k]
		if k > 0 && l.Through[k] > l.Through[k-1]+1e-6 {
			t.Errorf("more texts have been through bin %d than through the one before", k)
		}
	}
	if math.Abs(answers-came) > 1e-6 || l.Texts < 2000 || l.Ended != now {
		t.Errorf("%.1f answers of %.0f, %.0f texts, ended %v", answers, came, l.Texts, l.Ended)
	}
	if got := l.Starts; got < 1.4 || got > 1.6 {
		t.Errorf("%.2f starts per answer, want about 1.5", got)
	}
	if l.Spread > .1 {
		t.Errorf("strata that are alike are taken to differ by %.2f", l.Spread)
	}
	p := PriorFrom([]Lesson{l})
	if p.Mean < rate*.75 || p.Mean > rate*1.35 {
		t.Errorf("rate %.4f, want about %.4f", p.Mean, rate)
	}

	// What earlier campaigns taught must not be taught again, and what may never have been delivered says nothing.
	biased := s
	biased.OnTheWay = 900
	if again := Learn(now, CampaignPolicy{Prior: &Prior{Mean: .2, Shape: 12, Spread: 1}}, biased); !reflect.DeepEqual(again, l) {
		t.Errorf("the lesson depends on the prior or on texts under way:\n%+v\n%+v", again, l)
	}

	// Half way through, with the slow answers missing, it says the same of the rate.
	early := Learn(monday.AddDate(0, 0, 4), CampaignPolicy{}, history(rand.New(rand.NewPCG(5, 6)), monday.AddDate(0, 0, 4), 4, 800, 8, rate))
	if e := PriorFrom([]Lesson{early}); e.Mean < rate*.7 || e.Mean > rate*1.45 {
		t.Errorf("an early lesson says %.4f, want about %.4f", e.Mean, rate)
	}
}

func TestLearn_silence(t *testing.T) {
	now := monday.AddDate(0, 0, 30)
	s := history(rand.New(rand.NewPCG(3, 4)), now, 30, 200, 4, .03)
	broke := monday.AddDate(0, 0, 20).Unix()
	kept := s.Answers[:0:0]
	for _, a := range s.Answers {
		if a.Answered < broke {
			kept = append(kept, a)
		}
	}
	s.Answers = kept
	blind := PriorFrom([]Lesson{Learn(now, CampaignPolicy{}, s)}).Mean
	s.Memory.Silence = &Silence{broke, broke + 3600}
	if seen := PriorFrom([]Lesson{Learn(now, CampaignPolicy{}, s)}).Mean; seen < 1.15*blind || seen < .024 || seen > .04 {
		t.Errorf("a dead link teaches that %.4f answer (%.4f if nobody noticed), want about .03", seen, blind)
	}
	if s.Memory.Silence == nil || len(s.Memory.Quiet) != 0 {
		t.Error("Learn has changed its argument")
	}
}

func TestLearn_spread(t *testing.T) {
	var s CampaignState
	var rate [8]float64
	for i := range rate { // coefficient of variation .5
		rate[i] = .01 * (1 + .5*float64(1-2*(i%2)))
		s.Sizes = append(s.Sizes, 4000)
		s.Delivered = append(s.Delivered, Cell{monday.Unix(), i, 4000})
		s.Answers = append(s.Answers, Answer{monday.Unix(), monday.Unix() + 3600, i, 4000 * rate[i]})
	}
	l := Learn(monday.AddDate(0, 0, 60), CampaignPolicy{}, s)
	if l.Spread < .2 || l.Spread > .33 {
		t.Errorf("spread %.3f, want about .25", l.Spread)
	}
	few := s
	few.Answers = few.Answers[:0:0]
	for i := range rate {
		few.Answers = append(few.Answers, Answer{monday.Unix(), monday.Unix() + 3600, i, float64(i % 2)})
	}
	if l := Learn(monday.AddDate(0, 0, 60), CampaignPolicy{}, few); l.Spread != 0 {
		t.Errorf("four answers tell a spread of %.2f", l.Spread)
	}
}

func TestPriorFrom(t *testing.T) {
	if PriorFrom(nil) != nil || PriorFrom([]Lesson{{}, {Ended: monday, Texts: 5}}) != nil {
		t.Error("no lesson, and yet a prior")
	}
	medium, slow, fast := templateCurves[1], templateCurves[3], templateCurves[0]
	one := PriorFrom([]Lesson{lessonOf(monday, 50000, .08, medium)})
	if one.Shape < 2 || one.Shape > 4 || math.Abs(one.Mean/.08-1) > .03 || len(one.Curves) != 1 {
		t.Errorf("one campaign: %+v", one)
	}
	// However few have answered, ten times as many may answer next time.
	var low []Lesson
	for i := range 10 {
		low = append(low, lessonOf(monday.AddDate(0, i, 0), 50000, .002, medium))
		if p := PriorFrom(low); p.Mean < priorMean || quantile(p.Mean, p.Shape, 2.3263) < mustAllow {
			t.Errorf("%d campaigns with few answers make the next one bold: %+v", i+1, p)
		}
	}
	// A campaign that hardly anybody has answered teaches hardly anything.
	if p := PriorFrom([]Lesson{lessonOf(monday, 100, .01, medium)}); p.Shape > 1 || len(p.Curves) != 0 {
		t.Errorf("one answer: %+v", p)
	}
	var many []Lesson
	last := one.Shape
	for i := range 30 {
		many = append(many, lessonOf(monday.AddDate(0, i, 0), 50000, .08*(1+.04*float64(i%3)), medium))
		if i == 2 || i == 5 {
			if p := PriorFrom(many); p.Shape <= last {
				t.Errorf("%d alike campaigns: shape %.1f, not above %.1f", i+1, p.Shape, last)
			} else {
				last = p.Shape
			}
		}
	}
	if p := PriorFrom(many); p.Shape > mostShape || p.Shape < 5 || len(p.Curves) != 1 {
		t.Errorf("thirty alike campaigns: %+v", p)
	}
	several := PriorFrom([]Lesson{lessonOf(monday, 9e4, .01, medium), lessonOf(monday, 9e4, .01, medium), lessonOf(monday, 9e4, .01, slow), lessonOf(monday, 9e4, .01, fast), lessonOf(monday, 9e4, .01, templateCurves[2])})
	if n := len(several.Curves); n != mostLearned {
		t.Errorf("%d curves of four kinds", n)
	}
	// It is what the pacer takes in.
	e := &evidence{shape: priorShape, rate: priorShape / priorMean}
	e.expect(several)
	if e.shape != several.Shape || math.Abs(e.shape/e.rate/several.Mean-1) > 1e-12 || e.templates != mostLearned+len(templateCurves) {
		t.Errorf("the pacer expects %v / %v, %d curves", e.shape, e.rate, e.templates)
	}
}

func drawLesson(t *rapid.T, label string) Lesson {
	l := Lesson{Ended: monday.AddDate(0, 0, rapid.IntRange(0, 5).Draw(t, label+" ended"))}
	number := rapid.OneOf(rapid.Float64Range(0, 500), rapid.SampledFrom([]float64{0, 0, 1, math.NaN(), math.Inf(1), -1, 1e300}))
	for k := range bins {
		l.Through[k] = rapid.OneOf(rapid.Float64Range(0, 60000), number).Draw(t, label+" through")
		l.Answers[k] = number.Draw(t, label+" answers")
	}
	l.Texts, l.Spread, l.Starts = number.Draw(t, label+" texts"), number.Draw(t, label+" spread"), number.Draw(t, label+" starts")
	return l
}

// Nothing that may stand in a database makes a prior that the pacer cannot use, and the order in which it stands there says nothing.
func TestPriorFrom_anything(t *testing.T) {
	finite := func(x float64) bool { return x >= 0 && !math.IsInf(x, 0) }
	rapid.Check(t, func(t *rapid.T) {
		var all []Lesson
		for range rapid.IntRange(0, 7).Draw(t, "lessons") {
			if rapid.Bool().Draw(t, "sane") {
				all = append(all, lessonOf(monday.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "day")), rapid.Float64Range(1, 1e6).Draw(t, "texts"),
					rapid.Float64Range(0, .3).Draw(t, "rate"), templateCurves[rapid.IntRange(0, 3).Draw(t, "curve")]))
			} else {
				all = append(all, drawLesson(t, "lesson"))
			}
		}
		p := PriorFrom(all)
		if shuffled := PriorFrom(rapid.Permutation(all).Draw(t, "order")); !reflect.DeepEqual(p, shuffled) {
			t.Fatalf("the order matters:\n%+v\n%+v", p, shuffled)
		}
		if p == nil {
			return
		}
		if !(p.Mean > 0) || !finite(p.Mean) || !(p.Shape >= priorShape && p.Shape <= mostShape) || !finite(p.Spread) || !finite(p.Starts) || len(p.Curves) > mostLearned {
			t.Fatalf("prior %+v", p)
		}
		for _, c := range p.Curves {
			sum := 0.0
			for _, x := range c.Share {
				if !finite(x) {
					t.Fatalf("curve %+v", c)
				}
				sum += x
			}
			if math.Abs(sum-1) > 1e-9 || !(c.Weight > 0) || !finite(c.Weight) {
				t.Fatalf("curve %+v sums to %v", c, sum)
			}
		}
		policy := team()
		policy.Campaigns[0].Prior = p
		d := Decide(monday, policy, TeamState{Campaigns: []CampaignState{{ID: "c", Running: true, Planned: 900, Sizes: []int{900}}}})[0]
		if math.IsNaN(d.Figures.Rate) || math.IsNaN(d.Figures.Risk) || math.IsNaN(d.Forecast.NextDay.Mean) || d.N < 0 || d.N > 900 {
			t.Fatalf("the pacer is confused: %+v", d)
		}
	})
}

// One campaign unlike the others makes the pacer less sure; it does not move what it expects.
func TestPriorFrom_outlierWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(.065, .12).Draw(t, "rate") // where caution leaves both as they are
		var all []Lesson
		for i := range rapid.IntRange(2, 8).Draw(t, "campaigns") {
			all = append(all, lessonOf(monday.AddDate(0, i, 0), 60000, rate*rapid.Float64Range(.9, 1.1).Draw(t, "near"), templateCurves[1]))
		}
		times := rapid.SampledFrom([]float64{.1, .25, 4, 7}).Draw(t, "times")
		before := PriorFrom(all)
		after := PriorFrom(append(all, lessonOf(monday.AddDate(1, 0, 0), 60000, rate*times, templateCurves[1])))
		if !(after.Shape < before.Shape) {
			t.Fatalf("shape %.2f, then %.2f", before.Shape, after.Shape)
		}
		if moved := after.Mean / before.Mean; moved < .85 || moved > 1.15 {
			t.Fatalf("the rate moved from %.4f to %.4f", before.Mean, after.Mean)
		}
	})
}
