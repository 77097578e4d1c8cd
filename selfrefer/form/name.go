package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) name() question {
	return question{
		path: "name", fields: []string{"name"},
		only: func(v *visit, a *selfrefer.Answers) bool { return v.general() || a.ForOther },
		ask: func(v *visit, a *selfrefer.Answers) asked {
			f := ui.Field{Name: "name", Label: v.say("name.ask"), Value: a.Name, Autocomplete: "name", NoSpellcheck: true}
			if a.ForOther {
				f.Label, f.Autocomplete = v.say("name.ask_other"), ""
			}
			return asked{Fields: []ui.Field{f}}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if a.Name == "" {
				return []ui.FieldError{{Field: "name", Sentence: v.say("name.wrong")}}
			}
			return v.tooLong("name", a.Name, maxLine)
		},
		told: func(_ *visit, a *selfrefer.Answers) []string { return some(a.Name) },
	}
}
