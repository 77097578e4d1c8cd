package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const (
	practicesPath     = "/desk/practices"
	practiceCodesPath = practicesPath + "/codes"
)

// maxReason is for the reason of a file that is made again, in letters.
const maxReason = 500

// groups are the kinds of entries as the page counts them.
var groups = []struct {
	words string
	kinds []selfrefer.EntryKind
}{
	{"Texts", []selfrefer.EntryKind{selfrefer.EntryText}},
	{"Not delivered", []selfrefer.EntryKind{selfrefer.EntryUndelivered}},
	{"Opt-outs", []selfrefer.EntryKind{selfrefer.EntryOptOut, selfrefer.EntryResumed}},
	{"Corrections", []selfrefer.EntryKind{selfrefer.EntryCorrection, selfrefer.EntryWithdrawn}},
	{"Referrals", []selfrefer.EntryKind{selfrefer.EntryReferral, selfrefer.EntryAccepted, selfrefer.EntryDeclined, selfrefer.EntryUnreachable, selfrefer.EntryClosed}},
}

func inGroup(counts map[selfrefer.EntryKind]int, kinds []selfrefer.EntryKind) (n int) {
	for _, k := range kinds {
		n += counts[k]
	}
	return n
}

// holding says what a file holds: "52 texts, 3 opt-outs".
func holding(counts map[selfrefer.EntryKind]int) string {
	var parts []string
	for _, g := range groups {
		if n := inGroup(counts, g.kinds); n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", strings.ToLower(g.words[:1])+g.words[1:], thousands(n)))
		}
	}
	return capital(cmp.Or(strings.Join(parts, ", "), "nothing"))
}

// thousands writes 52000 as 52,000.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func practicePath(ods string) string { return practicesPath + "/" + url.PathEscape(ods) }

func (h *Handler) practicesPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	news, err := h.Store.PracticeNews(r.Context(), who)
	if err != nil {
		return fmt.Errorf("count what is new: %w", err)
	}
	t := ui.Table{Caption: "Not told yet", Stacked: true, RowHeaders: true, Empty: "Your network has no practices.", Head: []ui.Cell{{Text: "Practice"}}}
	for _, g := range groups {
		t.Head = append(t.Head, ui.Cell{Text: g.words, Numeric: true})
	}
	t.Head = append(t.Head, ui.Cell{Text: "Last file"})
	for _, n := range news {
		row := []ui.Cell{{Text: cmp.Or(n.Practice.Name, n.Practice.ODS), Href: practicePath(n.Practice.ODS)}}
		for _, g := range groups {
			row = append(row, ui.Cell{Text: thousands(inGroup(n.Counts, g.kinds)), Numeric: true})
		}
		last := ui.Cell{Text: capital(cmp.Or(h.when(n.Last.Made), "none"))}
		if n.Begun {
			last = ui.Cell{Text: "One is not finished", Tag: "yellow"}
		}
		t.Rows = append(t.Rows, append(row, last))
	}
	return h.show(w, r, http.StatusOK, "practices", ui.Page{Title: "Back to practices", Data: t})
}

// practiceScreen is the data of practice.html.
type practiceScreen struct {
	Path  string
	News  ui.SummaryList
	New   int
	Begun string // how far the file is that is being made
	Files []fileRow
}

type fileRow struct {
	ID                       int64
	Title, Holds, Made, Took string
	Why                      string // of one that tells again
	Ready, Deleted           bool
	CSV, FHIR, Again         string
	Reason                   ui.Field
}

func (h *Handler) practicePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showPractice(w, r, who, http.StatusOK, nil)
}

func (h *Handler) showPractice(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	ods := chi.URLParam(r, "ods")
	files, err := h.Store.PracticeFiles(r.Context(), who, ods)
	if err != nil {
		return fmt.Errorf("read the files of a practice: %w", err)
	}
	all, err := h.Store.PracticeNews(r.Context(), who)
	if err != nil {
		return fmt.Errorf("count what is new: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	s := practiceScreen{Path: practicePath(ods)}
	title := ods
	for _, n := range all {
		if n.Practice.ODS != ods {
			continue
		}
		title, s.New = cmp.Or(n.Practice.Name, ods), n.New()
		if n.Begun {
			s.Begun = "A file is being made."
		}
		for _, kind := range selfrefer.EntryKinds {
			if n.Counts[kind] > 0 {
				s.News.Rows = append(s.News.Rows, ui.SummaryRow{Key: kind.Words(), Values: []ui.Cell{{Text: thousands(n.Counts[kind])}}})
			}
		}
	}
	for _, f := range files {
		if f.Gathered > 0 && s.Begun != "" {
			s.Begun = fmt.Sprintf("A file is being made: %s of its entries are ready.", thousands(f.Gathered))
		}
		row := fileRow{ID: f.ID, Title: "Made " + h.when(f.Made), Holds: holding(f.Counts), Made: "By " + cmp.Or(name(f.By), "the system"), Took: "Not downloaded yet", Ready: f.Ready, Deleted: f.Deleted,
			CSV: fmt.Sprintf("%s/%d/csv", s.Path, f.ID), FHIR: fmt.Sprintf("%s/%d/fhir", s.Path, f.ID), Again: fmt.Sprintf("%s/%d/again", s.Path, f.ID)}
		if f.Taken > 0 {
			row.Took = fmt.Sprintf("Downloaded %s, the last time %s by %s", plural(f.Taken, "time"), h.when(f.TakenAt), name(f.TakenBy))
		}
		if f.AgainOf != 0 {
			row.Why = f.Reason
		}
		id := fmt.Sprint("reason-", f.ID)
		row.Reason = ui.Field{Name: "reason", ID: id, Label: "Why does this have to be told again?", Hint: "Do not name a patient", Kind: ui.Textarea, Rows: 2}
		if len(errs) > 0 && errs[0].Field == id {
			row.Reason.Error = errs[0].Sentence
		}
		s.Files = append(s.Files, row)
	}
	notice := map[string]string{"made": "The file is ready. Download it below.", "nothing": "There is nothing that this practice has not been told.", "again": "The file is ready: it tells the same again.",
		"going": "The file is being made. You can close this page meanwhile."}[r.URL.Query().Get("done")]
	page := ui.Page{Title: title, Back: practicesPath, Notice: notice, Errors: errs, Data: s}
	if s.Begun != "" {
		page.Refresh = 15
	}
	return h.show(w, r, status, "practice", page)
}

// madeWithin is how long a page waits for a file. A longer one is told of while it is being made.
const madeWithin = 5 * time.Second

// makePracticeFile makes a file, whether or not the person waits for it.
func (h *Handler) makePracticeFile(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	ods := chi.URLParam(r, "ods")
	var f selfrefer.PracticeFile
	var err error
	made := make(chan struct{})
	go func() {
		defer close(made)
		if f, err = h.Store.MakePracticeFile(context.WithoutCancel(r.Context()), who, ods); err != nil && !errors.Is(err, selfrefer.ErrNothingNew) && r.Context().Err() != nil {
			h.Log.Error("a practice's file was not made", "err", err) // nobody is there to be told
		}
	}()
	long := make(<-chan time.Time)
	if !isAPI(r) {
		long = time.After(madeWithin)
	}
	select {
	case <-made:
	case <-r.Context().Done():
		return r.Context().Err()
	case <-long:
		http.Redirect(w, r, practicePath(ods)+"?done=going", http.StatusSeeOther)
		return nil
	}
	if !isAPI(r) && (err == nil || errors.Is(err, selfrefer.ErrNothingNew)) {
		done := "made"
		if err != nil {
			done = "nothing"
		}
		http.Redirect(w, r, practicePath(ods)+"?done="+done, http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return fmt.Errorf("make a practice's file: %w", err)
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/practices/%s/files/%d/csv", ods, f.ID))
	return writeJSON(w, http.StatusCreated, fileAsJSON(f))
}

func (h *Handler) practiceFileAgain(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	ods := chi.URLParam(r, "ods")
	id, err := pathID[int64](r, "file")
	if err != nil {
		return err
	}
	var in struct {
		Reason string `json:"reason"`
	}
	if isAPI(r) {
		err = readJSON(w, r, &in)
	} else if err = readForm(w, r); err == nil {
		in.Reason = r.PostFormValue("reason")
	}
	if err != nil {
		return err
	}
	if in.Reason = strings.TrimSpace(in.Reason); in.Reason == "" || len([]rune(in.Reason)) > maxReason {
		bad := invalid{{Field: fmt.Sprint("reason-", id), Sentence: fmt.Sprintf("Say why it has to be told again, in %d letters at most", maxReason)}}
		if isAPI(r) {
			return bad
		}
		return h.showPractice(w, r, who, http.StatusUnprocessableEntity, bad)
	}
	f, err := h.Store.MakeAgain(r.Context(), who, ods, id, in.Reason)
	if err != nil {
		return fmt.Errorf("make a practice's file again: %w", err)
	}
	if isAPI(r) {
		w.Header().Set("Location", fmt.Sprintf("/api/v1/practices/%s/files/%d/csv", ods, f.ID))
		return writeJSON(w, http.StatusCreated, fileAsJSON(f))
	}
	http.Redirect(w, r, practicePath(ods)+"?done=again", http.StatusSeeOther)
	return nil
}

// formats are the ways in which a file is written.
var formats = map[string]struct {
	kind, ending string
	writer       func(h *Handler, w http.ResponseWriter, f selfrefer.PracticeFile) (selfrefer.PracticeWriter, error)
}{
	"csv": {"text/csv; charset=utf-8", "csv", func(h *Handler, w http.ResponseWriter, f selfrefer.PracticeFile) (selfrefer.PracticeWriter, error) {
		return selfrefer.NewPracticeCSV(w, f, h.zone)
	}},
	"fhir": {"application/fhir+json; charset=utf-8", "json", func(_ *Handler, w http.ResponseWriter, f selfrefer.PracticeFile) (selfrefer.PracticeWriter, error) {
		return selfrefer.NewPracticeFHIR(w, f)
	}},
}

// takePracticeFile streams a file: a long one never stands in memory.
func (h *Handler) takePracticeFile(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[int64](r, "file")
	if err != nil {
		return err
	}
	format, ok := formats[chi.URLParam(r, "format")]
	if !ok {
		return staff.ErrNotFound
	}
	f, err := h.Store.TakePracticeFile(r.Context(), who, chi.URLParam(r, "ods"), id)
	if err != nil {
		return fmt.Errorf("take a practice's file: %w", err)
	}
	w.Header().Set("Content-Type", format.kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%d.%s"`, fileName(f.Practice.ODS), f.ID, format.ending))
	w.Header().Set("Cache-Control", "no-store")
	out, err := format.writer(h, w, f)
	if err == nil {
		err = h.Store.PracticeEntries(r.Context(), f, out.Write)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		if r.Context().Err() == nil {
			h.Log.ErrorContext(r.Context(), "a practice's file was cut off", "file", f.ID, "err", err)
		}
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	return nil
}

// fileName keeps of a practice's code what is safe in a name.
func fileName(ods string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			return c
		}
		return -1
	}, ods)
}

// fileJSON is a file as the API tells it.
type fileJSON struct {
	ID       int64                       `json:"id"`
	Practice string                      `json:"practice"`
	State    string                      `json:"state"`
	Made     time.Time                   `json:"made"`
	Counts   map[selfrefer.EntryKind]int `json:"counts"`
	AgainOf  int64                       `json:"again_of,omitempty"`
	Taken    int                         `json:"downloads"`
}

func fileAsJSON(f selfrefer.PracticeFile) fileJSON {
	j := fileJSON{ID: f.ID, Practice: f.Practice.ODS, State: "begun", Made: f.Made.UTC(), Counts: f.Counts, AgainOf: f.AgainOf, Taken: f.Taken}
	switch {
	case f.Ready:
		j.State = "ready"
	case f.Deleted:
		j.State = "deleted"
	}
	return j
}

func (h *Handler) listPractices(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	news, err := h.Store.PracticeNews(r.Context(), who)
	if err != nil {
		return fmt.Errorf("count what is new: %w", err)
	}
	type practice struct {
		ODS   string                      `json:"ods"`
		Name  string                      `json:"name"`
		New   map[selfrefer.EntryKind]int `json:"new"`
		Begun bool                        `json:"begun"`
	}
	out := struct {
		Practices []practice `json:"practices"`
	}{[]practice{}}
	for _, n := range news {
		out.Practices = append(out.Practices, practice{n.Practice.ODS, n.Practice.Name, n.Counts, n.Begun})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) listPracticeFiles(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, 100)
	if err != nil {
		return err
	}
	at, err := place(page, 1)
	if err != nil {
		return err
	}
	files, err := h.Store.PracticeFilesAfter(r.Context(), who, chi.URLParam(r, "ods"), at[0], page.Fetch())
	if err != nil {
		return fmt.Errorf("read the files of a practice: %w", err)
	}
	files, next := ui.CutPage(files, page, func(f selfrefer.PracticeFile) string { return ui.Next(f.ID) })
	out := struct {
		Files []fileJSON `json:"files"`
		Next  string     `json:"next,omitempty"`
	}{[]fileJSON{}, next}
	for _, f := range files {
		out.Files = append(out.Files, fileAsJSON(f))
	}
	return writeJSON(w, http.StatusOK, out)
}

// practiceCodesScreen is the data of practicecodes.html.
type practiceCodesScreen struct{ Accepted, Declined, Offered ui.Field }

// codesJSON are a network's codes as the API tells and takes them.
type codesJSON struct {
	Accepted string `json:"accepted"`
	Declined string `json:"declined"`
	Offered  string `json:"offered"`
}

func (h *Handler) practiceCodesPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	c, err := h.Store.Codes(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the codes: %w", err)
	}
	return h.showCodes(w, r, http.StatusOK, c, nil)
}

func (h *Handler) showCodes(w http.ResponseWriter, r *http.Request, status int, c selfrefer.Codes, errs []ui.FieldError) error {
	field := func(name, label, hint, value string) ui.Field {
		return ui.Field{Name: name, Label: label, Hint: hint, Value: value, Width: 20, Code: true, Inputmode: "numeric", NoSpellcheck: true}
	}
	notice := map[string]string{"saved": "Saved. It counts from the next file on."}[r.URL.Query().Get("done")]
	return h.show(w, r, status, "practicecodes", ui.Page{Title: "Codes for the record", Back: practicesPath, Notice: notice, Errors: errs, Data: practiceCodesScreen{
		Accepted: field("accepted", "Accepted at first contact", "Usually "+selfrefer.UsualCodes.Accepted+", referral to social prescribing service", c.Accepted),
		Declined: field("declined", "Declined, when the person has said so", "Usually "+selfrefer.UsualCodes.Declined+", social prescribing declined", c.Declined),
		Offered:  field("offered", "Offered, for every text that was sent", "Usually empty. If your practices have agreed on one, it may be "+selfrefer.OfferedCode+": look it up in the NHS Term Browser first", c.Offered),
	}})
}

func badCodes(c selfrefer.Codes) (bad invalid) {
	for _, f := range []struct{ field, code, words string }{{"accepted", c.Accepted, "accepted"}, {"declined", c.Declined, "declined"}, {"offered", c.Offered, "offered"}} {
		if selfrefer.CheckCode(f.code) != nil {
			bad = append(bad, ui.FieldError{Field: f.field, Sentence: "Enter the SNOMED CT concept for “" + f.words + "” as it stands in the NHS Term Browser, or leave it empty: a digit is wrong"})
		}
	}
	return bad
}

func (h *Handler) setPracticeCodes(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	code := func(name string) string { return strings.Join(strings.Fields(r.PostFormValue(name)), "") }
	c := selfrefer.Codes{Accepted: code("accepted"), Declined: code("declined"), Offered: code("offered")}
	if bad := badCodes(c); bad != nil {
		return h.showCodes(w, r, http.StatusUnprocessableEntity, c, bad)
	}
	if err := h.Store.SetCodes(r.Context(), who, c); err != nil {
		return fmt.Errorf("set the codes: %w", err)
	}
	http.Redirect(w, r, practiceCodesPath+"?done=saved", http.StatusSeeOther)
	return nil
}

func (h *Handler) getPracticeCodes(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	c, err := h.Store.Codes(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the codes: %w", err)
	}
	return writeJSON(w, http.StatusOK, codesJSON(c))
}

func (h *Handler) putPracticeCodes(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var in codesJSON
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	c := selfrefer.Codes(in)
	if bad := badCodes(c); bad != nil {
		return bad
	}
	if err := h.Store.SetCodes(r.Context(), who, c); err != nil {
		return fmt.Errorf("set the codes: %w", err)
	}
	return writeJSON(w, http.StatusOK, codesJSON(c))
}
