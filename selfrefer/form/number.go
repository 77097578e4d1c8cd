package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) number() question {
	const wrong = "Enter a phone number, like 07700 900123 or 0151 496 0123"
	return question{
		path: "number", fields: []string{"phone"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			f := ui.Field{Name: "phone", Label: "Which number should we use?", Type: "tel", Width: 20, Value: a.Phone}
			if v.general() {
				f.Hint = "We need it to answer you."
			} else {
				f.Hint = "We use the number that had our text. Enter another one if that is safer or easier for you."
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
				return []ui.FieldError{{Field: "phone", Sentence: wrong}}
			}
			return nil
		},
		told: func(a *selfrefer.Answers) (string, []string) {
			if a.Phone == "" {
				return "Number to use", []string{"The number that had our text"}
			}
			return "Number to use", []string{a.Phone}
		},
	}
}
