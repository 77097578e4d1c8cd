package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func TestServices(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		full := selfrefer.Service{Name: "elm House", About: "A club.\nOn Fridays.", Reasons: []string{"loneliness"}, ReasonWords: []string{"Food parcels"}, Area: "Kirkby", Languages: []string{"Polish"},
			Places: 3, PlacesOn: testDay, How: "Ring", Phone: "0151 496 0123", Email: "a@elm.example", Web: "https://elm.example", Active: true}
		elm, err := w.db.SetService(ctx, w.senior, full)
		w.must(err)
		bay, err := w.db.SetService(ctx, w.senior, selfrefer.Service{Name: "Bay House", Places: selfrefer.UnknownPlaces})
		w.must(err)
		all, err := w.db.Services(ctx, w.network.ID)
		w.must(err)
		if len(all) != 2 || all[0].ID != bay.ID || !all[1].Same(full) || all[1].Version != 1 || all[0].Active || all[0].Places != selfrefer.UnknownPlaces {
			t.Errorf("%+v", all)
		}
		for _, who := range []staff.Account{w.worker, w.helper} {
			if _, err := w.db.SetService(ctx, who, elm); !errors.Is(err, staff.ErrDenied) {
				t.Errorf("%s edits: %v", who.Role, err)
			}
		}
		wantErr(t, w.db.SetPlaces(ctx, w.helper, elm.ID, 1, testDay), staff.ErrDenied)
		w.must(w.db.SetPlaces(ctx, w.worker, elm.ID, 0, "2026-06-02"))
		if s, err := w.db.Service(ctx, w.network.ID, elm.ID); err != nil || s.Places != 0 || s.PlacesOn != "2026-06-02" || s.Version != 2 || s.Phone != full.Phone {
			t.Errorf("%+v, %v", s, err)
		}
		if _, err := w.db.SetService(ctx, w.senior, elm); !errors.Is(err, selfrefer.ErrChanged) {
			t.Errorf("written over: %v", err)
		}
		if _, err := w.db.SetService(ctx, w.senior, selfrefer.Service{Name: "x", Web: "javascript:x"}); err == nil {
			t.Error("taken as it is")
		}
		// Another network has none of it.
		if _, err := w.db.Service(ctx, w.stranger.Network, elm.ID); !errors.Is(err, selfrefer.ErrNoService) {
			t.Errorf("read from elsewhere: %v", err)
		}
		elsewhere := w.stranger
		elsewhere.Role = staff.SeniorLinkWorker
		elm.Version = 2
		if _, err := w.db.SetService(ctx, elsewhere, elm); !errors.Is(err, selfrefer.ErrNoService) {
			t.Errorf("edited from elsewhere: %v", err)
		}
		wantErr(t, w.db.SetPlaces(ctx, w.stranger, elm.ID, 9, testDay), selfrefer.ErrNoService)
		if all, err := w.db.Services(ctx, w.stranger.Network); err != nil || len(all) != 0 {
			t.Errorf("%d, %v", len(all), err)
		}
		// Of two who edit the same version one is told to read it again.
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 8 {
			wg.Go(func() {
				s := elm
				s.Name = fmt.Sprint("Elm House ", i)
				_, err := w.db.SetService(ctx, w.senior, s)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, selfrefer.ErrChanged) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

func TestImportServices(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		w := mustWorld(t, mustOpen(t, cfg))
		load := func(file string, dry bool, want string) {
			t.Helper()
			rows, err := selfrefer.ReadServices(strings.NewReader(file), nil)
			w.must(err)
			l, err := w.db.ImportServices(ctx, w.senior, rows, testDay, dry)
			w.must(err)
			if got := fmt.Sprintf("%d = %d taken %d changed %d unchanged %d rejected", l.Rows, l.Taken, l.Changed, l.Unchanged, l.Rejected); got != want || !l.Balanced() || l.DryRun != dry {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		const file = "name,for,places,phone\nElm House,loneliness,3,0151 496 0123\nOak House,falconry,,\n,x,,\nElm house,x,,\nAsh House,,many,\n"
		load(file, true, "5 = 2 taken 0 changed 0 unchanged 3 rejected")
		if n := w.count(`SELECT COUNT(*) FROM service`); n != 0 {
			t.Fatalf("a dry run added %d", n)
		}
		load(file, false, "5 = 2 taken 0 changed 0 unchanged 3 rejected")
		load(file, false, "5 = 0 taken 0 changed 2 unchanged 3 rejected")
		// A link worker corrects the places; a file without them leaves that, one that knows others changes it.
		all, err := w.db.Services(ctx, w.network.ID)
		w.must(err)
		w.must(w.db.SetPlaces(ctx, w.worker, all[0].ID, 1, "2026-06-09"))
		load("name,phone\nElm House,0151 496 0999", true, "1 = 0 taken 1 changed 0 unchanged 0 rejected")
		load("name,phone\nElm House,0151 496 0999", false, "1 = 0 taken 1 changed 0 unchanged 0 rejected")
		s, err := w.db.Service(ctx, w.network.ID, all[0].ID)
		w.must(err)
		if s.Places != 1 || s.PlacesOn != "2026-06-09" || s.Phone != "0151 496 0999" || s.Reasons[0] != "loneliness" || s.ID != all[0].ID {
			t.Errorf("%+v", s)
		}
		// More than one chunk, and ids that keep imports apart.
		var many strings.Builder
		many.WriteString("id,name\n")
		for i := range 2*importServicesAtOnce + 5 {
			fmt.Fprintf(&many, "%d,Service of %d\n", i, i)
		}
		load(many.String(), true, "205 = 205 taken 0 changed 0 unchanged 0 rejected")
		load(many.String(), false, "205 = 205 taken 0 changed 0 unchanged 0 rejected")
		load(strings.ReplaceAll(many.String(), "Service of 7\n", "Service of seven\n"), false, "205 = 0 taken 1 changed 204 unchanged 0 rejected")
		load(`[{"id":"7","name":"Service of 7","status":"inactive"}]`, false, "1 = 1 taken 0 changed 0 unchanged 0 rejected")
		load(`[{"id":"7","name":"Service of 7","status":"active"}]`, false, "1 = 0 taken 1 changed 0 unchanged 0 rejected")
		// A directory is full at some time.
		w.write(`DELETE FROM service WHERE name LIKE 'Service of %'`)
		many.Reset()
		many.WriteString("name\n")
		for i := range selfrefer.MaxServices {
			fmt.Fprintf(&many, "S%d\n", i)
		}
		load(many.String(), true, "5000 = 4998 taken 0 changed 0 unchanged 2 rejected")
		for _, dry := range []bool{true, false} {
			if _, err := w.db.ImportServices(ctx, w.worker, nil, testDay, dry); !errors.Is(err, staff.ErrDenied) {
				t.Errorf("a link worker imports: %v", err)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM audit WHERE action = 'services.edit' AND target LIKE 'import of%'`); n != 7 {
			t.Errorf("%d imports in the audit", n)
		}
		if n := w.count(`SELECT COUNT(*) FROM audit WHERE action = 'services.edit' AND outcome = 'denied'`); n != 2 {
			t.Errorf("%d refusals in the audit", n)
		}
	})
}
