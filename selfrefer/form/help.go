package form

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// sendCache holds what is being sent: the same for everybody, asked for once a minute, and kept while the store is down.
type sendCache struct {
	mu    sync.Mutex
	all   []selfrefer.Sending
	asked time.Time // machine
	err   error
}

func (h *Handler) sendings(ctx context.Context) ([]selfrefer.Sending, error) {
	c := &h.sending
	c.mu.Lock()
	defer c.mu.Unlock()
	now := h.Machine()
	wait := time.Minute
	if c.err != nil {
		wait = 5 * time.Second
	}
	if !c.asked.IsZero() && now.Sub(c.asked) < wait && now.Sub(c.asked) >= 0 {
		return c.all, c.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	all, err := h.Sending(ctx)
	c.asked, c.err = now, err
	if err != nil {
		h.Log.Warn("cannot read what is being sent", "error", err)
	} else {
		c.all = all
	}
	return c.all, c.err
}

// help is the way to the form without a link: straight on where there is one network, else a choice.
func (h *Handler) help(w http.ResponseWriter, r *http.Request) {
	all, _ := h.sendings(r.Context())
	v := h.guest(r)
	v.base = "/help/0"
	switch len(all) {
	case 0:
		http.Redirect(w, r, v.base, http.StatusSeeOther) // nobody is turned away because we cannot tell whose patient it is
	case 1:
		v.in.Network = all[0].Network
		http.Redirect(w, r, h.helpHref(v), http.StatusSeeOther)
	default:
		p := lostPage{Heading: v.say("area.ask"), Lines: v.says("area.choose"), Cards: v.cards()}
		for _, s := range all {
			link := wayOn{Text: s.Network.Name, Href: h.helpHref(&visit{in: selfrefer.Invitation{Network: s.Network}})}
			p.Links = append(p.Links, link)
		}
		p.Links = append(p.Links, wayOn{v.say("area.unknown"), v.base})
		h.UI.Render(w, r, http.StatusOK, "lost", v.page(p.Heading, p))
	}
}
