package form

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// question is one page that asks. Its sentences begin with its own name in selfrefer/lang/words, which also has the name of its answer on
// the page that checks all: told.PATH.
type question struct {
	path   string
	fields []string // names that its page posts
	ask    func(v *visit, a *selfrefer.Answers) asked
	// wrong lists what can be mended, in the order of the page. Whatever it says, send takes the answers as they are.
	wrong func(v *visit, a *selfrefer.Answers, posted url.Values) []ui.FieldError
	// told is the answer on the page that checks all; no lines mean "Not provided".
	told func(v *visit, a *selfrefer.Answers) []string
	only func(v *visit, a *selfrefer.Answers) bool // nil: always asked
	// risky answers lead by the page with the numbers to ring.
	risky func(a *selfrefer.Answers) bool
}

// asked is what a question's page shows. With one field and no Heading the field's label is the heading.
type asked struct {
	Heading string
	Intro   []string
	Fields  []ui.Field
	Why     []string // folded away
}

func (h *Handler) allQuestions() []question {
	return []question{h.danger(), h.who(), h.helper(), h.name(), h.reasons(), h.tell(), h.channel(), h.email(), h.when(), h.safe(), h.number(), h.speaks(), h.needs(), h.sharing(), h.birth(), h.agree()}
}

// Step is one page of the form: its path under the base and the fields that it posts.
type Step struct {
	Path   string
	Fields []string
}

// Steps lists the pages in their order, for programs that fill the form in. Some are asked of some people only, such as a name of those who
// come without a link of ours; posting them is never wrong.
var Steps = func() (all []Step) {
	for _, q := range new(Handler).allQuestions() {
		all = append(all, Step{q.path, q.fields})
	}
	return all
}()

// start is where the first question stands.
func (h *Handler) first() string { return h.questions[0].path }

// next gives the path after a question: back to the check if the answer is changed from there.
func (h *Handler) next(v *visit, a *selfrefer.Answers, path string, change bool) string {
	if !change {
		passed := false
		for _, q := range h.questions {
			if passed && (q.only == nil || q.only(v, a)) {
				return v.base + "/" + q.path
			}
			passed = passed || q.path == path
		}
	}
	return v.base + "/check"
}

// before gives the path of the question before one.
func (h *Handler) before(v *visit, a *selfrefer.Answers, path string) string {
	back := v.base
	for _, q := range h.questions {
		if q.path == path {
			break
		}
		if q.only == nil || q.only(v, a) {
			back = v.base + "/" + q.path
		}
	}
	return back
}

const changing = "?change=1"

func isChange(r *http.Request) bool { return r.URL.Query().Get("change") == "1" }

// begun tells whether there are answers to go on with. If not (they are sent, or this browser does not have them) it has answered.
func (h *Handler) begun(w http.ResponseWriter, r *http.Request, v *visit) bool {
	switch {
	case v.done != nil:
		h.already(w, r, v)
	case v.secret == "":
		http.Redirect(w, r, v.base+"?lost=1", http.StatusSeeOther)
	default:
		return true
	}
	return false
}

// ask shows a question.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, v *visit, q *question) {
	if !h.begun(w, r, v) {
		return
	}
	a, err := h.load(r.Context(), v)
	if err != nil {
		h.down(w, r, v, err)
		return
	}
	if q.only != nil && !q.only(v, &a) {
		http.Redirect(w, r, h.next(v, &a, q.path, isChange(r)), http.StatusSeeOther)
		return
	}
	h.show(w, r, v, q, &a, nil)
}

// show draws a question with what is wrong with its answer.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, v *visit, q *question, a *selfrefer.Answers, wrong []ui.FieldError) {
	d := struct {
		asked
		Action, Continue, WhyAsked string
		Again                      string // what was posted, if that was wrong: posting it once more means it
	}{asked: q.ask(v, a), Action: q.path, Continue: v.say("frame.continue"), WhyAsked: v.say("frame.why")}
	// Relative: a page without answers is then the same for everybody.
	back := "." + strings.TrimPrefix(h.before(v, a, q.path), v.base)
	if back == "." {
		back = "./"
	}
	if isChange(r) {
		d.Action += changing
		back = "./check"
	}
	title := d.Heading
	if title == "" {
		d.Fields[0].Heading = true
		title = d.Fields[0].Label
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
		d.Again = a.BirthDate
	}
	p := v.private(title, back, d)
	p.Leave = "leave"
	p.Errors = wrong
	if len(wrong) > 0 || len(v.here) > 0 || !empties(d.Fields) {
		h.UI.Render(w, r, status, "question", p)
		return
	}
	// What is left to tell such pages apart.
	key := fmt.Sprintf("%d %s %s %s %t %t %s", v.in.Network.ID, v.words.Code, q.path, back, v.general(), a.ForOther, v.in.Network.Name)
	for _, f := range d.Fields {
		if f.Kind == ui.Select {
			key += " " + f.Value
		}
	}
	page, ok := h.drawn.get(h.Machine(), key)
	if !ok {
		var err error
		if page, err = h.UI.Keep("question", p); err != nil {
			h.UI.Render(w, r, status, "question", p) // says what is wrong
			return
		}
		h.drawn.put(h.Machine(), key, page)
	}
	page.Write(w, r, status)
}

// empties tells fields that nobody has answered, but for a choice from a short list, which may have been proposed.
func empties(fields []ui.Field) bool {
	for _, f := range fields {
		if f.Value != "" && f.Kind != ui.Select {
			return false
		}
		for _, value := range f.Values {
			if value != "" {
				return false
			}
		}
	}
	return true
}

// answer takes a question's answer.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, v *visit, q *question) {
	if v.done != nil {
		http.Redirect(w, r, v.base+"/sent", http.StatusSeeOther)
		return
	}
	if !h.parse(w, r, v) {
		return
	}
	if v.secret == "" {
		h.startDraft(w, v)
	}
	a, err := h.load(r.Context(), v)
	if err != nil {
		var now selfrefer.Answers
		read(&now, r.PostForm, q.fields)
		h.notKept(w, r, v, r.URL.RequestURI(), carry(&now), err)
		return
	}
	read(&a, r.PostForm, q.fields)
	if q.wrong != nil && (q.only == nil || q.only(v, &a)) {
		if wrong := q.wrong(v, &a, r.PostForm); len(wrong) > 0 {
			h.show(w, r, v, q, &a, wrong)
			return
		}
	}
	h.save(r.Context(), v, a)
	to := h.next(v, &a, q.path, isChange(r))
	if q.risky != nil && q.risky(&a) {
		to = v.base + "/urgent?after=" + q.path
		if isChange(r) {
			to += "&change=1"
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// parse reads a post; if it cannot be read, the answer is given already.
func (h *Handler) parse(w http.ResponseWriter, r *http.Request, v *visit) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	err := r.ParseForm()
	if err == nil {
		return true
	}
	status, key := http.StatusBadRequest, "unread"
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		status, key = http.StatusRequestEntityTooLarge, "too_large"
	}
	h.cannot(w, r, v, status, key)
	return false
}
