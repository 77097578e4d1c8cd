package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/store"
)

// backupCmd works beside a running serve.
type backupCmd struct {
	settings `embed:""`
	To       string `arg:"" name:"file" help:"The file to write, or a folder: then the file is called by the time."`
	JSON     bool   `help:"Print JSON."`
}

// backupReport is what backup --json prints.
type backupReport struct {
	File string `json:"file"`
	store.Manifest
}

func (c *backupCmd) Run(ctx context.Context, to std) error {
	db, err := c.beside(ctx, to)
	if err != nil {
		return err
	}
	defer db.Close()
	path, m, err := db.Backup(ctx, c.To)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	checked := "It was checked by opening the copy."
	if m.Engine == "postgres" {
		checked = "It was read from end to end; only restoring it into an empty database proves more. It holds the journal of this data folder, not those of other processes."
	}
	return report(to.out, c.JSON, backupReport{path, m},
		fmt.Sprintf("Backed up to %s: %d messages, %d referrals, %d opt-outs, and the journal up to record %d.\n%s\nThe keys are not in it, and it is worth nothing without them: keep a copy of %s elsewhere.",
			path, m.Counts["message"], m.Counts["referral"], m.Counts["suppression"], m.JournalSeq, checked, c.Keys))
}

// restoreCmd puts a backup back, or accepts what none can bring back.
type restoreCmd struct {
	settings  `embed:""`
	File      string `arg:"" optional:"" help:"The backup to put back. Stop serve first."`
	Force     bool   `help:"Move what is in the data folder aside. Its journal stays in use."`
	AcceptGap bool   `help:"Accept what is missing and nothing brings back, so that sending goes on. It works beside a running serve."`
	Yes       bool   `help:"With --accept-gap: do not ask."`
	By        string `placeholder:"NAME" help:"With --accept-gap: who accepts it, for the audit. Default: your account on this computer."`
	JSON      bool   `help:"Print JSON."`
}

type gapReport struct {
	Journal string     `json:"journal"`
	Why     string     `json:"why"`
	From    *time.Time `json:"from"` // null: from the beginning
	To      time.Time  `json:"to"`
	Records int64      `json:"records"` // 0: nobody knows
}

func gapReports(all []campaign.Gap) []gapReport {
	out := []gapReport{}
	for _, g := range all {
		r := gapReport{Journal: g.Journal, Why: g.Why, To: g.To.UTC(), Records: g.Records}
		if !g.From.IsZero() {
			from := g.From.UTC()
			r.From = &from
		}
		out = append(out, r)
	}
	return out
}

func (c *restoreCmd) Run(ctx context.Context, to std) error {
	switch {
	case c.AcceptGap && (c.File != "" || c.Force):
		return usageError{errors.New("--accept-gap goes with no backup: restore that first")}
	case c.AcceptGap:
		return c.accept(ctx, to)
	case c.File == "":
		return usageError{errors.New("name the backup to put back, or use --accept-gap")}
	}
	r, err := store.Restore(ctx, store.Config{Database: c.Database, DataDir: c.Data, Keys: c.Keys, Now: time.Now, Machine: time.Now, Logger: c.logger(to.err).With("comp", "store")}, c.File, c.Force)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Restored %s as of %s: %d messages, %d referrals, %d opt-outs in the backup.\n", c.Data, r.Manifest.Made.Format(time.RFC3339), r.Manifest.Counts["message"], r.Manifest.Counts["referral"],
		r.Manifest.Counts["suppression"])
	fmt.Fprintf(&b, "%d records of the journal, which the backup may not have held, were taken in.\n", r.Replayed)
	if r.Aside != "" {
		fmt.Fprintf(&b, "What was there before is in %s. Delete it when you are sure: it holds patients' data.\n", r.Aside)
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(&b, "MISSING: %s\n", g)
	}
	if len(r.Gaps) > 0 {
		fmt.Fprint(&b, "Nothing is sent until a person accepts that, with: wellpaced restore --accept-gap\n")
	}
	fmt.Fprint(&b, "Start wellpaced serve now. The site answers at once; texts wait until the provider's record has told which of them left, about ten minutes.")
	return report(to.out, c.JSON, map[string]any{"data": c.Data, "made": r.Manifest.Made, "counts": r.Manifest.Counts, "journal_records": r.Replayed, "aside": r.Aside, "gaps": gapReports(r.Gaps)}, b.String())
}

// accept takes a person's word that what is missing is missing.
func (c *restoreCmd) accept(ctx context.Context, to std) error {
	db, err := c.beside(ctx, to)
	if err != nil {
		return err
	}
	defer db.Close()
	h, err := db.Halted(ctx)
	if err != nil {
		return err
	}
	if len(h.Gaps) == 0 {
		words := "Nothing waits for that. "
		if h.On() {
			words += h.Sentence()
		}
		return report(to.out, c.JSON, map[string]any{"accepted": gapReports(nil), "waits": h.Sentence()}, strings.TrimSpace(words))
	}
	who := cmp.Or(c.By, account())
	for _, g := range h.Gaps {
		fmt.Fprintln(to.err, "MISSING:", g)
	}
	if !c.Yes {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return usageError{errors.New("nobody is there to be asked: add --yes if a person has accepted it")}
		}
		fmt.Fprintf(to.err, "People may have opted out in that time, and would be texted; people may have asked for help, and are not in the queue.\nType \"accept\" to let sending go on, in the name of %s: ", who)
		answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil || strings.TrimSpace(answer) != "accept" {
			return errors.New("nothing was accepted")
		}
	}
	accepted, err := db.AcceptGap(ctx, who, h.Gaps)
	if err != nil {
		return fmt.Errorf("accept the gap: %w", err)
	}
	if h, err = db.Halted(ctx); err != nil {
		return err
	}
	return report(to.out, c.JSON, map[string]any{"accepted": gapReports(accepted), "by": who, "waits": h.Sentence()},
		fmt.Sprintf("Accepted in the name of %s; it is in the audit. A running serve notices within seconds.", who))
}

// account names who runs the command.
func account() string {
	host, err := os.Hostname()
	if err != nil {
		host = "this computer"
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username + " on " + host
	}
	return "somebody on " + host
}
