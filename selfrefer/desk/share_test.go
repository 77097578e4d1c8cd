package desk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
	"github.com/wellpaced/wellpaced/throttle"
)

// crew gives everybody who makes first contacts hours: one an hour, for half of the day.
func (b *bench) crew(places int) (lin, sam, val staff.Account) {
	b.tb.Helper()
	lin, sam, val = b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer]
	for _, a := range []staff.Account{lin, sam, val} {
		if err := b.db.SetWorker(context.Background(), sam, a.ID, throttle.Worker{Week: usualWeek, FirstContact: .5, Minutes: 60, Places: places}); err != nil {
			b.tb.Fatal(err)
		}
	}
	return lin, sam, val
}

// lacks fails if the page shows one of some words.
func (r reply) lacks(tb testing.TB, words ...string) {
	tb.Helper()
	for _, w := range words {
		if r.status != 200 || strings.Contains(r.body, w) {
			tb.Errorf("%d, and shows %q", r.status, w)
		}
	}
}

func TestNextUp(t *testing.T) {
	b := newBench(t)
	b.send(b.who[staff.LinkWorker], "GET", queuePath, "").lacks(t, "Next for you", "Nothing new is suggested")
	lin, sam, val := b.crew(-1)
	id := b.refer(selfrefer.Answers{Name: "Marigold Testperson", Reasons: []string{"loneliness"}, Language: "Polish"}, selfrefer.Verified)
	b.send(sam, "POST", fmt.Sprint(rosterPath, "/", lin.ID, "/languages"), "speaks=Polish&speaks=Urdu").holds(t, 303)
	b.send(sam, "POST", fmt.Sprint(rosterPath, "/", lin.ID, "/languages"), form("speaks", "Klingon")).holds(t, 422)
	b.send(sam, "GET", fmt.Sprint(rosterPath, "/", lin.ID), "").holds(t, 200, "Languages: Polish, Urdu")
	b.send(lin, "GET", queuePath, "").holds(t, 200, "Next for you", "Marigold Testperson", "Why: You have 4 first contacts free today, you speak Polish.", `id="claim-next"`)
	b.send(lin, "GET", queuePath+"?state=waiting", "").lacks(t, "Next for you")
	b.send(val, "GET", queuePath, "").lacks(t, "Next for you")
	var next nextJSON
	if status := b.call(lin, "GET", "/referrals/next", "", &next); status != 200 || next.Referral == nil || next.Referral.ID != id || next.Room != 4 || !strings.Contains(next.Why, "Polish") {
		t.Errorf("%d %+v", status, next)
	}
	next = nextJSON{}
	if status := b.call(val, "GET", "/referrals/next", "", &next); status != 200 || next.Referral != nil || next.Room != 4 {
		t.Errorf("%d %+v", status, next)
	}
	// The capacity page tells the same.
	b.send(lin, "GET", rosterPath, "").holds(t, 200, "Who carries what", "Suggested today", "English, Polish, Urdu", "Nothing is handed over by itself", `href="/desk/sick"`)
	b.send(lin, "POST", fmt.Sprint("/desk/referrals/", id), form("event", "claim", "from", "queue", "state", "open")).holds(t, 303)
	for range 3 {
		b.send(lin, "POST", fmt.Sprint("/desk/referrals/", b.refer(selfrefer.Answers{Name: "Somebody"}, selfrefer.Verified)), form("event", "claim")).holds(t, 303)
	}
	b.send(lin, "GET", queuePath, "").holds(t, 200, "Nothing new is suggested to you")
}

func TestSharingPage(t *testing.T) {
	b := newBench(t)
	lin, sam, _ := b.crew(-1)
	b.send(sam, "GET", sharingPath, "").holds(t, 200, "How the work is shared", `value="60"`, `value="10:30"`)
	b.send(sam, "POST", sharingPath, form("auto", "x", "wait", "2", "ask", "25:00")).holds(t, 422, "Select who gets", "from 5 to 2400", "Enter a time of day", `value="25:00"`)
	b.send(sam, "POST", sharingPath, form("auto", "auto", "wait", "90", "ask", "")).holds(t, 303)
	b.send(lin, "GET", rosterPath+"?done=sharing", "").holds(t, 200, "Saved. The work is shared so", "is handed to somebody who is at work")
	path := fmt.Sprint("/teams/", b.team.ID, "/sharing")
	var got sharingJSON
	if status := b.call(lin, "GET", path, "", &got); status != 200 || !got.Auto || got.Wait != 90 || got.Ask != nil || len(got.Loads) != 3 {
		t.Errorf("%d %+v", status, got)
	}
	body := fmt.Sprintf(`{"auto_assign":false,"wait_minutes":30,"ask_at":"11:00","workers":[{"account":%d,"speaks":["Welsh"]}]}`, lin.ID)
	if status := b.call(sam, "PUT", path, body, &got); status != 200 || got.Auto || got.Ask == nil || *got.Ask != "11:00" {
		t.Errorf("%d %+v", status, got)
	}
	for _, l := range got.Loads {
		if welsh := len(l.Speaks) == 1 && l.Speaks[0] == "Welsh"; welsh != (l.Account == lin.ID) {
			t.Errorf("%+v", l)
		}
	}
	for _, bad := range []string{`{"auto_assign":true,"wait_minutes":1,"ask_at":null}`, `{"auto_assign":true,"wait_minutes":60,"ask_at":"x"}`,
		fmt.Sprintf(`{"wait_minutes":60,"ask_at":null,"workers":[{"account":%d,"speaks":["Klingon"]}]}`, lin.ID), fmt.Sprintf(`{"wait_minutes":60,"ask_at":null,"workers":[{"account":%d,"speaks":[]}]}`, b.away[staff.LinkWorker].ID)} {
		if status := b.call(sam, "PUT", path, bad, nil); status != 422 {
			t.Errorf("%s: %d", bad, status)
		}
	}
}

func TestSickPage(t *testing.T) {
	b := newBench(t)
	lin, sam, val := b.crew(-1)
	admin := b.who[staff.Administrator]
	var refs []string
	var ids []selfrefer.ReferralID
	for _, name := range []string{"Marigold Testperson", "Una Other"} {
		id := b.refer(selfrefer.Answers{Name: name, Reasons: []string{"loneliness"}}, selfrefer.Verified)
		b.send(lin, "POST", fmt.Sprint("/desk/referrals/", id), form("event", "claim")).holds(t, 303)
		r, _, err := b.db.Referral(context.Background(), lin, id)
		if err != nil {
			t.Fatal(err)
		}
		refs, ids = append(refs, r.Reference), append(ids, id)
	}
	path := fmt.Sprint(rosterPath, "/", lin.ID, "/sick")
	page := b.send(admin, "GET", path, "")
	page.holds(t, 200, "Lin Okafor is off sick", refs[0], refs[1], "Nothing is saved yet", "2 referrals", "first contacts free until")
	if strings.Contains(page.body, "Marigold") {
		t.Error("the plan names a patient to an administrator")
	}
	b.send(val, "GET", path, "").holds(t, 403)
	b.send(admin, "GET", sickPath, "").holds(t, 403)
	b.send(lin, "POST", sickPath, form("do", "preview", "last-day", "30", "last-month", "9", "last-year", "2026")).holds(t, 422, "within four weeks")
	b.send(lin, "POST", sickPath, form("do", "preview", "last-day", "3", "last-month", "6", "last-year", "2026", "support", "yes")).holds(t, 200, "until the end of Wednesday 3 June", `name="support" value="yes"`)
	b.send(lin, "POST", sickPath, form("do", "sick", "until", "1")).holds(t, 422)
	until := fmt.Sprint(b.desk.endOfDay(b.civil()).UnixMilli())
	b.send(lin, "POST", sickPath, form("do", "sick", "until", until, "seen", fmt.Sprintf("%d:%d nonsense 7:x %d:%d", ids[0], val.ID, ids[1], sam.ID))).holds(t, 303)
	b.send(lin, "GET", sickPath+"?done=sick", "").holds(t, 200, "You are away until", "Val Green", "Sam Jones", "I am back", "Saved. What was in hand is shared out.")
	b.send(val, "GET", queuePath+"?state=mine", "").holds(t, 200, "Marigold Testperson", "Wellpaced has handed you")
	b.send(sam, "GET", fmt.Sprint("/desk/referrals/", ids[0]), "").holds(t, 200, "Handed over to Val Green", "Wellpaced", "Lin is away.")
	b.send(sam, "GET", rosterPath, "").holds(t, 200, "Tuesday 2 June")
	b.send(val, "GET", fmt.Sprint("/desk/referrals/", ids[0]), "").holds(t, 200) // opened: it stays
	b.send(sam, "POST", path, form("do", "back")).holds(t, 303)
	b.send(sam, "POST", path, form("do", "back")).holds(t, 303) // twice is no error
	b.send(lin, "GET", queuePath+"?state=mine", "").holds(t, 200, refs[1])
	b.send(lin, "GET", queuePath+"?state=mine", "").lacks(t, refs[0])

	// The API does the same.
	api := fmt.Sprint("/accounts/", lin.ID, "/sick")
	var got sickJSON
	if status := b.call(admin, "GET", api, "", &got); status != 200 || got.Until != nil || len(got.Moves) != 1 || got.Moves[0].Why == "" {
		t.Errorf("%d %+v", status, got)
	}
	if status := b.call(lin, "POST", "/sick", `{"in_support":true}`, &got); status != 200 || got.Until == nil || !got.Done || len(got.Moves) != 1 {
		t.Errorf("%d %+v", status, got)
	}
	var back struct{ Returned int }
	if status := b.call(admin, "DELETE", api, "", &back); status != 200 || back.Returned != 1 {
		t.Errorf("%d %+v", status, back)
	}
	if status := b.call(admin, "DELETE", api, "", nil); status != 409 {
		t.Errorf("back again: %d", status)
	}
}

func TestPresencePage(t *testing.T) {
	b := newBench(t)
	lin, sam, val := b.crew(-1)
	b.pass(24 * time.Hour) // the roster was set yesterday
	b.pass(3 * time.Hour)
	ask := "Lin Okafor should be at work and has opened nothing today. Is Lin Okafor in?"
	path := fmt.Sprint(rosterPath, "/", lin.ID, "/presence")
	b.send(sam, "GET", queuePath, "").holds(t, 200, ask, path)
	b.send(val, "GET", queuePath, "").lacks(t, ask)
	b.send(sam, "GET", path, "").holds(t, 200, "Is Lin Okafor in today?", "Yes, Lin Okafor is in", fmt.Sprint(rosterPath, "/", lin.ID, "/sick"))
	b.send(sam, "POST", path, "").holds(t, 303)
	b.send(sam, "GET", queuePath, "").lacks(t, ask)
	if status := b.call(sam, "POST", fmt.Sprint("/accounts/", val.ID, "/present"), "", nil); status != 204 {
		t.Errorf("status %d", status)
	}
}

// The languages are those that the form offers: package form tests that.
func TestShareBrowser(t *testing.T) {
	if !ui.Built() {
		t.Skip("the styles are not built: run make assets")
	}
	browser := browsertest.Open(t)
	b := newBench(t)
	lin, sam, _ := b.crew(20)
	var mine []selfrefer.ReferralID
	for i := range 4 {
		id := b.refer(selfrefer.Answers{Name: fmt.Sprint("Marigold Testperson", i), Reasons: []string{"loneliness"}}, selfrefer.Verified)
		if i < 3 {
			b.send(lin, "POST", fmt.Sprint("/desk/referrals/", id), form("event", "claim")).holds(t, 303)
			mine = append(mine, id)
		}
	}
	enter := func(a staff.Account) *browsertest.Page {
		p := browser.In(t).Page()
		p.Goto(b.server.URL + queuePath)
		p.Fill("#email", a.Email)
		p.Fill("#password", testPassword)
		p.Follow("main button")
		return p
	}
	sick := fmt.Sprint(rosterPath, "/", lin.ID, "/sick")
	p := enter(sam)
	for name, path := range map[string]string{"desk-queue-next": queuePath, "desk-capacity-loads": rosterPath, "desk-sharing": sharingPath, "desk-sick": sick,
		"desk-presence": fmt.Sprint(rosterPath, "/", lin.ID, "/presence"), "desk-worker-languages": fmt.Sprint(rosterPath, "/", lin.ID)} {
		p.CheckPage(b.server.URL+path, name)
	}
	// One button, and back, without scripts.
	p = enter(sam)
	p.NoScripts()
	p.Goto(b.server.URL + sick)
	if status := p.Follow("form:has([value=sick]) button"); status != 200 || !strings.Contains(p.Text("main"), "is away until") {
		t.Fatalf("off sick: %d at %s", status, p.URL())
	}
	enter(sam).CheckPage(b.server.URL+sick, "desk-sick-away")
	if r, _, err := b.db.Referral(context.Background(), sam, mine[0]); err != nil || r.ClaimedBy == lin.ID {
		t.Errorf("it is still with them: %v", err)
	}
	p.Goto(b.server.URL + sick)
	if status := p.Follow("form:has([value=back]) button"); status != 200 || !strings.Contains(p.Text("main"), "Nothing is saved yet") {
		t.Errorf("back: %d at %s", status, p.URL())
	}
}
