package desk

import (
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// planAgain is how long a launch that could not be completed waits for the next try.
const planAgain = 5 * time.Second

// plan completes a launch after its request has been answered: tens of thousands of messages take longer than anybody waits for a page.
// It does not give up; if the process ends, the store takes the launch up again when it next serves.
func (h *Handler) plan(id campaign.ID) {
	for {
		err := h.cfg.Store.PlanMessages(h.background, id)
		if err == nil || h.background.Err() != nil {
			return
		}
		h.cfg.Log.Warn("plan a launch again", "comp", "campaign_desk", "campaign", int64(id), "error", err)
		select {
		case <-h.background.Done():
			return
		case <-time.After(planAgain):
		}
	}
}
