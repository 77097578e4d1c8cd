package form

import (
	"net/http"
	"strings"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

type codePage struct {
	Code         ui.Field
	Action, Next string
	Help         wayOn
}

// askCode is for people who rightly do not tap links: they type its end.
func (h *Handler) askCode(w http.ResponseWriter, r *http.Request) { h.showCode(w, r, "", nil) }

// readCode takes a code as it is typed, or the whole link. Whether we know it, the page behind it says.
func (h *Handler) readCode(w http.ResponseWriter, r *http.Request) {
	if !h.parse(w, r, &visit{}) {
		return
	}
	typed := cut(clean(r.PostForm.Get("code")), maxLine)
	code := strings.TrimRight(typed, "/. ")
	t, err := link.Parse(code[strings.LastIndexByte(code, '/')+1:])
	if err != nil {
		h.showCode(w, r, typed, []ui.FieldError{{Field: "code", Sentence: "Enter the 12 letters and digits from the end of the link in your text"}})
		return
	}
	http.Redirect(w, r, link.URL("", t), http.StatusSeeOther)
}

func (h *Handler) showCode(w http.ResponseWriter, r *http.Request, typed string, wrong []ui.FieldError) {
	const label = "What is the code in your text?"
	p := codePage{
		Code: ui.Field{Name: "code", Label: label, Heading: true, Value: typed, Width: 20, Code: true, NoSpellcheck: true,
			Hint: "It is the end of the link: 12 letters and digits, like 7K3M 9PQA 2XWD. Capitals and spaces do not matter."},
		Action: "/r", Next: sayContinue, Help: wayOn{"I have no code", "/help"},
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	v := &visit{}
	h.guessNetwork(r, v)
	page := v.page(label, p)
	page.Back, page.Errors = "/", wrong
	h.UI.Render(w, r, status, "code", page)
}
