package selfrefer

import (
	"context"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Filter selects a part of the queue.
type Filter struct {
	Network  staff.NetworkID
	Team     staff.TeamID // 0 = all teams of the network
	State    string       // "open" (default), "new", "mine", "urgent", "unverified", "done", or a State
	Mine     staff.AccountID
	NoUrgent bool  // a volunteer sees no urgent ones
	After    int64 // cursor: the position after which to go on
	Limit    int   // default 50
}

// Tally counts a queue.
type Tally struct {
	New, Claimed, Contacting, Urgent, Unverified, Overdue, Done int
}

// Triage is the store's side of the desk. Every change is guarded by the state it starts from and audited in the same transaction.
type Triage interface {
	// Queue lists referrals in the order of calling: urgent first, then by when the promise runs out; unverified ones after.
	Queue(ctx context.Context, f Filter) ([]Referral, error)
	// Tally counts the queue of a network, as of now.
	Tally(ctx context.Context, n staff.NetworkID, team staff.TeamID) (Tally, error)
	// Referral opens one with its answers; the view is audited. ErrNotFound across networks.
	Referral(ctx context.Context, who staff.Account, id ReferralID) (Referral, []Contact, error)
	// Act applies an event. ErrTaken if somebody else has claimed it, with the referral as it stands now; ErrNotNow if the state does not allow it.
	Act(ctx context.Context, who staff.Account, id ReferralID, c Contact) (Referral, error)
}

// May answers whether who may apply an event to a referral: only its claimer works on a claimed one, except that a senior may release it.
func May(who staff.Account, r Referral, e Event) error {
	if err := staff.May(who, staff.WorkReferral, r.Network); err != nil {
		return err
	}
	if r.Urgent {
		if err := staff.May(who, staff.ViewUrgent, r.Network); err != nil {
			return err
		}
	}
	if e == Claim {
		if r.ClaimedBy != 0 {
			return ErrTaken
		}
		return nil
	}
	if e == MarkDuplicate && r.ClaimedBy == 0 {
		return nil // seen at a glance: nobody has to claim it first
	}
	if r.ClaimedBy != who.ID && !(e == Release && who.Role == staff.SeniorLinkWorker) {
		return ErrTaken
	}
	return nil
}

// Age says how a referral stands against its promise.
type Age string

// The ages.
const (
	InTime  Age = "in time"
	DueSoon Age = "due soon" // less than a quarter of the promise is left
	Late    Age = "late"
	Kept    Age = "contacted"
)

// AgeAt tells a referral's age at civil time now.
func (r Referral) AgeAt(now time.Time) Age {
	switch {
	case !r.Contacted.IsZero():
		return Kept
	case now.After(r.Due):
		return Late
	case r.Due.Sub(now) < r.Due.Sub(r.Received)/4:
		return DueSoon
	}
	return InTime
}
