package sim

import (
	"flag"
	"math"
	"testing"

	"github.com/wellpaced/wellpaced/throttle"
)

var futureSeeds = flag.Int("futures.seeds", 4, "runs of each world in which the forecasts of WhatIf are held to what happens")

// What WhatIf says in the middle of a campaign has to come true about as often as it says: the band of eight in ten for the last text,
// and the chance that anybody still to be called is called too late. In 09 the illness has just begun and the roster shows it.
//
// With 40 runs of each of these worlds the band held 82 % of the real ends (159 of 193; 74 to 87 % by world), and the median was .15
// working days too early of 19. Somebody was late in 3.1 % of the runs where 1.2 % was said: six runs, all of them in 09, where 4 % was
// said and 16 % seen; in the others said and seen are both below 1 %. Elsewhere, with 24 runs each: teams of one or two (15 on day 8, 39
// on day 4) end when said, within .1 working days, but the band held only 67 and 73 %; in 39 somebody was late in 36 % of the runs where
// 10 % was said, for one of the two falls ill without a word after the question. Where practices that differ a lot are texted one after
// the other (13 on day 6) the first say little of the rest: the band held 46 %, and the median was a quarter too late.
func TestFuturesComeTrue(t *testing.T) {
	seeds := uint64(*futureSeeds)
	worlds := []struct {
		name string
		day  int
	}{{"01", 4}, {"01", 15}, {"02", 4}, {"03", 8}, {"09", 15}}
	asked, within, leftOut, said, seen := 0, 0, 0, 0.0, 0.0
	for _, x := range worlds {
		s := newStage(load(t, x.name))
		n, in, early, late := 0, 0, 0, 0
		off, days, width, chance, came := 0.0, 0.0, 0.0, 0.0, 0.0
		for seed := uint64(1); seed <= seeds; seed++ {
			r := newRun(s, Pacer, seed, Options{})
			var o throttle.Outcome
			before := 0
			stop := s.begins[x.day] + 22 // 11:00
			r.playPast(stop, func(v view) {
				r.ledger.prepare(v)
				o = throttle.WhatIf(v.now, r.ledger.policy, r.ledger.policy, r.ledger.state, 0)
				before = r.result.Late
			})
			m := r.ledger.state.Campaigns[0].Memory
			if o.Futures == 0 || len(m.Quiet) > 0 || m.Silence != nil || o.Campaigns[0].P50.IsZero() {
				leftOut++ // done by then, or held for a silence: no future knows how long a person takes to look at the link
				continue
			}
			c := &o.Campaigns[0]
			n++
			switch last := s.at(r.lastText); {
			case last.Before(c.P10):
				early++
			case last.After(c.P90):
				late++
			default:
				in++
			}
			real := (s.open[r.lastText] - s.open[stop]) / 8
			off += c.WorkingDays - real
			if !c.P90.IsZero() {
				width += s.calendar.Working(c.P10, c.P90).Hours() / 8
			}
			days += real
			chance += o.LateChance
			if r.result.Late > before {
				came++
			}
		}
		k := float64(max(1, n))
		t.Logf("%s, day %d: %d of %d within the band (%.1f working days wide), %d earlier, %d later; the median is %+.2f of %.1f working days off; somebody late: said %.3f, seen %.3f",
			x.name, x.day, in, n, width/k, early, late, off/k, days/k, chance/k, came/k)
		if width > .8*days {
			t.Errorf("%s: a band of %.1f working days says nothing about %.1f", x.name, width/k, days/k)
		}
		if math.Abs(off) > .12*days+1.5*k {
			t.Errorf("%s: the median is %.2f of %.1f working days off", x.name, off/k, days/k)
		}
		asked, within, said, seen = asked+n, within+in, said+chance, seen+came
	}
	if share := float64(within) / float64(asked); share < .65 || asked < int(seeds)*len(worlds)/3 {
		t.Errorf("%.2f of %d runs end within the band of eight in ten (%d left out)", share, asked, leftOut)
	}
	if k := float64(asked); math.Abs(said-seen)/k > .1+1/math.Sqrt(k)/2 { // few seeds say little of a rare event
		t.Errorf("somebody is late: said %.3f, seen %.3f", said/k, seen/k)
	}
}

// playPast plays a run of the pacer to its end and looks at it once on the way, before the decision of a tick.
func (r *run) playPast(stop int, look func(view)) {
	s := r.s
	for i := s.first; i < mostDays*perDay; i++ {
		if d := s.day[i]; d != r.lastDay {
			r.lastDay = d
			r.ledger.midnight()
		}
		for _, x := range r.receipts[i] {
			r.ledger.receipt(x.campaign, x.sent, x.stratum, x.n, s.at(i), x.delivered)
		}
		if i == stop && r.left() > 0 {
			v := r.view(i, instant(i)*tick)
			if len(r.queue) > 0 {
				v.oldestDue = s.origin.Add(reach(s.open, read(s.open, r.queue[0].came)+s.promise))
			}
			look(v)
		}
		if r.left() > 0 {
			r.consult(i)
		} else if r.pending == 0 && len(r.queue) == 0 {
			break
		}
		r.work(i)
		r.arrive(i)
	}
	r.judge()
}

// prepare brings the pacer's books up to date, as before a decision.
func (l *ledger) prepare(v view) {
	l.overdue(v.now)
	l.policy.Roster = v.known.roster
	l.state.Waiting, l.state.OldestDue = v.queue, v.oldestDue
	for i := range l.state.Campaigns {
		l.state.Campaigns[i].Running = v.running[i]
		l.ahead(i)
	}
}
