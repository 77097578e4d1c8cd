package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
)

// RestoreReport says what a restore has done.
type RestoreReport struct {
	Manifest Manifest
	// Aside is where the data that were there before are kept; "" if there were none.
	Aside string
	// Replayed are the journal's records that the backup did not hold and the database has now.
	Replayed int
	// Gaps are what nothing brings back.
	Gaps []campaign.Gap
}

const (
	restoringName = "restoring"       // in the data folder while a restore is under way: nothing may be served
	asideName     = "before-restore-" // and the time
	broughtName   = "journal-brought" // in the folder "restoring"
	serveLockName = "serve.lock"
)

// Restore puts a backup in the place of the data, keeps the journal that is there, and marks the database so that nothing is sent before
// it is known what left. With force it moves data that are there aside; without, it refuses them. On Postgres the database must be empty.
func Restore(ctx context.Context, cfg Config, from string, force bool) (r RestoreReport, err error) {
	t, err := parseTarget(cfg.Database, cfg.DataDir)
	if err != nil {
		return r, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := keysApart(cfg.Keys, cfg.DataDir); err != nil {
		return r, err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return r, fmt.Errorf("make data folder: %w", err)
	}
	for _, path := range t.serveLocks(cfg.DataDir) {
		lock, err := lockFile(path, false)
		if errors.Is(err, errLocked) {
			return r, fmt.Errorf("wellpaced is serving %s: stop it first", cfg.DataDir)
		}
		if err != nil {
			return r, err
		}
		defer lock.Close()
	}
	stage := filepath.Join(cfg.DataDir, restoringName)
	old, cut, err := whatIsThere(cfg.DataDir, t)
	if err != nil {
		return r, err
	}
	if len(old) > 0 && !force {
		return r, fmt.Errorf("%s is not empty: with --force what is there is moved aside, not thrown away; its journal is kept in use", cfg.DataDir)
	}
	if err := os.RemoveAll(stage); err != nil {
		return r, fmt.Errorf("remove what an earlier restore left: %w", err)
	}
	if err := errors.Join(os.Mkdir(stage, 0o700), syncDir(cfg.DataDir)); err != nil {
		return r, fmt.Errorf("make a folder for the restore: %w", err)
	}
	swapping := false
	defer func() {
		if err != nil && !swapping { // nothing has changed
			err = errors.Join(err, os.RemoveAll(stage))
		}
	}()
	if r.Manifest, err = unpack(from, stage); err != nil {
		return r, fmt.Errorf("read the backup %s: %w", from, err)
	}
	if r.Manifest.Engine != t.engine.String() {
		return r, fmt.Errorf("the backup is of a %s database, and --database names a %s one", r.Manifest.Engine, t.engine)
	}
	dump := filepath.Join(stage, t.engine.dumpName())
	if err := checkDump(ctx, dump, r.Manifest); err != nil {
		return r, fmt.Errorf("check the backup %s: %w", from, err)
	}
	journals := []string{filepath.Join(cfg.DataDir, journalName)}
	if cut != "" { // an earlier restore had moved it already
		journals = append(journals, filepath.Join(cut, journalName))
	}
	extra, err := chooseJournals(stage, journals, r.Manifest)
	if err != nil {
		return r, fmt.Errorf("keep the journal: %w", err)
	}
	for _, dir := range []string{cfg.DataDir, cut} { // it remembers more than the backup
		if _, err := os.Stat(filepath.Join(dir, "marker")); dir != "" && err == nil {
			if err := copyFile(filepath.Join(dir, "marker"), filepath.Join(stage, "marker")); err != nil && !errors.Is(err, fs.ErrExist) {
				return r, fmt.Errorf("keep the marker: %w", err)
			}
		}
	}
	staged := cfg
	staged.DataDir, staged.Serve = stage, true
	if t.engine == engineSQLite {
		staged.Database = ""
	} else if err := t.load(ctx, dump); err != nil {
		return r, fmt.Errorf("restore the dump: %w", err)
	}
	if err := settle(ctx, staged, extra, &r); err != nil {
		return r, err
	}
	if t.engine == enginePostgres { // it is all in the database now
		if err := errors.Join(os.Remove(dump), os.RemoveAll(filepath.Join(stage, broughtName))); err != nil {
			return r, err
		}
	}
	swapping = true
	if len(old) > 0 {
		r.Aside = filepath.Join(cfg.DataDir, asideName+cfg.Machine().UTC().Format("20060102T150405.000Z"))
	}
	if err := swap(cfg.DataDir, stage, old, r.Aside, t); err != nil {
		return r, fmt.Errorf("put the backup in its place (nothing is lost: what was there is in %s, what was restored in %s; run the command again): %w", r.Aside, stage, err)
	}
	return r, nil
}

// whatIsThere lists the files that a restore moves aside. cut is where an earlier restore, which was cut off, had moved some already.
func whatIsThere(dataDir string, t target) (old []string, cut string, err error) {
	entries, err := os.ReadDir(dataDir)
	if err != nil {
		return nil, "", fmt.Errorf("look into the data folder: %w", err)
	}
	interrupted := false
	for _, e := range entries {
		switch name := e.Name(); {
		case name == serveLockName:
		case name == restoringName:
			interrupted = true
		case strings.HasPrefix(name, asideName):
			cut = filepath.Join(dataDir, name) // the newest, in the order of names
		default:
			old = append(old, filepath.Join(dataDir, name))
		}
	}
	if !interrupted {
		cut = ""
	}
	if t.engine == engineSQLite && !within(t.path, dataDir) {
		for _, tail := range []string{"", "-wal", "-shm"} {
			if _, err := os.Lstat(t.path + tail); err == nil {
				old = append(old, t.path+tail)
			}
		}
	}
	return old, cut, nil
}

// swap moves what is there aside and the restored files into its place. While it is under way the folder "restoring" keeps serve out.
func swap(dataDir, stage string, old []string, aside string, t target) error {
	if aside != "" {
		if err := os.Mkdir(aside, 0o700); err != nil {
			return err
		}
	}
	for _, path := range old {
		to := filepath.Join(aside, filepath.Base(path))
		if !within(path, dataDir) { // perhaps on another disk: it stays there
			to = t.path + "." + filepath.Base(aside) + strings.TrimPrefix(path, t.path)
		}
		if err := os.Rename(path, to); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(stage)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(stage, e.Name()), filepath.Join(dataDir, e.Name())
		switch {
		case e.Name() == serveLockName || strings.HasSuffix(e.Name(), ".lock"):
			continue // ours is held in its own place
		case t.engine == engineSQLite && strings.HasPrefix(e.Name(), t.engine.dumpName()) && !within(t.path, dataDir): // perhaps another disk
			if err := errors.Join(copyFile(from, t.path+strings.TrimPrefix(e.Name(), t.engine.dumpName())), syncDir(filepath.Dir(t.path))); err != nil {
				return err
			}
			continue
		case t.engine == engineSQLite && strings.HasPrefix(e.Name(), t.engine.dumpName()): // it may be called otherwise
			to = t.path + strings.TrimPrefix(e.Name(), t.engine.dumpName())
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(dataDir), os.RemoveAll(stage), syncDir(dataDir))
}

// settle opens what was restored, marks it, and takes in what the journal has beyond it.
func settle(ctx context.Context, cfg Config, extra []other, r *RestoreReport) (err error) {
	cfg.staging = true
	db, err := Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open what was restored: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Begin(ctx, campaign.Restored); err != nil {
		return fmt.Errorf("mark the database: %w", err)
	}
	for _, o := range extra {
		if err := db.absorb(o); err != nil {
			return fmt.Errorf("take over another journal: %w", err)
		}
	}
	h, err := db.Examine(ctx)
	if err != nil {
		return err
	}
	if r.Replayed, err = db.rejoin(ctx, h.ID); err != nil {
		return fmt.Errorf("take in the journal: %w", err)
	}
	if h, err = db.Examine(ctx); err != nil {
		return err
	}
	r.Gaps = h.Gaps
	return nil
}

// other is a journal that has records which the one that goes on has not.
type other struct {
	dir  string
	from int64 // the first record that may matter
}

// absorb appends to this journal what another one holds. Some of it may be here already, which does no harm.
func (db *DB) absorb(o other) error {
	j, err := openJournal(o.dir, db.sealer, db.cfg.Machine, db.log)
	if err != nil {
		return err
	}
	found := int64(0) // of what is remembered and was not here
	err = j.replay(o.from, func(r Record) error {
		if r.Seq > db.journal.last {
			found++
		}
		_, err := db.journal.append(r.Kind, r.payload)
		return err
	})
	db.books.mu.Lock()
	if l := db.books.lost; l != nil && l.why == whyBehind {
		if l.records -= found; l.records <= 0 {
			db.books.lost = nil
		}
	}
	db.books.mu.Unlock()
	if hurt, ok := errors.AsType[*damage](err); ok {
		db.lose(hurt)
		return nil
	}
	return err
}

// chooseJournals leaves in stage the journal that goes on, and returns those that have more.
//
// With SQLite there is one journal: the backup's goes on, or one that is there and holds all that the backup's does. With Postgres every
// process has its own: the one that is there stays, and what the backup brings of another process is added to it.
func chooseJournals(stage string, there []string, m Manifest) (more []other, err error) {
	mine := filepath.Join(stage, journalName)
	if m.Engine == enginePostgres.String() {
		brought := filepath.Join(stage, broughtName)
		if err := os.Rename(mine, brought); err != nil {
			return nil, err
		}
		return []other{{brought, m.Drained + 1}}, copyJournal(there[0], mine)
	}
	for _, dir := range there {
		theirs, ours, err := compareJournals(dir, mine)
		switch {
		case err != nil:
			return nil, err
		case !theirs:
		case ours:
			more = append(more, other{dir, 0})
		default:
			if err := os.RemoveAll(mine); err != nil {
				return nil, err
			}
			if err := copyJournal(dir, mine); err != nil {
				return nil, err
			}
		}
	}
	return more, nil
}

// compareJournals tells which of two journals has records that the other has not.
func compareJournals(a, b string) (moreA, moreB bool, err error) {
	inA, errA := records(a)
	inB, errB := records(b)
	if err := errors.Join(errA, errB); err != nil {
		return false, false, err
	}
	for seq, sealed := range inA {
		moreA = moreA || !bytes.Equal(sealed, inB[seq])
	}
	for seq, sealed := range inB {
		moreB = moreB || !bytes.Equal(sealed, inA[seq])
	}
	// One that is damaged in its middle never takes the place of another that has what is missing there.
	return moreA, moreB, nil
}

// records reads all whole records of a journal, sealed as they are, by their place.
func records(dir string) (map[[2]int64][]byte, error) {
	j := &journal{dir: dir}
	segments, err := j.segments()
	if err != nil {
		return nil, err
	}
	all := map[[2]int64][]byte{}
	for _, n := range segments {
		data, err := os.ReadFile(j.path(n))
		if err != nil {
			return nil, err
		}
		scanSegment(n, data, func(seq int64, sealed []byte) { all[[2]int64{int64(n), seq}] = sealed })
	}
	return all, nil
}
