package form

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// composed are the keys that the code puts together from a page and a value.
var composed = regexp.MustCompile(`^(help\.line\.[a-z0-9_]+|(danger|who|channel|when|support|sharing|reason)\.[a-z_]+(\.hint)?|told\.[a-z]+|safe\.(call|text|message)_safe|(weekday|month)\.\d+|date\..*|` +
	`stop\.(why|done)\.[a-z_]+(\.then)?|sent\.will\.[a-z]+(\.today|\.some_day)?|lost\.(unread|too_large)(\.why)?|review\.by)$`)

// Every sentence that the code says exists, and every one that exists is said.
func TestWords_allAreUsed(t *testing.T) {
	said := map[string]bool{}
	packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0) //nolint:staticcheck // one folder without build tags
	if err != nil {
		t.Fatal(err)
	}
	words := lang.In(lang.English)
	for _, p := range packages {
		for name, f := range p.Files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				keys := call.Args
				switch f.Sel.Name {
				case "say", "Say", "ringUs":
					keys = keys[:1]
				case "says":
				default:
					return true
				}
				for _, k := range keys {
					if lit, ok := k.(*ast.BasicLit); ok {
						key, err := strconv.Unquote(lit.Value)
						if err != nil {
							t.Fatal(err)
						}
						if said[key] = true; !words.Has(key) {
							t.Errorf("%s says %q, which no file of words has", name, key)
						}
					}
				}
				return true
			})
		}
	}
	for _, key := range lang.Keys() {
		if !said[key] && !composed.MatchString(key) {
			t.Errorf("nothing says %q", key)
		}
	}
}

// What the code puts together exists too.
func TestWords_composed(t *testing.T) {
	h := newSite(t).h
	words := lang.In(lang.English)
	var keys []string
	for _, q := range h.questions {
		keys = append(keys, "told."+q.path)
	}
	for _, way := range append([]string{"none"}, channels...) {
		keys = append(keys, "sent.will."+way, "sent.will."+way+".today", "sent.will."+way+".some_day")
	}
	for _, r := range (selfrefer.Words{}).Reasons(lang.English) {
		keys = append(keys, "reason."+r.Code)
	}
	for _, l := range (selfrefer.Words{}).Help(lang.English) {
		keys = append(keys, "help.line."+l.Key)
	}
	for _, why := range stopWhys {
		keys = append(keys, "stop.why."+why, "stop.done."+why, "stop.done."+why+".then")
	}
	for _, k := range keys {
		if !words.Has(k) {
			t.Errorf("%q is missing", k)
		}
	}
}

// The language is chosen on the page, else comes from the list, else from the browser; and the answers stay.
func TestLanguage(t *testing.T) {
	s := newSite(t)
	base := link.URL("", known)
	b := s.browser(t)
	b.accept = "pl-PL,pl;q=.9,en;q=.8"
	code, body := b.get(base)
	b.want(200, code, body, lang.In(lang.Polish).Say("start.heading"))
	s.set(func() { s.listLanguage = "Main spoken language Urdu" })
	other := s.browser(t)
	other.accept = "pl"
	code, body = other.get(link.URL("", old)) // not the one that is remembered for a minute
	other.want(410, code, body, lang.In(lang.Urdu).Say("lost.spent"))
	if !strings.Contains(body, `<html lang="ur" dir="rtl">`) {
		t.Error("the page does not say that it is in Urdu, from right to left")
	}

	b.post(base+"/start", url.Values{})
	b.post(base+"/danger", url.Values{"danger": {"no"}})
	b.post(base+"/who", url.Values{"for_other": {"no"}})
	b.post(base+"/tell", url.Values{"words": {"Czynsz."}})
	code, body = b.get(base + "/tell?change=1&lang=ar")
	b.want(200, code, body, "Czynsz.", lang.In(lang.Arabic).Say("tell.ask"))
	if b.at != base+"/tell?change=1" {
		t.Errorf("the choice of a language led to %s", b.at)
	}
	for _, l := range lang.All {
		if !strings.Contains(body, l.Own) {
			t.Errorf("%s cannot be chosen", l.Name)
		}
	}
	code, body = b.get(base + "/tell?lang=xx")
	b.want(200, code, body, lang.In(lang.Arabic).Say("tell.ask"))
	b.post(base+"/send", url.Values{"call_safe": {"yes"}})
	if got := s.only(t).Answers.Pages; got != lang.Arabic {
		t.Errorf("the form was in %q", got)
	}
	// Who leaves quickly leaves no language behind either.
	b.get(base + "/leave")
	for _, c := range b.c.Jar.Cookies(mustURL(t, s.url)) {
		t.Errorf("a cookie is left: %s", c.Name)
	}
}

// Every page in every language: nothing of another language shows through, and every heading is a sentence and no key.
func TestWords_everyPage(t *testing.T) {
	keyish := regexp.MustCompile(`>\s*[a-z_]+\.[a-z_.]+\s*<|<no value>|&lt;no value`)
	for _, l := range lang.All {
		t.Run(string(l.Code), func(t *testing.T) {
			s := newSite(t)
			base := link.URL("", known)
			b := s.browser(t)
			b.get("/r?lang=" + string(l.Code))
			b.post(base+"/start", url.Values{})
			b.post(base+"/danger", url.Values{"danger": {"no"}})
			paths := []string{"/", "/r", "/help/7", link.URL("", unknown), link.URL("", used), link.StopURL("", known), link.StopURL("", unknown), base, base + "/urgent"}
			for _, step := range Steps {
				if step.Path == "helper" {
					b.post(base+"/who", url.Values{"for_other": {"yes"}})
				}
				paths = append(paths, base+"/"+step.Path)
			}
			for _, path := range paths {
				_, body := b.get(path)
				if keyish.MatchString(body) {
					t.Errorf("%s has a hole: %s", path, keyish.FindString(body))
				}
				if l.Code != lang.English && strings.Contains(text(body), "the person who") {
					t.Errorf("%s speaks English", path)
				}
			}
			for path, post := range map[string]url.Values{"/danger": {}, "/safe": {}, "/number": {"phone": {"1"}}, "/birth": {"birth_date-day": {"40"}}, "/agree": {}, "/tell": {"words": {strings.Repeat("a", maxWords+1)}}} {
				code, body := b.post(base+path, post)
				if code != http.StatusUnprocessableEntity || keyish.MatchString(body) || !strings.Contains(text(body), lang.In(l.Code).Say("frame.problem")) {
					t.Errorf("%s: status %d, %s", path, code, keyish.FindString(body))
				}
			}
		})
	}
}

// The day in a calendar that others may read says nothing of why.
func TestDiary(t *testing.T) {
	s := newSite(t)
	base := link.URL("", known)
	b := s.browser(t)
	if _, body := b.get(base + "/sent.ics"); strings.Contains(body, "VCALENDAR") {
		t.Error("a calendar before anything is sent")
	}
	b.post(base+"/start", url.Values{})
	b.fill(full)
	code, body := b.post(base+"/send", url.Values{})
	b.want(200, code, body, "Save the day in your calendar")
	code, body = b.get(base + "/sent.ics")
	if code != 200 || !strings.Contains(body, "DTSTART;VALUE=DATE:20270603\r\n") || !strings.Contains(body, "REF0-ABCD") {
		t.Fatalf("status %d: %s", code, body)
	}
	for _, never := range []string{"worker", "help", "lonel", "money", "form", known.Reveal()} {
		if strings.Contains(strings.ToLower(body), never) {
			t.Errorf("the calendar says %q", never)
		}
	}
	for _, line := range strings.Split(strings.TrimSuffix(body, "\r\n"), "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d bytes: RFC 5545 allows 75", len(line))
		}
	}
}
