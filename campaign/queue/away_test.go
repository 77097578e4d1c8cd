package queue

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/store/servers"
	"github.com/wellpaced/wellpaced/store/storetest"
)

// lines is a log that tests read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), what)
}

func (l *lines) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Redis goes away in every way it can, for some seconds each. The queue says so at once and once, keeps nobody waiting, and goes on when Redis is
// back; rings that were lost are answered when they are rung again.
func TestQueue_RedisAway(t *testing.T) {
	for name, fault := range map[string]func(*servers.Server) (back func() error){
		"stopped": func(s *servers.Server) func() error {
			s.Stop()
			return s.Start
		},
		"frozen": func(s *servers.Server) func() error {
			s.Freeze()
			return func() error { s.Thaw(); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, log := storetest.OwnRedis(t), &lines{}
			q, err := Open(Config{Redis: "redis://" + server.Addr, Concurrency: 10, Log: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(q.Close)
			w := work(t, q, nil)
			ring(t, q, many(10)...)
			w.wait(t, 10)

			back := fault(server)
			until(t, "the queue knows", func() bool { _, err := q.Stats(); return errors.Is(err, ErrAway) })
			began := time.Now()
			if err := q.Ring(t.Context(), many(20)); !errors.Is(err, ErrAway) {
				t.Errorf("ringing says %v", err)
			}
			if _, err := q.Waiting(t.Context()); !errors.Is(err, ErrAway) {
				t.Errorf("asking for the size says %v", err)
			}
			if q.InFlight() != 0 {
				t.Error("rings in flight")
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("whoever rings waits for %s", took)
			}
			time.Sleep(5 * time.Second) // long enough for every loop of asynq to complain
			if err := back(); err != nil {
				t.Fatal(err)
			}
			until(t, "the queue knows that Redis is back", func() bool { _, err := q.Stats(); return err == nil })
			again := many(20)
			for i := range again {
				again[i].Nth = 1
			}
			ring(t, q, again...)
			w.wait(t, 20)
			for what, want := range map[string]int{"does not answer": 1, "answers again": 1, "level=WARN": 0, "level=ERROR": 1} {
				if got := log.count(what); got != want {
					t.Errorf("%q is %d times in the log, want %d:\n%s", what, got, want, log.said())
				}
			}
		})
	}
}

// A process that starts while Redis is away starts, and works when Redis comes.
func TestQueue_StartsWithoutRedis(t *testing.T) {
	server, log := storetest.OwnRedis(t), &lines{}
	server.Stop()
	q, err := Open(Config{Redis: "redis://:secret@" + server.Addr, Concurrency: 10, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	q.Close()
	if log.count("does not answer") != 1 || log.count("secret") != 0 {
		t.Errorf("it says:\n%s", log.said())
	}
	q = mustOpen(t, "redis://"+server.Addr)
	w := work(t, q, nil)
	if err := q.Ring(t.Context(), many(1)); !errors.Is(err, ErrAway) {
		t.Errorf("got %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the queue knows that Redis is there", func() bool { return q.Ring(t.Context(), many(5)) == nil })
	w.wait(t, 5)
	until(t, "the worker is known", func() bool { p, err := q.Processes(); return err == nil && len(p) == 1 && p[0].AtOnce == 10 })
}

// Four processes on one Redis are together no faster than the sender, also while Redis is emptied again and again.
func TestRate_IsShared(t *testing.T) {
	const perSecond, seconds, processes, handlers = 40, 3, 4, 5
	for name, flushes := range map[string]int{"kept": 0, "emptied": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.OwnRedis(t)
			ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
			defer cancel()
			var passed atomic.Int64
			var all sync.WaitGroup
			for range processes {
				rate := mustOpen(t, "redis://"+server.Addr).Rate(perSecond)
				for range handlers {
					all.Go(func() {
						for rate.Wait(ctx, 2) == nil {
							passed.Add(2)
						}
					})
				}
			}
			for range flushes {
				time.Sleep(seconds * time.Second / time.Duration(flushes))
				mustFlush(t, server.Addr)
			}
			all.Wait()
			got := int(passed.Load())
			if most := perSecond * seconds; got > most+2 {
				t.Errorf("%d segments in %d s, at most %d may", got, seconds, most)
			}
			if least := perSecond * seconds * 8 / 10; flushes == 0 && got < least {
				t.Errorf("%d segments in %d s, which is slower than the sender by more than a busy machine explains", got, seconds)
			}
			t.Logf("%d segments in %d s", got, seconds)
		})
	}
}

// After a rest one second's worth may leave at once, and long texts get through too; without Redis nobody gets a token.
func TestRate_BurstAndLoss(t *testing.T) {
	server := storetest.OwnRedis(t)
	q := mustOpen(t, "redis://"+server.Addr)
	rate := q.Rate(10)
	if err := rate.Wait(t.Context(), 1); err != nil { // learns that the key is not there
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	other := mustOpen(t, "redis://"+server.Addr).Rate(10)
	began := time.Now()
	for range 10 {
		if err := other.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("one second's worth after a rest took %s", took)
	}
	began = time.Now()
	if err := other.Wait(t.Context(), 15); err != nil || time.Since(began) < time.Second {
		t.Errorf("a text of 15 segments after them took %s, %v", time.Since(began), err)
	}
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := rate.Wait(ctx, 1); err == nil || ctx.Err() != nil {
		t.Errorf("without Redis: %v", err)
	}
	if err := mustOpen(t, "").Rate(0).Wait(t.Context(), 1000); err != nil {
		t.Errorf("no limit: %v", err)
	}
}

// What is left in Redis of a whole round are ids and the rate.
func TestQueue_RedisHoldsIDsOnly(t *testing.T) {
	server := storetest.OwnRedis(t)
	q := mustOpen(t, "redis://"+server.Addr)
	ring(t, q, campaign.Ring{Message: 9234567, Attempt: 1, Nth: 2}, campaign.Ring{Message: 9234568, Attempt: 1})
	rate := q.Rate(10)
	w := work(t, q, func(r campaign.Ring) error {
		if err := rate.Wait(t.Context(), 1); err != nil || r.Message != 9234567 {
			return err
		}
		return errors.New("the text to Marigold +447700900123 was not sent")
	})
	w.wait(t, 2)
	until(t, "the failed one waits for another try", func() bool { s, err := q.Stats(); return err == nil && s.Retrying == 1 })
	w.stop()
	ctx := t.Context()
	keys, err := q.redis.Keys(ctx, "*").Result()
	if err != nil || len(keys) < 4 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	found := false
	for _, k := range keys {
		dump, err := q.redis.Dump(ctx, k).Result()
		if err != nil {
			t.Fatal(err)
		}
		found = found || strings.Contains(k+dump, "9234567:1:2")
		for _, secret := range []string{"Marigold", "7700900123", "not sent"} {
			if strings.Contains(k+dump, secret) {
				t.Errorf("%q is in Redis, in %q", secret, k)
			}
		}
	}
	if !found {
		t.Error("the ring itself was not found: this test would find nothing")
	}
}
