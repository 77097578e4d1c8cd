package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Somebody sends one of our texts once more, outside the system: the provider's own callbacks tell, and the alarm is on /metrics, once.
func TestMetrics_twoSIDs(t *testing.T) {
	metrics := freeAddress(t)
	s := newStand(t, "", "", func(o *options) { o.Metrics = metrics })
	n := s.network("Knowsley Test PCN", "N8300")
	rows := people(3, "N8300")
	n.launch(n.upload(listOf(rows), 201).at("id"), nil)
	s.paced(len(rows))
	alarm := func() string {
		resp, err := http.Get("http://" + metrics + "/metrics")
		s.must(err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		s.must(err)
		for l := range strings.Lines(string(b)) {
			if strings.HasPrefix(l, `wellpaced_alarms{code="two_sids"}`) {
				return strings.TrimSpace(l)
			}
		}
		return ""
	}
	if got := alarm(); got != "" {
		t.Fatalf("an alarm without a reason: %s", got)
	}
	text := s.phone(rows[0]).Expect(rows[0].first).text
	req, err := http.NewRequest(http.MethodPost, s.opt.Gateway.BaseURL+"/2010-04-01/Accounts/"+testAccount+"/Messages.json",
		strings.NewReader(url.Values{"To": {text.To}, "From": {text.From}, "Body": {text.Body}, "StatusCallback": {text.Callback}}.Encode()))
	s.must(err)
	req.SetBasicAuth(testAccount, testToken)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("the second text: %d", resp.StatusCode)
	}
	s.clock.turn(12 * time.Hour)
	s.must(s.twilio.Tick(t.Context(), s.clock.Now()))
	if got := alarm(); got != `wellpaced_alarms{code="two_sids"} 1` {
		t.Errorf("the metrics say %q of one message with two texts", got)
	}
}
