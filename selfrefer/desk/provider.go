package desk

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Provider signs people in by OpenID Connect: the organisation's own, such as Entra ID.
type Provider struct {
	Issuer, ClientID, ClientSecret string
	// TrustEmail takes an e-mail address that the provider does not say it has verified. Some, Entra ID among them, never say so; that is
	// safe if all accounts of the issuer are one organisation's own.
	TrustEmail bool
}

// provider is a Provider in use. It is asked about itself at the first sign-in, so that the site starts without it.
type provider struct {
	Provider
	redirect string
	machine  func() time.Time
	client   *http.Client

	mu    sync.Mutex
	known *oidc.Provider
}

func newProvider(c Provider, publicURL string, machine func() time.Time) (*provider, error) {
	if c == (Provider{}) {
		return nil, nil
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || c.ClientID == "" || publicURL == "" {
		return nil, errors.New("the sign-in provider needs an issuer like https://login.example.org, a client id, and the site's public URL")
	}
	return &provider{Provider: c, redirect: strings.TrimSuffix(publicURL, "/") + providerPath + "/callback", machine: machine, client: &http.Client{Timeout: 10 * time.Second}}, nil
}

// oauth is how to talk to the provider, and its keys.
func (p *provider) oauth(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		// Its keys are fetched with this context for as long as the program runs: it must not end with the request.
		known, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask the sign-in provider about itself: %w", err)
		}
		p.known = known
	}
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: p.known.Endpoint(), RedirectURL: p.redirect, Scopes: []string{oidc.ScopeOpenID, "email", "profile"}},
		p.known.Verifier(&oidc.Config{ClientID: p.ClientID, Now: p.machine}), nil
}

// visit is what a browser takes along to the provider, and has to bring back.
type visit struct{ State, Nonce, Verifier, Next string }

// toProvider sends somebody to the provider. It is a link, not a form: a form may lead to no other site.
func (h *Handler) toProvider(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	if h.provider == nil {
		return staff.ErrNotFound
	}
	config, _, err := h.provider.oauth(r.Context())
	if err != nil {
		return h.providerAway(w, r, err)
	}
	v := visit{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: safeNext(r.FormValue("next"))}
	if err := h.ask(w, r, askAtHome, 0, v); err != nil {
		return err
	}
	http.Redirect(w, r, config.AuthCodeURL(v.State, oidc.Nonce(v.Nonce), oauth2.S256ChallengeOption(v.Verifier)), http.StatusSeeOther)
	return nil
}

// providerAway says that the provider cannot be reached; the password still works.
func (h *Handler) providerAway(w http.ResponseWriter, r *http.Request, err error) error {
	h.Log.WarnContext(r.Context(), "the sign-in provider does not answer as it should", "err", err)
	h.showSignIn(w, r, http.StatusBadGateway, "", "", []ui.FieldError{{Sentence: "Your organisation’s sign-in cannot be reached. Try again later, or sign in here"}})
	return nil
}

// fromProvider takes in whom the provider vouches for, if they have an account.
func (h *Handler) fromProvider(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	if h.provider == nil {
		return staff.ErrNotFound
	}
	refuse := func(sentence string) error {
		if err := h.refused(r, staff.Account{}, "provider"); err != nil {
			return err
		}
		h.showSignIn(w, r, http.StatusUnprocessableEntity, "", "", []ui.FieldError{{Sentence: sentence}})
		return nil
	}
	const again = "Your organisation’s sign-in did not succeed. Try again"
	var v visit
	switch err := h.asked(w, r, askAtHome, 0, &v); {
	case errors.Is(err, staff.ErrSignIn):
		return refuse(again)
	case err != nil:
		return err
	}
	if subtle.ConstantTimeCompare([]byte(v.State), []byte(r.URL.Query().Get("state"))) != 1 || r.URL.Query().Get("code") == "" {
		return refuse(again)
	}
	config, verifier, err := h.provider.oauth(r.Context())
	if err != nil {
		return h.providerAway(w, r, err)
	}
	ctx := oidc.ClientContext(r.Context(), h.provider.client)
	token, err := config.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(v.Verifier))
	if err != nil {
		var said *oauth2.RetrieveError
		if errors.As(err, &said) { // what it says may quote what was sent
			return refuse(again)
		}
		return h.providerAway(w, r, errors.New("it does not exchange the code for a token"))
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := verifier.Verify(ctx, raw)
	if err != nil || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(v.Nonce)) != 1 {
		return refuse(again)
	}
	var claims struct {
		Email    string   `json:"email"`
		Verified any      `json:"email_verified"` // some write it as a word
		Methods  []string `json:"amr"`
	}
	if err := id.Claims(&claims); err != nil {
		return refuse(again)
	}
	verified := claims.Verified == true || claims.Verified == "true" || claims.Verified == nil && h.provider.TrustEmail
	if claims.Email == "" || !verified {
		return refuse("Your organisation does not vouch for your e-mail address. Ask whoever runs its sign-in")
	}
	a, err := h.Store.AccountOfProvider(r.Context(), claims.Email, id.Issuer+" "+id.Subject)
	if errors.Is(err, staff.ErrSignIn) {
		return refuse("You have no account here. Ask an administrator of your network for an invitation")
	}
	if err != nil {
		return fmt.Errorf("find the account: %w", err)
	}
	// The provider stands for the password; for the second factor too if it says that it has asked for one (RFC 8176).
	factor := staff.NoFactor
	if slices.Contains(claims.Methods, "mfa") {
		factor = staff.Provider
	}
	return h.enter(w, r, a, factor, v.Next)
}
