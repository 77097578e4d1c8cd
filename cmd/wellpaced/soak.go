package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wellpaced/wellpaced/cmd/wellpaced/soak"
	"github.com/wellpaced/wellpaced/store/servers"
)

// soakCmd lets anybody see the promises kept under everything that can go wrong.
type soakCmd struct {
	Minutes  float64 `default:"2" help:"The kills are spread over so long; then everything comes to rest, which takes a minute or two more."`
	Seed     uint64  `help:"Decides who is killed when and which request meets which fault. Default: a new one, which is printed."`
	Engine   string  `default:"sqlite" enum:"sqlite,postgres" help:"One process on SQLite, or seven on Postgres and Redis (${enum})."`
	Kills    int     `default:"40" help:"Processes to kill with SIGKILL."`
	Patients int     `default:"2000" help:"Patients on the list."`
	Restores int     `default:"1" help:"Older backups to put in place of the database."`
	Faults   float64 `default:"0.2" help:"Share of the requests to the provider that go wrong, 0 to 1."`
	Database string  `placeholder:"URL" help:"An empty Postgres database for --engine postgres. Default: a server started for the run, if Postgres is installed."`
	Redis    string  `placeholder:"URL" help:"A Redis database that the run may empty. Default: a server started for the run, if Redis is installed."`
	Dir      string  `type:"path" placeholder:"FOLDER" help:"Where everything lies, logs too; kept. Default: a temporary folder, removed if all is well."`
	JSON     bool    `help:"Print one JSON object."`
}

func (c *soakCmd) Run(ctx context.Context, to std) error {
	switch {
	case c.Minutes <= 0 || c.Kills < 0 || c.Patients <= 0 || c.Restores < 0 || c.Faults < 0 || c.Faults > 1:
		return usageError{errors.New("--minutes and --patients must be above zero, --kills and --restores not below it, and --faults between 0 and 1")}
	case c.Engine == "sqlite" && c.Database+c.Redis != "":
		return usageError{errors.New("--database and --redis are for --engine postgres")}
	case c.Engine == "postgres" && (c.Database == "") != (c.Redis == ""):
		return usageError{errors.New("give both --database and --redis, or neither")}
	case c.Database != "" && c.Restores > 0:
		return usageError{errors.New("a backup is restored into a new database, which a run can make only on a server of its own: add --restores 0, or leave --database away")}
	}
	me, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cfg := soak.Config{Database: c.Database, Redis: c.Redis, Dir: c.Dir, Patients: c.Patients, Minutes: c.Minutes, Kills: c.Kills, Restores: c.Restores,
		Faults: soak.Faults(c.Faults), Seed: c.Seed, Program: []string{me}, Env: soakEnv, Words: to.err}
	for cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	if c.Dir == "" {
		if cfg.Dir, err = os.MkdirTemp("", "wellpaced-soak-"); err != nil {
			return fmt.Errorf("make a folder for the run: %w", err)
		}
	}
	if c.Engine == "postgres" && c.Database == "" {
		if err := c.serve(&cfg); err != nil {
			return err
		}
	}
	r, err := soak.Run(ctx, cfg)
	if err == nil && !r.Kept() {
		err = errors.New("a promise was broken")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: everything lies in %s (seed %d)", err, cfg.Dir, cfg.Seed), c.print(to.out, r))
	}
	if c.Dir == "" {
		err = os.RemoveAll(cfg.Dir)
	}
	return errors.Join(err, c.print(to.out, r))
}

// soakEnv is what the program's own processes need besides the environment: a test's copy of itself must be told to be the program.
var soakEnv []string

// serve starts throw-away servers, which go with the process.
func (c *soakCmd) serve(cfg *soak.Config) error {
	const instead = "cannot start a server for the run; install it, or give --database and --redis: %w"
	cfg.NewDatabase = func() (string, error) { // they go with the server
		url, _, err := servers.Postgres()
		return url, err
	}
	database, err := cfg.NewDatabase()
	if err != nil {
		return fmt.Errorf(instead, err)
	}
	redis, err := servers.Redis()
	if err != nil {
		return fmt.Errorf(instead, err)
	}
	cfg.Database, cfg.Redis = database, "redis://"+redis+"/0"
	return nil
}

func (c *soakCmd) print(w io.Writer, r soak.Report) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	counts := func(m map[string]int) string {
		var all []string
		for name, n := range m {
			all = append(all, fmt.Sprintf("%s %d", strings.ReplaceAll(name, "_", " "), n))
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	times := func(s soak.Spread) string {
		if s.Count == 0 {
			return "not measured"
		}
		d := func(ms float64) time.Duration {
			return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond)
		}
		return fmt.Sprintf("half within %s, 99 %% within %s, all within %s (%d)", d(s.Median), d(s.P99), d(s.Most), s.Count)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]any{
		{"Patients", r.Patients}, {"Texts, by the provider's journal", r.Texts}, {"Texted twice", r.Twice}, {"Forgotten", r.Missed},
		{"Held for a person's word", r.Held}, {"Set aside for a reason", r.Aside},
		{"Self-referrals that people were told we have", r.Referrals}, {"of these lost", r.LostForms}, {"of these confirmed by text", r.Confirmed}, {"Self-referrals in the queue that nobody was told of", r.Unknown},
		{"Opt-outs that people were told we have", r.OptOuts}, {"of these lost", r.LostOptOuts},
		{"Times somebody had to try again", r.TriedAgain},
		{"Processes killed", fmt.Sprintf("%d (%s)", r.Kills, counts(r.Killed))},
		{"Frozen, Redis emptied, provider away", fmt.Sprintf("%d, %d, %d", r.Freezes, r.Flushes, r.Outages)},
		{"Older backups restored", r.Restores}, {"Faults of the provider", counts(r.Faults)},
		{"From restart to sending again", times(r.Restart)}, {"Until a person was told", times(r.Submission)},
		{"Engine, seed, seconds", fmt.Sprintf("%s, %d, %.0f", r.Engine, r.Seed, r.Seconds)},
	} {
		fmt.Fprintf(t, "%v\t%v\n", row[0], row[1])
	}
	return t.Flush()
}
