package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
)

// ImportConfig is one list on its way in.
type ImportConfig struct {
	// Begin starts the audience. It is called once the file is known to be a patient list, so that a wrong one leaves no trace.
	Begin   func(ctx context.Context) (campaign.Importer, error)
	Reader  io.Reader
	Options patientlist.Options
	// Found, if set, is told what the reader found out about the file.
	Found func(patientlist.Found)
	// Progress, if set, is told now and then how many rows and bytes are done.
	Progress func(rows int, bytes int64)
	// Name, if set, is asked for the list's name after the file's last byte: in an upload the name may follow the file.
	// An error abandons the list.
	Name func() (string, error)
	// Taken, if set, is asked after Name on which day the list was taken from the GP system, and what is known before it is read of what the file says
	// of that. Of a zero day the file is believed; if it says none, it is the day of the import.
	Taken func() (said, file time.Time, err error)
}

const (
	rowsAtOnce    = 512 // a batch between reading and screening
	batchesAhead  = 4   // how far reading may run ahead: bounds the memory
	abandonWithin = time.Minute
)

// batch is what the reading half hands to the screening half.
type batch struct {
	rows  []patientlist.Row
	bytes int64
}

// Import reads, screens and stores one patient list. Its error is a *patientlist.FileError if the file cannot be used; then, and after
// any other error, nothing of the list stays.
//
// Rows are numbered by their line in the file, which is what a spreadsheet shows. Reading and screening run side by side.
func Import(ctx context.Context, c ImportConfig) (_ campaign.Audience, err error) {
	r, err := patientlist.NewReader(c.Reader, c.Options)
	if err != nil {
		return campaign.Audience{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if c.Found != nil {
		c.Found(r.Found())
	}
	im, err := c.Begin(ctx)
	if err != nil {
		return campaign.Audience{}, fmt.Errorf("begin the list: %w", err)
	}
	defer func() {
		if err == nil {
			return
		}
		// The person who uploads may be gone: the rows must go all the same.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonWithin)
		defer cancel()
		if dropErr := im.Abandon(late); dropErr != nil {
			err = errors.Join(err, fmt.Errorf("abandon the list: %w", dropErr))
		}
	}()
	if err := screenAll(ctx, c, r, im); err != nil {
		return campaign.Audience{}, err
	}
	if c.Name != nil {
		name, err := c.Name()
		if err != nil {
			return campaign.Audience{}, err
		}
		im.Rename(name)
	}
	var said, file time.Time
	if c.Taken != nil {
		if said, file, err = c.Taken(); err != nil {
			return campaign.Audience{}, err
		}
	}
	on, file, err := takenBy(said, file, r.Found())
	if err != nil {
		return campaign.Audience{}, err
	}
	if on.IsZero() { // programs export and upload at once
		on = campaign.CivilDay(c.Options.Today)
	}
	im.Taken(on, file)
	a, err := im.Finish(ctx)
	if err != nil {
		return campaign.Audience{}, fmt.Errorf("finish the list: %w", err)
	}
	return a, nil
}

func screenAll(ctx context.Context, c ImportConfig, r *patientlist.Reader, im campaign.Importer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	full, empty := make(chan batch, batchesAhead), make(chan []patientlist.Row, batchesAhead+2)
	read := make(chan error, 1)
	go func() {
		defer close(full)
		read <- readAll(ctx, r, full, empty)
	}()
	defer func() {
		cancel()
		for range full { // the reader must have stopped before the caller takes the file away
		}
	}()
	rows := 0
	for b := range full {
		for i := range b.rows {
			if err := screenRow(ctx, im, &b.rows[i]); err != nil {
				return fmt.Errorf("screen row %d: %w", b.rows[i].Line, err)
			}
		}
		rows += len(b.rows)
		if c.Progress != nil {
			c.Progress(rows, b.bytes)
		}
		select {
		case empty <- b.rows[:0]:
		default:
		}
	}
	return <-read
}

func readAll(ctx context.Context, r *patientlist.Reader, full chan<- batch, empty <-chan []patientlist.Row) error {
	for {
		var rows []patientlist.Row
		select {
		case rows = <-empty:
		default:
			rows = make([]patientlist.Row, 0, rowsAtOnce)
		}
		end := false
		for len(rows) < rowsAtOnce && !end {
			row, err := r.Next()
			switch {
			case err == nil:
				rows = append(rows, row)
			case errors.Is(err, io.EOF):
				end = true
			default:
				return err
			}
		}
		select {
		case full <- batch{rows, r.Offset()}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if end {
			return nil
		}
	}
}

func screenRow(ctx context.Context, im campaign.Importer, row *patientlist.Row) error {
	if row.Rejected != "" {
		return im.Reject(ctx, row.Line, string(row.Rejected))
	}
	p := &row.Patient
	return im.Candidate(ctx, campaign.Candidate{Row: row.Line, NHSNumber: p.NHSNumber, Name: p.Name, BirthDate: p.BirthDate, Sex: p.Sex, Phone: p.Phone,
		Practice: p.Practice, Postcode: p.Postcode, Language: p.Language, Needs: p.Needs, Dead: p.Dead, Dissent: p.Dissent, DoNotContact: p.DoNotContact})
}
