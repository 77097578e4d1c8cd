package campaign

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var real = Setting{Network: staff.Network{Name: "Knowsley Central", Sender: "KnowsleyPCN", LinkHost: "https://knowsley.example", Phone: "0151 496 0000"}}

// Every language has the invitation ready, and each keeps the rules that the English one keeps.
func TestReady(t *testing.T) {
	english, err := text.Parse(DefaultText)
	if err != nil || len(text.Check(english)) > 0 {
		t.Fatalf("the English one: %v %v", err, text.Check(english))
	}
	for _, l := range lang.All[1:] {
		r, ok := Ready(l.Code)
		if file, err := defaults.ReadFile("defaults/" + string(l.Code) + ".txt"); !ok || err != nil || !strings.Contains(string(file), "\n# reviewed:") {
			t.Fatalf("%s: %v, or its file does not say where to write who reviewed it", l.Name, err)
		}
		tpl, err := text.Parse(r.Text)
		if err != nil {
			t.Errorf("%s: %v", l.Name, err)
			continue
		}
		if advice := text.CheckTranslation(tpl); len(advice) > 0 || tpl.AsksReply() != "" {
			t.Errorf("%s: %v, asks %q", l.Name, advice, tpl.AsksReply())
		}
		if tpl.RTL() != l.RTL {
			t.Errorf("%s: from right to left %v", l.Name, tpl.RTL())
		}
		for _, field := range []string{"((first_name))", "((practice))", "((link))", "((phone))", "((stop_link))"} {
			if strings.Count(r.Text, field) != 1 {
				t.Errorf("%s: not one %s", l.Name, field)
			}
		}
		if code, same := (Texts{lang.English: english, l.Code: tpl}).For(l.Name); code != l.Code || same.Source() != r.Text {
			t.Errorf("%s: chosen %s", l.Name, code)
		}
		shared, _ := Compose(tpl, Recipient{Name: person.NewName("Ann", "Bee"), Shared: true, Network: real.Network, Practice: staff.Practice{Name: "Elm Street"}, Token: link.Token{}})
		if strings.Contains(shared, "Ann") || strings.Contains(shared, "((") || strings.Contains(shared, "  ") || strings.ContainsAny(shared[:1], ",،，") {
			t.Errorf("%s without a name: %q", l.Name, shared)
		}
	}
}

func TestReadReady(t *testing.T) {
	r := readReady("\ufeff# Welsh\r\n# reviewed: Nia Example, 3 June 2026 \r\nHelo ((first_name)),\r\n((link))\r\n")
	if r.ReviewedBy != "Nia Example, 3 June 2026" || r.Text != "Helo ((first_name)),\n((link))" {
		t.Errorf("%+v", r)
	}
}

func TestTexts_For(t *testing.T) {
	polish, _ := Ready(lang.Polish)
	s := Step{Number: 1, Template: DefaultText, Translations: map[lang.Code]Translation{lang.Polish: {Text: polish.Text}}}
	texts, err := s.Texts()
	if err != nil {
		t.Fatal(err)
	}
	for cell, want := range map[string]lang.Code{"Polish": lang.Polish, "Main spoken language Polish": lang.Polish, "pl": lang.Polish, "Arabic": lang.English, "Somali": lang.English, "": lang.English, "English": lang.English} {
		if code, tpl := texts.For(cell); code != want || tpl.Source() != map[lang.Code]string{lang.Polish: polish.Text, lang.English: DefaultText}[want] {
			t.Errorf("%q gets %s", cell, code)
		}
	}
}

// What is approved includes every translation and who vouches for it; a campaign without any keeps the hash that it had.
func TestHash_translations(t *testing.T) {
	c := Campaign{Audience: 1, Team: 2, Steps: []Step{{Number: 1, Template: DefaultText}}}
	if b, err := json.Marshal(Step{Number: 1, Template: "x"}); err != nil || string(b) != `{"number":1,"template":"x"}` {
		t.Errorf("%s %v: an approval of an earlier version would no longer hold", b, err)
	}
	seen := map[string]bool{}
	note := func(change string) {
		t.Helper()
		if h := c.Hash(); seen[h] {
			t.Errorf("%s does not change the hash", change)
		} else {
			seen[h] = true
		}
	}
	note("nothing")
	c.Steps[0].Translations = map[lang.Code]Translation{lang.Polish: {Text: "a"}}
	note("a translation")
	c.Steps[0].Translations = map[lang.Code]Translation{lang.Polish: {Text: "b"}}
	note("other words")
	c.Steps[0].Translations = map[lang.Code]Translation{lang.Polish: {Text: "b", Reviewed: true}}
	note("a review")
	c.Steps[0].Translations = map[lang.Code]Translation{lang.Polish: {Text: "b", Reviewed: true}, lang.Arabic: {Text: "b"}}
	note("a second language")
}

func TestCampaign_Check_texts(t *testing.T) {
	polish, _ := Ready(lang.Polish)
	number, made, insecure, short := real, real, real, real
	number.Network.Sender = "+44 7700 900123"
	made.Synthetic = true
	insecure.Network.LinkHost = "http://knowsley.example"
	short.Network.LinkHost = "https://bit.ly"
	madeInsecure := insecure
	madeInsecure.Synthetic = true
	madeShort := short
	madeShort.Synthetic = true
	unreviewed := map[lang.Code]Translation{lang.Polish: {Text: polish.Text}}
	reviewed := map[lang.Code]Translation{lang.Polish: {Text: polish.Text, Reviewed: true}}
	const reply = DefaultText + "\nOr reply to this text."
	for name, tt := range map[string]struct {
		in   Setting
		step Step
		want string // "" if it may be sent
	}{
		"the default":                            {real, Step{Template: DefaultText}, ""},
		"a reply to a name":                      {real, Step{Template: reply}, "the text cannot be sent: it asks for an answer"},
		"a reply to a number":                    {number, Step{Template: reply}, ""},
		"a reply in Polish to a name":            {real, Step{Template: DefaultText, Translations: map[lang.Code]Translation{lang.Polish: {polish.Text + "\nOdpowiedz na ten SMS", true}}}, "the text in Polish cannot be sent: it asks for an answer"},
		"STOP to a name":                         {real, Step{Template: DefaultText + "\nOr send STOP"}, "STOP"},
		"a made-up list changes nothing of that": {made, Step{Template: reply}, "asks for an answer"},
		"a translation that nobody reviewed":     {real, Step{Template: DefaultText, Translations: unreviewed}, "no professional has reviewed"},
		"one that somebody reviewed":             {real, Step{Template: DefaultText, Translations: reviewed}, ""},
		"an unreviewed one for made-up people":   {made, Step{Template: DefaultText, Translations: unreviewed}, ""},
		"a translation without a link":           {real, Step{Template: DefaultText, Translations: map[lang.Code]Translation{lang.Polish: {"Hej", true}}}, "the text in Polish cannot be sent: the text has no ((link))"},
		"a language that is none":                {made, Step{Template: DefaultText, Translations: map[lang.Code]Translation{"tlh": {DefaultText, true}}}, "tlh"},
		"English twice":                          {made, Step{Template: DefaultText, Translations: map[lang.Code]Translation{lang.English: {DefaultText, true}}}, "no language that a translation"},
		"http":                                   {insecure, Step{Template: DefaultText}, "https://"},
		"http for made-up people":                {madeInsecure, Step{Template: DefaultText}, ""},
		"a shortener":                            {short, Step{Template: DefaultText}, "shortener"},
		"a shortener for made-up people":         {madeShort, Step{Template: DefaultText}, "shortener"},
	} {
		tt.step.Number = 1
		err := Campaign{Name: "x", Steps: []Step{tt.step}}.Check(tt.in)
		var unsendable ErrUnsendable
		if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &unsendable) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestNetwork_TakesReplies(t *testing.T) {
	for sender, want := range map[string]bool{"+447700900123": true, "07700 900123": true, "60006": true, "KnowsleyPCN": false, "4Health": false, "": false, "MG0123456789abcdef0123456789abcdef": false, "+": false} {
		if got := (staff.Network{Sender: sender}).TakesReplies(); got != want {
			t.Errorf("%q takes replies: %v", sender, got)
		}
	}
}
