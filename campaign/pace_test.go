package campaign

import (
	"context"
	"errors"
	"testing"
	"time"
)

// released holds so many released messages, none of them rung since the process began.
type released struct {
	Releaser
	n      int
	before time.Time

	services      int
	beforeService time.Time
}

func (r *released) OverdueServices(_ context.Context, before time.Time, limit int) (rings []Ring, err error) {
	r.beforeService = before
	for ; r.services > 0 && len(rings) < limit; r.services-- {
		rings = append(rings, Ring{Message: MessageID(1<<52 + r.services)})
	}
	return rings, nil
}

func (r *released) Overdue(_ context.Context, before time.Time, limit int) (rings []Ring, err error) {
	r.before = before
	for ; r.n > 0 && len(rings) < limit; r.n-- {
		rings = append(rings, Ring{Message: MessageID(r.n)})
	}
	return rings, nil
}

type bell struct {
	waiting, rung int
	err           error
}

func (b *bell) Waiting(context.Context) (int, error) { return b.waiting, nil }

func (b *bell) Ring(_ context.Context, rings []Ring) error {
	b.rung += len(rings)
	return b.err
}

// Rebuild rings for all that is released, at once; Repair only for what has waited, and only while nothing waits in the queue.
func TestPacer_ringsAgain(t *testing.T) {
	now := time.Date(2026, 6, 2, 9, 0, 0, 0, time.UTC)
	pacer := func(n int, b *bell) (*Pacer, *released) {
		r := &released{n: n}
		return &Pacer{Store: r, Bell: b, Machine: func() time.Time { return now }}, r
	}
	b := &bell{}
	p, r := pacer(2*ringsAtOnce+1, b)
	if err := p.Rebuild(t.Context()); err != nil || b.rung != 2*ringsAtOnce+1 || !r.before.Equal(now) {
		t.Errorf("rebuild rang %d times for what was released before %s: %v", b.rung, r.before, err)
	}
	b = &bell{}
	p, r = pacer(2, b)
	if err := p.Repair(t.Context()); err != nil || b.rung != 2 || now.Sub(r.before) != reRing {
		t.Errorf("repair rang %d times for what was released before %s: %v", b.rung, r.before, err)
	}
	b = &bell{waiting: 1}
	p, _ = pacer(2, b)
	if err := p.Repair(t.Context()); err != nil || b.rung != 0 {
		t.Errorf("repair rang %d times while the queue was merely long: %v", b.rung, err)
	}
	// Somebody has just pressed Send: a text back is not kept waiting for that.
	p, r = pacer(2, b)
	r.services = 3
	if err := p.Repair(t.Context()); err != nil || b.rung != 3 || now.Sub(r.beforeService) != reRingService {
		t.Errorf("repair rang %d times for service texts released before %s: %v", b.rung, r.beforeService, err)
	}
	p, r = pacer(2, &bell{})
	if err := p.Repair(t.Context()); err != nil || now.Sub(r.beforeService) != reRing {
		t.Errorf("with nothing waiting, repair rang for service texts released before %s: %v", r.beforeService, err)
	}
	b = &bell{}
	p, r = pacer(2, b)
	r.services = 3
	if err := p.Rebuild(t.Context()); err != nil || b.rung != 5 || !r.beforeService.Equal(now) {
		t.Errorf("rebuild rang %d times: %v", b.rung, err)
	}
	broken := errors.New("no Redis")
	p, _ = pacer(2, &bell{err: broken})
	if err := p.Rebuild(t.Context()); !errors.Is(err, broken) {
		t.Errorf("a bell that fails: %v", err)
	}
}
