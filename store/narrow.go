package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// outside says how a row that is not in the cohort is accounted for.
type outside int

const (
	inside         outside = iota
	outsideCounted         // here
	outsideKnown           // by the list that this one comes from
)

// knownNeeds is how many different codes a list can be narrowed by. More are no codes, but somebody's remarks: they are not kept.
const knownNeeds = 200

func (db *DB) needIndex(n staff.NetworkID, code string) []byte {
	return db.sealer.index("need", fmt.Sprintf("%d:%s", n, code))
}

// mark adds a person's needs to what is to be stored.
func (im *listImport) mark(marks []any, patient int64, needs string, invited bool) []any {
	if needs == "" {
		return marks
	}
	for code := range strings.SplitSeq(needs, ";") {
		if _, known := im.needs[code]; !known && len(im.needs) == knownNeeds {
			continue
		}
		if im.needs[code] += 0; invited {
			im.needs[code]++
		}
		marks = append(marks, int64(im.a.ID), patient, im.db.needIndex(im.a.Network, code))
	}
	return marks
}

func (db *DB) sealNeeds(id campaign.AudienceID, needs map[string]int) ([]byte, error) {
	if len(needs) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(needs)
	if err != nil {
		return nil, fmt.Errorf("write the needs of a list: %w", err)
	}
	return db.sealer.seal("audience", "needs", strconv.FormatInt(int64(id), 10), b)
}

func (db *DB) openNeeds(tx *Tx, id campaign.AudienceID) (needs map[string]int, err error) {
	return needs, db.openOf(tx, id, "needs", &needs)
}

// sealCohort seals how a list was narrowed: it may tell what all of its people suffer from.
func (db *DB) sealCohort(a campaign.Audience) ([]byte, error) {
	if a.Parent == 0 {
		return nil, nil
	}
	b, err := json.Marshal(a.Cohort)
	if err != nil {
		return nil, fmt.Errorf("write a cohort: %w", err)
	}
	return db.sealer.seal("audience", "cohort", strconv.FormatInt(int64(a.ID), 10), b)
}

func (db *DB) openCohort(tx *Tx, id campaign.AudienceID) (c campaign.Cohort, err error) {
	return c, db.openOf(tx, id, "cohort", &c)
}

func (db *DB) openOf(tx *Tx, id campaign.AudienceID, column string, into any) error {
	var sealed []byte
	if err := tx.QueryRow(`SELECT `+column+` FROM audience WHERE id = $1`, int64(id)).Scan(&sealed); err != nil || sealed == nil {
		return err
	}
	b, err := db.sealer.open("audience", column, strconv.FormatInt(int64(id), 10), sealed)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	return err
}

// cohortQuery is the beginning of queries that ask about a cohort of a list. Its expressions take the name of a table of patients.
type cohortQuery struct {
	db   *DB
	n    staff.NetworkID
	c    campaign.Cohort
	args []any // $1 is the list
}

// listed holds for those who are texted, or would be if nobody before them had their number. Others are kept for their number alone.
func listed(p string) string {
	return `(` + p + `.invited OR EXISTS (SELECT 1 FROM audience_row r WHERE r.audience = ` + p + `.audience AND r.row = ` + p + `.row AND r.code = 'shared_number'))`
}

func (q *cohortQuery) in(column string, values []string, value func(string) any) string {
	var names []string
	for _, v := range values {
		q.args = append(q.args, value(v))
		names = append(names, "$"+strconv.Itoa(len(q.args)))
	}
	return column + ` IN (` + strings.Join(names, ", ") + `)`
}

// holds is true of whoever is listed and in the cohort.
func (q *cohortQuery) holds(p string) string {
	all := []string{listed(p)}
	same := func(s string) any { return s }
	for _, g := range []struct {
		column string
		values []string
	}{{"practice", q.c.Practices}, {"age_band", q.c.AgeBands}, {"sex", q.c.Sexes}} {
		if len(g.values) > 0 {
			all = append(all, q.in(p+"."+g.column, g.values, same))
		}
	}
	if len(q.c.Needs) > 0 {
		all = append(all, `EXISTS (SELECT 1 FROM patient_need n WHERE n.audience = `+p+`.audience AND n.patient = `+p+`.id AND `+
			q.in("n.ix", q.c.Needs, func(s string) any { return q.db.needIndex(q.n, s) })+`)`)
	}
	if q.c.NotOn != 0 { // the plus keeps SQLite from walking that list for each person of this one
		q.args = append(q.args, int64(q.c.NotOn))
		for _, same := range []string{"nhs_ix", "phone_ix"} {
			all = append(all, `NOT EXISTS (SELECT 1 FROM patient o WHERE o.`+same+` = `+p+`.`+same+` AND +o.audience = $`+strconv.Itoa(len(q.args))+` AND `+listed("o")+`)`)
		}
	}
	return `(` + strings.Join(all, " AND ") + `)`
}

// knowsCohort is [campaign.ErrNotFound] if a cohort names a list that the network does not have.
func (db *DB) knowsCohort(ctx context.Context, n staff.NetworkID, c campaign.Cohort) error {
	if c.NotOn == 0 {
		return nil
	}
	_, err := db.Audience(ctx, n, c.NotOn)
	return err
}

// CountCohort counts, by practice, whom a list would text if it were narrowed: everybody of the cohort, but of those who share a number the
// first.
func (db *DB) CountCohort(ctx context.Context, n staff.NetworkID, id campaign.AudienceID, c campaign.Cohort) (all []campaign.GroupSize, err error) {
	if _, err := db.Audience(ctx, n, id); err != nil {
		return nil, err
	}
	if err := db.knowsCohort(ctx, n, c); err != nil {
		return nil, err
	}
	q := &cohortQuery{db: db, n: n, c: c, args: []any{int64(id)}}
	// The plus keeps SQLite from walking the whole list for each of its people.
	query := `
		SELECT p.practice, COUNT(*)
		FROM patient p
		WHERE p.audience = $1 AND ` + q.holds("p") + `
			AND NOT EXISTS (SELECT 1 FROM patient f WHERE f.phone_ix = p.phone_ix AND +f.audience = p.audience AND f.id < p.id AND ` + q.holds("f") + `)
		GROUP BY p.practice
		ORDER BY p.practice`
	err = db.read(ctx, "count cohort", func(tx *Tx) error {
		all, err = groupsOf(tx, query, q.args...)
		return err
	})
	return all, err
}

func groupsOf(tx *Tx, query string, args ...any) (all []campaign.GroupSize, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var g campaign.GroupSize
		if err := rows.Scan(&g.Value, &g.People); err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, rows.Err()
}

// Groups tells by what a list can be narrowed.
func (db *DB) Groups(ctx context.Context, n staff.NetworkID, id campaign.AudienceID) (g campaign.Groups, err error) {
	if _, err := db.Audience(ctx, n, id); err != nil {
		return g, err
	}
	err = db.read(ctx, "groups", func(tx *Tx) error {
		// One walk for all three, in the order in which the rows lie: with "AND invited" SQLite goes by practice, and to and fro over a long list.
		rows, err := tx.Query(`SELECT practice, age_band, sex, COUNT(*) FROM patient WHERE audience = $1 AND invited = $2 GROUP BY practice, age_band, sex`, int64(id), true)
		if err != nil {
			return err
		}
		defer rows.Close()
		practices, ages, sexes := map[string]int{}, map[string]int{}, map[string]int{}
		for rows.Next() {
			var practice, age, sex string
			var n int
			if err := rows.Scan(&practice, &age, &sex, &n); err != nil {
				return err
			}
			practices[practice] += n
			ages[age] += n
			sexes[sex] += n
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		g.Practices, g.AgeBands, g.Sexes = sizesOf(practices), sizesOf(ages), sizesOf(sexes)
		needs, err := db.openNeeds(tx, id)
		g.Needs = sizesOf(needs)
		return err
	})
	return g, err
}

// sizesOf lists groups by their values.
func sizesOf(people map[string]int) (all []campaign.GroupSize) {
	for value, n := range people {
		all = append(all, campaign.GroupSize{Value: value, People: n})
	}
	slices.SortFunc(all, func(a, b campaign.GroupSize) int { return strings.Compare(a.Value, b.Value) })
	return all
}

// BeginNarrow starts a list from the people of another who are in a cohort. Narrow fills it.
func (db *DB) BeginNarrow(ctx context.Context, who staff.Account, id campaign.AudienceID, c campaign.Cohort, name string) (campaign.Narrowing, error) {
	from, err := db.Audience(ctx, who.Network, id)
	if err != nil {
		return nil, err
	}
	if from.State != campaign.Screened {
		return nil, campaign.ErrNotNow
	}
	if err := db.knowsCohort(ctx, who.Network, c); err != nil {
		return nil, err
	}
	im, err := db.beginImport(ctx, who, campaign.Audience{Name: name, Synthetic: from.Synthetic, ScreenedAt: from.ScreenedAt, TakenOn: from.TakenOn, FileOn: from.FileOn, Parent: from.ID, Cohort: c}, campaign.Upload{}, false)
	if err != nil {
		return nil, err
	}
	return &narrowing{im, from}, nil
}

type narrowing struct {
	im   *listImport
	from campaign.Audience
}

func (w *narrowing) Audience() campaign.Audience { return w.im.a }

func (w *narrowing) Abandon(ctx context.Context) error { return w.im.Abandon(ctx) }

// Run fills the list. Whoever is in the cohort is screened again: they may have opted out since, and who is the first on a number may be
// another now. All other rows are accounted for as they were.
func (w *narrowing) Run(ctx context.Context) (campaign.Audience, error) {
	if err := w.copyRows(ctx); err != nil {
		return campaign.Audience{}, fmt.Errorf("copy the rows of list %d: %w", w.from.ID, err)
	}
	codes := map[string]string{}
	err := w.im.db.read(ctx, "needs", func(tx *Tx) error {
		needs, err := w.im.db.openNeeds(tx, w.from.ID)
		for code := range needs {
			codes[string(w.im.db.needIndex(w.from.Network, code))] = code
		}
		return err
	})
	for after, more := int64(0), true; err == nil && more; {
		after, more, err = w.people(ctx, after, codes)
	}
	if err != nil {
		return campaign.Audience{}, fmt.Errorf("narrow list %d: %w", w.from.ID, err)
	}
	return w.im.Finish(ctx)
}

// copyRows accounts for the rows that are no people of the list.
func (w *narrowing) copyRows(ctx context.Context) error {
	for after := -1; ; {
		rows, err := w.im.db.NotInvited(ctx, w.from.Network, w.from.ID, after, importChunk)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			after = r.Row
			if r.Code == string(campaign.ExSharedNumber) {
				continue
			}
			w.im.ledger.Rows++
			if r.Kind == "rejected" {
				w.im.ledger.Rejected[r.Code]++
			} else {
				w.im.ledger.Excluded[r.Code]++
			}
			w.im.others = append(w.im.others, outcome{r.Row, r.Kind, r.Code})
		}
		if err := w.im.maybeFlush(ctx); err != nil {
			return err
		}
	}
}

type narrowed struct {
	id      int64
	outside outside
	keep    bool // somebody inside has their number
	c       campaign.Candidate
	sealed  []byte
}

// people takes the next of the list's people, in the file's order.
func (w *narrowing) people(ctx context.Context, after int64, codes map[string]string) (last int64, more bool, err error) {
	var all []narrowed
	needs := map[int64][]string{}
	err = w.im.db.read(ctx, "people of a list", func(tx *Tx) error {
		all = nil
		q := &cohortQuery{db: w.im.db, n: w.from.Network, c: w.im.a.Cohort, args: []any{int64(w.from.ID)}}
		in, shares := q.holds("p"), q.holds("f")
		q.args = append(q.args, after)
		rows, err := tx.Query(`
			SELECT p.id, p.row, p.practice, p.sex, p.language, p.person, `+listed("p")+`, `+in+`,
				EXISTS (SELECT 1 FROM patient f WHERE f.phone_ix = p.phone_ix AND +f.audience = p.audience AND f.id <> p.id AND `+shares+`)
			FROM patient p
			WHERE p.audience = $1 AND p.id > $`+strconv.Itoa(len(q.args))+`
			ORDER BY p.id
			LIMIT `+strconv.Itoa(importChunk), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n narrowed
			var counts, in bool
			if err := rows.Scan(&n.id, &n.c.Row, &n.c.Practice, &n.c.Sex, &n.c.Language, &n.sealed, &counts, &in, &n.keep); err != nil {
				return err
			}
			switch {
			case !counts:
				n.outside = outsideKnown
			case !in:
				n.outside = outsideCounted
			}
			all = append(all, n)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(all) == 0 || len(codes) == 0 {
			return err
		}
		marks, err := tx.Query(`SELECT patient, ix FROM patient_need WHERE audience = $1 AND patient >= $2 AND patient <= $3`, int64(w.from.ID), all[0].id, all[len(all)-1].id)
		if err != nil {
			return err
		}
		defer marks.Close()
		for marks.Next() {
			var id int64
			var ix []byte
			if err := marks.Scan(&id, &ix); err != nil {
				return err
			}
			needs[id] = append(needs[id], codes[string(ix)])
		}
		return marks.Err()
	})
	if err != nil || len(all) == 0 {
		return after, false, err
	}
	for _, n := range all {
		if n.outside == inside || n.keep {
			doc, err := w.im.db.openPerson("patient", n.id, n.sealed)
			if err != nil {
				return after, false, err
			}
			n.c.NHSNumber, n.c.Name, n.c.BirthDate, n.c.Phone = doc.nhs(), doc.name(), doc.born(), doc.phone()
			n.c.Postcode, _ = person.ParsePostcode(doc.Postcode)
			n.c.Needs = strings.Join(needs[n.id], ";")
		}
		p := prepared{Candidate: n.c, outside: n.outside}
		if !n.c.NHSNumber.IsZero() {
			p.phoneIx, p.nhsIx = w.im.db.phoneIndex(n.c.Phone), w.im.db.nhsIndex(n.c.NHSNumber)
		}
		if n.outside != outsideKnown {
			w.im.ledger.Rows++
		}
		w.im.batch = append(w.im.batch, p)
	}
	return all[len(all)-1].id, true, w.im.maybeFlush(ctx)
}

// Compare tells what changed from an earlier list to a later one of the same network. It looks at keyed indexes alone.
func (db *DB) Compare(ctx context.Context, n staff.NetworkID, later, earlier campaign.AudienceID) (c campaign.Comparison, err error) {
	for _, id := range []campaign.AudienceID{later, earlier} {
		if a, err := db.Audience(ctx, n, id); err != nil {
			return c, err
		} else if a.State != campaign.Screened {
			return c, campaign.ErrNotNow
		}
	}
	const only = `
		SELECT COUNT(*)
		FROM patient p
		WHERE p.audience = $1 AND `
	const there = `EXISTS (SELECT 1 FROM patient q WHERE q.nhs_ix = p.nhs_ix AND +q.audience = $2 AND `
	err = db.read(ctx, "compare lists", func(tx *Tx) error {
		count := func(to *int, query string, a, b campaign.AudienceID) error {
			return tx.QueryRow(query, int64(a), int64(b)).Scan(to)
		}
		both := only + listed("p") + ` AND ` + there + listed("q")
		return errors.Join(
			count(&c.New, only+listed("p")+` AND NOT `+there+listed("q")+`)`, later, earlier),
			count(&c.Gone, only+listed("p")+` AND NOT `+there+listed("q")+`)`, earlier, later),
			count(&c.MovedPractice, both+` AND q.practice <> p.practice)`, later, earlier),
			count(&c.ChangedNumber, both+` AND q.phone_ix <> p.phone_ix)`, later, earlier),
			count(&c.Same, both+` AND q.practice = p.practice AND q.phone_ix = p.phone_ix)`, later, earlier),
		)
	})
	return c, err
}
