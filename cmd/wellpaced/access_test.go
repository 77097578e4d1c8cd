package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// things are what one network has, by the first name in a route's path that stands for something.
type things map[string]string

// inPaths tells which thing a route is about: what stands before its first {name}. A new collection of either desk belongs here, and in
// thingsOf.
var inPaths = map[string]string{
	"/desk/lists/": "list", "/api/v1/lists/": "list", "/desk/uploads/": "upload",
	"/desk/campaigns/": "campaign", "/api/v1/campaigns/": "campaign",
	"/desk/referrals/": "referral", "/api/v1/referrals/": "referral",
	"/desk/capacity/": "account", "/desk/staff/": "account", "/api/v1/teams/": "team", "/api/v1/accounts/": "account",
	"/desk/services/": "service", "/api/v1/services/": "service", "/api/v1/support/measures/": "measure",
	"/desk/optouts/": "correction", "/api/v1/corrections/": "correction",
	"/desk/practices/": "ods", "/api/v1/practices/": "ods", "/desk/webhooks/": "hook", "/api/v1/webhooks/": "hook",
	"/desk/glass/": "breaking", "/api/v1/glass/": "breaking",
	"/desk/words/": "", "/desk/invitations/": "", // no ids: every network has its own words, and links are secrets
}

var named = regexp.MustCompile(`\{[a-z_]+\}`)

// fill puts a network's things into a pattern. What is inside another thing gets the id of nothing.
func (h things) fill(tb testing.TB, pattern string) (path string, about bool) {
	tb.Helper()
	first := strings.IndexByte(pattern, '{')
	if first < 0 {
		return pattern, false
	}
	kind, known := inPaths[pattern[:first]]
	if !known {
		tb.Errorf("%s: say in inPaths what %s is, and make one in thingsOf", pattern, pattern[first:])
		return pattern, false
	}
	i := 0
	return named.ReplaceAllStringFunc(pattern, func(name string) string {
		i++
		switch {
		case i == 1 && kind != "":
			return h[kind]
		case name == "{event}":
			return "claim"
		case name == "{part}":
			return "help"
		case name == "{entry}":
			return "new"
		case name == "{ods}":
			return h["ods"]
		}
		return "999"
	}), kind != ""
}

// bodies are what a call needs for its rights to be asked at all, or so that it does no harm to the rest of the test.
var bodies = map[string]string{
	"POST /desk/capacity/{account}":                  "monday-from=9&monday-to=17%3A00&share=50&minutes=40",
	"POST /desk/capacity/{account}/preview":          "change=remove&from=1&to=2",
	"POST /desk/capacity/{account}/leave":            "do=remove&from=1&to=2",
	"PUT /api/v1/teams/{team}/capacity":              `{"workers":[]}`,
	"PUT /api/v1/teams/{team}/sharing":               `{"auto_assign":false,"wait_minutes":60,"ask_at":"10:30"}`,
	"POST /desk/capacity/{account}/languages":        "speaks=Polish",
	"POST /desk/sharing":                             "auto=suggest&wait=60&ask=10%3A30",
	"POST /desk/sick":                                "do=preview",
	"POST /desk/capacity/{account}/sick":             "do=preview",
	"POST /api/v1/sick":                              `{"until":"2020-01-01T00:00:00Z"}`,
	"POST /api/v1/accounts/{account}/sick":           `{"until":"2020-01-01T00:00:00Z"}`,
	"POST /desk/staff/{account}":                     "do=enable",
	"POST /desk/referrals/{id}":                      "event=claim",
	"POST /desk/referrals/{id}/support":              "do=goal&goal-words=x",
	"POST /desk/referrals/{id}/tasks":                "do=tick&task=999&done=1",
	"POST /api/v1/referrals/{id}/support":            `{"goal":{"words":"x"}}`,
	"PUT /api/v1/support/measures/{measure}":         `{"used":true}`,
	"POST /desk/campaigns/{id}/messages/{message}":   "attempt=1&was=sent",
	"PUT /api/v1/referrals/{id}/restriction":         `{"reason":"works_here"}`,
	"POST /api/v1/campaigns/{id}/corrections":        `{"text":"Sorry."}`,
	"POST /api/v1/campaigns/{id}/fresh-list":         `{"list":999}`,
	"POST /api/v1/campaigns/{id}/fresh-list/confirm": `{"remove":1}`,
	"PUT /api/v1/campaigns/{id}/grounds":             `{"purpose":"direct_care","basis":"public_task_care","dpia":""}`,

	"POST /desk/webhooks/{hook}":                      "do=off",
	"POST /desk/practices/{ods}/{file}/again":         "reason=lost",
	"POST /api/v1/practices/{ods}/files/{file}/again": `{"reason":"lost"}`,
}

// crew is somebody of every role, with tokens.
func (s *stand) crew(network, ods string) map[staff.Role]staff.Account {
	crew := map[staff.Role]staff.Account{}
	for _, role := range staff.Roles {
		email := fmt.Sprintf("%s@crew.%s.example", role, ods)
		add := []string{"staff", "add", email, "--name", "One " + role.Words(), "--role", string(role), "--network", network}
		if role == staff.PracticeViewer {
			add = append(add, "--practice", ods+"1")
		}
		s.command(add...)
		a, _, err := s.app.db.AccountByEmail(context.Background(), email)
		s.must(err)
		crew[role] = a
	}
	return crew
}

// crewAdmin is an administrator of a network: nobody else is told of broken glass without a guardian.
func crewAdmin(n *network, of staff.NetworkID) staff.AccountID {
	n.Helper()
	all, err := n.app.db.Accounts(context.Background(), of)
	n.must(err)
	i := slices.IndexFunc(all, func(a staff.Account) bool { return a.Role == staff.Administrator })
	return all[i].ID
}

func (n *network) things(of staff.NetworkID, ods, phone string) things {
	n.Helper()
	ctx := context.Background()
	list := n.upload(listOf([]patient{{first: "Marigold", last: "Testperson", born: "01/02/1950", nhs: nhsNumber(1), mobile: phone, practice: ods + "1"}}), 201).at("id")
	h := things{"list": list, "team": n.team, "account": n.accounts["Lee"], "ods": ods + "1",
		"campaign": n.api("Mo", "POST", "/campaigns", object{"list": jsonNumber(list), "name": "Marigold campaign", "text": storyText}, 201).at("id")}
	_, err := n.app.receiver.Receive(ctx, selfrefer.Form{ID: "form of " + ods, Network: of, Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Name: "Marigold Testperson", Reasons: []string{"loneliness"}}, At: n.clock.Now()})
	n.must(err)
	queue, err := n.app.db.Queue(ctx, selfrefer.Filter{Network: of, Limit: 10})
	n.must(err)
	h["referral"] = fmt.Sprint(int64(queue[0].ID))
	number, err := person.ParseMobile(phone)
	n.must(err)
	n.must(n.app.db.OptOut(ctx, selfrefer.OptOut{Network: of, Phone: number, Why: selfrefer.WhyStop, All: true, At: n.clock.Now()}))
	corrections, err := n.app.db.Corrections(ctx, of, 0)
	n.must(err)
	h["correction"] = fmt.Sprint(corrections[0].ID)
	hook, err := n.app.db.AddWebhook(ctx, staff.Account{ID: 1, Network: of, Role: staff.Administrator}, "https://"+strings.ToLower(ods)+".hooks.example/in", selfrefer.HookEvents, selfrefer.NewHookSecret())
	n.must(err)
	h["hook"] = fmt.Sprint(hook.ID)
	senior := staff.Account{ID: 1, Network: of, Role: staff.SeniorLinkWorker}
	service, err := n.app.db.SetService(ctx, senior, selfrefer.Service{Name: "Club of " + ods, Places: selfrefer.UnknownPlaces, Active: true})
	n.must(err)
	measure, err := n.app.db.AddOwnMeasure(ctx, senior, selfrefer.OwnMeasure{Name: "Star", Questions: []string{"How is it?"}, High: 5, MoreIs: selfrefer.Better})
	n.must(err)
	_, err = n.app.receiver.Receive(ctx, selfrefer.Form{ID: "restricted form of " + ods, Network: of, Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Name: "Sorrel Testperson"}, At: n.clock.Now()})
	n.must(err)
	queue, err = n.app.db.Queue(ctx, selfrefer.Filter{Network: of, Limit: 10})
	n.must(err)
	restricted := queue[len(queue)-1].ID
	if fmt.Sprint(int64(restricted)) == h["referral"] {
		restricted = queue[0].ID
	}
	n.must(n.app.db.Restrict(ctx, senior, restricted, selfrefer.Restriction{Only: true, May: []staff.AccountID{staff.AccountID(jsonNumber(n.accounts["Lee"]))}, Reason: selfrefer.WorksHere}))
	n.must(n.app.db.BreakGlass(ctx, senior, restricted, "to have something to read"))
	breakings, err := n.app.db.Breakings(ctx, staff.Account{ID: crewAdmin(n, of), Network: of, Role: staff.Administrator})
	n.must(err)
	h["breaking"] = fmt.Sprint(int64(breakings[0].ID))
	h["service"], h["measure"] = fmt.Sprint(int64(service.ID)), fmt.Sprint(measure)
	uploader, err := n.app.db.Accounts(ctx, of)
	n.must(err)
	upload, err := n.app.db.StageUpload(ctx, uploader[0], campaign.Upload{File: "list.csv"}, strings.NewReader("NHS number,Date of birth,Mobile\n"))
	n.must(err)
	h["upload"] = fmt.Sprint(int64(upload.ID))
	return h
}

// Every route of both desks, whoever wrote it, asks the one table: a role that may not is refused, and the refusal is in the audit; nobody
// comes in without a sign-in; and the things of another network do not exist.
func TestEveryRouteAsksTheTable(t *testing.T) {
	ctx := context.Background()
	s := newStand(t, "", "", nil)
	ours, theirs := s.network("Our PCN", "N83"), s.network("Their PCN", "N84")
	crew, aliens := s.crew("Our PCN", "N83"), s.crew("Their PCN", "N84")
	own, other := ours.things(crew[staff.Volunteer].Network, "N83", "07400000001"), theirs.things(aliens[staff.Volunteer].Network, "N84", "07400000002")
	tokens := map[staff.AccountID]string{}
	for _, a := range crew {
		token, err := s.app.db.StartSession(ctx, a.ID, "api", "test", 1<<40)
		s.must(err)
		tokens[a.ID] = token
	}

	ask := func(a staff.Account, method, pattern, path string) *httptest.ResponseRecorder {
		body := bodies[method+" "+pattern]
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.Header.Set("Content-Type", map[bool]string{true: "application/json", false: "application/x-www-form-urlencoded"}[strings.HasPrefix(body, "{")])
		if a.ID != 0 {
			req.Header.Set("Authorization", "Bearer "+tokens[a.ID])
		}
		w := httptest.NewRecorder()
		s.app.handler.ServeHTTP(w, req)
		return w
	}
	denials := func(a staff.Account, do staff.Action) (n int) {
		entries, _, err := s.app.db.AuditEntries(ctx, a.Network, 0, 100_000)
		s.must(err)
		for _, e := range entries {
			if e.Account == a.ID && e.Outcome == "denied" && e.Action == string(do) {
				n++
			}
		}
		return n
	}

	table := append(s.app.workers.Access(), s.app.managers.Access()...)
	stated := map[string]bool{}
	for _, e := range table {
		stated[e.Method+" "+e.Pattern] = true
	}
	routes := 0
	s.must(chi.Walk(s.app.handler.(chi.Routes), func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.HasPrefix(pattern, "/desk") && !strings.HasPrefix(pattern, "/api/") || pattern == "/api/v1/openapi.json" {
			return nil
		}
		routes++
		if before, ok := strings.CutSuffix(pattern, "/{move}"); ok && slices.ContainsFunc(table, func(e staff.Route) bool { return e.Method == method && strings.HasPrefix(e.Pattern, before+"/") }) {
			return nil // each move is stated on its own
		}
		if !stated[method+" "+pattern] {
			t.Errorf("%s %s is served, and no desk states what it needs", method, pattern)
		}
		return nil
	}))
	if routes < 70 {
		t.Errorf("%d routes found: the walk goes wrong", routes)
	}

	// What changes something comes last, so that it spoils nothing for the others.
	slices.SortStableFunc(table, func(a, b staff.Route) int { return strings.Compare(a.Method, b.Method) })
	for _, e := range table {
		path, about := own.fill(t, e.Pattern)
		alien, _ := other.fill(t, e.Pattern)
		if got := ask(staff.Account{}, e.Method, e.Pattern, path).Code; e.Do != "" && got != map[bool]int{true: 401, false: 303}[strings.HasPrefix(path, "/api/")] {
			t.Errorf("%s %s signed out: %d", e.Method, e.Pattern, got)
		}
		if e.Do == "" {
			continue // sign-in and one's own account: package desk tests them
		}
		for _, role := range staff.Roles {
			a := crew[role]
			if staff.May(a, e.Do, a.Network) != nil {
				for _, path := range []string{path, alien} {
					before := denials(a, e.Do)
					if got := ask(a, e.Method, e.Pattern, path).Code; got != http.StatusForbidden || denials(a, e.Do) != before+1 {
						t.Errorf("%s %s as %s: %d and %d more denials of %s, want 403 and 1", e.Method, e.Pattern, role, got, denials(a, e.Do)-before, e.Do)
					}
				}
				continue
			}
			if about {
				if got := ask(a, e.Method, e.Pattern, alien); got.Code != http.StatusNotFound {
					t.Errorf("%s %s as %s, of another network: %d, want 404: %.200s", e.Method, e.Pattern, role, got.Code, got.Body)
				}
			}
			got := ask(a, e.Method, e.Pattern, path)
			if got.Code == http.StatusForbidden || got.Code == http.StatusUnauthorized || got.Code >= 500 {
				t.Errorf("%s %s as %s: %d: %.200s", e.Method, e.Pattern, role, got.Code, got.Body)
			}
			// An id that is in the address, or none at all, gives no other network's things either.
			for _, word := range []string{"Their PCN", other["referral"], other["campaign"], other["list"], other["correction"], other["service"], "Club of N84"} {
				if body := got.Body.String(); strings.Contains(body, word) {
					t.Errorf("%s %s as %s holds %q of another network", e.Method, e.Pattern, role, word)
				}
			}
		}
	}
}

func jsonNumber(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
