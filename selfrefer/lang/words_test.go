package lang

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, c Code) map[string]string {
	t.Helper()
	raw, err := fs.ReadFile(files, "words/"+string(c)+".json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	words := map[string]string{}
	for k, v := range all {
		switch v := v.(type) {
		case string:
			words[k] = v
		case map[string]any:
			words[k], _ = v["other"].(string)
		}
	}
	return words
}

var field = regexp.MustCompile(`\{\{\.[A-Za-z]+\}\}`)

// All sentences are there in all languages, with the same fields and the same numbers to ring.
func TestWords_complete(t *testing.T) {
	english := load(t, English)
	number := regexp.MustCompile(`\b(999|18001|111|55|STOP|SHOUT|07700 900123|0151 496 0123|31 3 1980)\b`)
	for _, l := range All {
		words := load(t, l.Code)
		for key, want := range english {
			got := words[key]
			if strings.TrimSpace(got) == "" {
				t.Errorf("%s: %q is missing", l.Name, key)
				continue
			}
			for what, re := range map[string]*regexp.Regexp{"fields": field, "numbers": number} {
				a, b := re.FindAllString(want, -1), re.FindAllString(got, -1)
				slices.Sort(a)
				slices.Sort(b)
				if !slices.Equal(a, b) {
					t.Errorf("%s: %q has the %s %q, and in English %q", l.Name, key, what, b, a)
				}
			}
		}
		for key := range words {
			if _, ok := english[key]; !ok {
				t.Errorf("%s: %q is in no English file", l.Name, key)
			}
		}
		if l.Code != English && len(words) == len(english) {
			same := 0
			for key, s := range words {
				if s == english[key] && strings.Count(s, " ") > 3 {
					same++
				}
			}
			if same > 0 {
				t.Errorf("%s: %d sentences are still English", l.Name, same)
			}
		}
	}
}

func TestWords_say(t *testing.T) {
	w := In(English)
	if got := w.Say("start.who.text", "Network", "Riverside <PCN>"); got != "Riverside <PCN> sent you the text with this link." {
		t.Errorf("said %q", got)
	}
	if got := w.Say("no.such"); got != "no.such" {
		t.Errorf("an unknown key is said as %q", got)
	}
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	if got := w.Day(now.AddDate(0, 0, 3), now); got != "Tuesday 1 December" {
		t.Errorf("a day: %q", got)
	}
	if got := w.Day(now.AddDate(0, 2, 0), now); got != "Thursday 28 January 2027" {
		t.Errorf("a day of next year: %q", got)
	}
	if !w.Reviewed() || In(Arabic).Reviewed() {
		t.Error("English needs no translator; the others are marked until one has read them")
	}
}
