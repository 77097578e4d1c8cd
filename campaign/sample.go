package campaign

import (
	"fmt"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Sample is one of the people of a list, as much of them as their text shows.
type Sample struct {
	ID       PatientID
	Row      int    // in the file
	Language string // as the list has it
	// To has no phone, and the link of nobody.
	To Recipient
	// Before and After are the people beside this one in the file's order; 0: there is none.
	Before, After PatientID
}

// Shown says for the audit which people of a list somebody was shown, and nothing of what they saw.
type Shown struct {
	Row    int  // of the file
	Masked bool // without their name
	First  int  // so many rows at the beginning of the file, if it is no single one
}

// Code is how the audit has it.
func (s Shown) Code() string {
	switch {
	case s.Row == 0:
		return fmt.Sprintf("first %d rows", s.First)
	case s.Masked:
		return fmt.Sprintf("row %d masked", s.Row)
	}
	return fmt.Sprintf("row %d", s.Row)
}

// ParseShown reads a Code.
func ParseShown(code string) (s Shown) {
	if _, err := fmt.Sscanf(code, "first %d rows", &s.First); err == nil {
		return s
	}
	row, masked := strings.CutSuffix(code, " masked")
	_, _ = fmt.Sscanf(row, "row %d", &s.Row) // of what is no code there is nothing to tell
	s.Masked = masked
	return s
}

// Viewing is one time that somebody was shown people of a list, as the audit has it.
type Viewing struct {
	ID int64
	At time.Time
	By staff.AccountID
	Shown
}
