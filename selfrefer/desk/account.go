package desk

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// freshFor is how long after signing in somebody may change how they sign in. Later they sign in again: a desk that is left alone for a
// moment must not give a passer-by a key.
const freshFor = 15 * time.Minute

func (h *Handler) fresh(s staff.Session) bool {
	return h.stageOf(s) == settingUp || h.Machine().Sub(s.Started) < freshFor
}

// own is for pages about one's own account, which are for browsers: a token that leaks must not become a password.
func (h *Handler) own(serve func(http.ResponseWriter, *http.Request, staff.Session) error) func(http.ResponseWriter, *http.Request, staff.Account) error {
	return func(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
		s := sessionOf(r.Context())
		if s.Account.ID == 0 || !s.Browser {
			if err := h.Store.Audit(r.Context(), staff.Entry{Network: s.Account.Network, Account: s.Account.ID, Action: "account.own", Outcome: "denied"}); err != nil {
				return fmt.Errorf("write the audit: %w", err)
			}
			return staff.ErrDenied
		}
		return serve(w, r, s)
	}
}

// signInAgain asks somebody who has been signed in for a while to show once more who they are.
func (h *Handler) signInAgain(w http.ResponseWriter, r *http.Request) error {
	return h.showOwn(w, r, http.StatusForbidden, "again", ui.Page{Title: "Sign in again first", Back: accountPath})
}

// moment writes a machine time. It is not civil time: in a demo the two differ.
func (h *Handler) moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	t = t.In(h.zone)
	return t.Format("2 January 2006") + " at " + ui.Clock(t)
}

type keyRow struct{ ID, Name, Used string }

type sessionRow struct {
	ID, Name, Started, Seen string
	This                    bool
}

// accountScreen is the data of account.html.
type accountScreen struct {
	Facts            ui.SummaryList
	App, CanKeys     bool
	Fresh, HasFactor bool
	Keys             []keyRow
	Name             ui.Field
	Codes            int
	Sessions         []sessionRow
	Others           bool
	Mail             mailSection
}

func (h *Handler) accountPage(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	a := s.Account
	app, codes, err := h.Store.Factors(r.Context(), a.ID)
	if err != nil {
		return fmt.Errorf("read the second factors: %w", err)
	}
	keys, err := h.Store.Passkeys(r.Context(), a.ID)
	if err != nil {
		return fmt.Errorf("read the passkeys: %w", err)
	}
	sessions, err := h.Store.Sessions(r.Context(), a.ID)
	if err != nil {
		return fmt.Errorf("read the sessions: %w", err)
	}
	d := accountScreen{App: app, CanKeys: h.keys != nil, Fresh: h.fresh(s), HasFactor: app || len(keys) > 0, Name: keyName, Codes: codes, Others: len(sessions) > 1,
		Facts: ui.SummaryList{Rows: []ui.SummaryRow{
			{Key: "Name", Values: []ui.Cell{{Text: a.Name}}},
			{Key: "E-mail address", Values: []ui.Cell{{Text: a.Email}}},
			{Key: "Role", Values: []ui.Cell{{Text: capital(a.Role.Words())}}},
			{Key: "Password", Values: []ui.Cell{{Text: "Only you know it"}}, Actions: []ui.Cell{{Text: "Change", Hidden: "password", Href: passwordPath}}},
		}}}
	for _, k := range keys {
		used := "not used yet"
		if !k.Used.IsZero() {
			used = "last used on " + h.moment(k.Used)
		}
		d.Keys = append(d.Keys, keyRow{base64.RawURLEncoding.EncodeToString(k.ID), k.Name, used})
	}
	for _, o := range sessions {
		row := sessionRow{ID: o.ID, Name: capital(o.Name), Started: h.moment(o.Started), Seen: h.moment(o.Seen), This: o.ID == s.ID}
		if h.stageOf(o) != whole { // if it is not themselves, somebody has their password
			row.Name += ", where only the password was entered"
		}
		if !o.Browser {
			row.Name = "Token “" + o.Name + "” for programs"
		}
		d.Sessions = append(d.Sessions, row)
	}
	if d.Mail, err = h.mailSection(r.Context(), a); err != nil {
		return err
	}
	notice := map[string]string{"mail": "Saved: which e-mails you get.", "password": "Your password is changed. You are signed out everywhere else.", "app": "Your authenticator app is set up. You are signed out everywhere else.",
		"passkey": "Your passkey is set up. You are signed out everywhere else.", "removed": "It is removed. You are signed out everywhere else.",
		"ended": "That session is ended.", "others": "You are signed out everywhere else, and your tokens are ended."}[r.FormValue("done")]
	if r.FormValue("done") == "recovery" {
		notice = fmt.Sprintf("You signed in with a recovery code; %s left. If you have lost your phone or key, remove it here and set up another one.", map[bool]string{true: "1 is", false: fmt.Sprint(codes, " are")}[codes == 1])
	}
	return h.show(w, r, http.StatusOK, "account", ui.Page{Title: "Your account", Notice: notice, Data: d})
}

// passwordScreen is the data of password.html.
type passwordScreen struct{ Old, New ui.Field }

func newPasswordField(name string) ui.Field {
	return ui.Field{Name: name, Label: "New password", Type: "password", Autocomplete: "new-password", Hint: fmt.Sprintf("At least %d characters. Three random words are a good one", minPassword)}
}

func (h *Handler) passwordPage(w http.ResponseWriter, r *http.Request, _ staff.Session) error {
	return h.showPassword(w, r, http.StatusOK, nil)
}

func (h *Handler) showPassword(w http.ResponseWriter, r *http.Request, status int, errs []ui.FieldError) error {
	return h.show(w, r, status, "password", ui.Page{Title: "Change your password", Back: accountPath, Errors: errs, Data: passwordScreen{
		ui.Field{Name: "old", Label: "Password until now", Type: "password", Autocomplete: "current-password"}, newPasswordField("new")}})
}

func (h *Handler) changePassword(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	wrong := func(status int, field, sentence string) error {
		return h.showPassword(w, r, status, []ui.FieldError{{Field: field, Sentence: sentence}})
	}
	key := slowKey(s.Account.Email, h.ClientIP(r))
	if wait := h.slow.try(h.Machine(), key); wait > 0 {
		return wrong(http.StatusTooManyRequests, "old", tooMany(w, wait))
	}
	if _, err := h.checkPassword(r, s.Account.Email, r.PostFormValue("old")); errors.Is(err, staff.ErrSignIn) {
		return wrong(http.StatusUnprocessableEntity, "old", "The password until now is not right")
	} else if err != nil {
		return err
	}
	h.slow.forget(key)
	hash, sentence := h.newHash(r, r.PostFormValue("new"))
	if sentence != "" {
		return wrong(http.StatusUnprocessableEntity, "new", sentence)
	}
	if err := h.Store.SetPassword(r.Context(), s.Account, hash, s.ID); err != nil {
		return fmt.Errorf("change the password: %w", err)
	}
	http.Redirect(w, r, accountPath+"?done=password", http.StatusSeeOther)
	return nil
}

// newHash hashes a password that somebody has chosen, or says what is wrong with it.
func (h *Handler) newHash(r *http.Request, password string) (hash, sentence string) {
	select {
	case h.hashing <- struct{}{}:
		defer func() { <-h.hashing }()
	case <-r.Context().Done():
		return "", "That took too long. Try again"
	}
	hash, err := HashPassword(password)
	if err != nil {
		return "", capital(err.Error())
	}
	return hash, ""
}

func (h *Handler) endSessions(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	done := "ended"
	var err error
	if id := r.PostFormValue("id"); id == "others" {
		done, err = "others", h.Store.EndOthers(r.Context(), s.Account, s.ID)
	} else {
		err = h.Store.EndOwn(r.Context(), s.Account, id)
	}
	if err != nil {
		return err
	}
	if r.PostFormValue("id") == s.ID {
		h.setCookie(w, "", -1)
		http.Redirect(w, r, signInPath+"?done=elsewhere", http.StatusSeeOther)
		return nil
	}
	http.Redirect(w, r, accountPath+"?done="+done, http.StatusSeeOther)
	return nil
}
