package desk

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// idOf is the campaign of a page's address.
func (w *world) idOf(at string) campaign.ID {
	w.tb.Helper()
	id, err := strconv.ParseInt(at[strings.LastIndexByte(at, '/')+1:], 10, 64)
	w.must(err)
	return campaign.ID(id)
}

// sees checks a page's status and some of its words.
func (w *world) sees(rec *httptest.ResponseRecorder, status int, wants ...string) string {
	w.tb.Helper()
	if rec.Code != status {
		w.tb.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	for _, want := range wants {
		if !strings.Contains(rec.Body.String(), want) {
			w.tb.Errorf("the page does not say %q", want)
		}
	}
	return rec.Body.String()
}

// Each step is saved on its own, shows again what was saved, and changes nothing of the others.
func TestSteps(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	w.must(w.db.SetWorker(context.Background(), w.by[staff.Administrator], w.by[staff.LinkWorker].ID, throttle.Worker{Week: officeHours, FirstContact: .5, Minutes: 45, Places: -1}))
	first, second := w.listOf(30, "999"), w.listOf(25, "998")
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(first.ID)}})
	saved := func() campaign.Campaign {
		c, err := w.db.Campaign(context.Background(), w.network.ID, w.idOf(at))
		w.must(err)
		return c
	}
	if c := saved(); c.Parts != campaign.PartWho || !c.Policy.FirstLook || c.Steps[0].Template != campaign.DefaultText {
		t.Errorf("after the first step: %+v", c)
	}
	w.sees(w.get(manager, at+"/steps/check"), 200, "Before it can be sent for approval", "What it says</a>: not done yet", "Who answers</a>: not done yet")
	w.sees(w.post(manager, at+"/submit", nil), 409, "Some steps have not been saved yet", "Go through the steps")
	w.sees(w.get(manager, at+"/steps/who"), 200, "Can be texted", "30 people", "and is less than a day old.", "Elm Street Surgery: 15 people", "Where every row went", `aria-current="step"`)

	text := url.Values{"text": {campaign.DefaultText + " Thank you."}, "reminder": {"We wrote last week. ((link)) No more: ((stop_link))"}, "after_days": {"soon"}}
	w.sees(w.post(manager, at+"/steps/what", text), 422, "The days until the reminder must be a whole number", "Thank you.</textarea>", `value="soon"`)
	text.Set("after_days", "10")
	w.sees(w.post(manager, at+"/steps/what", text), 303)
	when := url.Values{"days": {"tue", "thu"}, "from": {"600"}, "to": {"960"}, "price": {"0.03"}, "rate": {"10"}, "budget": {"20"}, "daily_cap": {"9"},
		"last-day": {"30"}, "last-month": {"6"}, "last-year": {"2026"}}
	w.sees(w.post(manager, at+"/steps/when", url.Values{"last-day": {"31"}, "last-month": {"2"}, "last-year": {"2026"}}), 422, "The last day must be a date", "Choose at least one day", `value="31"`)
	w.sees(w.post(manager, at+"/steps/when", when), 303)
	c := saved()
	last := time.Date(2026, 6, 30, 22, 59, 59, 0, time.UTC) // a second before midnight in London
	if len(c.Steps) != 2 || c.Steps[1].AfterDays != 10 || c.Policy.DailyCap != 9 || c.Policy.Budget != 200_000 || c.Policy.FirstLook || !c.Policy.Last.Equal(last) {
		t.Errorf("after three steps: %+v", c)
	}
	w.sees(w.get(manager, at+"/steps/when"), 200, `value="tue" checked`, `value="9"`, `value="20.00"`)
	w.sees(w.get(manager, at+"/steps/what"), 200, "We wrote last week.", `value="10"`, "Thank you.", "The reminder")
	w.sees(w.get(manager, at+"/steps/team"), 200, "Knowsley link workers", "First calls in 4 weeks")
	w.sees(w.post(manager, at+"/steps/team", url.Values{"team": {"7"}}), 422, "Choose the team that will answer.")
	w.sees(w.post(manager, at+"/steps/team", url.Values{"team": {fmt.Sprint(w.team.ID)}}), 303)
	w.sees(w.post(manager, at+"/steps/forecast", nil), 303)
	if c := saved(); c.Parts != campaign.AllParts {
		t.Errorf("all steps are saved: %b", c.Parts)
	}
	page := w.sees(w.get(manager, at+"/steps/check"), 200, "60 texts will go to 30 people", "Send for approval", "/steps/when", "Change")

	// Another list has to be looked at with its text, and forecast anew; what is decided stays.
	w.sees(w.post(manager, at+"/steps/who", url.Values{"name": {"Spring"}, "list": {fmt.Sprint(second.ID)}}), 303)
	if c := saved(); c.Parts.Has(campaign.PartWhat) || c.Parts.Has(campaign.PartForecast) || !c.Parts.Has(campaign.PartWhen|campaign.PartTeam) || c.Audience != second.ID || c.Policy.DailyCap != 9 {
		t.Errorf("after another list: %+v", c)
	}
	// Two windows: what the other has saved is not overwritten unawares, and nothing typed is lost.
	hash := saved().Hash()
	when.Set("daily_cap", "11")
	w.sees(w.post(manager, at+"/steps/when", when), 303)
	when.Set("daily_cap", "12")
	when.Set("hash", hash)
	w.sees(w.post(manager, at+"/steps/when", when), 409, "Somebody else has changed this campaign", `value="12"`)
	if c := saved(); c.Policy.DailyCap != 11 {
		t.Errorf("overwritten: %d", c.Policy.DailyCap)
	}
	w.saveAll(manager, at, nil)
	w.sees(w.post(manager, at+"/submit", url.Values{"hash": {hash}}), 409, "changed after the approval")
	w.sees(w.post(manager, at+"/submit", url.Values{"hash": {saved().Hash()}}), 303)
	w.sees(w.get(manager, at+"/steps/what"), 303)
	w.sees(w.post(manager, at+"/steps/what", text), 409)
	if strings.Contains(page, "Singh") {
		t.Error("a patient's name is on the page")
	}
	for _, p := range partPages {
		if rec := w.get(w.other, at+"/steps/"+p.name); rec.Code != 404 {
			t.Errorf("another network sees %s: %d", p.name, rec.Code)
		}
		if rec := w.get(w.by[staff.SeniorLinkWorker], at+"/steps/"+p.name); rec.Code != 403 {
			t.Errorf("who may not edit sees %s: %d", p.name, rec.Code)
		}
	}
}

// What the list was right for may be wrong with another one: the list of steps says so, and the check offers no button.
func TestSteps_wrongLater(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	madeUp, real := w.spoken("999", "Arabic"), w.spoken("400", "Arabic", "Polish")
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(madeUp)}})
	arabic, _ := campaign.Ready("ar")
	w.saveAll(manager, at, url.Values{"offered": {"ar"}, "translate": {"ar"}, "text_ar": {arabic.Text}})
	w.sees(w.get(manager, at+"/steps/check"), 200, "Send for approval")
	w.sees(w.post(manager, at+"/steps/who", url.Values{"name": {"Spring"}, "list": {fmt.Sprint(real)}}), 303)
	page := w.sees(w.get(manager, at+"/steps/check"), 200, "What it says</a>: needs a change", "Needs a change")
	if strings.Contains(page, "Send for approval</button>") {
		t.Error("a text that nobody has reviewed can be submitted")
	}
}

// The forecast says what is likely, and what would be with other limits; nothing that is tried is saved.
func TestSteps_forecast(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(w.listOf(300, "999").ID)}})
	w.sees(w.get(manager, at+"/steps/forecast"), 200, "No text would go.", "Last text: not by ", "about 300 texts are left")
	w.must(w.db.SetWorker(context.Background(), w.by[staff.Administrator], w.by[staff.SeniorLinkWorker].ID, throttle.Worker{Week: officeHours, FirstContact: .5, Minutes: 45, Places: -1}))
	c, err := w.db.Campaign(context.Background(), w.network.ID, w.idOf(at))
	w.must(err)
	page := w.sees(w.get(manager, at+"/steps/forecast"), 200, "Last text: most likely on ", "Cost: up to £", "The queue by day", "<table", "What if?")
	if strings.Contains(page, "As it is saved, and as you try it") {
		t.Error("nothing is tried, and two things are compared")
	}
	w.sees(w.get(manager, at+"/steps/forecast?capacity=50&cap=20&promise=5"), 200, "As it is saved, and as you try it", `value="20"`, "The promise is 5 working days.")
	w.sees(w.get(manager, at+"/steps/forecast?capacity=0&cap=x&promise=99"), 422, "between 10% and 1,000%", "must be a whole number", "between 1 and 60 working days")
	api := "/api/v1" + strings.TrimPrefix(at, "/desk") + "/outlook"
	last := func(query string) string {
		v := w.answer(w.get(manager, api+query), 200)
		if len(v["days"].([]any)) == 0 || v["cost"] == "0.00" {
			t.Errorf("%s: %v", query, v)
		}
		return fmt.Sprint(v["last_text"])
	}
	if today, slow := last(""), last("?cap=10"); slow <= today {
		t.Errorf("ten texts a day end at %s, as many as can be answered at %s", slow, today)
	}
	w.answer(w.get(manager, api+"?promise=0"), 422)
	after, err := w.db.Campaign(context.Background(), w.network.ID, w.idOf(at))
	w.must(err)
	if after.Hash() != c.Hash() {
		t.Error("what was tried is saved")
	}
}

// A test text goes to the number that is typed, from the page and through the API; the number stands nowhere afterwards.
func TestSteps_testText(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	var rings []campaign.Ring
	w.db.Ring = func(r campaign.Ring) { rings = append(rings, r) }
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(w.listOf(30, "999").ID)}})
	form := url.Values{"text": {campaign.DefaultText + " New."}, "phone": {"12"}, "step": {"1"}, "language": {"en"}}
	w.sees(w.post(manager, at+"/steps/what/test", form), 422, "Type your own mobile number", `value="12"`)
	form.Set("phone", "07700 900 777")
	rec := w.post(manager, at+"/steps/what/test", form)
	w.sees(rec, 303)
	if where := rec.Header().Get("Location"); strings.Contains(where, "900") || len(rings) != 1 {
		t.Fatalf("sent on to %s, %d rings", where, len(rings))
	}
	out, err := w.db.Claim(context.Background(), rings[0])
	w.must(err)
	if !strings.HasPrefix(out.Body, "TEST: Hello Ann") || !strings.HasSuffix(out.Body, " New.") || out.To.Reveal() != "+447700900777" {
		t.Errorf("the text: %q", out.Body)
	}
	api := "/api/v1" + strings.TrimPrefix(at, "/desk") + "/test"
	for range campaign.MostTests - 1 {
		w.call(manager, 200, api, `{"to":"07700900777"}`)
	}
	if v := w.call(manager, 429, api, `{"to":"07700900777"}`); v["code"] != "too_often" {
		t.Errorf("a sixth: %v", v)
	}
	w.sees(w.post(manager, at+"/steps/what/test", form), 422, "five test texts within an hour")
	w.call(w.other, 404, api, `{"to":"07700900777"}`)
	w.call(w.by[staff.LinkWorker], 403, api, `{"to":"07700900777"}`)
	w.call(manager, 422, api, `{"to":"0151 496 0000"}`)
	if page := w.get(manager, at).Body.String() + w.get(manager, at+"/steps/what?done=test").Body.String(); strings.Contains(page, "900777") || strings.Contains(page, "900 777") {
		t.Error("the number stands on a page")
	}
}

// Above 200 people the second person sees what the first saw, and types how many; on the page and through the API.
func TestApprove_typed(t *testing.T) {
	w := newWorld(t, nil)
	manager, second := w.by[staff.CampaignManager], w.by[staff.SeniorLinkWorker]
	at := w.made(manager, url.Values{"name": {"Large"}, "list": {fmt.Sprint(w.listOf(201, "999").ID)}})
	w.saveAll(manager, at, nil)
	part := func(page string) string {
		_, page, _ = strings.Cut(page, "<h2>What is decided</h2>")
		page, _, _ = strings.Cut(page, "<h2>The list, the team")
		i, j := strings.Index(page, " <a"), strings.Index(page, "</a>")
		if i >= 0 && j > i {
			page = page[:i] + page[j+4:]
		}
		return page
	}
	first := part(w.get(manager, at+"/steps/check").Body.String())
	w.sees(w.post(manager, at+"/submit", nil), 303)
	page := w.sees(w.get(second, at+"/approve"), 200, "How many people get this text?", "201 people", "This costs up to £")
	for line := range strings.Lines(first) {
		if line = strings.TrimSuffix(strings.TrimSpace(line), "</ul>"); !strings.Contains(page, line) {
			t.Errorf("the second person does not see %q", line)
		}
	}
	w.sees(w.post(second, at+"/approve", nil), 422, "not the number of people", "There is a problem")
	w.sees(w.post(second, at+"/approve", url.Values{"people": {"2,01"}, "hash": {"x"}}), 409)
	w.sees(w.post(second, at+"/approve", url.Values{"people": {"210"}}), 422, `value="210"`)
	w.sees(w.post(manager, at+"/approve", url.Values{"people": {"201"}}), 409, "second person")
	api := "/api/v1" + strings.TrimPrefix(at, "/desk")
	for _, body := range []string{"", `{"people":200}`, `{"people":0}`} {
		if v := w.call(second, 422, api+"/approve", body); v["code"] != "people" {
			t.Errorf("%s: %v", body, v)
		}
	}
	if v := w.answer(w.get(second, api), 200); v["people"] != 201.0 || v["first_look"] != nil {
		t.Errorf("the campaign says %v people", v["people"])
	}
	if v := w.call(second, 200, api+"/approve", `{"people":201}`); v["state"] != "approved" {
		t.Errorf("approved: %v", v)
	}
	// Sent back and changed, it has to be approved again.
	w.sees(w.post(second, at+"/return", nil), 303)
	w.sees(w.post(manager, at+"/steps/when", url.Values{"days": {"mon"}, "from": {"540"}, "to": {"600"}, "price": {"0.04"}, "rate": {"10"}}), 303)
	if c, err := w.db.Campaign(context.Background(), w.network.ID, w.idOf(at)); err != nil || c.ApprovedHash != "" || c.State != campaign.Draft || c.Parts.Has(campaign.PartForecast) {
		t.Errorf("after a change: %+v %v", c, err)
	}
}

// After the first texts the page shows what to look at, with nobody's name, and a button that goes on.
func TestLook(t *testing.T) {
	w := newWorld(t, nil)
	ctx, manager := context.Background(), w.by[staff.CampaignManager]
	id := w.launched(w.listOf(30, "999"))
	at := fmt.Sprintf("/desk/campaigns/%d", id)
	for i, ring := range w.decide(id, 30) {
		_, err := w.db.Claim(ctx, ring)
		w.must(err)
		w.must(w.db.Record(ctx, ring, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", i)}))
		if i == 0 {
			w.must(w.db.Adopt(ctx, campaign.Evidence{Message: ring.Message, Attempt: 1, Event: campaign.Deliver, Kind: "callback", SID: "SM0"}))
		}
	}
	w.sees(w.get(manager, at), 200, "of the first 20", "First texts, then a look", "Stop for good")
	w.decide(id, 30)
	page := w.sees(w.get(manager, at), 200, "Look at the first texts", "20 texts have gone. Look at them, then go on.", "A text as it left", "They are right: go on", "••••••••••••", "Stop for good")
	if strings.Contains(page, "Singh") || strings.Contains(page, "Siân,") && strings.Contains(page, "Hello Siân, this is Elm Street Surgery.<br>") {
		t.Error("a patient's name is on the page")
	}
	if v := w.answer(w.get(manager, "/api/v1"+strings.TrimPrefix(at, "/desk")), 200); v["state"] != "paused" || v["first_look"] != "waiting" {
		t.Errorf("the API: %v", v)
	}
	if page := w.get(w.by[staff.LinkWorker], at).Body.String(); !strings.Contains(page, "Then ask a manager to go on.") || strings.Contains(page, "They are right: go on") {
		t.Error("who may not go on is offered a button, or told nothing")
	}
	w.sees(w.post(manager, at+"/resume", nil), 303)
	if n := len(w.decide(id, 30)); n != 10 {
		t.Errorf("%d texts after the look, want 10", n)
	}
	if strings.Contains(w.get(manager, at).Body.String(), "Look at the first texts") {
		t.Error("it is asked for again")
	}
}

// PUT writes a draft anew, and nothing but a draft.
func TestSave_api(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	a := w.listOf(30, "999")
	at := fmt.Sprintf("/api/v1/campaigns/%.0f", w.call(manager, 201, "/api/v1/campaigns", w.draft(a.ID))["id"])
	put := func(status int, body string) map[string]any {
		t.Helper()
		return w.answer(w.do(manager, httptest.NewRequest("PUT", at, strings.NewReader(body))), status)
	}
	body := strings.Replace(w.draft(a.ID), `"daily_cap":20`, `"daily_cap":21,"first_look":false`, 1)
	if v := put(200, body); v["policy"].(map[string]any)["daily_cap"] != 21.0 || v["policy"].(map[string]any)["first_look"] != false {
		t.Errorf("saved: %v", v)
	}
	put(422, strings.Replace(body, `"Spring"`, `""`, 1))
	w.call(manager, 200, at+"/submit", "")
	if v := put(409, body); v["code"] != "not_now" {
		t.Errorf("changed what is submitted: %v", v)
	}
}
