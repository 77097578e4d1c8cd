package patientlist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// drawer is a shelf in memory.
type drawer struct {
	blocks [][]byte
	taken  int
	closed int
	broken error
}

func (d *drawer) Put(block []byte) error {
	d.blocks = append(d.blocks, slices.Clone(block))
	return d.broken
}

func (d *drawer) Take(n int, buf []byte) ([]byte, error) {
	d.taken++
	return append(buf, d.blocks[n]...), d.broken
}

func (d *drawer) Close() error {
	d.closed++
	return nil
}

// Texts are what they were, in whatever order they are asked for, and never more than a few blocks of them are in memory.
func TestSharedTexts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	d := &drawer{}
	texts := sharedTexts{newShelf: func() (Shelf, error) { return d, nil }}
	var want []string
	ask := func(i int) {
		t.Helper()
		got, err := texts.text(i)
		if err != nil || got != want[i] {
			t.Fatalf("text %d of %d: %q, %v, want %q", i, len(want), got, err, want[i])
		}
	}
	for size := 0; size < 2*(blocksKept+blocksOpen)*textBlock; {
		s := fmt.Sprint(len(want))
		switch rng.IntN(400) {
		case 0:
			s = strings.Repeat(s, maxCellBytes/len(s)+1)
		case 1:
			s = ""
		default:
			s += strings.Repeat(".", rng.IntN(150))
		}
		if err := texts.add([]byte(s)); err != nil {
			t.Fatal(err)
		}
		s = s[:min(len(s), maxCellBytes)]
		want = append(want, s)
		size += len(s)
		if ask(len(want) - 1); len(want)%50 == 0 {
			ask(max(0, len(want)-1-rng.IntN(3000))) // shortly before
			ask(rng.IntN(min(len(want), 20_000)))   // one of the first
		}
	}
	if d.taken > 0 {
		t.Errorf("%d blocks were taken back while the texts were asked for in their order", d.taken)
	}
	for range 20_000 {
		ask(rng.IntN(len(want)))
	}
	for i := range want {
		ask(i)
	}
	if len(texts.kept) != blocksKept || len(texts.open) != blocksOpen || len(texts.openAt) != blocksOpen || d.taken == 0 || len(d.blocks) < blocksOpen+50 {
		t.Errorf("%d blocks kept, %d open, %d on the shelf, %d taken", len(texts.kept), len(texts.open), len(d.blocks), d.taken)
	}
	for _, i := range []int{-1, len(want)} {
		if _, err := texts.text(i); !errors.Is(err, errWorkbookDamaged) {
			t.Errorf("text %d: %v", i, err)
		}
	}
	for range 3 * textsInBlock { // however short
		if err := texts.add(nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(texts.last.ends) > textsInBlock {
		t.Errorf("%d texts in a block", len(texts.last.ends))
	}
}

// A workbook whose texts do not fit into memory is read like any other, and its shelf is closed; also when it is no list.
func TestShelf(t *testing.T) {
	const rows = 700
	head := []string{"NHS number", "Surname", "DOB", "Mobile", "Notes"}
	texts, order := []string{}, rand.New(rand.NewPCG(1, 1)).Perm(rows*len(head)) // numbered at random, as no program does
	texts = append(texts, make([]string, len(order))...)
	var sheet strings.Builder
	for i := range rows {
		cells := head
		if i > 0 {
			cells = []string{testNHS(i), fmt.Sprint("Surname", i), "02/08/1970", fmt.Sprintf("0740115%04d", i), strings.Repeat("note ", 3400)}
		}
		fmt.Fprintf(&sheet, `<row r="%d">`, i+1)
		for j, c := range cells {
			n := order[i*len(head)+j]
			texts[n] = "<t>" + c + "</t>"
			fmt.Fprintf(&sheet, `<c r="%c%d" t="s"><v>%d</v></c>`, 'A'+j, i+1, n)
		}
		sheet.WriteString("</row>")
	}
	b := book{sheets: []bookSheet{{"P", "", sheet.String()}}, texts: texts}.bytes(t)
	var all [2][]string
	d := &drawer{}
	for i, shelf := range []func() (Shelf, error){nil, func() (Shelf, error) { return d, nil }} {
		r, err := NewReader(bytes.NewReader(b), Options{Today: today, Size: int64(len(b)), Shelf: shelf})
		for err == nil {
			var row Row
			if row, err = r.Next(); err == nil {
				all[i] = append(all[i], fmt.Sprint(row.Line, row.Rejected, row.Patient.NHSNumber.Reveal(), row.Patient.Name.Family, row.Patient.Phone.Reveal()))
			}
		}
		if !errors.Is(err, io.EOF) || r.Close() != nil || r.Close() != nil {
			t.Fatal(err)
		}
	}
	if len(all[0]) != rows-1 || !slices.Equal(all[0], all[1]) || len(d.blocks) == 0 || d.taken == 0 || d.closed != 1 {
		t.Errorf("%d and %d rows, %d blocks, %d taken, closed %d times", len(all[0]), len(all[1]), len(d.blocks), d.taken, d.closed)
	}
	full := &drawer{broken: errors.New("the disk is full")}
	if _, err := Look(bytes.NewReader(b), Options{Today: today, Size: int64(len(b)), Shelf: func() (Shelf, error) { return full, nil }}, 5); !errors.Is(err, full.broken) || full.closed != 1 {
		t.Errorf("%v, closed %d times", err, full.closed)
	}
	for i := range texts {
		texts[i] = strings.NewReplacer("NHS number", "Name", "DOB", "Day", "Mobile", "Ring", "Surname", "N").Replace(texts[i])
	}
	b = book{sheets: []bookSheet{{"P", "", sheet.String()}}, texts: texts}.bytes(t)
	d = &drawer{}
	var refused *FileError
	if _, err := NewReader(bytes.NewReader(b), Options{Today: today, Size: int64(len(b)), Shelf: func() (Shelf, error) { return d, nil }}); !errors.As(err, &refused) || d.closed != 1 {
		t.Errorf("%v, closed %d times", err, d.closed)
	}
}
