package selfrefer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// UndoFor is for how long a step can be undone, in civil time.
const UndoFor = 15 * time.Minute

// UndoStep is the event that undoes the one before it. Both stay in the history.
const UndoStep Event = "undo"

// ErrCannotUndo means that a step is too old, that something came after it, or that somebody else knows of it.
var ErrCannotUndo = errors.New("this cannot be undone any more")

// undoable are the events that whoever did them can undo. What was handed over is taken back; what a senior was told stays told.
var undoable = []Event{Claim, Release, Attempt, StartSupport, SendOnward, Close, Decline, GiveUp, MarkDuplicate}

// CanBeUndone reports whether an event can be undone by [UndoStep].
func (e Event) CanBeUndone() bool { return slices.Contains(undoable, e) }

// Step is the last thing that somebody did with a referral.
type Step struct {
	Event Event
	By    staff.AccountID
	At    time.Time
	// Seen is who else has opened the referral since: 0 for nobody, [Several] for more than one.
	Seen staff.AccountID
}

// Several is in the place of an account where there are more than one.
const Several staff.AccountID = -1

// Until is when it can no longer be undone.
func (s Step) Until() time.Time { return s.At.Add(UndoFor) }

// MayUndo answers whether who may undo the last step of a referral: whoever did it, or a senior, for a quarter of an hour, and only until
// somebody else has opened the referral and acts on what they read.
func MayUndo(who staff.Account, r Referral, s Step, now time.Time) error {
	if err := staff.May(who, staff.WorkReferral, r.Network); err != nil {
		return err
	}
	if s.By != who.ID && who.Role != staff.SeniorLinkWorker {
		return ErrCannotUndo
	}
	if !s.Event.CanBeUndone() || now.After(s.Until()) || s.Seen != 0 && s.Seen != who.ID {
		return ErrCannotUndo
	}
	return nil
}

// Steps undoes what staff did.
type Steps interface {
	// LastStep is the step of a referral that who can undo now; nil if there is none.
	LastStep(ctx context.Context, who staff.Account, id ReferralID) (*Step, error)
	// Undo puts a referral back as it was before its last step. left tells that a text has gone out since, which nobody can take back.
	Undo(ctx context.Context, who staff.Account, id ReferralID) (r Referral, left bool, err error)
}
