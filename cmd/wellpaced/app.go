package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wellpaced/wellpaced/campaign"
	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/campaign/queue"
	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/api"
	"github.com/wellpaced/wellpaced/selfrefer"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/form"
	"github.com/wellpaced/wellpaced/selfrefer/hook"
	"github.com/wellpaced/wellpaced/selfrefer/mail"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/store"
)

// options are what serve and demo both need to start.
type options struct {
	settings
	Listen         string
	PublicURL      string
	Redis          string
	Web            bool
	Worker         bool
	Pacer          bool
	TrustedProxies []string
	Gateway        twilio.Config
	PreviousToken  string
	// Rate is what the sender may do, in segments per second of machine time.
	Rate float64
	// Settle and Again are the reconciler's; 0 means its defaults.
	Settle, Again time.Duration
	// Now is civil time; nil means the machine's. A demo steps it and calls Pacer.Tick itself.
	Now     func() time.Time
	Stepped bool
	// Machine is machine time; nil means this computer's clock. Only tests set it, and wrap: it may put something between the parts
	// before they run, to end the process at a named point.
	Machine func() time.Time
	wrap    func(*app)
	// Ballast is in bytes; see store.Config.
	Ballast int64
	// Idle is the in-process queue's; see queue.Config.
	Idle time.Duration
	// Metrics is the listener of /metrics; "" means none.
	Metrics string
	// Provider signs staff in, and Demo asks nobody for a second factor; see referdesk.Config.
	Provider referdesk.Provider
	Demo     bool
	// SMTP is the server for mails to staff; the zero value is none.
	SMTP mail.Config
	Log  *slog.Logger
}

// app is everything in one process. A test starts it as main does.
type app struct {
	options
	db       *store.DB
	gateway  *twilio.Gateway
	queue    *queue.Queue
	pacer    *campaign.Pacer
	worker   *campaign.Dispatcher
	settler  *campaign.Reconciler
	sweeper  *campaign.Sweeper
	receiver *selfrefer.Receiver
	hooks    *hook.Sender
	outlooks outlooks
	listener net.Listener
	handler  http.Handler
	patient  *form.Handler
	workers  *referdesk.Handler
	managers *campaigndesk.Handler
	pages    []interface{ Close() } // wait for what goes on behind their responses
	ready    chan struct{}          // closed once it was safe to send for the first time
	safe     atomic.Bool            // it is now; a quarantine may begin at any time
	openings atomic.Int64           // how often it has become so
	guard    *campaign.Quarantine
	mailer   *selfrefer.Mailer // nil: nobody is mailed
	mailing  referdesk.Mailing
	pretend  *mail.Pretend // in a demo

	ringing   sync.WaitGroup // for texts that answer somebody, on a Redis of its own
	noGateway bool
	restless  bool // the clock was set; only the reconciler's loop touches it
}

// open builds the app; nothing runs yet but the listener is bound.
func open(ctx context.Context, o options) (_ *app, err error) {
	a := &app{options: o, ready: make(chan struct{})}
	var elapsed func() time.Duration
	if a.Now == nil {
		a.Now = time.Now
		began := time.Now()
		elapsed = func() time.Duration { return time.Since(began) } // goes by the part of the clock that cannot be set
	}
	if a.Machine == nil {
		a.Machine = time.Now
	}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	a.db, err = store.Open(ctx, store.Config{Database: o.Database, DataDir: o.Data, Keys: o.Keys, Now: a.Now, Machine: a.Machine, Elapsed: elapsed,
		Ballast: o.Ballast, Logger: o.Log.With("comp", "store"), Serve: true})
	if err != nil {
		return nil, err
	}
	if o.Settle > 0 {
		a.db.Settle = o.Settle
	}
	if a.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", o.Listen, err)
	}
	if a.PublicURL == "" {
		a.PublicURL = "http://" + a.listener.Addr().String()
	}
	if err := a.openMail(); err != nil {
		return nil, err
	}
	o.Gateway.PublicURL, o.Gateway.Machine = a.PublicURL, a.Machine
	sends := o.Gateway.BaseURL != ""
	if !sends {
		// Without a gateway the site still takes lists, forms and calls; nothing is sent.
		a.Worker, a.Pacer, a.noGateway = false, false, true
		o.Gateway.BaseURL = "http://127.0.0.1:9"
		o.Gateway.AccountSID, o.Gateway.AuthToken, o.Gateway.From = "none", "none", "none"
	}
	if a.gateway, err = twilio.New(o.Gateway); err != nil {
		return nil, err
	}
	a.Gateway = o.Gateway
	if a.queue, err = queue.Open(queue.Config{Redis: o.Redis, Concurrency: o.Gateway.Concurrency, Idle: o.Idle, Log: o.Log.With("comp", "queue")}); err != nil {
		return nil, err
	}
	a.pacer = &campaign.Pacer{Store: a.db, Bell: a.queue, Holder: holder(o.Database), Machine: a.Machine, Log: o.Log.With("comp", "pacer"), Quarantined: func() bool {
		code, _ := a.db.Stopped()
		return code != "" || !a.isReady()
	}}
	a.worker = &campaign.Dispatcher{Claims: a.db, Sender: a.gateway, Rate: a.queue.Rate(o.Rate), Log: o.Log.With("comp", "worker")}
	a.settler = &campaign.Reconciler{Store: a.db, Lister: a.gateway, Log: o.Log.With("comp", "reconciler"), Settle: o.Settle, Again: o.Again}
	a.sweeper = &campaign.Sweeper{Store: a.db, Fetcher: a.gateway, Lister: a.gateway, Log: o.Log.With("comp", "reconciler")}
	if a.settler.Settle == 0 {
		a.settler.Settle = campaign.DefaultSettle
	}
	if a.settler.Again == 0 {
		a.settler.Again = campaign.DefaultAgain
	}
	a.guard = &campaign.Quarantine{Store: a.db, Leads: a.Pacer, Holder: a.pacer.Holder, Machine: a.Machine, Log: o.Log.With("comp", "quarantine"), Settle: a.settler.Settle, Open: a.allow}
	if sends {
		a.guard.Record = record{a.gateway}
	}
	a.receiver = &selfrefer.Receiver{Keeper: a.db, Undoer: a.db, Now: a.Now}
	a.hooks = hook.New(hook.Config{Outbox: a.db, Site: a.PublicURL, Machine: a.Machine, Log: o.Log.With("comp", "webhooks"), Loopback: a.Demo})
	a.db.ContactBy, a.db.Ring = a.contactBy, a.ring
	if a.wrap != nil {
		a.wrap(a)
	}
	if a.handler, err = a.routes(); err != nil {
		return nil, err
	}
	return a, nil
}

// holder names this process in the leader's lease, for people who look and unlike any other. A SQLite file is served by one process at a time, which its lock sees to: whoever has the
// lock need not wait for the lease of one that was killed.
func holder(database string) string {
	if strings.HasPrefix(database, "postgres") {
		host, err := os.Hostname()
		if err != nil {
			host = "a computer without a name"
		}
		return fmt.Sprintf("%s, process %d (%s)", host, os.Getpid(), rand.Text()[:8])
	}
	return "the one that serves"
}

// allow lets this process send, or keeps it from sending. Only the guard calls it.
func (a *app) allow(safe bool) {
	if was := a.safe.Swap(safe); safe && !was {
		a.openings.Add(1)
		select {
		case <-a.ready:
		default:
			close(a.ready)
		}
	}
}

func (a *app) isReady() bool { return a.safe.Load() }

// contactBy is the honest date of the confirmation page, from the pacer's own forecast; no date if it cannot be had now.
func (a *app) contactBy(team staff.TeamID, now time.Time) time.Time {
	at, err := a.outlooks.contactBy(team, now, a.db.Snapshot)
	if err != nil {
		a.Log.Warn("forecast a first contact", "comp", "pacer", "error", err)
	}
	return at
}

// ring rings for a text that answers somebody. On a Redis of its own they do not wait for that: it may be slow, or away. A ring that is lost
// is made up for by the pacer's repair.
func (a *app) ring(r campaign.Ring) {
	ring := func() {
		if err := a.queue.Ring(context.Background(), []campaign.Ring{r}); err != nil {
			a.Log.Warn("ring for a text that answers somebody; it is rung again", "comp", "queue", "error", err)
		}
	}
	if a.Redis == "" {
		ring()
		return
	}
	a.ringing.Go(ring)
}

// routes builds the whole site in one place.
func (a *app) routes() (http.Handler, error) {
	pages, err := ui.New(ui.Config{PublicURL: a.PublicURL, Logger: a.Log.With("comp", "ui")})
	if err != nil {
		return nil, err
	}
	secure := false
	if u, err := url.Parse(a.PublicURL); err == nil {
		secure = u.Scheme == "https"
	}
	patient, err := form.New(form.Config{Receiver: a.receiver, Links: a.db, Drafts: a.db, Sending: a.db.Sending, Around: a.db, UI: pages, Now: a.Now, Machine: a.Machine,
		Log: a.Log.With("comp", "form"), ClientIP: clientIP, Secure: secure, Alone: a.Database == ""})
	if err != nil {
		return nil, err
	}
	about, err := api.Page()
	if err != nil {
		return nil, err
	}
	workers, err := referdesk.New(referdesk.Config{Store: a.db, UI: pages, Nav: nav, Now: a.Now, Machine: a.Machine, Log: a.Log.With("comp", "desk"), ClientIP: clientIP, Secure: secure,
		PublicURL: a.PublicURL, Provider: a.Provider, Demo: a.Demo, Pacing: a.pacing, About: about, Mail: a.mailing})
	if err != nil {
		return nil, err
	}
	managers, err := campaigndesk.New(campaigndesk.Config{Store: a.db, UI: pages, Nav: nav, Now: a.Now, Log: a.Log.With("comp", "desk"), Live: !isLoopback(a.Gateway.BaseURL),
		Stopped: a.stopped, Machinery: a.machinery, Alerts: workers.Alerts, Explain: explain})
	if err != nil {
		return nil, err
	}
	a.pages = append(a.pages, patient, managers)
	hooks, err := twilio.Webhooks(twilio.WebhookConfig{PublicURL: a.PublicURL, AuthToken: a.Gateway.AuthToken, PreviousToken: a.PreviousToken, Receipts: a.db,
		Inbox: inbox{a}, Now: a.Now, Log: a.Log.With("comp", "webhooks")})
	if err != nil {
		return nil, err
	}
	a.patient, a.workers, a.managers = patient, workers, managers
	return a.mux(pages, patient, workers, managers, hooks), nil
}

// inbox takes replies to texts.
type inbox struct{ a *app }

func (i inbox) Reply(ctx context.Context, r twilio.Reply) error {
	network, err := i.a.db.NetworkOfPhone(ctx, r.From)
	if err != nil {
		return err
	}
	return i.a.receiver.Reply(ctx, selfrefer.Reply{ID: r.SID, Network: network, From: r.From, Body: r.Body, Media: r.Media, Stop: r.Stop, Start: r.Start})
}

// record is the provider's, as the quarantine reads it.
type record struct{ *twilio.Gateway }

func (r record) ListAll(ctx context.Context, each func(campaign.Listed) error) error {
	return r.Gateway.ListAll(ctx, time.Time{}, each)
}

// intervals of the loops, in machine time.
const (
	paceEvery   = time.Minute
	shareEvery  = time.Minute
	leadEvery   = 5 * time.Second // a third of the lease: whoever takes over paces soon
	repairEvery = 10 * time.Second
	settleEvery = 5 * time.Second
	purgeEvery  = time.Hour
	hookEvery   = 5 * time.Second
	brokenEvery = 30 * time.Second // half of how long an import is silent before it is called broken
	stopWithin  = 40 * time.Second
)

// run serves until ctx ends. The site answers at once; sending waits until the guard has seen that the database has forgotten nothing.
func (a *app) run(ctx context.Context) error {
	started := a.Machine()
	if _, err := a.db.DrainJournal(ctx); err != nil {
		return fmt.Errorf("take in the journal: %w", err)
	}
	// The database learns at once that it has it all: only then can the guard tell a journal that is ahead of the database from one that
	// was put back with it.
	if err := a.db.Tick(); err != nil {
		return fmt.Errorf("note how far the journal is taken in: %w", err)
	}
	if err := a.db.DropBrokenImports(ctx, started); err != nil {
		return fmt.Errorf("drop broken imports: %w", err)
	}
	if err := a.db.Orphaned(ctx); err != nil {
		return fmt.Errorf("find what was being sent: %w", err)
	}
	if err := a.db.ResumeLaunches(ctx); err != nil {
		return fmt.Errorf("complete launches: %w", err)
	}
	// Loops end with ctx; the site stops last, so that callbacks for texts in hand still get in.
	site, stopSite := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSite()
	var serving, loops errgroup.Group
	if a.Web {
		server := &http.Server{Handler: a.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug)}
		serving.Go(func() error {
			if err := server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the site: %w", err)
			}
			return nil
		})
		serving.Go(func() error {
			<-site.Done()
			within, cancel := context.WithTimeout(context.Background(), stopWithin)
			defer cancel()
			return server.Shutdown(within)
		})
	}
	serving.Go(func() error { return a.db.Run(site) })
	serving.Go(func() error { return a.drain(site) })
	if a.Metrics != "" {
		serving.Go(func() error { return a.serveMetrics(site, a.Metrics) })
	}
	loops.Go(func() error { return a.guard.Run(ctx) })
	loops.Go(func() error { // whoever waits for a list is told, also while nothing may be sent
		return a.repeat(ctx, brokenEvery, "imports that broke off", func() error { return a.db.DropSilentImports(ctx) })
	})
	if a.mailer != nil && (a.Worker || a.Pacer || a.noGateway) {
		loops.Go(func() error { return a.mails(ctx) })
	}
	if a.Worker {
		loops.Go(func() error {
			if !a.waitReady(ctx) {
				return nil
			}
			return a.queue.Work(ctx, a.worker.Answer)
		})
		if a.Redis == "" { // the rings died with the process before; the first of them are answered while the last are rung
			loops.Go(func() error {
				if !a.waitReady(ctx) {
					return nil
				}
				if err := a.pacer.Rebuild(ctx); err != nil && ctx.Err() == nil {
					a.Log.Warn("fill the queue from the database; it is repaired later", "comp", "queue", "error", err)
				}
				return nil
			})
		}
	}
	if a.Pacer {
		if !a.Stepped {
			loops.Go(func() error { return a.pace(ctx) })
		}
		loops.Go(func() error {
			return a.every(ctx, repairEvery, "ring again", func() error {
				if a.stopped() != "" {
					return nil // nobody could answer
				}
				return a.pacer.Repair(ctx)
			})
		})
		loops.Go(func() error {
			return a.every(ctx, min(settleEvery, a.settler.Settle/3), "settle", func() error { return a.settle(ctx) })
		})
		loops.Go(func() error {
			return a.every(ctx, purgeEvery, "purge", func() error {
				_, err := a.db.PurgeDrafts(ctx)
				_, old := a.db.PurgeCorrections(ctx)
				_, past := a.db.PurgeSteps(ctx)
				_, told := a.db.PurgeMails(ctx)
				_, uploads := a.db.PurgeUploads(ctx)
				_, calls := a.db.PurgeCalls(ctx)
				return errors.Join(err, old, past, told, uploads, calls, a.db.RetireJournals(ctx))
			})
		})
		loops.Go(func() error {
			return a.every(ctx, purgeEvery, "index", func() error {
				_, err := a.db.IndexOld(ctx)
				return errors.Join(err, a.db.DrawUpReports(ctx))
			})
		})
	}
	if (a.Pacer || a.noGateway) && !a.Stepped { // people answer even where nothing can be sent to patients
		loops.Go(func() error {
			return a.every(ctx, shareEvery, "share the work", func() error { return a.share(ctx) })
		})
	}
	if a.Pacer || a.noGateway { // others are told even where nothing can be sent to patients
		loops.Go(func() error {
			return a.every(ctx, hookEvery, "webhooks", func() error { return a.hooks.Tick(ctx) })
		})
		loops.Go(func() error {
			return a.every(ctx, purgeEvery, "purge of what others were told", func() error {
				_, files := a.db.PurgePracticeFiles(ctx)
				_, told := a.db.PurgeOutbox(ctx)
				return errors.Join(files, told)
			})
		})
	}
	err := loops.Wait()
	if err == nil {
		<-ctx.Done()
	}
	if a.Pacer {
		a.resign()
	}
	stopSite()
	return errors.Join(err, serving.Wait())
}

// pace ticks the pacer every minute while this process leads, and at once when it takes over.
func (a *app) pace(ctx context.Context) error {
	var next time.Time // machine time
	var openings int64
	return a.every(ctx, leadEvery, "pace", func() error {
		_, leads, err := a.db.Lead(ctx, a.pacer.Holder, 15*time.Second)
		if err != nil || !leads {
			next = time.Time{}
			return err
		}
		if n := a.openings.Load(); n != openings { // a quarantine is over: nobody waits for the next minute
			openings, next = n, time.Time{}
		}
		if now := time.Now(); now.Before(next) {
			return nil
		}
		next = time.Now().Add(paceEvery)
		_, err = a.pacer.Tick(ctx, a.Now())
		return err
	})
}

// share hands over what nobody has claimed, in the teams that want it: of those that pace, the process that leads. One that has no gateway
// must not take the lead from them, and shares beside them: each hand-over asks everything again in its own transaction.
func (a *app) share(ctx context.Context) error {
	if a.Pacer {
		if _, leads, err := a.db.Lead(ctx, a.pacer.Holder, 15*time.Second); err != nil || !leads {
			return err
		}
	}
	_, err := a.db.ShareOut(ctx)
	return err
}

// settle looks for unknown texts while this process leads. After the clock was set they rest anew.
func (a *app) settle(ctx context.Context) error {
	epoch, leads, err := a.db.Lead(ctx, a.pacer.Holder, 15*time.Second)
	if err != nil || !leads {
		return err
	}
	if !a.db.Steady() {
		a.restless = true
		return nil
	}
	if a.restless {
		if err := a.db.Resettle(ctx, epoch); err != nil {
			return err
		}
		a.restless = false
	}
	return errors.Join(a.settler.Tick(ctx, epoch, a.Machine()), a.sweeper.Tick(ctx, a.Machine()))
}

// resign lets another process lead at once: this one stops in good order.
func (a *app) resign() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, _, err := a.db.Lead(ctx, a.pacer.Holder, 0); err != nil {
		a.Log.Warn("give up the lead; it runs out by itself", "comp", "pacer", "error", err)
	}
}

// drain brings home what only the journal could keep while the database refused; it costs nothing while nothing is owed.
func (a *app) drain(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	refuses := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			n, err := a.db.DrainJournal(ctx)
			switch {
			case err != nil && ctx.Err() == nil && !refuses:
				a.Log.Error("the database refuses what the journal keeps; it is tried again each second", "comp", "store", "error", err)
			case n > 0:
				a.Log.Info("the database has taken what the journal kept", "comp", "store", "records", n)
			}
			refuses = err != nil
		}
	}
}

func (a *app) waitReady(ctx context.Context) bool {
	select {
	case <-a.ready:
		return true
	case <-ctx.Done():
		return false
	}
}

// every is repeat, but not while a quarantine lasts.
func (a *app) every(ctx context.Context, d time.Duration, what string, step func() error) error {
	if !a.waitReady(ctx) {
		return nil
	}
	return a.repeat(ctx, d, what, func() error {
		if !a.isReady() {
			return nil
		}
		return step()
	})
}

// repeat runs a loop's step now and then until ctx ends. A step that fails is tried again: the next may succeed. That it fails is logged
// once, and that it succeeds again.
func (a *app) repeat(ctx context.Context, d time.Duration, what string, step func() error) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for failing := false; ; {
		err := step()
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			a.Log.Error("a loop's step did not succeed; it is tried again", "comp", what, "error", err)
		case err == nil && failing:
			a.Log.Info("a loop's step succeeds again", "comp", what)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *app) close() {
	if a.patient != nil {
		a.patient.Close()
	}
	if a.managers != nil {
		a.managers.Close()
	}
	for _, p := range a.pages {
		p.Close()
	}
	a.ringing.Wait()
	if a.queue != nil {
		a.queue.Close()
	}
	if a.gateway != nil {
		a.gateway.Close()
	}
	if a.listener != nil {
		_ = a.listener.Close() // the server closes it too
	}
	if a.db != nil {
		if err := a.db.Close(); err != nil {
			a.Log.Error("close the store", "error", err)
		}
	}
}

// isLoopback reports whether a URL points to this computer.
func isLoopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}
