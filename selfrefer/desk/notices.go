package desk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Mailing is where mails go.
type Mailing string

// Where mails go.
const (
	NoMail      Mailing = ""        // no server is set
	PretendMail Mailing = "pretend" // into a pretend mailbox
	LiveMail    Mailing = "live"
)

// gathered are somebody's notices as they are shown: many of a kind are one.
func (h *Handler) gathered(ctx context.Context, who staff.Account) ([]selfrefer.Notice, error) {
	all, err := h.Store.Notices(ctx, who)
	if err != nil {
		return nil, fmt.Errorf("read the notices: %w", err)
	}
	return selfrefer.Gather(all), nil
}

// Alerts are what somebody must look at now, for the top of their pages on every desk. They name no patient.
func (h *Handler) Alerts(ctx context.Context, who staff.Account) ([]ui.Alert, error) {
	all, err := h.gathered(ctx, who)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	name, err := h.names(ctx, who.Network)
	if err != nil {
		return nil, err
	}
	var out []ui.Alert
	for _, n := range all {
		a := ui.Alert{Text: h.noticeWords(n, name)}
		switch {
		case n.Kind == selfrefer.GlassBroken:
			a.Href = glassPath
		case n.Kind == selfrefer.AskIfIn && n.By != 0:
			a.Href = fmt.Sprintf("%s/%d/presence", rosterPath, n.By)
		case n.Kind == selfrefer.AskIfIn:
			a.Href = rosterPath
		case n.Referral != 0:
			a.Href = fmt.Sprintf("/desk/referrals/%d", n.Referral)
		case staff.May(who, staff.ViewQueue, who.Network) == nil:
			a.Href = queuePath + "?state=" + n.Part()
		}
		out = append(out, a)
	}
	return out, nil
}

// noticeWords says what a notice is about. A kind that needs no more than its own sentence needs no line here.
func (h *Handler) noticeWords(n selfrefer.Notice, name func(staff.AccountID) string) string {
	many, it := n.N > 0, "it"
	which := n.Ref
	if many {
		which, it = selfrefer.Many(n.N)+" referrals", "them"
	}
	switch n.Kind {
	case selfrefer.GlassBroken:
		if !many {
			return name(n.By) + " has broken the glass of " + which + " at " + h.when(n.Since) + ": read why."
		}
	case selfrefer.UrgentUnclaimed:
		text := "Urgent: nobody has claimed " + which + " since " + h.when(n.Since) + "."
		if n.Only && !many {
			text += " It is restricted: only colleagues who are named may open it."
		}
		switch {
		case n.Offer == selfrefer.ToSenior:
			return text + " You are the senior on duty: claim " + it + " now."
		case n.Alone:
			return text + " No senior link worker is on duty. Ring the team now."
		}
		return text + " No senior has claimed " + it + " either. Ring the team now."
	case selfrefer.UrgentArrived:
		if many {
			return "Urgent: " + which + " have come and nobody has claimed them, the first since " + h.when(n.Since) + ". Claim one now."
		}
		return "Urgent: nobody has claimed " + which + ", which has waited since " + h.when(n.Since) + ". Claim it now."
	case selfrefer.PromiseEnds:
		whose := map[bool]string{true: "you have", false: "nobody has claimed"}[n.Theirs]
		if many {
			return "Promises are about to break: " + which + " that " + whose + " must be called soon, the first by " + h.when(n.Since) + "."
		}
		return "A promise is about to break: " + which + ", which " + whose + ", must be called by " + h.when(n.Since) + "."
	case selfrefer.EscalatedToYou:
		if !many {
			return "You were told of " + which + " at " + h.when(n.Since) + ": read why."
		}
	case selfrefer.AskIfIn:
		if !many {
			return name(n.By) + " should be at work and has opened nothing today. Is " + name(n.By) + " in?"
		}
	case selfrefer.HandedToYou:
		if !many {
			return name(n.By) + " has handed you " + which + " at " + h.when(n.Since) + "."
		}
	}
	if n.Ref != "" {
		return n.Ref + ": " + n.Kind.Sentence(1)
	}
	return n.Kind.Sentence(n.N)
}

// noticeJSON is a notice as the API tells it.
type noticeJSON struct {
	Kind      selfrefer.NoticeKind `json:"kind"`
	Sentence  string               `json:"sentence"`
	Since     time.Time            `json:"since"`
	Referrals int                  `json:"referrals"`           // 100 is 100 or more
	Referral  selfrefer.ReferralID `json:"referral,omitempty"`  // of one that the caller may open
	Reference string               `json:"reference,omitempty"` // of one
	OfferedTo selfrefer.Offer      `json:"offered_to,omitempty"`
	State     string               `json:"state"` // of the part of the queue in which they are
}

// getNotices tells what the caller must look at now. It is everybody's own: whoever is told of nothing gets an empty list.
func (h *Handler) getNotices(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	all, err := h.gathered(r.Context(), who)
	if err != nil {
		return err
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	out := struct {
		Notices []noticeJSON `json:"notices"`
	}{[]noticeJSON{}}
	for _, n := range all {
		out.Notices = append(out.Notices, noticeJSON{n.Kind, h.noticeWords(n, name), n.Since.UTC(), max(n.N, 1), n.Referral, n.Ref, n.Offer, n.Part()})
	}
	return writeJSON(w, http.StatusOK, out)
}

// mailSection is about mail on the account's page.
type mailSection struct {
	Trouble  string
	Fixed    []string
	Switches ui.Field
}

// Any tells whether the person is ever mailed.
func (m mailSection) Any() bool { return len(m.Fixed) > 0 || len(m.Switches.Options) > 0 }

func (h *Handler) mailSection(ctx context.Context, a staff.Account) (m mailSection, err error) {
	off, err := h.Store.MailOff(ctx, a.ID)
	if err != nil {
		return m, fmt.Errorf("read which mails somebody wants: %w", err)
	}
	m.Switches = ui.Field{Kind: ui.Checkboxes, Name: "mail", Label: "Mail me when", Size: "s", Small: true}
	for _, k := range selfrefer.NoticeKinds() {
		switch {
		case !k.For(a):
		case k.Fixed(a.Role):
			m.Fixed = append(m.Fixed, k.Switch())
		default:
			m.Switches.Options = append(m.Switches.Options, ui.Option{Value: string(k), Label: k.Switch()})
			if !slices.Contains(off, k) {
				m.Switches.Values = append(m.Switches.Values, string(k))
			}
		}
	}
	m.Trouble = map[Mailing]string{NoMail: "This service sends no e-mail yet: an administrator has to set a mail server.", PretendMail: "In this demo the mails go into a pretend mailbox."}[h.Mail]
	return m, nil
}

func (h *Handler) setMail(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	var off []selfrefer.NoticeKind
	for _, k := range selfrefer.NoticeKinds() {
		if !slices.Contains(r.PostForm["mail"], string(k)) {
			off = append(off, k)
		}
	}
	if err := h.Store.SetMailOff(r.Context(), s.Account, off); err != nil {
		return fmt.Errorf("set which mails somebody wants: %w", err)
	}
	http.Redirect(w, r, accountPath+"?done=mail", http.StatusSeeOther)
	return nil
}

// mailFacts tell an administrator whether mail works, and whom it does not reach.
func (h *Handler) mailFacts(ctx context.Context, who staff.Account) (l ui.SummaryList, err error) {
	health, err := h.Store.MailHealth(ctx, who.Network)
	if err != nil {
		return l, fmt.Errorf("read how mailing stands: %w", err)
	}
	fact := func(key string, values ...string) {
		row := ui.SummaryRow{Key: key}
		for _, v := range values {
			row.Values = append(row.Values, ui.Cell{Text: v})
		}
		l.Rows = append(l.Rows, row)
	}
	fact("Mail server", h.Mail.Sentence(health))
	fact("Last mail that went", capital(h.moment(health.Worked)))
	last := []string{"None"}
	if !health.Failed.IsZero() {
		last = []string{capital(h.moment(health.Failed)), selfrefer.MailFailure(health.Code)}
	}
	fact("Last failure", last...)
	fact("Waiting for a mail", plural(health.Waiting, "notice"))
	if len(health.Refused) > 0 {
		name, err := h.names(ctx, who.Network)
		if err != nil {
			return l, err
		}
		var whom []string
		for _, f := range health.Refused {
			whom = append(whom, name(f.Account)+", on "+h.moment(f.At)+": "+selfrefer.MailFailure(f.Code))
		}
		fact("Could not be mailed", whom...)
	}
	return l, nil
}

// Sentence says whether mails go, for people who look after the system.
func (m Mailing) Sentence(health selfrefer.MailHealth) string {
	switch {
	case m == NoMail:
		return "None is set: nobody is mailed. Set WELLPACED_SMTP_URL and WELLPACED_MAIL_FROM, so that people are told of urgent referrals away from this page."
	case m == PretendMail:
		return "A pretend mailbox in this demo. Nothing leaves this computer."
	case health.Worked.IsZero() && health.Failed.IsZero():
		return "Is set. Nothing had to be mailed yet."
	case health.Works():
		return "Works"
	}
	return "Does not work at the moment: " + selfrefer.MailFailure(health.Code) + " What waits is tried again for a day."
}
