package sim

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

//go:embed testdata/*.json
var files embed.FS

// World is a made-up town: how many people answer a text and when, and who is there to call them. A scenario file holds one.
type World struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// Start is the civil time of the launch, "2026-06-01T09:00".
	Start    string  `json:"start"`
	Patients int     `json:"patients"`
	Rate     float64 `json:"rate"` // share of those texted who ask for help
	// Practices are the strata; Spread is the shape of the Gamma by which their response differs (0: not at all).
	Practices int     `json:"practices"`
	Spread    float64 `json:"spread"`
	// DayNoise is the coefficient of variation of the response from one day's texts to another's.
	DayNoise float64 `json:"day_noise"`
	Delays   []Delay `json:"delays"`
	Workers  int     `json:"workers"`
	// ContactsPerDay are the first contacts that one worker makes in one working day.
	ContactsPerDay float64 `json:"contacts_per_day"`
	// Productivity is the coefficient of variation of one worker's working day, CallNoise that of the length of a call.
	Productivity float64   `json:"productivity"`
	CallNoise    float64   `json:"call_noise"`
	OtherPerDay  float64   `json:"other_per_day"` // other referrals per working day
	Absences     []Absence `json:"absences"`
	Surges       []Surge   `json:"surges"`
	// EveryMinutes is how often the pacer is asked; 0 means 30.
	EveryMinutes int `json:"every_minutes"`

	// Expect is what the pacer has to keep in this world.
	Expect Expectation `json:"expect"`

	// Response is each practice's response relative to the whole; nil means all alike. Drawn fills it.
	Response []float64 `json:"response,omitempty"`
}

// Expectation is the most that may go wrong. Zero means not expected of the pacer in this world.
type Expectation struct {
	LatePercent float64 `json:"late_percent"` // in every run
	WorkingDays float64 `json:"working_days"` // until the last text, on average
}

// Delay is one kind of people: how long they take, as a log-normal in response-hours.
type Delay struct {
	Weight float64 `json:"weight"`
	Median float64 `json:"median"`
	Sigma  float64 `json:"sigma"`
}

// Absence takes the first so many workers away in civil days after the start, half open.
type Absence struct {
	Workers int `json:"workers"`
	FromDay int `json:"from_day"`
	ToDay   int `json:"to_day"`
	// Known says since when the roster shows it: "planned" from the start, "announced" on its first day, "silent" never.
	Known string `json:"known"`
}

// Surge multiplies the response to texts sent in civil days after the start, half open.
type Surge struct {
	FromDay int     `json:"from_day"`
	ToDay   int     `json:"to_day"`
	Factor  float64 `json:"factor"`
}

// Worlds lists the scenarios.
func Worlds() []string {
	names, _ := fs.Glob(files, "testdata/*.json") // the pattern is well formed
	for i, n := range names {
		names[i] = strings.TrimSuffix(path.Base(n), ".json")
	}
	sort.Strings(names)
	return names
}

// LoadWorld reads a scenario by the name of its file or by its number, such as "01".
func LoadWorld(name string) (World, error) {
	for _, n := range Worlds() {
		if n != name && !strings.HasPrefix(n, name+"-") {
			continue
		}
		b, err := files.ReadFile("testdata/" + n + ".json")
		if err != nil {
			return World{}, fmt.Errorf("read world %s: %w", n, err)
		}
		return ParseWorld(b)
	}
	return World{}, fmt.Errorf("there is no world %q; there are %s", name, strings.Join(Worlds(), ", "))
}

// ParseWorld reads a scenario file.
func ParseWorld(b []byte) (World, error) {
	var w World
	if err := json.Unmarshal(b, &w); err != nil {
		return World{}, fmt.Errorf("parse world: %w", err)
	}
	if w.Patients <= 0 || w.Practices <= 0 || w.Rate < 0 || w.Rate > 1 || len(w.Delays) == 0 || w.Workers < 0 || w.ContactsPerDay <= 0 {
		return World{}, fmt.Errorf("parse world %q: it needs patients, practices, a rate from 0 to 1, delays and contacts per day", w.Name)
	}
	if _, err := time.Parse(startLayout, w.Start); err != nil {
		return World{}, fmt.Errorf("parse world %q: start: %w", w.Name, err)
	}
	return w, nil
}

const startLayout = "2006-01-02T15:04"

var civil = func() *time.Location {
	loc, err := time.LoadLocation("Europe/London") // embedded by throttle
	if err != nil {
		panic("sim: no Europe/London: " + err.Error())
	}
	return loc
}()

// StartTime is the launch.
func (w World) StartTime() time.Time {
	t, _ := time.ParseInLocation(startLayout, w.Start, civil) // checked by ParseWorld
	return t
}

// Drawn is the world with the response of each practice drawn by lot.
func (w World) Drawn(rng *rand.Rand) World {
	w.Response = make([]float64, w.Practices)
	sum := 0.0
	for i := range w.Response {
		w.Response[i] = 1
		if w.Spread > 0 {
			w.Response[i] = Gamma(rng, 1/math.Sqrt(w.Spread))
		}
		sum += w.Response[i]
	}
	for i := range w.Response {
		w.Response[i] *= float64(w.Practices) / sum // so that the rate is the world's
	}
	return w
}

// RateOf is the share of a practice's people who ask for help when texted. Practices beyond those drawn repeat them.
func (w World) RateOf(stratum int) float64 {
	if len(w.Response) == 0 {
		return w.Rate
	}
	return min(1, w.Rate*w.Response[stratum%len(w.Response)])
}

// Answers draws whether somebody who is texted asks for help.
func (w World) Answers(rng *rand.Rand, stratum int) bool { return rng.Float64() < w.RateOf(stratum) }

// Delay draws how many response-hours somebody takes to answer.
func (w World) Delay(rng *rand.Rand) float64 {
	x := rng.Float64()
	d := w.Delays[len(w.Delays)-1]
	for _, one := range w.Delays {
		if x < one.Weight {
			d = one
			break
		}
		x -= one.Weight
	}
	return d.Median * math.Exp(d.Sigma*rng.NormFloat64())
}

// Gamma draws from a Gamma of mean 1 and the given coefficient of variation (Marsaglia and Tsang).
func Gamma(rng *rand.Rand, cv float64) float64 {
	if cv <= 0 {
		return 1
	}
	shape := 1 / (cv * cv)
	boost := 1.0
	k := shape
	if k < 1 {
		boost = math.Pow(rng.Float64(), 1/k)
		k++
	}
	d := k - 1./3
	for {
		x := rng.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v * boost / shape
		}
	}
}

// ResponseClock is how much the hours of the day count for answers. It is not the pacer's own idea of it.
type ResponseClock struct{}

// hourWeight by civil hour: people sleep, wake slowly and read in the evening.
var hourWeight = [24]float64{
	.05, .05, .05, .05, .05, .05, .2, .7, 1, 1, 1, 1, 1.1, 1, 1, 1, 1, 1.1, 1.1, 1, .9, .7, .4, .2,
}

// Add is the instant so many response-hours after t.
func (ResponseClock) Add(t time.Time, hours float64) time.Time {
	t = t.In(civil)
	for range 24 * 400 {
		next := t.Truncate(time.Hour).Add(time.Hour)
		w := hourWeight[t.Hour()]
		if span := next.Sub(t).Hours() * w; span >= hours {
			return t.Add(time.Duration(hours / w * float64(time.Hour)))
		} else {
			hours -= span
		}
		t = next
	}
	return t
}

const callMinutes = 60

// roster is what the pacer is told at an instant.
func (w World) roster(now time.Time) []throttle.Worker {
	start := w.StartTime()
	y, m, d := start.Date()
	midnight := func(days int) time.Time { return time.Date(y, m, d+days, 0, 0, 0, 0, civil) }
	team := make([]throttle.Worker, w.Workers)
	for i := range team {
		team[i] = throttle.Worker{
			ID: fmt.Sprint(i), Week: officeWeek, FirstContact: w.ContactsPerDay * callMinutes / (8 * 60), Minutes: callMinutes, Places: -1,
		}
		for _, a := range w.Absences {
			s := throttle.Span{From: midnight(a.FromDay), To: midnight(a.ToDay)}
			if i < a.Workers && (a.Known == "planned" || a.Known == "announced" && !now.Before(s.From)) {
				team[i].Leave = append(team[i].Leave, s)
			}
		}
	}
	return team
}

// present counts the workers who are really there on a day.
func (w World) present(day int) int {
	n := w.Workers
	for _, a := range w.Absences {
		if day >= a.FromDay && day < a.ToDay {
			n = min(n, w.Workers-a.Workers)
		}
	}
	return max(0, n)
}

func (w World) surge(day int) float64 {
	f := 1.0
	for _, s := range w.Surges {
		if day >= s.FromDay && day < s.ToDay {
			f *= s.Factor
		}
	}
	return f
}

var officeWeek = throttle.Week{
	time.Monday: {From: 540, To: 1020}, time.Tuesday: {From: 540, To: 1020}, time.Wednesday: {From: 540, To: 1020},
	time.Thursday: {From: 540, To: 1020}, time.Friday: {From: 540, To: 1020},
}
