package sim

import (
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// What the simulator knows of throttle's types is in this file, but for Options.Knobs: the books that the pacer reads, and what it says.

// ledger keeps the counters that the store keeps in earnest, and asks throttle.Decide with them.
type ledger struct {
	s       *stage
	lists   []*campaign
	policy  throttle.TeamPolicy
	state   throttle.TeamState
	cells   []map[[2]int64]int // by campaign: (slot, stratum) -> index in Delivered
	starts  []map[[2]int64]int
	answers []map[[3]int64]int // (delivered, answered, stratum) -> index in Answers
	waiting [][]batch          // by campaign: texts without a receipt, in the order of sending
	assumed []map[int]bool     // batches that were taken for delivered, since no receipt came in two hours
}

// batch is what is left of the texts sent in one tick, by stratum.
type batch struct {
	sent int
	by   []int
}

// grain is how finely the counters tell the time.
const grain = 30 * time.Minute

// slot is the middle of the grain in which t lies.
func slot(t time.Time) int64 { return t.Truncate(grain).Add(grain / 2).Unix() }

const (
	sender      = 50. // segments per second
	noReceiptIn = 2 * time.Hour
)

// roster is the team as declared, with the leave that is shown.
func (s *stage) roster(shown func(Absence) bool) []throttle.Worker {
	team := make([]throttle.Worker, len(s.team))
	for i, m := range s.team {
		week, _ := m.week() // checked by ParseWorld
		worker := throttle.Worker{ID: strconv.Itoa(i), Minutes: callMinutes, Places: -1, Senior: m.Senior}
		for d, x := range week {
			if x.from < x.to {
				worker.Week[d] = throttle.Hours{From: x.from * 30, To: x.to * 30}
				worker.FirstContact = m.ContactsPerDay / (float64(x.to-x.from) / 2) * callMinutes / 60
			}
		}
		if worker.FirstContact > 1 { // calls must be shorter
			worker.FirstContact, worker.Minutes = 1, callMinutes/worker.FirstContact
		}
		for _, a := range s.w.Absences {
			if i >= a.Skip && i < a.Skip+a.Workers && shown(a) {
				worker.Leave = append(worker.Leave, throttle.Span{From: s.w.midnight(a.FromDay), To: s.w.midnight(a.ToDay)})
			}
		}
		team[i] = worker
	}
	return team
}

const callMinutes = 60

func newLedger(s *stage, campaigns []*campaign, knobs throttle.Knobs) *ledger {
	l := &ledger{s: s, lists: campaigns}
	l.policy = throttle.TeamPolicy{Calendar: s.calendar, PromiseHours: s.promise, Knobs: knobs}
	for _, m := range s.team {
		l.policy.NeedSenior = l.policy.NeedSenior || m.Senior
	}
	for i, c := range campaigns {
		id := "c" + strconv.Itoa(i)
		l.policy.Campaigns = append(l.policy.Campaigns, throttle.CampaignPolicy{ID: id, Rate: sender, AtOnce: s.every})
		x := throttle.CampaignState{ID: id, Planned: c.left, Started: c.starts, Grain: grain}
		bands := s.w.bands()
		for n, size := range c.size {
			x.Strata = append(x.Strata, strconv.Itoa(n/len(bands))+bands[n%len(bands)].Name)
			x.Sizes = append(x.Sizes, size)
		}
		l.state.Campaigns = append(l.state.Campaigns, x)
		l.cells = append(l.cells, map[[2]int64]int{})
		l.starts = append(l.starts, map[[2]int64]int{})
		l.answers = append(l.answers, map[[3]int64]int{})
		l.waiting = append(l.waiting, nil)
		l.assumed = append(l.assumed, map[int]bool{})
	}
	l.history()
	return l
}

// history enters four weeks of referrals by professionals before the launch, evenly, each called in its own hour: the mean is known.
func (l *ledger) history() {
	if l.s.w.OtherPerDay == 0 {
		return
	}
	owed := 0.0
	for t := l.s.w.StartTime().Add(-28 * 24 * time.Hour).Truncate(tick); t.Before(l.s.w.StartTime()); t = t.Add(tick) {
		owed += l.s.w.OtherPerDay * l.s.calendar.Working(t, t.Add(tick)).Hours() / 8
		for ; owed >= 1; owed-- {
			l.other(t)
			l.called(t)
		}
	}
}

// midnight starts a new day.
func (l *ledger) midnight() {
	for i := range l.state.Campaigns {
		l.state.Campaigns[i].SentToday = 0
	}
}

func add(cells *[]throttle.Cell, index map[[2]int64]int, at int64, stratum, n int) {
	key := [2]int64{at, int64(stratum)}
	i, ok := index[key]
	if !ok {
		i = len(*cells)
		index[key] = i
		*cells = append(*cells, throttle.Cell{At: at, Stratum: stratum})
	}
	(*cells)[i].N += float64(n)
}

// released enters texts of a batch that are on their way.
func (l *ledger) released(c int, sent, stratum, n int) {
	x := &l.state.Campaigns[c]
	x.Planned -= n
	x.SentToday += n
	x.OnTheWay += n
	if w := l.waiting[c]; len(w) == 0 || w[len(w)-1].sent != sent {
		l.waiting[c] = append(w, batch{sent, make([]int, len(x.Sizes))})
	}
	l.waiting[c][len(l.waiting[c])-1].by[stratum] += n
	if x.OnTheWayBy == nil {
		x.OnTheWayBy = make([]int, len(x.Sizes))
	}
	x.OnTheWayBy[stratum] += n
}

// receipt enters what the provider says of texts of a batch.
func (l *ledger) receipt(c, sent, stratum, n int, at time.Time, delivered bool) {
	x := &l.state.Campaigns[c]
	if l.assumed[c][sent] {
		add(&x.Delivered, l.cells[c], slot(l.s.at(sent)), stratum, -n)
	} else {
		x.OnTheWay -= n
		x.OnTheWayBy[stratum] -= n
		for i := range l.waiting[c] {
			if b := &l.waiting[c][i]; b.sent == sent {
				b.by[stratum] -= n
			}
		}
	}
	if delivered {
		add(&x.Delivered, l.cells[c], slot(at), stratum, n)
	}
}

// overdue takes texts without a receipt for delivered when they were sent.
func (l *ledger) overdue(now time.Time) {
	for c := range l.waiting {
		x := &l.state.Campaigns[c]
		for len(l.waiting[c]) > 0 && now.Sub(l.s.at(l.waiting[c][0].sent)) > noReceiptIn {
			b := l.waiting[c][0]
			l.waiting[c] = l.waiting[c][1:]
			l.assumed[c][b.sent] = true
			for stratum, n := range b.by {
				if n > 0 {
					x.OnTheWay -= n
					x.OnTheWayBy[stratum] -= n
					add(&x.Delivered, l.cells[c], slot(l.s.at(b.sent)), stratum, n)
				}
			}
		}
	}
}

func (l *ledger) answer(c int, stratum int, delivered, at time.Time) {
	x := &l.state.Campaigns[c]
	key := [3]int64{slot(delivered), slot(at), int64(stratum)}
	i, ok := l.answers[c][key]
	if !ok {
		i = len(x.Answers)
		l.answers[c][key] = i
		x.Answers = append(x.Answers, throttle.Answer{Delivered: key[0], Answered: key[1], Stratum: stratum})
	}
	x.Answers[i].N++
}

func (l *ledger) start(c int, stratum int, at time.Time) {
	add(&l.state.Campaigns[c].Starts, l.starts[c], slot(at), stratum, 1)
}

func (l *ledger) other(at time.Time) { count(&l.state.Other, slot(at)) }

func (l *ledger) called(at time.Time) { count(&l.state.Contacts, slot(at)) }

func count(list *[]throttle.Count, at int64) {
	if n := len(*list); n > 0 && (*list)[n-1].At == at {
		(*list)[n-1].N++
		return
	}
	*list = append(*list, throttle.Count{At: at, N: 1})
}

// decide asks the pacer: one choice for each campaign.
func (l *ledger) decide(v view) []choice {
	l.overdue(v.now)
	l.policy.Roster = v.known.roster
	l.state.Waiting, l.state.OldestDue = v.queue, v.oldestDue
	for i := range l.state.Campaigns {
		l.state.Campaigns[i].Running = v.running[i]
		l.ahead(i)
	}
	choices := make([]choice, 0, len(v.running))
	for i, d := range throttle.Decide(v.now, l.policy, l.state) {
		l.state.Campaigns[i].Memory = d.Memory
		choices = append(choices, choiceOf(d))
	}
	return choices
}

// ahead gives the coming order of a list that does not go evenly.
func (l *ledger) ahead(c int) {
	if !l.s.w.Sequence {
		return
	}
	x, list := &l.state.Campaigns[c], l.lists[c]
	x.Ahead = x.Ahead[:0]
	for _, turn := range list.turns[list.turn:] {
		for _, stratum := range turn {
			if n := list.size[stratum] - list.taken[stratum]; n > 0 {
				x.Ahead = append(x.Ahead, throttle.Ahead{Stratum: stratum, N: n})
			}
		}
	}
}

// choiceOf takes what the simulator measures from a decision.
func choiceOf(d throttle.Decision) choice {
	next := d.Forecast.NextDay
	return choice{
		n: d.N, limit: string(d.Limit), risk: d.Figures.Risk, saysRisk: true, asks: d.Limit == throttle.LimitSilence,
		fifty: band{next.P25, next.P75}, ninety: band{next.P05, next.P95}, saysNext: next.P95 > 0,
	}
}

// contactBy is the date that somebody who comes now is told.
func (l *ledger) contactBy(v view) time.Time {
	l.policy.Roster = v.known.roster
	l.state.Waiting = v.queue
	return throttle.ContactBy(v.now, l.policy, l.state)
}

// confirm enters that a person has looked and the link works.
func (l *ledger) confirm(c int, now time.Time) { l.state.Campaigns[c].Resumed = now }
