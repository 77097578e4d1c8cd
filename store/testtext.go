package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// SendTest owes whoever works on a campaign its text on their own phone, as it is saved. It goes as every service text goes: once, kept back by
// an opt-out, and not at all if it is late. It counts as no text of the campaign, and its money is the campaign's.
func (db *DB) SendTest(ctx context.Context, who staff.Account, id campaign.ID, step int, code lang.Code, to person.Phone) error {
	var ring campaign.Ring
	err := db.write(ctx, "owe a test text", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, "")
		if err != nil {
			return err
		}
		if !c.LaunchedAt.IsZero() { // its text is what people have had by now
			return campaign.ErrNotNow
		}
		if stop, err := db.quarantined(tx); err != nil || stop {
			return errors.Join(err, campaign.ErrQuarantined)
		}
		// Two presses at once are counted one after the other.
		var n int
		if err := tx.QueryRow(`SELECT id FROM account WHERE id = $1`+db.engine.lockClause(), int64(who.ID)).Scan(new(int64)); err != nil {
			return err
		}
		err = tx.QueryRow(`SELECT COUNT(*) FROM service_text WHERE asked_by = $1 AND owed_at > $2`, int64(who.ID), tx.now-campaign.TestsWithin.Milliseconds()).Scan(&n)
		if err != nil {
			return err
		}
		if n >= campaign.MostTests {
			return campaign.ErrTooOften
		}
		network, err := db.network(tx, who.Network)
		if err != nil {
			return err
		}
		// A text that cannot be sent is not tried out either; that nobody has reviewed a translation keeps it from nobody's own phone.
		if err := c.Check(campaign.Setting{Network: network, Synthetic: true}); err != nil {
			return err
		}
		body, size, err := c.ComposeTest(step, code, network)
		if err != nil {
			return err
		}
		text := db.newID() | serviceBit
		frozen, err := db.sealFrozen(text, frozenDoc{to.Reveal(), body})
		if err != nil {
			return err
		}
		cost := int64(size.Segments) * c.Policy.Price
		expires := tx.now + campaign.Test.UsefulFor().Milliseconds()
		// It answers no referral: its own id stands in that column, and makes it as unique as the others.
		_, err = tx.Exec(`
			INSERT INTO service_text (id, kind, referral, network, campaign, state, attempt, rings, not_before, expires_at, released_at, deadline, code,
				segments, cost, phone_ix, nhs_ix, frozen, sent_at, owed_at, asked_by)
			VALUES ($1, $2, $1, $3, $4, $5, 0, 1, $6, $7, $8, 0, '', $9, $10, $11, $12, $13, 0, $6, $14)`,
			text, string(campaign.Test), int64(who.Network), int64(id), string(campaign.Released), tx.now, expires, tx.machine,
			size.Segments, cost, db.phoneIndex(to), []byte{}, frozen, int64(who.ID))
		if err != nil {
			return fmt.Errorf("owe a test text: %w", err)
		}
		if err := db.countService(tx, int64(id), campaign.Released, 1, cost); err != nil {
			return err
		}
		ring = campaign.Ring{Message: campaign.MessageID(text), Nth: 1}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.EditCampaign), Target: fmt.Sprintf("campaign %d test text", id), Outcome: "done"})
	})
	if err == nil {
		db.rung(ring)
	}
	return err
}
