package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// page fetches a page of the desk as somebody.
func (n *network) page(who, path string) string {
	n.Helper()
	r, err := http.NewRequest("GET", n.app.PublicURL+path, nil)
	n.must(err)
	r.Header.Set("Authorization", "Bearer "+n.tokens[who])
	resp, err := http.DefaultClient.Do(r)
	n.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	n.must(err)
	if resp.StatusCode != http.StatusOK {
		n.Fatalf("%s as %s: %d", path, who, resp.StatusCode)
	}
	return string(b)
}

// People answer by text: some want no more, one wants a call, one is in danger, one has changed his mind.
func TestStory_replies(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, nil)
		n := s.network("Knowsley Test PCN", "N8300")
		rows := people(6, "N8300")
		n.launch(n.upload(listOf(rows), 201).at("id"), object{"reminder": object{"text": storyReminder, "after_days": 7}})
		s.paced(len(rows))
		var phones []*phone
		for _, p := range rows {
			phones = append(phones, s.phone(p))
		}
		stops, calls, danger, undecided, listed, quiet := phones[0], phones[1], phones[2], phones[3], phones[4], phones[5]

		stops.Reply("Stop please 🙏")
		calls.Reply("CALL")
		danger.Reply("شكرا")
		undecided.Reply("STOP")
		undecided.Reply("START")
		open := n.api("Lee", "GET", "/referrals?state=open", nil, 200).list("referrals")
		if len(open) != 2 {
			t.Fatalf("%d in the queue, want the CALL and the thanks: %v", len(open), open)
		}
		call := open[0]
		if call.at("said") != "call" || call.at("source") != "reply" || call.at("lane") != "verified" || call.at("urgent") != "false" {
			t.Errorf("CALL is in the queue as %v", call)
		}
		whole := n.api("Lee", "GET", "/referrals/"+call.at("id"), nil, 200)
		if whole.at("answers.channel") != "call" || whole.at("answers.call_safe") != "" || whole.at("phone") != calls.number() {
			t.Errorf("CALL asks for %s, safe %q", whole.at("answers.channel"), whole.at("answers.call_safe"))
		}
		if page := n.page("Lee", "/desk/referrals/"+call.at("id")); !strings.Contains(page, "They texted CALL from their own number; they were not asked whether it is safe.") {
			t.Error("the page does not say that nobody asked whether it is safe to call")
		}

		// The second text of the same person joins the first, and goes to the top.
		s.clock.turn(time.Minute)
		danger.Reply("زوجي يَضرِبُني")
		open = n.api("Lee", "GET", "/referrals?state=open", nil, 200).list("referrals")
		if len(open) != 2 || open[0].at("urgent") != "true" || open[0].at("why_urgent.0") != "violence or abuse" || open[0].at("said") != "" {
			t.Fatalf("the cry is not on top, or not joined to the first text: %v", open)
		}
		page := n.page("Lee", "/desk/referrals/"+open[0].at("id"))
		for _, want := range []string{"شكرا", "They texted again at", `<mark><span class="nhsuk-u-visually-hidden">Sounds like danger: </span>يَضرِبُني</mark>`, "Urgent"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not show %s", want)
			}
		}

		// Another system's list, beside the running program; then by the API, where everybody is there already.
		list := filepath.Join(s.dir, "optouts.csv")
		s.must(os.WriteFile(list, []byte("number\n"+listed.number()+"\nnobody\n"), 0o600))
		if l := s.command("optouts", "import", list, "--dry-run"); l.at("added") != "1" || l.at("cannot_be_read") != "1" || l.at("problems.0.row") != "3" {
			t.Errorf("the dry run says %v", l)
		}
		if l := s.command("optouts", "import", list); l.at("added") != "1" || l.at("journaled") != "false" {
			t.Errorf("the import says %v", l)
		}
		if l := n.send("Ada", "POST", "/optouts", "text/csv", strings.NewReader(listed.number()+"\n"+stops.number()), 200); l.at("already_there") != "2" || l.at("rows") != "2" {
			t.Errorf("the second import says %v", l)
		}
		exported := s.command("optouts", "export")
		if got := exported.list("optouts"); len(got) != 2 || exported.at("blind") != "0" {
			t.Errorf("exported %v", exported)
		}
		if n.api("Lee", "GET", "/optouts", nil, 403).at("code") != "denied" {
			t.Error("a link worker reads the list of opt-outs")
		}

		for _, r := range open { // with promises broken nobody would be reminded
			n.api("Lee", "POST", "/referrals/"+r.at("id")+"/claim", nil, 200)
			n.api("Lee", "POST", "/referrals/"+r.at("id")+"/close", object{"channel": "call"}, 200)
		}
		s.clock.turn(8 * 24 * time.Hour)
		s.paced(len(rows) + 2)
		for range 20 {
			s.minute()
		}
		for p, want := range map[*phone]int{stops: 1, calls: 1, danger: 1, undecided: 2, listed: 1, quiet: 2} {
			if got := len(p.inbox()); got != want {
				t.Errorf("%s has %d texts, want %d", p.first, got, want)
			}
		}
		nobodyTwice(t, s.accepted())
		if log := s.logged.String(); strings.Contains(log, stops.number()[3:]) || strings.Contains(log, "زوجي") || bytes.Contains([]byte(log), []byte("Stop please")) {
			t.Error("the log tells who has written what")
		}
	})
}
