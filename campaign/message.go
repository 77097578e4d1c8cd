package campaign

import (
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Ring is what the queue carries: ids only. Nth tells repeated rings of one attempt apart.
type Ring struct {
	Message MessageID
	Attempt int
	Nth     int
}

// Outgoing is one text, frozen by the claim.
type Outgoing struct {
	Message   MessageID
	Attempt   int
	To        person.Phone
	From      string // sender name or number; "" means the gateway's own
	Body      string // holds the link's token: personal data
	Segments  int
	Synthetic bool
	// ClaimedAt is machine time: the gateway refuses to write the first byte more than FirstByte after it.
	ClaimedAt time.Time
	// ValidFor is how long the provider may try to deliver: until the end of the sending window.
	ValidFor time.Duration
}

// FirstByte is how long after the claim the first byte of a text may still be written.
const FirstByte = 5 * time.Second

// SendDeadline is how long after the claim the outcome must be known; then the message is unknown. It is longer than
// FirstByte plus the gateway's time-out, so that a message never becomes unknown while it is being sent.
const SendDeadline = 30 * time.Second

// Outcome is what became of one attempt, as far as the gateway can tell.
type Outcome struct {
	Event Event // Accept, Postpone, Reject or LoseSight
	SID   string
	Code  string        // provider's or our code: "21211", "http_502", "timeout"
	After time.Duration // Postpone: not before so long
	// Campaign is set if the whole campaign must stop sending: the account is refused, its daily cap is reached.
	Campaign bool
	// OptedOut is set if the provider says that the number has opted out.
	OptedOut bool
}

// Evidence is proof that the provider has a text, or had.
type Evidence struct {
	Message MessageID
	Attempt int // 0 if not known
	Event   Event
	Kind    string // "reply", "callback", "listing", "sweep", "link_seen"
	SID     string // "" if not known
	Code    string // provider's error code of a failed delivery
	At      time.Time
}

// Listed is one text in the provider's own list.
type Listed struct {
	SID, Body, Status string
	To                person.Phone
	Code              string
	At                time.Time
}

// Facts is what a claim has to know before a text may leave, read in the claim's own transaction.
type Facts struct {
	Campaign  Campaign
	Synthetic bool
	// Quarantined is set while nobody knows what the database may have forgotten: see Quarantine.
	Quarantined bool
	Held        bool
	// NumberSuppressed and PersonSuppressed hold the reason, "" if none.
	NumberSuppressed, PersonSuppressed string
	// TextedElsewhere is the last text to this number by another campaign.
	TextedElsewhere time.Time
	OpenReferral    bool
	// Answered is set if an earlier step of the campaign has been answered, whatever became of that referral.
	Answered bool
	// TakenOut is why a fresh list has taken the person out of the campaign, "" if none has.
	TakenOut string
	// Disagrees is set unless the person's practice agrees to the campaign as it is now.
	Disagrees bool
	WindowEnd time.Time // end of the present sending window; zero if it is closed
}

// Verdict is what the claim decides.
type Verdict struct {
	Event  Event // Claim, Recall, Suppress or Expire
	Reason string
}

// Admit decides whether a released message may be sent now. It is asked inside the claim's transaction, with the number locked.
func Admit(now time.Time, f Facts) Verdict {
	switch {
	case f.Quarantined: // before all else: what it says of the number may be out of date too
		return Verdict{Recall, "quarantined"}
	case f.NumberSuppressed != "":
		return Verdict{Suppress, f.NumberSuppressed}
	case f.PersonSuppressed != "":
		return Verdict{Suppress, f.PersonSuppressed}
	case f.TakenOut != "":
		return Verdict{Suppress, f.TakenOut}
	case f.OpenReferral:
		return Verdict{Suppress, string(ExAlreadySupported)}
	case f.Answered:
		return Verdict{Suppress, "answered"}
	case !f.TextedElsewhere.IsZero() && now.Sub(f.TextedElsewhere) < ContactGap:
		return Verdict{Suppress, string(ExRecentlyTexted)}
	case f.Campaign.State == Stopped || f.Campaign.State == Finished:
		return Verdict{Expire, "campaign_over"}
	case !f.Campaign.Policy.Last.IsZero() && now.After(f.Campaign.Policy.Last):
		return Verdict{Expire, "campaign_over"}
	case f.Disagrees:
		return Verdict{Suppress, DisagreesCode}
	case f.Campaign.State != Running || f.Held:
		return Verdict{Recall, "not_running"}
	case f.WindowEnd.IsZero():
		return Verdict{Recall, "window_closed"}
	}
	return Verdict{Event: Claim}
}

// Recipient is what a text is made from.
type Recipient struct {
	Name     person.Name
	Phone    person.Phone
	Practice staff.Practice
	Network  staff.Network
	Shared   bool // several patients share the number: the text carries no name
	Token    link.Token
}

// Compose renders a step's text for one recipient and counts its segments.
func Compose(t text.Template, r Recipient) (body string, size text.Size) {
	first := r.Name.First()
	if r.Shared {
		first = ""
	}
	body = t.Render(fieldsOf(first, r))
	return body, text.Count(body)
}

// NameShape is what has to be known of a name to tell how long any text to its person becomes; whose it is cannot be told from it.
func NameShape(n person.Name) string { return text.Shape(n.First()) }

// Measure sizes a step's text for anybody whose name has a shape: as Compose does for the name itself.
func Measure(t text.Template, shape string, r Recipient) text.Size {
	return text.Count(t.Render(fieldsOf(shape, r)))
}

func fieldsOf(first string, r Recipient) text.Fields {
	phone := r.Practice.Phone
	if phone == "" {
		phone = r.Network.Phone
	}
	return text.Fields{
		FirstName: first,
		Practice:  r.Practice.Name,
		Network:   r.Network.Name,
		Phone:     phone,
		Link:      link.URL(r.Network.LinkHost, r.Token),
		StopLink:  link.StopURL(r.Network.LinkHost, r.Token),
	}
}
