package store

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// What the pacer reads with the help of its memory is what the database holds, however late something is counted.
func TestClosedHoursStayTrue(t *testing.T) {
	ctx := context.Background()
	now := testCivil
	cfg := testConfig(t)
	cfg.Serve, cfg.Now = true, func() time.Time { return now }
	w := mustWorld(t, mustOpen(t, cfg))
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := []string{tallyDelivered, tallyAnswer, tallyStart}
	for step := range 400 {
		now = now.Add(time.Duration(rng.IntN(300)) * time.Minute)
		hour := hourOf(now.UnixMilli())
		if rng.IntN(4) == 0 {
			hour -= rng.Int64N(100)
		}
		undone := rng.IntN(5) == 0
		_ = w.db.write(ctx, "count", func(tx *Tx) error {
			if err := w.db.bump(tx, w.campaign, kinds[rng.IntN(3)], rng.Int64N(3), hour, hour-rng.Int64N(5), 1+rng.IntN(3)); err != nil || !undone {
				return err
			}
			return errClosed // any error undoes it
		})
		if rng.IntN(2) == 0 {
			continue // several changes before the next look
		}
		s, err := w.db.Snapshot(ctx, w.team.ID)
		w.must(err)
		var want hourly
		w.must(w.db.read(ctx, "all", func(tx *Tx) (err error) {
			want, err = readHourly(tx, w.campaign, 1, endOfHours)
			return err
		}))
		c := s.State.Campaigns[0]
		if got := (hourly{c.Delivered, c.Starts, c.Answers}); !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d: got %+v, want %+v", step, got, want)
		}
	}
	if w.db.closed.get(w.campaign).until == 0 {
		t.Error("nothing was kept")
	}
}
