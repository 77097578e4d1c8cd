package emulator

import (
	"fmt"
	"strings"
	"time"
)

// status is a Twilio message status.
type status string

const (
	queued      status = "queued"
	accepted    status = "accepted" // initial, with a Messaging Service
	sent        status = "sent"
	delivered   status = "delivered"
	undelivered status = "undelivered"
	failed      status = "failed"
	canceled    status = "canceled"
	received    status = "received" // inbound
)

func (s status) initial() bool { return s == queued || s == accepted }

func (s status) final() bool {
	return s == delivered || s == undelivered || s == failed || s == canceled || s == received
}

// hook is a set of webhooks that a text owes or has in hand.
type hook uint8

const (
	hookSent hook = 1 << iota
	hookFinal
	hookInbound
)

func (s status) hook() hook {
	switch {
	case s == sent:
		return hookSent
	case s == received:
		return hookInbound
	case s.final():
		return hookFinal
	}
	return 0
}

// text is one text in memory, either way.
type text struct {
	seq, delivery                           int64
	sid, to, from, service, body, callback  string
	at, updated, sentAt, planSent, planDone int64 // civil ms
	status, planFinal                       status
	code, planCode                          int
	owed                                    hook
	inbound                                 bool
	published                               bool // durable: only now may anybody see it
	lagging                                 bool // not in lists yet
	redacted, deleted                       bool
}

// nth is the ordinal of a text's webhook, for Faults.
func (t *text) nth(h hook) int64 { return t.seq<<3 | int64(h) }

func (t *text) public() Text {
	p := Text{Seq: t.seq, Delivery: t.delivery, SID: t.sid, To: t.to, From: t.from, Body: t.body, Callback: t.callback,
		At: time.UnixMilli(t.at).UTC(), Status: string(t.status), StatusAt: time.UnixMilli(t.updated).UTC(), ErrorCode: t.code}
	return p
}

// next is what will become of the text and when; ok is false once it is final.
func (t *text) next() (at int64, s status, ok bool) {
	switch {
	case t.status.final():
		return 0, "", false
	case t.status.initial() && t.planSent > 0:
		return t.planSent, sent, true
	}
	return t.planDone, t.planFinal, true
}

// book is everything the journal says. The running emulator and ReadJournal both fill it through
// apply, so what is rebuilt is what was.
type book struct {
	account, sidKey string
	texts           []*text            // by seq
	deliveries      []*text            // by delivery
	outbound        int                // how many of texts are not replies
	byNumber        map[string][]*text // published, by every patient or sender number, oldest first
	optedOut        map[[2]string]bool // phone, sender
	struck          map[string]int     // faults by kind
}

func newBook() *book {
	return &book{byNumber: map[string][]*text{}, optedOut: map[[2]string]bool{}, struck: map[string]int{}}
}

// applyLine is apply and publish at once: on disk means published.
func (b *book) applyLine(l line) error {
	t, err := b.apply(l)
	if err == nil && t != nil && !t.published {
		b.publish(t)
	}
	return err
}

func (b *book) apply(l line) (*text, error) {
	switch l.Kind {
	case kindWorld:
		b.account, b.sidKey = l.Account, l.SIDKey
		return nil, nil
	case kindFault:
		b.struck[l.Fault]++
		return nil, nil
	case kindText, kindInbound:
		if want := int64(len(b.texts)) + 1; l.Seq != want {
			return nil, fmt.Errorf("got text %d, want %d", l.Seq, want)
		}
		t := &text{seq: l.Seq, sid: l.SID, to: l.To, from: l.From, service: l.Service, body: l.Body, callback: l.Callback,
			at: l.At, updated: l.At, planSent: l.PlanSent, planDone: l.PlanDone, planFinal: l.PlanFinal, planCode: l.PlanCode,
			status: queued}
		switch {
		case l.Kind == kindInbound:
			t.inbound, t.status, t.sentAt, t.owed = true, received, l.At, hookInbound
		case l.Service != "":
			t.status = accepted
		}
		b.texts = append(b.texts, t)
		return t, nil
	}
	if l.Seq < 1 || l.Seq > int64(len(b.texts)) {
		return nil, fmt.Errorf("no text %d", l.Seq)
	}
	t := b.texts[l.Seq-1]
	switch l.Kind {
	case kindStatus:
		t.status, t.updated = l.Status, l.At
		switch l.Status {
		case sent:
			t.sentAt = l.At
		case delivered:
			b.deliveries = append(b.deliveries, t)
			t.delivery = int64(len(b.deliveries))
		case undelivered, failed:
			t.code = t.planCode
		}
		if t.callback != "" {
			t.owed |= l.Status.hook()
		}
	case kindCallback:
		t.owed &^= l.Status.hook()
	case kindRedact:
		t.redacted = true
	case kindDelete:
		t.deleted = true
	default:
		return nil, fmt.Errorf("unknown kind %q", l.Kind)
	}
	return t, nil
}

// publish makes a durable text visible: in lists, on phones, in the opt-outs.
func (b *book) publish(t *text) {
	t.published = true
	b.index(t.to, t)
	if !t.inbound {
		b.outbound++
		return
	}
	b.index(t.from, t)
	switch keyword(t.body) {
	case "STOP":
		b.optedOut[[2]string{t.from, t.to}] = true
	case "START":
		delete(b.optedOut, [2]string{t.from, t.to})
	}
}

func (b *book) index(number string, t *text) {
	list := append(b.byNumber[number], t)
	// Two requests may become durable in the other order than they were numbered.
	for i := len(list) - 1; i > 0 && list[i-1].seq > list[i].seq; i-- {
		list[i-1], list[i] = list[i], list[i-1]
	}
	b.byNumber[number] = list
}

// keyword recognises Twilio's default English opt-out and opt-in words.
func keyword(body string) string {
	switch strings.ToUpper(strings.TrimSpace(body)) {
	case "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT":
		return "STOP"
	case "START", "UNSTOP", "YES":
		return "START"
	case "HELP", "INFO":
		return "HELP"
	}
	return ""
}
