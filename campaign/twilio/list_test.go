package twilio

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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

	w.SetFaults(emulator.Faults{List500: 1})
	if _, err := g.List(t.Context(), phone(1)); err == nil {
		t.Error("a listing that failed was taken for an empty one")
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
	if _, err := g.List(t.Context(), phone(1)); !errors.Is(err, errRedacted) {
		t.Errorf("got %v", err)
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
		"obfuscated number": `{"messages":[` + text("XXXXXX001") + `]}`,
		"strange date":      `{"messages":[` + strings.Replace(text(one), "Mon, ", "", 1) + `]}`,
		"second page gone":  `{"messages":[` + text(one) + `],"next_page_uri":"/gone"}`,
		"goes in circles":   `{"messages":[` + text(one) + `],"next_page_uri":"/again"}`,
		"leads elsewhere":   `{"messages":[` + text(one) + `],"next_page_uri":"https://example.com/x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each tries three times
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/gone" {
					w.WriteHeader(http.StatusInternalServerError)
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
