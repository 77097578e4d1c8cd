package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type journalTest struct {
	dir    string
	sealer *sealer
}

func newJournalTest(tb testing.TB) journalTest {
	return journalTest{filepath.Join(tb.TempDir(), "journal"), mustSealer(tb, tb.TempDir())}
}

func (jt journalTest) open(tb interface{ Fatal(...any) }) *journal {
	j, err := openJournal(jt.dir, jt.sealer, func() time.Time { return testCivil }, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// payloads replays from a seq on.
func payloads(j *journal, from int64) ([]string, error) {
	var all []string
	err := j.replay(from, func(r Record) error {
		all = append(all, fmt.Sprintf("%d %s %s", r.Seq, r.Kind, r.Reveal()))
		return nil
	})
	return all, err
}

func mustAppend(tb interface{ Fatal(...any) }, j *journal, kind, payload string) int64 {
	seq, err := j.append(kind, []byte(payload))
	if err != nil {
		tb.Fatal(err)
	}
	return seq
}

func TestJournal_keepsAndSeals(t *testing.T) {
	jt := newJournalTest(t)
	j := jt.open(t)
	j.max = 400 // a few records fill a segment
	var want []string
	for i := range 20 {
		payload := fmt.Sprintf("Mary Made-Up %d", i)
		seq := mustAppend(t, j, "referral", payload)
		want = append(want, fmt.Sprintf("%d referral %s", seq, payload))
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j = jt.open(t)
	seq := mustAppend(t, j, "stop", "x")
	want = append(want, fmt.Sprintf("%d stop x", seq))
	for _, from := range []int{1, 8, 20, 22} {
		if got, err := payloads(j, int64(from)); err != nil || !slices.Equal(got, want[from-1:]) {
			t.Errorf("from %d: got %q, %v", from, got, err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(jt.dir + "/*.jnl")
	if len(files) < 5 {
		t.Errorf("got %d segments, want several", len(files))
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil || bytes.Contains(data, []byte("Mary")) || bytes.Contains(data, []byte("referral")) {
			t.Errorf("%s holds clear text, or %v", filepath.Base(f), err)
		}
	}
	stop := errors.New("enough")
	if err := j.replay(1, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("replay went on after an error: %v", err)
	}
}

func TestJournal_secondWriterIsRefused(t *testing.T) {
	jt := newJournalTest(t)
	j := jt.open(t)
	mustAppend(t, j, "k", "1")
	other := jt.open(t)
	if _, err := other.append("k", []byte("2")); err == nil || !strings.Contains(err.Error(), "another wellpaced") {
		t.Errorf("got %v", err)
	}
	if got, err := payloads(other, 1); err != nil || len(got) != 1 {
		t.Errorf("reading beside the writer: %q, %v", got, err)
	}
	_ = other.close()
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.append("k", nil); !errors.Is(err, errClosed) {
		t.Errorf("append after close: %v", err)
	}
}

// A tail cut anywhere loses only records from the cut on, and appending goes on.
func TestJournal_tornTail(t *testing.T) {
	root := t.TempDir()
	s := mustSealer(t, t.TempDir())
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "") //nolint:usetesting // one for each draw
		if err != nil {
			rt.Fatal(err)
		}
		jt := journalTest{dir, s}
		j := jt.open(rt)
		n := rapid.IntRange(1, 5).Draw(rt, "records")
		ends := make([]int64, n)
		path := filepath.Join(dir, "0001.jnl")
		for i := range n {
			mustAppend(rt, j, "k", fmt.Sprint(i))
			info, err := os.Stat(path)
			if err != nil {
				rt.Fatal(err)
			}
			ends[i] = info.Size()
		}
		if err := j.close(); err != nil {
			rt.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, "drained"))
		cut := rapid.Int64Range(0, ends[n-1]).Draw(rt, "cut")
		garbage := rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(rt, "garbage")
		data, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		if err := os.WriteFile(path, append(data[:cut:cut], garbage...), 0o600); err != nil {
			rt.Fatal(err)
		}
		whole := 0
		for _, end := range ends {
			if end <= cut {
				whole++
			}
		}
		j = jt.open(rt)
		mustAppend(rt, j, "k", "after")
		mustAppend(rt, j, "k", "again")
		got, err := payloads(j, 1)
		if err != nil || len(got) < whole+2 || !strings.HasSuffix(got[whole], " after") {
			rt.Fatalf("cut at %d of %v: got %q, %v", cut, ends, got, err)
		}
		if err := j.close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// One damaged record in the middle is reported and costs only itself.
func TestJournal_damageInTheMiddle(t *testing.T) {
	jt := newJournalTest(t)
	j := jt.open(t)
	for i := range 5 {
		mustAppend(t, j, "k", fmt.Sprint(i))
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(jt.dir, "drained"))
	path := filepath.Join(jt.dir, "0001.jnl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := (len(data) - segmentHeader) / 5
	data[segmentHeader+2*size+frameHeader+3] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j = jt.open(t)
	mustAppend(t, j, "k", "5")
	got, err := payloads(j, 1)
	if err == nil || !slices.Equal(got, []string{"1 k 0", "2 k 1", "4 k 3", "5 k 4", "6 k 5"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
		t.Error("a damaged segment was changed: the evidence is gone")
	}
}

func TestJournal_drained(t *testing.T) {
	jt := newJournalTest(t)
	j := jt.open(t)
	for i := range 6 {
		mustAppend(t, j, "k", fmt.Sprint(i))
	}
	for _, seq := range []int64{2, 1, 4, 6} { // the database refused 3 and 5
		j.drained(seq)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j = jt.open(t)
	from, err := j.undrained()
	if err != nil || from != 3 {
		t.Fatalf("got %d, %v; want 3", from, err)
	}
	if got, err := payloads(j, from); err != nil || len(got) != 4 {
		t.Errorf("got %q, %v", got, err)
	}
	if err := j.replay(from, func(r Record) error { j.drained(r.Seq); return nil }); err != nil {
		t.Fatal(err)
	}
	if seq := mustAppend(t, j, "k", "new"); seq != 7 {
		t.Errorf("got seq %d, want 7", seq)
	}
	if from, err := j.undrained(); err != nil || from != 7 {
		t.Errorf("got %d, %v; want 7", from, err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

func TestJournal_failedWrite(t *testing.T) {
	jt := newJournalTest(t)
	j := jt.open(t)
	mustAppend(t, j, "k", "kept")
	_ = j.file.Close() // as a disk that goes away under us
	if _, err := j.append("k", []byte("refused")); err == nil {
		t.Fatal("a record that is not on the disk was acknowledged")
	}
	mustAppend(t, j, "k", "after")
	got, err := payloads(j, 1)
	if err != nil || len(got) != 2 || !strings.HasSuffix(got[0], "kept") || !strings.HasSuffix(got[1], "after") {
		t.Errorf("got %q, %v", got, err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

func TestRecord_redacts(t *testing.T) {
	r := Record{Seq: 7, Kind: "referral", payload: []byte("Mary Made-Up")}
	text, _ := r.MarshalText()
	for _, s := range []string{r.String(), r.GoString(), r.LogValue().String(), string(text),
		fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s %x %d", r, r, r, r, r, r), fmt.Sprintf("%+v", []Record{r})} {
		if strings.Contains(s, "Mary") || strings.Contains(s, fmt.Sprintf("%x", "Mary")) {
			t.Errorf("%q shows the payload", s)
		}
	}
}

func FuzzScanSegment(f *testing.F) {
	jt := newJournalTest(f)
	j := jt.open(f)
	mustAppend(f, j, "k", "one")
	mustAppend(f, j, "k", "two")
	_ = j.close()
	data, err := os.ReadFile(filepath.Join(jt.dir, "0001.jnl"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, uint16(30))
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		var total int64
		s := scanSegment(1, b, func(_ int64, sealed []byte) { total += frameHeader + int64(len(sealed)) })
		if s.end > int64(len(b)) || total+s.damaged > s.end {
			t.Errorf("%d bytes of frames and %d damaged in %d of %d", total, s.damaged, s.end, len(b))
		}
		// What stands before a cut is read the same without the rest.
		var before, after int
		at := min(int(cut), len(b))
		scanSegment(1, b, func(int64, []byte) { before++ })
		scanSegment(1, b[:at], func(int64, []byte) { after++ })
		if at == len(b) && before != after {
			t.Errorf("%d frames, then %d", before, after)
		}
	})
}

func BenchmarkJournalAppend(b *testing.B) {
	j := newJournalTest(b).open(b)
	payload := bytes.Repeat([]byte{7}, 600)
	var n atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for range benchClients {
		wg.Go(func() {
			for n.Add(1) <= int64(b.N) {
				seq, err := j.append("referral", payload)
				if err != nil {
					b.Error(err)
					return
				}
				j.drained(seq)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	if err := j.close(); err != nil {
		b.Fatal(err)
	}
}
