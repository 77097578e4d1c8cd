package campaign

// MessageState is where one text to one number stands.
type MessageState string

// The states of a message.
const (
	Planned     MessageState = "planned"     // waits for the pacer
	Released    MessageState = "released"    // may go now; the queue has been rung
	Sending     MessageState = "sending"     // the intent is durable; the gateway may write until the deadline
	Accepted    MessageState = "accepted"    // the provider has it
	Sent        MessageState = "sent"        // the provider handed it to the phone network
	Delivered   MessageState = "delivered"   // the phone has it
	Undelivered MessageState = "undelivered" // the network could not deliver; never sent again
	Failed      MessageState = "failed"      // the provider gave up; never sent again
	Unknown     MessageState = "unknown"     // it may or may not have left; only evidence moves it
	Held        MessageState = "held"        // evidence cannot be had; a person decides
	Rejected    MessageState = "rejected"    // the provider refused it for good
	Suppressed  MessageState = "suppressed"  // must not be texted
	Expired     MessageState = "expired"     // the campaign ended first
)

// MessageStates lists them in the order of a message's life.
var MessageStates = []MessageState{Planned, Released, Sending, Unknown, Held, Accepted, Sent, Delivered, Undelivered, Failed, Rejected, Suppressed, Expired}

// Final states have no way out but evidence, and for what a practice kept back its word.
func (s MessageState) Final() bool {
	switch s {
	case Delivered, Undelivered, Failed, Rejected, Suppressed, Expired:
		return true
	}
	return false
}

// Left reports whether the text has left us for certain: the provider took it.
func (s MessageState) Left() bool {
	switch s {
	case Accepted, Sent, Delivered, Undelivered, Failed:
		return true
	}
	return false
}

// Event is what happens to a message.
type Event string

// The events.
const (
	Release     Event = "release"      // the pacer's decision
	Recall      Event = "recall"       // pause, stop, brake, end of the window: released rows go back
	Claim       Event = "claim"        // a worker takes it, the intent is durable
	Postpone    Event = "postpone"     // a definite refusal that may pass, or nothing was ever written
	Reject      Event = "reject"       // a definite refusal for good
	LoseSight   Event = "lose_sight"   // time-out, reset, 5xx, 3xx, undecodable or empty 2xx, deadline passed
	Accept      Event = "accept"       // evidence that the provider has it: reply, callback, listing, the link was seen
	ReportSent  Event = "report_sent"  // callback or status look-up
	Deliver     Event = "deliver"      // delivery receipt
	Undeliver   Event = "undeliver"    // the network could not deliver
	Fail        Event = "fail"         // the provider failed it
	Clear       Event = "clear"        // two complete empty listings after the settle time, no evidence
	Hold        Event = "hold"         // evidence cannot be had
	SettleSent  Event = "settle_sent"  // a person says: it was sent
	SettleAgain Event = "settle_again" // a person says: send again
	Suppress    Event = "suppress"     // opt-out, dissent, died, moved, texted by another campaign, already in touch
	Readmit     Event = "readmit"      // its practice did not agree, and does now
	Expire      Event = "expire"       // past the campaign's last date
	Doubt       Event = "doubt"        // generation quarantine: a restored backup cannot know what left
)

type edge struct {
	from MessageState
	on   Event
}

// transitions is the whole life of a message. Evidence (accept, report_sent, deliver, undeliver, fail) is adopted from any state: a text that
// the provider knows has left, whatever we believed; see Next.
var transitions = map[edge]MessageState{
	{Planned, Release}:      Released,
	{Planned, Suppress}:     Suppressed,
	{Planned, Expire}:       Expired,
	{Planned, Doubt}:        Unknown,
	{Released, Recall}:      Planned,
	{Suppressed, Readmit}:   Planned, // of those alone that their practice kept back
	{Released, Claim}:       Sending,
	{Released, Suppress}:    Suppressed,
	{Released, Expire}:      Expired,
	{Released, Doubt}:       Unknown,
	{Sending, Postpone}:     Planned,
	{Sending, Reject}:       Rejected,
	{Sending, LoseSight}:    Unknown,
	{Sending, Doubt}:        Unknown,
	{Unknown, Clear}:        Planned,
	{Unknown, Hold}:         Held,
	{Held, SettleSent}:      Accepted,
	{Held, SettleAgain}:     Planned,
	{Accepted, ReportSent}:  Sent,
	{Accepted, Deliver}:     Delivered,
	{Accepted, Undeliver}:   Undelivered,
	{Accepted, Fail}:        Failed,
	{Sent, Deliver}:         Delivered,
	{Sent, Undeliver}:       Undelivered,
	{Sent, Fail}:            Failed,
	{Undelivered, Deliver}:  Delivered, // late receipts happen; what the phone has, it has
	{Failed, Deliver}:       Delivered,
	{Rejected, SettleAgain}: Rejected, // a refusal for good is never sent again, whoever asks
}

var evidence = map[Event]MessageState{Accept: Accepted, ReportSent: Sent, Deliver: Delivered, Undeliver: Undelivered, Fail: Failed}

// Next gives the state after an event, and false if the event changes nothing there. It is the only place that knows.
//
// Evidence that the provider has a text moves any state that does not know it yet; it never moves a message backwards, so that doubled,
// early and reordered callbacks do no harm.
func Next(s MessageState, on Event) (MessageState, bool) {
	if to, ok := transitions[edge{s, on}]; ok {
		return to, to != s
	}
	if to, ok := evidence[on]; ok && !s.Left() {
		return to, true
	}
	return s, false
}

// IsEvidence reports whether an event proves that the provider took the text.
func (e Event) IsEvidence() bool { _, ok := evidence[e]; return ok }

// From lists the states that an event leaves, for guarded updates of many rows.
func (e Event) From() []MessageState {
	var from []MessageState
	for _, s := range MessageStates {
		if _, ok := Next(s, e); ok {
			from = append(from, s)
		}
	}
	return from
}

// State is where a campaign stands.
type State string

// The states of a campaign.
const (
	Draft     State = "draft"
	Submitted State = "submitted"
	Approved  State = "approved"
	Running   State = "running"
	Paused    State = "paused"
	Finished  State = "finished"
	Stopped   State = "stopped"
)

// Step of a campaign's life that a person takes, or the system when nothing is left.
type Move string

// The moves.
const (
	Submit  Move = "submit"
	Return  Move = "return" // the second person sends it back
	Approve Move = "approve"
	Launch  Move = "launch"
	Pause   Move = "pause"
	Resume  Move = "resume"
	Stop    Move = "stop"
	Finish  Move = "finish"
)

var moves = map[State]map[Move]State{
	Draft:     {Submit: Submitted},
	Submitted: {Approve: Approved, Return: Draft},
	Approved:  {Launch: Running, Return: Draft},
	Running:   {Pause: Paused, Stop: Stopped, Finish: Finished},
	Paused:    {Resume: Running, Stop: Stopped},
}

// NextState gives a campaign's state after a move; false if the move is not possible there.
func NextState(s State, m Move) (State, bool) {
	to, ok := moves[s][m]
	return to, ok
}
