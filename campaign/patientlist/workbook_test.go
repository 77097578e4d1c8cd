package patientlist

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// book writes workbooks as different programs do.
type book struct {
	sheets   []bookSheet
	texts    []string // the <si> of each
	date1904 bool
	prefix   string // of namespaces: "x:"
	absolute bool   // targets begin with a slash
	extra    map[string]string
}

type bookSheet struct{ name, state, rows string }

const bookStyles = `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd\/mm\/yyyy;@"/><numFmt numFmtId="165" formatCode="&quot;day&quot; 0"/></numFmts>
<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="20"/></cellXfs></styleSheet>`

func (b book) bytes(tb testing.TB) []byte {
	tb.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	put := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\n"+text)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	root := "xl/"
	if b.absolute {
		root = "/xl/"
	}
	put("[Content_Types].xml", `<Types/>`)
	put("_rels/.rels", `<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="`+root+`workbook.xml"/></Relationships>`)
	var sheets, rels strings.Builder
	for i, s := range b.sheets {
		fmt.Fprintf(&sheets, `<%ssheet name="%s" sheetId="%d" state="%s" r:id="rId%d"/>`, b.prefix, s.name, i+1, s.state, i+1)
		target := fmt.Sprintf("worksheets/sheet%d.xml", i+1)
		if b.absolute {
			target = "/xl/" + target
		}
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://x/worksheet" Target="%s"/>`, i+1, target)
		put(fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), `<worksheet><cols><col min="1" max="3" hidden="1"/></cols><sheetData>`+s.rows+`</sheetData><pageMargins/></worksheet>`)
	}
	put("xl/workbook.xml", fmt.Sprintf(`<%[1]sworkbook xmlns:r="x"><%[1]sworkbookPr date1904="%[2]t"/><%[1]ssheets>%[3]s</%[1]ssheets></%[1]sworkbook>`, b.prefix, b.date1904, sheets.String()))
	put("xl/_rels/workbook.xml.rels", `<Relationships>`+rels.String()+`</Relationships>`)
	put("xl/styles.xml", bookStyles)
	if b.texts != nil {
		put("xl/sharedStrings.xml", `<sst><si>`+strings.Join(b.texts, `</si><si>`)+`</si></sst>`)
	}
	for name, text := range b.extra {
		put(name, text)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// inline writes a row of texts; "" is a cell that is not there, and what begins with < stands as it is, with its place put in.
func inline(n int, attrs string, cells ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<row r="%d" %s>`, n, attrs)
	for i, c := range cells {
		at := fmt.Sprintf(`<c r="%c%d"`, 'A'+i, n)
		switch {
		case c == "":
		case c[0] == '<':
			b.WriteString(strings.Replace(c, "<c", at, 1))
		default:
			fmt.Fprintf(&b, `%s t="inlineStr"><is><t>%s</t></is></c>`, at, c)
		}
	}
	return b.String() + "</row>"
}

func num(v string) string               { return "<c><v>" + v + "</v></c>" }
func styled(style int, v string) string { return fmt.Sprintf(`<c s="%d"><v>%s</v></c>`, style, v) }

var bookHead = []string{"NHS Number", "First name", "Surname", "Date of Birth", "Mobile", "Practice code", "Date of Death", "SMS dissent"}

// testNHS makes numbers that are kept for tests.
func testNHS(i int) string {
	for ; ; i += 1000 {
		s := fmt.Sprintf("999%06d", i)
		sum := 0
		for j, c := range s {
			sum += int(c-'0') * (10 - j)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return fmt.Sprint(s, check)
		}
	}
}

func readBook(t *testing.T, b book, opt Options) ([]Row, *Reader) {
	t.Helper()
	file := b.bytes(t)
	opt.Today, opt.Size = today, int64(len(file))
	r, err := NewReader(bytes.NewReader(file), opt)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, r
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// Every shape of a cell that programs write, and what a practice's staff do to a spreadsheet; each row is accounted for, under the number
// that the spreadsheet shows.
func TestWorkbook_rows(t *testing.T) {
	good := func(n int) []string {
		return []string{num(testNHS(n)), "Ann", "Singh", styled(1, "25601"), num(fmt.Sprintf("77009%05d", n)), "N83006"}
	}
	with := func(n, column int, cell string) []string {
		row := append(good(n), "", "")
		row[column] = cell
		return row
	}
	for _, tt := range []struct {
		name  string
		cells []string
		attrs string
		want  string
	}{
		{"numbers, leading nought lost, date as serial number", good(1), "", "ok"},
		{"texts", []string{testNHS(1), "Ann", "Singh", "02/02/1970", "07700 900001", "N83006"}, "", "ok"},
		{"serial number that is not shown as a date", with(1, 3, num("25601")), "", "ok"},
		{"serial number with a time", with(1, 3, styled(2, "25601.75")), "", "ok"},
		{"text in a date's format", with(1, 3, `<c s="1" t="str"><v>1970-02-02</v></c>`), "", "ok"},
		{"number as a program writes it", with(1, 4, num("7.700900001E9")), "", "ok"},
		{"number with a fraction of nothing", with(1, 4, num("7700900001.0")), "", "ok"},
		{"whole number that only looks rounded", with(1, 4, num("4.47700900001E11")), "", "ok"},
		{"rounded for ever", with(1, 4, num("447700000000")), "", "mobile_damaged"},
		{"rounded as text", with(1, 4, "4.477E+11"), "", "mobile_damaged"},
		{"landline", with(1, 4, num("1514960000")), "", "mobile_not_mobile"},
		{"no mobile", with(1, 4, ""), "", "mobile_missing"},
		{"reckoned by a formula", with(1, 0, `<c t="str"><f>"999"&amp;"x"</f><v>`+testNHS(1)+`</v></c>`), "", "ok"},
		{"a formula's number", with(1, 0, `<c><f>A1+1</f><v>`+testNHS(1)+`</v></c>`), "", "ok"},
		{"a formula that nobody reckoned", with(1, 0, `<c><f>A1+1</f></c>`), "", "nhs_number_invalid"},
		{"a formula's error", with(1, 0, `<c t="e"><f>A1/0</f><v>#DIV/0!</v></c>`), "", "nhs_number_invalid"},
		{"dead by a formula that nobody reckoned", with(1, 6, `<c><f>TODAY()</f></c>`), "", "dead"},
		{"not dead by a formula that gives nothing", with(1, 6, `<c t="str"><f>""</f><v></v></c>`), "", "ok"},
		{"dead on a date", with(1, 6, styled(1, "44000")), "", "dead"},
		{"not dead: nought in a date's format", with(1, 6, styled(1, "0")), "", "ok"},
		{"dissent as yes", with(1, 7, `<c t="b"><v>1</v></c>`), "", "dissent"},
		{"no dissent", with(1, 7, `<c t="b"><v>0</v></c>`), "", "ok"},
		{"hidden", good(1), `hidden="1"`, "row_hidden"},
		{"hidden by a height of nothing", good(1), `ht="0" customHeight="1"`, "row_hidden"},
		{"day of the month over 12", with(1, 3, "13/02/1970"), "", "ok"},
		{"tomorrow", with(1, 3, styled(1, "80000")), "", "date_of_birth_invalid"},
		{"NHS number without its nought", with(1, 0, num("101706609")), "", "nhs_number_invalid"},
		{"Scottish number without its nought", with(1, 0, num(scottish(t))), "", "ok"},
		{"NHS number with a digit lost", with(1, 0, num(testNHS(1)[:9])), "", "nhs_number_invalid"},
		{"line break, tab and quotation mark in a name", with(1, 2, `Si"ngh&#10;O'Neill&#9;x_x000D_`), "", "ok"},
		{"too many cells", append(with(1, 7, ""), "slipped"), "", "row_unreadable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, r := readBook(t, book{sheets: []bookSheet{{"Patients", "", inline(1, "", bookHead...) + inline(3, tt.attrs, tt.cells...)}}}, Options{})
			if len(rows) != 1 || rows[0].Line != 3 {
				t.Fatalf("rows %+v", rows)
			}
			got := string(rows[0].Rejected)
			switch p := rows[0].Patient; {
			case got != "":
			case p.Dead:
				got = "dead"
			case p.Dissent:
				got = "dissent"
			default:
				got = "ok"
				if born := p.BirthDate.ISO(); born != "1970-02-02" && born != "1970-02-13" {
					t.Errorf("born %s", born)
				}
				if p.Phone.Reveal() != "+447700900001" {
					t.Errorf("phone %s", p.Phone.Reveal())
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if f := r.Found(); f.Encoding != "Excel" || f.Sheet != "Patients" || f.HeaderLine != 1 {
				t.Errorf("found %+v", f)
			}
		})
	}
}

// scottish is a number that begins with a day and a month, without its nought.
func scottish(t *testing.T) string {
	for i := range 1000 {
		s := fmt.Sprintf("0101706%02d", i%100)
		sum := 0
		for j, c := range s {
			sum += int(c-'0') * (10 - j)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return fmt.Sprint(s[1:], check)
		}
	}
	t.Fatal("none")
	return ""
}

// A report's title, several sheets, hidden ones, shared and rich texts, prefixes, a total at the end, rows without numbers.
func TestWorkbook_shapes(t *testing.T) {
	person := func(n int) []string {
		return []string{testNHS(n), "Ann", "Singh", "02/02/1970", fmt.Sprintf("077009%05d", n), "N83006"}
	}
	list := inline(1, "", "Report of patients") + inline(4, "", bookHead...) + inline(5, "", person(1)...) + inline(7, "", person(2)...) + inline(9, "", "Total patients:", "2")
	shared := book{texts: []string{"<t>NHS Number</t>", "<r><t>Date of</t></r><r><rPr/><t xml:space=\"preserve\"> Birth</t></r><rPh><t>no</t></rPh>", "<t>Mobile</t>", "<t>" + testNHS(3) + "</t>", "<t>3 May 1980</t>", "<t>07700 900003</t>"},
		sheets: []bookSheet{{"S", "", `<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>2</v></c></row><row><c t="s"><v>3</v></c><c t="s"><v>4</v></c><c t="s"><v>5</v></c></row>`}}}
	for _, tt := range []struct {
		name, want, sheet, others string
		b                         book
	}{
		{"a report", "5 ok 7 ok", "P", "", book{sheets: []bookSheet{{"P", "", list}}}},
		{"prefixes and absolute names", "5 ok 7 ok", "P", "", book{sheets: []bookSheet{{"P", "", list}}, prefix: "x:", absolute: true}},
		{"the second sheet", "5 ok 7 ok", "List", "", book{sheets: []bookSheet{{"Notes", "", inline(1, "", "Read me")}, {"Empty", "", ""}, {"List", "", list}}}},
		{"two lists", "5 ok 7 ok", "One", "Two", book{sheets: []bookSheet{{"One", "", list}, {"Two", "", list}}}},
		{"a hidden list", "5 ok 7 ok", "Two", "", book{sheets: []bookSheet{{"One", "veryHidden", list}, {"Two", "", list}}}},
		{"shared texts, no places", "2 ok", "S", "", shared},
		{"counted from 1904", "2 ok 3 ok", "M", "", book{date1904: true, sheets: []bookSheet{{"M", "", inline(1, "", bookHead...) +
			inline(2, "", testNHS(1), "A", "B", styled(1, "24138"), "07700900001", "") + inline(3, "", testNHS(2), "A", "B", num("24138"), "07700900002", "")}}}},
		{"names of columns again", "5 ok 7 ok 11 ok", "P", "", book{sheets: []bookSheet{{"P", "", list + inline(10, "", bookHead...) + inline(11, "", person(3)...)}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, r := readBook(t, tt.b, Options{})
			var got []string
			for _, row := range rows {
				code := string(row.Rejected)
				if code == "" {
					code = "ok"
				}
				got = append(got, fmt.Sprint(row.Line, " ", code))
				if tt.b.date1904 && row.Patient.BirthDate.ISO() != "1970-02-01" {
					t.Errorf("born %s", row.Patient.BirthDate.ISO())
				}
			}
			f := r.Found()
			if s := strings.Join(got, " "); s != tt.want || f.Sheet != tt.sheet || strings.Join(f.OtherSheets, " ") != tt.others {
				t.Errorf("rows %q, found %+v", s, f)
			}
			if r.Offset() < r.sheet.b.size*9/10 {
				t.Errorf("at the end of %d bytes the offset is %d", r.sheet.b.size, r.Offset())
			}
		})
	}
}

func TestWorkbook_refused(t *testing.T) {
	list := inline(1, "", bookHead...) + inline(2, "", testNHS(1), "A", "B", "1/2/1970", "07700900001")
	whole := book{sheets: []bookSheet{{"P", "", list}}}.bytes(t)
	locked := bytes.Clone(whole)
	for i := 0; ; { // set the bit that says: encrypted, in the zip's list of contents
		j := bytes.Index(locked[i:], []byte("PK\x01\x02"))
		if j < 0 {
			break
		}
		locked[i+j+8] |= 1
		i += j + 4
	}
	torn := bytes.Clone(whole)
	copy(torn[bytes.Index(torn, []byte("sheet1.xml"))+10:], strings.Repeat("\x00", 40))
	lying := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(lying[len(lying)-22+12:], 1<<30)
	ods := func() []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		_, _ = z.Create("content.xml")
		_ = z.Close()
		return b.Bytes()
	}()
	for _, tt := range []struct {
		name, code string
		file       []byte
	}{
		{"no list in it", NoHeader, book{sheets: []bookSheet{{"P", "", inline(1, "", "Read me")}}}.bytes(t)},
		{"no mobiles", NoMobileColumn, book{sheets: []bookSheet{{"Notes", "", inline(1, "", "Read me")}, {"P", "", inline(1, "", "NHS number", "Date of birth") + inline(2, "", "1", "2")}}}.bytes(t)},
		{"empty", FileEmpty, book{sheets: []bookSheet{{"P", "", ""}}}.bytes(t)},
		{"hidden only", NoHeader, book{sheets: []bookSheet{{"P", "hidden", list}}}.bytes(t)},
		{"password", WorkbookLocked, locked},
		{"torn", WorkbookDamaged, torn},
		{"cut off", WorkbookDamaged, whole[:len(whole)-100]},
		{"a list of contents that lies", WorkbookDamaged, lying},
		{"XML that breaks off", WorkbookDamaged, book{sheets: []bookSheet{{"P", "", list + "<row"}}}.bytes(t)},
		{"a text that is not there", WorkbookDamaged, book{sheets: []bookSheet{{"P", "", `<row><c t="s"><v>7</v></c></row>`}}}.bytes(t)},
		{"a row beyond all", WorkbookDamaged, book{sheets: []bookSheet{{"P", "", inline(99999999, "", bookHead...)}}}.bytes(t)},
		{"one text that never ends", WorkbookDamaged, book{sheets: []bookSheet{{"P", "", list + "<row><c t=\"inlineStr\"><is><t>" + strings.Repeat("x", 3<<20)}}}.bytes(t)},
		{"entities of its own", WorkbookDamaged, book{sheets: []bookSheet{{"P", "", list + inline(3, "", "&lol;")}}}.bytes(t)},
		{"open document", FileNotText, ods},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewReader(bytes.NewReader(tt.file), Options{Today: today, Size: int64(len(tt.file))})
			for err == nil {
				_, err = r.Next()
			}
			var no *FileError
			if !errors.As(err, &no) || no.Code != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
	if _, err := NewReader(io.MultiReader(bytes.NewReader(whole)), Options{Today: today}); err == nil {
		t.Error("a workbook was read from a stream")
	}
}

// A file that is packed a thousand times smaller than it is must not fill the memory.
func TestWorkbook_memory(t *testing.T) {
	var before, after runtime.MemStats
	bomb := book{sheets: []bookSheet{{"P", "", inline(1, "", bookHead...) + strings.Repeat(inline(2, "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b", "c"), 300_000)}}}.bytes(t)
	if len(bomb) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, err := NewReader(bytes.NewReader(bomb), Options{Today: today, Size: int64(len(bomb))})
	n, most := 0, uint64(0)
	for err == nil {
		if _, err = r.Next(); n%50_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc)
		}
		n++
	}
	if !errors.Is(err, io.EOF) || n != 300_001 {
		t.Fatalf("%d rows: %v", n, err)
	}
	if most > before.HeapAlloc+8<<20 {
		t.Errorf("%d MB of memory", (most-before.HeapAlloc)>>20)
	}
	texts := sharedTexts{}
	for err = nil; err == nil; {
		err = texts.add(bytes.Repeat([]byte("x"), maxCellBytes))
	}
	if !errors.Is(err, errWorkbookLarge) || texts.n != maxTextBytes/maxCellBytes {
		t.Errorf("%d texts: %v", texts.n, err)
	}
}

func TestLook(t *testing.T) {
	odd := "who,when,ring,Surname\n" + testNHS(1) + ",01/02/1970,07700900001,Singh\n" + testNHS(2) + ",01/02/1971,07700900002,Roe\n"
	p, err := Look(strings.NewReader(odd), Options{Today: today}, 5)
	if err != nil || fmt.Sprint(p.Missing) != "[nhs_number date_of_birth mobile]" || len(p.Rows) != 2 || p.Rows[1][3] != "Roe" || fmt.Sprint(p.Fields) != "[   family_name]" {
		t.Fatalf("%+v %v", p, err)
	}
	// What a person says the columns are is how they are read, also if no name is known and a name says otherwise.
	opt := Options{Today: today, HeaderLine: p.HeaderLine, Fields: []Field{FieldNHSNumber, FieldBirthDate, FieldMobile, ""}}
	rows, _ := mustRead(t, odd, opt)
	if len(rows) != 2 || rows[0].Rejected != "" || !rows[0].Patient.Name.IsZero() {
		t.Errorf("%+v", rows)
	}
	unknown := "a,b,c,d\n" + strings.SplitN(odd, "\n", 2)[1]
	if p, err = Look(strings.NewReader(unknown), Options{Today: today}, 1); err != nil || p.HeaderLine != 1 || len(p.Rows) != 1 {
		t.Errorf("%+v %v", p, err)
	}
	if rows, _ = mustRead(t, unknown, opt); len(rows) != 2 || rows[0].Rejected != "" {
		t.Errorf("%+v", rows)
	}
	opt.Fields = opt.Fields[:2]
	if _, err = NewReader(strings.NewReader(odd), opt); err == nil {
		t.Error("a mapping for another file was used")
	}
}

func TestNeeds(t *testing.T) {
	rows, _ := mustRead(t, "NHS Number,Date of Birth,Mobile,Conditions\n"+testNHS(1)+",01/02/1970,07700900001,\"Frailty; copd|none,  frailty\"\n"+testNHS(2)+",01/02/1970,07700900002,\n", Options{})
	if rows[0].Patient.Needs != "FRAILTY;COPD" || rows[1].Patient.Needs != "" {
		t.Errorf("%q %q", rows[0].Patient.Needs, rows[1].Patient.Needs)
	}
}
