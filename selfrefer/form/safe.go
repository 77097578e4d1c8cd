package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

var yesNo = []string{"yes", "no"}

var yesNoOptions = []ui.Option{{Value: "yes", Label: "Yes"}, {Value: "no", Label: "No"}}

const askCallSafe = "Is it safe for us to ring you?"

func (h *Handler) safe() question {
	radio := func(name, label string, value selfrefer.Safe) ui.Field {
		return ui.Field{Kind: ui.Radios, Name: name, Label: label, Size: "m", Value: string(value), Options: yesNoOptions, Inline: true}
	}
	return question{
		path: "safe", fields: []string{"call_safe", "text_safe", "message_safe", "if_another"},
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{
				Heading: "Is it safe to contact you?",
				Intro:   []string{"Somebody else may see your phone or answer it. If you do not answer about texts or voice messages, that counts as no."},
				Fields: []ui.Field{
					radio("call_safe", askCallSafe, a.CallSafe),
					radio("text_safe", "Is it safe for us to text you?", a.TextSafe),
					radio("message_safe", "May we leave a voice message?", a.MessageSafe),
					{Name: "if_another", Label: "What should we say if somebody else answers?", Size: "m", Value: a.IfAnother,
						Hint: "For example, “say that you ring from the surgery”. You can leave this empty: then we say nothing and ring again."},
				},
			}
		},
		wrong: func(_ *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			var wrong []ui.FieldError
			if a.CallSafe == selfrefer.SafeUnasked { // the rest may stay empty, but somebody who presses on must not become unreachable
				wrong = []ui.FieldError{{Field: "call_safe", Sentence: "Select yes if it is safe for us to ring you"}}
			}
			return append(wrong, tooLong("if_another", "What we should say", a.IfAnother, maxLine)...)
		},
		told: func(a *selfrefer.Answers) (string, []string) {
			lines := []string{"Ring you: " + sayYesNo(a.CallSafe), "Text you: " + sayYesNo(a.TextSafe), "Leave a message: " + sayYesNo(a.MessageSafe)}
			if a.IfAnother != "" {
				lines = append(lines, "If somebody else answers: "+a.IfAnother)
			}
			return "Safe to", lines
		},
	}
}

// reach is how we will get in touch, as far as that is safe; "" if nothing is.
func reach(a *selfrefer.Answers) string {
	call, text := a.CallSafe == selfrefer.SafeYes, a.TextSafe == selfrefer.SafeYes
	switch {
	case text && (a.Channel == "text" || !call):
		return "text"
	case call && a.Channel == "visit":
		return "visit"
	case call:
		return "call"
	}
	return ""
}

const sayNoReach = "You have said that it is not safe to ring or to text you, so we may not be able to reach you. If you can, change that or give us another number. Or ring us yourself."

// sayNoReachSent stands where nothing can be changed any more.
const sayNoReachSent = "You have said that it is not safe to ring or to text you, so we may not be able to reach you. Please ring us when it is safe for you."

func sayYesNo(s selfrefer.Safe) string {
	if s == selfrefer.SafeYes {
		return "yes"
	}
	return "no"
}
