package form

import (
	"net/http"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

type urgentPage struct {
	Heading            string
	Lead               []string
	Cards              []card
	SendHeading        string
	SendLead           []string
	Action, Send       string
	Fields             []ui.Field
	Or, Continue, Href string
}

// urgent interrupts after an answer that sounds like danger: what can be done now, and what this form cannot.
func (h *Handler) urgent(w http.ResponseWriter, r *http.Request, v *visit) {
	if !h.begun(w, r, v) {
		return
	}
	a, err := h.load(r.Context(), v)
	if err != nil {
		// The numbers matter more than the answers.
		h.Log.Warn("cannot read a draft", "error", err)
	}
	h.showUrgent(w, r, v, &a, nil)
}

func (h *Handler) showUrgent(w http.ResponseWriter, r *http.Request, v *visit, a *selfrefer.Answers, wrong []ui.FieldError) {
	after := r.URL.Query().Get("after")
	back := v.base + "/" + h.first()
	for _, q := range h.questions {
		if q.path == after {
			back = v.base + "/" + after
		}
	}
	if after == "" {
		after = h.first()
	}
	p := urgentPage{
		Heading: v.say("urgent.heading"), Lead: v.says("urgent.nobody", "urgent.ring"), Cards: v.cards(),
		SendHeading: v.say("urgent.send_heading"), SendLead: v.says("urgent.send_lead"),
		Action: v.base + "/send", Send: v.say("urgent.send"),
		Fields: []ui.Field{{Kind: ui.Radios, Name: "call_safe", Label: v.say("safe.call_safe"), Size: "s", Value: string(a.CallSafe), Options: v.yesNo(), Inline: true, Hint: v.say("urgent.empty")}},
		Or:     v.say("urgent.or"), Continue: v.say("urgent.continue"), Href: h.next(v, a, after, isChange(r)),
	}
	p.Lead = append(p.Lead[:1], append(some(h.away(r.Context(), v)), p.Lead[1:]...)...)
	if v.general() {
		p.Fields = append([]ui.Field{{Name: "phone", Label: v.say("urgent.phone"), Size: "s", Type: "tel", Width: 20, Value: a.Phone}}, p.Fields...)
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	page := v.private(p.Heading, back, p)
	page.Errors = wrong
	h.UI.Render(w, r, status, "urgent", page)
}
