package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/soak"
	"github.com/wellpaced/wellpaced/store/servers"
)

func init() { soakEnv = []string{asProgram + "=1"} }

// soaked runs the command and reads its report.
func soaked(t *testing.T, args ...string) (r soak.Report, code int) {
	t.Helper()
	var out, words bytes.Buffer
	code = run(context.Background(), append([]string{"soak", "--json"}, args...), nil, &out, &words)
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("the report is not JSON: %v; %s", err, words.String())
	}
	t.Logf("%s%s", words.String(), out.String())
	return r, code
}

// A short soak on both engines: nobody is texted twice, nothing that somebody was told we have is lost.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "postgres" && os.Getenv("CI") != "true" {
				if _, err := servers.Redis(); errors.Is(err, servers.ErrMissing) {
					t.Skip(err)
				}
			}
			r, code := soaked(t, "--engine", engine, "--minutes", ".5", "--kills", "15", "--patients", "600", "--restores", "1", "--dir", t.TempDir())
			if code != exitDone || !r.Kept() {
				t.Errorf("a promise was broken")
			}
			if r.Texts == 0 || r.Referrals == 0 || r.Confirmed == 0 || r.OptOuts == 0 || r.Kills != 15 || r.Restores != 1 {
				t.Errorf("nothing was tried: %+v", r)
			}
		})
	}
}

// With a settle time shorter than the provider's lateness people are texted twice; a soak that does not notice proves nothing.
func TestSoakCanFail(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	r, err := soak.Run(context.Background(), soak.Config{Dir: t.TempDir(), Patients: 300, Minutes: .4, Kills: 4, Seed: 1, Settle: 100 * time.Millisecond, Program: os.Args[:1], Env: soakEnv, Words: t.Output(),
		Faults: emulator.Faults{LateAccept: .7, LateBy: 20 * time.Second, CallbackDrop: .5}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Kept() || r.Twice == 0 {
		t.Errorf("%d texted twice: the soak does not see what it is there to see", r.Twice)
	}
	t.Logf("%d of %d texted twice", r.Twice, r.Patients)
}
