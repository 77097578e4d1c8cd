package throttle

import "time"

const (
	// seniorsTurn is the working time after which an urgent referral that nobody has claimed is past its senior: half an hour it waits for
	// anybody, half an hour for the senior on duty, then it is the manager's.
	seniorsTurn = time.Hour
	// mostAnswers is the share of a text's answers for which a senior has to be there. With a half, a senior who works Mondays to Wednesdays
	// would let texts go until Wednesday 16:30, since in the end more than half of all answers find one, and a third would come on the
	// Thursday; with nine tenths, one who works mornings would let none go after ten.
	mostAnswers = 2. / 3
	// answersDays is how long after a text nearly all of its answers have come.
	answersDays = 14
)

// lookForSeniors finds from which half hours on texts may leave, since a senior is there for most of their answers. A senior is there for an
// answer if one is at work before the answer's turn of a senior is over. When answers come is taken from the built-in curves as they are
// weighed before any campaign, whatever has been learned: a third of all answers come within the hour, half within five and two thirds within
// twenty response-hours of delivery, so that it is today and tomorrow that count, and who puts hours into the roster can foresee what will
// come of it.
func (g *grid) lookForSeniors(p *TeamPolicy, from, until time.Time) {
	if !p.NeedSenior || p.Declared != nil {
		return
	}
	first := max(0, int(from.Sub(g.start)/step))
	n := min(len(g.open)-1, int(until.Sub(g.start)/step))
	there := make([]float64, len(g.open))
	for d := p.Calendar.day(from); d.midnight.Before(g.end); d = p.Calendar.following(d) {
		for i := range p.Roster {
			w := &p.Roster[i]
			if s, ok := d.span(&w.Week); ok && w.Senior {
				g.worked(there, s, w.Leave, 1)
			}
		}
	}
	cumulate(there)
	g.inTime = make([]bool, max(0, n))
	for i := first; i < n; i++ {
		t := g.start.Add(time.Duration(i)*step + step/2)
		over, _ := g.reach(g.open, g.at(g.open, t)+seniorsTurn.Hours(), false)
		g.inTime[i] = g.between(there, t, over) > 1e-9
	}
}

// seniorless reports whether no senior is there for most of the answers to a text that leaves at t.
func (g *grid) seniorless(t time.Time) bool {
	if g.inTime == nil {
		return false
	}
	here := g.at(g.response, t)
	with, without, before := 0.0, 0.0, 0.0
	for i := max(0, int(t.Sub(g.start)/step)); i < len(g.inTime); i++ {
		by := usualBy(g.response[i+1] - here)
		if g.inTime[i] {
			with += by - before
		} else {
			without += by - before
		}
		before = by
		switch {
		case with >= mostAnswers:
			return false
		case without >= 1-mostAnswers:
			return true
		}
	}
	return before == 0 || with < mostAnswers*before
}

// usualBy is the share of the answers that come by an age, before anything is known of a campaign.
func usualBy(age float64) float64 {
	sum := 0.0
	for j := range templateCurves {
		sum += templatePrior[j] * templateCurves[j].by(age)
	}
	return sum
}

// SeniorThere tells whether a senior will be there for most of the answers to texts that leave at now. A team without one sends none.
func SeniorThere(c Calendar, roster []Worker, now time.Time) bool {
	p := TeamPolicy{Calendar: c, Roster: roster, NeedSenior: true}
	g := newGrid(&p, nil, now, ahead)
	g.lookForSeniors(&p, now, now.AddDate(0, 0, answersDays))
	return !g.seniorless(now)
}

// whereSeniors says why no senior is there.
func (w *writer) whereSeniors() string {
	var seniors []Worker
	for _, x := range w.p.Roster {
		if x.Senior {
			seniors = append(seniors, x)
		}
	}
	const danger = "an urgent form could wait with nobody to turn to"
	switch d := OnDuty(w.p.Calendar, seniors, w.o.now); {
	case !d.Known():
		return "no senior link worker is on the roster, and " + danger + "; put a senior's hours on the capacity page"
	case d.Open && !d.Next.IsZero():
		return "no senior link worker is on the roster from " + w.when(d.Until) + " to " + w.when(d.Next) + ", when most of the answers would come, and " + danger
	case d.Open:
		return "no senior link worker is on the roster from " + w.when(d.Until) + " on, and " + danger + "; put a senior's hours on the capacity page"
	default:
		return "no senior link worker is on the roster before " + w.when(d.Next) + ", and " + danger + "; put a senior's hours on the capacity page"
	}
}
