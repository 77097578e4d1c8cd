package throttle

import (
	"sort"
	"time"
)

const (
	// step is the resolution of the capacity grid; hours that start at other minutes are smeared over their half hour.
	step = 30 * time.Minute
	// ahead is how far the grid looks: 20 working days plus the promise, with Christmas and Easter to spare.
	ahead = 50 * 24 * time.Hour
)

// Response clock: how much a civil hour counts for answers. People answer by day.
const (
	dayWeight, eveningWeight, nightWeight = 1, .3, .1 // 07-22, 22-24, 00-07
)

func responseWeight(civilHour int) float64 {
	switch {
	case civilHour >= 22:
		return eveningWeight
	case civilHour < 7:
		return nightWeight
	}
	return dayWeight
}

// grid holds, for each half hour from its start, what has passed on each clock since. All are cumulative and never fall.
type grid struct {
	start    time.Time
	end      time.Time // nothing is known about capacity after it
	open     []float64 // working hours of the promise
	contacts []float64 // first contacts by workers without a caseload limit
	limited  []limited // workers with one
	response []float64 // response-hours
	promise  float64   // working hours of the promise
	output   float64   // first contacts made for each that the roster allows for
	inTime   []bool    // by half hour: whether a senior is there for what comes in it; nil where none is needed
}

// limited is a worker who has only so many places left.
type limited struct {
	contacts   []float64
	places     float64
	discharges []int64 // when further places become free
}

// headroom is how many people a worker can take on until an instant.
func (l *limited) headroom(until time.Time) float64 {
	n := l.places
	for _, d := range l.discharges {
		if d < until.Unix() {
			n++
		}
	}
	return n
}

// newGrid lays the grid from the half hour in which from lies.
func newGrid(p *TeamPolicy, booked []BookedWork, from time.Time, length time.Duration) *grid {
	n := int(length / step)
	g := &grid{
		start:    from.Truncate(step),
		open:     make([]float64, n+1),
		contacts: make([]float64, n+1),
		response: make([]float64, n+1),
		output:   1,
		promise:  p.promiseHours(),
	}
	g.end = g.start.Add(length)
	if p.Declared != nil {
		g.declare(p.Declared)
	} else {
		g.roster(p.Calendar, p.Roster)
	}
	// A contact takes as long as the average of the team: that turns booked minutes into contacts not made.
	if perContact := meanMinutes(p.Roster); perContact > 0 {
		for _, b := range booked {
			g.book(b, perContact)
		}
	}
	cumulate(g.open)
	cumulate(g.contacts)
	for _, l := range g.limited {
		cumulate(l.contacts)
	}
	g.clock(p.Calendar.zone())
	return g
}

// roster fills in the calendar's hours and what each worker can do: weekly hours less leave and bank holidays.
func (g *grid) roster(cal Calendar, roster []Worker) {
	week := cal.open()
	days := make([]day, 0, int(g.end.Sub(g.start)/(24*time.Hour))+2)
	for d := cal.day(g.start); d.midnight.Before(g.end); d = cal.following(d) {
		days = append(days, d)
		if s, ok := d.span(&week); ok {
			g.spread(g.open, s, 1)
		}
	}
	for i := range roster {
		w := &roster[i]
		if w.Minutes <= 0 || w.FirstContact <= 0 {
			continue
		}
		steps := g.contacts
		if w.Places >= 0 {
			steps = make([]float64, len(g.contacts))
			g.limited = append(g.limited, limited{steps, float64(w.Places), w.Discharges})
		}
		for k := range days {
			if s, ok := days[k].span(&w.Week); ok {
				g.worked(steps, s, w.Leave, min(w.FirstContact, 1)*60/w.Minutes)
			}
		}
	}
}

// declare fills in hours and capacity that somebody has worked out already.
func (g *grid) declare(d *Declared) {
	last := g.start
	for _, c := range d.Capacity {
		if !c.To.After(c.From) || !(c.Contacts >= 0) {
			continue
		}
		g.spread(g.contacts, c.Span, c.Contacts/c.To.Sub(c.From).Hours())
		if len(d.Open) == 0 && c.Contacts > 0 {
			g.spread(g.open, c.Span, 1)
		}
		last = later(last, c.To)
	}
	for _, s := range d.Open {
		g.spread(g.open, s, 1)
	}
	for i := range g.open { // where stretches overlap, time still passes once
		g.open[i] = min(g.open[i], step.Hours())
	}
	g.end = earlier(g.end, last)
}

// capacity is how many first contacts the team can make in [from, to); lifted ignores the caseload limits.
func (g *grid) capacity(from, to time.Time, lifted bool) float64 {
	sum := g.between(g.contacts, from, to)
	for i := range g.limited {
		l := &g.limited[i]
		x := g.between(l.contacts, from, to)
		if !lifted {
			x = min(x, l.headroom(to))
		}
		sum += x
	}
	return sum * g.output
}

// promiseHours is the promise in hours in which it runs.
func (p *TeamPolicy) promiseHours() float64 {
	if p.PromiseHours > 0 {
		return p.PromiseHours
	}
	return float64(promiseOf(p.PromiseDays)) * p.Calendar.WorkingDayLength().Hours()
}

// working is how many hours the promise has run between two instants; the grid may not reach back so far.
func (p *TeamPolicy) working(g *grid, from, to time.Time) float64 {
	if p.Declared == nil {
		return p.Calendar.Working(from, to).Hours()
	}
	if !from.Before(g.start) {
		return g.between(g.open, from, to)
	}
	g = newGrid(p, nil, from, to.Sub(from)+2*step)
	return g.between(g.open, from, to)
}

// headcount is how many people make first contacts; where only capacity is known, as many as usually make so much of it. If past, only
// what is behind counts, for the judgement of what has been done must not change with what is planned.
func (p *TeamPolicy) headcount(now time.Time, past bool) float64 {
	n := 0.0
	if p.Declared == nil {
		for i := range p.Roster {
			if w := &p.Roster[i]; w.FirstContact > 0 && w.Minutes > 0 {
				n++
			}
		}
		return max(1, n)
	}
	until := now
	if !past {
		until = now.Add(14 * 24 * time.Hour)
	}
	sum, hours := 0.0, 0.0
	for _, c := range p.Declared.Capacity {
		if c.Contacts > 0 && c.To.After(now.Add(-14*24*time.Hour)) && c.From.Before(until) {
			sum += c.Contacts
			hours += c.To.Sub(c.From).Hours()
		}
	}
	if hours == 0 {
		return 1
	}
	const perWorker = 3. / 8 // first contacts an hour
	return max(1, sum/hours/perWorker)
}

func promiseOf(days int) int {
	if days <= 0 {
		return 2
	}
	return days
}

func meanMinutes(roster []Worker) float64 {
	sum, share := 0.0, 0.0
	for i := range roster {
		if w := &roster[i]; w.Minutes > 0 && w.FirstContact > 0 {
			sum += w.FirstContact * w.Minutes
			share += w.FirstContact
		}
	}
	if share == 0 {
		return 0
	}
	return sum / share
}

// worked adds a stretch of work less its leave.
func (g *grid) worked(steps []float64, s Span, leave []Span, perHour float64) {
	for _, l := range leave {
		if !l.From.Before(s.To) || !l.To.After(s.From) {
			continue
		}
		if l.From.After(s.From) {
			g.worked(steps, Span{s.From, l.From}, leave, perHour)
		}
		if l.To.Before(s.To) {
			g.worked(steps, Span{l.To, s.To}, leave, perHour)
		}
		return
	}
	g.spread(steps, s, perHour)
}

// spread adds perHour to each step in proportion to its overlap with s. steps[i] is what happens within step i.
func (g *grid) spread(steps []float64, s Span, perHour float64) {
	last := len(steps) - 1
	from, to := s.From.Sub(g.start), s.To.Sub(g.start)
	for i := max(0, int(from/step)); i < last && time.Duration(i)*step < to; i++ {
		lo, hi := time.Duration(i)*step, time.Duration(i+1)*step
		if over := min(hi, to) - max(lo, from); over > 0 {
			steps[i] += perHour * over.Hours()
		}
	}
}

// book takes promised minutes from the capacity within their span, evenly, and no more than there is.
func (g *grid) book(b BookedWork, perContact float64) {
	length := b.Span.To.Sub(b.Span.From)
	if length <= 0 || b.Minutes <= 0 {
		return
	}
	start, from, to := g.start, b.Span.From, b.Span.To
	wanted := b.Minutes / perContact
	if from.Before(start) {
		if !to.After(start) {
			return
		}
		wanted *= float64(to.Sub(start)) / float64(length)
		from = start
	}
	share := func(i int) float64 {
		lo := start.Add(time.Duration(i) * step)
		return float64(Span{lo, lo.Add(step)}.overlap(from, to)) / float64(step)
	}
	first := int(from.Sub(start) / step)
	last := min(len(g.open)-1, int((to.Sub(start)+step-1)/step))
	there := 0.0
	for i := first; i < last; i++ {
		all := g.contacts[i]
		for _, l := range g.limited {
			all += l.contacts[i]
		}
		there += all * share(i)
	}
	if there <= 0 {
		return
	}
	taken := min(1, wanted/there)
	for i := first; i < last; i++ {
		keep := 1 - taken*share(i)
		g.contacts[i] *= keep
		for _, l := range g.limited {
			l.contacts[i] *= keep
		}
	}
}

// cumulate turns what happens within each step into what has happened before it.
func cumulate(steps []float64) {
	sum := 0.0
	for i, x := range steps {
		steps[i] = sum
		sum += x
	}
}

// clock fills in the response clock.
func (g *grid) clock(loc *time.Location) {
	sum, offset := 0.0, 0
	start := g.start.Unix()
	for i := range g.response {
		unix := start + int64(i)*int64(step/time.Second)
		if i%12 == 0 { // six hours: clocks change at night, when the hours before and after weigh the same
			_, offset = time.Unix(unix, 0).In(loc).Zone()
		}
		g.response[i] = sum
		sum += responseWeight(int((unix+int64(offset))%86400/3600)) * step.Hours()
	}
}

// at reads a cumulative clock at an instant; outside the grid it stands still.
func (g *grid) at(cum []float64, t time.Time) float64 {
	d := t.Sub(g.start)
	if d <= 0 {
		return cum[0]
	}
	i := int(d / step)
	if i >= len(cum)-1 {
		return cum[len(cum)-1]
	}
	return cum[i] + (cum[i+1]-cum[i])*float64(d%step)/float64(step)
}

// between is how much of a clock passes in [from, to).
func (g *grid) between(cum []float64, from, to time.Time) float64 {
	return max(0, g.at(cum, to)-g.at(cum, from))
}

// reach is the first instant at which a clock shows x, or the last such instant (just before it moves on) if late; the end of the grid
// if it never does, and then ok is false.
func (g *grid) reach(cum []float64, x float64, late bool) (t time.Time, ok bool) {
	const tiny = 1e-9
	x -= tiny
	if late {
		x += 2 * tiny
	}
	i := sort.SearchFloat64s(cum, x)
	switch {
	case i == 0:
		return g.start, true
	case i == len(cum):
		return g.start.Add(time.Duration(len(cum)-1) * step), false
	}
	part := (x - cum[i-1]) / (cum[i] - cum[i-1])
	return g.start.Add(time.Duration(i-1)*step + time.Duration(part*float64(step))).Round(time.Second), true
}

// due is when the promise made at t runs out; the end of the grid, and false, if it lies beyond what is known.
func (g *grid) due(t time.Time) (d time.Time, ok bool) {
	d, ok = g.reach(g.open, g.at(g.open, t)+g.promise, false)
	return d, ok && !d.After(g.end)
}

// Capacity is how many first contacts a roster can make in [from, to): weekly hours less leave, bank holidays and booked work, as far as
// the caseload limits allow.
func Capacity(cal Calendar, roster []Worker, booked []BookedWork, from, to time.Time) float64 {
	if !to.After(from) {
		return 0
	}
	p := TeamPolicy{Calendar: cal, Roster: roster}
	g := newGrid(&p, booked, from, to.Sub(from.Truncate(step)).Truncate(step)+2*step)
	return g.capacity(from, to, false)
}
