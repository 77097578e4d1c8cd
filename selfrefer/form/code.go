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
func (h *Handler) askCode(w http.ResponseWriter, r *http.Request) {
	h.showCode(w, r, h.guest(r), "", nil)
}

// readCode takes a code as it is typed, or the whole link. Whether we know it, the page behind it says.
func (h *Handler) readCode(w http.ResponseWriter, r *http.Request) {
	v := h.guest(r)
	if !h.parse(w, r, v) {
		return
	}
	typed := cut(clean(r.PostForm.Get("code")), maxLine)
	code := strings.TrimRight(typed, "/. ")
	t, err := link.Parse(code[strings.LastIndexByte(code, '/')+1:])
	if err != nil {
		h.showCode(w, r, v, typed, []ui.FieldError{{Field: "code", Sentence: v.say("code.wrong")}})
		return
	}
	http.Redirect(w, r, link.URL("", t), http.StatusSeeOther)
}

func (h *Handler) showCode(w http.ResponseWriter, r *http.Request, v *visit, typed string, wrong []ui.FieldError) {
	p := codePage{
		Code:   ui.Field{Name: "code", Label: v.say("code.ask"), Heading: true, Value: typed, Width: 20, Code: true, NoSpellcheck: true, Hint: v.say("code.hint", "Example", "7K3M 9PQA 2XWD")},
		Action: "/r", Next: v.say("frame.continue"), Help: wayOn{v.say("code.none"), "/help"},
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	h.guessNetwork(r, v)
	page := v.page(p.Code.Label, p)
	page.Back, page.Errors = "/", wrong
	h.UI.Render(w, r, status, "code", page)
}
