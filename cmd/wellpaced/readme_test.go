package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// fenced are the blocks of one language in the page about the API, which is also what /desk/api shows.
func fenced(tb testing.TB, language string) (blocks []string) {
	tb.Helper()
	page, err := os.ReadFile(filepath.Join("api", "README.md"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, after := range strings.Split(string(page), "\n```"+language+"\n")[1:] {
		block, _, whole := strings.Cut(after, "\n```")
		if !whole {
			tb.Fatal("a block without an end")
		}
		blocks = append(blocks, block)
	}
	return blocks
}

func (n *network) environment(more ...string) []string {
	return append(append(os.Environ(), "WELLPACED_URL="+n.app.PublicURL, "WELLPACED_TOKEN="+n.tokens["Mo"], "WELLPACED_ADMIN_TOKEN="+n.tokens["Ada"]), more...)
}

// What the page about the API tells to type does what it says.
func TestAPIPage_linesForAShell(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl here")
	}
	s := newStand(t, "", "", nil)
	n := s.network("Riverside PCN", "N83")
	blocks := fenced(t, "sh")
	if len(blocks) != 3 {
		t.Fatalf("%d blocks for a shell", len(blocks))
	}
	for i, block := range append(blocks, blocks[2]) {
		cmd := exec.Command("sh", "-c", block)
		cmd.Env = n.environment("PATH=" + filepath.Dir(curl) + ":" + os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", block, err, out)
		}
		if answer := decode(t, out); answer.at("code") != "" || i >= 2 && answer.at("secret") == "" {
			t.Errorf("%s: %s", block, out)
		}
	}
	if hooks := n.api("Ada", "GET", "/webhooks", nil, 200).list("webhooks"); len(hooks) != 1 {
		t.Errorf("sent twice under one key, it made %d webhooks", len(hooks))
	}
	var problem struct {
		Type, Title, Code, Detail string
		Status                    int
	}
	if err := json.Unmarshal([]byte(fenced(t, "json")[0]), &problem); err != nil {
		t.Fatal(err)
	}
	if got := n.api("Mo", "GET", "/lists?limit=0", nil, 422); got.at("detail") != problem.Detail || got.at("code") != problem.Code || got.at("title") != problem.Title {
		t.Errorf("the problem on the page is %+v, and the server's is %v", problem, got)
	}
}

// The example client on the page compiles, does what it is for, and takes no webhook from anybody else.
func TestAPIPage_client(t *testing.T) {
	s := newStand(t, "", "", nil)
	n := s.network("Riverside PCN", "N83")
	dir := t.TempDir()
	blocks := fenced(t, "go")
	if len(blocks) != 1 {
		t.Fatalf("%d programs", len(blocks))
	}
	source, client, list := filepath.Join(dir, "client.go"), filepath.Join(dir, "client"), filepath.Join(dir, "list.csv")
	s.must(os.WriteFile(source, []byte(blocks[0]+"\n"), 0o600))
	build := exec.Command("go", "build", "-o", client, source)
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("gofmt", "-l", source).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v %s", err, out)
	}

	s.must(os.WriteFile(list, listOf([]patient{{first: "Marigold", last: "Testperson", born: "01/02/1950", nhs: nhsNumber(1), mobile: "07400000001", practice: "N831"}}), 0o600))
	older := n.api("Mo", "POST", "/campaigns", object{"list": json.Number(n.upload(listOf([]patient{{first: "Sorrel", last: "Testperson", born: "01/02/1951", nhs: nhsNumber(2), mobile: "07400000002", practice: "N831"}}), 201).at("id")), "name": "Older", "text": storyText}, 201).at("id")
	send := exec.Command(client, "send", list)
	send.Env = n.environment()
	out, err := send.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"1 of 1 rows can be texted", ": draft\n", "From list.csv: draft", older + " Older: draft"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	refused := exec.Command(client, "send", list)
	refused.Env = append(n.environment(), "WELLPACED_TOKEN="+n.tokens["Lee"])
	if out, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(out), "(denied)") {
		t.Errorf("as somebody who may not: %v: %s", err, out)
	}

	key := selfrefer.NewHookSecret()
	address := quietAddress(t)
	hear := exec.Command(client, "listen", address, selfrefer.ShowSecret(key))
	said, err := hear.StdoutPipe()
	s.must(err)
	s.must(hear.Start())
	t.Cleanup(func() { _ = hear.Process.Kill(); _ = hear.Wait() })
	heard := make(chan string, 10)
	go func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			heard <- lines.Text()
		}
	}()
	d := selfrefer.Delivery{ID: 7, Event: selfrefer.HookReceived, At: s.clock.Now(), About: 12, Reference: "WYG5-QBRQ"}
	body, err := d.Body(s.app.PublicURL)
	s.must(err)
	tell := func(at time.Time, signed, sent []byte) int {
		r, err := http.NewRequest("POST", "http://"+address+"/", strings.NewReader(string(sent)))
		s.must(err)
		r.Header.Set("webhook-id", d.MessageID())
		r.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
		r.Header.Set("webhook-signature", selfrefer.SignHook(key, d.MessageID(), at, signed))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	now := time.Now()
	eventually(t, 10*time.Second, "it listens", func() bool { return tell(now.Add(-time.Hour), body, body) != 0 })
	if got := tell(now.Add(-time.Hour), body, body); got != 401 {
		t.Errorf("an old one: %d", got)
	}
	if got := tell(now, body, append(body, ' ')); got != 401 {
		t.Errorf("one that was changed: %d", got)
	}
	if got := tell(now, body, body); got != 204 {
		t.Errorf("ours: %d", got)
	}
	if line := <-heard; !strings.HasPrefix(line, "evt_7 referral.received ") || !strings.HasSuffix(line, "/api/v1/referrals/12") {
		t.Errorf("it says %q", line)
	}
}
