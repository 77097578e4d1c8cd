package form

import (
	"slices"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const (
	maxReasons = 40  // that can be posted
	maxReason  = 120 // characters of one
)

func (h *Handler) reasons() question {
	answers := func(v *visit) (all []ui.Option) {
		for _, r := range v.own.Reasons(v.words.Code) {
			o := ui.Option{Value: r.Value, Label: r.Label}
			if r.Label == "" {
				o.Label = v.say("reason." + r.Code)
			} else if r.Lang != v.words.Code {
				o.Lang = string(r.Lang)
			}
			all = append(all, o)
		}
		return all
	}
	return question{
		path: "reasons", fields: []string{"reasons"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Checkboxes, Name: "reasons", Label: v.say("reasons.ask"), Values: a.Reasons, Options: answers(v), Hint: v.say("reasons.hint")}}}
		},
		told: func(v *visit, a *selfrefer.Answers) []string { return labels(answers(v), a.Reasons...) },
	}
}

// chosen keeps what stands for a reason, once each. A network may have changed its words since the page was drawn.
func chosen(posted []string) (kept []string) {
	for _, p := range posted {
		if len(p) <= maxReason && len(kept) < maxReasons && len(selfrefer.ReasonCodes([]string{p})) == 1 && !slices.Contains(kept, p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// settleReasons turns what was ticked into the reasons that are kept and counted, and keeps the words that staff would not know else.
func settleReasons(v *visit, a *selfrefer.Answers) {
	for _, r := range v.own.Reasons(lang.English) {
		if r.Label != "" && slices.Contains(a.Reasons, r.Value) {
			a.ReasonWords = append(a.ReasonWords, r.Label)
		}
	}
	a.Reasons = selfrefer.ReasonCodes(a.Reasons)
}
