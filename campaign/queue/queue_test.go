package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

// onBoth runs a test on the Redis inside this process and on a real one.
func onBoth(t *testing.T, test func(t *testing.T, q *Queue)) {
	t.Run("inside", func(t *testing.T) { test(t, mustOpen(t, "")) })
	t.Run("redis", func(t *testing.T) {
		addr := storetest.Redis(t)
		mustFlush(t, addr)
		test(t, mustOpen(t, "redis://"+addr))
	})
}

func mustOpen(tb testing.TB, redis string) *Queue {
	tb.Helper()
	q, err := Open(Config{Redis: redis, Concurrency: 10, Log: quiet})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(q.Close)
	return q
}

func mustFlush(tb testing.TB, addr string) {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 5)
	if _, err := io.WriteString(conn, "FLUSHALL\r\n"); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "+OK\r\n" {
		tb.Fatalf("empty Redis: %q %v", answer, err)
	}
}

// empty empties the Redis behind a queue, as a lost one would be.
func (q *Queue) empty(tb testing.TB) {
	if q.inside != nil {
		q.inside.FlushAll()
		return
	}
	mustFlush(tb, q.opt.(asynq.RedisClientOpt).Addr)
}

// worker counts what it answers.
type worker struct {
	mu   sync.Mutex
	got  map[campaign.Ring]int
	each chan campaign.Ring
	stop func()
}

func work(tb testing.TB, q *Queue, answer func(campaign.Ring) error) *worker {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{got: map[campaign.Ring]int{}, each: make(chan campaign.Ring, 1000)}
	done := make(chan error, 1)
	go func() {
		done <- q.Work(ctx, func(_ context.Context, r campaign.Ring) error {
			w.mu.Lock()
			w.got[r]++
			w.mu.Unlock()
			var err error
			if answer != nil {
				err = answer(r)
			}
			w.each <- r
			return err
		})
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Work: %v", err)
		}
	})
	tb.Cleanup(w.stop)
	return w
}

func (w *worker) wait(tb testing.TB, n int) {
	tb.Helper()
	limit := time.After(20 * time.Second)
	for range n {
		select {
		case <-w.each:
		case <-limit:
			tb.Fatalf("only %v was answered", w.got)
		}
	}
}

// until polls, because asynq tells nobody when it is done with a task.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatalf("it never came about that %s", what)
		}
	}
}

func ring(tb testing.TB, q *Queue, rings ...campaign.Ring) {
	tb.Helper()
	if err := q.Ring(tb.Context(), rings); err != nil {
		tb.Fatal(err)
	}
}

func many(n int) []campaign.Ring {
	rings := make([]campaign.Ring, n)
	for i := range rings {
		rings[i] = campaign.Ring{Message: campaign.MessageID(i + 1), Attempt: 1}
	}
	return rings
}

func TestQueue_EachRingIsAnsweredOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue) {
		rings := many(200)
		ring(t, q, rings...)
		ring(t, q, rings...) // while they wait: the same ids
		if s, err := q.Stats(); err != nil || s.Waiting != 200 {
			t.Errorf("got %+v, %v, want 200 waiting", s, err)
		}
		if got := q.InFlight(); got != 200 {
			t.Errorf("got %d in flight, want 200", got)
		}
		w := work(t, q, nil)
		w.wait(t, 200)
		until(t, "nothing is in flight", func() bool { return q.InFlight() == 0 })
		w.stop()
		for _, r := range rings {
			if w.got[r] != 1 {
				t.Errorf("%v was answered %d times", r, w.got[r])
			}
		}
		if n, err := q.Waiting(t.Context()); n != 0 || err != nil {
			t.Errorf("%d wait, %v", n, err)
		}
	})
}

func TestQueue_RingsAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue) {
		first, second := campaign.Ring{Message: 7, Attempt: 1}, campaign.Ring{Message: 7, Attempt: 1, Nth: 1}
		ring(t, q, first)
		ring(t, q, second)
		w := work(t, q, nil)
		w.wait(t, 2)
		w.stop()
		if w.got[first] != 1 || w.got[second] != 1 {
			t.Errorf("got %v", w.got)
		}
	})
}

func TestQueue_SurvivesAnEmptiedRedis(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue) {
		lost := many(5)
		ring(t, q, lost...)
		q.empty(t)
		if n, err := q.Waiting(t.Context()); n != 0 || err != nil {
			t.Fatalf("after the loss %d wait, %v", n, err)
		}
		ring(t, q, lost...) // the very same ids, as after a restart
		if n, err := q.Waiting(t.Context()); n != 5 || err != nil {
			t.Fatalf("after ringing again %d wait, %v; want 5", n, err)
		}
		w := work(t, q, nil)
		w.wait(t, 5)
	})
}

func TestQueue_DropsForgedRings(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue) {
		for _, payload := range []string{"", "hello", "1:1", "-1:1:0", "1:1:0 ", "01:1:0", "9223372036854775808:1:0", strings.Repeat("9", 100), `{"message":1}`} {
			if _, err := q.client.Enqueue(asynq.NewTask(taskType, []byte(payload)), asynq.Queue(queueName)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := q.client.Enqueue(asynq.NewTask("other", []byte("1:1:0")), asynq.Queue(queueName)); err != nil {
			t.Fatal(err)
		}
		w := work(t, q, nil)
		real := campaign.Ring{Message: 3, Attempt: 2, Nth: 1}
		ring(t, q, real)
		w.wait(t, 1)
		until(t, "the queue is empty", func() bool {
			info, err := q.inspector.GetQueueInfo(queueName)
			return err == nil && info.Size == 0 // nothing kept among the dead either
		})
		w.stop()
		if len(w.got) != 1 || w.got[real] != 1 {
			t.Errorf("got %v, want only %v", w.got, real)
		}
	})
}

// A ring that cannot be answered comes back a few times, leaves no word of its error in Redis, and frees its id.
func TestQueue_GivesUpAfterAFewTries(t *testing.T) {
	q := mustOpen(t, "")
	r := campaign.Ring{Message: 1, Attempt: 1}
	w := work(t, q, func(r campaign.Ring) error {
		if r.Nth > 0 {
			panic("the text of a panic")
		}
		return errors.New("the text of an error")
	})
	ring(t, q, r)
	w.wait(t, 1)
	until(t, "it waits for another try", func() bool { s, _ := q.Stats(); return s.Retrying == 1 })
	if q.InFlight() != 1 {
		t.Error("a ring that will be tried again does not count as in flight")
	}
	if dump := q.inside.Dump(); strings.Contains(dump, "the text of") || !strings.Contains(dump, errAnswer.Error()) {
		t.Errorf("Redis holds:\n%s", dump)
	}
	w.wait(t, maxRetry)
	until(t, "it is forgotten", func() bool { return q.InFlight() == 0 })
	until(t, "its id is free", func() bool {
		info, err := q.inspector.GetQueueInfo(queueName)
		return err == nil && info.Size == 0
	})
	r.Nth = 1
	ring(t, q, r)
	until(t, "the panicking one is forgotten too", func() bool { return q.InFlight() == 0 })
}

// A stop waits for the answer in hand, and what nobody took is still there for the next process.
func TestQueue_StopsAfterTheAnswerInHand(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue) {
		started, finish := make(chan struct{}, 1000), make(chan struct{})
		w := work(t, q, func(campaign.Ring) error { started <- struct{}{}; <-finish; return nil })
		ring(t, q, many(30)...)
		for range 10 { // as many as it answers at once
			<-started
		}
		stopped := make(chan struct{})
		go func() { w.stop(); close(stopped) }()
		select {
		case <-stopped:
			t.Fatal("stopped with answers in hand")
		case <-time.After(300 * time.Millisecond):
		}
		close(finish)
		<-stopped
		for r, n := range w.got {
			if n != 1 {
				t.Errorf("%v was answered %d times", r, n)
			}
		}
		if s, err := q.Stats(); err != nil || s.Waiting != 30-len(w.got) || s.Active != 0 {
			t.Errorf("got %+v, %v after %d answers of 30", s, err, len(w.got))
		}
	})
}

func TestOpen_SaysWhatIsWrong(t *testing.T) {
	for name, addr := range map[string]string{
		"not an address": "redis.example:6379", "another scheme": "http://secret@127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(Config{Redis: addr, Log: quiet})
			if err == nil || !strings.Contains(err.Error(), "--redis") || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The Redis inside this process answers nobody without its password.
func TestOpen_InsideIsLocked(t *testing.T) {
	q := mustOpen(t, "")
	if mustOpen(t, "redis://"+q.inside.Addr()).Answers() {
		t.Fatal("open without a password")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("1:2:3")
	f.Add("1:2:+3")
	f.Fuzz(func(t *testing.T, s string) {
		if r, ok := decode(s); ok && (encode(r) != s || r.Message <= 0) {
			t.Errorf("%q became %v", s, r)
		}
	})
}

func BenchmarkQueue(b *testing.B) {
	for _, kind := range []string{"inside", "redis"} {
		b.Run(kind, func(b *testing.B) {
			addr := ""
			if kind == "redis" {
				addr = "redis://" + storetest.Redis(b)
				mustFlush(b, strings.TrimPrefix(addr, "redis://"))
			}
			q := mustOpen(b, addr)
			var wg sync.WaitGroup
			wg.Add(b.N)
			b.ResetTimer()
			start := time.Now()
			if err := q.Ring(b.Context(), many(b.N)); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "rings/s")
			start = time.Now()
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() {
				done <- q.Work(ctx, func(context.Context, campaign.Ring) error { wg.Done(); return nil })
			}()
			wg.Wait()
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "answers/s")
			b.StopTimer()
			cancel()
			if err := <-done; err != nil {
				b.Fatal(fmt.Errorf("work: %w", err))
			}
		})
	}
}
