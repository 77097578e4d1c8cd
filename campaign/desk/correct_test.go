package desk

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// texted launches a campaign for so many people, all of whom have had its text, and pauses it.
func (w *world) texted(n int, budget string) campaign.ID {
	w.tb.Helper()
	manager, admin := w.by[staff.CampaignManager], w.by[staff.Administrator]
	draft := w.draft(w.listOf(n, "999").ID)
	if budget != "" {
		draft = strings.TrimSuffix(draft, "}") + fmt.Sprintf(`,"budget":%q}`, budget)
	}
	id := campaign.ID(w.call(manager, 201, "/api/v1/campaigns", draft)["id"].(float64))
	at := fmt.Sprintf("/api/v1/campaigns/%d", id)
	w.call(manager, 200, at+"/submit", "")
	w.call(admin, 200, at+"/approve", fmt.Sprintf(`{"people":%d}`, n))
	for _, p := range w.network.Practices {
		w.call(admin, 200, at+"/practices/"+p.ODS+"/approve", `{"note":"Dr Ray, by phone today"}`)
	}
	w.call(admin, 200, at+"/launch", "")
	w.h.launches.Wait()
	for i := 0; i < n; { // its first texts are looked at
		rings := w.decide(id, n-i)
		for _, r := range rings {
			_, err := w.db.Claim(context.Background(), r)
			w.must(err)
			w.must(w.db.Record(context.Background(), r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprintf("SM%d-%d", id, i)}))
			i++
		}
		if len(rings) == 0 {
			w.call(admin, 200, at+"/resume", "")
		}
	}
	if v, err := w.db.View(context.Background(), w.network.ID, id); err != nil || v.State == campaign.Running {
		w.must(err)
		w.call(admin, 200, at+"/pause", "")
	}
	return id
}

// optOut leaves so many of those whom a campaign has texted opted out, and no others.
func (w *world) optOut(id campaign.ID, n int) {
	w.tb.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "wellpaced.db")+"?_pragma=busy_timeout(60000)")
	w.must(err)
	defer db.Close()
	_, err = db.Exec(`DELETE FROM suppression`)
	w.must(err)
	_, err = db.Exec(`INSERT INTO suppression (network, kind, ix, why, at) SELECT $1, 'phone', phone_ix, 'opted_out', 0 FROM message WHERE campaign = $2 ORDER BY id LIMIT $3`, int64(w.network.ID), int64(id), n)
	w.must(err)
}

// A manager writes what was wrong, sees whom it reaches and what it costs; a second person types how many, and it leaves; a press stops it.
func TestCorrection_pages(t *testing.T) {
	w := newWorld(t, nil)
	manager, admin, senior := w.by[staff.CampaignManager], w.by[staff.Administrator], w.by[staff.SeniorLinkWorker]
	id := w.texted(205, "")
	at := fmt.Sprintf("/desk/campaigns/%d", id)
	w.sees(w.get(manager, at), 200, "Send a correction")
	w.sees(w.get(manager, at+"/corrections"), 200, "Who gets it?", "We are sorry")
	// Looked at, and not written.
	form := url.Values{"text": {"This is ((practice)). Our last text was wrong. Please ignore it. Ring ((phone)).\n((stop_link))"}, "whom": {"all"}, "do": {"look"}}
	w.sees(w.post(manager, at+"/corrections", form), 200, "It goes to 205 people", "It costs up to", "The campaign itself stays as it is: paused.", "Anybody: a correction names nobody")
	form.Set("text", "Hello ((first_name))")
	w.sees(w.post(manager, at+"/corrections", form), 200, "This cannot be sent yet", "((stop_link))")
	form.Set("do", "write")
	w.sees(w.post(manager, at+"/corrections", form), 422, "((stop_link))")
	form.Set("text", "Sorry ((first_name)).\n((stop_link))")
	w.sees(w.post(manager, at+"/corrections", form), 422, "a correction has no ((first_name))")
	form.Set("text", "Our last text was wrong. Please ignore it.\n((stop_link))")
	form.Set("whom", "between")
	form.Set("since", "yesterday")
	w.sees(w.post(manager, at+"/corrections", form), 422, "Write from when on", "Write until when")
	form.Set("since", "1 June 2020 10:00")
	form.Set("until", "1 June 2020 11:00")
	w.sees(w.post(manager, at+"/corrections", form), 422, "Nobody would get this correction")
	form.Set("since", "2/6/2026 10:30")
	form.Set("until", "2/6/2026 10:30") // half past ten in London: the very minute of all of them
	rec := w.post(manager, at+"/corrections", form)
	if rec.Code != 303 {
		t.Fatalf("written: %d %s", rec.Code, rec.Body)
	}
	k := rec.Header().Get("Location")
	w.sees(w.get(manager, at), 200, "waits for a second person")
	w.sees(w.get(manager, at+"/corrections"), 200, "is under way")
	w.sees(w.post(manager, at+"/corrections", form), 409, "is under way")
	w.sees(w.get(manager, k), 200, "It goes to 205 people", "A second person has to approve")
	w.sees(w.post(manager, k+"/approve", url.Values{"people": {"205"}}), 409, "A second person has to approve")
	if body := w.sees(w.get(senior, k), 200, "Approve exactly this", "How many people get this text?"); strings.Contains(body, "More than the campaign may cost") {
		t.Error("there is no budget, and it is asked about")
	}
	w.sees(w.post(senior, k+"/approve", url.Values{"people": {"204"}}), 422, "That is not the number of people")
	w.sees(w.post(senior, k+"/approve", url.Values{}), 422, "That is not the number of people")
	w.sees(w.post(senior, k+"/approve", url.Values{"people": {"205"}, "hash": {"other"}}), 409, "not the one that you have seen")
	// The page shows 204, and somebody takes their opt-out back: they look again. Of 205 two opt out while they type: it counts all the same.
	shown := func(page string) string {
		_, rest, _ := strings.Cut(page, `name="shown" value="`)
		mark, _, _ := strings.Cut(rest, `"`)
		return mark
	}
	w.optOut(id, 1)
	page := w.sees(w.get(senior, k), 200, "It goes to 204 people")
	w.optOut(id, 0)
	page = w.sees(w.post(senior, k+"/approve", url.Values{"people": {"204"}, "shown": {shown(page)}}), 422, "More people get this text now than you were shown: 205, no longer 204", "It goes to 205 people", `value="204"`)
	w.optOut(id, 2)
	w.sees(w.post(senior, k+"/approve", url.Values{"people": {"205"}}), 422, "That is not the number of people", "It goes to 203 people")
	if rec := w.post(senior, k+"/approve", url.Values{"people": {"205"}, "shown": {shown(page)}}); rec.Code != 303 {
		t.Fatalf("approved: %d %s", rec.Code, rec.Body)
	}
	w.h.launches.Wait()
	w.sees(w.get(manager, k), 200, "0 of 203 texts have left", "Stop the correction for good")
	w.sees(w.get(manager, at), 200, "A correction is on its way", "Stop the correction")
	if body := w.get(w.by[staff.LinkWorker], at).Body.String(); strings.Contains(body, "A correction is on its way") {
		t.Error("somebody who may not see it is told of it")
	}
	began := time.Now()
	if rec := w.post(manager, k+"/stop", nil); rec.Code != 303 || time.Since(began) > time.Second {
		t.Errorf("stopped: %d after %s", rec.Code, time.Since(began))
	}
	w.h.launches.Wait()
	w.sees(w.get(admin, k), 200, "Stopped", "Not sent before it was stopped")
	w.sees(w.post(admin, k+"/stop", nil), 409, "cannot be done")
	w.sees(w.get(manager, at+"/corrections"), 200, "Who gets it?", "Leave out people who have had one", "Corrections of this campaign")
	if rec := w.get(manager, at+"/corrections/12345"); rec.Code != 404 {
		t.Errorf("one that there is none of: %d", rec.Code)
	}
	if rec := w.get(w.other, k); rec.Code != 404 {
		t.Errorf("from another network: %d", rec.Code)
	}
}

// The same by calls, with a budget that it goes beyond and an account that is refused.
func TestCorrection_api(t *testing.T) {
	w := newWorld(t, nil)
	manager, admin := w.by[staff.CampaignManager], w.by[staff.Administrator]
	id := w.texted(4, "0.01")
	at := fmt.Sprintf("/api/v1/campaigns/%d/corrections", id)
	if v := w.call(manager, 409, at, `{"text":"Sorry."}`); v["code"] != "unsendable" {
		t.Errorf("answer %v", v)
	}
	if v := w.call(manager, 422, at, `{"text":"Sorry.\n((stop_link))","to":"2020-01-01T00:00:00Z"}`); v["code"] != "nobody_texted" {
		t.Errorf("answer %v", v)
	}
	k := w.call(manager, 201, at, `{"text":"Sorry.\n((stop_link))"}`)
	reach, _ := k["reach"].(map[string]any)
	if reach["people"] != 4. || reach["over_budget"] != true || k["state"] != "written" {
		t.Errorf("written %v", k)
	}
	if v := w.call(manager, 409, at, `{"text":"Sorry.\n((stop_link))"}`); v["code"] != "correcting" {
		t.Errorf("answer %v", v)
	}
	one := fmt.Sprintf("%s/%.0f", at, k["id"])
	if v := w.call(manager, 409, one+"/approve", `{"over_budget":true}`); v["code"] != "same_hand" {
		t.Errorf("answer %v", v)
	}
	if v := w.call(admin, 422, one+"/approve", `{"people":4}`); v["code"] != "over_budget" {
		t.Errorf("answer %v", v)
	}
	if v := w.call(admin, 422, one+"/approve", `{"people":0,"over_budget":true}`); v["code"] != "people" {
		t.Errorf("answer %v", v)
	}
	w.optOut(id, 1)
	reach = w.answer(w.get(admin, one), 200)["reach"].(map[string]any)
	w.optOut(id, 0)
	shown := fmt.Sprintf(`{"people":%v,"shown":%q,"over_budget":true}`, reach["people"], reach["shown"])
	if v := w.call(admin, 422, one+"/approve", shown); v["code"] != "more_people" || reach["people"] != 3. {
		t.Errorf("answer %v to %s", v, shown)
	}
	reach = w.answer(w.get(admin, one), 200)["reach"].(map[string]any)
	w.optOut(id, 1)
	if v := w.call(admin, 422, one+"/approve", `{"people":4,"over_budget":true}`); v["code"] != "people" {
		t.Errorf("answer %v", v)
	}
	if v := w.call(admin, 200, one+"/approve", fmt.Sprintf(`{"hash":%q,"people":4,"shown":%q,"over_budget":true}`, k["hash"], reach["shown"])); v["state"] != "sending" {
		t.Errorf("approved %v", v)
	}
	w.h.launches.Wait()
	v := w.answer(w.get(manager, one), 200)
	if v["messages"].(map[string]any)["released"] != 3. || v["reach"] != nil {
		t.Errorf("on its way: %v", v)
	}
	// Nobody knows of one whether it left: a person decides, on the campaign's page.
	rings, err := w.db.Overdue(context.Background(), time.Now().Add(time.Hour), 10)
	w.must(err)
	if len(rings) != 3 {
		t.Fatalf("%d are released", len(rings))
	}
	_, err = w.db.Claim(context.Background(), rings[0])
	w.must(err)
	w.must(w.db.Record(context.Background(), rings[0], campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}))
	w.must(w.db.Clear(context.Background(), w.epoch, campaign.Doubtful{Message: rings[0].Message, Attempt: 1}, campaign.Hold, campaign.HeldAgain))
	page := fmt.Sprintf("/desk/campaigns/%d", id)
	w.sees(w.get(manager, page), 200, "Texts that need your decision", "Correction to ", "Send it again")
	w.sees(w.get(manager, strings.Replace(one, "/api/v1", "/desk", 1)), 200, "They need your decision")
	if rec := w.post(manager, fmt.Sprintf("%s/messages/%d", page, rings[0].Message), url.Values{"attempt": {"1"}, "was": {"sent"}}); rec.Code != 303 {
		t.Errorf("decided: %d %s", rec.Code, rec.Body)
	}
	if v := w.answer(w.get(manager, one), 200); v["texts"] != 1. {
		t.Errorf("after a person's word: %v", v)
	}
	w.call(manager, 409, one+"/resume", "")
	if v := w.answer(w.get(manager, at), 200); len(v["corrections"].([]any)) != 1 {
		t.Errorf("all: %v", v)
	}
	if v := w.call(manager, 200, one+"/stop", ""); v["state"] != "stopped" {
		t.Errorf("stopped: %v", v)
	}
	if rec := w.do(w.by[staff.LinkWorker], httptest.NewRequest("POST", at, strings.NewReader(`{"text":"x"}`))); rec.Code != 403 {
		t.Errorf("a link worker wrote one: %d", rec.Code)
	}
}

// The pages in a real browser, wide and as a small phone, and by keyboard alone from the campaign to what is stopped.
func TestCorrection_screens(t *testing.T) {
	b := browsertest.Open(t)
	w := newWorld(t, nil)
	sits := w.by[staff.CampaignManager]
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := w.h.cfg.UI.Protect(w.site)
		h.ServeHTTP(rw, r.WithContext(staff.With(r.Context(), sits)))
	}))
	t.Cleanup(server.Close)
	check := func(url, name string) { b.Page().CheckPage(url, name) }
	id := w.texted(205, "")
	at := server.URL + "/desk/campaigns/" + strconv.FormatInt(int64(id), 10)
	check(at+"/corrections", "corrections-write")
	keys := b.Page()
	keys.NoScripts()
	press := func(words, next string, want int) {
		t.Helper()
		for range 120 {
			if keys.FocusedWords() == words {
				if status := keys.FollowKey("Enter"); status != want || !strings.Contains(keys.URL(), next) {
					t.Fatalf("%s: %d at %s: %s", words, status, keys.URL(), keys.Text("main"))
				}
				return
			}
			keys.Press("Tab")
		}
		t.Fatalf("the keyboard does not reach %s at %s", words, keys.URL())
	}
	keys.Goto(at)
	press("Send a correction", "/corrections", 200)
	press("See whom it reaches and what it costs", "/corrections", 200)
	if text := keys.Text("main"); !strings.Contains(text, "It goes to 205 people") {
		t.Errorf("it is not said whom it reaches: %s", text)
	}
	press("Send for approval", "/corrections/", 200)
	one := keys.URL()
	check(one, "correction-written")
	sits = w.by[staff.Administrator]
	check(one, "correction-approve")
	keys.Goto(one)
	for range 60 {
		if _, focused, _ := strings.Cut(keys.Focused(), "#"); strings.HasPrefix(focused+".", "people.") {
			break
		}
		keys.Press("Tab")
	}
	for _, r := range "205" {
		keys.Press(string(r))
	}
	press("Approve exactly this, and send it", "/corrections/", 200)
	w.h.launches.Wait()
	check(one, "correction-sending")
	check(at, "campaign-correcting")
	keys.Goto(at)
	press("Stop the correction", "/corrections/", 200)
	w.h.launches.Wait()
	check(one, "correction-stopped")
}
