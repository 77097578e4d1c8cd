package emulator

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"unicode/utf16"
)

// Delivery says how texts fare. The zero value means the defaults; any other value must be
// complete: Delivered, Undelivered and Failed add up to 1.
type Delivery struct {
	Delivered   float64 // default .965
	Undelivered float64 // default .03: the network gives up (30003, 30005, 30006)
	Failed      float64 // default .005: never leaves Twilio (30008)
	Slow        float64 // part of the delivered that take 5 minutes to 6 hours; default .03
}

func (d Delivery) orDefault() Delivery {
	if d == (Delivery{}) {
		return Delivery{Delivered: .965, Undelivered: .03, Failed: .005, Slow: .03}
	}
	return d
}

func (d Delivery) valid() bool {
	for _, p := range []float64{d.Delivered, d.Undelivered, d.Failed, d.Slow} {
		if !(p >= 0 && p <= 1) {
			return false
		}
	}
	return math.Abs(d.Delivered+d.Undelivered+d.Failed-1) < 1e-9
}

// Twilio's error codes for texts that did not arrive.
const (
	codeUnreachable = 30003
	codeUnknown     = 30005
	codeLandline    = 30006
	codeUnexplained = 30008
	codeExpired     = 30036
)

var errorMessages = map[int]string{
	codeUnreachable: "Unreachable destination handset",
	codeUnknown:     "Unknown destination handset",
	codeLandline:    "Landline or unreachable carrier",
	codeUnexplained: "Unknown error",
	codeExpired:     "Validity Period Expired",
}

// plan fills in what will become of a text, in civil milliseconds. Whether a number can be reached
// is a fact about the number; how long it takes differs from text to text (nth).
func (d Delivery) plan(seed uint64, l *line, nth int) {
	number := hash(seed, "number", l.To)
	reach := rand.New(rand.NewPCG(number, 1))
	luck := rand.New(rand.NewPCG(number, uint64(nth)+2))
	between := func(lo, hi float64) int64 { return int64(1000 * (lo + (hi-lo)*luck.Float64())) }

	l.PlanSent = l.At + between(1, 3)
	u, which := reach.Float64(), reach.Float64()
	switch {
	case u < d.Failed:
		l.PlanSent, l.PlanDone = 0, l.PlanSent
		l.PlanFinal, l.PlanCode = failed, codeUnexplained
	case u < d.Failed+d.Undelivered:
		l.PlanDone = l.PlanSent + between(5, 120)
		l.PlanFinal = undelivered
		switch {
		case which < .6:
			l.PlanCode = codeUnreachable
		case which < .85:
			l.PlanCode = codeUnknown
		default:
			l.PlanCode = codeLandline
		}
	default:
		l.PlanFinal = delivered
		if luck.Float64() < d.Slow {
			// Log-uniform: a phone that is off is more often off for minutes than for hours.
			l.PlanDone = l.PlanSent + int64(1000*300*math.Pow(72, luck.Float64()))
		} else {
			v := luck.Float64()
			l.PlanDone = l.PlanSent + int64(1000*(1+36*v*v))
		}
	}
	// The validity period bounds Twilio's queue and is handed on to the network.
	switch end := l.At + int64(l.Validity)*1000; {
	case l.PlanSent > end || l.PlanSent == 0 && l.PlanDone > end:
		l.PlanSent, l.PlanDone, l.PlanFinal, l.PlanCode = 0, end, failed, codeExpired
	case l.PlanDone > end:
		l.PlanDone, l.PlanFinal, l.PlanCode = end, undelivered, codeUnreachable
	}
}

// hash is stable between runs and machines, which is all that is asked of it.
func hash(seed uint64, what string, more ...string) uint64 {
	h := fnv.New64a()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(what))
	for _, m := range more {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(m))
	}
	// FNV's high bits are poor for short input; this is splitmix64's finisher.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// chance draws a number in [0,1) for the nth event of a kind.
func chance(seed uint64, what string, n int64) float64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	return float64(hash(seed, what, string(b[:]))>>11) / (1 << 53)
}

const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡" +
		"ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmEscaped = "\f^{}\\[~]|€"
)

// segments counts the parts a text is sent in: 160 GSM-7 characters, or 153 each if there are more;
// 70 and 67 UTF-16 units if one character is outside GSM-7. No character is split over two parts.
func segments(body string) int {
	single, multi := 160, 153
	width := func(r rune) int {
		if strings.ContainsRune(gsmEscaped, r) {
			return 2
		}
		return 1
	}
	for _, r := range body {
		if !strings.ContainsRune(gsmBasic, r) && !strings.ContainsRune(gsmEscaped, r) {
			single, multi, width = 70, 67, utf16.RuneLen
			break
		}
	}
	total, parts, room := 0, 0, 0
	for _, r := range body {
		w := max(width(r), 1)
		total += w
		if room < w {
			parts, room = parts+1, multi
		}
		room -= w
	}
	if total <= single {
		return 1
	}
	return parts
}
