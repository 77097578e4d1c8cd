package text

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Advice is something that may be overruled, unlike an error of Parse.
type Advice struct {
	Code     string
	Sentence string
}

var (
	reAddress = regexp.MustCompile(`(?i)\b(https?://|www\.)\S+|\b[a-z0-9-]+\.(ly|gl|gd|cc|me|nhs\.uk|gov\.uk|co\.uk|org\.uk|com|org|net|info)\b(/\S*)?`)
	// reAcronym is any word in capitals that is not said so by everybody.
	reAcronym  = regexp.MustCompile(`\b[A-Z]{2,6}s?\b`)
	usual      = regexp.MustCompile(`^(NHS|GPs?|UK|SMS|TV|OK|STOP|CALL|HELP|YES|NO|A|I)$`)
	reShouting = regexp.MustCompile(`\b[A-Z]{4,}(\s+[A-Z]{3,}){2,}`)
	reClinical = regexp.MustCompile(`(?i)\b(anxiety|anxious|depress\w*|mental health|suicid\w*|self.harm|dementia|diabet\w*|cancer|hiv|copd|asthma|obes\w*|overweight|frail\w*|alcohol\w*|drugs?|addict\w*|abuse|domestic violence|diagnos\w*|medication|smear|pregnan\w*|depresj\w*|depresi\w*|alkohol\w*|narkoty\w*|droguri|sinucid\w*|samobój\w*|iselder|hunanladd\w*|canser)|психічн|депресі|самогуб|алкогол|наркоти|اكتئاب|انتحار|سرطان|الصحة النفسية|ڈپریشن|خودکشی|کینسر|ذہنی صحت|ਡਿਪਰੈਸ਼ਨ|ਖੁਦਕੁਸ਼ੀ|ਕੈਂਸਰ|ਮਾਨਸਿਕ|বিষণ্নতা|আত্মহত্যা|ক্যান্সার|মানসিক|抑郁|自杀|癌|精神|酗酒|吸毒`)
	reBullet   = regexp.MustCompile(`(?m)^\s*[-*•‣◦▪–·]\s`)
)

// example is what Check sizes a template with: ordinary values.
var example = Fields{
	FirstName: "Patricia", Practice: "Roseheath Surgery", Network: "Knowsley Central", Phone: "0151 496 0123",
	Link: "https://help.example.nhs.uk/r/ABCDEFGHJKMN", StopLink: "https://help.example.nhs.uk/stop/ABCDEFGHJKMN",
}

const (
	mostParts        = 2
	mostForeignParts = 5 // a script that GSM-7 does not have has room for 67 characters in a part, not 153
)

// Check compares a text with the NHS guidance on writing messages.
func Check(t Template) []Advice { return check(t, false) }

// CheckTranslation is Check for a text in another language. Its letters cost what they cost.
func CheckTranslation(t Template) []Advice { return check(t, true) }

// CheckCorrection is Check for a correction, which names nobody.
func CheckCorrection(t Template, translation bool) []Advice {
	return slices.DeleteFunc(check(t, translation), func(a Advice) bool { return a.Code == "no_name_first" || a.Code == "name_inside" })
}

func check(t Template, translation bool) []Advice {
	var out []Advice
	say := func(bad bool, code, sentence string) {
		if bad {
			out = append(out, Advice{code, sentence})
		}
	}
	has := map[field]int{}
	for _, p := range t.parts {
		has[p.field]++
	}
	words := t.words()
	greets := t.greets()
	say(!greets, "no_name_first", "Start with the person's name, as in “Hello ((first_name)),”: people trust a text that knows it.")
	say(has[firstName] > 1 || has[firstName] == 1 && !greets, "name_inside", "Use ((first_name)) in the greeting only: for some people we have no name, and the sentence must read well without it.")
	say(has[practice] == 0 && has[network] == 0, "no_sender", "Say who is writing, with ((practice)) or ((network)).")
	say(has[phone] == 0, "no_phone", "Give a phone number with ((phone)), for those who do not use links.")
	reply := t.AsksReply()
	say(has[link] > 1, "two_actions", "Have ((link)) once only: one clear action.")
	say(has[link] == 1 && reply != "" && !strings.EqualFold(reply, "stop") && !strings.EqualFold(reply, "unsubscribe"), "two_actions",
		"Ask for one thing only: the text has a link and also asks for an answer (“"+reply+"”).")
	short := reShortener.MatchString(words)
	say(short, "shortener", "Do not use a link shortener: shortened links look like fraud, and networks block them.")
	say(!short && reAddress.MatchString(words), "other_link", "Have no other address in the text than ((link)) and ((stop_link)): one clear action.")
	shouting := reShouting.FindString(words)
	for _, m := range reAcronym.FindAllString(words, -1) {
		if !usual.MatchString(m) && !strings.Contains(shouting, m) {
			say(true, "acronym", "Write out “"+m+"”: most patients do not know what it means.")
			break
		}
	}
	if m := reClinical.FindString(words); m != "" {
		say(true, "sensitive", "Leave out “"+m+"”: somebody else may see the phone.")
	}
	say(!strings.Contains(words, "\n"), "no_breaks", "Break the text into lines, such as one for the link: it is easier to read.")
	say(reBullet.MatchString(t.source), "bullets", "Use line breaks instead of bullet points: some phones show them badly.")
	say(shouting != "", "capitals", "Do not write in capitals: it is hard to read and looks like fraud.")
	say(t.rtl && !t.ownLines(), "link_line", "In a text from right to left, give each link a line of its own: beside other words it is hard to read.")
	size := Count(t.Render(example))
	say(size.Encoding == UCS2 && !translation, "costly_characters",
		"These characters make every text about twice as dear: "+strings.Join(strings.Split(string(size.Culprits), ""), " "))
	most := mostParts
	if translation && size.Encoding == UCS2 {
		most = mostForeignParts
	}
	say(size.Segments > most, "long", "Make it shorter: the shortest texts bring the most answers, and this one is sent in more than "+
		map[int]string{mostParts: "two", mostForeignParts: "five"}[most]+" parts.")
	return out
}

// words is what the writer wrote, with a gap for each field.
func (t Template) words() string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.field == literal {
			b.WriteString(p.literal)
		} else {
			b.WriteString(" ¤ ")
		}
	}
	return b.String()
}

// greets tells whether the name comes first, behind no more than a greeting of a few words.
func (t Template) greets() bool {
	for i, p := range t.parts {
		if p.field != literal {
			return p.field == firstName && i <= 1
		}
		if utf8.RuneCountInString(p.literal) > 25 || strings.ContainsAny(strings.TrimSpace(p.literal), "\n.!?。！？؟۔।") {
			return false
		}
	}
	return false
}

// ownLines tells whether each link has a line of its own.
func (t Template) ownLines() bool {
	for i, p := range t.parts {
		if p.field != link && p.field != stopLink {
			continue
		}
		if i > 0 && !strings.HasSuffix(strings.TrimRight(t.parts[i-1].literal, " "), "\n") ||
			i+1 < len(t.parts) && !strings.HasPrefix(strings.TrimLeft(t.parts[i+1].literal, " "), "\n") {
			return false
		}
	}
	return true
}
