package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Members lists a network's accounts for administrators, by name.
func (db *DB) Members(ctx context.Context, n staff.NetworkID) (all []staff.Member, err error) {
	err = db.read(ctx, "members", func(tx *Tx) error {
		all, err = list(tx, func(r scanner, m *staff.Member) error {
			var in, invited int64
			var totp bool
			var passkeys int
			err := scanAccount(r, &m.Account, &in, &invited, &totp, &passkeys, &m.Sessions)
			m.SignedIn, m.Invited = timeOf(in), timeOf(invited)
			if totp {
				m.Factors = append(m.Factors, staff.TOTP)
			}
			if passkeys > 0 {
				m.Factors = append(m.Factors, staff.Passkey)
			}
			return err
		}, `
			SELECT `+accountColumns+`, a.signed_in_at,
				COALESCE((SELECT i.expires_at FROM invitation i WHERE i.account = a.id AND i.expires_at > $1), 0),
				EXISTS (SELECT 1 FROM totp t WHERE t.account = a.id AND t.secret IS NOT NULL),
				(SELECT COUNT(*) FROM passkey p WHERE p.account = a.id),
				(SELECT COUNT(*) FROM session s WHERE s.account = a.id AND `+liveSession+`)
			FROM account a
			WHERE a.network = $2
			ORDER BY a.name, a.id`, tx.machine, int64(n))
		return err
	})
	return all, err
}

// Invite makes an account that nobody can sign in to yet, and the secret of the link by which its owner chooses a password.
func (db *DB) Invite(ctx context.Context, who staff.Account, a staff.Account) (_ staff.Account, secret string, err error) {
	if err := staff.Check(ctx, db, who, staff.ManageStaff, a.Network, ""); err != nil {
		return staff.Account{}, "", err
	}
	return db.invite(ctx, who.ID, a)
}

// OperatorInvites is Invite for whoever runs this computer.
func (db *DB) OperatorInvites(ctx context.Context, a staff.Account) (_ staff.Account, secret string, err error) {
	return db.invite(ctx, 0, a)
}

func (db *DB) invite(ctx context.Context, by staff.AccountID, a staff.Account) (_ staff.Account, secret string, err error) {
	a.ID, a.Email, a.Disabled = staff.AccountID(db.newID()), tidyEmail(a.Email), false
	if a.Email == "" || a.Name == "" {
		return staff.Account{}, "", errors.New("an account needs an e-mail address and a name")
	}
	if _, err := staff.ParseRole(string(a.Role)); err != nil {
		return staff.Account{}, "", err
	}
	secret = newSecret()
	err = db.write(ctx, "invite", func(tx *Tx) error {
		if err := db.createAccount(tx, by, a, ""); err != nil {
			return err
		}
		return db.putInvitation(tx, by, a, secret)
	})
	if err != nil {
		return staff.Account{}, "", err
	}
	return a, secret, nil
}

// putInvitation keeps the hash of a link, in place of an earlier one.
func (db *DB) putInvitation(tx *Tx, by staff.AccountID, a staff.Account, secret string) error {
	_, err := tx.Exec(`
		INSERT INTO invitation (account, hash, made_by, expires_at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (account) DO UPDATE
		SET hash = excluded.hash, made_by = excluded.made_by, expires_at = excluded.expires_at`,
		int64(a.ID), hashSecret(secret), int64(by), tx.machine+staff.InvitationLife.Milliseconds())
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	return db.audit(tx, staff.Entry{Network: a.Network, Account: by, Action: "account.invite", Target: fmt.Sprintf("account %d", a.ID), Outcome: "done"})
}

// Reinvite makes a new link for an account; the one before is void. With lost, all that the account signs in by is taken away at once,
// because somebody else may have it: the password, the second factors, the sessions.
func (db *DB) Reinvite(ctx context.Context, who staff.Account, account staff.AccountID, lost bool) (a staff.Account, secret string, err error) {
	secret = newSecret()
	action := "account.invite"
	if lost {
		action = "account.reset"
	}
	err = db.manage(ctx, who, account, action, func(tx *Tx, of staff.Account) error {
		a = of
		return db.reinvite(tx, who.ID, a, secret, lost)
	})
	if err != nil {
		return staff.Account{}, "", err
	}
	return a, secret, nil
}

// OperatorResets is Reinvite of a lost account for whoever runs this computer: the last administrator may lose a phone, too.
func (db *DB) OperatorResets(ctx context.Context, account staff.AccountID) (a staff.Account, secret string, err error) {
	secret = newSecret()
	err = db.write(ctx, "account.reset", func(tx *Tx) error {
		if a, err = accountOf(tx, account); err != nil {
			return err
		}
		if err := db.reinvite(tx, 0, a, secret, true); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: a.Network, Action: "account.reset", Target: fmt.Sprintf("account %d", a.ID), Outcome: "done"})
	})
	if err != nil {
		return staff.Account{}, "", err
	}
	return a, secret, nil
}

func (db *DB) reinvite(tx *Tx, by staff.AccountID, a staff.Account, secret string, lost bool) error {
	if a.Disabled {
		return staff.ErrDisabled
	}
	if lost {
		for _, s := range [...]string{`DELETE FROM totp WHERE account = $1`, `DELETE FROM passkey WHERE account = $1`, `DELETE FROM recovery_code WHERE account = $1`,
			`DELETE FROM session WHERE account = $1`, `UPDATE account SET password = '', subject = '' WHERE id = $1`} {
			if _, err := tx.Exec(s, int64(a.ID)); err != nil {
				return fmt.Errorf("reset an account: %w", err)
			}
		}
	}
	return db.putInvitation(tx, by, a, secret)
}

// Disable keeps somebody out from now on: their sessions, tokens and links end. Nothing of theirs is deleted.
func (db *DB) Disable(ctx context.Context, who staff.Account, account staff.AccountID) error {
	return db.manage(ctx, who, account, "account.disable", func(tx *Tx, _ staff.Account) error {
		for _, s := range [...]string{`DELETE FROM session WHERE account = $1`, `DELETE FROM invitation WHERE account = $1`} {
			if _, err := tx.Exec(s, int64(account)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`UPDATE account SET disabled_at = $1 WHERE id = $2 AND disabled_at = 0`, tx.now, int64(account))
		return err
	})
}

// Enable lets somebody in again.
func (db *DB) Enable(ctx context.Context, who staff.Account, account staff.AccountID) error {
	return db.manage(ctx, who, account, "account.enable", func(tx *Tx, _ staff.Account) error {
		_, err := tx.Exec(`UPDATE account SET disabled_at = 0 WHERE id = $1`, int64(account))
		return err
	})
}

// EndSessions signs somebody out everywhere, tokens too.
func (db *DB) EndSessions(ctx context.Context, who staff.Account, account staff.AccountID) error {
	return db.manage(ctx, who, account, "account.end_sessions", func(tx *Tx, _ staff.Account) error {
		_, err := tx.Exec(`DELETE FROM session WHERE account = $1`, int64(account))
		return err
	})
}

// manage asks whether who may change an account of others, changes it, and writes down both.
func (db *DB) manage(ctx context.Context, who staff.Account, account staff.AccountID, action string, change func(*Tx, staff.Account) error) error {
	var refusal error
	err := db.write(ctx, action, func(tx *Tx) error {
		refusal = nil
		a, err := accountOf(tx, account)
		if err != nil {
			return err
		}
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: action, Target: fmt.Sprintf("account %d", account), Outcome: "done"}
		if refusal = staff.May(who, staff.ManageStaff, a.Network); refusal == nil && who.ID == account {
			refusal = staff.ErrSelf
		}
		if refusal != nil {
			entry.Outcome = "denied"
			return db.audit(tx, entry)
		}
		if err := change(tx, a); err != nil {
			return err
		}
		return db.audit(tx, entry)
	})
	return errors.Join(err, refusal)
}

// InvitedAccount tells whose link a secret is of; [staff.ErrInvitation] if it is none, was used, or is too old.
func (db *DB) InvitedAccount(ctx context.Context, secret string) (a staff.Account, err error) {
	err = db.read(ctx, "invitation", func(tx *Tx) error {
		a, err = invited(tx, secret)
		return err
	})
	return a, err
}

func invited(tx *Tx, secret string) (a staff.Account, err error) {
	err = scanAccount(tx.QueryRow(`
		SELECT `+accountColumns+`
		FROM invitation i
		JOIN account a ON a.id = i.account
		WHERE i.hash = $1 AND i.expires_at > $2 AND a.disabled_at = 0`, hashSecret(secret), tx.machine), &a)
	return a, notFound(err, staff.ErrInvitation)
}

// AcceptInvitation takes an invitation: the account gets its password, the link is void, and whoever was signed in as the account is not any more.
func (db *DB) AcceptInvitation(ctx context.Context, secret, passwordHash string) (a staff.Account, err error) {
	err = db.write(ctx, "accept an invitation", func(tx *Tx) error {
		if a, err = invited(tx, secret); err != nil {
			return err
		}
		n, err := tx.Exec(`DELETE FROM invitation WHERE hash = $1`, hashSecret(secret))
		if err != nil {
			return err
		}
		if n == 0 { // somebody was faster
			return staff.ErrInvitation
		}
		return db.setPassword(tx, a, passwordHash, "")
	})
	return a, err
}

// SetPassword changes somebody's own password and signs them out everywhere but in the session with this id.
func (db *DB) SetPassword(ctx context.Context, who staff.Account, passwordHash, keep string) error {
	return db.write(ctx, "set password", func(tx *Tx) error { return db.setPassword(tx, who, passwordHash, keep) })
}

func (db *DB) setPassword(tx *Tx, a staff.Account, passwordHash, keep string) error {
	if _, err := tx.Exec(`UPDATE account SET password = $1 WHERE id = $2`, passwordHash, int64(a.ID)); err != nil {
		return fmt.Errorf("set the password: %w", err)
	}
	if err := endOtherBrowsers(tx, a.ID, keep); err != nil {
		return err
	}
	return db.audit(tx, staff.Entry{Network: a.Network, Account: a.ID, Action: "account.password", Target: fmt.Sprintf("account %d", a.ID), Outcome: "done"})
}

// AccountOfProvider finds who comes in through the sign-in provider: the account with this address, if it has never come in as somebody
// else there. From the first time on the account belongs to that subject, whoever gets the address later.
func (db *DB) AccountOfProvider(ctx context.Context, email, subject string) (a staff.Account, err error) {
	err = db.write(ctx, "account of the provider", func(tx *Tx) error {
		var known string
		err := scanAccount(tx.QueryRow(`SELECT `+accountColumns+`, a.subject FROM account a WHERE a.email = $1`, tidyEmail(email)), &a, &known)
		if err != nil {
			return notFound(err, staff.ErrSignIn)
		}
		if subject == "" || a.Disabled || known != "" && known != subject {
			return staff.ErrSignIn
		}
		if known == "" {
			n, err := tx.Exec(`UPDATE account SET subject = $1 WHERE id = $2 AND subject = ''`, subject, int64(a.ID))
			if err == nil && n == 0 { // somebody else has just come in as it
				return staff.ErrSignIn
			}
			return err
		}
		return nil
	})
	return a, err
}
