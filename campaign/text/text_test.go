package text

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// testdata/segments.json was made with the provider's own calculator, npm
// sms-segments-calculator 1.3.0.
func TestCount_likeTheProvider(t *testing.T) {
	b, err := os.ReadFile("testdata/segments.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Body     string
		Segments int
		Encoding Encoding
		Units    int
	}
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) < 50 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		got := Count(v.Body)
		if got.Segments != v.Segments || got.Encoding != v.Encoding || got.Units != v.Units {
			t.Errorf("%q\ngot  %d × %s, %d units\nwant %d × %s, %d units", v.Body, got.Segments, got.Encoding, got.Units, v.Segments, v.Encoding, v.Units)
		}
	}
}

func TestCount_properties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringOfN(rapid.SampledFrom([]rune(gsmBasic+gsmExtended+"ŵâ中👍🏽\u200d")), 0, 500, -1).Draw(t, "body")
		size := Count(body)
		room, single := 153, 160
		if size.Encoding == UCS2 {
			room, single = 67, 70
		}
		if (size.Encoding == UCS2) != (len(size.Culprits) > 0) {
			t.Fatalf("%s with culprits %q", size.Encoding, size.Culprits)
		}
		if size.Units <= single && size.Segments != 1 {
			t.Fatalf("%d units in %d parts", size.Units, size.Segments)
		}
		if size.Units > single && (size.Segments-1)*room >= size.Units+size.Segments*40 || size.Units > max(single, size.Segments*room) {
			t.Fatalf("%d units in %d parts", size.Units, size.Segments)
		}
		if longer := Count(body + "a"); longer.Segments < size.Segments {
			t.Fatalf("one character more takes %d parts instead of %d", longer.Segments, size.Segments)
		}
	})
	if got := string(Count("Siân, ŵ and â").Culprits); got != "âŵ" {
		t.Errorf("culprits %q", got)
	}
}

const good = "Hello ((first_name)), this is ((practice)). We can help: ((link))\nOr ring ((phone)). No more texts: ((stop_link))"

var values = Fields{
	FirstName: "Ann", Practice: "The Surgery", Network: "Knowsley Central", Link: "https://h.nhs.uk/r/ABC",
	StopLink: "https://h.nhs.uk/stop/ABC", Phone: "0151 496 0123",
}

func mustParse(t *testing.T, s string) Template {
	t.Helper()
	tpl, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func TestParse_refuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                                    "no ((link))",
		"Hi ((link)) ":                                        "no ((stop_link))",
		"Hi ((stop_link))":                                    "no ((link))",
		"((nane)) ((link)) ((stop_link))":                     "there is no field ((nane)). The fields are ((first_name)), ((practice)), ((network)), ((link)), ((stop_link)) and ((phone))",
		"Hi ((link ((stop_link))":                             "there is no field",
		"Hi ((link)) ((stop_link":                             "never closed",
		"Go: ((link)). Stop: ((stop_link))":                   "after ((link)), and no full stop",
		"Go: ((link)) Stop: ((stop_link)).":                   "after ((stop_link))",
		"Go:((link)) Stop: ((stop_link))":                     "before ((link))",
		"Go: ((link))((stop_link))":                           "after ((link))",
		"Go: ((phone))((link)) ((stop_link))":                 "before ((link))",
		strings.Repeat("a", 1400) + " ((link)) ((stop_link))": "1600 is the most",
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want …%s…", in, err, want)
		}
	}
}

func TestTemplate_Render(t *testing.T) {
	const tail = " ((link)) ((stop_link))"
	const rest = " https://h.nhs.uk/r/ABC https://h.nhs.uk/stop/ABC"
	for _, tt := range []struct{ template, name, want string }{
		{"Hello ((first_name)), we help.", "Ann", "Hello Ann, we help."},
		{"Hello (( First name )), we help.", "Ann", "Hello Ann, we help."},
		{"Hello ((first_name)), we help.", "", "Hello, we help."},
		{"Dear ((first_name)), we help.", "", "Hello, we help."},
		{"Dear ((first_name))\nWe help.", "", "Hello\nWe help."},
		{"((first_name)), your surgery helps.", "", "Your surgery helps."},
		{"((first_name)): état", "", "État"},
		{"Thank you ((first_name)).", "", "Thank you."},
		{"Hello ((first_name)),", strings.Repeat("a", 31), "Hello,"},
		{"Hello ((first_name)),", "Ann\n((link))", "Hello Ann ((link)),"}, // a value is never a template
		{"Hello ((first_name)),", "D’Arcy", "Hello D'Arcy,"},
		{"Hello ((first_name)), it’s “us” – we…\u00a0help", "Siân", "Hello Siân, it's \"us\" - we... help"},
		{"((practice)) and ((network)), (ring ((phone)))", "", "The Surgery and Knowsley Central, (ring 0151 496 0123)"},
	} {
		f := values
		f.FirstName = tt.name
		if got := mustParse(t, tt.template+tail).Render(f); got != tt.want+rest {
			t.Errorf("%q for %q\ngot  %q\nwant %q", tt.template, tt.name, got, tt.want+rest)
		}
	}
}

// Every rendered text can be sent, and its links can be tapped.
func TestTemplate_Render_properties(t *testing.T) {
	tpl := mustParse(t, good)
	rapid.Check(t, func(t *rapid.T) {
		f := values
		f.FirstName = rapid.String().Draw(t, "name")
		f.Practice = rapid.String().Draw(t, "practice")
		f.Phone = rapid.String().Draw(t, "phone")
		got := tpl.Render(f)
		if Chars(got) > MaxChars || !utf8.ValidString(got) {
			t.Fatalf("cannot be sent: %q", got)
		}
		words := strings.Fields(got)
		for _, want := range []string{f.Link, f.StopLink} {
			found := false
			for _, w := range words {
				found = found || w == want
			}
			if !found {
				t.Fatalf("no free-standing %s in %q", want, got)
			}
		}
		if strings.Count(got, "\n") != 1 {
			t.Fatalf("a value added a line: %q", got)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("((")
	f.Fuzz(func(t *testing.T, s string) {
		tpl, err := Parse(s)
		if err != nil {
			return
		}
		Check(tpl)
		if got := tpl.Render(values); !strings.Contains(got, values.Link) || !strings.Contains(got, values.StopLink) || Chars(got) > MaxChars {
			t.Fatalf("accepted what cannot be sent: %q", got)
		}
	})
}

func TestRepair(t *testing.T) {
	in := "‘a’ “b” c–d e… f\u00a0g\u200b\u00ad h\ti\r\nj `k` •"
	got := Repair(in)
	if want := "'a' \"b\" c-d e... f g h i\nj 'k' -"; got != want || Count(got).Encoding != GSM7 {
		t.Errorf("got %q, want %q", got, want)
	}
	if keep := "Siân Łucja ŵ 👨‍👩‍👧"; Repair(keep) != keep {
		t.Errorf("letters changed: %q", Repair(keep))
	}
}

func TestCheck(t *testing.T) {
	check := func(s string) string {
		var codes []string
		for _, a := range Check(mustParse(t, s)) {
			codes = append(codes, a.Code)
		}
		return strings.Join(codes, " ")
	}
	if got := check(good); got != "" {
		t.Errorf("advice on a good text: %s", got)
	}
	const tail = " ((link)) ((stop_link))"
	for in, want := range map[string]string{
		"We at ((practice)), ((phone)) help":                                     "no_name_first",
		"((practice)) ((phone)) writes to ((first_name))":                        "no_name_first name_inside",
		"Hi ((first_name)), ((phone)) helps":                                     "no_sender",
		"Hi ((first_name)), ((practice)) helps":                                  "no_phone",
		"Hi ((first_name)), ((practice)) ((phone)) bit.ly/x":                     "shortener",
		"Hi ((first_name)), ((practice)) ((phone)) see www.a.org":                "other_link",
		"Hi ((first_name)), ((practice)) ((phone)) your PCN":                     "acronym",
		"Hi ((first_name)), ((practice)) ((phone)) about your depression":        "sensitive",
		"Hi ((first_name)), ((practice)) ((phone))\n- money\n- home":             "bullets",
		"Hi ((first_name)), ((practice)) ((phone)) PLEASE TAP NOW HERE":          "capitals",
		"Hi ((first_name)), ((practice)) ((phone)) ŵ":                            "costly_characters long",
		"Hi ((first_name)), ((practice)) ((phone)) " + strings.Repeat("x ", 150): "long",
	} {
		if got := check(in + tail); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	price, err := ParseMoney("0.0412")
	if err != nil || price != 41_200 {
		t.Fatalf("price %d, %v", price, err)
	}
	if got := Cost(104_000, price).String(); got != "£4,284.80" {
		t.Errorf("cost %s", got)
	}
	if got := (Size{Segments: 2}).Cost(price); got != 82_400 {
		t.Errorf("cost %d", got)
	}
	for in, want := range map[string]string{"£1,250": "£1,250.00", "0.005": "£0.01", "0.0049": "£0.00", "1234567.891": "£1,234,567.89", " 7. ": "£7.00", ".5": "£0.50"} {
		if m, err := ParseMoney(in); err != nil || m.String() != want {
			t.Errorf("%q is %s, %v, want %s", in, m, err, want)
		}
	}
	for _, bad := range []string{"", "-1", "1e3", "0.0000001", "free", ".", "1.2.3"} {
		if m, err := ParseMoney(bad); err == nil {
			t.Errorf("ParseMoney(%q) = %d", bad, m)
		}
	}
}

func BenchmarkRenderAndCount(b *testing.B) {
	tpl, err := Parse(good)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Count(tpl.Render(values))
	}
}
