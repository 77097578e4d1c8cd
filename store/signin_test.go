package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// clocked opens a world whose machine time the test moves.
func clocked(t *testing.T, cfg Config) (*world, *time.Time) {
	machine := testCivil
	cfg.Machine = func() time.Time { return machine }
	return mustWorld(t, mustOpen(t, cfg)), &machine
}

func (w *world) admin() staff.Account {
	w.tb.Helper()
	a, err := w.db.CreateAccount(context.Background(), staff.Account{Network: w.network.ID, Email: "ada@riverside.test", Name: "Ada Price", Role: staff.Administrator}, "hash of Ada")
	w.must(err)
	return a
}

func (w *world) signIn(in staff.SignIn) (secret, id string) {
	w.tb.Helper()
	secret, err := w.db.SignIn(context.Background(), in)
	w.must(err)
	s, err := w.db.Session(context.Background(), secret, false)
	w.must(err)
	return secret, s.ID
}

func TestInvitations(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w, machine := clocked(t, cfg)
		ada := w.admin()
		nell := staff.Account{Network: w.network.ID, Team: w.team.ID, Email: " Nell@Riverside.test", Name: "Nell New", Role: staff.LinkWorker}
		_, _, err := w.db.Invite(ctx, w.senior, nell)
		wantErr(t, err, staff.ErrDenied)
		_, _, err = w.db.Invite(ctx, staff.Account{}, nell)
		wantErr(t, err, staff.ErrDenied)
		alien := nell
		alien.Network = w.stranger.Network
		_, _, err = w.db.Invite(ctx, ada, alien)
		wantErr(t, err, staff.ErrNotFound)
		nell, link, err := w.db.Invite(ctx, ada, nell)
		w.must(err)
		if n := w.count(`SELECT COUNT(*) FROM invitation WHERE hash = $1`, []byte(link)); n != 0 || len(link) < 27 {
			t.Errorf("the secret %q itself is stored", link)
		}
		_, _, err = w.db.Invite(ctx, ada, nell)
		wantErr(t, err, staff.ErrEmailTaken)
		if _, hash, err := w.db.AccountByEmail(ctx, "nell@riverside.test"); err != nil || hash != "" {
			t.Errorf("before the invitation is taken: hash %q, %v", hash, err)
		}

		// The link works for three days and no longer, and the next one makes it void.
		*machine = machine.Add(3*24*time.Hour - time.Millisecond)
		if a, err := w.db.InvitedAccount(ctx, link); err != nil || a.ID != nell.ID {
			t.Errorf("got %+v, %v", a, err)
		}
		*machine = machine.Add(time.Millisecond)
		_, err = w.db.InvitedAccount(ctx, link)
		wantErr(t, err, staff.ErrInvitation)
		_, err = w.db.AcceptInvitation(ctx, link, "hash")
		wantErr(t, err, staff.ErrInvitation)
		_, second, err := w.db.Reinvite(ctx, ada, nell.ID, false)
		w.must(err)
		_, third, err := w.db.Reinvite(ctx, ada, nell.ID, false)
		w.must(err)
		_, err = w.db.InvitedAccount(ctx, second)
		wantErr(t, err, staff.ErrInvitation)
		a, err := w.db.AcceptInvitation(ctx, third, "her own hash")
		w.must(err)
		if a.ID != nell.ID {
			t.Errorf("accepted as %+v", a)
		}
		_, err = w.db.AcceptInvitation(ctx, third, "somebody else's hash")
		wantErr(t, err, staff.ErrInvitation)
		if _, hash, err := w.db.AccountByEmail(ctx, "nell@riverside.test"); err != nil || hash != "her own hash" {
			t.Errorf("hash %q, %v", hash, err)
		}

		// A link does not bring back who was disabled, and a reset takes all away at once.
		_, link, err = w.db.Reinvite(ctx, ada, nell.ID, false)
		w.must(err)
		w.must(w.db.Disable(ctx, ada, nell.ID))
		_, err = w.db.InvitedAccount(ctx, link)
		wantErr(t, err, staff.ErrInvitation)
		_, _, err = w.db.Reinvite(ctx, ada, nell.ID, true)
		wantErr(t, err, staff.ErrDisabled)
		w.must(w.db.Enable(ctx, ada, nell.ID))
		_, err = w.db.InvitedAccount(ctx, link)
		wantErr(t, err, staff.ErrInvitation)
		w.must(w.db.AddPasskey(ctx, nell, "", staff.PasskeyRecord{ID: []byte{1}, Name: "phone", Credential: []byte("{}")}))
		w.must(w.db.SetRecoveryCodes(ctx, nell, []string{"aaaa"}))
		secret, _ := w.signIn(staff.SignIn{Account: nell.ID, For: time.Hour})
		_, _, err = w.db.Reinvite(ctx, ada, nell.ID, true)
		w.must(err)
		_, err = w.db.Session(ctx, secret, false)
		wantErr(t, err, staff.ErrSignIn)
		_, hash, _ := w.db.AccountByEmail(ctx, nell.Email)
		keys, _ := w.db.Passkeys(ctx, nell.ID)
		_, codes, _ := w.db.Factors(ctx, nell.ID)
		if hash != "" || len(keys) != 0 || codes != 0 {
			t.Errorf("after a reset: hash %q, %d passkeys, %d codes", hash, len(keys), codes)
		}
	})
}

func TestManageStaff(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w, _ := clocked(t, cfg)
		ada := w.admin()
		token, err := w.db.StartSession(ctx, w.worker.ID, SessionAPI, "export", time.Hour)
		w.must(err)
		for name, do := range map[string]func(who staff.Account, account staff.AccountID) error{
			"disable":      func(who staff.Account, account staff.AccountID) error { return w.db.Disable(ctx, who, account) },
			"enable":       func(who staff.Account, account staff.AccountID) error { return w.db.Enable(ctx, who, account) },
			"end sessions": func(who staff.Account, account staff.AccountID) error { return w.db.EndSessions(ctx, who, account) },
			"reinvite": func(who staff.Account, account staff.AccountID) error {
				_, _, err := w.db.Reinvite(ctx, who, account, true)
				return err
			},
		} {
			before := w.count(`SELECT COUNT(*) FROM audit WHERE outcome = 'denied'`)
			for _, c := range []struct {
				who     staff.Account
				account staff.AccountID
				want    error
			}{{w.senior, w.worker.ID, staff.ErrDenied}, {ada, w.stranger.ID, staff.ErrNotFound}, {ada, ada.ID, staff.ErrSelf}} {
				if err := do(c.who, c.account); !errors.Is(err, c.want) {
					t.Errorf("%s by %s: %v, want %v", name, c.who.Name, err, c.want)
				}
			}
			if n := w.count(`SELECT COUNT(*) FROM audit WHERE outcome = 'denied'`) - before; n != 3 {
				t.Errorf("%s: %d refusals in the audit", name, n)
			}
		}
		if _, err := w.db.Session(ctx, token, false); err != nil {
			t.Errorf("refused, and yet done: %v", err)
		}
		w.must(w.db.Disable(ctx, ada, w.worker.ID))
		w.must(w.db.Enable(ctx, ada, w.worker.ID))
		_, err = w.db.Session(ctx, token, false)
		wantErr(t, err, staff.ErrSignIn) // what was open before does not come back
		token, err = w.db.StartSession(ctx, w.worker.ID, SessionAPI, "export", time.Hour)
		w.must(err)
		members, err := w.db.Members(ctx, w.network.ID)
		w.must(err)
		if len(members) != 5 || members[0].Name != "Ada Price" || members[4].Name != "Wanda Surname" || members[4].Sessions != 1 || !members[4].SignedIn.IsZero() {
			t.Errorf("members %+v", members)
		}
		w.must(w.db.EndSessions(ctx, ada, w.worker.ID))
		_, err = w.db.Session(ctx, token, false)
		wantErr(t, err, staff.ErrSignIn)
	})
}

func TestSessionsEnd(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w, machine := clocked(t, cfg)
		in := staff.SignIn{Account: w.worker.ID, Name: "Firefox on Linux", Factor: staff.TOTP, For: 12 * time.Hour, Idle: time.Hour}
		secret, _ := w.signIn(in)
		over := func(secret string) bool {
			_, err := w.db.Session(ctx, secret, false)
			return errors.Is(err, staff.ErrSignIn)
		}
		for range 3 { // in use it goes on
			*machine = machine.Add(59 * time.Minute)
			if _, err := w.db.Session(ctx, secret, true); err != nil {
				t.Fatal(err)
			}
		}
		*machine = machine.Add(59 * time.Minute)
		if over(secret) { // a page that asks by itself is no use
			t.Error("over too early")
		}
		*machine = machine.Add(time.Minute)
		if !over(secret) {
			t.Error("an hour without use, and it is not over")
		}

		secret, id := w.signIn(in)
		half := in
		half.Half, half.Factor = true, staff.NoFactor
		again, _ := w.signIn(half)
		in.Instead = again
		other, _ := w.signIn(in)
		if !over(again) {
			t.Error("the browser's session before goes on")
		}
		foreign, foreignID := w.signIn(staff.SignIn{Account: w.other.ID, For: time.Hour})
		all, err := w.db.Sessions(ctx, w.worker.ID)
		w.must(err)
		if len(all) != 2 || all[0].Name != "Firefox on Linux" || all[0].Factor != staff.TOTP || !all[0].Browser || !all[0].Ends.Equal(machine.Add(time.Hour)) {
			t.Errorf("sessions %+v", all)
		}
		wantErr(t, w.db.EndOwn(ctx, w.worker, foreignID), staff.ErrNotFound)
		wantErr(t, w.db.EndOwn(ctx, w.worker, "nothing"), staff.ErrNotFound)
		w.must(w.db.EndOthers(ctx, w.worker, id))
		if over(secret) || !over(other) || over(foreign) {
			t.Error("the wrong ones ended")
		}
		w.must(w.db.EndOwn(ctx, w.worker, id))
		if !over(secret) {
			t.Error("ended, and goes on")
		}

		// What changes how somebody signs in signs them out elsewhere; tokens go on.
		changes := map[string]func(keep string) error{
			"password": func(keep string) error { return w.db.SetPassword(ctx, w.worker, "new hash", keep) },
			"passkey": func(keep string) error {
				return w.db.AddPasskey(ctx, w.worker, keep, staff.PasskeyRecord{ID: []byte{7}, Credential: []byte("{}")})
			},
			"passkey remove": func(keep string) error { return w.db.RemovePasskey(ctx, w.worker, keep, []byte{7}, false) },
			"app": func(keep string) error {
				w.must(w.db.OfferTOTP(ctx, w.worker, "SECRET"))
				return w.db.ConfirmTOTP(ctx, w.worker, keep, func(string) (int64, bool) { return 1, true })
			},
			"app remove": func(keep string) error { return w.db.RemoveTOTP(ctx, w.worker, keep, false) },
		}
		in.Instead = ""
		for _, name := range []string{"password", "passkey", "passkey remove", "app", "app remove"} {
			secret, id := w.signIn(in)
			other, _ := w.signIn(in)
			token, err := w.db.StartSession(ctx, w.worker.ID, SessionAPI, "export", time.Hour)
			w.must(err)
			w.must(changes[name](id))
			if over(secret) || !over(other) || over(token) || over(foreign) {
				t.Errorf("%s: own over %v, other %v, token %v, somebody else's %v", name, over(secret), over(other), over(token), over(foreign))
			}
			w.must(w.db.SetPassword(ctx, w.worker, "new hash", ""))
			if !over(secret) {
				t.Errorf("%s: nobody's session was to be kept", name)
			}
		}
	})
}

func TestFactors(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w, machine := clocked(t, cfg)
		is := func(want string, step int64) CodeCheck {
			return func(secret string) (int64, bool) { return step, secret == want }
		}
		wantErr(t, w.db.UseTOTP(ctx, w.worker.ID, is("", 1)), staff.ErrCode)
		wantErr(t, w.db.ConfirmTOTP(ctx, w.worker, "", is("", 1)), staff.ErrCode)
		w.must(w.db.OfferTOTP(ctx, w.worker, "FIRST"))
		if s, err := w.db.OfferedTOTP(ctx, w.worker.ID); err != nil || s != "FIRST" {
			t.Errorf("offered %q, %v", s, err)
		}
		if s, err := w.db.OfferedTOTP(ctx, w.other.ID); err != nil || s != "" {
			t.Errorf("offered to somebody else: %q, %v", s, err)
		}
		wantErr(t, w.db.UseTOTP(ctx, w.worker.ID, is("FIRST", 1)), staff.ErrCode) // shown, and not confirmed
		wantErr(t, w.db.ConfirmTOTP(ctx, w.worker, "", is("WRONG", 1)), staff.ErrCode)
		w.must(w.db.ConfirmTOTP(ctx, w.worker, "", is("FIRST", 10)))
		var sealed string
		w.must(w.db.read(ctx, "test", func(tx *Tx) error {
			return tx.QueryRow(`SELECT secret FROM totp WHERE account = $1`, int64(w.worker.ID)).Scan(&sealed)
		}))
		if strings.Contains(sealed, "FIRST") {
			t.Error("the secret is stored in clear")
		}
		wantErr(t, w.db.UseTOTP(ctx, w.worker.ID, is("FIRST", 10)), staff.ErrCode) // the code of the set-up
		w.must(w.db.UseTOTP(ctx, w.worker.ID, is("FIRST", 11)))
		wantErr(t, w.db.UseTOTP(ctx, w.worker.ID, is("FIRST", 11)), staff.ErrCode)
		wantErr(t, w.db.UseTOTP(ctx, w.worker.ID, is("FIRST", 9)), staff.ErrCode)
		w.must(w.db.OfferTOTP(ctx, w.worker, "SECOND"))
		w.must(w.db.UseTOTP(ctx, w.worker.ID, is("FIRST", 12))) // until the new one is confirmed
		w.must(w.db.ConfirmTOTP(ctx, w.worker, "", is("SECOND", 13)))
		wantErr(t, w.db.UseTOTP(ctx, w.worker.ID, is("FIRST", 14)), staff.ErrCode)

		codes := []string{"abcd-efgh-2345", "ijkl-mnop-6789"}
		w.must(w.db.SetRecoveryCodes(ctx, w.worker, codes))
		if n := w.count(`SELECT COUNT(*) FROM recovery_code WHERE code_ix = $1`, []byte(codes[0])); n != 0 {
			t.Error("a recovery code is stored in clear")
		}
		_, err := w.db.UseRecoveryCode(ctx, w.other.ID, codes[0])
		wantErr(t, err, staff.ErrCode)
		left, err := w.db.UseRecoveryCode(ctx, w.worker.ID, "ABCD EFGH2345")
		w.must(err)
		if left != 1 {
			t.Errorf("%d codes left", left)
		}
		_, err = w.db.UseRecoveryCode(ctx, w.worker.ID, codes[0])
		wantErr(t, err, staff.ErrCode)
		w.must(w.db.SetRecoveryCodes(ctx, w.worker, []string{"new"}))
		_, err = w.db.UseRecoveryCode(ctx, w.worker.ID, codes[1])
		wantErr(t, err, staff.ErrCode)

		key := staff.PasskeyRecord{ID: []byte{1, 2, 3}, Account: w.worker.ID, Name: "Laptop", Credential: []byte(`{"a":1}`)}
		w.must(w.db.AddPasskey(ctx, w.worker, "", key))
		if err := w.db.AddPasskey(ctx, w.other, "", key); err == nil {
			t.Error("two accounts have one passkey")
		}
		wantErr(t, w.db.RemovePasskey(ctx, w.other, "", key.ID, false), staff.ErrNotFound)
		*machine = machine.Add(time.Minute)
		key.Credential = []byte(`{"a":2}`)
		w.must(w.db.UsePasskey(ctx, key))
		all, err := w.db.Passkeys(ctx, w.worker.ID)
		w.must(err)
		if len(all) != 1 || string(all[0].Credential) != `{"a":2}` || !all[0].Used.Equal(*machine) || all[0].Account != w.worker.ID {
			t.Errorf("passkeys %+v", all)
		}
		w.must(w.db.RemoveTOTP(ctx, w.worker, "", true))
		wantErr(t, w.db.RemovePasskey(ctx, w.worker, "", key.ID, true), staff.ErrLastFactor)
		if totp, codes, err := w.db.Factors(ctx, w.worker.ID); err != nil || totp || codes != 1 {
			t.Errorf("%v %d %v", totp, codes, err)
		}
		w.must(w.db.RemovePasskey(ctx, w.worker, "", key.ID, false))
		if _, codes, _ := w.db.Factors(ctx, w.worker.ID); codes != 0 {
			t.Error("recovery codes outlive the factor that they stand in for")
		}
		key.Account = w.other.ID
		wantErr(t, w.db.UsePasskey(ctx, key), staff.ErrSignIn)
	})
}

// Of many who send one code at the same moment, one comes in.
func TestCodesWorkOnce_race(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w, _ := clocked(t, cfg)
		w.must(w.db.OfferTOTP(ctx, w.worker, "S"))
		w.must(w.db.ConfirmTOTP(ctx, w.worker, "", func(string) (int64, bool) { return 1, true }))
		w.must(w.db.SetRecoveryCodes(ctx, w.worker, []string{"a", "b"}))
		question, err := w.db.Ask(ctx, "test", 0, []byte("data"), time.Minute)
		w.must(err)
		_, link, err := w.db.OperatorInvites(ctx, staff.Account{Network: w.network.ID, Email: "x@y.test", Name: "X", Role: staff.Volunteer})
		w.must(err)
		for name, use := range map[string]func() error{
			"totp":       func() error { return w.db.UseTOTP(ctx, w.worker.ID, func(string) (int64, bool) { return 2, true }) },
			"recovery":   func() error { _, err := w.db.UseRecoveryCode(ctx, w.worker.ID, "a"); return err },
			"question":   func() error { _, err := w.db.Asked(ctx, "test", 0, question); return err },
			"invitation": func() error { _, err := w.db.AcceptInvitation(ctx, link, "hash"); return err },
		} {
			won := make(chan bool, 20)
			for range cap(won) {
				go func() {
					err := use()
					if err != nil && !errors.Is(err, staff.ErrCode) && !errors.Is(err, staff.ErrSignIn) && !errors.Is(err, staff.ErrInvitation) {
						t.Errorf("%s: %v", name, err)
					}
					won <- err == nil
				}()
			}
			n := 0
			for range cap(won) {
				if <-won {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s was taken %d times", name, n)
			}
		}
	})
}

func TestAsked(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w, machine := clocked(t, cfg)
		ask := func(account staff.AccountID) string {
			s, err := w.db.Ask(ctx, "passkey", account, []byte(`{"x":1}`), time.Minute)
			w.must(err)
			return s
		}
		s := ask(w.worker.ID)
		for _, c := range []struct {
			kind    string
			account staff.AccountID
			secret  string
		}{{"provider", w.worker.ID, s}, {"passkey", w.other.ID, s}, {"passkey", 0, s}, {"passkey", w.worker.ID, "guess"}} {
			_, err := w.db.Asked(ctx, c.kind, c.account, c.secret)
			wantErr(t, err, staff.ErrSignIn)
		}
		if data, err := w.db.Asked(ctx, "passkey", w.worker.ID, s); err != nil || string(data) != `{"x":1}` {
			t.Errorf("%s %v", data, err)
		}
		s = ask(0)
		*machine = machine.Add(time.Minute)
		_, err := w.db.Asked(ctx, "passkey", 0, s)
		wantErr(t, err, staff.ErrSignIn)
		ask(0)
		if n := w.count(`SELECT COUNT(*) FROM ceremony`); n != 1 {
			t.Errorf("%d questions are kept", n)
		}
	})
}

func TestAccountOfProvider(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w, _ := clocked(t, cfg)
		for i, c := range []struct {
			email, subject string
			in             bool
		}{
			{"nobody@riverside.test", "issuer 1", false},
			{w.worker.Email, "", false},
			{strings.ToUpper(w.worker.Email), "issuer 1", true},
			{w.worker.Email, "issuer 1", true},
			{w.worker.Email, "issuer 2", false}, // who got the address later
		} {
			a, err := w.db.AccountOfProvider(ctx, c.email, c.subject)
			if (err == nil) != c.in || c.in && a.ID != w.worker.ID || !c.in && !errors.Is(err, staff.ErrSignIn) {
				t.Errorf("%d: %+v, %v", i, a, err)
			}
		}
		w.must(w.db.Disable(ctx, w.admin(), w.worker.ID))
		_, err := w.db.AccountOfProvider(ctx, w.worker.Email, "issuer 1")
		wantErr(t, err, staff.ErrSignIn)
		entries, _, err := w.db.AuditEntries(ctx, w.network.ID, 0, 10)
		w.must(err)
		if !slices.ContainsFunc(entries, func(e staff.Entry) bool {
			return e.Action == "account.disable" && e.Target == fmt.Sprint("account ", w.worker.ID)
		}) {
			t.Errorf("audit %+v", entries)
		}
	})
}
