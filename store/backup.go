package store

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Manifest says what a backup holds. It is the first file in it.
type Manifest struct {
	Format   int       `json:"format"`
	Made     time.Time `json:"made"` // machine time
	Engine   string    `json:"engine"`
	Database string    `json:"database"` // its id
	Schema   int64     `json:"schema"`
	// HighestIntent is the machine time, in unix milliseconds, of the newest claim.
	HighestIntent int64 `json:"highest_intent"`
	// JournalSeq is the last record of the journal in the backup, Drained the last that its database has taken in.
	JournalSeq int64               `json:"journal_seq"`
	Drained    int64               `json:"drained"`
	Counts     map[string]int64    `json:"counts"` // rows
	Files      map[string]FileInfo `json:"files"`
}

// FileInfo is a file of a backup.
type FileInfo struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	backupFormat = 1
	manifestName = "manifest.json"
	journalName  = "journal"
)

// backupCounts are the tables whose rows a manifest counts.
var backupCounts = []string{"network", "account", "audience", "patient", "campaign", "message", "attempt", "evidence", "contact", "suppression", "referral", "audit"}

// Backup writes a consistent copy of the database and the journal into one file, beside a running serve, and checks it by opening it. to is
// the file, or a folder in which the file gets a name with the time. The keys are never in it.
func (db *DB) Backup(ctx context.Context, to string) (path string, m Manifest, err error) {
	now := db.cfg.Machine().UTC()
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, "wellpaced-"+now.Format("20060102T150405Z")+".backup")
	}
	if _, err := os.Lstat(to); err == nil {
		return "", m, fmt.Errorf("%s is there already: a backup never writes over another one", to)
	}
	stage, err := os.MkdirTemp(filepath.Dir(to), "."+filepath.Base(to)+".part-") // 0700
	if err != nil {
		return "", m, fmt.Errorf("make a folder for the backup: %w", err)
	}
	defer func() {
		if gone := os.RemoveAll(stage); err == nil {
			err = gone
		}
	}()
	t, err := parseTarget(db.cfg.Database, db.cfg.DataDir)
	if err != nil {
		return "", m, err
	}
	m = Manifest{Format: backupFormat, Made: now, Engine: db.engine.String(), Database: db.id.String(), Files: map[string]FileInfo{}}
	if err := db.dump(ctx, t, filepath.Join(stage, t.engine.dumpName()), &m); err != nil {
		return "", m, fmt.Errorf("copy the database: %w", err)
	}
	// After the database: what it has taken in is then in the journal's copy too.
	if err := copyJournal(db.journal.dir, filepath.Join(stage, journalName)); err != nil {
		return "", m, fmt.Errorf("copy the journal: %w", err)
	}
	copied, err := openJournal(filepath.Join(stage, journalName), db.sealer, db.cfg.Machine, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", m, err
	}
	if m.JournalSeq, err = copied.end(); err != nil {
		return "", m, fmt.Errorf("read the journal's copy: %w", err)
	}
	part := filepath.Join(stage, "backup")
	if err := pack(stage, part, &m); err != nil {
		return "", m, fmt.Errorf("write the backup: %w", err)
	}
	check := filepath.Join(stage, "check")
	if _, err := db.unpackAndCheck(ctx, part, check); err != nil {
		return "", m, fmt.Errorf("check the backup: %w", err)
	}
	if err := errors.Join(os.Rename(part, to), syncDir(filepath.Dir(to))); err != nil {
		return "", m, fmt.Errorf("keep the backup: %w", err)
	}
	return to, m, nil
}

// unpackAndCheck unpacks a backup and finds out whether it can be restored, as far as that can be told without doing it.
func (db *DB) unpackAndCheck(ctx context.Context, path, dir string) (Manifest, error) {
	m, err := unpack(path, dir)
	if err != nil {
		return m, err
	}
	if m.Database != db.id.String() {
		return m, fmt.Errorf("it is of the database %s, not of %s", m.Database, db.id)
	}
	if err := checkDump(ctx, filepath.Join(dir, db.engine.dumpName()), m); err != nil {
		return m, err
	}
	j, err := openJournal(filepath.Join(dir, journalName), db.sealer, db.cfg.Machine, slog.New(slog.DiscardHandler))
	if err != nil {
		return m, err
	}
	return m, j.replay(m.Drained+1, func(Record) error { return nil })
}

// end is the last whole record on the disk.
func (j *journal) end() (last int64, err error) {
	segments, err := j.segments()
	if err != nil {
		return 0, err
	}
	for _, n := range segments {
		data, err := os.ReadFile(j.path(n))
		if err != nil {
			return 0, err
		}
		if s := scanSegment(n, data, func(seq int64, _ []byte) { last = max(last, seq) }); s.headerOK {
			last = max(last, s.first-1)
		}
	}
	return last, nil
}

// copyJournal copies the segments as they are at this moment. The end of the last may be half a record, which no reader minds.
func copyJournal(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".jnl") || e.Name() == "id" {
			if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
	}
	return syncDir(to)
}

// copyFile copies as much of a file as it has now.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, info.Size()))
	return errors.Join(err, out.Sync(), out.Close())
}

// pack writes the files of a folder, the manifest first, as one compressed file.
func pack(dir, to string, m *Manifest) (err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := sumFile(path)
		m.Files[filepath.ToSlash(name)] = info
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed) // most of it is sealed, which no level makes smaller
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	head, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(head)), ModTime: m.Made}); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: m.Files[name].Size, ModTime: m.Made}); err != nil {
			return err
		}
		in, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, in)
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), z.Close())
}

func sumFile(path string) (info FileInfo, err error) {
	f, err := os.Open(path)
	if err != nil {
		return info, err
	}
	defer f.Close()
	h := sha256.New()
	info.Size, err = io.Copy(h, f)
	info.SHA256 = hex.EncodeToString(h.Sum(nil))
	return info, err
}

// maxManifest bounds what is read of a file that may be no backup.
const maxManifest = 1 << 20

var errNoBackup = errors.New("this is no backup of wellpaced, or it is damaged")

// unpack writes a backup's files into a new folder and compares them with the manifest.
func unpack(path, dir string) (m Manifest, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return m, errNoBackup
	}
	r := tar.NewReader(z)
	head, err := r.Next()
	if err != nil || head.Name != manifestName || head.Size > maxManifest {
		return m, errNoBackup
	}
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		return m, errNoBackup
	}
	if m.Format != backupFormat {
		return m, fmt.Errorf("the backup has the format %d, and this program knows %d: use the program that made it, or a newer one", m.Format, backupFormat)
	}
	if err := os.MkdirAll(filepath.Join(dir, journalName), 0o700); err != nil {
		return m, err
	}
	found := 0
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, fmt.Errorf("%w (%w)", errNoBackup, err)
		}
		want, ok := m.Files[head.Name]
		if !ok || !filepath.IsLocal(head.Name) || strings.Count(head.Name, "/") > 1 {
			return m, errNoBackup
		}
		if err := unpackFile(r, filepath.Join(dir, filepath.FromSlash(head.Name)), want); err != nil {
			return m, fmt.Errorf("%w (%s: %w)", errNoBackup, head.Name, err)
		}
		found++
	}
	if found != len(m.Files) {
		return m, errNoBackup
	}
	return m, errors.Join(syncDir(filepath.Join(dir, journalName)), syncDir(dir))
}

func unpackFile(r io.Reader, to string, want FileInfo) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), r)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if n != want.Size || hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
		return errors.New("it is not what was backed up")
	}
	return nil
}

// count fills in what a manifest says of a database. ask runs a query on a snapshot of it.
func (m *Manifest) count(ask rowAsker) error {
	m.Counts = map[string]int64{}
	for _, table := range backupCounts {
		var n int64
		if err := ask(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil {
			return err
		}
		m.Counts[table] = n
	}
	return errors.Join(ask(`SELECT COALESCE(MAX(started_at), 0) FROM attempt`).Scan(&m.HighestIntent),
		ask(`SELECT MAX(version_id) FROM goose_db_version`).Scan(&m.Schema),
		ask(`SELECT value FROM meta WHERE key = '`+metaDatabaseID+`'`).Scan(&m.Database))
}

// agrees compares a copy with what its manifest says.
func (m Manifest) agrees(ask rowAsker) error {
	var got Manifest
	if err := got.count(ask); err != nil {
		return err
	}
	if !maps.Equal(got.Counts, m.Counts) || got.HighestIntent != m.HighestIntent || got.Schema != m.Schema || got.Database != m.Database {
		return errors.New("the copy does not hold what was counted")
	}
	return nil
}
