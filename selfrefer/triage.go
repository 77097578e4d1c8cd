package selfrefer

import (
	"context"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Filter selects a part of the queue.
type Filter struct {
	Network  staff.NetworkID
	Team     staff.TeamID // 0 = all teams of the network
	State    string       // "open" (default), "new", "mine", "supported", "waiting", "urgent", "unverified", "done", or a State
	Mine     staff.AccountID
	NoUrgent bool  // a volunteer sees no urgent ones
	After    int64 // cursor: the position after which to go on
	Limit    int   // default 50
	// Who looks. Without anybody nothing that is restricted is shown but that it waits.
	Who staff.Account

	// These narrow the parts that are open. "" is any.
	Practice, Reason, Language string
}

// Narrowed tells by how many of practice, reason and language a filter narrows.
func (f Filter) Narrowed() (n int) {
	for _, by := range []string{f.Practice, f.Reason, f.Language} {
		if by != "" {
			n++
		}
	}
	return n
}

// Tally counts a queue.
type Tally struct {
	New, Claimed, Contacting, Urgent, Unverified, Overdue, Done int
}

// Open is how many somebody still has to do something for.
func (t Tally) Open() int { return t.New + t.Claimed + t.Contacting }

// MaxOverdue is where counting who waits too long ends: a number that long is a number of its own kind.
const MaxOverdue = 1000

// Counts are what the tabs and the filters of a queue say.
type Counts struct {
	Tally
	// Known is false where several filters together are counted by nobody: then Tally counts the whole queue.
	Known           bool
	Mine, Supported int // those of Filter.Mine, open and in support, whatever the other filters
	// Open referrals by practice, by reason and by language, whatever the filter.
	Practices, Reasons, Languages map[string]int
}

// Found is what a search finds, newest first.
type Found struct {
	Referrals []Referral
	More      bool // there are more than anybody would read through
}

// Triage is the store's side of the desk. Every change is guarded by the state it starts from and audited in the same transaction.
type Triage interface {
	// Queue lists referrals in the order of calling: urgent first, then by when the promise runs out; unverified ones after.
	Queue(ctx context.Context, f Filter) ([]Referral, error)
	// Tally counts the queue of a network, as of now.
	Tally(ctx context.Context, n staff.NetworkID, team staff.TeamID) (Tally, error)
	// Count counts the tabs and filters of the queue that f selects, without those that f hides.
	Count(ctx context.Context, f Filter) (Counts, error)
	// Search finds referrals of who's own network that they may open. It is audited, without what was searched for.
	Search(ctx context.Context, who staff.Account, s Search) (Found, error)
	// Notices are what somebody must look at now.
	Notices(ctx context.Context, who staff.Account) ([]Notice, error)
	// Referral opens one with its answers; the view is audited. ErrNotFound across networks.
	Referral(ctx context.Context, who staff.Account, id ReferralID) (Referral, []Contact, error)
	// Act applies an event. ErrTaken if somebody else has claimed it, with the referral as it stands now; ErrNotNow if the state does not allow it.
	Act(ctx context.Context, who staff.Account, id ReferralID, c Contact) (Referral, error)
}

// May answers whether who may apply an event to a referral: only its claimer works on a claimed one, except that a senior may release it,
// hand it over and escalate it, and whoever has handed it over may take it back until it is opened.
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
	if e == Escalate && r.ClaimedBy == 0 {
		return nil // whoever sees the danger tells of it at once
	}
	if e == Note {
		return nil
	}
	if e == TakeBack {
		if r.HandedBy != who.ID && r.HandedBy != BySystem { // what nobody has handed over, whoever may work on it can take to themselves
			return ErrNotNow
		}
		return nil
	}
	if senior := who.Role == staff.SeniorLinkWorker; r.ClaimedBy != who.ID && !(senior && r.ClaimedBy != 0 && slices.Contains(ofSeniors, e)) {
		return ErrTaken
	}
	return nil
}

// ofSeniors are the events that a senior may apply to what another has in hand.
var ofSeniors = []Event{Release, HandOver, Escalate}

// MayBeTold answers whether a colleague can be given a referral by HandOver, or told of it by Escalate.
func MayBeTold(who, colleague staff.Account, r Referral, e Event) error {
	switch {
	case colleague.Network != r.Network: // nobody of another network exists here
		return ErrNotTheirs
	case slices.Contains(r.Barred, colleague.ID):
		return ErrNotTheirs
	case e == HandOver && colleague.ID == r.ClaimedBy, e == Escalate && (colleague.Role != staff.SeniorLinkWorker || colleague.ID == who.ID):
		return ErrNotTheirs
	}
	if staff.May(colleague, staff.WorkReferral, r.Network) != nil || r.Urgent && staff.May(colleague, staff.ViewUrgent, r.Network) != nil {
		return ErrNotTheirs
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
