package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
)

const (
	// deskRate is how many pages are asked for in a second: a hundred link workers who open forty pages a day, and all of them in one minute.
	deskRate = 60
	// deskRacers claim the same referral at the same time.
	deskRacers = 100
)

// load asks for all pages in turn at a steady rate, whether or not the ones before have come: what waits behind a slow page waits in the figures too.
func (s deskSite) load(ctx context.Context, pages []deskPage, lasts time.Duration) ([]figure, error) {
	var mu sync.Mutex
	i := 0
	next := func(t *vegeta.Target) error {
		mu.Lock()
		defer mu.Unlock()
		p := pages[i%len(pages)]
		t.Method, t.URL, t.Header = http.MethodGet, s.at+p.path(i), http.Header{"Authorization": {"Bearer " + s.tokens[i%len(s.tokens)]}}
		if p.body != nil {
			t.Method, t.Body = http.MethodPost, []byte(p.body(i))
			t.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		i++
		return nil
	}
	attack := vegeta.NewAttacker(vegeta.Client(s.client), vegeta.MaxBody(0))
	var m vegeta.Metrics
	refused := map[uint16]int{}
	for r := range attack.Attack(next, vegeta.Rate{Freq: deskRate, Per: time.Second}, lasts, "desk") {
		if ctx.Err() != nil {
			attack.Stop()
		}
		if m.Add(r); r.Code != http.StatusOK {
			refused[r.Code]++
		}
	}
	m.Close()
	if len(refused) > 0 {
		return nil, fmt.Errorf("pages under load: status by number %v: %v", refused, m.Errors)
	}
	return []figure{
		{Name: fmt.Sprintf("at %d pages a second, half", deskRate), Value: ms(m.Latencies.P50), Unit: "ms"},
		figure{Name: fmt.Sprintf("at %d pages a second, 99 in 100", deskRate), Value: ms(m.Latencies.P99), Unit: "ms"}.atMost(100),
	}, ctx.Err()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// races lets a hundred link workers claim the same referral at the same time, again and again.
func (b *bench) races(ctx context.Context, db *store.DB, s deskSite, w benchWorld, rounds int) ([]figure, error) {
	tokens := make([]string, deskRacers)
	for i := range tokens {
		a, err := db.CreateAccount(ctx, staff.Account{Network: w.network.ID, Team: w.team.ID, Email: fmt.Sprintf("racer%d@bench.test", i), Name: "Racer", Role: staff.LinkWorker}, "")
		if err != nil {
			return nil, err
		}
		if tokens[i], err = db.StartSession(ctx, a.ID, store.SessionAPI, "bench", time.Hour); err != nil {
			return nil, err
		}
	}
	free, err := db.Queue(ctx, selfrefer.Filter{Network: w.network.ID, Team: w.team.ID, State: string(selfrefer.New), Limit: rounds})
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: deskRacers}}
	defer client.CloseIdleConnections()
	var waits []time.Duration
	lost := 0
	for _, r := range free {
		status := make([]int, deskRacers)
		_, each, err := clients(deskRacers, deskRacers, func(i int) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/api/v1/referrals/%d/claim", s.at, r.ID), bytes.NewReader([]byte("{}")))
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer "+tokens[i])
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			status[i] = resp.StatusCode
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("race for a referral: %w", err)
		}
		waits = append(waits, each...)
		won := 0
		for _, code := range status {
			switch code {
			case http.StatusOK:
				won++
			case http.StatusConflict:
			default:
				lost++
			}
		}
		if won != 1 {
			return nil, fmt.Errorf("%d of %d have won the same referral", won, deskRacers)
		}
	}
	if len(free) < rounds {
		return nil, errors.New("there are too few referrals that nobody has claimed")
	}
	b.say("%d races of %d for a referral each: one winner each", rounds, deskRacers)
	return []figure{
		figure{Name: "claims that were told neither that they have won nor who has", Value: float64(lost)}.atMost(0),
		{Name: fmt.Sprintf("a claim of %d at a time, 99 in 100", deskRacers), Value: quantile(waits, .99), Unit: "ms"},
	}, nil
}
