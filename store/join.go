package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ selfrefer.Person = (*DB)(nil)

// alikeShown is how many referrals each way of looking for the same person gives, the newest first. A care home has one telephone.
const alikeShown = 20

// Same finds the other referrals of whoever a referral is from, each of which who may open.
func (db *DB) Same(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (s selfrefer.Same, err error) {
	var refusal error
	err = db.read(ctx, "who else this is", func(tx *Tx) error {
		s = selfrefer.Same{}
		r, sealed, err := referralOf(tx, id, "")
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayView(tx, who, r); err != nil || refusal != nil {
			return err
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return err
		}
		if s.Step, err = db.canUndo(tx, who, r); err != nil {
			return err
		}
		if err := db.joinedTo(tx, who, r, &s); err != nil {
			return err
		}
		if r.JoinedTo != 0 {
			return db.joinedInto(tx, who, r, &s)
		}
		return db.alike(tx, who, r, &s)
	})
	return s, errors.Join(err, refusal)
}

// joinedTo reads what was joined to a referral, and to what was joined to that, in the order of joining.
func (db *DB) joinedTo(tx *Tx, who staff.Account, r selfrefer.Referral, s *selfrefer.Same) error {
	type join struct {
		gone, at int64
		by       staff.AccountID
	}
	joins, err := list(tx, func(row scanner, j *join) error { return row.Scan(&j.gone, &j.at, (*int64)(&j.by)) },
		`SELECT gone, at, account FROM referral_join WHERE goes_on = $1 ORDER BY event`, int64(r.ID))
	if err != nil {
		return fmt.Errorf("read what was joined to referral %d: %w", r.ID, err)
	}
	for _, j := range joins {
		g, sealed, err := referralOf(tx, selfrefer.ReferralID(j.gone), "")
		if err != nil {
			return err
		}
		refusal, err := db.mayView(tx, who, g)
		if err != nil {
			return err
		}
		if refusal != nil {
			if !errors.Is(refusal, selfrefer.ErrNotFound) {
				s.Hidden++
			}
			continue
		}
		if err := db.openReferral(&g, sealed, true); err != nil {
			return err
		}
		if g.Later, err = db.later(tx, g.ID); err != nil {
			return err
		}
		s.Joined = append(s.Joined, selfrefer.Joined{Referral: g, By: j.by, At: timeOf(j.at)})
		if err := db.joinedTo(tx, who, g, s); err != nil {
			return err
		}
	}
	return nil
}

// joinedInto reads where a referral that was joined goes on.
func (db *DB) joinedInto(tx *Tx, who staff.Account, r selfrefer.Referral, s *selfrefer.Same) error {
	end, err := endOf(tx, r.ID)
	if err != nil {
		return err
	}
	on, sealed, err := referralOf(tx, end, "")
	if err != nil {
		return err
	}
	refusal, err := db.mayView(tx, who, on)
	if err != nil || refusal != nil {
		return err
	}
	if err := db.openReferral(&on, sealed, false); err != nil {
		return err
	}
	s.Into = &on
	err = tx.QueryRow(`SELECT account FROM referral_join WHERE gone = $1`, int64(r.ID)).Scan((*int64)(&s.By))
	if err != nil {
		return fmt.Errorf("read who joined referral %d: %w", r.ID, err)
	}
	return nil
}

// longest is more joins, one after the other, than one person's referrals can have.
const longest = 1000

// endOf follows joins to the referral that goes on.
func endOf(tx *Tx, id selfrefer.ReferralID) (selfrefer.ReferralID, error) {
	for range longest {
		var to selfrefer.ReferralID
		if err := tx.QueryRow(`SELECT joined_to FROM referral WHERE id = $1`, int64(id)).Scan((*int64)(&to)); err != nil {
			return 0, notFound(err, selfrefer.ErrNotFound)
		}
		if to == 0 {
			return id, nil
		}
		id = to
	}
	return 0, fmt.Errorf("follow the joins of referral %d: they have no end", id)
}

// heed makes a referral that was joined say of safety what all of its person's forms say: its number must not stand open where another form
// says that a call is not safe.
func (db *DB) heed(tx *Tx, r *selfrefer.Referral) error {
	if r.JoinedTo == 0 {
		return nil
	}
	end, err := endOf(tx, r.ID)
	if err != nil {
		return err
	}
	on, sealed, err := referralOf(tx, end, "")
	if err != nil {
		return err
	}
	if err := db.openReferral(&on, sealed, true); err != nil {
		return err
	}
	r.Answers.Heed(selfrefer.Answers{CallSafe: on.Answers.CallSafe, TextSafe: on.Answers.TextSafe, MessageSafe: on.Answers.MessageSafe})
	return nil
}

// alike finds referrals that may be from the same person: by blind indexes, a few look-ups however many referrals there are. What names them
// is opened then, and compared.
func (db *DB) alike(tx *Tx, who staff.Account, r selfrefer.Referral, s *selfrefer.Same) error {
	var phoneIx, nhsIx []byte // the number that was texted; what was typed may be another
	if err := tx.QueryRow(`SELECT phone_ix FROM referral WHERE id = $1`, int64(r.ID)).Scan(&phoneIx); err != nil {
		return fmt.Errorf("read the index of referral %d: %w", r.ID, err)
	}
	if !r.NHS.IsZero() { // nobody has the number of those who have none
		nhsIx = db.nhsIndex(r.NHS)
	}
	barred, err := barredFrom(tx, who.ID)
	if err != nil {
		return err
	}
	why := map[selfrefer.ReferralID][]selfrefer.Likeness{}
	find := func(l selfrefer.Likeness, query string, args ...any) error {
		ids, err := list(tx, func(row scanner, id *selfrefer.ReferralID) error { return row.Scan((*int64)(id)) }, query+strconv.Itoa(alikeShown+1+len(barred)), args...)
		if err != nil {
			return fmt.Errorf("look for the person of referral %d: %w", r.ID, err)
		}
		ids = slices.DeleteFunc(ids, func(id selfrefer.ReferralID) bool { return barred[int64(id)] })
		if len(ids) > alikeShown {
			s.More, ids = true, ids[:alikeShown]
		}
		for _, id := range ids {
			if id != r.ID && !slices.Contains(why[id], l) {
				why[id] = append(why[id], l)
			}
		}
		return nil
	}
	byNumber := func(l selfrefer.Likeness, column string, ix []byte) error {
		if len(ix) == 0 {
			return nil
		}
		for _, states := range []string{`state IN ('new', 'claimed', 'contacting', 'in_support', 'onward')`, `state IN ('closed', 'declined', 'unreachable', 'duplicate')`} {
			err := find(l, `SELECT id FROM referral WHERE `+column+` = $1 AND network = $2 AND `+states+` ORDER BY id DESC LIMIT `, ix, int64(r.Network))
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(byNumber(selfrefer.LikeNHS, `nhs_ix`, nhsIx), byNumber(selfrefer.LikePhone, `phone_ix`, phoneIx)); err != nil {
		return err
	}
	for _, p := range numbersOf(r) {
		if ix := db.phoneIndex(p); !slices.Equal(ix, phoneIx) {
			if err := byNumber(selfrefer.LikePhone, `phone_ix`, ix); err != nil {
				return err
			}
		}
		err := find("", `SELECT referral FROM referral_term WHERE ix = $1 ORDER BY referral DESC LIMIT `, db.term(r.Network, "phone", p.Reveal()))
		if err != nil {
			return err
		}
	}
	if !r.Born.IsZero() {
		for _, pair := range selfrefer.NamePairs(r.Name) {
			words := db.pairTerm(r.Network, pair[0], pair[1])
			if pair[0] == pair[1] {
				words = db.term(r.Network, "word", pair[0])
			}
			err := find("", `
				SELECT t.referral
				FROM referral_term t
				WHERE t.ix = $1 AND EXISTS (SELECT 1 FROM referral_term o WHERE o.ix = $2 AND o.referral = t.referral)
				ORDER BY t.referral DESC
				LIMIT `, db.term(r.Network, "born", r.Born.ISO()), words)
			if err != nil {
				return err
			}
		}
	}
	for id, found := range why {
		o, sealed, err := referralOf(tx, id, "")
		if err != nil {
			return err
		}
		if refusal, err := db.mayView(tx, who, o); err != nil {
			return err
		} else if refusal != nil || o.JoinedTo != 0 { // what was joined is told of with what goes on
			continue
		}
		if err := db.openReferral(&o, sealed, true); err != nil {
			return err
		}
		a := selfrefer.Alike{Referral: o, TwoNumbers: !r.NHS.IsZero() && !o.NHS.IsZero() && r.NHS.Reveal() != o.NHS.Reveal()}
		for _, l := range []selfrefer.Likeness{selfrefer.LikeNHS, selfrefer.LikeName, selfrefer.LikePhone} {
			named := l == selfrefer.LikeName && !r.Born.IsZero() && o.Born == r.Born && selfrefer.LikeNamed(r.Name, o.Name)
			rung := l == selfrefer.LikePhone && slices.ContainsFunc(numbersOf(o), func(p person.Phone) bool { return slices.Contains(numbersOf(r), p) })
			if slices.Contains(found, l) || named || rung {
				a.Why = append(a.Why, l)
			}
		}
		ended := !o.State.Open()
		if ended && a.SamePerson() && o.State != selfrefer.Duplicate {
			s.Earlier = append(s.Earlier, a)
		}
		if len(a.Why) > 0 && (!ended || o.State == selfrefer.InSupport || !a.SamePerson()) {
			s.Possible = append(s.Possible, a)
		}
	}
	newest := func(a, b selfrefer.Alike) int { return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.ID, a.ID)) }
	slices.SortFunc(s.Possible, newest)
	slices.SortFunc(s.Earlier, newest)
	return nil
}

// numbersOf are a person's own numbers: what was typed may be another than the one that was texted. A helper's number is not theirs.
func numbersOf(r selfrefer.Referral) (all []person.Phone) {
	if !r.Phone.IsZero() {
		all = append(all, r.Phone)
	}
	if p, err := person.ParsePhone(r.Answers.Phone); err == nil && !p.IsZero() && p != r.Phone {
		all = append(all, p)
	}
	return all
}

// saidDoc is the sealed document of a join: what the referral that goes on said itself.
type saidDoc struct {
	WhyUrgent   []string       `json:"why_urgent,omitempty"`
	CallSafe    selfrefer.Safe `json:"call_safe,omitempty"`
	TextSafe    selfrefer.Safe `json:"text_safe,omitempty"`
	MessageSafe selfrefer.Safe `json:"message_safe,omitempty"`
	IfAnother   string         `json:"if_another,omitempty"`
}

// whole is a referral with its whole sealed document.
type whole struct {
	selfrefer.Referral
	doc referralDoc
}

// both locks two referrals, in the order of their ids, and opens them. Whether who may look is asked of them as they stand now.
func (db *DB) both(tx *Tx, who staff.Account, a, b selfrefer.ReferralID) (first, second whole, refusal, err error) {
	read := func(w *whole, id selfrefer.ReferralID) (refusal, err error) {
		r, sealed, err := referralOf(tx, id, db.engine.lockClause())
		if err != nil {
			return nil, err
		}
		if refusal, err = db.mayTake(tx, who, r); err != nil || refusal != nil {
			return refusal, err
		}
		if err := db.openReferral(&r, sealed, true); err != nil {
			return nil, err
		}
		plain, err := db.sealer.open("referral", "person", strconv.FormatInt(int64(id), 10), sealed)
		if err != nil {
			return nil, fmt.Errorf("open referral %d: %w", id, err)
		}
		if json.Unmarshal(plain, &w.doc) != nil {
			return nil, fmt.Errorf("open referral %d: it cannot be read", id) // the error would quote it
		}
		w.Referral = r
		return nil, db.index(tx, r)
	}
	if a > b {
		second, first, refusal, err = db.both(tx, who, b, a)
		return first, second, refusal, err
	}
	if refusal, err = read(&first, a); err == nil && refusal == nil {
		refusal, err = read(&second, b)
	}
	return first, second, refusal, err
}

// reseal keeps what a referral says of safety and urgency.
func (db *DB) reseal(tx *Tx, id selfrefer.ReferralID, d referralDoc) error {
	sealed, err := db.sealReferral(int64(id), d)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE referral SET person = $1 WHERE id = $2`, sealed, int64(id)); err != nil {
		return fmt.Errorf("seal referral %d again: %w", id, err)
	}
	return nil
}

// mayJoin answers for two referrals, and tells in which ones they go on.
func (db *DB) mayJoin(tx *Tx, who staff.Account, ids ...selfrefer.ReferralID) (on []selfrefer.ReferralID, refusal, err error) {
	for _, id := range ids {
		r, _, err := referralOf(tx, id, "")
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return nil, nil, err
		}
		if refusal, err = db.mayView(tx, who, r); err != nil || refusal != nil {
			return nil, refusal, err
		}
		if id, err = endOf(tx, id); err != nil {
			return nil, nil, err
		}
		on = append(on, id)
	}
	return on, nil, nil
}

// Join makes one case of two referrals of one person; what it did, or why it did not, is audited in the same transaction. Each is followed to
// the referral in which it goes on already.
func (db *DB) Join(ctx context.Context, who staff.Account, id, other selfrefer.ReferralID) (on selfrefer.Referral, err error) {
	var refusal error
	err = db.write(ctx, "join referrals", func(tx *Tx) error {
		on = selfrefer.Referral{}
		var ids []selfrefer.ReferralID
		if ids, refusal, err = db.mayJoin(tx, who, id, other); err != nil {
			return err
		}
		if refusal == nil && ids[0] == ids[1] {
			refusal = selfrefer.ErrJoined
		}
		if refusal != nil {
			return db.auditReferral(tx, who, "referral.join", id, outcomeOf(refusal))
		}
		first, gone, refused, err := db.both(tx, who, ids[0], ids[1])
		if err != nil {
			return err
		}
		if refusal = refused; refusal == nil {
			if goes, _ := selfrefer.GoesOn(first.Referral, gone.Referral); goes.ID != first.ID {
				first, gone = gone, first
			}
			if refusal = behindWall(selfrefer.MayJoin(who, first.Referral, gone.Referral)); errors.Is(refusal, selfrefer.ErrTaken) || errors.Is(refusal, selfrefer.ErrNotNow) {
				on = gone.Referral // whoever has it must give it up
			}
			if refusal == nil && first.State == selfrefer.InSupport { // it cannot be taken from somebody who must not know of the other
				s, err := sight(tx, first.ClaimedBy, gone.Referral)
				if err != nil {
					return err
				}
				if s == selfrefer.Hidden {
					refusal = selfrefer.ErrHolderBarred
				}
			}
		}
		if refusal != nil {
			return db.auditReferral(tx, who, "referral.join", id, outcomeOf(refusal))
		}
		if on, err = db.join(tx, who, first, gone); err != nil {
			return err
		}
		if err := errors.Join(spread(tx, on.ID), db.evict(tx, who, on.ID)); err != nil {
			return err
		}
		return errors.Join(db.auditReferral(tx, who, "referral.join", first.ID, "done"), db.auditReferral(tx, who, "referral.join", gone.ID, "done"))
	})
	return on, errors.Join(err, refusal)
}

func (db *DB) join(tx *Tx, who staff.Account, first, second whole) (selfrefer.Referral, error) {
	on, doc, gone, goneDoc := first.Referral, first.doc, second.Referral, second.doc
	was, goneWas := on, gone
	said := saidDoc{doc.WhyUrgent, doc.Answers.CallSafe, doc.Answers.TextSafe, doc.Answers.MessageSafe, doc.Answers.IfAnother}
	doc.Answers.Heed(goneDoc.Answers)
	doc.WhyUrgent = slices.Clone(doc.WhyUrgent)
	for _, why := range goneDoc.WhyUrgent {
		if !slices.Contains(doc.WhyUrgent, why) {
			doc.WhyUrgent = append(doc.WhyUrgent, why)
		}
	}
	if err := db.goOn(tx, who, &on, &gone); err != nil {
		return on, err
	}
	now := timeOf(tx.now)
	gone.State, _ = selfrefer.Next(gone.State, selfrefer.MarkDuplicate)
	gone.ClosedAt, gone.JoinedTo, gone.HandedBy = now, on.ID, 0
	if err := errors.Join(db.stand(tx, was, on), db.stand(tx, goneWas, gone), db.reseal(tx, on.ID, doc), forgetSteps(tx, on.ID, gone.ID)); err != nil {
		return on, err
	}
	event := db.newID()
	err := errors.Join(db.noteEventAs(tx, event, who, on.ID, selfrefer.Contact{Event: selfrefer.Join}, about{other: gone.ID}),
		db.noteEventAs(tx, db.newID(), who, gone.ID, selfrefer.Contact{Event: selfrefer.MarkDuplicate}, about{other: on.ID}))
	if err != nil {
		return on, err
	}
	plain, err := json.Marshal(said)
	if err != nil {
		return on, fmt.Errorf("write what referral %d said: %w", on.ID, err)
	}
	sealed, err := db.sealer.seal("referral_join", "said", strconv.FormatInt(event, 10), plain)
	if err != nil {
		return on, err
	}
	args := []any{int64(gone.ID), int64(on.ID), event, tx.now, int64(who.ID), sealed}
	for _, r := range []selfrefer.Referral{goneWas, gone, was, on} {
		s, err := stoodAs(r).json()
		if err != nil {
			return on, err
		}
		args = append(args, s)
	}
	_, err = tx.Exec(`
		INSERT INTO referral_join (gone, goes_on, event, at, account, said, gone_was, gone_became, was, became, replies)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, (SELECT COUNT(*) FROM later_reply WHERE referral = $2))`, args...)
	if err != nil {
		return on, fmt.Errorf("join referral %d to %d: %w", gone.ID, on.ID, err)
	}
	on.Answers, on.WhyUrgent = doc.Answers, doc.WhyUrgent
	return on, moveTasks(tx, event, gone.ID, on.ID)
}

// moveTasks takes a referral's tasks to the one that it was joined to: what somebody has said they will do is done for the person.
func moveTasks(tx *Tx, event int64, from, to selfrefer.ReferralID) error {
	_, err := tx.Exec(`INSERT INTO task_joined (event, task) SELECT $1, id FROM task WHERE referral = $2`, event, int64(from))
	if err == nil {
		_, err = tx.Exec(`UPDATE task SET referral = $1 WHERE referral = $2`, int64(to), int64(from))
	}
	if err != nil {
		return fmt.Errorf("move the tasks of referral %d: %w", from, err)
	}
	return nil
}

// moveTasksBack gives them back.
func moveTasksBack(tx *Tx, event int64, to selfrefer.ReferralID) error {
	_, err := tx.Exec(`UPDATE task SET referral = $1 WHERE id IN (SELECT task FROM task_joined WHERE event = $2)`, int64(to), event)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM task_joined WHERE event = $1`, event)
	}
	if err != nil {
		return fmt.Errorf("move the tasks of referral %d back: %w", to, err)
	}
	return nil
}

// goOn gives the referral that goes on what it owes the other: the older promise, urgency, and that somebody is told.
func (db *DB) goOn(tx *Tx, who staff.Account, on, gone *selfrefer.Referral) error {
	if gone.Received.Before(on.Received) {
		on.Received = gone.Received
	}
	if gone.Due.Before(on.Due) {
		on.Due = gone.Due
	}
	if gone.Lane == selfrefer.Verified {
		on.Lane = selfrefer.Verified
	}
	if gone.Urgent {
		newly := !on.Urgent
		on.Urgent, on.Lane = true, selfrefer.Verified
		if newly {
			if err := db.outOfHands(tx, on); err != nil {
				return err
			}
			if on.ClaimedBy != 0 && on.ClaimedBy != who.ID {
				on.HandedBy = who.ID // it stands at the top of their pages until they open it
			}
		}
		if on.ClaimedBy == 0 { // who has waited for a claim does not begin to wait anew
			since := gone.Since()
			if !newly && on.Since().Before(since) {
				since = on.Since()
			}
			on.FreeSince = since
		}
	}
	if gone.EscalatedAt.After(on.EscalatedAt) {
		on.EscalatedTo, on.EscalatedAt, on.EscalatedSeen = gone.EscalatedTo, gone.EscalatedAt, gone.EscalatedSeen
		gone.EscalatedSeen = timeOf(max(msOf(gone.EscalatedSeen), tx.now)) // they are told of the one that goes on
	}
	return nil
}

// Separate takes a join back. What was joined stands again exactly as it did; what goes on gives back the promise, the urgency and the words
// that it took over, and keeps what was done with it since. Two things stand against it: that something else was joined since, to it or it to
// something, which is separated first; and a reply that came since, which may be urgent itself: then it stays as urgent as it is.
func (db *DB) Separate(ctx context.Context, who staff.Account, id selfrefer.ReferralID) (on selfrefer.Referral, err error) {
	var refusal error
	err = db.write(ctx, "separate referrals", func(tx *Tx) error {
		on = selfrefer.Referral{}
		r, _, err := referralOf(tx, id, "")
		if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
			return err
		}
		if refusal, err = db.mayView(tx, who, r); err != nil {
			return err
		}
		if refusal == nil && r.JoinedTo == 0 {
			refusal = selfrefer.ErrNotNow
		}
		if refusal == nil {
			if on, refusal, err = db.separate(tx, who, r); err != nil {
				return err
			}
		}
		if refusal == nil {
			err = db.auditReferral(tx, who, "referral.separate", on.ID, "done")
		}
		return errors.Join(err, db.auditReferral(tx, who, "referral.separate", id, outcomeOf(refusal)))
	})
	return on, errors.Join(err, refusal)
}

func (db *DB) separate(tx *Tx, who staff.Account, r selfrefer.Referral) (on selfrefer.Referral, refusal, err error) {
	second, first, refusal, err := db.both(tx, who, r.ID, r.JoinedTo)
	if err != nil || refusal != nil {
		return on, refusal, err
	}
	on, gone := first.Referral, second.Referral
	var event, replies, repliesNow, later int64
	var by staff.AccountID
	var sealed []byte
	var stands [4]string
	err = tx.QueryRow(`
		SELECT event, account, said, gone_was, gone_became, was, became, replies, (SELECT COUNT(*) FROM later_reply WHERE referral = j.goes_on),
		       (SELECT COUNT(*) FROM referral_join o WHERE o.goes_on = j.goes_on AND o.event > j.event)
		FROM referral_join j
		WHERE gone = $1 AND goes_on = $2`, int64(gone.ID), int64(on.ID)).
		Scan(&event, (*int64)(&by), &sealed, &stands[0], &stands[1], &stands[2], &stands[3], &replies, &repliesNow, &later)
	if errors.Is(notFound(err, selfrefer.ErrNotNow), selfrefer.ErrNotNow) {
		return on, selfrefer.ErrNotNow, nil // somebody was quicker
	}
	if err != nil {
		return on, nil, fmt.Errorf("read how referral %d was joined: %w", gone.ID, err)
	}
	var goneWas, goneBecame, was, became stood
	for i, s := range []*stood{&goneWas, &goneBecame, &was, &became} {
		if err := readStood(s, stands[i]); err != nil {
			return on, nil, err
		}
	}
	if on.JoinedTo != 0 || later > 0 {
		return on, selfrefer.ErrJoinedSince, nil
	}
	if refusal := behindWall(selfrefer.MaySeparate(who, on, by)); refusal != nil {
		return on, refusal, nil
	}
	goneNow := stoodAs(gone)
	if goneNow.EscalatedSeen = goneBecame.EscalatedSeen; goneNow != goneBecame {
		return on, selfrefer.ErrNotNow, nil
	}
	var said saidDoc
	plain, err := db.sealer.open("referral_join", "said", strconv.FormatInt(event, 10), sealed)
	if err != nil {
		return on, nil, err
	}
	if json.Unmarshal(plain, &said) != nil {
		return on, nil, fmt.Errorf("open what referral %d said: it cannot be read", on.ID) // the error would quote it
	}
	doc := first.doc
	a := &doc.Answers
	a.CallSafe, a.TextSafe, a.MessageSafe, a.IfAnother = said.CallSafe, said.TextSafe, said.MessageSafe, said.IfAnother
	as := on
	on = apart(stoodAs(on), was, became, repliesNow == replies).of(on)
	if repliesNow == replies {
		doc.WhyUrgent = said.WhyUrgent
	}
	err = errors.Join(db.stand(tx, as, on), db.stand(tx, gone, goneWas.of(gone)), db.reseal(tx, on.ID, doc), forgetSteps(tx, on.ID, gone.ID), moveTasksBack(tx, event, gone.ID),
		db.noteEventAs(tx, db.newID(), who, on.ID, selfrefer.Contact{Event: selfrefer.Separate}, about{other: gone.ID}),
		db.noteEventAs(tx, db.newID(), who, gone.ID, selfrefer.Contact{Event: selfrefer.Separate}, about{other: on.ID}))
	if err != nil {
		return on, nil, err
	}
	if _, err := tx.Exec(`DELETE FROM referral_join WHERE gone = $1`, int64(gone.ID)); err != nil {
		return on, nil, fmt.Errorf("separate referral %d from %d: %w", gone.ID, on.ID, err)
	}
	if err := errors.Join(spread(tx, on.ID), spread(tx, gone.ID)); err != nil {
		return on, nil, err
	}
	on.Answers, on.WhyUrgent = doc.Answers, doc.WhyUrgent
	return on, nil, nil
}

// apart takes from how a referral stands now what a join has changed, as far as nothing has changed it since.
func apart(now, was, became stood, quiet bool) stood {
	if now.Received == became.Received {
		now.Received = was.Received
	}
	if now.Due == became.Due {
		now.Due = was.Due
	}
	if quiet && now.Urgent == became.Urgent && now.Lane == became.Lane {
		now.Urgent, now.Lane = was.Urgent, was.Lane
	}
	if now.EscalatedTo == became.EscalatedTo && now.EscalatedAt == became.EscalatedAt && was.EscalatedAt != became.EscalatedAt {
		now.EscalatedTo, now.EscalatedAt, now.EscalatedSeen = was.EscalatedTo, was.EscalatedAt, was.EscalatedSeen
	}
	if now.State == became.State && now.ClaimedBy == became.ClaimedBy && now.ClaimedAt == became.ClaimedAt && now.FreeSince == became.FreeSince && now.HandedBy == became.HandedBy {
		now.State, now.ClaimedBy, now.ClaimedAt, now.FreeSince, now.HandedBy = was.State, was.ClaimedBy, was.ClaimedAt, was.FreeSince, was.HandedBy
	}
	return now
}
