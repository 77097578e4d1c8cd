package desk

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// walkSupport looks at the pages of what happens after the call, empty and full, and goes through two onward referrals and the end of the
// support with the keyboard alone.
func (b *bench) walkSupport(t *testing.T, browser *browsertest.Browser, enter func(*testing.T, staff.Account) *browsertest.Page) {
	ctx := context.Background()
	lin, sam, at := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.server.URL
	enter(t, lin).CheckPage(at+tasksPath, "desk-tasks-empty")
	enter(t, sam).CheckPage(at+servicesPath, "desk-services-empty")
	id := b.supported()
	page := at + supportURL(id)
	enter(t, lin).CheckPage(page, "desk-support-empty")

	club := b.listed(selfrefer.Service{Name: "Elm House Friday club and community kitchen", About: "Tea, talk and a warm lunch for anybody over 55, with a bus from Stockbridge Village.\nFridays 10 to 2.", Reasons: []string{"loneliness", "community", "getting_out"},
		Area: "Kirkby", Languages: []string{"Polish", "Ukrainian"}, Places: 3, PlacesOn: "2026-06-01", How: "Ring first; they call back the same day.", Phone: "0151 496 0123", Email: "office@elm-house-friday-club-and-community-kitchen.example", Web: "https://elm-house-friday-club-and-community-kitchen.example/fridays"})
	b.listed(selfrefer.Service{Name: "Advice shop", Reasons: []string{"money"}, Area: "Huyton", Places: 0, PlacesOn: "2026-06-01"})
	must(b.db.AddOwnMeasure(ctx, sam, selfrefer.OwnMeasure{Name: "Outcomes star", Questions: []string{"How well do you manage money?", "How well do you get on with others?"}, Low: 1, High: 10, MoreIs: selfrefer.Better}))(t)
	record := func(c selfrefer.Change) {
		t.Helper()
		if err := b.db.RecordSupport(ctx, lin, id, c); err != nil {
			t.Fatal(err)
		}
	}
	today := b.desk.today()
	record(selfrefer.AddGoal{Goal: selfrefer.Goal{Words: "See people at least twice a week, and not only the doctor", Set: today}})
	record(selfrefer.AddIntervention{Intervention: selfrefer.Intervention{Kind: "accompanied", Day: today, Minutes: 75, Note: "Took the bus together"}})
	record(selfrefer.AddMeasure{Measure: selfrefer.Measure{Day: "2026-05-01", Scores: map[string]int{"satisfied": 3, "worthwhile": 4, "anxious": 8}}, Of: selfrefer.ONS4})
	record(selfrefer.AddMeasure{Measure: selfrefer.Measure{Day: today, Scores: map[string]int{"satisfied": 6, "anxious": 9}}, Of: selfrefer.ONS4})
	record(selfrefer.AddMeasure{Measure: selfrefer.Measure{Day: today, Scores: map[string]int{"companionship": 3, "left_out": 2, "isolated": 3, "lonely": 1}}, Of: selfrefer.Loneliness})
	for words, due := range map[selfrefer.FreeText]selfrefer.Day{"Ring her daughter about the bus pass": "2026-06-01", "Ask the practice for a letter": today, "Ring again": "2026-07-01"} {
		record(selfrefer.AddTask{Task: selfrefer.Task{Kind: selfrefer.FollowUp, Words: words, Due: due}})
	}

	// Two onward referrals and the end, by keyboard and without scripts.
	p := enter(t, lin)
	p.NoScripts()
	p.Goto(page)
	steps := 0
	to := func(id string) { // with Tab, as far as it takes
		t.Helper()
		for range 80 {
			if _, at, _ := strings.Cut(p.Focused(), "#"); strings.HasPrefix(at+".", id+".") {
				return
			}
			p.Press("Tab")
			steps++
		}
		t.Fatalf("the keyboard does not reach %s", id)
	}
	add := func(fill func()) {
		t.Helper()
		to("add-onward")
		p.Press("Enter")
		fill()
		to("onward-why")
		if status := p.FollowKey("Enter"); status != 200 || !strings.HasSuffix(p.URL(), "?done=onward#onward") {
			t.Fatalf("saved: %d at %s: %s", status, p.URL(), p.Text("main"))
		}
	}
	add(func() { to("onward-service"); p.Press("Down") })
	add(func() { to("onward-place"); p.Fill("#onward-place", "St Chad's lunch club") })
	s := must(b.db.Support(ctx, lin, id))(t)
	if len(s.Onward) != 2 || s.Onward[0].Service != club || s.Onward[1].Place.Reveal() != "St Chad's lunch club" || s.Onward[1].State != selfrefer.Referred || s.Onward[1].Day != today {
		t.Fatalf("%+v", s.Onward)
	}
	t.Logf("%d key strokes for two onward referrals", steps)

	p = enter(t, lin)
	p.CheckPage(page, "desk-support")
	p.Goto(page)
	p.Click("#add-onward")
	p.CheckWide("desk-support-onward")
	p.Click("#measures ~ details:has([value=ons4]) > summary")
	p.Click("#measures ~ details:has([value=loneliness]) > summary")
	p.CheckSmall("desk-support-measures")
	for _, c := range []struct {
		name, path string
		who        staff.Account
	}{
		{"desk-tasks", tasksPath, lin},
		{"desk-support-other", supportURL(id), b.who[staff.Volunteer]},
		{"desk-referral-tasks", fmt.Sprint("/desk/referrals/", id), lin},
		{"desk-services", servicesPath, sam},
		{"desk-services-narrowed", servicesPath + "?reason=loneliness&find=tea", lin},
		{"desk-service", fmt.Sprint(servicesPath, "/", club), sam},
		{"desk-service-edit", fmt.Sprint(servicesPath, "/", club, "/edit"), sam},
		{"desk-service-new", servicesPath + "/new", sam},
		{"desk-services-import", servicesPath + "/import", sam},
		{"desk-support-offer", offerPath, sam},
	} {
		enter(t, c.who).CheckPage(at+c.path, c.name)
	}

	p = enter(t, lin)
	p.NoScripts()
	p.Goto(page)
	to("reason")
	p.Press("Space")
	to("note")
	p.Press("Tab")
	if status := p.FollowKey("Enter"); status != 200 || !strings.Contains(p.URL(), "done=close") {
		t.Fatalf("ended: %d at %s: %s", status, p.URL(), p.Text("main"))
	}
	if s := must(b.db.Support(ctx, lin, id))(t); s.Ended != selfrefer.NeedsMet {
		t.Errorf("ended: %q", s.Ended)
	}
	enter(t, lin).CheckPage(page, "desk-support-ended")
}
