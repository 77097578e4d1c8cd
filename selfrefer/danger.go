package selfrefer

import (
	"regexp"
	"strings"
)

// dangers are words that raise a referral to the top. They are plain on purpose: they err on the side of calling sooner, and a person
// judges. No match never means that a referral is not urgent.
var dangers = []struct {
	why   string
	words *regexp.Regexp
}{
	{"suicide or self-harm", regexp.MustCompile(`\b(suicid\w*|kill(ing)? (my\s*self|me)|end(ing)? (my life|it all)|take my (own )?life|self[ -]?harm\w*|hurt(ing)? my\s*self|harm(ing)? my\s*self|cut(ting)? my\s*self|want to die|wan(na|t to) be dead|better off dead|no(t| longer)? (want|wish)(ing)? to (live|be here)|don'?t want to (live|be here)|overdos\w*|can'?t go on)\b`)},
	{"violence or abuse", regexp.MustCompile(`\b(hits? me|hitting me|beat(s|ing)? me|hurt(s|ing)? me|abus\w*|rape\w*|assault\w*|strangl\w*|chok(es|ed|ing) me|threat(s|en\w*)|afraid of (him|her|my)|scared of (him|her|my)|violen\w*|not safe|unsafe|in danger|forced to|controls? me|controlling|honou?r based)\b`)},
	{"no food, warmth or home today", regexp.MustCompile(`\b(no food|nothing to eat|not eaten|haven'?t eaten|starving|can'?t (feed|eat)|no (heating|gas|electric\w*)|can'?t heat|homeless|sleeping rough|on the streets?|evict\w*|nowhere to (go|live|sleep))\b`)},
	{"a child or an adult at risk", regexp.MustCompile(`\b(my (baby|child(ren)?|kids?|son|daughter) (is|are) (not safe|at risk|being)|neglect\w*|exploit\w*|traffick\w*|cuckoo\w*)\b`)},
	{"sounds like an emergency", regexp.MustCompile(`\b(chest pains?|can'?t breathe|stroke|unconscious|bleeding|collapsed?|999|emergency|urgent(ly)?|help me now)\b`)},
}

// straight makes the apostrophes of telephones like those of the patterns.
var straight = strings.NewReplacer("\u2019", "'", "\u2018", "'", "`", "'")

// Danger finds what in a person's words sounds like danger, without repeats, in a fixed order.
func Danger(words string) []string {
	words = strings.ToLower(straight.Replace(words))
	words = strings.Join(strings.Fields(words), " ")
	var why []string
	for _, d := range dangers {
		if d.words.MatchString(words) {
			why = append(why, d.why)
		}
	}
	return why
}

// Urgency is why a set of answers goes to the top; nil if nothing says so.
func Urgency(a Answers) []string {
	var why []string
	if a.DangerNow == "yes" {
		why = append(why, "said that they or somebody else are in danger")
	}
	return append(why, Danger(a.Words+"\n"+a.IfAnother+"\n"+a.Needs)...)
}

// stopWords are the replies that mean "text me no more", after cleaning. The first word counts: "STOP please" is a stop.
var stopWords = map[string]bool{"stop": true, "stopall": true, "stop all": true, "unsubscribe": true, "end": true, "quit": true, "cancel": true, "optout": true, "opt out": true,
	"no more texts": true, "no more": true, "remove me": true, "arret": true, "stopio": true, "توقف": true}

// IsStop reports whether a reply opts out. Danger words win over it: "stop, he hits me" is a cry for help as well, see [Danger].
func IsStop(reply string) bool {
	s := strings.ToLower(strings.TrimSpace(reply))
	s = strings.Trim(s, " \t\r\n.,!\"'“”‘’")
	if stopWords[s] {
		return true
	}
	first, _, _ := strings.Cut(s, " ")
	first = strings.Trim(first, ".,!:;\"'")
	return first == "stop" || first == "unsubscribe" || first == "stopio"
}
