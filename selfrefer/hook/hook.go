// Package hook tells other systems of events, as Standard Webhooks describes it (https://www.standardwebhooks.com, version 1).
//
// An event is told at least once: a reply may be lost after the other end has taken it, so receivers keep the ids (header webhook-id) that they
// have had. The order is not guaranteed: one that failed is tried later, and others pass it. Whoever needs the state asks the API.
//
// The other end has ten seconds to answer 2xx. No redirect is followed, no proxy is used, and every address that a name leads to is looked at
// when it is dialled: nothing is sent into a private network, whatever the name said a moment ago.
package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

const (
	timeout = 10 * time.Second
	each    = 20 // deliveries to one webhook in one step
	// lease is longer than a step can take: each delivery its time-out, and the last one's.
	lease = (each + 2) * timeout
)

// errPrivate is why nothing was dialled.
var errPrivate = errors.New("the address leads to a private network")

// Config of a Sender. Everything is needed except where a zero value is explained.
type Config struct {
	Outbox selfrefer.Outbox
	// Site is where the API is reached: links in events begin with it.
	Site    string
	Machine func() time.Time
	Log     *slog.Logger
	// Loopback allows this computer as well, for demos and tests.
	Loopback bool
	// Chance is a number from 0 to 1 for the jitter of retries; nil takes a random one.
	Chance func() float64
	// Transport is dialled through; nil is the usual one. Tests trust their own certificates here; its dialler is replaced.
	Transport *http.Transport
}

// Sender empties the outbox.
type Sender struct {
	Config
	client *http.Client
}

// New makes a sender.
func New(c Config) *Sender {
	c.Site = strings.TrimRight(c.Site, "/")
	if c.Chance == nil {
		c.Chance = rand.Float64
	}
	t := c.Transport
	if t == nil {
		t = &http.Transport{TLSHandshakeTimeout: timeout, MaxIdleConns: 20, IdleConnTimeout: 30 * time.Second}
	}
	t.Proxy = nil // it would dial for us, and not look
	t.DialContext = (&net.Dialer{Timeout: timeout, Control: guard(c.Loopback)}).DialContext
	return &Sender{c, &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// guard looks at each address after its name was resolved, directly before it is dialled.
func guard(loopback bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || !selfrefer.PublicAddress(ap.Addr()) && !(loopback && ap.Addr().Unmap().IsLoopback()) {
			return errPrivate
		}
		return nil
	}
}

// Tick sends what is due, to all webhooks at the same time and to each one after the other.
func (s *Sender) Tick(ctx context.Context) error {
	due, err := s.Outbox.DueDeliveries(ctx, each, lease)
	if err != nil {
		return fmt.Errorf("take what is to be told: %w", err)
	}
	byHook := map[int64][]selfrefer.Delivery{}
	for _, d := range due {
		byHook[d.Hook] = append(byHook[d.Hook], d)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, deliveries := range byHook {
		wg.Go(func() {
			if err := s.tell(ctx, deliveries); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// tell sends to one webhook until one fails: the others wait as long as that one.
func (s *Sender) tell(ctx context.Context, deliveries []selfrefer.Delivery) error {
	// What was sent is noted even if we are told to stop: else it would be told twice.
	quiet := context.WithoutCancel(ctx)
	for i, d := range deliveries {
		if ctx.Err() != nil {
			return s.putBack(quiet, deliveries[i:], s.Machine())
		}
		status, err := s.send(ctx, d)
		if err == nil && status >= 200 && status < 300 {
			if err := s.Outbox.Told(quiet, d, strconv.Itoa(status)); err != nil {
				return fmt.Errorf("note %v: %w", d, err)
			}
			continue
		}
		if ctx.Err() != nil {
			return s.putBack(quiet, deliveries[i:], s.Machine())
		}
		outcome := strconv.Itoa(status)
		if err != nil {
			outcome = reason(err)
		}
		d.Tries++
		now := s.Machine()
		again, more := selfrefer.HookAgain(d, now, s.Chance())
		next := again
		if !more {
			again = time.Time{}
		}
		s.Log.InfoContext(ctx, "an event was not told", "event", string(d.Event), "webhook", d.Hook, "tries", d.Tries, "outcome", outcome)
		if err := s.Outbox.NotTold(quiet, d, outcome, again, status == http.StatusGone); err != nil {
			return fmt.Errorf("note %v: %w", d, err)
		}
		return s.putBack(quiet, deliveries[i+1:], next)
	}
	return nil
}

func (s *Sender) putBack(ctx context.Context, deliveries []selfrefer.Delivery, again time.Time) error {
	for _, d := range deliveries {
		if err := s.Outbox.PutBack(ctx, d, again); err != nil {
			return fmt.Errorf("put %v back: %w", d, err)
		}
	}
	return nil
}

// reason is a failure as a code: the error itself holds the address, which may hold a secret.
func reason(err error) string {
	var dns *net.DNSError
	var timed interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPrivate):
		return "private_network"
	case errors.As(err, &dns):
		return "no_such_host"
	case errors.As(err, &timed) && timed.Timeout():
		return "timeout"
	}
	return "no_connection"
}

// send posts one event; status is 0 without an answer.
func (s *Sender) send(ctx context.Context, d selfrefer.Delivery) (status int, err error) {
	if err := selfrefer.CheckHookURL(d.URL, s.Loopback); err != nil { // a database of a demo may be served for real
		return 0, errPrivate
	}
	body, err := d.Body(s.Site)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	at := s.Machine()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Wellpaced")
	req.Header.Set("webhook-id", d.MessageID())
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", selfrefer.SignHook(d.Secret, d.MessageID(), at, body))
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again; what it says is nobody's business
	return res.StatusCode, nil
}
