package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// hand works a page by the keyboard alone.
type hand struct {
	*browsertest.Page
	t       *testing.T
	strokes int
}

// to goes on with Tab until what has the focus says words.
func (h *hand) to(words string) {
	h.t.Helper()
	var passed []string
	for range 90 {
		says := h.FocusedWords()
		if strings.HasPrefix(says, words) {
			return
		}
		passed = append(passed, says[:min(len(says), 30)])
		h.press("Tab")
	}
	h.t.Fatalf("at %s the keyboard does not reach %q; it passes %q", h.URL(), words, passed)
}

func (h *hand) press(key string) {
	h.t.Helper()
	h.Press(key)
	h.strokes++
}

func (h *hand) write(words string) {
	h.t.Helper()
	for _, letter := range words {
		h.press(string(letter))
	}
}

// enter presses a button or follows a link, and the page that comes must say words.
func (h *hand) enter(button, words string) {
	h.t.Helper()
	h.to(button)
	h.strokes++
	if status := h.FollowKey("Enter"); status != 200 || !strings.Contains(h.Text("body"), words) {
		h.t.Fatalf("%q leads to %s, %d, which does not say %q: %s", button, h.URL(), status, words, h.Text("main"))
	}
}

// until waits for what a script does.
func (h *hand) until(what string, happened func() bool) {
	h.t.Helper()
	eventually(h.t, 10*time.Second, what, func() bool { time.Sleep(50 * time.Millisecond); return happened() })
}

// A new link worker's first case, without a mouse: they come by an invitation, sign in with a passkey, take the next case, reach the person on
// the second try, pass her on to two services, and end the support; then it stands in the practice's file.
func TestStory_wholeCaseByKeyboard(t *testing.T) {
	t.Parallel()
	browser := browsertest.Open(t)
	listen := quietAddress(t)
	site := "http://localhost" + listen[strings.LastIndexByte(listen, ':'):] // passkeys are bound to a name
	s := newStand(t, "", "", func(o *options) { o.Listen, o.PublicURL = listen, site })
	n := s.network("Knowsley Test PCN", "N8300")
	n.api("Liz", "POST", "/services", object{"name": "Elm House Friday club", "reasons": []string{"loneliness"}, "places": 3}, 201)
	rows := people(2, "N8300")
	n.launch(n.upload(listOf(rows), 201).at("id"), nil)
	s.paced(len(rows))
	p := s.phone(rows[0]).Expect(rows[0].first)
	p.Fill(answers(rows[0], url.Values{"tell": {"practice"}}))
	reference, _ := p.Send()

	h := &hand{Page: browser.Page(), t: t}
	h.Authenticator(true)
	link := s.command("staff", "invite", "nell@n8300.example", "--name", "Nell New", "--role", "link_worker", "--network", n.name, "--public-url", site).at("link")
	h.Goto(link)
	h.to("New password")
	h.write("seven sleepy otters")
	h.enter("Continue", "With a passkey")
	h.to("What to call it")
	h.write("desk")
	h.to("Set up a passkey")
	h.press("Enter")
	h.until("recovery codes", func() bool { return strings.Contains(h.Text("main"), "They are not shown again") })
	h.enter("I have kept them", "Call in this order")
	h.enter("Sign out", "Sign in")
	h.to("Use a passkey")
	h.press("Enter")
	h.until("signed in by a passkey", func() bool { return strings.HasSuffix(h.URL(), "/desk/queue") })

	h.enter("Claim", "You have claimed this referral")
	if text := h.Text("main"); !strings.Contains(text, reference) || !strings.Contains(text, "It is safe to call.") {
		t.Fatalf("the next case reads %s", text)
	}
	h.to("I did not reach them")
	h.press("Space")
	h.enter("Save", "Try 1: not reached, by call")
	h.to("I did not reach them")
	h.press("Down")
	h.to("Note")
	h.write("Glad of the call")
	h.enter("Save", "in support")

	h.enter("Support: goals", "Onward referrals")
	h.to("Add an onward referral")
	h.press("Enter")
	h.to("Which service")
	h.press("Down")
	h.enter("Save", "Elm House Friday club")
	h.to("Add an onward referral")
	h.press("Enter")
	h.to("Or the name of another place")
	h.write("St Chad's lunch club")
	h.enter("Save", "St Chad's lunch club")
	h.to("Their needs are met")
	h.press("Space")
	h.enter("End the support", "Saved")
	t.Logf("%d key strokes", h.strokes)

	s.clock.turn(selfrefer.UndoFor + time.Minute)
	file := n.api("Mo", "POST", "/practices/"+rows[0].practice+"/files", nil, 201)
	csv := n.page("Mo", "/desk/practices/"+rows[0].practice+"/"+file.at("id")+"/csv")
	for _, want := range []string{reference, rows[0].last, selfrefer.UsualCodes.Accepted, "Closed"} {
		if !strings.Contains(csv, want) {
			t.Errorf("the practice's file does not hold %q", want)
		}
	}
}
