package sim

import (
	"math"
	"time"
)

// oracle knows the town: who is likely to answer in each practice, how fast and at which hours, surges to come, who will be ill, what
// else will be asked of the team, and how much days, calls and workers vary. It does not know how the dice will fall, nor that the form
// will be down (it would text into the hole). It releases the largest batch for which the chance that anybody is called too late stays
// below eps if nothing were sent afterwards. It keeps no reserve.
type oracle struct {
	r      *run
	eps    float64
	days   []cohort
	points []int // of the decision at hand
	next   []float64
	table  []float64 // by cohort and point: answers expected by then
	budget float64   // answers that may come when nobody can call them in time
	out    float64   // of it, used

	// What the bounds take from it, see policy.go.
	learns bool    // it has to learn the response from the answers, as everybody else
	holds  bool    // it sends nothing while the form is down
	keeps  float64 // share of the team that may vanish at any time without anybody waiting too long, on average
	over   float64 // answers expected of cohorts that are no longer looked at
}

// believed is by how much the response is over- or underestimated from the answers so far, with the wide prior of a first campaign, and
// how uncertain it is, as a variance relative to its square. Only the level is unknown: delays, practices and noise are given.
func (o *oracle) believed(v view) (factor, doubt float64) {
	if !o.learns {
		return 1, 0
	}
	patients, all, came := 0, 0.0, o.over
	for _, c := range o.r.campaigns {
		patients += c.patients
		for i, rate := range c.rate {
			all += rate * float64(c.size[i])
		}
	}
	for i := range o.days {
		came += o.days[i].expected(v.tick)
	}
	shape := widePrior + float64(v.answers)
	return shape / (widePrior*all/float64(patients)/wideMean + came), 1 / shape
}

// cohort are the texts of one day: their response varies together.
type cohort struct {
	day  int
	from int       // tick
	by   []float64 // answers expected by the end of so many ticks after from
}

const (
	horizon             = 45 * perDay // ticks in which a text is taken to be answered
	widePrior, wideMean = .5, .015    // what the pacer believes before any campaign: shape and mean of a Gamma
	// stranded is the share of all answers that may come when nobody can call them in time, for each eps.
	strandedPerEps = .75
	// daring is how much of the unevenness of calls it reckons with. With all of it, it passes nearly every run and is a day slower; with so
	// much the fast one passes four runs in ten and the honest one eight in ten of an ordinary world, as the reference for speed is meant.
	daring = .2
)

func newOracle(r *run, eps float64) *oracle {
	o := &oracle{r: r, eps: eps}
	for _, c := range r.campaigns {
		o.budget += strandedPerEps * eps * c.expected(c.patients)
	}
	return o
}

// sent enters a batch into the forecast.
func (o *oracle) sent(v view, c *campaign, share []int) {
	s := o.r.s
	mean := 0.0
	for stratum, n := range share {
		mean += float64(n) * c.rate[stratum]
	}
	mean *= o.r.w.Surge(s.day[v.tick]) * (1 - s.w.Receipts.Undelivered)
	if n := len(o.days); n == 0 || o.days[n-1].day != s.day[v.tick] {
		o.days = append(o.days, cohort{day: s.day[v.tick], from: v.tick, by: make([]float64, horizon+perDay)})
	}
	d := &o.days[len(o.days)-1]
	from := o.clock(v)
	for k := range d.by {
		if end := d.from + k + 1; end > v.tick && end <= ticks {
			d.by[k] += mean * s.within(s.response[end]-from)
		}
	}
	for k := v.tick; k < min(ticks, v.tick+horizon); k++ {
		if s.dead[k] {
			o.out += mean * (s.within(s.response[k+1]-from) - s.within(s.response[k]-from))
		}
	}
}

// clock is the response clock at the delivery of a batch that is sent now.
func (o *oracle) clock(v view) float64 {
	return read(o.r.s.response, v.at+instant(o.r.s.w.Receipts.MedianMinutes*float64(time.Minute)))
}

// expected is how many answers a cohort has brought by the start of a tick.
func (c *cohort) expected(tick int) float64 {
	k := tick - c.from - 1
	switch {
	case k < 0:
		return 0
	case k >= len(c.by):
		return c.by[len(c.by)-1]
	}
	return c.by[k]
}

// look chooses the ticks at which the queue is examined: each of the next hours, and then every opening and noon for twenty working days.
func (o *oracle) look(v view) {
	s := o.r.s
	o.points = o.points[:0]
	last := min(v.tick+horizon, ticks-1)
	open := s.open[v.tick]
	for k := v.tick + 1; k <= last && s.open[k] <= open+160; k++ {
		opens := s.open[k+1] > s.open[k]
		if !opens {
			continue
		}
		first := s.open[k] == s.open[k-1]
		if k <= v.tick+12 || first || s.half[k] == 26 || k-v.tick < 3*perDay && s.half[k]%4 == 2 {
			o.points = append(o.points, k)
		}
	}
}

func (o *oracle) total(v view) choice {
	s := o.r.s
	if o.holds && o.r.down(v.at) {
		return choice{}
	}
	factor, doubt := o.believed(v)
	o.look(v)
	points := o.points
	// What has been sent, by cohort and point; the last row is today's, whose noise the next batch shares.
	live := o.days
	for len(live) > 1 && live[0].from+horizon < v.tick {
		o.over += live[0].expected(v.tick)
		live = live[1:]
	}
	o.days = live
	today := -1
	n := len(points) + 1 // index 0 is now
	o.table = o.table[:0]
	for i := range live {
		c := &live[i]
		if c.day == s.day[v.tick] {
			today = i
		}
		base := c.expected(v.tick)
		o.table = append(o.table, 0)
		for _, k := range points {
			o.table = append(o.table, c.expected(k)-base)
		}
	}
	from := o.clock(v)
	o.next = append(o.next[:0], 0)
	for _, k := range points {
		o.next = append(o.next, s.within(s.response[k]-from))
	}

	perText := func(k int) float64 { return o.mean(v, k) }
	most := min(v.left, int(sender*v.every*3600))
	m := perText(most)
	atEnd := s.within(s.response[min(ticks, v.tick+horizon)] - from)
	if atEnd > 0 && o.deadAhead(v.tick) {
		m = min(m, max(0, o.budget-o.out)/max(1e-9, o.strandedPerAnswer(v, from)))
	}
	noise := s.w.DayNoise * s.w.DayNoise
	team := float64(max(1, len(s.team)))
	calls, mood := daring*s.w.CallNoise*s.w.CallNoise, s.w.Productivity*s.w.Productivity/team
	worst := 0.0
	for a := 0; a < n-1; a++ {
		// Windows begin now and at openings.
		start, waiting := v.tick, float64(v.queue)
		if a > 0 {
			start, waiting = points[a-1], 0
			if s.open[start] != s.open[start-1] || s.dead[start] {
				continue
			}
		}
		for b := a + 1; b < n; b++ {
			end := points[b-1]
			if s.dead[end] {
				continue
			}
			can := s.capacity[s.due[end]] - s.capacity[start]
			other := s.other[end] - s.other[start]
			mean, squares, shared := other, 0.0, 0.0
			for i := range live {
				x := factor * (o.table[i*n+b] - o.table[i*n+a])
				mean += x
				if i == today {
					shared = x
				} else {
					squares += x * x
				}
			}
			each := factor * (o.next[b] - o.next[a])
			if o.keeps > 0 && start == v.tick && s.open[end]-s.open[start] <= s.promise && each > 0 {
				m = max(0, min(m, ((1-o.keeps)*can-waiting-mean)/each))
			}
			days := max(1, (s.open[s.due[end]]-s.open[start])/8)
			spread := math.Sqrt(calls/max(can, 4) + mood/(days+1))
			chance := func(m float64) float64 {
				x := shared + m*each
				all := mean + m*each
				return overflow(can, spread, waiting, all, all+noise*(squares+x*x)+doubt*(all-other)*(all-other))
			}
			p := chance(m)
			if p <= o.eps {
				worst = max(worst, p)
				continue
			}
			if zero := chance(0); zero > o.eps {
				m, worst = 0, max(worst, zero)
				continue
			}
			low, high := 0.0, m
			for range 20 {
				if mid := (low + high) / 2; chance(mid) <= o.eps {
					low = mid
				} else {
					high = mid
				}
			}
			m, worst = low, o.eps
		}
	}
	x := choice{n: o.texts(v, m, most), risk: worst, saysRisk: true}
	if x.n < min(smallBatch, v.left) {
		x.n = 0
	}
	if !o.learns {
		o.foretell(&x, v, from, live, today)
	}
	return x
}

// mean is how many answers the next k texts of all running campaigns bring.
func (o *oracle) mean(v view, k int) float64 {
	sum := 0.0
	for c, x := range o.r.campaigns {
		if v.running[c] && x.left > 0 {
			sum += x.expected(min(x.left, k*x.left/v.left))
		}
	}
	return sum * o.r.w.Surge(o.r.s.day[v.tick]) * (1 - o.r.s.w.Receipts.Undelivered)
}

// texts is how many texts bring so many answers.
func (o *oracle) texts(v view, m float64, most int) int {
	low, high := 0, most+1
	for high-low > 1 {
		if mid := (low + high) / 2; o.mean(v, mid) <= m+1e-9 {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// overflow is the chance that those who wait and those who come are more than can be called. Capacity at three points stands for its
// distribution; the arrivals are a Gamma with the mean and variance.
func overflow(can, spread, waiting, mean, variance float64) float64 {
	low := deviate(can*(1-math.Sqrt(3)*spread)-waiting, mean, variance)
	if low > 5 {
		return 0
	}
	mid := deviate(can-waiting, mean, variance)
	high := deviate(can*(1+math.Sqrt(3)*spread)-waiting, mean, variance)
	return above(low)/6 + above(mid)*2/3 + above(high)/6
}

// deviate turns the chance that a Gamma exceeds x into a standard normal deviate, by Wilson and Hilferty.
func deviate(x, mean, variance float64) float64 {
	switch {
	case x < 0:
		return -40
	case mean <= 1e-12:
		return 40
	}
	k := mean * mean / variance
	return (math.Cbrt(x/mean) - 1 + 1/(9*k)) * 3 * math.Sqrt(k)
}

func above(z float64) float64 { return .5 * math.Erfc(z/math.Sqrt2) }

// deadAhead reports whether there is a time ahead at which nobody could call in time.
func (o *oracle) deadAhead(from int) bool {
	for _, d := range o.r.s.dead[from:min(ticks, from+horizon)] {
		if d {
			return true
		}
	}
	return false
}

// strandedPerAnswer is which share of a text's answers comes at such times.
func (o *oracle) strandedPerAnswer(v view, from float64) float64 {
	s, sum := o.r.s, 0.0
	for k := v.tick; k < min(ticks, v.tick+horizon); k++ {
		if s.dead[k] {
			sum += s.within(s.response[k+1]-from) - s.within(s.response[k]-from)
		}
	}
	return sum
}

// foretell gives the bands of the next day's answers.
func (o *oracle) foretell(x *choice, v view, from float64, live []cohort, today int) {
	s := o.r.s
	end := min(ticks, v.tick+perDay)
	mean, squares := 0.0, 0.0
	batch := o.mean(v, x.n) * s.within(s.response[end]-from)
	for i := range live {
		m := live[i].expected(end) - live[i].expected(v.tick)
		if i == today {
			m += batch
			batch = 0
		}
		mean += m
		squares += m * m
	}
	mean += batch
	squares += batch * batch
	variance := mean + s.w.DayNoise*s.w.DayNoise*squares
	if mean <= 0 {
		return
	}
	at := func(z float64) float64 {
		k := mean * mean / variance
		c := 1 - 1/(9*k) + z/(3*math.Sqrt(k))
		return mean * max(0, c*c*c)
	}
	x.fifty, x.ninety, x.saysNext = band{at(-.6745), at(.6745)}, band{at(-1.645), at(1.645)}, true
}
