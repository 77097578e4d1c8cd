package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Looks knows who has been shown people of a list. What shows them notes it itself, except for the first rows of a file.
type Looks interface {
	// LookAtUpload notes in the audit that somebody is about to be shown so many rows.
	LookAtUpload(ctx context.Context, who staff.Account, id campaign.UploadID, rows int) error
	// LooksAfter lists them, the latest first; that somebody asks is audited.
	LooksAfter(ctx context.Context, who staff.Account, id campaign.AudienceID, after int64, limit int) ([]campaign.Viewing, error)
}

// looksData is the page of who has looked at a list.
type looksData struct {
	Name          string
	Looks         ui.Table
	Older, Newest string
}

// looks reads them from where a cursor points, and tells where to go on; "" at the end.
func (h *Handler) looks(r *http.Request) (a campaign.Audience, all []campaign.Viewing, names map[staff.AccountID]string, next string, err error) {
	ctx := r.Context()
	who, a, err := h.list(r)
	if err != nil {
		return a, nil, nil, "", err
	}
	all, next, err = readPage(r, usualPage, func(after int64, limit int) ([]campaign.Viewing, error) {
		return h.cfg.Store.LooksAfter(ctx, who, a.ID, after, limit)
	}, func(l campaign.Viewing) int64 { return l.ID })
	if err != nil {
		return a, nil, nil, "", fmt.Errorf("read who has looked at list %d: %w", a.ID, err)
	}
	names, err = h.names(ctx, who.Network)
	return a, all, names, next, err
}

func (h *Handler) looksPage(w http.ResponseWriter, r *http.Request) {
	a, all, names, next, err := h.looks(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	here := fmt.Sprintf("/desk/lists/%d/looked", a.ID)
	d := &looksData{Name: a.Name, Looks: ui.Table{Caption: "The latest first", Stacked: true, Compact: true, Empty: "Nobody has looked at anybody in it.", Head: []ui.Cell{{Text: "When"}, {Text: "Who"}, {Text: "What they were shown"}}}}
	for _, l := range all {
		d.Looks.Rows = append(d.Looks.Rows, []ui.Cell{{Text: h.when(l.At)}, {Text: names[l.By]}, {Text: shownWords(l.Shown)}})
	}
	if next != "" {
		d.Older = here + "?after=" + url.QueryEscape(next)
	}
	if r.URL.Query().Has("after") {
		d.Newest = here
	}
	p, err := h.page(r.Context(), r, staff.From(r.Context()), "Who has looked at people in this list", d)
	p.Breadcrumbs = []ui.NavItem{{Text: "Patient lists", Href: "/desk/lists"}, {Text: a.Name, Href: fmt.Sprintf("/desk/lists/%d", a.ID)}}
	h.show(w, r, http.StatusOK, "list-looked", p, err)
}

// shownWords say which people of a list somebody was shown, and of what kind the view was.
func shownWords(s campaign.Shown) string {
	switch {
	case s.Row == 0:
		return fmt.Sprintf("The first %s of the file, when its columns were checked", count(s.First, "row", "rows"))
	case s.Masked:
		return fmt.Sprintf("Row %s: the text as it left, without the name", number(s.Row))
	}
	return fmt.Sprintf("Row %s: their text, with first name, practice and language", number(s.Row))
}

// apiLooks tells who has been shown people of a list, the latest first.
func (h *Handler) apiLooks(w http.ResponseWriter, r *http.Request) {
	_, all, names, next, err := h.looks(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	type account struct {
		ID   staff.AccountID `json:"id"`
		Name string          `json:"name"`
	}
	type look struct {
		At     time.Time `json:"at"`
		By     account   `json:"by"`
		Row    int       `json:"row,omitempty"`
		Masked bool      `json:"masked,omitempty"`
		First  int       `json:"first,omitempty"`
	}
	writePage(w, "looks", all, next, func(l campaign.Viewing) look {
		return look{l.At.UTC(), account{l.By, names[l.By]}, l.Row, l.Masked, l.First}
	})
}
