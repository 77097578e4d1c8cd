package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
		{"drip", Faults{Drip: 1, LateBy: time.Millisecond}, "unexpected EOF", true},
		{"opted out", Faults{OptedOut: 1}, `400 {"code":21610`, false},
		{"daily cap", Faults{DailyCap: 1}, `429 {"code":63038`, false},
		{"account refused", Faults{Auth: 1}, `401 {"code":20003`, false},
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
			want := 1
			if tt.faults == (Faults{}) {
				want = 0
			}
			if struck := r.Struck(); len(struck) != want || !maps.Equal(struck, r.read(t).Struck) {
				t.Errorf("struck %v, the journal says %v, want %d of a kind", struck, r.read(t).Struck, want)
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

// A share is what it says, comes to every kind that can be got over, and is the same in every run of a seed.
func TestFaultShare(t *testing.T) {
	f := FaultShare(.2)
	run := func(seed uint64) (count map[string]int, all string) {
		var b strings.Builder
		count = map[string]int{}
		for n := range int64(60000) {
			lot := f.create(seed, n)
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
	if got := 1 - float64(count[""])/60000; got < .19 || got > .21 {
		t.Errorf("%.3f of the requests were struck, want .2", got)
	}
	for _, kind := range []string{StruckTooMany, StruckRefuse500, StruckResetBefore, StruckRedirect, StruckAcceptThen500, StruckAcceptThenReset,
		StruckAcceptThen502, StruckAcceptEmpty, StruckAcceptTruncated, StruckLateAccept, StruckSlow, StruckDrip} {
		if got := float64(count[kind]) / 60000; got < .2/12-.003 || got > .2/12+.003 {
			t.Errorf("%s struck %.4f, want about %.4f", kind, got, .2/12)
		}
		delete(count, kind)
	}
	if delete(count, ""); len(count) != 0 {
		t.Errorf("faults that nobody gets over: %v", count)
	}
}

// 429 comes in every shape, and nothing of it is accepted.
func TestFaults_tooMany(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Faults = Faults{TooMany: 1} })
	shapes := map[string]bool{}
	for n := range 4 {
		res := r.post(t, url.Values{"To": {number(n)}, "From": {sender}, "Body": {"x"}})
		shapes[fmt.Sprintf("%d %.8s %s", res.StatusCode, bodyOf(res), res.Header.Get("Retry-After"))] = true
	}
	for _, want := range []string{`429 {"code": `, `429 {"code": 1`, "429  ", "429 <html><h 1"} {
		if !shapes[want] {
			t.Errorf("no %q among %v", want, shapes)
		}
	}
	if got := r.Struck()[StruckTooMany]; got != 4 || len(r.read(t).Texts) != 0 {
		t.Errorf("struck %d, accepted %d", got, len(r.read(t).Texts))
	}
}

// Each fault of the record: what whoever asks sees. There are three texts, and pages of two.
func TestFaults_lists(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults Faults
		kind   string
		want   string // of both pages and of one text, as far as the next page can be found
	}{
		{"none", Faults{}, "", "200 3,2 | 200 1 | 200 text"},
		{"500", Faults{List500: 1}, StruckList500, "500"},
		{"429", Faults{List429: 1}, StruckList429, "429"},
		{"not a list", Faults{ListNoList: 1}, StruckListNoList, "200 no list"},
		{"cut off", Faults{ListCut: 1}, StruckListCut, "200 cut off"},
		{"overlap", Faults{ListOverlap: 1}, StruckListOverlap, "200 3,2 | 200 2,1 | 200 text"},
		{"500 on the second page", Faults{ListNext500: 1}, StruckListNext500, "200 3,2 | 500"},
		{"redacted", Faults{ListRedacted: 1}, StruckListRedacted, "200 , | 200  | 200 text"},
		{"500 for one text", Faults{Fetch500: 1}, StruckFetch500, "200 3,2 | 200 1 | 500"},
		{"429 for one text", Faults{Fetch429: 1}, StruckFetch429, "200 3,2 | 200 1 | 429"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			var last string
			for n := range 3 {
				last = r.send(t, number(1), strconv.Itoa(n+1))
			}
			r.SetFaults(tt.faults)
			var seen []string
			for next := "/2010-04-01/Accounts/" + account + "/Messages.json?PageSize=2"; next != ""; {
				var step string
				step, next = r.page(t, next)
				seen = append(seen, step)
				if next == "" && strings.HasPrefix(step, "200") && step != "200 no list" && step != "200 cut off" {
					status, body := r.get(t, "/2010-04-01/Accounts/"+account+"/Messages/"+last+".json")
					seen = append(seen, strings.TrimSuffix(strconv.Itoa(status)+map[bool]string{true: " text"}[strings.Contains(body, last)], " "))
				}
			}
			if got := strings.Join(seen, " | "); got != tt.want {
				t.Errorf("seen %q, want %q", got, tt.want)
			}
			if struck := r.Struck(); tt.kind != "" && struck[tt.kind] == 0 || tt.kind == "" && len(struck) != 0 {
				t.Errorf("struck %v", struck)
			}
		})
	}
	t.Run("circle", func(t *testing.T) {
		r := newRig(t, nil)
		for range 3 {
			r.send(t, number(1), "x")
		}
		r.SetFaults(Faults{ListCircle: 1})
		_, second := r.page(t, "/2010-04-01/Accounts/"+account+"/Messages.json?PageSize=1")
		if _, third := r.page(t, second); third != second || r.Struck()[StruckListCircle] != 1 {
			t.Errorf("the second page leads to %q, struck %v", third, r.Struck())
		}
	})
}

func (r *rig) get(tb testing.TB, path string) (status int, body string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, r.api.URL+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.SetBasicAuth(account, token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, "cut off"
	}
	return res.StatusCode, string(raw)
}

// page says in short what a page of a listing shows, and where the next one is.
func (r *rig) page(tb testing.TB, path string) (seen, next string) {
	tb.Helper()
	status, body := r.get(tb, path)
	switch {
	case status != http.StatusOK:
		return strconv.Itoa(status), ""
	case body == "cut off":
		return "200 cut off", ""
	}
	var p page
	if err := json.Unmarshal([]byte(body), &p); err != nil || p.Messages == nil {
		return "200 no list", ""
	}
	var bodies []string
	for _, m := range p.Messages {
		bodies = append(bodies, m.Body)
	}
	if p.NextPageURI != nil {
		next = *p.NextPageURI
	}
	return "200 " + strings.Join(bodies, ","), next
}

func TestFaults_listLag(t *testing.T) {
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
