package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
)

// saved is a world that was backed up, and went on.
type saved struct {
	cfg    Config
	w      *townsfolk
	file   string
	backup Manifest
}

// save launches a campaign, takes one opt-out in, backs up, and takes in another one.
func save(t *testing.T, cfg Config) saved {
	t.Helper()
	cfg.Serve = true
	db := must[*DB](t)(Open(context.Background(), cfg))
	s := saved{cfg: cfg, w: launched(t, db, 5, nil)}
	must[campaign.Halt](t)(db.Examine(context.Background())) // as serve does
	s.optOut(t, db, 1)
	if err := db.Tick(); err != nil {
		t.Fatal(err)
	}
	beside := cfg
	beside.Serve = false
	command := must[*DB](t)(Open(context.Background(), beside))
	var err error
	if s.file, s.backup, err = command.Backup(context.Background(), filepath.Join(t.TempDir(), "b")); err != nil {
		t.Fatal(err)
	}
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	s.optOut(t, db, 2)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s saved) optOut(t *testing.T, db *DB, i int) {
	t.Helper()
	if err := db.OptOut(context.Background(), selfrefer.OptOut{Network: s.w.network.ID, Phone: testCandidate(t, i).Phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
		t.Fatal(err)
	}
}

// The data folder is a relative one unless somebody names another.
func TestRestore_relativeFolder(t *testing.T) {
	s := save(t, testConfig(t))
	t.Chdir(filepath.Dir(s.cfg.DataDir))
	s.cfg.DataDir = filepath.Base(s.cfg.DataDir)
	if _, err := Restore(context.Background(), s.cfg, s.file, true); err != nil {
		t.Fatal(err)
	}
	s.check(t, 2, 0)
}

// check opens what was restored: a quarantine, so many opt-outs, and so many gaps.
func (s saved) check(t *testing.T, optOuts int64, gaps int) {
	t.Helper()
	db := must[*DB](t)(Open(context.Background(), s.cfg))
	defer db.Close()
	h := must[campaign.Halt](t)(db.Examine(context.Background()))
	if h.Reason != campaign.Restored || len(h.Gaps) != gaps {
		t.Errorf("after the restore: %+v", h)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM suppression`); n != optOuts {
		t.Errorf("%d opt-outs, want %d", n, optOuts)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM message`); n != 5 {
		t.Errorf("%d messages", n)
	}
}

func TestRestore(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		change  func(t *testing.T, s *saved)
		optOuts int64
		gaps    int
	}{
		"the folder as it was": {func(*testing.T, *saved) {}, 2, 0},
		"only the journal is left": {func(t *testing.T, s *saved) {
			for _, f := range []string{"wellpaced.db", "marker"} {
				if err := os.Remove(filepath.Join(s.cfg.DataDir, f)); err != nil {
					t.Fatal(err)
				}
			}
		}, 2, 0},
		"nothing is left": {func(t *testing.T, s *saved) {
			if err := os.RemoveAll(s.cfg.DataDir); err != nil {
				t.Fatal(err)
			}
		}, 1, 1},
		"the journal went on after an earlier restore": {func(t *testing.T, s *saved) {
			theJournalsEnd(t, s.cfg.DataDir, 0) // without the record that the backup has
			db := must[*DB](t)(Open(ctx, s.cfg))
			s.optOut(t, db, 3)
			s.optOut(t, db, 4)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}, 3, 1}, // the second opt-out
		"a restore was cut off in the middle of the swap": {func(t *testing.T, s *saved) {
			aside := filepath.Join(s.cfg.DataDir, asideName+"2026")
			for _, dir := range []string{aside, filepath.Join(s.cfg.DataDir, restoringName)} {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range []string{"wellpaced.db", "journal", "marker"} {
				if err := os.Rename(filepath.Join(s.cfg.DataDir, f), filepath.Join(aside, f)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Open(ctx, s.cfg); err == nil || !strings.Contains(err.Error(), "restore") {
				t.Fatalf("a half restored folder is served: %v", err)
			}
		}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := save(t, testConfig(t))
			c.change(t, &s)
			r, err := Restore(ctx, s.cfg, s.file, true)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Gaps) == 1 && r.Gaps[0].Records != 1 {
				t.Errorf("a gap of %d records", r.Gaps[0].Records)
			}
			if len(r.Gaps) != c.gaps || r.Manifest.Counts["suppression"] != 1 {
				t.Errorf("the report: %+v", r)
			}
			s.check(t, c.optOuts, c.gaps)
		})
	}
}

// The database may lie elsewhere.
func TestRestore_databaseElsewhere(t *testing.T) {
	cfg := testConfig(t)
	cfg.Database = filepath.Join(t.TempDir(), "other.db")
	s := save(t, cfg)
	r, err := Restore(context.Background(), s.cfg, s.file, true)
	if err != nil {
		t.Fatal(err)
	}
	if old, _ := filepath.Glob(cfg.Database + "." + asideName + "*"); len(old) != 1 || r.Aside == "" {
		t.Errorf("the old database: %v, aside %q", old, r.Aside)
	}
	s.check(t, 2, 0)
}

// What is refused changes nothing.
func TestRestore_refuses(t *testing.T) {
	ctx := context.Background()
	s := save(t, testConfig(t))
	whole := must[[]byte](t)(os.ReadFile(s.file))
	wrong := func(b []byte) string {
		path := filepath.Join(t.TempDir(), "wrong")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cut := bytes.Clone(whole)[:len(whole)*2/3]
	flipped := repack(t, whole, func(name string, b []byte) []byte {
		if name == "wellpaced.db" {
			b[len(b)/2] ^= 1
		}
		return b
	})
	outside := repack(t, whole, func(name string, b []byte) []byte {
		if name == manifestName {
			b = bytes.Replace(b, []byte(`"wellpaced.db"`), []byte(`"../../etc/db"`), 1)
		}
		return b
	})
	for name, c := range map[string]struct {
		file  string
		force bool
		says  string
	}{
		"without force":   {s.file, false, "--force"},
		"cut short":       {wrong(cut), true, "damaged"},
		"a flipped bit":   {wrong(flipped), true, "not what was backed up"},
		"a path outside":  {wrong(outside), true, "no backup"},
		"something else":  {wrong([]byte("hello")), true, "no backup"},
		"nothing at all":  {filepath.Join(t.TempDir(), "none"), true, "no such file"},
		"another's files": {wrong(must[[]byte](t)(os.ReadFile(save(t, testConfig(t)).file))), true, "key"},
	} {
		if _, err := Restore(ctx, s.cfg, c.file, c.force); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	db := mustOpen(t, s.cfg)
	if h := must[campaign.Halt](t)(db.Examine(ctx)); h.On() || count(t, db, `SELECT COUNT(*) FROM suppression`) != 2 {
		t.Errorf("a refused restore changed something: %s", h.Sentence())
	}
	if _, err := Restore(ctx, s.cfg, s.file, true); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("restored under a serving process: %v", err)
	}
}

// repack changes the files of a backup.
func repack(t *testing.T, whole []byte, change func(name string, b []byte) []byte) []byte {
	t.Helper()
	in := must[*gzip.Reader](t)(gzip.NewReader(bytes.NewReader(whole)))
	r := tar.NewReader(in)
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b := change(h.Name, must[[]byte](t)(io.ReadAll(r)))
		h.Size = int64(len(b))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A backup holds no key and nobody's data in clear, and its manifest is true.
func TestBackup(t *testing.T) {
	s := save(t, testConfig(t))
	if info, err := os.Stat(s.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	var secrets [][]byte
	for _, f := range []string{sealKeyFile, indexKeyFile, linkKeyFile} {
		secrets = append(secrets, bytes.TrimSpace(must[[]byte](t)(os.ReadFile(filepath.Join(s.cfg.Keys, f)))))
	}
	secrets = append(secrets, []byte(testCandidate(t, 1).Phone.Reveal()), []byte(testCandidate(t, 2).Phone.Reveal()))
	seen := map[string]bool{}
	var m Manifest
	repack(t, must[[]byte](t)(os.ReadFile(s.file)), func(name string, b []byte) []byte {
		seen[name] = true
		for _, secret := range secrets {
			if bytes.Contains(b, secret) {
				t.Errorf("%s holds a key or a number", name)
			}
		}
		if name == manifestName {
			if err := json.Unmarshal(b, &m); err != nil {
				t.Error(err)
			}
		}
		return b
	})
	if len(seen) != 3 || !seen["wellpaced.db"] || !seen["journal/0001.jnl"] {
		t.Errorf("files %v", seen)
	}
	if m.Counts["message"] != 5 || m.Counts["suppression"] != 1 || m.JournalSeq != 1 || m.Drained != 1 || m.Schema < 5 || m.Database == "" {
		t.Errorf("the manifest: %+v", m)
	}
}

// Backups are taken while people write: each is a moment that was, and writers wait for none.
func TestBackup_underLoad(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	cfg.Serve = true
	db := mustOpen(t, cfg)
	w := launched(t, db, 200, nil)
	s := saved{cfg: cfg, w: w}
	mustWrite(t, db, `INSERT INTO meta (key, value) VALUES ('pair_a', ''), ('pair_b', '')`)
	stop, wrote := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { wrote <- n }()
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			// One transaction: a backup has both rows or none.
			err := db.write(ctx, "pair", func(tx *Tx) error {
				for _, key := range []string{"a", "b"} {
					if err := tx.setMeta("pair_"+key, itoa(int64(n))); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
				return
			}
			if n%50 == 0 {
				s.optOut(t, db, n/50+1)
			}
		}
	}()
	dir := t.TempDir()
	for range 4 {
		path, m, err := db.Backup(ctx, filepath.Join(dir, itoa(db.newID())))
		if err != nil {
			t.Fatal(err)
		}
		if m.JournalSeq < m.Drained {
			t.Errorf("the journal's copy ends at %d, and the database has %d", m.JournalSeq, m.Drained)
		}
		out := filepath.Join(dir, "out"+itoa(db.newID()))
		must[Manifest](t)(unpack(path, out))
		err = askCopy(filepath.Join(out, "wellpaced.db"), func(ask rowAsker) error {
			var a, b string
			err := ask(`SELECT (SELECT value FROM meta WHERE key = 'pair_a'), (SELECT value FROM meta WHERE key = 'pair_b')`).Scan(&a, &b)
			if a != b {
				t.Errorf("half a transaction: %s and %s", a, b)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if n := <-wrote; n < 10 {
		t.Errorf("only %d writes went on meanwhile", n)
	}
}
