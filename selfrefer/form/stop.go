package form

import (
	"context"
	"errors"
	"net/http"

	"github.com/wellpaced/wellpaced/selfrefer"
)

type stopPage struct {
	Heading   string
	Lead      []string
	Action    string
	Main      choice
	OrHeading string
	Others    []choice
	Carried   []hidden
	After     []string
	Ring      phoneLine
	Links     []wayOn
}

type choice struct{ Why, Text string }

var stopChoices = []choice{
	{selfrefer.WhyStop, "Stop these texts"},
	{selfrefer.WhyNotMe, "This text was not for me"},
	{selfrefer.WhyMoved, "I have moved to another GP practice"},
	{selfrefer.WhyDied, "The person has died"},
}

// inForce is what is true from now on, by why the texts stop.
var inForce = map[string][]string{
	selfrefer.WhyStop:  {"We will not text this number again to offer you a link worker.", "Your care stays the same. Your GP practice may still text you about appointments and the like."},
	selfrefer.WhyNotMe: {"We will not text this number again.", "Thank you for telling us. Somebody else’s number in our list was wrong, and you have spared them and yourself more texts."},
	selfrefer.WhyMoved: {"We will not text you about this again.", "If you have not yet done so, please register with a practice near you."},
	selfrefer.WhyDied:  {"We are sorry for your loss, and that our text reached you.", "We will not text about this person again. If you have not told their GP practice yet, please ring it: then nobody else from there writes either."},
}

// askStop asks before it stops anything: previewers open links too.
func (h *Handler) askStop(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.in.Found {
		hash := v.hash
		h.later(r, "note that a link was seen", func(ctx context.Context) error { return h.Links.LinkSeen(ctx, hash) })
	}
	if !v.in.Found && !v.blind {
		h.unknownStop(w, r, v)
		return
	}
	p := stopPage{
		Heading:   "Stop our texts",
		Lead:      []string{"Press a button. It counts at once. You need not tell us who you are."},
		Action:    stopHref(v),
		Main:      stopChoices[0],
		OrHeading: "Or stop them and tell us why",
		Others:    stopChoices[1:],
		Ring:      ringInstead("You can also ring us:", v.in.Network.Phone, ""),
	}
	if replies(v.in.Network.Sender) {
		p.After = []string{"You can also answer the text with the word STOP. It does the same."}
	}
	h.UI.Render(w, r, http.StatusOK, "stop", v.page(p.Heading, p))
}

// stop puts the number or the person out of reach. It answers with a page and no redirect: only who has just pressed the button may read
// that it is in force, and pressing it twice does no harm.
func (h *Handler) stop(w http.ResponseWriter, r *http.Request, v *visit) {
	if !h.parse(w, r, v) {
		return
	}
	why := r.PostForm.Get("why")
	if inForce[why] == nil {
		why = selfrefer.WhyStop // whoever posts here wants no more texts
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	err := h.Receiver.Stop(ctx, selfrefer.OptOut{Network: v.in.Network.ID, TokenHash: v.hash, Why: why})
	switch {
	case errors.Is(err, selfrefer.ErrNotFound):
		h.unknownStop(w, r, v)
	case err != nil:
		h.Log.Error("an opt-out could not be kept", "error", err)
		w.Header().Set("Retry-After", "60")
		p := stopPage{
			Heading: "Sorry, we could not do that just now",
			Lead:    []string{"The texts are not stopped yet. Please wait a minute, then press the button again."},
			Action:  stopHref(v), Main: choice{why, "Try again"},
			Ring: ringInstead("If it does not work, ring", v.phone(), "and say that you want no more of these texts."),
		}
		h.UI.Render(w, r, http.StatusServiceUnavailable, "stop", v.page(p.Heading, p))
	default:
		p := stopPage{Heading: "It is done", Lead: inForce[why], After: []string{"It counts from now on. If a text was on its way at this moment, it may still arrive."},
			Ring: ringInstead("If this was a mistake, ring us:", v.in.Network.Phone, "")}
		if why == selfrefer.WhyDied {
			p.Heading, p.Ring.Before = "Thank you for telling us", "If you want to talk to us:"
		}
		if why == selfrefer.WhyStop || why == selfrefer.WhyMoved {
			p.Links = []wayOn{{"If you need help at some time, you can always ask for it here", h.helpHref(v)}}
		}
		h.UI.Render(w, r, http.StatusOK, "stop", v.page(p.Heading, p))
	}
}

func (h *Handler) unknownStop(w http.ResponseWriter, r *http.Request, v *visit) {
	h.guessNetwork(r, v)
	p := stopPage{
		Heading: "We do not know this link",
		Lead:    []string{"So we cannot tell which texts to stop. Perhaps a letter or a digit is missing at the end of the link, or the text is old and we have already deleted your number."},
		After:   []string{"Please ring your GP practice and say that you want no more texts about link workers. They stop them for you."},
		Ring:    ringInstead("Or ring us:", v.in.Network.Phone, ""),
	}
	h.UI.Render(w, r, http.StatusNotFound, "stop", v.page(p.Heading, p))
}

// replies tells whether a sender can be answered: a number can, a name cannot.
func replies(sender string) bool {
	return sender != "" && (sender[0] == '+' || sender[0] >= '0' && sender[0] <= '9')
}

func stopHref(v *visit) string { return "/stop" + v.base[len("/r"):] }
