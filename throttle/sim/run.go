package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// Policy is who decides how many texts go.
type Policy string

// The policies.
const (
	Pacer Policy = "pacer" // throttle.Decide as in earnest
	Blast Policy = "blast" // the same with no regard for people
)

// Result is what became of one campaign.
type Result struct {
	World       string  `json:"world"`
	Policy      Policy  `json:"policy"`
	Seed        uint64  `json:"seed"`
	Texts       int     `json:"texts"`
	Referrals   int     `json:"referrals"`
	Late        int     `json:"late"` // first contact after the promise
	LatePercent float64 `json:"late_percent"`
	PeakQueue   int     `json:"peak_queue"`
	// WorkingDays from the start to the last text; TextsLeft if it was not reached in the time simulated.
	WorkingDays float64 `json:"working_days"`
	TextsLeft   int     `json:"texts_left"`
	Decisions   int     `json:"decisions"`
	// Idle is the share of the team's time, until the last text, with nobody to call.
	Idle float64 `json:"idle"`
	// Limits counts by which limit the decisions were bound.
	Limits map[throttle.Limit]int `json:"limits"`
	// BrokenBy counts referrals called after the date that ContactBy gave when they came.
	BrokenBy int `json:"broken_by"`
}

const (
	tick      = 30 * time.Minute
	days      = 240 // simulated at most
	promise   = 2   // working days
	firstCall = 4   // working hours after the start that do not count as idle
)

// referral is somebody who asked for help.
type referral struct {
	stratum   int // negative: not by a text
	delivered int64
	came, by  time.Time
}

// Run simulates one campaign. The same world, policy and seed give the same result.
func Run(w World, policy Policy, seed uint64) Result {
	return newRun(w, policy, seed).run()
}

type run struct {
	w      World
	rng    *rand.Rand
	cal    throttle.Calendar
	policy throttle.TeamPolicy
	state  throttle.TeamState
	c      *throttle.CampaignState
	start  time.Time
	coming [][]referral // by tick
	queue  []referral
	call   float64 // minutes left of the call at hand
	result Result

	dayNoise, output float64
	today            int
	worked, idle     float64
	answered         map[[3]int64]int // delivered, answered, stratum -> index in Answers
}

func newRun(w World, policy Policy, seed uint64) *run {
	r := &run{
		w: w, rng: rand.New(rand.NewPCG(seed, 0x77656c6c)), start: w.StartTime(), today: -1,
		coming: make([][]referral, days*48+1), answered: map[[3]int64]int{},
		result: Result{World: w.Name, Policy: policy, Seed: seed, Limits: map[throttle.Limit]int{}},
	}
	r.w = w.Drawn(r.rng)
	r.policy = throttle.TeamPolicy{
		PromiseDays: promise,
		Campaigns:   []throttle.CampaignPolicy{{ID: "c", Rate: 50, Blast: policy == Blast}},
	}
	c := throttle.CampaignState{ID: "c", Running: true, Planned: w.Patients, Started: r.start}
	for i := range w.Practices {
		c.Strata = append(c.Strata, string(rune('A'+i)))
		c.Sizes = append(c.Sizes, w.Patients*(i+1)/w.Practices-w.Patients*i/w.Practices)
	}
	r.state.Campaigns = []throttle.CampaignState{c}
	r.c = &r.state.Campaigns[0]
	return r
}

func (r *run) run() Result {
	every := tick
	if r.w.EveryMinutes > 0 {
		every = min(tick, time.Duration(r.w.EveryMinutes)*time.Minute)
	}
	open := 0.0
	for i := range days * 48 {
		now := r.start.Add(time.Duration(i) * tick)
		if i > 0 {
			r.arrive(i, now)
			r.work(now.Add(-tick), now)
		}
		r.newDay(now)
		for t := now; t.Before(now.Add(tick)); t = t.Add(every) {
			if r.c.Planned > 0 && r.cal.Working(t, t.Add(time.Second)) > 0 {
				r.decide(t)
			}
		}
		if r.c.Planned > 0 {
			open = r.cal.Working(r.start, now).Hours()
		} else if len(r.queue) == 0 && r.expected(i) == 0 {
			break
		}
	}
	x := &r.result
	x.TextsLeft = r.c.Planned
	x.Late += len(r.queue) // the world ends and nobody has called them
	if x.Referrals > 0 {
		x.LatePercent = 100 * float64(x.Late) / float64(x.Referrals)
	}
	x.WorkingDays = open / r.cal.WorkingDayLength().Hours()
	if r.worked > 0 {
		x.Idle = r.idle / r.worked
	}
	return r.result
}

// expected counts who is still to come; other referrals do not keep the world going.
func (r *run) expected(i int) int {
	n := 0
	for _, c := range r.coming[i:] {
		n += len(c)
	}
	return n
}

func (r *run) day(t time.Time) int {
	y, m, d := r.start.Date()
	return int(t.Sub(time.Date(y, m, d, 0, 0, 0, 0, civil)).Hours()+1) / 24
}

func (r *run) newDay(now time.Time) {
	if d := r.day(now); d != r.today {
		r.today = d
		r.dayNoise = Gamma(r.rng, r.w.DayNoise)
		r.output = Gamma(r.rng, r.w.Productivity/math.Sqrt(float64(max(1, r.w.Workers))))
		r.c.SentToday = 0
	}
}

// arrive lets in whoever asks for help in the half hour before now.
func (r *run) arrive(i int, now time.Time) {
	came := r.coming[i]
	if r.w.OtherPerDay > 0 {
		if h := r.cal.Working(now.Add(-tick), now).Hours(); h > 0 {
			for range poisson(r.rng, r.w.OtherPerDay*h/8) {
				came = append(came, referral{stratum: -1, came: now.Add(-tick / 2)})
			}
		}
	}
	for _, a := range came {
		r.state.Waiting = len(r.queue)
		a.by = throttle.ContactBy(a.came, r.policy, r.state)
		r.queue = append(r.queue, a)
		r.result.Referrals++
		hour := a.came.Unix() / 3600
		if a.stratum < 0 {
			r.state.Other = append(r.state.Other, throttle.HourCount{Hour: hour, N: 1})
			continue
		}
		key := [3]int64{a.delivered, hour, int64(a.stratum)}
		at, ok := r.answered[key]
		if !ok {
			at = len(r.c.Answers)
			r.answered[key] = at
			r.c.Answers = append(r.c.Answers, throttle.Answer{Delivered: a.delivered, Answered: hour, Stratum: a.stratum})
		}
		r.c.Answers[at].N++
	}
	r.result.PeakQueue = max(r.result.PeakQueue, len(r.queue))
}

// work lets the team call for half an hour.
func (r *run) work(from, to time.Time) {
	hours := r.cal.Working(from, to).Hours()
	if hours == 0 {
		return
	}
	minutes := hours * float64(r.w.present(r.day(from))) * r.w.ContactsPerDay * callMinutes / 8 * r.output
	counted := r.c.Planned > 0 && r.cal.Working(r.start, to) > firstCall*time.Hour
	if counted {
		r.worked += minutes
	}
	for minutes > 0 && len(r.queue) > 0 {
		if r.call <= 0 {
			r.call = callMinutes * Gamma(r.rng, r.w.CallNoise)
		}
		if r.call > minutes {
			r.call -= minutes
			minutes = 0
			break
		}
		minutes -= r.call
		r.call = 0
		a := r.queue[0]
		r.queue = r.queue[1:]
		if to.After(r.cal.DueBy(a.came, promise).Add(tick - time.Second)) { // a tick is as exact as we know
			r.result.Late++
		}
		if !a.by.IsZero() && to.After(a.by.Add(tick)) {
			r.result.BrokenBy++
		}
		r.state.Contacts = append(r.state.Contacts, throttle.HourCount{Hour: from.Unix() / 3600, N: 1})
	}
	if counted {
		r.idle += minutes
	}
}

func (r *run) decide(now time.Time) {
	r.state.Waiting = len(r.queue)
	r.policy.Roster = r.w.roster(now)
	d := throttle.Decide(now, r.policy, r.state)[0]
	r.result.Decisions++
	r.result.Limits[d.Limit]++
	r.c.Memory = d.Memory
	r.send(now, d.N)
}

// send texts the next n of the list, every prefix of which mirrors the whole.
func (r *run) send(now time.Time, n int) {
	if n <= 0 {
		return
	}
	before := r.w.Patients - r.c.Planned
	hour := now.Unix() / 3600
	for s, size := range r.c.Sizes {
		share := size*(before+n)/r.w.Patients - size*before/r.w.Patients
		if share == 0 {
			continue
		}
		r.c.Delivered = append(r.c.Delivered, throttle.Cell{Hour: hour, Stratum: s, N: share})
		p := min(1, r.w.RateOf(s)*r.dayNoise*r.w.surge(r.today))
		for range binomial(r.rng, share, p) {
			came := ResponseClock{}.Add(now, r.w.Delay(r.rng))
			if i := int(came.Sub(r.start)/tick) + 1; i < len(r.coming) {
				r.coming[i] = append(r.coming[i], referral{stratum: s, delivered: hour, came: came})
			}
		}
	}
	r.c.Planned -= n
	r.c.SentToday += n
	r.result.Texts += n
}

// binomial counts successes by skipping from one to the next, so that it costs as many draws as there are successes.
func binomial(rng *rand.Rand, n int, p float64) int {
	if p <= 0 {
		return 0
	}
	if p >= 1 {
		return n
	}
	count, at, log := 0, 0, math.Log1p(-p)
	for {
		at += int(math.Log(1-rng.Float64())/log) + 1
		if at > n {
			return count
		}
		count++
	}
}

func poisson(rng *rand.Rand, mean float64) int {
	n := 0
	for limit, p := math.Exp(-mean), rng.Float64(); p > limit; n++ {
		p *= rng.Float64()
	}
	return n
}
