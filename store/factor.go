package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// CodeCheck tells whether a code belongs to a secret, and of which time step it is.
type CodeCheck = func(secret string) (step int64, right bool)

func totpPlace(account staff.AccountID) string { return fmt.Sprint(int64(account)) }

// OfferTOTP keeps a secret that has been made for somebody's authenticator app. It counts from ConfirmTOTP on.
func (db *DB) OfferTOTP(ctx context.Context, who staff.Account, secret string) error {
	sealed, err := db.sealer.seal("totp", "pending", totpPlace(who.ID), []byte(secret))
	if err != nil {
		return err
	}
	return db.write(ctx, "offer totp", func(tx *Tx) error {
		_, err := tx.Exec(`
			INSERT INTO totp (account, secret, pending, last_step)
			VALUES ($1, NULL, $2, 0)
			ON CONFLICT (account) DO UPDATE
			SET pending = excluded.pending`, int64(who.ID), sealed)
		return err
	})
}

// OfferedTOTP is the secret that waits for its first code; "" if none does.
func (db *DB) OfferedTOTP(ctx context.Context, account staff.AccountID) (secret string, err error) {
	var sealed []byte
	err = db.read(ctx, "offered totp", func(tx *Tx) error {
		return notFound(tx.QueryRow(`SELECT pending FROM totp WHERE account = $1 AND pending IS NOT NULL`, int64(account)).Scan(&sealed), nil)
	})
	if err != nil || sealed == nil {
		return "", err
	}
	plain, err := db.sealer.open("totp", "pending", totpPlace(account), sealed)
	return string(plain), err
}

// ConfirmTOTP puts the offered secret in place of the one before, if the code is right ([staff.ErrCode]), and signs the account out
// everywhere but in the session with this id.
func (db *DB) ConfirmTOTP(ctx context.Context, who staff.Account, keep string, check CodeCheck) error {
	return db.write(ctx, "confirm totp", func(tx *Tx) error {
		var sealed []byte
		if err := tx.QueryRow(`SELECT pending FROM totp WHERE account = $1 AND pending IS NOT NULL`, int64(who.ID)).Scan(&sealed); err != nil {
			return notFound(err, staff.ErrCode)
		}
		plain, err := db.sealer.open("totp", "pending", totpPlace(who.ID), sealed)
		if err != nil {
			return err
		}
		step, right := check(string(plain))
		if !right {
			return staff.ErrCode
		}
		if sealed, err = db.sealer.seal("totp", "secret", totpPlace(who.ID), plain); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE totp SET secret = $1, pending = NULL, last_step = $2 WHERE account = $3`, sealed, step, int64(who.ID)); err != nil {
			return err
		}
		return db.factorChanged(tx, who, keep, "totp.set")
	})
}

// UseTOTP takes a code, once: [staff.ErrCode] if it is wrong, was taken before, or is older than one that was.
func (db *DB) UseTOTP(ctx context.Context, account staff.AccountID, check CodeCheck) error {
	return db.write(ctx, "use totp", func(tx *Tx) error {
		var sealed []byte
		if err := tx.QueryRow(`SELECT secret FROM totp WHERE account = $1 AND secret IS NOT NULL`, int64(account)).Scan(&sealed); err != nil {
			return notFound(err, staff.ErrCode)
		}
		plain, err := db.sealer.open("totp", "secret", totpPlace(account), sealed)
		if err != nil {
			return err
		}
		step, right := check(string(plain))
		if !right {
			return staff.ErrCode
		}
		n, err := tx.Exec(`UPDATE totp SET last_step = $1 WHERE account = $2 AND last_step < $1`, step, int64(account))
		if err == nil && n == 0 {
			return staff.ErrCode
		}
		return err
	})
}

// RemoveTOTP takes the authenticator app away; [staff.ErrLastFactor] if nothing else is there and something has to be.
func (db *DB) RemoveTOTP(ctx context.Context, who staff.Account, keep string, need bool) error {
	return db.write(ctx, "remove totp", func(tx *Tx) error {
		if _, err := tx.Exec(`DELETE FROM totp WHERE account = $1`, int64(who.ID)); err != nil {
			return err
		}
		if err := db.stillHas(tx, who, need); err != nil {
			return err
		}
		return db.factorChanged(tx, who, keep, "totp.remove")
	})
}

// stillHas refuses to leave an account without a second factor where it needs one.
func (db *DB) stillHas(tx *Tx, who staff.Account, need bool) (err error) {
	var has bool
	if err := tx.QueryRow(`SELECT `+hasFactor+` FROM account a WHERE a.id = $1`, int64(who.ID)).Scan(&has); err != nil {
		return err
	}
	if need && !has {
		return staff.ErrLastFactor
	}
	if !has { // they stand in for a factor that is gone
		_, err = tx.Exec(`DELETE FROM recovery_code WHERE account = $1`, int64(who.ID))
	}
	return err
}

func (db *DB) factorChanged(tx *Tx, who staff.Account, keep, action string) error {
	if err := endOtherBrowsers(tx, who.ID, keep); err != nil {
		return err
	}
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: action, Target: fmt.Sprintf("account %d", who.ID), Outcome: "done"})
}

// AddPasskey keeps a new passkey of an account and signs the account out everywhere but in the session with this id.
func (db *DB) AddPasskey(ctx context.Context, who staff.Account, keep string, p staff.PasskeyRecord) error {
	return db.write(ctx, "add passkey", func(tx *Tx) error {
		n, err := tx.Exec(`
			INSERT INTO passkey (id, account, name, credential, made_at, used_at)
			VALUES ($1, $2, $3, $4, $5, 0)
			ON CONFLICT (id) DO NOTHING`, p.ID, int64(who.ID), p.Name, string(p.Credential), tx.machine)
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the passkey is known already")
		}
		return db.factorChanged(tx, who, keep, "passkey.add")
	})
}

// Passkeys lists an account's passkeys, the oldest first.
func (db *DB) Passkeys(ctx context.Context, account staff.AccountID) (all []staff.PasskeyRecord, err error) {
	err = db.read(ctx, "passkeys", func(tx *Tx) error {
		all, err = list(tx, func(r scanner, p *staff.PasskeyRecord) error {
			var made, used int64
			var credential string
			err := r.Scan(&p.ID, (*int64)(&p.Account), &p.Name, &credential, &made, &used)
			p.Credential, p.Made, p.Used = []byte(credential), timeOf(made), timeOf(used)
			return err
		}, `SELECT id, account, name, credential, made_at, used_at FROM passkey WHERE account = $1 ORDER BY made_at, id`, int64(account))
		return err
	})
	return all, err
}

// UsePasskey keeps what an authenticator has said of itself this time; [staff.ErrSignIn] if the passkey has been taken away meanwhile.
func (db *DB) UsePasskey(ctx context.Context, p staff.PasskeyRecord) error {
	return db.write(ctx, "use passkey", func(tx *Tx) error {
		n, err := tx.Exec(`UPDATE passkey SET credential = $1, used_at = $2 WHERE id = $3 AND account = $4`, string(p.Credential), tx.machine, p.ID, int64(p.Account))
		if err == nil && n == 0 {
			return staff.ErrSignIn
		}
		return err
	})
}

// RemovePasskey takes a passkey away; [staff.ErrLastFactor] if nothing else is there and something has to be.
func (db *DB) RemovePasskey(ctx context.Context, who staff.Account, keep string, id []byte, need bool) error {
	return db.write(ctx, "remove passkey", func(tx *Tx) error {
		n, err := tx.Exec(`DELETE FROM passkey WHERE id = $1 AND account = $2`, id, int64(who.ID))
		if err != nil {
			return err
		}
		if n == 0 {
			return staff.ErrNotFound
		}
		if err := db.stillHas(tx, who, need); err != nil {
			return err
		}
		return db.factorChanged(tx, who, keep, "passkey.remove")
	})
}

// recoveryIndex is blind: a code has fewer bits than a secret, and whoever has the database alone must not be able to try them all.
func (db *DB) recoveryIndex(account staff.AccountID, code string) []byte {
	return db.sealer.index("recovery", fmt.Sprint(int64(account), " ", strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))))
}

// SetRecoveryCodes puts new codes in place of all there were.
func (db *DB) SetRecoveryCodes(ctx context.Context, who staff.Account, codes []string) error {
	return db.write(ctx, "set recovery codes", func(tx *Tx) error {
		if _, err := tx.Exec(`DELETE FROM recovery_code WHERE account = $1`, int64(who.ID)); err != nil {
			return err
		}
		for _, c := range codes {
			if _, err := tx.Exec(`INSERT INTO recovery_code (account, code_ix) VALUES ($1, $2)`, int64(who.ID), db.recoveryIndex(who.ID, c)); err != nil {
				return err
			}
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "recovery.make", Target: fmt.Sprintf("account %d", who.ID), Outcome: "done"})
	})
}

// UseRecoveryCode takes a code, once, and tells how many are left; [staff.ErrCode] if there is no such code.
func (db *DB) UseRecoveryCode(ctx context.Context, account staff.AccountID, code string) (left int, err error) {
	err = db.write(ctx, "use recovery code", func(tx *Tx) error {
		n, err := tx.Exec(`DELETE FROM recovery_code WHERE account = $1 AND code_ix = $2`, int64(account), db.recoveryIndex(account, code))
		if err != nil {
			return err
		}
		if n == 0 {
			return staff.ErrCode
		}
		return tx.QueryRow(`SELECT COUNT(*) FROM recovery_code WHERE account = $1`, int64(account)).Scan(&left)
	})
	return left, err
}

// Factors tells what an account has set up: an authenticator app, and how many recovery codes are left.
func (db *DB) Factors(ctx context.Context, account staff.AccountID) (totp bool, codes int, err error) {
	err = db.read(ctx, "factors", func(tx *Tx) error {
		err := tx.QueryRow(`SELECT COUNT(*) FROM recovery_code WHERE account = $1`, int64(account)).Scan(&codes)
		if err != nil {
			return err
		}
		var one int
		err = tx.QueryRow(`SELECT 1 FROM totp WHERE account = $1 AND secret IS NOT NULL`, int64(account)).Scan(&one)
		totp = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return totp, codes, err
}
