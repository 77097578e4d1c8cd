package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) who() question {
	answers := []ui.Option{
		{Value: "no", Label: "For myself"},
		{Value: "yes", Label: "For someone else", Hint: "They should know that you do. Answer the questions for them."},
	}
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
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Radios, Name: "for_other", Label: "Who are you filling this in for?", Value: value(a), Options: answers}}}
		},
		wrong: func(_ *visit, _ *selfrefer.Answers, posted url.Values) []ui.FieldError {
			if !posted.Has("for_other") {
				return []ui.FieldError{{Field: "for_other", Sentence: "Select who you are filling this in for"}}
			}
			return nil
		},
		told: func(a *selfrefer.Answers) (string, []string) {
			if a.ForOther {
				return "Filled in", []string{"For someone else"}
			}
			return "Filled in", []string{"For myself"}
		},
	}
}
