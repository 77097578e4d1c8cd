package form

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// noon is the civil time of every test: Tuesday 1 June 2027.
const sentNow = "Hello Sam, Elm Road Surgery can help.\nhttps://riverside.test/r/\nStop: https://riverside.test/stop/"

var noon = time.Date(2027, 6, 1, 11, 0, 0, 0, time.UTC)

var (
	network  = staff.Network{ID: 7, Name: "Riverside Primary Care Network", Sender: "Riverside", LinkHost: "https://riverside.test", Phone: "0151 496 0000"}
	practice = staff.Practice{ODS: "N83001", Name: "Elm Road Surgery", Phone: "0151 496 0001"}
	known    = link.Mint([]byte("test"), 1)
	used     = link.Mint([]byte("test"), 2)
	old      = link.Mint([]byte("test"), 3)
	unknown  = link.Mint([]byte("test"), 4)
)

// world stands in for the store: it can be told to refuse, as no real one can.
type world struct {
	mu           sync.Mutex
	drafts       map[string]selfrefer.Answers
	forms        []selfrefer.Form
	stops        []selfrefer.OptOut
	seen, opened int
	saves        int // of drafts
	readsFail    bool
	translated   []selfrefer.SendingText // what is being sent, in other languages
	writesFail   bool
	keepFails    bool
	contactBy    time.Time
	listLanguage string
	own          selfrefer.Words
	duty         selfrefer.Duty
	logs         bytes.Buffer
}

var errDown = errors.New("the database is down")

func (w *world) Invitation(_ context.Context, hash []byte) (selfrefer.Invitation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readsFail {
		return selfrefer.Invitation{}, errDown
	}
	in := selfrefer.Invitation{Found: true, Network: network, Practice: practice, Language: w.listLanguage}
	switch string(hash) {
	case string(known.Hash()):
	case string(used.Hash()):
		in.Spent = true
	case string(old.Hash()):
		in.Expired = true
	default:
		return selfrefer.Invitation{}, nil
	}
	return in, nil
}

func (w *world) LinkSeen(context.Context, []byte) error { return w.write(func() { w.seen++ }) }
func (w *world) Opened(context.Context, []byte) error   { return w.write(func() { w.opened++ }) }

func (w *world) write(do func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writesFail {
		return errDown
	}
	do()
	return nil
}

func (w *world) SaveDraft(_ context.Context, secret string, hash []byte, a selfrefer.Answers) error {
	return w.write(func() { w.drafts[secret+string(hash)] = a; w.saves++ })
}

func (w *world) DropDraft(_ context.Context, secret string, hash []byte) error {
	return w.write(func() { delete(w.drafts, secret+string(hash)) })
}

func (w *world) Draft(_ context.Context, secret string, hash []byte) (selfrefer.Answers, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readsFail {
		return selfrefer.Answers{}, false, errDown
	}
	a, ok := w.drafts[secret+string(hash)]
	return a, ok, nil
}

func (w *world) Keep(_ context.Context, f selfrefer.Form, judge func(selfrefer.Matched) selfrefer.Judgement) (selfrefer.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keepFails {
		return selfrefer.Receipt{}, selfrefer.ErrNotKept
	}
	n := -1
	for i, have := range w.forms {
		if have.ID == f.ID {
			n = i
		}
	}
	if n < 0 {
		w.forms = append(w.forms, f)
		n = len(w.forms) - 1
	}
	return selfrefer.Receipt{Reference: fmt.Sprintf("REF%d-ABCD", n), ContactBy: w.contactBy, Urgent: judge(selfrefer.Matched{}).Urgent}, nil
}

func (w *world) Resume(_ context.Context, u selfrefer.Undo) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keepFails {
		return errDown
	}
	for i, o := range w.stops {
		if string(o.TokenHash) == string(u.TokenHash) {
			w.stops = append(w.stops[:i], w.stops[i+1:]...)
			return nil
		}
	}
	return selfrefer.ErrNothingToUndo
}

func (w *world) WordsOf(context.Context, staff.NetworkID) (selfrefer.Words, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readsFail {
		return selfrefer.Words{}, errDown
	}
	return w.own, nil
}

func (w *world) DutyOf(context.Context, staff.NetworkID, staff.TeamID) (selfrefer.Duty, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readsFail {
		return selfrefer.Duty{}, errDown
	}
	return w.duty, nil
}

func (w *world) OptOut(_ context.Context, o selfrefer.OptOut) error {
	if string(o.TokenHash) == string(unknown.Hash()) {
		return selfrefer.ErrNotFound
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keepFails {
		return selfrefer.ErrNotKept
	}
	w.stops = append(w.stops, o)
	return nil
}

func (w *world) set(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *world) only(t *testing.T) selfrefer.Form {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.forms) != 1 {
		t.Fatalf("%d forms were received, want 1", len(w.forms))
	}
	return w.forms[0]
}

type site struct {
	*world
	h   *Handler
	url string
}

func newSite(t testing.TB) *site {
	t.Helper()
	w := &world{drafts: map[string]selfrefer.Answers{}, contactBy: time.Date(2027, 6, 3, 16, 0, 0, 0, time.UTC)}
	pages, err := ui.New(ui.Config{Logger: slog.New(slog.NewTextHandler(&w.logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Receiver: &selfrefer.Receiver{Keeper: w, Undoer: w, Now: func() time.Time { return noon }}, Links: w, Drafts: w, Around: w, UI: pages,
		Sending: func(context.Context) ([]selfrefer.Sending, error) {
			if w.readsFail {
				return nil, errDown
			}
			return []selfrefer.Sending{{Network: network, Running: true, Texts: []string{sentNow, sentNow}, Translated: w.translated}}, nil // by two campaigns
		},
		Now: func() time.Time { return noon }, Machine: func() time.Time { return noon }, Log: slog.New(slog.NewTextHandler(&w.logs, nil)),
		ClientIP: func(r *http.Request) string { return r.Header.Get("X-Test-Address") }})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	r.Use(pages.Protect)
	r.Handle("/static/*", pages.Static())
	h.Routes(r)
	srv := httptest.NewServer(r)
	t.Cleanup(func() { srv.Close(); h.Close() })
	return &site{w, h, srv.URL}
}

// browser is a client with cookies of its own.
type browser struct {
	t      *testing.T
	site   *site
	c      *http.Client
	from   string
	accept string // languages
	at     string // path of the last page
}

func (s *site) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, site: s, c: &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Scheme == "https" {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

func (b *browser) do(method, path string, form url.Values) (int, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.site.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("X-Test-Address", b.from)
	if b.accept != "" {
		r.Header.Set("Accept-Language", b.accept)
	}
	resp, err := b.c.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.at = resp.Request.URL.RequestURI()
	if l := resp.Header.Get("Location"); l != "" {
		b.at = l
	}
	return resp.StatusCode, string(body)
}

func (b *browser) get(path string) (int, string) { b.t.Helper(); return b.do("GET", path, nil) }
func (b *browser) post(path string, form url.Values) (int, string) {
	b.t.Helper()
	return b.do("POST", path, form)
}

func (b *browser) want(status int, got int, body string, words ...string) {
	b.t.Helper()
	if got != status {
		b.t.Fatalf("%s: status %d, want %d\n%s", b.at, got, status, text(body))
	}
	for _, w := range words {
		if !strings.Contains(text(body), w) {
			b.t.Fatalf("%s does not say %q:\n%s", b.at, w, text(body))
		}
	}
}

// text is what a page says, roughly.
func text(page string) string {
	var out strings.Builder
	in := false
	for _, r := range page {
		switch {
		case r == '<':
			in = true
		case r == '>':
			in = false
			out.WriteByte(' ')
		case !in:
			out.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

var full = url.Values{
	"danger": {"no"}, "for_other": {"no"}, "reasons": {"money", "loneliness"}, "words": {"The bills, mostly."}, "channel": {"call"},
	"when": {"mornings"}, "days": {"monday", "friday"}, "call_safe": {"yes"}, "text_safe": {"no"}, "if_another": {"Say it is the surgery"},
	"language": {"Polish"}, "needs": {"large print"}, "birth_date-day": {"2"}, "birth_date-month": {"8"}, "birth_date-year": {"1970"}, "agreed": {"yes"},
}

// fill walks the pages as a person does: it answers the page that it is on, and stops at the check.
func (b *browser) fill(answers url.Values) {
	b.t.Helper()
	for range len(Steps) + 2 {
		path := b.at[strings.LastIndexByte(b.at, '/')+1:]
		if path == "check" {
			return
		}
		for _, s := range Steps {
			if s.Path != path {
				continue
			}
			post := url.Values{}
			for _, f := range s.Fields {
				if answers.Has(f) {
					post[f] = answers[f]
				}
			}
			code, body := b.post(b.at, post)
			b.want(200, code, body)
		}
	}
	b.t.Fatalf("the form does not end: at %s", b.at)
}

func TestForm_wholeWay(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	base := link.URL("", known)
	code, body := b.get(base)
	b.want(200, code, body, "Elm Road Surgery and Riverside Primary Care Network sent you", "Call 999 if:", "116 123", "0151 496 0000")
	if s.opened != 0 {
		t.Error("a GET counts as opened")
	}
	code, body = b.post(base+"/start", url.Values{})
	b.want(200, code, body, "in danger now?")
	b.fill(full)
	code, body = b.get(b.at)
	b.want(200, code, body, "Money, bills or debt", "The bills, mostly.", "Ring you: Yes", "Leave a message: No", "Polish", "2 August 1970")
	// A change leads back to the check.
	code, body = b.post(base+"/tell?change=1", url.Values{"words": {"The rent."}})
	b.want(200, code, body, "The rent.", "Send your form")
	code, body = b.post(base+"/send", url.Values{})
	b.want(200, code, body, "We have received it", "REF0-ABCD", "We will call you by Thursday 3 June.")
	if b.at != base+"/sent" {
		t.Errorf("ended at %s", b.at)
	}
	f := s.only(t)
	want := selfrefer.Answers{Reasons: []string{"money", "loneliness"}, Words: "The rent.", DangerNow: "no", Channel: "call", When: []string{"mornings", "monday", "friday"},
		CallSafe: "yes", TextSafe: "no", IfAnother: "Say it is the surgery", BirthDate: "2 8 1970", Language: "Polish", Needs: "large print", Agreed: true, Pages: lang.English}
	if !reflect.DeepEqual(f.Answers, want) {
		t.Errorf("received %s", jsonOf(f.Answers))
	}
	if f.Source != selfrefer.ByLink || f.Network != network.ID || !bytes.Equal(f.TokenHash, known.Hash()) {
		t.Errorf("received source %q, network %d", f.Source, f.Network)
	}
	// Reload, a second tap and Back give the same reference, and no second referral.
	for _, path := range []string{"/sent", "/check", "/tell", ""} {
		code, body = b.get(base + path)
		b.want(200, code, body, "REF0-ABCD")
	}
	if !strings.Contains(body, "You have already sent this form") {
		t.Error("the start page does not say that the form is sent")
	}
	code, body = b.post(base+"/send", url.Values{})
	b.want(200, code, body, "REF0-ABCD")
	s.only(t)
	s.h.Close()
	if len(s.drafts) != 0 || s.opened != 1 || s.seen == 0 {
		t.Errorf("%d drafts left, opened %d, seen %d", len(s.drafts), s.opened, s.seen)
	}
}

// Who cannot be reached safely is promised no call, and who shares a phone learns what it remembers.
func TestForm_noSafeWay(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	base := link.URL("", known)
	code, body := b.get(base)
	b.want(200, code, body, "Do you share this phone")
	b.post(base+"/start", url.Values{})
	b.fill(full)
	code, body = b.post(base+"/safe?change=1", url.Values{"call_safe": {"no"}})
	b.want(200, code, body, "we may not be able to reach you")
	code, body = b.post(base+"/send", url.Values{})
	b.want(200, code, body, "We will try to find a safe way", "Please ring us when it is safe for you", "can see that you have sent a form")
	if strings.Contains(body, "We will call you") || strings.Contains(body, "You need not do anything") {
		t.Error("the page promises what nobody can keep")
	}
}

// Two taps on "Send" before any answer has come back.
func TestForm_doubleTap(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	base := link.URL("", known)
	b.post(base+"/start", url.Values{})
	b.fill(full)
	bare := &http.Client{Jar: b.c.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	cookies := bare.Jar.Cookies(mustURL(t, s.url))
	for range 2 {
		r, _ := http.NewRequest("POST", s.url+base+"/send", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 303 || resp.Header.Get("Location") != base+"/sent" {
			t.Fatalf("status %d to %s", resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	s.only(t)
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestForm_answersStayInTheirBrowser(t *testing.T) {
	s := newSite(t)
	a, b := s.browser(t), s.browser(t)
	base := link.URL("", known)
	a.post(base+"/start", url.Values{})
	a.fill(full)
	for _, path := range []string{"/tell", "/check", "/birth", "/urgent"} {
		code, body := b.get(base + path)
		b.want(200, code, body, "We cannot find your answers")
	}
	b.post(base+"/start", url.Values{})
	for _, path := range []string{"/tell", "/birth"} {
		if _, body := b.get(base + path); strings.Contains(body, "bills") || strings.Contains(body, "1970") {
			t.Errorf("%s shows another browser's answers", path)
		}
	}
	if code, _ := b.post(base+"/send", url.Values{}); code != 200 || len(s.forms) != 0 {
		t.Error("a form without answers was sent")
	}
	// Leaving forgets, at once.
	a.get(base + "/leave")
	if a.at != LeaveTo {
		t.Errorf("left to %s", a.at)
	}
	code, body := a.get(base + "/check")
	a.want(200, code, body, "We cannot find your answers")
	s.h.Close()
	if len(s.drafts) != 0 {
		t.Errorf("%d drafts left", len(s.drafts))
	}
}

func TestForm_links(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		status     int
		says       []string
	}{
		{"unknown", link.URL("", unknown), 404, []string{"We do not know this link", "Fill in the form without a link"}},
		{"not a code", "/r/nonsense", 404, []string{"We do not know this link"}},
		{"used", link.URL("", used), 410, []string{"does not work any more", "0151 496 0000"}},
		{"old", link.URL("", old), 410, []string{"does not work any more"}},
		{"typed in small letters", strings.ToLower(link.URL("", known)), 200, []string{"Talk to a link worker"}},
		{"home", "/", 200, []string{"Hello Sam", "They come from “Riverside”", "https://riverside.test/", "What happens to what you tell us", "ring the Information Commissioner"}},
		{"code", "/r", 200, []string{"What is the code in your text?"}},
		{"general", "/help", 200, []string{"This is a service of Riverside"}},
		{"another network", "/help/99", 200, []string{"This is a service of Riverside"}},
		{"stop", link.StopURL("", known), 200, []string{"Stop our texts", "The person has died"}},
		{"stop, unknown", link.StopURL("", unknown), 404, []string{"Please ring your GP practice"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newSite(t).browser(t)
			code, body := b.get(tt.path)
			b.want(tt.status, code, body, tt.says...)
		})
	}
	s := newSite(t)
	b := s.browser(t)
	_, home := b.get("/")
	if strings.Count(home, "Hello Sam") != 1 {
		t.Error("a text that two campaigns send is shown twice")
	}
	if !strings.Contains(home, `href="tel:03031231113"`) {
		t.Error("the number of the Information Commissioner cannot be tapped")
	}
	// A used link must look like an old one.
	_, one := b.get(link.URL("", used))
	_, two := b.get(link.URL("", old))
	if text(one) != text(two) {
		t.Error("a stranger can tell a used link from an old one")
	}
	// But whoever pressed Start before is taken all the same.
	if code, _ := b.post(link.URL("", used)+"/send", full); code != 200 || len(s.forms) != 1 {
		t.Errorf("a form by a used link was turned away: %d", code)
	}
}

func TestForm_typedCode(t *testing.T) {
	s := newSite(t)
	tok := known.Reveal()
	for _, typed := range []string{tok, strings.ToLower(tok), tok[:4] + " " + tok[4:8] + "-" + tok[8:], "https://riverside.test/r/" + tok + " "} {
		b := s.browser(t)
		code, body := b.post("/r", url.Values{"code": {typed}})
		b.want(200, code, body, "Talk to a link worker")
	}
	b := s.browser(t)
	code, body := b.post("/r", url.Values{"code": {"ABC"}})
	b.want(422, code, body, "There is a problem", "12 letters and numbers", "Riverside Primary Care Network")
}

func TestForm_mistakesAreNamedAndKept(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	base := link.URL("", known)
	b.post(base+"/start", url.Values{})
	for _, tt := range []struct {
		path string
		post url.Values
		says string
	}{
		{"danger", url.Values{}, "Choose yes if"},
		{"danger", url.Values{"danger": {"perhaps"}}, "Choose yes if"},
		{"who", url.Values{}, "Choose who"},
		{"tell", url.Values{"words": {strings.Repeat("é", 2001)}}, "2,000 characters or fewer"},
		{"safe", url.Values{}, "Choose yes if it is safe"},
		{"safe", url.Values{"call_safe": {"no"}, "if_another": {strings.Repeat("a", 151)}}, "150 characters or fewer"},
		{"number", url.Values{"phone": {"12"}}, "Enter a phone number"},
		{"birth", url.Values{"birth_date-day": {"31"}, "birth_date-month": {"2"}, "birth_date-year": {"1970"}}, "must be a real date"},
		{"agree", url.Values{}, "Choose the box"},
	} {
		code, body := b.post(base+"/"+tt.path, tt.post)
		b.want(422, code, body, "There is a problem", tt.says)
		for _, values := range tt.post {
			if v := values[0]; tt.path != "danger" && !strings.Contains(body, v) {
				t.Errorf("%s: the value is gone", tt.path)
			}
		}
	}
	// Said twice, an odd birth date is taken: nothing turns a person away.
	code, body := b.post(base+"/birth", url.Values{"birth_date-day": {"31"}, "birth_date-month": {"2"}, "birth_date-year": {"1970"}, "again": {"31 2 1970"}})
	b.want(200, code, body, "May we contact you")
}

func TestForm_danger(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	base := link.URL("", known)
	b.post(base+"/start", url.Values{})
	code, body := b.post(base+"/danger", url.Values{"danger": {"no"}})
	b.want(200, code, body, "filling this in for")
	code, body = b.post(base+"/tell", url.Values{"words": {"I want to die"}})
	b.want(200, code, body, "do not wait for us", "Nobody reads this form before you send it", "Call 999", "Continue with the form")
	if !strings.Contains(body, base+"/channel") {
		t.Error("the form does not go on from there")
	}
	code, body = b.post(base+"/send", url.Values{"call_safe": {"yes"}})
	b.want(200, code, body, "We have received it", "top of our list")
	if strings.Index(body, "Do not wait for us") > strings.Index(body, "We will call you by") {
		t.Error("on a small phone the date of a call hides that nobody should wait for it")
	}
	if f := s.only(t); f.Answers.Words != "I want to die" || f.Answers.CallSafe != selfrefer.SafeYes || f.Answers.Agreed {
		t.Errorf("received %+v", f)
	}
	// Without a link we need a number to answer.
	b = s.browser(t)
	b.post("/help/7/start", url.Values{})
	code, body = b.post("/help/7/danger", url.Values{"danger": {"yes"}})
	b.want(200, code, body, "do not wait for us", "Your phone number")
	code, body = b.post("/help/7/send", url.Values{"phone": {""}})
	b.want(422, code, body, "Enter your phone number")
	code, body = b.post("/help/7/send", url.Values{"phone": {"07700 900123"}})
	b.want(200, code, body, "We have received it")
	if f := s.forms[1]; f.Source != selfrefer.ByGeneral || f.TokenHash != nil || f.Network != 7 || f.Answers.Phone != "07700 900123" {
		t.Errorf("received source %q, network %d", f.Source, f.Network)
	}
}

func TestForm_general(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/help")
	b.post(b.at+"/start", url.Values{})
	answers := url.Values{"name": {"Sam Sample"}, "phone": {"0151 496 0555"}}
	for k, v := range full {
		answers[k] = v
	}
	b.fill(answers)
	code, body := b.post("/help/7/send", url.Values{})
	b.want(200, code, body, "We have received it")
	if f := s.only(t); f.Source != selfrefer.ByGeneral || f.Answers.Name != "Sam Sample" {
		t.Errorf("source %q", f.Source)
	}
	// The next person on the same phone starts empty.
	code, body = b.post("/help/7/start", url.Values{"again": {"1"}})
	b.want(200, code, body, "in danger now?")
	if _, body = b.get("/help/7/name"); strings.Contains(body, "Sam Sample") {
		t.Error("the last person's name is shown")
	}
}

func TestForm_noDate(t *testing.T) {
	s := newSite(t)
	s.contactBy = time.Time{}
	b := s.browser(t)
	code, body := b.post(link.URL("", known)+"/send", full)
	b.want(200, code, body, "We cannot say yet on which day")
}

// If nothing can keep the form, the page holds all of it, and posting the page is enough, even from another browser.
func TestForm_notKept(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	base := link.URL("", known)
	b.post(base+"/start", url.Values{})
	b.fill(full)
	s.set(func() { s.keepFails = true })
	code, body := b.post(base+"/send", url.Values{})
	b.want(503, code, body, "could not keep your answers", "Nothing has been sent yet", "0151 496 0001")
	page := url.Values{}
	for rest := body; ; {
		_, after, ok := strings.Cut(rest, `<input type="hidden" name="`)
		if !ok {
			break
		}
		name, after, _ := strings.Cut(after, `" value="`)
		value, after, _ := strings.Cut(after, `"`)
		page.Add(name, value)
		rest = after
	}
	s.set(func() { s.keepFails = false })
	for range 2 { // pressed twice
		other := s.browser(t)
		code, body = other.post(base+"/send", page)
		other.want(200, code, body, "We have received it", "REF0-ABCD")
	}
	if f := s.only(t); f.Answers.Words != "The bills, mostly." || f.Answers.BirthDate != "2 8 1970" || len(f.Answers.Reasons) != 2 || !f.Answers.Agreed {
		t.Errorf("the page lost answers: %s", jsonOf(f.Answers))
	}
}

// The database goes, the journal stays: the whole form works from its first page.
func TestForm_databaseDown(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/") // somebody has seen a page since we started, so the names are known
	s.set(func() { s.readsFail, s.writesFail = true, true })
	base := link.URL("", known)
	code, body := b.get(base)
	b.want(200, code, body, "Talk to a link worker", "0151 496 0000")
	b.post(base+"/start", url.Values{})
	b.fill(full)
	code, body = b.post(base+"/send", url.Values{})
	b.want(200, code, body, "We have received it")
	if f := s.only(t); f.Answers.Words != "The bills, mostly." || !bytes.Equal(f.TokenHash, known.Hash()) {
		t.Error("answers are lost")
	}
	code, body = b.post(link.StopURL("", known), url.Values{"why": {"died"}})
	b.want(200, code, body, "sorry for your loss")
	// A browser that this process has never seen gets a kind page, and its answer back.
	other := s.browser(t)
	other.c.Jar.SetCookies(mustURL(t, s.url), []*http.Cookie{{Name: "form", Value: newSecret()}})
	code, body = other.get(base + "/check")
	other.want(503, code, body, "They are not lost")
	code, body = other.post(base+"/tell", url.Values{"words": {"precious words"}})
	other.want(503, code, body, "Try again")
	if !strings.Contains(body, `name="words" value="precious words"`) {
		t.Error("the page does not hold the answer")
	}
}

func TestStop(t *testing.T) {
	for why, says := range map[string]string{"opted_out": "will not text this number again", "not_me": "will not text this number again", "moved": "join a practice",
		"died": "sorry for your loss", "": "will not text this number again"} {
		s := newSite(t)
		b := s.browser(t)
		path := link.StopURL("", known)
		b.get(path)
		if len(s.stops) != 0 {
			t.Fatal("a GET opts out")
		}
		code, body := b.post(path, url.Values{"why": {why}})
		b.want(200, code, body, says)
		if why == "" {
			why = "opted_out"
		}
		if len(s.stops) != 1 || s.stops[0].Why != why || !bytes.Equal(s.stops[0].TokenHash, known.Hash()) {
			t.Errorf("%s: %d opt-outs", why, len(s.stops))
		}
	}
	s := newSite(t)
	b := s.browser(t)
	code, body := b.post(link.StopURL("", unknown), url.Values{})
	b.want(404, code, body, "Please ring your GP practice", "0151 496 0000") // one network only, so we know whose number
	s.keepFails = true
	code, body = b.post(link.StopURL("", known), url.Values{"why": {"moved"}})
	b.want(503, code, body, "not stopped yet", "0151 496 0001")
	if !strings.Contains(body, `value="moved"`) {
		t.Error("the second try forgets why")
	}
}

// Guessing is slowed down; a link of ours always works, and nobody else pays.
func TestForm_guessing(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.from = "2001:db8::1"
	refused := 0
	for i := range 150 {
		b.from = fmt.Sprintf("2001:db8::%x", i+1)
		if code, _ := b.get(link.URL("", link.Mint([]byte("guess"), int64(i)))); code == 429 {
			refused++
		}
	}
	if refused != 30 {
		t.Errorf("%d of 150 guesses were refused, want 30", refused)
	}
	code, body := b.get(link.URL("", known))
	b.want(200, code, body)
	b.from = "2001:db8:1::1"
	code, body = b.get(link.URL("", unknown))
	b.want(404, code, body)
}

func TestForm_head(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	if code, _ := b.do("HEAD", link.URL("", known), nil); code != 200 {
		t.Errorf("HEAD: %d", code)
	}
	s.h.Close()
	if s.seen != 0 {
		t.Error("a HEAD counts as seen")
	}
}

// Whatever people answer, the page that gives it back loses nothing.
func TestCarryOverlay(t *testing.T) {
	pick := func(t *rapid.T, from []string, what string) []string {
		return among(rapid.SliceOf(rapid.SampledFrom(from)).Draw(t, what), from)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := selfrefer.Answers{
			DangerNow: rapid.SampledFrom([]string{"", "yes", "no", "unsaid"}).Draw(t, "danger"),
			Reasons:   pick(t, []string{"coping", "loneliness", "money", "substance"}, "reasons"),
			Words:     clean(rapid.String().Draw(t, "words")), When: pick(t, whenOrder, "when"),
			CallSafe: selfrefer.Safe(rapid.SampledFrom([]string{"", "yes", "no"}).Draw(t, "call")), Phone: clean(rapid.String().Draw(t, "phone")),
			ForOther: rapid.Bool().Draw(t, "other"), Agreed: rapid.Bool().Draw(t, "agreed"),
			BirthDate: rapid.SampledFrom([]string{"", "2 8 1970", " 8 1970", "2  ", "31 feb 70"}).Draw(t, "born"),
		}
		posted := url.Values{}
		for _, f := range carry(&want) {
			posted.Add(f.Name, f.Value)
		}
		var got selfrefer.Answers
		overlay(&got, posted)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %s", jsonOf(got), jsonOf(want))
		}
	})
}

func TestHandler_logsHoldNothing(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	base := link.URL("", known)
	b.post(base+"/start", url.Values{})
	b.fill(full)
	s.set(func() { s.keepFails, s.readsFail, s.writesFail = true, true, true })
	b.post(base+"/send", url.Values{})
	b.post(link.StopURL("", known), url.Values{})
	s.h.Close()
	logs := s.logs.String()
	for _, secret := range []string{"bills", "1970", "surgery", known.Reveal()} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log holds %q: %s", secret, logs)
		}
	}
	if logs == "" {
		t.Error("nothing was logged: the test is blind")
	}
}

// jsonOf shows answers that hide themselves.
func jsonOf(a selfrefer.Answers) string {
	b, err := json.Marshal(a)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
