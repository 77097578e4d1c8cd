package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

const (
	// longestAway is how far ahead a day off sick can end: what is longer is a leave that somebody plans.
	longestAway = 28 * 24 * time.Hour
	// resumeAfter is after how long of machine time somebody else goes on with work that was cut off.
	resumeAfter = time.Minute

	workOut  = "out"
	workBack = "back"
)

// away is a row of its table.
type away struct {
	selfrefer.Away
	work string
}

const awayColumns = `id, account, from_at, to_at, support, work, back_at`

func scanAway(r scanner, a *away) error {
	var from, to, back int64
	err := r.Scan(&a.ID, (*int64)(&a.Account), &from, &to, &a.Support, &a.work, &back)
	a.From, a.To, a.Done, a.Back = timeOf(from), timeOf(to), a.work == "", back != 0
	return err
}

// awayOf is the day off that has not ended; id 0 if there is none.
func awayOf(tx *Tx, account staff.AccountID, lock string) (a away, err error) {
	err = scanAway(tx.QueryRow(`SELECT `+awayColumns+` FROM away WHERE account = $1 AND back_at = 0 AND to_at > $2 ORDER BY id DESC LIMIT 1`+lock, int64(account), tx.now), &a)
	return a, notFound(err, nil)
}

// colleague asks whether who may say that somebody is ill or back; somebody of another network does not exist.
func colleague(tx *Tx, who staff.Account, account staff.AccountID) (a staff.Account, t staff.Team, refusal, err error) {
	if a, err = accountOf(tx, account); err != nil && !errors.Is(err, staff.ErrNotFound) {
		return a, t, nil, err
	}
	if refusal = selfrefer.MaySick(who, a); refusal == nil && (a.Team == 0 || !a.Role.Answers() || a.Disabled) {
		refusal = staff.ErrNotFound
	}
	if refusal != nil {
		return a, t, refusal, nil
	}
	t, err = teamOf(tx, a.Team)
	return a, t, nil, err
}

// AwayNow is the day on which somebody is ill now, with what was moved.
func (db *DB) AwayNow(ctx context.Context, who staff.Account, account staff.AccountID) (out selfrefer.Away, err error) {
	var refusal error
	err = db.read(ctx, "who is away", func(tx *Tx) error {
		out = selfrefer.Away{}
		if _, _, refusal, err = colleague(tx, who, account); err != nil || refusal != nil {
			return err
		}
		a, err := awayOf(tx, account, "")
		if err != nil || a.ID == 0 {
			return err
		}
		out = a.Away
		out.Moves, err = list(tx, func(r scanner, m *selfrefer.Move) error {
			var due int64
			err := r.Scan((*int64)(&m.Referral), &m.Reference, &m.Urgent, (*string)(&m.State), &due, (*int64)(&m.To))
			m.Due = timeOf(due)
			return err
		}, `
			SELECT r.id, r.reference, r.urgent, r.state, r.due_at, m.to_account
			FROM away_move m
			JOIN referral r ON r.id = m.referral
			WHERE m.away = $1
			ORDER BY r.due_at, r.id`, a.ID)
		return err
	})
	return out, errors.Join(err, refusal)
}

// PlanSick tells what would go where if somebody were away from now until an instant. It changes nothing.
func (db *DB) PlanSick(ctx context.Context, who staff.Account, account staff.AccountID, until time.Time, support bool) (all []selfrefer.Move, err error) {
	var refusal error
	err = db.read(ctx, "plan a day off sick", func(tx *Tx) error {
		var a staff.Account
		var t staff.Team
		if a, t, refusal, err = colleague(tx, who, account); err != nil || refusal != nil {
			return err
		}
		if refusal = checkUntil(tx, until); refusal != nil {
			return nil //nolint:nilerr // the caller is told
		}
		all, err = db.planAway(tx, t, a, support)
		return err
	})
	return all, errors.Join(err, refusal)
}

func checkUntil(tx *Tx, until time.Time) error {
	if now := timeOf(tx.now); !until.After(now) || until.Sub(now) > longestAway {
		return errors.New("a day off sick must end after now, and within four weeks: enter a longer leave as a leave")
	}
	return nil
}

// planAway deals out what somebody has in hand among the others, for what they can call within the promise: today's calls and the next days'.
func (db *DB) planAway(tx *Tx, t staff.Team, a staff.Account, support bool) ([]selfrefer.Move, error) {
	where := conditions{`network = $1 AND claimed_by = $2 AND ` + inHands, []any{int64(t.Network), int64(a.ID)}}
	if !support {
		where = where.and(`state <> ?`, string(selfrefer.InSupport))
	}
	held, err := db.wholeReferrals(tx, where, `due_at, id`, 10_000)
	if err != nil {
		return nil, fmt.Errorf("read what somebody has in hand: %w", err)
	}
	var all []selfrefer.Move
	for part := range slices.Chunk(held, mostDealt) {
		given, err := db.among(tx, t, a.ID, part, all)
		if err != nil {
			return nil, err
		}
		for _, g := range given {
			i := slices.IndexFunc(part, func(r selfrefer.Referral) bool { return r.ID == g.Referral })
			r := part[i]
			all = append(all, selfrefer.Move{Referral: r.ID, Reference: r.Reference, Urgent: r.Urgent, State: r.State, Due: r.Due, To: g.To,
				Stays: g.To == 0 && r.State == selfrefer.InSupport, Why: g.Why})
		}
	}
	return all, nil
}

// among deals referrals out among the team without the one who is away. What is planned already counts as in hand.
func (db *DB) among(tx *Tx, t staff.Team, without staff.AccountID, held []selfrefer.Referral, planned []selfrefer.Move) ([]selfrefer.Given, error) {
	now := timeOf(tx.now)
	until := db.endOfToday(db.Calendar.DueBy(now, max(t.PromiseDays, 1)))
	takers, _, err := db.takers(tx, t, until)
	if err != nil {
		return nil, err
	}
	takers = slices.DeleteFunc(takers, func(k selfrefer.Taker) bool { return k.Account.ID == without })
	for i := range takers {
		for _, m := range planned {
			if m.To != takers[i].Account.ID {
				continue
			}
			if m.State != selfrefer.InSupport {
				takers[i].Holds++
			}
			if takers[i].Worker.Places > 0 {
				takers[i].Worker.Places--
			}
		}
	}
	waiting, err := db.asWaiting(tx, held, takers)
	if err != nil {
		return nil, err
	}
	return selfrefer.Deal(db.Calendar, waiting, takers, now, until), nil
}

// Sick puts somebody on leave from now, which the pacer knows at its next decision, and then shares out what they have in hand, one referral in
// one transaction: what is cut off is gone on with by [DB.ShareOut]. Each goes where it went in the plan that was seen, if it still can.
func (db *DB) Sick(ctx context.Context, who staff.Account, account staff.AccountID, until time.Time, support bool, seen []selfrefer.Move) (selfrefer.Away, error) {
	var refusal error
	var id int64
	err := db.write(ctx, "note a day off sick", func(tx *Tx) error {
		a, _, no, err := colleague(tx, who, account)
		if refusal = no; err != nil {
			return err
		}
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: "away.start", Target: fmt.Sprintf("account %d", account), Outcome: "done"}
		if refusal != nil {
			entry.Outcome = "denied"
			return db.audit(tx, entry)
		}
		if refusal = checkUntil(tx, until); refusal != nil {
			return nil //nolint:nilerr // the caller is told
		}
		if err := db.lockAccount(tx, a.ID); err != nil {
			return err
		}
		was, err := awayOf(tx, a.ID, db.engine.lockClause())
		if err != nil {
			return err
		}
		from := timeOf(tx.now)
		if id = was.ID; id != 0 { // for longer, or shorter, than was said before
			from = was.From
			if _, err := tx.Exec(`DELETE FROM leave WHERE account = $1 AND from_at = $2 AND to_at = $3`, int64(a.ID), msOf(was.From), msOf(was.To)); err != nil {
				return fmt.Errorf("replace a leave: %w", err)
			}
			_, err = tx.Exec(`UPDATE away SET to_at = $1, support = $2, work = $3, touched_at = $4 WHERE id = $5`, msOf(until), support, workOut, tx.machine, id)
		} else {
			id = db.newID()
			_, err = tx.Exec(`
				INSERT INTO away (id, account, from_at, to_at, support, told_by, touched_at, work, back_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`, id, int64(a.ID), msOf(from), msOf(until), support, int64(who.ID), tx.machine, workOut)
		}
		if err != nil {
			return fmt.Errorf("note a day off sick: %w", err)
		}
		if err := addLeave(tx, db.newID(), a.ID, throttle.Span{From: from, To: until}); err != nil {
			return err
		}
		return db.audit(tx, entry)
	})
	if err = errors.Join(err, refusal); err != nil {
		return selfrefer.Away{}, err
	}
	if err := db.handOut(ctx, id, seen); err != nil {
		return selfrefer.Away{}, err
	}
	return db.AwayNow(ctx, who, account)
}

// lockAccount keeps others from saying the same of somebody at the same moment.
func (db *DB) lockAccount(tx *Tx, id staff.AccountID) error {
	var one int
	return tx.QueryRow(`SELECT 1 FROM account WHERE id = $1`+db.engine.lockClause(), int64(id)).Scan(&one)
}

// handOut shares out what somebody who is away has in hand.
func (db *DB) handOut(ctx context.Context, id int64, seen []selfrefer.Move) error {
	var all []selfrefer.Move
	err := db.read(ctx, "plan a day off sick", func(tx *Tx) error {
		aw, a, t, err := db.awayWork(tx, id, workOut, "")
		if err != nil || aw.ID == 0 {
			return err
		}
		all, err = db.planAway(tx, t, a, aw.Support)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range all {
		if i := slices.IndexFunc(seen, func(s selfrefer.Move) bool { return s.Referral == m.Referral }); i >= 0 && seen[i].To != 0 {
			m.To = seen[i].To
		}
		if err := db.write(ctx, "hand over for somebody who is away", func(tx *Tx) error { return db.moveAway(tx, id, m) }); err != nil {
			return err
		}
	}
	return db.write(ctx, "hand over for somebody who is away", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE away SET work = '' WHERE id = $1 AND work = $2`, id, workOut)
		return err
	})
}

// awayWork is a day off whose work is still the one that is meant; id 0 if it is not.
func (db *DB) awayWork(tx *Tx, id int64, work, lock string) (aw away, a staff.Account, t staff.Team, err error) {
	err = scanAway(tx.QueryRow(`SELECT `+awayColumns+` FROM away WHERE id = $1 AND work = $2`+lock, id, work), &aw)
	if err = notFound(err, nil); err != nil || aw.ID == 0 {
		return aw, a, t, err
	}
	if a, err = accountOf(tx, aw.Account); err != nil {
		return aw, a, t, err
	}
	t, err = teamOf(tx, a.Team)
	return aw, a, t, err
}

// moveAway moves one referral of somebody who is away: where it was to go if that still can be, else wherever it can go now, else into the queue.
func (db *DB) moveAway(tx *Tx, id int64, m selfrefer.Move) error {
	aw, a, t, err := db.awayWork(tx, id, workOut, db.engine.lockClause())
	if err != nil || aw.ID == 0 {
		return err
	}
	r, sealed, err := referralOf(tx, m.Referral, db.engine.lockClause())
	if err != nil || r.ClaimedBy != aw.Account || !r.State.Open() && r.State != selfrefer.InSupport {
		return ignoreMissing(err) // somebody has done something with it meanwhile
	}
	if err := db.openReferral(&r, sealed, true); err != nil {
		return err
	}
	to := staff.AccountID(0)
	if m.To != 0 {
		if to, err = db.stillTo(tx, t, a.ID, r, m.To); err != nil {
			return err
		}
	}
	note := firstName(a.Name) + " is away."
	switch {
	case to != 0:
		err = db.pass(tx, &r, to, note)
	case r.State == selfrefer.InSupport:
		return nil
	default:
		var refusal error
		refusal, err = db.move(tx, staff.Account{Network: r.Network}, &r, selfrefer.New, selfrefer.Contact{Event: selfrefer.Release, Note: note})
		if err = errors.Join(err, refusal); err == nil {
			err = db.auditReferral(tx, staff.Account{Network: r.Network}, "referral."+string(selfrefer.Release), r.ID, "done")
		}
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO away_move (away, referral, to_account, settled)
		VALUES ($1, $2, $3, FALSE)
		ON CONFLICT (away, referral) DO UPDATE SET to_account = excluded.to_account, settled = FALSE`, id, int64(r.ID), int64(to))
	if err != nil {
		return fmt.Errorf("note what was handed over: %w", err)
	}
	return nil
}

// stillTo is to whom a referral goes: to one person if they can still take it, else to whoever can; 0 for nobody.
func (db *DB) stillTo(tx *Tx, t staff.Team, without staff.AccountID, r selfrefer.Referral, to staff.AccountID) (staff.AccountID, error) {
	until := db.endOfToday(db.Calendar.DueBy(timeOf(tx.now), max(t.PromiseDays, 1)))
	for range 3 { // somebody else may deal out work at the same moment
		if err := ignoreMissing(db.lockTaker(tx, to)); err != nil {
			return 0, err
		}
		if ok, err := db.fits(tx, t, r.ID, to, until); err != nil || ok {
			return to, err
		}
		given, err := db.among(tx, t, without, []selfrefer.Referral{r}, nil)
		if err != nil || len(given) == 0 || given[0].To == 0 {
			return 0, err
		}
		to = given[0].To
	}
	return 0, nil
}

// Back ends a day off sick: the leave ends, and what nobody has opened yet returns.
func (db *DB) Back(ctx context.Context, who staff.Account, account staff.AccountID) (returned int, err error) {
	var refusal error
	var id int64
	err = db.write(ctx, "end a day off sick", func(tx *Tx) error {
		_, _, no, err := colleague(tx, who, account)
		if refusal = no; err != nil {
			return err
		}
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: "away.end", Target: fmt.Sprintf("account %d", account), Outcome: "done"}
		if refusal != nil {
			entry.Outcome = "denied"
			return db.audit(tx, entry)
		}
		a, err := awayOf(tx, account, db.engine.lockClause())
		if err != nil {
			return err
		}
		if id = a.ID; id == 0 {
			refusal = selfrefer.ErrNotAway
			return nil
		}
		if _, err := tx.Exec(`UPDATE away SET back_at = $1, work = $2, touched_at = $3 WHERE id = $4`, tx.now, workBack, tx.machine, id); err != nil {
			return fmt.Errorf("end a day off sick: %w", err)
		}
		if _, err := tx.Exec(`DELETE FROM leave WHERE account = $1 AND from_at = $2 AND to_at = $3`, int64(account), msOf(a.From), msOf(a.To)); err != nil {
			return fmt.Errorf("end the leave: %w", err)
		}
		if a.From.UnixMilli() < tx.now { // they were away until now
			if err := addLeave(tx, db.newID(), account, throttle.Span{From: a.From, To: timeOf(tx.now)}); err != nil {
				return err
			}
		}
		return db.audit(tx, entry)
	})
	if err = errors.Join(err, refusal); err != nil {
		return 0, err
	}
	return db.giveBack(ctx, id)
}

// giveBack returns what was handed over for somebody who is back, and nobody has opened yet.
func (db *DB) giveBack(ctx context.Context, id int64) (returned int, err error) {
	var moved []int64
	err = db.read(ctx, "what returns", func(tx *Tx) error {
		moved, err = list(tx, func(r scanner, id *int64) error { return r.Scan(id) }, `SELECT referral FROM away_move WHERE away = $1 AND NOT settled ORDER BY referral`, id)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, m := range moved {
		var did bool
		err := db.write(ctx, "return a referral", func(tx *Tx) error {
			did, err = db.returnOne(tx, id, selfrefer.ReferralID(m))
			return err
		})
		if err != nil {
			return returned, err
		}
		if did {
			returned++
		}
	}
	return returned, db.write(ctx, "return referrals", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE away SET work = '' WHERE id = $1 AND work = $2`, id, workBack)
		return err
	})
}

func (db *DB) returnOne(tx *Tx, id int64, referral selfrefer.ReferralID) (did bool, err error) {
	aw, a, _, err := db.awayWork(tx, id, workBack, db.engine.lockClause())
	if err != nil || aw.ID == 0 {
		return false, err
	}
	r, sealed, err := referralOf(tx, referral, db.engine.lockClause())
	if err != nil {
		return false, err
	}
	var to int64
	err = tx.QueryRow(`SELECT to_account FROM away_move WHERE away = $1 AND referral = $2 AND NOT settled`, id, int64(referral)).Scan(&to)
	if errors.Is(notFound(err, selfrefer.ErrNotFound), selfrefer.ErrNotFound) {
		return false, nil // another process was faster
	}
	if err != nil {
		return false, err
	}
	if _, err := tx.Exec(`UPDATE away_move SET settled = TRUE WHERE away = $1 AND referral = $2`, id, int64(referral)); err != nil {
		return false, fmt.Errorf("note what has returned: %w", err)
	}
	waits := to == 0 && r.State == selfrefer.New && r.ClaimedBy == 0
	unopened := to != 0 && int64(r.ClaimedBy) == to && r.HandedBy == selfrefer.BySystem
	if a.Disabled || !waits && !unopened {
		return false, nil
	}
	refusal, err := db.mayTake(tx, a, r)
	if err != nil || refusal != nil {
		return false, err
	}
	if err := db.openReferral(&r, sealed, true); err != nil {
		return false, err
	}
	return true, db.pass(tx, &r, a.ID, firstName(a.Name)+" is back.")
}

// resumeAway goes on with what was cut off.
func (db *DB) resumeAway(ctx context.Context) error {
	type cut struct {
		id   int64
		work string
	}
	var all []cut
	err := db.read(ctx, "what was cut off", func(tx *Tx) (err error) {
		all, err = list(tx, func(r scanner, c *cut) error { return r.Scan(&c.id, &c.work) },
			`SELECT id, work FROM away WHERE work <> '' AND touched_at < $1 ORDER BY id`, tx.machine-resumeAfter.Milliseconds())
		return err
	})
	for _, c := range all {
		if c.work == workBack {
			_, err2 := db.giveBack(ctx, c.id)
			err = errors.Join(err, err2)
			continue
		}
		err = errors.Join(err, db.handOut(ctx, c.id, nil))
	}
	return err
}

// Present notes that somebody is in today although they have opened nothing: nobody is asked again that day.
func (db *DB) Present(ctx context.Context, who staff.Account, account staff.AccountID) error {
	return db.editCapacity(ctx, who, account, "presence.in", func(tx *Tx, a staff.Account) error {
		_, err := tx.Exec(`INSERT INTO present (account, day, told_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, int64(a.ID), db.civilDay(tx), int64(who.ID))
		if err != nil {
			return fmt.Errorf("note that somebody is in: %w", err)
		}
		return nil
	})
}

func (db *DB) civilDay(tx *Tx) string {
	return db.Calendar.Midnight(timeOf(tx.now)).Format(time.DateOnly)
}

// missing are those who should be at work and have opened nothing today, for whoever is to be asked about them: the other seniors on duty, and
// without one the administrators. It assumes nothing: what they can do is counted on until somebody answers.
func (db *DB) missing(tx *Tx, who staff.Account) (out []selfrefer.Notice, err error) {
	if !selfrefer.AskIfIn.For(who) {
		return nil, nil
	}
	now := timeOf(tx.now)
	if !db.Calendar.WorkingDay(now) {
		return nil, nil
	}
	teams, err := teamsOf(tx, selfrefer.Filter{Network: who.Network, Team: who.Team})
	if err != nil {
		return nil, err
	}
	for _, t := range teams {
		s, err := sharingOf(tx, staff.TeamID(t))
		if err != nil {
			return nil, err
		}
		roster, err := workers(tx, staff.TeamID(t), false)
		if err != nil {
			return nil, err
		}
		seniors := selfrefer.DutyNow(db.Calendar, slices.DeleteFunc(slices.Clone(roster), func(w throttle.Worker) bool { return !w.Senior }), now)
		for _, w := range roster {
			id, err := strconv.ParseInt(w.ID, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read the roster: %w", err)
			}
			others := slices.DeleteFunc(slices.Clone(seniors), func(x throttle.Worker) bool { return x.ID == w.ID })
			asked := slices.ContainsFunc(others, func(x throttle.Worker) bool { return x.ID == strconv.FormatInt(int64(who.ID), 10) })
			if len(others) == 0 {
				asked = who.Role == staff.Administrator
			}
			if !asked || !s.AskFor(db.Calendar, w, now) {
				continue
			}
			seen, err := db.seenToday(tx, staff.AccountID(id))
			if err != nil {
				return nil, err
			}
			if !seen {
				out = append(out, selfrefer.Notice{Kind: selfrefer.AskIfIn, By: staff.AccountID(id), Since: db.Calendar.Midnight(now).Add(time.Duration(s.AskAt) * time.Minute)})
			}
		}
	}
	return out, nil
}

// seenToday tells whether an account has done anything today, or somebody has said that they are in.
func (db *DB) seenToday(tx *Tx, account staff.AccountID) (seen bool, err error) {
	midnight := db.Calendar.Midnight(timeOf(tx.now)).UnixMilli()
	err = tx.QueryRow(`
		SELECT EXISTS (SELECT 1 FROM present WHERE account = $1 AND day = $2)
		    OR EXISTS (SELECT 1 FROM audit WHERE account = $1 AND at >= $3)
		    OR EXISTS (SELECT 1 FROM session WHERE account = $1 AND kind = 'browser' AND seen_at >= $4)`,
		int64(account), db.civilDay(tx), midnight, tx.machine-(tx.now-midnight)).Scan(&seen)
	if err != nil {
		return false, fmt.Errorf("look whether somebody is in: %w", err)
	}
	return seen, nil
}
