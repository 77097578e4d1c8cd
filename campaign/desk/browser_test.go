package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
	"github.com/wellpaced/wellpaced/throttle"
)

// Every screen in a real browser, wide and as a small phone. Set WELLPACED_SHOTS to a folder for pictures.
func TestScreens(t *testing.T) {
	b := browsertest.Open(t)
	w := newWorld(t, func(c *Config) { c.Machinery = busyMachinery })
	admin, manager := w.by[staff.Administrator], w.by[staff.CampaignManager]
	dirty := csvOf(120, "999") + "1,Eve,Singh,01/02/1970,07700900999,N83006,\n" + nhs(500, "999") + ",Fay,Singh,01/02/1970,0151 496 0000,N83006,\n" +
		nhs(501, "999") + ",Gus,Singh,01/02/2019,07700900998,N83006,\n" + nhs(1, "999") + ",Ann,Singh,01/02/1970,07700900997,N83006,\n"
	v := w.answer(w.upload(manager, "/api/v1/lists", "@All adults of Knowsley Central, export of 1 June.csv="+dirty), 201)
	list := int64(v["id"].(float64))

	// The browser signs in as whoever sits there now.
	sits := manager
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := w.h.cfg.UI.Protect(w.site)
		h.ServeHTTP(rw, r.WithContext(staff.With(r.Context(), sits)))
	}))
	t.Cleanup(server.Close)
	check := func(url, name string) { b.Page().CheckPage(url, name) } // a new tab is wide again
	p := b.Page()
	check(server.URL+"/desk/lists", "lists")
	check(server.URL+fmt.Sprintf("/desk/lists/%d", list), "list")
	rec := w.upload(manager, "/desk/lists", "@Practice export.csv=who,First name,Surname,Date of birth,Mobile,Sex,Conditions\n"+
		nhs(600, "999")+",Ann,Singh,01/02/1950,07700900600,F,FRAILTY\n"+nhs(601, "999")+",Ben,Roe,01/02/1980,07700900601,M,COPD; FRAILTY\n")
	upload := server.URL + rec.Header().Get("Location")
	check(upload, "list-columns")
	p.Goto(upload)
	if p.Follow("form[action^='/desk/uploads/'] button") != 422 { // nobody has said yet which column the NHS numbers are
		t.Error("a list without NHS numbers was taken")
	}
	w.h.screening <- struct{}{} // nothing is read for now: the page shows how far it is
	busy := w.stage("@Other export.csv=" + csvOf(20, "999"))
	w.confirm(busy)
	check(server.URL+busy, "list-checking")
	<-w.h.screening
	check(server.URL+fmt.Sprintf("/desk/lists/%d/narrow", list), "list-narrow")
	check(server.URL+fmt.Sprintf("/desk/lists/%d/compare?with=%d", list, w.listOf(30, "999").ID), "list-compare")
	check(server.URL+"/desk/lists", "lists-waiting")
	check(server.URL+fmt.Sprintf("/desk/campaigns/new?list=%d", list), "campaign-new")
	spoken := w.made(manager, url.Values{"name": {"Languages"}, "list": {fmt.Sprint(w.spoken("400", "Arabic", "Polish", "Urdu", "", "Chinese", "Somali"))}})
	check(server.URL+spoken+"/steps/what", "campaign-what-languages")

	// Typing shows the text as people will see it, without a press.
	p.Goto(server.URL + spoken + "/steps/what")
	p.Fill("#text", campaign.DefaultText+" Really.")
	p.Press("Tab")
	for tries := 0; !strings.Contains(p.HTML(), "Really."); tries++ { // what is typed is no part of the document; only the check is
		if tries == 100 {
			t.Fatal("what was typed is not shown as people will see it")
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.must(w.db.SetWorker(context.Background(), admin, w.by[staff.SeniorLinkWorker].ID, throttle.Worker{Week: officeHours, FirstContact: .5, Minutes: 45, Places: -1}))

	// All six steps by keyboard alone, and without scripts.
	keys := b.Page()
	keys.NoScripts()
	keys.Goto(server.URL + fmt.Sprintf("/desk/campaigns/new?list=%d", list))
	strokes := 0
	reach := func(what string, there func() bool) {
		t.Helper()
		for range 90 {
			if there() {
				return
			}
			keys.Press("Tab")
			strokes++
		}
		t.Fatalf("the keyboard does not reach %s at %s", what, keys.URL())
	}
	to := func(id string) {
		t.Helper()
		reach(id, func() bool { _, at, _ := strings.Cut(keys.Focused(), "#"); return strings.HasPrefix(at+".", id+".") })
	}
	press := func(words, next string) {
		t.Helper()
		reach(words, func() bool { return keys.FocusedWords() == words })
		if status := keys.FollowKey("Enter"); status != 200 || !strings.Contains(keys.URL(), next) {
			t.Fatalf("%s: %d at %s: %s", words, status, keys.URL(), keys.Text("main"))
		}
	}
	write := func(id, words string) {
		t.Helper()
		to(id)
		for _, r := range words {
			keys.Press(string(r))
		}
	}
	write("name", "Spring")
	press("Save and go on", "/steps/what")
	at := strings.TrimSuffix(keys.URL(), "/steps/what")
	press("Check this text", "/steps/what/preview")
	write("phone", "07700900123")
	press("Save, and send me a test text", "done=test")
	press("Save and go on", "/steps/when")
	write("daily_cap", "50")
	press("Save and go on", "/steps/team")
	to("team")
	keys.Press("Space")
	press("Save and go on", "/steps/forecast")
	write("cap", "60")
	press("See what would happen", "cap=60")
	press("Save and go on", "/steps/check")
	t.Logf("%d times Tab for six steps", strokes)
	for _, p := range partPages {
		check(at+"/steps/"+p.name, "campaign-step-"+p.name)
	}
	check(at+"/steps/forecast?capacity=50", "campaign-step-tried")
	until := func(what, css, words string) {
		t.Helper()
		for tries := 0; !strings.Contains(p.Text(css), words); tries++ {
			if tries == 100 {
				t.Fatalf("%s: %s", what, p.Text(css))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	// What is ticked is counted, and what a slider is moved to is tried, without a press.
	p.Goto(at + "/steps/who")
	p.Click("#chosen > details:last-of-type > summary")
	p.Click("#practices-2")
	until("nobody is counted", "#counted", "60 of the 120 in this list")
	p.CheckWide("campaign-step-cohort")
	p.Phone()
	p.CheckSmall("campaign-step-cohort")
	p = b.Page()
	p.Goto(at + "/steps/forecast")
	p.Click(".wp-slider") // in its middle
	until("nothing is tried", "#outlook", "As it is saved, and as you try it")
	press("Send for approval", strings.TrimPrefix(at, server.URL))
	id, err := strconv.ParseInt(at[len(server.URL+"/desk/campaigns/"):], 10, 64)
	w.must(err)
	c, err := w.db.Campaign(context.Background(), w.network.ID, campaign.ID(id))
	if err != nil || c.State != campaign.Submitted || c.Policy.DailyCap != 50 || c.Name != "Spring" {
		t.Fatalf("after the walk: %+v %v", c, err)
	}
	check(server.URL+spoken, "campaign-draft")
	check(at, "campaign-submitted")
	sits = admin
	check(at+"/approve", "campaign-approve")
	check(server.URL+fmt.Sprintf("/desk/lists/%d/looked", c.Audience), "list-looked")
	p.Goto(at + "/approve")
	p.Follow("form[action$='/approve'] button")
	check(at, "campaign-approved")
	p.Goto(at)
	for _, practice := range w.network.Practices {
		check(at+"/practices/"+practice.ODS, "practice-"+practice.ODS)
		p.Goto(at + "/practices/" + practice.ODS)
		p.Fill("#note", "Dr Ray, by phone today")
		p.Press("Tab") // by keyboard from the note to the button
		if p.FollowKey("Enter") != 200 {
			t.Fatal("the practice did not agree")
		}
	}
	check(at+"/practices/N83006", "practice-agreed")
	check(at+"/launch", "campaign-launch")
	p.Goto(at + "/launch")
	p.Follow("form[action$='/launch'] button")
	w.h.launches.Wait()
	for i, ring := range w.decide(campaign.ID(id), 30) {
		_, err := w.db.Claim(context.Background(), ring)
		w.must(err)
		w.must(w.db.Record(context.Background(), ring, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprint("SM", i)}))
	}
	w.decide(campaign.ID(id), 30)
	check(at, "campaign-look")
	w.call(admin, 200, fmt.Sprintf("/api/v1/campaigns/%d/resume", id), "")
	for day := range 6 {
		w.now = civil.AddDate(0, 0, day)
		w.decide(campaign.ID(id), 8+3*day)
	}
	check(at, "campaign-running")
	w.now = civil.AddDate(0, 0, 1)
	fresh := w.listOf(60, "999")
	check(at+"/fresh-list", "fresh-choose")
	w.must(w.db.StartFresh(context.Background(), manager, campaign.ID(id), fresh.ID))
	w.must(w.db.Freshen(context.Background(), campaign.ID(id)))
	check(at+"/fresh-list", "fresh-asking")
	w.must(w.db.CancelFresh(context.Background(), manager, campaign.ID(id)))
	check(at+"/stop", "campaign-stop")
	check(server.URL+"/desk/campaigns", "campaigns")
	w.now = civil.AddDate(0, 0, 2) // a day on which texts may go
	w.refuse(campaign.ID(id))
	check(server.URL+"/desk/system", "system")
	w.tell(campaign.ID(id))
	check(at, "campaign-counted")
	check(at+"/funnel", "funnel")
	check(at+"/fairness", "fairness")
	check(at+"/decisions", "decisions")
	p.Goto(at + "/funnel")
	if p.Follow("#runs button") != 200 || !strings.Contains(p.URL(), "/funnel?done=") { // by whoever reads the funnel, without leaving it
		t.Errorf("the press on the funnel leads to %s", p.URL())
	}
	check(p.URL(), "funnel-paused")
	check(server.URL+"/desk/deprivation", "deprivation")
}
