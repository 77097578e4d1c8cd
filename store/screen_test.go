package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
)

// TestImport_everyRowInItsPlace screens lists in which few people and few numbers come again and again, over several chunks, and holds the
// ledger and the stored rows against the rules as one would write them down with everything in memory.
func TestImport_everyRowInItsPlace(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := mustWorld(t, db)
		// Of the 700 people and numbers that occur, some are known from earlier.
		const some = 700
		people, numbers := make([]person.NHSNumber, some), make([]person.Phone, some)
		optedOut, dissenting, texted, supported := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
		for i := range some {
			c := testCandidate(t, i+1)
			people[i], numbers[i] = c.NHSNumber, c.Phone
			phone, nhs := c.Phone.Reveal(), c.NHSNumber.Reveal()
			switch i % 20 {
			case 0:
				optedOut[phone] = true
				w.write(`INSERT INTO suppression (network, kind, ix, why, at) VALUES ($1, 'phone', $2, 'stop', 0)`, int64(w.network.ID), db.phoneIndex(c.Phone))
			case 1:
				dissenting[nhs] = true
				w.write(`INSERT INTO suppression (network, kind, ix, why, at) VALUES ($1, 'nhs', $2, 'dissent', 0)`, int64(w.network.ID), db.nhsIndex(c.NHSNumber))
			case 2, 3, 4:
				texted[phone] = true
				w.write(`INSERT INTO contact (phone_ix, message, campaign, at) VALUES ($1, $2, 1, $3)`, db.phoneIndex(c.Phone), i, testCivil.UnixMilli()-1000)
			case 5, 6:
				supported[nhs] = true
				w.write(`INSERT INTO referral (id, network, team, campaign, message, patient, form_ix, reference, state, lane, urgent, source, not_matched, practice, language,
						received_at, due_at, contact_by, claimed_by, claimed_at, contacted_at, attempts, closed_at, person, phone_ix, nhs_ix)
					VALUES ($1, $2, $3, 0, 0, 0, $4, $5, 'in_support', '', false, 'link', '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, $4, $4, $6)`,
					db.newID(), int64(w.network.ID), int64(w.team.ID), db.nhsIndex(c.NHSNumber), nhs, db.nhsIndex(c.NHSNumber))
			}
		}
		old, child := testCandidate(t, 1).BirthDate, must[person.BirthDate](t)(person.ParseISO("2015-06-15"))
		for seed := range uint64(3) {
			rng := rand.New(rand.NewPCG(seed, 1))
			rows := make([]campaign.Candidate, 3*importChunk+17)
			want, wantInvited := map[string]int{}, map[int]bool{}
			person, number := map[string]bool{}, map[string]bool{} // seen, invited
			for i := range rows {
				c := campaign.Candidate{Row: i + 2, NHSNumber: people[rng.IntN(some)], Phone: numbers[rng.IntN(some)], BirthDate: old, Practice: "N83001",
					Dead: rng.IntN(30) == 0, Dissent: rng.IntN(30) == 0, DoNotContact: rng.IntN(30) == 0}
				if rng.IntN(30) == 0 {
					c.BirthDate = child
				}
				rows[i] = c
				nhs, phone := c.NHSNumber.Reveal(), c.Phone.Reveal()
				excluded := func() campaign.Exclusion {
					switch {
					case c.Dead:
						return campaign.ExDeceased
					case c.Dissent:
						return campaign.ExDissent
					case c.DoNotContact:
						return campaign.ExDoNotContact
					case optedOut[phone] || dissenting[nhs]:
						return campaign.ExSuppressed
					case c.BirthDate == child:
						return campaign.ExUnderAge
					case person[nhs]:
						return campaign.ExDuplicatePerson
					}
					person[nhs] = true
					switch {
					case number[phone]:
						return campaign.ExSharedNumber
					case texted[phone]:
						return campaign.ExRecentlyTexted
					case supported[nhs]:
						return campaign.ExAlreadySupported
					}
					number[phone], wantInvited[c.Row] = true, true
					return ""
				}()
				if excluded != "" {
					want[string(excluded)]++
				}
			}
			if len(want) != 9 {
				t.Fatalf("seed %d: only %d of 9 exclusions occur: %v", seed, len(want), want)
			}
			for _, dry := range []bool{true, false} {
				im := must[campaign.Importer](t)(db.BeginImport(ctx, w.senior, "list", true, dry))
				for _, c := range rows {
					if err := im.Candidate(ctx, c); err != nil {
						t.Fatal(err)
					}
				}
				a := must[campaign.Audience](t)(im.Finish(ctx))
				if !maps.Equal(a.Ledger.Excluded, want) || a.Ledger.Invited != len(wantInvited) || !a.Ledger.Balanced() {
					t.Errorf("seed %d, dry run %v: %+v, want %d invited and %v", seed, dry, a.Ledger, len(wantInvited), want)
				}
				if dry {
					continue
				}
				if n := count(t, db, `SELECT COUNT(*) FROM patient WHERE audience = $1`, int64(a.ID)); n != int64(len(wantInvited)+want["shared_number"]) {
					t.Errorf("seed %d: %d patients stored, want the invited and those who share a number", seed, n)
				}
				for row := range wantInvited {
					if count(t, db, `SELECT COUNT(*) FROM patient WHERE audience = $1 AND row = $2 AND invited`, int64(a.ID), row) != 1 {
						t.Fatalf("seed %d: row %d is not invited", seed, row)
					}
				}
			}
		}
	})
}

// TestSeen_leavesNothing looks for what a screening leaves in the data folder, while it runs and after each way in which it can end.
func TestSeen_leavesNothing(t *testing.T) {
	ctx := context.Background()
	cfg := testConfig(t)
	db := mustOpen(t, cfg)
	w := mustWorld(t, db)
	files := func() (n int) {
		found, err := filepath.Glob(filepath.Join(cfg.DataDir, "screening-*"))
		if err != nil {
			t.Fatal(err)
		}
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("only Linux tells which files are open")
		}
		for _, f := range open {
			if to, _ := os.Readlink("/proc/self/fd/" + f.Name()); filepath.Dir(to) == cfg.DataDir && filepath.Base(to)[:5] == "scree" {
				n++
			}
		}
		if len(found) > 0 {
			t.Errorf("%v can be seen", found)
		}
		return n
	}
	for _, dry := range []bool{true, false} {
		for _, end := range []func(campaign.Importer) error{
			func(im campaign.Importer) error { _, err := im.Finish(ctx); return err },
			func(im campaign.Importer) error { return im.Abandon(ctx) },
		} {
			im := must[campaign.Importer](t)(db.BeginImport(ctx, w.senior, "list", true, dry))
			if files() == 0 {
				t.Error("the file is not there while a list is screened")
			}
			if err := end(im); err != nil {
				t.Fatal(err)
			}
			if n := files(); n != 0 {
				t.Errorf("%d files are still open", n)
			}
		}
	}
}

// A relative folder of data is the default of every command.
func TestSeen_relativeFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"data", "./data", "."} {
		s, err := openSeen(dir)
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		for i, want := range []bool{false, true} {
			if before, err := s.Person([]byte("somebody")); err != nil || before != want {
				t.Errorf("%s, time %d: noted before %v, %v", dir, i+1, before, err)
			}
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob("*/*.tmp"); len(left) > 0 {
		t.Errorf("files are left behind: %v", left)
	}
}

// What was noted is known, and nothing else, whether it is on the disk already or not.
func TestSeen_exact(t *testing.T) {
	s, err := openSeen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	rng := rand.New(rand.NewPCG(1, 2))
	known := map[string]bool{}
	numbers := map[string]bool{}
	for i := range 80_000 {
		if i == 60_000 { // a filter that is full says nothing any more
			for j := range s.persons.filter {
				s.persons.filter[j] = ^uint64(0)
			}
		}
		key := fmt.Sprint(rng.IntN(40_000))
		if before, err := s.Person([]byte(key)); err != nil || before != known[key] {
			t.Fatalf("person %d: %v, want %v, %v", i, before, known[key], err)
		}
		known[key] = true
		invite := rng.IntN(2) == 0
		if before, err := s.Number([]byte(key), invite); err != nil || before != numbers[key] {
			t.Fatalf("number %d: %v, want %v, %v", i, before, numbers[key], err)
		}
		numbers[key] = numbers[key] || invite
	}
}
