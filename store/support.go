package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// What is recorded of a person's support is made to be counted with SQL alone. All that is free text is sealed; plain columns are:
//
//	task           kind, due, for_account, made_at, done_at
//	goal           state, set_on, ended_on
//	onward         service, how, state, made_on, changed_on
//	intervention   kind, made_on, minutes
//	measure        kind, own_measure, made_on
//	measure_score  item, score (the sum too, where a measure has one and all of its answers are there)
//	referral_event at, event, reason: why the support ended, of the events close and send_onward
//
// and network, referral, made_by of each; the referral has team, practice, language and state. What was recorded by mistake has removed_at
// other than 0 and must be left out. Where a referral is closed, opened again and closed once more, its last reason is the one that holds:
//
//	SELECT e.reason, COUNT(*)
//	FROM referral_event e
//	JOIN referral r ON r.id = e.referral
//	WHERE r.network = 1 AND r.state IN ('closed', 'onward') AND e.reason <> '' AND e.at >= 1767225600000
//	  AND NOT EXISTS (SELECT 1 FROM referral_event l WHERE l.referral = e.referral AND l.reason <> '' AND l.id > e.id)
//	GROUP BY e.reason
var _ selfrefer.Aftercare = (*DB)(nil)

// onwardDoc is what is sealed of an onward referral: the name of another place can tell whose it is.
type onwardDoc struct {
	Place string `json:"place"`
	Why   string `json:"why,omitempty"`
}

// RecordSupport applies one change on behalf of somebody; what it did, or why it did not, is audited in the same transaction.
func (db *DB) RecordSupport(ctx context.Context, who staff.Account, id selfrefer.ReferralID, c selfrefer.Change) error {
	var refusal error
	err := db.write(ctx, "record support", func(tx *Tx) error {
		r, _, err := referralOf(tx, id, db.engine.lockClause())
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayView(tx, who, r); err != nil {
			return err
		}
		if refusal == nil {
			refusal = behindWall(selfrefer.MayRecord(who, r, c))
		}
		if refusal == nil {
			if refusal, err = db.record(tx, who, r, c); err != nil {
				return fmt.Errorf("%s: %w", c.Name(), err)
			}
			if err := db.opened(tx, who, &r); err != nil { // whoever works on it has seen it
				return err
			}
		}
		outcome := outcomeOf(refusal)
		if errors.Is(refusal, selfrefer.ErrEntry) || errors.Is(refusal, selfrefer.ErrNoService) {
			outcome = "not_found"
		}
		return db.auditReferral(tx, who, c.Name(), id, outcome)
	})
	return errors.Join(err, refusal)
}

// entryTables are where the entries stand that can be taken back.
var entryTables = map[selfrefer.SupportEntry]string{
	selfrefer.GoalEntry: "goal", selfrefer.OnwardEntry: "onward", selfrefer.InterventionEntry: "intervention", selfrefer.MeasureEntry: "measure",
}

func (db *DB) record(tx *Tx, who staff.Account, r selfrefer.Referral, c selfrefer.Change) (refusal, err error) {
	id, network, referral, by := db.newID(), int64(r.Network), int64(r.ID), int64(who.ID)
	row := strconv.FormatInt(id, 10)
	// changed tells whether an entry was there to be changed.
	changed := func(query string, args ...any) (refusal, err error) {
		n, err := tx.Exec(query, args...)
		if err == nil && n == 0 {
			refusal = selfrefer.ErrEntry
		}
		return refusal, err
	}
	switch c := c.(type) {
	case selfrefer.AddTask:
		return db.addTask(tx, who, r, id, c.Task)
	case selfrefer.TickTask:
		at, done := int64(0), int64(0)
		if c.Done {
			at, done = tx.now, by
		}
		return changed(`UPDATE task SET done_at = $1, done_by = $2 WHERE id = $3 AND referral = $4`, at, done, int64(c.ID), referral)
	case selfrefer.AddGoal:
		words, err := db.sealer.seal("goal", "words", row, []byte(c.Goal.Words.Reveal()))
		if err != nil {
			return nil, err
		}
		_, err = tx.Exec(`
			INSERT INTO goal (id, network, referral, state, set_on, ended_on, words, made_by, removed_at)
			VALUES ($1, $2, $3, $4, $5, '', $6, $7, 0)`, id, network, referral, string(selfrefer.WorkingOn), string(c.Goal.Set), words, by)
		return nil, err
	case selfrefer.SetGoal:
		ended := c.On
		if c.State == selfrefer.WorkingOn {
			ended = ""
		}
		return changed(`UPDATE goal SET state = $1, ended_on = $2 WHERE id = $3 AND referral = $4`, string(c.State), string(ended), int64(c.ID), referral)
	case selfrefer.AddOnward:
		return db.addOnward(tx, who, r, id, c.Onward)
	case selfrefer.SetOnward:
		return db.setOnward(tx, r, c)
	case selfrefer.AddIntervention:
		i := c.Intervention
		var note any // NULL without one
		if i.Note != "" {
			sealed, err := db.sealer.seal("intervention", "note", row, []byte(i.Note.Reveal()))
			if err != nil {
				return nil, err
			}
			note = sealed
		}
		_, err = tx.Exec(`
			INSERT INTO intervention (id, network, referral, kind, made_on, minutes, note, made_by, removed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`, id, network, referral, i.Kind, string(i.Day), i.Minutes, note, by)
		return nil, err
	case selfrefer.AddMeasure:
		return nil, db.addMeasure(tx, who, r, id, c)
	case selfrefer.Remove:
		table, known := entryTables[c.Kind]
		if !known {
			return selfrefer.ErrEntry, nil
		}
		at := int64(0)
		if c.Removed {
			at = tx.now
		}
		return changed(`UPDATE `+table+` SET removed_at = $1 WHERE id = $2 AND referral = $3`, at, int64(c.ID), referral)
	}
	return nil, fmt.Errorf("nobody knows how to record a %T", c)
}

func (db *DB) addTask(tx *Tx, who staff.Account, r selfrefer.Referral, id int64, t selfrefer.Task) (refusal, err error) {
	if t.For == r.ClaimedBy {
		t.For = 0 // it goes along with the referral
	}
	if t.For != 0 {
		colleague, err := accountOf(tx, t.For)
		if err != nil && !errors.Is(err, staff.ErrNotFound) {
			return nil, err
		}
		if err := selfrefer.MayDo(colleague, r); err != nil {
			return err, nil
		}
		hidden, err := db.mayView(tx, colleague, r)
		if err != nil {
			return nil, err
		}
		if hidden != nil {
			return selfrefer.ErrNotTheirs, nil
		}
	}
	words, err := db.sealer.seal("task", "words", strconv.FormatInt(id, 10), []byte(t.Words.Reveal()))
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(`
		INSERT INTO task (id, network, referral, kind, for_account, due, words, made_by, made_at, done_by, done_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)`,
		id, int64(r.Network), int64(r.ID), string(t.Kind), int64(t.For), string(t.Due), words, int64(who.ID), tx.now)
	return nil, err
}

func (db *DB) addOnward(tx *Tx, who staff.Account, r selfrefer.Referral, id int64, o selfrefer.OnwardReferral) (refusal, err error) {
	d := onwardDoc{o.Place.Reveal(), o.Why.Reveal()}
	if o.Service != 0 {
		s, err := localService(tx, r.Network, o.Service, "")
		if errors.Is(err, selfrefer.ErrNoService) {
			return err, nil
		}
		if err != nil {
			return nil, err
		}
		d.Place = s.Name
	}
	sealed, err := db.sealOnward(id, d)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(`
		INSERT INTO onward (id, network, referral, service, how, state, made_on, changed_on, words, made_by, removed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, 0)`,
		id, int64(r.Network), int64(r.ID), int64(o.Service), string(o.How), string(o.State), string(o.Day), sealed, int64(who.ID))
	return nil, err
}

func (db *DB) sealOnward(id int64, d onwardDoc) ([]byte, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write an onward referral: %w", err)
	}
	return db.sealer.seal("onward", "words", strconv.FormatInt(id, 10), plain)
}

func (db *DB) openOnward(id int64, sealed []byte) (d onwardDoc, err error) {
	plain, err := db.sealer.open("onward", "words", strconv.FormatInt(id, 10), sealed)
	if err == nil && json.Unmarshal(plain, &d) != nil {
		err = fmt.Errorf("open onward referral %d: it cannot be read", id) // the error would quote it
	}
	return d, err
}

func (db *DB) setOnward(tx *Tx, r selfrefer.Referral, c selfrefer.SetOnward) (refusal, err error) {
	var sealed []byte
	err = tx.QueryRow(`SELECT words FROM onward WHERE id = $1 AND referral = $2`+db.engine.lockClause(), int64(c.ID), int64(r.ID)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return selfrefer.ErrEntry, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := db.openOnward(int64(c.ID), sealed)
	if err != nil {
		return nil, err
	}
	d.Why = cmp.Or(c.Why.Reveal(), d.Why)
	if sealed, err = db.sealOnward(int64(c.ID), d); err != nil {
		return nil, err
	}
	_, err = tx.Exec(`UPDATE onward SET state = $1, changed_on = $2, words = $3 WHERE id = $4`, string(c.State), string(c.On), sealed, int64(c.ID))
	return nil, err
}

func (db *DB) addMeasure(tx *Tx, who staff.Account, r selfrefer.Referral, id int64, c selfrefer.AddMeasure) error {
	_, err := tx.Exec(`
		INSERT INTO measure (id, network, referral, kind, own_measure, made_on, made_by, removed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
		id, int64(r.Network), int64(r.ID), c.Of.Kind, c.Of.Own, string(c.Measure.Day), int64(who.ID))
	if err != nil {
		return err
	}
	var args []any
	for item, score := range c.Measure.Scores {
		args = append(args, id, item, score)
	}
	if total, ok := c.Of.TotalIn(c.Measure.Scores); ok {
		args = append(args, id, c.Of.Total, total)
	}
	_, err = tx.bulkInsert(`INSERT INTO measure_score (measure, item, score)`, 3, args, ``)
	return err
}

// Support opens what was done with a person. Who looked, or tried to, is in the audit before anything is shown.
func (db *DB) Support(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (s selfrefer.Support, err error) {
	var refusal error
	err = db.write(ctx, "view support", func(tx *Tx) error {
		s = selfrefer.Support{}
		r, sealed, err := referralOf(tx, id, "")
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayView(tx, who, r); err != nil {
			return err
		}
		if refusal != nil {
			return db.auditReferral(tx, who, string(staff.ViewReferral), id, outcomeOf(refusal))
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		if err := db.opened(tx, who, &r); err != nil {
			return err
		}
		if err := db.bar(tx, who, &r); err != nil {
			return err
		}
		s.Referral = r
		if err := db.support(tx, &s); err != nil {
			return fmt.Errorf("open the support of referral %d: %w", id, err)
		}
		return db.auditReferral(tx, who, string(staff.ViewReferral), id, "done")
	})
	return s, errors.Join(err, refusal)
}

func (db *DB) support(tx *Tx, s *selfrefer.Support) (err error) {
	id := int64(s.Referral.ID)
	s.Removed = map[selfrefer.EntryID]bool{}
	if s.Tasks, err = db.tasksOf(tx, s.Referral.ID); err != nil {
		return err
	}
	if s.Goals, err = list(tx, func(row scanner, g *selfrefer.Goal) error {
		var sealed []byte
		var removed int64
		if err := row.Scan((*int64)(&g.ID), (*string)(&g.State), (*string)(&g.Set), (*string)(&g.Ended), &sealed, (*int64)(&g.By), &removed); err != nil {
			return err
		}
		s.Removed[g.ID] = removed != 0
		words, err := db.sealer.open("goal", "words", strconv.FormatInt(int64(g.ID), 10), sealed)
		g.Words = selfrefer.FreeText(words)
		return err
	}, `SELECT id, state, set_on, ended_on, words, made_by, removed_at FROM goal WHERE referral = $1 ORDER BY id`, id); err != nil {
		return err
	}
	if s.Onward, err = list(tx, func(row scanner, o *selfrefer.OnwardReferral) error {
		var sealed []byte
		var removed int64
		if err := row.Scan((*int64)(&o.ID), (*int64)(&o.Service), (*string)(&o.How), (*string)(&o.State), (*string)(&o.Day), (*string)(&o.Changed), &sealed, (*int64)(&o.By), &removed); err != nil {
			return err
		}
		s.Removed[o.ID] = removed != 0
		d, err := db.openOnward(int64(o.ID), sealed)
		o.Place, o.Why = selfrefer.FreeText(d.Place), selfrefer.FreeText(d.Why)
		return err
	}, `SELECT id, service, how, state, made_on, changed_on, words, made_by, removed_at FROM onward WHERE referral = $1 ORDER BY id`, id); err != nil {
		return err
	}
	if s.Interventions, err = list(tx, func(row scanner, i *selfrefer.Intervention) error {
		var sealed []byte
		var removed int64
		if err := row.Scan((*int64)(&i.ID), &i.Kind, (*string)(&i.Day), &i.Minutes, &sealed, (*int64)(&i.By), &removed); err != nil {
			return err
		}
		s.Removed[i.ID] = removed != 0
		if sealed == nil {
			return nil
		}
		note, err := db.sealer.open("intervention", "note", strconv.FormatInt(int64(i.ID), 10), sealed)
		i.Note = selfrefer.FreeText(note)
		return err
	}, `SELECT id, kind, made_on, minutes, note, made_by, removed_at FROM intervention WHERE referral = $1 ORDER BY made_on, id`, id); err != nil {
		return err
	}
	if err := measures(tx, s); err != nil {
		return err
	}
	if s.Kinds, s.Own, err = supportOffer(tx, s.Referral.Network); err != nil {
		return err
	}
	if s.Referral.State != selfrefer.Closed && s.Referral.State != selfrefer.Onward {
		return nil
	}
	var at int64
	err = tx.QueryRow(`SELECT reason, at FROM referral_event WHERE referral = $1 AND reason <> '' ORDER BY id DESC LIMIT 1`, id).Scan((*string)(&s.Ended), &at)
	if s.EndedAt = timeOf(at); errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return err
}

// measures reads the answers, without the sums: those are worked out again.
func measures(tx *Tx, s *selfrefer.Support) (err error) {
	id := int64(s.Referral.ID)
	if s.Measures, err = list(tx, func(row scanner, m *selfrefer.Measure) error {
		var removed int64
		err := row.Scan((*int64)(&m.ID), &m.Kind, &m.Own, (*string)(&m.Day), (*int64)(&m.By), &removed)
		s.Removed[m.ID], m.Scores = removed != 0, map[string]int{}
		return err
	}, `SELECT id, kind, own_measure, made_on, made_by, removed_at FROM measure WHERE referral = $1 ORDER BY made_on, id`, id); err != nil {
		return err
	}
	_, err = list(tx, func(row scanner, _ *struct{}) error {
		var measure selfrefer.EntryID
		var item string
		var score int
		if err := row.Scan((*int64)(&measure), &item, &score); err != nil {
			return err
		}
		for i := range s.Measures {
			if m := &s.Measures[i]; m.ID == measure && item != selfrefer.Loneliness.Total && item != "total" {
				m.Scores[item] = score
			}
		}
		return nil
	}, `SELECT c.measure, c.item, c.score FROM measure m JOIN measure_score c ON c.measure = m.id WHERE m.referral = $1`, id)
	return err
}

const taskColumns = `t.id, t.referral, t.kind, t.for_account, t.due, t.words, t.made_by, t.made_at, t.done_by, t.done_at`

func (db *DB) scanTask(row scanner, t *selfrefer.Task) error {
	var sealed []byte
	var made, done int64
	err := row.Scan((*int64)(&t.ID), (*int64)(&t.Referral), (*string)(&t.Kind), (*int64)(&t.For), (*string)(&t.Due), &sealed, (*int64)(&t.By), &made, (*int64)(&t.DoneBy), &done)
	if err != nil {
		return err
	}
	t.At, t.DoneAt = timeOf(made), timeOf(done)
	words, err := db.sealer.open("task", "words", strconv.FormatInt(int64(t.ID), 10), sealed)
	t.Words = selfrefer.FreeText(words)
	return err
}

func (db *DB) tasksOf(tx *Tx, id selfrefer.ReferralID) ([]selfrefer.Task, error) {
	return list(tx, db.scanTask, `SELECT `+taskColumns+` FROM task t WHERE t.referral = $1 ORDER BY t.due, t.id`, int64(id))
}

// ReferralTasks lists the tasks of one referral for whoever may look at it.
func (db *DB) ReferralTasks(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (all []selfrefer.Task, err error) {
	err = db.read(ctx, "tasks of a referral", func(tx *Tx) error {
		r, _, err := referralOf(tx, id, "")
		if err != nil {
			return err
		}
		refusal, err := db.mayView(tx, who, r)
		if err = errors.Join(err, refusal); err != nil {
			return err
		}
		all, err = db.tasksOf(tx, id)
		return err
	})
	return all, err
}

// Tasks lists what somebody has to do, by day. What hangs on a referral that they may not look at is not in it.
func (db *DB) Tasks(ctx context.Context, who staff.Account) (all []selfrefer.Task, err error) {
	all, _, err = db.TasksAfter(ctx, who, selfrefer.TaskPlace{}, selfrefer.MaxTasks)
	return all, err
}

// tasksQueries are of what somebody was given, and of what hangs on referrals that they have.
var tasksQueries = []string{
	`SELECT ` + taskColumns + ` FROM task t WHERE t.network = $1 AND t.for_account = $2 AND t.done_at = 0 AND (t.due, t.id) > ($3, $4) ORDER BY t.due, t.id LIMIT $5`,
	// CROSS JOIN keeps SQLite to this order: the tasks that are open are few, the referrals that somebody ever had are many.
	`SELECT ` + taskColumns + ` FROM task t CROSS JOIN referral r
		WHERE t.network = $1 AND t.for_account = 0 AND t.done_at = 0 AND (t.due, t.id) > ($3, $4) AND r.id = t.referral AND r.claimed_by = $2 ORDER BY t.due, t.id LIMIT $5`,
}

// TasksAfter goes on behind the task that was told last, and tells where the next page does; the most pressing come first.
func (db *DB) TasksAfter(ctx context.Context, who staff.Account, after selfrefer.TaskPlace, limit int) (all []selfrefer.Task, next selfrefer.TaskPlace, err error) {
	if err := staff.May(who, staff.WorkReferral, who.Network); err != nil {
		return nil, next, err
	}
	err = db.read(ctx, "tasks", func(tx *Tx) error {
		all, next = nil, selfrefer.TaskPlace{}
		for _, q := range tasksQueries {
			more, err := list(tx, db.scanTask, q, int64(who.Network), int64(who.ID), string(after.Due), int64(after.ID), limit+1)
			if err != nil {
				return err
			}
			all = append(all, more...)
		}
		slices.SortFunc(all, func(a, b selfrefer.Task) int { return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.ID, b.ID)) })
		if len(all) > limit {
			all = all[:limit]
			next = selfrefer.TaskPlace{Due: all[limit-1].Due, ID: all[limit-1].ID}
		}
		return db.nameTasks(tx, who, &all)
	})
	return all, next, err
}

// nameTasks says whose referral each task is about, and leaves out those that somebody may not look at.
func (db *DB) nameTasks(tx *Tx, who staff.Account, all *[]selfrefer.Task) error {
	type about struct {
		reference      string
		name           person.Name
		urgent, hidden bool
	}
	known := map[selfrefer.ReferralID]about{}
	kept := (*all)[:0]
	for _, t := range *all {
		a, ok := known[t.Referral]
		if !ok {
			r, sealed, err := referralOf(tx, t.Referral, "")
			if err != nil {
				return err
			}
			refusal, err := db.mayView(tx, who, r)
			if err != nil {
				return err
			}
			if a.hidden = refusal != nil; !a.hidden {
				if err := db.openReferral(&r, sealed, false); err != nil {
					return err
				}
				a.reference, a.name, a.urgent = r.Reference, r.Name, r.Urgent
			}
			known[t.Referral] = a
		}
		if a.hidden {
			continue
		}
		t.Reference, t.Name, t.Urgent = a.reference, a.name, a.urgent
		kept = append(kept, t)
	}
	*all = kept
	return nil
}

// SupportOffer is what a network offers to record.
func (db *DB) SupportOffer(ctx context.Context, n staff.NetworkID) (kinds []selfrefer.Kind, own []selfrefer.OwnMeasure, err error) {
	err = db.read(ctx, "what is offered to record", func(tx *Tx) error {
		kinds, own, err = supportOffer(tx, n)
		return err
	})
	return kinds, own, err
}

func supportOffer(tx *Tx, n staff.NetworkID) (kinds []selfrefer.Kind, own []selfrefer.OwnMeasure, err error) {
	var text string
	switch err := tx.QueryRow(`SELECT kinds FROM support_offer WHERE network = $1`, int64(n)).Scan(&text); {
	case errors.Is(err, sql.ErrNoRows):
		kinds = selfrefer.Kinds
	case err != nil:
		return nil, nil, err
	default:
		if err := json.Unmarshal([]byte(text), &kinds); err != nil {
			return nil, nil, fmt.Errorf("read the interventions of network %d: %w", n, err)
		}
	}
	own, err = list(tx, func(row scanner, m *selfrefer.OwnMeasure) error {
		var questions string
		if err := row.Scan(&m.ID, &m.Name, &questions, &m.Low, &m.High, (*int)(&m.MoreIs), &m.Used); err != nil {
			return err
		}
		return json.Unmarshal([]byte(questions), &m.Questions)
	}, `SELECT id, name, questions, low, high, more_is, used FROM own_measure WHERE network = $1 ORDER BY used DESC, id`, int64(n))
	return kinds, own, err
}

// offerChange runs a change of what a network offers, if who may, and audits it.
func (db *DB) offerChange(ctx context.Context, who staff.Account, target string, change func(tx *Tx) (refusal, err error)) error {
	var refusal error
	err := db.write(ctx, "change what is offered to record", func(tx *Tx) (err error) {
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.EditSupport), Target: target, Outcome: "done"}
		if refusal = staff.May(who, staff.EditSupport, who.Network); refusal == nil {
			if refusal, err = change(tx); err != nil {
				return err
			}
		}
		if refusal != nil {
			if entry.Outcome = "denied"; errors.Is(refusal, staff.ErrNotFound) {
				entry.Outcome = "not_found"
			}
		}
		return db.audit(tx, entry)
	})
	return errors.Join(err, refusal)
}

// SetKinds replaces a network's list of interventions.
func (db *DB) SetKinds(ctx context.Context, who staff.Account, kinds []selfrefer.Kind) error {
	text, err := json.Marshal(kinds)
	if err != nil {
		return fmt.Errorf("write the interventions: %w", err)
	}
	return db.offerChange(ctx, who, "interventions", func(tx *Tx) (refusal, err error) {
		_, err = tx.Exec(`
			INSERT INTO support_offer (network, kinds, changed_by, changed_at)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (network) DO UPDATE
			SET kinds = excluded.kinds, changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
			int64(who.Network), string(text), int64(who.ID), tx.now)
		return nil, err
	})
}

// AddOwnMeasure adds one; its questions stay as they are from then on.
func (db *DB) AddOwnMeasure(ctx context.Context, who staff.Account, m selfrefer.OwnMeasure) (int64, error) {
	m, faults := m.Check()
	if len(faults) > 0 {
		return 0, fmt.Errorf("this measure cannot be used: %s", faults[0].Sentence)
	}
	questions, err := json.Marshal(m.Questions)
	if err != nil {
		return 0, fmt.Errorf("write a measure: %w", err)
	}
	id := db.newID()
	return id, db.offerChange(ctx, who, fmt.Sprintf("measure %d", id), func(tx *Tx) (refusal, err error) {
		_, err = tx.Exec(`
			INSERT INTO own_measure (id, network, name, questions, low, high, more_is, used, made_by, made_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			id, int64(who.Network), m.Name, string(questions), m.Low, m.High, int(m.MoreIs), true, int64(who.ID), tx.now)
		return nil, err
	})
}

// UseOwnMeasure takes an own measure out of use, or into use again.
func (db *DB) UseOwnMeasure(ctx context.Context, who staff.Account, id int64, use bool) error {
	return db.offerChange(ctx, who, fmt.Sprintf("measure %d", id), func(tx *Tx) (refusal, err error) {
		n, err := tx.Exec(`UPDATE own_measure SET used = $1 WHERE id = $2 AND network = $3`, use, id, int64(who.Network))
		if err == nil && n == 0 {
			refusal = staff.ErrNotFound
		}
		return refusal, err
	})
}
