package desk

import (
	"fmt"
	"net/http"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// campaignsData is the overview of a network's campaigns.
type campaignsData struct {
	Campaigns ui.Table
	CanEdit   bool
}

func (h *Handler) campaignsPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewCampaigns, "campaigns")
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	all, err := h.cfg.Store.Campaigns(ctx, who.Network, listsShown)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the campaigns: %w", err))
		return
	}
	data := campaignsData{CanEdit: can(who, staff.EditCampaign)}
	data.Campaigns = ui.Table{Head: []ui.Cell{{Text: "Campaign"}, {Text: "State"}, {Text: "Launched"}}, RowHeaders: true, Stacked: true, Empty: "There are no campaigns yet."}
	for _, c := range all {
		launched := "Not yet"
		if !c.LaunchedAt.IsZero() {
			launched = h.day(c.LaunchedAt)
		}
		tag := stateTags[c.State]
		data.Campaigns.Rows = append(data.Campaigns.Rows, []ui.Cell{{Text: c.Name, Href: fmt.Sprintf("/desk/campaigns/%d", c.ID)}, {Text: tag[0], Tag: tag[1]}, {Text: launched}})
	}
	p, err := h.page(ctx, r, who, "Campaigns", data)
	h.show(w, r, http.StatusOK, "campaigns", p, err)
}

func (h *Handler) apiCampaigns(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewCampaigns, "campaigns")
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	all, err := h.cfg.Store.Campaigns(ctx, who.Network, listsShown)
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("read the campaigns: %w", err))
		return
	}
	campaigns := []campaignAnswer{}
	for _, c := range all {
		campaigns = append(campaigns, campaignJSON(c))
	}
	writeJSON(w, http.StatusOK, map[string]any{"campaigns": campaigns})
}

// move takes a campaign one step further on behalf of a page or a call. hash is what the person has seen, "" if a program does not say.
func (h *Handler) move(r *http.Request, m campaign.Move, hash string) (campaign.ID, error) {
	ctx := r.Context()
	do := map[campaign.Move]staff.Action{campaign.Submit: staff.SubmitCampaign, campaign.Approve: staff.ApproveCampaign, campaign.Return: staff.ApproveCampaign,
		campaign.Launch: staff.RunCampaign, campaign.Pause: staff.RunCampaign, campaign.Resume: staff.RunCampaign, campaign.Stop: staff.RunCampaign}[m]
	id, err := pathID(r, "id")
	if err != nil || do == "" {
		return 0, campaign.ErrNotFound
	}
	who, err := h.may(ctx, do, fmt.Sprintf("campaign %d %s", id, m))
	if err != nil {
		return 0, err
	}
	if hash != "" || m == campaign.Launch {
		v, err := h.cfg.Store.View(ctx, who.Network, campaign.ID(id))
		if err != nil {
			return 0, err
		}
		if hash != "" && hash != v.Hash() {
			return 0, campaign.ErrChanged
		}
		if m == campaign.Launch && h.cfg.Live && v.Audience.Synthetic {
			return 0, campaign.ErrSynthetic
		}
	}
	if m != campaign.Launch {
		_, err = h.cfg.Store.MoveCampaign(ctx, who, campaign.ID(id), m)
		return campaign.ID(id), err
	}
	if _, err := h.cfg.Store.LaunchCampaign(ctx, who, campaign.ID(id)); err != nil {
		return 0, err
	}
	h.launches.Go(func() { h.plan(campaign.ID(id)) })
	return campaign.ID(id), nil
}
