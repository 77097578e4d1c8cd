package patientlist

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

const (
	sniffLen = 64 << 10
	maxLine  = 1 << 20 // a longer line is one unreadable row

	// A quoted field may go on over so many lines, and so many bytes.
	maxContinuation      = 10
	maxContinuationBytes = 64 << 10
)

// limitReader counts, and refuses to go on beyond max.
type limitReader struct {
	src      io.Reader
	n, max   int64
	tooLarge error
}

func (l *limitReader) Read(p []byte) (int, error) {
	n, err := l.src.Read(p)
	l.n += int64(n)
	if l.n > l.max {
		return 0, l.tooLarge
	}
	return n, err
}

type encoding int

const (
	utf8ish encoding = iota // UTF-8, with Windows-1252 for what is not
	utf16LE
	utf16BE
)

// sniff looks at the first bytes of a file. name is what to tell people.
func sniff(head []byte) (enc encoding, name string, err *FileError) {
	switch {
	case len(head) == 0:
		return 0, "", errEmpty
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return utf16LE, "UTF-16", nil
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return utf16BE, "UTF-16", nil
	}
	if err := refuseDocuments(head); err != nil {
		return 0, "", err
	}
	// Every second byte of Western UTF-16 is zero; text has none otherwise.
	var zeros [2]int
	control := 0
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		} else if c < ' ' && !strings.ContainsRune("\t\n\r\f\v\x1a\x1b", rune(c)) {
			control++
		}
	}
	switch {
	case zeros[1]*5 > len(head) && zeros[0]*10 < zeros[1]:
		return utf16LE, "UTF-16", nil
	case zeros[0]*5 > len(head) && zeros[1]*10 < zeros[0]:
		return utf16BE, "UTF-16", nil
	case (zeros[0]+zeros[1]+control)*100 > len(head):
		return 0, "", errNotText
	}
	// The cut at 64 KiB may go through a character.
	cut := head
	for i := 0; i < utf8.UTFMax && len(cut) > 0 && len(head) == sniffLen && !utf8.Valid(cut); i++ {
		cut = cut[:len(cut)-1]
	}
	if utf8.Valid(cut) {
		return utf8ish, "UTF-8", nil
	}
	return utf8ish, "Windows-1252", nil
}

var (
	errEmpty   = &FileError{FileEmpty, "This file is empty. Export the list again, and choose the new file."}
	errNotText = &FileError{FileNotText, "This file is not a list. Export the patients as CSV from the clinical system, and choose that file."}
)

var (
	errSpreadsheet = &FileError{FileNotText, "This is a spreadsheet of a kind that we cannot read here. Open it, choose “Save as”, then “Excel workbook (.xlsx)” or “CSV UTF-8 (comma delimited)”, and choose the new file."}
	errPacked      = &FileError{FileNotText, "This is a packed file or a spreadsheet. Unpack it, or open it in the spreadsheet program and save it as CSV, and choose that file."}
	errLocked      = &FileError{WorkbookLocked, "This workbook is protected with a password. Save it without one, or as CSV, and choose the new file."}
)

// refuseDocuments names the wrong files that people choose most often.
func refuseDocuments(head []byte) *FileError {
	binary := bytes.IndexByte(head, 0) >= 0 || !utf8.Valid(head[:min(len(head), 512)])
	mime := mimetype.Detect(head)
	is := func(names ...string) bool {
		for m := mime; m != nil; m = m.Parent() {
			for _, n := range names {
				if m.Is(n) {
					return true
				}
			}
		}
		return false
	}
	name := mime.String()
	switch {
	case is("application/pdf"):
		return &FileError{FileNotText, "This is a PDF document, not a list. Export the patients as CSV from the clinical system, and choose that file."}
	case is("application/x-ole-storage", "application/vnd.ms-excel") && bytes.Contains(head, []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00")):
		return errLocked
	case is("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.ms-excel", "application/vnd.oasis.opendocument.spreadsheet", "application/x-ole-storage"):
		return errSpreadsheet
	case is("application/zip", "application/gzip", "application/x-7z-compressed", "application/x-rar-compressed"):
		return errPacked
	case strings.HasPrefix(name, "image/") && binary, strings.HasPrefix(name, "video/") && binary, strings.HasPrefix(name, "audio/") && binary:
		return &FileError{FileNotText, "This is a photo or a recording, not a list. Export the patients as CSV from the clinical system, and choose that file."}
	case is("text/html", "text/rtf", "application/json", "text/xml", "application/postscript", "image/svg+xml"):
		return &FileError{FileNotText, "This is a document or a web page, not a list. Open it, save it as CSV, and choose the new file."}
	}
	return nil
}

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	src  io.Reader
	big  bool
	in   []byte // read, not yet decoded: at most a few bytes between calls
	out  []byte // decoded, not yet handed on
	buf  [16 << 10]byte
	err  error
	high rune // first half of a surrogate pair
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		keep := copy(u.buf[:], u.in)
		n, err := u.src.Read(u.buf[keep:])
		u.in, u.err = u.buf[:keep+n], err
		u.decode()
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *utf16Reader) decode() {
	u.out = u.out[:0]
	for ; len(u.in) >= 2; u.in = u.in[2:] {
		r := rune(u.in[0]) | rune(u.in[1])<<8
		if u.big {
			r = rune(u.in[0])<<8 | rune(u.in[1])
		}
		high := u.high
		u.high = 0
		switch {
		case r >= 0xD800 && r < 0xDC00:
			if high != 0 {
				u.out = utf8.AppendRune(u.out, utf8.RuneError)
			}
			u.high = r
			continue
		case r >= 0xDC00 && r < 0xE000 && high != 0:
			r = (high-0xD800)<<10 + (r - 0xDC00) + 0x10000
		case high != 0:
			u.out = utf8.AppendRune(u.out, utf8.RuneError)
		}
		u.out = utf8.AppendRune(u.out, r) // a lone second half becomes U+FFFD
	}
}

// windows1252 is what the bytes 0x80-0x9F mean; the others mean themselves.
var windows1252 = [32]rune{
	'€', utf8.RuneError, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', utf8.RuneError, 'Ž', utf8.RuneError,
	utf8.RuneError, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', utf8.RuneError, 'ž', 'Ÿ',
}

// decodeText makes a string of one record. It decides sequence by sequence, so
// that the outcome depends on neither the size of the file nor how it arrives.
func decodeText(raw []byte) string {
	raw = bytes.TrimPrefix(raw, []byte("\uFEFF")) // files that were glued together have marks inside
	if utf8.Valid(raw) && bytes.IndexByte(raw, 0) < 0 {
		return string(raw)
	}
	var b strings.Builder
	b.Grow(len(raw) + len(raw)/8)
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 {
			r = rune(raw[0])
			if r < 0xA0 {
				r = windows1252[r-0x80]
			}
		}
		if r != 0 {
			b.WriteRune(r)
		}
		raw = raw[n:]
	}
	return b.String()
}

// lines is a window over the file that can look some lines ahead.
type lines struct {
	src        io.Reader
	buf        []byte
	start, end int
	err        error // io.EOF or what went wrong
}

const windowMax = maxLine + maxContinuationBytes + sniffLen

// fill reads more into the window. It says no at the end of the file, or when
// the window is as large as it may become.
func (l *lines) fill() bool {
	if l.err != nil {
		return false
	}
	if l.end == len(l.buf) {
		switch {
		case l.start > 0:
			l.end = copy(l.buf, l.buf[l.start:l.end])
			l.start = 0
		case len(l.buf) >= windowMax:
			return false
		default:
			l.buf = append(l.buf, make([]byte, max(4*sniffLen, len(l.buf)))...)
		}
	}
	for range 100 {
		n, err := l.src.Read(l.buf[l.end:])
		l.end += n
		if err != nil {
			l.err = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	l.err = io.ErrNoProgress
	return false
}

var (
	errLongLine = errors.New("line is too long")
	errNoLine   = errors.New("no more lines")
)

// at finds the line that begins off bytes into the window: it ends at end, and
// the one after it begins at next. Offsets, because the window moves.
func (l *lines) at(off int) (end, next int, err error) {
	seen := off
	for {
		whole := l.err != nil // nothing follows
		end, next, none := lineEnd(l.buf[l.start+seen:l.end], whole)
		if next > 0 {
			if seen+end-off > maxLine {
				return 0, 0, errLongLine
			}
			return seen + end, seen + next, nil
		}
		seen += none
		switch {
		case seen-off > maxLine:
			return 0, 0, errLongLine
		case l.fill(), l.err != nil && !whole:
		case l.err == nil:
			return 0, 0, errLongLine
		case seen == off:
			return 0, 0, errNoLine
		default:
			return seen, seen, nil // the last line has no end of line
		}
	}
}

// lineEnd finds the first end of a line in b: a line feed, with or without carriage returns before it, or a carriage return alone, as old
// Macintosh programs write. Files that were glued together have all of them. next is 0 if there is none in the first none bytes; a carriage
// return at the very end may be a half of one, unless nothing follows.
func lineEnd(b []byte, whole bool) (end, next, none int) {
	const (
		step    = 512 // the other kind of end may be megabytes away: both are looked for together
		returns = 3   // before a line feed; some programs write \r\r\n
	)
	for from := 0; from < len(b); from = min(from+step, len(b)) {
		part := b[from:min(from+step, len(b))]
		feed := bytes.IndexByte(part, '\n')
		if feed >= 0 {
			part = part[:feed]
		}
		i := bytes.IndexByte(part, '\r')
		switch {
		case i >= 0:
			i += from
			j := i
			for j < len(b) && j-i < returns && b[j] == '\r' {
				j++
			}
			switch {
			case j < len(b) && b[j] == '\n':
				return j, j + 1, 0
			case j == len(b) && !whole && j-i < returns:
				return 0, 0, i
			}
			return i, i + 1, 0
		case feed >= 0:
			return from + feed, from + feed + 1, 0
		}
	}
	return 0, 0, len(b)
}

// drop passes over the line at the start, however long, and returns its head.
func (l *lines) drop() []byte {
	const headLen = 4 << 10
	head := bytes.Clone(l.buf[l.start:min(l.end, l.start+headLen)])
	for {
		whole := l.err != nil
		_, next, none := lineEnd(l.buf[l.start:l.end], whole)
		if next > 0 {
			l.start += next
			return head
		}
		if l.start += none; !l.fill() && whole {
			return head
		}
	}
}
