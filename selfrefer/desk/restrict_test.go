package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// another is one more account of the first network.
func (b *bench) another(name string, role staff.Role) staff.Account {
	b.tb.Helper()
	a := staff.Account{Network: b.net.ID, Email: strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@0.example", Name: name, Role: role}
	if role.Answers() {
		a.Team = b.team.ID
	}
	return must(b.db.CreateAccount(context.Background(), a, passwordHash()))(b.tb)
}

func (b *bench) restrict(id selfrefer.ReferralID, x selfrefer.Restriction) {
	b.tb.Helper()
	if x.Reason = selfrefer.HarmHere; b.db.Restrict(context.Background(), b.who[staff.Administrator], id, x) != nil {
		b.tb.Fatal("not restricted")
	}
}

var inPath = regexp.MustCompile(`\{[a-z]+\}`)

// reads asks every address that only reads, and every part and filter of the queue, for all that somebody can be told.
func (b *bench) reads(a staff.Account, id selfrefer.ReferralID, reference string, hook int64) map[string]reply {
	b.tb.Helper()
	fill := map[string]string{"{id}": fmt.Sprint(id), "{account}": fmt.Sprint(a.ID), "{team}": fmt.Sprint(b.team.ID), "{ods}": "N83006", "{hook}": fmt.Sprint(hook), "{part}": "help", "{entry}": "new"}
	got := map[string]reply{}
	ask := func(path string) { got[path] = b.send(a, "GET", path, "") }
	walked := 0
	err := chi.Walk(b.router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != "GET" || !strings.HasPrefix(pattern, "/desk") && !strings.HasPrefix(pattern, "/api/") {
			return nil
		}
		walked++
		ask(inPath.ReplaceAllStringFunc(pattern, func(name string) string {
			if fill[name] == "" {
				return "999"
			}
			return fill[name]
		}))
		return nil
	})
	if err != nil || walked < 50 {
		b.tb.Fatalf("%d addresses walked, %v", walked, err)
	}
	for _, base := range []string{queuePath, "/api/v1/referrals"} {
		for _, p := range parts {
			ask(base + "?state=" + p.state)
		}
		for _, s := range selfrefer.States {
			ask(base + "?state=" + string(s))
		}
		for _, by := range []string{"reason=loneliness", "reason=money", "practice=", "language=Welsh"} {
			ask(base + "?state=open&" + by)
		}
	}
	for _, words := range []string{"Marigold Testperson", reference, "07700 900123"} {
		got["search "+words] = b.send(a, "POST", searchPath, form("find", words))
		got["api search "+words] = b.send(a, "POST", "/api/v1/referrals/search", fmt.Sprintf(`{"find":%q}`, words))
	}
	return got
}

// referred is one to be restricted, with whatever hangs on it: the holder is a link worker, who has a task and was told of it.
func (b *bench) referred() (id, sibling selfrefer.ReferralID, reference string) {
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	a := selfrefer.Answers{Name: "Marigold Testperson", BirthDate: "2 8 1951", Phone: "07700 900123", Reasons: []string{"loneliness"}, Language: "Welsh", Words: "there is no food in the house", Tell: []string{"practice"}}
	sibling = b.refer(selfrefer.Answers{Name: "Hubert Testperson", Phone: "07700 900123", Reasons: []string{"money"}}, selfrefer.Verified)
	id = b.refer(a, selfrefer.Verified)
	path := referralPath(id)
	b.send(lin, "POST", path, form("event", "claim")).holds(b.tb, 303)
	b.send(lin, "POST", path+"/tasks", form("do", "task", "task-words", "ring", "task-kind", "task", "task-soon", "2026-06-03")).holds(b.tb, 303)
	b.send(lin, "POST", path, form("event", "escalate", "to", fmt.Sprint(sam.ID), "why", "no food", "told", "Jo Hill")).holds(b.tb, 303)
	return id, sibling, b.reference(id)
}

// Nothing that this desk answers tells somebody of a referral that must not exist for them: not its reference, not its id, not a name, not a
// count; whatever their role.
func TestRestrict_neverExists(t *testing.T) {
	b := newBench(t)
	hook := b.hook("https://hooks.example.org/in").ID
	cast := map[staff.Role]staff.Account{}
	var never []staff.AccountID
	for _, role := range staff.Roles {
		cast[role] = b.another("Other "+role.Words(), role)
		never = append(never, cast[role].ID)
	}
	b.refer(selfrefer.Answers{Name: "Somebody Else", Reasons: []string{"housing"}}, selfrefer.Verified)
	id, sibling, reference := b.referred()
	for role, a := range cast { // else the test would find nothing wherever it looks
		if role != staff.PracticeViewer && role != staff.Volunteer && role != staff.CampaignManager && role != staff.Administrator && !strings.Contains(b.send(a, "GET", queuePath, "").body, reference) {
			t.Fatalf("a %s does not see it before it is restricted", role)
		}
	}
	b.restrict(id, selfrefer.Restriction{Never: never})
	for range 3 { // past the time when it is offered to seniors and managers
		b.pass(40 * time.Minute)
		for role, a := range cast {
			for path, got := range b.reads(a, id, reference, hook) {
				searched := strings.Contains(path, "search") // what was typed stands in its field again
				for _, word := range []string{reference, "Marigold", fmt.Sprint(int64(id)), "no food"} {
					if strings.Contains(got.body+got.header.Get("Location"), word) && !(searched && strings.Count(got.body, word) <= 1 && !strings.Contains(got.body, "<table")) {
						t.Errorf("%s as %s: %d holds %q", path, role, got.status, word)
					}
				}
				if got.status == 500 {
					t.Errorf("%s as %s: %.200s", path, role, got.body)
				}
				if strings.Contains(path, fmt.Sprint(int64(id))) && got.status != 404 && got.status != 403 {
					t.Errorf("%s as %s: %d", path, role, got.status)
				}
			}
		}
	}
	// A count is one of what they see: the sibling has come since, and nothing else.
	lin := cast[staff.LinkWorker]
	b.send(lin, "GET", queuePath, "").holds(t, 200, "Open (2)", "Urgent (0)", "Somebody Else", "Hubert Testperson")
	if body := b.send(lin, "GET", queuePath, "").body; strings.Contains(body, "Welsh") || strings.Contains(body, "Loneliness") || strings.Contains(body, "Waiting longer") {
		t.Error("a filter or a count tells what the hidden one asks for")
	}
	if body := b.send(lin, "GET", referralPath(sibling), "").body; strings.Contains(body, "May be the same person") {
		t.Error("a referral from the same phone tells of it")
	}
	// Nothing they send reaches it either, and the answer is the one for what is not there.
	for _, c := range [][2]string{{"claim", "{}"}, {"note", `{"note":"x"}`}, {"hand_over", fmt.Sprintf(`{"to":%d}`, lin.ID)}, {"join", fmt.Sprintf(`{"other":%d}`, sibling)}, {"undo", "{}"}, {"separate", "{}"}, {"break-glass", `{"reason":"let me see this"}`}} {
		there, nowhere := b.send(lin, "POST", fmt.Sprint("/api/v1/referrals/", id, "/", c[0]), c[1]), b.send(lin, "POST", "/api/v1/referrals/999/"+c[0], c[1])
		if there.status != 404 || there.body != nowhere.body {
			t.Errorf("%s: %d %s, of nothing: %d %s", c[0], there.status, there.body, nowhere.status, nowhere.body)
		}
	}
	if got := b.send(lin, "POST", fmt.Sprint("/api/v1/referrals/", sibling, "/join"), fmt.Sprintf(`{"other":%d}`, id)); got.status != 404 {
		t.Errorf("joined with what is not there: %d", got.status)
	}
	b.send(lin, "POST", referralPath(sibling)+"/join", form("reference", reference)).holds(t, 422, "There is no such referral that you may open")
	// Others see it as ever.
	b.send(b.who[staff.LinkWorker], "GET", referralPath(id), "").holds(t, 200, "Marigold Testperson", ">Restricted<", "Restricted who may open it")
}

// Whoever is not among those who may open it knows that it waits, how urgently and until when: no name, no reason, no words.
func TestRestrict_onlyThese(t *testing.T) {
	b := newBench(t)
	hook := b.hook("https://hooks.example.org/in").ID
	id, sibling, reference := b.referred()
	ada, other := b.who[staff.Administrator], b.another("Olga Other", staff.LinkWorker)
	named := b.another("Nora Named", staff.SeniorLinkWorker)
	b.restrict(id, selfrefer.Restriction{Only: true, May: []staff.AccountID{named.ID}})
	for _, a := range []staff.Account{other, b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer], ada, b.who[staff.CampaignManager]} {
		for path, got := range b.reads(a, id, reference, hook) {
			for _, word := range []string{"Marigold", "no food", "No food", "Welsh"} {
				if strings.Contains(path, "search") && strings.Contains(path, word) || word == "Welsh" && (path == queuePath+"?state=open&language=Welsh" || strings.Contains(path, "/words") || strings.HasPrefix(path, rosterPath+"/")) {
					continue // what was typed stands in its field, and in the address, again; patients read Welsh, and link workers may speak it
				}
				if strings.Contains(got.body, word) {
					t.Errorf("%s as %s: %d holds %q", path, a.Role, got.status, word)
				}
			}
			if got.status == 500 {
				t.Errorf("%s as %s: %.200s", path, a.Role, got.body)
			}
		}
	}
	b.send(other, "GET", queuePath, "").holds(t, 200, "Open (2)", "Urgent (1)", reference, ">Restricted</a>", "Only colleagues who are named may open it", "Lin Okafor", fmt.Sprint("/desk/referrals/", id, "/glass"))
	b.send(other, "GET", queuePath+"?state=urgent", "").holds(t, 200, reference)
	if body := b.send(other, "GET", queuePath+"?state=open&reason=loneliness", "").body; strings.Contains(body, reference) || strings.Contains(body, "Loneliness (1") {
		t.Error("a filter tells what it asks for")
	}
	b.send(ada, "GET", queuePath, "").holds(t, 200, fmt.Sprint("/desk/referrals/", sibling, "/restrict")) // urgent ones are not shown to them
	b.send(ada, "GET", referralPath(id)+"/restrict", "").holds(t, 200, reference)
	b.send(other, "GET", referralPath(id), "").holds(t, 303)
	b.send(other, "POST", referralPath(id), form("event", "claim")).holds(t, 403, "only colleagues who are named may open it")
	var p struct{ Code string }
	if got := b.call(other, "GET", fmt.Sprint("/referrals/", id), "", &p); got != 403 || p.Code != "restricted" {
		t.Errorf("%d %s", got, p.Code)
	}
	// The holder hands it to those alone who may open it: others are not even offered.
	lin := b.who[staff.LinkWorker]
	body := b.send(lin, "GET", referralPath(id), "").body
	hand := body[strings.Index(body, `id="hand-to"`):]
	hand = hand[:strings.Index(hand, "</select>")]
	if !strings.Contains(hand, "Nora Named") || strings.Contains(hand, "Olga Other") {
		t.Errorf("offered: %s", hand)
	}
	b.send(lin, "POST", referralPath(id), form("event", "hand_over", "to", fmt.Sprint(other.ID))).holds(t, 422, "This colleague may not work on this referral")
	b.send(lin, "POST", referralPath(id)+"/tasks", form("do", "task", "task-words", "ring", "task-kind", "task", "task-soon", "2026-06-03", "task-for", fmt.Sprint(other.ID))).holds(t, 409, "may not")
	b.send(lin, "POST", referralPath(id), form("event", "release")).holds(t, 303)
	// Urgent, it comes to the senior on duty who may open it; with none, to the manager.
	b.pass(35 * time.Minute)
	alerts := func(a staff.Account) string {
		out, err := json.Marshal(must(b.desk.Alerts(context.Background(), a))(t))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	week := usualWeek
	if err := b.db.SetWorker(context.Background(), named, b.who[staff.SeniorLinkWorker].ID, throttle.Worker{Week: week, FirstContact: .5, Minutes: 45, Places: 30}); err != nil {
		t.Fatal(err)
	}
	if got := alerts(b.who[staff.SeniorLinkWorker]); strings.Contains(got, "nobody has claimed") {
		t.Errorf("a senior who may not open it is told to claim it: %s", got)
	}
	if got := alerts(ada); !strings.Contains(got, "nobody has claimed "+reference) || !strings.Contains(got, "No senior link worker is on duty") || !strings.Contains(got, "It is restricted") {
		t.Errorf("the manager is told %s", got)
	}
	if err := b.db.SetWorker(context.Background(), named, named.ID, throttle.Worker{Week: week, FirstContact: .5, Minutes: 45, Places: 30}); err != nil {
		t.Fatal(err)
	}
	if got := alerts(named); !strings.Contains(got, "You are the senior on duty") {
		t.Errorf("the senior who may open it is told %s", got)
	}
	if got := alerts(ada); strings.Contains(got, "nobody has claimed") {
		t.Errorf("the manager is told while a senior is on duty who may open it: %s", got)
	}
}

func TestGlass_pages(t *testing.T) {
	b := newBench(t)
	id, _, reference := b.referred()
	ada, lin, sam, other := b.who[staff.Administrator], b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.another("Olga Other", staff.LinkWorker)
	path := referralPath(id)
	b.send(lin, "GET", path, "").holds(t, 200, "Restrict who may open this", path+"/restrict", "Who has looked")
	b.send(lin, "GET", path+"/restrict", "").holds(t, 200, "Who must never know of it?", "Olga Other, link worker", "Myself")
	b.send(lin, "POST", path+"/restrict", form("mode", "all", "why", "")).holds(t, 422, "Select why")
	b.send(lin, "POST", path+"/restrict", form("mode", "all", "why", "other")).holds(t, 422, "Enter why in your words")
	b.send(lin, "POST", path+"/restrict", form("mode", "all", "why", "works_here")).holds(t, 422, "Name whom you keep out")
	b.send(lin, "POST", path+"/restrict", form("mode", "all", "why", "works_here", "never", "junk")).holds(t, 422, "choose another")
	b.send(other, "POST", path+"/restrict", form("mode", "only", "why", "works_here")).holds(t, 409)
	got := b.send(lin, "POST", path+"/restrict", form("mode", "only", "why", "works_here", "words", "a <b>nurse</b>"))
	got.holds(t, 303)
	if to := got.header.Get("Location"); to != path+"?done=restrict" {
		t.Errorf("restricted: to %s", to)
	}
	b.send(lin, "GET", path+"/restrict", "").holds(t, 200, "Restricted at", "by Lin Okafor", "a &lt;b&gt;nurse&lt;/b&gt;", "Lift the restriction")
	if body := b.send(ada, "GET", path+"/restrict", "").body; strings.Contains(body, "nurse") || !strings.Contains(body, "by Lin Okafor") {
		t.Error("an administrator reads why, or not that it is restricted")
	}
	b.send(other, "GET", path+"/glass", "").holds(t, 200, reference, "The Caldicott guardian is told at once, with your name and reason.", "You cannot claim it.")
	b.send(other, "POST", path+"/glass", form("reason", "because")).holds(t, 422, "Enter why, in 10 to 2000 characters", ">because</textarea>")
	b.send(other, "POST", path+"/glass", form("reason", "she rang and is afraid")).holds(t, 303)
	page := b.send(other, "GET", path+"?done=glass", "")
	page.holds(t, 200, "The glass is broken. The Caldicott guardian is told.", "Marigold Testperson", "It stands open to you until 10:05am", "Broke the glass", "she rang and is afraid")
	if strings.Contains(page.body, "Restrict who may open this") || strings.Contains(page.body, "What came of it?") {
		t.Error("through the glass they could take it, or open it to others")
	}
	b.send(other, "POST", path, form("event", "note", "note", "told her to ring 999")).holds(t, 303)
	b.send(ada, "GET", queuePath, "").holds(t, 200, "Olga Other has broken the glass of "+reference, glassPath)
	b.send(ada, "GET", glassPath, "").holds(t, 200, "No Caldicott guardian is set", "she rang and is afraid", "Olga Other")
	b.send(ada, "POST", glassPath, form("guardian", fmt.Sprint(lin.ID))).holds(t, 422, "Choose an administrator or a senior link worker")
	b.send(ada, "POST", glassPath, form("guardian", fmt.Sprint(sam.ID))).holds(t, 303)
	b.send(ada, "GET", glassPath, "").holds(t, 200, "The Caldicott guardian is told: <strong>Sam Jones</strong>", "Nobody of whom you are told.")
	page = b.send(sam, "GET", glassPath, "")
	page.holds(t, 200, "she rang and is afraid")
	if strings.Contains(page.body, "Marigold") {
		t.Error("the guardian's page names the patient")
	}
	var list struct {
		Breakings []struct{ ID selfrefer.BreakingID }
	}
	if got := b.call(sam, "GET", "/glass", "", &list); got != 200 || len(list.Breakings) != 1 {
		t.Fatalf("%d %+v", got, list)
	}
	b.send(ada, "POST", fmt.Sprint(glassPath, "/", list.Breakings[0].ID), form("note", "")).holds(t, 404)
	b.send(sam, "POST", fmt.Sprint(glassPath, "/", list.Breakings[0].ID), form("note", "asked Olga")).holds(t, 303)
	b.send(sam, "GET", glassPath, "").holds(t, 200, "Acknowledged by Sam Jones", "asked Olga")
	if strings.Contains(b.send(sam, "GET", queuePath, "").body, "has broken the glass") {
		t.Error("it still stands at the top of their pages")
	}
	b.send(lin, "GET", path+"/looked", "").holds(t, 200, "Olga Other", "Broke the glass", "Lin Okafor")
	csv := b.send(ada, "GET", path+"/looked.csv", "")
	csv.holds(t, 200, "Olga Other", reference, "broke the glass")
	b.send(other, "POST", path+"/restrict", form("do", "lift")).holds(t, 403)
	b.send(lin, "POST", path+"/restrict", form("do", "lift")).holds(t, 303)
	b.send(other, "GET", path, "").holds(t, 200, "Lifted the restriction")
	// Who recognises somebody keeps themselves out, and goes on with the queue.
	aunt := b.refer(selfrefer.Answers{Name: "Aunt Okafor"}, selfrefer.Verified)
	got = b.send(lin, "POST", referralPath(aunt)+"/restrict", form("mode", "all", "why", "relation_here", "never", fmt.Sprint(lin.ID)))
	if to := got.header.Get("Location"); got.status != 303 || to != queuePath+"?done=restrict" {
		t.Errorf("%d to %s", got.status, to)
	}
	if strings.Contains(b.log.String(), "Marigold") || strings.Contains(b.log.String(), "afraid") {
		t.Error("the log holds a name or a reason")
	}
}
