package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

var _ selfrefer.Restricter = (*DB)(nil)

// These tell of a row of referral, for somebody, what keeps them from it. Each ? is an account, the last one of glassBroken the time. A
// restriction holds for a whole case, so whoever has in hand what goes on may open what was joined to it.
const (
	neverTheirs = `EXISTS (SELECT 1 FROM restriction_on w JOIN restriction_name n ON n.origin = w.origin
		WHERE w.referral = referral.id AND n.account = ? AND n.may = FALSE)`
	notAmong = `EXISTS (SELECT 1 FROM restriction_on w JOIN restriction s ON s.origin = w.origin
		WHERE w.referral = referral.id AND s.only_these = TRUE
		      AND NOT EXISTS (SELECT 1 FROM restriction_name n WHERE n.origin = w.origin AND n.account = ? AND n.may = TRUE))
		AND NOT EXISTS (SELECT 1 FROM restriction_on w JOIN restriction_on v ON v.origin = w.origin JOIN referral h ON h.id = v.referral
		WHERE w.referral = referral.id AND h.joined_to = 0 AND h.claimed_by = ?)`
	glassBroken = `EXISTS (SELECT 1 FROM glass g WHERE g.referral = referral.id AND g.account = ? AND g.until_at > ?)`
)

var sightQuery = `SELECT ` + strings.TrimPrefix(conditions{}.and(fmt.Sprintf(`CASE WHEN %s THEN %d WHEN NOT (%s) THEN %d WHEN %s THEN %d ELSE %d END`,
	neverTheirs, selfrefer.Hidden, notAmong, selfrefer.Open, glassBroken, selfrefer.ThroughGlass, selfrefer.ShutOut)).sql, ` AND `) + ` FROM referral WHERE id = $6`

// existing leaves out what does not exist for somebody. Most people are kept from nothing in this way: then there is no condition.
func existing(tx *Tx, where conditions, who staff.AccountID) (conditions, error) {
	never, err := isBarred(tx, who)
	if err != nil || !never {
		return where, err
	}
	return where.and(`(referral.restricted = FALSE OR NOT `+neverTheirs+`)`, int64(who)), nil
}

// openTo leaves out what somebody may not open.
func openTo(tx *Tx, where conditions, who staff.AccountID) (conditions, error) {
	where, err := existing(tx, where, who)
	if who == 0 {
		return where.and(`referral.restricted = FALSE`), err
	}
	return where.and(`(referral.restricted = FALSE OR NOT (`+notAmong+`) OR `+glassBroken+`)`, int64(who), int64(who), int64(who), tx.now), err
}

// isBarred tells whether anything does not exist for somebody.
func isBarred(tx *Tx, who staff.AccountID) (is bool, err error) {
	if err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM restriction_name WHERE account = $1 AND may = FALSE)`, int64(who)).Scan(&is); err != nil {
		return false, fmt.Errorf("see what somebody is kept from: %w", err)
	}
	return is, nil
}

// barredFrom lists what does not exist for somebody. It is short.
func barredFrom(tx *Tx, who staff.AccountID) (ids map[int64]bool, err error) {
	ids = map[int64]bool{}
	_, err = list(tx, func(r scanner, _ *struct{}) error {
		var id int64
		err := r.Scan(&id)
		ids[id] = true
		return err
	}, `SELECT w.referral FROM restriction_name n JOIN restriction_on w ON w.origin = n.origin WHERE n.account = $1 AND n.may = FALSE`, int64(who))
	if err != nil {
		return nil, fmt.Errorf("read what somebody is kept from: %w", err)
	}
	return ids, nil
}

// sight tells how far somebody sees a referral, by its restrictions alone. Nobody in particular sees that it waits.
func sight(tx *Tx, who staff.AccountID, r selfrefer.Referral) (selfrefer.Sight, error) {
	if !r.Restricted {
		return selfrefer.Open, nil
	}
	if who == 0 {
		return selfrefer.ShutOut, nil
	}
	var is selfrefer.Sight
	if err := tx.QueryRow(sightQuery, int64(who), int64(who), int64(who), int64(who), tx.now, int64(r.ID)).Scan((*int)(&is)); err != nil {
		return selfrefer.Hidden, fmt.Errorf("see who may open referral %d: %w", r.ID, err)
	}
	return is, nil
}

// refused is what somebody is told who may not open a referral as it is restricted.
func refused(s selfrefer.Sight) error {
	switch s {
	case selfrefer.Hidden:
		return selfrefer.ErrNotFound
	case selfrefer.ShutOut:
		return selfrefer.ErrRestricted
	}
	return nil
}

// mayTake answers for more than looking: a broken glass shows what it hides, and gives it to nobody.
func (db *DB) mayTake(tx *Tx, who staff.Account, r selfrefer.Referral) (refusal, err error) {
	if refusal, err = db.mayView(tx, who, r); err != nil || refusal != nil {
		return refusal, err
	}
	s, err := sight(tx, who.ID, r)
	if err == nil && s == selfrefer.ThroughGlass {
		refusal = selfrefer.ErrRestricted
	}
	return refusal, err
}

// mayAct answers for a step. Through a broken glass somebody writes down what they see, and tells a senior.
func (db *DB) mayAct(tx *Tx, who staff.Account, r selfrefer.Referral, e selfrefer.Event) (refusal, err error) {
	if e == selfrefer.Note || e == selfrefer.Escalate {
		return db.mayView(tx, who, r)
	}
	return db.mayTake(tx, who, r)
}

// bar fills in who may not be given a referral, and until when the glass is broken for who looks.
func (db *DB) bar(tx *Tx, who staff.Account, r *selfrefer.Referral) error {
	if !r.Restricted {
		return nil
	}
	all, err := colleagues(tx, r.Network)
	if err != nil {
		return err
	}
	for _, a := range all {
		s, err := sight(tx, a.ID, *r)
		if err != nil {
			return err
		}
		if s != selfrefer.Open {
			r.Barred = append(r.Barred, a.ID)
		}
	}
	if !slices.Contains(r.Barred, who.ID) {
		return nil
	}
	var until int64
	if err := tx.QueryRow(`SELECT COALESCE(MAX(until_at), 0) FROM glass WHERE referral = $1 AND account = $2`, int64(r.ID), int64(who.ID)).Scan(&until); err != nil {
		return fmt.Errorf("see for how long the glass is broken: %w", err)
	}
	if until > tx.now {
		r.Glass = timeOf(until)
	}
	return nil
}

func colleagues(tx *Tx, n staff.NetworkID) ([]staff.Account, error) {
	all, err := list(tx, func(r scanner, a *staff.Account) error { return scanAccount(r, a) }, `SELECT `+accountColumns+` FROM account a WHERE a.network = $1 ORDER BY a.id`, int64(n))
	if err != nil {
		return nil, fmt.Errorf("read who works here: %w", err)
	}
	return all, nil
}

func isWorker(a staff.AccountID) func(throttle.Worker) bool {
	id := strconv.FormatInt(int64(a), 10)
	return func(w throttle.Worker) bool { return w.ID == id }
}

// openers are those of a roster who may open a referral: nobody else can be told to claim it.
func openers(tx *Tx, roster []throttle.Worker, r selfrefer.Referral) ([]throttle.Worker, error) {
	if !r.Restricted {
		return roster, nil
	}
	var allowed []throttle.Worker
	for _, w := range roster {
		id, err := strconv.ParseInt(w.ID, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the roster: %w", err)
		}
		s, err := sight(tx, staff.AccountID(id), r)
		if err != nil {
			return nil, err
		}
		if s == selfrefer.Open {
			allowed = append(allowed, w)
		}
	}
	return allowed, nil
}

// canOpen leaves of notices those about what somebody may open. Those without a referral name none on purpose.
func (db *DB) canOpen(tx *Tx, who staff.Account, all []selfrefer.Notice) (can []selfrefer.Notice, err error) {
	var any bool
	if err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM restriction_on WHERE network = $1)`, int64(who.Network)).Scan(&any); err != nil || !any {
		return all, err
	}
	for _, n := range all {
		r := selfrefer.Referral{ID: n.Referral}
		if r.ID != 0 {
			if err := tx.QueryRow(`SELECT restricted FROM referral WHERE id = $1`, int64(r.ID)).Scan(&r.Restricted); err != nil {
				return nil, fmt.Errorf("see whether referral %d is restricted: %w", r.ID, err)
			}
		}
		s, err := sight(tx, who.ID, r)
		if err != nil {
			return nil, err
		}
		if s >= selfrefer.ThroughGlass {
			can = append(can, n)
		}
	}
	return can, nil
}

// mask leaves of restricted referrals what their reader may know.
func (db *DB) mask(tx *Tx, who staff.AccountID, all []selfrefer.Referral) error {
	for i, r := range all {
		s, err := sight(tx, who, r)
		if err != nil {
			return err
		}
		if s <= selfrefer.ShutOut {
			all[i] = r.MaskedLine()
		}
	}
	return nil
}

// unseen takes from the counts of a queue what its reader does not see: of what is hidden everything, and of what they are shut out from what
// it asks for, since nobody finds it by that. Restricted referrals are few: they are read one by one.
func (db *DB) unseen(tx *Tx, f selfrefer.Filter) (minus []queueCount, late int, err error) {
	ids, err := list(tx, func(row scanner, id *selfrefer.ReferralID) error { return row.Scan((*int64)(id)) }, `SELECT DISTINCT referral FROM restriction_on WHERE network = $1`, int64(f.Network))
	if err != nil {
		return nil, 0, fmt.Errorf("read what is restricted: %w", err)
	}
	for _, id := range ids {
		r, sealed, err := referralOf(tx, id, "")
		if err != nil {
			return nil, 0, err
		}
		if f.Team != 0 && r.Team != f.Team {
			continue
		}
		s, err := sight(tx, f.Who.ID, r)
		if err != nil {
			return nil, 0, err
		}
		if s >= selfrefer.ThroughGlass {
			continue
		}
		if err := db.openReferral(&r, sealed, false); err != nil {
			return nil, 0, err
		}
		take := func(by, value string) {
			minus = append(minus, queueCount{by: by, value: value, state: r.State, urgent: r.Urgent, lane: r.Lane, n: -1})
		}
		if s == selfrefer.Hidden {
			take(countAll, "")
		}
		if !r.State.Open() {
			continue
		}
		if s == selfrefer.Hidden && msOf(r.Due) < tx.now {
			late++
		}
		take(countPractice, r.Practice)
		take(countLanguage, r.Language)
		for _, reason := range reasonsOf(r) {
			take(countReason, reason)
		}
	}
	return minus, late, nil
}

// caseOf lists all that is one case with a referral, and which of it goes on.
func caseOf(tx *Tx, id selfrefer.ReferralID) (all []selfrefer.ReferralID, end selfrefer.ReferralID, err error) {
	if end, err = endOf(tx, id); err != nil {
		return nil, 0, err
	}
	all = []selfrefer.ReferralID{end}
	for i := 0; i < len(all); i++ {
		gone, err := list(tx, func(r scanner, id *selfrefer.ReferralID) error { return r.Scan((*int64)(id)) }, `SELECT gone FROM referral_join WHERE goes_on = $1 ORDER BY event`, int64(all[i]))
		if err != nil {
			return nil, 0, fmt.Errorf("read what is one case with referral %d: %w", id, err)
		}
		all = append(all, gone...)
	}
	return all, end, nil
}

// spread makes the restrictions of a case hold for all of it, and for nothing that was separated from it.
func spread(tx *Tx, id selfrefer.ReferralID) error {
	all, _, err := caseOf(tx, id)
	if err != nil {
		return err
	}
	origins := map[int64]bool{}
	for _, m := range all {
		if _, err := tx.Exec(`DELETE FROM restriction_on WHERE referral = $1 AND own = FALSE`, int64(m)); err != nil {
			return fmt.Errorf("restrict a case: %w", err)
		}
		_, err := list(tx, func(r scanner, _ *struct{}) error {
			var origin int64
			err := r.Scan(&origin)
			origins[origin] = true
			return err
		}, `SELECT origin FROM restriction_on WHERE referral = $1`, int64(m))
		if err != nil {
			return fmt.Errorf("read the restrictions of referral %d: %w", m, err)
		}
	}
	for _, m := range all {
		for origin := range origins {
			_, err := tx.Exec(`
				INSERT INTO restriction_on (referral, origin, network, own) SELECT $1, $2, network, FALSE FROM restriction WHERE origin = $2
				ON CONFLICT DO NOTHING`, int64(m), origin)
			if err != nil {
				return fmt.Errorf("restrict referral %d: %w", m, err)
			}
		}
		if err := noteRestricted(tx, int64(m)); err != nil {
			return err
		}
	}
	return nil
}

// noteRestricted notes at a referral whether there is anything to look up.
func noteRestricted(tx *Tx, id int64) error {
	if _, err := tx.Exec(`UPDATE referral SET restricted = EXISTS (SELECT 1 FROM restriction_on w WHERE w.referral = $1) WHERE id = $1`, id); err != nil {
		return fmt.Errorf("note that referral %d is restricted: %w", id, err)
	}
	return nil
}

// inherit restricts a new referral as the earlier ones from the same phone or NHS number are: whoever must not know of a person must not know
// of them when they ask again.
func (db *DB) inherit(tx *Tx, r selfrefer.Referral) error {
	nobody := db.sealer.index("nhs", "")
	n, err := tx.Exec(`
		INSERT INTO restriction_on (referral, origin, network, own)
		SELECT DISTINCT r.id, w.origin, w.network, TRUE
		FROM referral r
		JOIN restriction_on w ON w.network = r.network AND w.referral <> r.id
		JOIN referral o ON o.id = w.referral
		WHERE r.id = $1 AND (o.phone_ix = r.phone_ix AND r.phone_ix <> $2 OR o.nhs_ix = r.nhs_ix AND r.nhs_ix <> $2 AND r.nhs_ix <> $3)`, int64(r.ID), []byte{}, nobody)
	if err != nil || n == 0 {
		return err
	}
	return noteRestricted(tx, int64(r.ID))
}

// restrictionDoc is the sealed document of a restriction.
type restrictionDoc struct {
	Reason selfrefer.RestrictReason `json:"reason"`
	Words  string                   `json:"words,omitempty"`
}

// mayChange answers for restricting and lifting. An administrator need not be able to open it.
func (db *DB) mayChange(tx *Tx, who staff.Account, r selfrefer.Referral) (refusal, err error) {
	if refusal = behindWall(staff.May(who, staff.RestrictReferral, r.Network)); refusal != nil {
		return refusal, nil
	}
	s, err := sight(tx, who.ID, r)
	if err != nil {
		return nil, err
	}
	if refusal = refused(s); who.Role == staff.Administrator && s != selfrefer.Hidden {
		refusal = nil
	} else if s == selfrefer.ThroughGlass {
		refusal = selfrefer.ErrRestricted
	}
	if refusal == nil {
		refusal = selfrefer.MayRestrict(who, r)
	}
	return refusal, nil
}

// Restriction reads the restriction of a referral for those who may change it.
func (db *DB) Restriction(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (x selfrefer.Restriction, err error) {
	var refusal error
	err = db.read(ctx, "a restriction", func(tx *Tx) error {
		x = selfrefer.Restriction{}
		r, _, err := referralOf(tx, id, "")
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayChange(tx, who, r); err != nil || refusal != nil {
			return err
		}
		x, err = db.restriction(tx, who, r)
		return err
	})
	return x, errors.Join(err, refusal)
}

func (db *DB) restriction(tx *Tx, who staff.Account, r selfrefer.Referral) (x selfrefer.Restriction, err error) {
	x.Referral, x.Reference = r.ID, r.Reference
	var sealed []byte
	var at int64
	x.Others, err = list(tx, func(row scanner, o *selfrefer.Origin) error { return row.Scan((*int64)(&o.ID), &o.Reference) }, `
		SELECT r.id, r.reference FROM restriction_on w JOIN referral r ON r.id = w.origin WHERE w.referral = $1 AND w.origin <> $1 ORDER BY r.id`, int64(r.ID))
	if err != nil {
		return x, fmt.Errorf("read what restricts referral %d: %w", r.ID, err)
	}
	err = tx.QueryRow(`SELECT only_these, no_practice, doc, made_by, made_at FROM restriction WHERE origin = $1`, int64(r.ID)).Scan(&x.Only, &x.NoPractice, &sealed, (*int64)(&x.By), &at)
	if errors.Is(err, sql.ErrNoRows) {
		return x, nil
	}
	if err != nil {
		return x, fmt.Errorf("read how referral %d is restricted: %w", r.ID, err)
	}
	x.Set, x.At = true, timeOf(at)
	_, err = list(tx, func(row scanner, _ *struct{}) error {
		var a staff.AccountID
		var may bool
		err := row.Scan((*int64)(&a), &may)
		if may {
			x.May = append(x.May, a)
		} else {
			x.Never = append(x.Never, a)
		}
		return err
	}, `SELECT account, may FROM restriction_name WHERE origin = $1 ORDER BY account`, int64(r.ID))
	if err != nil {
		return x, fmt.Errorf("read whom the restriction of referral %d names: %w", r.ID, err)
	}
	refusal, err := db.mayView(tx, who, r)
	if err != nil || refusal != nil { // why is in what they may not open
		return x, err
	}
	plain, err := db.sealer.open("restriction", "doc", strconv.FormatInt(int64(r.ID), 10), sealed)
	if err != nil {
		return x, err
	}
	var d restrictionDoc
	if json.Unmarshal(plain, &d) != nil {
		return x, fmt.Errorf("open the restriction of referral %d: it cannot be read", r.ID) // the error would quote it
	}
	x.Reason, x.Words = d.Reason, selfrefer.FreeText(d.Words)
	return x, nil
}

// Restrict replaces the restriction of a referral; what it did, or why it did not, is audited in the same transaction. Who must never know of it
// and has it in hand loses it.
func (db *DB) Restrict(ctx context.Context, who staff.Account, id selfrefer.ReferralID, x selfrefer.Restriction) error {
	return db.changeRestriction(ctx, who, id, selfrefer.RestrictTo, func(tx *Tx, r selfrefer.Referral) (refusal, err error) {
		end, err := endOf(tx, id)
		if err != nil {
			return nil, err
		}
		on, _, err := referralOf(tx, end, db.engine.lockClause())
		if err != nil {
			return nil, err
		}
		all, err := colleagues(tx, r.Network)
		if err != nil {
			return nil, err
		}
		if refusal = x.Check(on, all); refusal != nil {
			return refusal, nil
		}
		if slices.Contains(x.Never, on.ClaimedBy) && on.State == selfrefer.InSupport {
			return selfrefer.ErrHolderBarred, nil
		}
		if err := db.writeRestriction(tx, who, r, x); err != nil {
			return nil, err
		}
		return nil, db.evict(tx, who, end)
	})
}

func (db *DB) writeRestriction(tx *Tx, who staff.Account, r selfrefer.Referral, x selfrefer.Restriction) error {
	plain, err := json.Marshal(restrictionDoc{x.Reason, x.Words.Reveal()})
	if err != nil {
		return fmt.Errorf("write why a referral is restricted: %w", err)
	}
	sealed, err := db.sealer.seal("restriction", "doc", strconv.FormatInt(int64(r.ID), 10), plain)
	if err != nil {
		return err
	}
	if err := forgetRestriction(tx, r.ID); err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO restriction (origin, network, only_these, no_practice, doc, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		int64(r.ID), int64(r.Network), x.Only, x.NoPractice, sealed, int64(who.ID), tx.now)
	if err != nil {
		return fmt.Errorf("restrict referral %d: %w", r.ID, err)
	}
	names := map[staff.AccountID]bool{}
	for _, a := range x.May {
		names[a] = x.Only
	}
	for _, a := range x.Never {
		names[a] = false
	}
	for a, may := range names {
		if !may && !slices.Contains(x.Never, a) {
			continue // who may, where everybody may
		}
		if _, err := tx.Exec(`INSERT INTO restriction_name (origin, account, may) VALUES ($1, $2, $3)`, int64(r.ID), int64(a), may); err != nil {
			return fmt.Errorf("name whom the restriction of referral %d is about: %w", r.ID, err)
		}
	}
	_, err = tx.Exec(`INSERT INTO restriction_on (referral, origin, network, own) VALUES ($1, $1, $2, TRUE) ON CONFLICT (referral, origin) DO UPDATE SET own = TRUE`, int64(r.ID), int64(r.Network))
	if err != nil {
		return fmt.Errorf("restrict referral %d: %w", r.ID, err)
	}
	if err := spread(tx, r.ID); err != nil {
		return err
	}
	if !x.NoPractice {
		return nil
	}
	// A file that is being made must not carry it out; one that is ready has been told of already.
	all, _, err := caseOf(tx, r.ID)
	if err != nil {
		return err
	}
	for _, m := range all {
		_, err := tx.Exec(`DELETE FROM practice_entry WHERE network = $1 AND about = $2 AND kind IN (`+quoted(agreedKinds())+`) AND file IN (SELECT id FROM practice_file WHERE state = 'gathering')`,
			int64(r.Network), int64(m))
		if err != nil {
			return fmt.Errorf("keep referral %d from a practice: %w", m, err)
		}
	}
	return nil
}

// agreedKinds are the entries of a practice's file that are about referrals.
func agreedKinds() (kinds []selfrefer.EntryKind) {
	for _, k := range selfrefer.EntryKinds {
		if k.Agreed() {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func forgetRestriction(tx *Tx, origin selfrefer.ReferralID) error {
	for _, query := range []string{`DELETE FROM restriction_name WHERE origin = $1`, `DELETE FROM restriction WHERE origin = $1`} {
		if _, err := tx.Exec(query, int64(origin)); err != nil {
			return fmt.Errorf("forget the restriction of referral %d: %w", origin, err)
		}
	}
	return nil
}

// evict takes a referral out of the hands of somebody for whom it does not exist any more, and gives their tasks to whoever has it next.
func (db *DB) evict(tx *Tx, who staff.Account, end selfrefer.ReferralID) error {
	r, sealed, err := referralOf(tx, end, db.engine.lockClause())
	if err != nil || !r.Restricted {
		return err
	}
	all, _, err := caseOf(tx, end)
	if err != nil {
		return err
	}
	for _, m := range all {
		_, err := tx.Exec(`
			UPDATE task SET for_account = 0
			WHERE referral = $1 AND done_at = 0 AND for_account IN (
				SELECT n.account FROM restriction_on w JOIN restriction_name n ON n.origin = w.origin WHERE w.referral = $1 AND n.may = FALSE)`, int64(m))
		if err != nil {
			return fmt.Errorf("give the tasks of referral %d to others: %w", m, err)
		}
	}
	to, can := selfrefer.Next(r.State, selfrefer.Release)
	if r.ClaimedBy == 0 || !can {
		return nil
	}
	if s, err := sight(tx, r.ClaimedBy, r); err != nil || s != selfrefer.Hidden {
		return err
	}
	if err := db.openReferral(&r, sealed, true); err != nil {
		return err
	}
	if err := db.index(tx, r); err != nil {
		return err
	}
	was := r
	r.State, r.ClaimedBy, r.ClaimedAt, r.HandedBy, r.FreeSince = to, 0, timeOf(0), 0, timeOf(tx.now)
	if err := db.stand(tx, was, r); err != nil {
		return err
	}
	return errors.Join(forgetSteps(tx, r.ID), db.noteEvent(tx, who, r.ID, selfrefer.Contact{Event: selfrefer.Release}))
}

// Lift takes the restriction of a referral away, wherever it holds.
func (db *DB) Lift(ctx context.Context, who staff.Account, id selfrefer.ReferralID) error {
	return db.changeRestriction(ctx, who, id, selfrefer.LiftIt, func(tx *Tx, r selfrefer.Referral) (refusal, err error) {
		on, err := list(tx, func(row scanner, id *int64) error { return row.Scan(id) }, `SELECT referral FROM restriction_on WHERE origin = $1 ORDER BY referral`, int64(id))
		if err != nil {
			return nil, fmt.Errorf("read what referral %d restricts: %w", id, err)
		}
		var set int
		if err := tx.QueryRow(`SELECT COUNT(*) FROM restriction WHERE origin = $1`, int64(id)).Scan(&set); err != nil {
			return nil, fmt.Errorf("read how referral %d is restricted: %w", id, err)
		}
		if set == 0 {
			return selfrefer.ErrNotNow, nil
		}
		if _, err := tx.Exec(`DELETE FROM restriction_on WHERE origin = $1`, int64(id)); err != nil {
			return nil, fmt.Errorf("lift the restriction of referral %d: %w", id, err)
		}
		if err := forgetRestriction(tx, id); err != nil {
			return nil, err
		}
		for _, m := range on {
			if err := noteRestricted(tx, m); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

func (db *DB) changeRestriction(ctx context.Context, who staff.Account, id selfrefer.ReferralID, e selfrefer.Event, do func(*Tx, selfrefer.Referral) (refusal, err error)) error {
	var refusal error
	err := db.write(ctx, string(e)+" a referral", func(tx *Tx) error {
		r, _, err := referralOf(tx, id, db.engine.lockClause())
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayChange(tx, who, r); err != nil {
			return err
		}
		if refusal == nil {
			if refusal, err = do(tx, r); err != nil {
				return err
			}
		}
		if refusal == nil {
			if err := errors.Join(forgetSteps(tx, id), db.noteEvent(tx, who, id, selfrefer.Contact{Event: e})); err != nil {
				return err
			}
		}
		return db.auditReferral(tx, who, "referral."+string(e), id, outcomeOf(refusal))
	})
	return errors.Join(err, refusal)
}
