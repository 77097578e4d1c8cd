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
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			return asked{Fields: []ui.Field{{Kind: ui.Textarea, Name: "words", Label: "Is there anything you want to tell us first?", Value: a.Words, Rows: 7,
				Hint: "A few words are enough, and you can leave this empty. At most " + thousands(maxWords) + " characters, which is about a page. Only the people who answer you read it."}}}
		},
		wrong: func(_ *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			return tooLong("words", "What you tell us", a.Words, maxWords)
		},
		told: func(a *selfrefer.Answers) (string, []string) { return "What you told us", some(a.Words) },
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
