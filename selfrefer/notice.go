package selfrefer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// NoticeKind is why somebody must look at a referral now.
//
// A new kind is a constant, a line in noticeKinds with its words and whether people may switch its mail off, and in package store a function
// among the noticers that says whom it is for. The top of the pages, the mail, the switches on the account's page and the API follow from these.
type NoticeKind string

// The kinds.
const (
	UrgentUnclaimed NoticeKind = "urgent_unclaimed" // offered to them
	UrgentArrived   NoticeKind = "urgent_arrived"   // they are at work, and nobody has claimed it
	EscalatedToYou  NoticeKind = "escalated"
	PromiseEnds     NoticeKind = "promise_ends" // they have it, or they are at work and nobody has it
	HandedToYou     NoticeKind = "handed_over"
	GlassBroken     NoticeKind = "glass_broken" // somebody has opened what is restricted: for the Caldicott guardian
	AskIfIn         NoticeKind = "is_in"        // By should be at work and has opened nothing today: it asks, and is about no referral
)

// noticeKind is what there is to say of a kind. Its words stand in mails, which are read on locked phones and pass through other people's
// servers: they name no person, no reference and no reason.
type noticeKind struct {
	kind      NoticeKind
	urgent    bool // its mail does not wait for others to go with
	one, many string
	part      string       // of the queue, where they are found: a state
	offer     string       // how the switch of its mail is called
	always    []staff.Role // whose mail of it cannot be switched off; nil: anybody can
	anyRole   bool         // of always: all of them
}

// noticeKinds are in the order in which they press.
var noticeKinds = []noticeKind{
	{UrgentUnclaimed, true, "An urgent self-referral is offered to you: nobody has claimed it.", "%s urgent self-referrals are offered to you: nobody has claimed them.", "urgent", "An urgent self-referral is offered to you", nil, true},
	{UrgentArrived, true, "An urgent self-referral is waiting, and nobody has claimed it.", "%s urgent self-referrals are waiting, and nobody has claimed them.", "urgent", "An urgent self-referral has come while you are at work", []staff.Role{staff.SeniorLinkWorker}, false},
	{EscalatedToYou, true, "A colleague has told you of a self-referral: read why.", "Colleagues have told you of %s self-referrals: read why.", "open", "A colleague tells you of a danger", nil, true},
	{GlassBroken, true, "Somebody has opened a restricted self-referral: read why.", "Restricted self-referrals were opened %s times: read why.", "open", "Somebody opens a restricted referral, and you are told of it", nil, true},
	{PromiseEnds, false, "The promise made for a self-referral is about to break.", "The promises made for %s self-referrals are about to break.", "open", "A promise is about to break", nil, false},
	{HandedToYou, false, "A self-referral has been handed to you.", "%s self-referrals have been handed to you.", "mine", "A referral is handed to you", nil, false},
	{AskIfIn, false, "A colleague who should be at work has opened nothing today: are they in?", "%s colleagues who should be at work have opened nothing today: are they in?", "open", "A colleague has opened nothing by mid-morning", nil, false},
}

// NoticeKinds lists all kinds, the most pressing first.
func NoticeKinds() (all []NoticeKind) {
	for _, k := range noticeKinds {
		all = append(all, k.kind)
	}
	return all
}

func (k NoticeKind) is() noticeKind {
	if i := k.rank(); i < len(noticeKinds) {
		return noticeKinds[i]
	}
	return noticeKind{kind: k, one: "Something waits for you.", many: "%s things wait for you.", part: "open"} // of a newer version that wrote it
}

func (k NoticeKind) rank() int {
	for i, other := range noticeKinds {
		if other.kind == k {
			return i
		}
	}
	return len(noticeKinds)
}

// Known tells whether there is such a kind.
func (k NoticeKind) Known() bool { return k.rank() < len(noticeKinds) }

// Urgent tells whether it may not wait for others to go with.
func (k NoticeKind) Urgent() bool { return k.is().urgent }

// Part is the part of the queue in which such referrals are found.
func (k NoticeKind) Part() string { return k.is().part }

// Switch is how people call it who decide whether they want a mail.
func (k NoticeKind) Switch() string { return k.is().offer }

// Fixed tells whether somebody of a role cannot switch its mail off: nobody else would be told of somebody in danger.
func (k NoticeKind) Fixed(r staff.Role) bool {
	is := k.is()
	return is.anyRole || slices.Contains(is.always, r)
}

// For tells whether somebody is ever told of it.
func (k NoticeKind) For(who staff.Account) bool {
	switch k {
	case UrgentUnclaimed:
		return staff.May(who, staff.TakeOffers, who.Network) == nil
	case UrgentArrived:
		return staff.May(who, staff.WorkReferral, who.Network) == nil && staff.May(who, staff.ViewUrgent, who.Network) == nil
	case GlassBroken:
		return staff.May(who, staff.ReadGlass, who.Network) == nil
	case EscalatedToYou:
		return who.Role == staff.SeniorLinkWorker
	case AskIfIn:
		return staff.May(who, staff.EditCapacity, who.Network) == nil
	}
	return staff.May(who, staff.WorkReferral, who.Network) == nil
}

// Sentence says it of n referrals, without a word of whom they are about.
func (k NoticeKind) Sentence(n int) string {
	if n <= 1 {
		return k.is().one
	}
	return fmt.Sprintf(k.is().many, Many(n))
}

// MaxNotices is where counting the notices of a kind ends.
const MaxNotices = 100

// Many writes how many notices there are: where counting ended, nobody knows more.
func Many(n int) string {
	if n >= MaxNotices {
		return fmt.Sprint(MaxNotices, " or more")
	}
	return fmt.Sprint(n)
}

// Notice is something that stands at the top of somebody's pages until they have looked. It names no patient.
type Notice struct {
	Kind     NoticeKind
	Referral ReferralID // 0 if they may not open it, or there are several
	Ref      string     // the reference; "" if there are several
	By       staff.AccountID
	Since    time.Time // of PromiseEnds: when it breaks, or broke
	Offer    Offer     // of UrgentUnclaimed
	Alone    bool      // of UrgentUnclaimed: no senior is on duty, of those who may open it
	Only     bool      // of UrgentUnclaimed: it is restricted
	Theirs   bool      // of PromiseEnds: they have claimed it
	Late     bool      // of PromiseEnds: it has broken meanwhile; only a mail that could not go yet asks
	N        int       // how many it stands for, where it stands for several
}

// Part is the part of the queue in which its referrals are found.
func (n Notice) Part() string {
	if n.Kind == PromiseEnds {
		return map[bool]string{true: "mine", false: "new"}[n.Theirs]
	}
	return n.Kind.Part()
}

// linesOfAKind is how many notices of a kind stand by themselves. More would drown the others.
const linesOfAKind = 2

// Gather makes one notice of many of a kind, and puts the most pressing first.
func Gather(all []Notice) (out []Notice) {
	type sort struct {
		kind   NoticeKind
		offer  Offer
		theirs bool
	}
	of := func(n Notice) sort { return sort{n.Kind, n.Offer, n.Theirs} }
	count := map[sort]int{}
	for _, n := range all {
		count[of(n)]++
	}
	done := map[sort]bool{}
	for _, n := range all {
		if count[of(n)] > linesOfAKind {
			if done[of(n)] {
				continue
			}
			done[of(n)] = true
			for _, other := range all {
				if of(other) == of(n) && other.Since.Before(n.Since) {
					n.Since = other.Since
				}
			}
			n.Referral, n.Ref, n.By, n.N = 0, "", 0, count[of(n)]
		}
		out = append(out, n)
	}
	SortNotices(out)
	return out
}

// SortNotices puts the most pressing kind first, and of each kind what is longest so.
func SortNotices(all []Notice) {
	slices.SortStableFunc(all, func(a, b Notice) int {
		return cmp.Or(cmp.Compare(a.Kind.rank(), b.Kind.rank()), a.Since.Compare(b.Since), cmp.Compare(a.Ref, b.Ref))
	})
}

// AtWork tells whether somebody can be mailed at now: in their own working hours, less leave and bank holidays. Whoever has no place on a
// roster, as managers have none, has the network's hours. Since nobody is mailed outside them, an urgent referral at night is mailed to whoever
// the roster says is on duty then, and to nobody if nobody is: the patient's page says whom to ring.
func AtWork(c throttle.Calendar, w *throttle.Worker, now time.Time) bool {
	if w == nil {
		return c.NextOpen(now).Equal(now)
	}
	return throttle.OnDuty(c, []throttle.Worker{*w}, now).Open
}
