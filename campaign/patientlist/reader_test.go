package patientlist

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"pgregory.net/rapid"
)

var today = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// read gives all rows of a file, or the error that ended it.
func read(src io.Reader, opt Options) ([]Row, *Reader, error) {
	opt.Today = today
	r, err := NewReader(src, opt)
	if err != nil {
		return nil, nil, err
	}
	var rows []Row
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, r, nil
		}
		if err != nil {
			return rows, r, err
		}
		rows = append(rows, row)
	}
}

func mustRead(t *testing.T, file string, opt Options) ([]Row, *Reader) {
	t.Helper()
	rows, r, err := read(strings.NewReader(file), opt)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, file)
	}
	return rows, r
}

func codes(rows []Row) string {
	var out []string
	for _, r := range rows {
		out = append(out, cmpOr(string(r.Rejected), "ok"))
	}
	return strings.Join(out, " ")
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

const (
	header = "NHS Number,First name,Surname,DOB,Mobile,Practice code,SMS dissent\n"
	ann    = "9990000018,Ann,Lee,02/08/1970,07401152019,N83006,N\n"
	bob    = "9990000026,Bob,Ray,03/06/1983,07401152020,N83006,N\n"
	cat    = "9990000034,Cat,Poe,24/01/1947,07401152021,N83006,Y\n"
)

// The samples are made like the exports of two GP systems, with a known ledger.
func TestReader_samples(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.csv")
	if len(files) == 0 {
		t.Fatal("no samples")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var truth struct {
				Rows     int
				Rejected map[Code]int
			}
			b, err := os.ReadFile(file + ".truth.json")
			if err == nil {
				err = json.Unmarshal(b, &truth)
			}
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rows, r, err := read(f, Options{})
			if err != nil {
				t.Fatal(err)
			}
			rejected := map[Code]int{}
			dead, dissent := 0, 0
			for _, row := range rows {
				if row.Rejected != "" {
					rejected[row.Rejected]++
				} else if row.Patient.Dead {
					dead++
				} else if row.Patient.Dissent {
					dissent++
				}
			}
			if len(rows) != truth.Rows || !maps.Equal(rejected, truth.Rejected) {
				t.Errorf("got %d rows, rejected %v, want %d, %v", len(rows), rejected, truth.Rows, truth.Rejected)
			}
			if dead != 19 || dissent != 48 {
				t.Errorf("got %d dead and %d dissenting, want 19 and 48", dead, dissent)
			}
			if got := r.Found().Columns[FieldPractice]; got == "" {
				t.Error("no practice column found")
			}
		})
	}
}

func utf16Bytes(s string, order binary.AppendByteOrder) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func windows1252Bytes(s string) []byte {
	var out []byte
	for _, r := range s {
		if i := slices.Index(windows1252[:], r); i >= 0 {
			out = append(out, byte(0x80+i))
		} else {
			out = append(out, byte(r))
		}
	}
	return out
}

// Whatever the encoding, delimiter and line end, the same patients come out.
func TestReader_encodings(t *testing.T) {
	lines := []string{
		"Patient list for the practice", "",
		"NHS Number,Forename,Surname,Date of Birth,Mobile Telephone,ODS Code",
		"9990000018,Müller,O’Brien,02/08/1970,07401152019,N83006",
		"9990000026,Siân,Peña,03/06/1983,07401152020,N83006", "",
		"Total patients:,2",
	}
	encodings := map[string]func(string) []byte{
		"utf-8":         func(s string) []byte { return []byte(s) },
		"utf-8 bom":     func(s string) []byte { return []byte("\uFEFF" + s) },
		"windows-1252":  windows1252Bytes,
		"utf-16le":      func(s string) []byte { return utf16Bytes(s, binary.LittleEndian) },
		"utf-16be":      func(s string) []byte { return utf16Bytes(s, binary.BigEndian) },
		"utf-16le bom":  func(s string) []byte { return utf16Bytes("\uFEFF"+s, binary.LittleEndian) },
		"utf-16be bom":  func(s string) []byte { return utf16Bytes("\uFEFF"+s, binary.BigEndian) },
		"glued of both": func(s string) []byte { return append(windows1252Bytes(s[:len(s)/2]), s[len(s)/2:]...) },
	}
	for encName, encode := range encodings {
		for _, delim := range []string{",", ";", "\t", "|"} {
			for _, eol := range []string{"\n", "\r\n", "\r"} {
				for _, quote := range []string{"", `"`} {
					var b strings.Builder
					for _, l := range lines {
						if l != "" {
							b.WriteString(quote + strings.ReplaceAll(l, ",", quote+delim+quote) + quote)
						}
						b.WriteString(eol)
					}
					name := fmt.Sprintf("%s %q %q %s", encName, delim, eol, quote)
					rows, _, err := read(iotest.HalfReader(bytes.NewReader(encode(b.String()))), Options{})
					if err != nil || codes(rows) != "ok ok" {
						t.Errorf("%s: %q, %v", name, codes(rows), err)
						continue
					}
					if got := rows[0].Patient.Name.Reveal() + " " + rows[1].Patient.Name.Reveal(); got != "Müller O’Brien Siân Peña" {
						t.Errorf("%s: names %q", name, got)
					}
					if rows[1].Line != 5 || rows[1].Number != 2 {
						t.Errorf("%s: line %d, number %d, want 5 and 2", name, rows[1].Line, rows[1].Number)
					}
				}
			}
		}
	}
}

// What looks like UTF-8 for megabytes may still end in Windows-1252.
func TestReader_lateWindows1252(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(header)
	for range 3000 {
		b.WriteString(ann)
	}
	b.WriteString("9990000018,Zo\xeb,Lee,02/08/1970,07401152019,N83006,N\n")
	b.WriteString("9990000018,Zoë,Lee,02/08/1970,07401152019,N83006,N\n")
	rows, _, err := read(&b, Options{})
	if err != nil || len(rows) != 3002 || rows[3000].Patient.Name.Given != "Zoë" || rows[3001].Patient.Name.Given != "Zoë" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestReader_rows(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"plain", header + ann + bob, "ok ok"},
		{"no line end at the end", header + strings.TrimSpace(ann), "ok"},
		{"blank lines", header + "\n" + ann + " \n,,,,,,\n" + bob + "\n\n", "ok ok"},
		{"each reason", header +
			"9990000019,Ann,Lee,02/08/1970,07401152019,N83006,N\n" +
			"9990000018,Ann,Lee,31/02/1970,,N83006,N\n" +
			"9990000018,Ann,Lee,02/08/1970,n/a,N83006,N\n" +
			"9990000018,Ann,Lee,02/08/1970,4.47E+11,N83006,N\n" +
			"9990000018,Ann,Lee,02/08/1970,0151 426 5000,N83006,N\n" +
			"9990000018,Ann,Lee,02/08/1970,07000123456,N83006,N\n" +
			"999000\n",
			"nhs_number_invalid date_of_birth_invalid mobile_missing mobile_damaged mobile_not_mobile mobile_invalid row_unreadable"},
		{"missing and empty trailing cells", header + "9990000018,Ann,Lee,02/08/1970,07401152019\n" + "9990000018,Ann,Lee,02/08/1970,07401152019,N83006,N,,,\n", "ok ok"},
		{"a cell too many has slipped", header + "9990000018,Ann,Lee, Jr,02/08/1970,07401152019,N83006,N\n" + bob, "row_unreadable ok"},
		{"all rows have a nameless cell", header + strings.ReplaceAll(strings.Repeat(ann, 4), "N\n", "N,17\n"), "ok ok ok ok"},
		{"cut off", header + "9990000018,Ann,Le\n" + bob, "row_unreadable ok"},
		{"mobile is last and left out", "NHS Number,DOB,Mobile\n9990000018,02/08/1970\n9990000018\n", "mobile_missing row_unreadable"},

		{"quoted comma", header + `9990000018,"Ann","Lee, Jr",02/08/1970,07401152019,N83006,N` + "\n" + bob, "ok ok"},
		{"quoted new line", header + "9990000018,Ann,\"Lee\nof Huyton\",02/08/1970,07401152019,N83006,N\n" + bob, "ok ok"},
		{"quoted new line in all-quoted", header + "\"9990000018\",\"Ann\",\"Lee\r\nof\r\nHuyton\",\"02/08/1970\",\"07401152019\",\"N83006\",\"N\"\r\n" + bob, "ok ok"},
		{"doubled marks", header + `9990000018,"Ann ""Annie""",Lee,02/08/1970,07401152019,N83006,N` + "\n" + bob, "ok ok"},
		{"marks inside", header + `9990000018,Ann "Annie",Lee,02/08/1970,07401152019,N83006,N` + "\n" + bob, "ok ok"},
		{"marks inside quotes", header + `9990000018,"Ann "Annie" B",Lee,02/08/1970,07401152019,N83006,N` + "\n" + bob, "ok ok"},
		{"open at the start of a cell", header + `9990000018,"Ann,Lee,02/08/1970,07401152019,N83006,N` + "\n" + bob + cat, "row_unreadable ok ok"},
		{"open in the last cell", header + `9990000018,Ann,Lee,02/08/1970,07401152019,N83006,"N` + "\n" + bob + cat, "row_unreadable ok ok"},
		{"open before a quoted row", header + `9990000018,Ann,"Lee,02/08/1970,07401152019,N83006,N` + "\n" + `"9990000026","Bob","Ray","03/06/1983","07401152020","N83006","N"` + "\n" + cat, "row_unreadable ok ok"},
		{"open in the last of a quoted row", header + `9990000018,Ann,Lee,02/08/1970,07401152019,N83006,"N` + "\n" + `"9990000026","Bob","Ray","03/06/1983","07401152020","N83006","N"` + "\n" + cat, "row_unreadable ok ok"},
		{"two open rows", header + `9990000018,Ann,Lee,02/08/1970,07401152019,N83006,"N` + "\n" + `9990000026,Bob,Ray,03/06/1983,07401152020,N83006,N"` + "\n" + cat, "row_unreadable ok ok"},
		{"open in the last row", header + ann + `9990000026,"Bob,Ray`, "ok row_unreadable"},
		{"a mark alone", header + ann + "\"\n" + bob, "ok row_unreadable ok"},
		{"a line of a megabyte", header + ann + strings.Repeat("x", 2<<20) + "\n" + bob, "ok row_unreadable ok"},
		{"an open cell of megabytes", header + ann + `9990000026,"` + strings.Repeat("x", 3<<20) + "\n" + bob, "ok row_unreadable ok"},

		{"total", header + ann + "Total patients:,1\n", "ok"},
		{"padded total", header + ann + "Total patients:,1,,,,,\n", "ok"},
		{"count before", header + ann + "1 patients\n-----\nEnd of report\n", "ok"},
		{"total in one cell", header + ann + "\"Total: 2,000\"\n", "ok"},
		{"remark after a blank", header + ann + "\nSearched by reception on 23-Nov-2026,NHS\n", "ok"},
		{"damaged row after a blank", header + ann + "\n9990000026,Bob\n", "ok row_unreadable"},
		{"damaged row is a row", header + ann + "Bob,Ray\n", "ok row_unreadable"},
		{"a patient called Total", header + "9990000018,Total,Count,02/08/1970,07401152019,N83006,N\n" + "x,Total,Count,02/08/1970,07401152019,N83006,N\n", "ok nhs_number_invalid"},
		{"glued files", header + ann + "\uFEFF" + header + bob, "ok ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, r := mustRead(t, tt.file, Options{})
			if got := codes(rows); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for i, row := range rows {
				if row.Number != i+1 {
					t.Errorf("row %d has number %d", i+1, row.Number)
				}
				if row.Rejected != "" && row.Patient != (Patient{}) {
					t.Error("a rejected row has a patient")
				}
				if len(row.Cells.Reveal()) == 0 {
					t.Error("a row has no cells for the download")
				}
			}
			if r.Found().HeaderLine != 1 {
				t.Errorf("header on line %d", r.Found().HeaderLine)
			}
		})
	}
}

func TestReader_patient(t *testing.T) {
	file := "NHS no,Name,D.O.B.,Sex,Tel,Mobile No.,Usual GP's Organisation,Post code,Main spoken language,Date of death,Patient status,SMS dissent,Consent to SMS,Do not contact\n" +
		"999 000 0018,\"SINGH, Patricia (Mrs)\",2 Aug 1970,F,0151 426 5000,07401152019,The Surgery (n83006),l328re,Polish,,Active,,Yes,\n" +
		"9990000026,Bob Ray,1983-06-03,Male,,07401152020,N83007,nowhere,,01/02/2026,,No,,\n" +
		"9990000034,Cat Poe,1947-01-24,,,07401152021,N83007,,,,Deceased,Consent given,,N\n" +
		"9990000042,Dan Orr,1947-01-24,,,07401152022,N83007,,,,,Dissent from SMS,,\n" +
		"9990000050,Eve Orr,1947-01-24,,,07401152023,N83007,,,,,,No,Yes\n"
	rows, _ := mustRead(t, file, Options{})
	if got := codes(rows); got != "ok ok ok ok ok" {
		t.Fatal(got)
	}
	p := rows[0].Patient
	got := fmt.Sprint(p.NHSNumber.Reveal(), "|", p.Name.Given, "|", p.Name.Family, "|", p.BirthDate.ISO(), "|", p.Sex, "|", p.Phone.Reveal(), "|", p.Practice, "|", p.Postcode.Reveal(), "|", p.Language)
	if want := "9990000018|Patricia|SINGH|1970-08-02|female|+447401152019|N83006|L32 8RE|Polish"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var flags []string
	for _, r := range rows {
		flags = append(flags, fmt.Sprintf("%t/%t/%t", r.Patient.Dead, r.Patient.Dissent, r.Patient.DoNotContact))
	}
	want := "false/false/false true/false/false true/false/false false/true/false false/true/true"
	if got := strings.Join(flags, " "); got != want {
		t.Errorf("dead/dissent/do not contact\ngot  %s\nwant %s", got, want)
	}
	if out := fmt.Sprintf("%v %+v %#v", rows[0].Cells, rows[0], rows[0].Patient); strings.Contains(out, "9990000018") || strings.Contains(out, "Patricia") || strings.Contains(out, "SINGH") {
		t.Errorf("a row leaks: %s", out)
	}
	if got := rows[0].Cells.Reveal(); len(got) != 14 || got[1] != "SINGH, Patricia (Mrs)" {
		t.Errorf("cells for the download: %q", got)
	}
}

func TestReader_headers(t *testing.T) {
	for _, names := range []string{
		"NHS Number,Date of Birth,Mobile Telephone",                                                 // EMIS
		"Patient Details.NHS Number,Patient Details.Date of Birth,Patient Details.Mobile Telephone", // EMIS, grouped
		"NHS number,DOB,Telephone - mobile",                                                         // SystmOne
		"NHS Number,Date of Birth,Telecom Number",
		"NHS No.,Date Of Birth (DD/MM/YYYY),Mobile Tel No", // Vision
		"nhs_number,date_of_birth,mobile_number",
		"NHS,D.O.B,Cell",
		" Patient's NHS number , Birth Date , Patient's preferred mobile phone no. ",
		"NHS #,Born,Phone",
	} {
		rows, r, err := read(strings.NewReader("Extract of 23/11/2026\n\n"+names+"\n9990000018,02/08/1970,07401152019\n"), Options{DefaultPractice: "N83006"})
		if names == "NHS #,Born,Phone" {
			names += " (# is no letter)"
		}
		if err != nil || codes(rows) != "ok" {
			t.Errorf("%s: %q, %v", names, codes(rows), err)
			continue
		}
		if r.Found().HeaderLine != 3 || rows[0].Line != 4 || rows[0].Patient.Practice != "N83006" {
			t.Errorf("%s: header on line %d, row on %d, practice %q", names, r.Found().HeaderLine, rows[0].Line, rows[0].Patient.Practice)
		}
	}

	t.Run("a mobile column beats a phone column", func(t *testing.T) {
		_, r := mustRead(t, "Phone,NHS number,DOB,Home telephone,Mobile phone,Mobile verified date,Next of kin mobile\n07401152019,9990000018,02/08/1970,,,,\n", Options{})
		if got := r.Found().Columns[FieldMobile]; got != "Mobile phone" {
			t.Errorf("took %q", got)
		}
	})
	t.Run("a mapping overrides", func(t *testing.T) {
		file := "ID;When;Ring;Mobile;NHS number\n9990000018;02/08/1970;07401152019;junk;junk\n"
		rows, _ := mustRead(t, file, Options{Mapping: map[Field]string{FieldNHSNumber: "id", FieldBirthDate: "When", FieldMobile: " ring "}})
		if got := codes(rows); got != "ok" {
			t.Error(got)
		}
	})
}

func TestReader_wrongFiles(t *testing.T) {
	photo := append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"), bytes.Repeat([]byte{0, 200, 17, 3}, 5000)...)
	xlsx := append([]byte("PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x13\x00\x00\x00xl/workbook.xml"), bytes.Repeat([]byte{0, 1, 2}, 1000)...)
	for _, tt := range []struct {
		name, file, code, says string
		opt                    Options
	}{
		{name: "empty", file: "", code: FileEmpty, says: "empty"},
		{name: "blank", file: "\uFEFF \r\n\r\n", code: FileEmpty, says: "empty"},
		{name: "only names", file: header, code: FileEmpty, says: "no patients"},
		{name: "photo", file: string(photo), code: FileNotText, says: "photo"},
		{name: "pdf", file: "%PDF-1.7\n1 0 obj\n", code: FileNotText, says: "PDF"},
		{name: "xlsx", file: string(xlsx), code: FileNotText, says: "CSV"},
		{name: "web page", file: "<!DOCTYPE html><html><body>NHS Number</body></html>", code: FileNotText, says: "web page"},
		{name: "noise", file: strings.Repeat("\x00\x01\x02\x07\xfe", 100), code: FileNotText, says: "not a list"},
		{name: "no names", file: ann + bob, code: NoHeader, says: "column names"},
		{name: "no names, and a value like one", file: "9990000018,Ann,Lee,02/08/1970,07401152019,N83006,Dissent\n" + bob, code: NoHeader, says: "column names"},
		{name: "a patient among the names", file: "NHS Number,Lee,DOB,07401152019\n" + bob, code: NoMobileColumn, says: "column with mobile numbers"},
		{name: "no phone", file: "NHS Number,Surname,DOB\n1,2,3\n", code: NoMobileColumn, says: "NHS Number, Surname, DOB"},
		{name: "no NHS number", file: "Mobile,Surname,DOB\n1,2,3\n", code: NoNHSNumberColumn, says: "Mobile, Surname, DOB"},
		{name: "no birth date", file: "Mobile,NHS Number\n1,2\n", code: NoBirthDateColumn, says: "Mobile, NHS Number"},
		{name: "mapped wrongly", file: header + ann, opt: Options{Mapping: map[Field]string{FieldMobile: "Handy"}}, code: NoSuchColumn, says: "“Handy”"},
		{name: "too large", file: header + strings.Repeat(ann, 2000), opt: Options{MaxBytes: 90 << 10}, code: FileTooLarge, says: "larger than 9"},
		{name: "said to be too large", file: header + ann, opt: Options{Size: 3 << 30}, code: FileTooLarge, says: "2 GB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := read(strings.NewReader(tt.file), tt.opt)
			var fe *FileError
			if !errors.As(err, &fe) {
				t.Fatalf("got %v, want a FileError", err)
			}
			if fe.Code != tt.code || !strings.Contains(fe.Sentence, tt.says) {
				t.Errorf("got %s: %s\nwant %s: …%s…", fe.Code, fe.Sentence, tt.code, tt.says)
			}
			if strings.Contains(fe.Sentence, "Lee") || strings.Contains(fe.Sentence, "0740") {
				t.Errorf("the sentence tells of a patient: %s", fe.Sentence)
			}
		})
	}
	t.Run("the disk fails", func(t *testing.T) {
		broken := errors.New("disk on fire")
		_, _, err := read(io.MultiReader(strings.NewReader(header+strings.Repeat(ann, 3000)), iotest.ErrReader(broken)), Options{})
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
}

// Damage to one row never costs another: good rows stay what they are and the
// number of rows stays right, whatever stands between them.
func TestReader_damageStaysInItsRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quoteAll := rapid.Bool().Draw(t, "quoted")
		var b strings.Builder
		b.WriteString(header)
		var want []bool
		for i, n := 0, rapid.IntRange(1, 12).Draw(t, "rows"); i < n; i++ {
			line := strings.TrimSpace([]string{ann, bob, cat}[i%3])
			if quoteAll {
				line = `"` + strings.ReplaceAll(line, ",", `","`) + `"`
			}
			good := rapid.Bool().Draw(t, "good")
			if !good { // one mark too many at the start of an unquoted or the end of a quoted cell
				if quoteAll {
					line = strings.TrimSuffix(line, `"`)
				} else {
					cells := strings.Split(line, ",")
					j := rapid.IntRange(0, len(cells)-1).Draw(t, "cell")
					cells[j] = `"` + cells[j]
					line = strings.Join(cells, ",")
				}
			}
			want = append(want, good)
			b.WriteString(line + "\n")
		}
		rows, _, err := read(strings.NewReader(b.String()), Options{})
		if err != nil || len(rows) != len(want) {
			t.Fatalf("%d rows, %v, want %d:\n%s", len(rows), err, len(want), b.String())
		}
		for i, row := range rows {
			if (row.Rejected == "") != want[i] {
				t.Fatalf("row %d: %q in:\n%s", i+1, row.Rejected, b.String())
			}
		}
	})
}

// How a file arrives in pieces has no influence on what is read.
func FuzzReader(f *testing.F) {
	for _, s := range []string{header + ann + bob, header + `1,"`, "\xff\xfea\x00", header + ann + "\n\"a\nb\",c\nTotal,1\n", strings.ReplaceAll(header+ann, ",", "\t")} {
		f.Add([]byte(s), true)
		f.Add(append([]byte(header), s...), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, withHeader bool) {
		if withHeader {
			b = append([]byte(header), b...)
		}
		rows, _, err := read(bytes.NewReader(b), Options{})
		again, _, err2 := read(iotest.OneByteReader(bytes.NewReader(b)), Options{})
		if (err == nil) != (err2 == nil) || !slices.Equal(rows, again) {
			t.Fatalf("in one piece: %d rows, %v; byte by byte: %d rows, %v", len(rows), err, len(again), err2)
		}
		for i, row := range rows {
			if row.Number != i+1 || (row.Rejected == "") == row.Patient.Phone.IsZero() {
				t.Fatalf("row %d is numbered %d, %q", i+1, row.Number, row.Rejected)
			}
		}
	})
}

// repeated gives n rows without holding them.
type repeated struct {
	body []byte
	n, i int
}

func (r *repeated) Read(p []byte) (int, error) {
	total := 0
	for total < len(p) {
		if r.n == 0 {
			if total == 0 {
				return 0, io.EOF
			}
			break
		}
		c := copy(p[total:], r.body[r.i:])
		total += c
		if r.i += c; r.i == len(r.body) {
			r.i = 0
			r.n--
		}
	}
	return total, nil
}

func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	for _, bm := range []struct{ name, row string }{
		{"plain", "999-900-0002,Patricia,Singh,02/08/1970,Unknown,07401 152019,N83014,L32 8RE,,No\r\n"},
		{"quoted", "\"999-900-0002\",\"Patricia\",\"Singh\",\"02-Aug-1970\",\"Unknown\",\"+44 (0)7401152019\",\"N83014\",\"L32 8RE\",\"\",\"No\"\r\n"},
		{"unclosed", "999-900-0002,Patricia,\"Singh,02/08/1970,Unknown,07401 152019,N83014,L32 8RE,,No\r\n"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			head := "NHS Number,Given Name,Family Name,Date of Birth,Gender,Mobile Telephone,Organisation ODS Code,Postcode,Date of Death,SMS Dissent\r\n"
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(io.MultiReader(strings.NewReader(head), &repeated{body: []byte(bm.row), n: rows}), Options{Today: today})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// Memory does not grow with the file, nor with a mark that is never closed.
func TestReader_memoryIsFlat(t *testing.T) {
	for name, tt := range map[string]struct {
		row  string
		n    int
		want int
	}{
		"200,000 rows":                   {ann, 200_000, 200_000},
		"100 MB in one open cell":        {strings.Repeat("x", 1<<20), 100, 1},
		"20 MB of lines in an open cell": {strings.Repeat("x", 1000) + "\n", 20_000, 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			open := `9990000018,"`
			if tt.row == ann {
				open = ""
			}
			r, err := NewReader(io.MultiReader(strings.NewReader(header+open), &repeated{body: []byte(tt.row), n: tt.n}), Options{Today: today})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for ; err == nil; n++ {
				_, err = r.Next()
			}
			if n--; !errors.Is(err, io.EOF) || n != tt.want {
				t.Errorf("%d rows, %v, want %d", n, err, tt.want)
			}
			if len(r.lines.buf) > 2*windowMax {
				t.Errorf("the window grew to %d bytes", len(r.lines.buf))
			}
		})
	}
}

// Names in the middle of a file: repeated ones are no row, others end the reading, and a row beside columns without names is none of both.
func TestReader_namesAgain(t *testing.T) {
	const head = "NHS number,Surname,DOB,Mobile,,,,\n"
	row := testNHS(1) + ",Roe,02/08/1970,07700900001,,,,\n"
	for file, want := range map[string]string{
		head + row + "nhs_number, SURNAME ,dob,mobile,,,,\n" + row: "2",
		head + row + ",Roe,,,,,,\n" + row:                          "3",
		head + row + "Notes,Roe,,,,,,\n":                           "2",
		head + row + "Surname,NHS number,DOB,Mobile,,,,\n" + row:   ColumnsChange,
		head + row + "NHS number,Surname,DOB,Deceased,,,,\n" + row: ColumnsChange,
	} {
		rows, _, err := read(strings.NewReader(file), Options{})
		got := fmt.Sprint(len(rows))
		var wrong *FileError
		if errors.As(err, &wrong) {
			got = wrong.Code
		}
		if got != want {
			t.Errorf("got %s, %v, want %s:\n%s", got, err, want, file)
		}
	}
}

// The days by which databases say that there is none are no days.
func TestSaysNo_days(t *testing.T) {
	for s, want := range map[string]bool{"9999-12-31": true, "31/12/9999 00:00:00": true, "9999-12-31T00:00:00.0000000+00:00": true, "01-Jan-1900": true, "1753-01-01 00:00:00.000": true,
		"1990-01-01": false, "31/12/2025": false, "2026-01-01T00:00:00.0000000+00:00": false, "9999": false, "1": false} {
		if got := saysNo(s); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}

// Ends of lines that arrive in two pieces are one end.
func TestReader_endsInPieces(t *testing.T) {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(header) + "\r\n")
	const n = 2000 // more than the reader looks ahead
	for i := range n {
		b.WriteString(strings.TrimSpace(ann) + []string{"\r\n", "\r", "\n", "\r\r\n"}[i%4])
	}
	for _, src := range []io.Reader{strings.NewReader(b.String()), iotest.OneByteReader(strings.NewReader(b.String()))} {
		rows, _, err := read(src, Options{})
		if err != nil || len(rows) != n || rows[n-1].Line != n+1 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	}
}

// A row that is cut off before a carriage return is not made one with a whole row behind it.
func TestReader_cutBeforeReturn(t *testing.T) {
	row := testNHS(1) + ",Roe,02/08/1970,07700900001"
	rows, _, err := read(strings.NewReader("NHS number,Surname,DOB,Mobile\n"+strings.Repeat(row+",more\n", 5)+testNHS(2)+",Cut\r"+row+"\n"), Options{})
	if err != nil || len(rows) != 7 || rows[5].Rejected != RowUnreadable || rows[6].Rejected != "" {
		t.Errorf("%d rows, %v, %+v", len(rows), err, rows)
	}
}
