package selfrefer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Errors of restricting, and of breaking the glass.
var (
	// ErrRestricted means that somebody is not among those who may open a referral. They may know that it waits.
	ErrRestricted = errors.New("this referral is restricted: only colleagues who are named may open it")
	// ErrNobodyLeft means that a restriction would leave the person without anybody who can help.
	ErrNobodyLeft = errors.New("nobody would be left who can help this person: name at least one colleague who may open it")
	// ErrNoRestriction means that a restriction would keep nobody from anything.
	ErrNoRestriction = errors.New("this would keep nobody from the referral: name somebody")
	// ErrHolderBarred means that whoever supports the person must give the referral up first.
	ErrHolderBarred = errors.New("whoever has this referral supports the person already: a senior must hand it over first")
	// ErrReason means that a reason is too short to be one.
	ErrReason = errors.New("say why in a few words")
)

// Events that only Restrict, Lift and BreakGlass write.
const (
	RestrictTo Event = "restrict"
	LiftIt     Event = "lift"
	BreakGlass Event = "break_glass"
)

const (
	// GlassFor is for how long a referral stands open to who has broken the glass, in civil time.
	GlassFor = time.Hour
	// MinGlassReason is the shortest reason for it, in characters.
	MinGlassReason = 10
	// MaxReason is the longest reason or note, in characters.
	MaxReason = 2000
)

// RestrictReason is why a referral is restricted.
type RestrictReason string

// The reasons.
const (
	WorksHere     RestrictReason = "works_here"
	RelationHere  RestrictReason = "relation_here"
	HarmHere      RestrictReason = "harm_here"
	RestrictOther RestrictReason = "other"
)

// RestrictReasons lists them.
var RestrictReasons = []RestrictReason{WorksHere, RelationHere, HarmHere, RestrictOther}

// Words is the reason as people say it.
func (r RestrictReason) Words() string {
	return map[RestrictReason]string{WorksHere: "The patient works here", RelationHere: "A relative or friend of theirs works here",
		HarmHere: "Somebody who harms them works here", RestrictOther: "Something else"}[r]
}

// Restriction says who may look at a referral. Two things can be said, together too: these alone, and never those. For those it does not exist.
type Restriction struct {
	Referral  ReferralID
	Reference string
	Set       bool // false: there is none
	Only      bool // whoever has it in hand and those in May alone
	May       []staff.AccountID
	Never     []staff.AccountID
	// NoPractice keeps everything about the referral from the files for the GP practice: somebody there is the danger.
	NoPractice bool
	Others     []Origin // of further restrictions that hold for it, too: by a join, or by an earlier referral of the same person
	By         staff.AccountID
	At         time.Time

	// Known to those alone who may open the referral.
	Reason RestrictReason
	Words  FreeText
}

// Origin is a referral on which a restriction was set that holds for another one.
type Origin struct {
	ID        ReferralID
	Reference string
}

// MayRestrict answers whether who may restrict a referral, or lift a restriction: whoever has it, anybody who sees it before somebody has it,
// a senior, and an administrator, who sees nothing of what is in it.
func MayRestrict(who staff.Account, r Referral) error {
	if err := staff.May(who, staff.RestrictReferral, r.Network); err != nil {
		return err
	}
	if who.Role == staff.Administrator {
		return nil
	}
	if r.Urgent {
		if err := staff.May(who, staff.ViewUrgent, r.Network); err != nil {
			return err
		}
	}
	if who.Role != staff.SeniorLinkWorker && r.ClaimedBy != 0 && r.ClaimedBy != who.ID {
		return ErrTaken
	}
	return nil
}

// Check answers whether a restriction of a referral can stand: it keeps somebody out, names colleagues of the network alone, and leaves
// somebody who can help.
func (x Restriction) Check(r Referral, colleagues []staff.Account) error {
	if !x.Only && len(x.Never) == 0 && !x.NoPractice {
		return ErrNoRestriction
	}
	left := false
	known := map[staff.AccountID]bool{}
	for _, a := range colleagues {
		known[a.ID] = true
		helps := staff.May(a, staff.WorkReferral, r.Network) == nil && (!r.Urgent || staff.May(a, staff.ViewUrgent, r.Network) == nil)
		if slices.Contains(x.May, a.ID) && (!helps || slices.Contains(x.Never, a.ID)) {
			return ErrNotTheirs
		}
		among := !x.Only || slices.Contains(x.May, a.ID) || a.ID == r.ClaimedBy
		left = left || helps && among && !slices.Contains(x.Never, a.ID)
	}
	for _, id := range append(slices.Clone(x.May), x.Never...) {
		if !known[id] {
			return ErrNotTheirs
		}
	}
	if !left {
		return ErrNobodyLeft
	}
	return nil
}

// Sight is how far somebody sees a referral, by its restrictions alone.
type Sight int

// The sights, from nothing upwards.
const (
	Hidden       Sight = iota // it does not exist
	ShutOut                   // it waits, without a name
	ThroughGlass              // as long as the glass is broken: to look and to write down what they see, not to take it
	Open
)

// MaskedLine is what is left of a referral for somebody who may know that it waits and no more.
func (r Referral) MaskedLine() Referral {
	return Referral{ID: r.ID, Network: r.Network, Team: r.Team, Reference: r.Reference, State: r.State, Lane: r.Lane, Urgent: r.Urgent, Received: r.Received, Due: r.Due,
		ClaimedBy: r.ClaimedBy, ClaimedAt: r.ClaimedAt, Contacted: r.Contacted, ClosedAt: r.ClosedAt, FreeSince: r.FreeSince, JoinedTo: r.JoinedTo, Offer: r.Offer,
		Restricted: true, Masked: true}
}

// BreakingID names one time that somebody broke the glass.
type BreakingID int64

// Breaking is one time that somebody broke the glass.
type Breaking struct {
	ID        BreakingID
	Referral  ReferralID
	Reference string
	By        staff.AccountID
	At, Until time.Time
	Reason    FreeText
	SeenBy    staff.AccountID // who has acknowledged it; 0: nobody
	Seen      time.Time
	Note      FreeText
}

// ToldOfGlass lists who is told that by has broken the glass: the network's guardian; every administrator if none is set, the guardian has left
// or broke it themselves, or must not know of the referral. never are those who must not. Nobody is told of it by themselves alone, unless they
// are the only one there is.
func ToldOfGlass(guardian staff.AccountID, colleagues []staff.Account, by staff.AccountID, never func(staff.AccountID) bool) (told []staff.AccountID) {
	var alone []staff.AccountID
	for _, a := range colleagues {
		if staff.May(a, staff.ReadGlass, a.Network) != nil || never(a.ID) {
			continue
		}
		switch {
		case a.ID == guardian && a.ID != by:
			return []staff.AccountID{a.ID}
		case a.Role != staff.Administrator:
		case a.ID == by:
			alone = append(alone, a.ID)
		default:
			told = append(told, a.ID)
		}
	}
	if len(told) == 0 {
		return alone
	}
	return told
}

// Look is one time that somebody opened a referral.
type Look struct {
	ID        int64
	At        time.Time
	By        staff.AccountID
	Reference string // of the case it is about: what was joined is looked at, too
	Glass     bool   // they broke the glass
}

// Restricter keeps people from referrals, and lets them break the glass.
type Restricter interface {
	// Restriction is the restriction that was set on a referral, for those who may change it.
	Restriction(ctx context.Context, who staff.Account, id ReferralID) (Restriction, error)
	// Restrict replaces it. It holds for all that is one case with the referral.
	Restrict(ctx context.Context, who staff.Account, id ReferralID, x Restriction) error
	Lift(ctx context.Context, who staff.Account, id ReferralID) error

	// Glass is a referral that who is shut out from, as far as they may know of it. ErrNotNow if they can open it anyway.
	Glass(ctx context.Context, who staff.Account, id ReferralID) (Referral, error)
	BreakGlass(ctx context.Context, who staff.Account, id ReferralID, reason string) error
	// Breakings are those that who is told of, the latest first.
	Breakings(ctx context.Context, who staff.Account) ([]Breaking, error)
	// BreakingsAfter goes on behind the one that was told last.
	BreakingsAfter(ctx context.Context, who staff.Account, after BreakingID, limit int) ([]Breaking, error)
	Acknowledge(ctx context.Context, who staff.Account, id BreakingID, note string) error
	// Guardian is the network's Caldicott guardian; 0 if none is set.
	Guardian(ctx context.Context, n staff.NetworkID) (staff.AccountID, error)
	SetGuardian(ctx context.Context, who staff.Account, guardian staff.AccountID) error

	// WhoLooked lists who has opened a referral, and what is one case with it, the latest first. That is audited, too.
	WhoLooked(ctx context.Context, who staff.Account, id ReferralID) (reference string, all []Look, err error)
	// WhoLookedAfter goes on behind the look that was told last.
	WhoLookedAfter(ctx context.Context, who staff.Account, id ReferralID, after int64, limit int) (reference string, all []Look, err error)
}
