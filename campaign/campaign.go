package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Identifiers.
type (
	ID         int64 // a campaign
	AudienceID int64
	PatientID  int64 // one row of an audience
	MessageID  int64
)

// Errors that callers can act on. Their sentences are for people.
var (
	ErrNotFound   = errors.New("there is no such campaign, list or message in your network")
	ErrConflict   = errors.New("somebody else changed this in the meantime; look again")
	ErrNotNow     = errors.New("this cannot be done in the campaign's present state")
	ErrSameHand   = errors.New("a second person has to approve: whoever submitted a campaign cannot approve it")
	ErrChanged    = errors.New("the list, the text, the purpose or the policy changed after the approval; submit it again")
	ErrNoPractice = errors.New("no practice agrees to this campaign: its patients are not texted")
	ErrSynthetic  = errors.New("this list is made up for trying things out; a live sender refuses it")
	ErrTooLate    = errors.New("the claim came too late: the message has moved on")
)

// Campaign is an audience, its steps, a pacing policy, and the team that will answer.
type Campaign struct {
	ID       ID
	Network  staff.NetworkID
	Team     staff.TeamID
	Audience AudienceID
	Name     string
	State    State
	Steps    []Step
	Policy   Policy
	Seed     uint64 // fixes the order of sending

	CreatedBy, SubmittedBy, ApprovedBy staff.AccountID
	CreatedAt, LaunchedAt, FinishedAt  time.Time
	// ApprovedHash is what the second person approved; a launch needs it unchanged.
	ApprovedHash string
	// Held says why an alarm or a person holds the sending; "" if nothing does.
	Held string
	// FirstLook is whether somebody has looked at the first texts, and Parts are those of a draft that somebody has saved.
	FirstLook FirstLook
	Parts     Parts
	// LinksOffAt is when a person switched off the links of its texts; zero while they work.
	LinksOffAt time.Time
	Grounds    Grounds
	// FreshAt is the day on which the newest list was taken from the GP system that its own was screened against; zero before the first.
	FreshAt time.Time
}

// Step is one round of texts: the invitation, then perhaps a reminder.
type Step struct {
	Number   int    `json:"number"`   // 1 is the invitation
	Template string `json:"template"` // in English
	// Translations are the same text in other languages, for the patients who speak them as their list has it.
	Translations map[lang.Code]Translation `json:"translations,omitempty"`
	// AfterDays is how long after the invitation's delivery a reminder may go; 0 for the invitation.
	AfterDays int `json:"after_days,omitempty"`
	// LeastFirst lets a reminder go first to the groups that had answered least when it began; see the function.
	LeastFirst bool `json:"least_first,omitempty"`
}

// Policy is how a campaign is paced, as the manager set it.
type Policy struct {
	Windows    throttle.Week `json:"windows"` // zero: Monday to Friday, 09:00 to 17:00
	DailyCap   int           `json:"daily_cap,omitempty"`
	Budget     int64         `json:"budget,omitempty"` // hundredths of a penny, 0 = no limit
	Price      int64         `json:"price"`            // per segment, hundredths of a penny
	Rate       float64       `json:"rate"`             // segments per second of the sender
	MinBatch   int           `json:"min_batch,omitempty"`
	First      time.Time     `json:"first,omitzero"` // nothing is released before
	Last       time.Time     `json:"last"`
	MaxListAge time.Duration `json:"max_list_age,omitempty"`
	FirstLook  bool          `json:"first_look,omitempty"` // pause after the first texts, until somebody has looked at them
	Blast      bool          `json:"blast,omitempty"`      // without pacing; only for showing what happens
}

// Hash is what the second person approves: audience, text, policy and grounds, nothing else.
func (c Campaign) Hash() string {
	b, err := json.Marshal(struct {
		Audience AudienceID
		Team     staff.TeamID
		Steps    []Step
		Policy   Policy
		Grounds  *Grounds `json:",omitempty"`
	}{c.Audience, c.Team, c.Steps, c.Policy, c.Grounds.hashed()})
	if err != nil {
		panic(fmt.Sprintf("campaign: a policy that cannot be written as JSON: %v", err)) // only numbers, strings and times
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Check finds what is wrong with a campaign before it is made, submitted, approved and launched; the sentences are for the manager. One
// about a text is an ErrUnsendable.
func (c Campaign) Check(in Setting) error {
	if c.Name == "" {
		return errors.New("give the campaign a name")
	}
	if len(c.Steps) == 0 {
		return errors.New("a campaign needs a text")
	}
	for i, s := range c.Steps {
		if s.Number != i+1 {
			return fmt.Errorf("step %d is out of order", s.Number)
		}
		if bad := s.Unsendable(in); len(bad) > 0 {
			return bad[0]
		}
	}
	if err := c.Grounds.Check(); err != nil {
		return err
	}
	if c.Policy.Budget < 0 || c.Policy.DailyCap < 0 || c.Policy.Rate < 0 {
		return errors.New("limits cannot be negative")
	}
	return nil
}

// DefaultText is the invitation that a new campaign starts with. Ready has it in other languages.
const DefaultText = "Hello ((first_name)), this is ((practice)).\n" +
	"Would a chat with a link worker help you? They can help with loneliness, money worries, housing and more. Tell us here:\n" +
	"((link))\n" +
	"Or ring ((phone)).\n" +
	"No more texts: ((stop_link))"

// Counts is how many messages of a campaign stand where.
type Counts map[MessageState]int

// Total of all states.
func (c Counts) Total() int {
	n := 0
	for _, k := range c {
		n += k
	}
	return n
}

// Texts that have left us for certain.
func (c Counts) Texts() int {
	n := 0
	for s, k := range c {
		if s.Left() {
			n += k
		}
	}
	return n
}

// Template is a text with its fields.
type Template = text.Template
