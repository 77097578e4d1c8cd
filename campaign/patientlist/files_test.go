package patientlist

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// trueList is what a file in testdata/shapes holds, written down by whoever made the file: where each row that is not invited stands and why,
// and who stands on the others. A file that must be refused has the code, and a part of the sentence.
type trueList struct {
	Rows    int
	Where   map[string]string
	People  map[string]string
	Refused string
	Says    string
	Note    string // what Found must say beside the columns
}

func truthOf(t *testing.T, file string) (u trueList) {
	t.Helper()
	b, err := os.ReadFile(file + ".truth.json")
	if err == nil {
		err = json.Unmarshal(b, &u)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// became says what the reader found in a row, in the words of the ledger.
func became(row Row) string {
	switch p := row.Patient; {
	case row.Rejected != "":
		return string(row.Rejected)
	case p.Dead:
		return "deceased"
	case p.Dissent:
		return "dissent"
	case p.DoNotContact:
		return "do_not_contact"
	}
	return "ok"
}

// Files as systems and spreadsheets write them: every row is found on its line, with its reason, and who can be read is read exactly.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/shapes/*.truth.json")
	if err != nil || len(files) < 25 {
		t.Fatal(len(files), err)
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		file = strings.TrimSuffix(file, ".truth.json")
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := truthOf(t, file)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := NewReader(bytes.NewReader(b), Options{Today: today.In(london), Size: int64(len(b))})
			rows := 0
			for err == nil {
				var row Row
				if row, err = r.Next(); err != nil {
					break
				}
				rows++
				line := strconv.Itoa(row.Line)
				should := cmp.Or(want.Where[line], "ok")
				switch should {
				case "under_age", "duplicate_person", "shared_number": // not for the reader to say
					should = "ok"
				}
				if got := became(row); want.Refused == "" && got != should {
					t.Errorf("line %s: %s, want %s", line, got, should)
				}
				if who := want.People[line]; who != "" && row.Rejected == "" {
					p := row.Patient
					got := fmt.Sprintf("%s %s %s %s %s|%s", p.NHSNumber.Reveal(), p.BirthDate.ISO(), p.Phone.Reveal(), cmp.Or(p.Practice, "-"), p.Name.Given, p.Name.Family)
					if got != who {
						t.Errorf("line %s: %s, want %s", line, got, who)
					}
				}
			}
			var refused *FileError
			switch {
			case want.Refused != "":
				if !errors.As(err, &refused) || refused.Code != want.Refused || !strings.Contains(refused.Sentence, want.Says) {
					t.Errorf("refused with %v, want %s, saying %q", err, want.Refused, want.Says)
				}
			case !errors.Is(err, io.EOF):
				t.Error(err)
			case rows != want.Rows:
				t.Errorf("%d rows, want %d", rows, want.Rows)
			}
		})
	}
}
