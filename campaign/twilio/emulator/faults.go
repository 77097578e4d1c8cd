package emulator

import (
	"maps"
	"time"
)

// Faults are what the emulator does wrong on purpose. Each number is a probability; the zero value
// is a provider without faults. Which request is hit depends only on the seed and on the
// ordinal of the request, so a run can be repeated.
//
// At most one of the create faults strikes one request; if they add up to more than 1 the last
// ones never strike.
type Faults struct {
	// Not accepted.
	TooMany     float64 // 429 with code 20429, or without any: never processed, safe to send again
	Refuse500   float64 // 500, though nothing was accepted
	ResetBefore float64 // the connection is cut before anything is accepted
	Redirect    float64 // 302 or 307 to the same address
	// These three tell of a person or of the account. FaultShare leaves them out: the first costs a number its text, and after the others
	// a campaign waits until somebody has mended the account.
	OptedOut float64 // 400 with code 21610, though the number has not replied STOP
	DailyCap float64 // 429 with code 63038
	Auth     float64 // 401 with code 20003

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
	Drip            float64 // accepted at once; the reply comes a byte now and then, for LateBy in all

	// Listings. At most one of them strikes one page.
	List500      float64
	List429      float64
	ListNoList   float64       // 200, but a page that is not a list: a document without one, or HTML
	ListCut      float64       // cut off in the middle of the page
	ListOverlap  float64       // the page begins with the last text of the page before, as when texts arrive in between
	ListCircle   float64       // the link to the next page leads to this one
	ListNext500  float64       // 500, on every page but the first
	ListRedacted float64       // the bodies are empty: the account has message redaction on. FaultShare leaves it out
	ListLag      time.Duration // a text shows in lists only this long after it was accepted

	// Single texts of the record.
	Fetch500 float64
	Fetch429 float64

	// Callbacks.
	CallbackTwice   float64
	CallbackReorder float64 // "sent" arrives after the final status
	CallbackDrop    float64
	CallbackEarly   float64 // "sent" arrives before the reply to the create request
	// CallbackForged posts a lie before a callback: one with a wrong signature, one that was signed for another text's URL (both claim a text
	// that does not exist), or an earlier genuine one of this text again. The first two must be refused: see StruckForgedTaken.
	CallbackForged float64
}

// Defaults for Faults.LateBy and SlowBy. The first is longer than twilio-go's time-out of 10 s.
const (
	DefaultLateBy = 12 * time.Second
	DefaultSlowBy = 2 * time.Second
)

// FaultShare gives faults of every kind that a system must get over by itself: they strike a share of the create requests in equal parts,
// and as many listings, look-ups and callbacks.
func FaultShare(share float64) Faults {
	create, list := share/12, share/7
	return Faults{
		TooMany: create, Refuse500: create, ResetBefore: create, Redirect: create, AcceptThen500: create, AcceptThenReset: create, AcceptThen502: create,
		AcceptEmpty: create, AcceptTruncated: create, LateAccept: create, Slow: create, Drip: create,
		List500: list, List429: list, ListNoList: list, ListCut: list, ListOverlap: list, ListCircle: list, ListNext500: list, ListLag: 500 * time.Millisecond,
		Fetch500: share / 2, Fetch429: share / 2,
		CallbackTwice: share / 5, CallbackReorder: share / 5, CallbackDrop: share / 5, CallbackEarly: share / 5, CallbackForged: share / 5,
	}
}

// The kinds of faults, as Struck counts them.
const (
	StruckTooMany         = "too_many"
	StruckRefuse500       = "refuse_500"
	StruckResetBefore     = "reset_before"
	StruckRedirect        = "redirect"
	StruckOptedOut        = "opted_out"
	StruckDailyCap        = "daily_cap"
	StruckAuth            = "auth"
	StruckAcceptThen500   = "accept_then_500"
	StruckAcceptThenReset = "accept_then_reset"
	StruckAcceptThen502   = "accept_then_502"
	StruckAcceptEmpty     = "accept_empty"
	StruckAcceptTruncated = "accept_truncated"
	StruckLateAccept      = "late_accept"
	StruckSlow            = "slow"
	StruckDrip            = "drip"
	StruckList500         = "list_500"
	StruckList429         = "list_429"
	StruckListNoList      = "list_no_list"
	StruckListCut         = "list_cut"
	StruckListOverlap     = "list_overlap"
	StruckListCircle      = "list_circle"
	StruckListNext500     = "list_next_500"
	StruckListRedacted    = "list_redacted"
	StruckFetch500        = "fetch_500"
	StruckFetch429        = "fetch_429"
	StruckTwice           = "callback_twice"
	StruckReorder         = "callback_reorder"
	StruckDrop            = "callback_drop"
	StruckEarly           = "callback_early"
	StruckForged          = "callback_forged"
	StruckReplayed        = "callback_replayed"
	// StruckForgedTaken is a forgery that was answered with success: whoever took it believes anybody.
	StruckForgedTaken = "callback_forged_and_taken"
)

// Struck counts the faults that have struck so far, by kind; they are in the journal, too.
func (e *Emulator) Struck() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.book.struck)
}

// strike notes a fault.
func (e *Emulator) strike(kind string) {
	e.mu.Lock()
	e.record(line{Kind: kindFault, Fault: kind})
	e.mu.Unlock()
	if err := e.journal.reach(e.journal.end(), false); err != nil {
		e.log.Error("fault not noted", "err", err)
	}
}

// of is a probability and the kind of fault that it brings.
type of struct {
	p    float64
	kind string
}

// create draws the lot of the nth create request, "" for none.
func (f Faults) create(seed uint64, nth int64) string {
	return draw(chance(seed, "create", nth), of{f.TooMany, StruckTooMany}, of{f.Refuse500, StruckRefuse500}, of{f.ResetBefore, StruckResetBefore},
		of{f.Redirect, StruckRedirect}, of{f.OptedOut, StruckOptedOut}, of{f.DailyCap, StruckDailyCap}, of{f.Auth, StruckAuth},
		of{f.AcceptThen500, StruckAcceptThen500}, of{f.AcceptThenReset, StruckAcceptThenReset}, of{f.AcceptThen502, StruckAcceptThen502},
		of{f.AcceptEmpty, StruckAcceptEmpty}, of{f.AcceptTruncated, StruckAcceptTruncated}, of{f.LateAccept, StruckLateAccept},
		of{f.Slow, StruckSlow}, of{f.Drip, StruckDrip})
}

func (f Faults) list(seed uint64, nth int64) string {
	return draw(chance(seed, "list", nth), of{f.List500, StruckList500}, of{f.List429, StruckList429}, of{f.ListNoList, StruckListNoList},
		of{f.ListCut, StruckListCut}, of{f.ListOverlap, StruckListOverlap}, of{f.ListCircle, StruckListCircle}, of{f.ListNext500, StruckListNext500},
		of{f.ListRedacted, StruckListRedacted})
}

func (f Faults) fetch(seed uint64, nth int64) string {
	return draw(chance(seed, "fetch", nth), of{f.Fetch500, StruckFetch500}, of{f.Fetch429, StruckFetch429})
}

// draw gives the kind of fault that a number in [0,1) falls on.
func draw(u float64, all ...of) string {
	for _, o := range all {
		if u < o.p {
			return o.kind
		}
		u -= o.p
	}
	return ""
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
