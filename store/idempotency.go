package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// callPlace is the row that a sealed answer belongs to.
func callPlace(who staff.Account, key []byte) string {
	return fmt.Sprintf("%d %s", who.ID, hex.EncodeToString(key))
}

// BeginCall takes a call's key for it and fills in its Holder, or gives what the call was answered before; then nothing must be done.
// [staff.ErrCallRuns] while the first one runs. An answer about a referral that the caller may not open any more stays shut, as the referral does.
func (db *DB) BeginCall(ctx context.Context, who staff.Account, c *staff.Call) (before *staff.Answer, err error) {
	key, holder := hashSecret(c.Key), []byte(newSecret())
	err = db.write(ctx, "begin a call", func(tx *Tx) error {
		before = nil
		// Whoever finds no row, or one whose time is over, writes their own in the same statement: of any number at once it is one.
		n, err := tx.Exec(`
			INSERT INTO idempotency (account, key_hash, holder, referral, until) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, key_hash) DO UPDATE SET holder = excluded.holder, referral = excluded.referral, until = excluded.until, request = NULL, answer = NULL
			WHERE idempotency.until <= $6`,
			int64(who.ID), key, holder, c.Referral, tx.machine+staff.CallLost.Milliseconds(), tx.machine)
		if err != nil || n == 1 {
			return err
		}
		var a staff.Answer
		var referral int64
		var sealed []byte
		if err := tx.QueryRow(`SELECT request, referral, answer FROM idempotency WHERE account = $1 AND key_hash = $2`, int64(who.ID), key).Scan(&a.Request, &referral, &sealed); err != nil {
			return notFound(err, staff.ErrCallRuns) // it has just been dropped: whoever sends it again takes it
		}
		if sealed == nil {
			return staff.ErrCallRuns
		}
		if referral != 0 {
			r, _, err := referralOf(tx, selfrefer.ReferralID(referral), "")
			if err != nil {
				return err
			}
			if refusal, err := db.mayView(tx, who, r); err != nil || refusal != nil {
				if err == nil {
					err = refusal
				}
				return err
			}
		}
		plain, err := db.sealer.open("idempotency", "answer", callPlace(who, key), sealed)
		if err != nil {
			return err
		}
		if json.Unmarshal(plain, &a) != nil {
			return fmt.Errorf("open an answer of account %d: it cannot be read", who.ID) // the error would quote it
		}
		before = &a
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.Holder = holder
	return before, nil
}

// CallRuns says that a call's process is alive: its key stays taken for another while.
func (db *DB) CallRuns(ctx context.Context, who staff.Account, c staff.Call) error {
	return db.write(ctx, "a call runs", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE idempotency SET until = $4 WHERE account = $1 AND key_hash = $2 AND holder = $3 AND answer IS NULL`,
			int64(who.ID), hashSecret(c.Key), c.Holder, tx.machine+staff.CallLost.Milliseconds())
		return err
	})
}

// EndCall keeps what a call was answered. If its key has been taken over meanwhile, the answer of whoever has it is the one that counts.
func (db *DB) EndCall(ctx context.Context, who staff.Account, c staff.Call, a staff.Answer) error {
	plain, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write an answer: %w", err)
	}
	key := hashSecret(c.Key)
	sealed, err := db.sealer.seal("idempotency", "answer", callPlace(who, key), plain)
	if err != nil {
		return err
	}
	return db.write(ctx, "end a call", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE idempotency SET request = $4, answer = $5, until = $6 WHERE account = $1 AND key_hash = $2 AND holder = $3 AND answer IS NULL`,
			int64(who.ID), key, c.Holder, a.Request, sealed, tx.machine+staff.CallKept.Milliseconds())
		return err
	})
}

// DropCall sets a call's key free: nothing was done.
func (db *DB) DropCall(ctx context.Context, who staff.Account, c staff.Call) error {
	return db.write(ctx, "drop a call", func(tx *Tx) error {
		_, err := tx.Exec(`DELETE FROM idempotency WHERE account = $1 AND key_hash = $2 AND holder = $3 AND answer IS NULL`, int64(who.ID), hashSecret(c.Key), c.Holder)
		return err
	})
}

const oldCalls = `DELETE FROM idempotency WHERE (account, key_hash) IN (SELECT account, key_hash FROM idempotency WHERE until <= $1 LIMIT 500)`

// PurgeCalls forgets the keys whose time is over, and returns how many.
func (db *DB) PurgeCalls(ctx context.Context) (n int64, err error) {
	return db.purgeAll(ctx, oldCalls, func(tx *Tx) int64 { return tx.machine })
}
