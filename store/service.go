package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// serviceBit is set in every service text's id and in no message's, so that a ring, a callback and an outcome find their table without
// asking, whoever made the id. Message ids reach it in the year 2165.
const serviceBit = 1 << 52

func ofService(id campaign.MessageID) bool { return id&serviceBit != 0 }

// service is a service text on its way through a transition.
type service struct {
	id, network, campaign, cost int64
	correction, corrects        int64 // which correction it is of, and the message that it corrects; 0 if it is none
	kind                        campaign.Service
	referral                    selfrefer.ReferralID
	state                       campaign.MessageState
	attempt                     int
	sid                         string
	phoneIx                     []byte
}

func serviceOf(tx *Tx, id campaign.MessageID, lock string) (s service, err error) {
	err = tx.QueryRow(`
		SELECT id, network, campaign, correction, corrects, cost, kind, referral, state, attempt, COALESCE(sid, ''), phone_ix
		FROM service_text
		WHERE id = $1`+lock, int64(id)).Scan(&s.id, &s.network, &s.campaign, &s.correction, &s.corrects, &s.cost, (*string)(&s.kind), (*int64)(&s.referral), (*string)(&s.state), &s.attempt, &s.sid, &s.phoneIx)
	return s, notFound(err, campaign.ErrNotFound)
}

// mayLeave says whether a service text may still have to be sent. Once it may not, its number and its words are forgotten, but those of a
// correction: as a message's they are what it is looked for by, and what a practice is told.
func mayLeave(s campaign.MessageState) bool {
	return s == campaign.Planned || s == campaign.Released || s == campaign.Sending
}

// moveService moves a service text as apply moves a message: sets are further columns whose placeholders start at $5.
func (db *DB) moveService(tx *Tx, s *service, on campaign.Event, sets string, args ...any) (bool, error) {
	to, ok := campaign.Next(s.state, on)
	if !ok {
		return false, nil
	}
	if sets != "" {
		sets = ", " + sets
	}
	if !mayLeave(to) && s.correction == 0 {
		sets += ", frozen = NULL"
	}
	n, err := tx.Exec(`UPDATE service_text SET state = $1`+sets+` WHERE id = $2 AND state = $3 AND attempt = $4`,
		append([]any{string(to), s.id, string(s.state), s.attempt}, args...)...)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, campaign.ErrConflict
	}
	if err := db.countText(tx, s, s.state, -1); err != nil {
		return false, err
	}
	if err := db.countText(tx, s, to, 1); err != nil {
		return false, err
	}
	s.state = to
	return true, nil
}

// countText counts a text in or out of a state: one that answers somebody under its campaign, one of a correction under that.
func (db *DB) countText(tx *Tx, s *service, state campaign.MessageState, n int) error {
	if s.correction != 0 {
		return db.countCorrected(tx, s.campaign, s.correction, state, n, int64(n)*s.cost)
	}
	return db.countService(tx, s.campaign, state, n, s.cost)
}

// loseService makes a service text unknown. Only one of a correction is looked for.
func (db *DB) loseService(tx *Tx, s *service, code string) (bool, error) {
	if s.correction == 0 {
		return db.moveService(tx, s, campaign.LoseSight, `code = $5, deadline = 0`, code)
	}
	return db.moveService(tx, s, campaign.LoseSight, `code = $5, deadline = 0, look_at = $6, looks = 0`, code, tx.machine+db.Settle.Milliseconds())
}

// countService counts a service text in or out of a state, with its money: apart from the messages, which the pacer and the page count.
func (db *DB) countService(tx *Tx, owner int64, s campaign.MessageState, n int, cost int64) error {
	if err := db.bump(tx, owner, serviceTally(s), 0, 0, 0, n); err != nil || !committed(s) {
		return err
	}
	return db.bump(tx, owner, tallyServiceCost, 0, 0, 0, n*int(cost))
}

// answer is what a service text answers.
type answer struct {
	referral       int64
	network        staff.NetworkID
	campaign       int64
	language       lang.Code
	reference      string
	at, by         int64        // civil; by is 0 if no date can be told
	to             person.Phone // the number that was invited
	phoneIx, nhsIx []byte
}

// owe writes the intent of a service text, released, in the transaction that keeps what it answers. The ring is for after the commit; its
// message is 0 if nothing is owed, or not before the hours in which such a text leaves: then the pacer's repair rings. What cannot be composed
// is logged and not owed: nothing may keep back what it answers.
func (db *DB) owe(tx *Tx, kind campaign.Service, a answer) (ring campaign.Ring, err error) {
	if a.to.IsZero() {
		return ring, nil
	}
	network, err := db.sender(tx, a.network)
	if err != nil || network.NoTextBack {
		return ring, err
	}
	// A form that is sent again in a quarantine may have been answered in a life of the database that is forgotten.
	if stop, err := db.quarantined(tx); err != nil || stop {
		return ring, err
	}
	var steps, policy string
	if err := tx.QueryRow(`SELECT steps, policy FROM campaign WHERE id = $1`, a.campaign).Scan(&steps, &policy); err != nil {
		return ring, fmt.Errorf("find who pays for a service text: %w", err)
	}
	id := db.newID() | serviceBit
	fields := campaign.ServiceFields{Network: network.Name, Phone: network.Phone, Reference: a.reference}
	if a.by > a.at {
		fields.By = db.Calendar.Midnight(timeOf(a.by))
	}
	body, size, bad := campaign.ComposeService(kind, a.language, fields)
	plan, worse := db.plan(campaign.ID(a.campaign), steps, policy)
	frozen, worst := db.sealFrozen(id, frozenDoc{a.to.Reveal(), body})
	if bad := errors.Join(bad, worse, worst); bad != nil {
		db.log.Error("a service text cannot be made", "kind", string(kind), "error", bad)
		return ring, nil
	}
	from, until, ever := kind.Leaves(db.Calendar, plan.parsed.Policy.Windows, timeOf(a.at))
	if !ever {
		return ring, nil
	}
	state, rings := campaign.Released, 1
	if msOf(from) > a.at {
		state, rings = campaign.Planned, 0
	}
	cost := int64(size.Segments) * plan.parsed.Policy.Price
	n, err := tx.Exec(`
		INSERT INTO service_text (id, kind, referral, network, campaign, state, attempt, rings, not_before, expires_at, released_at, deadline, code,
			segments, cost, phone_ix, nhs_ix, frozen, sent_at, owed_at)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, 0, '', $11, $12, $13, $14, $15, 0, $16)
		ON CONFLICT (kind, referral) DO NOTHING`,
		id, string(kind), a.referral, int64(a.network), a.campaign, string(state), rings, msOf(from), msOf(until), tx.machine,
		size.Segments, cost, a.phoneIx, a.nhsIx, frozen, a.at)
	if err != nil || n == 0 {
		return ring, err
	}
	if state == campaign.Released {
		ring = campaign.Ring{Message: campaign.MessageID(id), Nth: 1}
	}
	return ring, db.countService(tx, a.campaign, state, 1, cost)
}

// claimService takes a released service text: with its number locked it checks again, and writes the intent to send it now.
func (db *DB) claimService(tx *Tx, r campaign.Ring) (out campaign.Outgoing, verdict campaign.Verdict, err error) {
	claimed := db.cfg.Machine()
	s, err := serviceOf(tx, r.Message, "")
	if err != nil {
		return out, verdict, err
	}
	if err := db.lockNumber(tx, s.phoneIx); err != nil {
		return out, verdict, err
	}
	// Read under the locks, number before text as everywhere.
	if s, err = serviceOf(tx, r.Message, db.engine.lockClause()); err != nil {
		return out, verdict, err
	}
	if s.state != campaign.Released || s.attempt != r.Attempt {
		return out, verdict, campaign.ErrTooLate
	}
	if s.correction != 0 {
		return db.claimCorrection(tx, s, claimed)
	}
	var facts campaign.ServiceFacts
	var now standing
	var expires int64
	var frozen []byte
	err = tx.QueryRow(`
		SELECT t.expires_at, t.segments, t.frozen, a.synthetic,
		       COALESCE((SELECT MIN(why) FROM suppression WHERE ix = t.phone_ix OR ix = t.nhs_ix), ''),
		       `+db.mayNotSend()+`
		FROM service_text t
		JOIN campaign c ON c.id = t.campaign
		JOIN audience a ON a.id = c.audience
		WHERE t.id = $1`, s.id).Scan(append([]any{&expires, &out.Segments, &frozen, &out.Synthetic, &facts.Suppressed}, now.dest()...)...)
	if err != nil {
		return out, verdict, fmt.Errorf("read the facts of service text %d: %w", s.id, err)
	}
	out.Synthetic = out.Synthetic && s.kind != campaign.Test // the list may be made up; the phone of who tries its text out is not
	facts.Quarantined, facts.Expires = now.stop(), timeOf(expires)
	if facts.Moot, err = db.moot(tx, s); err != nil {
		return out, verdict, err
	}
	verdict = campaign.AdmitService(time.UnixMilli(tx.now), facts)
	if verdict.Event != campaign.Claim {
		_, err := db.moveService(tx, &s, verdict.Event, `code = $5`, verdict.Reason)
		return out, verdict, err
	}
	f, err := db.openFrozen(s.id, frozen)
	if err != nil {
		return out, verdict, err
	}
	if out.To, err = person.ParseE164(f.To); err != nil {
		return out, verdict, fmt.Errorf("read a sealed number: %w", err)
	}
	network, err := db.sender(tx, staff.NetworkID(s.network))
	if err != nil {
		return out, verdict, err
	}
	if _, err := db.moveService(tx, &s, campaign.Claim, `attempt = attempt + 1, deadline = $5, code = ''`, tx.machine+campaign.SendDeadline.Milliseconds()); err != nil {
		return out, verdict, err
	}
	// The marker outside the database remembers the newest attempt: a database that has forgotten this one is noticed by it.
	if _, err := tx.Exec(`INSERT INTO attempt (message, n, started_at, outcome, code) VALUES ($1, $2, $3, '', '')`, s.id, s.attempt+1, tx.machine); err != nil {
		return out, verdict, err
	}
	out.Message, out.Attempt, out.From, out.Body = r.Message, s.attempt+1, network.Sender, f.Body
	out.ClaimedAt, out.ValidFor = claimed, facts.Expires.Sub(time.UnixMilli(tx.now))
	return out, verdict, nil
}

// recordService writes what came back from the gateway, unless it is evidence.
func (db *DB) recordService(tx *Tx, r campaign.Ring, o campaign.Outcome) error {
	s, err := serviceOf(tx, r.Message, db.engine.lockClause())
	if err != nil {
		return err
	}
	if s.state != campaign.Sending || s.attempt != r.Attempt+1 {
		return campaign.ErrTooLate
	}
	if o.OptedOut {
		if err := db.suppress(tx, suppression{network: s.network, kind: "phone", ix: s.phoneIx, why: "opted_out", at: tx.now, madeBy: madeByReply}); err != nil {
			return err
		}
	}
	if o.Campaign { // the account is refused, for invitations too
		if err := db.hold(tx, campaign.ID(s.campaign), refusedWords(o.Code)); err != nil {
			return err
		}
		if s.correction != 0 {
			if err := db.holdCorrection(tx, s, refusedWords(o.Code)); err != nil {
				return err
			}
		}
	}
	switch o.Event {
	case campaign.Postpone, campaign.Reject:
		_, err = db.moveService(tx, &s, o.Event, `code = $5, not_before = $6, deadline = 0`, o.Code, tx.now+o.After.Milliseconds())
	default:
		_, err = db.loseService(tx, &s, o.Code)
	}
	return err
}

// adoptService appends evidence that the provider has a service text, whatever its state.
func (db *DB) adoptService(tx *Tx, ev campaign.Evidence) error {
	s, err := serviceOf(tx, ev.Message, db.engine.lockClause())
	if err != nil {
		return err
	}
	if fresh, err := noteEvidence(tx, s.id, ev); err != nil || !fresh {
		return err
	}
	sets, args := `deadline = 0`, []any(nil)
	set := func(column string, value any) {
		args = append(args, value)
		sets += `, ` + column + ` = $` + strconv.Itoa(4+len(args))
	}
	if ev.Code != "" || !s.state.Left() {
		set("code", ev.Code)
	}
	if !s.state.Left() {
		set("sent_at", tx.now)
		set("sweep_at", tx.machine+campaign.FirstSweep.Milliseconds())
	}
	if ev.SID != "" && s.sid == "" {
		set("sid", ev.SID)
	}
	moved, err := db.moveService(tx, &s, ev.Event, sets, args...)
	if err != nil {
		return err
	}
	if ev.SID != "" && (s.sid != "" || !moved) {
		return db.adoptSID(tx, `service_text`, s.id, s.campaign, s.sid, ev.SID)
	}
	return nil
}

// serviceChunk keeps each step well below 50 ms of the writer.
const serviceChunk = 200

// OverdueServices lists the rings of service texts whose bell was lost, or whose refusal has passed, and counts the new ring. What is of no
// use any more expires. For corrections Overdue rings, when the queue is empty: thousands of them may wait there, and each ring takes its turn
// at the sender.
func (db *DB) OverdueServices(ctx context.Context, before time.Time, limit int) (rings []campaign.Ring, err error) {
	for { // until a chunk brings a ring: where nothing could be sent for weeks, many expire first
		var ids []int64
		err := db.read(ctx, "service texts to ring for", func(tx *Tx) error {
			rows, err := tx.Query(`
				SELECT id
				FROM service_text
				WHERE state IN ('planned', 'released') AND (expires_at <= $1 OR (state = 'planned' AND not_before <= $1 AND correction = 0) OR (state = 'released' AND released_at < $2 AND correction = 0))
				LIMIT $3`, tx.now, before.UnixMilli(), min(limit, serviceChunk))
			if err != nil {
				return err
			}
			ids, err = scanIDs(rows)
			return err
		})
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		err = db.write(ctx, "ring for service texts", func(tx *Tx) error {
			rings = nil
			for _, id := range ids {
				nth, attempt, err := db.ringService(tx, campaign.MessageID(id), before.UnixMilli())
				if err != nil {
					return err
				}
				if nth > 0 {
					rings = append(rings, campaign.Ring{Message: campaign.MessageID(id), Attempt: attempt, Nth: nth})
				}
			}
			return nil
		})
		if err != nil || len(rings) > 0 {
			return rings, err
		}
	}
}

// ringService counts the next ring of a service text, or lets the text expire; nth is 0 if there is nothing to ring for.
func (db *DB) ringService(tx *Tx, id campaign.MessageID, before int64) (nth, attempt int, err error) {
	s, err := serviceOf(tx, id, db.engine.lockClause())
	if err != nil {
		return 0, 0, err
	}
	var expires, notBefore, released int64
	if err := tx.QueryRow(`SELECT rings, expires_at, not_before, released_at FROM service_text WHERE id = $1`, int64(id)).Scan(&nth, &expires, &notBefore, &released); err != nil {
		return 0, 0, err
	}
	switch {
	case s.state != campaign.Planned && s.state != campaign.Released: // it has moved on
		return 0, 0, nil
	case expires <= tx.now:
		_, err := db.moveService(tx, &s, campaign.Expire, `code = 'too_late'`)
		return 0, 0, err
	case s.state == campaign.Planned && notBefore <= tx.now && s.correction == 0: // a correction is released at the sender's rate
		_, err = db.moveService(tx, &s, campaign.Release, `rings = rings + 1, released_at = $5`, tx.machine)
	case s.state == campaign.Released && released < before && s.correction == 0:
		_, err = tx.Exec(`UPDATE service_text SET rings = rings + 1, released_at = $1 WHERE id = $2`, tx.machine, int64(id))
	default:
		return 0, 0, nil
	}
	return nth + 1, s.attempt, err
}

// doubtServices makes unknown what could have left without this database knowing: for good, but for corrections, of which the provider's list tells.
func (db *DB) doubtServices(ctx context.Context) (total int, err error) {
	if err := db.write(ctx, "doubt what was owed", func(tx *Tx) error { return tx.setMeta(metaServicesDoubted, strconv.FormatInt(tx.now, 10)) }); err != nil {
		return 0, err
	}
	for n := serviceChunk; n == serviceChunk; {
		err := db.write(ctx, "doubt service texts", func(tx *Tx) error {
			rows, err := tx.Query(`SELECT id FROM service_text WHERE state IN ('planned', 'released', 'sending') LIMIT $1`, serviceChunk)
			if err != nil {
				return err
			}
			ids, err := scanIDs(rows)
			if err != nil {
				return err
			}
			n = len(ids)
			for _, id := range ids {
				s, err := serviceOf(tx, campaign.MessageID(id), db.engine.lockClause())
				if err != nil {
					return err
				}
				if _, err := db.moveService(tx, &s, campaign.Doubt, `code = 'restored', deadline = 0, looks = 0, look_at = 9000000000000000000`); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// awaitedServices lists service texts that the provider should be asked about by now.
func awaitedServices(tx *Tx, now time.Time, limit int) ([]campaign.Awaited, error) {
	return list(tx, func(r scanner, a *campaign.Awaited) error {
		var since int64
		err := r.Scan((*int64)(&a.Message), &a.SID, &since)
		a.Since = timeOf(since)
		return err
	}, `
		SELECT s.id, s.sid, COALESCE(a.started_at, s.sent_at)
		FROM service_text s
		LEFT JOIN attempt a ON a.message = s.id AND a.n = s.attempt
		WHERE s.state IN ('accepted', 'sent') AND s.sweep_at <= $1 AND s.sid IS NOT NULL
		ORDER BY s.sweep_at
		LIMIT $2`, now.UnixMilli(), limit)
}
