package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/store"
)

const formClients = 64

// formTables are the tables into which a form writes rows of its own; counters and marks on the message come on top of them.
var formTables = []string{"referral", "audit", "evidence"}

// forms measures self-referrals from many clients at once, each durable in the database and in the journal, against a bare loop that
// inserts the very rows they left, by as many clients, with shared commits.
func (b *bench) forms(ctx context.Context) (r benchResult, err error) {
	rounds, each := b.some(3, 1), b.some(8000, 2000)
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	now := fastClock(1)
	db, err := openStore(ctx, dir, now)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return r, err
	}
	texts, err := b.texted(ctx, w, rounds*each, now)
	if err != nil {
		return r, fmt.Errorf("text people: %w", err)
	}
	db.ContactBy = (&app{options: options{Log: b.log}, db: db}).contactBy
	receiver := &selfrefer.Receiver{Keeper: db, Now: now}
	path := filepath.Join(dir, "data", "wellpaced.db")
	var ours, bare []float64
	var waits, bareWaits []time.Duration
	for round := range rounds {
		before, err := lastRows(ctx, path)
		if err != nil {
			return r, err
		}
		some := texts[round*each:][:each]
		runtime.GC()
		took, each1, err := clients(formClients, len(some), func(i int) error {
			_, err := receiver.Receive(ctx, benchForm(round, i, some[i].token))
			return err
		})
		if err != nil {
			return r, err
		}
		ours, waits = append(ours, rate(len(some), took)), append(waits, each1...)
		took, each2, err := bareForms(ctx, filepath.Join(dir, "bare"+strconv.Itoa(round)+".db"), path, before, len(some))
		if err != nil {
			return r, fmt.Errorf("bare loop: %w", err)
		}
		bare, bareWaits = append(bare, rate(len(some), took)), append(bareWaits, each2...)
		b.say("%d forms: %.0f/s; bare %.0f/s", len(some), ours[round], bare[round])
	}
	r.Figures = []figure{
		{Name: "forms per second", Value: median(ours)},
		{Name: "wait, half of them", Value: quantile(waits, .5), Unit: "ms"},
		{Name: "wait, 99 in 100", Value: quantile(waits, .99), Unit: "ms"},
		{Name: "bare forms per second", Value: median(bare)},
		{Name: "bare wait, 99 in 100", Value: quantile(bareWaits, .99), Unit: "ms"},
		figure{Name: "ratio", Value: median(ours) / median(bare)}.atLeast(.3),
	}
	return r, nil
}

func benchForm(round, i int, token link.Token) selfrefer.Form {
	return selfrefer.Form{ID: fmt.Sprintf("bench-%d-%d", round, i), Source: selfrefer.ByLink, TokenHash: token.Hash(), Answers: selfrefer.Answers{
		Reasons: []string{"loneliness", "money"}, Words: "I would like some company, and I do not know how to pay for heating this winter.",
		Channel: "call", When: []string{"morning"}, CallSafe: selfrefer.SafeYes, BirthDate: "01/02/1950"}}
}

// textedTo is a text that somebody has: its link, and the number that it went to.
type textedTo struct {
	token  link.Token
	number string
}

// texted gives people a text each, as far as the store knows.
func (b *bench) texted(ctx context.Context, w benchWorld, n int, now func() time.Time) ([]textedTo, error) {
	list := stream(n*11/10 + 100) // some of it is dirt
	defer list.Close()
	a, err := w.upload(ctx, list, nil)
	if err != nil {
		return nil, err
	}
	if _, err := w.launch(ctx, a, campaign.Policy{Rate: 1e6, Blast: true}); err != nil {
		return nil, err
	}
	var bell heard
	if _, err := benchPacer(w.db, &bell, b).Tick(ctx, now()); err != nil {
		return nil, err
	}
	if len(bell.rings) < n {
		return nil, fmt.Errorf("%d people were to be texted and the pacer released %d", n, len(bell.rings))
	}
	texts := make([]textedTo, n)
	_, _, err = clients(formClients, n, func(i int) error {
		out, err := w.db.Claim(ctx, bell.rings[i])
		if err != nil {
			return err
		}
		found := link.In(out.Body)
		if len(found) == 0 {
			return errors.New("a text has no link")
		}
		texts[i] = textedTo{found[0], out.To.Reveal()}
		return w.db.Adopt(ctx, campaign.Evidence{Message: out.Message, Attempt: out.Attempt, Event: campaign.Deliver, Kind: "callback", SID: fmt.Sprintf("SM%032x", i), At: now()})
	})
	return texts, err
}

// heard keeps the rings instead of putting them into a queue.
type heard struct{ rings []campaign.Ring }

func (h *heard) Ring(_ context.Context, rings []campaign.Ring) error {
	h.rings = append(h.rings, rings...)
	return nil
}

func (h *heard) Waiting(context.Context) (int, error) { return 0, nil }

func benchPacer(db *store.DB, bell campaign.Bell, b *bench) *campaign.Pacer {
	return &campaign.Pacer{Store: db, Bell: bell, Holder: "bench", Machine: time.Now, Log: b.log}
}

// clients does n things by so many at once and tells how long all of it and each of them took.
func clients(k, n int, do func(i int) error) (took time.Duration, each []time.Duration, err error) {
	each = make([]time.Duration, n)
	var next atomic.Int64
	var all errgroup.Group
	began := time.Now()
	for range k {
		all.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				start := time.Now()
				if err := do(i); err != nil {
					next.Add(int64(n)) // the others need not go on
					return err
				}
				each[i] = time.Since(start)
			}
		})
	}
	err = all.Wait()
	return time.Since(began), each, err
}

// lastRows is the last row of each of formTables.
func lastRows(ctx context.Context, path string) (last map[string]int64, err error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro"}).String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	last = map[string]int64{}
	for _, table := range formTables {
		var id int64
		if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(rowid), 0) FROM `+table).Scan(&id); err != nil {
			return nil, err
		}
		last[table] = id
	}
	return last, nil
}

// rowsSince reads whole rows of a table.
func rowsSince(ctx context.Context, path, table string, after int64) (all [][]any, err error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro"}).String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT * FROM `+table+` WHERE rowid > $1`, after)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); v == nil || ok && b == nil {
				row[i] = []byte{} // the driver reads an empty blob as nothing; none of these columns may be null
			}
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// bareForms inserts the rows that n forms left: one goroutine writes, and whoever waits shares its commit.
func bareForms(ctx context.Context, path, ours string, after map[string]int64, n int) (took time.Duration, each []time.Duration, err error) {
	rows := map[string][][]any{}
	for _, table := range formTables {
		if rows[table], err = rowsSince(ctx, ours, table, after[table]); err != nil {
			return 0, nil, err
		}
		if len(rows[table]) < n {
			return 0, nil, fmt.Errorf("%d forms left %d rows in %s", n, len(rows[table]), table)
		}
	}
	db, err := bareDatabase(ctx, path, ours, formTables...)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	insert := map[string]*sql.Stmt{}
	for _, table := range formTables {
		if insert[table], err = db.PrepareContext(ctx, `INSERT INTO `+table+` VALUES (?`+strings.Repeat(",?", len(rows[table][0])-1)+`)`); err != nil { //nolint:sqlclosecheck // closed with db
			return 0, nil, err
		}
	}
	type job struct {
		i    int
		done chan error
	}
	jobs := make(chan job, formClients)
	var writer sync.WaitGroup
	writer.Go(func() {
		for first := range jobs {
			group := []job{first}
			err := func() error {
				tx, err := db.BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				defer func() { _ = tx.Rollback() }() // no-op after Commit
				for next := 0; next < len(group); next++ {
					for _, table := range formTables {
						if _, err := tx.StmtContext(ctx, insert[table]).ExecContext(ctx, rows[table][group[next].i]...); err != nil {
							return err
						}
					}
					for waiting := true; waiting && len(group) < formClients; {
						select {
						case j, open := <-jobs:
							if open {
								group = append(group, j)
							}
							waiting = open
						default:
							waiting = false
						}
					}
				}
				return tx.Commit()
			}()
			for _, j := range group {
				j.done <- err
			}
		}
	})
	runtime.GC()
	took, each, err = clients(formClients, n, func(i int) error {
		j := job{i, make(chan error, 1)}
		jobs <- j
		return <-j.done
	})
	close(jobs)
	writer.Wait()
	return took, each, err
}
