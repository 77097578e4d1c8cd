package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twilio/twilio-go/client"
	twilio "github.com/twilio/twilio-go/rest/api/v2010"
)

// The real client must be content with us.
func TestConformance(t *testing.T) {
	r := newRig(t, nil)
	api := r.twilioGo(t)
	params := &twilio.CreateMessageParams{}
	params.SetTo(number(1)).SetFrom(sender).SetBody("Hello <b> & ŵ").SetValidityPeriod(3600).SetStatusCallback(r.site.URL + "/s")
	m, err := api.CreateMessage(params)
	if err != nil {
		t.Fatal(err)
	}
	if *m.Status != "queued" || *m.NumSegments != "1" || m.DateSent != nil || m.ErrorCode != nil || *m.Body != "Hello <b> & ŵ" ||
		*m.To != number(1) || *m.From != sender || *m.Direction != "outbound-api" || *m.AccountSid != account || m.MessagingServiceSid != nil {
		t.Errorf("created %+v", m)
	}
	if at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0700", *m.DateCreated); err != nil || !at.Equal(start) {
		t.Errorf("date_created %q: %v", *m.DateCreated, err)
	}
	for _, change := range []func() error{
		func() error {
			_, err := api.UpdateMessage(*m.Sid, (&twilio.UpdateMessageParams{}).SetBody(""))
			return err
		},
		func() error { return api.DeleteMessage(*m.Sid, nil) },
	} {
		if got := codeOf(change()); got != 20009 {
			t.Errorf("a change before the final status: code %d, want 20009", got)
		}
	}
	r.forward(t, time.Hour)
	if m, err = api.FetchMessage(*m.Sid, nil); err != nil || *m.Status != "delivered" || m.DateSent == nil {
		t.Fatalf("fetched %+v, %v", m, err)
	}
	if m, err = api.UpdateMessage(*m.Sid, (&twilio.UpdateMessageParams{}).SetBody("")); err != nil || *m.Body != "" {
		t.Fatalf("redacted %+v, %v", m, err)
	}
	if got := codeOf(second(api.UpdateMessage(*m.Sid, (&twilio.UpdateMessageParams{}).SetStatus("canceled")))); got != 30409 {
		t.Errorf("cancel after delivery: code %d", got)
	}
	for name, r := range map[string]*rig{"running": r, "restarted": r.killed(t, "")} {
		if m, err := r.twilioGo(t).FetchMessage(*m.Sid, nil); err != nil || *m.Body != "" {
			t.Errorf("%s: the body is back: %v", name, err)
		}
	}
	if j := r.read(t); j.Texts[0].Body == "" {
		t.Error("the journal, the judge, lost a redacted body")
	}
	if err := api.DeleteMessage(*m.Sid, nil); err != nil {
		t.Fatal(err)
	}
	if got := codeOf(second(api.FetchMessage(*m.Sid, nil))); got != 20404 {
		t.Errorf("fetch after delete: code %d", got)
	}
	if list, err := api.ListMessage(&twilio.ListMessageParams{}); err != nil || len(list) != 0 {
		t.Errorf("list after delete: %d, %v", len(list), err)
	}
}

func TestConformance_service(t *testing.T) {
	r := newRig(t, nil)
	api := r.twilioGo(t)
	params := (&twilio.CreateMessageParams{}).SetTo(number(1)).SetBody("x").SetMessagingServiceSid("MG0123456789abcdef0123456789abcdef")
	m, err := api.CreateMessage(params)
	if err != nil || *m.Status != "accepted" || m.From != nil || *m.NumSegments != "0" {
		t.Fatalf("created %+v, %v", m, err)
	}
	if m, err = api.UpdateMessage(*m.Sid, (&twilio.UpdateMessageParams{}).SetStatus("canceled")); err != nil || *m.Status != "canceled" {
		t.Fatalf("canceled %+v, %v", m, err)
	}
	r.forward(t, time.Hour)
	if len(r.Texts(0, 1)) != 0 {
		t.Error("a canceled text was delivered")
	}
	if m, err = api.CreateMessage(params); err != nil {
		t.Fatal(err)
	}
	r.forward(t, time.Hour)
	if m, err = api.FetchMessage(*m.Sid, nil); err != nil || *m.From != DefaultServiceSender || *m.NumSegments != "1" {
		t.Errorf("sent %+v, %v", m, err)
	}
}

func TestConformance_list(t *testing.T) {
	r := newRig(t, nil)
	api := r.twilioGo(t)
	const n = 25
	for i := range n {
		r.send(t, number(i%5), fmt.Sprintf("text %d", i))
	}
	for _, size := range []int{1, 7, 25, 1000} {
		list, err := api.ListMessage((&twilio.ListMessageParams{}).SetPageSize(size))
		if err != nil || len(list) != n {
			t.Fatalf("page size %d: %d texts, %v", size, len(list), err)
		}
		for i, m := range list {
			if want := fmt.Sprintf("text %d", n-1-i); *m.Body != want {
				t.Fatalf("page size %d: text %d is %q, want %q (newest first)", size, i, *m.Body, want)
			}
		}
	}
	// A text that arrives between two pages must neither hide nor repeat another.
	first, err := api.PageMessage((&twilio.ListMessageParams{}).SetPageSize(10), "", "")
	if err != nil {
		t.Fatal(err)
	}
	r.send(t, number(9), "late")
	token := mustURL(t, *first.NextPageUri).Query().Get("PageToken")
	next, err := api.PageMessage((&twilio.ListMessageParams{}).SetPageSize(10), token, "1")
	if err != nil || *next.Messages[0].Body != "text 14" || next.Page != 1 || next.Start != 10 {
		t.Fatalf("second page %+v, %v", next, err)
	}
	back := mustURL(t, *next.PreviousPageUri).Query().Get("PageToken")
	if prev, err := api.PageMessage((&twilio.ListMessageParams{}).SetPageSize(10), back, "0"); err != nil || len(prev.Messages) != 10 || *prev.Messages[9].Body != "text 15" {
		t.Errorf("page before: %+v, %v", prev, err)
	}
	if list, err := api.ListMessage((&twilio.ListMessageParams{}).SetTo(number(2)).SetPageSize(2)); err != nil || len(list) != 5 {
		t.Errorf("To: %d texts, %v", len(list), err)
	}
	if list, err := api.ListMessage((&twilio.ListMessageParams{}).SetFrom("+447700900001")); err != nil || len(list) != 0 {
		t.Errorf("From: %d texts, %v", len(list), err)
	}
	// DateSent is null until sent: filtering on it hides what was accepted.
	today := (&twilio.ListMessageParams{}).SetDateSent(start)
	if list, err := api.ListMessage(today); err != nil || len(list) != 0 {
		t.Errorf("DateSent before sending: %d texts, %v", len(list), err)
	}
	r.forward(t, time.Hour)
	if list, err := api.ListMessage(today); err != nil || len(list) != n+1 {
		t.Errorf("DateSent after sending: %d texts, %v", len(list), err)
	}
}

func mustURL(tb testing.TB, s string) *url.URL {
	tb.Helper()
	u, err := url.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func second[T any](_ T, err error) error { return err }

func codeOf(err error) int {
	var rest *client.TwilioRestError
	if errors.As(err, &rest) {
		return rest.Code
	}
	return 0
}

func TestCreate_validation(t *testing.T) {
	r := newRig(t, nil)
	good := url.Values{"To": {number(1)}, "From": {sender}, "Body": {"x"}}
	with := func(kv ...string) url.Values {
		f := url.Values{}
		for k, v := range good {
			f[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			if kv[i+1] == "" {
				f.Del(kv[i])
			} else {
				f.Set(kv[i], kv[i+1])
			}
		}
		return f
	}
	for _, tt := range []struct {
		form url.Values
		code int
	}{
		{with("To", ""), 21604},
		{with("To", "07700900123"), 21211},
		{with("To", "+44 7700 900123"), 21211},
		{with("From", ""), 21603},
		{with("From", "Name too long"), 21212},
		{with("From", "12345678"), 21212},
		{with("From", number(1)), 21266},
		{with("From", "", "MessagingServiceSid", "MG1"), 21705},
		{with("Body", ""), 21602},
		{with("Body", " \n"), 21602},
		{with("Body", strings.Repeat("ŵ", 1601)), 21617},
		{with("ValidityPeriod", "0"), 90007},
		{with("ValidityPeriod", "36001"), 90007},
		{with("ValidityPeriod", "soon"), 90014},
		{with("StatusCallback", "/relative"), 21609},
		{with("SendAt", "2026-12-01T00:00:00Z"), 20001},
	} {
		res := r.post(t, tt.form)
		var doc struct {
			Code, Status int
			Message      string
			MoreInfo     string `json:"more_info"`
		}
		if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if doc.Code != tt.code || res.StatusCode != 400 || doc.Status != 400 || doc.Message == "" || !strings.HasSuffix(doc.MoreInfo, fmt.Sprint(tt.code)) {
			t.Errorf("%v: %d %+v, want code %d", tt.form, res.StatusCode, doc, tt.code)
		}
	}
	for _, f := range []url.Values{good, with("ValidityPeriod", "36000"), with("From", "PCN Health"), with("From", "60777"), with("Body", strings.Repeat("ŵ", 1600))} {
		if res := r.post(t, f); res.StatusCode != 201 {
			t.Errorf("%v: %d %s", f, res.StatusCode, bodyOf(res))
		}
	}
	if got := len(r.read(t).Texts); got != 5 {
		t.Errorf("%d texts in the journal, want the 5 accepted", got)
	}
}

func TestHandler_authentication(t *testing.T) {
	r := newRig(t, nil)
	for _, tt := range []struct {
		user, password, path string
		want                 int
	}{
		{account, token, "/Accounts/" + account + "/Messages.json", 200},
		{account, "wrong", "/Accounts/" + account + "/Messages.json", 401},
		{"", "", "/Accounts/" + account + "/Messages.json", 401},
		{account, token, "/Accounts/AC00000000000000000000000000000000/Messages.json", 404},
		{account, token, "/Accounts/" + account + "/Messages/SM00.json", 404},
		{account, token, "/Accounts/" + account + "/Calls.json", 404},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.api.URL+"/2010-04-01"+tt.path, nil)
		req.SetBasicAuth(tt.user, tt.password)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != tt.want || tt.want != 200 && !strings.Contains(string(body), `"more_info"`) {
			t.Errorf("%s: %d %s, want %d", tt.path, res.StatusCode, body, tt.want)
		}
	}
}

func TestCreate_rate(t *testing.T) {
	machine := start
	r := newRig(t, func(c *Config) { c.Rate, c.Machine = 2, func() time.Time { return machine } })
	status := func() int {
		res := r.post(t, url.Values{"To": {number(1)}, "From": {sender}, "Body": {"x"}})
		defer res.Body.Close()
		return res.StatusCode
	}
	got := []int{status(), status(), status()}
	machine = machine.Add(500 * time.Millisecond)
	got = append(got, status(), status())
	if want := "[201 201 429 201 429]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
