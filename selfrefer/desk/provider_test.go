package desk

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// issuer is an OpenID Connect provider on this computer: it checks what a real one checks, and signs for real.
type issuer struct {
	tb     testing.TB
	server *httptest.Server
	key    *rsa.PrivateKey
	now    func() time.Time
	claims map[string]any              // of who signs in next
	tamper func(claims map[string]any) // before it signs
	signer *rsa.PrivateKey             // nil: its own key
	codes  map[string]url.Values       // code -> what was asked
}

const clientSecret = "the client's secret"

func newIssuer(t *testing.T, now func() time.Time) *issuer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{tb: t, key: key, now: now, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": i.server.URL, "authorization_endpoint": i.server.URL + "/authorize", "token_endpoint": i.server.URL + "/token", "jwks_uri": i.server.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}}})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		back, err := url.Parse(q.Get("redirect_uri"))
		if err != nil || q.Get("response_type") != "code" || q.Get("client_id") != "wellpaced" || q.Get("state") == "" || q.Get("nonce") == "" || q.Get("code_challenge_method") != "S256" ||
			!strings.Contains(q.Get("scope"), "openid") || back.Path != providerPath+"/callback" {
			http.Error(w, "what was asked is not right", http.StatusBadRequest)
			return
		}
		code := rand.Text()
		i.codes[code] = q
		back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
		http.Redirect(w, r, back.String(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		asked, known := i.codes[r.FormValue("code")]
		delete(i.codes, r.FormValue("code"))
		id, secret, _ := r.BasicAuth()
		challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if secret, _ = url.QueryUnescape(secret); !known || id != "wellpaced" || secret != clientSecret || b64(challenge[:]) != asked.Get("code_challenge") || r.FormValue("redirect_uri") != asked.Get("redirect_uri") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		claims := map[string]any{"iss": i.server.URL, "aud": "wellpaced", "sub": "subject 1", "nonce": asked.Get("nonce"), "iat": i.now().Unix(), "exp": i.now().Add(5 * time.Minute).Unix()}
		for k, v := range i.claims {
			claims[k] = v
		}
		if i.tamper != nil {
			i.tamper(claims)
		}
		answer(w, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": i.sign(claims)})
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *issuer) sign(claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		i.tb.Fatal(err)
	}
	text := b64([]byte(`{"alg":"RS256","kid":"1","typ":"JWT"}`)) + "." + b64(body)
	sum, key := sha256.Sum256([]byte(text)), i.key
	if i.signer != nil {
		key = i.signer
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		i.tb.Fatal(err)
	}
	return text + "." + b64(signature)
}

// visit goes from the sign-in page to the provider and comes back with where it sends the browser.
func (i *issuer) visit(tab *tab) (callback string) {
	i.tb.Helper()
	out := tab.get(providerPath + "?next=" + url.QueryEscape(queuePath))
	to := out.header.Get("Location")
	if out.status != 303 || !strings.HasPrefix(to, i.server.URL+"/authorize?") {
		i.tb.Fatalf("to the provider: %d %s", out.status, to)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(to)
	if err != nil {
		i.tb.Fatal(err)
	}
	_ = answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		i.tb.Fatalf("from the provider: %d %v", answer.StatusCode, err)
	}
	return back.RequestURI()
}

func TestProvider(t *testing.T) {
	b := newBench(t)
	b.desk.Demo = false
	i := newIssuer(t, b.wall)
	use := func(c Provider) {
		t.Helper()
		var err error
		if b.desk.provider, err = newProvider(c, b.desk.PublicURL, b.wall); err != nil {
			t.Fatal(err)
		}
	}
	config := Provider{Issuer: i.server.URL, ClientID: "wellpaced", ClientSecret: clientSecret}
	use(config)
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	b.tab("office").get(signInPath).holds(t, 200, "Sign in with your organisation")
	come := func(claims map[string]any) (*tab, reply) {
		t.Helper()
		i.claims = claims
		tab := b.tab("office")
		return tab, tab.get(i.visit(tab))
	}
	vouched := func(a staff.Account, more ...any) map[string]any {
		claims := map[string]any{"email": strings.ToUpper(a.Email), "email_verified": true, "sub": "subject of " + a.Email}
		for i := 0; i < len(more); i += 2 {
			claims[more[i].(string)] = more[i+1]
		}
		return claims
	}

	// Who was asked for a second factor there is in; who was not is asked here.
	tab, got := come(vouched(lin, "amr", []string{"pwd", "mfa"}))
	got.goes(t, queuePath)
	tab.get(queuePath).holds(t, 200)
	tab, got = come(vouched(sam, "amr", []string{"pwd"}))
	got.goes(t, setUpPath)
	tab.setUpApp()
	_, got = come(vouched(sam))
	got.goes(t, codePath+"?next=%2Fdesk%2Fqueue")

	// Who is not let in.
	for name, c := range map[string]struct {
		claims map[string]any
		words  string
	}{
		"no account":             {map[string]any{"email": "stranger@example.org", "email_verified": true}, "You have no account here"},
		"not verified":           {vouched(lin, "email_verified", false), "does not vouch"},
		"not said to be":         {vouched(lin, "email_verified", nil), "does not vouch"},
		"no address":             {map[string]any{"email_verified": true}, "does not vouch"},
		"another person by then": {vouched(lin, "sub", "somebody else"), "You have no account here"},
	} {
		before := b.noteworthy("provider")
		tab, got := come(c.claims)
		got.holds(t, 422, c.words)
		if tab.cookies["desk"] != "" || b.noteworthy("provider") != before+1 {
			t.Errorf("%s: in %v, %d lines in the audit", name, tab.cookies["desk"] != "", b.noteworthy("provider")-before)
		}
	}
	use(Provider{Issuer: i.server.URL, ClientID: "wellpaced", ClientSecret: clientSecret, TrustEmail: true})
	_, got = come(vouched(lin, "email_verified", nil, "amr", []string{"mfa"}))
	got.goes(t, queuePath)
	_, got = come(vouched(lin, "email_verified", false, "amr", []string{"mfa"}))
	got.holds(t, 422, "does not vouch")
	use(config)

	// What is forged, late, stolen or played again.
	const again = "did not succeed"
	for name, tamper := range map[string]func(map[string]any){
		"another nonce":  func(c map[string]any) { c["nonce"] = "guess" },
		"another client": func(c map[string]any) { c["aud"] = "another site" },
		"another issuer": func(c map[string]any) { c["iss"] = "https://evil.example" },
		"over":           func(c map[string]any) { c["exp"] = b.wall().Add(-time.Second).Unix() },
		"another key":    func(map[string]any) { i.signer, _ = rsa.GenerateKey(rand.Reader, 2048) },
	} {
		i.tamper = tamper
		tab, got := come(vouched(lin, "amr", []string{"mfa"}))
		if got.status != 422 || !strings.Contains(got.body, again) || tab.cookies["desk"] != "" {
			t.Errorf("%s: %d, in %v", name, got.status, tab.cookies["desk"] != "")
		}
	}
	i.tamper, i.signer, i.claims = nil, nil, vouched(lin, "amr", []string{"mfa"})
	tab = b.tab("office")
	callback := i.visit(tab)
	b.tab("another browser").get(callback).holds(t, 422, again) // somebody is made to follow another's link
	u, _ := url.Parse(callback)
	tab.get(u.Path+"?code="+u.Query().Get("code")+"&state=guess").holds(t, 422, again)
	tab.get(callback).holds(t, 422, again) // the question is answered, wrongly
	tab = b.tab("office")
	callback = i.visit(tab)
	cookie := tab.cookies["desk-step"]
	tab.get(callback).goes(t, queuePath)
	tab.cookies["desk-step"] = cookie
	tab.get(callback).holds(t, 422, again)
	tab = b.tab("office")
	u, _ = url.Parse(i.visit(tab))
	tab.get(u.Path+"?error=access_denied&state="+u.Query().Get("state")).holds(t, 422, again) // who thinks better of it there
	tab = b.tab("office")
	callback = i.visit(tab)
	b.pass(staff.HalfLength)
	tab.get(callback).holds(t, 422, again)
	use(Provider{Issuer: i.server.URL, ClientID: "wellpaced", ClientSecret: "another"})
	_, got = come(vouched(lin, "amr", []string{"mfa"}))
	got.holds(t, 422, again)

	// Away: people are told, and the password still works.
	use(Provider{Issuer: "http://127.0.0.1:1", ClientID: "wellpaced", ClientSecret: "x"})
	b.tab("office").get(providerPath).holds(t, 502, "cannot be reached")
	b.tab("office").signIn(lin).goes(t, setUpPath)
	if log := b.log.String(); strings.Contains(log, lin.Email) || strings.Contains(log, clientSecret) {
		t.Error("the log holds an address or a secret")
	}
	for _, bad := range []Provider{{Issuer: "login.example"}, {Issuer: "https://login.example"}, {ClientID: "x"}} {
		if _, err := newProvider(bad, b.desk.PublicURL, b.wall); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	use(config)
	for range 40 {
		got = b.tab("192.0.2.9").get(providerPath)
	}
	if got.status != 429 {
		t.Errorf("one address begins 40 times in a minute: %d", got.status)
	}
}

// noteworthy counts who was not let in by a way, with or without a known account.
func (b *bench) noteworthy(target string) (n int) {
	b.tb.Helper()
	for _, network := range []staff.NetworkID{0, b.net.ID} {
		entries, _, err := b.db.AuditEntries(context.Background(), network, 0, 10_000)
		if err != nil {
			b.tb.Fatal(fmt.Errorf("read the audit: %w", err))
		}
		for _, e := range entries {
			if e.Action == "session.start" && e.Target == target && e.Outcome == "denied" {
				n++
			}
		}
	}
	return n
}
