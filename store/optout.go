package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var (
	_ selfrefer.Undoer  = (*DB)(nil)
	_ selfrefer.OptOuts = (*DB)(nil)
)

// madeByReply is who made an opt-out that came from the number itself, by text.
const madeByReply = "reply"

// optOutRecord is an opt-out, or its undoing, as the journal keeps it.
type optOutRecord struct {
	Network   staff.NetworkID `json:"network"`
	TokenHash []byte          `json:"token,omitempty"`
	Phone     string          `json:"phone,omitempty"` // E.164
	NHS       string          `json:"nhs,omitempty"`   // of a list
	Why       string          `json:"why"`
	All       bool            `json:"all,omitempty"`
	At        int64           `json:"at"`
	// What the link led to, for a backup that is older than the text.
	PhoneIx  []byte     `json:"phone_ix,omitempty"`
	NHSIx    []byte     `json:"nhs_ix,omitempty"`
	Shared   bool       `json:"shared,omitempty"`
	Practice string     `json:"practice,omitempty"`
	Person   *personDoc `json:"person,omitempty"`
}

// madeBy names who may undo it: the link by its hash, or the number itself. Nobody undoes what came with a list.
func (r optOutRecord) madeBy() string {
	switch {
	case len(r.TokenHash) > 0:
		return "link " + hex.EncodeToString(r.TokenHash)
	case r.Why == selfrefer.WhyImported:
		return ""
	}
	return madeByReply
}

// OptOut keeps an opt-out the way a form is kept. [selfrefer.ErrNotFound] if its link belongs to no text: then nobody is out of reach.
func (db *DB) OptOut(ctx context.Context, o selfrefer.OptOut) error {
	if o.At.IsZero() {
		o.At = db.cfg.Now()
	}
	rec := optOutRecord{Network: o.Network, TokenHash: o.TokenHash, Why: o.Why, All: o.All, At: msOf(o.At)}
	if !o.Phone.IsZero() {
		rec.Phone = o.Phone.Reveal()
	}
	if len(rec.TokenHash) == 0 && rec.Phone == "" {
		return errors.New("keep an opt-out: it names neither a link nor a number")
	}
	db.lookUp(ctx, &rec)
	_, err := db.keepTwice(ctx, recordOptOut, rec, func(tx *Tx) error { _, err := db.keepOptOut(tx, rec); return err })
	return err
}

// Resume undoes an opt-out, kept as durably and in the same order. The undo of an opt-out that the journal alone has is kept there too.
func (db *DB) Resume(ctx context.Context, u selfrefer.Undo) error {
	if u.At.IsZero() {
		u.At = db.cfg.Now()
	}
	rec := optOutRecord{Network: u.Network, TokenHash: u.TokenHash, At: msOf(u.At)}
	if !u.Phone.IsZero() {
		rec.Phone = u.Phone.Reveal()
	}
	if len(rec.TokenHash) == 0 && rec.Phone == "" {
		return errors.New("undo an opt-out: it names neither a link nor a number")
	}
	db.lookUp(ctx, &rec)
	_, err := db.keepTwice(ctx, recordUndo, rec, func(tx *Tx) error { return db.keepUndo(tx, rec) })
	return err
}

// lookUp notes in a record what its link leads to. The record is kept all the same if that cannot be read.
func (db *DB) lookUp(ctx context.Context, rec *optOutRecord) {
	if len(rec.TokenHash) == 0 {
		return
	}
	err := db.read(ctx, "who opts out", func(tx *Tx) error {
		w, err := db.whoOptsOut(tx, *rec)
		if err == nil {
			rec.Network, rec.PhoneIx, rec.NHSIx, rec.Shared, rec.Practice, rec.Person = w.network, w.phoneIx, w.nhsIx, w.shared, w.practice, &w.doc
		}
		return err
	})
	if err != nil && !errors.Is(err, selfrefer.ErrNotFound) {
		db.log.Warn("cannot look up who opts out", slog.Any("error", err))
	}
}

// optingOut is whom an opt-out concerns.
type optingOut struct {
	message        int64
	network        staff.NetworkID
	phoneIx, nhsIx []byte // nhsIx is nil if the person is not known
	shared         bool   // several people are on the number
	practice       string
	doc            personDoc
}

// person is the index of the person who goes out of reach themselves, not only their number; nil if they cannot be told, or need not be.
func (w optingOut) person(why string) []byte {
	if w.shared || why != selfrefer.WhyDied && why != selfrefer.WhyMoved && why != selfrefer.WhyImported {
		return nil
	}
	return w.nhsIx
}

func (db *DB) whoOptsOut(tx *Tx, rec optOutRecord) (w optingOut, err error) {
	if len(rec.TokenHash) == 0 {
		w = optingOut{network: rec.Network, doc: personDoc{Phone: rec.Phone, NHS: rec.NHS}}
		if rec.Phone != "" {
			phone, err := person.ParseE164(rec.Phone)
			if err != nil {
				return w, errors.New("read the number of an opt-out: it is none") // the error would quote it
			}
			w.phoneIx = db.phoneIndex(phone)
		}
		if nhs := w.doc.nhs(); !nhs.IsZero() {
			w.nhsIx = db.nhsIndex(nhs)
		}
		return w, nil
	}
	var patient int64
	var sealed []byte
	err = tx.QueryRow(`
		SELECT m.id, m.phone_ix, m.shared, c.network, p.id, p.practice, p.nhs_ix, p.person
		FROM message m
		JOIN campaign c ON c.id = m.campaign
		JOIN patient p ON p.id = m.patient
		WHERE m.`+linkedBy, rec.TokenHash).Scan(&w.message, &w.phoneIx, &w.shared, (*int64)(&w.network), &patient, &w.practice, &w.nhsIx, &sealed)
	if errors.Is(err, sql.ErrNoRows) && len(rec.PhoneIx) > 0 {
		w = optingOut{network: rec.Network, phoneIx: rec.PhoneIx, nhsIx: rec.NHSIx, shared: rec.Shared, practice: rec.Practice}
		if rec.Person != nil {
			w.doc = *rec.Person
		}
		return w, nil
	}
	if err != nil {
		return w, notFound(err, selfrefer.ErrNotFound)
	}
	w.doc, err = db.openPerson("patient", patient, sealed)
	return w, err
}

// networksOf are those that an opt-out counts for: all of them if it was a reply to a sender that several share.
func networksOf(tx *Tx, n staff.NetworkID) ([]staff.NetworkID, error) {
	if n != 0 {
		return []staff.NetworkID{n}, nil
	}
	return list(tx, func(r scanner, n *staff.NetworkID) error { return r.Scan((*int64)(n)) }, `SELECT id FROM network ORDER BY id`)
}

// keepOptOut is the database's half of OptOut. It locks the number's row, as a claim does: whoever comes second sees what the first did.
// The messages themselves stay as they are; the claim refuses them. fresh is whether anybody goes out of reach who was not before.
func (db *DB) keepOptOut(tx *Tx, rec optOutRecord) (fresh bool, err error) {
	w, err := db.whoOptsOut(tx, rec)
	if err != nil {
		return false, err
	}
	networks, err := networksOf(tx, w.network)
	if err != nil {
		return false, err
	}
	target := "reply"
	switch {
	case len(rec.TokenHash) > 0:
		target = fmt.Sprintf("message %d", w.message)
	case rec.Why == selfrefer.WhyImported:
		target = "list"
	}
	if err := db.lockNumbers(tx, w, rec.Why); err != nil {
		return false, err
	}
	if w.message != 0 {
		if err := db.tokenSeen(tx, rec.TokenHash, w.message, true); err != nil {
			return false, fmt.Errorf("note that the link was used: %w", err)
		}
	}
	for _, n := range networks {
		s := suppression{network: int64(n), why: rec.Why, at: rec.At, madeBy: rec.madeBy()}
		if ix := w.person(rec.Why); len(ix) > 0 {
			s.kind, s.ix, s.who = "nhs", ix, w.doc.NHS
			added, err := db.suppressed(tx, s)
			if err != nil {
				return false, err
			}
			fresh = fresh || added
		}
		// Somebody else may answer the phone of a person who died and want to hear from us; but if we cannot tell who died, nobody is texted.
		if w.phoneIx != nil && (rec.Why != selfrefer.WhyDied || w.person(rec.Why) == nil) {
			s.kind, s.ix, s.who = "phone", w.phoneIx, w.doc.Phone
			added, err := db.suppressed(tx, s)
			if err != nil {
				return false, err
			}
			fresh = fresh || added
		}
		if err := db.askToCorrect(tx, n, rec, w); err != nil {
			return false, err
		}
		if rec.Why == selfrefer.WhyImported {
			continue // the list is audited as a whole
		}
		if err := db.tellOptOut(tx, n, rec, w); err != nil {
			return false, err
		}
		if err := db.audit(tx, staff.Entry{Network: n, Action: "optout", Target: target, Outcome: rec.Why}); err != nil {
			return false, err
		}
	}
	return fresh, nil
}

// lockNumbers makes an opt-out wait for the claims of everybody whom it concerns. A list from another system may name a person alone: a claim
// locks numbers, so the numbers that the person has are locked too, always in one order.
func (db *DB) lockNumbers(tx *Tx, w optingOut, why string) error {
	var numbers [][]byte
	if w.phoneIx != nil {
		numbers = append(numbers, w.phoneIx)
	}
	if why == selfrefer.WhyImported && w.nhsIx != nil {
		theirs, err := list(tx, func(r scanner, ix *[]byte) error { return r.Scan(ix) }, `SELECT DISTINCT phone_ix FROM patient WHERE nhs_ix = $1`, w.nhsIx)
		if err != nil {
			return fmt.Errorf("find the numbers of a person: %w", err)
		}
		numbers = append(numbers, theirs...)
	}
	slices.SortFunc(numbers, bytes.Compare)
	for _, ix := range slices.CompactFunc(numbers, bytes.Equal) {
		if err := db.lockNumber(tx, ix); err != nil {
			return err
		}
	}
	return nil
}

// suppression is a number or a person who must not be texted. The number itself is kept sealed beside its blind index, after the list that it
// came from is deleted too: without it nobody could give another system the list of those who want no texts, and they would be asked again.
type suppression struct {
	network int64
	kind    string // phone, nhs
	ix      []byte
	why     string
	at      int64
	madeBy  string
	who     string // "" if not known
}

func (db *DB) suppress(tx *Tx, s suppression) error {
	_, err := db.suppressed(tx, s)
	return err
}

// suppressed puts somebody out of reach and tells whether they were not before. What two have asked for, neither can undo alone: then nobody
// can.
func (db *DB) suppressed(tx *Tx, s suppression) (fresh bool, err error) {
	var who any // NULL if not known
	if s.who != "" {
		if who, err = db.sealer.seal("suppression", "who", suppressionRow(s.network, s.kind, s.ix), []byte(s.who)); err != nil {
			return false, err
		}
	}
	n, err := tx.Exec(`
		INSERT INTO suppression (network, kind, ix, why, at, made_by, who) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (network, kind, ix) DO NOTHING`, s.network, s.kind, s.ix, s.why, s.at, s.madeBy, who)
	if err != nil {
		return false, fmt.Errorf("put a number out of reach: %w", err)
	}
	if n > 0 {
		return true, nil
	}
	_, err = tx.Exec(`
		UPDATE suppression
		SET made_by = CASE WHEN made_by = $4 THEN made_by ELSE '' END, at = CASE WHEN at < $5 THEN $5 ELSE at END, who = COALESCE(who, $6)
		WHERE network = $1 AND kind = $2 AND ix = $3`, s.network, s.kind, s.ix, s.madeBy, s.at, who)
	if err != nil {
		return false, fmt.Errorf("put a number out of reach again: %w", err)
	}
	return false, nil
}

func suppressionRow(network int64, kind string, ix []byte) string {
	return strconv.FormatInt(network, 10) + " " + kind + " " + hex.EncodeToString(ix)
}

// keepUndo is the database's half of Resume. It takes the same lock as an opt-out and a claim, and lifts nothing that was asked for after it:
// a journal that is replayed may tell it again.
func (db *DB) keepUndo(tx *Tx, rec optOutRecord) error {
	w, err := db.whoOptsOut(tx, rec)
	if err != nil {
		return err
	}
	networks, err := networksOf(tx, w.network)
	if err != nil {
		return err
	}
	if err := db.lockNumber(tx, w.phoneIx); err != nil {
		return err
	}
	target := "reply"
	if w.message != 0 {
		target = fmt.Sprintf("message %d", w.message)
	}
	since, nhsIx := rec.At-selfrefer.UndoWithin.Milliseconds(), slices.Concat([]byte{}, w.nhsIx)
	lifted := int64(0)
	for _, n := range networks {
		gone, err := tx.Exec(`
			DELETE FROM suppression
			WHERE network = $1 AND made_by = $2 AND at <= $3 AND at >= $4 AND (kind = 'phone' AND ix = $5 OR kind = 'nhs' AND ix = $6)`,
			int64(n), rec.madeBy(), rec.At, since, w.phoneIx, nhsIx)
		if err != nil {
			return fmt.Errorf("lift an opt-out: %w", err)
		}
		if gone == 0 {
			continue
		}
		lifted += gone
		_, err = tx.Exec(`
			UPDATE correction
			SET withdrawn_at = $3
			WHERE network = $1 AND made_by = $2 AND at <= $3 AND subject = $4`, int64(n), rec.madeBy(), rec.At, w.phoneIx)
		if err != nil {
			return fmt.Errorf("withdraw a correction: %w", err)
		}
		if err := db.tellUndone(tx, n, w.phoneIx, rec.At); err != nil {
			return err
		}
		if err := db.audit(tx, staff.Entry{Network: n, Action: "optout.undo", Target: target, Outcome: "done"}); err != nil {
			return err
		}
	}
	if lifted == 0 {
		return selfrefer.ErrNothingToUndo
	}
	return nil
}

// askToCorrect puts on the practice's list what only the practice can put right.
func (db *DB) askToCorrect(tx *Tx, n staff.NetworkID, rec optOutRecord, w optingOut) error {
	var whys []string
	switch rec.Why {
	case selfrefer.WhyNotMe, selfrefer.WhyMoved, selfrefer.WhyDied:
		whys = append(whys, rec.Why)
	}
	if rec.All {
		whys = append(whys, selfrefer.WhyAllTexts)
	}
	for _, why := range whys {
		doc := w.doc
		if w.shared {
			doc = personDoc{Phone: w.doc.Phone}
		}
		id := db.newID()
		sealed, err := db.sealPerson("correction", id, doc)
		if err != nil {
			return err
		}
		added, err := tx.Exec(`
			INSERT INTO correction (id, network, why, subject, practice, shared, person, made_by, at, done_at, done_by, withdrawn_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0)
			ON CONFLICT (network, why, subject) DO NOTHING`,
			id, int64(n), why, w.phoneIx, w.practice, w.shared, sealed, rec.madeBy(), rec.At)
		if err == nil && added == 0 { // asked for again, after it had been taken back
			_, err = tx.Exec(`
				UPDATE correction
				SET at = $4, made_by = $5, done_at = 0, done_by = 0, withdrawn_at = 0
				WHERE network = $1 AND why = $2 AND subject = $3 AND withdrawn_at > 0 AND withdrawn_at < $4`, int64(n), why, w.phoneIx, rec.At, rec.madeBy())
		}
		if err == nil && added > 0 {
			err = db.announce(tx, n, selfrefer.Delivery{Event: selfrefer.HookCorrection, About: id, Practice: w.practice, Code: why})
		}
		if err != nil {
			return fmt.Errorf("ask a practice for a correction: %w", err)
		}
	}
	return nil
}

// openCorrections are those that somebody still has to do; one that was done and then taken back is to be done the other way round.
const openCorrections = `(done_at = 0 AND withdrawn_at = 0 OR done_at > 0 AND withdrawn_at >= done_at)`

// Corrections lists what the practices of a network still have to put right, oldest first. Who looked is in the audit.
func (db *DB) Corrections(ctx context.Context, n staff.NetworkID, by staff.AccountID) (all []selfrefer.Correction, err error) {
	return db.CorrectionsAfter(ctx, n, by, time.Time{}, 0, math.MaxInt32)
}

const correctionsQuery = `
	SELECT id, network, why, practice, shared, at, withdrawn_at, person
	FROM correction
	WHERE network = $1 AND (at, id) > ($2, $3) AND ` + openCorrections + `
	ORDER BY at, id
	LIMIT $4`

// CorrectionsAfter goes on behind the one that was told last, which came at a time; the zero values begin with the oldest.
func (db *DB) CorrectionsAfter(ctx context.Context, n staff.NetworkID, by staff.AccountID, at time.Time, after int64, limit int) (all []selfrefer.Correction, err error) {
	err = db.write(ctx, "list corrections", func(tx *Tx) error {
		all, err = list(tx, func(row scanner, c *selfrefer.Correction) error {
			var at, withdrawn int64
			var sealed []byte
			if err := row.Scan(&c.ID, (*int64)(&c.Network), &c.Why, &c.Practice, &c.Shared, &at, &withdrawn, &sealed); err != nil {
				return err
			}
			d, err := db.openPerson("correction", c.ID, sealed)
			c.At, c.Withdrawn = timeOf(at), withdrawn > 0
			c.Name, c.Born, c.NHS, c.Phone = d.name(), d.born(), d.nhs(), d.phone()
			return err
		}, correctionsQuery, int64(n), msOf(at), after, limit)
		if err != nil {
			return fmt.Errorf("list corrections: %w", err)
		}
		return db.audit(tx, staff.Entry{Network: n, Account: by, Action: "correction.list", Target: fmt.Sprintf("%d corrections", len(all)), Outcome: "done"})
	})
	return all, err
}

// Corrected ticks a correction off. Twice does no harm.
func (db *DB) Corrected(ctx context.Context, n staff.NetworkID, by staff.AccountID, id int64) error {
	return db.write(ctx, "tick a correction", func(tx *Tx) error {
		found, err := tx.Exec(`
			UPDATE correction
			SET done_at = CASE WHEN withdrawn_at >= $3 THEN withdrawn_at + 1 ELSE $3 END, done_by = $4
			WHERE id = $1 AND network = $2`, id, int64(n), max(tx.now, 1), int64(by))
		if err != nil {
			return fmt.Errorf("tick correction %d: %w", id, err)
		}
		if found == 0 {
			return staff.ErrNotFound
		}
		return db.audit(tx, staff.Entry{Network: n, Account: by, Action: "correction.done", Target: fmt.Sprintf("correction %d", id), Outcome: "done"})
	})
}

// correctionLife is how long a correction is kept once it is done or taken back.
const correctionLife = 60 * 24 * time.Hour

// PurgeCorrections removes those that nobody has to do any more, and returns how many there were.
func (db *DB) PurgeCorrections(ctx context.Context) (n int64, err error) {
	err = db.write(ctx, "purge corrections", func(tx *Tx) error {
		n, err = tx.Exec(`
			DELETE FROM correction
			WHERE NOT `+openCorrections+` AND done_at <= $1 AND withdrawn_at <= $1`, tx.now-correctionLife.Milliseconds())
		return err
	})
	return n, err
}

// importAtOnce is how many rows of a list are on their way: they share the commits of the database and of the journal.
const importAtOnce = 64

// ImportOptOuts puts the rows of a list out of reach. Each takes the lock of its number, as a claim does, and is in force before the next.
// The process that serves keeps them in its journal as well.
func (db *DB) ImportOptOuts(ctx context.Context, n staff.NetworkID, by staff.AccountID, rows []selfrefer.OptOutRow, dryRun bool) (selfrefer.OptOutLedger, error) {
	l := selfrefer.OptOutLedger{Rows: len(rows), DryRun: dryRun, Journaled: db.cfg.Serve && !dryRun}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	places := make(chan struct{}, importAtOnce)
	seen := map[string]bool{} // of this list: the second row of a number is already there, on a dry run as well
	for _, row := range rows {
		if row.Problem != "" {
			l.Unreadable++
			l.Problems = append(l.Problems, selfrefer.RowProblem{Row: row.Row, Code: row.Problem})
			continue
		}
		rec := optOutRecord{Network: n, Why: selfrefer.WhyImported, At: msOf(db.cfg.Now())}
		if !row.Phone.IsZero() {
			rec.Phone = row.Phone.Reveal()
		}
		if !row.NHS.IsZero() {
			rec.NHS = row.NHS.Reveal()
		}
		if key := rec.Phone + " " + rec.NHS; seen[key] {
			mu.Lock()
			l.Already++
			mu.Unlock()
			continue
		} else {
			seen[key] = true
		}
		if ctx.Err() != nil {
			break
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			fresh, err := db.importOne(ctx, rec, dryRun)
			if err != nil {
				cancel(fmt.Errorf("import opt-outs: row %d: %w", row.Row, err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if fresh {
				l.Added++
			} else {
				l.Already++
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return l, err // what is in force stays; the list can be imported again
	}
	if !l.Balanced() {
		return l, fmt.Errorf("the ledger of the opt-outs does not add up: %+v", l)
	}
	if dryRun {
		return l, nil
	}
	err := db.write(ctx, "audit opt-outs", func(tx *Tx) error {
		return db.audit(tx, staff.Entry{Network: n, Account: by, Action: "optout.import", Target: fmt.Sprintf("%d rows", l.Rows), Outcome: fmt.Sprintf("%d added", l.Added)})
	})
	return l, err
}

func (db *DB) importOne(ctx context.Context, rec optOutRecord, dryRun bool) (fresh bool, err error) {
	switch {
	case dryRun:
		err = db.read(ctx, "try an opt-out", func(tx *Tx) error {
			w, err := db.whoOptsOut(tx, rec)
			if err != nil {
				return err
			}
			var there int
			err = tx.QueryRow(`
				SELECT COUNT(*) FROM suppression WHERE network = $1 AND (kind = 'phone' AND ix = $2 OR kind = 'nhs' AND ix = $3)`,
				int64(rec.Network), slices.Concat([]byte{}, w.phoneIx), slices.Concat([]byte{}, w.nhsIx)).Scan(&there)
			wanted := 0
			for _, ix := range [][]byte{w.phoneIx, w.nhsIx} {
				if ix != nil {
					wanted++
				}
			}
			fresh = there < wanted
			return err
		})
	case db.cfg.Serve:
		var stored bool
		stored, err = db.keepTwice(ctx, recordOptOut, rec, func(tx *Tx) (err error) { fresh, err = db.keepOptOut(tx, rec); return err })
		fresh = fresh || err == nil && !stored
	default: // beside a serving process, whose journal is its own
		err = db.write(ctx, "import an opt-out", func(tx *Tx) (err error) { fresh, err = db.keepOptOut(tx, rec); return err })
	}
	return fresh, err
}

// ExportOptOuts gives all opt-outs of a network for another system. Those of which only the blind index is left are counted.
func (db *DB) ExportOptOuts(ctx context.Context, n staff.NetworkID, by staff.AccountID) (out selfrefer.Exported, err error) {
	err = db.read(ctx, "export opt-outs", func(tx *Tx) (err error) {
		out, _, err = db.exported(tx, n, `SELECT kind, ix, why, at, who FROM suppression WHERE network = $1 ORDER BY at, kind, ix`, int64(n))
		return err
	})
	if err != nil {
		return selfrefer.Exported{}, err
	}
	return out, db.auditExport(ctx, n, by, len(out.Rows))
}

// optOutKey is the place of an opt-out in the order in which they are paged.
type optOutKey struct {
	Kind string
	Ix   []byte
}

// exported reads opt-outs, and where each stands.
func (db *DB) exported(tx *Tx, n staff.NetworkID, query string, args ...any) (out selfrefer.Exported, at []optOutKey, err error) {
	at, err = list(tx, func(row scanner, k *optOutKey) error {
		var s selfrefer.Suppressed
		var sealed []byte
		var at int64
		if err := row.Scan(&k.Kind, &k.Ix, &s.Why, &at, &sealed); err != nil {
			return err
		}
		if sealed == nil {
			out.Blind++
			return nil
		}
		plain, err := db.sealer.open("suppression", "who", suppressionRow(int64(n), k.Kind, k.Ix), sealed)
		if err != nil {
			return err
		}
		s.At = timeOf(at)
		if k.Kind == "nhs" {
			s.NHS, err = person.ParseNHSNumber(string(plain))
		} else {
			s.Phone, err = person.ParseE164(string(plain))
		}
		if err != nil {
			return errors.New("a number cannot be read") // the error would quote it
		}
		out.Rows = append(out.Rows, s)
		return nil
	}, query, args...)
	return out, at, err
}

func (db *DB) auditExport(ctx context.Context, n staff.NetworkID, by staff.AccountID, rows int) error {
	return db.write(ctx, "audit opt-outs", func(tx *Tx) error {
		return db.audit(tx, staff.Entry{Network: n, Account: by, Action: "optout.export", Target: fmt.Sprintf("%d rows", rows), Outcome: "done"})
	})
}

const optOutsQuery = `SELECT kind, ix, why, at, who FROM suppression WHERE network = $1 AND (kind, ix) > ($2, $3) ORDER BY kind, ix LIMIT $4`

// ExportOptOutsAfter gives one page of them, the blind ones among them counted, and where the next one goes on: "" if there is none. The place is
// sealed, because it is made of what a number was hashed to; staff.ErrNotFound if it is none that was given for the network.
func (db *DB) ExportOptOutsAfter(ctx context.Context, n staff.NetworkID, by staff.AccountID, after string, limit int) (out selfrefer.Exported, next string, err error) {
	network := strconv.FormatInt(int64(n), 10)
	from := optOutKey{Ix: []byte{}}
	if after != "" {
		sealed, err := base64.RawURLEncoding.DecodeString(after)
		if err != nil {
			return out, "", staff.ErrNotFound
		}
		plain, err := db.sealer.open("suppression", "page", network, sealed)
		if err != nil || json.Unmarshal(plain, &from) != nil {
			return out, "", staff.ErrNotFound
		}
	}
	var at []optOutKey
	err = db.read(ctx, "export opt-outs", func(tx *Tx) (err error) {
		out, at, err = db.exported(tx, n, optOutsQuery, int64(n), from.Kind, from.Ix, limit)
		return err
	})
	if err != nil {
		return selfrefer.Exported{}, "", err
	}
	if len(at) == limit {
		plain, err := json.Marshal(at[limit-1])
		if err != nil {
			return selfrefer.Exported{}, "", fmt.Errorf("write where a page ends: %w", err)
		}
		sealed, err := db.sealer.seal("suppression", "page", network, plain)
		if err != nil {
			return selfrefer.Exported{}, "", err
		}
		next = base64.RawURLEncoding.EncodeToString(sealed)
	}
	return out, next, db.auditExport(ctx, n, by, len(out.Rows))
}
