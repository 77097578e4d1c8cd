package desk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// campaignsData is the overview of a network's campaigns.
type campaignsData struct {
	Campaigns ui.Table
	CanEdit   bool
	Deciles   bool // this person may upload them
}

func (h *Handler) campaignsPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewCampaigns, "campaigns")
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	all, err := h.cfg.Store.CampaignsSeen(ctx, who, listsShown)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the campaigns: %w", err))
		return
	}
	data := campaignsData{CanEdit: can(who, staff.EditCampaign), Deciles: can(who, staff.UploadList)}
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

// move takes a campaign one step further on behalf of a page or a call. hash is what the person has seen, "" if a program does not say.
// people is the number of people that whoever approves has typed, 0 if none.
func (h *Handler) move(r *http.Request, m campaign.Move, hash string, people int) (campaign.ID, error) {
	ctx := r.Context()
	do := moves[m]
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
	if m == campaign.Submit { // nobody should approve what can never be launched
		if err := h.knowsPractices(ctx, who.Network, campaign.ID(id)); err != nil {
			return 0, err
		}
	}
	if m == campaign.Approve {
		_, err = h.cfg.Store.ApproveCampaign(ctx, who, campaign.ID(id), campaign.Approval{Hash: hash, People: people})
		return campaign.ID(id), err
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

// foreign are practices of a list that the network does not have: nobody could agree for them.
type foreign []string

func (f foreign) Error() string {
	if len(f) == 1 && f[0] == "" {
		return "the list does not say which practice its patients are with: upload it again and choose the practice"
	}
	named, without := slices.DeleteFunc(slices.Clone(f), func(ods string) bool { return ods == "" }), slices.Contains(f, "")
	s := fmt.Sprintf("the list has patients of %s that your network does not have (%s), and nobody could agree for them: leave them out of the list, or ask whoever runs this system to add them",
		count(len(named), "practice", "practices"), strings.Join(named, ", "))
	if without {
		s += ". Some of its patients have no practice at all"
	}
	return s
}

// knowsPractices refuses a campaign whose list has patients of practices elsewhere.
func (h *Handler) knowsPractices(ctx context.Context, network staff.NetworkID, id campaign.ID) error {
	n, err := h.cfg.Store.Network(ctx, network)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	shares, err := h.cfg.Store.PracticeShares(ctx, network, id)
	if err != nil {
		return fmt.Errorf("read the practices of campaign %d: %w", id, err)
	}
	var unknown foreign
	for _, s := range shares {
		if _, known := practiceName(n, s.ODS); !known {
			unknown = append(unknown, s.ODS)
		}
	}
	if len(unknown) > 0 {
		return unknown
	}
	return nil
}
