package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// benchCmd measures what Wellpaced promises to be fast at. Speed alone says more of the machine than of us, so every speed stands
// against the bare operation: the same work through the same driver on the same disk in the same run, with nothing of ours around it.
type benchCmd struct {
	Case    string `default:"all" enum:"all,import,memory,sends,forms,hour,tick,demo,desk,desk-postgres,campaign,upload" placeholder:"NAME" help:"One case only: ${enum}. The hour, the demo, the desk, the campaign and the upload take minutes and are not among all."`
	JSON    bool   `help:"Print one JSON object."`
	Quick   bool   `help:"Smaller amounts: rougher figures in a fraction of the time."`
	Dir     string `type:"path" placeholder:"FOLDER" help:"Where the databases of the measurement go; its disk is what is measured. Default: the system's folder for temporary files."`
	Profile string `type:"path" placeholder:"FILE" help:"Write a CPU profile of the measurement."`
	Serve   string `enum:",site,bare" default:"" hidden:"" help:"Be the process that serves in the case hour."`
}

// figure is one measured number, with its aim if it has one.
type figure struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit,omitempty"`
	Least *float64 `json:"at_least,omitempty"`
	Most  *float64 `json:"at_most,omitempty"`
	Met   *bool    `json:"met,omitempty"`
}

// atLeast and atMost give a figure its aim.
func (f figure) atLeast(aim float64) figure {
	met := f.Value >= aim
	f.Least, f.Met = &aim, &met
	return f
}

func (f figure) atMost(aim float64) figure {
	met := f.Value <= aim
	f.Most, f.Met = &aim, &met
	return f
}

// benchResult is what one case found out.
type benchResult struct {
	Case    string   `json:"case"`
	Figures []figure `json:"figures"`
	Notes   []string `json:"notes,omitempty"`
	Seconds float64  `json:"seconds"` // it took, setting up included
}

// bench is one run: where it may write, and how much it does.
type bench struct {
	dir   string
	quick bool
	words io.Writer
	log   *slog.Logger
	// profile is where a case that measures another process has that one write its own.
	profile string
}

// some is how many of something a case does.
func (b *bench) some(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.words, "  "+format+"\n", args...) }

// folder makes an empty one for a case.
func (b *bench) folder() (string, error) {
	dir, err := os.MkdirTemp(b.dir, "case-")
	if err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	return dir, nil
}

var benchCases = []struct {
	name, what string
	run        func(*bench, context.Context) (benchResult, error)
	alone      bool // in a process of its own: it measures the process
	asked      bool // only when asked for by name
}{
	{name: "import", what: "rows of a patient list, read, screened and stored", run: (*bench).imports},
	{name: "memory", what: "memory that a long list takes", run: (*bench).memory, alone: true},
	{name: "sends", what: "texts: release, queue, claim, gateway, record, callbacks", run: (*bench).sends},
	{name: "forms", what: "self-referrals, durable in database and journal", run: (*bench).forms},
	{name: "hour", what: "a hundred times the hour after a blast, whole forms over HTTP, in a minute", run: (*bench).hour, asked: true},
	{name: "tick", what: "the pacer's minute with a short and with a long list", run: (*bench).tick},
	{name: "desk", what: "the link workers' pages with a hundred thousand open and two million finished referrals", run: (*bench).desk, asked: true},
	{name: "desk-postgres", what: "the same on a PostgreSQL of its own", run: (*bench).deskPostgres, asked: true},
	{name: "campaign", what: "the managers' pages of a campaign with a million texts, on both engines", run: (*bench).campaign, asked: true},
	{name: "upload", what: "lists of up to a million rows through the desk, from the file to the ledger", run: (*bench).uploads, asked: true},
	{name: "demo", what: "six weeks of the demo, without a window", run: (*bench).demo, asked: true},
}

// profile writes where the processor's time goes until it is told to stop; without a path it does nothing.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("write a profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

func (c *benchCmd) Run(ctx context.Context, to std) (err error) {
	if c.Serve != "" {
		return c.serve(ctx, to)
	}
	dir, err := os.MkdirTemp(c.Dir, "wellpaced-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the measurement: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stop, err := profile(c.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b := &bench{dir: dir, quick: c.Quick, words: to.err, profile: c.Profile, log: slog.New(slog.NewTextHandler(to.err, &slog.HandlerOptions{Level: slog.LevelError}))}
	var all []benchResult
	for _, k := range benchCases {
		if c.Case != k.name && (c.Case != "all" || k.asked) {
			continue
		}
		fmt.Fprintf(to.err, "%s: %s\n", k.name, k.what)
		began := time.Now()
		run := k.run
		if k.alone && c.Case == "all" {
			run = child(k.name)
		}
		r, err := run(b, ctx)
		if err != nil {
			return fmt.Errorf("measure %s: %w", k.name, err)
		}
		r.Case, r.Seconds = k.name, time.Since(began).Round(time.Millisecond).Seconds()
		all = append(all, r)
	}
	return c.print(to.out, all)
}

// child runs one case in a process of its own.
func child(name string) func(*bench, context.Context) (benchResult, error) {
	return func(b *bench, ctx context.Context) (r benchResult, err error) {
		args := []string{"bench", "--case", name, "--json", "--dir", b.dir}
		if b.quick {
			args = append(args, "--quick")
		}
		out, err := b.self(ctx, args...)
		if err != nil {
			return r, err
		}
		var report struct {
			Cases []benchResult `json:"cases"`
		}
		if err := json.Unmarshal(out, &report); err != nil {
			return r, fmt.Errorf("read its report: %w", err)
		}
		if len(report.Cases) != 1 {
			return r, errors.New("its report has not one case")
		}
		return report.Cases[0], nil
	}
}

// self runs this program again and returns what it prints.
func (b *bench) self(ctx context.Context, args ...string) ([]byte, error) {
	me, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, me, args...)
	cmd.Stderr = b.words
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run wellpaced %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

func (c *benchCmd) print(w io.Writer, all []benchResult) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{
			"machine": map[string]any{"os": runtime.GOOS, "arch": runtime.GOARCH, "cores": runtime.GOMAXPROCS(0), "go": runtime.Version()},
			"version": version, "quick": c.Quick, "cases": all,
		})
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CASE\tFIGURE\tVALUE\tAIM\t")
	for _, r := range all {
		for _, f := range r.Figures {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Case, f.Name, amount(f.Value, f.Unit), f.aim(), f.verdict())
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range all {
		for _, note := range r.Notes {
			if _, err := fmt.Fprintf(w, "%s: %s\n", r.Case, note); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f figure) aim() string {
	switch {
	case f.Least != nil:
		return "at least " + amount(*f.Least, f.Unit)
	case f.Most != nil:
		return "at most " + amount(*f.Most, f.Unit)
	}
	return ""
}

func (f figure) verdict() string {
	if f.Met == nil {
		return ""
	}
	return map[bool]string{true: "met", false: "MISSED"}[*f.Met]
}

// amount writes a number with as many digits as it deserves.
func amount(v float64, unit string) string {
	s := fmt.Sprintf("%.2f", v)
	if v >= 100 {
		s = fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSpace(s + " " + unit)
}

// rate is n per second of d.
func rate(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// quantile of some durations, in milliseconds; it sorts them.
func quantile(all []time.Duration, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[min(len(all)-1, int(q*float64(len(all))))].Microseconds()) / 1000
}

// mean of some durations, in milliseconds.
func mean(all []time.Duration) float64 {
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return float64(sum.Microseconds()) / 1000 / float64(max(len(all), 1))
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
