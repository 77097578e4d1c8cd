package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

const (
	learnAgain = 24 * time.Hour // until late answers do not matter any more
	// lessonsRead is how many of a network's latest lessons its next campaigns start from.
	lessonsRead = 20
)

// learn keeps what ended campaigns taught. The first lesson is written when a campaign has ended, because the next may start on the same
// day; it is not wrong, for a text counts only for the delays it has lived through. It is written again each day until late answers matter
// no more, and then stays for good: it is sums, without a person or a practice.
func (db *DB) learn(ctx context.Context, epoch int64) error {
	var ids []int64
	err := db.read(ctx, "campaigns to learn from", func(tx *Tx) error {
		rows, err := tx.Query(`
			SELECT c.id
			FROM campaign c
			LEFT JOIN lesson l ON l.campaign = c.id
			WHERE c.state IN ('finished', 'stopped') AND c.finished_at > 0
			  AND (l.campaign IS NULL OR (l.learned_at <= $1 AND l.learned_at < c.finished_at + $2))
			ORDER BY c.id
			LIMIT 20`, tx.now-learnAgain.Milliseconds(), answersMatter.Milliseconds())
		if err != nil {
			return err
		}
		ids, err = scanIDs(rows)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := db.learnFrom(ctx, epoch, id); err != nil {
			return fmt.Errorf("learn from campaign %d: %w", id, err)
		}
	}
	return nil
}

func (db *DB) learnFrom(ctx context.Context, epoch, id int64) error {
	var network, ended, learned int64
	var synthetic bool
	var lesson throttle.Lesson
	mark := db.closed.mark()
	err := db.read(ctx, "lesson", func(tx *Tx) error {
		var strataJSON, memoryJSON string
		c, err := scanCampaign(extraScan{tx.QueryRow(`
			SELECT `+prefixed("c.", campaignColumns)+`, c.strata, c.memory, a.synthetic
			FROM campaign c
			JOIN audience a ON a.id = c.audience
			WHERE c.id = $1`, id), []any{&strataJSON, &memoryJSON, &synthetic}})
		if err != nil {
			return err
		}
		var st strata
		if err := json.Unmarshal([]byte(strataJSON), &st); err != nil {
			return err
		}
		policy, _, err := db.teamPolicy(tx, c.Team)
		if err != nil {
			return err
		}
		midnight := hourOf(policy.Calendar.Midnight(time.UnixMilli(tx.now)).UnixMilli())
		cs, err := db.campaignState(tx, c, st, midnight, mark)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(memoryJSON), &cs.Memory); err != nil {
			return err
		}
		invitations(&cs, st.Base)
		network, ended, learned = int64(c.Network), msOf(c.FinishedAt), tx.now
		lesson = throttle.Learn(time.UnixMilli(tx.now), throttle.CampaignPolicy{ID: cs.ID}, cs)
		lesson.Ended = c.FinishedAt
		return nil
	})
	if err != nil {
		return err
	}
	sums, err := json.Marshal(lesson)
	if err != nil {
		return err
	}
	return db.write(ctx, "keep a lesson", func(tx *Tx) error {
		if err := tx.leads(epoch, ""); err != nil {
			return err
		}
		_, err := tx.Exec(`
			INSERT INTO lesson (campaign, network, synthetic, ended_at, learned_at, sums)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (campaign) DO UPDATE
			SET learned_at = excluded.learned_at, sums = excluded.sums`, id, network, synthetic, ended, learned, string(sums))
		return err
	})
}

// invitations leaves out reminders, whose strata follow those of the invitation: people answer them otherwise, and not every campaign has
// them.
func invitations(cs *throttle.CampaignState, base int) {
	if base <= 0 || base >= len(cs.Strata) {
		return
	}
	cs.Strata, cs.Sizes, cs.OnTheWayBy = cs.Strata[:base], cs.Sizes[:base], cs.OnTheWayBy[:base]
	reminder := func(c throttle.Cell) bool { return c.Stratum >= base }
	cs.Delivered, cs.Starts = slices.DeleteFunc(cs.Delivered, reminder), slices.DeleteFunc(cs.Starts, reminder)
	cs.Answers = slices.DeleteFunc(cs.Answers, func(a throttle.Answer) bool { return a.Stratum >= base })
}

// lessons are what a network's other campaigns taught, by whether their lists were made up.
type lessons map[bool][]taught

type taught struct {
	campaign campaign.ID
	lesson   throttle.Lesson
}

func lessonsOf(tx *Tx, n staff.NetworkID) (lessons, error) {
	all := lessons{}
	for _, synthetic := range []bool{false, true} {
		rows, err := list(tx, func(r scanner, t *taught) error {
			var sums string
			if err := r.Scan((*int64)(&t.campaign), &sums); err != nil {
				return err
			}
			return json.Unmarshal([]byte(sums), &t.lesson)
		}, `
			SELECT campaign, sums
			FROM lesson
			WHERE network = $1 AND synthetic = $2
			ORDER BY ended_at DESC, campaign
			LIMIT $3`, int64(n), synthetic, lessonsRead)
		if err != nil {
			return nil, fmt.Errorf("read lessons: %w", err)
		}
		all[synthetic] = rows
	}
	return all, nil
}

// prior is what a campaign may expect: not from its own lesson, whose answers are counted already.
func (l lessons) prior(c campaign.ID, synthetic bool) *throttle.Prior {
	var all []throttle.Lesson
	for _, t := range l[synthetic] {
		if t.campaign != c {
			all = append(all, t.lesson)
		}
	}
	return throttle.PriorFrom(all)
}
