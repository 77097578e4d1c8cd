package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/store/storetest"
)

// ask gets a page of the site, or posts to it; status 0 means that nobody answered in time.
func (h *theatre) ask(path string, form url.Values) (status int, body string) {
	status, body, _ = h.request(path, form)
	return status, body
}

func (h *theatre) request(path string, form url.Values) (status int, body string, cookies []*http.Cookie) {
	c := http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer c.CloseIdleConnections()
	r, err := http.NewRequest("GET", "http://"+h.site+path, nil)
	if form != nil {
		r, err = http.NewRequest("POST", "http://"+h.site+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	h.must(err)
	if strings.HasPrefix(path, "/api/") {
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	h.must(err)
	return resp.StatusCode, string(b), resp.Cookies()
}

func (h *theatre) up() {
	h.Helper()
	eventually(h.T, 30*time.Second, "the site answers", func() bool {
		time.Sleep(20 * time.Millisecond)
		status, _ := h.ask("/healthz", nil)
		return status == http.StatusNoContent
	})
}

// ready waits until /readyz says what it should: "" or the code of what is away.
func (h *theatre) ready(want string) {
	h.Helper()
	eventually(h.T, 30*time.Second, fmt.Sprintf("/readyz says %q", want), func() bool {
		time.Sleep(50 * time.Millisecond)
		status, body := h.ask("/readyz", nil)
		return want == "" && status == http.StatusNoContent || want != "" && status == http.StatusServiceUnavailable && strings.Contains(body, `"code":"`+want+`"`)
	})
}

// still reports how many texts leave while nothing should: those in hand may.
func (h *theatre) still(for_ time.Duration) int {
	time.Sleep(lateBy + time.Second)
	before := len(h.texts())
	time.Sleep(for_)
	return len(h.texts()) - before
}

// refer posts a whole self-referral as the last page does. What is acknowledged counts with what the town was told.
func (h *theatre) refer(token string) (status int, body string) {
	h.Helper()
	h.posted++
	form := url.Values{"form": {"form-" + formSuffix(h.posted<<40)}, "reasons": {"loneliness"}, "words": {"hello, it is me"}, "call_safe": {"yes"},
		"birth_date-day": {"15"}, "birth_date-month": {"6"}, "birth_date-year": {"1950"}, "agreed": {"yes"}}
	status, body, cookies := h.request("/r/"+token+"/send", form)
	for _, c := range cookies {
		if part := strings.Split(c.Value, "."); c.Name == "sent" && len(part) == 5 && status == http.StatusSeeOther {
			h.town.mu.Lock()
			h.town.references = append(h.town.references, part[1])
			h.town.mu.Unlock()
		}
	}
	return status, body
}

func (h *theatre) tokenOf(i int) string {
	h.Helper()
	tokens := link.In(h.texts()[i].Body)
	if len(tokens) == 0 {
		h.Fatal("a text without a link")
	}
	return strings.TrimPrefix(link.URL("", tokens[0]), "/r/")
}

// One process with a Redis of its own, which is away at its start, emptied, stopped and frozen while a moody provider is asked to text four hundred
// people. The site goes on through all of it, /readyz and the log say what is wrong, the log once each; sending waits and goes on, nobody is texted
// twice and nobody is forgotten.
func TestRedisAway(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	redis := storetest.OwnRedis(t)
	redis.Stop()
	h := newTheatre(t, "", moody)
	v := h.process("serve", h.base.Data, "--listen", h.site, "--redis", "redis://"+redis.Addr, "--rate", "8")
	v.start()
	h.up()
	goesOn := func(when string) {
		t.Helper()
		began := time.Now()
		for _, path := range []string{"/r", "/desk/sign-in", "/api/v1/campaigns", "/api/v1/referrals?state=open", "/api/v1/system"} {
			if status, body := h.ask(path, nil); status != http.StatusOK {
				t.Errorf("%s: %s is answered %d: %.200s", when, path, status, body)
			}
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: five pages took %s", when, took)
		}
	}
	h.ready("queue")
	goesOn("without Redis at the start")
	h.must(redis.Start())
	h.ready("")
	enough := func(n int) {
		t.Helper()
		eventually(t, 60*time.Second, fmt.Sprintf("%d texts have left", n), func() bool { time.Sleep(100 * time.Millisecond); return len(h.texts()) >= n })
	}
	enough(20)
	flush(t, "redis://"+redis.Addr+"/0")
	enough(60)

	redis.Stop()
	h.ready("queue")
	goesOn("Redis is stopped")
	if n := h.still(3 * time.Second); n > 0 {
		t.Errorf("%d texts left without Redis", n)
	}
	if status, body := h.refer(h.tokenOf(0)); status != http.StatusSeeOther {
		t.Errorf("a form while Redis is away is answered %d: %.300s", status, body)
	}
	h.must(redis.Start())
	h.ready("")
	enough(100)
	redis.Freeze()
	h.ready("queue")
	goesOn("Redis is frozen")
	if _, body := h.ask("/api/v1/system", nil); !strings.Contains(body, `"answers":false`) || !strings.Contains(body, "The queue does not answer") {
		t.Errorf("the system call says %s", body)
	}
	redis.Thaw()
	h.ready("")

	h.judge.SetFaults(emulator.Faults{})
	h.accounted(150*time.Second, func() { v.end(syscall.SIGTERM); v.start() })
	b, err := os.ReadFile(v.logged)
	h.must(err)
	said := string(b)
	away, back := strings.Count(said, "the Redis server does not answer: sending waits, everything else"), strings.Count(said, "the Redis server answers again")
	if away != 3 || back != 3 {
		t.Errorf("Redis was away three times; the log says %d times that it is away and %d times that it is back", away, back)
	}
	if n := strings.Count(loud(said), `"comp":"queue"`); n > 3+3 { // and a ring that could not be answered, once each
		t.Errorf("%d complaints of the queue in the log:\n%s", n, loud(said))
	}
}

// The database goes away in every way it can while texts leave: connections are cut, it turns read-only, it stops. Texts stop with it, forms and
// opt-outs are taken all the same and come home, and if the journal's disk is full as well, the page keeps the answers.
func TestDatabaseAway(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	server, database := storetest.OwnPostgres(t)
	h := newTheatre(t, database, moody)
	data := filepath.Join(h.dir, "serve")
	small := mountSmall(t, data, 24)
	v := h.process("serve", data, "--listen", h.site, "--database", database, "--rate", "8", "--ballast", "0")
	v.start()
	h.up()
	admin, err := sql.Open("pgx", database)
	h.must(err)
	defer admin.Close()
	must := func(query string) {
		t.Helper()
		_, err := admin.Exec(query)
		h.must(err)
	}
	eventually(t, 60*time.Second, "texts leave", func() bool { time.Sleep(100 * time.Millisecond); return len(h.texts()) >= 30 })
	for range 10 { // every connection is cut, again and again
		must(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wellpaced'`)
		time.Sleep(300 * time.Millisecond)
	}
	h.ready("")

	takes := func(when string, i int) {
		t.Helper()
		began, token := time.Now(), h.tokenOf(i)
		if status, body := h.refer(token); status != http.StatusSeeOther {
			t.Errorf("%s: a form is answered %d: %.300s", when, status, body)
		}
		if status, body := h.ask("/stop/"+token, url.Values{"why": {"opted_out"}}); status != http.StatusOK || !strings.Contains(body, "It is done") {
			t.Errorf("%s: an opt-out is answered %d: %.300s", when, status, body)
		}
		h.town.mu.Lock()
		h.town.stopped = append(h.town.stopped, h.texts()[i].To)
		h.town.mu.Unlock()
		if status, _ := h.ask("/r/"+token, nil); status != http.StatusOK && status != http.StatusGone { // its person may have used it before
			t.Errorf("%s: a link is answered %d", when, status)
		}
		t.Logf("%s: a form, an opt-out and a page took %s", when, time.Since(began).Round(time.Millisecond))
	}
	must(`ALTER DATABASE own SET default_transaction_read_only = on`)
	must(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wellpaced'`)
	time.Sleep(time.Second)
	takes("read-only", 0)
	if n := h.still(2 * time.Second); n > 0 {
		t.Errorf("%d texts left while the database is read-only", n)
	}
	must(`SET default_transaction_read_only = off; ALTER DATABASE own RESET default_transaction_read_only`)
	must(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wellpaced'`)
	before := len(h.texts())
	eventually(t, 90*time.Second, "texts leave again", func() bool { time.Sleep(100 * time.Millisecond); return len(h.texts()) > before+5 })

	server.Stop()
	h.ready("database")
	takes("stopped", 1)
	if n := h.still(2 * time.Second); n > 0 {
		t.Errorf("%d texts left without a database", n)
	}
	if small {
		full := filepath.Join(data, "somebody-elses")
		fill(t, full)
		status, body := h.refer(h.tokenOf(1))
		for n := 0; status == http.StatusSeeOther && n < 200; n++ { // the journal's last page has room yet
			status, body = h.refer(h.tokenOf(1))
		}
		if status != http.StatusServiceUnavailable || !strings.Contains(body, "could not keep your answers") || !strings.Contains(body, "hello, it is me") {
			t.Errorf("with no database and a full disk a form is answered %d: %.500s", status, body)
		}
		h.must(os.Remove(full))
		takes("room again", 2)
	}
	h.must(server.Start())
	h.ready("")
	h.judge.SetFaults(emulator.Faults{})
	eventually(t, 30*time.Second, "the database has what the journal kept", func() bool {
		time.Sleep(100 * time.Millisecond)
		_, body := h.ask("/api/v1/system", nil)
		return strings.Contains(body, `"journal_owed":0`)
	})
	h.accounted(150*time.Second, func() { v.end(syscall.SIGTERM); v.start() })
	b, err := os.ReadFile(v.logged)
	h.must(err)
	// What could not be done for somebody is said each time; what goes round by itself says once that it cannot, and once that it can again.
	complaints := map[string]int{}
	for line := range strings.Lines(loud(string(b))) {
		if o := decode(t, []byte(line)); o.at("comp") != "http" {
			complaints[o.at("comp")+": "+o.at("msg")]++
		}
	}
	t.Logf("what the log complains of: %v", complaints)
	for what, n := range complaints {
		loop, _, _ := strings.Cut(what, ":")
		if n > 30 && (slices.Contains([]string{"pace", "settle", "ring again", "purge", "queue", "pacer"}, loop) || strings.Contains(what, "tried again each second")) {
			t.Errorf("%d times about a database that was away a few times: %s", n, what)
		}
	}
}

// mountSmall makes a folder a small disk of its own; only root may, and elsewhere the folder is an ordinary one.
func mountSmall(t *testing.T, dir string, megabytes int) bool {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=700", megabytes)); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Logf("a small disk cannot be mounted here (root may), so it is not filled: %v", err)
		return false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	})
	return true
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(bytes.Repeat([]byte{1}, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 4
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// While one process serves a SQLite file and sends, it may stand still and wake, a second one is refused in a sentence, and the commands work beside it.
func TestBesideServe(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	h := newTheatre(t, "", emulator.Faults{})
	v := h.process("serve", h.base.Data, "--listen", h.site, "--rate", "20")
	v.start()
	h.up()
	eventually(t, 30*time.Second, "texts leave", func() bool { time.Sleep(50 * time.Millisecond); return len(h.texts()) >= 20 })

	// It stands still for longer than a claim may wait for its first byte, with claims in hand, and wakes.
	_ = v.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(campaign.FirstByte + 2*time.Second)
	_ = v.cmd.Process.Signal(syscall.SIGCONT)

	second := h.process("second", h.base.Data, "--listen", "127.0.0.1:0")
	if code, said := second.said(); code != exitFailed || strings.Count(said, "\n") != 0 ||
		!strings.HasPrefix(said, "wellpaced: another wellpaced is already serving "+h.base.Data+": stop it first.") || !strings.Contains(said, "--database postgres://") {
		t.Errorf("a second process: exit code %d: %s", code, said)
	}
	command := func(args ...string) string {
		t.Helper()
		before := len(h.texts())
		c := exec.Command(os.Args[0], append(args, "--data", h.base.Data, "--keys", h.base.Keys)...)
		c.Env = append(os.Environ(), asProgram+"=1")
		began := time.Now()
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		t.Logf("%s took %s while %d texts left", strings.Join(args[:2], " "), time.Since(began).Round(time.Millisecond), len(h.texts())-before)
		return string(out)
	}
	list := filepath.Join(h.dir, "more.csv")
	h.must(os.WriteFile(list, listOf(people(2000, "N8300")), 0o600))
	command("staff", "add", "new@crash.example", "--name", "Nell New", "--role", "link_worker", "--network", "Crash PCN", "--password-file", h.file("password", "seven quiet otters on a bicycle"))
	if said := command("import", list, "--dry-run", "--json"); !strings.Contains(said, `"invited"`) {
		t.Errorf("import says %s", said)
	}
	command("import", list, "--json", "--as", "mo@crash.example")
	token := strings.TrimSpace(command("staff", "token", "sam@crash.example"))
	h.net.tokens["Sam"] = token[strings.LastIndexAny(token, " \n")+1:]
	if lists := h.net.api("Sam", "GET", "/lists", nil, 200).list("lists"); len(lists) < 2 {
		t.Errorf("the list that was imported beside the running process is not there: %v", lists)
	}
	h.accounted(90*time.Second, func() { v.end(syscall.SIGTERM); v.start() })
}

func (h *theatre) file(name, content string) string {
	h.Helper()
	path := filepath.Join(h.dir, name)
	h.must(os.WriteFile(path, []byte(content), 0o600))
	return path
}
