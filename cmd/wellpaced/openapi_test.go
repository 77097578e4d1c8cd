package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	oaerrors "github.com/pb33f/libopenapi-validator/errors"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// contract holds every call against the description that the server itself gives out, by a validator that knows nothing of us.
type contract struct {
	*network
	doc   validator.Validator
	calls map[string]object // by "POST /api/v1/lists": what is said of it
	done  map[string]bool   // was called rightly, and did what it is for
}

// The validator, asked to be strict, finds every name that is not described, and takes what has names of its own for undescribed too.
var (
	undeclared = regexp.MustCompile(`^(?:request|response) property '[^']*' at '.*?([a-z_]+)\.[^.']*' is not declared`)
	ownNames   = []string{"rejected", "excluded", "windows", "translations", "counts", "new", "hours", "scores", "words", "labels", "answers", "mapping", "out", "languages"}
)

// asked is one call: id and the like fill its path; query and body are as they go out.
type asked struct {
	who, call string
	in        map[string]string
	query     string
	body      any // JSON, unless it is bytes
	kind      string
	want      int
	code      string // of a problem
}

func newContract(n *network) *contract {
	n.Helper()
	resp, err := http.Get(n.app.PublicURL + "/api/v1/openapi.json")
	n.must(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	n.must(err)
	doc, err := libopenapi.NewDocument(raw)
	n.must(err)
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithStrictMode())
	for _, err := range errs {
		n.Fatal(err)
	}
	c := &contract{network: n, doc: v, calls: map[string]object{}, done: map[string]bool{}}
	if ok, errs := v.ValidateDocument(); !ok {
		for _, e := range errs {
			n.Errorf("the description is not OpenAPI 3.1: %s", e)
			for _, s := range e.SchemaValidationErrors {
				n.Logf("  %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
	said := decode(n, raw)
	if said.at("openapi") != "3.1.0" {
		n.Errorf("openapi %q", said.at("openapi"))
	}
	for path, item := range said["paths"].(map[string]any) {
		for method, call := range item.(map[string]any) {
			c.calls[strings.ToUpper(method)+" "+path] = call.(map[string]any)
		}
	}
	if len(c.calls) < 100 {
		n.Fatalf("%d calls are described", len(c.calls))
	}
	return c
}

// send makes the call and holds the answer against the description; the request too, unless it is meant to be wrong.
func (c *contract) send(a asked, meantWrong bool) (answer object, raw []byte, header http.Header) {
	c.Helper()
	method, path, _ := strings.Cut(a.call, " ")
	said, known := c.calls[a.call]
	if !known {
		c.Fatalf("%s is not described", a.call)
	}
	for name, value := range a.in {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	if a.query != "" {
		path += "?" + a.query
	}
	var body []byte
	kind := a.kind
	switch b := a.body.(type) {
	case nil:
	case []byte:
		body = b
	default:
		var err error
		body, err = json.Marshal(b)
		c.must(err)
		kind = asJSON
	}
	request := func() *http.Request {
		r, err := http.NewRequest(method, c.app.PublicURL+path, bytes.NewReader(body))
		c.must(err)
		if a.who != "" {
			r.Header.Set("Authorization", "Bearer "+c.tokens[a.who])
		}
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		return r
	}
	resp, err := http.DefaultClient.Do(request()) //nolint:bodyclose // it is, below
	c.must(err)
	defer resp.Body.Close()
	raw, err = io.ReadAll(resp.Body)
	c.must(err)
	if resp.StatusCode != a.want && a.want != 0 {
		c.Errorf("%s as %s: %d, want %d: %.300s", a.call, a.who, resp.StatusCode, a.want, raw)
	}
	complain := func(format string, args ...any) {
		c.Helper()
		c.Errorf("%s as %s, %d: %s (answer %.300s)", a.call, a.who, resp.StatusCode, fmt.Sprintf(format, args...), raw)
	}
	statuses := said["responses"].(map[string]any)
	if _, documented := statuses[fmt.Sprint(resp.StatusCode)]; !documented {
		complain("a status that is not described")
	}
	if resp.Request.Method != method {
		complain("it was redirected")
	}
	judge := func(what string, errs []*oaerrors.ValidationError) {
		c.Helper()
		for _, e := range errs {
			if found := undeclared.FindStringSubmatch(e.Message); found != nil && (slices.Contains(ownNames, found[1]) || a.in["format"] == "fhir") { // FHIR describes itself
				continue
			}
			complain("%s: %s: %s", what, e.Message, strings.TrimSpace(e.Reason))
			for _, s := range e.SchemaValidationErrors {
				complain("  %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
	got := *resp
	got.Body, got.Header = io.NopCloser(bytes.NewReader(raw)), http.Header{}
	for _, name := range []string{"Content-Type", "Location", "Idempotency-Replayed"} { // the others are of HTTP, and the same everywhere
		if resp.Header.Get(name) != "" {
			got.Header[name] = resp.Header[name]
		}
	}
	_, errs := c.doc.ValidateHttpResponse(request(), &got)
	judge("the answer", errs)
	if !meantWrong {
		_, errs := c.doc.ValidateHttpRequestSync(request())
		judge("the request", errs)
	}
	if k := resp.Header.Get("Content-Type"); strings.HasSuffix(k, "json") {
		answer = decode(c, raw)
		if resp.StatusCode >= 400 && k != "application/problem+json" {
			complain("a refusal that is no problem+json but %s", k)
		}
	} else if resp.StatusCode >= 400 {
		complain("a refusal that is no problem+json but %q", k)
	}
	if resp.StatusCode >= 400 {
		if answer.at("status") != fmt.Sprint(resp.StatusCode) || answer.at("title") != http.StatusText(resp.StatusCode) || a.code != "" && answer.at("code") != a.code {
			complain("want code %s", a.code)
		}
	}
	return answer, raw, resp.Header
}

// right is a call as it should be. It must do what it is for.
func (c *contract) right(a asked) object {
	c.Helper()
	if a.want == 0 {
		a.want = 200
	}
	answer, _, header := c.send(a, false)
	c.done[a.call] = true
	if a.want == http.StatusCreated && header.Get("Location") == "" {
		c.Errorf("%s makes something, and does not say where", a.call)
	}
	return answer
}

// Every call that the server describes does what the description says, rightly asked and wrongly; and it describes itself in OpenAPI 3.1.
func TestOpenAPI_isWhatTheServerDoes(t *testing.T) {
	ctx := context.Background()
	s := newStand(t, "", "", nil)
	n := s.network("Riverside PCN", "N83")
	c := newContract(n)
	of := func(id string) map[string]string { return map[string]string{"id": id} }
	j := func(id string) json.Number { return json.Number(id) }

	// Lists.
	var rows []patient
	for i := range 30 {
		rows = append(rows, patient{first: "Marigold", last: "Testperson", born: "01/02/1950", nhs: nhsNumber(i + 1), mobile: fmt.Sprintf("07400%06d", i), practice: "N83" + fmt.Sprint(i%2+1)})
	}
	rows = append(rows, patient{first: "Sorrel", last: "Testperson", born: "no date", nhs: "123", mobile: "07400000099", practice: "N831"})
	kind, file := formOf(t, listOf(rows))
	list := c.right(asked{who: "Mo", call: "POST /api/v1/lists", body: file, kind: kind, want: 201}).at("id")
	s.clock.turn(time.Minute)
	kind, file = formOf(t, listOf(rows[2:]))
	earlier := c.right(asked{who: "Mo", call: "POST /api/v1/lists", body: file, kind: kind, want: 201}).at("id")
	if next := c.right(asked{who: "Mo", call: "GET /api/v1/lists", query: "limit=1"}).at("next"); next == "" {
		t.Error("one of two lists has no next")
	}
	c.right(asked{who: "Mo", call: "GET /api/v1/lists/{id}", in: of(list)})
	c.right(asked{who: "Mo", call: "GET /api/v1/lists/{id}/not-invited", in: of(list)})
	c.right(asked{who: "Mo", call: "GET /api/v1/lists/{id}/not-invited.csv", in: of(list)})
	mo, _, err := s.app.db.AccountByEmail(ctx, "mo@n83.example")
	s.must(err)
	listed, err := strconv.ParseInt(list, 10, 64)
	s.must(err)
	seen := campaign.Sample{}
	for range 3 { // people of it, as a page shows them
		seen, err = s.app.db.Sample(ctx, mo, campaign.AudienceID(listed), seen.After)
		s.must(err)
	}
	c.right(asked{who: "Mo", call: "GET /api/v1/lists/{id}/looked", in: of(list)})
	c.right(asked{who: "Mo", call: "GET /api/v1/lists/{id}/groups", in: of(list)})
	c.right(asked{who: "Mo", call: "GET /api/v1/lists/{id}/compare", in: of(earlier), query: "with=" + list})
	c.right(asked{who: "Mo", call: "POST /api/v1/lists/{id}/narrow", in: of(list), body: object{"practices": []string{"N831"}, "dry_run": true}})
	c.right(asked{who: "Mo", call: "POST /api/v1/lists/{id}/narrow", in: of(list), body: object{"practices": []string{"N831"}, "name": "The first"}, want: 202})
	decilesKind, deciles := formOf(t, []byte("postcode,decile\nL36 9YR,1\n"))
	c.right(asked{who: "Mo", call: "POST /api/v1/deprivation", body: deciles, kind: decilesKind, want: 201})
	c.right(asked{who: "Mo", call: "GET /api/v1/deprivation"})

	// A campaign from draft to stop.
	draft := object{"list": j(list), "team": j(n.team), "name": "Summer", "text": storyText, "first_look": false, "windows": object{"monday": []string{"09:00", "17:00"}, "tuesday": []string{"09:00", "17:00"}}}
	id := c.right(asked{who: "Mo", call: "POST /api/v1/campaigns", body: draft, want: 201}).at("id")
	draft["daily_cap"] = 5
	c.right(asked{who: "Mo", call: "PUT /api/v1/campaigns/{id}", in: of(id), body: draft})
	c.right(asked{who: "Mo", call: "PUT /api/v1/campaigns/{id}/grounds", in: of(id), body: object{"purpose": "direct_care", "basis": "public_task_care", "dpia": "shared drive"}})
	c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}/outlook", in: of(id), query: "capacity=60"})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/test", in: of(id), body: object{"to": "07400 900900"}})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/submit", in: of(id)})
	c.right(asked{who: "Sam", call: "POST /api/v1/campaigns/{id}/return", in: of(id)})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/submit", in: of(id)})
	c.right(asked{who: "Sam", call: "POST /api/v1/campaigns/{id}/approve", in: of(id), body: object{"people": 30}})
	c.right(asked{who: "Ada", call: "GET /api/v1/campaigns/{id}/practices/{ods}", in: map[string]string{"id": id, "ods": "N831"}})
	say := func(ods, word string) {
		c.right(asked{who: "Ada", call: "POST /api/v1/campaigns/{id}/practices/{ods}/" + word, in: map[string]string{"id": id, "ods": ods}, body: object{"note": "Dr Ray, by phone today"}})
	}
	say("N831", "approve")
	say("N832", "refuse")
	say("N832", "approve")
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/launch", in: of(id)})
	eventually(t, 10*time.Second, "the launch is planned", func() bool {
		return c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}", in: of(id)}).at("planning") == "false"
	})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/pause", in: of(id)})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/resume", in: of(id)})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/links-off", in: of(id)})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/links-on", in: of(id)})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/confirm-link", in: of(id), want: 409})
	s.clock.turn(time.Minute)
	kind, file = formOf(t, listOf(rows[2:]))
	fresh := c.right(asked{who: "Mo", call: "POST /api/v1/lists", body: file, kind: kind, want: 201}).at("id")
	screened := func() object {
		var got object
		c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/fresh-list", in: of(id), body: object{"list": j(fresh)}})
		eventually(t, 10*time.Second, "it is screened", func() bool {
			got = c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}/fresh-list", in: of(id)})
			return !slices.Contains([]string{"", "counting"}, got.at("screenings.0.state"))
		})
		if got.at("screenings.0.state") != "asking" {
			t.Errorf("the screening: %v", got)
		}
		return got
	}
	screened()
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/fresh-list/cancel", in: of(id)})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/fresh-list/confirm", in: of(id), body: object{"remove": j(screened().at("screenings.0.removed"))}})
	eventually(t, 10*time.Second, "they are taken out", func() bool {
		return c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}/fresh-list", in: of(id)}).at("screenings.0.state") == "done"
	})
	for range 3 {
		s.minute()
	}
	c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}", in: of(id)})
	if len(c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}/decisions", in: of(id)}).list("decisions")) == 0 {
		t.Error("no decisions: their description is held against nothing")
	}
	c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}/funnel", in: of(id)})
	c.right(asked{who: "Mo", call: "GET /api/v1/campaigns/{id}/fairness", in: of(id)})
	correction := c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/corrections", in: of(id), body: object{"text": "Sorry: the last text had a wrong number. ((phone)) is right. No more texts: ((stop_link))"}, want: 201}).at("id")
	sorry := map[string]string{"id": id, "correction": correction}
	c.right(asked{who: "Sam", call: "GET /api/v1/campaigns/{id}/corrections", in: of(id)})
	shown := c.right(asked{who: "Sam", call: "GET /api/v1/campaigns/{id}/corrections/{correction}", in: sorry})
	c.right(asked{who: "Sam", call: "POST /api/v1/campaigns/{id}/corrections/{correction}/approve", in: sorry, body: object{"people": j(shown.at("reach.people")), "shown": shown.at("reach.shown"), "hash": shown.at("hash")}})
	c.right(asked{who: "Sam", call: "POST /api/v1/campaigns/{id}/corrections/{correction}/stop", in: sorry})
	c.right(asked{who: "Sam", call: "POST /api/v1/campaigns/{id}/corrections/{correction}/resume", in: sorry, want: 409}) // stopped is stopped
	say("N832", "withdraw")
	c.right(asked{who: "Mo", call: "GET /api/v1/campaigns"})
	c.right(asked{who: "Mo", call: "POST /api/v1/campaigns/{id}/stop", in: of(id)})
	c.right(asked{who: "Ada", call: "GET /api/v1/system"})

	// Referrals.
	for i := range 6 {
		_, err := s.app.receiver.Receive(ctx, selfrefer.Form{ID: fmt.Sprint("form ", i), Network: n.id(), Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Name: "Marigold Testperson", Reasons: []string{"loneliness"}}, At: s.clock.Now()})
		s.must(err)
	}
	c.right(asked{who: "Lee", call: "GET /api/v1/referrals/next"})
	all := c.right(asked{who: "Lee", call: "GET /api/v1/referrals", query: "state=open&limit=50"}).list("referrals")
	if len(all) < 6 {
		t.Fatalf("%d referrals", len(all))
	}
	one, two, three := all[0].at("id"), all[1].at("id"), all[2].at("id")
	c.right(asked{who: "Lee", call: "GET /api/v1/referrals/{id}", in: of(one)})
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/search", body: object{"find": "Marigold Testperson"}})
	event := func(id, event string, body object) {
		t.Helper()
		a := asked{who: "Lee", call: "POST /api/v1/referrals/{id}/{event}", in: map[string]string{"id": id, "event": event}}
		if body != nil {
			a.body = body
		}
		c.right(a)
	}
	event(one, "claim", nil)
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/{id}/undo", in: of(one)})
	event(one, "claim", nil)
	c.send(asked{who: "Liz", call: "POST /api/v1/referrals/{id}/{event}", in: map[string]string{"id": one, "event": "claim"}, want: 409, code: "taken"}, false)
	event(one, "attempt", object{"channel": "call", "note": "No answer."})
	event(one, "escalate", object{"to": j(n.accounts["Liz"]), "why": "She sounds very low", "told": "Dr Ray", "number": "0151 496 0001", "told_at": s.clock.Now().UTC().Format(time.RFC3339)})
	event(one, "start_support", object{"note": "Wants company."})
	service := c.right(asked{who: "Liz", call: "POST /api/v1/services", body: object{"name": "Elm House Friday club", "reasons": []string{"loneliness"}, "languages": []string{"pl"}, "places": 3, "active": true}, want: 201})
	about := map[string]string{"service": service.at("id")}
	c.right(asked{who: "Lee", call: "GET /api/v1/services", query: "find=elm&limit=10"})
	c.right(asked{who: "Lee", call: "GET /api/v1/services/{service}", in: about})
	c.right(asked{who: "Liz", call: "PUT /api/v1/services/{service}", in: about, body: object{"name": "Elm House club", "reasons": []string{"loneliness"}, "places": 3, "active": true, "version": j(service.at("version"))}})
	c.right(asked{who: "Lee", call: "PUT /api/v1/services/{service}/places", in: about, body: object{"places": 2}})
	c.right(asked{who: "Liz", call: "POST /api/v1/services/import", body: []byte("name,about\nWalking group,Every Tuesday\n"), kind: "text/csv"})
	c.right(asked{who: "Liz", call: "PUT /api/v1/support/interventions", body: object{"interventions": []string{"Motivational interviewing", "Benefits check"}}})
	offer := c.right(asked{who: "Liz", call: "POST /api/v1/support/measures", body: object{"name": "Star", "questions": []string{"How is it?"}, "low": 1, "high": 5, "more_is": "better"}})
	own := ""
	for _, m := range offer.list("measures") {
		if m.at("kind") == "own" {
			own = m.at("own")
		}
	}
	c.right(asked{who: "Liz", call: "PUT /api/v1/support/measures/{measure}", in: map[string]string{"measure": own}, body: object{"used": true}})
	c.right(asked{who: "Lee", call: "GET /api/v1/support"})
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/{id}/support", in: of(one), body: object{"goal": object{"words": "Go out once a week"}}})
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/{id}/support", in: of(one), body: object{"task": object{"words": "Ring on Friday", "due": "2026-06-05"}}})
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/{id}/support", in: of(one), body: object{"intervention": object{"kind": offer.at("interventions.0.code"), "minutes": 30}}})
	c.right(asked{who: "Lee", call: "GET /api/v1/referrals/{id}/support", in: of(one)})
	if len(c.right(asked{who: "Lee", call: "GET /api/v1/tasks"}).list("tasks")) == 0 {
		t.Error("no tasks: their description is held against nothing")
	}
	c.right(asked{who: "Lee", call: "GET /api/v1/notices"})
	event(two, "claim", nil)
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/{id}/join", in: of(two), body: object{"other": j(three)}})
	c.right(asked{who: "Lee", call: "GET /api/v1/referrals/{id}", in: of(two)})
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/{id}/separate", in: of(three)})
	event(two, "release", nil)
	shut := all[3].at("id")
	c.right(asked{who: "Liz", call: "PUT /api/v1/referrals/{id}/restriction", in: of(shut), body: object{"only": true, "may": []json.Number{j(n.accounts["Liz"])}, "reason": "works_here"}, want: 204})
	c.right(asked{who: "Liz", call: "GET /api/v1/referrals/{id}/restriction", in: of(shut)})
	c.right(asked{who: "Lee", call: "POST /api/v1/referrals/{id}/break-glass", in: of(shut), body: object{"reason": "They ring now and Liz is on leave"}})
	c.right(asked{who: "Liz", call: "GET /api/v1/referrals/{id}/looked", in: of(shut)})
	breakings := c.right(asked{who: "Ada", call: "GET /api/v1/glass"})
	c.right(asked{who: "Ada", call: "POST /api/v1/glass/{breaking}/acknowledge", in: map[string]string{"breaking": breakings.at("breakings.0.id")}, body: object{"note": "Spoken to Lee."}, want: 204})
	c.right(asked{who: "Ada", call: "PUT /api/v1/guardian", body: object{"account": j(n.accounts["Ada"])}, want: 204})
	c.right(asked{who: "Liz", call: "DELETE /api/v1/referrals/{id}/restriction", in: of(shut), want: 204})

	// Who works, and what patients read.
	team := map[string]string{"team": n.team}
	roster := c.right(asked{who: "Liz", call: "GET /api/v1/teams/{team}/capacity", in: team})
	back := object{"workers": roster["workers"]}
	for _, w := range back.list("workers") {
		delete(w, "learned")
		delete(w, "senior")
		delete(w, "name")
	}
	c.right(asked{who: "Liz", call: "PUT /api/v1/teams/{team}/capacity", in: team, query: "dry_run=true", body: back})
	c.right(asked{who: "Liz", call: "PUT /api/v1/teams/{team}/capacity", in: team, body: back})
	c.right(asked{who: "Liz", call: "GET /api/v1/teams/{team}/sharing", in: team})
	c.right(asked{who: "Liz", call: "PUT /api/v1/teams/{team}/sharing", in: team, body: object{"auto_assign": false, "wait_minutes": 60, "ask_at": "10:30"}})
	lee := map[string]string{"account": n.accounts["Lee"]}
	until := s.clock.Now().Add(3 * time.Hour).UTC().Format(time.RFC3339)
	c.right(asked{who: "Liz", call: "POST /api/v1/accounts/{account}/sick", in: lee, body: object{"until": until}})
	c.right(asked{who: "Liz", call: "GET /api/v1/accounts/{account}/sick", in: lee})
	c.right(asked{who: "Liz", call: "DELETE /api/v1/accounts/{account}/sick", in: lee})
	c.right(asked{who: "Liz", call: "POST /api/v1/accounts/{account}/present", in: lee, want: 204})
	c.right(asked{who: "Lee", call: "POST /api/v1/sick", body: object{"until": until}})
	c.right(asked{who: "Lee", call: "GET /api/v1/sick"})
	c.right(asked{who: "Lee", call: "DELETE /api/v1/sick"})
	words := c.right(asked{who: "Mo", call: "GET /api/v1/words"})
	c.right(asked{who: "Mo", call: "PUT /api/v1/words", body: object{"version": words["version"], "help": words["help"], "reasons": words["reasons"]}})

	// Opt-outs, practices, reports, webhooks.
	c.right(asked{who: "Mo", call: "POST /api/v1/optouts", body: []byte("phone\n07400 000003\n"), kind: "text/csv"})
	c.right(asked{who: "Mo", call: "GET /api/v1/optouts"})
	number, err := person.ParseMobile("07400000004")
	s.must(err)
	s.must(s.app.db.OptOut(ctx, selfrefer.OptOut{Network: n.id(), Phone: number, Why: selfrefer.WhyNotMe, All: true, At: s.clock.Now()}))
	told := c.right(asked{who: "Mo", call: "GET /api/v1/corrections", query: "limit=1"})
	c.right(asked{who: "Mo", call: "POST /api/v1/corrections/{correction}/done", in: map[string]string{"correction": told.at("corrections.0.id")}, want: 204})
	c.right(asked{who: "Mo", call: "GET /api/v1/practices"})
	codes := c.right(asked{who: "Mo", call: "GET /api/v1/practices/codes"})
	c.right(asked{who: "Mo", call: "PUT /api/v1/practices/codes", body: codes})
	practice := func(file, format string) map[string]string {
		return map[string]string{"ods": "N831", "file": file, "format": format}
	}
	made := c.right(asked{who: "Mo", call: "POST /api/v1/practices/{ods}/files", in: practice("", ""), want: 201}).at("id")
	c.right(asked{who: "Mo", call: "GET /api/v1/practices/{ods}/files", in: practice("", "")})
	c.right(asked{who: "Mo", call: "GET /api/v1/practices/{ods}/files/{file}/{format}", in: practice(made, "csv")})
	c.right(asked{who: "Mo", call: "GET /api/v1/practices/{ods}/files/{file}/{format}", in: practice(made, "fhir")})
	c.right(asked{who: "Mo", call: "POST /api/v1/practices/{ods}/files/{file}/again", in: practice(made, ""), body: object{"reason": "They lost it"}, want: 201})
	s.clock.set(time.Date(2026, 7, 6, 9, 0, 0, 0, time.UTC)) // June is over, and counted
	s.minute()
	s.must(s.app.db.DrawUpReports(ctx))
	c.right(asked{who: "Mo", call: "GET /api/v1/reports"})
	c.right(asked{who: "Mo", call: "GET /api/v1/reports/report.csv"})
	c.right(asked{who: "Mo", call: "GET /api/v1/reports/report.xlsx"})
	for _, p := range []asked{{who: "Mo", call: "GET /api/v1/lists"}, {who: "Mo", call: "GET /api/v1/lists/{id}/not-invited", in: of(list)}, {who: "Mo", call: "GET /api/v1/lists/{id}/looked", in: of(list)}, {who: "Mo", call: "GET /api/v1/campaigns/{id}/decisions", in: of(id)}, {who: "Mo", call: "GET /api/v1/campaigns"},
		{who: "Lee", call: "GET /api/v1/referrals"}, {who: "Lee", call: "GET /api/v1/services"}, {who: "Lee", call: "GET /api/v1/tasks"}, {who: "Mo", call: "GET /api/v1/practices/{ods}/files", in: practice("", "")}, {who: "Ada", call: "GET /api/v1/glass"},
		{who: "Mo", call: "GET /api/v1/optouts"}, {who: "Mo", call: "GET /api/v1/corrections"}} {
		c.walk(p)
	}
	hook := c.right(asked{who: "Ada", call: "POST /api/v1/webhooks", body: object{"url": "https://hooks.example/in", "events": []string{"referral.received"}}, want: 201}).at("id")
	the := map[string]string{"hook": hook}
	c.right(asked{who: "Ada", call: "GET /api/v1/webhooks"})
	c.right(asked{who: "Ada", call: "POST /api/v1/webhooks/{hook}/test", in: the, want: 204})
	delivery := c.right(asked{who: "Ada", call: "GET /api/v1/webhooks/{hook}/deliveries", in: the}).at("deliveries.0.id")
	c.right(asked{who: "Ada", call: "POST /api/v1/webhooks/{hook}/deliveries/{delivery}/redeliver", in: map[string]string{"hook": hook, "delivery": delivery}, want: 204})
	c.right(asked{who: "Ada", call: "POST /api/v1/webhooks/{hook}/off", in: the, want: 204})
	c.right(asked{who: "Ada", call: "POST /api/v1/webhooks/{hook}/on", in: the, want: 204})
	c.right(asked{who: "Ada", call: "DELETE /api/v1/webhooks/{hook}", in: the, want: 204})

	if got := n.api("Mo", "GET", "/no-such-thing", nil, 404); got.at("code") != "not_found" {
		t.Errorf("an address that is none: %v", got)
	}
	c.askWrongly()
	var missing []string
	for _, call := range slices.Sorted(maps.Keys(c.calls)) {
		if !c.done[call] {
			missing = append(missing, call)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d calls are described, and nobody makes them: %s", len(missing), strings.Join(missing, ", "))
	}
}

// walk reads a listing page by page, one thing on each, and holds that against the whole.
func (c *contract) walk(a asked) {
	c.Helper()
	items := func(o object) (all []string) {
		for key, v := range o {
			if list, ok := v.([]any); ok && key != "next" {
				for _, one := range list {
					all = append(all, fmt.Sprint(one))
				}
			}
		}
		return all
	}
	a.query = "limit=1000"
	whole := items(c.right(a))
	var pages []string
	for after, n := "", 0; n == 0 || after != ""; n++ {
		a.query = "limit=1&after=" + url.QueryEscape(after)
		page := c.right(a)
		got := items(page)
		if len(got) > 1 || n > len(whole) {
			c.Fatalf("%s: %d on page %d of one each", a.call, len(got), n)
		}
		pages, after = append(pages, got...), page.at("next")
	}
	slices.Sort(whole) // opt-outs come in another order
	slices.Sort(pages)
	if !slices.Equal(whole, pages) || len(whole) == 0 {
		c.Errorf("%s: pages hold %d, the whole %d", a.call, len(pages), len(whole))
	}
}

// whoMay is somebody who may do what a call does: their refusals are then of what was sent.
func (c *contract) whoMay(call string) string {
	method, path, _ := strings.Cut(call, " ")
	for _, e := range append(c.app.workers.Access(), c.app.managers.Access()...) {
		if e.Method != method || e.Pattern != path {
			continue
		}
		for _, p := range everybody {
			if e.Do == "" || staff.May(staff.Account{ID: 1, Network: 1, Role: staff.Role(p.role)}, e.Do, 1) == nil {
				return p.name
			}
		}
	}
	c.Fatalf("nobody may %s", call)
	return ""
}

// askWrongly makes every call wrongly: without a token; about nothing that exists; with a body, a page or a key that is none. Each must be
// refused as it is described.
func (c *contract) askWrongly() {
	c.Helper()
	for _, call := range slices.Sorted(maps.Keys(c.calls)) {
		_, path, _ := strings.Cut(call, " ")
		c.send(asked{call: call, in: nowhere, want: 401, code: "sign_in"}, true)
		who := c.whoMay(call)
		if strings.Contains(path, "{") {
			body := nothing(c.calls[call])
			if b := bodies[call]; b != "" {
				body = []byte(b)
			}
			c.send(asked{who: who, call: call, in: nowhere, want: 404, code: "not_found", body: body, kind: bodyKind(c.calls[call])}, true)
		} else if k := bodyKind(c.calls[call]); k != "" {
			c.send(asked{who: who, call: call, body: []byte("\x00{"), kind: k, want: 422}, true)
		}
		if strings.Contains(fmt.Sprint(c.calls[call]["parameters"]), "next of the page before") {
			for _, q := range []string{"limit=0", "limit=100000", "limit=", "limit=x", "after=no.such.place"} {
				if !strings.Contains(path, "{") {
					c.send(asked{who: who, call: call, query: q, want: 422, code: "invalid"}, true)
				}
			}
		}
	}
}

var nowhere = map[string]string{"id": "999", "ods": "X99", "team": "999", "account": "999", "service": "999", "measure": "999", "correction": "999", "file": "999", "format": "csv", "hook": "999", "delivery": "999", "breaking": "999", "event": "claim"}

// bodyKind is the kind of body that a call takes; "" if it takes none.
func bodyKind(call object) string {
	body, ok := call["requestBody"].(map[string]any)
	if !ok {
		return ""
	}
	return slices.Sorted(maps.Keys(body["content"].(map[string]any)))[0]
}

// nothing is a body that can be read, for a call about something that does not exist.
func nothing(call object) any {
	if bodyKind(call) == asJSON {
		return object{}
	}
	return nil
}
