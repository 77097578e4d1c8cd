package selfrefer

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// What short replies say stands beside the danger words: one file per language, for translators.
//
//go:embed replies/*.txt
var replyFiles embed.FS

// headings of the reply files, in the order in which they win if a reply is several things.
var replyKinds = []string{"stop", "start", "call", "not me", "no", "thanks", "automatic", "polite"}

const (
	isStop = iota
	isStart
	isCall
	isNotMe
	isNo
	isThanks
	isAutomatic
	isPolite
)

var replyPhrases = sync.OnceValue(func() *phrases {
	p, err := readPhrases(replyFiles, "replies", replyKinds)
	if err != nil {
		panic("selfrefer: " + err.Error()) // the files are part of the program; a test reads them
	}
	return p
})

// Said is what a reply says and nothing else, as far as that is certain. It helps staff to tell a "thanks" from a cry for help, and it
// decides nothing: every reply that is not a mere STOP is in the queue. A reply with danger words is never told apart.
type Said string

// What replies say.
const (
	SaidMore      Said = ""          // something to read
	SaidCall      Said = "call"      // CALL: asks for a call without the form
	SaidNotMe     Said = "not_me"    // "wrong number", "who is this"
	SaidNo        Said = "no"        // "no thanks"
	SaidThanks    Said = "thanks"    // "ok"
	SaidAutomatic Said = "automatic" // a telephone's "I'm driving"
	SaidNothing   Said = "nothing"   // no words: a picture, a thumbs-up, an empty text
	SaidStart     Said = "start"     // START, where there was no STOP that it could undo
	SaidStop      Said = "stop"      // begins with STOP and goes on: texts are stopped, and the rest wants reading
)

// Words is the sentence for staff; "" if the reply speaks for itself.
func (s Said) Words() string {
	return map[Said]string{
		SaidCall:      "They texted CALL from their own number; they were not asked whether it is safe.",
		SaidNotMe:     "They say that they are not the person, or do not know who wrote. It may be the wrong number, or somebody else holds the phone: do not say what it is about until you know who answers.",
		SaidNo:        "They say that they want nothing now.",
		SaidThanks:    "This looks like a thank-you or an OK. It may be the answer to something else.",
		SaidAutomatic: "This looks like an automatic answer of their phone.",
		SaidNothing:   "There are no words in it: an empty text, a picture or a sign such as a thumbs-up.",
		SaidStart:     "They texted START, and there was no STOP of theirs that we could undo. Ask what they want.",
		SaidStop:      "It begins with STOP: they get no more texts. Read on, in case they also ask for help.",
	}[s]
}

// stopFirst are words that opt out at the beginning of a reply, whatever follows: rather one text too few. What follows is read by staff.
var stopFirst = []string{"stop", "stopall", "unsubscribe", "stopio"}

// readReply tells what a reply says. stops is whether it opts out; merely, whether it does nothing else.
func readReply(body string) (said Said, stops, merely bool) {
	tokens := fold(body)
	if len(tokens) == 0 {
		return SaidNothing, false, false
	}
	type found struct {
		kinds    uint32
		from, to int
	}
	var all []found
	polite := make([]bool, len(tokens))
	replyPhrases().match(tokens, func(ends uint32, from, to int) {
		all = append(all, found{ends, from, to})
		if ends&(1<<isPolite) != 0 {
			for i := from; i <= to; i++ {
				polite[i] = true
			}
		}
	})
	var kinds uint32
	for _, f := range all {
		ends := f.kinds
		if slices.Contains(polite[:f.from], false) {
			continue
		}
		if slices.Contains(polite[f.to+1:], false) {
			ends &= 1 << isAutomatic // those go on as they like
		}
		kinds |= ends
	}
	if kinds&(1<<isStop) != 0 {
		return SaidMore, true, true
	}
	if slices.Contains(stopFirst, string(tokens[0].text)) {
		return SaidStop, true, false
	}
	for kind, said := range []Said{isStart: SaidStart, isCall: SaidCall, isNotMe: SaidNotMe, isNo: SaidNo, isThanks: SaidThanks, isAutomatic: SaidAutomatic} {
		if kinds&(1<<kind) != 0 && said != SaidMore {
			return said, false, false
		}
	}
	return SaidMore, false, false
}

// IsStop reports whether a reply opts out. It does if it says STOP and nothing else, in any of our languages, or if it begins with STOP. A
// sentence that merely holds the word does not: "I can't stop crying". Danger words win over it: "stop, he hits me" is a cry for help as
// well, see [Receiver.Reply].
func IsStop(reply string) bool {
	_, stops, _ := readReply(reply)
	return stops
}

// Reply is a text from a phone. It hides the person when it is printed or logged.
type Reply struct {
	ID      string // the provider's; the same reply may come more than once
	Network staff.NetworkID
	From    person.Phone
	Body    string
	Media   int // pictures and the like that came with it; we do not fetch them
	// The provider takes it for an opt-out, or for the end of one, whatever words it used.
	Stop, Start bool
}

func (r Reply) String() string { return "reply " + r.ID }

// GoString hides number and words from %#v.
func (r Reply) GoString() string { return r.String() }

// LogValue hides number and words from logs.
func (r Reply) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Reply takes an answer to a text. STOP opts out, START undoes it; anything else asks for help, and danger words are never read as a mere
// STOP.
//
// "Wrong number" is not an opt-out: whoever holds the phone for a moment could silence it, and the practice must hear of it. It is queued
// with a hint to staff, and an open referral keeps further texts from the number.
func (r *Receiver) Reply(ctx context.Context, in Reply) error {
	said, stops, merely := readReply(in.Body)
	danger := mention(in.Body) != 0
	if in.Stop && !stops {
		stops, merely = true, true // the provider knows its own words for it
	}
	if stops {
		if err := r.Stop(ctx, OptOut{Network: in.Network, Phone: in.From, Why: WhyStop}); err != nil {
			return err
		}
		if merely && !danger && in.Media == 0 {
			return nil
		}
		said = SaidStop
	} else if said == SaidStart || in.Start {
		err := r.Resume(ctx, Undo{Network: in.Network, Phone: in.From})
		if err == nil && !danger && in.Media == 0 && said == SaidStart {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNothingToUndo) {
			return err
		}
	}
	a := Answers{Words: in.Body, Said: said, Media: in.Media}
	if said == SaidCall {
		a.Channel = "call"
	}
	if danger {
		a.Said = SaidMore
	}
	if _, err := r.Receive(ctx, Form{ID: "reply-" + in.ID, Network: in.Network, Source: ByReply, From: in.From, Answers: a}); err != nil {
		return fmt.Errorf("keep a reply: %w", err)
	}
	return nil
}
