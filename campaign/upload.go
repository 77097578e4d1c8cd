package campaign

import (
	"context"
	"io"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// UploadID names a file that has arrived and is not yet a list.
type UploadID int64

// UploadState is how far an upload has come.
type UploadState string

// The states of an upload.
const (
	UploadArriving    UploadState = "arriving"
	UploadWaiting     UploadState = "waiting" // for somebody to say what its columns are
	UploadScreening   UploadState = "screening"
	UploadInterrupted UploadState = "interrupted" // the program ended in the middle
	UploadFailed      UploadState = "failed"      // the file cannot be used; Problem says why
	UploadDone        UploadState = "done"
)

// Upload is a file on its way to becoming a list. Its bytes are kept sealed until it is screened, thrown away, or a day old.
type Upload struct {
	ID             UploadID
	Network        staff.NetworkID
	By             staff.AccountID
	File           string // what it is called
	Name, Practice string // of the list
	Size           int64
	State          UploadState
	Choice         UploadChoice
	Run            int64 // the screening that may write
	Rows           int   // screened so far
	Bytes          int64 // read so far
	Problem        string
	Audience       AudienceID // once it is being screened
	CreatedAt      time.Time
}

// UploadChoice is what somebody confirmed about a file: nothing in it comes from its rows.
type UploadChoice struct {
	HeaderLine int      `json:"header_line,omitempty"`
	Sheet      string   `json:"sheet,omitempty"`
	Fields     []string `json:"fields,omitempty"` // of each column, "" for one that is not used
	// TakenOn is the day on which the list was taken from the GP system, and FileOn what the file says of that.
	TakenOn time.Time `json:"taken_on,omitzero"`
	FileOn  time.Time `json:"file_on,omitzero"`
}

// UploadFile is the content of an upload.
type UploadFile interface {
	io.Reader
	io.ReaderAt
	Size() int64
}

// Shelf keeps for one reader what it has no room for in memory, in numbered blocks: sealed, and gone when it is closed.
type Shelf interface {
	Put(block []byte) error
	Take(n int, buf []byte) ([]byte, error)
	Close() error
}

// Cohort narrows a list: whoever is in one of each of its groups is in it. A group of which nothing is named leaves nobody out.
type Cohort struct {
	Practices []string `json:"practices,omitempty"`
	AgeBands  []string `json:"age_bands,omitempty"`
	Sexes     []string `json:"sexes,omitempty"`
	Needs     []string `json:"needs,omitempty"` // any of these
	// NotOn leaves out whom another list of the network could text, and whose number it has: who is new since that one is left.
	NotOn AudienceID `json:"not_on,omitempty"`
}

// All reports whether the cohort is the whole list.
func (c Cohort) All() bool {
	return len(c.Practices)+len(c.AgeBands)+len(c.Sexes)+len(c.Needs) == 0 && c.NotOn == 0
}

// GroupSize is how many people of a list have something in common.
type GroupSize struct {
	Value  string `json:"value"`
	People int    `json:"people"`
}

// Groups are those by which a list can be narrowed.
type Groups struct {
	Practices []GroupSize `json:"practices"`
	AgeBands  []GroupSize `json:"age_bands"`
	Sexes     []GroupSize `json:"sexes"`
	Needs     []GroupSize `json:"needs"`
}

// Comparison is what changed between two lists, among the people whom each could text.
type Comparison struct {
	Same          int `json:"same"`           // in both, as they were
	New           int `json:"new"`            // in the later one only
	Gone          int `json:"gone"`           // in the earlier one only
	MovedPractice int `json:"moved_practice"` // in both
	ChangedNumber int `json:"changed_number"` // in both
}

// Narrowing makes a list from the people of another.
type Narrowing interface {
	// Audience is the list that is being made.
	Audience() Audience
	// Run fills it. After an error call Abandon.
	Run(ctx context.Context) (Audience, error)
	// Abandon gives it up: no row of it stays, but its name, with the state Interrupted.
	Abandon(ctx context.Context) error
}
