package twilio

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

func mustSend(tb testing.TB, g *Gateway, outs ...campaign.Outgoing) (sids []string) {
	tb.Helper()
	for _, o := range outs {
		got := g.Send(tb.Context(), o)
		if got.Event != campaign.Accept {
			tb.Fatalf("send: %+v", got)
		}
		sids = append(sids, got.SID)
	}
	return sids
}

func TestGateway_List(t *testing.T) {
	w := newWorld(t, emulator.Faults{})
	g := mustNew(t, w.url, nil)
	var outs []campaign.Outgoing
	for range 230 { // three pages
		outs = append(outs, outgoing(1), outgoing(2))
	}
	sids := mustSend(t, g, outs...)
	got, err := g.List(t.Context(), phone(1))
	if err != nil || len(got) != 230 {
		t.Fatalf("got %d texts, %v, want 230", len(got), err)
	}
	seen := map[string]bool{}
	for _, l := range got {
		if l.To != phone(1) || l.Body != outgoing(1).Body || l.Status != "queued" || !l.At.Equal(day) {
			t.Fatalf("got %v at %v", l.Status, l.At)
		}
		seen[l.SID] = true
	}
	for i := 0; i < len(sids); i += 2 {
		if !seen[sids[i]] {
			t.Errorf("text %s is missing", sids[i])
		}
	}
	if got, err := g.List(t.Context(), phone(3)); err != nil || len(got) != 0 {
		t.Errorf("a number without texts: got %d, %v", len(got), err)
	}
	all := 0
	if err := g.ListAll(t.Context(), time.Time{}, func(campaign.Listed) error { all++; return nil }); err != nil || all != 460 {
		t.Errorf("ListAll gave %d, %v, want 460", all, err)
	}
	if err := g.ListAll(t.Context(), day.Add(time.Second), func(campaign.Listed) error { return errors.New("too old") }); err != nil {
		t.Error(err)
	}
	stop := errors.New("stop")
	if err := g.ListAll(t.Context(), time.Time{}, func(campaign.Listed) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}

}

// A listing is whole or it is an error, whatever the provider does to its pages; three in a row that fail end it.
func TestGateway_List_underEachFault(t *testing.T) {
	w := newWorld(t, emulator.Faults{})
	g := mustNew(t, w.url, nil)
	for range 101 { // two pages
		mustSend(t, g, outgoing(1))
	}
	for _, tt := range []struct {
		name   string
		faults emulator.Faults
		want   int // texts, -1 for an error
		busy   bool
	}{
		{"none", emulator.Faults{}, 101, false},
		{"500", emulator.Faults{List500: 1}, -1, false},
		{"429", emulator.Faults{List429: 1}, -1, true},
		{"not a list", emulator.Faults{ListNoList: 1}, -1, false},
		{"cut off", emulator.Faults{ListCut: 1}, -1, false},
		{"500 on the second page", emulator.Faults{ListNext500: 1}, -1, false},
		{"second page leads to itself", emulator.Faults{ListCircle: 1}, 101, false}, // it is the last
		{"a text on both pages", emulator.Faults{ListOverlap: 1}, 102, false},
		{"redacted", emulator.Faults{ListRedacted: 1}, 101, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.SetFaults(tt.faults)
			got, err := g.List(t.Context(), phone(1))
			if tt.want < 0 && err == nil || tt.want >= 0 && (err != nil || len(got) != tt.want) {
				t.Fatalf("%d texts, %v; want %d", len(got), err, tt.want)
			}
			if errors.Is(err, campaign.ErrBusy) != tt.busy {
				t.Errorf("busy: %v", err)
			}
			for _, l := range got {
				if (l.Body == "") != (tt.name == "redacted") {
					t.Fatalf("body %q", l.Body)
				}
			}
		})
	}
	// Three in ten fail, and each listing that succeeds is whole.
	w.SetFaults(emulator.Faults{List500: .1, ListCut: .1, ListNoList: .1})
	whole := 0
	for range 12 {
		if got, err := g.List(t.Context(), phone(1)); err == nil && len(got) == 101 {
			whole++
		} else if err == nil {
			t.Fatalf("a listing of %d", len(got))
		}
	}
	if whole < 6 {
		t.Errorf("%d of 12 listings came through", whole)
	}
}

func TestGateway_Fetch(t *testing.T) {
	w := newWorld(t, emulator.Faults{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer site.Close()
	g := mustNew(t, w.url, func(c *Config) { c.PublicURL = site.URL })
	sid := mustSend(t, g, outgoing(1))[0]
	want := campaign.Listed{SID: sid, Body: outgoing(1).Body, Status: "queued", To: phone(1), At: day}
	if got, err := g.Fetch(t.Context(), sid); err != nil || got != want {
		t.Errorf("got %s %s, %v", got.SID, got.Status, err)
	}
	if err := w.Tick(t.Context(), day.Add(12*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got, err := g.Fetch(t.Context(), sid); err != nil || got.Status != "delivered" {
		t.Errorf("got %s, %v", got.Status, err)
	}
	if _, err := g.Fetch(t.Context(), goodSID); !errors.Is(err, campaign.ErrNoText) {
		t.Errorf("a text that is not there: %v", err)
	}
	w.SetFaults(emulator.Faults{Fetch429: 1})
	if _, err := g.Fetch(t.Context(), sid); !errors.Is(err, campaign.ErrBusy) {
		t.Errorf("429: %v", err)
	}
	w.SetFaults(emulator.Faults{Fetch500: 1})
	if _, err := g.Fetch(t.Context(), sid); err == nil || errors.Is(err, campaign.ErrNoText) || errors.Is(err, campaign.ErrBusy) {
		t.Errorf("500: %v", err)
	}
	if got := w.Struck()[emulator.StruckFetch500]; got != 1 {
		t.Errorf("asked %d times", got)
	}
	for name, answer := range map[string]string{"another text": `{"sid":"` + goodSID[:33] + `0","status":"sent"}`, "no status": `{"sid":"` + goodSID + `"}`,
		"a page of a proxy": "<html>", "a list": `{"messages":[]}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
		if got, err := mustNew(t, server.URL, nil).Fetch(t.Context(), goodSID); err == nil {
			t.Errorf("%s: got %+v", name, got.SID)
		}
		server.Close()
	}
	if _, err := g.Fetch(t.Context(), "../Calls"); err == nil {
		t.Error("fetched something that is no text")
	}
}

// The shapes in which Twilio's documents, and those of whatever stands for it, may come.
func TestGateway_List_shapes(t *testing.T) {
	one := phone(1).Reveal()
	text := func(more string) string {
		return `{"sid":"` + goodSID + `","status":"undelivered","to":"` + one + `","body":"b"` + more + `}`
	}
	at := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, answer string
		want         campaign.Listed
	}{
		{"as documented", text(`,"date_created":"Tue, 03 Nov 2026 09:00:00 +0000","error_code":30003,"num_segments":"1","price":null`), campaign.Listed{At: at, Code: "30003"}},
		{"code as a string", text(`,"error_code":"30003"`), campaign.Listed{Code: "30003"}},
		{"no code", text(`,"error_code":null`), campaign.Listed{}},
		{"numbers for strings, and strangers", text(`,"num_segments":1,"num_media":0,"price":-0.04,"tags":[{"x":1}],"subresource_uris":null`), campaign.Listed{}},
		{"short date", text(`,"date_created":"3 Nov 2026 09:00:00 GMT"`), campaign.Listed{At: at}},
		{"ISO date", text(`,"date_created":"2026-11-03T09:00:00Z"`), campaign.Listed{At: at}},
		{"no such date", text(`,"date_created":"yesterday"`), campaign.Listed{}},
	} {
		for _, next := range []string{``, `,"next_page_uri":null`, `,"next_page_uri":""`} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"messages":[`+tt.answer+`]`+next+`,"page_size":100}`)
			}))
			tt.want.SID, tt.want.Status, tt.want.To, tt.want.Body = goodSID, "undelivered", phone(1), "b"
			got, err := mustNew(t, server.URL, nil).List(t.Context(), phone(1))
			if err != nil || len(got) != 1 || got[0] != tt.want {
				t.Errorf("%s %s: %v; got %d, code %s at %v", tt.name, next, err, len(got), got[0].Code, got[0].At)
			}
			server.Close()
		}
	}
}

// The next page may be given as a path or as a whole address, with or without what TWILIO_API_URL puts before it.
func TestGateway_List_nextPage(t *testing.T) {
	one := phone(1).Reveal()
	for name, next := range map[string]string{
		"path": "/2010-04-01/next?PageToken=PA%2F1&To=%2B44", "Twilio's address": "https://api.twilio.com/2010-04-01/next?PageToken=PA%2F1&To=%2B44",
		"our address": "BASE/2010-04-01/next?PageToken=PA%2F1&To=%2B44", "our path": "PREFIX/2010-04-01/next?PageToken=PA%2F1&To=%2B44",
	} {
		for _, prefix := range []string{"", "/twilio"} {
			var base string
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.RequestURI)
				if user, password, _ := r.BasicAuth(); user != account1 || password != token1 {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				answer := `{"messages":[]}`
				if len(asked) == 1 {
					answer = `{"messages":[],"next_page_uri":"` + strings.NewReplacer("BASE", base, "PREFIX", prefix).Replace(next) + `"}`
				}
				_, _ = io.WriteString(w, answer)
			}))
			base = server.URL + prefix
			_, err := mustNew(t, base+"/", nil).List(t.Context(), phone(1))
			want := []string{prefix + "/2010-04-01/Accounts/" + account1 + "/Messages.json?PageSize=100&To=%2B" + one[1:], prefix + "/2010-04-01/next?PageToken=PA%2F1&To=%2B44"}
			if err != nil || !slices.Equal(asked, want) {
				t.Errorf("%s, prefix %q: %v; asked for %v", name, prefix, err, asked)
			}
			server.Close()
		}
	}
}

// A redacted text could be the one that is looked for.
func TestGateway_List_redacted(t *testing.T) {
	w := newWorld(t, emulator.Faults{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer site.Close()
	g := mustNew(t, w.url, func(c *Config) { c.PublicURL = site.URL })
	sid := mustSend(t, g, outgoing(1))[0]
	if err := w.Tick(t.Context(), day.Add(12*time.Hour)); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, w.url+"/2010-04-01/Accounts/"+account1+"/Messages/"+sid+".json", strings.NewReader(url.Values{"Body": {""}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account1, token1)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("redact: %v %v", res, err)
	}
	_ = res.Body.Close()
	if got, err := g.List(t.Context(), phone(1)); err != nil || len(got) != 1 || got[0].Body != "" || got[0].To != phone(1) {
		t.Errorf("got %d, %v", len(got), err)
	}
	err = g.ListAll(t.Context(), time.Time{}, func(l campaign.Listed) error {
		if l.SID != sid || l.Body != "" || l.Status != "delivered" {
			t.Errorf("got %v %v", l.SID, l.Status)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Nothing but a whole list is a list.
func TestGateway_List_incomplete(t *testing.T) {
	text := func(to string) string {
		return `{"sid":"SM1","status":"sent","to":"` + to + `","body":"b","date_created":"Mon, 23 Nov 2026 09:00:00 +0000"}`
	}
	one := phone(1).Reveal()
	for name, answer := range map[string]string{
		"empty object":      `{}`,
		"error as a 200":    `{"code":20003,"message":"no"}`,
		"page of a proxy":   `<html>`,
		"cut off":           `{"messages":[` + text(one),
		"no id":             `{"messages":[{"status":"sent","body":"b"}]}`,
		"other number":      `{"messages":[` + text(phone(2).Reveal()) + `]}`,
		"no list":           `{"messages":null}`,
		"second page gone":  `{"messages":[` + text(one) + `],"next_page_uri":"/gone"}`,
		"goes in circles":   `{"messages":[` + text(one) + `],"next_page_uri":"/again"}`,
		"in a wide circle":  `{"messages":[` + text(one) + `],"next_page_uri":"/one"}`,
		"leads elsewhere":   `{"messages":[` + text(one) + `],"next_page_uri":"https://example.com/x"}`,
		"elsewhere, hidden": `{"messages":[` + text(one) + `],"next_page_uri":"//example.com/x"}`,
		"leads nowhere":     `{"messages":[` + text(one) + `],"next_page_uri":"?Page=1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each tries three times
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/gone" {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				if other := map[string]string{"/one": "/two", "/two": "/one"}[r.URL.Path]; other != "" {
					_, _ = io.WriteString(w, strings.Replace(answer, "/one", other, 1))
					return
				}
				if q := r.URL.Query(); r.URL.Path != "/again" && (q.Get("To") != one || len(q) != 2 || q.Get("PageSize") == "") {
					t.Errorf("asked for %v", q)
				}
				_, _ = io.WriteString(w, answer)
			}))
			defer server.Close()
			got, err := mustNew(t, server.URL, nil).List(t.Context(), phone(1))
			if err == nil {
				t.Fatalf("got a list of %d", len(got))
			}
			if strings.Contains(err.Error(), one[1:]) {
				t.Errorf("the error tells the number: %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mustNew(t, "http://127.0.0.1:1", nil).List(ctx, phone(1)); err == nil {
		t.Error("a cancelled listing succeeded")
	}
}
