package form

import (
	"slices"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// offered are the reasons of selfrefer.Reasons that patients choose from, in this order. What they are called, selfrefer/lang says.
var offered = []string{"coping", "mental_health", "loneliness", "isolation", "money", "housing", "carer", "independence", "getting_out", "inactivity", "community", "substance"}

// reasonCodes are all that a page or a program may post.
var reasonCodes = func() []string {
	codes := slices.Clone(offered)
	for _, r := range selfrefer.Reasons {
		if !slices.Contains(codes, r.Code) {
			codes = append(codes, r.Code)
		}
	}
	return codes
}()

func (h *Handler) reasons() question {
	answers := options("reason", offered...)
	return question{
		path: "reasons", fields: []string{"reasons"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Checkboxes, Name: "reasons", Label: v.say("reasons.ask"), Values: a.Reasons, Options: answers(v), Hint: v.say("reasons.hint")}}}
		},
		told: func(v *visit, a *selfrefer.Answers) []string { return labels(answers(v), a.Reasons...) },
	}
}
