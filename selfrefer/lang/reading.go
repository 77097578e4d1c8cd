package lang

import (
	"regexp"
	"strings"
	"unicode"
)

// ReadingAge is the age, in years, at which somebody can read an English page: the mean of two measures of the school year, plus five, for
// in England a child of five is before the first. Each string is what stands in one place of the page: a heading, a paragraph, a label.
//
//   - Flesch-Kincaid: 0.39 words per sentence + 11.8 syllables per word - 15.59. Kincaid, Fishburne, Rogers, Chissom: Derivation of new
//     readability formulas for Navy enlisted personnel, Research Branch Report 8-75, 1975.
//   - Automated Readability Index: 4.71 characters per word + 0.5 words per sentence - 21.43. Smith, Senter: Automated readability index,
//     AMRL-TR-66-220, 1967.
//
// One counts syllables and the other letters, so that a word which fools one does not fool both. SMOG is not taken: it needs thirty
// sentences, more than a page of a form has.
//
// Labels and buttons are no sentences, and would make every page look easy: what has fewer than [wholeSentence] words and no full stop
// counts for the difficulty of its words only. Numbers are not words. No measure knows whether a page makes sense: people must try it.
func ReadingAge(page []string) float64 {
	var all, full tally
	for _, text := range page {
		for _, s := range ends.Split(text, -1) {
			one := tallyOf(s)
			if one.words == 0 {
				continue
			}
			all.add(one)
			if one.words >= wholeSentence || ends.MatchString(text) {
				full.add(one)
			}
		}
	}
	if all.words == 0 {
		return youngest
	}
	if full.sentences == 0 {
		full = all
	}
	length := full.words / full.sentences
	kincaid := 0.39*length + 11.8*all.syllables/all.words - 15.59
	automated := 4.71*all.letters/all.words + 0.5*length - 21.43
	return max(youngest, (kincaid+automated)/2+5)
}

const (
	wholeSentence = 5
	youngest      = 5 // nobody younger is thought of
)

// ends are the ends of sentences. A full stop within a number or an address ends nothing.
var ends = regexp.MustCompile(`[.!?:;…]+["”’')]*(\s+|$)|\n+`)

type tally struct{ sentences, words, syllables, letters float64 }

func (t *tally) add(o tally) {
	t.sentences += o.sentences
	t.words += o.words
	t.syllables += o.syllables
	t.letters += o.letters
}

func tallyOf(sentence string) tally {
	t := tally{sentences: 1}
	split := func(r rune) bool { return unicode.IsSpace(r) || r == '-' || r == '–' || r == '/' }
	for _, w := range strings.FieldsFunc(sentence, split) {
		w = strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if strings.IndexFunc(w, unicode.IsLetter) < 0 {
			continue
		}
		t.words++
		t.syllables += float64(syllables(w))
		for _, r := range w {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				t.letters++
			}
		}
	}
	return t
}

// irregular are common words that the rules of syllables get wrong.
var irregular = map[string]int{
	"actual": 3, "anxious": 2, "anyone": 3, "area": 3, "argue": 2, "being": 2, "bsl": 3, "business": 2, "client": 2, "cooperate": 4, "diet": 2, "doing": 2, "every": 2,
	"evening": 2, "everybody": 4, "everyone": 3, "everything": 3, "experience": 4, "fluid": 2, "going": 2, "gp": 2, "gradual": 3, "homeless": 2, "id": 2, "idea": 3,
	"interpreter": 4, "lately": 2, "loneliness": 3, "museum": 3, "nhs": 3, "people": 2, "poem": 2, "previous": 3, "quiet": 2, "real": 1, "realise": 3, "really": 2,
	"ruin": 2, "safety": 2, "science": 2, "seeing": 2, "serious": 3, "social": 2, "somebody": 3, "someone": 2, "something": 2, "sometimes": 2, "somewhere": 2,
	"special": 2, "theatre": 3, "therefore": 2, "usual": 3, "violence": 3, "wednesday": 2, "whatever": 3, "wherever": 3,
}

// syllables counts those of an English word, by the vowels that are heard.
func syllables(word string) int {
	w := strings.ToLower(strings.NewReplacer("’", "", "'", "").Replace(word))
	if n, ok := irregular[w]; ok {
		return n
	}
	if stem, ok := strings.CutSuffix(w, "s"); ok && irregular[stem] != 0 && !strings.HasSuffix(stem, "s") {
		return irregular[stem]
	}
	n, before := 0, false
	for i, r := range w {
		vowel := strings.ContainsRune("aeiouy", r) && !(r == 'y' && i == 0)
		if vowel && !before {
			n++
		}
		before = vowel
	}
	end := func(s string) bool { return strings.HasSuffix(w, s) }
	consonantBefore := func(suffix string) bool {
		i := len(w) - len(suffix) - 1
		return i >= 0 && !strings.ContainsRune("aeiouy", rune(w[i]))
	}
	switch {
	case end("le") && consonantBefore("le"), end("les") && consonantBefore("les"): // ta-ble
	case end("e") && consonantBefore("e"): // made
		n--
	case end("ed") && consonantBefore("ed") && !end("ted") && !end("ded"): // asked, but wan-ted
		n--
	case end("es") && consonantBefore("es") && !end("ses") && !end("ces") && !end("zes") && !end("xes") && !end("ches") && !end("shes") && !end("ges"): // likes, but hou-ses
		n--
	case end("ely") && len(w) > 4, end("ement") && consonantBefore("ement") && !end("lement"): // safe-ly
		n--
	}
	n += len(apart.FindAllString(soft.ReplaceAllString(w, "."), -1))
	n -= len(silent.FindAllString(w, -1))
	return max(n, 1)
}

// Vowels side by side are one syllable, except those that are heard apart: ra-di-o, so-ci-e-ty, cre-ate.
var (
	apart = regexp.MustCompile(`i[oau]|iet|ua|eo|eum|ying|uing|crea|reac`)
	// soft looks like it and is not: station, musician, million, opinion, guard, quality.
	soft = regexp.MustCompile(`[tsxgc]i[oau]|[ln]ion|gua|qua|geo`)
	// silent is a vowel within a word, or at its end, that is not heard: hope-ful, league.
	silent = regexp.MustCompile(`[^aeiouy]eful|[aeiouy]gues?$`)
)
