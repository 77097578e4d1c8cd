package main

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/twilio"
)

// The pretend Twilio prints what serve needs, shows what it was sent, and is the same one when it is started again.
func TestPhones(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "phones")
	export := regexp.MustCompile(`export (\w+)=(\S+)`)
	to, err := person.ParsePhone("07700 900123")
	if err != nil {
		t.Fatal(err)
	}
	accounts := map[string]bool{}
	for try := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		var out, words lines
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, []string{"phones", "--data", dir, "--listen", "127.0.0.1:0"}, nil, &out, &words)
		}()
		eventually(t, 10*time.Second, "the phones start", func() bool { return strings.Contains(out.String(), "wellpaced serve") })
		env := map[string]string{}
		for _, m := range export.FindAllStringSubmatch(out.String(), -1) {
			env[m[1]] = m[2]
		}
		accounts[env["TWILIO_ACCOUNT_SID"]+env["TWILIO_AUTH_TOKEN"]] = true
		g, err := twilio.New(twilio.Config{BaseURL: env["TWILIO_API_URL"], AccountSID: env["TWILIO_ACCOUNT_SID"], AuthToken: env["TWILIO_AUTH_TOKEN"], From: env["TWILIO_FROM"], PublicURL: "http://localhost:8080", Machine: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		o := g.Send(ctx, campaign.Outgoing{Message: campaign.MessageID(try + 1), Attempt: 1, To: to, Body: "Hello, " + []string{"first", "second"}[try], ClaimedAt: time.Now(), ValidFor: time.Hour, Synthetic: true})
		if o.Event != campaign.Accept {
			t.Fatalf("the phones answer a text with %+v", o)
		}
		page := func() string {
			resp, err := http.Get(env["TWILIO_API_URL"] + "/phones/447700900123")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		eventually(t, 20*time.Second, "the text is on the phone", func() bool { return strings.Contains(page(), "Hello, "+[]string{"first", "second"}[try]) })
		if try == 1 && !strings.Contains(page(), "Hello, first") {
			t.Error("phones that were started again have forgotten a text")
		}
		g.Close()
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("the phones end with %d: %s", code, words.String())
		}
	}
	if len(accounts) != 1 {
		t.Error("the account has changed")
	}
	for _, args := range [][]string{{"--listen", "0.0.0.0:0"}, {"--site", "https://texts.example"}} {
		if code, _, words := cliRun(t, nil, append([]string{"phones", "--data", dir}, args...)...); code != exitUsage || !strings.Contains(words, "not on this computer") {
			t.Errorf("%v: exit code %d: %s", args, code, words)
		}
	}
}
