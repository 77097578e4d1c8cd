package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// A queue is counted as it moves, by counters whose owner is the network and whose stratum is the team: "queue:", what it is counted by, the
// state, whether it is urgent, the lane and the value. Done referrals are counted as a whole alone.
const (
	countAll      = "all"
	countPractice = "practice"
	countLanguage = "language"
	countReason   = "reason"
)

func queueTally(by string, r selfrefer.Referral, value string) string {
	return "queue:" + by + ":" + string(r.State) + ":" + map[bool]string{true: "urgent"}[r.Urgent] + ":" + string(r.Lane) + ":" + value
}

// place counts a referral, and lists it by what it asks help for while it is open; with -1 it undoes that. The reasons must be known.
func (db *DB) place(tx *Tx, r selfrefer.Referral, n int) error {
	err := db.bump(tx, int64(r.Network), queueTally(countAll, r, ""), int64(r.Team), 0, 0, n)
	if !r.State.Open() || err != nil {
		return err
	}
	err = errors.Join(db.bump(tx, int64(r.Network), queueTally(countPractice, r, r.Practice), int64(r.Team), 0, 0, n),
		db.bump(tx, int64(r.Network), queueTally(countLanguage, r, r.Language), int64(r.Team), 0, 0, n))
	if err != nil {
		return fmt.Errorf("count the queue: %w", err)
	}
	return db.placeReasons(tx, r, n)
}

func (db *DB) placeReasons(tx *Tx, r selfrefer.Referral, n int) error {
	for _, reason := range reasonsOf(r) {
		if err := db.bump(tx, int64(r.Network), queueTally(countReason, r, reason), int64(r.Team), 0, 0, n); err != nil {
			return fmt.Errorf("count the queue: %w", err)
		}
		args := []any{int64(r.Network), int64(r.Team), reason, r.Urgent, string(r.Lane), msOf(r.Due), int64(r.ID)}
		query := `
			DELETE FROM referral_reason
			WHERE network = $1 AND team = $2 AND reason = $3 AND urgent = $4 AND lane = $5 AND due_at = $6 AND referral = $7`
		if n > 0 {
			query = `
			INSERT INTO referral_reason (network, team, reason, urgent, lane, due_at, referral, practice, language)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
			args = append(args, r.Practice, r.Language)
		}
		if _, err := tx.Exec(query, args...); err != nil {
			return fmt.Errorf("list referral %d by reason: %w", r.ID, err)
		}
	}
	return nil
}

// reasonsOf are the reasons that the form offers: no other can be filtered by.
func reasonsOf(r selfrefer.Referral) (codes []string) {
	for _, c := range r.Answers.Reasons {
		if !slices.Contains(codes, c) && slices.ContainsFunc(selfrefer.Reasons, func(k selfrefer.Reason) bool { return k.Code == c }) {
			codes = append(codes, c)
		}
	}
	return codes
}

// replace counts and lists a referral as it stands now, instead of as it was.
func (db *DB) replace(tx *Tx, was, r selfrefer.Referral) error {
	if was.State == r.State && was.Urgent == r.Urgent && was.Lane == r.Lane && was.Due.Equal(r.Due) {
		return nil
	}
	return errors.Join(db.place(tx, was, -1), db.place(tx, r, 1))
}

// enter counts a new referral and makes it be found.
func (db *DB) enter(tx *Tx, row newReferral, r selfrefer.Referral) error {
	r.Answers, r.Name, r.Phone, r.Born = row.doc.Answers, row.doc.Person.name(), row.doc.Person.phone(), row.doc.Person.born()
	if err := db.place(tx, r, 1); err != nil {
		return err
	}
	if err := noteAsked(tx, r); err != nil {
		return err
	}
	return db.addTerms(tx, r)
}

// index makes a referral be found that is older than the index, once. It must have been opened as a whole.
func (db *DB) index(tx *Tx, r selfrefer.Referral) error {
	var version int // what it had, and 2
	err := tx.QueryRow(`UPDATE referral SET indexed = indexed + 2 WHERE id = $1 AND indexed IN (0, 1) RETURNING indexed`, int64(r.ID)).Scan(&version)
	if err != nil {
		return notFound(err, nil)
	}
	if version == 2 && r.State.Open() { // it had nothing
		if err := db.placeReasons(tx, r, 1); err != nil {
			return err
		}
	}
	return db.addTerms(tx, r)
}

// term is the blind index of something to search by. Each network has its own, so that nobody could tell a person who is in two of them.
func (db *DB) term(n staff.NetworkID, kind, value string) []byte {
	return db.sealer.index("referral_term", strconv.FormatInt(int64(n), 10)+"\x00"+kind+"\x00"+value)
}

// nameTerms are the indexes of words, alone and two by two: two words together find few people even where each of them finds very many.
func (db *DB) nameTerms(n staff.NetworkID, words []string) (terms [][]byte) {
	for i, w := range words {
		terms = append(terms, db.term(n, "word", w))
		for _, v := range words[i+1:] {
			terms = append(terms, db.pairTerm(n, w, v))
		}
	}
	return terms
}

func (db *DB) pairTerm(n staff.NetworkID, v, w string) []byte {
	return db.term(n, "words", min(v, w)+"\x00"+max(v, w))
}

func (db *DB) addTerms(tx *Tx, r selfrefer.Referral) error {
	terms := db.nameTerms(r.Network, selfrefer.NameWords(r.Name))
	// The number that was texted has an index of its own; what was typed may be another.
	for _, typed := range []string{r.Answers.Phone, r.Answers.HelperPhone} {
		if p, err := person.ParsePhone(typed); err == nil && !p.IsZero() {
			terms = append(terms, db.term(r.Network, "phone", p.Reveal()))
		}
	}
	if !r.Born.IsZero() {
		terms = append(terms, db.term(r.Network, "born", r.Born.ISO()))
	}
	var args []any
	for _, t := range terms {
		args = append(args, t, int64(r.ID))
	}
	if _, err := tx.bulkInsert(`INSERT INTO referral_term (ix, referral)`, 2, args, `ON CONFLICT DO NOTHING`); err != nil {
		return fmt.Errorf("index referral %d: %w", r.ID, err)
	}
	return nil
}

// indexChunk is how many old referrals are indexed in one transaction: each takes about a third of a millisecond.
const indexChunk = 40

// IndexOld makes referrals be found that are older than the index, the newest first, in small steps. It returns how many there were. It
// costs nothing once all are indexed.
func (db *DB) IndexOld(ctx context.Context) (n int, err error) {
	for ctx.Err() == nil {
		var ids []int64
		err := db.read(ctx, "referrals to index", func(tx *Tx) (err error) {
			ids, err = list(tx, func(r scanner, id *int64) error { return r.Scan(id) }, `SELECT id FROM referral WHERE indexed IN (0, 1) ORDER BY id DESC LIMIT $1`, indexChunk)
			return err
		})
		if err != nil || len(ids) == 0 {
			return n, err
		}
		err = db.write(ctx, "index referrals", func(tx *Tx) error {
			for _, id := range ids {
				r, sealed, err := referralOf(tx, selfrefer.ReferralID(id), db.engine.lockClause())
				if err != nil {
					return err
				}
				if err := db.openReferral(&r, sealed, true); err != nil { // it does not keep the others from being found
					db.log.Error("a referral cannot be indexed", slog.Any("error", err))
					if _, err := tx.Exec(`UPDATE referral SET indexed = -1 WHERE id = $1`, id); err != nil {
						return err
					}
					continue
				}
				if err := db.index(tx, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("index referrals: %w", err)
		}
		n += len(ids)
	}
	return n, ctx.Err()
}

// counter of a queue, taken apart.
type queueCount struct {
	by, value string
	state     selfrefer.State
	urgent    bool
	lane      selfrefer.Lane
	n         int
}

func queueCounts(tx *Tx, n staff.NetworkID, team staff.TeamID) (all []queueCount, err error) {
	where := conditions{`owner = $1`, []any{int64(n)}}
	if team != 0 {
		where = where.and(`stratum = ?`, int64(team))
	}
	rows, err := list(tx, func(r scanner, c *counted) error { return r.Scan(&c.kind, &c.n) },
		`SELECT kind, CAST(SUM(n) AS BIGINT) FROM tally WHERE `+where.sql+` GROUP BY kind`, where.args...)
	if err != nil {
		return nil, fmt.Errorf("count the queue: %w", err)
	}
	for _, c := range rows {
		p := strings.SplitN(c.kind, ":", 6)
		if len(p) == 6 && p[0] == "queue" && c.n != 0 {
			all = append(all, queueCount{p[1], p[5], selfrefer.State(p[2]), p[3] != "", selfrefer.Lane(p[4]), c.n})
		}
	}
	return all, nil
}

// Tally counts the queue of a network, or of one of its teams, by counters: its cost does not grow with the referrals.
func (db *DB) Tally(ctx context.Context, n staff.NetworkID, team staff.TeamID) (selfrefer.Tally, error) {
	c, err := db.Count(ctx, selfrefer.Filter{Network: n, Team: team})
	return c.Tally, err
}

// Count counts the tabs and the filters of a queue. Of overdue ones it counts up to [selfrefer.MaxOverdue].
func (db *DB) Count(ctx context.Context, f selfrefer.Filter) (c selfrefer.Counts, err error) {
	err = db.read(ctx, "count the queue", func(tx *Tx) error {
		c = selfrefer.Counts{Known: f.Narrowed() < 2, Practices: map[string]int{}, Reasons: map[string]int{}, Languages: map[string]int{}}
		all, err := queueCounts(tx, f.Network, f.Team)
		if err != nil {
			return err
		}
		minus, late, err := db.unseen(tx, f)
		if err != nil {
			return err
		}
		all = append(all, minus...)
		by, value := countAll, ""
		switch {
		case !c.Known:
		case f.Practice != "":
			by, value = countPractice, f.Practice
		case f.Language != "":
			by, value = countLanguage, f.Language
		case f.Reason != "":
			by, value = countReason, f.Reason
		}
		for _, k := range all {
			if f.NoUrgent && k.urgent {
				continue
			}
			switch k.by {
			case countPractice:
				c.Practices[k.value] += k.n
			case countLanguage:
				c.Languages[k.value] += k.n
			case countReason:
				c.Reasons[k.value] += k.n
			case countAll:
				if !k.state.Open() {
					c.Done += k.n
				}
			}
			if k.by == by && k.value == value && k.state.Open() {
				addTo(&c.Tally, k)
			}
		}
		if f.Mine != 0 {
			if c.Mine, c.Supported, err = inHandsOf(tx, f); err != nil {
				return err
			}
		}
		if f.NoUrgent || f.Narrowed() > 0 {
			return nil
		}
		c.Overdue, err = overdue(tx, f, late)
		return err
	})
	return c, err
}

func addTo(t *selfrefer.Tally, k queueCount) {
	switch k.state {
	case selfrefer.New:
		t.New += k.n
	case selfrefer.Claimed:
		t.Claimed += k.n
	case selfrefer.Contacting:
		t.Contacting += k.n
	}
	if k.lane == selfrefer.Unverified {
		t.Unverified += k.n
	}
	if k.urgent {
		t.Urgent += k.n
	}
}

// inHandsOf counts what somebody has in hand.
func inHandsOf(tx *Tx, f selfrefer.Filter) (open, supported int, err error) {
	where := conditions{`network = $1 AND claimed_by = $2 AND ` + inHands, []any{int64(f.Network), int64(f.Mine)}}
	if f.NoUrgent {
		where = where.and(`urgent = ?`, false)
	}
	if f.Team != 0 {
		where = where.and(`team = ?`, int64(f.Team))
	}
	err = tx.QueryRow(`
		SELECT COALESCE(SUM(CASE WHEN state = 'in_support' THEN 0 ELSE 1 END), 0), COALESCE(SUM(CASE WHEN state = 'in_support' THEN 1 ELSE 0 END), 0)
		FROM referral
		WHERE `+where.sql, where.args...).Scan(&open, &supported)
	if err != nil {
		return 0, 0, fmt.Errorf("count what somebody has in hand: %w", err)
	}
	return open, supported, nil
}

// overdue counts those who wait for longer than was promised: lane by lane, since due_at comes after the lane in referral_open.
// hidden are those among them that do not exist for whoever counts.
func overdue(tx *Tx, f selfrefer.Filter, hidden int) (n int, err error) {
	teams, err := teamsOf(tx, f)
	if err != nil {
		return 0, err
	}
	for _, t := range teams {
		for _, l := range lanes {
			var some int
			err := tx.QueryRow(`
				SELECT COUNT(*)
				FROM (SELECT 1 FROM referral WHERE network = $1 AND team = $2 AND urgent = $3 AND lane = $4 AND due_at < $5 AND `+openReferrals+` LIMIT $6) AS late`,
				int64(f.Network), t, l.urgent, string(l.lane), tx.now, selfrefer.MaxOverdue+hidden).Scan(&some)
			if err != nil {
				return 0, fmt.Errorf("count who waits too long: %w", err)
			}
			n += some
		}
	}
	return min(n-hidden, selfrefer.MaxOverdue), nil
}

// seniorsOf is the roster of a team's seniors.
func seniorsOf(tx *Tx, team int64) ([]throttle.Worker, error) {
	all, err := workers(tx, staff.TeamID(team), false)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(w throttle.Worker) bool { return !w.Senior }), nil
}

// offers fills in whom urgent referrals are offered to that nobody has claimed.
func (db *DB) offers(tx *Tx, all []selfrefer.Referral) error {
	seniors := map[staff.TeamID][]throttle.Worker{}
	for i := range all {
		r := &all[i]
		if !r.Urgent || r.State != selfrefer.New {
			continue
		}
		roster, known := seniors[r.Team]
		if !known {
			var err error
			if roster, err = seniorsOf(tx, int64(r.Team)); err != nil {
				return err
			}
			seniors[r.Team] = roster
		}
		allowed, err := openers(tx, roster, *r)
		if err != nil {
			return err
		}
		r.Offer = selfrefer.OfferOf(db.Calendar, allowed, *r, timeOf(tx.now))
	}
	return nil
}

// offered are the urgent referrals that nobody has claimed and that are offered to somebody, or have come while they are at work.
func (db *DB) offered(tx *Tx, who staff.Account) (out []selfrefer.Notice, err error) {
	if !selfrefer.UrgentUnclaimed.For(who) && !selfrefer.UrgentArrived.For(who) {
		return nil, nil
	}
	teams, err := teamsOf(tx, selfrefer.Filter{Network: who.Network, Team: who.Team})
	if err != nil {
		return nil, err
	}
	now := timeOf(tx.now)
	opens := staff.May(who, staff.ViewReferral, who.Network) == nil
	barred, err := barredFrom(tx, who.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range teams {
		var free []selfrefer.Referral
		for _, l := range lanes { // each lane is in the order of its index: of many urgent ones no more are read than are shown
			if !l.urgent {
				continue
			}
			some, err := list(tx, func(r scanner, ref *selfrefer.Referral) error {
				var received, since int64
				err := r.Scan((*int64)(&ref.ID), &ref.Reference, &received, &since, &ref.Restricted)
				ref.Urgent, ref.State, ref.Received, ref.FreeSince = true, selfrefer.New, timeOf(received), timeOf(since)
				return err
			}, `
				SELECT id, reference, received_at, free_since, restricted
				FROM referral
				WHERE network = $1 AND team = $2 AND state = 'new' AND urgent = $3 AND lane = $4 AND `+openReferrals+`
				ORDER BY due_at, id
				LIMIT $5`, int64(who.Network), t, true, string(l.lane), selfrefer.MaxNotices-len(free))
			if err != nil {
				return nil, fmt.Errorf("read what nobody has claimed: %w", err)
			}
			free = append(free, some...)
		}
		if len(free) == 0 {
			continue
		}
		seniors, err := seniorsOf(tx, t)
		if err != nil {
			return nil, err
		}
		var duty []staff.AccountID
		for _, w := range selfrefer.DutyNow(db.Calendar, seniors, now) {
			id, err := strconv.ParseInt(w.ID, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read the roster: %w", err)
			}
			duty = append(duty, staff.AccountID(id))
		}
		there := false
		if selfrefer.UrgentArrived.For(who) {
			if there, err = db.onDuty(tx, who, t); err != nil {
				return nil, err
			}
		}
		for _, ref := range free {
			if barred[int64(ref.ID)] {
				continue
			}
			allowed, err := openers(tx, seniors, ref)
			if err != nil {
				return nil, err
			}
			duty := slices.DeleteFunc(slices.Clone(duty), func(a staff.AccountID) bool { return !slices.ContainsFunc(allowed, isWorker(a)) })
			o := selfrefer.OfferOf(db.Calendar, allowed, ref, now)
			n := selfrefer.Notice{Kind: selfrefer.UrgentUnclaimed, Ref: ref.Reference, Since: ref.Since(), Offer: o, Alone: len(duty) == 0, Only: ref.Restricted}
			if !selfrefer.Offered(o, who, duty) {
				if !there {
					continue
				}
				n = selfrefer.Notice{Kind: selfrefer.UrgentArrived, Ref: ref.Reference, Since: ref.Since()}
			}
			if opens {
				n.Referral = ref.ID
			}
			out = append(out, n)
		}
	}
	selfrefer.SortNotices(out)
	return out[:min(len(out), selfrefer.MaxNotices)], nil
}
