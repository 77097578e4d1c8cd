package sim

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sort"
	"sync"
)

// Comparison is which policies face which worlds, and how often.
type Comparison struct {
	Worlds   []World
	Policies []Policy
	Seeds    int
	First    uint64 // seed
	Options  Options
	// Show records the course of the first seed's runs.
	Show bool
	// Progress is told after each run how many are done and how many there are; nil tells nobody.
	Progress func(done, all int)
}

// Row is one policy in one world, over all seeds.
type Row struct {
	World     string  `json:"world"`
	Policy    Policy  `json:"policy"`
	Runs      int     `json:"runs"`
	Referrals float64 `json:"referrals"` // mean
	// LatePercent is the mean over runs of the share called after the promise. A run passes if it is at most 1.
	LatePercent float64 `json:"late_percent"`
	PassPercent float64 `json:"pass_percent"`
	PeakQueue   float64 `json:"peak_queue"` // mean
	PeakP95     float64 `json:"peak_p95"`   // the queue against what could be cleared within the promise
	// WorkingDays until the last text: the mean, and against the oracles in the same town.
	WorkingDays   float64 `json:"working_days"`
	ToHonest      float64 `json:"to_honest"`
	ToHonestP95   float64 `json:"to_honest_p95"`
	ToOracle      float64 `json:"to_oracle"`
	IdlePercent   float64 `json:"idle_percent"`
	Unfinished    int     `json:"unfinished"` // runs in which the list was not through at the end of the time simulated
	Outside       int     `json:"outside"`    // decisions beyond window, rate, list or roster
	Decisions     int     `json:"decisions"`
	LostPerRun    float64 `json:"lost_per_run,omitempty"`
	BrokenPercent float64 `json:"broken_percent,omitempty"` // called after the date that they were told
	// Cover50 and Cover90 are how often the next day's answers were in the band, in percent; zero if the policy gives none.
	Cover50 float64 `json:"cover50,omitempty"`
	Cover90 float64 `json:"cover90,omitempty"`
	// RiskSaid is the mean chance of a late contact that the decisions gave, RiskSeen how often it came true, in percent.
	RiskSaid float64        `json:"risk_said,omitempty"`
	RiskSeen float64        `json:"risk_seen,omitempty"`
	Limits   map[string]int `json:"limits,omitempty"`
	// Shown is the first seed's run, with its course if Comparison.Show.
	Shown Result `json:"-"`
}

// Compare runs them all on all cores and sums them up, world by world. The order of the work does not change a digit. Both oracles run
// along, since speed is measured against them.
func Compare(ctx context.Context, c Comparison) ([]Row, error) {
	results, err := c.results(ctx)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for w := range c.Worlds {
		by := results[w]
		for _, p := range c.Policies {
			rows = append(rows, sum(by[p], by[Honest], by[Oracle]))
		}
	}
	return rows, nil
}

// Results are the single runs by world, policy and seed, the oracles among them.
func (c Comparison) results(ctx context.Context) ([]map[Policy][]Result, error) {
	type job struct {
		world  int
		policy Policy
		seed   int
	}
	policies := slices.Clone(c.Policies)
	for _, p := range []Policy{Honest, Oracle} {
		if !slices.Contains(policies, p) {
			policies = append(policies, p)
		}
	}
	stages := make([]func() *stage, len(c.Worlds))
	out := make([]map[Policy][]Result, len(c.Worlds))
	var jobs []job
	for w, world := range c.Worlds {
		stages[w] = sync.OnceValue(func() *stage { return newStage(world) })
		out[w] = map[Policy][]Result{}
		for _, p := range policies {
			out[w][p] = make([]Result, c.Seeds)
			for seed := range c.Seeds {
				jobs = append(jobs, job{w, p, seed})
			}
		}
	}
	var mu sync.Mutex
	var next, done int
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				if next == len(jobs) {
					mu.Unlock()
					return
				}
				j := jobs[next]
				next++
				mu.Unlock()
				o := c.Options
				o.Course = o.Course || c.Show && j.seed == 0
				r := newRun(stages[j.world](), j.policy, c.First+uint64(j.seed), o).play()
				mu.Lock()
				out[j.world][j.policy][j.seed] = r
				done++
				if c.Progress != nil {
					c.Progress(done, len(jobs))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return out, ctx.Err()
}

// sum makes a row of one policy's runs in one world, paired with the oracles' by seed.
func sum(runs, honest, oracle []Result) Row {
	if len(runs) == 0 {
		return Row{}
	}
	row := Row{World: runs[0].World, Policy: runs[0].Policy, Runs: len(runs), Limits: map[string]int{}, Shown: runs[0]}
	var peaks, ratios []float64
	var c Calibration
	for i, r := range runs {
		row.Referrals += float64(r.Referrals)
		row.LatePercent += r.LatePercent
		if r.Pass {
			row.PassPercent += 100
		}
		row.PeakQueue += float64(r.PeakQueue)
		row.WorkingDays += r.WorkingDays
		ratios = append(ratios, r.WorkingDays/honest[i].WorkingDays)
		row.ToHonest += ratios[i]
		row.ToOracle += r.WorkingDays / oracle[i].WorkingDays
		row.IdlePercent += 100 * r.Idle
		row.LostPerRun += float64(r.Lost)
		if r.Referrals > 0 {
			row.BrokenPercent += 100 * float64(r.BrokenBy) / float64(r.Referrals)
		}
		if r.TextsLeft > 0 {
			row.Unfinished++
		}
		row.Outside += r.Outside
		row.Decisions += r.Decisions
		peaks = append(peaks, r.Peak)
		for l, k := range r.Limits {
			if l != "" {
				row.Limits[l] += k
			}
		}
		c.add(r.Calibration)
	}
	n := float64(len(runs))
	for _, x := range []*float64{&row.Referrals, &row.LatePercent, &row.PassPercent, &row.PeakQueue, &row.WorkingDays, &row.ToHonest, &row.ToOracle,
		&row.IdlePercent, &row.LostPerRun, &row.BrokenPercent} {
		*x /= n
	}
	row.PeakP95, row.ToHonestP95 = quantile(peaks, .95), quantile(ratios, .95)
	if c.Days > 0 {
		row.Cover50, row.Cover90 = 100*float64(c.In50)/float64(c.Days), 100*float64(c.In90)/float64(c.Days)
	}
	if c.Risks > 0 {
		row.RiskSaid, row.RiskSeen = 100*c.RiskSaid/float64(c.Risks), 100*float64(c.RiskSeen)/float64(c.Risks)
	}
	return row
}

// quantile of some values, which it sorts.
func quantile(x []float64, q float64) float64 {
	sort.Float64s(x)
	at := q * float64(len(x)-1)
	i := int(math.Floor(at))
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[i] + (x[i+1]-x[i])*(at-float64(i))
}
