package desk

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
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

const wordsPath = "/desk/words"

// The parts of a network's words, as addresses and faults name them.
const (
	partHelp    = "help"
	partReasons = "reasons"
)

// ownWordsScreen is the data of ownwords.html.
type ownWordsScreen struct {
	Network  string
	Form     string // where patients without a link begin
	Edits    bool
	Version  int64
	Changed  string // who changed the words last, and when
	Own      bool   // something differs from the standard
	Before   bool   // something else stood before
	Danger   []wordsRow
	Help     []wordsRow
	Reasons  []wordsRow
	Missing  string
	Language string // of the preview
	Others   []ui.NavItem
	Preview  preview
}

// wordsRow is one place of a list, with what can be done to it.
type wordsRow struct {
	Version int64
	Part    string
	Entry   int
	Words   string
	Number  string
	Breaks  bool
	Hidden  bool
	Notes   []string
	Href    string // of its own page; "" if there is nothing to change
	Buttons []wordsButton
}

type wordsButton struct{ Do, Text string }

// offer adds a button if it can be pressed.
func (row *wordsRow) offer(can bool, do, text string) {
	if can {
		row.Buttons = append(row.Buttons, wordsButton{do, text})
	}
}

// preview is what patients see, as far as it is the network's to change.
type preview struct {
	Danger, Help []previewLine
	Reasons      []previewLine
}

// previewLine is a line in its own language, or a standard one as staff know it.
type previewLine struct {
	Words     string
	Lang, Dir string
	Show      string
	Href      template.URL
	Breaks    bool // an address, which may be longer than a phone is wide
}

func lineOf(l selfrefer.HelpLine) previewLine {
	p := previewLine{Words: l.Words, Show: l.Show, Href: template.URL(l.Href), Breaks: l.By == selfrefer.ByPage} // package selfrefer makes it of digits or of a parsed address
	if l.Key != "" {
		p.Words = selfrefer.OwnLine{Key: l.Key}.About()
		return p
	}
	p.Lang, p.Dir = string(l.Lang), l.Lang.Dir()
	return p
}

func previewOf(w selfrefer.Words, c lang.Code) (p preview) {
	for _, l := range w.Help(c) {
		if l.Emergency {
			p.Danger = append(p.Danger, lineOf(l))
		} else {
			p.Help = append(p.Help, lineOf(l))
		}
	}
	for _, r := range w.Reasons(c) {
		line := previewLine{Words: r.Label, Lang: string(r.Lang), Dir: r.Lang.Dir()}
		if r.Label == "" {
			line = previewLine{Words: selfrefer.OwnReason{Code: r.Code}.About()}
		}
		p.Reasons = append(p.Reasons, line)
	}
	return p
}

func (h *Handler) ownWordsPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showOwnWords(w, r, who, http.StatusOK, nil)
}

// showOwnWords shows the lists as they are now.
func (h *Handler) showOwnWords(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	ctx := r.Context()
	e, err := h.Store.Edition(ctx, who.Network)
	if err != nil {
		return fmt.Errorf("read what patients read: %w", err)
	}
	network, err := h.Store.Network(ctx, who.Network)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	c := lang.English
	if wanted := lang.Code(r.URL.Query().Get("language")); lang.Known(wanted) {
		c = wanted
	}
	full := e.Full()
	s := ownWordsScreen{Network: network.Name, Form: fmt.Sprintf("/help/%d", network.ID), Edits: staff.May(who, staff.EditWords, who.Network) == nil, Version: e.Version,
		Own: !e.Same(selfrefer.Words{}), Before: e.Version > 0 && !e.Same(e.Before), Language: lang.Of(c).Name, Preview: previewOf(e.Words, c)}
	if e.Version > 0 {
		name, err := h.names(ctx, who.Network)
		if err != nil {
			return err
		}
		s.Changed = fmt.Sprintf("Last changed by %s at %s.", name(e.By), h.when(e.At))
	}
	add := func(to []wordsRow, row wordsRow) []wordsRow {
		if row.Version = e.Version; !s.Edits {
			row.Href, row.Buttons = "", nil
		}
		return append(to, row)
	}
	for i := range full.Lines {
		if row := lineRow(full.Lines, i); full.Lines[i].Emergency() {
			s.Danger = add(s.Danger, row)
		} else {
			s.Help = add(s.Help, row)
		}
	}
	for i := range full.Options {
		s.Reasons = add(s.Reasons, reasonRow(full.Options, i))
	}
	var missing []string
	for _, m := range e.Missing() {
		missing = append(missing, m.Words)
	}
	s.Missing = strings.Join(missing, ", ")
	for _, l := range lang.All {
		s.Others = append(s.Others, ui.NavItem{Text: l.Name, Href: wordsPath + "?language=" + string(l.Code) + "#preview", Current: l.Code == c})
	}
	return h.show(w, r, status, "ownwords", ui.Page{Title: "What patients read", Errors: errs, Notice: wordsNotice(r), Data: s})
}

// wordsNotice says what was done just now.
func wordsNotice(r *http.Request) string {
	return map[string]string{
		"saved":    "Saved. Patients read it within a minute.",
		"standard": "Patients read the standard words again, within a minute.",
		"back":     "What stood before the last change is back. Patients read it within a minute.",
	}[r.URL.Query().Get("done")]
}

func lineRow(all []selfrefer.OwnLine, i int) wordsRow {
	l := all[i]
	row := wordsRow{Part: partHelp, Entry: i, Words: l.About(), Number: l.Reached(), Breaks: l.By == selfrefer.ByPage, Hidden: l.Hidden}
	if instead := l.InPlaceOf(); instead != "" {
		row.Notes = append(row.Notes, "In the place of: "+instead)
	}
	if l.Fixed() {
		row.Notes = append(row.Notes, "Always at the top")
		return row
	}
	if !l.Standard() {
		row.Notes = append(row.Notes, "Written in "+languages(l.Words))
	}
	row.Href = fmt.Sprintf("%s/%s/%d", wordsPath, partHelp, i)
	row.offer(!l.Hidden, "hide", "Hide")
	row.offer(l.Hidden, "show", "Show")
	row.offer(beside(all, i, -1), "up", "Move up")
	row.offer(beside(all, i, +1), "down", "Move down")
	row.offer(l.Key == "", "remove", "Remove")
	row.offer(l.Key != "" && !l.Standard(), "standard", "Use the standard again instead of")
	return row
}

// beside reports whether a line may change places with its neighbour: within its part of the page, and not before 999.
func beside(all []selfrefer.OwnLine, i, step int) bool {
	j := i + step
	return j >= 0 && j < len(all) && !all[j].Fixed() && all[i].Emergency() == all[j].Emergency()
}

func reasonRow(all []selfrefer.OwnReason, i int) wordsRow {
	o := all[i]
	row := wordsRow{Part: partReasons, Entry: i, Words: o.About(), Hidden: o.Hidden}
	if !o.Standard() {
		row.Notes = []string{"Counts as: " + selfrefer.OwnReason{Code: o.Code}.About(), "Written in " + languages(o.Labels)}
		row.Href = fmt.Sprintf("%s/%s/%d", wordsPath, partReasons, i)
	}
	row.offer(!o.Hidden, "hide", "Hide")
	row.offer(o.Hidden, "show", "Show")
	row.offer(i > 0, "up", "Move up")
	row.offer(i+1 < len(all), "down", "Move down")
	row.offer(!o.Standard(), "remove", "Remove")
	return row
}

// languages names those that words are written in; "" for standard words, which the form has in all.
func languages(words map[lang.Code]string) string {
	var names []string
	for _, l := range lang.All {
		if words[l.Code] != "" {
			names = append(names, l.Name)
		}
	}
	return strings.Join(names, ", ")
}

// changeWords is a button of the lists.
func (h *Handler) changeWords(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	e, err := h.Store.Edition(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read what patients read: %w", err)
	}
	done, next := "saved", e.Full()
	switch do := r.PostFormValue("do"); do {
	case "standard-all":
		done, next = "standard", selfrefer.Words{}
	case "back":
		done, next = "back", e.Before
	default:
		i, err := strconv.Atoi(r.PostFormValue("entry"))
		ok := err == nil // that nobody has changed the lists since, the store sees to
		if ok && r.PostFormValue("part") == partHelp {
			next.Lines, ok = changeLine(next.Lines, i, do)
		} else if ok {
			next.Options, ok = changeReason(next.Options, i, do)
		}
		if !ok {
			return h.changedBefore(w, r, who)
		}
	}
	return h.setWords(w, r, who, next, done)
}

// changeLine does to a line what a button says; false if that cannot be.
func changeLine(all []selfrefer.OwnLine, i int, do string) ([]selfrefer.OwnLine, bool) {
	if i < 0 || i >= len(all) || all[i].Fixed() {
		return all, false
	}
	switch l := &all[i]; {
	case do == "hide", do == "show":
		l.Hidden = do == "hide"
	case do == "up" && beside(all, i, -1):
		all[i-1], all[i] = all[i], all[i-1]
	case do == "down" && beside(all, i, +1):
		all[i+1], all[i] = all[i], all[i+1]
	case do == "remove" && l.Key == "":
		all = slices.Delete(all, i, i+1)
	case do == "standard" && l.Key != "":
		*l = selfrefer.OwnLine{Key: l.Key}
	default:
		return all, false
	}
	return all, true
}

// changeReason is changeLine for reasons.
func changeReason(all []selfrefer.OwnReason, i int, do string) ([]selfrefer.OwnReason, bool) {
	if i < 0 || i >= len(all) {
		return all, false
	}
	switch o := &all[i]; {
	case do == "hide", do == "show":
		o.Hidden = do == "hide"
	case do == "up" && i > 0:
		all[i-1], all[i] = all[i], all[i-1]
	case do == "down" && i+1 < len(all):
		all[i+1], all[i] = all[i], all[i+1]
	case do == "remove" && !o.Standard():
		all = slices.Delete(all, i, i+1)
	default:
		return all, false
	}
	return all, true
}

var errWordsChanged = ui.FieldError{Sentence: "Somebody else has changed these words since you opened the page. Below they are as they stand now"}

func (h *Handler) changedBefore(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showOwnWords(w, r, who, http.StatusConflict, []ui.FieldError{errWordsChanged})
}

// setWords keeps words and goes back to the lists, or says there why not.
func (h *Handler) setWords(w http.ResponseWriter, r *http.Request, who staff.Account, next selfrefer.Words, done string) error {
	if _, faults := next.Check(); len(faults) > 0 {
		return h.showOwnWords(w, r, who, http.StatusUnprocessableEntity, fieldErrors(faults, "", -1))
	}
	version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err != nil {
		return h.changedBefore(w, r, who)
	}
	_, err = h.Store.SetWords(r.Context(), who, version, next)
	if errors.Is(err, selfrefer.ErrChanged) {
		return h.changedBefore(w, r, who)
	}
	if err != nil {
		return fmt.Errorf("change what patients read: %w", err)
	}
	http.Redirect(w, r, wordsPath+"?done="+done, http.StatusSeeOther)
	return nil
}

// fieldErrors puts the faults of an entry beside its fields; those of others have no field on the page.
func fieldErrors(faults []selfrefer.Fault, part string, entry int) (errs []ui.FieldError) {
	for _, f := range faults {
		e := ui.FieldError{Sentence: strings.TrimSuffix(f.Sentence, ".")}
		if f.Part == part && f.Entry == entry {
			e.Field = strings.NewReplacer("labels.", "words-", "words.", "words-").Replace(f.Field)
		}
		if !slices.Contains(errs, e) {
			errs = append(errs, e)
		}
	}
	return errs
}

// ownWordScreen is the data of ownword.html.
type ownWordScreen struct {
	Action  string
	Version string
	Lead    string
	First   []ui.Field // how it is reached, or what it stands for
	English ui.Field
	Others  []ui.Field
	Preview []previewLine
}

// entry is one place of the words as its page edits it.
type entry struct {
	part   string
	at     int // len: a new one
	words  selfrefer.Words
	line   *selfrefer.OwnLine
	reason *selfrefer.OwnReason
}

// entryOf finds what a page is about, within the full lists.
func entryOf(r *http.Request, w selfrefer.Words) (e entry, ok bool) {
	e = entry{part: chi.URLParam(r, "part"), words: w.Full()}
	added := chi.URLParam(r, "entry") == "new"
	i, err := strconv.Atoi(chi.URLParam(r, "entry"))
	switch {
	case e.part == partHelp && added:
		e.words.Lines = append(e.words.Lines, selfrefer.OwnLine{By: selfrefer.ByPhone})
		e.at = len(e.words.Lines) - 1
	case e.part == partReasons && added:
		e.words.Options = append(e.words.Options, selfrefer.OwnReason{})
		e.at = len(e.words.Options) - 1
	case e.part == partHelp && err == nil && i >= 0 && i < len(e.words.Lines) && !e.words.Lines[i].Fixed():
		e.at = i
	case e.part == partReasons && err == nil && i >= 0 && i < len(e.words.Options) && !e.words.Options[i].Standard():
		e.at = i
	default:
		return e, false
	}
	if e.part == partHelp {
		e.line = &e.words.Lines[e.at]
	} else {
		e.reason = &e.words.Options[e.at]
	}
	return e, true
}

func (h *Handler) ownWordPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	now, err := h.Store.Edition(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read what patients read: %w", err)
	}
	e, ok := entryOf(r, now.Words)
	if !ok {
		return staff.ErrNotFound
	}
	return h.showOwnWord(w, r, http.StatusOK, e, strconv.FormatInt(now.Version, 10), nil, nil)
}

func (h *Handler) showOwnWord(w http.ResponseWriter, r *http.Request, status int, e entry, version string, seen []previewLine, errs []ui.FieldError) error {
	s := ownWordScreen{Action: r.URL.Path, Version: version, Preview: seen}
	added := chi.URLParam(r, "entry") == "new"
	var title string
	var words map[lang.Code]string
	hint, most := "", 0
	if l := e.line; l != nil {
		title, words, most = "Change a line of urgent help", l.Words, selfrefer.MaxLineWords
		if added {
			title = "Add a line of urgent help"
		}
		if instead := (selfrefer.OwnLine{Key: l.Key}).About(); l.Key != "" {
			title, s.Lead = "Replace: "+instead, "Patients will read your line in the place of this one."
		}
		hint = "Who that is and when they answer, like: Riverside crisis line, at any time of day or night"
		s.First = []ui.Field{
			{Kind: ui.Radios, Name: "by", Label: "How people reach it", Size: "s", Small: true, Value: string(l.By), Options: []ui.Option{
				{Value: string(selfrefer.ByPhone), Label: "By calling a number"}, {Value: string(selfrefer.ByText), Label: "By texting a number"}, {Value: string(selfrefer.ByPage), Label: "On a web page"}}},
			{Name: "number", Label: "Number or address", Size: "s", Width: 30, NoSpellcheck: true, Value: l.Number, Hint: "As people should read it, like 0151 496 0000. A web page begins with https://"},
		}
	} else {
		title, words, most = "Change a reason", e.reason.Labels, selfrefer.MaxLabel
		if added {
			title = "Add a reason"
		}
		hint = "As a patient would say it, like: I cannot pay for food or heating"
		options := []ui.Option{{Label: "Choose one"}}
		for _, known := range selfrefer.Reasons {
			options = append(options, ui.Option{Value: known.Code, Label: known.Words})
		}
		s.First = []ui.Field{{Kind: ui.Select, Name: "code", Label: "Counts as", Size: "s", Hint: "Reports count these 13 reasons", Value: e.reason.Code, Options: options}}
	}
	for _, l := range lang.All {
		f := ui.Field{Name: "words-" + string(l.Code), Label: l.Name, Value: words[l.Code]}
		if l.Code == lang.English {
			f.Label, f.Size, f.Hint = "Words in English", "s", fmt.Sprintf("%s. %d characters at most", hint, most)
			s.English = f
			continue
		}
		f.Label = fmt.Sprintf("%s (%s)", l.Name, l.Own)
		s.Others = append(s.Others, f)
	}
	return h.show(w, r, status, "ownword", ui.Page{Title: title, Back: wordsPath, Errors: errs, Data: s})
}

// setOwnWord takes the page of one line or reason: shows how it would look, or keeps it.
func (h *Handler) setOwnWord(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	now, err := h.Store.Edition(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read what patients read: %w", err)
	}
	e, ok := entryOf(r, now.Words)
	if !ok {
		return staff.ErrNotFound
	}
	words := map[lang.Code]string{}
	for _, l := range lang.All {
		if s := r.PostFormValue("words-" + string(l.Code)); strings.TrimSpace(s) != "" {
			words[l.Code] = s
		}
	}
	if len(words) == 0 {
		words[lang.English] = "" // without any it would be taken for the standard one
	}
	if e.line != nil {
		e.line.Words, e.line.By, e.line.Number = words, selfrefer.By(r.PostFormValue("by")), r.PostFormValue("number")
	} else {
		e.reason.Labels, e.reason.Code = words, r.PostFormValue("code")
	}
	version := r.PostFormValue("version")
	tidy, faults := e.words.Check()
	if len(faults) > 0 {
		return h.showOwnWord(w, r, http.StatusUnprocessableEntity, e, version, nil, fieldErrors(faults, e.part, e.at))
	}
	if r.PostFormValue("do") == "preview" {
		return h.showOwnWord(w, r, http.StatusOK, e, version, e.seen(tidy), nil)
	}
	read, err := strconv.ParseInt(version, 10, 64)
	if err == nil {
		_, err = h.Store.SetWords(r.Context(), who, read, tidy)
	} else {
		err = selfrefer.ErrChanged
	}
	if errors.Is(err, selfrefer.ErrChanged) {
		sentence := "Somebody else has changed the lists since you opened this page. Copy your words, go back, and open the line again"
		if chi.URLParam(r, "entry") == "new" { // belongs to nothing that may have moved
			sentence, version = "Somebody else has changed the lists since you opened this page. Look at them, then save again", strconv.FormatInt(now.Version, 10)
		}
		return h.showOwnWord(w, r, http.StatusConflict, e, version, nil, []ui.FieldError{{Sentence: sentence}})
	}
	if err != nil {
		return fmt.Errorf("change what patients read: %w", err)
	}
	http.Redirect(w, r, wordsPath+"?done=saved", http.StatusSeeOther)
	return nil
}

// seen is the entry in each language in which it is written, as patients would see it.
func (e entry) seen(tidy selfrefer.Words) (out []previewLine) {
	for _, l := range lang.All {
		if e.line != nil {
			line := tidy.Lines[e.at]
			if line.Words[l.Code] == "" {
				continue
			}
			line.Hidden, line.Key = false, ""
			for _, shown := range (selfrefer.Words{Lines: []selfrefer.OwnLine{line}}).Help(l.Code) {
				if shown.Key == "" {
					out = append(out, lineOf(shown))
				}
			}
		} else if s := tidy.Options[e.at].Labels[l.Code]; s != "" {
			out = append(out, previewLine{Words: s, Lang: string(l.Code), Dir: l.Code.Dir()})
		}
	}
	return out
}

// wordsJSON is what patients read as the API tells and takes it.
type wordsJSON struct {
	Version   int64                 `json:"version"`
	Help      []selfrefer.OwnLine   `json:"help"`
	Reasons   []selfrefer.OwnReason `json:"reasons"`
	Missing   []string              `json:"missing"` // codes that nobody can choose
	ChangedBy *holderJSON           `json:"changed_by,omitempty"`
	ChangedAt *time.Time            `json:"changed_at,omitempty"`
}

func (h *Handler) getWords(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	e, err := h.Store.Edition(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read what patients read: %w", err)
	}
	return h.writeWords(w, r, who, e)
}

func (h *Handler) writeWords(w http.ResponseWriter, r *http.Request, who staff.Account, e selfrefer.Edition) error {
	full := e.Full()
	out := wordsJSON{Version: e.Version, Help: full.Lines, Reasons: full.Options, Missing: []string{}}
	for _, m := range e.Missing() {
		out.Missing = append(out.Missing, m.Code)
	}
	if e.Version > 0 {
		name, err := h.names(r.Context(), who.Network)
		if err != nil {
			return err
		}
		at := e.At.UTC()
		out.ChangedBy, out.ChangedAt = &holderJSON{e.By, name(e.By)}, &at
	}
	return writeJSON(w, http.StatusOK, out)
}

// putWords replaces all words. It takes what getWords gives; missing, changed_by and changed_at are not looked at.
func (h *Handler) putWords(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var in wordsJSON
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Help == nil || in.Reasons == nil {
		return invalid{{Sentence: "help or reasons is missing: send both lists whole, or [] for the standard one."}}
	}
	words, faults := selfrefer.Words{Lines: in.Help, Options: in.Reasons}.Check()
	var bad invalid
	for _, f := range faults {
		where := f.Part
		if f.Entry >= 0 {
			where = fmt.Sprintf("%s[%d]", f.Part, f.Entry)
		}
		bad = append(bad, ui.FieldError{Field: where, Sentence: where + ": " + f.Sentence})
	}
	if bad != nil {
		return bad
	}
	e, err := h.Store.SetWords(r.Context(), who, in.Version, words)
	if err != nil {
		return fmt.Errorf("change what patients read: %w", err)
	}
	return h.writeWords(w, r, who, e)
}
