package campaign

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Snapshot is one consistent reading of a team: what people decided and what happened.
type Snapshot struct {
	Team   staff.Team
	Policy throttle.TeamPolicy
	State  throttle.TeamState
}

// Releaser is the store's side of pacing.
type Releaser interface {
	// Lead takes or keeps the leader's lease and returns its epoch; ok is false while another process leads.
	Lead(ctx context.Context, holder string, lease time.Duration) (epoch int64, ok bool, err error)
	// Teams lists the teams that have a campaign running or paused.
	Teams(ctx context.Context) ([]staff.TeamID, error)
	// Snapshot reads one team.
	Snapshot(ctx context.Context, team staff.TeamID) (Snapshot, error)
	// Release writes the decisions and moves the next messages of each from planned to released, in the campaign's order, in one
	// transaction guarded by the epoch. It returns the rings for what it released.
	Release(ctx context.Context, epoch int64, ds []throttle.Decision) ([]Ring, error)
	// Recall moves released messages back to planned where the campaign may not send now: paused, held, braked, window closed, over.
	Recall(ctx context.Context, epoch int64) (int, error)
	// Overdue lists the rings of messages that were released before the instant (machine time) and never claimed: their bell was lost.
	Overdue(ctx context.Context, before time.Time, limit int) ([]Ring, error)
	// OverdueServices does the same for service texts, releases those whose refusal has passed, and lets those expire that are of no use any more.
	OverdueServices(ctx context.Context, before time.Time, limit int) ([]Ring, error)
	// TellLate owes a text to whoever will not be called by the day that they were told, and gives the rings.
	TellLate(ctx context.Context) ([]Ring, error)
	// Correct goes on with the corrections that are under way, and gives the rings.
	Correct(ctx context.Context) ([]Ring, error)
	// Finish ends campaigns that have nothing left to do, and expires what is past the last date.
	Finish(ctx context.Context, epoch int64) error
}

// Bell rings the queue. A ring that is lost is rung again later; a ring that is doubled does nothing.
type Bell interface {
	Ring(ctx context.Context, rings []Ring) error
	// Waiting is how many rings nobody has answered yet.
	Waiting(ctx context.Context) (int, error)
}

// Pacer decides how many may go. One leads at a time; the epoch guards the rest.
type Pacer struct {
	Store   Releaser
	Bell    Bell
	Holder  string // names this process in the lease
	Machine func() time.Time
	Log     *slog.Logger
	// Quarantined, if set, keeps the pacer from releasing anything while it answers true: a restored database must first learn what left.
	Quarantined func() bool
}

const (
	leaderLease = 15 * time.Second
	// reRing is how long a released message may wait for its bell.
	reRing = 30 * time.Second
	// reRingService is the same for a service text while the queue is long: somebody waits for it, and its first ring may still come up.
	reRingService = 2 * time.Minute
	// ringsAtOnce bounds one repair round.
	ringsAtOnce = 2000
)

// Tick makes one round at civil time now and returns how many messages it released.
func (p *Pacer) Tick(ctx context.Context, now time.Time) (released int, err error) {
	epoch, leads, err := p.Store.Lead(ctx, p.Holder, leaderLease)
	if err != nil {
		return 0, fmt.Errorf("take the lead: %w", err)
	}
	if !leads || (p.Quarantined != nil && p.Quarantined()) { // the store refuses too; this spares the deciding
		return 0, nil
	}
	if _, err := p.Store.Recall(ctx, epoch); err != nil {
		return 0, fmt.Errorf("recall released messages: %w", err)
	}
	teams, err := p.Store.Teams(ctx)
	if err != nil {
		return 0, fmt.Errorf("list teams: %w", err)
	}
	for _, team := range teams {
		snap, err := p.Store.Snapshot(ctx, team)
		if err != nil {
			return released, fmt.Errorf("read team %d: %w", team, err)
		}
		rings, err := p.Store.Release(ctx, epoch, throttle.Decide(now, snap.Policy, snap.State))
		if err != nil {
			return released, fmt.Errorf("release for team %d: %w", team, err)
		}
		released += len(rings)
		if err := p.Bell.Ring(ctx, rings); err != nil {
			// Not lost: Overdue finds them.
			p.Log.Warn("ring the queue", "messages", len(rings), "error", err)
		}
	}
	if err := p.Store.Finish(ctx, epoch); err != nil {
		return released, fmt.Errorf("finish campaigns: %w", err)
	}
	late, err := p.Store.TellLate(ctx)
	if err != nil {
		return released, fmt.Errorf("tell who waits for longer: %w", err)
	}
	if err := p.Bell.Ring(ctx, late); err != nil {
		p.Log.Warn("ring the queue; it is rung again", "service_texts", len(late), "error", err)
	}
	corrected, err := p.Store.Correct(ctx)
	if err != nil {
		return released, fmt.Errorf("go on with corrections: %w", err)
	}
	if err := p.Bell.Ring(ctx, corrected); err != nil {
		p.Log.Warn("ring the queue; it is rung again", "corrections", len(corrected), "error", err)
	}
	return released, nil
}

// Repair rings again for released messages whose bell was lost: an emptied Redis, a crash between commit and ring. While rings
// still wait, the queue is merely long; only service texts are rung for then.
func (p *Pacer) Repair(ctx context.Context) error {
	waiting, err := p.Bell.Waiting(ctx)
	if err != nil {
		return err
	}
	after := reRing
	if waiting > 0 {
		after = reRingService
	}
	services, err := p.Store.OverdueServices(ctx, p.Machine().Add(-after), ringsAtOnce)
	if err != nil {
		return fmt.Errorf("list service texts to ring for: %w", err)
	}
	if err := p.Bell.Ring(ctx, services); err != nil {
		return fmt.Errorf("ring again for %d service texts: %w", len(services), err)
	}
	if waiting > 0 {
		return nil
	}
	rings, err := p.Store.Overdue(ctx, p.Machine().Add(-reRing), ringsAtOnce)
	if err != nil {
		return fmt.Errorf("list lost rings: %w", err)
	}
	if len(rings) == 0 {
		return nil
	}
	if err := p.Bell.Ring(ctx, rings); err != nil {
		return fmt.Errorf("ring again for %d messages: %w", len(rings), err)
	}
	return nil
}

// Rebuild rings for everything that is released. A queue inside the process is empty at boot, and nobody should wait for its repair.
func (p *Pacer) Rebuild(ctx context.Context) error {
	for before := p.Machine(); ; {
		rings, err := p.Store.OverdueServices(ctx, before, ringsAtOnce)
		if err != nil {
			return fmt.Errorf("list released service texts: %w", err)
		}
		more, err := p.Store.Overdue(ctx, before, ringsAtOnce)
		if err != nil {
			return fmt.Errorf("list released messages: %w", err)
		}
		rings = append(rings, more...)
		if len(rings) == 0 {
			return nil
		}
		if err := p.Bell.Ring(ctx, rings); err != nil {
			return fmt.Errorf("ring for %d messages: %w", len(rings), err)
		}
	}
}
