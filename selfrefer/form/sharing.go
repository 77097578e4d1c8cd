package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// tell is who may be told. Nobody may, unless ticked.
var tell = []string{"practice", "family"}

func (h *Handler) sharing() question {
	answers := options("sharing", tell...)
	return question{
		path: "sharing", fields: []string{"tell", "tell_whom"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Heading: v.say("sharing.ask"), Intro: v.says("sharing.intro"), Fields: []ui.Field{
				{Kind: ui.Checkboxes, Name: "tell", Label: v.say("sharing.with"), Size: "m", Values: a.Tell, Options: answers(v), Hint: v.say("sharing.with.hint")},
				{Name: "tell_whom", Label: v.say("sharing.whom"), Size: "m", Value: a.TellWhom, Hint: v.say("sharing.whom.hint")},
			}}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			return v.tooLong("tell_whom", a.TellWhom, maxLine)
		},
		risky: func(a *selfrefer.Answers) bool { return len(selfrefer.Danger(a.TellWhom)) > 0 },
		told: func(v *visit, a *selfrefer.Answers) []string {
			lines := append(labels(answers(v), a.Tell...), some(a.TellWhom)...)
			if len(lines) == 0 {
				return v.says("sharing.nobody")
			}
			return lines
		},
	}
}
