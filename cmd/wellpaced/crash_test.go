package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/soak"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/throttle"
)

const (
	crashPatients = 400
	// The reconciler must wait longer than the provider can be late: lateBy to accept and listLag to list.
	crashSettle = 3 * time.Second
	lateBy      = time.Second
	listLag     = 500 * time.Millisecond
)

// victim is the program in a process of its own, with what it needs to be started again.
type victim struct {
	testing.TB
	args   []string
	logged string
	cmd    *exec.Cmd
	began  time.Time
}

func (v *victim) start() {
	v.Helper()
	log, err := os.OpenFile(v.logged, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		v.Fatal(err)
	}
	defer log.Close()
	v.began = time.Now()
	v.cmd = exec.Command(os.Args[0], v.args...)
	v.cmd.Env = append(os.Environ(), asProgram+"=1")
	v.cmd.Stderr = log
	if err := v.cmd.Start(); err != nil {
		v.Fatal(err)
	}
}

func (v *victim) end(how syscall.Signal) {
	if v.cmd == nil {
		return
	}
	_ = v.cmd.Process.Signal(how)
	_ = v.cmd.Wait()
	v.cmd = nil
}

// flush empties a Redis database, as an operator's mistake or a restart without persistence does.
func flush(t *testing.T, redisURL string) {
	t.Helper()
	if err := soak.FlushRedis(t.Context(), redisURL); err != nil {
		t.Fatal(err)
	}
}

func judged(tb testing.TB, dir string) []emulator.Text {
	tb.Helper()
	j, err := emulator.ReadJournal(filepath.Join(dir, "judge"))
	if err != nil {
		tb.Fatal(err)
	}
	return j.Texts
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// crashCampaign launches a campaign that sends day and night, as fast as the sender may.
func crashCampaign(t *testing.T, s settings, site string) (campaign.ID, string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{Database: s.Database, DataDir: s.Data, Keys: s.Keys, Now: time.Now, Machine: time.Now, Logger: slog.New(slog.DiscardHandler)})
	must(err)
	defer db.Close()
	n, err := db.CreateNetwork(ctx, staff.Network{Name: "Crash PCN", Sender: testSender, LinkHost: site, Phone: "0151 496 0000", Practices: []staff.Practice{{ODS: "N83001", Name: "Surgery"}}})
	must(err)
	team, err := db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: "Link workers", PromiseDays: 2})
	must(err)
	mo, err := db.CreateAccount(ctx, staff.Account{Network: n.ID, Email: "mo@crash.example", Name: "Mo", Role: staff.Administrator}, "x")
	must(err)
	sam, err := db.CreateAccount(ctx, staff.Account{Network: n.ID, Email: "sam@crash.example", Name: "Sam", Role: staff.Administrator}, "x")
	must(err)
	im, err := db.BeginImport(ctx, mo, "list", true, false)
	must(err)
	for i, p := range people(crashPatients, "N8300") {
		nhs, err := person.ParseNHSNumber(p.nhs)
		must(err)
		mobile, err := person.ParseMobile(p.mobile)
		must(err)
		born, err := person.ParseISO("1950-06-15")
		must(err)
		must(im.Candidate(ctx, campaign.Candidate{Row: i + 1, NHSNumber: nhs, Name: person.NewName(p.first, p.last), BirthDate: born, Phone: mobile, Practice: "N83001"}))
	}
	list, err := im.Finish(ctx)
	must(err)
	var always throttle.Week
	for d := range always {
		always[d] = throttle.Hours{From: 0, To: 24 * 60}
	}
	c, err := db.CreateCampaign(ctx, mo, campaign.Campaign{Audience: list.ID, Team: team.ID, Name: "Crash", Seed: 7,
		Steps: []campaign.Step{{Number: 1, Template: "((first_name)) ((link)) Stop: ((stop_link))"}}, Policy: campaign.Policy{Price: 240, Rate: 100, Windows: always, Blast: true}})
	must(err)
	for _, m := range []campaign.Move{campaign.Submit, campaign.Approve, campaign.Launch} {
		who := mo
		if m == campaign.Approve {
			who = sam
			must(db.ApprovePractice(ctx, sam, c.ID, "N83001"))
		}
		if m == campaign.Approve {
			_, err = db.ApproveCampaign(ctx, who, c.ID, campaign.Approval{People: list.Ledger.Invited})
		} else {
			_, err = db.MoveCampaign(ctx, who, c.ID, m)
		}
		must(err)
	}
	token, err := db.StartSession(ctx, mo.ID, "api", "test", time.Hour)
	must(err)
	return c.ID, token
}

// answering are the people: some of those who got a text refer themselves, some say no. Who gets no answer from the site tries again.
type answering struct {
	site  string
	judge *emulator.Emulator

	mu         sync.Mutex
	todo       []*deed
	references []string // acknowledged
	stopped    []string // numbers of those whose opt-out was acknowledged
	refused    string
	resting    bool
}

// deed is what one person wants to do, until it is acknowledged.
type deed struct {
	number string
	token  link.Token
	refer  bool
	form   string
}

func (a *answering) live(ctx context.Context) {
	every := time.NewTicker(40 * time.Millisecond)
	defer every.Stop()
	browser := &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	seen := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		a.mu.Lock()
		if !a.resting {
			for _, t := range a.judge.Texts(seen, 100) {
				seen = t.Delivery
				tokens := link.In(t.Body)
				if len(tokens) == 0 || t.Delivery%3 == 0 {
					continue
				}
				a.todo = append(a.todo, &deed{number: t.To, token: tokens[0], refer: t.Delivery%3 == 1, form: "form-" + formSuffix(t.Delivery)})
			}
		}
		var next *deed
		if len(a.todo) > 0 {
			next = a.todo[0]
		}
		a.mu.Unlock()
		if next != nil && a.do(browser, next) {
			a.mu.Lock()
			a.todo = a.todo[1:]
			a.mu.Unlock()
		}
	}
}

// formSuffix spells a number in the alphabet of form ids.
func formSuffix(n int64) string {
	s := []byte(strings.Repeat("a", 32))
	for i := 0; n > 0; i, n = i+1, n/26 {
		s[i] = byte('a' + n%26)
	}
	return string(s)
}

// do tries once and reports whether the site has acknowledged it.
func (a *answering) do(browser *http.Client, d *deed) bool {
	if !d.refer {
		resp, err := browser.PostForm(strings.Replace(link.URL(a.site, d.token), "/r/", "/stop/", 1), url.Values{"why": {"opted_out"}})
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var page bytes.Buffer
		if _, err := page.ReadFrom(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(page.String(), "It is done") {
			a.say("an opt-out is answered %d", resp.StatusCode)
			return false
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.stopped = append(a.stopped, d.number)
		return true
	}
	resp, err := browser.PostForm(link.URL(a.site, d.token)+"/send", url.Values{"form": {d.form}, "reasons": {"loneliness"}, "words": {"hello"}, "call_safe": {"yes"},
		"birth_date-day": {"15"}, "birth_date-month": {"6"}, "birth_date-year": {"1950"}, "agreed": {"yes"}})
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		a.say("a form is answered %d", resp.StatusCode)
		return false
	}
	for _, c := range resp.Cookies() {
		if part := strings.Split(c.Value, "."); c.Name == "sent" && len(part) == 5 {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.references = append(a.references, part[1])
			return true
		}
	}
	return false
}

// say remembers the last answer that was no acknowledgement.
func (a *answering) say(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused = fmt.Sprintf(format, args...)
}

// rest lets those finish who have begun; nobody begins any more.
func (a *answering) rest() {
	a.mu.Lock()
	a.resting = true
	a.todo = a.todo[:min(len(a.todo), 20)]
	a.mu.Unlock()
}

// check compares what people were told with what the program has.
func (a *answering) check(t *testing.T, n *network, s settings) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the last refusal: %q", a.refused)
		}
	}()
	eventually(t, 20*time.Second, "the people have done what they wanted", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.todo) == 0
	})
	queue := map[string]int{}
	for after := "0"; after != ""; {
		o := n.api("Mo", "GET", "/referrals?state=open&after="+after, nil, 200)
		for _, r := range o.list("referrals") {
			queue[r.at("reference")]++
		}
		after = o.at("next")
	}
	slices.Sort(a.references)
	for _, r := range slices.Compact(a.references) {
		if queue[r] != 1 {
			t.Errorf("an acknowledged referral is %d times in the queue", queue[r])
		}
	}
	if len(queue) != len(a.references) {
		t.Errorf("%d referrals in the queue, %d were acknowledged, and everybody who tried was", len(queue), len(a.references))
	}
	// Whoever opted out would be left out of the next list, for that reason.
	var gone []patient
	for _, p := range people(crashPatients, "N8300") {
		if slices.Contains(a.stopped, "+44"+p.mobile[1:]) {
			gone = append(gone, p)
		}
	}
	if len(gone) == 0 || len(a.references) == 0 {
		t.Errorf("%d opt-outs and %d referrals: the test tried nothing", len(gone), len(a.references))
	}
	list := filepath.Join(t.TempDir(), "gone.csv")
	if err := os.WriteFile(list, listOf(gone), 0o600); err != nil {
		t.Fatal(err)
	}
	n.opt.settings = s
	l := n.command("import", list, "--dry-run")
	if l.at("excluded.suppressed") != strconv.Itoa(len(gone)) {
		t.Errorf("%d people opted out, and the next list would give: %v", len(gone), l)
	}
}
