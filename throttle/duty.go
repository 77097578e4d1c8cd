package throttle

import (
	"slices"
	"time"
)

// dutyDays is how far ahead a roster is believed: Christmas and somebody's long leave fit in, and nobody is told of a day months away.
const dutyDays = 56

// Duty says when somebody of a team is at work. The zero value means that it cannot be told: then nothing should be said of it.
type Duty struct {
	Open  bool
	Until time.Time // while open: when the last one leaves
	Next  time.Time // when somebody comes after that, or after now; zero if not within eight weeks
}

// Known reports whether anything can be said.
func (d Duty) Known() bool { return d.Open || !d.Next.IsZero() }

// OnDuty tells from a roster's hours, less leave and bank holidays, whether somebody is at work at now, and when somebody will be next. Whose
// hours all go to other work than first contacts is there too: they see what comes in.
func OnDuty(c Calendar, roster []Worker, now time.Time) Duty {
	var duty Duty
	var worked []Span
	// A day's hours never pass midnight, but those of one day can meet those of the next.
	for d, n := c.day(now), 0; n < dutyDays; d, n = c.following(d), n+1 {
		worked = worked[:0]
		for i := range roster {
			if s, ok := d.span(&roster[i].Week); ok {
				worked = appendLess(worked, s, roster[i].Leave)
			}
		}
		slices.SortFunc(worked, func(a, b Span) int { return a.From.Compare(b.From) })
		for _, s := range worked {
			switch {
			case !s.To.After(now):
			case !duty.Open && s.From.After(now):
				duty.Next = s.From
				return duty
			case !duty.Open:
				duty.Open, duty.Until = true, s.To
			case s.From.After(duty.Until):
				duty.Next = s.From
				return duty
			case s.To.After(duty.Until):
				duty.Until = s.To
			}
		}
	}
	return duty
}

// AtWork is how long somebody is at work between two instants: their weekly hours less leave and bank holidays.
func AtWork(c Calendar, w Worker, from, to time.Time) (sum time.Duration) {
	var worked []Span
	for d := c.day(from); d.midnight.Before(to); d = c.following(d) {
		if s, ok := d.span(&w.Week); ok {
			worked = appendLess(worked[:0], s, w.Leave)
			for _, s := range worked {
				sum += s.overlap(from, to)
			}
		}
	}
	return sum
}

// appendLess adds what is left of a stretch of work without its leave.
func appendLess(to []Span, s Span, leave []Span) []Span {
	for _, l := range leave {
		if !l.From.Before(s.To) || !l.To.After(s.From) {
			continue
		}
		if l.From.After(s.From) {
			to = appendLess(to, Span{s.From, l.From}, leave)
		}
		if l.To.Before(s.To) {
			to = appendLess(to, Span{l.To, s.To}, leave)
		}
		return to
	}
	return append(to, s)
}
