package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) danger() question {
	const label = "Are you, or is somebody else, in danger now?"
	answers := []ui.Option{
		{Value: "yes", Label: "Yes"},
		{Value: "no", Label: "No"},
		{Value: "unsaid", Label: "I do not want to say"},
	}
	return question{
		path: "danger", fields: []string{"danger"},
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{
				Fields: []ui.Field{{Kind: ui.Radios, Name: "danger", Label: label, Value: a.DangerNow, Options: answers,
					Hint: "For example, you cannot keep yourself safe, or somebody hurts or threatens you."}},
			}
		},
		wrong: func(_ *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if a.DangerNow == "" {
				return []ui.FieldError{{Field: "danger", Sentence: "Select yes if you or somebody else is in danger now"}}
			}
			return nil
		},
		told:  func(a *selfrefer.Answers) (string, []string) { return "In danger now", labels(answers, a.DangerNow) },
		risky: func(a *selfrefer.Answers) bool { return a.DangerNow == "yes" },
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
