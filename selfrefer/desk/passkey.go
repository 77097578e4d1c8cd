package desk

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// What a browser is asked; see [Sessions.Ask].
const (
	askToShow = "passkey.show"
	askToMake = "passkey.make"
	askAtHome = "provider" // at the sign-in provider
)

// newKeys binds passkeys to the site's name. An address of figures has none: browsers refuse passkeys there, but this computer's own is also
// called localhost.
func newKeys(publicURL string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Hostname() == "" {
		return nil, err
	}
	name, origin := u.Hostname(), u.Scheme+"://"+u.Host
	if ip, err := netip.ParseAddr(name); err == nil {
		if !ip.IsLoopback() {
			return nil, nil
		}
		name, origin = "localhost", u.Scheme+"://localhost"
		if u.Port() != "" {
			origin += ":" + u.Port()
		}
	}
	return webauthn.New(&webauthn.Config{RPID: name, RPDisplayName: "Wellpaced", RPOrigins: []string{origin}, AttestationPreference: protocol.PreferNoAttestation,
		// The device asks its owner for a finger, a face or a PIN: so a passkey alone is two factors. And it finds the account by itself.
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired}})
}

// keyOwner is an account as the library wants it.
type keyOwner struct {
	staff.Account
	keys []staff.PasskeyRecord
}

// keyHandle names an account to its authenticators. It says nothing of the person.
func keyHandle(id staff.AccountID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

func (o keyOwner) WebAuthnID() []byte          { return keyHandle(o.ID) }
func (o keyOwner) WebAuthnName() string        { return o.Email }
func (o keyOwner) WebAuthnDisplayName() string { return o.Name }
func (o keyOwner) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, len(o.keys))
	for i, k := range o.keys {
		_ = json.Unmarshal(k.Credential, &all[i]) // a damaged one opens nothing
	}
	return all
}

func (h *Handler) keyOwner(r *http.Request, id staff.AccountID) (o keyOwner, err error) {
	if o.Account, err = h.Store.Account(r.Context(), id); err != nil {
		return o, err
	}
	o.keys, err = h.Store.Passkeys(r.Context(), id)
	return o, err
}

// stepCookie leads from a question to its answer in one browser.
func (h *Handler) stepCookie() string { return h.cookieName() + "-step" }

// ask keeps a question and gives the browser the secret under which its answer comes.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, kind string, account staff.AccountID, question any) error {
	if ok, _ := h.asking.AllowAddress(h.Machine(), h.ClientIP(r)); !ok {
		return errTooOften
	}
	data, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("write a question: %w", err)
	}
	secret, err := h.Store.Ask(r.Context(), kind, account, data, staff.HalfLength)
	if err != nil {
		return fmt.Errorf("keep a question: %w", err)
	}
	http.SetCookie(w, &http.Cookie{Name: h.stepCookie(), Value: secret, Path: "/", MaxAge: int(staff.HalfLength.Seconds()), HttpOnly: true, Secure: h.Secure, SameSite: http.SameSiteLaxMode})
	return nil
}

// asked gives back the question that this browser answers, once; [staff.ErrSignIn] if there is none.
func (h *Handler) asked(w http.ResponseWriter, r *http.Request, kind string, account staff.AccountID, question any) error {
	c, err := r.Cookie(h.stepCookie())
	if err != nil {
		return staff.ErrSignIn
	}
	http.SetCookie(w, &http.Cookie{Name: h.stepCookie(), Path: "/", MaxAge: -1, HttpOnly: true, Secure: h.Secure, SameSite: http.SameSiteLaxMode})
	data, err := h.Store.Asked(r.Context(), kind, account, c.Value)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, question)
}

// askPasskey begins a sign-in with a passkey: the device knows whose.
func (h *Handler) askPasskey(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	if h.keys == nil {
		return staff.ErrNotFound
	}
	question, state, err := h.keys.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return fmt.Errorf("ask for a passkey: %w", err)
	}
	if err := h.ask(w, r, askToShow, 0, state); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, question)
}

// passkeySignIn takes the answer. A passkey alone is enough.
func (h *Handler) passkeySignIn(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	if h.keys == nil {
		return staff.ErrNotFound
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	owner, err := h.checkPasskey(w, r)
	if errors.Is(err, staff.ErrSignIn) {
		if err := h.refused(r, owner, "passkey"); err != nil {
			return err
		}
		h.showSignIn(w, r, http.StatusUnprocessableEntity, "", "", []ui.FieldError{{Sentence: "The passkey was not accepted. Try again, or sign in with your password"}})
		return nil
	}
	if err != nil {
		return err
	}
	return h.enter(w, r, owner, staff.Passkey, r.PostFormValue("next"))
}

// checkPasskey answers [staff.ErrSignIn] for whatever is wrong with the answer, with the account that was meant if there is one.
func (h *Handler) checkPasskey(w http.ResponseWriter, r *http.Request) (staff.Account, error) {
	var state webauthn.SessionData
	if err := h.asked(w, r, askToShow, 0, &state); err != nil {
		return staff.Account{}, err
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes([]byte(r.PostFormValue("credential")))
	if err != nil {
		return staff.Account{}, staff.ErrSignIn
	}
	var owner keyOwner
	var ours error
	_, credential, err := h.keys.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		if len(handle) != 8 {
			return nil, staff.ErrSignIn
		}
		if owner, ours = h.keyOwner(r, staff.AccountID(binary.BigEndian.Uint64(handle))); ours != nil {
			return nil, ours
		}
		return owner, nil
	}, state, answer)
	if ours != nil && !errors.Is(ours, staff.ErrNotFound) {
		return staff.Account{}, fmt.Errorf("find the owner of a passkey: %w", ours)
	}
	// A counter that went back means that the key exists twice.
	if err != nil || owner.Disabled || credential.Authenticator.CloneWarning {
		return owner.Account, staff.ErrSignIn
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return owner.Account, fmt.Errorf("write a passkey: %w", err)
	}
	return owner.Account, h.Store.UsePasskey(r.Context(), staff.PasskeyRecord{ID: credential.ID, Account: owner.ID, Credential: data})
}

// offerPasskey begins to make a passkey.
func (h *Handler) offerPasskey(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if h.keys == nil || !h.fresh(s) {
		return staff.ErrDenied // the page has said so before
	}
	owner, err := h.keyOwner(r, s.Account.ID)
	if err != nil {
		return fmt.Errorf("read the passkeys: %w", err)
	}
	var have []protocol.CredentialDescriptor
	for _, c := range owner.WebAuthnCredentials() {
		have = append(have, c.Descriptor())
	}
	question, state, err := h.keys.BeginRegistration(owner, webauthn.WithExclusions(have))
	if err != nil {
		return fmt.Errorf("ask for a new passkey: %w", err)
	}
	if err := h.ask(w, r, askToMake, owner.ID, state); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, question)
}

func (h *Handler) addPasskey(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if h.keys == nil {
		return staff.ErrNotFound
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	refuse := invalid{{Sentence: "The passkey was not accepted. Go back and try again."}}
	var state webauthn.SessionData
	if err := h.asked(w, r, askToMake, s.Account.ID, &state); errors.Is(err, staff.ErrSignIn) {
		return refuse
	} else if err != nil {
		return err
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes([]byte(r.PostFormValue("credential")))
	if err != nil {
		return refuse
	}
	credential, err := h.keys.CreateCredential(keyOwner{Account: s.Account}, state, answer)
	if err != nil || !credential.Flags.UserVerified {
		return refuse
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return fmt.Errorf("write a passkey: %w", err)
	}
	name := cmp.Or(cut(strings.TrimSpace(r.PostFormValue("name")), 40), browserName(r.UserAgent()))
	if err := h.Store.AddPasskey(r.Context(), s.Account, s.ID, staff.PasskeyRecord{ID: credential.ID, Name: name, Credential: data}); err != nil {
		return fmt.Errorf("keep a passkey: %w", err)
	}
	return h.factorSet(w, r, s, staff.Passkey, "passkey")
}

// cut shortens to n characters at most.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

func (h *Handler) removePasskey(w http.ResponseWriter, r *http.Request, s staff.Session) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	if !h.fresh(s) {
		return h.signInAgain(w, r)
	}
	id, err := base64.RawURLEncoding.DecodeString(r.PostFormValue("id"))
	if err != nil {
		return staff.ErrNotFound
	}
	if err := h.Store.RemovePasskey(r.Context(), s.Account, s.ID, id, !h.Demo); err != nil {
		return err
	}
	http.Redirect(w, r, accountPath+"?done=removed", http.StatusSeeOther)
	return nil
}
