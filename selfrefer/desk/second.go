package desk

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// stepLength is how long a code of an authenticator app is shown.
const stepLength = 30 * time.Second

// checkCode is for the store: whether a code belongs to a secret now, or did one step ago, or will in one: telephones' clocks are wrong.
func checkCode(now time.Time, code string) func(secret string) (step int64, right bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	return func(secret string) (int64, bool) {
		at := now.Unix() / int64(stepLength/time.Second)
		for _, step := range [...]int64{at, at - 1, at + 1} {
			want, err := hotp.GenerateCode(secret, uint64(step))
			if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
				return step, true
			}
		}
		return 0, false
	}
}

// codeScreen is the data of second.html.
type codeScreen struct {
	Code, Recovery ui.Field
	App, Passkeys  bool
	Next           string
}

func (h *Handler) showCode(w http.ResponseWriter, r *http.Request, status int, errs []ui.FieldError) error {
	s := sessionOf(r.Context())
	app, _, err := h.Store.Factors(r.Context(), s.Account.ID)
	if err != nil {
		return fmt.Errorf("read the second factors: %w", err)
	}
	keys, err := h.Store.Passkeys(r.Context(), s.Account.ID)
	if err != nil {
		return fmt.Errorf("read the passkeys: %w", err)
	}
	return h.showOwn(w, r, status, "second", ui.Page{Title: "Show that it is you", Errors: errs, Data: codeScreen{
		Code:     ui.Field{Name: "code", Label: "Code", Hint: "The 6 figures that your authenticator app shows for Wellpaced", Width: 10, Code: true, Inputmode: "numeric", Autocomplete: "one-time-code", NoSpellcheck: true},
		Recovery: ui.Field{Name: "recovery", Label: "Recovery code", Hint: "One of the ten that you wrote down, like abcd-efgh-2345. It works once", Width: 20, Code: true, Autocomplete: "off", NoSpellcheck: true},
		App:      app, Passkeys: h.keys != nil && len(keys) > 0, Next: safeNext(r.FormValue("next")),
	}})
}

func (h *Handler) codePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if who.ID != 0 {
		http.Redirect(w, r, safeNext(r.FormValue("next")), http.StatusSeeOther)
		return nil
	}
	return h.showCode(w, r, http.StatusOK, nil)
}

// code takes the second factor of somebody whose password was right.
func (h *Handler) code(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	if who.ID != 0 {
		http.Redirect(w, r, safeNext(r.PostFormValue("next")), http.StatusSeeOther)
		return nil
	}
	a := sessionOf(r.Context()).Account
	factor, field, given := staff.TOTP, "code", r.PostFormValue("code")
	if given == "" && r.PostFormValue("recovery") != "" {
		factor, field, given = staff.RecoveryCode, "recovery", r.PostFormValue("recovery")
	}
	if given == "" || len(given) > 100 {
		return h.showCode(w, r, http.StatusUnprocessableEntity, []ui.FieldError{{Field: "code", Sentence: "Enter the code"}})
	}
	// The password was right, so whoever is slowed down here is the owner or has the password. Still by address: nobody locks the owner out.
	key := slowKey(fmt.Sprint("code ", a.ID), h.ClientIP(r))
	if wait := h.slow.try(h.Machine(), key); wait > 0 {
		return h.showCode(w, r, http.StatusTooManyRequests, []ui.FieldError{{Field: field, Sentence: tooMany(w, wait)}})
	}
	var err error
	if factor == staff.TOTP {
		err = h.Store.UseTOTP(r.Context(), a.ID, checkCode(h.Machine(), given))
	} else {
		_, err = h.Store.UseRecoveryCode(r.Context(), a.ID, given)
	}
	if errors.Is(err, staff.ErrCode) {
		if err := h.refused(r, a, string(factor)); err != nil {
			return err
		}
		return h.showCode(w, r, http.StatusUnprocessableEntity, []ui.FieldError{{Field: field, Sentence: "This code is not right, or has been used already"}})
	}
	if err != nil {
		return fmt.Errorf("check a code: %w", err)
	}
	h.slow.forget(key)
	next := r.PostFormValue("next")
	if factor == staff.RecoveryCode { // they see how many are left, and that the lost thing is still let in
		next = accountPath + "?done=recovery"
	}
	return h.enter(w, r, a, factor, next)
}

// setUpScreen is the data of set-up.html.
type setUpScreen struct {
	Passkeys bool
	Name     ui.Field
}

var keyName = ui.Field{Name: "name", Label: "What to call it", Hint: "For example: work laptop", Width: 20, NoSpellcheck: true}

// setUpPage is where somebody begins who has to set up a second factor before anything else.
func (h *Handler) setUpPage(w http.ResponseWriter, r *http.Request, _ staff.Session) error {
	return h.showOwn(w, r, http.StatusOK, "set-up", ui.Page{Title: "Protect your account", Data: setUpScreen{h.keys != nil, keyName}})
}

// appScreen is the data of app.html.
type appScreen struct {
	Image  template.HTML
	Secret string // in groups of four
	Code   ui.Field
}

// appPage shows the secret that was offered last; POST makes it.
func (h *Handler) appPage(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	return h.showApp(w, r, http.StatusOK, s, nil)
}

func (h *Handler) showApp(w http.ResponseWriter, r *http.Request, status int, s staff.Session, errs []ui.FieldError) error {
	secret, err := h.Store.OfferedTOTP(r.Context(), s.Account.ID)
	if err != nil {
		return fmt.Errorf("read what was offered: %w", err)
	}
	if secret == "" {
		to := accountPath
		if staff.From(r.Context()).ID == 0 {
			to = setUpPath
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Wellpaced", AccountName: s.Account.Email, Secret: mustBase32(secret)})
	if err != nil {
		return fmt.Errorf("write the address for an authenticator app: %w", err)
	}
	image, err := qrCode(key.String())
	if err != nil {
		return err
	}
	var groups []string
	for rest := secret; rest != ""; rest = rest[min(4, len(rest)):] {
		groups = append(groups, rest[:min(4, len(rest))])
	}
	return h.showOwn(w, r, status, "app", ui.Page{Title: "Set up your authenticator app", Errors: errs, Data: appScreen{image, strings.Join(groups, " "),
		ui.Field{Name: "code", Label: "Code", Hint: "The 6 figures that the app shows now", Width: 10, Code: true, Inputmode: "numeric", Autocomplete: "one-time-code", NoSpellcheck: true}}})
}

// qrCode draws an address as a picture that needs no style and no other file.
func qrCode(text string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("draw a QR code: %w", err)
	}
	const quiet = 4 // modules of white around it, by the standard
	side := code.Bounds().Dx()
	var path strings.Builder
	for y := range side {
		for x := range side {
			if black, _, _, _ := code.At(x, y).RGBA(); black == 0 {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	size := side + 2*quiet
	return template.HTML(fmt.Sprintf(`<svg role="img" aria-label="QR code for your authenticator app" width="240" height="240" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[2]dH0z"/><path fill="#000" d="%s"/></svg>`, size, size, path.String())), nil
}

func (h *Handler) changeApp(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	do := r.PostFormValue("do")
	if do != "confirm" && !h.fresh(s) {
		return h.signInAgain(w, r)
	}
	switch do {
	case "offer":
		key, err := totp.Generate(totp.GenerateOpts{Issuer: "Wellpaced", AccountName: s.Account.Email})
		if err != nil {
			return fmt.Errorf("make a secret for an authenticator app: %w", err)
		}
		if err := h.Store.OfferTOTP(r.Context(), s.Account, key.Secret()); err != nil {
			return fmt.Errorf("offer an authenticator app: %w", err)
		}
		http.Redirect(w, r, appPath, http.StatusSeeOther)
		return nil
	case "confirm":
		err := h.Store.ConfirmTOTP(r.Context(), s.Account, s.ID, checkCode(h.Machine(), r.PostFormValue("code")))
		if errors.Is(err, staff.ErrCode) {
			return h.showApp(w, r, http.StatusUnprocessableEntity, s, []ui.FieldError{{Field: "code", Sentence: "This code is not right. Check that the time on your telephone is, then enter the code it shows now"}})
		}
		if err != nil {
			return fmt.Errorf("confirm an authenticator app: %w", err)
		}
		return h.factorSet(w, r, s, staff.TOTP, "app")
	case "remove":
		if err := h.Store.RemoveTOTP(r.Context(), s.Account, s.ID, !h.Demo); err != nil {
			return err
		}
		http.Redirect(w, r, accountPath+"?done=removed", http.StatusSeeOther)
		return nil
	}
	return staff.ErrNotFound
}

// factorSet goes on after a second factor was set up. With the first one come the recovery codes, and whoever had to set it up is signed in.
func (h *Handler) factorSet(w http.ResponseWriter, r *http.Request, s staff.Session, by staff.Factor, done string) error {
	_, codes, err := h.Store.Factors(r.Context(), s.Account.ID)
	if err != nil {
		return fmt.Errorf("read the second factors: %w", err)
	}
	if s.Factor == staff.NoFactor { // a new session: what was open before the factor must not be worth more now
		secret, err := h.Store.SignIn(r.Context(), staff.SignIn{Account: s.Account.ID, Name: browserName(r.UserAgent()), Factor: by, For: staff.SessionLength, Idle: h.idle(), Instead: h.secret(r)})
		if err != nil {
			return fmt.Errorf("start a session: %w", err)
		}
		h.setCookie(w, secret, int(staff.SessionLength/time.Second))
	}
	if codes == 0 {
		return h.makeCodes(w, r, s)
	}
	http.Redirect(w, r, accountPath+"?done="+done, http.StatusSeeOther)
	return nil
}

// codesScreen is the data of codes.html.
type codesScreen struct{ Codes []string }

// recoveryCodes are how many are made at a time.
const recoveryCodes = 10

func (h *Handler) newCodes(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if !h.fresh(s) {
		return h.signInAgain(w, r)
	}
	return h.makeCodes(w, r, s)
}

// makeCodes shows new recovery codes, which is the only time: the answer to a POST, not a page that one can come back to.
func (h *Handler) makeCodes(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		c := strings.ToLower(rand.Text()[:12]) // 60 bits
		codes[i] = c[:4] + "-" + c[4:8] + "-" + c[8:]
	}
	if err := h.Store.SetRecoveryCodes(r.Context(), s.Account, codes); err != nil {
		return fmt.Errorf("keep recovery codes: %w", err)
	}
	return h.showOwn(w, r, http.StatusOK, "codes", ui.Page{Title: "Your recovery codes", Data: codesScreen{codes}})
}
