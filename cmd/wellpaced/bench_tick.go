package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/store"
)

// tick measures one round of the pacer (snapshot, decide, release) with a long list against one with a short list: its cost must not
// grow with the list. A round ends in a durable commit, and what the disk takes for one changes from minute to minute: the two lists
// take turns, so that both meet the same disk.
func (b *bench) tick(ctx context.Context) (r benchResult, err error) {
	lists := []*paced{{rows: 10_000}, {rows: b.some(1_000_000, 100_000)}}
	defer func() {
		for _, l := range lists {
			if l.db != nil {
				err = errors.Join(err, l.db.Close())
			}
		}
	}()
	for _, l := range lists {
		if err := b.launch(ctx, l); err != nil {
			return r, err
		}
	}
	runtime.GC()
	for range b.some(200, 60) {
		for _, l := range lists {
			if err := l.round(ctx); err != nil {
				return r, err
			}
		}
	}
	for _, l := range lists {
		b.say("%d rounds released %d messages of %d", len(l.took), l.released, l.rows)
	}
	short, long := lists[0], lists[1]
	r.Figures = []figure{
		{Name: fmt.Sprintf("one tick, list of %d", short.rows), Value: quantile(short.took, .5), Unit: "ms"},
		{Name: fmt.Sprintf("one tick, list of %d", long.rows), Value: quantile(long.took, .5), Unit: "ms"},
		{Name: fmt.Sprintf("one in ten, list of %d", long.rows), Value: quantile(long.took, .9), Unit: "ms"},
		figure{Name: "ratio", Value: quantile(long.took, .5) / quantile(short.took, .5)}.atMost(1.5),
	}
	return r, nil
}

// paced is a list that was launched and is being paced, a civil minute a round.
type paced struct {
	rows     int
	db       *store.DB
	pacer    *campaign.Pacer
	minute   atomic.Int64
	bell     heard
	took     []time.Duration
	released int
}

func (p *paced) now() time.Time { return benchStart.Add(time.Duration(p.minute.Load()) * time.Minute) }

func (p *paced) round(ctx context.Context) error {
	start := time.Now()
	n, err := p.pacer.Tick(ctx, p.now())
	if err != nil {
		return err
	}
	p.took = append(p.took, time.Since(start))
	p.released += n
	p.minute.Add(1)
	return nil
}

// launch imports and launches a list.
func (b *bench) launch(ctx context.Context, p *paced) error {
	dir, err := b.folder()
	if err != nil {
		return err
	}
	if p.db, err = openStore(ctx, dir, p.now); err != nil {
		return err
	}
	w, err := settle(ctx, p.db, "https://bench.test")
	if err != nil {
		return err
	}
	began := time.Now()
	list := stream(p.rows)
	defer list.Close()
	a, err := w.upload(ctx, list, nil)
	if err != nil {
		return err
	}
	imported := time.Since(began)
	began = time.Now()
	if _, err := w.launch(ctx, a, campaign.Policy{Rate: 10}); err != nil {
		return err
	}
	b.say("%d rows imported in %v, launched in %v", p.rows, imported.Round(time.Second/10), time.Since(began).Round(time.Second/10))
	p.pacer = benchPacer(p.db, &p.bell, b)
	return nil
}

// demo times six weeks of the demo.
func (b *bench) demo(ctx context.Context) (r benchResult, err error) {
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	people, days := b.some(52_000, 5_000), b.some(42, 7)
	began := time.Now()
	out, err := b.self(ctx, "demo", "--headless", "--patients", fmt.Sprint(people), "--days", fmt.Sprint(days), "--json", "--data", dir+"/data", "--keys", dir+"/keys")
	if err != nil {
		return r, err
	}
	took := time.Since(began)
	var summary map[string]any
	if err := json.Unmarshal(out, &summary); err != nil {
		return r, fmt.Errorf("read what the demo prints: %w", err)
	}
	r.Figures = []figure{figure{Name: fmt.Sprintf("%d patients, %d days", people, days), Value: took.Minutes(), Unit: "min"}.atMost(5)}
	for _, name := range []string{"texts", "referrals", "numbers_texted_twice", "late_percent"} {
		if v, ok := summary[name].(float64); ok {
			r.Figures = append(r.Figures, figure{Name: name, Value: v})
		}
	}
	return r, nil
}
