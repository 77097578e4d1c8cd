package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// scanner is a row of a query, or the only one.
type scanner interface{ Scan(dest ...any) error }

// CreateNetwork makes a network with its practices and gives it its id.
func (db *DB) CreateNetwork(ctx context.Context, n staff.Network) (staff.Network, error) {
	n.ID = staff.NetworkID(db.newID())
	err := db.write(ctx, "create network", func(tx *Tx) error {
		_, err := tx.Exec(`
			INSERT INTO network (id, name, sender, link_host, phone, text_back, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			int64(n.ID), n.Name, n.Sender, n.LinkHost, n.Phone, !n.NoTextBack, tx.now)
		if err != nil {
			return fmt.Errorf("create network: %w", err)
		}
		if err := addPractices(tx, n.ID, n.Practices); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: n.ID, Action: "network.create", Target: fmt.Sprintf("network %d", n.ID), Outcome: "done"})
	})
	return n, err
}

// SetTextBack decides whether those who send a network's form get a text back, if they say that it is safe. It counts within seconds.
func (db *DB) SetTextBack(ctx context.Context, n staff.NetworkID, on bool) error {
	return db.write(ctx, "set text back", func(tx *Tx) error {
		if _, err := tx.Exec(`UPDATE network SET text_back = $1 WHERE id = $2`, on, int64(n)); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: n, Action: "network.text_back", Target: fmt.Sprintf("network %d", n), Outcome: map[bool]string{true: "on", false: "off"}[on]})
	})
}

// SetOnePerson decides whether whoever submits a campaign of at most [campaign.OnePersonMost] people may approve it too.
func (db *DB) SetOnePerson(ctx context.Context, n staff.NetworkID, on bool) error {
	return db.write(ctx, "set one person", func(tx *Tx) error {
		if _, err := tx.Exec(`UPDATE network SET one_person = $1 WHERE id = $2`, on, int64(n)); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: n, Action: "network.one_person", Target: fmt.Sprintf("network %d", n), Outcome: map[bool]string{true: "on", false: "off"}[on]})
	})
}

// AddPractices adds practices to a network, or brings the name and number of known ones up to date.
func (db *DB) AddPractices(ctx context.Context, n staff.NetworkID, practices []staff.Practice) error {
	return db.write(ctx, "add practices", func(tx *Tx) error {
		if err := addPractices(tx, n, practices); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: n, Action: "practices.add", Target: fmt.Sprintf("network %d", n), Outcome: "done"})
	})
}

func addPractices(tx *Tx, n staff.NetworkID, practices []staff.Practice) error {
	for _, p := range practices {
		_, err := tx.Exec(`
			INSERT INTO practice (network, ods, name, phone)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (network, ods) DO UPDATE SET name = excluded.name, phone = excluded.phone`,
			int64(n), p.ODS, p.Name, p.Phone)
		if err != nil {
			return fmt.Errorf("add practice %s: %w", p.ODS, err)
		}
	}
	return nil
}

// Network reads a network with its practices.
func (db *DB) Network(ctx context.Context, id staff.NetworkID) (n staff.Network, err error) {
	err = db.read(ctx, "network", func(tx *Tx) error {
		n, err = db.network(tx, id)
		return err
	})
	return n, err
}

func (db *DB) network(tx *Tx, id staff.NetworkID) (staff.Network, error) {
	all, err := networks(tx, `WHERE id = $1`, int64(id))
	if err == nil && len(all) == 0 {
		err = staff.ErrNotFound
	}
	if err != nil {
		return staff.Network{}, err
	}
	return all[0], nil
}

// Networks lists all networks, the first made first.
func (db *DB) Networks(ctx context.Context) (all []staff.Network, err error) {
	err = db.read(ctx, "networks", func(tx *Tx) error {
		all, err = networks(tx, ``)
		return err
	})
	return all, err
}

func networks(tx *Tx, where string, args ...any) (all []staff.Network, err error) {
	all, err = list(tx, func(r scanner, n *staff.Network) error {
		return r.Scan((*int64)(&n.ID), &n.Name, &n.Sender, &n.LinkHost, &n.Phone, &n.NoTextBack, &n.OnePerson)
	}, `SELECT id, name, sender, link_host, phone, NOT text_back, one_person FROM network `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Practices, err = list(tx, func(r scanner, p *staff.Practice) error {
			return r.Scan(&p.ODS, &p.Name, &p.Phone)
		}, `SELECT ods, name, phone FROM practice WHERE network = $1 ORDER BY ods`, int64(all[i].ID))
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// list reads all rows of a query.
func list[T any](tx *Tx, scan func(scanner, *T) error, query string, args ...any) (all []T, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// CreateTeam makes a team; a promise of 0 days means the usual two.
func (db *DB) CreateTeam(ctx context.Context, t staff.Team) (staff.Team, error) {
	t.ID = staff.TeamID(db.newID())
	if t.PromiseDays <= 0 {
		t.PromiseDays = 2
	}
	err := db.write(ctx, "create team", func(tx *Tx) error {
		_, err := tx.Exec(`
			INSERT INTO team (id, network, name, promise_days)
			VALUES ($1, $2, $3, $4)`,
			int64(t.ID), int64(t.Network), t.Name, t.PromiseDays)
		if err != nil {
			return fmt.Errorf("create team: %w", err)
		}
		return db.audit(tx, staff.Entry{Network: t.Network, Action: "team.create", Target: fmt.Sprintf("team %d", t.ID), Outcome: "done"})
	})
	return t, err
}

// NetworkTeams lists a network's teams, the first made first.
func (db *DB) NetworkTeams(ctx context.Context, n staff.NetworkID) (all []staff.Team, err error) {
	err = db.read(ctx, "teams", func(tx *Tx) error {
		all, err = list(tx, scanTeam, `SELECT `+teamColumns+` FROM team WHERE network = $1 ORDER BY id`, int64(n))
		return err
	})
	return all, err
}

// Team reads one team.
func (db *DB) Team(ctx context.Context, id staff.TeamID) (t staff.Team, err error) {
	err = db.read(ctx, "team", func(tx *Tx) error {
		t, err = teamOf(tx, id)
		return err
	})
	return t, err
}

const teamColumns = `id, network, name, promise_days`

func scanTeam(r scanner, t *staff.Team) error {
	return r.Scan((*int64)(&t.ID), (*int64)(&t.Network), &t.Name, &t.PromiseDays)
}

func teamOf(tx *Tx, id staff.TeamID) (t staff.Team, err error) {
	err = scanTeam(tx.QueryRow(`SELECT `+teamColumns+` FROM team WHERE id = $1`, int64(id)), &t)
	return t, notFound(err, staff.ErrNotFound)
}

// CreateAccount makes an account. The store keeps the password's hash and never sees the password; "" lets nobody sign in by one.
func (db *DB) CreateAccount(ctx context.Context, a staff.Account, passwordHash string) (staff.Account, error) {
	a.ID, a.Email = staff.AccountID(db.newID()), tidyEmail(a.Email)
	if a.Email == "" || a.Name == "" {
		return staff.Account{}, errors.New("an account needs an e-mail address and a name")
	}
	if _, err := staff.ParseRole(string(a.Role)); err != nil {
		return staff.Account{}, err
	}
	err := db.write(ctx, "create account", func(tx *Tx) error { return db.createAccount(tx, 0, a, passwordHash) })
	if err != nil {
		return staff.Account{}, err
	}
	return a, nil
}

// createAccount is CreateAccount within a transaction; by is who does it, 0 for whoever runs this computer.
func (db *DB) createAccount(tx *Tx, by staff.AccountID, a staff.Account, passwordHash string) error {
	if a.Team != 0 {
		t, err := teamOf(tx, a.Team)
		if err != nil {
			return err
		}
		if t.Network != a.Network {
			return staff.ErrNotFound
		}
	}
	if err := checkPractices(tx, a); err != nil {
		return err
	}
	disabled := int64(0)
	if a.Disabled {
		disabled = tx.now
	}
	n, err := tx.Exec(`
		INSERT INTO account (id, network, team, email, name, role, password, disabled_at, created_at, practices)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (email) DO NOTHING`,
		int64(a.ID), int64(a.Network), int64(a.Team), a.Email, a.Name, string(a.Role), passwordHash, disabled, tx.now, a.Practices)
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	if n == 0 {
		return staff.ErrEmailTaken
	}
	return db.audit(tx, staff.Entry{Network: a.Network, Account: by, Action: "account.create", Target: fmt.Sprintf("account %d", a.ID), Outcome: "done"})
}

func tidyEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

const accountColumns = `a.id, a.network, a.team, a.email, a.name, a.role, a.practices, a.disabled_at`

func scanAccount(r scanner, a *staff.Account, more ...any) error {
	var disabled int64
	err := r.Scan(append([]any{(*int64)(&a.ID), (*int64)(&a.Network), (*int64)(&a.Team), &a.Email, &a.Name, (*string)(&a.Role), &a.Practices, &disabled}, more...)...)
	a.Disabled = disabled != 0
	return err
}

// Account reads one account.
func (db *DB) Account(ctx context.Context, id staff.AccountID) (a staff.Account, err error) {
	err = db.read(ctx, "account", func(tx *Tx) error {
		a, err = accountOf(tx, id)
		return err
	})
	return a, err
}

func accountOf(tx *Tx, id staff.AccountID) (a staff.Account, err error) {
	err = scanAccount(tx.QueryRow(`SELECT `+accountColumns+` FROM account a WHERE a.id = $1`, int64(id)), &a)
	return a, notFound(err, staff.ErrNotFound)
}

// Accounts lists a network's accounts by name.
func (db *DB) Accounts(ctx context.Context, n staff.NetworkID) (all []staff.Account, err error) {
	err = db.read(ctx, "accounts", func(tx *Tx) error {
		all, err = list(tx, func(r scanner, a *staff.Account) error { return scanAccount(r, a) },
			`SELECT `+accountColumns+` FROM account a WHERE a.network = $1 ORDER BY a.name, a.id`, int64(n))
		return err
	})
	return all, err
}

// AccountByEmail finds who wants to sign in, with the hash of the password; [staff.ErrSignIn] if there is nobody. A disabled
// account is found too: whoever signs people in checks it after the password, so that the answer tells a stranger nothing.
func (db *DB) AccountByEmail(ctx context.Context, email string) (a staff.Account, passwordHash string, err error) {
	err = db.read(ctx, "account by e-mail", func(tx *Tx) error {
		err := scanAccount(tx.QueryRow(`SELECT `+accountColumns+`, a.password FROM account a WHERE a.email = $1`, tidyEmail(email)), &a, &passwordHash)
		return notFound(err, staff.ErrSignIn)
	})
	return a, passwordHash, err
}

// Audit writes one line of the audit on its own: a refusal, or something that changes no row.
func (db *DB) Audit(ctx context.Context, e staff.Entry) error {
	return db.write(ctx, "audit", func(tx *Tx) error { return db.audit(tx, e) })
}

// audit writes a line within the transaction that does what the line says, at the transaction's civil time.
func (db *DB) audit(tx *Tx, e staff.Entry) error {
	_, err := tx.Exec(`
		INSERT INTO audit (id, at, network, account, action, target, outcome)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		db.newID(), tx.now, int64(e.Network), int64(e.Account), e.Action, e.Target, e.Outcome)
	if err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
}

// AuditEntries lists a network's audit, newest first. after is what the previous call gave as next, 0 for the start; next is 0 at the end.
func (db *DB) AuditEntries(ctx context.Context, n staff.NetworkID, after int64, limit int) (all []staff.Entry, next int64, err error) {
	type line struct {
		id int64
		staff.Entry
	}
	err = db.read(ctx, "audit entries", func(tx *Tx) error {
		all, next = nil, 0
		lines, err := list(tx, func(r scanner, l *line) error {
			var at int64
			err := r.Scan(&l.id, &at, (*int64)(&l.Network), (*int64)(&l.Account), &l.Action, &l.Target, &l.Outcome)
			l.At = timeOf(at)
			return err
		}, `
			SELECT id, at, network, account, action, target, outcome
			FROM audit
			WHERE network = $1 AND (id < $2 OR $2 = 0)
			ORDER BY id DESC
			LIMIT $3`, int64(n), after, limit)
		for _, l := range lines {
			all = append(all, l.Entry)
		}
		if len(lines) == limit && limit > 0 {
			next = lines[limit-1].id
		}
		return err
	})
	return all, next, err
}
