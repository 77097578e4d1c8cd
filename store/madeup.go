package store

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// MadeUp is a referral of nobody, for measurements.
type MadeUp struct {
	Name      person.Name
	NHS       person.NHSNumber
	Phone     person.Phone
	Born      person.BirthDate
	Reasons   []string
	Words     string
	State     selfrefer.State
	Urgent    bool
	Lane      selfrefer.Lane
	Practice  string
	Language  string
	Received  time.Time
	Due       time.Time
	ClaimedBy staff.AccountID
}

const madeUpChunk = 2000

// MakeUp fills a network with n referrals of nobody, which have everything that real ones have but a form and a history. It is for measurements:
// it holds the writer for as long as it likes. progress is told how many there are.
func (db *DB) MakeUp(ctx context.Context, network staff.NetworkID, team staff.TeamID, n int, of func(i int) MadeUp, progress func(int)) error {
	first := db.reserveIDs(n)
	var terms []termRow
	sums := map[string]int{}
	for at := 0; at < n; at += madeUpChunk {
		size := min(madeUpChunk, n-at)
		rows := make([]madeUpRow, size)
		var sealing errgroup.Group
		workers := runtime.GOMAXPROCS(0)
		for k := range workers {
			sealing.Go(func() error {
				for i := k; i < size; i += workers {
					if err := db.madeUp(&rows[i], network, team, first+int64(at+i), at+i, of(at+i)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := sealing.Wait(); err != nil {
			return fmt.Errorf("make up referrals: %w", err)
		}
		var values, reasons, asked []any
		for _, r := range rows {
			values, terms = append(values, r.values...), append(terms, r.terms...)
			sums[queueTally(countAll, r.ref, "")]++
			for _, reason := range reasonsOf(r.ref) {
				asked = append(asked, int64(r.ref.ID), reason)
			}
			if !r.ref.State.Open() {
				continue
			}
			sums[queueTally(countPractice, r.ref, r.ref.Practice)]++
			sums[queueTally(countLanguage, r.ref, r.ref.Language)]++
			for _, reason := range reasonsOf(r.ref) {
				sums[queueTally(countReason, r.ref, reason)]++
				reasons = append(reasons, int64(network), int64(team), reason, r.ref.Urgent, string(r.ref.Lane), msOf(r.ref.Due), int64(r.ref.ID), r.ref.Practice, r.ref.Language)
			}
		}
		err := db.write(ctx, "make up referrals", func(tx *Tx) error {
			if _, err := tx.bulkInsert(`INSERT INTO referral (id, network, team, campaign, message, patient, form_ix, reference, state, lane, urgent, source, not_matched,
				practice, language, received_at, due_at, contact_by, claimed_by, claimed_at, contacted_at, attempts, closed_at, person, phone_ix, nhs_ix, indexed)`, 27, values, ""); err != nil {
				return err
			}
			if _, err := tx.bulkInsert(`INSERT INTO referral_asked (referral, reason)`, 2, asked, ""); err != nil {
				return err
			}
			_, err := tx.bulkInsert(`INSERT INTO referral_reason (network, team, reason, urgent, lane, due_at, referral, practice, language)`, 9, reasons, "")
			return err
		})
		if err != nil {
			return fmt.Errorf("make up referrals: %w", err)
		}
		progress(at + size)
	}
	// In the order of the index: a million indexes one after the other land on the same pages.
	slices.SortFunc(terms, func(a, b termRow) int {
		if c := bytes.Compare(a.ix[:], b.ix[:]); c != 0 {
			return c
		}
		return int(a.referral - b.referral)
	})
	for len(terms) > 0 {
		some := terms[:min(5*madeUpChunk, len(terms))]
		terms = terms[len(some):]
		values := make([]any, 0, 2*len(some))
		for i := range some {
			values = append(values, some[i].ix[:], some[i].referral)
		}
		err := db.write(ctx, "make up terms", func(tx *Tx) error {
			_, err := tx.bulkInsert(`INSERT INTO referral_term (ix, referral)`, 2, values, "")
			return err
		})
		if err != nil {
			return fmt.Errorf("make up terms: %w", err)
		}
	}
	return db.write(ctx, "count what was made up", func(tx *Tx) error {
		for kind, n := range sums {
			if err := db.bump(tx, int64(network), kind, int64(team), 0, 0, n); err != nil {
				return err
			}
		}
		return nil
	})
}

type termRow struct {
	ix       [indexSize]byte
	referral int64
}

type madeUpRow struct {
	ref    selfrefer.Referral
	values []any
	terms  []termRow
}

func (db *DB) madeUp(row *madeUpRow, network staff.NetworkID, team staff.TeamID, id int64, i int, m MadeUp) error {
	d := referralDoc{Answers: selfrefer.Answers{Reasons: m.Reasons, Words: m.Words, CallSafe: selfrefer.SafeYes}, Person: personDoc{Given: m.Name.Given, Family: m.Name.Family, Phone: m.Phone.Reveal()}}
	if !m.NHS.IsZero() {
		d.Person.NHS = m.NHS.Reveal()
	}
	if !m.Born.IsZero() {
		d.Person.Born = m.Born.ISO()
	}
	sealed, err := db.sealReferral(id, d)
	if err != nil {
		return err
	}
	r := selfrefer.Referral{ID: selfrefer.ReferralID(id), Network: network, Team: team, State: m.State, Urgent: m.Urgent, Lane: m.Lane, Practice: m.Practice, Language: m.Language, Due: m.Due}
	r.Answers.Reasons = m.Reasons
	nhsIx := []byte{} // not the index of no number, which all who have none would share
	if !m.NHS.IsZero() {
		nhsIx = db.nhsIndex(m.NHS)
	}
	var contacted, closed int64
	if !m.State.Open() {
		contacted, closed = msOf(m.Due), msOf(m.Due)
	}
	reference := fmt.Sprintf("%08d", i)
	// Neither follows from the other's order: both are appended.
	row.values = []any{id, int64(network), int64(team), 0, 0, 0, fmt.Appendf(nil, "made up %10d", i), reference[:4] + "-" + reference[4:], string(m.State), string(m.Lane), m.Urgent, string(selfrefer.ByLink), "",
		m.Practice, m.Language, msOf(m.Received), msOf(m.Due), 0, int64(m.ClaimedBy), 0, contacted, 0, closed, sealed, db.phoneIndex(m.Phone), nhsIx, 2}
	for _, t := range db.nameTerms(network, selfrefer.NameWords(m.Name)) {
		row.terms = append(row.terms, termRow{[indexSize]byte(t), id})
	}
	if !m.Born.IsZero() {
		row.terms = append(row.terms, termRow{[indexSize]byte(db.term(network, "born", m.Born.ISO())), id})
	}
	row.ref = r
	return nil
}
