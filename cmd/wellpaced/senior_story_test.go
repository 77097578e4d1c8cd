package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// What is saved on the capacity page is known to the pacer at its next minute: the only senior's leave stops the texts, and they go on when
// it is taken back. A dry run has said so before, and changed nothing.
func TestStory_seniorAway(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, nil)
		n := s.network("Knowsley Test PCN", "N8300")
		id := n.launch(n.upload(listOf(people(60, "N8300")), 201).at("id"), object{"text": "Hello ((first_name)) ((link)) Stop: ((stop_link))"})
		path := "/teams/" + n.team + "/capacity"
		here := n.api("Liz", "GET", path, nil, 200)
		workers := slices.Clone(here.list("workers"))
		for i, w := range workers {
			if w.at("account") == n.accounts["Liz"] {
				if w.at("senior") != "true" {
					t.Errorf("the API does not say who is senior: %v", w)
				}
				w = maps.Clone(w)
				w["leave"] = []object{{"from": s.clock.Now().Add(-time.Hour).Format(time.RFC3339), "to": s.clock.Now().AddDate(0, 0, 21).Format(time.RFC3339)}}
				workers[i] = w
			}
		}
		tick := func() (released int, limit string) {
			s.clock.turn(time.Minute)
			ctx := context.Background()
			released, err := s.app.pacer.Tick(ctx, s.clock.Now())
			s.must(err)
			d := n.api("Mo", "GET", "/campaigns/"+id, nil, 200)
			return released, d.at("last_decision.limit")
		}
		last := func(o object, when string) string { return o.at(when + ".campaigns.0.last_text") }

		dry := n.api("Liz", "PUT", path+"?dry_run=true", object{"workers": workers}, 200)
		if dry.at("before.senior_there") != "true" || dry.at("after.senior_there") != "false" || dry.at("before.campaigns.0.name") == "" || last(dry, "after") != "" && last(dry, "after") <= last(dry, "before") {
			t.Errorf("the dry run says %v", dry)
		}
		n.api("Liz", "PUT", path, object{"workers": workers}, 200)
		if released, limit := tick(); released != 0 || limit != string(throttle.LimitSenior) {
			t.Errorf("%d texts while the only senior is away, bound by %q", released, limit)
		}
		page := n.page("Mo", "/desk/campaigns/"+id)
		if !strings.Contains(page, "no senior link worker is on the roster before") || !strings.Contains(page, "No senior link worker there") {
			t.Error("the campaign's page does not say why no texts go")
		}
		n.api("Liz", "PUT", path+"?dry_run=false", object{"workers": here["workers"]}, 200)
		if released, limit := tick(); released == 0 {
			t.Errorf("the senior is back, and no texts go: %s", limit)
		}
	})
}
