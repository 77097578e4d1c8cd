package sim

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

const (
	tick     = 30 * time.Minute
	perDay   = 24 * 2 // ticks of a civil day; a clock change shifts them by two
	mostDays = 240    // simulated at most
	lookDays = 60     // looked ahead from the last of them
	ticks    = (mostDays + lookDays) * perDay
	never    = math.MaxInt32
)

// stage is what a world has before any die is cast. It is laid out once and shared by all runs, which only read it. Clocks are cumulative:
// index i tells what has passed before tick i, and tick 0 begins at midnight of the launch.
type stage struct {
	w        World
	origin   time.Time
	first    int // tick of the launch
	promise  float64
	every    time.Duration // between decisions
	team     []Member
	calendar throttle.Calendar

	day      []int          // of each tick
	begins   []int          // first tick of each day
	half     []int          // civil half hour of the day of each tick
	weekday  []time.Weekday // of each day
	opens    []bool         // days on which the network is open, be it for an hour
	open     []float64      // working hours of the promise
	window   []bool         // texts may leave
	response []float64      // response-hours
	capacity []float64      // first contacts that those who are really there make on an average day
	dead     []bool         // ticks whose referrals nobody could call within the promise
	due      []int          // tick by which the promise of somebody who comes at the start of a tick runs out
	other    []float64      // referrals without a text expected
	known    []knowledge

	answered []float64 // share of answers within so many response-hours, in steps of a sixteenth
}

// knowledge is the roster as it stands from a tick on.
type knowledge struct {
	from     int
	capacity []float64 // cumulative, as the roster has it
	roster   []throttle.Worker
}

func newStage(w World) *stage {
	s := &stage{
		w: w, origin: w.midnight(0), promise: w.PromiseHours, every: time.Hour, team: w.team(),
		day: make([]int, ticks+1), half: make([]int, ticks), open: make([]float64, ticks+1), window: make([]bool, ticks), response: make([]float64, ticks+1),
		dead: make([]bool, ticks), due: make([]int, ticks+1), other: make([]float64, ticks+1),
	}
	if s.promise == 0 {
		s.promise = 16
	}
	if w.EveryMinutes > 0 {
		s.every = time.Duration(w.EveryMinutes) * time.Minute
	}
	for _, c := range w.Closures {
		for d := c.FromDay; d < c.ToDay; d++ {
			s.calendar.Holidays = append(s.calendar.Holidays, w.midnight(d).Format(time.DateOnly))
		}
	}
	s.first = int(w.StartTime().Sub(s.origin) / tick)
	s.clocks()
	s.workers()
	s.dues()
	s.curve()
	return s
}

func (s *stage) at(i int) time.Time { return s.origin.Add(time.Duration(i) * tick) }

// An instant is the time since the origin.
type instant = time.Duration

// read tells what a cumulative clock shows at an instant.
func read(clock []float64, t instant) float64 {
	i := int(t / tick)
	if i >= len(clock)-1 {
		return clock[len(clock)-1]
	}
	return clock[i] + (clock[i+1]-clock[i])*float64(t%tick)/float64(tick)
}

// reach is the instant at which a cumulative clock shows x, or the clock's last.
func reach(clock []float64, x float64) instant {
	i := sort.SearchFloat64s(clock, x)
	switch {
	case i == 0:
		return 0
	case i == len(clock):
		return instant(len(clock)-1) * tick
	}
	part := (x - clock[i-1]) / (clock[i] - clock[i-1])
	return instant(i-1)*tick + instant(part*float64(tick))
}

// clocks lays out working hours, hours for texts, response-hours and other referrals.
func (s *stage) clocks() {
	w := &s.w
	clock := w.Clock()
	day, last := -1, -1
	byDay := map[int]float64{} // response-hours of the days in which a link is shared
	for i := range ticks {
		t := s.at(i).In(civil)
		if t.YearDay() != last {
			last = t.YearDay()
			day++
			s.begins = append(s.begins, i)
			s.weekday = append(s.weekday, t.Weekday())
			s.opens = append(s.opens, s.calendar.WorkingDay(t))
		}
		half := t.Hour()*2 + t.Minute()/30
		s.day[i], s.half[i] = day, half
		s.open[i+1] = s.open[i]
		s.other[i+1] = s.other[i]
		if s.opens[day] && half >= 18 && half < 34 {
			s.open[i+1] += tick.Hours()
			s.window[i] = true
			s.other[i+1] += w.OtherPerDay / 16
		}
		s.response[i+1] = s.response[i] + clock.weight(t.Hour())*tick.Hours()
		byDay[day] += clock.weight(t.Hour()) * tick.Hours()
	}
	s.day[ticks] = day
	extra := 0.0
	for i := range ticks {
		for _, x := range w.Shares {
			if s.day[i] >= x.FromDay && s.day[i] < x.ToDay {
				extra += x.PerDay * (s.response[i+1] - s.response[i]) / byDay[s.day[i]]
			}
		}
		s.other[i+1] += extra
	}
}

// workers works out who is really there, and what the roster says at each time.
func (s *stage) workers() {
	s.capacity = s.cumulated(func(Absence) bool { return true })
	since := func(a Absence) int { // tick from which the roster shows it
		switch a.Known {
		case "planned":
			return 0
		case "announced":
			if d := max(0, a.FromDay-a.NoticeDays); d < len(s.begins) {
				return s.begins[d]
			}
		}
		return never
	}
	times := []int{0}
	for _, a := range s.w.Absences {
		if t := since(a); t > 0 && t < never {
			times = append(times, t)
		}
	}
	sort.Ints(times)
	for _, t := range slices.Compact(times) {
		shown := func(a Absence) bool { return since(a) <= t }
		s.known = append(s.known, knowledge{t, s.cumulated(shown), s.roster(shown)})
	}
}

// away reports whether an absence takes a worker away on a day.
func (a Absence) away(worker, day int) bool {
	return worker >= a.Skip && worker < a.Skip+a.Workers && day >= a.FromDay && day < a.ToDay
}

// cumulated is the capacity of the team without those whose absence counts.
func (s *stage) cumulated(counts func(Absence) bool) []float64 {
	out := make([]float64, ticks+1)
	for i, m := range s.team {
		week, _ := m.week() // checked by ParseWorld
		for k := range ticks {
			d := s.day[k]
			if at := week[s.weekday[d]]; s.opens[d] && s.half[k] >= at.from && s.half[k] < at.to && !s.w.away(i, d, counts) {
				out[k+1] += m.ContactsPerDay / float64(at.to-at.from)
			}
		}
	}
	for k := range ticks {
		out[k+1] += out[k]
	}
	return out
}

func (w *World) away(worker, day int, counts func(Absence) bool) bool {
	for _, a := range w.Absences {
		if a.away(worker, day) && counts(a) {
			return true
		}
	}
	return false
}

// dues works out by when each promise runs out, and which cannot be kept by anybody.
func (s *stage) dues() {
	j := 0
	for i := range ticks + 1 {
		for j < ticks && s.open[j] < s.open[i]+s.promise-1e-9 {
			j++
		}
		s.due[i] = j
		if i < ticks {
			s.dead[i] = s.capacity[j]-s.capacity[i] < 1
		}
	}
}

// present is the roster as it stands at a tick.
func (s *stage) present(i int) *knowledge {
	k := &s.known[0]
	for n := range s.known {
		if s.known[n].from <= i {
			k = &s.known[n]
		}
	}
	return k
}

const (
	curveStep = 1. / 16 // response-hours
	curveEnd  = 3000
)

// curve tabulates the delays.
func (s *stage) curve() {
	s.answered = make([]float64, curveEnd*16+1)
	all := 0.0
	for _, d := range s.w.Delays {
		all += d.Weight
	}
	for i := range s.answered {
		if i == 0 {
			continue
		}
		for _, d := range s.w.Delays {
			s.answered[i] += d.Weight / all * .5 * math.Erfc(-math.Log(float64(i)*curveStep/d.Median)/d.Sigma/math.Sqrt2)
		}
	}
}

// within is the share of answers that come within so many response-hours.
func (s *stage) within(hours float64) float64 {
	x := max(0, hours/curveStep)
	i := int(x)
	if i >= len(s.answered)-1 {
		return s.answered[len(s.answered)-1]
	}
	return s.answered[i] + (s.answered[i+1]-s.answered[i])*(x-float64(i))
}
