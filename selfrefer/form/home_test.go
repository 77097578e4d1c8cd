package form

import (
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// Nobody has to read ten languages to find their own text: it is open, and the others stand behind the names of their languages.
func TestHome_languages(t *testing.T) {
	s := newSite(t)
	s.translated = []selfrefer.SendingText{{Language: lang.Arabic, Words: "مرحبًا سام"}, {Language: lang.Polish, Words: "Cześć Sam"}, {Language: lang.Polish, Words: "Cześć Sam"}}
	for query, want := range map[string]struct {
		open   string
		closed []string
	}{
		"/":         {"Hello Sam", []string{"Polski", "Cześć Sam", "العربية", "مرحبًا سام"}},
		"/?lang=pl": {"Cześć Sam", []string{"English", "Hello Sam", "العربية", "مرحبًا سام"}},
		"/?lang=ar": {"مرحبًا سام", []string{"English", "Hello Sam", "Polski", "Cześć Sam"}},
		"/?lang=bn": {"Hello Sam", []string{"Polski", "Cześć Sam", "العربية", "مرحبًا سام"}}, // nothing is sent in Bengali
	} {
		_, page := s.browser(t).get(query)
		_, page, _ = strings.Cut(page, "<main")
		inset, rest, _ := strings.Cut(page, "<details")
		if !strings.Contains(inset, want.open) {
			t.Errorf("%s: %q is not open", query, want.open)
		}
		at := 0
		for _, words := range want.closed {
			i := strings.Index(rest[at:], words)
			if i < 0 || strings.Contains(inset, words) {
				t.Fatalf("%s: %q does not stand behind its language's name: %s", query, words, page)
			}
			at += i
		}
		if strings.Count(page, "Cześć Sam") != 1 {
			t.Errorf("%s: a text that two campaigns send is shown twice", query)
		}
	}
}

// In a real browser, in English and from right to left.
func TestHome_screens(t *testing.T) {
	p := browsertest.Open(t).Page()
	s := newSite(t)
	for _, l := range lang.All[1:] {
		s.translated = append(s.translated, selfrefer.SendingText{Language: l.Code, Words: l.Own + " Sam.\nhttps://riverside.test/r/7K3MQ2XVT9PA"})
	}
	p.CheckPage(s.url+"/", "home-sending")
	p.Goto(s.url + "/?lang=ar")
	p.CheckSmall("home-sending-ar")
}
