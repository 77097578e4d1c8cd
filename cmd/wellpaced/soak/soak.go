package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/store"
)

// Config of a run.
type Config struct {
	Database string // postgres://…; "" means SQLite
	Redis    string // redis://…; with Postgres
	// NewDatabase makes an empty Postgres database for each backup that is restored.
	NewDatabase func() (string, error)
	Dir         string // everything lies here; empty or new
	Patients    int
	Minutes     float64 // the kills are spread over so long
	Kills       int
	Restores    int             // of an older backup in place of the database
	Faults      emulator.Faults // of the provider, until all kills are done
	// Settle is how long the program waits before it believes that a text never left; 0 means Settle. Less than the provider can be late,
	// and somebody is texted twice: that is how to see that a run can fail.
	Settle  time.Duration
	Seed    uint64
	Program []string // how to call the program itself
	Env     []string // besides this process's own
	Words   io.Writer
}

// Report is what was counted outside the program.
type Report struct {
	Engine   string  `json:"engine"`
	Seed     uint64  `json:"seed"`
	Seconds  float64 `json:"seconds"`
	Patients int     `json:"patients"`
	Texts    int     `json:"texts"`  // of the campaign, by the provider's journal
	Twice    int     `json:"twice"`  // numbers texted twice or more: by the campaign, or to confirm one form
	Missed   int     `json:"missed"` // patients who were neither texted nor set aside for a reason
	Held     int     `json:"held"`   // texts that wait for a person's word
	Aside    int     `json:"set_aside"`

	Acknowledged int `json:"submissions_acknowledged"` // self-referrals and opt-outs that a browser was told we have
	Referrals    int `json:"referrals_acknowledged"`
	OptOuts      int `json:"opt_outs_acknowledged"`
	Confirmed    int `json:"referrals_confirmed_by_text"` // at most once each; one that was lost is not sent again
	Lost         int `json:"lost"`                        // of both
	LostForms    int `json:"referrals_lost"`
	LostOptOuts  int `json:"opt_outs_lost"`
	Unknown      int `json:"referrals_nobody_sent"` // in the queue, and no browser asked for them
	TriedAgain   int `json:"submissions_tried_again"`
	Kindly       int `json:"answered_503_keeping_answers"`

	Kills    int            `json:"kills"`
	Killed   map[string]int `json:"killed"` // by process
	Freezes  int            `json:"freezes"`
	Flushes  int            `json:"redis_emptied"`
	Outages  int            `json:"provider_outages"`
	Restores int            `json:"restores"`
	Faults   map[string]int `json:"faults"` // of the provider, by kind
	Alarms   map[string]int `json:"alarms"` // that the program raised

	Restart    Spread `json:"restart_to_sending_ms"` // SQLite: from the start of the process to the first text asked for
	Submission Spread `json:"submission_ms"`         // acknowledged ones
}

// Spread of some times, in milliseconds.
type Spread struct {
	Count  int     `json:"count"`
	Median float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Most   float64 `json:"max"`
}

func spread(all []time.Duration) (s Spread) {
	if s.Count = len(all); s.Count == 0 {
		return s
	}
	all = slices.Sorted(slices.Values(all))
	at := func(q float64) float64 {
		return float64(all[min(len(all)-1, int(q*float64(len(all))))].Microseconds()) / 1000
	}
	s.Median, s.P99, s.Most = at(.5), at(.99), at(1)
	return s
}

// Kept reports whether the promises were kept: nobody texted twice, nobody forgotten, nothing lost.
func (r Report) Kept() bool {
	return r.Twice == 0 && r.Missed == 0 && r.Lost == 0 && r.Unknown == 0
}

// soak is a run.
type soak struct {
	cfg      Config
	chance   *rand.Rand
	provider *provider
	people   *people
	cast     []*player
	site     string
	staged   staged
	report   Report
	backup   string // the last one, not yet used

	restarts []time.Duration
	silent   []silence
}

// silence is a life of the program in which nobody was asked to be texted.
type silence struct {
	life  time.Duration
	texts int // that had left by its end
}

func (s *soak) folder(name string) string { return filepath.Join(s.cfg.Dir, "data-"+name) }
func (s *soak) keys() string              { return filepath.Join(s.cfg.Dir, "keys") }

// rate spreads the texts over the kills, in texts per second: a run in which all have left before half of the kills proves half as much.
func (s *soak) rate() float64 { return max(5, 1.2*float64(s.cfg.Patients)/(60*s.cfg.Minutes)) }

func (s *soak) say(format string, args ...any) { fmt.Fprintf(s.cfg.Words, format+"\n", args...) }

// Run soaks. An error means that the run could not be finished; what it found out is in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	s := &soak{cfg: cfg, chance: rand.New(rand.NewPCG(cfg.Seed, 1))}
	if s.cfg.Settle == 0 {
		s.cfg.Settle = Settle
	}
	s.report = Report{Engine: "sqlite", Seed: cfg.Seed, Patients: cfg.Patients, Killed: map[string]int{}}
	if cfg.Database != "" {
		s.report.Engine = "postgres"
	}
	began := time.Now()
	err := s.run(ctx)
	s.report.Seconds = time.Since(began).Round(time.Second / 10).Seconds()
	return s.report, err
}

func (s *soak) run(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the run: %w", err)
	}
	if s.provider, err = openProvider(s.cfg.Dir, s.cfg.Seed, s.cfg.Faults); err != nil {
		return err
	}
	if s.site, err = freeAddress(); err != nil {
		return errors.Join(err, s.provider.close())
	}
	if s.staged, err = s.stage(ctx, "http://"+s.site); err != nil {
		return errors.Join(fmt.Errorf("set the stage: %w", err), s.provider.close())
	}
	s.say("%d patients, %d kills in %.1f minutes, seed %d, on %s", s.cfg.Patients, s.cfg.Kills, s.cfg.Minutes, s.cfg.Seed, s.report.Engine)
	world, end := context.WithCancel(ctx)
	var living sync.WaitGroup
	s.people = newPeople("http://"+s.site, s.provider)
	living.Go(func() { s.provider.run(world) })
	living.Go(func() { s.people.live(world) })
	s.cast = s.players(s.site)
	defer func() {
		for _, p := range s.cast {
			p.end(syscall.SIGKILL)
		}
		end()
		living.Wait()
		err = errors.Join(err, s.provider.close())
	}()
	for _, p := range s.cast {
		if err := p.start(s.cfg.Program[0]); err != nil {
			return err
		}
	}
	if err := s.torment(ctx); err != nil {
		return err
	}
	s.provider.SetFaults(emulator.Faults{})
	if err := s.rest(ctx); err != nil {
		return err
	}
	if err := s.people.done(ctx, time.Minute); err != nil {
		return err
	}
	return s.count(ctx)
}

// torment kills, freezes, empties and restores until all kills are done.
func (s *soak) torment(ctx context.Context) error {
	mean := time.Duration(s.cfg.Minutes * float64(time.Minute) / float64(max(1, s.cfg.Kills)))
	said := time.Now()
	for k := range s.cfg.Kills {
		// Some lives are long enough that whoever comes up must be seen sending in them.
		life := 150*time.Millisecond + time.Duration(s.chance.Int64N(int64(2*mean)))
		if k%8 == 7 {
			life = max(life, 6*time.Second)
		}
		victim := s.cast[s.chance.IntN(len(s.cast))]
		if err := s.besides(ctx, k, victim); err != nil {
			return err
		}
		sleep(ctx, life)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !victim.end(syscall.SIGKILL) {
			return fmt.Errorf("%s ended by itself; its last words are in %s", victim.name, victim.log)
		}
		s.report.Kills++
		s.report.Killed[victim.name]++
		if err := s.remember(victim); err != nil {
			return err
		}
		restored := s.report.Restores
		if s.due(s.cfg.Restores, k) {
			if err := s.restore(ctx); err != nil {
				return err
			}
		}
		sleep(ctx, time.Duration(s.chance.Int64N(int64(200*time.Millisecond))))
		if err := victim.start(s.cfg.Program[0]); err != nil {
			return err
		}
		if s.report.Restores > restored {
			victim.odd = true
			s.learn(ctx)
		}
		if time.Since(said) > 20*time.Second {
			said = time.Now()
			texts, err := s.provider.texts()
			if err != nil {
				return err
			}
			s.say("%d kills, %d texts", s.report.Kills, len(texts))
		}
	}
	return nil
}

// due spreads n things evenly over the kills: never at the first, never at the last.
func (s *soak) due(n, k int) bool {
	return n > 0 && k < s.cfg.Kills-1 && (k+1)*(n+1)/s.cfg.Kills > k*(n+1)/s.cfg.Kills
}

// besides does what else can go wrong before a kill.
func (s *soak) besides(ctx context.Context, k int, victim *player) error {
	if s.due(2*s.cfg.Restores+1, k) && s.cfg.Restores > 0 && s.backup == "" {
		if err := s.makeBackup(ctx); err != nil {
			return err
		}
	}
	switch n := s.chance.IntN(20); {
	case n == 0:
		// Longer than a text may wait for its first byte: whoever wakes must not send what it claimed before.
		victim.freeze(ctx, campaign.FirstByte+time.Second)
		s.report.Freezes++
	case n == 1:
		s.provider.vanish()
		sleep(ctx, time.Duration(s.chance.Int64N(int64(2*time.Second))))
		s.report.Outages++
		return s.provider.answer()
	case n <= 3 && s.cfg.Redis != "":
		s.report.Flushes++
		return FlushRedis(ctx, s.cfg.Redis)
	}
	return nil
}

// remember how long the victim took from its start to the first text, where it alone sends.
func (s *soak) remember(victim *player) error {
	if s.cfg.Database != "" || victim.odd {
		return nil
	}
	if first, ok := s.provider.firstAfter(victim.began); ok {
		s.restarts = append(s.restarts, first.Sub(victim.began))
		return nil
	}
	texts, err := s.provider.texts()
	s.silent = append(s.silent, silence{time.Since(victim.began), len(texts)})
	return err
}

// program runs one of the program's own commands beside the others.
func (s *soak) program(ctx context.Context, args ...string) ([]byte, error) {
	args = append(append([]string{}, s.cfg.Program[1:]...), append(args, "--data", s.folder(firstData), "--keys", s.keys())...)
	if s.cfg.Database != "" {
		args = append(args, "--database", s.cfg.Database)
	}
	cmd := exec.CommandContext(ctx, s.cfg.Program[0], args...)
	cmd.Env = append(os.Environ(), s.cfg.Env...)
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(words.String()))
	}
	return out, nil
}

// totals asks the database, beside the processes that serve it.
func (s *soak) totals(ctx context.Context) (t store.Totals, err error) {
	err = s.beside(ctx, func(db *store.DB) (err error) { t, err = db.Totals(ctx); return err })
	return t, err
}

func (s *soak) halted(ctx context.Context) (h campaign.Halt, err error) {
	err = s.beside(ctx, func(db *store.DB) (err error) { h, err = db.Halted(ctx); return err })
	return h, err
}

func (s *soak) beside(ctx context.Context, ask func(*store.DB) error) (err error) {
	db, err := store.Open(ctx, store.Config{Database: s.cfg.Database, DataDir: s.folder(firstData), Keys: s.keys(), Now: time.Now, Machine: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return ask(db)
}

// rest waits until every text has come to rest.
func (s *soak) rest(ctx context.Context) error {
	// By the settle time twice over everything that was unknown has been looked for; texts that never left are then paced again.
	within := 90*time.Second + time.Duration(float64(s.cfg.Patients)/s.rate()*float64(time.Second))
	paced := time.Now()
	for until := time.Now().Add(within); ; sleep(ctx, 500*time.Millisecond) {
		t, err := s.totals(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			s.say("ask the database again: %v", err)
		case t.Messages[campaign.Planned]+t.Messages[campaign.Released]+t.Messages[campaign.Sending]+t.Messages[campaign.Unknown]+
			t.Services[campaign.Planned]+t.Services[campaign.Released]+t.Services[campaign.Sending] == 0: // a confirmation that is unknown stays so
			return nil
		case time.Now().After(until):
			return fmt.Errorf("after %s some texts have not come to rest: %v", within, t.Messages)
		case t.Messages[campaign.Planned] > 0 && t.Messages[campaign.Released] == 0 && time.Since(paced) > 5*time.Second:
			// The pacer's next minute may be far; one that starts paces at once.
			paced = time.Now()
			for _, p := range s.cast {
				if p.name == firstData && s.cfg.Database == "" || strings.HasPrefix(p.name, "pacer") {
					if !p.end(syscall.SIGTERM) {
						return fmt.Errorf("%s did not stop in good order; its last words are in %s", p.name, p.log)
					}
					if err := p.start(s.cfg.Program[0]); err != nil {
						return err
					}
				}
			}
		}
	}
}

// count compares what the provider and the browsers know with what the program has.
func (s *soak) count(ctx context.Context) error {
	r := &s.report
	s.provider.quiet(ctx)
	texts, err := s.provider.texts()
	if err != nil {
		return err
	}
	r.Texts, r.Confirmed, r.Twice = 0, 0, emulator.Twice(texts, kindOf)
	texted := map[string]bool{}
	for _, t := range texts {
		if kindOf(t) == confirmation {
			r.Confirmed++
			continue
		}
		r.Texts++
		texted[t.To] = true
	}
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	r.Faults = s.provider.Struck()
	r.Alarms, r.Held = t.Alarms, t.Messages[campaign.Held]
	r.Aside = t.Messages[campaign.Rejected] + t.Messages[campaign.Suppressed] + t.Messages[campaign.Expired]
	r.Missed = max(0, s.cfg.Patients-len(texted)-r.Held-r.Aside)
	r.Restart = spread(s.restartTimes(len(texts)))

	references, stopped := s.people.acknowledged()
	r.Referrals, r.OptOuts = len(references), len(stopped)
	r.Acknowledged = r.Referrals + r.OptOuts
	r.TriedAgain, r.Kindly, r.Submission = s.people.tries, s.people.kindly, spread(s.people.took)
	if err := s.countForms(ctx, references); err != nil {
		return err
	}
	if err := s.countOptOuts(ctx, stopped); err != nil {
		return err
	}
	r.Lost = r.LostForms + r.LostOptOuts
	return nil
}

// restartTimes adds the lives in which the program could have sent and did not: more texts left after them.
func (s *soak) restartTimes(texts int) []time.Duration {
	all := slices.Clone(s.restarts)
	for _, q := range s.silent {
		if q.life > 5*time.Second && q.texts < texts {
			all = append(all, q.life)
		}
	}
	return all
}

// countForms looks for every acknowledged referral in the link workers' queue, where it must be exactly once.
func (s *soak) countForms(ctx context.Context, references []string) error {
	queue := map[string]int{}
	for after := "0"; ; {
		var page struct {
			Referrals []struct {
				Reference string `json:"reference"`
			} `json:"referrals"`
			Next string `json:"next"`
		}
		path := fmt.Sprintf("/referrals?state=open&after=%s", after)
		err := s.api(ctx, path, &page)
		for try := 0; err != nil && try < 100 && ctx.Err() == nil; try++ { // the site may just be starting again
			sleep(ctx, 200*time.Millisecond)
			err = s.api(ctx, path, &page)
		}
		if err != nil {
			return fmt.Errorf("read the queue: %w", err)
		}
		for _, r := range page.Referrals {
			queue[r.Reference]++
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for _, ref := range references {
		if queue[ref] != 1 {
			s.report.LostForms++
		}
		delete(queue, ref)
	}
	s.report.Unknown = len(queue)
	for ref := range queue {
		s.say("nobody was told of referral %s", ref)
	}
	return nil
}

func (s *soak) api(ctx context.Context, path string, to any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.site+"/api/v1"+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.staged.token)
	resp, err := s.people.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %d", resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(to)
}

// countOptOuts screens those who opted out once more: every one of them must be left out, for that reason.
func (s *soak) countOptOuts(ctx context.Context, stopped map[string]bool) error {
	if len(stopped) == 0 {
		return nil
	}
	rows, err := list(s.cfg.Patients, func(i int) bool { return stopped[international(i)] })
	if err != nil {
		return err
	}
	file := filepath.Join(s.cfg.Dir, "stopped.csv")
	if err := os.WriteFile(file, rows, 0o600); err != nil {
		return fmt.Errorf("write the list of those who opted out: %w", err)
	}
	out, err := s.program(ctx, "import", file, "--dry-run", "--json")
	if err != nil {
		return err
	}
	var ledger struct {
		Excluded map[string]int `json:"excluded"`
	}
	if err := json.Unmarshal(out, &ledger); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	s.report.LostOptOuts = len(stopped) - ledger.Excluded["suppressed"]
	return nil
}
