package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) danger() question {
	answers := options("danger", "yes", "no", "unsaid")
	return question{
		path: "danger", fields: []string{"danger"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Radios, Name: "danger", Label: v.say("danger.ask"), Value: a.DangerNow, Options: answers(v), Hint: v.say("danger.hint")}}}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if a.DangerNow == "" {
				return []ui.FieldError{{Field: "danger", Sentence: v.say("danger.wrong")}}
			}
			return nil
		},
		told:  func(v *visit, a *selfrefer.Answers) []string { return labels(answers(v), a.DangerNow) },
		risky: func(a *selfrefer.Answers) bool { return a.DangerNow == "yes" },
	}
}

// options makes choices whose labels are the sentences page.value, with page.value.hint beneath where there is one.
func options(page string, values ...string) func(*visit) []ui.Option {
	return func(v *visit) (all []ui.Option) {
		for _, value := range values {
			if value == "" {
				all = append(all, ui.Option{Divider: v.say("frame.or")})
				continue
			}
			o := ui.Option{Value: value, Label: v.say(page + "." + value)}
			if hint := page + "." + value + ".hint"; v.words.Has(hint) {
				o.Hint = v.say(hint)
			}
			all = append(all, o)
		}
		return all
	}
}

// labels gives the words of chosen options.
func labels(options []ui.Option, chosen ...string) (all []string) {
	for _, o := range options {
		for _, c := range chosen {
			if c != "" && c == o.Value {
				all = append(all, o.Label)
			}
		}
	}
	return all
}
