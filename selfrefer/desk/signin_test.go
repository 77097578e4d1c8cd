package desk

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func TestPassword(t *testing.T) {
	hash := passwordHash()
	for _, c := range []struct {
		hash, password string
		want           bool
	}{
		{hash, testPassword, true},
		{hash, testPassword + " ", false},
		{hash, "", false},
		{"", "", false},
		{"", testPassword, false},
		{strings.Replace(hash, "argon2id", "argon2i", 1), testPassword, false},
		{strings.Replace(hash, "m=19456", "m=99999999", 1), testPassword, false},
		{strings.Replace(hash, "t=2", "t=0", 1), testPassword, false},
		{hash[:len(hash)-4], testPassword, false},
	} {
		if got := VerifyPassword(c.hash, c.password); got != c.want {
			t.Errorf("VerifyPassword(%q, %q) = %v", c.hash, c.password, got)
		}
	}
	if again, err := HashPassword(testPassword); err != nil || again == hash {
		t.Errorf("two hashes of one password are the same: %v", err)
	}
	for _, good := range []string{"gull kettle seven", "liverpool gull kettle", "пароль три слова", "correct horse battery staple lamp"} {
		if _, err := HashPassword(good); err != nil {
			t.Errorf("the password %q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "11 of chars", strings.Repeat("pq rs tu ", maxPassword/9+1), "password1234", "P4$$w0rd2026!", "Liverpool 2026 !", "aaaabbbbcccc", "123456789012345", "qwertyuiop[]", "Welcome to nhs"} {
		if _, err := HashPassword(bad); err == nil {
			t.Errorf("the password %q is taken", bad)
		}
	}
}

// Whatever stands in the password column, reading it neither panics nor asks for more than the bounds.
func FuzzParseHash(f *testing.F) {
	f.Add(passwordHash())
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseHash(s); err == nil && (p.memory > 256*1024 || p.passes > 10 || p.threads > 8 || len(p.salt) < 8 || len(p.sum) < 16) {
			t.Errorf("%q is taken: %+v", s, p)
		}
	})
}

func TestSafeNext(t *testing.T) {
	for next, want := range map[string]string{
		"/desk/queue?state=new": "/desk/queue?state=new", "/desk/referrals/12": "/desk/referrals/12", "/desk": "/desk",
		"": "/desk", "//evil.example": "/desk", "/\\evil.example": "/desk", "https://evil.example/desk/": "/desk", "/desk/../r/x": "/desk", "/desk//evil.example": "/desk",
		"/deskx": "/desk", "javascript:alert(1)": "/desk", "/desk/sign-in?next=/desk/sign-in": "/desk", "/desk/sign-out": "/desk", "/api/v1/referrals": "/desk", "/desk/\n/x": "/desk",
	} {
		if got := safeNext(next); got != want {
			t.Errorf("safeNext(%q) = %q, want %q", next, got, want)
		}
	}
}

// Whoever guesses from one address never makes anybody wait at another, and nobody waits for more than a minute.
func TestSlowdown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now := newSlowdown(), time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
		failures := rapid.IntRange(0, 40).Draw(t, "failures")
		for i := range failures {
			wait := s.try(now, "attacker")
			if i < freeFailures && wait != 0 {
				t.Fatalf("waits %v after %d failures", wait, i)
			}
			if i >= freeFailures && wait <= 0 || wait > longestWait {
				t.Fatalf("waits %v after %d failures", wait, i)
			}
			if wait > 0 {
				if s.try(now.Add(wait-1), "attacker") == 0 {
					t.Fatal("too early, and yet it may try")
				}
				now = now.Add(wait)
				if s.try(now, "attacker") != 0 {
					t.Fatal("waits longer than it was told")
				}
			}
			if s.try(now, "owner") != 0 {
				t.Fatal("the owner waits for what an attacker did")
			}
			s.forget("owner")
		}
		if s.try(now.Add(forgetAfter+1), "attacker") != 0 {
			t.Fatal("failures are held for ever")
		}
		s.forget("attacker")
		for range freeFailures {
			if s.try(now, "attacker") != 0 {
				t.Fatal("a right password does not clear the failures")
			}
		}
	})
	if a, b := slowKey("x", "2001:db8::1"), slowKey("x", "2001:db8::ffff:2"); a != b || a == slowKey("x", "2001:db8:0:1::1") || slowKey("x", "192.0.2.1") == slowKey("x", "192.0.2.2") {
		t.Errorf("an address of IPv6 counts as one of 2^64: %q, %q", a, b)
	}
	s := newSlowdown()
	for i := range 5 * mostKeys {
		s.try(time.Unix(0, 0), strings.Repeat("x", i%7)+string(rune(i)))
	}
	if n := len(s.young) + len(s.old); n > 2*mostKeys {
		t.Errorf("%d keys in memory", n)
	}
}

// enter posts the sign-in form from an address.
func (b *bench) enter(email, password, next, address string, cookie *http.Cookie) (reply, *http.Cookie) {
	req := httptest.NewRequest("POST", signInPath, strings.NewReader(form("email", email, "password", password, "next", next)))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Test-Address", address)
	if cookie != nil {
		req.AddCookie(cookie)
	}
	got := b.do(req)
	for _, c := range (&http.Response{Header: got.header}).Cookies() {
		return got, c
	}
	return got, nil
}

func (b *bench) browse(path string, cookie *http.Cookie, header ...string) reply {
	req := httptest.NewRequest("GET", path, nil)
	if cookie != nil {
		req.AddCookie(cookie)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return b.do(req)
}

func TestSignIn(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]

	to := b.browse("/desk/referrals/12", nil).header.Get("Location")
	if to != "/desk/sign-in?next="+url.QueryEscape("/desk/referrals/12") {
		t.Errorf("sent to %s", to)
	}
	b.browse(to, nil).holds(t, 200, `value="/desk/referrals/12"`)
	if got := b.browse(queuePath, nil, "HX-Request", "true"); got.header.Get("HX-Redirect") != signInPath {
		t.Errorf("a poll without a session gets %d %v", got.status, got.header)
	}

	got, _ := b.enter("", "", "", "a", nil)
	got.holds(t, 422, "Enter your e-mail address", "Enter your password")
	wrong, none := b.enter(lin.Email, "not the password", "", "a", nil)
	unknown, _ := b.enter("nobody@example.org", "not the password", "", "a", nil)
	if none != nil || wrong.status != 422 || strings.ReplaceAll(wrong.body, lin.Email, "") != strings.ReplaceAll(unknown.body, "nobody@example.org", "") {
		t.Error("the answer tells whether there is an account")
	}
	got, cookie := b.enter(" "+strings.ToUpper(lin.Email), testPassword, "/desk/referrals/12", "a", nil)
	got.holds(t, 303)
	if got.header.Get("Location") != "/desk/referrals/12" || cookie == nil {
		t.Fatalf("signed in: %v", got.header)
	}
	if cookie.Name != "desk" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 12*3600 || cookie.Path != "/" || cookie.Secure {
		t.Errorf("cookie %v", cookie)
	}
	b.browse(queuePath, cookie).holds(t, 200, lin.Name, "Sign out")
	if home := b.browse(homePath, cookie).header.Get("Location"); home != queuePath {
		t.Errorf("a link worker starts at %s", home)
	}

	// Signing in again ends the session before; signing out ends it, and 12 hours do.
	_, second := b.enter(lin.Email, testPassword, "", "a", cookie)
	if got := b.browse(queuePath, cookie); got.status != 303 {
		t.Errorf("the old session lives on: %d", got.status)
	}
	b.browse(queuePath, second).holds(t, 200)
	out := httptest.NewRequest("POST", signOutPath, nil)
	out.AddCookie(second)
	if got := b.do(out); got.status != 303 || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("signed out: %v", got.header)
	}
	if got := b.browse(queuePath, second); got.status != 303 {
		t.Errorf("signed out, and the queue answers %d", got.status)
	}
	_, third := b.enter(lin.Email, testPassword, "", "a", nil)
	b.pass(12*time.Hour + time.Second)
	if got := b.browse(queuePath, third); got.status != 303 {
		t.Errorf("after 12 hours the queue answers %d", got.status)
	}

	// Guessing from one address slows that address down, for this account, and nobody else.
	for range freeFailures {
		b.enter(lin.Email, "a guess at it", "", "attacker", nil)
	}
	got, _ = b.enter(lin.Email, testPassword, "", "attacker", nil)
	got.holds(t, 429, "Too many wrong tries", "Wait 1 second,")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	if _, cookie := b.enter(lin.Email, testPassword, "", "owner", nil); cookie == nil {
		t.Error("the owner is locked out")
	}
	b.pass(time.Second)
	if _, cookie := b.enter(lin.Email, testPassword, "", "attacker", nil); cookie == nil {
		t.Error("locked out after the wait")
	}
	var denied int
	entries, _, err := b.db.AuditEntries(context.Background(), lin.Network, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Action == "session.start" && e.Outcome == "denied" && e.Account == lin.ID {
			denied++
		}
	}
	if denied != freeFailures+1 {
		t.Errorf("%d failures in the audit, want %d", denied, freeFailures+1)
	}

	b.desk.Secure = true
	if _, c := b.enter(lin.Email, testPassword, "", "a", nil); c == nil || c.Name != "__Host-desk" || !c.Secure {
		t.Errorf("cookie under https: %v", c)
	}
	disabled, err := b.db.CreateAccount(context.Background(), staff.Account{Network: b.net.ID, Email: "gone@example.org", Name: "Gone", Role: staff.LinkWorker, Disabled: true}, passwordHash())
	if err != nil {
		t.Fatal(err)
	}
	if _, c := b.enter(disabled.Email, testPassword, "", "a", nil); c != nil {
		t.Error("a disabled account signs in")
	}
}
