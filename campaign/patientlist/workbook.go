package patientlist

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
)

// What a workbook may hold. Somebody may send one that is made to burst: each of these is far above what a list of a million patients needs.
const (
	maxSheetRows    = 1 << 20  // what the format allows
	maxSheetColumns = 1 << 14  // likewise
	maxSheets       = 50       // that are looked at
	maxPartBytes    = 4 << 30  // of one unpacked part
	maxTokenBytes   = 1 << 20  // of one tag or text
	maxCellBytes    = 32 << 10 // of one cell; the rest is cut off
	maxDirectory    = 1 << 20  // of the zip's list of contents
	maxTexts        = 8 << 20  // different texts
	maxTextBytes    = 160 << 20
)

var (
	errWorkbookDamaged = &FileError{WorkbookDamaged, "This workbook is damaged, or only looks like one. Open it in your spreadsheet program, save it again as an Excel workbook (.xlsx) or as CSV, and choose the new file."}
	errWorkbookLarge   = &FileError{FileTooLarge, "This workbook holds more than a patient list does. Save the sheet with the patients as “CSV UTF-8 (comma delimited)”, and choose the new file."}
	errSheetsHidden    = &FileError{NoHeader, "All sheets of this workbook are hidden, and hidden sheets are not read. Show the one with the patients, save the workbook, and choose it again."}
	errWorkbookSheet   = &FileError{NoSuchSheet, "This workbook no longer has the sheet that was chosen. Upload it again."}
)

// workbook is an Excel workbook (XLSX): a zip of XML files. Nothing of it is unpacked to a disk: a sheet is read as a stream, and the texts
// that its cells share are kept in memory or, sealed, on a shelf.
type workbook struct {
	size     int64
	parts    map[string]*zip.File // by lower-case name
	sheets   []sheetPart
	texts    sharedTexts
	styles   []cellStyle
	struck   bool // some style is
	date1904 bool // days are counted from 1904, as old Macintosh programs did
}

// cellStyle is what a style says about the meaning of a cell.
type cellStyle struct{ date, struck bool }

type sheetPart struct {
	name   string
	part   *zip.File
	hidden bool
}

// isZip looks at a file's first bytes.
func isZip(head []byte) bool {
	return strings.HasPrefix(string(head[:min(4, len(head))]), "PK\x03\x04")
}

// openWorkbook reads all but the sheets. Its errors are *FileError, or the source's own.
func openWorkbook(src io.ReaderAt, size int64, newShelf func() (Shelf, error)) (*workbook, error) {
	if err := checkDirectory(src, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(src, size)
	if err != nil {
		return nil, errWorkbookDamaged
	}
	b := &workbook{size: size, parts: map[string]*zip.File{}, texts: sharedTexts{newShelf: newShelf}}
	for _, f := range z.File {
		b.parts[strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))] = f
	}
	main := b.target("", "officedocument", "xl/workbook.xml")
	switch {
	case strings.HasSuffix(strings.ToLower(main), ".bin"), b.parts["content.xml"] != nil:
		return nil, errSpreadsheet
	case b.parts[strings.ToLower(main)] != nil:
	default:
		return nil, errPacked
	}
	if err := b.readMain(main); err != nil {
		return nil, err
	}
	if len(b.sheets) == 0 { // a letter, or slides
		return nil, errNotText
	}
	if err := b.readStyles(b.target(main, "styles", "xl/styles.xml")); err != nil {
		return nil, err
	}
	if err := b.texts.begin(b.parts[strings.ToLower(b.target(main, "sharedstrings", "xl/sharedStrings.xml"))]); err != nil {
		return nil, err
	}
	return b, nil
}

// checkDirectory bounds the zip's list of contents before the library reads all of it.
func checkDirectory(src io.ReaderAt, size int64) error {
	const endLen = 22
	tail := make([]byte, min(size, endLen+1<<16))
	if _, err := src.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	at := strings.LastIndex(string(tail), "PK\x05\x06")
	if at < 0 || at+endLen > len(tail) {
		return errWorkbookDamaged
	}
	end := size - int64(len(tail)) + int64(at)
	length, offset := int64(binary.LittleEndian.Uint32(tail[at+12:])), int64(binary.LittleEndian.Uint32(tail[at+16:]))
	if length > maxDirectory || offset > end || end-offset > maxDirectory {
		return errWorkbookDamaged // files so large that they need other numbers are no patient lists either
	}
	return nil
}

// part is one XML file as a stream of tokens.
type part struct {
	d    *xml.Decoder
	g    *guard
	file io.ReadCloser
}

// guard stops a part that is unpacked to more than any list holds.
type guard struct {
	src   io.Reader
	n     int64
	since int // the last token
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.src.Read(p)
	g.n += int64(n)
	g.since += n
	switch {
	case g.n > maxPartBytes:
		return 0, errWorkbookLarge
	case g.since > maxTokenBytes:
		return 0, errWorkbookDamaged
	}
	return n, err
}

func openPart(f *zip.File) (*part, error) {
	if f.Flags&1 != 0 {
		return nil, errLocked
	}
	file, err := f.Open()
	if err != nil {
		return nil, workbookError(err)
	}
	p := &part{g: &guard{src: file}, file: file}
	p.d = xml.NewDecoder(bufio.NewReaderSize(p.g, 32<<10))
	p.d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errWorkbookDamaged } // the format knows UTF-8 only
	return p, nil
}

// next gives the next token, and io.EOF behind the last. Namespaces are not looked at: programs write them in many ways.
func (p *part) next() (xml.Token, error) {
	p.g.since = 0
	t, err := p.d.RawToken()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, workbookError(err)
	}
	return t, err
}

// workbookError tells what is the file's own fault from what is the source's.
func workbookError(err error) error {
	var fe *FileError
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &fe):
		return fe
	case errors.As(err, &syntax), errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrAlgorithm), errors.Is(err, zip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF),
		strings.HasPrefix(err.Error(), "flate:"), strings.HasPrefix(err.Error(), "xml:"):
		return errWorkbookDamaged
	}
	return err
}

// each walks the elements of a part. It is quiet about a part that is not there.
func (b *workbook) each(name string, see func(p *part, el xml.StartElement) error) error {
	f := b.parts[strings.ToLower(name)]
	if f == nil {
		return nil
	}
	p, err := openPart(f)
	if err != nil {
		return err
	}
	defer p.file.Close()
	for {
		t, err := p.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if el, ok := t.(xml.StartElement); ok {
			if err := see(p, el); err != nil {
				return err
			}
		}
	}
}

func attr(el xml.StartElement, name string) string {
	for _, a := range el.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func truth(s string) bool { return s == "1" || s == "true" }

// links reads what a part calls other parts: id -> name and kind.
func (b *workbook) links(from string) (byID map[string]string, byKind map[string]string, err error) {
	byID, byKind = map[string]string{}, map[string]string{}
	dir, file := path.Split(from)
	err = b.each(dir+"_rels/"+file+".rels", func(_ *part, el xml.StartElement) error {
		if el.Name.Local != "Relationship" || len(byID) > 1000 {
			return nil
		}
		to := attr(el, "Target")
		if !strings.HasPrefix(to, "/") {
			to = dir + to
		}
		to = strings.TrimPrefix(path.Clean(to), "/")
		byID[attr(el, "Id")] = to
		byKind[strings.ToLower(path.Base(attr(el, "Type")))] = to
		return nil
	})
	return byID, byKind, err
}

// target finds the part of a kind that another part names, or its usual name.
func (b *workbook) target(from, kind, usual string) string {
	if _, byKind, err := b.links(from); err == nil && byKind[kind] != "" {
		return byKind[kind]
	}
	return usual
}

func (b *workbook) readMain(name string) error {
	byID, _, err := b.links(name)
	if err != nil {
		return err
	}
	return b.each(name, func(_ *part, el xml.StartElement) error {
		switch el.Name.Local {
		case "workbookPr":
			b.date1904 = truth(attr(el, "date1904"))
		case "sheet":
			if f := b.parts[strings.ToLower(byID[attr(el, "id")])]; f != nil && len(b.sheets) < maxSheets {
				b.sheets = append(b.sheets, sheetPart{attr(el, "name"), f, strings.HasSuffix(strings.ToLower(attr(el, "state")), "hidden")})
			}
		}
		return nil
	})
}

// readStyles finds out which cells show a number as a date, and which are crossed out.
func (b *workbook) readStyles(name string) error {
	own := map[string]bool{}
	var struckFonts []bool
	inCells, inFonts := false, false
	return b.each(name, func(_ *part, el xml.StartElement) error {
		switch el.Name.Local {
		case "numFmt":
			if len(own) < 10000 {
				own[attr(el, "numFmtId")] = isDateFormat(attr(el, "formatCode"))
			}
		case "fonts":
			inFonts = true
		case "font":
			if inFonts && len(struckFonts) < 1<<16 {
				struckFonts = append(struckFonts, false)
			}
		case "strike":
			if v := attr(el, "val"); inFonts && len(struckFonts) > 0 {
				struckFonts[len(struckFonts)-1] = v == "" || truth(v)
				b.struck = true
			}
		case "cellXfs":
			inCells, inFonts = true, false
		case "cellStyles", "dxfs", "cellStyleXfs", "fills":
			inCells, inFonts = false, false
		case "xf":
			if inCells && len(b.styles) < 1<<17 {
				id := attr(el, "numFmtId")
				date, known := own[id]
				n, _ := strconv.Atoi(id)
				font, err := strconv.Atoi(attr(el, "fontId"))
				b.styles = append(b.styles, cellStyle{
					date:   date || !known && (n >= 14 && n <= 17 || n == 22 || n >= 27 && n <= 36 || n >= 50 && n <= 58),
					struck: err == nil && font >= 0 && font < len(struckFonts) && struckFonts[font],
				})
			}
		}
		return nil
	})
}

// isDateFormat says whether a number's format shows a day or a year: dd/mm/yyyy does, 0.00 and h:mm do not.
func isDateFormat(code string) bool {
	code, _, _ = strings.Cut(code, ";")
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '"', '[':
			end := map[byte]byte{'"': '"', '[': ']'}[code[i]]
			j := strings.IndexByte(code[i+1:], end)
			if j < 0 {
				return false
			}
			i += j + 1
		case '\\', '_', '*':
			i++
		case 'd', 'D', 'y', 'Y':
			return true
		}
	}
	return false
}

// text reads what stands in the <t> of an element that has begun, and goes behind its end. Aids for reading Japanese are no text.
func (p *part) text(until string, out []byte) ([]byte, error) {
	inText, aside := false, 0
	for {
		t, err := p.next()
		if err != nil {
			return out, unfinished(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			inText = t.Name.Local == "t"
			if t.Name.Local == "rPh" {
				aside++
			}
		case xml.CharData:
			if inText && aside == 0 && len(out) < maxCellBytes {
				out = append(out, t...)
			}
		case xml.EndElement:
			inText = false
			switch t.Name.Local {
			case "rPh":
				aside--
			case until:
				return out, nil
			}
		}
	}
}

// unfinished is for an end where more must come.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return errWorkbookDamaged
	}
	return err
}
