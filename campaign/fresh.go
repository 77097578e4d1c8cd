package campaign

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// FreshState is how far the screening of a campaign's list against a fresh one has come.
type FreshState string

// The states. While one of the first three lasts, no text of the campaign leaves.
const (
	FreshCounting  FreshState = "counting"  // who would be taken out
	FreshAsking    FreshState = "asking"    // many would: a person types how many
	FreshRemoving  FreshState = "removing"  // they are taken out
	FreshDone      FreshState = "done"      // the age of the list counts from the fresh one
	FreshCancelled FreshState = "cancelled" // nothing was changed
)

// Why a fresh list takes somebody out, beside the exclusions of a list.
const (
	OutLeft   = "left"           // they are not on it, or their row cannot be used
	OutNumber = "number_changed" // the frozen plan has their old number
)

// Freshening is one screening of a campaign's list against a fresh one. Nobody is added: the second person and the practices agreed to a number of
// people, and the order of sending mirrors the list. A new campaign is for new people: a list can be narrowed to them ([Cohort]).
type Freshening struct {
	ID       int64
	Campaign ID
	List     AudienceID
	ListName string
	ListAt   time.Time // the day on which the fresh list was taken from the GP system
	Account  staff.AccountID
	At       time.Time
	State    FreshState
	People   int // of the campaign's list; Looked of them have been looked at
	FreshCounts
}

// FreshCounts are what was found.
type FreshCounts struct {
	Looked  int            `json:"looked"`
	Waiting int            `json:"waiting"` // people who would still be texted
	Out     map[string]int `json:"out"`     // of them, by reason
	Texted  int            `json:"texted"`  // to be taken out too, but texted already: no reminder goes to them
	New     int            `json:"new"`     // people on the fresh list who are not in the campaign
}

// Removed are how many of those who wait are taken out.
func (c FreshCounts) Removed() (n int) {
	for _, k := range c.Out {
		n += k
	}
	return n
}

// Asks tells whether a person has to say yes first: more than one in twenty would be taken out, which may be the wrong list.
func (c FreshCounts) Asks() bool { return c.Removed()*20 > c.Waiting }

// OnFresh is what a fresh list says of one person. The indexes of numbers are keyed.
type OnFresh struct {
	Codes    []string // exclusions of their rows that are not invited
	Excluded [][]byte // the numbers of these rows
	Numbers  [][]byte // of their rows that are invited, or share an invited number
}

// TakeOut says why a fresh list takes a person out who has this number in the campaign; "" if they stay. What the claim of each text looks at itself
// (texted lately, in touch with a link worker) is no reason here.
func (f OnFresh) TakeOut(number []byte) string {
	for _, final := range []Exclusion{ExDeceased, ExDissent, ExDoNotContact, ExSuppressed, ExUnderAge} {
		for _, code := range f.Codes {
			if code == string(final) {
				return code
			}
		}
	}
	numbers := append(append([][]byte(nil), f.Numbers...), f.Excluded...)
	if len(numbers) == 0 {
		return OutLeft
	}
	for _, n := range numbers {
		if bytes.Equal(n, number) {
			return ""
		}
	}
	return OutNumber
}

// Errors of screening against a fresh list.
var (
	ErrNotFresh = errors.New("this list is not newer than the campaign’s own; upload a fresh one")
	ErrNumber   = errors.New("this is not the number of people who would be taken out; look again")
)

// ErrFreshLacks names practices of the campaign of which a fresh list has nobody: it would take out all their patients.
type ErrFreshLacks []string

func (e ErrFreshLacks) Error() string {
	return "nobody of these practices can be texted by the fresh list, though the campaign texts their patients: " + strings.Join(e, ", ") + "; choose a list with all the practices of the campaign"
}
