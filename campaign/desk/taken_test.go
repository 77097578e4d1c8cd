package desk

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// ranOn is a list with the line that a GP system prints above it.
func ranOn(day, list string) string {
	return "Patient Listing\n\"Run on:\",\"" + day + " 08:14\"\n\n" + list
}

// The page asks when a list was taken from the GP system, begins with what the file says, and takes no day that cannot be.
func TestTaken_page(t *testing.T) {
	w := newWorld(t, nil) // it is Tuesday 2 June 2026
	manager := w.by[staff.CampaignManager]
	const ask = "When was this list taken from the GP system?"
	said := w.stage("@list.csv=" + ranOn("28-May-2026", csvOf(5, "999")))
	if body := w.page(said, ask, "Thursday 28 May", "The file says so", "Today, Tuesday 2 June", "Another day"); !strings.Contains(body, `value="file" checked`) {
		t.Error("what the file says is not ticked")
	}
	silent := w.stage("@list.csv=" + csvOf(5, "999"))
	if body := w.page(silent, ask, "Today, Tuesday 2 June"); strings.Contains(body, `value="file"`) || strings.Contains(body, `" checked`) {
		t.Error("a day is ticked that nobody has said")
	}
	late := w.stage("@list.csv=" + ranOn("28-May-2027", csvOf(5, "999")))
	if body := w.page(late, "The file says 28 May 2027, which cannot be."); strings.Contains(body, `" checked`) {
		t.Error("a day in the future is ticked")
	}
	today := w.stage("@list.csv=" + ranOn("02-Jun-2026", csvOf(5, "999")))
	if body := w.page(today, "Today, Tuesday 2 June", "The file says so"); strings.Contains(body, `value="today"`) {
		t.Error("today stands there twice")
	}

	form := url.Values{"name": {"List"}}
	for i, f := range []string{"nhs_number", "given_name", "family_name", "date_of_birth", "mobile", "practice", "date_of_death"} {
		form.Set(columnName(i), f)
	}
	with := func(kv ...string) url.Values {
		all := url.Values{}
		for k, v := range form {
			all[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			all.Set(kv[i], kv[i+1])
		}
		return all
	}
	day := func(taken, d, m, y string) url.Values {
		return with("taken", taken, "taken_on-day", d, "taken_on-month", m, "taken_on-year", y)
	}
	for say, f := range map[string]url.Values{
		"Say when this list was taken":                with(),
		"Give the day on which":                       with("taken", "other"),
		"cannot be in the future":                     day("other", "3", "6", "2026"),
		"more than five years ago":                    day("other", "3", "6", "2016"),
		"not a day of the calendar":                   day("other", "31", "2", "2026"),
		"This is not a day":                           day("", "x", "2", "2026"),
		"You have typed another day":                  day("today", "28", "5", "2026"),
		"Say when this list was taken from the GP sy": with("taken", "file"), // which says nothing
	} {
		if body := w.sees(w.post(manager, silent, f), 422, say); f.Get("taken_on-month") != "" && !strings.Contains(body, `name="taken_on-month" value="`+f.Get("taken_on-month")) && !strings.Contains(body, `value="`+f.Get("taken_on-month")+`"`) {
			t.Errorf("%s: what was typed is gone", say)
		}
	}
	for _, c := range []struct {
		at       string
		form     url.Values
		on, file string
	}{
		{said, with("taken", "file"), "2026-05-28", "2026-05-28"},
		{silent, day("", "28", "5", "2026"), "2026-05-28", ""}, // without scripts the day alone says it
		{late, with("taken", "today"), "2026-06-02", ""},
		{today, with("taken", "file"), "2026-06-02", "2026-06-02"},
		{w.stage("@list.csv=" + ranOn("28-May-2026", csvOf(5, "999"))), day("other", "20", "04", "2026"), "2026-04-20", "2026-05-28"},
		{w.stage("@list.csv=" + ranOn("28-May-2026", csvOf(5, "999"))), with("taken", "today"), "2026-06-02", "2026-05-28"},
		{w.stage("@list.xlsx=" + workbook(t, ranOn("28-May-2026", csvOf(5, "999")))), with("taken", "file"), "2026-05-28", "2026-05-28"},
	} {
		if rec := w.post(manager, c.at, c.form); rec.Code != 303 {
			t.Fatalf("%v: %d %s", c.form, rec.Code, rec.Body)
		}
		a := w.screened(c.at)
		v := w.answer(w.get(manager, fmt.Sprintf("/api/v1/lists/%d", a.ID)), 200)
		if file, _ := v["file_taken_on"].(string); v["taken_on"] != c.on || file != c.file || a.TakenOn.Format(time.DateOnly) != c.on || !a.ScreenedAt.Equal(civil) {
			t.Errorf("taken on %v, by the file %v, want %s and %s", v["taken_on"], v["file_taken_on"], c.on, c.file)
		}
	}
}

// A list that was interrupted is asked about again with what was said.
func TestTaken_again(t *testing.T) {
	w := newWorld(t, nil)
	at := w.stage("@list.csv=" + csvOf(5, "999"))
	w.h.screening <- struct{}{}
	w.confirm(at, "taken=other", "taken_on-day=28", "taken_on-month=5", "taken_on-year=2026")
	w.h.stop()
	w.h.launches.Wait()
	<-w.h.screening
	w.page(at, `value="other" checked`, `value="28"`, `value="2026"`)
}

// Programs say the day, or the file does, or it is today.
func TestTaken_api(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	plain, ran := "@x.csv="+csvOf(5, "999"), "@x.csv="+ranOn("28-May-2026", csvOf(5, "999"))
	book := "@x.xlsx=" + workbook(t, ranOn("28-May-2026", csvOf(5, "999")))
	for _, c := range []struct {
		parts  []string
		on, by string
	}{
		{[]string{plain}, "2026-06-02", ""}, {[]string{ran}, "2026-05-28", "2026-05-28"}, {[]string{book}, "2026-05-28", "2026-05-28"},
		{[]string{"taken_on=2026-05-01", plain}, "2026-05-01", ""}, {[]string{ran, "taken_on=2026-05-01"}, "2026-05-01", "2026-05-28"}, {[]string{book, "taken_on=2026-06-01"}, "2026-06-01", "2026-05-28"},
		{[]string{"@x.csv=" + csvOf(5, "999") + "\nPrinted 28/05/2026\n"}, "2026-05-28", "2026-05-28"},
		{[]string{"taken_on=2026-06-02", "@x.csv=" + ranOn("28-May-2027", csvOf(5, "999"))}, "2026-06-02", ""},
		{[]string{"taken_on=2026-06-02", "@x.csv=" + ranOn("28-May-2023", csvOf(5, "999"))}, "2026-06-02", "2023-05-28"},
	} {
		v := w.answer(w.upload(manager, "/api/v1/lists", c.parts...), 201)
		on, err := time.Parse(time.DateOnly, c.on)
		w.must(err)
		if by, _ := v["file_taken_on"].(string); v["taken_on"] != c.on || by != c.by || v["too_old_at"] != on.AddDate(0, 0, 14).Format(time.RFC3339) || v["screened_at"] != civil.Format(time.RFC3339) {
			t.Errorf("%.60s: %v", c.parts, v)
		}
	}
	before := w.lists()
	for code, parts := range map[string][]string{
		"taken_unclear": {"@x.csv=" + ranOn("28-May-2027", csvOf(5, "999"))}, "taken_unclear ": {"@x.csv=" + ranOn("28-May-2023", csvOf(5, "999"))}, " taken_unclear": {"@x.xlsx=" + workbook(t, ranOn("28-May-2027", csvOf(5, "999")))},
		"invalid": {plain, "taken_on=2026-06-03"}, "invalid ": {"taken_on=2026-06-03", plain}, " invalid": {"taken_on=01/06/2026", plain}, " invalid ": {book, "taken_on=2026-06-03"}, "invalid  ": {"taken_on=2016-06-03", plain},
	} {
		if v := w.answer(w.upload(manager, "/api/v1/lists", parts...), 422); v["code"] != strings.TrimSpace(code) || !strings.Contains(fmt.Sprint(v["detail"]), "taken") {
			t.Errorf("%.60s: %v", parts, v)
		}
	}
	if after := w.lists(); after != before {
		t.Errorf("%d lists of refused files", after-before)
	}
	w.now = time.Date(2026, 6, 2, 23, 30, 0, 0, time.UTC) // in London it is tomorrow already
	for _, parts := range [][]string{{plain}, {"taken_on=2026-06-03", plain}} {
		if v := w.answer(w.upload(manager, "/api/v1/lists", parts...), 201); v["taken_on"] != "2026-06-03" {
			t.Errorf("half past midnight: %v", v["taken_on"])
		}
	}
}

// Whoever calls an old export a fresh one is found out: on the list's page, where a campaign chooses it, and by whoever approves.
func TestTaken_contradicted(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	v := w.answer(w.upload(manager, "/api/v1/lists", "taken_on=2026-06-02", "@x.csv="+ranOn("28-Apr-2026", csvOf(5, "999"))), 201)
	const found = "The file itself says that it was taken earlier, on Tuesday 28 April"
	w.page(fmt.Sprintf("/desk/lists/%.0f", v["id"]), "was taken from the GP system on Tuesday 2 June and is less than a day old", found)
	id := campaign.AudienceID(v["id"].(float64))
	c := w.call(manager, 201, "/api/v1/campaigns", w.draft(id))
	w.page(fmt.Sprintf("/desk/campaigns/%.0f", c["id"]), "Taken from the GP system on Tuesday 2 June", "Checked at 10:30am on Tuesday 2 June", found)
	w.page(fmt.Sprintf("/desk/campaigns/%.0f/steps/who", c["id"]), found)
	honest := w.answer(w.upload(manager, "/api/v1/lists", "taken_on=2026-06-01", "@x.csv="+ranOn("02-Jun-2026", csvOf(5, "999"))), 201)
	if strings.Contains(w.page(fmt.Sprintf("/desk/lists/%.0f", honest["id"])), "The file itself") {
		t.Error("an earlier day than the file's is called into question")
	}
}

// A list of more than 28 days can be looked at and compared with, and makes no campaign.
func TestTaken_tooOld(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	upload := func(on string) campaign.AudienceID {
		return campaign.AudienceID(w.answer(w.upload(manager, "/api/v1/lists", "taken_on="+on, "@x.csv="+csvOf(5, "999")), 201)["id"].(float64))
	}
	old, young := upload("2026-05-04"), upload("2026-05-06")
	if body := w.page(fmt.Sprintf("/desk/lists/%d", old), "29 days old. That is too old", "5 rows in the file, 5 can be texted"); strings.Contains(body, "Make a campaign with this list") {
		t.Error("a campaign is offered")
	}
	w.page(fmt.Sprintf("/desk/lists/%d", young), "27 days old. Campaigns stop sending", "Make a campaign with this list")
	if v := w.answer(w.get(manager, fmt.Sprintf("/api/v1/lists/%d/compare?with=%d", young, old)), 200); v["same"] != 5.0 {
		t.Errorf("compared with an old list: %v", v)
	}
	const refused = "taken from the GP system on 4 May 2026, more than 28 days ago"
	if v := w.call(manager, 422, "/api/v1/campaigns", w.draft(old)); !strings.Contains(fmt.Sprint(v["detail"]), refused) {
		t.Errorf("a campaign of an old list: %v", v)
	}
	w.sees(w.post(manager, "/desk/campaigns", url.Values{"name": {"Old"}, "list": {fmt.Sprint(int64(old))}, "purpose": {"direct_care"}, "basis": {"care"}}), 422, refused)
	c := w.call(manager, 201, "/api/v1/campaigns", w.draft(young))
	w.now = civil.AddDate(0, 0, 2)
	if v := w.call(manager, 409, fmt.Sprintf("/api/v1/campaigns/%.0f/submit", c["id"]), ""); v["code"] != "list_too_old" {
		t.Errorf("submitted with a list that has grown old: %v", v)
	}
}

// In the middle of a run an old export is no fresh list, whenever it was uploaded: it is not offered, and refused.
func TestTaken_fresh(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	list := func(on string) campaign.AudienceID {
		return campaign.AudienceID(w.answer(w.upload(manager, "/api/v1/lists", "taken_on="+on, "@x.csv="+csvOf(30, "999")), 201)["id"].(float64))
	}
	first := list("2026-05-28")
	a, err := w.db.Audience(t.Context(), w.network.ID, first)
	w.must(err)
	id := w.launched(a)
	path := fmt.Sprintf("/desk/campaigns/%d/fresh-list", id)
	w.page(path, "5 days, from Thursday 28 May")
	w.page(fmt.Sprintf("/desk/campaigns/%d", id), "The list is of Thursday 28 May.")
	w.now = civil.AddDate(0, 0, 10)
	w.page(fmt.Sprintf("/desk/campaigns/%d", id), "The list is too old: it is of Thursday 28 May")
	older, newer := list("2026-05-27"), list("2026-06-10")
	if body := w.page(path, fmt.Sprintf(`value="%d"`, newer), "taken on Wednesday 10 June"); strings.Contains(body, fmt.Sprintf(`value="%d"`, older)) {
		t.Error("an older list is offered as a fresh one")
	}
	w.answer(w.upload(manager, "/api/v1/lists", "taken_on=2026-06-11", "@x.csv="+ranOn("27-Apr-2026", csvOf(30, "999"))), 201)
	w.page(path, "taken on Thursday 11 June", "The file itself says that it was taken earlier, on Monday 27 April")
	api := fmt.Sprintf("/api/v1/campaigns/%d/fresh-list", id)
	if v := w.call(manager, 409, api, fmt.Sprintf(`{"list":%d}`, older)); v["code"] != "older_list" || !strings.HasPrefix(fmt.Sprint(v["detail"]), "This list is older than the one that the campaign has") {
		t.Errorf("an older list: %v", v)
	}
	w.sees(w.post(manager, path, url.Values{"do": {"start"}, "list": {fmt.Sprint(int64(older))}}), 409, "This list is older than the one that the campaign has")
	w.call(manager, 200, api, fmt.Sprintf(`{"list":%d}`, newer))
	w.h.launches.Wait()
	if v := w.answer(w.get(manager, api), 200); v["list_at"] != "2026-06-10T00:00:00Z" {
		t.Errorf("after it: %v", v)
	}
	w.page(fmt.Sprintf("/desk/campaigns/%d", id), "The list is of Wednesday 10 June.")
	between := list("2026-06-09") // newer than the first, older than the last fresh one
	if v := w.call(manager, 409, api, fmt.Sprintf(`{"list":%d}`, between)); v["code"] != "older_list" {
		t.Errorf("older than the last fresh one: %v", v)
	}
}
