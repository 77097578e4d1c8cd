package desk

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// supported is a referral that the link worker supports.
func (b *bench) supported() selfrefer.ReferralID {
	b.tb.Helper()
	id := b.refer(selfrefer.Answers{Name: "Marigold Testperson", Reasons: []string{"loneliness"}, Language: "Polish"}, selfrefer.Verified)
	lin := b.who[staff.LinkWorker]
	for _, e := range []string{"claim", "start_support"} {
		b.send(lin, "POST", fmt.Sprint("/desk/referrals/", id), form("event", e)).holds(b.tb, 303)
	}
	return id
}

func (b *bench) listed(s selfrefer.Service) selfrefer.ServiceID {
	b.tb.Helper()
	s.Active = true
	return must(b.db.SetService(context.Background(), b.who[staff.SeniorLinkWorker], s))(b.tb).ID
}

func TestSupportPage(t *testing.T) {
	b := newBench(t)
	lin, sam, val := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer]
	club := b.listed(selfrefer.Service{Name: "Elm Club", Reasons: []string{"loneliness"}, Languages: []string{"Polish"}, Places: 3, PlacesOn: "2026-06-01"})
	b.listed(selfrefer.Service{Name: "Advice shop", Reasons: []string{"money"}, Places: 0})
	id := b.supported()
	path := fmt.Sprint("/desk/referrals/", id, "/support")
	post := func(a staff.Account, want int, pairs ...string) reply {
		t.Helper()
		b.pass(time.Minute)
		got := b.send(a, "POST", path, form(pairs...))
		got.holds(t, want)
		return got
	}
	b.send(lin, "GET", fmt.Sprint("/desk/referrals/", id), "").holds(t, 200, `href="`+path+`"`, "Add a task or a planned contact", "Add a note")
	page := b.send(lin, "GET", path, "")
	page.holds(t, 200, "Support of Marigold Testperson", "Elm Club (for loneliness; speaks their language; 3 places free)", "Advice shop (full)", `value="2026"`, "Ask: Personal well-being (ONS4)", "how satisfied are you with your life nowadays?")
	if strings.Index(page.body, "Elm Club (") > strings.Index(page.body, "Advice shop (") {
		t.Error("what fits does not come first")
	}
	if strings.Contains(page.body[:strings.Index(page.body, "</title>")], "Marigold") {
		t.Error("the title names a person")
	}

	day := []string{"onward-day-day", "2", "onward-day-month", "6", "onward-day-year", "26"}
	if got := post(lin, 303, append([]string{"do", "onward", "onward-service", fmt.Sprint(club), "onward-how", "phone", "onward-state", "referred", "onward-why", "on <Fridays>"}, day...)...); got.header.Get("Location") != path+"?done=onward#onward" {
		t.Errorf("goes on to %s", got.header.Get("Location"))
	}
	post(lin, 303, append([]string{"do", "onward", "onward-place", "Her  church", "onward-how", "self", "onward-state", "suggested"}, day...)...)
	post(lin, 303, append([]string{"do", "onward", "onward-place", "elm club", "onward-how", "self", "onward-state", "suggested"}, day...)...) // by its name
	if s := must(b.db.Support(context.Background(), lin, id))(t); len(s.Onward) != 3 || s.Onward[2].Service != club || s.Onward[1].Service != 0 || s.Onward[1].Place.Reveal() != "Her church" || s.Onward[0].Day != "2026-06-02" {
		t.Errorf("%+v", s.Onward)
	}
	post(lin, 422, "do", "onward", "onward-how", "self", "onward-day-day", "31", "onward-day-month", "6", "onward-day-year", "2026").holds(t, 422, "Choose a service, or enter the name", "Enter a real date", "Select how far it is", `href="#onward-place"`, "open><summary")
	post(lin, 422, append([]string{"do", "onward", "onward-service", "999", "onward-how", "phone", "onward-state", "did_not_start"}, day...)...).holds(t, 422, "Enter why they did not start")
	post(lin, 409, append([]string{"do", "onward", "onward-service", "999", "onward-how", "phone", "onward-state", "referred"}, day...)...).holds(t, 409, "not in the directory any more")
	post(lin, 303, "do", "goal", "goal-words", "see people again")
	post(lin, 422, "do", "goal", "goal-words", " ").holds(t, 422, "Enter the goal")
	post(lin, 303, "do", "intervention", "intervention-kind", "advocacy", "intervention-day-day", "1", "intervention-day-month", "6", "intervention-day-year", "2026", "intervention-minutes", "25", "intervention-note", "rang the landlord")
	post(lin, 422, "do", "intervention", "intervention-kind", "made_up", "intervention-day-day", "9", "intervention-day-month", "6", "intervention-day-year", "2026", "intervention-minutes", "an hour").holds(t, 422, "Select what you did", "Minutes must be a whole number", "today or before")
	measure := func(want int, day string, pairs ...string) reply {
		return post(lin, want, append([]string{"do", "measure", "kind", "ons4", "own", "0", "measure-ons4-day-day", day, "measure-ons4-day-month", "6", "measure-ons4-day-year", "2026"}, pairs...)...)
	}
	measure(303, "1", "measure-ons4-satisfied", "3", "measure-ons4-anxious", "8")
	measure(303, "2", "measure-ons4-satisfied", "6", "measure-ons4-anxious", "9")
	measure(422, "2", "measure-ons4-satisfied", "11", "measure-ons4-happy", "fine").holds(t, 422, `href="#measure-ons4-satisfied"`, `href="#measure-ons4-happy"`, "from 0 to 10")
	measure(422, "2").holds(t, 422, "Enter one answer at least", `href="#measure-ons4-satisfied"`)
	post(lin, 303, "do", "measure", "kind", "loneliness", "own", "0", "measure-loneliness-day-day", "2", "measure-loneliness-day-month", "6", "measure-loneliness-day-year", "2026", "measure-loneliness-companionship", "3", "measure-loneliness-lonely", "none")
	post(lin, 422, "do", "dance")
	b.send(lin, "GET", path+"?done=onward", "").holds(t, 200, "Saved: the onward referral", "on &lt;Fridays&gt;", `<a href="/desk/services/`, "Her church", "see people again", "Advocacy", "Time noted: 25 minutes", "rang the landlord",
		"3 (1 June 2026)", "6 (2 June 2026)", "Better by 3", "Worse by 1", "Not known yet", "Not answered", "Often (2 June 2026)")

	// Who may look and not change; who has it, and what was recorded by mistake.
	for _, a := range []staff.Account{val} {
		got := b.send(a, "GET", path, "")
		got.holds(t, 200, "Only Lin Okafor and senior link workers change", "see people again")
		if strings.Contains(got.body, "Add a goal") || strings.Contains(got.body, ">Remove<") || strings.Contains(got.body, "End the support") {
			t.Error("somebody may change it who may not")
		}
		post(a, 409, "do", "goal", "goal-words", "x").holds(t, 409, "Only whoever has this referral")
		post(a, 409, "do", "close", "reason", "needs_met").holds(t, 409, "Only whoever has this referral")
	}
	b.send(sam, "GET", path, "").holds(t, 200, "Add a goal", "Remove")
	s := must(b.db.Support(context.Background(), sam, id))(t)
	post(sam, 303, "do", "remove", "kind", "goal", "id", fmt.Sprint(s.Goals[0].ID))
	got := b.send(sam, "GET", path, "")
	got.holds(t, 200, "What was removed", "Put back", "Goal: see people again")
	post(sam, 303, "do", "put-back", "kind", "goal", "id", fmt.Sprint(s.Goals[0].ID))
	post(lin, 303, "do", "set-goal", "id", fmt.Sprint(s.Goals[0].ID), "state", "reached")
	post(lin, 422, "do", "set-onward", "id", fmt.Sprint(s.Onward[1].ID), "state", "did_not_start").holds(t, 422, fmt.Sprintf(`href="#why-%d"`, s.Onward[1].ID))
	post(lin, 303, "do", "set-onward", "id", fmt.Sprint(s.Onward[1].ID), "state", "did_not_start", "why", "too shy")
	post(lin, 409, "do", "set-goal", "id", "999", "state", "reached").holds(t, 409, "not there any more")
	b.send(lin, "GET", path, "").holds(t, 200, "Reached on 2 June 2026", "Did not start", "too shy")

	// The end.
	post(lin, 422, "do", "close").holds(t, 422, "Select why the support has ended", `href="#reason"`)
	post(lin, 422, "do", "close", "reason", "bored").holds(t, 422, "Select why")
	post(lin, 422, "do", "close", "reason", "other").holds(t, 422, "Enter the reason")
	if got := post(lin, 303, "do", "close", "reason", "needs_met", "note", "thank you"); got.header.Get("Location") != "/desk/queue?state=mine&done=close" {
		t.Errorf("goes on to %s", got.header.Get("Location"))
	}
	ended := b.send(lin, "GET", path, "")
	ended.holds(t, 200, "The support ended at 9:", "Their needs are met", "stays as it is", "How far is it?")
	if strings.Contains(ended.body, "Add a goal") || strings.Contains(ended.body, "End the support") {
		t.Error("a referral that is closed can be changed")
	}
	b.send(lin, "GET", fmt.Sprint("/desk/referrals/", id), "").holds(t, 200, "Closed: their needs are met", "thank you", "Support: what was done")
	post(lin, 409, "do", "close", "reason", "needs_met").holds(t, 409, "as it stands now")
	if strings.Contains(b.log.String(), "Marigold") || strings.Contains(b.log.String(), "landlord") {
		t.Error("the log holds words about a person")
	}
}

// The referral's own page ends the support too, and always asks why.
func TestReferralPage_discharge(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	id := b.supported()
	path := fmt.Sprint("/desk/referrals/", id)
	b.send(lin, "GET", path, "").holds(t, 200, "Why has the support ended?", `name="asked" value="reason"`)
	b.send(lin, "POST", path, form("event", "close", "asked", "reason")).holds(t, 422, "Select why the support has ended")
	b.send(lin, "POST", path, form("event", "note", "note", " ")).holds(t, 422, "Enter the note", `href="#note-alone"`)
	b.send(lin, "POST", path, form("event", "note", "note", "left <word>")).holds(t, 303)
	b.send(b.who[staff.Volunteer], "POST", path, form("event", "note", "note", "she rang back")).holds(t, 303)
	b.send(lin, "POST", path, form("event", "close", "asked", "reason", "reason", "lost_contact")).holds(t, 303)
	b.send(lin, "GET", path, "").holds(t, 200, "Closed: we have lost contact", "left &lt;word&gt;", "she rang back")
	var j referralJSON
	if got := b.call(lin, "GET", fmt.Sprint("/referrals/", id), "", &j); got != 200 || j.Contacts[len(j.Contacts)-1].Reason != selfrefer.LostContact || j.Contacts[2].Event != selfrefer.Note {
		t.Errorf("%d %+v", got, j.Contacts)
	}
	other := b.supported()
	for body, want := range map[string]int{`{"reason":"bored"}`: 422, `{"reason":"other"}`: 422, `{"reason":"other","note":"x"}`: 200} {
		if got := b.call(lin, "POST", fmt.Sprint("/referrals/", other, "/close"), body, nil); want == 422 && got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
}

func TestTasksPage(t *testing.T) {
	b := newBench(t)
	lin, sam, val := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer]
	id := b.refer(selfrefer.Answers{Name: "Marigold Testperson"}, selfrefer.Verified)
	path := fmt.Sprint("/desk/referrals/", id)
	b.send(lin, "POST", path, form("event", "claim")).holds(t, 303)
	b.send(lin, "GET", tasksPath, "").holds(t, 200, "Nothing is to be done")
	add := func(a staff.Account, want int, pairs ...string) reply {
		t.Helper()
		got := b.send(a, "POST", path+"/tasks", form(append([]string{"do", "task", "task-kind", "task"}, pairs...)...))
		got.holds(t, want)
		return got
	}
	add(lin, 303, "task-words", "ring again", "task-soon", "2026-06-04")
	add(lin, 303, "task-words", "ask the practice", "task-soon", "2026-06-03", "task-due-day", "2", "task-due-month", "6", "task-due-year", "2026") // what is entered counts
	add(sam, 303, "task-words", "look at this", "task-soon", "2026-06-02", "task-for", fmt.Sprint(val.ID))
	add(lin, 422, "task-soon", "2026-06-04").holds(t, 422, "Enter what is to be done", `href="#task-words"`, "open><summary", `action="`+path+`/tasks"`)
	add(lin, 422, "task-words", "kept in the form").holds(t, 422, "Enter the day by which", "kept in the form")
	add(lin, 422, "task-words", "x", "task-soon", "2026-06-01").holds(t, 422, "today or later")
	add(lin, 422, "task-words", "x", "task-due-day", "31", "task-due-month", "6", "task-due-year", "2026").holds(t, 422, "Enter a real date")
	add(lin, 409, "task-words", "x", "task-soon", "2026-06-04", "task-for", fmt.Sprint(b.away[staff.LinkWorker].ID)).holds(t, 409, "This colleague may not work on this referral")
	b.send(lin, "GET", path, "").holds(t, 200, "ring again", "By Thursday 4 June", "look at this", "Val Green", "Tomorrow, Wednesday 3 June")
	mine := b.send(lin, "GET", tasksPath, "")
	if !inOrder(mine.body, "Today (1)", "ask the practice", "Marigold Testperson", "Later (1)", "ring again") || strings.Contains(mine.body, "look at this") {
		t.Errorf("my tasks: %s", mine.body)
	}
	b.pass(24 * time.Hour)
	mine = b.send(lin, "GET", tasksPath, "")
	if !inOrder(mine.body, "Overdue (1)", "ask the practice", "Later (1)", "ring again") {
		t.Errorf("a day later: %s", mine.body)
	}
	b.send(lin, "GET", path, "").holds(t, 200, "Overdue")

	// Done, and undone at once.
	task := regexp.MustCompile(`name="task" value="(\d+)"`).FindStringSubmatch(mine.body)[1]
	got := b.send(lin, "POST", path+"/tasks", form("do", "tick", "task", task, "done", "1", "from", "tasks"))
	got.holds(t, 303)
	after := b.send(lin, "GET", got.header.Get("Location"), "")
	after.holds(t, 200, "Done: one task less", "Undo: it is not done after all", `name="task" value="`+task+`"`)
	if strings.Contains(after.body, "ask the practice") {
		t.Error("a task that is done stands there")
	}
	b.send(lin, "GET", path, "").holds(t, 200, "Tasks that are done", "Done by Lin Okafor at 9:05am today", "Not done after all")
	b.send(lin, "POST", path+"/tasks", form("do", "tick", "task", task, "done", "0", "from", "tasks")).holds(t, 303)
	b.send(lin, "GET", tasksPath, "").holds(t, 200, "ask the practice")
	b.send(lin, "POST", path+"/tasks", form("do", "tick", "task", "999", "done", "1")).holds(t, 409, "not there any more")
	b.send(lin, "POST", path+"/tasks", form("do", "dance")).holds(t, 422)

	// The holder's tasks go along.
	b.send(lin, "POST", path, form("event", "hand_over", "to", fmt.Sprint(sam.ID))).holds(t, 303)
	b.send(lin, "GET", tasksPath, "").holds(t, 200, "Nothing is to be done")
	b.send(sam, "GET", tasksPath, "").holds(t, 200, "ask the practice", "ring again")
	b.send(val, "GET", tasksPath, "").holds(t, 200, "look at this")
	var j struct{ Tasks []taskJSON }
	if got := b.call(sam, "GET", "/tasks", "", &j); got != 200 || len(j.Tasks) != 2 || j.Tasks[1].Words != "ring again" || j.Tasks[1].Due != "2026-06-04" || j.Tasks[1].For != nil || j.Tasks[1].Name != "Marigold Testperson" {
		t.Errorf("%d %+v", got, j)
	}
}

func TestSupportAPI(t *testing.T) {
	b := newBench(t)
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	club := b.listed(selfrefer.Service{Name: "Elm Club", Reasons: []string{"loneliness"}, Places: selfrefer.UnknownPlaces})
	id := b.supported()
	path := fmt.Sprint("/referrals/", id, "/support")
	var j supportJSON
	record := func(want int, body string) {
		t.Helper()
		var into any
		if j = (supportJSON{}); want == 200 {
			into = &j
		}
		if got := b.call(lin, "POST", path, body, into); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
	record(200, `{"goal":{"words":"get out"}}`)
	record(200, fmt.Sprintf(`{"onward":{"service":%d,"how":"phone","state":"referred"}}`, club))
	record(200, `{"intervention":{"kind":"advocacy","day":"2026-06-01","minutes":5,"note":"rang"}}`)
	record(200, `{"measure":{"kind":"loneliness","scores":{"lonely":4}}}`)
	record(200, `{"task":{"words":"ring","due":"2026-06-03"}}`)
	if j.Referral != id || len(j.Goals) != 1 || j.Goals[0].Words != "get out" || j.Onward[0].Place != "Elm Club" || j.Onward[0].Day != "2026-06-02" || j.Interventions[0].Note != "rang" || j.Measures[0].Scores["lonely"] != 4 ||
		j.Tasks[0].Words != "ring" || j.Tasks[0].Kind != selfrefer.PlainTask || len(j.Suggestions) != 1 || j.Suggestions[0].Service != club || j.Suggestions[0].Places != nil {
		t.Errorf("%+v", j)
	}
	record(200, fmt.Sprintf(`{"set_goal":{"id":%d,"state":"given_up"}}`, j.Goals[0].ID))
	record(200, fmt.Sprintf(`{"set_onward":{"id":%d,"state":"did_not_start","why":"no bus"}}`, j.Onward[0].ID))
	record(200, fmt.Sprintf(`{"tick_task":{"id":%d,"done":true}}`, j.Tasks[0].ID))
	record(200, fmt.Sprintf(`{"remove":{"kind":"measure","id":%d,"removed":true}}`, j.Measures[0].ID))
	if j.Goals[0].State != selfrefer.GivenUp || j.Goals[0].Ended != "2026-06-02" || j.Onward[0].Why != "no bus" || j.Tasks[0].DoneBy == nil || !j.Measures[0].Removed {
		t.Errorf("%+v", j)
	}
	for body, want := range map[string]int{
		`{}`: 422, `{"goal":{"words":"a"},"task":{"words":"b","due":"2026-06-03"}}`: 422, `{"goal":{"words":""}}`: 422, `{"task":{"words":"b","due":"tomorrow"}}`: 422, `{"onward":{"place":"x","how":"phone","state":"referred","day":"2026-07-01"}}`: 422,
		`{"intervention":{"kind":"made_up"}}`: 422, `{"measure":{"kind":"made_up","scores":{"a":1}}}`: 422, `{"measure":{"kind":"ons4","scores":{"happy":11}}}`: 422, `{"set_goal":{"id":999,"state":"reached"}}`: 404,
		`{"onward":{"service":999,"how":"phone","state":"referred"}}`: 404, `{"task":{"words":"b","due":"2026-06-03","for":999}}`: 422, `{"colour":1}`: 422,
	} {
		record(want, body)
	}
	if got := b.call(b.away[staff.SeniorLinkWorker], "POST", path, `{"goal":{"words":"x"}}`, nil); got != 404 {
		t.Errorf("from another network: %d", got)
	}
	var e struct{ Code string }
	if got := b.call(b.who[staff.Volunteer], "POST", path, `{"goal":{"words":"x"}}`, &e); got != 409 || e.Code != "taken" {
		t.Errorf("by somebody else: %d %s", got, e.Code)
	}
	if got := b.call(lin, "POST", fmt.Sprint("/referrals/", id, "/close"), `{"reason":"moved"}`, nil); got != 200 {
		t.Errorf("closed: %d", got)
	}
	if got := b.call(lin, "GET", path, "", &j); got != 200 || j.Ended != selfrefer.HasMoved || j.EndedAt == nil {
		t.Errorf("%d %+v", got, j)
	}

	// What is offered.
	var offer offerJSON
	if got := b.call(sam, "PUT", "/support/interventions", `{"interventions":["Advocacy","Debt café"]}`, &offer); got != 200 || len(offer.Interventions) != 2 || offer.Interventions[1].Code != "debt_cafe" {
		t.Errorf("%d %+v", got, offer)
	}
	if got := b.call(sam, "POST", "/support/measures", `{"name":"Star","questions":["Money?","Friends?"],"low":1,"high":10,"more_is":"better"}`, &offer); got != 200 || len(offer.Measures) != 3 || offer.Measures[2].Name != "Star" || len(offer.Measures[2].Questions) != 2 || len(offer.Discharges) != 7 {
		t.Errorf("%d %+v", got, offer)
	}
	star := offer.Measures[2].Own
	for _, body := range []string{`{"name":"Star"}`, `{"name":"Star","questions":["a"],"low":1,"high":1,"more_is":"better"}`, `{"name":"Star","questions":["a"],"low":1,"high":5,"more_is":"odd"}`} {
		if got := b.call(sam, "POST", "/support/measures", body, nil); got != 422 {
			t.Errorf("%s: %d", body, got)
		}
	}
	other := b.supported()
	if got := b.call(lin, "POST", fmt.Sprint("/referrals/", other, "/support"), fmt.Sprintf(`{"measure":{"kind":"own","own":%d,"scores":{"q1":4}}}`, star), &j); got != 200 || j.Measures[0].Own != star {
		t.Errorf("%d %+v", got, j.Measures)
	}
	b.send(lin, "GET", fmt.Sprint("/desk/referrals/", other, "/support"), "").holds(t, 200, "Ask: Star", "Debt café", "Sum (2 to 20)")
	if got := b.call(sam, "PUT", fmt.Sprint("/support/measures/", star), `{"used":false}`, &offer); got != 200 || offer.Measures[2].Used {
		t.Errorf("%d %+v", got, offer.Measures)
	}
	if page := b.send(lin, "GET", fmt.Sprint("/desk/referrals/", other, "/support"), ""); strings.Contains(page.body, "Ask: Star") || !strings.Contains(page.body, "Sum (2 to 20)") {
		t.Error("a measure out of use is offered, or its answers are gone")
	}
	if got := b.call(sam, "PUT", "/support/measures/999", `{"used":true}`, nil); got != 404 {
		t.Errorf("of nobody: %d", got)
	}
}

func TestOfferPage(t *testing.T) {
	b := newBench(t)
	ada := b.who[staff.Administrator]
	post := func(want int, pairs ...string) reply {
		t.Helper()
		got := b.send(ada, "POST", offerPath, form(pairs...))
		got.holds(t, want)
		return got
	}
	b.send(ada, "GET", offerPath, "").holds(t, 200, "Welfare call", "Add a measure")
	post(303, "do", "kinds", "kinds", "Advocacy\nDebt café")
	post(422, "do", "kinds", "kinds", "a\na").holds(t, 422, "Two lines are the same", `href="#kinds"`)
	post(303, "do", "measure", "name", "Star", "questions", "Money?\nFriends?", "low", "1", "high", "10", "better", "-1")
	post(422, "do", "measure", "name", "Star", "questions", "Money?", "low", "x", "high", "10").holds(t, 422, "The lowest answer must be", "Select whether", "open><summary", `value="Star"`)
	post(422, "do", "dance")
	page := b.send(ada, "GET", offerPath, "")
	page.holds(t, 200, "Debt café", "Star", "1 to 10, lower is better", "Take out of use")
	id := regexp.MustCompile(`name="measure" value="(\d+)"`).FindStringSubmatch(page.body)[1]
	post(303, "do", "use", "measure", id, "used", "0")
	b.send(ada, "GET", offerPath, "").holds(t, 200, "Not in use", "Use again")
	post(404, "do", "use", "measure", "999", "used", "0")
	for range selfrefer.MaxMeasuresUsed {
		post(303, "do", "measure", "name", "Star", "questions", "Money?", "low", "1", "high", "10", "better", "1")
	}
	post(422, "do", "measure", "name", "Star", "questions", "Money?", "low", "1", "high", "10", "better", "1").holds(t, 422, "take one out of use first")
}
