package town

import (
	"fmt"
	"math/rand/v2"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// tongue is a language of the town: how many speak it, how lists and browsers spell it, and what its people write.
type tongue struct {
	name    string
	many    float64   // of 1,000
	code    lang.Code // of ours; "" if nobody can be written to in it
	tag     string    // of a browser; "" is that of English
	asked   string    // on the form
	listed  []string  // in the cells of a list
	wishes  []string  // what they ask for
	cries   []string  // of those who are in danger
	stops   []string  // replies that want no more texts
	calls   []string  // replies that want a call
	answers []string  // other replies
}

// tongues are the main languages of an English town, about as the census of 2021 found them in England; Ukrainian as they are since. English
// comes first and is what remains of the thousand.
var tongues = []tongue{
	{name: "English", code: lang.English, tag: "en-GB", asked: "English", listed: []string{"Main spoken language English", "Main spoken language English", "English", "eng"},
		wishes: wishes, cries: cries,
		stops: []string{"STOP", "STOP", "Stop please", "no more texts thanks"}, calls: []string{"CALL", "Call me please"},
		answers: []string{"Yes please, can somebody ring me? I cannot use the link.", "Who do I speak to about the walking group?"}},
	{name: "Polish", many: 11, code: lang.Polish, tag: "pl-PL", asked: "Polish", listed: []string{"Main spoken language Polish", "Polish", "pol"},
		wishes: []string{"Chciałabym poznać ludzi, od kiedy zmarł mój mąż.", "Czynsz wzrósł i nie wiem, o co mogę się starać.", "Chcę lepiej mówić po angielsku."},
		cries:  []string{"Mąż mnie bije i boję się wracać do domu.", "Nie chcę już żyć.", "Nie mam co jeść i nie ma ogrzewania."},
		stops:  []string{"STOP", "proszę nie pisać"}, calls: []string{"CALL", "proszę o telefon"}, answers: []string{"Czy ktoś tam mówi po polsku?"}},
	{name: "Romanian", many: 8, code: lang.Romanian, tag: "ro-RO", asked: "Romanian", listed: []string{"Main spoken language Romanian", "Romanian", "Romanian language"},
		wishes: []string{"Aș vrea să cunosc oameni, sunt nou aici.", "Am nevoie de ajutor cu facturile.", "Aș vrea să învăț engleza."},
		cries:  []string{"Soțul mă bate și mi-e frică de el.", "Nu mai vreau să trăiesc.", "Nu avem ce mânca."},
		stops:  []string{"STOP", "Nu mai trimiteți mesaje"}, calls: []string{"CALL", "Sunați-mă vă rog"}, answers: []string{"Vorbește cineva română acolo?"}},
	{name: "Punjabi", many: 5, code: lang.Punjabi, tag: "pa-IN", asked: "Punjabi", listed: []string{"Main spoken language Panjabi", "Punjabi", "Panjabi"},
		wishes: []string{"ਮੈਂ ਇਕੱਲੀ ਰਹਿੰਦੀ ਹਾਂ ਅਤੇ ਲੋਕਾਂ ਨੂੰ ਮਿਲਣਾ ਚਾਹੁੰਦੀ ਹਾਂ।", "ਮੈਨੂੰ ਬਿੱਲਾਂ ਵਿੱਚ ਮਦਦ ਚਾਹੀਦੀ ਹੈ।"}, cries: []string{"ਉਹ ਮੈਨੂੰ ਕੁੱਟਦਾ ਹੈ।", "ਖਾਣ ਲਈ ਕੁਝ ਨਹੀਂ।"},
		stops: []string{"STOP", "ਬੰਦ ਕਰੋ"}, calls: []string{"CALL", "ਮੈਨੂੰ ਫ਼ੋਨ ਕਰੋ"}, answers: []string{"ਕੀ ਕੋਈ ਪੰਜਾਬੀ ਬੋਲਦਾ ਹੈ?"}},
	{name: "Urdu", many: 5, code: lang.Urdu, tag: "ur-PK", asked: "Urdu", listed: []string{"Main spoken language Urdu", "Urdu"},
		wishes: []string{"میں اکیلی ہوں اور لوگوں سے ملنا چاہتی ہوں۔", "مجھے بلوں کے بارے میں مدد چاہیے۔"}, cries: []string{"شوہر مجھے مارتا ہے", "میں مرنا چاہتا ہوں", "کھانے کو کچھ نہیں"},
		stops: []string{"STOP", "پیغام بند کریں"}, calls: []string{"CALL", "مجھے کال کریں"}, answers: []string{"کیا وہاں کوئی اردو بولتا ہے؟"}},
	{name: "Bengali", many: 3.5, code: lang.Bengali, tag: "bn-BD", asked: "Bengali", listed: []string{"Main spoken language Bengali", "Main spoken language Sylheti", "Bengali"},
		wishes: []string{"আমি একা থাকি, মানুষের সাথে মিশতে চাই।", "ভাড়ার ব্যাপারে সাহায্য দরকার।"}, cries: []string{"স্বামী আমাকে মারে", "ঘরে খাবার নেই"},
		stops: []string{"STOP", "বন্ধ করুন"}, calls: []string{"CALL", "আমাকে কল করুন"}, answers: []string{"কেউ কি বাংলা বলেন?"}},
	{name: "Arabic", many: 3.5, code: lang.Arabic, tag: "ar", asked: "Arabic", listed: []string{"Main spoken language Arabic", "Arabic", "ara"},
		wishes: []string{"أعيش وحدي وأود أن أتعرف على الناس.", "أحتاج مساعدة في الفواتير.", "أريد أن أتعلم الإنجليزية."}, cries: []string{"زوجي يضربني", "لا يوجد طعام في البيت", "أريد أن أموت"},
		stops: []string{"STOP", "توقف", "لا ترسلوا لي رسائل"}, calls: []string{"CALL", "اتصل بي"}, answers: []string{"هل يتكلم أحد العربية عندكم؟"}},
	{name: "Ukrainian", many: 3, code: lang.Ukrainian, tag: "uk-UA", asked: "Ukrainian", listed: []string{"Main spoken language Ukrainian", "Ukrainian"},
		wishes: []string{"Ми недавно приїхали і нікого тут не знаємо.", "Потрібна допомога з пошуком житла."}, cries: []string{"Я не хочу жити", "чоловік мене б’є", "нам нема що їсти"},
		stops: []string{"STOP", "не пишіть мені більше"}, calls: []string{"CALL", "зателефонуйте мені"}, answers: []string{"Чи хтось говорить українською?"}},
	{name: "Chinese", many: 3, code: lang.Chinese, tag: "zh-CN", asked: "Mandarin", listed: []string{"Main spoken language Mandarin", "Chinese", "Mandarin"},
		wishes: []string{"我一个人住，想认识一些人。", "我需要有人帮我看账单。"}, cries: []string{"老公打我", "家里没吃的", "我不想活了"},
		stops: []string{"STOP", "请不要再给我发短信"}, calls: []string{"CALL", "请打电话给我"}, answers: []string{"有人会说普通话吗？"}},
	{name: "Welsh", many: .7, code: lang.Welsh, tag: "cy", asked: "Welsh", listed: []string{"Main spoken language Welsh", "Welsh"},
		wishes: []string{"Hoffwn gwrdd â mwy o bobl."}, cries: []string{"Dw i eisiau marw"}, stops: []string{"Stopiwch os gwelwch yn dda"}, calls: []string{"ffoniwch fi"}, answers: []string{"Oes rhywun yn siarad Cymraeg?"}},

	{name: "Portuguese", many: 4, tag: "pt-PT", asked: "Portuguese", listed: []string{"Main spoken language Portuguese", "Portuguese"}},
	{name: "Spanish", many: 4, tag: "es-ES", asked: "Spanish", listed: []string{"Main spoken language Spanish", "Spanish"}},
	{name: "Gujarati", many: 3, tag: "gu-IN", asked: "Gujarati", listed: []string{"Main spoken language Gujarati"}},
	{name: "Italian", many: 3, tag: "it-IT", asked: "Italian", listed: []string{"Main spoken language Italian"}},
	{name: "Lithuanian", many: 2, tag: "lt-LT", asked: "Lithuanian", listed: []string{"Main spoken language Lithuanian"}},
	{name: "Turkish", many: 2, tag: "tr-TR", asked: "Turkish", listed: []string{"Main spoken language Turkish", "Turkish"}},
	{name: "Farsi", many: 2, tag: "fa-IR", asked: "Farsi", listed: []string{"Main spoken language Farsi", "Persian"}},
	{name: "Somali", many: 1.5, tag: "so", asked: "Somali", listed: []string{"Main spoken language Somali"}},
	{name: "Cantonese", many: 1.5, tag: "zh-HK", asked: "Cantonese", listed: []string{"Main spoken language Cantonese"}},
	{name: "Tigrinya", many: .5, tag: "ti", asked: "Tigrinya", listed: []string{"Main spoken language Tigrinya"}},
	{name: "British Sign Language", many: .4, asked: "British Sign Language", listed: []string{"Main spoken language British Sign Language"}},
	{name: "Greek", many: 1, tag: "el-GR", asked: "Another language", listed: []string{"Main spoken language Greek"}},
}

// tongueOf draws what somebody speaks, by their NHS number: it is the same in every row that they have.
func tongueOf(seed uint64, nhs string) *tongue {
	x := 1000 * lots(seed, "tongue", nhs).Float64()
	for i := range tongues {
		if x < tongues[i].many {
			return &tongues[i]
		}
		x -= tongues[i].many
	}
	return &tongues[0]
}

// spell writes the language into a cell of the list as practices have it: for many people nobody has asked.
func (s *tongue) spell(rng *rand.Rand) string {
	blank := .25
	if s == &tongues[0] {
		blank = .45
	}
	switch x := rng.Float64(); {
	case x < blank:
		return ""
	case x < blank+.05:
		return pick(rng, []string{"Not stated", "Main spoken language not stated", "Unknown"})
	}
	return pick(rng, s.listed)
}

// accept is what a browser of theirs says.
func (s *tongue) accept() string {
	if s.tag == "" || s == &tongues[0] {
		return "en-GB,en;q=0.9"
	}
	return fmt.Sprintf("%s,en-GB;q=0.6,en;q=0.5", s.tag)
}

// say picks what somebody writes: in their own language, or in English if the town knows nothing of theirs.
func (s *tongue) say(rng *rand.Rand, what func(*tongue) []string) string {
	if own := what(s); len(own) > 0 {
		return pick(rng, own)
	}
	return pick(rng, what(&tongues[0]))
}

// Wish is what somebody who speaks a language of ours would like.
func Wish(rng *rand.Rand, c lang.Code) string {
	return in(c).say(rng, func(s *tongue) []string { return s.wishes })
}

// Cry is what they write who are in danger.
func Cry(rng *rand.Rand, c lang.Code) string {
	return in(c).say(rng, func(s *tongue) []string { return s.cries })
}

func in(c lang.Code) *tongue {
	for i := range tongues {
		if tongues[i].code == c {
			return &tongues[i]
		}
	}
	return &tongues[0]
}
