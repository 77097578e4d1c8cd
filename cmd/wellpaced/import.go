package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/wellpaced/wellpaced/campaign"
	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
)

// importCmd puts a patient list through the same door as an upload.
type importCmd struct {
	settings `embed:""`
	File     string            `arg:"" help:"The list, CSV or an Excel workbook, or - for standard input (CSV only)."`
	DryRun   bool              `help:"Screen and count, write nothing."`
	Network  string            `help:"Name of the network; not needed if there is one only."`
	As       string            `placeholder:"EMAIL" help:"Who imports it. Needed unless --dry-run."`
	Name     string            `help:"Name of the list. Default: the file's name."`
	Map      map[string]string `placeholder:"FIELD=HEADER" help:"Columns whose header is not recognised, e.g. mobile='Tel 2'."`
	TakenOn  string            `placeholder:"YYYY-MM-DD" help:"The day on which the list was taken from the GP system: its age counts from it. Default: the day that the file says, or else today."`
	JSON     bool              `help:"Print the ledger as JSON."`
}

func (c *importCmd) Run(ctx context.Context, to std) error {
	in, size := io.Reader(os.Stdin), int64(0)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("open the list: %w", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("open the list: %w", err)
		}
		in = f
		if info.Mode().IsRegular() { // a workbook needs to be one
			size = info.Size()
		}
	}
	mapping, err := fieldMapping(c.Map)
	if err != nil {
		return err
	}
	db, clean, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	defer clean()
	who, err := c.who(ctx, db)
	if err != nil {
		return err
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		return fmt.Errorf("find out what day it is: %w", err)
	}
	today := time.Now().In(london)
	taken, err := c.takenOn(today)
	if err != nil {
		return err
	}
	progress := progressTo(to.err)
	a, err := campaigndesk.Import(ctx, campaigndesk.ImportConfig{
		Begin: func(ctx context.Context) (campaign.Importer, error) {
			return db.BeginImport(ctx, who, cmp.Or(c.Name, filepath.Base(c.File)), false, c.DryRun)
		},
		Reader:  in,
		Options: patientlist.Options{Mapping: mapping, Today: today, Size: size, Shelf: func() (patientlist.Shelf, error) { return db.Shelf() }},
		Found: func(f patientlist.Found) {
			for _, advice := range campaigndesk.Advice(f) {
				fmt.Fprintln(to.err, advice)
			}
		},
		Taken:    func() (said, file time.Time, err error) { return taken, file, nil },
		Progress: progress.rows,
	})
	progress.end()
	if err != nil {
		var wrong *patientlist.FileError
		if errors.As(err, &wrong) && wrong.Code == campaigndesk.TakenUnclear {
			return errors.New(strings.ReplaceAll(wrong.Sentence, "taken_on", "--taken-on"))
		}
		if errors.As(err, &wrong) {
			return errors.New(wrong.Sentence)
		}
		return err
	}
	if c.JSON {
		return report(to.out, true, importedJSON{a.Ledger, a.TakenOn.Format(time.DateOnly)}, "")
	}
	return printLedger(to.out, a)
}

// importedJSON is what --json prints.
type importedJSON struct {
	campaign.Ledger
	TakenOn string `json:"taken_on"`
}

// takenOn is the day of --taken-on, zero if it is left out.
func (c *importCmd) takenOn(today time.Time) (on time.Time, err error) {
	if c.TakenOn == "" {
		return on, nil
	}
	if on, err = time.Parse(time.DateOnly, c.TakenOn); err == nil {
		err = campaign.CheckTakenOn(on, today)
	}
	if err != nil {
		return on, usageError{fmt.Errorf("read --taken-on, a day such as %s: %w", today.Format(time.DateOnly), err)}
	}
	return on, nil
}

// open uses the real store if there is one: it knows who opted out. A dry run without one leaves nothing behind.
func (c *importCmd) open(ctx context.Context, to std) (*store.DB, func(), error) {
	if _, err := os.Stat(c.Data); c.DryRun && c.Database == "" && errors.Is(err, os.ErrNotExist) {
		dir, err := os.MkdirTemp("", "wellpaced-dry-run-")
		if err != nil {
			return nil, nil, fmt.Errorf("make a folder for the dry run: %w", err)
		}
		s := c.settings
		s.Data, s.Keys = filepath.Join(dir, "data"), filepath.Join(dir, "keys")
		db, err := s.beside(ctx, std{to.out, io.Discard})
		if err != nil {
			_ = os.RemoveAll(dir)
			return nil, nil, err
		}
		return db, func() { _ = db.Close(); _ = os.RemoveAll(dir) }, nil
	}
	db, err := c.beside(ctx, to)
	if err != nil {
		return nil, nil, err
	}
	return db, func() { _ = db.Close() }, nil
}

func (c *importCmd) who(ctx context.Context, db *store.DB) (staff.Account, error) {
	if c.DryRun && c.As == "" {
		if n, err := networkNamed(ctx, db, c.Network); err == nil {
			return staff.Account{Network: n.ID}, nil
		} else if c.Network != "" {
			return staff.Account{}, err
		}
		return staff.Account{}, nil // no network, nothing known of earlier: the file alone is screened
	}
	if c.As == "" {
		return staff.Account{}, usageError{errors.New("say who imports the list: --as EMAIL, or try it with --dry-run")}
	}
	who, _, err := db.AccountByEmail(ctx, c.As)
	if err != nil {
		return who, fmt.Errorf("find %s: %w", c.As, err)
	}
	return who, staff.Check(ctx, db, who, staff.UploadList, who.Network, "import")
}

func fieldMapping(in map[string]string) (map[patientlist.Field]string, error) {
	out := map[patientlist.Field]string{}
	for f, header := range in {
		if !slices.Contains(patientlist.Fields(), patientlist.Field(f)) {
			return nil, usageError{fmt.Errorf("there is no field %q; the fields are %v", f, patientlist.Fields())}
		}
		out[patientlist.Field(f)] = header
	}
	return out, nil
}

// printLedger shows where every row went; the sum is always the rows of the file.
func printLedger(w io.Writer, a campaign.Audience) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	l := a.Ledger
	if !a.TakenOn.IsZero() {
		fmt.Fprintf(t, "taken on\t%s\t\n", a.TakenOn.Format(time.DateOnly))
	}
	fmt.Fprintf(t, "rows\t%d\t\n", l.Rows)
	fmt.Fprintf(t, "invited\t%d\t\n", l.Invited)
	for _, part := range []struct {
		name  string
		codes map[string]int
	}{{"excluded", l.Excluded}, {"rejected", l.Rejected}} {
		for _, code := range slices.Sorted(maps.Keys(part.codes)) {
			fmt.Fprintf(t, "%s %s\t%d\t\n", part.name, strings.ReplaceAll(code, "_", " "), part.codes[code])
		}
	}
	return t.Flush()
}

// progressLine shows how far long work is: one moving line on a terminal, a line now and then elsewhere.
type progressLine struct {
	w        io.Writer
	terminal bool
	last     time.Time
}

func progressTo(w io.Writer) *progressLine {
	f, ok := w.(*os.File)
	return &progressLine{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (p *progressLine) rows(rows int, bytes int64) {
	every := 10 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	now := time.Now()
	if p.last.IsZero() {
		p.last = now
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	end := "\n"
	if p.terminal {
		end = "\r"
	}
	fmt.Fprintf(p.w, "%d rows, %d MB%s", rows, bytes>>20, end)
}

func (p *progressLine) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\033[K")
	}
}
