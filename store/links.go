package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ selfrefer.Links = (*DB)(nil)

// linkLife is how long a link works after its campaign has ended: as long as the rows that it leads to are kept.
const linkLife = 60 * 24 * time.Hour

// Invitation looks a token's hash up.
func (db *DB) Invitation(ctx context.Context, tokenHash []byte) (in selfrefer.Invitation, err error) {
	err = db.read(ctx, "invitation", func(tx *Tx) error {
		in = selfrefer.Invitation{}
		m, err := messageOf(tx, linkedBy, "", tokenHash)
		if errors.Is(err, campaign.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var network staff.NetworkID
		var finished, off int64
		var practice string
		err = tx.QueryRow(`
			SELECT c.network, c.team, c.finished_at, c.links_off_at, p.practice, p.language
			FROM message m
			JOIN campaign c ON c.id = m.campaign
			JOIN patient p ON p.id = m.patient
			WHERE m.id = $1`, m.id).Scan((*int64)(&network), (*int64)(&in.Team), &finished, &off, &practice, &in.Language)
		if err != nil {
			return err
		}
		if in.Network, err = db.network(tx, network); err != nil {
			return err
		}
		if in.Spent, err = linkSpent(tx, m.id); err != nil {
			return err
		}
		in.Found = true
		if in.Expired, err = expired(tx, int64(network), m.id, tx.now, finished, off); err != nil {
			return err
		}
		in.Practice = practiceOf(in.Network, practice)
		return nil
	})
	return in, err
}

// expired tells whether a text's link leads no further: its campaign is long over, a person has switched its links off, or we have been told
// that the number or the person is not who the text was for. Then it must not open that person's form for somebody else.
func expired(tx *Tx, network, message, now, finished, off int64) (bool, error) {
	if finished != 0 && now-finished > linkLife.Milliseconds() || off != 0 {
		return true, nil
	}
	var n int
	err := tx.QueryRow(`
		SELECT COUNT(*)
		FROM message m
		JOIN patient p ON p.id = m.patient
		JOIN suppression s ON s.network = $1 AND (s.kind = 'phone' AND s.ix = m.phone_ix OR s.kind = 'nhs' AND s.ix = p.nhs_ix)
		WHERE m.id = $2 AND s.why IN ($3, $4, $5)`, network, message, selfrefer.WhyNotMe, selfrefer.WhyMoved, selfrefer.WhyDied).Scan(&n)
	return n > 0, err
}

// Sending lists what each network sends now, as texts that stand for anybody's.
func (db *DB) Sending(ctx context.Context) (all []selfrefer.Sending, err error) {
	networks, err := db.Networks(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		s := selfrefer.Sending{Network: n}
		campaigns, err := db.Campaigns(ctx, n.ID, 20)
		if err != nil {
			return nil, err
		}
		for _, c := range campaigns {
			live := c.State == campaign.Running || c.State == campaign.Paused
			if ended := db.cfg.Now().Sub(c.FinishedAt); !live && (c.FinishedAt.IsZero() || c.LaunchedAt.IsZero() || ended > linkLife) {
				continue // texts of a campaign that has ended are checked for as long as their links work
			}
			s.Running = s.Running || live
			for _, step := range c.Steps {
				texts, err := step.Texts()
				if err != nil {
					return nil, err
				}
				practice := staff.Practice{Name: n.Name, Phone: n.Phone}
				if len(n.Practices) > 0 {
					practice = n.Practices[0]
				}
				for _, code := range texts.Languages() {
					body, _ := campaign.Compose(texts[code], campaign.Recipient{Name: person.NewName("Sam", "Sample"), Practice: practice, Network: n, Token: link.Token{}})
					if code == lang.English {
						s.Texts = append(s.Texts, body)
					} else {
						s.Translated = append(s.Translated, selfrefer.SendingText{Language: code, Words: body})
					}
				}
			}
			if err := db.addCorrections(ctx, &s, c); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// NetworkOfPhone finds whose texts a number last got: a reply belongs there. A number that nobody texted belongs to the first network.
func (db *DB) NetworkOfPhone(ctx context.Context, p person.Phone) (n staff.NetworkID, err error) {
	err = db.read(ctx, "network of a reply", func(tx *Tx) error {
		err := tx.QueryRow(`
			SELECT c.network
			FROM message m
			JOIN campaign c ON c.id = m.campaign
			WHERE m.phone_ix = $1
			ORDER BY m.id DESC
			LIMIT 1`, db.phoneIndex(p)).Scan((*int64)(&n))
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return notFound(tx.QueryRow(`SELECT id FROM network ORDER BY id LIMIT 1`).Scan((*int64)(&n)), staff.ErrNotFound)
	})
	return n, err
}

// linkedBy is the condition on a message's columns that a token leads to it: its own, or that of a correction of it, whose link opens the same
// form and whose way out is the same.
const linkedBy = `id = COALESCE((SELECT id FROM message WHERE token = $1), (SELECT corrects FROM service_text WHERE token = $1))`

// textOf finds what carries a token: a message, or a text of a correction.
func textOf(tx *Tx, tokenHash []byte) (id campaign.MessageID, state campaign.MessageState, attempt int, err error) {
	err = tx.QueryRow(`
		SELECT id, state, attempt FROM message WHERE token = $1
		UNION ALL
		SELECT id, state, attempt FROM service_text WHERE token = $1`, tokenHash).Scan((*int64)(&id), (*string)(&state), &attempt)
	return id, state, attempt, notFound(err, campaign.ErrNotFound)
}

// tokenSeen is linkSeen by the token that was used: one of a correction proves that the correction has left, and nothing of the message that it
// corrects but that its person has the phone in hand.
func (db *DB) tokenSeen(tx *Tx, tokenHash []byte, message int64, used bool) error {
	id, _, _, err := textOf(tx, tokenHash)
	if errors.Is(err, campaign.ErrNotFound) || err == nil && !ofService(id) {
		return db.linkSeen(tx, message, used)
	}
	if err != nil {
		return err
	}
	err = db.adoptService(tx, campaign.Evidence{Message: id, Event: campaign.Accept, Kind: "link_seen", At: time.UnixMilli(tx.now)})
	if err != nil || !used {
		return err
	}
	m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), message)
	if err != nil {
		return err
	}
	return db.onPhone(tx, &m)
}

// addCorrections adds what the corrections of a campaign say to what its network sends now.
func (db *DB) addCorrections(ctx context.Context, s *selfrefer.Sending, c campaign.Campaign) error {
	all, err := db.CampaignCorrections(ctx, c.Network, c.ID)
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.State == campaign.CorrectionWritten || k.ApprovedAt.IsZero() || db.cfg.Now().Sub(k.ApprovedAt) > linkLife {
			continue
		}
		texts, err := k.Texts()
		if err != nil {
			return err
		}
		practice := staff.Practice{Name: s.Network.Name, Phone: s.Network.Phone}
		if len(s.Network.Practices) > 0 {
			practice = s.Network.Practices[0]
		}
		for _, code := range texts.Languages() {
			body, _ := campaign.Compose(texts[code], campaign.Recipient{Practice: practice, Network: s.Network})
			if code == lang.English {
				s.Texts = append(s.Texts, body)
			} else {
				s.Translated = append(s.Translated, selfrefer.SendingText{Language: code, Words: body})
			}
		}
	}
	return nil
}
