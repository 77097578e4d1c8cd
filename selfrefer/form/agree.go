package form

import (
	"net/url"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

func (h *Handler) agree() question {
	return question{
		path: "agree", fields: []string{"agreed"},
		ask: func(_ *visit, a *selfrefer.Answers) asked {
			f := ui.Field{Kind: ui.Checkboxes, Name: "agreed", Label: "May we contact you and share your answers with the link workers?", Options: []ui.Option{
				{Value: "yes", Label: "Yes, contact me, and share my answers with the link workers who will help me"}},
				Hint: "You can change your mind at any time: tell us when we talk, or ring us."}
			if a.Agreed {
				f.Values = []string{"yes"}
			}
			return asked{Fields: []ui.Field{f},
				Why: "We want to know that you expect us. It is not what allows us in law to hold your answers: that is our task of caring for patients of the National Health Service. So if you change your mind, we stop contacting you, and ask you what should happen with your answers."}
		},
		wrong: func(_ *visit, a *selfrefer.Answers, _ url.Values) []ui.FieldError {
			if !a.Agreed {
				return []ui.FieldError{{Field: "agreed", Sentence: "Select the box if you want us to contact you. If you do not, you can leave this page: nothing has been sent"}}
			}
			return nil
		},
		told: func(a *selfrefer.Answers) (string, []string) {
			if a.Agreed {
				return "Contact and sharing", []string{"I agree"}
			}
			return "Contact and sharing", nil
		},
	}
}
