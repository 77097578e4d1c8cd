package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/queue"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/store/storetest"
)

// asynq answers a ring again whenever it believes that the first answer came to nothing: the lease ran out because the process stood still,
// the answer took longer than its time-out, or the process was asked to stop. The first answer may still be going on. One of them sends.
func TestQueueAnswersARingTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for asynq's own time-outs")
	}
	for _, c := range []struct {
		way   string
		claim bool // the first answer has claimed before it stands still
	}{{"the lease runs out", false}, {"the lease runs out", true}, {"a stop does not wait for ever", false}, {"a time-out", true}} {
		place := "before its claim"
		if c.claim {
			place = "after its claim"
		}
		t.Run(c.way+" "+place, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, crashPoint{name: "none", people: 1}, storetest.Postgres(t), redisOfOnesOwn(t))
			quiet := slog.New(slog.DiscardHandler)
			db, err := store.Open(context.Background(), store.Config{Database: tr.first.Database, DataDir: tr.first.Data, Keys: tr.first.Keys, Now: time.Now, Machine: time.Now, Logger: quiet})
			tr.must(err)
			defer db.Close()
			open := func() *queue.Queue {
				q, err := queue.Open(queue.Config{Redis: tr.first.Redis, Concurrency: 1, Log: quiet})
				tr.must(err)
				t.Cleanup(q.Close)
				return q
			}
			one, two := open(), open()

			var texts, answers atomic.Int64
			arrived, goOn := make(chan struct{}), make(chan struct{})
			var stood atomic.Bool
			stand := func() { // only the first answer stands still
				if !stood.Swap(true) {
					close(arrived)
					<-goOn
				}
			}
			slow := &campaign.Dispatcher{Claims: db, Sender: sending(func() {
				if c.claim {
					stand()
				}
				texts.Add(1)
			}), Rate: waiting(func() {
				if !c.claim {
					stand()
				}
			}), Log: quiet}
			quick := &campaign.Dispatcher{Claims: db, Sender: sending(func() { texts.Add(1) }), Rate: waiting(func() {}), Log: quiet}
			answered := make(chan error, 10) // by whichever worker
			work := func(q *queue.Queue, d *campaign.Dispatcher) (stop func()) {
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = q.Work(ctx, func(ctx context.Context, r campaign.Ring) error {
						err := d.Answer(ctx, r)
						answers.Add(1)
						answered <- err
						return err
					})
				}()
				stop = sync.OnceFunc(func() { cancel(); <-done })
				t.Cleanup(stop)
				return stop
			}

			bell := &memory{Bell: one}
			p := campaign.Pacer{Store: db, Bell: bell, Holder: "test", Machine: time.Now, Log: quiet}
			if n, err := p.Tick(context.Background(), time.Now()); n != 1 || err != nil {
				t.Fatalf("released %d: %v", n, err)
			}
			stopFirst := work(one, slow)
			<-arrived
			switch {
			case strings.HasPrefix(c.way, "the lease"):
				again := false
				for range 10 { // asynq's heartbeat of the first may renew the lease in between
					r := bell.rings[0]
					redisSays(t, tr.first.Redis, fmt.Sprintf("ZADD asynq:{wellpaced}:lease XX CH %d %d:%d:%d", time.Now().Add(-2*time.Minute).Unix(), r.Message, r.Attempt, r.Nth))
					stop := work(two, quick) // it looks for lost leases as it starts
					select {
					case err := <-answered:
						again = true
						tr.must(err)
					case <-time.After(3 * time.Second):
						stop()
					}
					if again {
						break
					}
				}
				if !again {
					t.Fatal("nobody answered the ring again")
				}
			default:
				if strings.HasPrefix(c.way, "a stop") {
					go stopFirst()
					time.Sleep(time.Second) // it takes no more rings
				}
				work(two, quick)
				select {
				case err := <-answered:
					tr.must(err)
				case <-time.After(100 * time.Second):
					t.Fatal("nobody answered the ring again")
				}
			}
			want := int64(1)
			if c.claim {
				want = 0
			}
			if got := texts.Load(); got != want {
				t.Errorf("%d texts after the second answer, want %d", got, want)
			}
			close(goOn)
			if err := <-answered; err != nil && !strings.HasPrefix(c.way, "a stop") { // whose context has ended: it claims nothing
				t.Error(err)
			}
			if texts.Load() != 1 || answers.Load() != 2 {
				t.Errorf("%d texts by %d answers, want 1 by 2", texts.Load(), answers.Load())
			}
			if got := tr.left(false, false) + "; " + tr.counts(`SELECT 'attempts', COUNT(*) FROM attempt`); got != "accepted 1; attempts 1" {
				t.Errorf("in the end %s", got)
			}
		})
	}
}

// sending is a gateway that accepts everything.
type sending func()

func (s sending) Send(_ context.Context, out campaign.Outgoing) campaign.Outcome {
	s()
	return campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprintf("SM%d.%d", out.Message, out.Attempt)}
}

// waiting is a rate without a limit.
type waiting func()

func (w waiting) Wait(context.Context, int) error { w(); return nil }

// heard is a bell that remembers.
type memory struct {
	campaign.Bell
	rings []campaign.Ring
}

func (h *memory) Ring(ctx context.Context, rings []campaign.Ring) error {
	h.rings = append(h.rings, rings...)
	return h.Bell.Ring(ctx, rings)
}

// redisSays sends a command and wants it to have changed something.
func redisSays(t *testing.T, redisURL, command string) {
	t.Helper()
	u, err := url.Parse(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "SELECT %s\r\n%s\r\nQUIT\r\n", strings.TrimPrefix(u.Path, "/"), command); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); err != nil || string(answer) != "+OK\r\n:1\r\n+OK\r\n" {
		t.Fatalf("%s: %q, %v", command, answer, err)
	}
}
