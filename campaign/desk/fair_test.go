package desk

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// tell writes what became of a campaign's texts into the database, and lets the night count it: of ten people at Elm Street one has answered, at
// Prescot Road one of four; one in twelve texts does not arrive.
func (w *world) tell(id campaign.ID) {
	w.tb.Helper()
	w.became(id, `
		UPDATE message SET state = CASE WHEN x.lost THEN 'undelivered' ELSE 'delivered' END, code = CASE WHEN x.lost THEN '30005' ELSE '' END, sent_at = $2,
			delivered_at = CASE WHEN x.lost THEN 0 ELSE $2 END, answered_at = CASE WHEN x.answers AND NOT x.lost THEN $2 ELSE 0 END
		FROM (SELECT id, row % 24 IN (5, 10) AS lost, CASE practice WHEN 'N83006' THEN row / 2 % 10 = 1 ELSE row / 2 % 4 = 0 END AS answers FROM patient) x
		WHERE campaign = $1 AND x.id = message.patient`)
}

func (w *world) became(id campaign.ID, what string) {
	w.tb.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "wellpaced.db")+"?_pragma=busy_timeout(60000)")
	w.must(err)
	defer db.Close()
	_, err = db.Exec(what, int64(id), w.now.UnixMilli())
	w.must(err)
	for _, s := range []string{`DELETE FROM tally WHERE owner = -$1`, `INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
		SELECT -campaign, 'trouble:' || code, 0, 0, 0, 0, COUNT(*) FROM message WHERE campaign = $1 AND state = 'undelivered' GROUP BY campaign, code`} {
		_, err = db.Exec(s, int64(id))
		w.must(err)
	}
	w.now = w.now.AddDate(0, 0, 1)
	epoch, _, err := w.db.Lead(context.Background(), "test", time.Hour)
	w.must(err)
	w.must(w.db.Finish(context.Background(), epoch))
}

func (w *world) body(who staff.Account, path string) string {
	w.tb.Helper()
	rec := w.get(who, path)
	if rec.Code != 200 {
		w.tb.Fatalf("%s: status %d: %s", path, rec.Code, rec.Body)
	}
	return strings.Join(strings.Fields(rec.Body.String()), " ")
}

func TestFairTurns(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Explain = func(code string) Cause {
			return map[string]Cause{"30005": {"wrong_number", "The network does not know this number."}, "30003": {"another_way", "The phone is off."}}[code]
		}
	})
	id := w.launched(w.listOf(400, "999"))
	at, api := fmt.Sprintf("/desk/campaigns/%d", id), fmt.Sprintf("/api/v1/campaigns/%d", id)
	manager, viewer := w.by[staff.CampaignManager], w.by[staff.PracticeViewer]
	for _, page := range []string{"/funnel", "/fairness"} {
		if got := w.body(manager, at+page); !strings.Contains(got, "has not been counted yet") {
			t.Errorf("%s before the first night: %s", page, got)
		}
	}
	if v := w.answer(w.get(manager, api+"/funnel"), 200); v["counted_to"] != nil {
		t.Errorf("the API before the first night: %v", v)
	}
	w.tell(id)

	// The campaign's page: one picture, the funnel, and what did not arrive with what to do.
	page := w.body(manager, at)
	for _, want := range []string{"How it goes, day by day", "Texts, in hundreds", "First calls the team can make in 2 working days", "How far people have come", "Up to the end of Tuesday 2 June", "Spoke with us",
		"The number does not exist any more, or is no mobile: ", "The practice can correct it", `href="/desk/practices">Back to practices`, "The network does not know this number. (code 30005)"} {
		if !strings.Contains(page, want) {
			t.Errorf("the campaign's page does not say %q", want)
		}
	}
	if got := w.body(viewer, at); strings.Contains(got, "/desk/practices") {
		t.Error("a viewer is led to a page that they may not see")
	}

	// Who answers: the same for everybody who may see campaigns.
	for _, who := range []staff.Account{manager, viewer} {
		got := w.body(who, at+"/fairness")
		for _, want := range []string{"People of Elm Street Surgery answer", "in 100 against", "By practice", "By age", "By sex", "By language", "By postcode district", "Newcombe", "This campaign has no reminder", "Why some numbers are not shown"} {
			if !strings.Contains(got, want) {
				t.Errorf("the page of fair turns for %s does not say %q", who.Role, want)
			}
		}
		if strings.Contains(got, "Prescot Road Medical Centre answer") {
			t.Error("who answers more is named as behind")
		}
	}
	if got := w.body(manager, at+"/funnel"); !strings.Contains(got, "Supported or passed on") || !strings.Contains(got, "Elm Street Surgery") {
		t.Errorf("the funnel: %s", got)
	}

	// The API has the same.
	v := w.answer(w.get(viewer, api+"/fairness"), 200)
	behind := v["least_heard"].([]any)
	if len(behind) != 1 || behind[0].(map[string]any)["group"] != "N83006" {
		t.Errorf("least heard by the API: %v", behind)
	}
	var f funnelAnswer
	rec := w.get(viewer, api+"/funnel")
	w.must(json.Unmarshal(rec.Body.Bytes(), &f))
	if f.All["invited"] != 400 || f.All["texted"] != 400 || f.All["delivered"] >= 400 || f.All["delivered"] < 300 || len(f.Groups[campaign.ByPractice]) != 2 {
		t.Errorf("the funnel by the API: %s", rec.Body)
	}
	if len(f.Troubles) != 1 || f.Troubles[0].Kind != "wrong_number" || f.Troubles[0].Texts != 400-f.All["delivered"] {
		t.Errorf("delivery problems by the API: %+v", f.Troubles)
	}
	n := 0
	for _, g := range f.Groups[campaign.ByPractice] {
		x := g.Stages["sent"]
		if x.Suppressed || x.N == nil {
			t.Fatalf("a great number is not shown: %s", rec.Body)
		}
		n += *x.N
	}
	if n != f.All["sent"] {
		t.Errorf("the practices have %d answers of %d", n, f.All["sent"])
	}

	// On the next day two more have answered at each practice: not a word of them, nor by the difference.
	w.became(id, `UPDATE message SET answered_at = $2 WHERE id IN (
		SELECT id FROM (SELECT m.id, ROW_NUMBER() OVER (PARTITION BY p.practice ORDER BY m.id) AS k FROM message m JOIN patient p ON p.id = m.patient WHERE m.campaign = $1 AND m.answered_at = 0 AND m.state = 'delivered') WHERE k <= 2)`)
	w.must(json.Unmarshal(w.get(viewer, api+"/funnel").Body.Bytes(), &f))
	if f.All["sent"] != n+4 {
		t.Errorf("%d have answered, not %d", f.All["sent"], n+4)
	}
	sum := 0
	for _, g := range f.Groups[campaign.ByPractice] {
		x := g.Stages["sent"]
		if !x.Suppressed || x.N != nil || x.AtLeast == nil {
			t.Fatalf("a practice with two answers more shows %+v", x)
		}
		sum += *x.AtLeast
	}
	if sum != n {
		t.Errorf("at least %d are shown, before it was %d", sum, n)
	}
	if got := w.body(viewer, at+"/funnel"); !strings.Contains(got, "or a few more</span>") {
		t.Error("the page does not say that there may be a few more")
	}

	// Networks are walls.
	for _, path := range []string{at + "/funnel", at + "/fairness", api + "/funnel", api + "/fairness"} {
		if rec := w.get(w.other, path); rec.Code != 404 {
			t.Errorf("another network gets %d for %s", rec.Code, path)
		}
	}
}

func TestDeprivation(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	if got := w.body(manager, "/desk/deprivation"); !strings.Contains(got, "Upload a file") || strings.Contains(got, "What is used now") {
		t.Error("the page says that deciles are used")
	}
	for _, bad := range []string{"name,town\nAnn,Kirkby\n", ""} {
		if rec := w.upload(manager, "/desk/deprivation", "@x.csv="+bad); rec.Code != 422 || !strings.Contains(rec.Body.String(), "file-error") {
			t.Errorf("%q: status %d", bad, rec.Code)
		}
	}
	if rec := w.upload(manager, "/desk/deprivation", "other=1"); rec.Code != 422 {
		t.Errorf("no file: status %d", rec.Code)
	}
	if rec := w.upload(manager, "/desk/deprivation", "@deciles.csv=postcode,decile\nL32 8RE,1\nL32 8,1\nnowhere,2\nL33 1AA,99\n"); rec.Code != 303 {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	got := w.body(manager, "/desk/deprivation")
	for _, want := range []string{"What is used now", "Rows in the file", "No decile from 1 to 10", "No postcode, and no postcode sector", "Replace it"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	v := w.answer(w.get(manager, "/api/v1/deprivation"), 200)
	if v["rows"] != 4.0 || v["used"] != 2.0 || v["sectors"] != 1.0 || fmt.Sprint(v["rejected"]) != "map[decile_invalid:1 place_invalid:1]" {
		t.Errorf("the ledger is %v", v)
	}
	if v := w.answer(w.upload(manager, "/api/v1/deprivation", "@deciles.csv=L32 8,3\n"), 201); v["sectors"] != 1.0 || v["rows"] != 1.0 {
		t.Errorf("by the API: %v", v)
	}
	if rec := w.upload(w.by[staff.LinkWorker], "/api/v1/deprivation", "@deciles.csv=L32 8,3\n"); rec.Code != 403 {
		t.Errorf("a link worker may: %d", rec.Code)
	}
	if got := w.body(manager, "/desk/deprivation"); strings.Count(got, "Uploaded") == 0 {
		t.Error("the new file is not there")
	}
}

// A campaign says that its reminder goes to the least heard first, on its page and by the API.
func TestReminderToTheLeastHeardFirst(t *testing.T) {
	w := newWorld(t, nil)
	a := w.listOf(20, "999")
	manager := w.by[staff.CampaignManager]
	var draft map[string]any
	w.must(json.Unmarshal([]byte(w.draft(a.ID)), &draft))
	draft["reminder"] = map[string]any{"text": campaign.DefaultText, "after_days": 7, "least_first": true}
	b, err := json.Marshal(draft)
	w.must(err)
	v := w.call(manager, 201, "/api/v1/campaigns", string(b))
	if step := v["steps"].([]any)[1].(map[string]any); step["least_first"] != true {
		t.Errorf("the step is %v", step)
	}
	if got := w.body(manager, fmt.Sprintf("/desk/campaigns/%.0f", v["id"])); !strings.Contains(got, "Groups that had answered least when it begins come first") {
		t.Error("the page does not say so")
	}
	id := campaign.ID(v["id"].(float64))
	w.became(id, `UPDATE campaign SET launched_at = $2, planning = -1, state = 'running' WHERE id = $1`)
	if got := w.body(manager, fmt.Sprintf("/desk/campaigns/%d/fairness", id)); !strings.Contains(got, "Groups that had answered least when it began get theirs first") {
		t.Errorf("the page of fair turns does not say so: %s", got)
	}
}

func TestSentencesAboutWhoIsBehind(t *testing.T) {
	n := staff.Network{Practices: []staff.Practice{{ODS: "N83001", Name: "First Surgery"}}}
	for want, b := range map[string]campaign.Behind{
		"People of 80 and over answer half as often as others: 2 in 100 against 4 in 100.":                                           {By: campaign.ByAge, Name: "80+", Group: campaign.Rate{Of: 2000, Did: 40, Exact: true}, Others: campaign.Rate{Of: 4000, Did: 160, Exact: true}},
		"People of First Surgery answer a third as often as others: 1 in 100 against 3 in 100.":                                      {By: campaign.ByPractice, Name: "N83001", Group: campaign.Rate{Of: 2000, Did: 20, Exact: true}, Others: campaign.Rate{Of: 4000, Did: 120, Exact: true}},
		"Men answer less often than others: 2.4 in 100 against 3.6 in 100.":                                                          {By: campaign.BySex, Name: "male", Group: campaign.Rate{Of: 1000, Did: 24, Exact: true}, Others: campaign.Rate{Of: 1000, Did: 36, Exact: true}},
		"People who speak Polish have not answered, but about 12 in 100 others have.":                                                {By: campaign.ByLanguage, Name: "pl", Group: campaign.Rate{Of: 1000, Exact: true}, Others: campaign.Rate{Of: 1000, Did: 120}},
		"People who live in L32 answer far less often than others: 1 in 100 against 10 in 100.":                                      {By: campaign.ByDistrict, Name: "L32", Group: campaign.Rate{Of: 1000, Did: 10, Exact: true}, Others: campaign.Rate{Of: 1000, Did: 100, Exact: true}},
		"People aged 18 to 39 answer a quarter as often as others: 1 in 100 against 4 in 100.":                                       {By: campaign.ByAge, Name: "18-39", Group: campaign.Rate{Of: 1000, Did: 10, Exact: true}, Others: campaign.Rate{Of: 1000, Did: 40, Exact: true}},
		"People whose area is in decile 1 (most deprived) of deprivation answer half as often as others: 2 in 100 against 4 in 100.": {By: campaign.ByDeprivation, Name: "1", Group: campaign.Rate{Of: 2000, Did: 40, Exact: true}, Others: campaign.Rate{Of: 4000, Did: 160, Exact: true}},
	} {
		if got := behindSentence(b, n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
