package form

import (
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// Every screen as people see it: axe-core finds nothing, and nothing scrolls sideways at 320 pixels.
func TestScreens(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	chrome := browsertest.Open(t)
	s := newSite(t)
	base := s.url + link.URL("", known)
	for _, page := range []struct{ name, path string }{
		{"home", "/"}, {"code", "/r"}, {"start", link.URL("", known)}, {"unknown", link.URL("", unknown)}, {"used", link.URL("", used)}, {"stop", link.StopURL("", known)},
	} {
		chrome.Page().CheckPage(s.url+page.path, page.name) // a tab each, as CheckPage leaves it as a phone
	}
	p := chrome.Page()
	p.Goto(base)
	p.Follow(`form[action$="/start"] button`)
	p.Follow("button[type=submit]") // nothing chosen
	if got := p.Focused(); !strings.Contains(got, "error-summary") {
		t.Errorf("after a mistake the focus is on %s", got)
	}
	for _, step := range Steps {
		if step.Path != "name" {
			p.CheckPage(base+"/"+step.Path, step.Path)
		}
	}
	p.CheckPage(base+"/urgent?after=danger", "urgent")

	// The way of a person who presses nothing that need not be pressed.
	p.Goto(base + "/danger")
	p.Click("#danger-2")
	p.Follow("button[type=submit]")
	p.Click("#for_other")
	p.Follow("button[type=submit]")
	for _, path := range []string{"reasons", "tell", "channel", "when", "safe", "number", "needs", "birth"} {
		if path == "safe" {
			p.Click("#call_safe")
		}
		p.Follow("button[type=submit]")
	}
	p.Click("#agreed")
	p.Follow("button[type=submit]")
	p.CheckPage(base+"/check", "check")
	p.Follow("form button[type=submit]")
	if got := p.Text("h1"); got != "We have received it" {
		t.Fatalf("ended on %q at %s", got, p.URL())
	}
	p.CheckPage(base+"/sent", "sent")

	p.CheckPage(s.url+"/help/7", "general")
	// Without scripts, too.
	p = chrome.Page()
	p.NoScripts()
	p.Goto(s.url + "/help/7")
	p.Follow(`form[action$="/start"] button`)
	p.Click("#danger")
	p.Follow("button[type=submit]")
	if got := p.Text("h1"); !strings.Contains(got, "do not wait for us") {
		t.Errorf("a yes leads to %q", got)
	}
	s.set(func() { s.keepFails = true })
	p.Fill("#phone", "07700 900123")
	if status := p.Follow(`form[action$="/send"] button`); status != 503 {
		t.Errorf("status %d, want 503", status)
	}
	s.set(func() { s.keepFails = false })
	p.Follow(`form[action$="/send"] button`)
	if got := p.Text("h1"); got != "We have received it" {
		t.Errorf("ended on %q", got)
	}
}
