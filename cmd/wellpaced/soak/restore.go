package soak

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// makeBackup takes one beside the running program, to be put back later: what happens in between is what a restored database has forgotten.
func (s *soak) makeBackup(ctx context.Context) error {
	s.backup = filepath.Join(s.cfg.Dir, fmt.Sprintf("backup-%d", s.report.Kills))
	_, err := s.program(ctx, "backup", s.backup)
	return err
}

// restore stops everything and puts the last backup in place of the database, as an operator does after a disaster. The victim of the last
// kill is started by whoever killed it; the others start here.
func (s *soak) restore(ctx context.Context) error {
	if s.backup == "" {
		return nil
	}
	var ended []*player
	for _, p := range s.cast {
		if p.cmd != nil {
			ended = append(ended, p)
			p.end(syscall.SIGKILL)
		}
	}
	if s.cfg.Database != "" { // a dump goes into an empty database, and the old one stays as it is
		fresh, err := s.cfg.NewDatabase()
		if err != nil {
			return fmt.Errorf("make a database for the backup: %w", err)
		}
		for _, p := range s.cast {
			for i, arg := range p.args {
				if arg == s.cfg.Database {
					p.args[i] = fresh
				}
			}
		}
		s.cfg.Database = fresh
	}
	if _, err := s.program(ctx, "restore", s.backup, "--force"); err != nil {
		return err
	}
	s.backup = ""
	s.report.Restores++
	for _, p := range ended {
		if err := p.start(s.cfg.Program[0]); err != nil {
			return err
		}
	}
	return nil
}

// learn spares the program, the provider's faults excepted, until it has learned what left: whoever has just restored a backup watches.
// It takes two complete listings a settle time apart, which nobody gets who is killed every other second.
func (s *soak) learn(ctx context.Context) {
	began := time.Now()
	for ; time.Since(began) < 2*time.Minute && ctx.Err() == nil; sleep(ctx, 200*time.Millisecond) {
		if h, err := s.halted(ctx); err == nil && !h.On() {
			break
		}
	}
	s.say("%s after a backup was put back sending may go on", time.Since(began).Round(time.Second/10))
}
