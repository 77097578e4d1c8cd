package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) agree() question {
	return question{
		path: "agree", fields: []string{"agreed"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			f := ui.Field{Kind: ui.Checkboxes, Name: "agreed", Label: v.say("agree.ask"), Options: []ui.Option{{Value: "yes", Label: v.say("agree.yes")}}, Hint: v.say("agree.hint")}
			if a.Agreed {
				f.Values = []string{"yes"}
			}
			return asked{Fields: []ui.Field{f}, Why: v.says("agree.why", "agree.why_law", "agree.why_change")}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if !a.Agreed {
				return []ui.FieldError{{Field: "agreed", Sentence: v.say("agree.wrong")}}
			}
			return nil
		},
		told: func(v *visit, a *selfrefer.Answers) []string {
			if a.Agreed {
				return v.says("agree.told")
			}
			return nil
		},
	}
}
