package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// personDoc is the sealed document of one person.
type personDoc struct {
	Given    string `json:"g,omitempty"`
	Family   string `json:"f,omitempty"`
	Born     string `json:"b,omitempty"` // 2006-01-02
	NHS      string `json:"n,omitempty"`
	Phone    string `json:"p,omitempty"` // E.164
	Postcode string `json:"c,omitempty"`
}

func (d personDoc) name() person.Name { return person.NewName(d.Given, d.Family) }

func (d personDoc) born() person.BirthDate { b, _ := person.ParseISO(d.Born); return b } // zero matches nobody

func (d personDoc) phone() person.Phone { p, _ := person.ParseE164(d.Phone); return p }

func (d personDoc) nhs() person.NHSNumber { n, _ := person.ParseNHSNumber(d.NHS); return n }

func (db *DB) sealPerson(table string, id int64, d personDoc) ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write a person: %w", err)
	}
	return db.sealer.seal(table, "person", strconv.FormatInt(id, 10), b)
}

func (db *DB) openPerson(table string, id int64, sealed []byte) (personDoc, error) {
	var d personDoc
	b, err := db.sealer.open(table, "person", strconv.FormatInt(id, 10), sealed)
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err != nil {
		return d, fmt.Errorf("open the person of %s %d: %w", table, id, err)
	}
	return d, nil
}

func (db *DB) phoneIndex(p person.Phone) []byte   { return db.sealer.index("phone", p.Reveal()) }
func (db *DB) nhsIndex(n person.NHSNumber) []byte { return db.sealer.index("nhs", n.Reveal()) }

// listImport is one patient list on its way in. It is not safe for concurrent use.
type listImport struct {
	db     *DB
	a      campaign.Audience
	screen *campaign.Screen
	seen   *seen
	batch  []prepared
	others []outcome
	ledger campaign.Ledger
	dryRun bool
	needs  map[string]int  // invited people with each code
	upload campaign.Upload // what it is read from; zero for none
	still  func()          // stops its heart
}

type prepared struct {
	campaign.Candidate
	phoneIx, nhsIx []byte
	outside        outside
}

type outcome struct {
	row        int
	kind, code string
}

// lasting are the exclusions by which a fresh list says something of a person, beside those whose rows are kept as patients.
func lasting(ex campaign.Exclusion) bool {
	return ex != campaign.ExDuplicatePerson && ex != campaign.ExSharedNumber
}

// importChunk rows are screened and written in one transaction: well below 50 ms of the writer.
const importChunk = 500

// BeginImport starts an audience. With dryRun everything is screened and nothing is written. A list is synthetic if the caller says so, or
// if any of its rows has a test NHS number.
func (db *DB) BeginImport(ctx context.Context, who staff.Account, name string, synthetic, dryRun bool) (campaign.Importer, error) {
	return db.beginImport(ctx, who, campaign.Audience{Name: name, Synthetic: synthetic}, campaign.Upload{}, dryRun)
}

// beginImport starts an audience, of an upload or of another audience if there is one.
func (db *DB) beginImport(ctx context.Context, who staff.Account, a campaign.Audience, u campaign.Upload, dryRun bool) (*listImport, error) {
	im := &listImport{db: db, ledger: campaign.NewLedger(), dryRun: dryRun, needs: map[string]int{}, upload: u, still: func() {},
		a: campaign.Audience{ID: campaign.AudienceID(db.newID()), Network: who.Network, Name: a.Name, State: campaign.Importing, Synthetic: a.Synthetic, CreatedBy: who.ID,
			ScreenedAt: a.ScreenedAt, TakenOn: a.TakenOn, FileOn: a.FileOn, Parent: a.Parent, Cohort: a.Cohort}}
	cohort, err := db.sealCohort(im.a)
	if err != nil {
		return nil, err
	}
	if im.seen, err = openSeen(db.cfg.DataDir); err != nil {
		return nil, err
	}
	im.screen = campaign.NewScreen(db.cfg.Now(), 0, im.seen)
	im.a.CreatedAt = db.cfg.Now().UTC()
	if dryRun {
		return im, nil
	}
	err = db.write(ctx, "begin import", func(tx *Tx) error {
		im.a.CreatedAt = timeOf(tx.now)
		_, err := tx.Exec(`
			INSERT INTO audience (id, network, name, state, synthetic, created_by, created_at, screened_at, ledger, parent, cohort, beat_at, upload)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '{}', $8, $9, $10, $11)`,
			int64(im.a.ID), int64(who.Network), im.a.Name, string(campaign.Importing), im.a.Synthetic, int64(who.ID), tx.now, int64(im.a.Parent), cohort, tx.machine, int64(u.ID))
		if err != nil || u.ID == 0 {
			return err
		}
		return running(tx.Exec(`UPDATE upload SET audience = $1 WHERE id = $2 AND run = $3 AND state = 'screening'`, int64(im.a.ID), int64(u.ID), u.Run))
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin an audience: %w", err), im.seen.close())
	}
	im.live()
	return im, nil
}

// Reject notes a row that could not be read.
func (im *listImport) Reject(ctx context.Context, row int, code string) error {
	im.ledger.Rows++
	im.ledger.Rejected[code]++
	im.others = append(im.others, outcome{row, "rejected", code})
	return im.maybeFlush(ctx)
}

// Candidate takes a readable row.
func (im *listImport) Candidate(ctx context.Context, c campaign.Candidate) error {
	im.ledger.Rows++
	im.a.Synthetic = im.a.Synthetic || c.NHSNumber.Synthetic()
	im.batch = append(im.batch, prepared{c, im.db.phoneIndex(c.Phone), im.db.nhsIndex(c.NHSNumber), inside})
	return im.maybeFlush(ctx)
}

func (im *listImport) maybeFlush(ctx context.Context) error {
	if len(im.batch) < importChunk && len(im.others) < importChunk {
		return nil
	}
	return im.flush(ctx)
}

func (im *listImport) flush(ctx context.Context) error {
	if len(im.batch) == 0 && len(im.others) == 0 {
		return nil
	}
	// Looked up outside the write: what changes in between is checked again when a text is claimed.
	var known []campaign.Known
	err := im.db.read(ctx, "screen rows", func(tx *Tx) (err error) {
		known, err = im.known(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("look up earlier contacts: %w", err)
	}
	rows, out := make([]any, 0, len(im.batch)*12), []any(nil)
	first := im.db.reserveIDs(len(im.batch))
	var marks []any
	for i, c := range im.batch {
		if c.outside != inside {
			if c.outside == outsideCounted {
				im.ledger.Excluded[string(campaign.ExNotInCohort)]++
				im.others = append(im.others, outcome{c.Row, "excluded", string(campaign.ExNotInCohort)})
			}
			if c.NHSNumber.IsZero() { // nobody inside has their number
				continue
			}
			row, err := im.stored(first+int64(i), c, false)
			if err != nil {
				return err
			}
			rows = append(rows, row...)
			continue
		}
		ex, err := im.screen.Row(c.Candidate, known[i], c.nhsIx, c.phoneIx)
		if err != nil {
			return fmt.Errorf("screen row %d: %w", c.Row, err)
		}
		if ex != "" {
			im.ledger.Excluded[string(ex)]++
			im.others = append(im.others, outcome{c.Row, "excluded", string(ex)})
			if ex != campaign.ExSharedNumber {
				if lasting(ex) {
					out = append(out, int64(im.a.ID), c.nhsIx, c.phoneIx, string(ex))
				}
				continue
			}
		} else {
			im.ledger.Invited++
		}
		if im.dryRun {
			continue
		}
		id := first + int64(i)
		row, err := im.stored(id, c, ex == "")
		if err != nil {
			return err
		}
		rows = append(rows, row...)
		marks = im.mark(marks, id, c.Needs, ex == "")
	}
	others := make([]any, 0, len(im.others)*4)
	for _, o := range im.others {
		others = append(others, int64(im.a.ID), o.row, o.kind, o.code)
	}
	im.batch, im.others = im.batch[:0], im.others[:0]
	if im.dryRun {
		return nil
	}
	return im.db.write(ctx, "import rows", func(tx *Tx) error {
		if _, err := tx.bulkInsert(`INSERT INTO patient (id, audience, row, invited, practice, age_band, sex, language, sector, person, phone_ix, nhs_ix)`, 12, rows, ""); err != nil {
			return err
		}
		if _, err := tx.bulkInsert(`INSERT INTO audience_row (audience, row, kind, code)`, 4, others, ""); err != nil {
			return err
		}
		if _, err := tx.bulkInsert(`INSERT INTO patient_need (audience, patient, ix)`, 3, marks, ""); err != nil {
			return err
		}
		if _, err := tx.bulkInsert(`INSERT INTO not_invited (audience, nhs_ix, phone_ix, code)`, 4, out, `ON CONFLICT (audience, nhs_ix, code) DO NOTHING`); err != nil {
			return err
		}
		return running(tx.Exec(`UPDATE audience SET done_rows = $1 WHERE id = $2 AND state = 'importing'`, im.ledger.Rows, int64(im.a.ID)))
	})
}

// stored gives a patient's columns.
func (im *listImport) stored(id int64, c prepared, invited bool) ([]any, error) {
	sealed, err := im.db.sealPerson("patient", id, personDoc{Given: c.Name.Given, Family: c.Name.Family, Born: c.BirthDate.ISO(),
		NHS: c.NHSNumber.Reveal(), Phone: c.Phone.Reveal(), Postcode: c.Postcode.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("seal row %d: %w", c.Row, err)
	}
	return []any{id, int64(im.a.ID), c.Row, invited, c.Practice, person.AgeBand(c.BirthDate.AgeOn(im.db.cfg.Now())), c.Sex, c.Language,
		c.Postcode.Sector(), sealed, c.phoneIx, c.nhsIx}, nil
}

// running turns "nothing was changed" into ErrConflict: the work was taken from whoever does it.
func running(n int64, err error) error {
	if err == nil && n == 0 {
		return campaign.ErrConflict
	}
	return err
}

// known looks a chunk up by number and by person.
func (im *listImport) known(tx *Tx) ([]campaign.Known, error) {
	known := make([]campaign.Known, len(im.batch))
	at := map[string][]int{} // index of a number or a person -> rows of the chunk
	var phones, persons []any
	for i, c := range im.batch {
		if c.outside != inside {
			continue
		}
		at["p"+string(c.phoneIx)] = append(at["p"+string(c.phoneIx)], i)
		at["n"+string(c.nhsIx)] = append(at["n"+string(c.nhsIx)], i)
		phones, persons = append(phones, c.phoneIx), append(persons, c.nhsIx)
	}
	if len(phones) == 0 {
		return known, nil
	}
	mark := func(kind string, note func(*campaign.Known), column, where string, ixs []any, fixed ...any) error {
		// Most lists come when there is nothing yet to look up in.
		there, probe, given := 0, where, fixed
		if table, _, dated := strings.Cut(where, " WHERE at > "); dated {
			probe, given = table, nil // no index leads to the young ones
		}
		if err := tx.QueryRow(`SELECT COUNT(*) FROM (SELECT 1 FROM `+probe+` LIMIT 1) AS one`, given...).Scan(&there); err != nil || there == 0 {
			return err
		}
		rows, err := tx.Query(`SELECT `+column+` FROM `+where+` AND `+column+` IN `+tx.engine.placeholders(len(fixed), 1, len(ixs)), append(fixed, ixs...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var ix []byte
			if err := rows.Scan(&ix); err != nil {
				return err
			}
			for _, i := range at[kind+string(ix)] {
				note(&known[i])
			}
		}
		return rows.Err()
	}
	suppressed := func(k *campaign.Known) { k.Suppressed = true }
	texted := func(k *campaign.Known) { k.RecentlyTexted = true }
	supported := func(k *campaign.Known) { k.AlreadySupported = true }
	network, since := int64(im.a.Network), tx.now-campaign.ContactGap.Milliseconds()
	const openReferral = `state IN ('new', 'claimed', 'contacting', 'in_support', 'onward')`
	return known, errors.Join(
		mark("p", suppressed, `ix`, `suppression WHERE network = $1 AND kind = 'phone'`, phones, network),
		mark("n", suppressed, `ix`, `suppression WHERE network = $1 AND kind = 'nhs'`, persons, network),
		mark("p", texted, `phone_ix`, `contact WHERE at > $1`, phones, since),
		mark("p", supported, `phone_ix`, `referral WHERE `+openReferral+` AND network = $1`, phones, network),
		mark("n", supported, `nhs_ix`, `referral WHERE `+openReferral+` AND network = $1`, persons, network),
	)
}

// Rename changes the list's name.
func (im *listImport) Rename(name string) { im.a.Name = name }

// Finish ends the import and gives the audience with its ledger.
func (im *listImport) Finish(ctx context.Context) (campaign.Audience, error) {
	defer im.still()
	if err := errors.Join(im.flush(ctx), im.seen.close()); err != nil {
		return campaign.Audience{}, err
	}
	im.a.Ledger, im.a.State = im.ledger, campaign.Screened
	if im.a.TakenOn.IsZero() {
		im.a.TakenOn = timeOf(dayOf(im.db.cfg.Now().UnixMilli()))
	}
	if !im.ledger.Balanced() {
		return campaign.Audience{}, fmt.Errorf("the ledger of list %d does not add up: %+v", im.a.ID, im.ledger)
	}
	if im.dryRun {
		return im.a, nil
	}
	ledger, err := json.Marshal(im.ledger)
	if err != nil {
		return campaign.Audience{}, fmt.Errorf("write the ledger: %w", err)
	}
	needs, err := im.db.sealNeeds(im.a.ID, im.needs)
	if err != nil {
		return campaign.Audience{}, err
	}
	err = im.db.write(ctx, "finish import", func(tx *Tx) error {
		if im.a.Parent == 0 { // one that was narrowed is as old as the list that it comes from
			im.a.ScreenedAt = timeOf(tx.now)
		}
		if im.upload.ID != 0 {
			err := running(tx.Exec(`UPDATE upload SET state = 'done' WHERE id = $1 AND run = $2 AND state = 'screening'`, int64(im.upload.ID), im.upload.Run))
			if err != nil {
				return err
			}
		}
		if err := im.db.audit(tx, staff.Entry{Network: im.a.Network, Account: im.a.CreatedBy, Action: string(staff.UploadList), Target: fmt.Sprintf("list %d", im.a.ID), Outcome: "done"}); err != nil {
			return err
		}
		return running(tx.Exec(`
			UPDATE audience
			SET state = $1, screened_at = $2, ledger = $3, synthetic = $4, name = $5, needs = $6, taken_on = $7, file_on = $8
			WHERE id = $9 AND state = 'importing'`, string(campaign.Screened), msOf(im.a.ScreenedAt), string(ledger), im.a.Synthetic, im.a.Name, needs,
			msOf(im.a.TakenOn), msOf(im.a.FileOn), int64(im.a.ID)))
	})
	return im.a, err
}

// Abandon gives an import up: nothing of it stays.
func (im *listImport) Abandon(ctx context.Context) error {
	im.still()
	closed := im.seen.close()
	if im.dryRun {
		return closed
	}
	there := int64(0)
	err := im.db.write(ctx, "abandon import", func(tx *Tx) (err error) {
		there, err = tx.Exec(`UPDATE audience SET state = $1 WHERE id = $2 AND state <> $3`, string(campaign.Abandoned), int64(im.a.ID), string(campaign.Interrupted))
		return err
	})
	if err == nil && there > 0 { // else somebody has ended it, and told of it
		err = im.db.dropAudience(ctx, im.a.ID)
	}
	return errors.Join(closed, err)
}

// dropAudience removes the rows of an abandoned audience in chunks, then the audience. Of one that was being narrowed the name stays: its file
// is not there to tell of it, as an upload's is.
func (db *DB) dropAudience(ctx context.Context, id campaign.AudienceID) error {
	for _, table := range []string{"patient_need", "patient", "audience_row", "not_invited"} {
		for n := int64(1); n > 0; {
			err := db.write(ctx, "drop rows", func(tx *Tx) (err error) {
				key := map[string]string{"patient_need": "patient", "patient": "id", "audience_row": "row", "not_invited": "nhs_ix"}[table]
				if _, err := tx.Exec(`UPDATE audience SET beat_at = $1 WHERE id = $2 AND state = $3`, tx.machine, int64(id), string(campaign.Abandoned)); err != nil {
					return err
				}
				n, err = tx.Exec(`DELETE FROM `+table+` WHERE audience = $1 AND `+key+` IN (SELECT `+key+` FROM `+table+` WHERE audience = $1 LIMIT 1000)`, int64(id))
				return err
			})
			if err != nil {
				return fmt.Errorf("drop rows of list %d: %w", id, err)
			}
		}
	}
	return db.write(ctx, "drop audience", func(tx *Tx) error {
		var network, by int64
		err := tx.QueryRow(`UPDATE audience SET state = $1 WHERE id = $2 AND state = $3 AND parent <> 0 RETURNING network, created_by`,
			string(campaign.Interrupted), int64(id), string(campaign.Abandoned)).Scan(&network, &by)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.Exec(`DELETE FROM audience WHERE id = $1 AND state = $2`, int64(id), string(campaign.Abandoned))
			return err
		}
		if err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: staff.NetworkID(network), Account: staff.AccountID(by), Action: string(staff.UploadList), Target: fmt.Sprintf("list %d", id), Outcome: "interrupted"})
	})
}

func scanIDs(rows *sql.Rows) (ids []int64, err error) {
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

const audienceColumns = `id, network, name, state, synthetic, created_by, created_at, screened_at, ledger, done_rows, parent, taken_on, file_on`

func scanAudience(row interface{ Scan(...any) error }) (a campaign.Audience, err error) {
	var created, screened, taken, file int64
	var ledger string
	err = row.Scan((*int64)(&a.ID), (*int64)(&a.Network), &a.Name, (*string)(&a.State), &a.Synthetic, (*int64)(&a.CreatedBy), &created, &screened, &ledger, &a.Done, (*int64)(&a.Parent), &taken, &file)
	if err != nil {
		return a, err
	}
	a.CreatedAt, a.ScreenedAt, a.Ledger = timeOf(created), timeOf(screened), campaign.NewLedger()
	a.TakenOn, a.FileOn = timeOf(takenOn(taken, screened)), timeOf(file)
	return a, json.Unmarshal([]byte(ledger), &a.Ledger)
}

// timeOf reads unix milliseconds; 0 is no time.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// msOf writes unix milliseconds; no time is 0.
func msOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Audience reads one list of a network.
func (db *DB) Audience(ctx context.Context, n staff.NetworkID, id campaign.AudienceID) (a campaign.Audience, err error) {
	err = db.read(ctx, "audience", func(tx *Tx) error {
		a, err = scanAudience(tx.QueryRow(`SELECT `+audienceColumns+` FROM audience WHERE id = $1 AND network = $2`, int64(id), int64(n)))
		if err != nil || a.Parent == 0 {
			return notFound(err, campaign.ErrNotFound)
		}
		a.Cohort, err = db.openCohort(tx, a.ID)
		return err
	})
	return a, err
}

// Audiences lists a network's lists, newest first.
func (db *DB) Audiences(ctx context.Context, n staff.NetworkID, limit int) (all []campaign.Audience, err error) {
	return db.AudiencesAfter(ctx, n, 0, limit)
}

// AudiencesAfter goes on behind the list that was told last; 0 begins with the newest.
func (db *DB) AudiencesAfter(ctx context.Context, n staff.NetworkID, after campaign.AudienceID, limit int) (all []campaign.Audience, err error) {
	err = db.read(ctx, "audiences", func(tx *Tx) error {
		all = nil
		rows, err := tx.Query(audiencesQuery, int64(n), beforeID(int64(after)), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			a, err := scanAudience(rows)
			if err != nil {
				return err
			}
			all = append(all, a)
		}
		return rows.Err()
	})
	return all, err
}

const audiencesQuery = `SELECT ` + audienceColumns + ` FROM audience WHERE network = $1 AND id < $2 AND state <> 'abandoned' ORDER BY id DESC LIMIT $3`

// beforeID is the bound of a listing that begins with the newest.
func beforeID(after int64) int64 {
	if after == 0 {
		return math.MaxInt64
	}
	return after
}

// NotInvited walks the rejected and excluded rows of a list in the file's order; after is the last row seen.
func (db *DB) NotInvited(ctx context.Context, n staff.NetworkID, id campaign.AudienceID, after, limit int) (all []campaign.NotInvited, err error) {
	if _, err := db.Audience(ctx, n, id); err != nil {
		return nil, err
	}
	err = db.read(ctx, "rows not invited", func(tx *Tx) error {
		rows, err := tx.Query(`SELECT row, kind, code FROM audience_row WHERE audience = $1 AND row > $2 ORDER BY row LIMIT $3`, int64(id), after, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r campaign.NotInvited
			if err := rows.Scan(&r.Row, &r.Kind, &r.Code); err != nil {
				return err
			}
			all = append(all, r)
		}
		return rows.Err()
	})
	return all, err
}

// notFound turns "no row" into the domain's error.
func notFound(err, as error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return as
	}
	return err
}
