package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/selfrefer/form"
	"github.com/wellpaced/wellpaced/store/storetest"
	"github.com/wellpaced/wellpaced/throttle"
)

// The stories are told on every engine.
var engines = []struct {
	name             string
	postgres, server bool // a Postgres; a Redis server of its own
}{
	{"sqlite", false, false},
	{"sqlite and redis", false, true},
	{"postgres and redis", true, true},
}

func onEveryEngine(t *testing.T, story func(t *testing.T, database, redis string)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			database, redis := "", ""
			if e.server {
				redis = redisOfOnesOwn(t)
			}
			if e.postgres {
				database = storetest.Postgres(t)
			}
			story(t, database, redis)
		})
	}
}

var redisNumber atomic.Int64

// redisOfOnesOwn is a database of the shared server that no other test uses: all apps call their queue the same.
func redisOfOnesOwn(tb testing.TB) string {
	n := redisNumber.Add(1)
	if n > 255 {
		tb.Fatal("storetest's Redis server has 256 databases")
	}
	return fmt.Sprintf("redis://%s/%d", storetest.Redis(tb), n)
}

const (
	testAccount = "AC0123456789abcdef0123456789abcdef"
	testToken   = "0123456789abcdef0123456789abcdef"
	testSender  = "+447700900111" // a number: it can be replied to
)

// Tuesday, ten past ten in the morning.
var storyBegins = time.Date(2026, 6, 2, 9, 10, 0, 0, time.UTC)

// hands are those of the civil clock.
type hands struct{ at atomic.Int64 }

func (h *hands) Now() time.Time       { return time.UnixMilli(h.at.Load()) }
func (h *hands) turn(d time.Duration) { h.at.Add(d.Milliseconds()) }
func (h *hands) set(t time.Time)      { h.at.Store(t.UnixMilli()) }

// lines keeps what is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// stand is the program on trial: started as main starts it, with a pretend Twilio on another port and a civil clock that the test turns.
type stand struct {
	testing.TB
	opt    options
	dir    string // of everything that a test keeps
	clock  hands
	app    *app
	twilio *emulator.Emulator
	logged lines
}

// newStand starts the app; change may set its options.
func newStand(tb testing.TB, database, redis string, change func(*options)) *stand {
	tb.Helper()
	s := &stand{TB: tb, dir: tb.TempDir()}
	s.clock.set(storyBegins)
	provider, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	log := slog.New(slog.NewJSONHandler(&s.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.opt = options{
		settings: settings{Data: filepath.Join(s.dir, "data"), Keys: filepath.Join(s.dir, "keys"), Database: database},
		Listen:   "127.0.0.1:0", Redis: redis, Web: true, Worker: true, Pacer: true, Rate: 1000, Now: s.clock.Now, Stepped: true, Idle: 5 * time.Millisecond, Log: log,
		Gateway: twilio.Config{BaseURL: "http://" + provider.Addr().String(), AccountSID: testAccount, AuthToken: testToken, From: testSender},
	}
	if change != nil {
		change(&s.opt)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.app, err = open(ctx, s.opt)
	s.must(err)
	s.twilio, err = emulator.Open(emulator.Config{Dir: s.judge(), AccountSID: testAccount, AuthToken: testToken, Now: s.clock.Now, Seed: 1,
		Delivery: emulator.Delivery{Delivered: 1}, InboundURL: s.app.PublicURL + twilio.InboundPath})
	s.must(err)
	server := &http.Server{Handler: s.twilio.Handler()}
	go func() { _ = server.Serve(provider) }()
	stopped := make(chan error, 1)
	go func() { stopped <- s.app.run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			tb.Errorf("the app stopped with: %v", err)
		}
		s.app.close()
		_ = server.Close()
		_ = s.twilio.Close()
		if tb.Failed() {
			tb.Logf("warnings and errors of the log:\n%s", loud(s.logged.String()))
		}
	})
	<-s.app.ready
	return s
}

func loud(log string) string {
	var b strings.Builder
	for l := range strings.Lines(log) {
		if !strings.Contains(l, `"level":"DEBUG"`) && !strings.Contains(l, `"level":"INFO"`) {
			b.WriteString(l)
		}
	}
	return b.String()
}

func (s *stand) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// judge is the folder of the emulator: what it accepted is the truth about who was texted.
func (s *stand) judge() string { return filepath.Join(s.dir, "judge") }

// accepted are the texts of campaigns, textsBack those that answer somebody.
func (s *stand) accepted() []emulator.Text  { s.Helper(); return s.ofKind(anInvitation) }
func (s *stand) textsBack() []emulator.Text { s.Helper(); return s.ofKind(aTextBack) }

func (s *stand) ofKind(kind string) []emulator.Text {
	s.Helper()
	j, err := emulator.ReadJournal(s.judge())
	s.must(err)
	return slices.DeleteFunc(j.Texts, func(t emulator.Text) bool { return kindOf(t) != kind })
}

// eventually polls: what it waits for happens in other goroutines and processes, in machine time.
func eventually(tb testing.TB, within time.Duration, what string, happened func() bool) {
	tb.Helper()
	every := time.NewTicker(3 * time.Millisecond)
	defer every.Stop()
	late := time.After(4 * within) // on a busy machine all takes longer; that it happens at all is what is waited for
	for !happened() {
		select {
		case <-late:
			tb.Fatalf("after %s still not: %s", 4*within, what)
		case <-every.C:
		}
	}
}

// minute is one round: the pacer decides, the workers send, the provider delivers and reports.
func (s *stand) minute() {
	s.Helper()
	s.clock.turn(time.Minute)
	_, err := s.app.pacer.Tick(context.Background(), s.clock.Now())
	s.must(err)
	eventually(s, 10*time.Second, "every ring is answered", func() bool { return s.app.queue.InFlight() == 0 })
	s.must(s.twilio.Tick(context.Background(), s.clock.Now()))
}

// paced lets minutes pass until so many texts are with the provider, and delivers them.
func (s *stand) paced(texts int) {
	s.Helper()
	for range 400 {
		if len(s.accepted()) >= texts {
			s.clock.turn(time.Minute)
			s.must(s.twilio.Tick(context.Background(), s.clock.Now()))
			return
		}
		s.minute()
		s.clock.turn(4 * time.Minute)
		if h := s.clock.Now().UTC().Hour(); h >= 16 {
			s.clock.turn(17 * time.Hour)
		}
	}
	s.Fatalf("%d texts after days of pacing, want %d; the last decisions: %s", len(s.accepted()), texts, s.decisions())
}

// decisions are the pacer's latest sentences, for a test that waits in vain.
func (s *stand) decisions() (said []string) {
	ctx := context.Background()
	teams, err := s.app.db.Teams(ctx)
	s.must(err)
	for _, team := range teams {
		snap, err := s.app.db.Snapshot(ctx, team)
		s.must(err)
		for _, d := range throttle.Decide(s.clock.Now(), snap.Policy, snap.State) {
			said = append(said, d.Sentence)
		}
	}
	return said
}

// command runs one of the program's commands beside the app and reads its JSON.
func (s *stand) command(args ...string) object {
	s.Helper()
	args = append(args, "--json", "--data", s.opt.Data, "--keys", s.opt.Keys)
	if s.opt.Database != "" {
		args = append(args, "--database", s.opt.Database)
	}
	var out, words bytes.Buffer
	if code := run(context.Background(), args, nil, &out, &words); code != exitDone {
		s.Fatalf("wellpaced %s: exit code %d: %s", strings.Join(args[:2], " "), code, words.String())
	}
	return decode(s, out.Bytes())
}

type object map[string]any

func decode(tb testing.TB, b []byte) (o object) {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		tb.Fatalf("not JSON: %v: %.300s", err, b)
	}
	return o
}

// at walks into nested objects and arrays: "claimed_by.name", "referrals.0.id". It gives the value as text.
func (o object) at(path string) string {
	var v any = map[string]any(o)
	for _, key := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(in) {
				return ""
			}
			v = in[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (o object) list(key string) (all []object) {
	in, _ := o[key].([]any)
	for _, v := range in {
		if m, ok := v.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// network is one tenant with its people, set up by the commands.
type network struct {
	*stand
	name, team string
	tokens     map[string]string // by first name
	accounts   map[string]string
}

// everybody of a network: two managers, an administrator and two link workers, one of them senior.
var everybody = []struct{ name, role string }{{"Mo", "campaign_manager"}, {"Sam", "campaign_manager"}, {"Ada", "administrator"}, {"Lee", "link_worker"}, {"Liz", "senior_link_worker"}}

func (s *stand) network(name, ods string) *network {
	s.Helper()
	practices := filepath.Join(s.dir, ods+".csv")
	s.must(os.WriteFile(practices, []byte(ods+"1,First Surgery,0151 496 0001\n"+ods+"2,Second Surgery,0151 496 0002\n"), 0o600))
	n := &network{stand: s, name: name, tokens: map[string]string{}, accounts: map[string]string{}}
	n.team = s.command("staff", "network", name, "--sender", testSender, "--link-host", s.app.PublicURL, "--phone", "0151 496 0000", "--practices", practices).at("team")
	for _, p := range everybody {
		email := strings.ToLower(p.name) + "@" + strings.ToLower(ods) + ".example"
		n.accounts[p.name] = s.command("staff", "add", email, "--name", p.name+" of "+name, "--role", p.role, "--network", name).at("account")
		n.tokens[p.name] = s.command("staff", "token", email).at("token")
	}
	week := object{}
	for _, day := range []string{"monday", "tuesday", "wednesday", "thursday", "friday"} {
		week[day] = object{"from": "09:00", "to": "17:00"}
	}
	n.api("Ada", "PUT", "/teams/"+n.team+"/capacity", object{"workers": []object{
		{"account": json.Number(n.accounts["Lee"]), "hours": week, "first_contact_share": 0.5, "minutes_per_contact": 45},
		{"account": json.Number(n.accounts["Liz"]), "hours": week, "first_contact_share": 0.5, "minutes_per_contact": 45}}}, 200)
	return n
}

// api is a call in somebody's name.
func (n *network) api(who, method, path string, body any, want int) object {
	n.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		n.must(err)
		in = bytes.NewReader(b)
	}
	return n.send(who, method, path, "application/json", in, want)
}

func (n *network) send(who, method, path, kind string, in io.Reader, want int) object {
	n.Helper()
	r, err := http.NewRequest(method, n.app.PublicURL+"/api/v1"+path, in)
	n.must(err)
	r.Header.Set("Authorization", "Bearer "+n.tokens[who])
	r.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(r)
	n.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	n.must(err)
	if resp.StatusCode != want {
		n.Fatalf("%s as %s %s: %d, want %d: %.400s", who, method, path, resp.StatusCode, want, b)
	}
	return decode(n, b)
}

// upload puts a patient list through the manager's door.
func (n *network) upload(list []byte, want int) object {
	n.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile("file", "list.csv")
	n.must(err)
	_, _ = part.Write(list)
	n.must(m.Close())
	return n.send("Mo", "POST", "/lists", m.FormDataContentType(), &b, want)
}

// launch takes a list the whole way to a running campaign.
func (n *network) launch(list string, more object) (id string) {
	n.Helper()
	draft := object{"list": json.Number(list), "name": "Summer", "text": storyText, "first_look": false}
	for k, v := range more {
		draft[k] = v
	}
	id = n.api("Mo", "POST", "/campaigns", draft, 201).at("id")
	do := func(who, what string, status int, code string) {
		n.Helper()
		if got := n.api(who, "POST", "/campaigns/"+id+"/"+what, nil, status); got.at("code") != code {
			n.Errorf("%s by %s: code %q, want %q", what, who, got.at("code"), code)
		}
	}
	do("Mo", "submit", 200, "")
	do("Mo", "approve", 409, "same_hand")
	people, err := strconv.Atoi(n.api("Mo", "GET", "/campaigns/"+id, nil, 200).at("people"))
	n.must(err)
	n.api("Sam", "POST", "/campaigns/"+id+"/approve", object{"people": people}, 200)
	do("Sam", "launch", 409, "practices_missing")
	for _, p := range n.api("Mo", "GET", "/campaigns/"+id, nil, 200).list("practices") {
		n.api("Ada", "POST", "/campaigns/"+id+"/practices/"+p.at("ods")+"/approve", object{"note": "Dr Ray, by phone today"}, 200)
	}
	do("Sam", "launch", 200, "")
	eventually(n, 10*time.Second, "the launch is planned", func() bool { return n.api("Mo", "GET", "/campaigns/"+id, nil, 200).at("planning") == "false" })
	return id
}

const (
	storyText     = "Hello ((first_name)), this is ((practice)). Would a chat with a link worker help you? ((link)) or ring ((phone)). No more texts: ((stop_link))"
	storyReminder = "Hello ((first_name)), we wrote last week. ((link)) No more texts: ((stop_link))"
)

// patient is a row of a list.
type patient struct{ first, last, born, nhs, mobile, practice, died string }

// nhsNumber is the i-th of the numbers that were never issued.
func nhsNumber(i int) string {
	for k := i; ; k += 100_000 {
		digits, sum := fmt.Sprintf("999%06d", k%1_000_000), 0
		for j, d := range digits {
			sum += int(d-'0') * (10 - j)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return digits + strconv.Itoa(check)
		}
	}
}

func people(n int, ods string) (all []patient) {
	names := []string{"Ann", "Ben", "Cat", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Joe"}
	for i := range n {
		all = append(all, patient{names[i%10], "Testperson", fmt.Sprintf("%02d/06/19%02d", 1+i%28, 40+i%40), nhsNumber(i + 1), fmt.Sprintf("074%08d", 1_000_000+i), ods + strconv.Itoa(1+i%2), ""})
	}
	return all
}

func listOf(all []patient) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"NHS number", "First name", "Surname", "DOB", "Telephone - mobile", "Registered practice ID", "Date of death"})
	for _, p := range all {
		_ = w.Write([]string{p.nhs, p.first, p.last, p.born, p.mobile, p.practice, p.died})
	}
	w.Flush()
	return b.Bytes()
}

// phone is one patient's: it gets texts, replies, and has a browser with cookies.
type phone struct {
	*stand
	patient
	read    int // texts seen
	text    emulator.Text
	browser http.Client
}

func (s *stand) phone(p patient) *phone {
	jar, err := cookiejar.New(nil)
	s.must(err)
	return &phone{stand: s, patient: p, browser: http.Client{Jar: jar}}
}

func (p *phone) number() string { return "+44" + p.mobile[1:] }

// inbox is what has arrived of campaigns so far.
func (p *phone) inbox() []emulator.Text { return p.arrived(anInvitation) }

// answered is what has arrived in answer to a form.
func (p *phone) answered() []emulator.Text { return p.arrived(aTextBack) }

func (p *phone) arrived(kind string) (all []emulator.Text) {
	for _, t := range p.twilio.Texts(0, 10_000) {
		if t.To == p.number() && kindOf(t) == kind {
			all = append(all, t)
		}
	}
	return all
}

// Expect waits for the next text and wants these words in it.
func (p *phone) Expect(words ...string) *phone {
	p.Helper()
	eventually(p, 10*time.Second, "the next text arrives", func() bool { return len(p.inbox()) > p.read })
	p.text = p.inbox()[p.read]
	p.read++
	for _, w := range words {
		if !strings.Contains(p.text.Body, w) {
			p.Errorf("text %d to %s lacks %q", p.read, p.first, w)
		}
	}
	return p
}

// base is the address of the form behind the last text.
func (p *phone) base() string {
	p.Helper()
	tokens := link.In(p.text.Body)
	if len(tokens) == 0 {
		p.Fatalf("no link in the text to %s", p.first)
	}
	return link.URL(p.app.PublicURL, tokens[0])
}

// page fetches or posts, follows redirects and wants the status.
func (p *phone) page(method, address string, f url.Values, want int) string {
	p.Helper()
	body := io.Reader(nil)
	if f != nil {
		body = strings.NewReader(f.Encode())
	}
	r, err := http.NewRequest(method, address, body)
	p.must(err)
	if f != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := p.browser.Do(r)
	p.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	p.must(err)
	if resp.StatusCode != want {
		p.Fatalf("%s: %d, want %d: %.300s", method, resp.StatusCode, want, b)
	}
	return string(b)
}

// Fill opens the link and answers page by page, up to the last check.
func (p *phone) Fill(answers url.Values) {
	p.Helper()
	base := p.base()
	p.page("GET", base, nil, 200)
	p.page("POST", base+"/start", url.Values{}, 200)
	for _, step := range form.Steps {
		if step.Path == "name" {
			continue // a link says who it is for
		}
		f := url.Values{}
		for _, name := range step.Fields {
			if v, ok := answers[name]; ok {
				f[name] = v
			}
		}
		p.page("POST", base+"/"+step.Path, f, 200)
	}
	if body := p.page("GET", base+"/check", nil, 200); !strings.Contains(body, "Check your answers") {
		p.Fatalf("no check page: %.300s", body)
	}
}

var referenceOnPage = regexp.MustCompile(`Your reference<br><strong[^>]*>([^<]+)<`)

// Sent is the last page: the reference and the words around it.
func (p *phone) Sent() (reference, body string) {
	p.Helper()
	body = p.page("GET", p.base()+"/sent", nil, 200)
	m := referenceOnPage.FindStringSubmatch(body)
	if m == nil {
		p.Fatalf("no reference on the last page: %.600s", body)
	}
	return m[1], body
}

// Send taps on send.
func (p *phone) Send() (reference, body string) {
	p.Helper()
	p.page("POST", p.base()+"/send", url.Values{}, 200)
	return p.Sent()
}

// DoubleTap sends twice at once, as an impatient thumb does.
func (p *phone) DoubleTap() {
	p.Helper()
	twice := p.browser
	twice.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			resp, err := twice.PostForm(p.base()+"/send", url.Values{})
			if err != nil {
				p.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusSeeOther || !strings.HasSuffix(resp.Header.Get("Location"), "/sent") {
				p.Errorf("a tap of two: %d, and not on to the last page", resp.StatusCode)
			}
		})
	}
	both.Wait()
}

// Stop presses the button behind the opt-out link of the last text.
func (p *phone) Stop() {
	p.Helper()
	stop := strings.Replace(p.base(), "/r/", "/stop/", 1)
	p.page("GET", stop, nil, 200)
	if body := p.page("POST", stop, url.Values{"why": {"opted_out"}}, 200); !strings.Contains(body, "It is done") {
		p.Errorf("the opt-out is not confirmed: %.300s", body)
	}
}

// Reply texts back.
func (p *phone) Reply(words string) {
	p.Helper()
	p.must(p.twilio.InboundFrom(context.Background(), p.number(), words, ""))
}

// answers are what a usual patient says; change alters them.
func answers(p patient, change url.Values) url.Values {
	day, month, year := p.born[:2], p.born[3:5], p.born[6:]
	f := url.Values{"danger": {"no"}, "for_other": {"no"}, "reasons": {"loneliness", "money"}, "words": {"I would like some company."}, "channel": {"call"}, "when": {"mornings"},
		"days": {"tuesday"}, "call_safe": {"yes"}, "text_safe": {"yes"}, "message_safe": {"no"}, "language": {"English"},
		"birth_date-day": {day}, "birth_date-month": {month}, "birth_date-year": {year}, "agreed": {"yes"}}
	for k, v := range change {
		f[k] = v
	}
	return f
}

func (n *network) referral(reference string) object {
	n.Helper()
	for after := "0"; ; {
		o := n.api("Lee", "GET", "/referrals?state=open&after="+after, nil, 200)
		for _, r := range o.list("referrals") {
			if r.at("reference") == reference {
				return r
			}
		}
		if after = o.at("next"); after == "" {
			n.Fatalf("the queue does not hold %s", reference)
		}
	}
}

// The whole road: from a list to a promise kept.
func TestStory_wholeRoad(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, nil)
		n := s.network("Knowsley Test PCN", "N8300")
		rows := people(12, "N8300")
		dirty := slices.Concat(rows, []patient{
			{"Old", "Testperson", "01/01/1930", nhsNumber(900), "07400900900", "N83001", "02/03/2025"},
			{"Fixed", "Testperson", "01/01/1950", nhsNumber(901), "0151 496 0901", "N83001", ""}})
		list := n.upload(listOf(dirty), 201)
		if got := fmt.Sprintln(list["rows"], list["invited"], list["excluded"], list["rejected"]); got != "14 12 map[deceased:1] map[mobile_not_mobile:1]\n" {
			t.Errorf("ledger %s", got)
		}
		id := n.launch(list.at("id"), object{"reminder": object{"text": storyReminder, "after_days": 7}})
		s.paced(len(rows))

		var phones []*phone
		for _, p := range rows {
			surgery := map[byte]string{'1': "First Surgery", '2': "Second Surgery"}[p.practice[5]]
			phones = append(phones, s.phone(p).Expect("Hello "+p.first+", this is "+surgery, "0151 496 000"+p.practice[5:]))
		}
		stops, replies, ann, wrong, danger := phones[0], phones[1], phones[2], phones[3], phones[4]
		stops.Stop()
		replies.Reply("STOP")

		ann.Fill(answers(ann.patient, nil))
		ann.DoubleTap()
		reference, body := ann.Sent()
		if again, _ := ann.Send(); again != reference {
			t.Errorf("a later tap gives another reference: %s, %s", reference, again)
		}
		if !strings.Contains(body, "We will call you by") {
			t.Error("the last page does not say by when they will be called")
		}
		wrong.Fill(answers(wrong.patient, url.Values{"birth_date-year": {"1999"}}))
		unverified, _ := wrong.Send()
		danger.Fill(answers(danger.patient, url.Values{"words": {"Most days I feel that I can’t go on."}}))
		urgent, body := danger.Send()
		if !strings.Contains(body, "sounds urgent") {
			t.Error("the last page of an urgent form does not say so")
		}

		if got := len(n.api("Lee", "GET", "/referrals?state=open", nil, 200).list("referrals")); got != 3 {
			t.Errorf("%d referrals in the queue, want 3: a double tap is one", got)
		}
		for _, want := range []struct{ reference, lane, urgent string }{{reference, "verified", "false"}, {unverified, "unverified", "false"}, {urgent, "verified", "true"}} {
			if r := n.referral(want.reference); r.at("lane") != want.lane || r.at("urgent") != want.urgent {
				t.Errorf("%s: lane %s, urgent %s; want %+v", want.reference, r.at("lane"), r.at("urgent"), want)
			}
		}
		if first := n.api("Lee", "GET", "/referrals?state=open", nil, 200).at("referrals.0.reference"); first != urgent {
			t.Error("the urgent one is not first in the queue")
		}

		ref := "/referrals/" + n.referral(reference).at("id")
		n.api("Lee", "POST", ref+"/claim", nil, 200)
		if taken := n.api("Liz", "POST", ref+"/claim", nil, 409); taken.at("code") != "taken" || taken.at("claimed_by.name") != "Lee of Knowsley Test PCN" {
			t.Errorf("the second claim is answered %v", taken)
		}
		n.api("Lee", "POST", ref+"/attempt", object{"channel": "call"}, 200)
		s.clock.turn(time.Hour)
		n.api("Lee", "POST", ref+"/start_support", object{"channel": "call"}, 200)
		if r := n.api("Lee", "GET", ref, nil, 200); r.at("age") != "contacted" || r.at("contacted") == "" || r.at("contacted") > r.at("due") || r.at("phone") != ann.number() {
			t.Errorf("the promise is not kept: contacted %s, due %s, %s", r.at("contacted"), r.at("due"), r.at("age"))
		}

		// The others are spoken to as well: with promises broken nobody would be reminded.
		for _, r := range []string{urgent, unverified} {
			other := "/referrals/" + n.referral(r).at("id")
			n.api("Liz", "POST", other+"/claim", nil, 200)
			n.api("Liz", "POST", other+"/close", object{"channel": "call"}, 200)
		}

		// A week later everybody is reminded who neither answered nor said no.
		s.clock.turn(8 * 24 * time.Hour)
		s.paced(len(rows) + len(rows) - 5)
		for range 20 {
			s.minute()
		}
		for i, p := range phones {
			want := 2
			if i < 5 {
				want = 1
			}
			if got := len(p.inbox()); got != want {
				t.Errorf("phone %d has %d texts, want %d", i, got, want)
			}
		}
		nobodyTwice(t, s.accepted())
		view := n.api("Mo", "GET", "/campaigns/"+id, nil, 200)
		if view.at("texts") != "19" || view.at("answers") != "3" || view.at("opened") != "3" || view.at("last_decision.sentence") == "" {
			t.Errorf("the campaign counts %s texts, %s opened, %s answers; its last decision is %q", view.at("texts"), view.at("opened"), view.at("answers"), view.at("last_decision.sentence"))
		}

		// A new list knows who said no, who is in support, and who was texted.
		if got := fmt.Sprint(n.upload(listOf(rows), 201)["excluded"]); got != "map[recently_texted:10 suppressed:2]" {
			t.Errorf("the next list leaves out %s", got)
		}

		// What is not of one's network does not exist.
		other := s.network("Another Test PCN", "N8400")
		for _, path := range []string{"/campaigns/" + id, "/lists/" + list.at("id"), ref} {
			who := "Mo"
			if path == ref {
				who = "Liz"
			}
			if p := other.api(who, "GET", path, nil, 404); p.at("code") != "not_found" {
				t.Errorf("%s of another network: code %s", path, p.at("code"))
			}
		}
		for who, path := range map[string]string{"Mo": "/campaigns/" + id + "/pause", "Ada": "/campaigns/" + id + "/practices/N83001/approve", "Lee": ref + "/claim"} {
			other.api(who, "POST", path, nil, 404)
		}
		if got := len(other.api("Lee", "GET", "/referrals?state=open", nil, 200).list("referrals")); got != 0 {
			t.Errorf("another network sees %d referrals", got)
		}
		if got := s.api404(other.tokens["Mo"], "/teams/"+n.team+"/capacity"); got != http.StatusNotFound {
			t.Errorf("another network's roster is answered %d", got)
		}
	})
}

// api404 is the status of a GET.
func (s *stand) api404(token, path string) int {
	s.Helper()
	r, err := http.NewRequest("GET", s.app.PublicURL+"/api/v1"+path, nil)
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	s.must(err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// nobodyTwice judges by the provider's journal: no number got the same step twice. Links differ from text to text, so the words without
// them tell the steps apart.
func nobodyTwice(tb testing.TB, texts []emulator.Text) {
	tb.Helper()
	step := func(t emulator.Text) string {
		if strings.Contains(t.Body, "we wrote last week") {
			return "reminder"
		}
		return "invitation"
	}
	if n := emulator.Twice(texts, step); n != 0 {
		tb.Errorf("%d numbers were texted twice", n)
	}
}

// After a pause is answered nothing leaves but what was already being sent; after resume everybody gets theirs, once.
func TestStory_pause(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, func(o *options) { o.Rate = 15 })
		n := s.network("Knowsley Test PCN", "N8300")
		rows := people(30, "N8300")
		id := n.launch(n.upload(listOf(rows), 201).at("id"), object{"text": "Hello ((first_name)) ((link)) Stop: ((stop_link))"})
		count := func(state string) int {
			v, _ := strconv.Atoi(n.api("Mo", "GET", "/campaigns/"+id, nil, 200).at("messages." + state))
			return v
		}
		ctx := context.Background()
		for count("released")+count("sending")+count("accepted") < 15 {
			s.clock.turn(time.Minute)
			_, err := s.app.pacer.Tick(ctx, s.clock.Now())
			s.must(err)
		}
		eventually(t, 10*time.Second, "some texts have left", func() bool { return len(s.accepted()) >= 5 })
		n.api("Sam", "POST", "/campaigns/"+id+"/pause", nil, 200)
		inHand := count("sending") // first: a text may arrive between the two
		left := len(s.accepted())
		eventually(t, 10*time.Second, "what was being sent is sent", func() bool { return count("sending") == 0 })
		for range 5 {
			s.minute()
		}
		paused := len(s.accepted())
		const committing = 3 // claims that may have been under way at that very moment; the sender's rate lets no more
		if paused > left+inHand+committing || paused == len(rows) {
			t.Errorf("%d texts had left when the pause was answered, %d were being sent, and %d left", left, inHand, paused)
		}
		if got := count("released"); got != 0 {
			t.Errorf("%d messages are still released while paused", got)
		}
		n.api("Sam", "POST", "/campaigns/"+id+"/resume", nil, 200)
		s.paced(len(rows))
		s.minute()
		nobodyTwice(t, s.accepted())
		if got := len(s.accepted()); got != len(rows) {
			t.Errorf("%d texts, want %d", got, len(rows))
		}
	})
}
