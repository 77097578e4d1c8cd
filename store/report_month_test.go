package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// reportWorld is a world whose clock the test moves, from the bank holiday on 4 May on.
type reportWorld struct {
	*world
	now     time.Time
	manager staff.Account
	n       int
}

func mustReportWorld(tb testing.TB, cfg Config) *reportWorld {
	tb.Helper()
	r := &reportWorld{now: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)}
	cfg.Now = func() time.Time { return r.now }
	r.world = mustWorld(tb, mustOpen(tb, cfg))
	r.manager = r.senior
	r.write(`UPDATE campaign SET launched_at = $1, policy = '{"price":1}', steps = '[{"number":1,"template":"x"}]'`, r.now.UnixMilli())
	return r
}

// countPages has the pages of campaigns counted, as the leader does.
func (r *reportWorld) countPages() {
	r.tb.Helper()
	epoch, _, err := r.db.Lead(context.Background(), "test", time.Hour)
	r.must(err)
	r.must(r.db.Finish(context.Background(), epoch))
}

// countMonths does it until so many months have ended.
func (r *reportWorld) countMonths(n int) {
	r.tb.Helper()
	for range n {
		r.countPages()
	}
}

// asks makes n referrals of people of a sector and a sex.
func (r *reportWorld) asks(n int, sector, sex string, reasons ...string) (ids []selfrefer.ReferralID) {
	r.tb.Helper()
	for range n {
		r.n++
		doc := personDoc{Given: "Agnes", Family: fmt.Sprintf("Arkwright%d", r.n), Born: "1950-02-01", Phone: fmt.Sprintf("+4477009%05d", r.n)}
		p := r.text(doc, false)
		r.write(`UPDATE patient SET sector = $1, sex = $2 WHERE id = $3`, sector, sex, p.patient)
		r.write(`UPDATE message SET sent_at = $1, cost = 240 WHERE id = $2`, r.now.UnixMilli(), p.message)
		f := form(fmt.Sprint("form ", r.n), p, selfrefer.Answers{BirthDate: "1950-02-01", Reasons: reasons})
		f.At = r.now
		ids = append(ids, r.mustKeep(f).ID)
	}
	return ids
}

func (r *reportWorld) report(q selfrefer.ReportQuery) selfrefer.Report {
	r.tb.Helper()
	wait, err := r.db.CountReport(context.Background(), r.manager, q.From, q.To)
	r.must(err)
	r.must(wait(context.Background()))
	basis, err := r.db.ReportBasis(context.Background(), r.manager, q.From, q.To)
	r.must(err)
	report, err := selfrefer.NewReport(q, basis)
	r.must(err)
	return report
}

// said writes a table in lines: "money 6 46%".
func said(t selfrefer.ReportTable) string {
	var lines []string
	for _, row := range t.Rows {
		line := row.Code
		for _, f := range row.Figures {
			line += " " + f.Text()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestReport(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustReportWorld(t, cfg)
		club, err := w.db.SetService(ctx, w.senior, selfrefer.Service{Name: "Elm Club", Places: selfrefer.UnknownPlaces, Active: true})
		w.must(err)
		// A referral of before the table, and one that goes on in another.
		first := w.asks(12, "L36 1", "f", "money", "housing", "nonsense")
		w.write(`DELETE FROM referral_asked`)
		w.write(`INSERT INTO referral_asked (referral, reason) SELECT id, '?' FROM referral`)
		second := w.asks(8, "L36 2", "m", "money")
		twice := w.asks(1, "L36 2", "m", "money")[0]
		w.write(`UPDATE referral SET state = 'duplicate', joined_to = $1, closed_at = $2 WHERE id = $3`, int64(second[0]), w.now.UnixMilli(), int64(twice))
		w.write(`UPDATE message SET answered_at = 0 WHERE id = (SELECT message FROM referral WHERE id = $1)`, int64(twice)) // they had answered before
		w.write(`UPDATE referral SET urgent = $1 WHERE id = $2`, true, int64(first[0]))
		// A bank holiday and a night are no working time: until 11 in the morning of Tuesday the 5th it is two hours.
		w.now = time.Date(2026, 5, 5, 10, 0, 0, 0, time.UTC)
		day := selfrefer.DayOf(w.now, time.UTC)
		for i, id := range first {
			w.does(w.worker, id, selfrefer.Claim)
			w.does(w.worker, id, selfrefer.StartSupport)
			w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddIntervention{Intervention: selfrefer.Intervention{Kind: "welfare_call", Day: day, Minutes: 10}}))
			w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddIntervention{Intervention: selfrefer.Intervention{Kind: "welfare_call", Day: day, Minutes: 5}}))
			w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddOnward{Onward: selfrefer.OnwardReferral{Service: club.ID, How: selfrefer.ByRinging, State: selfrefer.Referred, Day: day}}))
			w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddMeasure{Of: selfrefer.ONS4, Measure: selfrefer.Measure{Day: day, Scores: map[string]int{"happy": 2}}}))
			w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddMeasure{Of: selfrefer.ONS4, Measure: selfrefer.Measure{Day: day, Scores: map[string]int{"happy": 5}}}))
			w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.AddGoal{Goal: selfrefer.Goal{Words: "walk", Set: day}}))
			goal := w.support(w.worker, id).Goals[0].ID
			w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.SetGoal{ID: goal, State: selfrefer.Reached, On: day}))
			if i < 2 { // taken back: it does not count, and others of the same person do
				s := w.support(w.worker, id)
				w.must(w.db.RecordSupport(ctx, w.worker, id, selfrefer.Remove{Kind: selfrefer.InterventionEntry, ID: s.Interventions[0].ID, Removed: true}))
			}
		}
		for _, id := range first[:7] {
			_, err := w.db.Act(ctx, w.worker, id, selfrefer.Contact{Event: selfrefer.Close, Reason: selfrefer.NeedsMet})
			w.must(err)
		}
		_, _, err = w.db.Undo(ctx, w.worker, first[6])
		w.must(err)
		// it is open again
		w.now = time.Date(2026, 5, 11, 10, 0, 0, 0, time.UTC)
		for _, id := range second {
			w.does(w.worker, id, selfrefer.Claim)
			w.does(w.worker, id, selfrefer.Decline)
		}

		if first, _, err := w.db.ReportSpan(ctx, w.manager); first != "" || err != nil {
			t.Errorf("before May is over: %q, %v", first, err)
		}
		w.now = time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)
		if first, _, err := w.db.ReportSpan(ctx, w.manager); first != "" || err != nil {
			t.Errorf("before May has settled: %q, %v", first, err)
		}
		w.now = time.Date(2026, 6, 4, 12, 0, 0, 0, time.UTC)
		if first, last, err := w.db.ReportSpan(ctx, w.manager); first != "2026-05" || last != "2026-05" || err != nil {
			t.Fatalf("%q to %q, %v", first, last, err)
		}
		w.countPages()
		r := w.report(selfrefer.ReportQuery{From: "2026-05", To: "2026-05"})
		for code, want := range map[string]string{
			selfrefer.TableSummary:       "referrals 20; urgent hidden; first_contacts 20; within_promise 60%; ended 14; texts 21; cost £0.50; per_1000 952.4; cost_per_referral £0.03",
			selfrefer.TableReasons:       "money 20 100%; housing 12 60%",
			selfrefer.TableOnward:        fmt.Sprintf("%d 12", club.ID),
			selfrefer.TableInterventions: "welfare_call 12 22 160",
			selfrefer.TableWaits:         "median 2.0; nine_in_ten 34.0; within 12; late 8",
			selfrefer.TableWeeks:         "2026-05-04 2.0 2.0",
			selfrefer.TableOutcomes:      "declined 8 57%; closed 6 43%",
			selfrefer.TableDischarges:    "needs_met 6",
			selfrefer.TableGoals:         "reached 12",
			selfrefer.TableMeasures:      "ons4/happy 12 2.0 5.0 3.0",
			selfrefer.TablePractices:     "N83001 20 21 952.4 20 60% 14",
			selfrefer.TableSexes:         "f 12 12 1,000.0 12 100% 6; m 8 9 888.9 8 0% 8",
			selfrefer.TableSectors:       "L36 1 12 12 1,000.0; L36 2 8 9 888.9",
			selfrefer.TableSources:       "link 20 100%",
		} {
			if got := said(r.Table(code)); got != want {
				t.Errorf("%s: %q, want %q", code, got, want)
			}
		}
		// Only one sex.
		men := w.report(selfrefer.ReportQuery{From: "2026-05", To: "2026-05", By: selfrefer.BySex, Value: "m"})
		if got := said(men.Table(selfrefer.TableReasons)); got != "money 8 100%" {
			t.Errorf("men: %q", got)
		}
		if got := said(men.Table(selfrefer.TableSectors)); got != "" {
			t.Errorf("street by street of one sex: %q", got)
		}
		// A month is counted once: what is changed later changes nothing that was told.
		w.write(`UPDATE referral SET state = 'duplicate' WHERE id = $1`, int64(first[9]))
		if got := said(w.report(selfrefer.ReportQuery{From: "2026-05", To: "2026-05"}).Table(selfrefer.TableReasons)); got != "money 20 100%; housing 12 60%" {
			t.Errorf("counted again: %q", got)
		}
		if n := w.count(`SELECT COUNT(*) FROM referral_asked WHERE reason IN ('?', '!', 'nonsense')`); n != 0 {
			t.Errorf("%d referrals have not been looked at", n)
		}
		// Nobody else's.
		for who, want := range map[staff.Account]error{w.worker: staff.ErrDenied, w.helper: staff.ErrDenied} {
			_, err := w.db.ReportBasis(ctx, who, "2026-05", "2026-05")
			wantErr(t, err, want)
			_, _, err = w.db.ReportSpan(ctx, who)
			wantErr(t, err, want)
		}
		other := w.manager
		other.Network = w.stranger.Network
		if first, _, err := w.db.ReportSpan(ctx, other); first != "" || err != nil {
			t.Errorf("another network has months from %q, %v", first, err)
		}
		for _, q := range [][2]selfrefer.Month{{"2026-06", "2026-06"}, {"2026-04", "2026-05"}, {"2026-05", "2026-04"}} {
			_, err := w.db.ReportBasis(ctx, w.manager, q[0], q[1])
			wantErr(t, err, selfrefer.ErrReport)
		}
	})
}

// What is older than the table is opened once, and one that cannot be opened does not keep the others from it.
func TestReportsAreDrawnUp(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustReportWorld(t, cfg)
		ids := w.asks(7, "L36 1", "f", "carer")
		w.write(`DELETE FROM referral_asked`)
		w.write(`INSERT INTO referral_asked (referral, reason) SELECT id, '?' FROM referral`)
		w.write(`UPDATE referral SET person = $1 WHERE id = $2`, []byte("broken"), int64(ids[3]))
		w.now = time.Date(2026, 7, 4, 12, 0, 0, 0, time.UTC)
		w.countMonths(2)
		w.must(w.db.DrawUpReports(ctx))
		if n := w.count(`SELECT COUNT(*) FROM report_month WHERE network = $1`, int64(w.network.ID)); n != 2 {
			t.Errorf("%d months, want May and June", n)
		}
		if n := w.count(`SELECT COUNT(*) FROM referral_asked WHERE reason = 'carer'`); n != 6 {
			t.Errorf("%d are known by their reason, want 6", n)
		}
		if n := w.count(`SELECT COUNT(*) FROM referral_asked WHERE reason = '!'`); n != 1 {
			t.Errorf("%d cannot be read, want 1", n)
		}
		w.now = w.now.Add(reportLife + 30*24*time.Hour)
		w.must(w.db.DrawUpReports(ctx))
		if n := w.count(`SELECT COUNT(*) FROM report_month WHERE month <= '2026-06'`); n != 0 {
			t.Errorf("%d months are kept for too long", n)
		}
	})
}

// Months are counted on when whoever asked for them has gone; who asks meanwhile waits for the same count, and each report says how far it is.
func TestReportIsCountedInTheBackground(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		w := mustReportWorld(t, cfg)
		w.asks(7, "L36 1", "f", "carer")
		w.must(w.db.SetDeprivation(ctx, w.manager, campaign.Deprivation{Sectors: map[string]int{"L36 1": 3, "L36 2": 4}}))
		w.now = time.Date(2026, 9, 4, 12, 0, 0, 0, time.UTC)
		w.countMonths(4)
		span := func(from, to selfrefer.Month) error {
			_, err := w.db.ReportBasis(ctx, w.manager, from, to)
			return err
		}
		if err := span("2026-05", "2026-08"); !errors.Is(err, selfrefer.NotCounted{Counted: 0, Of: 4}) {
			t.Fatalf("before: %v", err)
		}
		gone, leave := context.WithCancel(ctx)
		wait, err := w.db.CountReport(gone, w.manager, "2026-05", "2026-06")
		w.must(err)
		leave()
		if err := wait(gone); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("waited for by somebody who has gone: %v", err)
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				wait, err := w.db.CountReport(ctx, w.manager, "2026-06", "2026-07")
				if err == nil {
					err = wait(ctx)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := span("2026-05", "2026-07"); err != nil {
			t.Errorf("counted: %v", err)
		}
		if n := w.count(`SELECT COUNT(*) FROM report_month WHERE month = '2026-05' AND figures LIKE '%"deciles":{"L36 1":"3"}%'`); n != 1 {
			t.Error("the month does not keep the deciles of its sectors")
		}
		if err := span("2026-06", "2026-08"); !errors.Is(err, selfrefer.NotCounted{Counted: 2, Of: 3}) {
			t.Errorf("a month more: %v", err)
		}
		_, err = w.db.CountReport(ctx, w.worker, "2026-06", "2026-07")
		wantErr(t, err, staff.ErrDenied)
		_, err = w.db.CountReport(ctx, w.manager, "2026-06", "2026-09")
		wantErr(t, err, selfrefer.ErrReport)
		// Closing the database does not wait for months.
		_, err = w.db.CountReport(ctx, w.manager, "2026-08", "2026-08")
		w.must(err)
	})
}

// A report tells nothing of a group that the pages of a campaign hide, and where they were not counted to the month's end, no number that they may
// tell. A month that was counted before that was looked at is read as it was.
func TestReportBesidePages(t *testing.T) {
	ctx := context.Background()
	q := selfrefer.ReportQuery{From: "2026-05", To: "2026-05"}
	const sexes = "f 12 12 1,000.0 0 – 0; m 8 8 1,000.0 0 – 0"
	for _, c := range []struct{ name, want string }{{"counted", sexes}, {"shown on the day before", "f 10 or more 10 or more hidden 0 – 0; m 5 or more 5 or more hidden 0 – 0"},
		{"counted late", sexes}, {"never counted", ""}, {"older", sexes}} {
		eachEngine(t, func(t *testing.T, cfg Config) {
			w := mustReportWorld(t, cfg)
			if c.name == "shown on the day before" {
				w.now = time.Date(2026, 5, 30, 9, 0, 0, 0, time.UTC)
				w.asks(10, "L36 1", "f", "money")
				w.asks(5, "L36 2", "m", "money")
				w.now = w.now.AddDate(0, 0, 1)
				w.countPages() // to the end of the 30th
				w.asks(2, "L36 1", "f", "money")
				w.asks(3, "L36 2", "m", "money")
			} else {
				w.asks(12, "L36 1", "f", "money")
				w.asks(8, "L36 2", "m", "money")
			}
			w.now = time.Date(2026, 6, 4, 12, 0, 0, 0, time.UTC)
			switch c.name {
			case "counted late": // the report waits for the leader, and nothing is kept of it meanwhile
				wait, err := w.db.CountReport(ctx, w.senior, q.From, q.To)
				w.must(err)
				w.must(wait(ctx))
				w.must(w.db.DrawUpReports(ctx))
				if _, err := w.db.ReportBasis(ctx, w.senior, q.From, q.To); !errors.As(err, new(selfrefer.NotCounted)) {
					t.Errorf("a month is reported whose pages are not counted: %v", err)
				}
				w.countPages()
			case "never counted": // the campaign ended, and the service was away for months
				w.write(`UPDATE campaign SET state = 'finished', finished_at = $1`, time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC).UnixMilli())
				w.now = time.Date(2026, 12, 4, 12, 0, 0, 0, time.UTC)
				w.countPages()
			default:
				w.countPages()
			}
			if got := said(w.report(q).Table(selfrefer.TableSexes)); got != c.want && c.name != "older" {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
			if c.name == "older" {
				var f map[string]any
				w.must(w.db.read(ctx, "test", func(tx *Tx) error {
					var text string
					if err := tx.QueryRow(`SELECT figures FROM report_month`).Scan(&text); err != nil {
						return err
					}
					return json.Unmarshal([]byte(text), &f)
				}))
				delete(f, "pages")
				text, err := json.Marshal(f)
				w.must(err)
				w.write(`UPDATE report_month SET figures = $1`, string(text))
				if got := said(w.report(q).Table(selfrefer.TableSexes)); got != c.want {
					t.Errorf("%s: %q, want %q", c.name, got, c.want)
				}
			}
		})
	}
}

// No midnight that ends a month is left out, however late it is counted, and a campaign that is over is counted to the end of the month in which
// answers stop to matter, and no further.
func TestPagesAreCountedToTheEndOfEachMonth(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustReportWorld(t, cfg)
		w.asks(12, "L36 1", "f", "money")
		months := func() int { return int(w.count(`SELECT COUNT(*) FROM funnel_month`)) }
		counted := func() time.Time {
			var at int64
			w.must(w.db.read(context.Background(), "test", func(tx *Tx) error {
				return tx.QueryRow(`SELECT counted_to FROM funnel`).Scan(&at)
			}))
			return timeOf(at)
		}
		w.now = time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)
		for i, want := range []time.Time{time.Date(2026, 5, 31, 23, 0, 0, 0, time.UTC), time.Date(2026, 6, 30, 23, 0, 0, 0, time.UTC), time.Date(2026, 7, 2, 23, 0, 0, 0, time.UTC)} {
			w.countPages()
			if got := counted(); !got.Equal(want) || months() != min(i+1, 2) {
				t.Errorf("round %d: counted to %v with %d months, want %v", i, got, months(), want)
			}
		}
		w.write(`UPDATE campaign SET state = 'finished', finished_at = $1`, w.now.UnixMilli()) // answers matter until 14 August
		for _, day := range []time.Time{time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC), time.Date(2026, 9, 2, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 2, 12, 0, 0, 0, time.UTC)} {
			w.now = day
			for range 4 {
				w.countPages()
			}
		}
		if got := counted(); !got.Equal(time.Date(2026, 8, 31, 23, 0, 0, 0, time.UTC)) || months() != 4 {
			t.Errorf("after the end: counted to %v with %d months", got, months())
		}
		w.now = w.now.Add(reportLife + 30*24*time.Hour)
		w.must(w.db.DrawUpReports(context.Background()))
		if months() != 0 {
			t.Errorf("%d months are kept for too long", months())
		}
	})
}
