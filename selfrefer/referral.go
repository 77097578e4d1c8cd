package selfrefer

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// ReferralID names a self-referral.
type ReferralID int64

// Errors that callers can act on.
var (
	ErrNotFound = errors.New("there is no such referral in your network")
	ErrTaken    = errors.New("somebody else has claimed this referral")
	ErrNotNow   = errors.New("this cannot be done with the referral as it stands; look again")
	// ErrNotTheirs means that a colleague cannot be given a referral, or told of it.
	ErrNotTheirs = errors.New("this colleague may not work on this referral: choose another")
	// ErrNotKept means that neither the database nor the journal could keep the form: the person must not be told that we have it.
	ErrNotKept = errors.New("we could not keep your answers")
)

// State is where a referral stands.
type State string

// The states of a referral.
const (
	New         State = "new"
	Claimed     State = "claimed"
	Contacting  State = "contacting"
	InSupport   State = "in_support"
	Onward      State = "onward"
	Closed      State = "closed"
	Declined    State = "declined"
	Unreachable State = "unreachable"
	Duplicate   State = "duplicate"
)

// States lists them in the order of a referral's life.
var States = []State{New, Claimed, Contacting, InSupport, Onward, Closed, Declined, Unreachable, Duplicate}

// Open reports whether somebody still has to do something.
func (s State) Open() bool { return s == New || s == Claimed || s == Contacting }

// Words is the state as people say it.
func (s State) Words() string { return strings.ReplaceAll(string(s), "_", " ") }

// Event is what staff do with a referral.
type Event string

// The events.
const (
	Claim         Event = "claim"
	Release       Event = "release"
	Attempt       Event = "attempt" // tried to reach the person, without success
	StartSupport  Event = "start_support"
	SendOnward    Event = "send_onward"
	Close         Event = "close"
	Decline       Event = "decline"
	GiveUp        Event = "give_up" // cannot be reached
	MarkDuplicate Event = "mark_duplicate"
	HandOver      Event = "hand_over" // to a colleague, by name
	TakeBack      Event = "take_back" // what was handed over and not opened yet
	Escalate      Event = "escalate"  // tell a senior, with a reason; it stays in the hands it is in
)

var transitions = map[State]map[Event]State{
	New: {Claim: Claimed, MarkDuplicate: Duplicate, HandOver: Claimed, Escalate: New, Note: New},
	Claimed: {Release: New, Attempt: Contacting, StartSupport: InSupport, SendOnward: Onward, Close: Closed, Decline: Declined, MarkDuplicate: Duplicate,
		HandOver: Claimed, TakeBack: Claimed, Escalate: Claimed, Note: Claimed},
	Contacting: {Release: New, Attempt: Contacting, StartSupport: InSupport, SendOnward: Onward, Close: Closed, Decline: Declined, GiveUp: Unreachable, MarkDuplicate: Duplicate,
		HandOver: Contacting, TakeBack: Contacting, Escalate: Contacting, Note: Contacting},
	InSupport: {SendOnward: Onward, Close: Closed, HandOver: InSupport, TakeBack: InSupport, Escalate: InSupport, Note: InSupport},
}

// Next gives a referral's state after an event; false if it is not possible there. It is the only place that knows.
func Next(s State, on Event) (State, bool) {
	to, ok := transitions[s][on]
	return to, ok
}

// Events lists what can be done with a referral in state s, in a fixed order.
func Events(s State) []Event {
	var can []Event
	for _, e := range []Event{Claim, Attempt, StartSupport, SendOnward, Decline, GiveUp, Close, MarkDuplicate, Release, HandOver, TakeBack, Escalate, Note} {
		if _, ok := Next(s, e); ok {
			can = append(can, e)
		}
	}
	return can
}

// FirstContact reports whether an event means that the person has been spoken to, which keeps the promise.
func (e Event) FirstContact() bool {
	return e == StartSupport || e == SendOnward || e == Decline || e == Close
}

// Lane separates referrals whose person is confirmed from those that a human must match, so that a flood of the latter
// cannot break promises made to the former. Urgent ones are always in the first lane.
type Lane string

// The lanes.
const (
	Verified   Lane = "verified"
	Unverified Lane = "unverified"
)

// Source is how a referral came.
type Source string

// The sources.
const (
	ByLink    Source = "link"    // the form, opened by the link of a text
	ByGeneral Source = "general" // the form, without a link of ours
	ByReply   Source = "reply"   // a reply to a text that is not STOP
	ByCall    Source = "call"
)

// Safe is an answer about what is safe. Unasked means no.
type Safe string

// The answers.
const (
	SafeUnasked Safe = ""
	SafeYes     Safe = "yes"
	SafeNo      Safe = "no"
)

// Answers are what a person wrote on the form. They redact themselves: the fields are for the form, the desk and the seal.
type Answers struct {
	Reasons     []string `json:"reasons,omitempty"`      // by code
	ReasonWords []string `json:"reason_words,omitempty"` // of the network's own reasons, in English
	Words       string   `json:"words,omitempty"`        // free text
	DangerNow   string   `json:"danger_now,omitempty"`
	Channel     string   `json:"channel,omitempty"` // how to be contacted: call, text, email, video, visit
	Email       string   `json:"email,omitempty"`   // if by e-mail
	When        []string `json:"when,omitempty"`
	CallSafe    Safe     `json:"call_safe,omitempty"`
	TextSafe    Safe     `json:"text_safe,omitempty"`
	MessageSafe Safe     `json:"message_safe,omitempty"` // leave a voice message
	IfAnother   string   `json:"if_another,omitempty"`   // what to say if somebody else answers
	Phone       string   `json:"phone,omitempty"`        // another number, as typed
	Name        string   `json:"name,omitempty"`
	BirthDate   string   `json:"birth_date,omitempty"` // as typed
	Language    string   `json:"language,omitempty"`   // to talk in
	Support     []string `json:"support,omitempty"`    // interpreter, hearing, reading and so on, by code
	Needs       string   `json:"needs,omitempty"`      // anything else that would make it easier
	Tell        []string `json:"tell,omitempty"`       // who may be told: practice, family
	TellWhom    string   `json:"tell_whom,omitempty"`
	Agreed      bool     `json:"agreed,omitempty"`

	// Filled in for someone else, by whom.
	ForOther    bool   `json:"for_other,omitempty"`
	Helper      string `json:"helper,omitempty"`
	HelperIs    string `json:"helper_is,omitempty"` // to the person: a daughter, a nurse
	HelperPhone string `json:"helper_phone,omitempty"`

	Pages lang.Code `json:"pages,omitempty"` // the language of the pages that were filled in

	// Of a reply.
	Said  Said `json:"said,omitempty"`
	Media int  `json:"media,omitempty"` // pictures that came with it
}

// String hides the answers.
func (Answers) String() string { return "[answers]" }

// GoString hides the answers from %#v.
func (Answers) GoString() string { return "[answers]" }

// LogValue hides the answers from logs.
func (Answers) LogValue() slog.Value { return slog.StringValue("[answers]") }

// Form is what comes in: the answers, and what the link says of who sent them.
type Form struct {
	ID      string // made when the form was first shown; the same id gives the same reference again
	Network staff.NetworkID
	Source  Source
	// TokenHash finds the text whose link was opened; nil without one.
	TokenHash []byte
	Answers   Answers
	From      person.Phone // of a reply
	At        time.Time
}

// Receipt is what the person is told.
type Receipt struct {
	Reference string
	// ContactBy is the honest date: from the pacer's forecast. Zero if it cannot be told now.
	ContactBy time.Time
	Urgent    bool
}

// Referral is a self-referral in triage.
type Referral struct {
	ID        ReferralID
	Network   staff.NetworkID
	Team      staff.TeamID
	Campaign  int64 // 0 if it came from no campaign
	Reference string
	State     State
	Lane      Lane
	Urgent    bool
	// WhyUrgent are the words or answers that raised it.
	WhyUrgent  []string
	Source     Source
	Practice   string
	Language   string
	Received   time.Time
	Due        time.Time // when the promise runs out
	ClaimedBy  staff.AccountID
	ClaimedAt  time.Time
	Contacted  time.Time // first contact made; zero before
	Attempts   int
	ClosedAt   time.Time
	NotMatched string    // why it is unverified, "" otherwise
	FreeSince  time.Time // since when nobody has it in hand, if nobody has
	// HandedBy is who has handed it to ClaimedBy, until they open it; BySystem if no colleague has.
	HandedBy staff.AccountID
	// The senior who was told of it last, when, and when they opened it.
	EscalatedTo   staff.AccountID
	EscalatedAt   time.Time
	EscalatedSeen time.Time
	Offer         Offer // whom an urgent one is offered to; known in lists alone
	// JoinedTo is the referral of the same person in which it goes on; 0 if it stands by itself.
	JoinedTo ReferralID
	// Restricted is set if somebody is kept from it; Masked, if that is who looks: then this is no more than that it waits.
	Restricted, Masked bool

	// Barred are those who may not be given it, and Glass until when it stands open to who has broken the glass.
	Barred []staff.AccountID
	Glass  time.Time

	// Later are the replies that came from the same number while it was open, oldest first. Known only on the referral's own page.
	Later []Later

	// Known only on the referral's own page: opened from the seal.
	Answers Answers
	Name    person.Name
	Phone   person.Phone
	NHS     person.NHSNumber
	Born    person.BirthDate
}

// Later is a reply that was added to an open referral. It hides its words as the answers do.
type Later struct {
	At    time.Time
	Words string
	Said  Said
	Media int
}

// String hides the words.
func (Later) String() string { return "[reply]" }

// GoString hides the words from %#v.
func (Later) GoString() string { return "[reply]" }

// LogValue hides the words from logs.
func (Later) LogValue() slog.Value { return slog.StringValue("[reply]") }

// Contact is one attempt to reach a person, or its success.
type Contact struct {
	At      time.Time
	By      staff.AccountID
	Channel string // call, text, visit
	Event   Event
	Note    string          // personal data: sealed
	To      staff.AccountID // of HandOver and Escalate: the colleague
	// Escalation is what an Escalate records.
	Escalation Escalation
	// Reason is why the support has ended, of what ends it.
	Reason Discharge
	Other  string // of Join, Separate and a MarkDuplicate by them: the other's reference
	Of     Event  // of UndoStep: what it undid
	Undone bool   // by a later UndoStep
}

// Escalation is a step of the safeguarding pathway: what the matter is, and who was told of it by telephone. It hides itself as answers do.
type Escalation struct {
	Why    string    `json:"why"`
	Told   string    `json:"told"`             // who, in the words of whoever rang them
	Number string    `json:"number,omitempty"` // that was rung
	At     time.Time `json:"at"`
}

// String hides the escalation.
func (Escalation) String() string { return "[escalation]" }

// GoString hides the escalation from %#v.
func (Escalation) GoString() string { return "[escalation]" }

// LogValue hides the escalation from logs.
func (Escalation) LogValue() slog.Value { return slog.StringValue("[escalation]") }

// Reasons are the 13 reasons of a self-referral, in the words of the service; a network can change them.
// Source: the Care Merseyside / Elemental form. Covid-19 is kept for old data and not offered.
var Reasons = []Reason{
	{"coping", "Problems coping"},
	{"inactivity", "Physical inactivity"},
	{"money", "Financial difficulties"},
	{"mental_health", "Mental health"},
	{"loneliness", "Loneliness"},
	{"isolation", "Isolation"},
	{"substance", "Substance misuse"},
	{"independence", "Struggling with independence"},
	{"housing", "Housing"},
	{"getting_out", "Problems getting out and about"},
	{"community", "Disconnected with the community"},
	{"carer", "Carer"},
	{"covid", "Covid-19"},
}

// Reason is one choice of the form.
type Reason struct{ Code, Words string }
