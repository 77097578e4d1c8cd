package throttle

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Outcome is what becomes of a team and its campaigns in many simulated futures.
type Outcome struct {
	Futures   int
	Campaigns []CampaignOutcome
	// Days from today to a little after the last text of the slower futures.
	Days []DayOutcome
	// LateChance is the share of the futures in which anybody is called after the promise; LateShare how many of all who ask for help
	// are, on average.
	LateChance, LateShare float64
	// LongestWait is how many working days the last of the longest queue ahead waits for a first contact, as queues go on average.
	LongestWait float64
	// Promise is the wait told to patients, in words: "2 working days".
	Promise string
	// Sentence tells it in plain English.
	Sentence string
}

// CampaignOutcome is one campaign's part.
type CampaignOutcome struct {
	ID string
	// The last text goes before P10 in a tenth of the futures, before P50 in half, before P90 in nine tenths; zero if not before Until.
	P10, P50, P90 time.Time
	// Until is when texts stop whatever is left: half a year ahead, the campaign's last instant, or the end of what is known of the team's
	// capacity.
	Until time.Time
	// WorkingDays until P50; 0 if that is zero.
	WorkingDays float64
	// TextsLeft at the end, on average.
	TextsLeft float64
	// Answers still to come, to texts sent and to be sent.
	Answers Range
	// CheckListBy is when the list gets too old before the last text; the futures assume that it is checked again by then. Zero if it does not.
	CheckListBy time.Time
	// LinkAssumed is set where answers have stopped: the futures assume that somebody finds the link working.
	LinkAssumed bool
	// Stopped says why no text goes at all; "" if texts go.
	Stopped string
}

// DayOutcome is one civil day.
type DayOutcome struct {
	Day      time.Time // its midnight
	Texts    Range
	Answers  Range   // referrals that texts have brought
	Contacts Range   // first contacts made
	Queue    Range   // at its end
	Capacity float64 // first contacts that the roster allows for
}

// Range is a distribution in brief: P10 to P90 holds eight in ten.
type Range struct{ Mean, P10, P90 float64 }

const (
	usualFutures = 300
	mostFutures  = 5000
)

// WhatIf plays many futures of a team under a policy that may differ from today's: somebody is away, somebody joins, the promise is
// longer. Futures 0 means 300. Today's policy is the one under which the state came about; what the team makes of its roster is learned
// against it. To see what today's policy brings, give it twice, and compare the two outcomes: each future throws the same dice under both,
// so that what differs is not chance.
//
// A future goes on from the evidence of Decide: how many answer, how soon, how the strata differ, what comes besides, and how unsure each
// of these is. It knows of no surge, absence or dead link that has not yet begun to show, so the chance that somebody is late is rather
// more than it says; and where practices are texted one after the other, the first say little of the rest. The test of it in package sim
// has figures. WhatIf is pure: the same arguments give the same bits. Its cost is bounded by the half year ahead, not by the lists' length.
func WhatIf(now time.Time, today, changed TeamPolicy, s TeamState, futures int) Outcome {
	if futures <= 0 {
		futures = usualFutures
	}
	futures = min(futures, mostFutures)
	st := newStage(now, &today, &changed, &s)
	sum := newSummary(st, futures)
	f := newFuture(st)
	for i := range futures {
		f.play(i)
		sum.add(i, f)
	}
	return sum.outcome(now, &changed)
}

// newStage gathers the evidence under today's policy, and lays out the time ahead under the changed one.
func newStage(now time.Time, today, changed *TeamPolicy, s *TeamState) *stage {
	behind := newPast(now, changed.Calendar.zone(), beginning(now, s).Unix()/3600)
	ground := lookAround(now, today, s, &behind)
	timeline, gaps, windows := newTimeline(now, changed, s.Booked, ground.throughput.usual)
	st := &stage{
		timeline: timeline, gaps: gaps, knobs: changed.Knobs.Defaults(), slow: templateCurves[slowTemplate].table(), perCall: 1,
		o: outlook{g: timeline.g, throughput: ground.throughput, others: ground.others, headcount: changed.headcount(now, false)},
	}
	st.wait(now, s)
	could := 0.0
	if n := len(st.hours); n > 0 {
		could = st.hours[n-1].cleared
	}
	st.perCall = max(1, math.Ceil(could/(4*particles)))
	for i := range changed.Campaigns {
		p := &changed.Campaigns[i]
		c := stateOf(s, p.ID)
		st.braked = st.braked || c.Memory.Braked
		e := gather(&behind, p, c)
		l := st.lane(now, p, c, e, windows[i], could)
		l.assumed = e.silence(now).Silence != nil && !p.Blast
		st.lanes = append(st.lanes, l)
		st.o.streams = append(st.o.streams, &stream{e: e})
	}
	st.keep = st.o.reserve(st.knobs)
	return st
}

// wait places those who wait: evenly between the oldest and now.
func (st *stage) wait(now time.Time, s *TeamState) {
	oldest := 0.0
	if !s.OldestDue.IsZero() {
		if oldest = -st.g.promise - 1; s.OldestDue.After(now) {
			oldest = min(0, st.g.between(st.g.open, now, s.OldestDue)-st.g.promise)
		}
	}
	n := min(max(0, s.Waiting), 1e6)
	for i := range n {
		st.waiting = append(st.waiting, oldest*(1-float64(i)/float64(n)))
	}
}

func (st *stage) lane(now time.Time, p *CampaignPolicy, c *CampaignState, e *evidence, window []bool, could float64) lane {
	l := lane{
		desk: desk{policy: p, state: c, e: e, least: p.MinBatch}, window: window, mixed: e.mixed(), bend: 1, cap: unlimited, affords: unlimited,
	}
	l.stopped = stopped(now, p, c)
	rate, segments := p.Rate, p.SegmentsPerText
	if !(rate > 0) {
		rate = defaultRate
	}
	if !(segments > 0) {
		segments = 1
	}
	l.perHour = int(min(rate*3600/segments, unlimited))
	if p.DailyCap > 0 {
		l.cap = p.DailyCap
	}
	if p.Budget > 0 && p.CostPerText > 0 {
		l.affords = int(min(int64(e.allSent)+max(0, p.Budget-c.Spent)/p.CostPerText, unlimited))
	}
	if l.least <= 0 {
		l.least = defaultMinBatch
	}
	average, level := e.average()
	average = average.normal()
	l.believe = average.table()
	seen, recent := e.through(e.seen), e.through(e.recent)
	l.through, l.fresh = dot(&seen, &average), dot(&recent, &average)
	if e.answers < matureAnswers {
		l.slow = make([]float64, len(st.hours))
		l.ripe = e.mature(-1)
	}
	l.flow = make([]float64, len(st.hours))
	pending := 0.0
	for i := range e.cohorts {
		co := &e.cohorts[i]
		weighed, n := 0.0, 0.0
		for k, x := range co.n {
			weighed += x * e.theta[k]
			n += x
		}
		pending += weighed
		pass(l.flow, st.hours, 0, -units(co.age), l.believe, weighed)
		if l.slow != nil {
			pass(l.slow, st.hours, 0, -units(co.age), st.slow, n)
		}
	}
	r := run{answers: e.answers, faded: e.faded, through: l.through, fresh: l.fresh}
	if mean, _ := r.level(&l); mean > 0 && level > 0 {
		l.bend = level / mean
	}
	expected := level * float64(max(0, c.Planned)) * l.mixed
	if !p.Blast { // no more than can be called
		expected = min(expected, 2*could)
	}
	expected += level * pending
	l.weight = max(1, math.Ceil(expected/particles))
	return l
}

// stopped says why a campaign sends nothing as things stand.
func stopped(now time.Time, p *CampaignPolicy, c *CampaignState) string {
	switch {
	case c.Planned <= 0:
		return "everybody on the list has been texted"
	case !c.Running:
		return "the campaign is not running"
	case !p.Last.IsZero() && now.After(p.Last):
		return "the campaign's last day has passed"
	case c.Held != "":
		return "the campaign is on hold (" + strings.TrimRight(c.Held, ". ") + ")"
	case p.Blast:
		return ""
	case !p.Screened.IsZero() && now.Sub(p.Screened) > p.listAge():
		return "the list has to be checked against a fresh one"
	case p.Budget > 0 && c.Spent >= p.Budget:
		return "the budget is used up"
	}
	return ""
}

// summary collects the futures.
type summary struct {
	st                                *stage
	futures                           int
	texts, answers, contacts, waiting [][]float32 // by day and future
	finished                          [][]int     // by campaign and future: block of the last text, or beyond all
	left                              []float64   // by campaign
	brought                           [][]float32 // by campaign and future: answers
	late                              int
	lateShare                         float64
}

func newSummary(st *stage, futures int) *summary {
	table := func(n int) [][]float32 {
		flat := make([]float32, n*futures)
		out := make([][]float32, n)
		for i := range out {
			out[i] = flat[i*futures : (i+1)*futures]
		}
		return out
	}
	n := len(st.days)
	s := &summary{st: st, futures: futures, texts: table(n), answers: table(n), contacts: table(n), waiting: table(n),
		brought: table(len(st.lanes)), left: make([]float64, len(st.lanes))}
	for range st.lanes {
		s.finished = append(s.finished, make([]int, futures))
	}
	return s
}

func (s *summary) add(i int, f *future) {
	queue := float64(len(s.st.waiting))
	for d := range s.st.days {
		queue += f.arrivals[d] - f.contacts[d]
		s.texts[d][i], s.answers[d][i] = float32(f.texts[d]), float32(f.answers[d])
		s.contacts[d][i], s.waiting[d][i] = float32(f.contacts[d]), float32(max(0, queue))
	}
	for c := range f.runs {
		r := &f.runs[c]
		if s.finished[c][i] = r.finished; r.finished < 0 {
			s.finished[c][i] = len(s.st.blocks)
		}
		s.left[c] += float64(r.rest.Planned) / float64(s.futures)
		sum := 0.0
		for _, x := range r.came {
			sum += x
		}
		s.brought[c][i] = float32(sum)
	}
	if f.late > .5 {
		s.late++
	}
	s.lateShare += f.late / max(1, f.called+max(0, queue)) / float64(s.futures)
}

// rank is the position of a share among so many sorted values.
func rank(share float64, n int) int { return min(n-1, int(share*float64(n))) }

// inBrief sorts its values.
func inBrief(x []float32) Range {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	slices.Sort(x)
	n := len(x)
	return Range{sum / float64(n), float64(x[rank(.1, n)]), float64(x[rank(.9, n)])}
}

func (s *summary) outcome(now time.Time, p *TeamPolicy) Outcome {
	st := s.st
	o := Outcome{
		Futures: s.futures, LateChance: float64(s.late) / float64(s.futures), LateShare: s.lateShare, Promise: (&writer{p: p}).promise(),
	}
	end := now // of the slowest campaign that ends
	for c := range st.lanes {
		l := &st.lanes[c]
		x := CampaignOutcome{ID: p.Campaigns[c].ID, TextsLeft: s.left[c], Answers: inBrief(s.brought[c]), Stopped: l.stopped, LinkAssumed: l.assumed && l.stopped == ""}
		x.Until = earlier(now.Add(horizonOfFutures), st.g.end)
		if last := l.policy.Last; !last.IsZero() {
			x.Until = earlier(x.Until, last)
		}
		slices.Sort(s.finished[c])
		at := func(share float64) (t time.Time, days float64) {
			b := s.finished[c][rank(share, s.futures)]
			if b == len(st.blocks) {
				return time.Time{}, 0
			}
			return st.blocks[b].at, st.blocks[b].open / p.workingDay()
		}
		if l.stopped == "" {
			x.P10, _ = at(.1)
			x.P50, x.WorkingDays = at(.5)
			x.P90, _ = at(.9)
			last := x.P90
			if last.IsZero() {
				last = x.Until
			}
			end = later(end, last)
			if c := &p.Campaigns[c]; !c.Screened.IsZero() && !c.Blast && c.Screened.Add(c.listAge()).Before(last) {
				x.CheckListBy = c.Screened.Add(c.listAge())
			}
		}
		o.Campaigns = append(o.Campaigns, x)
	}
	const after = 7 * 24 * time.Hour // for the last answers
	for d, midnight := range st.days {
		next := p.Calendar.day(midnight).next
		if midnight.After(end.Add(after)) || !midnight.Before(st.g.end) {
			break
		}
		o.Days = append(o.Days, DayOutcome{
			Day: midnight, Texts: inBrief(s.texts[d]), Answers: inBrief(s.answers[d]), Contacts: inBrief(s.contacts[d]), Queue: inBrief(s.waiting[d]),
			Capacity: st.g.capacity(midnight, next, false),
		})
	}
	o.LongestWait = st.wayThrough(now, now, float64(len(st.waiting))) / p.workingDay()
	for _, d := range o.Days {
		night := p.Calendar.day(d.Day).next
		o.LongestWait = max(o.LongestWait, st.wayThrough(now, night, d.Queue.Mean)/p.workingDay())
	}
	o.Sentence = o.inWords(p.Calendar.zone())
	return o
}

// wayThrough is how many promise hours it takes from an instant on until so many have been called.
func (st *stage) wayThrough(now, from time.Time, queue float64) float64 {
	steps := int(st.g.end.Sub(from) / step)
	if queue < .5 || steps < 2 { // less than half a person is nobody
		return 0
	}
	t := soonest(from, steps, func(t time.Time) bool {
		return st.g.capacity(now, t, true)-st.g.capacity(now, from, true) >= queue
	})
	return st.g.between(st.g.open, from, t)
}

// workingDay is the length of a working day in promise hours.
func (p *TeamPolicy) workingDay() float64 {
	if p.Declared != nil {
		return 8
	}
	return p.Calendar.WorkingDayLength().Hours()
}

// inWords tells when the last text goes and how likely somebody waits too long.
func (o *Outcome) inWords(loc *time.Location) string {
	var b strings.Builder
	named := len(o.Campaigns) > 1
	for i := range o.Campaigns {
		c := &o.Campaigns[i]
		what := "The last text"
		if named {
			what += " of campaign " + c.ID
		}
		switch from, to := civilDate(c.P10, loc), civilDate(c.P90, loc); {
		case c.Stopped != "":
			if named {
				fmt.Fprintf(&b, "Of campaign %s no", c.ID)
			} else {
				b.WriteString("No")
			}
			fmt.Fprintf(&b, " further text goes: %s. ", c.Stopped)
		case c.P10.IsZero():
			fmt.Fprintf(&b, "%s would not go by %s: about %s would be left. ", what, civilDate(c.Until, loc), count(int(c.TextsLeft+.5), "text"))
		case c.P90.IsZero():
			fmt.Fprintf(&b, "%s would go on %s at the soonest, and perhaps not by %s. ", what, from, civilDate(c.Until, loc))
		case from == to:
			fmt.Fprintf(&b, "%s would go on %s. ", what, from)
		default:
			fmt.Fprintf(&b, "%s would go between %s and %s. ", what, from, to)
		}
		if c.LinkAssumed {
			b.WriteString("Answers have stopped: this holds if the link is found to work. ")
		}
		if !c.CheckListBy.IsZero() {
			fmt.Fprintf(&b, "The list has to be checked again by %s. ", civilDate(c.CheckListBy, loc))
		}
	}
	fmt.Fprintf(&b, "%s, somebody waits longer than %s.", inFutures(o.LateChance, o.Futures), o.Promise)
	return b.String()
}

// civilDate names a day.
func civilDate(t time.Time, loc *time.Location) string { return t.In(loc).Format("2 January 2006") }

// inFutures says a chance as people count.
func inFutures(chance float64, futures int) string {
	switch {
	case chance == 0:
		return fmt.Sprintf("In none of %s", count(futures, "simulated future"))
	case chance == 1:
		return fmt.Sprintf("In all of %s", count(futures, "simulated future"))
	case chance <= .4:
		return fmt.Sprintf("In about 1 in %s simulated futures", number(int(1/chance+.5)))
	case chance < .6:
		return "In about half of the simulated futures"
	}
	return fmt.Sprintf("In %s of the simulated futures", percent(chance))
}

// Compare tells in plain English what a change makes of today's outcome: how much later or sooner the last text goes, and whether more or
// fewer people risk a long wait. Both must have been played for the same campaigns at the same instant.
func Compare(today, changed Outcome) string {
	var b strings.Builder
	for i := range changed.Campaigns {
		c := &changed.Campaigns[i]
		k := slices.IndexFunc(today.Campaigns, func(x CampaignOutcome) bool { return x.ID == c.ID })
		if k < 0 {
			continue
		}
		what := "The last text"
		if len(changed.Campaigns) > 1 {
			what += " of campaign " + c.ID
		}
		was := &today.Campaigns[k]
		days := c.WorkingDays - was.WorkingDays
		switch {
		case c.Stopped != "" && was.Stopped != "":
		case c.Stopped != "":
			fmt.Fprintf(&b, "%s would not go: %s. ", what, c.Stopped)
		case was.Stopped != "":
			fmt.Fprintf(&b, "%s would go after all. ", what)
		case c.P50.IsZero() && was.P50.IsZero():
			fmt.Fprintf(&b, "%s would not go in time, as today. ", what)
		case c.P50.IsZero():
			fmt.Fprintf(&b, "%s would no longer go in time: about %s would be left. ", what, count(int(c.TextsLeft+.5), "text"))
		case was.P50.IsZero():
			fmt.Fprintf(&b, "%s would go in time, which it would not today. ", what)
		case math.Abs(days) < .25:
			fmt.Fprintf(&b, "%s would go at about the same time. ", what)
		case days > 0:
			fmt.Fprintf(&b, "%s would go %s later. ", what, about(days))
		default:
			fmt.Fprintf(&b, "%s would go %s sooner. ", what, about(-days))
		}
	}
	if b.Len() == 0 {
		b.WriteString("No text would go, as today. ")
	}
	was, is := today.LateChance, changed.LateChance
	noise := 1 / float64(max(1, min(today.Futures, changed.Futures)))
	longer := "than " + changed.Promise
	if today.Promise != changed.Promise {
		longer += " (today: " + today.Promise + ")"
	}
	switch {
	case math.Abs(is-was) < max(2*noise, .02):
		fmt.Fprintf(&b, "The chance that somebody waits longer %s stays about the same: %s.", longer, percent(is))
	case is > was:
		fmt.Fprintf(&b, "The chance that somebody waits longer %s would rise from %s to %s.", longer, percent(was), percent(is))
	default:
		fmt.Fprintf(&b, "The chance that somebody waits longer %s would fall from %s to %s.", longer, percent(was), percent(is))
	}
	return b.String()
}

// about rounds working days for people.
func about(days float64) string {
	if days < .75 {
		return "about half a working day"
	}
	return "about " + count(int(days+.5), "working day")
}
