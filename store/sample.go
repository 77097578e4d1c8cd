package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Sample is one of those whom a list would text, for somebody to see how the text reads to them: with the name that the text shows, and no
// number. It is the first of them if at is 0, or nobody who would be texted. A list whose people are gone answers campaign.ErrNotFound. The view
// is audited: what cannot be noted is not shown.
func (db *DB) Sample(ctx context.Context, who staff.Account, list campaign.AudienceID, at campaign.PatientID) (s campaign.Sample, err error) {
	a, err := db.Audience(ctx, who.Network, list)
	if err != nil {
		return s, err
	}
	network, err := db.Network(ctx, who.Network)
	if err != nil {
		return s, err
	}
	err = db.read(ctx, "somebody of a list", func(tx *Tx) error {
		s = campaign.Sample{}
		var practice string
		var sealed []byte
		one := func(where string, args ...any) error {
			return tx.QueryRow(`
				SELECT p.id, p.row, p.practice, p.language, p.person,
					EXISTS (SELECT 1 FROM patient q WHERE q.phone_ix = p.phone_ix AND +q.audience = p.audience AND NOT q.invited)
				FROM patient p
				WHERE p.audience = $1 AND p.invited AND `+where+`
				ORDER BY p.id
				LIMIT 1`, append([]any{int64(a.ID)}, args...)...).Scan((*int64)(&s.ID), &s.Row, &practice, &s.Language, &sealed, &s.To.Shared)
		}
		err := one(`p.id = $2`, int64(at))
		if errors.Is(err, sql.ErrNoRows) {
			err = one(`p.id > 0`)
		}
		if err != nil {
			return notFound(err, campaign.ErrNotFound)
		}
		beside := func(to *campaign.PatientID, query string) error {
			err := tx.QueryRow(`SELECT id FROM patient WHERE audience = $1 AND invited AND `+query+` LIMIT 1`, int64(a.ID), int64(s.ID)).Scan((*int64)(to))
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		}
		if err := errors.Join(beside(&s.Before, `id < $2 ORDER BY id DESC`), beside(&s.After, `id > $2 ORDER BY id`)); err != nil {
			return err
		}
		d, err := db.openPerson("patient", int64(s.ID), sealed)
		if err != nil {
			return err
		}
		s.To.Name, s.To.Practice, s.To.Network, s.To.Token = d.name(), practiceOf(network, practice), network, link.Mint(db.sealer.linkKey(), 0)
		return nil
	})
	if err == nil {
		err = db.shown(ctx, who, listTarget(a.ID), campaign.Shown{Row: s.Row})
	}
	if err != nil {
		return campaign.Sample{}, fmt.Errorf("read somebody of list %d: %w", list, err)
	}
	return s, nil
}
