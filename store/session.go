package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Kinds of sessions.
const (
	SessionBrowser = "browser"
	SessionAPI     = "api"
)

// secretSize is 160 bits: nobody guesses a secret, so an unsalted fast hash of it is safe to store.
const secretSize = 20

func newSecret() string {
	var random [secretSize]byte
	_, _ = rand.Read(random[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(random[:])
}

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// StartSession signs an account in for ttl of machine time, as whoever runs this computer may: nothing is asked. The secret is given out
// once; the store keeps its hash. name tells the tokens of one account apart.
func (db *DB) StartSession(ctx context.Context, account staff.AccountID, kind, name string, ttl time.Duration) (secret string, err error) {
	return db.startSession(ctx, kind, staff.SignIn{Account: account, Name: name, For: ttl})
}

// SignIn begins a browser's session, after whoever calls it has made sure of the person.
func (db *DB) SignIn(ctx context.Context, in staff.SignIn) (secret string, err error) {
	return db.startSession(ctx, SessionBrowser, in)
}

func (db *DB) startSession(ctx context.Context, kind string, in staff.SignIn) (secret string, err error) {
	secret = newSecret()
	err = db.write(ctx, "start session", func(tx *Tx) error {
		a, err := accountOf(tx, in.Account)
		if err != nil {
			return err
		}
		if a.Disabled {
			return staff.ErrSignIn
		}
		if err := dropEnded(tx); err != nil {
			return err
		}
		if in.Instead != "" { // one browser, one session
			if _, err := tx.Exec(`DELETE FROM session WHERE hash = $1`, hashSecret(in.Instead)); err != nil {
				return fmt.Errorf("end the session before: %w", err)
			}
		}
		_, err = tx.Exec(`
			INSERT INTO session (hash, account, kind, name, factor, idle, created_at, seen_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
			hashSecret(secret), int64(in.Account), kind, in.Name, string(in.Factor), in.Idle.Milliseconds(), tx.machine, tx.machine+in.For.Milliseconds())
		if err != nil {
			return fmt.Errorf("start session: %w", err)
		}
		if kind == SessionBrowser && !in.Half {
			if _, err := tx.Exec(`UPDATE account SET signed_in_at = $1 WHERE id = $2`, tx.machine, int64(a.ID)); err != nil {
				return fmt.Errorf("note the sign-in: %w", err)
			}
		}
		outcome := "done"
		if in.Half {
			outcome = "half" // the second factor is still to come
		}
		return db.audit(tx, staff.Entry{Network: a.Network, Account: a.ID, Action: "session.start", Target: strings.TrimSpace(kind + " " + string(in.Factor)), Outcome: outcome})
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// dropEnded removes what nobody can use any more: sessions, links of invitations, questions that nobody has answered.
func dropEnded(tx *Tx) error {
	for _, s := range [...]string{`DELETE FROM session WHERE expires_at <= $1`, `DELETE FROM invitation WHERE expires_at <= $1`, `DELETE FROM ceremony WHERE expires_at <= $1`} {
		if _, err := tx.Exec(s, tx.machine); err != nil {
			return fmt.Errorf("drop what has ended: %w", err)
		}
	}
	return nil
}

const hasFactor = `(EXISTS (SELECT 1 FROM totp t WHERE t.account = a.id AND t.secret IS NOT NULL) OR EXISTS (SELECT 1 FROM passkey p WHERE p.account = a.id))`

const sessionColumns = accountColumns + `, s.hash, s.kind, s.name, s.factor, s.idle, s.created_at, s.seen_at, s.expires_at, ` + hasFactor

// liveSession is true of sessions that can still be used, at $1. While a session is in use its row is up to seenEvery behind.
const liveSession = `s.expires_at > $1 AND (s.idle = 0 OR s.seen_at + s.idle > $1) AND a.disabled_at = 0`

func scanSession(r scanner, s *staff.Session) error {
	var hash []byte
	var kind string
	var idle, started, seen, ends int64
	err := scanAccount(r, &s.Account, &hash, &kind, &s.Name, (*string)(&s.Factor), &idle, &started, &seen, &ends, &s.HasFactor)
	if idle > 0 {
		ends = min(ends, seen+idle)
	}
	s.ID, s.Browser = hex.EncodeToString(hash), kind == SessionBrowser
	s.Started, s.Seen, s.Ends = timeOf(started), timeOf(seen), timeOf(ends)
	return err
}

// seenEvery bounds how often a session that is in use is written.
const seenEvery = time.Minute

// Session tells whose session a secret is; [staff.ErrSignIn] if it is unknown, over, or its account disabled. used says that a person
// does something, and not a page by itself: the session then goes on for another while.
func (db *DB) Session(ctx context.Context, secret string, used bool) (s staff.Session, err error) {
	hash := hashSecret(secret)
	var stale bool
	err = db.read(ctx, "session", func(tx *Tx) error {
		err := scanSession(tx.QueryRow(`
			SELECT `+sessionColumns+`
			FROM session s
			JOIN account a ON a.id = s.account
			WHERE s.hash = $2 AND `+liveSession, tx.machine, hash), &s)
		stale = used && tx.machine-s.Seen.UnixMilli() >= seenEvery.Milliseconds()
		return notFound(err, staff.ErrSignIn)
	})
	if err != nil {
		return staff.Session{}, err
	}
	if stale {
		err := db.write(ctx, "session seen", func(tx *Tx) error {
			_, err := tx.Exec(`UPDATE session SET seen_at = $1 WHERE hash = $2`, tx.machine, hash)
			return err
		})
		if err != nil {
			db.log.Warn("cannot note that a session is in use") // no reason to turn somebody away
		}
	}
	return s, nil
}

// Sessions lists where an account is signed in, the latest first.
func (db *DB) Sessions(ctx context.Context, account staff.AccountID) (all []staff.Session, err error) {
	err = db.read(ctx, "sessions", func(tx *Tx) error {
		all, err = list(tx, scanSession, `
			SELECT `+sessionColumns+`
			FROM session s
			JOIN account a ON a.id = s.account
			WHERE s.account = $2 AND `+liveSession+`
			ORDER BY s.created_at DESC, s.hash`, tx.machine, int64(account))
		return err
	})
	return all, err
}

// sessionHash is the hash that an id stands for. What is no id is the hash of no session, and never NULL, which would differ from nothing.
func sessionHash(id string) []byte {
	hash, err := hex.DecodeString(id)
	if err != nil || len(hash) == 0 {
		return []byte("none")
	}
	return hash
}

// EndSession signs out. A secret that is not known is signed out already.
func (db *DB) EndSession(ctx context.Context, secret string) error {
	return db.write(ctx, "end session", func(tx *Tx) error {
		_, err := tx.Exec(`DELETE FROM session WHERE hash = $1`, hashSecret(secret))
		return err
	})
}

// EndOwn ends a session of an account by its id; [staff.ErrNotFound] if the account has no such session.
func (db *DB) EndOwn(ctx context.Context, who staff.Account, id string) error {
	return db.write(ctx, "end own session", func(tx *Tx) error {
		n, err := tx.Exec(`DELETE FROM session WHERE account = $1 AND hash = $2`, int64(who.ID), sessionHash(id))
		if err == nil && n == 0 {
			return staff.ErrNotFound
		}
		if err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "session.end", Target: "one", Outcome: "done"})
	})
}

// EndOthers ends all sessions of an account but the one with this id, tokens too.
func (db *DB) EndOthers(ctx context.Context, who staff.Account, id string) error {
	return db.write(ctx, "end other sessions", func(tx *Tx) error {
		if _, err := tx.Exec(`DELETE FROM session WHERE account = $1 AND hash <> $2`, int64(who.ID), sessionHash(id)); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "session.end", Target: "others", Outcome: "done"})
	})
}

// endOtherBrowsers signs an account out elsewhere, because what it signs in by has changed. Tokens prove themselves, and stay.
func endOtherBrowsers(tx *Tx, account staff.AccountID, keep string) error {
	if _, err := tx.Exec(`DELETE FROM session WHERE account = $1 AND kind = $2 AND hash <> $3`, int64(account), SessionBrowser, sessionHash(keep)); err != nil {
		return fmt.Errorf("end the other sessions: %w", err)
	}
	return nil
}

// Ask keeps what a browser has been asked, for ttl of machine time, and gives out the secret under which the answer comes. account is 0
// while nobody is known.
func (db *DB) Ask(ctx context.Context, kind string, account staff.AccountID, data []byte, ttl time.Duration) (secret string, err error) {
	secret = newSecret()
	return secret, db.write(ctx, "ask a browser", func(tx *Tx) error {
		if _, err := tx.Exec(`DELETE FROM ceremony WHERE expires_at <= $1`, tx.machine); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO ceremony (hash, kind, account, data, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			hashSecret(secret), kind, int64(account), string(data), tx.machine+ttl.Milliseconds())
		return err
	})
}

// Asked gives back what a browser was asked, once; [staff.ErrSignIn] if it is unknown, answered, or too old.
func (db *DB) Asked(ctx context.Context, kind string, account staff.AccountID, secret string) (data []byte, err error) {
	err = db.write(ctx, "take an answer", func(tx *Tx) error {
		var text string
		err := tx.QueryRow(`DELETE FROM ceremony WHERE hash = $1 AND kind = $2 AND account = $3 AND expires_at > $4 RETURNING data`,
			hashSecret(secret), kind, int64(account), tx.machine).Scan(&text)
		data = []byte(text)
		return notFound(err, staff.ErrSignIn)
	})
	return data, err
}
