package store

import (
	"context"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// This file knows who has been shown people of a list, before any of them has answered.

// lookLasts is for how long somebody who looks at the same people again goes on with one look, in machine time: a page is drawn anew with each
// word that is tried in a text.
const lookLasts = time.Hour

func listTarget(id campaign.AudienceID) string { return fmt.Sprintf("list %d", id) }

func uploadTarget(id campaign.UploadID) string { return fmt.Sprintf("upload %d", id) }

// shown notes in the audit whom somebody is about to be shown. After an error they must not be.
func (db *DB) shown(ctx context.Context, who staff.Account, target string, s campaign.Shown) error {
	return db.write(ctx, "note a look at people", func(tx *Tx) error {
		again := 0
		err := tx.QueryRow(lookedAlready, target, (tx.machine-lookLasts.Milliseconds()-idEpoch)<<10, int64(who.ID), s.Code()).Scan(&again)
		if err != nil || again > 0 {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "people.view", Target: target, Outcome: s.Code()})
	})
}

const lookedAlready = `SELECT COUNT(*) FROM audit WHERE action = 'people.view' AND target = $1 AND id > $2 AND +account = $3 AND outcome = $4`

// LookAtUpload notes that somebody is about to be shown the first rows of a file.
func (db *DB) LookAtUpload(ctx context.Context, who staff.Account, id campaign.UploadID, rows int) error {
	if rows == 0 {
		return nil
	}
	return db.shown(ctx, who, uploadTarget(id), campaign.Shown{First: rows})
}

// LooksAfter lists who has been shown people of a list, in its file or in texts to them, the latest first. It goes on behind the look that was
// told last; 0 begins with the latest. That somebody asks is audited, too.
func (db *DB) LooksAfter(ctx context.Context, who staff.Account, id campaign.AudienceID, after int64, limit int) (all []campaign.Viewing, err error) {
	err = db.write(ctx, "who has looked at a list", func(tx *Tx) error {
		var upload int64
		err := tx.QueryRow(`SELECT upload FROM audience WHERE id = $1 AND network = $2 AND state <> 'abandoned'`, int64(id), int64(who.Network)).Scan(&upload)
		if err != nil {
			return notFound(err, campaign.ErrNotFound)
		}
		all, err = list(tx, func(r scanner, l *campaign.Viewing) error {
			var at int64
			var code string
			err := r.Scan(&l.ID, &at, (*int64)(&l.By), &code)
			l.At, l.Shown = timeOf(at), campaign.ParseShown(code)
			return err
		}, peopleLooks, listTarget(id), uploadTarget(campaign.UploadID(upload)), int64(who.Network), beforeID(after), limit)
		if err != nil {
			return fmt.Errorf("read who has looked at list %d: %w", id, err)
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "list.who_looked", Target: listTarget(id), Outcome: "done"})
	})
	return all, err
}

// The plus keeps SQLite from the index of the network's whole audit.
const peopleLooks = `
	SELECT id, at, account, outcome
	FROM audit
	WHERE action = 'people.view' AND target IN ($1, $2) AND +network = $3 AND id < $4
	ORDER BY id DESC
	LIMIT $5`
