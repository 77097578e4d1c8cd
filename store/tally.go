package store

import (
	"math/rand/v2"

	"github.com/wellpaced/wellpaced/campaign"
)

// Kinds of counters. A message's state has its own counter too: "is:" and the state.
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
)

// tallyShards spreads the rows that every worker bumps, so that they do not wait for each other on Postgres.
const tallyShards = 16

func stateTally(s campaign.MessageState) string { return "is:" + string(s) }

func hourOf(ms int64) int64 { return ms / 3_600_000 }

// bump adds n to a counter. Owner is a campaign or a team; hour and from are unix hours, or 0.
func (db *DB) bump(tx *Tx, owner int64, kind string, stratum, hour, from int64, n int) error {
	if n == 0 {
		return nil
	}
	if hour != 0 {
		tx.counted = append(tx.counted, counted{owner, hour})
	}
	shard := int64(0)
	if db.engine == enginePostgres {
		shard = rand.Int64N(tallyShards)
	}
	_, err := tx.Exec(`
		INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (owner, kind, hour, stratum, from_hour, shard)
		DO UPDATE SET n = tally.n + excluded.n`,
		owner, kind, stratum, hour, from, shard, n)
	return err
}
