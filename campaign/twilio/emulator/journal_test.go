package emulator

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// After kill -9 at any moment the world goes on: same texts, same deliveries, callbacks at least once.
func TestJournal_killAndReopen(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Delivery = Delivery{} })
	for i := range 60 {
		r.send(t, number(i), fmt.Sprintf("text %d", i))
	}
	r.forward(t, 8*time.Second) // some sent, some delivered, some neither
	if got := len(r.Texts(0, 100)); got == 0 || got == 60 {
		t.Fatalf("%d delivered: want a world in the middle of things", got)
	}
	again := r.killed(t, `{"kind":"text","seq":61,"to":"+4477`)
	if a, b := r.Texts(0, 100), again.Texts(0, 100); !reflect.DeepEqual(a, b) {
		t.Errorf("deliveries changed:\n%v\n%v", a, b)
	}
	a, _ := r.Next()
	if b, _ := again.Next(); !a.Equal(b) {
		t.Errorf("next event %v, want %v", b, a)
	}
	if err := again.Tick(t.Context(), r.clock.now().Add(10*time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.forward(t, 10*time.Hour)
	if a, b := r.read(t), again.read(t); !reflect.DeepEqual(a, b) {
		t.Error("the killed world ended differently")
	}
	id := again.send(t, number(60), "the number of the torn line is free")
	if got := again.read(t).Texts; len(got) != 61 || got[60].SID != id {
		t.Errorf("%d texts after the torn line", len(got))
	}
	// Every status of the first world was told, and at most those in flight at the kill were told twice.
	told := map[string]int{}
	for _, h := range r.forwarded() {
		told[h.form.Get("MessageSid")+h.form.Get("MessageStatus")]++
	}
	for _, text := range again.read(t).Texts[:60] {
		if told[text.SID+text.Status] == 0 {
			t.Errorf("%v was never told", text)
		}
	}
}

// A status that was written but whose callback was not confirmed is posted again.
func TestJournal_unconfirmedCallback(t *testing.T) {
	r := newRig(t, nil)
	r.send(t, number(1), "x")
	r.mu.Lock() // the site hangs in the middle of the callback: this is when we kill
	ticked := make(chan error)
	go func() { ticked <- r.Tick(t.Context(), start.Add(2*time.Minute)) }()
	for r.InFlight() == 0 || !strings.Contains(string(mustRead(t, r)), `"status":"delivered"`) {
		runtime.Gosched()
	}
	killed := r.killed(t, "")
	r.mu.Unlock()
	if err := <-ticked; err != nil {
		t.Fatal(err)
	}
	if err := killed.Tick(t.Context(), start.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, ok := killed.Next(); ok {
		t.Fatal("still due")
	}
	if got := fmt.Sprint(r.forwarded()); strings.Count(got, "sent") != 2 || strings.Count(got, "delivered") != 2 {
		t.Errorf("callbacks %s, want each from both worlds", got)
	}
}

func mustRead(tb testing.TB, r *rig) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(r.cfg.Dir, JournalFile))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// Requests that arrive together share an fsync, and none is answered before its own is done.
func TestJournal_groupFsync(t *testing.T) {
	r := newRig(t, nil)
	syncs, entered, leave := 0, make(chan struct{}, 64), make(chan struct{})
	r.journal.fsync = func() error {
		syncs++
		entered <- struct{}{}
		<-leave
		return r.journal.file.Sync()
	}
	before := r.journal.end()
	const n = 32
	var answered sync.WaitGroup
	answers := make(chan int, n)
	one := func(i int) {
		answered.Go(func() {
			res := r.post(t, url.Values{"To": {number(i)}, "From": {sender}, "Body": {"x"}})
			res.Body.Close()
			answers <- res.StatusCode
		})
	}
	one(0)
	<-entered // the first is in fsync; the others gather behind it
	for i := 1; i < n; i++ {
		one(i)
	}
	gathered := func() int {
		r.Emulator.mu.Lock()
		defer r.Emulator.mu.Unlock()
		return len(r.book.texts)
	}
	for gathered() < n {
		runtime.Gosched()
	}
	if len(answers) != 0 {
		t.Error("answered before the fsync")
	}
	if j := r.read(t); len(j.Texts) != 1 {
		t.Errorf("%d texts written, want the first only", len(j.Texts))
	}
	if len(r.Texts(0, n)) != 0 || r.journal.end() == before {
		t.Error("visible before it is durable")
	}
	close(leave)
	answered.Wait()
	if syncs != 2 {
		t.Errorf("%d fsyncs for %d texts, want 2", syncs, n)
	}
	if got := len(r.read(t).Texts); got != n {
		t.Errorf("%d texts, want %d", got, n)
	}
}

func TestJournal_fullDisk(t *testing.T) {
	r := newRig(t, nil)
	r.journal.fsync = func() error { return os.ErrInvalid }
	res := r.post(t, url.Values{"To": {number(1)}, "From": {sender}, "Body": {"x"}})
	res.Body.Close()
	if res.StatusCode != http.StatusInternalServerError {
		t.Errorf("a text that could not be kept was answered %d", res.StatusCode)
	}
}

func TestJournal_refusals(t *testing.T) {
	r := newRig(t, nil)
	if _, err := Open(r.cfg); err == nil {
		t.Error("two emulators on one journal")
	}
	write := func(content string) Config {
		cfg := r.cfg
		cfg.Dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(cfg.Dir, JournalFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	world := string(mustRead(t, r))
	for name, content := range map[string]string{
		"another account": strings.Replace(world, account, "AC00000000000000000000000000000000", 1),
		"damage":          world + "{\"kind\":\n" + world,
		"a gap":           world + `{"kind":"text","seq":2}` + "\n",
		"a stray status":  world + `{"kind":"status","seq":1,"status":"sent"}` + "\n",
		"an unknown kind": world + `{"kind":"text","seq":1}` + "\n" + `{"kind":"wish","seq":1}` + "\n",
	} {
		if _, err := Open(write(content)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := ReadJournal(t.TempDir()); err == nil {
		t.Error("a journal from nowhere")
	}
}

func TestTwice(t *testing.T) {
	text := func(to, body string) Text { return Text{To: to, Body: body} }
	texts := []Text{text("a", "invitation"), text("a", "reminder"), text("b", "invitation"), text("b", "invitation"), text("b", "invitation"),
		text("c", "other"), text("c", "other")}
	step := func(t Text) string {
		if t.Body == "other" {
			return ""
		}
		return t.Body
	}
	if got := Twice(texts, step); got != 1 {
		t.Errorf("by step: %d numbers, want 1 (b)", got)
	}
	if got := Twice(texts, nil); got != 3 {
		t.Errorf("any text: %d numbers, want 3", got)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"kind":"world"}` + "\n" + `{"kind":"text","seq":1,"sid":"SM1"}` + "\n" + `{"kind":"status","seq":1,"status":"sent"}` + "\n{"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		good, err := scan(strings.NewReader(string(raw)), newBook().applyLine)
		if good < 0 || good > int64(len(raw)) || good > 0 && raw[good-1] != '\n' {
			t.Errorf("good = %d of %d, %v", good, len(raw), err)
		}
		// What was kept must be readable again.
		if again, err := scan(strings.NewReader(string(raw[:good])), newBook().applyLine); err != nil || again != good {
			t.Errorf("second reading: %d, %v; first %d", again, err, good)
		}
	})
}
