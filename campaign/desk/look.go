package desk

import (
	"context"
	"fmt"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// lookData is what there is to look at once the first texts have gone.
type lookData struct {
	Facts ui.SummaryList
	Text  []string // as it left, by lines
	GoOn  string   // where the button posts; "" if this person may not
}

// firstLook is nil unless a campaign waits for somebody to look at its first texts.
func (h *Handler) firstLook(ctx context.Context, who staff.Account, v campaign.View) (*lookData, error) {
	if v.State != campaign.Paused || v.FirstLook != campaign.LookWaits {
		return nil, nil
	}
	body, err := h.cfg.Store.SentSample(ctx, who, v.ID)
	if err != nil {
		return nil, fmt.Errorf("read a text of campaign %d as it left: %w", v.ID, err)
	}
	d := &lookData{}
	add := func(key string, n int) {
		d.Facts.Rows = append(d.Facts.Rows, ui.SummaryRow{Key: key, Values: []ui.Cell{{Text: number(n)}}})
	}
	c := v.Counts
	add("Delivered", c[campaign.Delivered])
	add("Not yet known to be delivered", c[campaign.Accepted]+c[campaign.Sent]+c[campaign.Unknown]+c[campaign.Held])
	add("Could not be delivered", c[campaign.Undelivered]+c[campaign.Failed]+c[campaign.Rejected])
	add("Opened the form", v.Opened)
	add("Asked for help", v.Answers)
	if body != "" {
		d.Text = strings.Split(body, "\n")
	}
	if can(who, staff.RunCampaign) {
		d.GoOn = fmt.Sprintf("/desk/campaigns/%d/%s", v.ID, campaign.Resume)
	}
	return d, nil
}

// nextPart is the first step of a draft that nobody has saved, or the last one.
func nextPart(c campaign.Campaign) string {
	for _, p := range partPages {
		if p.part == 0 || !c.Parts.Has(p.part) {
			return p.name
		}
	}
	return "check"
}
