package campaign

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var events = []Event{Release, Recall, Claim, Postpone, Reject, LoseSight, Accept, ReportSent, Deliver, Undeliver, Fail, Clear, Hold, SettleSent, SettleAgain, Suppress, Expire, Doubt}

// The promise of exactly once, in the table alone: whatever happens in whatever order, once the provider has a text there is
// no way back to a state from which it could be sent, and no text can be sent without an intent.
func TestNoWayBackOnceTheProviderHasIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, left := Planned, false
		for _, e := range rapid.SliceOf(rapid.SampledFrom(events)).Draw(t, "events") {
			next, changed := Next(s, e)
			if changed != (next != s) {
				t.Fatalf("Next(%s, %s) says changed=%v but goes to %s", s, e, changed, next)
			}
			if changed && next == Sending && (s != Released || e != Claim) {
				t.Fatalf("%s -> sending on %s", s, e)
			}
			if left && !next.Left() {
				t.Fatalf("the provider has it, yet %s on %s leads to %s", s, e, next)
			}
			if changed && s == Unknown && next == Planned && e != Clear {
				t.Fatalf("unknown became planned on %s", e)
			}
			if s == Held && next != Held && e != SettleAgain && e != SettleSent && !e.IsEvidence() {
				t.Fatalf("held moved by itself on %s", e)
			}
			s, left = next, left || next.Left()
		}
	})
}

// The whole table as the package's documentation draws it. What is not drawn does not happen.
func TestNext_asDrawn(t *testing.T) {
	drawn := map[MessageState]map[Event]MessageState{
		Planned:     {Release: Released, Suppress: Suppressed, Expire: Expired, Doubt: Unknown},
		Released:    {Claim: Sending, Recall: Planned, Suppress: Suppressed, Expire: Expired, Doubt: Unknown},
		Sending:     {Postpone: Planned, Reject: Rejected, LoseSight: Unknown, Doubt: Unknown},
		Unknown:     {Clear: Planned, Hold: Held},
		Held:        {SettleSent: Accepted, SettleAgain: Planned},
		Accepted:    {ReportSent: Sent, Deliver: Delivered, Undeliver: Undelivered, Fail: Failed},
		Sent:        {Deliver: Delivered, Undeliver: Undelivered, Fail: Failed},
		Undelivered: {Deliver: Delivered},
		Failed:      {Deliver: Delivered},
	}
	for _, s := range MessageStates {
		for _, e := range events {
			want, ok := drawn[s][e]
			if proof := evidence[e]; !ok && proof != "" && !s.Left() {
				want, ok = proof, true // the provider knows better
			}
			if !ok {
				want = s
			}
			if got, moved := Next(s, e); got != want || moved != ok {
				t.Errorf("%s on %s leads to %s, want %s", s, e, got, want)
			}
		}
	}
}

func TestEvidenceIsAdoptedFromAnyState(t *testing.T) {
	for _, s := range MessageStates {
		got, _ := Next(s, Accept)
		if !got.Left() {
			t.Errorf("the provider took a %s message, and it became %s", s, got)
		}
		if got, _ := Next(s, Deliver); got != Delivered {
			t.Errorf("a receipt for a %s message made it %s", s, got)
		}
	}
}

func TestFinalStatesAreNeverResent(t *testing.T) {
	for _, s := range []MessageState{Undelivered, Failed, Rejected, Suppressed, Expired, Delivered} {
		for _, e := range events {
			if to, _ := Next(s, e); slices.Contains([]MessageState{Planned, Released, Sending}, to) {
				t.Errorf("%s on %s leads to %s", s, e, to)
			}
		}
	}
}

func TestCampaignNeedsApprovalBeforeLaunch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, approved := Draft, false
		for _, m := range rapid.SliceOf(rapid.SampledFrom([]Move{Submit, Return, Approve, Launch, Pause, Resume, Stop, Finish})).Draw(t, "moves") {
			to, ok := NextState(s, m)
			if !ok {
				continue
			}
			if to == Running && s == Approved && !approved {
				t.Fatal("launched without approval")
			}
			switch m {
			case Approve:
				approved = true
			case Return:
				approved = false
			}
			if (s == Stopped || s == Finished) && to != s {
				t.Fatalf("%s came back to life by %s", s, m)
			}
			s = to
		}
	})
}
