package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// openReferrals is written exactly as in the partial indexes, so that both engines use them.
const openReferrals = `state IN ('new', 'claimed', 'contacting')`

const doneReferrals = `state IN ('in_support', 'onward', 'closed', 'declined', 'unreachable', 'duplicate')`

const referralColumns = `id, network, team, campaign, reference, state, lane, urgent, source, not_matched, practice, language,
	received_at, due_at, claimed_by, claimed_at, contacted_at, attempts, closed_at, person`

func scanReferral(row scanner, r *selfrefer.Referral) (sealed []byte, err error) {
	var received, due, claimed, contacted, closed int64
	err = row.Scan((*int64)(&r.ID), (*int64)(&r.Network), (*int64)(&r.Team), &r.Campaign, &r.Reference, (*string)(&r.State), (*string)(&r.Lane), &r.Urgent,
		(*string)(&r.Source), &r.NotMatched, &r.Practice, &r.Language, &received, &due, (*int64)(&r.ClaimedBy), &claimed, &contacted, &r.Attempts, &closed, &sealed)
	r.Received, r.Due, r.ClaimedAt, r.Contacted, r.ClosedAt = timeOf(received), timeOf(due), timeOf(claimed), timeOf(contacted), timeOf(closed)
	return sealed, err
}

// openReferral fills in what is sealed: for a list only what the list shows.
func (db *DB) openReferral(r *selfrefer.Referral, sealed []byte, whole bool) error {
	var d referralDoc
	b, err := db.sealer.open("referral", "person", strconv.FormatInt(int64(r.ID), 10), sealed)
	if err != nil {
		return fmt.Errorf("open referral %d: %w", r.ID, err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("open referral %d: it cannot be read", r.ID) // the error would quote it
	}
	r.WhyUrgent, r.Name, r.Phone = d.WhyUrgent, d.Person.name(), d.Person.phone()
	r.Answers.Reasons, r.Answers.Said = d.Answers.Reasons, d.Answers.Said
	if whole {
		r.Answers, r.NHS, r.Born = d.Answers, d.Person.nhs(), d.Person.born()
	}
	return nil
}

// defaultLimit is how many referrals a page of the queue holds.
const defaultLimit = 50

// Queue lists a part of the queue with names and numbers, yet without answers. Open referrals come in the order of calling; the others newest
// first. Filter.Mine counts for the part "mine" alone; Filter.After is the id of the last referral of the page before.
func (db *DB) Queue(ctx context.Context, f selfrefer.Filter) (all []selfrefer.Referral, err error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	err = db.read(ctx, "queue", func(tx *Tx) error {
		all, err = db.queue(tx, f)
		return err
	})
	return all, err
}

// conditions collects a WHERE clause.
type conditions struct {
	sql  string
	args []any
}

// and adds a condition, whose ? stand for the values.
func (c conditions) and(cond string, values ...any) conditions {
	args := append(append([]any(nil), c.args...), values...)
	n := len(c.args)
	c.sql += " AND "
	for _, r := range cond {
		if r == '?' {
			n++
			c.sql += "$" + strconv.Itoa(n)
			continue
		}
		c.sql += string(r)
	}
	c.args = args
	return c
}

func (db *DB) queue(tx *Tx, f selfrefer.Filter) ([]selfrefer.Referral, error) {
	where := conditions{`network = $1`, []any{int64(f.Network)}}
	if f.Team != 0 {
		where = where.and(`team = ?`, int64(f.Team))
	}
	if f.NoUrgent {
		where = where.and(`urgent = ?`, false)
	}
	open := true
	switch f.State {
	case "", "open":
	case "mine":
		where = where.and(`claimed_by = ?`, int64(f.Mine))
	case "urgent":
		where = where.and(`urgent = ?`, true)
	case "unverified":
		where = where.and(`lane = ?`, string(selfrefer.Unverified))
	case "done":
		open = false
		where = where.and(doneReferrals)
	case string(selfrefer.New), string(selfrefer.Claimed), string(selfrefer.Contacting):
		where = where.and(`state = ?`, f.State)
	default:
		known := false
		for _, s := range selfrefer.States {
			known = known || string(s) == f.State
		}
		if !known {
			return nil, fmt.Errorf("there is no part of the queue called %q", f.State)
		}
		open = false
		where = where.and(`state = ?`, f.State)
	}
	if open {
		return db.openQueue(tx, f, where.and(openReferrals))
	}
	if f.After != 0 {
		where = where.and(`id < ?`, f.After)
	}
	return db.referrals(tx, where, `id DESC`, f.Limit)
}

// lanes are the parts of the open queue in the order of calling. Each is read in the order of the index referral_open.
var lanes = []struct {
	urgent bool
	lane   selfrefer.Lane
}{
	{true, selfrefer.Verified}, {true, selfrefer.Unverified}, {false, selfrefer.Verified}, {false, selfrefer.Unverified},
}

func (db *DB) openQueue(tx *Tx, f selfrefer.Filter, where conditions) (all []selfrefer.Referral, err error) {
	var after struct {
		urgent  bool
		lane    selfrefer.Lane
		due, id int64
	}
	if f.After != 0 {
		err := tx.QueryRow(`
			SELECT urgent, lane, due_at, id
			FROM referral
			WHERE id = $1 AND network = $2`, f.After, int64(f.Network)).Scan(&after.urgent, (*string)(&after.lane), &after.due, &after.id)
		if err != nil {
			return nil, notFound(err, selfrefer.ErrNotFound)
		}
	}
	skip := f.After != 0
	for _, l := range lanes {
		here := skip && l.urgent == after.urgent && l.lane == after.lane
		if skip && !here {
			continue
		}
		part := where.and(`urgent = ?`, l.urgent).and(`lane = ?`, string(l.lane))
		if here {
			skip = false
			part = part.and(`(due_at, id) > (?, ?)`, after.due, after.id)
		}
		more, err := db.referrals(tx, part, `due_at, id`, f.Limit-len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, more...); len(all) >= f.Limit {
			break
		}
	}
	return all, nil
}

func (db *DB) referrals(tx *Tx, where conditions, order string, limit int) ([]selfrefer.Referral, error) {
	return list(tx, func(row scanner, r *selfrefer.Referral) error {
		sealed, err := scanReferral(row, r)
		if err != nil {
			return err
		}
		return db.openReferral(r, sealed, false)
	}, `SELECT `+referralColumns+` FROM referral WHERE `+where.sql+` ORDER BY `+order+` LIMIT $`+strconv.Itoa(len(where.args)+1),
		append(where.args, limit)...)
}

// Tally counts the queue of a network, or of one of its teams. Its cost grows with the open referrals, and by an index with the others.
func (db *DB) Tally(ctx context.Context, n staff.NetworkID, team staff.TeamID) (t selfrefer.Tally, err error) {
	where := conditions{`network = $1`, []any{int64(n)}}
	if team != 0 {
		where = where.and(`team = ?`, int64(team))
	}
	err = db.read(ctx, "tally", func(tx *Tx) error {
		t = selfrefer.Tally{}
		open := where.and(openReferrals)
		now := "$" + strconv.Itoa(len(open.args)+1)
		type group struct {
			state              selfrefer.State
			lane               selfrefer.Lane
			urgent, all, overs int
		}
		groups, err := list(tx, func(r scanner, g *group) error {
			return r.Scan((*string)(&g.state), (*string)(&g.lane), &g.urgent, &g.all, &g.overs)
		}, `
			SELECT state, lane, SUM(CASE WHEN urgent THEN 1 ELSE 0 END), COUNT(*), SUM(CASE WHEN contacted_at = 0 AND due_at < `+now+` THEN 1 ELSE 0 END)
			FROM referral
			WHERE `+open.sql+`
			GROUP BY state, lane`, append(open.args, tx.now)...)
		if err != nil {
			return fmt.Errorf("count the queue: %w", err)
		}
		for _, g := range groups {
			switch g.state {
			case selfrefer.New:
				t.New += g.all
			case selfrefer.Claimed:
				t.Claimed += g.all
			case selfrefer.Contacting:
				t.Contacting += g.all
			}
			if g.lane == selfrefer.Unverified {
				t.Unverified += g.all
			}
			t.Urgent, t.Overdue = t.Urgent+g.urgent, t.Overdue+g.overs
		}
		done := where.and(doneReferrals)
		return tx.QueryRow(`SELECT COUNT(*) FROM referral WHERE `+done.sql, done.args...).Scan(&t.Done)
	})
	return t, err
}

// Referral opens one referral with everything that was done. Who looked, or tried to, is in the audit before anything is shown.
func (db *DB) Referral(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (r selfrefer.Referral, contacts []selfrefer.Contact, err error) {
	var refusal error
	err = db.write(ctx, "view referral", func(tx *Tx) error {
		r, contacts = selfrefer.Referral{}, nil
		var sealed []byte
		if r, sealed, err = referralOf(tx, id, ""); err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal = mayView(who, r); refusal != nil {
			r = selfrefer.Referral{}
			return db.auditReferral(tx, who, string(staff.ViewReferral), id, outcomeOf(refusal))
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		if r.Later, err = db.later(tx, id); err != nil {
			return err
		}
		if contacts, err = db.contacts(tx, id); err != nil {
			return err
		}
		return db.auditReferral(tx, who, string(staff.ViewReferral), id, "done")
	})
	return r, contacts, errors.Join(err, refusal)
}

func referralOf(tx *Tx, id selfrefer.ReferralID, lock string) (r selfrefer.Referral, sealed []byte, err error) {
	sealed, err = scanReferral(tx.QueryRow(`SELECT `+referralColumns+` FROM referral WHERE id = $1`+lock, int64(id)), &r)
	return r, sealed, notFound(err, selfrefer.ErrNotFound)
}

// mayView answers for looking at one referral; a referral that does not exist is in no network.
func mayView(who staff.Account, r selfrefer.Referral) error {
	err := staff.May(who, staff.ViewReferral, r.Network)
	if err == nil && r.Urgent {
		err = staff.May(who, staff.ViewUrgent, r.Network)
	}
	return behindWall(err)
}

// behindWall says it in triage's words when something is in another network.
func behindWall(err error) error {
	if errors.Is(err, staff.ErrNotFound) {
		return selfrefer.ErrNotFound
	}
	return err
}

func outcomeOf(refusal error) string {
	switch {
	case errors.Is(refusal, selfrefer.ErrNotFound):
		return "not_found"
	case errors.Is(refusal, selfrefer.ErrTaken):
		return "taken"
	case errors.Is(refusal, selfrefer.ErrNotNow):
		return "not_now"
	}
	return "denied"
}

func (db *DB) auditReferral(tx *Tx, who staff.Account, action string, id selfrefer.ReferralID, outcome string) error {
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: action, Target: fmt.Sprintf("referral %d", id), Outcome: outcome})
}

func (db *DB) contacts(tx *Tx, id selfrefer.ReferralID) ([]selfrefer.Contact, error) {
	return list(tx, func(r scanner, c *selfrefer.Contact) error {
		var event, at int64
		var sealed []byte
		if err := r.Scan(&event, &at, (*int64)(&c.By), (*string)(&c.Event), &c.Channel, &sealed); err != nil {
			return err
		}
		c.At = timeOf(at)
		if sealed == nil {
			return nil
		}
		note, err := db.sealer.open("referral_event", "note", strconv.FormatInt(event, 10), sealed)
		c.Note = string(note)
		return err
	}, `
		SELECT id, at, account, event, channel, note
		FROM referral_event
		WHERE referral = $1
		ORDER BY id`, int64(id))
}

// Act applies an event on behalf of somebody; what it did, or why it did not, is audited in the same transaction.
func (db *DB) Act(ctx context.Context, who staff.Account, id selfrefer.ReferralID, c selfrefer.Contact) (r selfrefer.Referral, err error) {
	var refusal error
	err = db.write(ctx, "act on referral", func(tx *Tx) error {
		var sealed []byte
		if r, sealed, err = referralOf(tx, id, db.engine.lockClause()); err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		to, can := selfrefer.Next(r.State, c.Event)
		refusal = behindWall(selfrefer.May(who, r, c.Event))
		if refusal == nil && !can {
			refusal = selfrefer.ErrNotNow
		}
		if refusal == nil {
			if refusal, err = db.move(tx, who, &r, to, c); err != nil {
				return err
			}
		}
		outcome := "done"
		switch {
		case refusal == nil:
		case errors.Is(refusal, selfrefer.ErrTaken), errors.Is(refusal, selfrefer.ErrNotNow):
			outcome = outcomeOf(refusal) // the referral goes with it: who has it now, and where it stands
		default:
			outcome, r = outcomeOf(refusal), selfrefer.Referral{}
			return db.auditReferral(tx, who, "referral."+string(c.Event), id, outcome)
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		if r.Later, err = db.later(tx, id); err != nil {
			return err
		}
		return db.auditReferral(tx, who, "referral."+string(c.Event), id, outcome)
	})
	if err != nil {
		return selfrefer.Referral{}, err
	}
	return r, refusal
}

// move writes one step of a referral's life, guarded by the state and the hands it was in.
func (db *DB) move(tx *Tx, who staff.Account, r *selfrefer.Referral, to selfrefer.State, c selfrefer.Contact) (refusal, err error) {
	was, hands := r.State, r.ClaimedBy
	now := timeOf(tx.now)
	r.State = to
	switch c.Event {
	case selfrefer.Claim:
		r.ClaimedBy, r.ClaimedAt = who.ID, now
	case selfrefer.Release:
		r.ClaimedBy, r.ClaimedAt = 0, timeOf(0)
	case selfrefer.Attempt:
		r.Attempts++
	}
	first := c.Event.FirstContact() && r.Contacted.IsZero()
	if first {
		r.Contacted = now
	}
	if len(selfrefer.Events(to)) == 0 {
		r.ClosedAt = now
	}
	n, err := tx.Exec(`
		UPDATE referral
		SET state = $1, claimed_by = $2, claimed_at = $3, contacted_at = $4, attempts = $5, closed_at = $6
		WHERE id = $7 AND state = $8 AND claimed_by = $9`,
		string(r.State), int64(r.ClaimedBy), msOf(r.ClaimedAt), msOf(r.Contacted), r.Attempts, msOf(r.ClosedAt),
		int64(r.ID), string(was), int64(hands))
	if err != nil {
		return nil, fmt.Errorf("move referral %d: %w", r.ID, err)
	}
	if n == 0 {
		return selfrefer.ErrNotNow, nil // cannot be while the row is locked
	}
	if first && r.Team != 0 {
		if err := db.bump(tx, int64(r.Team), tallyContact, 0, hourOf(tx.now), 0, 1); err != nil {
			return nil, err
		}
	}
	return nil, db.noteEvent(tx, who, r.ID, c)
}

func (db *DB) noteEvent(tx *Tx, who staff.Account, id selfrefer.ReferralID, c selfrefer.Contact) error {
	event := db.newID()
	var note any // NULL without one
	if c.Note != "" {
		sealed, err := db.sealer.seal("referral_event", "note", strconv.FormatInt(event, 10), []byte(c.Note))
		if err != nil {
			return err
		}
		note = sealed
	}
	_, err := tx.Exec(`
		INSERT INTO referral_event (id, referral, at, account, event, channel, note)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		event, int64(id), tx.now, int64(who.ID), string(c.Event), c.Channel, note)
	if err != nil {
		return fmt.Errorf("note an event: %w", err)
	}
	return nil
}
