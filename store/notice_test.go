package store

import (
	"context"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// However many promises somebody has broken, one that can still be kept is told.
func TestPromised_soonBehindLate(t *testing.T) {
	ctx := context.Background()
	w := mustWorld(t, mustOpen(t, testConfig(t)))
	now := w.db.cfg.Now()
	w.must(w.db.MakeUp(ctx, w.network.ID, w.team.ID, selfrefer.MaxNotices+6, func(i int) MadeUp {
		m := MadeUp{Lane: selfrefer.Verified, Practice: "N83001", State: selfrefer.Claimed, ClaimedBy: w.worker.ID, Received: now.Add(-96 * time.Hour), Due: now.Add(-time.Duration(i+1) * time.Hour / 2)}
		if i == 0 {
			m.Received, m.Due = now.Add(-47*time.Hour), now.Add(time.Hour)
		}
		return m
	}, func(int) {}))
	all, err := w.db.Notices(ctx, w.worker)
	w.must(err)
	for _, n := range all {
		if n.Kind == selfrefer.PromiseEnds && n.Theirs && n.Since.Equal(now.Add(time.Hour)) {
			return
		}
	}
	t.Errorf("the promise that can be kept is not among %d notices", len(all))
}
