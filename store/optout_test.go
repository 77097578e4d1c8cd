package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// out is how many suppressions a network has.
func (w *world) out() int64 {
	w.tb.Helper()
	return w.count(`SELECT COUNT(*) FROM suppression WHERE network = $1`, int64(w.network.ID))
}

func (w *world) corrections() []selfrefer.Correction {
	w.tb.Helper()
	all, err := w.db.Corrections(context.Background(), w.network.ID, w.senior.ID)
	w.must(err)
	return all
}

func TestResume(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p, q := w.text(agnes, false), w.text(celia, false)
		at := func(minutes int) time.Time { return testCivil.Add(time.Duration(minutes) * time.Minute) }
		byLink := func(p texted, why string, minutes int) selfrefer.OptOut {
			return selfrefer.OptOut{TokenHash: p.token, Why: why, At: at(minutes)}
		}
		undo := func(p texted, minutes int) error {
			return w.db.Resume(ctx, selfrefer.Undo{TokenHash: p.token, At: at(minutes)})
		}
		reply := func(p texted, minutes int) selfrefer.OptOut {
			return selfrefer.OptOut{Network: w.network.ID, Phone: p.doc.phone(), Why: selfrefer.WhyStop, At: at(minutes)}
		}
		start := func(p texted, minutes int) error {
			return w.db.Resume(ctx, selfrefer.Undo{Network: w.network.ID, Phone: p.doc.phone(), At: at(minutes)})
		}

		wantErr(t, undo(p, 0), selfrefer.ErrNothingToUndo)
		for _, why := range []string{selfrefer.WhyStop, selfrefer.WhyNotMe, selfrefer.WhyMoved, selfrefer.WhyDied} {
			w.must(w.db.OptOut(ctx, byLink(p, why, 1)))
			wantErr(t, undo(q, 2), selfrefer.ErrNothingToUndo)  // another link
			wantErr(t, start(p, 2), selfrefer.ErrNothingToUndo) // not the number's own STOP
			if w.out() == 0 {
				t.Fatalf("%s: somebody else has undone it", why)
			}
			w.must(undo(p, 2))
			if n := w.out(); n != 0 {
				t.Errorf("%s: %d are left after the undo", why, n)
			}
		}
		wantErr(t, w.db.Resume(ctx, selfrefer.Undo{TokenHash: []byte("guessed"), At: at(3)}), selfrefer.ErrNotFound)

		w.must(w.db.OptOut(ctx, reply(p, 10)))
		wantErr(t, undo(p, 11), selfrefer.ErrNothingToUndo)
		wantErr(t, start(p, 10+int(selfrefer.UndoWithin.Minutes())+1), selfrefer.ErrNothingToUndo) // too late
		w.must(start(p, 11))
		if n := w.out(); n != 0 {
			t.Errorf("%d are left after START", n)
		}

		// What two have asked for, neither undoes.
		w.must(w.db.OptOut(ctx, byLink(p, selfrefer.WhyStop, 20)))
		w.must(w.db.OptOut(ctx, reply(p, 21)))
		wantErr(t, undo(p, 22), selfrefer.ErrNothingToUndo)
		wantErr(t, start(p, 22), selfrefer.ErrNothingToUndo)
		if n := w.out(); n != 1 {
			t.Errorf("%d suppressions, want the one that two asked for", n)
		}

		// What came with a list is undone by nobody.
		rows := []selfrefer.OptOutRow{{Row: 1, Phone: celia.phone()}}
		if _, err := w.db.ImportOptOuts(ctx, w.network.ID, 0, rows, false); err != nil {
			t.Fatal(err)
		}
		w.must(w.db.OptOut(ctx, reply(q, 30)))
		wantErr(t, start(q, 31), selfrefer.ErrNothingToUndo)
		if n := w.out(); n != 2 {
			t.Errorf("%d suppressions, want 2", n)
		}
	})
}

// TestReplayJournal_undo: after a restore both are applied in order, and telling the journal again never lifts what was asked for since.
func TestReplayJournal_undo(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p, q := w.text(agnes, false), w.text(celia, false)
		at := func(minutes int) time.Time { return testCivil.Add(time.Duration(minutes) * time.Minute) }
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: p.token, Why: selfrefer.WhyMoved, At: at(1)}))
		w.must(w.db.Resume(ctx, selfrefer.Undo{TokenHash: p.token, At: at(2)}))
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: q.token, Why: selfrefer.WhyStop, At: at(3)}))
		w.must(w.db.Resume(ctx, selfrefer.Undo{TokenHash: q.token, At: at(4)}))
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: q.token, Why: selfrefer.WhyStop, At: at(5)}))
		check := func(when string) {
			t.Helper()
			if n, left := w.out(), w.count(`SELECT COUNT(*) FROM suppression WHERE ix = $1`, w.db.phoneIndex(celia.phone())); n != 1 || left != 1 {
				t.Errorf("%s: %d suppressions, %d of who said STOP last", when, n, left)
			}
		}
		check("live")
		w.must(w.db.ReplayJournal(ctx, 0))
		check("told again")
		w.must(w.db.ReplayJournal(ctx, 4)) // from the second undo on
		check("told again in part")
		for _, table := range []string{"suppression", "message", "patient", "evidence"} {
			w.write(`DELETE FROM ` + table)
		}
		w.must(w.db.ReplayJournal(ctx, 0))
		check("into an older backup")
		if all := w.corrections(); len(all) != 0 {
			t.Errorf("%d corrections are asked for that were taken back", len(all))
		}
	})
}

func TestResume_databaseLost(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p := w.text(agnes, false)
		back := w.lose("suppression")
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: p.token, Why: selfrefer.WhyStop, At: testCivil}))
		w.must(w.db.Resume(ctx, selfrefer.Undo{TokenHash: p.token, At: testCivil.Add(time.Minute)}))
		back()
		if n, err := w.db.DrainJournal(ctx); n != 2 || err != nil {
			t.Errorf("drained %d, %v", n, err)
		}
		if n := w.out(); n != 0 || w.db.optOutsOwed() {
			t.Errorf("%d suppressions after both, owed %v", n, w.db.optOutsOwed())
		}
	})
}

func TestCorrections(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p, q := w.text(agnes, false), w.text(celia, true)
		for i := range 2 { // pressed twice
			w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: p.token, Why: selfrefer.WhyDied, At: testCivil.Add(time.Duration(i) * time.Second)}))
		}
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: q.token, Why: selfrefer.WhyStop, All: true, At: testCivil.Add(time.Minute)}))
		all := w.corrections()
		if len(all) != 2 || all[0].Why != selfrefer.WhyDied || all[0].Name.Reveal() != "Agnes Arkwright" || all[0].NHS != agnes.nhs() || all[0].Practice != "N83001" || all[0].Shared {
			t.Fatalf("got %d corrections", len(all))
		}
		if c := all[1]; c.Why != selfrefer.WhyAllTexts || !c.Shared || !c.Name.IsZero() || !c.NHS.IsZero() || c.Phone != celia.phone() {
			t.Error("a correction for a shared number names a person, or is not there")
		}
		wantErr(t, w.db.Corrected(ctx, w.stranger.Network, w.stranger.ID, all[0].ID), staff.ErrNotFound)
		w.must(w.db.Corrected(ctx, w.network.ID, w.senior.ID, all[0].ID))
		w.must(w.db.Resume(ctx, selfrefer.Undo{TokenHash: q.token, At: testCivil.Add(2 * time.Minute)}))
		if all := w.corrections(); len(all) != 0 {
			t.Errorf("%d are left: one is done, one was taken back before anybody did it", len(all))
		}
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: q.token, Why: selfrefer.WhyStop, All: true, At: testCivil.Add(3 * time.Minute)}))
		if all := w.corrections(); len(all) != 1 || all[0].Withdrawn {
			t.Errorf("asked for again: %d are on the list", len(all))
		}
		if n, err := w.db.PurgeCorrections(ctx); n != 0 || err != nil {
			t.Errorf("purged %d, %v, on the very day", n, err)
		}
		w.write(`UPDATE correction SET done_at = 1 WHERE done_at > 0`)
		if n, err := w.db.PurgeCorrections(ctx); n != 1 || err != nil || len(w.corrections()) != 1 {
			t.Errorf("purged %d, %v; want the one that was done long ago", n, err)
		}
	})
}

// TestImportOptOuts: every row is accounted for, what is in force cannot be read, and what was exported can be imported.
func TestImportOptOuts(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		cfg.Serve = true
		w := mustWorld(t, mustOpen(t, cfg))
		w.write(`INSERT INTO suppression (network, kind, ix, why, at) VALUES ($1, 'phone', $2, 'opted_out', 0)`, int64(w.network.ID), []byte("of an earlier release"))
		var list strings.Builder
		for i := range 300 {
			fmt.Fprintf(&list, "+44770090%04d\n", i%250)
		}
		list.WriteString("9990000018\nwhat is this 99\n1234567890\n")
		rows, err := selfrefer.ReadOptOuts(strings.NewReader(list.String()))
		w.must(err)
		dry, err := w.db.ImportOptOuts(ctx, w.network.ID, w.senior.ID, rows, true)
		w.must(err)
		if w.out() != 1 {
			t.Error("a dry run changes something")
		}
		l, err := w.db.ImportOptOuts(ctx, w.network.ID, w.senior.ID, rows, false)
		w.must(err)
		if l.Rows != 303 || l.Added != 251 || l.Already != 50 || l.Unreadable != 2 || !l.Balanced() || !l.Journaled || dry.Added != l.Added || dry.Journaled {
			t.Errorf("the ledger is %+v, dry %+v", l, dry)
		}
		for _, table := range []string{"suppression"} { // a restored backup
			w.write(`DELETE FROM ` + table)
		}
		w.must(w.db.ReplayJournal(ctx, 0))
		out, err := w.db.ExportOptOuts(ctx, w.network.ID, w.senior.ID)
		w.must(err)
		if len(out.Rows) != 251 || out.Blind != 0 || w.out() != 251 {
			t.Errorf("after a restore %d are known, %d blind, %d in force", len(out.Rows), out.Blind, w.out())
		}
		w.write(`INSERT INTO suppression (network, kind, ix, why, at) VALUES ($1, 'phone', $2, 'opted_out', 0)`, int64(w.network.ID), []byte("of an earlier release"))
		if out, err = w.db.ExportOptOuts(ctx, w.network.ID, w.senior.ID); err != nil || out.Blind != 1 {
			t.Errorf("%d blind, %v", out.Blind, err)
		}
		var sealed []byte
		w.must(w.db.read(ctx, "test", func(tx *Tx) error {
			return tx.QueryRow(`SELECT who FROM suppression WHERE ix = $1`, w.db.phoneIndex(mustPhone(t, "+447700900001"))).Scan(&sealed)
		}))
		if len(sealed) == 0 || bytes.Contains(sealed, []byte("7700900001")) {
			t.Error("the number stands in the database in clear, or not at all")
		}
	})
}

// nhsOf is the NHS number of whom a message is for.
func nhsOf(t *testing.T, db *DB, r campaign.Ring) (n person.NHSNumber) {
	t.Helper()
	err := db.read(context.Background(), "test", func(tx *Tx) error {
		var id int64
		var sealed []byte
		if err := tx.QueryRow(`SELECT p.id, p.person FROM patient p JOIN message m ON m.patient = p.id WHERE m.id = $1`, int64(r.Message)).Scan(&id, &sealed); err != nil {
			return err
		}
		d, err := db.openPerson("patient", id, sealed)
		n = d.nhs()
		return err
	})
	if err != nil || n.IsZero() {
		t.Fatalf("nobody is behind message %d: %v", r.Message, err)
	}
	return n
}

// TestImportWaitsForClaim: a person on a list waits for the claim of their number that is under way, so that what the import acknowledges is
// true of every later claim.
func TestImportWaitsForClaim(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := launched(t, mustOpen(t, cfg), 1, nil)
		r := w.release(t, 1)[0]
		row := selfrefer.OptOutRow{Row: 1, NHS: nhsOf(t, w.db, r)}
		phone := w.phone(t, r)
		done := make(chan error, 1)
		err := w.db.write(ctx, "a claim under way", func(tx *Tx) error {
			if err := w.db.lockNumber(tx, w.db.phoneIndex(phone)); err != nil {
				return err
			}
			go func() {
				_, err := w.db.ImportOptOuts(ctx, w.network.ID, 0, []selfrefer.OptOutRow{row}, false)
				done <- err
			}()
			select {
			case err := <-done:
				t.Errorf("the import did not wait: %v", err)
				done <- err
			case <-time.After(150 * time.Millisecond):
			}
			return nil
		})
		if err := errors.Join(err, <-done); err != nil {
			t.Fatal(err)
		}
		w.refused(t, r, "imported", "suppressed")
	})
}

// TestImportRacesClaim: whoever comes first, nobody is texted whose row was acknowledged before the claim; and an undo lets the next claim
// through.
func TestImportRacesClaim(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := launched(t, mustOpen(t, cfg), 12, nil)
		rings := w.release(t, 12)
		for i, r := range rings[:8] {
			phone := w.phone(t, r)
			var wg sync.WaitGroup
			var imported, claimed time.Time
			row := selfrefer.OptOutRow{Row: 1, Phone: phone}
			if i%2 == 1 { // by who they are, not by their number
				row = selfrefer.OptOutRow{Row: 1, NHS: nhsOf(t, w.db, r)}
			}
			wg.Go(func() {
				l, err := w.db.ImportOptOuts(ctx, w.network.ID, 0, []selfrefer.OptOutRow{row}, false)
				imported = time.Now()
				if err != nil || l.Added != 1 {
					t.Errorf("import %d: %+v, %v", i, l, err)
				}
			})
			wg.Go(func() {
				claimed = time.Now()
				_, _ = w.db.Claim(ctx, r)
			})
			wg.Wait()
			if left := w.state(t, r.Message) == "sending"; left && imported.Before(claimed) {
				t.Errorf("%d was claimed after its import was acknowledged", i)
			}
		}
		r := rings[8]
		phone := w.phone(t, r)
		if _, err := w.db.ImportOptOuts(ctx, w.network.ID, 0, []selfrefer.OptOutRow{{Row: 1, Phone: phone}}, false); err != nil {
			t.Fatal(err)
		}
		w.refused(t, r, "imported", "suppressed")

		r = rings[9]
		stop := selfrefer.OptOut{Network: w.network.ID, Phone: w.phone(t, r), Why: selfrefer.WhyStop, At: testCivil}
		for range 2 { // undone twice: the second finds nothing, and the opt-out that follows stands
			if err := w.db.OptOut(ctx, stop); err != nil {
				t.Fatal(err)
			}
			if err := w.db.Resume(ctx, selfrefer.Undo{Network: w.network.ID, Phone: stop.Phone, At: stop.At}); err != nil {
				t.Fatal(err)
			}
			stop.At = stop.At.Add(time.Second)
		}
		w.claim(t, r)

		r = rings[10]
		stop = selfrefer.OptOut{Network: w.network.ID, Phone: w.phone(t, r), Why: selfrefer.WhyStop, At: testCivil}
		for _, again := range []bool{true, false} {
			if err := w.db.OptOut(ctx, stop); err != nil {
				t.Fatal(err)
			}
			if again {
				if err := w.db.Resume(ctx, selfrefer.Undo{Network: w.network.ID, Phone: stop.Phone, At: stop.At}); err != nil {
					t.Fatal(err)
				}
			}
			stop.At = stop.At.Add(time.Second)
		}
		w.refused(t, r, "opted out again", "suppressed")
	})
}

// TestJoinReply: a second reply joins the open case; it may make it urgent and never less so.
func TestJoinReply(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		p := w.text(agnes, false)
		receiver := selfrefer.Receiver{Keeper: w.db, Undoer: w.db, Now: func() time.Time { return testCivil }}
		reply := func(id, body string, minutes int) {
			t.Helper()
			receiver.Now = func() time.Time { return testCivil.Add(time.Duration(minutes) * time.Minute) }
			w.must(receiver.Reply(ctx, selfrefer.Reply{ID: id, Network: w.network.ID, From: p.doc.phone(), Body: body}))
		}
		only := func() selfrefer.Referral {
			t.Helper()
			id := w.count(`SELECT MAX(id) FROM referral`)
			r, _, err := w.db.Referral(ctx, w.senior, selfrefer.ReferralID(id))
			w.must(err)
			return r
		}
		reply("1", "thanks", 0)
		if r := only(); r.Urgent || r.Answers.Said != selfrefer.SaidThanks || r.Lane != selfrefer.Verified {
			t.Errorf("the first reply: urgent %v, %q, %s", r.Urgent, r.Answers.Said, r.Lane)
		}
		reply("2", "actually I am lonely", 1)
		for range 2 { // the provider tries again
			reply("3", "ring me", 2)
		}
		r := only()
		if n := w.count(`SELECT COUNT(*) FROM referral`); n != 1 || len(r.Later) != 2 || r.Later[0].Words != "actually I am lonely" || !r.Later[1].At.Equal(testCivil.Add(2*time.Minute)) {
			t.Fatalf("%d referrals, %d later replies", n, len(r.Later))
		}
		if r.Urgent || r.Answers.Said != selfrefer.SaidMore || r.Answers.Channel != "call" || r.Answers.CallSafe != selfrefer.SafeUnasked || r.Answers.Words != "thanks" {
			t.Errorf("urgent %v, %q, by %q, safe %q", r.Urgent, r.Answers.Said, r.Answers.Channel, r.Answers.CallSafe)
		}

		// A volunteer who has it cannot open it once it is urgent: it goes back, and somebody else calls.
		_, err := w.db.Act(ctx, w.helper, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		reply("4", "he hits me", 3)
		if r = only(); !r.Urgent || r.ClaimedBy != 0 || r.State != selfrefer.New || len(r.WhyUrgent) != 1 {
			t.Errorf("urgent %v, with %d, %s, %v", r.Urgent, r.ClaimedBy, r.State, r.WhyUrgent)
		}
		_, err = w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		reply("5", "I want to die", 4)
		reply("6", "ok", 5)
		if r = only(); !r.Urgent || r.ClaimedBy != w.worker.ID || len(r.WhyUrgent) != 2 || len(r.Later) != 5 {
			t.Errorf("urgent %v, with %d, %v, %d later", r.Urgent, r.ClaimedBy, r.WhyUrgent, len(r.Later))
		}
		w.must(w.db.ReplayJournal(ctx, 0))
		if r = only(); len(r.Later) != 5 || w.count(`SELECT COUNT(*) FROM referral`) != 1 {
			t.Errorf("told again: %d later replies", len(r.Later))
		}
		if n := w.count(`SELECT COALESCE(SUM(n), 0) FROM tally WHERE owner = $1 AND kind = 'referral'`, int64(w.team.ID)); n != 1 {
			t.Errorf("the pacer counts %d cases", n)
		}
		for _, table := range []string{"later_reply", "referral_event", "referral"} { // a restored backup
			w.write(`DELETE FROM ` + table)
		}
		w.must(w.db.ReplayJournal(ctx, 0))
		if r = only(); !r.Urgent || len(r.Later) != 5 || w.count(`SELECT COUNT(*) FROM referral`) != 1 {
			t.Errorf("after a restore: urgent %v, %d later replies", r.Urgent, len(r.Later))
		}

		// A closed case is over: the next reply is a new one.
		_, err = w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Claim})
		w.must(err)
		_, err = w.db.Act(ctx, w.worker, r.ID, selfrefer.Contact{Event: selfrefer.Close})
		w.must(err)
		reply("7", "hello again", 9)
		if n := w.count(`SELECT COUNT(*) FROM referral`); n != 2 {
			t.Errorf("%d referrals after a reply to a closed one", n)
		}
	})
}

// Two replies that come at the same moment are one case.
func TestJoinReply_together(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		receiver := selfrefer.Receiver{Keeper: w.db, Now: func() time.Time { return testCivil }}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				in := selfrefer.Reply{ID: fmt.Sprint(i), Network: w.network.ID, From: agnes.phone(), Body: fmt.Sprint("part ", i)}
				if err := receiver.Reply(context.Background(), in); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n, later := w.count(`SELECT COUNT(*) FROM referral`), w.count(`SELECT COUNT(*) FROM later_reply`); n != 1 || later != 7 {
			t.Errorf("%d referrals with %d later replies", n, later)
		}
	})
}
