package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wellpaced/wellpaced/"

// mayImport is the design's table: what each package may import of ours, and why no more.
var mayImport = []struct {
	pkg  string
	may  []string
	why  string
	tree bool // also everything below it
}{
	{"campaign/person", nil, "a leaf: values that redact themselves", false},
	{"campaign/text", nil, "a leaf: a text and what it costs", false},
	{"campaign/link", nil, "a leaf: tokens", false},
	{"campaign/suppress", nil, "a leaf: pure, which small numbers of a table are hidden", false},
	{"selfrefer/staff", nil, "a leaf: both domains ask it who may do what", false},
	{"selfrefer/lang", nil, "a leaf: both domains write to people in their languages", false},
	{"selfrefer/ui", nil, "a leaf: pages know nothing of their subject", false},
	{"throttle/limit", nil, "a leaf", false},
	{"throttle", nil, "pure: decides over values", false},
	{"campaign/twilio/emulator", nil, "the judge must not share code with whom it judges", false},
	{"campaign/patientlist", []string{"campaign/person"}, "bytes to rows", false},
	{"throttle/sim", []string{"throttle"}, "drives the same Decide", false},
	{"campaign", []string{"campaign/person", "campaign/text", "campaign/link", "campaign/suppress", "throttle", "selfrefer/staff", "selfrefer/lang"}, "a domain: no adapters, not the other domain", false},
	{"selfrefer", []string{"campaign/person", "campaign/suppress", "throttle", "selfrefer/staff", "selfrefer/lang"}, "a domain: no adapters, not the other domain; its reports hide small numbers by the same leaf", false},
	{"campaign/twilio", []string{"campaign", "campaign/person", "throttle/limit"}, "an adapter", false},
	{"campaign/queue", []string{"campaign", "campaign/person", "throttle/limit"}, "an adapter", false},
	{"store", []string{"campaign", "selfrefer", "campaign/person", "campaign/link", "selfrefer/staff", "throttle", "selfrefer/lang"}, "an adapter: applies what the domains decide", false},
	{"store/servers", nil, "throw-away servers for tests and the soak", false},
	{"store/storetest", []string{"store/servers"}, "skips or fails where a server is missing", false},
	{"selfrefer/hook", []string{"selfrefer"}, "an adapter: posts events to other systems; a port of selfrefer gives them, store keeps them", false},
	{"selfrefer/mail", []string{"selfrefer"}, "an adapter: mails to staff know letters, and nothing of the rest", false},
	{"selfrefer/form", []string{"selfrefer", "campaign/link", "campaign/person", "selfrefer/ui", "throttle/limit", "selfrefer/lang"}, "web: where the patient sits", false},
	{"selfrefer/desk", []string{"selfrefer", "campaign/person", "throttle", "selfrefer/staff", "selfrefer/ui", "throttle/limit", "selfrefer/lang"}, "web: where the link worker sits", false},
	{"campaign/desk", []string{"campaign", "campaign/patientlist", "campaign/text", "campaign/person", "campaign/suppress", "throttle", "selfrefer/staff", "selfrefer/ui", "selfrefer/lang"}, "web: where the manager sits", false},
	{"selfrefer/ui/browsertest", nil, "a browser for tests", false},
	{"cmd/wellpaced", []string{"*"}, "wires everything", true},
}

// oneHome names outside dependencies that one package alone may import; chi is the exception.
var oneHome = map[string]string{
	twilioGo:                              "campaign/twilio",
	"github.com/hibiken/asynq":            "campaign/queue",
	"github.com/redis/go-redis":           "campaign/queue",
	"github.com/alicebob/miniredis":       "campaign/queue",
	"modernc.org/sqlite":                  "store",
	"github.com/jackc/pgx":                "store",
	"github.com/pressly/goose":            "store",
	"github.com/tink-crypto/tink-go":      "store",
	"github.com/nyaruka/phonenumbers":     "campaign/person",
	"github.com/rickar/cal":               "throttle",
	"github.com/gabriel-vasile/mimetype":  "campaign/patientlist",
	"github.com/rivo/uniseg":              "campaign/text",
	"github.com/alexedwards/argon2id":     "selfrefer/desk",
	"github.com/chromedp/chromedp":        "selfrefer/ui/browsertest",
	"github.com/go-webauthn/webauthn":     "selfrefer/desk",
	"github.com/pquerna/otp":              "selfrefer/desk",
	"github.com/coreos/go-oidc":           "selfrefer/desk",
	"golang.org/x/oauth2":                 "selfrefer/desk",
	"github.com/boombuler/barcode":        "selfrefer/desk",
	"github.com/nicksnyder/go-i18n":       "selfrefer/lang",
	"github.com/alecthomas/kong":          "cmd/wellpaced",
	"golang.org/x/time":                   "throttle/limit",
	"database/sql":                        "store",
	"github.com/lmittmann/tint":           "cmd/wellpaced",
	"github.com/felixge/httpsnoop":        "cmd/wellpaced",
	"github.com/unrolled/secure":          "selfrefer/ui",
	"github.com/google/uuid":              "store",
	"github.com/prometheus/client_golang": "cmd/wellpaced",
	"github.com/tsenart/vegeta":           "cmd/wellpaced",
	"github.com/wneessen/go-mail":         "selfrefer/mail",
	"github.com/yuin/goldmark":            "cmd/wellpaced/api",
}

const twilioGo = "github.com/twilio/twilio-go"

// ofTwilioGo are its only packages that we use.
var ofTwilioGo = []string{"client", "rest/api/v2010"}

// mayMeasure are files of the bench command: the bare operation has to be done without our adapters.
func mayMeasure(file string) bool { return strings.HasPrefix(filepath.Base(file), "bench") }

func TestImportsFollowTheDesign(t *testing.T) {
	top := filepath.Join("..", "..")
	known := map[string]bool{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".") && len(name) > 2 {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(rel))
		known[pkg] = true
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			checkImport(t, rel, pkg, strings.Trim(spec.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range mayImport {
		if !known[row.pkg] {
			t.Errorf("the table names %s, which does not exist", row.pkg)
		}
	}
}

func checkImport(t *testing.T, file, pkg, path string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(path, module); ok {
		for _, row := range mayImport {
			if row.pkg != pkg && !(row.tree && strings.HasPrefix(pkg, row.pkg+"/")) {
				continue
			}
			if !slices.Contains(row.may, ours) && !slices.Contains(row.may, "*") {
				t.Errorf("%s imports %s; %s may import %v: %s", file, ours, pkg, row.may, row.why)
			}
			return
		}
		t.Errorf("%s: package %s is not in the design's table", file, pkg)
		return
	}
	if pkg == oneHome[twilioGo] && (path == twilioGo || strings.HasPrefix(path, twilioGo+"/")) && !slices.Contains(ofTwilioGo, strings.TrimPrefix(path, twilioGo+"/")) {
		t.Errorf("%s imports %s; of twilio-go we use %v: its root package brings 60 more and takes 13 s longer to build", file, path, ofTwilioGo)
	}
	for dep, home := range oneHome {
		if (path == dep || strings.HasPrefix(path, dep+"/")) && pkg != home && !mayMeasure(file) {
			t.Errorf("%s imports %s, which belongs to %s alone", file, path, home)
		}
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{"cmd", "campaign", "selfrefer", "throttle", "store", "bin"}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(folders, e.Name()) && !strings.HasPrefix(e.Name(), ".") && !strings.HasSuffix(e.Name(), "data") && !strings.HasSuffix(e.Name(), "keys") {
			t.Errorf("%s is not one of the top-level folders %v", e.Name(), folders)
		}
	}
}

// Civil time is injected: outside cmd nothing asks the machine what time it is.
func TestNoTimeNowOutsideCmd(t *testing.T) {
	top := filepath.Join("..", "..")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == "cmd") {
			if d != nil && d.IsDir() && err == nil {
				return filepath.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(b), "\n") {
			code, _, _ := strings.Cut(line, "//")
			if strings.Contains(code, "time.Now(") {
				t.Errorf("%s:%d calls time.Now: take now as a parameter", path, i+1)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
