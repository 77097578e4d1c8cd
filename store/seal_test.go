package store

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustSealer(tb testing.TB, dir string) *sealer {
	tb.Helper()
	s, err := openSealer(dir, true)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestSealer_openOnlyInPlace(t *testing.T) {
	s := mustSealer(t, t.TempDir())
	name := rapid.StringMatching(`[a-z_]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		place := [3]string{name.Draw(t, "table"), name.Draw(t, "column"), rapid.String().Draw(t, "row")}
		other := [3]string{name.Draw(t, "table2"), name.Draw(t, "column2"), rapid.String().Draw(t, "row2")}
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed, err := s.seal(place[0], place[1], place[2], plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.open(place[0], place[1], place[2], sealed); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("open: %q, %v", got, err)
		}
		if _, err := s.open(other[0], other[1], other[2], sealed); err == nil && other != place {
			t.Fatal("a value opened in another place")
		}
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(t, "at")] ^= 1
		if _, err := s.open(place[0], place[1], place[2], sealed); err == nil {
			t.Fatal("a changed value opened")
		}
	})
}

func TestSealer_index(t *testing.T) {
	dir := t.TempDir()
	s, again, foreign := mustSealer(t, dir), mustSealer(t, dir), mustSealer(t, t.TempDir())
	a := s.index("phone", "+447700900123")
	for name, c := range map[string]struct {
		got  []byte
		same bool
	}{
		"same key, later":      {again.index("phone", "+447700900123"), true},
		"another value":        {s.index("phone", "+447700900124"), false},
		"another kind":         {s.index("nhs", "+447700900123"), false},
		"kind runs into value": {s.index("phone+", "447700900123"), false},
		"another key":          {foreign.index("phone", "+447700900123"), false},
	} {
		if len(c.got) != indexSize || bytes.Equal(a, c.got) != c.same {
			t.Errorf("%s: got %x beside %x", name, c.got, a)
		}
	}
}

func TestKeys_belongToTheirDatabase(t *testing.T) {
	open := func(cfg Config) error {
		db, err := Open(context.Background(), cfg)
		if err == nil {
			err = db.Close()
		}
		return err
	}
	eachEngine(t, func(t *testing.T, cfg Config) {
		if err := open(cfg); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{sealKeyFile, indexKeyFile, linkKeyFile} {
			path := filepath.Join(cfg.Keys, file)
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%s: mode %v, error %v", file, info.Mode(), err)
			}
			own, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			foreignDir := t.TempDir()
			mustSealer(t, foreignDir)
			foreign, err := os.ReadFile(filepath.Join(foreignDir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				name, want string
				spoil      func() error
			}{
				{"missing", "missing", func() error { return os.Remove(path) }},
				{"foreign", "not the one", func() error { return os.WriteFile(path, foreign, 0o600) }},
				{"damaged", "damaged", func() error { return os.WriteFile(path, own[:len(own)/2], 0o600) }},
				{"readable by all", "chmod 600", func() error { return os.Chmod(path, 0o644) }},
			} {
				if err := c.spoil(); err != nil {
					t.Fatal(err)
				}
				if err := open(cfg); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
					t.Errorf("%s %s: got %v", c.name, file, err)
				}
				if c.name == "missing" {
					if _, err := os.Stat(path); err == nil {
						t.Errorf("%s was made anew for a database that has data", file)
					}
				}
				if err := os.WriteFile(path, own, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := open(cfg); err != nil {
			t.Errorf("the right keys no longer open: %v", err)
		}
	})
}

func TestRotateKeys(t *testing.T) {
	cfg := testConfig(t)
	old := mustOpen(t, cfg)
	before, err := old.sealer.seal("t", "c", "1", []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	phone := old.sealer.index("phone", "1")
	if err := RotateKeys(cfg.Keys); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, cfg)
	if got, err := db.sealer.open("t", "c", "1", before); err != nil || string(got) != "before" {
		t.Errorf("what the old key sealed: %q, %v", got, err)
	}
	after, err := db.sealer.seal("t", "c", "1", []byte("after"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.sealer.open("t", "c", "1", after); err == nil {
		t.Error("the old key still seals")
	}
	if !bytes.Equal(phone, db.sealer.index("phone", "1")) {
		t.Error("rotating the sealing key changed the blind indexes")
	}
}

func TestKeysApart(t *testing.T) {
	root := t.TempDir()
	data := filepath.Join(root, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(data, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for keys, ok := range map[string]bool{
		"keys": true, "data-keys": true, "..keys": true, ".": true,
		"data": false, "data/keys": false, "data/a/b": false, "link/keys": false, "keys/../data/k": false,
	} {
		if err := keysApart(root+"/"+keys, data); (err == nil) != ok {
			t.Errorf("%s: got %v", keys, err)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	s := mustSealer(b, b.TempDir())
	for b.Loop() {
		s.index("phone", "+447700900123")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "indexes/s")
}

func BenchmarkSeal(b *testing.B) {
	s := mustSealer(b, b.TempDir())
	plain := bytes.Repeat([]byte{7}, 200)
	for b.Loop() {
		if _, err := s.seal("person", "document", "0197a1b2", plain); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "seals/s")
}
