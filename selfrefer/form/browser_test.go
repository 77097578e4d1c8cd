package form

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// every shows each page of the form once to look, in the order of the way through: first those before it, then each question, a page with
// mistakes, the interruption, the check and the end. The tab is left on the last one.
func every(p *browsertest.Page, s *site, look func(name string)) {
	base := s.url + link.URL("", known)
	for _, page := range []struct{ name, path string }{
		{"home", "/"}, {"code", "/r"}, {"unknown", link.URL("", unknown)}, {"used", link.URL("", used)}, {"stop", link.StopURL("", known)}, {"stop-unknown", link.StopURL("", unknown)},
		{"general", "/help/7"}, {"start", link.URL("", known)},
	} {
		p.Goto(s.url + page.path)
		look(page.name)
	}
	p.Goto(base)
	p.Follow(`form[action$="/start"] button`)
	look("danger")
	p.Follow("button[type=submit]") // nothing chosen
	look("mistake")
	p.Click("#danger-2")
	p.Follow("button[type=submit]")
	look("who")
	p.Click("#for_other-2")
	for _, path := range []string{"helper", "name", "reasons", "tell", "channel", "email", "when", "safe", "number", "language", "needs", "sharing", "birth", "agree"} {
		p.Follow("button[type=submit]")
		look(path)
		switch path { // the way of a person who presses nothing that need not be pressed
		case "helper", "name":
			p.Fill("#"+path, "Sam Roe")
		case "channel":
			p.Click("#channel-3")
		case "email":
			p.Fill("#email", "sam@example.com")
		case "safe":
			p.Click("#call_safe")
		case "agree":
			p.Click("#agreed")
		}
	}
	p.Follow("button[type=submit]")
	look("check")
	p.Goto(base + "/urgent?after=danger")
	look("urgent")
	p.Goto(base + "/check")
	p.Follow("form button[type=submit]")
	look("sent")
}

// Every page in every language as people see it who have most need of it: axe-core finds nothing, nothing scrolls sideways, on a phone of
// 320 pixels and with letters of twice the size.
func TestScreens(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	chrome := browsertest.Open(t)
	for _, l := range lang.All {
		t.Run(string(l.Code), func(t *testing.T) {
			s := newSite(t)
			p := chrome.In(t).Page()
			p.Phone()
			p.Goto(s.url + "/r?lang=" + string(l.Code))
			every(p, s, func(name string) { p.CheckSmall(string(l.Code) + "-" + name) })
			if got, want := p.Text("h1"), lang.In(l.Code).Say("sent.received"); got != want {
				t.Errorf("ended on %q, not on %q", got, want)
			}
		})
	}
}

// The same on a wide screen, in a language for each direction.
func TestScreens_wide(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	chrome := browsertest.Open(t)
	for _, c := range []lang.Code{lang.English, lang.Arabic} {
		t.Run(string(c), func(t *testing.T) {
			s := newSite(t)
			p := chrome.In(t).Page()
			p.Goto(s.url + "/r?lang=" + string(c))
			every(p, s, func(name string) { p.CheckWide(string(c) + "-" + name) })
		})
	}
}

// A person who has no mouse, and one whose browser runs no scripts.
func TestScreens_keyboard(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	chrome := browsertest.Open(t)
	s := newSite(t)
	base := s.url + link.URL("", known)
	p := chrome.Page()
	p.Goto(base)
	// reach walks with the tabulator until the focus is on something, as a person would.
	reach := func(what string) {
		t.Helper()
		for range 60 {
			if strings.HasPrefix(p.Focused(), what) {
				return
			}
			p.Press("Tab")
		}
		t.Fatalf("the keyboard does not reach %s at %s", what, p.URL())
	}
	onward := func() { // from the last answer to the button
		t.Helper()
		reach("button")
		p.FollowKey("Enter")
	}
	p.Press("Tab")
	if got := p.Focused(); !strings.HasPrefix(got, "a.nhsuk-skip-link") {
		t.Errorf("the first stop is %s, not the way past the menu", got)
	}
	onward() // "Start now" is the first button
	onward() // nothing chosen
	if got := p.Focused(); !strings.Contains(got, "error-summary") {
		t.Errorf("after a mistake the focus is on %s", got)
	}
	reach("a")
	reach("input#danger")
	p.Press("Down") // the second answer: no
	onward()
	reach("input#for_other")
	p.Press("Space")
	onward()
	for range []string{"reasons", "tell", "channel", "when"} {
		onward()
	}
	reach("input#call_safe")
	p.Press("Space")
	for range []string{"safe", "number", "language", "needs", "sharing", "birth"} {
		onward()
	}
	reach("input#agreed")
	p.Press("Space")
	onward()
	onward()
	if got := p.Text("h1"); got != "We have received it" {
		t.Fatalf("the keyboard ended on %q at %s", got, p.URL())
	}

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

// The first page costs 45 kB at most, with all that belongs to it, and three requests before it can be read; and no page's own HTML is
// more than 14 kB: what a line sends before it waits for an answer.
func TestWeight(t *testing.T) {
	if !ui.Built() {
		t.Skip("the styles are not built: run make assets")
	}
	s := newSite(t)
	fetch := func(client *http.Client, path, accept string) (zipped []byte, plain string) {
		t.Helper()
		r, err := http.NewRequest("GET", s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("Accept-Language", accept)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if zipped, err = io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		plain = string(zipped)
		if resp.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(zipped))
			if err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			plain = string(all)
		}
		return zipped, plain
	}
	const headers = 500 // bytes of an answer's, about
	asset := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`)
	blocking := regexp.MustCompile(`<link rel="stylesheet"|<script src="[^"]+"></script>`)
	for _, l := range lang.All {
		zipped, plain := fetch(http.DefaultClient, link.URL("", known), string(l.Code))
		bytes, requests := len(zipped)+headers, 1+len(blocking.FindAllString(plain, -1))
		for _, m := range asset.FindAllStringSubmatch(plain, -1) {
			file, text := fetch(http.DefaultClient, m[1], "")
			bytes += len(file) + headers
			for _, inner := range regexp.MustCompile(`from '\./([^']+)'`).FindAllStringSubmatch(text, -1) { // a script that fetches another
				file, _ := fetch(http.DefaultClient, "/static/"+inner[1], "")
				bytes += len(file) + headers
			}
		}
		t.Logf("%s: %d bytes, %d requests before it can be read", l.Name, bytes, requests)
		if bytes > 45_000 || requests > 3 {
			t.Errorf("%s: the first page is %d bytes in all and needs %d requests before it can be read", l.Name, bytes, requests)
		}
		b := s.browser(t)
		b.accept = string(l.Code)
		b.post(link.URL("", known)+"/start", nil)
		b.post(link.URL("", known)+"/danger", map[string][]string{"danger": {"yes"}})
		for _, path := range append([]string{"/urgent"}, paths()...) {
			if zipped, _ := fetch(b.c, link.URL("", known)+path, string(l.Code)); len(zipped) > 14_000 {
				t.Errorf("%s %s: %d bytes", l.Name, path, len(zipped))
			}
		}
	}
}

func paths() (all []string) {
	for _, s := range Steps {
		all = append(all, "/"+s.Path)
	}
	return all
}

// One bar of signal: 400 kbit/s and 400 ms before each answer, from the tap on the link to the confirmation, as fast as fingers could.
func BenchmarkForm_oneBar(b *testing.B) {
	chrome := browsertest.Open(b)
	for _, c := range []lang.Code{lang.English, lang.Arabic} {
		b.Run(string(c), func(b *testing.B) {
			var spent, first time.Duration
			var firstTraffic, all browsertest.Traffic
			for range b.N {
				s := newSite(b)
				base := s.url + link.URL("", known)
				p := chrome.In(b).Page()
				p.Phone()
				p.Accept(string(c))
				p.Throttle(400, 400*time.Millisecond)
				p.Traffic()
				began := time.Now()
				p.Goto(base)
				first += time.Since(began)
				firstTraffic = p.Traffic()
				p.Follow(`form[action$="/start"] button`)
				for _, path := range append([]string{"danger", "who"}, "reasons", "tell", "channel", "when", "safe", "number", "language", "needs", "sharing", "birth", "agree", "check") {
					if press := map[string]string{"danger": "#danger-2", "who": "#for_other", "safe": "#call_safe", "agree": "#agreed"}[path]; press != "" {
						p.Click(press)
					}
					p.Follow("form button[type=submit]")
				}
				spent += time.Since(began)
				all = p.Traffic()
				if got := p.Text("h1"); got != lang.In(c).Say("sent.received") {
					b.Fatalf("ended on %q", got)
				}
			}
			b.ReportMetric(first.Seconds()/float64(b.N), "s/first-page")
			b.ReportMetric(spent.Seconds()/float64(b.N), "s/form")
			b.ReportMetric(float64(firstTraffic.Bytes), "B/first-page")
			b.ReportMetric(float64(firstTraffic.Requests), "requests/first-page")
			b.ReportMetric(float64(firstTraffic.Bytes+all.Bytes), "B/form")
			b.ReportMetric(0, "ns/op")
		})
	}
}
