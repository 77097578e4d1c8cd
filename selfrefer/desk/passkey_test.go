package desk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// await polls a page that a script of its own moves on.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for range 200 {
		if happened() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("still not: %s", what)
}

// In a real browser with a device that keeps passkeys: set one up as the first second factor, sign in with nothing else, lose it.
func TestPasskey(t *testing.T) {
	browser := browsertest.Open(t)
	b := newBench(t)
	b.desk.Demo = false
	lin := b.who[staff.LinkWorker]
	at := strings.Replace(b.server.URL, "127.0.0.1", "localhost", 1)
	p := browser.Page()
	verifies := p.Authenticator(true)
	p.Goto(at + queuePath)
	p.Fill("#email", lin.Email)
	p.Fill("#password", testPassword)
	p.Follow("form[action='/desk/sign-in'] button")
	if p.URL() != at+setUpPath {
		t.Fatalf("at %s", p.URL())
	}
	p.Fill("#name", "work laptop")
	p.Click("form[data-wp-passkey=make] button")
	await(t, "recovery codes", func() bool { return strings.Contains(p.HTML(), "They are not shown again") })
	if n := strings.Count(p.HTML(), "<code>"); n != 10 {
		t.Errorf("%d recovery codes", n)
	}
	p.Goto(at + accountPath)
	if text := p.Text("main"); !strings.Contains(text, "work laptop, not used yet") || !strings.Contains(text, "You have 10 left") {
		t.Errorf("the account reads %s", text)
	}
	p.Click("form[data-wp-passkey=make] button") // the same device once more
	await(t, "a refusal", func() bool { return strings.Contains(p.Text("form[data-wp-passkey=make]"), "on this device already") })

	out := func() {
		t.Helper()
		p.Follow(".nhsuk-header__account-form button")
		p.Goto(at + signInPath + "?next=" + queuePath)
	}
	out()
	p.Click("form[data-wp-passkey=show] button")
	await(t, "signed in by a passkey alone", func() bool { return p.URL() == at+queuePath })
	sessions, err := b.db.Sessions(context.Background(), lin.ID)
	if err != nil || len(sessions) != 1 || sessions[0].Factor != staff.Passkey {
		t.Errorf("sessions %+v, %v", sessions, err)
	}

	// After the password it is the second factor.
	out()
	p.Fill("#email", lin.Email)
	p.Fill("#password", testPassword)
	p.Follow("form[action='/desk/sign-in'] button")
	if !strings.HasPrefix(p.URL(), at+codePath) || !strings.Contains(p.Text("main"), "passkeys only") {
		t.Fatalf("at %s: %s", p.URL(), p.Text("main"))
	}
	p.Click("form[data-wp-passkey=show] button")
	await(t, "signed in by a password and a passkey", func() bool { return p.URL() == at+queuePath })

	// A device that does not make sure of its owner is not enough.
	out()
	verifies(false)
	p.Click("form[data-wp-passkey=show] button")
	await(t, "not without the owner", func() bool { return strings.Contains(p.Text("form[data-wp-passkey=show]"), "No passkey was used") })
	verifies(true)

	// The same answer twice, an answer to nothing, and one to somebody else's question.
	stranger := b.tab("192.0.2.1")
	stranger.post(passkeyPath)
	stranger.post(passkeyPath+"/finish", "credential", `{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{}}`).holds(t, 422, "was not accepted")
	stranger.post(passkeyPath+"/finish", "credential", "{}").holds(t, 422, "was not accepted")

	// Disabled, the passkey opens nothing; nor once an administrator has taken it away.
	ada := b.who[staff.Administrator]
	if err := b.db.Disable(context.Background(), ada, lin.ID); err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		p.Goto(at + signInPath)
		p.Click("form[data-wp-passkey=show] button")
		await(t, what, func() bool { return strings.Contains(p.Text("main"), "The passkey was not accepted") })
	}
	refused("refused while disabled")
	if err := b.db.Enable(context.Background(), ada, lin.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.db.Reinvite(context.Background(), ada, lin.ID, true); err != nil {
		t.Fatal(err)
	}
	refused("refused after the reset")
}

func TestKeysNeedAName(t *testing.T) {
	for address, want := range map[string]string{"": "", "http://10.1.2.3": "", "http://127.0.0.1:8080": "localhost http://localhost:8080", "https://refer.example.nhs.uk": "refer.example.nhs.uk https://refer.example.nhs.uk"} {
		keys, err := newKeys(address)
		got := ""
		if keys != nil {
			got = keys.Config.RPID + " " + keys.Config.RPOrigins[0]
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", address, got, err, want)
		}
	}
}

// The pages of signing in and of accounts, on a desk and on a phone, and by the keyboard alone without scripts.
func TestAccountPages(t *testing.T) {
	browser := browsertest.Open(t)
	b := newBench(t)
	b.desk.Demo = false
	at := strings.Replace(b.server.URL, "127.0.0.1", "localhost", 1)
	ada, lin := b.who[staff.Administrator], b.who[staff.LinkWorker]
	enter := func(t *testing.T, p *browsertest.Page, a staff.Account) {
		t.Helper()
		p.Goto(at + signInPath)
		p.Fill("#email", a.Email)
		p.Fill("#password", testPassword)
		p.Follow("form[action='/desk/sign-in'] button")
	}
	appOf := func(t *testing.T, p *browsertest.Page) (secret string) {
		t.Helper()
		p.Follow("form[action='/desk/account/app'] button")
		return strings.ReplaceAll(p.Text("main p strong"), " ", "")
	}
	t.Run("first sign-in", func(t *testing.T) {
		p := browser.In(t).Page()
		p.Authenticator(true)
		enter(t, p, ada)
		p.CheckPage(at+setUpPath, "desk-set-up")
		secret := appOf(t, p)
		p.CheckPage(at+appPath, "desk-app")
		p.Fill("#code", "000000")
		p.Follow("form button.nhsuk-button")
		checkShown(p, "desk-app-error")
		p.Fill("#code", b.codeOf(secret, 0))
		p.Follow("form button.nhsuk-button")
		checkShown(p, "desk-codes")
		p.CheckPage(at+accountPath, "desk-account")
		p.CheckPage(at+passwordPath, "desk-password")
		p.CheckPage(at+staffPath, "desk-staff")
		p.CheckPage(at+staffPath+"/new", "desk-invite")
		p.CheckPage(fmt.Sprint(at, staffPath, "/", lin.ID), "desk-member")
		p.Goto(at + staffPath + "/new")
		p.Follow("main form button")
		checkShown(p, "desk-invite-error")
		p.Fill("#email", "nell@0.example")
		p.Fill("#name", "Nell New")
		p.Click("label[for=role-4]")
		p.Follow("main form button")
		checkShown(p, "desk-link")
		link := strings.TrimSpace(p.Text("#link"))
		if link == "" {
			link = strings.TrimSpace(betweenIn(p.HTML(), `id="link"`, ">", "</textarea>"))
		}
		link = strings.Replace(link, "127.0.0.1", "localhost", 1)
		browser.In(t).Page().CheckPage(link, "desk-invitation")
		browser.In(t).Page().CheckPage(at+signInPath, "desk-signin-passkey")

		b.pass(time.Hour - time.Second)
		p.Goto(at + accountPath)
		p.Follow("form[action='/desk/account/codes'] button")
		checkShown(p, "desk-again")

		b.pass(stepLength)
		half := browser.In(t).Page()
		enter(t, half, ada)
		half.CheckPage(at+codePath, "desk-code")
	})
	t.Run("keyboard, no scripts", func(t *testing.T) {
		p := browser.In(t).Page()
		p.NoScripts()
		enter(t, p, lin)
		if strings.Contains(p.Text("main"), "What to call it") {
			t.Error("a form is shown that does nothing without scripts")
		}
		secret := appOf(t, p)
		for range 30 {
			if p.Focused() == "input#code.nhsuk-input" {
				break
			}
			p.Press("Tab")
		}
		for _, figure := range b.codeOf(secret, 0) {
			p.Press(string(figure))
		}
		if status := p.FollowKey("Enter"); status != 200 || !strings.Contains(p.Text("main"), "They are not shown again") {
			t.Errorf("%d: %s", status, p.Text("main"))
		}
	})
}

// checkShown checks a page that is the answer to a form and cannot be opened again.
func checkShown(p *browsertest.Page, name string) {
	p.Phone()
	p.CheckSmall(name)
}

func betweenIn(s, after, from, to string) string {
	_, s, _ = strings.Cut(s, after)
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}
