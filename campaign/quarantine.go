package campaign

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
)

// QuarantineStore is the store's side of coming back from a restored backup.
type QuarantineStore interface {
	// Restored reports whether the database has forgotten texts that it sent: the marker outside it says so, or a quarantine is under way.
	Restored(ctx context.Context) (bool, error)
	// Doubt makes unknown, in chunks, every message that could have left without this database knowing, and replays the journal.
	Doubt(ctx context.Context) error
	// Adopted takes one text of the provider's list: as evidence for its message, or into the contact ledger if its token is not ours any more.
	Adopted(ctx context.Context, l Listed, token link.Token, known bool) error
	// Known finds a token's message.
	Known(ctx context.Context, t link.Token) (MessageID, bool, error)
	// ClearDoubts plans again what two complete listings did not show, in chunks.
	ClearDoubts(ctx context.Context) error
	// Trust ends the quarantine: the marker follows this database from here on.
	Trust(ctx context.Context) error
}

// BulkLister walks the provider's whole record. An error means that it is not complete.
type BulkLister interface {
	ListAll(ctx context.Context, each func(Listed) error) error
}

// Quarantine keeps a restored database from sending until it has learned what left. Nothing else in the system sends while it lasts.
type Quarantine struct {
	Store  QuarantineStore
	Lister BulkLister
	Log    *slog.Logger
	Settle time.Duration // between the two listings
}

// Run returns when sending is safe: at once if nothing is wrong. It tries again until ctx ends while the provider's record is out of reach.
func (q *Quarantine) Run(ctx context.Context) error {
	restored, err := q.Store.Restored(ctx)
	if err != nil {
		return fmt.Errorf("compare the database with its marker: %w", err)
	}
	if !restored {
		return nil
	}
	q.Log.Warn("the database is older than its marker: a backup was restored. Sending waits until the provider has told which texts left")
	if err := q.Store.Doubt(ctx); err != nil {
		return fmt.Errorf("put messages in doubt: %w", err)
	}
	for look := 0; look < looks; look++ {
		if look > 0 && !wait(ctx, q.Settle) {
			return ctx.Err()
		}
		for {
			n, err := q.list(ctx)
			if err == nil {
				q.Log.Info("read the provider's record", "texts", n, "listing", look+1)
				break
			}
			q.Log.Warn("read the provider's record again", "error", err)
			if !wait(ctx, time.Second) {
				return ctx.Err()
			}
		}
	}
	if err := q.Store.ClearDoubts(ctx); err != nil {
		return fmt.Errorf("plan again what never left: %w", err)
	}
	if err := q.Store.Trust(ctx); err != nil {
		return fmt.Errorf("end the quarantine: %w", err)
	}
	q.Log.Info("quarantine is over")
	return nil
}

func (q *Quarantine) list(ctx context.Context) (n int, err error) {
	err = q.Lister.ListAll(ctx, func(l Listed) error {
		n++
		tokens := link.In(l.Body)
		if len(tokens) == 0 {
			return nil
		}
		_, known, err := q.Store.Known(ctx, tokens[0])
		if err != nil {
			return err
		}
		return q.Store.Adopted(ctx, l, tokens[0], known)
	})
	return n, err
}

// wait sleeps unless ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
