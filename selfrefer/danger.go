package selfrefer

import (
	"embed"
	"slices"
	"sync"
)

// Danger words raise a referral to the top. They are plain on purpose: they err on the side of calling sooner, and a person judges. No match
// never means that a referral is not urgent. They stand in one file per language, for clinical safety officers and translators to read and
// change; every file is searched whatever the language of the page, because people mix languages.
//
// A daughter may fill in the form for her mother: the files hold what people write of themselves and of others, in the verb forms of each
// language, mostly without the person, so that "my mum has not eaten" and "they have not eaten" are one phrase.
//
// What is accepted as too much: "I had a stroke in 2019", "I can't go on buses", "alcohol abuse", "urgent" of a bill; of others "she hit her
// head last year", "hurt herself in a fall", "she is hungry for company", "no heating bill problems". There is no list of words that silence a
// phrase: what stands around a cry must never hide it. A call that was not urgent costs a quarter of an hour.
//
//go:embed danger/*.txt
var dangerFiles embed.FS

// kinds of danger: the heading in the files, and the sentence for staff.
var kinds = []struct{ heading, why string }{
	{"self-harm", "suicide or self-harm"},
	{"violence", "violence or abuse"},
	{"need", "no food, warmth or home today"},
	{"at risk", "a child or an adult at risk"},
	{"emergency", "sounds like an emergency"},
}

var dangers = sync.OnceValue(func() *phrases {
	var headings []string
	for _, k := range kinds {
		headings = append(headings, k.heading)
	}
	p, err := readPhrases(dangerFiles, "danger", headings)
	if err != nil {
		panic("selfrefer: " + err.Error()) // the files are part of the program; a test reads them
	}
	return p
})

// Span is a stretch of a text that sounds like danger: from byte Start up to End, and why.
type Span struct {
	Start, End int
	Why        string
}

// Find tells where in a person's words something sounds like danger: in the order of the text. Stretches of one kind that touch are one;
// those of different kinds may overlap.
func Find(words string) []Span {
	tokens := fold(words)
	byKind := make([][]Span, len(kinds))
	dangers().match(tokens, func(ends uint32, from, to int) {
		for k := range kinds {
			if ends&(1<<k) == 0 {
				continue
			}
			// They come by their ends: one that begins earlier swallows those before it.
			s, all := Span{tokens[from].start, tokens[to].end, kinds[k].why}, byKind[k]
			for len(all) > 0 && all[len(all)-1].End > s.Start {
				s.Start = min(s.Start, all[len(all)-1].Start)
				all = all[:len(all)-1]
			}
			byKind[k] = append(all, s)
		}
	})
	all := slices.Concat(byKind...)
	slices.SortStableFunc(all, func(a, b Span) int { return a.Start - b.Start })
	return all
}

// Danger finds what in a person's words sounds like danger, without repeats, in a fixed order.
func Danger(words string) []string {
	return reasonsOf(mention(words))
}

// mention is a bit for each kind of danger in a text.
func mention(words string) (found uint32) {
	dangers().match(fold(words), func(ends uint32, _, _ int) { found |= ends })
	return found
}

func reasonsOf(found uint32) (why []string) {
	for k := range kinds {
		if found&(1<<k) != 0 {
			why = append(why, kinds[k].why)
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
	// Each by itself: the end of one answer and the beginning of the next are no phrase.
	found := mention(a.Words) | mention(a.IfAnother) | mention(a.Needs) | mention(a.TellWhom)
	return append(why, reasonsOf(found)...)
}
