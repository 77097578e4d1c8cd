package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// openReferrals is written exactly as in the partial indexes, so that both engines use them.
const openReferrals = `state IN ('new', 'claimed', 'contacting')`

const doneReferrals = `state IN ('in_support', 'onward', 'closed', 'declined', 'unreachable', 'duplicate')`

const referralColumns = `id, network, team, campaign, reference, state, lane, urgent, source, not_matched, practice, language,
	received_at, due_at, claimed_by, claimed_at, contacted_at, attempts, closed_at, free_since, handed_by, escalated_to, escalated_at, escalated_seen, joined_to, restricted, person`

func scanReferral(row scanner, r *selfrefer.Referral) (sealed []byte, err error) {
	var received, due, claimed, contacted, closed, free, escalated, seen int64
	err = row.Scan((*int64)(&r.ID), (*int64)(&r.Network), (*int64)(&r.Team), &r.Campaign, &r.Reference, (*string)(&r.State), (*string)(&r.Lane), &r.Urgent,
		(*string)(&r.Source), &r.NotMatched, &r.Practice, &r.Language, &received, &due, (*int64)(&r.ClaimedBy), &claimed, &contacted, &r.Attempts, &closed,
		&free, (*int64)(&r.HandedBy), (*int64)(&r.EscalatedTo), &escalated, &seen, (*int64)(&r.JoinedTo), &r.Restricted, &sealed)
	r.Received, r.Due, r.ClaimedAt, r.Contacted, r.ClosedAt = timeOf(received), timeOf(due), timeOf(claimed), timeOf(contacted), timeOf(closed)
	r.FreeSince, r.EscalatedAt, r.EscalatedSeen = timeOf(free), timeOf(escalated), timeOf(seen)
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
// first. Filter.Mine counts for the parts "mine" and "supported" alone; Filter.After is the id of the last referral of the page before.
func (db *DB) Queue(ctx context.Context, f selfrefer.Filter) (all []selfrefer.Referral, err error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	err = db.read(ctx, "queue", func(tx *Tx) error {
		if all, err = db.queue(tx, f); err != nil {
			return err
		}
		return db.mask(tx, f.Who.ID, all)
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

// inHands is written exactly as in the index referral_hands.
const inHands = `state IN ('claimed', 'contacting', 'in_support')`

func (db *DB) queue(tx *Tx, f selfrefer.Filter) (all []selfrefer.Referral, err error) {
	where := conditions{`network = $1`, []any{int64(f.Network)}}
	if where, err = existing(tx, where, f.Who.ID); err != nil {
		return nil, err
	}
	if f.Narrowed() > 0 { // nobody learns by that what they may not open
		if where, err = openTo(tx, where, f.Who.ID); err != nil {
			return nil, err
		}
	}
	teams, err := teamsOf(tx, f)
	if err != nil {
		return nil, err
	}
	switch f.State {
	case "mine", "supported":
		// What somebody has in hand is short: it is sorted, whichever team it belongs to.
		where = where.and(`claimed_by = ?`, int64(f.Mine)).and(inHands)
		if f.Team != 0 {
			where = where.and(`+team = ?`, int64(f.Team)) // the plus keeps SQLite from walking the team's whole queue for the sake of the order
		}
		teams = nil
	}
	ended := ""
	switch f.State {
	case "", "open", "mine", "urgent", "unverified": // openQueue reads the lanes that are asked for
	case "supported":
		ended = `state = 'in_support'`
	case "done":
		ended = doneReferrals
	case "waiting":
		where = where.and(`state = ?`, string(selfrefer.Contacting))
	case string(selfrefer.New), string(selfrefer.Claimed), string(selfrefer.Contacting):
		where = where.and(`state = ?`, f.State)
	default:
		if !slices.Contains(selfrefer.States, selfrefer.State(f.State)) {
			return nil, fmt.Errorf("there is no part of the queue called %q", f.State)
		}
		ended = doneReferrals
		where = where.and(`state = ?`, f.State)
	}
	if ended != "" {
		if f.Narrowed() > 0 {
			return nil, errors.New("only referrals that are open are narrowed by practice, reason or language")
		}
		where = where.and(ended)
		if f.NoUrgent {
			where = where.and(`urgent = ?`, false)
		}
		if f.State == "supported" { // referral_hands is in the order of ids, which is nearly that of receiving
			if f.After != 0 {
				where = where.and(`id < ?`, f.After)
			}
			return db.ofTeams(tx, where, teams, `id DESC`, f.Limit, func(a, b selfrefer.Referral) int { return cmp.Compare(b.ID, a.ID) })
		}
		if f.After != 0 {
			var received int64
			if err := tx.QueryRow(`SELECT received_at FROM referral WHERE id = $1 AND network = $2`, f.After, int64(f.Network)).Scan(&received); err != nil {
				return nil, notFound(err, selfrefer.ErrNotFound)
			}
			where = where.and(`(received_at, id) < (?, ?)`, received, f.After)
		}
		return db.ofTeams(tx, where, teams, `received_at DESC, id DESC`, f.Limit, func(a, b selfrefer.Referral) int {
			return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.ID, a.ID))
		})
	}
	if f.Practice != "" {
		where = where.and(`practice = ?`, f.Practice)
	}
	if f.Language != "" {
		where = where.and(`language = ?`, f.Language)
	}
	if all, err = db.openQueue(tx, f, where.and(openReferrals), teams); err != nil {
		return nil, err
	}
	return all, db.offers(tx, all)
}

// teamsOf lists whose referrals a filter selects: each of the indexes is one team's. Some belong to no team.
func teamsOf(tx *Tx, f selfrefer.Filter) (teams []int64, err error) {
	if f.Team != 0 {
		return []int64{int64(f.Team)}, nil
	}
	teams, err = list(tx, func(r scanner, id *int64) error { return r.Scan(id) }, `SELECT id FROM team WHERE network = $1 ORDER BY id`, int64(f.Network))
	if err != nil {
		return nil, fmt.Errorf("read the teams: %w", err)
	}
	return append(teams, 0), nil
}

// lanes are the parts of the open queue in the order of calling. Each is read in the order of its index.
var lanes = []struct {
	urgent bool
	lane   selfrefer.Lane
}{
	{true, selfrefer.Verified}, {true, selfrefer.Unverified}, {false, selfrefer.Verified}, {false, selfrefer.Unverified},
}

// inOrder compares referrals of one lane.
func inOrder(a, b selfrefer.Referral) int {
	return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
}

func (db *DB) openQueue(tx *Tx, f selfrefer.Filter, where conditions, teams []int64) (all []selfrefer.Referral, err error) {
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
		skip = false
		if f.NoUrgent && l.urgent || f.State == "urgent" && !l.urgent || f.State == "unverified" && l.lane != selfrefer.Unverified {
			continue
		}
		part := where.and(`urgent = ?`, l.urgent).and(`lane = ?`, string(l.lane))
		var more []selfrefer.Referral
		limit := f.Limit - len(all)
		if f.Reason == "" {
			if here {
				part = part.and(`(due_at, id) > (?, ?)`, after.due, after.id)
			}
			more, err = db.ofTeams(tx, part, teams, `due_at, id`, limit, inOrder)
		} else {
			if !here {
				after.due, after.id = math.MinInt64, 0
			}
			more, err = db.ofReason(tx, part, teams, f, l.urgent, l.lane, after.due, after.id, limit)
			slices.SortFunc(more, inOrder)
			more = more[:min(len(more), limit)]
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, more...); len(all) >= f.Limit {
			break
		}
	}
	return all, nil
}

// ofTeams reads as many referrals of each team as would do, and merges them. Without teams it reads those of all.
func (db *DB) ofTeams(tx *Tx, where conditions, teams []int64, order string, limit int, compare func(a, b selfrefer.Referral) int) (all []selfrefer.Referral, err error) {
	if teams == nil {
		return db.referrals(tx, `FROM referral WHERE `, where, order, limit)
	}
	for _, t := range teams {
		more, err := db.referrals(tx, `FROM referral WHERE `, where.and(`team = ?`, t), order, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if len(teams) > 1 {
		slices.SortFunc(all, compare)
	}
	return all[:min(len(all), limit)], nil
}

// ofReason reads the open referrals that ask for help with one thing, in one lane of each team. Those that somebody has in hand are few: they
// are gone through. The others are read in the order of referral_reason, which knows what they are narrowed by.
func (db *DB) ofReason(tx *Tx, where conditions, teams []int64, f selfrefer.Filter, urgent bool, lane selfrefer.Lane, due, id int64, limit int) (all []selfrefer.Referral, err error) {
	switch f.State {
	case "mine", "waiting", string(selfrefer.Claimed), string(selfrefer.Contacting):
		where = where.and(`(due_at, id) > (?, ?)`, due, id).
			and(`EXISTS (SELECT 1 FROM referral_reason w WHERE w.network = referral.network AND w.team = referral.team AND w.reason = ? AND w.urgent = referral.urgent
				AND w.lane = referral.lane AND w.due_at = referral.due_at AND w.referral = referral.id)`, f.Reason)
		return db.ofTeams(tx, where, teams, `due_at, id`, limit, inOrder)
	}
	for _, t := range teams {
		// CROSS JOIN keeps SQLite to this order.
		part := conditions{`w.network = $1 AND w.team = $2 AND w.reason = $3 AND w.urgent = $4 AND w.lane = $5 AND (w.due_at, w.referral) > ($6, $7)
			AND referral.id = w.referral AND referral.` + openReferrals, []any{int64(f.Network), t, f.Reason, urgent, string(lane), due, id}}
		if f.Practice != "" {
			part = part.and(`w.practice = ?`, f.Practice)
		}
		if f.Language != "" {
			part = part.and(`w.language = ?`, f.Language)
		}
		if f.State == string(selfrefer.New) {
			part = part.and(`referral.state = ?`, f.State)
		}
		var err error
		if part, err = openTo(tx, part, f.Who.ID); err != nil {
			return nil, err
		}
		more, err := db.referrals(tx, `FROM referral_reason w CROSS JOIN referral WHERE `, part, `w.due_at, w.referral`, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// referralColumnsOf are referralColumns by their full names, for joins.
var referralColumnsOf = `referral.` + strings.Join(strings.FieldsFunc(referralColumns, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }), `, referral.`)

func (db *DB) referrals(tx *Tx, from string, where conditions, order string, limit int) ([]selfrefer.Referral, error) {
	return list(tx, func(row scanner, r *selfrefer.Referral) error {
		sealed, err := scanReferral(row, r)
		if err != nil {
			return err
		}
		return db.openReferral(r, sealed, false)
	}, `SELECT `+referralColumnsOf+` `+from+where.sql+` ORDER BY `+order+` LIMIT $`+strconv.Itoa(len(where.args)+1),
		append(where.args, limit)...)
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
		if refusal, err = db.mayView(tx, who, r); err != nil {
			return err
		}
		if refusal != nil {
			r = selfrefer.Referral{}
			return db.auditReferral(tx, who, string(staff.ViewReferral), id, outcomeOf(refusal))
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		if err := db.index(tx, r); err != nil {
			return err
		}
		if err := db.heed(tx, &r); err != nil {
			return err
		}
		if err := db.opened(tx, who, &r); err != nil {
			return err
		}
		if err := db.seenStep(tx, who, id); err != nil {
			return err
		}
		if r.Later, err = db.later(tx, id); err != nil {
			return err
		}
		if err := db.bar(tx, who, &r); err != nil {
			return err
		}
		if contacts, err = db.contacts(tx, who, id); err != nil {
			return err
		}
		return db.auditReferral(tx, who, string(staff.ViewReferral), id, "done")
	})
	return r, contacts, errors.Join(err, refusal)
}

// opened notes that somebody looks at what was handed to them or what they were told of: it cannot be taken back any more, and leaves the
// top of their pages.
func (db *DB) opened(tx *Tx, who staff.Account, r *selfrefer.Referral) error {
	handed := r.HandedBy != 0 && r.ClaimedBy == who.ID
	told := r.EscalatedTo == who.ID && r.EscalatedSeen.IsZero()
	if handed {
		r.HandedBy = 0
	}
	if told {
		r.EscalatedSeen = timeOf(tx.now)
	}
	if !handed && !told {
		return nil
	}
	_, err := tx.Exec(`UPDATE referral SET handed_by = $1, escalated_seen = $2 WHERE id = $3`, int64(r.HandedBy), msOf(r.EscalatedSeen), int64(r.ID))
	if err != nil {
		return fmt.Errorf("note that referral %d was opened: %w", r.ID, err)
	}
	return nil
}

func referralOf(tx *Tx, id selfrefer.ReferralID, lock string) (r selfrefer.Referral, sealed []byte, err error) {
	sealed, err = scanReferral(tx.QueryRow(`SELECT `+referralColumns+` FROM referral WHERE id = $1`+lock, int64(id)), &r)
	return r, sealed, notFound(err, selfrefer.ErrNotFound)
}

// mayView answers for looking at one referral, and at whatever hangs on it; a referral that does not exist is in no network.
func (db *DB) mayView(tx *Tx, who staff.Account, r selfrefer.Referral) (refusal, err error) {
	s, err := sight(tx, who.ID, r)
	if err != nil {
		return nil, err
	}
	refusal = staff.May(who, staff.ViewReferral, r.Network)
	if refusal == nil && r.Urgent && s != selfrefer.Hidden { // what is hidden is not even urgent
		refusal = staff.May(who, staff.ViewUrgent, r.Network)
	}
	if refusal == nil {
		refusal = refused(s)
	}
	return behindWall(refusal), nil
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
	case refusal == nil:
		return "done"
	case errors.Is(refusal, selfrefer.ErrNotTheirs):
		return "not_theirs"
	case errors.Is(refusal, selfrefer.ErrNotFound):
		return "not_found"
	case errors.Is(refusal, selfrefer.ErrTaken):
		return "taken"
	case errors.Is(refusal, selfrefer.ErrNotNow):
		return "not_now"
	case errors.Is(refusal, selfrefer.ErrRestricted):
		return "restricted"
	case errors.Is(refusal, selfrefer.ErrNobodyLeft), errors.Is(refusal, selfrefer.ErrNoRestriction), errors.Is(refusal, selfrefer.ErrHolderBarred), errors.Is(refusal, selfrefer.ErrReason):
		return "not_so"
	case errors.Is(refusal, selfrefer.ErrCannotUndo):
		return "cannot_undo"
	case errors.Is(refusal, selfrefer.ErrJoined), errors.Is(refusal, selfrefer.ErrUrgentStays), errors.Is(refusal, selfrefer.ErrJoinedSince):
		return "not_joined"
	}
	return "denied"
}

func (db *DB) auditReferral(tx *Tx, who staff.Account, action string, id selfrefer.ReferralID, outcome string) error {
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: action, Target: fmt.Sprintf("referral %d", id), Outcome: outcome})
}

// contacts reads the history of a referral, without the other one where that does not exist for who reads.
func (db *DB) contacts(tx *Tx, who staff.Account, id selfrefer.ReferralID) ([]selfrefer.Contact, error) {
	barred, err := barredFrom(tx, who.ID)
	if err != nil {
		return nil, err
	}
	hidden := map[int]bool{}
	n := 0
	all, err := list(tx, func(r scanner, c *selfrefer.Contact) error {
		var event, at, other int64
		var sealed, escalation []byte
		if err := r.Scan(&event, &at, (*int64)(&c.By), (*string)(&c.Event), &c.Channel, &sealed, (*int64)(&c.To), &escalation, (*string)(&c.Reason), &c.Other, (*string)(&c.Of), &c.Undone, &other); err != nil {
			return err
		}
		hidden[n] = barred[other]
		n++
		c.At = timeOf(at)
		id := strconv.FormatInt(event, 10)
		if sealed != nil {
			note, err := db.sealer.open("referral_event", "note", id, sealed)
			if err != nil {
				return err
			}
			c.Note = string(note)
		}
		if escalation == nil {
			return nil
		}
		plain, err := db.sealer.open("referral_event", "escalation", id, escalation)
		if err != nil {
			return err
		}
		if json.Unmarshal(plain, &c.Escalation) != nil {
			return fmt.Errorf("open event %d: it cannot be read", event) // the error would quote it
		}
		return nil
	}, `
		SELECT e.id, e.at, e.account, e.event, e.channel, e.note, e.to_account, e.escalation, e.reason, COALESCE(o.reference, ''), COALESCE(u.event, ''), z.id IS NOT NULL, e.other
		FROM referral_event e
		LEFT JOIN referral o ON o.id = e.other
		LEFT JOIN referral_event u ON u.id = e.undoes
		LEFT JOIN referral_event z ON z.referral = e.referral AND z.undoes = e.id
		WHERE e.referral = $1
		ORDER BY e.id`, int64(id))
	seen := all[:0]
	for i, c := range all {
		if !hidden[i] {
			seen = append(seen, c)
		}
	}
	return seen, err
}

// Act applies an event on behalf of somebody; what it did, or why it did not, is audited in the same transaction.
func (db *DB) Act(ctx context.Context, who staff.Account, id selfrefer.ReferralID, c selfrefer.Contact) (r selfrefer.Referral, err error) {
	var refusal error
	var told campaign.Ring // for the text that says that we have tried
	err = db.write(ctx, "act on referral", func(tx *Tx) error {
		told = campaign.Ring{}
		var sealed []byte
		if r, sealed, err = referralOf(tx, id, db.engine.lockClause()); err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		to, can := selfrefer.Next(r.State, c.Event)
		if refusal, err = db.mayAct(tx, who, r, c.Event); err != nil {
			return err
		}
		if refusal == nil {
			refusal = behindWall(selfrefer.May(who, r, c.Event))
		}
		if refusal == nil && !can {
			refusal = selfrefer.ErrNotNow
		}
		if refusal == nil && (c.Event == selfrefer.HandOver || c.Event == selfrefer.Escalate) {
			if err := db.bar(tx, who, &r); err != nil {
				return err
			}
			colleague, err := accountOf(tx, c.To)
			if err != nil && !errors.Is(err, staff.ErrNotFound) {
				return err
			}
			refusal = selfrefer.MayBeTold(who, colleague, r, c.Event)
		}
		known := refusal == nil || errors.Is(refusal, selfrefer.ErrTaken) || errors.Is(refusal, selfrefer.ErrNotNow)
		if known { // the referral goes with it: who has it now, and where it stands
			if err := db.openReferral(&r, sealed, true); err != nil {
				return err
			}
		}
		if refusal == nil {
			if refusal, err = db.move(tx, who, &r, to, c); err != nil {
				return err
			}
			if told, err = db.oweTried(tx, r, c.Event, refusal); err != nil {
				return err
			}
		}
		if refusal != nil && !known {
			r = selfrefer.Referral{}
			return db.auditReferral(tx, who, "referral."+string(c.Event), id, outcomeOf(refusal))
		}
		if r.Later, err = db.later(tx, id); err != nil {
			return err
		}
		r.Barred = nil
		if err := db.bar(tx, who, &r); err != nil {
			return err
		}
		return db.auditReferral(tx, who, "referral."+string(c.Event), id, outcomeOf(refusal))
	})
	if err != nil {
		return selfrefer.Referral{}, err
	}
	db.rung(told)
	return r, refusal
}

// move writes one step of a referral's life, guarded by the state and the hands it was in.
func (db *DB) move(tx *Tx, who staff.Account, r *selfrefer.Referral, to selfrefer.State, c selfrefer.Contact) (refusal, err error) {
	if err := db.index(tx, *r); err != nil {
		return nil, err
	}
	was := *r
	now := timeOf(tx.now)
	r.State = to
	if r.ClaimedBy == who.ID {
		r.HandedBy = 0 // whoever works on it has seen it
	}
	switch c.Event {
	case selfrefer.Claim:
		r.ClaimedBy, r.ClaimedAt = who.ID, now
	case selfrefer.Release:
		r.ClaimedBy, r.ClaimedAt, r.FreeSince, r.HandedBy = 0, timeOf(0), now, 0
	case selfrefer.Attempt:
		r.Attempts++
	case selfrefer.HandOver:
		r.ClaimedBy, r.ClaimedAt, r.HandedBy = c.To, now, cmp.Or(who.ID, selfrefer.BySystem)
		if c.To == who.ID { // a senior takes it over: nobody has to be told
			r.HandedBy = 0
		}
	case selfrefer.TakeBack:
		r.ClaimedBy, r.ClaimedAt, r.HandedBy = who.ID, now, 0
	case selfrefer.Escalate:
		r.EscalatedTo, r.EscalatedAt, r.EscalatedSeen = c.To, now, timeOf(0)
	}
	first := c.Event.FirstContact() && r.Contacted.IsZero()
	if first {
		r.Contacted = now
	}
	if len(selfrefer.Events(to)) == 0 {
		r.ClosedAt = now
	}
	n, err := db.rewrite(tx, was, *r)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return selfrefer.ErrNotNow, nil // cannot be while the row is locked
	}
	if first && r.Team != 0 {
		if err := db.bump(tx, int64(r.Team), tallyContact, 0, hourOf(tx.now), 0, 1); err != nil {
			return nil, err
		}
	}
	if err := db.tellMoved(tx, *r, c.Event, first); err != nil {
		return nil, err
	}
	c.Reason = selfrefer.ReasonKept(was.State, c)
	return nil, db.noteStep(tx, who, was, *r, c)
}

// rewrite changes what a step changes, if the referral still stands as it was, and what is counted and listed with it.
func (db *DB) rewrite(tx *Tx, was, r selfrefer.Referral) (int64, error) {
	n, err := tx.Exec(`
		UPDATE referral
		SET state = $1, claimed_by = $2, claimed_at = $3, contacted_at = $4, attempts = $5, closed_at = $6, free_since = $7, handed_by = $8,
		    escalated_to = $9, escalated_at = $10, escalated_seen = $11
		WHERE id = $12 AND state = $13 AND claimed_by = $14`,
		string(r.State), int64(r.ClaimedBy), msOf(r.ClaimedAt), msOf(r.Contacted), r.Attempts, msOf(r.ClosedAt), msOf(r.FreeSince), int64(r.HandedBy),
		int64(r.EscalatedTo), msOf(r.EscalatedAt), msOf(r.EscalatedSeen), int64(r.ID), string(was.State), int64(was.ClaimedBy))
	if err != nil {
		return 0, fmt.Errorf("move referral %d: %w", r.ID, err)
	}
	if n == 0 {
		return 0, nil
	}
	return n, db.replace(tx, was, r)
}

func (db *DB) noteEvent(tx *Tx, who staff.Account, id selfrefer.ReferralID, c selfrefer.Contact) error {
	return db.noteEventAs(tx, db.newID(), who, id, c, about{})
}

// about is what else an event is about.
type about struct {
	other  selfrefer.ReferralID
	undoes int64
}

func (db *DB) noteEventAs(tx *Tx, event int64, who staff.Account, id selfrefer.ReferralID, c selfrefer.Contact, a about) error {
	var note, escalation any // NULL without one
	if c.Note != "" {
		sealed, err := db.sealer.seal("referral_event", "note", strconv.FormatInt(event, 10), []byte(c.Note))
		if err != nil {
			return err
		}
		note = sealed
	}
	if c.Event == selfrefer.Escalate {
		plain, err := json.Marshal(c.Escalation)
		if err != nil {
			return fmt.Errorf("write an escalation: %w", err)
		}
		if escalation, err = db.sealer.seal("referral_event", "escalation", strconv.FormatInt(event, 10), plain); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`
		INSERT INTO referral_event (id, referral, at, account, event, channel, note, to_account, escalation, reason, other, undoes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		event, int64(id), tx.now, int64(who.ID), string(c.Event), c.Channel, note, int64(c.To), escalation, string(c.Reason), int64(a.other), a.undoes)
	if err != nil {
		return fmt.Errorf("note an event: %w", err)
	}
	return nil
}
