package form

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// patience is how long we try to keep a form, even for somebody whose line has gone.
const patience = 20 * time.Second

// send gives the answers to the receiver: those of this browser, with what the page itself posts on top.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, v *visit) {
	if !h.parse(w, r, v) {
		return
	}
	id := r.PostForm.Get("form")
	if !formIDShape.MatchString(id) {
		id = ""
	}
	if v.done != nil && id == "" {
		http.Redirect(w, r, v.base+"/sent", http.StatusSeeOther)
		return
	}
	a, err := h.load(r.Context(), v)
	whole := id != "" // the page that gives everything back posts everything
	h.overlay(&a, r.PostForm)
	if err != nil && !whole {
		h.notKept(w, r, v, r.URL.Path, h.carry(&a), err)
		return
	}
	if h.empty(&a) {
		http.Redirect(w, r, v.base+"?lost=1", http.StatusSeeOther) // a form without answers is a mistake, not a request
		return
	}
	a = within(a)
	if v.general() {
		if _, err := person.ParsePhone(a.Phone); err != nil && !whole && v.secret != "" {
			h.showUrgent(w, r, v, &a, []ui.FieldError{{Field: "phone", Sentence: "Enter your phone number, so that we can answer you"}})
			return
		}
		if !h.allow(h.general, r) {
			h.slowDown(w, r, v, append(h.carry(&a), hidden{"form", h.idFor(v, id)}))
			return
		}
	}
	f := selfrefer.Form{ID: h.idFor(v, id), Network: v.in.Network.ID, Source: selfrefer.ByLink, TokenHash: v.hash, Answers: a}
	if v.general() {
		f.Source = selfrefer.ByGeneral
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	rc, err := h.Receiver.Receive(ctx, f)
	if err != nil {
		h.notKept(w, r, v, r.URL.Path, append(h.carry(&a), hidden{"form", f.ID}), err)
		return
	}
	h.keepReceipt(w, v, receipt{reference: rc.Reference, by: rc.ContactBy, urgent: rc.Urgent, reach: reach(&a)})
	http.Redirect(w, r, v.base+"/sent", http.StatusSeeOther)
}

// idFor is what the page said, or what this browser always says, or for a program without cookies a new one.
func (h *Handler) idFor(v *visit, said string) string {
	switch {
	case said != "":
		return said
	case v.secret == "":
		v = &visit{secret: newSecret(), hash: v.hash}
	}
	return v.formID()
}

type keptPage struct {
	Heading string
	Lines   []string
	Ring    phoneLine
	Action  string
	Carried []hidden
	Button  string
	Cards   []card
}

// notKept is the page for answers that nothing could keep: it holds them itself, so that nothing has to be written twice.
func (h *Handler) notKept(w http.ResponseWriter, r *http.Request, v *visit, action string, carried []hidden, err error) {
	h.Log.Error("answers could not be kept", "error", err)
	w.Header().Set("Retry-After", "60")
	h.giveBack(w, r, v, http.StatusServiceUnavailable, keptPage{
		Heading: "Sorry, we could not keep your answers",
		Lines:   []string{"Nothing has been sent yet. Your answers are still in this page: leave it open, wait a minute, then press the button."},
		Action:  action, Carried: carried,
	})
}

// slowDown is the same for an address from which very many forms come.
func (h *Handler) slowDown(w http.ResponseWriter, r *http.Request, v *visit, carried []hidden) {
	w.Header().Set("Retry-After", "300")
	h.giveBack(w, r, v, http.StatusTooManyRequests, keptPage{
		Heading: "Please wait a few minutes",
		Lines:   []string{"Very many forms came from where you are. Nothing has been sent yet. Your answers are still in this page: leave it open, wait a few minutes, then press the button."},
		Action:  r.URL.Path, Carried: carried,
	})
}

func (h *Handler) giveBack(w http.ResponseWriter, r *http.Request, v *visit, status int, p keptPage) {
	p.Button, p.Cards = "Try again", cards
	p.Ring = ringInstead("If it does not work, ring", v.phone(), "and ask for a link worker.")
	h.UI.Render(w, r, status, "kept", v.private(p.Heading, "", p))
}

type sentPage struct {
	Heading, ReferenceIs, Reference string
	Lead                            []string
	Urgent                          []string
	NextHeading                     string
	Next                            []string
	Ring                            phoneLine
	WorseHeading                    string
	Cards                           []card
	AgainHeading, AgainLead         string
	Action, Again, AgainHref        string
}

// sent is the page after sending. It lives from what the browser remembers: loading it again changes nothing.
func (h *Handler) sent(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.done == nil {
		http.Redirect(w, r, v.base, http.StatusSeeOther)
		return
	}
	// Only now: until the browser has come here, a second tap on "Send" must find the same answers.
	h.forget(r, v)
	h.showSent(w, r, v, "We have received it")
}

// already is every other page of a form that this browser has sent.
func (h *Handler) already(w http.ResponseWriter, r *http.Request, v *visit) {
	h.showSent(w, r, v, "You have already sent this form")
}

func (h *Handler) showSent(w http.ResponseWriter, r *http.Request, v *visit, heading string) {
	rc := v.done
	will := "We will contact you"
	switch rc.reach {
	case "call":
		will = "We will call you"
	case "text":
		will = "We will text you"
	case "":
		will = "We will try to find a safe way to contact you"
	case "visit":
		will = "We will get in touch to agree a time and a place"
	}
	p := sentPage{
		Heading: heading, ReferenceIs: "Your reference", Reference: rc.reference,
		NextHeading: "What happens next",
		Next: []string{"A link worker reads your answers and contacts you in the way that you said is safe.", "If we do not reach you, we try again.",
			"You need not do anything. You may want to note the reference, or take a picture of this page."},
		Ring:         ringInstead("If you want to change something, or have changed your mind, ring", v.in.Network.Phone, "and tell us the reference."),
		WorseHeading: "If things get worse before we talk", Cards: cards,
		AgainHeading: "Is this for somebody else as well?", AgainLead: "Each person needs a form of their own.", Again: "Fill in another form",
	}
	if rc.by.IsZero() {
		p.Lead = []string{"We cannot say yet on which day. We have not forgotten you."}
		p.Lead[0] = will + ". " + p.Lead[0]
	} else {
		p.Lead = []string{will + " by " + h.dayBy(rc.by) + "."}
	}
	if rc.reach == "" {
		p.Lead = append(p.Lead, sayNoReachSent)
		p.Next = []string{"A link worker reads your answers. We do not ring or text you unless you tell us that it is safe.", "You may want to note the reference."}
	}
	p.Next = append(p.Next, sayShared)
	if rc.urgent {
		p.Urgent = []string{"If you or somebody else is in danger now, ring one of the numbers below. Do not wait for us.",
			"What you wrote sounds urgent, so it is at the top of our list. But nobody may see it before we are at work again, from Monday to Friday in the daytime."}
	}
	if v.general() {
		p.Action = v.base + "/start"
	} else {
		p.AgainHref = h.helpHref(v)
	}
	h.UI.Render(w, r, http.StatusOK, "sent", v.private(heading, "", p))
}

// dayBy writes a day as people say it, with the year only where it is another one.
func (h *Handler) dayBy(t time.Time) string {
	t, now := t.In(london), h.Now().In(london)
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return "the end of today, " + t.Format("Monday 2 January")
	case t.Year() != now.Year():
		return t.Format("Monday 2 January 2006")
	}
	return t.Format("Monday 2 January")
}

func longDate(day int, month string, year int) string {
	return time.Date(year, 1, day, 0, 0, 0, 0, time.UTC).Format("2 ") + month + time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Format(" 2006")
}

// lower begins a phrase in the middle of a sentence.
func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }
