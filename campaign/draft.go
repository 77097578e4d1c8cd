package campaign

import (
	"errors"
	"fmt"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Parts are the parts of a draft that somebody has looked at and saved, a bit each. A draft is whole from its first part on, with what is
// usual in those that nobody has saved; but nobody submits what they have not seen.
type Parts int

// The parts.
const (
	PartWho      Parts = 1 << iota // the list
	PartWhat                       // the texts
	PartWhen                       // hours and limits
	PartTeam                       // who answers
	PartForecast                   // how it will go

	AllParts = PartWho | PartWhat | PartWhen | PartTeam | PartForecast
)

// Has tells whether all of some parts are among them.
func (p Parts) Has(some Parts) bool { return p&some == some }

const (
	// OnePersonMost is the most people of a campaign that one person may submit and approve, where the network allows that at all.
	OnePersonMost = 200
	// FirstBatch is how many texts leave before somebody has looked at them.
	FirstBatch = 20
)

// Errors of a second person's approval, of a draft, and of a test text.
var (
	ErrPeople   = errors.New("that is not the number of people who get this text; look at the list and the text again, and type the number that you see")
	ErrUnsaved  = errors.New("some steps have not been saved yet; go through them first")
	ErrTooOften = errors.New("you have had five test texts within an hour, which is the most; wait a while")
)

// Approval is what the second person says about a campaign.
type Approval struct {
	// Hash of what they have seen; "" if they do not say.
	Hash string
	// People is the number that they typed; 0 if they typed none.
	People int
}

// MayApprove refuses an approval of a campaign for so many people. Above OnePersonMost there are always two hands, and the second types how
// many people get the text: nobody approves by a press what thousands will read. A wrong number is refused whatever the size.
func (c Campaign) MayApprove(who staff.AccountID, a Approval, people int, n staff.Network) error {
	large := people > OnePersonMost
	switch {
	case who == c.SubmittedBy && (large || !n.OnePerson):
		return ErrSameHand
	case a.Hash != "" && a.Hash != c.Hash():
		return ErrChanged
	case a.People != people && (large || a.People != 0):
		return ErrPeople
	}
	return nil
}

// FirstLook tells whether somebody has looked at the first texts of a campaign.
//
// It lives beside the campaign's state, because a campaign that is paused for another reason in the meantime still waits for its look. The
// pacer knows nothing of it: whatever it decides, the store releases no more than [FirstLeft] in the same transaction, counted under the lock
// of who leads, and pauses the campaign once the last of the first texts is with the provider. So two pacers, a restart, or a decision on an
// old snapshot release no 21st text.
type FirstLook string

// A first look's states.
const (
	NoLook    FirstLook = ""        // nobody need look
	LookDue   FirstLook = "due"     // from the launch on
	LookWaits FirstLook = "waiting" // the first texts have gone, and the campaign is paused
	Looked    FirstLook = "done"    // somebody said: go on
)

// LimitFirstBatch is the limit of a decision that the first look has cut short.
const LimitFirstBatch throttle.Limit = "first_batch"

// NeedsLook tells whether the first texts of a campaign are looked at before the others leave. A list no longer than they are would be over.
func (c Campaign) NeedsLook(people int) bool {
	return c.Policy.FirstLook && !c.Policy.Blast && people > FirstBatch
}

// FirstLeft is how many of the first texts may still be released; settled, once none may and each of them is with the provider or refused.
// Who was taken out before leaving does not count; who was refused does, lest a wrong sender be tried on the whole list.
func FirstLeft(c Counts) (left int, settled bool) {
	gone := c.Total() - c[Planned] - c[Suppressed] - c[Expired]
	left = max(0, FirstBatch-gone)
	return left, left == 0 && c[Released]+c[Sending] == 0
}

// FirstLookWords is why a campaign is paused after its first texts.
func FirstLookWords() string {
	return fmt.Sprintf("%d texts have gone. Look at them, then go on.", FirstBatch)
}

// CutForLook is a decision as the first look leaves it.
func CutForLook(d throttle.Decision, left int) throttle.Decision {
	if d.N <= left {
		return d
	}
	d.N, d.Limit = left, LimitFirstBatch
	switch left {
	case 0:
		d.Sentence = fmt.Sprintf("The first %d texts are on their way. Then somebody looks at them before any other leaves.", FirstBatch)
	case 1:
		d.Sentence = fmt.Sprintf("1 text goes now, the last of the first %d. Then somebody looks at them before any other leaves.", FirstBatch)
	default:
		d.Sentence = fmt.Sprintf("%d texts go now, of the first %d. Then somebody looks at them before any other leaves.", left, FirstBatch)
	}
	return d
}
