package soak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

// The account of the pretend provider. It is nobody's: nothing here can reach a real one.
const (
	account = "AC00000000000000000000000000000000"
	secret  = "0123456789abcdef0123456789abcdef"
	sender  = "Soak"
)

// How late this provider can be.
const (
	lateBy  = time.Second
	listLag = 500 * time.Millisecond
)

// Settle is twice that: how long the program waits before it believes that a text never left, the one assumption under which nobody is
// texted twice. Real providers are given ten minutes.
const Settle = 2 * (lateBy + listLag)

// provider is the pretend Twilio at an address that stays, whether it answers there or not.
type provider struct {
	*emulator.Emulator
	dir  string
	addr string

	mu      sync.Mutex
	server  *http.Server
	served  sync.WaitGroup
	open    atomic.Int64 // requests being answered, also those whose caller has gone
	creates []time.Time  // the last ones, of requests to text somebody
}

func openProvider(dir string, seed uint64, faults emulator.Faults) (*provider, error) {
	p := &provider{dir: filepath.Join(dir, "provider")}
	var err error
	p.Emulator, err = emulator.Open(emulator.Config{Dir: p.dir, AccountSID: account, AuthToken: secret, Now: time.Now, Seed: seed,
		Delivery: emulator.Delivery{Delivered: .98, Undelivered: .01, Failed: .01}, Faults: faults})
	if err != nil {
		return nil, err
	}
	p.addr = "127.0.0.1:0"
	if err := p.answer(); err != nil {
		return nil, errors.Join(err, p.Emulator.Close())
	}
	return p, nil
}

// answer takes requests from here on.
func (p *provider) answer() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("answer for the provider: %w", err)
	}
	p.addr = l.Addr().String()
	api := p.Handler()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Messages.json") {
			p.mu.Lock()
			p.creates = append(p.creates, time.Now())
			p.mu.Unlock()
		}
		p.open.Add(1)
		defer p.open.Add(-1)
		api.ServeHTTP(w, r)
	})}
	p.mu.Lock()
	p.server = server
	p.mu.Unlock()
	p.served.Go(func() { _ = server.Serve(l) })
	return nil
}

// vanish closes all connections and answers nobody until answer.
func (p *provider) vanish() {
	p.mu.Lock()
	server := p.server
	p.mu.Unlock()
	_ = server.Close()
	p.served.Wait()
}

// firstAfter is when somebody was first asked to be texted after an instant; false if not yet. It forgets what was before.
func (p *provider) firstAfter(t time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.creates {
		if c.After(t) {
			p.creates = p.creates[i:]
			return c, true
		}
	}
	p.creates = nil
	return time.Time{}, false
}

func (p *provider) close() error {
	p.vanish()
	return p.Emulator.Close()
}

// quiet waits until what was asked for long ago has been accepted too: a text that leaves after the count is a text not counted.
func (p *provider) quiet(ctx context.Context) {
	for p.open.Load() > 0 && ctx.Err() == nil {
		sleep(ctx, 50*time.Millisecond)
	}
}

// texts are what left, by the journal on the disk.
func (p *provider) texts() ([]emulator.Text, error) {
	j, err := emulator.ReadJournal(p.dir)
	return j.Texts, err
}

// Kinds of texts: everybody is invited once and sends one form, so nobody's number may get two of either.
const (
	invitation   = "invitation"
	confirmation = "confirmation"
)

// kindOf tells them apart: an invitation has a link, and a confirmation never does.
func kindOf(t emulator.Text) string {
	if len(link.In(t.Body)) == 0 {
		return confirmation
	}
	return invitation
}

// run delivers texts and posts callbacks until ctx ends.
func (p *provider) run(ctx context.Context) { _ = p.Run(ctx) }

// Faults are all that can go wrong with a share of the requests. What is late is late by seconds, so that a run need not take hours.
func Faults(share float64) emulator.Faults {
	f := emulator.FaultShare(share)
	f.LateBy, f.SlowBy, f.ListLag = lateBy, lateBy/2, listLag
	return f
}
