package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// One key is taken once, by any number at the same time; its answer is given again, sealed until then, to its account alone and for a day.
func TestIdempotency(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		machine := time.Now()
		cfg.Machine = func() time.Time { return machine }
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		who := w.senior
		const key = "a key of Marigold"

		var took, waits atomic.Int64
		var all sync.WaitGroup
		var mu sync.Mutex
		var mine staff.Call
		for range 20 {
			all.Go(func() {
				c := staff.Call{Key: key}
				switch before, err := db.BeginCall(ctx, who, &c); {
				case err == nil && before == nil:
					took.Add(1)
					mu.Lock()
					mine = c
					mu.Unlock()
				case errors.Is(err, staff.ErrCallRuns):
					waits.Add(1)
				default:
					t.Errorf("%v, %v", before, err)
				}
			})
		}
		all.Wait()
		if took.Load() != 1 || waits.Load() != 19 {
			t.Fatalf("%d took the key and %d wait", took.Load(), waits.Load())
		}

		begin := func(who staff.Account, key string) (staff.Call, *staff.Answer, error) {
			c := staff.Call{Key: key}
			before, err := db.BeginCall(ctx, who, &c)
			return c, before, err
		}
		if _, before, err := begin(w.other, key); before != nil || err != nil {
			t.Errorf("another account's key of the same name: %v, %v", before, err)
		}

		// A process that says it runs keeps the key; one that has died loses it, and can then neither drop it nor answer.
		machine = machine.Add(staff.CallLost - time.Second)
		w.must(db.CallRuns(ctx, who, mine))
		machine = machine.Add(staff.CallLost - time.Second)
		if _, _, err := begin(who, key); !errors.Is(err, staff.ErrCallRuns) {
			t.Errorf("a call that runs: %v", err)
		}
		machine = machine.Add(2 * time.Second)
		later, before, err := begin(who, key)
		if before != nil || err != nil {
			t.Fatalf("a call whose process has died: %v, %v", before, err)
		}
		w.must(db.DropCall(ctx, who, mine))
		w.must(db.EndCall(ctx, who, mine, staff.Answer{Status: 299}))
		if _, _, err := begin(who, key); !errors.Is(err, staff.ErrCallRuns) {
			t.Errorf("after the dead one came back: %v", err)
		}
		answer := staff.Answer{Request: []byte("hash"), Status: 201, Type: "application/json", Location: "/x/1", Body: []byte(`{"name":"Marigold"}`)}
		w.must(db.EndCall(ctx, who, later, answer))
		w.must(db.DropCall(ctx, who, later)) // too late
		for range 2 {
			_, got, err := begin(who, key)
			if err != nil || got == nil || got.Status != 201 || got.Type != answer.Type || got.Location != answer.Location || string(got.Body) != string(answer.Body) || string(got.Request) != "hash" {
				t.Fatalf("again: %+v, %v", got, err)
			}
		}
		var stored, hash []byte
		w.must(db.read(ctx, "test", func(tx *Tx) error {
			return tx.QueryRow(`SELECT answer, key_hash FROM idempotency WHERE account = $1`, int64(who.ID)).Scan(&stored, &hash)
		}))
		if strings.Contains(string(stored), "Marigold") || strings.Contains(string(hash), "Marigold") {
			t.Error("an answer or a key in clear")
		}

		machine = machine.Add(staff.CallKept - time.Second)
		if n, err := db.PurgeCalls(ctx); n != 1 || err != nil { // the other account's, which never ended
			t.Errorf("purged %d, %v", n, err)
		}
		if _, got, err := begin(who, key); err != nil || got == nil {
			t.Errorf("just before a day is over: %v, %v", got, err)
		}
		machine = machine.Add(2 * time.Second)
		if n, err := db.PurgeCalls(ctx); n != 1 || err != nil {
			t.Errorf("purged %d after a day, %v", n, err)
		}
		c, got, err := begin(who, key)
		if err != nil || got != nil {
			t.Errorf("after a day: %v, %v", got, err)
		}
		w.must(db.DropCall(ctx, who, c))
		if n := w.count(`SELECT COUNT(*) FROM idempotency`); n != 0 {
			t.Errorf("%d rows stay", n)
		}
	})
}

// What was answered about a referral is told again only to whoever may still open it.
func TestIdempotency_restrictedSince(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		r := w.mustKeep(form("f", w.patient(personDoc{Given: "Marigold", Family: "Testperson", Phone: "+447400000001"}, true), selfrefer.Answers{Name: "Marigold Testperson"}))
		call := staff.Call{Key: "k", Referral: int64(r.ID)}
		_, err := db.BeginCall(ctx, w.worker, &call)
		w.must(err)
		w.must(db.EndCall(ctx, w.worker, call, staff.Answer{Request: []byte("x"), Status: 200, Body: []byte(`{}`)}))
		again := staff.Call{Key: "k"}
		if got, err := db.BeginCall(ctx, w.worker, &again); err != nil || got == nil {
			t.Errorf("while it is open: %v, %v", got, err)
		}
		w.must(db.Restrict(ctx, w.senior, r.ID, selfrefer.Restriction{Only: true, May: []staff.AccountID{w.senior.ID}, Reason: selfrefer.WorksHere}))
		if got, err := db.BeginCall(ctx, w.worker, &again); !errors.Is(err, selfrefer.ErrRestricted) || got != nil {
			t.Errorf("restricted since: %v, %v", got, err)
		}
	})
}

// However many keys there are, those whose time is over are found by an index.
func TestPurgeCalls_plan(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		if plan := planOf(t, db, oldCalls, 5); !strings.Contains(plan, "idempotency_until") {
			t.Error(plan)
		}
	})
}
