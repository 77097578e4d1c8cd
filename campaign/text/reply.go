package text

import (
	"regexp"
	"strings"
	"unicode"
)

// asks are the words with which a text asks for an answer to itself, in the languages in which patients are written to. Each is the form
// that asks; most languages have another one to ask not to.
var asks = regexp.MustCompile(`(?i)` + strings.Join([]string{
	// English
	`\brepl(?:y|ies|ying)\b`, `\btext (?:us )?back\b`, `\bwrite back\b`, `\bmessage us\b`, `\brespond (?:to|by|with)\b`, `\banswer (?:this|our|the) (?:text|message|sms)\b`, `\btext us\b`,
	`\bsend (?:us )?(?:a|your) (?:text|message|sms|answer)\b`,
	// Welsh
	`\batebwch\b`, `\bymatebwch\b`, `\btecstiwch\b`, `\banfonwch (?:neges|ateb)\b`,
	// Polish
	`odpowiedz`, `\bodpisz`, `\bodpowiedź (?:na|sms)`, `wyślij (?:nam )?(?:sms|wiadomość|odpowiedź)`, `proszę odpowiedzieć`, `prosimy o odpowiedź`,
	// Romanian
	`r[ăa]spunde[țţt]i`, `\br[ăa]spunde (?:la|cu)\b`, `trimite[țţt]i (?:un |ne )?(?:sms|mesaj|r[ăa]spuns)`,
	// Urdu
	`جواب (?:دیں|دیجیے|دیجئے|بھیجیں|لکھیں)`, `(?:میسج|پیغام|ایس ایم ایس) (?:بھیجیں|کریں)`,
	// Punjabi
	`ਜਵਾਬ (?:ਦਿਓ|ਦਿਉ|ਦੇਵੋ|ਭੇਜੋ)`, `(?:ਮੈਸੇਜ|ਸੁਨੇਹਾ) (?:ਭੇਜੋ|ਕਰੋ)`,
	// Bengali
	`(?:উত্তর|জবাব) (?:দিন|পাঠান|লিখুন)`, `(?:মেসেজ|বার্তা|এসএমএস) (?:পাঠান|করুন)`,
	// Arabic
	`(?:^|\s)(?:رد|ردوا|ردّ|ردي|أجب|أجيبوا|الرد|بالرد) (?:على|ب)`, `(?:أرسل|ارسل|أرسلوا|ارسلوا) (?:رسالة|ردًا|ردا|رد)`,
	// Ukrainian
	`відпові(?:дайте|сти|дь на)`, `відповідьте`, `відпишіть`, `дайте відповідь`, `надішліть (?:нам )?(?:смс|sms|повідомлення|відповідь)`,
	// Chinese
	`回复`, `回覆`, `回短信`, `(?:发送|发)(?:短信|信息)`,
}, `|`))

// sends is a verb of sending, and control a word that machines read. Both in one sentence, with no link between them, ask for an answer.
var (
	sends = regexp.MustCompile(`(?i)\b(?:send|text|txt|anfonwch|tecstiwch|trimite[țţt]i|trimite|wpisz|napisz)\b|wyślij|بھیج|لکھ کر|ਭੇਜੋ|ਲਿਖ ਕੇ|পাঠান|লিখে|أرسل|ارسل|надішліть|відправте|发送|发`)
	// In capitals, or between quotation marks.
	control = regexp.MustCompile(`\b(?:STOP|STOPALL|UNSUBSCRIBE|YES|NO|CALL|HELP|START|INFO|OUT|TAK|NIE|DA|NU)\b|["'‘“«„](?i:stop|yes|no|call|help|start|tak|da)["'’”»]`)
	// negated is what may stand before a word that asks, when it does the opposite.
	negated = regexp.MustCompile(`(?i)(?:\b(?:not|don't|don’t|cannot|can't|can’t|can not|never|no|unable to|without|peidiwch [âa]g?|nie|nie można|nu|nu pute[țţt]i)|не|не можна|не треба|لا|لا يمكن|لا يمكنك|لا تستطيع|勿|请勿|不要|不能|无法|无需|不必|不用|别)\s*(?:need to |have to |please |directly |any |be able to )?$`)
	// elsewhere stands behind a word that is to be sent to a number of its own.
	elsewhere = regexp.MustCompile(`^["'’”»]?\s*(?:to|at|na|la|i|на|إلى|到)?\s*\+?[0-9](?: ?[0-9]){3}`)
	unitEnds  = regexp.MustCompile(`[.!?。！？۔।؟\n]+(?:\s|$)|[。！？۔।؟\n]`)
)

// AsksReply finds the words, in any of our languages, with which a text asks people to answer it; "" if it does not. It finds the usual
// ways of saying so, and not all: a person checks each text besides.
func (t Template) AsksReply() string {
	for _, p := range t.parts {
		if p.field != literal {
			continue
		}
		for _, sentence := range unitEnds.Split(p.literal, -1) {
			for _, at := range asks.FindAllStringIndex(sentence, -1) {
				found := strings.TrimSpace(sentence[at[0]:at[1]])
				// "Text us on 0151 …" names a number of its own, and so does one with a field behind it.
				after := strings.ToLower(sentence[at[1]:])
				if strings.EqualFold(found, "text us") && (strings.HasPrefix(after, " on") || strings.HasPrefix(after, " at") || strings.TrimSpace(after) == "") {
					continue
				}
				if !negated.MatchString(sentence[:at[0]]) {
					return found
				}
			}
			word, verb := control.FindStringIndex(sentence), sends.FindStringIndex(sentence)
			if word != nil && verb != nil && !negated.MatchString(sentence[:verb[0]]) && !elsewhere.MatchString(sentence[word[1]:]) {
				return strings.TrimFunc(sentence[word[0]:word[1]], func(r rune) bool { return !unicode.IsLetter(r) })
			}
		}
	}
	return ""
}
