package selfrefer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Letter is a mail to a member of staff about what waits for them. It holds no word of any person but the address it goes to, which hides
// itself in logs.
type Letter struct {
	ID    int64
	To    Address
	Lines []LetterLine // the most pressing first
	// NoQueue is set for whoever may not see the queue: it is told of at the top of their own first page.
	NoQueue bool
}

// LetterLine says of how many referrals something is so.
type LetterLine struct {
	Kind NoticeKind
	N    int
}

// Address is an e-mail address that does not show itself.
type Address string

// String hides the address.
func (Address) String() string { return "[e-mail address]" }

// GoString hides the address.
func (a Address) GoString() string { return a.String() }

// LogValue hides the address.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText hides the address.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Urgent tells whether something in it may not wait.
func (l Letter) Urgent() bool {
	for _, line := range l.Lines {
		if line.Kind.Urgent() {
			return true
		}
	}
	return false
}

// Subject stands on the screen of a locked phone, where anybody reads it.
func (l Letter) Subject() string {
	if l.Urgent() {
		return "Wellpaced: something urgent waits for you"
	}
	return "Wellpaced: something waits for you"
}

// Text is the mail. Its links go to lists, where people sign in first, and never to a referral: addresses in mails are read by filters, opened
// by scanners and kept in the history of browsers, and a list that is sorted by what presses shows the same at its top.
func (l Letter) Text(site string) string {
	site = strings.TrimSuffix(site, "/")
	var b strings.Builder
	for _, line := range l.Lines {
		path := "/desk/queue?state=" + line.Kind.Part()
		if l.NoQueue {
			path = "/desk"
		}
		fmt.Fprintf(&b, "%s\r\nSign in: %s%s\r\n\r\n", line.Kind.Sentence(line.N), site, path)
	}
	fmt.Fprintf(&b, "No mail of ours says whom it is about. Which mails you get: %s/desk/account\r\n", site)
	return b.String()
}

// Mailed is what became of a mail.
type Mailed string

// The outcomes. Whatever is not certain counts as sent: nobody is told of a thing twice, and it stands at the top of their pages all the while.
const (
	MailSent    Mailed = "sent"
	MailAgain   Mailed = "again"   // it has surely not gone, and may go later
	MailRefused Mailed = "refused" // for good
	MailUnsure  Mailed = "unsure"  // it may have gone
)

// MailOutcome is what became of a mail, with a code for why.
type MailOutcome struct {
	Mailed Mailed
	Code   string
	Server bool // the failure is the server's: others would fail as well
}

// Theirs tells whether it failed for the sake of the one person: others can be mailed.
func (o MailOutcome) Theirs() bool {
	return o.Mailed == MailRefused && (o.Code == "recipient" || o.Code == "made_up" || o.Code == "address")
}

// mailFailures are the codes of failures in words for administrators. A server's own words are never kept: they may hold anything.
var mailFailures = map[string]string{
	"connect":   "The mail server cannot be reached.",
	"tls":       "The mail server offers no encryption that can be trusted. Nothing is sent to it without.",
	"sign_in":   "The mail server refuses our user name or password.",
	"sender":    "The mail server refuses our sender address, WELLPACED_MAIL_FROM.",
	"recipient": "The mail server refuses the address of the person.",
	"content":   "The mail server refuses the mail.",
	"busy":      "The mail server asks to try again later.",
	"broken":    "The connection to the mail server broke off.",
	"unsure":    "The mail server took a mail and did not say whether it will deliver it. It is not sent again.",
	"made_up":   "The address of the person is made up (example, test, invalid). Nothing is sent to such addresses.",
	"address":   "The address of the person cannot be read.",
	"too_old":   "The mail server took none of it for a day. What is still so stands at the top of the person's pages.",
	"stopped":   "The program ended while a mail was on its way. Nobody knows whether it arrived; it is not sent again.",
}

// MailFailure says what a code means.
func MailFailure(code string) string {
	if code == "" {
		return ""
	}
	if s, ok := mailFailures[code]; ok {
		return s
	}
	return "Code " + code + "."
}

// MailHealth is how mailing stands, in machine time.
type MailHealth struct {
	Worked  time.Time // when a mail was last taken by the server; zero: never
	Failed  time.Time // when one last failed
	Code    string    // of that failure
	Waiting int       // notices that wait for their mail, of the network that was asked for
	Refused []MailRefusal
}

// Works tells whether the last that was tried went well.
func (h MailHealth) Works() bool { return !h.Worked.IsZero() && h.Worked.After(h.Failed) }

// MailRefusal is somebody whose mail failed for good.
type MailRefusal struct {
	Account staff.AccountID
	At      time.Time // machine
	Code    string
}

// Post takes mails to their server, or to a pretend mailbox.
type Post interface {
	Send(ctx context.Context, l Letter, text string) MailOutcome
}

// MailOutbox keeps what somebody has been told by mail: at most once of each thing.
type MailOutbox interface {
	// MailTo lists who may have to be mailed, in every network.
	MailTo(ctx context.Context) ([]staff.AccountID, error)
	// NextMail notes what somebody must be told and, if a mail to them is due, claims it: it is theirs alone who called, until its deadline.
	NextMail(ctx context.Context, to staff.AccountID) (l Letter, due bool, err error)
	// Mailed settles what became of it.
	Mailed(ctx context.Context, l Letter, o MailOutcome) error
	// LoseMails gives up what was on its way when a process ended. It returns how many notices were lost.
	LoseMails(ctx context.Context) (int64, error)
}

// MailBox is what the desk asks and changes of the outbox.
type MailBox interface {
	// MailOff lists the kinds of which somebody wants no mail.
	MailOff(ctx context.Context, account staff.AccountID) ([]NoticeKind, error)
	// SetMailOff replaces them; what cannot be switched off stays on. It is audited.
	SetMailOff(ctx context.Context, who staff.Account, off []NoticeKind) error
	// MailHealth tells how mailing stands for a network.
	MailHealth(ctx context.Context, n staff.NetworkID) (MailHealth, error)
}

// Mailer mails people about what stands at the top of their pages.
type Mailer struct {
	Outbox MailOutbox
	Post   Post
	Site   string // where people reach the desk: https://…
	Log    *slog.Logger
}

// sendWithin is how long a server has for one mail.
const sendWithin = 30 * time.Second

// Tick mails whomever something is due to. A server that does not answer ends it: the others' mails wait for the next tick.
func (m *Mailer) Tick(ctx context.Context) error {
	if n, err := m.Outbox.LoseMails(ctx); err != nil {
		return fmt.Errorf("give up mails that were on their way: %w", err)
	} else if n > 0 {
		m.Log.Warn("a process ended while mails were on their way; they are not sent again", "notices", n)
	}
	all, err := m.Outbox.MailTo(ctx)
	if err != nil {
		return fmt.Errorf("read whom to mail: %w", err)
	}
	var failed error
	for _, id := range all {
		if ctx.Err() != nil {
			break
		}
		server, err := m.one(ctx, id)
		failed = errors.Join(failed, err)
		if server {
			break
		}
	}
	return failed
}

// one mails one person. server tells whether the server is to blame that it did not go.
func (m *Mailer) one(ctx context.Context, id staff.AccountID) (server bool, err error) {
	l, due, err := m.Outbox.NextMail(ctx, id)
	if err != nil || !due {
		return false, err
	}
	// What is claimed is brought to its end, also when the program is asked to stop: broken off, nobody would know whether it has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendWithin)
	defer cancel()
	o := m.Post.Send(ctx, l, l.Text(m.Site))
	if o.Mailed != MailSent {
		m.Log.Warn("a mail did not go", "outcome", string(o.Mailed), "code", o.Code, "account", int64(id))
	} else {
		m.Log.Debug("a mail is sent", "account", int64(id), "lines", len(l.Lines))
	}
	settle, done := context.WithTimeout(context.WithoutCancel(ctx), sendWithin)
	defer done()
	if err := m.Outbox.Mailed(settle, l, o); err != nil { // said here: whoever calls may have been asked to stop meanwhile
		m.Log.Error("what became of a mail cannot be noted; it is not sent again", "outcome", string(o.Mailed), "error", err)
		return o.Server, err
	}
	return o.Server, nil
}
