package desk

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const servicesPath = "/desk/services"

// servicesShown is how many services a page lists; the filters and the search find the others.
const servicesShown = 100

// mostFilters is how many links a filter offers.
const mostFilters = 20

// servicesScreen is the data of services.html.
type servicesScreen struct {
	Find    ui.Field
	Filters []serviceFilter
	Kept    []hiddenField // what the search keeps of the filters
	Narrow  bool
	Found   string
	Rows    []serviceRow
	More    bool
	Edits   bool
	Offer   string
}

type hiddenField struct{ Name, Value string }

type serviceFilter struct {
	Caption string
	Links   []ui.NavItem
}

type serviceRow struct {
	Href, Name string
	About      string
	For        string
	Area       string
	Languages  string
	Places     ui.Tag
	PlacesOn   string
	Inactive   bool
}

// readServiceFilter reads the filter of an address.
func readServiceFilter(q url.Values) selfrefer.ServiceFilter {
	cut := func(s string) string {
		if len(s) > selfrefer.MaxServiceLine {
			return ""
		}
		return s
	}
	return selfrefer.ServiceFilter{Find: cut(q.Get("find")), Reason: cut(q.Get("reason")), Language: cut(q.Get("language")), Area: cut(q.Get("area")), Places: q.Get("places") == "free", Inactive: q.Get("show") == "inactive"}
}

// serviceValues writes a filter as an address has it.
func serviceValues(f selfrefer.ServiceFilter) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"find": f.Find, "reason": f.Reason, "language": f.Language, "area": f.Area} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Places {
		q.Set("places", "free")
	}
	if f.Inactive {
		q.Set("show", "inactive")
	}
	return q
}

func servicesURL(f selfrefer.ServiceFilter) string {
	if q := serviceValues(f).Encode(); q != "" {
		return servicesPath + "?" + q
	}
	return servicesPath
}

func (h *Handler) servicesPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	all, err := h.Store.Services(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	f := readServiceFilter(r.URL.Query())
	s := servicesScreen{Edits: staff.May(who, staff.EditServices, who.Network) == nil, Narrow: f != selfrefer.ServiceFilter{},
		Find: ui.Field{Kind: ui.Text, Name: "find", Label: "Find a service", Size: "s", Hint: "Words of its name, of what it does, or of whom it is for", Value: f.Find, Width: 30, Autocomplete: "off"}}
	if staff.May(who, staff.EditSupport, who.Network) == nil {
		s.Offer = offerPath
	}
	for name, values := range serviceValues(f) {
		if name != "find" {
			s.Kept = append(s.Kept, hiddenField{name, values[0]})
		}
	}
	slices.SortFunc(s.Kept, func(a, b hiddenField) int { return strings.Compare(a.Name, b.Name) })
	found := 0
	for _, one := range all {
		if !f.Takes(one) {
			continue
		}
		if found++; found <= servicesShown {
			s.Rows = append(s.Rows, serviceRowOf(one))
		}
	}
	s.Found, s.More = plural(found, "service"), found > servicesShown
	s.Filters = serviceFilters(all, f)
	notice := map[string]string{"saved": "Saved.", "imported": "The file is taken in."}[r.URL.Query().Get("done")]
	return h.show(w, r, http.StatusOK, "services", ui.Page{Title: "Local services", Notice: notice, Data: s})
}

func serviceRowOf(s selfrefer.Service) serviceRow {
	tag, on := placesTag(s)
	about, rest, _ := strings.Cut(s.About, "\n")
	if runes := []rune(about); len(runes) > 160 {
		about, rest = strings.TrimSpace(string(runes[:160])), "x"
	}
	if rest != "" {
		about += " …"
	}
	return serviceRow{Href: fmt.Sprintf("%s/%d", servicesPath, s.ID), Name: s.Name, About: strings.TrimSpace(about), For: strings.Join(slices.Concat(reasons(s.Reasons), s.ReasonWords), ", "), Area: s.Area,
		Languages: strings.Join(s.Languages, ", "), Places: tag, PlacesOn: on, Inactive: !s.Active}
}

// placesTag says how many places are free, and since when that is known.
func placesTag(s selfrefer.Service) (tag ui.Tag, on string) {
	switch s.Places {
	case selfrefer.UnknownPlaces:
		return ui.Tag{Text: "Not known", Colour: "grey"}, ""
	case 0:
		tag = ui.Tag{Text: "Full", Colour: "orange"}
	default:
		tag = ui.Tag{Text: plural(s.Places, "place") + " free", Colour: "green"}
	}
	if s.PlacesOn != "" {
		on = "told on " + dayWords(s.PlacesOn)
	}
	return tag, on
}

// serviceFilters are the ways to narrow the list that find something in it; the one that is taken stands as a way back.
func serviceFilters(all []selfrefer.Service, f selfrefer.ServiceFilter) []serviceFilter {
	counted := func(caption, chosen string, of func(selfrefer.Service) []string, label func(string) string, set func(*selfrefer.ServiceFilter, string)) serviceFilter {
		out, n := serviceFilter{Caption: caption}, map[string]int{}
		without := f
		set(&without, "")
		for _, s := range all {
			if without.Takes(s) {
				for _, v := range of(s) {
					n[v]++
				}
			}
		}
		var values []string
		for v := range n {
			values = append(values, v)
		}
		slices.SortFunc(values, func(a, b string) int { return cmp.Or(n[b]-n[a], strings.Compare(a, b)) })
		values = values[:min(len(values), mostFilters)]
		slices.SortFunc(values, func(a, b string) int { return strings.Compare(label(a), label(b)) })
		for _, v := range values {
			to := f
			set(&to, v)
			out.Links = append(out.Links, ui.NavItem{Text: fmt.Sprintf("%s (%d)", label(v), n[v]), Href: servicesURL(to), Current: v == chosen})
		}
		if chosen != "" {
			out.Links = append(out.Links, ui.NavItem{Text: "Any", Href: servicesURL(without)})
		}
		return out
	}
	same := func(s string) string { return s }
	areas := func(s selfrefer.Service) []string {
		if s.Area == "" {
			return nil
		}
		return []string{s.Area}
	}
	out := []serviceFilter{
		counted("For", f.Reason, func(s selfrefer.Service) []string { return slices.Concat(s.Reasons, s.ReasonWords) }, func(v string) string { return reasons([]string{v})[0] }, func(f *selfrefer.ServiceFilter, v string) { f.Reason = v }),
		counted("Language", f.Language, func(s selfrefer.Service) []string { return s.Languages }, same, func(f *selfrefer.ServiceFilter, v string) { f.Language = v }),
		counted("Area", f.Area, areas, same, func(f *selfrefer.ServiceFilter, v string) { f.Area = v }),
	}
	places, any := f, f
	places.Places, any.Places = true, false
	active, inactive := f, f
	active.Inactive, inactive.Inactive = false, true
	out = append(out, serviceFilter{"Places", []ui.NavItem{{Text: "Any", Href: servicesURL(any), Current: !f.Places}, {Text: "Not full", Href: servicesURL(places), Current: f.Places}}},
		serviceFilter{"State", []ui.NavItem{{Text: "Active", Href: servicesURL(active), Current: !f.Inactive}, {Text: "Not active", Href: servicesURL(inactive), Current: f.Inactive}}})
	return slices.DeleteFunc(out, func(f serviceFilter) bool { return len(f.Links) == 0 })
}

// serviceScreen is the data of service.html.
type serviceScreen struct {
	Name    string
	About   []string
	Facts   ui.SummaryList
	Dial    template.URL
	Phone   string
	Email   string
	Web     string
	Active  bool
	Edit    string
	Action  string
	Correct *ui.Field // the places
}

func serviceID(r *http.Request) (selfrefer.ServiceID, error) {
	return pathID[selfrefer.ServiceID](r, "service")
}

func (h *Handler) servicePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showService(w, r, who, http.StatusOK, nil)
}

func (h *Handler) showService(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	id, err := serviceID(r)
	if err != nil {
		return err
	}
	one, err := h.Store.Service(r.Context(), who.Network, id)
	if err != nil {
		return fmt.Errorf("read a service: %w", err)
	}
	s := serviceScreen{Name: one.Name, Phone: one.Phone, Email: one.Email, Web: one.Web, Active: one.Active, Action: fmt.Sprintf("%s/%d", servicesPath, id)}
	if one.About != "" {
		s.About = strings.Split(one.About, "\n")
	}
	if digits := dialable(one.Phone); digits != "" {
		s.Dial = template.URL("tel:" + digits)
	}
	row := func(key string, values ...string) {
		r := ui.SummaryRow{Key: key}
		for _, v := range values {
			if v != "" {
				r.Values = append(r.Values, ui.Cell{Text: v})
			}
		}
		if len(r.Values) > 0 {
			s.Facts.Rows = append(s.Facts.Rows, r)
		}
	}
	tag, on := placesTag(one)
	s.Facts.Rows = append(s.Facts.Rows, ui.SummaryRow{Key: "Places", Values: []ui.Cell{{Text: tag.Text, Tag: tag.Colour}}})
	if on != "" {
		s.Facts.Rows[0].Values = append(s.Facts.Rows[0].Values, ui.Cell{Text: capital(on)})
	}
	row("For", slices.Concat(reasons(one.Reasons), one.ReasonWords)...)
	row("Area", one.Area)
	row("Languages", one.Languages...)
	row("How to refer", strings.Split(one.How, "\n")...)
	if staff.May(who, staff.EditServices, who.Network) == nil {
		s.Edit = s.Action + "/edit"
	}
	if staff.May(who, staff.CorrectPlaces, who.Network) == nil {
		s.Correct = &ui.Field{Kind: ui.Text, Name: "places", Label: "Places free", Size: "s", Width: 4, Inputmode: "numeric", Autocomplete: "off", Hint: "0 if it is full; empty if nobody knows", Value: placesValue(one.Places)}
		if len(errs) > 0 {
			s.Correct.Value = r.PostFormValue("places")
		}
	}
	notice := map[string]string{"places": "Saved: the places.", "saved": "Saved."}[r.URL.Query().Get("done")]
	return h.show(w, r, status, "service", ui.Page{Title: one.Name, Back: servicesPath, Notice: notice, Errors: errs, Data: s})
}

// dialable keeps what a phone dials, up to the first word such as "ext".
func dialable(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789+ ()-.", r) })
	if end >= 0 {
		s = s[:end]
	}
	return strings.Map(func(r rune) rune {
		if r == '+' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func placesValue(n int) string {
	if n == selfrefer.UnknownPlaces {
		return ""
	}
	return strconv.Itoa(n)
}

// readPlaces reads how many places are free; nothing is: nobody knows.
func readPlaces(s string) (int, bool) {
	if s = strings.TrimSpace(s); s == "" {
		return selfrefer.UnknownPlaces, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= 9999
}

var wrongPlaces = ui.FieldError{Field: "places", Sentence: "Places free must be a whole number of 9999 at most, or empty if nobody knows"}

// correctPlaces says how many places a service has free today.
func (h *Handler) correctPlaces(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := serviceID(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	places, ok := readPlaces(r.PostFormValue("places"))
	if !ok {
		return h.showService(w, r, who, http.StatusUnprocessableEntity, []ui.FieldError{wrongPlaces})
	}
	if err := h.Store.SetPlaces(r.Context(), who, id, places, h.today()); err != nil {
		return fmt.Errorf("correct the places of a service: %w", err)
	}
	http.Redirect(w, r, fmt.Sprintf("%s/%d?done=places", servicesPath, id), http.StatusSeeOther)
	return nil
}

// serviceForm is the data of serviceedit.html.
type serviceForm struct {
	Action, Version string
	Fields          []ui.Field
}

func (h *Handler) newServicePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showServiceForm(w, r, who, http.StatusOK, selfrefer.Service{Places: selfrefer.UnknownPlaces, Active: true}, nil)
}

func (h *Handler) editServicePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := serviceID(r)
	if err != nil {
		return err
	}
	s, err := h.Store.Service(r.Context(), who.Network, id)
	if err != nil {
		return fmt.Errorf("read a service: %w", err)
	}
	return h.showServiceForm(w, r, who, http.StatusOK, s, nil)
}

// ownReasons are the network's own reasons, in English.
func (h *Handler) ownReasons(r *http.Request, who staff.Account) ([]string, error) {
	e, err := h.Store.Edition(r.Context(), who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the reasons: %w", err)
	}
	var own []string
	for _, o := range e.Words.Options {
		if !o.Standard() && !o.Hidden {
			own = append(own, o.Labels[lang.English])
		}
	}
	return own, nil
}

// ownReason begins the values of the network's own reasons in the form.
const ownReason = "own:"

func (h *Handler) showServiceForm(w http.ResponseWriter, r *http.Request, who staff.Account, status int, s selfrefer.Service, errs []ui.FieldError) error {
	own, err := h.ownReasons(r, who)
	if err != nil {
		return err
	}
	why := ui.Field{Kind: ui.Checkboxes, Name: "reasons", Label: "What is it for?", Size: "s", Small: true, Values: slices.Clone(s.Reasons)}
	for _, known := range selfrefer.Reasons {
		if known.Code != "covid" || slices.Contains(s.Reasons, known.Code) {
			why.Options = append(why.Options, ui.Option{Value: known.Code, Label: known.Words})
		}
	}
	for _, words := range slices.Concat(own, s.ReasonWords) {
		if o := (ui.Option{Value: ownReason + words, Label: words}); !slices.ContainsFunc(why.Options, func(x ui.Option) bool { return x.Value == o.Value }) {
			why.Options = append(why.Options, o)
		}
	}
	for _, words := range s.ReasonWords {
		why.Values = append(why.Values, ownReason+words)
	}
	line := func(name, label, hint, value string, width int) ui.Field {
		return ui.Field{Kind: ui.Text, Name: name, Label: label, Hint: hint, Size: "s", Value: value, Width: width, Autocomplete: "off"}
	}
	form := serviceForm{Action: servicesPath + "/new", Version: strconv.FormatInt(s.Version, 10)}
	title, back := "Add a service", servicesPath
	if s.ID != 0 {
		title, back = "Change a service", fmt.Sprintf("%s/%d", servicesPath, s.ID)
		form.Action = back + "/edit"
	}
	places := line("places", "Places free", "0 if it is full; empty if nobody knows", placesValue(s.Places), 4)
	places.Inputmode = "numeric"
	phone, email := line("phone", "Phone number", "", s.Phone, 20), line("email", "E-mail address", "Of the service, not of a person", s.Email, 0)
	phone.Type, email.Type = "tel", "email"
	active := ui.Field{Kind: ui.Radios, Name: "active", Label: "Is it active?", Size: "s", Small: true, Inline: true, Value: map[bool]string{true: "yes", false: "no"}[s.Active], Options: []ui.Option{{Value: "yes", Label: "Yes"}, {Value: "no", Label: "No: nobody is sent there any more"}}}
	if len(errs) > 0 { // as it was entered
		places.Value = r.PostFormValue("places")
	}
	form.Fields = []ui.Field{line("name", "Name", "", s.Name, 0),
		{Kind: ui.Textarea, Name: "about", Label: "What does it do?", Size: "s", Value: s.About, Rows: 4, Hint: "For whom, when, what it costs. No names of people"}, why,
		line("area", "Area", "For example Kirkby", s.Area, 30), line("languages", "Languages", "Separated by commas", strings.Join(s.Languages, ", "), 0), places,
		{Kind: ui.Textarea, Name: "how", Label: "How to refer", Size: "s", Value: s.How, Rows: 2}, phone, email, line("web", "Web address", "", s.Web, 0), active}
	return h.show(w, r, status, "serviceedit", ui.Page{Title: title, Back: back, Errors: errs, Data: form})
}

// saveService takes the form of a new service, or of one that is there.
func (h *Handler) saveService(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	places, ok := readPlaces(r.PostFormValue("places"))
	s := selfrefer.Service{Name: r.PostFormValue("name"), About: r.PostFormValue("about"), Area: r.PostFormValue("area"), Languages: splitList(r.PostFormValue("languages")), Places: places, PlacesOn: h.today(),
		How: r.PostFormValue("how"), Phone: r.PostFormValue("phone"), Email: r.PostFormValue("email"), Web: r.PostFormValue("web"), Active: r.PostFormValue("active") != "no"}
	for _, v := range r.PostForm["reasons"] {
		if words, is := strings.CutPrefix(v, ownReason); is {
			s.ReasonWords = append(s.ReasonWords, words)
		} else {
			s.Reasons = append(s.Reasons, v)
		}
	}
	if chi.URLParam(r, "service") != "" {
		id, err := serviceID(r)
		if err != nil {
			return err
		}
		old, err := h.Store.Service(r.Context(), who.Network, id)
		if err != nil {
			return fmt.Errorf("read a service: %w", err)
		}
		s.ID = id
		s.Version, _ = strconv.ParseInt(r.PostFormValue("version"), 10, 64)
		if old.Places == s.Places {
			s.PlacesOn = old.PlacesOn
		}
	}
	s, faults := s.Check()
	var bad invalid
	for _, f := range faults {
		bad = append(bad, ui.FieldError{Field: f.Field, Sentence: f.Sentence})
	}
	if !ok {
		bad = append(bad, wrongPlaces)
	}
	if bad != nil {
		if !ok {
			s.Places = selfrefer.UnknownPlaces
		}
		return h.showServiceForm(w, r, who, http.StatusUnprocessableEntity, s, bad)
	}
	saved, err := h.Store.SetService(r.Context(), who, s)
	switch {
	case errors.Is(err, selfrefer.ErrChanged):
		return h.showServiceForm(w, r, who, http.StatusConflict, s, []ui.FieldError{{Sentence: "Somebody else has changed this service since you opened it. Go back, open it again and look what they wrote"}})
	case errors.Is(err, selfrefer.ErrFull):
		return h.showServiceForm(w, r, who, http.StatusConflict, s, []ui.FieldError{{Sentence: capital(err.Error())}})
	case err != nil:
		return fmt.Errorf("save a service: %w", err)
	}
	http.Redirect(w, r, fmt.Sprintf("%s/%d?done=saved", servicesPath, saved.ID), http.StatusSeeOther)
	return nil
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",;\n", r) })
}

// importScreen is the data of serviceimport.html.
type importScreen struct {
	Ledger   *ui.SummaryList
	Problems []string
	More     string // how many problems are not shown
	Unplaced string
	Secret   string // of what was read, to be taken in; "" if it has been, or if there is nothing to take
	Done     bool
}

// importKind names what is kept between the trial and the import; importTTL is for how long.
const (
	importKind = "services"
	importTTL  = time.Hour
)

// problemsShown is how many rows that cannot be taken are told of.
const problemsShown = 200

func (h *Handler) importPage(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	return h.showImport(w, r, http.StatusOK, importScreen{}, nil)
}

func (h *Handler) showImport(w http.ResponseWriter, r *http.Request, status int, s importScreen, errs []ui.FieldError) error {
	return h.show(w, r, status, "serviceimport", ui.Page{Title: "Import services", Back: servicesPath, Errors: errs, Data: s})
}

// importServicesPage tries a file first; what it read is kept for the second step, so that what is taken in is what was shown.
func (h *Handler) importServicesPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return h.takeServices(w, r, who)
	}
	r.Body = http.MaxBytesReader(w, r.Body, selfrefer.MaxServiceFile+maxBody)
	own, err := h.ownReasons(r, who)
	if err != nil {
		return err
	}
	unreadable := func(sentence string) error {
		return h.showImport(w, r, http.StatusUnprocessableEntity, importScreen{}, []ui.FieldError{{Field: "file", Sentence: sentence}})
	}
	// The file is read as it comes, and never put into a temporary one.
	m, err := r.MultipartReader()
	if err != nil {
		return unreadable("Choose a file")
	}
	for {
		part, err := m.NextPart()
		if err != nil {
			return unreadable("Choose a file")
		}
		if part.FormName() != "file" {
			continue
		}
		if part.FileName() == "" {
			return unreadable("Choose a file")
		}
		rows, err := selfrefer.ReadServices(part, own)
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return unreadable("The file is too large: send it in parts")
		case errors.Is(err, selfrefer.ErrServiceFile):
			return unreadable(capital(err.Error()))
		case err != nil:
			return unreadable("The file did not come whole: send it again")
		}
		ledger, err := h.Store.ImportServices(r.Context(), who, rows, h.today(), true)
		if err != nil {
			return fmt.Errorf("try an import: %w", err)
		}
		s := shownLedger(ledger)
		if ledger.Taken+ledger.Changed > 0 {
			kept, err := json.Marshal(rows)
			if err != nil {
				return fmt.Errorf("keep an import: %w", err)
			}
			if s.Secret, err = h.Store.Ask(r.Context(), importKind, who.ID, kept, importTTL); err != nil {
				return fmt.Errorf("keep an import: %w", err)
			}
		}
		return h.showImport(w, r, http.StatusOK, s, nil)
	}
}

// takeServices is the second step.
func (h *Handler) takeServices(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	kept, err := h.Store.Asked(r.Context(), importKind, who.ID, r.PostFormValue("secret"))
	if errors.Is(err, staff.ErrSignIn) {
		return h.showImport(w, r, http.StatusUnprocessableEntity, importScreen{}, []ui.FieldError{{Field: "file", Sentence: "This file was taken in already, or it is too long ago: choose it again"}})
	}
	if err != nil {
		return fmt.Errorf("read what was tried: %w", err)
	}
	var rows []selfrefer.ServiceRow
	if err := json.Unmarshal(kept, &rows); err != nil {
		return fmt.Errorf("read what was tried: %w", err)
	}
	ledger, err := h.Store.ImportServices(r.Context(), who, rows, h.today(), false)
	if err != nil {
		return fmt.Errorf("import services: %w", err)
	}
	s := shownLedger(ledger)
	s.Done = true
	return h.showImport(w, r, http.StatusOK, s, nil)
}

func shownLedger(l selfrefer.ServiceLedger) importScreen {
	count := func(key string, n int) ui.SummaryRow {
		return ui.SummaryRow{Key: key, Values: []ui.Cell{{Text: strconv.Itoa(n)}}}
	}
	s := importScreen{Ledger: &ui.SummaryList{Rows: []ui.SummaryRow{count("Services in the file", l.Rows), count("New", l.Taken), count("Changed", l.Changed), count("Unchanged", l.Unchanged), count("Cannot be taken", l.Rejected)}}}
	for i, p := range l.Problems {
		if i == problemsShown {
			s.More = fmt.Sprintf("And %d more.", len(l.Problems)-i)
			break
		}
		s.Problems = append(s.Problems, fmt.Sprintf("Row %d: %s", p.Row, selfrefer.ServiceProblems[p.Code]))
	}
	if l.Unplaced > 0 {
		s.Unplaced = plural(l.Unplaced, "service") + " name reasons that are none of ours. These stand at the end of what the service does."
	}
	return s
}

// servicesCSV is the whole directory, as an import takes it.
func (h *Handler) servicesCSV(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	all, err := h.Store.Services(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	rows := [][]string{{"ID", "Name", "About", "Reasons", "Area", "Languages", "Places free", "Places told on", "How to refer", "Phone", "E-mail", "Web", "Active"}}
	for _, s := range all {
		rows = append(rows, []string{s.Key, s.Name, s.About, strings.Join(slices.Concat(reasons(s.Reasons), s.ReasonWords), "; "), s.Area, strings.Join(s.Languages, "; "), placesValue(s.Places), string(s.PlacesOn), s.How, s.Phone, s.Email, s.Web,
			map[bool]string{true: "yes", false: "no"}[s.Active]})
	}
	return writeCSV(w, "services.csv", rows)
}

// serviceJSON is a service as the API tells and takes it.
type serviceJSON struct {
	ID          selfrefer.ServiceID `json:"id,omitempty"`
	Name        string              `json:"name"`
	About       string              `json:"about,omitempty"`
	Reasons     []string            `json:"reasons"`
	ReasonWords []string            `json:"reason_words,omitempty"`
	Area        string              `json:"area,omitempty"`
	Languages   []string            `json:"languages"`
	Places      *int                `json:"places"` // null: nobody knows
	PlacesOn    selfrefer.Day       `json:"places_on,omitempty"`
	How         string              `json:"how,omitempty"`
	Phone       string              `json:"phone,omitempty"`
	Email       string              `json:"email,omitempty"`
	Web         string              `json:"web,omitempty"`
	Active      *bool               `json:"active"`
	Version     int64               `json:"version"`
}

func toldPlaces(s selfrefer.Service) *int {
	if s.Places == selfrefer.UnknownPlaces {
		return nil
	}
	return &s.Places
}

func toldService(s selfrefer.Service) serviceJSON {
	return serviceJSON{ID: s.ID, Name: s.Name, About: s.About, Reasons: append([]string{}, s.Reasons...), ReasonWords: s.ReasonWords, Area: s.Area, Languages: append([]string{}, s.Languages...), Places: toldPlaces(s), PlacesOn: s.PlacesOn,
		How: s.How, Phone: s.Phone, Email: s.Email, Web: s.Web, Active: &s.Active, Version: s.Version}
}

func (h *Handler) listServices(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	all, err := h.Store.Services(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	page, err := asked(r, 0)
	if err != nil {
		return err
	}
	f := readServiceFilter(r.URL.Query())
	all, next, err := servicesAfter(all, f.Takes, page)
	if err != nil {
		return err
	}
	out := struct {
		Services []serviceJSON `json:"services"`
		Next     string        `json:"next,omitempty"`
	}{[]serviceJSON{}, next}
	for _, s := range all {
		out.Services = append(out.Services, toldService(s))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) getService(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := serviceID(r)
	if err != nil {
		return err
	}
	s, err := h.Store.Service(r.Context(), who.Network, id)
	if err != nil {
		return fmt.Errorf("read a service: %w", err)
	}
	return writeJSON(w, http.StatusOK, toldService(s))
}

// putService adds a service, or replaces one.
func (h *Handler) putService(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var id selfrefer.ServiceID
	var old selfrefer.Service
	if chi.URLParam(r, "service") != "" {
		var err error
		if id, err = serviceID(r); err != nil {
			return err
		}
		if old, err = h.Store.Service(r.Context(), who.Network, id); err != nil {
			return fmt.Errorf("read a service: %w", err)
		}
	}
	var j serviceJSON
	if err := readJSON(w, r, &j); err != nil {
		return err
	}
	s := selfrefer.Service{ID: id, Name: j.Name, About: j.About, Reasons: j.Reasons, ReasonWords: j.ReasonWords, Area: j.Area, Languages: j.Languages, Places: selfrefer.UnknownPlaces, How: j.How, Phone: j.Phone, Email: j.Email, Web: j.Web,
		Active: j.Active == nil || *j.Active, Version: j.Version}
	if j.Places != nil {
		if s.Places, s.PlacesOn = *j.Places, h.today(); id != 0 && old.Places == s.Places {
			s.PlacesOn = old.PlacesOn
		}
	}
	s, faults := s.Check()
	if j.Places != nil && *j.Places < 0 {
		faults = append(faults, selfrefer.EntryFault{Field: "places", Sentence: wrongPlaces.Sentence})
	}
	if len(faults) > 0 {
		var bad invalid
		for _, f := range faults {
			bad = append(bad, ui.FieldError{Field: f.Field, Sentence: f.Field + ": " + f.Sentence + "."})
		}
		return bad
	}
	s, err := h.Store.SetService(r.Context(), who, s)
	if err != nil {
		return fmt.Errorf("save a service: %w", err)
	}
	status := http.StatusOK
	if id == 0 {
		status = http.StatusCreated
		w.Header().Set("Location", fmt.Sprintf("/api/v1/services/%d", s.ID))
	}
	return writeJSON(w, status, toldService(s))
}

func (h *Handler) putPlaces(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := serviceID(r)
	if err != nil {
		return err
	}
	var j struct {
		Places *int `json:"places"`
	}
	if err := readJSON(w, r, &j); err != nil {
		return err
	}
	places := selfrefer.UnknownPlaces
	if j.Places != nil {
		if places = *j.Places; places < 0 || places > 9999 {
			return invalid{{Field: "places", Sentence: wrongPlaces.Sentence + "."}}
		}
	}
	if err := h.Store.SetPlaces(r.Context(), who, id, places, h.today()); err != nil {
		return fmt.Errorf("correct the places of a service: %w", err)
	}
	return h.getService(w, r, who)
}

func (h *Handler) importServices(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	dry := r.URL.Query().Get("dry_run")
	if dry != "" && dry != "true" && dry != "false" {
		return invalid{{Field: "dry_run", Sentence: "dry_run must be true or false."}}
	}
	own, err := h.ownReasons(r, who)
	if err != nil {
		return err
	}
	rows, err := selfrefer.ReadServices(http.MaxBytesReader(w, r.Body, selfrefer.MaxServiceFile), own)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case errors.Is(err, selfrefer.ErrServiceFile):
		return invalid{{Sentence: capital(err.Error()) + "."}}
	case err != nil:
		return err
	}
	l, err := h.Store.ImportServices(r.Context(), who, rows, h.today(), dry == "true")
	if err != nil {
		return fmt.Errorf("import services: %w", err)
	}
	return writeJSON(w, http.StatusOK, l)
}
