package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/town"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

// demoCmd runs serve, a pretend Twilio and a made-up town. It takes no setting of a provider: there is none that it could reach.
type demoCmd struct {
	Data     string `env:"WELLPACED_DATA" default:"./demo-data" help:"Folder of the demo. One that holds a demo already goes on where it was."`
	Keys     string `env:"WELLPACED_KEYS" default:"./demo-keys" help:"Folder of its keys."`
	Database string `placeholder:"URL" help:"postgres://… of an empty database. Default: SQLite in the data folder."`
	Redis    string `placeholder:"URL" help:"redis://… Default: one inside this process."`
	Log      string `env:"WELLPACED_LOG" enum:"debug,info,warn,error" default:"warn" help:"What to log: ${enum}."`
	Listen   string `placeholder:"ADDRESS" help:"Address of the site, on this computer. Default: 127.0.0.1:8080."`
	Fresh    bool   `help:"Start over: throw away the demo in the data folder."`
	Empty    bool   `help:"Be the manager yourself: the town has staff and a patient list in a file, and no list is uploaded and no campaign made. Its time runs like ours until you launch a campaign, then at --speed until the report of the last texts' month can be read, and like ours again whenever a campaign is paused or waits for you."`

	Patients int      `placeholder:"N" help:"Rows of the made-up patient list. Default: 52000; with --empty 25000, who are texted before the list is 14 days old and wants a fresh one."`
	Seed     uint64   `placeholder:"N" help:"The same seed makes the same town. Default: 1."`
	Policy   string   `enum:",pacer,blast" default:"" placeholder:"NAME" help:"pacer, or blast: as fast as the sender can, to see what happens. Default: pacer."`
	World    string   `placeholder:"NAME" help:"Whose people the town has: how many answer, how fast, and when the news makes more of them answer. The team and the list stay the demo's. One of those of wellpaced simulate. Default: 21-five-workers."`
	Start    string   `placeholder:"TIME" help:"When the town's time starts. Default: 2026-06-01T08:00; with --empty 2026-06-08T08:00."`
	Days     *int     `placeholder:"N" help:"How many days of the town to live through, from the launch; with --empty from the first. Default: 42; with --empty until the report of the last texts' month can be read, on the fourth of the next."`
	Speed    *float64 `placeholder:"N" help:"Seconds of the town in one of ours; 0 is as fast as it can. Default: 15120, which makes six weeks of four minutes; with --empty 3600, an hour of the town a second."`
	Headless bool     `help:"As fast as it can, then print what became of it and end."`
	JSON     bool     `help:"Print the result as JSON."`
	Profile  string   `name:"cpuprofile" hidden:"" type:"path" help:"Write a CPU profile."`

	world sim.World `kong:"-"` // whose people the town has: the charter names it, unless a test has made one of its own
}

// charter is what a demo was founded with. It is the first file in its folder: what has none is not thrown away and not taken for a demo.
type charter struct {
	Seed     uint64    `json:"seed"`
	Patients int       `json:"patients"`
	Policy   string    `json:"policy"`
	World    string    `json:"world"`
	Start    time.Time `json:"start"`
	// Site and Phones are addresses. They are in texts that were sent and in callbacks that are owed, so they stay.
	Site     string `json:"site"`
	Phones   string `json:"phones"`
	Password string `json:"password"`
	// OwnKeys says that the folder of the keys was made for this demo, and may go with it.
	OwnKeys bool `json:"own_keys"`
	// Empty says that the manager sits at the keyboard: nothing is uploaded or launched but by them.
	Empty bool `json:"empty,omitempty"`
	Peak  int  `json:"peak_queue"` // the longest queue so far
}

const demoWorld = "21-five-workers"

// What the flags are when nobody sets them.
const (
	demoDays  = 42
	demoSpeed = 15120.
)

const demoAccount = "AC000000000000000000000000000decaf"

// demo is everything that runs.
type demo struct {
	*demoCmd
	std
	log       *slog.Logger
	charter   charter
	clock     *town.Clock
	phones    *emulator.Emulator
	screen    *http.Server // API and screen of the phones
	app       *app
	town      *town.Town
	residents atomic.Pointer[town.Town] // the same, for the phone screen, which may be looked at before
	home      settled
	running   errgroup.Group
	stop      context.CancelCauseFunc
	appDone   chan struct{} // closed when the site has ended

	paced time.Time // when the pacer is asked next
	steps int
	took  map[string]time.Duration // machine time, by what it was spent on
	shown time.Time                // progress, machine time
	day   string                   // shown last
	keys  keyboard                 // of an empty demo
}

func (c *demoCmd) Run(ctx context.Context, s std) (err error) {
	written, err := profile(c.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, written()) }()
	ctx, stop := context.WithCancelCause(ctx)
	d := &demo{demoCmd: c, std: s, stop: stop, took: map[string]time.Duration{}, log: settings{Log: c.Log}.logger(s.err)}
	defer func() {
		stop(nil)
		err = errors.Join(err, d.close(context.Cause(ctx)))
	}()
	if err := d.open(ctx); err != nil {
		return err
	}
	return d.run(ctx)
}

// site is where a browser finds the demo: by this computer's name, since browsers bind passkeys to names and not to figures.
func (d *demo) site() string {
	_, port, _ := net.SplitHostPort(d.charter.Site) // choosePort has read it
	return "http://" + net.JoinHostPort("localhost", port)
}

// open founds a demo, or opens the one that is there, and brings it to where the campaign runs.
func (d *demo) open(ctx context.Context) error {
	if err := d.found(); err != nil {
		return err
	}
	var err error
	if d.clock, err = town.OpenClock(d.dir(), d.charter.Start); err != nil {
		return err
	}
	// The token changes with each run: it proves the phones to the site and the site to the phones, and nobody else knows it.
	var token [16]byte
	_, _ = rand.Read(token[:]) // never fails
	auth := hex.EncodeToString(token[:])
	if err := d.openPhones(auth); err != nil {
		return err
	}
	gateway := twilio.Config{BaseURL: "http://" + d.charter.Phones, AccountSID: demoAccount, AuthToken: auth, From: demoNetwork.Sender, Concurrency: 48}
	if !isLoopback(gateway.BaseURL) {
		return errors.New("the demo's texts would leave this computer; that is a mistake in the program")
	}
	d.app, err = open(ctx, options{
		settings: settings{Data: d.Data, Keys: d.Keys, Database: d.Database, Log: d.Log}, Listen: d.charter.Site, PublicURL: d.site(), Redis: d.Redis, Web: true, Worker: true, Pacer: true,
		Gateway: gateway, Rate: 1e6, // the pacer's limits are civil; the machine sends as fast as it can
		// These phones have no faults and list at once what they accepted. A real provider may be minutes late with both.
		Settle: 2 * time.Second, Again: time.Second,
		Now: d.clock.Now, Stepped: true, Idle: 5 * time.Millisecond, Log: d.log, Demo: true,
	})
	if err != nil {
		return err
	}
	d.appDone = make(chan struct{})
	d.running.Go(func() error {
		defer close(d.appDone)
		err := d.app.run(ctx)
		if err != nil {
			d.stop(err)
		}
		return err
	})
	if !d.app.waitReady(ctx) {
		return context.Cause(ctx)
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	if d.world.Name == "" {
		if d.world, err = sim.LoadWorld(cmp.Or(d.charter.World, demoWorld)); err != nil { // a demo of old has none in its charter
			return err
		}
	}
	d.town, err = town.Open(town.Config{Dir: d.dir(), Site: d.app.PublicURL, Seed: d.charter.Seed, Patients: d.charter.Patients, Practices: demoNetwork.Practices,
		Today: d.charter.Start, World: d.world, Team: d.home.team, Hands: d.home.hands, Manager: d.home.manager, Campaign: d.home.campaign, Phones: d.phones, Visitors: !d.Headless, Log: d.log.With("comp", "town")})
	d.residents.Store(d.town)
	return err
}

func (d *demo) dir() string         { return filepath.Join(d.Data, "town") }
func (d *demo) charterPath() string { return filepath.Join(d.dir(), "demo.json") }

// found reads the charter or writes a new one.
func (d *demo) found() error {
	if d.Empty {
		if err := d.emptyAlone(); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(d.charterPath())
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the demo's folder: %w", err)
	}
	if !there {
		if files, _ := os.ReadDir(d.Data); len(files) > 0 {
			return usageError{fmt.Errorf("%s holds something that is no demo; give the demo a folder of its own with --data", d.Data)}
		}
	}
	if there {
		if err := json.Unmarshal(b, &d.charter); err != nil {
			return fmt.Errorf("read %s: %w", d.charterPath(), err)
		}
		if !d.Fresh {
			return d.agree()
		}
		if err := d.raze(); err != nil {
			return err
		}
	}
	world := sim.World{Name: demoWorld}
	if d.World != "" {
		if world, err = sim.LoadWorld(d.World); err != nil {
			return usageError{err}
		}
	}
	c := charter{Seed: 1, Patients: 52_000, Policy: "pacer", World: world.Name, Site: "127.0.0.1:8080", Password: "demo-" + strings.ToLower(rand.Text()[:8]),
		Start: time.Date(2026, time.June, 1, 8, 0, 0, 0, town.London)}
	if d.Empty {
		c.Empty, c.Patients, c.Start = true, emptyPatients, emptyStart
	}
	if d.Seed != 0 {
		c.Seed = d.Seed
	}
	if d.Patients != 0 {
		c.Patients = d.Patients
	}
	if c.Patients < 1 || c.Patients > town.MostPatients {
		return usageError{fmt.Errorf("--patients must be between 1 and %d", town.MostPatients)}
	}
	if d.Policy != "" {
		c.Policy = d.Policy
	}
	if d.Listen != "" {
		c.Site = d.Listen
	}
	if !isLoopback("http://" + c.Site) {
		return usageError{errors.New("the demo is for this computer alone, and anybody may sign in to it: --listen must be an address like 127.0.0.1:8080")}
	}
	if d.Start != "" {
		if c.Start, err = time.ParseInLocation("2006-01-02T15:04", d.Start, town.London); err != nil {
			return usageError{errors.New("--start must be a time like 2026-06-01T08:00")}
		}
	}
	// Ports are chosen now and kept: the texts of this demo will hold them.
	if c.Site, err = choosePort(c.Site); err != nil {
		return err
	}
	if c.Phones, err = choosePort("127.0.0.1:0"); err != nil {
		return err
	}
	_, err = os.Stat(d.Keys)
	c.OwnKeys = errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(d.dir(), 0o700); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	d.charter = c
	return d.saveCharter()
}

// raze throws the old demo away. The charter goes last, so that a razing that was cut off can be taken up again.
func (d *demo) raze() error {
	if d.charter.OwnKeys {
		if err := os.RemoveAll(d.Keys); err != nil {
			return fmt.Errorf("throw away the old demo's keys: %w", err)
		}
	}
	for _, dir := range []string{d.Data, d.dir()} {
		files, err := os.ReadDir(dir)
		for _, f := range files {
			if path := filepath.Join(dir, f.Name()); path != d.dir() && path != d.charterPath() {
				err = errors.Join(err, os.RemoveAll(path))
			}
		}
		if err != nil {
			return fmt.Errorf("throw away the old demo: %w", err)
		}
	}
	return os.Remove(d.charterPath())
}

// agree refuses flags that say something else than the demo that is there.
func (d *demo) agree() error {
	if d.charter.Empty {
		if err := d.emptyAlone(); err != nil {
			return err
		}
	} else if d.Empty {
		return usageError{fmt.Errorf("the demo in %s was not started with --empty: it has a list and a campaign; leave --empty out to go on with it, or add --fresh to start over", d.Data)}
	}
	for _, f := range []struct {
		flag      string
		set       bool
		said, has any
	}{
		{"--seed", d.Seed != 0 && d.Seed != d.charter.Seed, d.Seed, d.charter.Seed},
		{"--patients", d.Patients != 0 && d.Patients != d.charter.Patients, d.Patients, d.charter.Patients},
		{"--world", d.World != "" && !strings.HasPrefix(cmp.Or(d.charter.World, demoWorld)+"-", d.World+"-"), d.World, cmp.Or(d.charter.World, demoWorld)},
		{"--policy", d.Policy != "" && d.Policy != d.charter.Policy, d.Policy, d.charter.Policy},
		{"--listen", d.Listen != "" && d.Listen != d.charter.Site && !strings.HasSuffix(d.Listen, ":0"), d.Listen, d.charter.Site},
	} {
		if f.set {
			return usageError{fmt.Errorf("the demo in %s was started with %s %v, not %v; leave %s out to go on with it, or add --fresh to start over", d.Data, f.flag, f.has, f.said, f.flag)}
		}
	}
	return nil
}

func (d *demo) saveCharter() error {
	b, err := json.MarshalIndent(d.charter, "", "  ")
	if err != nil {
		return fmt.Errorf("write the demo's charter: %w", err)
	}
	return town.ReplaceFile(d.charterPath(), append(b, '\n'), false) // kill -9 loses nothing of it
}

// choosePort fills in a port that is free now.
func choosePort(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w (another address: --listen 127.0.0.1:0)", address, err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// openPhones starts the pretend Twilio: its API, and the screen that shows what is on the phones.
func (d *demo) openPhones(auth string) (err error) {
	d.phones, err = emulator.Open(emulator.Config{Dir: d.dir(), AccountSID: demoAccount, AuthToken: auth, Now: d.clock.Now, Seed: d.charter.Seed,
		InboundURL: d.site() + twilio.InboundPath + "#rc=3&rp=all", Logger: d.log,
		Owner: func(number string) string {
			if t := d.residents.Load(); t != nil {
				return t.Owner(number)
			}
			return ""
		}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", d.charter.Phones)
	if err != nil {
		return fmt.Errorf("listen on %s, where the phones of this demo are: %w", d.charter.Phones, err)
	}
	d.screen = &http.Server{Handler: phoneScreen(d.phones), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	d.running.Go(func() error {
		if err := d.screen.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.stop(err)
			return fmt.Errorf("serve the phones: %w", err)
		}
		return nil
	})
	return nil
}

// close ends everything in the order in which it depends on each other. What made it end has been told already.
func (d *demo) close(told error) error {
	var errs []error
	if d.screen != nil {
		// The site ends first, with what it still has to send; nothing new comes once it has.
		d.running.Go(func() error {
			if d.appDone != nil {
				<-d.appDone
			}
			return d.screen.Close()
		})
	}
	if err := d.running.Wait(); !errors.Is(told, err) {
		errs = append(errs, err)
	}
	if d.town != nil {
		errs = append(errs, d.town.Close())
	}
	if d.phones != nil {
		errs = append(errs, d.phones.Close())
	}
	if d.app != nil {
		d.app.close()
	}
	return errors.Join(errs...)
}

// How often the pacer is asked, in civil time. In earnest it is every minute, but a tick costs some 15 ms and six weeks have 60,000 minutes;
// asking more often does not release more. A blast is asked as often as the sender's own limit needs: at most five minutes' worth of its
// rate is released at once.
const (
	paceOpen   = 10 * time.Minute
	paceBlast  = 5 * time.Minute
	paceClosed = time.Hour
	// grain is the smallest step of civil time: what is due within it happens together.
	grain = time.Minute
)

// paceAfter is when the pacer is asked again: often around the hours for texts, seldom outside them.
func paceAfter(now time.Time, every time.Duration) time.Time {
	now = now.In(town.London)
	y, m, day := now.Date()
	opens, closes := time.Date(y, m, day, 8, 30, 0, 0, town.London), time.Date(y, m, day, 18, 30, 0, 0, town.London)
	weekday := now.Weekday() != time.Saturday && now.Weekday() != time.Sunday
	if weekday && !now.Before(opens) && now.Before(closes) {
		return now.Truncate(every).Add(every)
	}
	next := now.Truncate(paceClosed).Add(paceClosed)
	if weekday && now.Before(opens) && next.After(opens) {
		return opens
	}
	return next
}

// run lives through the days, and then goes on for as long as somebody watches.
func (d *demo) run(ctx context.Context) error {
	if d.charter.Empty {
		d.welcomeManager()
		return d.ended(ctx, d.watched(ctx))
	}
	days := demoDays
	if d.Days != nil {
		days = *d.Days
	}
	end := d.home.launched.AddDate(0, 0, days)
	hurry := tempo{speed: demoSpeed, until: end}
	if d.Speed != nil {
		hurry.speed = *d.Speed
	}
	if d.Headless {
		hurry.speed = 0
	} else {
		d.welcome()
	}
	if err := d.live(ctx, hurry.always); err != nil {
		return d.ended(ctx, err)
	}
	if err := d.tellResult(ctx); err != nil {
		return err
	}
	if d.Headless {
		return nil
	}
	fmt.Fprintf(d.err, "The %d days are over. The town's time now runs like ours, and the pages stay open until you press Ctrl-C.\n", days)
	return d.ended(ctx, d.live(ctx, tempo{speed: 1, until: end.AddDate(10, 0, 0)}.always))
}

// tellResult prints what has become of the town so far.
func (d *demo) tellResult(ctx context.Context) error {
	fmt.Fprintln(d.err)
	if d.Profile != "" {
		fmt.Fprintln(d.err, "steps", d.steps, "time spent on", d.took)
	}
	r, err := d.report(ctx)
	if err != nil {
		return err
	}
	if err := r.print(d.out, d.JSON); err != nil {
		return err
	}
	if r.Twice > 0 {
		return fmt.Errorf("%d numbers were texted twice: this must never happen", r.Twice)
	}
	return nil
}

// ended tells Ctrl-C, which is how a demo ends, from what went wrong.
func (d *demo) ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if ctx.Err() != nil && !d.Headless {
		fmt.Fprintln(d.err, "\nThe demo stops. The same command goes on with it; --fresh starts over.")
		return nil
	}
	return err
}

// settleDoubts lets the clock stand until it is known what became of the texts that were being sent when an earlier run was killed: a text in
// hand takes seconds of ours, in which a town in haste would live through weeks.
func (d *demo) settleDoubts(ctx context.Context) error {
	for range 600 {
		t, err := d.app.db.Totals(ctx)
		if err != nil || t.Messages[campaign.Sending]+t.Messages[campaign.Unknown] == 0 {
			return err
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// tempo is how fast the town's time runs: seconds of the town in one of ours, 0 for as fast as it can. Until then it does.
type tempo struct {
	speed float64
	until time.Time
	// steady time takes nothing that took long, such as many texts, as a reason to make up for it.
	steady bool
	why    string // it runs like ours, for people; "" if it does not, or nobody need know
}

func (p tempo) always(context.Context, time.Time) (tempo, error) { return p, nil }

// metronome keeps a tempo.
type metronome struct {
	began time.Time // machine time
	from  time.Time // the town's, then
	speed float64
}

// at begins anew at another speed: what was lived through before is neither caught up with nor waited for.
func (m *metronome) at(now time.Time, p tempo) {
	if p.speed != m.speed {
		m.began, m.from, m.speed = time.Now(), now, p.speed
	}
}

// wait is how long of ours it is until the town's next moment; not above 0 if it is late.
func (m *metronome) wait(next time.Time, p tempo) time.Duration {
	if m.speed <= 0 {
		return 0
	}
	wait := time.Duration(float64(next.Sub(m.from))/m.speed) - time.Since(m.began)
	if wait < 0 && p.steady {
		m.began, m.from = time.Now(), next
	}
	return wait
}

// live steps civil time at the tempo that it asks for at each moment, until that is over. Time stands still while a text, a callback or
// somebody's request is under way.
func (d *demo) live(ctx context.Context, tempoAt func(context.Context, time.Time) (tempo, error)) error {
	if err := d.settleDoubts(ctx); err != nil {
		return err
	}
	beat := metronome{speed: -1}
	for {
		now := d.clock.Now()
		if err := d.moment(ctx, now); err != nil {
			return err
		}
		p, err := tempoAt(ctx, now)
		if err != nil {
			return err
		}
		beat.at(now, p)
		d.progress(ctx, now, p)
		if !now.Before(p.until) {
			return d.saveCharter()
		}
		next := d.paced
		if at, ok := d.phones.Next(); ok && at.Before(next) {
			next = at
		}
		if at, ok := d.town.Next(); ok && at.Before(next) {
			next = at
		}
		step := grain
		if p.speed > 0 {
			// A slow clock ticks every second of ours, so that nothing jumps.
			second := time.Duration(p.speed * float64(time.Second))
			step = min(grain, max(second, time.Second))
			if most := now.Add(max(second, step)); next.After(most) {
				next = most
			}
		}
		if next = next.Add(step - 1).Truncate(step); !next.After(now) {
			next = now.Add(step)
		}
		if next.After(p.until) {
			next = p.until
		}
		if err := sleep(ctx, beat.wait(next, p)); err != nil {
			return err
		}
		if err := d.clock.Step(next); err != nil {
			return err
		}
	}
}

// moment does all that is due at now.
func (d *demo) moment(ctx context.Context, now time.Time) error {
	d.steps++
	spent := func(on string, since time.Time) time.Time {
		now := time.Now()
		d.took[on] += now.Sub(since)
		return now
	}
	if !now.Before(d.paced) {
		began := time.Now()
		_, err := d.app.pacer.Tick(ctx, now)
		_, shared := d.app.db.ShareOut(ctx)
		if err = errors.Join(err, shared); err != nil && ctx.Err() == nil {
			d.log.Error("the pacer's tick did not succeed; it is tried again", "comp", "demo", "error", err)
		}
		every := paceOpen
		if d.charter.Policy == "blast" {
			every = paceBlast
		}
		d.paced = paceAfter(now, every)
		began = spent("pacer", began)
		if err := d.quiet(ctx); err != nil {
			return err
		}
		spent("sends", began)
		if err := d.sample(ctx); err != nil {
			return err
		}
	}
	// What somebody does may make something else due; a few rounds are enough, and the rest waits for the next step.
	for range 4 {
		began := time.Now()
		if err := d.phones.Tick(ctx, now); err != nil {
			return fmt.Errorf("move the phones on: %w", err)
		}
		began = spent("callbacks", began)
		if err := d.town.Tick(ctx, now); err != nil {
			return fmt.Errorf("move the town on: %w", err)
		}
		spent("town", began)
		if err := d.quiet(ctx); err != nil {
			return err
		}
		if at, ok := d.phones.Next(); !ok || at.After(now) {
			break
		}
	}
	return ctx.Err()
}

// quiet waits until nothing is under way.
func (d *demo) quiet(ctx context.Context) error {
	const patience = time.Minute // longer than any time-out of a send
	for began := time.Now(); d.app.queue.InFlight() > 0 || d.phones.InFlight() > 0; {
		if time.Since(began) > patience {
			d.log.Warn("something has been under way for a minute; time goes on without it", "comp", "demo", "rings", d.app.queue.InFlight(), "requests", d.phones.InFlight())
			return nil
		}
		if err := sleep(ctx, 300*time.Microsecond); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// sample notes the longest queue.
func (d *demo) sample(ctx context.Context) error {
	t, err := d.app.db.Tally(ctx, d.home.network, d.home.team)
	if err != nil {
		return fmt.Errorf("count the queue: %w", err)
	}
	if n := t.New + t.Claimed + t.Contacting; n > d.charter.Peak {
		d.charter.Peak = n
		return d.saveCharter()
	}
	return nil
}

// progress says how far the town has come: on a terminal in one line that changes, elsewhere in a line a day and one whenever its time
// begins to run otherwise.
func (d *demo) progress(ctx context.Context, now time.Time, p tempo) {
	f, terminal := d.err.(*os.File)
	terminal = terminal && term.IsTerminal(int(f.Fd()))
	day := now.Format(time.DateOnly) + p.why
	if terminal && time.Since(d.shown) < 250*time.Millisecond && now.Before(p.until) || !terminal && day == d.day {
		return
	}
	d.shown, d.day = time.Now(), day
	all, err := d.campaigns(ctx)
	if err != nil {
		return // only words
	}
	t, err := d.app.db.Tally(ctx, d.home.network, d.home.team)
	if err != nil {
		return
	}
	var texts, total, opened, answers int
	for _, v := range all {
		texts, total, opened, answers = texts+v.Counts.Texts(), total+v.Counts.Total(), opened+v.Opened, answers+v.Answers
	}
	line := fmt.Sprintf("%s  %6d of %d texts, %4d opened, %3d asked for help, %2d waiting", now.Format("Mon 2 Jan 15:04"), texts, total, opened, answers, t.New+t.Claimed+t.Contacting)
	if p.why != "" {
		line += "; time runs like ours: " + p.why
	}
	if terminal {
		fmt.Fprintf(d.err, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(d.err, line)
}

// campaigns are those that the town has been texted by.
func (d *demo) campaigns(ctx context.Context) ([]campaign.View, error) {
	if d.charter.Empty {
		return d.launched(ctx)
	}
	v, err := d.app.db.View(ctx, d.home.network, d.home.campaign)
	if err != nil {
		return nil, fmt.Errorf("read the campaign: %w", err)
	}
	return []campaign.View{v}, nil
}

// welcome says where to look.
func (d *demo) welcome() {
	fmt.Fprintf(d.err, `
Everything here is made up, and nothing leaves this computer.

  Desks    %s/desk     (password for all: %s)
  Phones   http://%s%s/     texts arrive here; tap a link yourself

`, d.app.PublicURL, d.charter.Password, d.charter.Phones, emulator.DefaultPhonePrefix)
	d.nameStaff()
}

func (d *demo) nameStaff() {
	for _, p := range demoStaff {
		fmt.Fprintf(d.err, "  %-38s %s, %s\n", p.email, p.name, p.role.Words())
	}
	fmt.Fprintln(d.err)
}

// policy is how the demo's campaign is paced.
func (c charter) policyOf() campaign.Policy {
	return campaign.Policy{Price: 412, Rate: 10, Blast: c.Policy == "blast",
		// The longest that a list may be used: the town has no second one to check it against.
		MaxListAge: 28 * 24 * time.Hour}
}

// settled is what the demo has set up.
type settled struct {
	network  staff.NetworkID
	team     staff.TeamID
	campaign campaign.ID
	launched time.Time
	hands    []town.Hand
	manager  town.Hand
}
