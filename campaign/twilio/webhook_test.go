package twilio

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

const publicURL = "https://texts.example"

// desk is a Receipts and an Inbox.
type desk struct {
	mu       sync.Mutex
	evidence []campaign.Evidence
	replies  []Reply
	err      error
}

func (d *desk) Adopt(_ context.Context, ev campaign.Evidence) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evidence = append(d.evidence, ev)
	return d.err
}

func (d *desk) Reply(_ context.Context, r Reply) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.replies = append(d.replies, r)
	return d.err
}

func mustWebhooks(tb testing.TB, d *desk, log *bytes.Buffer, change func(*WebhookConfig)) http.Handler {
	tb.Helper()
	cfg := WebhookConfig{PublicURL: publicURL, AuthToken: token1, PreviousToken: "previous", Receipts: d, Inbox: d,
		Now: func() time.Time { return day }, Log: slog.New(slog.NewTextHandler(log, nil))}
	if change != nil {
		change(&cfg)
	}
	h, err := Webhooks(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// sign is Twilio's rule, written down once more.
func sign(token, address string, form url.Values) string {
	h := hmac.New(sha1.New, []byte(token))
	_, _ = h.Write([]byte(address))
	for _, k := range slices.Sorted(maps.Keys(form)) {
		_, _ = h.Write([]byte(k + form.Get(k)))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func post(h http.Handler, path string, form url.Values, signature string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Host = "attacker.example" // counts for nothing
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", signature)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The first vector is the example of Twilio's documentation; the others were made with another implementation (openssl).
func TestVerify_golden(t *testing.T) {
	documented := url.Values{"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"}, "From": {"+14158675309"}, "To": {"+18005551212"}}
	status := url.Values{"MessageSid": {goodSID}, "MessageStatus": {"delivered"}}
	for _, tt := range []struct {
		token, address string
		form           url.Values
		signature      string
		want           bool
	}{
		{"12345", "https://mycompany.com/myapp.php?foo=1&bar=2", documented, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", true},
		{"12345", "https://mycompany.com/myapp.php?foo=1&bar=3", documented, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", false},
		{"12346", "https://mycompany.com/myapp.php?foo=1&bar=2", documented, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", false},
		{token1, "https://texts.example/webhooks/twilio/status?m=77&a=4", status, "3/2TObVXrB+RFbcJb0ugu0tqA9k=", true},
		{token1, "https://texts.example/webhooks/twilio/status?a=4&m=77", status, "3/2TObVXrB+RFbcJb0ugu0tqA9k=", false},
		{token1, "https://texts.example/webhooks/twilio/status?m=77&a=4", status, "", false},
	} {
		h := &webhooks{WebhookConfig{AuthToken: tt.token}}
		if got := h.verify(tt.address, tt.form, tt.signature); got != tt.want {
			t.Errorf("%s with %s: got %v", tt.address, tt.signature, got)
		}
	}
}

func TestWebhooks_status(t *testing.T) {
	const path = StatusPath + "?m=77&a=4"
	form := func(status string) url.Values {
		return url.Values{"MessageSid": {goodSID}, "MessageStatus": {status}, "To": {"+447700900123"}, "ErrorCode": {"30003"}}
	}
	for _, tt := range []struct {
		name, path, token string
		form              url.Values
		err               error
		code              int
		want              campaign.Event // "" if nothing may be adopted
	}{
		{"delivered", path, token1, form("delivered"), nil, 204, campaign.Deliver},
		{"undelivered", path, token1, form("undelivered"), nil, 204, campaign.Undeliver},
		{"failed", path, token1, form("failed"), nil, 204, campaign.Fail},
		{"sent", path, token1, form("sent"), nil, 204, campaign.ReportSent},
		{"sending", path, token1, form("sending"), nil, 204, campaign.Accept},
		{"queued", path, token1, form("queued"), nil, 204, campaign.Accept},
		{"accepted", path, token1, form("accepted"), nil, 204, campaign.Accept},
		{"a status of tomorrow", path, token1, form("pondering"), nil, 204, campaign.Accept},
		{"previous token", path, "previous", form("delivered"), nil, 204, campaign.Deliver},
		{"unknown message", path, token1, form("delivered"), fmt.Errorf("adopt: %w", campaign.ErrNotFound), 204, campaign.Deliver},
		{"database away", path, token1, form("delivered"), errors.New("disk full"), 503, campaign.Deliver},
		{"wrong token", path, "guess", form("delivered"), nil, 403, ""},
		{"no message", StatusPath, token1, form("delivered"), nil, 204, ""},
		{"strange message", StatusPath + "?m=x&a=1", token1, form("delivered"), nil, 204, ""},
		{"negative message", StatusPath + "?m=-1&a=1", token1, form("delivered"), nil, 204, ""},
		{"no sid", path, token1, url.Values{"MessageStatus": {"sent"}}, nil, 204, ""},
		{"too long", path, token1, url.Values{"MessageSid": {strings.Repeat("x", maxWebhook)}}, nil, 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			d := &desk{err: tt.err}
			w := post(mustWebhooks(t, d, &log, nil), tt.path, tt.form, sign(tt.token, publicURL+tt.path, tt.form))
			if w.Code != tt.code {
				t.Errorf("got %d, want %d", w.Code, tt.code)
			}
			if tt.want == "" {
				if len(d.evidence) != 0 {
					t.Errorf("adopted %+v", d.evidence)
				}
			} else if want := (campaign.Evidence{Message: 77, Attempt: 4, Event: tt.want, Kind: "callback", SID: goodSID, Code: "30003", At: day}); len(d.evidence) != 1 ||
				d.evidence[0] != want {
				t.Errorf("got %+v, want %+v", d.evidence, want)
			}
			if strings.Contains(log.String(), "447700900123") {
				t.Errorf("the log tells the number: %s", &log)
			}
			if (tt.code != 204 && tt.code != 400 || tt.err != nil || tt.want == "" && tt.code == 204) && log.Len() == 0 {
				t.Error("nothing was logged")
			}
		})
	}
}

// A signature covers the address and every field: none of them can be changed.
func TestWebhooks_tampering(t *testing.T) {
	form := url.Values{"MessageSid": {goodSID}, "MessageStatus": {"failed"}, "ErrorCode": {"0"}}
	signature := sign(token1, publicURL+StatusPath+"?m=77&a=4", form)
	d := &desk{}
	var log bytes.Buffer
	h := mustWebhooks(t, d, &log, nil)
	changed := url.Values{"MessageSid": {goodSID}, "MessageStatus": {"delivered"}, "ErrorCode": {"0"}}
	for _, w := range []*httptest.ResponseRecorder{
		post(h, StatusPath+"?m=78&a=4", form, signature),
		post(h, StatusPath+"?m=77&a=4&m=78", form, signature),
		post(h, InboundPath+"?m=77&a=4", form, signature),
		post(h, StatusPath+"?m=77&a=4", changed, signature),
		post(h, StatusPath+"?m=77&a=4", form, signature+" "),
		post(h, StatusPath+"?m=77&a=4", form, ""),
	} {
		if w.Code != http.StatusForbidden {
			t.Errorf("got %d", w.Code)
		}
	}
	if w := post(h, StatusPath+"?m=77&a=4", form, signature); w.Code != 204 || len(d.evidence) != 1 || d.evidence[0].Code != "" {
		t.Errorf("the real one: got %d, %+v", w.Code, d.evidence)
	}
	r := httptest.NewRequest(http.MethodGet, StatusPath, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d", w.Code)
	}
}

func TestWebhooks_inbound(t *testing.T) {
	for _, tt := range []struct {
		name string
		form url.Values
		err  error
		code int
		want int
	}{
		{"reply", url.Values{"From": {"+447700900123"}, "To": {"+447700900999"}, "Body": {"yes please"}, "MessageSid": {goodSID}}, nil, 200, 1},
		{"opt-out in other words", url.Values{"From": {"+447700900123"}, "Body": {"arrêt"}, "OptOutType": {"STOP"}}, nil, 200, 1},
		{"the end of an opt-out", url.Values{"From": {"+447700900123"}, "Body": {"YES"}, "OptOutType": {"START"}}, nil, 200, 1},
		{"help, and a picture", url.Values{"From": {"+447700900123"}, "Body": {"HELP"}, "OptOutType": {"HELP"}, "NumMedia": {"2"}}, nil, 200, 1},
		{"short code", url.Values{"From": {"60777"}, "Body": {"win"}}, nil, 204, 0},
		{"nobody", url.Values{}, nil, 204, 0},
		{"database away", url.Values{"From": {"+447700900123"}, "Body": {"STOP"}}, errors.New("disk full"), 503, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			d := &desk{err: tt.err}
			w := post(mustWebhooks(t, d, &log, nil), InboundPath, tt.form, sign(token1, publicURL+InboundPath, tt.form))
			if w.Code != tt.code || len(d.replies) != tt.want {
				t.Fatalf("got %d and %d replies", w.Code, len(d.replies))
			}
			if tt.code == 200 && !strings.HasSuffix(w.Body.String(), "<Response/>") {
				t.Errorf("got %s", w.Body)
			}
			for _, r := range d.replies {
				if r.From.Reveal() != tt.form.Get("From") || r.Body != tt.form.Get("Body") || r.To != tt.form.Get("To") || r.SID != tt.form.Get("MessageSid") ||
					r.Stop != (tt.form.Get("OptOutType") == "STOP") || r.Start != (tt.form.Get("OptOutType") == "START") || (r.Media == 2) != (tt.form.Get("NumMedia") == "2") {
					t.Error("the reply is not what was sent")
				}
				if s := fmt.Sprintf("%v %+v %#v %s", r, r, r, r); strings.Contains(s, "7700") || strings.Contains(s, r.Body) {
					t.Errorf("a printed reply shows %s", s)
				}
			}
			if strings.Contains(log.String(), "7700900123") || tt.form.Get("Body") != "" && strings.Contains(log.String(), tt.form.Get("Body")) {
				t.Errorf("the log shows the person: %s", &log)
			}
		})
	}
}

func TestWebhooks_needsATokenToCheck(t *testing.T) {
	d := &desk{}
	if _, err := Webhooks(WebhookConfig{PublicURL: publicURL, Receipts: d, Inbox: d, Now: time.Now, Log: slog.Default()}); err == nil {
		t.Error("without a token anybody could sign with the empty one")
	}
}

// The whole circle: a text goes out, and its receipts come home to the attempt that sent it.
func TestWebhooks_fromTheEmulator(t *testing.T) {
	w := newWorld(t, emulator.Faults{CallbackTwice: .5, CallbackReorder: .3})
	var hooks http.Handler
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { hooks.ServeHTTP(rw, r) }))
	defer site.Close()
	d := &desk{}
	var log bytes.Buffer
	hooks = mustWebhooks(t, d, &log, func(c *WebhookConfig) { c.PublicURL = site.URL })
	g := mustNew(t, w.url, func(c *Config) { c.PublicURL, c.From = site.URL, "+447700900500" })
	var outs []campaign.Outgoing
	for n := 1; n <= 20; n++ {
		o := outgoing(n)
		o.Attempt = n % 3
		o.ValidFor = 0
		outs = append(outs, o)
	}
	sids := mustSend(t, g, outs...)
	if err := w.Tick(t.Context(), day.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	got := map[campaign.MessageID]map[campaign.Event]int{}
	for _, ev := range d.evidence {
		o := outs[ev.Message-1]
		if ev.Attempt != o.Attempt || ev.SID != sids[ev.Message-1] || ev.Kind != "callback" {
			t.Errorf("got %+v for attempt %d of %d, sid %s", ev, o.Attempt, o.Message, sids[ev.Message-1])
		}
		if got[ev.Message] == nil {
			got[ev.Message] = map[campaign.Event]int{}
		}
		got[ev.Message][ev.Event]++
	}
	for _, o := range outs {
		if got[o.Message][campaign.ReportSent] == 0 || got[o.Message][campaign.Deliver] == 0 {
			t.Errorf("message %d got %v", o.Message, got[o.Message])
		}
	}
	if err := w.InboundFrom(t.Context(), phone(5).Reveal(), "yes, ring me", site.URL+InboundPath); err != nil {
		t.Fatal(err)
	}
	if len(d.replies) != 1 || d.replies[0].From != phone(5) || d.replies[0].To != "+447700900500" || d.replies[0].Body != "yes, ring me" {
		t.Errorf("got replies %v", d.replies)
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}

// Forged, replayed, doubled, early and out of order, and a database that refuses now and then: each text's receipts come home all the same, because
// the URL asks Twilio to try five times more, and nothing comes home that the provider did not say.
func TestWebhooks_underEachFault(t *testing.T) {
	w := newWorld(t, emulator.Faults{CallbackTwice: .2, CallbackReorder: .2, CallbackEarly: .2, CallbackForged: .6})
	d := &moody{tries: map[string]int{}}
	var log bytes.Buffer
	var hooks http.Handler
	answers := map[int]int{}
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		hooks.ServeHTTP(rec, r)
		d.mu.Lock()
		answers[rec.Code]++
		d.mu.Unlock()
		rw.WriteHeader(rec.Code)
	}))
	defer site.Close()
	hooks = mustWebhooks(t, &d.desk, &log, func(c *WebhookConfig) { c.PublicURL, c.Receipts, c.Log = site.URL, d, slog.New(slog.DiscardHandler) })
	g := mustNew(t, w.url, func(c *Config) { c.PublicURL = site.URL })
	sids := map[campaign.MessageID]string{}
	for n := 1; n <= 40; n++ {
		o := outgoing(n)
		o.ValidFor = 0
		sids[o.Message] = mustSend(t, g, o)[0]
	}
	if err := w.Tick(t.Context(), day.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	home := map[campaign.MessageID]bool{}
	for _, ev := range d.evidence {
		if ev.SID != sids[ev.Message] || ev.Attempt != 1 {
			t.Errorf("a lie came home: %+v", ev)
		}
		home[ev.Message] = home[ev.Message] || ev.Event == campaign.Deliver
	}
	for m := range sids {
		if !home[m] {
			t.Errorf("the receipt of message %d was lost", m)
		}
	}
	struck := w.Struck()
	if struck[emulator.StruckForged] == 0 || struck[emulator.StruckForgedTaken] != 0 || struck[emulator.StruckReplayed] == 0 || struck[emulator.StruckEarly] == 0 {
		t.Errorf("struck %v", struck)
	}
	if answers[http.StatusServiceUnavailable] == 0 || answers[http.StatusForbidden] != struck[emulator.StruckForged] {
		t.Errorf("answers %v, struck %v", answers, struck)
	}
}

// moody takes each receipt at the third try.
type moody struct {
	desk
	tries map[string]int
}

func (m *moody) Adopt(ctx context.Context, ev campaign.Evidence) error {
	m.mu.Lock()
	key := fmt.Sprint(ev.Message, ev.Event, ev.SID)
	m.tries[key]++
	refuse := m.tries[key] < 3
	m.mu.Unlock()
	if refuse {
		return errors.New("the database is away")
	}
	return m.desk.Adopt(ctx, ev)
}
