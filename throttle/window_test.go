package throttle

import (
	"testing"
	"time"
)

// On the days when the clocks change, a window is open only in minutes whose wall-clock time lies in it: hours that begin or end in
// the hour that comes twice are as short as they can be meant, and an hour that is missing is missing.
func TestWindowAt_clockChanges(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, night := range []struct {
		name    string
		utc     time.Time
		minutes map[Hours]int // how long each window is open that day
	}{
		{"25 October 2026, 01:00 to 02:00 twice", time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC), map[Hours]int{{60, 120}: 60, {0, 90}: 90, {90, 150}: 60, {540, 1020}: 480, {0, 1440}: 1500}},
		{"28 March 2027, 01:00 to 02:00 missing", time.Date(2027, 3, 27, 0, 0, 0, 0, time.UTC), map[Hours]int{{60, 120}: 0, {0, 90}: 60, {90, 150}: 30, {540, 1020}: 480, {0, 1440}: 1380}},
	} {
		t.Run(night.name, func(t *testing.T) {
			for hours, want := range night.minutes {
				var w Week
				for d := range w {
					w[d] = hours
				}
				open := 0
				for x := night.utc; x.Before(night.utc.Add(72 * time.Hour)); x = x.Add(time.Minute) {
					wall := x.In(london)
					minute := wall.Hour()*60 + wall.Minute()
					inside := minute >= hours.From && minute < hours.To
					s, ok := (Calendar{}).WindowAt(x, w)
					if ok && !inside {
						t.Fatalf("%v-%v is open at %v", hours.From, hours.To, wall)
					}
					if ok && (x.Before(s.From) || !x.Before(s.To)) {
						t.Fatalf("at %v the window is %v to %v", wall, s.From, s.To)
					}
					if ok && wall.Day() == night.utc.AddDate(0, 0, 1).Day() {
						open++
					}
				}
				if open != want {
					t.Errorf("%02d:%02d-%02d:%02d is open for %d minutes, want %d", hours.From/60, hours.From%60, hours.To/60, hours.To%60, open, want)
				}
			}
		})
	}
}
