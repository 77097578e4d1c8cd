package sim

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Policy is who decides how many texts go.
type Policy string

// The policies.
const (
	Pacer  Policy = "pacer"  // throttle.Decide as in earnest
	Blast  Policy = "blast"  // everything at once
	Fixed  Policy = "fixed"  // the same number each day, planned from a guessed response
	AIMD   Policy = "aimd"   // a little more as long as the queue is short, half as many when it is not
	Token  Policy = "token"  // capacity divided by the answers per text so far
	Oracle Policy = "oracle" // knows the town but not the dice, and dares a chance of 1 % of a late contact
	Honest Policy = "honest" // the same at .2 %: the reference for speed
)

// Oracles that have to obey more of what the pacer obeys. They bound what it could reach.
const (
	Learner Policy = "learner" // the careful oracle, but it has to learn how many answer
	Holder  Policy = "holder"  // the careful oracle, but it stops as soon as the form is down, until it is up
	Guard   Policy = "guard"   // the careful oracle, but part of the team may vanish at any time, as Options.Knobs says
)

// Bounds are those.
var Bounds = []Policy{Learner, Holder, Guard}

// Policies are all of them, in the order of a table.
var Policies = []Policy{Blast, Fixed, AIMD, Token, Oracle, Honest, Pacer}

// ParsePolicy reads a policy's name.
func ParsePolicy(name string) (Policy, error) {
	all := slices.Concat(Policies, Bounds)
	names := make([]string, len(all))
	for i, p := range all {
		if names[i] = string(p); names[i] == name {
			return p, nil
		}
	}
	return "", fmt.Errorf("there is no policy %q; there are %s", name, strings.Join(names, ", "))
}

// view is what a policy may see: the roster as declared at that moment, who has answered, and who waits.
type view struct {
	now       time.Time
	at        instant
	tick      int
	every     float64 // hours between decisions
	queue     int
	oldestDue time.Time
	known     *knowledge
	running   []bool // by campaign
	left      int    // of running campaigns
	sent      int
	answers   int
	canAnswer float64 // first contacts within the promise by the roster
}

// choice is a decision as far as it is measured.
type choice struct {
	n        int
	limit    string
	risk     float64 // chance that somebody is called too late, of those who wait or will answer a text sent by now
	saysRisk bool
	// Bands of the answers in the next 24 hours to texts sent by now.
	fifty, ninety band
	saysNext      bool
	asks          bool // holds, and asks a person to check the link
}

type band struct{ low, high float64 }

func (b band) holds(x float64) bool { return x >= b.low && x <= b.high }

// planner is a policy other than the pacer. It says how many texts go in all; campaigns share them in proportion to what they have left.
type planner interface {
	total(v view) choice
}

// appoint gives a run its policy.
func (r *run) appoint(p Policy) {
	switch p {
	case Pacer:
		r.ledger = newLedger(r.s, r.campaigns, r.o.Knobs)
	case Blast:
		r.planner = blast{}
	case Fixed:
		r.planner = &fixed{perDay: int(math.Ceil(r.s.daily() / guess)), today: -1, s: r.s}
	case AIMD:
		r.planner = &aimd{step: r.s.daily() / 8 / guess}
	case Token:
		r.planner = token{perHour: r.s.daily() / 8}
	case Oracle:
		r.oracle = newOracle(r, .01)
	case Honest, Learner, Holder, Guard:
		r.oracle = newOracle(r, .002)
		r.oracle.learns, r.oracle.holds = p == Learner, p == Holder
		if p == Guard {
			r.oracle.keeps = r.o.Knobs.Defaults().Absence
		}
	default:
		panic("sim: no policy " + string(p))
	}
	if r.oracle != nil {
		r.planner = r.oracle
	}
}

// daily is what the whole team is supposed to do in a working day.
func (s *stage) daily() float64 {
	sum := 0.0
	for _, m := range s.team {
		week, _ := m.week() // checked by ParseWorld
		for _, d := range week {
			if d.from < d.to {
				sum += m.ContactsPerDay / 5
			}
		}
	}
	return sum
}

// split shares a total among running campaigns.
func (r *run) split(v view, x choice) []choice {
	out := make([]choice, len(r.campaigns))
	left, n := v.left, min(max(0, x.n), v.left)
	for c := range out {
		out[c] = x
		out[c].n = 0
		if v.running[c] && left > 0 {
			out[c].n = int(float64(n)*float64(r.campaigns[c].left)/float64(left) + .5)
			n -= out[c].n
			left -= r.campaigns[c].left
		}
	}
	return out
}

const (
	guess      = .01 // answers per text, as people guess before the first campaign
	doubt      = 500 // texts for which the guess counts
	smallBatch = 5
)

type blast struct{}

func (blast) total(v view) choice { return choice{n: min(v.left, int(sender*v.every*3600))} }

// fixed texts the same number each working day, first thing.
type fixed struct {
	perDay, today int
	s             *stage
}

func (f *fixed) total(v view) choice {
	if d := f.s.day[v.tick]; d != f.today && f.s.window[v.tick] {
		f.today = d
		return choice{n: min(f.perDay, v.left)}
	}
	return choice{}
}

// aimd is a queue-gated additive increase and multiplicative decrease.
type aimd struct {
	step float64 // an hour's worth of texts by the guess
	rate float64 // texts per hour
}

func (a *aimd) total(v view) choice {
	if a.rate == 0 {
		a.rate = a.step / 2
	}
	if float64(v.queue) > .5*v.canAnswer {
		a.rate = max(a.step/20, a.rate/2)
		return choice{}
	}
	a.rate += a.step / 60 * v.every
	return choice{n: min(v.left, int(a.rate*v.every))}
}

// token releases what the capacity pays for, at the price of the answers per text so far. It takes "not yet" for "no".
type token struct{ perHour float64 }

func (t token) total(v view) choice {
	if float64(v.queue) > .6*v.canAnswer || v.canAnswer < 1 {
		return choice{}
	}
	price := (guess*doubt + float64(v.answers)) / (doubt + float64(v.sent))
	return choice{n: min(v.left, int(t.perHour*v.every/price))}
}
