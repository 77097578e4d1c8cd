package store

import (
	"context"
	"strings"
	"testing"
)

// planOf is how an engine would run a query, on tables that may be empty.
func planOf(tb testing.TB, db *DB, query string, args ...any) string {
	tb.Helper()
	var plan strings.Builder
	err := db.write(context.Background(), "test", func(tx *Tx) error {
		explain := `EXPLAIN QUERY PLAN `
		if db.engine == enginePostgres {
			if _, err := tx.Exec(`SET LOCAL enable_seqscan = off`); err != nil {
				return err
			}
			explain = `EXPLAIN `
		}
		_, err := list(tx, func(r scanner, _ *struct{}) error {
			var line string
			var n any
			to := []any{&line}
			if db.engine == engineSQLite {
				to = []any{&n, &n, &n, &line}
			}
			err := r.Scan(to...)
			plan.WriteString(line + "\n")
			return err
		}, explain+query, args...)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return plan.String()
}

// What a page or a report reads of a campaign is found by an index, however many texts it has.
func TestTextsThatHaveLeft_plan(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		if p := planOf(t, db, firstSent, 1); !strings.Contains(p, "message_left") || strings.Contains(p, "Sort") || strings.Contains(p, "TEMP B-TREE") {
			t.Errorf("the first text is found by %s", p)
		}
		if p := planOf(t, db, textsOfMonth, 1, 2, 3); !strings.Contains(p, "message_left") {
			t.Errorf("the texts of a month are found by %s", p)
		}
	})
}

// A month is counted by what is of the month: no query reads a whole table, and a page of decisions reads no more than it shows.
func TestMonthAndDecisions_plan(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		times, days := []any{1, 2, 3}, []any{1, "2026-06-01", "2026-07-01"}
		for _, q := range []struct {
			name, query, index string
			args               []any
		}{
			{"received", receivedInMonth, "referral_received", times}, {"asked", askedInMonth, "referral_received", times}, {"contacted", contactedInMonth, "referral_contacted", times},
			{"ended", endedInMonth, "referral_ended", times}, {"onward", onwardInMonth, "onward_made", days}, {"interventions", interventionsInMonth, "intervention_made", days},
			{"goals", goalsInMonth, "goal_ended", days}, {"measures", measuresInMonth, "measure_made", days}, {"decisions", decisionsBefore, "decision_campaign", []any{1, 1 << 40, 20}},
		} {
			p := planOf(t, db, q.query, q.args...)
			if !strings.Contains(p, q.index) {
				t.Errorf("%s: not by %s, but %s", q.name, q.index, p)
			}
			for line := range strings.Lines(p) {
				line = strings.TrimSpace(line)
				if strings.Contains(line, "Seq Scan") || strings.HasPrefix(line, "SCAN ") && !strings.Contains(line, "CONSTANT ROW") && !strings.Contains(line, "team") {
					t.Errorf("%s reads all of a table: %s", q.name, line)
				}
			}
		}
	})
}

// The page of a campaign reads its own counters of a few kinds, by the key that begins with owner and kind.
func TestCampaignPage_plan(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		for _, q := range []struct {
			query string
			args  []any
		}{{sumsOfCampaign, []any{1}}, {hoursOfDays, []any{1, 2}}, {withheldByStratum, []any{1}}, {troublesByCode, []any{-1}}} {
			p := planOf(t, db, q.query, q.args...)
			byKey := strings.Contains(p, "SEARCH tally USING") && strings.Contains(p, "(owner=?") || strings.Contains(p, "tally_pkey")
			byKind := q.args[0] == -1 || strings.Contains(p, "kind=?") || strings.Contains(p, "kind = ")
			if !byKey || !byKind || strings.Contains(p, "SCAN tally") || strings.Contains(p, "Seq Scan") {
				t.Errorf("%s\nis run as %s", q.query, p)
			}
		}
	})
}
