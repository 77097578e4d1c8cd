package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/town"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

const (
	// hourWorld is the afternoon that it all began with: 80 forms in the first hour. Here a hundred times as many people come.
	hourWorld = "01-knowsley"
	// hourHaste is how much faster than in earnest the hour goes by: it takes a minute, and so do people read and write.
	hourHaste = 60
	// pageTime is how long somebody has a page before them, on the average, before the haste.
	pageTime = 15 * time.Second
)

// hour measures whole forms over HTTP, every page as a browser asks for it, in the hour after very many people were texted at once. The site
// is a process of its own, as in earnest; then another process, which knows nothing but each page's bytes, answers the very same requests at
// the same times.
func (b *bench) hour(ctx context.Context) (r benchResult, err error) {
	n := b.some(8000, 1000)
	hour := time.Hour * time.Duration(n) / 8000 / hourHaste // fewer people come as thick and fast, for a shorter time
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	visitors, err := b.visitors(ctx, dir, n, hour)
	if err != nil {
		return r, fmt.Errorf("text people: %w", err)
	}
	ours, err := b.play(ctx, "site", dir, visitors, hour)
	if err != nil {
		return r, err
	}
	kept, err := formsKept(ctx, dir)
	if err != nil {
		return r, fmt.Errorf("count the forms: %w", err)
	}
	if kept > n {
		return r, fmt.Errorf("%d people sent a form each, and the database has %d", n, kept)
	}
	if err := ours.taken.save(filepath.Join(dir, bareAnswers)); err != nil {
		return r, err
	}
	bare, err := b.play(ctx, "bare", dir, visitors, hour)
	if err != nil {
		return r, fmt.Errorf("bare handler: %w", err)
	}
	all, send := ours.all(), ours.waits["POST send"]
	theirs := bare.all()
	each := func(p played) float64 { return 1000 * p.site.Seconds() / float64(max(1, p.requests())) }
	r.Figures = []figure{
		{Name: "forms sent", Value: float64(ours.sent)},
		figure{Name: "of them in the database, or more", Value: float64(kept)}.atLeast(float64(ours.sent)),
		{Name: "requests per second", Value: rate(ours.requests(), ours.took)},
		figure{Name: "errors and answers that were not expected", Value: float64(ours.errors)}.atMost(0),
		{Name: "any page, half of them", Value: quantile(all, .5), Unit: "ms"},
		figure{Name: "any page, 99 in 100", Value: quantile(all, .99), Unit: "ms"}.atMost(200),
		{Name: "send, half of them", Value: quantile(send, .5), Unit: "ms"},
		figure{Name: "send, 99 in 100", Value: quantile(send, .99), Unit: "ms"}.atMost(200),
		{Name: "processor of the site, per request", Value: each(ours), Unit: "ms"},
		{Name: "processor of a bare handler, per request", Value: each(bare), Unit: "ms"},
		{Name: "ratio of the processor's time", Value: each(ours) / each(bare)},
		{Name: "bare page, half of them", Value: quantile(theirs, .5), Unit: "ms"},
		{Name: "bare page, 99 in 100", Value: quantile(theirs, .99), Unit: "ms"},
		{Name: "ratio of the wait, half of them", Value: quantile(all, .5) / quantile(theirs, .5)},
		{Name: "ratio of the wait, 99 in 100", Value: quantile(all, .99) / quantile(theirs, .99)},
		{Name: "people who came late because this program was busy, 99 in 100 by", Value: quantile(ours.late, .99), Unit: "ms"},
		{Name: "share of the processor that the people took", Value: 100 * ours.client.Seconds() / (ours.client + ours.site).Seconds(), Unit: "%"},
		{Name: "of the computer’s processors, busy with both", Value: 100 * (ours.client + ours.site).Seconds() / ours.took.Seconds() / float64(runtime.NumCPU()), Unit: "%"},
	}
	for _, page := range slices.Sorted(maps.Keys(ours.waits)) {
		waits := ours.waits[page]
		r.Figures = append(r.Figures, figure{Name: page + ", half of " + strconv.Itoa(len(waits)), Value: quantile(waits, .5), Unit: "ms"},
			figure{Name: page + ", 99 in 100", Value: quantile(waits, .99), Unit: "ms"})
	}
	r.Notes = append(ours.mishaps, bare.mishaps...)
	return r, nil
}

// visitors texts people, and draws for each when they come, in which language, and what they write.
func (b *bench) visitors(ctx context.Context, dir string, n int, hour time.Duration) (all []*visitor, err error) {
	now := fastClock(1)
	db, err := openStore(ctx, dir, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return nil, err
	}
	texts, err := b.texted(ctx, w, n, now)
	if err != nil {
		return nil, err
	}
	world, err := sim.LoadWorld(hourWorld)
	if err != nil {
		return nil, err
	}
	born := map[string]time.Time{}
	for i := range n*11/10 + 100 {
		born["+44"+benchMobile(i)] = benchBirth(i)
	}
	for i, t := range texts {
		rng := rand.New(rand.NewPCG(8000, uint64(i)))
		delay := 2.
		for delay >= 1 { // those of the first hour
			delay = world.Delay(rng)
		}
		code := lang.English
		if rng.IntN(10) < 3 { // more than in an English town: each of the languages is to be seen
			code = lang.All[1+rng.IntN(len(lang.All)-1)].Code
		}
		v := &visitor{base: link.URL("", t.token), at: time.Duration(delay * float64(hour)), accept: string(code) + ",en;q=0.5", answers: hourAnswers(rng, code, born[t.number])}
		for range 64 {
			v.pauses = append(v.pauses, time.Duration(rng.ExpFloat64()*float64(pageTime/hourHaste)))
		}
		all = append(all, v)
	}
	return all, nil
}

// hourAnswers are those of most people; some write to us in the usual other ways.
func hourAnswers(rng *rand.Rand, code lang.Code, born time.Time) url.Values {
	a := url.Values{"danger": {"no"}, "for_other": {"no"}, "reasons": {"loneliness", "money"}, "words": {town.Wish(rng, code)}, "channel": {"call"}, "when": {"mornings"},
		"days": {"monday", "tuesday"}, "call_safe": {"yes"}, "text_safe": {"yes"}, "message_safe": {"no"}, "language": {"English"}, "agreed": {"yes"},
		"birth_date-day": {strconv.Itoa(born.Day())}, "birth_date-month": {strconv.Itoa(int(born.Month()))}, "birth_date-year": {strconv.Itoa(born.Year())}}
	switch rng.IntN(50) {
	case 0:
		a.Set("words", town.Cry(rng, code))
	case 1, 2:
		a.Set("channel", "email")
		a.Set("email", "somebody@example.org")
	case 3, 4:
		for name, value := range map[string]string{"for_other": "yes", "name": "Sam Roe", "helper": "Kim Roe", "helper_is": "daughter", "helper_phone": "07700 900123"} {
			a.Set(name, value)
		}
	}
	return a
}

// played is what came of an hour.
type played struct {
	waits        map[string][]time.Duration // by method and page
	late         []time.Duration            // how much later than drawn people came
	took         time.Duration
	site, client time.Duration // of the processor
	sent, errors int
	mishaps      []string
	taken        answersTaken
}

func (p played) all() []time.Duration { return slices.Concat(slices.Collect(maps.Values(p.waits))...) }

func (p played) requests() (n int) {
	for _, w := range p.waits {
		n += len(w)
	}
	return n
}

// play lets all visitors come to a process that serves.
func (b *bench) play(ctx context.Context, what, dir string, visitors []*visitor, hour time.Duration) (p played, err error) {
	address, stop, err := b.serving(ctx, what, dir)
	if err != nil {
		return p, err
	}
	stopped := false
	defer func() {
		if !stopped {
			_, e := stop()
			err = errors.Join(err, e)
		}
	}()
	crowd := newCrowd("http://"+address, what == "bare")
	runtime.GC()
	before, began := processorTime(), time.Now()
	end := make(chan struct{})
	go func() {
		for tick := time.NewTicker(max(hour/4, time.Second)); ; {
			select {
			case <-end:
				tick.Stop()
				return
			case <-tick.C:
				sent, errs := crowd.soFar()
				b.say("%s: after %.0f s, %d forms sent, %d errors", what, time.Since(began).Seconds(), sent, errs)
			}
		}
	}()
	var everybody sync.WaitGroup
	for _, v := range visitors {
		everybody.Go(func() {
			wait := time.NewTimer(v.at - time.Since(began))
			defer wait.Stop()
			select {
			case <-ctx.Done():
			case <-wait.C:
				crowd.comes(ctx, v, time.Since(began)-v.at)
			}
		})
	}
	everybody.Wait()
	close(end)
	p = crowd.played
	p.took, p.client = time.Since(began), processorTime()-before
	if err := ctx.Err(); err != nil {
		return p, err
	}
	stopped = true
	p.site, err = stop()
	return p, err
}

// serving starts this program again as the process that serves. stop ends it and tells how much of the processor it has used.
func (b *bench) serving(ctx context.Context, what, dir string) (address string, stop func() (time.Duration, error), err error) {
	me, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("find this program: %w", err)
	}
	args := []string{"bench", "--serve", what, "--dir", dir}
	if b.profile != "" {
		args = append(args, "--profile", b.profile+"."+what)
	}
	cmd := exec.CommandContext(ctx, me, args...)
	log := &fewLines{to: b.words, most: 5}
	cmd.Stderr = log
	hold, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start the %s: %w", what, err)
	}
	stop = func() (time.Duration, error) {
		_ = hold.Close() // which it waits for
		err := cmd.Wait()
		if log.said > log.most {
			b.say("%s: %d more lines of its log", what, log.said-log.most)
		}
		if err != nil {
			return 0, fmt.Errorf("the %s: %w", what, err)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
	}
	var ready struct {
		Address string `json:"address"`
	}
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		_, e := stop()
		return "", nil, errors.Join(fmt.Errorf("the %s does not say where it is: %w", what, err), e)
	}
	return ready.Address, stop, nil
}

// serve is the process that serves, until its standard input ends.
func (c *benchCmd) serve(ctx context.Context, to std) (err error) {
	stop, err := profile(c.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ctx, end := context.WithCancel(ctx)
	defer end()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	ready := func(address string) error {
		return json.NewEncoder(to.out).Encode(map[string]string{"address": address})
	}
	if c.Serve == "bare" {
		return serveBare(ctx, filepath.Join(c.Dir, bareAnswers), ready)
	}
	// No gateway: what the texts back cost is measured by the sends. Their rows are written all the same, with the form.
	a, err := open(ctx, options{settings: settings{Data: filepath.Join(c.Dir, "data"), Keys: filepath.Join(c.Dir, "keys")}, Listen: "127.0.0.1:0", Web: true, Now: fastClock(1),
		Log: settings{Log: "error"}.logger(to.err)})
	if err != nil {
		return err
	}
	defer a.close()
	if err := ready(a.listener.Addr().String()); err != nil {
		return err
	}
	return a.run(ctx)
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// formsKept counts the self-referrals that a restarted site has: those that only the journal could keep are taken in first.
func formsKept(ctx context.Context, dir string) (n int, err error) {
	db, err := openStore(ctx, dir, fastClock(1))
	if err != nil {
		return 0, err
	}
	if _, err = db.DrainJournal(ctx); err != nil {
		return 0, errors.Join(err, db.Close())
	}
	if err := db.Close(); err != nil {
		return 0, err
	}
	rows, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.Join(dir, "data", "wellpaced.db"), RawQuery: "mode=ro"}).String())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	err = rows.QueryRowContext(ctx, `SELECT count(*) FROM referral`).Scan(&n)
	return n, err
}

// fewLines passes on the first lines that somebody writes, and counts the others: a site in trouble says so for each form.
type fewLines struct {
	to   io.Writer
	most int
	said int
}

func (f *fewLines) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if f.said++; f.said > f.most {
			continue
		}
		if _, err := f.to.Write(line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// pageOf names a page by the end of its address, which holds no token.
func pageOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if strings.Count(path, "/") == 2 {
		return "link"
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}
