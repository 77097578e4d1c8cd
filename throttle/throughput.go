package throttle

import (
	"math"
	"time"
)

const (
	throughputDays  = 10  // looked back at
	throughputFade  = 20. // working hours in which evidence halves
	throughputPrior = 20. // contacts by which the roster is believed beforehand
	throughputFirm  = 60. // contacts for which the roster's word counts when it is asked how sure the throughput is
	throughputMost  = 1.1
	busy            = .5 // of the team with somebody to call: then a half hour says something about the throughput
	throughputLeast = .2
	callNoise       = .25 // variance of the length of a call relative to its square: calls are uneven, yet less than by pure chance
	dayNoise        = .04 // variance of one worker's day relative to its square
	absenceChance   = .15 // beforehand, that somebody has been away unannounced within the longest window
)

// throughput is what the team makes of its roster.
type throughput struct {
	usual   float64 // first contacts made for each that the roster allows for
	doubt   float64 // variance of it, relative to its square
	away    float64 // chance that part of the team has been missing lately
	present float64 // share of the usual that is left, if so
}

func (t *throughput) mean() float64 { return t.usual * (1 - t.away*(1-t.present)) }

// shares of the team that may be left.
var shares = [...]float64{0, .25, .5, .75}

// absences are the windows, in working hours with somebody to call, within which they may have gone.
var absences = [...]float64{2, 4, 8, 16}

// lookAtThroughput compares the contacts made with those that the roster allows for. Only times with somebody to call for everyone count:
// an idle team says nothing about how fast it is. The queue of past hours follows from the counters.
func lookAtThroughput(now time.Time, behind *grid, s *TeamState, crowd float64) throughput {
	t := throughput{usual: 1, present: 1}
	if len(s.Contacts) == 0 {
		return t
	}
	start := behind.start
	n := int(now.Sub(start)/step) + 1
	made, change := make([]float64, n), make([]float64, n)
	slot := func(at int64) int {
		i := int((at - start.Unix()) / int64(step/time.Second))
		if at < start.Unix() || i >= n {
			return -1
		}
		return i
	}
	for _, c := range s.Contacts {
		if i := slot(c.At); i >= 0 {
			made[i] += some(c.N)
			change[i] -= some(c.N)
		}
	}
	for _, o := range s.Other {
		if i := slot(o.At); i >= 0 {
			change[i] += some(o.N)
		}
	}
	for i := range s.Campaigns {
		for _, a := range s.Campaigns[i].Answers {
			if i := slot(a.Answered); i >= 0 {
				change[i] += some(a.N)
			}
		}
	}
	var done, could [len(absences)]float64 // within each window
	sumDone, sumCould := 0.0, 0.0
	gone := 0.0                 // working hours with somebody to call, back from now
	queue := float64(s.Waiting) // at the end of the slot
	open := behind.at(behind.open, now)
	for i := n - 1; i >= 0; i-- {
		from := start.Add(time.Duration(i) * step)
		to := earlier(from.Add(step), now)
		before := max(0, queue-change[i])
		if before >= max(1, busy*crowd) {
			x := behind.capacity(from, to, true)
			if x > 0 {
				weight := math.Exp2(-(open - behind.at(behind.open, from)) / throughputFade)
				sumDone += weight * made[i]
				sumCould += weight * x
				gone += behind.between(behind.open, from, to)
				for k, hours := range absences {
					if gone <= hours {
						done[k] += made[i]
						could[k] += x
					}
				}
			}
		}
		queue = before
	}
	t.usual = min(throughputMost, max(throughputLeast, (throughputPrior+sumDone)/(throughputPrior+sumCould)))
	t.doubt = callNoise / (throughputFirm + sumDone)
	t.lookForAbsence(done[:], could[:], sumDone, sumCould, crowd)
	return t
}

// lookForAbsence weighs the hypotheses "for so many hours only part of the team has been there".
func (t *throughput) lookForAbsence(done, could []float64, sumDone, sumCould, crowd float64) {
	prior := absenceChance / (1 - absenceChance) / float64(len(absences)*len(shares))
	odds, present := 0.0, 0.0
	for k := range absences {
		d, c := done[k], could[k]
		if c <= 0 {
			continue
		}
		usual := min(throughputMost, max(.5, (throughputPrior+max(0, sumDone-d))/(throughputPrior+max(0, sumCould-c))))
		days := math.Ceil(absences[k] / 8)
		log := func(share float64) float64 {
			mean := usual * share * c
			variance := callNoise*max(mean, .5) + dayNoise*mean*mean/max(1, crowd)/days + .25 // .25: a call at hand
			return -(d-mean)*(d-mean)/(2*variance) - .5*math.Log(variance)
		}
		none := log(1)
		for _, share := range shares {
			x := prior * math.Exp(min(log(share)-none, 50))
			odds += x
			present += x * share
		}
	}
	if odds > 0 {
		t.away, t.present = beyond(odds/(1+odds), absenceChance), present/odds
	}
}
