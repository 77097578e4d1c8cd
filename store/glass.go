package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// shutOut reads a referral that somebody is shut out from and may break the glass of. Whoever could not open it without its restriction cannot
// open it by the glass.
func (db *DB) shutOut(tx *Tx, who staff.Account, id selfrefer.ReferralID, lock string) (r selfrefer.Referral, refusal, err error) {
	if r, _, err = referralOf(tx, id, lock); err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
		return r, nil, err
	}
	if refusal, err = db.mayView(tx, who, r); err != nil {
		return r, nil, err
	}
	switch {
	case refusal == nil:
		refusal = selfrefer.ErrNotNow
	case errors.Is(refusal, selfrefer.ErrRestricted):
		refusal = nil
	}
	return r, refusal, nil
}

// Glass is a referral as far as somebody may know of it who is shut out from it.
func (db *DB) Glass(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (r selfrefer.Referral, err error) {
	var refusal error
	err = db.read(ctx, "what is behind the glass", func(tx *Tx) error {
		r, refusal, err = db.shutOut(tx, who, id, "")
		return err
	})
	if err = errors.Join(err, refusal); err != nil {
		return selfrefer.Referral{}, err
	}
	return r.MaskedLine(), nil
}

// BreakGlass opens a referral for an hour to somebody who is shut out from it. That, and why, stands in the audit, in the history of the
// referral, and at the top of the pages of whoever guards the network's patients.
func (db *DB) BreakGlass(ctx context.Context, who staff.Account, id selfrefer.ReferralID, reason string) error {
	reason = strings.TrimSpace(reason)
	var refusal error
	err := db.write(ctx, "break the glass", func(tx *Tx) error {
		var err error
		if _, refusal, err = db.shutOut(tx, who, id, db.engine.lockClause()); err != nil {
			return err
		}
		if n := utf8.RuneCountInString(reason); refusal == nil && (n < selfrefer.MinGlassReason || n > selfrefer.MaxReason) {
			refusal = selfrefer.ErrReason
		}
		if refusal == nil {
			event := db.newID()
			if err := db.noteEventAs(tx, event, who, id, selfrefer.Contact{Event: selfrefer.BreakGlass, Note: reason}, about{}); err != nil {
				return err
			}
			_, err := tx.Exec(`INSERT INTO glass (event, network, referral, account, at, until_at, seen_by, seen_at) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)`,
				event, int64(who.Network), int64(id), int64(who.ID), tx.now, tx.now+selfrefer.GlassFor.Milliseconds())
			if err != nil {
				return fmt.Errorf("break the glass of referral %d: %w", id, err)
			}
		}
		return db.auditReferral(tx, who, "referral."+string(selfrefer.BreakGlass), id, outcomeOf(refusal))
	})
	return errors.Join(err, refusal)
}

func guardianOf(tx *Tx, n staff.NetworkID) (id staff.AccountID, err error) {
	err = tx.QueryRow(`SELECT account FROM guardian WHERE network = $1`, int64(n)).Scan((*int64)(&id))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read who the guardian is: %w", err)
	}
	return id, nil
}

// breakingsShown is how many stand on the page of the guardian.
const breakingsShown = 200

// breakings reads those that somebody is told of, the latest first.
func (db *DB) breakings(tx *Tx, who staff.Account, where string, limit int) (told []selfrefer.Breaking, err error) {
	if staff.May(who, staff.ReadGlass, who.Network) != nil {
		return nil, nil //nolint:nilerr // it is not for them
	}
	type row struct {
		selfrefer.Breaking
		reason, note []byte
	}
	rows, err := list(tx, func(r scanner, b *row) error {
		var at, until, seen int64
		err := r.Scan((*int64)(&b.ID), (*int64)(&b.Referral), &b.Reference, (*int64)(&b.By), &at, &until, (*int64)(&b.SeenBy), &seen, &b.note, &b.reason)
		b.At, b.Until, b.Seen = timeOf(at), timeOf(until), timeOf(seen)
		return err
	}, `
		SELECT g.event, g.referral, r.reference, g.account, g.at, g.until_at, g.seen_by, g.seen_at, g.note, e.note
		FROM glass g
		JOIN referral r ON r.id = g.referral
		JOIN referral_event e ON e.id = g.event
		WHERE g.network = $1 `+where+`
		ORDER BY g.event DESC
		LIMIT $2`, int64(who.Network), limit)
	if err != nil {
		return nil, fmt.Errorf("read who has broken the glass: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	guardian, err := guardianOf(tx, who.Network)
	if err != nil {
		return nil, err
	}
	all, err := colleagues(tx, who.Network)
	if err != nil {
		return nil, err
	}
	barred := map[staff.AccountID]map[int64]bool{}
	for _, a := range all {
		if staff.May(a, staff.ReadGlass, a.Network) == nil {
			if barred[a.ID], err = barredFrom(tx, a.ID); err != nil {
				return nil, err
			}
		}
	}
	for _, b := range rows {
		to := selfrefer.ToldOfGlass(guardian, all, b.By, func(a staff.AccountID) bool { return barred[a][int64(b.Referral)] })
		if !slices.Contains(to, who.ID) {
			continue
		}
		id := strconv.FormatInt(int64(b.ID), 10)
		reason, err := db.sealer.open("referral_event", "note", id, b.reason)
		if err != nil {
			return nil, err
		}
		b.Reason = selfrefer.FreeText(reason)
		if b.note != nil {
			note, err := db.sealer.open("glass", "note", id, b.note)
			if err != nil {
				return nil, err
			}
			b.Note = selfrefer.FreeText(note)
		}
		told = append(told, b.Breaking)
	}
	return told, nil
}

// Breakings lists who has broken the glass, for whoever is told of it.
func (db *DB) Breakings(ctx context.Context, who staff.Account) (all []selfrefer.Breaking, err error) {
	if err := staff.May(who, staff.ReadGlass, who.Network); err != nil {
		return nil, err
	}
	err = db.read(ctx, "who has broken the glass", func(tx *Tx) error {
		all, err = db.breakings(tx, who, ``, breakingsShown)
		return err
	})
	return all, err
}

// BreakingsAfter goes on behind the one that was told last; 0 begins with the newest.
func (db *DB) BreakingsAfter(ctx context.Context, who staff.Account, after selfrefer.BreakingID, limit int) (all []selfrefer.Breaking, err error) {
	if err := staff.May(who, staff.ReadGlass, who.Network); err != nil {
		return nil, err
	}
	err = db.read(ctx, "who has broken the glass", func(tx *Tx) error {
		all = nil
		// Of some only others are told: a page is filled from as many rows as that takes.
		for from := beforeID(int64(after)); len(all) < limit; {
			var last int64
			if err := tx.QueryRow(breakingsEnd, int64(who.Network), from, breakingsShown).Scan(&last); err != nil {
				return fmt.Errorf("read who has broken the glass: %w", err)
			}
			if last == 0 {
				return nil
			}
			some, err := db.breakings(tx, who, fmt.Sprintf(`AND g.event < %d AND g.event >= %d`, from, last), breakingsShown)
			if err != nil {
				return err
			}
			all, from = append(all, some...), last
		}
		all = all[:limit]
		return nil
	})
	return all, err
}

// breakingsEnd is the last of the next so many.
const breakingsEnd = `SELECT COALESCE(MIN(event), 0) FROM (SELECT event FROM glass WHERE network = $1 AND event < $2 ORDER BY event DESC LIMIT $3) x`

// Acknowledge notes that whoever is told of it has read that the glass was broken.
func (db *DB) Acknowledge(ctx context.Context, who staff.Account, id selfrefer.BreakingID, note string) error {
	note = strings.TrimSpace(note)
	var refusal error
	err := db.write(ctx, "acknowledge a broken glass", func(tx *Tx) error {
		refusal = staff.May(who, staff.ReadGlass, who.Network)
		var b selfrefer.Breaking
		if refusal == nil {
			all, err := db.breakings(tx, who, fmt.Sprintf(`AND g.event = %d`, id), 1)
			if err != nil {
				return err
			}
			refusal = staff.ErrNotFound
			if len(all) > 0 {
				b, refusal = all[0], nil
			}
		}
		if refusal == nil && b.SeenBy != 0 {
			refusal = selfrefer.ErrNotNow
		}
		if utf8.RuneCountInString(note) > selfrefer.MaxReason {
			refusal = selfrefer.ErrReason
		}
		if refusal == nil {
			var sealed any // NULL without one
			if note != "" {
				s, err := db.sealer.seal("glass", "note", strconv.FormatInt(int64(id), 10), []byte(note))
				if err != nil {
					return err
				}
				sealed = s
			}
			if _, err := tx.Exec(`UPDATE glass SET seen_by = $1, seen_at = $2, note = $3 WHERE event = $4 AND seen_at = 0`, int64(who.ID), tx.now, sealed, int64(id)); err != nil {
				return fmt.Errorf("note who has read of a broken glass: %w", err)
			}
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "glass.acknowledge", Target: fmt.Sprintf("breaking %d", id), Outcome: outcomeOf(refusal)})
	})
	return errors.Join(err, refusal)
}

// Guardian is the network's Caldicott guardian.
func (db *DB) Guardian(ctx context.Context, n staff.NetworkID) (id staff.AccountID, err error) {
	err = db.read(ctx, "the guardian", func(tx *Tx) error {
		id, err = guardianOf(tx, n)
		return err
	})
	return id, err
}

// SetGuardian chooses the Caldicott guardian among those who may read of broken glass; 0 is nobody: every administrator is told then.
func (db *DB) SetGuardian(ctx context.Context, who staff.Account, guardian staff.AccountID) error {
	var refusal error
	err := db.write(ctx, "choose the guardian", func(tx *Tx) error {
		refusal = staff.May(who, staff.ManageStaff, who.Network)
		if refusal == nil && guardian != 0 {
			a, err := accountOf(tx, guardian)
			if err != nil && !errors.Is(err, staff.ErrNotFound) {
				return err
			}
			if a.Network != who.Network || staff.May(a, staff.ReadGlass, who.Network) != nil {
				refusal = selfrefer.ErrNotTheirs
			}
		}
		if refusal == nil {
			_, err := tx.Exec(`INSERT INTO guardian (network, account) VALUES ($1, $2) ON CONFLICT (network) DO UPDATE SET account = excluded.account`, int64(who.Network), int64(guardian))
			if err != nil {
				return fmt.Errorf("choose the guardian: %w", err)
			}
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "guardian.set", Target: fmt.Sprintf("account %d", guardian), Outcome: outcomeOf(refusal)})
	})
	return errors.Join(err, refusal)
}

// glassNotices are what stands at the top of the pages of whoever guards the patients.
func (db *DB) glassNotices(tx *Tx, who staff.Account) (all []selfrefer.Notice, err error) {
	unseen, err := db.breakings(tx, who, `AND g.seen_at = 0`, breakingsShown)
	for _, b := range unseen[:min(len(unseen), selfrefer.MaxNotices)] {
		all = append(all, selfrefer.Notice{Kind: selfrefer.GlassBroken, Ref: b.Reference, By: b.By, Since: b.At})
	}
	return all, err
}

// looksShown is how many looks are listed: far more than a referral has.
const looksShown = 5000

// WhoLooked lists who has opened a referral, from the audit. Whoever may open it may know, and the guardian, and an administrator:
// patients ask them.
func (db *DB) WhoLooked(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (reference string, all []selfrefer.Look, err error) {
	return db.WhoLookedAfter(ctx, who, id, 0, looksShown)
}

// WhoLookedAfter goes on behind the look that was told last; 0 begins with the latest.
func (db *DB) WhoLookedAfter(ctx context.Context, who staff.Account, id selfrefer.ReferralID, after int64, limit int) (reference string, all []selfrefer.Look, err error) {
	var refusal error
	err = db.write(ctx, "who has looked", func(tx *Tx) error {
		all = nil
		r, _, err := referralOf(tx, id, "")
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayKnowLooks(tx, who, r); err != nil {
			return err
		}
		if refusal == nil {
			reference = r.Reference
			if all, err = db.looks(tx, r, after, limit); err != nil {
				return err
			}
		}
		return db.auditReferral(tx, who, string(staff.WhoLooked), id, outcomeOf(refusal))
	})
	return reference, all, errors.Join(err, refusal)
}

func (db *DB) mayKnowLooks(tx *Tx, who staff.Account, r selfrefer.Referral) (refusal, err error) {
	guardian, err := guardianOf(tx, who.Network)
	if err != nil {
		return nil, err
	}
	if who.Role != staff.Administrator && guardian != who.ID {
		return db.mayView(tx, who, r)
	}
	if refusal = behindWall(staff.May(who, staff.WhoLooked, r.Network)); refusal != nil {
		return refusal, nil
	}
	s, err := sight(tx, who.ID, r)
	if err == nil && s == selfrefer.Hidden {
		refusal = selfrefer.ErrNotFound
	}
	return refusal, err
}

func (db *DB) looks(tx *Tx, r selfrefer.Referral, after int64, limit int) (all []selfrefer.Look, err error) {
	ids, _, err := caseOf(tx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		one, _, err := referralOf(tx, id, "")
		if err != nil {
			return nil, err
		}
		some, err := list(tx, func(row scanner, l *selfrefer.Look) error {
			var at int64
			var action string
			err := row.Scan(&l.ID, &at, (*int64)(&l.By), &action)
			l.At, l.Reference, l.Glass = timeOf(at), one.Reference, action != string(staff.ViewReferral)
			return err
		}, looksQuery, fmt.Sprintf("referral %d", id), int64(r.Network), beforeID(after), limit)
		if err != nil {
			return nil, fmt.Errorf("read who has looked at referral %d: %w", id, err)
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b selfrefer.Look) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), limit)], nil
}

// The plus keeps SQLite from the index of the network's whole audit: what was done to one referral is few rows.
const looksQuery = `
	SELECT id, at, account, action
	FROM audit
	WHERE target = $1 AND +network = $2 AND id < $3 AND outcome = 'done' AND action IN ('referral.view', 'referral.break_glass')
	ORDER BY id DESC
	LIMIT $4`
