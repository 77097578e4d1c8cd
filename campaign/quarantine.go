package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
)

// ErrQuarantined keeps back what must not happen while nobody knows what a restored database has forgotten.
var ErrQuarantined = errors.New("sending waits: the database may have forgotten texts that left")

// Reason is what made a quarantine begin.
type Reason string

// The reasons.
const (
	Restored      Reason = "restored" // wellpaced restore says so itself
	OlderDatabase Reason = "marker"   // the database is older than the marker beside it, or than the witness in the keys folder
	JournalAhead  Reason = "journal"  // the database has not taken in what it said it had, or the journal has lost what it had
	OtherServer   Reason = "server"   // Postgres: a standby took over, or the database lies on another server
	ProviderKnows Reason = "provider" // the provider has texts that the database does not know
)

// Reasons lists them.
var Reasons = []Reason{Restored, OlderDatabase, JournalAhead, OtherServer, ProviderKnows}

func (r Reason) words() string {
	switch r {
	case JournalAhead:
		return "the database and the journal beside it do not belong to the same moment"
	case OtherServer:
		return "another database server has taken over, and may not have the last texts"
	case ProviderKnows:
		return "the provider has texts that this database does not know"
	}
	return "the database was restored from a backup"
}

// Gap is what nothing can bring back. A person has to accept it before anybody is texted.
type Gap struct {
	Journal  string // "provider" for texts that its record hides
	Why      string
	From, To time.Time // machine time
	Records  int64     // at least; 0 if nobody knows
}

// ofProvider is the name of a gap in the provider's record.
const ofProvider = "provider"

// String says what is missing, for whoever has to accept it.
func (g Gap) String() string {
	const layout = "2 Jan 2006 15:04:05 MST"
	from := "the beginning"
	if !g.From.IsZero() {
		from = g.From.UTC().Format(layout)
	}
	one, many := "journal record (a form or an opt-out)", "journal records (forms and opt-outs)"
	if g.Journal == ofProvider {
		one, many = "text, whose number and body the provider's record hides,", "texts, whose numbers and bodies the provider's record hides,"
	}
	what := fmt.Sprintf("%d %s are missing", g.Records, many)
	switch g.Records {
	case 0:
		what = "nobody knows whether " + many + " are missing"
	case 1:
		what = "1 " + one + " is missing"
	}
	return fmt.Sprintf("%s between %s and %s: %s", what, from, g.To.UTC().Format(layout), g.Why)
}

// Halt is a quarantine as people see it. The zero Halt is none.
type Halt struct {
	ID     string
	Reason Reason
	Since  time.Time // machine time
	Gaps   []Gap     // that nobody has accepted yet
	Away   int       // journals that have not told what they hold
}

// On tells whether sending waits.
func (h Halt) On() bool { return h.ID != "" }

// Sentence says why sending waits and what ends it; "" if it does not wait.
func (h Halt) Sentence() string {
	if !h.On() {
		return ""
	}
	s := "Sending waits: " + h.Reason.words() + ". "
	if len(h.Gaps) == 0 {
		return s + "It goes on by itself once the provider has told which texts left."
	}
	all := make([]string, len(h.Gaps))
	for i, g := range h.Gaps {
		all[i] = g.String()
	}
	return s + strings.Join(all, "; ") + ". Whoever runs this system has to accept that, with: wellpaced restore --accept-gap"
}

// QuarantineStore is the store's side of coming back from a restored backup.
type QuarantineStore interface {
	// Examine compares the database with all that is remembered of it elsewhere, and begins a quarantine if it has forgotten something.
	// It tells how things stand. After a quarantine that somebody else has ended, it trusts the database again.
	Examine(ctx context.Context) (Halt, error)
	// Forgotten counts the texts of the provider's list that the database ought to know and does not. late are those of attempts that it
	// knows and had given up: nothing is forgotten, and they are evidence.
	Forgotten(ctx context.Context, all []Listed) (n int, late []Listed, err error)
	// Begin begins a quarantine, unless one is under way.
	Begin(ctx context.Context, why Reason) error
	// Rejoin takes in what this process's own journal has beyond the database, and notes that it has told all, or what is missing.
	Rejoin(ctx context.Context, id string) error
	Lead(ctx context.Context, holder string, lease time.Duration) (epoch int64, ok bool, err error)
	// Doubt makes unknown, in chunks, every message that could have left without this database knowing.
	Doubt(ctx context.Context) error
	// Adopted takes texts of the provider's list: as evidence for their messages, or into the contact ledger if their tokens are not ours
	// any more. It tells which of them hide whose they are.
	Adopted(ctx context.Context, all []Listed) (hidden []Listed, err error)
	// Miss notes a gap that a person has to accept.
	Miss(ctx context.Context, epoch int64, id string, g Gap) error
	// Complete tells whether every journal has told what it holds, and every gap is accepted. A journal that stays away becomes a gap
	// after that long.
	Complete(ctx context.Context, epoch int64, id string, away time.Duration) (bool, error)
	// ClearDoubts plans again what two complete listings did not show, in chunks.
	ClearDoubts(ctx context.Context, epoch int64) error
	// Trust ends the quarantine: what is remembered elsewhere follows this database from here on.
	Trust(ctx context.Context, epoch int64) error
}

// Recorder reads the provider's record. An error means that it is not complete.
type Recorder interface {
	// Newest gives one page of the newest texts.
	Newest(ctx context.Context) ([]Listed, error)
	ListAll(ctx context.Context, each func(Listed) error) error
}

// Quarantine watches whether the database has forgotten something, and keeps it from sending until it has learned what left.
type Quarantine struct {
	Store QuarantineStore
	// Record is nil where nothing can be sent.
	Record Recorder
	// Leads is set where the process may lead: one of them runs the quarantine, all others join it.
	Leads   bool
	Holder  string
	Log     *slog.Logger
	Machine func() time.Time
	Settle  time.Duration // between the two listings
	Away    time.Duration // how long a process may stay away; 0 means DefaultAway
	// Open is told whether this process may send. The claims ask the database themselves; this spares them the asking.
	Open func(bool)

	audit  audit
	said   string
	saidAt time.Time
}

// audit is the comparison with the provider's newest texts.
type audit struct {
	done, begun, gaveUp bool
	first, next         time.Time // machine time
}

const (
	// DefaultAway is how long a quarantine waits for a process whose journal has not told what it holds.
	DefaultAway = 10 * time.Minute
	lookEvery   = time.Second
	// auditPatience is how long a start waits for the provider's newest texts. A provider that cannot list can hardly be sent to, and its
	// outage must not stop a database that nothing else speaks against; it is asked on in the background.
	auditPatience = 30 * time.Second
	auditAgain    = 30 * time.Second
	auditTimeout  = 10 * time.Second
	sayAgain      = time.Minute
	adoptAtOnce   = 200 // listed texts in one transaction
)

// Run watches until ctx ends.
func (q *Quarantine) Run(ctx context.Context) error {
	for {
		q.Tick(ctx)
		if !wait(ctx, lookEvery) {
			return nil
		}
	}
}

// Tick looks once. If there is a quarantine and this process leads, it returns when that is over.
func (q *Quarantine) Tick(ctx context.Context) {
	h, err := q.Store.Examine(ctx)
	if err != nil {
		q.warn(ctx, "see whether the database has forgotten something", err) // a claim asks by itself
		return
	}
	if !h.On() && !q.audited(ctx) {
		return
	}
	if !h.On() {
		if h, err = q.Store.Examine(ctx); err != nil || !h.On() {
			if err == nil && q.Open != nil {
				q.Open(true)
			}
			return
		}
	}
	if q.Open != nil {
		q.Open(false)
	}
	q.say(h)
	if err := q.Store.Rejoin(ctx, h.ID); err != nil {
		q.warn(ctx, "take in what the journal holds", err)
		return
	}
	if !q.Leads || q.Record == nil {
		return
	}
	if err := q.lead(ctx, h); err != nil {
		q.warn(ctx, "learn what left; it is tried again", err)
	}
}

func (q *Quarantine) warn(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		q.Log.Warn(what, "error", err)
	}
}

// say logs why sending waits, when that changes and once a minute.
func (q *Quarantine) say(h Halt) {
	now := q.Machine()
	if s := h.Sentence(); s != q.said || now.Sub(q.saidAt) >= sayAgain {
		q.said, q.saidAt = s, now
		q.Log.Warn(s, "reason", string(h.Reason), "gaps", len(h.Gaps), "journals_away", h.Away)
	}
}

// audited compares the database with the provider's newest texts, once for each start, and tells whether sending need not wait for that
// any more. It is what catches a whole machine that was restored, data, keys and all.
func (q *Quarantine) audited(ctx context.Context) bool {
	a, now := &q.audit, q.Machine()
	if q.Record == nil || a.done {
		return true
	}
	if !a.begun {
		a.begun, a.first = true, now
	}
	if now.Before(a.next) {
		return a.gaveUp
	}
	all, err := q.newest(ctx)
	var forgotten int
	var late []Listed
	if err == nil {
		forgotten, late, err = q.Store.Forgotten(ctx, all)
	}
	if err == nil && len(late) > 0 {
		_, err = q.Store.Adopted(ctx, late)
	}
	if err == nil && forgotten > 0 {
		q.Log.Error("the provider has texts that the database does not know", "texts", forgotten)
		err = q.Store.Begin(ctx, ProviderKnows)
	}
	if err == nil {
		a.done = true
		return true
	}
	if now = q.Machine(); !a.gaveUp && now.Sub(a.first) >= auditPatience {
		a.gaveUp = true
		q.Log.Warn("the provider does not tell its newest texts. Sending begins without that look, since nothing else speaks against it; it is made up for later", "error", err)
	}
	if a.gaveUp {
		a.next = now.Add(auditAgain)
		return true
	}
	q.warn(ctx, "ask the provider for its newest texts again", err)
	return false
}

func (q *Quarantine) newest(ctx context.Context) ([]Listed, error) {
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	return q.Record.Newest(ctx)
}

var errNotLeading = errors.New("another process leads now")

// lead runs the quarantine if this process leads, and gives up when it does not any more.
func (q *Quarantine) lead(ctx context.Context, h Halt) error {
	epoch, leads, err := q.Store.Lead(ctx, q.Holder, leaderLease)
	if err != nil || !leads {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		for wait(ctx, leaderLease/3) {
			now, leads, err := q.Store.Lead(ctx, q.Holder, leaderLease)
			if err == nil && (!leads || now != epoch) {
				stop(errNotLeading)
			}
		}
	}()
	if err := q.learn(ctx, h, epoch); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}

func (q *Quarantine) learn(ctx context.Context, h Halt, epoch int64) error {
	if err := q.Store.Doubt(ctx); err != nil {
		return fmt.Errorf("put messages in doubt: %w", err)
	}
	for look := range looks {
		if look > 0 && !wait(ctx, q.Settle) {
			return ctx.Err()
		}
		hidden, n, err := q.list(ctx)
		if err != nil {
			return fmt.Errorf("read the provider's record: %w", err)
		}
		q.Log.Info("read the provider's record", "texts", n, "hidden", hidden.Records, "listing", look+1)
		if hidden.Records > 0 {
			if err := q.Store.Miss(ctx, epoch, h.ID, hidden); err != nil {
				return fmt.Errorf("note hidden texts: %w", err)
			}
		}
	}
	for {
		now, err := q.Store.Examine(ctx)
		if err != nil {
			return fmt.Errorf("see what is missing: %w", err)
		}
		if now.ID != h.ID {
			return nil // another process has ended it
		}
		complete, err := q.Store.Complete(ctx, epoch, h.ID, q.Away)
		if err != nil {
			return fmt.Errorf("see which journals are missing: %w", err)
		}
		if complete {
			break
		}
		q.say(now)
		if !wait(ctx, lookEvery) {
			return ctx.Err()
		}
	}
	if err := q.Store.ClearDoubts(ctx, epoch); err != nil {
		return fmt.Errorf("plan again what never left: %w", err)
	}
	if err := q.Store.Trust(ctx, epoch); err != nil {
		return fmt.Errorf("end the quarantine: %w", err)
	}
	q.Log.Info("the quarantine is over: it is known what left", "began", h.Since)
	return nil
}

// list reads the whole record once.
func (q *Quarantine) list(ctx context.Context) (hidden Gap, n int, err error) {
	var batch []Listed
	adopt := func() error {
		secret, err := q.Store.Adopted(ctx, batch)
		batch = batch[:0]
		for _, l := range secret {
			if hidden.Records == 0 || l.At.Before(hidden.From) {
				hidden.From = l.At
			}
			if l.At.After(hidden.To) {
				hidden.To = l.At
			}
			hidden.Records++
		}
		return err
	}
	err = q.Record.ListAll(ctx, func(l Listed) error {
		n++
		if batch = append(batch, l); len(batch) < adoptAtOnce {
			return nil
		}
		return adopt()
	})
	if err == nil {
		err = adopt()
	}
	hidden.Journal, hidden.Why = ofProvider, "message redaction and number obfuscation are on at the provider; nobody can tell whom they went to"
	return hidden, n, err
}

// TokenIn gives the token of a listed text; the zero token if there is none.
func (l Listed) TokenIn() link.Token {
	if all := link.In(l.Body); len(all) > 0 {
		return all[0]
	}
	return link.Token{}
}

// wait sleeps unless ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
