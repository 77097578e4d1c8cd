package emulator

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	twilio "github.com/twilio/twilio-go/rest/api/v2010"
)

// Each create fault: what the caller sees, and whether the text exists.
func TestFaults_create(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults Faults
		sees   string
		exists bool
	}{
		{"none", Faults{}, "201 ", true},
		{"too many", Faults{TooMany: 1}, "429 ", false},
		{"500 refused", Faults{Refuse500: 1}, "500 ", false},
		{"reset before", Faults{ResetBefore: 1}, "connection reset", false},
		{"redirect", Faults{Redirect: 1}, "302 ", false},
		{"500 after accept", Faults{AcceptThen500: 1}, "500 ", true},
		{"reset after accept", Faults{AcceptThenReset: 1}, "connection reset", true},
		{"502 after accept", Faults{AcceptThen502: 1}, "502 <html>", true},
		{"empty", Faults{AcceptEmpty: 1}, "201 {}", true},
		{"truncated", Faults{AcceptTruncated: 1}, "unexpected EOF", true},
		{"late", Faults{LateAccept: 1, LateBy: time.Millisecond}, "201 ", true},
		{"slow", Faults{Slow: 1, SlowBy: time.Millisecond}, "201 ", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Faults = tt.faults })
			once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			res, err := r.tryPost(t.Context(), once, url.Values{"To": {number(1)}, "From": {sender}, "Body": {"x"}})
			var sees string
			if err == nil {
				var body []byte
				body, err = io.ReadAll(res.Body)
				res.Body.Close()
				sees = fmt.Sprintf("%d %s", res.StatusCode, body)
			}
			if err != nil {
				sees = err.Error()
			}
			if !strings.Contains(sees, tt.sees) {
				t.Errorf("the caller sees %q, want %q", sees, tt.sees)
			}
			if got := len(r.read(t).Texts) == 1; got != tt.exists {
				t.Errorf("text exists: %v, want %v", got, tt.exists)
			}
			r.SetFaults(Faults{})
			r.send(t, number(2), "after SetFaults")
		})
	}
}

func TestFaults_lateAcceptOutlivesTheCaller(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Faults = Faults{LateAccept: 1, LateBy: 300 * time.Millisecond} })
	hurried := &http.Client{Transport: &http.Transport{}, Timeout: 50 * time.Millisecond}
	if _, err := r.tryPost(t.Context(), hurried, url.Values{"To": {number(1)}, "From": {sender}, "Body": {"x"}}); err == nil { //nolint:bodyclose // there is none
		t.Fatal("the caller waited")
	}
	if len(r.read(t).Texts) != 0 || r.InFlight() != 1 {
		t.Error("accepted too early, or not counted as in flight")
	}
	r.api.Close() // waits for the handler
	if len(r.read(t).Texts) != 1 {
		t.Error("not accepted after the caller had gone")
	}
}

func TestFaults_deterministic(t *testing.T) {
	f := Faults{TooMany: .1, Refuse500: .05, ResetBefore: .05, Redirect: .05, AcceptThen500: .05, AcceptThenReset: .05, AcceptThen502: .05,
		AcceptEmpty: .05, AcceptTruncated: .05, LateAccept: .05, Slow: .05}
	run := func(seed uint64) (count [slow + 1]int, all string) {
		var b strings.Builder
		for n := range int64(20000) {
			lot := f.fate(seed, n)
			count[lot]++
			fmt.Fprint(&b, lot)
		}
		return count, b.String()
	}
	count, a := run(1)
	if _, again := run(1); a != again {
		t.Error("the same seed gave other faults")
	}
	if _, other := run(2); a == other {
		t.Error("another seed gave the same faults")
	}
	for lot, want := range [slow + 1]float64{.4, .1, .05, .05, .05, .05, .05, .05, .05, .05, .05, .05} {
		if got := float64(count[lot]) / 20000; got < want-.01 || got > want+.01 {
			t.Errorf("fate %d struck %.3f, want about %.2f", lot, got, want)
		}
	}
}

func TestFaults_lists(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Faults = Faults{List500: 1} })
	if _, err := r.twilioGo(t).ListMessage(&twilio.ListMessageParams{}); codeOf(err) != 20500 {
		t.Errorf("list: %v, want 500", err)
	}
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(Config{Dir: t.TempDir(), AccountSID: account, AuthToken: token, Now: func() time.Time { return start }})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if _, err := e.accept(line{Kind: kindText, To: number(1), From: sender, Body: "x", Validity: 60}, time.Minute); err != nil {
			t.Fatal(err)
		}
		listed := func() int {
			found, _ := e.collect(number(1), func(*text) bool { return true }, 0, 0, 10)
			return len(found)
		}
		time.Sleep(time.Minute - 1) // the bubble's clock
		if listed() != 0 {
			t.Error("listed before the lag was over")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if listed() != 1 {
			t.Error("not listed after the lag")
		}
	})
}
