package campaign

import (
	"context"
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
}

// DoubtStore is the store's side of reconciliation.
type DoubtStore interface {
	// Overrun makes unknown what is sending past its deadline (machine time).
	Overrun(ctx context.Context, now time.Time) (int, error)
	// Doubts lists unknown messages whose next look is due (machine time).
	Doubts(ctx context.Context, now time.Time, limit int) ([]Doubtful, error)
	// Adopt appends evidence, whatever the state, and moves the message if it did not know. A second sid for one message rings an alarm.
	Adopt(ctx context.Context, ev Evidence) error
	// Looked notes when to look next, and counts the look if it was one complete empty listing.
	Looked(ctx context.Context, d Doubtful, empty bool, next time.Time) error
	// Clear plans a message again, or holds it if on is Hold: one compare-and-swap on attempt, state, no evidence, leader epoch.
	Clear(ctx context.Context, epoch int64, d Doubtful, on Event) error
}

// Lister reads the provider's own record of texts to a number. It returns an error unless the listing is complete.
type Lister interface {
	List(ctx context.Context, to person.Phone) ([]Listed, error)
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
	looks         = 2
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
	for _, d := range doubts {
		if err := r.look(ctx, epoch, d, machine); err != nil {
			return fmt.Errorf("settle message %d: %w", d.Message, err)
		}
	}
	return nil
}

func (r *Reconciler) look(ctx context.Context, epoch int64, d Doubtful, machine time.Time) error {
	listed, err := r.Lister.List(ctx, d.To)
	if err != nil {
		// An incomplete listing proves nothing. Look again later.
		r.Log.Warn("list texts at the provider", "message", int64(d.Message), "error", err)
		return r.Store.Looked(ctx, d, false, machine.Add(r.Again))
	}
	found := false
	for _, l := range listed {
		for _, tok := range link.In(l.Body) {
			if tok == d.Token {
				found = true
				if err := r.Store.Adopt(ctx, Evidence{Message: d.Message, Attempt: d.Attempt, Event: StatusEvent(l.Status), Kind: "listing", SID: l.SID, Code: l.Code, At: l.At}); err != nil {
					return err
				}
				break
			}
		}
	}
	switch {
	case found:
		return nil
	case d.Empty+1 < looks:
		return r.Store.Looked(ctx, d, true, machine.Add(r.Again))
	case d.Over:
		return r.Store.Clear(ctx, epoch, d, Hold)
	default:
		return r.Store.Clear(ctx, epoch, d, Clear)
	}
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
