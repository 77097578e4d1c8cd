package desk

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// foresee stores a decision with a forecast, and with what the pacer has to remember.
func (w *world) foresee(id campaign.ID, d throttle.Decision) {
	w.tb.Helper()
	ctx := context.Background()
	epoch, _, err := w.db.Lead(ctx, "test", time.Hour)
	w.must(err)
	d.Campaign, d.At = strconv.FormatInt(int64(id), 10), w.now
	_, err = w.db.Release(ctx, epoch, []throttle.Decision{d})
	w.must(err)
}

// worker gives the link worker hours: four first calls in a working day.
func (w *world) worker() {
	w.tb.Helper()
	w.must(w.db.SetWorker(context.Background(), w.by[staff.Administrator], w.by[staff.LinkWorker].ID,
		throttle.Worker{Week: officeHours, FirstContact: .5, Minutes: 60, Places: -1}))
}

func (w *world) ahead() throttle.Forecast {
	day := func(n int) time.Time { return w.now.AddDate(0, 0, n) }
	return throttle.Forecast{FinishFrom: day(31), FinishLikely: day(33), FinishTo: day(37), ContactBy: day(2), NextDay: throttle.Band{Mean: 12, P05: 8.7, P25: 10, P75: 13, P95: 15.2},
		Queue: []throttle.QueueAt{{At: w.now, Mean: 3, P10: 3, P90: 3}, {At: day(1), Mean: 5.2, P10: 2.2, P90: 7.4}, {At: day(2), Mean: 4, P10: 1, P90: 6.6}}}
}

func TestForecast(t *testing.T) {
	w := newWorld(t, nil)
	w.worker()
	manager := w.by[staff.CampaignManager]
	id := w.launched(w.listOf(30, "999"))
	at, api := fmt.Sprintf("/desk/campaigns/%d", id), fmt.Sprintf("/api/v1/campaigns/%d", id)
	page := func() string { return w.get(manager, at).Body.String() }
	if p := page(); strings.Contains(p, "What we expect") || strings.Contains(p, "The queue ahead") {
		t.Error("a forecast before the first decision")
	}
	w.foresee(id, throttle.Decision{N: 5, Limit: throttle.LimitSetPoint, Sentence: "5 texts go now.", Forecast: w.ahead()})
	p := page()
	for _, want := range []string{
		"The last text should go between 3 and 9 July, most likely on 5 July.",
		"We expect 9 to 15 answers in the next day to the texts that have gone.",
		"Whoever asks for help now will be called by Thursday 4 June.",
		"The queue ahead, day by day, if no more texts go",
		"At most about 7 people will wait at once, which Knowsley link workers can call in time.",
		"First calls the team can make in 2 working days",
		"2 to 7", // the band in the table
	} {
		if !strings.Contains(p, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	f := w.answer(w.get(manager, api), 200)["forecast"].(map[string]any)
	queue := f["queue_ahead"].([]any)
	if f["finish_likely"] == nil || f["next_day"].(map[string]any)["p95"] != 15.2 || len(queue) != 3 {
		t.Fatalf("forecast %v", f)
	}
	if first := queue[1].(map[string]any); first["p90"] != 7.4 || first["can_answer"].(float64) < 7.9 || first["can_answer"].(float64) > 8.1 {
		t.Errorf("the queue ahead in the API: %v, want 8 calls in two days", first)
	}

	// A chance that counts illness and rushes is no contradiction to a queue that the team can call.
	w.foresee(id, throttle.Decision{Limit: throttle.LimitSetPoint, Sentence: "No texts now.", Forecast: w.ahead(), Figures: throttle.Figures{Risk: .54}})
	if p := page(); !strings.Contains(p, "can call in time if all of them are there and no rush comes.") {
		t.Error("the page does not say on what the queue ahead rests")
	}
	full := w.ahead()
	full.Queue[2].P90 = 11
	w.foresee(id, throttle.Decision{N: 1, Limit: throttle.LimitRisk, Sentence: "1 text goes now.", Forecast: full})
	if p := page(); !strings.Contains(p, "On Thursday 4 June more people may wait than Knowsley link workers can call in time. That is why texts wait.") {
		t.Error("the page does not say that the queue may be too long")
	}
	w.foresee(id, throttle.Decision{N: 1, Limit: throttle.LimitList, Sentence: "1 more.", Forecast: throttle.Forecast{NextDay: throttle.Band{Mean: .1, P95: .3}}})
	if p := page(); !strings.Contains(p, "We expect no answers in the next day") || strings.Contains(p, "The queue ahead") || strings.Contains(p, "The last text should go") {
		t.Error("a forecast that says little is not told as it is")
	}
	w.call(manager, 200, api+"/stop", "")
	if p := page(); strings.Contains(p, "What we expect") {
		t.Error("a campaign that is over still has a forecast")
	}
	if f := w.answer(w.get(manager, api), 200)["forecast"].(map[string]any); len(f["queue_ahead"].([]any)) != 0 || f["next_day"] == nil {
		t.Errorf("forecast %v", f)
	}
}

// When answers have stopped the page says what to do, and who may runs on with one press; nobody else, and not for nothing.
func TestSilence(t *testing.T) {
	w := newWorld(t, nil)
	ctx, manager := context.Background(), w.by[staff.CampaignManager]
	id := w.launched(w.listOf(4, "999"))
	at, api := fmt.Sprintf("/desk/campaigns/%d", id), fmt.Sprintf("/api/v1/campaigns/%d", id)
	if v := w.call(manager, 409, api+"/confirm-link", ""); v["code"] != "not_now" {
		t.Errorf("nothing to confirm: %v", v)
	}
	silence := throttle.Memory{Silence: &throttle.Silence{From: w.now.Add(-26 * time.Hour).Unix(), To: w.now.Unix()}}
	w.foresee(id, throttle.Decision{Limit: throttle.LimitSilence, Sentence: "No texts now: answers have stopped.", Memory: silence, Forecast: w.ahead()})
	page := func(who staff.Account) string { return w.get(who, at).Body.String() }
	p := page(manager)
	for _, want := range []string{"Answers have stopped", "since 8:30am on Monday 1 June", "Open a link on a phone", "https://knowsley.example/r", "The link works: go on", `action="` + at + `/confirm-link" method="post"`} {
		if !strings.Contains(p, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(p, "The last text should go") {
		t.Error("a last day is foretold while nothing is sent")
	}
	if p := page(w.by[staff.PracticeViewer]); strings.Contains(p, "go on</button>") || !strings.Contains(p, "ask a manager") {
		t.Error("somebody who may not is shown the button")
	}
	if v := w.answer(w.get(manager, api), 200); v["silent_since"] != "2026-06-01T07:30:00Z" && v["silent_since"] != "2026-06-01T08:30:00+01:00" {
		t.Errorf("silent since %v", v["silent_since"])
	}
	for who, status := range map[*staff.Account]int{{}: 401, &w.other: 404} {
		if rec := w.post(*who, api+"/confirm-link", nil); rec.Code != status {
			t.Errorf("confirmed by somebody else: %d, want %d", rec.Code, status)
		}
	}
	if rec := w.post(w.by[staff.PracticeViewer], at+"/confirm-link", nil); rec.Code != 403 {
		t.Errorf("confirmed by a practice: %d", rec.Code)
	}
	if rec := w.post(manager, at+"/confirm-link", nil); rec.Code != 303 || rec.Header().Get("Location") != at {
		t.Fatalf("the button: %d", rec.Code)
	}
	if p := page(manager); strings.Contains(p, "go on</button>") || !strings.Contains(p, "Somebody has found that the link works, at 10:30am on Tuesday 2 June") {
		t.Error("the page does not know that somebody has looked")
	}
	w.call(manager, 200, api+"/confirm-link", "") // once more does no harm
	entries, _, err := w.db.AuditEntries(ctx, w.network.ID, 0, 100)
	w.must(err)
	n := 0
	for _, e := range entries {
		if e.Target == fmt.Sprintf("campaign %d confirm-link", id) && e.Outcome == "done" && e.Account == manager.ID {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d entries in the audit, want 1", n)
	}
	w.now = w.now.Add(time.Minute)
	s, err := w.db.Snapshot(ctx, w.team.ID)
	w.must(err)
	d := throttle.Decide(w.now, s.Policy, s.State)[0]
	if d.Limit == throttle.LimitSilence {
		t.Error("the pacer has not heard of it")
	}
	w.foresee(id, d)
	if p := page(manager); strings.Contains(p, "Somebody has found") || strings.Contains(p, "Answers have stopped</p>") {
		t.Error("the page goes on about a silence that is over")
	}
}

func TestLimitWords(t *testing.T) {
	source, err := os.ReadFile("../../throttle/types.go")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`Limit\w+ +Limit = "(\w+)"`).FindAllSubmatch(source, -1)
	if len(all) < 10 {
		t.Fatalf("found %d limits", len(all))
	}
	for _, m := range all {
		if code := string(m[1]); limitWords(code) == code {
			t.Errorf("there are no words for the limit %q", code)
		}
	}
}

func TestBetween(t *testing.T) {
	h := newWorld(t, nil).h
	day := func(s string) time.Time {
		d, err := time.ParseInLocation("2006-01-02 15:04", s, h.zone)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range [][3]string{
		{"2026-07-03 09:00", "2026-07-09 09:00", "between 3 and 9 July"},
		{"2026-06-28 09:00", "2026-07-03 09:00", "between 28 June and 3 July"},
		{"2026-12-28 09:00", "2027-01-05 09:00", "between 28 December 2026 and 5 January 2027"},
		{"2027-01-04 09:00", "2027-01-05 09:00", "between 4 and 5 January 2027"},
		{"2026-06-04 09:00", "2026-06-04 16:00", "on Thursday 4 June"},
		{"2026-06-04 23:30", "2026-06-05 00:30", "between 4 and 5 June"},
	} {
		if got := h.between(day(c[0]).UTC(), day(c[1]).UTC()); got != c[2] {
			t.Errorf("%s to %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

// The pictures end where nothing is likely to happen any more, and their lines stay in their bands.
func TestOutlookCharts_end(t *testing.T) {
	h := &Handler{}
	var o throttle.Outcome
	for day := range 150 {
		d := throttle.DayOutcome{Day: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day), Queue: throttle.Range{Mean: 3}}
		if day < 20 {
			d.Texts, d.Queue = throttle.Range{Mean: 10, P10: 5, P90: 20}, throttle.Range{Mean: 4, P10: 1, P90: 9}
		}
		o.Days = append(o.Days, d)
	}
	texts, _, queue := h.outlookCharts(o)
	if n := len(texts.Series[0].Points); n != 21 {
		t.Errorf("%d days are drawn", n)
	}
	for i, p := range queue.Series[0].Points {
		if b := queue.Series[0].Bands[i]; p.Value < b.Low || p.Value > b.High {
			t.Errorf("on day %d %v lies outside of %v", i, p.Value, b)
		}
	}
	if texts, _, _ = h.outlookCharts(throttle.Outcome{Days: o.Days[100:]}); len(texts.Series[0].Points) != leastDays {
		t.Errorf("%d days without an event are drawn", len(texts.Series[0].Points))
	}
}
