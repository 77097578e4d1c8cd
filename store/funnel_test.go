package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// crowd gives a campaign many people at once, each with a text in some state.
type crowd struct {
	*world
	now   time.Time
	epoch int64
}

func newCrowd(t *testing.T, cfg Config) *crowd {
	c := &crowd{now: testCivil}
	cfg.Now = func() time.Time { return c.now }
	c.world = mustWorld(t, mustOpen(t, cfg))
	c.write(`UPDATE campaign SET launched_at = $1, policy = '{"price":1}', steps = '[{"number":1,"template":"x"}]' WHERE id = $2`, testCivil.UnixMilli(), c.campaign)
	var err error
	c.epoch, _, err = c.db.Lead(context.Background(), "test", time.Hour)
	c.must(err)
	return c
}

// soul is one of the crowd: what became of a text.
type soul struct {
	practice, band, language, sector  string
	state                             campaign.MessageState
	sent, delivered, opened, answered time.Time
	seen                              bool
	contacted                         time.Time
	supported                         bool
	code                              string
	step                              int
	again                             int64 // the patient, if they have had a text already
	stratum                           int
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (c *crowd) add(s soul) int64 {
	c.tb.Helper()
	patient, message := s.again, c.db.newID()
	if patient == 0 {
		patient = c.db.newID()
		sealed, err := c.db.sealPerson("patient", patient, agnes)
		c.must(err)
		c.write(`INSERT INTO patient (id, audience, row, invited, practice, age_band, sex, language, sector, person, phone_ix, nhs_ix)
			VALUES ($1, $2, 1, true, $3, $4, 'female', $5, $6, $7, $8, $8)`, patient, c.audience, s.practice, s.band, s.language, s.sector, sealed, fmt.Appendf(nil, "ix %d", patient))
	}
	step := max(s.step, 1)
	c.write(`INSERT INTO message (id, campaign, step, patient, stratum, place, state, attempt, rings, shared, not_before, batch, released_at, deadline,
			look_at, looks, code, cost, token, phone_ix, sent_at, delivered_at, opened_at, answered_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, false, 0, 0, 0, 0, 0, 0, $8, 0, $9, $10, $11, $12, $13, $14)`,
		message, c.campaign, step, patient, s.stratum, message%(1<<53), string(s.state), s.code, fmt.Appendf(nil, "token %d", message), fmt.Appendf(nil, "ix %d", patient),
		ms(s.sent), ms(s.delivered), ms(s.opened), ms(s.answered))
	c.must(c.db.write(context.Background(), "test", func(tx *Tx) error { return c.db.bumpCause(tx, c.campaign, int64(s.stratum), s.state, s.code, 1) }))
	if s.seen {
		c.write(`INSERT INTO evidence (message, attempt, kind, event, sid, code, at) VALUES ($1, 1, 'link_seen', 'accept', '', '', $2)`, message, ms(s.sent))
	}
	if !s.contacted.IsZero() || s.supported {
		id, state := c.db.newID(), "contacting"
		if s.supported {
			state = "in_support"
		}
		c.write(`INSERT INTO referral (id, network, team, campaign, message, patient, form_ix, reference, state, lane, urgent, source, not_matched, practice, language, received_at, due_at,
				contact_by, claimed_by, claimed_at, contacted_at, attempts, closed_at, person, phone_ix, nhs_ix)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'verified', false, 'link', '', '', '', $10, 0, 0, 0, 0, $11, 0, 0, $7, $7, $7)`,
			id, int64(c.network.ID), int64(c.team.ID), c.campaign, message, patient, fmt.Appendf(nil, "form %d", message), fmt.Sprint(id), state, ms(s.answered), ms(s.contacted))
		if s.supported {
			c.write(`INSERT INTO referral_event (id, referral, at, account, event, channel) VALUES ($1, $2, $3, 0, 'start_support', '')`, c.db.newID(), id, ms(s.contacted))
		}
	}
	return patient
}

func (c *crowd) finish() campaign.Funnel {
	c.tb.Helper()
	c.must(c.db.Finish(context.Background(), c.epoch))
	f, err := c.db.Funnel(context.Background(), c.network.ID, campaign.ID(c.campaign))
	c.must(err)
	return f
}

func TestFunnelCountsAsOfMidnight(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		c := newCrowd(t, cfg)
		at := testCivil.Add(time.Hour)
		base := soul{practice: "N83001", band: "18-39", language: "Polish", sector: "L32 8", sent: at}
		with := func(change func(*soul)) soul {
			s := base
			change(&s)
			return s
		}
		for range 6 {
			c.add(with(func(s *soul) { s.state, s.sent = campaign.Planned, time.Time{} }))
			c.add(with(func(s *soul) { s.state, s.code = campaign.Undelivered, "30005" }))
			c.add(with(func(s *soul) { s.state, s.delivered = campaign.Sent, at })) // no receipt came
			c.add(with(func(s *soul) { s.state, s.delivered, s.seen = campaign.Delivered, at, true }))
			c.add(with(func(s *soul) { s.state, s.delivered, s.opened = campaign.Delivered, at, at }))
			c.add(with(func(s *soul) { s.state, s.delivered, s.answered = campaign.Delivered, at, at })) // by a text
			c.add(with(func(s *soul) { s.state, s.delivered, s.answered, s.contacted = campaign.Delivered, at, at, at }))
			c.add(with(func(s *soul) {
				s.state, s.delivered, s.answered, s.contacted, s.supported = campaign.Delivered, at, at, at, true
			}))
			// Whoever has had two texts is one person, who came as far as with the better of them.
			again := c.add(with(func(s *soul) { s.state, s.delivered = campaign.Delivered, at }))
			c.add(with(func(s *soul) {
				s.again, s.step, s.state, s.delivered, s.answered = again, 2, campaign.Delivered, at, at
			}))
			// What happens today is of tomorrow's page.
			c.add(with(func(s *soul) { s.state, s.delivered, s.answered = campaign.Delivered, at, testCivil.Add(30*time.Hour) }))
		}
		c.now = testCivil.Add(2 * time.Hour)
		if f := c.finish(); !f.CountedTo.IsZero() {
			t.Fatalf("on the day of the launch: %+v", f)
		}
		c.now = testCivil.Add(26 * time.Hour)
		f := c.finish()
		if want := (campaign.Reached{60, 54, 48, 36, 30, 24, 12, 6}); f.All != want {
			t.Errorf("all are %v, not %v", f.All, want)
		}
		if want := time.Date(2026, 6, 1, 23, 0, 0, 0, time.UTC); !f.CountedTo.Equal(want) { // midnight in summer time
			t.Errorf("counted to %v, not %v", f.CountedTo, want)
		}
		if g := f.Groups[campaign.ByLanguage]; len(g) != 1 || g[0].Name != "pl" || g[0].N != f.All {
			t.Errorf("by language: %+v", g)
		}
		troubles, err := c.db.Troubles(context.Background(), c.network.ID, campaign.ID(c.campaign))
		c.must(err)
		if !slices.Equal(troubles, []campaign.Trouble{{Code: "30005", Texts: 6}}) {
			t.Errorf("the troubles are %v", troubles)
		}
		// The next day has what happened since; the same day is not counted twice.
		c.add(with(func(s *soul) { s.state, s.delivered, s.sent = campaign.Delivered, c.now, c.now }))
		if again := c.finish(); again.All != f.All {
			t.Errorf("counted again on the same day: %v", again.All)
		}
		c.now = testCivil.Add(50 * time.Hour)
		if next := c.finish(); next.All[campaign.ReachedInvited] != 61 || next.All[campaign.ReachedSent] != 30 {
			t.Errorf("on the next day all are %v", next.All)
		}
		// Networks are walls.
		_, err = c.db.Funnel(context.Background(), c.stranger.Network, campaign.ID(c.campaign))
		wantErr(t, err, campaign.ErrNotFound)
		_, err = c.db.Troubles(context.Background(), c.stranger.Network, campaign.ID(c.campaign))
		wantErr(t, err, campaign.ErrNotFound)
	})
}

// A campaign that began with districts keeps them; one that begins when the deciles are there has these.
func TestFunnelByDeprivation(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		c := newCrowd(t, cfg)
		for range 7 {
			c.add(soul{practice: "N83001", band: "80+", sector: "L32 8", state: campaign.Planned})
			c.add(soul{practice: "N83001", band: "80+", sector: "L33 1", language: "Somali", state: campaign.Planned})
		}
		c.now = testCivil.Add(26 * time.Hour)
		if f := c.finish(); f.Deprived || len(f.Groups[campaign.ByDistrict]) != 2 {
			t.Fatalf("before there are deciles: %+v", f)
		} else if g := f.Groups[campaign.ByLanguage]; len(g) != 1 || g[0].Name != "" { // no word of a language, and one that we do not write in
			t.Errorf("by language: %+v", g)
		}
		manager := staff.Account{ID: 7, Network: c.network.ID, Role: staff.CampaignManager}
		c.must(c.db.SetDeprivation(ctx, manager, campaign.Deprivation{Sectors: map[string]int{"L32 8": 9}, Rows: 1, Used: 1}))
		c.must(c.db.SetDeprivation(ctx, manager, campaign.Deprivation{Sectors: map[string]int{"L32 8": 2}, Rows: 1, Used: 1}))
		d, err := c.db.Deprivation(ctx, c.network.ID)
		c.must(err)
		if d.Decile("L32 8") != "2" || !d.At.Equal(c.now) {
			t.Errorf("the deciles are %+v", d)
		}
		if n := c.count(`SELECT COUNT(*) FROM audit WHERE target = 'deprivation' AND account = 7`); n != 2 {
			t.Errorf("%d entries in the audit", n)
		}
		if d, err := c.db.Deprivation(ctx, c.stranger.Network); err != nil || !d.At.IsZero() {
			t.Errorf("another network has %+v, %v", d, err)
		}
		c.now = testCivil.Add(50 * time.Hour)
		if f := c.finish(); f.Deprived || len(f.Groups[campaign.ByDeprivation]) > 0 {
			t.Errorf("the same campaign shows both: %+v", f)
		}
		c.write(`DELETE FROM funnel`)
		c.now = testCivil.Add(74 * time.Hour)
		f := c.finish()
		if g := f.Groups[campaign.ByDeprivation]; !f.Deprived || len(f.Groups[campaign.ByDistrict]) > 0 || len(g) != 2 || g[0].Name != "" || g[1].Name != "2" {
			t.Errorf("by deprivation: %+v", f)
		}
	})
}

// A long list is counted in chunks, a person with two texts at the edge of one once.
func TestFunnelCountsALongListInChunks(t *testing.T) {
	c := newCrowd(t, testConfig(t))
	first := c.add(soul{practice: "N83001", band: "80+", sector: "L32 8", state: campaign.Planned})
	const people = headChunk + 10
	c.write(fmt.Sprintf(`INSERT INTO patient SELECT id + n, audience, row, invited, practice, age_band, sex, language, sector, person, CAST(n AS BLOB), nhs_ix FROM patient,
		(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT n FROM c) WHERE id = $1`, people-1), first)
	c.write(`INSERT INTO message (id, campaign, step, patient, stratum, place, state, attempt, rings, shared, not_before, batch, released_at, deadline,
			look_at, looks, code, cost, token, phone_ix, sent_at, delivered_at, opened_at, answered_at)
		SELECT id + $1, $2, 1, id, 0, id, 'planned', 0, 0, false, 0, 0, 0, 0, 0, 0, '', 0, CAST(id AS BLOB), phone_ix, 0, 0, 0, 0 FROM patient WHERE id > $3`, int64(1)<<40, c.campaign, first)
	edge := c.count(`SELECT patient FROM message ORDER BY patient LIMIT 1 OFFSET $1`, headChunk-1)
	c.add(soul{again: edge, step: 2, state: campaign.Delivered, sent: testCivil, delivered: testCivil})
	c.now = testCivil.Add(26 * time.Hour)
	if f := c.finish(); !f.CountedTo.IsZero() {
		t.Fatal("all were counted in one round")
	}
	if f := c.finish(); f.All[campaign.ReachedInvited] != people || f.All[campaign.ReachedDelivered] != 1 {
		t.Fatalf("%d people are counted as %v", people, f.All)
	}
}

// A reminder that goes to the least heard first: the turns are fixed when it begins, and what was answered later changes nothing.
func TestRemindersOfTheLeastHeardGoFirst(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		c := newCrowd(t, cfg)
		b, err := json.Marshal(strata{Names: []string{"N83001 18-39", "N83001 80+", "N83001 18-39 step 2", "N83001 80+ step 2"}, Sizes: []int{4, 4, 0, 0}, Base: 2})
		c.must(err)
		text := `Hello ((first_name)), this is ((practice)). ((link)) ((stop_link))`
		steps, err := json.Marshal([]campaign.Step{{Number: 1, Template: text}, {Number: 2, Template: text, AfterDays: 7, LeastFirst: true}})
		c.must(err)
		c.write(`UPDATE campaign SET strata = $1, steps = $2 WHERE id = $3`, string(b), string(steps), c.campaign)
		bump := func(kind string, stratum int64, n int) {
			c.must(c.db.write(ctx, "test", func(tx *Tx) error { return c.db.bump(tx, c.campaign, kind, stratum, 1, 0, n) }))
		}
		c.write(`INSERT INTO practice_approval (campaign, ods, account, at) VALUES ($1, 'N83001', 1, 1)`, c.campaign)
		bump(tallyDelivered, 0, 1000)
		bump(tallyDelivered, 1, 1000)
		bump(tallyAnswer, 0, 40)
		bump(tallyAnswer, 1, 5)
		bump(stateTally(campaign.Planned), 0, 1) // it is not over
		delivered := func(stratum, days int) {
			at := testCivil.AddDate(0, 0, days)
			c.add(soul{practice: "N83001", band: "x", stratum: stratum, state: campaign.Delivered, sent: at, delivered: at})
		}
		for range 4 {
			delivered(0, 0)
			delivered(1, 0)
		}
		answered := testCivil
		c.add(soul{practice: "N83001", band: "x", stratum: 1, state: campaign.Delivered, sent: answered, delivered: answered, answered: answered})
		c.now = testCivil.AddDate(0, 0, 8)
		c.must(c.db.Finish(ctx, c.epoch))
		order := func() (all []int64) {
			c.must(c.db.read(ctx, "test", func(tx *Tx) error {
				rows, err := tx.Query(`SELECT stratum FROM message WHERE step = 2 ORDER BY place`)
				if err != nil {
					return err
				}
				all, err = scanIDs(rows)
				return err
			}))
			return all
		}
		if got := order(); !slices.Equal(got, []int64{3, 3, 3, 3, 2, 2, 2, 2}) {
			t.Fatalf("the order of the reminders is %v", got)
		}
		// The old have answered since; those whose reminder is due later keep their turn.
		bump(tallyAnswer, 1, 500)
		delivered(0, 3)
		delivered(1, 3)
		c.now = testCivil.AddDate(0, 0, 11)
		c.must(c.db.Finish(ctx, c.epoch))
		if got := order(); !slices.Equal(got, []int64{3, 3, 3, 3, 3, 2, 2, 2, 2, 2}) {
			t.Fatalf("then it is %v", got)
		}
	})
}

// The shares of a campaign that was launched come from its strata, and say the same.
func TestPracticeSharesOfALaunchedCampaign(t *testing.T) {
	c := newCrowd(t, testConfig(t))
	for i, practice := range []string{"N83001", "N83001", "N83002", ""} {
		c.add(soul{practice: practice, band: []string{"18-39", "80+", "80+", "80+"}[i], state: campaign.Planned})
	}
	c.write(`INSERT INTO practice_approval (campaign, ods, account, at) VALUES ($1, 'N83002', 1, 1)`, c.campaign)
	counted, err := c.db.PracticeShares(context.Background(), c.network.ID, campaign.ID(c.campaign))
	c.must(err)
	c.write(`UPDATE campaign SET strata = '{"names":[" 80+","N83001 18-39","N83001 80+","N83002 80+"," 80+ step 2"],"sizes":[1,1,1,1,0],"base":4}' WHERE id = $1`, c.campaign)
	added, err := c.db.PracticeShares(context.Background(), c.network.ID, campaign.ID(c.campaign))
	c.must(err)
	want := []campaign.PracticeShare{{ODS: "", Invited: 1}, {ODS: "N83001", Invited: 2}, {ODS: "N83002", Invited: 1, Approved: true, Word: campaign.Agrees, At: timeOf(1)}}
	if !slices.Equal(counted, want) || !slices.Equal(added, want) {
		t.Errorf("counted %v, added up %v, want %v", counted, added, want)
	}
}

// A page adds up the answers of all strata by day; what is counted late into an earlier day is seen too.
func TestPagesAddUpAnswersByDay(t *testing.T) {
	ctx := context.Background()
	for _, serve := range []bool{false, true} {
		cfg := testConfig(t)
		cfg.Serve = serve
		c := newCrowd(t, cfg)
		bump := func(kind string, stratum int64, at time.Time, n int) {
			c.must(c.db.write(ctx, "test", func(tx *Tx) error {
				return c.db.bump(tx, c.campaign, kind, stratum, hourOf(at.UnixMilli()), hourOf(testCivil.UnixMilli()), n)
			}))
		}
		today := testCivil.AddDate(0, 0, 2)
		c.now = today
		look := func(answers, first, second, third int) {
			t.Helper()
			v, err := c.db.View(ctx, c.network.ID, campaign.ID(c.campaign))
			c.must(err)
			days, err := c.db.Days(ctx, c.network.ID, campaign.ID(c.campaign))
			c.must(err)
			var by []int
			for _, d := range days {
				by = append(by, d.Answers)
			}
			if v.Answers != answers || v.Opened != 7 || !slices.Equal(by, []int{first, second, third}) {
				t.Errorf("serving %t: %d answers, %d opened, by day %v; want %d: %d, %d, %d", serve, v.Answers, v.Opened, by, answers, first, second, third)
			}
		}
		bump(tallyStart, 1, testCivil, 7)
		bump(tallyAnswer, 1, testCivil, 3)
		bump(tallyAnswer, 2, testCivil.Add(26*time.Hour), 4)
		bump(tallyAnswer, 2, today, 5)
		look(12, 3, 4, 5)
		bump(tallyAnswer, 1, today, 1)
		bump(tallyAnswer, 1, testCivil.Add(time.Hour), 2)
		look(15, 5, 4, 6)
	}
}
