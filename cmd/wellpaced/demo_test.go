package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

func demoArgs(dir string, more ...string) []string {
	return append([]string{"demo", "--headless", "--json", "--data", filepath.Join(dir, "data"), "--keys", filepath.Join(dir, "keys"), "--listen", "127.0.0.1:0"}, more...)
}

func runDemo(t *testing.T, args []string) (demoReport, string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, nil, &out, &errs); code != exitDone {
		t.Fatalf("exit code %d\n%s", code, errs.String())
	}
	var r demoReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	return r, errs.String()
}

// TestDemo lives through some days of a small town, by the command.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	args := demoArgs(dir, "--patients", "1500", "--days", "4", "--seed", "5")
	r, _ := runDemo(t, args)
	if !r.Balanced() || r.Rows != 1500 {
		t.Errorf("the ledger does not add up: %+v", r.Ledger)
	}
	switch {
	case r.Twice != 0:
		t.Errorf("%d numbers were texted twice", r.Twice)
	case r.Texts == 0 || r.Texts > r.Invited || r.Delivered > r.Texts || r.Delivered < r.Texts*9/10:
		t.Errorf("%d invited, %d texts, %d delivered", r.Invited, r.Texts, r.Delivered)
	case r.Opened < r.Texts/50 || r.Referrals == 0 || r.Contacted == 0 || r.PeakQueue == 0:
		t.Errorf("the town does not answer: %+v", r)
	case r.Late > 0:
		t.Errorf("%d of %d were called later than promised", r.Late, r.Referrals)
	case r.PromiseDays != 2 || r.Decisions == 0:
		t.Errorf("%+v", r)
	}
	// People of whom the list says what they speak are written to in it.
	j, err := emulator.ReadJournal(filepath.Join(dir, "data", "town"))
	if err != nil {
		t.Fatal(err)
	}
	foreign := map[string]int{}
	for _, text := range j.Texts {
		for language, words := range map[string]string{"Polish": "Bez kolejnych SMS-ów", "Romanian": "consilier", "Arabic": "لإيقاف الرسائل"} {
			if strings.Contains(text.Body, words) {
				foreign[language]++
			}
		}
	}
	if foreign["Polish"] == 0 || foreign["Polish"] > r.Texts/40 || len(foreign) < 2 {
		t.Errorf("of %d texts %v are in other languages", r.Texts, foreign)
	}
	// The same command again: the days are over, and nothing more happens.
	again, words := runDemo(t, args)
	if again.Texts != r.Texts || again.Referrals != r.Referrals || again.Twice != 0 {
		t.Errorf("the second time: %+v, the first time: %+v", again, r)
	}
	if strings.Contains(words, "uploading") {
		t.Error("the list was uploaded again")
	}
}

func TestDemo_refuses(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign")
	if err := os.MkdirAll(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, "wellpaced.db"), []byte("real"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"a folder that is no demo":           {"demo", "--headless", "--data", foreign, "--keys", filepath.Join(dir, "k1")},
		"throwing away what is no demo":      {"demo", "--headless", "--fresh", "--data", foreign, "--keys", filepath.Join(dir, "k1")},
		"an address that others can reach":   {"demo", "--headless", "--data", filepath.Join(dir, "d2"), "--keys", filepath.Join(dir, "k2"), "--listen", "0.0.0.0:0"},
		"more patients than test numbers":    {"demo", "--headless", "--data", filepath.Join(dir, "d2"), "--keys", filepath.Join(dir, "k2"), "--patients", "2000000"},
		"a provider (there is no such flag)": {"demo", "--headless", "--twilio-api-url", "https://api.twilio.com"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &errs); code != exitUsage {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, exitUsage, errs.String())
		}
	}
	if b, err := os.ReadFile(filepath.Join(foreign, "wellpaced.db")); err != nil || string(b) != "real" {
		t.Errorf("somebody's data were touched: %q, %v", b, err)
	}
}

// TestDemo_child is the process that TestDemo_kill kills.
func TestDemo_child(t *testing.T) {
	args := os.Getenv("WELLPACED_TEST_DEMO")
	if args == "" {
		t.Skip("only as a child of TestDemo_kill")
	}
	os.Exit(run(context.Background(), strings.Split(args, "\x1f"), nil, os.Stdout, os.Stderr))
}

// TestDemo_kill kills the demo again and again, at any moment, while it is being set up too. In the end nobody was texted twice, and the
// town lived on.
func TestDemo_kill(t *testing.T) {
	dir := t.TempDir()
	args := demoArgs(dir, "--patients", "1200", "--days", "3", "--seed", "8")
	rng := rand.New(rand.NewPCG(8, 8))
	start := func(ctx context.Context) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestDemo_child$")
		cmd.Env = append(os.Environ(), "WELLPACED_TEST_DEMO="+strings.Join(args, "\x1f"))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, io.Discard
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, &out
	}
	clock := filepath.Join(dir, "data", "town", "clock")
	var last time.Time
	killed := 0
	for round := range 6 {
		cmd, _ := start(t.Context())
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("round %d: the demo ended by itself: %v", round, err)
			}
		case <-time.After(time.Duration(150+rng.IntN(1500)) * time.Millisecond):
			_ = cmd.Process.Kill()
			<-done //nolint:errcheck // killed
			killed++
		}
		if b, err := os.ReadFile(clock); err == nil {
			now, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatalf("round %d: the clock is broken: %v", round, err)
			}
			if now.Before(last) {
				t.Errorf("round %d: the clock went back from %v to %v", round, last, now)
			}
			last = now
		}
	}
	if killed < 3 {
		t.Fatalf("the demo was too quick: killed %d times only", killed)
	}
	cmd, out := start(t.Context())
	if err := cmd.Wait(); err != nil {
		t.Fatalf("after %d kills: %v", killed, err)
	}
	text, _, _ := strings.Cut(out.String(), "\n")
	var r demoReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	j, err := emulator.ReadJournal(filepath.Join(dir, "data", "town"))
	if err != nil {
		t.Fatal(err)
	}
	if n := emulator.Twice(j.Texts, kindOf); n != 0 || r.Twice != 0 {
		t.Errorf("%d numbers were texted twice (the report says %d)", n, r.Twice)
	}
	if r.Rows != 1200 || !r.Balanced() || r.Texts < r.Invited/2 || r.Opened == 0 {
		t.Errorf("the town did not live on: %+v", r)
	}
}

// TestDemo_byHand does what somebody with a browser does beside the town: opt out on one phone, ask for help on another.
func TestDemo_byHand(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var errs lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--data", filepath.Join(dir, "data"), "--keys", filepath.Join(dir, "keys"), "--listen", "127.0.0.1:0", "--patients", "300", "--speed", "5000"},
			nil, io.Discard, &errs)
	}()
	find := func(pattern string) string {
		t.Helper()
		re := regexp.MustCompile(pattern)
		for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); {
			if m := re.FindStringSubmatch(errs.String()); m != nil {
				return m[1]
			}
			select {
			case code := <-ended:
				t.Fatalf("the demo ended with %d: %s", code, errs.String())
			case <-time.After(50 * time.Millisecond):
			}
		}
		t.Fatalf("no %s in %s", pattern, errs.String())
		return ""
	}
	phones := find(`Phones +(http\S+)/phones/`)
	desk := find(`Desks +(http\S+)/desk`)
	find(`(Tue 2 Jun)`) // by then the texts have arrived
	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	page := func(url string) string {
		t.Helper()
		res, err := browser.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", url, res.StatusCode, err)
		}
		return string(b)
	}
	index := page(phones + "/phones/")
	numbers := regexp.MustCompile(`href="(/phones/447\d+)"`).FindAllStringSubmatch(index, 2)
	if len(numbers) < 2 {
		t.Fatalf("no phones on the screen: %s", index)
	}
	tap := func(n int, kind string) string {
		m := regexp.MustCompile(`href="(http[^"]+/` + kind + `/[^"]+)"`).FindStringSubmatch(page(phones + numbers[n][1]))
		if m == nil {
			t.Fatalf("no link to %s on the phone", kind)
		}
		if !strings.HasPrefix(m[1], desk) {
			t.Fatalf("the link on the phone leads to another site: %s", kind)
		}
		return m[1]
	}
	post := func(url string, form map[string][]string, end string) string {
		t.Helper()
		res, err := browser.PostForm(url, form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK || !strings.HasSuffix(res.Request.URL.Path, end) {
			t.Errorf("answered %d at the end of another way than %q", res.StatusCode, end)
		}
		return string(b)
	}
	post(tap(0, "stop"), map[string][]string{"why": {"opted_out"}}, "")
	link := tap(1, "r")
	post(link+"/start", nil, "")
	sent := post(link+"/send", map[string][]string{"danger": {"no"}, "reasons": {"loneliness"}, "words": {"a walk"}, "call_safe": {"yes"}, "agreed": {"yes"}}, "/sent")
	reference := regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}`).FindString(sent)
	if reference == "" {
		t.Fatalf("no reference on the last page: %s", sent)
	}
	post(desk+"/desk/sign-in", map[string][]string{"email": {"anna@riverside.example"}, "password": {find(`password for all: (\S+)\)`)}}, "/desk/queue")
	// The town's own link workers may have been quick.
	if all := page(desk+"/desk/queue?state=open") + page(desk+"/desk/queue?state=done") + page(desk+"/desk/queue?state=in_support"); !strings.Contains(all, reference) {
		t.Error("whoever asked for help by hand is not in the queue")
	}
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("Ctrl-C ended the demo with %d: %s", code, errs.String())
	}
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(desk, "http://"), time.Second); err == nil {
		t.Error("the site is still there")
	}

}

// lockedBuffer is written by the demo while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
