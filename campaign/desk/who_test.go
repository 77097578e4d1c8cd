package desk

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// listOn is what a draft has for a list.
func (w *world) listOn(at string) campaign.Audience {
	w.tb.Helper()
	c, err := w.db.Campaign(context.Background(), w.network.ID, w.idOf(at))
	w.must(err)
	return w.audience(c.Audience)
}

// In the first step one sees what a list holds, counts some of its people and goes on with them alone; nothing is saved by looking.
func TestWho_cohort(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	earlier := w.listOf(20, "998")
	w.now = w.now.Add(time.Hour)
	whole := w.listOf(40, "999")
	form := url.Values{"name": {"Spring"}, "list": {fmt.Sprint(whole.ID)}, "do": {"look"}}
	page := w.sees(w.post(manager, "/desk/campaigns", form), 200, "40 people", "Elm Street Surgery: 20 people", "and is less than a day old.", "This list is made up",
		fmt.Sprintf("/desk/lists/%d/compare?with=%d", whole.ID, earlier.ID), "Elm Street Surgery (N83006): 20 people", `value="Spring"`, "Only some of these people")
	if strings.Contains(page, "details\" open") {
		t.Error("nothing is narrowed, and the boxes are open")
	}
	form.Set("do", "count")
	form.Set("practices", "N83014")
	w.sees(w.post(manager, "/desk/campaigns", form), 200, "20 of the 40 in this list would be in the new one.", `value="N83014" checked`, "details\" open")
	if all, err := w.db.Campaigns(context.Background(), w.network.ID, 10); err != nil || len(all) > 0 {
		t.Errorf("looking made %d campaigns, %v", len(all), err)
	}
	form.Del("do")
	at := w.made(manager, form)
	part := w.listOn(at)
	if part.Parent != whole.ID || part.Ledger.Invited != 20 || part.State != campaign.Screened || part.Cohort.Practices[0] != "N83014" {
		t.Errorf("the campaign is for %+v", part)
	}
	w.sees(w.get(manager, at+"/steps/who"), 200, "narrowed to", "practice N83014", "20 people")

	// Whoever comes back and wants the same part of the whole again gets the same list.
	form = url.Values{"name": {"Spring"}, "list": {fmt.Sprint(whole.ID)}, "practices": {"N83014"}}
	w.sees(w.post(manager, at+"/steps/who", form), 303)
	if again := w.listOn(at); again.ID != part.ID {
		t.Errorf("the same part is list %d, and was %d", again.ID, part.ID)
	}
	form.Set("practices", "N83006")
	w.sees(w.post(manager, at+"/steps/who", form), 303)
	if other := w.listOn(at); other.ID == part.ID || other.Ledger.Invited != 20 || other.Parent != whole.ID {
		t.Errorf("another part is %+v", other)
	}
	form.Set("practices", "N99999")
	w.sees(w.post(manager, at+"/steps/who", form), 422, "Nobody in this list is in", `href="#practices"`)
	form["practices"], form["name"] = []string{"N83014"}, []string{""}
	lists := func() int {
		all, err := w.db.Audiences(context.Background(), w.network.ID, 50)
		w.must(err)
		return len(all)
	}
	before := lists()
	w.now = w.now.Add(2 * sameAgain)
	w.sees(w.post(manager, at+"/steps/who", form), 422, "Give the campaign a name.", `value="N83014" checked`)
	if lists() != before {
		t.Error("a list is made though the step cannot be saved")
	}
	if rec := w.post(w.other, at+"/steps/who", form); rec.Code != 404 {
		t.Errorf("another network: %d", rec.Code)
	}
}

// A list that takes long to be made is waited for: nothing that was typed is lost, and the same press goes on once it is there.
func TestWho_making(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	whole := w.listOf(30, "999")
	n, err := w.db.BeginNarrow(context.Background(), manager, whole.ID, campaign.Cohort{Practices: []string{"N83006"}}, "Part")
	w.must(err)
	made := n.Audience().ID
	form := url.Values{"name": {"Spring “26”"}, "list": {fmt.Sprint(whole.ID)}, "made": {fmt.Sprint(made)}, "dpia": {"D1"}}
	w.sees(w.post(manager, "/desk/campaigns", form), 202, "is being made", "Go on when it is ready", fmt.Sprintf(`name="made" value="%d"`, made), `name="name" value="Spring “26”"`, `name="dpia" value="D1"`)
	_, err = n.Run(context.Background())
	w.must(err)
	at := w.made(manager, form)
	if a := w.listOn(at); a.ID != made {
		t.Errorf("the campaign is for list %d, not %d", a.ID, made)
	}
	lost, err := w.db.BeginNarrow(context.Background(), manager, whole.ID, campaign.Cohort{Practices: []string{"N83014"}}, "Part")
	w.must(err)
	form.Set("made", fmt.Sprint(lost.Audience().ID))
	w.sees(w.post(manager, at+"/steps/who", form), 202, "is being made")
	w.must(lost.Abandon(context.Background()))
	w.sees(w.post(manager, at+"/steps/who", form), 422, "The list could not be made.", "Save and go on")
}

// Whoever goes back or leaves saves first; what cannot be saved is shown again.
func TestSteps_backAndLeave(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(w.listOf(30, "999").ID)}})
	text := url.Values{"text": {campaign.DefaultText + " Really."}, "reminder": {campaign.DefaultText}, "after_days": {"9"}, "least_first": {"yes"}, "then": {"back"}}
	goes := func(path string, form url.Values, to string) {
		t.Helper()
		rec := w.post(manager, at+path, form)
		if w.sees(rec, 303); rec.Header().Get("Location") != to {
			t.Errorf("%s leads to %s", path, rec.Header().Get("Location"))
		}
	}
	goes("/steps/what", text, at+"/steps/who")
	c, err := w.db.Campaign(context.Background(), w.network.ID, w.idOf(at))
	w.must(err)
	if !strings.HasSuffix(c.Steps[0].Template, "Really.") || !c.Steps[1].LeastFirst || c.Steps[1].AfterDays != 9 {
		t.Errorf("going back saved %+v", c.Steps)
	}
	w.sees(w.get(manager, at+"/steps/what"), 200, `name="least_first" type="checkbox" value="yes" checked`)
	text["text"] = []string{"Half a sen"}
	w.sees(w.post(manager, at+"/steps/what", text), 422, "Half a sen</textarea>", "without it nobody can answer")
	when := formDefaults()
	for k, v := range map[string]string{"then": "leave", "first-day": "8", "first-month": "6", "first-year": "2026", "last-day": "1", "last-month": "6", "last-year": "2027"} {
		when.Set(k, v)
	}
	goes("/steps/when", when, at)
	goes("/steps/team", url.Values{"team": {fmt.Sprint(w.team.ID)}, "then": {"back"}}, at+"/steps/when")
	w.sees(w.get(manager, at+"/steps/when"), 200, `name="first-day" type="text" value="8"`, "The next are Monday 31 August, Friday 25 December and Monday 28 December", "It can be used until Tuesday 16 June")
	goes("/steps/forecast", url.Values{"then": {"back"}}, at+"/steps/team")
	w.sees(w.get(manager, at), 200, "First day for texts", "Monday 8 June")
	if c, err = w.db.Campaign(context.Background(), w.network.ID, w.idOf(at)); err != nil || !c.Policy.First.Equal(time.Date(2026, 6, 7, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("begins %s, %v", c.Policy.First, err)
	}
	when.Set("last-year", "2026")
	w.sees(w.post(manager, at+"/steps/when", when), 422, "The first day for texts must not be after the last one.", `href="#first"`)
	when.Set("first-month", "June")
	w.sees(w.post(manager, at+"/steps/when", when), 422, "The first day must be a date", `value="June"`)
	// Another campaign that starts from this one keeps the order, and begins at once if the day has passed.
	w.now = w.now.AddDate(0, 0, 7)
	next := w.made(manager, url.Values{"name": {"Summer"}, "list": {fmt.Sprint(c.Audience)}, "started_from": {at[strings.LastIndexByte(at, '/')+1:]}})
	if c, err = w.db.Campaign(context.Background(), w.network.ID, w.idOf(next)); err != nil || !c.Steps[1].LeastFirst || !c.Policy.First.IsZero() {
		t.Errorf("the copy: %+v %v", c.Policy, err)
	}
	// The API says the same.
	v := w.call(manager, 201, "/api/v1/campaigns", strings.Replace(w.draft(c.Audience), `"daily_cap":20`, `"first":"2026-07-01"`, 1))
	if first := v["policy"].(map[string]any)["first"]; first != "2026-07-01T00:00:00+01:00" {
		t.Errorf("the API begins %v", first)
	}
	w.call(manager, 422, "/api/v1/campaigns", strings.Replace(w.draft(c.Audience), `"daily_cap":20`, `"first":"soon"`, 1))
}
