package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// bench is everything that a dispatcher asks, and writes down in which order.
type bench struct {
	said    []string
	out     Outgoing
	claim   error
	outcome Outcome
	rate    func(n int) error
	record  func() error
}

func (b *bench) say(format string, args ...any) {
	b.said = append(b.said, fmt.Sprintf(format, args...))
}

func (b *bench) Claim(context.Context, Ring) (Outgoing, error) {
	b.say("claim")
	return b.out, b.claim
}

func (b *bench) Record(ctx context.Context, r Ring, o Outcome) error {
	b.say("record %s %s", o.Event, o.Code)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if b.record != nil {
		return b.record()
	}
	return nil
}

func (b *bench) Send(context.Context, Outgoing) Outcome {
	b.say("send")
	return b.outcome
}

func (b *bench) Wait(ctx context.Context, n int) error {
	b.say("wait %d", n)
	if b.rate != nil {
		return b.rate(n)
	}
	return ctx.Err()
}

func (b *bench) dispatcher() *Dispatcher {
	return &Dispatcher{Claims: b, Sender: b, Rate: b, Log: slog.New(slog.DiscardHandler)}
}

// A send token comes before the claim, the claim before the text, and the outcome after it; whatever is refused ends it there.
func TestDispatcher_order(t *testing.T) {
	accepted := Outcome{Event: Accept, SID: "SM1"}
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		b    bench
		want []string
		err  bool // the ring comes again
	}{
		{"a short text", bench{out: Outgoing{Segments: 1}, outcome: accepted}, []string{"wait 1", "claim", "send", "record accept "}, false},
		{"a long text pays for the rest after its claim", bench{out: Outgoing{Segments: 3}, outcome: accepted}, []string{"wait 1", "claim", "wait 2", "send", "record accept "}, false},
		{"a lost outcome", bench{out: Outgoing{Segments: 1}, outcome: Outcome{Event: LoseSight, Code: "timeout"}}, []string{"wait 1", "claim", "send", "record lose_sight timeout"}, false},
		{"no send token", bench{rate: func(int) error { return broken }}, []string{"wait 1"}, true},
		{"the claim fails", bench{claim: fmt.Errorf("message 1: %w", ErrTooLate)}, []string{"wait 1", "claim"}, false},
		{"the database fails", bench{claim: broken}, []string{"wait 1", "claim"}, true},
		{"stopped while a long text waits", bench{out: Outgoing{Segments: 3}, rate: func(n int) error {
			if n == 1 {
				return nil
			}
			return broken
		}}, []string{"wait 1", "claim", "wait 2", "record postpone stopping"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.b.dispatcher().Answer(t.Context(), Ring{Message: 1})
			if !slices.Equal(c.b.said, c.want) || (err != nil) != c.err {
				t.Errorf("got %q and error %v, want %q", c.b.said, err, c.want)
			}
		})
	}
}

// What came back is recorded although the process is stopping, again and again for ten seconds, and nothing is sent again meanwhile.
func TestDispatcher_keepsTheReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &bench{out: Outgoing{Segments: 1}, outcome: Outcome{Event: Accept, SID: "SM1"}}
		tries := 0
		b.record = func() error {
			cancel()
			if tries++; tries < 5 {
				return errors.New("the database is away")
			}
			return nil
		}
		if err := b.dispatcher().Answer(ctx, Ring{Message: 1}); err != nil {
			t.Error(err)
		}
		if tries != 5 || slices.Index(b.said[3:], "send") >= 0 {
			t.Errorf("recorded %d times: %q", tries, b.said)
		}

		b = &bench{out: Outgoing{Segments: 1}, outcome: Outcome{Event: Accept, SID: "SM1"}, record: func() error { return errors.New("the disk is full") }}
		began := time.Now()
		err := b.dispatcher().Answer(t.Context(), Ring{Message: 1})
		if took := time.Since(began); err != nil || took < 9*time.Second || took > 11*time.Second {
			t.Errorf("gave up after %s: %v", took, err) // an error would ring again for a text that has left
		}
		if n := len(b.said); n < 20 || slices.Index(b.said[3:], "send") >= 0 {
			t.Errorf("%q", b.said)
		}
	})
}
