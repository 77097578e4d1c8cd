package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

var _ campaign.Releaser = (*DB)(nil)

// longestLease is more than any lease: one that seems to run longer was written before a clock was set back, and nobody waits for it.
const longestLease = time.Minute

// Lead takes or keeps the lease of the pacer. Every new holder gets a higher epoch, which guards what it writes.
func (db *DB) Lead(ctx context.Context, holder string, lease time.Duration) (epoch int64, ok bool, err error) {
	err = db.write(ctx, "lead", func(tx *Tx) error {
		ok = false
		_, err := tx.Exec(`INSERT INTO leader (name, holder, epoch, expires_at) VALUES ('pacer', '', 0, 0) ON CONFLICT (name) DO NOTHING`)
		if err != nil {
			return err
		}
		rows, err := tx.Query(`
			UPDATE leader
			SET epoch = CASE WHEN holder = $1 THEN epoch ELSE epoch + 1 END, since_at = CASE WHEN holder = $1 THEN since_at ELSE $3 END, holder = $1, expires_at = $2
			WHERE name = 'pacer' AND (holder = $1 OR expires_at < $3 OR expires_at > $4)
			RETURNING epoch`, holder, tx.machine+lease.Milliseconds(), tx.machine, tx.machine+max(longestLease, lease).Milliseconds())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			ok = true
			if err := rows.Scan(&epoch); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return epoch, ok, err
}

// Leader is who leads now and for which epoch.
func (tx *Tx) leads(epoch int64, lock string) error {
	var now int64
	if err := tx.QueryRow(`SELECT epoch FROM leader WHERE name = 'pacer'` + lock).Scan(&now); err != nil {
		return fmt.Errorf("read the leader: %w", err)
	}
	if now != epoch {
		return fmt.Errorf("epoch %d is over: %w", epoch, campaign.ErrConflict)
	}
	return nil
}

// Teams lists the teams with a campaign running or paused: answers to a paused campaign's texts are still expected.
func (db *DB) Teams(ctx context.Context) (teams []staff.TeamID, err error) {
	err = db.read(ctx, "paced teams", func(tx *Tx) error {
		rows, err := tx.Query(`SELECT DISTINCT team FROM campaign WHERE state IN ('running', 'paused')`)
		if err != nil {
			return err
		}
		ids, err := scanIDs(rows)
		for _, id := range ids {
			teams = append(teams, staff.TeamID(id))
		}
		return err
	})
	return teams, err
}

// answersMatter is how long after its end a campaign's texts may still bring answers that the forecast has to expect.
const answersMatter = 42 * 24 * time.Hour

// Snapshot reads one team in one transaction. Its cost grows with practices and hours, never with the length of the list.
func (db *DB) Snapshot(ctx context.Context, team staff.TeamID) (s campaign.Snapshot, err error) {
	mark := db.closed.mark()
	err = db.read(ctx, "pacing snapshot", func(tx *Tx) error {
		var err error
		if s.Policy, s.Team, err = db.teamPolicy(tx, team); err != nil {
			return err
		}
		if s.State, err = db.teamState(tx, team); err != nil {
			return err
		}
		return db.snapshotCampaigns(tx, &s, mark)
	})
	return s, err
}

func (db *DB) snapshotCampaigns(tx *Tx, s *campaign.Snapshot, mark int64) error {
	type row struct {
		c        campaign.Campaign
		strata   strata
		memory   throttle.Memory
		planning int64
		segments float64
		taken    int64
		screened int64
		resumed  int64
		madeUp   bool
		fresh    campaign.FreshState // of its list's screening against a fresh one, if one is under way
	}
	rows, err := tx.Query(`
		SELECT `+prefixed("c.", campaignColumns)+`, c.strata, c.memory, c.planning, c.segments, c.resumed_at, a.taken_on, a.screened_at, a.synthetic,
			`+openFresh("c.id")+`
		FROM campaign c
		JOIN audience a ON a.id = c.audience
		WHERE c.team = $1 AND (c.state IN ('running', 'paused') OR (c.state IN ('finished', 'stopped') AND c.finished_at > $2))
		ORDER BY c.id`, int64(s.Team.ID), tx.now-answersMatter.Milliseconds())
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []row
	for rows.Next() {
		var r row
		var strataJSON, memoryJSON string
		r.c, err = scanCampaign(extraScan{rows, []any{&strataJSON, &memoryJSON, &r.planning, &r.segments, &r.resumed, &r.taken, &r.screened, &r.madeUp, (*string)(&r.fresh)}})
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(strataJSON), &r.strata); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(memoryJSON), &r.memory); err != nil {
			return err
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	taught, err := lessonsOf(tx, s.Team.Network)
	if err != nil {
		return err
	}
	midnight := hourOf(s.Policy.Calendar.Midnight(time.UnixMilli(tx.now)).UnixMilli())
	for _, r := range all {
		cs, err := db.campaignState(tx, r.c, r.strata, midnight, mark)
		if err != nil {
			return err
		}
		cs.Running = r.c.State == campaign.Running && r.planning < 0
		cs.Held = cmp.Or(cs.Held, freshHold(r.fresh))
		listOn := max(takenOn(r.taken, r.screened), msOf(r.c.FreshAt))
		cs.Memory, cs.Resumed = r.memory, timeOf(r.resumed)
		s.State.Campaigns = append(s.State.Campaigns, cs)
		p := r.c.Policy
		s.Policy.Campaigns = append(s.Policy.Campaigns, throttle.CampaignPolicy{
			ID: cs.ID, Windows: p.Windows, DailyCap: p.DailyCap, Budget: p.Budget, CostPerText: int64(float64(p.Price)*r.segments + .5), Rate: p.Rate,
			SegmentsPerText: r.segments, MinBatch: p.MinBatch, Screened: timeOf(listOn), MaxListAge: p.MaxListAge, First: p.First, Last: p.Last, Blast: p.Blast,
			Prior: taught.prior(r.c.ID, r.madeUp),
		})
	}
	return nil
}

// extraScan scans further columns after those that a scan function knows.
type extraScan struct {
	row  interface{ Scan(...any) error }
	more []any
}

func (e extraScan) Scan(dest ...any) error { return e.row.Scan(append(dest, e.more...)...) }

// prefixed puts a table's name before each of a list of columns.
func prefixed(table, columns string) string {
	parts := strings.Split(columns, ",")
	for i, c := range parts {
		parts[i] = table + strings.TrimSpace(c)
	}
	return strings.Join(parts, ", ")
}

func (db *DB) campaignState(tx *Tx, c campaign.Campaign, st strata, midnight, mark int64) (cs throttle.CampaignState, err error) {
	cs = throttle.CampaignState{ID: campaignKey(c.ID), Held: c.Held, Started: c.LaunchedAt, Strata: st.Names, Sizes: st.Sizes, Grain: time.Hour, OnTheWayBy: make([]int, len(st.Names))}
	h, err := db.hours(tx, c.ID, midnight, mark)
	if err != nil {
		return cs, err
	}
	cs.Delivered, cs.Answers, cs.Starts = h.delivered, h.answers, h.starts
	err = tx.QueryRow(`SELECT COALESCE(CAST(SUM(n) AS BIGINT), 0) FROM tally WHERE owner = $1 AND kind = $2 AND hour >= $3`,
		int64(c.ID), tallyReleased, midnight).Scan(&cs.SentToday)
	if err != nil {
		return cs, err
	}
	rows, err := tx.Query(`
		SELECT kind, stratum, CAST(SUM(n) AS BIGINT)
		FROM tally
		WHERE owner = $1 AND hour = 0 AND kind IN ('cost', 'service_cost', 'correction_cost', 'landed', 'is:planned', 'is:released', 'is:sending', 'is:unknown', 'is:held', 'is:accepted', 'is:sent')
		GROUP BY kind, stratum`, int64(c.ID))
	if err != nil {
		return cs, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var stratum, n int
		if err := rows.Scan(&kind, &stratum, &n); err != nil {
			return cs, err
		}
		switch kind {
		case tallyCost, tallyServiceCost, tallyCorrectionCost:
			cs.Spent += int64(n)
		case stateTally(campaign.Planned):
			cs.Planned += n
		case tallyLanded:
			cs.OnTheWay -= n
			if stratum < len(cs.OnTheWayBy) {
				cs.OnTheWayBy[stratum] -= n
			}
		default:
			cs.OnTheWay += n
			if stratum < len(cs.OnTheWayBy) {
				cs.OnTheWayBy[stratum] += n
			}
			if kind == stateTally(campaign.Released) || kind == stateTally(campaign.Sending) {
				cs.Released += n
			}
		}
	}
	return cs, rows.Err()
}

func campaignKey(id campaign.ID) string { return fmt.Sprint(int64(id)) }

// Release writes the decisions and moves the next messages of each from planned to released, in the campaign's own order.
func (db *DB) Release(ctx context.Context, epoch int64, ds []throttle.Decision) (rings []campaign.Ring, err error) {
	err = db.write(ctx, "release", func(tx *Tx) error {
		rings = nil
		if err := tx.leads(epoch, db.engine.lockClause()); err != nil {
			return err
		}
		if stop, err := db.quarantined(tx); err != nil || stop {
			return errors.Join(err, campaign.ErrQuarantined)
		}
		for _, d := range ds {
			var id int64
			if _, err := fmt.Sscan(d.Campaign, &id); err != nil {
				return fmt.Errorf("read the campaign of a decision: %w", err)
			}
			if d, err = db.forLook(tx, campaign.ID(id), d); err != nil {
				return err
			}
			batch, err := db.storeDecision(tx, id, d)
			if err != nil {
				return err
			}
			if d.N == 0 {
				continue
			}
			more, err := db.releaseNext(tx, id, batch, d.N)
			if err != nil {
				return err
			}
			rings = append(rings, more...)
		}
		return nil
	})
	return rings, err
}

// storeDecision keeps a decision when it sends something or its limit has changed, else hourly.
func (db *DB) storeDecision(tx *Tx, id int64, d throttle.Decision) (batch int64, err error) {
	memory, err := json.Marshal(d.Memory)
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(`UPDATE campaign SET memory = $1 WHERE id = $2 AND memory <> $1`, string(memory), id); err != nil {
		return 0, err
	}
	last, err := decisions(tx, campaign.ID(id), math.MaxInt64, 1)
	if err != nil {
		return 0, err
	}
	if d.N == 0 && len(last) > 0 && last[0].N == 0 && last[0].Limit == string(d.Limit) && hourOf(last[0].At.UnixMilli()) == hourOf(tx.now) {
		return 0, nil
	}
	figures, err := json.Marshal(d.Figures)
	if err != nil {
		return 0, err
	}
	forecast, err := json.Marshal(d.Forecast)
	if err != nil {
		return 0, err
	}
	batch = db.newID()
	_, err = tx.Exec(`
		INSERT INTO decision (id, campaign, at, n, binding, sentence, figures, forecast)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		batch, id, tx.now, d.N, string(d.Limit), d.Sentence, string(figures), string(forecast))
	return batch, err
}

func (db *DB) releaseNext(tx *Tx, id, batch int64, n int) (rings []campaign.Ring, err error) {
	// The inner guard on state is for a campaign that was paused while Decide was thinking.
	return db.moved(tx, id, campaign.Planned, campaign.Released, `
		UPDATE message
		SET state = 'released', rings = rings + 1, batch = $1, released_at = $2
		WHERE state = 'planned' AND id IN (
			SELECT m.id
			FROM message m
			JOIN campaign c ON c.id = m.campaign
			WHERE m.campaign = $3 AND m.state = 'planned' AND m.not_before <= $4 AND c.state = 'running'
			ORDER BY m.place
			LIMIT $5)
		RETURNING id, attempt, rings, stratum, cost`, batch, tx.machine, id, tx.now, n)
}

// moved makes a bulk update and keeps the counters. It must return the columns id, attempt, rings, stratum, cost.
func (db *DB) moved(tx *Tx, owner int64, from, to campaign.MessageState, update string, args ...any) (rings []campaign.Ring, err error) {
	rings, _, err = db.movedBy(tx, owner, from, to, update, args...)
	return rings, err
}

// movedBy also gives how many they are of each stratum.
func (db *DB) movedBy(tx *Tx, owner int64, from, to campaign.MessageState, update string, args ...any) (rings []campaign.Ring, strata map[int64]int, err error) {
	rows, err := tx.Query(update, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	strata = map[int64]int{}
	var total, cost int
	for rows.Next() {
		var r campaign.Ring
		var stratum int64
		var price int
		if err := rows.Scan((*int64)(&r.Message), &r.Attempt, &r.Nth, &stratum, &price); err != nil {
			return nil, nil, err
		}
		strata[stratum]++
		total, cost = total+1, cost+price
		rings = append(rings, r)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	for s, n := range strata {
		if err := db.bumpMove(tx, owner, s, from, to, n); err != nil {
			return nil, nil, err
		}
	}
	if committed(from) != committed(to) {
		sign := map[bool]int{true: 1, false: -1}[committed(to)]
		if err := db.bump(tx, owner, tallyCost, 0, 0, 0, sign*cost); err != nil {
			return nil, nil, err
		}
		if err := db.bump(tx, owner, tallyReleased, 0, hourOf(tx.now), 0, sign*total); err != nil {
			return nil, nil, err
		}
	}
	return rings, strata, nil
}

func (db *DB) bumpMove(tx *Tx, owner, stratum int64, from, to campaign.MessageState, n int) error {
	if err := db.bump(tx, owner, stateTally(from), stratum, 0, 0, -n); err != nil {
		return err
	}
	return db.bump(tx, owner, stateTally(to), stratum, 0, 0, n)
}

// committed says whether a message in this state has cost money, or may have.
func committed(s campaign.MessageState) bool {
	switch s {
	case campaign.Planned, campaign.Suppressed, campaign.Expired, campaign.Rejected:
		return false
	}
	return true
}

// recallChunk keeps a recall well below 50 ms of the writer.
const recallChunk = 1000

// Recall moves released messages back where their campaign may not send now.
func (db *DB) Recall(ctx context.Context, epoch int64) (total int, err error) {
	type live struct {
		id     int64
		policy campaign.Policy
		stop   bool
	}
	var all []live
	err = db.read(ctx, "released campaigns", func(tx *Tx) error {
		all = nil
		rows, err := tx.Query(`
			SELECT c.id, c.policy, c.state, c.memory
			FROM campaign c
			WHERE c.id IN (SELECT campaign FROM message WHERE state = 'released')`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var l live
			var policy, state, memory string
			if err := rows.Scan(&l.id, &policy, &state, &memory); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(policy), &l.policy); err != nil {
				return err
			}
			var m throttle.Memory
			if err := json.Unmarshal([]byte(memory), &m); err != nil {
				return err
			}
			_, open := db.Calendar.WindowAt(time.UnixMilli(tx.now), l.policy.Windows)
			l.stop = state != string(campaign.Running) || !open || (m.Braked && !l.policy.Blast)
			all = append(all, l)
		}
		return rows.Err()
	})
	if err != nil {
		return 0, err
	}
	for _, l := range all {
		if !l.stop {
			continue
		}
		for n := recallChunk; n == recallChunk; {
			err := db.write(ctx, "recall", func(tx *Tx) error {
				if err := tx.leads(epoch, ""); err != nil {
					return err
				}
				rings, err := db.moved(tx, l.id, campaign.Released, campaign.Planned, `
					UPDATE message
					SET state = 'planned'
					WHERE state = 'released' AND id IN (SELECT id FROM message WHERE campaign = $1 AND state = 'released' LIMIT $2)
					RETURNING id, attempt, rings, stratum, cost`, l.id, recallChunk)
				n = len(rings)
				return err
			})
			if err != nil {
				return total, err
			}
			total += n
		}
	}
	return total, nil
}

// Overdue lists the rings of messages whose bell was lost, and counts the new ring.
func (db *DB) Overdue(ctx context.Context, before time.Time, limit int) (rings []campaign.Ring, err error) {
	for _, of := range []string{`message WHERE state = 'released'`, `service_text WHERE state = 'released' AND correction > 0`} {
		some, err := db.overdueIn(ctx, of, before, limit-len(rings))
		if err != nil {
			return nil, err
		}
		rings = append(rings, some...)
	}
	return rings, nil
}

// overdueIn does so for the released rows of one table.
func (db *DB) overdueIn(ctx context.Context, of string, before time.Time, limit int) (rings []campaign.Ring, err error) {
	none := false
	err = db.read(ctx, "lost rings", func(tx *Tx) error {
		var n int
		err := tx.QueryRow(`SELECT COUNT(*) FROM (SELECT 1 FROM `+of+` AND released_at < $1 LIMIT 1) AS one`, before.UnixMilli()).Scan(&n)
		none = n == 0
		return err
	})
	if err != nil || none || limit <= 0 {
		return nil, err
	}
	table, _, _ := strings.Cut(of, " ")
	err = db.write(ctx, "ring again", func(tx *Tx) (err error) {
		rings, err = list(tx, func(r scanner, ring *campaign.Ring) error {
			return r.Scan((*int64)(&ring.Message), &ring.Attempt, &ring.Nth)
		}, `
			UPDATE `+table+`
			SET rings = rings + 1, released_at = $1
			WHERE state = 'released' AND id IN (SELECT id FROM `+of+` AND released_at < $2 LIMIT $3)
			RETURNING id, attempt, rings`, tx.machine, before.UnixMilli(), limit)
		return err
	})
	return rings, err
}

// Finish plans the reminders that are due, expires what a finished campaign leaves, and ends campaigns with nothing left to do.
func (db *DB) Finish(ctx context.Context, epoch int64) error {
	var all []campaign.Campaign
	err := db.read(ctx, "live campaigns", func(tx *Tx) (err error) {
		all, err = campaignsOf(tx, `
			WHERE (state IN ('running', 'paused') AND planning < 0)
			   OR (state = 'stopped' AND finished_at > $1)`, tx.now-(24*time.Hour).Milliseconds())
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := db.SettlePractices(ctx, c.ID); err != nil {
			return err
		}
		if _, err := db.freshenSome(ctx, c.ID); err != nil {
			return err
		}
		if err := db.finishOne(ctx, epoch, c); err != nil {
			return fmt.Errorf("campaign %d: %w", c.ID, err)
		}
	}
	if err := db.learn(ctx, epoch); err != nil {
		return err
	}
	return db.countFunnels(ctx, epoch)
}

// receiptWait is how long a delivery receipt may take; then the phone is presumed to have the text, because an answer may come.
const receiptWait = 2 * time.Hour

// presumeDelivered starts the exposure of texts whose receipt did not come. A late receipt changes nothing more; word that the text was
// not delivered takes it back.
func (db *DB) presumeDelivered(ctx context.Context, c campaign.ID) error {
	var ids []int64
	err := db.read(ctx, "missing receipts", func(tx *Tx) error {
		rows, err := tx.Query(`
			SELECT id
			FROM message
			WHERE campaign = $1 AND state IN ('accepted', 'sent') AND delivered_at = 0 AND sent_at < $2
			LIMIT $3`, int64(c), tx.now-receiptWait.Milliseconds(), doubtChunk)
		if err != nil {
			return err
		}
		ids, err = scanIDs(rows)
		return err
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	return db.write(ctx, "presume delivered", func(tx *Tx) error {
		for _, id := range ids {
			m, err := messageOf(tx, `id = $1`, db.engine.lockClause(), id)
			if err != nil {
				return err
			}
			if m.state != campaign.Accepted && m.state != campaign.Sent {
				continue
			}
			if err := db.onPhone(tx, &m); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *DB) finishOne(ctx context.Context, epoch int64, c campaign.Campaign) error {
	if err := db.presumeDelivered(ctx, c.ID); err != nil {
		return err
	}
	over := c.State == campaign.Stopped || (!c.Policy.Last.IsZero() && db.cfg.Now().After(c.Policy.Last))
	if over {
		for n := recallChunk; n == recallChunk; {
			err := db.write(ctx, "expire", func(tx *Tx) error {
				if err := tx.leads(epoch, ""); err != nil {
					return err
				}
				n = 0
				for _, from := range campaign.Expire.From() {
					rings, err := db.moved(tx, int64(c.ID), from, campaign.Expired, `
						UPDATE message
						SET state = 'expired', code = 'campaign_over'
						WHERE state = $1 AND id IN (SELECT id FROM message WHERE campaign = $2 AND state = $1 LIMIT $3)
						RETURNING id, attempt, rings, stratum, cost`, string(from), int64(c.ID), recallChunk)
					if err != nil {
						return err
					}
					n = max(n, len(rings))
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	} else if err := db.planReminders(ctx, epoch, c); err != nil {
		return fmt.Errorf("plan reminders: %w", err)
	}
	if c.State == campaign.Stopped {
		return nil
	}
	var left int
	err := db.read(ctx, "messages left", func(tx *Tx) error {
		sums, err := campaignSums(tx, c.ID)
		if err != nil {
			return err
		}
		for _, s := range []campaign.MessageState{campaign.Planned, campaign.Released, campaign.Sending, campaign.Unknown, campaign.Held} {
			left += sums[stateTally(s)]
		}
		if len(c.Steps) > 1 && !over {
			left += sums[stateTally(campaign.Accepted)] + sums[stateTally(campaign.Sent)]
			if sums[stateTally(campaign.Delivered)] > sums[tallyAnswered] {
				left++ // a reminder may still come due
			}
		}
		return nil
	})
	if err != nil || left > 0 {
		return err
	}
	return db.write(ctx, "finish campaign", func(tx *Tx) error {
		if err := tx.leads(epoch, ""); err != nil {
			return err
		}
		to, _ := campaign.NextState(campaign.Running, campaign.Finish)
		_, err := tx.Exec(`UPDATE campaign SET state = $1, finished_at = $2 WHERE id = $3 AND state = $4`, string(to), tx.now, int64(c.ID), string(campaign.Running))
		return err
	})
}

// planReminders plans the second step's message for whoever got the invitation long enough ago and has not answered.
func (db *DB) planReminders(ctx context.Context, epoch int64, c campaign.Campaign) error {
	if len(c.Steps) < 2 {
		return nil
	}
	step := c.Steps[1]
	texts, err := step.Texts()
	if err != nil {
		return err
	}
	type due struct {
		invitedPatient
		stratum int
		place   int64
		shared  bool
	}
	var people []due
	var network staff.Network
	var st strata
	begins := false // the step, which fixes whose turn is first
	err = db.read(ctx, "reminders due", func(tx *Tx) error {
		people = nil
		var raw string
		if err := tx.QueryRow(`SELECT strata FROM campaign WHERE id = $1`, int64(c.ID)).Scan(&raw); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(raw), &st); err != nil {
			return err
		}
		if network, err = db.network(tx, c.Network); err != nil {
			return err
		}
		rows, err := tx.Query(`
			SELECT p.id, p.practice, p.age_band, p.language, p.phone_ix, p.person, m.stratum, m.place, m.shared
			FROM message m
			JOIN patient p ON p.id = m.patient
			WHERE m.campaign = $1 AND m.step = 1 AND m.state = 'delivered' AND m.answered_at = 0 AND m.delivered_at <= $2
			  AND NOT EXISTS (SELECT 1 FROM message r WHERE r.campaign = m.campaign AND r.patient = m.patient AND r.step = $3)
			  AND EXISTS (SELECT 1 FROM practice_approval k WHERE k.campaign = m.campaign AND k.ods = p.practice AND `+agreesTo("k", "$5")+`)
			  AND NOT EXISTS (SELECT 1 FROM taken_out o WHERE o.campaign = m.campaign AND o.patient = m.patient)
			ORDER BY m.delivered_at
			LIMIT $4`, int64(c.ID), tx.now-int64(step.AfterDays)*24*3_600_000, step.Number, planChunk, c.Terms())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d due
			if err := rows.Scan(&d.id, &d.practice, &d.ageBand, &d.language, &d.phoneIx, &d.sealed, &d.stratum, &d.place, &d.shared); err != nil {
				return err
			}
			people = append(people, d)
		}
		if err := rows.Err(); err != nil || len(people) == 0 || !step.LeastFirst || len(st.Turns) > 0 {
			return err
		}
		begins = true
		return st.giveTurns(tx, c.ID)
	})
	if err != nil || len(people) == 0 {
		return err
	}
	var rows []any
	counts := map[int]int{}
	first := db.reserveIDs(len(people))
	for i, p := range people {
		s, place := p.stratum+st.Base*(step.Number-1), p.place
		if p.stratum < len(st.Turns) {
			place = st.Turns[p.stratum].Place(place)
		}
		cols, _, err := db.messageRow(network, texts, plannedMessage{id: first + int64(i), campaign: c, step: step.Number, patient: p.invitedPatient,
			stratum: s, place: place + int64(step.Number-1)<<53, shared: p.shared})
		if err != nil {
			return err
		}
		rows, counts[s] = append(rows, cols...), counts[s]+1
	}
	return db.write(ctx, "plan reminders", func(tx *Tx) error {
		if err := tx.leads(epoch, ""); err != nil {
			return err
		}
		if begins {
			b, err := json.Marshal(st)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(`UPDATE campaign SET strata = $1 WHERE id = $2`, string(b), int64(c.ID)); err != nil {
				return err
			}
		}
		return db.insertPlanned(tx, c.ID, rows, counts)
	})
}

// giveTurns fixes in which order the strata are reminded, by what has been delivered to them and answered until now.
func (st *strata) giveTurns(tx *Tx, id campaign.ID) error {
	groups := make([]campaign.Asked, st.Base)
	rows, err := tx.Query(`
		SELECT stratum, kind, SUM(n)
		FROM tally
		WHERE owner = $1 AND kind IN ('delivered', 'answer') AND stratum < $2
		GROUP BY stratum, kind`, int64(id), st.Base)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var stratum, n int
		var kind string
		if err := rows.Scan(&stratum, &kind, &n); err != nil {
			return err
		}
		if kind == tallyDelivered {
			groups[stratum].Texts = n
		} else {
			groups[stratum].Answers = n
		}
	}
	st.Turns = campaign.LeastFirst(groups)
	return rows.Err()
}
