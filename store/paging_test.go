package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// However long a listing has become, its next page is found by an index, and nothing has to be sorted for it.
func TestPaging_plans(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		for index, q := range map[string]struct {
			query string
			args  []any
		}{
			"audience_network":  {audiencesQuery, []any{1, 2, 3}},
			"campaign_network":  {`SELECT ` + campaignColumns + ` FROM campaign ` + campaignsOrder, []any{1, 2, 3}},
			"decision_campaign": {decisionsBefore, []any{1, 2, 3}},
			"correction_order":  {correctionsQuery, []any{1, 2, 3, 4}},
			"outbox_of":         {deliveriesQuery, []any{1, 2, 3, 4}},
			"practice_file_of":  {`SELECT id FROM practice_file WHERE network = $1 ` + filesOrder, []any{1, "x", 2, 3}},
			"glass_network":     {breakingsEnd, []any{1, 2, 3}},
			"audit_looked":      {looksQuery, []any{"referral 1", 1, 2, 3}},
			"task_open":         {tasksQueries[0], []any{1, 2, "x", 3, 4}},
			"suppression":       {optOutsQuery, []any{1, "x", []byte{1}, 3}}, // by its primary key
		} {
			plan := planOf(t, db, q.query, q.args...)
			if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN "+index) {
				t.Errorf("%s: %s", index, plan)
			}
			// A task's number breaks the tie between those of one day, and SQLite says so; the rest come in order.
			if index != "task_open" && (strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort ")) {
				t.Errorf("%s is sorted: %s", index, plan)
			}
		}
	})
}

// walk reads a listing in pages of two and tells the ids in the order in which they came.
func walk[T any](t *testing.T, id func(T) string, page func(last *T) []T) (ids []string) {
	t.Helper()
	var last *T
	for range 50 {
		all := page(last)
		for _, one := range all {
			ids = append(ids, id(one))
		}
		if len(all) == 0 {
			return ids
		}
		last = &all[len(all)-1]
	}
	t.Fatal("it never ends")
	return nil
}

// Pages put together are the whole, in its order: also where several came at the same moment, or one is dealt with in between.
func TestPaging_isTheWhole(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		for i := range 7 {
			w.must(db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: mustPhone(t, fmt.Sprintf("+4474000000%02d", i)), Why: selfrefer.WhyNotMe, All: true, At: time.UnixMilli(1000)}))
			w.write(`INSERT INTO campaign (id, network, team, audience, name, state, steps, policy, seed, approved_hash, held, strata, memory, planning, segments,
				created_by, submitted_by, approved_by, created_at, launched_at, finished_at)
				VALUES ($1, $2, $3, $4, 'one', 'draft', '[]', '{}', 1, '', '', '{}', '{}', -1, 1, 0, 0, 0, 0, 0, 0)`, db.newID(), int64(w.network.ID), int64(w.team.ID), w.audience)
			w.write(`INSERT INTO audience (id, network, name, state, synthetic, created_by, created_at, screened_at, ledger) VALUES ($1, $2, 'list', 'screened', true, 0, 0, 0, '{}')`, db.newID(), int64(w.network.ID))
			w.write(`INSERT INTO decision (id, campaign, at, n, binding, sentence, figures, forecast) VALUES ($1, $2, 1, 1, '', '', '{}', '{}')`, db.newID(), w.campaign)
		}
		same := func(what string, pages []string, whole []string) {
			t.Helper()
			if len(whole) < 7 || !slices.Equal(pages, whole) {
				t.Errorf("%s: pages %v, the whole %v", what, pages, whole)
			}
		}
		ids := func(n int, id func(i int) any) (all []string) {
			for i := range n {
				all = append(all, fmt.Sprint(id(i)))
			}
			return all
		}

		corrections := must[[]selfrefer.Correction](t)(db.Corrections(ctx, w.network.ID, w.senior.ID))
		same("corrections", walk(t, func(c selfrefer.Correction) string { return fmt.Sprint(c.ID) }, func(last *selfrefer.Correction) []selfrefer.Correction {
			if last == nil {
				last = &selfrefer.Correction{}
			}
			return must[[]selfrefer.Correction](t)(db.CorrectionsAfter(ctx, w.network.ID, w.senior.ID, last.At, last.ID, 2))
		}), ids(len(corrections), func(i int) any { return corrections[i].ID }))

		lists := must[[]campaign.Audience](t)(db.Audiences(ctx, w.network.ID, 100))
		same("lists", walk(t, func(a campaign.Audience) string { return fmt.Sprint(a.ID) }, func(last *campaign.Audience) []campaign.Audience {
			if last == nil {
				last = &campaign.Audience{}
			}
			return must[[]campaign.Audience](t)(db.AudiencesAfter(ctx, w.network.ID, last.ID, 2))
		}), ids(len(lists), func(i int) any { return lists[i].ID }))

		campaigns := must[[]campaign.Campaign](t)(db.Campaigns(ctx, w.network.ID, 100))
		same("campaigns", walk(t, func(c campaign.Campaign) string { return fmt.Sprint(c.ID) }, func(last *campaign.Campaign) []campaign.Campaign {
			if last == nil {
				last = &campaign.Campaign{}
			}
			return must[[]campaign.Campaign](t)(db.CampaignsSeenAfter(ctx, w.senior, last.ID, 2))
		}), ids(len(campaigns), func(i int) any { return campaigns[i].ID }))

		decisions := must[[]campaign.Decision](t)(db.Decisions(ctx, w.network.ID, campaign.ID(w.campaign), 100))
		same("decisions", walk(t, func(d campaign.Decision) string { return fmt.Sprint(d.ID) }, func(last *campaign.Decision) []campaign.Decision {
			if last == nil {
				last = &campaign.Decision{}
			}
			return must[[]campaign.Decision](t)(db.DecisionsAfter(ctx, w.network.ID, campaign.ID(w.campaign), last.ID, 2))
		}), ids(len(decisions), func(i int) any { return decisions[i].ID }))

		// Opt-outs come in another order than the whole, but all of them, and no place of one network is one of another.
		whole := must[selfrefer.Exported](t)(db.ExportOptOuts(ctx, w.network.ID, w.senior.ID))
		found := map[string]bool{}
		after := ""
		for range 20 {
			out, next, err := db.ExportOptOutsAfter(ctx, w.network.ID, w.senior.ID, after, 2)
			w.must(err)
			for _, o := range out.Rows {
				found[o.Phone.Reveal()] = true
			}
			if after = next; next == "" {
				break
			}
			if _, _, err := db.ExportOptOutsAfter(ctx, w.network.ID+1, w.senior.ID, next, 2); !errors.Is(err, staff.ErrNotFound) {
				t.Errorf("a place of another network: %v", err)
			}
		}
		if len(whole.Rows) != 7 || len(found) != 7 || after != "" {
			t.Errorf("%d opt-outs in pages, %d in all", len(found), len(whole.Rows))
		}
		if _, _, err := db.ExportOptOutsAfter(ctx, w.network.ID, w.senior.ID, "made up", 2); !errors.Is(err, staff.ErrNotFound) {
			t.Errorf("a place that is made up: %v", err)
		}
	})
}

// A page of what somebody has to do leaves nothing out, though of some referrals they may not be told.
func TestPaging_tasks(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		var hidden selfrefer.ReferralID
		for i := range 5 {
			r := w.mustKeep(form(fmt.Sprint("f", i), w.patient(personDoc{Given: "Marigold", Family: "Testperson", Phone: fmt.Sprintf("+44740000000%d", i)}, true), selfrefer.Answers{Name: "Marigold Testperson"}))
			w.must(db.RecordSupport(ctx, w.senior, r.ID, selfrefer.AddTask{Task: selfrefer.Task{Kind: selfrefer.PlainTask, For: w.worker.ID, Due: "2026-06-04", Words: "Ring"}}))
			if i == 1 {
				hidden = r.ID
			}
		}
		w.must(db.Restrict(ctx, w.senior, hidden, selfrefer.Restriction{Never: []staff.AccountID{w.worker.ID}, Reason: selfrefer.WorksHere}))
		whole := must[[]selfrefer.Task](t)(db.Tasks(ctx, w.worker))
		var pages []selfrefer.Task
		for place, i := (selfrefer.TaskPlace{}), 0; i == 0 || place.ID != 0; i++ {
			some, next, err := db.TasksAfter(ctx, w.worker, place, 1)
			w.must(err)
			pages, place = append(pages, some...), next
		}
		if len(whole) != 4 || !slices.EqualFunc(whole, pages, func(a, b selfrefer.Task) bool { return a.ID == b.ID }) {
			t.Errorf("%d in all, in pages %d", len(whole), len(pages))
		}
	})
}
