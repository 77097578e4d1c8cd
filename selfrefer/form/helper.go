package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// helper asks who fills the form in for somebody else: whom a link worker can ask if the person cannot be reached.
func (h *Handler) helper() question {
	return question{
		path: "helper", fields: []string{"helper", "helper_is", "helper_phone"},
		only: func(_ *visit, a *selfrefer.Answers) bool { return a.ForOther },
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Heading: v.say("helper.ask"), Intro: v.says("helper.intro"), Fields: []ui.Field{
				{Name: "helper", Label: v.say("helper.name"), Size: "s", Value: a.Helper, Autocomplete: "name", NoSpellcheck: true},
				{Name: "helper_is", Label: v.say("helper.is"), Size: "s", Value: a.HelperIs, Hint: v.say("helper.is.hint")},
				{Name: "helper_phone", Label: v.say("helper.phone"), Size: "s", Value: a.HelperPhone, Type: "tel", Width: 20, Autocomplete: "tel", Hint: v.say("helper.phone.hint")},
			}}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) (wrong []ui.FieldError) {
			if a.Helper == "" {
				wrong = append(wrong, ui.FieldError{Field: "helper", Sentence: v.say("helper.wrong")})
			}
			wrong = append(wrong, v.tooLong("helper", a.Helper, maxLine)...)
			wrong = append(wrong, v.tooLong("helper_is", a.HelperIs, maxLine)...)
			if _, err := person.ParsePhone(a.HelperPhone); a.HelperPhone != "" && err != nil {
				wrong = append(wrong, ui.FieldError{Field: "helper_phone", Sentence: v.say("number.wrong")})
			}
			return wrong
		},
		told: func(_ *visit, a *selfrefer.Answers) []string {
			return append(append(some(a.Helper), some(a.HelperIs)...), some(a.HelperPhone)...)
		},
	}
}
