package form

import (
	"strconv"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

var (
	times     = []string{"mornings", "afternoons", "any"}
	days      = []string{"monday", "tuesday", "wednesday", "thursday", "friday"}
	whenOrder = append(append([]string{}, times...), days...)
)

func (h *Handler) when() question {
	part := options("when", "mornings", "afternoons", "", "any")
	hours := func(v *visit) []ui.Option {
		all := part(v)
		all[len(all)-1].Exclusive = true
		return all
	}
	week := func(v *visit) (all []ui.Option) {
		for i, d := range days {
			all = append(all, ui.Option{Value: d, Label: v.say("weekday." + strconv.Itoa(i+1))})
		}
		return all
	}
	return question{
		path: "when", fields: []string{"when", "days"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Heading: v.say("when.ask"), Intro: v.says("when.intro"), Fields: []ui.Field{
				{Kind: ui.Checkboxes, Name: "when", Label: v.say("when.times"), Size: "m", Values: a.When, Options: hours(v)},
				{Kind: ui.Checkboxes, Name: "days", Label: v.say("when.days"), Size: "m", Values: a.When, Options: week(v), Hint: v.say("when.days.hint")},
			}}
		},
		told: func(v *visit, a *selfrefer.Answers) []string {
			return append(labels(hours(v), a.When...), labels(week(v), a.When...)...)
		},
	}
}
