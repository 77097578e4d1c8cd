package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var (
	_ campaign.DoubtStore = (*DB)(nil)
	_ campaign.SweepStore = (*DB)(nil)
)

// Overrun makes unknown what is still sending after its deadline: a killed process, or one that stood still.
func (db *DB) Overrun(ctx context.Context, now time.Time) (total int, err error) {
	var ids []int64
	err = db.read(ctx, "overrun sends", func(tx *Tx) error {
		rows, err := tx.Query(`
			SELECT id FROM message WHERE state = 'sending' AND deadline < $1
			UNION ALL
			SELECT id FROM service_text WHERE state = 'sending' AND deadline < $1
			LIMIT 500`, now.UnixMilli())
		if err != nil {
			return err
		}
		ids, err = scanIDs(rows)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	err = db.write(ctx, "overrun", func(tx *Tx) error {
		total = 0
		for _, id := range ids {
			moved, err := db.overrun(tx, id)
			if err != nil {
				return err
			}
			if moved {
				total++
			}
		}
		return nil
	})
	return total, err
}

func (db *DB) overrun(tx *Tx, id int64) (moved bool, err error) {
	var attempt int
	if ofService(campaign.MessageID(id)) {
		s, err := serviceOf(tx, campaign.MessageID(id), db.engine.lockClause())
		if err != nil || s.state != campaign.Sending {
			return false, err
		}
		// It stays unknown until evidence comes, but for a correction: nobody looks for what is not sent again.
		attempt = s.attempt
		moved, err = db.loseService(tx, &s, "deadline")
		if err != nil {
			return false, err
		}
	} else {
		m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), id)
		if err != nil || m.state != campaign.Sending {
			return false, err
		}
		attempt = m.attempt
		moved, err = db.apply(tx, &m, campaign.LoseSight, `code = 'deadline', look_at = $5, looks = 0, deadline = 0`, tx.machine+db.Settle.Milliseconds())
		if err != nil {
			return false, err
		}
	}
	_, err = tx.Exec(`UPDATE attempt SET outcome = $1, code = 'deadline' WHERE message = $2 AND n = $3 AND outcome = ''`, string(campaign.LoseSight), id, attempt)
	return moved, err
}

// Orphaned makes unknown what an earlier process was sending. Where one process serves a database, whatever is sending at its start has lost
// its sender; elsewhere only the deadline can tell, and this does nothing.
func (db *DB) Orphaned(ctx context.Context) error {
	if db.engine != engineSQLite || !db.cfg.Serve {
		return nil
	}
	for {
		now := db.cfg.Machine()
		n, err := db.Overrun(ctx, now.Add(campaign.SendDeadline+time.Second))
		if err != nil || n == 0 {
			return err
		}
	}
}

// Doubts lists unknown messages whose next look is due, with the number and the token to look for.
func (db *DB) Doubts(ctx context.Context, now time.Time, limit int) (all []campaign.Doubtful, err error) {
	err = db.read(ctx, "doubts", func(tx *Tx) error {
		all = nil
		for _, q := range []string{doubtedMessages, doubtedCorrections} {
			some, err := list(tx, func(r scanner, d *campaign.Doubtful) error {
				var patient, blind int64
				var frozen, sealed []byte
				err := r.Scan((*int64)(&d.Message), &d.Attempt, &d.Empty, &blind, &frozen, &patient, &sealed, &d.Over, &d.Ambiguous)
				if err == nil {
					d.To, d.Token, err = db.lookFor(int64(d.Message), frozen, patient, sealed)
				}
				d.BlindSince = timeOf(blind)
				return err
			}, q, now.UnixMilli(), limit-len(all))
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		return nil
	})
	return all, err
}

const (
	doubtedMessages = `
		SELECT m.id, m.attempt, m.looks, m.blind_since, m.frozen, m.patient, p.person, c.state NOT IN ('running', 'paused'),
		       (SELECT COUNT(*) FROM attempt a WHERE a.message = m.id AND a.outcome NOT IN ('postpone', 'reject'))
		FROM message m
		JOIN patient p ON p.id = m.patient
		JOIN campaign c ON c.id = m.campaign
		WHERE m.state = 'unknown' AND m.look_at <= $1
		ORDER BY m.look_at
		LIMIT $2`
	doubtedCorrections = `
		SELECT s.id, s.attempt, s.looks, s.blind_since, s.frozen, m.patient, p.person, k.state <> 'sending',
		       (SELECT COUNT(*) FROM attempt a WHERE a.message = s.id AND a.outcome NOT IN ('postpone', 'reject'))
		FROM service_text s
		JOIN correction_text k ON k.id = s.correction
		JOIN message m ON m.id = s.corrects
		JOIN patient p ON p.id = m.patient
		WHERE s.state = 'unknown' AND s.correction > 0 AND s.look_at <= $1
		ORDER BY s.look_at
		LIMIT $2`
)

// tableOf is where a text has its row.
func tableOf(id campaign.MessageID) string {
	if ofService(id) {
		return `service_text`
	}
	return `message`
}

// lookFor gives the number and the token by which the provider's record knows a message: those of the attempt, frozen with it. A restored
// database may have forgotten the attempt; its list still has the number.
func (db *DB) lookFor(message int64, frozen []byte, patient int64, sealed []byte) (to person.Phone, token link.Token, err error) {
	number := ""
	if len(frozen) > 0 {
		f, err := db.openFrozen(message, frozen)
		if err != nil {
			return to, token, err
		}
		number = f.To
	} else {
		p, err := db.openPerson("patient", patient, sealed)
		if err != nil {
			return to, token, err
		}
		number = p.Phone
	}
	if to, err = person.ParseE164(number); err != nil {
		return to, token, fmt.Errorf("read the number of message %d: %w", message, err)
	}
	return to, link.Mint(db.sealer.linkKey(), message), nil
}

// Looked notes a look that settled nothing. The wait for the next one begins now, when the look is over.
func (db *DB) Looked(ctx context.Context, d campaign.Doubtful, l campaign.Look, again time.Duration) error {
	return db.write(ctx, "looked", func(tx *Tx) error {
		blind, empty := int64(0), 0
		switch l {
		case campaign.LookEmpty:
			empty = 1
		case campaign.LookFailed:
			if blind = msOf(d.BlindSince); blind == 0 {
				blind = tx.machine
			}
		}
		_, err := tx.Exec(`
			UPDATE `+tableOf(d.Message)+`
			SET looks = looks + $1, look_at = $2, blind_since = $3
			WHERE id = $4 AND state = 'unknown' AND attempt = $5`, empty, tx.machine+again.Milliseconds(), blind, int64(d.Message), d.Attempt)
		return err
	})
}

// Touchstone gives the newest delivered text that was tried so long ago that the provider must list it.
func (db *DB) Touchstone(ctx context.Context) (t campaign.Touchstone, ok bool, err error) {
	err = db.read(ctx, "touchstone", func(tx *Tx) error {
		var id, patient int64
		var frozen, sealed []byte
		err := tx.QueryRow(`
			SELECT m.id, m.sid, m.frozen, m.patient, p.person
			FROM (SELECT message, started_at FROM attempt WHERE started_at <= $1 ORDER BY started_at DESC LIMIT 2000) a
			JOIN message m ON m.id = a.message
			JOIN patient p ON p.id = m.patient
			WHERE m.state = 'delivered' AND m.sid IS NOT NULL
			ORDER BY a.started_at DESC
			LIMIT 1`, tx.machine-db.Settle.Milliseconds()).Scan(&id, &t.SID, &frozen, &patient, &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		t.To, t.Token, err = db.lookFor(id, frozen, patient, sealed)
		return err
	})
	return t, ok, err
}

// awaitedQuery reads the index of what waits, from its beginning. Where the attempt is forgotten (a restored backup), the civil time at which
// the text was adopted must do.
const awaitedQuery = `
	SELECT m.id, COALESCE(m.sid, ''), COALESCE(a.started_at, m.sent_at), m.frozen, m.patient, p.person
	FROM message m
	JOIN patient p ON p.id = m.patient
	LEFT JOIN attempt a ON a.message = m.id AND a.n = m.attempt
	WHERE m.state IN ('accepted', 'sent') AND m.sweep_at <= $1
	ORDER BY m.sweep_at
	LIMIT $2`

// Awaited lists texts that the provider should be asked about by now.
func (db *DB) Awaited(ctx context.Context, now time.Time, limit int) (all []campaign.Awaited, err error) {
	err = db.read(ctx, "awaited texts", func(tx *Tx) error {
		all = nil
		rows, err := tx.Query(awaitedQuery, now.UnixMilli(), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a campaign.Awaited
			var since, patient int64
			var frozen, sealed []byte
			if err := rows.Scan((*int64)(&a.Message), &a.SID, &since, &frozen, &patient, &sealed); err != nil {
				return err
			}
			a.Since = timeOf(since)
			if a.SID == "" {
				if a.To, a.Token, err = db.lookFor(int64(a.Message), frozen, patient, sealed); err != nil {
					return err
				}
			}
			all = append(all, a)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		services, err := awaitedServices(tx, now, limit-len(all))
		all = append(all, services...)
		return err
	})
	return all, err
}

// Swept notes when to ask about a text next.
func (db *DB) Swept(ctx context.Context, id campaign.MessageID, next time.Time) error {
	at := new(next.UnixMilli())
	if next.IsZero() {
		at = nil
	}
	return db.write(ctx, "swept", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE `+tableOf(id)+` SET sweep_at = $1 WHERE id = $2 AND state IN ('accepted', 'sent')`, at, int64(id))
		return err
	})
}

// Clear plans an unknown message again, or holds it: one compare-and-swap on attempt, state, no evidence and the leader's epoch.
func (db *DB) Clear(ctx context.Context, epoch int64, d campaign.Doubtful, on campaign.Event, why string) error {
	return db.write(ctx, "clear", func(tx *Tx) error {
		if err := tx.leads(epoch, db.engine.lockClause()); err != nil {
			return err
		}
		if stop, err := db.quarantined(tx); err != nil || stop {
			return errors.Join(err, campaign.ErrQuarantined)
		}
		proven := func() (bool, error) { // once the row is locked
			var n int
			err := tx.QueryRow(`SELECT COUNT(*) FROM evidence WHERE message = $1`, int64(d.Message)).Scan(&n)
			return n > 0, err
		}
		if ofService(d.Message) {
			s, err := serviceOf(tx, d.Message, db.engine.lockClause())
			if err != nil {
				return err
			}
			proof, err := proven()
			if err != nil || s.state != campaign.Unknown || s.attempt != d.Attempt || proof {
				return err
			}
			_, err = db.moveService(tx, &s, on, `look_at = 0, blind_since = 0, code = $5`, why)
			return err
		}
		m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), int64(d.Message))
		if err != nil {
			return err
		}
		proof, err := proven()
		if err != nil {
			return err
		}
		if m.state != campaign.Unknown || m.attempt != d.Attempt || proof {
			return nil // evidence came in the meantime
		}
		if on == campaign.Clear {
			if _, err := tx.Exec(`DELETE FROM contact WHERE phone_ix = $1 AND message = $2`, m.phoneIx, m.id); err != nil {
				return err
			}
		}
		_, err = db.apply(tx, &m, on, `look_at = 0, blind_since = 0, code = $5`, why)
		return err
	})
}

// HeldMessages lists them for a campaign.
func (db *DB) HeldMessages(ctx context.Context, n staff.NetworkID, id campaign.ID, limit int) (all []campaign.HeldMessage, err error) {
	err = db.read(ctx, "held messages", func(tx *Tx) error {
		if _, err := campaignOf(tx, n, id, ""); err != nil {
			return err
		}
		rows, err := tx.Query(`
			SELECT m.id, m.attempt, m.code, COALESCE(a.code, 'restored'), m.patient, p.person, COALESCE(a.started_at, 0)
			FROM message m
			JOIN patient p ON p.id = m.patient
			LEFT JOIN attempt a ON a.message = m.id AND a.n = m.attempt
			WHERE m.campaign = $1 AND m.state = 'held'
			UNION ALL
			SELECT s.id, s.attempt, s.code, COALESCE(a.code, 'restored'), m.patient, p.person, COALESCE(a.started_at, 0)
			FROM correction_text k
			JOIN service_text s ON s.correction = k.id AND s.correction > 0 AND s.state = 'held'
			JOIN message m ON m.id = s.corrects
			JOIN patient p ON p.id = m.patient
			LEFT JOIN attempt a ON a.message = s.id AND a.n = s.attempt
			WHERE k.campaign = $1
			ORDER BY 1
			LIMIT $2`, int64(id), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var h campaign.HeldMessage
			var patient, started int64
			var sealed []byte
			if err := rows.Scan((*int64)(&h.ID), &h.Attempt, &h.Why, &h.Code, &patient, &sealed, &started); err != nil {
				return err
			}
			d, err := db.openPerson("patient", patient, sealed)
			if err != nil {
				return err
			}
			h.Phone, h.At, h.Correction = d.phone(), timeOf(started), ofService(h.ID)
			all = append(all, h)
		}
		return rows.Err()
	})
	return all, err
}

// SettleHeld is a person's word on a held message: it was sent, or send it again.
func (db *DB) SettleHeld(ctx context.Context, who staff.Account, id campaign.MessageID, attempt int, on campaign.Event) error {
	return db.write(ctx, "settle", func(tx *Tx) error {
		if ofService(id) {
			return db.settleCorrection(tx, who, id, attempt, on)
		}
		m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), int64(id))
		if err != nil {
			return err
		}
		c, err := campaignOf(tx, who.Network, campaign.ID(m.campaign), "")
		if err != nil {
			return err
		}
		if m.state != campaign.Held || m.attempt != attempt {
			return campaign.ErrConflict
		}
		if on == campaign.SettleAgain {
			if _, err := tx.Exec(`DELETE FROM contact WHERE phone_ix = $1 AND message = $2`, m.phoneIx, m.id); err != nil {
				return err
			}
		}
		if _, err := db.apply(tx, &m, on, `code = 'settled_by_a_person'`); err != nil {
			return err
		}
		if m.state == campaign.Planned && (c.State == campaign.Stopped || c.State == campaign.Finished) { // there is no turn to wait for
			if _, err := db.apply(tx, &m, campaign.Expire, `code = 'campaign_over'`); err != nil {
				return err
			}
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.SettleMessage), Target: fmt.Sprintf("message %d", id), Outcome: string(on)})
	})
}

// settleCorrection is the same for a text of a correction. Of one that is over nothing is sent again.
func (db *DB) settleCorrection(tx *Tx, who staff.Account, id campaign.MessageID, attempt int, on campaign.Event) error {
	s, err := serviceOf(tx, id, db.engine.lockClause())
	if err != nil {
		return err
	}
	if _, err := campaignOf(tx, who.Network, campaign.ID(s.campaign), ""); err != nil {
		return err
	}
	if s.state != campaign.Held || s.attempt != attempt {
		return campaign.ErrConflict
	}
	if _, err := db.moveService(tx, &s, on, `code = 'settled_by_a_person'`); err != nil {
		return err
	}
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.SettleMessage), Target: fmt.Sprintf("message %d", id), Outcome: string(on)})
}
