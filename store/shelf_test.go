package store

import (
	"bytes"
	"os"
	"testing"
)

// What is on a shelf comes back as it was and from its own place alone; the file has no name and shows nothing.
func TestShelf(t *testing.T) {
	dir := t.TempDir()
	made, err := (&DB{cfg: Config{DataDir: dir}}).Shelf()
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the folder has %v, %v", left, err)
	}
	blocks := [][]byte{bytes.Repeat([]byte("Quillfeather"), 2000), []byte("9990000018"), {}, bytes.Repeat([]byte("Quillfeather"), 2000)}
	for _, b := range blocks {
		if err := made.Put(b); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 0, 1)
	for _, n := range []int{3, 0, 2, 1, 0} {
		got, err := made.Take(n, buf)
		if err != nil || !bytes.Equal(got, blocks[n]) {
			t.Errorf("block %d: %d bytes, %v", n, len(got), err)
		}
		buf = got[:0]
	}
	for _, n := range []int{-1, len(blocks)} {
		if _, err := made.Take(n, nil); err == nil {
			t.Errorf("there is a block %d", n)
		}
	}
	s := made.(*shelf)
	file := make([]byte, s.ends[3])
	if _, err := s.f.ReadAt(file, 0); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, []byte("Quill")) || bytes.Contains(file, []byte("999")) || bytes.Equal(file[:100], file[s.ends[2]:s.ends[2]+100]) {
		t.Error("the file shows what is in it")
	}
	if _, err := s.f.WriteAt(file[:s.ends[0]], s.ends[2]); err != nil {
		t.Fatal(err)
	}
	if _, err := made.Take(3, nil); err == nil {
		t.Error("a block opens in the place of another")
	}
	if err := made.Close(); err != nil {
		t.Error(err)
	}
	if _, err := made.Take(0, nil); err == nil {
		t.Error("a closed shelf gives something back")
	}
}
