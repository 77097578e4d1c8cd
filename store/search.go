package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// searchShown is how many referrals a search shows.
const searchShown = 50

// Search finds referrals by keyed blind indexes: the database never sees what is searched for. Who searched, by what kind of thing, and how
// many that found is in the audit before anything is shown.
func (db *DB) Search(ctx context.Context, who staff.Account, s selfrefer.Search) (found selfrefer.Found, err error) {
	refusal := staff.May(who, staff.SearchReferrals, who.Network)
	outcome := outcomeOf(refusal)
	if refusal == nil {
		err := db.read(ctx, "search", func(tx *Tx) error {
			found, err = db.search(tx, who, s)
			return err
		})
		if err != nil {
			return selfrefer.Found{}, err
		}
		outcome = fmt.Sprintf("%d found", len(found.Referrals))
	}
	err = db.write(ctx, "audit a search", func(tx *Tx) error {
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.SearchReferrals), Target: "by " + s.Kinds(), Outcome: outcome})
	})
	if err = errors.Join(err, refusal); err != nil {
		return selfrefer.Found{}, err
	}
	return found, nil
}

func (db *DB) search(tx *Tx, who staff.Account, s selfrefer.Search) (found selfrefer.Found, err error) {
	var ids []int64
	sees := openTo
	find := func(from string, where conditions, id string) error {
		if staff.May(who, staff.ViewUrgent, who.Network) != nil {
			where = where.and(`referral.urgent = ?`, false)
		}
		where, err := sees(tx, where, who.ID)
		if err != nil {
			return err
		}
		more, err := list(tx, func(r scanner, id *int64) error { return r.Scan(id) },
			`SELECT `+id+` FROM `+from+` WHERE `+where.sql+` ORDER BY `+id+` DESC LIMIT $`+strconv.Itoa(len(where.args)+1), append(where.args, searchShown+1)...)
		ids = append(ids, more...)
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		return nil
	}
	here := int64(who.Network)
	// Two indexes hold the numbers between them: one of those who may be called, and one of the rest.
	byNumber := func(column string, ix []byte) error {
		for _, states := range []string{`state IN ('new', 'claimed', 'contacting', 'in_support', 'onward')`, `state IN ('closed', 'declined', 'unreachable', 'duplicate')`} {
			if err := find(`referral`, conditions{column + ` = $1 AND network = $2 AND ` + states, []any{ix, here}}, `id`); err != nil {
				return err
			}
		}
		return nil
	}
	// CROSS JOIN keeps SQLite to this order: the index of words is read newest first, and no further than needed.
	byTerm := func(first []byte, others ...[]byte) error {
		where := conditions{`t.ix = $1 AND referral.id = t.referral AND referral.network = $2`, []any{first, here}}
		for _, ix := range others {
			where = where.and(`EXISTS (SELECT 1 FROM referral_term o WHERE o.ix = ? AND o.referral = t.referral)`, ix)
		}
		return find(`referral_term t CROSS JOIN referral`, where, `t.referral`)
	}
	if s.Reference != "" {
		sees = existing // by its reference somebody finds that it waits; by a name nothing that they may not open
		err = find(`referral`, conditions{`reference = $1 AND network = $2`, []any{s.Reference, here}}, `id`)
		sees = openTo
	}
	if err == nil && !s.NHS.IsZero() {
		err = byNumber(`nhs_ix`, db.nhsIndex(s.NHS))
	}
	if err == nil && !s.Phone.IsZero() {
		err = errors.Join(byNumber(`phone_ix`, db.phoneIndex(s.Phone)), byTerm(db.term(who.Network, "phone", s.Phone.Reveal())))
	}
	for _, words := range s.Names {
		if err != nil {
			break
		}
		terms := [][]byte{db.term(who.Network, "word", words[0])}
		for i := range words[1:] {
			if i == 0 {
				terms = nil
			}
			terms = append(terms, db.pairTerm(who.Network, words[i], words[i+1]))
		}
		err = byTerm(terms[0], terms[1:]...)
	}
	if err != nil {
		return found, err
	}
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
	ids = slices.Compact(ids)
	if found.More = len(ids) > searchShown; found.More {
		ids = ids[:searchShown]
	}
	for _, id := range ids {
		r, sealed, err := referralOf(tx, selfrefer.ReferralID(id), "")
		if err != nil {
			return found, err
		}
		if err := db.openReferral(&r, sealed, false); err != nil {
			return found, err
		}
		found.Referrals = append(found.Referrals, r)
	}
	return found, errors.Join(db.offers(tx, found.Referrals), db.mask(tx, who.ID, found.Referrals))
}
