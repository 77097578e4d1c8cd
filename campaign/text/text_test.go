package text

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
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

// unitsAs counts what a piece of a text takes up when the whole travels so.
func unitsAs(piece string, e Encoding) (n int) {
	for _, r := range piece {
		if e == GSM7 {
			n += gsm(r)
		} else {
			n += max(1, utf16.RuneLen(r))
		}
	}
	return n
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
		parts := Parts(body)
		if strings.Join(parts, "") != body || len(parts) != size.Segments {
			t.Fatalf("%d parts make %q, and %d are paid for", len(parts), strings.Join(parts, ""), size.Segments)
		}
		for i, part := range parts {
			if u := unitsAs(part, size.Encoding); len(parts) > 1 && (u == 0 || u > room) || i > 0 && unitsAs(parts[i-1], size.Encoding)+unitsAs(part, size.Encoding) <= room {
				t.Fatalf("part %d of %d has %d units", i+1, len(parts), u)
			}
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
	const tail = "\n((link)) ((stop_link))"
	for in, want := range map[string]string{
		"Hi ((first_name)), ((practice)) ((phone)) ((link))\nor":                 "two_actions",
		"Hi ((first_name)), ((practice)) ((phone)). Reply CALL":                  "two_actions",
		"Hi ((first_name)), ((practice)) ((phone)). Send STOP to end":            "",
		"Welcome to our service. Hi ((first_name)), ((practice)) ((phone))":      "no_name_first name_inside",
		"Hi ((first_name)), ((practice)) ((phone)) knowsley.nhs.uk":              "other_link",
		"Hi ((first_name)), your GP at ((practice)), ((phone)), and the NHS":     "",
		"Hi ((first_name)), ((practice)) ((phone)) your ABCD team":               "acronym",
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

// A line break is part of a good text, and a link of a right-to-left text has its line for itself.
func TestCheck_lines(t *testing.T) {
	codes := func(advice []Advice) (s string) {
		for _, a := range advice {
			s += a.Code + " "
		}
		return s
	}
	if got := codes(Check(mustParse(t, "Hi ((first_name)), ((practice)), ((phone)): ((link)) ((stop_link))"))); got != "no_breaks " {
		t.Errorf("one line: %s", got)
	}
	const arabic = "مرحبًا ((first_name))، معك ((practice)). اتصل: ((phone))\n"
	if got := codes(CheckTranslation(mustParse(t, arabic+"الرابط: ((link))\n((stop_link))"))); got != "link_line " {
		t.Errorf("a link beside Arabic words: %s", got)
	}
	if got := codes(CheckTranslation(mustParse(t, arabic+"الرابط:\n((link))\nللإيقاف:\n((stop_link))"))); got != "" {
		t.Errorf("a good Arabic text: %s", got)
	}
	if got := codes(CheckTranslation(mustParse(t, arabic+strings.Repeat("نص طويل ", 50)+"\n((link))\n((stop_link))"))); got != "long " {
		t.Errorf("a long Arabic text: %s", got)
	}
}

// A text that asks for an answer is found in every language, and one that asks for none, or has a way out by link, is not.
func TestTemplate_AsksReply(t *testing.T) {
	const tail = "\n((link))\n((stop_link))"
	for in, want := range map[string]string{
		"Please reply to this text.":               "reply",
		"Reply YES and we ring you":                "Reply",
		"Or just text back":                        "text back",
		"Answer this text and we call":             "Answer this text",
		"No more texts? Send STOP":                 "STOP",
		"Text “stop” to opt out":                   "stop",
		"To opt out text STOP":                     "STOP",
		"Text STOP to 60777":                       "",
		"Wyślij „stop” na +48 600":                 "",
		"Text us and we ring you":                  "Text us",
		"Text us on 07700 900123":                  "",
		"Text us on ((phone))":                     "",
		"Do not reply to this text.":               "",
		"You cannot reply.":                        "",
		"Please don’t reply":                       "",
		"We will stop sending texts if you say so": "",
		"STOP texts:":                              "",
		"We can send help. STOP these texts here":  "",
		"Our replyable team":                       "",
		"Atebwch y neges hon":                      "Atebwch",
		"Anfonwch STOP":                            "STOP",
		"Peidiwch ag ateb":                         "",
		"Odpowiedz na tę wiadomość":                "Odpowiedz",
		"Wyślij STOP":                              "STOP",
		"Prosimy nie odpowiadać na tę wiadomość":   "",
		"Răspundeți la acest mesaj":                "Răspundeți",
		"Nu răspundeți la acest mesaj":             "",
		"Trimiteți STOP":                           "STOP",
		"اس پیغام کا جواب دیں":                     "جواب دیں",
		"اس پیغام کا جواب نہ دیں":                  "",
		"STOP لکھ کر بھیجیں":                       "STOP",
		"ਇਸ ਸੁਨੇਹੇ ਦਾ ਜਵਾਬ ਦਿਓ":                    "ਜਵਾਬ ਦਿਓ",
		"STOP ਲਿਖ ਕੇ ਭੇਜੋ":                         "STOP",
		"এই বার্তার উত্তর দিন":                     "উত্তর দিন",
		"STOP লিখে পাঠান":                          "STOP",
		"رد على هذه الرسالة":                       "رد على",
		"لا يمكن الرد على هذه الرسالة":             "",
		"أرسل STOP لإيقاف الرسائل":                 "STOP",
		"Дайте відповідь на це повідомлення":       "Дайте відповідь",
		"Не відповідайте на це повідомлення":       "",
		"Надішліть STOP":                           "STOP",
		"请回复此短信":                                   "回复",
		"请勿回复此短信":                                  "",
		"发送STOP":                                   "STOP",
	} {
		if got := mustParse(t, in+tail).AsksReply(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for host, ok := range map[string]bool{
		"https://knowsley.nhs.uk": true, "https://knowsley.nhs.uk/": true, "https://help.example:8443": true, "http://knowsley.nhs.uk": false, "https://bit.ly": false, "https://www.TinyURL.com": false,
		"https://x.bit.ly.example": true, "https://10.0.0.1": false, "https://localhost": false, "knowsley.nhs.uk": false, "": false, "https://knowsley.nhs.uk/go": false, "https://a@b.uk": false,
		"ftp://knowsley.nhs.uk": false, "https://knowsley.nhs.uk?x": false,
	} {
		if err := CheckHost(host); (err == nil) != ok {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestCheckSender(t *testing.T) {
	for sender, want := range map[string]string{"KnowsleyPCN": "", "Elm Street": "", "+447700900123": "", "60006": "", "": "", "INFO": "sender_generic", "PCN": "sender_unknown", "NHS": "",
		"Knowsley Central": "sender_unsendable", "Café": "sender_unsendable"} {
		got := ""
		for _, a := range CheckSender(sender) {
			got += a.Code
		}
		if got != want {
			t.Errorf("%q: %s, want %s", sender, got, want)
		}
	}
}

// Every quotation mark, dash and space of Unicode becomes one of GSM-7 in a text that is otherwise in GSM-7.
func TestRepair_allPunctuation(t *testing.T) {
	n := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if gsm(r) > 0 || !unicode.In(r, unicode.Pd, unicode.Pi, unicode.Pf, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Quotation_Mark, unicode.Dash) {
			continue
		}
		// The corner brackets of East Asian text are no marks of ours, nor are dashes that are letters of a script.
		if strings.ContainsRune("「」『』﹁﹂﹃﹄｢｣", r) {
			continue
		}
		n++
		got := Repair("a" + string(r) + "b")
		if size := Count(got); size.Encoding != GSM7 || len(got) != 3 {
			t.Errorf("U+%04X %q (%s) becomes %q", r, string(r), "a"+string(r)+"b", got)
		}
	}
	if n < 60 {
		t.Errorf("only %d marks were tried", n)
	}
	if got := Repair("Rene\u0301 o\u2060k\ufeff"); got != "René ok" {
		t.Errorf("loose accents and marks of width nothing: %q", got)
	}
	// Where the script is none of GSM-7's, nothing is gained: its own marks stay.
	for _, own := range []string{"您好，“安”——好……", "«Так» – ні", "می\u200cخواہم", "র\u200c্যাম", "\u200e0151 496 0123\u200e اتصل"} {
		if Repair(own) != own {
			t.Errorf("%q became %q", own, Repair(own))
		}
	}
}

func TestRepair_properties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		once := Repair(s)
		if Repair(once) != once {
			t.Fatalf("%q becomes %q and then %q", s, once, Repair(once))
		}
		for _, r := range "ŵłșâŷœ" {
			if strings.Count(Repair(s+"-"+string(r)+"-"), string(r)) < 1 {
				t.Fatalf("a letter was changed in %q", s)
			}
		}
		if !strings.ContainsAny(s, "\r") && Count(s).Encoding == GSM7 && Count(once).Encoding != GSM7 {
			t.Fatalf("%q became dearer: %q", s, once)
		}
	})
}

// A shape takes as much room as its name, in any text.
func TestShape_properties(t *testing.T) {
	texts := []Template{mustParse(t, good), mustParse(t, "((first_name)): [ŵ] ((practice)) ((link)) ((stop_link)) ((first_name))"),
		mustParse(t, "مرحبًا ((first_name))، معك ((practice))\n((link))\n((stop_link))"), mustParse(t, "Dear ((first_name))’s friend, ((link)) ((stop_link)) "+strings.Repeat("x", 70))}
	letters := []rune("aeéÅøΩ€[^ŵâłșỳ'’-–. \u0301\u0308क्षআمحمد王👍🏽\u200d(")
	rapid.Check(t, func(t *rapid.T) {
		f := values
		f.FirstName = rapid.OneOf(rapid.StringOfN(rapid.SampledFrom(letters), 0, 34, -1), rapid.String()).Draw(t, "name")
		f.Practice = strings.Repeat("p", rapid.IntRange(0, 60).Draw(t, "practice"))
		shape := f
		shape.FirstName = Shape(f.FirstName)
		for _, tpl := range texts {
			a, b := Count(tpl.Render(f)), Count(tpl.Render(shape))
			if a.Segments != b.Segments || a.Units != b.Units || a.Encoding != b.Encoding {
				t.Fatalf("%q takes %d × %s (%d), its shape %q %d × %s (%d)", f.FirstName, a.Segments, a.Encoding, a.Units, shape.FirstName, b.Segments, b.Encoding, b.Units)
			}
		}
	})
	for in, want := range map[string]string{"Siân": "qqłq", "Mary-Jo O’Neil": "qqqq-qq q'qqqq", strings.Repeat("a", 31): ""} {
		if got := Shape(in); got != want {
			t.Errorf("shape of %q is %q, want %q", in, got, want)
		}
	}
}

// Without a name the greeting reads well in every language.
func TestTemplate_Render_languages(t *testing.T) {
	const tail = "\n((link))\n((stop_link))"
	const rest = "\nhttps://h.nhs.uk/r/ABC\nhttps://h.nhs.uk/stop/ABC"
	for _, tt := range []struct{ template, named, nameless string }{
		{"Hello, ((first_name)).", "Hello, Ann.", "Hello."},
		{"Annwyl ((first_name)),", "Annwyl Ann,", "Helo,"},
		{"Dzień dobry, ((first_name))!", "Dzień dobry, Ann!", "Dzień dobry!"},
		{"Dragă ((first_name)),", "Dragă Ann,", "Bună ziua,"},
		{"محترم ((first_name))،", "محترم Ann،", "ہیلو،"},
		{"ਪਿਆਰੇ ((first_name)),", "ਪਿਆਰੇ Ann,", "ਹੈਲੋ,"},
		{"প্রিয় ((first_name)),", "প্রিয় Ann,", "হ্যালো,"},
		{"عزيزي ((first_name))،", "عزيزي Ann،", "مرحبًا،"},
		{"Шановна ((first_name)),", "Шановна Ann,", "Вітаємо,"},
		{"您好，((first_name))：", "您好，Ann：", "您好："},
		{"((first_name))，您好！", "Ann，您好！", "您好！"},
		{"اتصل ((phone)).", "اتصل \u200e0151 496 0123\u200e.", "اتصل \u200e0151 496 0123\u200e."},
	} {
		tpl := mustParse(t, tt.template+tail)
		f := values
		if got := tpl.Render(f); got != tt.named+rest {
			t.Errorf("%q: %q", tt.template, got)
		}
		f.FirstName = ""
		if got := tpl.Render(f); got != tt.nameless+rest {
			t.Errorf("%q without a name: %q", tt.template, got)
		}
	}
	if !mustParse(t, "مرحبًا ((first_name))"+tail).RTL() || mustParse(t, good).RTL() {
		t.Error("the direction of a text")
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

// Parts are cut exactly where the provider's own calculator begins the next one.
func TestParts(t *testing.T) {
	for _, tt := range []struct {
		body  string
		parts []int // characters
	}{
		{strings.Repeat("a", 160), []int{160}},
		{strings.Repeat("a", 161), []int{153, 8}},
		{strings.Repeat("a", 306), []int{153, 153}},
		{strings.Repeat("a", 152) + "€" + strings.Repeat("a", 20), []int{152, 21}}, // the escape stays with its sign
		{strings.Repeat("ŵ", 70), []int{70}},
		{strings.Repeat("ŵ", 134), []int{67, 67}},
		{strings.Repeat("ŵ", 135), []int{67, 67, 1}},
		{strings.Repeat("ŵ", 66) + "👍🏽" + strings.Repeat("ŵ", 9), []int{66, 11}}, // nor is a sign cut in two
	} {
		var got []int
		for _, p := range Parts(tt.body) {
			got = append(got, Chars(p))
		}
		if !slices.Equal(got, tt.parts) {
			t.Errorf("%.20q… of %d characters is cut into %v, want %v", tt.body, Chars(tt.body), got, tt.parts)
		}
		if n := Count(tt.body).Segments; n != len(tt.parts) {
			t.Errorf("%.20q… is counted as %d parts, want %d", tt.body, n, len(tt.parts))
		}
	}
}
