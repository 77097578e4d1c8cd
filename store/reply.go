package store

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// laterDoc is the sealed document of a reply that was added to a referral.
type laterDoc struct {
	Words string         `json:"words"`
	Said  selfrefer.Said `json:"said,omitempty"`
	Media int            `json:"media,omitempty"`
}

// joinReply adds a reply to the referral that an earlier reply from the same number made, while that is open: one person, one case. It may
// make the referral urgent and never takes urgency away. joined is false if there is no such referral.
func (db *DB) joinReply(tx *Tx, f selfrefer.Form, o origin, j selfrefer.Judgement, formIx []byte, first bool) (rc selfrefer.Receipt, joined bool, err error) {
	if f.Source != selfrefer.ByReply || f.From.IsZero() {
		return rc, false, nil
	}
	var r selfrefer.Referral
	sealed, err := scanReferral(tx.QueryRow(`
		SELECT `+referralColumns+`
		FROM referral
		WHERE phone_ix = $1 AND network = $2 AND source = $3 AND `+openReferrals+`
		      AND state IN ('new', 'claimed', 'contacting', 'in_support', 'onward') -- as the index referral_phone has it
		ORDER BY id DESC
		LIMIT 1`+db.engine.lockClause(), db.phoneIndex(f.From), int64(o.network), string(selfrefer.ByReply)), &r)
	if errNone := errors.New("none"); errors.Is(notFound(err, errNone), errNone) {
		return rc, false, nil
	}
	if err != nil {
		return rc, false, fmt.Errorf("find the referral of an earlier reply: %w", err)
	}
	b, err := json.Marshal(laterDoc{Words: f.Answers.Words, Said: f.Answers.Said, Media: f.Answers.Media})
	if err != nil {
		return rc, false, fmt.Errorf("write a reply: %w", err)
	}
	words, err := db.sealer.seal("later_reply", "words", hex.EncodeToString(formIx), b)
	if err != nil {
		return rc, false, err
	}
	_, err = tx.Exec(`
		INSERT INTO later_reply (form_ix, referral, at, words) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, formIx, int64(r.ID), msOf(f.At), words)
	if err != nil {
		return rc, false, fmt.Errorf("add a reply to referral %d: %w", r.ID, err)
	}
	if err := db.reconsider(tx, &r, sealed, f.Answers, j); err != nil {
		return rc, false, err
	}
	if first { // the first answer to its text, though no new case: the pacer learns the rate from it
		hour := hourOf(f.At.UnixMilli())
		if err := db.bump(tx, o.campaign, tallyAnswer, o.stratum, hour, cmp.Or(hourOf(o.delivered), hour), 1); err != nil {
			return rc, false, err
		}
	}
	if err := db.audit(tx, staff.Entry{Network: r.Network, Action: "referral.reply", Target: fmt.Sprintf("referral %d", r.ID), Outcome: "done"}); err != nil {
		return rc, false, err
	}
	return selfrefer.Receipt{Reference: r.Reference, Urgent: r.Urgent}, true, nil
}

// reconsider brings a referral up to date with a further reply: danger in it counts, and a "thanks" is no longer all that was said.
func (db *DB) reconsider(tx *Tx, r *selfrefer.Referral, sealed []byte, a selfrefer.Answers, j selfrefer.Judgement) error {
	id := strconv.FormatInt(int64(r.ID), 10)
	plain, err := db.sealer.open("referral", "person", id, sealed)
	if err != nil {
		return fmt.Errorf("open referral %d: %w", r.ID, err)
	}
	var d referralDoc
	if err := json.Unmarshal(plain, &d); err != nil {
		return fmt.Errorf("open referral %d: it cannot be read", r.ID) // the error would quote it
	}
	for _, why := range j.WhyUrgent {
		if !slices.Contains(d.WhyUrgent, why) {
			d.WhyUrgent = append(d.WhyUrgent, why)
		}
	}
	if d.Answers.Said != a.Said {
		d.Answers.Said = selfrefer.SaidMore
	}
	d.Answers.Channel = cmp.Or(d.Answers.Channel, a.Channel)
	b, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write a referral: %w", err)
	}
	if sealed, err = db.sealer.seal("referral", "person", id, b); err != nil {
		return err
	}
	r.Answers = d.Answers
	r.Name, r.Phone, r.Born = d.Person.name(), d.Person.phone(), d.Person.born()
	if err := db.index(tx, *r); err != nil {
		return err
	}
	was := *r
	if j.Urgent && !r.Urgent {
		r.Urgent, r.Lane = true, selfrefer.Verified // the first lane
		if err := db.outOfHands(tx, r); err != nil {
			return err
		}
		if r.ClaimedBy == 0 {
			r.FreeSince = timeOf(tx.now) // nobody knew before that it is urgent
		}
	}
	_, err = tx.Exec(`
		UPDATE referral
		SET urgent = $1, lane = $2, person = $3, state = $4, claimed_by = $5, claimed_at = $6, free_since = $7, handed_by = $8
		WHERE id = $9`, r.Urgent, string(r.Lane), sealed, string(r.State), int64(r.ClaimedBy), msOf(r.ClaimedAt), msOf(r.FreeSince), int64(r.HandedBy), int64(r.ID))
	if err != nil {
		return fmt.Errorf("bring referral %d up to date: %w", r.ID, err)
	}
	return db.replace(tx, was, *r)
}

// outOfHands puts a referral that has become urgent back into the queue if whoever has it may not see urgent ones: a volunteer could not
// open it any more, and nobody else would call.
func (db *DB) outOfHands(tx *Tx, r *selfrefer.Referral) error {
	if r.ClaimedBy == 0 {
		return nil
	}
	holder := staff.Account{ID: r.ClaimedBy}
	err := tx.QueryRow(`SELECT network, role FROM account WHERE id = $1`, int64(r.ClaimedBy)).Scan((*int64)(&holder.Network), (*string)(&holder.Role))
	if err := notFound(err, nil); err != nil {
		return fmt.Errorf("find who has referral %d: %w", r.ID, err)
	}
	if staff.May(holder, staff.ViewUrgent, r.Network) == nil {
		return nil
	}
	to, can := selfrefer.Next(r.State, selfrefer.Release)
	if !can {
		return nil
	}
	r.State, r.ClaimedBy, r.ClaimedAt, r.HandedBy = to, 0, timeOf(0), 0
	return db.noteEvent(tx, staff.Account{}, r.ID, selfrefer.Contact{Event: selfrefer.Release})
}

// later reads the replies that were added to a referral.
func (db *DB) later(tx *Tx, id selfrefer.ReferralID) ([]selfrefer.Later, error) {
	all, err := list(tx, func(row scanner, l *selfrefer.Later) error {
		var formIx, sealed []byte
		var at int64
		if err := row.Scan(&formIx, &at, &sealed); err != nil {
			return err
		}
		plain, err := db.sealer.open("later_reply", "words", hex.EncodeToString(formIx), sealed)
		if err != nil {
			return err
		}
		var d laterDoc
		if err := json.Unmarshal(plain, &d); err != nil {
			return errors.New("it cannot be read") // the error would quote it
		}
		*l = selfrefer.Later{At: timeOf(at), Words: d.Words, Said: d.Said, Media: d.Media}
		return nil
	}, `SELECT form_ix, at, words FROM later_reply WHERE referral = $1 ORDER BY at, form_ix`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("open the later replies of referral %d: %w", id, err)
	}
	return all, nil
}
