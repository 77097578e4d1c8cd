package desk

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const (
	// sessionLength is a long working day, by machine time.
	sessionLength = 12 * time.Hour
	sessionKind   = "browser"
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

// Authenticate puts the signed-in account into the request's context. Whoever is not signed in is sent to the sign-in page, or answered
// 401 under /api/; only that page itself lets everybody through.
func (h *Handler) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret := h.secret(r)
		who, err := staff.Account{}, staff.ErrSignIn
		if secret != "" {
			who, err = h.Store.SessionAccount(r.Context(), secret)
		}
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(staff.With(r.Context(), who)))
		case !errors.Is(err, staff.ErrSignIn):
			h.fail(w, r, fmt.Errorf("read the session: %w", err))
		case isAPI(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="wellpaced"`)
			ui.Problem(w, http.StatusUnauthorized, "sign_in", "Send a token in the header Authorization: Bearer. `wellpaced staff token` makes one.")
		case r.URL.Path == signInPath || r.URL.Path == signOutPath:
			next.ServeHTTP(w, r)
		case r.Header.Get("HX-Request") == "true":
			// A poll would put the sign-in page into the middle of the queue: the whole page has to go there.
			w.Header().Set("HX-Redirect", signInPath)
			w.WriteHeader(http.StatusOK)
		default:
			to := signInPath
			if r.Method == http.MethodGet && r.URL.Path != homePath {
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
	if u.Path == signInPath || u.Path == signOutPath {
		return homePath
	}
	return u.RequestURI()
}

// signInScreen is the data of signin.html.
type signInScreen struct {
	Email, Password ui.Field
	Next            string
}

func (h *Handler) showSignIn(w http.ResponseWriter, r *http.Request, status int, email, notice string, errs []ui.FieldError) {
	h.UI.Render(w, r, status, "signin", ui.Page{Title: "Sign in", Kind: ui.Desk, Organisation: "Wellpaced", Notice: notice, Errors: errs, Data: signInScreen{
		Email:    ui.Field{Name: "email", Label: "E-mail address", Type: "email", Autocomplete: "username", NoSpellcheck: true, Value: email},
		Password: ui.Field{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"},
		Next:     safeNext(r.FormValue("next")),
	}})
}

func (h *Handler) signInPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if who.ID != 0 {
		http.Redirect(w, r, safeNext(r.FormValue("next")), http.StatusSeeOther)
		return nil
	}
	notice := ""
	if r.FormValue("done") == "out" {
		notice = "You are signed out."
	}
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
	key := email + " " + h.ClientIP(r)
	if wait := h.slow.wait(h.Machine(), key); wait > 0 {
		seconds := int((wait + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", fmt.Sprint(seconds))
		h.showSignIn(w, r, http.StatusTooManyRequests, email, "", []ui.FieldError{{Field: "password", Sentence: fmt.Sprintf("Too many wrong tries. Wait %s, then try again", plural(seconds, "second"))}})
		return nil
	}
	a, err := h.checkPassword(r, email, password)
	if errors.Is(err, staff.ErrSignIn) {
		h.slow.failed(h.Machine(), key)
		// Known or not, the same line is written: the answer takes as long.
		if err := h.Store.Audit(r.Context(), staff.Entry{Network: a.Network, Account: a.ID, Action: "session.start", Target: sessionKind, Outcome: "denied"}); err != nil {
			return fmt.Errorf("write the audit: %w", err)
		}
		h.showSignIn(w, r, http.StatusUnprocessableEntity, email, "", []ui.FieldError{{Field: "email", Sentence: "The e-mail address or the password is not right"}})
		return nil
	}
	if err != nil {
		return err
	}
	h.slow.forget(key)
	secret, err := h.Store.StartSession(r.Context(), a.ID, sessionKind, "", sessionLength)
	if err != nil {
		return fmt.Errorf("start a session: %w", err)
	}
	if c, err := r.Cookie(h.cookieName()); err == nil { // one browser, one session
		if err := h.Store.EndSession(r.Context(), c.Value); err != nil {
			return fmt.Errorf("end the session before: %w", err)
		}
	}
	h.setCookie(w, secret, int(sessionLength/time.Second))
	http.Redirect(w, r, safeNext(r.PostFormValue("next")), http.StatusSeeOther)
	return nil
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
	http.Redirect(w, r, signInPath+"?done=out", http.StatusSeeOther)
	return nil
}
