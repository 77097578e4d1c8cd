package desk

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// listData is one list's page: its ledger as a sentence, a table and bars.
type listData struct {
	ID          campaign.AudienceID
	Name        string
	Importing   bool
	Interrupted bool
	Synthetic   bool
	Facts       string
	Sentence    string
	Ledger      ui.Table
	NotInvited  int
	CanInvite   bool
	CanNarrow   bool
	Age         string
	Done        string // how far it is
	From        ui.Cell
	Cohort      string
	Others      []ui.Option // to compare with
}

func (h *Handler) list(r *http.Request) (staff.Account, campaign.Audience, error) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewLists, "list "+cut(chi.URLParam(r, "id"), 20))
	if err != nil {
		return who, campaign.Audience{}, err
	}
	id, err := pathID(r, "id")
	if err != nil {
		return who, campaign.Audience{}, err
	}
	a, err := h.cfg.Store.Audience(ctx, who.Network, campaign.AudienceID(id))
	if err != nil {
		return who, a, fmt.Errorf("read list %d: %w", id, err)
	}
	return who, a, nil
}

func (h *Handler) listPage(w http.ResponseWriter, r *http.Request) {
	who, a, err := h.list(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	l := a.Ledger
	names, err := h.names(r.Context(), who.Network)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	data := &listData{ID: a.ID, Name: a.Name, Importing: a.State == campaign.Importing, Synthetic: a.Synthetic, NotInvited: l.Rows - l.Invited,
		CanInvite: can(who, staff.EditCampaign) && l.Invited > 0 && a.CheckAge(h.cfg.Now()) == nil}
	data.Facts = fmt.Sprintf("%s by %s at %s.", map[bool]string{true: "Uploaded", false: "Made"}[a.Parent == 0], names[a.CreatedBy], h.when(a.CreatedAt))
	data.Sentence = ledgerSentence(l)
	data.Interrupted = a.State == campaign.Interrupted
	data.Ledger = ledgerTable(a.ID, l)
	data.CanNarrow = can(who, staff.UploadList) && a.State == campaign.Screened && l.Invited > 0
	if a.State == campaign.Screened {
		data.Age = h.ageWords(a)
	} else {
		data.Done = count(a.Done, "row is", "rows are") + " checked so far."
	}
	all, err := h.cfg.Store.Audiences(r.Context(), who.Network, listsShown)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the lists: %w", err))
		return
	}
	for _, o := range all {
		if o.ID == a.Parent {
			data.From = ui.Cell{Text: o.Name, Href: fmt.Sprintf("/desk/lists/%d", o.ID)}
		}
		if o.ID != a.ID && o.State == campaign.Screened && data.CanNarrow {
			data.Others = append(data.Others, ui.Option{Value: strconv.FormatInt(int64(o.ID), 10), Label: fmt.Sprintf("%s, %s", o.Name, h.day(o.CreatedAt))})
		}
	}
	if a.Parent != 0 {
		data.Cohort = cohortWords(a.Cohort)
	}
	p, err := h.page(r.Context(), r, who, "Patient list", data)
	p.Breadcrumbs = []ui.NavItem{{Text: "Patient lists", Href: "/desk/lists"}}
	if data.Importing {
		p.Refresh = 5
	}
	h.show(w, r, http.StatusOK, "list", p, err)
}

// ledgerSentence is the ledger in words. Every row is in it.
func ledgerSentence(l campaign.Ledger) string {
	out, bad := sum(l.Excluded), sum(l.Rejected)
	s := fmt.Sprintf("Of %s in the file, %s can be texted.", count(l.Rows, "row", "rows"), number(l.Invited))
	switch {
	case out > 0 && bad > 0:
		s += fmt.Sprintf(" %s %s left out for a good reason, and %s could not be used.", number(out), isAre(out), number(bad))
	case out > 0:
		s += fmt.Sprintf(" %s %s left out for a good reason.", number(out), isAre(out))
	case bad > 0:
		s += fmt.Sprintf(" %s could not be used.", number(bad))
	}
	return s
}

func sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}

// ledgerTable shows where every row went, with downloads for whoever may open the list; id is 0 for whoever may not.
func ledgerTable(id campaign.AudienceID, l campaign.Ledger) ui.Table {
	t := ui.Table{Caption: "Where every row went", RowHeaders: true, Compact: true,
		Head: []ui.Cell{{Text: "What became of it"}, {Text: "Rows", Numeric: true}, {Text: "", Hidden: "Bar"}, {Text: "", Hidden: "Download"}}}
	most := l.Invited
	for _, m := range []map[string]int{l.Excluded, l.Rejected} {
		for _, k := range m {
			most = max(most, k)
		}
	}
	add := func(text string, n int, download ui.Cell) {
		t.Rows = append(t.Rows, []ui.Cell{{Text: text}, {Text: number(n), Numeric: true}, {HTML: bar(n, most)}, download})
	}
	add("Can be texted", l.Invited, ui.Cell{})
	for _, part := range []struct {
		title   string
		reasons []reason
		counts  map[string]int
	}{{"Left out", exclusions, l.Excluded}, {"Could not be used", rejections, l.Rejected}} {
		for _, why := range part.reasons {
			if n := part.counts[why.code]; n > 0 {
				download := ui.Cell{}
				if id != 0 {
					download = ui.Cell{Text: "CSV", Hidden: " of these rows: " + lowerFirst(why.short), Href: fmt.Sprintf("/desk/lists/%d/not-invited.csv?reason=%s", id, why.code)}
				}
				add(part.title+": "+lowerFirst(why.short), n, download)
			}
		}
	}
	t.Rows = append(t.Rows, []ui.Cell{{Text: "All rows"}, {Text: number(l.Rows), Numeric: true}, {}, {}})
	return t
}

// notInvited streams the rows that are not invited, or those with one reason, with the reason in words. It holds no patient data: the numbers are those of the
// manager's own file.
func (h *Handler) notInvited(w http.ResponseWriter, r *http.Request) {
	who, a, err := h.list(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	only := r.URL.Query().Get("reason")
	if only != "" && reasonOf(only).short == only { // a code that is none
		h.pageError(w, r, campaign.ErrNotFound)
		return
	}
	name := fmt.Sprintf("not-invited-%d", a.ID)
	if only != "" {
		name += "-" + only
	}
	const chunk = 2000
	next, err := h.cfg.Store.NotInvited(r.Context(), who.Network, a.ID, 0, chunk)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the rows of list %d: %w", a.ID, err))
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.csv"`, name))
	w.Header().Set("Cache-Control", "no-store")
	out := csv.NewWriter(w)
	_ = out.Write([]string{"Row in your file", "What became of it", "Code", "Reason"})
	for len(next) > 0 {
		for _, row := range next {
			if only != "" && row.Code != only {
				continue
			}
			kind := map[string]string{"rejected": "Could not be used", "excluded": "Left out"}[row.Kind]
			_ = out.Write([]string{strconv.Itoa(row.Row), kind, row.Code, reasonOf(row.Code).long})
		}
		if out.Flush(); out.Error() != nil {
			return // nobody listens any more
		}
		if next, err = h.cfg.Store.NotInvited(r.Context(), who.Network, a.ID, next[len(next)-1].Row, chunk); err != nil {
			h.cfg.Log.ErrorContext(r.Context(), "download broke off", "comp", "campaign_desk", "list", int64(a.ID), "error", err)
			panic(http.ErrAbortHandler) // half a file must not look whole
		}
	}
	out.Flush()
}

func (h *Handler) apiList(w http.ResponseWriter, r *http.Request) {
	_, a, err := h.list(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	writeJSON(w, http.StatusOK, listJSON(a))
}
