package form

import (
	"html/template"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// card is a care card: what to do when it cannot wait.
type card struct {
	Kind, Heading string
	Items         []string
	Numbers       []number
	Words         *ui.Words
}

// number is how to reach somebody: What it is, and the number as a link.
type number struct {
	What, Show string
	Href       template.URL
}

func ring(what, show string) number {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, show)
	if digits == "" {
		return number{What: what, Show: show}
	}
	return number{what, show, template.URL("tel:" + digits)} // digits and plus only
}

// phoneLine is a sentence around the number of a network or practice; Number is nil where none is known.
type phoneLine struct {
	Before, After string
	Number        *number
}

// ringUs makes a sentence whose number stands where its field Number is: languages do not agree on the place.
func (v *visit) ringUs(key, phone string) phoneLine {
	if phone == "" {
		return phoneLine{}
	}
	n := ring("", phone)
	before, after, _ := strings.Cut(v.say(key, "Number", "\x00"), "\x00")
	return phoneLine{before, after, &n}
}

// cards are the numbers for what cannot wait, on the first and the last page and where an answer sounds like danger.
func (v *visit) cards() []card {
	return []card{v.emergencyCard(), v.helpCard()}
}

func (v *visit) emergencyCard() card {
	return card{Kind: "emergency", Heading: v.say("help.999"), Words: frame[v.words.Code], Items: v.says("help.999.life", "help.999.hurt", "help.999.attack"), Numbers: []number{
		ring(v.say("help.999.call"), "999"),
		{What: v.say("help.999.silent")},
		ring(v.say("help.999.relay"), "18000"),
		{What: v.say("help.999.bsl"), Show: "999bsl.co.uk", Href: "https://999bsl.co.uk"},
	}}
}

func (v *visit) helpCard() card {
	return card{Kind: "urgent", Heading: v.say("help.today"), Words: frame[v.words.Code], Numbers: []number{
		ring(v.say("help.111"), "111"),
		ring(v.say("help.111.relay"), "18001 111"),
		{What: v.say("help.111.bsl"), Show: "signvideo.co.uk/nhs111", Href: "https://signvideo.co.uk/nhs111"},
		ring(v.say("help.samaritans"), "116 123"),
		{What: v.say("help.shout"), Show: "85258", Href: "sms:85258"},
		ring(v.say("help.domestic"), "0808 2000 247"),
	}}
}
