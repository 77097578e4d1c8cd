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

	// For pages, which need not tell strata apart: a row where those above have hundreds.
	tallyAnswered = "answered" // campaign, by hour
	tallyStarted  = "started"  // campaign

	tallyWithheld = "withheld" // campaign, by stratum: suppressed because their practice does not agree
	tallyTrouble  = "trouble:" // and the provider's code: texts that did not arrive; see troubleOwner
)

// troubleOwner owns what counts the texts of a campaign that did not arrive: so they are found without knowing their codes, and without reading
// its other counters.
func troubleOwner(id int64) int64 { return -id }

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
	switch kind {
	case tallyAnswer:
		if err := db.bump(tx, owner, tallyAnswered, 0, hour, 0, n); err != nil {
			return err
		}
	case tallyStart:
		if err := db.bump(tx, owner, tallyStarted, 0, 0, 0, n); err != nil {
			return err
		}
	}
	c := counter{owner, kind, stratum, hour, from}
	if db.engine == engineSQLite {
		tx.counted = append(tx.counted, counted{c, n})
		return nil
	}
	return tx.add(c, rand.Int64N(tallyShards), n)
}

// bumpCause counts messages by why they stand where they do, if that is counted: in or out of a state, with the code that they have there.
func (db *DB) bumpCause(tx *Tx, owner, stratum int64, s campaign.MessageState, code string, n int) error {
	switch s {
	case campaign.Undelivered, campaign.Failed, campaign.Rejected:
		return db.bump(tx, troubleOwner(owner), tallyTrouble+code, 0, 0, 0, n)
	case campaign.Suppressed:
		if code == campaign.DisagreesCode {
			return db.bump(tx, owner, tallyWithheld, stratum, 0, 0, n)
		}
	}
	return nil
}

// hasCause says whether messages in a state are counted by their codes.
func hasCause(s campaign.MessageState) bool {
	switch s {
	case campaign.Undelivered, campaign.Failed, campaign.Rejected, campaign.Suppressed:
		return true
	}
	return false
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
