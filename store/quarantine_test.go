package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/throttle"
)

// Whoever begins the quarantine, whatever process is asked: nothing is released, claimed or planned again while it lasts.
func TestQuarantine_nothingGoes(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 6, nil)
		rings := w.release(t, 2)
		lost := rings[0]
		must[campaign.Outgoing](t)(db.Claim(ctx, lost))
		if err := db.Record(ctx, lost, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}); err != nil {
			t.Fatal(err)
		}
		if err := db.Begin(ctx, campaign.Restored); err != nil {
			t.Fatal(err)
		}
		if err := db.Begin(ctx, campaign.OtherServer); err != nil { // it has begun already
			t.Fatal(err)
		}
		other := cfg
		other.DataDir = t.TempDir() // another process, or a command
		if cfg.Database == "" {
			other.Database = filepath.Join(cfg.DataDir, "wellpaced.db")
		}
		for _, db := range []*DB{db, mustOpen(t, other)} {
			h := must[campaign.Halt](t)(db.Examine(ctx))
			if h.Reason != campaign.Restored || !strings.HasPrefix(h.Sentence(), "Sending waits: the database was restored from a backup.") {
				t.Fatalf("a quarantine says %q", h.Sentence())
			}
			if _, err := db.Claim(ctx, rings[1]); !errors.Is(err, campaign.ErrTooLate) {
				t.Errorf("claimed in a quarantine: %v", err)
			}
			if _, err := db.Release(ctx, w.epoch, []throttle.Decision{{Campaign: campaignKey(w.campaign.ID), N: 3}}); !errors.Is(err, campaign.ErrQuarantined) {
				t.Errorf("released in a quarantine: %v", err)
			}
			if err := db.Clear(ctx, w.epoch, campaign.Doubtful{Message: lost.Message, Attempt: 1}, campaign.Clear, ""); !errors.Is(err, campaign.ErrQuarantined) {
				t.Errorf("planned again in a quarantine: %v", err)
			}
		}
		if c := w.checkCounters(t); c[campaign.Planned] != 5 || c[campaign.Unknown] != 1 {
			t.Errorf("messages in a quarantine: %v", c)
		}
		v := must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID))
		if !v.Halt.On() {
			t.Error("the campaign's page does not know of the quarantine")
		}
		entries, _, err := db.AuditEntries(ctx, w.network.ID, 0, 5)
		if err != nil || len(entries) == 0 || entries[0].Action != "quarantine.begin" || entries[0].Outcome != "restored" {
			t.Errorf("the audit: %+v, %v", entries, err)
		}
		q := campaign.Quarantine{Store: db, Record: &listing{}, Leads: true, Holder: "test", Log: db.log, Machine: cfg.Machine}
		q.Tick(ctx)
		w.epoch, _, _ = db.Lead(ctx, "test", time.Hour)
		if c := w.checkCounters(t); c[campaign.Planned] != 5 {
			t.Errorf("messages after the quarantine: %v", c)
		}
		if _, err := db.Claim(ctx, w.release(t, 1)[0]); err != nil {
			t.Errorf("claim after the quarantine: %v", err)
		}
	})
}

// theJournalsEnd cuts a journal back to its first n records, as a backup of the folder does.
func theJournalsEnd(t *testing.T, dir string, n int) {
	t.Helper()
	path := filepath.Join(dir, "journal", "0001.jnl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := segmentHeader
	for range n {
		at += frameHeader + int(binary.LittleEndian.Uint32(data[at+4:]))
	}
	if err := os.Truncate(path, int64(at)); err != nil {
		t.Fatal(err)
	}
}

// folder copies the files of a data folder, as they are.
func folder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// The whole data folder comes from a backup, marker and journal too: the witness in the keys folder tells, and what the journal had
// since then is a gap that a person has to accept. Even if no text left in between.
func TestQuarantine_wholeFolderRestored(t *testing.T) {
	for _, texts := range []bool{true, false} {
		t.Run(fmt.Sprintf("texts since then %v", texts), func(t *testing.T) {
			ctx := context.Background()
			cfg := testConfig(t)
			cfg.Serve = true
			open := func() *DB {
				t.Helper()
				db := must[*DB](t)(Open(ctx, cfg))
				if _, err := db.DrainJournal(ctx); err != nil {
					t.Fatal(err)
				}
				return db
			}
			db := open()
			w := launched(t, db, 20, nil)
			provider := &listing{}
			send := func(n int) {
				for _, r := range w.release(t, n) {
					out := must[campaign.Outgoing](t)(db.Claim(ctx, r))
					l := campaign.Listed{SID: fmt.Sprint("SM", r.Message), To: out.To, Body: out.Body, Status: "delivered", At: testCivil}
					provider.all = append(provider.all, l)
					if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: l.SID}); err != nil {
						t.Fatal(err)
					}
				}
			}
			optOut := func(i int) {
				t.Helper()
				if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: testCandidate(t, i).Phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
					t.Fatal(err)
				}
			}
			look := func() campaign.Halt { return must[campaign.Halt](t)(db.Examine(ctx)) }
			if h := look(); h.On() {
				t.Fatal(h.Sentence())
			}
			send(5)
			optOut(18)
			time.Sleep(2 * time.Millisecond)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			backup := filepath.Join(t.TempDir(), "backup")
			folder(t, cfg.DataDir, backup)
			db = open()
			w.db = db
			if h := look(); h.On() {
				t.Fatalf("an ordinary restart: %s", h.Sentence())
			}
			if texts {
				w.epoch, _, _ = db.Lead(ctx, "test", time.Hour)
				send(5)
			}
			before := cfg.Machine()
			optOut(19)
			optOut(20)
			if err := db.Tick(); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			folder(t, backup, cfg.DataDir)
			db = open()
			w.db = db
			q := campaign.Quarantine{Store: db, Record: provider, Leads: true, Holder: "test", Log: db.log, Machine: cfg.Machine}
			over := make(chan struct{})
			go func() { defer close(over); q.Tick(ctx) }()
			var h campaign.Halt
			for until := time.Now().Add(5 * time.Second); len(h.Gaps) == 0 && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
				h = look()
			}
			want := map[bool]campaign.Reason{true: campaign.OlderDatabase, false: campaign.JournalAhead}[texts]
			if h.Reason != want || len(h.Gaps) != 1 || h.Gaps[0].Records != 2 || h.Gaps[0].From.After(before) || h.Gaps[0].To.Before(before.Truncate(time.Millisecond)) {
				t.Fatalf("reason %q, gaps %v", h.Reason, h.Gaps)
			}
			if !strings.Contains(h.Sentence(), "2 journal records (forms and opt-outs) are missing between") {
				t.Errorf("the sentence: %s", h.Sentence())
			}
			select {
			case <-over:
				t.Fatal("the quarantine ended without the gap being accepted")
			case <-time.After(1500 * time.Millisecond):
			}
			// Killed now, it goes on where it was: the gap does not vanish because the journal's numbers have moved on.
			optOut(17)
			accepted := must[[]campaign.Gap](t)(db.AcceptGap(ctx, "Ada", h.Gaps))
			if len(accepted) != 1 {
				t.Fatalf("accepted %v", accepted)
			}
			<-over
			if h := look(); h.On() {
				t.Fatalf("after the gap is accepted: %s", h.Sentence())
			}
			entries, _, err := db.AuditEntries(ctx, w.network.ID, 0, 10)
			said := fmt.Sprint(entries)
			if err != nil || !strings.Contains(said, "quarantine.accept_gap") || !strings.Contains(said, "accepted by Ada") || !strings.Contains(said, "2 journal records") {
				t.Errorf("the audit: %s, %v", said, err)
			}
			texted := map[person.Phone]bool{}
			for _, l := range provider.all {
				texted[l.To] = true
			}
			w.epoch, _, _ = db.Lead(ctx, "test", time.Hour)
			for _, r := range w.release(t, 20-len(provider.all)) {
				if out, err := db.Claim(ctx, r); err == nil && texted[out.To] {
					t.Error("texted twice after a restore")
				} else if err == nil && (out.To == testCandidate(t, 17).Phone || out.To == testCandidate(t, 18).Phone) {
					t.Error("texted in spite of an opt-out that was kept")
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open()
			defer db.Close()
			if h := look(); h.On() {
				t.Fatalf("a restart after the quarantine: %s", h.Sentence())
			}
		})
	}
}

// The database alone comes from a backup, and no text left since: nothing looks old but what it has taken in from the journal. What it
// has forgotten comes back before the first claim.
func TestRestoredDatabaseTakesInItsJournal(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	cfg.Serve = true
	db := must[*DB](t)(Open(ctx, cfg))
	w := launched(t, db, 3, nil)
	optOut := func(i int) {
		t.Helper()
		if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: testCandidate(t, i).Phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
			t.Fatal(err)
		}
	}
	restart := func() {
		t.Helper()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	optOut(1)
	restart()
	file := filepath.Join(cfg.DataDir, "wellpaced.db")
	backup := must[[]byte](t)(os.ReadFile(file))
	db = must[*DB](t)(Open(ctx, cfg))
	optOut(2)
	optOut(3)
	restart()
	if err := os.WriteFile(file, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, cfg)
	if n, err := db.DrainJournal(ctx); n != 2 || err != nil {
		t.Errorf("%d records came back (%v), want the 2 that the backup does not hold", n, err)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM suppression`); n != 3 {
		t.Errorf("%d opt-outs", n)
	}
}

// Damage in the middle of what the database has not taken in is a gap, and everything around it comes back.
func TestDamagedJournalIsAGap(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	cfg.Serve = true
	db := must[*DB](t)(Open(ctx, cfg))
	w := launched(t, db, 9, nil)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cfg.DataDir, "wellpaced.db")
	backup := must[[]byte](t)(os.ReadFile(file))
	db = must[*DB](t)(Open(ctx, cfg))
	for i := range 5 {
		if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: testCandidate(t, i+1).Phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cfg.DataDir, "journal", "0001.jnl")
	data := must[[]byte](t)(os.ReadFile(path))
	first := frameHeader + int(binary.LittleEndian.Uint32(data[segmentHeader+4:]))
	data[segmentHeader+first+60] ^= 1 // in the second record
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, cfg)
	if n, err := db.DrainJournal(ctx); n != 4 || err != nil {
		t.Errorf("%d records came back: %v", n, err)
	}
	h := must[campaign.Halt](t)(db.Examine(ctx))
	if err := db.Rejoin(ctx, h.ID); err != nil {
		t.Fatal(err)
	}
	h = must[campaign.Halt](t)(db.Examine(ctx))
	if h.Reason != campaign.JournalAhead || len(h.Gaps) != 1 || h.Gaps[0].Records != 1 || !strings.Contains(h.Gaps[0].Why, "damaged") {
		t.Errorf("reason %q, gaps %v", h.Reason, h.Gaps)
	}
}

// A lost journal whose every record the database has is no loss.
func TestLostJournalOfAWholeDatabase(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	cfg.Serve = true
	db := must[*DB](t)(Open(ctx, cfg))
	w := launched(t, db, 5, nil)
	optOut := func(i int) {
		t.Helper()
		if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: testCandidate(t, i).Phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
			t.Fatal(err)
		}
	}
	optOut(1)
	optOut(2)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(cfg.DataDir, "journal")); err != nil {
		t.Fatal(err)
	}
	db = must[*DB](t)(Open(ctx, cfg))
	if h := must[campaign.Halt](t)(db.Examine(ctx)); h.On() {
		t.Errorf("nothing is missing, and yet: %s", h.Sentence())
	}
	optOut(3) // gets a number of its own
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// Now the newest record is lost, before the database could say that it has it.
	mustWriteRow(t, cfg, `UPDATE journal SET drained = 2`)
	theJournalsEnd(t, cfg.DataDir, 0)
	db = mustOpen(t, cfg)
	h := must[campaign.Halt](t)(db.Examine(ctx))
	if h.Reason != campaign.JournalAhead {
		t.Errorf("a lost record: reason %q", h.Reason)
	}
}

// mustWriteRow changes a closed database behind everybody's back.
func mustWriteRow(t *testing.T, cfg Config, statement string) {
	t.Helper()
	cfg.Serve = false
	db := must[*DB](t)(Open(context.Background(), cfg))
	defer db.Close()
	mustWrite(t, db, statement)
}

// A keys folder that cannot be written to costs the witness, and is said once.
func TestWitness_keysThatAreReadOnly(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	cfg.Serve = true
	db := must[*DB](t)(Open(ctx, cfg))
	name := db.witness.file.path
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(name)
	var said strings.Builder
	cfg.Logger = textLogger(&said)
	db = mustOpen(t, cfg)
	db.witness.file.path = filepath.Join(name, "no", "such", "folder") // refuses root too
	for i := range 3 {
		db.witness.note(int64(i+1), cfg.Machine().UnixMilli())
		if h := must[campaign.Halt](t)(db.Examine(ctx)); h.On() {
			t.Fatal(h.Sentence())
		}
		if err := db.Tick(); err != nil {
			t.Errorf("a missing witness stops the marker: %v", err)
		}
	}
	if n := strings.Count(said.String(), "takes no witness"); n != 1 {
		t.Errorf("said %d times: %s", n, said.String())
	}
}

// The provider's newest texts: what each of them says of the database.
func TestForgotten(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 4, nil)
		rings := w.release(t, 3)
		var texts []campaign.Listed
		for i, r := range rings[:2] {
			out := must[campaign.Outgoing](t)(db.Claim(ctx, r))
			texts = append(texts, campaign.Listed{SID: fmt.Sprint("SM", i), To: out.To, Body: out.Body, Status: "sent", At: testCivil})
		}
		if err := db.Record(ctx, rings[0], campaign.Outcome{Event: campaign.Accept, SID: "SM0"}); err != nil {
			t.Fatal(err)
		}
		forgotten := func(l ...campaign.Listed) int {
			t.Helper()
			n, _, err := db.Forgotten(ctx, l)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := forgotten(texts...); n != 0 { // one accepted, one being sent
			t.Errorf("%d forgotten, want none", n)
		}
		body := func(message int64) string { return "https://test.example/r/" + mintFor(db, message) }
		for what, c := range map[string]struct {
			l    campaign.Listed
			want int
		}{
			"an unknown token":           {campaign.Listed{SID: "SMx", Body: body(4711), At: testCivil}, 1},
			"an unknown token, long ago": {campaign.Listed{SID: "SMx", Body: body(4711), At: testCivil.AddDate(0, -3, 0)}, 0},
			"no token":                   {campaign.Listed{SID: "SMx", Body: "Your appointment is tomorrow", At: testCivil}, 0},
			"a message never claimed":    {campaign.Listed{SID: "SMx", Body: body(int64(rings[2].Message)), At: testCivil}, 1},
		} {
			if n := forgotten(c.l); n != c.want {
				t.Errorf("%s: %d forgotten, want %d", what, n, c.want)
			}
		}
		// Once a quarantine has taken account of them, they do not begin another one at each start.
		stranger := campaign.Listed{SID: "SMx", To: testCandidate(t, 900).Phone, Body: body(4711), At: testCivil}
		hidden := must[[]campaign.Listed](t)(db.Adopted(ctx, []campaign.Listed{stranger, {SID: "SMy", Status: "sent", At: testCivil}}))
		if n := forgotten(stranger); n != 0 || len(hidden) != 1 || hidden[0].SID != "SMy" {
			t.Errorf("%d forgotten after a quarantine; hidden %v", n, hidden)
		}
	})
}

// A redacted text's number may not be texted again soon, since nobody can tell what it was.
func TestAdopted_redacted(t *testing.T) {
	ctx := context.Background()
	db := mustOpen(t, testConfig(t))
	w := launched(t, db, 2, nil)
	must[[]campaign.Listed](t)(db.Adopted(ctx, []campaign.Listed{{SID: "SM1", To: testCandidate(t, 1).Phone, Status: "sent", At: testCivil.AddDate(0, 0, -1)}}))
	var to []person.Phone
	for _, r := range w.release(t, 2) {
		if out, err := db.Claim(ctx, r); err == nil {
			to = append(to, out.To)
		}
	}
	if len(to) != 1 || to[0] != testCandidate(t, 2).Phone {
		t.Errorf("texted %d people, want only the one of whom the provider has nothing", len(to))
	}
}

// Many processes: each tells what its own journal holds; one that stays away becomes a gap with a name.
func TestQuarantine_manyJournals(t *testing.T) {
	cfg := testConfig(t)
	cfg.Database = postgresDatabase(t)
	cfg.Serve = true
	ctx := context.Background()
	process := func() (*DB, Config) {
		c := cfg
		c.DataDir = t.TempDir()
		return must[*DB](t)(Open(ctx, c)), c
	}
	a, _ := process()
	defer a.Close()
	b, _ := process()
	gone, goneCfg := process()
	clean, _ := process()
	if err := clean.Close(); err != nil { // ended in good order: nothing to wait for
		t.Fatal(err)
	}
	gone.cfg.Serve = false // as if killed: its row is not closed
	gone.books.doubt = "killed"
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	w := launched(t, a, 3, nil)
	// b has an opt-out that the database has forgotten.
	if err := b.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: testCandidate(t, 1).Phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, a, `DELETE FROM suppression`)
	if err := a.Begin(ctx, campaign.OtherServer); err != nil {
		t.Fatal(err)
	}
	h := must[campaign.Halt](t)(a.Examine(ctx))
	if h.Away != 3 {
		t.Errorf("%d journals are awaited, want 3", h.Away)
	}
	complete := func(away time.Duration) bool { t.Helper(); return must[bool](t)(a.Complete(ctx, w.epoch, h.ID, away)) }
	rejoin := func(db *DB) {
		t.Helper()
		must[campaign.Halt](t)(db.Examine(ctx))
		if err := db.Rejoin(ctx, h.ID); err != nil {
			t.Fatal(err)
		}
	}
	rejoin(a)
	if complete(time.Hour) {
		t.Error("complete without the other processes")
	}
	rejoin(b)
	if n := count(t, a, `SELECT COUNT(*) FROM suppression`); n != 1 {
		t.Errorf("the other process's opt-out is there %d times", n)
	}
	if complete(time.Hour) {
		t.Error("complete without the process that was killed")
	}
	if complete(time.Nanosecond) {
		t.Error("complete though nobody has accepted the gap")
	}
	h = must[campaign.Halt](t)(b.Examine(ctx))
	if len(h.Gaps) != 1 || h.Gaps[0].Records != 0 || !strings.Contains(h.Gaps[0].String(), goneCfg.DataDir) {
		t.Fatalf("gaps %v", h.Gaps)
	}
	must[[]campaign.Gap](t)(b.AcceptGap(ctx, "Ada", h.Gaps))
	if !complete(time.Hour) {
		t.Error("not complete, though the gap is accepted")
	}
	if err := a.Trust(ctx, w.epoch); err != nil {
		t.Fatal(err)
	}
	for _, db := range []*DB{a, b} {
		if h := must[campaign.Halt](t)(db.Examine(ctx)); h.On() {
			t.Errorf("it goes on: %s", h.Sentence())
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// If the provider alone remembers, the journal was put back too, whatever it is ahead of the database by, and whatever people send from now on.
func TestQuarantine_providerAlone(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		t.Run(fmt.Sprintf("journal ahead %v", ahead), func(t *testing.T) {
			ctx := context.Background()
			cfg := testConfig(t)
			cfg.Serve = true
			db := must[*DB](t)(Open(ctx, cfg))
			w := launched(t, db, 3, nil)
			optOut := func(i int) {
				t.Helper()
				if err := db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: testCandidate(t, i).Phone, Why: selfrefer.WhyStop, At: testCivil}); err != nil {
					t.Fatal(err)
				}
			}
			optOut(1)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if ahead {
				mustWriteRow(t, cfg, `UPDATE journal SET drained = 0`)
			}
			db = mustOpen(t, cfg)
			optOut(2) // the site is up, and the database is not told yet
			if err := db.Begin(ctx, campaign.ProviderKnows); err != nil {
				t.Fatal(err)
			}
			h := must[campaign.Halt](t)(db.Examine(ctx))
			if err := db.Rejoin(ctx, h.ID); err != nil {
				t.Fatal(err)
			}
			h = must[campaign.Halt](t)(db.Examine(ctx))
			if len(h.Gaps) != 1 || h.Gaps[0].Records != 0 {
				t.Errorf("gaps %v", h.Gaps)
			}
		})
	}
}
