package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// cookieName has the prefix that makes browsers insist on https, on this very host, and on no path.
func (h *Handler) cookieName() string {
	if h.Secure {
		return "__Host-desk"
	}
	return "desk"
}

func (h *Handler) setCookie(w http.ResponseWriter, secret string, seconds int) {
	http.SetCookie(w, &http.Cookie{Name: h.cookieName(), Value: secret, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: h.Secure, SameSite: http.SameSiteLaxMode})
}

// secret is what a request proves itself by: an API token, or a browser's session.
func (h *Handler) secret(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if c, err := r.Cookie(h.cookieName()); err == nil {
		return c.Value
	}
	return ""
}

// stage is how far somebody has come.
type stage int

const (
	outside   stage = iota
	half            // the password was right; the account has a second factor, which this browser has not shown yet
	settingUp       // the password was right; the account has to set up a second factor first
	whole           // signed in
)

func (h *Handler) stageOf(s staff.Session) stage {
	switch {
	case s.Account.ID == 0:
		return outside
	case !s.Browser || s.Factor != staff.NoFactor: // whoever makes tokens has the computer itself
		return whole
	case s.HasFactor:
		return half
	case h.Demo:
		return whole
	}
	return settingUp
}

// stageFor is what a page needs. Half-way and setting up exclude each other: whoever has no more than the password may not add a factor of
// their own to an account that has one.
func stageFor(path string) stage {
	switch path {
	case signInPath, signOutPath, passkeyPath, passkeyPath + "/finish", providerPath, providerPath + "/callback":
		return outside
	case codePath:
		return half
	case setUpPath, appPath, keysPath, keysPath + "/new":
		return settingUp
	}
	if strings.HasPrefix(path, invitationPath+"/") {
		return outside
	}
	return whole
}

type sessionKey struct{}

// sessionOf is the session of a request, also one that is no sign-in yet.
func sessionOf(ctx context.Context) staff.Session {
	s, _ := ctx.Value(sessionKey{}).(staff.Session)
	return s
}

// Authenticate puts the session into the request's context, and the account once it is signed in. Whoever is not is sent to the page that is
// next for them, or answered 401 under /api/.
func (h *Handler) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inPage := r.Header.Get("HX-Request") == "true"
		polled := inPage && r.Method == http.MethodGet // a page by itself, every few seconds: nobody need sit there
		s := staff.Session{}
		if secret := h.secret(r); secret != "" {
			var err error
			if s, err = h.Store.Session(r.Context(), secret, !polled); err != nil && !errors.Is(err, staff.ErrSignIn) {
				h.fail(w, r, fmt.Errorf("read the session: %w", err))
				return
			}
		}
		at, need := h.stageOf(s), stageFor(r.URL.Path)
		ctx := context.WithValue(r.Context(), sessionKey{}, s)
		to := map[stage]string{outside: signInPath, half: codePath, settingUp: setUpPath}[at]
		switch {
		case at == whole:
			next.ServeHTTP(w, r.WithContext(staff.With(ctx, s.Account)))
		case at == need || need == outside:
			next.ServeHTTP(w, r.WithContext(ctx))
		case isAPI(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="wellpaced"`)
			ui.Problem(w, http.StatusUnauthorized, "sign_in", "Send a token in the header Authorization: Bearer. `wellpaced staff token` makes one.")
		case inPage:
			// A poll would put the sign-in page into the middle of the queue: the whole page has to go there.
			w.Header().Set("HX-Redirect", to)
			w.WriteHeader(http.StatusOK)
		default:
			if r.Method == http.MethodGet && need == whole && r.URL.Path != homePath {
				to += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
		}
	})
}

// safeNext is where to go after sign-in: a path of the desks, never another site.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || strings.ContainsAny(next, "\\\r\n\t") ||
		u.Path != homePath && !strings.HasPrefix(u.Path, homePath+"/") || strings.Contains(u.Path, "..") || strings.Contains(u.Path, "//") {
		return homePath
	}
	if stageFor(u.Path) != whole {
		return homePath
	}
	return u.RequestURI()
}

// signInScreen is the data of signin.html.
type signInScreen struct {
	Email, Password    ui.Field
	Next               string
	Passkeys, Provider bool
}

func (h *Handler) showSignIn(w http.ResponseWriter, r *http.Request, status int, email, notice string, errs []ui.FieldError) {
	h.UI.Render(w, r, status, "signin", ui.Page{Title: "Sign in", Kind: ui.Desk, Organisation: "Wellpaced", Notice: notice, Errors: errs, Data: signInScreen{
		Email:    ui.Field{Name: "email", Label: "E-mail address", Type: "email", Autocomplete: "username", NoSpellcheck: true, Value: email},
		Password: ui.Field{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"},
		Next:     safeNext(r.FormValue("next")),
		Passkeys: h.keys != nil, Provider: h.provider != nil,
	}})
}

func (h *Handler) signInPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if who.ID != 0 {
		http.Redirect(w, r, safeNext(r.FormValue("next")), http.StatusSeeOther)
		return nil
	}
	notice := map[string]string{"out": "You are signed out.", "elsewhere": "You have ended this session."}[r.FormValue("done")]
	h.showSignIn(w, r, http.StatusOK, "", notice, nil)
	return nil
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	email, password := strings.ToLower(strings.TrimSpace(r.PostFormValue("email"))), r.PostFormValue("password")
	var errs []ui.FieldError
	if email == "" || len(email) > 320 {
		errs = append(errs, ui.FieldError{Field: "email", Sentence: "Enter your e-mail address"})
	}
	if password == "" {
		errs = append(errs, ui.FieldError{Field: "password", Sentence: "Enter your password"})
	}
	if errs != nil {
		h.showSignIn(w, r, http.StatusUnprocessableEntity, r.PostFormValue("email"), "", errs)
		return nil
	}
	key := slowKey(email, h.ClientIP(r))
	if wait := h.slow.try(h.Machine(), key); wait > 0 {
		h.showSignIn(w, r, http.StatusTooManyRequests, email, "", []ui.FieldError{{Field: "password", Sentence: tooMany(w, wait)}})
		return nil
	}
	a, err := h.checkPassword(r, email, password)
	if errors.Is(err, staff.ErrSignIn) {
		// Known or not, the same line is written: the answer takes as long.
		if err := h.refused(r, a, "browser"); err != nil {
			return err
		}
		h.showSignIn(w, r, http.StatusUnprocessableEntity, email, "", []ui.FieldError{{Field: "email", Sentence: "The e-mail address or the password is not right"}})
		return nil
	}
	if err != nil {
		return err
	}
	h.slow.forget(key)
	return h.enter(w, r, a, staff.NoFactor, r.PostFormValue("next"))
}

// tooMany tells somebody how long to wait.
func tooMany(w http.ResponseWriter, wait time.Duration) string {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", fmt.Sprint(seconds))
	return fmt.Sprintf("Too many wrong tries. Wait %s, then try again", plural(seconds, "second"))
}

// refused writes down that somebody was not let in.
func (h *Handler) refused(r *http.Request, a staff.Account, by string) error {
	if err := h.Store.Audit(r.Context(), staff.Entry{Network: a.Network, Account: a.ID, Action: "session.start", Target: by, Outcome: "denied"}); err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
}

// enter begins a session for whom the caller has made sure of, by a password or by factor, and goes on to the page that is next.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, a staff.Account, factor staff.Factor, next string) error {
	app, _, err := h.Store.Factors(r.Context(), a.ID)
	if err != nil {
		return fmt.Errorf("read the second factors: %w", err)
	}
	keys, err := h.Store.Passkeys(r.Context(), a.ID)
	if err != nil {
		return fmt.Errorf("read the passkeys: %w", err)
	}
	at := h.stageOf(staff.Session{Account: a, Browser: true, Factor: factor, HasFactor: app || len(keys) > 0})
	in := staff.SignIn{Account: a.ID, Name: browserName(r.UserAgent()), Factor: factor, For: staff.SessionLength, Idle: h.idle()}
	to := safeNext(next)
	switch at {
	case half:
		in.Half, in.For = true, staff.HalfLength
		to = codePath + "?next=" + url.QueryEscape(to)
	case settingUp: // an app may have to be installed first
		in.Half, in.For = true, staff.SetUpLength
		to = setUpPath
	}
	if c, err := r.Cookie(h.cookieName()); err == nil { // one browser, one session
		in.Instead = c.Value
	}
	secret, err := h.Store.SignIn(r.Context(), in)
	if err != nil {
		return fmt.Errorf("start a session: %w", err)
	}
	h.setCookie(w, secret, int(in.For/time.Second))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// idle is after how long a session ends for want of use; 0: never.
func (h *Handler) idle() time.Duration {
	if h.Demo {
		return 0
	}
	return staff.SessionIdle
}

// browserName is a browser as its owner knows it: enough to tell the office's computer from the telephone, and no more.
func browserName(agent string) string {
	find := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(agent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	browser := find("Edg", "Edge", "OPR/", "Opera", "SamsungBrowser", "Samsung Internet", "Firefox", "Firefox", "FxiOS", "Firefox", "CriOS", "Chrome", "Chrome", "Chrome", "Safari", "Safari")
	system := find("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "CrOS", "ChromeOS", "Mac OS", "Mac", "Linux", "Linux")
	switch {
	case browser == "":
		return "a browser"
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// checkPassword answers [staff.ErrSignIn] for whatever is wrong, with the account that was meant if there is one.
func (h *Handler) checkPassword(r *http.Request, email, password string) (staff.Account, error) {
	a, hash, err := h.Store.AccountByEmail(r.Context(), email)
	if err != nil && !errors.Is(err, staff.ErrSignIn) {
		return a, fmt.Errorf("find the account: %w", err)
	}
	select {
	case h.hashing <- struct{}{}:
		defer func() { <-h.hashing }()
	case <-r.Context().Done():
		return a, r.Context().Err()
	}
	if right := VerifyPassword(hash, password); !right || err != nil || a.Disabled {
		return a, staff.ErrSignIn
	}
	return a, nil
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	if c, err := r.Cookie(h.cookieName()); err == nil {
		if err := h.Store.EndSession(r.Context(), c.Value); err != nil {
			return fmt.Errorf("sign out: %w", err)
		}
	}
	h.setCookie(w, "", -1)
	to := signInPath + "?done=out"
	if next := safeNext(r.URL.Query().Get("next")); next != homePath {
		to += "&next=" + url.QueryEscape(next)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
