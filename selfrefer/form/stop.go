package form

import (
	"context"
	"errors"
	"net/http"
	"slices"

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
	Undo      *undo
}

type undo struct{ Action, Text string }

type choice struct{ Why, Text string }

// whyPractice is the button for no texts at all, from nobody at the practice.
const whyPractice = "practice"

// stopWhys are the reasons that have a button, the plain one first. The sentences stop.why.X are the buttons, stop.done.X what is true from then on.
var stopWhys = []string{selfrefer.WhyStop, whyPractice, selfrefer.WhyNotMe, selfrefer.WhyMoved, selfrefer.WhyDied}

func (v *visit) stopChoices() (all []choice) {
	for _, why := range stopWhys {
		all = append(all, choice{why, v.say("stop.why." + why)})
	}
	return all
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
	choices := v.stopChoices()
	p := stopPage{
		Heading:   v.say("stop.heading"),
		Lead:      v.says("stop.lead"),
		Action:    stopHref(v),
		Main:      choices[0],
		OrHeading: v.say("stop.or"),
		Others:    choices[1:],
		Ring:      v.ringUs("home.ring", v.in.Network.Phone),
	}
	if v.in.Network.TakesReplies() {
		p.After = v.says("stop.reply")
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
	if !slices.Contains(stopWhys, why) {
		why = selfrefer.WhyStop // whoever posts here wants no more texts
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	if r.PostForm.Get("undo") == "1" {
		h.resume(ctx, w, r, v)
		return
	}
	o := selfrefer.OptOut{Network: v.in.Network.ID, TokenHash: v.hash, Why: why}
	if why == whyPractice {
		o.Why, o.All = selfrefer.WhyStop, true
	}
	err := h.Receiver.Stop(ctx, o)
	switch {
	case errors.Is(err, selfrefer.ErrNotFound):
		h.unknownStop(w, r, v)
	case err != nil:
		h.Log.Error("an opt-out could not be kept", "error", err)
		w.Header().Set("Retry-After", "60")
		p := stopPage{Heading: v.say("stop.down"), Lead: v.says("stop.down.wait"), Action: stopHref(v), Main: choice{why, v.say("frame.again")}, Ring: v.ringUs("stop.down.ring", v.phone())}
		h.UI.Render(w, r, http.StatusServiceUnavailable, "stop", v.page(p.Heading, p))
	default:
		p := stopPage{Heading: v.say("stop.done"), Lead: v.says("stop.done."+why, "stop.done."+why+".then"), After: v.says("stop.done.on_its_way"), Ring: v.ringUs("stop.done.mistake", v.in.Network.Phone)}
		if why == selfrefer.WhyDied {
			p.Heading, p.Ring = v.say("stop.done.thanks"), v.ringUs("stop.done.talk", v.in.Network.Phone)
		}
		p.Undo = &undo{Action: stopHref(v), Text: v.say("stop.undo")}
		if why == selfrefer.WhyStop || why == selfrefer.WhyMoved {
			p.Links = []wayOn{{v.say("stop.done.help"), h.helpHref(v)}}
		}
		h.UI.Render(w, r, http.StatusOK, "stop", v.page(p.Heading, p))
	}
}

// resume takes an opt-out back: that of this very link, if it was made in the last days. What cannot be taken back here is said alike,
// whoever made it and whenever, so that nobody learns from this page what somebody else has done.
func (h *Handler) resume(ctx context.Context, w http.ResponseWriter, r *http.Request, v *visit) {
	err := h.Receiver.Resume(ctx, selfrefer.Undo{Network: v.in.Network.ID, TokenHash: v.hash})
	switch {
	case errors.Is(err, selfrefer.ErrNothingToUndo), errors.Is(err, selfrefer.ErrNotFound):
		p := stopPage{Heading: v.say("stop.undo.late"), Lead: v.says("stop.undo.late.then"), Ring: v.ringUs("home.ring", v.phone())}
		h.UI.Render(w, r, http.StatusGone, "stop", v.page(p.Heading, p))
	case err != nil:
		h.Log.Error("an opt-out could not be undone", "error", err)
		w.Header().Set("Retry-After", "60")
		p := stopPage{Heading: v.say("stop.down"), Lead: v.says("stop.undo.late.then"), Undo: &undo{stopHref(v), v.say("frame.again")}, Ring: v.ringUs("home.ring", v.phone())}
		h.UI.Render(w, r, http.StatusServiceUnavailable, "stop", v.page(p.Heading, p))
	default:
		p := stopPage{Heading: v.say("stop.undone"), Lead: v.says("stop.undone.then"), Links: []wayOn{{v.say("stop.why.opted_out"), stopHref(v)}}}
		h.UI.Render(w, r, http.StatusOK, "stop", v.page(p.Heading, p))
	}
}

func (h *Handler) unknownStop(w http.ResponseWriter, r *http.Request, v *visit) {
	h.guessNetwork(r, v)
	p := stopPage{Heading: v.say("lost.unknown"), Lead: v.says("stop.unknown.why"), After: v.says("stop.unknown.ring"), Ring: v.ringUs("stop.unknown.us", v.in.Network.Phone)}
	h.UI.Render(w, r, http.StatusNotFound, "stop", v.page(p.Heading, p))
}

func stopHref(v *visit) string { return "/stop" + v.base[len("/r"):] }
