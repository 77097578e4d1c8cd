package patientlist

import (
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sheetDelim parts the cells of a sheet when it is read as lines. No cell has one: it becomes a space.
const sheetDelim = '\t'

// sheetText reads a sheet as text, a line per row, so that rows keep the numbers which the spreadsheet shows. What formulas came to is what
// the program that saved the workbook reckoned.
type sheetText struct {
	b      *workbook
	part   *part
	packed *countReader
	line   int // rows written
	out    []byte
	cells  []string
	filled int
	hidden rowSet // that the spreadsheet does not show
	struck rowSet // of which a cell is crossed out
	err    error
}

// rowSet is a set of the rows of a sheet.
type rowSet [maxSheetRows/64 + 1]uint64

func (s *rowSet) add(row int) { s[row/64] |= 1 << (row % 64) }

func (s *rowSet) has(row int) bool {
	return row > 0 && row <= maxSheetRows && s[row/64]&(1<<(row%64)) != 0
}

// countReader tells how far a sheet has been read, for a progress bar.
type countReader struct {
	src io.Reader
	n   int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.n += int64(n)
	return n, err
}

func (b *workbook) open(s sheetPart) (*sheetText, error) {
	p, err := openPart(s.part)
	if err != nil {
		return nil, err
	}
	t := &sheetText{b: b, part: p, packed: &countReader{src: p.g.src}}
	p.g.src = t.packed
	return t, nil
}

// offset is how far the sheet has been read, as a place in the file.
func (s *sheetText) offset(of *sheetPart) int64 {
	whole := float64(max(1, of.part.UncompressedSize64))
	return int64(float64(s.b.size) * min(1, float64(s.packed.n)/whole))
}

func (s *sheetText) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.err = s.row(); s.err != nil {
			_ = s.part.file.Close() // it was only read
		}
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

// row writes the next row, with an empty line for each that the sheet leaves out before it. At the end it reads on to the end of the part:
// only there is its checksum known.
func (s *sheetText) row() error {
	for {
		t, err := s.part.next()
		if errors.Is(err, io.EOF) { // the texts' checksum too is known only at their end
			err = cmp.Or(s.b.texts.read(maxTexts), err)
		}
		if err != nil {
			return err
		}
		el, ok := t.(xml.StartElement)
		if !ok || el.Name.Local != "row" {
			continue
		}
		number, err := strconv.Atoi(attr(el, "r"))
		if err != nil || number <= s.line {
			number = s.line + 1
		}
		if number > maxSheetRows {
			return errWorkbookDamaged
		}
		if height, err := strconv.ParseFloat(attr(el, "ht"), 64); truth(attr(el, "hidden")) || err == nil && height == 0 {
			s.hidden.add(number)
		}
		if err := s.rowCells(number); err != nil {
			return err
		}
		s.out = s.out[:0]
		for ; s.line < number-1; s.line++ {
			s.out = append(s.out, '\n')
		}
		s.line++
		for i, c := range s.cells[:s.filled] {
			if i > 0 {
				s.out = append(s.out, sheetDelim)
			}
			s.out = appendCell(s.out, c)
		}
		s.out = append(s.out, '\n')
		return nil
	}
}

// rowCells reads the cells of the row that has begun.
func (s *sheetText) rowCells(number int) error {
	clear(s.cells)
	s.filled = 0
	column := -1
	for {
		t, err := s.part.next()
		if err != nil {
			return unfinished(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local == "row" {
				return nil
			}
		case xml.StartElement:
			if t.Name.Local != "c" {
				continue
			}
			column++
			if at, ok := columnOf(attr(t, "r")); ok && at >= column {
				column = at
			}
			if column >= maxSheetColumns {
				return errWorkbookDamaged
			}
			text, err := s.cell(t)
			if err != nil {
				return err
			}
			if text == "" {
				continue
			}
			if s.b.struck && s.b.isStruck(attr(t, "s")) {
				s.struck.add(number)
			}
			for len(s.cells) <= column {
				s.cells = append(s.cells, "")
			}
			s.cells[column], s.filled = text, column+1
		}
	}
}

// columnOf reads the letters of a cell's place: AB12 is 27.
func columnOf(ref string) (int, bool) {
	n, i := 0, 0
	for ; i < len(ref) && i < 4 && ref[i]|0x20 >= 'a' && ref[i]|0x20 <= 'z'; i++ {
		n = n*26 + int(ref[i]|0x20-'a') + 1
	}
	return n - 1, i > 0
}

// unreckoned stands for what a formula comes to if the workbook does not say. It must not pass for an empty cell: it may be a date of death.
const unreckoned = "#UNKNOWN!"

func (s *sheetText) cell(el xml.StartElement) (string, error) {
	kind, style := attr(el, "t"), attr(el, "s")
	var value []byte
	formula := false
	in := ""
	for {
		t, err := s.part.next()
		if err != nil {
			return "", unfinished(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch in = t.Name.Local; in {
			case "f":
				formula = true
			case "is":
				if value, err = s.part.text("is", value[:0]); err != nil {
					return "", err
				}
				in = ""
			}
		case xml.CharData:
			if in == "v" && len(value) < maxCellBytes {
				value = append(value, t...)
			}
		case xml.EndElement:
			if t.Name.Local != "c" {
				in = ""
				continue
			}
			if formula && len(value) == 0 && kind != "str" && kind != "inlineStr" { // an empty text is what some formulas come to
				return unreckoned, nil
			}
			return s.b.meaning(kind, style, string(value))
		}
	}
}

// meaning turns a cell's value into what the person at the spreadsheet means.
func (b *workbook) meaning(kind, style, v string) (string, error) {
	switch kind {
	case "s":
		if v == "" {
			return "", nil
		}
		i, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			return "", errWorkbookDamaged
		}
		return b.texts.text(i)
	case "b":
		if truth(v) {
			return "TRUE", nil
		}
		return "FALSE", nil
	case "str", "inlineStr", "e", "d":
		return v, nil
	}
	v = strings.TrimSpace(v)
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return v, nil //nolint:nilerr // text in a cell of numbers is text
	}
	if i, err := strconv.Atoi(style); err == nil && i >= 0 && i < len(b.styles) && b.styles[i].date && f >= 1 && f < 2958466 {
		return b.day(int(f + 1.01/24)), nil // a program that reckons in UTC writes the midnight of a summer's day as eleven in the evening before
	}
	if f != math.Trunc(f) || math.Abs(f) >= 1e15 {
		return v, nil
	}
	if f >= 1e10 && math.Mod(f, 1e6) == 0 {
		return strconv.FormatFloat(f, 'E', -1, 64), nil // six noughts at the end: rounded by a spreadsheet at some time before
	}
	return strconv.FormatFloat(f, 'f', -1, 64), nil
}

func (b *workbook) isStruck(style string) bool {
	i, err := strconv.Atoi(style)
	return err == nil && i >= 0 && i < len(b.styles) && b.styles[i].struck
}

// day turns a spreadsheet's count of days into a date.
func (b *workbook) day(n int) string {
	from := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case b.date1904:
		from = time.Date(1904, time.January, 1, 0, 0, 0, 0, time.UTC)
	case n < 61: // before the 29 February 1900 that never was
		from = from.AddDate(0, 0, 1)
	}
	return from.AddDate(0, 0, n).Format(time.DateOnly)
}

// appendCell writes a cell on a line.
func appendCell(out []byte, c string) []byte {
	c = strings.ReplaceAll(c, "_x000D_", " ") // how the format writes a carriage return
	quote := strings.IndexByte(c, '"') >= 0
	if quote {
		out = append(out, '"')
	}
	for i := range len(c) {
		switch c[i] {
		case '\t', '\n', '\r':
			out = append(out, ' ')
		case '"':
			out = append(out, '"', '"')
		default:
			out = append(out, c[i])
		}
	}
	if quote {
		out = append(out, '"')
	}
	return out
}

// newBook finds the first sheet that is a patient list.
func newBook(src io.ReaderAt, opt Options) (*Reader, error) {
	b, err := openWorkbook(src, opt.Size, opt.Shelf)
	if err != nil {
		return nil, wrapRead(err)
	}
	r, err := b.list(opt)
	if err != nil {
		return nil, errors.Join(err, b.texts.close())
	}
	return r, nil
}

func (b *workbook) list(opt Options) (*Reader, error) {
	var found *Reader
	var first error
	var covers [][]string
	for _, s := range b.sheets {
		if s.hidden || opt.Sheet != "" && (s.name != opt.Sheet || found != nil) {
			continue
		}
		r, err := b.reader(s, opt)
		if r != nil && err != nil {
			covers = append(covers, r.cover()...)
		}
		var no *FileError
		switch {
		case err == nil && (found == nil || !found.isWhole() && r.isWhole()): // a sheet of notes may have a word that looks like a column's name
			if found != nil {
				_ = found.sheet.part.file.Close()
			}
			found = r
		case err == nil:
			if r.isWhole() {
				found.found.OtherSheets = append(found.found.OtherSheets, s.name)
			}
			_ = r.sheet.part.file.Close()
		case !errors.As(err, &no):
			return nil, err
		case first == nil || no.Code != NoHeader && no.Code != FileEmpty:
			var was *FileError
			if !errors.As(first, &was) || was.Code == NoHeader || was.Code == FileEmpty {
				first = no
			}
		}
	}
	switch {
	case found != nil:
		for _, cells := range covers {
			found.noteTaken(cells)
		}
		return found, nil
	case first != nil:
		return nil, first
	case opt.Sheet != "":
		return nil, errWorkbookSheet
	case len(b.sheets) > 0:
		return nil, errSheetsHidden
	}
	return nil, errEmpty
}

// isWhole says whether a list has the columns that it cannot do without, which Look does not ask for.
func (r *Reader) isWhole() bool {
	return !slices.ContainsFunc(Needed, func(f Field) bool { _, there := r.columns.at[f]; return !there })
}

func (b *workbook) reader(s sheetPart, opt Options) (*Reader, error) {
	text, err := b.open(s)
	if err != nil {
		return nil, wrapRead(err)
	}
	r := &Reader{opt: opt, intern: map[string]string{}, line: 1, sheet: text, sheetPart: s}
	r.found.Encoding, r.found.Sheet = "Excel", s.name
	r.limit = &limitReader{src: text, max: maxPartBytes, tooLarge: errWorkbookLarge}
	r.lines = lines{src: r.limit}
	for r.lines.end < sniffLen && r.lines.fill() {
	}
	if r.lines.err != nil && !errors.Is(r.lines.err, io.EOF) {
		return nil, wrapRead(r.lines.err)
	}
	if len(strings.TrimSpace(string(r.lines.buf[:r.lines.end]))) == 0 {
		return nil, errEmpty
	}
	return r, r.findHeader()
}
