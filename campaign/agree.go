package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Purpose is what a campaign uses its list for.
type Purpose string

// The purposes. Only direct care may be texted: anything else is marketing by PECR, which needs each person's own consent, and no list says that.
const (
	DirectCare   Purpose = "direct_care"
	OtherPurpose Purpose = "other"
)

// Basis is what the law lets a practice use the list by.
type Basis string

// The bases.
const (
	BasisCare         Basis = "public_task_care"   // UK GDPR Art 6(1)(e) and 9(2)(h)
	BasisPublicHealth Basis = "public_task_health" // UK GDPR Art 6(1)(e) and 9(2)(i)
)

// Grounds are why a campaign may use its list, as the manager states it and each practice, as controller, agrees to it. A second person
// approves them with the rest. The zero value, of campaigns from before they were kept, stands for direct care.
type Grounds struct {
	Purpose Purpose `json:"purpose,omitempty"`
	Basis   Basis   `json:"basis,omitempty"`
	DPIA    string  `json:"dpia,omitempty"` // reference of the data protection impact assessment
}

// DefaultGrounds are those of a new campaign.
var DefaultGrounds = Grounds{Purpose: DirectCare, Basis: BasisCare}

// ErrPurpose refuses a campaign that is not direct care.
var ErrPurpose = errors.New("only direct care may be texted: for any other purpose the law on marketing (PECR) asks for each person's own consent")

// longestDPIA of a reference, in characters.
const longestDPIA = 200

// Check finds what is wrong with the grounds.
func (g Grounds) Check() error {
	switch {
	case g.Purpose != "" && g.Purpose != DirectCare:
		return ErrPurpose
	case g.Basis != "" && g.Basis != BasisCare && g.Basis != BasisPublicHealth:
		return fmt.Errorf("there is no lawful basis %q", g.Basis)
	case len([]rune(g.DPIA)) > longestDPIA:
		return fmt.Errorf("the reference of the DPIA can have at most %d characters", longestDPIA)
	}
	return nil
}

// hashed is nil for the zero value, so that what was approved before grounds were kept stays approved.
func (g Grounds) hashed() *Grounds {
	if g == (Grounds{}) {
		return nil
	}
	return &g
}

// Terms is the hash of what a practice agrees to: the list, the wording, the grounds, and when and how many a day. What concerns only the team and
// the money is no part of it, so that a practice is not asked again about a budget.
func (c Campaign) Terms() string {
	b, err := json.Marshal(struct {
		Audience AudienceID
		Steps    []Step
		Grounds  *Grounds
		Windows  throttle.Week
		DailyCap int
		Last     time.Time
		First    time.Time `json:",omitzero"`
	}{c.Audience, c.Steps, c.Grounds.hashed(), c.Policy.Windows, c.Policy.DailyCap, c.Policy.Last, c.Policy.First})
	if err != nil {
		panic(fmt.Sprintf("campaign: terms that cannot be written as JSON: %v", err)) // only numbers, strings and times
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Word is what a practice says of a campaign.
type Word string

// The words.
const (
	Agrees    Word = "agreed"
	Refuses   Word = "refused"
	Withdraws Word = "withdrawn"
)

// Say is one word of a practice, as somebody gives it.
type Say struct {
	Word  Word
	Terms string // what they have seen; "" if a program does not say
	Note  string // of an administrator: who at the practice said so, and when. Of a practice: why not
}

// LongestNote of a Say, in characters.
const LongestNote = 500

// Said is a word that was given.
type Said struct {
	Say
	At      time.Time
	Account staff.AccountID
}

// DisagreesCode is why a message is suppressed whose practice does not agree. It goes back to its place once the practice does.
const DisagreesCode = "practice_disagrees"

// PracticeShare is one practice's part of a campaign.
type PracticeShare struct {
	ODS     string
	Invited int
	// Approved is set if the practice agrees to the campaign as it is now. Word is what it said last, "" if nothing; Stale that it agreed to
	// something else.
	Approved bool
	Word     Word
	Stale    bool
	At       time.Time
	// Withheld are its texts that wait for it to agree again.
	Withheld int
}

// Decided tells whether the practice has said yes or no to the campaign as it is now.
func (s PracticeShare) Decided() bool { return s.Approved || s.Word == Refuses || s.Word == Withdraws }
