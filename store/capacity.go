package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// evidenceDays is how far back the pacer looks at what a team did.
const evidenceDays = 28

// SetWorker declares when somebody works, how long a first contact takes them, and how many people they may carry: Places is the
// caseload limit itself here, negative for none. ID, Name, Senior and Leave are not looked at.
func (db *DB) SetWorker(ctx context.Context, who staff.Account, account staff.AccountID, w throttle.Worker) error {
	return db.editCapacity(ctx, who, account, "worker.set", func(tx *Tx, a staff.Account) error {
		return setWorker(tx, a, w)
	})
}

// AddLeave notes when somebody is away and gives the leave an id.
func (db *DB) AddLeave(ctx context.Context, who staff.Account, account staff.AccountID, leave throttle.Span) (id int64, err error) {
	id = db.newID()
	return id, db.editCapacity(ctx, who, account, "leave.add", func(tx *Tx, a staff.Account) error {
		return addLeave(tx, id, a.ID, leave)
	})
}

// RemoveLeave takes a leave back; one that is gone already is no error.
func (db *DB) RemoveLeave(ctx context.Context, who staff.Account, account staff.AccountID, leave throttle.Span) error {
	return db.editCapacity(ctx, who, account, "leave.remove", func(tx *Tx, a staff.Account) error {
		_, err := tx.Exec(`DELETE FROM leave WHERE account = $1 AND from_at = $2 AND to_at = $3`, int64(a.ID), leave.From.UnixMilli(), leave.To.UnixMilli())
		return err
	})
}

// editCapacity asks whether who may change what an account declares, changes it, and writes down both.
func (db *DB) editCapacity(ctx context.Context, who staff.Account, account staff.AccountID, action string, change func(*Tx, staff.Account) error) error {
	var refusal error
	err := db.write(ctx, action, func(tx *Tx) error {
		a, err := accountOf(tx, account)
		if err != nil && !errors.Is(err, staff.ErrNotFound) {
			return err
		}
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: action, Target: fmt.Sprintf("account %d", account), Outcome: "done"}
		if refusal = staff.May(who, staff.EditCapacity, a.Network); refusal != nil {
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

func setWorker(tx *Tx, a staff.Account, w throttle.Worker) error {
	switch {
	case !a.Role.Answers():
		return fmt.Errorf("%s is no link worker: only those who make first contacts have hours on the roster", a.Role.Words())
	case !(w.FirstContact >= 0 && w.FirstContact <= 1):
		return errors.New("the share of the hours kept for first contacts must be between 0 and 1")
	case !(w.Minutes > 0 && w.Minutes <= 24*60):
		return errors.New("a first contact must take some minutes, and no more than a day")
	}
	for _, h := range w.Week {
		if h.From < 0 || h.To > 24*60 || h.From > h.To {
			return errors.New("working hours must start before they end, on the same day")
		}
	}
	week, err := json.Marshal(w.Week)
	if err != nil {
		return fmt.Errorf("write the week: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO worker (account, week, first_contact, minutes, places)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account) DO UPDATE
		SET week = excluded.week, first_contact = excluded.first_contact, minutes = excluded.minutes, places = excluded.places`,
		int64(a.ID), string(week), w.FirstContact, w.Minutes, max(w.Places, -1))
	if err != nil {
		return fmt.Errorf("set worker: %w", err)
	}
	return nil
}

func addLeave(tx *Tx, id int64, account staff.AccountID, leave throttle.Span) error {
	if !leave.From.Before(leave.To) {
		return errors.New("a leave must start before it ends")
	}
	_, err := tx.Exec(`
		INSERT INTO leave (id, account, from_at, to_at)
		VALUES ($1, $2, $3, $4)`,
		id, int64(account), leave.From.UnixMilli(), leave.To.UnixMilli())
	if err != nil {
		return fmt.Errorf("add leave: %w", err)
	}
	return nil
}

// Workers is a team's roster as the pacer sees it: Places are what is left under the caseload limits. ID is the account's, in decimal.
func (db *DB) Workers(ctx context.Context, team staff.TeamID) (all []throttle.Worker, err error) {
	err = db.read(ctx, "workers", func(tx *Tx) error {
		all, err = workers(tx, team, true)
		return err
	})
	return all, err
}

// Capacity is what a team has declared: Places are the caseload limits themselves. [DB.SetCapacity] takes it back.
func (db *DB) Capacity(ctx context.Context, team staff.TeamID) (t staff.Team, all []throttle.Worker, err error) {
	err = db.read(ctx, "capacity", func(tx *Tx) error {
		if t, err = teamOf(tx, team); err != nil {
			return err
		}
		all, err = workers(tx, team, false)
		return err
	})
	return t, all, err
}

// Rostered is how the pacer would see a team if it declared a roster: names and who is senior are the accounts', Places what would be left
// under the limits. Whoever is no account of the team that can sign in is left out. It changes nothing.
func (db *DB) Rostered(ctx context.Context, team staff.TeamID, declared []throttle.Worker) (all []throttle.Worker, err error) {
	err = db.read(ctx, "rostered", func(tx *Tx) error {
		people, err := list(tx, func(r scanner, w *throttle.Worker) error {
			var name, role string
			if err := r.Scan(&w.ID, &name, &role); err != nil {
				return err
			}
			w.Name, w.Senior = firstName(name), staff.Role(role) == staff.SeniorLinkWorker
			return nil
		}, `
			SELECT CAST(a.id AS TEXT), a.name, a.role
			FROM account a
			JOIN team t ON t.id = a.team AND t.network = a.network
			WHERE t.id = $1 AND a.disabled_at = 0
			ORDER BY a.id`, int64(team))
		if err != nil {
			return fmt.Errorf("read who is in the team: %w", err)
		}
		all = nil
		for _, p := range people {
			for _, w := range declared {
				if w.ID == p.ID {
					w.Name, w.Senior = p.Name, p.Senior
					all = append(all, w)
				}
			}
		}
		at := make(map[string]*throttle.Worker, len(all))
		for i := range all {
			at[all[i].ID] = &all[i]
		}
		return takePlaces(tx, team, at)
	})
	return all, err
}

// CallTimes lists the first contacts that a team's people made since an instant. What was handed on afterwards is left out: nobody knows any
// more who had it then.
func (db *DB) CallTimes(ctx context.Context, team staff.TeamID, since time.Time) (all []selfrefer.CallTime, err error) {
	err = db.read(ctx, "call times", func(tx *Tx) error {
		all, err = callTimes(tx, team, since)
		return err
	})
	return all, err
}

func callTimes(tx *Tx, team staff.TeamID, since time.Time) ([]selfrefer.CallTime, error) {
	all, err := list(tx, func(r scanner, c *selfrefer.CallTime) error {
		var by, taken, spoken int64
		err := r.Scan(&by, &taken, &spoken)
		c.By, c.Taken, c.Spoken = staff.AccountID(by), timeOf(taken), timeOf(spoken)
		return err
	}, `
		SELECT claimed_by, claimed_at, contacted_at
		FROM referral
		WHERE team = $1 AND contacted_at >= $2 AND contacted_at > 0 AND claimed_by <> 0 AND claimed_at <= contacted_at
		ORDER BY contacted_at`, int64(team), since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read how long first contacts took: %w", err)
	}
	return all, nil
}

// firstName is what a sentence calls somebody.
func firstName(name string) string {
	name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
	return name
}

// SetCapacity replaces a team's roster and leave: whoever is not in it has no hours any more. IDs are accounts of the team.
func (db *DB) SetCapacity(ctx context.Context, who staff.Account, team staff.TeamID, roster []throttle.Worker) error {
	var refusal error
	err := db.write(ctx, "set capacity", func(tx *Tx) error {
		t, err := teamOf(tx, team)
		if err != nil && !errors.Is(err, staff.ErrNotFound) {
			return err
		}
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.EditCapacity), Target: fmt.Sprintf("team %d", team), Outcome: "done"}
		if refusal = staff.May(who, staff.EditCapacity, t.Network); refusal != nil {
			entry.Outcome = "denied"
			return db.audit(tx, entry)
		}
		for _, table := range []string{"worker", "leave"} {
			if _, err := tx.Exec(`DELETE FROM `+table+` WHERE account IN (SELECT id FROM account WHERE team = $1 AND network = $2)`, int64(team), int64(t.Network)); err != nil {
				return fmt.Errorf("clear the roster: %w", err)
			}
		}
		for _, w := range roster {
			id, err := strconv.ParseInt(w.ID, 10, 64)
			if err != nil {
				return fmt.Errorf("there is no account %q in this team", w.ID)
			}
			a, err := accountOf(tx, staff.AccountID(id))
			if err != nil && !errors.Is(err, staff.ErrNotFound) {
				return err
			}
			if err != nil || a.Team != team || a.Network != t.Network {
				return fmt.Errorf("there is no account %q in this team", w.ID)
			}
			if err := setWorker(tx, a, w); err != nil {
				return err
			}
			for _, l := range w.Leave {
				if err := addLeave(tx, db.newID(), a.ID, l); err != nil {
					return err
				}
			}
		}
		return db.audit(tx, entry)
	})
	return errors.Join(err, refusal)
}

// workers reads the roster of those who can sign in. With left, Places are reduced by the people whom each worker carries now.
func workers(tx *Tx, team staff.TeamID, left bool) ([]throttle.Worker, error) {
	all, err := list(tx, func(r scanner, w *throttle.Worker) error {
		var name, week, role string
		if err := r.Scan(&w.ID, &name, &role, &week, &w.FirstContact, &w.Minutes, &w.Places); err != nil {
			return err
		}
		w.Name = firstName(name)
		w.Senior = staff.Role(role) == staff.SeniorLinkWorker
		if err := json.Unmarshal([]byte(week), &w.Week); err != nil {
			return fmt.Errorf("read the week of account %s: %w", w.ID, err)
		}
		return nil
	}, `
		SELECT CAST(a.id AS TEXT), a.name, a.role, w.week, w.first_contact, w.minutes, w.places
		FROM account a
		JOIN worker w ON w.account = a.id
		JOIN team t ON t.id = a.team AND t.network = a.network
		WHERE t.id = $1 AND a.disabled_at = 0
		ORDER BY a.id`, int64(team))
	if err != nil {
		return nil, fmt.Errorf("read the roster: %w", err)
	}
	at := make(map[string]*throttle.Worker, len(all))
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	rows, err := tx.Query(`
		SELECT CAST(l.account AS TEXT), l.from_at, l.to_at
		FROM leave l
		JOIN account a ON a.id = l.account
		JOIN team t ON t.id = a.team AND t.network = a.network
		WHERE t.id = $1 AND l.to_at > $2
		ORDER BY l.from_at, l.id`, int64(team), tx.now)
	if err != nil {
		return nil, fmt.Errorf("read the leave: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var from, to int64
		if err := rows.Scan(&id, &from, &to); err != nil {
			return nil, err
		}
		if w := at[id]; w != nil {
			w.Leave = append(w.Leave, throttle.Span{From: timeOf(from), To: timeOf(to)})
		}
	}
	if err := rows.Err(); err != nil || !left {
		return all, err
	}
	_ = rows.Close()
	return all, takePlaces(tx, team, at)
}

// takePlaces reduces the limits by the people who are in somebody's hands.
func takePlaces(tx *Tx, team staff.TeamID, at map[string]*throttle.Worker) error {
	rows, err := tx.Query(`
		SELECT CAST(r.claimed_by AS TEXT), COUNT(*)
		FROM team t
		JOIN referral r ON r.network = t.network
		WHERE t.id = $1 AND r.state IN ('claimed', 'contacting', 'in_support')
		GROUP BY r.claimed_by`, int64(team))
	if err != nil {
		return fmt.Errorf("count caseloads: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return err
		}
		if w := at[id]; w != nil && w.Places >= 0 {
			w.Places = max(w.Places-n, 0)
		}
	}
	return rows.Err()
}

// teamPolicy is what people decided for a team: the promise and the roster. The campaigns are added by whoever knows them. Every real team
// needs a senior on its roster; it is nobody's to switch off.
func (db *DB) teamPolicy(tx *Tx, team staff.TeamID) (throttle.TeamPolicy, staff.Team, error) {
	t, err := teamOf(tx, team)
	if err != nil {
		return throttle.TeamPolicy{}, t, err
	}
	roster, err := workers(tx, team, true)
	return throttle.TeamPolicy{PromiseDays: t.PromiseDays, NeedSenior: true, Roster: roster}, t, err
}

// teamState is what a team has before it and what it did lately, without its campaigns. Its cost grows with the queue and the hours,
// never with the lists.
func (db *DB) teamState(tx *Tx, team staff.TeamID) (s throttle.TeamState, err error) {
	var oldest int64
	err = tx.QueryRow(`
		SELECT COUNT(*), COALESCE(SUM(CASE WHEN urgent THEN 1 ELSE 0 END), 0), COALESCE(MIN(due_at), 0)
		FROM referral
		WHERE team = $1 AND state IN ('new', 'claimed', 'contacting') AND contacted_at = 0`,
		int64(team)).Scan(&s.Waiting, &s.Urgent, &oldest)
	if err != nil {
		return s, fmt.Errorf("count who waits: %w", err)
	}
	s.OldestDue = timeOf(oldest)
	since := hourOf(tx.now - (evidenceDays * 24 * time.Hour).Milliseconds())
	if s.Other, err = hourCounts(tx, int64(team), tallyOther, since); err != nil {
		return s, err
	}
	s.Contacts, err = hourCounts(tx, int64(team), tallyContact, since)
	return s, err
}

func hourCounts(tx *Tx, owner int64, kind string, since int64) ([]throttle.Count, error) {
	all, err := list(tx, func(r scanner, c *throttle.Count) error {
		var hour int64
		err := r.Scan(&hour, &c.N)
		c.At = tx.middleOf(hour)
		return err
	}, `
		SELECT hour, CAST(SUM(n) AS BIGINT)
		FROM tally
		WHERE owner = $1 AND kind = $2 AND hour >= $3
		GROUP BY hour
		HAVING SUM(n) <> 0 -- what was undone has not been
		ORDER BY hour`, owner, kind, since)
	if err != nil {
		return nil, fmt.Errorf("count %s by hour: %w", kind, err)
	}
	return all, nil
}
