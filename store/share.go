package store

import (
	"cmp"
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

// Sharing is how a team shares its work.
func (db *DB) Sharing(ctx context.Context, team staff.TeamID) (s selfrefer.Sharing, err error) {
	err = db.read(ctx, "sharing", func(tx *Tx) error {
		s, err = sharingOf(tx, team)
		return err
	})
	return s, err
}

func sharingOf(tx *Tx, team staff.TeamID) (selfrefer.Sharing, error) {
	all, err := list(tx, func(r scanner, s *selfrefer.Sharing) error {
		var minutes int64
		err := r.Scan(&s.Auto, &minutes, &s.AskAt)
		s.Wait = time.Duration(minutes) * time.Minute
		return err
	}, `SELECT auto, wait, ask_at FROM sharing WHERE team = $1`, int64(team))
	if err != nil {
		return selfrefer.Sharing{}, fmt.Errorf("read how the work is shared: %w", err)
	}
	return append(all, selfrefer.UsualSharing)[0], nil
}

// SetSharing decides how a team shares its work.
func (db *DB) SetSharing(ctx context.Context, who staff.Account, team staff.TeamID, s selfrefer.Sharing) error {
	if err := s.Check(); err != nil {
		return err
	}
	var refusal error
	err := db.write(ctx, "set sharing", func(tx *Tx) error {
		t, err := teamOf(tx, team)
		if err != nil && !errors.Is(err, staff.ErrNotFound) {
			return err
		}
		entry := staff.Entry{Network: who.Network, Account: who.ID, Action: "sharing.set", Target: fmt.Sprintf("team %d", team), Outcome: map[bool]string{true: "auto", false: "suggest"}[s.Auto]}
		if refusal = staff.May(who, staff.EditCapacity, t.Network); refusal != nil {
			entry.Outcome = "denied"
			return db.audit(tx, entry)
		}
		_, err = tx.Exec(`
			INSERT INTO sharing (team, auto, wait, ask_at, changed_by, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (team) DO UPDATE
			SET auto = excluded.auto, wait = excluded.wait, ask_at = excluded.ask_at, changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
			int64(team), s.Auto, int64(s.Wait/time.Minute), s.AskAt, int64(who.ID), tx.now)
		if err != nil {
			return fmt.Errorf("set how the work is shared: %w", err)
		}
		return db.audit(tx, entry)
	})
	return errors.Join(err, refusal)
}

// SetSpeaks replaces the languages that somebody speaks besides English.
func (db *DB) SetSpeaks(ctx context.Context, who staff.Account, account staff.AccountID, languages []string) error {
	if err := selfrefer.CheckSpoken(languages); err != nil {
		return err
	}
	return db.editCapacity(ctx, who, account, "worker.speaks", func(tx *Tx, a staff.Account) error {
		if _, err := tx.Exec(`DELETE FROM speaks WHERE account = $1`, int64(a.ID)); err != nil {
			return err
		}
		for _, l := range languages {
			if _, err := tx.Exec(`INSERT INTO speaks (account, language) VALUES ($1, $2) ON CONFLICT DO NOTHING`, int64(a.ID), l); err != nil {
				return fmt.Errorf("note a language: %w", err)
			}
		}
		return nil
	})
}

// Speaks lists the languages that somebody speaks besides English.
func (db *DB) Speaks(ctx context.Context, account staff.AccountID) (all []string, err error) {
	err = db.read(ctx, "languages", func(tx *Tx) error {
		all, err = list(tx, func(r scanner, l *string) error { return r.Scan(l) }, `SELECT language FROM speaks WHERE account = $1 ORDER BY language`, int64(account))
		return err
	})
	return all, err
}

// perAccount reads a number for each of some accounts.
func perAccount(tx *Tx, query string, args ...any) (map[staff.AccountID]int, error) {
	type pair struct {
		of staff.AccountID
		n  int
	}
	all, err := list(tx, func(r scanner, p *pair) error { return r.Scan((*int64)(&p.of), &p.n) }, query, args...)
	m := make(map[staff.AccountID]int, len(all))
	for _, p := range all {
		m[p.of] = p.n
	}
	return m, err
}

// endOfToday is the civil midnight to come.
func (db *DB) endOfToday(now time.Time) time.Time {
	return db.Calendar.Midnight(db.Calendar.Midnight(now).AddDate(0, 0, 1))
}

// takers are those of a team who have hours on its roster, and what they have before them. hands is whom each of them carries, support included.
func (db *DB) takers(tx *Tx, t staff.Team, until time.Time) (all []selfrefer.Taker, hands map[staff.AccountID]int, err error) {
	roster, err := workers(tx, t.ID, true)
	if err != nil || len(roster) == 0 {
		return nil, nil, err
	}
	accounts, err := list(tx, func(r scanner, a *staff.Account) error { return scanAccount(r, a) },
		`SELECT `+accountColumns+` FROM account a WHERE a.team = $1 AND a.network = $2 AND a.disabled_at = 0`, int64(t.ID), int64(t.Network))
	if err != nil {
		return nil, nil, fmt.Errorf("read who is in the team: %w", err)
	}
	// Both are written so that the index referral_hands answers alone.
	if hands, err = perAccount(tx, `SELECT claimed_by, COUNT(*) FROM referral WHERE network = $1 AND `+inHands+` GROUP BY claimed_by`, int64(t.Network)); err != nil {
		return nil, nil, fmt.Errorf("count what everybody has in hand: %w", err)
	}
	holds, err := perAccount(tx, `SELECT claimed_by, COUNT(*) FROM referral WHERE network = $1 AND state <> 'in_support' AND `+inHands+` GROUP BY claimed_by`, int64(t.Network))
	if err != nil {
		return nil, nil, fmt.Errorf("count whom everybody has to call: %w", err)
	}
	midnight := db.Calendar.Midnight(timeOf(tx.now)).UnixMilli()
	done, err := perAccount(tx, `SELECT claimed_by, COUNT(*) FROM referral WHERE team = $1 AND contacted_at >= $2 AND contacted_at > 0 GROUP BY claimed_by`, int64(t.ID), midnight)
	if err != nil {
		return nil, nil, fmt.Errorf("count today's first contacts: %w", err)
	}
	speaks, err := spokenBy(tx, t.ID)
	if err != nil {
		return nil, nil, err
	}
	booked, err := bookedMinutes(tx, t, until)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range roster {
		for _, a := range accounts {
			if w.ID == strconv.FormatInt(int64(a.ID), 10) {
				all = append(all, selfrefer.Taker{Account: a, Worker: w, Speaks: speaks[a.ID], Holds: holds[a.ID], Done: done[a.ID], Booked: float64(booked[a.ID])})
			}
		}
	}
	return all, hands, nil
}

// bookedMinutes are promised to people until an instant, by the tasks that are to be done: what is overdue, too. Without one's own a task is of
// whoever has the referral.
func bookedMinutes(tx *Tx, t staff.Team, until time.Time) (map[staff.AccountID]int, error) {
	booked, err := perAccount(tx, `
		SELECT CASE WHEN t.for_account <> 0 THEN t.for_account ELSE r.claimed_by END, CAST(SUM(CASE WHEN t.kind = 'follow_up' THEN CAST($3 AS BIGINT) ELSE CAST($4 AS BIGINT) END) AS BIGINT)
		FROM task t
		JOIN referral r ON r.id = t.referral
		WHERE t.network = $1 AND t.done_at = 0 AND t.due < $2
		GROUP BY 1`, int64(t.Network), until.Format(time.DateOnly), int64(selfrefer.FollowUpTakes/time.Minute), int64(selfrefer.TaskTakes/time.Minute))
	if err != nil {
		return nil, fmt.Errorf("read what is booked: %w", err)
	}
	return booked, nil
}

func spokenBy(tx *Tx, team staff.TeamID) (map[staff.AccountID][]string, error) {
	type spoken struct {
		by       staff.AccountID
		language string
	}
	all, err := list(tx, func(r scanner, s *spoken) error { return r.Scan((*int64)(&s.by), &s.language) }, `
		SELECT s.account, s.language
		FROM account a
		JOIN speaks s ON s.account = a.id
		WHERE a.team = $1
		ORDER BY s.account, s.language`, int64(team))
	if err != nil {
		return nil, fmt.Errorf("read who speaks what: %w", err)
	}
	m := map[staff.AccountID][]string{}
	for _, s := range all {
		m[s.by] = append(m[s.by], s.language)
	}
	return m, nil
}

// mostDealt is how many referrals are looked at together: far more than a team can call in a day.
const mostDealt = 200

// enough is how many referrals give each of some people whatever they can take, with some that they may not have.
func (db *DB) enough(takers []selfrefer.Taker, now, until time.Time) int {
	n := 20
	for _, t := range takers {
		n += t.Room(db.Calendar, now, until)
	}
	return min(n, mostDealt)
}

// wholeReferrals reads referrals with all that is sealed.
func (db *DB) wholeReferrals(tx *Tx, where conditions, order string, limit int) ([]selfrefer.Referral, error) {
	return list(tx, func(row scanner, r *selfrefer.Referral) error {
		sealed, err := scanReferral(row, r)
		if err != nil {
			return err
		}
		return db.openReferral(r, sealed, true)
	}, `SELECT `+referralColumns+` FROM referral WHERE `+where.sql+` ORDER BY `+order+` LIMIT $`+strconv.Itoa(len(where.args)+1), append(where.args, limit)...)
}

// waiting are the first of those whom nobody has claimed, in the order of calling.
func (db *DB) waiting(tx *Tx, t staff.Team, takers []selfrefer.Taker, limit int) ([]selfrefer.Waiting, error) {
	var all []selfrefer.Referral
	for _, l := range lanes {
		if len(all) >= limit {
			break
		}
		where := conditions{`network = $1 AND team = $2 AND state = 'new' AND ` + openReferrals, []any{int64(t.Network), int64(t.ID)}}.and(`urgent = ?`, l.urgent).and(`lane = ?`, string(l.lane))
		more, err := db.wholeReferrals(tx, where, `due_at, id`, limit-len(all))
		if err != nil {
			return nil, fmt.Errorf("read who waits: %w", err)
		}
		all = append(all, more...)
	}
	return db.asWaiting(tx, all, takers)
}

// asWaiting puts together what must be known of referrals to deal them out: who had the person before, and who may not have them.
func (db *DB) asWaiting(tx *Tx, all []selfrefer.Referral, takers []selfrefer.Taker) ([]selfrefer.Waiting, error) {
	if len(all) == 0 {
		return nil, nil
	}
	knew, err := db.knew(tx, all)
	if err != nil {
		return nil, err
	}
	gave, err := gaveBack(tx, all)
	if err != nil {
		return nil, err
	}
	waiting := make([]selfrefer.Waiting, 0, len(all))
	for _, r := range all {
		w := selfrefer.Waiting{Referral: r, Risk: selfrefer.HighRisk(r), Support: r.State == selfrefer.InSupport, Knew: knew[r.ID], Not: gave[r.ID]}
		for _, t := range takers {
			refusal, err := db.mayTake(tx, t.Account, r)
			if err != nil {
				return nil, err
			}
			if refusal != nil {
				w.Not = append(w.Not, t.Account.ID)
			}
		}
		waiting = append(waiting, w)
	}
	return waiting, nil
}

// ids are referrals as the arguments of a query.
func ids(all []selfrefer.Referral) (args []any) {
	for _, r := range all {
		args = append(args, int64(r.ID))
	}
	return args
}

// gaveBack tells to whom referrals were handed already without a colleague's doing, and who has put them back: to them they do not go again.
func gaveBack(tx *Tx, all []selfrefer.Referral) (map[selfrefer.ReferralID][]staff.AccountID, error) {
	type pair struct {
		id  selfrefer.ReferralID
		who staff.AccountID
	}
	pairs, err := list(tx, func(r scanner, p *pair) error { return r.Scan((*int64)(&p.id), (*int64)(&p.who)) }, `
		SELECT DISTINCT referral, CASE WHEN event = 'release' THEN account ELSE to_account END
		FROM referral_event
		WHERE referral IN `+tx.engine.placeholders(0, 1, len(all))+` AND (event = 'release' AND account <> 0 OR event = 'hand_over' AND account = 0)`, ids(all)...)
	if err != nil {
		return nil, fmt.Errorf("read who has given referrals back: %w", err)
	}
	m := map[selfrefer.ReferralID][]staff.AccountID{}
	for _, p := range pairs {
		m[p.id] = append(m[p.id], p.who)
	}
	return m, nil
}

// knew tells who had earlier referrals of the same people: with the same NHS number, or the same number and birth date. A number alone can be
// a household's, and whoever helps one of them is not always right for another.
func (db *DB) knew(tx *Tx, all []selfrefer.Referral) (map[selfrefer.ReferralID][]selfrefer.Knew, error) {
	born := map[selfrefer.ReferralID]selfrefer.Referral{}
	for _, r := range all {
		born[r.ID] = r
	}
	type earlier struct {
		of, id selfrefer.ReferralID
		knew   selfrefer.Knew
		sealed []byte
	}
	m := map[selfrefer.ReferralID][]selfrefer.Knew{}
	for _, ix := range []string{"nhs_ix", "phone_ix"} {
		for _, states := range []string{`('new', 'claimed', 'contacting', 'in_support', 'onward')`, `('closed', 'declined', 'unreachable', 'duplicate')`} { // as in the indexes
			found, err := list(tx, func(r scanner, e *earlier) error {
				var at int64
				err := r.Scan((*int64)(&e.of), (*int64)(&e.id), (*int64)(&e.knew.Who), &at, &e.sealed)
				e.knew.When = timeOf(at)
				return err
			}, `
				SELECT r.id, e.id, e.claimed_by, CASE WHEN e.contacted_at > 0 THEN e.contacted_at ELSE e.claimed_at END, e.person
				FROM referral r
				CROSS JOIN referral e
				WHERE r.id IN `+tx.engine.placeholders(0, 1, len(all))+` AND length(r.`+ix+`) > 0 AND e.`+ix+` = r.`+ix+` AND +e.network = r.network AND e.id <> r.id
				  AND e.claimed_by <> 0 AND e.state IN `+states+`
				LIMIT 500`, ids(all)...)
			if err != nil {
				return nil, fmt.Errorf("read who had people before: %w", err)
			}
			for _, e := range found {
				if ix == "phone_ix" {
					other := selfrefer.Referral{ID: e.id}
					if err := db.openReferral(&other, e.sealed, true); err != nil {
						return nil, err
					}
					if b := born[e.of].Born; b.IsZero() || b != other.Born {
						continue
					}
				}
				m[e.of] = append(m[e.of], e.knew)
			}
		}
	}
	for _, all := range m {
		slices.SortFunc(all, func(a, b selfrefer.Knew) int { return cmp.Or(b.When.Compare(a.When), cmp.Compare(a.Who, b.Who)) })
	}
	return m, nil
}

// dealt is what a team would be suggested today.
func (db *DB) dealt(tx *Tx, t staff.Team, takers []selfrefer.Taker) ([]selfrefer.Waiting, []selfrefer.Given, error) {
	now := timeOf(tx.now)
	until := db.endOfToday(now)
	waiting, err := db.waiting(tx, t, takers, db.enough(takers, now, until))
	if err != nil {
		return nil, nil, err
	}
	return waiting, selfrefer.Deal(db.Calendar, waiting, takers, now, until), nil
}

// Next is whom somebody should call next: the first in the order of calling that would be theirs today.
func (db *DB) Next(ctx context.Context, who staff.Account) (n selfrefer.NextCall, err error) {
	if who.Team == 0 || staff.May(who, staff.WorkReferral, who.Network) != nil {
		return n, nil //nolint:nilerr // it is not for them
	}
	err = db.read(ctx, "next referral", func(tx *Tx) error {
		n = selfrefer.NextCall{}
		t, err := teamOf(tx, who.Team)
		if err != nil || t.Network != who.Network {
			return err
		}
		now := timeOf(tx.now)
		until := db.endOfToday(now)
		takers, _, err := db.takers(tx, t, until)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(takers, func(t selfrefer.Taker) bool { return t.Account.ID == who.ID })
		if i < 0 || throttle.AtWork(db.Calendar, takers[i].Worker, now, until) == 0 {
			return nil
		}
		n.Rostered, n.Room = true, takers[i].Room(db.Calendar, now, until)
		waiting, given, err := db.dealt(tx, t, takers)
		if err != nil {
			return err
		}
		for _, g := range given {
			if g.To != who.ID {
				continue
			}
			for _, w := range waiting {
				if w.Referral.ID == g.Referral {
					n.Referral, n.Why = w.Referral, g.Why
				}
			}
			return nil
		}
		return nil
	})
	return n, err
}

// Loads is what everybody of a team carries, and how many of those who wait would be theirs today.
func (db *DB) Loads(ctx context.Context, team staff.TeamID) (all []selfrefer.Load, err error) {
	err = db.read(ctx, "loads", func(tx *Tx) error {
		all = nil
		t, err := teamOf(tx, team)
		if err != nil {
			return err
		}
		now := timeOf(tx.now)
		until := db.endOfToday(now)
		takers, hands, err := db.takers(tx, t, until)
		if err != nil {
			return err
		}
		_, given, err := db.dealt(tx, t, takers)
		if err != nil {
			return err
		}
		for _, k := range takers {
			l := selfrefer.Load{Account: k.Account.ID, Hands: hands[k.Account.ID], Places: k.Worker.Places, Room: k.Room(db.Calendar, now, until), Speaks: k.Speaks}
			for _, g := range given {
				if g.To == l.Account {
					l.Suggested++
				}
			}
			all = append(all, l)
		}
		return nil
	})
	return all, err
}

// pass hands a referral to somebody without a colleague's doing. note says why; it stands in the history.
func (db *DB) pass(tx *Tx, r *selfrefer.Referral, to staff.AccountID, note string) error {
	next, can := selfrefer.Next(r.State, selfrefer.HandOver)
	if !can {
		return selfrefer.ErrNotNow
	}
	refusal, err := db.move(tx, staff.Account{Network: r.Network}, r, next, selfrefer.Contact{Event: selfrefer.HandOver, To: to, Note: note})
	if err = errors.Join(err, refusal); err != nil {
		return err
	}
	return db.auditReferral(tx, staff.Account{Network: r.Network}, "referral."+string(selfrefer.HandOver), r.ID, "done")
}

// lockTaker keeps everybody else who deals out work from somebody's places until the transaction ends.
func (db *DB) lockTaker(tx *Tx, account staff.AccountID) error {
	var places int
	err := tx.QueryRow(`SELECT places FROM worker WHERE account = $1`+db.engine.lockClause(), int64(account)).Scan(&places)
	return notFound(err, staff.ErrNotFound)
}

// ShareOut hands over what nobody has claimed for as long as a team that wants this has decided, and goes on with what was cut off of the work
// of those who are ill. Each referral is handed over in a transaction of its own, which asks everything again. It returns how many it handed over.
func (db *DB) ShareOut(ctx context.Context) (n int, err error) {
	errs := []error{db.resumeAway(ctx)}
	var teams []staff.Team
	err = db.read(ctx, "teams that share by themselves", func(tx *Tx) error {
		teams, err = list(tx, scanTeam, `SELECT `+teamColumns+` FROM team WHERE id IN (SELECT team FROM sharing WHERE auto) ORDER BY id`)
		return err
	})
	errs = append(errs, err)
	for _, t := range teams {
		var given []selfrefer.Given
		err := db.read(ctx, "work to share", func(tx *Tx) error {
			given, err = db.ripe(tx, t, 0, 0)
			return err
		})
		errs = append(errs, err)
		for _, g := range given {
			if g.To == 0 || ctx.Err() != nil {
				continue
			}
			var done bool
			err := db.write(ctx, "share a referral", func(tx *Tx) error {
				done, err = db.handRipe(tx, t, g)
				return err
			})
			if errs = append(errs, err); done && err == nil {
				n++
			}
		}
	}
	return n, errors.Join(errs...)
}

// ripe deals out those who have waited for long enough among those who are at work now. With only and to, it tells whether that one referral
// can go to that one person.
func (db *DB) ripe(tx *Tx, t staff.Team, only selfrefer.ReferralID, to staff.AccountID) ([]selfrefer.Given, error) {
	s, err := sharingOf(tx, t.ID)
	if err != nil || !s.Auto {
		return nil, err
	}
	now := timeOf(tx.now)
	if !db.Calendar.NextOpen(now).Equal(now) {
		return nil, nil
	}
	until := db.endOfToday(now)
	takers, _, err := db.takers(tx, t, until)
	if err != nil {
		return nil, err
	}
	takers = slices.DeleteFunc(takers, func(k selfrefer.Taker) bool {
		return to != 0 && k.Account.ID != to || !throttle.OnDuty(db.Calendar, []throttle.Worker{k.Worker}, now).Open
	})
	if len(takers) == 0 {
		return nil, nil
	}
	var waiting []selfrefer.Waiting
	if only == 0 {
		waiting, err = db.waiting(tx, t, takers, mostDealt)
	} else {
		var one []selfrefer.Referral
		if one, err = db.wholeReferrals(tx, conditions{`id = $1 AND team = $2 AND state = 'new'`, []any{int64(only), int64(t.ID)}}, `id`, 1); err == nil {
			waiting, err = db.asWaiting(tx, one, takers)
		}
	}
	if err != nil {
		return nil, err
	}
	waiting = slices.DeleteFunc(waiting, func(w selfrefer.Waiting) bool { return !s.DueToDeal(db.Calendar, w.Referral, now) })
	return selfrefer.Deal(db.Calendar, waiting, takers, now, until), nil
}

// handRipe hands one referral over if it still can be: nobody has claimed it, and whom it was meant for still has room and a place.
func (db *DB) handRipe(tx *Tx, t staff.Team, g selfrefer.Given) (done bool, err error) {
	r, sealed, err := referralOf(tx, g.Referral, db.engine.lockClause())
	if err != nil || r.State != selfrefer.New || r.ClaimedBy != 0 {
		return false, ignoreMissing(err)
	}
	if err := db.lockTaker(tx, g.To); err != nil {
		return false, ignoreMissing(err)
	}
	again, err := db.ripe(tx, t, g.Referral, g.To)
	if err != nil || len(again) == 0 || again[0].To != g.To {
		return false, err
	}
	to, err := accountOf(tx, g.To)
	if err != nil {
		return false, err
	}
	if err := db.openReferral(&r, sealed, true); err != nil {
		return false, err
	}
	return true, db.pass(tx, &r, g.To, "Nobody had claimed it. "+g.Why.Sentence(firstName(to.Name)))
}

func ignoreMissing(err error) error {
	if errors.Is(err, selfrefer.ErrNotFound) || errors.Is(err, staff.ErrNotFound) {
		return nil
	}
	return err
}

// fits tells whether one person can take one referral, until an instant.
func (db *DB) fits(tx *Tx, t staff.Team, id selfrefer.ReferralID, to staff.AccountID, until time.Time) (bool, error) {
	takers, _, err := db.takers(tx, t, until)
	if err != nil {
		return false, err
	}
	takers = slices.DeleteFunc(takers, func(k selfrefer.Taker) bool { return k.Account.ID != to })
	one, err := db.wholeReferrals(tx, conditions{`id = $1`, []any{int64(id)}}, `id`, 1)
	if err != nil {
		return false, err
	}
	waiting, err := db.asWaiting(tx, one, takers)
	if err != nil {
		return false, err
	}
	given := selfrefer.Deal(db.Calendar, waiting, takers, timeOf(tx.now), until)
	return len(given) == 1 && given[0].To == to, nil
}
