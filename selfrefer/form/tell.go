package form

import (
	"net/url"
	"strconv"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) tell() question {
	return question{
		path: "tell", fields: []string{"words"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Textarea, Name: "words", Label: v.say("tell.ask"), Value: a.Words, Rows: 7, Hint: v.say("tell.hint", "Most", thousands(maxWords))}}}
		},
		wrong: func(v *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			return v.tooLong("words", a.Words, maxWords)
		},
		told: func(_ *visit, a *selfrefer.Answers) []string { return some(a.Words) },
		// A word may sound worse than it is meant. The page only offers numbers and goes on.
		risky: func(a *selfrefer.Answers) bool { return len(selfrefer.Danger(a.Words)) > 0 },
	}
}

// thousands writes 2000 as 2,000.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	rest := strconv.Itoa(1000 + n%1000)
	return strconv.Itoa(n/1000) + "," + rest[len(rest)-3:]
}

// tooLong is the mistake that every text can have.
func (v *visit) tooLong(field, text string, most int) []ui.FieldError {
	if cut(text, most) == text {
		return nil
	}
	return []ui.FieldError{{Field: field, Sentence: v.say("frame.too_long", "Most", thousands(most))}}
}
