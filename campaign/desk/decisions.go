package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// decisionsData is the history of a campaign's decisions.
type decisionsData struct {
	Name          string
	Decisions     ui.Table
	Older, Newest string // "" where there is nothing more
}

// decisionTable lists decisions as a page shows them.
func (h *Handler) decisionTable(all []campaign.Decision) ui.Table {
	t := ui.Table{Head: []ui.Cell{{Text: "When"}, {Text: "Texts", Numeric: true}, {Text: "What limited it"}, {Text: "Why"}}, Compact: true, Stacked: true, Empty: "There are no decisions yet."}
	for _, x := range all {
		clock, day, _ := strings.Cut(h.when(x.At), " ")
		when := clock + " " + strings.ReplaceAll(day, " ", "\u00a0") // two lines: the long sentence squeezes this column, and would break it into four
		t.Rows = append(t.Rows, []ui.Cell{{Text: when}, {Text: number(x.N), Numeric: true}, {Text: limitWords(x.Limit)}, {Text: x.Sentence}})
	}
	return t
}

// seen reads a campaign for whom it exists, without its counters.
func (h *Handler) seen(r *http.Request) (who staff.Account, c campaign.Campaign, err error) {
	ctx := r.Context()
	id, err := pathID(r, "id")
	if err != nil {
		return who, c, err
	}
	if who, err = h.may(ctx, staff.ViewCampaigns, fmt.Sprintf("campaign %d", id)); err != nil {
		return who, c, err
	}
	if c, err = h.cfg.Store.Campaign(ctx, who.Network, campaign.ID(id)); err == nil {
		err = h.sees(ctx, who, c.ID)
	}
	if err != nil {
		return who, c, fmt.Errorf("read campaign %d: %w", id, err)
	}
	return who, c, nil
}

// history reads decisions from where a cursor points, and tells where to go on; "" at the end.
func (h *Handler) history(r *http.Request) (c campaign.Campaign, all []campaign.Decision, next string, err error) {
	who, c, err := h.seen(r)
	if err != nil {
		return c, nil, "", err
	}
	all, next, err = readPage(r, usualPage, func(after int64, limit int) ([]campaign.Decision, error) {
		return h.cfg.Store.DecisionsAfter(r.Context(), who.Network, c.ID, after, limit)
	}, func(d campaign.Decision) int64 { return d.ID })
	if err != nil {
		return c, nil, "", fmt.Errorf("read the decisions of campaign %d: %w", c.ID, err)
	}
	return c, all, next, nil
}

func (h *Handler) decisionsPage(w http.ResponseWriter, r *http.Request) {
	c, all, next, err := h.history(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	d := &decisionsData{Name: c.Name, Decisions: h.decisionTable(all)}
	d.Decisions.Caption = "Decisions, newest first"
	here := campaignPath(c.ID) + "/decisions"
	if next != "" {
		d.Older = here + "?after=" + url.QueryEscape(next)
	}
	if r.URL.Query().Has("after") {
		d.Newest = here
	}
	p, err := h.page(r.Context(), r, staff.From(r.Context()), "What the pacer has decided", d)
	p.Back = campaignPath(c.ID)
	h.show(w, r, http.StatusOK, "decisions", p, err)
}

// apiDecisions tells what the pacer decided for a campaign and why, the newest first.
func (h *Handler) apiDecisions(w http.ResponseWriter, r *http.Request) {
	_, all, next, err := h.history(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	writePage(w, "decisions", all, next, func(d campaign.Decision) decisionAnswer { return decisionAnswer{d.At, d.N, d.Limit, d.Sentence} })
}
