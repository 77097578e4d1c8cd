package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
)

// Awaited is a text that the provider took and of which no final word has come.
type Awaited struct {
	Message MessageID
	SID     string    // "" if all that is known is that it left: its link was seen, or a person said so
	Since   time.Time // when it was sent (machine time)
	// To and Token find it in the provider's record if there is no SID.
	To    person.Phone
	Token link.Token
}

// SweepStore is the store's side of the sweep.
type SweepStore interface {
	// Awaited lists texts that should be asked about by now (machine time).
	Awaited(ctx context.Context, now time.Time, limit int) ([]Awaited, error)
	// Swept notes when to ask next; zero means never again.
	Swept(ctx context.Context, m MessageID, next time.Time) error
	Adopt(ctx context.Context, ev Evidence) error
}

// Fetcher reads one text of the provider's record. ErrNoText means that the provider has no such text any more, ErrBusy that it asks for patience.
type Fetcher interface {
	Fetch(ctx context.Context, sid string) (Listed, error)
}

// ErrNoText says that the provider has no such text, or no longer.
var ErrNoText = errors.New("the provider has no such text any more")

// Sweeper asks the provider about texts whose receipts have not come: receipts lost in an outage of ours are not sent again. All its times are
// machine time. Tick is for one caller at a time.
type Sweeper struct {
	Store   SweepStore
	Fetcher Fetcher
	Lister  Lister
	Log     *slog.Logger

	rest time.Time // ask nothing before
}

// sweeps are the ages at which a text is asked about. Afterwards it stays as it is: a phone that was off for three days gets no text any more.
var sweeps = [...]time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour}

// FirstSweep is the age at which a text is first asked about.
const FirstSweep = time.Hour

const (
	sweepChunk   = 100              // texts in one tick
	sweepAtOnce  = 4                // of the 10 to 20 requests at once that the provider likes; sending has the rest
	sweepRest    = time.Minute      // after the provider refused, or did not answer
	sweepTrouble = 15 * time.Minute // before a text is asked about again that could not be read: it must not stand in the others' way
)

// NextSweep is when to ask about a text again, zero if never.
func NextSweep(since, now time.Time) time.Time {
	for _, age := range sweeps {
		if at := since.Add(age); at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// Tick asks about some of the texts that are due. It ends at the first sign that the provider has had enough.
func (s *Sweeper) Tick(ctx context.Context, machine time.Time) error {
	if machine.Before(s.rest) {
		return nil
	}
	due, err := s.Store.Awaited(ctx, machine, sweepChunk)
	if err != nil {
		return fmt.Errorf("list texts without a receipt: %w", err)
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	var enough atomic.Bool
	errs := make([]error, sweepAtOnce)
	for w := range min(sweepAtOnce, len(due)) {
		wg.Go(func() {
			for !enough.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(due) {
					return
				}
				if errs[w] = s.ask(ctx, due[i], machine); errs[w] != nil {
					enough.Store(true)
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		s.rest = machine.Add(sweepRest)
		s.Log.Warn("ask the provider about texts without a receipt; this goes on in a minute", "error", err)
	}
	return nil
}

func (s *Sweeper) ask(ctx context.Context, a Awaited, machine time.Time) error {
	found, err := s.find(ctx, a)
	switch {
	case errors.Is(err, ErrBusy):
		return err
	case err != nil:
		return errors.Join(fmt.Errorf("message %d: %w", a.Message, err), s.Store.Swept(ctx, a.Message, machine.Add(sweepTrouble)))
	}
	for _, l := range found {
		if err := s.Store.Adopt(ctx, l.evidence(a.Message, 0, "sweep")); err != nil {
			return fmt.Errorf("adopt the status of message %d: %w", a.Message, err)
		}
	}
	return s.Store.Swept(ctx, a.Message, NextSweep(a.Since, machine))
}

// find reads a text by its SID, or by number and token if it has none. What the provider no longer has is left as it is.
func (s *Sweeper) find(ctx context.Context, a Awaited) ([]Listed, error) {
	if a.SID == "" {
		listed, err := s.Lister.List(ctx, a.To)
		ours, _ := inRecord(listed, a.To, a.Token)
		return ours, err
	}
	l, err := s.Fetcher.Fetch(ctx, a.SID)
	if errors.Is(err, ErrNoText) {
		return nil, nil
	}
	return []Listed{l}, err
}
