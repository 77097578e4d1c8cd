package selfrefer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Why an opt-out was made.
const (
	WhyStop  = "opted_out"
	WhyNotMe = "not_me"
	WhyMoved = "moved"
	WhyDied  = "died"
)

// OptOut is somebody saying: no more texts.
type OptOut struct {
	Network   staff.NetworkID
	TokenHash []byte       // by link
	Phone     person.Phone // by reply
	Why       string
	// All means every text of the practice. We can keep back our own alone: the practice is told, so that it codes the rest.
	All bool
	At  time.Time
}

// Stop keeps an opt-out; it is in force before the next claim.
func (r *Receiver) Stop(ctx context.Context, o OptOut) error {
	if o.At.IsZero() {
		o.At = r.Now()
	}
	if err := r.Keeper.OptOut(ctx, o); err != nil {
		return fmt.Errorf("keep an opt-out: %w", err)
	}
	return nil
}

// UndoWithin is how long an opt-out can be undone by who made it. Later the person asks for help in any other way: they lose nothing but
// the offer.
const UndoWithin = 7 * 24 * time.Hour

// ErrNothingToUndo means that no opt-out of this link or number can be undone (any more): it was made by somebody else, or long ago.
var ErrNothingToUndo = errors.New("there is no opt-out of yours that could be undone now")

// Undo is somebody taking their opt-out back: by the link whose button they pressed, or with START from the number that texted STOP. It
// lifts what that very link or number has put in force, within [UndoWithin], and nothing else: not what somebody else asked for, what came
// from another system, or what was asked for twice in different ways. So an opt-out cannot be undone by guessing. Whoever holds the phone can
// undo its STOP, an abuser too: all that follows from it is one more offer of help, and no page tells what was undone.
type Undo struct {
	Network   staff.NetworkID
	TokenHash []byte       // by link
	Phone     person.Phone // by reply
	At        time.Time
}

// Undoer is the store's side of it. An undo is kept as durably as an opt-out, and in the same order.
type Undoer interface {
	// Resume lifts an opt-out. [ErrNothingToUndo] if there is none that this link or number may lift.
	Resume(ctx context.Context, u Undo) error
}

// Resume undoes an opt-out.
func (r *Receiver) Resume(ctx context.Context, u Undo) error {
	if u.At.IsZero() {
		u.At = r.Now()
	}
	if r.Undoer == nil {
		return ErrNothingToUndo
	}
	if err := r.Undoer.Resume(ctx, u); err != nil {
		return fmt.Errorf("undo an opt-out: %w", err)
	}
	return nil
}

// The ways in which an opt-out came to be, beside the whys that a person gives.
const (
	WhyAllTexts = "all_texts" // of a correction: the practice codes that the person wants no texts at all
	WhyImported = "imported"  // from another system
)

// Correction is something that a practice has to put right in its own records, because we cannot: its number is wrong, the person has moved
// or died, or wants no texts of the practice at all. A practice hears of it from the people who work off this list.
type Correction struct {
	ID        int64
	Network   staff.NetworkID
	Why       string // WhyNotMe, WhyMoved, WhyDied, WhyAllTexts
	Practice  string
	Shared    bool // several people are on the number: nobody knows which of them it is, and no name is given
	At        time.Time
	Withdrawn bool // it was done, and then who had asked for it took it back: put it right again
	Name      person.Name
	Born      person.BirthDate
	NHS       person.NHSNumber
	Phone     person.Phone
}

// Suppressed is an opt-out for another system: a number or an NHS number.
type Suppressed struct {
	Phone person.Phone
	NHS   person.NHSNumber
	Why   string
	At    time.Time
}

// Exported is all that can be given to another system.
type Exported struct {
	Rows []Suppressed
	// Blind are opt-outs of which only the keyed index is left. They are in force here and cannot be told to anybody.
	Blind int
}

// OptOutRow is one row of a list from another system: it names a number, an NHS number or both, or it has a problem.
type OptOutRow struct {
	Row     int
	Phone   person.Phone
	NHS     person.NHSNumber
	Problem string // a code of [OptOutProblems]
}

// OptOutProblems are why a row cannot be taken, in sentences for people. None quotes the row.
var OptOutProblems = map[string]string{
	"nothing":    "There is neither a phone number nor an NHS number in it.",
	"two_phones": "It has two different phone numbers. Write one row for each.",
	"two_people": "It has two different NHS numbers. Write one row for each.",
	"unreadable": "A cell looks like a number, and it is neither a phone number nor an NHS number.",
}

// OptOutLedger accounts for every row of a list: Added + Already + Unreadable = Rows.
type OptOutLedger struct {
	Rows       int          `json:"rows"`
	Added      int          `json:"added"`
	Already    int          `json:"already_there"`
	Unreadable int          `json:"cannot_be_read"`
	Problems   []RowProblem `json:"problems,omitempty"`
	DryRun     bool         `json:"dry_run"`
	// Journaled says that the rows are in the journal too, so that a restored backup gets them back. Only the process that serves has it.
	Journaled bool `json:"journaled"`
}

// RowProblem is a row that cannot be taken.
type RowProblem struct {
	Row  int    `json:"row"`
	Code string `json:"code"`
}

// Balanced reports whether every row is accounted for.
func (l OptOutLedger) Balanced() bool {
	return l.Added+l.Already+l.Unreadable == l.Rows && len(l.Problems) == l.Unreadable
}

// maxOptOuts is more than the patients of any network.
const maxOptOuts = 500_000

// ErrOptOutList means that a file is no list of opt-outs; the text says what to do.
var ErrOptOutList = errors.New("the list cannot be read")

// ReadOptOuts reads a CSV file, with commas, semicolons or tabs, with or without a header, whose rows hold a phone number, an NHS number or
// both in any column. Empty lines do not count as rows.
func ReadOptOuts(from io.Reader) ([]OptOutRow, error) {
	in := bufio.NewReader(from)
	head, err := in.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read a list of opt-outs: %w", err)
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) || bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.IndexByte(head, 0) >= 0 {
		return nil, fmt.Errorf("%w: save it as CSV (UTF-8) and send it again", ErrOptOutList)
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true, true
	for _, comma := range []rune{';', '\t'} {
		if bytes.Count(first, []byte(string(comma))) > bytes.Count(first, []byte(string(r.Comma))) {
			r.Comma = comma
		}
	}
	var rows []OptOutRow
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			return nil, fmt.Errorf("%w: line %d is no CSV", ErrOptOutList, parse.Line) // the cause may quote it
		}
		if err != nil {
			return nil, fmt.Errorf("read a list of opt-outs: %w", err)
		}
		line, _ := r.FieldPos(0)
		row, header := readOptOut(cells)
		if len(rows) == 0 && header {
			continue
		}
		if len(rows) == maxOptOuts {
			return nil, fmt.Errorf("%w: it has more than %d rows", ErrOptOutList, maxOptOuts)
		}
		row.Row = line
		rows = append(rows, row)
	}
}

// readOptOut finds the numbers of a row. A row without a digit may be a header.
func readOptOut(cells []string) (row OptOutRow, header bool) {
	problem := func(code string) {
		if row.Problem == "" {
			row.Problem = code
		}
	}
	header = true
	for _, cell := range cells {
		cell = strings.TrimSpace(strings.TrimPrefix(cell, "\ufeff"))
		digits := 0
		for _, c := range cell {
			if unicode.IsDigit(c) {
				digits++
			}
		}
		header = header && digits == 0
		if digits < 6 || strings.ContainsAny(cell, "/") || strings.Count(cell, "-") == 2 && digits == 8 { // a name, a code, a date
			continue
		}
		if phone, err := person.ParseMobile(cell); err == nil && !phone.IsZero() {
			if !row.Phone.IsZero() && row.Phone != phone {
				problem("two_phones")
			}
			row.Phone = phone
		} else if nhs, err := person.ParseNHSNumber(cell); err == nil && !nhs.IsZero() {
			if !row.NHS.IsZero() && row.NHS != nhs {
				problem("two_people")
			}
			row.NHS = nhs
		} else {
			problem("unreadable")
		}
	}
	if row.Phone.IsZero() && row.NHS.IsZero() {
		problem("nothing")
	}
	if row.Problem != "" {
		row.Phone, row.NHS = person.Phone{}, person.NHSNumber{}
	}
	return row, header
}

// OptOuts is the store's side of opt-outs as staff deal with them. Every call is audited.
type OptOuts interface {
	// ImportOptOuts puts the rows out of reach, each before the next claim of its number; a dry run changes nothing.
	ImportOptOuts(ctx context.Context, n staff.NetworkID, by staff.AccountID, rows []OptOutRow, dryRun bool) (OptOutLedger, error)
	ExportOptOuts(ctx context.Context, n staff.NetworkID, by staff.AccountID) (Exported, error)
	// ExportOptOutsAfter gives a page of at most limit, blind ones among them; staff.ErrNotFound if after is no place that a page ended at.
	ExportOptOutsAfter(ctx context.Context, n staff.NetworkID, by staff.AccountID, after string, limit int) (out Exported, next string, err error)
	// Corrections lists what practices still have to put right, oldest first.
	Corrections(ctx context.Context, n staff.NetworkID, by staff.AccountID) ([]Correction, error)
	// CorrectionsAfter goes on behind the one that was told last and when it came.
	CorrectionsAfter(ctx context.Context, n staff.NetworkID, by staff.AccountID, at time.Time, after int64, limit int) ([]Correction, error)
	// Corrected ticks one off. staff.ErrNotFound across networks.
	Corrected(ctx context.Context, n staff.NetworkID, by staff.AccountID, id int64) error
}
