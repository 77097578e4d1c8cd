package desk

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Pages are listings page by page: each goes on behind what was told last, and 0 begins with the newest.
type Pages interface {
	AudiencesAfter(ctx context.Context, n staff.NetworkID, after campaign.AudienceID, limit int) ([]campaign.Audience, error)
	CampaignsSeenAfter(ctx context.Context, who staff.Account, after campaign.ID, limit int) ([]campaign.Campaign, error)
	DecisionsAfter(ctx context.Context, n staff.NetworkID, id campaign.ID, after int64, limit int) ([]campaign.Decision, error)
}

// pageAsked reads which page a call asks for, and behind which number it goes on.
func pageAsked(r *http.Request, usual int) (a ui.Asked, after int64, err error) {
	a, wrong := ui.ReadAsked(r.URL.Query(), usual)
	if wrong != nil {
		return a, 0, invalid(wrong)
	}
	at, ok := a.Place(1)
	if !ok {
		return a, 0, invalid(ui.WrongAfter())
	}
	return a, at[0], nil
}

func (h *Handler) apiLists(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewLists, "lists")
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	page, after, err := pageAsked(r, listsShown)
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	all, err := h.cfg.Store.AudiencesAfter(ctx, who.Network, campaign.AudienceID(after), page.Fetch())
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("read the lists: %w", err))
		return
	}
	out := struct {
		Lists []listAnswer `json:"lists"`
		Next  string       `json:"next,omitempty"`
	}{Lists: []listAnswer{}}
	all, out.Next = ui.CutPage(all, page, func(a campaign.Audience) string { return ui.Next(int64(a.ID)) })
	for _, a := range all {
		out.Lists = append(out.Lists, listJSON(a))
	}
	writeJSON(w, http.StatusOK, out)
}

func (h *Handler) apiCampaigns(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewCampaigns, "campaigns")
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	page, after, err := pageAsked(r, listsShown)
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	all, err := h.cfg.Store.CampaignsSeenAfter(ctx, who, campaign.ID(after), page.Fetch())
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("read the campaigns: %w", err))
		return
	}
	out := struct {
		Campaigns []campaignAnswer `json:"campaigns"`
		Next      string           `json:"next,omitempty"`
	}{Campaigns: []campaignAnswer{}}
	all, out.Next = ui.CutPage(all, page, func(c campaign.Campaign) string { return ui.Next(int64(c.ID)) })
	for _, c := range all {
		out.Campaigns = append(out.Campaigns, campaignJSON(c))
	}
	writeJSON(w, http.StatusOK, out)
}

// usualPage is how many decisions or rows a call gets that names no limit.
const usualPage = 50

// apiNotInvited tells the rows of a list that are not invited, in the file's order. It holds no more than the file's row numbers.
func (h *Handler) apiNotInvited(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, a, err := h.list(r)
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	page, after, err := pageAsked(r, usualPage)
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	all, err := h.cfg.Store.NotInvited(ctx, who.Network, a.ID, int(after), page.Fetch())
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("read the rows of list %d: %w", a.ID, err))
		return
	}
	type row struct {
		Row    int    `json:"row"`
		Kind   string `json:"kind"`
		Code   string `json:"code"`
		Reason string `json:"reason"`
	}
	out := struct {
		Rows []row  `json:"rows"`
		Next string `json:"next,omitempty"`
	}{Rows: []row{}}
	all, out.Next = ui.CutPage(all, page, func(n campaign.NotInvited) string { return ui.Next(int64(n.Row)) })
	for _, n := range all {
		out.Rows = append(out.Rows, row{n.Row, n.Kind, n.Code, reasonOf(n.Code).long})
	}
	writeJSON(w, http.StatusOK, out)
}
