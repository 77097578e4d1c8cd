package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/town"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/throttle"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

// TestDemo_silence: the form is down for a day and a bit. The pacer notices and holds the campaign; the manager of the town opens the link
// every two working hours, beyond the end of the program too, and says that it works once it does and not before. Then sending goes on.
func TestDemo_silence(t *testing.T) {
	if testing.Short() {
		t.Skip("lives through five days of a town of 7,000")
	}
	world, err := sim.LoadWorld("21")
	if err != nil {
		t.Fatal(err)
	}
	// More people answer than in the demo: so a small list lasts for a week.
	world.Rate, world.DayNoise = .02, 0
	world.Outages = []sim.Outage{{FromDay: 2, FromHour: 10, Days: 1.1}}
	stops := time.Date(2026, time.June, 3, 10, 0, 0, 0, town.London)
	works := stops.Add(26*time.Hour + 24*time.Minute)
	dir := t.TempDir()
	live := func(days int) (r demoReport, confirmed []staff.Entry, decisions []campaign.Decision) {
		t.Helper()
		var out bytes.Buffer
		c := demoCmd{Data: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys"), Listen: "127.0.0.1:0", Log: "error", Patients: 7000, Days: &days,
			Headless: true, JSON: true, world: world}
		if err := c.Run(t.Context(), std{out: &out, err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v in %q", err, out.String())
		}
		db, err := store.Open(t.Context(), store.Config{DataDir: c.Data, Keys: c.Keys, Now: time.Now, Machine: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		networks, err := db.Networks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all, err := db.Campaigns(t.Context(), networks[0].ID, 2)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d campaigns: %v", len(all), err)
		}
		if decisions, err = db.Decisions(t.Context(), networks[0].ID, all[0].ID, 10_000); err != nil {
			t.Fatal(err)
		}
		entries, _, err := db.AuditEntries(t.Context(), networks[0].ID, 0, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Target == fmt.Sprintf("campaign %d confirm-link", all[0].ID) {
				confirmed = append(confirmed, e)
			}
		}
		return r, confirmed, decisions
	}
	asked := func(d campaign.Decision) bool { return d.Limit == string(throttle.LimitSilence) }

	// Three days end on Thursday at eight in the morning: the form is still down.
	before, confirmed, decisions := live(3)
	if !slices.ContainsFunc(decisions, asked) {
		t.Fatalf("the pacer has not noticed that answers have stopped: %+v", before)
	}
	if len(confirmed) > 0 {
		t.Errorf("somebody said at %v that the link works, and it did not", confirmed[0].At)
	}
	after, confirmed, decisions := live(5)
	if len(confirmed) == 0 {
		t.Fatal("nobody said that the link works")
	}
	first := confirmed[len(confirmed)-1].At.In(town.London)
	if first.Before(works) || first.After(works.Add(2*time.Hour+time.Minute)) || confirmed[0].Outcome != "done" {
		t.Errorf("somebody said at %v that the link works, want within two working hours of %v", first, works)
	}
	noticed := decisions[slices.IndexFunc(decisions, asked)].At
	for _, d := range decisions { // newest first
		if asked(d) {
			noticed = d.At
		}
	}
	for _, d := range decisions {
		if d.N > 0 && d.At.After(noticed) && d.At.Before(first) {
			t.Errorf("%d texts left at %v, while nobody knew whether the link works: %s", d.N, d.At, d.Sentence)
		}
	}
	if noticed.Before(stops) {
		t.Errorf("answers are said to have stopped at %v, before they did", noticed)
	}
	if after.Texts < before.Texts+300 || after.Twice != 0 || len(confirmed) != 1 {
		t.Errorf("sending did not go on: %d texts before, %d after, of %d; %d were texted twice, and %d times somebody spoke for the link", before.Texts, after.Texts, after.Invited, after.Twice, len(confirmed))
	}
}
