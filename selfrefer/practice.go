package selfrefer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// A practice is the controller of its patients' list: it must know whom we have texted in its name and with what, who wants no more, and which
// numbers are wrong. Of a self-referral it hears only from a person who said on the form that it may be told, and only if the person is matched
// with the list: nobody's record is to hold what somebody else has said.

// EntryKind is what an entry of a practice's file tells.
type EntryKind string

// The kinds. Those up to EntryWithdrawn are the controller's part; the others are told of people who agreed.
const (
	EntryText        EntryKind = "text"        // a text that was sent in the practice's name
	EntryUndelivered EntryKind = "undelivered" // it did not arrive: the number may be wrong
	EntryOptOut      EntryKind = "optout"      // no more of our texts
	EntryResumed     EntryKind = "resumed"     // an opt-out that was told has been taken back
	EntryCorrection  EntryKind = "correction"  // not me, moved, died, no texts of the practice at all
	EntryWithdrawn   EntryKind = "withdrawn"   // a correction that was told has been taken back
	EntryReferral    EntryKind = "referral"    // asked for help, with what was ticked
	EntryAccepted    EntryKind = "accepted"    // at first contact
	EntryDeclined    EntryKind = "declined"    // the person said no
	EntryUnreachable EntryKind = "unreachable" // tried, and given up
	EntryClosed      EntryKind = "closed"
)

// EntryKinds lists them in the order in which they are gathered.
var EntryKinds = []EntryKind{EntryText, EntryUndelivered, EntryOptOut, EntryResumed, EntryCorrection, EntryWithdrawn, EntryReferral, EntryAccepted, EntryDeclined, EntryUnreachable, EntryClosed}

// Agreed tells whether an entry is for people alone who said that the practice may be told.
func (k EntryKind) Agreed() bool {
	switch k {
	case EntryReferral, EntryAccepted, EntryDeclined, EntryUnreachable, EntryClosed:
		return true
	}
	return false
}

// Words says what an entry tells.
func (k EntryKind) Words() string {
	return map[EntryKind]string{EntryText: "Text sent", EntryUndelivered: "Text could not be delivered", EntryOptOut: "Wants no more of these texts", EntryResumed: "Has taken the opt-out back",
		EntryCorrection: "To be corrected in the record", EntryWithdrawn: "Has taken the correction back", EntryReferral: "Asked for help", EntryAccepted: "Accepted at first contact",
		EntryDeclined: "Declined", EntryUnreachable: "Could not be reached", EntryClosed: "Closed"}[k]
}

// Outcomes tells of which states and events an entry about a referral comes. The state must be one of them still: what was undone is not told.
// An entry that is not here comes of no step.
var Outcomes = map[EntryKind]struct {
	States []State
	Events []Event
}{
	EntryAccepted:    {[]State{InSupport, Onward, Closed}, []Event{StartSupport, SendOnward}},
	EntryDeclined:    {[]State{Declined}, []Event{Decline}},
	EntryUnreachable: {[]State{Unreachable}, []Event{GiveUp}},
	EntryClosed:      {[]State{Closed}, []Event{Close}},
}

// PracticeMayBeTold tells whether a person said that the practice may be told.
func PracticeMayBeTold(a Answers) bool {
	for _, t := range a.Tell {
		if t == "practice" {
			return true
		}
	}
	return false
}

// Codes are the SNOMED CT concepts that a network has written into the record; "" writes none. Nothing is ever coded because somebody was
// texted, opened the form or sent it, unless a network switches Offered on.
type Codes struct {
	Accepted string
	Declined string
	Offered  string
}

// UsualCodes are those of the national guidance: a referral counts at the first contact of an episode, when the person accepts; a refusal when
// the person has said so. "Offered" is off: the guidance asks for no code of texts to a whole list, and none counts.
var UsualCodes = Codes{Accepted: "871731000000106", Declined: "871711000000103"}

// OfferedCode is what a network most likely means that switches it on. Look it up in the NHS Term Browser before.
const OfferedCode = "871691000000100"

var codeTerms = map[string]string{UsualCodes.Accepted: "Referral to social prescribing service", UsualCodes.Declined: "Social prescribing declined", OfferedCode: "Social prescribing offered"}

// CodeTerm is what a code is called; "" for one that we do not know.
func CodeTerm(code string) string { return codeTerms[code] }

// Of is the code of an entry.
func (c Codes) Of(k EntryKind) string {
	return map[EntryKind]string{EntryText: c.Offered, EntryAccepted: c.Accepted, EntryDeclined: c.Declined}[k]
}

// ErrCode means that something is no SNOMED CT identifier.
var ErrCode = errors.New("this is no SNOMED CT concept: its check digit is wrong, or it is not 6 to 18 digits that name a concept")

// CheckCode refuses what cannot be a SNOMED CT concept identifier: its length, its partition (the two digits before the last) and its last
// digit, Verhoeff's check digit, must be right. "" is no code.
func CheckCode(code string) error {
	if code == "" {
		return nil
	}
	if len(code) < 6 || len(code) > 18 || code[0] == '0' || strings.Trim(code, "0123456789") != "" {
		return ErrCode
	}
	if partition := code[len(code)-3 : len(code)-1]; partition != "00" && partition != "10" {
		return ErrCode
	}
	check := 0
	for i := range len(code) {
		check = turned[check][shuffled[i%8][code[len(code)-1-i]-'0']]
	}
	if check != 0 {
		return ErrCode
	}
	return nil
}

// turned is multiplication in the group of a pentagon's turns and flips, shuffled the permutations by place: Verhoeff's tables.
var turned = [10][10]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
	{5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}}

var shuffled = [8][10]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
	{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}}

// PracticeEntry is one thing that a practice is told. It hides itself as answers do.
type PracticeEntry struct {
	ID   int64
	Kind EntryKind
	At   time.Time
	// PersonID is the same for all entries of a person in a file, and tells nothing of who it is. "" if nobody knows who.
	PersonID string
	Shared   bool // several people are on the number: of an opt-out or a correction nobody knows which of them it is, and no name is given
	Name     person.Name
	Born     person.BirthDate
	NHS      person.NHSNumber
	Phone    person.Phone // that was texted; of a referral none: it may have been given to us alone

	About     int64  // the message, the correction or the referral
	Reference string // of a referral
	Words     string // of a text, without the link's secret
	Why       string // of a correction, as in [Correction]; of a text that could not be delivered, the provider's code
	Code      string // SNOMED CT
	// What was ticked, of EntryReferral alone. Free text is left out: others may read a record, also by proxy, and it was written to us.
	Reasons  []string // in English
	Needs    []string // codes of the form
	Language string
}

// String hides the entry.
func (PracticeEntry) String() string { return "[entry]" }

// GoString hides the entry from %#v.
func (PracticeEntry) GoString() string { return "[entry]" }

// LogValue hides the entry from logs.
func (PracticeEntry) LogValue() slog.Value { return slog.StringValue("[entry]") }

// NeedWords are the helps of the form, in the words that a record uses.
var NeedWords = map[string]string{"interpreter": "Needs an interpreter", "bsl": "Uses British Sign Language", "hearing": "Hard of hearing", "reading": "Needs help with reading",
	"large_print": "Needs large print", "easy_read": "Needs easy read", "steps": "Needs a place without steps", "company": "Wants to bring somebody"}

// ReasonWords are the reasons of a form in English: the network's own words if they are known.
func ReasonWords(a Answers) []string {
	if len(a.ReasonWords) > 0 {
		return a.ReasonWords
	}
	var words []string
	for _, code := range a.Reasons {
		for _, r := range Reasons {
			if r.Code == code {
				words = append(words, r.Words)
			}
		}
	}
	return words
}

// PracticeFile is one file that was made for a practice. Its entries are in no other, except if somebody had them told again on purpose.
type PracticeFile struct {
	ID       int64
	Network  staff.NetworkID
	Practice staff.Practice
	Ready    bool // false: it was begun and not finished; making the next goes on with it
	Deleted  bool // too old: what it held is gone, that it was told is not
	By       staff.AccountID
	Made     time.Time
	Counts   map[EntryKind]int
	Gathered int // entries so far, of one that is not ready
	AgainOf  int64
	Reason   string // why again
	Taken    int    // downloads
	TakenAt  time.Time
	TakenBy  staff.AccountID
}

// Entries is how many it holds.
func (f PracticeFile) Entries() (n int) {
	for _, c := range f.Counts {
		n += c
	}
	return n
}

// PracticeNews is what a practice has not been told yet.
type PracticeNews struct {
	Practice staff.Practice
	Counts   map[EntryKind]int
	Begun    bool // a file was begun and not finished
	Last     PracticeFile
}

// New is how much there is to be told.
func (n PracticeNews) New() (sum int) {
	for _, c := range n.Counts {
		sum += c
	}
	return sum
}

const (
	// PracticeFileLife is how long a file can be downloaded. Nobody needs it longer once it is in the record.
	PracticeFileLife = 60 * 24 * time.Hour
	// TellWithin is for how long something that was not told still is. The marks of what was told outlive it.
	TellWithin = 365 * 24 * time.Hour
)

var (
	// ErrNothingNew means that a practice knows everything.
	ErrNothingNew = errors.New("there is nothing that this practice has not been told")
	// ErrFileDeleted means that a file is too old.
	ErrFileDeleted = errors.New("this file is deleted: files are kept for 60 days")
	// ErrFileBegun means that a file is not finished.
	ErrFileBegun = errors.New("this file is not finished: make it again, and it goes on where it stopped")
)

// Practices is the store's side of what goes back to practices. Each method asks [staff.May] and audits.
type Practices interface {
	PracticeNews(ctx context.Context, who staff.Account) ([]PracticeNews, error)
	// PracticeFiles lists those of a practice, newest first.
	PracticeFiles(ctx context.Context, who staff.Account, ods string) ([]PracticeFile, error)
	// PracticeFilesAfter goes on behind the file that was told last.
	PracticeFilesAfter(ctx context.Context, who staff.Account, ods string, after int64, limit int) ([]PracticeFile, error)
	// MakePracticeFile takes what no file has taken. ErrNothingNew if there is nothing. One that was begun and not finished is finished.
	MakePracticeFile(ctx context.Context, who staff.Account, ods string) (PracticeFile, error)
	// MakeAgain makes a file with the entries of an earlier one.
	MakeAgain(ctx context.Context, who staff.Account, ods string, file int64, reason string) (PracticeFile, error)
	// TakePracticeFile notes a download and gives what the file is; Entries reads it in its order, each time the same.
	TakePracticeFile(ctx context.Context, who staff.Account, ods string, file int64) (PracticeFile, error)
	PracticeEntries(ctx context.Context, f PracticeFile, each func(PracticeEntry) error) error
	Codes(ctx context.Context, n staff.NetworkID) (Codes, error)
	SetCodes(ctx context.Context, who staff.Account, c Codes) error
}
