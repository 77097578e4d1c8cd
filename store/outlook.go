package store

import (
	"context"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Outlook is the snapshot of a campaign's team with this campaign in it: as it goes, or, if it has not been launched, as if it were launched now.
func (db *DB) Outlook(ctx context.Context, n staff.NetworkID, id campaign.ID) (s campaign.Snapshot, err error) {
	c, err := db.Campaign(ctx, n, id)
	if err != nil {
		return s, err
	}
	if s, err = db.Snapshot(ctx, c.Team); err != nil || !c.LaunchedAt.IsZero() {
		return s, err
	}
	texts, err := c.Texts(1)
	if err != nil {
		return s, err
	}
	e, err := db.EstimateTexts(ctx, n, c.Audience, texts)
	if err != nil {
		return s, err
	}
	segments := float64(max(e.Segments, 1)) / float64(max(e.Texts, 1))
	err = db.read(ctx, "what a draft would be", func(tx *Tx) error {
		var taken, screened int64
		var madeUp bool
		if err := tx.QueryRow(`SELECT taken_on, screened_at, synthetic FROM audience WHERE id = $1`, int64(c.Audience)).Scan(&taken, &screened, &madeUp); err != nil {
			return err
		}
		taught, err := lessonsOf(tx, n)
		if err != nil {
			return err
		}
		now := timeOf(tx.now)
		cs := throttle.CampaignState{ID: campaignKey(id), Running: true, Started: now, Grain: time.Hour}
		st, err := strataOf(tx, c.Audience)
		if err != nil {
			return err
		}
		cs.Strata, cs.Sizes = st.Names, st.Sizes
		for _, n := range st.Sizes {
			cs.Planned += n
		}
		cs.OnTheWayBy = make([]int, len(cs.Strata))
		p := c.Policy
		s.State.Campaigns = append(s.State.Campaigns, cs)
		s.Policy.Campaigns = append(s.Policy.Campaigns, throttle.CampaignPolicy{
			ID: cs.ID, Windows: p.Windows, DailyCap: p.DailyCap, Budget: p.Budget, CostPerText: int64(float64(p.Price)*segments + .5), Rate: p.Rate,
			SegmentsPerText: segments, MinBatch: p.MinBatch, Screened: timeOf(takenOn(taken, screened)), MaxListAge: p.MaxListAge, First: p.First, Last: p.Last, Blast: p.Blast,
			Prior: taught.prior(id, madeUp),
		})
		return nil
	})
	return s, err
}
