package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/store/storetest"
)

// moody are the faults of a provider on a bad day.
var moody = emulator.Faults{
	TooMany: .03, Refuse500: .03, ResetBefore: .03, Redirect: .02, AcceptThen500: .03, AcceptThenReset: .03, AcceptThen502: .02, AcceptEmpty: .02, AcceptTruncated: .02,
	LateAccept: .04, LateBy: lateBy, Slow: .02, SlowBy: 300 * time.Millisecond, List500: .1, ListLag: listLag,
	CallbackTwice: .1, CallbackReorder: .1, CallbackDrop: .1, CallbackEarly: .1}

// theatre is a campaign of some hundred people, their provider and their town in this process, and the program in others.
type theatre struct {
	*testing.T
	dir      string
	seed     uint64
	chance   *rand.Rand
	judge    *emulator.Emulator
	provider string // URL
	site     string // address of the web that texts and callbacks lead to
	base     settings
	campaign campaign.ID
	token    string
	town     *answering
	net      *network
	cast     []*victim
	posted   int64 // forms of the test itself
}

func newTheatre(t *testing.T, database string, faults emulator.Faults) *theatre {
	t.Helper()
	h := &theatre{T: t, dir: t.TempDir(), seed: uint64(time.Now().UnixNano()), site: freeAddress(t)}
	if s := os.Getenv("WELLPACED_TEST_SEED"); s != "" {
		h.seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("WELLPACED_TEST_SEED=%d", h.seed)
	h.chance = rand.New(rand.NewPCG(h.seed, 1))
	provider, err := net.Listen("tcp", "127.0.0.1:0")
	h.must(err)
	h.provider = "http://" + provider.Addr().String()
	h.judge, err = emulator.Open(emulator.Config{Dir: filepath.Join(h.dir, "judge"), AccountSID: testAccount, AuthToken: testToken, Now: time.Now, Seed: h.seed,
		Delivery: emulator.Delivery{Delivered: 1}, Faults: faults})
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: h.judge.Handler()}
	var world sync.WaitGroup
	world.Go(func() { _ = server.Serve(provider) })
	world.Go(func() { _ = h.judge.Run(ctx) })
	h.base = settings{Data: filepath.Join(h.dir, "data"), Keys: filepath.Join(h.dir, "keys"), Database: database}
	h.campaign, h.token = crashCampaign(t, h.base, "http://"+h.site)
	h.net = &network{stand: &stand{TB: t, app: &app{options: options{PublicURL: "http://" + h.site}}}, tokens: map[string]string{"Mo": h.token}}
	h.town = &answering{site: "http://" + h.site, judge: h.judge}
	world.Go(func() { h.town.live(ctx) })
	t.Cleanup(func() {
		for _, v := range h.cast {
			v.end(syscall.SIGKILL)
		}
		cancel()
		_ = server.Close()
		world.Wait()
		_ = h.judge.Close()
		for _, v := range h.cast {
			if t.Failed() {
				b, _ := os.ReadFile(v.logged)
				said := loud(string(b))
				t.Logf("the end of %s:\n%s", filepath.Base(v.logged), said[max(0, len(said)-2000):])
			}
		}
	})
	return h
}

func (h *theatre) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// process adds one of the program's processes, with a data folder of its own, and does not start it.
func (h *theatre) process(name, data string, more ...string) *victim {
	v := &victim{TB: h.T, logged: filepath.Join(h.dir, "log-"+name), args: append([]string{"serve", "--data", data, "--keys", h.base.Keys, "--settle", crashSettle.String(), "--public-url", "http://" + h.site,
		"--twilio-account-sid", testAccount, "--twilio-auth-token", testToken, "--twilio-from", testSender, "--twilio-api-url", h.provider}, more...)}
	h.cast = append(h.cast, v)
	return v
}

// counts are the campaign's messages by state; nil while no site answers.
func (h *theatre) counts() map[campaign.MessageState]int {
	r, err := http.NewRequest("GET", fmt.Sprintf("http://%s/api/v1/campaigns/%d", h.site, h.campaign), nil)
	h.must(err)
	r.Header.Set("Authorization", "Bearer "+h.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	o := h.net.api("Mo", "GET", fmt.Sprintf("/campaigns/%d", h.campaign), nil, 200)
	c := map[campaign.MessageState]int{}
	for _, s := range campaign.MessageStates {
		c[s], _ = strconv.Atoi(o.at("messages." + string(s)))
	}
	return c
}

func (h *theatre) texts() []emulator.Text { return judged(h.T, h.dir) }

// accounted waits until everything has come to rest, and judges: nobody twice, everybody reached but those with a reason. nudge is called now and then
// while texts are planned and nobody sends them: the pacer's next minute may be far.
func (h *theatre) accounted(within time.Duration, nudge func()) {
	h.Helper()
	began, nudged := time.Now(), time.Now()
	var last map[campaign.MessageState]int
	eventually(h.T, within, "everything has come to rest", func() bool {
		time.Sleep(100 * time.Millisecond)
		if last = h.counts(); last == nil || last[campaign.Sending]+last[campaign.Released]+last[campaign.Unknown] > 0 {
			return false
		}
		if last[campaign.Planned] > 0 && nudge != nil && time.Since(nudged) > 6*time.Second {
			nudge()
			nudged = time.Now()
		}
		return last[campaign.Planned] == 0
	})
	h.town.rest()
	texts := h.texts()
	if n := emulator.Twice(texts, nil); n != 0 {
		h.Errorf("%d people were texted twice or more", n)
	}
	got := map[string]bool{}
	for _, x := range texts {
		got[x.To] = true
	}
	excused := last[campaign.Held] + last[campaign.Rejected] + last[campaign.Suppressed] + last[campaign.Expired]
	if missed := crashPatients - len(got); missed > excused {
		h.Errorf("%d people were never texted, and only %d for a reason: %v", missed, excused, last)
	}
	h.town.check(h.T, h.net, h.base)
	h.Logf("%d texts, %d referrals and %d opt-outs acknowledged; at rest after %s; %v", len(texts), len(h.town.references), len(h.town.stopped), time.Since(began).Round(time.Second), last)
}

// fastest is the most segments that the provider took in any span of so many seconds.
func fastest(texts []emulator.Text, span time.Duration) (most int) {
	slices.SortFunc(texts, func(a, b emulator.Text) int { return a.At.Compare(b.At) })
	first, sum := 0, 0
	for _, x := range texts {
		sum += text.Count(x.Body).Segments
		for x.At.Sub(texts[first].At) > span {
			sum -= text.Count(texts[first].Body).Segments
			first++
		}
		most = max(most, sum)
	}
	return most
}

var leadingProcess = regexp.MustCompile(`, process (\d+) \(`)

// Two pacers, four workers and two webs on one Postgres and one Redis, killed at random while a moody provider is asked to text four hundred people
// and some of them answer. Nobody is texted twice, everybody is reached, together they are no faster than the sender, and one pacer leads: the other
// takes over within 30 s of a kill -9, and one that was frozen for longer than its lease has no say when it wakes.
func TestManyProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	const rate = 8
	database := storetest.Postgres(t)
	redis := storetest.OwnRedis(t)
	h := newTheatre(t, database, moody)
	serve := func(name, role string, more ...string) *victim {
		v := h.process(name, filepath.Join(h.dir, name), append([]string{"--roles", role, "--database", database, "--redis", "redis://" + redis.Addr, "--rate", fmt.Sprint(rate)}, more...)...)
		v.start()
		return v
	}
	serve("web-1", "web", "--listen", h.site)
	serve("web-2", "web", "--listen", "127.0.0.1:0")
	for i := range 4 {
		serve(fmt.Sprint("worker-", i), "worker", "--listen", "127.0.0.1:0")
	}
	pacers := []*victim{serve("pacer-1", "pacer", "--listen", "127.0.0.1:0"), serve("pacer-2", "pacer", "--listen", "127.0.0.1:0")}

	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{Database: database, DataDir: filepath.Join(h.dir, "watch"), Keys: h.base.Keys, Now: time.Now, Machine: time.Now, Logger: slog.New(slog.DiscardHandler)})
	h.must(err)
	defer db.Close()
	leader := func() (*victim, string) {
		w, err := db.Workings(ctx, 0)
		h.must(err)
		m := leadingProcess.FindStringSubmatch(w.Leader)
		if !w.Leads || m == nil {
			return nil, w.Leader
		}
		for _, p := range pacers {
			if p.cmd != nil && strconv.Itoa(p.cmd.Process.Pid) == m[1] {
				return p, w.Leader
			}
		}
		return nil, w.Leader
	}
	awaitLeader := func(not string) (v *victim, who string) {
		h.Helper()
		eventually(t, 40*time.Second, "a pacer leads", func() bool {
			time.Sleep(20 * time.Millisecond)
			v, who = leader()
			return v != nil && who != not
		})
		return v, who
	}
	eventually(t, 60*time.Second, "texts leave", func() bool { time.Sleep(50 * time.Millisecond); return len(h.texts()) > 20 })

	kills := 0
	disturb := func(d time.Duration) {
		for until := time.Now().Add(d); time.Now().Before(until); {
			time.Sleep(time.Duration(400+h.chance.IntN(800)) * time.Millisecond)
			v := h.cast[h.chance.IntN(len(h.cast))]
			if slices.Contains(pacers, v) { // their turn comes below
				continue
			}
			if h.chance.IntN(8) == 0 { // a worker or a web that stands still for longer than a claim may wait
				_ = v.cmd.Process.Signal(syscall.SIGSTOP)
				time.Sleep(campaign.FirstByte + time.Second)
				_ = v.cmd.Process.Signal(syscall.SIGCONT)
				continue
			}
			v.end(syscall.SIGKILL)
			kills++
			v.start()
		}
	}
	disturb(12 * time.Second)

	// The leader is killed.
	v, who := awaitLeader("")
	v.end(syscall.SIGKILL)
	began := time.Now()
	awaitLeader(who)
	takeover := time.Since(began)
	t.Logf("takeover after kill -9 of the leader: %s", takeover.Round(10*time.Millisecond))
	if takeover > 30*time.Second {
		t.Errorf("takeover took %s, at most 30 s are promised", takeover)
	}
	v.start()
	kills++
	disturb(8 * time.Second)

	// The leader stands still for longer than its lease, while the other has a while to take over, and wakes.
	v, who = awaitLeader("")
	_ = v.cmd.Process.Signal(syscall.SIGSTOP)
	began = time.Now()
	_, who2 := awaitLeader(who)
	t.Logf("takeover after the leader stood still: %s", time.Since(began).Round(10*time.Millisecond))
	_ = v.cmd.Process.Signal(syscall.SIGCONT)
	for range 60 { // longer than it takes each of its loops to come round
		time.Sleep(100 * time.Millisecond)
		if _, now := leader(); now != who2 {
			t.Fatalf("%s woke and leads again, or lets %s lead, while %s has the lease", who, now, who2)
		}
	}
	disturb(4 * time.Second)
	t.Logf("%d kills; %d texts have left", kills, len(h.texts()))

	h.judge.SetFaults(emulator.Faults{})
	h.accounted(150*time.Second, func() {
		if v, _ := leader(); v != nil { // who takes over paces at once
			v.end(syscall.SIGTERM)
			v.start()
		}
	})
	const span = 4 * time.Second
	if most := fastest(h.texts(), span); most > rate*int(span/time.Second)+rate+rate*int(lateBy/time.Second)+4 {
		t.Errorf("the provider took %d segments in %s, from a sender of %d a second", most, span, rate)
	} else {
		t.Logf("the provider took at most %d segments in %s, from a sender of %d a second", most, span, rate)
	}
	// A folder that another process uses is refused with the way out.
	out := h.process("twin", filepath.Join(h.dir, "web-2"), "--roles", "web", "--database", database, "--redis", "redis://"+redis.Addr, "--listen", "127.0.0.1:0")
	if code, said := out.said(); code != exitFailed || !strings.Contains(said, "give each process a --data folder of its own") {
		t.Errorf("two processes share a data folder: exit code %d: %s", code, said)
	}
}

// said runs a process that ends by itself, and gives its exit code and its words.
func (v *victim) said() (code int, words string) {
	v.Helper()
	v.start()
	_ = v.cmd.Wait()
	code = v.cmd.ProcessState.ExitCode()
	v.cmd = nil
	b, err := os.ReadFile(v.logged)
	if err != nil {
		v.Fatal(err)
	}
	return code, strings.TrimSpace(string(b))
}
