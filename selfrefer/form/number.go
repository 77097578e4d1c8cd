package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) number() question {
	return question{
		path: "number", fields: []string{"phone"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			f := ui.Field{Name: "phone", Label: v.say("number.ask"), Type: "tel", Width: 20, Value: a.Phone, Hint: v.say("number.hint")}
			if v.general() {
				f.Hint = v.say("number.hint_general")
			}
			if !a.ForOther {
				f.Autocomplete = "tel"
			}
			return asked{Fields: []ui.Field{f}}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if a.Phone == "" && !v.general() {
				return nil
			}
			if _, err := person.ParsePhone(a.Phone); err != nil {
				return []ui.FieldError{{Field: "phone", Sentence: v.say("number.wrong")}}
			}
			return nil
		},
		told: func(v *visit, a *selfrefer.Answers) []string {
			if a.Phone == "" {
				return v.says("number.invited")
			}
			return []string{a.Phone}
		},
	}
}
