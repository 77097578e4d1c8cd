package campaign

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

var tuesday = time.Date(2026, time.June, 2, 0, 0, 0, 0, time.UTC)

func confirmation(t *testing.T, c lang.Code, by time.Time) (string, text.Size) {
	t.Helper()
	body, size, err := ComposeService(Confirmation, c, ServiceFields{Network: "Knowsley Central", Reference: "7K3M-Q2WX", By: by})
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return body, size
}

func TestComposeService(t *testing.T) {
	for _, c := range []lang.Code{lang.English, "", "tlh"} {
		if body, size := confirmation(t, c, tuesday); body != "Thank you. We have received this, ref 7K3M-Q2WX. You will hear from us by Tuesday 2 June. Knowsley Central" || size.Segments != 1 || size.Encoding != text.GSM7 {
			t.Errorf("%q: %q, %+v", c, body, size)
		}
	}
	if body, _ := confirmation(t, lang.English, time.Time{}); body != "Thank you. We have received this, ref 7K3M-Q2WX. Knowsley Central" {
		t.Errorf("without a date: %q", body)
	}
	if body, _ := confirmation(t, lang.Arabic, tuesday); !strings.Contains(body, "الثلاثاء 2 يونيو") || !strings.Contains(body, "\u200e7K3M-Q2WX\u200e") {
		t.Errorf("Arabic: %q", body)
	}
	if body, size := confirmation(t, lang.Polish, tuesday); !strings.Contains(body, "do wtorku 2 czerwca") || size.Encoding != text.UCS2 {
		t.Errorf("Polish: %q", body)
	}
	body, size, err := ComposeService(Confirmation, lang.English, ServiceFields{Network: "O’Neill’s\n((date))  PCN", Reference: "A"})
	if err != nil || !strings.HasSuffix(body, "O'Neill's ((date)) PCN") || size.Encoding != text.GSM7 {
		t.Errorf("an odd name of a network: %q, %v", body, err)
	}
	if _, _, err := ComposeService("nonsense", lang.English, ServiceFields{}); err == nil {
		t.Error("a kind without a sentence is composed")
	}
}

// Every language has every sentence, no dearer than two parts, and with nothing in it that a stranger should not read.
func TestServiceTexts_allLanguages(t *testing.T) {
	telling := regexp.MustCompile(`(?i)refer(red|ral)|link ?worker|social|prescri|support|help|health|doctor|surgery|safe|lonel|money|https?:|www\.|form\b`)
	for _, s := range Services {
		if s.UsefulFor() <= 0 {
			t.Errorf("nobody said how long a %s is of use", s)
		}
		for _, l := range lang.All {
			f := serviceWords[l.Code]
			if f.Review == "" {
				t.Errorf("%s: the file does not say whether a translator has checked it", l.Name)
			}
			dated, undated := f.Texts[string(s)], f.Texts[string(s)+"_undated"]
			for _, field := range []string{"((reference))", "((network))"} {
				if strings.Count(dated, field) != 1 || strings.Count(undated, field) != 1 {
					t.Errorf("%s: %s is not in both sentences once", l.Name, field)
				}
			}
			if strings.Count(dated, "((date))") != 1 || strings.Contains(undated, "((date))") {
				t.Errorf("%s: the date is in the wrong sentence", l.Name)
			}
			if len(f.Texts) != 2*len(Services) {
				t.Errorf("%s: %d sentences for %d kinds", l.Name, len(f.Texts), len(Services))
			}
			longest := 0
			for day := range 366 {
				at := time.Date(2028, time.January, 1+day, 0, 0, 0, 0, time.UTC)
				body, size := confirmation(t, l.Code, at)
				longest = max(longest, size.Segments)
				if strings.Contains(body, "((") || telling.MatchString(body) || len(link.In(body)) > 0 {
					t.Fatalf("%s: %q", l.Name, body)
				}
			}
			if most := map[bool]int{true: 1, false: 2}[l.Code == lang.English || l.Code == lang.Welsh]; longest > most {
				t.Errorf("%s: up to %d parts, want %d", l.Name, longest, most)
			}
			if l.RTL != strings.ContainsFunc(dated, func(r rune) bool { return unicode.Is(unicode.Arabic, r) }) {
				t.Errorf("%s: %q is not in its script", l.Name, dated)
			}
		}
	}
}

func TestAdmitService(t *testing.T) {
	ok := ServiceFacts{Expires: tuesday.Add(time.Minute)}
	for name, c := range map[string]struct {
		change func(*ServiceFacts)
		want   Event
	}{
		"":                      {func(*ServiceFacts) {}, Claim},
		"too late":              {func(f *ServiceFacts) { f.Expires = tuesday }, Expire},
		"opted out":             {func(f *ServiceFacts) { f.Suppressed = "opted_out" }, Suppress},
		"a restored database":   {func(f *ServiceFacts) { f.Quarantined = true }, Doubt},
		"restored and too late": {func(f *ServiceFacts) { f.Quarantined, f.Expires = true, time.Time{} }, Doubt},
	} {
		f := ok
		c.change(&f)
		if got := AdmitService(tuesday, f); got.Event != c.want || (got.Event != Claim) != (got.Reason != "") {
			t.Errorf("%s: %+v", name, got)
		}
		if to, moves := Next(Released, c.want); !moves || c.want == Doubt && to != Unknown {
			t.Errorf("%s: a released text does not move by %s", name, c.want)
		}
	}
}
