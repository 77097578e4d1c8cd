package desk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// After the third try the page says that no text went, and why.
func TestReferralPage_texts(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	for want, a := range map[string]selfrefer.Answers{
		"They have not said that a text is safe.": {CallSafe: selfrefer.SafeYes},
		"Nobody has confirmed that it is them.":   {CallSafe: selfrefer.SafeYes, TextSafe: selfrefer.SafeYes},
		"It is urgent: call them.":                {TextSafe: selfrefer.SafeYes, Words: "I want to die"},
	} {
		path := fmt.Sprint("/desk/referrals/", b.refer(a, selfrefer.Verified))
		b.send(lin, "POST", path, form("event", "claim")).holds(t, 303)
		for range 3 {
			if page := b.send(lin, "GET", path, ""); strings.Contains(page.body, "Texts that went by themselves") {
				t.Error("texts are told of before the third try")
			}
			b.send(lin, "POST", path, form("event", "attempt", "channel", "call")).holds(t, 303)
		}
		page := b.send(lin, "GET", path, "")
		page.holds(t, 200, "Texts that went by themselves", "No text was sent: “we tried to reach you”", want)
		if !inOrder(page.body, "What happened so far", "Received", "Texts that went by themselves", want, "What you did") {
			t.Errorf("%s: not where it belongs", want)
		}
	}
}

// Every kind, every state and every reason has words.
func TestTextLines(t *testing.T) {
	b := newBench(t)
	for _, kind := range campaign.Services {
		if textSays[selfrefer.TextKind(kind)] == "" {
			t.Errorf("nobody said what a %s says", kind)
		}
		for _, state := range append([]campaign.MessageState{""}, campaign.MessageStates...) {
			l := b.desk.textLines([]selfrefer.Text{{Kind: selfrefer.TextKind(kind), State: string(state), Code: "not_safe", At: b.civil()}})[0]
			kept := state == "" || state == campaign.Suppressed || state == campaign.Expired
			if strings.HasPrefix(l.What, ":") || !strings.HasSuffix(l.What, "”") || (l.Why != "") != kept || l.When != "9:05am today" {
				t.Errorf("%s, %q: %+v", kind, state, l)
			}
		}
	}
	for _, why := range []selfrefer.NoText{selfrefer.TextUrgent, selfrefer.TextHeard, selfrefer.TextUnsafe, selfrefer.TextForOther, selfrefer.TextUnproven, selfrefer.TextOther,
		selfrefer.TextNowhere, selfrefer.TextReached, selfrefer.TextOver, selfrefer.TextInHand, selfrefer.TextFewer, selfrefer.TextOff, selfrefer.TextRestored, "too_late", "opted_out"} {
		if textKept[string(why)] == "" {
			t.Errorf("%s has no words", why)
		}
	}
	lines := b.desk.textLines([]selfrefer.Text{
		{Kind: selfrefer.TextConfirmation, State: "delivered", At: b.civil().Add(-24 * time.Hour)},
		{Kind: selfrefer.TextWeTried, State: "suppressed", Code: "died", At: b.civil()},
	})
	if lines[0].What != "A text arrived on their phone: “we have received this”" || lines[1].Why != "Their number is on a list of those who must not be texted." {
		t.Errorf("got %+v", lines)
	}
}
