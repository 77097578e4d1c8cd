package pace

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

const halfHour = 30 * time.Minute

// town lives through a world of the simulator and knows the pacer by its lines only, as a stranger would: it asks each hour in the hours
// for texts. It has no code in common with sim's own run, so that a mistake in the one shows against the other.
type town struct {
	w         sim.World
	cal       throttle.Calendar
	rng       *rand.Rand
	origin    time.Time
	roster    func(asked time.Time, t time.Time) float64 // contacts in the half hour from t, as known when asked
	truth     func(t time.Time) float64
	tell      func(line map[string]any) // may change a line before it is sent
	send      func(n int) int           // texts sent of those released
	receipts  bool                      // as the world has them; else at once
	asks      int                       // minutes between lines; 0 means 60
	nights    bool                      // asks at night too
	fine      bool                      // tells the roster by the half hour
	left      []int
	calls     []told // events not yet told, by kind
	answers   []told
	delivered []told
	others    []told
}

type told = map[string]any

// result of a town.
type townResult struct {
	referrals, late, asked, released, holds int
	days                                    float64
	lines                                   [][]byte // sent
	replies                                 [][]byte
	left, outside                           int
}

func newTown(t *testing.T, name string, seed uint64) *town {
	t.Helper()
	w, err := sim.LoadWorld(name)
	if err != nil {
		t.Fatal(err)
	}
	x := &town{rng: rand.New(rand.NewPCG(seed, 7))}
	x.w = w.Drawn(x.rng)
	x.origin = x.cal.Midnight(w.StartTime())
	perHalfHour := func(now time.Time, away func(a sim.Absence) bool) float64 {
		if x.cal.Working(now, now.Add(halfHour)) == 0 {
			return 0
		}
		day, n := x.day(now), w.Workers
		for _, a := range w.Absences {
			if day >= a.FromDay && day < a.ToDay && away(a) {
				n -= a.Workers
			}
		}
		return float64(n) * w.ContactsPerDay / 16
	}
	x.roster = func(asked, now time.Time) float64 {
		return perHalfHour(now, func(a sim.Absence) bool {
			return a.Known == "planned" || a.Known == "announced" && x.day(asked) >= a.FromDay-a.NoticeDays
		})
	}
	x.truth = func(now time.Time) float64 { return perHalfHour(now, func(sim.Absence) bool { return true }) }
	for i := range w.Practices {
		x.left = append(x.left, w.Patients*(i+1)/w.Practices-w.Patients*i/w.Practices)
	}
	return x
}

func (x *town) day(t time.Time) int {
	return int(x.cal.Midnight(t).Add(3*time.Hour).Sub(x.origin) / (24 * time.Hour))
}

func (x *town) id(stratum int) string { return string(rune('a' + stratum)) }

// take picks the next n of the list.
func (x *town) take(n int) []int {
	out := make([]int, len(x.left))
	for ; n > 0; n-- {
		best := -1
		for s, left := range x.left {
			if left > 0 && (best < 0 || !x.w.Sequence && left > x.left[best]) {
				best = s
			}
		}
		out[best]++
		x.left[best]--
	}
	return out
}

func (x *town) all() (n int) {
	for _, k := range x.left {
		n += k
	}
	return n
}

// line is what the town tells at an instant.
func (x *town) line(now time.Time, maySend bool, queue int) map[string]any {
	left, capacity := map[string]int{}, []told{}
	for s, n := range x.left {
		left[x.id(s)] = n
	}
	for t := now.Truncate(halfHour); t.Before(now.Add(40 * 24 * time.Hour)); t = t.Add(halfHour) {
		n := x.roster(now, t)
		if k := len(capacity) - 1; n > 0 && k >= 0 && !x.fine && capacity[k]["to"].(time.Time).Equal(t) { // a day in one piece
			capacity[k]["to"], capacity[k]["contacts"] = t.Add(halfHour), capacity[k]["contacts"].(float64)+n
		} else if n > 0 {
			capacity = append(capacity, told{"from": t, "to": t.Add(halfHour), "contacts": n})
		}
	}
	m := told{"now": now.In(time.UTC), "may_send": maySend, "capacity": capacity, "delivered": x.delivered, "answers": x.answers,
		"other_referrals": x.others, "contacts_made": x.calls, "queue": queue, "left": left, "resume": false}
	x.delivered, x.answers, x.others, x.calls = []told{}, []told{}, []told{}, []told{}
	if x.w.Sequence {
		ahead := []told{}
		for s, n := range x.left {
			if n > 0 {
				ahead = append(ahead, told{"stratum": x.id(s), "count": n})
			}
		}
		m["ahead"] = ahead
	}
	if x.tell != nil {
		x.tell(m)
	}
	return m
}

type person struct {
	came, delivered time.Time
	stratum         int
}

// live runs the world to its end against the pacer behind a pipe.
func (x *town) live(t *testing.T) (r townResult) {
	t.Helper()
	in, write := io.Pipe()
	read, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(in, out) }()
	replies := bufio.NewReaderSize(read, 1<<20)
	say := func(m any) {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		r.lines = append(r.lines, b)
		if _, err := write.Write(append(b, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	strata := []told{}
	for s, n := range x.left {
		strata = append(strata, told{"id": x.id(s), "size": n})
	}
	order := "interleaved"
	if x.w.Sequence {
		order = "given"
	}
	const perMinute = 3000
	say(told{"open": told{"promise_hours": 16, "timezone": "Europe/London", "strata": strata, "order": order, "provider_per_minute": perMinute}})

	every := cmp.Or(x.asks, 60)
	var coming, queue []person
	var post []told // receipts under way
	held, owed, moods, weather := 0.0, 0.0, map[int]float64{}, map[int]float64{}
	mood := func(of map[int]float64, day int, cv float64) float64 {
		if _, ok := of[day]; !ok {
			of[day] = sim.Gamma(x.rng, cv)
		}
		return of[day]
	}
	workers := max(1, x.w.Workers)
	last := x.w.StartTime()
	for now := x.w.StartTime(); now.Before(x.origin.Add(240 * 24 * time.Hour)); now = now.Add(halfHour) {
		if x.all() == 0 && len(coming) == 0 && len(queue) == 0 {
			break
		}
		open := x.cal.Working(now, now.Add(halfHour)) > 0
		for m := 0; m < 30 && x.all() > 0; m++ {
			at := now.Add(time.Duration(m) * time.Minute)
			if at.Minute()%every != 0 || !open && !x.nights {
				continue
			}
			var later []told
			for _, p := range post {
				if p["at"].(time.Time).After(at) {
					later = append(later, p)
				} else {
					x.delivered = append(x.delivered, p)
				}
			}
			post = later
			line := x.line(at, open, len(queue))
			if held > 0 { // somebody looks at the link within two working hours
				if held -= float64(every) / 60; held <= 0 {
					line["resume"] = true
				}
			}
			say(line)
			b, err := replies.ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			r.replies = append(r.replies, b)
			var got reply
			if err := json.Unmarshal(b, &got); err != nil || got.Binding == "" {
				t.Fatalf("at %v: %s", at, b)
			}
			r.asked++
			if got.Hold && held <= 0 {
				held = 2
				r.holds++
			}
			n := got.Release
			canAnswer := 0.0
			for k, hours := at.Truncate(halfHour), 0.0; hours < 16; k = k.Add(halfHour) {
				hours += x.cal.Working(k, k.Add(halfHour)).Hours()
				canAnswer += x.roster(at, k)
			}
			if n < 0 || n > x.all() || n > 0 && !open || n > perMinute*every || n > 0 && canAnswer < 1 {
				r.outside++
			}
			r.released += n
			if x.send != nil {
				n = x.send(n)
			}
			n = min(n, x.all())
			if n > 0 {
				last = at
			}
			day := x.day(at)
			factor := mood(weather, day, x.w.DayNoise) * x.w.Surge(day)
			for s, k := range x.take(n) {
				if k == 0 {
					continue
				}
				if !x.receipts {
					post = append(post, told{"at": at, "stratum": x.id(s), "count": k})
				}
				for range k {
					delivered := at
					if x.receipts {
						if x.rng.Float64() < x.w.Receipts.Undelivered {
							continue
						}
						lag := x.w.Receipts.MedianMinutes * math.Exp(x.w.Receipts.Sigma*x.rng.NormFloat64())
						delivered = at.Add(time.Duration(lag * float64(time.Minute))).Truncate(time.Second)
						post = append(post, told{"at": delivered, "stratum": x.id(s), "count": 1})
					}
					if x.rng.Float64() < x.w.RateOf(s)*factor {
						coming = append(coming, person{x.w.Clock().Add(delivered, x.w.Delay(x.rng)), delivered, s})
					}
				}
			}
		}
		// The team calls those who waited at the start of the half hour.
		day := x.day(now)
		if can := x.truth(now) * mood(moods, day, x.w.Productivity/float64(workers)*2); can > 0 {
			units := can
			for units > 0 && len(queue) > 0 {
				if owed <= 0 {
					owed = sim.Gamma(x.rng, x.w.CallNoise)
				}
				if owed > units {
					owed -= units
					break
				}
				units -= owed
				owed = 0
				at := now.Add(time.Duration((1 - units/can) * float64(halfHour)))
				if x.cal.Working(queue[0].came, at) > 16*time.Hour {
					r.late++
				}
				queue = queue[1:]
				x.calls = append(x.calls, told{"at": at})
			}
		}
		for range poissonOf(x.rng, x.w.OtherPerDay*x.cal.Working(now, now.Add(halfHour)).Hours()/8) {
			at := now.Add(time.Duration(x.rng.Float64() * float64(halfHour)))
			x.others = append(x.others, told{"at": at})
			queue = append(queue, person{came: at})
			r.referrals++
		}
		slices.SortStableFunc(coming, func(a, b person) int { return a.came.Compare(b.came) })
		for len(coming) > 0 && coming[0].came.Before(now.Add(halfHour)) {
			p := coming[0]
			coming = coming[1:]
			x.answers = append(x.answers, told{"at": p.came, "stratum": x.id(p.stratum), "delivered_at": p.delivered})
			queue = append(queue, p)
			r.referrals++
		}
	}
	if err := errors.Join(write.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	r.days = max(1, x.cal.Working(x.w.StartTime(), last).Hours()/8)
	r.left = x.all()
	return r
}

func poissonOf(rng *rand.Rand, mean float64) (n int) {
	for t := rng.ExpFloat64(); t < mean; t += rng.ExpFloat64() {
		n++
	}
	return n
}

// A stranger who asks by lines gets what the simulator gets from the pacer itself: nobody late, and as soon done.
func TestTown(t *testing.T) {
	for _, tt := range []struct {
		world string
		seeds uint64
		like  float64 // within so much of the working days of sim's own runs
		set   func(*town)
	}{
		{"01", 1, .25, func(x *town) { x.fine = true }},
		{"13", 1, .3, nil},
		{"19", 1, .25, nil}, // here professionals have no history
		{"12", 1, .25, func(x *town) { x.nights = true }},
	} {
		referrals, late, days, direct := 0, 0, 0.0, 0.0
		for seed := range tt.seeds {
			x := newTown(t, tt.world, seed)
			if tt.set != nil {
				tt.set(x)
			}
			r := x.live(t)
			if r.left != 0 || r.outside != 0 {
				t.Errorf("world %s: %d texts are left; %d decisions beyond window, rate, list or roster", tt.world, r.left, r.outside)
			}
			referrals += r.referrals
			late += r.late
			days += r.days / float64(tt.seeds)
			w := x.w
			w.Response = nil
			if r.holds > 0 {
				t.Logf("world %s: held %d times", tt.world, r.holds)
			}
			for other := range uint64(2) { // chance differs, so a mean
				direct += sim.Run(w, sim.Pacer, 2*seed+other, sim.Options{}).WorkingDays / 2 / float64(tt.seeds)
			}
			if testing.Short() {
				return
			}
		}
		t.Logf("world %s: %d of %d late, %.1f working days, %.1f of the pacer itself", tt.world, late, referrals, days, direct)
		if late*100 > referrals {
			t.Errorf("world %s: %d of %d were called too late", tt.world, late, referrals)
		}
		if days > direct*(1+tt.like) || days < direct*(1-tt.like) {
			t.Errorf("world %s: the last text after %.1f working days, %.1f by the pacer itself", tt.world, days, direct)
		}
	}
}
