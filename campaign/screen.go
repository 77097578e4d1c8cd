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
	Dead, Dissent, DoNotContact bool
}

// Known is what the store knows of a candidate from earlier: all of it by keyed index, never by the number itself.
type Known struct {
	Suppressed, RecentlyTexted, AlreadySupported bool
}

// Screen applies the exclusions to the rows of one list, one after the other; it remembers persons and numbers already invited.
// The zero value is not ready: use NewScreen.
type Screen struct {
	today   time.Time
	minAge  int
	persons map[uint64]struct{} // keyed indexes, cut to 64 bits: 1,000,000 rows take 40 MB, and a false match is 1 in 10^7 lists
	numbers map[uint64]struct{}
}

// NewScreen starts the screening of one list on a day. Age is reckoned on that day; minAge 0 means 18.
func NewScreen(today time.Time, minAge int) *Screen {
	if minAge == 0 {
		minAge = 18
	}
	return &Screen{today, minAge, map[uint64]struct{}{}, map[uint64]struct{}{}}
}

// Row puts a candidate in its one place: "" means invited. The person and number arguments are keyed indexes.
func (s *Screen) Row(c Candidate, k Known, personIx, numberIx uint64) Exclusion {
	switch {
	case c.Dead:
		return ExDeceased
	case c.Dissent:
		return ExDissent
	case c.DoNotContact:
		return ExDoNotContact
	case k.Suppressed:
		return ExSuppressed
	case c.BirthDate.AgeOn(s.today) < s.minAge:
		return ExUnderAge
	}
	if _, dup := s.persons[personIx]; dup {
		return ExDuplicatePerson
	}
	s.persons[personIx] = struct{}{}
	if _, shared := s.numbers[numberIx]; shared {
		return ExSharedNumber
	}
	switch {
	case k.RecentlyTexted:
		return ExRecentlyTexted
	case k.AlreadySupported:
		return ExAlreadySupported
	}
	s.numbers[numberIx] = struct{}{}
	return ""
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
)
