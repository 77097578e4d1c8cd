package patientlist

import (
	"errors"
	"io"
	"slices"
)

// Preview is what a file looks like before it is screened, for the person who chose it. Its rows are patients' data: show them, keep them not.
type Preview struct {
	Found
	Fields []Field    // what each column was taken for, "" for nothing
	Rows   [][]string // the first, each with a cell per column
	// Missing are the columns that a list cannot do without.
	Missing []Field
}

// Needed are the fields that every list must have.
var Needed = []Field{FieldNHSNumber, FieldBirthDate, FieldMobile}

// Look reads the beginning of a file. Unlike NewReader it is content with a list whose columns it does not know.
func Look(src io.Reader, opt Options, rows int) (p Preview, err error) {
	opt.look = true
	r, err := NewReader(src, opt)
	if err != nil {
		return Preview{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	p = Preview{Found: r.found, Fields: make([]Field, len(r.found.Header))}
	for f, i := range r.columns.at {
		p.Fields[i] = f
	}
	for _, s := range r.columns.signs { // several columns may be one
		p.Fields[s.index] = s.field
	}
	for _, f := range Needed {
		if !slices.Contains(p.Fields, f) {
			p.Missing = append(p.Missing, f)
		}
	}
	for len(p.Rows) < rows {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p, err
		}
		cells := make([]string, len(p.Header))
		copy(cells, row.Cells.Reveal())
		p.Rows = append(p.Rows, cells)
	}
	err = r.lookBelow(src)
	p.TakenOn, p.TakenOdd = r.found.TakenOn, r.found.TakenOdd
	return p, err
}

// IsSign says whether several columns of a file may stand for a field: any of them counts.
func (f Field) IsSign() bool { return isSign(f) }
