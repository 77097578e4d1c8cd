package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
)

// cliRun calls the program as main does.
func cliRun(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, words bytes.Buffer
	code = run(context.Background(), args, environ, &out, &words)
	return code, out.String(), words.String()
}

func TestRun_exitCodes(t *testing.T) {
	dir := t.TempDir()
	data, keys := "--data="+filepath.Join(dir, "data"), "--keys="+filepath.Join(dir, "keys")
	workbook := filepath.Join(dir, "workbook.xlsx")
	if err := os.WriteFile(workbook, []byte("PK\x03\x04"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		out     string // in stdout
		words   string // in stderr
	}{
		{name: "help", args: []string{"--help"}, code: exitDone, out: "serve"},
		{name: "nothing", code: exitDone, out: "serve"},
		{name: "version", args: []string{"--version"}, code: exitDone, out: version},
		{name: "help of a command", args: []string{"serve", "--help"}, code: exitDone, out: "WELLPACED_DATABASE"},
		{name: "unknown command", args: []string{"fly"}, code: exitUsage, words: "fly"},
		{name: "unknown flag", args: []string{"serve", "--wings"}, code: exitUsage, words: "--wings"},
		{name: "unknown setting", environ: []string{"WELLPACED_DATABSE=x"}, args: []string{"serve"}, code: exitUsage, words: "there is no setting WELLPACED_DATABSE"},
		{name: "setting of another program", environ: []string{"WELL=x"}, args: []string{"--version"}, code: exitDone, out: version},
		{name: "unknown role", args: []string{"serve", data, keys, "--roles", "web,cook"}, code: exitUsage, words: "cook"},
		{name: "roles without a shared database", args: []string{"serve", data, keys, "--roles", "web"}, code: exitUsage, words: "--database"},
		{name: "proxies that are none", args: []string{"serve", data, keys, "--trusted-proxies", "me"}, code: exitUsage, words: "10.0.0.0/8"},
		{name: "a gateway that is not here", args: []string{"serve", data, keys, "--listen", "127.0.0.1:0", "--twilio-api-url", "https://api.example.com"}, code: exitFailed, words: "set WELLPACED_LIVE_SIGNED_BY"},
		{name: "a live gateway, and a site in clear", args: []string{"serve", data, keys, "--listen", "127.0.0.1:0", "--twilio-api-url", "https://api.example.com", "--live-signed-by", "A. Signer"}, code: exitFailed, words: "the public URL must start with https://"},
		{name: "a token file that is not there", args: []string{"serve", data, keys, "--twilio-auth-token-file", filepath.Join(dir, "none")}, code: exitFailed, words: "read a secret"},
		{name: "keys inside the data", args: []string{"staff", "add", "a@b.example", "--name", "A", "--role", "administrator", data, "--keys", filepath.Join(dir, "data", "keys")}, code: exitFailed, words: "keys"},
		{name: "a role that nobody has", args: []string{"staff", "add", "a@b.example", "--name", "A", "--role", "king", data, keys}, code: exitUsage, words: "king"},
		{name: "no network yet", args: []string{"staff", "add", "a@b.example", "--name", "A", "--role", "administrator", data, keys}, code: exitFailed, words: "wellpaced staff network"},
		{name: "an unknown account", args: []string{"staff", "token", "a@b.example", data, keys}, code: exitFailed, words: "a@b.example"},
		{name: "a demo in an unknown world", args: []string{"demo", "--data=" + filepath.Join(dir, "demo"), keys, "--world", "atlantis"}, code: exitUsage, words: "there is no world"},
		{name: "the pacer's protocol", args: []string{"pace", "--help"}, code: exitDone, out: `{"open":{"promise_hours":16`},
		{name: "the pacer in no language", args: []string{"pace"}, code: exitUsage, words: "wellpaced pace --json"},
		{name: "an import by nobody", args: []string{"import", sample("emis"), data, keys}, code: exitUsage, words: "--as"},
		{name: "an import of nothing", args: []string{"import", filepath.Join(dir, "none"), "--dry-run"}, code: exitFailed, words: "open the list"},
		{name: "an import of tomorrow", args: []string{"import", sample("emis"), "--dry-run", "--taken-on", "2999-01-01"}, code: exitUsage, words: "cannot be in the future"},
		{name: "an import of no day", args: []string{"import", sample("emis"), "--dry-run", "--taken-on", "23/11/2026"}, code: exitUsage, words: "--taken-on"},
		{name: "opt-outs that are a workbook", args: []string{"optouts", "import", workbook, data, keys}, code: exitUsage, words: "save it as CSV"},
		{name: "opt-outs of nowhere", args: []string{"optouts", "import", filepath.Join(dir, "none"), data, keys}, code: exitFailed, words: "open the opt-outs"},
		{name: "a restore of nothing", args: []string{"restore", data, keys}, code: exitUsage, words: "--accept-gap"},
		{name: "a restore and a gap at once", args: []string{"restore", "x", "--accept-gap", data, keys}, code: exitUsage, words: "restore that first"},
		{name: "a backup that is not there", args: []string{"restore", filepath.Join(dir, "none"), "--data=" + filepath.Join(dir, "empty"), keys}, code: exitFailed, words: "no such file"},
		{name: "a backup into nowhere", args: []string{"backup", filepath.Join(dir, "no", "where"), data, keys}, code: exitFailed, words: "make a folder for the backup"},
		{name: "a mapping of an unknown field", args: []string{"import", sample("emis"), "--dry-run", "--map", "shoe=Size"}, code: exitUsage, words: "shoe"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, words := cliRun(t, tt.environ, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, words)
			}
			if !strings.Contains(out, tt.out) || tt.code != exitDone && out != "" {
				t.Errorf("stdout: %.300q, want %q in it", out, tt.out)
			}
			if !strings.Contains(words, tt.words) || tt.code == exitDone && words != "" {
				t.Errorf("stderr: %.300q, want %q in it", words, tt.words)
			}
		})
	}
}

// A practice that was forgotten, or has moved, needs no new network.
func TestStaffPractices(t *testing.T) {
	dir := t.TempDir()
	at := []string{"--data", filepath.Join(dir, "data"), "--keys", filepath.Join(dir, "keys"), "--log", "error"}
	list := filepath.Join(dir, "practices.csv")
	write := func(rows string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want string, args ...string) {
		t.Helper()
		if code, out, words := cliRun(t, nil, append(args, at...)...); code != exitDone || !strings.Contains(out, want) {
			t.Fatalf("exit code %d, stdout %q, stderr %s, want %q", code, out, words, want)
		}
	}
	write("ODS code,Name,Phone\nN83001,Elm Road,0151 496 0001\n")
	run("with 1 practice, team", "staff", "network", "Our PCN", "--sender", "OurPCN", "--link-host", "https://links.example", "--phone", "0151 496 0000", "--practices", list)
	write("N83001,Elm Road Surgery,0151 496 0009\nn83002,The Cedars\n")
	run(`2 practices added to "Our PCN"`, "staff", "practices", list)
	db, err := store.Open(t.Context(), store.Config{DataDir: at[1], Keys: at[3], Now: time.Now, Machine: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all, err := db.Networks(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d networks: %v", len(all), err)
	}
	want := []staff.Practice{{ODS: "N83001", Name: "Elm Road Surgery", Phone: "0151 496 0009"}, {ODS: "N83002", Name: "The Cedars"}}
	if !slices.Equal(all[0].Practices, want) {
		t.Errorf("practices %+v, want %+v", all[0].Practices, want)
	}
}

// sample is one of the lists whose true ledgers are known.
func sample(system string) string {
	return filepath.Join("..", "..", "campaign", "patientlist", "testdata", system+"-2000.csv")
}

// The two samples hold the same people in the shapes of two systems.
var sampleLedger = campaign.Ledger{Rows: 2000, Invited: 1664,
	Excluded: map[string]int{"deceased": 19, "dissent": 48, "duplicate_person": 27, "shared_number": 83, "under_age": 24},
	Rejected: map[string]int{"date_of_birth_invalid": 14, "mobile_damaged": 12, "mobile_invalid": 16, "mobile_missing": 39, "mobile_not_mobile": 27, "nhs_number_invalid": 27}}

func TestImport_dryRun(t *testing.T) {
	for _, system := range []string{"emis", "systmone"} {
		t.Run(system, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			code, out, words := cliRun(t, nil, "import", sample(system), "--dry-run", "--json", "--data", data, "--taken-on", today())
			if code != exitDone || words != "" {
				t.Fatalf("exit code %d: %s", code, words)
			}
			var got campaign.Ledger
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("stdout is not one JSON object: %v", err)
			}
			if !reflect.DeepEqual(got, sampleLedger) {
				t.Errorf("got  %+v\nwant %+v", got, sampleLedger)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("a dry run left a data folder: %v", err)
			}
			code, out, _ = cliRun(t, nil, "import", sample(system), "--dry-run", "--data", data, "--taken-on", today())
			if code != exitDone || !strings.Contains(strings.Join(strings.Fields(out), " "), "rows 2000 invited 1664 excluded deceased 19") {
				t.Errorf("the table, exit code %d: %.300s", code, out)
			}
		})
	}
}

// today is a day for --taken-on: what the sample lists say of theirs is long ago, or yet to come.
func today() string { return time.Now().UTC().Format(time.DateOnly) }

// An import tells on which day its list was taken from the GP system: as it is told, as the file says, or today.
func TestImport_takenOn(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	write := func(above string) string {
		file := filepath.Join(dir, "list.csv")
		if err := os.WriteFile(file, []byte(above+"NHS Number,DOB,Mobile\n9990000018,02/08/1970,07700900000\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ago := func(days int) string { return time.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly) }
	for _, c := range []struct {
		above, flag, want string
	}{{"", "", today()}, {"Run on:," + ago(5) + "\n", "", ago(5)}, {"Run on:," + ago(5) + "\n", ago(9), ago(9)}, {"", ago(9), ago(9)}, {"Run on:," + ago(-5) + "\n", ago(1), ago(1)}} {
		args := []string{"import", write(c.above), "--dry-run", "--data", data}
		if c.flag != "" {
			args = append(args, "--taken-on", c.flag)
		}
		_, out, words := cliRun(t, nil, args...)
		if !strings.Contains(strings.Join(strings.Fields(out), " "), "taken on "+c.want+" rows 1 invited 1") {
			t.Errorf("%+v: %s%s", c, out, words)
		}
		_, out, words = cliRun(t, nil, append(args, "--json")...)
		var got struct {
			TakenOn string `json:"taken_on"`
			Invited int
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.TakenOn != c.want || got.Invited != 1 {
			t.Errorf("%+v: %s%s", c, out, words)
		}
	}
	code, out, words := cliRun(t, nil, "import", write("Run on:,"+ago(-5)+"\n"), "--dry-run", "--data", data)
	if code != exitFailed || out != "" || !strings.Contains(words, "which cannot be. Say on which day it was, with --taken-on.") {
		t.Errorf("a file of the future: exit code %d, %q, %q", code, out, words)
	}
}

// A wrong file gets one sentence that says how to mend it, and changes nothing.
func TestImport_wrongFile(t *testing.T) {
	photo := append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"), bytes.Repeat([]byte{0, 200, 17, 3}, 5000)...)
	for _, tt := range []struct {
		name, file, says string
	}{
		{"photo", string(photo), "photo"},
		{"empty", "", "empty"},
		{"no phone column", "NHS Number,Surname,DOB\n9990000018,Quillfeather,02/08/1970\n", "mobile"},
		{"no column names", "9990000018,Ann,Quillfeather,02/08/1970,07401152019,N83006,Dissent\n", "column names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			temporary := filepath.Join(dir, "tmp")
			file, data := filepath.Join(dir, "list.csv"), filepath.Join(dir, "data")
			if err := os.Mkdir(temporary, 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("TMPDIR", temporary)
			if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, words := cliRun(t, nil, "import", file, "--dry-run", "--json", "--data", data)
			if code != exitFailed || out != "" || !strings.Contains(words, tt.says) || strings.Count(words, "\n") != 1 {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, out, words)
			}
			if strings.Contains(words, "Quillfeather") || strings.Contains(words, "0740") {
				t.Errorf("the sentence tells of a patient: %s", words)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("a data folder appeared: %v", err)
			}
		})
	}
}

// What of a file is not read, and what had to be guessed, is told beside the ledger.
func TestImport_advice(t *testing.T) {
	for file, says := range map[string]string{"crossed-out.xlsx": "are not read: Elm House.", "month-first-short.csv": "month first", "short-years.csv": "two digits only"} {
		file = filepath.Join("../../campaign/patientlist/testdata/shapes", file)
		code, out, words := cliRun(t, nil, "import", file, "--dry-run", "--json", "--data", filepath.Join(t.TempDir(), "data"))
		if code != exitDone || !strings.HasPrefix(out, `{"rows":`) || !strings.Contains(words, says) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", file, code, out, words)
		}
	}
}

// One process serves a SQLite file; commands work beside it.
func TestServe_oneAtATime(t *testing.T) {
	s := newStand(t, "", "", nil)
	s.network("Knowsley Test PCN", "N8300")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out, words bytes.Buffer
	code := run(ctx, []string{"serve", "--data", s.opt.Data, "--keys", s.opt.Keys, "--listen", "127.0.0.1:0"}, nil, &out, &words)
	if code != exitFailed || !strings.Contains(words.String(), "already") {
		t.Errorf("a second serve: exit code %d: %s", code, words.String())
	}
	if got := s.command("import", sample("emis"), "--dry-run", "--taken-on", today()).at("invited"); got != "1664" {
		t.Errorf("an import beside serve invites %s", got)
	}
}

// A gateway that reaches real people stands in every network's audit with who has signed for it; one on this computer does not.
func TestServe_live(t *testing.T) {
	ctx := t.Context()
	for _, live := range []bool{false, true} {
		dir := t.TempDir()
		o := options{settings: settings{Data: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys")}, Listen: "127.0.0.1:0", PublicURL: "https://texts.example", Web: true, Worker: true, Pacer: true,
			Log:     slog.New(slog.DiscardHandler),
			Gateway: twilio.Config{BaseURL: map[bool]string{false: "http://127.0.0.1:1", true: "https://gateway.invalid"}[live], AccountSID: testAccount, AuthToken: testToken, From: testSender, SignedBy: "Dr A. Signer "}}
		a, err := open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		defer a.close()
		n, err := a.db.CreateNetwork(ctx, staff.Network{Name: "A PCN", Sender: "A PCN", LinkHost: "https://a.example", Phone: "0151 496 0000"})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.goLive(ctx); err != nil {
			t.Fatal(err)
		}
		entries, _, err := a.db.AuditEntries(ctx, n.ID, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		var signed []string
		for _, e := range entries {
			if e.Action == "gateway.live" {
				signed = append(signed, e.Target)
			}
		}
		if want := map[bool]string{true: "signed by Dr A. Signer"}[live]; strings.Join(signed, "; ") != want {
			t.Errorf("live %t: the audit has %q, want %q", live, signed, want)
		}
	}
}

// The pacer for somebody else's sender, as a process: lines in, lines out, and nothing else on stdout.
func TestPace(t *testing.T) {
	const in = `{"open":{"promise_hours":16,"timezone":"Europe/London","strata":[{"id":"0","size":5200}],"order":"interleaved","provider_per_minute":600}}
{"now":"2026-06-01T09:00:00+01:00","may_send":true,"capacity":[{"from":"2026-06-01T09:00:00+01:00","to":"2026-06-05T17:00:00+01:00","contacts":60}],"queue":0,"left":{"0":5200}}
{"now":"2026-06-01T10:00:00+01:00","quue":0}
`
	pace := func(in io.Reader, out io.Writer) (code int, words string) {
		t.Helper()
		var b strings.Builder
		c := exec.CommandContext(t.Context(), os.Args[0], "pace", "--json")
		c.Env = append(os.Environ(), asProgram+"=1")
		c.Stdin, c.Stdout, c.Stderr = in, out, &b
		if err := c.Run(); err != nil && c.ProcessState == nil {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), b.String()
	}
	var out bytes.Buffer
	code, words := pace(strings.NewReader(in), &out)
	lines := strings.Split(out.String(), "\n")
	if code != exitDone || words != "" || len(lines) != 3 || lines[2] != "" ||
		!strings.HasPrefix(lines[0], `{"release":`) || !strings.HasPrefix(lines[1], `{"error":"there is no field \"quue\"`) {
		t.Errorf("exit code %d, %q, %s", code, words, out.String())
	}
	// Nobody reads the replies any more.
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	code, words = pace(strings.NewReader(in), write)
	write.Close()
	if code != exitFailed || !strings.Contains(words, "write a reply") {
		t.Errorf("a broken pipe: exit code %d, %q", code, words)
	}
}

// An invitation is a link by which somebody chooses a password on the site.
func TestStaffInvite(t *testing.T) {
	s := newStand(t, "", "", nil)
	s.network("Our PCN", "N83")
	link := s.command("staff", "invite", "nell@n83.example", "--name", "Nell New", "--role", "volunteer", "--public-url", s.app.PublicURL+"/").at("link")
	if !strings.HasPrefix(link, s.app.PublicURL+"/desk/invitations/") {
		t.Fatalf("the link is %q", link)
	}
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for i, want := range []int{http.StatusSeeOther, http.StatusGone} {
		answer, err := browser.PostForm(link, url.Values{"password": {"gull kettle seven"}})
		s.must(err)
		_ = answer.Body.Close()
		if answer.StatusCode != want || i == 0 && answer.Header.Get("Location") != "/desk/account/set-up" {
			t.Errorf("taken for the %d. time: %d to %s", i+1, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
	again := s.command("staff", "reset", "nell@n83.example", "--public-url", s.app.PublicURL).at("link")
	if _, hash, err := s.app.db.AccountByEmail(context.Background(), "nell@n83.example"); err != nil || hash != "" || again == link || again == "" {
		t.Errorf("after the reset: link %q, a password: %v, %v", again, hash != "", err)
	}
	s.command("staff", "invite", "pat@n83.example", "--name", "Pat Practice", "--role", "practice_viewer", "--practice", "n831", "--public-url", s.app.PublicURL)
	if a, _, err := s.app.db.AccountByEmail(context.Background(), "pat@n83.example"); err != nil || a.Practices != "N831" {
		t.Errorf("invited for %q, %v", a.Practices, err)
	}
	if strings.Contains(s.logged.String(), link[len(s.app.PublicURL):]) || strings.Contains(s.logged.String(), "nell@") {
		t.Error("the log holds the link, or whose it is")
	}
}

// The README's table of settings names every one that serve has, and none that it has not.
func TestReadmeNamesEverySetting(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&cli{}, kong.Vars{"version": "x"})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, command := range parser.Model.Children {
		if command.Name != "serve" {
			continue
		}
		for _, f := range command.Flags {
			for _, env := range f.Envs {
				known[env] = true
				named := strings.Contains(string(readme), "`"+env+"`")
				if plain, ok := strings.CutSuffix(env, "_FILE"); ok { // written as "NAME (or …_FILE)"
					named = named || strings.Contains(string(readme), "`"+plain+"` (or `…_FILE`)")
				}
				if !named && !f.Hidden {
					t.Errorf("the README does not name %s", env)
				}
			}
		}
	}
	for _, name := range regexp.MustCompile(`\| .?WELLPACED_[A-Z_]+`).FindAllString(string(readme), -1) {
		if name := strings.Trim(name, "|` "); !known[name] {
			t.Errorf("the README names %s, which serve does not have", name)
		}
	}
}
