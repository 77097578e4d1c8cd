package throttle

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWorkingDay(t *testing.T) {
	// gov.uk/bank-holidays, England and Wales, with substitute days.
	for _, s := range []string{
		"2026-01-01", "2026-04-03", "2026-04-06", "2026-05-04", "2026-05-25", "2026-08-31", "2026-12-25", "2026-12-28",
		"2027-01-01", "2027-03-26", "2027-03-29", "2027-05-03", "2027-05-31", "2027-08-30", "2027-12-27", "2027-12-28",
		"2028-01-03", "2028-04-14", "2028-04-17", "2028-05-01", "2028-05-29", "2028-08-28", "2028-12-25", "2028-12-26",
		"2022-06-02", "2022-06-03", "2023-05-08",
		"2026-06-06", "2026-06-07", // a weekend
	} {
		if (Calendar{}).WorkingDay(at(s + " 12:00")) {
			t.Errorf("%s is a working day", s)
		}
	}
	// Scotland's days are not England's.
	for _, s := range []string{"2026-01-02", "2026-08-03", "2026-11-30", "2026-06-01", "2026-12-24"} {
		if !(Calendar{}).WorkingDay(at(s + " 12:00")) {
			t.Errorf("%s is not a working day", s)
		}
	}
	if (Calendar{Holidays: []string{"2026-12-24"}}).WorkingDay(at("2026-12-24 12:00")) {
		t.Error("a proclaimed holiday is a working day")
	}
	weekdays := 0
	for d := at("2026-01-01 12:00"); d.Year() == 2026; d = d.AddDate(0, 0, 1) {
		if (Calendar{}).WorkingDay(d) {
			weekdays++
		}
	}
	if weekdays != 253 {
		t.Errorf("%d working days in 2026, want 253", weekdays)
	}
}

func TestDueBy(t *testing.T) {
	always := Week{}
	for i := range always {
		always[i] = Hours{0, 24 * 60}
	}
	half := officeWeek
	half[time.Wednesday] = Hours{9 * 60, 13 * 60}
	for _, tt := range []struct {
		name string
		cal  Calendar
		from string
		days int
		want string
	}{
		{"at opening", Calendar{}, "2026-06-01 09:00", 2, "2026-06-02 17:00"},
		{"in the morning", Calendar{}, "2026-06-01 11:00", 2, "2026-06-03 11:00"},
		{"at night", Calendar{}, "2026-06-01 22:00", 2, "2026-06-03 17:00"},
		{"at closing", Calendar{}, "2026-06-01 17:00", 1, "2026-06-02 17:00"},
		{"on Friday", Calendar{}, "2026-06-05 15:00", 2, "2026-06-09 15:00"},
		{"on Saturday", Calendar{}, "2026-06-06 03:00", 2, "2026-06-09 17:00"},
		{"over a bank holiday", Calendar{}, "2026-05-22 15:00", 2, "2026-05-27 15:00"},
		{"over Easter", Calendar{}, "2026-04-02 16:00", 2, "2026-04-08 16:00"},
		{"over Christmas", Calendar{}, "2026-12-24 12:00", 2, "2026-12-30 12:00"},
		{"over the clock change in spring", Calendar{}, "2026-03-27 11:00", 2, "2026-03-31 11:00"},
		{"over the clock change in autumn", Calendar{}, "2026-10-23 11:00", 2, "2026-10-27 11:00"},
		{"a day of 23 hours", Calendar{Open: always}, "2026-03-28 12:00", 1, "2026-03-29 13:00"},
		{"a day of 25 hours", Calendar{Open: always}, "2026-10-24 12:00", 1, "2026-10-25 11:00"},
		{"no days", Calendar{}, "2026-06-06 03:00", 0, "2026-06-08 09:00"},
		{"Wednesday afternoon off", Calendar{Open: half}, "2026-06-03 12:00", 1, "2026-06-04 15:12"},
		{"a proclaimed holiday", Calendar{Holidays: []string{"2026-06-02"}}, "2026-06-01 11:00", 2, "2026-06-04 11:00"},
		{"hours that make no sense", Calendar{Open: Week{1: {900, 600}}}, "2026-06-01 11:00", 1, "2026-06-02 11:00"},
	} {
		if got := tt.cal.DueBy(at(tt.from), tt.days); !got.Equal(at(tt.want)) {
			t.Errorf("%s: %s and %d days: %v, want %s", tt.name, tt.from, tt.days, got, tt.want)
		}
	}
	never := Calendar{Open: Week{1: {540, 1020}}}
	for d := monday; d.Before(monday.AddDate(3, 0, 0)); d = d.AddDate(0, 0, 7) {
		never.Holidays = append(never.Holidays, d.Format(time.DateOnly))
	}
	if d := never.DueBy(monday, 2); !d.IsZero() || !never.NextOpen(monday).IsZero() {
		t.Errorf("a service that never opens is due %v", d)
	}
}

func calendars(t *rapid.T) Calendar {
	c := Calendar{}
	for i := range c.Open {
		if rapid.Bool().Draw(t, "open") {
			from := rapid.IntRange(0, 23*60).Draw(t, "from")
			c.Open[i] = Hours{from, rapid.IntRange(from, 24*60).Draw(t, "to")}
		}
	}
	return c
}

func instant(t *rapid.T, name string) time.Time {
	// Around both clock changes, Easter and Christmas.
	base := rapid.SampledFrom([]string{"2026-03-24 00:00", "2026-10-20 00:00", "2026-12-20 00:00", "2027-03-20 00:00"}).Draw(t, name+" near")
	return at(base).Add(time.Duration(rapid.IntRange(0, 14*24*60).Draw(t, name)) * time.Minute)
}

func TestWorkingIsAClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := calendars(t)
		a, b, d := instant(t, "a"), instant(t, "b"), instant(t, "d")
		if ab, bd, ad := c.Working(a, b), c.Working(b, d), c.Working(a, d); ab+bd != ad {
			t.Fatalf("not additive: %v + %v != %v", ab, bd, ad)
		}
		if w := c.Working(a, b); !b.Before(a) && (w < 0 || w > b.Sub(a)) {
			t.Fatalf("%v of work in %v", w, b.Sub(a))
		}
		// Due dates never cross, and exactly the promised time lies before them.
		days := rapid.IntRange(1, 4).Draw(t, "days")
		da, db := c.DueBy(a, days), c.DueBy(b, days)
		if a.Before(b) && db.Before(da) {
			t.Fatalf("%v is due %v, but the later %v already %v", a, da, b, db)
		}
		if got, want := c.Working(a, da), time.Duration(days)*c.WorkingDayLength(); got != want {
			t.Fatalf("%v of work until the due date, want %v", got, want)
		}
		if n := c.NextOpen(a); n.Before(a) || c.Working(a, n) != 0 || c.Working(n, n.Add(time.Minute)) == 0 {
			t.Fatalf("next opening after %v: %v", a, n)
		}
	})
}

// The grid of Decide and the exact calendar agree to the minute for hours that start at half hours.
func TestGridAgreesWithTheCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := instant(t, "from")
		g := newGrid(&TeamPolicy{PromiseDays: 2}, nil, from, ahead)
		x := from.Add(time.Duration(rapid.IntRange(0, 25*24*60).Draw(t, "later")) * time.Minute)
		if a, b := g.between(g.open, from, x), (Calendar{}).Working(from, x).Hours(); a < b-.01 || a > b+.01 {
			t.Fatalf("%v to %v: %v working hours in the grid, %v in the calendar", from, x, a, b)
		}
		a, _ := g.due(x)
		if b := (Calendar{}).DueBy(x, 2); a.Sub(b).Abs() > 2*time.Second {
			t.Fatalf("%v is due %v in the grid, %v in the calendar", x, a, b)
		}
	})
}

func TestCapacity(t *testing.T) {
	day := func(s string) Span { return Span{at(s + " 00:00"), at(s+" 00:00").AddDate(0, 0, 1)} }
	one := Worker{Week: officeWeek, FirstContact: .5, Minutes: 30, Places: -1} // eight a day
	with := func(f func(*Worker)) []Worker { w := one; f(&w); return []Worker{w} }
	for _, tt := range []struct {
		name     string
		roster   []Worker
		booked   []BookedWork
		from, to string
		want     float64
	}{
		{"a day", []Worker{one}, nil, "2026-06-01 00:00", "2026-06-02 00:00", 8},
		{"an hour", []Worker{one}, nil, "2026-06-01 10:15", "2026-06-01 11:15", 1},
		{"a week of two", []Worker{one, one}, nil, "2026-06-01 00:00", "2026-06-08 00:00", 80},
		{"a bank holiday", []Worker{one}, nil, "2026-05-25 00:00", "2026-05-26 00:00", 0},
		{"the clock change", []Worker{one}, nil, "2026-10-24 00:00", "2026-10-27 00:00", 8},
		{"leave", with(func(w *Worker) { w.Leave = []Span{day("2026-06-01"), day("2026-06-03")} }), nil, "2026-06-01 00:00", "2026-06-06 00:00", 24},
		{"leave at noon", with(func(w *Worker) { w.Leave = []Span{{at("2026-06-01 12:00"), at("2026-06-01 14:00")}} }), nil, "2026-06-01 00:00", "2026-06-02 00:00", 6},
		{"few places", with(func(w *Worker) { w.Places = 5 }), nil, "2026-06-01 00:00", "2026-06-06 00:00", 5},
		{"no places", with(func(w *Worker) { w.Places = 0 }), nil, "2026-06-01 00:00", "2026-06-06 00:00", 0},
		{"one without places", append(with(func(w *Worker) { w.Places = 3 }), one), nil, "2026-06-01 00:00", "2026-06-02 00:00", 11},
		{"booked", []Worker{one}, []BookedWork{{day("2026-06-01"), 60}}, "2026-06-01 00:00", "2026-06-03 00:00", 14},
		{"booked at night", []Worker{one}, []BookedWork{{Span{at("2026-06-01 20:00"), at("2026-06-01 21:00")}, 60}}, "2026-06-01 00:00", "2026-06-03 00:00", 16},
		{"booked more than there is", []Worker{one}, []BookedWork{{day("2026-06-01"), 6000}}, "2026-06-01 00:00", "2026-06-03 00:00", 8},
		{"no minutes", with(func(w *Worker) { w.Minutes = 0 }), nil, "2026-06-01 00:00", "2026-06-02 00:00", 0},
		{"backwards", []Worker{one}, nil, "2026-06-03 00:00", "2026-06-01 00:00", 0},
	} {
		if got := Capacity(Calendar{}, tt.roster, tt.booked, at(tt.from), at(tt.to)); got < tt.want-1e-6 || got > tt.want+1e-6 {
			t.Errorf("%s: %v first contacts, want %v", tt.name, got, tt.want)
		}
	}
}

// holidaysByHand are England's and Wales's bank holidays as gov.uk lists them, and the days at a weekend that they stand in for, on which a
// service that opens at weekends is closed too. They are for a reckoning that shares nothing with Calendar.
var holidaysByHand = map[string]bool{
	"2026-01-01": true, "2026-04-03": true, "2026-04-06": true, "2026-05-04": true, "2026-05-25": true, "2026-08-31": true, "2026-12-25": true, "2026-12-26": true, "2026-12-28": true,
	"2027-01-01": true, "2027-03-26": true, "2027-03-29": true, "2027-05-03": true, "2027-05-31": true, "2027-08-30": true, "2027-12-25": true, "2027-12-26": true, "2027-12-27": true, "2027-12-28": true,
}

// A due date is the end of the promise's last minute, when minutes are counted off one by one on a wall clock, over clock changes, Easter and Christmas.
func TestDueByMinuteForMinute(t *testing.T) {
	wall := func(t time.Time) (weekday time.Weekday, minute int, date string) {
		l := t.In(london)
		return l.Weekday(), l.Hour()*60 + l.Minute(), l.Format(time.DateOnly)
	}
	rapid.Check(t, func(t *rapid.T) {
		var c Calendar
		sum, days := 0, 0
		for i := range c.Open {
			if i != 0 && i != 6 || rapid.Bool().Draw(t, "open at the weekend") {
				// No hours begin or end in the hour that comes twice: there "as short as can be meant" is a choice, not arithmetic.
				from := rapid.SampledFrom([]int{0, 3 * 60, 9 * 60, 9*60 + 17, 13 * 60}).Draw(t, "from")
				to := rapid.SampledFrom([]int{13*60 + 1, 17 * 60, 20 * 60, 24 * 60}).Draw(t, "to")
				c.Open[i] = Hours{from, to}
				sum, days = sum+to-from, days+1
			}
		}
		promised := rapid.IntRange(1, 5).Draw(t, "days")
		left := promised * (sum * 60 / days) // seconds
		now := instant(t, "received")
		want := now
		for left > 0 {
			weekday, minute, date := wall(want)
			h := c.Open[weekday]
			if minute >= h.From && minute < h.To && !holidaysByHand[date] {
				left -= 60
			}
			want = want.Add(time.Minute)
		}
		want = want.Add(time.Duration(left) * time.Second) // a mean day need not be whole minutes
		if got := c.DueBy(now, promised); got.Sub(want).Abs() > time.Duration(promised)*time.Second {
			t.Fatalf("received %v with a promise of %d days: due %v, by the minute %v", now.In(london), promised, got.In(london), want.In(london))
		}
	})
}

func TestNextHolidays(t *testing.T) {
	days := func(c Calendar, from string, n int) (all string) {
		for _, d := range c.NextHolidays(at(from), n) {
			all += d.Format(" 2006-01-02")
		}
		return all
	}
	if got := days(Calendar{}, "2026-08-31 23:00", 3); got != " 2026-08-31 2026-12-25 2026-12-28" { // Boxing Day is a Saturday
		t.Errorf("from a bank holiday's evening: %s", got)
	}
	if got := days(Calendar{Holidays: []string{"2026-09-01", "2026-09-05"}}, "2026-08-31 23:00", 2); got != " 2026-08-31 2026-09-01" {
		t.Errorf("with a proclaimed one: %s", got)
	}
	if got := days(Calendar{NoBankHolidays: true}, "2026-08-31 23:00", 2); got != "" {
		t.Errorf("without bank holidays: %s", got)
	}
}
