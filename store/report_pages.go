package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// pagesBy is how a report calls the groups of the pages of campaigns. The language of a list is not that in which people ask to talk.
var pagesBy = map[campaign.Grouping]string{campaign.ByPractice: selfrefer.ByPractice, campaign.ByAge: selfrefer.ByAge, campaign.BySex: selfrefer.BySex,
	campaign.ByDistrict: selfrefer.ByDistrict, campaign.ByDeprivation: selfrefer.ByDecile}

// addPages tells a month what the pages of a campaign tell of it.
func addPages(f *selfrefer.MonthFigures, g campaign.Growth) {
	for grouping, groups := range g.Groups {
		by, ok := pagesBy[grouping]
		if !ok {
			continue
		}
		f.Pages.Group(by)
		for _, m := range groups {
			name := m.Name
			if name == campaign.OtherGroups {
				name = selfrefer.OtherGroups
			}
			of := func(s campaign.Stage) selfrefer.OnPages {
				return selfrefer.OnPages{N: m.N[s], AtLeast: m.AtLeast[s], Hidden: !m.Told[s]}
			}
			f.Pages.Add(by, name, selfrefer.Paged{Texted: of(campaign.ReachedTexted), Received: of(campaign.ReachedSent), Contacted: of(campaign.ReachedContacted)})
		}
	}
}

// errPagesBehind means that a month cannot be counted yet: the leader has not counted the pages of a campaign to its end, as after a pause of the
// service over the end of a month. It does so within the hour.
var errPagesBehind = errors.New("the pages of a campaign are not counted to the end of the month yet")

// countPages reads what the pages of a network's campaigns tell of a month. Where they will never be counted to its end, nobody knows what they tell.
func countPages(tx *Tx, n staff.NetworkID, m selfrefer.Month, zone *time.Location, f *selfrefer.MonthFigures) error {
	f.Pages = &selfrefer.Pages{}
	_, err := list(tx, func(r scanner, _ *struct{}) error {
		var id int64
		var body string
		var behind bool
		if err := r.Scan(&id, &body, &behind); err != nil {
			return err
		}
		if behind {
			return errPagesBehind
		}
		if body == "" {
			f.Pages.Unknown = true
			return nil
		}
		var g campaign.Growth
		if err := json.Unmarshal([]byte(body), &g); err != nil {
			return fmt.Errorf("read how campaign %d has grown: %w", id, err)
		}
		addPages(f, g)
		return nil
	}, `
		SELECT c.id, COALESCE(g.body, ''),
			g.body IS NULL AND (f.campaign IS NULL OR f.counted_to < $3) AND (c.state IN ('running', 'paused') OR c.finished_at > $5)
		FROM campaign c
		LEFT JOIN funnel f ON f.campaign = c.id
		LEFT JOIN funnel_month g ON g.campaign = c.id AND g.month = $1
		WHERE c.network = $2 AND c.launched_at > 0 AND c.launched_at < $3 AND (c.state IN ('running', 'paused') OR c.finished_at > $4 OR g.body IS NOT NULL)
		ORDER BY c.id`, string(m), int64(n), msOf(m.Add(1).First(zone)), stillCounted(m.First(zone)), oldestCounted(throttle.Calendar{}.Midnight(timeOf(tx.now))))
	if err != nil {
		return fmt.Errorf("read what the pages of campaigns tell of %s: %w", m, err)
	}
	return nil
}
