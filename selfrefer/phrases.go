package selfrefer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// phrases finds many phrases at once. It walks the words of a text once: the phrases that have begun are kept side by side, and there are
// never more of them than the files have ways to begin, so the time grows with the text's length and with nothing else.
type phrases struct {
	root   *step
	counts map[lang.Code][]int // phrases by language and kind, as they were written
}

// step is a place within phrases: what they may go on with.
type step struct {
	next           map[string]*step
	loose          map[string][]*step // next, with no letter twice: for words that somebody has stretched
	prefix, suffix map[string]*step   // word* and *word
	within         []*within          // *word*
	gap            *step              // ~: at most two other words, then on from here
	short, long    int                // of the prefixes and suffixes, in bytes
	ends           uint32             // kinds of the phrases that are complete here, a bit each
}

type within struct {
	part []byte
	to   *step
}

const (
	gapWords    = 2   // that ~ stands for, at most
	maxSpelling = 400 // that one line may stand for
	minWildcard = 2   // letters that a word with a * has, at least
)

// readPhrases reads one file per language. Each must have every kind, at least one phrase each, and say who has reviewed it.
func readPhrases(files fs.FS, folder string, kinds []string) (*phrases, error) {
	p := &phrases{root: new(step), counts: map[lang.Code][]int{}}
	for _, l := range lang.All {
		name := path.Join(folder, string(l.Code)+".txt")
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read the phrases in %s: %w", l.Name, err)
		}
		if err := p.read(name, string(b), l.Code, kinds); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *phrases) read(name, text string, code lang.Code, kinds []string) error {
	counts := make([]int, len(kinds))
	kind, reviewed := -1, false
	for i, line := range strings.Split(text, "\n") {
		fail := func(what string) error { return fmt.Errorf("%s, line %d: %s", name, i+1, what) }
		line = strings.TrimSpace(line)
		heading, isHeading := strings.CutPrefix(line, "[")
		review, isReview := strings.CutPrefix(line, "review:")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case isReview:
			if strings.TrimSpace(review) == "" {
				return fail(`write after "review:" who has read the file and when, or "none yet"`)
			}
			reviewed = true
		case isHeading:
			heading, closed := strings.CutSuffix(heading, "]")
			if kind = slices.Index(kinds, heading); kind < 0 || !closed {
				return fail(fmt.Sprintf("there is no heading %q; the headings are [%s]", line, strings.Join(kinds, "] [")))
			}
		case kind < 0:
			return fail("the phrase stands under no heading; the headings are [" + strings.Join(kinds, "] [") + "]")
		default:
			if err := p.add(line, kind); err != nil {
				return fail(err.Error())
			}
			counts[kind]++
		}
	}
	if !reviewed {
		return fmt.Errorf(`%s: a line "review:" is missing; it says who has read the file and when, or "none yet"`, name)
	}
	for k, n := range counts {
		if n == 0 {
			return fmt.Errorf("%s: there is no phrase under [%s]", name, kinds[k])
		}
	}
	p.counts[code] = counts
	return nil
}

// part is one word of a phrase.
type part struct {
	word          string
	before, after bool // any letters may stand there
	gap           bool
}

// add takes one line: all the ways to write its phrase.
func (p *phrases) add(line string, kind int) error {
	ways := [][]part{nil}
	for _, word := range strings.Fields(line) {
		inner, optional := strings.CutPrefix(word, "(")
		if optional {
			var closed bool
			if inner, closed = strings.CutSuffix(inner, ")"); !closed {
				return fmt.Errorf("%q: the bracket must close at the end of the word", word)
			}
		}
		var choices [][]part
		if optional {
			choices = append(choices, nil)
		}
		for _, choice := range strings.Split(inner, "/") {
			parts, err := readPart(choice)
			if err != nil {
				return err
			}
			choices = append(choices, parts)
		}
		if len(ways)*len(choices) > maxSpelling {
			return fmt.Errorf("the line stands for more than %d phrases: write several lines", maxSpelling)
		}
		var longer [][]part
		for _, way := range ways {
			for _, c := range choices {
				longer = append(longer, append(slices.Clone(way), c...))
			}
		}
		ways = longer
	}
	for _, way := range ways {
		if len(way) == 0 {
			return errors.New("every word may be left out")
		}
		if way[0].gap || way[len(way)-1].gap {
			return errors.New("~ stands between two words")
		}
		p.insert(way, kind)
		for from := range way {
			for to := from + 1; to < len(way) && joins(way[to-1], way[to]); to++ {
				one := part{before: way[from].before, after: way[to].after}
				for _, w := range way[from : to+1] {
					one.word += w.word
				}
				p.insert(slices.Concat(way[:from], []part{one}, way[to+1:]), kind)
			}
		}
	}
	return nil
}

// joins tells whether people may leave out the space between two words of a phrase. In Arabic script a letter that does not reach to the next
// looks like the end of a word, and in Gurmukhi and Bengali both ways are usual; in Latin and Cyrillic it is a slip, and would make other words.
func joins(a, b part) bool {
	loose := func(word string) bool {
		r, _ := utf8.DecodeRuneInString(word)
		return unicode.In(r, unicode.Arabic, unicode.Gurmukhi, unicode.Bengali)
	}
	return !a.gap && !b.gap && !a.after && !b.before && loose(a.word) && loose(b.word)
}

func readPart(choice string) ([]part, error) {
	if choice == "~" {
		return []part{{gap: true}}, nil
	}
	bare, after := strings.CutSuffix(choice, "*")
	bare, before := strings.CutPrefix(bare, "*")
	tokens := fold(bare)
	if len(tokens) == 0 || strings.ContainsAny(bare, "*~()") {
		return nil, fmt.Errorf("%q is no word: write a word, word*, *word, one/another, (may be left out) or ~", choice)
	}
	var parts []part
	for i, t := range tokens {
		w := part{word: string(t.text), before: before && i == 0, after: after && i == len(tokens)-1}
		if (w.before || w.after) && utf8.RuneCountInString(w.word) < minWildcard {
			return nil, fmt.Errorf("%q is too short for a *", choice)
		}
		parts = append(parts, w)
	}
	return parts, nil
}

func (p *phrases) insert(way []part, kind int) {
	at := p.root
	for _, w := range way {
		at = at.to(w)
	}
	at.ends |= 1 << kind
}

// to is the step after a part; it is made if nothing has gone there.
func (s *step) to(w part) *step {
	var m *map[string]*step
	switch {
	case w.gap:
		if s.gap == nil {
			s.gap = new(step)
		}
		return s.gap
	case w.before && w.after:
		for _, in := range s.within {
			if string(in.part) == w.word {
				return in.to
			}
		}
		in := &within{[]byte(w.word), new(step)}
		s.within = append(s.within, in)
		return in.to
	case w.before:
		m = &s.suffix
	case w.after:
		m = &s.prefix
	default:
		m = &s.next
	}
	if to := (*m)[w.word]; to != nil {
		return to
	}
	to := new(step)
	if *m == nil {
		*m = map[string]*step{}
	}
	(*m)[w.word] = to
	if w.before || w.after {
		if s.short == 0 || len(w.word) < s.short {
			s.short = len(w.word)
		}
		s.long = max(s.long, len(w.word))
	} else {
		if s.loose == nil {
			s.loose = map[string][]*step{}
		}
		key := string(single([]byte(w.word)))
		s.loose[key] = append(s.loose[key], to)
	}
	return to
}

// follow calls each for every step that a word leads to, as it stands or without what is joined to it.
func (s *step) follow(t token, bare [][]byte, each func(*step)) {
	s.exact(t.text, t.stretched, each)
	if s.short > 0 {
		for n := s.short; n <= min(s.long, len(t.text)); n++ {
			if to := s.prefix[string(t.text[:n])]; to != nil {
				each(to)
			}
			if to := s.suffix[string(t.text[len(t.text)-n:])]; to != nil {
				each(to)
			}
		}
	}
	for _, word := range bare {
		s.exact(word, t.stretched, each)
		// The whole word has been asked for the side on which nothing was joined; to ask again would follow the same phrase twice.
		behind := bytes.HasPrefix(t.text, word)
		for n := s.short; n > 0 && n <= min(s.long, len(word)); n++ {
			var to *step
			if behind {
				to = s.suffix[string(word[len(word)-n:])]
			} else {
				to = s.prefix[string(word[:n])]
			}
			if to != nil {
				each(to)
			}
		}
	}
	for _, in := range s.within {
		if bytes.Contains(t.text, in.part) {
			each(in.to)
		}
	}
}

func (s *step) exact(word []byte, stretched bool, each func(*step)) {
	if stretched {
		for _, to := range s.loose[string(word)] {
			each(to)
		}
	} else if to := s.next[string(word)]; to != nil {
		each(to)
	}
}

// begun is a phrase that has begun: where it stands, from which word on, and how many more words the gap that it is in may hold.
type begun struct {
	at    *step
	from  int
	spare int
}

// match calls found for every phrase in a text: from the word from up to and including the word to.
func (p *phrases) match(tokens []token, found func(ends uint32, from, to int)) {
	var open, next []begun
	var ways [][]byte
	for i, t := range tokens {
		next, ways = next[:0], bare(t.text, ways[:0])
		advance := func(from int) func(*step) {
			return func(to *step) {
				if to.ends != 0 {
					found(to.ends, from, i)
				}
				if to.gap != nil {
					next = append(next, begun{to.gap, from, gapWords})
				}
				next = append(next, begun{to, from, 0})
			}
		}
		for _, b := range open {
			b.at.follow(t, ways, advance(b.from))
			if b.spare > 0 {
				next = append(next, begun{b.at, b.from, b.spare - 1})
			}
		}
		p.root.follow(t, ways, advance(i))
		open, next = next, open
	}
}
