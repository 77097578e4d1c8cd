package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
)

// stand is a sender over a real outbox, and a server that it sends to.
type stand struct {
	tb     testing.TB
	db     *store.DB
	sender *Sender
	admin  staff.Account
	hook   selfrefer.Webhook
	key    []byte
	log    bytes.Buffer
	other  *httptest.Server

	mu      sync.Mutex
	machine time.Time
	got     []call
	answer  func(n int, w http.ResponseWriter, r *http.Request) // n counts from 1
}

type call struct {
	header http.Header
	body   []byte
}

func newStand(tb testing.TB) *stand {
	tb.Helper()
	ctx := context.Background()
	s := &stand{tb: tb, machine: time.Now(), key: selfrefer.NewHookSecret(), answer: func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }}
	civil := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	var err error
	s.db, err = store.Open(ctx, store.Config{DataDir: tb.TempDir(), Keys: tb.TempDir() + "/keys", Now: func() time.Time { return civil }, Machine: s.now})
	s.must(err)
	tb.Cleanup(func() { s.must(s.db.Close()) })
	s.other = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got = append(s.got, call{r.Header.Clone(), body})
		n, answer := len(s.got), s.answer
		s.mu.Unlock()
		answer(n, w, r)
	}))
	tb.Cleanup(s.other.Close)
	n, err := s.db.CreateNetwork(ctx, staff.Network{Name: "Riverside"})
	s.must(err)
	_, err = s.db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: "Link workers"})
	s.must(err)
	s.admin, err = s.db.CreateAccount(ctx, staff.Account{Network: n.ID, Email: "ada@example.test", Name: "Ada", Role: staff.Administrator}, "hash")
	s.must(err)
	s.sender = New(s.config())
	s.add(s.other.URL + "/in?key=zebra")
	return s
}

func (s *stand) config() Config {
	return Config{Outbox: s.db, Site: "https://site.test", Machine: s.now, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Loopback: true, Chance: func() float64 { return .5 }}
}

func (s *stand) add(address string) {
	s.tb.Helper()
	var err error
	s.hook, err = s.db.AddWebhook(context.Background(), s.admin, address, selfrefer.HookEvents, s.key)
	s.must(err)
}

func (s *stand) now() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.machine }

func (s *stand) pass(d time.Duration) { s.mu.Lock(); defer s.mu.Unlock(); s.machine = s.machine.Add(d) }

func (s *stand) calls() []call { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.got) }

func (s *stand) must(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

func (s *stand) tick() { s.tb.Helper(); s.must(s.sender.Tick(context.Background())) }

func (s *stand) test() {
	s.tb.Helper()
	s.must(s.db.TestWebhook(context.Background(), s.admin, s.hook.ID))
}

// stands gives the deliveries, oldest first, as "state tries outcome".
func (s *stand) stands() (all []string) {
	s.tb.Helper()
	ds, err := s.db.Deliveries(context.Background(), s.admin, s.hook.ID)
	s.must(err)
	for _, d := range slices.Backward(ds) {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d %s", d.State, d.Tries, d.Outcome)))
	}
	return all
}

func (s *stand) want(all ...string) {
	s.tb.Helper()
	if got := s.stands(); !slices.Equal(got, all) {
		s.tb.Errorf("the deliveries are %q, want %q", got, all)
	}
}

func (s *stand) webhook() selfrefer.Webhook {
	s.tb.Helper()
	all, err := s.db.Webhooks(context.Background(), s.admin)
	s.must(err)
	for _, h := range all {
		if h.ID == s.hook.ID {
			return h
		}
	}
	s.tb.Fatal("the webhook is gone")
	return selfrefer.Webhook{}
}

// An event goes from what a person does to another system, signed so that the makers' own library takes it, and tells nothing of the person.
func TestTold(t *testing.T) {
	s := newStand(t)
	ctx := context.Background()
	r := selfrefer.Receiver{Keeper: s.db, Now: func() time.Time { return time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC) }}
	rc, err := r.Receive(ctx, selfrefer.Form{ID: "f", Network: s.admin.Network, Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Name: "Xenocrates Quillfeather", Words: "marmalade lighthouse", Phone: "07700 900123", Reasons: []string{"money"}}})
	s.must(err)
	s.must(s.db.OptOut(ctx, selfrefer.OptOut{Network: s.admin.Network, TokenHash: nil, Phone: phone(t, "+447700900124"), Why: selfrefer.WhyMoved}))
	s.tick()
	theirs, err := standardwebhooks.NewWebhook(selfrefer.ShowSecret(s.key))
	s.must(err)
	var types []string
	for _, c := range s.calls() {
		if err := theirs.Verify(c.body, c.header); err != nil {
			t.Errorf("their library refuses it: %v", err)
		}
		var e struct {
			Type string
			Data map[string]any
		}
		s.must(json.Unmarshal(c.body, &e))
		types = append(types, e.Type)
		if e.Type == "referral.received" && (e.Data["reference"] != rc.Reference || !strings.HasPrefix(fmt.Sprint(e.Data["url"]), "https://site.test/api/v1/referrals/")) {
			t.Errorf("told %s", c.body)
		}
		for _, word := range []string{"Xenocrates", "Quill", "marmalade", "900123", "900124", "money"} {
			if bytes.Contains(c.body, []byte(word)) {
				t.Errorf("it tells %q", word)
			}
		}
	}
	slices.Sort(types)
	if !slices.Equal(types, []string{"correction", "optout", "referral.received"}) {
		t.Errorf("told of %v", types)
	}
	s.tick()
	if n := len(s.calls()); n != 3 {
		t.Errorf("what was told is told again: %d", n)
	}
	s.want("delivered 1 204", "delivered 1 204", "delivered 1 204")
	if strings.Contains(s.log.String(), "zebra") {
		t.Error("the log holds the address")
	}
}

// What fails is tried again, by the same id, when its time has come; what was taken with it waits as long.
func TestTriedAgain(t *testing.T) {
	s := newStand(t)
	s.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(map[bool]int{true: 500, false: 200}[n == 1])
	}
	s.test()
	s.test()
	s.tick()
	s.want("due 1 500", "due 0")
	if s.webhook().Failing.IsZero() {
		t.Error("nobody sees that it fails")
	}
	s.pass(4 * time.Second)
	s.tick()
	if n := len(s.calls()); n != 1 {
		t.Fatalf("%d calls before its time", n)
	}
	s.pass(2 * time.Second)
	s.tick()
	s.want("delivered 2 200", "delivered 1 200")
	calls := s.calls()
	if len(calls) != 3 || calls[0].header.Get("webhook-id") != calls[1].header.Get("webhook-id") || calls[1].header.Get("webhook-id") == calls[2].header.Get("webhook-id") {
		t.Error("another try has another id, or another event the same")
	}
	if calls[0].header.Get("webhook-timestamp") == calls[1].header.Get("webhook-timestamp") {
		t.Error("the second try has the time of the first: it would be refused as too old")
	}
	if !s.webhook().Failing.IsZero() {
		t.Error("it is said to fail still")
	}
	s.log.Reset()
	s.must(s.db.Redeliver(context.Background(), s.admin, s.hook.ID, firstDelivery(s)))
	s.tick()
	if calls = s.calls(); len(calls) != 4 || calls[3].header.Get("webhook-id") != calls[0].header.Get("webhook-id") {
		t.Error("sent again, it has another id")
	}
}

func firstDelivery(s *stand) int64 {
	ds, err := s.db.Deliveries(context.Background(), s.admin, s.hook.ID)
	s.must(err)
	return ds[len(ds)-1].ID
}

// After three days an event is given up, and a webhook to which nothing gets through is switched off, with a sentence.
func TestGivenUp(t *testing.T) {
	s := newStand(t)
	s.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	began := s.now()
	s.test()
	for s.now().Sub(began) < 73*time.Hour {
		s.tick()
		s.pass(10 * time.Minute)
	}
	got := s.stands()
	if len(got) != 1 || !strings.HasPrefix(got[0], "given_up 1") || !strings.HasSuffix(got[0], " 503") {
		t.Errorf("after three days: %v", got)
	}
	if n := len(s.calls()); n < 12 || n > 25 {
		t.Errorf("%d tries in three days", n)
	}
	s.test()
	s.tick()
	if h := s.webhook(); h.WhyOff != selfrefer.OffFailing || selfrefer.WhyHookOff[h.WhyOff] == "" {
		t.Errorf("off because of %q", h.WhyOff)
	}
	if err := s.db.TestWebhook(context.Background(), s.admin, s.hook.ID); !errors.Is(err, selfrefer.ErrHookOff) {
		t.Errorf("a test of one that is off: %v", err)
	}
	n := len(s.calls())
	s.pass(24 * time.Hour)
	s.tick()
	if len(s.calls()) != n {
		t.Error("it is off, and sent to")
	}
	s.must(s.db.SwitchWebhook(context.Background(), s.admin, s.hook.ID, true))
	s.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {}
	s.test()
	s.tick()
	if got := s.stands(); got[len(got)-1] != "delivered 1 200" {
		t.Errorf("switched on again: %v", got)
	}
	s.pass(31 * 24 * time.Hour)
	if _, err := s.db.PurgeOutbox(context.Background()); err != nil || len(s.stands()) != 0 {
		t.Errorf("kept for ever: %v %v", s.stands(), err)
	}
}

func TestGone(t *testing.T) {
	s := newStand(t)
	s.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }
	s.test()
	s.test()
	s.tick()
	if h := s.webhook(); h.WhyOff != selfrefer.OffGone || len(s.calls()) != 1 {
		t.Errorf("off because of %q after %d calls", h.WhyOff, len(s.calls()))
	}
}

// A redirect is a failure: it could lead anywhere.
func TestNoRedirect(t *testing.T) {
	s := newStand(t)
	s.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	s.test()
	s.tick()
	s.want("due 1 307")
	if len(s.calls()) != 1 {
		t.Error("a redirect is followed")
	}
}

// Nothing goes into a private network: not by its address, not by a name that leads there only when it is dialled.
func TestPrivateAddresses(t *testing.T) {
	s := newStand(t)
	c := s.config()
	c.Loopback = false
	s.sender = New(c)
	s.test()
	s.tick()
	s.want("due 1 private_network")
	_, port, _ := strings.Cut(strings.TrimPrefix(s.other.URL, "http://"), ":")
	for _, host := range []string{"localhost", "127.0.0.1", "[::ffff:127.0.0.1]"} { // what a name leads to is seen by the dialler alone
		if _, err := s.sender.client.Get("http://" + host + ":" + port); !errors.Is(err, errPrivate) { //nolint:bodyclose // there is none
			t.Errorf("%s is dialled: %v", host, err)
		}
	}
	for _, address := range []string{"10.0.0.1:443", "169.254.169.254:80", "[fd00::1]:443", "[fe80::1]:443", "100.64.0.1:443", "nonsense"} {
		for _, loopback := range []bool{true, false} {
			if err := guard(loopback)("tcp", address, nil); !errors.Is(err, errPrivate) {
				t.Errorf("%s is dialled: %v", address, err)
			}
		}
	}
	if err := guard(false)("tcp", "81.2.69.142:443", nil); err != nil {
		t.Errorf("a public address: %v", err)
	}
	if len(s.calls()) != 0 {
		t.Error("something arrived")
	}
}

// Two processes share the outbox: each event goes out once as long as both live.
func TestSharedOutbox(t *testing.T) {
	s := newStand(t)
	for range 15 {
		s.test()
	}
	second := New(s.config())
	var wg sync.WaitGroup
	for _, one := range []*Sender{s.sender, second, s.sender, second} {
		wg.Go(func() {
			if err := one.Tick(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ids := map[string]int{}
	for _, c := range s.calls() {
		ids[c.header.Get("webhook-id")]++
	}
	if len(ids) != 15 || len(s.calls()) != 15 {
		t.Errorf("%d calls for %d of 15 events", len(s.calls()), len(ids))
	}
}

// One that is told to stop lets go of what it has not sent: nobody waits for its lease.
func TestStops(t *testing.T) {
	s := newStand(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}
	s.test()
	s.test()
	s.must(s.sender.Tick(ctx))
	s.want("due 0", "due 0")
	s.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {}
	s.tick()
	s.want("delivered 1 200", "delivered 1 200")
}

// One webhook that does not answer keeps no other waiting for longer than its time-out, and its key signs nothing of the other's.
func TestApart(t *testing.T) {
	s := newStand(t)
	s.test()
	first := s.hook
	s.key = selfrefer.NewHookSecret()
	s.add("http://127.0.0.1:1/")
	s.test()
	s.tick()
	s.want("due 1 no_connection")
	s.hook = first
	s.want("delivered 1 204")
	theirs, err := standardwebhooks.NewWebhook(selfrefer.ShowSecret(s.key))
	s.must(err)
	if c := s.calls()[0]; theirs.Verify(c.body, c.header) == nil {
		t.Error("the second webhook's key signs what the first is told")
	}
}

func phone(tb testing.TB, s string) person.Phone {
	tb.Helper()
	p, err := person.ParseE164(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
