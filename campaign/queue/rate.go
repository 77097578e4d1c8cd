package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/throttle/limit"
)

// Rate is the sender's rate in segments per second, kept by all processes on one Redis together; 0 or less means no limit. Inside this process
// it is a [limit.Pacer]. Losing Redis cannot speed it up: without Redis nobody gets a token, and an emptied one starts with an empty bucket.
func (q *Queue) Rate(segmentsPerSecond float64) campaign.Tokens {
	own := limit.NewPacer(segmentsPerSecond)
	if q.inside != nil || segmentsPerSecond <= 0 {
		return own
	}
	return &sharedRate{q: q, own: own, every: float64(time.Second/time.Microsecond) / segmentsPerSecond, burst: max(1, int(segmentsPerSecond)), turn: make(chan struct{}, 1)}
}

// sharedRate is limit.Spend with its state in Redis, on the clock of Redis: those of the processes may differ.
type sharedRate struct {
	q     *Queue
	own   *limit.Pacer  // the floor under Redis: no process alone is faster, whatever Redis says
	every float64       // microseconds of one segment
	burst int           // segments: one second's worth
	turn  chan struct{} // one of this process asks at a time, so that few ask in vain
}

// rateKey holds when the bucket is full again, in microseconds.
const rateKey = "wellpaced:rate"

// spend answers 0 if so many may leave, else after how many microseconds to ask again; nothing is taken then, so that who dies waiting takes no
// token along. A lost key is an empty bucket, and is written at once so that it fills.
var spend = redis.NewScript(`
	local clock = redis.call('TIME')
	local now = clock[1] * 1000000 + clock[2]
	local every, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
	local most = now + burst * every
	local full = tonumber(redis.call('GET', KEYS[1]) or '') or most
	full = math.max(now, math.min(most, full))
	local after = full + n * every
	if after <= most then full = after end
	redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', 600000)
	return math.ceil(math.max(0, after - most))
`)

// Wait blocks until n segments may leave.
func (r *sharedRate) Wait(ctx context.Context, n int) error {
	if err := r.own.Wait(ctx, n); err != nil {
		return err
	}
	for ; n > 0; n -= r.burst { // also texts that are longer than one second's worth
		if err := r.take(ctx, min(n, r.burst)); err != nil {
			return err
		}
	}
	return nil
}

func (r *sharedRate) take(ctx context.Context, n int) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		if r.q.away.Load() {
			return ErrAway
		}
		micros, err := spend.Run(ctx, r.q.redis, []string{rateKey}, r.every, r.burst, n).Int64()
		if err != nil {
			return fmt.Errorf("ask Redis for the sender's rate: %w", err)
		}
		if micros == 0 {
			return nil
		}
		wait := time.NewTimer(time.Duration(micros) * time.Microsecond)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}
