package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
)

// A file is kept sealed until it is a list, is read again in any order, and is gone when it was torn off, thrown away, a day old, or done.
func TestUpload_keptSealedAndThrownAway(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		machine := time.Now()
		cfg.Machine = func() time.Time { return machine }
		db := mustOpen(t, cfg)
		db.hearts.every = time.Hour // whose import is left alone here has died
		w := mustWorld(t, db)
		who := w.senior
		file := bytes.Repeat([]byte("Marigold Testperson,9990000018;"), 3*uploadPart/31)
		stage := func() campaign.Upload {
			return must[campaign.Upload](t)(db.StageUpload(ctx, who, campaign.Upload{File: "list.csv"}, iotest.HalfReader(bytes.NewReader(file))))
		}
		u := stage()
		if u.Size != int64(len(file)) || u.State != campaign.UploadWaiting {
			t.Errorf("staged %+v", u)
		}
		if got := must[[]byte](t)(io.ReadAll(db.UploadFile(ctx, u))); !bytes.Equal(got, file) {
			t.Error("the file comes out otherwise than it went in")
		}
		if err := iotest.TestReader(io.NewSectionReader(db.UploadFile(ctx, u), 0, u.Size), file); err != nil {
			t.Error(err)
		}
		var raw []byte
		if err := db.read(ctx, "test", func(tx *Tx) error { return tx.QueryRow(`SELECT bytes FROM upload_part WHERE n = 1`).Scan(&raw) }); err != nil || bytes.Contains(raw, []byte("Testperson")) {
			t.Errorf("a part in clear: %v", err)
		}
		if _, err := db.Upload(ctx, w.network.ID+1, u.ID); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("another network: %v", err)
		}
		torn := io.MultiReader(bytes.NewReader(file), iotest.ErrReader(io.ErrUnexpectedEOF))
		if _, err := db.StageUpload(ctx, who, campaign.Upload{}, torn); err == nil {
			t.Error("a torn upload was kept")
		}
		if n := count(t, db, `SELECT COUNT(*) FROM upload_part WHERE upload <> $1`, int64(u.ID)); n != 0 {
			t.Errorf("%d parts of a torn upload stay", n)
		}

		// One screening at a time; one that gives no sign of life is taken over, and can then neither write nor finish.
		first := must[campaign.Upload](t)(db.StartUpload(ctx, who, u))
		if _, err := db.StartUpload(ctx, who, u); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("started twice: %v", err)
		}
		im := must[campaign.Importer](t)(db.BeginUpload(ctx, who, first))
		if err := errors.Join(im.Candidate(ctx, testCandidate(t, 1)), db.BeatUpload(ctx, first, 1, 99)); err != nil {
			t.Fatal(err)
		}
		if got := must[campaign.Upload](t)(db.Upload(ctx, w.network.ID, u.ID)); got.State != campaign.UploadScreening || got.Rows != 1 || got.Bytes != 99 || got.Audience == 0 {
			t.Errorf("screening: %+v", got)
		}
		machine = machine.Add(2 * uploadSilent)
		if got := must[campaign.Upload](t)(db.Upload(ctx, w.network.ID, u.ID)); got.State != campaign.UploadInterrupted {
			t.Errorf("silent: %+v", got)
		}
		second := must[campaign.Upload](t)(db.StartUpload(ctx, who, u))
		if err := db.BeatUpload(ctx, first, 2, 100); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("the first lives on: %v", err)
		}
		if _, err := im.Finish(ctx); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("the first finished: %v", err)
		}
		if err := im.Abandon(ctx); err != nil {
			t.Error(err)
		}
		if err := db.EndUpload(ctx, second, "It is no list."); err != nil {
			t.Fatal(err)
		}
		if got := must[[]campaign.Upload](t)(db.Uploads(ctx, w.network.ID, 9)); len(got) != 1 || got[0].State != campaign.UploadFailed || got[0].Problem == "" {
			t.Errorf("failed: %+v", got)
		}
		// A restart in the middle: what was half done goes, the file stays.
		third := must[campaign.Upload](t)(db.StartUpload(ctx, who, u))
		im = must[campaign.Importer](t)(db.BeginUpload(ctx, who, third))
		plain := must[campaign.Importer](t)(db.BeginImport(ctx, who, "Cut off", false, false))
		machine = machine.Add(2 * importSilent)
		if err := db.DropBrokenImports(ctx, machine); err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Finish(ctx); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("what was cut off finished: %v", err)
		}
		if got := must[campaign.Upload](t)(db.Upload(ctx, w.network.ID, u.ID)); got.State != campaign.UploadInterrupted || got.Audience != 0 {
			t.Errorf("after a restart: %+v", got)
		}
		_ = im.Abandon(ctx)
		fourth := must[campaign.Upload](t)(db.StartUpload(ctx, who, u))
		im = must[campaign.Importer](t)(db.BeginUpload(ctx, who, fourth))
		if err := im.Candidate(ctx, testCandidate(t, 1)); err != nil {
			t.Fatal(err)
		}
		a := must[campaign.Audience](t)(im.Finish(ctx))
		if err := db.DropUploadFile(ctx, u.ID); err != nil {
			t.Fatal(err)
		}
		if got := must[campaign.Upload](t)(db.Upload(ctx, w.network.ID, u.ID)); got.State != campaign.UploadDone || got.Audience != a.ID {
			t.Errorf("done: %+v", got)
		}
		if err := db.DiscardUpload(ctx, who, u.ID); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("a list was thrown away: %v", err)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM audience WHERE id <> $1`, w.audience); n != 1 {
			t.Errorf("%d lists, half-made ones among them", n)
		}
		// Thrown away in the middle.
		u = must[campaign.Upload](t)(db.StartUpload(ctx, who, stage()))
		im = must[campaign.Importer](t)(db.BeginUpload(ctx, who, u))
		if err := db.DiscardUpload(ctx, who, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := im.Candidate(ctx, testCandidate(t, 2)); err != nil {
			t.Fatal(err)
		}
		if _, err := im.Finish(ctx); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("finished all the same: %v", err)
		}
		_ = im.Abandon(ctx)
		// A day later nothing is left but the list.
		stage()
		if n, err := db.PurgeUploads(ctx); err != nil || n != 0 {
			t.Errorf("purged %d too early: %v", n, err)
		}
		machine = machine.Add(uploadLife + time.Minute)
		if n, err := db.PurgeUploads(ctx); err != nil || n != 2 {
			t.Errorf("purged %d: %v", n, err)
		}
		for _, table := range []string{"upload", "upload_part"} {
			if n := count(t, db, `SELECT COUNT(*) FROM `+table); n != 0 {
				t.Errorf("%d rows of %s stay", n, table)
			}
		}
		if n := count(t, db, `SELECT COUNT(*) FROM audience WHERE state = 'screened' AND id <> $1`, w.audience); n != 1 {
			t.Errorf("%d lists", n)
		}
	})
}

// A list is narrowed: every row is accounted for, whoever shares a number is treated by who is left, and opt-outs since count.
func TestNarrow(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		who := w.senior
		im := must[campaign.Importer](t)(db.BeginImport(ctx, who, "All", false, false))
		row := func(n int, practice, born, sex, needs string, number int) {
			c := testCandidate(t, n)
			c.Row, c.Practice, c.Sex, c.Needs = n+1, practice, sex, needs
			c.BirthDate, c.Phone = must[person.BirthDate](t)(person.ParseISO(born)), testCandidate(t, number).Phone
			if err := im.Candidate(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		row(1, "N83001", "1950-01-01", "female", "FRAILTY;COPD", 1)
		row(2, "N83001", "1990-01-01", "male", "COPD", 2)
		row(3, "N83002", "1950-01-01", "male", "FRAILTY", 2) // shares the number of a younger man
		row(4, "N83002", "1970-01-01", "female", "", 4)
		row(5, "N83002", "1955-01-01", "", "FRAILTY", 5)
		row(6, "N83001", "2015-01-01", "female", "FRAILTY", 6) // a child
		row(7, "N83002", "1950-01-01", "female", "", 1)        // shares with 1
		if err := im.Reject(ctx, 9, "mobile_missing"); err != nil {
			t.Fatal(err)
		}
		all := must[campaign.Audience](t)(im.Finish(ctx))
		g := must[campaign.Groups](t)(db.Groups(ctx, w.network.ID, all.ID))
		if fmt.Sprint(g) != "{[{N83001 2} {N83002 2}] [{18-39 1} {40-64 1} {65-79 2}] [{ 1} {female 2} {male 1}] [{COPD 2} {FRAILTY 2}]}" {
			t.Errorf("groups %v", g)
		}
		var sealed []byte
		if err := db.read(ctx, "test", func(tx *Tx) error {
			return tx.QueryRow(`SELECT needs FROM audience WHERE id = $1`, int64(all.ID)).Scan(&sealed)
		}); err != nil || bytes.Contains(sealed, []byte("FRAILTY")) || len(sealed) == 0 {
			t.Errorf("needs in clear: %v", err)
		}
		narrow := func(from campaign.AudienceID, c campaign.Cohort) (campaign.Audience, string) {
			t.Helper()
			n := must[campaign.Narrowing](t)(db.BeginNarrow(ctx, who, from, c, "Some"))
			a := must[campaign.Audience](t)(n.Run(ctx))
			var rows []string
			for _, r := range must[[]campaign.NotInvited](t)(db.NotInvited(ctx, w.network.ID, a.ID, 0, 99)) {
				rows = append(rows, fmt.Sprint(r.Row, " ", r.Code))
			}
			if again := must[campaign.Audience](t)(db.Audience(ctx, w.network.ID, a.ID)); !again.Ledger.Balanced() || again.Ledger.Rows != must[campaign.Audience](t)(db.Audience(ctx, w.network.ID, from)).Ledger.Rows || again.Parent != from || fmt.Sprint(again.Cohort) != fmt.Sprint(c) {
				t.Errorf("list %+v", again)
			}
			return a, strings.Join(rows, ", ")
		}
		old := campaign.Cohort{AgeBands: []string{"65-79", "80+"}}
		if got := must[[]campaign.GroupSize](t)(db.CountCohort(ctx, w.network.ID, all.ID, old)); fmt.Sprint(got) != "[{N83001 1} {N83002 2}]" {
			t.Errorf("counted %v", got)
		}
		now = now.Add(24 * time.Hour)
		a, rows := narrow(all.ID, old)
		// The older man is the first on his number now; the younger one is kept, for the number is still shared.
		if a.Ledger.Invited != 3 || rows != "3 not_in_cohort, 5 not_in_cohort, 7 under_age, 8 shared_number, 9 mobile_missing" {
			t.Errorf("%d invited, %s", a.Ledger.Invited, rows)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM patient WHERE audience = $1 AND NOT invited`, int64(a.ID)); n != 2 {
			t.Errorf("%d are kept for their numbers", n)
		}
		if !a.ScreenedAt.Equal(all.ScreenedAt) {
			t.Error("a list grew younger by narrowing it")
		}
		// Narrowed again, by need; one of them has opted out since.
		w.write(`INSERT INTO suppression (network, kind, ix, why, at) VALUES ($1, 'phone', $2, 'stop', 0)`, int64(w.network.ID), db.phoneIndex(testCandidate(t, 5).Phone))
		frail := campaign.Cohort{Needs: []string{"FRAILTY"}}
		if got := must[[]campaign.GroupSize](t)(db.CountCohort(ctx, w.network.ID, a.ID, frail)); fmt.Sprint(got) != "[{N83001 1} {N83002 2}]" {
			t.Errorf("counted %v", got)
		}
		b, rows := narrow(a.ID, frail)
		if b.Ledger.Invited != 2 || rows != "3 not_in_cohort, 5 not_in_cohort, 6 suppressed, 7 under_age, 8 not_in_cohort, 9 mobile_missing" {
			t.Errorf("%d invited, %s", b.Ledger.Invited, rows)
		}
		if got := must[campaign.Groups](t)(db.Groups(ctx, w.network.ID, b.ID)); fmt.Sprint(got.Needs) != "[{COPD 1} {FRAILTY 2}]" {
			t.Errorf("needs %v", got.Needs)
		}
		// A later export: one is new, one is gone, one moved, one has another number.
		im = must[campaign.Importer](t)(db.BeginImport(ctx, who, "Later", false, false))
		row(2, "N83002", "1990-01-01", "male", "", 2)
		row(3, "N83002", "1950-01-01", "male", "", 2)
		row(4, "N83002", "1970-01-01", "female", "", 44)
		row(7, "N83002", "1950-01-01", "female", "", 1)
		row(8, "N83001", "1950-01-01", "female", "", 8)
		later := must[campaign.Audience](t)(im.Finish(ctx))
		// 1 and 5 are gone, 5 having opted out.
		if c := must[campaign.Comparison](t)(db.Compare(ctx, w.network.ID, later.ID, all.ID)); c != (campaign.Comparison{Same: 2, New: 1, Gone: 2, MovedPractice: 1, ChangedNumber: 1}) {
			t.Errorf("compared %+v", c)
		}
		// Of the later one, only who is new.
		since := campaign.Cohort{NotOn: all.ID}
		if got := must[[]campaign.GroupSize](t)(db.CountCohort(ctx, w.network.ID, later.ID, since)); fmt.Sprint(got) != "[{N83001 1}]" {
			t.Errorf("new since then: %v", got)
		}
		if added, rows := narrow(later.ID, since); added.Ledger.Invited != 1 || rows != "3 not_in_cohort, 4 not_in_cohort, 5 not_in_cohort, 8 not_in_cohort" {
			t.Errorf("%d are new, %s", added.Ledger.Invited, rows)
		}
		far := campaign.Cohort{NotOn: all.ID + 1}
		if _, err := db.CountCohort(ctx, w.network.ID, later.ID, far); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("counted without a list that there is not: %v", err)
		}
		if _, err := db.BeginNarrow(ctx, who, later.ID, far, "Far"); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("narrowed by a list that there is not: %v", err)
		}
		if _, err := db.Compare(ctx, w.network.ID+1, later.ID, all.ID); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("another network: %v", err)
		}
		for _, table := range []string{"patient", "audience_row", "patient_need"} {
			if n := count(t, db, `SELECT COUNT(*) FROM `+table+` WHERE audience = $1`, int64(b.ID)); n == 0 {
				t.Errorf("no %s", table)
			}
		}
		w.write(`UPDATE audience SET state = 'abandoned' WHERE id = $1`, int64(b.ID))
		if err := db.dropAudience(ctx, b.ID); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"patient", "audience_row", "patient_need"} {
			if n := count(t, db, `SELECT COUNT(*) FROM `+table+` WHERE audience = $1`, int64(b.ID)); n != 0 {
				t.Errorf("%d rows of %s stay", n, table)
			}
		}
	})
}

// A list that was being narrowed when the program ended is told of: no row of it stays, but its name for a week, and a line in the audit.
func TestNarrow_interrupted(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		machine := time.Now()
		cfg.Machine = func() time.Time { return machine }
		db := mustOpen(t, cfg)
		db.hearts.every = time.Hour // whose import is left alone here has died
		w := mustWorld(t, db)
		im := must[campaign.Importer](t)(db.BeginImport(ctx, w.senior, "All", false, false))
		for n := range 3 {
			if err := im.Candidate(ctx, testCandidate(t, n+1)); err != nil {
				t.Fatal(err)
			}
		}
		all := must[campaign.Audience](t)(im.Finish(ctx))
		begin := func() campaign.Narrowing {
			return must[campaign.Narrowing](t)(db.BeginNarrow(ctx, w.senior, all.ID, campaign.Cohort{Practices: []string{testCandidate(t, 1).Practice}}, "Some"))
		}
		given, crashed := begin(), begin()
		if err := given.Abandon(ctx); err != nil {
			t.Fatal(err)
		}
		machine = machine.Add(2 * importSilent)
		if err := db.DropBrokenImports(ctx, machine); err != nil {
			t.Fatal(err)
		}
		if _, err := crashed.Run(ctx); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("what was cut off finished: %v", err)
		}
		if err := crashed.Abandon(ctx); err != nil {
			t.Fatal(err)
		}
		machine = machine.Add(time.Hour)
		if err := db.DropBrokenImports(ctx, machine); err != nil { // the next start
			t.Fatal(err)
		}
		for _, n := range []campaign.Narrowing{given, crashed} {
			a := must[campaign.Audience](t)(db.Audience(ctx, w.network.ID, n.Audience().ID))
			if a.State != campaign.Interrupted || a.Parent != all.ID || a.Name != "Some" {
				t.Errorf("left of it: %+v", a)
			}
			if k := count(t, db, `SELECT COUNT(*) FROM audit WHERE target = $1 AND outcome = 'interrupted' AND account = $2`, fmt.Sprintf("list %d", a.ID), int64(w.senior.ID)); k != 1 {
				t.Errorf("told %d times in the audit", k)
			}
			if k := count(t, db, `SELECT COUNT(*) FROM patient WHERE audience = $1`, int64(a.ID)); k != 0 {
				t.Errorf("%d people are left", k)
			}
		}
		for _, want := range []int64{2, 0} { // after six days, and after twelve
			machine = machine.Add(6 * 24 * time.Hour)
			if _, err := db.PurgeUploads(ctx); err != nil {
				t.Fatal(err)
			}
			if k := count(t, db, `SELECT COUNT(*) FROM audience WHERE state = 'interrupted'`); k != want {
				t.Errorf("%d are told of, want %d", k, want)
			}
		}
	})
}

// More than so many codes are no codes; the first are kept.
func TestNarrow_tooManyNeeds(t *testing.T) {
	db := mustOpen(t, testConfig(t))
	im := &listImport{db: db, needs: map[string]int{}}
	var marks []any
	for i := range 3 * knownNeeds {
		marks = im.mark(marks, int64(i), fmt.Sprintf("CODE %d;CODE 1", i), i%2 == 0)
	}
	if len(im.needs) != knownNeeds || im.needs["CODE 1"] != 300 || len(marks) != 3*(3*knownNeeds+knownNeeds) {
		t.Errorf("%d codes, %d marks, %v", len(im.needs), len(marks), slices.Sorted(maps.Keys(im.needs))[:3])
	}
}
