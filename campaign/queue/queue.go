package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/wellpaced/wellpaced/campaign"
)

// DefaultConcurrency is how many rings are answered at once. Ten segments a second keep about as many sends in flight.
const DefaultConcurrency = 20

// fetchers is how many asynq servers fetch from a Redis of its own.
const fetchers = 4

// DefaultIdle is how often an empty queue inside this process is looked at.
const DefaultIdle = 50 * time.Millisecond

const (
	queueName = "wellpaced"
	taskType  = "ring"
	// answerTimeout is when asynq stops waiting for a handler: longer than waiting for the sender's rate, sending and recording together.
	answerTimeout = time.Minute
	// shutdownTimeout is how long a stop waits for handlers: longer than a send may take after its claim.
	shutdownTimeout = 25 * time.Second
	maxRetry        = 3
	// pulse is how often a Redis of its own is asked whether it is there, and patience how long it may take over its answer.
	pulse    = time.Second
	patience = 2 * time.Second
	// recovery is for how many pulses after an outage asynq's loops still come home with failures of before.
	recovery = 15
)

// ErrAway says that Redis does not answer. Nothing is lost: the database knows what is to be rung for.
var ErrAway = errors.New("the Redis server does not answer: sending waits for it")

// Config of a queue.
type Config struct {
	// Redis is the server's URL (redis://, rediss://, redis-socket://, redis-sentinel://); "" means one inside this process.
	Redis       string
	Concurrency int // rings answered at once in this process, 0 means DefaultConcurrency
	// Idle is how often an empty queue inside this process is looked at, 0 means DefaultIdle. Looking costs a few per cent of a core
	// at 5 ms; only a demo, whose clock waits for the queue, is in such a hurry.
	Idle time.Duration
	Log  *slog.Logger
}

// Queue rings and answers. It is safe for concurrent use.
type Queue struct {
	cfg       Config
	opt       asynq.RedisConnOpt
	inspector *asynq.Inspector
	inside    *miniredis.Miniredis  // nil with a Redis of its own
	redis     redis.UniversalClient // nil inside this process
	closed    chan struct{}         // ends expire and watch
	watching  sync.WaitGroup
	ringers   int

	asking sync.Mutex // one at a time asks whether Redis is there
	away   atomic.Bool
	uneasy atomic.Int32 // pulses until asynq's complaints are heard again
	failed atomic.Bool  // the last ring could not be answered

	ringing sync.RWMutex // held for writing while client is replaced
	client  *asynq.Client
	rang    atomic.Bool // by this client; see renew

	mu     sync.Mutex
	flight map[string]struct{} // in-process only: rung and not answered yet
}

var _ campaign.Bell = (*Queue)(nil)

// Open starts a Redis inside this process, or gets to know one of its own. That one may be away: sending waits for it, and nobody else does.
func Open(cfg Config) (*Queue, error) {
	if cfg.Log == nil {
		return nil, errors.New("queue.Config.Log is not set")
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	q := &Queue{cfg: cfg, closed: make(chan struct{})}
	if cfg.Redis == "" {
		if err := q.openInside(); err != nil {
			return nil, fmt.Errorf("start the queue inside this process: %w", err)
		}
	} else if err := q.openOutside(); err != nil {
		return nil, err
	}
	q.client = asynq.NewClient(q.opt)
	q.inspector = asynq.NewInspector(q.opt)
	if q.inside == nil {
		client, ok := q.opt.MakeRedisClient().(redis.UniversalClient)
		if !ok {
			return nil, errors.New("--redis is not an address that can be used") // asynq itself would panic
		}
		q.redis = client
		q.Answers()
		q.watching.Go(q.watch)
	}
	return q, nil
}

// Answers asks whether Redis is there. When that changes it is said in the log, once.
func (q *Queue) Answers() bool {
	if q.inside != nil {
		return true
	}
	q.asking.Lock()
	defer q.asking.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- q.redis.Ping(ctx).Err() }()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done(): // the client tries again by itself, which takes it longer than we have
		err = ctx.Err()
	}
	was := q.away.Swap(err != nil)
	if err != nil {
		q.uneasy.Store(recovery)
	}
	switch {
	case err != nil && !was:
		q.cfg.Log.Error("the Redis server does not answer: sending waits, everything else goes on. Check the address and the password in --redis", "error", err)
	case err == nil && was:
		q.cfg.Log.Info("the Redis server answers again")
	}
	return err == nil
}

// watch takes the pulse of a Redis of its own.
func (q *Queue) watch() {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if n := q.uneasy.Load(); q.Answers() && n > 0 {
				q.uneasy.Store(n - 1)
			}
		case <-q.closed:
			return
		}
	}
}

func (q *Queue) openInside() error {
	m := miniredis.NewMiniRedis()
	password := rand.Text()
	m.RequireAuth(password) // other users of this computer can reach the port
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return err
	}
	q.inside, q.flight = m, map[string]struct{}{}
	go q.expire()
	q.opt = asynq.RedisClientOpt{Addr: m.Addr(), Password: password}
	q.ringers = 2 // it runs one script at a time, whoever asks
	return nil
}

// expire lets time pass in the Redis inside this process, where nothing would expire otherwise and asynq's records of itself would pile up.
// It has a clock of its own, but reads every key at every command to keep it.
func (q *Queue) expire() {
	const step = time.Second
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			q.inside.FastForward(step)
		case <-q.closed:
			return
		}
	}
}

func (q *Queue) openOutside() error {
	opt, err := asynq.ParseRedisURI(q.cfg.Redis)
	if err != nil {
		// The address holds a password: say nothing of it.
		return errors.New("--redis is not an address that can be used; write it like redis://:password@host:6379/0")
	}
	redis.SetLogger(silence{}) // it writes to stderr whenever it cannot connect
	// asynq drops the name of the user.
	if o, ok := opt.(asynq.RedisClientOpt); ok {
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = patience, patience, patience
		opt = o
		if u, err := url.Parse(q.cfg.Redis); err == nil && u.User != nil && o.Network != "unix" {
			o.Username = u.User.Username()
			opt = o
		}
	}
	q.opt, q.ringers = opt, 8
	return nil
}

// Close lets go of Redis. Work must have returned.
func (q *Queue) Close() {
	close(q.closed)
	q.watching.Wait()
	_ = q.client.Close()
	_ = q.inspector.Close()
	if q.inside != nil {
		q.inside.Close()
	}
	if q.redis != nil {
		_ = q.redis.Close()
	}
}

// Ring rings for each message. A ring that is already waiting counts as rung. After an error some may not have been rung; the pacer's
// repair finds them.
func (q *Queue) Ring(ctx context.Context, rings []campaign.Ring) error {
	if len(rings) == 0 {
		return nil
	}
	if q.away.Load() {
		return ErrAway // at once: who rings has a lease to keep
	}
	q.ringing.RLock()
	defer q.ringing.RUnlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan campaign.Ring)
	var wg sync.WaitGroup
	for range min(q.ringers, len(rings)) {
		wg.Go(func() {
			for r := range next {
				if err := q.ring(ctx, r); err != nil {
					cancel(err) // one is enough to know that Redis is in trouble
				}
			}
		})
	}
feed:
	for _, r := range rings {
		select {
		case next <- r:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	q.rang.Store(true)
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("ring for %d messages: %w", len(rings), err)
	}
	return nil
}

func (q *Queue) ring(ctx context.Context, r campaign.Ring) error {
	id := encode(r)
	added := q.takeOff(id) // before it is rung: the answer may be quicker than we are
	_, err := q.client.EnqueueContext(ctx, asynq.NewTask(taskType, []byte(id)),
		asynq.TaskID(id), asynq.Queue(queueName), asynq.MaxRetry(maxRetry), asynq.Timeout(answerTimeout), asynq.Retention(0))
	if err == nil {
		return nil
	}
	if added {
		q.land(id)
	}
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

func (q *Queue) takeOff(id string) (added bool) {
	if q.inside == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	_, there := q.flight[id]
	q.flight[id] = struct{}{}
	return !there
}

func (q *Queue) land(id string) {
	if q.inside == nil {
		return
	}
	q.mu.Lock()
	delete(q.flight, id)
	q.mu.Unlock()
}

// InFlight is how many rings wait or are being answered. In-process it is exact and costs nothing; otherwise it asks Redis, and 0 may mean that
// Redis does not answer.
func (q *Queue) InFlight() int {
	if q.inside == nil {
		s, err := q.Stats()
		if err != nil {
			return 0
		}
		return s.Waiting + s.Active + s.Retrying
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.flight)
}

// Waiting is how many rings are in the queue. Those in hand do not count: asynq can lose track of one for ever, and the
// pacer's repair must not wait for it.
func (q *Queue) Waiting(context.Context) (int, error) {
	s, err := q.Stats()
	return s.Waiting + s.Retrying, err
}

// Stats is how much there is in the queue.
type Stats struct {
	Waiting  int
	Active   int // in hand
	Retrying int
	Dead     int           // given up by asynq itself: a process died with them in hand, again and again
	Oldest   time.Duration // how long the first in line has waited
}

// Stats asks Redis.
func (q *Queue) Stats() (Stats, error) {
	if q.away.Load() {
		return Stats{}, ErrAway
	}
	info, err := q.inspector.GetQueueInfo(queueName)
	if err == nil {
		return Stats{Waiting: info.Pending, Active: info.Active, Retrying: info.Retry + info.Scheduled, Dead: info.Archived, Oldest: info.Latency}, nil
	}
	if names, err := q.inspector.Queues(); err == nil && !slices.Contains(names, queueName) {
		q.renew()
		return Stats{}, nil // nobody has rung yet, or Redis was emptied
	}
	return Stats{}, fmt.Errorf("ask the queue for its size: %w", err)
}

// Process answers rings somewhere.
type Process struct {
	Host    string
	PID     int
	AtOnce  int // rings answered at once
	Started time.Time
}

// Processes lists who answers rings, by their own word of the last seconds.
func (q *Queue) Processes() ([]Process, error) {
	if q.away.Load() {
		return nil, ErrAway
	}
	servers, err := q.inspector.Servers()
	if err != nil {
		return nil, fmt.Errorf("ask the queue who answers it: %w", err)
	}
	var all []Process
	for _, s := range servers { // one process may have several
		i := slices.IndexFunc(all, func(p Process) bool { return p.Host == s.Host && p.PID == s.PID })
		if i < 0 {
			i, all = len(all), append(all, Process{Host: s.Host, PID: s.PID, Started: s.Started})
		}
		all[i].AtOnce += s.Concurrency
		if s.Started.Before(all[i].Started) {
			all[i].Started = s.Started
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return cmp.Or(strings.Compare(a.Host, b.Host), a.PID-b.PID) })
	return all, nil
}

// renew makes rings countable again after Redis was emptied: an asynq client writes the queue's name once in its life, and without
// the name there is no asking for sizes.
func (q *Queue) renew() {
	q.ringing.Lock()
	defer q.ringing.Unlock()
	if !q.rang.Swap(false) {
		return
	}
	_ = q.client.Close()
	q.client = asynq.NewClient(q.opt)
}

// What is left in Redis of a ring that was not answered: a word, never the text of an error.
var (
	errAnswer = errors.New("answer_failed")
	errForged = fmt.Errorf("not_a_ring: %w", asynq.RevokeTask)
)

// Work answers rings until ctx ends, then waits for the answers in hand. An error of answer brings the ring back a few times; after
// that it is forgotten, and the pacer's repair rings again.
func (q *Queue) Work(ctx context.Context, answer func(context.Context, campaign.Ring) error) error {
	idle, forward, firstRetry := 200*time.Millisecond, time.Second, time.Second
	if q.inside != nil {
		idle, forward, firstRetry = cmp.Or(q.cfg.Idle, DefaultIdle), 50*time.Millisecond, 50*time.Millisecond
	}
	// An asynq server fetches rings one after the other, a round trip each: on a busy machine that, not the sending, sets the pace.
	// Several share the concurrency. Redis inside this process runs one command at a time, so there one is as good.
	servers := 1
	if q.inside == nil {
		servers = min(fetchers, q.cfg.Concurrency)
	}
	var stop sync.WaitGroup
	defer stop.Wait()
	for i := range servers {
		srv := asynq.NewServer(q.opt, asynq.Config{
			Concurrency:              (q.cfg.Concurrency + i) / servers, // they add up
			Queues:                   map[string]int{queueName: 1},
			TaskCheckInterval:        idle,
			DelayedTaskCheckInterval: forward,
			ShutdownTimeout:          shutdownTimeout,
			RetryDelayFunc:           func(n int, _ error, _ *asynq.Task) time.Duration { return firstRetry << min(n, 6) },
			Logger:                   logger{q},
			LogLevel:                 asynq.InfoLevel,
		})
		err := srv.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
			return q.handle(ctx, t, answer)
		}))
		if err != nil {
			return fmt.Errorf("start answering the queue: %w", err)
		}
		defer stop.Go(srv.Shutdown) // all at once: each waits for its own answers
	}
	<-ctx.Done()
	return nil
}

func (q *Queue) handle(ctx context.Context, t *asynq.Task, answer func(context.Context, campaign.Ring) error) (err error) {
	id := string(t.Payload())
	r, ok := decode(id)
	if !ok || t.Type() != taskType {
		q.cfg.Log.Warn("something in the queue is not a ring; dropped", "bytes", len(id))
		return errForged
	}
	defer func() {
		if p := recover(); p != nil {
			q.cfg.Log.Error("answering a ring panicked", "message", int64(r.Message), "attempt", r.Attempt, "panic", fmt.Sprintf("%T", p))
			err = errAnswer
		}
		done, _ := asynq.GetRetryCount(ctx)
		if err != nil && done >= maxRetry {
			err = fmt.Errorf("%w: %w", err, asynq.RevokeTask) // frees its id; asynq would keep it among the dead
		}
		if err == nil || errors.Is(err, asynq.RevokeTask) {
			q.land(id)
		}
	}()
	err = answer(ctx, r)
	was := q.failed.Swap(err != nil)
	if err == nil {
		if was {
			q.cfg.Log.Info("rings are answered again")
		}
		return nil
	}
	level := slog.LevelWarn
	if was || q.uneasy.Load() > 0 { // said already: a database that is away fails every ring there is
		level = slog.LevelDebug
	}
	q.cfg.Log.Log(ctx, level, "a ring could not be answered; it comes back, and so may others", "message", int64(r.Message), "attempt", r.Attempt, "error", err)
	return errAnswer
}

// encode writes a ring as message:attempt:nth, which is its id in Redis and its payload as well.
func encode(r campaign.Ring) string {
	return strconv.FormatInt(int64(r.Message), 10) + ":" + strconv.Itoa(r.Attempt) + ":" + strconv.Itoa(r.Nth)
}

// decode takes exactly what encode writes.
func decode(s string) (campaign.Ring, bool) {
	parts := strings.Split(s, ":")
	if len(s) > 64 || len(parts) != 3 {
		return campaign.Ring{}, false
	}
	message, err1 := strconv.ParseInt(parts[0], 10, 64)
	attempt, err2 := strconv.Atoi(parts[1])
	nth, err3 := strconv.Atoi(parts[2])
	r := campaign.Ring{Message: campaign.MessageID(message), Attempt: attempt, Nth: nth}
	return r, err1 == nil && err2 == nil && err3 == nil && message > 0 && attempt >= 0 && nth >= 0 && encode(r) == s
}

// silence is the log of a Redis client: that Redis is away is said once, by [Queue.Answers].
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// logger hands asynq's words to slog. What asynq calls information is about itself: debugging to us. Its complaints are mostly that Redis is
// away, each loop of each server every few seconds; that is said once, by [Queue.Answers].
type logger struct{ q *Queue }

func (l logger) Debug(...any)      {}
func (l logger) Info(args ...any)  { l.q.cfg.Log.Debug("queue", "asynq", fmt.Sprint(args...)) }
func (l logger) Warn(args ...any)  { l.complain(slog.LevelInfo, args) }
func (l logger) Error(args ...any) { l.complain(slog.LevelWarn, args) }
func (l logger) Fatal(args ...any) { l.q.cfg.Log.Error("queue", "asynq", fmt.Sprint(args...)) }

func (l logger) complain(level slog.Level, args []any) {
	if l.q.uneasy.Load() > 0 || !l.q.Answers() || l.q.uneasy.Load() > 0 { // who asks may wait for one who learns it
		level = slog.LevelDebug
	}
	l.q.cfg.Log.Log(context.Background(), level, "queue", "asynq", fmt.Sprint(args...))
}
