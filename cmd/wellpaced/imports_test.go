package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/store/storetest"
)

// A process that starts beside another one leaves its imports alone. When that other one dies without a word, it tells within a minute or two
// that they broke off, though nobody starts again.
func TestImports_ofAnotherProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for half a minute")
	}
	t.Parallel()
	ctx := context.Background()
	var ahead atomic.Int64
	machine := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	database, dir := storetest.Postgres(t), t.TempDir()
	keys := filepath.Join(dir, "keys")
	other, err := store.Open(ctx, store.Config{Database: database, DataDir: filepath.Join(dir, "other"), Keys: keys, Now: time.Now, Machine: machine})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	n, err := other.CreateNetwork(ctx, staff.Network{Name: "Test PCN", LinkHost: "https://test.example", Practices: []staff.Practice{{ODS: "N83001", Name: "Surgery"}}})
	must(err)
	mo, err := other.CreateAccount(ctx, staff.Account{Network: n.ID, Email: "mo@test.example", Name: "Mo", Role: staff.CampaignManager}, "x")
	must(err)
	im, err := other.BeginImport(ctx, mo, "From elsewhere", true, false)
	must(err)
	must(im.Reject(ctx, 2, "mobile_missing"))
	s := newStand(t, database, "", func(o *options) { o.Keys, o.Machine = keys, machine })
	list := func() (a campaign.Audience, err error) {
		all, err := s.app.db.Audiences(ctx, n.ID, 9)
		if err == nil && len(all) > 0 {
			return all[0], nil
		}
		return a, errors.Join(err, campaign.ErrNotFound)
	}
	<-s.app.ready
	if a, err := list(); err != nil || a.State != campaign.Importing {
		t.Fatalf("after the start of another process: %q, %v", a.State, err)
	}
	must(other.Close())
	ahead.Store(int64(61 * time.Second))
	eventually(t, 90*time.Second, "the list is told as broken off", func() bool {
		time.Sleep(100 * time.Millisecond)
		_, err := list()
		return errors.Is(err, campaign.ErrNotFound)
	})
}
