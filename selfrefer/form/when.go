package form

import (
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

var (
	times     = []string{"mornings", "afternoons", "any"}
	days      = []string{"monday", "tuesday", "wednesday", "thursday", "friday"}
	whenOrder = append(append([]string{}, times...), days...)
)

func (h *Handler) when() question {
	hours := []ui.Option{
		{Value: "mornings", Label: "Mornings"},
		{Value: "afternoons", Label: "Afternoons"},
		{Divider: "or"},
		{Value: "any", Label: "Any time", Exclusive: true},
	}
	var week []ui.Option
	for _, d := range days {
		week = append(week, ui.Option{Value: d, Label: strings.ToUpper(d[:1]) + d[1:]})
	}
	return question{
		path: "when", fields: []string{"when", "days"},
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{Heading: "When is a good time?", Intro: []string{"We work from Monday to Friday. We cannot promise the exact time."}, Fields: []ui.Field{
				{Kind: ui.Checkboxes, Name: "when", Label: "Time of day", Size: "m", Values: a.When, Options: hours},
				{Kind: ui.Checkboxes, Name: "days", Label: "Days", Size: "m", Values: a.When, Options: week, Hint: "If every day is good, leave this empty."},
			}}
		},
		told: func(a *selfrefer.Answers) (string, []string) {
			return "Good times", append(labels(hours, a.When...), labels(week, a.When...)...)
		},
	}
}
