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
		if empty(&a) {
			to = "/" + h.first()
		}
		http.Redirect(w, r, v.base+to, http.StatusSeeOther)
		return
	}
	p := checkPage{Heading: v.say("check.heading"), Lead: v.say("check.lead"), SendHeading: v.say("check.send"), SendLead: v.say("check.send_lead"),
		Action: v.base + "/send", Send: v.say("check.send")}
	p.Answers.Words = frame[v.words.Code]
	if reach(&a) == "" {
		p.NoReach, p.Ring = v.say("check.no_reach"), v.ringUs("check.ring", v.in.Network.Phone)
	}
	for _, q := range h.questions {
		if q.only != nil && !q.only(v, &a) {
			continue
		}
		row := ui.SummaryRow{Key: v.say("told." + q.path)}
		for _, l := range q.told(v, &a) {
			row.Values = append(row.Values, ui.Cell{Text: l})
		}
		row.Actions = []ui.Cell{{Text: v.say("check.change"), Hidden: row.Key, Href: v.base + "/" + q.path + changing}}
		p.Answers.Rows = append(p.Answers.Rows, row)
	}
	h.UI.Render(w, r, http.StatusOK, "check", v.private(p.Heading, h.before(v, &a, "check"), p))
}
