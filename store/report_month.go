package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ selfrefer.Reporter = (*DB)(nil)

// A month is counted once, when it is over, and kept: a report of years reads a few rows, and two readings of one month never differ by the few
// people who came in between. Whatever happens later belongs to the month in which it happens. Restricted referrals count, for only numbers are
// read; a referral that goes on in another counts with that one; what was undone does not count, since the columns say how it stands.

// reportLife is for how long a month is kept.
const reportLife = 3 * 366 * 24 * time.Hour

// asked is kept for what is older than the table until it has been looked at, and unreadable for what cannot be opened.
const (
	notAsked   = "?"
	unreadable = "!"
)

// noteAsked keeps what a referral asks help for.
func noteAsked(tx *Tx, r selfrefer.Referral) error {
	var args []any
	for _, reason := range reasonsOf(r) {
		args = append(args, int64(r.ID), reason)
	}
	if _, err := tx.bulkInsert(`INSERT INTO referral_asked (referral, reason)`, 2, args, `ON CONFLICT DO NOTHING`); err != nil {
		return fmt.Errorf("note what referral %d asks for: %w", r.ID, err)
	}
	return nil
}

// askedChunk is how many older referrals are opened and written at a time.
const askedChunk = 200

// readAsked opens referrals that are older than referral_asked, each once, the newest first: those received since an instant.
func (db *DB) readAsked(ctx context.Context, since int64) error {
	for ctx.Err() == nil {
		var found []selfrefer.Referral
		var broken []int64
		err := db.read(ctx, "older referrals", func(tx *Tx) error {
			found, broken = nil, nil
			_, err := list(tx, func(row scanner, _ *struct{}) error {
				var id int64
				var sealed []byte
				if err := row.Scan(&id, &sealed); err != nil {
					return err
				}
				d, err := db.referralDocOf(id, sealed)
				if err != nil { // it does not keep the others from being counted
					db.log.Error("a referral cannot be counted by its reasons", slog.Any("error", err))
					broken = append(broken, id)
					return nil
				}
				r := selfrefer.Referral{ID: selfrefer.ReferralID(id)}
				r.Answers.Reasons = d.Answers.Reasons
				found = append(found, r)
				return nil
			}, `
				SELECT r.id, r.person
				FROM referral_asked a
				JOIN referral r ON r.id = a.referral
				WHERE a.reason = '?' AND r.received_at >= $1
				ORDER BY a.referral DESC
				LIMIT $2`, since, askedChunk)
			return err
		})
		if err != nil || len(found)+len(broken) == 0 {
			return err
		}
		err = db.write(ctx, "what older referrals ask for", func(tx *Tx) error {
			for _, r := range found {
				if err := noteAsked(tx, r); err != nil {
					return err
				}
				if _, err := tx.Exec(`DELETE FROM referral_asked WHERE referral = $1 AND reason = $2`, int64(r.ID), notAsked); err != nil {
					return err
				}
			}
			for _, id := range broken {
				if _, err := tx.Exec(`UPDATE referral_asked SET reason = $1 WHERE referral = $2 AND reason = $3`, unreadable, id, notAsked); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("note what older referrals ask for: %w", err)
		}
	}
	return ctx.Err()
}

// reportZone is the zone in which months begin.
func (db *DB) reportZone(now int64) *time.Location {
	return db.Calendar.Midnight(timeOf(now)).Location()
}

// ReportSpan is from the month of the first referral or launch to the last that can be counted now.
func (db *DB) ReportSpan(ctx context.Context, who staff.Account) (first, last selfrefer.Month, err error) {
	if err := staff.May(who, staff.ViewReports, who.Network); err != nil {
		return "", "", err
	}
	return db.reportSpan(ctx, who.Network)
}

func (db *DB) reportSpan(ctx context.Context, n staff.NetworkID) (first, last selfrefer.Month, err error) {
	err = db.read(ctx, "months to report", func(tx *Tx) error {
		first, last = "", ""
		var begun *int64
		err := tx.QueryRow(`
			SELECT MIN(at)
			FROM (SELECT MIN(received_at) AS at FROM referral WHERE network = $1
				UNION ALL SELECT MIN(launched_at) FROM campaign WHERE network = $1 AND launched_at > 0) AS begun`, int64(n)).Scan(&begun)
		if err != nil || begun == nil {
			return err
		}
		zone := db.reportZone(tx.now)
		first, last = selfrefer.MonthOf(timeOf(*begun), zone), selfrefer.LastMonth(timeOf(tx.now), zone)
		if first > last {
			first, last = "", ""
		}
		return nil
	})
	return first, last, err
}

// counting is a network's months being counted for whoever waits for a report.
type counting struct {
	from, to selfrefer.Month
	over     chan struct{}
	err      error // once it is over
}

// reportCounts has one count for each network at most: two at once would do the same work.
type reportCounts struct {
	ctx  context.Context // ends when the database is closed
	mu   sync.Mutex
	by   map[staff.NetworkID]*counting
	runs sync.WaitGroup
}

// countReports lets reports be counted until the database is closed.
func (db *DB) countReports() {
	ctx, stop := context.WithCancel(context.Background())
	db.counts.ctx, db.counts.by = ctx, map[staff.NetworkID]*counting{}
	db.onClose(func() error {
		stop()
		db.counts.runs.Wait()
		return nil
	})
}

// CountReport counts in the background: whoever asked may close the browser.
func (db *DB) CountReport(ctx context.Context, who staff.Account, from, to selfrefer.Month) (wait func(context.Context) error, err error) {
	first, last, err := db.ReportSpan(ctx, who)
	if err != nil {
		return nil, err
	}
	if err := (selfrefer.ReportQuery{From: from, To: to}).Check(first, last); err != nil || first == "" {
		return nil, selfrefer.ErrReport
	}
	c := db.beginCount(who.Network, from, to)
	return func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-c.over:
			}
			if c.err != nil || c.from <= from && to <= c.to {
				return c.err
			}
			c = db.beginCount(who.Network, from, to) // that was of other months
		}
	}, nil
}

// beginCount begins to count months, or gives the network's count that is under way.
func (db *DB) beginCount(n staff.NetworkID, from, to selfrefer.Month) *counting {
	r := &db.counts
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.by[n]; c != nil {
		return c
	}
	c := &counting{from: from, to: to, over: make(chan struct{})}
	r.by[n] = c
	r.runs.Go(func() {
		for m := from; m <= to && c.err == nil; m = m.Add(1) {
			if _, err := db.month(r.ctx, n, m); errors.Is(err, errPagesBehind) {
				break // whoever waits asks again
			} else if err != nil {
				c.err = fmt.Errorf("count %s: %w", m, err)
			}
		}
		r.mu.Lock()
		delete(r.by, n)
		r.mu.Unlock()
		close(c.over)
	})
	return c
}

// ReportBasis reads what has been counted.
func (db *DB) ReportBasis(ctx context.Context, who staff.Account, from, to selfrefer.Month) (b selfrefer.ReportBasis, err error) {
	first, last, err := db.ReportSpan(ctx, who)
	if err != nil {
		return b, err
	}
	if err := (selfrefer.ReportQuery{From: from, To: to}).Check(first, last); err != nil || first == "" {
		return b, selfrefer.ErrReport
	}
	err = db.read(ctx, "what a report is made of", func(tx *Tx) error {
		b = selfrefer.ReportBasis{}
		b.Months, err = list(tx, func(r scanner, f *selfrefer.MonthFigures) error {
			var text string
			if err := r.Scan(&text); err != nil {
				return err
			}
			return json.Unmarshal([]byte(text), f)
		}, `SELECT figures FROM report_month WHERE network = $1 AND month >= $2 AND month <= $3 ORDER BY month`, int64(who.Network), string(from), string(to))
		if err != nil {
			return err
		}
		of := 1
		for m := from; m < to; m = m.Add(1) {
			of++
		}
		if len(b.Months) < of {
			return selfrefer.NotCounted{Counted: len(b.Months), Of: of}
		}
		named := func(query string) (map[string]string, error) {
			names := map[string]string{}
			_, err := list(tx, func(r scanner, _ *struct{}) error {
				var id, name string
				err := r.Scan(&id, &name)
				names[id] = name
				return err
			}, query, int64(who.Network))
			return names, err
		}
		if b.Practices, err = named(`SELECT ods, name FROM practice WHERE network = $1`); err != nil {
			return err
		}
		if b.Campaigns, err = named(`SELECT CAST(id AS TEXT), name FROM campaign WHERE network = $1`); err != nil {
			return err
		}
		if b.Services, err = named(`SELECT CAST(id AS TEXT), name FROM service WHERE network = $1`); err != nil {
			return err
		}
		b.Kinds, _, err = supportOffer(tx, who.Network)
		return err
	})
	return b, err
}

// DrawUpReports counts the months that are over and have not been counted, of every network, so that nobody waits for it, and deletes those that
// are too old. It costs nothing while there are none.
func (db *DB) DrawUpReports(ctx context.Context) error {
	if err := db.readAsked(ctx, 0); err != nil {
		return err
	}
	all, err := db.Networks(ctx)
	if err != nil {
		return err
	}
	for _, n := range all {
		first, last, err := db.reportSpan(ctx, n.ID)
		if err != nil {
			return err
		}
		if first == "" {
			continue
		}
		for m := max(first, last.Add(1-selfrefer.MaxReportMonths)); m <= last; m = m.Add(1) {
			if _, err := db.month(ctx, n.ID, m); errors.Is(err, errPagesBehind) {
				break // next time
			} else if err != nil {
				return fmt.Errorf("count %s of network %d: %w", m, n.ID, err)
			}
		}
	}
	return db.write(ctx, "purge old reports", func(tx *Tx) error {
		old := string(selfrefer.MonthOf(timeOf(tx.now).Add(-reportLife), time.UTC))
		for _, purge := range []string{`DELETE FROM report_month WHERE month < $1`, `DELETE FROM funnel_month WHERE month < $1`} {
			if _, err := tx.Exec(purge, old); err != nil {
				return err
			}
		}
		return nil
	})
}

// month gives the counts of a month, and counts it if nobody has. Whoever is first is right: the others read what that one has kept.
func (db *DB) month(ctx context.Context, n staff.NetworkID, m selfrefer.Month) (f selfrefer.MonthFigures, err error) {
	kept := func(tx *Tx) error {
		var text string
		err := tx.QueryRow(`SELECT figures FROM report_month WHERE network = $1 AND month = $2`, int64(n), string(m)).Scan(&text)
		if err != nil {
			return err
		}
		f = selfrefer.MonthFigures{}
		return json.Unmarshal([]byte(text), &f)
	}
	if err := db.read(ctx, "counts of a month", kept); !errors.Is(err, sql.ErrNoRows) {
		return f, err
	}
	var counted selfrefer.MonthFigures
	var from int64
	err = db.read(ctx, "when a month began", func(tx *Tx) error {
		from = msOf(m.First(db.reportZone(tx.now)))
		return nil
	})
	if err == nil {
		err = db.readAsked(ctx, from)
	}
	if err != nil {
		return f, err
	}
	err = db.read(ctx, "count a month", func(tx *Tx) error {
		counted = selfrefer.MonthFigures{}
		return db.countMonth(tx, n, m, &counted)
	})
	if err != nil {
		return f, err
	}
	text, err := json.Marshal(counted)
	if err != nil {
		return f, fmt.Errorf("write the counts: %w", err)
	}
	err = db.write(ctx, "keep the counts of a month", func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO report_month (network, month, made_at, figures) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, int64(n), string(m), tx.now, string(text))
		return err
	})
	if err == nil {
		err = db.read(ctx, "counts of a month", kept)
	}
	return f, err
}

// What a report groups people by: of a referral, and of the patient that it is matched with, or else of whom its link was sent to. The pages of
// campaigns group by the latter; who gave another birth date would otherwise be a difference of a few between them.
const (
	attributes = ` r.practice, r.campaign, COALESCE(p.age_band, ''), COALESCE(p.sex, ''), r.language, COALESCE(p.sector, '') `
	byThem     = ` GROUP BY r.practice, r.campaign, p.age_band, p.sex, r.language, p.sector`
	andPatient = ` LEFT JOIN message own ON own.id = r.message LEFT JOIN patient p ON p.id = CASE WHEN r.patient <> 0 THEN r.patient ELSE own.patient END `
	// goesOn joins what hangs on a referral g with the one in which that goes on.
	goesOn = ` JOIN referral g ON g.id = x.referral JOIN referral r ON r.id = CASE WHEN g.joined_to <> 0 THEN g.joined_to ELSE g.id END ` + andPatient
)

// What is counted in a month, each found by an index however many referrals there are. The plus keeps SQLite from an index that has the network and
// not the time.
const (
	receivedInMonth = `SELECT` + attributes + `, r.source, r.urgent, COUNT(*) FROM referral r` + andPatient + `
		WHERE r.network = $1 AND r.received_at >= $2 AND r.received_at < $3 AND r.state <> 'duplicate'` + byThem + `, r.source, r.urgent`
	askedInMonth = `SELECT` + attributes + `, x.reason, COUNT(*) FROM referral r JOIN referral_asked x ON x.referral = r.id` + andPatient + `
		WHERE r.network = $1 AND r.received_at >= $2 AND r.received_at < $3 AND r.state <> 'duplicate' AND x.reason NOT IN ('?', '!')` + byThem + `, x.reason`
	contactedInMonth = `SELECT` + attributes + `, r.received_at, r.contacted_at, r.due_at FROM referral r` + andPatient + `
		WHERE +r.network = $1 AND r.team IN (SELECT id FROM team WHERE network = $1 UNION ALL SELECT 0) AND r.contacted_at > 0 AND r.contacted_at >= $2 AND r.contacted_at < $3 AND r.state <> 'duplicate'`
	endedInMonth = `SELECT ` + attributes + `, r.state, COALESCE(e.reason, ''), COUNT(*) FROM referral r` + andPatient + `
		LEFT JOIN referral_event e ON e.referral = r.id AND e.reason <> ''
			AND NOT EXISTS (SELECT 1 FROM referral_event l WHERE l.referral = e.referral AND l.reason <> '' AND l.id > e.id)
		WHERE r.network = $1 AND r.closed_at > 0 AND r.closed_at >= $2 AND r.closed_at < $3 AND r.state IN ('onward', 'closed', 'declined', 'unreachable')` + byThem + `, r.state, e.reason`
	onwardInMonth = `SELECT` + attributes + `, x.service, COUNT(DISTINCT r.id) FROM onward x` + goesOn + `
		WHERE x.network = $1 AND x.made_on >= $2 AND x.made_on < $3 AND x.removed_at = 0` + byThem + `, x.service`
	interventionsInMonth = `SELECT` + attributes + `, x.kind, COUNT(DISTINCT r.id), COUNT(*), CAST(SUM(x.minutes) AS BIGINT) FROM intervention x` + goesOn + `
		WHERE x.network = $1 AND x.made_on >= $2 AND x.made_on < $3 AND x.removed_at = 0` + byThem + `, x.kind`
	goalsInMonth = `SELECT` + attributes + `, x.state, COUNT(DISTINCT r.id) FROM goal x` + goesOn + `
		WHERE x.network = $1 AND x.ended_on >= $2 AND x.ended_on < $3 AND x.removed_at = 0 AND x.state IN ('reached', 'given_up')` + byThem + `, x.state`
	measuresInMonth = `SELECT` + attributes + `, r.id, x.kind, s.item, s.score,
			(SELECT b.score FROM measure y JOIN measure_score b ON b.measure = y.id
				WHERE y.referral = x.referral AND y.kind = x.kind AND b.item = s.item AND y.removed_at = 0 AND (y.made_on < x.made_on OR y.made_on = x.made_on AND y.id < x.id)
				ORDER BY y.made_on, y.id LIMIT 1)
		FROM measure x JOIN measure_score s ON s.measure = x.id` + goesOn + `
		WHERE x.network = $1 AND x.made_on >= $2 AND x.made_on < $3 AND x.removed_at = 0 AND x.kind IN ('ons4', 'loneliness')
		ORDER BY x.made_on, x.id`
)

// attributesOf are where to scan attributes to.
func attributesOf(a *selfrefer.Attributes, campaign *int64) []any {
	return []any{&a.Practice, campaign, &a.Age, &a.Sex, &a.Language, &a.Sector}
}

func (db *DB) countMonth(tx *Tx, n staff.NetworkID, m selfrefer.Month, f *selfrefer.MonthFigures) error {
	zone := db.reportZone(tx.now)
	from, to := msOf(m.First(zone)), msOf(m.Add(1).First(zone))
	firstDay, end := string(m)+"-01", string(m.Add(1))+"-01"
	// each runs a query whose first columns are attributes and scans the others into more.
	each := func(what, query string, args []any, more []any, then func(selfrefer.Attributes)) error {
		_, err := list(tx, func(row scanner, _ *struct{}) error {
			var a selfrefer.Attributes
			var campaign int64
			if err := row.Scan(append(attributesOf(&a, &campaign), more...)...); err != nil {
				return err
			}
			if campaign != 0 {
				a.Campaign = strconv.FormatInt(campaign, 10)
			}
			then(a)
			return nil
		}, query, args...)
		if err != nil {
			return fmt.Errorf("count %s: %w", what, err)
		}
		return nil
	}
	times, days := []any{int64(n), from, to}, []any{int64(n), firstDay, end}
	var k, number, minutes int
	var urgent bool
	var code string
	err := each("referrals", receivedInMonth, times, []any{&code, &urgent, &k}, func(a selfrefer.Attributes) { f.Received(a, selfrefer.Source(code), urgent, k) })
	if err != nil {
		return err
	}
	err = each("reasons", askedInMonth, times, []any{&code, &k}, func(a selfrefer.Attributes) { f.Asked(a, code, k) })
	if err != nil {
		return err
	}
	var received, contacted, due int64
	err = each("first contacts", contactedInMonth, times, []any{&received, &contacted, &due}, func(a selfrefer.Attributes) {
		at := timeOf(contacted).In(zone)
		monday := at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
		f.Contacted(a, selfrefer.DayOf(monday, zone), db.Calendar.Working(timeOf(received), timeOf(contacted)), contacted <= due)
	})
	if err != nil {
		return err
	}
	var why string
	err = each("outcomes", endedInMonth, times, []any{&code, &why, &k}, func(a selfrefer.Attributes) { f.Ended(a, selfrefer.State(code), selfrefer.Discharge(why), k) })
	if err != nil {
		return err
	}
	var service int64
	err = each("onward referrals", onwardInMonth, days, []any{&service, &k}, func(a selfrefer.Attributes) { f.Passed(a, strconv.FormatInt(service, 10), k) })
	if err != nil {
		return err
	}
	err = each("interventions", interventionsInMonth, days, []any{&code, &k, &number, &minutes}, func(a selfrefer.Attributes) { f.Did(a, code, k, number, minutes) })
	if err != nil {
		return err
	}
	err = each("goals", goalsInMonth, days, []any{&code, &k}, func(a selfrefer.Attributes) { f.Goal(a, selfrefer.GoalState(code), k) })
	if err != nil {
		return err
	}
	if err := countMeasures(tx, f, each, days); err != nil {
		return err
	}
	if err := db.countTexts(tx, n, from, to, f); err != nil {
		return err
	}
	if err := countPages(tx, n, m, zone, f); err != nil {
		return err
	}
	d, err := deprivationOf(tx, n)
	if err != nil {
		return fmt.Errorf("read the deciles: %w", err)
	}
	for sector := range f.By[selfrefer.BySector] {
		if decile := d.Decile(sector); decile != "" {
			if f.Deciles == nil {
				f.Deciles = map[string]string{}
			}
			f.Deciles[sector] = decile
		}
	}
	return nil
}

// countMeasures sets the last answer that somebody gave in the month beside their first ever, question by question.
func countMeasures(tx *Tx, f *selfrefer.MonthFigures, each func(string, string, []any, []any, func(selfrefer.Attributes)) error, days []any) error {
	type question struct {
		referral   int64
		kind, item string
	}
	type answers struct {
		of            selfrefer.Attributes
		before, after int
	}
	var order []question
	told := map[question]answers{}
	var q question
	var after int
	var before *int
	err := each("measures", measuresInMonth, days, []any{&q.referral, &q.kind, &q.item, &after, &before}, func(a selfrefer.Attributes) {
		if before == nil {
			return
		}
		if _, known := told[q]; !known {
			order = append(order, q)
		}
		told[q] = answers{a, *before, after}
	})
	for _, q := range order {
		f.Measured(told[q].of, q.kind, q.item, told[q].before, told[q].after)
	}
	return err
}

// textsOfMonth counts by what people are grouped by, as far as it can be known of a text.
const textsOfMonth = `
	SELECT COALESCE(p.practice, ''), COALESCE(p.age_band, ''), COALESCE(p.sex, ''), COALESCE(p.sector, ''), COUNT(*), CAST(SUM(m.cost) AS BIGINT)
	FROM message m
	LEFT JOIN patient p ON p.id = m.patient
	WHERE m.campaign = $1 AND m.sent_at >= $2 AND m.sent_at < $3 AND m.state IN ('accepted', 'sent', 'delivered', 'undelivered', 'failed')
	GROUP BY p.practice, p.age_band, p.sex, p.sector`

// countTexts counts the texts that have left for certain, campaign by campaign.
func (db *DB) countTexts(tx *Tx, n staff.NetworkID, from, to int64, f *selfrefer.MonthFigures) error {
	campaigns, err := list(tx, func(r scanner, id *int64) error { return r.Scan(id) },
		`SELECT id FROM campaign WHERE network = $1 AND launched_at > 0 AND launched_at < $2 AND (finished_at = 0 OR finished_at >= $3) ORDER BY id`, int64(n), to, from)
	if err != nil {
		return fmt.Errorf("count texts: %w", err)
	}
	for _, id := range campaigns {
		_, err := list(tx, func(r scanner, _ *struct{}) error {
			a := selfrefer.Attributes{Campaign: strconv.FormatInt(id, 10)}
			var k int
			var cost int64
			err := r.Scan(&a.Practice, &a.Age, &a.Sex, &a.Sector, &k, &cost)
			f.Texted(a, k, float64(cost))
			return err
		}, textsOfMonth, id, from, to)
		if err != nil {
			return fmt.Errorf("count the texts of campaign %d: %w", id, err)
		}
	}
	return nil
}
