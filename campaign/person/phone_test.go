package person

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"
)

func TestParseMobile(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string
		err  error
	}{
		{in: "07401152019", want: "+447401152019"},
		{in: "7401152019", want: "+447401152019"}, // lost its zero
		{in: "7401152019.0", want: "+447401152019"},
		{in: "447401152019", want: "+447401152019"},
		{in: "00447401152019", want: "+447401152019"},
		{in: "0044 (0)7401 152019", want: "+447401152019"},
		{in: "+44 (0)7401152019", want: "+447401152019"},
		{in: "+4407401152019", want: "+447401152019"},
		{in: "(07401) 152-019", want: "+447401152019"},
		{in: "07401.152.019", want: "+447401152019"},
		{in: "07401\u2013152\u00a0019", want: "+447401152019"},
		{in: "\u202a07401152019\u202c", want: "+447401152019"}, // copied from an address book
		{in: `="07401152019"`, want: "+447401152019"},
		{in: "'07401152019", want: "+447401152019"},
		{in: "07624123456", want: "+447624123456"}, // Isle of Man
		{in: "07797712345", want: "+447797712345"}, // Jersey
		{in: "07911123456", want: "+447911123456"}, // Guernsey
		{in: "07700 900123", want: "+447700900123"},
		{in: "7700900999", want: "+447700900999"},

		{in: "", err: ErrMobileMissing},
		{in: "  ", err: ErrMobileMissing},
		{in: "-", err: ErrMobileMissing},
		{in: "N/A", err: ErrMobileMissing},
		{in: "(none)", err: ErrMobileMissing},
		{in: "not known", err: ErrMobileMissing},
		{in: "x", err: ErrMobileMissing},
		{in: "#N/A", err: ErrMobileMissing},

		{in: "4.47E+11", err: ErrMobileDamaged},
		{in: "4,47E+11", err: ErrMobileDamaged},
		{in: "4.47401e+11", err: ErrMobileDamaged},
		{in: "7E+09", err: ErrMobileDamaged},
		{in: "########", err: ErrMobileDamaged},

		{in: "0151 426 5000", err: ErrMobileNotMobile},
		{in: "1514265000", err: ErrMobileNotMobile},
		{in: "+44 20 7946 0123", err: ErrMobileNotMobile},
		{in: "01632 960123", err: ErrMobileNotMobile}, // drama landline, unallocated
		{in: "0300 123 4567", err: ErrMobileNotMobile},
		{in: "0800 1111", err: ErrMobileNotMobile},
		{in: "016977 2345", err: ErrMobileNotMobile}, // nine digits, and right

		{in: "07400 12345", err: ErrMobileInvalid},
		{in: "0740012345678", err: ErrMobileInvalid},
		{in: "07400123456 (mum)", err: ErrMobileInvalid},
		{in: "0740O123456", err: ErrMobileInvalid},
		{in: "abc", err: ErrMobileInvalid},
		{in: "07000123456", err: ErrMobileInvalid},
		{in: "07600123456", err: ErrMobileInvalid},
		{in: "07700 200123", err: ErrMobileInvalid}, // not allocated
		{in: "+33612345678", err: ErrMobileInvalid},
		{in: "0033612345678", err: ErrMobileInvalid},
		{in: "07401152019 / 07401152020", err: ErrMobileInvalid},
		{in: "00000000000", err: ErrMobileInvalid},
	} {
		got, err := ParseMobile(tt.in)
		if got.Reveal() != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ParseMobile(%q) = %q, %v, want %q, %v", tt.in, got.Reveal(), err, tt.want, tt.err)
		}
	}
}

// The quick road must never say yes where phonenumbers says no, and must know
// the ordinary number, or it is of no use.
func TestParseMobile_plain(t *testing.T) {
	check := func(t interface {
		Fatalf(string, ...any)
		Helper()
	}, s string) {
		t.Helper()
		p, ok := plainMobile(s)
		if !ok {
			return
		}
		num, err := phonenumbers.Parse(s, "GB")
		if err != nil || phonenumbers.GetNumberType(num) != phonenumbers.MOBILE {
			t.Fatalf("plainMobile(%q) accepts what phonenumbers refuses", s)
		}
		if want := phonenumbers.Format(num, phonenumbers.E164); p.Reveal() != want {
			t.Fatalf("plainMobile(%q) = %s, want %s", s, p.Reveal(), want)
		}
	}
	for prefix := range 10000 { // every range of a million numbers, tenfold
		check(t, fmt.Sprintf("07%04d%05d", prefix, prefix*7919%100000))
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`(0|\+44|44|0044|\+44 ?\(0\)|)7?[0-9]{3,4}[ -]?[0-9]{5,7}`).Draw(t, "number"))
	})
	if _, ok := plainMobile("+44 (0)7401 152-019"); !ok {
		t.Error("an ordinary number takes the slow road")
	}
}

func TestPhone(t *testing.T) {
	p, err := ParseE164("+447700900019")
	if err != nil || p.Reveal() != "+447700900019" || !p.Drama() || p.IsZero() {
		t.Errorf("stored number came back as %q, %v", p.Reveal(), err)
	}
	if got, want := p.Masked(), "07•••• ••019"; got != want {
		t.Errorf("Masked() = %q, want %q", got, want)
	}
	if q, _ := ParseMobile("07700 900 019"); q != p {
		t.Error("the same number read twice is not equal")
	}
	for _, bad := range []string{"", "447700900019", "+0123456789", "+44770090001x", "+1234567890123456"} {
		if _, err := ParseE164(bad); err == nil {
			t.Errorf("ParseE164(%q) was accepted", bad)
		}
	}
	for in, want := range map[string]string{"0151 426 5000": "+441514265000", "+33 6 12 34 56 78": "+33612345678", "07401152019": "+447401152019", "0151 426 50": "", "ring me": "", "": ""} {
		if got, err := ParsePhone(in); got.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("ParsePhone(%q) = %q, %v, want %q", in, got.Reveal(), err, want)
		}
	}
}

func FuzzParseMobile(f *testing.F) {
	for _, s := range []string{"07401152019", "4.47E+11", "+44 (0)7", "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseMobile(s)
		if (err == nil) == p.IsZero() {
			t.Fatalf("number and error disagree: %v", err)
		}
		if again, err2 := ParseMobile(p.Reveal()); err == nil && (err2 != nil || again != p) {
			t.Fatal("the E.164 form does not read back")
		}
	})
}

func BenchmarkParseMobile(b *testing.B) {
	for b.Loop() {
		_, _ = ParseMobile("+44 (0)7401152019")
	}
}
