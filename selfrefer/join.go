package selfrefer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Errors of joining and separating.
var (
	ErrJoined      = errors.New("these are one and the same referral already")
	ErrUrgentStays = errors.New("an urgent referral cannot be joined to one that nobody has to call any more: claim it")
	ErrJoinedSince = errors.New("something else was joined since: separate that first")
)

// Events that only Join and Separate write.
const (
	Join     Event = "join"     // another referral of the same person goes on in this one
	Separate Event = "separate" // they go on apart again
)

// Likeness is why two referrals may be from the same person.
type Likeness string

// The likenesses, the surest first.
const (
	LikeNHS   Likeness = "nhs_number"
	LikeName  Likeness = "name_and_birth_date"
	LikePhone Likeness = "phone"
)

// Words is the likeness as people say it.
func (l Likeness) Words() string {
	return map[Likeness]string{LikeNHS: "same NHS number", LikeName: "same name and date of birth", LikePhone: "same telephone number: could be a household"}[l]
}

// Alike is a referral that may be from the same person as another.
type Alike struct {
	Referral
	Why []Likeness
	// TwoNumbers is set if both have an NHS number, and not the same.
	TwoNumbers bool
}

// SamePerson tells whether the likeness is more than that of a household.
func (a Alike) SamePerson() bool {
	return slices.Contains(a.Why, LikeNHS) || slices.Contains(a.Why, LikeName) && !a.TwoNumbers
}

// Joined is a referral that goes on in another, with its answers.
type Joined struct {
	Referral
	By staff.AccountID
	At time.Time
}

// Same is what is known of the person of a referral from their other ones. Nothing is in it that its reader may not open.
type Same struct {
	Possible []Alike // that are not known to be the same person yet
	Earlier  []Alike // that have ended, or are in support: earlier contact with the service
	More     bool    // there are older ones than are listed
	Joined   []Joined
	Hidden   int       // of the joined ones, those that the reader may not open
	Into     *Referral // in which this one goes on; nil if it stands by itself, or the reader may not open that
	By       staff.AccountID
	Step     *Step // that the reader can undo now
}

// Person finds a person's other referrals, and makes one case of several.
type Person interface {
	// Same finds the other referrals of whoever a referral is from.
	Same(ctx context.Context, who staff.Account, id ReferralID) (Same, error)
	// Join makes one case of two referrals of one person, and tells which goes on. ErrTaken if the other is in somebody's hands, with that one.
	Join(ctx context.Context, who staff.Account, id, other ReferralID) (on Referral, err error)
	// Separate takes a join back: gone is the referral that was taken out of the queue. It tells from which it was separated.
	Separate(ctx context.Context, who staff.Account, gone ReferralID) (on Referral, err error)
}

// LikeNamed tells whether two names may be one person's: the same first and last word, in whichever order, whatever stands between. Twins of
// a double-barrelled name have another first one.
func LikeNamed(a, b person.Name) bool {
	aFirst, aLasts := ends(a)
	bFirst, bLasts := ends(b)
	if aFirst == "" || bFirst == "" {
		return false
	}
	straight := aFirst == bFirst && slices.ContainsFunc(aLasts, func(w string) bool { return slices.Contains(bLasts, w) })
	return straight || slices.Contains(bLasts, aFirst) && slices.Contains(aLasts, bFirst)
}

// NamePairs are the words by two of which somebody of this name, as [LikeNamed] has it, is found. Both are one word if the name is.
func NamePairs(n person.Name) (pairs [][2]string) {
	first, lasts := ends(n)
	for _, last := range lasts {
		pairs = append(pairs, [2]string{first, last})
	}
	return pairs
}

// ends are the first word of a name and its last: of a double-barrelled one also the whole, and with a short particle before it also both.
func ends(n person.Name) (first string, lasts []string) {
	fields := strings.Fields(n.Reveal())
	words := slices.DeleteFunc(wordsOf(n.Reveal()), func(w string) bool { return titles[w] })
	if len(words) == 0 {
		return "", nil
	}
	last := len(words) - 1
	lasts = append(lasts, words[last], strings.Join(wordsOf(fields[len(fields)-1]), ""))
	if last > 1 && utf8.RuneCountInString(words[last-1]) <= 3 {
		lasts = append(lasts, words[last-1]+words[last])
	}
	return words[0], slices.Compact(lasts)
}

// Heed takes over what is more careful in the answers of another form of the same person: whoever calls must know it, whichever form says so.
func (a *Answers) Heed(b Answers) {
	a.CallSafe, a.TextSafe, a.MessageSafe = careful(a.CallSafe, b.CallSafe), careful(a.TextSafe, b.TextSafe), careful(a.MessageSafe, b.MessageSafe)
	switch {
	case b.IfAnother == "" || b.IfAnother == a.IfAnother:
	case a.IfAnother == "":
		a.IfAnother = b.IfAnother
	default:
		a.IfAnother += " / " + b.IfAnother
	}
}

func careful(a, b Safe) Safe {
	for _, s := range []Safe{SafeNo, SafeUnasked} {
		if a == s || b == s {
			return s
		}
	}
	return SafeYes
}

// GoesOn decides which of two referrals of one person goes on: the one in support, or in somebody's hands, so that no work is lost; else the
// urgent one; else the one that came first.
func GoesOn(a, b Referral) (on, gone Referral) {
	for _, is := range []func(Referral) bool{
		func(r Referral) bool { return r.State == InSupport },
		func(r Referral) bool { return r.ClaimedBy != 0 },
		func(r Referral) bool { return r.Urgent },
		func(r Referral) bool { return r.Received.Before(a.Received) || r.Received.Before(b.Received) },
	} {
		switch {
		case is(a) && !is(b):
			return a, b
		case is(b) && !is(a):
			return b, a
		}
	}
	if b.ID < a.ID {
		return b, a
	}
	return a, b
}

// MayJoin answers whether who may take gone out of the queue because on is the same person's and goes on. What another has in hand is theirs
// to give up, or a senior's.
func MayJoin(who staff.Account, on, gone Referral) error {
	if on.ID == gone.ID || on.JoinedTo != 0 || gone.JoinedTo != 0 {
		return ErrJoined
	}
	for _, r := range []Referral{on, gone} {
		err := May(who, r, MarkDuplicate)
		if errors.Is(err, ErrTaken) && (r.ID == on.ID || who.Role == staff.SeniorLinkWorker) {
			err = nil // the one that goes on stays in the hands it is in
		}
		if err != nil {
			return err
		}
	}
	if _, can := Next(gone.State, MarkDuplicate); !can || !on.State.Open() && on.State != InSupport {
		return ErrNotNow
	}
	if gone.Urgent && !on.State.Open() {
		return ErrUrgentStays
	}
	return nil
}

// MaySeparate answers whether who may take back what by has joined: they, whoever has in hand what it went on in, or a senior.
func MaySeparate(who staff.Account, on Referral, by staff.AccountID) error {
	if err := staff.May(who, staff.WorkReferral, on.Network); err != nil {
		return err
	}
	if on.ClaimedBy != 0 && on.ClaimedBy != who.ID && by != who.ID && who.Role != staff.SeniorLinkWorker {
		return ErrTaken
	}
	return nil
}
