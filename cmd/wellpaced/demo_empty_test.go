package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/town"
)

// emptyDemo is a `wellpaced demo --empty` in a process of its own, and its manager.
type emptyDemo struct {
	*testing.T
	dir    string
	out    *lockedBuffer
	errs   *lockedBuffer
	cmd    *exec.Cmd
	ended  chan error
	site   string
	tokens map[string]string
}

func (e *emptyDemo) start(more ...string) {
	e.Helper()
	args := append([]string{"demo", "--data", filepath.Join(e.dir, "data"), "--keys", filepath.Join(e.dir, "keys")}, more...)
	cmd := exec.Command(os.Args[0], "-test.run=^TestDemo_child$")
	out, errs, ended := &lockedBuffer{}, &lockedBuffer{}, make(chan error, 1)
	cmd.Env = append(os.Environ(), "WELLPACED_TEST_DEMO="+strings.Join(args, "\x1f"))
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		e.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }()
	e.cmd, e.out, e.errs, e.ended = cmd, out, errs, ended
	e.site = e.find(time.Minute, `Desks +(http\S+)/desk`)
	e.find(time.Minute, `(\d+ of \d+ texts)`) // the town is alive
}

func (e *emptyDemo) kill() {
	_ = e.cmd.Process.Kill()
	<-e.ended //nolint:errcheck // killed
}

// find waits for words of the demo.
func (e *emptyDemo) find(within time.Duration, pattern string) string {
	e.Helper()
	return e.mind(within, pattern, "")
}

// mind waits for words of the demo, as a manager who minds a campaign: when answers have stopped, as they do now and then by chance, the town
// waits for somebody to look at the link.
func (e *emptyDemo) mind(within time.Duration, pattern, campaign string) string {
	e.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if campaign != "" && strings.HasSuffix(e.errs.String(), " waits for you to look at its link\n") {
			e.api("manager", "POST", campaign+"/confirm-link", nil)
			time.Sleep(2 * time.Second) // it is seen at the next second
		}
		if m := re.FindStringSubmatch(e.errs.String()); m != nil {
			return m[1]
		}
		select {
		case err := <-e.ended:
			e.Fatalf("the demo ended with %v: %s", err, e.errs.String())
		default:
		}
	}
	e.Fatalf("no %s in %s", pattern, e.errs.String())
	return ""
}

func (e *emptyDemo) clock() time.Time {
	e.Helper()
	b, err := os.ReadFile(filepath.Join(e.dir, "data", "town", "clock"))
	if err != nil {
		e.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(b)))
	if err != nil {
		e.Fatal(err)
	}
	return at
}

// likeOurs checks that the town's time runs as fast as ours does.
func (e *emptyDemo) likeOurs(when string) {
	e.Helper()
	began, from := time.Now(), e.clock()
	for time.Since(began) < 20*time.Second && !e.clock().After(from) {
		time.Sleep(100 * time.Millisecond)
	}
	if took, passed := time.Since(began), e.clock().Sub(from); passed <= 0 || passed > took+2*time.Second {
		e.Errorf("%s: %v of the town passed in %v of ours", when, passed, took)
	}
}

// token of the API, as somebody of the staff gets one.
func (e *emptyDemo) token(who string) string {
	e.Helper()
	if e.tokens[who] == "" {
		var out, errs bytes.Buffer
		if code := run(e.Context(), []string{"staff", "token", who + "@riverside.example", "--json", "--data", filepath.Join(e.dir, "data"), "--keys", filepath.Join(e.dir, "keys")}, nil, &out, &errs); code != exitDone {
			e.Fatalf("exit code %d: %s", code, errs.String())
		}
		e.tokens[who] = decode(e, out.Bytes()).at("token")
	}
	return e.tokens[who]
}

func (e *emptyDemo) api(who, method, path string, body any) object {
	e.Helper()
	b := []byte{}
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			e.Fatal(err)
		}
	}
	return e.send(who, method, path, "application/json", b)
}

func (e *emptyDemo) send(who, method, path, kind string, body []byte) object {
	e.Helper()
	r, err := http.NewRequest(method, e.site+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		e.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e.token(who))
	r.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		e.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		e.Fatalf("%s as %s %s: %d %v %.400s", who, method, path, res.StatusCode, err, b)
	}
	return decode(e, b)
}

// launched makes a campaign for a list and takes it to its launch: each hand does what is theirs.
func (e *emptyDemo) launched(list object, name string) (path string) {
	e.Helper()
	path = "/campaigns/" + e.api("manager", "POST", "/campaigns", object{"list": json.Number(list.at("id")), "name": name, "text": campaign.DefaultText}).at("id")
	e.api("manager", "POST", path+"/submit", nil)
	e.api("approver", "POST", path+"/approve", object{"people": json.Number(list.at("invited"))})
	for _, p := range e.api("manager", "GET", path, nil).list("practices") {
		e.api("admin", "POST", path+"/practices/"+p.at("ods")+"/approve", object{"note": "Dr Ray, by phone today"})
	}
	e.api("manager", "POST", path+"/launch", nil)
	return path
}

func (e *emptyDemo) upload(name string, file []byte) object {
	e.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("name", name)
	part, err := m.CreateFormFile("file", name+".csv")
	if err != nil {
		e.Fatal(err)
	}
	_, _ = part.Write(file)
	_ = m.Close()
	return e.send("manager", "POST", "/lists", m.FormDataContentType(), b.Bytes())
}

// TestDemo_empty is a manager's afternoon with an empty demo: from nothing to the report of a month, with two campaigns, kill -9 on the way.
func TestDemo_empty(t *testing.T) {
	if testing.Short() {
		t.Skip("lives through three weeks of a town")
	}
	t.Parallel()
	e := &emptyDemo{T: t, dir: t.TempDir(), tokens: map[string]string{}}
	const patients, seed = 800, 11
	start := time.Date(2026, time.June, 15, 8, 0, 0, 0, town.London)
	e.start("--empty", "--listen", "127.0.0.1:0", "--patients", fmt.Sprint(patients), "--seed", fmt.Sprint(seed), "--world", "04", "--start", "2026-06-15T08:00", "--speed", "0")
	t.Cleanup(func() { e.kill() })

	// There is nothing but the people, and nothing moves by itself.
	for what, path := range map[string]string{"lists": "/lists", "campaigns": "/campaigns", "services": "/services"} {
		if have := e.api("manager", "GET", path, nil).list(what); len(have) != 0 {
			t.Errorf("an empty demo has %d %s: %v", len(have), what, have)
		}
	}
	e.likeOurs("before a campaign")
	list := e.find(time.Second, `List +(\S+)`)
	file, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	var same bytes.Buffer
	if err := town.WriteList(&same, seed, patients, demoNetwork.Practices, start); err != nil || !bytes.Equal(file, same.Bytes()) {
		t.Errorf("the file holds %d bytes, and the demo uploads %d: %v", len(file), same.Len(), err)
	}

	// The first campaign waits for a look at its first texts: then, too, time is the reader's.
	first := e.upload("Riverside", file)
	if first.at("rows") != fmt.Sprint(patients) || first.at("invited") == "0" {
		t.Fatalf("the ledger: %v", first)
	}
	spring := e.launched(first, "Spring")
	eventually(t, 30*time.Second, "the first texts wait for a look", func() bool { return e.api("manager", "GET", spring, nil).at("first_look") == "waiting" })
	if got := e.api("manager", "GET", spring, nil); got.at("texts") != "20" || got.at("state") != "paused" {
		t.Errorf("%s texts, %s", got.at("texts"), got.at("state"))
	}
	e.find(10*time.Second, `(time runs like ours: “Spring” waits for you to look at its first texts)`)
	e.likeOurs("while the first texts are looked at")

	// The town is killed in its haste, and goes on as what it was.
	e.api("manager", "POST", spring+"/resume", nil)
	e.mind(3*time.Minute, `(Tue 16 Jun)`, spring)
	e.kill()
	at := e.clock()
	for args, says := range map[string]string{"--headless": "--headless", "--patients=77": "--patients 800, not 77", "--policy=blast": "is paced"} {
		if code, _, words := cliRun(t, nil, "demo", "--data", filepath.Join(e.dir, "data"), "--keys", filepath.Join(e.dir, "keys"), args); code != exitUsage || !strings.Contains(words, says) {
			t.Errorf("%s: exit code %d: %s", args, code, words)
		}
	}
	e.start("--speed", "0", "--json")
	if now := e.clock(); now.Before(at) {
		t.Errorf("the clock went back from %v to %v", at, now)
	}
	e.mind(3*time.Minute, `(June 2026) can be reported on`, spring)
	e.likeOurs("when the month can be reported on")
	if now := e.clock(); now.Before(reportOf(start)) || now.Sub(reportOf(start)) > time.Hour {
		t.Errorf("the haste ended at %v, want %v", now, reportOf(start))
	}

	// What became of it, by the site and by the phones.
	ended := e.api("manager", "GET", spring, nil)
	j, err := emulator.ReadJournal(filepath.Join(e.dir, "data", "town"))
	if err != nil {
		t.Fatal(err)
	}
	invitations := map[string]int{}
	for _, text := range j.Texts {
		if kindOf(text) == anInvitation {
			invitations[text.To]++
		}
	}
	var texts, opened, answers int
	for name, n := range map[string]*int{"texts": &texts, "opened": &opened, "answers": &answers} {
		if _, err := fmt.Sscan(ended.at(name), n); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if ended.at("state") != "finished" || texts != len(invitations) || opened < texts/50 || answers < 20 {
		t.Errorf("%s; %d texts, %d on phones, %d opened, %d answers", ended.at("state"), texts, len(invitations), opened, answers)
	}
	for to, n := range invitations {
		if n > 1 {
			t.Errorf("%s… was texted %d times", to[:6], n)
		}
	}
	var r demoReport
	if err := json.Unmarshal([]byte(e.out.String()), &r); err != nil {
		t.Fatalf("%v in %q", err, e.out.String())
	}
	if !r.Balanced() || r.Rows != patients || r.Texts != texts || r.Twice != 0 || r.Opened != opened || r.Referrals < answers || r.Contacted == 0 || r.PeakQueue == 0 || r.Decisions == 0 || r.DaysToLast <= 0 {
		t.Errorf("the result is %+v; the campaign's page says %d texts, %d opened, %d answers", r, texts, opened, answers)
	}
	if called := e.api("anna", "GET", "/referrals?state=done", nil).list("referrals"); len(called) == 0 {
		t.Error("the link workers have called nobody")
	}
	e.report("June 2026", "Loneliness")
	if fresh, err := os.ReadFile(filepath.Join(filepath.Dir(list), "fresh-list.csv")); err != nil || !strings.Contains(string(fresh[:200]), `"Run on:","29-Jun-2026`) || len(fresh) >= len(file) {
		t.Errorf("the fresh list of the last Monday has %d bytes, the first list %d: %v", len(fresh), len(file), err)
	}

	// A second campaign, of people whom the first has not had, sets the town in haste once more.
	var others bytes.Buffer
	if err := town.WriteList(&others, seed+1, 60, demoNetwork.Practices, e.clock()); err != nil {
		t.Fatal(err)
	}
	summer := e.launched(e.upload("Newcomers", others.Bytes()), "Summer")
	eventually(t, 30*time.Second, "the first texts of the second campaign wait for a look", func() bool { return e.api("manager", "GET", summer, nil).at("first_look") == "waiting" })
	e.likeOurs("while the first texts of the second campaign are looked at")
	e.api("manager", "POST", summer+"/resume", nil)
	e.mind(3*time.Minute, `(Tue 7 Jul)`, summer) // the fourth was a Saturday
	if n := e.api("manager", "GET", summer, nil).at("texts"); n == "0" || n == "20" {
		t.Errorf("the second campaign has sent %s texts", n)
	}
}

// report opens the page of reports as the manager does, with the password of the welcome.
func (e *emptyDemo) report(words ...string) {
	e.Helper()
	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	res, err := browser.PostForm(e.site+"/desk/sign-in", url.Values{"email": {"manager@riverside.example"}, "password": {e.find(time.Second, `password for all: (\S+)\)`)}})
	if err != nil {
		e.Fatal(err)
	}
	_ = res.Body.Close()
	page := ""
	eventually(e, 20*time.Second, fmt.Sprintf("a report with %q", words), func() bool {
		res, err := browser.Get(e.site + "/desk/reports")
		if err != nil {
			e.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			e.Fatal(err)
		}
		page = string(b)
		for _, w := range words {
			if !strings.Contains(page, w) {
				return false
			}
		}
		return true
	})
	if strings.Contains(page, "Nothing can be reported yet") {
		e.Error("the report says that there is none")
	}
}

// TestMetronome: a demo of its own catches up with its plan after what took long. To a manager's that gives no hours that pass in a blink, nor
// does a change of speed.
func TestMetronome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := emptyStart
		for _, c := range []struct {
			steady bool
			late   time.Duration // of the hour after ten seconds of hard work
		}{{false, 0}, {true, time.Second}} {
			m, p := metronome{speed: -1}, tempo{speed: 3600, steady: c.steady}
			hour := func() time.Duration {
				m.at(now, p)
				now = now.Add(time.Hour)
				wait := max(m.wait(now, p), 0)
				time.Sleep(wait)
				return wait
			}
			for range 3 {
				if got := hour(); got != time.Second {
					t.Errorf("steady %v: an hour takes %v, want 1s", c.steady, got)
				}
			}
			time.Sleep(10 * time.Second)
			hour()
			if got := hour(); got != c.late {
				t.Errorf("steady %v: the hour after hard work takes %v, want %v", c.steady, got, c.late)
			}
			p.speed = 1
			m.at(now, p)
			time.Sleep(time.Minute)
			p.speed = 3600
			if got := hour(); got != time.Second {
				t.Errorf("steady %v: the first hour of a new haste takes %v, want 1s", c.steady, got)
			}
			p.speed = 0
			if got := hour(); got != 0 {
				t.Errorf("steady %v: an hour as fast as can be takes %v", c.steady, got)
			}
		}
	})
}

// TestTwice_ofSeveral: a reminder and a second campaign are no second text of the first, and a manager may have a test text twice.
func TestTwice_ofSeveral(t *testing.T) {
	const one, other = "Hello: https://a.example/r/7T269F4P4Y4F No more texts: https://a.example/stop/7T269F4P4Y4F", "Hello: https://a.example/r/7K3MQ2XVT9PA No more texts: https://a.example/stop/7K3MQ2XVT9PA"
	texts := func(bodies ...string) (all []emulator.Text) {
		for _, b := range bodies {
			all = append(all, emulator.Text{To: "+447400000001", Body: b})
		}
		return all
	}
	for _, c := range []struct {
		name          string
		texts         []emulator.Text
		ofOne, ofMany int // campaigns
	}{
		{"one", texts(one), 0, 0},
		{"two of the same", texts(one, one), 1, 1},
		{"two messages", texts(one, other), 1, 0},
		{"a test, twice", texts("TEST: "+other, "TEST: "+other, one), 0, 0},
		{"two texts back", texts("We have it: 7T26-9F4P", "We have it: 7T26-9F4R"), 1, 0},
	} {
		if a, b := emulator.Twice(c.texts, kindOf), emulator.Twice(c.texts, messageOf); a != c.ofOne || b != c.ofMany {
			t.Errorf("%s: %d and %d numbers were texted twice, want %d and %d", c.name, a, b, c.ofOne, c.ofMany)
		}
	}
}

// TestEmpty_waits: time is the reader's whenever a campaign waits for them or for the machine, and only then.
func TestEmpty_waits(t *testing.T) {
	now := time.Date(2026, time.June, 10, 11, 0, 0, 0, town.London)
	running := func(change func(*campaign.View)) campaign.View {
		v := campaign.View{Campaign: campaign.Campaign{State: campaign.Running, LaunchedAt: now.AddDate(0, 0, -1)}, Audience: campaign.Audience{TakenOn: now.AddDate(0, 0, -2)}, Counts: campaign.Counts{campaign.Planned: 7}}
		change(&v)
		return v
	}
	for _, c := range []struct {
		name, want string
		change     func(*campaign.View)
	}{
		{"it runs", "", func(*campaign.View) {}},
		{"paused", "is paused", func(v *campaign.View) { v.State = campaign.Paused }},
		{"first look", "waits for you to look at its first texts", func(v *campaign.View) { v.State, v.FirstLook = campaign.Paused, campaign.LookWaits }},
		{"stopped for good", "", func(v *campaign.View) { v.State = campaign.Stopped }},
		{"finished", "", func(v *campaign.View) { v.State = campaign.Finished }},
		{"being planned", "is being launched", func(v *campaign.View) { v.Planning = true }},
		{"being screened again", "is held", func(v *campaign.View) { v.Held = "it is being screened" }},
		{"a restored database", "is held", func(v *campaign.View) { v.Halt.ID = "x" }},
		{"answers have stopped", "waits for you to look at its link", func(v *campaign.View) { v.Silent = now.Add(-time.Hour) }},
		{"answers have stopped, and somebody has looked", "", func(v *campaign.View) { v.Silent, v.Checked = now.Add(-time.Hour), now }},
		{"answers have stopped, and nothing is left", "", func(v *campaign.View) { v.Silent, v.Counts = now.Add(-time.Hour), nil }},
		{"an old list", "waits for a fresh list: screen it against fresh-list.csv", func(v *campaign.View) { v.Audience.TakenOn = now.AddDate(0, 0, -15) }},
		{"an old list that may be old", "", func(v *campaign.View) {
			v.Audience.TakenOn, v.Policy.MaxListAge = now.AddDate(0, 0, -15), 28*24*time.Hour
		}},
		{"an old list, screened again", "", func(v *campaign.View) {
			v.Audience.TakenOn, v.FreshAt = now.AddDate(0, 0, -15), now.AddDate(0, 0, -1)
		}},
	} {
		if got := waits(running(c.change), now); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	for text, want := range map[time.Time]time.Time{
		time.Date(2026, time.June, 30, 23, 59, 0, 0, town.London):  time.Date(2026, time.July, 4, 9, 0, 0, 0, town.London),
		time.Date(2026, time.July, 1, 0, 0, 0, 0, town.London):     time.Date(2026, time.August, 4, 9, 0, 0, 0, town.London),
		time.Date(2026, time.December, 9, 9, 0, 0, 0, town.London): time.Date(2027, time.January, 4, 9, 0, 0, 0, town.London),
	} {
		if got := reportOf(text); !got.Equal(want) {
			t.Errorf("a text of %v can be reported on at %v, want %v", text, got, want)
		}
	}
}
