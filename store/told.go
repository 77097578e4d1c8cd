package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// This file owes the texts that go by themselves while a referral waits, and checks them again when they would leave.

// metaServicesDoubted is when this database last did not know what it had sent (civil): what it owes to a referral of before may have left.
const metaServicesDoubted = "services_doubted"

// toldAt is written exactly as in the index referral_told: the end of the day that the person was told, which is never before the promise.
const toldAt = `(CASE WHEN contact_by > due_at THEN contact_by ELSE due_at END)`

// politely is what a text to a referral would be made of.
type politely struct {
	answer
	told  time.Time // the end of the day that the person was told
	tried time.Time // the last attempt
}

// mayTell tells why no text may go by itself to a referral, which must have been opened as a whole, and what one would be made of.
func (db *DB) mayTell(tx *Tx, r selfrefer.Referral) (p politely, why selfrefer.NoText, err error) {
	fail := func(err error) (politely, selfrefer.NoText, error) {
		return p, "", fmt.Errorf("see whether referral %d may be sent a text: %w", r.ID, err)
	}
	var o origin
	var told, tried int64
	err = tx.QueryRow(`
		SELECT phone_ix, nhs_ix, `+toldAt+`, COALESCE((SELECT audience FROM campaign WHERE id = referral.campaign), 0),
		       COALESCE((SELECT MAX(at) FROM referral_event WHERE referral = referral.id AND event = 'attempt'), 0)
		FROM referral
		WHERE id = $1`, int64(r.ID)).Scan(&o.phoneIx, &p.nhsIx, &told, &o.audience, &tried)
	if err != nil {
		return fail(err)
	}
	if o.audience != 0 {
		if err := db.meet(tx, &o); err != nil {
			return fail(err)
		}
	}
	p.answer = answer{referral: int64(r.ID), network: r.Network, campaign: r.Campaign, language: r.Answers.Pages, at: tx.now, phoneIx: o.phoneIx, nhsIx: p.nhsIx}
	p.told, p.tried = timeOf(told), timeOf(tried)
	if len(o.people) > 0 { // whoever they are: this is the number that was invited
		p.to = o.people[0].doc.phone()
	}
	heard, err := heard(tx, r, o.phoneIx)
	if err != nil {
		return fail(err)
	}
	if why = selfrefer.MayText(r, p.to, heard); why != "" {
		return p, why, nil
	}
	doubted, err := tx.meta(metaServicesDoubted)
	if err != nil {
		return fail(err)
	}
	if since, _ := strconv.ParseInt(cmp.Or(doubted, "-1"), 10, 64); msOf(r.Received) <= since {
		why = selfrefer.TextRestored
	}
	return p, why, nil
}

// heard tells whether anything else has come from a referral's number that a person has to read before it is texted: whatever is open or
// urgent, and whatever came later, which may say that this is the wrong number. What turned out to be the same request again does not count.
func heard(tx *Tx, r selfrefer.Referral, phoneIx []byte) (bool, error) {
	var n int
	err := tx.QueryRow(`
		SELECT (SELECT COUNT(*) FROM referral
		        WHERE phone_ix = $1 AND id <> $2 AND state IN ('new', 'claimed', 'contacting', 'in_support', 'onward')
		              AND (urgent = $3 OR received_at >= $4 OR `+openReferrals+`))
		     + (SELECT COUNT(*) FROM referral
		        WHERE phone_ix = $1 AND id <> $2 AND state IN ('closed', 'declined', 'unreachable', 'duplicate')
		              AND (urgent = $3 OR (received_at >= $4 AND state <> 'duplicate')))`,
		phoneIx, int64(r.ID), true, msOf(r.Received)).Scan(&n)
	return n > 0, err
}

// oweTried owes the text that says that we have tried, once there were enough attempts, in the transaction of the attempt that was not refused.
func (db *DB) oweTried(tx *Tx, r selfrefer.Referral, on selfrefer.Event, refusal error) (campaign.Ring, error) {
	if on != selfrefer.Attempt || refusal != nil || !selfrefer.Tried(r) {
		return campaign.Ring{}, nil //nolint:nilerr // a refused attempt is none
	}
	p, why, err := db.mayTell(tx, r)
	if err != nil || why != "" {
		return campaign.Ring{}, err
	}
	return db.owe(tx, campaign.WeTried, p.answer)
}

// rung rings for a text that was owed, after the commit.
func (db *DB) rung(r campaign.Ring) {
	if r.Message != 0 && db.Ring != nil {
		db.Ring(r)
	}
}

// lateChunk keeps each step well below 50 ms of the writer: each referral takes about half a millisecond.
const lateChunk = 40

// lateOnes reads referrals in the order of the index referral_told; whoever certainly gets no text is left out here already.
const lateOnes = `
	SELECT id, ` + toldAt + `, team
	FROM referral
	WHERE ` + openReferrals + ` AND ` + toldAt + ` >= $1 AND ` + toldAt + ` <= $2 AND (` + toldAt + ` > $1 OR id > $3)
	      AND urgent = $4 AND source = 'link' AND not_matched = '' AND contacted_at = 0 AND campaign <> 0 AND attempts < $5
	      AND NOT EXISTS (SELECT 1 FROM service_text t WHERE t.kind = $6 AND t.referral = referral.id)
	ORDER BY ` + toldAt + `, id
	LIMIT $7`

type late struct {
	id, told int64
	team     staff.TeamID
}

// TellLate owes a text to whoever will not be called by the day that they were told, before that day is over, and gives the rings. Whoever may
// not be texted is passed over: their promise stands on the desk as everybody's does.
func (db *DB) TellLate(ctx context.Context) (rings []campaign.Ring, err error) {
	now := db.cfg.Now()
	until := msOf(selfrefer.LateBefore(db.Calendar, now))
	by := map[staff.TeamID]time.Time{}
	for after := (late{told: msOf(now)}); ; {
		var some []late
		err := db.read(ctx, "who is told that it takes longer", func(tx *Tx) (err error) {
			some, err = list(tx, func(r scanner, l *late) error { return r.Scan(&l.id, &l.told, (*int64)(&l.team)) }, lateOnes,
				after.told, until, after.id, false, selfrefer.Tries, string(campaign.RunningLate), lateChunk)
			return err
		})
		if err != nil || len(some) == 0 {
			return rings, err
		}
		after = some[len(some)-1]
		for _, l := range some { // it reads a snapshot: not while the writer is held
			if _, known := by[l.team]; !known && db.ContactBy != nil {
				by[l.team] = db.ContactBy(l.team, now)
			}
		}
		var owed []campaign.Ring
		err = db.write(ctx, "tell who waits", func(tx *Tx) error {
			owed = nil
			for _, l := range some {
				ring, err := db.oweLate(tx, selfrefer.ReferralID(l.id), by[l.team])
				if err != nil {
					return err
				}
				if ring.Message != 0 {
					owed = append(owed, ring)
				}
			}
			return nil
		})
		if err != nil {
			return rings, err
		}
		rings = append(rings, owed...)
	}
}

// oweLate owes one of them, if it still stands so under the lock. by is the forecast, zero if there is none.
func (db *DB) oweLate(tx *Tx, id selfrefer.ReferralID, by time.Time) (ring campaign.Ring, err error) {
	r, sealed, err := referralOf(tx, id, db.engine.lockClause())
	if err != nil {
		return ring, err
	}
	if err := db.openReferral(&r, sealed, true); err != nil { // it does not keep the others from being told
		db.log.Error("a referral cannot be opened; nobody is told that it takes longer", "error", err)
		return ring, nil
	}
	p, why, err := db.mayTell(tx, r)
	if err != nil || why != "" || !selfrefer.RunsLate(db.Calendar, r, p.told, p.tried, timeOf(tx.now)) {
		return ring, err
	}
	if !by.IsZero() && !db.Calendar.Midnight(by).After(db.Calendar.Midnight(p.told)) {
		return ring, nil // the forecast keeps the day that they know
	}
	var steps, policy string
	if err := tx.QueryRow(`SELECT steps, policy FROM campaign WHERE id = $1`, p.campaign).Scan(&steps, &policy); err != nil {
		return ring, fmt.Errorf("read when a campaign texts: %w", err)
	}
	plan, err := db.plan(campaign.ID(p.campaign), steps, policy)
	if err != nil {
		db.log.Error("a campaign cannot be read; nobody is told that it takes longer", "error", err)
		return ring, nil
	}
	if from, _, ok := campaign.RunningLate.Leaves(db.Calendar, plan.parsed.Policy.Windows, timeOf(tx.now)); !ok || msOf(from) > tx.now {
		return ring, nil // tomorrow it would say what they know by then
	}
	p.by = msOf(by)
	return db.owe(tx, campaign.RunningLate, p.answer)
}

// moot tells why a service text that is about to leave is not true or not safe any more; "" if it is. A confirmation is always true.
func (db *DB) moot(tx *Tx, s service) (string, error) {
	if s.kind == campaign.Confirmation || s.kind == campaign.Test {
		return "", nil
	}
	r, sealed, err := referralOf(tx, s.referral, "")
	if errors.Is(err, selfrefer.ErrNotFound) {
		return string(selfrefer.TextOver), nil
	}
	if err != nil {
		return "", fmt.Errorf("read the referral of service text %d: %w", s.id, err)
	}
	if err := db.openReferral(&r, sealed, true); err != nil {
		return "", err
	}
	p, why, err := db.mayTell(tx, r)
	if err != nil || why != "" {
		return string(why), err
	}
	network, err := db.sender(tx, staff.NetworkID(s.network))
	if err != nil {
		return "", err
	}
	switch {
	case network.NoTextBack:
		why = selfrefer.TextOff
	case s.kind == campaign.WeTried && !selfrefer.Tried(r):
		why = selfrefer.TextFewer
	case s.kind == campaign.RunningLate && selfrefer.InHand(r, p.tried, timeOf(tx.now)):
		why = selfrefer.TextInHand
	}
	return string(why), nil
}

// Texts are the texts that went by themselves to a referral, or were kept back, oldest first; and the one that the third attempt would have
// brought, with the reason why it did not. Who looks is in the audit with the referral itself, which is opened first.
func (db *DB) Texts(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (all []selfrefer.Text, err error) {
	var refusal error
	err = db.read(ctx, "texts of a referral", func(tx *Tx) error {
		all = nil
		r, sealed, err := referralOf(tx, id, "")
		if err != nil {
			return err
		}
		if refusal, err = db.mayView(tx, who, r); err != nil || refusal != nil {
			return err
		}
		for _, k := range campaign.Services { // by the unique index
			some, err := list(tx, func(row scanner, t *selfrefer.Text) error {
				var at int64
				err := row.Scan((*string)(&t.Kind), &t.State, &t.Code, &at)
				if t.At = timeOf(at); at == 0 {
					t.At = r.Received
				}
				return err
			}, `SELECT kind, state, code, owed_at FROM service_text WHERE kind = $1 AND referral = $2`, string(k), int64(id))
			if err != nil {
				return fmt.Errorf("read the texts of referral %d: %w", id, err)
			}
			all = append(all, some...)
		}
		// That somebody has written from the same phone can tell of a referral that does not exist for who reads.
		barred, err := isBarred(tx, who.ID)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(t selfrefer.Text) bool { return barred && t.Code == string(selfrefer.TextHeard) })
		slices.SortStableFunc(all, func(a, b selfrefer.Text) int { return a.At.Compare(b.At) })
		if !selfrefer.Tried(r) || !r.State.Open() || slices.ContainsFunc(all, func(t selfrefer.Text) bool { return t.Kind == selfrefer.TextWeTried }) {
			return nil
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		_, why, err := db.mayTell(tx, r)
		if err == nil && why != "" && (why != selfrefer.TextHeard || !barred) {
			all = append(all, selfrefer.Text{Kind: selfrefer.TextWeTried, Code: string(why)})
		}
		return err
	})
	if err == nil {
		err = refusal
	}
	return all, err
}
