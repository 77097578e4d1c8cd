package selfrefer

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"
)

// PracticeWriter writes a practice's file, entry by entry, with bounded memory.
type PracticeWriter interface {
	Write(e PracticeEntry) error
	Close() error
}

// practiceCSV is a file that a practice can read and import without anybody's leave.
type practiceCSV struct {
	w    *csv.Writer
	ods  string
	zone *time.Location
}

// CorrectionWords are what a practice is asked to correct.
var CorrectionWords = map[string]string{WhyNotMe: "The number is not this person's", WhyMoved: "Has moved to another practice", WhyDied: "Has died", WhyAllTexts: "Wants no texts of the practice at all"}

// NewPracticeCSV begins a CSV file in UTF-8. A cell that a spreadsheet would take for a formula gets an apostrophe.
func NewPracticeCSV(to io.Writer, f PracticeFile, zone *time.Location) (PracticeWriter, error) {
	if _, err := io.WriteString(to, "\ufeff"); err != nil { // for spreadsheets: it is UTF-8
		return nil, fmt.Errorf("write CSV: %w", err)
	}
	c := &practiceCSV{csv.NewWriter(to), f.Practice.ODS, zone}
	return c, c.row("Practice code", "What", "Date", "Time", "NHS number", "Name", "Date of birth", "Number that was texted", "Several people share the number", "Details",
		"SNOMED CT code", "SNOMED CT term", "Reasons", "Communication needs", "Language", "Reference", "Entry")
}

func (c *practiceCSV) Write(e PracticeEntry) error {
	var nhs, born, phone, shared string
	if !e.NHS.IsZero() {
		nhs = e.NHS.RevealSpaced() // with spaces no spreadsheet makes 9.43E+9 of it
	}
	if !e.Born.IsZero() {
		born = fmt.Sprintf("%02d/%02d/%04d", e.Born.Day, e.Born.Month, e.Born.Year)
	}
	if !e.Phone.IsZero() {
		phone = strings.Replace(e.Phone.Reveal(), "+44", "0", 1)
		phone = phone[:min(5, len(phone))] + " " + phone[min(5, len(phone)):]
	}
	if e.Shared {
		shared = "yes"
	}
	at := e.At.In(c.zone)
	return c.row(c.ods, e.Kind.Words(), at.Format("02/01/2006"), at.Format("15:04"), nhs, e.Name.Reveal(), born, phone, shared, e.details(), e.Code, CodeTerm(e.Code),
		strings.Join(e.Reasons, "; "), strings.Join(e.needs(), "; "), e.Language, e.Reference, fmt.Sprint("entry ", e.ID))
}

func (e PracticeEntry) details() string {
	switch e.Kind {
	case EntryCorrection, EntryWithdrawn:
		return CorrectionWords[e.Why]
	case EntryUndelivered:
		return strings.TrimSpace("The phone network did not deliver it. " + e.Why)
	}
	return e.Words
}

func (e PracticeEntry) needs() (words []string) {
	for _, n := range e.Needs {
		if w := NeedWords[n]; w != "" {
			words = append(words, w)
		}
	}
	return words
}

func (c *practiceCSV) row(cells ...string) error {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	if err := c.w.Write(cells); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func (c *practiceCSV) Close() error {
	if c.w.Flush(); c.w.Error() != nil {
		return fmt.Errorf("write CSV: %w", c.w.Error())
	}
	return nil
}
