package throttle

import (
	"math"
	"time"
)

const (
	outputDays  = 7   // looked back at
	outputPrior = 20  // contacts by which the roster is believed beforehand
	outputFade  = 20. // working hours in which evidence on output halves
	outputMost  = 1.1
	outputLeast = .3
)

// output is how many first contacts the team makes for each that the roster allows for. It is learned only from hours in which there was
// somebody to call for every worker: an idle team says nothing about how fast it is. The queue of past hours follows from the counters.
func output(now time.Time, p *TeamPolicy, s *TeamState) float64 {
	if len(s.Contacts) == 0 {
		return 1
	}
	last := now.Unix() / 3600
	first := last - outputDays*24
	var change, made [outputDays*24 + 1]int
	for _, c := range s.Contacts {
		if i := c.Hour - first; i >= 0 && i < int64(len(made)) {
			made[i] += c.N
			change[i] -= c.N
		}
	}
	came := func(hour int64, n int) {
		if i := hour - first; i >= 0 && i < int64(len(change)) {
			change[i] += n
		}
	}
	for _, o := range s.Other {
		came(o.Hour, o.N)
	}
	for i := range s.Campaigns {
		for _, a := range s.Campaigns[i].Answers {
			came(a.Answered, a.N)
		}
	}
	start := time.Unix(first*3600, 0)
	g := newGrid(p.Calendar, p.Roster, nil, p.PromiseDays, start, (outputDays*24+2)*time.Hour)
	crowd := 0
	for i := range p.Roster {
		if w := &p.Roster[i]; w.FirstContact > 0 && w.Minutes > 0 {
			crowd++
		}
	}
	done, expected := 0., 0.
	open := g.at(g.open, now)
	queue := s.Waiting // at the end of the hour
	for i := len(made) - 1; i >= 0; i-- {
		from := start.Add(time.Duration(i) * time.Hour)
		before := max(0, queue-change[i])
		if queue >= crowd && before >= crowd {
			weight := math.Exp2(-(open - g.at(g.open, from)) / outputFade)
			done += weight * float64(made[i])
			expected += weight * g.capacity(from, earlier(from.Add(time.Hour), now), true)
		}
		queue = before
	}
	return min(outputMost, max(outputLeast, (outputPrior+done)/(outputPrior+expected)))
}
