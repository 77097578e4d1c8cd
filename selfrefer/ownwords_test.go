package selfrefer

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

func english(s string) map[lang.Code]string { return map[lang.Code]string{lang.English: s} }

func keys(lines []HelpLine) string {
	var out []string
	for _, l := range lines {
		name := l.Key
		if name == "" {
			name = l.Words
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

func TestStandardHelp(t *testing.T) {
	lines := Words{}.Help(lang.Arabic)
	if got, want := keys(lines), "999, silent_55, relay_18000, bsl_999, 111, 111_relay, bsl_111, samaritans, shout, domestic_abuse"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, l := range lines {
		if l.Words != "" || l.Lang != "" {
			t.Errorf("%s: a standard line has words of its own", l.Key)
		}
		if l.Emergency != slices.Contains([]string{"999", "silent_55", "relay_18000", "bsl_999"}, l.Key) {
			t.Errorf("%s: emergency is %v", l.Key, l.Emergency)
		}
		if l.Show == "" {
			continue
		}
		// What stands in the table is what would come of typing it.
		typed := l.Show
		if l.By == ByPage {
			typed = "https://" + l.Show + "/"
		}
		if show, href, wrong := reach(l.By, typed); show != l.Show || href != l.Href || wrong.Sentence != "" {
			t.Errorf("%s: %s %s %q, typed: %s %s", l.Key, l.Show, l.Href, wrong.Sentence, show, href)
		}
	}
}

func TestOwnHelp(t *testing.T) {
	w := Words{Lines: []OwnLine{
		{Words: map[lang.Code]string{lang.English: "Riverside crisis line", lang.Polish: "Linia kryzysowa"}, By: ByPhone, Number: "0800 145 6570"},
		{Key: "samaritans"},
		{Key: "111", Words: english("Mersey mental health line"), By: ByPhone, Number: "0800 051 1508"},
		{Key: "domestic_abuse", Hidden: true},
		{Key: "bsl_999", Hidden: true},
	}}
	w, faults := w.Check()
	if faults != nil {
		t.Fatal(faults)
	}
	polish := w.Help(lang.Polish)
	if got, want := keys(polish), "999, silent_55, relay_18000, Linia kryzysowa, samaritans, Mersey mental health line, 111_relay, bsl_111, shout"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if l := polish[3]; l.Lang != lang.Polish || l.Href != "tel:08001456570" || l.Show != "0800 145 6570" || l.Key != "" || l.Emergency {
		t.Errorf("%+v", l)
	}
	if l := polish[5]; l.Lang != lang.English {
		t.Errorf("words that are not translated are said to be %s", l.Lang)
	}
	if got, want := w.Summary(), "hidden: bsl_999 domestic_abuse; replaced: 111; own lines: 1"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	if got := (Words{}).Summary(); got != "standard" {
		t.Errorf("summary %q", got)
	}
	// A standard line that comes with a later version stands behind those that a network has put in order.
	if got := keys(Words{Lines: []OwnLine{{Key: "domestic_abuse"}, {Key: "shout"}}}.Help(lang.English)); !strings.Contains(got, "bsl_999, domestic_abuse, shout, 111, 111_relay") {
		t.Errorf("got %s", got)
	}
}

func TestAddressAsShown(t *testing.T) {
	for typed, want := range map[string]string{"https://www.mind.org.uk/": "mind.org.uk", "https://www.mind.org.uk/help/": "mind.org.uk/help",
		"https://mind.org.uk/a/very/long/path/to/the/page?and=more": "mind.org.uk", "https://x.org/a b": "x.org/a%20b"} {
		if show, _, wrong := reach(ByPage, typed); show != want || wrong.Sentence != "" {
			t.Errorf("%s: %q %s, want %q", typed, show, wrong.Sentence, want)
		}
	}
}

// Whatever stands in the database, 999 is on the page, and a line that cannot be drawn gives way to the standard one.
func TestHelpTrustsNothing(t *testing.T) {
	w := Words{Lines: []OwnLine{{Key: "domestic_abuse", Words: english("Click here"), By: ByPage, Number: "javascript:alert(1)"}, {Key: "999", Hidden: true},
		{Key: "silent_55", Words: english("No"), By: ByPhone, Number: "123"}, {Words: english("Nowhere"), By: "pigeon"}, {Key: "unknown"}}}
	if got, want := keys(w.Help(lang.English)), "999, silent_55, relay_18000, bsl_999, domestic_abuse, 111, 111_relay, bsl_111, samaritans, shout"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if l := w.Help(lang.English)[4]; l.Href != "tel:08082000247" {
		t.Errorf("%+v", l)
	}
}

func TestCheckHelp(t *testing.T) {
	own := func(words string, by By, number string) Words {
		return Words{Lines: []OwnLine{{Words: english(words), By: by, Number: number}}}
	}
	many := Words{}
	for i := range 11 {
		many.Lines = append(many.Lines, OwnLine{Words: english(fmt.Sprint("Line ", i)), By: ByPhone, Number: "0151 496 0000"})
	}
	for _, c := range []struct {
		name  string
		w     Words
		field string // "": nothing is wrong
		says  string
	}{
		{"standard", Words{}, "", ""},
		{"999 hidden", Words{Lines: []OwnLine{{Key: "999", Hidden: true}}}, "help.0.", "must stay"},
		{"999 replaced", Words{Lines: []OwnLine{{Key: "999", Words: english("Us"), By: ByPhone, Number: "0151 496 0000"}}}, "help.0.", "must stay"},
		{"silent 999 hidden", Words{Lines: []OwnLine{{Key: "silent_55", Hidden: true}}}, "help.0.", "must stay"},
		{"111 hidden", Words{Lines: []OwnLine{{Key: "111", Hidden: true}}}, "", ""},
		{"no crisis line", Words{Lines: []OwnLine{{Key: "111", Hidden: true}, {Key: "samaritans", Hidden: true}}}, "help.-1.", "whoever cannot cope"},
		{"own crisis lines only", Words{Lines: []OwnLine{{Key: "samaritans", Words: english("Our line"), By: ByPhone, Number: "0800 1456570"}, {Key: "111", Hidden: true}}}, "help.-1.", "whoever cannot cope"},
		{"no 999 without hearing", Words{Lines: []OwnLine{{Key: "relay_18000", Hidden: true}, {Key: "bsl_999", Hidden: true}}}, "help.-1.", "must reach 999"},
		{"no help without hearing", Words{Lines: []OwnLine{{Key: "111_relay", Hidden: true}, {Key: "bsl_111", Hidden: true}, {Key: "shout", Hidden: true}}}, "help.-1.", "must find help"},
		{"unknown key", Words{Lines: []OwnLine{{Key: "998"}}}, "help.0.key", "no standard line"},
		{"twice", Words{Lines: []OwnLine{{Key: "shout"}, {Key: "shout"}}}, "help.1.key", "twice"},
		{"number without words", Words{Lines: []OwnLine{{Key: "shout", By: ByText, Number: "85259"}}}, "help.0.words.en", "Say in English who answers"},
		{"no English", Words{Lines: []OwnLine{{Words: map[lang.Code]string{lang.Polish: "Linia"}, By: ByPhone, Number: "116 123"}}}, "help.0.words.en", "Say in English"},
		{"Klingon", Words{Lines: []OwnLine{{Words: map[lang.Code]string{"tlh": "Qu", "en": "Line"}, By: ByPhone, Number: "116 123"}}}, "help.0.words.en", "none of the languages"},
		{"too long", own(strings.Repeat("é", MaxLineWords+1), ByPhone, "116 123"), "help.0.words.en", "120 characters"},
		{"as long as can be", own(strings.Repeat("é", MaxLineWords), ByPhone, "116 123"), "", ""},
		{"turned around", own("Ring \u202e321", ByPhone, "116 123"), "help.0.words.en", "cannot be seen"},
		{"no letters", own("???", ByPhone, "116 123"), "help.0.words.en", "no letters"},
		{"by pigeon", own("Line", "pigeon", "116 123"), "help.0.by", "Choose how"},
		{"no number", own("Line", ByPhone, " "), "help.0.number", "Enter the number"},
		{"letters", own("Line", ByPhone, "0800 HELP"), "help.0.number", "must be digits"},
		{"other digits", own("Line", ByPhone, "٩٩٩"), "help.0.number", "must be digits"},
		{"short", own("Line", ByPhone, "12"), "help.0.number", "3 to 16"},
		{"long", own("Line", ByPhone, "12345678901234567"), "help.0.number", "3 to 16"},
		{"dear", own("Line", ByPhone, "0906 123 4567"), "help.0.number", "cost more"},
		{"somebody's own dear number", own("Line", ByPhone, "070 1234 5678"), "help.0.number", "cost more"},
		{"a port", own("Line", ByPage, "https://nhs.uk:8443/"), "help.0.number", "https://"},
		{"another script, encoded", own("Line", ByPage, "https://xn--ns-bla.uk/"), "help.0.number", "https://"},
		{"dear from abroad", own("Line", ByPhone, "+44 870 123 4567"), "help.0.number", "cost more"},
		{"dear by relay", own("Line", ByPhone, "18001 0844 123 4567"), "help.0.number", "cost more"},
		{"abroad", own("Line", ByPhone, "+44 151 496 0000"), "", ""},
		{"text", own("Line", ByText, "85258"), "", ""},
		{"page", own("Line", ByPage, "https://www.mind.org.uk/need-urgent-help/?a=1"), "", ""},
		{"http", own("Line", ByPage, "http://www.mind.org.uk/"), "help.0.number", "https://"},
		{"script", own("Line", ByPage, "javascript:alert(1)"), "help.0.number", "https://"},
		{"userinfo", own("Line", ByPage, "https://nhs.uk@evil.example/"), "help.0.number", "https://"},
		{"no host", own("Line", ByPage, "https://localhost/"), "help.0.number", "https://"},
		{"an address of a machine", own("Line", ByPage, "https://127.0.0.1/"), "help.0.number", "https://"},
		{"looks like nhs", own("Line", ByPage, "https://nһs.uk/"), "help.0.number", "https://"},
		{"too many", many, "help.-1.", "20 lines at most"},
		{"ten own", Words{Lines: many.Lines[:10]}, "", ""},
	} {
		_, faults := c.w.Check()
		var all []string
		found := c.field == "" && len(faults) == 0
		for _, f := range faults {
			at := fmt.Sprintf("%s.%d.%s", f.Part, f.Entry, f.Field)
			all = append(all, at+" "+f.Sentence)
			found = found || at == c.field && strings.Contains(f.Sentence, c.says)
		}
		if !found {
			t.Errorf("%s: %q, want %s %q", c.name, all, c.field, c.says)
		}
	}
}

func TestOwnReasons(t *testing.T) {
	standard := Words{}.Reasons(lang.English)
	if len(standard) != 12 || standard[0] != (ReasonOption{Code: "coping", Value: "coping"}) {
		t.Errorf("%+v", standard)
	}
	if m := (Words{}).Missing(); len(m) != 1 || m[0].Code != "covid" {
		t.Errorf("missing: %v", m)
	}
	w, faults := Words{Options: []OwnReason{
		{Code: "money", Labels: map[lang.Code]string{lang.English: " Food  and heating ", lang.Polish: "Jedzenie"}},
		{Code: "loneliness"},
		{Code: "substance", Hidden: true},
		{Code: "housing", Hidden: true},
		{Code: "housing", Labels: english("Damp or cold at home")},
		{Code: "money", Labels: english("Winter fuel"), Hidden: true},
	}}.Check()
	if faults != nil {
		t.Fatal(faults)
	}
	got := w.Reasons(lang.Polish)
	if len(got) != 12 {
		t.Errorf("%d choices: %+v", len(got), got)
	}
	if got[0] != (ReasonOption{"money", "money.food-and-heating", "Jedzenie", lang.Polish}) || got[1].Value != "loneliness" ||
		got[2] != (ReasonOption{"housing", "housing.damp-or-cold-at-home", "Damp or cold at home", lang.English}) || got[3].Value != "coping" {
		t.Errorf("%+v", got)
	}
	var missing []string
	for _, r := range w.Missing() {
		missing = append(missing, r.Code)
	}
	if fmt.Sprint(missing) != "[substance covid]" { // housing can be chosen in other words
		t.Errorf("missing: %v", missing)
	}
	if got := ReasonCodes([]string{"money.food-and-heating", "money", "loneliness", "nonsense", "", ".x", "housing.words-of-yesterday"}); !slices.Equal(got, []string{"money", "loneliness", "housing"}) {
		t.Errorf("codes %v", got)
	}
	if got := w.Summary(); got != "reasons hidden: housing substance; own reasons: 2" {
		t.Errorf("summary %q", got)
	}
	// What patients had before in the form is what the standard offers.
	for _, r := range standardReasons {
		if reasonWords(r) == "" {
			t.Errorf("%s is none of the 13", r)
		}
	}
}

func TestCheckReasons(t *testing.T) {
	own := func(code, label string) Words {
		return Words{Options: []OwnReason{{Code: code, Labels: english(label)}}}
	}
	var many, none Words
	for i := range 9 {
		many.Options = append(many.Options, OwnReason{Code: "money", Labels: english(fmt.Sprint("Reason ", i))})
	}
	for _, code := range standardReasons {
		none.Options = append(none.Options, OwnReason{Code: code, Hidden: true})
	}
	for _, c := range []struct {
		name  string
		w     Words
		field string
		says  string
	}{
		{"own", own("money", "Food"), "", ""},
		{"none of the 13", own("pets", "My dog"), "reasons.0.code", "one of the 13"},
		{"Covid without words", Words{Options: []OwnReason{{Code: "covid"}}}, "reasons.0.labels.en", "no standard words"},
		{"Covid with words", own("covid", "Long Covid"), "", ""},
		{"no English", Words{Options: []OwnReason{{Code: "money", Labels: map[lang.Code]string{lang.Welsh: "Bwyd"}}}}, "reasons.0.labels.en", "in English"},
		{"80 characters", own("money", strings.Repeat("é", 80)), "", ""},
		{"81 characters", own("money", strings.Repeat("é", 81)), "reasons.0.labels.en", "80 characters"},
		{"twice", Words{Options: []OwnReason{{Code: "money", Labels: english("Food")}, {Code: "money", Labels: english("food ")}}}, "reasons.1.", "twice"},
		{"standard twice", Words{Options: []OwnReason{{Code: "money"}, {Code: "money"}}}, "reasons.1.", "twice"},
		{"21", many, "reasons.-1.", "20 reasons"},
		{"20", Words{Options: many.Options[:8]}, "", ""},
		{"none", none, "reasons.-1.", "at least one"},
	} {
		_, faults := c.w.Check()
		var all []string
		found := c.field == "" && len(faults) == 0
		for _, f := range faults {
			at := fmt.Sprintf("%s.%d.%s", f.Part, f.Entry, f.Field)
			all = append(all, at+" "+f.Sentence)
			found = found || at == c.field && strings.Contains(f.Sentence, c.says)
		}
		if !found {
			t.Errorf("%s: %q, want %s %q", c.name, all, c.field, c.says)
		}
	}
}

// Whatever words pass the check: 999 comes first, a standard line for a crisis is there, every link is harmless, checking again changes
// nothing, and neither does writing them down.
func TestWordsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := func() map[lang.Code]string {
			if rapid.Bool().Draw(t, "standard") {
				return nil
			}
			out := english(rapid.SampledFrom([]string{"Line", " Our  line ", "", "Ünï <b>", "x"}).Draw(t, "english"))
			if rapid.Bool().Draw(t, "more") {
				out[rapid.SampledFrom(lang.All).Draw(t, "language").Code] = rapid.String().Draw(t, "words")
			}
			return out
		}
		var w Words
		for range rapid.IntRange(0, 6).Draw(t, "lines") {
			var known []string
			for _, s := range standardLines {
				known = append(known, s.Key)
			}
			w.Lines = append(w.Lines, OwnLine{Key: rapid.SampledFrom(append(known, "", "", "")).Draw(t, "key"), Hidden: rapid.Bool().Draw(t, "hidden"), Words: texts(),
				By:     rapid.SampledFrom([]By{ByPhone, ByText, ByPage, ""}).Draw(t, "by"),
				Number: rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"116 123", "", "https://x.org/a b\"><script>", "https://www.example.org/"})).Draw(t, "number")})
		}
		for range rapid.IntRange(0, 6).Draw(t, "reasons") {
			w.Options = append(w.Options, OwnReason{Code: rapid.SampledFrom(Reasons).Draw(t, "code").Code, Hidden: rapid.Bool().Draw(t, "hidden"), Labels: texts()})
		}
		for _, some := range []Words{w, {}} {
			help := some.Help(lang.Urdu)
			if help[0].Key != "999" || help[1].Key != "silent_55" {
				t.Fatalf("999 does not come first: %s", keys(help))
			}
		}
		tidy, faults := w.Check()
		if faults != nil {
			return
		}
		help := tidy.Help(lang.Urdu)
		if !slices.ContainsFunc(help, func(l HelpLine) bool { return l.Key == "111" || l.Key == "samaritans" }) {
			t.Fatalf("no line for a crisis: %s", keys(help))
		}
		for _, l := range help {
			ok := l.Href == "" && l.Key == "silent_55" || strings.HasPrefix(l.Href, "https://")
			for _, scheme := range []string{"tel:", "sms:"} {
				rest, is := strings.CutPrefix(l.Href, scheme)
				ok = ok || is && strings.Trim(rest, "+0123456789") == "" && rest != ""
			}
			if !ok || strings.ContainsAny(l.Href, " \"<>\n") || l.Key == "" && (l.Words == "" || l.Lang == "") {
				t.Fatalf("%+v", l)
			}
		}
		again, faults := tidy.Full().Check()
		if faults != nil || !reflect.DeepEqual(again.Help(lang.Polish), tidy.Help(lang.Polish)) || !reflect.DeepEqual(again.Reasons(lang.Polish), tidy.Reasons(lang.Polish)) {
			t.Fatalf("%v: %+v is not %+v", faults, again, tidy)
		}
		b, err := json.Marshal(tidy)
		if err != nil {
			t.Fatal(err)
		}
		var back Words
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back.Help(lang.Bengali), tidy.Help(lang.Bengali)) {
			t.Fatalf("%v: %s", err, b)
		}
	})
}

func BenchmarkHelp(b *testing.B) {
	w, _ := Words{Lines: []OwnLine{{Words: english("Riverside crisis line"), By: ByPhone, Number: "0800 145 6570"}}}.Check()
	for b.Loop() {
		w.Help(lang.Polish)
	}
}
