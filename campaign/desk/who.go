package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const (
	// narrowWait is how long somebody waits for a narrowed list before the page says that it is being made, and narrowLook how often it is
	// looked at meanwhile. Most lists are done before.
	narrowWait = 8 * time.Second
	narrowLook = 50 * time.Millisecond
	// comparedShown is how many earlier lists are offered for a comparison.
	comparedShown = 5
)

// cohortFields are those of the first step by which a list is narrowed; groundFields say why the list may be used.
var (
	cohortFields = []string{"practices", "age_bands", "sexes", "needs", notOnField}
	groundFields = []string{"purpose", "basis", "dpia"}
)

// chosen is what the first step shows of a list.
type chosen struct {
	Ledger  ui.SummaryList
	Rows    ui.Table // where every row went, with downloads
	Age     string
	MadeUp  bool
	Compare []ui.Cell
	Boxes   []ui.Field // by which it can be narrowed
	Open    bool       // something of them is ticked, or wrong
	Said    string     // how many are in what is ticked
	Counted ui.Table
}

// making is a list that is being made from another, and what the form said meanwhile.
type making struct {
	ID     campaign.AudienceID
	Done   string
	Hidden []ui.Option
}

func (h *Handler) fillWho(ctx context.Context, who staff.Account, c campaign.Campaign, f url.Values, bad invalid, d *stepData) error {
	lists, err := h.cfg.Store.Audiences(ctx, who.Network, listsShown)
	if err != nil {
		return fmt.Errorf("read the lists: %w", err)
	}
	d.ListName = ui.Field{Name: "name", Label: "Name of the campaign", Hint: "Patients do not see it.", Value: f.Get("name")}
	d.List = ui.Field{Kind: ui.Select, Name: "list", Label: "Patient list", Value: f.Get("list"), Options: []ui.Option{{Label: "Choose a list"}}}
	d.Purpose, d.Basis, d.DPIA = groundInputs(campaign.Grounds{Purpose: campaign.Purpose(f.Get("purpose")), Basis: campaign.Basis(f.Get("basis")), DPIA: f.Get("dpia")})
	var list campaign.Audience
	for _, a := range lists {
		if a.State != campaign.Screened || a.Ledger.Invited == 0 {
			continue
		}
		value := strconv.FormatInt(int64(a.ID), 10)
		d.HasList = true
		d.List.Options = append(d.List.Options, ui.Option{Value: value, Label: fmt.Sprintf("%s (%s, %s)", a.Name, count(a.Ledger.Invited, "person", "people"), h.day(a.TakenOn))})
		if value == f.Get("list") {
			list = a
		}
	}
	if list.Parent != 0 { // with how it was narrowed
		if list, err = h.cfg.Store.Audience(ctx, who.Network, list.ID); err != nil {
			return fmt.Errorf("read list %d: %w", list.ID, err)
		}
	}
	if list.ID != 0 {
		d.Chosen, err = h.choose(ctx, who, list, lists, cohortForm(f), bad)
	}
	return err
}

// choose describes a list, and how it can be narrowed.
func (h *Handler) choose(ctx context.Context, who staff.Account, a campaign.Audience, lists []campaign.Audience, c campaign.Cohort, bad invalid) (*chosen, error) {
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the network: %w", err)
	}
	g, err := h.cfg.Store.Groups(ctx, who.Network, a.ID)
	if err != nil {
		return nil, fmt.Errorf("read the groups of list %d: %w", a.ID, err)
	}
	d := &chosen{Ledger: ledgerShort(a, n, g.Practices), Rows: ledgerTable(a.ID, a.Ledger), Age: h.ageWords(a), MadeUp: a.Synthetic, Boxes: cohortBoxes(n, g, c), Open: !c.All()}
	for _, o := range lists {
		if o.State == campaign.Screened && o.ID != a.ID && o.ID != a.Parent && o.CreatedAt.Before(a.CreatedAt) && len(d.Compare) < comparedShown {
			d.Compare = append(d.Compare, ui.Cell{Text: fmt.Sprintf("%s, %s", o.Name, h.day(o.CreatedAt)), Href: fmt.Sprintf("/desk/lists/%d/compare?with=%d", a.ID, o.ID)})
		}
	}
	for _, e := range bad {
		d.Open = d.Open || slices.Contains(cohortFields, e.Field)
	}
	if c.All() {
		return d, nil
	}
	err = h.checkCohort(ctx, who, a, c)
	var wrong invalid
	if errors.As(err, &wrong) {
		d.Said = wrong[0].Sentence
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	d.Counted, d.Said, err = h.countCohort(ctx, who, n, a, c)
	return d, err
}

// ledgerShort is what became of a list's rows.
func ledgerShort(a campaign.Audience, n staff.Network, practices []campaign.GroupSize) ui.SummaryList {
	out := sum(a.Ledger.Excluded)
	row := func(key string, values ...string) ui.SummaryRow {
		r := ui.SummaryRow{Key: key}
		for _, v := range values {
			r.Values = append(r.Values, ui.Cell{Text: v})
		}
		return r
	}
	l := ui.SummaryList{Rows: []ui.SummaryRow{
		row("Rows in the file", number(a.Ledger.Rows)),
		row("Can be texted", count(a.Ledger.Invited, "person", "people")),
		row("Left out for a good reason", number(out)),
		row("Could not be used", number(a.Ledger.Rows-a.Ledger.Invited-out)),
	}}
	l.Rows[0].Actions = []ui.Cell{{Text: "See the list", Href: fmt.Sprintf("/desk/lists/%d", a.ID), Hidden: " and its reasons"}}
	if a.Parent != 0 {
		l.Rows = append(l.Rows, row("Made from another list, narrowed to", cohortWords(a.Cohort)))
	}
	their := row("Their practices")
	for _, p := range practices {
		name, known := practiceName(n, p.Value)
		if !known {
			name = "Not one of your practices: " + groupWord(p.Value)
		}
		their.Values = append(their.Values, ui.Cell{Text: name + ": " + count(p.People, "person", "people")})
	}
	l.Rows = append(l.Rows, their)
	return l
}

// lookAtList shows the first step again with the list that is chosen, and how many are in what is ticked. Nothing is saved.
func (h *Handler) lookAtList(w http.ResponseWriter, r *http.Request, c campaign.Campaign, f url.Values) bool {
	if r.PostForm.Get("do") == "" {
		return false
	}
	h.showStep(w, r, http.StatusOK, "who", c, f, nil)
	return true
}

// narrowed makes of a list and what is ticked in the first step a list of its own, and puts it into the form. It answers with false if it
// has drawn the page instead: because the list is still being made, or cannot be.
func (h *Handler) narrowed(w http.ResponseWriter, r *http.Request, who staff.Account, c campaign.Campaign, f url.Values) bool {
	ctx, cohort := r.Context(), cohortForm(f)
	a, err := campaign.Audience{}, error(nil)
	switch made := f.Get("made"); {
	case made != "":
		id, _ := strconv.ParseInt(made, 10, 64)
		a, err = h.cfg.Store.Audience(ctx, who.Network, campaign.AudienceID(id))
	case cohort.All():
		return true
	default:
		id, _ := strconv.ParseInt(f.Get("list"), 10, 64)
		if a, err = h.cfg.Store.Audience(ctx, who.Network, campaign.AudienceID(id)); err == nil {
			a, err = h.narrowOnce(ctx, who, a, cohort)
		}
		for waited := time.Duration(0); err == nil && a.State == campaign.Importing && waited < narrowWait; waited += narrowLook {
			select {
			case <-time.After(narrowLook):
			case <-ctx.Done():
				err = ctx.Err() // the list is made all the same
			}
			if err == nil {
				a, err = h.cfg.Store.Audience(ctx, who.Network, a.ID)
			}
		}
	}
	var bad invalid
	switch {
	case errors.As(err, &bad):
		h.showStep(w, r, http.StatusUnprocessableEntity, "who", c, f, bad)
		return false
	case errors.Is(err, campaign.ErrNotFound) || err == nil && (a.State == campaign.Abandoned || a.State == campaign.Interrupted):
		f.Del("made")
		h.showStep(w, r, http.StatusUnprocessableEntity, "who", c, f, invalid{{Field: "list", Sentence: "The list could not be made. Choose a list again."}})
		return false
	case err != nil:
		h.pageError(w, r, err)
		return false
	case a.State == campaign.Importing:
		f.Set("made", strconv.FormatInt(int64(a.ID), 10))
		h.showStep(w, r, http.StatusAccepted, "who", c, f, nil)
		return false
	}
	f.Set("list", strconv.FormatInt(int64(a.ID), 10))
	for _, field := range append([]string{"made"}, cohortFields...) {
		f.Del(field)
	}
	return true
}

// sameAgain is how long the same part of the same list is not made anew: somebody has gone back, or pressed twice.
const sameAgain = time.Hour

func (h *Handler) narrowOnce(ctx context.Context, who staff.Account, from campaign.Audience, c campaign.Cohort) (campaign.Audience, error) {
	lists, err := h.cfg.Store.Audiences(ctx, who.Network, listsShown)
	if err != nil {
		return campaign.Audience{}, fmt.Errorf("read the lists: %w", err)
	}
	for _, a := range lists {
		if a.Parent != from.ID || h.cfg.Now().Sub(a.CreatedAt) > sameAgain {
			continue
		}
		if a, err = h.cfg.Store.Audience(ctx, who.Network, a.ID); err != nil {
			return a, fmt.Errorf("read a list: %w", err)
		}
		if a.State != campaign.Abandoned && reflect.DeepEqual(a.Cohort, c) {
			return a, nil
		}
	}
	return h.narrow(ctx, who, from, c, "")
}

// makingOf is what the page says while a list is being made; nil if none is.
func (h *Handler) makingOf(ctx context.Context, who staff.Account, f url.Values) (*making, error) {
	id, err := strconv.ParseInt(f.Get("made"), 10, 64)
	if err != nil {
		return nil, nil //nolint:nilerr // none was asked for
	}
	a, err := h.cfg.Store.Audience(ctx, who.Network, campaign.AudienceID(id))
	if err != nil {
		return nil, fmt.Errorf("read list %d: %w", id, err)
	}
	m := &making{ID: a.ID, Done: count(a.Done, "row is", "rows are") + " looked at so far."}
	for _, field := range append([]string{"name", "list", "made"}, groundFields...) {
		m.Hidden = append(m.Hidden, ui.Option{Label: field, Value: f.Get(field)})
	}
	return m, nil
}
