package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	"golang.org/x/sync/errgroup"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

const (
	benchAccount = "AC00000000000000000000000000000000"
	benchToken   = "bench0token0bench0token0bench000"
	benchFrom    = "Bench PCN"
	// benchHaste is how much faster than the machine's the civil clock runs while texts are sent, so that the emulator's phones get
	// theirs (and its callbacks come) while others are still being sent.
	benchHaste = 60
	// sendersAtOnce is how many texts are in hand at once, in both loops: enough for commits to be shared.
	sendersAtOnce = 256
)

// sends measures texts through the whole path: release, queue, claim, gateway, record, until the signed callbacks are in; against as many
// goroutines as the queue has workers that call twilio-go in a loop, with the same emulator.
func (b *bench) sends(ctx context.Context) (r benchResult, err error) {
	n := b.some(6000, 1000)
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	redis, stop, err := startRedis(ctx, dir)
	if err != nil {
		return r, err
	}
	defer stop()
	if redis == "" {
		r.Notes = append(r.Notes, "there is no redis-server on this computer: the queue inside the process was measured")
	}
	now := fastClock(benchHaste)
	phones, err := startEmulator(filepath.Join(dir, "emulator"), now)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, phones.stop()) }()

	bareBefore, err := bareSends(ctx, phones.url, n, 0)
	if err != nil {
		return r, fmt.Errorf("bare loop: %w", err)
	}
	a, err := open(ctx, options{settings: settings{Data: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys")}, Listen: "127.0.0.1:0", Redis: redis,
		Web: true, Worker: true, Pacer: true, Stepped: true, Now: now, Log: b.log,
		Gateway: twilio.Config{BaseURL: phones.url, AccountSID: benchAccount, AuthToken: benchToken, From: benchFrom, Concurrency: sendersAtOnce}})
	if err != nil {
		return r, err
	}
	defer a.close()
	w, err := settle(ctx, a.db, a.PublicURL)
	if err != nil {
		return r, err
	}
	list := stream(n)
	defer list.Close()
	people, err := w.upload(ctx, list, nil)
	if err != nil {
		return r, err
	}
	id, err := w.launch(ctx, people, campaign.Policy{Rate: 1e6, Blast: true})
	if err != nil {
		return r, err
	}
	var steps stopwatch
	a.worker.Claims, a.worker.Sender = timedClaims{a.worker.Claims, &steps}, timedSender{a.worker.Sender, &steps}
	running, end := context.WithCancel(ctx)
	var loops errgroup.Group
	loops.Go(func() error { return a.run(running) })
	defer func() { end(); err = errors.Join(err, loops.Wait()) }()
	if !a.waitReady(ctx) {
		return r, ctx.Err()
	}

	began := time.Now()
	released, err := a.pacer.Tick(ctx, now())
	if err != nil {
		return r, err
	}
	rung := time.Since(began)
	var sent, done time.Duration
	for done == 0 {
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(100 * time.Millisecond): // looking costs too
		}
		v, err := a.db.View(ctx, w.network.ID, id)
		if err != nil {
			return r, err
		}
		if n, last := steps.recorded(); sent == 0 && n >= released && v.Counts.Texts() == released {
			sent = last.Sub(began)
		}
		if sent != 0 && v.Counts[campaign.Delivered] == released {
			done = time.Since(began)
		}
		if time.Since(began) > 5*time.Minute {
			return r, fmt.Errorf("after five minutes not all texts have arrived: %v", v.Counts)
		}
	}
	bareAfter, err := bareSends(ctx, phones.url, n, n)
	if err != nil {
		return r, fmt.Errorf("bare loop: %w", err)
	}
	bare := (bareBefore + bareAfter) / 2
	b.say("%d texts: rung after %v, recorded after %v, all callbacks in after %v; bare %.0f and %.0f texts/s", released, rung.Round(time.Millisecond),
		sent.Round(time.Millisecond), done.Round(time.Millisecond), bareBefore, bareAfter)
	journal, err := emulator.ReadJournal(phones.dir)
	if err != nil {
		return r, err
	}
	r.Figures = []figure{
		figure{Name: "texts per second, recorded", Value: rate(released, sent)}.atLeast(200),
		{Name: "texts per second, callbacks in", Value: rate(released, done)},
		{Name: "bare texts per second", Value: bare},
		figure{Name: "ratio", Value: rate(released, sent) / bare}.atLeast(.3),
		{Name: "ratio, callbacks in", Value: rate(released, done) / bare},
		{Name: "one claim, mean", Value: mean(steps.claim), Unit: "ms"},
		{Name: "one exchange with the gateway, mean", Value: mean(steps.send), Unit: "ms"},
		{Name: "one record, mean", Value: mean(steps.record), Unit: "ms"},
		figure{Name: "numbers texted twice", Value: float64(emulator.Twice(journal.Texts, nil))}.atMost(0),
	}
	return r, nil
}

// stopwatch notes how long the steps of sending take.
type stopwatch struct {
	mu                  sync.Mutex
	claim, send, record []time.Duration
	last                time.Time // end of the last record
}

// recorded is how many texts were recorded so far, and when the last of them was.
func (s *stopwatch) recorded() (int, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.record), s.last
}

func (s *stopwatch) note(which *[]time.Duration, began time.Time) {
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	*which = append(*which, took)
	if which == &s.record {
		s.last = began.Add(took)
	}
}

type timedClaims struct {
	campaign.Claimer
	to *stopwatch
}

func (t timedClaims) Claim(ctx context.Context, r campaign.Ring) (campaign.Outgoing, error) {
	defer t.to.note(&t.to.claim, time.Now())
	return t.Claimer.Claim(ctx, r)
}

func (t timedClaims) Record(ctx context.Context, r campaign.Ring, o campaign.Outcome) error {
	defer t.to.note(&t.to.record, time.Now())
	return t.Claimer.Record(ctx, r, o)
}

type timedSender struct {
	campaign.Sender
	to *stopwatch
}

func (t timedSender) Send(ctx context.Context, out campaign.Outgoing) campaign.Outcome {
	defer t.to.note(&t.to.send, time.Now())
	return t.Sender.Send(ctx, out)
}

// phones is an emulator that serves.
type phones struct {
	*emulator.Emulator
	url, dir string
	server   *http.Server
	loops    errgroup.Group
	end      context.CancelFunc
}

func startEmulator(dir string, now func() time.Time) (*phones, error) {
	// Every text arrives, and soon: late receipts would only make the measurement longer.
	e, err := emulator.Open(emulator.Config{Dir: dir, AccountSID: benchAccount, AuthToken: benchToken, Now: now, Seed: 1, Delivery: emulator.Delivery{Delivered: 1}})
	if err != nil {
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	ctx, end := context.WithCancel(context.Background())
	p := &phones{Emulator: e, url: "http://" + l.Addr().String(), dir: dir, server: &http.Server{Handler: e.Handler(), ReadHeaderTimeout: time.Minute}, end: end} // a connection made in reserve must outlive its pool
	p.loops.Go(func() error {
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	p.loops.Go(func() error { return e.Run(ctx) })
	return p, nil
}

func (p *phones) stop() error {
	p.end()
	return errors.Join(p.server.Close(), p.loops.Wait(), p.Close())
}

// bareSends posts n texts with twilio-go and nothing else, and returns how many a second.
func bareSends(ctx context.Context, base string, n, from int) (perSecond float64, err error) {
	to, err := url.Parse(base)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{MaxIdleConns: sendersAtOnce, MaxIdleConnsPerHost: sendersAtOnce}
	defer transport.CloseIdleConnections()
	c := &client.Client{Credentials: client.NewCredentials(benchAccount, benchToken), HTTPClient: &http.Client{Timeout: 10 * time.Second, Transport: here{to, transport}}}
	c.SetAccountSid(benchAccount)
	service := api.NewApiServiceWithClient(c)
	body := strings.Repeat("Would a chat with a link worker help you? ", 7)[:260]
	var next atomic.Int64
	var loops errgroup.Group
	began := time.Now()
	for range sendersAtOnce {
		loops.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				p := &api.CreateMessageParams{}
				p.SetTo(fmt.Sprintf("+4475%08d", from+i)).SetFrom(benchFrom).SetBody(body)
				if _, err := service.CreateMessage(p); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	err = loops.Wait()
	return rate(n, time.Since(began)), err
}

// here sends what is meant for Twilio to an emulator.
type here struct {
	to   *url.URL
	next http.RoundTripper
}

func (h here) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = h.to.Scheme, h.to.Host, ""
	return h.next.RoundTrip(r)
}

// startRedis starts a Redis server on a free port. The URL is "" if there is none on this computer.
func startRedis(ctx context.Context, dir string) (address string, stop func(), err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", func() {}, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	host := l.Addr().String()
	_, port, _ := net.SplitHostPort(host)
	if err := l.Close(); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, program, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes")
	log, err := os.Create(filepath.Join(dir, "redis.log"))
	if err != nil {
		return "", nil, err
	}
	defer log.Close() // the server has its own
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start redis-server: %w", err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "killed", as it should be
	})
	for range 100 {
		conn, err := net.Dial("tcp", host)
		if err == nil {
			_ = conn.Close()
			return "redis://" + host + "/0", stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", nil, errors.New("redis-server has not answered for five seconds")
}
