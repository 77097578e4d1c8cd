package mail

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// office is a real mail server on a socket of this computer, which behaves as a test wants.
type office struct {
	rcpt, data, sender error
	password           string // "": nobody signs in

	mu    sync.Mutex
	mails []string
}

func (o *office) NewSession(*smtp.Conn) (smtp.Session, error) { return &counter{office: o}, nil }

func (o *office) taken() []string { o.mu.Lock(); defer o.mu.Unlock(); return o.mails }

type counter struct {
	*office
	in       bool
	envelope string
}

func (c *counter) AuthMechanisms() []string {
	if c.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "wellpaced" || password != c.password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no"}
		}
		c.in = true
		return nil
	}), nil
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	if c.password != "" && !c.in {
		return smtp.ErrAuthRequired
	}
	c.envelope = from
	return c.sender
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error { c.envelope += " " + to; return c.rcpt }

func (c *counter) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if c.data != nil {
		return c.data
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mails = append(c.mails, c.envelope+"\n"+string(b))
	return nil
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }

// open starts the server and returns its port. With a certificate it is encrypted from the first byte.
func (o *office) open(t *testing.T, cert *tls.Certificate) (port string) {
	t.Helper()
	s := smtp.NewServer(o)
	s.Domain, s.AllowInsecureAuth = "localhost", cert == nil
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}})
	}
	s.ErrorLog = quiet{}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func certificate(t *testing.T, host string) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(host)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func mustServer(t *testing.T, c Config) *Server {
	t.Helper()
	if c.From == "" {
		c.From = "Wellpaced <wellpaced@riverside.nhs.uk>"
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var letter = selfrefer.Letter{ID: 42, To: "wanda@riverside.nhs.uk", Lines: []selfrefer.LetterLine{{Kind: selfrefer.UrgentArrived, N: 1}, {Kind: selfrefer.HandedToYou, N: 2}}}

func send(s *Server, l selfrefer.Letter) selfrefer.MailOutcome {
	return s.Send(context.Background(), l, l.Text("https://pcn.nhs.uk"))
}

func TestSend(t *testing.T) {
	o := &office{}
	got := send(mustServer(t, Config{URL: "smtp://127.0.0.1:" + o.open(t, nil)}), letter)
	if got != (selfrefer.MailOutcome{Mailed: selfrefer.MailSent}) || len(o.taken()) != 1 {
		t.Fatalf("%+v, %d mails", got, len(o.taken()))
	}
	m := o.taken()[0]
	for _, want := range []string{"wellpaced@riverside.nhs.uk wanda@riverside.nhs.uk\n", "Subject: Wellpaced: something urgent waits for you\r\n", `From: "Wellpaced" <wellpaced@riverside.nhs.uk>`, "To: <wanda@riverside.nhs.uk>", "Message-ID: <notice.42@riverside.nhs.uk>", "Auto-Submitted: auto-generated",
		"Content-Type: text/plain", "An urgent self-referral is waiting, and nobody has claimed it.\r\nSign in: https://pcn.nhs.uk/desk/queue?state", "2 self-referrals have been handed to you."} {
		if !strings.Contains(m, want) {
			t.Errorf("the mail does not say %q:\n%s", want, m)
		}
	}
}

// Encrypted from the first byte, and signed in.
func TestSend_encrypted(t *testing.T) {
	cert, pool := certificate(t, "127.0.0.1")
	o := &office{password: "p@ss word"}
	port := o.open(t, cert)
	if got := send(mustServer(t, Config{URL: "smtps://wellpaced:p%40ss%20word@127.0.0.1:" + port, roots: pool}), letter); got.Mailed != selfrefer.MailSent || len(o.taken()) != 1 {
		t.Errorf("%+v", got)
	}
	if got := send(mustServer(t, Config{URL: "smtps://wellpaced:wrong@127.0.0.1:" + port, roots: pool}), letter); got != (selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "sign_in", Server: true}) {
		t.Errorf("a wrong password: %+v", got)
	}
	if got := send(mustServer(t, Config{URL: "smtps://wellpaced:p%40ss%20word@127.0.0.1:" + port}), letter); got != (selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "tls", Server: true}) || len(o.taken()) != 1 {
		t.Errorf("a certificate that nobody trusts: %+v", got)
	}
}

// A server elsewhere that offers no encryption, or none that can be trusted, gets nothing.
func TestSend_mustEncrypt(t *testing.T) {
	host := elsewhere(t) // another address of this computer stands for another computer
	cert, pool := certificate(t, host)
	for name, c := range map[string]struct {
		cert *tls.Certificate
		want selfrefer.MailOutcome
		n    int
	}{
		"none":    {nil, selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "tls", Server: true}, 0},
		"trusted": {cert, selfrefer.MailOutcome{Mailed: selfrefer.MailSent}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := &office{}
			s := smtp.NewServer(o)
			s.ErrorLog = quiet{}
			if c.cert != nil {
				s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*c.cert}}
			}
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = s.Serve(l) }()
			defer s.Close()
			if got := send(mustServer(t, Config{URL: "smtp://" + l.Addr().String(), roots: pool}), letter); got != c.want || len(o.taken()) != c.n {
				t.Errorf("%+v, %d mails", got, len(o.taken()))
			}
		})
	}
}

func elsewhere(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Skip(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Skip("this computer has no address but its own")
	return ""
}

func TestSend_failures(t *testing.T) {
	code := func(n int) error {
		return &smtp.SMTPError{Code: n, EnhancedCode: smtp.EnhancedCodeNotSet, Message: "wanda@riverside.nhs.uk and whatever"}
	}
	for name, c := range map[string]struct {
		office *office
		want   selfrefer.MailOutcome
	}{
		"recipient unknown": {&office{rcpt: code(550)}, selfrefer.MailOutcome{Mailed: selfrefer.MailRefused, Code: "recipient"}},
		"mailbox full":      {&office{rcpt: code(452)}, selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "busy"}},
		"greylisted":        {&office{data: code(451)}, selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "busy"}},
		"spam":              {&office{data: code(554)}, selfrefer.MailOutcome{Mailed: selfrefer.MailRefused, Code: "content"}},
		"sender":            {&office{sender: code(553)}, selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "sender", Server: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := send(mustServer(t, Config{URL: "smtp://127.0.0.1:" + c.office.open(t, nil)}), letter); got != c.want || len(c.office.taken()) != 0 {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		if got := send(mustServer(t, Config{URL: "smtp://" + address}), letter); got != (selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "connect", Server: true}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("it has the mail and says nothing", func(t *testing.T) {
		if got := send(mustServer(t, Config{URL: "smtp://" + mute(t, true)}), letter); got != (selfrefer.MailOutcome{Mailed: selfrefer.MailUnsure, Code: "unsure", Server: true}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("it breaks off before", func(t *testing.T) {
		if got := send(mustServer(t, Config{URL: "smtp://" + mute(t, false)}), letter); got != (selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "broken", Server: true}) {
			t.Errorf("%+v", got)
		}
	})
}

// mute is a server that goes away after it has the whole mail, or before.
func mute(t *testing.T, whole bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
		say("220 here")
		buf, seen := make([]byte, 4096), ""
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			seen += string(buf[:n])
			switch {
			case strings.HasSuffix(seen, "\r\n.\r\n"):
				return
			case !strings.HasSuffix(seen, "\r\n"):
				continue
			case strings.Contains(seen, "DATA\r\n"):
				if strings.HasSuffix(seen, "DATA\r\n") {
					say("354 go on")
				}
				continue
			case strings.HasPrefix(seen, "RCPT") && !whole:
				return
			}
			say("250 ok")
			seen = ""
		}
	}()
	return l.Addr().String()
}

// A made-up address never reaches a server.
func TestSend_madeUp(t *testing.T) {
	o := &office{}
	s := mustServer(t, Config{URL: "smtp://127.0.0.1:" + o.open(t, nil)})
	for _, to := range []selfrefer.Address{"lee@pcn.example", "lee@mail.TEST", "lee@x.invalid", "lee@localhost", "lee@example.com", "lee@www.example.org.", "lee@example.net"} {
		l := letter
		l.To = to
		if got := send(s, l); got != (selfrefer.MailOutcome{Mailed: selfrefer.MailRefused, Code: "made_up"}) {
			t.Errorf("%s: %+v", string(to), got)
		}
	}
	l := letter
	l.To = "lee@contest"
	if send(s, l); len(o.taken()) != 1 {
		t.Errorf("%d mails", len(o.taken()))
	}
	l.To = "no address\r\nBcc: x@y.uk"
	if got := send(s, l); got.Mailed != selfrefer.MailRefused || len(o.taken()) != 1 {
		t.Errorf("%+v, %d mails", got, len(o.taken()))
	}
}

func TestNew_settings(t *testing.T) {
	for _, c := range []Config{
		{"", "a@b.uk", nil}, {"mail.nhs.uk:465", "a@b.uk", nil}, {"http://mail.nhs.uk", "a@b.uk", nil}, {"smtps://user@mail.nhs.uk", "a@b.uk", nil}, {"smtps://u:se%zzcret@mail.nhs.uk", "a@b.uk", nil},
		{"smtps://u:secret@mail.nhs.uk:99999", "a@b.uk", nil}, {"smtps://u:secret@mail.nhs.uk/?tls=none", "a@b.uk", nil}, {"smtps://u:secret@mail.nhs.uk", "", nil}, {"smtps://u:secret@mail.nhs.uk", "nobody", nil},
	} {
		_, err := New(c)
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "WELLPACED_") {
			t.Errorf("%q from %q: %v", c.URL, c.From, err)
		}
	}
	if _, err := New(Config{URL: "smtps://u:secret@mail.nhs.uk", From: "Riverside <a@b.uk>"}); err != nil {
		t.Error(err)
	}
}

func TestPretend(t *testing.T) {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	p := &Pretend{Now: func() time.Time { return now }}
	for range pretendRoom + 1 {
		now = now.Add(time.Minute)
		if got := p.Send(context.Background(), letter, "text"); got.Mailed != selfrefer.MailSent {
			t.Fatal(errors.New(got.Code))
		}
	}
	all := p.Mails()
	if len(all) != pretendRoom || !all[0].At.Equal(now) || all[0].To != "wanda@riverside.nhs.uk" || all[0].Text != "text" || !strings.HasPrefix(all[0].Subject, "Wellpaced:") {
		t.Errorf("%d mails, the newest %+v", len(all), all[0])
	}
}
