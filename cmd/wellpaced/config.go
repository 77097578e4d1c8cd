package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// version is set by the release build.
var version = "dev"

// settings are shared by all commands: flags, which are also environment variables.
type settings struct {
	Data     string `env:"WELLPACED_DATA" default:"./data" help:"Folder for the database, the journal and the marker."`
	Keys     string `env:"WELLPACED_KEYS" default:"./keys" help:"Folder of the keys. Keep it outside the data folder and outside backups."`
	Database string `env:"WELLPACED_DATABASE" placeholder:"URL" help:"postgres://… or a path. Default: SQLite in the data folder."`
	Log      string `env:"WELLPACED_LOG" enum:"debug,info,warn,error" default:"info" help:"What to log: ${enum}."`
}

// cli is the whole command line.
type cli struct {
	Serve    serveCmd    `cmd:"" help:"Run the site, the pacer and the workers."`
	Demo     demoCmd     `cmd:"" help:"Run everything with a made-up town and a pretend Twilio. Nothing leaves this computer."`
	Phones   phonesCmd   `cmd:"" help:"Run a pretend Twilio with a screen of phones, to try serve with. Nothing leaves this computer."`
	Simulate simulateCmd `cmd:"" help:"Play made-up towns under the pacer and other policies, and compare who would have waited."`
	Pace     paceCmd     `cmd:"" help:"Pace somebody else's sender: one JSON object per line in, one per line out."`
	Import   importCmd   `cmd:"" help:"Screen a patient list and show where every row goes."`
	Optouts  optoutsCmd  `cmd:"" help:"Import opt-outs from another system, and export them."`
	Staff    staffCmd    `cmd:"" help:"Add networks, teams and staff, and make API tokens."`
	Soak     soakCmd     `cmd:"" help:"Kill the program again and again while a faulty provider texts and people answer, and count."`
	Backup   backupCmd   `cmd:"" help:"Copy the data into one file, beside a running serve. The keys are never in it."`
	Restore  restoreCmd  `cmd:"" help:"Put a backup back, so that nobody is texted twice and no opt-out is lost."`
	Bench    benchCmd    `cmd:"" help:"Measure this machine: every figure is a ratio against the bare operation in the same run."`

	Version kong.VersionFlag `help:"Print the version."`
}

// run is main without the process: tests call it.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("wellpaced"),
		kong.Description("Texts a patient list an invitation to refer themselves to their link workers, at the pace at which link workers can answer."),
		kong.Vars{"version": version},
		kong.Writers(stdout, stderr),
		kong.UsageOnError(),
		kong.Exit(func(int) {}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std{stdout, stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "wellpaced:", err)
		return exitFailed
	}
	if err := knownNames(parser.Model.Node, environ); err != nil {
		fmt.Fprintln(stderr, "wellpaced:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if slices.Contains(args, "--help") || slices.Contains(args, "-h") || slices.Contains(args, "--version") {
		return exitDone
	}
	if err != nil {
		fmt.Fprintln(stderr, "wellpaced:", err)
		return exitUsage
	}
	if err := k.Run(); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			return exitDone
		}
		fmt.Fprintln(stderr, "wellpaced:", err)
		var usage usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	return exitDone
}

// usageError is a mistake in how the command was called.
type usageError struct{ error }

// knownNames refuses environment variables that start with WELLPACED_ and mean nothing: a mistyped setting must not be silent.
func knownNames(n *kong.Node, environ []string) error {
	known := map[string]bool{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, e := range f.Envs {
				known[e] = true
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(n)
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "WELLPACED_") && !known[name] && !strings.HasPrefix(name, "WELLPACED_TEST_") {
			return fmt.Errorf("there is no setting %s; see wellpaced serve --help for their names", name)
		}
	}
	return nil
}

// secret is a setting that can also come from a file, and never shows itself.
type secret string

func (secret) String() string { return "[secret]" }

// or reads the secret from a file if the setting itself is empty.
func (s secret) or(file string) (string, error) {
	if s != "" || file == "" {
		return string(s), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// logger writes lines for people to a terminal and JSON elsewhere.
func (s settings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.Log)) // the enum allows nothing else
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: "15:04:05", NoColor: os.Getenv("NO_COLOR") != ""})) //nolint:misspell // no-color.org
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// parsePrefixes reads the proxies whose X-Forwarded-For is believed.
func parsePrefixes(list []string) ([]string, error) {
	for _, p := range list {
		if _, err := netip.ParsePrefix(p); err != nil {
			return nil, usageError{fmt.Errorf("--trusted-proxies %q: write it like 10.0.0.0/8: %w", p, err)}
		}
	}
	return list, nil
}
