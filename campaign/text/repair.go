package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Repair replaces characters that would make a text twice as dear with the ones that look like them: every quotation mark, dash and space
// of Unicode has one in GSM-7. Letters stay as they are; one that is written as a letter and a loose accent becomes one character.
//
// Words in a script that is none of GSM-7's are twice as dear anyway: they keep their own marks, and what joins their letters.
func Repair(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= ' ' && c < 0x7f && c != '`' || c == '\n'
	}
	if plain {
		return s
	}
	s = norm.NFC.String(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
	own := strings.ContainsFunc(s, foreign)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteRune(r)
		case r == '\u2028' || r == '\u2029' || r == '\u0085' || r == '\v':
			b.WriteByte('\n')
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case r == '\u200d': // joins emoji and the letters of some scripts
			b.WriteRune(r)
		case own && (r == '\u200c' || r == leftToRight || r == '\u200f'): // keep letters apart, and numbers the right way round
			b.WriteRune(r)
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
		case own:
			b.WriteRune(r)
		default:
			b.WriteString(lookalike(r))
		}
	}
	return norm.NFC.String(b.String()) // what was taken out may have stood between a letter and its accent
}

// foreign tells whether a letter belongs to a script that GSM-7 does not have.
func foreign(r rune) bool {
	return unicode.IsLetter(r) && !unicode.In(r, unicode.Latin, unicode.Greek, unicode.Common, unicode.Inherited)
}

// lookalike is how GSM-7 writes a mark of punctuation; anything else stays as it is.
func lookalike(r rune) string {
	switch {
	case gsm(r) > 0:
		return string(r)
	case strings.ContainsRune("‘’‚‛‹›′‵`´ʹʼʻʽˈˊˋ❛❜＇", r):
		return "'"
	case strings.ContainsRune("″‶ʺ❝❞〝〞〟＂", r) || unicode.In(r, unicode.Pi, unicode.Pf) || r == '„' || r == '⹂':
		return `"`
	case r == '…':
		return "..."
	case r == '‥':
		return ".."
	case strings.ContainsRune("•‣◦∙▪⁃−⁻₋⁓", r) || unicode.Is(unicode.Pd, r):
		return "-"
	case r == '⁄' || r == '∕':
		return "/"
	}
	return string(r)
}

// Shape is a name that takes as much room in every text as this one does, and says nothing about whose it is.
func Shape(name string) string {
	name = oneLine(name)
	if utf8.RuneCountInString(name) > maxName {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch {
		case gsm(r) == 1 && unicode.IsLetter(r):
			return 'q' // no accent joins it
		case r < 0x250 && gsm(r) == 0 && unicode.IsLetter(r): // a Latin letter that GSM-7 does not have
			return 'ł'
		}
		return r
	}, name)
}
