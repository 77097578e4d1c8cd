package selfrefer

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/campaign/person"
)

// ErrNoSearch means that nothing was asked for that could be found.
var ErrNoSearch = errors.New("this is neither a name nor a number that can be searched for")

// maxWords is how many words of a name count. Nobody is told apart by a ninth, and every two of them have an index.
const maxWords = 8

// Search is what somebody looks for among the referrals of a network. What they typed may be several things: ABBE-TTER is a reference or a
// double-barrelled name. It hides itself: it names a person.
type Search struct {
	Reference string
	NHS       person.NHSNumber
	Phone     person.Phone
	// Names are ways to read it as a name. Each is found where all of its words are.
	Names [][]string
}

// String hides what is searched for.
func (Search) String() string { return "[search]" }

// GoString hides it from %#v.
func (Search) GoString() string { return "[search]" }

// Kinds says for the audit what was searched by, and nothing of what was searched for.
func (s Search) Kinds() string {
	var kinds []string
	for _, k := range []struct {
		is   bool
		word string
	}{{s.Reference != "", "reference"}, {!s.NHS.IsZero(), "nhs_number"}, {!s.Phone.IsZero(), "phone"}, {len(s.Names) > 0, "name"}} {
		if k.is {
			kinds = append(kinds, k.word)
		}
	}
	return strings.Join(kinds, "_or_")
}

// ParseSearch reads what somebody typed into the one field: a reference, an NHS number, a telephone number or a name.
func ParseSearch(typed string) (s Search, err error) {
	typed = strings.TrimSpace(typed)
	if len(typed) > 200 || !utf8.ValidString(typed) {
		return s, ErrNoSearch
	}
	s.Reference = parseReference(typed)
	if n, err := person.ParseNHSNumber(typed); err == nil {
		s.NHS = n
	}
	if p, err := person.ParsePhone(typed); err == nil {
		s.Phone = p
	}
	if strings.ContainsFunc(typed, unicode.IsLetter) && !strings.ContainsFunc(typed, unicode.IsDigit) {
		s.Names = readings(typed)
	}
	if s.Kinds() == "" {
		return s, ErrNoSearch
	}
	return s, nil
}

// parseReference reads a reference as people say it: without the dash, in small letters; "" if it is none.
func parseReference(typed string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch {
		case r == '-' || unicode.IsSpace(r):
		case r >= '2' && r <= '9', r >= 'A' && r <= 'Z':
			if b.Len() == 4 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
		default:
			return ""
		}
	}
	if b.Len() != 9 {
		return ""
	}
	return b.String()
}

// NameWords are the words by which somebody of this name is found: each of them, double-barrelled names and short particles also as one
// word, because people type "Smith Jones", "Smith-Jones" and "SmithJones", "O Connor" and "O'Connor", for the same person.
func NameWords(n person.Name) []string {
	words := wordsOf(n.Reveal())
	all := slices.Clone(words)
	before := ""
	for _, field := range strings.Fields(n.Reveal()) {
		whole := strings.Join(wordsOf(field), "")
		all = append(all, whole)
		if before != "" && utf8.RuneCountInString(before) <= 3 {
			all = append(all, before+whole)
		}
		before = whole
	}
	// What is longest tells people apart best: it is kept where there are too many.
	slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
	all = slices.DeleteFunc(all, small)
	all = all[:min(len(all), 2*maxWords)]
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxWords)]
}

// readings are the ways to read a name that was typed: word by word, and with any two neighbours as one.
func readings(typed string) [][]string {
	words := wordsOf(typed)
	words = words[:min(len(words), maxWords)]
	var all [][]string
	add := func(words []string) {
		words = slices.DeleteFunc(slices.Clone(words), small)
		slices.Sort(words)
		if words = slices.Compact(words); len(words) > 0 && !slices.ContainsFunc(all, func(w []string) bool { return slices.Equal(w, words) }) {
			all = append(all, words)
		}
	}
	add(words)
	for i := 1; i < len(words); i++ {
		add(slices.Concat(words[:i-1], []string{words[i-1] + words[i]}, words[i+1:]))
	}
	return all
}

// titles stand before many names and tell nobody apart.
var titles = map[string]bool{"mr": true, "mrs": true, "ms": true, "miss": true, "mx": true, "dr": true, "prof": true, "rev": true, "sir": true}

// small tells which words are not searched for: titles, and initials, which half of all people share. One Chinese character is a name.
func small(word string) bool { return titles[word] || len(word) < 2 }

// wordsOf folds a name into its words, in their order.
func wordsOf(s string) (words []string) {
	s = strings.Map(func(r rune) rune {
		if isApostrophe(r) {
			return -1
		}
		return r
	}, s)
	for _, part := range strings.FieldsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Cf, r)
	}) {
		part = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) { // invisible marks that come along when a name is copied
				return -1
			}
			return r
		}, part)
		words = append(words, person.NameTokens(part)...)
	}
	return words
}
