package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Languages are what can be chosen. It is a list, not free text, because the language is counted and stands in the clear.
var Languages = []string{"English", "Albanian", "Arabic", "Bengali", "British Sign Language", "Bulgarian", "Cantonese", "Czech", "Dari", "Farsi", "French", "Gujarati",
	"Hindi", "Hungarian", "Italian", "Kurdish", "Lithuanian", "Mandarin", "Nepali", "Pashto", "Polish", "Portuguese", "Punjabi", "Romanian", "Russian", "Slovak",
	"Somali", "Spanish", "Tamil", "Tigrinya", "Turkish", "Ukrainian", "Urdu", "Vietnamese", "Welsh", "Another language"}

func (h *Handler) needs() question {
	options := []ui.Option{{Value: "", Label: "Choose a language"}}
	for _, l := range Languages {
		options = append(options, ui.Option{Value: l, Label: l})
	}
	return question{
		path: "needs", fields: []string{"language", "needs"},
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{
				Heading: "What helps us to talk with you?",
				Fields: []ui.Field{
					{Kind: ui.Select, Name: "language", Label: "The language you like to speak", Size: "m", Value: a.Language, Options: options,
						Hint: "We can have an interpreter. You can leave this for English."},
					{Kind: ui.Textarea, Name: "needs", Label: "Anything else that you need", Size: "m", Rows: 3, Value: a.Needs,
						Hint: "For example, you hear badly, use a text relay, need large print, or cannot climb stairs. You can leave this empty."},
				},
			}
		},
		wrong: func(_ *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			return tooLong("needs", "What you need", a.Needs, maxNeeds)
		},
		told: func(a *selfrefer.Answers) (string, []string) {
			return "What helps", append(some(a.Language), some(a.Needs)...)
		},
	}
}
