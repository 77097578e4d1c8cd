package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// mostSuggested is how many services are offered to choose among: the best of them. The name of any other can be entered.
const mostSuggested = 40

var (
	goalWords   = map[selfrefer.GoalState]string{selfrefer.WorkingOn: "Working on it", selfrefer.Reached: "Reached", selfrefer.GivenUp: "Given up"}
	onwardWords = map[selfrefer.OnwardState]string{selfrefer.Suggested: "Suggested", selfrefer.Referred: "Referred", selfrefer.Started: "Started", selfrefer.DidNotStart: "Did not start"}
	howWords    = map[selfrefer.OnwardHow]string{selfrefer.ByThemselves: "They get in touch themselves", selfrefer.ByRinging: "We rang the service", selfrefer.ByMail: "We wrote an e-mail",
		selfrefer.ByItsForm: "By the service's own form", selfrefer.InPerson: "We went along, or introduced them"}
	stateColours = map[string]string{"reached": "green", "started": "green", "given_up": "grey", "did_not_start": "grey", "working_on": "blue", "suggested": "blue", "referred": "purple"}
)

// supportScreen is the data of support.html.
type supportScreen struct {
	Name, Reference string
	Referral        string // its page
	Tags            []ui.Tag
	Ended           string
	Why             string // why nobody can change it here; "" if it can be
	Action          string
	Onward          entryList
	Goals           entryList
	Done            entryList // interventions
	DoneSum         string
	Measures        []measured
	AddMeasures     []measureForm
	Removed         []removedEntry
	Tasks           *aftercareScreen
	Discharge       *dischargeForm
}

// entryList is a part of the page: what was recorded, and the form for one more.
type entryList struct {
	Entries []supportEntry
	Add     []ui.Field
	Open    bool // the form, unfolded
}

type supportEntry struct {
	ID     selfrefer.EntryID
	Words  string
	Href   string // of a service
	Tag    *ui.Tag
	Lines  []string
	Note   string
	Change []ui.Field // how it goes now
	Open   bool
	Remove bool
}

// measured are the answers to one instrument.
type measured struct {
	Name    string
	Table   ui.Table
	Entries []supportEntry
}

type measureForm struct {
	Do, Kind, Own string
	Name, Intro   string
	Day           ui.Field
	Questions     []ui.Field
	Open          bool
}

type removedEntry struct {
	Kind  selfrefer.SupportEntry
	ID    selfrefer.EntryID
	Words string
}

type dischargeForm struct{ Reason, Note ui.Field }

func supportURL(id selfrefer.ReferralID) string { return fmt.Sprintf("/desk/referrals/%d/support", id) }

func (h *Handler) supportPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	return h.showSupport(w, r, who, id, http.StatusOK, nil)
}

// today is the day of the networks.
func (h *Handler) today() selfrefer.Day { return selfrefer.DayOf(h.Now(), h.zone) }

// dayWords writes a day for people: "4 June 2026".
func dayWords(d selfrefer.Day) string {
	if d == "" {
		return ""
	}
	return d.Date().Format("2 January 2006")
}

// dateField asks for a day; it begins with what was sent, or with a day.
func dateField(r *http.Request, name, label string, begin selfrefer.Day) ui.Field {
	f := ui.Field{Kind: ui.Date, Name: name, Label: label, Size: "s"}
	if _, sent := r.PostForm[name+"-day"]; sent {
		f.Values = []string{r.PostFormValue(name + "-day"), r.PostFormValue(name + "-month"), r.PostFormValue(name + "-year")}
	} else if begin != "" {
		d := begin.Date()
		f.Values = []string{strconv.Itoa(d.Day()), strconv.Itoa(int(d.Month())), strconv.Itoa(d.Year())}
	}
	return f
}

// enteredDay reads a day of three fields; "" if all are empty.
func enteredDay(r *http.Request, name string) (selfrefer.Day, bool) {
	var n [3]int
	empty := 0
	for i, part := range []string{"-day", "-month", "-year"} {
		s := strings.TrimSpace(r.PostFormValue(name + part))
		if s == "" {
			empty++
			continue
		}
		var err error
		if n[i], err = strconv.Atoi(s); err != nil {
			return "", false
		}
	}
	if empty == 3 {
		return "", true
	}
	if n[2] > 0 && n[2] < 100 {
		n[2] += 2000
	}
	d, err := selfrefer.ParseDay(fmt.Sprintf("%04d-%02d-%02d", n[2], n[1], n[0]))
	return d, err == nil
}

// text is a field with what was sent.
func text(r *http.Request, kind ui.FieldKind, name, label, hint string) ui.Field {
	return ui.Field{Kind: kind, Name: name, Label: label, Hint: hint, Size: "s", Rows: 2, Value: r.PostFormValue(name), Autocomplete: "off"}
}

// choice is a question with small radios.
func choice[T ~string](r *http.Request, name, label string, all []T, words map[T]string, value T) ui.Field {
	f := ui.Field{Kind: ui.Radios, Name: name, Label: label, Size: "s", Small: true, Value: cmp.Or(r.PostFormValue(name), string(value))}
	for _, v := range all {
		f.Options = append(f.Options, ui.Option{Value: string(v), Label: words[v]})
	}
	return f
}

func (h *Handler) showSupport(w http.ResponseWriter, r *http.Request, who staff.Account, id selfrefer.ReferralID, status int, errs []ui.FieldError) error {
	sup, err := h.Store.Support(r.Context(), who, id)
	if err != nil {
		return fmt.Errorf("read the support: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	services, err := h.Store.Services(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	ref := sup.Referral
	p := supportPutter{h: h, r: r, who: who, sup: sup, name: name, failed: len(errs) > 0}
	s := supportScreen{Name: cmp.Or(ref.Name.Reveal(), "somebody whose name is not known"), Reference: ref.Reference, Referral: fmt.Sprintf("/desk/referrals/%d", id), Action: supportURL(id), Tags: []ui.Tag{stateTag(ref.State)}}
	if sup.Ended != "" {
		s.Ended = "The support ended at " + h.when(sup.EndedAt) + ": " + sup.Ended.Words() + "."
	}
	switch {
	case p.may(selfrefer.AddGoal{}) == nil || p.may(selfrefer.AddOnward{}) == nil:
	case errors.Is(p.may(selfrefer.AddGoal{}), selfrefer.ErrTaken) && ref.ClaimedBy != 0:
		s.Why = "Only " + name(ref.ClaimedBy) + " and senior link workers change what stands here."
	case ref.State.Open():
		s.Why = "They are not in support yet. Record what came of the first contact on the referral's page; then goals, onward referrals and measures have their place here."
	default:
		s.Why = "This referral is " + ref.State.Words() + ": what stands here stays as it is."
	}
	s.Onward, s.Goals, s.Done = p.onward(services), p.goals(), p.interventions()
	minutes := 0
	for _, i := range sup.Interventions {
		if !sup.Removed[i.ID] {
			minutes += i.Minutes
		}
	}
	if minutes > 0 {
		s.DoneSum = "Time noted: " + plural(minutes, "minute") + "."
	}
	p.measures(&s)
	s.Removed = p.removed()
	if s.Tasks, err = h.aftercareOf(r, ref, sup.Tasks, who, name, errs); err != nil {
		return err
	}
	s.Tasks.Support, s.Tasks.Note, s.Tasks.From = "", nil, "support"
	if slices.Contains(allowed(ref, who), selfrefer.Close) && ref.State == selfrefer.InSupport {
		s.Discharge = &dischargeForm{dischargeField(r, "reason"), ui.Field{Kind: ui.Textarea, Name: "note", Label: "Note", Size: "s", Rows: 2, Value: closeNote(r), Hint: "It can stay empty, unless it is another reason"}}
	}
	return h.show(w, r, status, "support", ui.Page{Title: "Support " + ref.Reference, Back: s.Referral, Notice: supportNotice(r), Errors: errs, Data: s})
}

func closeNote(r *http.Request) string {
	if r.PostFormValue("do") != "close" {
		return ""
	}
	return r.PostFormValue("note")
}

// dischargeField asks why the support has ended.
func dischargeField(r *http.Request, name string) ui.Field {
	f := ui.Field{Kind: ui.Radios, Name: name, Label: "Why has the support ended?", Size: "s", Small: true, Value: r.PostFormValue(name)}
	for _, d := range selfrefer.Discharges {
		f.Options = append(f.Options, ui.Option{Value: string(d.Reason), Label: d.Words})
	}
	return f
}

func supportNotice(r *http.Request) string {
	return map[string]string{
		"onward": "Saved: the onward referral.", "goal": "Saved: the goal.", "intervention": "Saved: what you did.", "measure": "Saved: the answers.", "task": "Saved: the task.", "tick": "Saved.",
		"set-onward": "Saved: how far it is.", "set-goal": "Saved: how the goal goes.", "remove": "Removed. It stands at the end of this page, and can be put back.", "put-back": "Put back.",
		"start_support": "Saved: they are in support with you.",
	}[r.URL.Query().Get("done")]
}

// supportPutter puts the parts of the page together.
type supportPutter struct {
	h      *Handler
	r      *http.Request
	who    staff.Account
	sup    selfrefer.Support
	name   func(staff.AccountID) string
	failed bool
}

func (p supportPutter) may(c selfrefer.Change) error {
	return selfrefer.MayRecord(p.who, p.sup.Referral, c)
}

// sent tells whether a form was sent and could not be taken: then it stands unfolded.
func (p supportPutter) sent(do string) bool { return p.failed && p.r.PostFormValue("do") == do }

// about tells whether it was sent about this entry.
func (p supportPutter) about(do string, id selfrefer.EntryID) bool {
	return p.sent(do) && p.r.PostFormValue("id") == strconv.FormatInt(int64(id), 10)
}

func (p supportPutter) line(day selfrefer.Day, by staff.AccountID, more ...string) []string {
	return append([]string{dayWords(day) + ", " + p.name(by)}, more...)
}

func (p supportPutter) removable(kind selfrefer.SupportEntry) bool {
	return p.may(selfrefer.Remove{Kind: kind}) == nil
}

func entryTag(state, words string) *ui.Tag { return &ui.Tag{Text: words, Colour: stateColours[state]} }

func (p supportPutter) onward(services []selfrefer.Service) (l entryList) {
	r := p.r
	for _, o := range p.sup.Onward {
		if p.sup.Removed[o.ID] {
			continue
		}
		e := supportEntry{ID: o.ID, Words: o.Place.Reveal(), Tag: entryTag(string(o.State), onwardWords[o.State]), Lines: p.line(o.Day, o.By, howWords[o.How]), Note: o.Why.Reveal(), Remove: p.removable(selfrefer.OnwardEntry)}
		if o.Changed != o.Day {
			e.Lines = append(e.Lines, onwardWords[o.State]+" since "+dayWords(o.Changed))
		}
		if slices.ContainsFunc(services, func(s selfrefer.Service) bool { return s.ID == o.Service }) {
			e.Href = fmt.Sprintf("%s/%d", servicesPath, o.Service)
		}
		if p.may(selfrefer.SetOnward{}) == nil {
			state := choice(r, "state", "How far is it?", selfrefer.OnwardStates, onwardWords, o.State)
			why := ui.Field{Kind: ui.Text, Name: "why", Label: "Note, or why they did not start", Size: "s", Autocomplete: "off"}
			if e.Open = p.about("set-onward", o.ID); e.Open {
				why.Value = r.PostFormValue("why")
			} else {
				state.Value = string(o.State)
			}
			state.ID, why.ID = fmt.Sprint("state-", o.ID), fmt.Sprint("why-", o.ID)
			e.Change = []ui.Field{state, why}
		}
		l.Entries = append(l.Entries, e)
	}
	if p.may(selfrefer.AddOnward{}) != nil {
		return l
	}
	l.Open = p.sent("onward")
	service := ui.Field{Kind: ui.Select, Name: "onward-service", Label: "Which service?", Size: "s", Value: r.PostFormValue("onward-service"), Options: []ui.Option{{Value: "", Label: "Choose one"}},
		Hint: "Those that fit what they asked for come first"}
	suggested := selfrefer.Suggest(services, p.sup.Referral.Answers, p.sup.Referral.Language)
	for _, g := range suggested[:min(len(suggested), mostSuggested)] {
		service.Options = append(service.Options, ui.Option{Value: strconv.FormatInt(int64(g.Service.ID), 10), Label: suggestionWords(g)})
	}
	place := text(r, ui.Text, "onward-place", "Or the name of another place", "Of the directory or not")
	l.Add = []ui.Field{service, place,
		choice(r, "onward-how", "How are they passed on?", selfrefer.OnwardHows, howWords, selfrefer.ByThemselves),
		choice(r, "onward-state", "How far is it?", selfrefer.OnwardStates, onwardWords, selfrefer.Referred),
		dateField(r, "onward-day", "When?", p.h.today()),
		text(r, ui.Text, "onward-why", "Note", "It can stay empty, unless they did not start")}
	return l
}

// suggestionWords say what speaks for a service in the list to choose from.
func suggestionWords(g selfrefer.Suggestion) string {
	var why []string
	if len(g.For) > 0 {
		why = append(why, "for "+strings.ToLower(strings.Join(g.For, ", ")))
	}
	if g.Speaks {
		why = append(why, "speaks their language")
	}
	switch {
	case g.Service.Places == 0:
		why = append(why, "full")
	case g.Service.Places > 0:
		why = append(why, plural(g.Service.Places, "place")+" free")
	}
	if len(why) == 0 {
		return g.Service.Name
	}
	return g.Service.Name + " (" + strings.Join(why, "; ") + ")"
}

func (p supportPutter) goals() (l entryList) {
	for _, g := range p.sup.Goals {
		if p.sup.Removed[g.ID] {
			continue
		}
		e := supportEntry{ID: g.ID, Words: g.Words.Reveal(), Tag: entryTag(string(g.State), goalWords[g.State]), Lines: p.line(g.Set, g.By), Remove: p.removable(selfrefer.GoalEntry)}
		if g.Ended != "" {
			e.Lines = append(e.Lines, goalWords[g.State]+" on "+dayWords(g.Ended))
		}
		if p.may(selfrefer.SetGoal{}) == nil {
			state := choice(p.r, "state", "How does it go?", selfrefer.GoalStates, goalWords, g.State)
			state.Value, state.ID = string(g.State), fmt.Sprint("state-", g.ID)
			e.Change = []ui.Field{state}
		}
		l.Entries = append(l.Entries, e)
	}
	if p.may(selfrefer.AddGoal{}) == nil {
		l.Open = p.sent("goal")
		l.Add = []ui.Field{text(p.r, ui.Textarea, "goal-words", "What do they want to reach?", "In their own words")}
	}
	return l
}

func (p supportPutter) kind(code string) string {
	for _, k := range slices.Concat(p.sup.Kinds, selfrefer.Kinds) {
		if k.Code == code {
			return k.Words
		}
	}
	return capital(strings.ReplaceAll(code, "_", " "))
}

func (p supportPutter) interventions() (l entryList) {
	for _, i := range p.sup.Interventions {
		if p.sup.Removed[i.ID] {
			continue
		}
		e := supportEntry{ID: i.ID, Words: p.kind(i.Kind), Lines: p.line(i.Day, i.By), Note: i.Note.Reveal(), Remove: p.removable(selfrefer.InterventionEntry)}
		if i.Minutes > 0 {
			e.Lines = append(e.Lines, plural(i.Minutes, "minute"))
		}
		l.Entries = append(l.Entries, e)
	}
	if p.may(selfrefer.AddIntervention{}) != nil {
		return l
	}
	kind := ui.Field{Kind: ui.Select, Name: "intervention-kind", Label: "What did you do?", Size: "s", Value: p.r.PostFormValue("intervention-kind"), Options: []ui.Option{{Value: "", Label: "Choose one"}}}
	for _, k := range p.sup.Kinds {
		kind.Options = append(kind.Options, ui.Option{Value: k.Code, Label: k.Words})
	}
	minutes := text(p.r, ui.Text, "intervention-minutes", "Minutes", "It can stay empty")
	minutes.Width, minutes.Inputmode = 4, "numeric"
	l.Open = p.sent("intervention")
	l.Add = []ui.Field{kind, dateField(p.r, "intervention-day", "When?", p.h.today()), minutes, text(p.r, ui.Textarea, "intervention-note", "Note", "It can stay empty")}
	return l
}

// measures compares the answers to each instrument that was used, and offers those that are.
func (p supportPutter) measures(s *supportScreen) {
	all := []selfrefer.Instrument{selfrefer.ONS4, selfrefer.Loneliness}
	used := map[int64]bool{}
	for _, m := range p.sup.Own {
		all = append(all, m.Instrument())
		used[m.ID] = m.Used
	}
	for _, i := range all {
		var of []selfrefer.Measure
		m := measured{Name: i.Name}
		for _, one := range p.sup.Measures {
			if one.Kind == i.Kind && one.Own == i.Own && !p.sup.Removed[one.ID] {
				of = append(of, one)
				m.Entries = append(m.Entries, supportEntry{ID: one.ID, Words: dayWords(one.Day), Lines: []string{p.name(one.By) + ", " + plural(len(one.Scores), "answer")}, Remove: p.removable(selfrefer.MeasureEntry)})
			}
		}
		if len(of) > 0 {
			m.Table = comparisonTable(i, of)
			s.Measures = append(s.Measures, m)
		}
		if p.may(selfrefer.AddMeasure{}) == nil && (i.Kind != selfrefer.KindOwn || used[i.Own]) {
			s.AddMeasures = append(s.AddMeasures, p.measureForm(i))
		}
	}
}

func comparisonTable(i selfrefer.Instrument, of []selfrefer.Measure) ui.Table {
	t := ui.Table{Caption: i.Name, CaptionSize: "s", Stacked: true, Head: []ui.Cell{{Text: "Question"}, {Text: "Before"}, {Text: "After"}, {Text: "Change"}}}
	answered := func(words string, on selfrefer.Day) ui.Cell {
		if words == "" {
			return ui.Cell{Text: "Not answered"}
		}
		return ui.Cell{Text: words + " (" + dayWords(on) + ")"}
	}
	for _, c := range selfrefer.Compare(i, of) {
		change := ui.Cell{Text: cmp.Or(c.Change, "Not known yet")}
		if c.Change != "" {
			change.Tag = map[selfrefer.Direction]string{selfrefer.Better: "green", selfrefer.Worse: "orange"}[c.Direction]
		}
		after := answered(c.After, c.AfterOn)
		if c.After == "" && c.Before != "" {
			after.Text = "Not asked again"
		}
		t.Rows = append(t.Rows, []ui.Cell{{Text: c.Words}, answered(c.Before, c.BeforeOn), after, change})
	}
	return t
}

// measureName begins the names of the fields of a measure's form.
func measureName(i selfrefer.Instrument) string {
	if i.Own != 0 {
		return fmt.Sprint("measure-", i.Own)
	}
	return "measure-" + i.Kind
}

func (p supportPutter) measureForm(i selfrefer.Instrument) measureForm {
	name := measureName(i)
	f := measureForm{Do: "measure", Kind: i.Kind, Own: strconv.FormatInt(i.Own, 10), Name: i.Name, Intro: i.Intro, Day: dateField(p.r, name+"-day", "When were they asked?", p.h.today()),
		Open: p.sent("measure") && p.r.PostFormValue("kind") == i.Kind && p.r.PostFormValue("own") == strconv.FormatInt(i.Own, 10)}
	for _, q := range i.Questions {
		field := ui.Field{Kind: ui.Text, Name: name + "-" + q.Item, Label: q.Words, Size: "s", Width: 3, Inputmode: "numeric", Autocomplete: "off", Hint: fmt.Sprintf("%d to %d", q.Low, q.High), Value: p.r.PostFormValue(name + "-" + q.Item)}
		if q.LowWords != "" {
			field.Hint = fmt.Sprintf("%d is “%s”, %d is “%s”", q.Low, q.LowWords, q.High, q.HighWords)
		}
		if len(q.Answers) > 0 {
			field.Kind, field.Hint, field.Width, field.Small = ui.Radios, "", 0, true
			for n := range q.Answers {
				field.Options = append(field.Options, ui.Option{Value: strconv.Itoa(q.Low + n), Label: q.Answers[n]})
			}
			field.Options = append(field.Options, ui.Option{Value: "none", Label: "They did not answer"})
		}
		f.Questions = append(f.Questions, field)
	}
	return f
}

// removed lists what was taken back.
func (p supportPutter) removed() (all []removedEntry) {
	add := func(kind selfrefer.SupportEntry, id selfrefer.EntryID, words string) {
		if p.sup.Removed[id] && p.removable(kind) {
			all = append(all, removedEntry{kind, id, words})
		}
	}
	for _, g := range p.sup.Goals {
		add(selfrefer.GoalEntry, g.ID, "Goal: "+g.Words.Reveal())
	}
	for _, o := range p.sup.Onward {
		add(selfrefer.OnwardEntry, o.ID, "Onward referral: "+o.Place.Reveal())
	}
	for _, i := range p.sup.Interventions {
		add(selfrefer.InterventionEntry, i.ID, p.kind(i.Kind)+", "+dayWords(i.Day))
	}
	for _, m := range p.sup.Measures {
		i, _ := selfrefer.InstrumentOf(m.Kind, m.Own, p.sup.Own)
		add(selfrefer.MeasureEntry, m.ID, i.Name+", "+dayWords(m.Day))
	}
	return all
}

// recordPage takes one of the page's forms. do says which.
func (h *Handler) recordPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	do := r.PostFormValue("do")
	if do == "close" {
		return h.discharge(w, r, who, id)
	}
	change, field, bad, err := h.changeOf(r, who, do)
	if err != nil {
		return err
	}
	for _, f := range change.Check(h.today()) {
		if !slices.ContainsFunc(bad, func(b ui.FieldError) bool { return b.Field == field(f.Field) }) {
			bad = append(bad, ui.FieldError{Field: field(f.Field), Sentence: f.Sentence})
		}
	}
	if bad != nil {
		return h.showSupport(w, r, who, id, http.StatusUnprocessableEntity, bad)
	}
	if err := h.Store.RecordSupport(r.Context(), who, id, change); err != nil {
		if told := conflictWords(err); told != "" {
			return h.showSupport(w, r, who, id, http.StatusConflict, []ui.FieldError{{Sentence: told}})
		}
		return fmt.Errorf("record support: %w", err)
	}
	part := map[string]string{"onward": "onward", "set-onward": "onward", "goal": "goals", "set-goal": "goals", "intervention": "done", "measure": "measures"}[do]
	if part != "" {
		part = "#" + part
	}
	http.Redirect(w, r, supportURL(id)+"?done="+do+part, http.StatusSeeOther)
	return nil
}

// conflictWords says why something could not be recorded, where the page can say it.
func conflictWords(err error) string {
	switch {
	case errors.Is(err, selfrefer.ErrTaken):
		return "Only whoever has this referral, and senior link workers, can record this"
	case errors.Is(err, selfrefer.ErrNotNow):
		return "This cannot be recorded with the referral as it stands now"
	case errors.Is(err, selfrefer.ErrNotTheirs):
		return "This colleague may not work on this referral: choose another"
	case errors.Is(err, selfrefer.ErrNoService):
		return "This service is not in the directory any more: choose another"
	case errors.Is(err, selfrefer.ErrEntry):
		return "This entry is not there any more"
	}
	return ""
}

// changeOf reads the change of a form; field maps what is wrong with it to the field's id.
func (h *Handler) changeOf(r *http.Request, who staff.Account, do string) (c selfrefer.Change, field func(string) string, bad invalid, err error) {
	free := func(name string) selfrefer.FreeText {
		return selfrefer.FreeText(strings.TrimSpace(r.PostFormValue(name)))
	}
	day := func(name string) selfrefer.Day {
		d, ok := enteredDay(r, name)
		if !ok {
			bad = append(bad, ui.FieldError{Field: name, Sentence: "Enter a real date, for example 4 6 2026"})
		}
		return d
	}
	number := func(name, sentence string) int {
		s := strings.TrimSpace(r.PostFormValue(name))
		if s == "" {
			return 0
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			bad = append(bad, ui.FieldError{Field: name, Sentence: sentence})
		}
		return n
	}
	entry, _ := strconv.ParseInt(r.PostFormValue("id"), 10, 64)
	id := selfrefer.EntryID(entry)
	field = func(f string) string { return do + "-" + f }
	ofEntry := func(f string) string { return fmt.Sprint(f, "-", id) }
	switch do {
	case "goal":
		c = selfrefer.AddGoal{Goal: selfrefer.Goal{Words: free("goal-words"), Set: h.today()}}
	case "set-goal":
		c, field = selfrefer.SetGoal{ID: id, State: selfrefer.GoalState(r.PostFormValue("state")), On: h.today()}, ofEntry
	case "onward":
		o := selfrefer.OnwardReferral{Place: selfrefer.FreeText(strings.Join(strings.Fields(r.PostFormValue("onward-place")), " ")), How: selfrefer.OnwardHow(r.PostFormValue("onward-how")),
			State: selfrefer.OnwardState(r.PostFormValue("onward-state")), Day: day("onward-day"), Why: free("onward-why")}
		service, _ := strconv.ParseInt(r.PostFormValue("onward-service"), 10, 64)
		o.Service = selfrefer.ServiceID(service)
		if o.Service, err = h.namedService(r.Context(), who, o.Service, o.Place.Reveal()); err != nil {
			return nil, nil, nil, err
		}
		c = selfrefer.AddOnward{Onward: o}
	case "set-onward":
		c, field = selfrefer.SetOnward{ID: id, State: selfrefer.OnwardState(r.PostFormValue("state")), On: h.today(), Why: free("why")}, ofEntry
	case "intervention":
		c = selfrefer.AddIntervention{Intervention: selfrefer.Intervention{Kind: r.PostFormValue("intervention-kind"), Day: day("intervention-day"),
			Minutes: number("intervention-minutes", "Minutes must be a whole number, or empty"), Note: free("intervention-note")}}
		if bad, err = h.knownKind(r.Context(), who, c.(selfrefer.AddIntervention).Intervention.Kind, "intervention-kind", bad); err != nil {
			return nil, nil, nil, err
		}
	case "measure":
		_, own, err := h.Store.SupportOffer(r.Context(), who.Network)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("read the measures: %w", err)
		}
		ownID, _ := strconv.ParseInt(r.PostFormValue("own"), 10, 64)
		of, _ := selfrefer.InstrumentOf(r.PostFormValue("kind"), ownID, own)
		name := measureName(of)
		m := selfrefer.Measure{Kind: of.Kind, Own: of.Own, Day: day(name + "-day"), Scores: map[string]int{}}
		for _, q := range of.Questions {
			s := strings.TrimSpace(r.PostFormValue(name + "-" + q.Item))
			if s == "" || s == "none" {
				continue
			}
			if m.Scores[q.Item], err = strconv.Atoi(s); err != nil {
				m.Scores[q.Item] = q.Low - 1 // what is no number is no answer either: the check says so
			}
		}
		c = selfrefer.AddMeasure{Measure: m, Of: of}
		field = func(f string) string {
			if f == "scores" && len(of.Questions) > 0 {
				f = of.Questions[0].Item
			}
			return name + "-" + f
		}
	case "remove", "put-back":
		c = selfrefer.Remove{Kind: selfrefer.SupportEntry(r.PostFormValue("kind")), ID: id, Removed: do == "remove"}
		field = func(string) string { return "" }
	default:
		return nil, nil, nil, invalid{{Sentence: "The form could not be read. Go back and try again."}}
	}
	return c, field, bad, nil
}

// knownKind refuses an intervention that the network does not offer.
func (h *Handler) knownKind(ctx context.Context, who staff.Account, kind, field string, bad invalid) (invalid, error) {
	kinds, _, err := h.Store.SupportOffer(ctx, who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the interventions: %w", err)
	}
	if kind != "" && !slices.ContainsFunc(kinds, func(k selfrefer.Kind) bool { return k.Code == kind }) {
		bad = append(bad, ui.FieldError{Field: field, Sentence: "Select what you did"})
	}
	return bad, nil
}

// namedService finds a service of the directory by the name that was entered, if none was chosen.
func (h *Handler) namedService(ctx context.Context, who staff.Account, chosen selfrefer.ServiceID, place string) (selfrefer.ServiceID, error) {
	if chosen != 0 || place == "" {
		return max(chosen, 0), nil
	}
	all, err := h.Store.Services(ctx, who.Network)
	if err != nil {
		return 0, fmt.Errorf("read the directory: %w", err)
	}
	for _, s := range all {
		if s.Active && strings.EqualFold(s.Name, place) {
			return s.ID, nil
		}
	}
	return 0, nil
}

// discharge ends the support, with its reason.
func (h *Handler) discharge(w http.ResponseWriter, r *http.Request, who staff.Account, id selfrefer.ReferralID) error {
	c, err := checkContact(string(selfrefer.Close), "", r.PostFormValue("note"))
	var bad invalid
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	c.Reason = selfrefer.Discharge(r.PostFormValue("reason"))
	bad = append(bad, noReason(c, true)...)
	if bad != nil {
		return h.showSupport(w, r, who, id, http.StatusUnprocessableEntity, bad)
	}
	if _, err := h.Store.Act(r.Context(), who, id, c); err != nil {
		if told := conflictWords(err); told != "" {
			return h.showSupport(w, r, who, id, http.StatusConflict, []ui.FieldError{{Sentence: told}})
		}
		return fmt.Errorf("discharge: %w", err)
	}
	http.Redirect(w, r, queuePath+"?state=mine&done=close", http.StatusSeeOther)
	return nil
}

// noReason says what is missing of a discharge; a page always asks for the reason, a program may leave it out.
func noReason(c selfrefer.Contact, asked bool) (bad invalid) {
	if c.Event != selfrefer.Close {
		return nil
	}
	switch {
	case c.Reason == selfrefer.NotSaid && asked, c.Reason != selfrefer.NotSaid && c.Reason.Words() == "":
		bad = append(bad, ui.FieldError{Field: "reason", Sentence: "Select why the support has ended"})
	case c.Reason == selfrefer.OtherDischarge && c.Note == "":
		bad = append(bad, ui.FieldError{Field: "note", Sentence: "Enter the reason"})
	}
	return bad
}

// supportJSON is what was done with a person, as the API tells it.
type supportJSON struct {
	Referral      selfrefer.ReferralID `json:"referral"`
	State         selfrefer.State      `json:"state"`
	Ended         selfrefer.Discharge  `json:"ended,omitempty"`
	EndedAt       *time.Time           `json:"ended_at,omitempty"`
	Tasks         []taskJSON           `json:"tasks"`
	Goals         []goalJSON           `json:"goals"`
	Onward        []onwardJSON         `json:"onward"`
	Interventions []interventionJSON   `json:"interventions"`
	Measures      []measureJSON        `json:"measures"`
	Suggestions   []suggestionJSON     `json:"suggestions"`
}

type goalJSON struct {
	ID      selfrefer.EntryID   `json:"id"`
	Words   string              `json:"words"`
	State   selfrefer.GoalState `json:"state"`
	Set     selfrefer.Day       `json:"set"`
	Ended   selfrefer.Day       `json:"ended,omitempty"`
	By      holderJSON          `json:"by"`
	Removed bool                `json:"removed,omitempty"`
}

type onwardJSON struct {
	ID      selfrefer.EntryID     `json:"id"`
	Service selfrefer.ServiceID   `json:"service,omitempty"`
	Place   string                `json:"place"`
	How     selfrefer.OnwardHow   `json:"how"`
	State   selfrefer.OnwardState `json:"state"`
	Day     selfrefer.Day         `json:"day"`
	Changed selfrefer.Day         `json:"changed"`
	Why     string                `json:"why,omitempty"`
	By      holderJSON            `json:"by"`
	Removed bool                  `json:"removed,omitempty"`
}

type interventionJSON struct {
	ID      selfrefer.EntryID `json:"id"`
	Kind    string            `json:"kind"`
	Day     selfrefer.Day     `json:"day"`
	Minutes int               `json:"minutes,omitempty"`
	Note    string            `json:"note,omitempty"`
	By      holderJSON        `json:"by"`
	Removed bool              `json:"removed,omitempty"`
}

type measureJSON struct {
	ID      selfrefer.EntryID `json:"id"`
	Kind    string            `json:"kind"`
	Own     int64             `json:"own,omitempty"`
	Day     selfrefer.Day     `json:"day"`
	Scores  map[string]int    `json:"scores"`
	By      holderJSON        `json:"by"`
	Removed bool              `json:"removed,omitempty"`
}

type suggestionJSON struct {
	Service selfrefer.ServiceID `json:"service"`
	Name    string              `json:"name"`
	For     []string            `json:"for,omitempty"`
	Speaks  bool                `json:"speaks,omitempty"`
	Places  *int                `json:"places"`
}

func (h *Handler) getSupport(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	return h.tellSupport(w, r, who, id)
}

func (h *Handler) tellSupport(w http.ResponseWriter, r *http.Request, who staff.Account, id selfrefer.ReferralID) error {
	sup, err := h.Store.Support(r.Context(), who, id)
	if err != nil {
		return fmt.Errorf("read the support: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	services, err := h.Store.Services(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	by := func(id staff.AccountID) holderJSON { return holderJSON{id, name(id)} }
	j := supportJSON{Referral: id, State: sup.Referral.State, Ended: sup.Ended, Tasks: []taskJSON{}, Goals: []goalJSON{}, Onward: []onwardJSON{}, Interventions: []interventionJSON{}, Measures: []measureJSON{}, Suggestions: []suggestionJSON{}}
	if !sup.EndedAt.IsZero() {
		at := sup.EndedAt.UTC()
		j.EndedAt = &at
	}
	for _, t := range sup.Tasks {
		j.Tasks = append(j.Tasks, toldTask(t, name))
	}
	for _, g := range sup.Goals {
		j.Goals = append(j.Goals, goalJSON{g.ID, g.Words.Reveal(), g.State, g.Set, g.Ended, by(g.By), sup.Removed[g.ID]})
	}
	for _, o := range sup.Onward {
		j.Onward = append(j.Onward, onwardJSON{o.ID, o.Service, o.Place.Reveal(), o.How, o.State, o.Day, o.Changed, o.Why.Reveal(), by(o.By), sup.Removed[o.ID]})
	}
	for _, i := range sup.Interventions {
		j.Interventions = append(j.Interventions, interventionJSON{i.ID, i.Kind, i.Day, i.Minutes, i.Note.Reveal(), by(i.By), sup.Removed[i.ID]})
	}
	for _, m := range sup.Measures {
		j.Measures = append(j.Measures, measureJSON{m.ID, m.Kind, m.Own, m.Day, m.Scores, by(m.By), sup.Removed[m.ID]})
	}
	for _, g := range selfrefer.Suggest(services, sup.Referral.Answers, sup.Referral.Language) {
		if !g.Fits() || len(j.Suggestions) == mostSuggested {
			break
		}
		j.Suggestions = append(j.Suggestions, suggestionJSON{g.Service.ID, g.Service.Name, g.For, g.Speaks, toldPlaces(g.Service)})
	}
	return writeJSON(w, http.StatusOK, j)
}

// changeJSON is one change: exactly one of its fields.
type changeJSON struct {
	Task *struct {
		Kind  selfrefer.TaskKind `json:"kind"`
		Words string             `json:"words"`
		Due   string             `json:"due"`
		For   staff.AccountID    `json:"for"`
	} `json:"task"`
	TickTask *struct {
		ID   selfrefer.EntryID `json:"id"`
		Done bool              `json:"done"`
	} `json:"tick_task"`
	Goal *struct {
		Words string `json:"words"`
	} `json:"goal"`
	SetGoal *struct {
		ID    selfrefer.EntryID   `json:"id"`
		State selfrefer.GoalState `json:"state"`
	} `json:"set_goal"`
	Onward *struct {
		Service selfrefer.ServiceID   `json:"service"`
		Place   string                `json:"place"`
		How     selfrefer.OnwardHow   `json:"how"`
		State   selfrefer.OnwardState `json:"state"`
		Day     string                `json:"day"`
		Why     string                `json:"why"`
	} `json:"onward"`
	SetOnward *struct {
		ID    selfrefer.EntryID     `json:"id"`
		State selfrefer.OnwardState `json:"state"`
		Why   string                `json:"why"`
	} `json:"set_onward"`
	Intervention *struct {
		Kind    string `json:"kind"`
		Day     string `json:"day"`
		Minutes int    `json:"minutes"`
		Note    string `json:"note"`
	} `json:"intervention"`
	Measure *struct {
		Kind   string         `json:"kind"`
		Own    int64          `json:"own"`
		Day    string         `json:"day"`
		Scores map[string]int `json:"scores"`
	} `json:"measure"`
	Remove *struct {
		Kind    selfrefer.SupportEntry `json:"kind"`
		ID      selfrefer.EntryID      `json:"id"`
		Removed bool                   `json:"removed"`
	} `json:"remove"`
}

func (h *Handler) recordSupport(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	var j changeJSON
	if err := readJSON(w, r, &j); err != nil {
		return err
	}
	changes, bad, err := h.changes(r.Context(), who, j)
	if err != nil {
		return err
	}
	if len(changes) != 1 {
		return invalid{{Sentence: "Send exactly one thing to record."}}
	}
	for _, f := range changes[0].Check(h.today()) {
		bad = append(bad, ui.FieldError{Field: f.Field, Sentence: f.Field + ": " + f.Sentence + "."})
	}
	if bad != nil {
		return bad
	}
	if err := h.Store.RecordSupport(r.Context(), who, id, changes[0]); err != nil {
		return fmt.Errorf("record support: %w", err)
	}
	return h.tellSupport(w, r, who, id)
}

func (h *Handler) changes(ctx context.Context, who staff.Account, j changeJSON) (all []selfrefer.Change, bad invalid, err error) {
	free := func(s string) selfrefer.FreeText { return selfrefer.FreeText(strings.TrimSpace(s)) }
	day := func(s, field string) selfrefer.Day {
		if s == "" {
			return ""
		}
		d, err := selfrefer.ParseDay(s)
		if err != nil {
			bad = append(bad, ui.FieldError{Field: field, Sentence: field + ": " + capital(err.Error()) + "."})
		}
		return d
	}
	if t := j.Task; t != nil {
		all = append(all, selfrefer.AddTask{Task: selfrefer.Task{Kind: cmp.Or(t.Kind, selfrefer.PlainTask), Words: free(t.Words), Due: day(t.Due, "due"), For: t.For}})
	}
	if t := j.TickTask; t != nil {
		all = append(all, selfrefer.TickTask{ID: t.ID, Done: t.Done})
	}
	if g := j.Goal; g != nil {
		all = append(all, selfrefer.AddGoal{Goal: selfrefer.Goal{Words: free(g.Words), Set: h.today()}})
	}
	if g := j.SetGoal; g != nil {
		all = append(all, selfrefer.SetGoal{ID: g.ID, State: g.State, On: h.today()})
	}
	if o := j.Onward; o != nil {
		place := strings.Join(strings.Fields(o.Place), " ")
		service, err := h.namedService(ctx, who, o.Service, place)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, selfrefer.AddOnward{Onward: selfrefer.OnwardReferral{Service: service, Place: selfrefer.FreeText(place), How: o.How, State: o.State, Day: cmp.Or(day(o.Day, "day"), h.today()), Why: free(o.Why)}})
	}
	if o := j.SetOnward; o != nil {
		all = append(all, selfrefer.SetOnward{ID: o.ID, State: o.State, On: h.today(), Why: free(o.Why)})
	}
	if i := j.Intervention; i != nil {
		all = append(all, selfrefer.AddIntervention{Intervention: selfrefer.Intervention{Kind: i.Kind, Day: cmp.Or(day(i.Day, "day"), h.today()), Minutes: i.Minutes, Note: free(i.Note)}})
		if bad, err = h.knownKind(ctx, who, i.Kind, "kind", bad); err != nil {
			return nil, nil, err
		}
	}
	if m := j.Measure; m != nil {
		_, own, err := h.Store.SupportOffer(ctx, who.Network)
		if err != nil {
			return nil, nil, fmt.Errorf("read the measures: %w", err)
		}
		of, _ := selfrefer.InstrumentOf(m.Kind, m.Own, own)
		all = append(all, selfrefer.AddMeasure{Measure: selfrefer.Measure{Kind: of.Kind, Own: of.Own, Day: cmp.Or(day(m.Day, "day"), h.today()), Scores: m.Scores}, Of: of})
	}
	if e := j.Remove; e != nil {
		all = append(all, selfrefer.Remove{Kind: e.Kind, ID: e.ID, Removed: e.Removed})
	}
	return all, bad, nil
}

// part is one part of the page beside the page itself: a template takes one thing.
type part struct {
	Page      ui.Page
	Of        entryList
	Kind, Set string // what its forms send
	Words     string // of the form for one more
}

// Part gives a part of the page to a template.
func (s supportScreen) Part(p ui.Page, kind string) part {
	switch kind {
	case "goal":
		return part{p, s.Goals, kind, "set-goal", "Add a goal"}
	case "intervention":
		return part{p, s.Done, kind, "", "Add what you did"}
	}
	return part{p, s.Onward, kind, "set-onward", "Add an onward referral"}
}

// Taken gives the days on which a measure was taken to a template.
func (s supportScreen) Taken(p ui.Page, m measured) part {
	return part{Page: p, Of: entryList{Entries: m.Entries}, Kind: string(selfrefer.MeasureEntry)}
}
