package person

import (
	"strings"
	"unicode"
)

// ignorable is white space and the invisible marks that come along when a
// number is copied from a phone's address book or a web page.
func ignorable(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == 0
}

// unwrapCell undoes the two ways in which people force a spreadsheet to keep
// digits: a leading apostrophe and ="...".
func unwrapCell(s string) string {
	s = strings.TrimSpace(s)
	if t, ok := strings.CutPrefix(s, `="`); ok {
		return strings.TrimSuffix(t, `"`)
	}
	return strings.TrimPrefix(s, "'")
}

// nothingWords is what people type when they have nothing to type.
var nothingWords = map[string]bool{
	"": true, "0": true, "blank": true, "declined": true, "missing": true, "na": true, "nan": true, "nil": true, "nk": true, "no": true,
	"nomobile": true, "nomobilenumber": true, "none": true, "nonegiven": true, "nonumber": true, "nophone": true,
	"notapplicable": true, "notavailable": true, "notgiven": true, "notknown": true, "notprovided": true,
	"notrecorded": true, "notset": true, "null": true, "refused": true, "tba": true, "tbc": true,
	"undefined": true, "unk": true, "unknown": true, "unobtainable": true, "x": true, "xx": true, "xxx": true, "xxxx": true,
}

// saysNothing is true for empty cells, lone punctuation, "n/a", "none".
func saysNothing(s string) bool {
	if len(s) > 24 {
		return false
	}
	if s == `\N` { // what MySQL writes for nothing
		return true
	}
	var b [24]byte
	n := 0
	for _, r := range s {
		if r == '#' && strings.Trim(s, "#") == "" {
			return false // ######## is a number that a narrow column could not show
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if r >= 0x80 {
				return false
			}
			b[n] = byte(unicode.ToLower(r))
			n++
		}
	}
	return nothingWords[string(b[:n])]
}

// roundedBySpreadsheet recognises 4.47E+11, 4,47E+11 and ########. Even when
// all digits seem to be there nobody can know whether they are.
func roundedBySpreadsheet(s string) bool {
	if s != "" && strings.Trim(s, "#") == "" {
		return true
	}
	m, exp, ok := strings.Cut(strings.ToUpper(strings.ReplaceAll(s, " ", "")), "E")
	if !ok {
		return false
	}
	m = strings.TrimPrefix(m, "+")
	m = strings.Replace(strings.Replace(m, ",", "", 1), ".", "", 1)
	return allDigits(m) && allDigits(strings.TrimPrefix(exp, "+"))
}
