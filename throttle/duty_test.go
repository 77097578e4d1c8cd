package throttle

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestOnDuty(t *testing.T) {
	on := func(days ...time.Weekday) Worker {
		var w Worker
		for _, d := range days {
			w.Week[d] = Hours{9 * 60, 17 * 60}
		}
		return w
	}
	all := Worker{Week: officeWeek}
	with := func(w Worker, leave ...Span) Worker { w.Leave = leave; return w }
	span := func(from, to string) Span { return Span{at(from), at(to)} }
	early, late := all, all
	early.Week[time.Monday], late.Week[time.Monday] = Hours{8 * 60, 12 * 60}, Hours{12 * 60, 18*60 + 30}
	morning, evening := Worker{}, Worker{}
	morning.Week[time.Monday], evening.Week[time.Monday] = Hours{9 * 60, 12 * 60}, Hours{13 * 60, 20 * 60}
	night, dawn := Worker{}, Worker{}
	night.Week[time.Monday], dawn.Week[time.Tuesday] = Hours{20 * 60, 24 * 60}, Hours{0, 6 * 60}
	sunday := Worker{Week: Week{time.Sunday: {30, 3 * 60}}} // 00:30 to 03:00: on the days of the clock changes too
	for _, tt := range []struct {
		name   string
		roster []Worker
		now    string
		until  string // "": closed
		next   string // "": nobody knows
	}{
		{"nobody on the roster", nil, "2026-06-01 10:00", "", ""},
		{"a roster without hours", []Worker{{}}, "2026-06-01 10:00", "", ""},
		{"at work", []Worker{all}, "2026-06-01 10:00", "2026-06-01 17:00", "2026-06-02 09:00"},
		{"the first minute", []Worker{all}, "2026-06-01 09:00", "2026-06-01 17:00", "2026-06-02 09:00"},
		{"the last instant is not one", []Worker{all}, "2026-06-01 17:00", "", "2026-06-02 09:00"},
		{"before work", []Worker{all}, "2026-06-01 08:59", "", "2026-06-01 09:00"},
		{"Friday evening", []Worker{all}, "2026-06-05 18:10", "", "2026-06-08 09:00"},
		{"Friday evening before a bank holiday", []Worker{all}, "2026-05-22 18:10", "", "2026-05-26 09:00"},
		{"Friday afternoon before a bank holiday", []Worker{all}, "2026-05-22 16:10", "2026-05-22 17:00", "2026-05-26 09:00"},
		{"Christmas Eve, late", []Worker{all}, "2026-12-24 17:30", "", "2026-12-29 09:00"}, // 28 December is the substitute day
		{"Good Friday", []Worker{all}, "2026-04-03 10:00", "", "2026-04-07 09:00"},
		{"nobody on Wednesdays", []Worker{on(time.Monday, time.Tuesday), on(time.Thursday)}, "2026-06-03 10:00", "", "2026-06-04 09:00"},
		{"from Tuesday evening", []Worker{on(time.Monday, time.Tuesday), on(time.Thursday)}, "2026-06-02 17:05", "", "2026-06-04 09:00"},
		{"one after the other", []Worker{late, early}, "2026-06-01 10:00", "2026-06-01 18:30", "2026-06-02 09:00"},
		{"a gap at noon", []Worker{morning, evening}, "2026-06-01 12:30", "", "2026-06-01 13:00"},
		{"before a gap at noon", []Worker{evening, morning}, "2026-06-01 11:00", "2026-06-01 12:00", "2026-06-01 13:00"},
		{"past midnight", []Worker{dawn, night}, "2026-06-01 23:00", "2026-06-02 06:00", "2026-06-08 20:00"},
		{"on leave", []Worker{with(all, span("2026-06-01 00:00", "2026-06-10 00:00"))}, "2026-06-01 10:00", "", "2026-06-10 09:00"},
		{"one on leave, one not", []Worker{with(all, span("2026-06-01 00:00", "2026-06-10 00:00")), on(time.Thursday)}, "2026-06-01 10:00", "", "2026-06-04 09:00"},
		{"at the dentist", []Worker{with(all, span("2026-06-01 11:00", "2026-06-01 13:00"))}, "2026-06-01 10:00", "2026-06-01 11:00", "2026-06-01 13:00"},
		{"away for a year", []Worker{with(all, span("2026-06-01 00:00", "2027-06-01 00:00"))}, "2026-06-01 10:00", "", ""},
		{"the weekend of the spring change", []Worker{all}, "2026-03-28 12:00", "", "2026-03-30 09:00"},
		{"the weekend of the autumn change", []Worker{all}, "2026-10-24 12:00", "", "2026-10-26 09:00"},
		{"the night of the spring change", []Worker{sunday}, "2026-03-29 00:45", "2026-03-29 03:00", "2026-04-05 00:30"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := OnDuty(Calendar{}, tt.roster, at(tt.now))
			want := Duty{Open: tt.until != ""}
			if want.Open {
				want.Until = at(tt.until)
			}
			if tt.next != "" {
				want.Next = at(tt.next)
			}
			if got.Open != want.Open || !got.Until.Equal(want.Until) || !got.Next.Equal(want.Next) {
				t.Errorf("at %s: %+v, want %+v", tt.now, got, want)
			}
			if got.Known() != (tt.until != "" || tt.next != "") {
				t.Errorf("known: %v", got.Known())
			}
		})
	}
	// The night of the autumn change has 01:00 to 02:00 twice; somebody there from 00:30 to 03:00 is there for three and a half hours.
	from := at("2026-10-25 00:30")
	if d := OnDuty(Calendar{}, []Worker{sunday}, from); !d.Open || d.Until.Sub(from) != 3*time.Hour+30*time.Minute {
		t.Errorf("the night of the autumn change: %+v", d)
	}
	if d := OnDuty(Calendar{Holidays: []string{"2026-06-01"}}, []Worker{all}, at("2026-06-01 10:00")); d.Open || !d.Next.Equal(at("2026-06-02 09:00")) {
		t.Errorf("a holiday that the network has proclaimed: %+v", d)
	}
}

// Whatever the roster: next is never past and begins worked time; while open, every minute until the end is worked, and the end is not;
// when closed, nobody works between now and next.
func TestOnDutyHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Calendar
		now := instant(t, "now")
		var roster []Worker
		for range rapid.IntRange(0, 3).Draw(t, "workers") {
			w := Worker{Week: calendars(t).Open}
			for range rapid.IntRange(0, 2).Draw(t, "leaves") {
				from := instant(t, "leave")
				w.Leave = append(w.Leave, Span{from, from.Add(time.Duration(rapid.IntRange(1, 9*24*60).Draw(t, "long")) * time.Minute)})
			}
			roster = append(roster, w)
		}
		atWork := func(x time.Time) bool {
			for _, w := range roster {
				here := c.within(x, w.Week)
				for _, l := range w.Leave {
					here = here && (x.Before(l.From) || !x.Before(l.To))
				}
				if here {
					return true
				}
			}
			return false
		}
		d := OnDuty(c, roster, now)
		if d.Open != atWork(now) {
			t.Fatalf("open %v, at work %v", d.Open, atWork(now))
		}
		idleFrom := now
		if d.Open {
			if !d.Until.After(now) || atWork(d.Until) {
				t.Fatalf("until %v", d.Until)
			}
			for x := now; x.Before(d.Until); x = x.Add(17 * time.Minute) {
				if !atWork(x) {
					t.Fatalf("open until %v, and nobody is there at %v", d.Until, x)
				}
			}
			idleFrom = d.Until
		}
		end := d.Next
		if end.IsZero() {
			end = now.AddDate(0, 0, dutyDays-1)
		} else if !end.After(now) || !atWork(end) || atWork(end.Add(-time.Second)) {
			t.Fatalf("next %v", end)
		}
		for x := idleFrom; x.Before(end); x = x.Add(13 * time.Minute) {
			if atWork(x) {
				t.Fatalf("next is %v, and somebody is there at %v", d.Next, x)
			}
		}
	})
}

func BenchmarkOnDuty(b *testing.B) {
	roster := make([]Worker, 12)
	for i := range roster {
		roster[i].Week = officeWeek
	}
	now := at("2026-12-24 17:30")
	for b.Loop() {
		OnDuty(Calendar{}, roster, now)
	}
}

func TestAtWork(t *testing.T) {
	all := Worker{Week: officeWeek}
	all.Leave = []Span{{at("2026-06-03 12:00"), at("2026-06-04 10:00")}, {at("2026-06-03 11:00"), at("2026-06-03 13:00")}}
	for _, tt := range []struct {
		from, to string
		hours    float64
	}{
		{"2026-06-01 09:00", "2026-06-01 17:00", 8},
		{"2026-06-01 10:15", "2026-06-01 10:45", .5},
		{"2026-06-01 16:30", "2026-06-02 09:30", 1},
		{"2026-06-01 18:00", "2026-06-01 23:00", 0},
		{"2026-06-06 09:00", "2026-06-07 17:00", 0},
		{"2026-05-22 16:00", "2026-05-26 10:00", 2}, // the 25th is a bank holiday
		{"2026-06-03 00:00", "2026-06-05 00:00", 2 + 7},
		{"2026-06-02 09:00", "2026-06-01 09:00", 0},
	} {
		if got := AtWork(Calendar{}, all, at(tt.from), at(tt.to)).Hours(); got != tt.hours {
			t.Errorf("from %s to %s: %v hours, want %v", tt.from, tt.to, got, tt.hours)
		}
	}
}
