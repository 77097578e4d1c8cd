package text

import (
	"regexp"
	"strings"
)

// Advice is something that may be overruled, unlike an error of Parse.
type Advice struct {
	Code     string
	Sentence string
}

var (
	reGreeted   = regexp.MustCompile(`(?i)^\s*(hello|hi|dear|good (morning|afternoon|evening))?\s*\(\(\s*first[ _-]name\s*\)\)`)
	reAnyName   = regexp.MustCompile(`(?i)\(\(\s*first[ _-]name\s*\)\)`)
	reAddress   = regexp.MustCompile(`(?i)\b(https?://|www\.)\S+|\b[a-z0-9-]+\.(ly|gl|gd|cc|me|nhs\.uk|co\.uk|org\.uk|com|org|net)/\S*`)
	reShortener = regexp.MustCompile(`(?i)\b(bit\.ly|tinyurl\.com|t\.co|goo\.gl|is\.gd|ow\.ly|buff\.ly|rebrand\.ly|cutt\.ly|tiny\.cc|rb\.gy|shorturl\.at|twil\.io|lnkd\.in|t\.ly|v\.gd|s\.id|qr\.ly|bl\.ink)\b`)
	reAcronym   = regexp.MustCompile(`\b(PCN|SPLW|SP|LW|ARRS|ICB|MDT|VCSE|VCFSE|DNA|HCP|ANP|GPN|HWBC|ODS)\b`)
	reClinical  = regexp.MustCompile(`(?i)\b(anxiety|anxious|depress\w*|mental health|suicid\w*|self.harm|dementia|diabet\w*|cancer|hiv|copd|asthma|obes\w*|overweight|frail\w*|alcohol\w*|drugs?|addict\w*|abuse|domestic violence|diagnos\w*|medication|smear|pregnan\w*)\b`)
	reBullet    = regexp.MustCompile(`(?m)^\s*[-*•]\s`)
	reShouting  = regexp.MustCompile(`\b[A-Z]{4,}(\s+[A-Z]{3,}){2,}`)
)

// example is what Check sizes a template with: ordinary values.
var example = Fields{
	FirstName: "Patricia", Practice: "Roseheath Surgery", Network: "Knowsley Central", Phone: "0151 496 0123",
	Link: "https://help.example.nhs.uk/r/ABCDEFGHJKMN", StopLink: "https://help.example.nhs.uk/stop/ABCDEFGHJKMN",
}

// Check compares a template with the NHS guidance on writing messages.
func Check(t Template) []Advice {
	var out []Advice
	say := func(bad bool, code, sentence string) {
		if bad {
			out = append(out, Advice{code, sentence})
		}
	}
	has := func(f field) bool {
		for _, p := range t.parts {
			if p.field == f {
				return true
			}
		}
		return false
	}
	s := t.source
	names := len(reAnyName.FindAllString(s, -1))
	say(!reGreeted.MatchString(s), "no_name_first", "Start with the person's name, as in “Hello ((first_name)),”: people trust a text that knows it.")
	say(names > 1 || names == 1 && !reGreeted.MatchString(s), "name_inside", "Use ((first_name)) in the greeting only: for some people we have no name, and the sentence must read well without it.")
	say(!has(practice) && !has(network), "no_sender", "Say who is writing, with ((practice)) or ((network)).")
	say(!has(phone), "no_phone", "Give a phone number with ((phone)), for those who do not use links.")
	say(reShortener.MatchString(s), "shortener", "Do not use a link shortener: shortened links look like fraud, and networks block them.")
	say(reAddress.MatchString(s) && !reShortener.MatchString(s), "other_link", "Have no other address in the text than ((link)) and ((stop_link)): one clear action.")
	if m := reAcronym.FindString(s); m != "" {
		say(true, "acronym", "Write out “"+m+"”: most patients do not know what it means.")
	}
	if m := reClinical.FindString(s); m != "" {
		say(true, "sensitive", "Leave out “"+m+"”: somebody else may see the phone.")
	}
	say(reBullet.MatchString(s), "bullets", "Use line breaks instead of bullet points: some phones show them badly.")
	say(reShouting.MatchString(s), "capitals", "Do not write in capitals: it is hard to read and looks like fraud.")
	size := Count(t.Render(example))
	if size.Encoding == UCS2 {
		say(true, "costly_characters", "These characters make every text about twice as dear: "+strings.Join(strings.Split(string(size.Culprits), ""), " "))
	}
	say(size.Segments > 2, "long", "Make it shorter: the shortest texts bring the most answers, and this one is sent in more than two parts.")
	return out
}
