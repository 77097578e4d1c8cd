package patientlist

import (
	"archive/zip"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"sort"
)

// Shelf keeps the blocks of a workbook's texts for which there is no room in memory. They are patients' data, so that it seals them. It is for
// one reader alone, and what is on it is gone when it is closed.
type Shelf interface {
	// Put keeps the next block: the first is number 0.
	Put(block []byte) error
	// Take gives a block back, in buf if there is room.
	Take(n int, buf []byte) ([]byte, error)
	Close() error
}

const (
	textBlock    = 16 << 10 // bytes of texts that are kept together
	textsInBlock = 4 << 10  // at most, if they are short
	blocksKept   = 128      // the first ones, always in memory
	blocksOpen   = 128      // of the others
)

// sharedTexts are the texts that cells name by number.
//
// Programs number them in the order in which cells first name them, so that a sheet mostly asks for the text that comes next, or for one that
// many rows share: a first name, a practice. Those stand near the beginning. The first blocks and those last asked for are therefore in memory,
// and all others on the shelf: what the texts take in memory does not grow with them. A workbook that asks for them at random is read just as
// well, at the price of opening a block for nearly every cell: some microseconds, so that a million rows take half a minute longer.
type sharedTexts struct {
	part  *part // nil when all are read
	n     int   // texts read
	bytes int
	one   []byte

	last   textsBlock   // still being filled
	firsts []int32      // number of the first text of each block that is full
	kept   []textsBlock // the first of these

	newShelf func() (Shelf, error) // nil: all are kept
	shelf    Shelf
	packed   []byte
	open     []openBlock
	openAt   map[int]int // block -> place in open
	hand     int
}

// textsBlock holds texts one behind the other.
type textsBlock struct {
	bytes []byte
	ends  []uint16 // of each of them; the longest text and a block have room in it
}

func (b *textsBlock) text(i int) string {
	from := 0
	if i > 0 {
		from = int(b.ends[i-1])
	}
	return string(b.bytes[from:b.ends[i]])
}

// openBlock is one that was taken from the shelf, or has just gone there.
type openBlock struct {
	textsBlock
	number int
	used   bool // since the hand went by
}

func (t *sharedTexts) add(s []byte) error {
	s = s[:min(len(s), maxCellBytes)]
	if t.n == maxTexts || t.bytes+len(s) > maxTextBytes {
		return errWorkbookLarge
	}
	if len(t.last.bytes) >= textBlock || len(t.last.ends) >= textsInBlock {
		if err := t.put(); err != nil {
			return err
		}
	}
	t.last.bytes = append(t.last.bytes, s...)
	t.last.ends = append(t.last.ends, uint16(len(t.last.bytes)))
	t.n++
	t.bytes += len(s)
	return nil
}

// put makes room for the next block.
func (t *sharedTexts) put() (err error) {
	t.firsts = append(t.firsts, int32(t.n-len(t.last.ends))) // at most maxTexts
	if t.newShelf == nil || len(t.kept) < blocksKept {
		t.kept = append(t.kept, textsBlock{slices.Clip(t.last.bytes), slices.Clip(t.last.ends)})
		t.last = textsBlock{make([]byte, 0, textBlock+textBlock/8), make([]uint16, 0, len(t.last.ends))}
		return nil
	}
	if t.shelf == nil {
		if t.shelf, err = t.newShelf(); err != nil {
			return err
		}
		t.openAt = map[int]int{}
	}
	t.packed = binary.AppendUvarint(t.packed[:0], uint64(len(t.last.ends)))
	for _, end := range t.last.ends {
		t.packed = binary.BigEndian.AppendUint16(t.packed, end)
	}
	t.packed = append(t.packed, t.last.bytes...)
	if err := t.shelf.Put(t.packed); err != nil {
		return err
	}
	b := t.room(len(t.firsts) - 1) // the next cells may ask for it
	b.textsBlock, t.last = t.last, b.textsBlock
	t.last.bytes, t.last.ends = t.last.bytes[:0], t.last.ends[:0]
	return nil
}

// room finds a place for an open block, instead of one that was not asked for lately.
func (t *sharedTexts) room(number int) *openBlock {
	if len(t.open) < blocksOpen {
		t.open = append(t.open, openBlock{})
		t.hand = len(t.open) - 1
	} else {
		for t.hand = (t.hand + 1) % blocksOpen; t.open[t.hand].used; t.hand = (t.hand + 1) % blocksOpen {
			t.open[t.hand].used = false
		}
		delete(t.openAt, t.open[t.hand].number)
	}
	b := &t.open[t.hand]
	b.number = number
	t.openAt[number] = t.hand
	return b
}

func (t *sharedTexts) text(i int) (string, error) {
	if err := t.read(i); err != nil {
		return "", err
	}
	if i < 0 || i >= t.n {
		return "", errWorkbookDamaged
	}
	if first := t.n - len(t.last.ends); i >= first {
		return t.last.text(i - first), nil
	}
	number := sort.Search(len(t.firsts), func(k int) bool { return int(t.firsts[k]) > i }) - 1
	i -= int(t.firsts[number])
	if number < len(t.kept) {
		return t.kept[number].text(i), nil
	}
	b, err := t.opened(number)
	if err != nil {
		return "", err
	}
	return b.text(i), nil
}

// opened gives a block that is on the shelf.
func (t *sharedTexts) opened(number int) (*openBlock, error) {
	if at, ok := t.openAt[number]; ok {
		t.open[at].used = true
		return &t.open[at], nil
	}
	packed, err := t.shelf.Take(number-len(t.kept), t.packed[:0])
	if err != nil {
		return nil, err
	}
	t.packed = packed
	b := t.room(number)
	n, head := binary.Uvarint(packed)
	packed = packed[head:]
	b.ends = b.ends[:0]
	for i := range int(n) {
		b.ends = append(b.ends, binary.BigEndian.Uint16(packed[2*i:]))
	}
	b.bytes = append(b.bytes[:0], packed[2*n:]...)
	return b, nil
}

// begin begins to read the part with the texts, if there is one. They are read as far as cells name them: mostly they stand in the order in
// which cells do, and whoever looks at the first rows needs a few of millions.
func (t *sharedTexts) begin(f *zip.File) (err error) {
	if f != nil {
		t.part, err = openPart(f)
	}
	return err
}

// read reads the texts up to the i-th, or all that there are.
func (t *sharedTexts) read(i int) error {
	for t.part != nil && t.n <= i {
		token, err := t.part.next()
		if err != nil {
			_ = t.part.file.Close() // it was only read
			if t.part = nil; errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if el, ok := token.(xml.StartElement); !ok || el.Name.Local != "si" {
			continue
		}
		if t.one, err = t.part.text("si", t.one[:0]); err != nil {
			return err
		}
		if err := t.add(t.one); err != nil {
			return err
		}
	}
	return nil
}

func (t *sharedTexts) close() error {
	if t.shelf == nil {
		return nil
	}
	shelf := t.shelf
	t.shelf = nil
	return shelf.Close()
}
