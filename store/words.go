package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

var (
	_ selfrefer.Editor       = (*DB)(nil)
	_ selfrefer.Surroundings = (*DB)(nil)
)

// Edition reads a network's words to be changed: as they are now, not as they were a minute ago.
func (db *DB) Edition(ctx context.Context, n staff.NetworkID) (e selfrefer.Edition, err error) {
	err = db.read(ctx, "words of a network", func(tx *Tx) error {
		e, err = edition(tx, n, "")
		return err
	})
	return e, err
}

func edition(tx *Tx, n staff.NetworkID, lock string) (e selfrefer.Edition, err error) {
	var words, before string
	var at int64
	err = tx.QueryRow(`SELECT version, words, before, changed_by, changed_at FROM words WHERE network = $1`+lock, int64(n)).
		Scan(&e.Version, &words, &before, (*int64)(&e.By), &at)
	if errors.Is(err, sql.ErrNoRows) {
		return selfrefer.Edition{}, nil
	}
	if err != nil {
		return e, err
	}
	e.At = timeOf(at)
	if err := json.Unmarshal([]byte(words), &e.Words); err != nil {
		return e, fmt.Errorf("read the words of network %d: %w", n, err)
	}
	if err := json.Unmarshal([]byte(before), &e.Before); err != nil {
		return e, fmt.Errorf("read the earlier words of network %d: %w", n, err)
	}
	return e, nil
}

// SetWords puts words in the place of those of a version, unless somebody was quicker.
func (db *DB) SetWords(ctx context.Context, who staff.Account, version int64, w selfrefer.Words) (e selfrefer.Edition, err error) {
	w, faults := w.Check()
	if len(faults) > 0 {
		return e, fmt.Errorf("these words cannot be shown to patients: %s", faults[0].Sentence)
	}
	words, err := json.Marshal(w)
	if err != nil {
		return e, fmt.Errorf("write the words: %w", err)
	}
	var refusal error
	err = db.write(ctx, "set words", func(tx *Tx) error {
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.EditWords), Target: "words", Outcome: "done"}
		if refusal = staff.May(who, staff.EditWords, who.Network); refusal != nil {
			entry.Outcome = "denied"
			return db.audit(tx, entry)
		}
		now, err := edition(tx, who.Network, db.engine.lockClause())
		if err != nil {
			return err
		}
		if now.Version != version {
			refusal = selfrefer.ErrChanged
			return nil
		}
		before, err := json.Marshal(now.Words)
		if err != nil {
			return fmt.Errorf("write the earlier words: %w", err)
		}
		// Two who are the first at once meet at the key: the second finds a row of another version.
		n, err := tx.Exec(`
			INSERT INTO words (network, version, words, before, changed_by, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (network) DO UPDATE
			SET version = excluded.version, words = excluded.words, before = excluded.before, changed_by = excluded.changed_by, changed_at = excluded.changed_at
			WHERE words.version = $7`,
			int64(who.Network), version+1, string(words), string(before), int64(who.ID), tx.now, version)
		if err != nil {
			return fmt.Errorf("set words: %w", err)
		}
		if n == 0 {
			refusal = selfrefer.ErrChanged
			return nil
		}
		e = selfrefer.Edition{Words: w, Before: now.Words, Version: version + 1, By: who.ID, At: timeOf(tx.now)}
		entry.Target = fmt.Sprintf("words %d: %s", e.Version, w.Summary())
		return db.audit(tx, entry)
	})
	if err = errors.Join(err, refusal); err != nil {
		return selfrefer.Edition{}, err
	}
	db.words.forget(who.Network)
	return e, nil
}

// WordsOf are a network's words as its patients read them: up to a minute old where another process has changed them.
func (db *DB) WordsOf(ctx context.Context, n staff.NetworkID) (selfrefer.Words, error) {
	if n == 0 { // nobody knows whose patient it is
		return selfrefer.Words{}, nil
	}
	return db.words.get(db.cfg.Machine(), db.log, n, func() (selfrefer.Words, error) {
		e, err := db.Edition(ctx, n)
		return e.Words, err
	})
}

// posted is where a referral would go.
type posted struct {
	network staff.NetworkID
	team    staff.TeamID
}

// DutyOf tells when somebody of a team is at work who may see every referral. A team that is not the network's has nobody.
func (db *DB) DutyOf(ctx context.Context, n staff.NetworkID, team staff.TeamID) (selfrefer.Duty, error) {
	roster, err := db.rosters.get(db.cfg.Machine(), db.log, posted{n, team}, func() (all []throttle.Worker, err error) {
		err = db.read(ctx, "who is on duty", func(tx *Tx) error {
			all = nil
			at := staff.Team{ID: team, Network: n}
			if team == 0 { // where a form without a link goes
				var o origin
				if err := o.homeless(tx, n); err != nil {
					return err
				}
				at = o.matched.Team
			}
			all, err = answerers(tx, at)
			return err
		})
		return all, err
	})
	if err != nil {
		return selfrefer.Duty{}, err
	}
	return throttle.OnDuty(db.Calendar, roster, db.cfg.Now()), nil
}

// answerers is a team's roster without those who may not see urgent referrals: to somebody in danger they are nobody.
func answerers(tx *Tx, team staff.Team) ([]throttle.Worker, error) {
	all, err := workers(tx, team.ID, false)
	if err != nil {
		return nil, err
	}
	sees, err := list(tx, func(r scanner, id *string) error {
		var a staff.Account
		if err := r.Scan(id, (*int64)(&a.ID), (*string)(&a.Role)); err != nil {
			return err
		}
		if a.Network = team.Network; staff.May(a, staff.ViewUrgent, team.Network) != nil {
			*id = ""
		}
		return nil
	}, `SELECT CAST(id AS TEXT), id, role FROM account WHERE team = $1 AND network = $2`, int64(team.ID), int64(team.Network))
	if err != nil {
		return nil, fmt.Errorf("read who sees urgent referrals: %w", err)
	}
	var out []throttle.Worker
	for _, w := range all {
		for _, id := range sees {
			if id == w.ID {
				out = append(out, w)
			}
		}
	}
	return out, nil
}

// pageAge is how old what pages show may be, in machine time; what cannot be read again is shown for longer.
const pageAge = time.Minute

// remembered spares pages a query each. It holds one value for each network or team.
type remembered[K comparable, T any] struct {
	mu   sync.Mutex
	all  map[K]kept[T]
	news int64 // counts what was forgotten: a value read before that is not kept
}

type kept[T any] struct {
	value T
	until time.Time // machine
}

// get gives what is remembered, and reads it when it is too old. One caller reads; the others go on with the old value, and so do all when
// it cannot be read.
func (m *remembered[K, T]) get(now time.Time, log *slog.Logger, key K, read func() (T, error)) (T, error) {
	m.mu.Lock()
	old, found := m.all[key]
	if found && now.Before(old.until) && old.until.Sub(now) <= pageAge {
		m.mu.Unlock()
		return old.value, nil
	}
	if found {
		m.all[key] = kept[T]{old.value, now.Add(5 * time.Second)} // the longest that one waits until another tries
	}
	news := m.news
	m.mu.Unlock()
	value, err := read()
	if err != nil && found {
		log.Warn("cannot read again what patients' pages show; the old stays", "error", err)
		return old.value, nil
	}
	if err != nil {
		return value, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if news == m.news {
		if m.all == nil {
			m.all = map[K]kept[T]{}
		}
		m.all[key] = kept[T]{value, now.Add(pageAge)}
	}
	return value, nil
}

func (m *remembered[K, T]) forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, key)
	m.news++
}
