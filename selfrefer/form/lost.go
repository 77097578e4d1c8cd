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
		Heading: "This link does not work any more",
		Lines: []string{"Each link works once, and for some weeks only.", "You can still ask for help. It is the same form, and we also ask for your name and your number.",
			"If you have sent the form already, you need not do it again: we will contact you."},
		Links: []wayOn{{"Fill in the form without a link", h.helpHref(v)}},
		Ring:  ringInstead("You can ring us instead:", v.in.Network.Phone, ""),
		Cards: cards[1:],
	}
	if status == http.StatusNotFound {
		p.Heading = "We do not know this link"
		p.Lines = []string{"Perhaps a letter or a digit is missing, or the text was sent some time ago.", "You can type the code from the end of the link, or ask for help without one: then we also ask for your name and your number."}
		p.Links = append([]wayOn{{"Type the code from your text", "/r"}}, p.Links...)
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
		Heading: "Please wait a few minutes",
		Lines:   []string{"Somebody has tried many links that do not exist from where you are, so we wait a little. A link from a text of ours always works.", "You can also ask for help without a link."},
		Links:   []wayOn{{"Fill in the form without a link", h.helpHref(v)}},
		Ring:    ringInstead("You can ring us instead:", v.in.Network.Phone, ""),
		Cards:   cards[1:],
	}
	h.UI.Render(w, r, http.StatusTooManyRequests, "lost", v.page(p.Heading, p))
}

// down is for when the store cannot be asked and nothing else can be done. There is nothing to lose on such a page.
func (h *Handler) down(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	h.Log.Error("cannot show a page of the form", "error", err)
	w.Header().Set("Retry-After", "60")
	p := lostPage{
		Heading: "Sorry, this does not work just now",
		Lines:   []string{"We cannot get at your answers for the moment. They are not lost. Please try again in a few minutes."},
		Links:   []wayOn{{"Try again", r.URL.RequestURI()}},
		Ring:    ringInstead("You can ring us instead:", v.in.Network.Phone, ""),
		Cards:   cards,
	}
	h.UI.Render(w, r, http.StatusServiceUnavailable, "lost", v.page(p.Heading, p))
}

func (h *Handler) helpHref(v *visit) string {
	if v.in.Network.ID == 0 {
		return "/help"
	}
	return fmt.Sprintf("/help/%d", int64(v.in.Network.ID))
}
