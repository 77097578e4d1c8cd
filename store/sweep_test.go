package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
)

// ledgerOfSIDs is the provider: statuses by sid, and listings by number.
type ledgerOfSIDs struct {
	mu     sync.Mutex // the sweep asks about several at once
	status map[string]string
	list   map[person.Phone][]campaign.Listed
	asked  []string
}

func (r *ledgerOfSIDs) Fetch(_ context.Context, sid string) (campaign.Listed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, sid)
	s, ok := r.status[sid]
	if !ok {
		return campaign.Listed{}, campaign.ErrNoText
	}
	code := ""
	if s == "undelivered" {
		code = "30003"
	}
	return campaign.Listed{SID: sid, Status: s, Code: code}, nil
}

func (r *ledgerOfSIDs) List(_ context.Context, to person.Phone) ([]campaign.Listed, error) {
	return r.list[to], nil
}

// Receipts that were lost while we were down are asked for: after an hour, six, a day and three days; and the exposure follows.
func TestSweep(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		start := time.Now().Truncate(time.Millisecond)
		var age time.Duration
		civil := testCivil
		cfg.Machine, cfg.Now = func() time.Time { return start.Add(age) }, func() time.Time { return civil }
		db := mustOpen(t, cfg)
		w := launched(t, db, 12, nil)
		epoch, _, err := db.Lead(ctx, "test", 1000*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		w.epoch = epoch
		rings := w.release(t, 7)
		for i, r := range rings {
			must[campaign.Outgoing](t)(db.Claim(ctx, r))
			o := campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprintf("SM%d", i)}
			if i == 5 {
				o = campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}
			}
			if err := db.Record(ctx, r, o); err != nil {
				t.Fatal(err)
			}
		}
		token := func(i int) link.Token { return link.Mint(db.sealer.linkKey(), int64(rings[i].Message)) }
		if err := db.LinkSeen(ctx, token(5).Hash()); err != nil { // all that is known of it is that it left
			t.Fatal(err)
		}
		if err := db.Adopt(ctx, campaign.Evidence{Message: rings[6].Message, Attempt: 1, Event: campaign.Deliver, Kind: "callback", SID: "SM6"}); err != nil {
			t.Fatal(err)
		}
		provider := &ledgerOfSIDs{status: map[string]string{"SM0": "delivered", "SM1": "undelivered", "SM2": "sent", "SM3": "queued", "SM6": "failed"}, // it has SM4 no more
			list: map[person.Phone][]campaign.Listed{w.phone(t, rings[5]): {{SID: "SM5", To: w.phone(t, rings[5]), Body: link.URL("https://x.example", token(5)), Status: "delivered"}}}}
		s := campaign.Sweeper{Store: db, Fetcher: provider, Lister: provider, Log: db.log}
		at := func(a time.Duration) string {
			t.Helper()
			age, provider.asked = a, nil
			if err := s.Tick(ctx, start.Add(age)); err != nil {
				t.Fatal(err)
			}
			return strings.Join(provider.asked, " ")
		}
		states := func(want ...campaign.MessageState) {
			t.Helper()
			for i, s := range want {
				if got := w.state(t, rings[i].Message); got != s {
					t.Errorf("at %v: message %d is %s, want %s", age, i, got, s)
				}
			}
			w.checkCounters(t)
		}
		onPhones := func() int64 { return count(t, db, `SELECT COUNT(*) FROM message WHERE delivered_at > 0`) }
		if got := at(59 * time.Minute); got != "" {
			t.Errorf("asked for %s before the hour", got)
		}
		// The four that wait, each once; not the delivered one. The text without an id is found by number and token.
		if got := len(strings.Fields(at(61 * time.Minute))); got != 5 || strings.Contains(strings.Join(provider.asked, " "), "SM6") {
			t.Errorf("asked for %v", provider.asked)
		}
		states(campaign.Delivered, campaign.Undelivered, campaign.Sent, campaign.Accepted, campaign.Accepted, campaign.Delivered, campaign.Delivered)
		if n := count(t, db, `SELECT COUNT(*) FROM evidence WHERE kind = 'sweep'`); n != 5 {
			t.Errorf("%d pieces of evidence by sweep, want 5", n)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM message WHERE sid = 'SM5'`); n != 1 {
			t.Error("the text without an id has not learned its id")
		}
		if got := onPhones(); got != 3 {
			t.Errorf("%d texts are on phones, want 3", got)
		}
		if got := at(2 * time.Hour); got != "" {
			t.Errorf("asked again for %s", got)
		}
		// After two hours without a receipt the rest count as on the phone; word to the contrary takes it back.
		civil = civil.Add(3 * time.Hour)
		if err := db.presumeDelivered(ctx, w.campaign.ID); err != nil {
			t.Fatal(err)
		}
		if got := onPhones(); got != 6 {
			t.Errorf("%d texts are on phones or taken to be, want 6", got)
		}
		provider.status["SM3"] = "undelivered"
		if got := len(strings.Fields(at(6*time.Hour + time.Minute))); got != 3 {
			t.Errorf("asked for %v", provider.asked)
		}
		states(campaign.Delivered, campaign.Undelivered, campaign.Sent, campaign.Undelivered, campaign.Accepted)
		if got := onPhones(); got != 5 {
			t.Errorf("%d texts are on phones or taken to be, want 5", got)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM message WHERE code = '30003'`); n != 2 {
			t.Errorf("%d say why they were not delivered, want 2", n)
		}
		for _, a := range []time.Duration{25 * time.Hour, 73 * time.Hour} {
			if got := len(strings.Fields(at(a))); got != 2 {
				t.Errorf("at %v: asked for %v", a, provider.asked)
			}
		}
		if got := at(1000 * time.Hour); got != "" || count(t, db, `SELECT COUNT(*) FROM message WHERE state IN ('accepted', 'sent') AND sweep_at IS NULL`) != 2 {
			t.Errorf("asked for %s after three days", got)
		}
		states(campaign.Delivered, campaign.Undelivered, campaign.Sent, campaign.Undelivered, campaign.Accepted)
	})
}

// Rows from before the sweep existed are asked about at once, whatever their age, and the due ones are found without reading the others.
func TestSweep_earlierRows(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 4, nil)
		for i, r := range w.release(t, 2) {
			must[campaign.Outgoing](t)(db.Claim(ctx, r))
			if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: fmt.Sprintf("SM%d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		// As the migration leaves them; the second was sent a year ago, and a restored backup has forgotten its attempt.
		mustWrite(t, db, `UPDATE message SET sweep_at = 0`, `DELETE FROM attempt WHERE message = (SELECT id FROM message WHERE sid = 'SM1')`,
			`UPDATE message SET sent_at = 1 WHERE sid = 'SM1'`)
		provider := &ledgerOfSIDs{status: map[string]string{"SM0": "queued", "SM1": "sent"}}
		s := campaign.Sweeper{Store: db, Fetcher: provider, Lister: provider, Log: db.log}
		for range 2 {
			if err := s.Tick(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if len(provider.asked) != 2 {
			t.Errorf("asked for %v", provider.asked)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM message WHERE sid = 'SM0' AND sweep_at > $1`, time.Now().UnixMilli()); n != 1 {
			t.Error("the recent one is not asked about again")
		}
		if n := count(t, db, `SELECT COUNT(*) FROM message WHERE sid = 'SM1' AND sweep_at IS NULL`); n != 1 {
			t.Error("the old one is asked about again")
		}
		plan := ""
		err := db.read(ctx, "plan", func(tx *Tx) error {
			explain := `EXPLAIN QUERY PLAN `
			if db.engine == enginePostgres {
				if _, err := tx.Exec(`SET LOCAL enable_seqscan = off`); err != nil { // a table of four rows is read whole otherwise
					return err
				}
				explain = `EXPLAIN `
			}
			query, _, _ := strings.Cut(awaitedQuery, "LIMIT")
			rows, err := tx.Query(explain + strings.Replace(query, "$1", "5", 1) + " LIMIT 100")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				columns, _ := rows.Columns()
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				if err := rows.Scan(values...); err != nil {
					return err
				}
				plan += fmt.Sprintln(*values[len(values)-1].(*any))
			}
			return rows.Err()
		})
		if err != nil || !strings.Contains(plan, "message_sweep") || strings.Contains(strings.ToLower(plan), "sort") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%v\n%s", err, plan)
		}
	})
}

// A message whose third try is as doubtful as the two before is held, and so is one whose record the provider cannot show.
func TestDoubtsThatAreHeld(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		start := time.Now().Truncate(time.Millisecond)
		var age time.Duration
		cfg.Machine = func() time.Time { return start.Add(age) }
		db := mustOpen(t, cfg)
		w := launched(t, db, 4, nil)
		epoch, _, err := db.Lead(ctx, "test", 1000*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		w.epoch = epoch
		db.Settle = 10 * time.Minute
		provider := &ledgerOfSIDs{list: map[person.Phone][]campaign.Listed{}}
		s := campaign.Reconciler{Store: db, Lister: provider, Log: db.log, Again: 5 * time.Minute}
		at := func(a time.Duration) {
			t.Helper()
			age = a
			if err := s.Tick(ctx, w.epoch, start.Add(age)); err != nil {
				t.Fatal(err)
			}
		}
		ring := w.release(t, 1)[0]
		state := func(want campaign.MessageState) {
			t.Helper()
			if got := w.state(t, ring.Message); got != want {
				t.Fatalf("at %v: %s, want %s", age, got, want)
			}
		}
		must[campaign.Outgoing](t)(db.Claim(ctx, ring))
		at(31 * time.Second) // the deadline passes
		state(campaign.Unknown)
		at(10 * time.Minute) // settling
		at(11 * time.Minute) // first look
		at(15 * time.Minute) // too soon
		state(campaign.Unknown)
		at(16*time.Minute + 5*time.Second) // second look
		state(campaign.Planned)

		again := w.release(t, 1)[0]
		if again.Message != ring.Message {
			t.Fatal("another message is next")
		}
		must[campaign.Outgoing](t)(db.Claim(ctx, again))
		if err := db.Record(ctx, again, campaign.Outcome{Event: campaign.Postpone, Code: "20429"}); err != nil { // no doubt about this one
			t.Fatal(err)
		}
		again = w.release(t, 1)[0]
		must[campaign.Outgoing](t)(db.Claim(ctx, again))
		if err := db.Record(ctx, again, campaign.Outcome{Event: campaign.LoseSight, Code: "http_502"}); err != nil {
			t.Fatal(err)
		}
		at(27 * time.Minute)
		state(campaign.Unknown)
		at(33 * time.Minute)
		state(campaign.Planned)
		again = w.release(t, 1)[0]
		must[campaign.Outgoing](t)(db.Claim(ctx, again))
		if err := db.Record(ctx, again, campaign.Outcome{Event: campaign.LoseSight, Code: "http_502"}); err != nil {
			t.Fatal(err)
		}
		at(44 * time.Minute)
		state(campaign.Unknown)
		at(50 * time.Minute)
		state(campaign.Held)
		held := must[[]campaign.HeldMessage](t)(db.HeldMessages(ctx, w.network.ID, w.campaign.ID, 10))
		if len(held) != 1 || held[0].Why != campaign.HeldAgain || held[0].Code != "http_502" || held[0].Attempt != 4 || held[0].At.IsZero() {
			t.Errorf("held %+v", held)
		}
		// A late callback settles it without anybody.
		if err := db.Adopt(ctx, campaign.Evidence{Message: ring.Message, Attempt: 1, Event: campaign.Deliver, Kind: "callback", SID: "SM1"}); err != nil {
			t.Fatal(err)
		}
		state(campaign.Delivered)

		// That text is the touchstone now. The provider's record does not show it: nothing is planned on its word, and after a day a person decides.
		ring = w.release(t, 1)[0]
		must[campaign.Outgoing](t)(db.Claim(ctx, ring))
		at(55 * time.Minute)
		for age < 24*time.Hour+65*time.Minute {
			state(campaign.Unknown)
			at(age + 6*time.Minute)
		}
		at(age + 20*time.Minute)
		state(campaign.Held)
		held = must[[]campaign.HeldMessage](t)(db.HeldMessages(ctx, w.network.ID, w.campaign.ID, 10))
		if len(held) != 1 || held[0].Why != campaign.HeldNoRecord || held[0].Code != "deadline" {
			t.Errorf("held %+v", held)
		}
		w.checkCounters(t)
	})
}
