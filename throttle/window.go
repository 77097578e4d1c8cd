package throttle

import "time"

// WindowAt gives the sending window that holds t, as instants; false if texts may not leave at t. The zero week means
// Monday to Friday, 09:00 to 17:00. Bank holidays have no window.
func (c Calendar) WindowAt(t time.Time, w Week) (Span, bool) {
	w = w.or(officeWeek)
	s, ok := c.day(t).span(&w)
	if !ok || t.Before(s.From) || !t.Before(s.To) {
		return Span{}, false
	}
	return s, true
}

// Midnight is the start of t's civil day.
func (c Calendar) Midnight(t time.Time) time.Time { return c.day(t).midnight }
