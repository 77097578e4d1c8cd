package selfrefer

import (
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// OfferAfter is how long an urgent referral waits for somebody to claim it, in working time, until it is offered to the next in line.
const OfferAfter = 30 * time.Minute

// Offer says whom an urgent referral is offered to that nobody has claimed.
type Offer string

// The offers. Whoever could claim it before still can.
const (
	ToTeam    Offer = ""        // anybody of the team
	ToSenior  Offer = "senior"  // the senior on duty, for nobody has claimed it for half a working hour
	ToManager Offer = "manager" // the manager, for no senior has either, or none is on duty
)

// Words is the offer as the queue shows it.
func (o Offer) Words() string {
	return map[Offer]string{ToSenior: "Senior: claim now", ToManager: "Manager: nobody has it"}[o]
}

// OfferOf tells whom an unclaimed urgent referral is offered to at now. Working time is the network's: it stands still at night and on bank
// holidays. seniors is the roster of those who are senior: without one of them at work the manager is the next in line, since an offer to
// nobody helps nobody. It is pure: the same arguments give the same offer.
func OfferOf(c throttle.Calendar, seniors []throttle.Worker, r Referral, now time.Time) Offer {
	if !r.Urgent || r.State != New {
		return ToTeam
	}
	since := r.Since()
	if longest := now.AddDate(0, -1, 0); since.Before(longest) { // no service is closed for a month; to look further back only takes longer
		since = longest
	}
	waited := c.Working(since, now)
	switch {
	case waited < OfferAfter:
		return ToTeam
	case waited < 2*OfferAfter && throttle.OnDuty(c, seniors, now).Open:
		return ToSenior
	}
	return ToManager
}

// Since is when it came, or was put back: since then it waits for somebody to claim it.
func (r Referral) Since() time.Time {
	if r.FreeSince.IsZero() {
		return r.Received
	}
	return r.FreeSince
}

// DutyNow lists who of a roster is at work at now, in its order.
func DutyNow(c throttle.Calendar, roster []throttle.Worker, now time.Time) (there []throttle.Worker) {
	for _, w := range roster {
		if throttle.OnDuty(c, []throttle.Worker{w}, now).Open {
			there = append(there, w)
		}
	}
	return there
}

// Offered tells whether an offer is made to somebody: to a senior who is on duty, to the managers of the network; what is with the manager
// stays with the seniors on duty as well.
func Offered(o Offer, who staff.Account, onDuty []staff.AccountID) bool {
	if staff.May(who, staff.TakeOffers, who.Network) != nil {
		return false
	}
	if who.Role == staff.SeniorLinkWorker {
		return o != ToTeam && slices.Contains(onDuty, who.ID)
	}
	return o == ToManager
}
