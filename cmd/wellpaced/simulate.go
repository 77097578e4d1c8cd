package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/wellpaced/wellpaced/throttle"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

// simulateCmd plays made-up towns under several policies and compares what became of the people.
type simulateCmd struct {
	World  []string           `placeholder:"NAME" help:"A world: its name or number, or the path of a scenario file. May be given several times. Default: all."`
	Policy []string           `placeholder:"NAME" help:"blast, fixed, aimd, token, oracle, honest or pacer, or one of the bounds: learner, holder, guard. May be given several times. Default: all but the bounds."`
	Knob   map[string]float64 `placeholder:"NAME=VALUE" help:"Turn a constant of the pacer, to see what it costs and what it buys: risk, set-point, surge, loss or absence, each a share but for surge, which multiplies answers."`
	Seeds  int                `default:"20" help:"Towns for each world."`
	First  uint64             `name:"first-seed" default:"1" help:"The first town's seed. The same seed makes the same town, for every policy."`
	JSON   bool               `help:"Print one JSON object."`
	Report string             `type:"path" placeholder:"FOLDER" help:"Write a page with charts there, and each chart as an SVG file for a slide."`

	Profile string `name:"cpuprofile" hidden:"" type:"path" help:"Write a CPU profile."`
}

// simulateReport is the JSON object.
type simulateReport struct {
	Seeds   int                `json:"seeds"`
	First   uint64             `json:"first_seed"`
	Knobs   map[string]float64 `json:"knobs,omitempty"`
	Seconds float64            `json:"seconds"`
	Worlds  []worldHead        `json:"worlds"`
	Rows    []sim.Row          `json:"rows"`
	Totals  []total            `json:"totals"`
}

// worldHead says what a world is.
type worldHead struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// total is one policy over all worlds.
type total struct {
	Policy      sim.Policy `json:"policy"`
	Runs        int        `json:"runs"`
	PassPercent float64    `json:"pass_percent"`
	ToHonest    float64    `json:"to_honest"` // the median over worlds
	Outside     int        `json:"outside"`
}

func (c *simulateCmd) Run(ctx context.Context, to std) (err error) {
	began := time.Now()
	x, err := c.comparison()
	if err != nil {
		return err
	}
	if c.Report != "" {
		// Before minutes of work, not after.
		if err := os.MkdirAll(c.Report, 0o755); err != nil {
			return fmt.Errorf("make the folder of the report: %w", err)
		}
	}
	stop, err := profile(c.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var clear func()
	x.Progress, clear = simulateProgress(to.err, began)
	rows, err := sim.Compare(ctx, x)
	clear()
	if err != nil {
		return err
	}
	r := simulateReport{Seeds: c.Seeds, First: c.First, Knobs: c.Knob, Seconds: time.Since(began).Round(time.Millisecond).Seconds(), Rows: rows, Totals: totals(x.Policies, rows)}
	for _, w := range x.Worlds {
		r.Worlds = append(r.Worlds, worldHead{w.Name, w.About})
	}
	if c.Report != "" {
		if err := r.writePage(c.Report); err != nil {
			return err
		}
		fmt.Fprintf(to.err, "The report is %s.\n", filepath.Join(c.Report, "index.html"))
	}
	if c.JSON {
		return json.NewEncoder(to.out).Encode(r)
	}
	if err := r.table(to.out); err != nil {
		return err
	}
	fmt.Fprint(to.err, simulateLegend)
	return nil
}

const simulateLegend = `
A policy's cell: percent of runs in which at most 1 in 100 people was called after the promise, and in brackets its working days until the last
text as a multiple of the careful oracle's (honest) in the same towns. Where fewer than 100 people are expected to ask, one may be late.
Of the pacer: mean percent called late; the queue at its worst against what the team could call within the promise (95th percentile of runs);
working days; multiple of the careful oracle's (mean, 95th percentile) and of the bold one's; percent of the team's time with nobody to call;
how often the next day's answers were in the pacer's band for a half and for nine tenths of all cases, where it gives one.
`

// comparison is what the flags ask for.
func (c *simulateCmd) comparison() (sim.Comparison, error) {
	x := sim.Comparison{Seeds: c.Seeds, First: c.First, Show: c.Report != ""}
	if c.Seeds < 1 {
		return x, usageError{errors.New("--seeds must be at least 1")}
	}
	for name, value := range c.Knob {
		if err := turn(&x.Options.Knobs, name, value); err != nil {
			return x, usageError{fmt.Errorf("--knob %s=%g: %w", name, value, err)}
		}
	}
	names := c.World
	if len(names) == 0 {
		names = sim.Worlds()
	}
	for _, name := range names {
		w, err := openWorld(name)
		if err != nil {
			return x, err
		}
		if slices.ContainsFunc(x.Worlds, func(o sim.World) bool { return o.Name == w.Name }) {
			return x, usageError{fmt.Errorf("--world %s: %s is given already; a world needs a name of its own", name, w.Name)}
		}
		x.Worlds = append(x.Worlds, w)
	}
	for _, name := range c.Policy {
		p, err := sim.ParsePolicy(name)
		if err != nil {
			return x, usageError{fmt.Errorf("--policy: %w", err)}
		}
		if !slices.Contains(x.Policies, p) {
			x.Policies = append(x.Policies, p)
		}
	}
	if len(x.Policies) == 0 {
		x.Policies = sim.Policies
	}
	return x, nil
}

// turn sets one of the pacer's constants.
func turn(k *throttle.Knobs, name string, value float64) error {
	knobs := map[string]*float64{"risk": &k.Risk, "set-point": &k.SetPoint, "surge": &k.Surge, "loss": &k.Loss, "absence": &k.Absence}
	knob, most := knobs[name], 1.
	switch {
	case knob == nil:
		return fmt.Errorf("there is no such knob; there are %s", strings.Join(slices.Sorted(maps.Keys(knobs)), ", "))
	case name == "surge":
		most = 100
	}
	if !(value > 0 && value < most) {
		return fmt.Errorf("it must be above 0 and below %g", most)
	}
	*knob = value
	return nil
}

// openWorld takes a world by its name or number, or reads a scenario file.
func openWorld(name string) (sim.World, error) {
	if !strings.HasSuffix(name, ".json") && !strings.ContainsRune(name, filepath.Separator) {
		w, err := sim.LoadWorld(name)
		if err != nil {
			return w, usageError{fmt.Errorf("--world: %w; or give the path of a scenario file that ends in .json", err)}
		}
		return w, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return sim.World{}, fmt.Errorf("read a scenario file: %w", err)
	}
	w, err := sim.ParseWorld(b)
	if err != nil {
		return w, fmt.Errorf("read %s: %w", name, err)
	}
	if w.Name == "" {
		w.Name = strings.TrimSuffix(filepath.Base(name), ".json")
	}
	return w, nil
}

// simulateProgress tells how far the work is: on a terminal all the time, elsewhere now and then.
func simulateProgress(w io.Writer, began time.Time) (tell func(done, all int), clear func()) {
	f, ok := w.(*os.File)
	live := ok && term.IsTerminal(int(f.Fd()))
	every := 15 * time.Second
	if live {
		every = 200 * time.Millisecond
	}
	last := began
	tell = func(done, all int) {
		now := time.Now()
		if now.Sub(last) < every || done == all {
			return
		}
		last = now
		left := time.Duration(float64(now.Sub(began)) / float64(done) * float64(all-done)).Round(time.Second)
		line := fmt.Sprintf("%s of %s runs, about %s to go", thousands(done), thousands(all), left)
		if live {
			fmt.Fprintf(w, "\r%s\033[K", line)
		} else {
			fmt.Fprintln(w, line)
		}
	}
	return tell, func() {
		if live {
			fmt.Fprint(w, "\r\033[K")
		}
	}
}

// totals sums policies up over worlds.
func totals(policies []sim.Policy, rows []sim.Row) []total {
	var out []total
	for _, p := range policies {
		t := total{Policy: p}
		var times []float64
		for _, r := range rows {
			if r.Policy == p {
				t.Runs += r.Runs
				t.PassPercent += r.PassPercent * float64(r.Runs)
				t.Outside += r.Outside
				times = append(times, r.ToHonest)
			}
		}
		t.PassPercent /= float64(t.Runs)
		t.ToHonest = median(times)
		out = append(out, t)
	}
	return out
}

// of is one policy's row in a world.
func (r *simulateReport) of(world string, p sim.Policy) (sim.Row, bool) {
	for _, row := range r.Rows {
		if row.World == world && row.Policy == p {
			return row, true
		}
	}
	return sim.Row{}, false
}

// lines are the table as text: a line for each world, a column for each policy, and then the pacer's figures.
func (r *simulateReport) lines() (head []string, lines [][]string) {
	head = []string{"WORLD", "REFERRALS"}
	pacer := false
	for _, t := range r.Totals {
		head = append(head, strings.ToUpper(string(t.Policy)))
		pacer = pacer || t.Policy == sim.Pacer
	}
	if pacer {
		head = append(head, "LATE %", "PEAK", "DAYS", "TO HONEST", "P95", "TO ORACLE", "IDLE %", "IN 50 %", "IN 90 %")
	}
	for _, w := range r.Worlds {
		first, _ := r.of(w.Name, r.Totals[len(r.Totals)-1].Policy)
		line := []string{w.Name, fmt.Sprintf("%.0f", first.Referrals)}
		for _, t := range r.Totals {
			row, _ := r.of(w.Name, t.Policy)
			line = append(line, passCell(row))
		}
		if row, ok := r.of(w.Name, sim.Pacer); ok {
			line = append(line, fmt.Sprintf("%.2f", row.LatePercent), fmt.Sprintf("%.2f", row.PeakP95), fmt.Sprintf("%.1f", row.WorkingDays),
				fmt.Sprintf("%.3f", row.ToHonest), fmt.Sprintf("%.2f", row.ToHonestP95), fmt.Sprintf("%.2f", row.ToOracle), fmt.Sprintf("%.1f", row.IdlePercent),
				orDash(row.Cover50), orDash(row.Cover90))
		}
		lines = append(lines, line)
	}
	if len(r.Worlds) > 1 {
		line := []string{"all of these", ""}
		for _, t := range r.Totals {
			line = append(line, fmt.Sprintf("%.1f (%.2fx)", t.PassPercent, t.ToHonest))
		}
		lines = append(lines, line)
	}
	return head, lines
}

// passCell is how many runs pass and how long they take; a star marks runs that did not get through the list.
func passCell(r sim.Row) string {
	s := fmt.Sprintf("%g (%.2fx)", math.Round(10*r.PassPercent)/10, r.ToHonest)
	if r.Unfinished > 0 {
		s += "*"
	}
	return s
}

func orDash(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", x)
}

func (r *simulateReport) table(w io.Writer) error {
	head, lines := r.lines()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, line := range lines {
		fmt.Fprintln(t, strings.Join(line, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	for _, t := range r.Totals {
		if t.Outside > 0 && t.Policy == sim.Pacer {
			if _, err := fmt.Fprintf(w, "%d decisions of the pacer were beyond window, rate, list or roster: that is a mistake in the program\n", t.Outside); err != nil {
				return err
			}
		}
	}
	return nil
}

// thousands writes a whole number with its thousands apart.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
