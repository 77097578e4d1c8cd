package desk

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// offerPath is where a network says what its link workers can record.
const offerPath = "/desk/support"

// offerScreen is the data of offer.html.
type offerScreen struct {
	Kinds    ui.Field
	Measures []offeredMeasure
	Add      []ui.Field
	Open     bool
}

type offeredMeasure struct {
	ID        int64
	Name      string
	Scale     string
	Questions []string
	Used      bool
}

func (h *Handler) offerPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showOffer(w, r, who, http.StatusOK, nil)
}

func (h *Handler) showOffer(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	kinds, own, err := h.Store.SupportOffer(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read what is offered to record: %w", err)
	}
	var lines []string
	for _, k := range kinds {
		lines = append(lines, k.Words)
	}
	s := offerScreen{Kinds: ui.Field{Kind: ui.Textarea, Name: "kinds", Label: "Interventions", Size: "s", Rows: 10, Value: strings.Join(lines, "\n"), Hint: "One in each line. What was recorded before keeps its name, and is counted as before"}}
	if r.PostFormValue("do") == "kinds" {
		s.Kinds.Value = r.PostFormValue("kinds")
	}
	for _, m := range own {
		better := map[selfrefer.Direction]string{selfrefer.Better: "higher is better", selfrefer.Worse: "lower is better"}[m.MoreIs]
		s.Measures = append(s.Measures, offeredMeasure{m.ID, m.Name, fmt.Sprintf("%d to %d, %s", m.Low, m.High, better), m.Questions, m.Used})
	}
	low, high := text(r, ui.Text, "low", "Lowest answer", ""), text(r, ui.Text, "high", "Highest answer", "")
	for _, f := range []*ui.Field{&low, &high} {
		f.Width, f.Inputmode = 3, "numeric"
	}
	questions := text(r, ui.Textarea, "questions", "Questions", "One in each line")
	questions.Rows = 5
	s.Open = len(errs) > 0 && r.PostFormValue("do") == "measure"
	s.Add = []ui.Field{text(r, ui.Text, "name", "Name of the measure", ""), questions, low, high,
		{Kind: ui.Radios, Name: "better", Label: "What does a higher answer mean?", Size: "s", Small: true, Value: r.PostFormValue("better"), Options: []ui.Option{{Value: "1", Label: "Better"}, {Value: "-1", Label: "Worse"}}}}
	notice := map[string]string{"kinds": "Saved: the interventions.", "measure": "Saved: the measure.", "use": "Saved."}[r.URL.Query().Get("done")]
	return h.show(w, r, status, "offer", ui.Page{Title: "What link workers record", Back: servicesPath, Notice: notice, Errors: errs, Data: s})
}

// changeOffer takes one of the page's forms.
func (h *Handler) changeOffer(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	var bad invalid
	var err error
	do := r.PostFormValue("do")
	switch do {
	case "kinds":
		var kinds []selfrefer.Kind
		if kinds, bad, err = h.readKinds(r, who, r.PostFormValue("kinds")); err == nil && bad == nil {
			err = h.Store.SetKinds(r.Context(), who, kinds)
		}
	case "measure":
		number := func(name string) int {
			n, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue(name)))
			if err != nil {
				return -1 // no answer of any scale: the check says so
			}
			return n
		}
		m := selfrefer.OwnMeasure{Name: r.PostFormValue("name"), Questions: strings.Split(r.PostFormValue("questions"), "\n"), Low: number("low"), High: number("high")}
		switch r.PostFormValue("better") {
		case "1":
			m.MoreIs = selfrefer.Better
		case "-1":
			m.MoreIs = selfrefer.Worse
		}
		var faults []selfrefer.EntryFault
		m, faults = m.Check()
		for _, f := range faults {
			bad = append(bad, ui.FieldError{Field: f.Field, Sentence: f.Sentence})
		}
		if bad == nil {
			bad, err = h.measureAdded(r, who, m)
		}
	case "use":
		id, _ := strconv.ParseInt(r.PostFormValue("measure"), 10, 64)
		err = h.Store.UseOwnMeasure(r.Context(), who, id, r.PostFormValue("used") == "1")
	default:
		bad = invalid{{Sentence: "The form could not be read. Go back and try again."}}
	}
	switch {
	case bad != nil:
		return h.showOffer(w, r, who, http.StatusUnprocessableEntity, bad)
	case err != nil:
		return fmt.Errorf("change what is offered to record: %w", err)
	}
	http.Redirect(w, r, offerPath+"?done="+do, http.StatusSeeOther)
	return nil
}

func (h *Handler) readKinds(r *http.Request, who staff.Account, lines string) ([]selfrefer.Kind, invalid, error) {
	known, _, err := h.Store.SupportOffer(r.Context(), who.Network)
	if err != nil {
		return nil, nil, fmt.Errorf("read the interventions: %w", err)
	}
	kinds, err := selfrefer.ParseKinds(lines, known)
	if err != nil {
		return nil, invalid{{Field: "kinds", Sentence: capital(err.Error())}}, nil
	}
	return kinds, nil, nil
}

// measureAdded adds an own measure, unless as many are in use as a page can hold.
func (h *Handler) measureAdded(r *http.Request, who staff.Account, m selfrefer.OwnMeasure) (invalid, error) {
	_, own, err := h.Store.SupportOffer(r.Context(), who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the measures: %w", err)
	}
	used := 0
	for _, o := range own {
		if o.Used {
			used++
		}
	}
	if used >= selfrefer.MaxMeasuresUsed {
		return invalid{{Field: "name", Sentence: fmt.Sprintf("%d measures are in use: take one out of use first", used)}}, nil
	}
	_, err = h.Store.AddOwnMeasure(r.Context(), who, m)
	return nil, err
}

// offerJSON is what a network offers to record, as the API tells it.
type offerJSON struct {
	Interventions []selfrefer.Kind `json:"interventions"`
	Measures      []instrumentJSON `json:"measures"`
	Discharges    []dischargedJSON `json:"discharges"`
}

type dischargedJSON struct {
	Reason selfrefer.Discharge `json:"reason"`
	Words  string              `json:"words"`
}

type instrumentJSON struct {
	Kind      string         `json:"kind"`
	Own       int64          `json:"own,omitempty"`
	Name      string         `json:"name"`
	Intro     string         `json:"intro,omitempty"`
	Used      bool           `json:"used"`
	Questions []questionJSON `json:"questions"`
}

type questionJSON struct {
	Item    string   `json:"item"`
	Words   string   `json:"words"`
	Low     int      `json:"low"`
	High    int      `json:"high"`
	Answers []string `json:"answers,omitempty"`
	MoreIs  string   `json:"more_is"`
}

func (h *Handler) getOffer(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.tellOffer(w, r, who)
}

func (h *Handler) tellOffer(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	kinds, own, err := h.Store.SupportOffer(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read what is offered to record: %w", err)
	}
	out := offerJSON{Interventions: kinds}
	tell := func(i selfrefer.Instrument, used bool) {
		j := instrumentJSON{Kind: i.Kind, Own: i.Own, Name: i.Name, Intro: i.Intro, Used: used}
		for _, q := range i.Questions {
			j.Questions = append(j.Questions, questionJSON{q.Item, q.Words, q.Low, q.High, q.Answers, map[selfrefer.Direction]string{selfrefer.Better: "better", selfrefer.Worse: "worse"}[q.MoreIs]})
		}
		out.Measures = append(out.Measures, j)
	}
	tell(selfrefer.ONS4, true)
	tell(selfrefer.Loneliness, true)
	for _, m := range own {
		tell(m.Instrument(), m.Used)
	}
	for _, d := range selfrefer.Discharges {
		out.Discharges = append(out.Discharges, dischargedJSON{d.Reason, d.Words})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) putKinds(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var j struct {
		Interventions []string `json:"interventions"`
	}
	if err := readJSON(w, r, &j); err != nil {
		return err
	}
	kinds, bad, err := h.readKinds(r, who, strings.Join(j.Interventions, "\n"))
	if err != nil {
		return err
	}
	if bad != nil {
		return bad
	}
	if err := h.Store.SetKinds(r.Context(), who, kinds); err != nil {
		return fmt.Errorf("set the interventions: %w", err)
	}
	return h.tellOffer(w, r, who)
}

func (h *Handler) addMeasure(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var j struct {
		Name      string   `json:"name"`
		Questions []string `json:"questions"`
		Low       int      `json:"low"`
		High      int      `json:"high"`
		MoreIs    string   `json:"more_is"`
	}
	if err := readJSON(w, r, &j); err != nil {
		return err
	}
	m, faults := selfrefer.OwnMeasure{Name: j.Name, Questions: j.Questions, Low: j.Low, High: j.High, MoreIs: map[string]selfrefer.Direction{"better": selfrefer.Better, "worse": selfrefer.Worse}[j.MoreIs]}.Check()
	var bad invalid
	for _, f := range faults {
		bad = append(bad, ui.FieldError{Field: f.Field, Sentence: f.Sentence + "."})
	}
	var err error
	if bad == nil {
		bad, err = h.measureAdded(r, who, m)
	}
	if bad != nil {
		return bad
	}
	if err != nil {
		return fmt.Errorf("add a measure: %w", err)
	}
	return h.tellOffer(w, r, who)
}

func (h *Handler) putMeasure(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[int64](r, "measure")
	if err != nil {
		return err
	}
	var j struct {
		Used *bool `json:"used"`
	}
	if err := readJSON(w, r, &j); err != nil {
		return err
	}
	if j.Used == nil {
		return invalid{{Field: "used", Sentence: "used must be true or false."}}
	}
	if err := h.Store.UseOwnMeasure(r.Context(), who, id, *j.Used); err != nil {
		return fmt.Errorf("use a measure: %w", err)
	}
	return h.tellOffer(w, r, who)
}
