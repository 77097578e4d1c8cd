package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ campaign.Claimer = (*DB)(nil)

// message is a row on its way through a transition.
type message struct {
	id, campaign, patient, stratum int64
	step, attempt                  int
	state                          campaign.MessageState
	shared                         bool
	cost, deliveredAt              int64
	sid, code                      string
	phoneIx                        []byte
}

func messageOf(tx *Tx, where string, lock string, args ...any) (m message, err error) {
	err = tx.QueryRow(`
		SELECT id, campaign, patient, stratum, step, attempt, state, shared, cost, delivered_at, COALESCE(sid, ''), code, phone_ix
		FROM message
		WHERE `+where+lock, args...).Scan(&m.id, &m.campaign, &m.patient, &m.stratum, &m.step, &m.attempt, (*string)(&m.state), &m.shared, &m.cost, &m.deliveredAt, &m.sid, &m.code, &m.phoneIx)
	return m, notFound(err, campaign.ErrNotFound)
}

// apply moves a message by an event, guarded by its state and attempt; sets are further columns whose placeholders start at $5. It
// returns false if the table knows no such move, and ErrConflict if somebody else moved the message first.
func (db *DB) apply(tx *Tx, m *message, on campaign.Event, sets string, args ...any) (bool, error) {
	to, ok := campaign.Next(m.state, on)
	if !ok {
		return false, nil
	}
	if sets != "" {
		sets = ", " + sets
	}
	n, err := tx.Exec(`UPDATE message SET state = $1`+sets+` WHERE id = $2 AND state = $3 AND attempt = $4`,
		append([]any{string(to), m.id, string(m.state), m.attempt}, args...)...)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, campaign.ErrConflict
	}
	if err := db.bumpMove(tx, m.campaign, m.stratum, m.state, to, 1); err != nil {
		return false, err
	}
	if err := db.bumpCause(tx, m.campaign, m.stratum, m.state, m.code, -1); err != nil {
		return false, err
	}
	if hasCause(to) {
		if err := tx.QueryRow(`SELECT code FROM message WHERE id = $1`, m.id).Scan(&m.code); err != nil {
			return false, err
		}
		if err := db.bumpCause(tx, m.campaign, m.stratum, to, m.code, 1); err != nil {
			return false, err
		}
	}
	if committed(m.state) != committed(to) {
		sign := map[bool]int{true: 1, false: -1}[committed(to)]
		if err := db.bump(tx, m.campaign, tallyCost, 0, 0, 0, sign*int(m.cost)); err != nil {
			return false, err
		}
		if err := db.bump(tx, m.campaign, tallyReleased, 0, hourOf(tx.now), 0, sign); err != nil {
			return false, err
		}
	}
	if m.deliveredAt != 0 && onTheWay(m.state) && !onTheWay(to) {
		if err := db.bump(tx, m.campaign, tallyLanded, m.stratum, 0, 0, -1); err != nil {
			return false, err
		}
		if to == campaign.Undelivered || to == campaign.Failed {
			// Presumed to be on the phone, and now known not to be: its exposure never was.
			if err := db.bump(tx, m.campaign, tallyDelivered, m.stratum, hourOf(m.deliveredAt), 0, -1); err != nil {
				return false, err
			}
			if _, err := tx.Exec(`UPDATE message SET delivered_at = 0 WHERE id = $1`, m.id); err != nil {
				return false, err
			}
			m.deliveredAt = 0
		}
	}
	m.state = to
	return true, nil
}

// onTheWay says whether the pacer still waits for a message's receipt.
func onTheWay(s campaign.MessageState) bool {
	switch s {
	case campaign.Released, campaign.Sending, campaign.Unknown, campaign.Held, campaign.Accepted, campaign.Sent:
		return true
	}
	return false
}

// frozenDoc is what one attempt sends, sealed with the message: reconciliation looks up by this number and this body.
type frozenDoc struct {
	To   string `json:"t"`
	Body string `json:"b"`
}

// lockNumber makes a claim and an opt-out of one number wait for each other.
func (db *DB) lockNumber(tx *Tx, ix []byte) error {
	if db.engine == engineSQLite {
		return nil // one writer: they wait for each other already
	}
	if _, err := tx.Exec(`INSERT INTO number (ix) VALUES ($1) ON CONFLICT (ix) DO NOTHING`, ix); err != nil {
		return err
	}
	var got []byte
	return tx.QueryRow(`SELECT ix FROM number WHERE ix = $1`+db.engine.lockClause(), ix).Scan(&got)
}

// Claim takes a released message: with its number locked it re-checks everything, freezes what is sent, and writes the intent.
func (db *DB) Claim(ctx context.Context, r campaign.Ring) (out campaign.Outgoing, err error) {
	if db.optOutsOwed() {
		return out, campaign.ErrTooLate // the journal holds opt-outs that this database has not seen; it is rung again
	}
	if code, _ := db.Stopped(); code != "" {
		return out, campaign.ErrTooLate // of the disk or the clock; it is rung again
	}
	verdict := campaign.Verdict{}
	started := int64(0)
	err = db.write(ctx, "claim", func(tx *Tx) error {
		if ofService(r.Message) {
			started = tx.machine
			out, verdict, err = db.claimService(tx, r)
			return err
		}
		claimed := db.cfg.Machine() // with what cannot be set of it, so that a claim's age is true whatever becomes of the clock
		m, err := messageOf(tx, `id = $1`, "", int64(r.Message))
		if err != nil {
			return err
		}
		if m.state != campaign.Released || m.attempt != r.Attempt {
			return campaign.ErrTooLate
		}
		if err := db.lockNumber(tx, m.phoneIx); err != nil {
			return err
		}
		if lock := db.engine.lockClause(); lock != "" {
			// Read again under the locks, number before message as everywhere.
			if m, err = messageOf(tx, `id = $1`, lock, m.id); err != nil {
				return err
			}
			if m.state != campaign.Released || m.attempt != r.Attempt {
				return campaign.ErrTooLate
			}
		}
		facts, plan, network, who, err := db.facts(tx, m)
		if err != nil {
			return err
		}
		verdict = campaign.Admit(time.UnixMilli(tx.now), facts)
		if verdict.Event != campaign.Claim {
			_, err := db.apply(tx, &m, verdict.Event, `code = $5`, verdict.Reason)
			return err
		}
		d, err := db.openPerson("patient", m.patient, who.sealed)
		if err != nil {
			return err
		}
		texts, err := plan.text(m.step)
		if err != nil {
			return err
		}
		_, template := texts.For(who.language)
		body, size := campaign.Compose(template, campaign.Recipient{Name: d.name(), Practice: practiceOf(network, who.practice), Network: network,
			Shared: m.shared, Token: link.Mint(db.sealer.linkKey(), m.id)})
		frozen, err := db.sealFrozen(m.id, frozenDoc{d.Phone, body})
		if err != nil {
			return err
		}
		started = tx.machine
		m2 := m
		if ok, err := db.apply(tx, &m2, campaign.Claim, `attempt = attempt + 1, frozen = $5, deadline = $6, code = ''`,
			frozen, tx.machine+campaign.SendDeadline.Milliseconds()); err != nil {
			return err
		} else if !ok {
			return campaign.ErrTooLate
		}
		if err := db.charge(tx, m, int64(size.Segments)*facts.Campaign.Policy.Price); err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO attempt (message, n, started_at, outcome, code) VALUES ($1, $2, $3, '', '')`, m.id, m.attempt+1, tx.machine)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO contact (phone_ix, message, campaign, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (phone_ix, message) DO UPDATE SET at = excluded.at`, m.phoneIx, m.id, m.campaign, tx.now)
		if err != nil {
			return err
		}
		to, err := person.ParseE164(d.Phone)
		if err != nil {
			return fmt.Errorf("read a sealed number: %w", err)
		}
		out = campaign.Outgoing{Message: r.Message, Attempt: m.attempt + 1, To: to, From: network.Sender, Body: body, Segments: size.Segments,
			Synthetic: facts.Synthetic, ClaimedAt: claimed, ValidFor: facts.WindowEnd.Sub(time.UnixMilli(tx.now))}
		return nil
	})
	if err != nil {
		return campaign.Outgoing{}, err
	}
	if verdict.Event != campaign.Claim {
		return campaign.Outgoing{}, campaign.ErrTooLate
	}
	db.marker.raise(started)
	db.witness.raise(started)
	if db.optOutsOwed() {
		// One was acknowledged while this claim was on its way, and only the journal took it. It may be this number's.
		return campaign.Outgoing{}, errors.Join(campaign.ErrTooLate, db.Record(ctx, r, campaign.Outcome{Event: campaign.Postpone, Code: "opt_out_owed"}))
	}
	return out, nil
}

// charge counts what the text costs as it is sent: a practice may have got another name since it was planned.
func (db *DB) charge(tx *Tx, m message, cost int64) error {
	if cost == m.cost {
		return nil
	}
	if _, err := tx.Exec(`UPDATE message SET cost = $1 WHERE id = $2`, cost, m.id); err != nil {
		return err
	}
	return db.bump(tx, m.campaign, tallyCost, 0, 0, 0, int(cost-m.cost))
}

func (db *DB) sealFrozen(id int64, f frozenDoc) ([]byte, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return db.sealer.seal("message", "frozen", strconv.FormatInt(id, 10), b)
}

func (db *DB) openFrozen(id int64, sealed []byte) (f frozenDoc, err error) {
	b, err := db.sealer.open("message", "frozen", strconv.FormatInt(id, 10), sealed)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return f, fmt.Errorf("open the frozen text of message %d: %w", id, err)
	}
	return f, nil
}

// facts reads what campaign.Admit has to know; it also gives the campaign's texts, and the patient's practice, language and sealed document.
func (db *DB) facts(tx *Tx, m message) (f campaign.Facts, plan *knownPlan, n staff.Network, who invitedPatient, err error) {
	fail := func(err error) (campaign.Facts, *knownPlan, staff.Network, invitedPatient, error) {
		return f, nil, n, invitedPatient{}, fmt.Errorf("read the facts of message %d: %w", m.id, err)
	}
	// Shared until the claim commits: once a pause is answered, no claim that began before it can still succeed.
	f.Campaign.ID = campaign.ID(m.campaign)
	var steps, policy, grounds string
	var nhsIx []byte
	err = tx.QueryRow(`
		SELECT c.network, c.state, c.held, c.steps, c.policy, c.audience, c.grounds, p.practice, p.language, p.person, p.nhs_ix, a.synthetic
		FROM campaign c
		JOIN patient p ON p.id = $2
		JOIN audience a ON a.id = p.audience
		WHERE c.id = $1`+db.engine.shareClause("c"), m.campaign, m.patient).
		Scan((*int64)(&f.Campaign.Network), (*string)(&f.Campaign.State), &f.Campaign.Held, &steps, &policy, (*int64)(&f.Campaign.Audience), &grounds, &who.practice, &who.language, &who.sealed, &nhsIx, &f.Synthetic)
	if err != nil {
		return fail(err)
	}
	if plan, err = db.plan(f.Campaign.ID, steps, policy); err != nil {
		return fail(err)
	}
	f.Campaign.Steps, f.Campaign.Policy = plan.parsed.Steps, plan.parsed.Policy
	terms, err := plan.agreedTo(f.Campaign.Audience, grounds)
	if err != nil {
		return fail(err)
	}
	if n, err = db.sender(tx, f.Campaign.Network); err != nil {
		return fail(err)
	}
	var number, person *string
	var last *int64
	var takenOut *string
	var open, agree, screening int
	var now standing
	err = tx.QueryRow(`
		SELECT (SELECT why FROM suppression WHERE network = $1 AND kind = 'phone' AND ix = $2),
		       (SELECT why FROM suppression WHERE network = $1 AND kind = 'nhs' AND ix = $3),
		       (SELECT MAX(at) FROM contact WHERE phone_ix = $2 AND campaign <> $4),
		       (SELECT COUNT(*) FROM referral
		        WHERE network = $1 AND phone_ix = $2 AND state IN ('new', 'claimed', 'contacting', 'in_support', 'onward'))
		       + (SELECT COUNT(*) FROM referral
		        WHERE network = $1 AND nhs_ix = $3 AND state IN ('new', 'claimed', 'contacting', 'in_support', 'onward'))
		       + (SELECT COUNT(*) FROM referral g JOIN referral o ON o.id = g.joined_to -- what was joined goes on under another number
		        WHERE g.network = $1 AND g.phone_ix = $2 AND g.state IN ('closed', 'declined', 'unreachable', 'duplicate') AND o.state IN ('new', 'claimed', 'contacting', 'in_support', 'onward'))
		       + (SELECT COUNT(*) FROM referral g JOIN referral o ON o.id = g.joined_to
		        WHERE g.network = $1 AND g.nhs_ix = $3 AND g.state IN ('closed', 'declined', 'unreachable', 'duplicate') AND o.state IN ('new', 'claimed', 'contacting', 'in_support', 'onward')),
		       (SELECT COUNT(*) FROM practice_approval k WHERE k.campaign = $4 AND k.ods = $5 AND `+agreesTo("k", "$6")+`),
		       (SELECT why FROM taken_out WHERE campaign = $4 AND patient = $7),
		       (SELECT COUNT(*) FROM freshening WHERE campaign = $4 AND `+freshIsOpen+`),
		       `+db.mayNotSend(),
		int64(n.ID), m.phoneIx, nhsIx, m.campaign, who.practice, terms, m.patient).
		Scan(append([]any{&number, &person, &last, &open, &agree, &takenOut, &screening}, now.dest()...)...)
	if err != nil {
		return fail(err)
	}
	f.Quarantined = now.stop()
	if number != nil {
		f.NumberSuppressed = *number
	}
	if person != nil {
		f.PersonSuppressed = *person
	}
	if last != nil {
		f.TextedElsewhere = timeOf(*last)
	}
	f.OpenReferral = open > 0
	f.Disagrees, f.Held = agree == 0, f.Campaign.Held != "" || screening > 0
	if takenOut != nil {
		f.TakenOut = *takenOut
	}
	if m.step > 1 { // a reminder was planned before its person answered, and that referral may be closed already
		var answered int
		err := tx.QueryRow(`SELECT COUNT(*) FROM message WHERE campaign = $1 AND patient = $2 AND step < $3 AND answered_at <> 0`, m.campaign, m.patient, m.step).Scan(&answered)
		if err != nil {
			return fail(err)
		}
		f.Answered = answered > 0
	}
	if w, ok := db.Calendar.WindowAt(time.UnixMilli(tx.now), f.Campaign.Policy.Windows); ok {
		f.WindowEnd = w.To
	}
	return f, plan, n, who, nil
}

// knownPlan is what a campaign's columns say once they are parsed, and what they were parsed from. Nobody changes it.
type knownPlan struct {
	steps, policy string
	parsed        campaign.Campaign
	texts         map[int]campaign.Texts
	terms         sync.Map // of knownTerms: what the practices must agree to
}

type knownTerms struct {
	audience campaign.AudienceID
	grounds  string
}

// plan parses a campaign's columns. Thousands of claims read the same ones, one after the other: they are parsed again only if they are
// not what they were.
func (db *DB) plan(id campaign.ID, steps, policy string) (*knownPlan, error) {
	if v, ok := db.plans.Load(id); ok && v.(*knownPlan).steps == steps && v.(*knownPlan).policy == policy {
		return v.(*knownPlan), nil
	}
	k := &knownPlan{steps: steps, policy: policy, texts: map[int]campaign.Texts{}}
	k.parsed.ID = id
	if err := errors.Join(json.Unmarshal([]byte(steps), &k.parsed.Steps), json.Unmarshal([]byte(policy), &k.parsed.Policy)); err != nil {
		return nil, err
	}
	for _, s := range k.parsed.Steps {
		if texts, err := s.Texts(); err == nil {
			k.texts[s.Number] = texts
		}
	}
	db.plans.Store(id, k)
	return k, nil
}

// agreedTo is the hash of the terms of the campaign with this list and these grounds.
func (k *knownPlan) agreedTo(audience campaign.AudienceID, grounds string) (string, error) {
	key := knownTerms{audience, grounds}
	if v, ok := k.terms.Load(key); ok {
		return v.(string), nil
	}
	c := campaign.Campaign{Audience: audience, Steps: k.parsed.Steps, Policy: k.parsed.Policy}
	if err := json.Unmarshal([]byte(grounds), &c.Grounds); err != nil {
		return "", err
	}
	terms := c.Terms()
	k.terms.Store(key, terms)
	return terms, nil
}

// text gives the texts of a step.
func (k *knownPlan) text(step int) (campaign.Texts, error) {
	if t, ok := k.texts[step]; ok {
		return t, nil
	}
	return k.parsed.Texts(step) // says what is wrong with it
}

// senderAge is how long a claim may go by what it knows of a network's name, sender and practices.
const senderAge = 10 * time.Second

type knownSender struct {
	staff.Network
	until int64 // machine
}

// sender is the network of a text, remembered for a few seconds: each text needs it, and it hardly ever changes.
func (db *DB) sender(tx *Tx, id staff.NetworkID) (staff.Network, error) {
	if k, ok := db.senders.Load(id); ok && k.(knownSender).until > tx.machine {
		return k.(knownSender).Network, nil
	}
	n, err := db.network(tx, id)
	if err == nil {
		db.senders.Store(id, knownSender{n, tx.machine + senderAge.Milliseconds()})
	}
	return n, err
}

// Record writes what came back from the gateway. Acceptance is evidence and is adopted whatever the state; everything else only counts
// while the attempt is still the one that is being sent.
func (db *DB) Record(ctx context.Context, r campaign.Ring, o campaign.Outcome) error {
	attempt := r.Attempt + 1  // the claim counted it
	if o.Event.IsEvidence() { // the evidence itself says what became of the attempt
		return db.recordReply(ctx, replyRecord{Message: r.Message, Attempt: attempt, Event: o.Event, SID: o.SID})
	}
	return db.write(ctx, "record", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE attempt SET outcome = $1, code = $2 WHERE message = $3 AND n = $4`, string(o.Event), o.Code, int64(r.Message), attempt)
		if err != nil {
			return err
		}
		if ofService(r.Message) {
			return db.recordService(tx, r, o)
		}
		m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), int64(r.Message))
		if err != nil {
			return err
		}
		if m.state != campaign.Sending || m.attempt != attempt {
			return campaign.ErrTooLate
		}
		if o.OptedOut {
			var network int64
			if err := tx.QueryRow(`SELECT network FROM campaign WHERE id = $1`, m.campaign).Scan(&network); err != nil {
				return err
			}
			if err := db.suppress(tx, suppression{network: network, kind: "phone", ix: m.phoneIx, why: "opted_out", at: tx.now, madeBy: madeByReply}); err != nil {
				return err
			}
		}
		if o.Campaign {
			if err := db.hold(tx, campaign.ID(m.campaign), refusedWords(o.Code)); err != nil {
				return err
			}
		}
		switch o.Event {
		case campaign.Postpone, campaign.Reject:
			// Nothing left: the number has not been contacted by this message.
			if _, err := tx.Exec(`DELETE FROM contact WHERE phone_ix = $1 AND message = $2`, m.phoneIx, m.id); err != nil {
				return err
			}
			_, err = db.apply(tx, &m, o.Event, `code = $5, not_before = $6, deadline = 0`, o.Code, tx.now+o.After.Milliseconds())
		default:
			_, err = db.apply(tx, &m, campaign.LoseSight, `code = $5, look_at = $6, looks = 0, deadline = 0`, o.Code, tx.machine+db.Settle.Milliseconds())
		}
		return err
	})
}

// refusedWords say why a campaign is held whose account the provider refuses.
func refusedWords(code string) string {
	return "The provider refuses to send: " + code + ". Check the account, then resume."
}

// recordReplied is the kind of a journal record that holds the provider's reply.
const recordReplied = "reply"

// replyRecord is the provider's word that it has a text, as the journal keeps it.
type replyRecord struct {
	Message campaign.MessageID `json:"message"`
	Attempt int                `json:"attempt"`
	Event   campaign.Event     `json:"event"`
	SID     string             `json:"sid"`
}

func (r replyRecord) evidence() campaign.Evidence {
	return campaign.Evidence{Message: r.Message, Attempt: r.Attempt, Event: r.Event, Kind: "reply", SID: r.SID}
}

// recordReply adopts the provider's reply. If the database refuses, the journal keeps it: thrown away, it would have to be found again in
// the provider's list, which can take minutes or fail.
func (db *DB) recordReply(ctx context.Context, rec replyRecord) error {
	err := db.Adopt(ctx, rec.evidence())
	if err == nil || errors.Is(err, campaign.ErrNotFound) {
		return err
	}
	payload, bad := json.Marshal(rec)
	if bad != nil {
		return errors.Join(err, bad)
	}
	seq, bad := db.journal.append(recordReplied, payload)
	if bad != nil {
		return errors.Join(err, bad)
	}
	db.owed.add(seq, recordReplied)
	db.log.Error("the database takes nothing: the journal keeps the provider's reply", "message", int64(rec.Message), "error", err)
	return nil
}

// Adopt appends evidence that the provider has a text, whatever the message's state, and moves the message if it did not know.
func (db *DB) Adopt(ctx context.Context, ev campaign.Evidence) error {
	return db.write(ctx, "adopt", func(tx *Tx) error { return db.adopt(tx, ev) })
}

func (db *DB) adopt(tx *Tx, ev campaign.Evidence) error {
	if ofService(ev.Message) {
		return db.adoptService(tx, ev)
	}
	m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), int64(ev.Message))
	if err != nil {
		return err
	}
	return db.adoptFor(tx, &m, ev)
}

// noteEvidence appends a piece of evidence; false if it has been seen before.
func noteEvidence(tx *Tx, id int64, ev campaign.Evidence) (fresh bool, err error) {
	n, err := tx.Exec(`
		INSERT INTO evidence (message, attempt, kind, event, sid, code, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (message, kind, event, sid) DO NOTHING`, id, ev.Attempt, ev.Kind, string(ev.Event), ev.SID, ev.Code, tx.now)
	return n > 0, err
}

func (db *DB) adoptFor(tx *Tx, m *message, ev campaign.Evidence) error {
	if fresh, err := noteEvidence(tx, m.id, ev); err != nil || !fresh {
		return err
	}
	before := m.state
	sets, args := `deadline = 0`, []any(nil)
	set := func(column string, value any) {
		args = append(args, value)
		sets += `, ` + column + ` = $` + strconv.Itoa(4+len(args))
	}
	if ev.Code != "" || !before.Left() { // what we feared of it before is settled
		set("code", ev.Code)
	}
	if !before.Left() {
		set("sent_at", tx.now)
		set("sweep_at", tx.machine+campaign.FirstSweep.Milliseconds())
	}
	if ev.SID != "" && m.sid == "" {
		set("sid", ev.SID)
	}
	moved, err := db.apply(tx, m, ev.Event, sets, args...)
	if err != nil {
		return err
	}
	if ev.SID != "" && (m.sid != "" || !moved) {
		if err := db.adoptSID(tx, `message`, m.id, m.campaign, m.sid, ev.SID); err != nil {
			return err
		}
	}
	if !before.Left() && before != campaign.Sending {
		// A text that we believed unsent has left: the contact ledger must know. For one that was being sent the claim told it.
		_, err = tx.Exec(`
			INSERT INTO contact (phone_ix, message, campaign, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (phone_ix, message) DO NOTHING`, m.phoneIx, m.id, m.campaign, tx.now)
		if err != nil {
			return err
		}
	}
	if ev.Event == campaign.Deliver {
		return db.onPhone(tx, m)
	}
	return nil
}

// adoptSID notes the provider's id. A second id for one text means that somebody was texted twice: the system audits its own promise.
func (db *DB) adoptSID(tx *Tx, table string, id, owner int64, known, sid string) error {
	if known == sid {
		return nil
	}
	n, err := tx.Exec(`UPDATE `+table+` SET sid = $1 WHERE id = $2 AND (sid IS NULL OR sid = $1)`, sid, id)
	if err != nil || n == 1 {
		return err
	}
	db.log.Error("two texts for one message at the provider", "message", id)
	// Once for a message: each callback of the second text says the same.
	_, err = tx.Exec(`
		INSERT INTO alarm (id, at, code, campaign, message)
		SELECT $1, $2, 'two_sids', $3, $4
		WHERE NOT EXISTS (SELECT 1 FROM alarm WHERE code = 'two_sids' AND message = $4)`, db.newID(), tx.now, owner, id)
	return err
}

// onPhone starts the exposure of a text, once: the phone has it, by receipt or because its person used the link.
func (db *DB) onPhone(tx *Tx, m *message) error {
	if m.deliveredAt != 0 {
		return nil
	}
	m.deliveredAt = tx.now
	if _, err := tx.Exec(`UPDATE message SET delivered_at = $1 WHERE id = $2`, tx.now, m.id); err != nil {
		return err
	}
	if onTheWay(m.state) {
		if err := db.bump(tx, m.campaign, tallyLanded, m.stratum, 0, 0, 1); err != nil {
			return err
		}
	}
	return db.bump(tx, m.campaign, tallyDelivered, m.stratum, hourOf(tx.now), 0, 1)
}

// linkSeen adopts the use of a link as evidence that its text left. Used means by its person (Start, a form, an opt-out), not by a
// previewer: only then does the pacer count from it.
func (db *DB) linkSeen(tx *Tx, id int64, used bool) error {
	m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), id)
	if err != nil {
		return err
	}
	err = db.adoptFor(tx, &m, campaign.Evidence{Message: campaign.MessageID(id), Event: campaign.Accept, Kind: "link_seen", At: time.UnixMilli(tx.now)})
	if err != nil || !used {
		return err
	}
	return db.onPhone(tx, &m)
}

// LinkSeen notes that a link was fetched. It changes nothing that a person or the pacer sees.
func (db *DB) LinkSeen(ctx context.Context, tokenHash []byte) error {
	return db.write(ctx, "link seen", func(tx *Tx) error {
		m, err := messageOf(tx, linkedBy, "", tokenHash)
		if err != nil {
			return err
		}
		return db.tokenSeen(tx, tokenHash, m.id, false)
	})
}

// Opened notes that a person pressed Start, once per message: this is counted and paced by.
func (db *DB) Opened(ctx context.Context, tokenHash []byte) error {
	return db.write(ctx, "opened", func(tx *Tx) error {
		m, err := messageOf(tx, linkedBy, "", tokenHash)
		if err != nil {
			return err
		}
		n, err := tx.Exec(`UPDATE message SET opened_at = $1 WHERE id = $2 AND opened_at = 0`, tx.now, m.id)
		if err != nil || n == 0 {
			return err
		}
		if err := db.tokenSeen(tx, tokenHash, m.id, true); err != nil {
			return err
		}
		return db.bump(tx, m.campaign, tallyStart, m.stratum, hourOf(tx.now), 0, 1)
	})
}
