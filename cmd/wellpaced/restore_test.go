package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/store/storetest"
)

// rig is the program in the middle of a campaign, with people who answer, on the machine's own time: it is stopped, put back to an older
// state and started again, while the provider and the people remember.
type rig struct {
	*network
	dir    string
	o      options
	id     campaign.ID
	judge  *emulator.Emulator
	logged *lines
	town   *answering
	world  sync.WaitGroup
	halt   context.CancelFunc // of the app
	ended  chan error
	stops  []string // numbers of people who were not texted and said no by telephone
}

const rigSettle = 600 * time.Millisecond // this provider is prompt

func newRig(t *testing.T, database, redis string) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	r := &rig{dir: t.TempDir(), logged: &lines{}}
	provider, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.o = options{
		settings: settings{Data: filepath.Join(r.dir, "data"), Keys: filepath.Join(r.dir, "keys"), Database: database},
		Listen:   quietAddress(t), Redis: redis, Web: true, Worker: true, Pacer: true, Rate: 15, Settle: rigSettle, Again: rigSettle / 2, Idle: 5 * time.Millisecond,
		Metrics: quietAddress(t), Log: slog.New(slog.NewJSONHandler(r.logged, nil)),
		Gateway: twilio.Config{BaseURL: "http://" + provider.Addr().String(), AccountSID: testAccount, AuthToken: testToken, From: testSender},
	}
	r.network = &network{stand: &stand{TB: t, opt: r.o}, tokens: map[string]string{}}
	r.judge, err = emulator.Open(emulator.Config{Dir: filepath.Join(r.dir, "judge"), AccountSID: testAccount, AuthToken: testToken, Now: time.Now, Seed: 1, Delivery: emulator.Delivery{Delivered: 1}})
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: r.judge.Handler()}
	r.world.Go(func() { _ = server.Serve(provider) })
	r.world.Go(func() { _ = r.judge.Run(ctx) })
	r.id, r.tokens["Mo"] = crashCampaign(t, r.o.settings, "http://"+r.o.Listen)
	r.town = &answering{site: "http://" + r.o.Listen, judge: r.judge}
	r.world.Go(func() { r.town.live(ctx) })
	t.Cleanup(func() {
		r.stop()
		cancel()
		_ = server.Close()
		r.world.Wait()
		_ = r.judge.Close()
		if t.Failed() {
			said := loud(r.logged.String())
			t.Logf("the end of the log:\n%s", said[max(0, len(said)-6000):])
		}
	})
	return r
}

// quietAddress is free, and below the ports that other connections take as they come: the program will listen there again and again.
func quietAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("there is no free port")
	return ""
}

func (r *rig) start() {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := open(ctx, r.o)
	if err != nil {
		cancel()
		r.Fatal(err)
	}
	r.app, r.halt, r.ended = a, cancel, make(chan error, 1)
	go func() { r.ended <- a.run(ctx) }()
}

// hurry lets the sender do what is left at once: nothing more is put back.
func (r *rig) hurry() {
	r.o.Rate = 200
	r.start()
}

func (r *rig) stop() {
	if r.halt == nil {
		return
	}
	r.halt()
	if err := <-r.ended; err != nil {
		r.Errorf("the app stopped with: %v", err)
	}
	r.app.close()
	r.halt = nil
}

func (r *rig) texts() []emulator.Text { return judged(r, r.dir) }

// reach waits until so many texts are with the provider.
func (r *rig) reach(n int) {
	r.Helper()
	eventually(r, 60*time.Second, fmt.Sprintf("%d texts", n), func() bool { return len(r.texts()) >= n })
}

// sayNo lets some who have not been texted opt out by telephone.
func (r *rig) sayNo(n int) {
	r.Helper()
	texted := map[string]bool{}
	for _, x := range r.texts() {
		texted[x.To] = true
	}
	var asked []string
	for _, p := range slices.Backward(people(crashPatients, "N8300")) {
		number := "+44" + p.mobile[1:]
		if texted[number] || slices.Contains(r.stops, number) {
			continue
		}
		to, err := person.ParseE164(number)
		r.must(err)
		network, err := r.app.db.Networks(context.Background())
		r.must(err)
		r.must(r.app.receiver.Stop(context.Background(), selfrefer.OptOut{Network: network[0].ID, Phone: to, Why: selfrefer.WhyStop}))
		if asked = append(asked, number); len(asked) == n {
			break
		}
	}
	time.Sleep(200 * time.Millisecond)
	for _, x := range r.texts() { // the text may have been on its way
		asked = slices.DeleteFunc(asked, func(n string) bool { return n == x.To })
	}
	if len(asked) == 0 {
		r.Fatal("everybody has been texted: nobody is left who could say no in time")
	}
	r.stops = append(r.stops, asked...)
}

// answered waits until so many people have been told that their self-referral and their opt-out are there.
func (r *rig) answered(more int) {
	r.Helper()
	count := func() (int, int) {
		r.town.mu.Lock()
		defer r.town.mu.Unlock()
		return len(r.town.references), len(r.town.stopped)
	}
	refs, stops := count()
	eventually(r, 30*time.Second, "people answer", func() bool { a, b := count(); return a >= refs+more && b >= stops+more })
}

func (r *rig) view() object {
	return r.api("Mo", "GET", fmt.Sprintf("/campaigns/%d", r.id), nil, 200)
}

// metric reads one line of /metrics.
func (r *rig) metric(name string) string {
	r.Helper()
	resp, err := http.Get("http://" + r.o.Metrics + "/metrics")
	r.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	r.must(err)
	for l := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(l), name+" "); ok {
			return value
		}
	}
	return ""
}

// waits asserts that nothing leaves for a while, and that everybody can see why; it returns the sentence.
func (r *rig) waits(reason campaign.Reason) string {
	r.Helper()
	eventually(r, 20*time.Second, "the campaign says that sending waits", func() bool { return r.view().at("waits") != "" })
	before := len(r.texts())
	time.Sleep(3 * rigSettle)
	if after := len(r.texts()); after != before {
		r.Errorf("%d texts left in the quarantine", after-before)
	}
	resp, err := http.Get("http://" + r.o.Listen + "/readyz")
	r.must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		r.Errorf("readyz answers %d: the site is there", resp.StatusCode)
	}
	if v := r.metric(fmt.Sprintf(`wellpaced_quarantine{reason=%q}`, reason)); v != "1" {
		r.Errorf("the gauge of %s is %q", reason, v)
	}
	return r.view().at("waits") // by now each journal has told what it has lost
}

// finish lets everything come to rest and judges from outside.
func (r *rig) finish(excusedReferrals bool) {
	r.Helper()
	t := r.TB.(*testing.T)
	var last object
	eventually(r, 100*time.Second, "everything has come to rest", func() bool {
		last = r.view()
		for _, s := range []string{"planned", "released", "sending", "unknown"} {
			if last.at("messages."+s) != "0" {
				return false
			}
		}
		return true
	})
	r.town.rest()
	texts := r.texts()
	if n := emulator.Twice(texts, nil); n != 0 {
		r.Errorf("%d people were texted twice", n)
	}
	got := map[string]bool{}
	for _, x := range texts {
		got[x.To] = true
	}
	for _, n := range r.stops {
		if got[n] {
			r.Error("somebody was texted whose opt-out had been acknowledged")
		}
	}
	excused, _ := strconv.Atoi(last.at("messages.suppressed"))
	if len(got)+excused != crashPatients {
		r.Errorf("%d people were texted and %d suppressed, of %d: %v", len(got), excused, crashPatients, last["messages"])
	}
	if !excusedReferrals {
		r.town.check(t, r.network, r.o.settings)
	}
	if h, err := r.app.db.Halted(context.Background()); err != nil || h.On() || r.view().at("waits") != "" {
		r.Errorf("the quarantine is not over: %v, %v", h, err)
	}
	r.town.mu.Lock()
	defer r.town.mu.Unlock()
	r.Logf("%d texts, %d referrals and %d opt-outs acknowledged, %d by telephone, messages %v", len(texts), len(r.town.references), len(r.town.stopped), len(r.stops), last["messages"])
}

// program runs one of the program's commands, with its words.
func (r *rig) program(want int, args ...string) (out object, words string) {
	r.Helper()
	args = append(args, "--json", "--data", r.o.Data, "--keys", r.o.Keys)
	if r.o.Database != "" {
		args = append(args, "--database", r.o.Database)
	}
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), args, nil, &stdout, &stderr); code != want {
		r.Fatalf("wellpaced %s: exit code %d, want %d: %s", strings.Join(args[:2], " "), code, want, stderr.String())
	}
	if want == exitDone {
		out = decode(r, stdout.Bytes())
	}
	return out, stderr.String()
}

func (r *rig) copy(from, to string) {
	r.Helper()
	r.must(os.RemoveAll(to))
	r.must(os.CopyFS(to, os.DirFS(from)))
	r.must(filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	}))
}

// The database file alone is put back; the journal, the marker and the witness stay.
func TestRestore_databaseFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", "")
	r.start()
	r.reach(60)
	r.stop()
	file := filepath.Join(r.o.Data, "wellpaced.db")
	backup, err := os.ReadFile(file)
	r.must(err)
	r.start()
	r.reach(120)
	r.answered(3)
	r.sayNo(3)
	r.stop()
	r.must(os.WriteFile(file, backup, 0o600))
	began := time.Now()
	r.hurry()
	<-r.app.ready
	t.Logf("the quarantine took %s, with %s between the listings", time.Since(began).Round(time.Millisecond), rigSettle)
	if !strings.Contains(r.logged.String(), `"reason":"marker"`) {
		t.Error("no quarantine for the marker's sake")
	}
	r.finish(false)
}

// The whole data folder is put back, marker and journal with it. The witness in the keys folder tells; what the journal had is a gap.
func TestRestore_wholeFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", "")
	r.start()
	r.reach(60)
	r.stop()
	backup := filepath.Join(r.dir, "copy")
	r.copy(r.o.Data, backup)
	r.start()
	r.reach(120)
	r.answered(3)
	r.stop()
	r.copy(backup, r.o.Data)
	r.hurry()
	said := r.waits(campaign.OlderDatabase)
	if !strings.Contains(said, "journal records (forms and opt-outs) are missing between") || !strings.Contains(said, "restore --accept-gap") {
		t.Errorf("the page says: %s", said)
	}
	if v := r.metric(`wellpaced_quarantine{reason="gap"}`); v != "1" {
		t.Errorf("the gauge of the gap is %q", v)
	}
	if _, words := r.program(exitUsage, "restore", "--accept-gap"); !strings.Contains(words, "MISSING: ") || !strings.Contains(words, "--yes") {
		t.Errorf("nobody was there to be asked: %s", words)
	}
	out, _ := r.program(exitDone, "restore", "--accept-gap", "--yes", "--by", "Ada")
	if n, _ := strconv.Atoi(out.at("accepted.0.records")); n < 6 {
		t.Errorf("accepted %v, want at least the 6 acknowledged since the copy", out)
	}
	eventually(r, 5*time.Second, "serve has noticed", func() bool { return r.app.isReady() })
	if out, _ := r.program(exitDone, "restore", "--accept-gap"); len(out.list("accepted")) != 0 {
		t.Errorf("accepted again: %v", out)
	}
	r.finish(true) // what is in the gap is lost, and everybody knows
}

// backup and restore in the middle of a campaign: opt-outs and self-referrals of after the backup come back from the journal.
func TestRestore_backup(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", "")
	r.start()
	r.reach(60)
	backups := filepath.Join(r.dir, "backups")
	r.must(os.Mkdir(backups, 0o700))
	out, _ := r.program(exitDone, "backup", backups) // beside serve
	file := out.at("file")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup's file: %v, %v", info, err)
	}
	if _, words := r.program(exitFailed, "backup", file); !strings.Contains(words, "never writes over") {
		t.Errorf("a backup over a backup: %s", words)
	}
	if left, err := os.ReadDir(backups); err != nil || len(left) != 1 {
		t.Errorf("beside the backup: %v, %v", left, err)
	}
	if _, words := r.program(exitFailed, "restore", file); !strings.Contains(words, "stop it first") {
		t.Errorf("a restore beside serve: %s", words)
	}
	r.reach(120)
	r.answered(3)
	r.sayNo(3)
	r.stop()
	if _, words := r.program(exitFailed, "restore", file); !strings.Contains(words, "--force") {
		t.Errorf("a restore over data: %s", words)
	}
	out, _ = r.program(exitDone, "restore", file, "--force")
	if n, _ := strconv.Atoi(out.at("journal_records")); n < 9 || len(out.list("gaps")) != 0 {
		t.Errorf("restore says %v", out)
	}
	if _, err := os.Stat(filepath.Join(out.at("aside"), "wellpaced.db")); err != nil {
		t.Errorf("what was there before is gone: %v", err)
	}
	r.hurry()
	r.finish(false)
	r.stop()
	began := time.Now()
	r.start() // and an ordinary start afterwards is ordinary
	<-r.app.ready
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("an ordinary start takes %s until it may send", took)
	} else {
		t.Logf("an ordinary start takes %s until it may send", took.Round(time.Millisecond))
	}
	if h, err := r.app.db.Halted(context.Background()); err != nil || h.On() {
		t.Errorf("after a restart: %v, %v", h, err)
	}
}

// The whole machine is put back, keys and all. Nothing on it remembers; the provider does.
func TestRestore_wholeMachine(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", "")
	r.start()
	r.reach(60)
	r.stop()
	data, keys := filepath.Join(r.dir, "copy"), filepath.Join(r.dir, "keys-copy")
	r.copy(r.o.Data, data)
	r.copy(r.o.Keys, keys)
	r.start()
	r.reach(120)
	r.answered(2)
	r.stop()
	r.copy(data, r.o.Data)
	r.copy(keys, r.o.Keys)
	r.hurry()
	if said := r.waits(campaign.ProviderKnows); !strings.Contains(said, "nobody knows whether journal records") {
		t.Errorf("the page says: %s", said)
	}
	r.program(exitDone, "restore", "--accept-gap", "--yes")
	r.finish(true)
	r.stop()
	r.start()
	<-r.app.ready
	if h, err := r.app.db.Halted(context.Background()); err != nil || h.On() {
		t.Errorf("after a restart: %v, %v", h, err)
	}
}

// door is where a database is reached: an address that can be made to lead elsewhere, as a name or a virtual address does in a failover.
type door struct {
	net.Listener
	mu   sync.Mutex
	to   string
	open map[net.Conn]struct{}
}

func newDoor(t *testing.T, to string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Listener: l, to: to, open: map[net.Conn]struct{}{}}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			out, err := net.Dial("tcp", d.to)
			if err != nil {
				d.mu.Unlock()
				in.Close()
				continue
			}
			d.open[in], d.open[out] = struct{}{}, struct{}{}
			d.mu.Unlock()
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					pair[0].Close()
					pair[1].Close()
				}()
			}
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		d.lead("127.0.0.1:9")
	})
	return d
}

// lead breaks all connections and leads elsewhere from now on.
func (d *door) lead(to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = to
	for c := range d.open {
		c.Close()
	}
	d.open = map[net.Conn]struct{}{}
}

// A standby that had fallen behind takes over while the program runs: the last texts, opt-outs and self-referrals are not in it.
func TestRestore_failover(t *testing.T) {
	t.Parallel()
	direct := storetest.Postgres(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(t, u.Host)
	u.Host = d.Addr().String()
	r := newRig(t, u.String(), redisOfOnesOwn(t))
	r.start()
	r.reach(60)
	standby, promote := storetest.Standby(t)
	r.reach(120)
	r.answered(3)
	r.sayNo(3)
	r.must(promote())
	before := len(r.texts())
	d.lead(standby)
	eventually(t, 20*time.Second, "the program has noticed", func() bool { return strings.Contains(r.logged.String(), `"reason":"server"`) })
	eventually(t, 30*time.Second, "the quarantine is over", func() bool { return strings.Contains(r.logged.String(), "the quarantine is over") })
	t.Logf("%d texts had left before the failover", before)
	r.app.db.Settle = rigSettle
	r.finish(false)
}

// A dump is restored into another database of the same server, on which nothing tells that it is older but what is remembered elsewhere.
func TestRestore_postgresBackup(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("pg_dump"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("pg_dump is not on the PATH")
	}
	r := newRig(t, storetest.Postgres(t), redisOfOnesOwn(t))
	r.start()
	r.reach(60)
	out, _ := r.program(exitDone, "backup", filepath.Join(r.dir, "one.backup"))
	r.reach(120)
	r.answered(3)
	r.sayNo(3)
	r.stop()
	if _, words := r.program(exitFailed, "restore", out.at("file"), "--force"); !strings.Contains(words, "not empty") {
		t.Errorf("a restore over a database: %s", words)
	}
	r.o.Database = storetest.Postgres(t)
	out, _ = r.program(exitDone, "restore", out.at("file"), "--force")
	if n, _ := strconv.Atoi(out.at("journal_records")); n < 9 || len(out.list("gaps")) != 0 {
		t.Errorf("restore says %v", out)
	}
	r.hurry()
	r.finish(false)
}
