package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// draftLife is how long unfinished answers are kept, in machine time.
const draftLife = 7 * 24 * time.Hour

// draftKey needs both the browser's secret and the link: who has only one of them finds nothing.
func draftKey(secret string, tokenHash []byte) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d:%s", len(secret), secret)
	_, _ = h.Write(tokenHash)
	return h.Sum(nil)
}

// SaveDraft keeps unfinished answers for the browser that knows the secret, in place of what it kept before. tokenHash is the link's,
// nil for the general form.
func (db *DB) SaveDraft(ctx context.Context, secret string, tokenHash []byte, a selfrefer.Answers) error {
	if secret == "" {
		return errors.New("save a draft: the browser has no secret")
	}
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write a draft: %w", err)
	}
	key := draftKey(secret, tokenHash)
	sealed, err := db.sealer.seal("draft", "answers", string(key), b)
	if err != nil {
		return err
	}
	if tokenHash == nil {
		tokenHash = []byte{}
	}
	return db.write(ctx, "save draft", func(tx *Tx) error {
		_, err := tx.Exec(`
			INSERT INTO draft (hash, token, answers, updated_at)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (hash) DO UPDATE
			SET answers = excluded.answers, updated_at = excluded.updated_at`,
			key, tokenHash, sealed, tx.machine)
		return err
	})
}

// Draft gives a browser its unfinished answers back; found is false if there are none, or they are too old.
func (db *DB) Draft(ctx context.Context, secret string, tokenHash []byte) (a selfrefer.Answers, found bool, err error) {
	key := draftKey(secret, tokenHash)
	var sealed []byte
	err = db.read(ctx, "draft", func(tx *Tx) error {
		return tx.QueryRow(`
			SELECT answers
			FROM draft
			WHERE hash = $1 AND updated_at > $2`, key, tx.machine-draftLife.Milliseconds()).Scan(&sealed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return a, false, nil
	}
	if err != nil {
		return a, false, fmt.Errorf("read a draft: %w", err)
	}
	b, err := db.sealer.open("draft", "answers", string(key), sealed)
	if err != nil {
		return a, false, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return selfrefer.Answers{}, false, errors.New("read a draft: it cannot be read") // the error would quote it
	}
	return a, true, nil
}

// DropDraft forgets unfinished answers: the form was sent, or the person asked for it.
func (db *DB) DropDraft(ctx context.Context, secret string, tokenHash []byte) error {
	return db.write(ctx, "drop draft", func(tx *Tx) error {
		_, err := tx.Exec(`DELETE FROM draft WHERE hash = $1`, draftKey(secret, tokenHash))
		return err
	})
}

// PurgeDrafts removes drafts that are older than seven days and returns how many there were.
func (db *DB) PurgeDrafts(ctx context.Context) (n int64, err error) {
	err = db.write(ctx, "purge drafts", func(tx *Tx) error {
		n, err = tx.Exec(`DELETE FROM draft WHERE updated_at <= $1`, tx.machine-draftLife.Milliseconds())
		return err
	})
	return n, err
}
