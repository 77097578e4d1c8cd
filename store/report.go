package store

import (
	"context"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// hoursOfDays reads what days are made of: of a campaign and of its team, each hour once.
const hoursOfDays = `
	SELECT kind, hour, SUM(n)
	FROM tally
	WHERE owner IN ($1, $2) AND kind IN ('released', 'contact', 'referral', 'answered')
	GROUP BY kind, hour
	ORDER BY hour`

// Days gives a campaign's life by civil day, from its launch to now. It reads counters: its cost does not grow with the list.
func (db *DB) Days(ctx context.Context, n staff.NetworkID, id campaign.ID) (days []campaign.Day, err error) {
	err = db.read(ctx, "campaign days", func(tx *Tx) error {
		days = nil
		c, err := campaignOf(tx, n, id, "")
		if err != nil || c.LaunchedAt.IsZero() {
			return err
		}
		policy, _, err := db.teamPolicy(tx, c.Team)
		if err != nil {
			return err
		}
		day := func(t time.Time) time.Time { return policy.Calendar.Midnight(t) }
		end := time.UnixMilli(tx.now)
		if !c.FinishedAt.IsZero() && c.FinishedAt.AddDate(0, 0, 7).Before(end) {
			end = c.FinishedAt.AddDate(0, 0, 7)
		}
		index := map[int64]int{}
		for d := day(c.LaunchedAt); !d.After(end) && len(days) < 400; d = day(d.Add(36 * time.Hour)) {
			index[d.Unix()] = len(days)
			next := day(d.Add(36 * time.Hour))
			days = append(days, campaign.Day{Date: d, Capacity: throttle.Capacity(policy.Calendar, policy.Roster, nil, d, next)})
		}
		rows, err := tx.Query(hoursOfDays, int64(c.ID), int64(c.Team))
		if err != nil {
			return err
		}
		defer rows.Close()
		before := 0
		in := map[int64]int{} // referrals less contacts of the team, by day
		for rows.Next() {
			var kind string
			var hour int64
			var k int
			if err := rows.Scan(&kind, &hour, &k); err != nil {
				return err
			}
			d := day(time.Unix(hour*3600, 0))
			i, ok := index[d.Unix()]
			switch kind {
			case tallyReleased:
				if ok {
					days[i].Texts += k
				}
			case tallyAnswered:
				if ok {
					days[i].Answers += k
				}
			case tallyContact:
				if ok {
					days[i].Contacts += k
				}
				in[d.Unix()] -= k
			case tallyReferral:
				in[d.Unix()] += k
			}
			if !ok && d.Before(day(c.LaunchedAt)) && (kind == tallyContact || kind == tallyReferral) {
				before += map[bool]int{true: k, false: -k}[kind == tallyReferral]
			}
		}
		queue := before
		for i := range days {
			queue += in[days[i].Date.Unix()]
			days[i].Queue = max(queue, 0)
		}
		return rows.Err()
	})
	return days, err
}

// CanAnswer gives how many first calls a campaign's team can make within its promise, counted from each of the instants, by the roster as
// it is declared now.
func (db *DB) CanAnswer(ctx context.Context, n staff.NetworkID, id campaign.ID, from []time.Time) (calls []float64, err error) {
	err = db.read(ctx, "what a team can answer", func(tx *Tx) error {
		c, err := campaignOf(tx, n, id, "")
		if err != nil {
			return err
		}
		policy, _, err := db.teamPolicy(tx, c.Team)
		if err != nil {
			return err
		}
		calls = make([]float64, len(from))
		for i, t := range from {
			calls[i] = throttle.Capacity(policy.Calendar, policy.Roster, nil, t, policy.Calendar.DueBy(t, policy.PromiseDays))
		}
		return nil
	})
	return calls, err
}

// Summarise counts a campaign's referrals against the promise as of now. Referrals of its team that came without one of its links count too.
func (db *DB) Summarise(ctx context.Context, n staff.NetworkID, id campaign.ID) (s campaign.Summary, err error) {
	err = db.read(ctx, "summary", func(tx *Tx) error {
		c, err := campaignOf(tx, n, id, "")
		if err != nil {
			return err
		}
		err = tx.QueryRow(`
			SELECT COUNT(*),
			       COALESCE(SUM(CASE WHEN urgent THEN 1 ELSE 0 END), 0),
			       COALESCE(SUM(CASE WHEN contacted_at > 0 THEN 1 ELSE 0 END), 0),
			       COALESCE(SUM(CASE WHEN (contacted_at > 0 AND contacted_at > due_at) OR (contacted_at = 0 AND due_at < $1 AND state IN ('new', 'claimed', 'contacting')) THEN 1 ELSE 0 END), 0)
			FROM referral
			WHERE team = $2 AND received_at >= $3`, tx.now, int64(c.Team), msOf(c.LaunchedAt)).Scan(&s.Referrals, &s.Urgent, &s.Contacted, &s.Late)
		if err != nil {
			return err
		}
		var first, last *int64
		err = tx.QueryRow(`
			SELECT COUNT(*), MIN(CASE WHEN n > 0 THEN at END), MAX(CASE WHEN n > 0 THEN at END)
			FROM decision
			WHERE campaign = $1`, int64(id)).Scan(&s.Decisions, &first, &last)
		if first != nil {
			s.FirstRelease, s.LastRelease = timeOf(*first), timeOf(*last)
		}
		return err
	})
	return s, err
}

// Totals count everything, for whoever runs the service.
type Totals struct {
	Messages        map[campaign.MessageState]int
	Services        map[campaign.MessageState]int // texts that answer people
	Alarms          map[string]int
	Waiting, Urgent int
}

// Totals adds up all networks.
func (db *DB) Totals(ctx context.Context) (t Totals, err error) {
	err = db.read(ctx, "totals", func(tx *Tx) error {
		t = Totals{Messages: map[campaign.MessageState]int{}, Services: map[campaign.MessageState]int{}, Alarms: map[string]int{}}
		rows, err := tx.Query(`SELECT kind, SUM(n) FROM tally WHERE kind LIKE 'is:%' OR kind LIKE 'service:%' GROUP BY kind`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var kind string
			var n int
			if err := rows.Scan(&kind, &n); err != nil {
				return err
			}
			if s, ok := strings.CutPrefix(kind, "service:"); ok {
				t.Services[campaign.MessageState(s)] = n
			} else {
				t.Messages[campaign.MessageState(kind[len("is:"):])] = n
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		alarms, err := tx.Query(`SELECT code, COUNT(*) FROM alarm GROUP BY code`)
		if err != nil {
			return err
		}
		defer alarms.Close()
		for alarms.Next() {
			var code string
			var n int
			if err := alarms.Scan(&code, &n); err != nil {
				return err
			}
			t.Alarms[code] = n
		}
		if err := alarms.Err(); err != nil {
			return err
		}
		return tx.QueryRow(`
			SELECT COUNT(*), COALESCE(SUM(CASE WHEN urgent THEN 1 ELSE 0 END), 0)
			FROM referral
			WHERE state IN ('new', 'claimed', 'contacting') AND contacted_at = 0`).Scan(&t.Waiting, &t.Urgent)
	})
	return t, err
}
