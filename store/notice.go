package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// noticers find what somebody must look at now, each of them for some kinds: at most [selfrefer.MaxNotices] of a kind. They ask themselves
// whether the person is ever told of it.
var noticers = []func(db *DB, tx *Tx, who staff.Account) ([]selfrefer.Notice, error){
	(*DB).offered,
	(*DB).promised,
	(*DB).unclaimed,
	(*DB).told,
	(*DB).glassNotices,
	(*DB).missing,
}

// Notices are what somebody must look at now, the most pressing first.
func (db *DB) Notices(ctx context.Context, who staff.Account) (all []selfrefer.Notice, err error) {
	if who.ID == 0 || who.Disabled {
		return nil, nil
	}
	err = db.read(ctx, "notices", func(tx *Tx) error {
		all, err = db.notices(tx, who)
		return err
	})
	return slices.DeleteFunc(all, func(n selfrefer.Notice) bool { return n.Late }), err
}

// notices also finds promises that have broken while a mail about them could not go.
func (db *DB) notices(tx *Tx, who staff.Account) (all []selfrefer.Notice, err error) {
	for _, find := range noticers {
		some, err := find(db, tx, who)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if all, err = db.canOpen(tx, who, all); err != nil {
		return nil, err
	}
	selfrefer.SortNotices(all)
	return all, nil
}

// onDuty tells whether somebody is at work now, by the roster of a team.
func (db *DB) onDuty(tx *Tx, who staff.Account, team int64) (bool, error) {
	if int64(who.Team) != team {
		return false, nil
	}
	w, err := rosterOf(tx, who)
	return w != nil && selfrefer.AtWork(db.Calendar, w, timeOf(tx.now)), err
}

// rosterOf is somebody's place on the roster; nil if they have none.
func rosterOf(tx *Tx, who staff.Account) (*throttle.Worker, error) {
	if who.Team == 0 {
		return nil, nil
	}
	all, err := workers(tx, who.Team, false)
	if err != nil {
		return nil, err
	}
	id := strconv.FormatInt(int64(who.ID), 10)
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, nil
}

// told is what colleagues have handed to somebody, or told them of as the senior.
func (db *DB) told(tx *Tx, who staff.Account) ([]selfrefer.Notice, error) {
	if !selfrefer.HandedToYou.For(who) {
		return nil, nil
	}
	all, err := list(tx, func(r scanner, n *selfrefer.Notice) error {
		var since, handed int64
		if err := r.Scan((*int64)(&n.Referral), &n.Ref, &handed, (*int64)(&n.By), &since); err != nil {
			return err
		}
		n.Kind, n.Since = selfrefer.EscalatedToYou, timeOf(since)
		if handed != 0 {
			n.Kind = selfrefer.HandedToYou
		}
		return nil
	}, `
		SELECT id, reference, 0, 0, escalated_at
		FROM referral
		WHERE network = $1 AND escalated_to = $2 AND escalated_to <> 0 AND escalated_seen = 0
		UNION ALL
		SELECT id, reference, 1, handed_by, claimed_at
		FROM referral
		WHERE network = $1 AND claimed_by = $2 AND handed_by <> 0
		ORDER BY 3, 5, 1
		LIMIT $3`, int64(who.Network), int64(who.ID), 2*selfrefer.MaxNotices)
	if err != nil {
		return nil, fmt.Errorf("read what somebody was told of: %w", err)
	}
	return all, nil
}

func scanPromise(r scanner, ref *selfrefer.Referral) error {
	var received, due int64
	err := r.Scan((*int64)(&ref.ID), &ref.Reference, &received, &due)
	ref.Received, ref.Due = timeOf(received), timeOf(due)
	return err
}

// promised are the promises that are about to break, or have broken, of what somebody has claimed: of each the nearest to now.
func (db *DB) promised(tx *Tx, who staff.Account) (out []selfrefer.Notice, err error) {
	if !selfrefer.PromiseEnds.For(who) {
		return nil, nil
	}
	for _, part := range []string{`due_at >= $3 ORDER BY due_at, id`, `due_at < $3 ORDER BY due_at DESC, id DESC`} {
		all, err := list(tx, scanPromise, `
			SELECT id, reference, received_at, due_at
			FROM referral
			WHERE network = $1 AND claimed_by = $2 AND state IN ('claimed', 'contacting') AND contacted_at = 0 AND `+part+`
			LIMIT $4`, int64(who.Network), int64(who.ID), tx.now, selfrefer.MaxNotices)
		if err != nil {
			return nil, fmt.Errorf("read promises of what somebody has: %w", err)
		}
		for _, r := range all {
			if age := r.AgeAt(timeOf(tx.now)); age == selfrefer.DueSoon || age == selfrefer.Late {
				out = append(out, selfrefer.Notice{Kind: selfrefer.PromiseEnds, Referral: r.ID, Ref: r.Reference, Since: r.Due, Theirs: true, Late: age == selfrefer.Late})
			}
		}
	}
	out = out[:min(len(out), selfrefer.MaxNotices)] // those that can still be kept stand first
	selfrefer.SortNotices(out)
	return out, nil
}

// unclaimed are the promises that are about to break of what nobody has claimed, for those of the team who are at work. What has broken
// already is not among them: the queue shows it, and it would stand here for ever where there is more than anybody can answer.
func (db *DB) unclaimed(tx *Tx, who staff.Account) (out []selfrefer.Notice, err error) {
	if !selfrefer.PromiseEnds.For(who) || who.Team == 0 {
		return nil, nil
	}
	urgent := staff.May(who, staff.ViewUrgent, who.Network) == nil
	for _, l := range lanes {
		if l.urgent && !urgent {
			continue
		}
		// In a lane they are in the order in which they come, so those whose promise ends soon are the first that are not late.
		all, err := list(tx, scanPromise, `
			SELECT id, reference, received_at, due_at
			FROM referral
			WHERE network = $1 AND team = $2 AND state = 'new' AND urgent = $3 AND lane = $4 AND due_at >= $5 AND contacted_at = 0 AND `+openReferrals+`
			ORDER BY due_at, id
			LIMIT $6`, int64(who.Network), int64(who.Team), l.urgent, string(l.lane), tx.now, selfrefer.MaxNotices)
		if err != nil {
			return nil, fmt.Errorf("read promises of what nobody has: %w", err)
		}
		for _, r := range all {
			if r.AgeAt(timeOf(tx.now)) == selfrefer.DueSoon {
				out = append(out, selfrefer.Notice{Kind: selfrefer.PromiseEnds, Referral: r.ID, Ref: r.Reference, Since: r.Due})
			}
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	if there, err := db.onDuty(tx, who, int64(who.Team)); err != nil || !there {
		return nil, err
	}
	selfrefer.SortNotices(out)
	return out[:min(len(out), selfrefer.MaxNotices)], nil
}
