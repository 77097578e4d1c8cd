package form

import (
	"context"
	"net/http"
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
	overlay(&a, r.PostForm)
	if err != nil && !whole {
		h.notKept(w, r, v, r.URL.Path, carry(&a), err)
		return
	}
	if empty(&a) {
		http.Redirect(w, r, v.base+"?lost=1", http.StatusSeeOther) // a form without answers is a mistake, not a request
		return
	}
	a = within(a)
	a.Pages = v.words.Code
	if v.general() {
		if _, err := person.ParsePhone(a.Phone); err != nil && !whole && v.secret != "" {
			h.showUrgent(w, r, v, &a, []ui.FieldError{{Field: "phone", Sentence: v.say("urgent.phone_wrong")}})
			return
		}
	}
	if !h.mayPass(r, v) {
		h.slowDown(w, r, v, append(carry(&a), hidden{"form", h.idFor(v, id)}))
		return
	}
	settleReasons(v, &a)
	f := selfrefer.Form{ID: h.idFor(v, id), Network: v.in.Network.ID, Source: selfrefer.ByLink, TokenHash: v.hash, Answers: a}
	if v.general() {
		f.Source = selfrefer.ByGeneral
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	rc, err := h.Receiver.Receive(ctx, f)
	if err != nil {
		h.notKept(w, r, v, r.URL.Path, append(carry(&a), hidden{"form", f.ID}), err)
		return
	}
	h.keepReceipt(w, v, receipt{reference: rc.Reference, by: rc.ContactBy, urgent: rc.Urgent, reach: reach(&a)})
	http.Redirect(w, r, v.base+"/sent", http.StatusSeeOther)
}

// mayPass bounds how many forms come by one link, and from one address by no link or by a used one: a text that is passed on to a hundred
// people, or a program, must not bury those who wait. Nobody's answers are lost by it.
func (h *Handler) mayPass(r *http.Request, v *visit) bool {
	if !v.general() {
		if ok, _ := h.byLink.Allow(h.Machine(), string(v.hash)); !ok {
			return false
		}
	}
	return !v.general() && !v.in.Spent || h.allow(h.general, r)
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
	h.giveBack(w, r, v, http.StatusServiceUnavailable, keptPage{Heading: v.say("kept.down"), Lines: v.says("kept.down.wait"), Action: action, Carried: carried})
}

// slowDown is the same for an address from which very many forms come.
func (h *Handler) slowDown(w http.ResponseWriter, r *http.Request, v *visit, carried []hidden) {
	w.Header().Set("Retry-After", "300")
	h.giveBack(w, r, v, http.StatusTooManyRequests, keptPage{Heading: v.say("lost.wait"), Lines: v.says("kept.many", "kept.many.wait"), Action: r.URL.Path, Carried: carried})
}

func (h *Handler) giveBack(w http.ResponseWriter, r *http.Request, v *visit, status int, p keptPage) {
	p.Button, p.Cards = v.say("frame.again"), v.cards()
	p.Ring = v.ringUs("kept.ring", v.phone())
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
	Diary                           wayOn
}

// sent is the page after sending. It lives from what the browser remembers: loading it again changes nothing.
func (h *Handler) sent(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.done == nil {
		http.Redirect(w, r, v.base, http.StatusSeeOther)
		return
	}
	// Only now: until the browser has come here, a second tap on "Send" must find the same answers.
	h.forget(r, v)
	h.showSent(w, r, v, v.say("sent.received"))
}

// already is every other page of a form that this browser has sent.
func (h *Handler) already(w http.ResponseWriter, r *http.Request, v *visit) {
	h.showSent(w, r, v, v.say("sent.already"))
}

func (h *Handler) showSent(w http.ResponseWriter, r *http.Request, v *visit, heading string) {
	rc := v.done
	will := "sent.will." + rc.reach // by what they said is safe
	if rc.reach == "" {
		will = "sent.will.none"
	}
	p := sentPage{
		Heading: heading, ReferenceIs: v.say("sent.reference"), Reference: rc.reference,
		NextHeading:  v.say("start.next"),
		Next:         v.says("sent.next.reads", "sent.next.again", "sent.next.note"),
		Ring:         v.ringUs("sent.ring", v.in.Network.Phone),
		WorseHeading: v.say("sent.worse"), Cards: v.cards(),
		AgainHeading: v.say("sent.other"), AgainLead: v.say("sent.other.each"), Again: v.say("sent.other.again"),
	}
	switch {
	case rc.by.IsZero():
		p.Lead = v.says(will+".some_day", "sent.not_forgotten")
	case sameDay(rc.by.In(london), h.Now().In(london)):
		p.Lead = []string{v.say(will+".today", "Day", h.day(v, rc.by))}
	default:
		p.Lead = []string{v.say(will, "Day", h.day(v, rc.by))}
	}
	if rc.reach == "" {
		p.Lead = append(p.Lead, v.say("sent.no_reach"))
		p.Next = v.says("sent.next.unsafe", "sent.next.keep")
	} else if !rc.by.IsZero() {
		p.Diary = wayOn{v.say("sent.diary"), v.base + "/sent.ics"}
	}
	p.Next = append(p.Next, v.say("sent.shared"))
	away := h.away(r.Context(), v)
	if rc.urgent {
		p.Urgent = append(v.says("sent.urgent.ring", "sent.urgent.top"), some(away)...)
	}
	if v.general() {
		p.Action = v.base + "/start"
	} else {
		p.AgainHref = h.helpHref(v)
	}
	h.UI.Render(w, r, http.StatusOK, "sent", v.private(heading, "", p))
}

func sameDay(a, b time.Time) bool { return a.Year() == b.Year() && a.YearDay() == b.YearDay() }
