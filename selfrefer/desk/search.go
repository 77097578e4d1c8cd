package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// searchScreen is the data of search.html.
type searchScreen struct {
	Find  ui.Field
	Asked bool
	More  bool
	Lists []searchList
}

type searchList struct {
	Caption string
	Rows    []queueRow
}

func (h *Handler) searchPage(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	return h.showSearch(w, r, http.StatusOK, searchScreen{}, nil)
}

func (h *Handler) showSearch(w http.ResponseWriter, r *http.Request, status int, s searchScreen, errs []ui.FieldError) error {
	s.Find = ui.Field{Kind: ui.Text, Name: "find", Label: "Find a referral", Size: "s", Hint: "Whole words of a name, a reference, an NHS number or a phone number", Value: r.PostFormValue("find"), Width: 30, Autocomplete: "off", NoSpellcheck: true}
	w.Header().Set("Cache-Control", "no-store") // a name was searched for
	return h.show(w, r, status, "search", ui.Page{Title: "Search", Back: queuePath, Errors: errs, Data: s})
}

// find searches for what somebody typed. It travels in the body alone: never in an address, where browsers, proxies and logs would keep it.
func (h *Handler) find(ctx context.Context, who staff.Account, typed string) (selfrefer.Found, error) {
	s, err := selfrefer.ParseSearch(typed)
	if errors.Is(err, selfrefer.ErrNoSearch) {
		return selfrefer.Found{}, invalid{{Field: "find", Sentence: "Enter a name, a reference, an NHS number or a phone number"}}
	}
	if err != nil {
		return selfrefer.Found{}, err
	}
	found, err := h.Store.Search(ctx, who, s)
	if err != nil {
		return selfrefer.Found{}, fmt.Errorf("search: %w", err)
	}
	return found, nil
}

// search answers a POST with the results themselves: there is no address that would show them again.
func (h *Handler) search(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	found, err := h.find(r.Context(), who, r.PostFormValue("find"))
	var bad invalid
	if errors.As(err, &bad) {
		return h.showSearch(w, r, http.StatusUnprocessableEntity, searchScreen{}, bad)
	}
	if err != nil {
		return err
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	practices, err := h.practices(r.Context(), who.Network)
	if err != nil {
		return err
	}
	open, ended := searchList{Caption: "Open"}, searchList{Caption: "Finished"}
	for _, ref := range found.Referrals {
		list := &open
		if !ref.State.Open() {
			list = &ended
		}
		list.Rows = append(list.Rows, h.queueRow(ref, who, name, practices))
	}
	s := searchScreen{Asked: true, More: found.More}
	for _, l := range []searchList{open, ended} {
		if len(l.Rows) > 0 {
			s.Lists = append(s.Lists, l)
		}
	}
	return h.showSearch(w, r, http.StatusOK, s, nil)
}

// practices maps ODS codes to what practices are called.
func (h *Handler) practices(ctx context.Context, n staff.NetworkID) (map[string]string, error) {
	network, err := h.Store.Network(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("read the network: %w", err)
	}
	byODS := map[string]string{}
	for _, p := range network.Practices {
		byODS[p.ODS] = p.Name
	}
	return byODS, nil
}

func (h *Handler) searchReferrals(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var body struct {
		Find string `json:"find"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	found, err := h.find(r.Context(), who, body.Find)
	if err != nil {
		return err
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	out := struct {
		Referrals []referralJSON `json:"referrals"`
		More      bool           `json:"more"` // than are listed
	}{[]referralJSON{}, found.More}
	for _, ref := range found.Referrals {
		out.Referrals = append(out.Referrals, h.listed(ref, who, name))
	}
	return writeJSON(w, http.StatusOK, out)
}
