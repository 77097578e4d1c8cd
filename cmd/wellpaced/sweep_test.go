package main

import (
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

// All receipts are lost, and the running program asks for them: at once for what an earlier version has sent, else after an hour.
func TestSweep_whileServing(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, func(o *options) { o.Settle = 300 * time.Millisecond })
		s.twilio.SetFaults(emulator.Faults{CallbackDrop: 1})
		n := s.network("Knowsley Test PCN", "N8300")
		rows := people(8, "N8300")
		n.launch(n.upload(listOf(rows), 201).at("id"), nil)
		s.paced(len(rows))
		counts := func() map[campaign.MessageState]int {
			totals, err := s.app.db.Totals(t.Context())
			s.must(err)
			return totals.Messages
		}
		if got := counts(); got[campaign.Accepted] != len(rows) {
			t.Fatalf("without a receipt: %v", got)
		}
		db := s.raw()
		defer db.Close()
		_, err := db.Exec(`UPDATE message SET sweep_at = 0 WHERE id = (SELECT MIN(id) FROM message)`) // as the migration leaves it
		s.must(err)
		s.twilio.SetFaults(emulator.Faults{})
		eventually(t, 10*time.Second, "the loop asks for what is due", func() bool { return counts()[campaign.Delivered] == 1 })
		s.must(s.app.sweeper.Tick(t.Context(), time.Now().Add(campaign.FirstSweep+time.Minute)))
		if got := counts(); got[campaign.Delivered] != len(rows) {
			t.Errorf("an hour later: %v", got)
		}
	})
}
