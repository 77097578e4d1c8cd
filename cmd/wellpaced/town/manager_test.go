package town

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

// TestManager: they take two working hours to the link, whatever weekend or restart comes between, and say that it works only if it does.
func TestManager(t *testing.T) {
	day := func(d, h, m int) time.Time { return time.Date(2026, time.June, d, h, m, 0, 0, London) }
	var (
		now    time.Time
		silent *time.Time
		broken bool        // the form
		gone   bool        // nothing waits for a word any more
		said   []time.Time // that the link works
	)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/v1/campaigns/7" && r.Header.Get("Authorization") == "Bearer m":
			_ = json.NewEncoder(w).Encode(map[string]any{"silent_since": silent, "messages": map[string]int{"planned": 5}})
		case r.URL.Path == "/api/v1/campaigns/7/confirm-link" && r.Method == http.MethodPost && r.Header.Get("Authorization") == "Bearer m":
			if said = append(said, now); gone {
				w.WriteHeader(http.StatusConflict)
			}
			silent = nil
			_, _ = w.Write([]byte("{}"))
		case strings.HasPrefix(r.URL.Path, "/help") && broken:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/help":
			http.Redirect(w, r, "/help/1", http.StatusSeeOther)
		case r.URL.Path == "/help/1", r.URL.Path == "/help/1/start" && r.Method == http.MethodPost:
		default: // the link workers
			_, _ = w.Write([]byte("{}"))
		}
	}))
	defer site.Close()
	world, err := sim.LoadWorld("21")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	open := func() *Town {
		town, err := Open(Config{Dir: dir, Site: site.URL, Seed: 1, Patients: 10, Practices: testPractices, Today: day(1, 8, 0), World: world,
			Hands: []Hand{{Account: 1, Role: staff.LinkWorker, Token: "w"}}, Manager: Hand{Account: 2, Role: staff.CampaignManager, Token: "m"}, Campaign: 7, Phones: noPhones{}})
		if err != nil {
			t.Fatal(err)
		}
		return town
	}
	town := open()
	again := func() {
		if err := town.Close(); err != nil {
			t.Fatal(err)
		}
		town = open()
	}
	until := func(end time.Time) {
		t.Helper()
		for steps := 0; now.Before(end); steps++ {
			if err := town.Tick(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			next, ok := town.Next()
			if !ok || steps > 1000 {
				t.Fatalf("at %v the town has nothing to do next, or too much: %v", now, next)
			}
			if now = now.Add(time.Minute); next.After(now) {
				now = next
			}
		}
		now = end
	}
	hush := func(at time.Time) { silent = &at }
	want := func(what string, times ...time.Time) {
		t.Helper()
		if len(said) != len(times) || len(times) > 0 && !said[len(said)-1].Equal(times[len(times)-1]) {
			t.Errorf("%s: they said at %v that the link works, want %v", what, said, times)
		}
		said = nil
	}
	now = day(1, 8, 0)
	until(day(5, 16, 0))
	want("nothing is wrong")
	hush(day(5, 14, 0))
	until(day(5, 18, 0)) // Friday
	again()
	until(day(8, 9, 30)) // Monday
	want("an hour is left after the weekend")
	again()
	until(day(8, 12, 0))
	want("after the weekend and two restarts", day(8, 10, 0))
	hush(day(8, 12, 1))
	broken = true
	until(day(8, 15, 0))
	want("the link does not work")
	broken = false
	until(day(8, 17, 0))
	want("it works again", day(8, 16, 0))
	hush(day(9, 9, 0))
	until(day(9, 10, 0))
	silent = nil
	until(day(9, 17, 0))
	want("somebody was quicker")
	hush(day(10, 9, 0))
	until(day(10, 10, 30))
	hush(day(10, 10, 15)) // one ends and another begins
	gone = true
	until(day(10, 14, 0))
	if len(said) != 1 || said[0].Before(day(10, 12, 15)) {
		t.Errorf("a second silence: %v", said)
	}
}

// TestManager_atTheKeyboard: where somebody at the keyboard is the manager the town does nothing in their name, and its link workers work.
func TestManager_atTheKeyboard(t *testing.T) {
	var asked, worked int
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer w" || strings.HasPrefix(r.URL.Path, "/api/v1/campaigns") || strings.HasPrefix(r.URL.Path, "/help") {
			asked++
		} else {
			worked++
		}
		_, _ = w.Write([]byte("{}"))
	}))
	defer site.Close()
	now := time.Date(2026, time.June, 1, 10, 0, 0, 0, London)
	c := Config{Dir: t.TempDir(), Site: site.URL, Seed: 1, Patients: 10, Practices: testPractices, Today: now, Hands: []Hand{{Account: 1, Role: staff.LinkWorker, Token: "w"}}, Phones: noPhones{}}
	for _, half := range []func(*Config){func(c *Config) { c.Campaign = 7 }, func(c *Config) { c.Manager = Hand{Account: 2, Token: "m"} }} {
		wrong := c
		half(&wrong)
		if _, err := Open(wrong); err == nil {
			t.Errorf("a town with half a manager opens: %+v", wrong.Manager)
		}
	}
	town, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = town.Close() }()
	for range 48 {
		if err := town.Tick(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(30 * time.Minute)
	}
	if asked > 0 || worked == 0 {
		t.Errorf("%d requests in the manager's name, %d of the link workers", asked, worked)
	}
	if next, ok := town.Next(); ok && next.Before(now.Add(-time.Hour)) {
		t.Errorf("at %v the town has something to do at %v", now, next)
	}
}

type noPhones struct{ Phones }

func (noPhones) Texts(int64, int) []emulator.Text { return nil }
