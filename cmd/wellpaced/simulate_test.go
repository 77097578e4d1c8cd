package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/throttle/sim"
)

func TestSimulate_table(t *testing.T) {
	code, out, words := cliRun(t, nil, "simulate", "--world", "14", "--world", "15-alone-busy", "--policy", "fixed", "--policy", "pacer", "--seeds", "2")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, words)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "WORLD") || !strings.Contains(lines[0], "FIXED") || strings.Contains(lines[0], "BLAST") || !strings.Contains(lines[0], "IDLE %") ||
		!strings.HasPrefix(lines[1], "14-alone ") || !strings.HasPrefix(lines[2], "15-alone-busy ") || !strings.HasPrefix(lines[3], "all of these") {
		t.Errorf("table:\n%s", out)
	}
	if !strings.Contains(words, "percent of runs") {
		t.Errorf("nobody says what the columns are: %q", words)
	}
	// Without the pacer there are no columns of its figures.
	if _, out, _ := cliRun(t, nil, "simulate", "--world", "14", "--policy", "blast", "--seeds", "1"); strings.Contains(out, "IDLE") || strings.Contains(out, "all of these") {
		t.Errorf("table:\n%s", out)
	}
}

func TestSimulate_json(t *testing.T) {
	// A scenario file takes its name from itself, or from the file.
	b, err := json.Marshal(map[string]any{"patients": 3000, "rate": .01, "practices": 2, "workers": 2, "contacts_per_day": 3, "start": "2026-06-01T09:00",
		"delays": []any{map[string]any{"weight": 1, "median": 2, "sigma": 1}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "our-town.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var reports [2]simulateReport
	for i := range reports {
		code, out, words := cliRun(t, nil, "simulate", "--world", file, "--policy", "honest", "--policy", "token", "--seeds", "3", "--first-seed", "7", "--json")
		if code != exitDone {
			t.Fatalf("exit code %d: %s", code, words)
		}
		dec := json.NewDecoder(strings.NewReader(out))
		if err := dec.Decode(&reports[i]); err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			t.Errorf("more than one object: %q", out)
		}
		reports[i].Seconds = 0
	}
	if !reflect.DeepEqual(reports[0], reports[1]) {
		t.Errorf("the same seeds, two results:\n%+v\n%+v", reports[0], reports[1])
	}
	r := reports[0]
	if r.Seeds != 3 || r.First != 7 || len(r.Rows) != 2 || len(r.Totals) != 2 || r.Rows[0].World != "our-town" || r.Rows[0].Policy != sim.Honest || r.Rows[0].ToHonest != 1 ||
		r.Rows[1].Runs != 3 || r.Rows[1].Referrals < 15 || r.Rows[1].Referrals > 45 {
		t.Errorf("%+v", r)
	}
}

// A knob reaches the pacer, and the report says so.
func TestSimulate_knob(t *testing.T) {
	days := func(args ...string) float64 {
		code, out, words := cliRun(t, nil, append([]string{"simulate", "--world", "29", "--policy", "pacer", "--seeds", "2", "--json"}, args...)...)
		if code != exitDone {
			t.Fatalf("exit code %d: %s", code, words)
		}
		var r simulateReport
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		if len(args) > 0 && (r.Knobs["absence"] != .9 || r.Knobs["set-point"] != .1) {
			t.Errorf("knobs %v", r.Knobs)
		}
		return r.Rows[0].WorkingDays
	}
	if usual, shy := days(), days("--knob", "absence=.9", "--knob", "set-point=.1"); shy <= usual {
		t.Errorf("%.1f days with hardly any queue, %.1f with the usual", shy, usual)
	}
}

func TestSimulate_mistakes(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"patients":-1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		args  []string
		code  int
		words string
	}{
		{"an unknown world", []string{"--world", "atlantis"}, exitUsage, `there is no world "atlantis"; there are 01-knowsley`},
		{"an unknown policy", []string{"--policy", "hope"}, exitUsage, `there is no policy "hope"; there are blast, fixed`},
		{"an unknown knob", []string{"--knob", "courage=1"}, exitUsage, "there is no such knob; there are absence, loss, risk, set-point, surge"},
		{"a knob too far", []string{"--knob", "absence=1"}, exitUsage, "--knob absence=1: it must be above 0 and below 1"},
		{"no town", []string{"--seeds", "0"}, exitUsage, "--seeds must be at least 1"},
		{"a world twice", []string{"--world", "01", "--world", "01-knowsley"}, exitUsage, "given already"},
		{"a file that is not there", []string{"--world", filepath.Join(dir, "none.json")}, exitFailed, "read a scenario file"},
		{"a broken file", []string{"--world", broken}, exitFailed, "it needs patients"},
		{"a report in a file", []string{"--world", "14", "--report", broken}, exitFailed, "make the folder of the report"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, words := cliRun(t, nil, append([]string{"simulate"}, tt.args...)...)
			if code != tt.code || !strings.Contains(words, tt.words) {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, words)
			}
			if out != "" {
				t.Errorf("on stdout: %q", out)
			}
		})
	}
}

// The report has to stand alone: whoever gets the folder has everything, and every picture says in words what it shows.
func TestSimulate_report(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "report")
	code, _, words := cliRun(t, nil, "simulate", "--world", "14", "--world", "11", "--policy", "blast", "--policy", "token", "--policy", "pacer", "--seeds", "1", "--report", dir)
	if code != exitDone || !strings.Contains(words, filepath.Join(dir, "index.html")) {
		t.Fatalf("exit code %d: %s", code, words)
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), "http://www.w3.org/2000/svg", "")
	for _, beyond := range []string{"http:", "https:", "<script", "url(//", "@import"} {
		if strings.Contains(text, beyond) {
			t.Errorf("the page is not alone: it has %q", beyond)
		}
	}
	if n := strings.Count(text, "<figure>"); n != 3 {
		t.Errorf("%d pictures on the page, want a summary and two worlds", n)
	}
	for name, want := range map[string][]string{
		"summary.svg":         {"How often promises are kept", "Wellpaced", "2 made-up worlds, 1 town each"},
		"14-alone.svg":        {"Alone", "people waiting", "texts a day", "How to read this"},
		"11-bank-holiday.svg": {"Bank holiday", "up to 52,000", "called too late"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		var picture struct {
			XMLName xml.Name `xml:"svg"`
			Title   string   `xml:"title"`
			Desc    string   `xml:"desc"`
		}
		if err := xml.Unmarshal(b, &picture); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if picture.Title == "" || !strings.Contains(picture.Desc, "Wellpaced: ") {
			t.Errorf("%s says %q, %q", name, picture.Title, picture.Desc)
		}
		for _, w := range want {
			if !strings.Contains(string(b), w) {
				t.Errorf("%s: no %q", name, w)
			}
		}
		if !strings.Contains(text, name) || strings.Contains(string(b), "NaN") {
			t.Errorf("%s is not linked, or has numbers that are none", name)
		}
	}
}

func TestCharts(t *testing.T) {
	for v, want := range map[float64]float64{0: 4, 3: 4, 24: 24, 25: 32, 54: 60, 101: 120, 2300: 2400, 51000: 60000} {
		if got := niceTop(v); got != want {
			t.Errorf("an axis for %v ends at %v, want %v", v, got, want)
		}
	}
	if got := wrap("one two three four", 9); !reflect.DeepEqual(got, []string{"one two", "three", "four"}) {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{"01-knowsley": "Knowsley", "21-five-workers": "Five workers", "our-town": "Our town", "x": "X", "7-": "7-"} {
		if got := worldTitle(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := slug("a b/../c"); got != "a-b----c" {
		t.Errorf("%q", got)
	}
	// One policy that floods the team does not flatten the others.
	calm := panel{longest: 15, most: 2000, clears: []float64{24, 25}, end: 21}
	flood := panel{longest: 300, most: 52000, clears: []float64{24, 25}, end: 3}
	if a := commonAxes([]panel{calm, flood}); a.queue > 80 || a.texts > 8000 {
		t.Errorf("two policies: %+v", a)
	}
	if a := commonAxes([]panel{calm, calm, flood}); a.queue > 80 || a.texts > 8000 || a.days != 25 {
		t.Errorf("%+v", a)
	}
}
