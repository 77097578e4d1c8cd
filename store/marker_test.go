package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestJudge(t *testing.T) {
	a, b := uuid.UUID{1}, uuid.UUID{2}
	for _, c := range []struct {
		name     string
		known    bool
		mark     mark
		database uuid.UUID
		high     int64
		want     verdict
	}{
		{"same", true, mark{database: a, high: 10}, a, 10, markerOK},
		{"database ahead by a second", true, mark{database: a, high: 10}, a, 25, markerOK},
		{"nothing sent yet", true, mark{database: a, high: 0}, a, 0, markerOK},
		{"restored backup", true, mark{database: a, high: 10}, a, 9, databaseOlder},
		{"restored empty", true, mark{database: a, high: 1}, a, 0, databaseOlder},
		{"another database, ahead", true, mark{database: b, high: 1}, a, 9, markerOther},
		{"another database, behind", true, mark{database: b, high: 9}, a, 1, markerOther},
		{"no marker", false, mark{}, a, 0, markerMissing},
		{"no marker, texts sent", false, mark{}, a, 5, markerMissing},
	} {
		if got := judge(c.known, c.mark, c.database, c.high); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func mustMarker(tb testing.TB, path string) *marker {
	tb.Helper()
	m, err := openMarker(path)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestMarker_remembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marker")
	id := uuid.UUID{7}
	m := mustMarker(t, path)
	m.raise(5)
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a marker nobody adopted was written")
	}
	m = mustMarker(t, path)
	if err := m.adopt(id, 3); err != nil {
		t.Fatal(err)
	}
	m.raise(9)
	m.raise(4) // out of order: never goes back
	m.note(3, 77)
	m.note(2, 88)
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	m = mustMarker(t, path)
	if now, known := m.remembers(); !known || now != (mark{database: id, high: 9, seq: 3, at: 77}) {
		t.Errorf("the marker says %+v", now)
	}
	// The first version's files hold no journal.
	if err := m.file.write(append(append([]byte{}, id[:]...), 5, 0, 0, 0, 0, 0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if now, known := mustMarker(t, path).remembers(); !known || now != (mark{database: id, high: 5}) {
		t.Errorf("an old marker says %+v", now)
	}
}

// A write torn anywhere costs at most the newest value.
func TestSlots_tornWrite(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, uuid.NewString())
		s := slots{path: path}
		values := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 40), 2, 5).Draw(t, "values")
		for _, v := range values {
			if err := s.write(v); err != nil {
				t.Fatal(err)
			}
		}
		newest := int64(s.turn%2) * slotSize
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		length := slotHead + len(values[len(values)-1]) + 4
		data[newest+int64(rapid.IntRange(0, length-1).Draw(t, "at"))] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		again := slots{path: path}
		got, err := again.read()
		if err != nil || string(got) != string(values[len(values)-2]) {
			t.Fatalf("got %q, %v; want the value before, %q", got, err, values[len(values)-2])
		}
		if err := again.write([]byte("next")); err != nil {
			t.Fatal(err)
		}
		_ = again.close()
		last := slots{path: path}
		if got, err := last.read(); err != nil || string(got) != "next" {
			t.Fatalf("after the torn write: got %q, %v", got, err)
		}
	})
}
