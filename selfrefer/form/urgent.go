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
	Ring               phoneLine
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
		Heading: "If you are in danger now, do not wait for us",
		Lead: []string{"Nobody reads this form before you send it. Even then a link worker sees it only in working hours, and cannot come at once.",
			"Please ring one of these numbers now. They are free."},
		Cards:       cards,
		SendHeading: "Send us what you have written so far",
		SendLead:    []string{"You can send it now and skip the other questions. It asks us to contact you, and goes to the top of our list."},
		Action:      v.base + "/send", Send: "Send it now",
		Fields: []ui.Field{{Kind: ui.Radios, Name: "call_safe", Label: askCallSafe, Size: "s", Value: string(a.CallSafe), Options: yesNoOptions, Inline: true,
			Hint: "What you leave empty counts as no."}},
		Or: "Or go on with the questions.", Continue: "Continue with the form", Href: h.next(v, a, after, isChange(r)),
	}
	if v.general() {
		p.Fields = append([]ui.Field{{Name: "phone", Label: "Your phone number", Size: "s", Type: "tel", Width: 20, Value: a.Phone}}, p.Fields...)
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	page := v.private(p.Heading, back, p)
	page.Errors = wrong
	h.UI.Render(w, r, status, "urgent", page)
}
