package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ selfrefer.Steps = (*DB)(nil)

// stood is how a referral stood: every plain column that a step or a join changes, and nothing of the person.
type stood struct {
	State         selfrefer.State      `json:"state"`
	Lane          selfrefer.Lane       `json:"lane"`
	Urgent        bool                 `json:"urgent,omitempty"`
	Received      int64                `json:"received"`
	Due           int64                `json:"due"`
	ClaimedBy     staff.AccountID      `json:"claimed_by,omitempty"`
	ClaimedAt     int64                `json:"claimed_at,omitempty"`
	Contacted     int64                `json:"contacted,omitempty"`
	Attempts      int                  `json:"attempts,omitempty"`
	Closed        int64                `json:"closed,omitempty"`
	FreeSince     int64                `json:"free_since,omitempty"`
	HandedBy      staff.AccountID      `json:"handed_by,omitempty"`
	EscalatedTo   staff.AccountID      `json:"escalated_to,omitempty"`
	EscalatedAt   int64                `json:"escalated_at,omitempty"`
	EscalatedSeen int64                `json:"escalated_seen,omitempty"`
	JoinedTo      selfrefer.ReferralID `json:"joined_to,omitempty"`
}

func stoodAs(r selfrefer.Referral) stood {
	return stood{State: r.State, Lane: r.Lane, Urgent: r.Urgent, Received: msOf(r.Received), Due: msOf(r.Due), ClaimedBy: r.ClaimedBy, ClaimedAt: msOf(r.ClaimedAt),
		Contacted: msOf(r.Contacted), Attempts: r.Attempts, Closed: msOf(r.ClosedAt), FreeSince: msOf(r.FreeSince), HandedBy: r.HandedBy,
		EscalatedTo: r.EscalatedTo, EscalatedAt: msOf(r.EscalatedAt), EscalatedSeen: msOf(r.EscalatedSeen), JoinedTo: r.JoinedTo}
}

// of gives a referral as it stood.
func (s stood) of(r selfrefer.Referral) selfrefer.Referral {
	r.State, r.Lane, r.Urgent, r.Received, r.Due = s.State, s.Lane, s.Urgent, timeOf(s.Received), timeOf(s.Due)
	r.ClaimedBy, r.ClaimedAt, r.Contacted, r.Attempts, r.ClosedAt = s.ClaimedBy, timeOf(s.ClaimedAt), timeOf(s.Contacted), s.Attempts, timeOf(s.Closed)
	r.FreeSince, r.HandedBy, r.JoinedTo = timeOf(s.FreeSince), s.HandedBy, s.JoinedTo
	r.EscalatedTo, r.EscalatedAt, r.EscalatedSeen = s.EscalatedTo, timeOf(s.EscalatedAt), timeOf(s.EscalatedSeen)
	return r
}

func (s stood) json() (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("write how a referral stood: %w", err)
	}
	return string(b), nil
}

func readStood(into *stood, from string) error {
	if err := json.Unmarshal([]byte(from), into); err != nil {
		return fmt.Errorf("read how a referral stood: %w", err)
	}
	return nil
}

// stand makes a referral stand as r, if it still stands as was, and what is counted and listed with it. Both must have been opened as a whole.
func (db *DB) stand(tx *Tx, was, r selfrefer.Referral) error {
	n, err := tx.Exec(`
		UPDATE referral
		SET state = $1, lane = $2, urgent = $3, received_at = $4, due_at = $5, claimed_by = $6, claimed_at = $7, contacted_at = $8, attempts = $9,
		    closed_at = $10, free_since = $11, handed_by = $12, escalated_to = $13, escalated_at = $14, escalated_seen = $15, joined_to = $16
		WHERE id = $17 AND state = $18 AND claimed_by = $19 AND joined_to = $20`,
		string(r.State), string(r.Lane), r.Urgent, msOf(r.Received), msOf(r.Due), int64(r.ClaimedBy), msOf(r.ClaimedAt), msOf(r.Contacted), r.Attempts,
		msOf(r.ClosedAt), msOf(r.FreeSince), int64(r.HandedBy), int64(r.EscalatedTo), msOf(r.EscalatedAt), msOf(r.EscalatedSeen), int64(r.JoinedTo),
		int64(r.ID), string(was.State), int64(was.ClaimedBy), int64(was.JoinedTo))
	if err != nil {
		return fmt.Errorf("put referral %d back: %w", r.ID, err)
	}
	if n == 0 {
		return fmt.Errorf("put referral %d back: it has moved although its row is locked", r.ID)
	}
	return db.replace(tx, was, r)
}

// noteStep notes an event of a referral, and how it stood before and after for as long as that can be undone.
func (db *DB) noteStep(tx *Tx, who staff.Account, was, r selfrefer.Referral, c selfrefer.Contact) error {
	event := db.newID()
	if err := db.noteEventAs(tx, event, who, r.ID, c, about{}); err != nil {
		return err
	}
	if err := forgetSteps(tx, r.ID); err != nil || !c.Event.CanBeUndone() {
		return err
	}
	before, err := stoodAs(was).json()
	if err != nil {
		return err
	}
	after, err := stoodAs(r).json()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO referral_step (referral, event, at, account, step, was, became, seen_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`, int64(r.ID), event, tx.now, int64(who.ID), string(c.Event), before, after)
	if err != nil {
		return fmt.Errorf("note how referral %d stood: %w", r.ID, err)
	}
	return nil
}

// forgetSteps makes the last step of referrals final: something came after it.
func forgetSteps(tx *Tx, ids ...selfrefer.ReferralID) error {
	for _, id := range ids {
		if _, err := tx.Exec(`DELETE FROM referral_step WHERE referral = $1`, int64(id)); err != nil {
			return fmt.Errorf("forget the last step of referral %d: %w", id, err)
		}
	}
	return nil
}

// PurgeSteps forgets how referrals stood before steps that can no longer be undone.
func (db *DB) PurgeSteps(ctx context.Context) (n int64, err error) {
	err = db.write(ctx, "purge steps", func(tx *Tx) error {
		n, err = tx.Exec(`DELETE FROM referral_step WHERE at < $1`, tx.now-selfrefer.UndoFor.Milliseconds())
		return err
	})
	return n, err
}

// seenStep notes that somebody else has opened a referral since its last step.
func (db *DB) seenStep(tx *Tx, who staff.Account, id selfrefer.ReferralID) error {
	_, err := tx.Exec(`
		UPDATE referral_step
		SET seen_by = CASE WHEN seen_by IN (0, $1) THEN $1 ELSE $2 END
		WHERE referral = $3 AND account <> $1`, int64(who.ID), int64(selfrefer.Several), int64(id))
	if err != nil {
		return fmt.Errorf("note who has opened referral %d: %w", id, err)
	}
	return nil
}

// lastStep is a step with what undoing it needs.
type lastStep struct {
	selfrefer.Step
	event       int64
	was, became stood
}

// stepOf finds the last step of a referral if who may undo it. refusal says why not.
func (db *DB) stepOf(tx *Tx, who staff.Account, r selfrefer.Referral) (s lastStep, refusal, err error) {
	var at, later int64
	var was, became string
	err = tx.QueryRow(`
		SELECT event, at, account, step, was, became, seen_by, (SELECT MAX(e.id) FROM referral_event e WHERE e.referral = s.referral)
		FROM referral_step s
		WHERE referral = $1`, int64(r.ID)).Scan(&s.event, &at, (*int64)(&s.By), (*string)(&s.Event), &was, &became, (*int64)(&s.Seen), &later)
	if errors.Is(notFound(err, selfrefer.ErrCannotUndo), selfrefer.ErrCannotUndo) {
		return s, selfrefer.ErrCannotUndo, nil
	}
	if err == nil {
		err = errors.Join(readStood(&s.was, was), readStood(&s.became, became))
	}
	if err != nil {
		return s, nil, fmt.Errorf("read the last step of referral %d: %w", r.ID, err)
	}
	s.At = timeOf(at)
	now := stoodAs(r)
	now.EscalatedSeen, s.became.EscalatedSeen = 0, 0 // that a senior reads of it is nothing that a step has changed
	if later > s.event || now != s.became {
		return s, selfrefer.ErrCannotUndo, nil
	}
	return s, selfrefer.MayUndo(who, r, s.Step, timeOf(tx.now)), nil
}

// LastStep is the step that somebody can undo now.
func (db *DB) LastStep(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (step *selfrefer.Step, err error) {
	var refusal error
	err = db.read(ctx, "last step", func(tx *Tx) error {
		step = nil
		r, _, err := referralOf(tx, id, "")
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayView(tx, who, r); err != nil || refusal != nil {
			return err
		}
		step, err = db.canUndo(tx, who, r)
		return err
	})
	return step, errors.Join(err, refusal)
}

func (db *DB) canUndo(tx *Tx, who staff.Account, r selfrefer.Referral) (*selfrefer.Step, error) {
	s, refusal, err := db.stepOf(tx, who, r)
	if err != nil || refusal != nil {
		return nil, err
	}
	return &s.Step, nil
}

// Undo puts a referral back as it was before its last step; what it did, or why it did not, is audited in the same transaction.
func (db *DB) Undo(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (r selfrefer.Referral, left bool, err error) {
	var refusal error
	err = db.write(ctx, "undo a step", func(tx *Tx) error {
		left = false
		var sealed []byte
		if r, sealed, err = referralOf(tx, id, db.engine.lockClause()); err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayTake(tx, who, r); err != nil {
			return err
		}
		if refusal != nil {
			r = selfrefer.Referral{}
			return db.auditReferral(tx, who, "referral.undo", id, outcomeOf(refusal))
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		var s lastStep
		if s, refusal, err = db.stepOf(tx, who, r); err != nil {
			return err
		}
		if refusal == nil {
			if left, err = db.takeBack(tx, who, &r, s); err != nil {
				return err
			}
		}
		if r.Later, err = db.later(tx, id); err != nil {
			return err
		}
		return db.auditReferral(tx, who, "referral.undo", id, outcomeOf(refusal))
	})
	return r, left, errors.Join(err, refusal)
}

// takeBack undoes a step that may be undone, with what was counted with it.
func (db *DB) takeBack(tx *Tx, who staff.Account, r *selfrefer.Referral, s lastStep) (left bool, err error) {
	if err := db.index(tx, *r); err != nil {
		return false, err
	}
	as := *r
	s.was.EscalatedSeen = msOf(r.EscalatedSeen)
	*r = s.was.of(as)
	if err := db.stand(tx, as, *r); err != nil {
		return false, err
	}
	if first := s.became.Contacted; first != 0 && s.was.Contacted == 0 && r.Team != 0 {
		if err := db.bump(tx, int64(r.Team), tallyContact, 0, hourOf(first), 0, -1); err != nil {
			return false, err
		}
	}
	if err := db.tellUndoneStep(tx, *r, s); err != nil {
		return false, err
	}
	if err := forgetSteps(tx, r.ID); err != nil {
		return false, err
	}
	if err := db.noteEventAs(tx, db.newID(), who, r.ID, selfrefer.Contact{Event: selfrefer.UndoStep}, about{undoes: s.event}); err != nil {
		return false, err
	}
	var texts int
	if err := tx.QueryRow(`SELECT COUNT(*) FROM service_text WHERE referral = $1 AND sent_at > $2`, int64(r.ID), msOf(s.At)).Scan(&texts); err != nil {
		return false, fmt.Errorf("see what has left for referral %d: %w", r.ID, err)
	}
	return texts > 0, nil
}
