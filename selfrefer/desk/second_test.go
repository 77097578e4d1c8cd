package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// tab is a browser without scripts: it keeps cookies and follows nothing.
type tab struct {
	b       *bench
	address string
	cookies map[string]string
}

func (b *bench) tab(address string) *tab { return &tab{b, address, map[string]string{}} }

func (t *tab) send(method, path, body string, header ...string) reply {
	t.b.tb.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Test-Address", t.address)
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for name, value := range t.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got := t.b.do(req)
	for _, c := range (&http.Response{Header: got.header}).Cookies() {
		if c.MaxAge < 0 {
			delete(t.cookies, c.Name)
		} else {
			t.cookies[c.Name] = c.Value
		}
	}
	return got
}

func (t *tab) get(path string) reply { t.b.tb.Helper(); return t.send("GET", path, "") }
func (t *tab) post(path string, pairs ...string) reply {
	t.b.tb.Helper()
	return t.send("POST", path, form(pairs...))
}

// goes checks where an answer leads.
func (r reply) goes(tb testing.TB, to string) {
	tb.Helper()
	if r.status != 303 || r.header.Get("Location") != to {
		tb.Errorf("%d to %q, want 303 to %q: %.200s", r.status, r.header.Get("Location"), to, r.body)
	}
}

func (t *tab) signIn(a staff.Account) reply {
	t.b.tb.Helper()
	return t.post(signInPath, "email", a.Email, "password", testPassword, "next", queuePath)
}

var typedKey = regexp.MustCompile(`Type this key into the app: <strong>([A-Z2-7 ]+)</strong>`)

// setUpApp sets an app up in a tab that may, and returns its secret and the recovery codes that were shown.
func (t *tab) setUpApp() (secret string, codes []string) {
	t.b.tb.Helper()
	t.post(appPath, "do", "offer").goes(t.b.tb, appPath)
	page := t.get(appPath)
	page.holds(t.b.tb, 200, "<svg role=\"img\"", "viewBox")
	m := typedKey.FindStringSubmatch(page.body)
	if m == nil {
		t.b.tb.Fatalf("no key on the page: %s", page.body)
	}
	secret = strings.ReplaceAll(m[1], " ", "")
	done := t.post(appPath, "do", "confirm", "code", t.b.codeOf(secret, 0))
	for _, c := range regexp.MustCompile(`<code>([a-z2-7-]{14})</code>`).FindAllStringSubmatch(done.body, -1) {
		codes = append(codes, c[1])
	}
	return secret, codes
}

// codeOf is what an app shows, so many steps from now.
func (b *bench) codeOf(secret string, steps int) string {
	return must(totp.GenerateCode(secret, b.wall().Add(time.Duration(steps)*stepLength)))(b.tb)
}

func TestSecondFactorIsRequired(t *testing.T) {
	b := newBench(t)
	b.desk.Demo = false
	lin := b.who[staff.LinkWorker]
	tab := b.tab("office")
	tab.signIn(lin).goes(t, setUpPath)
	tab.get(setUpPath).holds(t, 200, "Protect your account", "Sign out")
	// Before it is set up there is nothing else: no page, no call, no change of the account.
	for _, e := range b.desk.routes() {
		path := strings.NewReplacer("{id}", "1", "{account}", "1", "{team}", "1", "{event}", "claim", "{part}", "help", "{entry}", "new", "{correction}", "1", "{secret}", "x").Replace(e.pattern)
		if stageFor(path) != whole {
			continue
		}
		got := tab.send(e.method, path, "")
		switch {
		case isAPI(httptest.NewRequest("GET", path, nil)):
			if got.status != 401 {
				t.Errorf("%s %s before the set-up: %d", e.method, path, got.status)
			}
		case got.status != 303 || !strings.HasPrefix(got.header.Get("Location"), setUpPath):
			t.Errorf("%s %s before the set-up: %d to %s", e.method, path, got.status, got.header.Get("Location"))
		}
	}
	tab.post(appPath, "do", "offer")
	tab.post(appPath, "do", "confirm", "code", "000000").holds(t, 422, "This code is not right")
	other := b.tab("another office")
	other.signIn(lin)
	before := tab.cookies["desk"]
	secret, codes := tab.setUpApp()
	if len(codes) != 10 || tab.cookies["desk"] == before {
		t.Errorf("%d recovery codes; a new session: %v", len(codes), tab.cookies["desk"] != before)
	}
	tab.get(queuePath).holds(t, 200)
	other.get(setUpPath).goes(t, signInPath) // who was on the way elsewhere begins again
	if strings.Contains(tab.get(accountPath).body, codes[0]) {
		t.Error("recovery codes are shown again")
	}

	// From now on: password, then code. The password alone opens nothing, and adds no factor.
	b.pass(2 * stepLength)
	tab = b.tab("office")
	tab.signIn(lin).goes(t, codePath+"?next=%2Fdesk%2Fqueue")
	for _, path := range []string{queuePath, accountPath, setUpPath, appPath, homePath} {
		if got := tab.get(path); got.status != 303 || !strings.HasPrefix(got.header.Get("Location"), codePath) {
			t.Errorf("half-way to %s: %d to %s", path, got.status, got.header.Get("Location"))
		}
	}
	for _, path := range []string{appPath, keysPath, keysPath + "/new", codesPath} {
		if got := tab.post(path, "do", "offer"); got.status != 303 || !strings.HasPrefix(got.header.Get("Location"), codePath) {
			t.Errorf("half-way POST %s: %d to %s", path, got.status, got.header.Get("Location"))
		}
	}
	if got := tab.send("GET", queuePath, "", "HX-Request", "true"); got.header.Get("HX-Redirect") != codePath {
		t.Errorf("half-way poll: %v", got.header)
	}
	if got := tab.get("/api/v1/referrals"); got.status != 401 {
		t.Errorf("half-way call: %d", got.status)
	}
	tab.get(codePath).holds(t, 200, "authenticator app")
	tab.post(codePath, "code", "").holds(t, 422, "Enter the code")
	tab.post(codePath, "code", b.codeOf(secret, -2)).holds(t, 422, "not right")
	tab.post(codePath, "code", b.codeOf(secret, 2)).holds(t, 422, "not right")
	code := b.codeOf(secret, 1) // a telephone that is half a minute fast
	tab.post(codePath, "code", code[:3]+" "+code[3:], "next", queuePath).goes(t, queuePath)
	tab.get(queuePath).holds(t, 200)
	again := b.tab("office")
	again.signIn(lin)
	again.post(codePath, "code", code).holds(t, 422, "has been used already")
	again.post(codePath, "code", b.codeOf(secret, 0)).holds(t, 422, "has been used already") // nor one from before it
	again.post(codePath, "recovery", "aaaa-bbbb-cccc").holds(t, 422, "not right")
	again.post(codePath, "recovery", strings.ToUpper(codes[3])).goes(t, accountPath+"?done=recovery")
	again.get(accountPath+"?done=recovery").holds(t, 200, "9 are left")
	third := b.tab("office")
	third.signIn(lin)
	third.post(codePath, "recovery", codes[3]).holds(t, 422, "not right")

	// Between the password and the code there are ten minutes.
	b.pass(staff.HalfLength)
	third.post(codePath, "code", b.codeOf(secret, 0)).goes(t, signInPath)

	// Guessing codes is slow, for whoever guesses.
	thief := b.tab("attacker")
	thief.signIn(lin)
	var last reply
	for range freeFailures + 1 {
		last = thief.post(codePath, "code", "123456")
	}
	last.holds(t, 429, "Too many wrong tries")
	tab = b.tab("office")
	tab.signIn(lin)
	tab.post(codePath, "code", b.codeOf(secret, 0), "next", queuePath).goes(t, queuePath)
	if strings.Contains(b.log.String(), secret) || strings.Contains(b.log.String(), codes[0]) {
		t.Error("the log holds a secret")
	}
}

func TestSecondFactorInTheDemo(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	tab := b.tab("home")
	tab.signIn(lin).goes(t, queuePath)
	tab.setUpApp()
	b.pass(stepLength)
	tab = b.tab("home")
	tab.signIn(lin).goes(t, codePath+"?next=%2Fdesk%2Fqueue") // who has one shows it
	b.pass(11 * time.Hour)
	vera := b.tab("home")
	vera.signIn(b.who[staff.Volunteer])
	b.pass(staff.SessionLength - time.Second)
	vera.get(queuePath).holds(t, 200) // nobody is thrown out of a demo for looking away
	b.pass(time.Second)
	vera.get(queuePath).goes(t, signInPath+"?next=%2Fdesk%2Fqueue")
}

func TestOwnAccount(t *testing.T) {
	b := newBench(t)
	b.desk.Demo = false
	lin := b.who[staff.LinkWorker]
	tab := b.tab("office")
	tab.signIn(lin)
	secret, codes := tab.setUpApp()
	b.pass(stepLength)
	elsewhere := b.tab("home")
	elsewhere.signIn(lin)
	tab.get(accountPath).holds(t, 200, "Firefox on Linux, where only the password was entered")
	come := func() {
		t.Helper()
		b.pass(stepLength)
		elsewhere.signIn(lin)
		elsewhere.post(codePath, "code", b.codeOf(secret, 0), "next", queuePath).goes(t, queuePath)
	}
	come()
	b.token(lin)
	page := tab.get(accountPath)
	page.holds(t, 200, "Firefox on Linux", "(this one)", "Token “test” for programs", "An app is set up", "You have 10 left", lin.Email)
	if n := strings.Count(page.body, "Firefox on Linux</strong>"); n != 2 {
		t.Errorf("%d browsers are listed", n)
	}
	ids := regexp.MustCompile(`name="id" value="([0-9a-f]{64})"`).FindAllStringSubmatch(page.body, -1)
	if len(ids) != 3 {
		t.Fatalf("%d sessions", len(ids))
	}
	stranger := b.tab("x")
	stranger.signIn(b.who[staff.SeniorLinkWorker])
	stranger.setUpApp()
	for _, id := range ids {
		stranger.post(sessionsPath, "id", id[1]).holds(t, 404)
	}
	elsewhere.get(queuePath).holds(t, 200)
	tab.post(sessionsPath, "id", "others").goes(t, accountPath+"?done=others")
	elsewhere.get(queuePath).goes(t, signInPath+"?next=%2Fdesk%2Fqueue")
	if got := b.send(lin, "GET", "/api/v1/referrals", ""); got.status != 401 {
		t.Errorf("the token goes on: %d", got.status)
	}

	// A new password: asked for the old one, slow to guess, and everybody else is out.
	come()
	tab.post(passwordPath, "old", "wrong wrong wrong", "new", "gull kettle seven").holds(t, 422, "The password until now is not right")
	tab.post(passwordPath, "old", testPassword, "new", "password1234").holds(t, 422, "tried first")
	tab.post(passwordPath, "old", testPassword, "new", "gull kettle seven").goes(t, accountPath+"?done=password")
	elsewhere.get(queuePath).goes(t, signInPath+"?next=%2Fdesk%2Fqueue")
	elsewhere.signIn(lin).holds(t, 422, "not right")
	tab.get(queuePath).holds(t, 200)

	// The last factor stays, and new codes void the old ones.
	tab.post(appPath, "do", "remove").holds(t, 409, "only second factor")
	made := tab.post(codesPath)
	made.holds(t, 200, "They are not shown again")
	if strings.Contains(made.body, codes[0]) {
		t.Error("new codes are the old ones")
	}
	if _, err := b.db.UseRecoveryCode(context.Background(), lin.ID, codes[0]); err == nil {
		t.Error("an old recovery code works")
	}

	// An open screen is no key: after a quarter of an hour it takes another sign-in to change how one signs in.
	b.pass(freshFor)
	for path, do := range map[string]string{appPath: "offer", codesPath: "", keysPath + "/remove": ""} {
		tab.post(path, "do", do, "id", "aaaa").holds(t, 403, "Sign in again")
	}
	tab.post(keysPath).holds(t, 403)
	tab.post(signOutPath+"?next="+accountPath).goes(t, signInPath+"?done=out&next=%2Fdesk%2Faccount")

	// Out of use for an hour, it ends; a page that asks by itself is no use.
	b.pass(stepLength)
	tab.post(signInPath, "email", lin.Email, "password", "gull kettle seven")
	tab.post(codePath, "code", b.codeOf(secret, 0)).goes(t, homePath)
	for i := range 6 {
		b.pass(10 * time.Minute)
		poll := tab.send("GET", queuePath, "", "HX-Request", "true")
		if over := poll.header.Get("HX-Redirect") == signInPath; over != (i == 5) {
			t.Errorf("over after %d minutes: %v", 10*(i+1), over)
		}
	}
	tab.get(queuePath).goes(t, signInPath+"?next=%2Fdesk%2Fqueue")
	page = stranger.get(accountPath)
	page.goes(t, signInPath+"?next="+strings.ReplaceAll(accountPath, "/", "%2F"))
}

func TestInviteAndManage(t *testing.T) {
	b := newBench(t)
	ada, lin := b.who[staff.Administrator], b.who[staff.LinkWorker]
	tab := b.tab("office")
	tab.signIn(ada)
	tab.get(staffPath).holds(t, 200, "Lin Okafor", "Never signed in", "Senior link worker")
	if strings.Contains(tab.get(staffPath).body, "@1.example") {
		t.Error("accounts of the other network are listed")
	}
	tab.post(staffPath, "email", "not an address", "name", "", "role", "king").holds(t, 422, "Enter an e-mail address", "Enter their full name", "Choose a role")
	tab.post(staffPath, "email", "nell@0.example", "name", "Nell New", "role", "link_worker", "team", fmt.Sprint(int64(b.team.ID+1))).holds(t, 422, "Choose a team")
	tab.post(staffPath, "email", lin.Email, "name", "Lin", "role", "administrator").holds(t, 422, "an account with this e-mail address already")
	page := tab.post(staffPath, "email", "nell@0.example", "name", "Nell New", "role", "link_worker", "team", fmt.Sprint(int64(b.team.ID)))
	page.holds(t, 200, "It is not shown again")
	link := regexp.MustCompile(`http://[^<\s]+(/desk/invitations/[\w-]{27})`).FindStringSubmatch(page.body)
	if link == nil {
		t.Fatalf("no link: %s", page.body)
	}
	tab.get(staffPath).holds(t, 200, "Nell New", "Invited")

	b.desk.Demo = false
	nell := b.tab("hers")
	nell.get(link[1]).holds(t, 200, "Welcome, Nell New", "nell@0.example")
	nell.get(link[1]).holds(t, 200) // a preview of the link uses nothing up
	nell.post(link[1], "password", "short").holds(t, 422, "at least 12 characters")
	nell.post(link[1], "password", "gull kettle seven").goes(t, setUpPath)
	b.tab("thief").post(link[1], "password", "another one entirely").holds(t, 410, "has been used")
	if _, codes := nell.setUpApp(); len(codes) != 10 {
		t.Errorf("%d recovery codes", len(codes))
	}
	nell.get(queuePath).holds(t, 200)

	b.desk.Demo = true // for the administrator, who has no factor in this test
	a, _, err := b.db.AccountByEmail(context.Background(), "nell@0.example")
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprint(staffPath, "/", a.ID)
	tab.get(at).holds(t, 200, "Authenticator app", "1 session")
	tab.post(at, "do", "end").goes(t, at+"?done=end")
	nell.get(queuePath).goes(t, signInPath+"?next=%2Fdesk%2Fqueue")
	tab.post(at, "do", "disable").goes(t, at+"?done=disable")
	nell.post(signInPath, "email", "nell@0.example", "password", "gull kettle seven").holds(t, 422, "not right")
	tab.post(at, "do", "invite").holds(t, 409, "disabled")
	tab.post(at, "do", "enable").goes(t, at+"?done=enable")
	nell.post(signInPath, "email", "nell@0.example", "password", "gull kettle seven").goes(t, codePath+"?next=%2Fdesk")
	tab.post(at, "do", "reset").holds(t, 200, "/desk/invitations/")
	nell.post(signInPath, "email", "nell@0.example", "password", "gull kettle seven").holds(t, 422, "not right")
	tab.post(at, "do", "dance").holds(t, 404)
	for _, do := range []string{"disable", "reset", "end", "invite"} {
		tab.post(fmt.Sprint(staffPath, "/", ada.ID), "do", do).holds(t, 409, "your own account")
	}
	if strings.Contains(b.log.String(), "nell@") {
		t.Error("the log holds an address")
	}
}

func TestBrowserName(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":        "Samsung Internet on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                   "Chrome on Mac",
		"curl/8": "a browser", "": "a browser", "<script>": "a browser",
	} {
		if got := browserName(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
