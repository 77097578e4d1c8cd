package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// MaxChars is the longest text that the provider takes.
const MaxChars = 1600

// Encoding is how a text travels.
type Encoding string

const (
	GSM7 Encoding = "GSM-7"
	UCS2 Encoding = "UCS-2"
)

// Size is what a text takes up.
type Size struct {
	Segments int // parts; each is paid for
	Encoding Encoding
	Units    int    // of 7 bits in GSM-7, of 16 in UCS-2; without headers
	Culprits []rune // what is not in GSM-7, each once, in order of appearance
}

const (
	gsmBasic    = "\n\r !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ"
	gsmExtended = "\f[\\]^{|}~€" // an escape and a character: two units
)

// gsmUnits has the units of every character below U+0400; 0 is not in GSM-7.
var gsmUnits = func() (t [0x400]uint8) {
	for _, r := range gsmBasic {
		t[r] = 1
	}
	for _, r := range gsmExtended {
		if r < 0x400 {
			t[r] = 2
		}
	}
	return t
}()

func gsm(r rune) int {
	switch {
	case r < 0x400:
		return int(gsmUnits[r])
	case r == '€':
		return 2
	}
	return 0
}

const (
	segmentBits = 1120 // 140 bytes
	headerBits  = 48   // says which part of which text this is
)

// Count sizes a text as it will be sent.
func Count(body string) Size {
	size := Size{Encoding: GSM7}
	for _, r := range body {
		if gsm(r) == 0 && !slices.Contains(size.Culprits, r) {
			size.Culprits = append(size.Culprits, r)
		}
	}
	var p packer
	if len(size.Culprits) == 0 {
		for _, r := range body {
			p.add(gsm(r), 7)
		}
	} else {
		size.Encoding = UCS2
		state := -1
		for rest := body; rest != ""; {
			var cluster string
			cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
			if cluster == "\r\n" {
				p.add(1, 16)
				p.add(1, 16)
				continue
			}
			p.add(utf16Len(cluster), 16)
		}
	}
	size.Segments, size.Units = p.segments(), p.units
	return size
}

func utf16Len(s string) (n int) {
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// packer fills parts. The first has the whole room until a second is needed;
// then it gets a header too, and what no longer fits moves on.
type packer struct {
	units int
	full  int   // parts that are closed
	used  int   // bits in the open part, its header included
	first []int // bits of each character while there is one part only
}

func (p *packer) add(units, bitsPerUnit int) {
	bits := units * bitsPerUnit
	p.units += units
	if p.full == 0 {
		if p.used+bits <= segmentBits {
			p.used += bits
			p.first = append(p.first, bits)
			return
		}
		moved := 0
		for n := len(p.first); n > 0 && p.used+headerBits > segmentBits; n = len(p.first) {
			moved += p.first[n-1]
			p.used -= p.first[n-1]
			p.first = p.first[:n-1]
		}
		p.full, p.used = 1, headerBits+moved+bits
		return
	}
	if p.used+bits > segmentBits {
		p.full++
		p.used = headerBits
	}
	p.used += bits
}

func (p *packer) segments() int { return p.full + 1 }

// Money is an amount in millionths of a pound: prices of texts have four
// decimals and more.
type Money int64

// Pound is one pound.
const Pound Money = 1_000_000

// Cost is what the text costs at a price for each part.
func (s Size) Cost(perSegment Money) Money { return Money(s.Segments) * perSegment }

// Cost is what so many parts cost.
func Cost(segments int, perSegment Money) Money { return Money(segments) * perSegment }

// ParseMoney reads pounds, such as "0.0412" or "£1,250".
func ParseMoney(s string) (Money, error) {
	t := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(s), "£"), ",", "")
	whole, frac, _ := strings.Cut(t, ".")
	digits := whole + frac
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(whole) > 9 || len(frac) > 6 {
		return 0, fmt.Errorf("%q is not an amount in pounds: write it like 0.0412", s)
	}
	var m Money
	for _, c := range digits + strings.Repeat("0", 6-len(frac)) {
		m = m*10 + Money(c-'0')
	}
	return m, nil
}

// String gives pounds and pence, rounded half up, such as "£1,234.56".
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	pence := (m + Pound/200) / (Pound / 100)
	pounds := fmt.Sprint(int64(pence / 100))
	for i := len(pounds) - 3; i > 0; i -= 3 {
		pounds = pounds[:i] + "," + pounds[i:]
	}
	return fmt.Sprintf("%s£%s.%02d", sign, pounds, int64(pence%100))
}

// Chars is the length of a text as the provider's limit counts it.
func Chars(body string) int { return utf8.RuneCountInString(body) }
