package person

import (
	"errors"
	"strings"
)

// ErrPostcodeInvalid says that a text has not the form of a postcode.
var ErrPostcodeInvalid = errors.New("this is not a UK postcode")

// Postcode is a UK postcode, including the pseudo postcodes (ZZ99 3VZ, no
// fixed address). The zero value is not known, which is no reason to leave
// anybody out.
type Postcode struct {
	redacted
	code [7]byte // without the space, padded with zero bytes
}

// ParsePostcode checks the form, not whether the postcode is in use.
func ParsePostcode(s string) (Postcode, error) {
	var p Postcode
	n := 0
	for _, r := range s {
		if ignorable(r) || r == '-' || r == '.' {
			continue
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		if n == len(p.code) || r >= 0x80 {
			return Postcode{}, ErrPostcodeInvalid
		}
		p.code[n] = byte(r)
		n++
	}
	if n < 5 || !validOutward(p.code[:n-3]) {
		return Postcode{}, ErrPostcodeInvalid
	}
	if in := p.code[n-3 : n]; !validInward(in, string(p.code[:n-3]) == "ZZ99") {
		return Postcode{}, ErrPostcodeInvalid
	}
	return p, nil
}

// validOutward takes A9, A99, A9A, AA9, AA99, AA9A and Girobank's GIR.
func validOutward(b []byte) bool {
	var shape [4]byte
	for i, c := range b {
		shape[i] = 'A'
		if isDigit(c) {
			shape[i] = '9'
		} else if !isLetter(c) {
			return false
		}
	}
	switch string(shape[:len(b)]) {
	case "A9", "A99", "A9A", "AA9", "AA99", "AA9A":
		return true
	}
	return string(b) == "GIR"
}

// validInward takes 9AA without CIKMOV, which look too much like other signs;
// pseudo postcodes have them all the same.
func validInward(b []byte, pseudo bool) bool {
	if !isDigit(b[0]) || !isLetter(b[1]) || !isLetter(b[2]) {
		return false
	}
	const unused = "CIKMOV"
	return pseudo || strings.IndexByte(unused, b[1]) < 0 && strings.IndexByte(unused, b[2]) < 0
}

// IsZero says that the postcode is not known.
func (p Postcode) IsZero() bool { return p.code[0] == 0 }

// Reveal gives the postcode with its space, such as L32 8RE.
func (p Postcode) Reveal() string {
	s := strings.TrimRight(string(p.code[:]), "\x00")
	if s == "" {
		return ""
	}
	return s[:len(s)-3] + " " + s[len(s)-3:]
}

// Sector is the part that some 3,000 homes share, such as "L32 8". It is kept
// in the clear, for counting.
func (p Postcode) Sector() string {
	s := p.Reveal()
	return s[:max(0, len(s)-2)]
}
