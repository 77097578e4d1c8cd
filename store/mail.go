package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// The outbox of mails to staff. A notice is noted once for each person, whoever looks and however often; a mail takes all that wait for one
// person with it. Civil time says when somebody may be mailed, machine time when a server is tried.
const (
	mailGather  = 2 * time.Minute  // what is not urgent waits for more to come
	mailPause   = 15 * time.Minute // between two mails to a person
	urgentPause = 5 * time.Minute  // between two with something urgent

	mailDeadline = 3 * time.Minute // of machine time; a mail takes half a minute at most
	mailTries    = 24 * time.Hour  // how long a server is tried
	mailLife     = 60 * 24 * time.Hour
)

// mailBackOff is how long a notice waits after so many tries.
func mailBackOff(tries int64) time.Duration {
	return min(time.Minute<<min(max(tries, 1)-1, 10), 30*time.Minute)
}

// MailTo lists who may have to be mailed, in every network.
func (db *DB) MailTo(ctx context.Context) (all []staff.AccountID, err error) {
	err = db.read(ctx, "whom to mail", func(tx *Tx) error {
		all = nil
		accounts, err := list(tx, func(r scanner, a *staff.Account) error { return scanAccount(r, a) }, `SELECT `+accountColumns+` FROM account a WHERE a.disabled_at = 0 ORDER BY a.id`)
		for _, a := range accounts {
			if slices.ContainsFunc(selfrefer.NoticeKinds(), func(k selfrefer.NoticeKind) bool { return k.For(a) }) {
				all = append(all, a.ID)
			}
		}
		return err
	})
	return all, err
}

// noticeKey is what somebody is told once.
type noticeKey struct {
	kind  selfrefer.NoticeKind
	ref   string
	since int64
}

func keyOf(n selfrefer.Notice) noticeKey { return noticeKey{n.Kind, n.Ref, msOf(n.Since)} }

// waitingNotice is a row of the outbox that has not gone yet.
type waitingNotice struct {
	id int64
	noticeKey
	noted, firstTry, nextTry int64
}

func waitingNotices(tx *Tx, account staff.AccountID) ([]waitingNotice, error) {
	all, err := list(tx, func(r scanner, w *waitingNotice) error {
		return r.Scan(&w.id, (*string)(&w.kind), &w.ref, &w.since, &w.noted, &w.firstTry, &w.nextTry)
	}, `
		SELECT id, kind, ref, since, noted_at, first_try, next_try
		FROM notice_mail
		WHERE account = $1 AND state = 'waiting'
		ORDER BY id`, int64(account))
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return all, nil
}

func mailOff(tx *Tx, a staff.Account) (off []selfrefer.NoticeKind, err error) {
	off, err = list(tx, func(r scanner, k *selfrefer.NoticeKind) error { return r.Scan((*string)(k)) }, `SELECT kind FROM notice_off WHERE account = $1 ORDER BY kind`, int64(a.ID))
	if err != nil {
		return nil, fmt.Errorf("read which mails somebody wants: %w", err)
	}
	// Somebody who has become the senior since then gets what seniors get.
	return slices.DeleteFunc(off, func(k selfrefer.NoticeKind) bool { return k.Fixed(a.Role) }), nil
}

// toMail is what somebody must be told by mail as things stand.
func (db *DB) toMail(tx *Tx, a staff.Account) (all []selfrefer.Notice, err error) {
	if a.Disabled {
		return nil, nil
	}
	if all, err = db.notices(tx, a); err != nil || len(all) == 0 {
		return nil, err
	}
	off, err := mailOff(tx, a)
	return slices.DeleteFunc(all, func(n selfrefer.Notice) bool { return slices.Contains(off, n.Kind) }), err
}

// news tells whether any of the notices is not in the outbox yet.
func news(tx *Tx, account staff.AccountID, all []selfrefer.Notice) (bool, error) {
	known := map[noticeKey]bool{}
	for chunk := range slices.Chunk(all, 200) {
		args := []any{int64(account)}
		for _, n := range chunk {
			args = append(args, n.Ref)
		}
		some, err := list(tx, func(r scanner, k *noticeKey) error { return r.Scan((*string)(&k.kind), &k.ref, &k.since) },
			`SELECT kind, ref, since FROM notice_mail WHERE account = $1 AND state <> 'dropped' AND ref IN `+tx.engine.placeholders(1, 1, len(chunk)), args...)
		if err != nil {
			return false, fmt.Errorf("read the outbox: %w", err)
		}
		for _, k := range some {
			known[k] = true
		}
	}
	return slices.ContainsFunc(all, func(n selfrefer.Notice) bool { return !n.Late && !known[keyOf(n)] }), nil
}

// NextMail notes what somebody must be told and, if a mail to them is due, claims it. Most of the time there is nothing, and nothing is written.
func (db *DB) NextMail(ctx context.Context, to staff.AccountID) (l selfrefer.Letter, due bool, err error) {
	idle := false
	err = db.read(ctx, "look for notices", func(tx *Tx) error {
		a, err := accountOf(tx, to)
		if err != nil {
			return err
		}
		all, err := db.toMail(tx, a)
		if err != nil {
			return err
		}
		waiting, err := waitingNotices(tx, to)
		if err != nil {
			return err
		}
		fresh, err := news(tx, to, all)
		idle = len(waiting) == 0 && !fresh
		return err
	})
	if err != nil || idle {
		return l, false, err
	}
	err = db.write(ctx, "next mail", func(tx *Tx) error {
		l, due, err = db.nextMail(tx, to)
		return err
	})
	return l, due && err == nil, err
}

func (db *DB) nextMail(tx *Tx, to staff.AccountID) (l selfrefer.Letter, due bool, err error) {
	// The lock of the person's row makes one mail of what two processes find at the same time.
	var locked int64
	if err := tx.QueryRow(`SELECT id FROM account WHERE id = $1`+tx.engine.lockClause(), int64(to)).Scan(&locked); err != nil {
		return l, false, notFound(err, staff.ErrNotFound)
	}
	a, err := accountOf(tx, to)
	if err != nil {
		return l, false, err
	}
	all, err := db.toMail(tx, a)
	if err != nil {
		return l, false, err
	}
	so := map[noticeKey]bool{}
	for _, n := range all {
		so[keyOf(n)] = true
		if n.Late { // too late to begin with it
			continue
		}
		// What was dropped has never gone: if it is so again, it goes.
		if _, err := tx.Exec(`
			INSERT INTO notice_mail (id, network, account, kind, ref, since, state, noted_at, mailed_at, mail, tries, first_try, next_try, deadline, done_at, code)
			VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, 0, 0, 0, 0, 0, 0, 0, '')
			ON CONFLICT (account, kind, ref, since) DO UPDATE SET state = 'waiting', noted_at = excluded.noted_at, done_at = 0 WHERE notice_mail.state = 'dropped'`,
			db.newID(), int64(a.Network), int64(a.ID), string(n.Kind), n.Ref, msOf(n.Since), tx.now); err != nil {
			return l, false, fmt.Errorf("note a notice: %w", err)
		}
	}
	roster, err := rosterOf(tx, a)
	if err != nil {
		return l, false, err
	}
	if !a.Disabled && !selfrefer.AtWork(db.Calendar, roster, timeOf(tx.now)) {
		return l, false, nil // it waits: what is still so when they are back goes then
	}
	waiting, err := waitingNotices(tx, to)
	if err != nil {
		return l, false, err
	}
	var ready, gone, tired []waitingNotice
	for _, w := range waiting {
		switch {
		case !so[w.noticeKey]:
			gone = append(gone, w)
		case w.firstTry != 0 && tx.machine-w.firstTry > mailTries.Milliseconds():
			tired = append(tired, w)
		case w.nextTry <= tx.machine:
			ready = append(ready, w)
		}
	}
	if err := settleNotices(tx, gone, "dropped", ""); err != nil {
		return l, false, err
	}
	if err := settleNotices(tx, tired, "refused", "too_old"); err != nil {
		return l, false, err
	}
	if due, err = mailDue(tx, a.ID, ready); err != nil || !due {
		return l, false, err
	}
	l = selfrefer.Letter{ID: db.newID(), To: selfrefer.Address(a.Email), NoQueue: staff.May(a, staff.ViewQueue, a.Network) != nil}
	for _, k := range selfrefer.NoticeKinds() {
		n := 0
		for _, w := range ready {
			if w.kind == k {
				n++
			}
		}
		if n > 0 {
			l.Lines = append(l.Lines, selfrefer.LetterLine{Kind: k, N: n})
		}
	}
	claimed, err := tx.Exec(`
		UPDATE notice_mail
		SET state = 'sending', mail = $1, tries = tries + 1, deadline = $2, mailed_at = $3, first_try = CASE WHEN first_try = 0 THEN $4 ELSE first_try END
		WHERE state = 'waiting' AND id IN `+idList(ready), l.ID, tx.machine+mailDeadline.Milliseconds(), tx.now, tx.machine)
	if err != nil {
		return l, false, fmt.Errorf("claim a mail: %w", err)
	}
	if claimed != int64(len(ready)) {
		return l, false, fmt.Errorf("claim a mail: %d of %d notices are another's", int64(len(ready))-claimed, len(ready)) // undone as a whole
	}
	return l, true, nil
}

// idList writes the ids of notices into a statement: they are numbers of ours.
func idList(all []waitingNotice) string {
	ids := make([]string, len(all))
	for i, w := range all {
		ids[i] = strconv.FormatInt(w.id, 10)
	}
	return "(" + strings.Join(ids, ", ") + ")"
}

func settleNotices(tx *Tx, all []waitingNotice, state, code string) error {
	if len(all) == 0 {
		return nil
	}
	if _, err := tx.Exec(`UPDATE notice_mail SET state = $1, code = $2, done_at = $3 WHERE state = 'waiting' AND id IN `+idList(all), state, code, tx.machine); err != nil {
		return fmt.Errorf("settle notices: %w", err)
	}
	return nil
}

// mailDue tells whether a mail with these notices goes now: what is urgent at once, the rest when it has waited for more to come; and not
// soon after the one before.
func mailDue(tx *Tx, to staff.AccountID, all []waitingNotice) (bool, error) {
	type last struct {
		kind selfrefer.NoticeKind
		at   int64
	}
	if len(all) == 0 {
		return false, nil
	}
	before, err := list(tx, func(r scanner, l *last) error { return r.Scan((*string)(&l.kind), &l.at) },
		`SELECT kind, MAX(mailed_at) FROM notice_mail WHERE account = $1 GROUP BY kind`, int64(to))
	if err != nil {
		return false, fmt.Errorf("read when somebody was mailed last: %w", err)
	}
	var lastUrgent, lastAny int64
	for _, b := range before {
		if b.kind.Urgent() {
			lastUrgent = max(lastUrgent, b.at)
		}
		lastAny = max(lastAny, b.at)
	}
	// A clock that was put back must not hold mails up.
	past := func(at int64, d time.Duration) bool { return at > tx.now || tx.now-at >= d.Milliseconds() }
	for _, w := range all {
		if w.kind.Urgent() {
			if past(lastUrgent, urgentPause) {
				return true, nil
			}
		} else if past(w.noted, mailGather) && past(lastAny, mailPause) {
			return true, nil
		}
	}
	return false, nil
}

// Mailed settles what became of a mail. Whoever answers after the deadline, when it was given up already, still tells that it was sent.
func (db *DB) Mailed(ctx context.Context, l selfrefer.Letter, o selfrefer.MailOutcome) error {
	return db.write(ctx, "mailed", func(tx *Tx) error {
		var err error
		switch o.Mailed {
		case selfrefer.MailSent:
			_, err = tx.Exec(`UPDATE notice_mail SET state = 'sent', code = '', done_at = $1 WHERE mail = $2 AND state IN ('sending', 'unsure')`, tx.machine, l.ID)
		case selfrefer.MailAgain:
			var tries int64
			if err := tx.QueryRow(`SELECT COALESCE(MAX(tries), 0) FROM notice_mail WHERE mail = $1 AND state IN ('sending', 'unsure')`, l.ID).Scan(&tries); err != nil {
				return fmt.Errorf("read how often a mail was tried: %w", err)
			}
			_, err = tx.Exec(`UPDATE notice_mail SET state = 'waiting', mail = 0, mailed_at = 0, code = $1, next_try = $2 WHERE mail = $3 AND state = 'sending'`,
				o.Code, tx.machine+mailBackOff(tries).Milliseconds(), l.ID)
		case selfrefer.MailRefused:
			_, err = tx.Exec(`UPDATE notice_mail SET state = 'refused', code = $1, done_at = $2 WHERE mail = $3 AND state IN ('sending', 'unsure')`, o.Code, tx.machine, l.ID)
		default:
			_, err = tx.Exec(`UPDATE notice_mail SET state = 'unsure', code = $1, done_at = $2 WHERE mail = $3 AND state = 'sending'`, o.Code, tx.machine, l.ID)
		}
		if err != nil {
			return fmt.Errorf("settle a mail: %w", err)
		}
		switch {
		case o.Mailed == selfrefer.MailSent:
			_, err = tx.Exec(`UPDATE mail_health SET worked_at = $1 WHERE id = 1 AND worked_at < $1`, tx.machine)
		case !o.Theirs(): // one person's wrong address says nothing of the others
			_, err = tx.Exec(`UPDATE mail_health SET failed_at = $1, code = $2 WHERE id = 1 AND failed_at <= $1`, tx.machine, o.Code)
		}
		if err != nil {
			return fmt.Errorf("note how mailing stands: %w", err)
		}
		return nil
	})
}

// LoseMails gives up what was on its way when a process ended: nobody knows whether it has gone, and nobody is told twice.
func (db *DB) LoseMails(ctx context.Context) (n int64, err error) {
	var some int64
	err = db.read(ctx, "mails on their way", func(tx *Tx) error {
		return tx.QueryRow(`SELECT COUNT(*) FROM notice_mail WHERE state = 'sending' AND deadline < $1`, tx.machine).Scan(&some)
	})
	if err != nil || some == 0 {
		return 0, err
	}
	err = db.write(ctx, "lose mails", func(tx *Tx) error {
		n, err = tx.Exec(`UPDATE notice_mail SET state = 'unsure', code = 'stopped', done_at = $1 WHERE state = 'sending' AND deadline < $1`, tx.machine)
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.Exec(`UPDATE mail_health SET failed_at = $1, code = 'stopped' WHERE id = 1`, tx.machine)
		return err
	})
	return n, err
}

// PurgeMails forgets notices that were settled sixty days ago, and returns how many. What still waits is forgotten then too: nobody has
// worked since. A thing that is still so after that long is told once more.
func (db *DB) PurgeMails(ctx context.Context) (n int64, err error) {
	err = db.write(ctx, "purge mails", func(tx *Tx) error {
		n, err = tx.Exec(`DELETE FROM notice_mail WHERE noted_at <= $1 AND state <> 'sending'`, tx.now-mailLife.Milliseconds())
		return err
	})
	return n, err
}

// MailOff lists the kinds of which somebody wants no mail.
func (db *DB) MailOff(ctx context.Context, account staff.AccountID) (off []selfrefer.NoticeKind, err error) {
	err = db.read(ctx, "mail switches", func(tx *Tx) error {
		a, err := accountOf(tx, account)
		if err != nil {
			return err
		}
		off, err = mailOff(tx, a)
		return err
	})
	return off, err
}

// SetMailOff replaces the kinds of which somebody wants no mail. What they cannot switch off, or are never told of, is left out.
func (db *DB) SetMailOff(ctx context.Context, who staff.Account, off []selfrefer.NoticeKind) error {
	return db.write(ctx, "set mail switches", func(tx *Tx) error {
		if _, err := tx.Exec(`DELETE FROM notice_off WHERE account = $1`, int64(who.ID)); err != nil {
			return fmt.Errorf("set which mails somebody wants: %w", err)
		}
		words := "all on"
		var kept []string
		for _, k := range selfrefer.NoticeKinds() {
			if !slices.Contains(off, k) || k.Fixed(who.Role) || !k.For(who) {
				continue
			}
			if _, err := tx.Exec(`INSERT INTO notice_off (account, kind) VALUES ($1, $2)`, int64(who.ID), string(k)); err != nil {
				return fmt.Errorf("set which mails somebody wants: %w", err)
			}
			kept = append(kept, string(k))
		}
		if kept != nil {
			words = "off: " + strings.Join(kept, ", ")
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "account.mail", Target: fmt.Sprintf("account %d", who.ID), Outcome: words})
	})
}

// MailHealth tells how mailing stands: the server for all networks, the people of one.
func (db *DB) MailHealth(ctx context.Context, n staff.NetworkID) (h selfrefer.MailHealth, err error) {
	err = db.read(ctx, "how mailing stands", func(tx *Tx) error {
		h = selfrefer.MailHealth{}
		var worked, failed int64
		if err := tx.QueryRow(`SELECT worked_at, failed_at, code FROM mail_health WHERE id = 1`).Scan(&worked, &failed, &h.Code); err != nil {
			return fmt.Errorf("read how mailing stands: %w", err)
		}
		h.Worked, h.Failed = timeOf(worked), timeOf(failed)
		if err := tx.QueryRow(`SELECT COUNT(*) FROM notice_mail m JOIN account a ON a.id = m.account WHERE a.network = $1 AND m.state = 'waiting'`, int64(n)).Scan(&h.Waiting); err != nil {
			return fmt.Errorf("count what waits for its mail: %w", err)
		}
		// The last mail to each counts: whoever has had one since then is reached.
		h.Refused, err = list(tx, func(r scanner, f *selfrefer.MailRefusal) error {
			var at int64
			err := r.Scan((*int64)(&f.Account), &at, &f.Code)
			f.At = timeOf(at)
			return err
		}, `
			SELECT m.account, MAX(m.done_at), MAX(m.code)
			FROM notice_mail m
			WHERE m.network = $1 AND m.state = 'refused'
				AND NOT EXISTS (SELECT 1 FROM notice_mail later WHERE later.account = m.account AND later.state = 'sent' AND later.done_at > m.done_at)
			GROUP BY m.account
			ORDER BY m.account`, int64(n))
		if err != nil {
			return fmt.Errorf("read whose mails were refused: %w", err)
		}
		return nil
	})
	return h, err
}
