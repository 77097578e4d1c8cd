package form

import (
	"html/template"
	"strings"
)

// card is a care card: what to do when it cannot wait.
type card struct {
	Kind, Heading string
	Items         []string
	Numbers       []number
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

func ringInstead(before, phone, after string) phoneLine {
	if phone == "" {
		return phoneLine{}
	}
	n := ring("", phone)
	return phoneLine{before, after, &n}
}

// cards are the numbers for what cannot wait, on the first and the last page and where an answer sounds like danger.
var cards = []card{
	{Kind: "emergency", Heading: "Call 999 if:", Items: []string{
		"somebody’s life is in danger",
		"somebody is badly hurt or very ill",
		"somebody is attacking or threatening you now",
	}, Numbers: []number{
		ring("Call", "999"),
		{What: "If you cannot speak, call 999 from a mobile, then press 55.", Show: ""},
		ring("If you cannot hear or speak on the phone, use text relay:", "18000"),
	}},
	{Kind: "urgent", Heading: "Get help today if you cannot cope or are not safe", Numbers: []number{
		ring("NHS 111, then choose option 2 for mental health, at any time:", "111"),
		ring("111 by text relay:", "18001 111"),
		ring("Samaritans, to talk to somebody, at any time:", "116 123"),
		{What: "Shout, by text message, at any time: text SHOUT to", Show: "85258", Href: "sms:85258"},
		ring("National Domestic Abuse Helpline, at any time:", "0808 2000 247"),
	}},
}
