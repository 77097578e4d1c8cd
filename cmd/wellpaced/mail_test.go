package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/mail"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
)

// mailServer is a real mail server on this computer.
type mailServer struct {
	url  string
	held chan struct{} // a mail is answered when it is closed; nil: at once
	came chan struct{} // a mail has come, before it is answered

	mu    sync.Mutex
	mails []string
}

func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m: m}, nil }

func (m *mailServer) all() []string { m.mu.Lock(); defer m.mu.Unlock(); return m.mails }

type mailSession struct {
	m  *mailServer
	to string
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	select {
	case s.m.came <- struct{}{}:
	default:
	}
	if s.m.held != nil {
		<-s.m.held
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.mails = append(s.m.mails, "to "+s.to+"\r\n"+string(b))
	return err
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

func newMailServer(tb testing.TB, held chan struct{}) *mailServer {
	tb.Helper()
	m := &mailServer{held: held, came: make(chan struct{}, 1)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := smtp.NewServer(m)
	go func() { _ = s.Serve(l) }()
	tb.Cleanup(func() { _ = s.Close() })
	m.url = "smtp://" + l.Addr().String()
	return m
}

// reach adds a link worker who can be mailed, and is at work.
func (n *network) reach(email string) (id string) {
	n.Helper()
	id = n.command("staff", "add", email, "--name", "Wanda Reachable", "--role", "link_worker", "--network", n.name).at("account")
	week := object{}
	for _, day := range []string{"monday", "tuesday", "wednesday", "thursday", "friday"} {
		week[day] = object{"from": "09:00", "to": "17:00"}
	}
	workers := []object{}
	for _, a := range []string{id, n.accounts["Lee"]} {
		workers = append(workers, object{"account": json.Number(a), "hours": week, "first_contact_share": 0.5, "minutes_per_contact": 45})
	}
	n.api("Ada", "PUT", "/teams/"+n.team+"/capacity", object{"workers": workers}, 200)
	return id
}

// ask is what the canary sends by the general form: an urgent one.
func (n *network) ask(form string) {
	n.Helper()
	nets, err := n.app.db.Networks(context.Background())
	n.must(err)
	_, err = n.app.receiver.Receive(context.Background(), selfrefer.Form{ID: form, Network: nets[0].ID, Source: selfrefer.ByGeneral, At: n.clock.Now(),
		Answers: selfrefer.Answers{Name: canary.first + " " + canary.last, Phone: canary.mobile, BirthDate: canary.born, Words: canaryWords + ", and I took an overdose", Reasons: []string{"coping"}}})
	n.must(err)
}

// within waits until something is so.
func (s *stand) within(d time.Duration, what string, is func() bool) {
	s.Helper()
	for end := time.Now().Add(d); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("not within %v: %s", d, what)
		}
	}
}

// A mail goes over a socket, once, and neither it nor the log holds a word of the person; whose address is made up is mailed nothing.
func TestMails(t *testing.T) {
	server := newMailServer(t, nil)
	s := newStand(t, "", "", func(o *options) {
		o.SMTP = mail.Config{URL: server.url, From: "Wellpaced <wellpaced@riverside.nhs.uk>"}
	})
	n := s.network("Knowsley Test PCN", "N8300")
	wanda := n.reach("wanda@riverside.nhs.uk")
	n.ask("one")
	s.within(20*time.Second, "a mail", func() bool { return len(server.all()) > 0 })
	ctx := context.Background()
	s.within(20*time.Second, "Lee, at .example, is known not to be reached", func() bool {
		h, err := s.app.db.MailHealth(ctx, n.id())
		return err == nil && len(h.Refused) == 1 && h.Refused[0].Code == "made_up"
	})
	s.clock.turn(10 * time.Minute)
	time.Sleep(3 * mailEveryStepped) // nothing more comes of the same
	if len(server.all()) != 1 {
		t.Errorf("%d mails", len(server.all()))
	}
	s.clock.turn(10 * time.Minute)
	n.ask("two")
	s.within(20*time.Second, "the second mail", func() bool { return len(server.all()) > 1 })
	l := newLeaks(t, "no token at all")
	for _, m := range server.all() {
		l.none("a mail", []byte(m))
		if !strings.HasPrefix(m, "to wanda@riverside.nhs.uk") || !strings.Contains(m, "Subject: Wellpaced: something urgent waits for you\r\n") || !strings.Contains(m, "An urgent self-referral is waiting, and nobody has claimed it.\r\n") {
			t.Errorf("the mail reads %s", m)
		}
		for _, r := range n.api("Ada", "GET", "/referrals", nil, 200)["referrals"].([]any) {
			r := object(r.(map[string]any))
			if strings.Contains(m, fmt.Sprint(r["reference"])) || strings.Contains(m, fmt.Sprint(r["id"])) {
				t.Error("the mail names a referral")
			}
		}
	}
	log := s.logged.String()
	l.none("the log", []byte(log))
	if strings.Contains(log, "wanda@") || strings.Contains(log, "lee@n8300.example") || !strings.Contains(log, `"code":"made_up"`) || !strings.Contains(log, fmt.Sprintf(`"msg":"a mail is sent","comp":"mail","account":%s`, wanda)) {
		t.Error("the log names an address, or does not say what became of mails")
	}
}

func (n *network) id() staff.NetworkID {
	n.Helper()
	nets, err := n.app.db.Networks(context.Background())
	n.must(err)
	return nets[0].ID
}

// A server that takes a mail and takes its time keeps nobody else waiting; and whoever stops the program then waits for the mail, which is
// known to have gone.
func TestMails_slowServer(t *testing.T) {
	held := make(chan struct{})
	server := newMailServer(t, held)
	var opt options
	_ = t.TempDir()    // folders are removed in the end, after what follows
	t.Cleanup(func() { // after the app has stopped
		db, err := store.Open(context.Background(), store.Config{Database: opt.Database, DataDir: opt.Data, Keys: opt.Keys, Now: time.Now, Machine: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if h, err := db.MailHealth(context.Background(), 0); err != nil || !h.Works() {
			t.Errorf("the mail in hand is not known to have gone: %+v, %v", h, err)
		}
	})
	s := newStand(t, "", "", func(o *options) { o.SMTP = mail.Config{URL: server.url, From: "wellpaced@riverside.nhs.uk"} })
	opt = s.opt
	n := s.network("Knowsley Test PCN", "N8300")
	n.reach("wanda@riverside.nhs.uk")
	n.ask("one")
	select {
	case <-server.came:
	case <-time.After(20 * time.Second):
		t.Fatal("no mail came")
	}
	for i := range 20 {
		began := time.Now()
		n.ask(fmt.Sprint("while it is slow ", i))
		n.api("Lee", "GET", "/referrals", nil, 200)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a slow mail server delays a form by %v", took)
		}
	}
	go func() { // the program is asked to stop first
		time.Sleep(time.Second)
		close(held)
	}()
}

// A demo reaches no server, whatever is set: its mails are on the system page.
func TestMails_demo(t *testing.T) {
	server := newMailServer(t, nil)
	s := newStand(t, "", "", func(o *options) {
		o.Demo = true
		o.SMTP = mail.Config{URL: server.url, From: "wellpaced@riverside.nhs.uk"}
	})
	n := s.network("Knowsley Test PCN", "N8300")
	n.reach("wanda@riverside.nhs.uk")
	n.ask("one")
	page := func() string {
		r := httptest.NewRequest(http.MethodGet, "/desk/system", nil)
		r.Header.Set("Authorization", "Bearer "+n.tokens["Ada"])
		w := httptest.NewRecorder()
		s.app.handler.ServeHTTP(w, r)
		return w.Body.String()
	}
	s.within(20*time.Second, "a mail in the pretend mailbox", func() bool { return strings.Contains(page(), "wanda@riverside.nhs.uk") })
	if body := page(); !strings.Contains(body, "A pretend mailbox in this demo") || !strings.Contains(body, "An urgent self-referral is waiting") {
		t.Error("the system page does not show the mails")
	}
	if said := n.api("Ada", "GET", "/system", nil, 200)["mail"]; !strings.Contains(fmt.Sprint(said), "pretend") {
		t.Errorf("the call says %v", said)
	}
	if len(server.all()) != 0 {
		t.Error("a demo has mailed somebody")
	}
}

// Settings that cannot work are said before anything starts, and a secret is in no message.
func TestMails_settings(t *testing.T) {
	dir := t.TempDir()
	data, keys := "--data="+filepath.Join(dir, "data"), "--keys="+filepath.Join(dir, "keys")
	for _, c := range []struct {
		name    string
		args    []string
		environ []string
		code    int
		words   string
	}{
		{"no sender", []string{"--smtp-url", "smtps://u:s3cr3t@mail.nhs.uk"}, nil, exitUsage, "WELLPACED_MAIL_FROM"},
		{"no server", []string{"--mail-from", "a@b.uk"}, nil, exitUsage, "WELLPACED_SMTP_URL"},
		{"no address", []string{"--smtp-url", "mail.nhs.uk:s3cr3t", "--mail-from", "a@b.uk"}, nil, exitUsage, "smtps://user:password@"},
		{"no file", []string{"--smtp-url-file", filepath.Join(dir, "none"), "--mail-from", "a@b.uk"}, nil, exitFailed, "WELLPACED_SMTP_URL_FILE"},
		{"unknown name", nil, []string{"WELLPACED_SMTP=x"}, exitUsage, "there is no setting WELLPACED_SMTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, words := cliRun(t, c.environ, append([]string{"serve", data, keys, "--listen", "127.0.0.1:0"}, c.args...)...)
			if code != c.code || !strings.Contains(words, c.words) || strings.Contains(words, "s3cr3t") {
				t.Errorf("%d: %s", code, words)
			}
		})
	}
}
