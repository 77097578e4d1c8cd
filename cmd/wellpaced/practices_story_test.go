package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// A person asks for help and agrees that the practice be told; her case is closed, it is in the practice's file, and another system has heard of
// each step by itself.
func TestStory_practices(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		var mu sync.Mutex
		var told []string
		var theirs *standardwebhooks.Webhook
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			if err := theirs.Verify(body, r.Header); err != nil {
				t.Errorf("the other system refuses what it is told: %v", err)
			}
			told = append(told, string(body))
		}))
		defer other.Close()
		s := newStand(t, database, redis, func(o *options) { o.Demo = true }) // for the address of the other system
		n := s.network("Knowsley Test PCN", "N8300")
		hook := n.api("Ada", "POST", "/webhooks", object{"url": other.URL, "events": []string{"referral.received", "referral.contacted", "referral.closed", "export.ready"}}, 201)
		mu.Lock()
		var err error
		theirs, err = standardwebhooks.NewWebhook(hook.at("secret"))
		mu.Unlock()
		s.must(err)

		rows := people(2, "N8300")
		n.launch(n.upload(listOf(rows), 201).at("id"), nil)
		s.paced(len(rows))
		p := s.phone(rows[0]).Expect(rows[0].first)
		p.Fill(answers(rows[0], url.Values{"tell": {"practice"}, "support": {"large_print"}}))
		reference, _ := p.Send()
		ref := "/referrals/" + n.referral(reference).at("id")
		for _, event := range []string{"/claim", "/attempt", "/start_support", "/close"} {
			n.api("Lee", "POST", ref+event, object{"channel": "call"}, 200)
		}
		s.clock.turn(selfrefer.UndoFor + time.Minute) // no step is told that can still be undone

		file := n.api("Mo", "POST", "/practices/"+rows[0].practice+"/files", nil, 201)
		csv := n.page("Mo", "/desk/practices/"+rows[0].practice+"/"+file.at("id")+"/csv")
		for _, want := range []string{"Text sent", "Asked for help", "Needs large print", "871731000000106", "Closed", reference, rows[0].last} {
			if !strings.Contains(csv, want) {
				t.Errorf("the practice's file does not hold %q", want)
			}
		}
		if n.api("Lee", "GET", "/practices", nil, 403).at("code") != "denied" {
			t.Error("a link worker reads what goes back to practices")
		}
		if page := n.page("Mo", "/desk/practices/"+rows[0].practice); !strings.Contains(page, "There is nothing new") || !strings.Contains(page, "Downloaded 1 time") {
			t.Error("the page does not say that everything is told")
		}

		for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			mu.Lock()
			got := strings.Join(told, "\n")
			mu.Unlock()
			if strings.Count(got, `"type"`) >= 4 {
				for _, want := range []string{"referral.received", "referral.contacted", "referral.closed", "export.ready", reference, fmt.Sprintf("%q", s.app.PublicURL+"/api/v1"+ref)} {
					if !strings.Contains(got, want) {
						t.Errorf("the other system was not told of %s", want)
					}
				}
				if strings.Contains(got, rows[0].last) {
					t.Error("the other system was told a name")
				}
				break
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("the other system was told of %s", got)
			}
		}
	})
}
