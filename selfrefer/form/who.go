package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) who() question {
	answers := options("who", "no", "yes")
	value := func(a *selfrefer.Answers) string {
		switch {
		case a.ForOther:
			return "yes"
		case len(a.Reasons) > 0 || a.Channel != "" || a.Agreed: // "no" and "not asked yet" are kept alike
			return "no"
		}
		return ""
	}
	return question{
		path: "who", fields: []string{"for_other"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Radios, Name: "for_other", Label: v.say("who.ask"), Value: value(a), Options: answers(v)}}}
		},
		wrong: func(v *visit, _ *selfrefer.Answers, posted url.Values) []ui.FieldError {
			if !posted.Has("for_other") {
				return []ui.FieldError{{Field: "for_other", Sentence: v.say("who.wrong")}}
			}
			return nil
		},
		told: func(v *visit, a *selfrefer.Answers) []string {
			if a.ForOther {
				return []string{v.say("who.yes")}
			}
			return []string{v.say("who.no")}
		},
	}
}
