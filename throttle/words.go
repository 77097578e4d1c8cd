package throttle

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Alarming is the chance of a broken promise from which people are told what it counts. Texts are held back long before.
const Alarming = .1

// writer turns an outlook into figures, a forecast and the sentence.
type writer struct {
	o         *outlook
	p         *TeamPolicy
	desks     []*desk
	k         Knobs
	loc       *time.Location
	chance    float64
	contactBy time.Time
	queue     []QueueAt
}

func newWriter(o *outlook, p *TeamPolicy, desks []*desk, k Knobs) *writer {
	w := &writer{o: o, p: p, desks: desks, k: k, loc: p.Calendar.zone()}
	n := make([]float64, len(desks))
	for i, d := range desks {
		n[i] = float64(d.n)
	}
	w.chance = o.risk(n, 1)
	w.contactBy = contactBy(o.g, o.now, p, o.waiting)
	w.queue = o.queueAhead(n)
	return w
}

func (w *writer) figures(i int) Figures {
	d := w.desks[i]
	mean, shape := d.e.rateNow()
	f := Figures{
		Rate: mean, RateLow: quantile(mean, shape, -1.2816), RateHigh: quantile(mean, shape, 1.2816),
		Waiting: int(w.o.waiting), CanAnswer: w.o.canAnswer, Risk: w.chance,
		FromBatch: mean * float64(d.n),
	}
	for c := range d.e.cohorts {
		co := &d.e.cohorts[c]
		for j, weight := range d.e.weight[:d.e.templates] {
			left := weight * d.e.level[j] * (1 - d.e.curves[j].by(co.age))
			for s, x := range co.n {
				f.Expected += left * d.e.theta[s] * x
			}
		}
	}
	return f
}

// quantile of a Gamma by Wilson and Hilferty.
func quantile(mean, shape, z float64) float64 {
	c := 1 - 1/(9*shape) + z/(3*math.Sqrt(shape))
	return mean * max(0, c*c*c)
}

// forecast says when the last text is likely to go: when the people who answer have got through everybody whom the rest of the lists
// will bring, or when the limits on texts let the last one out, whichever is later.
func (w *writer) forecast(i int) Forecast {
	d := w.desks[i]
	f := Forecast{ContactBy: w.contactBy, NextDay: w.o.tomorrow(i, float64(d.n)), Queue: w.queue}
	const enough = 10 // answers, to tell at all
	if d.state.Planned <= 0 || !d.state.Running || d.policy.Blast {
		return f
	}
	if d.e.answers < enough {
		return f
	}
	f.FinishFrom, f.FinishLikely = w.finish(i, -1.2816, 1), w.finish(i, 0, .95)
	f.FinishTo = w.finish(i, 1.2816, .85)
	if f.FinishFrom.IsZero() || f.FinishTo.IsZero() {
		f.FinishFrom, f.FinishLikely, f.FinishTo = time.Time{}, time.Time{}, time.Time{}
	}
	return f
}

func (w *writer) finish(i int, z, use float64) time.Time {
	o := w.o
	need := 0.0
	for _, d := range w.desks {
		if d.state.Running && d.state.Planned > 0 {
			mean, shape := d.e.rateNow()
			need += quantile(mean, shape, z) * float64(d.state.Planned)
		}
	}
	end := o.g.end
	horizon := end.Sub(o.now)
	var t time.Time
	clears := func(t time.Time) float64 {
		open := o.g.between(o.g.open, o.now, t)
		return use*o.g.capacity(o.now, t, true) - o.others.perHour*open
	}
	all := clears(end)
	switch {
	case all <= 0:
		return time.Time{}
	case need >= all: // beyond the grid: the same pace goes on
		days := need / all * horizon.Hours() / 24
		if days > 1000 {
			return time.Time{}
		}
		t = o.now.Add(time.Duration(days * 24 * float64(time.Hour)))
	default:
		t = soonest(o.now, int(horizon/step), func(t time.Time) bool { return clears(t) >= need })
	}
	d := w.desks[i]
	week := d.policy.Windows.or(officeWeek)
	minutes, days := 0, 0
	for _, h := range week {
		if h.From < h.To {
			minutes += h.To - h.From
			days++
		}
	}
	rate := d.policy.Rate
	if rate <= 0 {
		rate = defaultRate
	}
	perDay := rate * 60 * float64(minutes) / float64(days) / max(1, d.policy.SegmentsPerText)
	if d.policy.DailyCap > 0 {
		perDay = min(perDay, float64(d.policy.DailyCap))
	}
	rest := time.Duration(float64(d.state.Planned) / perDay * 7 / float64(days) * 24 * float64(time.Hour))
	if slow := o.now.Add(rest); slow.After(t) {
		t = slow
	}
	return w.p.Calendar.nextWithin(t, d.policy.Windows.or(officeWeek))
}

// ContactBy is by when somebody who asks for help now will have been called: the honest date for the confirmation page. It is the end of
// the working day in which the team has surely got through the queue and the new referral, reckoned with less capacity than the roster
// shows, and never sooner than the promise, since urgent referrals may go first. Zero if the roster does not reach that far.
func ContactBy(now time.Time, p TeamPolicy, s TeamState) time.Time {
	g := newGrid(&p, s.Booked, now.Add(-throughputDays*24*time.Hour), throughputDays*24*time.Hour+ahead)
	t := lookAtThroughput(now, g, &s, p.headcount(now, true))
	g.output = t.usual
	return contactBy(g, now, &p, float64(max(0, s.Waiting)))
}

func contactBy(g *grid, now time.Time, p *TeamPolicy, waiting float64) time.Time {
	const productivity = .85 // of the roster, for slow days
	need := waiting + 1
	need = (need + 1.3*math.Sqrt(.25*need)) / productivity // 90 % sure with calls of uneven length
	gone := now.Sub(g.start) / step
	last := g.end.Sub(g.start) / step
	if g.capacity(now, g.start.Add(last*step), true) < need {
		return time.Time{}
	}
	t := soonest(g.start.Add(gone*step), int(last-gone), func(t time.Time) bool { return g.capacity(now, t, true) >= need })
	if due, _ := g.due(now); due.After(t) {
		t = due
	}
	week := p.Calendar.open()
	if s, ok := p.Calendar.day(t).span(&week); ok && s.To.After(t) {
		return s.To
	}
	return t
}

// soonest is after how many steps something has come true that then stays true; the last of them if not before.
func soonest(from time.Time, steps int, is func(time.Time) bool) time.Time {
	at := func(i int) time.Time { return from.Add(time.Duration(i) * step) }
	return at(1 + sort.Search(steps-1, func(i int) bool { return is(at(1 + i)) }))
}

func (w *writer) sentence(i int, x *Decision) string {
	d := w.desks[i]
	var b strings.Builder
	why := w.why(i, x)
	more := d.state.Planned > x.N && x.Limit != LimitPaused && x.Limit != LimitHeld && x.Limit != LimitSilence
	if x.N > 0 {
		fmt.Fprintf(&b, "Sending %s now. ", count(x.N, "text"))
		fmt.Fprintf(&b, "We expect about %s from this batch (%s of those texted ask for help, likely %s to %s)",
			referrals(x.Figures.FromBatch), percent(x.Figures.Rate), percent(x.Figures.RateLow), percent(x.Figures.RateHigh))
		if h := w.half(d.e); h > 0 {
			fmt.Fprintf(&b, ", half of them within %s", span(h))
		}
		b.WriteString(". ")
	} else {
		b.WriteString("No texts now: " + why + ". ")
	}
	if !d.policy.Blast {
		b.WriteString(w.waiting())
		if x.N > 0 {
			b.WriteString("Not more because " + why + ". ")
		}
		fmt.Fprintf(&b, "Chance that anyone waits longer than %s: %s. ", w.promise(), percent(x.Figures.Risk))
		if x.Figures.Risk >= Alarming {
			b.WriteString("This counts that somebody may be away, and that many may answer at once. ")
			if more && x.N == 0 {
				b.WriteString("No more texts go until it is small. ")
			}
		}
	} else if x.N > 0 {
		b.WriteString("The pacer is switched off: this looks only at the hours for texts and the sender's speed. Not more because " + why + ". ")
	}
	if more {
		fmt.Fprintf(&b, "%s left", number(d.state.Planned-x.N))
		switch f := x.Forecast; {
		case f.FinishFrom.IsZero():
			b.WriteString(".")
		default:
			from, to := f.FinishFrom.In(w.loc).Format("2 January 2006"), f.FinishTo.In(w.loc).Format("2 January 2006")
			if from == to {
				fmt.Fprintf(&b, "; the last text should go on %s.", from)
			} else {
				fmt.Fprintf(&b, "; the last text should go between %s and %s.", from, to)
			}
		}
	}
	return strings.TrimSpace(b.String())
}

// waiting tells who waits and who can answer.
func (w *writer) waiting() string {
	o := w.o
	waits := "Nobody is waiting"
	if n := int(o.waiting); n == 1 {
		waits = "1 person is waiting"
	} else if n > 1 {
		waits = number(n) + " people are waiting"
	}
	slow := ""
	if o.throughput.mean() < .8 {
		slow = fmt.Sprintf(" (the team has lately made %s of the calls that its hours allow for: is somebody away?)", percent(o.throughput.mean()))
	}
	return fmt.Sprintf("%s; %s can call %s before %s%s. ", waits, w.names(), number(int(o.canAnswer+.05)), w.when(o.due), slow)
}

func (w *writer) names() string {
	var names []string
	unnamed := 0
	for i := range w.p.Roster {
		one := &w.p.Roster[i]
		if !w.in(one) {
			continue
		}
		if one.Name == "" {
			unnamed++
		} else {
			names = append(names, one.Name)
		}
	}
	if len(names) == 0 {
		return "the team"
	}
	if most := 4; len(names) > most {
		unnamed += len(names) - most + 1
		names = names[:most-1]
	}
	switch {
	case unnamed == 1:
		names = append(names, "1 other")
	case unnamed > 1:
		names = append(names, number(unnamed)+" others")
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// in reports whether a worker is at work for some time before the promise of a referral made now runs out.
func (w *writer) in(one *Worker) bool {
	if one.FirstContact <= 0 || one.Minutes <= 0 || one.Places == 0 {
		return false
	}
	cal := w.p.Calendar
	for d := cal.day(w.o.now); d.midnight.Before(w.o.due); d = cal.following(d) {
		s, ok := d.span(&one.Week)
		if !ok {
			continue
		}
		left := s.overlap(w.o.now, w.o.due)
		for _, l := range one.Leave {
			left -= Span{later(s.From, w.o.now), earlier(s.To, w.o.due)}.overlap(l.From, l.To)
		}
		if left > 0 {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// half is how long from now it takes for half the answers of a text to come.
func (w *writer) half(e *evidence) time.Duration {
	lo, hi := 0.0, edges[bins]
	for range 20 {
		mid := (lo + hi) / 2
		sum := 0.0
		for j, weight := range e.weight[:e.templates] {
			sum += weight * e.curves[j].by(mid)
		}
		if sum < .5 {
			lo = mid
		} else {
			hi = mid
		}
	}
	t, ok := w.o.g.reach(w.o.g.response, w.o.g.at(w.o.g.response, w.o.now)+hi, false)
	if !ok {
		return 0
	}
	return t.Sub(w.o.now)
}

// why names the binding limit in words.
func (w *writer) why(i int, x *Decision) string {
	d, o := w.desks[i], w.o
	p, s := d.policy, d.state
	switch x.Limit {
	case LimitList:
		if s.Planned <= 0 {
			return "everybody on the list has been texted"
		}
		return "this is the rest of the list"
	case LimitPaused:
		if !p.Last.IsZero() && o.now.After(p.Last) {
			return "the campaign's last day has passed"
		}
		return "the campaign is not running"
	case LimitStart:
		return "the campaign starts on " + p.First.In(w.loc).Format("Monday 2 January")
	case LimitHeld:
		return "the campaign is on hold (" + strings.TrimRight(s.Held, ". ") + ")"
	case LimitSilence:
		return "answers have stopped: open the link on a phone and send the form to see whether it works, then confirm that it does"
	case LimitListAge:
		return fmt.Sprintf("the list was taken from the GP system on %s, more than %s ago; screen it against a fresh one to go on",
			p.Screened.In(w.loc).Format("2 January 2006"), count(int(p.listAge().Hours()/24), "day"))
	case LimitNobody:
		if o.canAnswer < dead {
			return "nobody on the rota could make a first call before " + w.when(o.due)
		}
		return "too many answers would come on days when nobody is there to call"
	case LimitSenior:
		return w.whereSeniors()
	case LimitWindow:
		next := w.p.Calendar.nextWithin(o.now, p.Windows.or(officeWeek))
		if next.IsZero() {
			return "it is outside the hours for texts"
		}
		return "it is outside the hours for texts, which start again on " + w.when(next)
	case LimitRate:
		return "this is as much as the sender can send in " + span(p.once())
	case LimitDailyCap:
		return fmt.Sprintf("the limit of %s a day is reached", count(p.DailyCap, "text"))
	case LimitBudget:
		return fmt.Sprintf("the budget of £%s is used up", number(int(p.Budget/10000)))
	case LimitBrake:
		return fmt.Sprintf("the queue has reached what the team can call in %s, so we wait until it is well below", w.promise())
	case LimitRisk:
		return "answers that are still to come could then make somebody wait longer than " + w.promise()
	case LimitSetPoint:
		if x.N == 0 {
			return fmt.Sprintf("the queue, with the answers still expected, is past %s of what the team can call in %s", percent(target(w.k.SetPoint, o.canAnswer)/max(1, o.canAnswer)), w.promise())
		}
		return fmt.Sprintf("the queue would then grow past %s of what the team can call in %s", percent(target(w.k.SetPoint, o.canAnswer)/max(1, o.canAnswer)), w.promise())
	case LimitStress:
		return fmt.Sprintf("the team could then not cope if %s times as many people answered while %s of its time was lost",
			strconv.FormatFloat(math.Round(10*o.reserve(w.k).surge)/10, 'g', 3, 64), percent(w.k.Loss))
	case LimitMaturity:
		return fmt.Sprintf("only %s so far: the first texts need time before we know how many people answer", count(int(d.e.answers), "answer"))
	case LimitMinBatch:
		return fmt.Sprintf("there is room for fewer than %d texts, the smallest batch worth sending", d.least)
	case LimitCaseloads:
		return "the caseloads of the team are nearly full"
	}
	return string(x.Limit)
}

func (w *writer) promise() string {
	if h := w.p.PromiseHours; h > 0 {
		if h == 1 {
			return "1 working hour"
		}
		return strconv.FormatFloat(h, 'f', -1, 64) + " working hours"
	}
	return count(promiseOf(w.p.PromiseDays), "working day")
}

func (w *writer) when(t time.Time) string {
	t = t.In(w.loc)
	if t.Sub(w.o.now) < 6*24*time.Hour {
		return t.Format("Monday 15:04")
	}
	return t.Format("Monday 2 January 15:04")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

func referrals(x float64) string {
	if x < 9.95 {
		return strconv.FormatFloat(x, 'f', 1, 64) + " referrals"
	}
	return number(int(x+.5)) + " referrals"
}

func span(d time.Duration) string {
	if h := d.Hours(); h >= 47.5 {
		return count(int(h/24+.5), "day")
	} else if h >= .95 {
		return count(int(h+.5), "hour")
	}
	return count(max(1, int(d.Minutes()+.5)), "minute")
}

// percent with two figures that matter, and never a certainty that is none. No line may end before its sign.
func percent(x float64) string {
	switch x *= 100; {
	case x <= 0:
		return "0\u00a0%"
	case x < .01:
		return "less than 0.01\u00a0%"
	case x < 1:
		return strconv.FormatFloat(x, 'f', 2, 64) + "\u00a0%"
	case x < 10:
		return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0") + "\u00a0%"
	case x > 99.5 && x < 100:
		return "more than 99\u00a0%"
	}
	return strconv.FormatFloat(x, 'f', 0, 64) + "\u00a0%"
}

// number with thousands separated.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
