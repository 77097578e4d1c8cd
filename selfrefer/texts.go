package selfrefer

import (
	"sort"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/throttle"
)

// Besides the confirmation there are two texts that go by themselves while a referral waits: one says that we have tried to reach the person,
// one that we need longer than we said. Both find nobody who waits for them with the phone in hand, so they ask for more than a confirmation.

// Tries is after how many attempts without success a person is told by text.
const Tries = 3

const (
	// lateStretch is how much working time before a promised day is over a person is told that it takes longer: until then most are called.
	lateStretch = 2 * time.Hour
	// inHand is for how long after a claim or an attempt somebody is in the middle of it.
	inHand = 30 * time.Minute
)

// NoText is why a text must not go by itself; "" if it may.
type NoText string

// The reasons, the ones that weigh most first.
const (
	TextUrgent   NoText = "urgent"       // they must be called
	TextHeard    NoText = "wrote_again"  // somebody has written from that phone: a person reads it first
	TextUnsafe   NoText = "not_safe"     // they said so, or nobody asked
	TextForOther NoText = "for_other"    // somebody else said that it is safe
	TextUnproven NoText = "not_proven"   // it need not have come from the person who was invited
	TextOther    NoText = "other_number" // they want another number, which nobody has proved
	TextNowhere  NoText = "no_number"    // the list with the number is gone
	TextReached  NoText = "reached"      // they have been spoken to
	TextOver     NoText = "over"         // nobody will try again
	TextInHand   NoText = "in_hand"      // somebody is in the middle of it
	TextFewer    NoText = "fewer_tries"  // a try was taken back
	TextOff      NoText = "switched_off" // the network texts nobody back
	TextRestored NoText = "restored"     // it may have left in a life of the database that is forgotten
)

// MayText answers whether a text may go by itself to invited, the number that had the invitation, days after the form. The person must have
// said that texting is safe, in a form that is theirs beyond doubt, and must not have asked for another number: the form offers that to those
// for whom another is safer, so their yes is about the other, and nobody has proved whose that is. heard is whether anything else has come
// from that phone that a person has to read first: danger, or that it is the wrong number.
func MayText(r Referral, invited person.Phone, heard bool) NoText {
	other := r.Answers.Phone != ""
	if typed, err := person.ParsePhone(r.Answers.Phone); err == nil && typed == invited {
		other = false
	}
	switch {
	case r.Urgent:
		return TextUrgent
	case heard:
		return TextHeard
	case r.Answers.TextSafe != SafeYes:
		return TextUnsafe
	case r.Answers.ForOther:
		return TextForOther
	case r.Source != ByLink || r.NotMatched != "":
		return TextUnproven
	case invited.IsZero():
		return TextNowhere
	case other:
		return TextOther
	case !r.Contacted.IsZero():
		return TextReached
	case !r.State.Open():
		return TextOver
	}
	return ""
}

// Tried reports whether there were enough attempts to tell the person of them.
func Tried(r Referral) bool { return r.Attempts >= Tries }

// InHand reports whether somebody is in the middle of contacting the person at now; tried is when they last were.
func InHand(r Referral, tried, now time.Time) bool {
	return r.ClaimedBy != 0 && now.Sub(r.ClaimedAt) < inHand || now.Sub(tried) < inHand
}

// RunsLate reports whether the day that the person was told is nearly over, nobody is in the middle of contacting them, and no text says
// already that we have tried. told is the end of that day.
func RunsLate(c throttle.Calendar, r Referral, told, tried, now time.Time) bool {
	return told.After(now) && c.Working(now, told) <= lateStretch && !Tried(r) && !InHand(r, tried, now)
}

// LateBefore is an instant before which every day ends that is nearly over at now.
func LateBefore(c throttle.Calendar, now time.Time) time.Time {
	const furthest = 31 * 24 * 60 // minutes; no service is closed for a month
	return now.Add(time.Minute * time.Duration(sort.Search(furthest, func(i int) bool { return c.Working(now, now.Add(time.Duration(i)*time.Minute)) > lateStretch })))
}

// TextKind is a kind of text that goes by itself.
type TextKind string

// The kinds, as campaign has them.
const (
	TextConfirmation TextKind = "confirmation"
	TextWeTried      TextKind = "we_tried"
	TextRunningLate  TextKind = "running_late"
)

// Text is a text that went by itself, or was kept back. It holds neither number nor words.
type Text struct {
	Kind  TextKind
	State string    // of a message, as campaign has it; "" if it was never owed
	Code  string    // why it was kept back, or did not arrive
	At    time.Time // since when it is owed; zero if never
}
