package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// headChunk is how many texts of a campaign one round of the pacer counts into its funnel: the round must stay short, and a list of a million
// is counted within the hour.
const headChunk = 20_000

// headcount is a funnel on its way. It is kept in memory: a process that takes over begins again.
type headcount struct {
	to       int64 // up to which instant
	after    int64 // the last patient counted
	deprived campaign.Deprivation
	head     campaign.Head
}

// Funnel reads how far a campaign's people have come; zero before it was first counted, on the morning after the launch.
func (db *DB) Funnel(ctx context.Context, n staff.NetworkID, id campaign.ID) (f campaign.Funnel, err error) {
	err = db.read(ctx, "funnel", func(tx *Tx) error {
		if _, err := campaignOf(tx, n, id, ""); err != nil {
			return err
		}
		f, err = funnelOf(tx, id)
		return err
	})
	return f, err
}

func funnelOf(tx *Tx, id campaign.ID) (f campaign.Funnel, err error) {
	var body string
	err = tx.QueryRow(`SELECT body FROM funnel WHERE campaign = $1`, int64(id)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal([]byte(body), &f)
}

const troublesByCode = `
	SELECT kind, CAST(SUM(n) AS BIGINT)
	FROM tally
	WHERE owner = $1
	GROUP BY kind
	HAVING SUM(n) > 0
	ORDER BY 2 DESC, kind`

// Troubles counts the texts of a campaign that did not arrive, by code.
func (db *DB) Troubles(ctx context.Context, n staff.NetworkID, id campaign.ID) (all []campaign.Trouble, err error) {
	err = db.read(ctx, "delivery problems", func(tx *Tx) error {
		if _, err := campaignOf(tx, n, id, ""); err != nil {
			return err
		}
		all, err = list(tx, func(r scanner, t *campaign.Trouble) error {
			err := r.Scan(&t.Code, &t.Texts)
			t.Code = strings.TrimPrefix(t.Code, tallyTrouble)
			return err
		}, troublesByCode, troubleOwner(int64(id)))
		return err
	})
	return all, err
}

// Deprivation reads what a network has uploaded, for its page: how it was read. Its zero time says that there is none.
func (db *DB) Deprivation(ctx context.Context, n staff.NetworkID) (d campaign.Deprivation, err error) {
	err = db.read(ctx, "deprivation", func(tx *Tx) error {
		d, err = deprivationOf(tx, n)
		return err
	})
	return d, err
}

func deprivationOf(tx *Tx, n staff.NetworkID) (d campaign.Deprivation, err error) {
	var at int64
	var body string
	err = tx.QueryRow(`SELECT at, body FROM deprivation WHERE network = $1`, int64(n)).Scan(&at, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		return d, err
	}
	d.At = timeOf(at)
	return d, nil
}

// SetDeprivation keeps a network's deciles, in place of those before.
func (db *DB) SetDeprivation(ctx context.Context, who staff.Account, d campaign.Deprivation) error {
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return db.write(ctx, "keep deprivation", func(tx *Tx) error {
		_, err := tx.Exec(`
			INSERT INTO deprivation (network, at, account, body)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (network) DO UPDATE
			SET at = excluded.at, account = excluded.account, body = excluded.body`, int64(who.Network), max(tx.now, 1), int64(who.ID), string(body))
		if err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.UploadList), Target: "deprivation", Outcome: "done"})
	})
}

// countFunnels counts how far the people of each campaign had come by last midnight, a chunk of each campaign a round. Texts are read here,
// once a day and aside from all that sends, so that no page has to read them. No midnight that ends a month is left out, for the month's report
// needs what pages tell of it. Later answers change nothing when a month has ended after answersMatter.
func (db *DB) countFunnels(ctx context.Context, epoch int64) error {
	type due struct {
		id, network int64
		to          int64
	}
	var all []due
	err := db.read(ctx, "funnels to count", func(tx *Tx) error {
		midnight := throttle.Calendar{}.Midnight(time.UnixMilli(tx.now))
		to := midnight.UnixMilli()
		found, err := list(tx, func(r scanner, d *due) error {
			var before, ended int64 // when it was last counted, or launched
			if err := r.Scan(&d.id, &d.network, &before, &ended); err != nil {
				return err
			}
			end := monthEnds(timeOf(before), midnight.Location())
			if d.to = min(to, end.UnixMilli()); ended > 0 && ended <= stillCounted(end.AddDate(0, -1, 0)) {
				d.to = 0
			}
			return nil
		}, `
			SELECT c.id, c.network, COALESCE(f.counted_to, c.launched_at), CASE WHEN c.state IN ('running', 'paused') THEN 0 ELSE c.finished_at END
			FROM campaign c
			LEFT JOIN funnel f ON f.campaign = c.id
			WHERE c.launched_at > 0 AND c.launched_at < $1 AND c.planning < 0
			  AND (c.state IN ('running', 'paused') OR c.finished_at > $2)
			  AND (f.campaign IS NULL OR f.counted_to < $1)
			ORDER BY c.id`, to, oldestCounted(midnight))
		all = slices.DeleteFunc(found, func(d due) bool { return d.to == 0 })
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := db.countFunnel(ctx, epoch, campaign.ID(d.id), staff.NetworkID(d.network), d.to); err != nil {
			return fmt.Errorf("count the funnel of campaign %d: %w", d.id, err)
		}
	}
	return nil
}

// monthBegan is the first midnight of a time's month.
func monthBegan(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location())
}

// monthEnds is the midnight after a time that ends its month, in a zone.
func monthEnds(t time.Time, zone *time.Location) time.Time {
	return monthBegan(t.In(zone)).AddDate(0, 1, 0)
}

// oldestCounted is since when a campaign must have ended, if it has, to be counted at all: a service that was away for longer catches up no more.
func oldestCounted(midnight time.Time) int64 {
	return stillCounted(monthBegan(midnight).AddDate(0, -2, 0))
}

// stillCounted is since when a campaign must have ended, if it has, to be counted in the month that began then: what is counted in a month is counted
// to its end.
func stillCounted(began time.Time) int64 { return began.Add(-answersMatter).UnixMilli() }

// headRow is one text, with what its person has done.
type headRow struct {
	patient                           int64
	who                               campaign.Member
	state                             campaign.MessageState
	sent, delivered, opened, answered int64
	seen, contacted, supported        int
}

func (db *DB) countFunnel(ctx context.Context, epoch int64, id campaign.ID, n staff.NetworkID, to int64) error {
	kept, _ := db.heads.Load(id)
	h, _ := kept.(*headcount)
	if h == nil || h.to != to {
		h = &headcount{to: to}
	}
	var rows []headRow
	err := db.read(ctx, "count a funnel", func(tx *Tx) error {
		if h.after == 0 {
			before, err := funnelOf(tx, id)
			if err != nil {
				return err
			}
			if h.deprived, err = deprivationOf(tx, n); err != nil {
				return err
			}
			// Once it is grouped by the one, it stays so.
			h.head = campaign.Head{Deprived: before.Deprived || before.CountedTo.IsZero() && !h.deprived.At.IsZero()}
		}
		var err error
		rows, err = list(tx, func(r scanner, m *headRow) error {
			return r.Scan(&m.patient, &m.who.Practice, &m.who.AgeBand, &m.who.Sex, &m.who.Language, &m.who.Sector, (*string)(&m.state),
				&m.sent, &m.delivered, &m.opened, &m.answered, &m.seen, &m.contacted, &m.supported)
		}, `
			SELECT m.patient, p.practice, p.age_band, p.sex, p.language, p.sector, m.state, m.sent_at, m.delivered_at, m.opened_at, m.answered_at,
			       CASE WHEN m.sent_at > 0 THEN (SELECT COUNT(*) FROM evidence e WHERE e.message = m.id AND e.kind = 'link_seen' AND e.at < $3) ELSE 0 END,
			       CASE WHEN m.answered_at > 0 THEN (SELECT COUNT(*) FROM referral r WHERE r.message = m.id AND r.contacted_at > 0 AND r.contacted_at < $3) ELSE 0 END,
			       CASE WHEN m.answered_at > 0 THEN (
			           SELECT COUNT(*)
			           FROM referral r
			           JOIN referral_event e ON e.referral = r.id
			           WHERE r.message = m.id AND r.state IN ('in_support', 'onward', 'closed') AND e.event IN ('start_support', 'send_onward') AND e.at < $3) ELSE 0 END
			FROM message m
			JOIN patient p ON p.id = m.patient
			WHERE m.campaign = $1 AND m.patient > $2
			ORDER BY m.patient, m.step
			LIMIT $4`, int64(id), h.after, to, headChunk)
		return err
	})
	if err != nil {
		return err
	}
	done := len(rows) < headChunk
	for i := 0; i < len(rows); {
		end := i + 1
		for end < len(rows) && rows[end].patient == rows[i].patient {
			end++
		}
		if end == len(rows) && !done && i > 0 {
			break // their other text may be in the next chunk
		}
		furthest := campaign.ReachedInvited
		for _, m := range rows[i:end] {
			furthest = max(furthest, m.reached(to))
		}
		who := rows[i].who
		if code, ok := lang.Read(who.Language); ok {
			who.Language = string(code)
		} else {
			who.Language = "" // not known, or none that we write in
		}
		who.Decile = h.deprived.Decile(who.Sector)
		h.head.Add(who, furthest)
		h.after, i = rows[i].patient, end
	}
	if !done {
		db.heads.Store(id, h)
		return nil
	}
	db.heads.Delete(id)
	return db.write(ctx, "keep a funnel", func(tx *Tx) error {
		if err := tx.leads(epoch, ""); err != nil {
			return err
		}
		before, err := funnelOf(tx, id)
		if err != nil {
			return err
		}
		f := before.Next(&h.head, timeOf(to))
		if end := timeOf(to).In(throttle.Calendar{}.Midnight(timeOf(to)).Location()); end.Equal(monthBegan(end)) {
			if f, err = endMonth(tx, id, f, selfrefer.MonthOf(end.Add(-1), end.Location())); err != nil {
				return err
			}
		}
		body, err := json.Marshal(f)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO funnel (campaign, counted_to, body)
			VALUES ($1, $2, $3)
			ON CONFLICT (campaign) DO UPDATE
			SET counted_to = excluded.counted_to, body = excluded.body`, int64(id), to, string(body))
		return err
	})
}

// endMonth keeps how groups have grown in the month that ends with a funnel, if that is known, and gives the funnel with which the next one begins.
func endMonth(tx *Tx, id campaign.ID, f campaign.Funnel, m selfrefer.Month) (campaign.Funnel, error) {
	next, grown, known := f.EndMonth()
	if !known {
		return next, nil
	}
	body, err := json.Marshal(grown)
	if err != nil {
		return next, err
	}
	_, err = tx.Exec(`INSERT INTO funnel_month (campaign, month, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, int64(id), string(m), string(body))
	return next, err
}

// reached is how far somebody came with one text, before an instant.
func (m headRow) reached(before int64) campaign.Stage {
	by := func(at int64) bool { return at > 0 && at < before }
	switch {
	case by(m.answered) && m.supported > 0:
		return campaign.ReachedSupported
	case by(m.answered) && m.contacted > 0:
		return campaign.ReachedContacted
	case by(m.answered):
		return campaign.ReachedSent
	case by(m.opened):
		return campaign.ReachedStarted
	case m.seen > 0:
		return campaign.ReachedOpened
	case by(m.delivered) && m.state != campaign.Undelivered && m.state != campaign.Failed:
		return campaign.ReachedDelivered
	case by(m.sent) && m.state.Left():
		return campaign.ReachedTexted
	}
	return campaign.ReachedInvited
}
