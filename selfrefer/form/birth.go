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
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			parts := birthParts(a.BirthDate)
			f := ui.Field{Kind: ui.Date, Name: "birth_date", Label: "What is your date of birth?", Values: parts[:], Autocomplete: "bday", Hint: "For example, 31 3 1980"}
			if a.ForOther {
				f.Label, f.Autocomplete = "What is the date of birth of the person who needs help?", ""
			}
			return asked{Fields: []ui.Field{f},
				Why: "Several people may share a phone. With the date of birth we know who we will talk to. If you would rather not say, leave it empty and continue: we still take your form and ask you when we talk."}
		},
		wrong: func(_ *visit, a *selfrefer.Answers, posted url.Values) []ui.FieldError {
			if a.BirthDate == "" || posted.Get("again") == a.BirthDate { // said twice: then it is kept, and a person asks
				return nil
			}
			if _, err := person.ParseBirthDate(a.BirthDate, h.Now().In(london)); err != nil {
				return []ui.FieldError{{Field: "birth_date-day", Sentence: "Check the date of birth: it must be a real date, like 31 3 1980. Press Continue again to leave it like this"}}
			}
			return nil
		},
		told: func(a *selfrefer.Answers) (string, []string) {
			if born, err := person.ParseBirthDate(a.BirthDate, h.Now().In(london)); err == nil {
				return "Date of birth", []string{longDate(born.Day, born.Month.String(), born.Year)}
			}
			return "Date of birth", some(a.BirthDate)
		},
	}
}
