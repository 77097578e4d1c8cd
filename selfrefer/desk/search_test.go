package desk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

func TestSearchPage(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	id := b.refer(selfrefer.Answers{Name: "Siân O'Testperson", Phone: "07700 900123", Reasons: []string{"money"}}, selfrefer.Verified)
	urgent := b.refer(selfrefer.Answers{Name: "Ursula Testperson", Words: "there is no food in the house"}, selfrefer.Verified)
	b.send(lin, "GET", "/desk/queue", "").holds(t, 200, `action="/desk/search"`, `name="find"`)
	b.send(lin, "GET", "/desk/search", "").holds(t, 200, "Find a referral")
	got := b.send(lin, "POST", "/desk/search", form("find", "SIAN o testperson"))
	got.holds(t, 200, "Siân O&#39;Testperson", fmt.Sprintf(`href="/desk/referrals/%d"`, id), "Financial difficulties")
	if strings.Contains(got.body, "Ursula") || got.header.Get("Cache-Control") != "no-store" || got.header.Get("Location") != "" {
		t.Errorf("found more than was asked for, or may be kept: %v", got.header)
	}
	b.send(lin, "POST", "/desk/search", form("find", "07700 900 123")).holds(t, 200, "Siân")
	b.send(lin, "POST", "/desk/search", form("find", "Testpersonn")).holds(t, 200, "Nobody was found", "Only your own network")
	b.send(lin, "POST", "/desk/search", form("find", " ")).holds(t, 422, "Enter a name, a reference", `href="#find"`)
	b.send(b.who[staff.Volunteer], "POST", "/desk/search", form("find", "ursula testperson")).holds(t, 200, "Nobody was found")
	b.send(lin, "POST", "/desk/search", form("find", "ursula testperson")).holds(t, 200, "Ursula", "Urgent")
	if page := b.send(b.who[staff.Administrator], "GET", "/desk/queue", "").body; strings.Contains(page, "/desk/search") {
		t.Error("a role that may not search is offered it")
	}
	var found struct {
		Referrals []referralJSON `json:"referrals"`
		More      bool           `json:"more"`
	}
	if got := b.call(lin, "POST", "/referrals/search", `{"find":"testperson ursula"}`, &found); got != 200 || len(found.Referrals) != 1 || found.Referrals[0].ID != urgent || found.More {
		t.Errorf("%d: %+v", got, found)
	}
	if got := b.call(lin, "POST", "/referrals/search", `{"find":"?"}`, nil); got != 422 {
		t.Errorf("nothing to search for: %d", got)
	}
	if strings.Contains(strings.ToLower(b.log.String()), "testperson") || strings.Contains(b.log.String(), "900123") {
		t.Error("the log holds what was searched for")
	}
	entries, _, err := b.db.AuditEntries(context.Background(), lin.Network, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(strings.ToLower(fmt.Sprint(e)), "ursula") {
			t.Errorf("the audit holds what was searched for: %+v", e)
		}
	}
}

func TestQueueNarrowed(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	b.refer(selfrefer.Answers{Name: "Anna Money", Reasons: []string{"money"}, Language: "Polish"}, selfrefer.Verified)
	b.refer(selfrefer.Answers{Name: "Bert Both", Reasons: []string{"money", "housing"}}, selfrefer.Verified)
	house := b.refer(selfrefer.Answers{Name: "Carl House", Reasons: []string{"housing"}, Language: "Polish"}, selfrefer.Unverified)
	page := b.send(lin, "GET", "/desk/queue?state=new&reason=housing", "")
	page.holds(t, 200, "Bert Both", "Carl House", "New (2)", "Not confirmed (1)", "Housing (2)", "Financial difficulties (2)", "Polish (2)", "Only: <strong>Housing</strong>", `href="/desk/queue?language=Polish&amp;reason=housing&amp;state=new"`, "Show everybody")
	if strings.Contains(page.body, "Anna") || !strings.Contains(page.body, `hx-get="/desk/queue?reason=housing&amp;state=new"`) {
		t.Error("not narrowed, or not for the next look")
	}
	both := b.send(lin, "GET", "/desk/queue?state=new&reason=housing&language=Polish", "")
	both.holds(t, 200, "Carl House", ">New</strong>")
	if strings.Contains(both.body, "Bert") || strings.Contains(both.body, "New (") {
		t.Error("shows others, or a count that nobody has counted")
	}
	// Who comes too late for a claim finds the same narrowed list.
	claim := form("event", "claim", "from", "queue", "state", "new", "after", "0", "reason", "housing", "practice", "", "language", "")
	path := fmt.Sprint("/desk/referrals/", house)
	b.send(b.who[staff.SeniorLinkWorker], "POST", path, form("event", "claim")).holds(t, 303)
	late := b.send(lin, "POST", path, claim)
	late.holds(t, 409, "Sam Jones claimed", "Bert Both", "Only: <strong>Housing</strong>")
	if strings.Contains(late.body, "Anna") {
		t.Error("the list is another one")
	}
	b.send(lin, "GET", "/desk/queue?state=done&reason=housing", "").holds(t, 422)
	b.send(lin, "GET", "/desk/queue?reason=nonsense", "").holds(t, 422)
	b.send(lin, "GET", "/desk/queue?practice=N83006", "").holds(t, 200, "Nobody is waiting")
}

func TestHandOverPage(t *testing.T) {
	b := newBench(t)
	lin, sam, val := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer]
	id := b.refer(selfrefer.Answers{Name: "Marigold Testperson"}, selfrefer.Verified)
	path := fmt.Sprint("/desk/referrals/", id)
	b.send(lin, "POST", path, form("event", "claim")).holds(t, 303)
	page := b.send(lin, "GET", path, "")
	page.holds(t, 200, "Hand it over to a colleague", "Sam Jones, senior link worker", "Val Green, volunteer", "Escalate to a senior")
	if strings.Contains(page.body, "Ada Price") {
		t.Error("who may not work on it is offered")
	}
	b.send(lin, "POST", path, form("event", "hand_over")).holds(t, 422, "Choose a colleague", `href="#hand-to"`, "<details class=\"nhsuk-details\" open>")
	b.send(lin, "POST", path, form("event", "hand_over", "to", fmt.Sprint(b.who[staff.Administrator].ID))).holds(t, 422, "may not work on this referral")
	if got := b.send(lin, "POST", path, form("event", "hand_over", "to", fmt.Sprint(val.ID), "note", "she knows you")); got.header.Get("Location") != "/desk/queue?state=open&done=hand_over" {
		t.Errorf("handed over: %d to %s", got.status, got.header.Get("Location"))
	}
	b.send(lin, "GET", path, "").holds(t, 200, "Take it back from Val Green", "has not opened it yet", "Handed over, not opened")
	b.send(val, "GET", "/desk/queue?state=mine", "").holds(t, 200, "Lin Okafor has handed you", fmt.Sprintf(`href="/desk/referrals/%d"`, id), "Mine (1)", `hx-select-oob="#alerts"`)
	b.send(val, "GET", path, "").holds(t, 200, "she knows you", "Handed over to Val Green")
	if strings.Contains(b.send(val, "GET", "/desk/queue", "").body, "has handed you") {
		t.Error("what was opened still stands at the top")
	}
	b.send(lin, "POST", path, form("event", "take_back")).holds(t, 409, "This cannot be done now")
	var j referralJSON
	if got := b.call(sam, "POST", fmt.Sprintf("/referrals/%d/hand_over", id), fmt.Sprintf(`{"to":%d}`, lin.ID), &j); got != 200 || j.ClaimedBy.ID != lin.ID || j.HandedBy.ID != sam.ID {
		t.Errorf("%d %+v", got, j)
	}
	var p struct {
		Code string `json:"code"`
	}
	if got := b.call(sam, "POST", fmt.Sprintf("/referrals/%d/hand_over", id), `{"to":1}`, &p); got != 422 || p.Code != "not_theirs" {
		t.Errorf("%d %s", got, p.Code)
	}

	// Escalated: whom they rang and when, for the senior at the top of the page until opened, and in the history.
	b.send(lin, "POST", path, form("event", "escalate")).holds(t, 422, "Choose a colleague", "Enter what worries you", "Enter whom you have told by telephone")
	b.send(lin, "POST", path, form("event", "escalate", "to", fmt.Sprint(sam.ID), "why", "w", "told", "t", "told_at", "23:59")).holds(t, 422, "Enter a time of today that has passed")
	b.send(lin, "POST", path, form("event", "escalate", "to", fmt.Sprint(sam.ID), "why", "Her son takes her money", "told", "Jo Hill, safeguarding lead", "number", "0151 496 0999", "told_at", "8.55")).holds(t, 303)
	b.send(sam, "GET", "/desk/queue", "").holds(t, 200, "You were told of", "Escalated")
	b.send(sam, "GET", path, "").holds(t, 200, "Escalated to Sam Jones", "Her son takes her money", "Jo Hill, safeguarding lead", "0151 496 0999", "8:55am today")
	if got := b.call(lin, "GET", fmt.Sprint("/referrals/", id), "", &j); got != 200 || j.Escalated == nil || j.Escalated.Opened == nil || j.Contacts[len(j.Contacts)-1].Escalation.Told != "Jo Hill, safeguarding lead" {
		t.Errorf("%d %+v", got, j.Escalated)
	}
	if got := b.call(lin, "POST", fmt.Sprintf("/referrals/%d/escalate", id), fmt.Sprintf(`{"to":%d,"why":"w","told":"t","told_at":"2030-01-01T00:00:00Z"}`, sam.ID), &p); got != 422 {
		t.Errorf("told in the future: %d", got)
	}
}

func TestAlerts_urgent(t *testing.T) {
	b := newBench(t)
	sam, cam, ada := b.who[staff.SeniorLinkWorker], b.who[staff.CampaignManager], b.who[staff.Administrator]
	if err := b.db.SetWorker(context.Background(), sam, sam.ID, throttle.Worker{Week: usualWeek, FirstContact: .5, Minutes: 45, Places: -1}); err != nil {
		t.Fatal(err)
	}
	id := b.refer(selfrefer.Answers{Name: "Ursula Urgent", Words: "there is no food in the house"}, selfrefer.Unverified)
	say := func(who staff.Account) string {
		t.Helper()
		all, err := b.desk.Alerts(context.Background(), who)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, a := range all {
			out = append(out, a.Text+" "+a.Href)
		}
		return strings.Join(out, "\n")
	}
	b.pass(29 * time.Minute)
	if got := say(sam); !strings.Contains(got, "which has waited since 9:05am today. Claim it now. /desk/referrals/"+fmt.Sprint(id)) || say(cam)+say(ada) != "" {
		t.Errorf("who is at work is told %q, managers %q", got, say(cam)+say(ada))
	}
	b.pass(time.Minute)
	if got := say(sam); !strings.Contains(got, "You are the senior on duty: claim it now. /desk/referrals/"+fmt.Sprint(id)) || say(cam)+say(ada) != "" {
		t.Errorf("the senior is told %q, managers %q", got, say(cam)+say(ada))
	}
	b.send(sam, "GET", "/desk/capacity", "").holds(t, 200, "nobody has claimed", "claim it now")
	b.send(b.who[staff.LinkWorker], "GET", "/desk/queue", "").holds(t, 200, "Senior: claim now")
	b.pass(30 * time.Minute)
	if got := say(cam); !strings.Contains(got, "No senior has claimed it either. Ring the team now. ") || strings.Contains(got, "/desk") {
		t.Errorf("the manager is told %q", got)
	}
	if got := say(ada); !strings.Contains(got, "/desk/queue?state=urgent") || strings.Contains(say(cam)+got+say(sam), "Ursula") {
		t.Errorf("the administrator is told %q", got)
	}
	b.send(b.who[staff.LinkWorker], "GET", "/desk/queue", "").holds(t, 200, "Manager: nobody has it")
}
