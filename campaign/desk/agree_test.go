package desk

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// practiceList is a list of which everybody is with one practice.
func (w *world) practiceList(ods string, n int) campaign.Audience {
	w.tb.Helper()
	v := w.answer(w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "@of one practice.csv="+strings.NewReplacer("N83006", ods, "N83014", ods).Replace(csvOf(n, "999"))), 201)
	return w.audience(campaign.AudienceID(v["id"].(float64)))
}

func (w *world) audience(id campaign.AudienceID) campaign.Audience {
	w.tb.Helper()
	a, err := w.db.Audience(context.Background(), w.network.ID, id)
	w.must(err)
	return a
}

// A practice's viewer reads what the practice is asked, agrees, and withdraws in the middle of the run; the campaign goes on for the other practice
// and the manager reads it on the page. Of other practices nothing exists for them.
func TestPractice(t *testing.T) {
	w := newWorld(t, nil)
	manager, viewer, admin := w.by[staff.CampaignManager], w.by[staff.PracticeViewer], w.by[staff.Administrator]
	id := w.call(manager, 201, "/api/v1/campaigns", w.draft(w.listOf(30, "999").ID))["id"].(float64)
	api, page := fmt.Sprintf("/api/v1/campaigns/%.0f", id), fmt.Sprintf("/desk/campaigns/%.0f", id)
	see := func(rec *httptest.ResponseRecorder, status int, words ...string) {
		t.Helper()
		if rec.Code != status {
			t.Fatalf("%d, want %d: %s", rec.Code, status, rec.Body)
		}
		for _, s := range words {
			if !strings.Contains(rec.Body.String(), s) {
				t.Errorf("the page does not say %q", s)
			}
		}
	}
	// The grounds: chosen from a short list, of which only direct care can be texted.
	see(w.get(manager, page+"/steps/who"), 200, "Article 6(1)(e)", "Article 9(2)(h)", "Direct care", "PECR")
	c, err := w.db.Campaign(context.Background(), w.network.ID, w.idOf(page))
	w.must(err)
	who := func(more url.Values) url.Values {
		more.Set("name", c.Name)
		more.Set("list", fmt.Sprint(c.Audience))
		return more
	}
	see(w.post(manager, page+"/steps/who", who(url.Values{"purpose": {"other"}, "basis": {"public_task_care"}})), 422, "Only direct care may be texted", `href="#purpose"`)
	see(w.post(manager, page+"/steps/who", who(url.Values{"purpose": {"direct_care"}, "basis": {"public_task_care"}, "dpia": {strings.Repeat("x", 201)}})), 422, "at most 200 characters", `href="#dpia"`)
	see(w.post(manager, page+"/steps/who", who(url.Values{"purpose": {"direct_care"}, "basis": {"public_task_health"}, "dpia": {"DPIA 12/2026"}})), 303)
	see(w.post(viewer, page+"/steps/who", nil), 403)

	see(w.get(viewer, page+"/practices/N83006"), 200, "We agree", "We do not agree", "DPIA 12/2026", "Article 9(2)(i)", "KnowsleyPCN", "https://knowsley.example", "0 days, from", "Who is left out of the list", "Would a chat", "9am to 5pm")
	see(w.get(manager, page+"/practices/N83006"), 200, "Pat Practice can say it for the practice", "an administrator (Ada Admin)") // whom to ask
	see(w.get(viewer, page+"/practices/N83014"), 404)
	see(w.post(viewer, page+"/practices/N83014", url.Values{"do": {"agreed"}}), 404)
	if body := w.get(viewer, page).Body.String(); strings.Contains(body, "/practices/N83014") || !strings.Contains(body, "/practices/N83006") {
		t.Error("the viewer of one practice reads the numbers of another")
	}
	if all := w.answer(w.get(viewer, api), 200)["practices"].([]any); len(all) != 1 {
		t.Errorf("through the API: %v", all)
	}
	other := w.call(manager, 201, "/api/v1/campaigns", w.draft(w.practiceList("N83014", 5).ID))["id"].(float64)
	for _, path := range []string{"/api/v1/campaigns/%.0f", "/desk/campaigns/%.0f", "/desk/campaigns/%.0f/practices/N83014", "/desk/campaigns/%.0f/practices/N83006"} {
		see(w.get(viewer, fmt.Sprintf(path, other)), 404)
	}
	if all := w.answer(w.get(viewer, "/api/v1/campaigns"), 200)["campaigns"].([]any); len(all) != 1 {
		t.Errorf("the viewer is told of %d campaigns", len(all))
	}

	see(w.get(manager, fmt.Sprintf("/desk/campaigns/%.0f/practices/N83014", other)), 200, "Nobody at the practice has an account yet", "Ada Admin")

	w.call(manager, 200, api+"/submit", "")
	w.call(admin, 200, api+"/approve", "")
	see(w.post(viewer, page+"/practices/N83006", url.Values{"do": {"refused"}}), 422, "Write why")
	see(w.post(viewer, page+"/practices/N83006", url.Values{"do": {"agreed"}, "terms": {"something else"}}), 409, "changed")
	asked := w.answer(w.get(viewer, api+"/practices/N83006"), 200)
	if asked["grounds"].(map[string]any)["dpia"] != "DPIA 12/2026" || asked["approved"] != false {
		t.Errorf("asked: %v", asked)
	}
	see(w.post(viewer, page+"/practices/N83006", url.Values{"do": {"agreed"}, "terms": {asked["terms"].(string)}}), 303)
	if v := w.call(manager, 409, api+"/launch", ""); v["code"] != "practices_missing" {
		t.Errorf("launched without a practice's word: %v", v)
	}
	// An administrator speaks for a practice only with a word on who said so.
	see(w.post(admin, page+"/practices/N83014", url.Values{"do": {"agreed"}}), 422, "Write who at the practice said so")
	w.call(admin, 422, api+"/practices/N83014/approve", "")
	see(w.post(admin, page+"/practices/N83014", url.Values{"do": {"agreed"}, "note": {"Dr Ray, by phone today"}}), 303)
	see(w.get(admin, page+"/practices/N83014?done=agreed"), 200, "Dr Ray, by phone today", "Ada Admin", "Saved: the practice agrees", "It withdraws")
	// Whoever launches is told of how many people it is, and who does not agree.
	see(w.post(viewer, page+"/practices/N83006", url.Values{"do": {"withdrawn"}, "reason": {"We have to ask the partners"}, "terms": {asked["terms"].(string)}}), 303)
	see(w.get(admin, page+"/launch"), 200, "15 texts will go to 15 people", "15 people of Elm Street Surgery are not texted")
	see(w.post(viewer, page+"/practices/N83006", url.Values{"do": {"agreed"}, "terms": {asked["terms"].(string)}}), 303)
	if body := w.get(admin, page+"/launch").Body.String(); !strings.Contains(body, "30 texts will go to 30 people") || strings.Contains(body, "are not texted") {
		t.Error("the page before the launch does not know that the practice agrees again")
	}
	w.call(admin, 200, api+"/launch", "")
	w.h.launches.Wait()

	w.call(viewer, 200, api+"/practices/N83006/withdraw", `{"note":"The wrong link"}`)
	w.h.launches.Wait()
	see(w.get(manager, page), 200, "Not sent, for their practice does not agree", ">15<", "0 texts so far, of 15.")
	see(w.get(manager, page), 200, "Elm Street Surgery has withdrawn at", "15 texts to its patients will not be sent. The campaign goes on for the others.", "Has withdrawn")
	see(w.get(viewer, page+"/practices/N83006"), 200, "The wrong link", "unless it agrees again", "We agree")
	v := w.answer(w.get(manager, api), 200)
	if v["messages"].(map[string]any)["planned"] != 15.0 || v["state"] != "running" {
		t.Errorf("after the withdrawal: %v", v["messages"])
	}
	w.call(viewer, 200, api+"/practices/N83006/approve", "")
	w.h.launches.Wait()
	if v := w.answer(w.get(manager, api), 200); v["messages"].(map[string]any)["planned"] != 30.0 {
		t.Errorf("after it agreed again: %v", v["messages"])
	}
	if v := w.call(viewer, 409, api+"/practices/N83006/refuse", `{"note":"no"}`); v["code"] != "not_now" {
		t.Errorf("refused what it agrees to: %v", v)
	}
}

// The manager screens against a fresh list from the page: a list that takes out many is asked about, by number.
func TestFreshPage(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	id := w.launched(w.listOf(40, "999"))
	at := fmt.Sprintf("/desk/campaigns/%d", id)
	path := at + "/fresh-list"
	page := func() string { return w.get(manager, path).Body.String() }
	if p := page(); !strings.Contains(p, "Upload a fresh one") {
		t.Error("no way to a fresh list")
	}
	w.now = civil.Add(15 * 24 * time.Hour)
	if p := w.get(manager, at).Body.String(); !strings.Contains(p, "The list is too old") || !strings.Contains(p, path) {
		t.Error("the campaign’s page does not say that the list is too old")
	}
	fresh := w.listOf(30, "999")
	if p := page(); !strings.Contains(p, fmt.Sprintf(`value="%d"`, fresh.ID)) {
		t.Error("the fresh list cannot be chosen")
	}
	post := func(status int, form url.Values, words string) {
		t.Helper()
		rec := w.post(manager, path, form)
		w.h.launches.Wait()
		if rec.Code != status || !strings.Contains(rec.Body.String(), words) {
			t.Fatalf("%v: %d, want %d and %q: %s", form, rec.Code, status, words, rec.Body)
		}
	}
	post(422, url.Values{"do": {"start"}}, "Choose a list")
	post(303, url.Values{"do": {"start"}, "list": {fmt.Sprint(int64(fresh.ID))}}, "")
	if p := page(); !strings.Contains(p, "10 of 40 people who still wait for their text would be taken out") || !strings.Contains(p, "Not on the fresh list") {
		t.Errorf("not asked: %s", p)
	}
	if p := w.get(manager, at).Body.String(); !strings.Contains(p, "Sending is held:</strong> A fresh list would take out many people, and somebody has to say") {
		t.Error("the campaign’s page does not say that sending waits")
	}
	post(409, url.Values{"do": {"confirm"}, "number": {"9"}}, "not the number of people")
	post(303, url.Values{"do": {"confirm"}, "number": {" 10 "}}, "")
	v := w.answer(w.get(manager, fmt.Sprintf("/api/v1/campaigns/%d/fresh-list", id)), 200)
	s := v["screenings"].([]any)[0].(map[string]any)
	if s["state"] != "done" || s["removed"] != 10.0 || s["out"].(map[string]any)["left"] != 10.0 || v["list_at"] != fresh.TakenOn.Format(time.RFC3339) || v["list_at"] != "2026-06-17T00:00:00Z" {
		t.Errorf("screened: %v", v)
	}
	if p := page(); !strings.Contains(p, "10 people taken out") {
		t.Errorf("the page does not keep what was done: %s", p)
	}
	if p := w.get(manager, at).Body.String(); strings.Contains(p, "too old") || strings.Contains(p, "Sending is held") {
		t.Error("the list counts as old")
	}
	if rec := w.get(w.by[staff.PracticeViewer], path); rec.Code != 403 {
		t.Errorf("a practice screens: %d", rec.Code)
	}
}

// Whoever is new on a fresh list is not added, but can be made a list of, for a campaign of their own.
func TestFreshPage_newPeople(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	old := w.listOf(40, "999")
	id := w.launched(old)
	w.now = w.now.Add(time.Hour)
	fresh := w.listOf(43, "999")
	path := fmt.Sprintf("/desk/campaigns/%d/fresh-list", id)
	if rec := w.post(manager, path, url.Values{"do": {"start"}, "list": {fmt.Sprint(int64(fresh.ID))}}); rec.Code != 303 {
		t.Fatalf("%d: %s", rec.Code, rec.Body)
	}
	w.h.launches.Wait()
	narrow := fmt.Sprintf("/desk/lists/%d/narrow", fresh.ID)
	w.page(path, "3 people on the fresh list are not in this campaign, and are not added", fmt.Sprintf("%s?not_on=%d", narrow, old.ID), fmt.Sprintf("/desk/campaigns/new?from=%d", id))
	w.page(fmt.Sprintf("%s?not_on=%d", narrow, old.ID), fmt.Sprintf(`<option value="%d" selected>`, old.ID))
	w.page(fmt.Sprintf("/desk/lists/%d/compare?with=%d", fresh.ID, old.ID), fmt.Sprintf("%s?not_on=%d", narrow, old.ID))
	form := url.Values{"not_on": {fmt.Sprint(int64(old.ID))}, "do": {"count"}}
	if body := w.post(manager, narrow, form).Body.String(); !strings.Contains(body, "3 of the 43 in this list would be in the new one") {
		t.Errorf("counted: %s", body)
	}
	form.Set("do", "make")
	rec := w.post(manager, narrow, form)
	w.h.launches.Wait()
	w.page(rec.Header().Get("Location"), "Of 43 rows in the file, 3 can be texted", "narrowed to: not on another list")
	for _, wrong := range []string{"x", "12", fmt.Sprint(int64(w.listElsewhere().ID))} {
		if rec := w.post(manager, narrow, url.Values{"not_on": {wrong}, "do": {"make"}}); rec.Code != 422 || !strings.Contains(rec.Body.String(), "Choose one of your patient lists") {
			t.Errorf("not on %q: %d", wrong, rec.Code)
		}
	}
}

// listElsewhere is a list of another network.
func (w *world) listElsewhere() campaign.Audience {
	w.tb.Helper()
	v := w.answer(w.upload(w.other, "/api/v1/lists", "@far.csv="+csvOf(5, "999")), 201)
	a, err := w.db.Audience(context.Background(), w.other.Network, campaign.AudienceID(v["id"].(float64)))
	w.must(err)
	return a
}
