package town

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var (
	testPractices = []staff.Practice{{ODS: "N99001"}, {ODS: "N99002"}, {ODS: "N99003"}}
	testToday     = time.Date(2026, time.June, 1, 8, 0, 0, 0, London)
)

// seen keeps the indexes of a short list in memory.
type seen map[string]bool

func (s seen) Person(ix []byte) (bool, error) { return s.Number(ix, true) }

func (s seen) Number(ix []byte, invite bool) (bool, error) {
	before := s[string(ix)]
	s[string(ix)] = before || invite
	return before, nil
}

// TestWriteList_fates reads a made-up list as the product does: every row must go where the town meant it to go.
func TestWriteList_fates(t *testing.T) {
	const n = 6000
	var file bytes.Buffer
	if err := WriteList(&file, 7, n, testPractices, testToday); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for r := range residents(7, n, testPractices, testToday) {
		want[r.fate]++
	}
	r, err := patientlist.NewReader(&file, patientlist.Options{Today: testToday})
	if err != nil {
		t.Fatal(err)
	}
	got, screen, invited := map[string]int{}, campaign.NewScreen(testToday, 0, seen{}), map[string]bool{}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if row.Rejected != "" {
			got[string(row.Rejected)]++
			continue
		}
		p := row.Patient
		ex, err := screen.Row(campaign.Candidate{BirthDate: p.BirthDate, Dead: p.Dead, Dissent: p.Dissent}, campaign.Known{},
			[]byte("person "+p.NHSNumber.Reveal()), []byte("number "+p.Phone.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		got[string(ex)]++
		if ex == "" {
			invited[p.Phone.Reveal()] = true
			if !p.NHSNumber.Synthetic() {
				t.Fatal("a made-up person has an NHS number outside the range for tests")
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("read %v\nmeant %v", got, want)
	}
	if len(want) != len(dirt)+1 {
		t.Errorf("only %d of %d fates occur", len(want), len(dirt)+1)
	}
	people := register(7, n, testPractices, testToday)
	if len(people) != want[""] {
		t.Errorf("%d people in the register, %d invited", len(people), want[""])
	}
	for number := range invited {
		if _, ok := people[number]; !ok {
			t.Fatal("somebody is invited whom the town does not know")
		}
	}
}

func TestWriteList_sameAgain(t *testing.T) {
	var a, b, c strings.Builder
	for w, seed := range map[*strings.Builder]uint64{&a: 1, &b: 1, &c: 2} {
		if err := WriteList(w, seed, 300, testPractices, testToday); err != nil {
			t.Fatal(err)
		}
	}
	if a.String() != b.String() {
		t.Error("the same seed made two lists")
	}
	if a.String() == c.String() {
		t.Error("two seeds made the same list")
	}
	if err := WriteList(io.Discard, 1, MostPatients+1, testPractices, testToday); err == nil {
		t.Error("a list longer than the range of NHS numbers was made")
	}
}
