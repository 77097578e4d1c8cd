package selfrefer

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// cries are sentences as people write them, by language, each with the kind that must be found.
var cries = []struct {
	code  lang.Code
	words string
	kind  string
}{
	{lang.English, "I want to die", "self-harm"}, {lang.English, "wanna die", "self-harm"}, {lang.English, "thinking about sucide", "self-harm"}, {lang.English, "kms lol", "self-harm"},
	{lang.English, "dont want to be here", "self-harm"}, {lang.English, "I don’t want to be here any more", "self-harm"}, {lang.English, "i wanna dieeee", "self-harm"},
	{lang.English, "ＳＵＩＣＩＤＥ", "self-harm"}, {lang.English, "sui\u200bcide", "self-harm"}, {lang.English, "sui\u00adcidal", "self-harm"}, {lang.English, "súïcide", "self-harm"},
	{lang.English, "kill\nmyself", "self-harm"}, {lang.English, "I want to just die", "self-harm"}, {lang.English, "unalive myself", "self-harm"}, {lang.English, "took too many of my tablets", "self-harm"},
	{lang.English, "my husband hits me", "violence"}, {lang.English, "he wont let me out", "violence"}, {lang.English, "scared to go home", "violence"}, {lang.English, "he’s VIOLENT", "violence"},
	{lang.English, "no food in the house", "need"}, {lang.English, "no electricity since monday", "need"}, {lang.English, "sleeping in my car", "need"}, {lang.English, "nowhere to stay 2night", "need"},
	{lang.English, "my kids are at risk", "at risk"}, {lang.English, "they stole my pension", "at risk"}, {lang.English, "chest pains", "emergency"}, {lang.English, "cant breathe", "emergency"},
	{lang.Welsh, "Dw i eisiau marw", "self-harm"}, {lang.Welsh, "dwi isio marw", "self-harm"}, {lang.Welsh, "meddwl am hunanladdiad", "self-harm"}, {lang.Welsh, "mae e'n fy mwrw fi", "violence"},
	{lang.Welsh, "mae o'n fy nharo i", "violence"}, {lang.Welsh, "trais yn y cartref", "violence"}, {lang.Welsh, "does dim bwyd yn y tŷ", "need"}, {lang.Welsh, "rwy'n ddigartref", "need"},
	{lang.Welsh, "mae fy mhlentyn mewn perygl", "at risk"}, {lang.Welsh, "poen yn fy mrest", "emergency"},
	{lang.Polish, "Chcę umrzeć", "self-harm"}, {lang.Polish, "chce umrzec", "self-harm"}, {lang.Polish, "nie chcę już żyć", "self-harm"}, {lang.Polish, "mysle o samobojstwie", "self-harm"},
	{lang.Polish, "mąż mnie bije", "violence"}, {lang.Polish, "boje sie meza", "violence"}, {lang.Polish, "nie mam co jesc", "need"}, {lang.Polish, "jestem bezdomny", "need"},
	{lang.Polish, "zaniedbane dziecko", "at risk"}, {lang.Polish, "nie mogę oddychać", "emergency"},
	{lang.Romanian, "Nu mai vreau să trăiesc", "self-harm"}, {lang.Romanian, "vreau sa mor", "self-harm"}, {lang.Romanian, "mă gândesc la sinucidere", "self-harm"},
	{lang.Romanian, "soțul mă bate", "violence"}, {lang.Romanian, "mi-e frica de el", "violence"}, {lang.Romanian, "nu avem ce mânca", "need"}, {lang.Romanian, "dorm pe strada", "need"},
	{lang.Romanian, "copilul meu este în pericol", "at risk"}, {lang.Romanian, "durere în piept", "emergency"},
	{lang.Urdu, "میں مرنا چاہتا ہوں", "self-harm"}, {lang.Urdu, "خودکشی کے خیالات", "self-harm"}, {lang.Urdu, "main marna chahti hun", "self-harm"}, {lang.Urdu, "jeena nahi chahta", "self-harm"},
	{lang.Urdu, "شوہر مجھے مارتا ہے", "violence"}, {lang.Urdu, "mujhe marta hai", "violence"}, {lang.Urdu, "کھانے کو کچھ نہیں", "need"}, {lang.Urdu, "ghar se nikal diya", "need"},
	{lang.Urdu, "میرے بچے خطرے میں ہیں", "at risk"}, {lang.Urdu, "سینے میں درد", "emergency"},
	{lang.Punjabi, "ਮੈਂ ਮਰਨਾ ਚਾਹੁੰਦੀ ਹਾਂ", "self-harm"}, {lang.Punjabi, "ਖ਼ੁਦਕੁਸ਼ੀ", "self-harm"}, {lang.Punjabi, "main marna chaunda", "self-harm"}, {lang.Punjabi, "میں مرنا چاہندا واں", "self-harm"},
	{lang.Punjabi, "ਉਹ ਮੈਨੂੰ ਕੁੱਟਦਾ ਹੈ", "violence"}, {lang.Punjabi, "mainu kutda hai", "violence"}, {lang.Punjabi, "مینوں ماردا اے", "violence"}, {lang.Punjabi, "ਖਾਣ ਲਈ ਕੁਝ ਨਹੀਂ", "need"},
	{lang.Punjabi, "ਬੱਚੇ ਖ਼ਤਰੇ ਵਿੱਚ ਹਨ", "at risk"}, {lang.Punjabi, "ਛਾਤੀ ਵਿੱਚ ਦਰਦ", "emergency"},
	{lang.Bengali, "আমি মরতে চাই", "self-harm"}, {lang.Bengali, "আত্মহত্যার কথা ভাবি", "self-harm"}, {lang.Bengali, "ami morte chai", "self-harm"}, {lang.Bengali, "বাঁচতে চাই না", "self-harm"},
	{lang.Bengali, "স্বামী আমাকে মারে", "violence"}, {lang.Bengali, "সে আমাকে হুমকি দেয়", "violence"}, {lang.Bengali, "ঘরে খাবার নেই", "need"}, {lang.Bengali, "থাকার জায়গা নাই", "need"},
	{lang.Bengali, "আমার বাচ্চা বিপদে আছে", "at risk"}, {lang.Bengali, "বুকে ব্যথা", "emergency"},
	{lang.Arabic, "أريد أن أموت", "self-harm"}, {lang.Arabic, "أفكر بالانتحار", "self-harm"}, {lang.Arabic, "بدّي موت بدي أموت", "self-harm"}, {lang.Arabic, "لا أُرِيدُ أَنْ أَعِيش", "self-harm"},
	{lang.Arabic, "زوجي يضربني", "violence"}, {lang.Arabic, "هو بيضربني كل يوم", "violence"}, {lang.Arabic, "لا يوجد طعام في البيت", "need"}, {lang.Arabic, "نحن مشردون", "need"},
	{lang.Arabic, "أطفالي في خطر", "at risk"}, {lang.Arabic, "ألم في الصدر", "emergency"},
	{lang.Ukrainian, "Я не хочу жити", "self-harm"}, {lang.Ukrainian, "думаю про самогубство", "self-harm"}, {lang.Ukrainian, "не хочу больше жить", "self-harm"}, {lang.Ukrainian, "суїцид", "self-harm"},
	{lang.Ukrainian, "чоловік мене б’є", "violence"}, {lang.Ukrainian, "муж меня бьёт", "violence"}, {lang.Ukrainian, "нам нема що їсти", "need"}, {lang.Ukrainian, "нечего есть", "need"},
	{lang.Ukrainian, "моя дитина в небезпеці", "at risk"}, {lang.Ukrainian, "не можу дихати", "emergency"},
	{lang.Chinese, "我想死", "self-harm"}, {lang.Chinese, "我不想活了", "self-harm"}, {lang.Chinese, "最近总想自杀怎么办", "self-harm"}, {lang.Chinese, "我唔想做人", "self-harm"},
	{lang.Chinese, "老公打我", "violence"}, {lang.Chinese, "我遭受家暴", "violence"}, {lang.Chinese, "家里没吃的", "need"}, {lang.Chinese, "我無家可歸", "need"},
	{lang.Chinese, "孩子有危险", "at risk"}, {lang.Chinese, "我胸口痛", "emergency"},
}

func whyOf(tb testing.TB, heading string) string {
	for _, k := range kinds {
		if k.heading == heading {
			return k.why
		}
	}
	tb.Fatalf("there is no kind %q", heading)
	return ""
}

func TestDanger_everyLanguage(t *testing.T) {
	heard := map[lang.Code]map[string]bool{}
	for _, c := range cries {
		if why := whyOf(t, c.kind); !slices.Contains(Danger(c.words), why) {
			t.Errorf("%s: %q: got %v, want %q", c.code, c.words, Danger(c.words), why)
		}
		if heard[c.code] == nil {
			heard[c.code] = map[string]bool{}
		}
		heard[c.code][c.kind] = true
	}
	for _, l := range lang.All {
		if len(heard[l.Code]) != len(kinds) {
			t.Errorf("%s: no cry of every kind is tried: %v", l.Name, heard[l.Code])
		}
		for k, n := range dangers().counts[l.Code] {
			if n < 2 {
				t.Errorf("%s has %d phrases under [%s]", l.Name, n, kinds[k].heading)
			}
		}
	}
}

// TestDanger_ordinary: what people write on any day does not ring.
func TestDanger_ordinary(t *testing.T) {
	for code, sentences := range map[lang.Code][]string{
		lang.English: {"my heating bill", "I hurt my back", "I hurt my knee falling off a bike", "I would like to join a walking group", "my husband died last year and I feel lonely", "I lost my job and money is tight",
			"I am hungry for company", "the food bank closes at four", "my son will not talk to me", "I can't get out much", "I need help with forms", "please help me", "I live on Station Street", "no thank you",
			"I don't want to be a bother", "I want to diet", "killing time", "the children are safe and well", "I live alone with my cat", "a threatre group", "help with my electricity bill", "I take tablets for blood pressure"},
		lang.Welsh:     {"Hoffwn ymuno â grŵp cerdded", "Rwy'n teimlo'n unig", "mae fy mil gwresogi yn uchel", "bu farw fy ngŵr y llynedd", "dwi angen help gyda ffurflenni"},
		lang.Polish:    {"Czuję się samotny", "mam wysoki rachunek za ogrzewanie", "chciałbym poznać ludzi", "boli mnie plecy", "potrzebuję pomocy z formularzami", "mój mąż zmarł w zeszłym roku"},
		lang.Romanian:  {"Mă simt singură", "factura la căldură e mare", "vreau să cunosc oameni", "mă doare spatele", "am nevoie de ajutor cu formulare", "soțul meu a murit anul trecut"},
		lang.Urdu:      {"میں اکیلا محسوس کرتا ہوں", "مجھے لوگوں سے ملنا ہے", "میری کمر میں درد ہے", "میرے شوہر کا پچھلے سال انتقال ہو گیا", "main akela hun", "مجھے فارم بھرنے میں مدد چاہیے"},
		lang.Punjabi:   {"ਮੈਂ ਇਕੱਲਾ ਮਹਿਸੂਸ ਕਰਦਾ ਹਾਂ", "ਮੇਰੀ ਪਿੱਠ ਵਿੱਚ ਦਰਦ ਹੈ", "ਮੈਨੂੰ ਫਾਰਮ ਭਰਨ ਵਿੱਚ ਮਦਦ ਚਾਹੀਦੀ ਹੈ", "main ikalla han"},
		lang.Bengali:   {"আমি একা বোধ করি", "আমার পিঠে ব্যথা", "ফর্ম পূরণে সাহায্য চাই", "আমার স্বামী গত বছর মারা গেছেন", "ami eka"},
		lang.Arabic:    {"أشعر بالوحدة", "ظهري يؤلمني", "أحتاج مساعدة في تعبئة النماذج", "توفي زوجي العام الماضي", "فاتورة التدفئة مرتفعة"},
		lang.Ukrainian: {"Я почуваюся самотньо", "болить спина", "потрібна допомога з документами", "мій чоловік помер торік", "мне одиноко", "рахунок за опалення"},
		lang.Chinese:   {"我觉得很孤独", "我背疼", "我需要帮忙填表", "我丈夫去年去世了", "暖气费太贵", "我想认识新朋友", "打电话给我"},
	} {
		for _, s := range sentences {
			if why := Danger(s); why != nil {
				t.Errorf("%s: %q rings: %v", code, s, why)
			}
		}
	}
	// Accepted: calling sooner is the safer mistake.
	for _, s := range []string{"I had a stroke in 2019", "I can't go on buses", "help with alcohol abuse", "an urgent letter", "I feel unsafe on stairs", "głód wiedzy"} {
		if Danger(s) == nil {
			t.Errorf("%q does not ring any more: take it out of what is accepted", s)
		}
	}
}

// checkSpans: they are of the text, in order, whole characters, and each sounds like danger by itself.
func checkSpans(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string) {
	t.Helper()
	var why []string
	last := 0
	for _, sp := range Find(s) {
		if sp.Start < last || sp.End <= sp.Start || sp.End > len(s) {
			t.Fatalf("%q: span %+v after %d", s, sp, last)
		}
		last = sp.Start
		if utf8.ValidString(s) && (!utf8.RuneStart(s[sp.Start]) || sp.End < len(s) && !utf8.RuneStart(s[sp.End])) {
			t.Fatalf("%q: span %+v cuts a character", s, sp)
		}
		if !slices.Contains(Danger(s[sp.Start:sp.End]), sp.Why) {
			t.Fatalf("%q: %q is not %q by itself", s, s[sp.Start:sp.End], sp.Why)
		}
		if !slices.Contains(why, sp.Why) {
			why = append(why, sp.Why)
		}
	}
	found := Danger(s)
	slices.Sort(why)
	slices.Sort(found)
	if !slices.Equal(why, found) {
		t.Fatalf("%q: found %v, danger %v", s, why, found)
	}
}

func TestFind(t *testing.T) {
	for s, want := range map[string][]string{
		"":                                     nil,
		"I feel lonely":                        nil,
		"He hits me, and I can’t go on!":       {"hits me", "can’t go on"},
		"好。我不想活了！":                             {"不想活"},
		"Ona: «chcę umrzeć».":                  {"chcę umrzeć"},
		"I’m not safe; I’m not safe":           {"not safe", "not safe"},
		"he threatened to kill me he hits me.": {"threatened", "kill me", "hits me"},
		"هو يَضْرِبُنِي كثيرا":                 {"يَضْرِبُنِي"},
		"die\u0301? I want to die\u0301!":      {"want to die\u0301"},
	} {
		var got []string
		for _, sp := range Find(s) {
			got = append(got, s[sp.Start:sp.End])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
		checkSpans(t, s)
	}
}

// TestDanger_neverHidden: whatever stands around a phrase, with a space between, does not hide it.
func TestDanger_neverHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(cries).Draw(t, "cry")
		around := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"want", "I", "no", "he hits", "想", "मैं", "\u0301", "\u200d", "'", "لا", "৷"}))
		s := around.Draw(t, "before") + " " + c.words + " " + around.Draw(t, "after")
		found := Danger(s)
		for _, why := range Danger(c.words) {
			if !slices.Contains(found, why) {
				t.Fatalf("%q hides %q", s, why)
			}
		}
		checkSpans(t, s)
	})
}

func FuzzFind(f *testing.F) {
	for _, c := range cries {
		f.Add(c.words)
	}
	for _, s := range []string{"", "\x00", "\xff\xfehits me\xf0", "ki\xcc\x81ll me", "a\u0301\u0301\u0301", "ﷺ", "ẛ̣", "İ", strings.Repeat("want to ", 40), "가 hits me"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkSpans(t, s) })
}

func TestReadPhrases_errors(t *testing.T) {
	good := "review: none yet\n[a]\nx\n[b]\ny\n"
	for want, text := range map[string]string{
		"":                                      good,
		"line 2: there is no heading \"[c]\"":   "review: none yet\n[c]\n",
		"the phrase stands under no heading":    "review: none yet\nx\n",
		"no phrase under [b]":                   "review: none yet\n[a]\nx\n",
		"a line \"review:\" is missing":         "[a]\nx\n[b]\ny\n",
		"write after \"review:\"":               "review:\n[a]\nx\n[b]\ny\n",
		"line 3: \"x*y\" is no word":            "review: none yet\n[a]\nx*y\n",
		"\"**\" is no word":                     "review: none yet\n[a]\n**\n",
		"too short for a *":                     "review: none yet\n[a]\nx*\n",
		"~ stands between two words":            "review: none yet\n[a]\n~ x\n",
		"every word may be left out":            "review: none yet\n[a]\n(x)\n",
		"the bracket must close":                "review: none yet\n[a]\n(x y)\n",
		"stands for more than 400 phrases":      "review: none yet\n[a]\n" + strings.Repeat("a/b/c/d ", 6) + "\n",
		"\"\" is no word: write a word, word*,": "review: none yet\n[a]\nx/ y\n",
	} {
		files := fstest.MapFS{}
		for _, l := range lang.All {
			files["d/"+string(l.Code)+".txt"] = &fstest.MapFile{Data: []byte(text)}
		}
		_, err := readPhrases(files, "d", []string{"a", "b"})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, err := readPhrases(fstest.MapFS{}, "d", nil); err == nil || !strings.Contains(err.Error(), "phrases in English") {
		t.Errorf("without files: %v", err)
	}
}

// longAnswer is as much as the form takes, in the manner of somebody who repeats the beginnings of phrases.
func longAnswer(n int) string {
	return strings.Repeat("I do not want to be a bother, my husband will not let me and he took 没有 لا ", n/80+1)[:n]
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{2000, 20000} {
		s := strings.ToValidUTF8(longAnswer(n), "")
		b.Run(strings.TrimSpace(strings.Replace("n characters", "n", map[int]string{2000: "2000", 20000: "20000"}[n], 1)), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Find(s)
			}
		})
	}
}
