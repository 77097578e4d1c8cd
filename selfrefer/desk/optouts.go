package desk

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const optOutsPath = "/desk/optouts"

// maxOptOutBody is in bytes: half a million rows.
const maxOptOutBody = 32 << 20

// corrections are what a practice is asked to do, by why. Whoever holds the link may have said it: nothing is certain.
var corrections = map[string]struct{ said, do string }{
	selfrefer.WhyNotMe:    {"The number is not this person's", "Take the number out of the record, and ask for the right one when they next make contact."},
	selfrefer.WhyMoved:    {"Has moved to another practice", "Check the registration."},
	selfrefer.WhyDied:     {"Has died", "Check first. Then update the record, so that nobody writes to them again."},
	selfrefer.WhyAllTexts: {"Wants no texts of the practice at all", "Record that they do not agree to text messages. We have stopped ours; yours are in your own system."},
}

const putBack = "They have since said that this was a mistake. If you have changed the record, change it back."

// optOutsScreen is the data of optouts.html.
type optOutsScreen struct {
	Rows   []correctionRow
	CSV    string
	Export string

	Next, First string
	More        bool // there are more than this page holds
}

type correctionRow struct {
	Action, Said, Do, When string
	Practice               string
	Who                    []fact
	Shared                 bool
}

func (h *Handler) optOutsPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, usualPage)
	if err != nil {
		return err
	}
	all, next, err := h.correctionsPage(r, who, page)
	if err != nil {
		return err
	}
	practices, err := h.practiceNames(r, who)
	if err != nil {
		return err
	}
	s := optOutsScreen{CSV: optOutsPath + "/corrections.csv", Export: optOutsPath + "/optouts.csv", More: page.After != "" || next != ""}
	if next != "" {
		s.Next = optOutsPath + "?after=" + next
	}
	if page.After != "" {
		s.First = optOutsPath
	}
	for _, c := range all {
		row := correctionRow{Action: fmt.Sprintf("%s/%d", optOutsPath, c.ID), Said: corrections[c.Why].said, Do: corrections[c.Why].do, When: h.when(c.At), Practice: cmp.Or(practices[c.Practice], c.Practice, "Practice not known"), Shared: c.Shared}
		if c.Withdrawn {
			row.Do = putBack
		}
		for _, f := range []fact{{"Name", c.Name.Reveal()}, {"Date of birth", birthDay(c.Born)}, {"NHS number", spaced(c.NHS)}, {"Number that we texted", dialled(c.Phone)}} {
			if f.Value != "" {
				row.Who = append(row.Who, f)
			}
		}
		s.Rows = append(s.Rows, row)
	}
	notice := map[string]string{"corrected": "Saved: this one is done."}[r.URL.Query().Get("done")]
	return h.show(w, r, http.StatusOK, "optouts", ui.Page{Title: "What practices must correct", Notice: notice, Data: s})
}

// correctionsPage reads a page of what is to be done, or all of it.
func (h *Handler) correctionsPage(r *http.Request, who staff.Account, page ui.Asked) (all []selfrefer.Correction, next string, err error) {
	at, err := place(page, 2)
	if err != nil {
		return nil, "", err
	}
	if page.Limit == 0 {
		all, err = h.Store.Corrections(r.Context(), who.Network, who.ID)
	} else {
		from := time.Time{}
		if page.After != "" {
			from = time.UnixMilli(at[0])
		}
		all, err = h.Store.CorrectionsAfter(r.Context(), who.Network, who.ID, from, at[1], page.Fetch())
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the corrections: %w", err)
	}
	all, next = ui.CutPage(all, page, func(c selfrefer.Correction) string { return ui.Next(c.At.UnixMilli(), c.ID) })
	return all, next, nil
}

// practiceNames is what the practices are called.
func (h *Handler) practiceNames(r *http.Request, who staff.Account) (map[string]string, error) {
	network, err := h.Store.Network(r.Context(), who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the network: %w", err)
	}
	practices := map[string]string{}
	for _, p := range network.Practices {
		practices[p.ODS] = p.Name
	}
	return practices, nil
}

func (h *Handler) corrected(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[int64](r, "correction")
	if err != nil {
		return err
	}
	if err := h.Store.Corrected(r.Context(), who.Network, who.ID, id); err != nil {
		return fmt.Errorf("tick a correction: %w", err)
	}
	if isAPI(r) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, optOutsPath+"?done=corrected", http.StatusSeeOther)
	return nil
}

func (h *Handler) correctionsCSV(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	all, _, err := h.correctionsPage(r, who, ui.Asked{})
	if err != nil {
		return err
	}
	practices, err := h.practiceNames(r, who)
	if err != nil {
		return err
	}
	rows := [][]string{{"Practice code", "Practice", "What we were told", "What to do", "Told at", "Name", "Date of birth", "NHS number", "Number that we texted", "Several people share the number"}}
	for _, c := range all {
		do := corrections[c.Why].do
		if c.Withdrawn {
			do = putBack
		}
		rows = append(rows, []string{c.Practice, practices[c.Practice], corrections[c.Why].said, do, c.At.In(h.zone).Format("02/01/2006 15:04"), c.Name.Reveal(), birthDay(c.Born), spaced(c.NHS), dialled(c.Phone),
			map[bool]string{true: "yes", false: "no"}[c.Shared]})
	}
	return writeCSV(w, "corrections.csv", rows)
}

func (h *Handler) optOutsCSV(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	out, err := h.Store.ExportOptOuts(r.Context(), who.Network, who.ID)
	if err != nil {
		return fmt.Errorf("export opt-outs: %w", err)
	}
	rows := [][]string{{"Number", "NHS number", "Why", "Since"}}
	for _, o := range out.Rows {
		rows = append(rows, []string{dialled(o.Phone), spaced(o.NHS), o.Why, o.At.In(h.zone).Format("02/01/2006 15:04")})
	}
	return writeCSV(w, "optouts.csv", rows)
}

// writeCSV sends a file to be kept. A cell that a spreadsheet would take for a formula gets an apostrophe.
func writeCSV(w http.ResponseWriter, name string, rows [][]string) error {
	var b bytes.Buffer
	b.WriteString("\ufeff") // for spreadsheets: it is UTF-8
	c := csv.NewWriter(&b)
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				row[i] = "'" + cell
			}
		}
		if err := c.Write(row); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	if c.Flush(); c.Error() != nil {
		return fmt.Errorf("write CSV: %w", c.Error())
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes()) // the reader has gone: nobody is left to tell
	return nil
}

func birthDay(b person.BirthDate) string {
	if b.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d %s %d", b.Day, b.Month, b.Year)
}

func spaced(n person.NHSNumber) string {
	if n.IsZero() {
		return ""
	}
	return n.RevealSpaced()
}

func dialled(p person.Phone) string {
	if p.IsZero() {
		return ""
	}
	return national(p)
}

// optOutJSON is an opt-out as the API tells it.
type optOutJSON struct {
	Phone     string    `json:"phone,omitempty"`
	NHSNumber string    `json:"nhs_number,omitempty"`
	Why       string    `json:"why"`
	At        time.Time `json:"at"`
}

func (h *Handler) listOptOuts(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, 0)
	if err != nil {
		return err
	}
	var all selfrefer.Exported
	next := ""
	if page.Limit == 0 { // whoever knows nothing of pages must not take the first for all: people would be texted who do not want it
		all, err = h.Store.ExportOptOuts(r.Context(), who.Network, who.ID)
	} else if all, next, err = h.Store.ExportOptOutsAfter(r.Context(), who.Network, who.ID, page.After, page.Limit); errors.Is(err, staff.ErrNotFound) {
		return invalid(ui.WrongAfter())
	}
	if err != nil {
		return fmt.Errorf("export opt-outs: %w", err)
	}
	out := struct {
		OptOuts []optOutJSON `json:"optouts"`
		Blind   int          `json:"blind"` // in force, and not known in clear any more
		Next    string       `json:"next,omitempty"`
	}{[]optOutJSON{}, all.Blind, next}
	for _, o := range all.Rows {
		j := optOutJSON{Why: o.Why, At: o.At.UTC()}
		if !o.Phone.IsZero() {
			j.Phone = o.Phone.Reveal()
		}
		if !o.NHS.IsZero() {
			j.NHSNumber = o.NHS.Reveal()
		}
		out.OptOuts = append(out.OptOuts, j)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) importOptOuts(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	dry := r.URL.Query().Get("dry_run")
	if dry != "" && dry != "true" && dry != "false" {
		return invalid{{Field: "dry_run", Sentence: "dry_run must be true or false."}}
	}
	rows, err := selfrefer.ReadOptOuts(http.MaxBytesReader(w, r.Body, maxOptOutBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case errors.Is(err, selfrefer.ErrOptOutList):
		return invalid{{Sentence: capital(err.Error()) + "."}}
	case err != nil:
		return err
	}
	l, err := h.Store.ImportOptOuts(r.Context(), who.Network, who.ID, rows, dry == "true")
	if err != nil {
		return fmt.Errorf("import opt-outs: %w", err)
	}
	return writeJSON(w, http.StatusOK, l)
}

// correctionJSON is a correction as the API tells it.
type correctionJSON struct {
	ID        int64     `json:"id"`
	Why       string    `json:"why"`
	Practice  string    `json:"practice,omitempty"`
	Shared    bool      `json:"shared"`
	Withdrawn bool      `json:"withdrawn"`
	At        time.Time `json:"at"`
	Name      string    `json:"name,omitempty"`
	BirthDate string    `json:"birth_date,omitempty"`
	NHSNumber string    `json:"nhs_number,omitempty"`
	Phone     string    `json:"phone,omitempty"`
}

func (h *Handler) listCorrections(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, 0)
	if err != nil {
		return err
	}
	all, next, err := h.correctionsPage(r, who, page)
	if err != nil {
		return err
	}
	out := struct {
		Corrections []correctionJSON `json:"corrections"`
		Next        string           `json:"next,omitempty"`
	}{[]correctionJSON{}, next}
	for _, c := range all {
		j := correctionJSON{ID: c.ID, Why: c.Why, Practice: c.Practice, Shared: c.Shared, Withdrawn: c.Withdrawn, At: c.At.UTC(), Name: c.Name.Reveal()}
		if !c.Born.IsZero() {
			j.BirthDate = c.Born.ISO()
		}
		if !c.NHS.IsZero() {
			j.NHSNumber = c.NHS.Reveal()
		}
		if !c.Phone.IsZero() {
			j.Phone = c.Phone.Reveal()
		}
		out.Corrections = append(out.Corrections, j)
	}
	return writeJSON(w, http.StatusOK, out)
}
