package form

import (
	"net/http"

	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

type checkPage struct {
	Heading, Lead string
	Answers       ui.SummaryList
	NoReach       string
	Ring          phoneLine
	SendHeading   string
	SendLead      string
	Action, Send  string
}

// check shows all answers before they are sent.
func (h *Handler) check(w http.ResponseWriter, r *http.Request, v *visit) {
	if !h.begun(w, r, v) {
		return
	}
	a, err := h.load(r.Context(), v)
	if err != nil {
		h.down(w, r, v, err)
		return
	}
	if !a.Agreed {
		to := "/agree"
		if h.empty(&a) {
			to = "/" + h.first()
		}
		http.Redirect(w, r, v.base+to, http.StatusSeeOther)
		return
	}
	p := checkPage{Heading: "Check your answers", Lead: "You can still change everything.", SendHeading: "Send your form",
		SendLead: "When you press the button, your answers go to the link workers of your area.", Action: v.base + "/send", Send: "Send your form"}
	if reach(&a) == "" {
		p.NoReach, p.Ring = sayNoReach, ringInstead("Our number is", v.in.Network.Phone, "")
	}
	for _, q := range h.questions {
		if q.only != nil && !q.only(v, &a) {
			continue
		}
		row := ui.SummaryRow{}
		var lines []string
		row.Key, lines = q.told(&a)
		for _, l := range lines {
			row.Values = append(row.Values, ui.Cell{Text: l})
		}
		row.Actions = []ui.Cell{{Text: "Change", Hidden: lower(row.Key), Href: v.base + "/" + q.path + changing}}
		p.Answers.Rows = append(p.Answers.Rows, row)
	}
	h.UI.Render(w, r, http.StatusOK, "check", v.private(p.Heading, h.before(v, &a, "check"), p))
}
