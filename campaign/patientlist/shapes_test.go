package patientlist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// line is a row of a made-up list with what must become of it.
type line struct {
	cells map[Field]string
	want  string
}

// made makes a list in which every fifth row has one of the faults that lists have.
func made(n int) (all []line) {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range n {
		l := line{want: "ok", cells: map[Field]string{FieldNHSNumber: testNHS(i), FieldGivenName: []string{"Siân", "Łukasz", "O'Neil", "Anne Marie"}[rng.IntN(4)], FieldFamilyName: []string{"Smith, the younger", "Müller", "d\"Arcy", "Roe"}[rng.IntN(4)],
			FieldBirthDate: fmt.Sprintf("%02d/%02d/%d", 1+rng.IntN(28), 1+rng.IntN(12), 1930+rng.IntN(70)), FieldMobile: fmt.Sprintf("0770090%04d", i%1000), FieldPractice: "N83006"}}
		set := func(f Field, v, want string) { l.cells[f], l.want = v, want }
		switch rng.IntN(20) {
		case 0:
			set(FieldNHSNumber, "999 000 0000", string(NHSNumberInvalid))
		case 1:
			set(FieldBirthDate, "31/02/1970", string(DateOfBirthInvalid))
		case 2:
			set(FieldMobile, "n/a", string(MobileMissing))
		case 3:
			set(FieldMobile, "4.47701E+11", string(MobileDamaged))
		case 4:
			set(FieldMobile, "0151 496 0123", string(MobileNotMobile))
		case 5:
			set(FieldDeath, "01/03/2020", "dead")
		case 6:
			set(FieldDissent, "Yes", "dissent")
		}
		all = append(all, l)
	}
	return all
}

var madeColumns = []struct {
	field Field
	name  string
}{{FieldNHSNumber, "NHS No."}, {FieldGivenName, "Forename"}, {FieldFamilyName, "Surname"}, {FieldBirthDate, "D.O.B."}, {FieldMobile, "Mobile Tel"}, {FieldPractice, "Practice Code"}, {FieldDeath, "Date of Death"}, {FieldDissent, "Dissent from SMS"}}

// asText writes a list with a delimiter; always quotes every cell.
func asText(all []line, delim, eol string, always bool) string {
	var b strings.Builder
	row := func(cells []string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteString(delim)
			}
			if always || strings.Contains(c, delim) || strings.Contains(c, `"`) {
				c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
			}
			b.WriteString(c)
		}
		b.WriteString(eol)
	}
	var names []string
	for _, c := range madeColumns {
		names = append(names, c.name)
	}
	row(names)
	for _, l := range all {
		var cells []string
		for _, c := range madeColumns {
			cells = append(cells, l.cells[c.field])
		}
		row(cells)
	}
	return b.String()
}

// asRows writes a list as the rows of a sheet: numbers lose their noughts and dates are days, as when somebody types them.
func asRows(all []line, first int, typed bool, shared *[]string) string {
	var b strings.Builder
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;")
	cell := func(s string) string {
		if shared == nil || s == "" {
			return escape.Replace(s)
		}
		*shared = append(*shared, "<t>"+escape.Replace(s)+"</t>")
		return fmt.Sprintf(`<c t="s"><v>%d</v></c>`, len(*shared)-1)
	}
	var names []string
	for _, c := range madeColumns {
		names = append(names, cell(c.name))
	}
	b.WriteString(inline(first, "", names...))
	for i, l := range all {
		var cells []string
		for _, c := range madeColumns {
			v := l.cells[c.field]
			switch {
			case typed && l.want == "ok" && c.field == FieldMobile:
				cells = append(cells, num(v[1:]))
			case typed && l.want == "ok" && c.field == FieldNHSNumber:
				cells = append(cells, num(v+".0"))
			default:
				cells = append(cells, cell(v))
			}
		}
		b.WriteString(inline(first+1+i, "", cells...))
	}
	return b.String()
}

// The same list in many shapes: each of its rows is accounted for, and in the same way.
func TestShapes(t *testing.T) {
	all := made(700)
	plain := asText(all, ",", "\r\n", false)
	utf16 := []byte{0xFF, 0xFE}
	for _, r := range plain {
		utf16 = binary.LittleEndian.AppendUint16(utf16, uint16(r))
	}
	var latin []byte
	for _, r := range strings.ReplaceAll(plain, "Ł", "L") {
		latin = append(latin, byte(r))
	}
	var shared []string
	sharedRows := asRows(all, 1, false, &shared)
	var gaps strings.Builder
	for i, s := range strings.SplitAfter(plain, "\r\n") {
		if gaps.WriteString(s); i%50 == 10 {
			gaps.WriteString(",,,,,,,\r\n")
		}
	}
	sheet := func(rows string) book { return book{sheets: []bookSheet{{"P", "", rows}}} }
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"commas", []byte(plain)},
		{"semicolons", []byte(asText(all, ";", "\n", false))},
		{"tabs", []byte(asText(all, "\t", "\n", false))},
		{"bars", []byte(asText(all, "|", "\n", false))},
		{"every cell quoted", []byte(asText(all, ",", "\r\n", true))},
		{"old Macintosh", []byte(asText(all, ",", "\r", false))},
		{"UTF-16", utf16},
		{"Windows-1252", latin},
		{"a report", []byte("Patients for outreach\r\nRun on,23/11/2026\r\n\r\n" + plain + "\r\nTotal patients:,700\r\n*** End of report ***\r\n")},
		{"empty rows", []byte(gaps.String())},
		{"no end of line at the end", []byte(strings.TrimSuffix(plain, "\r\n"))},
		{"workbook, texts", sheet(asRows(all, 1, false, nil)).bytes(t)},
		{"workbook, typed", sheet(asRows(all, 1, true, nil)).bytes(t)},
		{"workbook, shared texts", book{sheets: []bookSheet{{"P", "", sharedRows}}, texts: shared, absolute: true}.bytes(t)},
		{"workbook, a report in it", sheet(inline(1, "", "Patients for outreach") + inline(2, "", "Run on", "23/11/2026") + asRows(all, 5, true, nil) + inline(800, "", "Total patients:", "700")).bytes(t)},
		{"workbook, third sheet", book{prefix: "x:", sheets: []bookSheet{{"Cover", "", inline(1, "", "For the PCN")}, {"Old", "hidden", asRows(all[:5], 1, false, nil)}, {"P", "", asRows(all, 2, true, nil)}}}.bytes(t)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewReader(bytes.NewReader(tt.file), Options{Today: today, Size: int64(len(tt.file))})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range all {
				row, err := r.Next()
				if err != nil {
					t.Fatalf("row %d: %v", i+1, err)
				}
				got := cmpOr(string(row.Rejected), "ok")
				switch {
				case row.Patient.Dead:
					got = "dead"
				case row.Patient.Dissent:
					got = "dissent"
				}
				if got != want.want || row.Number != i+1 {
					t.Errorf("row %d: got %s, want %s", i+1, got, want.want)
				}
				if row.Rejected == "" && (row.Patient.NHSNumber.Reveal() != want.cells[FieldNHSNumber] || row.Patient.Practice != "N83006" ||
					want.want == "ok" && row.Patient.Phone.Reveal() != "+44"+want.cells[FieldMobile][1:]) {
					t.Errorf("row %d is somebody else", i+1)
				}
			}
			if _, err := r.Next(); err != io.EOF { //nolint:errorlint // the sentinel itself
				t.Errorf("after the last row: %v", err)
			}
		})
	}
}
