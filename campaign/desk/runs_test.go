package desk

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

var runsBack = regexp.MustCompile(`name="back" value="([^"]*)"`)

// Every page of a campaign that runs has the button that stops it, wherever somebody stands; a new page has it too, or this fails.
func TestStopIsOnEveryPage(t *testing.T) {
	w := newWorld(t, nil)
	id := w.texted(40, "")
	manager, home := w.by[staff.CampaignManager], campaignPath(id)
	correction := w.call(manager, 201, fmt.Sprintf("/api/v1/campaigns/%d/corrections", id), `{"text":"This is ((practice)). Our last text was wrong. Please ignore it. Ring ((phone)).\n((stop_link))"}`)["id"].(float64)
	w.call(manager, 200, fmt.Sprintf("/api/v1/campaigns/%d/resume", id), "")
	pages := 0
	for _, e := range w.h.routes() {
		if e.method != "GET" || !strings.HasPrefix(e.pattern, campaignPattern) {
			continue
		}
		path := strings.NewReplacer("{id}", fmt.Sprint(int64(id)), "{ods}", "N83006", "{move}", "stop", "{correction}", fmt.Sprintf("%.0f", correction)).Replace(e.pattern)
		if strings.Contains(path, "{") {
			t.Fatalf("say what stands in %s", path)
		}
		rec := w.get(manager, path)
		if rec.Code == 303 && rec.Header().Get("Location") == home {
			continue // a step of a draft: it leads to the campaign's page
		}
		if rec.Code != 200 {
			if rec.Code != 409 { // what a campaign that runs has no more is no page of it
				t.Errorf("%s: %d", path, rec.Code)
			}
			continue
		}
		pages++
		body := rec.Body.String()
		if !strings.Contains(body, `action="`+home+`/pause"`) {
			t.Errorf("%s has no button to pause", path)
		}
		if path != home+"/stop" && !strings.Contains(body, `href="`+home+`/stop?back=`+url.QueryEscape(path)) {
			t.Errorf("%s has no button to stop", path)
		}
		m := runsBack.FindStringSubmatch(body)
		if len(m) != 2 || m[1] != path {
			t.Errorf("a press on %s leads back to %q", path, m)
		}
		if strings.Contains(w.get(w.by[staff.PracticeViewer], path).Body.String(), home+"/pause") {
			t.Errorf("%s has the button for somebody who may not press it", path)
		}
	}
	if pages < 9 {
		t.Fatalf("only %d pages were looked at", pages)
	}

	// The press comes back to where it was made and says what happened; it is done within a second.
	from := home + "/funnel"
	press := func(move, back string) string {
		t.Helper()
		began := time.Now()
		rec := w.post(manager, home+"/"+move, url.Values{"back": {back}})
		if took := time.Since(began); rec.Code != 303 || took > time.Second {
			t.Fatalf("%s: %d after %v", move, rec.Code, took)
		}
		return rec.Header().Get("Location")
	}
	state := func() string {
		return w.answer(w.get(manager, "/api/v1"+strings.TrimPrefix(home, "/desk")), 200)["state"].(string)
	}
	at := press("pause", from)
	if at != from+"?done=pause" || state() != "paused" {
		t.Fatalf("paused: at %s, %s", at, state())
	}
	if got := w.body(manager, at); !strings.Contains(got, "Paused: no more texts leave.") || !strings.Contains(got, `action="`+home+`/resume"`) || strings.Contains(got, `action="`+home+`/pause"`) {
		t.Errorf("after the press: %s", got)
	}
	if got := w.body(manager, home+"/decisions?after=9000000000000000000&done=pause"); !strings.Contains(got, `name="back" value="`+home+`/decisions?after=9000000000000000000"`) {
		t.Error("a press does not come back to the same part of a page")
	}
	if at := press("resume", from); at != from+"?done=resume" || !strings.Contains(w.body(manager, at), "It goes on") {
		t.Errorf("resumed: at %s", at)
	}
	if got := w.body(manager, from+"?done=pause"); strings.Contains(got, "Paused:") {
		t.Error("an address says that it is paused, and it is not")
	}
	for _, elsewhere := range []string{"https://evil.example/desk/campaigns/" + fmt.Sprint(int64(id)), "//evil.example/", home + "0/funnel", home + "/../../lists", "/desk/lists", "%", ""} {
		press("pause", from)
		if at := press("resume", elsewhere); at != home+"?done=resume" {
			t.Errorf("a press from %q leads to %s", elsewhere, at)
		}
	}
	ask := w.body(manager, home+"/stop?back="+url.QueryEscape(from))
	if !strings.Contains(ask, `<input type="hidden" name="back" value="`+from+`">`) || !strings.Contains(ask, `href="`+from+`">Go back without`) {
		t.Errorf("the question before the stop forgets where it was asked: %s", ask)
	}
	if at := press("stop", from); at != from+"?done=stop" || state() != "stopped" {
		t.Fatalf("stopped: at %s, %s", at, state())
	}
	if got := w.body(manager, from+"?done=stop"); !strings.Contains(got, "Stopped for good") || strings.Contains(got, "/resume") || strings.Contains(got, "/stop") {
		t.Errorf("after the stop: %s", got)
	}
	if rings := w.decide(id, 5); len(rings) != 0 {
		t.Errorf("%d texts left after the stop", len(rings))
	}
}

// The history goes back decision by decision to the first, on the page and by the API.
func TestDecisionsGoBackToTheFirst(t *testing.T) {
	w := newWorld(t, nil)
	id := w.launched(w.listOf(400, "999"))
	const n = usualPage + 7
	w.decide(id, 1)
	for i := range n { // of those that let nothing go, each is kept that has another limit than the one before
		_, err := w.db.Release(t.Context(), w.epoch, []throttle.Decision{{Campaign: strconv.FormatInt(int64(id), 10), At: w.now, Limit: []throttle.Limit{throttle.LimitRate, throttle.LimitMaturity}[i%2], Sentence: fmt.Sprintf("Nothing goes, for reason %d.", i)}})
		w.must(err)
		w.now = w.now.Add(time.Minute)
	}
	manager, viewer, home := w.by[staff.CampaignManager], w.by[staff.PracticeViewer], campaignPath(id)
	if !strings.Contains(w.body(viewer, home), `href="`+home+`/decisions">All decisions`) {
		t.Error("the campaign's page does not lead to all decisions")
	}
	first := w.body(viewer, home+"/decisions")
	older := regexp.MustCompile(`href="([^"]*)">Earlier decisions`).FindStringSubmatch(first)
	if rows := strings.Count(first, "Nothing goes, for reason"); rows != usualPage || older == nil {
		t.Fatalf("the first page has %d decisions, and leads on to %v", rows, older)
	}
	second := w.body(viewer, older[1])
	if rows := strings.Count(second, "Nothing goes, for reason"); rows != n-usualPage || !strings.Contains(second, "1 texts go now.") || strings.Contains(second, "Earlier decisions") || !strings.Contains(second, `href="`+home+`/decisions">The newest`) {
		t.Errorf("the second page: %s", second)
	}
	at, all := "/api/v1"+strings.TrimPrefix(home, "/desk")+"/decisions", []string{}
	for next := ""; ; {
		v := w.answer(w.get(manager, at+"?limit=10&after="+next), 200)
		for _, d := range v["decisions"].([]any) {
			all = append(all, d.(map[string]any)["at"].(string))
		}
		more, ok := v["next"].(string)
		if next = more; !ok {
			break
		}
	}
	if len(all) != n+1 || all[0] <= all[len(all)-1] {
		t.Errorf("%d decisions from %s to %s, want %d", len(all), all[0], all[len(all)-1], n+1)
	}
	w.answer(w.get(manager, at+"?limit=0"), 422)
	w.answer(w.get(manager, at+"?after=x"), 422)
	w.answer(w.get(w.other, at), 404)
}

// What a viewer may not see of a campaign they may not see on its other pages either.
func TestCampaignOfOthersHasNoPages(t *testing.T) {
	w := newWorld(t, nil)
	v := w.call(w.by[staff.CampaignManager], 201, "/api/v1/campaigns", w.draft(w.practiceList("N83014", 5).ID))
	other := campaign.ID(v["id"].(float64))
	for _, page := range []string{"", "/funnel", "/fairness", "/decisions"} {
		if rec := w.get(w.by[staff.PracticeViewer], campaignPath(other)+page); rec.Code != 404 {
			t.Errorf("%s: %d", page, rec.Code)
		}
		if rec := w.get(w.by[staff.PracticeViewer], fmt.Sprintf("/api/v1/campaigns/%d%s", other, page)); rec.Code != 404 {
			t.Errorf("%s by the API: %d", page, rec.Code)
		}
	}
}

// Each picture of a campaign has its numbers behind it as a table.
func TestEachPictureOfACampaignHasItsTable(t *testing.T) {
	w := newWorld(t, nil)
	w.must(w.db.SetWorker(t.Context(), w.by[staff.Administrator], w.by[staff.SeniorLinkWorker].ID, throttle.Worker{Week: officeHours, FirstContact: .5, Minutes: 45, Places: -1}))
	draft := w.made(w.by[staff.CampaignManager], url.Values{"name": {"Next"}, "list": {fmt.Sprint(int64(w.listOf(60, "400").ID))}})
	id := w.launched(w.listOf(400, "999"))
	w.decide(id, 5)
	w.tell(id)
	for path, pictures := range map[string]int{campaignPath(id): 2, draft + "/steps/forecast": 1} {
		figures := strings.Split(w.body(w.by[staff.CampaignManager], path), `<figure class="wp-chart"`)[1:]
		if len(figures) < pictures {
			t.Errorf("%s has %d pictures, not %d", path, len(figures), pictures)
		}
		for i, f := range figures {
			f, _, _ = strings.Cut(f, "</figure>")
			if !strings.Contains(f, "<svg") || !strings.Contains(f, "<table") || strings.Count(f, "<tr") < 2 {
				t.Errorf("picture %d of %s has no table: %s", i, path, f)
			}
		}
	}
}
