package emulator

import (
	"container/heap"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults for Config.
const (
	DefaultServiceSender = "+447700900999"
	DefaultPhonePrefix   = "/phones"
)

// ErrOneWay says that a text came from a name such as "PCN Health": nobody can reply to it.
var ErrOneWay = errors.New("this text came from a name, not a number, so it cannot be replied to: use the link in the text")

// ErrNoText says that a phone has had no text yet.
var ErrNoText = errors.New("this phone has not had a text yet")

var errClosed = errors.New("the emulator is closed")

// Config is what an emulator is made of. Dir, AccountSID, AuthToken and Now are required.
type Config struct {
	Dir        string           // the journal lives here; created if missing; one process at a time
	AccountSID string           // AC and 32 hex digits
	AuthToken  string           // letters and digits only: twilio-go refuses others
	Now        func() time.Time // civil clock
	Seed       uint64

	Faults   Faults
	Delivery Delivery

	// Rate is how many segments are accepted per machine second before 429, with a second's worth in
	// hand; 0 means no limit. It needs Machine.
	Rate    float64
	Machine func() time.Time

	InboundURL    string // where replies go; may end in connection overrides such as #rc=3&rp=all
	ServiceSender string // the number a Messaging Service sends from; DefaultServiceSender if empty
	PhonePrefix   string // where PhoneHandler is mounted; DefaultPhonePrefix if empty
	// Owner, if set, says on a phone's screen whose it is, for somebody who tries what they got; "" says nothing.
	Owner          func(number string) string
	CallbackClient *http.Client // nil: one with keep-alive that dials this computer only
	Logger         *slog.Logger // nil: none
}

// Emulator is a Twilio that runs here. It is safe for concurrent use.
type Emulator struct {
	cfg      Config
	delivery Delivery
	client   *http.Client
	log      *slog.Logger
	journal  *journal

	mu       sync.Mutex
	book     *book
	events   events
	faults   Faults
	lastRate time.Time
	tokens   float64

	creates, lists, fetches atomic.Int64 // ordinals of requests, for Faults
	inFlight                atomic.Int64
	tick                    sync.Mutex
	wake                    chan struct{}
	closed                  chan struct{}
	closeOnce               sync.Once
}

var accountPattern = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)

// Open starts an emulator, or goes on with the one whose journal is in cfg.Dir.
func Open(cfg Config) (*Emulator, error) {
	cfg.ServiceSender = or(cfg.ServiceSender, DefaultServiceSender)
	cfg.PhonePrefix = or(cfg.PhonePrefix, DefaultPhonePrefix)
	e := &Emulator{cfg: cfg, delivery: cfg.Delivery.orDefault(), client: cfg.CallbackClient, log: cfg.Logger, book: newBook(),
		faults: cfg.Faults, tokens: cfg.Rate, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	switch {
	case cfg.Dir == "" || cfg.Now == nil:
		return nil, errors.New("emulator: Dir and Now are required")
	case !accountPattern.MatchString(cfg.AccountSID):
		return nil, errors.New("emulator: the account SID must be AC and 32 hexadecimal digits")
	case !alphanumeric.MatchString(cfg.AuthToken):
		return nil, errors.New("emulator: the auth token must be letters and digits")
	case cfg.Rate > 0 && cfg.Machine == nil:
		return nil, errors.New("emulator: Rate needs Machine, a clock that is not scaled")
	case !e.delivery.valid():
		return nil, errors.New("emulator: Delivered, Undelivered and Failed must add up to 1")
	}
	if e.client == nil {
		e.client = loopbackClient()
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.log = e.log.With("comp", "twilio-emulator")
	if err := e.openJournal(); err != nil {
		return nil, fmt.Errorf("open emulator: %w", err)
	}
	for _, t := range e.book.texts {
		e.schedule(t)
		for _, h := range []hook{hookSent, hookFinal, hookInbound} {
			if t.owed&h != 0 {
				e.push(event{due: t.updated, seq: t.seq, hook: h})
			}
		}
	}
	// A restarted run must not meet the faults of its first requests again and again.
	e.creates.Store(int64(len(e.book.texts)))
	return e, nil
}

func (e *Emulator) openJournal() (err error) {
	if err := os.MkdirAll(e.cfg.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(e.cfg.Dir, JournalFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	if err := lock(f); err != nil {
		return fmt.Errorf("another process uses %s (stop it first): %w", f.Name(), err)
	}
	good, err := scan(f, e.book.applyLine)
	if err != nil {
		return err
	}
	if err := f.Truncate(good); err != nil {
		return fmt.Errorf("cut off torn line: %w", err)
	}
	if _, err := f.Seek(good, io.SeekStart); err != nil {
		return err
	}
	e.journal = newJournal(f)
	if good > 0 {
		if e.book.account != e.cfg.AccountSID {
			return fmt.Errorf("%s belongs to account %s, not %s", f.Name(), e.book.account, e.cfg.AccountSID)
		}
		return nil
	}
	// Not from the seed: a new journal beside an old database must not repeat its SIDs.
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	world := line{Kind: kindWorld, Account: e.cfg.AccountSID, SIDKey: hex.EncodeToString(key)}
	_, _ = e.book.apply(world)
	if err := e.journal.reach(e.journal.append(world), true); err != nil {
		return err
	}
	dir, err := os.Open(e.cfg.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync() // so that the file itself outlives a power cut
}

// Close makes the journal durable and lets go of it. Stop Run or Tick and the servers first.
func (e *Emulator) Close() error {
	err := errClosed
	e.closeOnce.Do(func() {
		close(e.closed)
		err = e.journal.close()
	})
	return err
}

// SetFaults changes what goes wrong from now on.
func (e *Emulator) SetFaults(f Faults) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = f
}

func (e *Emulator) currentFaults() Faults {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.faults
}

// InFlight counts the API requests being handled and the webhooks being posted. A stepping clock moves
// only when it is 0.
func (e *Emulator) InFlight() int { return int(e.inFlight.Load()) }

// Texts returns up to max texts that were delivered after the one whose Delivery is after, in the
// order of delivery. The order is in the journal: it is the same after a restart.
func (e *Emulator) Texts(after int64, max int) []Text {
	e.mu.Lock()
	defer e.mu.Unlock()
	if after < 0 || after >= int64(len(e.book.deliveries)) || max <= 0 {
		return nil
	}
	list := e.book.deliveries[after:]
	list = list[:min(max, len(list))]
	out := make([]Text, len(list))
	for i, t := range list {
		out[i] = t.public()
	}
	return out
}

// accept makes a text, either way, durable and then visible. lag is how long lists do not know it.
func (e *Emulator) accept(l line, lag time.Duration) (*text, error) {
	l.At = e.cfg.Now().UnixMilli()
	e.mu.Lock()
	l.Seq = int64(len(e.book.texts)) + 1
	l.SID = sid(e.book.sidKey, l.Seq)
	if l.Kind == kindText {
		e.delivery.plan(e.cfg.Seed, &l, len(e.book.byNumber[l.To]))
	}
	pos := e.journal.append(l)
	t, err := e.book.apply(l)
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := e.journal.reach(pos, true); err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.book.publish(t)
	e.schedule(t)
	if lag > 0 {
		t.lagging = true
		time.AfterFunc(lag, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			t.lagging = false
		})
	}
	e.mu.Unlock()
	e.rouse()
	return t, nil
}

// rouse tells Run that something may be due earlier than it thinks.
func (e *Emulator) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// sid ends in the number of the text, so that finding it needs no table.
func sid(key string, seq int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", key, seq))
	return "SM" + hex.EncodeToString(sum[:12]) + fmt.Sprintf("%08x", uint32(seq))
}

// event is one thing that is due: the next status of a text, or a webhook if hook is set.
type event struct {
	due, seq int64
	hook     hook
}

type events []event

func (h events) Len() int { return len(h) }

func (h events) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.due != b.due:
		return a.due < b.due
	case a.seq != b.seq:
		return a.seq < b.seq
	}
	return a.hook < b.hook
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(event)) }

func (h *events) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

func (e *Emulator) push(ev event) { heap.Push(&e.events, ev) }

func (e *Emulator) schedule(t *text) {
	if at, _, ok := t.next(); ok {
		e.push(event{due: at, seq: t.seq})
	}
}

// Next is the civil instant at which the next event is due; false if nothing is.
func (e *Emulator) Next() (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.events) == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(e.events[0].due).UTC(), true
}

// errand is the webhooks to post for one text, one after the other.
type errand struct {
	text  *text
	hooks []hook
}

// Tick does everything that is due at now and returns when the webhooks are answered, given up, or ctx
// is done; those that ctx cut short are due again at once.
func (e *Emulator) Tick(ctx context.Context, now time.Time) error {
	e.tick.Lock()
	defer e.tick.Unlock()
	for ctx.Err() == nil {
		errands, any := e.due(now.UnixMilli())
		if !any {
			break
		}
		// Written before it is told: after kill -9 nobody may know a status that we do not.
		if err := e.journal.reach(e.journal.end(), false); err != nil {
			e.inFlight.Add(-int64(len(errands)))
			return err
		}
		e.run(ctx, errands)
	}
	if err := e.journal.reach(e.journal.end(), false); err != nil {
		return err
	}
	return ctx.Err()
}

// due applies the statuses that are due and returns the webhooks to post, counted as in flight.
func (e *Emulator) due(now int64) (errands []errand, any bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	where := map[int64]int{}
	for len(e.events) > 0 && e.events[0].due <= now {
		ev := heap.Pop(&e.events).(event)
		any = true
		t := e.book.texts[ev.seq-1]
		hooks := []hook{ev.hook}
		if ev.hook == 0 {
			at, s, ok := t.next()
			if !ok || at != ev.due {
				continue // canceled, or sent early, in the meantime
			}
			hooks = e.advance(t, s, at)
			e.schedule(t)
		}
		for _, h := range hooks {
			if t.owed&h == 0 {
				continue
			}
			i, ok := where[t.seq]
			if !ok {
				i = len(errands)
				where[t.seq] = i
				errands = append(errands, errand{text: t})
			}
			errands[i].hooks = append(errands[i].hooks, h)
		}
	}
	e.inFlight.Add(int64(len(errands)))
	return errands, any
}

// advance moves a text to a status and returns the webhooks to post now. e.mu is held.
func (e *Emulator) advance(t *text, s status, at int64) []hook {
	e.record(line{Kind: kindStatus, Seq: t.seq, Status: s, At: at})
	h := t.owed & s.hook()
	if h == 0 {
		return nil
	}
	nth := t.nth(h)
	struck := func(kind string) { e.record(line{Kind: kindFault, Fault: kind}) }
	switch f := e.faults; {
	case chance(e.cfg.Seed, "drop", nth) < f.CallbackDrop:
		struck(StruckDrop)
		e.record(line{Kind: kindCallback, Seq: t.seq, Status: s, Result: "dropped"})
		return nil
	case s == sent && chance(e.cfg.Seed, "reorder", nth) < f.CallbackReorder:
		struck(StruckReorder)
		e.push(event{due: t.planDone + 1, seq: t.seq, hook: h})
		return nil
	case chance(e.cfg.Seed, "twice", nth) < f.CallbackTwice:
		struck(StruckTwice)
		return []hook{h, h}
	}
	return []hook{h}
}

// record appends a line and applies it. e.mu is held.
func (e *Emulator) record(l line) {
	e.journal.append(l)
	if _, err := e.book.apply(l); err != nil {
		panic(err) // the emulator wrote a line that it cannot read back
	}
}

// parallel bounds the webhooks in flight. It is far more than a two-core machine can answer at once.
const parallel = 16

func (e *Emulator) run(ctx context.Context, errands []errand) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, r := range errands {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots; e.inFlight.Add(-1) }()
			for i, h := range r.hooks {
				if i == 0 || h != r.hooks[i-1] {
					e.forge(ctx, r.text, h)
				}
				_ = e.settle(ctx, r.text, h) // it logs, and puts back what ctx cut off
			}
		})
	}
	wg.Wait()
}

// Run is Tick by the civil clock, until ctx is done.
func (e *Emulator) Run(ctx context.Context) error {
	// A look at least this often, for clocks that do not run at the pace of timers.
	const glance = 250 * time.Millisecond
	timer := time.NewTimer(glance)
	defer timer.Stop()
	for {
		now := e.cfg.Now()
		if err := e.Tick(ctx, now); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wait := glance
		if next, ok := e.Next(); ok {
			wait = min(glance, max(next.Sub(now), time.Millisecond))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-e.closed:
			return nil
		case <-e.wake:
		case <-timer.C:
		}
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
