package form

import (
	"fmt"
	"net/http"
)

type lostPage struct {
	Heading string
	Lines   []string
	Links   []wayOn
	Ring    phoneLine
	Cards   []card
}

type wayOn struct{ Text, Href string }

// lost explains a link that leads no further, and the way on. A used link and an old one look alike: whoever opens the texts of somebody
// else must not learn that help was asked for.
func (h *Handler) lost(w http.ResponseWriter, r *http.Request, v *visit, status int) {
	h.guessNetwork(r, v)
	p := lostPage{
		Heading: v.say("lost.spent"),
		Lines:   v.says("lost.spent.why", "lost.spent.still", "lost.spent.sent"),
		Links:   []wayOn{{v.say("lost.form"), h.helpHref(v)}},
		Ring:    v.ringUs("frame.ring", v.in.Network.Phone),
		Cards:   []card{v.helpCard()},
	}
	if status == http.StatusNotFound {
		p.Heading, p.Lines = v.say("lost.unknown"), v.says("lost.unknown.why", "lost.unknown.still")
		p.Links = append([]wayOn{{v.say("home.ways.code"), "/r"}}, p.Links...)
	}
	h.UI.Render(w, r, status, "lost", v.page(p.Heading, p))
}

// guessNetwork says whose number to ring where no link tells it: where there is one network only, it is that.
func (h *Handler) guessNetwork(r *http.Request, v *visit) {
	if v.in.Network.ID != 0 {
		return
	}
	if all, _ := h.sendings(r.Context()); len(all) == 1 {
		v.in.Network = all[0].Network
	}
}

// tooMany slows down who tries links that we do not know.
func (h *Handler) tooMany(w http.ResponseWriter, r *http.Request, v *visit) {
	w.Header().Set("Retry-After", "600")
	h.guessNetwork(r, v)
	p := lostPage{
		Heading: v.say("lost.wait"),
		Lines:   v.says("lost.wait.why", "lost.wait.still"),
		Links:   []wayOn{{v.say("lost.form"), h.helpHref(v)}},
		Ring:    v.ringUs("frame.ring", v.in.Network.Phone),
		Cards:   []card{v.helpCard()},
	}
	h.UI.Render(w, r, http.StatusTooManyRequests, "lost", v.page(p.Heading, p))
}

// down is for when the store cannot be asked and nothing else can be done. There is nothing to lose on such a page.
func (h *Handler) down(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	h.Log.Error("cannot show a page of the form", "error", err)
	w.Header().Set("Retry-After", "60")
	p := lostPage{
		Heading: v.say("lost.down"),
		Lines:   v.says("lost.down.why"),
		Links:   []wayOn{{v.say("frame.again"), r.URL.RequestURI()}},
		Ring:    v.ringUs("frame.ring", v.in.Network.Phone),
		Cards:   v.cards(),
	}
	h.UI.Render(w, r, http.StatusServiceUnavailable, "lost", v.page(p.Heading, p))
}

// cannot is for what no form of ours sends: far too much, or something that is no form at all.
func (h *Handler) cannot(w http.ResponseWriter, r *http.Request, v *visit, status int, key string) {
	h.guessNetwork(r, v)
	p := lostPage{
		Heading: v.say("lost." + key),
		Lines:   v.says("lost." + key + ".why"),
		Links:   []wayOn{{v.say("lost.back"), orHome(v.base)}},
		Ring:    v.ringUs("frame.ring", v.in.Network.Phone),
		Cards:   []card{v.helpCard()},
	}
	h.UI.Render(w, r, status, "lost", v.page(p.Heading, p))
}

func orHome(base string) string {
	if base == "" {
		return "/"
	}
	return base
}

func (h *Handler) helpHref(v *visit) string {
	if v.in.Network.ID == 0 {
		return "/help"
	}
	return fmt.Sprintf("/help/%d", int64(v.in.Network.ID))
}
