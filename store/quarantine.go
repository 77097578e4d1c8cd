package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ campaign.QuarantineStore = (*DB)(nil)

// Keys of the table meta that belong to the quarantine.
const (
	metaQuarantine = "quarantine" // JSON of halted, while the database must not send; a restart goes on with it
	metaServer     = "server"     // Postgres: which server was trusted last, and which of its lives
)

type halted struct {
	ID     string          `json:"id"`
	Reason campaign.Reason `json:"reason"`
	Since  int64           `json:"since"` // machine
}

// learnServer finds out what this account may ask the server about itself.
func (db *DB) learnServer(ctx context.Context) (err error) {
	for _, ask := range db.engine.serverIs() {
		err = db.read(ctx, "which server", func(tx *Tx) error {
			var is string
			return tx.QueryRow(`SELECT ` + ask).Scan(&is)
		})
		if err == nil {
			db.server = ask
			if ask == db.engine.serverIs()[len(db.engine.serverIs())-1] {
				db.log.Warn("this server does not tell its timeline: a standby that takes over is noticed by the marker and the provider's record alone")
			}
			return nil
		}
	}
	return fmt.Errorf("ask the server which it is: %w", err)
}

// mayNotSend are columns that tell whether a database may not send; see standing.
func (db *DB) mayNotSend() string {
	return `COALESCE((SELECT value FROM meta WHERE key = 'quarantine'), ''), COALESCE((SELECT value FROM meta WHERE key = 'server'), ''), ` + db.server
}

// standing is what mayNotSend reads.
type standing struct{ mark, trusted, server string }

func (s *standing) dest() []any { return []any{&s.mark, &s.trusted, &s.server} }

// stop tells whether a quarantine is under way or has to begin. A transaction that asks is exact: its connection leads to the very server
// that it is about to write to.
func (s standing) stop() bool {
	return s.mark != "" || s.moved()
}

func (s standing) moved() bool { return s.trusted != "" && !sameServer(s.trusted, s.server) }

func (db *DB) standing(tx *Tx) (s standing, err error) {
	err = tx.QueryRow(`SELECT ` + db.mayNotSend()).Scan(s.dest()...)
	return s, err
}

// quarantined tells whether this database may not send, in the transaction that is about to let something go.
func (db *DB) quarantined(tx *Tx) (bool, error) {
	s, err := db.standing(tx)
	if err != nil {
		return true, fmt.Errorf("see whether sending waits: %w", err)
	}
	return s.stop(), nil
}

// highestIntent is the machine time of the newest claim: what the marker outside the database remembers.
func highestIntent(tx *Tx) (int64, error) {
	var high *int64
	err := tx.QueryRow(`SELECT MAX(started_at) FROM attempt`).Scan(&high)
	if high == nil {
		return 0, err
	}
	return *high, err
}

// haltOf reads the quarantine that is under way.
func (db *DB) haltOf(tx *Tx, mark string) (h campaign.Halt, err error) {
	if mark == "" {
		return h, nil
	}
	var m halted
	if json.Unmarshal([]byte(mark), &m) != nil || m.ID == "" { // of the first version, which wrote "1"
		m = halted{ID: mark, Reason: campaign.OlderDatabase}
	}
	h = campaign.Halt{ID: m.ID, Reason: m.Reason, Since: timeOf(m.Since)}
	if h.Gaps, err = gapsOf(tx, m.ID); err != nil {
		return h, err
	}
	err = tx.QueryRow(`SELECT COUNT(*) FROM journal WHERE NOT closed AND replayed <> $1`, m.ID).Scan(&h.Away)
	return h, err
}

// gapsOf lists what nobody has accepted yet.
func gapsOf(tx *Tx, id string) ([]campaign.Gap, error) {
	return list(tx, func(r scanner, g *campaign.Gap) error {
		var from, to int64
		err := r.Scan(&g.Journal, &g.Why, &from, &to, &g.Records)
		g.From, g.To = timeOf(from), timeOf(to)
		return err
	}, `
		SELECT journal, why, from_at, to_at, records
		FROM gap
		WHERE quarantine = $1 AND accepted_at = 0
		ORDER BY journal`, id)
}

// Halted tells whether sending waits, and why.
func (db *DB) Halted(ctx context.Context) (h campaign.Halt, err error) {
	err = db.read(ctx, "quarantine", func(tx *Tx) error {
		s, err := db.standing(tx)
		if err != nil {
			return err
		}
		h, err = db.haltOf(tx, s.mark)
		return err
	})
	return h, err
}

// Examine compares the database with the marker, the witness, the journal and the server that was trusted.
func (db *DB) Examine(ctx context.Context) (h campaign.Halt, err error) {
	// What is remembered is read first: until the database is read, that may only move on.
	beside, besideKnown := db.marker.remembers()
	away, awayKnown := db.witness.remembers()
	b := &db.books
	b.mu.Lock()
	told, lost, doubt, under := b.told, b.lost, b.doubt, b.under
	b.mu.Unlock()
	var high int64
	var s standing
	var row journalRow
	err = db.read(ctx, "examine", func(tx *Tx) error {
		if s, err = db.standing(tx); err != nil {
			return err
		}
		if high, err = highestIntent(tx); err != nil {
			return err
		}
		if row, err = journalRowOf(tx, b.id); err != nil {
			return err
		}
		h, err = db.haltOf(tx, s.mark)
		return err
	})
	if err != nil {
		return h, err
	}
	if h.On() {
		b.mu.Lock()
		b.under = h.ID
		b.mu.Unlock()
		return h, nil
	}
	if under != "" { // somebody has ended it: this process trusts the database again
		return h, db.follow(ctx)
	}
	why := campaign.Reason("")
	missing := judge(besideKnown, beside, db.id, high)
	if missing == markerMissing && (high == 0 || db.engine == enginePostgres) {
		// On Postgres every process has its own marker, and a new process starts without one. On SQLite the marker lies beside the
		// database: if texts were sent and it is gone, the folder is not what it was.
		missing = markerOK
	}
	switch {
	case doubt != "":
		why = doubt
	case s.moved():
		why = campaign.OtherServer
	case missing != markerOK, awayKnown && judge(true, away, db.id, high) != markerOK:
		why = campaign.OlderDatabase
	case lost != nil, row.known && row.drained < told:
		why = campaign.JournalAhead
	}
	if why != "" {
		if err := db.Begin(ctx, why); err != nil {
			return h, err
		}
		return db.Halted(ctx)
	}
	if !db.cfg.Serve {
		return h, nil
	}
	if !besideKnown {
		if err := db.marker.adopt(db.id, high); err != nil {
			return h, err
		}
	}
	if !awayKnown {
		db.adoptWitness(high)
	}
	if s.trusted == "" && s.server != "" {
		return h, db.write(ctx, "trust the server", func(tx *Tx) error {
			_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, `+db.server+`) ON CONFLICT (key) DO NOTHING`, metaServer)
			return err
		})
	}
	return h, nil
}

func (db *DB) adoptWitness(high int64) {
	db.witness.mu.Lock()
	if db.witness.now.database != db.id {
		db.witness.now = mark{database: db.id}
	}
	db.witness.now.high, db.witness.known, db.witness.dirty = high, true, true
	db.witness.mu.Unlock()
	db.flushWitness()
}

// follow makes what this process remembers agree with the database, after a quarantine.
func (db *DB) follow(ctx context.Context) error {
	read := func() (high int64, row journalRow, err error) {
		err = db.read(ctx, "follow", func(tx *Tx) (err error) {
			if high, err = highestIntent(tx); err != nil {
				return err
			}
			row, err = journalRowOf(tx, db.books.id)
			return err
		})
		return high, row, err
	}
	high, row, err := read()
	if err != nil {
		return err
	}
	if err := db.marker.adopt(db.id, high); err != nil {
		return err
	}
	db.adoptWitness(high)
	if high, _, err = read(); err != nil { // a claim of this moment is not forgotten
		return err
	}
	db.marker.raise(high)
	db.witness.raise(high)
	b := &db.books
	b.mu.Lock()
	b.under, b.joined, b.doubt, b.told = "", "", "", row.drained
	b.mu.Unlock()
	return nil
}

// Begin begins a quarantine, in every process that uses the database: their claims ask it.
func (db *DB) Begin(ctx context.Context, why campaign.Reason) error {
	now := db.cfg.Machine().UnixMilli()
	m, err := json.Marshal(halted{ID: rand.Text(), Reason: why, Since: now})
	if err != nil {
		return err
	}
	begun := false
	err = db.write(ctx, "begin quarantine", func(tx *Tx) error {
		n, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, metaQuarantine, string(m))
		begun = n == 1
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.Exec(`INSERT INTO alarm (id, at, code, campaign, message) VALUES ($1, $2, 'generation', 0, 0)`, db.newID(), tx.now)
		return errors.Join(err, db.auditAll(tx, "quarantine.begin", "database", string(why)))
	})
	if begun && err == nil {
		db.log.Warn("a quarantine begins: nothing is sent until it is known what left", slog.String("reason", string(why)))
	}
	return err
}

// auditAll notes in every network's audit what concerns all of them.
func (db *DB) auditAll(tx *Tx, action, target, outcome string) error {
	rows, err := tx.Query(`SELECT id FROM network ORDER BY id`)
	if err != nil {
		return err
	}
	ids, err := scanIDs(rows)
	for _, id := range ids {
		if err == nil {
			err = db.audit(tx, staff.Entry{Network: staff.NetworkID(id), Action: action, Target: target, Outcome: outcome})
		}
	}
	return err
}

// Rejoin takes in this process's own journal, from where this database stopped.
func (db *DB) Rejoin(ctx context.Context, id string) error {
	_, err := db.rejoin(ctx, id)
	return err
}

func (db *DB) rejoin(ctx context.Context, id string) (replayed int, err error) {
	b := &db.books
	b.mu.Lock()
	done := b.joined == id
	b.mu.Unlock()
	if done || !db.cfg.Serve {
		return 0, nil
	}
	var row journalRow
	err = db.read(ctx, "journal row", func(tx *Tx) (err error) {
		row, err = journalRowOf(tx, b.id)
		return err
	})
	if err != nil {
		return 0, err
	}
	replayed, err = db.replayJournal(ctx, row.drained+1)
	if hurt, ok := errors.AsType[*damage](err); ok {
		db.lose(hurt)
		err = nil
	}
	if err != nil {
		return replayed, err
	}
	acked, at, drained, _ := db.journal.progress()
	b.mu.Lock()
	lost := b.lost
	b.mu.Unlock()
	h, err := db.Halted(ctx)
	if err != nil {
		return replayed, err
	}
	if h.Reason == campaign.ProviderKnows && lost == nil {
		// The database has forgotten, and neither marker nor witness knew: all of it was put back together, the journal too. A few records
		// that it is ahead by prove nothing: a machine that is copied while it runs is a second behind with telling the database.
		lost = &loss{from: max(db.journal.lastAt, row.at), to: msOf(h.Since), why: whyTogether}
	}
	err = db.write(ctx, "rejoin", func(tx *Tx) error {
		host := ""
		if _, err := tx.Exec(`
			INSERT INTO journal (id, host, seq, at, drained, seen_at, closed, replayed) VALUES ($1, $2, $3, $4, $5, $6, FALSE, $7)
			ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, at = excluded.at, drained = excluded.drained, seen_at = excluded.seen_at, closed = FALSE, replayed = excluded.replayed`,
			b.id, host, acked, at, drained, tx.machine, id); err != nil {
			return err
		}
		// It was given up, and is here after all.
		if _, err := tx.Exec(`DELETE FROM gap WHERE quarantine = $1 AND journal = $2 AND why = $3 AND accepted_at = 0`, id, b.id, whyAway); err != nil {
			return err
		}
		if lost == nil {
			return nil
		}
		return db.miss(tx, id, campaign.Gap{Journal: b.id, Why: lost.why, From: timeOf(lost.from), To: timeOf(lost.to), Records: lost.records})
	})
	if err != nil {
		return replayed, err
	}
	b.mu.Lock()
	b.joined, b.lost, b.told = id, nil, drained
	b.mu.Unlock()
	db.log.Info("the journal has told the database what it holds", slog.Int("records", replayed))
	return replayed, nil
}

// miss notes a gap. What a person has accepted already stays so.
func (db *DB) miss(tx *Tx, id string, g campaign.Gap) error {
	n, err := tx.Exec(`
		INSERT INTO gap (quarantine, journal, why, from_at, to_at, records, found_at, accepted_at, accepted_by) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '')
		ON CONFLICT (quarantine, journal) DO NOTHING`, id, g.Journal, g.Why, msOf(g.From), msOf(g.To), g.Records, tx.machine)
	if err != nil || n == 0 {
		return err
	}
	db.log.Error("something is missing that nothing brings back: " + g.String())
	return db.auditAll(tx, "quarantine.gap", "journal", g.String())
}

// Miss notes what the provider's record hides.
func (db *DB) Miss(ctx context.Context, epoch int64, id string, g campaign.Gap) error {
	return db.write(ctx, "note a gap", func(tx *Tx) error {
		if err := tx.leads(epoch, ""); err != nil {
			return err
		}
		return db.miss(tx, id, g)
	})
}

// Complete tells whether nothing is missing any more that a quarantine has to wait for.
func (db *DB) Complete(ctx context.Context, epoch int64, id string, away time.Duration) (complete bool, err error) {
	if away == 0 {
		away = campaign.DefaultAway
	}
	err = db.write(ctx, "missing journals", func(tx *Tx) error {
		complete = false
		if err := tx.leads(epoch, ""); err != nil {
			return err
		}
		s, err := db.standing(tx)
		if err != nil {
			return err
		}
		h, err := db.haltOf(tx, s.mark)
		if err != nil {
			return err
		}
		if h.ID != id {
			return campaign.ErrConflict
		}
		type absent struct {
			id, host string
			seen     int64
		}
		all, err := list(tx, func(r scanner, a *absent) error { return r.Scan(&a.id, &a.host, &a.seen) }, `
			SELECT id, host, seen_at FROM journal j
			WHERE NOT closed AND replayed <> $1 AND NOT EXISTS (SELECT 1 FROM gap WHERE quarantine = $1 AND journal = j.id)`, id)
		if err != nil {
			return err
		}
		if tx.machine-msOf(h.Since) >= away.Milliseconds() {
			for _, a := range all {
				g := campaign.Gap{Journal: a.id, Why: whyAway + " (" + a.host + ")", From: timeOf(a.seen), To: h.Since}
				if err := db.miss(tx, id, g); err != nil {
					return err
				}
			}
			h.Gaps = append(h.Gaps, make([]campaign.Gap, len(all))...)
			all = nil
		}
		complete = len(all) == 0 && len(h.Gaps) == 0
		return nil
	})
	return complete, err
}

// AcceptGap accepts, in a person's name, what they were shown as missing: sending need not wait for it any more. It returns what was accepted.
func (db *DB) AcceptGap(ctx context.Context, who string, these []campaign.Gap) (all []campaign.Gap, err error) {
	err = db.write(ctx, "accept a gap", func(tx *Tx) error {
		s, err := db.standing(tx)
		if err != nil {
			return err
		}
		h, err := db.haltOf(tx, s.mark)
		if err != nil {
			return err
		}
		all = nil
		for _, g := range h.Gaps {
			if !slices.Contains(these, g) {
				continue // found since this person was asked
			}
			all = append(all, g)
			if _, err := tx.Exec(`UPDATE gap SET accepted_at = $1, accepted_by = $2 WHERE quarantine = $3 AND journal = $4`, tx.machine, who, h.ID, g.Journal); err != nil {
				return err
			}
			// A journal that was given up is not waited for again; if it does come back, it tells all it holds.
			if _, err := tx.Exec(`DELETE FROM journal WHERE replayed <> $1 AND id = $2`, h.ID, g.Journal); err != nil {
				return err
			}
			if err := db.auditAll(tx, "quarantine.accept_gap", g.String(), "accepted by "+who); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		for _, g := range all {
			db.log.Warn("a person has accepted that this is missing: "+g.String(), slog.String("who", who))
		}
	}
	return all, err
}

// doubtChunk keeps each step well below 50 ms of the writer.
const doubtChunk = 1000

// Doubt makes unknown what could have left without this database knowing. A claim that is refused meanwhile moves its message backwards:
// so it goes through all of them until there are none.
func (db *DB) Doubt(ctx context.Context) error {
	for {
		n, err := db.moveAll(ctx, "doubt", `state IN ('running', 'paused')`, campaign.Doubt, `code = 'restored', looks = 0, look_at = 9000000000000000000`, ``, func(*Tx) error { return nil })
		if err != nil {
			return err
		}
		services, err := db.doubtServices(ctx)
		if err != nil || n+services == 0 {
			return err
		}
	}
}

// ClearDoubts plans again what is unknown and without evidence, also where a campaign was stopped meanwhile: there it expires. Of the service
// texts it does so for corrections; the others stay unknown.
func (db *DB) ClearDoubts(ctx context.Context, epoch int64) error {
	_, err := db.moveAll(ctx, "clear doubts", `state <> 'draft'`, campaign.Clear, `code = '', look_at = 0`,
		`AND code = 'restored' AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.message = message.id)`,
		func(tx *Tx) error { return tx.leads(epoch, db.engine.lockClause()) })
	if err != nil {
		return err
	}
	return db.clearCorrections(ctx, epoch)
}

func (db *DB) clearCorrections(ctx context.Context, epoch int64) error {
	for n := serviceChunk; n == serviceChunk; {
		err := db.write(ctx, "clear doubts", func(tx *Tx) error {
			if err := tx.leads(epoch, db.engine.lockClause()); err != nil {
				return err
			}
			rows, err := tx.Query(`
				SELECT id FROM service_text s
				WHERE state = 'unknown' AND correction > 0 AND code = 'restored' AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.message = s.id)
				LIMIT $1`, serviceChunk)
			if err != nil {
				return err
			}
			ids, err := scanIDs(rows)
			n = len(ids)
			for _, id := range ids {
				if err != nil {
					return err
				}
				var s service
				if s, err = serviceOf(tx, campaign.MessageID(id), db.engine.lockClause()); err == nil {
					_, err = db.moveService(tx, &s, campaign.Clear, `code = '', look_at = 0`)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// moveAll applies an event to all messages of some campaigns in the states it leaves, in chunks.
func (db *DB) moveAll(ctx context.Context, label, owned string, on campaign.Event, sets, and string, may func(*Tx) error) (total int, err error) {
	var owners []int64
	err = db.read(ctx, label, func(tx *Tx) error {
		rows, err := tx.Query(`SELECT id FROM campaign WHERE ` + owned)
		if err != nil {
			return err
		}
		owners, err = scanIDs(rows)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, owner := range owners {
		for _, from := range on.From() {
			to, _ := campaign.Next(from, on)
			for n := doubtChunk; n == doubtChunk; {
				err := db.write(ctx, label, func(tx *Tx) error {
					if err := may(tx); err != nil {
						return err
					}
					rings, err := db.moved(tx, owner, from, to, `
						UPDATE message
						SET state = $1, `+sets+`
						WHERE state = $2 AND id IN (SELECT id FROM message WHERE campaign = $3 AND state = $2 `+and+` LIMIT $4)
						RETURNING id, attempt, rings, stratum, cost`, string(to), string(from), owner, doubtChunk)
					n = len(rings)
					return err
				})
				if err != nil {
					return total, err
				}
				total += n
			}
		}
	}
	return total, nil
}

// auditReach is how long the rows of a text are kept at least, whoever it went to: only of older ones may a token be forgotten in good order.
const auditReach = 60 * 24 * time.Hour

// Forgotten counts the texts that the database ought to know and does not: their token is not ours, or belongs to a message that was never
// tried.
func (db *DB) Forgotten(ctx context.Context, all []campaign.Listed) (n int, late []campaign.Listed, err error) {
	err = db.read(ctx, "newest texts", func(tx *Tx) error {
		n, late = 0, nil
		for _, l := range all {
			t := l.TokenIn()
			if t.Zero() || (!l.At.IsZero() && msOf(l.At) < tx.now-auditReach.Milliseconds()) {
				continue
			}
			known, err := db.knows(tx, l.SID)
			if err != nil {
				return err
			}
			if known {
				continue
			}
			_, state, attempt, err := textOf(tx, t.Hash())
			switch {
			case errors.Is(err, campaign.ErrNotFound):
				n++
			case err != nil:
				return err
			case state.Left() || state == campaign.Sending || state == campaign.Unknown || state == campaign.Held:
			case attempt > 0:
				late = append(late, l)
			default:
				n++
			}
		}
		return nil
	})
	return n, late, err
}

// knows tells whether a text of the provider is accounted for.
func (db *DB) knows(tx *Tx, sid string) (bool, error) {
	var n int
	err := tx.QueryRow(`SELECT (SELECT COUNT(*) FROM message WHERE sid = $1) + (SELECT COUNT(*) FROM service_text WHERE sid = $1) + (SELECT COUNT(*) FROM stranger WHERE sid = $1)`, sid).Scan(&n)
	return n > 0, err
}

// Adopted takes texts of the provider's list.
func (db *DB) Adopted(ctx context.Context, all []campaign.Listed) (hidden []campaign.Listed, err error) {
	err = db.write(ctx, "adopt listed", func(tx *Tx) error {
		hidden = nil
		for _, l := range all {
			secret, err := db.adoptListed(tx, l)
			if err != nil {
				return err
			}
			if secret {
				hidden = append(hidden, l)
			}
		}
		return nil
	})
	return hidden, err
}

func (db *DB) adoptListed(tx *Tx, l campaign.Listed) (hidden bool, err error) {
	t := l.TokenIn()
	if t.Zero() && l.Body != "" {
		return false, nil // no text of a campaign
	}
	if !t.Zero() {
		id, _, _, err := textOf(tx, t.Hash())
		if err == nil {
			return false, db.adopt(tx, campaign.Evidence{Message: id, Event: campaign.StatusEvent(l.Status), Kind: "listing", SID: l.SID, Code: l.Code, At: time.UnixMilli(tx.now)})
		}
		if !errors.Is(err, campaign.ErrNotFound) {
			return false, err
		}
	}
	known, err := db.knows(tx, l.SID)
	if err != nil || known {
		return false, err
	}
	if l.To.IsZero() {
		return true, nil
	}
	// Sent by a campaign that the backup has never heard of, or redacted: nobody may text this number again too soon.
	at := msOf(l.At)
	if at == 0 {
		at = tx.now
	}
	if _, err := tx.Exec(`
		INSERT INTO contact (phone_ix, message, campaign, at) VALUES ($1, 0, 0, $2)
		ON CONFLICT (phone_ix, message) DO UPDATE SET at = CASE WHEN contact.at < excluded.at THEN excluded.at ELSE contact.at END`, db.phoneIndex(l.To), at); err != nil {
		return false, err
	}
	_, err = tx.Exec(`INSERT INTO stranger (sid, at) VALUES ($1, $2) ON CONFLICT (sid) DO NOTHING`, l.SID, at)
	return false, err
}

// Trust ends the quarantine.
func (db *DB) Trust(ctx context.Context, epoch int64) error {
	err := db.write(ctx, "end quarantine", func(tx *Tx) error {
		if err := tx.leads(epoch, db.engine.lockClause()); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM meta WHERE key = $1`, metaQuarantine); err != nil {
			return err
		}
		var server string
		if err := tx.QueryRow(`SELECT ` + db.server).Scan(&server); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if server != "" {
			if err := tx.setMeta(metaServer, server); err != nil {
				return err
			}
		}
		return db.auditAll(tx, "quarantine.end", "database", "trusted")
	})
	if err != nil {
		return err
	}
	return db.follow(ctx)
}
