package person

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var today = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// No way of printing a value shows what it holds.
func TestRedaction(t *testing.T) {
	phone, _ := ParseMobile("07700900123")
	nhs, _ := ParseNHSNumber("9990000018")
	born, _ := ParseBirthDate("02/08/1970", today)
	postcode, _ := ParsePostcode("L32 8RE")
	name := NewName("Patricia", "Singh")
	all := struct {
		A Phone
		B NHSNumber
		C BirthDate
		D Postcode
		E Name
	}{phone, nhs, born, postcode, name}
	var out strings.Builder
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	logText := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{phone, nhs, born, postcode, name, &phone, &name, all, []Phone{phone}, map[Phone]Name{phone: name}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		logger.Info("x", "v", v)
		logText.Info("x", "v", v)
		if _, isMap := v.(map[Phone]Name); !isMap {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(b)
		}
	}
	for _, secret := range []string{"7700900123", "9990000018", "1970", "L32", "328RE", "Patricia", "Singh", "76 51 50"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q leaked in:\n%s", secret, out.String())
		}
	}
}

func TestParseNHSNumber(t *testing.T) {
	for in, want := range map[string]string{
		"9990000018": "9990000018", "999-900-0002": "9999000002", " 999 000 0042 ": "9990000042", "9990000018.0": "9990000018",
		"999\u00a0000\u20110042": "9990000042",
		"":                       "", "9990000019": "", "1111111111": "", "0000000000": "", "999000001": "", "99900000188": "", "999000001X": "", "9.99E+09": "",
	} {
		got, err := ParseNHSNumber(in)
		if got.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("ParseNHSNumber(%q) = %q, %v, want %q", in, got.Reveal(), err, want)
		}
	}
	n, _ := ParseNHSNumber("9990000018")
	if n.RevealSpaced() != "999 000 0018" || !n.Synthetic() {
		t.Errorf("got %q, synthetic %v", n.RevealSpaced(), n.Synthetic())
	}
	if real, _ := ParseNHSNumber("4505577104"); real.IsZero() || real.Synthetic() {
		t.Error("4505577104 should be valid and not synthetic")
	}
}

// A checked number with one digit changed, or two neighbours swapped, is never
// another checked number: that is what the check digit is for.
func TestParseNHSNumber_catchesTypingErrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[0-9]{10}`).Filter(func(s string) bool { _, err := ParseNHSNumber(s); return err == nil }).Draw(t, "valid")
		i := rapid.IntRange(0, 9).Draw(t, "position")
		b := []byte(s)
		b[i] = '0' + (b[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "change")))%10
		if _, err := ParseNHSNumber(string(b)); err == nil {
			t.Fatalf("%s and %s are both accepted", s, b)
		}
		if b = []byte(s); i < 8 && b[i] != b[i+1] {
			b[i], b[i+1] = b[i+1], b[i]
			if _, err := ParseNHSNumber(string(b)); err == nil {
				t.Fatalf("%s and %s are both accepted", s, b)
			}
		}
	})
}

// A year of two figures is read in a list if the other century's day is yet to come, and never in a form.
func TestParseListedBirthDate(t *testing.T) {
	day := time.Date(2026, time.November, 28, 9, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"12/03/45": "1945-03-12", "12-Mar-45": "1945-03-12", "12.3.45": "1945-03-12", "Mar 12, 45": "1945-03-12", "12 March 27": "1927-03-12", "12/03/45 00:00": "1945-03-12", "31/12/99": "1999-12-31",
		"29/11/26": "1926-11-29", // tomorrow
		"28/11/26": "", "27/11/26": "", "12/03/07": "", "12/03/00": "", "01/01/00": "", "29/02/00": "", "29/02/27": "", "29/02/28": "1928-02-29", "31/02/45": "",
		"45-03-12": "", "45": "", "450312": "", "12/03/145": "", "12/03/5": "", "12/03/1945": "1945-03-12", "1945-03-12": "1945-03-12", "12/03/2045": "", "12/45": "",
	} {
		got, err := ParseListedBirthDate(in, day)
		if got.ISO() != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %s, %v, want %q", in, got.ISO(), err, want)
		}
		if strict, err := ParseBirthDate(in, day); len(want) > 0 && !strings.Contains(in, want[:4]) && err == nil {
			t.Errorf("%q is read in a form as %s", in, strict.ISO())
		}
	}
}

func TestParseBirthDate(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"02/08/1970": "1970-08-02", "02-08-1970": "1970-08-02", "02.08.1970": "1970-08-02", "2/8/1970": "1970-08-02",
		"02-Aug-1970": "1970-08-02", "2 August 1970": "1970-08-02", "2nd august 1970": "1970-08-02", "August 2, 1970": "1970-08-02", "02Aug1970": "1970-08-02",
		"1970-08-02": "1970-08-02", "1970/8/2": "1970-08-02", "19700802": "1970-08-02", "02081970": "1970-08-02", "20111920": "1920-11-20",
		"02/08/1970 00:00": "1970-08-02", "1970-08-02T00:00:00": "1970-08-02", "1970-08-02T00:00:00.000Z": "1970-08-02", "02/08/1970 12:00:00 AM": "1970-08-02",
		"25782": "1970-08-02", "25782.0": "1970-08-02", "9999": "1927-05-17", " 02/08/1970 ": "1970-08-02", "'02/08/1970": "1970-08-02",
		"29/02/2024": "2024-02-29", "23/11/2026": "2026-11-23", "23/11/1906": "1906-11-23", "1-Sept-1950": "1950-09-01",

		"02-Aug-1970 (56y)": "1970-08-02", "02/08/1970 (56y 3m)": "1970-08-02", "02/08/1970 (or 1971)": "", "1970-08-01T23:00:00.000Z": "1970-08-02", "1970-08-01T23:00:00Z": "1970-08-02",
		"1970-08-02 00:00:00 UTC": "1970-08-02", "Sunday, 2 August 1970": "1970-08-02", "Sun Aug 02 1970": "1970-08-02", "Aug  2 1970 12:00AM": "1970-08-02", "Sunday": "", "2 Sunday 1970": "",
		"1983-12-02T23:00:00Z": "1983-12-02", "1970-08-01T23:00:00+01:00": "1970-08-01",
		"": "", "unknown": "", "1960": "", "31/02/1960": "", "29/02/2023": "", "99/99/9999": "", "02/13/1970": "", "00/08/1970": "",
		"02/08/70": "", "70-08-02": "", "24/11/2026": "", "01/01/1900": "", "22/11/1905": "", "2/8/19700": "", "1970-08": "", "Aug 1970": "",
		"02/08/1970 02/08/1970": "", "2 Octember 1970": "", "1000000": "", "02/08/1970 xx:yy": "", "45.5.": "",
	} {
		got, err := ParseBirthDate(in, today.In(london))
		if got.ISO() != want || (err == nil) != (want != "") {
			t.Errorf("ParseBirthDate(%q) = %q, %v, want %q", in, got.ISO(), err, want)
		}
	}
}

// Every date of the last century reads the same in every notation.
func TestParseBirthDate_notations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := today.AddDate(0, 0, -rapid.IntRange(0, 43000).Draw(t, "days"))
		want := d.Format("2006-01-02")
		layouts := []string{"02/01/2006", "2.1.2006", "02-Jan-2006", "2 January 2006", "2006-01-02", "20060102", "02012006", "2006-01-02 15:04:05"}
		for _, layout := range layouts {
			if got, err := ParseBirthDate(d.Format(layout), today); got.ISO() != want {
				t.Fatalf("%s read as %q, %v", d.Format(layout), got.ISO(), err)
			}
		}
		serial := int(d.Truncate(24*time.Hour).Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)).Hours() / 24)
		if got, err := ParseBirthDate(fmt.Sprint(serial), today); got.ISO() != want {
			t.Fatalf("day %d read as %q, %v, want %s", serial, got.ISO(), err, want)
		}
		if b, err := ParseISO(want); err != nil || b.ISO() != want {
			t.Fatalf("stored %s came back as %q, %v", want, b.ISO(), err)
		}
	})
}

func FuzzParseBirthDate(f *testing.F) {
	f.Add("02/08/1970")
	f.Add("1970-08-02T00:00")
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := ParseBirthDate(s, today); err == nil {
			if again, err := ParseISO(b.ISO()); err != nil || again != b || b.AgeOn(today) < 0 || b.AgeOn(today) > 120 {
				t.Fatalf("accepted a date that is none: %q", b.ISO())
			}
		}
	})
}

func TestBirthDate_AgeOn(t *testing.T) {
	b, _ := ParseISO("2004-02-29")
	for on, want := range map[string]int{"2022-02-28": 17, "2022-03-01": 18, "2024-02-28": 19, "2024-02-29": 20} {
		d, _ := time.Parse("2006-01-02", on)
		if got := b.AgeOn(d); got != want {
			t.Errorf("on %s: %d, want %d", on, got, want)
		}
	}
	for age, want := range map[int]string{17: "0-17", 18: "18-39", 39: "18-39", 40: "40-64", 65: "65-79", 79: "65-79", 80: "80+", 110: "80+"} {
		if got := AgeBand(age); got != want {
			t.Errorf("AgeBand(%d) = %q, want %q", age, got, want)
		}
	}
}

func TestParsePostcode(t *testing.T) {
	for in, want := range map[string]string{
		"L32 8RE": "L32 8RE", "l328re": "L32 8RE", " l32  8re ": "L32 8RE", "ZZ99 3VZ": "ZZ99 3VZ", "SW1A 1AA": "SW1A 1AA", "M1 1AE": "M1 1AE",
		"W1A 0AX": "W1A 0AX", "GIR 0AA": "GIR 0AA", "BX1 1LT": "BX1 1LT",
		"": "", "L32": "", "L32 8RI": "", "12345": "", "LLL1 1AA": "", "L32 8REE": "", "Knowsley": "", "L32 ŵRE": "",
	} {
		got, err := ParsePostcode(in)
		if got.Reveal() != want || (err == nil) != (want != "") || got.IsZero() != (want == "") {
			t.Errorf("ParsePostcode(%q) = %q, %v, want %q", in, got.Reveal(), err, want)
		}
	}
	p, _ := ParsePostcode("L328RE")
	if got := p.Sector(); got != "L32 8" {
		t.Errorf("Sector() = %q", got)
	}
	if got := (Postcode{}).Sector(); got != "" {
		t.Errorf("Sector() of none = %q", got)
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"Patricia": "Patricia", "PATRICIA": "Patricia", "JEAN-LUC": "Jean-Luc", "D'ARCY": "D'Arcy", "Mary Jane": "Mary", "Siân": "Siân", "ŁUCJA": "Łucja",
		"": "", "J": "", "Nguy?n": "", "http://evil": "", "Unknown": "", "a.b": "", "M4rk": "", strings.Repeat("a", 31): "",
	} {
		if got := NewName(in, "Singh").First(); got != want {
			t.Errorf("First of %q = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]Name{
		"SINGH, Patricia (Mrs)":   {Given: "Patricia", Family: "SINGH"},
		"Mrs. Patricia Ann Singh": {Given: "Patricia Ann", Family: "Singh"},
		"Patricia":                {Given: "Patricia"},
		"Dr":                      {Given: "Dr"},
		"AGNES Mary Singh":        {Given: "AGNES Mary", Family: "Singh"},
		"Singh, Ann":              {Given: "Ann", Family: "Singh"},
		"JP Singh":                {Given: "JP", Family: "Singh"},
		"PATRICIA SINGH":          {Given: "PATRICIA", Family: "SINGH"},
		"":                        {},
	} {
		if got := SplitListed(in); got != want && in != "AGNES Mary Singh" {
			t.Errorf("SplitListed(%q) = %q + %q", in, got.Given, got.Family)
		}
		if got := SplitName(in); got != want {
			t.Errorf("SplitName(%q) = %q + %q", in, got.Given, got.Family)
		}
	}
	if got := NewName(" Zoe\u0301\u200b  Ann\x00 ", "\tde  Souza"); got.Reveal() != "Zoé Ann de Souza" {
		t.Errorf("tidied to %q", got.Reveal())
	}
	got := NameTokens("Łucja Nguyễn", "O'Connor-Smith  Müller", "müller")
	if want := []string{"lucja", "muller", "nguyen", "oconnor", "smith"}; !slices.Equal(got, want) {
		t.Errorf("NameTokens = %q, want %q", got, want)
	}
}
