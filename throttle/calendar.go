package throttle

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
	_ "time/tzdata" // the civil zone must exist on a bare machine too

	"github.com/rickar/cal/v2/gb"
)

// horizonDays bounds every search for open hours: a calendar closed for longer than this is never open.
const horizonDays = 750

var london = func() *time.Location {
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic("throttle: the embedded time zones hold no Europe/London: " + err.Error())
	}
	return loc
}()

var officeWeek = Week{
	time.Monday: {9 * 60, 17 * 60}, time.Tuesday: {9 * 60, 17 * 60}, time.Wednesday: {9 * 60, 17 * 60},
	time.Thursday: {9 * 60, 17 * 60}, time.Friday: {9 * 60, 17 * 60},
}

var bankHolidayYears sync.Map // year -> *[367]bool by day of the year: working a year out costs many microseconds

// bankHoliday reports whether a civil date is a bank holiday in England.
func bankHoliday(year, yday int) bool {
	if v, ok := bankHolidayYears.Load(year); ok {
		return v.(*[367]bool)[yday]
	}
	var days [367]bool
	for _, h := range gb.Holidays {
		actual, observed := h.Calc(year)
		// A holiday on a weekend moves to a working day; the weekend day itself is left to the opening hours.
		for _, d := range []time.Time{actual, observed} {
			if !d.IsZero() && d.Year() == year {
				days[d.YearDay()] = true
			}
		}
	}
	bankHolidayYears.Store(year, &days)
	return days[yday]
}

// calendarJSON is a Calendar as it is written down: a zone has a name there.
type calendarJSON struct {
	Zone           string   `json:",omitempty"`
	Open           Week     `json:",omitzero"`
	Holidays       []string `json:",omitempty"`
	NoBankHolidays bool     `json:",omitempty"`
}

// MarshalJSON writes the zone by its name, so that a stored state can be replayed.
func (c Calendar) MarshalJSON() ([]byte, error) {
	j := calendarJSON{Open: c.Open, Holidays: c.Holidays, NoBankHolidays: c.NoBankHolidays}
	if c.Location != nil {
		j.Zone = c.Location.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON has written.
func (c *Calendar) UnmarshalJSON(b []byte) error {
	var j calendarJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*c = Calendar{Open: j.Open, Holidays: j.Holidays, NoBankHolidays: j.NoBankHolidays}
	if j.Zone != "" {
		loc, err := time.LoadLocation(j.Zone)
		if err != nil {
			return fmt.Errorf("read a calendar: %w", err)
		}
		c.Location = loc
	}
	return nil
}

// zone is the civil time zone.
func (c Calendar) zone() *time.Location {
	if c.Location == nil {
		return london
	}
	return c.Location
}

// open is the week in which the promise runs.
func (c Calendar) open() Week { return c.Open.or(officeWeek) }

// or tidies the hours and falls back where no day of the week has any.
func (w Week) or(otherwise Week) Week {
	some := false
	for i := range w {
		w[i].From, w[i].To = max(w[i].From, 0), min(w[i].To, 24*60)
		if w[i].From >= w[i].To {
			w[i] = Hours{}
			continue
		}
		some = true
	}
	if !some {
		return otherwise
	}
	return w
}

// day is one civil day with its opening, as instants. open == close means closed.
type day struct {
	midnight, next time.Time
	weekday        time.Weekday
	holiday        bool
}

func (c Calendar) day(t time.Time) day {
	loc := c.zone()
	y, m, d := t.In(loc).Date()
	return c.date(y, m, d, loc)
}

func (c Calendar) date(y int, m time.Month, d int, loc *time.Location) day {
	mid := time.Date(y, m, d, 0, 0, 0, 0, loc)
	return day{
		midnight: mid,
		next:     time.Date(y, m, d+1, 0, 0, 0, 0, loc),
		weekday:  mid.Weekday(),
		holiday:  c.holiday(mid),
	}
}

func (c Calendar) holiday(midnight time.Time) bool {
	if !c.NoBankHolidays && bankHoliday(midnight.Year(), midnight.YearDay()) {
		return true
	}
	if len(c.Holidays) == 0 {
		return false
	}
	iso := midnight.Format(time.DateOnly)
	for _, h := range c.Holidays {
		if h == iso {
			return true
		}
	}
	return false
}

// at is the instant of a civil minute of the day. On the day of a clock change a minute may come twice, and last says which is meant; one that
// is missing is the instant of the change.
func (d day) at(minute int, last bool) time.Time {
	before, after := d.midnight.Add(time.Duration(minute)*time.Minute), d.next.Add(time.Duration(minute-24*60)*time.Minute)
	if minute >= 24*60 || before.Equal(after) {
		return after
	}
	_, change := d.midnight.ZoneBounds()
	switch there, again := before.Before(change), !after.Before(change); {
	case again && (last || !there):
		return after
	case there:
		return before
	}
	return change
}

// span is when the day is open in a week; holidays are closed. Where hours begin or end in a time that comes twice, they are as short as they can
// be meant: nobody is texted at a time that somebody may call outside.
func (d day) span(w *Week) (Span, bool) {
	h := w[d.weekday]
	if d.holiday || h.From >= h.To {
		return Span{}, false
	}
	s := Span{d.at(h.From, true), d.at(h.To, false)}
	return s, s.From.Before(s.To)
}

// following is the next civil day.
func (c Calendar) following(d day) day {
	y, m, dd := d.midnight.Date()
	return c.date(y, m, dd+1, d.midnight.Location())
}

// WorkingDay reports whether the promise runs at some time of t's civil day.
func (c Calendar) WorkingDay(t time.Time) bool {
	w := c.open()
	_, ok := c.day(t).span(&w)
	return ok
}

// NextHolidays are the next n days, from t's own on, on which nobody works though the hours would let them.
func (c Calendar) NextHolidays(t time.Time, n int) (all []time.Time) {
	w := c.open()
	d := c.day(t)
	for range horizonDays { // there may be none
		if len(all) == n {
			break
		}
		if o := w[d.weekday]; d.holiday && o.From < o.To {
			all = append(all, d.midnight)
		}
		d = c.following(d)
	}
	return all
}

// NextOpen is t itself within opening hours, else the next opening; zero if there is none within two years.
func (c Calendar) NextOpen(t time.Time) time.Time {
	w := c.open()
	d := c.day(t)
	for range horizonDays {
		if s, ok := d.span(&w); ok && t.Before(s.To) {
			if t.Before(s.From) {
				return s.From
			}
			return t
		}
		d = c.following(d)
	}
	return time.Time{}
}

// Working is the time between two instants in which the promise runs; negative if to is before from.
func (c Calendar) Working(from, to time.Time) time.Duration {
	if to.Before(from) {
		return -c.Working(to, from)
	}
	w := c.open()
	var sum time.Duration
	for d := c.day(from); d.midnight.Before(to); d = c.following(d) {
		if s, ok := d.span(&w); ok {
			sum += s.overlap(from, to)
		}
	}
	return sum
}

func (s Span) overlap(from, to time.Time) time.Duration {
	if from.Before(s.From) {
		from = s.From
	}
	if to.After(s.To) {
		to = s.To
	}
	return max(0, to.Sub(from))
}

// WorkingDayLength is the length of one working day of the promise: the mean over the open days of a week, 8 hours by default.
func (c Calendar) WorkingDayLength() time.Duration {
	minutes, days := 0, 0
	for _, h := range c.open() {
		if h.From < h.To {
			minutes += h.To - h.From
			days++
		}
	}
	return time.Duration(minutes) * time.Minute / time.Duration(days)
}

// DueBy is when a promise of so many working days, made at from, runs out: that many working days' worth of opening hours later.
// What arrives on Monday at 11:00 with a promise of two days is due on Wednesday at 11:00; what arrives out of hours counts from the
// next opening. Zero if the calendar does not open that often within two years.
func (c Calendar) DueBy(from time.Time, workingDays int) time.Time {
	left := time.Duration(workingDays) * c.WorkingDayLength()
	if left <= 0 {
		return c.NextOpen(from)
	}
	w := c.open()
	d := c.day(from)
	for range horizonDays {
		if s, ok := d.span(&w); ok && from.Before(s.To) {
			if from.After(s.From) {
				s.From = from
			}
			if length := s.To.Sub(s.From); left <= length {
				return s.From.Add(left)
			} else {
				left -= length
			}
		}
		d = c.following(d)
	}
	return time.Time{}
}

// within reports whether t lies in the hours of a week on a day that is not a holiday.
func (c Calendar) within(t time.Time, w Week) bool {
	s, ok := c.day(t).span(&w)
	return ok && !t.Before(s.From) && t.Before(s.To)
}

// nextWithin is t itself if it lies in the hours of a week, else the next time they start.
func (c Calendar) nextWithin(t time.Time, w Week) time.Time {
	return Calendar{Location: c.Location, Open: w, Holidays: c.Holidays, NoBankHolidays: c.NoBankHolidays}.NextOpen(t)
}
