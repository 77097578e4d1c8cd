package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// Cohorts narrows lists and compares them.
type Cohorts interface {
	Groups(ctx context.Context, n staff.NetworkID, id campaign.AudienceID) (campaign.Groups, error)
	// CountCohort counts by practice whom a list would text if it were narrowed.
	CountCohort(ctx context.Context, n staff.NetworkID, id campaign.AudienceID, c campaign.Cohort) ([]campaign.GroupSize, error)
	// BeginNarrow answers campaign.ErrNotNow for a list that is not screened.
	BeginNarrow(ctx context.Context, who staff.Account, id campaign.AudienceID, c campaign.Cohort, name string) (campaign.Narrowing, error)
	Compare(ctx context.Context, n staff.NetworkID, later, earlier campaign.AudienceID) (campaign.Comparison, error)
}

// narrowData is the page on which a list is narrowed.
type narrowData struct {
	ID       campaign.AudienceID
	List     string
	Sentence string
	Counted  ui.Table
	Boxes    []ui.Field
	Name     ui.Field
}

// nobodySays stands in forms and calls for what a list does not say of a person.
const nobodySays = "-"

func (h *Handler) narrowPage(w http.ResponseWriter, r *http.Request) {
	h.showNarrow(w, r, http.StatusOK, campaign.Cohort{NotOn: listNumber(r.URL.Query().Get(notOnField))}, "", false, nil)
}

// narrowPost counts, or makes the list.
func (h *Handler) narrowPost(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	c, name := cohortForm(r.PostForm), strings.TrimSpace(r.PostForm.Get("name"))
	if r.PostForm.Get("do") != "make" {
		h.showNarrow(w, r, http.StatusOK, c, name, true, nil)
		return
	}
	who, a, err := h.list(r)
	if err == nil {
		a, err = h.narrow(r.Context(), who, a, c, name)
	}
	var wrong invalid
	switch {
	case errors.As(err, &wrong):
		h.showNarrow(w, r, http.StatusUnprocessableEntity, c, name, false, wrong)
	case err != nil:
		h.pageError(w, r, err)
	default:
		seeOther(w, r, "/desk/lists/%d", a.ID)
	}
}

func cohortForm(f url.Values) campaign.Cohort {
	said := func(name string) (all []string) {
		for _, v := range f[name] {
			if v == nobodySays {
				v = ""
			}
			all = append(all, v)
		}
		return all
	}
	return campaign.Cohort{Practices: said("practices"), AgeBands: said("age_bands"), Sexes: said("sexes"), Needs: f["needs"], NotOn: listNumber(f.Get(notOnField))}
}

// notOnField is that of the list of which nobody is to be in the new one.
const notOnField = "not_on"

// listNumber reads the number of a list: 0 if there is none, -1, which no list has, if it is no number.
func listNumber(s string) campaign.AudienceID {
	if s == "" {
		return 0
	}
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return campaign.AudienceID(id)
}

// narrow begins to make a list; it goes on when the person closes the page.
func (h *Handler) narrow(ctx context.Context, who staff.Account, from campaign.Audience, c campaign.Cohort, name string) (campaign.Audience, error) {
	if err := h.checkCohort(ctx, who, from, c); err != nil {
		return campaign.Audience{}, err
	}
	if name == "" {
		plain := c
		plain.Needs = nil // health data, and names are not encrypted
		name = strings.TrimSuffix(from.Name+": "+cohortWords(plain), ": ")
		if len(c.Needs) > 0 {
			name += ", by need"
		}
	}
	n, err := h.cfg.Store.BeginNarrow(ctx, who, from.ID, c, cut(name, 100))
	if err != nil {
		return campaign.Audience{}, fmt.Errorf("narrow list %d: %w", from.ID, err)
	}
	a := n.Audience() // before Run changes it
	h.launches.Go(func() {
		if _, err := n.Run(h.background); err != nil {
			late, cancel := context.WithTimeout(context.WithoutCancel(h.background), abandonWithin)
			defer cancel()
			h.cfg.Log.Error("a list was not narrowed", "comp", "campaign_desk", "list", int64(from.ID), "error", errors.Join(err, n.Abandon(late)))
		}
	})
	return a, nil
}

// checkCohort refuses a cohort of nobody, or of what the list does not have.
func (h *Handler) checkCohort(ctx context.Context, who staff.Account, from campaign.Audience, c campaign.Cohort) error {
	if c.All() {
		return invalid{{Field: "practices", Sentence: "Choose at least one thing by which to narrow the list."}}
	}
	g, err := h.cfg.Store.Groups(ctx, who.Network, from.ID)
	if err != nil {
		return fmt.Errorf("read the groups of list %d: %w", from.ID, err)
	}
	for _, part := range []struct {
		field  string
		chosen []string
		groups []campaign.GroupSize
	}{{"practices", c.Practices, g.Practices}, {"age_bands", c.AgeBands, g.AgeBands}, {"sexes", c.Sexes, g.Sexes}, {"needs", c.Needs, g.Needs}} {
		for _, v := range part.chosen {
			if !slices.ContainsFunc(part.groups, func(g campaign.GroupSize) bool { return g.Value == v }) {
				return invalid{{Field: part.field, Sentence: fmt.Sprintf("Nobody in this list is in %q.", cut(v, 40))}}
			}
		}
	}
	counted, err := h.cfg.Store.CountCohort(ctx, who.Network, from.ID, c)
	if c.NotOn != 0 && errors.Is(err, campaign.ErrNotFound) {
		return invalid{{Field: notOnField, Sentence: "Choose one of your patient lists, or none."}}
	}
	if err != nil {
		return fmt.Errorf("count a cohort of list %d: %w", from.ID, err)
	}
	if len(counted) == 0 {
		return invalid{{Field: "practices", Sentence: "Nobody in this list is in all that you chose. Choose more."}}
	}
	return nil
}

func (h *Handler) showNarrow(w http.ResponseWriter, r *http.Request, status int, c campaign.Cohort, name string, counted bool, wrong error) {
	who, a, err := h.list(r)
	if err == nil && a.State != campaign.Screened {
		err = campaign.ErrNotNow
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	ctx := r.Context()
	g, err := h.cfg.Store.Groups(ctx, who.Network, a.ID)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the groups of list %d: %w", a.ID, err))
		return
	}
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the network: %w", err))
		return
	}
	data := &narrowData{ID: a.ID, List: a.Name, Boxes: cohortBoxes(n, g, c)}
	earlier, err := h.notOnBox(ctx, who, a, c)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	if len(earlier.Options) > 1 {
		data.Boxes = append(data.Boxes, earlier)
	}
	data.Name = ui.Field{Name: "name", Label: "Name of the new list (optional)", Hint: "Do not name an illness in it: names of lists and campaigns are not encrypted.", Value: name}
	if counted && wrong == nil {
		wrong = h.checkCohort(ctx, who, a, c)
	}
	if counted && wrong == nil {
		if data.Counted, data.Sentence, err = h.countCohort(ctx, who, n, a, c); err != nil {
			h.pageError(w, r, err)
			return
		}
	}
	p, err := h.page(ctx, r, who, "Narrow a list", data)
	p.Breadcrumbs = []ui.NavItem{{Text: "Patient lists", Href: "/desk/lists"}, {Text: a.Name, Href: fmt.Sprintf("/desk/lists/%d", a.ID)}}
	var form invalid
	switch {
	case errors.As(wrong, &form):
		p.Errors = form
		for i := range p.Errors { // the box may not be on the page
			if !slices.ContainsFunc(data.Boxes, func(f ui.Field) bool { return f.Name == p.Errors[i].Field }) {
				p.Errors[i].Field = "name"
			}
		}
		status = http.StatusUnprocessableEntity
	case wrong != nil && err == nil:
		err = wrong
	}
	h.show(w, r, status, "narrow", p, err)
}

// practiceWord names a practice with its code.
func practiceWord(n staff.Network, ods string) string {
	if name, known := practiceName(n, ods); known {
		return fmt.Sprintf("%s (%s)", name, ods)
	}
	return groupWord(ods)
}

// cohortBoxes are the boxes by which a list can be narrowed, each with how many people it holds.
func cohortBoxes(n staff.Network, g campaign.Groups, c campaign.Cohort) (boxes []ui.Field) {
	box := func(name, label, hint string, groups []campaign.GroupSize, chosen []string, word func(string) string) {
		if len(groups) == 0 || len(groups) == 1 && name != "needs" {
			return
		}
		f := ui.Field{Kind: ui.Checkboxes, Name: name, Label: label, Hint: hint, Small: true, Size: "s"}
		for _, g := range groups {
			value := g.Value
			if value == "" {
				value = nobodySays
			}
			f.Options = append(f.Options, ui.Option{Value: value, Label: fmt.Sprintf("%s: %s", word(g.Value), count(g.People, "person", "people"))})
			if slices.Contains(chosen, g.Value) {
				f.Values = append(f.Values, value)
			}
		}
		boxes = append(boxes, f)
	}
	box("practices", "Practice", "Nothing ticked: all practices.", g.Practices, c.Practices, func(ods string) string { return practiceWord(n, ods) })
	box("age_bands", "Age", "Nothing ticked: all ages.", g.AgeBands, c.AgeBands, groupWord)
	box("sexes", "Sex", "Nothing ticked: everybody.", g.Sexes, c.Sexes, sexWord)
	box("needs", "Needs", "People with any of the codes that you tick. The codes are kept encrypted.", g.Needs, c.Needs, groupWord)
	return boxes
}

// notOnBox offers the lists of which nobody is to be in the new one.
func (h *Handler) notOnBox(ctx context.Context, who staff.Account, a campaign.Audience, c campaign.Cohort) (f ui.Field, err error) {
	all, err := h.cfg.Store.Audiences(ctx, who.Network, listsShown)
	if err != nil {
		return f, fmt.Errorf("read the lists: %w", err)
	}
	f = ui.Field{Kind: ui.Select, Name: notOnField, Label: "Only people who are not on another list", Hint: "Such as those who are new since an earlier one", Size: "s", Options: []ui.Option{{Value: "", Label: "Everybody"}}}
	if c.NotOn != 0 {
		f.Value = fmt.Sprint(int64(c.NotOn))
		if !slices.ContainsFunc(all, func(o campaign.Audience) bool { return o.ID == c.NotOn }) { // an old one
			if o, err := h.cfg.Store.Audience(ctx, who.Network, c.NotOn); err == nil {
				all = append(all, o)
			}
		}
	}
	for _, o := range all {
		if o.ID != a.ID && o.State == campaign.Screened {
			f.Options = append(f.Options, ui.Option{Value: fmt.Sprint(int64(o.ID)), Label: fmt.Sprintf("%s (%s, %s)", o.Name, count(o.Ledger.Invited, "person", "people"), h.day(o.CreatedAt))})
		}
	}
	return f, nil
}

// countCohort tells by practice whom a list would hold if it were narrowed.
func (h *Handler) countCohort(ctx context.Context, who staff.Account, n staff.Network, a campaign.Audience, c campaign.Cohort) (t ui.Table, sentence string, err error) {
	groups, err := h.cfg.Store.CountCohort(ctx, who.Network, a.ID, c)
	if err != nil {
		return t, "", fmt.Errorf("count a cohort of list %d: %w", a.ID, err)
	}
	total := 0
	t = ui.Table{Caption: "Who would be in the new list", CaptionSize: "s", Compact: true, RowHeaders: true, Head: []ui.Cell{{Text: "Practice"}, {Text: "People", Numeric: true}}}
	for _, g := range groups {
		total += g.People
		t.Rows = append(t.Rows, []ui.Cell{{Text: practiceWord(n, g.Value)}, {Text: number(g.People), Numeric: true}})
	}
	return t, fmt.Sprintf("%s of the %s in this list would be in the new one. Everybody else stays out, and its ledger says so.", number(total), number(a.Ledger.Invited)), nil
}

func groupWord(s string) string {
	if s == "" {
		return "Not known"
	}
	return s
}

func sexWord(s string) string {
	if s == "" {
		return "Not known"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// cohortWords describes a cohort: "practice N83006; age 65-79 or 80+".
func cohortWords(c campaign.Cohort) string {
	var parts []string
	add := func(what string, values []string) {
		var said []string
		for _, v := range values {
			said = append(said, cmp.Or(v, "not known"))
		}
		if len(said) > 0 {
			parts = append(parts, what+" "+strings.Join(said, " or "))
		}
	}
	add("practice", c.Practices)
	add("age", c.AgeBands)
	add("sex", c.Sexes)
	add("need", c.Needs)
	if c.NotOn != 0 {
		parts = append(parts, "not on another list")
	}
	return strings.Join(parts, "; ")
}

// comparison is what changed since an earlier list, for the page.
type comparison struct {
	ID      campaign.AudienceID
	Name    string
	Earlier string
	Table   ui.Table
	New     string // makes a list of those who are new
}

// other reads the list that a request compares with.
func (h *Handler) other(r *http.Request) (who staff.Account, a, earlier campaign.Audience, c campaign.Comparison, err error) {
	if who, a, err = h.list(r); err != nil {
		return who, a, earlier, c, err
	}
	id, err := strconv.ParseInt(r.URL.Query().Get("with"), 10, 64)
	if err != nil || campaign.AudienceID(id) == a.ID {
		return who, a, earlier, c, invalid{{Field: "with", Sentence: "Say with which other list to compare: with=, and its number."}}
	}
	if earlier, err = h.cfg.Store.Audience(r.Context(), who.Network, campaign.AudienceID(id)); err == nil {
		c, err = h.cfg.Store.Compare(r.Context(), who.Network, a.ID, earlier.ID)
	}
	if err != nil {
		err = fmt.Errorf("compare lists %d and %d: %w", a.ID, id, err)
	}
	return who, a, earlier, c, err
}

func (h *Handler) comparePage(w http.ResponseWriter, r *http.Request) {
	who, a, earlier, c, err := h.other(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	data := &comparison{ID: a.ID, Name: a.Name, Earlier: earlier.Name}
	if c.New > 0 && a.State == campaign.Screened && can(who, staff.UploadList) {
		data.New = newPeoplePath(a.ID, earlier.ID)
	}
	data.Table = ui.Table{Caption: "What changed", CaptionSize: "s", RowHeaders: true, Head: []ui.Cell{{Text: "People who can be texted"}, {Text: "Number", Numeric: true}}}
	for _, row := range []struct {
		text string
		n    int
	}{
		{"In both lists, unchanged", c.Same}, {"New: only in " + a.Name, c.New}, {"Gone: only in " + earlier.Name, c.Gone},
		{"In both, with another practice", c.MovedPractice}, {"In both, with another mobile number", c.ChangedNumber},
	} {
		data.Table.Rows = append(data.Table.Rows, []ui.Cell{{Text: row.text}, {Text: number(row.n), Numeric: true}})
	}
	p, err := h.page(r.Context(), r, who, "Compare two lists", data)
	p.Breadcrumbs = []ui.NavItem{{Text: "Patient lists", Href: "/desk/lists"}, {Text: a.Name, Href: fmt.Sprintf("/desk/lists/%d", a.ID)}}
	h.show(w, r, http.StatusOK, "compare", p, err)
}

// newPeoplePath leads to where a list is made of those who are not on an earlier one.
func newPeoplePath(fresh, earlier campaign.AudienceID) string {
	return fmt.Sprintf("/desk/lists/%d/narrow?%s=%d", fresh, notOnField, earlier)
}

func (h *Handler) apiCompare(w http.ResponseWriter, r *http.Request) {
	_, _, _, c, err := h.other(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	writeJSON(w, http.StatusOK, c)
}

func (h *Handler) apiGroups(w http.ResponseWriter, r *http.Request) {
	who, a, err := h.list(r)
	var g campaign.Groups
	if err == nil {
		g, err = h.cfg.Store.Groups(r.Context(), who.Network, a.ID)
	}
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	for _, of := range []*[]campaign.GroupSize{&g.Practices, &g.AgeBands, &g.Sexes, &g.Needs} {
		if *of == nil {
			*of = []campaign.GroupSize{}
		}
	}
	writeJSON(w, http.StatusOK, g)
}

// apiNarrow makes a list, or with dry_run says how many would be in it.
func (h *Handler) apiNarrow(w http.ResponseWriter, r *http.Request) {
	var in struct {
		campaign.Cohort
		Name   string `json:"name"`
		DryRun bool   `json:"dry_run"`
	}
	who, a, err := h.list(r)
	if err == nil {
		err = readJSON(w, r, &in, false)
	}
	if err == nil && in.DryRun {
		if err = h.checkCohort(r.Context(), who, a, in.Cohort); err == nil {
			var counted []campaign.GroupSize
			if counted, err = h.cfg.Store.CountCohort(r.Context(), who.Network, a.ID, in.Cohort); err == nil {
				total := 0
				for _, g := range counted {
					total += g.People
				}
				writeJSON(w, http.StatusOK, map[string]any{"people": total, "practices": counted})
				return
			}
		}
	}
	if err == nil {
		a, err = h.narrow(r.Context(), who, a, in.Cohort, strings.TrimSpace(in.Name))
	}
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/lists/%d", a.ID))
	writeJSON(w, http.StatusAccepted, listJSON(a))
}

// ageWords tells how old a list is, how long it may be used, and what happens then.
func (h *Handler) ageWords(a campaign.Audience) string {
	now := h.cfg.Now()
	old := "less than a day"
	if days := int(now.Sub(a.TakenOn) / (24 * time.Hour)); days > 0 {
		old = count(days, "day", "days")
	}
	words := fmt.Sprintf("This list was taken from the GP system on %s and is %s old.", h.day(a.TakenOn), old)
	until, longest := a.TakenOn.Add(throttle.UsualListAge), a.TakenOn.Add(throttle.LongestListAge)
	switch {
	case now.After(longest):
		words += " That is too old: nothing is sent to people in it until you upload a fresh export."
	case now.After(until):
		words += fmt.Sprintf(" Campaigns stop sending when their list is 14 days old, unless they were made to go on longer, until %s at most. People move, die and change their minds: upload a fresh export.", h.day(longest))
	default:
		words += fmt.Sprintf(" It can be used until %s, when it is 14 days old. After that nothing is sent to people in it until you upload a fresh export, because people move, die and change their minds.", h.day(until))
	}
	if says := h.fileSays(a); says != "" {
		words += " " + says
	}
	return words
}
