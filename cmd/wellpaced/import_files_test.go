package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/store"
)

// Files of many shapes, whose true ledgers stand beside them. Ages are reckoned today: the children among them are grown up in 2044.
func TestImport_files(t *testing.T) {
	dir := t.TempDir()
	at := []string{"--data", filepath.Join(dir, "data"), "--keys", filepath.Join(dir, "keys")}
	db, err := store.Open(t.Context(), store.Config{DataDir: at[1], Keys: at[3], Now: time.Now, Machine: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files, err := filepath.Glob(filepath.Join("..", "..", "campaign", "patientlist", "testdata", "shapes", "*.truth.json"))
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := struct {
				campaign.Ledger
				Refused, Says string
			}{}
			b, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(b, &want)
			}
			if err != nil {
				t.Fatal(err)
			}
			code, out, words := cliRun(t, nil, append([]string{"import", strings.TrimSuffix(file, ".truth.json"), "--dry-run", "--json", "--taken-on", today()}, at...)...)
			if want.Refused != "" {
				if code != exitFailed || out != "" || !strings.Contains(words, want.Says) || strings.Count(words, "\n") != 1 {
					t.Errorf("exit code %d, stdout %q, stderr %q", code, out, words)
				}
				return
			}
			var got campaign.Ledger
			if err := json.Unmarshal([]byte(out), &got); code != exitDone || err != nil {
				t.Fatalf("exit code %d, %v: %s", code, err, words)
			}
			if !reflect.DeepEqual(got, want.Ledger) || !got.Balanced() {
				t.Errorf("got  %+v\nwant %+v", got, want.Ledger)
			}
		})
	}
}
