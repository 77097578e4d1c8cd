package desk

import (
	"net/netip"
	"sync"
	"time"
)

// The slow-down: so many failures are free, and each further one doubles the wait, from a second to a minute.
const (
	freeFailures = 5
	longestWait  = time.Minute
	// forgetAfter is how long failures are held against a key.
	forgetAfter = 15 * time.Minute
	// mostKeys bounds the memory: two generations of so many.
	mostKeys = 10_000
)

// slowdown makes guessing slow after failures. Its key is an account together with the address that tries: so whoever guesses slows
// down themselves, and the owner of the account signs in from elsewhere as if nothing were.
type slowdown struct {
	mu         sync.Mutex
	young, old map[string]tries
}

type tries struct {
	failed int
	last   time.Time // machine
}

func newSlowdown() *slowdown { return &slowdown{young: map[string]tries{}} }

// slowKey is what failures are held against: what is tried, and the address that tries. Whoever has one address of IPv6 has 2^64.
func slowKey(what, address string) string {
	if a, err := netip.ParseAddr(address); err == nil && a.Is6() && !a.Is4In6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			address = p.String()
		}
	}
	return what + " " + address
}

// try is how long a key has to wait; 0 lets it try at once, and counts that as a failure until forget is called: of a hundred tries sent
// at the same moment, all but the free ones wait.
func (s *slowdown) try(now time.Time, key string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.get(now, key)
	wait := t.wait(now)
	if wait == 0 {
		if len(s.young) >= mostKeys {
			s.old, s.young = s.young, map[string]tries{}
		}
		s.young[key] = tries{t.failed + 1, now}
	}
	return wait
}

func (t tries) wait(now time.Time) time.Duration {
	if t.failed < freeFailures {
		return 0
	}
	pause := longestWait
	if n := t.failed - freeFailures; n < 6 {
		pause = time.Second << n
	}
	return max(0, t.last.Add(pause).Sub(now))
}

func (s *slowdown) get(now time.Time, key string) tries {
	t, ok := s.young[key]
	if !ok {
		t = s.old[key]
	}
	if now.Sub(t.last) > forgetAfter {
		return tries{}
	}
	return t
}

// forget clears a key after it has been right.
func (s *slowdown) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.young, key)
	delete(s.old, key)
}
