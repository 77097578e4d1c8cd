package store

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// another adds a paused campaign to a network, on a list that is made up or not.
func (w *world) another(n staff.NetworkID, team staff.TeamID, synthetic bool) campaign.ID {
	w.tb.Helper()
	list, id := w.db.newID(), w.db.newID()
	w.write(`INSERT INTO audience (id, network, name, state, synthetic, created_by, created_at, screened_at, ledger)
		VALUES ($1, $2, 'list', 'screened', $3, 0, 0, 0, '{}')`, list, int64(n), synthetic)
	w.write(`INSERT INTO campaign (id, network, team, audience, name, state, steps, policy, seed, approved_hash, held, strata, memory, planning, segments,
			created_by, submitted_by, approved_by, created_at, launched_at, finished_at)
		VALUES ($1, $2, $3, $4, 'autumn', 'paused', '[]', '{}', 1, '', '', '{}', '{}', -1, 1, 0, 0, 0, 0, 1, 0)`, id, int64(n), int64(team), list)
	return campaign.ID(id)
}

// counts enters texts, and of each stratum the answers that came three hours later.
func (w *world) counts(id campaign.ID, delivered time.Time, texts int, answers ...int) {
	w.tb.Helper()
	hour := hourOf(delivered.UnixMilli())
	w.must(w.db.write(context.Background(), "counts", func(tx *Tx) error {
		for s, n := range answers {
			if err := w.db.bump(tx, int64(id), tallyDelivered, int64(s), hour, 0, texts); err != nil {
				return err
			}
			if err := w.db.bump(tx, int64(id), tallyAnswer, int64(s), hour+3, hour, n); err != nil {
				return err
			}
			if err := w.db.bump(tx, int64(id), tallyStart, int64(s), hour+3, 0, 2*n); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (w *world) priors(team staff.TeamID) map[campaign.ID]*throttle.Prior {
	w.tb.Helper()
	s := must[campaign.Snapshot](w.tb)(w.db.Snapshot(context.Background(), team))
	all := map[campaign.ID]*throttle.Prior{}
	for i, c := range s.Policy.Campaigns {
		all[campaign.ID(mustInt(w.tb, c.ID))] = s.Policy.Campaigns[i].Prior
	}
	return all
}

func mustInt(tb testing.TB, s string) (n int64) {
	tb.Helper()
	if err := json.Unmarshal([]byte(s), &n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// What a campaign taught is kept when it has ended, learned again while late answers come, and expected by the network's other campaigns
// on lists of the same kind, and by nobody else.
func TestLessons(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		epoch, _, err := w.db.Lead(ctx, "test", time.Hour)
		w.must(err)
		first := campaign.ID(w.campaign) // on a made-up list
		w.write(`UPDATE campaign SET strata = '{"names":["a","b","a step 2","b step 2"],"sizes":[1000,1000,0,0],"base":2}', launched_at = 1 WHERE id = $1`, w.campaign)
		w.counts(first, now.AddDate(0, 0, -20), 1000, 20, 20, 300, 300) // of reminders, many more answer
		next := w.another(w.network.ID, w.team.ID, true)
		realList := w.another(w.network.ID, w.team.ID, false)
		var far staff.Team
		far, err = w.db.CreateTeam(ctx, staff.Team{Network: w.stranger.Network, Name: "Far"})
		w.must(err)
		elsewhere := w.another(w.stranger.Network, far.ID, true)

		lessons := func() int64 { return w.count(`SELECT COUNT(*) FROM lesson`) }
		if w.must(w.db.learn(ctx, epoch)); lessons() != 0 {
			t.Fatal("a campaign that runs has taught already")
		}
		w.write(`UPDATE campaign SET state = 'stopped', finished_at = $1 WHERE id = $2`, now.UnixMilli(), w.campaign)
		wantErr(t, w.db.learn(ctx, epoch+1), campaign.ErrConflict)
		w.must(w.db.Finish(ctx, epoch))
		if lessons() != 1 {
			t.Fatalf("%d lessons", lessons())
		}
		p := w.priors(w.team.ID)
		if p[next] == nil || p[first] != nil || p[realList] != nil || w.priors(far.ID)[elsewhere] != nil {
			t.Fatalf("priors %+v", p)
		}
		if m := p[next].Mean; m < .017 || m > .024 { // of the invitation, 40 of 2,000
			t.Errorf("%.4f are expected to answer, want about .02", m)
		}
		if s := p[next].Starts; math.Abs(s-2) > .01 {
			t.Errorf("%.2f starts per answer, want 2", s)
		}

		learned := func() int64 { return w.count(`SELECT learned_at FROM lesson`) }
		late := now.Add(2 * time.Hour)
		w.counts(first, late, 0, 40)
		now = now.Add(23 * time.Hour)
		if w.must(w.db.learn(ctx, epoch)); learned() != testCivil.UnixMilli() {
			t.Error("it is learned again within the day")
		}
		now = now.Add(2 * time.Hour)
		before := p[next].Mean
		if w.must(w.db.learn(ctx, epoch)); learned() != now.UnixMilli() || lessons() != 1 {
			t.Error("late answers are not learned")
		}
		if m := w.priors(w.team.ID)[next].Mean; m < 1.5*before {
			t.Errorf("late answers do not count: %.4f, before %.4f", m, before)
		}
		now = testCivil.AddDate(0, 2, 0)
		w.must(w.db.learn(ctx, epoch))
		last := learned()
		now = now.AddDate(0, 2, 0)
		if w.must(w.db.learn(ctx, epoch)); last != testCivil.AddDate(0, 2, 0).UnixMilli() || learned() != last {
			t.Error("a lesson does not come to rest")
		}
		if w.priors(w.team.ID)[next] == nil {
			t.Error("an old lesson is forgotten")
		}
	})
}

func TestConfirmLink(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		w := mustWorld(t, mustOpen(t, cfg))
		id := campaign.ID(w.campaign)
		wantErr(t, w.db.ConfirmLink(ctx, w.senior, id), campaign.ErrNotNow)
		w.write(`UPDATE campaign SET memory = $1 WHERE id = $2`, `{"silence":{"from":`+campaignKey(campaign.ID(testCivil.Unix()-3600))+`,"to":`+campaignKey(campaign.ID(testCivil.Unix()))+`}}`, w.campaign)
		view := func() campaign.View { return must[campaign.View](t)(w.db.View(ctx, w.network.ID, id)) }
		if v := view(); !v.Silent.Equal(testCivil.Add(-time.Hour)) || !v.Checked.IsZero() {
			t.Errorf("silent since %v, checked %v", v.Silent, v.Checked)
		}
		wantErr(t, w.db.ConfirmLink(ctx, w.stranger, id), campaign.ErrNotFound)
		for range 2 {
			w.must(w.db.ConfirmLink(ctx, w.senior, id))
		}
		if n := w.count(`SELECT COUNT(*) FROM audit WHERE action = 'campaign.run' AND account = $1 AND outcome = 'done'`, int64(w.senior.ID)); n != 1 {
			t.Errorf("%d entries in the audit, want 1", n)
		}
		if v := view(); v.Checked.IsZero() {
			t.Error("the page does not know that somebody has looked")
		}
		s := must[campaign.Snapshot](t)(w.db.Snapshot(ctx, w.team.ID))
		if r := s.State.Campaigns[0].Resumed; r.Unix() <= testCivil.Unix() {
			t.Errorf("resumed %v: not after the alarm, the pacer would not hear of it", r)
		}
		if d := throttle.Decide(testCivil.Add(time.Minute), s.Policy, s.State)[0]; d.Limit == throttle.LimitSilence || d.Memory.Silence != nil || len(d.Memory.Quiet) != 1 {
			t.Errorf("the pacer still waits: %s, %+v", d.Limit, d.Memory)
		}
		w.write(`UPDATE campaign SET state = 'stopped' WHERE id = $1`, w.campaign)
		wantErr(t, w.db.ConfirmLink(ctx, w.senior, id), campaign.ErrNotNow)
		if v := view(); !v.Silent.IsZero() {
			t.Error("a campaign that is over waits for somebody")
		}
	})
}

// A database of every earlier schema comes up with what stands in it.
func TestUpgrade(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		target, err := parseTarget(cfg.Database, cfg.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		_, newest, err := MigrateOnly(ctx, testConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		for version := int64(1); version < newest; version++ {
			c := cfg
			c.DataDir, c.Keys = t.TempDir(), t.TempDir()+"/keys"
			if target.engine == enginePostgres {
				c.Database = postgresDatabase(t)
			}
			from, err := parseTarget(c.Database, c.DataDir)
			if err != nil {
				t.Fatal(err)
			}
			older(t, from, version)
			db := mustOpen(t, c)
			if at := count(t, db, `SELECT MAX(version_id) FROM goose_db_version`); at != newest {
				t.Errorf("from schema %d: at %d, want %d", version, at, newest)
			}
			if version >= 2 {
				if n := count(t, db, `SELECT COUNT(*) FROM campaign WHERE name = 'old' AND resumed_at = 0`); n != 1 {
					t.Errorf("from schema %d: the campaign is gone", version)
				}
				if n := count(t, db, `SELECT COUNT(*) FROM message WHERE state = 'accepted' AND sweep_at <= 0`); n != 1 {
					t.Errorf("from schema %d: nobody asks what became of a text that was sent before", version)
				}
			}
			if version >= 2 && version < 31 { // from then on they are counted as they move
				checkCauses(t, db, 1)
				if n := count(t, db, `SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE kind IN ('answered', 'started', 'withheld', 'trouble:30005')`); n != 4+5+1+1 {
					t.Errorf("from schema %d: what was counted before is counted as %d", version, n)
				}
			}
		}
	})
}

// older makes a database of an earlier schema, with a campaign in it if there were any.
func older(t *testing.T, in target, version int64) {
	t.Helper()
	writers, readers, err := in.open()
	if err != nil {
		t.Fatal(err)
	}
	defer writers.Close()
	defer readers.Close()
	m, err := in.engine.migrator(writers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.UpTo(context.Background(), version); err != nil {
		t.Fatal(err)
	}
	if version < 2 {
		return
	}
	for _, s := range []string{
		`INSERT INTO network (id, name, sender, link_host, phone, created_at) VALUES (1, 'n', 's', 'h', 'p', 0)`,
		`INSERT INTO team (id, network, name, promise_days) VALUES (1, 1, 't', 2)`,
		`INSERT INTO audience (id, network, name, state, synthetic, created_by, created_at, screened_at, ledger) VALUES (1, 1, 'list', 'screened', true, 0, 0, 0, '{}')`,
		`INSERT INTO campaign (id, network, team, audience, name, state, steps, policy, seed, approved_hash, held, strata, memory, planning, segments,
			created_by, submitted_by, approved_by, created_at, launched_at, finished_at)
			VALUES (1, 1, 1, 1, 'old', 'running', '[]', '{}', 1, '', '', '{}', '{}', -1, 1, 0, 0, 0, 0, 0, 0)`,
		`INSERT INTO message (id, campaign, step, patient, stratum, place, state, attempt, rings, shared, not_before, batch, released_at, deadline,
			look_at, looks, sid, code, cost, token, phone_ix, sent_at, delivered_at, opened_at, answered_at)
			VALUES (1, 1, 1, 1, 1, 1, 'accepted', 1, 1, false, 0, 0, 0, 0, 0, 0, 'SM1', '', 1, '\x01', '\x02', 1, 0, 0, 0),
				(2, 1, 1, 2, 1, 2, 'undelivered', 1, 1, false, 0, 0, 0, 0, 0, 0, 'SM2', '30005', 1, '\x03', '\x04', 1, 0, 0, 0),
				(3, 1, 1, 3, 2, 3, 'suppressed', 0, 0, false, 0, 0, 0, 0, 0, 0, '', 'practice_disagrees', 1, '\x05', '\x06', 0, 0, 0, 0)`,
		`INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n) VALUES (1, 'answer', 1, 7, 5, 0, 2), (1, 'answer', 2, 7, 6, 3, 1), (1, 'answer', 2, 8, 6, 0, 1),
			(1, 'start', 1, 7, 0, 0, 4), (1, 'start', 2, 8, 0, 0, 1)`,
	} {
		if _, err := writers.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}
