package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// campaignPattern begins the address of every page of a campaign.
const campaignPattern = "/desk/campaigns/{id}"

// movedWords say on a page what a press on it has done, as long as it holds.
var movedWords = map[campaign.Move]struct {
	state    campaign.State
	sentence string
}{
	campaign.Pause:  {campaign.Paused, "Paused: no more texts leave. Those that have left cannot be called back."},
	campaign.Resume: {campaign.Running, "It goes on: the next texts leave with the next decision."},
	campaign.Stop:   {campaign.Stopped, "Stopped for good: no more texts leave. Answers still arrive."},
}

// addRuns puts on every page of a campaign that runs what pauses and stops it, for whoever may, and says what a press has done. It asks for the
// state anew: a page that is slow to draw must not show the buttons of before.
func (h *Handler) addRuns(r *http.Request, p *ui.Page) error {
	route := chi.RouteContext(r.Context())
	if route == nil || !strings.HasPrefix(route.RoutePattern(), campaignPattern) {
		return nil
	}
	who := staff.From(r.Context())
	id, err := pathID(r, "id")
	if err != nil || !can(who, staff.RunCampaign) {
		return nil //nolint:nilerr // the page itself has answered
	}
	c, err := h.cfg.Store.Campaign(r.Context(), who.Network, campaign.ID(id))
	if err != nil {
		return fmt.Errorf("read campaign %d: %w", id, err)
	}
	if m := movedWords[campaign.Move(r.URL.Query().Get("done"))]; m.state == c.State && p.Notice == "" {
		p.Notice = m.sentence
	}
	runs := &ui.Runs{Of: c.Name, Back: h.here(r, c.ID)}
	at := func(m campaign.Move) string { return fmt.Sprintf("%s/%s", campaignPath(c.ID), m) }
	switch c.State {
	case campaign.Running:
		runs.Sentence = "This campaign is running"
		runs.Buttons = []ui.RunsButton{{Text: "Pause", Href: at(campaign.Pause), Variant: "secondary", Post: true}}
	case campaign.Paused:
		runs.Sentence = "This campaign is paused: no texts leave"
		runs.Buttons = []ui.RunsButton{{Text: "Go on sending", Href: at(campaign.Resume), Variant: "secondary", Post: true}}
	default:
		return nil
	}
	if r.URL.Path != at(campaign.Stop) { // that page is the question itself
		runs.Buttons = append(runs.Buttons, ui.RunsButton{Text: "Stop for good", Href: at(campaign.Stop) + "?" + url.Values{"back": {runs.Back}}.Encode(), Variant: "warning"})
	}
	p.Runs = runs
	return nil
}

func campaignPath(id campaign.ID) string { return fmt.Sprintf("/desk/campaigns/%d", id) }

// here is the page that somebody looks at: where a press on one of its buttons comes back to. What was drawn in answer to a form is the page of
// the same address, if there is one.
func (h *Handler) here(r *http.Request, id campaign.ID) string {
	pattern := chi.RouteContext(r.Context()).RoutePattern()
	isPage := r.Method == http.MethodGet || !strings.HasSuffix(pattern, anyMove) &&
		slices.ContainsFunc(h.routes(), func(e route) bool { return e.method == http.MethodGet && e.pattern == pattern })
	if !isPage {
		return campaignPath(id)
	}
	q := r.URL.Query()
	q.Del("done")
	return (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String()
}

// backTo reads where a press came from: a page of the same campaign, or else the campaign's own.
func backTo(from string, id campaign.ID) *url.URL {
	home := campaignPath(id)
	u, err := url.Parse(from)
	if err != nil || u.IsAbs() || u.Host != "" || path.Clean(u.Path) != u.Path || u.Path != home && !strings.HasPrefix(u.Path, home+"/") {
		return &url.URL{Path: home}
	}
	return &url.URL{Path: u.Path, RawQuery: u.RawQuery}
}

// movedBack sends the browser back to the page on which a button was pressed, which says what has happened.
func movedBack(w http.ResponseWriter, r *http.Request, id campaign.ID, m campaign.Move) {
	u := backTo(r.PostForm.Get("back"), id)
	if movedWords[m].state != "" {
		q := u.Query()
		q.Set("done", string(m))
		u.RawQuery = q.Encode()
	}
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
}
