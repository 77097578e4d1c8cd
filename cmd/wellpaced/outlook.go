package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// outlooks forecast by when somebody who asks for help now will be called. A team is read once a minute, not for each form: when many
// come at once, which is when the date matters, reading would hold them all up. Those who came since are counted as waiting too.
type outlooks struct {
	mu sync.Mutex
	by map[staff.TeamID]*outlook
}

type outlook struct {
	minute int64 // civil, unix
	snap   campaign.Snapshot
	since  int       // forms
	told   time.Time // the date for the last whole ten of them
}

// tellEvery is how many forms get the same date: one more in the queue hardly moves it.
const tellEvery = 10

func (o *outlooks) contactBy(team staff.TeamID, now time.Time, read func(context.Context, staff.TeamID) (campaign.Snapshot, error)) (time.Time, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	minute := now.Unix() / 60
	at := o.by[team]
	if at == nil || at.minute != minute {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		snap, err := read(ctx, team)
		if err != nil {
			return time.Time{}, err
		}
		at = &outlook{minute: minute, snap: snap}
		if o.by == nil {
			o.by = map[staff.TeamID]*outlook{}
		}
		o.by[team] = at
	}
	if at.since%tellEvery == 0 {
		state := at.snap.State
		state.Waiting += at.since
		at.told = throttle.ContactBy(now, at.snap.Policy, state)
	}
	at.since++
	return at.told, nil
}

// pacing is what the capacity page reckons with: the very snapshot from which the pacer decides, with the campaigns' names.
func (a *app) pacing(ctx context.Context, team staff.TeamID) (referdesk.Pacing, error) {
	snap, err := a.db.Snapshot(ctx, team)
	if err != nil {
		return referdesk.Pacing{}, err
	}
	p := referdesk.Pacing{Policy: snap.Policy, State: snap.State, Names: map[string]string{}}
	for _, c := range snap.Policy.Campaigns {
		id, err := strconv.ParseInt(c.ID, 10, 64)
		if err != nil {
			return p, fmt.Errorf("read the id of a campaign: %w", err)
		}
		named, err := a.db.Campaign(ctx, snap.Team.Network, campaign.ID(id))
		if err != nil {
			return p, fmt.Errorf("read the name of campaign %d: %w", id, err)
		}
		p.Names[c.ID] = named.Name
	}
	return p, nil
}
