package form

import (
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// patientReasons are the reasons of selfrefer.Reasons that are offered, as a patient would say them.
var patientReasons = []selfrefer.Reason{
	{Code: "coping", Words: "Things feel too much for me"},
	{Code: "mental_health", Words: "Feeling low, anxious or stressed"},
	{Code: "loneliness", Words: "Feeling lonely"},
	{Code: "isolation", Words: "I hardly see anybody"},
	{Code: "money", Words: "Money, bills or debt"},
	{Code: "housing", Words: "My home or housing"},
	{Code: "carer", Words: "I look after somebody"},
	{Code: "independence", Words: "Managing on my own at home"},
	{Code: "getting_out", Words: "Getting out and about"},
	{Code: "inactivity", Words: "I would like to move more"},
	{Code: "community", Words: "Joining in with something near me"},
	{Code: "substance", Words: "Alcohol or drugs"},
}

func (h *Handler) reasons() question {
	var options []ui.Option
	for _, r := range h.Reasons {
		options = append(options, ui.Option{Value: r.Code, Label: r.Words})
	}
	return question{
		path: "reasons", fields: []string{"reasons"},
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Checkboxes, Name: "reasons", Label: "What would you like help with?", Values: a.Reasons, Options: options,
				Hint: "Select all that apply. If you are not sure, leave this empty and continue."}}}
		},
		told: func(a *selfrefer.Answers) (string, []string) { return "Help with", labels(options, a.Reasons...) },
	}
}
