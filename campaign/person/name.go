package person

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Name is what a person is called. It is empty when not known.
type Name struct {
	redacted
	Given, Family string
}

// NewName tidies white space and control characters, and composes accents (a
// composed é costs one unit of a text, a loose one turns it into UCS-2).
func NewName(given, family string) Name {
	return Name{Given: tidy(given), Family: tidy(family)}
}

// titles are left out when a whole name stands in one cell.
var titles = []string{"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev", "master", "sir", "dame", "lady", "lord"}

// SplitName reads a whole name: "SINGH, Patricia (Mrs)" or "Mrs Patricia Singh".
func SplitName(whole string) Name {
	whole, _, _ = strings.Cut(whole, "(")
	if family, given, ok := strings.Cut(whole, ","); ok {
		return NewName(dropTitle(given), family)
	}
	words := strings.Fields(dropTitle(whole))
	if n := len(words); n > 2 && isTitle(words[n-1]) {
		words = words[:n-1]
	}
	if len(words) == 0 {
		return Name{}
	}
	last := len(words) - 1
	if last == 0 {
		return NewName(words[0], "")
	}
	return NewName(strings.Join(words[:last], " "), words[last])
}

// SplitListed reads a whole name as systems write it in lists, where capitals before other words are the family's: "VAN DER BERG Anna". What
// people type of themselves means nothing by capitals.
func SplitListed(whole string) Name {
	words := strings.Fields(dropTitle(whole))
	capitals := 0
	for capitals < len(words) && utf8.RuneCountInString(words[capitals]) > 1 && words[capitals] == strings.ToUpper(words[capitals]) {
		capitals++
	}
	if capitals == 0 || capitals == len(words) || utf8.RuneCountInString(words[0]) < 3 || strings.ContainsAny(whole, ",(") { // "JP Smith" has initials
		return SplitName(whole)
	}
	given := words[capitals:]
	if n := len(given); n > 1 && isTitle(given[n-1]) {
		given = given[:n-1]
	}
	return NewName(strings.Join(given, " "), strings.Join(words[:capitals], " "))
}

func dropTitle(s string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	if rest != "" && isTitle(first) {
		return rest
	}
	return s
}

func isTitle(word string) bool {
	return slices.Contains(titles, strings.ToLower(strings.Trim(word, ".")))
}

func tidy(s string) string {
	plain, prev := true, byte(' ')
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] > ' ' && s[i] < 0x7f || s[i] == ' ' && prev != ' '
		prev = s[i]
	}
	if plain && prev != ' ' {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(strings.Join(strings.Fields(s), " "))
}

// IsZero says that no name is known.
func (n Name) IsZero() bool { return n == Name{} }

// Reveal gives the whole name.
func (n Name) Reveal() string {
	return strings.TrimSpace(n.Given + " " + n.Family)
}

// First gives the name to greet with, or "" when a greeting is better without:
// an initial, a name that an earlier system wrecked ("Nguy?n"), or something
// that is not a name. A name in capitals gets ordinary ones.
func (n Name) First() string {
	first, _, _ := strings.Cut(n.Given, " ")
	if utf8.RuneCountInString(first) < 2 || utf8.RuneCountInString(first) > 30 || saysNothing(first) {
		return ""
	}
	upper := true
	for _, r := range first {
		if !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune("'’-", r) {
			return ""
		}
		upper = upper && !unicode.IsLower(r)
	}
	if !upper {
		return first
	}
	start := true
	return strings.Map(func(r rune) rune {
		defer func() { start = !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) }()
		if start {
			return r
		}
		return unicode.ToLower(r)
	}, first)
}

// unaccented are the letters that Unicode does not take apart.
var unaccented = strings.NewReplacer("ł", "l", "ø", "o", "đ", "d", "ð", "d", "þ", "th", "ß", "ss", "æ", "ae", "œ", "oe", "ı", "i")

// NameTokens gives the words of names as they are searched for: lower case, no
// accents, no apostrophes, sorted and each once. "Łucja O'Connor-Smith" gives
// "lucja", "oconnor", "smith".
func NameTokens(names ...string) []string {
	var tokens []string
	for _, name := range names {
		folded := unaccented.Replace(strings.ToLower(name))
		var b strings.Builder
		flush := func() {
			if b.Len() > 0 {
				tokens = append(tokens, b.String())
				b.Reset()
			}
		}
		for _, r := range norm.NFKD.String(folded) {
			switch {
			case unicode.IsLetter(r) || unicode.IsDigit(r):
				b.WriteRune(r)
			case unicode.Is(unicode.Mn, r) || strings.ContainsRune("'’ʼ`´", r):
			default:
				flush()
			}
		}
		flush()
	}
	slices.Sort(tokens)
	return slices.Compact(tokens)
}
