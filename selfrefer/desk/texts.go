package desk

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Texter tells which texts went by themselves to a referral, or were kept back. The referral is opened first, which is what the audit holds.
type Texter interface {
	Texts(ctx context.Context, who staff.Account, id selfrefer.ReferralID) ([]selfrefer.Text, error)
}

// textLine is a text that went by itself, as the page of its referral says it.
type textLine struct{ What, When, Why string }

// what a text says, after "A text …: ".
var textSays = map[selfrefer.TextKind]string{
	selfrefer.TextConfirmation: "we have received this", selfrefer.TextWeTried: "we tried to reach you", selfrefer.TextRunningLate: "we need a little longer",
}

// textBecame is what became of a text, by the state of its message.
var textBecame = map[string]string{
	"": "No text was sent", "planned": "A text waits for the hours in which we text", "released": "A text is being sent", "sending": "A text is being sent",
	"accepted": "A text was sent", "sent": "A text was sent", "delivered": "A text arrived on their phone",
	"undelivered": "A text did not arrive", "failed": "A text did not arrive", "rejected": "A text could not be sent",
	"unknown": "A text may have been sent; nobody knows", "held": "A text may have been sent; nobody knows",
	"suppressed": "A text was kept back", "expired": "A text was kept back",
}

// textKept is why it was kept back.
var textKept = map[string]string{
	string(selfrefer.TextUrgent):   "It is urgent: call them.",
	string(selfrefer.TextHeard):    "Something else has come from that phone. Read it first.",
	string(selfrefer.TextUnsafe):   "They have not said that a text is safe.",
	string(selfrefer.TextForOther): "Somebody else answered the questions for them.",
	string(selfrefer.TextUnproven): "Nobody has confirmed that it is them.",
	string(selfrefer.TextOther):    "They asked us to use another number, and nobody has confirmed whose it is.",
	string(selfrefer.TextNowhere):  "The number that was invited is not kept any more.",
	string(selfrefer.TextReached):  "They had been reached by then.",
	string(selfrefer.TextOver):     "Nobody was going to try again by then.",
	string(selfrefer.TextInHand):   "Somebody was just contacting them.",
	string(selfrefer.TextFewer):    "A try was taken back.",
	string(selfrefer.TextOff):      "Your network has switched these texts off.",
	string(selfrefer.TextRestored): "A backup was put back, and it may have been sent before.",
	"too_late":                     "It could not be sent in time.",
	"opted_out":                    "They opted out of texts.",
}

// texts are the lines about what went by itself.
func (h *Handler) texts(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (lines []textLine, err error) {
	all, err := h.Store.Texts(ctx, who, id)
	if err != nil {
		return nil, fmt.Errorf("read the texts of a referral: %w", err)
	}
	return h.textLines(all), nil
}

func (h *Handler) textLines(all []selfrefer.Text) (lines []textLine) {
	for _, t := range all {
		l := textLine{What: textBecame[t.State] + ": “" + cmp.Or(textSays[t.Kind], strings.ReplaceAll(string(t.Kind), "_", " ")) + "”", When: h.when(t.At)}
		if t.State == "" || t.State == "suppressed" || t.State == "expired" {
			l.Why = cmp.Or(textKept[t.Code], "Their number is on a list of those who must not be texted.")
		}
		lines = append(lines, l)
	}
	return lines
}
