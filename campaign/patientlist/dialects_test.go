package patientlist

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// dialect is a way in which some system writes a list. It is written here without any of the reader's code.
type dialect struct {
	delim, quote string // quote: "all", "needed"
	ends         []string
	encoding     string
	names        map[Field]string
	order        []Field
	nhs, phone   func(i int) string
	born         func(y, m, d int) string
	above, below []string
	book         bool
}

func drawDialect(t *rapid.T) (d dialect) {
	d.book = rapid.IntRange(0, 4).Draw(t, "book") == 0
	d.delim = rapid.SampledFrom([]string{",", ";", "\t", "|"}).Draw(t, "delimiter")
	d.quote = rapid.SampledFrom([]string{"all", "needed"}).Draw(t, "quotes")
	d.ends = rapid.SampledFrom([][]string{{"\r\n"}, {"\n"}, {"\r"}, {"\r\n", "\n"}, {"\r\n", "\n", "\r"}, {"\r\r\n"}}).Draw(t, "ends")
	d.encoding = rapid.SampledFrom([]string{"UTF-8", "UTF-8 with a mark", "UTF-16LE", "UTF-16BE", "UTF-16LE without a mark", "Windows-1252"}).Draw(t, "encoding")
	d.names = map[Field]string{}
	for _, c := range []struct {
		f     Field
		names []string
	}{
		{FieldNHSNumber, []string{"NHS Number", "NHS_NO", "Patient Details.NHS Number", "nhsNumber", "NHS No. (10 digits)"}}, {FieldGivenName, []string{"Forename", "FIRST NAME", "given_name"}},
		{FieldFamilyName, []string{"Surname", "LAST NAME", "family_name"}}, {FieldBirthDate, []string{"DOB", "Date of Birth (dd/mm/yyyy)", "BIRTH_DATE", "D.O.B."}},
		{FieldMobile, []string{"Mobile", "Telephone - mobile", "MOBILE_TEL_NO", "Patient's mobile phone"}}, {FieldPractice, []string{"ODS code", "Practice_Code", "Usual GP's Organisation Code"}},
		{FieldDeath, []string{"Date of Death", "DEATH_DT", "Deceased?"}}, {FieldDissent, []string{"SMS Dissent", "dissent_flag", "Opted out of texts"}},
	} {
		d.names[c.f] = rapid.SampledFrom(c.names).Draw(t, string(c.f))
		d.order = append(d.order, c.f)
	}
	d.order = rapid.Permutation(append(d.order, "")).Draw(t, "order") // with a column of notes
	d.nhs = rapid.SampledFrom([]func(int) string{testNHS, func(i int) string { s := testNHS(i); return s[:3] + " " + s[3:6] + " " + s[6:] }, func(i int) string { return "'" + testNHS(i) }}).Draw(t, "nhs")
	d.phone = rapid.SampledFrom([]func(int) string{
		func(i int) string { return fmt.Sprintf("07700900%03d", i) }, func(i int) string { return fmt.Sprintf("+44 (0)7700 900%03d", i) }, func(i int) string { return fmt.Sprintf("00447700900%03d", i) },
		func(i int) string { return fmt.Sprintf("7700900%03d", i) }, func(i int) string { return fmt.Sprintf("07700\u00a0900\u00a0%03d", i) },
	}).Draw(t, "phone")
	d.born = rapid.SampledFrom([]func(y, m, d int) string{
		func(y, m, d int) string { return fmt.Sprintf("%02d/%02d/%d", d, m, y) }, func(y, m, d int) string { return fmt.Sprintf("%d-%02d-%02d 00:00:00", y, m, d) },
		func(y, m, d int) string {
			return fmt.Sprintf("%d-%s-%d", d, []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}[m-1], y)
		},
		func(y, m, d int) string { return fmt.Sprintf("%d.%d.%d", d, m, y) },
	}).Draw(t, "born")
	d.above = rapid.SampledFrom([][]string{nil, {"Patients for outreach"}, {"Knowsley Central PCN", "Run on: 23/11/2026 08:14", ""}}).Draw(t, "above")
	d.below = rapid.SampledFrom([][]string{nil, {"", "Total patients: 9"}, {"-- end of report --"}, {"", "Printed by Dr Roe on 23-Nov-2026 08:14:22"}, {"", ""}}).Draw(t, "below")
	return d
}

type listed struct {
	want string // "" for a line that is no row
	who  string
	line int
}

// write puts the list down, and tells what became of each line.
func (d dialect) write(outer testing.TB, t *rapid.T, all []drawn) (file []byte, rows []listed) {
	var b, sheet strings.Builder
	line := 1
	end := func(lines int) {
		e := rapid.SampledFrom(d.ends).Draw(t, "end")
		b.WriteString(e)
		line += lines
	}
	put := func(cells []string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteString(d.delim)
			}
			if d.quote == "all" || strings.Contains(c, d.delim) || strings.ContainsAny(c, "\"\n") {
				c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
			}
			b.WriteString(c)
		}
		escaped := make([]string, len(cells))
		for i, c := range cells {
			escaped[i] = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(c)
		}
		sheet.WriteString(inline(line, "", escaped...))
	}
	mixed := len(d.ends) > 1 && d.ends[len(d.ends)-1] == "\r"
	blank := func() {
		if mixed { // two ends of different kinds would be one
			b.WriteString(" ")
		}
		end(1)
	}
	remark := func(s string) {
		if s == "" {
			blank()
			return
		}
		sheet.WriteString(inline(line, "", s))
		b.WriteString(s)
		end(1)
	}
	for _, s := range d.above {
		remark(s)
	}
	var names []string
	for _, f := range d.order {
		names = append(names, cmpOr(d.names[f], "Notes"))
	}
	put(names)
	end(1)
	for _, a := range all {
		at := line
		switch a.want {
		case "":
			switch a.kind {
			case "blank":
				blank()
			case "empty":
				put(make([]string, len(names)))
				end(1)
			case "again":
				put(names)
				end(1)
			}
			continue
		case string(RowUnreadable):
			cells := a.cells(d)
			last := 0 // of the columns that every row needs
			for i, f := range d.order {
				if slices.Contains(Needed, f) {
					last = i
				}
			}
			switch kept := max(last-1, 1); {
			case d.book: // nothing is cut off in one
				a.want = string(NHSNumberInvalid)
				put(a.cells(d))
			case a.kind == "open": // a mark that is never closed
				b.WriteString(strings.Join(cells[:4], d.delim) + d.delim + `"` + strings.Join(cells[4:], d.delim))
			case slices.Contains(d.order[:kept], FieldNHSNumber): // cut off
				put(cells[:kept])
			default: // without a number of any kind nobody can tell it from a remark
				a.want = string(NHSNumberInvalid)
				put(a.cells(d))
			}
			end(1)
		default:
			put(a.cells(d))
			lines := 1
			if !d.book {
				lines += strings.Count(strings.Join(a.cells(d), ""), "\n")
			}
			end(lines)
		}
		rows = append(rows, listed{a.want, a.who(), at})
	}
	for _, s := range d.below {
		remark(s)
	}
	if d.book {
		return book{sheets: []bookSheet{{"Patients", "", sheet.String()}}}.bytes(outer), rows
	}
	return d.encode(b.String()), rows
}

func (d dialect) encode(s string) []byte {
	var out []byte
	switch d.encoding {
	case "UTF-8":
		return []byte(s)
	case "UTF-8 with a mark":
		return append([]byte("\uFEFF"), s...)
	case "Windows-1252":
		for _, r := range s {
			out = append(out, byte(r)) // all of them are among Latin-1
		}
		return out
	}
	var order binary.AppendByteOrder = binary.LittleEndian
	if d.encoding == "UTF-16BE" {
		order = binary.BigEndian
	}
	if !strings.HasSuffix(d.encoding, "without a mark") {
		out = order.AppendUint16(out, 0xFEFF)
	}
	for _, r := range s {
		out = order.AppendUint16(out, uint16(r))
	}
	return out
}

// drawn is a row before it is written in a dialect.
type drawn struct {
	want, kind    string
	i, y, m, d    int
	given, family string
	notes         string
}

func (a drawn) who() string {
	return fmt.Sprintf("%s %04d-%02d-%02d +447700900%03d %s|%s", testNHS(a.i), a.y, a.m, a.d, a.i, a.given, a.family)
}

func (a drawn) cells(d dialect) (cells []string) {
	for _, f := range d.order {
		c := a.notes
		switch f {
		case FieldNHSNumber:
			if c = d.nhs(a.i); a.want == string(NHSNumberInvalid) {
				c = []string{"9.99E+09", "", "999 000 0000", "unknown"}[a.i%4]
			}
		case FieldGivenName:
			c = a.given
		case FieldFamilyName:
			c = a.family
		case FieldBirthDate:
			if c = d.born(a.y, a.m, a.d); a.want == string(DateOfBirthInvalid) {
				c = []string{"31/02/1970", "56", "", "02/08/20"}[a.i%4]
			}
		case FieldMobile:
			switch c = d.phone(a.i); Code(a.want) {
			case MobileMissing:
				c = []string{"", "n/a", "-", "NULL"}[a.i%4]
			case MobileDamaged:
				c = []string{"4.477E+11", "########"}[a.i%2]
			case MobileNotMobile:
				c = "0151 496 0123"
			case MobileInvalid:
				c = []string{"07700900123 (wife)", "07700900123 / 07700900124", "+33612345678"}[a.i%3]
			}
		case FieldPractice:
			c = "N83006"
		case FieldDeath:
			if c = ""; a.want == "deceased" {
				c = "01/03/2020"
			}
		case FieldDissent:
			if c = []string{"", "N", "No"}[a.i%3]; a.want == "dissent" {
				c = []string{"Y", "Yes", "Declined", "1"}[a.i%4]
			}
		}
		cells = append(cells, c)
	}
	return cells
}

// Whatever mixture of dialects a list is written in: all its rows come out, in their order, each on its line with its reason, and who can be
// read is read exactly.
func TestDialects(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		d := drawDialect(t)
		var all []drawn
		for i, n := 0, rapid.IntRange(1, 30).Draw(t, "rows"); i < n; i++ {
			a := drawn{i: i, y: rapid.IntRange(1920, 2008).Draw(t, "year"), m: rapid.IntRange(1, 12).Draw(t, "month"), d: rapid.IntRange(1, 28).Draw(t, "day"),
				given:  rapid.SampledFrom([]string{"Siân", "O'Neil", "Anne Marie", "Zoë"}).Draw(t, "given"),
				family: rapid.SampledFrom([]string{"Müller", "Smith, the younger", `d"Arcy`, "Roe|Doe", "=SUM(A1)"}).Draw(t, "family"),
				notes:  rapid.SampledFrom([]string{"", "call after 5", "Flat 2\n1 High Street", "a;b,c\td|e"}).Draw(t, "notes")}
			a.want = rapid.SampledFrom([]string{"ok", "ok", "ok", "ok", "ok", "", "deceased", "dissent", string(RowUnreadable), string(NHSNumberInvalid), string(DateOfBirthInvalid), string(MobileMissing),
				string(MobileDamaged), string(MobileNotMobile), string(MobileInvalid)}).Draw(t, "want")
			a.kind = rapid.SampledFrom([]string{"blank", "empty", "again"}).Draw(t, "kind")
			if a.want == string(RowUnreadable) {
				a.kind = rapid.SampledFrom([]string{"short", "open"}).Draw(t, "kind of damage")
				a.family, a.notes = "Roe", ""
			}
			if d.ends[len(d.ends)-1] == "\r" || d.ends[0] == "\r\r\n" || d.book {
				a.notes = strings.ReplaceAll(a.notes, "\n", " ")
			}
			all = append(all, a)
		}
		all = append(all, drawn{want: "ok", i: 900, y: 1970, m: 8, d: 2, given: "Eve", family: "Roe"}) // one row at least
		file, rows := d.write(outer, t, all)
		r, err := NewReader(bytes.NewReader(file), Options{Today: today, Size: int64(len(file))})
		if err != nil {
			t.Fatalf("%v in:\n%s", err, shown(file))
		}
		for i, want := range rows {
			row, err := r.Next()
			if err != nil {
				t.Fatalf("row %d: %v in:\n%s", i+1, err, shown(file))
			}
			if got := became(row); got != want.want || row.Line != want.line || row.Number != i+1 {
				t.Fatalf("row %d on line %d: %s, want %s on line %d in:\n%s", i+1, row.Line, got, want.want, want.line, shown(file))
			}
			p := row.Patient
			if who := fmt.Sprintf("%s %s %s %s|%s", p.NHSNumber.Reveal(), p.BirthDate.ISO(), p.Phone.Reveal(), p.Name.Given, p.Name.Family); row.Rejected == "" && strings.ReplaceAll(who, "\t", " ") != want.who {
				t.Fatalf("row %d: %s, want %s in:\n%s", i+1, who, want.who, shown(file))
			}
		}
		if row, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("line %d is no row: %v in:\n%s", row.Line, err, shown(file))
		}
	})
}

func shown(file []byte) string {
	if z, err := zip.NewReader(bytes.NewReader(file), int64(len(file))); err == nil {
		sheet, err := z.Open("xl/worksheets/sheet1.xml")
		if err != nil {
			return err.Error()
		}
		defer sheet.Close()
		file, _ = io.ReadAll(sheet)
	}
	if utf8.Valid(file) {
		return string(file)
	}
	return fmt.Sprintf("%q", file)
}
