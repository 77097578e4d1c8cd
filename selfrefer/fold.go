package selfrefer

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// token is one word of what somebody wrote, folded for comparison, and where it stands in the original. A Chinese character is a word of
// its own, since nothing separates words there.
type token struct {
	text       []byte
	start, end int
	stretched  bool // a letter comes three times in a row: "pleeease"; the text then has no letter twice
}

// alike are letters that people use for one another and that decomposition leaves apart.
var alike = map[rune]rune{
	'ł': 'l', 'ø': 'o', 'đ': 'd', 'ı': 'i', 'ґ': 'г', 'ѓ': 'г',
	'ی': 'ي', 'ى': 'ي', 'ې': 'ي', 'ک': 'ك', 'ہ': 'ه', 'ھ': 'ه', 'ە': 'ه', 'ة': 'ه', 'ۃ': 'ه', 'ٱ': 'ا',
}

func init() {
	for i := range rune(10) {
		alike['٠'+i], alike['۰'+i] = '0'+i, '0'+i
	}
}

// fold cuts text into words without what hides them: case, accents, vowel signs of Arabic, apostrophes, invisible characters, full-width
// forms. Combining marks of the Indic scripts are letters there and stay; the nukta, which is often left out, goes.
func fold(s string) []token {
	buf := make([]byte, 0, len(s)+len(s)/2+16)
	tokens := make([]token, 0, len(s)/5+1)
	from, start, end := 0, -1, 0 // of the word that is being read: in buf, and in s
	run, last, long := 0, rune(0), false
	finish := func() {
		if start >= 0 && len(buf) > from {
			t := token{text: buf[from:len(buf):len(buf)], start: start, end: end}
			if long {
				t.text, t.stretched = single(t.text), true
			}
			tokens = append(tokens, t)
		}
		from, start, run, last, long = len(buf), -1, 0, 0, false
	}
	letter := func(r rune, i, size int) {
		if start < 0 {
			start = i
		}
		if r == last {
			run++
		} else {
			run, last = 1, r
		}
		long = long || run >= 3 && unicode.IsLetter(r)
		buf = utf8.AppendRune(buf, r)
		end = i + size
	}
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			switch {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
				letter(rune(c), i, 1)
			case c >= 'A' && c <= 'Z':
				letter(rune(c)|0x20, i, 1)
			case c == '\'', c == '`', c < ' ' && c != '\t' && c != '\n' && c != '\v' && c != '\f' && c != '\r', c == 0x7f:
			default:
				finish()
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			finish()
		case isApostrophe(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r), r == 'ـ', r == 'ء', r == '\u034f':
			// nothing: the word goes on
		default:
			parts := norm.NFKD.PropertiesString(s[i:]).Decomposition()
			if parts == nil {
				parts = []byte(s[i : i+size])
			}
			for len(parts) > 0 {
				p, n := utf8.DecodeRune(parts)
				parts = parts[n:]
				p = unicode.ToLower(p)
				if to, ok := alike[p]; ok {
					p = to
				}
				switch {
				case unicode.Is(unicode.Han, p):
					finish()
					letter(p, i, size)
					finish()
				case p == '\u09bc', p == '\u0a3c', unicode.Is(unicode.Mn, p) && (p < 0x0900 || p > 0x0dff):
					if start >= 0 {
						end = i + size // the mark belongs to the letter before
					}
				case unicode.IsLetter(p), unicode.IsDigit(p), unicode.Is(unicode.M, p):
					letter(p, i, size)
				case isApostrophe(p):
				default:
					finish()
				}
			}
		}
		i += size
	}
	finish()
	return tokens
}

// isApostrophe knows what telephones put for an apostrophe.
func isApostrophe(r rune) bool {
	switch r {
	case '\'', '`', '´', '‘', '’', '‛', '′', 'ʼ', 'ʹ', 'ʻ', '՚', '＇', 'ꞌ':
		return true
	}
	return false
}

// single leaves one of each letter that repeats.
func single(word []byte) []byte {
	out := make([]byte, 0, len(word))
	last := rune(-1)
	for _, r := range string(word) {
		if r != last {
			out = utf8.AppendRune(out, r)
		}
		last = r
	}
	return out
}

// bare adds to ways the readings of a folded word without the particles that its script joins to a word: "and" and "so" (و ف), "with" and "for"
// (ب ل) and "the" (ال) before an Arabic word, "also" (ও), "just" (ই) and "the" (টা টি টুকু) after a Bengali one. Somebody who writes "and she
// does not eat" must be heard like somebody who writes "she does not eat". A reading is one more way to understand a word and never takes
// the place of the whole word, so it does no harm that و and ف also begin words of their own.
func bare(word []byte, ways [][]byte) [][]byte {
	// A letter is two bytes in Arabic, three in Bengali. What is left of a word has at least two letters, behind ب ل ال at least three: what
	// is left of shorter words is chance.
	take := func(rest []byte, found bool, left int) bool {
		if found && len(rest) >= left {
			word, ways = rest, append(ways, rest)
			return true
		}
		return false
	}
	before := func(particle string, left int) bool {
		rest, found := bytes.CutPrefix(word, []byte(particle))
		return take(rest, found, left)
	}
	after := func(particle string) bool {
		rest, found := bytes.CutSuffix(word, []byte(particle))
		return take(rest, found, 6)
	}
	switch {
	case len(word) < 6:
	case word[0]&0xfc == 0xd8: // Arabic: U+0600 to U+06FF
		for range 2 { // "and so", and a word that begins with one of the two
			if !before("و", 4) {
				before("ف", 4)
			}
		}
		if before("ب", 6) || before("ل", 6) {
			before("ل", 6) // ل and ال together are لل
		}
		before("ال", 6)
	case word[0] == 0xe0 && word[1]&0xfe == 0xa6: // Bengali: U+0980 to U+09FF
		_ = after("ও") || after("ই")
		_ = after("টা") || after("টি") || after("টুকু")
	}
	return ways
}
