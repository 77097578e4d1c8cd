package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// This file keeps corrections: who gets one, and how it leaves.

const correctionColumns = `k.id, k.campaign, k.state, k.words, k.held, k.planning, k.written_by, k.written_at, k.approved_by, k.approved_at, k.ended_at`

func scanCorrection(r scanner, c *campaign.Correction) error {
	var words string
	var planning, written, approved, ended int64
	err := r.Scan((*int64)(&c.ID), (*int64)(&c.Campaign), (*string)(&c.State), &words, &c.Held, &planning, (*int64)(&c.WrittenBy), &written,
		(*int64)(&c.ApprovedBy), &approved, &ended)
	if err != nil {
		return err
	}
	c.Planning = planning >= 0 && c.State == campaign.CorrectionSending
	c.WrittenAt, c.ApprovedAt, c.EndedAt = timeOf(written), timeOf(approved), timeOf(ended)
	return json.Unmarshal([]byte(words), &c.Wording)
}

// correctionOf reads a correction of a campaign that the caller has found in the reader's network.
func correctionOf(tx *Tx, of campaign.ID, id campaign.CorrectionID, lock string) (c campaign.Correction, err error) {
	err = scanCorrection(tx.QueryRow(`SELECT `+correctionColumns+` FROM correction_text k WHERE k.id = $1 AND k.campaign = $2`+lock, int64(id), int64(of)), &c)
	return c, notFound(err, campaign.ErrNotFound)
}

// countCorrection adds what a correction's texts stand at, and their money.
func countCorrection(tx *Tx, c *campaign.Correction) error {
	sums, err := campaignSums(tx, campaign.ID(c.ID))
	if err != nil {
		return err
	}
	c.Counts, c.Cost = campaign.Counts{}, int64(sums[tallyCorrectionCost])
	for kind, n := range sums {
		if s, ok := strings.CutPrefix(kind, "service:"); ok && n != 0 {
			c.Counts[campaign.MessageState(s)] = n
		}
	}
	return nil
}

// CampaignCorrections lists those of a campaign, newest first.
func (db *DB) CampaignCorrections(ctx context.Context, n staff.NetworkID, id campaign.ID) (all []campaign.Correction, err error) {
	err = db.read(ctx, "corrections", func(tx *Tx) error {
		if _, err := campaignOf(tx, n, id, ""); err != nil {
			return err
		}
		all, err = list(tx, scanCorrection, `SELECT `+correctionColumns+` FROM correction_text k WHERE k.campaign = $1 ORDER BY k.id DESC LIMIT 100`, int64(id))
		for i := range all {
			if err == nil {
				err = countCorrection(tx, &all[i])
			}
		}
		return err
	})
	return all, err
}

// setting is what the texts of a campaign are checked against now.
func (db *DB) setting(tx *Tx, c campaign.Campaign) (in campaign.Setting, err error) {
	if in.Network, err = db.network(tx, c.Network); err != nil {
		return in, err
	}
	err = tx.QueryRow(`SELECT synthetic FROM audience WHERE id = $1`, int64(c.Audience)).Scan(&in.Synthetic)
	return in, err
}

// WriteCorrection keeps a correction for somebody to approve. Whoever is texted from now on is not among those whom it is for.
func (db *DB) WriteCorrection(ctx context.Context, who staff.Account, id campaign.ID, w campaign.Wording) (k campaign.Correction, err error) {
	err = db.write(ctx, "write a correction", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, db.engine.lockClause())
		if err != nil {
			return err
		}
		if !c.CanCorrect() {
			return campaign.ErrNotNow
		}
		in, err := db.setting(tx, c)
		if err != nil {
			return err
		}
		if bad := w.Unsendable(in); len(bad) > 0 {
			return bad[0]
		}
		if now := timeOf(tx.now); w.Whom.To.IsZero() || w.Whom.To.After(now) {
			w.Whom.To = now
		}
		// As it will be read: the hash is of these instants.
		w.Whom.From, w.Whom.To = timeOf(msOf(w.Whom.From)), timeOf(msOf(w.Whom.To))
		words, err := json.Marshal(w)
		if err != nil {
			return err
		}
		kid := db.newID()
		n, err := tx.Exec(`
			INSERT INTO correction_text (id, campaign, state, words, held, planning, written_by, written_at, approved_by, approved_at, ended_at)
			VALUES ($1, $2, $3, $4, '', 0, $5, $6, 0, 0, 0)
			ON CONFLICT (campaign) WHERE state IN ('written', 'sending') DO NOTHING`,
			kid, int64(id), string(campaign.CorrectionWritten), string(words), int64(who.ID), tx.now)
		if err != nil {
			return fmt.Errorf("write a correction: %w", err)
		}
		if n == 0 {
			return campaign.ErrCorrecting
		}
		if k, err = correctionOf(tx, id, campaign.CorrectionID(kid), ""); err != nil {
			return err
		}
		return db.auditCorrection(tx, who, staff.EditCampaign, k, "write")
	})
	return k, err
}

func (db *DB) auditCorrection(tx *Tx, who staff.Account, action staff.Action, k campaign.Correction, what string) error {
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(action), Target: fmt.Sprintf("campaign %d correction %d %s", k.Campaign, k.ID, what), Outcome: "done"})
}

// MarkReach marks a number of people as one that somebody is shown of a correction. The mark comes back with their approval: it is for them,
// for these words and for this number alone, and nobody without the key can make one.
func (db *DB) MarkReach(who staff.Account, k campaign.Correction, people int) string {
	return hex.EncodeToString(db.sealer.index("correction shown", fmt.Sprintf("%d %d %s %d", who.ID, k.ID, k.Hash(), people)))
}

// ApproveCorrection approves what the second person has seen, and lets it leave. The people are counted anew before: what was typed is held
// against the list itself, and against what they were shown.
func (db *DB) ApproveCorrection(ctx context.Context, who staff.Account, of campaign.ID, id campaign.CorrectionID, a campaign.CorrectionApproval) (k campaign.Correction, err error) {
	var seen campaign.Correction
	err = db.read(ctx, "a correction", func(tx *Tx) error {
		if _, err := campaignOf(tx, who.Network, of, ""); err != nil {
			return err
		}
		seen, err = correctionOf(tx, of, id, "")
		return err
	})
	if err != nil {
		return k, err
	}
	reach, err := db.CorrectionReach(ctx, who.Network, of, seen.Wording)
	if err != nil {
		return k, err
	}
	err = db.write(ctx, "approve a correction", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, of, "")
		if err != nil {
			return err
		}
		if k, err = correctionOf(tx, of, id, db.engine.lockClause()); err != nil {
			return err
		}
		in, err := db.setting(tx, c)
		if err != nil {
			return err
		}
		if bad := k.Unsendable(in); len(bad) > 0 { // the sender may have become a name since
			return bad[0]
		}
		shown := sameMark(a.Shown, db.MarkReach(who, k, a.People))
		if err := k.MayApprove(who.ID, a, shown, reach, in.Network); err != nil {
			return err
		}
		k.State, k.ApprovedBy, k.ApprovedAt, k.Planning = campaign.CorrectionSending, who.ID, timeOf(tx.now), true
		_, err = tx.Exec(`UPDATE correction_text SET state = $1, approved_by = $2, approved_at = $3 WHERE id = $4`, string(k.State), int64(who.ID), tx.now, int64(id))
		if err != nil {
			return err
		}
		return db.auditCorrection(tx, who, staff.ApproveCampaign, k, "approve")
	})
	return k, err
}

// StopCorrection stops a correction for good, or drops one that nobody has approved. Once it returns, no claim of its texts succeeds any more.
func (db *DB) StopCorrection(ctx context.Context, who staff.Account, of campaign.ID, id campaign.CorrectionID) error {
	return db.moveCorrection(ctx, who, of, id, "stop", func(tx *Tx, k campaign.Correction) error {
		if k.State != campaign.CorrectionSending && k.State != campaign.CorrectionWritten {
			return campaign.ErrNotNow
		}
		_, err := tx.Exec(`UPDATE correction_text SET state = $1, ended_at = $2 WHERE id = $3`, string(campaign.CorrectionStopped), tx.now, int64(id))
		return err
	})
}

// ResumeCorrection goes on with a correction that was held, because the provider had refused the account.
func (db *DB) ResumeCorrection(ctx context.Context, who staff.Account, of campaign.ID, id campaign.CorrectionID) error {
	return db.moveCorrection(ctx, who, of, id, "resume", func(tx *Tx, k campaign.Correction) error {
		if k.State != campaign.CorrectionSending || k.Held == "" {
			return campaign.ErrNotNow
		}
		_, err := tx.Exec(`UPDATE correction_text SET held = '' WHERE id = $1`, int64(id))
		return err
	})
}

func (db *DB) moveCorrection(ctx context.Context, who staff.Account, of campaign.ID, id campaign.CorrectionID, what string, move func(*Tx, campaign.Correction) error) error {
	return db.write(ctx, "move a correction", func(tx *Tx) error {
		if _, err := campaignOf(tx, who.Network, of, ""); err != nil {
			return err
		}
		k, err := correctionOf(tx, of, id, db.engine.lockClause())
		if err != nil {
			return err
		}
		if err := move(tx, k); err != nil {
			return err
		}
		return db.auditCorrection(tx, who, staff.RunCampaign, k, what)
	})
}

// holdCorrection keeps a correction back because the provider refuses the account; a person lets it go on.
func (db *DB) holdCorrection(tx *Tx, s service, why string) error {
	n, err := tx.Exec(`UPDATE correction_text SET held = $1 WHERE id = $2 AND state = $3 AND held = ''`, why, s.correction, string(campaign.CorrectionSending))
	if err != nil || n == 0 {
		return err
	}
	_, err = tx.Exec(`INSERT INTO alarm (id, at, code, campaign, message) VALUES ($1, $2, 'account_refused', $3, 0)`, db.newID(), tx.now, s.campaign)
	return err
}

// correctChunk keeps each step well below 50 ms of the writer.
const correctChunk = 500

// textedPerson is somebody whom a campaign has texted, as far as a correction has to know them.
type textedPerson struct {
	campaign.Texted
	message            int64
	practice, language string
	phoneIx, nhsIx     []byte
	segments           int
	among              bool
	why                string
}

// correcting knows what a correction's texts come to: by practice and language alone, for they name nobody.
type correcting struct {
	campaign campaign.Campaign
	of       campaign.Wording
	except   int64 // the correction itself: what it has planned is no earlier one
	network  staff.Network
	texts    campaign.Texts
	firsts   map[int]campaign.Texts
	sizes    map[string]int
}

func (db *DB) newCorrecting(tx *Tx, n staff.NetworkID, id campaign.ID, w campaign.Wording, except int64) (p *correcting, err error) {
	p = &correcting{of: w, except: except, firsts: map[int]campaign.Texts{}, sizes: map[string]int{}}
	if p.campaign, err = campaignOf(tx, n, id, ""); err != nil {
		return nil, err
	}
	if p.network, err = db.sender(tx, n); err != nil {
		return nil, err
	}
	if p.texts, err = w.Texts(); err != nil {
		return nil, err
	}
	for _, s := range p.campaign.Steps {
		if p.firsts[s.Number], err = s.Texts(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// compose is the text for somebody of a practice who had theirs in a language, with a token.
func (p *correcting) compose(practice string, first lang.Code, t link.Token) (body string, segments int) {
	_, template := p.texts.InFirst(first)
	body, size := campaign.Compose(template, campaign.Recipient{Practice: practiceOf(p.network, practice), Network: p.network, Token: t})
	return body, size.Segments
}

// some reads the next people whom the campaign has texted, and judges each. The contact ledger tells who may have had a text, and since when.
func (p *correcting) some(db *DB, tx *Tx, after int64) ([]textedPerson, error) {
	rows, err := list(tx, func(r scanner, t *textedPerson) error {
		var at, refused, corrected int64
		err := r.Scan(&t.message, (*string)(&t.State), &t.Step, &at, &t.practice, &t.language, &t.phoneIx, &t.nhsIx, &t.Suppressed, &t.TakenOut, &refused, &corrected)
		t.At, t.Refused, t.Corrected = timeOf(at), refused > 0, corrected > 0
		return err
	}, `
		SELECT m.id, m.state, m.step, t.at, p.practice, p.language, m.phone_ix, p.nhs_ix,
		       `+outOfReach+`,
		       (SELECT COUNT(*) FROM service_text e WHERE e.correction > 0 AND e.phone_ix = m.phone_ix AND e.campaign = m.campaign AND e.correction <> $4
		              AND e.state IN ('sending', 'unknown', 'held', 'accepted', 'sent', 'delivered'))
		FROM message m
		JOIN patient p ON p.id = m.patient
		JOIN contact t ON t.phone_ix = m.phone_ix AND t.message = m.id
		WHERE +m.campaign = $1 AND m.id > $2 -- the plus keeps the engines from sorting the whole campaign for each chunk
		ORDER BY m.id
		LIMIT $3`, int64(p.campaign.ID), after, correctChunk, p.except)
	if err != nil {
		return nil, fmt.Errorf("find whom campaign %d has texted: %w", p.campaign.ID, err)
	}
	for i := range rows {
		t := &rows[i]
		t.Language, _ = p.firsts[t.Step].For(t.language)
		key := t.practice + " " + string(t.Language)
		if p.sizes[key] == 0 {
			_, p.sizes[key] = p.compose(t.practice, t.Language, link.Mint(db.sealer.linkKey(), serviceBit))
		}
		t.segments, t.among, t.why = p.sizes[key], p.of.Whom.Among(t.Texted), p.of.Whom.NoCorrection(t.Texted)
	}
	return rows, nil
}

// outOfReach are the columns by which a claim and a plan know why somebody gets no correction: of any network what puts a number or a person out
// of reach, as for every service text; that a fresh list has taken them out; and that their practice has said no.
const outOfReach = `COALESCE((SELECT MIN(why) FROM suppression WHERE ix = m.phone_ix OR ix = p.nhs_ix), ''),
		       COALESCE((SELECT why FROM taken_out o WHERE o.campaign = m.campaign AND o.patient = m.patient), ''),
		       (SELECT COUNT(*) FROM practice_approval a WHERE a.campaign = m.campaign AND a.ods = p.practice AND a.word IN ('refused', 'withdrawn'))`

// CorrectionReach counts who would get a correction now, each number once, and what it costs. It reads in chunks, each for itself: nobody is
// held up by a long list.
func (db *DB) CorrectionReach(ctx context.Context, n staff.NetworkID, id campaign.ID, w campaign.Wording) (r campaign.Reach, err error) {
	r.In, r.Out = map[lang.Code]int{}, map[string]int{}
	var p *correcting
	numbers := map[string]bool{}
	out := map[string]string{}
	for after, more := int64(0), true; more; {
		err := db.read(ctx, "whom a correction reaches", func(tx *Tx) (err error) {
			if p == nil {
				if w.Whom.To.IsZero() {
					w.Whom.To = timeOf(tx.now)
				}
				if p, err = db.newCorrecting(tx, n, id, w, 0); err != nil {
					return err
				}
				sums, err := campaignSums(tx, id)
				if err != nil {
					return err
				}
				r.Budget, r.Spent = p.campaign.Policy.Budget, int64(sums[tallyCost]+sums[tallyServiceCost]+sums[tallyCorrectionCost])
			}
			some, err := p.some(db, tx, after)
			if err != nil {
				return err
			}
			for _, t := range some {
				after = t.message
				switch ix := string(t.phoneIx); {
				case !t.among || numbers[ix]:
				case t.why != "":
					out[ix] = t.why
				default:
					numbers[ix] = true
					delete(out, ix)
					r.People++
					r.In[t.Language]++
					r.Add(1, t.segments)
				}
			}
			more = len(some) == correctChunk
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	for ix, why := range out {
		if !numbers[ix] {
			r.Out[why]++
		}
	}
	r.Cost = int64(r.Segments) * p.campaign.Policy.Price
	return r, nil
}

// Correct goes on with all corrections that are under way: it plans their texts, releases as many as the sender's rate has room for, and ends
// those that are over. It gives the rings. Anybody may call it at any time, and as many at once as like.
func (db *DB) Correct(ctx context.Context) (rings []campaign.Ring, err error) {
	type work struct {
		campaign.Correction
		network  staff.NetworkID
		planning int64
		policy   campaign.Policy
	}
	var all []work
	err = db.read(ctx, "corrections under way", func(tx *Tx) (err error) {
		// Of one that is over something may be left: what a restored database had in doubt, and what is told apart only now.
		all, err = list(tx, func(r scanner, w *work) error {
			var policy string
			err := scanCorrection(extraScan{r, []any{(*int64)(&w.network), &w.planning, &policy}}, &w.Correction)
			return errors.Join(err, json.Unmarshal([]byte(policy), &w.policy))
		}, `
			SELECT `+correctionColumns+`, c.network, k.planning, c.policy
			FROM correction_text k
			JOIN campaign c ON c.id = k.campaign
			WHERE k.state = 'sending'
			   OR k.state <> 'written' AND EXISTS (SELECT 1 FROM service_text s WHERE s.correction = k.id AND s.correction > 0 AND s.state IN ('planned', 'released'))
			ORDER BY k.id`)
		return err
	})
	for _, w := range all {
		if err != nil {
			break
		}
		over, why := w.State != campaign.CorrectionSending, "stopped"
		if !over && !db.cfg.Now().Before(w.ApprovedAt.Add(campaign.CorrectionLasts)) {
			over, why = true, "too_late"
		}
		switch {
		case over:
			err = db.dropCorrection(ctx, w.Correction, why)
		case w.planning >= 0:
			err = db.planCorrection(ctx, w.network, w.Correction, w.planning)
		}
		if err == nil && !over {
			var some []campaign.Ring
			some, err = db.releaseCorrection(ctx, w.Correction, w.policy)
			rings = append(rings, some...)
		}
		if err == nil && w.State == campaign.CorrectionSending {
			err = db.endCorrection(ctx, w.Correction)
		}
		if err != nil {
			err = fmt.Errorf("correction %d: %w", w.ID, err)
		}
	}
	return rings, err
}

// SendCorrections is Correct, and rings. Who has approved one need not wait for the pacer.
func (db *DB) SendCorrections(ctx context.Context) error {
	rings, err := db.Correct(ctx)
	for _, r := range rings {
		db.rung(r)
	}
	return err
}

// errCorrectedElsewhere is of a chunk that another process has planned first.
var errCorrectedElsewhere = errors.New("another process plans this correction")

// planCorrection writes a text for each number that gets one, in chunks. It goes on where a killed process stopped; each number has one row.
func (db *DB) planCorrection(ctx context.Context, n staff.NetworkID, k campaign.Correction, cursor int64) error {
	var p *correcting
	for cursor >= 0 {
		var some []textedPerson
		err := db.read(ctx, "whom a correction is for", func(tx *Tx) (err error) {
			if p == nil {
				if p, err = db.newCorrecting(tx, n, k.Campaign, k.Wording, int64(k.ID)); err != nil {
					return err
				}
			}
			some, err = p.some(db, tx, cursor)
			return err
		})
		if err != nil {
			return err
		}
		next := int64(-1)
		if len(some) == correctChunk {
			next = some[len(some)-1].message
		}
		err = db.write(ctx, "plan a correction", func(tx *Tx) error {
			n, err := tx.Exec(`UPDATE correction_text SET planning = $1 WHERE id = $2 AND planning = $3 AND state = $4`, next, int64(k.ID), cursor, string(campaign.CorrectionSending))
			if err == nil && n == 0 {
				return errCorrectedElsewhere
			}
			if err != nil {
				return err
			}
			return db.insertCorrections(tx, p, k, some)
		})
		if errors.Is(err, errCorrectedElsewhere) {
			return nil // or somebody has stopped it
		}
		if err != nil {
			return err
		}
		cursor = next
	}
	return nil
}

const (
	correctionInsert = `INSERT INTO service_text (id, kind, referral, network, campaign, state, attempt, rings, not_before, expires_at, released_at, deadline, code,
		segments, cost, phone_ix, nhs_ix, sent_at, owed_at, correction, corrects, token)`
	correctionInsertColumns = 22
)

func (db *DB) insertCorrections(tx *Tx, p *correcting, k campaign.Correction, some []textedPerson) error {
	var rows []any
	for _, t := range some {
		if !t.among || t.why != "" {
			continue
		}
		// It answers no referral: its own id stands in that column, as of a test text.
		id := db.newID() | serviceBit
		rows = append(rows, id, string(campaign.CorrectionText), id, int64(p.campaign.Network), int64(k.Campaign), string(campaign.Planned), 0, 0, 0,
			msOf(k.ApprovedAt.Add(campaign.CorrectionLasts)), 0, 0, "", t.segments, int64(t.segments)*p.campaign.Policy.Price, t.phoneIx, t.nhsIx, 0, tx.now,
			int64(k.ID), t.message, link.Mint(db.sealer.linkKey(), id).Hash())
	}
	n, err := tx.bulkInsert(correctionInsert, correctionInsertColumns, rows, `ON CONFLICT (phone_ix, correction) WHERE correction > 0 DO NOTHING`)
	if err != nil {
		return fmt.Errorf("plan the texts of correction %d: %w", k.ID, err)
	}
	return db.countCorrected(tx, int64(k.Campaign), int64(k.ID), campaign.Planned, int(n), 0)
}

// countCorrected counts texts of a correction in or out of a state, with their money: under the correction, and the money under the campaign
// that pays.
func (db *DB) countCorrected(tx *Tx, owner, id int64, s campaign.MessageState, n int, cost int64) error {
	if err := db.bump(tx, id, serviceTally(s), 0, 0, 0, n); err != nil || !committed(s) {
		return err
	}
	return db.payCorrection(tx, owner, id, cost)
}

func (db *DB) payCorrection(tx *Tx, owner, id, cost int64) error {
	if err := db.bump(tx, id, tallyCorrectionCost, 0, 0, 0, int(cost)); err != nil {
		return err
	}
	return db.bump(tx, owner, tallyCorrectionCost, 0, 0, 0, int(cost))
}

// movedCorrections makes a bulk update and keeps the counters. It must return the columns id, attempt, rings, cost.
func (db *DB) movedCorrections(tx *Tx, k campaign.Correction, from, to campaign.MessageState, update string, args ...any) (rings []campaign.Ring, err error) {
	cost := int64(0)
	rings, err = list(tx, func(r scanner, ring *campaign.Ring) error {
		var price int64
		err := r.Scan((*int64)(&ring.Message), &ring.Attempt, &ring.Nth, &price)
		cost += price
		return err
	}, update, args...)
	if err != nil {
		return nil, err
	}
	if err := db.countCorrected(tx, int64(k.Campaign), int64(k.ID), from, -len(rings), -cost); err != nil {
		return nil, err
	}
	return rings, db.countCorrected(tx, int64(k.Campaign), int64(k.ID), to, len(rings), cost)
}

// correctionWave is how many seconds of the sender's rate are released at once: as many as of a campaign's messages.
const correctionWave = 300

// releaseCorrection releases the next texts of a correction, if it may leave now.
func (db *DB) releaseCorrection(ctx context.Context, k campaign.Correction, p campaign.Policy) (rings []campaign.Ring, err error) {
	room := int(max(p.Rate, 1) * correctionWave)
	for n := correctChunk; n == correctChunk; {
		err := db.write(ctx, "release a correction", func(tx *Tx) error {
			n = 0
			if stop, err := db.quarantined(tx); err != nil || stop {
				return err
			}
			now, err := correctionOf(tx, k.Campaign, k.ID, db.engine.lockClause())
			if err != nil || now.State != campaign.CorrectionSending || now.Held != "" {
				return err
			}
			if from, _, ok := campaign.CorrectionText.Leaves(db.Calendar, p.Windows, timeOf(tx.now)); !ok || msOf(from) > tx.now {
				return nil
			}
			var waiting int
			err = tx.QueryRow(`SELECT CAST(COALESCE(SUM(segments), 0) AS BIGINT) FROM service_text WHERE correction = $1 AND correction > 0 AND state = 'released'`, int64(k.ID)).Scan(&waiting)
			if err != nil || waiting >= room {
				return err
			}
			type next struct {
				id       int64
				segments int
			}
			some, err := list(tx, func(r scanner, t *next) error { return r.Scan(&t.id, &t.segments) }, `
				SELECT id, segments FROM service_text
				WHERE correction = $1 AND correction > 0 AND state = 'planned' AND not_before <= $2
				ORDER BY id
				LIMIT $3`, int64(k.ID), tx.now, correctChunk)
			if err != nil {
				return err
			}
			args := []any{tx.machine}
			for _, t := range some {
				if waiting += t.segments; len(args) > 1 && waiting > room {
					break
				}
				args = append(args, t.id)
			}
			if len(args) == 1 {
				return nil
			}
			more, err := db.movedCorrections(tx, k, campaign.Planned, campaign.Released, `
				UPDATE service_text SET state = 'released', rings = rings + 1, released_at = $1
				WHERE state = 'planned' AND id IN `+db.engine.placeholders(1, 1, len(args)-1)+`
				RETURNING id, attempt, rings, cost`, args...)
			n = len(more)
			rings = append(rings, more...)
			return err
		})
		if err != nil {
			return rings, err
		}
	}
	return rings, nil
}

// dropCorrection lets expire what has not left of a correction that is over.
func (db *DB) dropCorrection(ctx context.Context, k campaign.Correction, why string) error {
	for _, from := range []campaign.MessageState{campaign.Planned, campaign.Released} {
		for n := correctChunk; n == correctChunk; {
			err := db.write(ctx, "drop a correction", func(tx *Tx) error {
				gone, err := db.movedCorrections(tx, k, from, campaign.Expired, `
					UPDATE service_text SET state = 'expired', code = $1
					WHERE state = $2 AND id IN (SELECT id FROM service_text WHERE correction = $3 AND correction > 0 AND state = $2 LIMIT $4)
					RETURNING id, attempt, rings, cost`, why, string(from), int64(k.ID), correctChunk)
				n = len(gone)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// endCorrection ends a correction of which nothing is left to do.
func (db *DB) endCorrection(ctx context.Context, k campaign.Correction) error {
	return db.write(ctx, "end a correction", func(tx *Tx) error {
		_, err := tx.Exec(`
			UPDATE correction_text SET state = $1, ended_at = $2
			WHERE id = $3 AND state = $4 AND planning < 0
			  AND NOT EXISTS (SELECT 1 FROM service_text WHERE correction = $3 AND correction > 0 AND state IN ('planned', 'released', 'sending', 'unknown', 'held'))`,
			string(campaign.CorrectionDone), tx.now, int64(k.ID), string(campaign.CorrectionSending))
		return err
	})
}

// claimCorrection takes a released text of a correction, whose row and number are locked: it checks everything again, makes the text, and
// writes the intent to send it now.
func (db *DB) claimCorrection(tx *Tx, s service, claimed time.Time) (out campaign.Outgoing, verdict campaign.Verdict, err error) {
	fail := func(err error) (campaign.Outgoing, campaign.Verdict, error) {
		return campaign.Outgoing{}, verdict, fmt.Errorf("read the facts of correction %d: %w", s.id, err)
	}
	var k campaign.Correction
	// Shared until the claim commits: once a stop is answered, no claim that began before it can still succeed.
	err = scanCorrection(tx.QueryRow(`SELECT `+correctionColumns+` FROM correction_text k WHERE k.id = $1`+db.engine.shareClause("k"), s.correction), &k)
	if err != nil {
		return fail(err)
	}
	p, err := db.newCorrecting(tx, staff.NetworkID(s.network), campaign.ID(s.campaign), k.Wording, s.correction)
	if err != nil {
		return fail(err)
	}
	f := campaign.CorrectionFacts{Whom: k.Whom, State: k.State, Held: k.Held != "", Expires: k.ApprovedAt.Add(campaign.CorrectionLasts)}
	var now standing
	var practice, language string
	var patient, at, refused int64
	var stranger sql.NullInt64
	var sealed []byte
	err = tx.QueryRow(`
		SELECT m.state, m.step, t.at, p.practice, p.language, p.id, p.person, l.synthetic,
		       `+outOfReach+`,
		       (SELECT MAX(at) FROM contact WHERE phone_ix = m.phone_ix AND message = 0),
		       `+db.mayNotSend()+`
		FROM message m
		JOIN patient p ON p.id = m.patient
		JOIN audience l ON l.id = p.audience
		LEFT JOIN contact t ON t.phone_ix = m.phone_ix AND t.message = m.id
		WHERE m.id = $1`, s.corrects).Scan(append([]any{(*string)(&f.Texted.State), &f.Step, nullAsZero{&at}, &practice, &language, &patient, &sealed, &out.Synthetic,
		&f.Suppressed, &f.TakenOut, &refused, &stranger}, now.dest()...)...)
	if err != nil {
		return fail(err)
	}
	f.Quarantined, f.Refused, f.At, f.Stranger = now.stop(), refused > 0, timeOf(at), stranger.Valid && stranger.Int64 > at
	if from, until, ok := campaign.CorrectionText.Leaves(db.Calendar, p.campaign.Policy.Windows, timeOf(tx.now)); ok {
		f.From, f.Until = from, until
	}
	decided := campaign.AdmitCorrection(timeOf(tx.now), f)
	if verdict = decided.Verdict; verdict.Event != campaign.Claim {
		_, err := db.moveService(tx, &s, verdict.Event, `code = $5, not_before = $6`, verdict.Reason, msOf(decided.After))
		return campaign.Outgoing{}, verdict, err
	}
	d, err := db.openPerson("patient", patient, sealed)
	if err != nil {
		return fail(err)
	}
	if out.To, err = person.ParseE164(d.Phone); err != nil {
		return fail(fmt.Errorf("read a sealed number: %w", err))
	}
	first, _ := p.firsts[f.Step].For(language)
	out.Body, out.Segments = p.compose(practice, first, link.Mint(db.sealer.linkKey(), s.id))
	frozen, err := db.sealFrozen(s.id, frozenDoc{d.Phone, out.Body})
	if err != nil {
		return fail(err)
	}
	// A practice may have got another name since it was planned.
	cost := int64(out.Segments) * p.campaign.Policy.Price
	if err := db.payCorrection(tx, s.campaign, s.correction, cost-s.cost); err != nil {
		return fail(err)
	}
	s.cost = cost
	_, err = db.moveService(tx, &s, campaign.Claim, `attempt = attempt + 1, frozen = $5, deadline = $6, segments = $7, cost = $8, code = ''`,
		frozen, tx.machine+campaign.SendDeadline.Milliseconds(), out.Segments, cost)
	if err != nil {
		return fail(err)
	}
	if _, err := tx.Exec(`INSERT INTO attempt (message, n, started_at, outcome, code) VALUES ($1, $2, $3, '', '')`, s.id, s.attempt+1, tx.machine); err != nil {
		return fail(err)
	}
	out.Message, out.Attempt, out.From = campaign.MessageID(s.id), s.attempt+1, p.network.Sender
	out.ClaimedAt, out.ValidFor = claimed, f.Until.Sub(timeOf(tx.now))
	return out, verdict, nil
}

// nullAsZero scans a number that may be missing.
type nullAsZero struct{ to *int64 }

func (n nullAsZero) Scan(v any) error {
	var i sql.NullInt64
	err := i.Scan(v)
	*n.to = i.Int64
	return err
}
