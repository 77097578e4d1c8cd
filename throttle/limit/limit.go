package limit

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// State is all that a limit remembers of one key: when it would be as good as new. The zero value is as good as new.
type State time.Time

// Rule allows so many at once, and one more each time Every has passed. A rule without Every or Burst allows nothing.
type Rule struct {
	Every time.Duration
	Burst int
}

// Per is the rule that allows n in a period, all at once if need be.
func Per(n int, period time.Duration) Rule {
	if n <= 0 {
		return Rule{}
	}
	return Rule{Every: period / time.Duration(n), Burst: n}
}

// Spend takes n from a key's allowance (the generic cell rate algorithm). With wait 0 they are granted and next is to be kept; otherwise
// nothing is taken, and asking again after wait succeeds if nobody else asks. A wait below 0 means never: more than the rule allows at once.
func Spend(now time.Time, rule Rule, n int, state State) (next State, wait time.Duration) {
	if n <= 0 {
		return state, 0
	}
	if rule.Every <= 0 || n > rule.Burst {
		return state, -1
	}
	full := time.Time(state)
	if full.Before(now) {
		full = now
	}
	// A clock that was set back must not lock anybody out for longer than an empty allowance would.
	if most := now.Add(time.Duration(rule.Burst) * rule.Every); full.After(most) {
		full = most
	}
	full = full.Add(time.Duration(n) * rule.Every)
	if wait = full.Sub(now) - time.Duration(rule.Burst)*rule.Every; wait > 0 {
		return state, wait
	}
	return State(full), 0
}

// Limiter applies one rule to many keys. Its memory is bounded: it holds two generations of keys and drops the older when the younger is
// full, so someone with very many keys can make it forget others. It is safe for concurrent use.
type Limiter struct {
	rule Rule
	most int

	mu         sync.Mutex
	young, old map[string]State
}

// NewLimiter makes a limiter that remembers at least keys and at most twice as many.
func NewLimiter(rule Rule, keys int) *Limiter {
	return &Limiter{rule: rule, most: max(1, keys), young: map[string]State{}}
}

// Allow reports whether one more may pass for a key, and else after how long to come back.
func (l *Limiter) Allow(now time.Time, key string) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state, wait := Spend(now, l.rule, 1, l.state(key))
	l.young[key] = state
	return wait == 0, wait
}

// state is what is remembered of a key, which the caller puts back among the young.
func (l *Limiter) state(key string) State {
	state, found := l.young[key]
	if !found {
		if len(l.young) >= l.most {
			l.old, l.young = l.young, make(map[string]State, l.most)
		}
		state = l.old[key]
	}
	return state
}

// shares are the parts of an IPv6 address that one subscriber may have to themselves, and how many times the rule they are good for. A phone
// has a /64; a house has a /56 or a /48, and could come from another /64 each time. But in the /48 of a mobile network there are thousands.
// The widest is asked first: whoever is over fills the memory with no narrower ones.
var shares = [...]struct{ bits, times int }{{48, 16}, {56, 4}, {64, 1}}

// AllowAddress is Allow for whoever has an internet address, whichever of theirs they use. What is no address passes: nobody is slowed down
// who cannot be told apart.
func (l *Limiter) AllowAddress(now time.Time, address string) (ok bool, wait time.Duration) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return true, 0
	}
	if ip = ip.Unmap(); ip.Is4() {
		return l.Allow(now, ip.String())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys [len(shares)]string
	var spent [len(shares)]State
	for i, s := range shares {
		part, err := ip.Prefix(s.bits)
		if err != nil { // an address has more bits than that
			return true, 0
		}
		rule := Rule{Every: l.rule.Every / time.Duration(s.times), Burst: l.rule.Burst * s.times}
		keys[i] = part.String()
		was := l.state(keys[i])
		l.young[keys[i]] = was
		if spent[i], wait = Spend(now, rule, 1, was); wait != 0 {
			return false, wait // and nothing is taken from any of them
		}
	}
	for i, key := range keys {
		l.young[key] = spent[i]
	}
	return true, 0
}

// Pacer makes a sender's workers wait so that together they stay within its segments per second. It runs on machine time.
type Pacer struct{ bucket *rate.Limiter }

// NewPacer makes a pacer; at most one second's worth leaves at once. A rate of 0 or less means no limit.
func NewPacer(segmentsPerSecond float64) *Pacer {
	if segmentsPerSecond <= 0 {
		return &Pacer{rate.NewLimiter(rate.Inf, 1)}
	}
	return &Pacer{rate.NewLimiter(rate.Limit(segmentsPerSecond), max(1, int(segmentsPerSecond)))}
}

// Wait blocks until n segments may leave, or returns the context's error. It waits even for texts that are longer than one second's worth.
func (p *Pacer) Wait(ctx context.Context, n int) error {
	for burst := p.bucket.Burst(); n > 0; n -= burst {
		if err := p.bucket.WaitN(ctx, min(n, burst)); err != nil {
			return err
		}
	}
	return ctx.Err()
}
