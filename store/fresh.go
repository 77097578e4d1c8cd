package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

const (
	// freshIsOpen is true of a screening against a fresh list that is not over, exactly as in the unique index.
	freshIsOpen = `state IN ('counting', 'asking', 'removing')`
	// freshChunk patients are looked up and taken out in one transaction.
	freshChunk = 500
	// beingScreened is why nothing of a campaign is sent meanwhile: whom the fresh list takes out is not to be texted in the last minute.
	beingScreened = "The list is being screened against a fresh one."
	// screenedByNobody is it while a person has to answer.
	screenedByNobody = "A fresh list would take out many people, and somebody has to say whether it is the right one."
)

var (
	// errScreenedElsewhere is of a chunk that another process has looked at first.
	errScreenedElsewhere = errors.New("another process screens this campaign")
	// errNoScreening ends a screening that is over, or waits for a person.
	errNoScreening = errors.New("nothing is to be screened")
)

// freshenAtOnce is how many chunks the leader goes on with in one round of its work; whoever has started the screening does not stop before its end.
const freshenAtOnce = 20

// openFresh is the state of a campaign's open screening, "" if it has none. It takes the campaign's number.
func openFresh(id string) string {
	return `COALESCE((SELECT f.state FROM freshening f WHERE f.campaign = ` + id + ` AND f.` + freshIsOpen + `), '')`
}

func freshState(tx *Tx, id campaign.ID) (s campaign.FreshState, err error) {
	err = tx.QueryRow(`SELECT `+openFresh("$1"), int64(id)).Scan((*string)(&s))
	return s, err
}

// freshHold is why an open screening in that state keeps a campaign from being sent; "" if there is none.
func freshHold(s campaign.FreshState) string {
	switch s {
	case "":
		return ""
	case campaign.FreshAsking:
		return screenedByNobody
	}
	return beingScreened
}

const freshColumns = `f.id, f.campaign, f.audience, a.name, a.taken_on, a.screened_at, f.account, f.at, f.state, f.counts`

func scanFresh(r scanner, f *campaign.Freshening) error {
	var taken, screened, at int64
	var counts string
	err := r.Scan(&f.ID, (*int64)(&f.Campaign), (*int64)(&f.List), &f.ListName, &taken, &screened, (*int64)(&f.Account), &at, (*string)(&f.State), &counts)
	if err != nil {
		return err
	}
	f.ListAt, f.At = timeOf(takenOn(taken, screened)), timeOf(at)
	return json.Unmarshal([]byte(counts), &f.FreshCounts)
}

// Freshenings lists the screenings of a campaign's list against fresh ones, newest first.
func (db *DB) Freshenings(ctx context.Context, n staff.NetworkID, id campaign.ID) (all []campaign.Freshening, err error) {
	err = db.read(ctx, "fresh lists", func(tx *Tx) error {
		c, err := campaignOf(tx, n, id, "")
		if err != nil {
			return err
		}
		own, err := scanAudience(tx.QueryRow(`SELECT `+audienceColumns+` FROM audience WHERE id = $1`, int64(c.Audience)))
		if err != nil {
			return err
		}
		all, err = list(tx, scanFresh, `SELECT `+freshColumns+` FROM freshening f JOIN audience a ON a.id = f.audience WHERE f.campaign = $1 ORDER BY f.id DESC LIMIT 20`, int64(id))
		for i := range all {
			all[i].People = own.Ledger.Invited // a page must not count a million people
		}
		return err
	})
	return all, err
}

// StartFresh begins to screen a campaign's list against a fresh one. Nothing of the campaign is sent until it is over. The caller runs Freshen
// afterwards; if it does not, the leader does.
func (db *DB) StartFresh(ctx context.Context, who staff.Account, id campaign.ID, fresh campaign.AudienceID) error {
	return db.write(ctx, "start screening", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, db.engine.lockClause())
		if err != nil {
			return err
		}
		var planning int64
		if err := tx.QueryRow(`SELECT planning FROM campaign WHERE id = $1`, int64(id)).Scan(&planning); err != nil {
			return err
		}
		open, err := freshState(tx, id)
		if err != nil {
			return err
		}
		if open != "" || planning >= 0 || c.State != campaign.Running && c.State != campaign.Paused {
			return campaign.ErrNotNow
		}
		own, err := scanAudience(tx.QueryRow(`SELECT `+audienceColumns+` FROM audience WHERE id = $1`, int64(c.Audience)))
		if err != nil {
			return err
		}
		a, err := scanAudience(tx.QueryRow(`SELECT `+audienceColumns+` FROM audience WHERE id = $1 AND network = $2 AND state = $3`, int64(fresh), int64(who.Network), string(campaign.Screened)))
		switch {
		case err != nil:
			return notFound(err, campaign.ErrNotFound)
		case a.Synthetic && !own.Synthetic:
			return campaign.ErrSynthetic
		}
		if err := c.CheckFresh(a, own); err != nil {
			return err
		}
		shares, err := invitedByPractice(tx, c)
		if err != nil {
			return err
		}
		var missing campaign.ErrFreshLacks
		for _, s := range shares {
			var n int
			err := tx.QueryRow(`SELECT COUNT(*) FROM (SELECT 1 FROM patient WHERE audience = $1 AND practice = $2 AND invited LIMIT 1) AS one`, int64(fresh), s.ODS).Scan(&n)
			if err != nil {
				return err
			}
			if n == 0 {
				missing = append(missing, s.ODS)
			}
		}
		if len(missing) > 0 {
			return missing
		}
		_, err = tx.Exec(`INSERT INTO freshening (id, campaign, audience, account, at, state, done, counts) VALUES ($1, $2, $3, $4, $5, 'counting', 0, '{}')`,
			db.newID(), int64(id), int64(fresh), int64(who.ID), tx.now)
		if err != nil {
			return err
		}
		return db.auditFresh(tx, who, id, fmt.Sprintf("list %d", fresh))
	})
}

func (db *DB) auditFresh(tx *Tx, who staff.Account, id campaign.ID, what string) error {
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.EditCampaign), Target: fmt.Sprintf("campaign %d fresh %s", id, what), Outcome: "done"})
}

// ConfirmFresh takes a person's word that so many are to be taken out.
func (db *DB) ConfirmFresh(ctx context.Context, who staff.Account, id campaign.ID, number int) error {
	return db.answerFresh(ctx, who, id, "confirm", func(f campaign.Freshening) (campaign.FreshState, error) {
		if f.State != campaign.FreshAsking {
			return "", campaign.ErrNotNow
		}
		if f.Removed() != number {
			return "", campaign.ErrNumber
		}
		return campaign.FreshRemoving, nil
	})
}

// CancelFresh gives a screening up before anybody is taken out.
func (db *DB) CancelFresh(ctx context.Context, who staff.Account, id campaign.ID) error {
	return db.answerFresh(ctx, who, id, "cancel", func(f campaign.Freshening) (campaign.FreshState, error) {
		if f.State == campaign.FreshRemoving {
			return "", campaign.ErrNotNow
		}
		return campaign.FreshCancelled, nil
	})
}

func (db *DB) answerFresh(ctx context.Context, who staff.Account, id campaign.ID, what string, answer func(campaign.Freshening) (campaign.FreshState, error)) error {
	return db.write(ctx, "answer a screening", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, db.engine.lockClause())
		if err != nil {
			return err
		}
		f, err := freshOf(tx, c.ID)
		if errors.Is(err, errNoScreening) {
			return campaign.ErrNotNow
		}
		if err != nil {
			return err
		}
		to, err := answer(f)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE freshening SET state = $1, done = 0 WHERE id = $2`, string(to), f.ID); err != nil {
			return err
		}
		return db.auditFresh(tx, who, id, what)
	})
}

// freshOf is a campaign's open screening.
func freshOf(tx *Tx, id campaign.ID) (f campaign.Freshening, err error) {
	err = scanFresh(tx.QueryRow(`SELECT `+freshColumns+` FROM freshening f JOIN audience a ON a.id = f.audience WHERE f.campaign = $1 AND f.`+freshIsOpen, int64(id)), &f)
	return f, notFound(err, errNoScreening)
}

// Freshen goes on with a campaign's screening until it is over or has to ask. It goes on where a killed process stopped, and does nothing if there
// is none. Two may be at it at once.
func (db *DB) Freshen(ctx context.Context, id campaign.ID) error {
	more, err := true, error(nil)
	for more && err == nil {
		more, err = db.freshenSome(ctx, id)
	}
	return err
}

// freshenSome goes on with some chunks of a campaign's screening.
func (db *DB) freshenSome(ctx context.Context, id campaign.ID) (more bool, err error) {
	for range freshenAtOnce {
		more, err = db.freshenOn(ctx, id)
		switch {
		case errors.Is(err, errScreenedElsewhere):
			more = true
		case errors.Is(err, errNoScreening):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("screen campaign %d against a fresh list: %w", id, err)
		}
		if !more {
			return false, nil
		}
	}
	return true, ctx.Err()
}

// onList is one patient of a campaign's list and what a fresh list says of them.
type onList struct {
	id     int64
	nhs    []byte
	phone  []byte
	fresh  campaign.OnFresh
	shared bool // somebody else on the fresh list has their number
	waits  bool
	out    string
}

func (db *DB) freshenOn(ctx context.Context, id campaign.ID) (more bool, err error) {
	var c campaign.Campaign
	var f campaign.Freshening
	var done int64
	var people []onList
	err = db.read(ctx, "people to screen", func(tx *Tx) error {
		people = nil
		var err error
		if c, err = scanCampaign(tx.QueryRow(`SELECT `+campaignColumns+` FROM campaign WHERE id = $1`, int64(id))); err != nil {
			return err
		}
		if f, err = freshOf(tx, id); err != nil {
			return err
		}
		if f.State == campaign.FreshAsking {
			return errNoScreening // a person has to answer
		}
		if err := tx.QueryRow(`SELECT done FROM freshening WHERE id = $1`, f.ID).Scan(&done); err != nil {
			return err
		}
		people, err = list(tx, func(r scanner, p *onList) error { return r.Scan(&p.id, &p.nhs, &p.phone, &p.waits) }, `
			SELECT p.id, p.nhs_ix, p.phone_ix, EXISTS (
				SELECT 1 FROM message m WHERE m.campaign = $1 AND m.patient = p.id AND m.step = 1
				AND (m.state IN ('planned', 'released') OR m.state = 'suppressed' AND m.code = 'practice_disagrees'))
			FROM patient p
			WHERE p.audience = $2 AND p.id > $3 AND p.invited
			ORDER BY p.id
			LIMIT $4`, int64(id), int64(c.Audience), done, freshChunk)
		if err != nil || len(people) == 0 {
			return err
		}
		return lookUp(tx, f.List, people)
	})
	if err != nil {
		return false, err
	}
	if c.State != campaign.Running && c.State != campaign.Paused {
		return false, db.endFresh(ctx, c, f, campaign.FreshCancelled)
	}
	if f.State == campaign.FreshRemoving {
		return db.takeOut(ctx, c, f, done, people)
	}
	counts := f.FreshCounts
	if counts.Out == nil {
		counts.Out = map[string]int{}
	}
	from, next := done, campaign.FreshCounting
	for _, p := range people {
		done, counts.Looked = p.id, counts.Looked+1
		if p.waits {
			counts.Waiting++
		}
		switch {
		case p.out != "" && p.waits:
			counts.Out[p.out]++
		case p.out != "":
			counts.Texted++
		}
	}
	if len(people) == 0 {
		added, err := db.CountCohort(ctx, c.Network, f.List, campaign.Cohort{NotOn: c.Audience})
		if err != nil {
			return false, err
		}
		counts.New = 0
		for _, g := range added {
			counts.New += g.People
		}
		if done, next = 0, campaign.FreshRemoving; counts.Asks() {
			next = campaign.FreshAsking
		}
	}
	b, err := json.Marshal(counts)
	if err != nil {
		return false, err
	}
	return next != campaign.FreshAsking, db.write(ctx, "count whom a fresh list takes out", func(tx *Tx) error {
		n, err := tx.Exec(`UPDATE freshening SET done = $1, state = $2, counts = $3 WHERE id = $4 AND state = 'counting' AND done = $5`, done, string(next), string(b), f.ID, from)
		if err == nil && n == 0 {
			return errScreenedElsewhere
		}
		return err
	})
}

// lookUp finds what a fresh list says of people.
func lookUp(tx *Tx, fresh campaign.AudienceID, people []onList) error {
	by := map[string][]int{}
	persons, numbers := []any{int64(fresh)}, []any{int64(fresh)}
	for i, p := range people {
		by[string(p.nhs)] = append(by[string(p.nhs)], i)
		persons, numbers = append(persons, p.nhs), append(numbers, p.phone)
	}
	in := tx.engine.placeholders(1, 1, len(people))
	type row struct {
		nhs, phone []byte
		code       string
	}
	there, err := list(tx, func(r scanner, x *row) error { return r.Scan(&x.nhs, &x.phone) }, `SELECT nhs_ix, phone_ix FROM patient WHERE audience = $1 AND nhs_ix IN `+in, persons...)
	if err != nil {
		return err
	}
	for _, x := range there {
		for _, i := range by[string(x.nhs)] {
			people[i].fresh.Numbers = append(people[i].fresh.Numbers, x.phone)
		}
	}
	excluded, err := list(tx, func(r scanner, x *row) error { return r.Scan(&x.nhs, &x.phone, &x.code) }, `SELECT nhs_ix, phone_ix, code FROM not_invited WHERE audience = $1 AND nhs_ix IN `+in, persons...)
	if err != nil {
		return err
	}
	for _, x := range excluded {
		for _, i := range by[string(x.nhs)] {
			people[i].fresh.Codes, people[i].fresh.Excluded = append(people[i].fresh.Codes, x.code), append(people[i].fresh.Excluded, x.phone)
		}
	}
	holders, err := list(tx, func(r scanner, x *row) error { return r.Scan(&x.nhs, &x.phone) }, `SELECT nhs_ix, phone_ix FROM patient WHERE audience = $1 AND phone_ix IN `+in, numbers...)
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i := range people {
		at[string(people[i].phone)] = i // each number of a list is invited once
	}
	for _, x := range holders {
		if p := &people[at[string(x.phone)]]; string(x.nhs) != string(p.nhs) {
			p.shared = true
		}
	}
	for i := range people {
		people[i].out = people[i].fresh.TakeOut(people[i].phone)
	}
	return nil
}

// takeOut takes out whom a chunk has found, and is the end of the screening when the chunk is empty.
func (db *DB) takeOut(ctx context.Context, c campaign.Campaign, f campaign.Freshening, done int64, people []onList) (more bool, err error) {
	if len(people) == 0 {
		return false, db.endFresh(ctx, c, f, campaign.FreshDone)
	}
	byReason := map[string][]any{}
	var gone, shared []any
	for _, p := range people {
		switch {
		case p.out != "":
			byReason[p.out] = append(byReason[p.out], p.id)
			gone = append(gone, int64(c.ID), p.id, p.out)
		case p.shared:
			shared = append(shared, p.id)
		}
	}
	return true, db.write(ctx, "take people out", func(tx *Tx) error {
		n, err := tx.Exec(`UPDATE freshening SET done = $1 WHERE id = $2 AND state = 'removing' AND done = $3`, people[len(people)-1].id, f.ID, done)
		if err == nil && n == 0 {
			return errScreenedElsewhere
		}
		if err != nil {
			return err
		}
		if _, err := tx.bulkInsert(`INSERT INTO taken_out (campaign, patient, why)`, 3, gone, `ON CONFLICT (campaign, patient) DO NOTHING`); err != nil {
			return err
		}
		for why, ids := range byReason {
			of := ` AND id IN (SELECT id FROM message WHERE campaign = $3 AND patient IN ` + tx.engine.placeholders(3, 1, len(ids)) + `)`
			for _, from := range []campaign.MessageState{campaign.Planned, campaign.Released} {
				_, err := db.moved(tx, int64(c.ID), from, campaign.Suppressed, `
					UPDATE message SET state = 'suppressed', code = $1 WHERE state = $2`+of+` RETURNING id, attempt, rings, stratum, cost`, append([]any{why, string(from), int64(c.ID)}, ids...)...)
				if err != nil {
					return err
				}
			}
			// Whom their practice keeps back does not come back with it.
			back, err := list(tx, func(r scanner, stratum *int64) error { return r.Scan(stratum) },
				`UPDATE message SET code = $1 WHERE state = 'suppressed' AND code = $2`+of+` RETURNING stratum`, append([]any{why, campaign.DisagreesCode, int64(c.ID)}, ids...)...)
			if err != nil {
				return err
			}
			slices.Sort(back)
			for _, stratum := range back {
				if err := db.bumpCause(tx, int64(c.ID), stratum, campaign.Suppressed, campaign.DisagreesCode, -1); err != nil {
					return err
				}
			}
		}
		if len(shared) == 0 {
			return nil
		}
		// Somebody else has the number now too: the text carries no name.
		_, err = tx.Exec(`UPDATE message SET shared = TRUE WHERE campaign = $1 AND state IN ('planned', 'released', 'suppressed') AND patient IN `+tx.engine.placeholders(1, 1, len(shared)), append([]any{int64(c.ID)}, shared...)...)
		return err
	})
}

// endFresh ends a screening; done, the age of the campaign's list counts from the fresh one.
func (db *DB) endFresh(ctx context.Context, c campaign.Campaign, f campaign.Freshening, as campaign.FreshState) error {
	return db.write(ctx, "end a screening", func(tx *Tx) error {
		n, err := tx.Exec(`UPDATE freshening SET state = $1 WHERE id = $2 AND state = $3`, string(as), f.ID, string(f.State))
		if err == nil && n == 0 {
			return errScreenedElsewhere
		}
		if err != nil {
			return err
		}
		if as == campaign.FreshDone {
			if _, err := tx.Exec(`UPDATE campaign SET fresh_at = $1 WHERE id = $2`, msOf(f.ListAt), int64(c.ID)); err != nil {
				return err
			}
		}
		return db.audit(tx, staff.Entry{Network: c.Network, Account: f.Account, Action: string(staff.EditCampaign), Target: fmt.Sprintf("campaign %d fresh list %d", c.ID, f.List), Outcome: string(as)})
	})
}
