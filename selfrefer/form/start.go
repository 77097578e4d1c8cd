package form

import (
	"context"
	"net/http"

	"github.com/wellpaced/wellpaced/selfrefer"
)

type startPage struct {
	Heading, Who                            string
	Lead                                    []string
	NextHeading                             string
	Next                                    []string
	Time, Draft                             string
	Lost                                    string
	Cards                                   []card
	Action, Start, Again                    string
	Begun                                   bool
	OtherHeading                            string
	Ring                                    phoneLine
	Relay, Check, CheckHref, Stop, StopHref string
	Yours                                   wayOn
}

func (h *Handler) startWords(v *visit) startPage {
	network, practice := v.in.Network.Name, v.in.Practice.Name
	p := startPage{
		Heading: "Talk to a link worker",
		Lead: []string{"Link workers have time to listen. They help with what affects your health but no medicine mends: loneliness, money, housing, " +
			"looking after somebody, getting out, and much more. It is free."},
		NextHeading: "What happens",
		Next: []string{
			"You answer some short questions. You can leave most of them empty.",
			"You check your answers and send them.",
			"We tell you by when a link worker will contact you.",
			"You decide together what would help. You can stop at any time.",
		},
		Time:  "It takes about 5 minutes. You do not need your NHS number.",
		Draft: sayDraft,
		Cards: cards, Action: v.base + "/start", Start: "Start now", Again: "Start again with empty answers", Begun: v.secret != "",
		OtherHeading: "Other ways",
		Ring:         ringInstead("You can ring us instead:", v.in.Network.Phone, "and ask for a link worker."),
		Relay:        "If you cannot hear or speak on the phone, put 18001 in front of the number to use text relay.",
		Check:        "How you can check that this is real", CheckHref: "/",
		Yours: wayOn{"What happens to what you tell us", "/#yours"},
	}
	switch {
	case v.general() && network != "":
		p.Who = "This is a service of " + network + "."
	case network == "":
		p.Who = "This is a service of your GP practice and its neighbours."
	case practice == "" || practice == network:
		p.Who = network + " sent you the text with this link."
	default:
		p.Who = practice + " and " + network + " sent you the text with this link."
	}
	if !v.general() {
		p.Stop, p.StopHref = "Stop these texts", "/stop"+v.base[len("/r"):]
	}
	return p
}

// sayShared warns whoever shares a phone: for a day it remembers what was done on it.
const (
	sayDraft  = "If somebody else uses this phone or computer: for a day, they can open the link and read your answers. “Leave this page” deletes them at once."
	sayShared = "For a day, whoever opens the link on this phone or computer can see that you have sent a form, but not your answers. “Leave this page” removes that at once."
)

const sayLost = "We cannot find your answers on this phone or computer. They are kept for a day, and only where you wrote them. Please start again. " +
	"If you see this a second time, your browser keeps no cookies: please ring us instead."

// start is the page that a link opens. It changes nothing: previewers open links too.
func (h *Handler) start(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.in.Found && r.Method != http.MethodHead {
		hash := v.hash
		h.later(r, "note that a link was seen", func(ctx context.Context) error { return h.Links.LinkSeen(ctx, hash) })
	}
	if v.done != nil {
		h.already(w, r, v)
		return
	}
	if (v.in.Spent || v.in.Expired) && v.secret == "" {
		h.lost(w, r, v, http.StatusGone)
		return
	}
	p := h.startWords(v)
	if r.URL.Query().Get("lost") != "" {
		p.Lost = sayLost
	}
	page := v.page(p.Heading, p)
	page.Leave = v.base + "/leave"
	h.UI.Render(w, r, http.StatusOK, "start", page)
}

// begin is "Start now": the person has opened the link, and gets to the first question.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, v *visit) {
	if !h.parse(w, r, v) {
		return
	}
	again := r.PostForm.Get("again") == "1"
	if v.done != nil && !again {
		http.Redirect(w, r, v.base+"/sent", http.StatusSeeOther)
		return
	}
	if v.in.Found {
		if err := h.Links.Opened(r.Context(), v.hash); err != nil {
			h.Log.Warn("cannot note that a form was opened", "error", err)
		}
	}
	if again {
		h.forget(r, v)
		h.setCookie(w, sentCookie, "")
	}
	if again || v.secret == "" {
		h.startDraft(w, v)
	} else {
		h.setCookie(w, formCookie, v.secret) // another day
	}
	http.Redirect(w, r, v.base+"/"+h.first(), http.StatusSeeOther)
}

// leave forgets this browser's answers and goes to a page that anybody might have open. It is a GET: it must be instant and work without
// scripts. Only this browser itself can cause it: neither another site nor a link fetched ahead.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request, v *visit) {
	if s := r.Header.Get("Sec-Fetch-Site"); s != "cross-site" && r.Header.Get("Sec-Purpose") == "" {
		h.forget(r, v)
		h.setCookie(w, formCookie, "")
		h.setCookie(w, sentCookie, "")
	}
	http.Redirect(w, r, LeaveTo, http.StatusSeeOther)
}

// empty tells answers that nobody has given.
func (h *Handler) empty(a *selfrefer.Answers) bool { return len(h.carry(a)) == 0 }
