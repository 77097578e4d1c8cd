package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

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
	check(server.URL+fmt.Sprintf("/desk/campaigns/new?list=%d", w.spoken("400", "Arabic", "Polish", "Urdu", "", "Chinese", "Somali")), "campaign-new-languages")

	p.Goto(server.URL + fmt.Sprintf("/desk/campaigns/new?list=%d", list))
	// Typing shows the text as people will see it, without a press.
	p.Fill("#name", "Spring: would a chat help?")
	p.Fill("#text", campaign.DefaultText)
	p.Press("Tab")
	if got := p.Text("#check dl"); got == "" {
		t.Error("the check of the text is empty")
	}
	if p.Follow("form[action='/desk/campaigns'] > button:last-of-type") != 200 {
		t.Fatal("the campaign was not made")
	}
	at := p.URL()
	id, err := strconv.ParseInt(at[len(server.URL+"/desk/campaigns/"):], 10, 64)
	w.must(err)
	check(at, "campaign-draft")
	p.Follow("form[action$='/submit'] button")
	sits = admin
	check(at+"/approve", "campaign-approve")
	p.Goto(at + "/approve")
	p.Follow("form[action$='/approve'] button")
	check(at, "campaign-approved")
	p.Goto(at)
	for range w.network.Practices {
		p.Follow("form[action*='/practices/'] button")
	}
	check(at+"/launch", "campaign-launch")
	p.Goto(at + "/launch")
	p.Follow("form[action$='/launch'] button")
	w.h.launches.Wait()
	w.must(w.db.SetWorker(context.Background(), admin, w.by[staff.LinkWorker].ID, throttle.Worker{Week: officeHours, FirstContact: .5, Minutes: 45, Places: -1}))
	for day := range 6 {
		w.now = civil.AddDate(0, 0, day)
		w.decide(campaign.ID(id), 8+3*day)
	}
	check(at, "campaign-running")
	check(at+"/stop", "campaign-stop")
	check(server.URL+"/desk/campaigns", "campaigns")
	w.now = civil.AddDate(0, 0, 2) // a day on which texts may go
	w.refuse(campaign.ID(id))
	check(server.URL+"/desk/system", "system")
}
