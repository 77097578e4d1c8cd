package form

import (
	"net/mail"
	"net/url"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

var channels = []string{"call", "text", "email", "video", "visit"}

func (h *Handler) channel() question {
	answers := options("channel", channels...)
	return question{
		path: "channel", fields: []string{"channel"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Radios, Name: "channel", Label: v.say("channel.ask"), Value: a.Channel, Options: answers(v), Hint: v.say("channel.hint")}}}
		},
		told: func(v *visit, a *selfrefer.Answers) []string { return labels(answers(v), a.Channel) },
	}
}

// email asks for the address of those who want to be written to. That they give it says that it is safe, and the page says so.
func (h *Handler) email() question {
	return question{
		path: "email", fields: []string{"email"},
		only: func(_ *visit, a *selfrefer.Answers) bool { return a.Channel == "email" },
		ask: func(v *visit, a *selfrefer.Answers) asked {
			f := ui.Field{Name: "email", Label: v.say("email.ask"), Type: "email", Value: a.Email, NoSpellcheck: true, Hint: v.say("email.hint")}
			if !a.ForOther {
				f.Autocomplete = "email"
			}
			return asked{Fields: []ui.Field{f}}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if !emailAddress(a.Email) {
				return []ui.FieldError{{Field: "email", Sentence: v.say("email.wrong")}}
			}
			return v.tooLong("email", a.Email, maxLine)
		},
		told: func(_ *visit, a *selfrefer.Answers) []string { return some(a.Email) },
	}
}

func emailAddress(s string) bool {
	parsed, err := mail.ParseAddress(s)
	return err == nil && parsed.Address == s && strings.Contains(s[strings.LastIndexByte(s, '@'):], ".")
}
