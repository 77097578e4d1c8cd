package form

import (
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

var channels = []string{"call", "text", "visit"}

func (h *Handler) channel() question {
	options := []ui.Option{
		{Value: "call", Label: "Phone call"},
		{Value: "text", Label: "Text messages"},
		{Value: "visit", Label: "Meeting in person", Hint: "We will first agree a time and a place with you."},
	}
	return question{
		path: "channel", fields: []string{"channel"},
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Radios, Name: "channel", Label: "How would you like us to talk with you?", Value: a.Channel, Options: options,
				Hint: "If you do not mind, leave this empty and continue."}}}
		},
		told: func(a *selfrefer.Answers) (string, []string) { return "How we talk", labels(options, a.Channel) },
	}
}
