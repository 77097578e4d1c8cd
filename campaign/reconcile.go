package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
)

// Doubtful is a message whose outcome is unknown.
type Doubtful struct {
	Message MessageID
	Attempt int
	To      person.Phone // the frozen number of the attempt
	Token   link.Token
	Empty   int  // complete empty listings since it became unknown
	Over    bool // its campaign is stopped or finished: it cannot be planned again
	// Ambiguous is how many of its attempts nobody knows the outcome of, this one included.
	Ambiguous int
	// BlindSince is since when no look has succeeded (machine time); zero if the last one did.
	BlindSince time.Time
}

// Touchstone is a text that the provider certainly has, with a number and a token like a doubtful one's.
type Touchstone struct {
	SID   string
	To    person.Phone
	Token link.Token
}

// DoubtStore is the store's side of reconciliation.
type DoubtStore interface {
	// Overrun makes unknown what is sending past its deadline (machine time).
	Overrun(ctx context.Context, now time.Time) (int, error)
	// Doubts lists unknown messages whose next look is due (machine time).
	Doubts(ctx context.Context, now time.Time, limit int) ([]Doubtful, error)
	// Adopt appends evidence, whatever the state, and moves the message if it did not know. A second sid for one message rings an alarm.
	Adopt(ctx context.Context, ev Evidence) error
	// Looked notes a look that settled nothing, and that the next one is due so long from now, when the look is over: a tick may take minutes.
	Looked(ctx context.Context, d Doubtful, l Look, again time.Duration) error
	// Clear plans a message again, or holds it if on is Hold, and notes why: one compare-and-swap on attempt, state, no evidence, leader epoch.
	Clear(ctx context.Context, epoch int64, d Doubtful, on Event, why string) error
	// Touchstone gives a delivered text, the newest of those past the settle time; false if there is none.
	Touchstone(ctx context.Context) (Touchstone, bool, error)
}

// Lister reads the provider's own record of texts to a number. It returns an error unless the listing is complete. A text whose words or number
// the provider has removed comes with an empty body or no number.
type Lister interface {
	List(ctx context.Context, to person.Phone) ([]Listed, error)
}

// ErrBusy says that the provider asks us to come back later.
var ErrBusy = errors.New("the provider asks us to slow down")

// Look is what one look at the provider's record of a number came to.
type Look int

// The looks.
const (
	LookFailed Look = iota // no answer, or not the whole of it: proves nothing
	LookBlind              // the record has texts without words or without numbers: it cannot tell
	LookEmpty              // complete, and the text is not there
	LookFound
)

// Why a message is held.
const (
	HeldOver       = "held_over"       // not at the provider; but its campaign is over, so it cannot be planned again
	HeldAgain      = "held_again"      // not at the provider for the third time: a fourth try would be trusting to luck
	HeldUnreadable = "held_unreadable" // the provider removes words or numbers from its record
	HeldNoRecord   = "held_no_record"  // the provider answers, but for a day it has not shown its record of this number
)

const (
	looks = 2
	// mostAmbiguous attempts of one text may end without word before a person decides. Where a fifth of all requests fails, a second
	// one is nothing out of the ordinary.
	mostAmbiguous = 2
	// mostBlind is how long a message whose record cannot be read stays unknown while the provider shows others.
	mostBlind = 24 * time.Hour
	// mostFailures in a row are taken for a provider that is away: the rest of the tick is spared.
	mostFailures = 3
)

// After decides what follows from a look: Clear, Hold with its reason, or neither: then somebody looks again.
func (d Doubtful) After(l Look, machine time.Time) (on Event, why string) {
	switch {
	case l == LookBlind:
		return Hold, HeldUnreadable
	case l == LookFailed && !d.BlindSince.IsZero() && machine.Sub(d.BlindSince) >= mostBlind:
		return Hold, HeldNoRecord
	case l != LookEmpty || d.Empty+1 < looks:
		return "", ""
	case d.Over:
		return Hold, HeldOver
	case d.Ambiguous > mostAmbiguous:
		return Hold, HeldAgain
	}
	return Clear, ""
}

// Reconciler settles unknown messages by evidence. All its times are machine time.
type Reconciler struct {
	Store  DoubtStore
	Lister Lister
	Log    *slog.Logger
	Settle time.Duration // before the first look, default 10 minutes: the safety parameter
	Again  time.Duration // between the two looks, default 5 minutes
}

// Defaults of the reconciler. Settle must be longer than the provider can be late in accepting and listing a text.
const (
	DefaultSettle = 10 * time.Minute
	DefaultAgain  = 5 * time.Minute
)

// Tick looks once at every message that is due.
func (r *Reconciler) Tick(ctx context.Context, epoch int64, machine time.Time) error {
	if _, err := r.Store.Overrun(ctx, machine); err != nil {
		return fmt.Errorf("find overrun sends: %w", err)
	}
	doubts, err := r.Store.Doubts(ctx, machine, 200)
	if err != nil {
		return fmt.Errorf("list unknown messages: %w", err)
	}
	t := tick{Reconciler: r, epoch: epoch, machine: machine}
	for _, d := range doubts {
		if err := t.settle(ctx, d); err != nil {
			return fmt.Errorf("settle message %d: %w", d.Message, err)
		}
		if t.away || t.failures >= mostFailures {
			break // what was not looked at stays due
		}
	}
	return nil
}

// tick is one round of looks.
type tick struct {
	*Reconciler
	epoch    int64
	machine  time.Time
	answers  bool // the provider has shown a record
	failures int  // looks in a row that failed
	away     bool // the provider asks us to slow down
	tested   bool
	record   Look // what the touchstone says of the provider's record, once tested
}

func (t *tick) settle(ctx context.Context, d Doubtful) error {
	l, err := t.look(ctx, d)
	if err != nil {
		return err
	}
	on, why := d.After(l, t.machine)
	if on == Clear || why == HeldNoRecord {
		record, err := t.test(ctx)
		switch {
		case err != nil:
			return err
		case on == Clear && record != LookFound: // then this empty listing proves nothing either
			l = record
			on, why = d.After(l, t.machine)
		case why == HeldNoRecord && !t.answers: // nobody's record can be read: that is no fault of this one
			on, why = "", ""
		}
	}
	switch {
	case l == LookFound:
		return nil
	case on == "":
		return t.Store.Looked(ctx, d, l, t.Again)
	}
	return t.Store.Clear(ctx, t.epoch, d, on, why)
}

// look looks for a doubtful text in the provider's record of its number, and adopts it.
func (t *tick) look(ctx context.Context, d Doubtful) (Look, error) {
	listed, err := t.Lister.List(ctx, d.To)
	if err != nil {
		t.failures++
		t.away = t.away || errors.Is(err, ErrBusy)
		t.Log.Warn("list texts at the provider", "message", int64(d.Message), "error", err)
		return LookFailed, nil
	}
	t.answers, t.failures = true, 0
	ours, blind := inRecord(listed, d.To, d.Token)
	for _, l := range ours {
		if err := t.Store.Adopt(ctx, l.evidence(d.Message, d.Attempt, "listing")); err != nil {
			return LookFailed, err
		}
	}
	switch {
	case len(ours) > 0:
		return LookFound, nil
	case blind:
		return LookBlind, nil
	}
	return LookEmpty, nil
}

// test looks for a text that must be in the provider's record, once in a tick. If it is not there (another account, numbers removed after
// delivery), an empty listing proves nothing. As long as there is no such text, the record is taken at its word.
func (t *tick) test(ctx context.Context) (Look, error) {
	if t.tested {
		return t.record, nil
	}
	known, ok, err := t.Store.Touchstone(ctx)
	if err != nil {
		return LookFailed, fmt.Errorf("find a text to test the provider's record with: %w", err)
	}
	t.tested, t.record = true, LookFound
	if !ok {
		return t.record, nil
	}
	listed, err := t.Lister.List(ctx, known.To)
	if err != nil {
		t.Log.Warn("test the provider's record", "error", err)
		t.record = LookFailed
		return t.record, nil
	}
	t.answers = true
	ours, blind := inRecord(listed, known.To, known.Token)
	for _, l := range ours {
		if l.SID == known.SID {
			return t.record, nil
		}
	}
	t.record = LookFailed
	if blind {
		t.record = LookBlind
	}
	t.Log.Error("the provider's record does not show a text that was delivered: no message is planned again on its word. "+
		"Check that the account is the one that sent it, and that message redaction is off", "sid", known.SID)
	return t.record, nil
}

// inRecord picks the texts that carry a token. blind says that there are others which may be that text: their words or numbers were removed.
func inRecord(listed []Listed, to person.Phone, token link.Token) (ours []Listed, blind bool) {
	for _, l := range listed {
		if l.Body == "" || l.To != to {
			blind = true
			continue
		}
		for _, t := range link.In(l.Body) {
			if t == token {
				ours = append(ours, l)
				break
			}
		}
	}
	return ours, blind
}

// evidence is what a text of the provider's record proves.
func (l Listed) evidence(m MessageID, attempt int, kind string) Evidence {
	return Evidence{Message: m, Attempt: attempt, Event: StatusEvent(l.Status), Kind: kind, SID: l.SID, Code: l.Code, At: l.At}
}

// StatusEvent reads the provider's word for where a text stands. A word we do not know still proves that the provider has the text.
func StatusEvent(status string) Event {
	switch status {
	case "sent":
		return ReportSent
	case "delivered", "read":
		return Deliver
	case "undelivered":
		return Undeliver
	case "failed", "canceled":
		return Fail
	}
	return Accept
}
