package emulator

import "time"

// Faults are what the emulator does wrong on purpose. Each number is a probability; the zero value
// is a provider without faults. Which request is hit depends only on the seed and on the
// ordinal of the request, so a run can be repeated.
//
// At most one of the create faults strikes one request; if they add up to more than 1 the last
// ones never strike.
type Faults struct {
	// Not accepted.
	TooMany     float64 // 429 with code 20429: never processed, safe to send again
	Refuse500   float64 // 500, though nothing was accepted
	ResetBefore float64 // the connection is cut before anything is accepted
	Redirect    float64 // 302 or 307 to the same address

	// Accepted, whatever the caller is told.
	AcceptThen500   float64
	AcceptThenReset float64
	AcceptThen502   float64 // an HTML page
	AcceptEmpty     float64 // 201 {}
	AcceptTruncated float64 // 201, cut off in the middle of the JSON
	LateAccept      float64 // accepted only after LateBy, even if the caller has gone
	LateBy          time.Duration
	Slow            float64 // accepted at once, answered after SlowBy
	SlowBy          time.Duration

	// Listings.
	List500 float64
	ListLag time.Duration // a text shows in lists only this long after it was accepted

	// Callbacks.
	CallbackTwice   float64
	CallbackReorder float64 // "sent" arrives after the final status
	CallbackDrop    float64
	CallbackEarly   float64 // "sent" arrives before the reply to the create request
}

// Defaults for Faults.LateBy and SlowBy. The first is longer than twilio-go's time-out of 10 s.
const (
	DefaultLateBy = 12 * time.Second
	DefaultSlowBy = 2 * time.Second
)

type fate uint8

const (
	fair fate = iota
	tooMany
	refuse500
	resetBefore
	redirect
	acceptThen500
	acceptThenReset
	acceptThen502
	acceptEmpty
	acceptTruncated
	lateAccept
	slow
)

// fate decides the lot of the nth create request.
func (f Faults) fate(seed uint64, nth int64) fate {
	u := chance(seed, "create", nth)
	for i, p := range [...]float64{f.TooMany, f.Refuse500, f.ResetBefore, f.Redirect, f.AcceptThen500, f.AcceptThenReset,
		f.AcceptThen502, f.AcceptEmpty, f.AcceptTruncated, f.LateAccept, f.Slow} {
		if u < p {
			return fair + 1 + fate(i)
		}
		u -= p
	}
	return fair
}

func (f Faults) lateBy() time.Duration {
	if f.LateBy > 0 {
		return f.LateBy
	}
	return DefaultLateBy
}

func (f Faults) slowBy() time.Duration {
	if f.SlowBy > 0 {
		return f.SlowBy
	}
	return DefaultSlowBy
}
