package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twilio/twilio-go/client"
	twilio "github.com/twilio/twilio-go/rest/api/v2010"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	token   = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
	sender  = "+447700900500"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// clock is civil time that only tests move.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms.Load()).UTC() }

// rig is an emulator, its server, and a site that takes its webhooks.
type rig struct {
	*Emulator
	clock *clock
	api   *httptest.Server
	site  *httptest.Server

	mu     sync.Mutex
	hooks  []hooked
	answer func(n int) int // status for the nth webhook; nil: 204
}

type hooked struct {
	path, idempotency string
	form              url.Values
	signed            bool
}

func (h hooked) String() string {
	return h.form.Get("MessageStatus") + h.form.Get("Body") + " " + h.form.Get("ErrorCode")
}

func newRig(tb testing.TB, change func(*Config)) *rig {
	tb.Helper()
	r := &rig{clock: &clock{}}
	r.clock.ms.Store(start.UnixMilli())
	r.site = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		form, _ := url.ParseQuery(string(body))
		validator := client.NewRequestValidator(token)
		h := hooked{path: req.URL.RequestURI(), form: form, idempotency: req.Header.Get("I-Twilio-Idempotency-Token"),
			signed: validator.ValidateBody(r.site.URL+req.URL.RequestURI(), body, req.Header.Get("X-Twilio-Signature"))}
		r.mu.Lock()
		r.hooks = append(r.hooks, h)
		status := http.StatusNoContent
		if r.answer != nil {
			status = r.answer(len(r.hooks))
		}
		r.mu.Unlock()
		w.WriteHeader(status)
	}))
	tb.Cleanup(r.site.Close)
	cfg := Config{Dir: tb.TempDir(), AccountSID: account, AuthToken: token, Now: r.clock.now, Seed: 7,
		Delivery: Delivery{Delivered: 1}, InboundURL: r.site.URL + "/inbound"}
	if change != nil {
		change(&cfg)
	}
	r.open(tb, cfg)
	return r
}

func (r *rig) open(tb testing.TB, cfg Config) {
	tb.Helper()
	e, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	r.Emulator = e
	r.api = httptest.NewServer(e.Handler())
	tb.Cleanup(func() { _ = e.Close() })
	tb.Cleanup(r.api.Close)
}

// killed copies the journal as kill -9 would leave it and opens another emulator on the copy.
func (r *rig) killed(tb testing.TB, tear string) *rig {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(r.cfg.Dir, JournalFile))
	if err != nil {
		tb.Fatal(err)
	}
	next := &rig{clock: r.clock, site: r.site}
	cfg := r.cfg
	cfg.Dir = tb.TempDir()
	if err := os.WriteFile(filepath.Join(cfg.Dir, JournalFile), append(raw, tear...), 0o600); err != nil {
		tb.Fatal(err)
	}
	next.open(tb, cfg)
	return next
}

func (r *rig) forwarded() []hooked {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hooks)
}

// forward moves the clock by d and does what is due.
func (r *rig) forward(tb testing.TB, d time.Duration) {
	tb.Helper()
	r.clock.ms.Add(d.Milliseconds())
	if err := r.Tick(tb.Context(), r.clock.now()); err != nil {
		tb.Fatal(err)
	}
}

type rewrite struct{ base *url.URL }

func (t rewrite) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = t.base.Scheme, t.base.Host
	return http.DefaultTransport.RoundTrip(r)
}

// twilioGo is the real client.
func (r *rig) twilioGo(tb testing.TB) *twilio.ApiService {
	tb.Helper()
	base, err := url.Parse(r.api.URL)
	if err != nil {
		tb.Fatal(err)
	}
	c := &client.Client{Credentials: client.NewCredentials(account, token), HTTPClient: &http.Client{Transport: rewrite{base},
		Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	c.SetAccountSid(account)
	return twilio.NewApiServiceWithClient(c)
}

func number(n int) string { return fmt.Sprintf("+4477009%05d", n) }

// send accepts a text with a status callback and returns its SID.
func (r *rig) send(tb testing.TB, to, body string) string {
	tb.Helper()
	res := r.post(tb, url.Values{"To": {to}, "From": {sender}, "Body": {body}, "StatusCallback": {r.site.URL + "/status?a=1#rc=2&rp=all"}})
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusCreated {
		tb.Fatalf("send: %d %s", res.StatusCode, raw)
	}
	_, rest, _ := strings.Cut(string(raw), `"sid":"`)
	return rest[:34]
}

func (r *rig) post(tb testing.TB, form url.Values) *http.Response {
	tb.Helper()
	res, err := r.tryPost(tb.Context(), http.DefaultClient, form)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

func (r *rig) tryPost(ctx context.Context, c *http.Client, form url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.api.URL+"/2010-04-01/Accounts/"+account+"/Messages.json", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(account, token)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.Do(req)
}

func (r *rig) read(tb testing.TB) Journal {
	tb.Helper()
	j, err := ReadJournal(r.cfg.Dir)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

func TestEmulator_statusesAndCallbacks(t *testing.T) {
	r := newRig(t, nil)
	id := r.send(t, number(1), "Hello")
	if next, ok := r.Next(); !ok || next.Before(start.Add(time.Second)) || next.After(start.Add(3*time.Second)) {
		t.Fatalf("Next() = %v, %v; want 1 to 3 s after the start", next, ok)
	}
	if err := r.Tick(t.Context(), start); err != nil || len(r.forwarded()) != 0 {
		t.Fatalf("a callback before anything was due: %v %v", r.forwarded(), err)
	}
	r.forward(t, time.Minute)
	hooks := r.forwarded()
	if got, want := fmt.Sprint(hooks), "[sent  delivered ]"; got != want {
		t.Fatalf("callbacks %s, want %s", got, want)
	}
	for _, h := range hooks {
		if !h.signed || h.path != "/status?a=1" || h.idempotency == "" {
			t.Errorf("callback %+v: want it signed, on the URL without its fragment, with an idempotency token", h)
		}
		for key, want := range map[string]string{"MessageSid": id, "SmsSid": id, "To": number(1), "From": sender, "AccountSid": account,
			"ApiVersion": "2010-04-01", "SmsStatus": h.form.Get("MessageStatus")} {
			if got := h.form.Get(key); got != want {
				t.Errorf("%s = %q, want %q", key, got, want)
			}
		}
	}
	if hooks[0].idempotency == hooks[1].idempotency {
		t.Error("two statuses share an idempotency token")
	}
	if _, ok := r.Next(); ok || r.InFlight() != 0 {
		t.Error("something is due or in flight after the last status")
	}
	texts := r.Texts(0, 10)
	if len(texts) != 1 || texts[0].Body != "Hello" || texts[0].Delivery != 1 || len(r.Texts(1, 10)) != 0 {
		t.Errorf("Texts = %+v", texts)
	}
	if shown := fmt.Sprintf("%v %+v %#v", texts[0], texts[0], texts[0]); strings.Contains(shown, "Hello") || strings.Contains(shown, "7700") {
		t.Errorf("a text shows its person: %s", shown)
	}
}

func TestEmulator_undelivered(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Delivery = Delivery{Undelivered: 1} })
	r.send(t, number(1), "Hello")
	r.forward(t, time.Hour)
	hooks := r.forwarded()
	if len(hooks) != 2 || hooks[1].form.Get("MessageStatus") != "undelivered" || hooks[0].form.Has("ErrorCode") ||
		!slices.Contains([]string{"30003", "30005", "30006"}, hooks[1].form.Get("ErrorCode")) {
		t.Fatalf("callbacks %v", hooks)
	}
	if len(r.Texts(0, 10)) != 0 {
		t.Error("an undelivered text reached the town")
	}
}

// The retry rules of Twilio's connection overrides.
func TestEmulator_callbackRetries(t *testing.T) {
	for _, tt := range []struct {
		name, fragment string
		answers        []int
		want           int
	}{
		{"a refusal is not retried by default", "", []int{503}, 1},
		{"5xx retried when asked", "#rc=3&rp=5xx", []int{503, 503, 204}, 3},
		{"4xx is not 5xx", "#rc=3&rp=5xx", []int{404}, 1},
		{"several policies", "#rc=1&rp=ct,4xx", []int{404, 204}, 2},
		{"rc bounds", "#rc=1&rp=all", []int{500, 500, 204}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Delivery = Delivery{Failed: 1} }) // one callback
			r.answer = func(n int) int { return tt.answers[n-1] }
			r.post(t, url.Values{"To": {number(1)}, "From": {sender}, "Body": {"x"}, "StatusCallback": {r.site.URL + "/s" + tt.fragment}}).Body.Close()
			r.forward(t, time.Hour)
			if got := len(r.forwarded()); got != tt.want {
				t.Errorf("%d posts, want %d", got, tt.want)
			}
			if _, ok := r.Next(); ok {
				t.Error("the callback is due again: it should have been settled or given up")
			}
		})
	}
}

func TestEmulator_callbackCutShortIsDueAgain(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Delivery = Delivery{Failed: 1} })
	r.send(t, number(1), "x")
	ctx, cancel := context.WithCancel(t.Context())
	r.answer = func(int) int { cancel(); return 503 }
	if err := r.Tick(ctx, start.Add(time.Hour)); err == nil {
		t.Fatal("Tick said nothing of its context")
	}
	r.mu.Lock()
	r.answer = nil
	r.mu.Unlock()
	r.forward(t, time.Hour)
	if got := fmt.Sprint(r.forwarded()); got != "[failed 30008 failed 30008]" {
		t.Errorf("callbacks %s, want the same one twice", got)
	}
}

func TestEmulator_callbackFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults Faults
		want   string
	}{
		{"twice", Faults{CallbackTwice: 1}, "[sent  sent  delivered  delivered ]"},
		{"reordered", Faults{CallbackReorder: 1}, "[delivered  sent ]"},
		{"dropped", Faults{CallbackDrop: 1}, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Faults = tt.faults })
			r.send(t, number(1), "x")
			defer func() {
				if len(r.Struck()) != 1 {
					t.Errorf("struck %v", r.Struck())
				}
			}()
			for {
				next, ok := r.Next()
				if !ok {
					break
				}
				r.forward(t, next.Sub(r.clock.now()))
			}
			if got := fmt.Sprint(r.forwarded()); got != tt.want {
				t.Errorf("callbacks %s, want %s", got, tt.want)
			}
		})
	}
	t.Run("early", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Faults = Faults{CallbackEarly: 1} })
		r.send(t, number(1), "x")
		if got := fmt.Sprint(r.forwarded()); got != "[sent ]" {
			t.Fatalf("callbacks before the reply: %s", got)
		}
		r.forward(t, time.Hour)
		if got := fmt.Sprint(r.forwarded()); got != "[sent  delivered ]" {
			t.Errorf("callbacks %s", got)
		}
	})
}

// Forgeries come before the truth: whoever checks signatures refuses all but those that were genuine once.
func TestEmulator_forgedCallbacks(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Faults = Faults{CallbackForged: 1} })
	r.answer = func(n int) int {
		if r.hooks[n-1].signed {
			return 204
		}
		return 403
	}
	real := map[string]bool{}
	for n := range 30 {
		real[r.send(t, number(n), "x")] = true
	}
	r.forward(t, time.Hour)
	struck, forged, replayed := r.Struck(), 0, 0
	for i, h := range r.forwarded() {
		switch {
		case !h.signed:
			forged++
			if real[h.form.Get("MessageSid")] {
				t.Fatal("a forgery tells of a real text: taking it would do no harm")
			}
		case h.idempotency == "forged":
			replayed++
			if h.form.Get("MessageStatus") != "sent" || !real[h.form.Get("MessageSid")] {
				t.Errorf("replayed %v", h)
			}
		case i == 0:
			t.Error("the truth came first")
		}
	}
	if forged == 0 || replayed == 0 || struck[StruckForged] != forged || struck[StruckReplayed] != replayed || struck[StruckForgedTaken] != 0 {
		t.Errorf("%d forged and %d replayed, struck %v", forged, replayed, struck)
	}
	r.answer = nil // somebody who believes everybody
	r.send(t, number(99), "x")
	r.forward(t, time.Hour)
	if r.Struck()[StruckForgedTaken] == 0 {
		t.Error("nobody noticed that forgeries were taken")
	}
	if got := r.killed(t, "").Struck(); !maps.Equal(got, r.Struck()) {
		t.Errorf("after kill -9 %v, before %v", got, r.Struck())
	}
}

func TestEmulator_stop(t *testing.T) {
	r := newRig(t, nil)
	form := func(from string) url.Values {
		return url.Values{"To": {number(1)}, "From": {from}, "Body": {"Hello"}}
	}
	if err := r.InboundFrom(t.Context(), number(1), "STOP", ""); !errors.Is(err, ErrNoText) {
		t.Errorf("reply from a phone without a text: %v", err)
	}
	r.post(t, form("PCN Health")).Body.Close()
	r.forward(t, time.Hour)
	if err := r.InboundFrom(t.Context(), number(1), "STOP", ""); !errors.Is(err, ErrOneWay) {
		t.Errorf("reply to a name: %v", err)
	}
	r.post(t, form(sender)).Body.Close()
	r.forward(t, 10*time.Hour)
	if err := r.InboundFrom(t.Context(), number(1), " stop\n", r.site.URL+"/in#rc=1"); err != nil {
		t.Fatal(err)
	}
	hooks := r.forwarded()
	if h := hooks[len(hooks)-1]; !h.signed || h.path != "/in" || h.form.Get("From") != number(1) || h.form.Get("To") != sender ||
		h.form.Get("Body") != " stop\n" || h.form.Get("SmsStatus") != "received" || !sidPattern.MatchString(h.form.Get("MessageSid")) {
		t.Fatalf("inbound webhook %+v", h.form)
	}
	for name, r := range map[string]*rig{"running": r, "restarted": r.killed(t, "")} {
		if got := r.post(t, form(sender)); !strings.Contains(bodyOf(got), `"code":21610`) {
			t.Errorf("%s: a text after STOP was answered %d", name, got.StatusCode)
		}
		if got := r.post(t, form("PCN Health")); bodyOf(got) == "" || got.StatusCode != 201 {
			t.Errorf("%s: STOP to one sender stopped another: %d", name, got.StatusCode)
		}
	}
	if err := r.InboundFrom(t.Context(), number(1), "Start", ""); !errors.Is(err, ErrOneWay) && err != nil {
		t.Fatal(err)
	}
}

func bodyOf(res *http.Response) string {
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return string(raw)
}

// The order of sending must not change the world: senders are concurrent.
func TestDelivery_doesNotDependOnOrder(t *testing.T) {
	fares := func(order []int) map[string]line {
		out := map[string]line{}
		for _, n := range order {
			l := line{To: number(n), At: 1e12, Validity: 36000}
			Delivery{}.orDefault().plan(3, &l, 0)
			out[l.To] = l
		}
		return out
	}
	var up []int
	for n := range 20000 {
		up = append(up, n)
	}
	a := fares(up)
	count := map[status]int{}
	slowOnes := 0
	for _, l := range a {
		count[l.PlanFinal]++
		if l.PlanFinal == delivered && l.PlanDone-l.At > 5*60*1000 {
			slowOnes++
		}
		if l.PlanSent != 0 && (l.PlanSent-l.At < 1000 || l.PlanSent-l.At > 3000 || l.PlanDone <= l.PlanSent) {
			t.Fatalf("odd plan %+v", l)
		}
	}
	for s, want := range map[status]float64{delivered: .965, undelivered: .03, failed: .005} {
		if got := float64(count[s]) / 20000; got < want-.005 || got > want+.005 {
			t.Errorf("%s: %.4f, want about %.3f", s, got, want)
		}
	}
	if got := float64(slowOnes) / float64(count[delivered]); got < .02 || got > .04 {
		t.Errorf("slow tail %.4f, want about .03", got)
	}
	slices.Reverse(up)
	for to, l := range fares(up) {
		if a[to] != l {
			t.Fatalf("another order, another fate")
		}
	}
}

// A text's validity ends with the sending window: nothing may arrive after it.
func TestDelivery_validity(t *testing.T) {
	for n := range 2000 {
		l := line{To: number(n), At: 1e12, Validity: 1 + n%60}
		Delivery{Delivered: 1, Slow: 1}.plan(3, &l, 0)
		if end := l.At + int64(l.Validity)*1000; l.PlanDone > end || l.PlanFinal == delivered {
			t.Fatalf("validity %d s: %+v", l.Validity, l)
		}
	}
}

func TestSegments(t *testing.T) {
	for _, tt := range []struct {
		body string
		want int
	}{
		{"", 1},
		{strings.Repeat("a", 160), 1},
		{strings.Repeat("a", 161), 2},
		{strings.Repeat("a", 306), 2},
		{strings.Repeat("a", 307), 3},
		{strings.Repeat("€", 80), 1},
		{strings.Repeat("€", 81), 2},
		{strings.Repeat("€", 153), 3}, // 76 to a part: an escape is not split
		{strings.Repeat("ŵ", 70), 1},
		{strings.Repeat("ŵ", 71), 2},
		{strings.Repeat("😀", 35), 1},
		{strings.Repeat("😀", 67), 3}, // 33 to a part: a pair is not split
		{"Siân " + strings.Repeat("a", 66), 2},
		{"Zoë costs £5", 1},
	} {
		if got := segments(tt.body); got != tt.want {
			t.Errorf("segments(%d runes of %.6q) = %d, want %d", len([]rune(tt.body)), tt.body, got, tt.want)
		}
	}
}
