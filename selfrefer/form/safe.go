package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

var yesNo = []string{"yes", "no"}

func (v *visit) yesNo() []ui.Option {
	return []ui.Option{{Value: "yes", Label: v.say("frame.yes")}, {Value: "no", Label: v.say("frame.no")}}
}

func (h *Handler) safe() question {
	radio := func(v *visit, name string, value selfrefer.Safe) ui.Field {
		return ui.Field{Kind: ui.Radios, Name: name, Label: v.say("safe." + name), Size: "m", Value: string(value), Options: v.yesNo(), Inline: true}
	}
	return question{
		path: "safe", fields: []string{"call_safe", "text_safe", "message_safe", "if_another"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{
				Heading: v.say("safe.ask"),
				Intro:   v.says("safe.intro"),
				Fields: []ui.Field{
					radio(v, "call_safe", a.CallSafe),
					radio(v, "text_safe", a.TextSafe),
					radio(v, "message_safe", a.MessageSafe),
					{Name: "if_another", Label: v.say("safe.if_another"), Size: "m", Value: a.IfAnother, Hint: v.say("safe.if_another.hint")},
				},
			}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			var wrong []ui.FieldError
			if a.CallSafe == selfrefer.SafeUnasked { // the rest may stay empty, but somebody who presses on must not become unreachable
				wrong = []ui.FieldError{{Field: "call_safe", Sentence: v.say("safe.wrong")}}
			}
			return append(wrong, v.tooLong("if_another", a.IfAnother, maxLine)...)
		},
		risky: func(a *selfrefer.Answers) bool { return len(selfrefer.Danger(a.IfAnother)) > 0 },
		told: func(v *visit, a *selfrefer.Answers) []string {
			yes := func(s selfrefer.Safe) string {
				if s == selfrefer.SafeYes {
					return v.say("frame.yes")
				}
				return v.say("frame.no")
			}
			lines := []string{v.say("safe.told.call", "Answer", yes(a.CallSafe)), v.say("safe.told.text", "Answer", yes(a.TextSafe)), v.say("safe.told.message", "Answer", yes(a.MessageSafe))}
			if a.IfAnother != "" {
				lines = append(lines, v.say("safe.told.another", "Answer", a.IfAnother))
			}
			return lines
		},
	}
}

// reach is how we will get in touch, as far as that is safe; "" if nothing is.
func reach(a *selfrefer.Answers) string {
	call, text := a.CallSafe == selfrefer.SafeYes, a.TextSafe == selfrefer.SafeYes
	switch {
	case a.Channel == "email" && a.Email != "":
		return "email"
	case text && (a.Channel == "text" || !call):
		return "text"
	case call && (a.Channel == "visit" || a.Channel == "video"):
		return a.Channel
	case call:
		return "call"
	}
	return ""
}
