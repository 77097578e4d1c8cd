package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
)

var machine = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

// What follows from a look, all of it.
func TestDoubtful_After(t *testing.T) {
	dayAgo, hourAgo := machine.Add(-mostBlind), machine.Add(-time.Hour)
	for _, tt := range []struct {
		name string
		d    Doubtful
		l    Look
		on   Event
		why  string
	}{
		{"first empty look", Doubtful{Ambiguous: 1}, LookEmpty, "", ""},
		{"second empty look", Doubtful{Ambiguous: 1, Empty: 1}, LookEmpty, Clear, ""},
		{"an attempt that a restored backup forgot", Doubtful{Ambiguous: 0, Empty: 1}, LookEmpty, Clear, ""},
		{"campaign over", Doubtful{Ambiguous: 1, Empty: 1, Over: true}, LookEmpty, Hold, HeldOver},
		{"campaign over, one look", Doubtful{Ambiguous: 1, Over: true}, LookEmpty, "", ""},
		{"second ambiguity", Doubtful{Ambiguous: 2, Empty: 1}, LookEmpty, Clear, ""},
		{"third ambiguity", Doubtful{Ambiguous: 3, Empty: 1}, LookEmpty, Hold, HeldAgain},
		{"third ambiguity, one look", Doubtful{Ambiguous: 3}, LookEmpty, "", ""},
		{"redacted", Doubtful{Ambiguous: 1, Empty: 1}, LookBlind, Hold, HeldUnreadable},
		{"redacted at the first look", Doubtful{Ambiguous: 1}, LookBlind, Hold, HeldUnreadable},
		{"first failed look", Doubtful{Ambiguous: 1, Empty: 1}, LookFailed, "", ""},
		{"failing for an hour", Doubtful{Empty: 1, BlindSince: hourAgo}, LookFailed, "", ""},
		{"failing for a day", Doubtful{BlindSince: dayAgo}, LookFailed, Hold, HeldNoRecord},
		{"failed for a day, now empty", Doubtful{Ambiguous: 1, BlindSince: dayAgo}, LookEmpty, "", ""},
		{"found", Doubtful{Ambiguous: 2, Empty: 1, Over: true, BlindSince: dayAgo}, LookFound, "", ""},
	} {
		if on, why := tt.d.After(tt.l, machine); on != tt.on || why != tt.why {
			t.Errorf("%s: %q %q, want %q %q", tt.name, on, why, tt.on, tt.why)
		}
	}
}

var (
	key      = []byte("0123456789abcdef0123456789abcdef")
	to, _    = person.ParseE164("+447700900123")
	known, _ = person.ParseE164("+447700900456")
)

func textWith(sid string, to person.Phone, t link.Token) Listed {
	return Listed{SID: sid, To: to, Body: "Hello " + link.URL("https://l.example", t), Status: "delivered"}
}

// books is the store and the provider's record at once.
type books struct {
	doubts  []Doubtful
	record  map[string][]Listed
	fails   map[string]error
	stone   *Touchstone
	adopted []Evidence
	looked  []Look
	cleared []string
	asked   int
}

func (b *books) Overrun(context.Context, time.Time) (int, error) { return 0, nil }
func (b *books) Doubts(context.Context, time.Time, int) ([]Doubtful, error) {
	return b.doubts, nil
}
func (b *books) Adopt(_ context.Context, ev Evidence) error {
	b.adopted = append(b.adopted, ev)
	return nil
}
func (b *books) Looked(_ context.Context, _ Doubtful, l Look, _ time.Duration) error {
	b.looked = append(b.looked, l)
	return nil
}
func (b *books) Clear(_ context.Context, _ int64, _ Doubtful, on Event, why string) error {
	b.cleared = append(b.cleared, string(on)+" "+why)
	return nil
}
func (b *books) Touchstone(context.Context) (t Touchstone, ok bool, err error) {
	if b.stone != nil {
		t = *b.stone
	}
	return t, b.stone != nil, nil
}
func (b *books) List(_ context.Context, to person.Phone) ([]Listed, error) {
	b.asked++
	return b.record[to.Reveal()], b.fails[to.Reveal()]
}

func TestReconciler_looks(t *testing.T) {
	token, other, stone := link.Mint(key, 1), link.Mint(key, 2), link.Mint(key, 3)
	gone := errors.New("the provider is away")
	second := Doubtful{Message: 1, Attempt: 1, To: to, Token: token, Empty: 1, Ambiguous: 1}
	blind := second
	blind.BlindSince = machine.Add(-25 * time.Hour)
	whole := map[string][]Listed{known.Reveal(): {textWith("SMstone", known, stone)}}
	with := func(ls ...Listed) map[string][]Listed {
		return map[string][]Listed{known.Reveal(): whole[known.Reveal()], to.Reveal(): ls}
	}
	redacted, hidden := textWith("SM1", to, token), textWith("SM1", to, token)
	redacted.Body, hidden.To = "", person.Phone{}
	for _, tt := range []struct {
		name    string
		d       Doubtful
		record  map[string][]Listed
		fails   map[string]error
		noStone bool
		want    string // looked, cleared, adopted
	}{
		{"not there", second, with(textWith("SM2", to, other)), nil, false, "[] [clear ] []"},
		{"not there, and nothing to test the record with", second, nil, nil, true, "[] [clear ] []"},
		{"there", second, with(textWith("SM2", to, other), textWith("SM1", to, token)), nil, false, "[] [] [deliver SM1]"},
		{"there twice", second, with(textWith("SM2", to, token), textWith("SM1", to, token)), nil, false, "[] [] [deliver SM2 deliver SM1]"},
		{"there, beside a redacted one", second, with(Listed{SID: "SM9", To: to, Status: "sent"}, textWith("SM1", to, token)), nil, false, "[] [] [deliver SM1]"},
		{"redacted", second, with(redacted), nil, false, "[] [hold held_unreadable] []"},
		{"numbers hidden", second, with(hidden), nil, false, "[] [hold held_unreadable] []"},
		{"away", second, nil, map[string]error{to.Reveal(): gone}, false, "[0] [] []"},
		{"the record does not show what it must", second, map[string][]Listed{}, nil, false, "[0] [] []"},
		{"it shows another text there", second, map[string][]Listed{known.Reveal(): {textWith("SMother", known, stone)}}, nil, false, "[0] [] []"},
		{"it has redacted what it must show", second, map[string][]Listed{known.Reveal(): {{SID: "SMstone", To: known, Status: "delivered"}}}, nil, false, "[] [hold held_unreadable] []"},
		{"the record could not be tested", second, nil, map[string]error{known.Reveal(): gone}, false, "[0] [] []"},
		{"for a day the record has not shown what it must", blind, map[string][]Listed{}, nil, false, "[] [hold held_no_record] []"},
		{"this number failing for a day", blind, whole, map[string]error{to.Reveal(): gone}, false, "[] [hold held_no_record] []"},
		{"all failing for a day", blind, nil, map[string]error{to.Reveal(): gone, known.Reveal(): gone}, false, "[0] [] []"},
		{"failing for a day, and nothing else to see", blind, nil, map[string]error{to.Reveal(): gone}, true, "[0] [] []"},
	} {
		b := &books{doubts: []Doubtful{tt.d}, record: tt.record, fails: tt.fails, stone: &Touchstone{"SMstone", known, stone}}
		if tt.noStone {
			b.stone = nil
		}
		r := Reconciler{Store: b, Lister: b, Log: slog.New(slog.DiscardHandler)}
		if err := r.Tick(t.Context(), 1, machine); err != nil {
			t.Fatal(err)
		}
		var adopted []string
		for _, ev := range b.adopted {
			if adopted = append(adopted, string(ev.Event)+" "+ev.SID); ev.Kind != "listing" || ev.Message != 1 || ev.Attempt != 1 {
				t.Errorf("%s: %+v", tt.name, ev)
			}
		}
		if got := fmt.Sprint(b.looked, b.cleared, adopted); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A provider that is away, or has had enough, is not asked for every doubt; and its record is tested once in a tick.
func TestReconciler_spares(t *testing.T) {
	var many []Doubtful
	for i := range 50 {
		many = append(many, Doubtful{Message: MessageID(i + 1), Attempt: 1, To: to, Token: link.Mint(key, int64(i+1)), Empty: 1})
	}
	stone := link.Mint(key, 99)
	for _, tt := range []struct {
		name  string
		err   error
		asked int
	}{{"away", errors.New("away"), mostFailures}, {"busy", fmt.Errorf("list: %w", ErrBusy), 1}, {"well", nil, 51}} {
		b := &books{doubts: many, fails: map[string]error{to.Reveal(): tt.err}, stone: &Touchstone{"SMstone", known, stone},
			record: map[string][]Listed{known.Reveal(): {textWith("SMstone", known, stone)}}}
		r := Reconciler{Store: b, Lister: b, Log: slog.New(slog.DiscardHandler)}
		if err := r.Tick(t.Context(), 1, machine); err != nil || b.asked != tt.asked {
			t.Errorf("%s: asked %d times, want %d (%v)", tt.name, b.asked, tt.asked, err)
		}
	}
}

func TestNextSweep(t *testing.T) {
	for _, tt := range []struct{ age, next time.Duration }{
		{0, time.Hour}, {time.Hour - 1, time.Hour}, {time.Hour, 6 * time.Hour}, {5 * time.Hour, 6 * time.Hour}, {6 * time.Hour, 24 * time.Hour},
		{30 * time.Hour, 72 * time.Hour}, {72 * time.Hour, 0}, {1000 * time.Hour, 0},
	} {
		got, want := NextSweep(machine, machine.Add(tt.age)), machine.Add(tt.next)
		if tt.next == 0 {
			want = time.Time{}
		}
		if !got.Equal(want) {
			t.Errorf("at the age of %v: next at %v, want %v", tt.age, got, want)
		}
	}
}

// sweepBooks is what a sweep reads and writes, and the provider.
type sweepBooks struct {
	mu       sync.Mutex
	due      []Awaited
	fetch    func(sid string) (Listed, error)
	record   []Listed
	adopted  []string
	next     map[MessageID]time.Duration // from now, 0 for never
	at, most atomic.Int32
	asked    atomic.Int32
}

func (b *sweepBooks) Awaited(_ context.Context, _ time.Time, limit int) ([]Awaited, error) {
	return b.due[:min(limit, len(b.due))], nil
}
func (b *sweepBooks) Swept(_ context.Context, m MessageID, next time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next[m] = 0; !next.IsZero() {
		b.next[m] = next.Sub(machine)
	}
	return nil
}
func (b *sweepBooks) Adopt(_ context.Context, ev Evidence) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.adopted = append(b.adopted, fmt.Sprintf("%d %s %s %s %s", ev.Message, ev.Event, ev.Kind, ev.SID, ev.Code))
	return nil
}
func (b *sweepBooks) Fetch(_ context.Context, sid string) (Listed, error) {
	b.asked.Add(1)
	n := b.at.Add(1)
	defer b.at.Add(-1)
	for m := b.most.Load(); n > m && !b.most.CompareAndSwap(m, n); m = b.most.Load() {
	}
	time.Sleep(time.Millisecond)
	return b.fetch(sid)
}
func (b *sweepBooks) List(context.Context, person.Phone) ([]Listed, error) { return b.record, nil }

func TestSweeper(t *testing.T) {
	token := link.Mint(key, 5)
	b := &sweepBooks{next: map[MessageID]time.Duration{}, record: []Listed{textWith("SM5", to, token), textWith("SM6", to, link.Mint(key, 6)), {SID: "SM7", To: to}}}
	b.fetch = func(sid string) (Listed, error) {
		switch sid {
		case "SM1":
			return Listed{SID: sid, Status: "undelivered", Code: "30003"}, nil
		case "SM2":
			return Listed{SID: sid, Status: "sent"}, nil
		case "SM3":
			return Listed{}, fmt.Errorf("fetch: %w", ErrNoText)
		}
		return Listed{SID: sid, Status: "delivered"}, nil
	}
	since := func(age time.Duration) time.Time { return machine.Add(-age) }
	b.due = []Awaited{{Message: 1, SID: "SM1", Since: since(time.Hour)}, {Message: 2, SID: "SM2", Since: since(7 * time.Hour)}, {Message: 3, SID: "SM3", Since: since(2 * time.Hour)},
		{Message: 4, SID: "SM4", Since: since(100 * time.Hour)}, {Message: 5, To: to, Token: token, Since: since(time.Hour)}, {Message: 8, To: to, Token: link.Mint(key, 8), Since: since(time.Hour)}}
	s := Sweeper{Store: b, Fetcher: b, Lister: b, Log: slog.New(slog.DiscardHandler)}
	if err := s.Tick(t.Context(), machine); err != nil {
		t.Fatal(err)
	}
	slices.Sort(b.adopted)
	if got, want := fmt.Sprint(b.adopted), "[1 undeliver sweep SM1 30003 2 report_sent sweep SM2  4 deliver sweep SM4  5 deliver sweep SM5 ]"; got != want {
		t.Errorf("adopted %s\nwant    %s", got, want)
	}
	for m, want := range map[MessageID]time.Duration{1: 5 * time.Hour, 2: 17 * time.Hour, 3: 4 * time.Hour, 4: 0, 5: 5 * time.Hour, 8: 5 * time.Hour} {
		if got, ok := b.next[m]; !ok || got != want {
			t.Errorf("message %d: asked again in %v, want %v", m, got, want)
		}
	}
}

func TestSweeper_atTheProvidersPace(t *testing.T) {
	var many []Awaited
	for i := range 1000 {
		many = append(many, Awaited{Message: MessageID(i + 1), SID: fmt.Sprint("SM", i+1), Since: machine})
	}
	for _, tt := range []struct {
		name      string
		failsAt   int32
		err       error
		most      int32
		postponed bool // the one that failed is put off
	}{{"well", 0, nil, sweepChunk, false}, {"busy", 10, ErrBusy, 10 + sweepAtOnce, false}, {"away", 10, errors.New("away"), 10 + sweepAtOnce, true}} {
		b := &sweepBooks{due: many, next: map[MessageID]time.Duration{}}
		b.fetch = func(sid string) (Listed, error) {
			if tt.failsAt > 0 && b.asked.Load() >= tt.failsAt {
				return Listed{}, tt.err
			}
			return Listed{SID: sid, Status: "sent"}, nil
		}
		s := Sweeper{Store: b, Fetcher: b, Lister: b, Log: slog.New(slog.DiscardHandler)}
		if err := s.Tick(t.Context(), machine); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if n := b.asked.Load(); n > tt.most || tt.err == nil && n != tt.most || b.most.Load() > sweepAtOnce {
			t.Errorf("%s: asked %d times, %d at once", tt.name, n, b.most.Load())
		}
		put := 0
		for _, d := range b.next {
			if d == sweepTrouble {
				put++
			}
		}
		if (put > 0) != tt.postponed {
			t.Errorf("%s: %d were put off", tt.name, put)
		}
		before := b.asked.Load()
		_ = s.Tick(t.Context(), machine.Add(sweepRest-1))
		if rested := b.asked.Load() == before; rested != (tt.err != nil) {
			t.Errorf("%s: rests: %v", tt.name, rested)
		}
		_ = s.Tick(t.Context(), machine.Add(sweepRest))
		if b.asked.Load() == before {
			t.Errorf("%s: nobody asks again", tt.name)
		}
	}
}
