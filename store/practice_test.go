package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// told makes a file and reads it, in both ways in which it is written.
func (w *world) told(who staff.Account) (selfrefer.PracticeFile, []selfrefer.PracticeEntry) {
	w.tb.Helper()
	f, err := w.db.MakePracticeFile(context.Background(), who, "N83001")
	w.must(err)
	return f, w.entries(f)
}

func (w *world) entries(f selfrefer.PracticeFile) (all []selfrefer.PracticeEntry) {
	w.tb.Helper()
	w.must(w.db.PracticeEntries(context.Background(), f, func(e selfrefer.PracticeEntry) error { all = append(all, e); return nil }))
	return all
}

// written is what is downloaded of a file.
func (w *world) written(f selfrefer.PracticeFile) string {
	w.tb.Helper()
	var b bytes.Buffer
	for _, begin := range []func() (selfrefer.PracticeWriter, error){func() (selfrefer.PracticeWriter, error) { return selfrefer.NewPracticeCSV(&b, f, time.UTC) },
		func() (selfrefer.PracticeWriter, error) { return selfrefer.NewPracticeFHIR(&b, f) }} {
		out, err := begin()
		w.must(err)
		w.must(w.db.PracticeEntries(context.Background(), f, out.Write))
		w.must(out.Close())
	}
	return b.String()
}

// kinds counts entries by kind.
func kinds(all []selfrefer.PracticeEntry) string {
	n := map[selfrefer.EntryKind]int{}
	for _, e := range all {
		n[e.Kind]++
	}
	var b strings.Builder
	for _, k := range selfrefer.EntryKinds {
		if n[k] > 0 {
			fmt.Fprintf(&b, "%d %s, ", n[k], k)
		}
	}
	return strings.TrimSuffix(b.String(), ", ")
}

func (w *world) frozen(p texted, body string) {
	w.tb.Helper()
	sealed, err := w.db.sealFrozen(p.message, frozenDoc{p.doc.Phone, body})
	w.must(err)
	w.write(`UPDATE message SET frozen = $1 WHERE id = $2`, sealed, p.message)
}

func (w *world) act(id selfrefer.ReferralID, events ...selfrefer.Event) {
	w.tb.Helper()
	for _, e := range events {
		_, err := w.db.Act(context.Background(), w.senior, id, selfrefer.Contact{Event: e, Channel: "call", Note: "porcupine accordion"})
		w.must(err)
	}
}

func (w *world) news(who staff.Account) selfrefer.PracticeNews {
	w.tb.Helper()
	all, err := w.db.PracticeNews(context.Background(), who)
	w.must(err)
	for _, n := range all {
		if n.Practice.ODS == "N83001" {
			return n
		}
	}
	w.tb.Fatal("the practice is not listed")
	return selfrefer.PracticeNews{}
}

// What practices hear, and of whom: the controller's part of everybody, the rest of those alone who agreed and are matched with the list.
func TestPracticeFile(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		mo := w.manager()
		if _, err := w.db.MakePracticeFile(ctx, mo, "N83001"); !errors.Is(err, selfrefer.ErrNothingNew) {
			t.Fatalf("of nothing: %v", err)
		}
		dora := personDoc{Given: "Dora", Family: "Quillfeather", Born: "1957-06-09", NHS: "9990000042", Phone: "+447700900004"}
		emil := personDoc{Given: "Emil", Family: "Evans", Born: "1970-03-03", NHS: "9990000050", Phone: "+447700900005"}
		yes, no, shared, guess := w.text(celia, false), w.text(dora, false), w.text(agnes, true), w.text(emil, false)
		w.patient(basil, false) // on the number of agnes
		w.frozen(yes, "Hello Celia, https://riverside.test/r/"+mintFor(w.db, yes.message)+" or stop: https://riverside.test/stop/"+mintFor(w.db, yes.message))
		w.write(`UPDATE message SET state = 'undelivered', code = '30005' WHERE id = $1`, guess.message)
		w.write(`UPDATE message SET state = 'unknown' WHERE id = $1`, shared.message) // nobody knows whether it left

		agreed := w.mustKeep(form("yes", yes, selfrefer.Answers{Name: "Celia Cole", BirthDate: "24 12 1961", Reasons: []string{"housing"}, Support: []string{"bsl"}, Language: "Polish", Words: "marmalade lighthouse", Needs: "umbrella zebra",
			Phone: "07700 900999", Helper: "gondola", Tell: []string{"practice"}}))
		silent := w.mustKeep(form("no", no, selfrefer.Answers{Name: "Dora Quillfeather", BirthDate: "9 6 1957", Reasons: []string{"money"}, Support: []string{"hearing"}, Language: "Welsh", Words: "tangerine walrus", Tell: []string{"family"}}))
		// Agreed, yet with another birth date: it may be somebody else on Emil's phone.
		stranger := w.mustKeep(form("guess", guess, selfrefer.Answers{Name: "Somebody Else", BirthDate: "1 1 1990", Words: "velociraptor", Tell: []string{"practice"}}))
		if agreed.NotMatched != "" || stranger.NotMatched == "" {
			t.Fatal("the test's people are not who they should be")
		}
		for _, id := range []selfrefer.ReferralID{agreed.ID, silent.ID, stranger.ID} {
			w.act(id, selfrefer.Claim, selfrefer.StartSupport)
		}
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: no.token, Why: selfrefer.WhyStop, At: now}))
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{Network: w.network.ID, Phone: mustPhone(t, agnes.Phone), Why: selfrefer.WhyStop, At: now}))
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: guess.token, Why: selfrefer.WhyNotMe, All: true, At: now}))
		if _, err := w.db.ImportOptOuts(ctx, w.network.ID, 0, []selfrefer.OptOutRow{{Row: 1, Phone: mustPhone(t, celia.Phone)}}, false); err != nil {
			t.Fatal(err)
		}

		if n := w.news(mo); n.Counts[selfrefer.EntryAccepted] != 0 {
			t.Errorf("what can still be undone is told: %v", n.Counts)
		}
		now = now.Add(selfrefer.UndoFor + time.Minute)
		const want = "3 text, 1 undelivered, 2 optout, 2 correction, 1 referral, 1 accepted"
		if n := w.news(mo); n.New() != 10 || n.Counts[selfrefer.EntryOptOut] != 2 || n.Counts[selfrefer.EntryCorrection] != 2 || n.Counts[selfrefer.EntryAccepted] != 1 {
			t.Errorf("counted as new: %v", n.Counts)
		}
		f, all := w.told(mo)
		if got := kinds(all); got != want || f.Entries() != 10 {
			t.Fatalf("the file holds %s; counted %v", got, f.Counts)
		}
		for _, e := range all {
			switch e.Kind {
			case selfrefer.EntryText:
				if e.About == yes.message && (e.Words != "Hello Celia, https://riverside.test/r/… or stop: https://riverside.test/stop/…" || e.Code != "" || e.NHS.Reveal() != celia.NHS || !e.At.Equal(testCivil.Add(-2*time.Hour))) {
					t.Errorf("the text is told as %q, code %q", e.Words, e.Code)
				}
			case selfrefer.EntryOptOut:
				if named := e.Name.Reveal() == "Dora Quillfeather"; !named && (!e.Shared || !e.Name.IsZero() || !e.NHS.IsZero() || e.Phone.Reveal() != agnes.Phone || e.PersonID != "") {
					t.Errorf("an opt-out of a shared number names somebody: %q", e.Name.Reveal())
				}
			case selfrefer.EntryReferral:
				if e.Reference != agreed.Reference || strings.Join(e.Reasons, ",") != "Housing" || strings.Join(e.Needs, ",") != "bsl" || e.Language != "Polish" || e.Code != "" {
					t.Errorf("the referral is told as %+v", e.Reasons)
				}
			case selfrefer.EntryAccepted:
				if e.Code != "871731000000106" || e.Reference != agreed.Reference || !e.At.Equal(testCivil) {
					t.Errorf("accepted with code %q", e.Code)
				}
			}
		}
		// The canary: of people who did not agree there is nothing but texts, opt-outs and numbers.
		bytesOf := w.written(f)
		for _, word := range []string{"marmalade", "umbrella", "gondola", "900999", "tangerine", "velociraptor", "porcupine", "Somebody", "Hard of hearing", "Welsh", "Financial", silent.Reference, stranger.Reference, mintFor(w.db, yes.message)} {
			if strings.Contains(bytesOf, word) {
				t.Errorf("the file holds %q", word)
			}
		}
		for _, word := range []string{"Housing", "Uses British Sign Language", agreed.Reference, "Dora Quillfeather"} {
			if !strings.Contains(bytesOf, word) {
				t.Errorf("the file does not hold %q", word)
			}
		}

		// Told once. What comes later is in the next file, and nothing of what was told before.
		if _, err := w.db.MakePracticeFile(ctx, mo, "N83001"); !errors.Is(err, selfrefer.ErrNothingNew) {
			t.Fatalf("the second time: %v", err)
		}
		now = now.Add(time.Hour)
		w.act(agreed.ID, selfrefer.Close)
		w.act(silent.ID, selfrefer.Close)
		w.must(w.db.Resume(ctx, selfrefer.Undo{TokenHash: no.token, At: now}))
		w.must(w.db.Resume(ctx, selfrefer.Undo{TokenHash: guess.token, At: now}))
		now = now.Add(selfrefer.UndoFor + time.Minute)
		if n := w.news(mo); n.New() != 4 {
			t.Errorf("counted as new: %v", n.Counts)
		}
		f2, all := w.told(mo)
		if got := kinds(all); got != "1 resumed, 2 withdrawn, 1 closed" {
			t.Errorf("the second file holds %s", got)
		}
		now = now.Add(time.Hour)
		w.must(w.db.OptOut(ctx, selfrefer.OptOut{TokenHash: no.token, Why: selfrefer.WhyStop, At: now}))
		if _, all := w.told(mo); kinds(all) != "1 optout" {
			t.Errorf("an opt-out after one that was taken back: %s", kinds(all))
		}

		// The same bytes, whatever became of the rows since; and again on purpose.
		w.write(`UPDATE patient SET practice = 'N83999'`)
		w.write(`UPDATE message SET frozen = NULL`)
		taken, err := w.db.TakePracticeFile(ctx, mo, "N83001", f.ID)
		w.must(err)
		if w.written(taken) != bytesOf {
			t.Error("a file that is downloaded again is another one")
		}
		again, err := w.db.MakeAgain(ctx, mo, "N83001", f.ID, "the import was undone")
		w.must(err)
		third, err := w.db.MakeAgain(ctx, mo, "N83001", again.ID, "and once more")
		w.must(err)
		if len(w.entries(again)) != 10 || again.Reason != "the import was undone" || again.AgainOf != f.ID || third.AgainOf != f.ID || len(w.entries(third)) != 10 {
			t.Errorf("again: %d entries of %d, because %q", len(w.entries(again)), again.AgainOf, again.Reason)
		}
		files, err := w.db.PracticeFiles(ctx, mo, "N83001")
		w.must(err)
		if len(files) != 5 || files[4].Taken != 1 || files[4].TakenBy != mo.ID || files[4].By != mo.ID {
			t.Errorf("listed: %+v", files)
		}
		for action, n := range map[string]int64{"practice_file.make": 3, "practice_file.take": 1, "practice_file.again": 2} {
			if got := w.count(`SELECT COUNT(*) FROM audit WHERE action = $1 AND account = $2`, action, int64(mo.ID)); got != n {
				t.Errorf("%d of %s in the audit, want %d", got, action, n)
			}
		}

		// Walls and roles.
		for _, who := range []staff.Account{w.senior, w.worker, w.helper, w.stranger} {
			if _, err := w.db.TakePracticeFile(ctx, who, "N83001", f.ID); err == nil {
				t.Errorf("a %s has taken a file", who.Role)
			}
			if _, err := w.db.MakePracticeFile(ctx, who, "N83001"); err == nil {
				t.Errorf("a %s has made a file", who.Role)
			}
		}
		alien := staff.Account{ID: 99, Network: w.stranger.Network, Role: staff.Administrator}
		_, err = w.db.TakePracticeFile(ctx, alien, "N83001", f.ID)
		wantErr(t, err, staff.ErrNotFound)
		_, err = w.db.TakePracticeFile(ctx, mo, "N83999", f.ID)
		wantErr(t, err, staff.ErrNotFound)

		// Retention: first what a file holds, much later that it was told.
		now = now.Add(selfrefer.PracticeFileLife + 3*time.Hour)
		for range 2 {
			_, err = w.db.PurgePracticeFiles(ctx)
			w.must(err)
		}
		_, err = w.db.TakePracticeFile(ctx, mo, "N83001", f.ID)
		wantErr(t, err, selfrefer.ErrFileDeleted)
		_, err = w.db.TakePracticeFile(ctx, mo, "N83001", again.ID)
		wantErr(t, err, selfrefer.ErrFileDeleted)
		if n := w.count(`SELECT COUNT(*) FROM practice_entry WHERE doc IS NOT NULL`) + w.count(`SELECT COUNT(*) FROM practice_file WHERE reason IS NOT NULL OR state <> 'deleted'`); n != 0 {
			t.Errorf("%d rows still hold something", n)
		}
		w.write(`UPDATE patient SET practice = 'N83001'`)
		if n := w.news(mo); n.New() != 0 {
			t.Errorf("told again after the file was deleted: %v", n.Counts)
		}
		now = now.Add(markLife)
		_, err = w.db.PurgePracticeFiles(ctx)
		w.must(err)
		if n := w.count(`SELECT COUNT(*) FROM practice_entry`) + w.count(`SELECT COUNT(*) FROM practice_file`); n != 0 {
			t.Errorf("%d rows are kept for ever", n)
		}
		if n := w.news(mo); n.New() != 0 {
			t.Errorf("told again after the marks were deleted: %v", n.Counts)
		}
		_ = f2
	})
}

// A file whose making is cut off anywhere holds everything once, whoever goes on with it, and is the same file.
func TestPracticeFileCutOff(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		mo := w.manager()
		const texts = 2*tellChunk + 30
		for i := range texts {
			w.text(personDoc{Given: "Nora", Family: fmt.Sprint("Number", i), NHS: fmt.Sprint(9990000000 + i), Phone: fmt.Sprintf("+4477009%05d", i)}, false)
		}
		g, err := db.beginFile(ctx, mo, "N83001")
		w.must(err)
		w.must(db.gather(ctx, g, 1)) // and here the process is killed
		if n := w.count(`SELECT COUNT(*) FROM practice_entry`); n != tellChunk {
			t.Fatalf("%d entries in the first chunk", n)
		}
		_, err = db.TakePracticeFile(ctx, mo, "N83001", g.file)
		wantErr(t, err, selfrefer.ErrFileBegun)
		n := w.news(mo)
		if !n.Begun || n.New() != texts-tellChunk {
			t.Errorf("the page says begun %v, %d new", n.Begun, n.New())
		}
		if files := must[[]selfrefer.PracticeFile](t)(db.PracticeFiles(ctx, mo, "N83001")); len(files) != 1 || files[0].Ready || files[0].Gathered != tellChunk {
			t.Errorf("begun: %+v", files)
		}
		w.must(db.Close())
		w.db = mustOpen(t, cfg)

		// Several go on with it at the same time.
		type made struct {
			f   selfrefer.PracticeFile
			err error
		}
		results := make(chan made)
		for range 4 {
			go func() {
				f, err := w.db.MakePracticeFile(ctx, mo, "N83001")
				results <- made{f, err}
			}()
		}
		for range 4 {
			if r := <-results; r.err == nil && r.f.ID != g.file || r.err != nil && !errors.Is(r.err, selfrefer.ErrNothingNew) {
				t.Errorf("file %d, %v; the one that was begun is %d", r.f.ID, r.err, g.file)
			}
		}
		files, err := w.db.PracticeFiles(ctx, mo, "N83001")
		w.must(err)
		if len(files) != 1 || files[0].Entries() != texts {
			t.Fatalf("%d files, %d entries of %d", len(files), files[0].Entries(), texts)
		}
		// Whoever gathers still when it is ready adds nothing to it.
		w.text(personDoc{Given: "Late", NHS: "9990009999", Phone: "+447700955555"}, false)
		w.must(w.db.gather(ctx, g, -1))
		if n := w.count(`SELECT COUNT(*) FROM practice_entry`); n != texts || w.news(mo).New() != 1 {
			t.Errorf("%d entries in a file of %d that was ready", n, texts)
		}
		seen := map[int64]bool{}
		for _, e := range w.entries(files[0]) {
			if seen[e.About] {
				t.Errorf("text %d is told twice", e.About)
			}
			seen[e.About] = true
		}
		if n := w.count(`SELECT COUNT(*) FROM audit WHERE action = 'practice_file.make'`); n != 1 || len(seen) != texts {
			t.Errorf("%d texts told, made %d times", len(seen), n)
		}
	})
}

// Codes are the network's, checked, and frozen with the entry.
func TestPracticeCodes(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		mo := w.manager()
		p := w.text(celia, false)
		wantErr(t, w.db.SetCodes(ctx, mo, selfrefer.Codes{Accepted: "871731000000107"}), selfrefer.ErrCode)
		wantErr(t, w.db.SetCodes(ctx, w.senior, selfrefer.Codes{}), staff.ErrDenied)
		w.must(w.db.SetCodes(ctx, mo, selfrefer.Codes{Accepted: "73211009", Offered: selfrefer.OfferedCode}))
		r := w.mustKeep(form("yes", p, selfrefer.Answers{BirthDate: "24 12 1961", Tell: []string{"practice"}}))
		w.act(r.ID, selfrefer.Claim, selfrefer.Decline)
		now = now.Add(selfrefer.UndoFor + time.Minute)
		f, all := w.told(mo)
		w.must(w.db.SetCodes(ctx, mo, selfrefer.UsualCodes))
		if got := kinds(all); got != "1 text, 1 referral, 1 declined" {
			t.Fatal(got)
		}
		for _, e := range w.entries(f) {
			if want := map[selfrefer.EntryKind]string{selfrefer.EntryText: selfrefer.OfferedCode}[e.Kind]; e.Code != want {
				t.Errorf("%s is coded %q, want %q", e.Kind, e.Code, want)
			}
		}
	})
}

// Referrals that are older than this learn once whether their practice may be told.
func TestPracticeConsentOfBefore(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		mo := w.manager()
		w.mustKeep(form("yes", w.text(celia, false), selfrefer.Answers{BirthDate: "24 12 1961", Tell: []string{"practice"}}))
		w.mustKeep(form("no", w.text(agnes, false), selfrefer.Answers{BirthDate: "1 2 1950"}))
		w.write(`DELETE FROM practice_consent`)
		w.write(`INSERT INTO practice_consent (referral, network, agreed) SELECT id, network, FALSE FROM referral`) // as the migration leaves them
		if n := w.news(mo); n.Counts[selfrefer.EntryReferral] != 1 {
			t.Errorf("new: %v", n.Counts)
		}
		if n := w.count(`SELECT COUNT(*) FROM practice_consent`); n != 1 {
			t.Errorf("%d referrals are remembered", n)
		}
	})
}

// A step that was undone is not told, and one that still can be is not told yet.
func TestPracticeUndone(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		now := testCivil
		cfg.Now = func() time.Time { return now }
		w := mustWorld(t, mustOpen(t, cfg))
		mo := w.manager()
		r := w.mustKeep(form("yes", w.text(celia, false), selfrefer.Answers{BirthDate: "24 12 1961", Tell: []string{"practice"}}))
		w.act(r.ID, selfrefer.Claim, selfrefer.StartSupport)
		if _, all := w.told(mo); kinds(all) != "1 text, 1 referral" {
			t.Errorf("told at once: %s", kinds(all))
		}
		now = now.Add(selfrefer.UndoFor)
		_, _, err := w.db.Undo(context.Background(), w.senior, r.ID)
		w.must(err)
		now = now.Add(time.Minute)
		w.act(r.ID, selfrefer.Decline)
		now = now.Add(selfrefer.UndoFor + time.Minute)
		if _, all := w.told(mo); kinds(all) != "1 declined" {
			t.Errorf("told in the end: %s", kinds(all))
		}
	})
}
