package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// townsfolk is one network with a launched campaign of n made-up patients.
type townsfolk struct {
	db       *DB
	network  staff.Network
	team     staff.Team
	manager  staff.Account
	second   staff.Account
	campaign campaign.Campaign
	epoch    int64
}

func must[T any](tb testing.TB) func(T, error) T {
	tb.Helper()
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func testCandidate(tb testing.TB, i int) campaign.Candidate {
	tb.Helper()
	phone := must[person.Phone](tb)(person.ParseMobile(fmt.Sprintf("074%08d", i)))
	return campaign.Candidate{Row: i, NHSNumber: syntheticNHS(tb, i), Name: person.NewName("Ann", fmt.Sprintf("Testperson%d", i)),
		BirthDate: must[person.BirthDate](tb)(person.ParseISO("1950-06-15")), Phone: phone, Practice: []string{"N83001", "N83002"}[i%2]}
}

// syntheticNHS gives the i-th NHS number that was never issued: 999 and a check digit that fits.
func syntheticNHS(tb testing.TB, i int) person.NHSNumber {
	tb.Helper()
	for k := i * 11; ; k++ {
		for d := range 10 {
			if n, err := person.ParseNHSNumber(fmt.Sprintf("999%06d%d", k%1_000_000, d)); err == nil {
				return n
			}
		}
	}
}

func launched(tb testing.TB, db *DB, n int, change func(*campaign.Campaign)) *townsfolk {
	tb.Helper()
	var list []campaign.Candidate
	for i := range n {
		list = append(list, testCandidate(tb, i+1))
	}
	return launchedList(tb, db, list, n, change)
}

// launchedList runs a campaign for a list of which n are invited.
func launchedList(tb testing.TB, db *DB, list []campaign.Candidate, n int, change func(*campaign.Campaign)) *townsfolk {
	tb.Helper()
	ctx := context.Background()
	t := &townsfolk{db: db}
	t.network = must[staff.Network](tb)(db.CreateNetwork(ctx, staff.Network{Name: "Test PCN", Sender: "TestPCN", LinkHost: "https://test.example", Phone: "0151 496 0000",
		Practices: []staff.Practice{{ODS: "N83001", Name: "First Surgery"}, {ODS: "N83002", Name: "Second Surgery", Phone: "0151 496 0002"}}}))
	t.team = must[staff.Team](tb)(db.CreateTeam(ctx, staff.Team{Network: t.network.ID, Name: "Link workers", PromiseDays: 2}))
	t.manager = must[staff.Account](tb)(db.CreateAccount(ctx, staff.Account{Network: t.network.ID, Email: fmt.Sprintf("m%d@x.example", db.newID()), Name: "Mo", Role: staff.CampaignManager}, "x"))
	t.second = must[staff.Account](tb)(db.CreateAccount(ctx, staff.Account{Network: t.network.ID, Email: fmt.Sprintf("s%d@x.example", db.newID()), Name: "Sam", Role: staff.Administrator}, "x"))
	im := must[campaign.Importer](tb)(db.BeginImport(ctx, t.manager, "list", true, false))
	for _, c := range list {
		if err := im.Candidate(ctx, c); err != nil {
			tb.Fatal(err)
		}
	}
	a := must[campaign.Audience](tb)(im.Finish(ctx))
	if a.Ledger.Invited != n {
		tb.Fatalf("invited %d of %d: %+v", a.Ledger.Invited, n, a.Ledger)
	}
	c := campaign.Campaign{Audience: a.ID, Team: t.team.ID, Name: "Spring", Seed: 7, Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}},
		Policy: campaign.Policy{Price: 240, Rate: 10}}
	if change != nil {
		change(&c)
	}
	c = must[campaign.Campaign](tb)(db.CreateCampaign(ctx, t.manager, c))
	must[campaign.Campaign](tb)(db.MoveCampaign(ctx, t.manager, c.ID, campaign.Submit))
	if _, err := db.MoveCampaign(ctx, t.manager, c.ID, campaign.Approve); !errors.Is(err, campaign.ErrSameHand) {
		tb.Fatalf("one person submitted and approved: %v", err)
	}
	must[campaign.Campaign](tb)(db.ApproveCampaign(ctx, t.second, c.ID, campaign.Approval{People: n}))
	var missing campaign.ErrPractices
	if _, err := db.MoveCampaign(ctx, t.manager, c.ID, campaign.Launch); n > 1 && (!errors.As(err, &missing) || len(missing) != 2) {
		tb.Fatalf("launched without the practices: %v", err)
	}
	for _, p := range t.network.Practices {
		if err := db.ApprovePractice(ctx, t.second, c.ID, p.ODS); err != nil {
			tb.Fatal(err)
		}
	}
	t.campaign = must[campaign.Campaign](tb)(db.MoveCampaign(ctx, t.manager, c.ID, campaign.Launch))
	if err := db.ResumeLaunches(ctx); err != nil {
		tb.Fatal(err)
	}
	epoch, ok, err := db.Lead(ctx, "test", time.Hour)
	if err != nil || !ok {
		tb.Fatalf("lead: %v %v", ok, err)
	}
	t.epoch = epoch
	return t
}

func (t *townsfolk) release(tb testing.TB, n int) []campaign.Ring {
	tb.Helper()
	rings := must[[]campaign.Ring](tb)(t.db.Release(context.Background(), t.epoch, []throttle.Decision{{Campaign: campaignKey(t.campaign.ID), At: testCivil, N: n, Limit: throttle.LimitRate, Sentence: "test"}}))
	if len(rings) != n {
		tb.Fatalf("released %d, want %d", len(rings), n)
	}
	return rings
}

// checkCounters compares the pacer's counters with the rows they count.
func (t *townsfolk) checkCounters(tb testing.TB) campaign.Counts {
	tb.Helper()
	counted := must[campaign.View](tb)(t.db.View(context.Background(), t.network.ID, t.campaign.ID)).Counts
	for _, s := range campaign.MessageStates {
		if rows := count(tb, t.db, `SELECT COUNT(*) FROM message WHERE campaign = $1 AND state = $2`, int64(t.campaign.ID), string(s)); rows != int64(counted[s]) {
			tb.Errorf("%d messages are %s, the counter says %d", rows, s, counted[s])
		}
	}
	checkCauses(tb, t.db, int64(t.campaign.ID))
	return counted
}

// checkCauses compares the counters of why messages stand where they do, and those that add up all strata, with what they count.
func checkCauses(tb testing.TB, db *DB, id int64) {
	tb.Helper()
	read := func(query string, args ...any) map[string]int {
		counts := map[string]int{}
		err := db.read(context.Background(), "test", func(tx *Tx) error {
			_, err := list(tx, func(r scanner, _ *struct{}) error {
				var key string
				var n int
				err := r.Scan(&key, &n)
				if n != 0 {
					counts[key] = n
				}
				return err
			}, query, args...)
			return err
		})
		if err != nil {
			tb.Fatal(err)
		}
		return counts
	}
	for _, c := range []struct{ what, rows, counters string }{
		{"did not arrive", `SELECT 'trouble:' || code, COUNT(*) FROM message WHERE campaign = $1 AND state IN ('undelivered', 'failed', 'rejected') GROUP BY code`,
			`SELECT kind, CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = -CAST($1 AS BIGINT) GROUP BY kind`},
		{"withheld", `SELECT CAST(stratum AS TEXT), COUNT(*) FROM message WHERE campaign = $1 AND state = 'suppressed' AND code = 'practice_disagrees' GROUP BY stratum`,
			`SELECT CAST(stratum AS TEXT), CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = $1 AND kind = 'withheld' GROUP BY stratum`},
		{"answers by hour", `SELECT CAST(hour AS TEXT), CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = $1 AND kind = 'answer' GROUP BY hour`,
			`SELECT CAST(hour AS TEXT), CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = $1 AND kind = 'answered' GROUP BY hour`},
		{"starts", `SELECT 'all', CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = $1 AND kind = 'start' HAVING SUM(n) > 0`,
			`SELECT 'all', CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = $1 AND kind = 'started' HAVING SUM(n) > 0`},
	} {
		if rows, counters := read(c.rows, id), read(c.counters, id); !maps.Equal(rows, counters) {
			tb.Errorf("%s: there are %v, the counters say %v", c.what, rows, counters)
		}
	}
}

func (t *townsfolk) state(tb testing.TB, id campaign.MessageID) (s campaign.MessageState) {
	tb.Helper()
	err := t.db.read(context.Background(), "test", func(tx *Tx) error {
		return tx.QueryRow(`SELECT state FROM message WHERE id = $1`, int64(id)).Scan((*string)(&s))
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// phone is whom a ring's text would go to.
func (t *townsfolk) phone(tb testing.TB, r campaign.Ring) person.Phone {
	tb.Helper()
	row := count(tb, t.db, `SELECT p.row FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = $1`, int64(r.Message))
	return testCandidate(tb, int(row)).Phone
}

func TestLifeOfATextOnBothEngines(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 40, nil)
		if c := w.checkCounters(t); c[campaign.Planned] != 40 {
			t.Fatalf("planned %d", c[campaign.Planned])
		}
		rings := w.release(t, 10)
		out := must[campaign.Outgoing](t)(db.Claim(ctx, rings[0]))
		if out.Attempt != 1 || out.Segments < 1 || out.From != "TestPCN" || !out.Synthetic || out.ValidFor != 7*time.Hour {
			t.Errorf("claimed %+v", out)
		}
		tokens := link.In(out.Body)
		if len(tokens) != 2 || tokens[0] != link.Mint(db.sealer.linkKey(), int64(rings[0].Message)) {
			t.Errorf("the text carries %d tokens", len(tokens))
		}
		if _, err := db.Claim(ctx, rings[0]); !errors.Is(err, campaign.ErrTooLate) {
			t.Errorf("claimed twice: %v", err)
		}
		record := func(r campaign.Ring, o campaign.Outcome) {
			t.Helper()
			if err := db.Record(ctx, r, o); err != nil {
				t.Fatal(err)
			}
		}
		record(rings[0], campaign.Outcome{Event: campaign.Accept, SID: "SM1"})
		for _, ev := range []campaign.Event{campaign.Deliver, campaign.ReportSent, campaign.Deliver} { // doubled and out of order
			if err := db.Adopt(ctx, campaign.Evidence{Message: rings[0].Message, Attempt: 1, Event: ev, Kind: "callback", SID: "SM1"}); err != nil {
				t.Fatal(err)
			}
		}
		if s := w.state(t, rings[0].Message); s != campaign.Delivered {
			t.Errorf("state %s", s)
		}
		must[campaign.Outgoing](t)(db.Claim(ctx, rings[1]))
		record(rings[1], campaign.Outcome{Event: campaign.Postpone, Code: "20429", After: time.Minute})
		must[campaign.Outgoing](t)(db.Claim(ctx, rings[2]))
		record(rings[2], campaign.Outcome{Event: campaign.Reject, Code: "21211"})
		must[campaign.Outgoing](t)(db.Claim(ctx, rings[3]))
		record(rings[3], campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"})
		must[campaign.Outgoing](t)(db.Claim(ctx, rings[4]))
		if n := must[int](t)(db.Overrun(ctx, time.Now().Add(time.Minute))); n != 1 {
			t.Errorf("%d overran, want 1", n)
		}
		// The late reply of an overrun attempt is evidence.
		record(rings[4], campaign.Outcome{Event: campaign.Accept, SID: "SM5"})
		for i, want := range []campaign.MessageState{campaign.Delivered, campaign.Planned, campaign.Rejected, campaign.Unknown, campaign.Accepted, campaign.Released} {
			if s := w.state(t, rings[i].Message); s != want {
				t.Errorf("message %d is %s, want %s", i, s, want)
			}
		}
		// A second id for one message rings the alarm.
		if err := db.Adopt(ctx, campaign.Evidence{Message: rings[4].Message, Event: campaign.Accept, Kind: "listing", SID: "SM6"}); err != nil {
			t.Fatal(err)
		}
		v := must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID))
		if len(v.Alarms) != 1 || v.Alarms[0].Code != "two_sids" {
			t.Errorf("alarms %+v", v.Alarms)
		}
		// Money: what is released or further is committed, what was refused is not.
		if n := must[int](t)(db.Recall(ctx, w.epoch)); n != 0 {
			t.Errorf("recalled %d of a running campaign", n)
		}
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, w.manager, w.campaign.ID, campaign.Pause))
		if n := must[int](t)(db.Recall(ctx, w.epoch)); n != 5 {
			t.Errorf("recalled %d, want 5", n)
		}
		c := w.checkCounters(t)
		v = must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID))
		if left := c[campaign.Delivered] + c[campaign.Unknown] + c[campaign.Accepted]; v.Cost != int64(left*out.Segments*240) {
			t.Errorf("committed cost %d for %d texts", v.Cost, left)
		}
		if got := count(t, db, `SELECT COUNT(*) FROM contact`); got != 3 {
			t.Errorf("%d entries in the contact ledger, want 3", got)
		}
	})
}

func TestClaimChecksAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 12, nil)
		rings := w.release(t, 6)
		refused := func(i int, want campaign.MessageState, why string) {
			t.Helper()
			if _, err := db.Claim(ctx, rings[i]); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("%s: claimed: %v", why, err)
			}
			if s := w.state(t, rings[i].Message); s != want {
				t.Errorf("%s: %s, want %s", why, s, want)
			}
		}
		token := func(i int) []byte { return link.Mint(db.sealer.linkKey(), int64(rings[i].Message)).Hash() }
		phone := w.phone(t, rings[0])
		if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: phone, Why: selfrefer.WhyStop, At: now}); err != nil {
			t.Fatal(err)
		}
		refused(0, campaign.Suppressed, "opted out")
		mustWrite(t, db, fmt.Sprintf(`INSERT INTO suppression (network, kind, ix, why, at) SELECT %d, 'nhs', p.nhs_ix, 'died', 0 FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = %d`, w.network.ID, rings[1].Message))
		refused(1, campaign.Suppressed, "died")
		r := selfrefer.Receiver{Keeper: db, Now: cfg.Now}
		if _, err := r.Receive(ctx, selfrefer.Form{ID: "f1", Network: w.network.ID, Source: selfrefer.ByLink, TokenHash: token(2), Answers: selfrefer.Answers{BirthDate: "15/06/1950", Agreed: true}}); err != nil {
			t.Fatal(err)
		}
		if s := w.state(t, rings[2].Message); s != campaign.Accepted {
			t.Errorf("a link that was used proves that its text left, yet it is %s", s)
		}
		mustWrite(t, db, fmt.Sprintf(`INSERT INTO contact (phone_ix, message, campaign, at) SELECT phone_ix, 1, 1, %d FROM message WHERE id = %d`, now.Add(-24*time.Hour).UnixMilli(), rings[3].Message))
		refused(3, campaign.Suppressed, "texted by another campaign yesterday")
		now = testCivil.Add(12 * time.Hour)
		refused(4, campaign.Planned, "window closed")
		now = testCivil
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, w.manager, w.campaign.ID, campaign.Stop))
		refused(5, campaign.Expired, "stopped")
		w.checkCounters(t)
	})
}

// Whoever texts back and then opens the link is not told that the link is used up.
func TestReplyLeavesTheLink(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 2, nil)
		ring := w.release(t, 1)[0]
		must[campaign.Outgoing](t)(db.Claim(ctx, ring))
		token := link.Mint(db.sealer.linkKey(), int64(ring.Message)).Hash()
		r := selfrefer.Receiver{Keeper: db, Now: cfg.Now}
		if err := r.Reply(ctx, selfrefer.Reply{ID: "SM1", Network: w.network.ID, From: w.phone(t, ring), Body: "yes please, can somebody ring me"}); err != nil {
			t.Fatal(err)
		}
		spent := func() bool { return must[selfrefer.Invitation](t)(db.Invitation(ctx, token)).Spent }
		if spent() {
			t.Error("a reply used the link up")
		}
		for _, id := range []string{"a", "b"} {
			if _, err := r.Receive(ctx, selfrefer.Form{ID: id, Network: w.network.ID, Source: selfrefer.ByLink, TokenHash: token, Answers: selfrefer.Answers{BirthDate: "15/06/1950"}}); err != nil {
				t.Fatal(err)
			}
		}
		if !spent() {
			t.Error("a form did not use the link up")
		}
		for lane, want := range map[selfrefer.Lane]int64{selfrefer.Verified: 2, selfrefer.Unverified: 1} {
			if n := count(t, db, `SELECT COUNT(*) FROM referral WHERE lane = $1`, string(lane)); n != want {
				t.Errorf("%d referrals are %s, want %d", n, lane, want)
			}
		}
	})
}

func TestOneOfManyClaimsWins(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		w := launched(t, db, 8, nil)
		for _, r := range w.release(t, 8) {
			var won atomic.Int32
			var wg sync.WaitGroup
			for range 12 {
				wg.Go(func() {
					_, err := db.Claim(context.Background(), r)
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, campaign.ErrTooLate) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("%d claims of one message won", won.Load())
			}
		}
		w.checkCounters(t)
	})
}

// Once an opt-out is acknowledged, no claim commits; a claim that came first stands. There is no third order.
func TestOptOutRacesClaim(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		const n = 200
		db := mustOpen(t, cfg)
		w := launched(t, db, n, nil)
		claimed := 0
		for i, r := range w.release(t, n) {
			var atAnswer campaign.MessageState
			var both sync.WaitGroup
			phone := w.phone(t, r)
			both.Go(func() {
				err := db.OptOut(context.Background(), selfrefer.OptOut{Network: w.network.ID, Phone: phone, Why: selfrefer.WhyStop, At: testCivil})
				if err != nil {
					t.Error(err)
				}
				atAnswer = w.state(t, r.Message)
			})
			both.Go(func() {
				time.Sleep(time.Duration(i%8) * 200 * time.Microsecond)
				if _, err := db.Claim(context.Background(), r); err != nil && !errors.Is(err, campaign.ErrTooLate) {
					t.Error(err)
				}
			})
			both.Wait()
			switch got := w.state(t, r.Message); {
			case got == campaign.Sending && atAnswer != campaign.Sending:
				t.Error("claimed after an acknowledged opt-out")
			case got == campaign.Sending:
				claimed++
			case got != campaign.Suppressed:
				t.Errorf("it is %s", got)
			}
		}
		if claimed == 0 || claimed == n {
			t.Logf("%d of %d claims came first: there was no race", claimed, n)
		}
		w.checkCounters(t)
	})
}

func TestUnknownIsClearedOnlyWithoutEvidence(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		db.Settle = 0
		w := launched(t, db, 4, nil)
		rings := w.release(t, 3)
		for _, r := range rings {
			must[campaign.Outgoing](t)(db.Claim(ctx, r))
			if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}); err != nil {
				t.Fatal(err)
			}
		}
		lister := &listing{}
		s := campaign.Reconciler{Store: db, Lister: lister, Log: db.log}
		tick := func() {
			t.Helper()
			if err := s.Tick(ctx, w.epoch, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		lister.err = errors.New("the provider is away")
		tick()
		tick()
		tick()
		lister.err = nil
		lister.body = link.URL("https://test.example", link.Mint(db.sealer.linkKey(), int64(rings[1].Message)))
		tick() // first complete listing: one is found
		if err := db.LinkSeen(ctx, link.Mint(db.sealer.linkKey(), int64(rings[2].Message)).Hash()); err != nil {
			t.Fatal(err)
		}
		if got := w.state(t, rings[0].Message); got != campaign.Unknown {
			t.Errorf("after one empty listing: %s", got)
		}
		tick()
		for i, want := range []campaign.MessageState{campaign.Planned, campaign.Sent, campaign.Accepted} {
			if got := w.state(t, rings[i].Message); got != want {
				t.Errorf("message %d: %s, want %s", i, got, want)
			}
		}
		// An old epoch clears nothing.
		r := w.release(t, 1)[0]
		must[campaign.Outgoing](t)(db.Claim(ctx, r))
		_ = db.Record(ctx, r, campaign.Outcome{Event: campaign.LoseSight})
		err := db.Clear(ctx, w.epoch-1, campaign.Doubtful{Message: r.Message, Attempt: r.Attempt + 1}, campaign.Clear, "")
		if !errors.Is(err, campaign.ErrConflict) || w.state(t, r.Message) != campaign.Unknown {
			t.Errorf("a deposed leader cleared a message: %v", err)
		}
		w.checkCounters(t)
	})
}

// listing is the provider's record: every number has got the text body, if it is not empty.
type listing struct {
	body string
	all  []campaign.Listed
	err  error
}

func (l *listing) List(_ context.Context, to person.Phone) ([]campaign.Listed, error) {
	return []campaign.Listed{{SID: "SM" + l.body, To: to, Body: l.body, Status: "sent"}}, l.err
}

func (l *listing) ListAll(_ context.Context, each func(campaign.Listed) error) error {
	for _, x := range l.all {
		if err := each(x); err != nil {
			return err
		}
	}
	return l.err
}

func (l *listing) Newest(context.Context) ([]campaign.Listed, error) {
	return l.all[max(0, len(l.all)-200):], l.err
}

// A restored backup does not know what left since. Without the quarantine the texts of the lost hours would go again.
func TestRestoredBackupTextsNobodyTwice(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	cfg.Serve = true
	db := must[*DB](t)(Open(ctx, cfg))
	w := launched(t, db, 60, nil)
	provider := &listing{}
	send := func(db *DB, rings []campaign.Ring) {
		for _, r := range rings {
			out, err := db.Claim(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			provider.all = append(provider.all, campaign.Listed{SID: fmt.Sprintf("SM%d", len(provider.all)), To: out.To, Body: out.Body, Status: "delivered", At: testCivil})
			if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: provider.all[len(provider.all)-1].SID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(db, w.release(t, 10))
	if err := db.Tick(); err != nil {
		t.Fatal(err)
	}
	mustClose := func(db *DB) {
		t.Helper()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(db)
	file := filepath.Join(cfg.DataDir, "wellpaced.db")
	backup := must[[]byte](t)(os.ReadFile(file))

	db = must[*DB](t)(Open(ctx, cfg))
	w.db = db
	if restored := must[campaign.Halt](t)(db.Examine(ctx)).On(); restored {
		t.Fatal("an ordinary restart looks like a restored backup")
	}
	time.Sleep(2 * time.Millisecond) // intents are told apart by machine milliseconds
	w.epoch, _, _ = db.Lead(ctx, "test", time.Hour)
	lost := w.release(t, 20)
	send(db, lost)
	texted := map[string]bool{}
	for _, l := range provider.all {
		texted[l.To.Reveal()] = true
	}
	for i := 1; ; i++ { // a reply of STOP to an earlier text, from somebody who has not been texted by this campaign
		if p := testCandidate(t, i).Phone; !texted[p.Reveal()] {
			if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: p, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	mustClose(db)
	for _, name := range []string{file + "-wal", file + "-shm"} {
		_ = os.Remove(name)
	}
	if err := os.WriteFile(file, backup, 0o600); err != nil {
		t.Fatal(err)
	}

	db = mustOpen(t, cfg)
	w.db = db
	if restored := must[campaign.Halt](t)(db.Examine(ctx)).On(); !restored {
		t.Fatal("a restored backup was not noticed")
	}
	q := campaign.Quarantine{Store: db, Record: provider, Leads: true, Holder: "test", Log: db.log, Machine: cfg.Machine}
	q.Tick(ctx)
	if restored := must[campaign.Halt](t)(db.Examine(ctx)).On(); restored {
		t.Error("the quarantine does not end")
	}
	c := w.checkCounters(t)
	if c[campaign.Delivered] != 30 || c[campaign.Planned] != 30 {
		t.Errorf("after the quarantine: %v", c)
	}
	w.epoch, _, _ = db.Lead(ctx, "test", time.Hour)
	refused := 0
	for _, r := range w.release(t, 30) {
		out, err := db.Claim(ctx, r)
		if errors.Is(err, campaign.ErrTooLate) {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if texted[out.To.Reveal()] {
			t.Error("texted twice after a restore")
		}
	}
	if refused != 1 {
		t.Errorf("%d refused, want the one whose opt-out only the journal still knew", refused)
	}
}

func TestLaunchGoesOnWhereItWasKilled(t *testing.T) {
	ctx := context.Background()
	db := mustOpen(t, testConfig(t))
	w := launched(t, db, 1200, nil)
	order := func() (ids []string) {
		err := db.read(ctx, "order", func(tx *Tx) error {
			rows, err := tx.Query(`SELECT p.row FROM message m JOIN patient p ON p.id = m.patient WHERE m.campaign = $1 ORDER BY m.place, m.id`, int64(w.campaign.ID))
			if err != nil {
				return err
			}
			got, err := scanIDs(rows)
			for _, g := range got {
				ids = append(ids, fmt.Sprint(g))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	want := order()
	// As if the process had been killed after the first chunk.
	first := count(t, db, `SELECT id FROM patient WHERE audience = $1 ORDER BY id LIMIT 1 OFFSET 499`, int64(w.campaign.Audience))
	mustWrite(t, db,
		fmt.Sprintf(`DELETE FROM message WHERE campaign = %d AND patient > %d`, w.campaign.ID, first),
		fmt.Sprintf(`DELETE FROM tally WHERE owner = %d`, w.campaign.ID),
		fmt.Sprintf(`INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n) SELECT %d, 'is:planned', stratum, 0, 0, 0, COUNT(*) FROM message WHERE campaign = %d GROUP BY stratum`, w.campaign.ID, w.campaign.ID),
		fmt.Sprintf(`UPDATE campaign SET planning = %d WHERE id = %d`, first, w.campaign.ID))
	if err := db.ResumeLaunches(ctx); err != nil {
		t.Fatal(err)
	}
	if c := w.checkCounters(t); c[campaign.Planned] != 1200 {
		t.Errorf("planned %d after the restart", c[campaign.Planned])
	}
	if got := order(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("the order of sending changed")
	}
}

func TestReminderOnlyForWhoHasNotAnswered(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := launched(t, db, 6, func(c *campaign.Campaign) {
			c.Steps = append(c.Steps, campaign.Step{Number: 2, Template: campaign.DefaultText, AfterDays: 8})
		})
		rings := w.release(t, 6)
		for _, r := range rings {
			must[campaign.Outgoing](t)(db.Claim(ctx, r))
			for _, e := range []campaign.Event{campaign.Accept, campaign.Deliver} {
				if err := db.Adopt(ctx, campaign.Evidence{Message: r.Message, Event: e, Kind: "callback", SID: fmt.Sprint(r.Message)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		r := selfrefer.Receiver{Keeper: db, Now: cfg.Now}
		_, err := r.Receive(ctx, selfrefer.Form{ID: "f1", Network: w.network.ID, Source: selfrefer.ByLink, TokenHash: link.Mint(db.sealer.linkKey(), int64(rings[0].Message)).Hash(), Answers: selfrefer.Answers{BirthDate: "15/06/1950"}})
		if err != nil {
			t.Fatal(err)
		}
		finish := func() {
			t.Helper()
			if err := db.Finish(ctx, w.epoch); err != nil {
				t.Fatal(err)
			}
		}
		now = now.AddDate(0, 0, 7)
		finish()
		if c := w.checkCounters(t); c[campaign.Planned] != 0 {
			t.Errorf("%d reminders a day too early", c[campaign.Planned])
		}
		now = now.AddDate(0, 0, 1).Add(time.Minute)
		finish()
		finish()
		if c := w.checkCounters(t); c[campaign.Planned] != 5 {
			t.Errorf("%d reminders, want 5: one has answered", c[campaign.Planned])
		}
		// The contact ledger excepts this campaign's own later steps.
		if _, err := db.Claim(ctx, w.release(t, 1)[0]); err != nil {
			t.Errorf("claim a reminder: %v", err)
		}
	})
}
