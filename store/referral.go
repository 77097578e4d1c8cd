package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

var (
	_ selfrefer.Keeper = (*DB)(nil)
	_ selfrefer.Triage = (*DB)(nil)
)

// Kinds of journal records that this file writes and applies.
const (
	recordForm   = "form"
	recordOptOut = "optout"
	recordUndo   = "undo"
)

// formRecord is a form as the journal keeps it: with what was promised to the person, so that a drained form keeps the promise.
type formRecord struct {
	ID        string            `json:"id"`
	Network   staff.NetworkID   `json:"network"`
	Source    selfrefer.Source  `json:"source"`
	TokenHash []byte            `json:"token,omitempty"`
	Answers   selfrefer.Answers `json:"answers"`
	From      string            `json:"from,omitempty"` // E.164
	At        int64             `json:"at"`             // civil
	Reference string            `json:"reference"`
	ContactBy int64             `json:"contact_by,omitempty"`
	// Known is what the link led to when the form came: a backup may be older than the text.
	Known *knownDoc `json:"known,omitempty"`
}

// knownDoc is a copy of what is needed to call somebody back.
type knownDoc struct {
	Network  staff.NetworkID `json:"network"`
	Team     staff.TeamID    `json:"team"`
	Practice string          `json:"practice,omitempty"`
	Language string          `json:"language,omitempty"`
	People   []personDoc     `json:"people,omitempty"`
}

func (r formRecord) form() selfrefer.Form {
	from, _ := person.ParseE164(r.From)
	return selfrefer.Form{ID: r.ID, Network: r.Network, Source: r.Source, TokenHash: r.TokenHash, Answers: r.Answers, From: from, At: timeOf(r.At)}
}

// debts are journal records that the database refused when they came.
type debts struct {
	mu      sync.Mutex
	learned bool             // what an earlier process left has been applied
	open    map[int64]string // seq -> kind
}

func (d *debts) add(seq int64, kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = make(map[int64]string)
	}
	d.open[seq] = kind
}

func (d *debts) settle(seq int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, seq)
}

// optOutsOwed tells whether an opt-out that this process acknowledged is not in the database yet: nobody may be texted until it is.
func (db *DB) optOutsOwed() bool {
	db.owed.mu.Lock()
	defer db.owed.mu.Unlock()
	for _, kind := range db.owed.open {
		if kind == recordOptOut {
			return true
		}
	}
	return false
}

// Keep stores a form in the database and in the journal at the same time, since they fsync apart, and answers when both are durable.
// If only one of them takes it, that is enough; the journal alone is drained later.
func (db *DB) Keep(ctx context.Context, f selfrefer.Form, judge func(selfrefer.Matched) selfrefer.Judgement) (selfrefer.Receipt, error) {
	if f.ID == "" {
		return selfrefer.Receipt{}, errors.New("keep a form: it has no id")
	}
	if f.At.IsZero() {
		f.At = db.cfg.Now()
	}
	before, known, contactBy := db.ahead(ctx, f)
	rec := formRecord{ID: f.ID, Network: f.Network, Source: f.Source, TokenHash: f.TokenHash, Answers: f.Answers, At: msOf(f.At),
		Reference: db.reference(f.ID, 0), ContactBy: msOf(contactBy), Known: known}
	if !f.From.IsZero() {
		rec.From = f.From.Reveal()
	}
	var receipt selfrefer.Receipt
	var textBack campaign.Ring
	stored, err := db.keepTwice(ctx, recordForm, rec, func(tx *Tx) (err error) {
		textBack = campaign.Ring{}
		receipt, err = db.keepForm(tx, rec, before, judge, &textBack)
		return err
	})
	if err != nil {
		return selfrefer.Receipt{}, err
	}
	if stored && textBack.Message != 0 && db.Ring != nil {
		db.Ring(textBack)
	}
	if !stored {
		receipt = selfrefer.Receipt{Reference: rec.Reference, ContactBy: timeOf(rec.ContactBy), Urgent: judge(before.matched).Urgent}
	}
	return receipt, nil
}

// keepTwice writes to the journal and to the database. stored is false if the journal alone has it.
func (db *DB) keepTwice(ctx context.Context, kind string, record any, apply func(*Tx) error) (stored bool, err error) {
	payload, err := json.Marshal(record)
	if err != nil {
		return false, fmt.Errorf("write a journal record: %w", err)
	}
	type entry struct {
		seq int64
		err error
	}
	journal := make(chan entry, 1)
	go func() {
		seq, err := db.journal.append(kind, payload)
		if errors.Is(err, syscall.ENOSPC) && db.room.makeWay() {
			seq, err = db.journal.append(kind, payload)
		}
		journal <- entry{seq, err}
	}()
	err = db.write(ctx, "keep "+kind, apply)
	j := <-journal
	switch {
	case err == nil && j.err != nil:
		db.log.Error("the journal takes nothing: what people send now would be lost with the database", slog.Any("error", j.err))
	case err == nil || errors.Is(err, selfrefer.ErrNotFound) || errors.Is(err, selfrefer.ErrNothingToUndo):
		if db.refuses.Store(false); j.err == nil {
			db.journal.drained(j.seq)
		}
	case j.err == nil:
		db.owed.add(j.seq, kind)
		if !db.refuses.Swap(true) { // said once, not for each of a thousand people; drain says when it is over
			db.log.Error("the database takes nothing: the journal keeps what people send", slog.String("kind", kind), slog.Any("error", err))
		}
		return false, nil
	default:
		return false, fmt.Errorf("%w: %w", selfrefer.ErrNotKept, errors.Join(err, j.err))
	}
	return err == nil, err
}

// reference is what a person can read out on the telephone. It follows from the form's id, so that a double tap gives the same one even
// while no database can be asked; nth is for the rare case that another form has it.
func (db *DB) reference(formID string, nth int) string {
	const alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ" // no look-alikes
	if nth > 0 {
		formID += "\x00" + strconv.Itoa(nth)
	}
	var b strings.Builder
	for i, c := range db.sealer.index("reference", formID)[:8] {
		if i == 4 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[int(c)%len(alphabet)])
	}
	return b.String()
}

// ahead reads before the write what need not hold the writer: who is behind the link, and the honest date. Nothing of it is needed: if
// it cannot be read, the form is kept all the same.
func (db *DB) ahead(ctx context.Context, f selfrefer.Form) (o origin, known *knownDoc, contactBy time.Time) {
	if len(f.TokenHash) == 0 && f.Source != selfrefer.ByReply && db.ContactBy == nil {
		return origin{}, nil, time.Time{}
	}
	err := db.read(ctx, "who sends a form", func(tx *Tx) (err error) {
		if o, err = db.origin(tx, f); err != nil || !o.matched.Found {
			return err
		}
		return db.meet(tx, &o)
	})
	if err != nil {
		db.log.Warn("cannot look up who sends a form", slog.Any("error", err))
		return origin{}, nil, time.Time{}
	}
	if o.matched.Found {
		known = &knownDoc{Network: o.network, Team: o.matched.Team.ID}
		for i, p := range o.people {
			if i == 0 {
				known.Practice, known.Language = p.practice, p.language
			}
			known.People = append(known.People, p.doc)
		}
	}
	if db.ContactBy != nil && o.matched.Team.ID != 0 {
		contactBy = db.ContactBy(o.matched.Team.ID, f.At)
	}
	return o, known, contactBy
}

// origin is what the database knows of where a form came from.
type origin struct {
	message, campaign, stratum, audience, delivered int64
	phoneIx                                         []byte
	network                                         staff.NetworkID
	people                                          []onNumber // invited first
	matched                                         selfrefer.Matched
}

// onNumber is a patient of the audience with the number of the text.
type onNumber struct {
	id                 int64
	practice, language string
	nhsIx, sealed      []byte
	doc                personDoc
}

// origin finds the text behind a form: by its link, or for a reply the last text that went to that number.
func (db *DB) origin(tx *Tx, f selfrefer.Form) (o origin, err error) {
	const text = `
		SELECT m.id, m.campaign, m.stratum, m.delivered_at, m.phone_ix, c.network, c.audience, c.finished_at, c.links_off_at, t.id, t.network, t.name, t.promise_days
		FROM message m
		JOIN campaign c ON c.id = m.campaign
		JOIN team t ON t.id = c.team
		`
	row := (*sql.Row)(nil)
	switch {
	case len(f.TokenHash) > 0:
		row = tx.QueryRow(text+`WHERE m.`+linkedBy, f.TokenHash)
	case f.Source == selfrefer.ByReply && !f.From.IsZero():
		row = tx.QueryRow(text+`
			WHERE m.phone_ix = $1 AND m.attempt > 0 AND (c.network = $2 OR $2 = 0)
			ORDER BY m.delivered_at DESC, m.id DESC
			LIMIT 1`, db.phoneIndex(f.From), int64(f.Network))
	}
	var finished, off int64
	if row != nil {
		team := &o.matched.Team
		err := row.Scan(&o.message, &o.campaign, &o.stratum, &o.delivered, &o.phoneIx, (*int64)(&o.network), &o.audience, &finished, &off,
			(*int64)(&team.ID), (*int64)(&team.Network), &team.Name, &team.PromiseDays)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return o, fmt.Errorf("find the text of a form: %w", err)
		}
	}
	if o.message == 0 {
		return o, o.homeless(tx, f.Network)
	}
	o.matched.Found = true
	o.matched.Expired, err = expired(tx, int64(o.network), o.message, f.At.UnixMilli(), finished, off)
	return o, err
}

// homeless gives a form that no text brought to the first team of its network, or of the first network: it is never turned away.
func (o *origin) homeless(tx *Tx, n staff.NetworkID) error {
	err := tx.QueryRow(`
		SELECT id
		FROM network
		ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END, id
		LIMIT 1`, int64(n)).Scan((*int64)(&o.network))
	if errors.Is(err, sql.ErrNoRows) {
		return errors.New("there is no network that could answer a form")
	}
	if err != nil {
		return err
	}
	err = scanTeam(tx.QueryRow(`
		SELECT `+teamColumns+`
		FROM team
		WHERE network = $1
		ORDER BY id
		LIMIT 1`, int64(o.network)), &o.matched.Team)
	return notFound(err, nil) // a network without teams still has a queue
}

// meet reads who is on the number.
func (db *DB) meet(tx *Tx, o *origin) (err error) {
	o.people, err = list(tx, func(r scanner, p *onNumber) error {
		return r.Scan(&p.id, &p.practice, &p.language, &p.sealed, &p.nhsIx)
	}, `
		SELECT id, practice, language, person, nhs_ix
		FROM patient
		WHERE phone_ix = $1 AND +audience = $2 -- the plus keeps SQLite from walking the whole audience for the sake of the order
		ORDER BY invited DESC, id`, o.phoneIx, o.audience)
	if err != nil {
		return fmt.Errorf("find who is on the number: %w", err)
	}
	for i := range o.people {
		p := &o.people[i]
		if p.doc, err = db.openPerson("patient", p.id, p.sealed); err != nil {
			return err
		}
	}
	o.matched.Born = birthDates(o.people)
	return nil
}

func birthDates(people []onNumber) []person.BirthDate {
	var born []person.BirthDate
	for _, p := range people {
		born = append(born, p.doc.born())
	}
	return born
}

// recall puts back what the journal remembers of a text that a restored database does not know.
func (db *DB) recall(tx *Tx, o *origin, known *knownDoc) error {
	if known == nil {
		return nil
	}
	if err := o.homeless(tx, known.Network); err != nil {
		return err
	}
	team, err := teamOf(tx, known.Team)
	if err != nil && !errors.Is(err, staff.ErrNotFound) {
		return err
	}
	if err == nil && team.Network == o.network {
		o.matched.Team = team
	}
	o.matched.Found = true
	for _, d := range known.People {
		p := onNumber{practice: known.Practice, language: known.Language, doc: d, nhsIx: []byte{}}
		if nhs := d.nhs(); !nhs.IsZero() {
			p.nhsIx = db.nhsIndex(nhs)
		}
		if phone := d.phone(); o.phoneIx == nil && !phone.IsZero() {
			o.phoneIx = db.phoneIndex(phone)
		}
		o.people = append(o.people, p)
	}
	o.matched.Born = birthDates(o.people)
	return nil
}

// keepForm is the database's half of Keep. It is idempotent by the form's id. o is what was read ahead of the write, zero if nothing was:
// only whether the text has been answered can change in between, and that is asked again under the row's lock. textBack is where to tell of
// the confirmation that is owed; nil for what comes from the journal: its sender may have had one that the database has forgotten, and one
// that comes late reaches who knows whom.
func (db *DB) keepForm(tx *Tx, rec formRecord, o origin, judge func(selfrefer.Matched) selfrefer.Judgement, textBack *campaign.Ring) (selfrefer.Receipt, error) {
	formIx := db.sealer.index("form", rec.ID)
	if rc, found, err := receiptOf(tx, formIx); found || err != nil {
		return rc, err
	}
	f := rec.form()
	var err error
	if f.Source == selfrefer.ByReply && !f.From.IsZero() {
		// Two replies that come at the same time become one case.
		if err := db.lockNumber(tx, db.phoneIndex(f.From)); err != nil {
			return selfrefer.Receipt{}, err
		}
	}
	if !o.matched.Found {
		if o, err = db.origin(tx, f); err != nil {
			return selfrefer.Receipt{}, err
		}
		if o.matched.Found {
			err = db.meet(tx, &o)
		} else {
			err = db.recall(tx, &o, rec.Known)
		}
		if err != nil {
			return selfrefer.Receipt{}, err
		}
	}
	first := false
	if o.message != 0 {
		if first, err = db.noteAnswer(tx, &o, f); err != nil {
			return selfrefer.Receipt{}, err
		}
	}
	j := judge(o.matched)
	if rc, joined, err := db.joinReply(tx, f, o, j, formIx, first); joined || err != nil {
		return rc, err
	}
	id := db.newID()
	doc := docOf(rec, o, j)
	sealed, err := db.sealReferral(id, doc)
	if err != nil {
		return selfrefer.Receipt{}, err
	}
	row := newReferral{id: id, rec: rec, o: o, j: j, formIx: formIx, doc: doc, sealed: sealed}
	for nth := 0; ; nth++ {
		if nth > 0 {
			row.rec.Reference = db.reference(rec.ID, nth)
		}
		r, err := db.insertReferral(tx, row)
		if err != nil {
			return selfrefer.Receipt{}, fmt.Errorf("store a referral: %w", err)
		}
		if r.ID != 0 {
			if err := errors.Join(db.enter(tx, row, r), db.inherit(tx, r)); err != nil {
				return selfrefer.Receipt{}, err
			}
			if err := db.tellReceived(tx, row, r); err != nil {
				return selfrefer.Receipt{}, err
			}
			break
		}
		// Either a double tap that came at the same time, or another form's reference.
		if rc, found, err := receiptOf(tx, formIx); found || err != nil {
			return rc, err
		}
	}
	if err := db.countForm(tx, o, rec.At, first); err != nil {
		return selfrefer.Receipt{}, err
	}
	if textBack != nil && selfrefer.Confirms(f, o.matched, j) {
		a := answer{referral: id, network: o.network, campaign: o.campaign, language: rec.Answers.Pages, reference: row.rec.Reference, at: rec.At, by: rec.ContactBy, phoneIx: o.phoneIx, nhsIx: []byte{}}
		if len(o.people) > 0 { // whoever they are: this is the number that was invited
			a.to = o.people[0].doc.phone()
		}
		if j.Person >= 0 && j.Person < len(o.people) {
			a.nhsIx = o.people[j.Person].nhsIx
		}
		if *textBack, err = db.owe(tx, campaign.Confirmation, a); err != nil {
			return selfrefer.Receipt{}, fmt.Errorf("owe a confirmation: %w", err)
		}
	}
	err = db.audit(tx, staff.Entry{Network: o.network, Action: "referral.receive", Target: fmt.Sprintf("referral %d", id), Outcome: "done"})
	return selfrefer.Receipt{Reference: row.rec.Reference, ContactBy: timeOf(rec.ContactBy), Urgent: j.Urgent}, err
}

// receiptOf gives again what was given for a form.
func receiptOf(tx *Tx, formIx []byte) (rc selfrefer.Receipt, found bool, err error) {
	var by int64
	err = tx.QueryRow(`
		SELECT reference, contact_by, urgent
		FROM referral
		WHERE form_ix = $1 OR id = (SELECT referral FROM later_reply WHERE form_ix = $1)`, formIx).Scan(&rc.Reference, &by, &rc.Urgent)
	rc.ContactBy = timeOf(by)
	return rc, err == nil, notFound(err, nil)
}

// noteAnswer marks the text as answered and tells whether this is its first answer. A form that came by the link proves that the text
// left; a reply proves it of no text in particular.
func (db *DB) noteAnswer(tx *Tx, o *origin, f selfrefer.Form) (first bool, err error) {
	if len(f.TokenHash) > 0 {
		if err := db.tokenSeen(tx, f.TokenHash, o.message, true); err != nil {
			return false, fmt.Errorf("note that the link was used: %w", err)
		}
	}
	err = tx.QueryRow(`
		UPDATE message
		SET answered_at = $1
		WHERE id = $2 AND answered_at = 0
		RETURNING delivered_at`, max(f.At.UnixMilli(), 1), o.message).Scan(&o.delivered) // the use of the link may have set it
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("note the answer: %w", err)
	}
	if err == nil {
		return true, nil // whoever uses the link marks its text in the same transaction: it was not spent
	}
	// Asked again: whoever used the link at the same moment has been waited for.
	o.matched.Spent, err = linkSpent(tx, o.message)
	return false, err
}

// linkSpent reports whether a self-referral came by a text's link. One that came by a reply leaves the link as it is.
func linkSpent(tx *Tx, message int64) (bool, error) {
	var n int
	err := tx.QueryRow(`SELECT COUNT(*) FROM referral WHERE message = $1 AND source = 'link'`, message).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("see whether a link is spent: %w", err)
	}
	return n > 0, nil
}

// countForm tells the pacer: the first answer to a text teaches it the campaign's rate, everything else the team's own traffic.
func (db *DB) countForm(tx *Tx, o origin, at int64, first bool) error {
	hour, team := hourOf(at), int64(o.matched.Team.ID)
	var err error
	if first {
		from := hour
		if o.delivered > 0 {
			from = hourOf(o.delivered)
		}
		err = db.bump(tx, o.campaign, tallyAnswer, o.stratum, hour, from, 1)
	} else if team != 0 {
		err = db.bump(tx, team, tallyOther, 0, hour, 0, 1)
	}
	if err == nil && team != 0 {
		err = db.bump(tx, team, tallyReferral, 0, hour, 0, 1)
	}
	return err
}

// referralDoc is the sealed document of a referral.
type referralDoc struct {
	Answers   selfrefer.Answers `json:"answers"`
	WhyUrgent []string          `json:"why_urgent,omitempty"`
	Person    personDoc         `json:"person"`
}

// docOf puts together who it is: from the list if the form matches somebody, else as far as the form tells.
func docOf(rec formRecord, o origin, j selfrefer.Judgement) referralDoc {
	d := referralDoc{Answers: rec.Answers, WhyUrgent: j.WhyUrgent}
	name := person.SplitName(rec.Answers.Name)
	d.Person.Given, d.Person.Family = name.Given, name.Family
	if born, err := person.ParseBirthDate(rec.Answers.BirthDate, timeOf(rec.At)); err == nil {
		d.Person.Born = born.ISO()
	}
	if j.Person >= 0 && j.Person < len(o.people) {
		d.Person = o.people[j.Person].doc
	}
	switch typed, err := person.ParsePhone(rec.Answers.Phone); {
	case err == nil && !typed.IsZero():
		d.Person.Phone = typed.Reveal()
	case rec.From != "":
		d.Person.Phone = rec.From
	case d.Person.Phone == "" && len(o.people) > 0:
		d.Person.Phone = o.people[0].doc.Phone // the link was opened on the phone that was texted
	}
	return d
}

func (db *DB) sealReferral(id int64, d referralDoc) ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write a referral: %w", err)
	}
	return db.sealer.seal("referral", "person", strconv.FormatInt(id, 10), b)
}

type newReferral struct {
	id     int64
	rec    formRecord
	o      origin
	j      selfrefer.Judgement
	formIx []byte
	doc    referralDoc
	sealed []byte
}

// insertReferral answers with the zero referral if there is one with this form or this reference.
func (db *DB) insertReferral(tx *Tx, r newReferral) (in selfrefer.Referral, err error) {
	phoneIx, nhsIx := r.o.phoneIx, []byte{}
	if phoneIx == nil {
		phoneIx = []byte{}
		if phone, err := person.ParseE164(r.rec.From); err == nil {
			phoneIx = db.phoneIndex(phone)
		} else if phone, err := person.ParsePhone(r.rec.Answers.Phone); err == nil && !phone.IsZero() {
			phoneIx = db.phoneIndex(phone)
		}
	}
	var patient int64
	var practice, language string
	if len(r.o.people) > 0 {
		practice, language = r.o.people[0].practice, r.o.people[0].language
	}
	if r.j.Person >= 0 && r.j.Person < len(r.o.people) {
		p := r.o.people[r.j.Person]
		patient, practice, language, nhsIx = p.id, p.practice, p.language, p.nhsIx
	}
	if r.rec.Answers.Language != "" {
		language = r.rec.Answers.Language
	}
	due := throttle.Calendar{}.DueBy(timeOf(r.rec.At), max(r.o.matched.Team.PromiseDays, 1))
	in = selfrefer.Referral{ID: selfrefer.ReferralID(r.id), Network: r.o.network, Team: r.o.matched.Team.ID, State: selfrefer.New, Lane: r.j.Lane, Urgent: r.j.Urgent,
		Practice: practice, Language: language, Due: due}
	n, err := tx.Exec(`
		INSERT INTO referral (id, network, team, campaign, message, patient, form_ix, reference, state, lane, urgent, source, not_matched,
			practice, language, received_at, due_at, contact_by, claimed_by, claimed_at, contacted_at, attempts, closed_at, person, phone_ix, nhs_ix, indexed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0, 0, 0, 0, 0, $19, $20, $21, 2)
		ON CONFLICT DO NOTHING`,
		r.id, int64(r.o.network), int64(r.o.matched.Team.ID), r.o.campaign, r.o.message, patient, r.formIx, r.rec.Reference,
		string(selfrefer.New), string(r.j.Lane), r.j.Urgent, string(r.rec.Source), r.j.NotMatched,
		practice, language, r.rec.At, msOf(due), r.rec.ContactBy, r.sealed, phoneIx, nhsIx)
	if err != nil || n == 0 {
		return selfrefer.Referral{}, err
	}
	return in, nil
}

// DrainJournal brings into the database what the journal alone took, here or in a process before this one. Call it before the first
// claim and then again and again: it costs nothing while nothing is owed. It returns how many records it applied.
func (db *DB) DrainJournal(ctx context.Context) (int, error) {
	db.owed.mu.Lock()
	idle := db.owed.learned && len(db.owed.open) == 0
	db.owed.mu.Unlock()
	if idle {
		return 0, nil
	}
	from, err := db.journal.undrained()
	if err != nil {
		return 0, fmt.Errorf("drain the journal: %w", err)
	}
	n, err := db.replayJournal(ctx, from)
	if hurt, ok := errors.AsType[*damage](err); ok {
		db.lose(hurt) // what can be read is in the database; the rest is for a person to accept, before anybody is texted
		err = nil
	}
	if err == nil {
		db.owed.mu.Lock()
		db.owed.learned = true
		db.owed.mu.Unlock()
	}
	return n, err
}

// ReplayJournal applies every form, opt-out and reply of the provider from a journal record on. What the database has already stays as it is, so after a
// restored backup it is safe to start from 0. A record that cannot be applied does not keep the others from it.
func (db *DB) ReplayJournal(ctx context.Context, from int64) error {
	_, err := db.replayJournal(ctx, from)
	return err
}

func (db *DB) replayJournal(ctx context.Context, from int64) (applied int, err error) {
	var refused []error
	row := 0 // refusals one after the other
	err = db.journal.replay(from, func(r Record) error {
		known, err := db.applyRecord(ctx, r)
		switch {
		case !known:
		case err != nil:
			db.owed.add(r.Seq, r.Kind)
			refused = append(refused, fmt.Errorf("%v: %w", r, err))
			if row++; row == 10 || ctx.Err() != nil {
				refused = append(refused, errors.New("the database refuses everything"))
				return errors.New("enough")
			}
		default:
			row = 0
			applied++
			db.journal.drained(r.Seq)
			db.owed.settle(r.Seq)
		}
		return nil
	})
	if len(refused) > 0 { // tried again, and damage is found again
		return applied, fmt.Errorf("replay the journal: %w", errors.Join(refused...))
	}
	if err != nil {
		return applied, fmt.Errorf("replay the journal: %w", err)
	}
	return applied, nil
}

func (db *DB) applyRecord(ctx context.Context, r Record) (known bool, err error) {
	switch r.Kind {
	case recordForm:
		var rec formRecord
		if err := json.Unmarshal(r.payload, &rec); err != nil {
			return true, errors.New("the record cannot be read") // the error would quote it
		}
		f := rec.form()
		return true, db.write(ctx, "replay form", func(tx *Tx) error {
			_, err := db.keepForm(tx, rec, origin{}, func(m selfrefer.Matched) selfrefer.Judgement { return selfrefer.Judge(f, m, f.At) }, nil)
			return err
		})
	case recordOptOut:
		var rec optOutRecord
		if err := json.Unmarshal(r.payload, &rec); err != nil {
			return true, errors.New("the record cannot be read")
		}
		err := db.write(ctx, "replay opt-out", func(tx *Tx) error { _, err := db.keepOptOut(tx, rec); return err })
		if errors.Is(err, selfrefer.ErrNotFound) {
			db.log.Warn("an opt-out of the journal belongs to no text that the database knows", slog.Int64("record", r.Seq))
			return true, nil
		}
		return true, err
	case recordUndo:
		var rec optOutRecord
		if err := json.Unmarshal(r.payload, &rec); err != nil {
			return true, errors.New("the record cannot be read")
		}
		err := db.write(ctx, "replay undo", func(tx *Tx) error { return db.keepUndo(tx, rec) })
		if errors.Is(err, selfrefer.ErrNothingToUndo) || errors.Is(err, selfrefer.ErrNotFound) {
			return true, nil // it is undone already, or was asked for again since
		}
		return true, err
	case recordReplied:
		var rec replyRecord
		if err := json.Unmarshal(r.payload, &rec); err != nil {
			return true, errors.New("the record cannot be read")
		}
		err := db.Adopt(ctx, rec.evidence())
		if errors.Is(err, campaign.ErrNotFound) { // a backup older than the campaign; the provider's list knows the text too
			db.log.Warn("a reply of the journal belongs to no text that the database knows", slog.Int64("record", r.Seq))
			return true, nil
		}
		return true, err
	}
	return false, nil
}
