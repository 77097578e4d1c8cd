package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// SaveCampaign writes a draft anew: its name, list, team, steps, policy, grounds and parts. hash is what whoever saves has seen of it; if somebody else has
// changed it since, nothing is written. What practices agreed to was another text or list: they are asked again.
func (db *DB) SaveCampaign(ctx context.Context, who staff.Account, c campaign.Campaign, hash string) (campaign.Campaign, error) {
	steps, err := json.Marshal(c.Steps)
	if err != nil {
		return c, fmt.Errorf("write the steps: %w", err)
	}
	policy, err := json.Marshal(c.Policy)
	if err != nil {
		return c, fmt.Errorf("write the policy: %w", err)
	}
	grounds, err := json.Marshal(c.Grounds)
	if err != nil {
		return c, fmt.Errorf("write the grounds: %w", err)
	}
	var saved campaign.Campaign
	err = db.write(ctx, "save campaign", func(tx *Tx) error {
		var err error
		if saved, err = campaignOf(tx, who.Network, c.ID, db.engine.lockClause()); err != nil {
			return err
		}
		if saved.State != campaign.Draft {
			return campaign.ErrNotNow
		}
		before, terms := saved.Hash(), saved.Terms()
		if hash != "" && hash != before {
			return campaign.ErrConflict
		}
		saved.Name, saved.Audience, saved.Team, saved.Steps, saved.Policy, saved.Parts, saved.Grounds = c.Name, c.Audience, c.Team, c.Steps, c.Policy, c.Parts, c.Grounds
		if err := errors.Join(checkOwn(tx, saved), saved.Grounds.Check()); err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE campaign SET name = $1, audience = $2, team = $3, steps = $4, policy = $5, parts = $6, grounds = $7 WHERE id = $8`,
			saved.Name, int64(saved.Audience), int64(saved.Team), string(steps), string(policy), int64(saved.Parts), string(grounds), int64(saved.ID))
		if err != nil {
			return err
		}
		if saved.Terms() != terms {
			// Practices are asked anew; but an agreement that says to what stays, and counts again if the old terms come back.
			if _, err := tx.Exec(`DELETE FROM practice_approval WHERE campaign = $1 AND (word <> 'agreed' OR terms = '')`, int64(saved.ID)); err != nil {
				return err
			}
		}
		return db.auditCampaign(tx, who, staff.EditCampaign, saved.ID)
	})
	return saved, err
}

// invitedIn counts who gets the texts of a list.
func invitedIn(tx *Tx, list campaign.AudienceID) (n int, err error) {
	err = tx.QueryRow(`SELECT COUNT(*) FROM patient WHERE audience = $1 AND invited`, int64(list)).Scan(&n)
	return n, err
}

// mayApprove counts the people anew: what was typed is held against the list itself.
func (db *DB) mayApprove(tx *Tx, who staff.Account, c campaign.Campaign, a campaign.Approval) error {
	people, err := invitedIn(tx, c.Audience)
	if err != nil {
		return err
	}
	n, err := db.network(tx, c.Network)
	if err != nil {
		return err
	}
	return c.MayApprove(who.ID, a, people, n)
}

// forLook cuts a decision down to the first texts for as long as somebody has to look at them, and pauses the campaign once they have gone.
// It counts in the transaction that releases, under the lock of who leads: nobody else releases meanwhile.
func (db *DB) forLook(tx *Tx, id campaign.ID, d throttle.Decision) (throttle.Decision, error) {
	var look campaign.FirstLook
	var state campaign.State
	var network staff.NetworkID
	err := tx.QueryRow(`SELECT first_look, state, network FROM campaign WHERE id = $1`+db.engine.lockClause(), int64(id)).Scan((*string)(&look), (*string)(&state), (*int64)(&network))
	if err != nil {
		return d, fmt.Errorf("see whether the first texts of campaign %d are looked at: %w", id, err)
	}
	if look == campaign.LookWaits { // the snapshot was read before the pause
		return campaign.CutForLook(d, 0), nil
	}
	if look != campaign.LookDue || state != campaign.Running {
		return d, nil
	}
	sums, err := campaignSums(tx, id)
	if err != nil {
		return d, err
	}
	tx.uncounted(int64(id), sums)
	counts := campaign.Counts{}
	for _, s := range campaign.MessageStates {
		counts[s] = sums[stateTally(s)]
	}
	left, settled := campaign.FirstLeft(counts)
	if !settled {
		return campaign.CutForLook(d, left), nil
	}
	to, _ := campaign.NextState(campaign.Running, campaign.Pause)
	_, err = tx.Exec(`UPDATE campaign SET state = $1, held = $2, first_look = $3 WHERE id = $4`, string(to), campaign.FirstLookWords(), string(campaign.LookWaits), int64(id))
	if err != nil {
		return d, err
	}
	d.N, d.Limit, d.Sentence = 0, campaign.LimitFirstBatch, campaign.FirstLookWords()
	return d, db.audit(tx, staff.Entry{Network: network, Action: string(staff.RunCampaign), Target: fmt.Sprintf("campaign %d first-look", id), Outcome: "done"})
}

// firstSent finds the first text of a campaign that has left, where hardly any has too.
const firstSent = `
	SELECT m.id, m.frozen, m.patient, p.person, p.row
	FROM message m
	JOIN patient p ON p.id = m.patient
	WHERE m.campaign = $1 AND m.state IN ('accepted', 'sent', 'delivered', 'undelivered', 'failed') AND m.frozen IS NOT NULL AND NOT m.shared
	ORDER BY m.sent_at, m.id
	LIMIT 1`

// SentSample is a text of a campaign exactly as it left, for somebody to look at: of the name the first letter is left, of the links
// nothing that could be followed. It is "" as long as none has left. The view is audited.
func (db *DB) SentSample(ctx context.Context, who staff.Account, id campaign.ID) (body string, err error) {
	var list campaign.AudienceID
	seen := campaign.Shown{Masked: true}
	err = db.read(ctx, "a text as it was sent", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, "")
		if err != nil {
			return err
		}
		list = c.Audience
		var message, patient int64
		var frozen, sealed []byte
		err = tx.QueryRow(firstSent, int64(id)).Scan(&message, &frozen, &patient, &sealed, &seen.Row)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		f, err := db.openFrozen(message, frozen)
		if err != nil {
			return err
		}
		d, err := db.openPerson("patient", patient, sealed)
		if err != nil {
			return err
		}
		body = campaign.MaskSent(f.Body, d.name(), link.Mint(db.sealer.linkKey(), message))
		return nil
	})
	if err == nil && body != "" {
		err = db.shown(ctx, who, listTarget(list), seen)
	}
	if err != nil {
		return "", err
	}
	return body, nil
}
