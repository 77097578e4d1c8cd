package desk

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// How many decisions a page of their history has, and the most that a call gets.
const (
	decisionsAPage = 50
	mostDecisions  = 200
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

// history reads decisions from where a cursor points, and tells where to go on; 0 at the end.
func (h *Handler) history(r *http.Request, limit int) (c campaign.Campaign, all []campaign.Decision, next int64, err error) {
	who, c, err := h.seen(r)
	if err != nil {
		return c, nil, 0, err
	}
	before := int64(math.MaxInt64)
	if after := r.URL.Query().Get("after"); after != "" {
		if before, err = strconv.ParseInt(after, 10, 64); err != nil {
			return c, nil, 0, invalid{{Field: "after", Sentence: "Give after as the answer before has it in next."}}
		}
	}
	if all, err = h.cfg.Store.DecisionsBefore(r.Context(), who.Network, c.ID, before, limit+1); err != nil {
		return c, nil, 0, fmt.Errorf("read the decisions of campaign %d: %w", c.ID, err)
	}
	if len(all) > limit {
		all = all[:limit]
		next = all[limit-1].ID
	}
	return c, all, next, nil
}

func (h *Handler) decisionsPage(w http.ResponseWriter, r *http.Request) {
	c, all, next, err := h.history(r, decisionsAPage)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	d := &decisionsData{Name: c.Name, Decisions: h.decisionTable(all)}
	d.Decisions.Caption = "Decisions, newest first"
	here := campaignPath(c.ID) + "/decisions"
	if next != 0 {
		d.Older = fmt.Sprintf("%s?after=%d", here, next)
	}
	if r.URL.Query().Has("after") {
		d.Newest = here
	}
	p, err := h.page(r.Context(), r, staff.From(r.Context()), "What the pacer has decided", d)
	p.Back = campaignPath(c.ID)
	h.show(w, r, http.StatusOK, "decisions", p, err)
}

func (h *Handler) apiDecisions(w http.ResponseWriter, r *http.Request) {
	limit := decisionsAPage
	if asked := r.URL.Query().Get("limit"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 1 || n > mostDecisions {
			h.apiError(r.Context(), w, invalid{{Field: "limit", Sentence: fmt.Sprintf("Give limit as a number from 1 to %d.", mostDecisions)}})
			return
		}
		limit = n
	}
	_, all, next, err := h.history(r, limit)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	answer := struct {
		Decisions []decisionAnswer `json:"decisions"`
		Next      string           `json:"next,omitempty"`
	}{Decisions: []decisionAnswer{}}
	for _, d := range all {
		answer.Decisions = append(answer.Decisions, decisionAnswer{d.At, d.N, d.Limit, d.Sentence})
	}
	if next != 0 {
		answer.Next = strconv.FormatInt(next, 10)
	}
	writeJSON(w, http.StatusOK, answer)
}
