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

// readPage reads the page that a request asks for. read gets behind which number to go on and how many to read, and number is that of a thing
// read; next is where the page after this one goes on, "" at the end.
func readPage[T any](r *http.Request, usual int, read func(after int64, limit int) ([]T, error), number func(T) int64) (all []T, next string, err error) {
	page, wrong := ui.ReadAsked(r.URL.Query(), usual)
	if wrong != nil {
		return nil, "", invalid(wrong)
	}
	at, ok := page.Place(1)
	if !ok {
		return nil, "", invalid(ui.WrongAfter())
	}
	if all, err = read(at[0], page.Fetch()); err != nil {
		return nil, "", err
	}
	all, next = ui.CutPage(all, page, func(last T) string { return ui.Next(number(last)) })
	return all, next, nil
}

// writePage answers a call with a page, which it calls name.
func writePage[T, J any](w http.ResponseWriter, name string, all []T, next string, tell func(T) J) {
	told := make([]J, 0, len(all))
	for _, x := range all {
		told = append(told, tell(x))
	}
	answer := map[string]any{name: told}
	if next != "" {
		answer["next"] = next
	}
	writeJSON(w, http.StatusOK, answer)
}

func (h *Handler) apiLists(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewLists, "lists")
	var all []campaign.Audience
	var next string
	if err == nil {
		all, next, err = readPage(r, listsShown, func(after int64, limit int) ([]campaign.Audience, error) {
			return h.cfg.Store.AudiencesAfter(ctx, who.Network, campaign.AudienceID(after), limit)
		}, func(a campaign.Audience) int64 { return int64(a.ID) })
	}
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("list the lists: %w", err))
		return
	}
	writePage(w, "lists", all, next, listJSON)
}

func (h *Handler) apiCampaigns(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewCampaigns, "campaigns")
	var all []campaign.Campaign
	var next string
	if err == nil {
		all, next, err = readPage(r, listsShown, func(after int64, limit int) ([]campaign.Campaign, error) {
			return h.cfg.Store.CampaignsSeenAfter(ctx, who, campaign.ID(after), limit)
		}, func(c campaign.Campaign) int64 { return int64(c.ID) })
	}
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("list the campaigns: %w", err))
		return
	}
	writePage(w, "campaigns", all, next, campaignJSON)
}

// usualPage is how many decisions or rows a call gets that names no limit.
const usualPage = 50

// apiNotInvited tells the rows of a list that are not invited, in the file's order. It holds no more than the file's row numbers.
func (h *Handler) apiNotInvited(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, a, err := h.list(r)
	var all []campaign.NotInvited
	var next string
	if err == nil {
		all, next, err = readPage(r, usualPage, func(after int64, limit int) ([]campaign.NotInvited, error) {
			return h.cfg.Store.NotInvited(ctx, who.Network, a.ID, int(after), limit)
		}, func(n campaign.NotInvited) int64 { return int64(n.Row) })
	}
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("list the rows that are not invited: %w", err))
		return
	}
	type row struct {
		Row    int    `json:"row"`
		Kind   string `json:"kind"`
		Code   string `json:"code"`
		Reason string `json:"reason"`
	}
	writePage(w, "rows", all, next, func(n campaign.NotInvited) row { return row{n.Row, n.Kind, n.Code, reasonOf(n.Code).long} })
}
