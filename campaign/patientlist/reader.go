package patientlist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
)

// DefaultMaxBytes is the largest file that is read: some ten million patients.
const DefaultMaxBytes = 2 << 30

// Options of NewReader.
type Options struct {
	// Mapping gives the column names of fields that are not to be recognised
	// by their usual names.
	Mapping map[Field]string
	// Today, in London time, bounds dates of birth. Required.
	Today time.Time
	// DefaultPractice is the ODS code for files without such a column.
	DefaultPractice string
	// MaxBytes is the largest file to read; 0 is DefaultMaxBytes.
	MaxBytes int64
	// Size of the file in bytes if it is known: a file that is too large is
	// then refused before it is read. A workbook cannot be read without it.
	Size int64
	// Shelf makes a place for the texts of a large workbook, which then are not kept in memory; nil keeps them there, bounded.
	Shelf func() (Shelf, error)
	// What an earlier Look found and a person confirmed: the line of the column
	// names, the sheet of a workbook, and what each column means, "" for
	// nothing. With Fields nothing is recognised, and Mapping is not used.
	HeaderLine int
	Sheet      string
	Fields     []Field

	look bool // be content with any line of names
}

// Patient is a readable row.
type Patient struct {
	NHSNumber    person.NHSNumber
	Name         person.Name
	BirthDate    person.BirthDate
	Phone        person.Phone
	Postcode     person.Postcode
	Sex          string // "female", "male", "other" or "" for not known
	Practice     string // ODS code such as N83006, "" if the file has none
	Language     string // as the file has it
	Dead         bool
	Dissent      bool   // from texts
	DoNotContact bool   // or no longer the practice's patient
	Needs        string // codes of needs in capitals, parted by ";"; health data
}

// Cells is a row as it stood in the file, for the download of rows that were
// not invited. It hides itself like the types of package person.
type Cells struct {
	text  string
	delim byte
}

// Reveal gives the cells.
func (c Cells) Reveal() []string {
	if c.delim == 0 {
		return nil
	}
	cells, _, _ := split(c.text, c.delim, nil)
	return cells
}

func (Cells) String() string               { return "[redacted]" }
func (Cells) GoString() string             { return "[redacted]" }
func (Cells) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (Cells) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
func (Cells) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, "[redacted]") }

// Row is one patient's row.
type Row struct {
	Number   int  // 1 for the first row below the column names
	Line     int  // of the file, 1 for its first: what an editor shows
	Rejected Code // "" if the row could be read; Patient is empty if not
	Patient  Patient
	Cells    Cells
}

// Found is what NewReader found out about a file, to be shown to the person
// who chose it.
type Found struct {
	Encoding   string // "UTF-8", "Windows-1252", "UTF-16" or "Excel"
	Delimiter  string
	HeaderLine int
	Header     []string
	Columns    map[Field]string // the column that was taken for each field
	Sheet      string           // of a workbook
	// Dates of birth have the month first, and are read so; years of birth have two figures, and are read where one century is possible only.
	MonthFirst, ShortYears bool
	// OtherSheets are those of the workbook that look like patient lists too. They are not read.
	OtherSheets []string
	// TakenOn is the day on which the list was taken from the GP system, as the lines above and below it say: midnight UTC, zero if they do not.
	// What stands below is known at the end. TakenOdd is a day that they say and that nobody can believe: in the future, or long ago.
	TakenOn, TakenOdd time.Time
}

// Reader reads a patient list. It is not safe for concurrent use.
type Reader struct {
	lines   lines
	limit   *limitReader
	opt     Options
	found   Found
	delim   byte
	columns columns
	cells   []string // of the current record
	intern  map[string]string

	sheet     *sheetText // of a workbook; nil for text
	sheetPart sheetPart

	wrapped    bool // each line stands in quotation marks as a whole
	feeds      bool // lines end with a line feed
	monthFirst bool // in dates of birth of figures alone
	takenWeak  bool // the day on which the list was taken is a guess
	width      int  // cells that a row has
	needed     int  // index of the last column that a row cannot do without
	line       int  // the next record's
	row        int
	afterBlank bool
	err        error // sticks
}

// NewReader finds the column names. Its errors are *FileError for a file that
// is no patient list, and otherwise the source's own.
func NewReader(src io.Reader, opt Options) (*Reader, error) {
	if opt.Today.IsZero() {
		panic("patientlist: Options.Today is not set")
	}
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = DefaultMaxBytes
	}
	tooLarge := &FileError{FileTooLarge, fmt.Sprintf("This file is larger than %s, which no patient list is. Check that you chose the right file.", humanBytes(opt.MaxBytes))}
	if opt.Size > opt.MaxBytes {
		return nil, tooLarge
	}
	r := &Reader{opt: opt, intern: map[string]string{}, line: 1}
	r.limit = &limitReader{src: src, max: opt.MaxBytes, tooLarge: tooLarge}
	head := make([]byte, sniffLen)
	n, err := io.ReadFull(r.limit, head)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, wrapRead(err)
	}
	head = head[:n]
	if at, ok := src.(io.ReaderAt); ok && isZip(head) && opt.Size > 0 {
		return newBook(at, opt)
	}
	enc, name, ferr := sniff(head)
	if ferr != nil {
		return nil, ferr
	}
	r.found.Encoding = name
	var text io.Reader = io.MultiReader(bytes.NewReader(head), r.limit)
	if enc != utf8ish {
		text = &utf16Reader{src: text, big: enc == utf16BE}
	}
	r.lines = lines{src: text}
	for r.lines.end < sniffLen && r.lines.fill() {
	}
	window := r.lines.buf[:r.lines.end]
	if len(bytes.Trim(window, "\uFEFF \t\r\n\x00")) == 0 && r.lines.err != nil {
		return nil, errEmpty
	}
	r.feeds = bytes.IndexByte(window[:min(len(window), sniffLen)], '\n') >= 0
	if err := r.findHeader(); err != nil {
		return nil, err
	}
	return r, nil
}

// Close lets go of what a large workbook needs. The source stays open.
func (r *Reader) Close() error {
	if r.sheet == nil {
		return nil
	}
	return r.sheet.b.texts.close()
}

// Found tells what NewReader found out.
func (r *Reader) Found() Found { return r.found }

// Offset is the number of bytes read so far, for a progress bar.
func (r *Reader) Offset() int64 {
	if r.sheet != nil {
		return r.sheet.offset(&r.sheetPart)
	}
	return r.limit.n
}

// findHeader tries every delimiter on every record near the start, and takes
// the record in which most fields are recognised.
func (r *Reader) findHeader() error {
	const searchRecords = 100
	type candidate struct {
		delim    byte
		names    []string
		cols     columns
		missing  []string
		line     int // of the record
		next     int // window offset behind it
		nextLine int
		score    int
		wrapped  bool
	}
	var best candidate
	delims := []byte{',', ';', '\t', '|'}
	if r.sheet != nil {
		delims = []byte{sheetDelim}
	}
	// A list that a spreadsheet took for one column is tried last.
	for _, r.wrapped = range []bool{false, true} {
		if len(best.names) > 1 || r.wrapped && r.sheet != nil {
			break
		}
		for _, delim := range delims {
			off, line := 0, 1
			for range searchRecords {
				rec, err := r.record(off, delim, nil)
				if err != nil || off > sniffLen {
					break
				}
				cols, missing := r.meant(line, rec.cells)
				// A name that the mapping gives weighs more than one recognised.
				score := len(cols.at) + 20*(len(r.opt.Mapping)-len(missing))
				if _, ok := cols.at[FieldMobile]; ok {
					score += 2
				}
				if r.opt.look && score == 0 && len(rec.cells) > 2 && !looksLikeData(rec.cells) && !slices.Contains(rec.cells, "") {
					score = 1 // names that we do not know are names
				}
				if !rec.bad && score > best.score {
					best = candidate{delim: delim, names: slices.Clone(rec.cells), cols: cols, missing: missing, line: line, next: rec.next, nextLine: line + rec.lines, score: score, wrapped: r.wrapped}
				}
				off, line = rec.next, line+rec.lines
			}
		}
	}
	r.wrapped = best.wrapped
	if len(best.cols.at) < 2 && (len(best.names) < 2 || looksLikeData(best.names)) || len(best.cols.at) == 0 && best.score == 0 {
		return &FileError{NoHeader, "We could not find the line with the column names, such as “NHS number” and “Mobile telephone”. Export the list with its column names."}
	}
	if len(best.missing) > 0 {
		return &FileError{NoSuchColumn, fmt.Sprintf("The file has no column called %s. %s", quoted(best.missing), namesFound(best.names))}
	}
	for _, want := range []struct {
		field Field
		code  string
		what  string
	}{
		{FieldMobile, NoMobileColumn, "mobile numbers"},
		{FieldNHSNumber, NoNHSNumberColumn, "NHS numbers"},
		{FieldBirthDate, NoBirthDateColumn, "dates of birth"},
	} {
		i, ok := best.cols.at[want.field]
		if !ok && r.opt.look {
			continue
		}
		if !ok {
			return &FileError{want.code, fmt.Sprintf("We could not find a column with %s. %s Add the column to the export, or say which one it is.", want.what, namesFound(best.names))}
		}
		r.needed = max(r.needed, i)
	}
	r.delim, r.columns, r.width = best.delim, best.cols, len(best.names)
	r.found.Delimiter, r.found.HeaderLine, r.found.Header = string(best.delim), best.line, best.names
	r.found.Columns = map[Field]string{}
	for f, i := range best.cols.at {
		r.found.Columns[f] = best.names[i]
	}
	above := r.linesAbove(best.next, best.delim)
	r.lines.start += best.next
	r.line = best.nextLine
	r.learnWidth()
	r.learnDates()
	for _, cells := range above {
		r.noteTaken(cells)
	}
	return nil
}

// meant tells what a line's cells mean as column names.
func (r *Reader) meant(line int, names []string) (columns, []string) {
	if r.opt.Fields == nil {
		return mapColumns(names, r.opt.Mapping)
	}
	cols := columns{at: map[Field]int{}}
	if line == r.opt.HeaderLine && len(names) == len(r.opt.Fields) {
		for i, f := range r.opt.Fields {
			if f != "" {
				cols.add(f, i)
			}
		}
	}
	return cols, nil
}

// learnWidth allows for files whose rows all have a column more than the
// header names. A single such row would be one that has slipped.
func (r *Reader) learnWidth() {
	widths := map[int]int{}
	total, off := 0, 0
	for range 50 {
		rec, err := r.record(off, r.delim, nil)
		if err != nil || off > sniffLen {
			break
		}
		off = rec.next
		if n := len(rec.cells); n > r.needed && !rec.bad {
			widths[n]++
			total++
		}
	}
	for n, count := range widths {
		if n > r.width && count >= 3 && count*10 > total*6 {
			r.width = n
		}
	}
}

// learnDates finds out whether dates of birth have the month first, as American spreadsheets write them: some cannot be read in any other
// way, and none has the day first.
func (r *Reader) learnDates() {
	const enough = 3
	at, known := r.columns.at[FieldBirthDate]
	total, month, day, short, off := 0, 0, 0, 0, 0
	for known {
		rec, err := r.record(off, r.delim, nil)
		if err != nil || off > sniffLen {
			break
		}
		off = rec.next
		if rec.bad || at >= len(rec.cells) || strings.TrimSpace(rec.cells[at]) == "" {
			continue
		}
		total++
		first, second, year, ok := figures(rec.cells[at])
		if ok && len(year) == 2 {
			short++
		}
		switch {
		case !ok:
		case first <= 12 && second > 12 && second <= 31:
			month++
		case second <= 12 && first > 12 && first <= 31:
			day++
		}
	}
	r.monthFirst = month >= enough && day == 0 && month*4 >= total
	r.found.MonthFirst, r.found.ShortYears = r.monthFirst, short >= enough && short*4 >= total
}

// figures takes a date of figures alone apart that ends with its year: 8/2/1970.
func figures(s string) (first, second int, year string, ok bool) {
	parts := strings.FieldsFunc(strings.TrimSpace(s), func(c rune) bool { return c == '/' || c == '-' || c == '.' })
	if len(parts) != 3 || len(parts[0]) > 2 || len(parts[1]) > 2 {
		return 0, 0, "", false
	}
	year, _, _ = strings.Cut(parts[2], " ")
	first, err1 := strconv.Atoi(parts[0])
	second, err2 := strconv.Atoi(parts[1])
	return first, second, year, err1 == nil && err2 == nil && (len(year) == 2 || len(year) == 4)
}

// dayFirst turns such a date round.
func dayFirst(s string) string {
	if month, day, year, ok := figures(s); ok {
		return fmt.Sprintf("%d/%d/%s", day, month, year)
	}
	return s
}

// Next gives the next row, and io.EOF behind the last one. Any other error
// means that the file cannot be used, and neither can the rows before.
func (r *Reader) Next() (Row, error) {
	for r.err == nil {
		rec, err := r.record(0, r.delim, r.fits)
		line := r.line
		switch {
		case errors.Is(err, errLongLine):
			rec = record{text: decodeText(r.lines.drop()), lines: 1, bad: true}
		case err != nil:
			r.err = r.atEnd()
			continue
		default:
			r.lines.start += rec.next
		}
		no, changed := r.notARow(&rec)
		r.line += rec.lines
		switch {
		case changed != nil:
			r.err = changed
			continue
		case no:
			r.noteTaken(rec.cells)
			continue
		}
		r.afterBlank = false
		r.row++
		row := Row{Number: r.row, Line: line, Cells: Cells{text: rec.text, delim: r.delim}}
		row.Patient, row.Rejected = r.patient(&rec)
		switch { // whoever hid it or crossed it out may have meant: not this one
		case r.sheet == nil:
		case r.sheet.hidden.has(line):
			row.Patient, row.Rejected = Patient{}, RowHidden
		case r.sheet.struck.has(line):
			row.Patient, row.Rejected = Patient{}, RowStruck
		}
		if row.Rejected == RowUnreadable || row.Rejected == NHSNumberInvalid { // or what a report says of itself below its table
			r.noteTaken(rec.cells)
		}
		return row, nil
	}
	return Row{}, r.err
}

func (r *Reader) atEnd() error {
	switch {
	case !errors.Is(r.lines.err, io.EOF):
		return wrapRead(r.lines.err)
	case r.row == 0:
		return &FileError{FileEmpty, "This file has column names but no patients below them. Export the list again, and choose the new file."}
	}
	return io.EOF
}

func wrapRead(err error) error {
	var fe *FileError
	if errors.As(err, &fe) {
		return fe
	}
	return fmt.Errorf("read patient list: %w", err)
}

// fits says whether a row of so many cells can be what the file means.
func (r *Reader) fits(n int) bool { return n == r.width || n == len(r.found.Header) }

// patient reads a row. The order of the tests is a promise: see Code.
func (r *Reader) patient(rec *record) (Patient, Code) {
	if rec.bad || !r.whole(rec) {
		return Patient{}, RowUnreadable
	}
	nhs, err := person.ParseNHSNumber(r.cell(rec, FieldNHSNumber))
	if err != nil && r.sheet != nil {
		nhs, err = withoutNought(r.cell(rec, FieldNHSNumber))
	}
	if err != nil {
		return Patient{}, NHSNumberInvalid
	}
	s := r.birthCell(rec)
	if r.monthFirst {
		s = dayFirst(s)
	}
	born, err := person.ParseListedBirthDate(s, r.opt.Today)
	if err != nil {
		return Patient{}, DateOfBirthInvalid
	}
	mobile := r.cell(rec, FieldMobile)
	phone, err := person.ParseMobile(mobile)
	switch {
	case err == nil && (mobile[0] == '7' || mobile[0] == '4') && strings.HasSuffix(strings.TrimSuffix(mobile, ".0"), "000000"):
		return Patient{}, MobileDamaged // 7.7E+09, saved once more; a number with its nought never was one to a spreadsheet
	case err == nil:
	case errors.Is(err, person.ErrMobileMissing):
		return Patient{}, MobileMissing
	case errors.Is(err, person.ErrMobileDamaged):
		return Patient{}, MobileDamaged
	case errors.Is(err, person.ErrMobileNotMobile):
		return Patient{}, MobileNotMobile
	default:
		return Patient{}, MobileInvalid
	}
	if len(rec.cells) > r.width && r.slipped(rec.cells) {
		return Patient{}, RowUnreadable // behind the number: what stands before it has its own reason by now
	}
	p := Patient{
		NHSNumber: nhs, BirthDate: born, Phone: phone,
		Name:     r.name(rec),
		Sex:      readSex(r.cell(rec, FieldSex)),
		Practice: r.practice(r.cell(rec, FieldPractice)),
		Language: r.shared(r.cell(rec, FieldLanguage)),
		Needs:    r.needs(r.cell(rec, FieldNeeds)),
	}
	p.Postcode, _ = person.ParsePostcode(r.cell(rec, FieldPostcode)) // one that cannot be read is not known
	p.Dead = isDead(r.cell(rec, FieldFullName)) || isDead(r.cell(rec, FieldFamilyName)) || isDead(r.cell(rec, FieldGivenName))
	for _, s := range r.columns.signs {
		if s.index >= len(rec.cells) {
			continue
		}
		v := strings.TrimSpace(rec.cells[s.index])
		switch s.field {
		case FieldDeath:
			p.Dead = p.Dead || saysYes(v)
		case FieldStatus:
			p.Dead = p.Dead || saysDead(v)
			p.DoNotContact = p.DoNotContact || saysLeft(v)
		case FieldDissent:
			p.Dissent = p.Dissent || saysDissent(v)
		case FieldConsent:
			p.Dissent = p.Dissent || deniesConsent(v)
		case FieldDoNotContact:
			p.DoNotContact = p.DoNotContact || saysYes(v)
		case FieldLeft:
			p.DoNotContact = p.DoNotContact || hasLeft(v)
		case FieldRegistered:
			p.DoNotContact = p.DoNotContact || deniesRegistered(v)
		}
	}
	return p, ""
}

// withoutNought reads a number that a spreadsheet took for a quantity. Only Scottish ones begin with a nought: they begin with a day and a
// month, and what does not is a number that lacks a digit.
func withoutNought(s string) (person.NHSNumber, error) {
	if len(s) != 9 || strings.Trim(s, "0123456789") != "" || s[0] == '0' || s[1:3] < "01" || s[1:3] > "12" {
		return person.NHSNumber{}, person.ErrNHSNumberInvalid
	}
	return person.ParseNHSNumber("0" + s)
}

// birthCell is the cell with the date of birth. Days that a workbook counts from 1904 are made ones from 1900.
func (r *Reader) birthCell(rec *record) string {
	s := r.cell(rec, FieldBirthDate)
	if r.sheet == nil || !r.sheet.b.date1904 || len(s) < 4 || len(s) > 5 {
		return s
	}
	days, err := strconv.Atoi(s)
	if err != nil {
		return s
	}
	return strconv.Itoa(days + 1462)
}

const (
	maxNeeds   = 20 // of one patient
	maxNeedLen = 40 // longer is a sentence, not a code
)

// needs reads codes such as "Frailty, COPD": FRAILTY;COPD.
func (r *Reader) needs(s string) string {
	if s == "" {
		return ""
	}
	var codes []string
	for _, c := range strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(",;|/\n", c) }) {
		c = strings.ToUpper(squash(c))
		if c != "" && len(c) <= maxNeedLen && !saysNo(c) && !slices.Contains(codes, c) && len(codes) < maxNeeds {
			codes = append(codes, c)
		}
	}
	return r.shared(strings.Join(codes, ";"))
}

// whole says whether a row has the columns it needs and has not slipped: with
// a cell too many, the sign that somebody died may stand under another name.
func (r *Reader) whole(rec *record) bool {
	n := len(rec.cells)
	if n > r.width {
		for _, c := range rec.cells[r.width:] {
			if strings.TrimSpace(c) != "" {
				return false
			}
		}
	}
	if rec.stray && !r.fits(n) {
		return false
	}
	// Spreadsheets leave out empty cells at the end of a row: in a workbook as many as there are, since no row of it can be cut off.
	return r.sheet != nil || n > r.needed || n == r.needed && r.needed == len(r.found.Header)-1
}

// slipped says of a row with empty cells too many that its cells stand under names which are not theirs: "1 Mill Lane, Huyton" without its
// marks. The last cells being empty, only what stands in the wrong place tells it from a row that merely ends with some commas.
func (r *Reader) slipped(cells []string) bool {
	if i, ok := r.columns.at[FieldPractice]; ok && i+1 < len(cells) && strings.TrimSpace(cells[i]) != "" && !hasODS(cells[i]) && hasODS(cells[i+1]) {
		return true
	}
	if i, ok := r.columns.at[FieldPostcode]; ok && i+1 < len(cells) && strings.TrimSpace(cells[i]) != "" {
		_, here := person.ParsePostcode(cells[i])
		_, there := person.ParsePostcode(cells[i+1])
		if here != nil && there == nil {
			return true
		}
	}
	return slices.ContainsFunc(r.columns.signs, func(s sign) bool {
		return s.field == FieldConsent && s.index < len(cells) && !aboutConsent(strings.TrimSpace(cells[s.index]))
	})
}

func (r *Reader) cell(rec *record, f Field) string {
	i, ok := r.columns.at[f]
	if !ok || i >= len(rec.cells) {
		return ""
	}
	v := strings.TrimSpace(rec.cells[i])
	if t, ok := strings.CutPrefix(v, `="`); ok { // a spreadsheet's way to say: leave this as it is
		v = strings.TrimSuffix(t, `"`)
	}
	return v
}

func (r *Reader) name(rec *record) person.Name {
	given, family := r.cell(rec, FieldGivenName), r.cell(rec, FieldFamilyName)
	if given == "" && family == "" {
		if whole := r.cell(rec, FieldFullName); whole != "" {
			return person.SplitListed(whole)
		}
	}
	return person.NewName(given, family)
}

// shared keeps one copy of what thousands of rows have in common.
func (r *Reader) shared(s string) string {
	if v, ok := r.intern[s]; ok || s == "" {
		return v
	}
	v := strings.Clone(s)
	if len(r.intern) < 10000 {
		r.intern[v] = v
	}
	return v
}

// practice gives the ODS code, also out of "The Surgery (N83006)".
func (r *Reader) practice(s string) string {
	if s == "" {
		return r.opt.DefaultPractice
	}
	if v, ok := r.intern[s]; ok {
		return v
	}
	code := strings.ToUpper(s)
	if i := odsIn(code); i >= 0 {
		code = code[i : i+odsLen]
	}
	if len(r.intern) < 10000 {
		r.intern[strings.Clone(s)] = code
	}
	return code
}

const odsLen = 6

// odsIn finds an ODS code of a practice in a text of capitals, or says -1.
func odsIn(s string) int {
	for i := 0; i+odsLen <= len(s); i++ {
		alone := (i == 0 || !isAlnum(s[i-1])) && (i+odsLen == len(s) || !isAlnum(s[i+odsLen]))
		if alone && s[i] >= 'A' && s[i] <= 'Z' && strings.Trim(s[i+1:i+odsLen], "0123456789") == "" {
			return i
		}
	}
	return -1
}

func hasODS(s string) bool { return odsIn(strings.ToUpper(s)) >= 0 }

func isAlnum(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// looksLikeData tells a patient's row from a line of column names, which hold no phone numbers, dates or NHS numbers.
func looksLikeData(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		digits := 0
		for _, c := range []byte(n) {
			if c >= '0' && c <= '9' {
				digits++
			}
		}
		return digits >= 4
	})
}

// namesFound tells which columns there are, unless it might tell of a patient: a list without column names begins with one.
func namesFound(names []string) string {
	if looksLikeData(names) {
		return "Look at its line with the column names."
	}
	var shown []string
	for _, n := range names {
		if n = squash(n); n != "" && len(n) <= 60 {
			shown = append(shown, n)
		}
	}
	if len(shown) > 30 {
		shown = append(shown[:30], fmt.Sprintf("and %d more", len(shown)-30))
	}
	return "The columns are: " + strings.Join(shown, ", ") + "."
}

func quoted(names []string) string {
	return "“" + strings.Join(names, "” or “") + "”"
}

func humanBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.3g GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.3g MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// Fields lists all fields in the order of their names, for a mapping screen.
func Fields() []Field { return slices.Sorted(maps.Keys(aliases)) }
