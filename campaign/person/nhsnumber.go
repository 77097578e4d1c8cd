package person

import (
	"errors"
	"strings"
	"unicode"
)

// ErrNHSNumberInvalid covers a missing number too.
var ErrNHSNumberInvalid = errors.New("this is not an NHS number: it has 10 digits, and the last one checks the others")

// NHSNumber is a checked NHS number. The zero value is no number.
type NHSNumber struct {
	redacted
	n uint64
}

// ParseNHSNumber reads 10 digits, with spaces and dashes anywhere.
func ParseNHSNumber(s string) (NHSNumber, error) {
	s = strings.TrimSuffix(unwrapCell(s), ".0") // a data tool's idea of an identifier
	var d [10]byte
	n := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			if n == 10 {
				return NHSNumber{}, ErrNHSNumberInvalid
			}
			d[n] = byte(r - '0')
			n++
		case r == '-' || r == ' ' || r >= 0x80 && (ignorable(r) || unicode.Is(unicode.Pd, r)):
		default:
			return NHSNumber{}, ErrNHSNumberInvalid
		}
	}
	if n != 10 {
		return NHSNumber{}, ErrNHSNumberInvalid
	}
	sum, value, same := 0, uint64(0), true
	for i, c := range d {
		value = value*10 + uint64(c)
		same = same && c == d[0]
		if i < 9 {
			sum += int(c) * (10 - i)
		}
	}
	// A check of 10 never equals a digit; 11 stands for 0. 1111111111 and its
	// like pass the sum, and are what people type to get past a form.
	if check := (11 - sum%11) % 11; check != int(d[9]) || same {
		return NHSNumber{}, ErrNHSNumberInvalid
	}
	return NHSNumber{n: value}, nil
}

// IsZero says that there is no number.
func (n NHSNumber) IsZero() bool { return n.n == 0 }

// Reveal gives the ten digits.
func (n NHSNumber) Reveal() string {
	if n.IsZero() {
		return ""
	}
	var b [10]byte
	for i, v := 9, n.n; i >= 0; i, v = i-1, v/10 {
		b[i] = byte('0' + v%10)
	}
	return string(b[:])
}

// RevealSpaced gives the number as people read it out: 999 000 0018.
func (n NHSNumber) RevealSpaced() string {
	s := n.Reveal()
	if s == "" {
		return ""
	}
	return s[:3] + " " + s[3:6] + " " + s[6:]
}

// Synthetic says that the number is in the range that the NHS keeps for tests.
func (n NHSNumber) Synthetic() bool { return n.n/1e7 == 999 }
