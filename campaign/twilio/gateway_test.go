package twilio

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/twilio/twilio-go/client"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

const (
	account1 = "AC0123456789abcdef0123456789abcdef"
	token1   = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
	goodSID  = "SM0123456789abcdef0123456789abcdef"
)

var day = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func mustNew(tb testing.TB, url string, change func(*Config)) *Gateway {
	tb.Helper()
	cfg := Config{BaseURL: url, AccountSID: account1, AuthToken: token1, From: "PCN Health", PublicURL: "http://127.0.0.1:1",
		Machine: func() time.Time { return day }, Concurrency: 8}
	if change != nil {
		change(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(g.Close)
	return g
}

func phone(n int) person.Phone {
	p, err := person.ParseE164(fmt.Sprintf("+4477009%05d", n))
	if err != nil {
		panic(err)
	}
	return p
}

func outgoing(n int) campaign.Outgoing {
	return campaign.Outgoing{Message: campaign.MessageID(n), Attempt: 1, To: phone(n), Body: fmt.Sprintf("Hello, text %d", n), ClaimedAt: day,
		ValidFor: time.Hour, Synthetic: true}
}

// world is an emulator behind a server that counts creates.
type world struct {
	*emulator.Emulator
	dir, url string
	creates  atomic.Int64
}

func newWorld(tb testing.TB, faults emulator.Faults) *world {
	tb.Helper()
	w := &world{dir: tb.TempDir()}
	var err error
	w.Emulator, err = emulator.Open(emulator.Config{Dir: w.dir, AccountSID: account1, AuthToken: token1, Now: func() time.Time { return day },
		Seed: 1, Faults: faults, Delivery: emulator.Delivery{Delivered: 1}})
	if err != nil {
		tb.Fatal(err)
	}
	api := w.Emulator.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.creates.Add(1)
		}
		api.ServeHTTP(rw, r)
	}))
	w.url = server.URL
	tb.Cleanup(func() {
		server.Close()
		_ = w.Close()
	})
	return w
}

// accepted reads the judge's journal once nothing is on its way any more.
func (w *world) accepted(tb testing.TB) map[string][]emulator.Text {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for w.InFlight() > 0 {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatal("the emulator does not come to rest")
		}
	}
	j, err := emulator.ReadJournal(w.dir)
	if err != nil {
		tb.Fatal(err)
	}
	by := map[string][]emulator.Text{}
	for _, t := range j.Texts {
		by[t.To] = append(by[t.To], t)
	}
	return by
}

// Whatever the provider does to us, the outcome is right and it got one request.
func TestGateway_Send_underEachFault(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults emulator.Faults
		want   campaign.Event
		code   string
		left   bool
	}{
		{"no fault", emulator.Faults{}, campaign.Accept, "", true},
		{"429", emulator.Faults{TooMany: 1}, campaign.Postpone, "20429", false},
		{"500, refused", emulator.Faults{Refuse500: 1}, campaign.LoseSight, "http_500", false},
		{"reset before", emulator.Faults{ResetBefore: 1}, campaign.LoseSight, "no_reply", false},
		{"redirect", emulator.Faults{Redirect: 1}, campaign.LoseSight, "http_30", false},
		{"500 after accept", emulator.Faults{AcceptThen500: 1}, campaign.LoseSight, "http_500", true},
		{"reset after accept", emulator.Faults{AcceptThenReset: 1}, campaign.LoseSight, "no_reply", true},
		{"502 page after accept", emulator.Faults{AcceptThen502: 1}, campaign.LoseSight, "http_502", true},
		{"201 {}", emulator.Faults{AcceptEmpty: 1}, campaign.LoseSight, "no_sid", true},
		{"201 cut off", emulator.Faults{AcceptTruncated: 1}, campaign.LoseSight, "truncated", true},
		{"accepted after our time-out", emulator.Faults{LateAccept: 1, LateBy: 400 * time.Millisecond}, campaign.LoseSight, "timeout", true},
		{"answered after our time-out", emulator.Faults{Slow: 1, SlowBy: 400 * time.Millisecond}, campaign.LoseSight, "timeout", true},
		{"answered a byte now and then", emulator.Faults{Drip: 1, LateBy: 600 * time.Millisecond}, campaign.LoseSight, "timeout", true},
		{"a callback before the answer", emulator.Faults{CallbackEarly: 1}, campaign.Accept, "", true},
		{"opted out", emulator.Faults{OptedOut: 1}, campaign.Reject, "21610", false},
		{"daily cap", emulator.Faults{DailyCap: 1}, campaign.Postpone, "63038", false},
		{"account refused", emulator.Faults{Auth: 1}, campaign.Postpone, "20003", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, emulator.Faults{})
			site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
			defer site.Close()
			// A time-out that a busy machine does not reach by itself, unless the fault is to reach it.
			g := mustNew(t, w.url, func(c *Config) {
				c.PublicURL = site.URL
				if tt.code == "timeout" {
					c.Timeout = 200 * time.Millisecond
				}
			})
			if got := g.Send(t.Context(), outgoing(1)); got.Event != campaign.Accept { // leaves a connection to be used again
				t.Fatalf("without faults: %+v", got)
			}
			w.SetFaults(tt.faults)
			for n := 2; n <= 5; n++ { // 429 comes in four shapes
				got := g.Send(t.Context(), outgoing(n))
				if got.Event != tt.want || !strings.HasPrefix(got.Code, tt.code) ||
					got.Campaign != (tt.code == "63038" || tt.code == "20003") || got.OptedOut != (tt.code == "21610") {
					t.Errorf("got %+v, want %s %s", got, tt.want, tt.code)
				}
				texts := w.accepted(t)[phone(n).Reveal()]
				if (len(texts) == 1) != tt.left {
					t.Errorf("the journal has %d texts, want any: %v", len(texts), tt.left)
				}
				if got.Event == campaign.Accept && got.SID != texts[0].SID {
					t.Errorf("got sid %s, the journal has %s", got.SID, texts[0].SID)
				}
			}
			if got := w.creates.Load(); got != 5 {
				t.Errorf("the provider saw %d requests for 5 texts", got)
			}
		})
	}
}

// The promise, under every fault at once and many at a time: what the journal has is never taken for certainly not sent.
func TestGateway_Send_neverDeniesWhatLeft(t *testing.T) {
	const p, sends = .07, 400
	faults := emulator.FaultShare(12 * p)
	faults.LateBy, faults.SlowBy = 150*time.Millisecond, 150*time.Millisecond
	w := newWorld(t, faults)
	g := mustNew(t, w.url, func(c *Config) { c.Timeout = 100 * time.Millisecond })
	outcomes := make([]campaign.Outcome, sends)
	var wg sync.WaitGroup
	next := make(chan int)
	for range 8 {
		wg.Go(func() {
			for n := range next {
				outcomes[n] = g.Send(t.Context(), outgoing(n))
			}
		})
	}
	for n := range sends {
		next <- n
	}
	close(next)
	wg.Wait()
	texts, kinds, never := w.accepted(t), map[campaign.Event]int{}, int64(0)
	for n, o := range outcomes {
		kinds[o.Event]++
		if o.Code == CodeNotConnected {
			never++
		}
		switch got := texts[phone(n).Reveal()]; {
		case len(got) > 1:
			t.Errorf("text %d left %d times", n, len(got))
		case len(got) == 1 && o.Event != campaign.Accept && o.Event != campaign.LoseSight:
			t.Errorf("text %d left, and we say %+v", n, o)
		case o.Event == campaign.Accept && (len(got) == 0 || got[0].SID != o.SID):
			t.Errorf("text %d: we say %+v, the journal %v", n, o, got)
		}
	}
	if got := w.creates.Load(); got > sends || got < sends-never {
		t.Errorf("the provider saw %d requests for %d texts, %d of which never left", got, sends, never)
	}
	if kinds[campaign.Accept] == 0 || kinds[campaign.Postpone] == 0 || kinds[campaign.LoseSight] == 0 {
		t.Errorf("the run did not meet every kind: %v", kinds)
	}
}

// A server that speaks raw TCP. handle gets each request on a connection, counted from 1 over all connections.
type rawServer struct {
	url             string
	dials, requests atomic.Int64
}

func newRaw(tb testing.TB, handle func(conn *net.TCPConn, nth int64)) *rawServer {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	s := &rawServer{url: "http://" + l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.dials.Add(1)
			go func() {
				defer conn.Close()
				buf := make([]byte, 64<<10)
				for {
					if _, err := conn.Read(buf); err != nil { // our requests fit into one segment of loopback
						return
					}
					handle(conn.(*net.TCPConn), s.requests.Add(1))
				}
			}()
		}
	}()
	return s
}

func created(sid string) string {
	body := `{"sid":"` + sid + `","status":"queued"}`
	return fmt.Sprintf("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// net/http repeats requests on its own when a connection that was used before breaks. Never this one.
func TestGateway_Send_isNotRepeatedOnAReusedConnection(t *testing.T) {
	for name, breakIt := range map[string]func(*net.TCPConn){
		"reset": func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
		"close": func(c *net.TCPConn) { _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newRaw(t, func(c *net.TCPConn, nth int64) {
				if nth == 1 {
					_, _ = io.WriteString(c, created(goodSID))
					return
				}
				breakIt(c)
			})
			g := mustNew(t, s.url, nil)
			if got := g.Send(t.Context(), outgoing(1)); got.Event != campaign.Accept || got.SID != goodSID {
				t.Fatalf("first: %+v", got)
			}
			if got := g.Send(t.Context(), outgoing(2)); got.Event != campaign.LoseSight {
				t.Errorf("second: %+v", got)
			}
			if s.requests.Load() != 2 || s.dials.Load() != 1 {
				t.Errorf("%d requests on %d connections, want 2 on 1", s.requests.Load(), s.dials.Load())
			}
		})
	}
}

// The age of the claim is looked at when the first byte would go, on a new connection and on a used one.
func TestGateway_Send_keepsBackAStaleClaim(t *testing.T) {
	s := newRaw(t, func(c *net.TCPConn, _ int64) { _, _ = io.WriteString(c, created(goodSID)) })
	var asked atomic.Int64
	late := int64(2) // the first look is before dialling, the second at the first byte
	g := mustNew(t, s.url, func(c *Config) {
		c.Machine = func() time.Time {
			if asked.Add(1) >= late {
				return day.Add(campaign.FirstByte + 1)
			}
			return day.Add(campaign.FirstByte)
		}
	})
	for _, name := range []string{"new connection", "used connection"} {
		asked.Store(0)
		if got := g.Send(t.Context(), outgoing(1)); got.Event != campaign.Postpone || got.Code != CodeStale {
			t.Errorf("%s: got %+v", name, got)
		}
		if asked.Load() != 2 || s.requests.Load() != 0 {
			t.Fatalf("%s: asked %d times, the provider saw %d requests", name, asked.Load(), s.requests.Load())
		}
		if name == "new connection" { // leave one behind
			late = 1 << 60
			if got := g.Send(t.Context(), outgoing(1)); got.Event != campaign.Accept {
				t.Fatalf("in time: %+v", got)
			}
			s.requests.Store(0)
			late = 2
		}
	}
	asked.Store(5) // late from the start
	if got := g.Send(t.Context(), outgoing(1)); got.Code != CodeStale {
		t.Errorf("got %+v", got)
	}
}

// After the clock was put back, a claim that is older than anybody can tell looks as if it came from the future.
func TestGateway_Send_keepsBackAClaimFromTheFuture(t *testing.T) {
	s := newRaw(t, func(c *net.TCPConn, _ int64) { _, _ = io.WriteString(c, created(goodSID)) })
	now := day
	g := mustNew(t, s.url, func(c *Config) { c.Machine = func() time.Time { return now } })
	now = day.Add(-time.Minute)
	if got := g.Send(t.Context(), outgoing(1)); got.Event != campaign.Postpone || got.Code != CodeStale || s.requests.Load() != 0 {
		t.Errorf("got %+v and %d requests", got, s.requests.Load())
	}
	now = day.Add(-campaign.FirstByte / 10) // a clock that is being steered goes back by so little
	if got := g.Send(t.Context(), outgoing(1)); got.Event != campaign.Accept {
		t.Errorf("got %+v", got)
	}
}

func TestGateway_Send_stopping(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newRaw(t, func(c *net.TCPConn, _ int64) {
		cancel() // the process is asked to stop while the provider works
		_, _ = io.WriteString(c, created(goodSID))
	})
	g := mustNew(t, s.url, nil)
	if got := g.Send(ctx, outgoing(1)); got.Event != campaign.Accept {
		t.Errorf("stopped under way: %+v", got)
	}
	if got := g.Send(ctx, outgoing(2)); got.Event != campaign.Postpone || got.Code != CodeStopping {
		t.Errorf("stopped before: %+v", got)
	}
	if s.requests.Load() != 1 {
		t.Errorf("the provider saw %d requests", s.requests.Load())
	}
}

func TestGateway_Send_withoutConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	_ = l.Close()
	var requests atomic.Int64
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"sid":"`+goodSID+`"}`)
	}))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	for name, url := range map[string]string{"nobody listens": nobody, "a certificate of nobody we know": secure.URL} {
		if got := mustNew(t, url, nil).Send(t.Context(), outgoing(1)); got.Event != campaign.Postpone || got.Code != CodeNotConnected {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if requests.Load() != 0 {
		t.Error("a text went to a server that nobody vouches for")
	}
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	if got := mustNew(t, secure.URL, func(c *Config) { c.roots = roots }).Send(t.Context(), outgoing(1)); got.Event != campaign.Accept {
		t.Errorf("over TLS: %+v", got)
	}
}

// What a request looks like on the wire.
func TestGateway_Send_request(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got = r
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	service := "MG0123456789abcdef0123456789abcdef"
	g := mustNew(t, server.URL, func(c *Config) { c.PublicURL = "https://texts.example/" })
	gs := mustNew(t, server.URL, func(c *Config) { c.MessagingServiceSID = service })
	out := outgoing(3)
	out.Message, out.Attempt = 77, 4
	for _, tt := range []struct {
		g                      *Gateway
		from                   string
		valid                  time.Duration
		wantFrom, wantService  string
		wantValidity, wantPath string
	}{
		{g, "", time.Hour, "PCN Health", "", "3600", ""},
		{g, "Halton PCN", 0, "Halton PCN", "", "36000", ""},
		{g, service, time.Millisecond, "", service, "1", ""},
		{gs, "", 48 * time.Hour, "", service, "36000", ""},
	} {
		out.From, out.ValidFor = tt.from, tt.valid
		tt.g.Send(t.Context(), out)
		f := got.PostForm
		if f.Get("From") != tt.wantFrom || f.Get("MessagingServiceSid") != tt.wantService || f.Get("ValidityPeriod") != tt.wantValidity {
			t.Errorf("got %v, want %+v", f, tt)
		}
		if f.Get("To") != out.To.Reveal() || f.Get("Body") != out.Body || got.URL.Path != "/2010-04-01/Accounts/"+account1+"/Messages.json" {
			t.Errorf("got %s %v", got.URL, f)
		}
		if got.Header.Get("Idempotency-Key")+got.Header.Get("X-Idempotency-Key") != "" {
			t.Error("an idempotency header makes net/http repeat the request")
		}
	}
	g.Send(t.Context(), out)
	if want := "https://texts.example/webhooks/twilio/status?m=77&a=4#rc=5&rp=all"; got.PostForm.Get("StatusCallback") != want {
		t.Errorf("got %s, want %s", got.PostForm.Get("StatusCallback"), want)
	}
}

func TestGateway_Send_readsRefusals(t *testing.T) {
	type outcome = campaign.Outcome
	code := func(n int) string { return fmt.Sprintf(`{"code":%d,"message":"no","status":400}`, n) }
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(body, "after ") {
			w.Header().Set("Retry-After", strings.TrimPrefix(body, "after "))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	g := mustNew(t, server.URL, nil)
	hold := func(code string) outcome {
		return outcome{Event: campaign.Postpone, Code: code, After: accountPause, Campaign: true}
	}
	for _, tt := range []struct {
		status int
		body   string
		want   outcome
	}{
		{400, code(21211), outcome{Event: campaign.Reject, Code: "21211"}},
		{400, code(21614), outcome{Event: campaign.Reject, Code: "21614"}},
		{400, code(21610), outcome{Event: campaign.Reject, Code: "21610", OptedOut: true}},
		{400, code(29999), outcome{Event: campaign.Reject, Code: "29999"}},
		{401, code(20003), hold("20003")},
		{404, code(20404), hold("20404")},
		{403, code(29999), hold("29999")},
		{400, code(21606), hold("21606")},
		{400, code(21612), hold("21612")},
		{400, code(21603), hold("21603")},
		{400, code(21611), hold("21611")},
		{400, code(63038), hold("63038")},
		{429, code(63038), hold("63038")},
		{429, code(20429), outcome{Event: campaign.Postpone, Code: "20429", After: 5 * time.Second}},
		{429, "after 7", outcome{Event: campaign.Postpone, Code: "20429", After: 7 * time.Second}},
		{429, "after 99999999", outcome{Event: campaign.Postpone, Code: "20429", After: 10 * time.Minute}},
		{400, "<html>", lost("http_400")},
		{400, "{}", lost("http_400")},
		{403, `{"code":21211`, lost("http_403")},
		{400, strings.Repeat("x", maxReply+1), lost("truncated")},
		{500, code(20429), lost("http_500")},
		{503, code(21211), lost("http_503")},
		{201, `{"sid":"short"}`, lost("no_sid")},
		{201, "thanks", lost("undecodable")},
		{200, `{"sid":"` + goodSID + `"}`, outcome{Event: campaign.Accept, SID: goodSID}},
		{200, `{}`, lost("no_sid")},
		{201, `{"sid":"` + goodSID + `"} and more`, lost("undecodable")},
		{201, `{"sid":7}`, lost("undecodable")},
		{302, `{"sid":"` + goodSID + `"}`, lost("http_302")},
		{204, "", lost("undecodable")},
		{307, "{}", lost("http_307")},
	} {
		status, body = tt.status, tt.body
		if got := g.Send(t.Context(), outgoing(1)); got != tt.want {
			t.Errorf("%d %.40s: got %+v, want %+v", tt.status, tt.body, got, tt.want)
		}
	}
}

// Refusals come in floods; each must leave its connection fit for the next. twilio-go does not read what follows an error document.
func TestGateway_Send_keepsConnectionsThroughRefusals(t *testing.T) {
	const sends, atOnce = 3000, 20
	var dials, requests atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		_ = r.ParseForm()
		w.WriteHeader([]int{429, 400, 500, 502, 307, 201}[n%6])
		_, _ = io.WriteString(w, `{"code":20429}`)
		_ = http.NewResponseController(w).Flush() // in chunks, the last of them late
		_, _ = io.WriteString(w, strings.Repeat(" ", 2000))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dials.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	g := mustNew(t, server.URL, func(c *Config) { c.Concurrency = atOnce })
	var wg sync.WaitGroup
	var next atomic.Int64
	for range atOnce {
		wg.Go(func() {
			for n := next.Add(1); n <= sends; n = next.Add(1) {
				if got := g.Send(t.Context(), outgoing(int(n))); got.Event == campaign.Accept || got.Code == CodeNotConnected {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
	wg.Wait()
	if dials.Load() > atOnce+5 || requests.Load() != sends {
		t.Errorf("%d requests for %d texts on %d connections", requests.Load(), sends, dials.Load())
	}
}

// What a reply may look like on the wire and still prove that the provider has the text.
func TestGateway_Send_acceptsWhatIsProof(t *testing.T) {
	document := func(sid, more string) string { return `{"sid":"` + sid + `","status":"queued"` + more + `}` }
	reply := func(head, body string) string {
		return fmt.Sprintf("%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, document(goodSID, ""))
	_ = z.Close()
	mms := "MM" + goodSID[2:]
	for _, tt := range []struct{ name, wire, sid string }{
		{"plain", reply("HTTP/1.1 201 Created", document(goodSID, "")), goodSID},
		{"as an MMS", reply("HTTP/1.1 201 Created", document(mms, "")), mms},
		{"200", reply("HTTP/1.1 200 OK", document(goodSID, "")), goodSID},
		{"no reason phrase", reply("HTTP/1.1 201", document(goodSID, "")), goodSID},
		{"HTTP/1.0", reply("HTTP/1.0 201 Created", document(goodSID, "")), goodSID},
		{"HTTP/1.0, until it closes", "HTTP/1.0 201 Created\r\n\r\n" + document(goodSID, ""), goodSID},
		{"connection: close", reply("HTTP/1.1 201 Created\r\nConnection: close", document(goodSID, "")), goodSID},
		{"after 100 and 103", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply("HTTP/1.1 201 Created", document(goodSID, "")), goodSID},
		{"in chunks", "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(document(goodSID, "")), document(goodSID, "")), goodSID},
		{"gzip", reply("HTTP/1.1 201 Created\r\nContent-Encoding: gzip", zipped.String()), goodSID},
		{"fields of other types", reply("HTTP/1.1 201 Created", document(goodSID, `,"num_segments":1,"error_code":"0","price":0.1,"date_sent":7,"new":{"a":[]}`)), goodSID},
		{"a code in a text that was taken", reply("HTTP/1.1 201 Created", document(goodSID, `,"error_code":30007,"status":"failed"`)), goodSID},
	} {
		s := newRaw(t, func(c *net.TCPConn, _ int64) {
			_, _ = io.WriteString(c, tt.wire)
			if strings.Contains(tt.wire, "HTTP/1.0") || strings.Contains(tt.wire, "close") {
				_ = c.CloseWrite()
			}
		})
		g := mustNew(t, s.url, nil)
		for range 2 {
			if got := g.Send(t.Context(), outgoing(1)); got != (campaign.Outcome{Event: campaign.Accept, SID: tt.sid}) {
				t.Errorf("%s: got %+v", tt.name, got)
			}
		}
		if got := s.requests.Load(); got != 2 {
			t.Errorf("%s: the provider saw %d requests for 2 texts", tt.name, got)
		}
	}
}

// Whatever is known, only proof moves a message away from unknown.
func TestClassify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reply{
			wrote:  rapid.Bool().Draw(t, "wrote"),
			broken: rapid.Bool().Draw(t, "broken"),
			status: rapid.SampledFrom([]int{0, 200, 201, 202, 302, 307, 400, 401, 404, 408, 429, 500, 502, 503}).Draw(t, "status"),
			sid:    rapid.SampledFrom([]string{"", "SM1", goodSID}).Draw(t, "sid"),
			header: http.Header{},
			err: rapid.SampledFrom([]error{nil, io.ErrUnexpectedEOF, context.DeadlineExceeded, &client.TwilioRestError{},
				&client.TwilioRestError{Code: 21211}, &client.TwilioRestError{Code: 20003}, &client.TwilioRestError{Code: 20429}}).Draw(t, "err"),
		}
		if r.status != 0 {
			r.wrote = true
		}
		o := classify(r)
		var refusal *client.TwilioRestError
		inWords := errors.As(r.err, &refusal) && refusal.Code > 0 && r.status/100 == 4 && !r.broken
		switch o.Event {
		case campaign.Accept:
			if r.status/100 != 2 || o.SID != goodSID || r.broken || r.err != nil {
				t.Fatalf("%+v was accepted", r)
			}
		case campaign.Postpone, campaign.Reject:
			if r.wrote && r.status != 429 && !inWords {
				t.Fatalf("%+v proves nothing, and became %+v", r, o)
			}
		case campaign.LoseSight:
			if !r.wrote || o.Code == "" {
				t.Fatalf("%+v became %+v", r, o)
			}
		default:
			t.Fatalf("%+v became %+v", r, o)
		}
	})
}

func TestNew(t *testing.T) {
	base := Config{BaseURL: "http://127.0.0.1:4010", AccountSID: account1, AuthToken: token1, From: "PCN", PublicURL: "https://texts.example",
		Machine: time.Now}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // part of the sentence, "" if it is fine
	}{
		{"loopback", func(*Config) {}, ""},
		{"localhost", func(c *Config) { c.BaseURL = "http://LOCALHOST:1/" }, ""},
		{"other loopback", func(c *Config) { c.BaseURL = "https://127.9.9.9" }, ""},
		{"IPv6 loopback", func(c *Config) { c.BaseURL = "http://[::1]:80" }, ""},
		{"mapped loopback", func(c *Config) { c.BaseURL = "http://[::ffff:127.0.0.1]:80" }, ""},
		{"remote, allowed", func(c *Config) { c.BaseURL = ""; c.SignedBy = "A. Signer" }, ""},
		{"remote, signed by nobody", func(c *Config) { c.BaseURL = "https://api.example"; c.SignedBy = " " }, "WELLPACED_LIVE_SIGNED_BY"},
		{"Twilio's own", func(c *Config) { c.BaseURL = "" }, "TWILIO_API_URL"},
		{"looks like loopback", func(c *Config) { c.BaseURL = "https://127.0.0.1.example.com" }, "not on this computer"},
		{"user before the host", func(c *Config) { c.BaseURL = "http://127.0.0.1@example.com" }, "TWILIO_API_URL"},
		{"all interfaces", func(c *Config) { c.BaseURL = "http://0.0.0.0:80" }, "not on this computer"},
		{"number for an address", func(c *Config) { c.BaseURL = "http://2130706433" }, "not on this computer"},
		{"remote in clear", func(c *Config) { c.BaseURL = "http://example.com"; c.SignedBy = "A. Signer" }, "https://"},
		{"callbacks in clear", func(c *Config) { c.BaseURL = ""; c.SignedBy = "A. Signer"; c.PublicURL = "http://texts.example" }, "public URL"},
		{"path", func(c *Config) { c.BaseURL = "http://127.0.0.1/twilio/" }, ""},
		{"path to be unescaped", func(c *Config) { c.BaseURL = "http://127.0.0.1/a%2Fb" }, "TWILIO_API_URL"},
		{"fragment", func(c *Config) { c.BaseURL = "http://127.0.0.1/#x" }, "TWILIO_API_URL"},
		{"no account", func(c *Config) { c.AccountSID = "" }, "TWILIO_ACCOUNT_SID"},
		{"no token", func(c *Config) { c.AuthToken = "not a token" }, "TWILIO_AUTH_TOKEN"},
		{"no sender", func(c *Config) { c.From = "" }, "TWILIO_FROM"},
		{"no public URL", func(c *Config) { c.PublicURL = "" }, "public URL"},
		{"time-out beyond the deadline", func(c *Config) { c.Timeout = 25 * time.Second }, "time-out"},
	} {
		cfg := base
		tt.change(&cfg)
		_, err := New(cfg)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want %q in it", tt.name, err, tt.want)
		case err != nil && strings.Contains(err.Error(), token1):
			t.Errorf("%s: the error shows the token", tt.name)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", base, base, base); strings.Contains(s, token1) {
		t.Error("a printed Config shows the token")
	}
}

// TWILIO_API_URL is all it takes, in each of the ways to write this computer's address.
func TestGateway_reachesThisComputer(t *testing.T) {
	w := newWorld(t, emulator.Faults{})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	urls := []string{"http://localhost:" + port, "http://localhost:" + port + "/", "http://127.0.0.1:" + port + "//"}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // where there is IPv6
		six := &http.Server{Handler: w.Handler(), ReadHeaderTimeout: time.Second}
		go func() { _ = six.Serve(l) }()
		defer six.Close()
		urls = append(urls, "http://"+l.Addr().String())
	} else {
		t.Logf("without IPv6: %v", err)
	}
	before := httptest.NewServer(http.StripPrefix("/at/twilio", w.Handler()))
	defer before.Close()
	for n, url := range append(urls, before.URL+"/at/twilio") {
		g := mustNew(t, url, nil)
		sid := mustSend(t, g, outgoing(n))[0]
		if got, err := g.List(t.Context(), phone(n)); err != nil || len(got) != 1 || got[0].SID != sid {
			t.Errorf("%s: listed %d, %v", url, len(got), err)
		}
		if got, err := g.Fetch(t.Context(), sid); err != nil || got.SID != sid {
			t.Errorf("%s: fetch: %v", url, err)
		}
	}
}

// Made-up people are never texted: not by the configuration, and not even if a name lies about where it leads.
func TestGateway_keepsMadeUpPeopleHome(t *testing.T) {
	g := mustNew(t, "https://api.example", func(c *Config) { c.SignedBy = "A. Signer"; c.PublicURL = "https://texts.example" })
	if got := g.Send(t.Context(), outgoing(1)); got != (campaign.Outcome{Event: campaign.Reject, Code: CodeSynthetic}) {
		t.Errorf("got %+v", got)
	}
	_, err := newTransport(1, true, nil).DialContext(t.Context(), "tcp", "192.0.2.1:443")
	if !errors.Is(err, errRemote) {
		t.Errorf("a loopback gateway dialled out: %v", err)
	}
}

func TestExplain(t *testing.T) {
	for code, want := range map[string]Kind{"30005": WrongNumber, "30006": WrongNumber, "21211": WrongNumber, "21614": WrongNumber, "30003": AnotherWay,
		"30004": AnotherWay, "30001": OurProblem, "30002": OurProblem, "30007": OurProblem, "63038": OurProblem, "20003": OurProblem, "stale": OurProblem,
		"30008": NotKnown, "30410": NotKnown, "98765": NotKnown, "": NotKnown, "http_502": NotKnown} {
		if got := Explain(code); got.Kind != want || got.Words == "" {
			t.Errorf("%s: got %+v, want %s", code, got, want)
		}
	}
}
