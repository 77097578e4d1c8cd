package main

import (
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// signedIn is somebody new at the keyboard: they come by an invitation, set up a passkey, leave, and sign in with it.
func (s *stand) signedIn(t *testing.T, browser *browsertest.Browser, n *network, email, name, role string) *hand {
	t.Helper()
	h := &hand{Page: browser.Page(), t: t}
	h.Authenticator(true)
	h.Goto(s.command("staff", "invite", email, "--name", name, "--role", role, "--network", n.name, "--public-url", s.opt.PublicURL).at("link"))
	h.to("New password")
	h.write("seven sleepy otters")
	h.enter("Continue", "With a passkey")
	h.to("What to call it")
	h.write("desk")
	h.to("Set up a passkey")
	h.press("Enter")
	h.until("recovery codes", func() bool { return strings.Contains(h.Text("main"), "They are not shown again") })
	h.enter("I have kept them", name)
	h.enter("Sign out", "Sign in")
	h.strokes = 0
	h.to("Use a passkey")
	h.press("Enter")
	h.until("signed in by a passkey", func() bool { return !strings.Contains(h.URL(), "sign-in") && strings.Contains(h.Text("header"), name) })
	return h
}

// says checks words of the page.
func (h *hand) says(words ...string) {
	h.t.Helper()
	text := h.Text("main")
	for _, w := range words {
		if !strings.Contains(text, w) {
			h.t.Errorf("%s does not say %q: %s", h.URL(), w, text)
		}
	}
}

// A manager makes a campaign for some of a list's people, from signing in to the wait for approval, and a second person approves it: both
// without a mouse, in a browser whose scripts run.
func TestStory_campaignByKeyboard(t *testing.T) {
	t.Parallel()
	browser := browsertest.Open(t)
	listen := quietAddress(t)
	site := "http://localhost" + listen[strings.LastIndexByte(listen, ':'):] // passkeys are bound to a name
	s := newStand(t, "", "", func(o *options) { o.Listen, o.PublicURL = listen, site })
	n := s.network("Knowsley Test PCN", "N8300")
	n.upload(listOf(people(450, "N8300")), 201)

	h := s.signedIn(t, browser, n, "mia@n8300.example", "Mia Manager", "campaign_manager")
	h.enter("Campaigns", "Campaigns")
	h.enter("Make a campaign", "Step 1 of 6")
	h.to("Name of the campaign")
	h.write("Spring")
	h.to("Patient list")
	h.press("Down")
	h.until("the list is described", func() bool { return strings.Contains(h.Text("#chosen"), "450 people") })
	h.to("Only some of these people")
	h.press("Enter")
	h.to("First Surgery")
	h.press("Space")
	h.until("the people are counted", func() bool { return strings.Contains(h.Text("#counted"), "225 of the 450 in this list") })
	h.to("Reference of the data protection impact assessment")
	h.write("DPIA 7")
	h.enter("Save and go on", "Step 2 of 6")

	h.says("Row 2 of the file", "Hello Ann, this is First Surgery.", "225 people")
	h.to("Next person")
	h.press("Enter")
	h.until("the next person", func() bool { return strings.Contains(h.Text("#somebody"), "Hello Cat, this is First Surgery.") })
	h.press("Enter") // the keyboard is still there
	h.until("the third person", func() bool { return strings.Contains(h.Text("#somebody"), "Hello Eve, this is First Surgery.") })
	h.to("Person before")
	h.press("Enter")
	h.until("the second person again", func() bool { return strings.Contains(h.Text("#somebody"), "Hello Cat, this is First Surgery.") })
	h.to("Reminder (optional)")
	h.write("Hello ((first_name)). ((link)) No: ((stop_link))")
	h.until("the reminder on the phone", func() bool { return strings.Contains(h.Text("#somebody"), "Hello Cat. ") })
	h.to("Groups that have answered least")
	h.press("Space")
	h.enter("Save and go on", "Step 3 of 6")
	h.enter("Save and go back", "Step 2 of 6")
	if !strings.Contains(h.HTML(), "No: ((stop_link))</textarea>") || !strings.Contains(h.HTML(), `name="least_first" type="checkbox" value="yes" checked`) {
		t.Error("going back lost what was written")
	}
	h.enter("Save and go on", "Step 3 of 6")
	h.to("Most texts in one day")
	h.write("60")
	h.enter("Save and leave it for now", "Go through the steps")
	h.enter("Go through the steps", "Step 4 of 6")
	h.to("Link workers")
	h.press("Space")
	h.enter("Save and go on", "Step 5 of 6")
	h.to("Time of the team for first calls")
	h.write("50") // in place of what stands there
	h.press("Tab")
	h.until("what half the time of the team would do", func() bool { return strings.Contains(h.Text("#outlook"), "As it is saved, and as you try it") })
	h.enter("Save and go on", "Step 6 of 6")
	h.says("450 texts will go to 225 people", "DPIA 7", "Groups that had answered least", "list: practice N83001", "On the phone of somebody in the list")
	h.enter("Send for approval", "Waits for approval")
	t.Logf("the first person: %d key strokes", h.strokes)
	campaign := h.URL()

	second := s.signedIn(t, browser, n, "sol@n8300.example", "Sol Second", "senior_link_worker")
	second.Goto(campaign)
	second.enter("Check and approve", "Approve exactly this")
	second.says("450 texts will go to 225 people", "Hello Ann, this is First Surgery.", "This costs up to £", "DPIA 7")
	second.enter("Next person", "Hello Cat, this is First Surgery.")
	second.to("How many people get this text?")
	second.write("225")
	second.enter("Approve exactly this", "Approved")
	t.Logf("the second person: %d key strokes", second.strokes)
	for _, page := range []*hand{h, second} {
		for _, e := range page.ConsoleErrors() {
			if !strings.Contains(e, "htmx:sendAbort") && !strings.Contains(e, "htmx:afterRequest") { // a page was left that was just asking for news
				t.Errorf("console: %s", e)
			}
		}
	}
}
