package desk

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// reportFile serves a report as a file; write makes it.
func (h *Handler) reportFile(name, kind string, write func(io.Writer, selfrefer.Report) error) func(http.ResponseWriter, *http.Request, staff.Account) error {
	return func(w http.ResponseWriter, r *http.Request, who staff.Account) error {
		q, _, _, err := h.askedReport(r, who)
		if err != nil {
			return err
		}
		report, err := h.report(r, who, q)
		var not selfrefer.NotCounted
		switch {
		case errors.As(err, &not) && strings.HasPrefix(r.URL.Path, "/api/"):
			return comeAgain(w, r, not)
		case errors.As(err, &not): // the page tells how far it is, and has the link to the file again
			http.Redirect(w, r, reportsPath+"?"+reportQuery(q), http.StatusSeeOther)
			return nil
		case err != nil:
			return err
		}
		var b bytes.Buffer
		if err := write(&b, report); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="report-%s-%s%s"`, q.From, q.To, name))
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(b.Bytes()) // the reader has gone: nobody is left to tell
		return nil
	}
}

const (
	csvKind  = "text/csv; charset=utf-8"
	xlsxKind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// exactness tells in a word how a figure is to be read.
func exactness(f selfrefer.Figure) string {
	switch {
	case f.None:
		return "none"
	case f.Hidden:
		return "hidden"
	case f.AtLeast:
		return "at least"
	}
	return "exact"
}

// value is the figure as a spreadsheet reads it; "" where none is told.
func value(f selfrefer.Figure) string {
	if f.Hidden || f.None {
		return ""
	}
	return strconv.FormatFloat(f.Value, 'f', -1, 64)
}

// rounded is what a file tells of a figure: no more than the page does.
func rounded(f selfrefer.Figure) selfrefer.Figure {
	decimals := 0
	switch f.Unit {
	case selfrefer.Hours, selfrefer.Points, selfrefer.PerMill:
		decimals = 1
	case selfrefer.Pounds:
		decimals = 2
	}
	f.Value, _ = strconv.ParseFloat(strconv.FormatFloat(f.Value, 'f', decimals, 64), 64)
	return f
}

// guarded gives a cell that a spreadsheet would take for a formula an apostrophe.
func guarded(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// writeReportCSV writes one line for each figure.
func writeReportCSV(to io.Writer, r selfrefer.Report) error {
	if _, err := io.WriteString(to, "\ufeff"); err != nil { // for spreadsheets: it is UTF-8
		return err
	}
	c := csv.NewWriter(to)
	lines := [][]string{{"From", "To", "Of", "Table", "Row", "Figure", "Unit", "Value", "How exact"}}
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			for i, f := range row.Figures {
				f = rounded(f)
				lines = append(lines, []string{string(r.Query.From), string(r.Query.To), guarded(r.Of), t.Title, guarded(row.Words), t.Heads[i].Words, string(f.Unit), value(f), exactness(f)})
			}
		}
	}
	return c.WriteAll(lines)
}

// sheet is one table of a spreadsheet.
type sheet struct {
	name string
	rows [][]any // strings and numbers
}

// writeReportXLSX writes one sheet for each table, and one that tells what they are of.
func writeReportXLSX(to io.Writer, r selfrefer.Report) error {
	about := sheet{"About", [][]any{{"From", r.Query.From.Words()}, {"To", r.Query.To.Words()}, {"Of", r.Of},
		{"Hidden", fmt.Sprintf("Every number from 1 to %d of people is hidden, with as many others as it takes that nobody can work it out. “12 or more” means that a part is hidden.", selfrefer.HiddenBelow-1)}}}
	all := []sheet{about}
	for _, t := range r.Tables {
		s := sheet{name: t.Title}
		head := []any{t.Of}
		for _, h := range t.Heads {
			head = append(head, h.Words)
		}
		s.rows = append(s.rows, head)
		for _, row := range t.Rows {
			line := []any{row.Words}
			for _, f := range row.Figures {
				if f.Exact() {
					line = append(line, rounded(f).Value)
				} else {
					line = append(line, f.Text())
				}
			}
			if row.Note != "" {
				line = append(line, row.Note)
			}
			s.rows = append(s.rows, line)
		}
		if t.Note != "" {
			s.rows = append(s.rows, []any{}, []any{t.Note})
		}
		all = append(all, s)
	}
	return writeXLSX(to, all)
}

// writeXLSX writes the least that a workbook has to hold. Words are inline strings, which no program takes for a formula.
func writeXLSX(to io.Writer, sheets []sheet) error {
	z := zip.NewWriter(to)
	add := func(name, body string) error {
		w, err := z.Create(name)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\n"+body)
		return err
	}
	const main, relations, package_ = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org/officeDocument/2006/relationships", "http://schemas.openxmlformats.org/package/2006/"
	var types, names, links strings.Builder
	for i, s := range sheets {
		n := i + 1
		fmt.Fprintf(&types, `<Override PartName="/xl/worksheets/sheet%d.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`, n)
		fmt.Fprintf(&names, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, inXML(sheetName(s.name)), n, n)
		fmt.Fprintf(&links, `<Relationship Id="rId%d" Type="%s/worksheet" Target="worksheets/sheet%d.xml"/>`, n, relations, n)
	}
	parts := [][2]string{
		{"[Content_Types].xml", `<Types xmlns="` + package_ + `content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` + types.String() + `</Types>`},
		{"_rels/.rels", `<Relationships xmlns="` + package_ + `relationships"><Relationship Id="rId1" Type="` + relations + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<workbook xmlns="` + main + `" xmlns:r="` + relations + `"><sheets>` + names.String() + `</sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="` + package_ + `relationships">` + links.String() + `</Relationships>`},
	}
	for i, s := range sheets {
		var b strings.Builder
		b.WriteString(`<worksheet xmlns="` + main + `"><sheetData>`)
		for y, row := range s.rows {
			fmt.Fprintf(&b, `<row r="%d">`, y+1)
			for x, c := range row {
				at := fmt.Sprintf("%c%d", 'A'+x, y+1) // no table has 26 columns
				switch c := c.(type) {
				case float64:
					fmt.Fprintf(&b, `<c r="%s"><v>%s</v></c>`, at, strconv.FormatFloat(c, 'f', -1, 64))
				case string:
					fmt.Fprintf(&b, `<c r="%s" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>`, at, inXML(c))
				}
			}
			b.WriteString(`</row>`)
		}
		b.WriteString(`</sheetData></worksheet>`)
		parts = append(parts, [2]string{fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), b.String()})
	}
	for _, p := range parts {
		if err := add(p[0], p[1]); err != nil {
			return err
		}
	}
	return z.Close()
}

func inXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// sheetName keeps what a sheet may be called: 31 characters, without a few.
func sheetName(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\`, r) {
			return -1
		}
		return r
	}, s)
	r := []rune(s)
	return string(r[:min(len(r), 31)])
}
