package form

import (
	"context"
	"net/http"

	"github.com/wellpaced/wellpaced/selfrefer"
)

type startPage struct {
	Heading, Who         string
	Lead                 []string
	NextHeading          string
	Next                 []string
	Time, Draft, Away    string
	Lost                 string
	Cards                []card
	Action, Start, Again string
	Begun                bool
	OtherHeading         string
	Ring                 phoneLine
	Relay                string
	Check, Yours, Stop   wayOn
}

func (h *Handler) startWords(v *visit) startPage {
	network, practice := v.in.Network.Name, v.in.Practice.Name
	p := startPage{
		Heading:     v.say("start.heading"),
		Lead:        v.says("start.lead", "start.free"),
		NextHeading: v.say("start.next"),
		Next:        v.says("start.next.answer", "start.next.check", "start.next.contact", "start.next.decide"),
		Time:        v.say("start.time"),
		Draft:       v.say("start.shared"),
		Cards:       v.cards(), Action: v.base + "/start", Start: v.say("start.now"), Again: v.say("start.again"), Begun: v.secret != "",
		OtherHeading: v.say("start.other"),
		Ring:         v.ringUs("start.ring", v.in.Network.Phone),
		Relay:        v.say("start.relay"),
		Check:        wayOn{v.say("start.check"), "/"},
		Yours:        wayOn{v.say("home.data"), "/#yours"},
	}
	if p.Begun {
		p.Start = v.say("start.on")
	}
	switch {
	case v.general() && network != "":
		p.Who = v.say("start.who.network", "Network", network)
	case network == "":
		p.Who = v.say("start.who.unknown")
	case practice == "" || practice == network:
		p.Who = v.say("start.who.text", "Network", network)
	default:
		p.Who = v.say("start.who.practice", "Practice", practice, "Network", network)
	}
	if !v.general() {
		p.Stop = wayOn{v.say("stop.why.opted_out"), "/stop" + v.base[len("/r"):]}
	}
	return p
}

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
	p.Away = h.away(r.Context(), v)
	if r.URL.Query().Get("lost") != "" {
		p.Lost = v.say("start.lost")
	}
	page := v.page(p.Heading, p)
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
	if (v.in.Spent || v.in.Expired) && v.secret == "" {
		h.lost(w, r, v, http.StatusGone)
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
		h.setCookie(w, langCookie, "")
	}
	http.Redirect(w, r, LeaveTo, http.StatusSeeOther)
}

// empty tells answers that nobody has given.
func empty(a *selfrefer.Answers) bool { return len(carry(a)) == 0 }
