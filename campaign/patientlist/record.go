package patientlist

import (
	"bytes"
	"strings"
)

// split cuts one record into cells, which are parts of s wherever that is
// possible, and appends them to cells. open: a quotation mark was not closed.
// stray: a quoted cell had marks inside that were not doubled.
func split(s string, delim byte, cells []string) (_ []string, open, stray bool) {
	if strings.IndexByte(s, '"') < 0 {
		for {
			i := strings.IndexByte(s, delim)
			if i < 0 {
				return append(cells, s), false, false
			}
			cells = append(cells, s[:i])
			s = s[i+1:]
		}
	}
	for {
		body := s
		for len(body) > 0 && body[0] == ' ' && delim != ' ' {
			body = body[1:]
		}
		if body == "" || body[0] != '"' {
			i := strings.IndexByte(s, delim)
			if i < 0 {
				return append(cells, s), open, stray
			}
			cells = append(cells, s[:i])
			s = s[i+1:]
			continue
		}
		body = body[1:]
		end, rest, more, odd, doubled := closeQuote(body, delim)
		stray = stray || odd
		if end < 0 {
			return append(cells, body), true, stray
		}
		cell := body[:end]
		if doubled {
			cell = strings.ReplaceAll(cell, `""`, `"`)
		}
		cells = append(cells, cell)
		if !more {
			return cells, false, stray
		}
		s = body[rest:]
	}
}

// closeQuote finds the mark that closes a cell: the first that is not doubled
// and has a delimiter or the end of the record behind it. rest is where the
// next cell begins, if there are more. end is -1 if there is no such mark.
func closeQuote(s string, delim byte) (end, rest int, more, stray, doubled bool) {
	for i := 0; ; {
		j := strings.IndexByte(s[i:], '"')
		if j < 0 {
			return -1, 0, false, stray, doubled
		}
		i += j
		if i+1 < len(s) && s[i+1] == '"' {
			doubled = true
			i += 2
			continue
		}
		k := i + 1
		for k < len(s) && s[k] == ' ' {
			k++
		}
		if k == len(s) {
			return i, k, false, stray, doubled
		}
		if s[k] == delim {
			return i, k + 1, true, stray, doubled
		}
		stray = true
		i++
	}
}

type record struct {
	text  string
	cells []string // valid until the next record is read
	next  int      // where the next record begins, in the window
	lines int
	bad   bool // too long, a mark not closed
	stray bool
}

// record reads the one that begins off bytes into the window. fits says
// whether a number of cells is what the file should have; nil if not known.
func (r *Reader) record(off int, delim byte, fits func(n int) bool) (rec record, err error) {
	end, next, err := r.lines.at(off)
	if err != nil {
		return record{}, err
	}
	rec = record{text: decodeText(r.trimmed(off, end)), next: next, lines: 1}
	if r.wrapped {
		rec.text = unwrap(rec.text)
	}
	var open bool
	r.cells, open, rec.stray = split(rec.text, delim, r.cells[:0])
	if open {
		if longer, ok := r.extend(off, end, next, delim, fits); ok {
			return longer, nil
		}
		r.cells, _, _ = split(rec.text, delim, r.cells[:0])
		rec.bad = true
	}
	rec.cells = r.cells
	if !rec.bad && fits != nil && r.feeds && len(rec.cells) > 1 && !fits(len(rec.cells)) && next == end+1 && r.lines.buf[r.lines.start+end] == '\r' {
		if longer, ok := r.join(off, end, next, delim, fits); ok {
			return longer, nil
		}
	}
	return rec, nil
}

// join tries whether a carriage return stands within a cell, where lines end in another way: then neither half is a row, and both together are.
func (r *Reader) join(off, firstEnd, from int, delim byte, fits func(int) bool) (record, bool) {
	end, next, err := r.lines.at(from)
	if err != nil || end-firstEnd > maxContinuationBytes || ownRow(r.trimmed(from, end), delim, fits) {
		return record{}, false
	}
	text := decodeText(r.trimmed(off, end))
	cells, open, stray := split(text, delim, nil)
	if open || stray || !fits(len(cells)) {
		return record{}, false
	}
	r.cells = cells
	return record{text: text, cells: cells, next: next, lines: 2}, true
}

// unwrap takes the marks off a line that stands in them as a whole: what a spreadsheet makes of a list that it takes for one column.
func unwrap(line string) string {
	s := strings.TrimRight(line, " ,;\t")
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return line
	}
	return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
}

func (r *Reader) trimmed(off, end int) []byte {
	return bytes.TrimRight(r.lines.buf[r.lines.start+off:r.lines.start+end], "\r")
}

// extend tries whether the lines that follow close the open cell. They do not
// if one of them is a row of its own: then the mark is what is wrong.
func (r *Reader) extend(off, firstEnd, next int, delim byte, fits func(int) bool) (record, bool) {
	cellsBefore := len(r.cells) - 1
	for n := 2; n <= maxContinuation; n++ {
		from := next
		var end int
		var err error
		if end, next, err = r.lines.at(from); err != nil || end-firstEnd > maxContinuationBytes {
			return record{}, false
		}
		line := r.trimmed(from, end)
		if cellsBefore > 0 && fits != nil && ownRow(line, delim, fits) {
			return record{}, false
		}
		if bytes.IndexByte(line, '"') < 0 {
			continue
		}
		text := decodeText(r.trimmed(off, end))
		cells, open, stray := split(text, delim, r.cells[:0])
		r.cells = cells
		if stray {
			return record{}, false
		}
		if !open {
			whole := cells[cellsBefore] // that goes on over lines; another patient in it means that it closed too late
			return record{text: text, cells: cells, next: next, lines: n}, fits == nil || fits(len(cells)) && (strings.IndexByte(whole, delim) < 0 || longestNumber(whole) < 9)
		}
	}
	return record{}, false
}

// ownRow says whether a line is a row by itself. One that closes a mark from before has an odd number of them.
func ownRow(line []byte, delim byte, fits func(int) bool) bool {
	switch n := bytes.Count(line, []byte{'"'}); {
	case n == 0:
		return fits(bytes.Count(line, []byte{delim}) + 1)
	case n%2 == 1:
		return false
	}
	cells, _, _ := split(string(line), delim, nil)
	return fits(len(cells))
}
