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
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			f := ui.Field{Name: "name", Label: "What is your full name?", Value: a.Name, Autocomplete: "name", NoSpellcheck: true}
			if a.ForOther {
				f.Label, f.Autocomplete = "What is the full name of the person who needs help?", ""
			}
			return asked{Fields: []ui.Field{f}}
		},
		wrong: func(_ *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if a.Name == "" {
				return []ui.FieldError{{Field: "name", Sentence: "Enter a name, so that we know who to ask for"}}
			}
			return tooLong("name", "The name", a.Name, maxLine)
		},
		told: func(a *selfrefer.Answers) (string, []string) { return "Name", some(a.Name) },
	}
}
