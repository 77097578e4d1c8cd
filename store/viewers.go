package store

import (
	"context"
	"fmt"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// checkPractices refuses an account whose practices are none of its network, or that may have none.
func checkPractices(tx *Tx, a staff.Account) error {
	codes := a.PracticeCodes()
	if len(codes) == 0 {
		return nil
	}
	if a.Role != staff.PracticeViewer {
		return staff.ErrPractice
	}
	args := []any{int64(a.Network)}
	for _, code := range codes {
		args = append(args, code)
	}
	var n int
	err := tx.QueryRow(`SELECT COUNT(*) FROM practice WHERE network = $1 AND ods IN `+tx.engine.placeholders(1, 1, len(codes)), args...).Scan(&n)
	if err == nil && n != len(codes) {
		return staff.ErrPractice
	}
	return err
}

// SetPractices says whose practice viewer an account is from now on; what is of others does not exist for it any more.
func (db *DB) SetPractices(ctx context.Context, who staff.Account, account staff.AccountID, ods []string) error {
	return db.manage(ctx, who, account, "account.practices", func(tx *Tx, a staff.Account) error {
		if a.Role != staff.PracticeViewer {
			return staff.ErrPractice
		}
		a = a.WithPractices(ods)
		if err := checkPractices(tx, a); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE account SET practices = $1 WHERE id = $2`, a.Practices, int64(a.ID)); err != nil {
			return fmt.Errorf("write the practices: %w", err)
		}
		return nil
	})
}
