package main

import (
	"context"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
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
