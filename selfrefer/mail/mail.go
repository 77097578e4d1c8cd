// Package mail hands mails to a mail server over SMTP, or to a pretend mailbox in this process.
//
// What it tells of failures are codes: a server's own words may hold an address, and are never kept or logged.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// Config says by which server mails go.
type Config struct {
	// URL is smtps://USER:PASSWORD@HOST:465, encrypted from the first byte, or smtp://USER:PASSWORD@HOST:587, which is encrypted before
	// anything is said, unless HOST is this computer. User and port may be left out.
	URL string
	// From is the sender's address: "Wellpaced <wellpaced@pcn.nhs.uk>", or the address alone.
	From string

	roots *x509.CertPool // tests trust one more
}

// timeout is how long the server has for each of its answers.
const timeout = 15 * time.Second

// Server is a mail server.
type Server struct {
	host    string
	options []gomail.Option
	from    string
	domain  string
}

// New reads the settings. Its errors say which of them is wrong, and never quote the address, which holds a password.
func New(c Config) (*Server, error) {
	u, err := url.Parse(c.URL)
	const shape = "write WELLPACED_SMTP_URL like smtps://user:password@mail.example.nhs.uk:465; special characters in the password are escaped as in any URL"
	if err != nil || u.Hostname() == "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("the address of the mail server cannot be read: " + shape)
	}
	if u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("the address of the mail server must start with smtps:// or smtp://: " + shape)
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, errors.New("the sender of mails cannot be read: write WELLPACED_MAIL_FROM like Wellpaced <wellpaced@example.nhs.uk>")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	s := &Server{host: u.Hostname(), from: from.String(), domain: domain}
	port := map[string]int{"smtp": 587, "smtps": 465}[u.Scheme]
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return nil, errors.New("the port of the mail server cannot be read: " + shape)
		}
	}
	s.options = []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(timeout), gomail.WithHELO(domain), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: c.roots})}
	switch {
	case u.Scheme == "smtps":
		s.options = append(s.options, gomail.WithSSL())
	case thisComputer(s.host):
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if password, ok := u.User.Password(); ok {
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	} else if u.User.Username() != "" {
		return nil, errors.New("the address of the mail server has a user and no password: " + shape)
	}
	if _, err := gomail.NewClient(s.host, s.options...); err != nil {
		return nil, errors.New("the mail server cannot be used as it is set: " + shape)
	}
	return s, nil
}

// thisComputer tells whether a host is reached without a network.
func thisComputer(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// madeUp are the domains that belong to nobody (RFC 2606, RFC 6761). What is tried out with such addresses must not reach a server that takes
// its bounces for spam.
var madeUp = []string{"example", "test", "invalid", "localhost", "example.com", "example.org", "example.net"}

func isMadeUp(address string) bool {
	domain := strings.ToLower(strings.TrimSuffix(address[strings.LastIndexByte(address, '@')+1:], "."))
	for _, d := range madeUp {
		if domain == d || strings.HasSuffix(domain, "."+d) {
			return true
		}
	}
	return false
}

// Send hands one mail to the server.
func (s *Server) Send(ctx context.Context, l selfrefer.Letter, text string) selfrefer.MailOutcome {
	refused := func(code string) selfrefer.MailOutcome {
		return selfrefer.MailOutcome{Mailed: selfrefer.MailRefused, Code: code}
	}
	if isMadeUp(string(l.To)) {
		return refused("made_up")
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(m.From(s.from), m.To(string(l.To))); err != nil {
		return refused("address")
	}
	m.Subject(l.Subject())
	m.SetMessageIDWithValue(fmt.Sprintf("notice.%d@%s", l.ID, s.domain))
	m.SetDate()
	m.SetGenHeader("Auto-Submitted", "auto-generated") // no out-of-office answers
	m.SetBodyString(gomail.TypeTextPlain, text)
	c, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "connect", Server: true}
	}
	conn, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: dialCode(err), Server: true}
	}
	err = c.SendWithSMTPClient(conn, m)
	_ = c.CloseWithSMTPClient(conn) // the mail is taken or not; how they part changes nothing
	if m.IsDelivered() {
		return selfrefer.MailOutcome{Mailed: selfrefer.MailSent}
	}
	return outcomeOf(err)
}

// dialCode says why there is no connection to talk on.
func dialCode(err error) string {
	var record tls.RecordHeaderError
	var cert *tls.CertificateVerificationError
	var alert tls.AlertError
	var open *net.OpError
	words := strings.ToLower(err.Error())
	switch {
	case errors.As(err, &record), errors.As(err, &cert), errors.As(err, &alert), strings.Contains(words, "starttls"), strings.Contains(words, "tls"):
		return "tls"
	case errors.As(err, &open):
		return "connect"
	case strings.Contains(words, "auth"), strings.HasPrefix(words, "53"):
		return "sign_in"
	case strings.HasPrefix(words, "4"):
		return "busy"
	}
	return "connect"
}

// outcomeOf reads why the server did not take a mail. What it refuses with 5 is refused for good, with 4 for now. Only if it had the whole
// mail and did not answer is nothing known.
func outcomeOf(err error) selfrefer.MailOutcome {
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		return selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "broken", Server: true}
	}
	code := failed.ErrorCode()
	switch {
	case failed.Reason == gomail.ErrSMTPDataClose && code == 0:
		return selfrefer.MailOutcome{Mailed: selfrefer.MailUnsure, Code: "unsure", Server: true}
	case code == 0:
		return selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "broken", Server: true}
	case code < 500:
		return selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "busy", Server: failed.Reason == gomail.ErrSMTPMailFrom}
	}
	switch failed.Reason {
	case gomail.ErrSMTPMailFrom: // it would refuse everybody's, until an administrator has set another: this mail is not to blame
		return selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "sender", Server: true}
	case gomail.ErrSMTPRcptTo:
		return selfrefer.MailOutcome{Mailed: selfrefer.MailRefused, Code: "recipient"}
	}
	return selfrefer.MailOutcome{Mailed: selfrefer.MailRefused, Code: "content"}
}

// Kept is a mail in a pretend mailbox.
type Kept struct {
	At                time.Time
	To, Subject, Text string
}

// Pretend is a mailbox in this process: nothing leaves the computer.
type Pretend struct {
	Now func() time.Time

	mu   sync.Mutex
	kept []Kept
}

// pretendRoom is how many mails it keeps, the newest.
const pretendRoom = 50

// Send keeps a mail.
func (p *Pretend) Send(_ context.Context, l selfrefer.Letter, text string) selfrefer.MailOutcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = append(p.kept, Kept{p.Now(), string(l.To), l.Subject(), text})
	p.kept = p.kept[max(0, len(p.kept)-pretendRoom):]
	return selfrefer.MailOutcome{Mailed: selfrefer.MailSent}
}

// Mails are those that it keeps, the newest first.
func (p *Pretend) Mails() []Kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Kept, 0, len(p.kept))
	for i := len(p.kept) - 1; i >= 0; i-- {
		out = append(out, p.kept[i])
	}
	return out
}
