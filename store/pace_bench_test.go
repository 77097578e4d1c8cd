package store

import (
	"context"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// BenchmarkSnapshot reads a team at the end of six weeks of a campaign with 40 strata.
func BenchmarkSnapshot(b *testing.B) {
	cfg := testConfig(b)
	cfg.Serve = true
	w := mustWorld(b, mustOpen(b, cfg))
	w.sixWeeks(40)
	b.ResetTimer()
	for b.Loop() {
		if _, err := w.db.Snapshot(context.Background(), w.team.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClaim claims a text that is released for it.
func BenchmarkClaim(b *testing.B) {
	ctx := context.Background()
	w := mustWorld(b, mustOpen(b, testConfig(b)))
	p := w.text(agnes, false)
	w.write(`UPDATE campaign SET steps = '[{"number":1,"template":"Hello ((first_name)): ((link)) or not: ((stop_link))"}]' WHERE id = $1`, w.campaign)
	attempt := 0
	for b.Loop() {
		b.StopTimer()
		w.write(`UPDATE message SET state = 'released' WHERE id = $1`, p.message)
		attempt++
		b.StartTimer()
		if _, err := w.db.Claim(ctx, campaign.Ring{Message: campaign.MessageID(p.message), Attempt: attempt}); err != nil {
			b.Fatal(err)
		}
	}
}

// sixWeeks fills the counters as a campaign does that sends, and is answered, in every working hour.
func (w *world) sixWeeks(strata int) {
	w.tb.Helper()
	end := hourOf(testCivil.UnixMilli())
	w.must(w.db.write(context.Background(), "six weeks", func(tx *Tx) error {
		for day := range int64(42) {
			if wd := testCivil.AddDate(0, 0, int(day)-42).Weekday(); wd == time.Saturday || wd == time.Sunday {
				continue
			}
			for hour := range int64(8) {
				at := end - 24*(42-day) + hour
				for s := range int64(strata) {
					if err := w.db.bump(tx, w.campaign, tallyDelivered, s, at, 0, 4); err != nil {
						return err
					}
					if (s+hour+day)%8 == 0 { // an answer some hours or days later
						if err := w.db.bump(tx, w.campaign, tallyAnswer, s, at+hour*7, at, 1); err != nil {
							return err
						}
					}
				}
			}
		}
		return nil
	}))
}
