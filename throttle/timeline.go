package throttle

import (
	"math"
	"slices"
	"time"
)

const (
	horizonOfFutures = 182 * 24 * time.Hour // texts may go for at most half a year
	aftermath        = 21 * 24 * time.Hour  // further time for answers to them
	clockUnit        = .05                  // response-hours; half hours of day, evening and night are whole multiples of it
)

// timeline is the time ahead without the hours in which nothing can happen but the coming of answers: no text may leave, nobody calls,
// and no promise runs. It is laid out once and shared by all futures.
type timeline struct {
	g      *grid
	blocks []block
	hours  []hour
	days   []time.Time // midnights, from the one before now
	// By unit of the response clock from now: the block at whose start somebody who answers then is first seen, and the civil day.
	seen []int32
	day  []int32
}

// block is a half hour in which something can happen; the first begins now.
type block struct {
	at       time.Time
	unit     int     // of the response clock, from now
	open     float64 // promise hours from now
	length   float64 // of them within the block
	came     float64 // promise hours at which those who are first seen in this block came
	contacts float64 // first contacts within the block by workers without a caseload limit
	limited  []float64
	places   []float64 // by limited worker: people who can be taken on by the end of the block
	day      int
	hour     int // index of the hour that begins with it, or -1
}

// hour is an instant at which texts may be released and the queue is looked at.
type hour struct {
	block   int
	unit    int
	cleared float64 // first contacts from now until this instant, caseload limits aside
	due     float64 // first contacts from now until the promise made at this instant runs out
	known   bool    // the roster reaches that far
	alone   bool    // no senior is there for most of the answers to a text that leaves then
	limited []limitedHour
	gap     int     // index + 1 of the long closure that ended less than a working day before, else 0
	eve     float64 // see checkpoint
	passed  int     // long closures that have begun by now
	opening bool    // a long closure has just ended
	ending  bool    // a long closure is about to begin
}

type limitedHour struct{ cleared, due, places float64 }

// gap is a long closure: the last hour before it, the first after it, and the promise hours at which it ended.
type gap struct {
	from, to int
	open     float64
}

// newTimeline lays out the time ahead under a policy. Output is what the team makes of its roster.
func newTimeline(now time.Time, p *TeamPolicy, booked []BookedWork, output float64) (*timeline, []gap, [][]bool) {
	g := newGrid(p, booked, now, horizonOfFutures+aftermath+ahead)
	g.output = output
	g.lookForSeniors(p, now, g.end)
	n := max(0, int(earlier(now.Add(horizonOfFutures+aftermath), g.end).Sub(g.start)/step))
	windows := make([][]bool, len(p.Campaigns)) // by campaign and half hour
	t := &timeline{g: g}
	dayOf := make([]int, n)
	weeks := make([]Week, len(windows))
	for i := range windows {
		windows[i] = make([]bool, n)
		weeks[i] = p.Campaigns[i].Windows.or(officeWeek)
	}
	for d := p.Calendar.day(now); n > 0 && d.midnight.Before(g.start.Add(time.Duration(n)*step)); d = p.Calendar.following(d) {
		for i := max(0, int(d.midnight.Sub(g.start)/step)); i < min(n, int(d.next.Sub(g.start)/step)); i++ {
			dayOf[i] = len(t.days)
		}
		t.days = append(t.days, d.midnight)
		for c := range windows {
			s, ok := d.span(&weeks[c])
			if !ok {
				continue
			}
			for i := max(0, int(s.From.Sub(g.start)/step)); i < n; i++ {
				at := later(now, g.start.Add(time.Duration(i)*step))
				if !at.Before(s.To) {
					break
				}
				windows[c][i] = windows[c][i] || !at.Before(s.From) && at.Sub(now) < horizonOfFutures
			}
		}
	}
	first := make([]int, n+1) // by half hour: the first block that does not begin before it
	origin, opened := g.at(g.response, now), g.at(g.open, now)
	last := -2
	run := 0
	for i := range n {
		first[i] = len(t.blocks)
		from, to := later(now, g.start.Add(time.Duration(i)*step)), g.start.Add(time.Duration(i+1)*step)
		b := block{
			at: from, unit: units(g.at(g.response, from) - origin), open: g.at(g.open, from) - opened, length: g.between(g.open, from, to),
			contacts: g.between(g.contacts, from, to) * output, day: dayOf[i], hour: -1,
		}
		active := b.length > 0 || b.contacts > 0
		for k := range g.limited {
			l := &g.limited[k]
			x := g.between(l.contacts, from, to)
			active = active || x > 0
			b.limited = append(b.limited, x*output)
			b.places = append(b.places, l.headroom(to))
		}
		for c := range windows {
			active = active || windows[c][i]
		}
		if !active {
			continue
		}
		b.came = b.open
		if last == i-1 && len(t.blocks) > 0 {
			b.came -= t.blocks[len(t.blocks)-1].length / 2
			run++
		} else {
			run = 0
		}
		last = i
		if run%2 == 0 {
			b.hour = len(t.hours)
			t.hours = append(t.hours, t.newHour(&b, len(t.blocks), now))
		}
		t.blocks = append(t.blocks, b)
	}
	first[n] = len(t.blocks)
	for i := range n { // when answers are seen
		from, to := units(g.response[i]-origin), units(g.response[i+1]-origin)
		see := first[i]
		if first[i+1] > first[i] {
			see++
		}
		for u := max(0, from); u < to; u++ {
			t.seen = append(t.seen, int32(see))
			t.day = append(t.day, int32(dayOf[i]))
		}
	}
	byHour := make([][]bool, len(windows))
	for c := range windows {
		for k := range t.hours {
			i := int(t.blocks[t.hours[k].block].at.Sub(g.start) / step)
			byHour[c] = append(byHour[c], windows[c][i])
		}
	}
	return t, t.gaps(n), byHour
}

func units(hours float64) int { return int(math.Round(hours / clockUnit)) }

func (t *timeline) newHour(b *block, at int, now time.Time) hour {
	g := t.g
	due, known := g.due(b.at)
	h := hour{block: at, unit: b.unit, cleared: g.capacity(now, b.at, true), due: g.capacity(now, due, true), known: known, alone: g.seniorless(b.at)}
	for k := range g.limited {
		l := &g.limited[k]
		h.limited = append(h.limited, limitedHour{
			g.between(l.contacts, now, b.at) * g.output, g.between(l.contacts, now, due) * g.output, l.headroom(due),
		})
	}
	return h
}

// gaps finds the long closures and marks the hours around them.
func (t *timeline) gaps(n int) []gap {
	var out []gap
	g := t.g
	for i := 0; i < n; i++ {
		if g.open[i+1] > g.open[i] {
			continue
		}
		j := i
		for j < n && g.open[j+1] == g.open[j] {
			j++
		}
		from, to := g.start.Add(time.Duration(i)*step), g.start.Add(time.Duration(j)*step)
		i = j
		if to.Sub(from) < longClosure || j == n {
			continue
		}
		find := func(x time.Time) int {
			k, _ := slices.BinarySearchFunc(t.hours, x, func(h hour, x time.Time) int { return t.blocks[h.block].at.Compare(x) })
			return k
		}
		a, b := find(from), find(to)
		if b == len(t.hours) {
			break
		}
		x := gap{from: max(0, a-1), to: b, open: t.blocks[t.hours[b].block].open}
		out = append(out, x)
		t.hours[b].opening, t.hours[x.from].ending = true, true
		day := g.promise / 2
		for k := a - 1; k >= 0 && t.hours[k].eve == 0; k-- {
			left := x.open - t.blocks[t.hours[k].block].open
			if left > day+1e-6 {
				break
			}
			t.hours[k].eve = left / day
		}
		for k := a; k < len(t.hours); k++ {
			t.hours[k].passed = len(out)
		}
		for k := b; k < len(t.hours) && t.blocks[t.hours[k].block].open <= x.open+day; k++ {
			t.hours[k].gap = len(out)
		}
	}
	return out
}
