package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

func TestKeep_doubleTap(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		by := testCivil.Add(30 * time.Hour)
		w.db.ContactBy = func(team staff.TeamID, now time.Time) time.Time {
			if team != w.team.ID || !now.Equal(testCivil) {
				t.Errorf("forecast asked for team %d at %v", team, now)
			}
			return by
		}
		p := w.text(agnes, false)
		f := form("tap", p, selfrefer.Answers{BirthDate: "1.2.1950", Words: "lonely"})
		receipts := make([]selfrefer.Receipt, 8)
		var wg sync.WaitGroup
		for i := range receipts {
			wg.Go(func() {
				rc, err := w.keep(f)
				if err != nil {
					t.Error(err)
				}
				receipts[i] = rc
			})
		}
		wg.Wait()
		for _, rc := range receipts {
			if rc != receipts[0] || rc.Reference == "" || !rc.ContactBy.Equal(by) {
				t.Errorf("got receipts %+v and %+v", receipts[0], rc)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM referral`); n != 1 {
			t.Errorf("got %d referrals of one form", n)
		}
		hour, from := hourOf(testCivil.UnixMilli()), hourOf(testCivil.Add(-2*time.Hour).UnixMilli())
		answers := func() int64 {
			return w.count(`SELECT COALESCE(SUM(n), 0) FROM tally WHERE owner = $1 AND kind = 'answer' AND stratum = 2 AND hour = $2 AND from_hour = $3`, w.campaign, hour, from)
		}
		if n := answers(); n != 1 {
			t.Errorf("the pacer counts %d answers", n)
		}
		if n := w.count(`SELECT COUNT(*) FROM evidence WHERE message = $1 AND kind = 'link_seen'`, p.message); n != 1 {
			t.Errorf("got %d pieces of evidence that the text left", n)
		}

		again := w.mustKeep(form("second", p, selfrefer.Answers{BirthDate: "1.2.1950"}))
		if again.Lane != selfrefer.Unverified || again.NotMatched == "" {
			t.Errorf("a spent link: got lane %q, %q", again.Lane, again.NotMatched)
		}
		if n := answers(); n != 1 {
			t.Errorf("after a second form the pacer counts %d answers", n)
		}
		if n := w.count(`SELECT COALESCE(SUM(n), 0) FROM tally WHERE owner = $1 AND kind = 'other'`, int64(w.team.ID)); n != 1 {
			t.Errorf("the team has %d other referrals", n)
		}
	})
}

func TestKeep_lanes(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		first := w.text(agnes, true)
		w.patient(basil, false)
		ended := w.text(celia, false)
		reply := func(id, from, words string) selfrefer.Form {
			return selfrefer.Form{ID: id, Network: w.network.ID, Source: selfrefer.ByReply, From: mustPhone(t, from), Answers: selfrefer.Answers{Words: words}, At: testCivil}
		}
		due := throttle.Calendar{}.DueBy(testCivil, 2)
		for _, c := range []struct {
			name    string
			form    selfrefer.Form
			lane    selfrefer.Lane
			urgent  bool
			person  string
			phone   string
			matched bool
		}{
			{"somebody else's birth date on a shared number", form("shared", first, selfrefer.Answers{BirthDate: "30/07/1948"}), selfrefer.Verified, false, "Basil Arkwright", "+447700900001", true},
			{"a spent link", form("spent", first, selfrefer.Answers{BirthDate: "01/02/1950"}), selfrefer.Unverified, false, "", "+447700900001", false},
			{"a reply from one person's number", reply("r1", "+447700900003", "yes please"), selfrefer.Verified, false, "Celia Cole", "+447700900003", true},
			{"a reply from a shared number", reply("r2", "+447700900001", "yes please"), selfrefer.Unverified, false, "", "+447700900001", false},
			{"a reply from nobody", reply("r3", "+447700900099", "who are you"), selfrefer.Unverified, false, "", "+447700900099", false},
			{"danger from nobody", reply("r4", "+447700900098", "I want to die"), selfrefer.Verified, true, "", "+447700900098", false},
			{"an unknown link", selfrefer.Form{ID: "u", Source: selfrefer.ByLink, Network: w.network.ID, TokenHash: []byte("unknown"), At: testCivil,
				Answers: selfrefer.Answers{Name: "Dora Dale", Phone: "07700 900055"}}, selfrefer.Unverified, false, "Dora Dale", "+447700900055", false},
			{"no network at all", selfrefer.Form{ID: "n", Source: selfrefer.ByGeneral, At: testCivil}, selfrefer.Unverified, false, "", "", false},
		} {
			t.Run(c.name, func(t *testing.T) {
				w := *w
				w.tb = t
				r := w.mustKeep(c.form)
				phone := ""
				if !r.Phone.IsZero() {
					phone = r.Phone.Reveal()
				}
				if r.Lane != c.lane || r.Urgent != c.urgent || (r.NotMatched == "") != c.matched || r.Name.Reveal() != c.person || phone != c.phone {
					t.Errorf("got lane %s, urgent %v, %q, %q on %q", r.Lane, r.Urgent, r.NotMatched, r.Name.Reveal(), phone)
				}
				if r.Urgent != (len(r.WhyUrgent) > 0) || r.Network != w.network.ID || r.Team != w.team.ID || !r.Due.Equal(due) || r.Answers.Words != c.form.Answers.Words {
					t.Errorf("got %v in network %d, team %d, due %v", r.WhyUrgent, r.Network, r.Team, r.Due)
				}
				if c.matched && (r.Practice != "N83001" || r.Campaign != w.campaign || r.NHS.IsZero() || r.Born.IsZero()) {
					t.Errorf("got practice %q, campaign %d", r.Practice, r.Campaign)
				}
			})
		}
		w.write(`UPDATE campaign SET finished_at = $1`, testCivil.Add(-linkLife-time.Hour).UnixMilli())
		w.write(`UPDATE message SET answered_at = 0`)
		if r := w.mustKeep(form("late", ended, selfrefer.Answers{BirthDate: "24.12.1961"})); r.NotMatched != "the link had expired" {
			t.Errorf("an expired link: got %q", r.NotMatched)
		}
	})
}

// lose takes a table away from the database, so that every write of it fails; the result brings it back.
func (w *world) lose(table string) (recover func()) {
	w.write(`ALTER TABLE ` + table + ` RENAME TO lost`)
	return func() { w.write(`ALTER TABLE lost RENAME TO ` + table) }
}

func TestKeep_databaseLost(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		cfg.Serve = true // whoever serves tells the database how far it has taken the journal in
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		p := w.text(agnes, false)
		if n, err := db.DrainJournal(ctx); n != 0 || err != nil {
			t.Fatalf("an empty journal: drained %d, %v", n, err)
		}
		back := w.lose("referral")
		f := form("f", p, selfrefer.Answers{BirthDate: "1950-02-01", Words: "he hits me"})
		rc, err := w.keep(f)
		w.must(err)
		if twice, err := w.keep(f); err != nil || twice != rc || rc.Reference == "" || !rc.Urgent {
			t.Errorf("got receipts %+v and %+v, %v", rc, twice, err)
		}
		if _, err := db.DrainJournal(ctx); err == nil {
			t.Error("drained into a database that refuses")
		}
		back()
		if n, err := db.DrainJournal(ctx); n == 0 || err != nil {
			t.Errorf("drained %d, %v", n, err)
		}
		if n, err := db.DrainJournal(ctx); n != 0 || err != nil {
			t.Errorf("drained again: %d, %v", n, err)
		}
		if r := w.mustKeep(f); r.Reference != rc.Reference || r.State != selfrefer.New || !r.Received.Equal(testCivil) {
			t.Errorf("got referral %s, %s, received %v", r.Reference, r.State, r.Received)
		}
		if n := w.count(`SELECT COUNT(*) FROM referral`); n != 1 {
			t.Errorf("got %d referrals of one form", n)
		}

		w.write(`ALTER TABLE referral RENAME TO lost`)
		_, err = w.keep(form("g", p, selfrefer.Answers{Words: "and again"}))
		w.must(err)
		w.must(db.Close()) // the process ends with the form in the journal alone
		w.db = mustOpen(t, cfg)
		w.write(`ALTER TABLE lost RENAME TO referral`)
		if n, err := w.db.DrainJournal(ctx); n == 0 || err != nil { // and whatever was drained in the second before the end
			t.Errorf("after a restart drained %d, %v", n, err)
		}
		if n := w.count(`SELECT COUNT(*) FROM referral`); n != 2 {
			t.Errorf("got %d referrals of two forms", n)
		}
	})
}

func TestKeep_journalLost(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p := w.text(agnes, false)
		w.db.journal.mu.Lock()
		w.db.journal.closed = true
		w.db.journal.mu.Unlock()
		if _, err := w.keep(form("f", p, selfrefer.Answers{})); err != nil {
			t.Errorf("the database alone: %v", err)
		}
		back := w.lose("referral")
		defer back()
		_, err := w.keep(form("g", p, selfrefer.Answers{}))
		wantErr(t, err, selfrefer.ErrNotKept)
	})
}

// TestReplayJournal_olderBackup restores a backup that was made before the texts were planned.
func TestReplayJournal_olderBackup(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p, q := w.text(agnes, false), w.text(celia, false)
		before := w.mustKeep(form("f", p, selfrefer.Answers{BirthDate: "1950-02-01"}))
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: q.token, Why: selfrefer.WhyMoved}))
		for _, table := range []string{"referral", "message", "patient", "evidence", "suppression", "tally"} {
			w.write(`DELETE FROM ` + table)
		}
		for range 2 {
			w.must(w.db.ReplayJournal(ctx, 0))
		}
		if n := w.count(`SELECT COUNT(*) FROM referral`); n != 1 {
			t.Fatalf("got %d referrals", n)
		}
		r := w.mustKeep(form("f", p, selfrefer.Answers{}))
		if r.Reference != before.Reference || r.Lane != selfrefer.Verified || r.Name != before.Name || r.Phone != before.Phone || r.NHS != before.NHS || r.Team != before.Team {
			t.Errorf("got %s in lane %s, %q", r.Reference, r.Lane, r.NotMatched)
		}
		if n := w.count(`SELECT COUNT(*) FROM suppression WHERE network = $1 AND (ix = $2 OR ix = $3)`, int64(w.network.ID), w.db.phoneIndex(celia.phone()), w.db.nhsIndex(celia.nhs())); n != 2 {
			t.Errorf("got %d suppressions back", n)
		}
	})
}

func TestOptOut(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		for i, c := range []struct {
			name       string
			why        string
			shared     bool
			byReply    bool
			phone, nhs int64
		}{
			{"stop by link", selfrefer.WhyStop, false, false, 1, 0},
			{"stop by reply", selfrefer.WhyStop, false, true, 1, 0},
			{"not me", selfrefer.WhyNotMe, false, false, 1, 0},
			{"moved", selfrefer.WhyMoved, false, false, 1, 1},
			{"moved, number shared", selfrefer.WhyMoved, true, false, 1, 0},
			{"died", selfrefer.WhyDied, false, false, 0, 1},
			{"died, number shared", selfrefer.WhyDied, true, false, 1, 0},
		} {
			doc := agnes
			doc.Phone, doc.NHS = fmt.Sprintf("+44770090010%d", i), []string{"9990000018", "9990000026", "9990000034", "9990000042", "9990000050", "9990000069", "9990000077"}[i]
			p := w.text(doc, c.shared)
			o := selfrefer.OptOut{TokenHash: p.token, Why: c.why}
			if c.byReply {
				o = selfrefer.OptOut{Network: w.network.ID, Phone: doc.phone(), Why: c.why}
			}
			for range 2 { // pressed twice
				w.must(w.db.OptOut(ctx, o))
			}
			is := func(kind string, ix []byte) int64 {
				return w.count(`SELECT COUNT(*) FROM suppression WHERE network = $1 AND kind = $2 AND ix = $3 AND why = $4`, int64(w.network.ID), kind, ix, c.why)
			}
			if phone, nhs := is("phone", w.db.phoneIndex(doc.phone())), is("nhs", w.db.nhsIndex(doc.nhs())); phone != c.phone || nhs != c.nhs {
				t.Errorf("%s: number suppressed %d, person %d", c.name, phone, nhs)
			}
		}
		n := w.count(`SELECT COUNT(*) FROM suppression`)
		wantErr(t, w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: []byte("nobody's"), Why: selfrefer.WhyStop}), selfrefer.ErrNotFound)
		if now := w.count(`SELECT COUNT(*) FROM suppression`); now != n {
			t.Errorf("an unknown link suppressed %d", now-n)
		}
	})
}

func TestOptOut_databaseLost(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p := w.text(agnes, false)
		back := w.lose("suppression")
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: p.token, Why: selfrefer.WhyStop}))
		if !w.db.optOutsOwed() {
			t.Error("nothing keeps a claim back while the opt-out is in the journal alone")
		}
		back()
		if n, err := w.db.DrainJournal(ctx); n != 1 || err != nil {
			t.Errorf("drained %d, %v", n, err)
		}
		if n := w.count(`SELECT COUNT(*) FROM suppression`); n != 1 || w.db.optOutsOwed() {
			t.Errorf("got %d suppressions, owed %v", n, w.db.optOutsOwed())
		}
	})
}

// TestSealed looks for a made-up person in everything that is on the disk.
func TestSealed(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	db := mustOpen(t, cfg)
	w := mustWorld(t, db)
	zeb := personDoc{Given: "Zebulon", Family: "Quagmire", Born: "1950-02-01", NHS: "9990000018", Phone: "+447700900123"}
	p := w.text(zeb, false)
	canaries := []string{"Zebulon", "Quagmire", "9990000018", "7700900123", "1950-02-01", "ferret sanctuary", "left a pineapple"}
	a := selfrefer.Answers{BirthDate: "1950-02-01", Words: "I miss the ferret sanctuary", Name: "Zebulon Quagmire", Phone: "07700900123"}
	w.must(db.SaveDraft(ctx, "browser", p.token, a))
	r := w.mustKeep(form("f", p, a))
	for _, c := range []selfrefer.Contact{{Event: selfrefer.Claim}, {Event: selfrefer.Attempt, Channel: "call", Note: "left a pineapple at the door"}} {
		_, err := db.Act(ctx, w.worker, r.ID, c)
		w.must(err)
	}
	w.must(db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: zeb.phone(), Why: selfrefer.WhyStop}))
	w.must(db.OptOut(ctx, selfrefer.OptOut{TokenHash: p.token, Why: selfrefer.WhyMoved, All: true}))
	for _, words := range []string{"they closed the ferret sanctuary", "I left a pineapple there"} {
		_, err := w.keep(selfrefer.Form{ID: words, Network: w.network.ID, Source: selfrefer.ByReply, From: zeb.phone(), Answers: selfrefer.Answers{Words: words}, At: testCivil})
		w.must(err)
	}
	if n := w.count(`SELECT COUNT(*) FROM later_reply`); n != 1 {
		t.Fatalf("%d replies have joined another", n)
	}
	w.must(db.Close())
	files := 0
	err := filepath.WalkDir(cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		for _, c := range canaries {
			for _, form := range []string{c, hex.EncodeToString([]byte(c)), strings.ToLower(c)} {
				if bytes.Contains(b, []byte(form)) {
					t.Errorf("%s holds %q in clear", filepath.Base(path), c)
				}
			}
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("looked at %d files, %v", files, err)
	}
}

// A link leads no further when a person has switched its campaign's links off, or when we know that it reached somebody else; a form that
// comes by it all the same is taken, and waits for a person to say whose it is.
func TestLinks_revoked(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		expired := func(token []byte) bool {
			t.Helper()
			in, err := w.db.Invitation(ctx, token)
			w.must(err)
			return in.Expired
		}
		for i, why := range []string{selfrefer.WhyNotMe, selfrefer.WhyMoved, selfrefer.WhyDied} {
			doc := agnes
			doc.Phone, doc.NHS = fmt.Sprintf("+44770090020%d", i), []string{"9990000018", "9990000026", "9990000034"}[i]
			p := w.text(doc, false)
			if expired(p.token) {
				t.Fatal("a fresh link does not work")
			}
			w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: p.token, Why: why}))
			if !expired(p.token) {
				t.Errorf("%s: the link still opens somebody's form", why)
			}
		}
		doc := agnes
		doc.Phone, doc.NHS = "+447700900209", "9990000042"
		p := w.text(doc, false)
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: p.token, Why: selfrefer.WhyStop}))
		if expired(p.token) {
			t.Error("who wants no more texts may still ask for help")
		}
		var id int64
		w.must(w.db.read(ctx, "campaign of a text", func(tx *Tx) error {
			return tx.QueryRow(`SELECT campaign FROM message WHERE token = $1`, p.token).Scan(&id)
		}))
		w.write(`UPDATE campaign SET launched_at = 1 WHERE id = $1`, id)
		wantErr(t, w.db.SwitchLinks(ctx, w.stranger, campaign.ID(id), true), campaign.ErrNotFound)
		w.must(w.db.SwitchLinks(ctx, w.senior, campaign.ID(id), true))
		if !expired(p.token) {
			t.Error("a link works although its campaign's links are off")
		}
		r := selfrefer.Receiver{Keeper: w.db, Now: func() time.Time { return testCivil }}
		rc, err := r.Receive(ctx, selfrefer.Form{ID: "form-by-a-dead-link", Source: selfrefer.ByLink, TokenHash: p.token, Answers: selfrefer.Answers{Words: "help", BirthDate: "2 8 1970"}})
		w.must(err)
		if n := w.count(`SELECT COUNT(*) FROM referral WHERE reference = $1 AND lane = 'unverified'`, rc.Reference); n != 1 {
			t.Error("a form by a link that is off was not kept, or not set apart")
		}
		w.must(w.db.SwitchLinks(ctx, w.senior, campaign.ID(id), false))
		if expired(p.token) {
			t.Error("the links are on again, and this one is not")
		}
	})
}
