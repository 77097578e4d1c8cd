package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// optoutsCmd carries opt-outs from and to other systems. Its commands work beside a running serve.
type optoutsCmd struct {
	Export optoutsExportCmd `cmd:"" help:"Print all opt-outs of a network: personal data, for another system that texts the same people."`
	Import optoutsImportCmd `cmd:"" help:"Put everybody on a list from another system out of reach."`
}

type optoutsExportCmd struct {
	settings `embed:""`
	Network  string `help:"Name of the network; not needed if there is one only."`
	JSON     bool   `help:"Print JSON."`
}

func (c *optoutsExportCmd) Run(ctx context.Context, to std) error {
	db, n, err := c.besideNetwork(ctx, to, c.Network)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.ExportOptOuts(ctx, n.ID, 0)
	if err != nil {
		return err
	}
	rows := [][]string{{"number", "nhs_number", "why", "since"}}
	type line struct {
		Phone string    `json:"phone,omitempty"`
		NHS   string    `json:"nhs_number,omitempty"`
		Why   string    `json:"why"`
		At    time.Time `json:"at"`
	}
	lines := []line{}
	for _, o := range all.Rows {
		l := line{Why: o.Why, At: o.At.UTC()}
		if !o.Phone.IsZero() {
			l.Phone = o.Phone.Reveal()
		}
		if !o.NHS.IsZero() {
			l.NHS = o.NHS.Reveal()
		}
		lines = append(lines, l)
		rows = append(rows, []string{l.Phone, l.NHS, l.Why, l.At.Format(time.RFC3339)})
	}
	if all.Blind > 0 {
		fmt.Fprintf(to.err, "%d opt-outs are left out: they are in force here, but only a keyed index of the number is left, which tells nobody the number.\n", all.Blind)
	}
	if c.JSON {
		return report(to.out, true, map[string]any{"optouts": lines, "blind": all.Blind}, "")
	}
	w := csv.NewWriter(to.out)
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

type optoutsImportCmd struct {
	settings `embed:""`
	File     string `arg:"" help:"CSV with phone numbers, NHS numbers or both, in any column, or - for standard input."`
	Network  string `help:"Name of the network; not needed if there is one only."`
	DryRun   bool   `help:"Count, change nothing."`
	JSON     bool   `help:"Print the ledger as JSON."`
}

func (c *optoutsImportCmd) Run(ctx context.Context, to std) error {
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("open the opt-outs: %w", err)
		}
		defer f.Close()
		in = f
	}
	rows, err := selfrefer.ReadOptOuts(in)
	if errors.Is(err, selfrefer.ErrOptOutList) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	db, n, err := c.besideNetwork(ctx, to, c.Network)
	if err != nil {
		return err
	}
	defer db.Close()
	l, err := db.ImportOptOuts(ctx, n.ID, 0, rows, c.DryRun)
	if err != nil {
		return err
	}
	return report(to.out, c.JSON, l, ledgerOfOptOuts(l))
}

// ledgerOfOptOuts says where every row has gone.
func ledgerOfOptOuts(l selfrefer.OptOutLedger) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows: %d added, %d already there, %d cannot be read.", l.Rows, l.Added, l.Already, l.Unreadable)
	for _, p := range l.Problems {
		fmt.Fprintf(&b, "\nLine %d: %s", p.Row, selfrefer.OptOutProblems[p.Code])
	}
	switch {
	case l.DryRun:
		b.WriteString("\nNothing was changed.")
	case l.Added > 0:
		b.WriteString("\nMake a backup now, or keep the file: a backup made before this does not hold these opt-outs. After restoring one, import the file again.")
	}
	return b.String()
}
