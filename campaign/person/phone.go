package person

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Why a number cannot be texted. ParseMobile tests in this order.
var (
	ErrMobileMissing   = errors.New("there is no mobile number")
	ErrMobileDamaged   = errors.New("a spreadsheet has rounded this number; format the column as text and export it again")
	ErrMobileNotMobile = errors.New("this is a landline or service number, not a mobile")
	ErrMobileInvalid   = errors.New("this is not a UK mobile number")
)

// ErrPhoneInvalid says that a number cannot be called.
var ErrPhoneInvalid = errors.New("enter a phone number, like 07700 900123 or 0151 496 0123")

// Phone is a phone number in E.164 form. The zero value is no number.
type Phone struct {
	redacted
	digits uint64 // country code and national number, without the plus
}

// Ofcom keeps these numbers free for drama: nobody ever answers them.
const dramaFirst, dramaLast = 447700900000, 447700900999

// ParseMobile reads a mobile number of the UK, Jersey, Guernsey or the Isle of
// Man, however a GP system or a spreadsheet wrote it.
func ParseMobile(s string) (Phone, error) {
	if p, ok := plainMobile(s); ok {
		return p, nil
	}
	s = strings.TrimFunc(unwrapCell(s), ignorable)
	if saysNothing(s) {
		return Phone{}, ErrMobileMissing
	}
	if roundedBySpreadsheet(s) {
		return Phone{}, ErrMobileDamaged
	}
	national, ok := nationalDigits(s)
	if !ok {
		return Phone{}, ErrMobileInvalid
	}
	if n := uint64(440000000000) + parseDigits(national); len(national) == 10 && n >= dramaFirst && n <= dramaLast {
		return Phone{digits: n}, nil
	}
	num, err := phonenumbers.Parse("+44"+national, "GB")
	if err != nil {
		return Phone{}, ErrMobileInvalid
	}
	switch phonenumbers.GetNumberType(num) {
	case phonenumbers.MOBILE:
		return Phone{digits: 440000000000 + parseDigits(national)}, nil
	case phonenumbers.PERSONAL_NUMBER, phonenumbers.PAGER:
		return Phone{}, ErrMobileInvalid // 070 and 076: dear to call, deaf to texts
	case phonenumbers.UNKNOWN:
		// Unallocated (and drama) landlines have the shape of one: 01632 960123.
		if len(national) == 10 && strings.IndexByte("123589", national[0]) >= 0 {
			return Phone{}, ErrMobileNotMobile
		}
		return Phone{}, ErrMobileInvalid
	default:
		return Phone{}, ErrMobileNotMobile
	}
}

// plainMobile is the road that nearly every row takes, about a hundred times
// faster than asking phonenumbers. It only ever says yes, and only inside
// ranges that are mobile throughout: 071-075 and 077-079, without 07700 and
// 07911, which are split. TestParseMobile_plain holds it against phonenumbers.
func plainMobile(s string) (Phone, bool) {
	var d [14]byte // longest plain form: 00447xxxxxxxxx
	n, plus, bracket := 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if n == len(d) {
				return Phone{}, false
			}
			d[n] = c
			n++
		case c == ' ' || c == '-':
		case c == '(' || c == ')':
			bracket = true
		case c == '+' && n == 0 && !plus:
			plus = true
		default:
			return Phone{}, false
		}
	}
	t := d[:n]
	switch {
	case plus && n == 12 && t[0] == '4' && t[1] == '4':
		t = t[2:]
	case plus && bracket && n == 13 && t[0] == '4' && t[1] == '4' && t[2] == '0':
		t = t[3:]
	case plus:
		return Phone{}, false
	case n == 11 && t[0] == '0':
		t = t[1:]
	case n == 12 && t[0] == '4' && t[1] == '4':
		t = t[2:]
	case n == 14 && t[0] == '0' && t[1] == '0' && t[2] == '4' && t[3] == '4':
		t = t[4:]
	case n == 10:
	default:
		return Phone{}, false
	}
	if t[0] != '7' || t[1] == '0' || t[1] == '6' {
		return Phone{}, false
	}
	var v uint64
	for _, c := range t {
		v = v*10 + uint64(c-'0')
	}
	if first4 := v / 1e6; first4 == 7700 || first4 == 7911 {
		return Phone{}, false
	}
	return Phone{digits: 440000000000 + v}, true
}

// nationalDigits strips punctuation, the country code and the leading zero.
// It refuses letters (which phonenumbers would dial) and other countries.
func nationalDigits(s string) (string, bool) {
	// A data tool that took the column for numbers: 7401152019.0.
	if t, ok := strings.CutSuffix(s, ".0"); ok && len(t) >= 10 && allDigits(t) {
		s = t
	}
	var b strings.Builder
	plus := false
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0 && !plus:
			plus = true
		case ignorable(r) || strings.ContainsRune("()[]./_", r) || unicode.Is(unicode.Pd, r):
		default:
			return "", false
		}
	}
	d := b.String()
	switch {
	case plus:
		rest, ok := strings.CutPrefix(d, "44")
		if !ok {
			return "", false
		}
		d = strings.TrimPrefix(rest, "0")
	case strings.HasPrefix(d, "00"):
		rest, ok := strings.CutPrefix(d, "0044")
		if !ok {
			return "", false
		}
		d = strings.TrimPrefix(rest, "0")
	case strings.HasPrefix(d, "0"):
		d = d[1:]
	case strings.HasPrefix(d, "44") && len(d) > 10:
		d = strings.TrimPrefix(d[2:], "0")
	}
	return d, len(d) >= 7 && len(d) <= 10
}

// ParsePhone reads a number that a person can be called on: any valid UK
// number, or one of another country written with a plus.
func ParsePhone(s string) (Phone, error) {
	if p, err := ParseMobile(s); err == nil {
		return p, nil
	}
	for _, r := range s {
		if unicode.IsLetter(r) {
			return Phone{}, ErrPhoneInvalid
		}
	}
	num, err := phonenumbers.Parse(s, "GB")
	if err != nil || !phonenumbers.IsValidNumber(num) {
		return Phone{}, ErrPhoneInvalid
	}
	return ParseE164(phonenumbers.Format(num, phonenumbers.E164))
}

// ParseE164 reads a number that was stored, or that the provider sent. It
// checks the form only: "+" and 7 to 15 digits.
func ParseE164(s string) (Phone, error) {
	d, ok := strings.CutPrefix(s, "+")
	if !ok || len(d) < 7 || len(d) > 15 || d[0] == '0' || !allDigits(d) {
		return Phone{}, ErrPhoneInvalid
	}
	return Phone{digits: parseDigits(d)}, nil
}

// IsZero says that there is no number.
func (p Phone) IsZero() bool { return p.digits == 0 }

// Reveal gives the number in E.164 form, such as +447700900123.
func (p Phone) Reveal() string {
	if p.IsZero() {
		return ""
	}
	var b [16]byte
	return string(strconv.AppendUint(append(b[:0], '+'), p.digits, 10))
}

// Masked shows enough for staff to tell two numbers apart, such as
// "07•••• ••019".
func (p Phone) Masked() string {
	d := p.Reveal()
	if len(d) < 4 {
		return ""
	}
	if strings.HasPrefix(d, "+447") && len(d) == 13 {
		return "07•••• ••" + d[len(d)-3:]
	}
	return "••••• •••" + d[len(d)-3:]
}

// Drama says that the number is one that Ofcom keeps for drama. Made-up
// patients have such numbers and no real person does.
func (p Phone) Drama() bool { return p.digits >= dramaFirst && p.digits <= dramaLast }

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parseDigits reads at most 15 digits, which cannot overflow.
func parseDigits(s string) (n uint64) {
	for i := 0; i < len(s); i++ {
		n = n*10 + uint64(s[i]-'0')
	}
	return n
}
