package campaign

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Importer is one patient list on its way in. It is not safe for concurrent use.
type Importer interface {
	// Candidate takes a readable row.
	Candidate(ctx context.Context, c Candidate) error
	// Reject notes a row that could not be read.
	Reject(ctx context.Context, row int, code string) error
	// Rename changes the list's name; it may come any time before Finish.
	Rename(name string)
	// Taken says on which day the list was taken from the GP system, and what its file says of that, zero for nothing. It may come any time before
	// Finish; without a day it is that of the import.
	Taken(on, file time.Time)
	// Finish ends the import and gives the audience with its ledger.
	Finish(ctx context.Context) (Audience, error)
	// Abandon gives the import up: nothing of it stays.
	Abandon(ctx context.Context) error
}

// Audience is a patient list once it is screened.
type Audience struct {
	ID      AudienceID
	Network staff.NetworkID
	Name    string
	State   AudienceState
	// Synthetic lists are made up. One row with a test NHS number makes the whole list synthetic: a live sender refuses it.
	Synthetic             bool
	CreatedBy             staff.AccountID
	CreatedAt, ScreenedAt time.Time
	// TakenOn is the day on which the list was taken from the GP system (see CivilDay), and FileOn what the file itself says, zero for nothing.
	TakenOn, FileOn time.Time
	Ledger          Ledger
	// Done is how many rows are screened while the list is being imported.
	Done int
	// Parent is the list that this one was made from by narrowing it, 0 for none.
	Parent AudienceID
	Cohort Cohort
}

// NotInvited is where a row of a list went that is not invited.
type NotInvited struct {
	Row        int
	Kind, Code string // "rejected" or "excluded"
}

// ErrPractices says which practices have not approved yet.
type ErrPractices []string

func (e ErrPractices) Error() string {
	return "these practices have not approved the campaign yet: " + strings.Join(e, ", ")
}

// View is what a campaign's page shows, read in one snapshot.
type View struct {
	Campaign
	Audience Audience
	Team     staff.Team
	Counts   Counts
	Planning bool  // the launch is still under way
	Cost     int64 // of what has left or may have left, service texts and corrections too, in hundredths of a penny
	Opened   int
	Answers  int
	Last     *Decision // nil before the first
	Halt     Halt      // why nothing at all is sent, if so
	Alarms   []Alarm
	// Services are the texts that answered people, by state, and ServiceCost is their part of the cost. Counts has none of them.
	Services    Counts
	ServiceCost int64
	// Silent is since when answers have stopped while the pacer waits for somebody to look at the link; zero if it does not. Checked is when
	// somebody has found it to work, until the next decision has heard of it.
	Silent, Checked time.Time
}

// Estimate is what the texts of a step come to: the text of each invited patient, in their language and with their name, is counted.
type Estimate struct {
	Sizes
	// Dear is how many texts have more parts than the most usual text of their language.
	Dear int
	// Dearest is somebody whose text has the most parts of all; 0 for a list of nobody.
	Dearest PatientID
	In      map[lang.Code]Sizes // by the language in which the texts go
}

// Sizes adds up texts.
type Sizes struct {
	Texts, Segments   int
	Shortest, Longest int // parts of one text
}

// Add counts n more texts of so many parts.
func (s *Sizes) Add(n, segments int) {
	if s.Texts == 0 || segments < s.Shortest {
		s.Shortest = segments
	}
	s.Texts, s.Segments, s.Longest = s.Texts+n, s.Segments+n*segments, max(s.Longest, segments)
}

// Decision is a stored decision of the pacer.
type Decision struct {
	ID       int64 // later ones have greater numbers
	At       time.Time
	N        int
	Limit    string
	Sentence string
	Figures  json.RawMessage // throttle.Figures
	Forecast json.RawMessage // throttle.Forecast
}

// Alarm is something that a person must look at.
type Alarm struct {
	At       time.Time
	Code     string
	Campaign ID // 0 if it concerns all
	Message  MessageID
	SIDs     []string // the provider's ids of a message's texts, if it has more than one
}

// Workings is how sending stands in the database, for those who run the service.
type Workings struct {
	Leader string    // the process that paces; "" if none has yet
	Leads  bool      // it has said so within its lease
	Since  time.Time // it leads, machine time
	Counts Counts    // of the network's messages
	Alarms []Alarm   // of the last days, newest first
	Halt   Halt      // a restored database must first learn what left
	// NoGuardian is set if nobody in particular is told when somebody opens what is restricted.
	NoGuardian bool
	Owed       int // what this process has taken for the database and the database has not
}

// Day is one civil day of a campaign, for its chart.
type Day struct {
	Date     time.Time
	Texts    int // released, less what came back
	Answers  int // self-referrals that its texts brought
	Contacts int // first contacts of the team
	Queue    int // waiting for a first contact at the end of the day
	Capacity float64
}

// Summary counts what a campaign came to.
type Summary struct {
	Referrals, Urgent, Contacted int
	// Late are referrals whose first contact came after the promise, or has not come though the promise has run out.
	Late      int
	Decisions int
	// FirstRelease and LastRelease are when the first and the last batch left.
	FirstRelease, LastRelease time.Time
}

// HeldMessage waits for a person to say whether it was sent.
type HeldMessage struct {
	ID      MessageID
	Attempt int
	Why     string // HeldOver and so on
	Code    string // why nobody knows whether it left: "timeout", "deadline", "http_502"
	Phone   person.Phone
	// Correction is set if it is a text of a correction, which goes on though its campaign may be over.
	Correction bool
	At         time.Time // when the last attempt began, to find it in the provider's record; zero after a restored backup that lost it
}
