package campaign

import (
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
)

// Exclusion is the code of why a readable row is not invited. The codes are tested in the order in which they stand here.
type Exclusion string

// The exclusions.
const (
	ExDeceased         Exclusion = "deceased"
	ExDissent          Exclusion = "dissent"
	ExDoNotContact     Exclusion = "do_not_contact"
	ExSuppressed       Exclusion = "suppressed"
	ExUnderAge         Exclusion = "under_age"
	ExDuplicatePerson  Exclusion = "duplicate_person"
	ExSharedNumber     Exclusion = "shared_number"
	ExRecentlyTexted   Exclusion = "recently_texted"
	ExAlreadySupported Exclusion = "already_supported"
	// ExNotInCohort comes before all others: the list was narrowed.
	ExNotInCohort Exclusion = "not_in_cohort"
)

// ContactGap is how long nobody is texted again by any campaign.
const ContactGap = 90 * 24 * time.Hour

// Candidate is one readable row of a patient list.
type Candidate struct {
	Row                         int // the row's number in the file
	NHSNumber                   person.NHSNumber
	Name                        person.Name
	BirthDate                   person.BirthDate
	Sex                         string
	Phone                       person.Phone
	Practice                    string // ODS code
	Postcode                    person.Postcode
	Language                    string
	Needs                       string // codes parted by ";"
	Dead, Dissent, DoNotContact bool
}

// Known is what the store knows of a candidate from earlier: all of it by keyed index, never by the number itself.
type Known struct {
	Suppressed, RecentlyTexted, AlreadySupported bool
}

// Seen remembers what earlier rows of one list had. Both indexes are keyed, and whole.
type Seen interface {
	// Person notes a person and tells whether an earlier row had them.
	Person(ix []byte) (before bool, err error)
	// Number tells whether an earlier row was invited on this number; with invite, it counts from now on.
	Number(ix []byte, invite bool) (before bool, err error)
}

// Screen applies the exclusions to the rows of one list, one after the other.
type Screen struct {
	today  time.Time
	minAge int
	seen   Seen // a list may be long: it need not be in memory
}

// NewScreen starts the screening of one list on a day. Age is reckoned on that day; minAge 0 means 18.
func NewScreen(today time.Time, minAge int, seen Seen) *Screen {
	if minAge == 0 {
		minAge = 18
	}
	return &Screen{today, minAge, seen}
}

// Row puts a candidate in its one place: "" means invited. personIx and numberIx are keyed indexes.
func (s *Screen) Row(c Candidate, k Known, personIx, numberIx []byte) (Exclusion, error) {
	switch {
	case c.Dead:
		return ExDeceased, nil
	case c.Dissent:
		return ExDissent, nil
	case c.DoNotContact:
		return ExDoNotContact, nil
	case k.Suppressed:
		return ExSuppressed, nil
	case c.BirthDate.AgeOn(s.today) < s.minAge:
		return ExUnderAge, nil
	}
	// Whoever comes this far is known from now on, whatever becomes of the row; a number only once somebody is invited on it.
	if before, err := s.seen.Person(personIx); before || err != nil {
		return ExDuplicatePerson, err
	}
	invite := !k.RecentlyTexted && !k.AlreadySupported
	shared, err := s.seen.Number(numberIx, invite)
	switch {
	case err != nil:
		return "", err
	case shared:
		return ExSharedNumber, nil
	case k.RecentlyTexted:
		return ExRecentlyTexted, nil
	case k.AlreadySupported:
		return ExAlreadySupported, nil
	}
	return "", nil
}

// Ledger accounts for every row of a list: Rows = Invited + the sums of Excluded and Rejected, always.
type Ledger struct {
	Rows     int            `json:"rows"`
	Invited  int            `json:"invited"`
	Excluded map[string]int `json:"excluded"`
	Rejected map[string]int `json:"rejected"`
}

// NewLedger is an empty one.
func NewLedger() Ledger { return Ledger{Excluded: map[string]int{}, Rejected: map[string]int{}} }

// Balanced reports whether every row is in exactly one place.
func (l Ledger) Balanced() bool {
	n := l.Invited
	for _, k := range l.Excluded {
		n += k
	}
	for _, k := range l.Rejected {
		n += k
	}
	return n == l.Rows
}

// AudienceState is how far a list has come.
type AudienceState string

// The states of an audience.
const (
	Importing AudienceState = "importing"
	Screened  AudienceState = "screened"
	Abandoned AudienceState = "abandoned" // the upload broke off; its rows are purged
	// Interrupted is what is left of a list that was being narrowed when the program ended: its name, so that whoever waits for it is told.
	Interrupted AudienceState = "interrupted"
)
