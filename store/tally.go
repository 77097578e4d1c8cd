package store

import (
	"fmt"
	"math/rand/v2"

	"github.com/wellpaced/wellpaced/campaign"
)

// Kinds of counters. A message's state has its own counter too: "is:" and the state; a service text's has
// "service:" and the state.
const (
	tallyDelivered = "delivered" // campaign, by hour and stratum
	tallyAnswer    = "answer"    // campaign, by hour, stratum and the hour in which the text was delivered
	tallyStart     = "start"     // campaign: the form's Start button
	tallyReleased  = "released"  // campaign, by hour: for the daily cap
	tallyCost      = "cost"      // campaign: hundredths of a penny
	tallyOther     = "other"     // team: referrals that no text brought
	tallyContact   = "contact"   // team: first contacts made
	tallyLanded    = "landed"    // campaign, by stratum: on the phone as far as we know, though no receipt has come
	tallyReferral  = "referral"  // team: all referrals

	tallyServiceCost    = "service_cost"    // campaign: hundredths of a penny, of the texts that answer people
	tallyCorrectionCost = "correction_cost" // campaign, and each correction: hundredths of a penny
)

// tallyShards spreads the rows that every worker bumps, so that they do not wait for each other on Postgres.
const tallyShards = 16

func stateTally(s campaign.MessageState) string { return "is:" + string(s) }

// serviceTally counts the service texts that answer people of a campaign, by state. No funnel and no forecast reads it.
func serviceTally(s campaign.MessageState) string { return "service:" + string(s) }

func hourOf(ms int64) int64 { return ms / 3_600_000 }

// counter names one counter. Owner is a campaign or a team; hour and from are unix hours, or 0.
type counter struct {
	owner               int64
	kind                string
	stratum, hour, from int64
}

// bump adds n to a counter. On SQLite it is added with the commit, once for all who share it: a busy minute counts in a few rows. What
// reads counters in a transaction that writes adds what stands in no row yet: see [Tx.uncounted].
func (db *DB) bump(tx *Tx, owner int64, kind string, stratum, hour, from int64, n int) error {
	if n == 0 {
		return nil
	}
	c := counter{owner, kind, stratum, hour, from}
	if db.engine == engineSQLite {
		tx.counted = append(tx.counted, counted{c, n})
		return nil
	}
	return tx.add(c, rand.Int64N(tallyShards), n)
}

func (t *Tx) add(c counter, shard int64, n int) error {
	_, err := t.Exec(`
		INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (owner, kind, hour, stratum, from_hour, shard)
		DO UPDATE SET n = tally.n + excluded.n`,
		c.owner, c.kind, c.stratum, c.hour, c.from, shard, n)
	return err
}

// uncounted adds to an owner's sums by kind what those have counted who share the commit, this transaction among them.
func (t *Tx) uncounted(owner int64, sums map[string]int) {
	add := func(did []counted) {
		for _, c := range did {
			if c.owner == owner {
				sums[c.kind] += c.n
			}
		}
	}
	for _, j := range t.group {
		if j.err == nil {
			add(j.did)
		}
	}
	add(t.counted)
}

// addAll writes what the functions of one commit have counted.
func (t *Tx) addAll(all [][]counted) error {
	sums := map[counter]int{}
	for _, did := range all {
		for _, c := range did {
			sums[c.counter] += c.n
		}
	}
	for c, n := range sums {
		if n == 0 {
			continue
		}
		if err := t.add(c, 0, n); err != nil {
			return fmt.Errorf("count: %w", err)
		}
	}
	return nil
}
