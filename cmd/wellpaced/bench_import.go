package main

import (
	"archive/zip"
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// imports measures reading, screening and storing a list against a loop that parses the same file with encoding/csv and inserts rows of the
// same sizes, with the same indexes, in chunks of the same size.
func (b *bench) imports(ctx context.Context) (r benchResult, err error) {
	n := b.some(200_000, 20_000)
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	list := filepath.Join(dir, "list.csv")
	f, err := os.Create(list)
	if err != nil {
		return r, err
	}
	if err := errors.Join(patients(f, n), f.Close()); err != nil {
		return r, fmt.Errorf("write a list: %w", err)
	}
	var ours, bare []float64
	for round := range b.some(3, 1) {
		here := filepath.Join(dir, strconv.Itoa(round))
		took, a, err := importOnce(ctx, here, list)
		if err != nil {
			return r, err
		}
		ours = append(ours, rate(a.Ledger.Rows, took))
		took, err = bareImport(ctx, here, list)
		if err != nil {
			return r, fmt.Errorf("bare loop: %w", err)
		}
		bare = append(bare, rate(a.Ledger.Rows, took))
		b.say("%d rows, %d invited: %.0f rows/s; bare %.0f rows/s", a.Ledger.Rows, a.Ledger.Invited, ours[round], bare[round])
		if err := os.RemoveAll(here); err != nil {
			return r, err
		}
	}
	book := filepath.Join(dir, "list.xlsx")
	if err := workbookOf(list, book); err != nil {
		return r, fmt.Errorf("write a workbook: %w", err)
	}
	took, a, err := importOnce(ctx, filepath.Join(dir, "book"), book)
	if err != nil {
		return r, fmt.Errorf("import a workbook: %w", err)
	}
	b.say("%d rows of a workbook, %d invited: %.0f rows/s", a.Ledger.Rows, a.Ledger.Invited, rate(a.Ledger.Rows, took))
	r.Figures = []figure{
		{Name: "rows per second", Value: median(ours)},
		{Name: "bare rows per second", Value: median(bare)},
		figure{Name: "ratio", Value: median(ours) / median(bare)}.atLeast(.4),
		{Name: "workbook rows per second", Value: rate(a.Ledger.Rows, took)},
	}
	return r, nil
}

// workbookOf turns a list into an Excel workbook, with its texts beside the sheet as most programs write them.
func workbookOf(list, book string) (err error) {
	in, err := os.Open(list)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(book)
	if err != nil {
		return err
	}
	z := zip.NewWriter(out)
	defer func() { err = errors.Join(err, z.Close(), out.Close()) }()
	for name, text := range map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="r"><sheets><sheet name="Patients" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
	} {
		w, err := z.Create(name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	sheet, err := z.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return err
	}
	var texts strings.Builder
	numbers := map[string]int{}
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = -1
	fmt.Fprint(sheet, "<worksheet><sheetData>")
	for i := 1; ; i++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(sheet, `<row r="%d">`, i)
		for j, c := range row {
			n, known := numbers[c]
			if !known {
				n = len(numbers)
				numbers[c] = n
				fmt.Fprintf(&texts, "<si><t>%s</t></si>", html.EscapeString(c))
			}
			fmt.Fprintf(sheet, `<c r="%c%d" t="s"><v>%d</v></c>`, 'A'+j, i, n)
		}
		fmt.Fprint(sheet, "</row>")
	}
	fmt.Fprint(sheet, "</sheetData></worksheet>")
	w, err := z.Create("xl/sharedStrings.xml")
	if err == nil {
		_, err = io.WriteString(w, "<sst>"+texts.String()+"</sst>")
	}
	return err
}

func importOnce(ctx context.Context, dir, list string) (took time.Duration, a campaign.Audience, err error) {
	db, err := openStore(ctx, dir, fastClock(1))
	if err != nil {
		return 0, a, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return 0, a, err
	}
	f, err := os.Open(list)
	if err != nil {
		return 0, a, err
	}
	defer f.Close()
	runtime.GC()
	began := time.Now()
	a, err = w.upload(ctx, f, nil)
	return time.Since(began), a, err
}

// bareRow is a row as the store wrote it: where it went, and how long its sealed part is.
type bareRow struct {
	kind, code string
	sealed     int
}

// bareChunk is as many rows as an import stores at once, bareAtOnce as many as the store puts into one statement.
const bareChunk, bareAtOnce = 500, 50

func bareImport(ctx context.Context, dir, list string) (took time.Duration, err error) {
	ours := filepath.Join(dir, "data", "wellpaced.db")
	rows, err := storedRows(ctx, ours)
	if err != nil {
		return 0, fmt.Errorf("read what was stored: %w", err)
	}
	db, err := bareDatabase(ctx, filepath.Join(dir, "bare.db"), ours, "patient", "audience_row")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	f, err := os.Open(list)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	patient, err := prepareRows(ctx, db, `INSERT INTO patient (id, audience, row, invited, practice, age_band, sex, language, sector, person, phone_ix, nhs_ix)`, 12)
	if err != nil {
		return 0, err
	}
	other, err := prepareRows(ctx, db, `INSERT INTO audience_row (audience, row, kind, code)`, 4)
	if err != nil {
		return 0, err
	}
	pool := make([]byte, 64<<10)
	for i := range pool {
		pool[i] = byte(i*i>>3 ^ i*31)
	}
	runtime.GC()
	began := time.Now()
	r := csv.NewReader(bufio.NewReaderSize(f, 64<<10))
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		return 0, err
	}
	var people, others []any
	flush := func() error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // no-op after Commit
		if err := errors.Join(patient.insert(ctx, tx, people), other.insert(ctx, tx, others)); err != nil {
			return err
		}
		people, others = people[:0], others[:0]
		return tx.Commit()
	}
	for line := 2; ; line++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		switch row := rows[line]; {
		case row.kind != "":
			others = append(others, 1, line, row.kind, row.code)
		default:
			// The indexes are as random as keyed ones.
			var ix [32]byte
			x := uint64(line) * 0x9E3779B97F4A7C15
			for i := range 4 {
				x ^= x >> 29
				x *= 0xBF58476D1CE4E5B9
				binary.LittleEndian.PutUint64(ix[8*i:], x)
			}
			people = append(people, line, 1, line, true, strings.Clone(cells[6]), "60-69", strings.Clone(cells[4]), "", "L32 8", pool[line%1000:][:row.sealed], ix[:16], ix[16:])
		}
		if len(people) >= bareChunk*12 || len(others) >= bareChunk*4 {
			if err := flush(); err != nil {
				return 0, err
			}
		}
	}
	if err := flush(); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// storedRows reads where the rows of the only list went, by line.
func storedRows(ctx context.Context, path string) (map[int]bareRow, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	found, err := db.QueryContext(ctx, `
		SELECT row, kind, code, 0 FROM audience_row
		UNION ALL
		SELECT row, '', '', LENGTH(person) FROM patient WHERE invited`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	rows := map[int]bareRow{}
	for found.Next() {
		var line int
		var r bareRow
		if err := found.Scan(&line, &r.kind, &r.code, &r.sealed); err != nil {
			return nil, err
		}
		rows[line] = r
	}
	return rows, found.Err()
}

// bareRows inserts rows with as few statements as the store does.
type bareRows struct {
	many, one *sql.Stmt
	columns   int
}

func prepareRows(ctx context.Context, db *sql.DB, into string, columns int) (b bareRows, err error) {
	row := "(?" + strings.Repeat(",?", columns-1) + ")"
	b.columns = columns
	if b.many, err = db.PrepareContext(ctx, into+" VALUES "+row+strings.Repeat(","+row, bareAtOnce-1)); err != nil {
		return b, err
	}
	b.one, err = db.PrepareContext(ctx, into+" VALUES "+row)
	return b, err
}

func (b bareRows) insert(ctx context.Context, tx *sql.Tx, values []any) error {
	many, one := tx.StmtContext(ctx, b.many), tx.StmtContext(ctx, b.one)
	for len(values) > 0 {
		stmt, n := many, bareAtOnce*b.columns
		if len(values) < n {
			stmt, n = one, b.columns
		}
		if _, err := stmt.ExecContext(ctx, values[:n]...); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// memory measures the most that importing a long list takes. It has a process of its own.
func (b *bench) memory(ctx context.Context) (r benchResult, err error) {
	n := b.some(1_000_000, 100_000)
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	db, err := openStore(ctx, dir, fastClock(1))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return r, err
	}
	list := stream(n)
	defer list.Close()
	marks := []int{n / 5, n * 3 / 5, n}
	note := func(rows int) {
		for len(marks) > 0 && rows >= marks[0] {
			mib, e := peakMemory()
			err = errors.Join(err, e)
			b.say("%d rows: at most %.0f MB resident", rows, mib)
			r.Figures = append(r.Figures, figure{Name: fmt.Sprintf("peak after %d rows", marks[0]), Value: mib, Unit: "MB"})
			marks = marks[1:]
		}
	}
	if _, e := w.upload(ctx, list, func(rows int, _ int64) { note(rows) }); e != nil {
		return r, e
	}
	note(n)
	if err != nil {
		return r, err
	}
	last := &r.Figures[len(r.Figures)-1]
	*last = last.atMost(300)
	r.Figures = append(r.Figures, figure{Name: "growth from the first to the last", Value: last.Value / r.Figures[0].Value}.atMost(1.1))
	return r, nil
}

// peakMemory is the most memory that this process has had resident, in megabytes.
func peakMemory() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("only Linux tells a process's peak memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024 / 1e6, err
		}
	}
	return 0, errors.New("there is no VmHWM in /proc/self/status")
}
