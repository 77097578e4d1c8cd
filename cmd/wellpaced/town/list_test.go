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

// A fresh list lacks who has left, and says who has died; whoever is gone stays gone, and all others are as they were.
func TestWriteFreshList(t *testing.T) {
	const n = 20_000
	rows := func(weeks int) (all []string, left int) {
		var file bytes.Buffer
		later := testToday.AddDate(0, 0, 7*weeks).Add(-time.Hour) // the exports are of seven in the morning
		if err := WriteFreshList(&file, 7, n, testPractices, testToday, later); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(file.String(), `"Run on:","`+later.Format("02-Jan-2006")) {
			t.Errorf("the list of week %d is of another day", weeks)
		}
		for line := range strings.SplitSeq(file.String(), "\r\n") {
			if strings.Count(line, `","`) == 10 && !strings.Contains(line, "Given Name") {
				all = append(all, line)
			}
		}
		return all, n - len(all)
	}
	who := func(row string) string { return strings.Join(strings.SplitN(row, `","`, 4)[:3], " ") }
	first, none := rows(0)
	if none != 0 {
		t.Errorf("%d have left on the first day", none)
	}
	was, known := map[string]bool{}, map[string]bool{}
	for _, row := range first {
		was[row], known[who(row)] = true, true
	}
	before := 0
	for weeks := 1; weeks <= 4; weeks++ {
		have, left := rows(weeks)
		if left < before || left < 15*weeks || left > 60*weeks {
			t.Errorf("after %d weeks %d have left, after %d weeks %d had", weeks, left, weeks-1, before)
		}
		died := 0
		for _, row := range have {
			if !known[who(row)] {
				t.Fatalf("somebody is new: %s", row)
			}
			if !was[row] {
				died++
			}
		}
		if died < 3*weeks || died > 30*weeks {
			t.Errorf("after %d weeks %d have died", weeks, died)
		}
		before = left
	}
}
