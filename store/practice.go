package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ selfrefer.Practices = (*DB)(nil)

// A file for a practice is gathered in chunks: what is new is read and sealed first, then a short transaction marks it as this file's. The mark
// is the entry itself, UNIQUE by what it tells, so that nothing gets into two files, whoever gathers at the same time, and a kill between two
// chunks loses nothing: whoever asks next goes on with the file that was begun. Once it is ready it never changes, whatever becomes of the
// rows that it was made from. After a restored backup the marks of what was told since are gone: it is told again.

// tellChunk is how many entries one transaction marks.
const tellChunk = 250

// entryDoc is the sealed document of an entry.
type entryDoc struct {
	At        int64     `json:"at"`
	Person    personDoc `json:"person"`
	Shared    bool      `json:"shared,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Words     string    `json:"words,omitempty"`
	Why       string    `json:"why,omitempty"`
	Code      string    `json:"code,omitempty"`
	Reasons   []string  `json:"reasons,omitempty"`
	Needs     []string  `json:"needs,omitempty"`
	Language  string    `json:"language,omitempty"`
}

// toTell is an entry that no file holds yet.
type toTell struct {
	kind   selfrefer.EntryKind
	about  int64
	ix     []byte
	since  int64
	person []byte
	doc    entryDoc
}

// gathering is a file in the making.
type gathering struct {
	file, made int64
	network    int64
	ods        string
	codes      selfrefer.Codes
}

// window bounds by civil time what is told.
func (g gathering) window() (from, to int64) {
	return g.made - selfrefer.TellWithin.Milliseconds(), g.made
}

const (
	notToldOf = `NOT EXISTS (SELECT 1 FROM practice_entry e WHERE e.network = $1 AND e.practice = p.practice AND e.kind = `

	// textsToTell are the texts of one campaign that have left for certain. One whose fate is not known is told once it is. The conditions are written
	// exactly as in the partial indexes.
	textsToTell = ` FROM message m
		JOIN patient p ON p.id = m.patient
		WHERE m.campaign = $1 AND m.sent_at > $2 AND m.sent_at <= $3
		AND told IN (0, 2) AND state IN ('accepted', 'sent', 'delivered', 'undelivered', 'failed')`
	undeliveredToTell = ` FROM message m
		JOIN patient p ON p.id = m.patient
		WHERE m.campaign = $1 AND m.sent_at > $2 AND m.sent_at <= $3
		AND told IN (0, 1) AND state IN ('undelivered', 'failed')`

	// corrected and correctedInVain are the same of corrections: texts too, in the name of the practice.
	corrected = ` FROM service_text m
		JOIN message o ON o.id = m.corrects
		JOIN patient p ON p.id = o.patient
		WHERE m.campaign = $1 AND m.correction > 0 AND m.sent_at > $2 AND m.sent_at <= $3
		AND m.told IN (0, 2) AND m.state IN ('accepted', 'sent', 'delivered', 'undelivered', 'failed')`
	correctedInVain = ` FROM service_text m
		JOIN message o ON o.id = m.corrects
		JOIN patient p ON p.id = o.patient
		WHERE m.campaign = $1 AND m.correction > 0 AND m.sent_at > $2 AND m.sent_at <= $3
		AND m.told IN (0, 1) AND m.state IN ('undelivered', 'failed')`

	// optOutsToTell join a number with the people who have it on a list from which it was texted: the practice is the controller of that list. What
	// came from another system is not ours to tell.
	optOutsToTell = ` FROM suppression s
		JOIN message m ON m.phone_ix = s.ix AND m.attempt > 0
		JOIN campaign c ON c.id = m.campaign AND c.network = s.network
		JOIN patient p ON p.phone_ix = s.ix AND p.audience = c.audience
		WHERE s.network = $1 AND s.kind = 'phone' AND s.why = 'opted_out' AND s.at > $2 AND s.at <= $3
		AND ` + notToldOf + `'optout' AND e.about = 0 AND e.ix = s.ix AND e.since = 0)`

	// correctionsToTell find the practice of one that came by reply the same way. What staff have ticked off is told already.
	correctionsToTell = ` FROM (
			SELECT DISTINCT k.id, k.why, k.shared, k.at, k.withdrawn_at, k.done_at, CASE WHEN k.practice <> '' THEN k.practice ELSE o.practice END AS practice
			FROM correction k
			LEFT JOIN patient o ON k.practice = '' AND o.phone_ix = k.subject AND EXISTS (
				SELECT 1 FROM campaign c JOIN message m ON m.campaign = c.id AND m.phone_ix = k.subject AND m.attempt > 0
				WHERE c.audience = o.audience AND c.network = k.network)
			WHERE k.network = $1
		) p WHERE p.at > $2 AND p.at <= $3 `
	openToTell      = correctionsToTell + `AND p.withdrawn_at = 0 AND p.done_at = 0 AND ` + notToldOf + `'correction' AND e.about = p.id AND e.since = p.at)`
	withdrawnToTell = correctionsToTell + `AND p.withdrawn_at > 0
		AND EXISTS (SELECT 1 FROM practice_entry e WHERE e.network = $1 AND e.practice = p.practice AND e.kind = 'correction' AND e.about = p.id AND e.since = p.at)
		AND ` + notToldOf + `'withdrawn' AND e.about = p.id AND e.since = p.withdrawn_at)`

	// referralsToTell are those whose person agreed, and is matched with the list: nobody's record is to hold what somebody else has said.
	// Whatever else keeps a referral from a practice belongs here.
	referralsToTell = ` FROM practice_consent k
		JOIN referral p ON p.id = k.referral
		WHERE k.network = $1 AND k.agreed = TRUE AND p.patient <> 0 AND p.state <> 'duplicate' AND p.received_at > $2 AND p.received_at <= $3
		AND (p.restricted = FALSE OR NOT ` + keptFromPractice + `) AND `

	// keptFromPractice is what a restriction says must not get there, and what must not get to somebody who makes those files or works there.
	keptFromPractice = `EXISTS (
			SELECT 1 FROM restriction_on w JOIN restriction s ON s.origin = w.origin
			WHERE w.referral = p.id AND (s.no_practice = TRUE OR EXISTS (
				SELECT 1 FROM restriction_name n JOIN account a ON a.id = n.account
				WHERE n.origin = w.origin AND n.may = FALSE AND a.role IN ('administrator', 'campaign_manager', 'practice_viewer'))))`
)

// outcomesToTell are the steps of referrals that ended up where an entry of a kind says.
func outcomesToTell(kind selfrefer.EntryKind) (from, at string) {
	o, ok := selfrefer.Outcomes[kind]
	if !ok {
		return referralsToTell + notToldOf + `'referral' AND e.about = p.id)`, `p.received_at`
	}
	at = `(SELECT MIN(v.at) FROM referral_event v WHERE v.referral = p.id AND v.event IN (` + quoted(o.Events) + `)
		AND NOT EXISTS (SELECT 1 FROM referral_event z WHERE z.referral = v.referral AND z.undoes = v.id))`
	// What can still be undone waits for the next file: nobody could take it out of somebody's record again.
	return referralsToTell + notToldOf + `'` + string(kind) + `' AND e.about = p.id) AND p.state IN (` + quoted(o.States) + `) AND ` + at +
		` < $3 - ` + strconv.FormatInt(selfrefer.UndoFor.Milliseconds(), 10), at
}

// quoted writes words of our own code into SQL.
func quoted[T ~string](all []T) string {
	var words []string
	for _, w := range all {
		words = append(words, "'"+string(w)+"'")
	}
	return strings.Join(words, ", ")
}

// toTellOf is what is counted as new of a kind; "" for what waits in practice_entry already.
func toTellOf(kind selfrefer.EntryKind) (count, from string) {
	switch kind {
	case selfrefer.EntryText:
		return `COUNT(*)`, textsToTell
	case selfrefer.EntryUndelivered:
		return `COUNT(*)`, undeliveredToTell
	case selfrefer.EntryOptOut:
		return `COUNT(DISTINCT s.ix)`, optOutsToTell
	case selfrefer.EntryCorrection:
		return `COUNT(*)`, openToTell
	case selfrefer.EntryWithdrawn:
		return `COUNT(*)`, withdrawnToTell
	case selfrefer.EntryResumed:
		return "", ""
	}
	from, _ = outcomesToTell(kind)
	return `COUNT(*)`, from
}

// correctedOf is where corrections of a kind of texts come from.
func correctedOf(kind selfrefer.EntryKind) string {
	if kind == selfrefer.EntryUndelivered {
		return correctedInVain
	}
	return corrected
}

// PracticeNews counts for every practice of a network what it has not been told.
func (db *DB) PracticeNews(ctx context.Context, who staff.Account) (all []selfrefer.PracticeNews, err error) {
	if err := staff.May(who, staff.ExportPractice, who.Network); err != nil {
		return nil, err
	}
	if err := db.lookForConsent(ctx, who.Network); err != nil {
		return nil, err
	}
	err = db.read(ctx, "practice news", func(tx *Tx) error {
		all = nil
		network, err := db.network(tx, who.Network)
		if err != nil {
			return err
		}
		at := map[string]int{}
		for i, p := range network.Practices {
			all = append(all, selfrefer.PracticeNews{Practice: p, Counts: map[selfrefer.EntryKind]int{}})
			at[p.ODS] = i
		}
		type counted struct {
			ods  *string // of a correction that belongs to nobody's list: NULL
			kind selfrefer.EntryKind
			n    int
		}
		add := func(rows []counted, err error) error {
			for _, c := range rows {
				if c.ods == nil {
					continue
				}
				if i, ok := at[*c.ods]; ok {
					all[i].Counts[c.kind] += c.n
				}
			}
			return err
		}
		campaigns, err := campaignIDs(tx, who.Network)
		if err != nil {
			return err
		}
		window := gathering{made: tx.now}
		from, to := window.window()
		for _, kind := range selfrefer.EntryKinds {
			count, source := toTellOf(kind)
			if source == "" {
				continue
			}
			of, sources := []int64{int64(who.Network)}, []string{source}
			if kind == selfrefer.EntryText || kind == selfrefer.EntryUndelivered {
				of, sources = campaigns, append(sources, correctedOf(kind))
			}
			for _, id := range of {
				for _, source := range sources {
					err := add(list(tx, func(r scanner, c *counted) error { c.kind = kind; return r.Scan(&c.ods, &c.n) },
						`SELECT p.practice, `+count+source+` GROUP BY p.practice`, id, from, to))
					if err != nil {
						return fmt.Errorf("count what is new (%s): %w", kind, err)
					}
				}
			}
		}
		err = add(list(tx, func(r scanner, c *counted) error { return r.Scan(&c.ods, (*string)(&c.kind), &c.n) },
			`SELECT practice, kind, COUNT(*) FROM practice_entry WHERE file = 0 AND network = $1 GROUP BY practice, kind`, int64(who.Network)))
		if err != nil {
			return fmt.Errorf("count what waits: %w", err)
		}
		for i := range all {
			files, err := db.practiceFiles(tx, who.Network, `AND practice = $2 ORDER BY id DESC LIMIT 2`, all[i].Practice.ODS)
			if err != nil {
				return err
			}
			for _, f := range files {
				switch {
				case !f.Ready && !f.Deleted:
					all[i].Begun = true
				case all[i].Last.ID == 0:
					all[i].Last = f
				}
			}
		}
		return nil
	})
	return all, err
}

func (db *DB) practiceFiles(tx *Tx, n staff.NetworkID, where string, args ...any) ([]selfrefer.PracticeFile, error) {
	all, err := list(tx, func(r scanner, f *selfrefer.PracticeFile) error {
		var made, taken int64
		var state, counts string
		var reason []byte
		err := r.Scan(&f.ID, &f.Practice.ODS, &state, (*int64)(&f.By), &made, &counts, &f.AgainOf, &reason, &f.Taken, &taken, (*int64)(&f.TakenBy))
		if err != nil {
			return err
		}
		f.Network, f.Made, f.TakenAt, f.Ready, f.Deleted = n, timeOf(made), timeOf(taken), state == "ready", state == "deleting" || state == "deleted"
		if reason != nil {
			plain, err := db.sealer.open("practice_file", "reason", strconv.FormatInt(f.ID, 10), reason)
			if err != nil {
				return err
			}
			f.Reason = string(plain)
		}
		return json.Unmarshal([]byte(counts), &f.Counts)
	}, `
		SELECT id, practice, state, made_by, made_at, counts, again_of, reason, taken, taken_at, taken_by
		FROM practice_file
		WHERE network = $1 `+where, append([]any{int64(n)}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("read the files of a practice: %w", err)
	}
	return all, nil
}

// practiceOf is one of a network's practices; staff.ErrNotFound if it has none of that code.
func (db *DB) practiceOf(tx *Tx, n staff.NetworkID, ods string) (p staff.Practice, err error) {
	err = tx.QueryRow(`SELECT ods, name, phone FROM practice WHERE network = $1 AND ods = $2`, int64(n), ods).Scan(&p.ODS, &p.Name, &p.Phone)
	return p, notFound(err, staff.ErrNotFound)
}

// PracticeFiles lists the last hundred files of a practice.
func (db *DB) PracticeFiles(ctx context.Context, who staff.Account, ods string) (all []selfrefer.PracticeFile, err error) {
	return db.PracticeFilesAfter(ctx, who, ods, 0, 100)
}

const filesOrder = `AND practice = $2 AND id < $3 ORDER BY id DESC LIMIT $4`

// PracticeFilesAfter goes on behind the file that was told last; 0 begins with the newest.
func (db *DB) PracticeFilesAfter(ctx context.Context, who staff.Account, ods string, after int64, limit int) (all []selfrefer.PracticeFile, err error) {
	if err := staff.May(who, staff.ExportPractice, who.Network); err != nil {
		return nil, err
	}
	err = db.read(ctx, "practice files", func(tx *Tx) error {
		p, err := db.practiceOf(tx, who.Network, ods)
		if err != nil {
			return err
		}
		all, err = db.practiceFiles(tx, who.Network, filesOrder, ods, beforeID(after), limit)
		for i := range all {
			all[i].Practice = p
			if all[i].Ready || all[i].Deleted || err != nil {
				continue
			}
			err = tx.QueryRow(`SELECT COUNT(*) FROM practice_entry WHERE file = $1`, all[i].ID).Scan(&all[i].Gathered)
		}
		return err
	})
	return all, err
}

// MakePracticeFile makes a file, or finishes the one that was begun.
func (db *DB) MakePracticeFile(ctx context.Context, who staff.Account, ods string) (selfrefer.PracticeFile, error) {
	if err := staff.May(who, staff.ExportPractice, who.Network); err != nil {
		return selfrefer.PracticeFile{}, err
	}
	var g gathering
	for g.file == 0 { // one that was begun may be finished by somebody else at this moment
		var err error
		if g, err = db.beginFile(ctx, who, ods); err != nil {
			return selfrefer.PracticeFile{}, err
		}
	}
	if err := db.lookForConsent(ctx, who.Network); err != nil {
		return selfrefer.PracticeFile{}, err
	}
	if err := db.gather(ctx, g, -1); err != nil {
		return selfrefer.PracticeFile{}, fmt.Errorf("gather the file of a practice; make it again to go on: %w", err)
	}
	return db.finishFile(ctx, who, g)
}

func (db *DB) beginFile(ctx context.Context, who staff.Account, ods string) (g gathering, err error) {
	err = db.write(ctx, "begin a practice's file", func(tx *Tx) error {
		g = gathering{network: int64(who.Network), ods: ods}
		if _, err := db.practiceOf(tx, who.Network, ods); err != nil {
			return err
		}
		if g.codes, err = db.codes(tx, who.Network); err != nil {
			return err
		}
		id := db.newID()
		n, err := tx.Exec(`
			INSERT INTO practice_file (id, network, practice, state, made_by, made_at, ready_at, counts, again_of, taken, taken_at, taken_by)
			VALUES ($1, $2, $3, 'gathering', $4, $5, 0, '{}', 0, 0, 0, 0)
			ON CONFLICT (network, practice) WHERE state = 'gathering' DO NOTHING`, id, g.network, ods, int64(who.ID), tx.now)
		if err != nil {
			return fmt.Errorf("begin a file: %w", err)
		}
		err = tx.QueryRow(`SELECT id, made_at FROM practice_file WHERE network = $1 AND practice = $2 AND state = 'gathering'`, g.network, ods).Scan(&g.file, &g.made)
		if err := notFound(err, nil); err != nil {
			return fmt.Errorf("find the file that was begun: %w", err)
		}
		if n > 0 {
			if _, err := tx.Exec(`UPDATE practice_entry SET file = $1 WHERE file = 0 AND network = $2 AND practice = $3`, g.file, g.network, ods); err != nil {
				return fmt.Errorf("take what waits: %w", err)
			}
		}
		return nil
	})
	return g, err
}

// gather marks everything that is new as this file's, in at most so many chunks; -1 is all.
func (db *DB) gather(ctx context.Context, g gathering, chunks int) error {
	for _, kind := range selfrefer.EntryKinds {
		next := db.newsOf(g, kind)
		for next != nil {
			if chunks == 0 {
				return nil
			}
			chunks--
			var found []toTell
			more := false
			err := db.read(ctx, "what is new for a practice", func(tx *Tx) (err error) {
				found, more, err = next(tx)
				return err
			})
			if err == nil && len(found) > 0 {
				err = db.mark(ctx, g, found)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// mark writes entries, sealed before the transaction. A file that is not being gathered any more takes none.
func (db *DB) mark(ctx context.Context, g gathering, found []toTell) error {
	var args, texts []any
	if bit := map[selfrefer.EntryKind]int{selfrefer.EntryText: 1, selfrefer.EntryUndelivered: 2}[found[0].kind]; bit != 0 {
		texts = append(texts, bit, 3-bit)
		for _, t := range found {
			texts = append(texts, t.about)
		}
	}
	for _, t := range found {
		id := db.newID()
		doc, err := db.sealEntry(id, t.doc)
		if err != nil {
			return err
		}
		args = append(args, id, g.file, g.network, g.ods, string(t.kind), t.about, t.ix, t.since, t.person, doc, g.made)
	}
	return db.write(ctx, "mark what a practice is told", func(tx *Tx) error {
		var state string
		if err := tx.QueryRow(`SELECT state FROM practice_file WHERE id = $1`+db.engine.lockClause(), g.file).Scan(&state); err != nil {
			return notFound(err, nil) // somebody else has found that there was nothing new
		}
		if state != "gathering" {
			return nil
		}
		_, err := tx.bulkInsert(`INSERT INTO practice_entry (id, file, network, practice, kind, about, ix, since, person, doc, made_at)`, 11, args, `ON CONFLICT DO NOTHING`)
		if err != nil || len(texts) == 0 {
			return err
		}
		_, err = tx.Exec(`UPDATE `+tableOf(campaign.MessageID(found[0].about))+` SET told = told + $1 WHERE told IN (0, $2) AND id IN `+db.engine.placeholders(2, 1, len(texts)-2), texts...)
		return err
	})
}

func (db *DB) sealEntry(id int64, d entryDoc) ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write an entry: %w", err)
	}
	return db.sealer.seal("practice_entry", "doc", strconv.FormatInt(id, 10), b)
}

func (db *DB) openEntry(id int64, sealed []byte) (d entryDoc, err error) {
	b, err := db.sealer.open("practice_entry", "doc", strconv.FormatInt(id, 10), sealed)
	if err != nil {
		return d, err
	}
	if json.Unmarshal(b, &d) != nil {
		return d, fmt.Errorf("open entry %d: it cannot be read", id) // the error would quote it
	}
	return d, nil
}

func (db *DB) finishFile(ctx context.Context, who staff.Account, g gathering) (f selfrefer.PracticeFile, err error) {
	nothing := false
	err = db.write(ctx, "finish a practice's file", func(tx *Tx) error {
		nothing = false
		var state string // locked: nobody marks anything as this file's while it is counted, and perhaps dropped
		err := tx.QueryRow(`SELECT state FROM practice_file WHERE id = $1`+db.engine.lockClause(), g.file).Scan(&state)
		if err := notFound(err, selfrefer.ErrNothingNew); err != nil {
			return err
		}
		counts := map[selfrefer.EntryKind]int{}
		_, err = list(tx, func(r scanner, _ *struct{}) error {
			var kind string
			var n int
			err := r.Scan(&kind, &n)
			counts[selfrefer.EntryKind(kind)] = n
			return err
		}, `SELECT kind, COUNT(*) FROM practice_entry WHERE file = $1 GROUP BY kind`, g.file)
		if err != nil {
			return fmt.Errorf("count a file: %w", err)
		}
		if nothing = len(counts) == 0; nothing {
			_, err := tx.Exec(`DELETE FROM practice_file WHERE id = $1 AND state = 'gathering'`, g.file)
			return err
		}
		b, err := json.Marshal(counts)
		if err != nil {
			return err
		}
		n, err := tx.Exec(`UPDATE practice_file SET state = 'ready', ready_at = $2, counts = $3 WHERE id = $1 AND state = 'gathering'`, g.file, tx.now, string(b))
		if err != nil {
			return fmt.Errorf("finish a file: %w", err)
		}
		if n > 0 { // nobody else has finished it at the same time
			if err := db.fileReady(tx, who, g.file, g.ods, "practice_file.make"); err != nil {
				return err
			}
		}
		f, err = db.practiceFile(tx, who.Network, g.ods, g.file)
		return err
	})
	if err == nil && nothing {
		err = selfrefer.ErrNothingNew
	}
	return f, err
}

func (db *DB) fileReady(tx *Tx, who staff.Account, file int64, ods, action string) error {
	if err := db.announce(tx, who.Network, selfrefer.Delivery{Event: selfrefer.HookExport, About: file, Practice: ods}); err != nil {
		return err
	}
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: action, Target: fmt.Sprintf("file %d for %s", file, ods), Outcome: "done"})
}

func (db *DB) practiceFile(tx *Tx, n staff.NetworkID, ods string, file int64) (f selfrefer.PracticeFile, err error) {
	p, err := db.practiceOf(tx, n, ods)
	if err != nil {
		return f, err
	}
	all, err := db.practiceFiles(tx, n, `AND practice = $2 AND id = $3`, ods, file)
	if err == nil && len(all) == 0 {
		err = staff.ErrNotFound
	}
	if err != nil {
		return f, err
	}
	all[0].Practice = p
	return all[0], nil
}

// MakeAgain makes a file of the entries of an earlier one, because somebody wants them told twice.
func (db *DB) MakeAgain(ctx context.Context, who staff.Account, ods string, file int64, reason string) (f selfrefer.PracticeFile, err error) {
	if err := staff.May(who, staff.ExportPractice, who.Network); err != nil {
		return f, err
	}
	err = db.write(ctx, "make a practice's file again", func(tx *Tx) error {
		was, err := db.practiceFile(tx, who.Network, ods, file)
		if err != nil {
			return err
		}
		if err := usable(was); err != nil {
			return err
		}
		id := db.newID()
		sealed, err := db.sealer.seal("practice_file", "reason", strconv.FormatInt(id, 10), []byte(reason))
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO practice_file (id, network, practice, state, made_by, made_at, ready_at, counts, again_of, reason, taken, taken_at, taken_by)
			SELECT $1, network, practice, 'ready', $2, $3, ready_at, counts, CASE WHEN again_of <> 0 THEN again_of ELSE id END, $4, 0, 0, 0
			FROM practice_file WHERE id = $5`, id, int64(who.ID), tx.now, sealed, file)
		if err != nil {
			return fmt.Errorf("make a file again: %w", err)
		}
		if err := db.fileReady(tx, who, id, ods, "practice_file.again"); err != nil {
			return err
		}
		f, err = db.practiceFile(tx, who.Network, ods, id)
		return err
	})
	return f, err
}

func usable(f selfrefer.PracticeFile) error {
	switch {
	case f.Deleted:
		return selfrefer.ErrFileDeleted
	case !f.Ready:
		return selfrefer.ErrFileBegun
	}
	return nil
}

// TakePracticeFile notes a download before anything of it leaves.
func (db *DB) TakePracticeFile(ctx context.Context, who staff.Account, ods string, file int64) (f selfrefer.PracticeFile, err error) {
	if err := staff.May(who, staff.ExportPractice, who.Network); err != nil {
		return f, err
	}
	err = db.write(ctx, "take a practice's file", func(tx *Tx) error {
		if f, err = db.practiceFile(tx, who.Network, ods, file); err != nil {
			return err
		}
		if err := usable(f); err != nil {
			return err
		}
		f.TakenBy = who.ID
		if _, err := tx.Exec(`UPDATE practice_file SET taken = taken + 1, taken_at = $2, taken_by = $3 WHERE id = $1`, file, tx.now, int64(who.ID)); err != nil {
			return fmt.Errorf("note a download: %w", err)
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "practice_file.take", Target: fmt.Sprintf("file %d for %s", file, ods), Outcome: "done"})
	})
	return f, err
}

// PracticeEntries reads a file that was taken, a chunk at a time: nobody's slow line holds a snapshot open.
func (db *DB) PracticeEntries(ctx context.Context, f selfrefer.PracticeFile, each func(selfrefer.PracticeEntry) error) error {
	file := f.ID
	if f.AgainOf != 0 {
		file = f.AgainOf
	}
	type row struct {
		selfrefer.PracticeEntry
		person []byte
	}
	last := row{person: []byte{}}
	for n := 0; ; {
		var chunk []row
		var barred map[int64]bool // a file can be older than what must not be known to who takes it
		err := db.read(ctx, "read a practice's file", func(tx *Tx) (err error) {
			if barred, err = barredFrom(tx, f.TakenBy); err != nil {
				return err
			}
			chunk, err = list(tx, func(r scanner, e *row) error {
				var doc []byte
				if err := r.Scan(&e.ID, (*string)(&e.Kind), &e.About, &e.person, &doc); err != nil {
					return err
				}
				if doc == nil {
					return selfrefer.ErrFileDeleted
				}
				d, err := db.openEntry(e.ID, doc)
				e.PracticeEntry = d.entry(e.PracticeEntry, e.person)
				return err
			}, `
				SELECT id, kind, about, person, doc
				FROM practice_entry
				WHERE file = $1 AND (person, kind, id) > ($2, $3, $4)
				ORDER BY person, kind, id
				LIMIT 500`, file, last.person, string(last.Kind), last.ID)
			return err
		})
		if err != nil {
			return fmt.Errorf("read the file of a practice: %w", err)
		}
		for _, e := range chunk {
			if e.Kind.Agreed() && barred[e.About] {
				continue
			}
			if err := each(e.PracticeEntry); err != nil {
				return err
			}
		}
		if n += len(chunk); len(chunk) == 0 {
			if n != f.Entries() {
				return fmt.Errorf("file %d of a practice holds %d entries, and %d were counted", f.ID, n, f.Entries())
			}
			return nil
		}
		last = chunk[len(chunk)-1]
	}
}

func (d entryDoc) entry(e selfrefer.PracticeEntry, person []byte) selfrefer.PracticeEntry {
	e.At, e.Shared, e.Reference, e.Words, e.Why, e.Code = timeOf(d.At), d.Shared, d.Reference, d.Words, d.Why, d.Code
	e.Reasons, e.Needs, e.Language = d.Reasons, d.Needs, d.Language
	e.Name, e.Born, e.NHS, e.Phone = d.Person.name(), d.Person.born(), d.Person.nhs(), d.Person.phone()
	if len(person) > 0 {
		e.PersonID = fmt.Sprintf("%x", person)
	}
	return e
}

// newsOf reads what is new of a kind, chunk by chunk. Nil if it waits in the table already.
func (db *DB) newsOf(g gathering, kind selfrefer.EntryKind) func(tx *Tx) (found []toTell, more bool, err error) {
	switch kind {
	case selfrefer.EntryText, selfrefer.EntryUndelivered:
		return db.newTexts(g, kind)
	case selfrefer.EntryOptOut:
		return db.newOptOuts(g)
	case selfrefer.EntryCorrection, selfrefer.EntryWithdrawn:
		return db.newCorrections(g, kind)
	case selfrefer.EntryResumed:
		return nil
	}
	return db.newReferrals(g, kind)
}

// personKey is the same for all entries of a person, and blind.
func (db *DB) personKey(nhsIx []byte, patient int64) []byte {
	if len(nhsIx) > 0 {
		return nhsIx
	}
	return db.sealer.index("practice_entry", strconv.FormatInt(patient, 10))
}

// newTexts walks the campaigns in the order of the index that every message is in, so that a chunk costs the same at the end as at the start; and
// then, of each, the corrections.
func (db *DB) newTexts(g gathering, kind selfrefer.EntryKind) func(*Tx) ([]toTell, bool, error) {
	_, source := toTellOf(kind)
	from, to := g.window()
	var campaigns []int64
	begun, patient, step, said := false, int64(0), int64(0), false
	return func(tx *Tx) (found []toTell, more bool, err error) {
		if !begun {
			if campaigns, err = campaignIDs(tx, staff.NetworkID(g.network)); err != nil {
				return nil, false, err
			}
			begun = true
		}
		if len(campaigns) == 0 {
			return nil, false, nil
		}
		type row struct {
			toTell
			patient, step int64
		}
		query := `SELECT m.id, m.patient, m.step, m.sent_at, m.shared, m.code, m.frozen, p.person, p.nhs_ix` + source + `
			AND (m.patient, m.step) > ($4, $5) AND p.practice = $6
			ORDER BY m.patient, m.step
			LIMIT $7`
		if said {
			query = `SELECT m.id, o.patient, m.correction, m.sent_at, o.shared, m.code, m.frozen, p.person, p.nhs_ix` + correctedOf(kind) + `
			AND (o.patient, m.correction) > ($4, $5) AND p.practice = $6
			ORDER BY o.patient, m.correction
			LIMIT $7`
		}
		rows, err := list(tx, func(r scanner, t *row) error {
			var sealed, frozen, nhsIx []byte
			if err := r.Scan(&t.about, &t.patient, &t.step, &t.doc.At, &t.doc.Shared, &t.doc.Why, &frozen, &sealed, &nhsIx); err != nil {
				return err
			}
			t.kind, t.ix = kind, []byte{}
			t.person = db.personKey(nhsIx, t.patient)
			if t.doc.Person, err = db.openPerson("patient", t.patient, sealed); err != nil {
				return err
			}
			if !said { // a correction offers nothing
				t.doc.Code = g.codes.Of(kind)
			}
			if kind == selfrefer.EntryUndelivered {
				return nil
			}
			t.doc.Why = ""
			if len(frozen) > 0 {
				f, err := db.openFrozen(t.about, frozen)
				if err != nil {
					return err
				}
				t.doc.Words, t.doc.Person.Phone = withoutSecret(f.Body), f.To
			}
			return nil
		}, query, campaigns[0], from, to, patient, step, g.ods, tellChunk)
		if err != nil {
			return nil, false, fmt.Errorf("find texts: %w", err)
		}
		for _, r := range rows {
			found = append(found, r.toTell)
			patient, step = r.patient, r.step
		}
		if len(rows) == tellChunk {
			return found, true, nil
		}
		if patient, step = 0, 0; said {
			campaigns = campaigns[1:]
		}
		said = !said
		return found, len(campaigns) > 0, nil
	}
}

func campaignIDs(tx *Tx, n staff.NetworkID) ([]int64, error) {
	all, err := list(tx, func(r scanner, id *int64) error { return r.Scan(id) }, `SELECT id FROM campaign WHERE network = $1 ORDER BY id`, int64(n))
	if err != nil {
		return nil, fmt.Errorf("read the campaigns: %w", err)
	}
	return all, nil
}

// withoutSecret takes out of a text what opens the person's form.
func withoutSecret(body string) string {
	for _, t := range link.In(body) {
		body = strings.ReplaceAll(body, t.Reveal(), "…")
	}
	return body
}

func (db *DB) newOptOuts(g gathering) func(*Tx) ([]toTell, bool, error) {
	from, to := g.window()
	after := []byte{}
	return func(tx *Tx) (found []toTell, more bool, err error) {
		found, err = list(tx, func(r scanner, t *toTell) error {
			t.kind = selfrefer.EntryOptOut
			return r.Scan(&t.ix, &t.doc.At)
		}, `SELECT DISTINCT s.ix, s.at`+optOutsToTell+` AND p.practice = $4 AND s.ix > $5 ORDER BY s.ix LIMIT $6`, g.network, from, to, g.ods, after, tellChunk)
		if err != nil {
			return nil, false, fmt.Errorf("find opt-outs: %w", err)
		}
		for i := range found {
			if err := db.onNumber(tx, g, &found[i]); err != nil {
				return nil, false, err
			}
			after = found[i].ix
		}
		return found, len(found) == tellChunk, nil
	}
}

// onNumber tells whose number has opted out, if one person alone has it.
func (db *DB) onNumber(tx *Tx, g gathering, t *toTell) error {
	type someone struct {
		patient       int64
		sealed, nhsIx []byte
	}
	people, err := list(tx, func(r scanner, s *someone) error { return r.Scan(&s.patient, &s.sealed, &s.nhsIx) }, `
		SELECT p.id, p.person, p.nhs_ix
		FROM patient p
		JOIN audience a ON a.id = p.audience
		WHERE p.phone_ix = $1 AND a.network = $2
		ORDER BY p.id DESC`, t.ix, g.network)
	if err != nil {
		return fmt.Errorf("find who is on a number: %w", err)
	}
	keys := map[string]bool{}
	for i, s := range people {
		if i == 0 {
			if t.doc.Person, err = db.openPerson("patient", s.patient, s.sealed); err != nil {
				return err
			}
			t.person = db.personKey(s.nhsIx, s.patient)
		}
		keys[string(db.personKey(s.nhsIx, s.patient))] = true
	}
	if len(keys) > 1 {
		t.person, t.doc.Shared, t.doc.Person = []byte{}, true, personDoc{Phone: t.doc.Person.Phone}
	}
	return nil
}

func (db *DB) newCorrections(g gathering, kind selfrefer.EntryKind) func(*Tx) ([]toTell, bool, error) {
	_, source := toTellOf(kind)
	from, to := g.window()
	after := int64(0)
	return func(tx *Tx) (found []toTell, more bool, err error) {
		type row struct {
			toTell
			at, withdrawn int64
		}
		rows, err := list(tx, func(r scanner, t *row) error {
			return r.Scan(&t.about, &t.doc.Why, &t.doc.Shared, &t.at, &t.withdrawn)
		}, `SELECT p.id, p.why, p.shared, p.at, p.withdrawn_at`+source+` AND p.practice = $4 AND p.id > $5 ORDER BY p.id LIMIT $6`, g.network, from, to, g.ods, after, tellChunk)
		if err != nil {
			return nil, false, fmt.Errorf("find corrections: %w", err)
		}
		for _, t := range rows {
			after = t.about
			var sealed []byte
			if err := tx.QueryRow(`SELECT person FROM correction WHERE id = $1`, t.about).Scan(&sealed); err != nil {
				return nil, false, fmt.Errorf("read correction %d: %w", t.about, err)
			}
			if t.doc.Person, err = db.openPerson("correction", t.about, sealed); err != nil {
				return nil, false, err
			}
			t.kind, t.ix, t.person, t.since, t.doc.At = kind, []byte{}, []byte{}, t.at, t.at
			if nhs := t.doc.Person.nhs(); !nhs.IsZero() {
				t.person = db.nhsIndex(nhs)
			}
			if kind == selfrefer.EntryWithdrawn {
				t.since, t.doc.At = t.withdrawn, t.withdrawn
			}
			found = append(found, t.toTell)
		}
		return found, len(rows) == tellChunk, nil
	}
}

func (db *DB) newReferrals(g gathering, kind selfrefer.EntryKind) func(*Tx) ([]toTell, bool, error) {
	source, at := outcomesToTell(kind)
	from, to := g.window()
	after := int64(0)
	return func(tx *Tx) (found []toTell, more bool, err error) {
		type row struct {
			toTell
			sealed, nhsIx []byte
			patient       int64
			language      string
		}
		rows, err := list(tx, func(r scanner, t *row) error {
			return r.Scan(&t.about, &t.doc.Reference, &t.doc.At, &t.patient, &t.nhsIx, &t.language, &t.sealed)
		}, `SELECT p.id, p.reference, `+at+`, p.patient, p.nhs_ix, p.language, p.person`+source+` AND p.practice = $4 AND p.id > $5 ORDER BY p.id LIMIT $6`,
			g.network, from, to, g.ods, after, tellChunk)
		if err != nil {
			return nil, false, fmt.Errorf("find referrals: %w", err)
		}
		for _, t := range rows {
			after = t.about
			d, err := db.referralDocOf(t.about, t.sealed)
			if err != nil {
				return nil, false, err
			}
			if !selfrefer.PracticeMayBeTold(d.Answers) { // asked again: it is not only the mark that must say so
				continue
			}
			t.kind, t.ix, t.person = kind, []byte{}, db.personKey(t.nhsIx, t.patient)
			t.doc.Person, t.doc.Code = d.Person, g.codes.Of(kind)
			t.doc.Person.Phone, t.doc.Person.Postcode = "", ""
			if kind == selfrefer.EntryReferral {
				t.doc.Reasons, t.doc.Needs, t.doc.Language = selfrefer.ReasonWords(d.Answers), d.Answers.Support, d.Answers.Language
			}
			found = append(found, t.toTell)
		}
		return found, len(rows) == tellChunk, nil
	}
}

func (db *DB) referralDocOf(id int64, sealed []byte) (d referralDoc, err error) {
	b, err := db.sealer.open("referral", "person", strconv.FormatInt(id, 10), sealed)
	if err != nil {
		return d, fmt.Errorf("open referral %d: %w", id, err)
	}
	if json.Unmarshal(b, &d) != nil {
		return d, fmt.Errorf("open referral %d: it cannot be read", id) // the error would quote it
	}
	return d, nil
}

// noteConsent remembers of a new referral that its practice may be told.
func noteConsent(tx *Tx, id selfrefer.ReferralID, n staff.NetworkID, a selfrefer.Answers) error {
	if !selfrefer.PracticeMayBeTold(a) {
		return nil
	}
	if _, err := tx.Exec(`INSERT INTO practice_consent (referral, network, agreed) VALUES ($1, $2, TRUE)`, int64(id), int64(n)); err != nil {
		return fmt.Errorf("note that a practice may be told: %w", err)
	}
	return nil
}

// lookForConsent reads of referrals that are older than this whether their practice may be told, once.
func (db *DB) lookForConsent(ctx context.Context, n staff.NetworkID) error {
	for {
		var agreed, not []int64
		err := db.read(ctx, "older referrals", func(tx *Tx) error {
			agreed, not = nil, nil
			_, err := list(tx, func(r scanner, _ *struct{}) error {
				var id int64
				var sealed []byte
				if err := r.Scan(&id, &sealed); err != nil {
					return err
				}
				d, err := db.referralDocOf(id, sealed)
				if selfrefer.PracticeMayBeTold(d.Answers) {
					agreed = append(agreed, id)
				} else {
					not = append(not, id)
				}
				return err
			}, `
				SELECT r.id, r.person
				FROM practice_consent k
				JOIN referral r ON r.id = k.referral
				WHERE k.network = $1 AND k.agreed = FALSE
				ORDER BY k.referral
				LIMIT 200`, int64(n))
			return err
		})
		if err != nil || len(agreed)+len(not) == 0 {
			return err
		}
		err = db.write(ctx, "consent of older referrals", func(tx *Tx) error {
			for _, id := range agreed {
				if _, err := tx.Exec(`UPDATE practice_consent SET agreed = TRUE WHERE referral = $1`, id); err != nil {
					return err
				}
			}
			for _, id := range not {
				if _, err := tx.Exec(`DELETE FROM practice_consent WHERE referral = $1 AND agreed = FALSE`, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("note which practices may be told: %w", err)
		}
	}
}

// tellUndone has a practice told that an opt-out is taken back, if it was told of the opt-out; one that is made later is told anew.
func (db *DB) tellUndone(tx *Tx, n staff.NetworkID, phoneIx []byte, at int64) error {
	type mark struct {
		id             int64
		practice       string
		person, sealed []byte
	}
	marks, err := list(tx, func(r scanner, m *mark) error { return r.Scan(&m.id, &m.practice, &m.person, &m.sealed) }, `
		SELECT id, practice, person, doc
		FROM practice_entry
		WHERE network = $1 AND kind = 'optout' AND ix = $2 AND since = 0 AND doc IS NOT NULL`, int64(n), phoneIx)
	if err != nil {
		return fmt.Errorf("find which practices know of an opt-out: %w", err)
	}
	for _, m := range marks {
		d, err := db.openEntry(m.id, m.sealed)
		if err != nil {
			return err
		}
		d.At = at
		id := db.newID()
		sealed, err := db.sealEntry(id, d)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO practice_entry (id, file, network, practice, kind, about, ix, since, person, doc, made_at)
			VALUES ($1, 0, $2, $3, $4, 0, $5, $6, $7, $8, $9)
			ON CONFLICT DO NOTHING`, id, int64(n), m.practice, string(selfrefer.EntryResumed), phoneIx, at, m.person, sealed, tx.now)
		if err != nil {
			return fmt.Errorf("tell that an opt-out is taken back: %w", err)
		}
		if _, err := tx.Exec(`UPDATE practice_entry SET since = $2 WHERE id = $1`, m.id, at); err != nil {
			return fmt.Errorf("tell that an opt-out is taken back: %w", err)
		}
	}
	return nil
}

// Codes are a network's own, or the usual ones.
func (db *DB) Codes(ctx context.Context, n staff.NetworkID) (c selfrefer.Codes, err error) {
	err = db.read(ctx, "codes", func(tx *Tx) error {
		c, err = db.codes(tx, n)
		return err
	})
	return c, err
}

func (db *DB) codes(tx *Tx, n staff.NetworkID) (c selfrefer.Codes, err error) {
	own, err := list(tx, func(r scanner, c *selfrefer.Codes) error { return r.Scan(&c.Accepted, &c.Declined, &c.Offered) },
		`SELECT accepted, declined, offered FROM practice_codes WHERE network = $1`, int64(n))
	switch {
	case err != nil:
		return c, fmt.Errorf("read the codes: %w", err)
	case len(own) == 0:
		return selfrefer.UsualCodes, nil
	}
	return own[0], nil
}

// SetCodes changes what is written into records from the next file on.
func (db *DB) SetCodes(ctx context.Context, who staff.Account, c selfrefer.Codes) error {
	if err := staff.May(who, staff.ExportPractice, who.Network); err != nil {
		return err
	}
	for _, code := range []string{c.Accepted, c.Declined, c.Offered} {
		if err := selfrefer.CheckCode(code); err != nil {
			return err
		}
	}
	return db.write(ctx, "set codes", func(tx *Tx) error {
		_, err := tx.Exec(`
			INSERT INTO practice_codes (network, accepted, declined, offered, changed_by, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (network) DO UPDATE
			SET accepted = excluded.accepted, declined = excluded.declined, offered = excluded.offered, changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
			int64(who.Network), c.Accepted, c.Declined, c.Offered, int64(who.ID), tx.now)
		if err != nil {
			return fmt.Errorf("set the codes: %w", err)
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "practice_codes.set", Target: fmt.Sprintf("accepted %s, declined %s, offered %s", c.Accepted, c.Declined, c.Offered), Outcome: "done"})
	})
}

// markLife is for how long we know what was told: twice as long as it could be told for the first time.
const markLife = 2 * selfrefer.TellWithin

// PurgePracticeFiles deletes what is in files that are too old, and in the end the marks and the rows of the files.
func (db *DB) PurgePracticeFiles(ctx context.Context) (n int64, err error) {
	var old []int64
	err = db.read(ctx, "old practice files", func(tx *Tx) error {
		old, err = list(tx, func(r scanner, id *int64) error { return r.Scan(id) }, `
			SELECT id
			FROM practice_file
			WHERE state IN ('ready', 'deleting') AND again_of = 0 AND ready_at <= $1
			ORDER BY id
			LIMIT 100`, tx.now-selfrefer.PracticeFileLife.Milliseconds())
		return err
	})
	if err != nil {
		return 0, err
	}
	// First nobody can download a file any more, then what is in it goes, then it is done.
	const empty = `UPDATE practice_entry SET doc = NULL WHERE id IN (SELECT id FROM practice_entry WHERE file = $1 AND doc IS NOT NULL LIMIT 500)`
	for _, file := range old {
		for _, s := range []string{`UPDATE practice_file SET state = 'deleting', reason = NULL WHERE id = $1 OR again_of = $1`, empty, `UPDATE practice_file SET state = 'deleted' WHERE id = $1 OR again_of = $1`} {
			gone, err := db.purgeAll(ctx, s, func(*Tx) int64 { return file })
			if err != nil {
				return n, err
			}
			if s == empty {
				n += gone
			}
		}
	}
	for _, s := range []string{`DELETE FROM practice_entry WHERE id IN (SELECT id FROM practice_entry WHERE made_at <= $1 LIMIT 500)`, `DELETE FROM practice_file WHERE state = 'deleted' AND made_at <= $1`} {
		gone, err := db.purgeAll(ctx, s, func(tx *Tx) int64 { return tx.now - markLife.Milliseconds() })
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}

// purgeAll runs a statement, which changes 500 rows at most, until it changes fewer: none holds the writer for long.
func (db *DB) purgeAll(ctx context.Context, statement string, arg func(*Tx) int64) (n int64, err error) {
	for {
		var gone int64
		err := db.write(ctx, "purge what others were told", func(tx *Tx) (err error) {
			gone, err = tx.Exec(statement, arg(tx))
			return err
		})
		if err != nil {
			return n, fmt.Errorf("purge what others were told: %w", err)
		}
		if n += gone; gone < 500 {
			return n, nil
		}
	}
}
