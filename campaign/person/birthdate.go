package person

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrBirthDateInvalid covers missing, impossible, future and too distant dates.
var ErrBirthDateInvalid = errors.New("this is not a date of birth: write it like 2 8 1970, with all four digits of the year")

const oldest = 120 // years; people in England live to 115, typing errors to 9999

// BirthDate is a civil date. The zero value is not known.
type BirthDate struct {
	redacted
	Year  int
	Month time.Month
	Day   int
}

// ParseBirthDate reads a date in the ways that GP systems and spreadsheets in
// the UK write one. Of numbers the day comes first, or the year; never the
// month. A two-digit year is refused: 20 may be 1920 or 2020.
func ParseBirthDate(s string, today time.Time) (BirthDate, error) {
	return parseBirthDate(s, today, false)
}

// ParseListedBirthDate reads a date of a list, which nobody can be asked about. A two-digit year is read there if it can only be of one
// century, because that day has not yet come in the other: 12/03/45 is in 1945 until 2045.
func ParseListedBirthDate(s string, today time.Time) (BirthDate, error) {
	return parseBirthDate(s, today, true)
}

func parseBirthDate(s string, today time.Time, short bool) (BirthDate, error) {
	s = cutClock(cutAge(unwrapCell(s)), today.Location())
	var tokens [3]token
	n := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case isDigit(c):
			j := i
			for j < len(s) && isDigit(s[j]) {
				j++
			}
			if n == 3 || j-i > 8 {
				return BirthDate{}, ErrBirthDateInvalid
			}
			tokens[n] = token{number: int(parseDigits(s[i:j])), width: j - i}
			n++
			i = j
		case isLetter(c):
			j := i
			for j < len(s) && isLetter(s[j]) {
				j++
			}
			word := s[i:j]
			i = j
			if n == 0 && isWeekday(word) {
				continue // Sunday, 2 August 1970
			}
			if n > 0 && tokens[n-1].width <= 2 && isOrdinal(word) {
				continue // 2nd August
			}
			m := monthNamed(word)
			if n == 3 || m == 0 {
				return BirthDate{}, ErrBirthDateInvalid
			}
			tokens[n] = token{month: m}
			n++
		case strings.IndexByte("/-. ,", c) >= 0:
			i++
		default:
			return BirthDate{}, ErrBirthDateInvalid
		}
	}
	if year := &tokens[2]; short && n == 3 && year.month == 0 && year.width == 2 && tokens[0].width <= 2 && tokens[1].width <= 2 {
		year.number, year.width = year.number+1900, 4
		other := tokens
		other[2].number += 100
		if later, ok := assemble(other, n); ok && later.exists() && !later.after(today) {
			return BirthDate{}, ErrBirthDateInvalid // either may be meant
		}
	}
	b, ok := assemble(tokens, n)
	if !ok || !b.exists() {
		return BirthDate{}, ErrBirthDateInvalid
	}
	if b.after(today) || b.AgeOn(today) > oldest {
		return BirthDate{}, ErrBirthDateInvalid
	}
	return b, nil
}

type token struct {
	number, width int
	month         time.Month // set when the token was a month's name
}

func assemble(t [3]token, n int) (BirthDate, bool) {
	if n == 1 && t[0].month == 0 {
		return fromDigits(t[0])
	}
	if n != 3 {
		return BirthDate{}, false
	}
	var day, month, year token
	switch {
	case t[0].month != 0: // August 2, 1970
		day, month, year = t[1], t[0], t[2]
	case t[0].width == 4: // 1970-08-02
		day, month, year = t[2], t[1], t[0]
	default: // 02/08/1970, 2 August 1970
		day, month, year = t[0], t[1], t[2]
	}
	m := month.month
	if m == 0 && month.width <= 2 {
		m = time.Month(month.number)
	}
	ok := day.month == 0 && year.month == 0 && day.width <= 2 && year.width == 4
	return BirthDate{Year: year.number, Month: m, Day: day.number}, ok
}

// fromDigits reads 19700802, 02081970 (no date can be read both ways, because
// no month is 19 or 20) and a spreadsheet's count of days.
func fromDigits(t token) (BirthDate, bool) {
	switch v := t.number; {
	case t.width == 8 && v/10000 >= 1900 && v/10000 < 2100 && v/100%100 <= 12:
		return BirthDate{Year: v / 10000, Month: time.Month(v / 100 % 100), Day: v % 100}, true
	case t.width == 8:
		return BirthDate{Year: v % 10000, Month: time.Month(v / 10000 % 100), Day: v / 1000000}, true
	case t.width == 5 || t.width == 4 && v > 2200: // below that it is a year without a date
		// Day 60 is the 29 February 1900 that never was, hence the 30th.
		d := time.Date(1899, time.December, 30+v, 0, 0, 0, 0, time.UTC)
		return BirthDate{Year: d.Year(), Month: d.Month(), Day: d.Day()}, true
	}
	return BirthDate{}, false
}

// cutAge removes what follows a date in brackets: "02-Aug-1970 (56y)".
func cutAge(s string) string {
	if date, age, ok := strings.Cut(s, "("); ok && strings.HasSuffix(age, ")") && len(age) > 1 && isDigit(age[0]) {
		return date
	}
	return s
}

// cutClock removes the midnight that databases add to a date. Programs that reckon in UTC write the midnight of a summer's day as eleven in
// the evening of the day before.
func cutClock(s string, london *time.Location) string {
	if strings.HasSuffix(s, "Z") && strings.Contains(s, "T23:00:00") {
		if t, err := time.Parse(time.RFC3339, s); err == nil && t.In(london).Hour() == 0 {
			return t.In(london).Format(time.DateOnly)
		}
	}
	colon := strings.IndexByte(s, ':')
	if colon < 0 {
		if t, frac, ok := strings.Cut(s, "."); ok && len(t) == 5 && allDigits(t) && strings.Trim(frac, "0") == "" {
			return t // 25782.0
		}
		return s
	}
	i := strings.LastIndexAny(s[:colon], "T ")
	if i <= 0 || !isDigit(s[i-1]) || strings.Trim(s[i+1:], "0123456789:. +ZAPMUTCGBS") != "" {
		return s
	}
	return s[:i]
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isOrdinal(w string) bool {
	return len(w) == 2 && (strings.EqualFold(w, "st") || strings.EqualFold(w, "nd") || strings.EqualFold(w, "rd") || strings.EqualFold(w, "th"))
}

func isWeekday(w string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := d.String(); strings.EqualFold(w, name) || strings.EqualFold(w, name[:3]) {
			return true
		}
	}
	return false
}

func monthNamed(w string) time.Month {
	if strings.EqualFold(w, "sept") {
		return time.September
	}
	for m := time.January; m <= time.December; m++ {
		if name := m.String(); strings.EqualFold(w, name) || len(w) == 3 && strings.EqualFold(w, name[:3]) {
			return m
		}
	}
	return 0
}

func (b BirthDate) exists() bool {
	if b.Year < 1800 || b.Month < time.January || b.Month > time.December || b.Day < 1 {
		return false
	}
	return b.Day <= time.Date(b.Year, b.Month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func (b BirthDate) after(t time.Time) bool {
	y, m, d := t.Date()
	if b.Year != y {
		return b.Year > y
	}
	if b.Month != m {
		return b.Month > m
	}
	return b.Day > d
}

// IsZero says that the date is not known.
func (b BirthDate) IsZero() bool { return b == BirthDate{} }

// AgeOn is the age in whole years on t's date in t's own time zone: pass
// London time. Somebody born on 29 February is a year older on 1 March.
func (b BirthDate) AgeOn(t time.Time) int {
	y, m, d := t.Date()
	age := y - b.Year
	if m < b.Month || m == b.Month && d < b.Day {
		age--
	}
	return age
}

// ISO reveals the date as 1970-08-02.
func (b BirthDate) ISO() string {
	if b.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", b.Year, int(b.Month), b.Day)
}

// ParseISO reads a date that was stored by ISO.
func ParseISO(s string) (BirthDate, error) {
	var b BirthDate
	if len(s) == 10 && s[4] == '-' && s[7] == '-' && allDigits(s[:4]) && allDigits(s[5:7]) && allDigits(s[8:]) {
		b = BirthDate{Year: int(parseDigits(s[:4])), Month: time.Month(parseDigits(s[5:7])), Day: int(parseDigits(s[8:]))}
	}
	if !b.exists() {
		return BirthDate{}, ErrBirthDateInvalid
	}
	return b, nil
}

// AgeBand names the band that responses are learned and reported by.
func AgeBand(age int) string {
	switch {
	case age < 18:
		return "0-17"
	case age < 40:
		return "18-39"
	case age < 65:
		return "40-64"
	case age < 80:
		return "65-79"
	}
	return "80+"
}
