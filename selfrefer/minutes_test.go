package selfrefer

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

func TestLearnMinutes(t *testing.T) {
	var week throttle.Week
	for d := time.Monday; d <= time.Friday; d++ {
		week[d] = throttle.Hours{From: 540, To: 1020}
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 5, day, hour, minute, 0, 0, london) } // 1 May is a Friday, the 4th a bank holiday
	call := func(by staff.AccountID, taken, spoken time.Time) CallTime { return CallTime{by, taken, spoken} }
	anna := throttle.Worker{ID: "1", Week: week, FirstContact: .5, Minutes: 40}
	ben := throttle.Worker{ID: "2", Week: week, FirstContact: .25, Minutes: 70}
	away := anna
	away.Leave = []throttle.Span{{From: at(6, 0, 0), To: at(7, 0, 0)}}
	near := func(got, want float64) bool { return math.Abs(got-want) < 1e-9 }
	for _, tt := range []struct {
		name   string
		roster []throttle.Worker
		calls  []CallTime
		median float64 // of worker 1
		n      int
		use    float64
	}{
		{"nothing", []throttle.Worker{anna}, nil, 0, 0, 0},
		{"one", []throttle.Worker{anna}, []CallTime{call(1, at(5, 10, 0), at(5, 10, 22))}, 22, 1, (8*40 + 22) / 9.},
		{"overnight", []throttle.Worker{anna}, []CallTime{call(1, at(5, 16, 50), at(6, 9, 5))}, 15, 1, (8*40 + 15) / 9.},
		{"over a bank holiday", []throttle.Worker{anna}, []CallTime{call(1, at(1, 16, 50), at(5, 9, 5))}, 15, 1, (8*40 + 15) / 9.},
		{"over leave", []throttle.Worker{away}, []CallTime{call(1, at(5, 16, 50), at(7, 9, 5))}, 15, 1, (8*40 + 15) / 9.},
		{"outside of working time", []throttle.Worker{anna}, []CallTime{call(1, at(5, 19, 0), at(5, 19, 30))}, 0, 0, 0},
		{"several taken at once", []throttle.Worker{anna}, []CallTime{call(1, at(5, 9, 0), at(5, 11, 30)), call(1, at(5, 9, 0), at(5, 10, 0)), call(1, at(5, 9, 0), at(5, 10, 30))}, 60, 3, (8*40 + 3*60) / 11.},
		{"somebody else's in between", []throttle.Worker{anna, ben}, []CallTime{call(1, at(5, 9, 0), at(5, 9, 30)), call(2, at(5, 9, 0), at(5, 9, 20))}, 30, 1, (8*40 + 30) / 9.},
		{"one took all day", []throttle.Worker{anna}, []CallTime{call(1, at(5, 9, 0), at(5, 9, 20)), call(1, at(6, 9, 0), at(6, 9, 30)), call(1, at(7, 9, 0), at(8, 16, 0))}, 30, 3, (8*40 + 3*30) / 11.},
		{"left lying for weeks", []throttle.Worker{anna}, []CallTime{call(1, at(5, 9, 0), at(26, 9, 20)), call(1, time.Time{}, at(26, 9, 50))}, 30, 1, (8*40 + 30) / 9.},
		{"somebody who has left", []throttle.Worker{anna}, []CallTime{call(9, at(5, 9, 0), at(5, 9, 20))}, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was := slices.Clone(tt.calls)
			each, _ := LearnMinutes(throttle.Calendar{}, tt.roster, tt.calls)
			if m := each["1"]; !near(m.Median, tt.median) || m.Contacts != tt.n || !near(m.Minutes, tt.use) {
				t.Errorf("got %+v", m)
			}
			if !slices.Equal(was, tt.calls) {
				t.Error("the calls were put in order where they stood")
			}
		})
	}
	// The team's is drawn towards the mean of what is declared, weighed by the share for first contacts: 50.
	_, team := LearnMinutes(throttle.Calendar{}, []throttle.Worker{anna, ben}, []CallTime{call(1, at(5, 9, 0), at(5, 9, 20)), call(2, at(5, 9, 0), at(5, 9, 40))})
	if !near(team.Median, 30) || !near(team.Minutes, (8*50+2*30)/10.) || team.Contacts != 2 || team.People != 2 {
		t.Errorf("the team: %+v", team)
	}
	idle := anna
	idle.FirstContact = 0
	if _, team = LearnMinutes(throttle.Calendar{}, []throttle.Worker{idle}, []CallTime{call(1, at(5, 9, 0), at(5, 9, 20))}); !near(team.Minutes, 20) || team.People != 1 {
		t.Errorf("a team without time for first contacts: %+v", team)
	}
}

// What is learned lies between what is declared and the median, and ever nearer to the median.
func TestLearnMinutesShrinks(t *testing.T) {
	var week throttle.Week
	for d := range week {
		week[d] = throttle.Hours{To: 24 * 60}
	}
	rapid.Check(t, func(t *rapid.T) {
		w := throttle.Worker{ID: "1", Week: week, FirstContact: 1, Minutes: rapid.Float64Range(1, 300).Draw(t, "declared")}
		took := rapid.SliceOfN(rapid.IntRange(1, 400), 1, 40).Draw(t, "took")
		at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		var calls []CallTime
		for _, m := range took {
			calls = append(calls, CallTime{1, at, at.Add(time.Duration(m) * time.Minute)})
			at = at.Add(time.Duration(m) * time.Minute)
		}
		each, team := LearnMinutes(throttle.Calendar{NoBankHolidays: true}, []throttle.Worker{w}, calls)
		m := each["1"]
		if m.Contacts != len(took) || m.Minutes < min(w.Minutes, m.Median)-1e-9 || m.Minutes > max(w.Minutes, m.Median)+1e-9 || m != team {
			t.Fatalf("%+v, the team %+v, declared %v", m, team, w.Minutes)
		}
		if d := math.Abs(w.Minutes - m.Median); math.Abs(m.Minutes-m.Median) > d*declaredWeighs/float64(declaredWeighs+len(took))+1e-9 {
			t.Fatalf("%+v of %d, declared %v", m, len(took), w.Minutes)
		}
	})
}
