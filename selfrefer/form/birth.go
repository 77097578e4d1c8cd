package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) birth() question {
	return question{
		path: "birth", fields: []string{"birth_date-day", "birth_date-month", "birth_date-year"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			parts := birthParts(a.BirthDate)
			f := ui.Field{Kind: ui.Date, Name: "birth_date", Label: v.say("birth.ask"), Values: parts[:], Autocomplete: "bday", Hint: v.say("birth.hint")}
			if a.ForOther {
				f.Label, f.Autocomplete = v.say("birth.ask_other"), ""
			}
			return asked{Fields: []ui.Field{f}, Why: v.says("birth.why", "birth.why_empty")}
		},
		wrong: func(v *visit, a *selfrefer.Answers, posted url.Values) []ui.FieldError {
			if a.BirthDate == "" || posted.Get("again") == a.BirthDate { // said twice: then it is kept, and a person asks
				return nil
			}
			if _, err := person.ParseBirthDate(a.BirthDate, h.Now().In(london)); err != nil {
				return []ui.FieldError{{Field: "birth_date-day", Sentence: v.say("birth.wrong")}}
			}
			return nil
		},
		told: func(v *visit, a *selfrefer.Answers) []string {
			if born, err := person.ParseBirthDate(a.BirthDate, h.Now().In(london)); err == nil {
				return []string{v.words.Born(born.Day, born.Month, born.Year)}
			}
			return some(a.BirthDate)
		},
	}
}
