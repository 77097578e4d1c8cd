package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// support is what can be ticked as a help to talk with us.
var support = []string{"interpreter", "bsl", "hearing", "reading", "large_print", "easy_read", "steps", "company"}

func (h *Handler) needs() question {
	answers := options("support", support...)
	return question{
		path: "needs", fields: []string{"support", "needs"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{
				Heading: v.say("needs.ask"),
				Fields: []ui.Field{
					{Kind: ui.Checkboxes, Name: "support", Label: v.say("needs.support"), Size: "m", Values: a.Support, Options: answers(v), Hint: v.say("needs.support.hint")},
					{Kind: ui.Textarea, Name: "needs", Label: v.say("needs.else"), Size: "m", Rows: 3, Value: a.Needs, Hint: v.say("needs.else.hint")},
				},
			}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			return v.tooLong("needs", a.Needs, maxNeeds)
		},
		risky: func(a *selfrefer.Answers) bool { return len(selfrefer.Danger(a.Needs)) > 0 },
		told: func(v *visit, a *selfrefer.Answers) []string {
			return append(labels(answers(v), a.Support...), some(a.Needs)...)
		},
	}
}
