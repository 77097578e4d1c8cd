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
)

// tick measures one round of the pacer (snapshot, decide, release) with a long list against one with a short list: its cost must not
// grow with the list.
func (b *bench) tick(ctx context.Context) (r benchResult, err error) {
	short, long := 10_000, b.some(1_000_000, 100_000)
	few, err := b.ticks(ctx, short)
	if err != nil {
		return r, err
	}
	many, err := b.ticks(ctx, long)
	if err != nil {
		return r, err
	}
	r.Figures = []figure{
		{Name: fmt.Sprintf("one tick, list of %d", short), Value: quantile(few, .5), Unit: "ms"},
		{Name: fmt.Sprintf("one tick, list of %d", long), Value: quantile(many, .5), Unit: "ms"},
		{Name: fmt.Sprintf("one in ten, list of %d", long), Value: quantile(many, .9), Unit: "ms"},
		figure{Name: "ratio", Value: quantile(many, .5) / quantile(few, .5)}.atMost(1.5),
	}
	return r, nil
}

// ticks imports and launches a list of n rows and times the pacer's rounds, a civil minute apart.
func (b *bench) ticks(ctx context.Context, n int) (all []time.Duration, err error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	var minute atomic.Int64
	now := func() time.Time { return benchStart.Add(time.Duration(minute.Load()) * time.Minute) }
	db, err := openStore(ctx, dir, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return nil, err
	}
	began := time.Now()
	list := stream(n)
	defer list.Close()
	a, err := w.upload(ctx, list, nil)
	if err != nil {
		return nil, err
	}
	imported := time.Since(began)
	began = time.Now()
	if _, err := w.launch(ctx, a, campaign.Policy{Rate: 10}); err != nil {
		return nil, err
	}
	b.say("%d rows imported in %v, launched in %v", n, imported.Round(time.Second/10), time.Since(began).Round(time.Second/10))
	var bell heard
	pacer := benchPacer(db, &bell, b)
	runtime.GC()
	released := 0
	for range b.some(200, 60) {
		start := time.Now()
		k, err := pacer.Tick(ctx, now())
		if err != nil {
			return nil, err
		}
		all = append(all, time.Since(start))
		released += k
		minute.Add(1)
	}
	b.say("%d rounds released %d messages", len(all), released)
	return all, nil
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
