package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Sender is the gateway to the provider. Send never returns an error: whatever happened is an outcome, and what cannot be known is LoseSight.
type Sender interface {
	Send(ctx context.Context, out Outgoing) Outcome
}

// Claimer is the store's side of one sending.
type Claimer interface {
	// Claim takes a released message in one durable transaction and returns what to send. ErrTooLate means that there is nothing
	// to send: the message has moved on, or Admit refused and the refusal is written.
	Claim(ctx context.Context, r Ring) (Outgoing, error)
	// Record writes what came back, guarded by attempt. Evidence is adopted whatever the state, and kept outside the database for as
	// long as that refuses.
	Record(ctx context.Context, r Ring, o Outcome) error
}

// Tokens gives permission to send so many segments; it waits for the sender's rate.
type Tokens interface {
	Wait(ctx context.Context, segments int) error
}

// Dispatcher answers the queue's bell. Many may run at once, in many processes.
type Dispatcher struct {
	Claims Claimer
	Sender Sender
	Rate   Tokens
	Log    *slog.Logger
}

// Answer handles one ring. It returns an error only if the ring should be repeated; the claim makes any repetition harmless.
func (d *Dispatcher) Answer(ctx context.Context, r Ring) error {
	// The send token comes first, so that a claimed message never waits for the rate while its deadline runs.
	if err := d.Rate.Wait(ctx, 1); err != nil {
		return fmt.Errorf("wait for the sender's rate: %w", err)
	}
	out, err := d.Claims.Claim(ctx, r)
	if errors.Is(err, ErrTooLate) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim message %d: %w", r.Message, err)
	}
	if out.Segments > 1 { // the rest of a long text is paid after the claim: seconds at most, far inside the deadline
		if err := d.Rate.Wait(ctx, out.Segments-1); err != nil {
			return d.record(ctx, r, Outcome{Event: Postpone, Code: "stopping"})
		}
	}
	return d.record(ctx, r, d.Sender.Send(ctx, out))
}

// record keeps at it: the reply is in our hands, and losing it costs a reconciliation. It uses its own time-out, because a
// cancelled handler still knows what it sent.
func (d *Dispatcher) record(ctx context.Context, r Ring, o Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for {
		err := d.Claims.Record(ctx, r, o)
		if err == nil || errors.Is(err, ErrTooLate) {
			return nil
		}
		d.Log.Warn("record the outcome of a text again", "message", int64(r.Message), "code", o.Code, "error", err)
		select {
		case <-ctx.Done():
			// Neither the database nor the journal takes it. The deadline makes it unknown and the reconciler finds it at the
			// provider: nothing is sent again.
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}
