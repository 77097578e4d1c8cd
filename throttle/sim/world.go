package sim

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"sort"
	"strings"
	"time"
)

//go:embed testdata/*.json
var files embed.FS

// World is a made-up town: how many people answer a text and when, and who is there to call them. A scenario file holds one. Days are
// civil days after the launch, and stretches of days are half open.
type World struct {
	Name  string `json:"name"`
	About string `json:"about"`
	// Start is the civil time of the launch, "2026-06-01T09:00".
	Start    string  `json:"start"`
	Patients int     `json:"patients"`
	Rate     float64 `json:"rate"` // share of those texted who ask for help
	// Practices are the strata; Spread is the shape of the Gamma by which their response differs (0: not at all). Sizes are their
	// relative sizes; none means all alike.
	Practices int       `json:"practices"`
	Sizes     []float64 `json:"sizes,omitempty"`
	Spread    float64   `json:"spread"`
	// Districts are runs of neighbouring practices that answer alike, by a Gamma of the shape DistrictSpread.
	Districts      int     `json:"districts,omitempty"`
	DistrictSpread float64 `json:"district_spread,omitempty"`
	// Bands are age bands; each band of a practice is a stratum of its own.
	Bands []Band `json:"bands,omitempty"`
	// Sequence texts one practice after the other. Otherwise every prefix of the order mirrors the list.
	Sequence bool `json:"sequence,omitempty"`
	// DayNoise is the coefficient of variation of the response from one day's texts to another's.
	DayNoise float64 `json:"day_noise"`
	Delays   []Delay `json:"delays"`
	// Hours says how much each civil hour of the day counts for answers; none means the usual day.
	Hours []float64 `json:"hours,omitempty"`

	// Workers make ContactsPerDay first contacts each, Monday to Friday, 09:00 to 17:00. Team says it one by one instead.
	Workers        int      `json:"workers,omitempty"`
	ContactsPerDay float64  `json:"contacts_per_day,omitempty"`
	Team           []Member `json:"team,omitempty"`
	// Productivity is the coefficient of variation of one worker's working day, CallNoise that of the length of a call.
	Productivity float64   `json:"productivity"`
	CallNoise    float64   `json:"call_noise"`
	Absences     []Absence `json:"absences,omitempty"`
	// Closures are days on which the whole network is closed, as on a bank holiday: the promise stands still.
	Closures []Days `json:"closures,omitempty"`
	// PromiseHours is the wait for a first contact told to patients, in working hours; 0 means 16.
	PromiseHours float64 `json:"promise_hours,omitempty"`

	// OtherPerDay are referrals by professionals in a working day. The team has a history of them: their mean is known.
	OtherPerDay float64  `json:"other_per_day,omitempty"`
	Shares      []Share  `json:"shares,omitempty"`
	Surges      []Surge  `json:"surges,omitempty"`
	Outages     []Outage `json:"outages,omitempty"`
	Receipts    Receipts `json:"receipts,omitzero"`
	// Starts is how many people press Start on the form for each that sends it; 0 means that nobody counts them.
	Starts float64 `json:"starts,omitempty"`
	// Also are further campaigns that the same team answers. Practices, bands, delays and noise are as above.
	Also []Campaign `json:"also,omitempty"`

	// EveryMinutes is how often the policy is asked; 0 means each hour.
	EveryMinutes int `json:"every_minutes,omitempty"`

	// Expect is what the pacer has to keep in this world.
	Expect Expectation `json:"expect"`

	// Response is each stratum's response relative to the whole; nil means all alike. Drawn fills it.
	Response []float64 `json:"response,omitempty"`
}

// Expectation is the most that may go wrong. Zero means not expected of the pacer in this world.
type Expectation struct {
	LatePercent float64 `json:"late_percent"` // mean over the runs
	WorkingDays float64 `json:"working_days"` // until the last text, on average
}

// Delay is one kind of people: how long they take, as a log-normal in response-hours.
type Delay struct {
	Weight float64 `json:"weight"`
	Median float64 `json:"median"`
	Sigma  float64 `json:"sigma"`
}

// Band is an age band: its share of each practice and its response relative to the others.
type Band struct {
	Name   string  `json:"name"`
	Share  float64 `json:"share"`
	Factor float64 `json:"factor"`
}

// Member is one link worker.
type Member struct {
	// Days are those at work, "Mon Tue"; "" means Monday to Friday.
	Days string `json:"days,omitempty"`
	// From and To are the hours at work, "09:00" to "17:00" if empty, on the half hour.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// ContactsPerDay are the first contacts made in one such day.
	ContactsPerDay float64 `json:"contacts_per_day"`
	// Senior is who urgent referrals go to that nobody claims. A team with a senior texts only while one is there; one without does not look.
	Senior bool `json:"senior,omitempty"`
}

// Days are civil days after the launch, half open.
type Days struct {
	FromDay int `json:"from_day"`
	ToDay   int `json:"to_day"`
}

// Absence takes so many workers away, after the first Skip of them.
type Absence struct {
	Workers int `json:"workers"`
	Skip    int `json:"skip,omitempty"`
	Days
	// Known says since when the roster shows it: "planned" from the start, "announced" NoticeDays before, "silent" never.
	Known      string `json:"known"`
	NoticeDays int    `json:"notice_days,omitempty"`
}

// Surge multiplies the response to texts sent in these days.
type Surge struct {
	Days
	Factor float64 `json:"factor"`
}

// Share brings other people to the form, without a text: somebody has posted the link.
type Share struct {
	Days
	PerDay float64 `json:"per_day"`
}

// Outage is a form that is down: whoever wants to answer meanwhile gets an error and does not come back.
type Outage struct {
	FromDay  int     `json:"from_day"`
	FromHour float64 `json:"from_hour"` // civil, 9.5 is half past nine
	Days     float64 `json:"days"`
}

// Receipts say how long a text takes to be delivered, as a log-normal, and the share that never is. The zero value delivers at once.
type Receipts struct {
	MedianMinutes float64 `json:"median_minutes"`
	Sigma         float64 `json:"sigma"`
	Undelivered   float64 `json:"undelivered"`
}

// Campaign is a further campaign.
type Campaign struct {
	Patients int     `json:"patients"`
	Rate     float64 `json:"rate"`
	StartDay int     `json:"start_day"` // at 09:00
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
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields() // a mistyped field would be a milder world than meant
	if err := dec.Decode(&w); err != nil {
		return World{}, fmt.Errorf("parse world: %w", err)
	}
	if err := w.check(); err != nil {
		return World{}, fmt.Errorf("parse world %q: %w", w.Name, err)
	}
	return w, nil
}

const startLayout = "2006-01-02T15:04"

func (w *World) check() error {
	switch {
	case w.Patients <= 0 || w.Practices <= 0 || w.Rate < 0 || w.Rate > 1 || len(w.Delays) == 0:
		return fmt.Errorf("it needs patients, practices, a rate from 0 to 1 and delays")
	case w.Workers < 0 || (w.Workers > 0) == (len(w.Team) > 0) || w.Workers > 0 && w.ContactsPerDay <= 0:
		return fmt.Errorf("it needs either workers with contacts_per_day, or a team")
	case len(w.Hours) != 0 && len(w.Hours) != 24:
		return fmt.Errorf("hours must be 24 weights")
	case len(w.Sizes) != 0 && len(w.Sizes) != w.Practices:
		return fmt.Errorf("sizes must be one for each practice")
	case w.PromiseHours < 0 || w.EveryMinutes < 0 || w.OtherPerDay < 0 || w.Receipts.Undelivered < 0 || w.Receipts.Undelivered >= 1:
		return fmt.Errorf("promise_hours, every_minutes and other_per_day must not be negative, undelivered from 0 to below 1")
	}
	if w.EveryMinutes > 0 && 60%w.EveryMinutes != 0 {
		return fmt.Errorf("every_minutes must divide the hour")
	}
	if _, err := time.Parse(startLayout, w.Start); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	for _, h := range w.Hours {
		if h <= 0 {
			return fmt.Errorf("hours must be above zero: somebody is always awake")
		}
	}
	for _, d := range w.Delays {
		if d.Weight < 0 || d.Median <= 0 || d.Sigma <= 0 {
			return fmt.Errorf("delays need a weight, a median and a sigma above zero")
		}
	}
	for _, a := range w.Absences {
		if a.Known != "planned" && a.Known != "announced" && a.Known != "silent" {
			return fmt.Errorf("an absence is known as planned, announced or silent, not %q", a.Known)
		}
	}
	for _, m := range w.Team {
		if _, err := m.week(); err != nil || m.ContactsPerDay <= 0 {
			return fmt.Errorf("a member of the team needs contacts_per_day, days such as \"Mon Tue\" and hours on the half hour: %w", err)
		}
	}
	for _, c := range w.Also {
		if c.Patients <= 0 || c.Rate < 0 || c.Rate > 1 || c.StartDay < 0 {
			return fmt.Errorf("a further campaign needs patients, a rate from 0 to 1 and a start_day")
		}
	}
	return nil
}

// shift is one weekday's work in civil half hours, half open.
type shift struct{ from, to int }

var weekdays = [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// week reads the days and hours of a member.
func (m Member) week() (week [7]shift, err error) {
	s := shift{18, 34}
	for text, at := range map[string]*int{m.From: &s.from, m.To: &s.to} {
		if text == "" {
			continue
		}
		t, err := time.Parse("15:04", text)
		if err != nil {
			return week, err
		}
		if t.Minute()%30 != 0 {
			return week, fmt.Errorf("%s is not on the half hour", text)
		}
		*at = t.Hour()*2 + t.Minute()/30
	}
	if s.from >= s.to {
		return week, fmt.Errorf("the day ends before it begins")
	}
	days := m.Days
	if days == "" {
		days = "Mon Tue Wed Thu Fri"
	}
	for _, d := range strings.Fields(days) {
		i := slices.Index(weekdays[:], d)
		if i < 0 {
			return week, fmt.Errorf("there is no weekday %q", d)
		}
		week[i] = s
	}
	return week, nil
}

// team is the link workers one by one.
func (w *World) team() []Member {
	if len(w.Team) > 0 {
		return w.Team
	}
	team := make([]Member, w.Workers)
	for i := range team {
		team[i].ContactsPerDay = w.ContactsPerDay
	}
	return team
}

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

// midnight begins a day after the launch.
func (w World) midnight(day int) time.Time {
	y, m, d := w.StartTime().Date()
	return time.Date(y, m, d+day, 0, 0, 0, 0, civil)
}

// bands are the age bands, at least one.
func (w *World) bands() []Band {
	if len(w.Bands) == 0 {
		return []Band{{Share: 1, Factor: 1}}
	}
	return w.Bands
}

// size is how much of the list each stratum holds, as shares that sum to 1. The bands of a practice are neighbours.
func (w *World) shares() []float64 {
	bands := w.bands()
	out := make([]float64, 0, w.Practices*len(bands))
	sum := 0.0
	for i := range w.Practices {
		for _, b := range bands {
			x := b.Share
			if len(w.Sizes) > 0 {
				x *= w.Sizes[i]
			}
			out = append(out, x)
			sum += x
		}
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// Drawn is the world with the response of each practice drawn by lot.
func (w World) Drawn(rng *rand.Rand) World {
	bands := w.bands()
	w.Response = make([]float64, 0, w.Practices*len(bands))
	draw := func(shape float64) float64 {
		if shape <= 0 {
			return 1
		}
		return Gamma(rng, 1/math.Sqrt(shape))
	}
	district, last := 1.0, -1
	for i := range w.Practices {
		if w.Districts > 0 {
			if d := i * w.Districts / w.Practices; d != last {
				district, last = draw(w.DistrictSpread), d
			}
		}
		x := draw(w.Spread) * district
		for _, b := range bands {
			w.Response = append(w.Response, x*b.Factor)
		}
	}
	mean := 0.0
	for i, share := range w.shares() {
		mean += share * w.Response[i]
	}
	for i := range w.Response {
		w.Response[i] /= mean // so that the rate is the world's
	}
	return w
}

// RateOf is the share of a practice's people who ask for help when texted. Practices beyond those drawn repeat them.
func (w World) RateOf(practice int) float64 {
	bands := w.bands()
	sum, all := 0.0, 0.0
	for i, b := range bands {
		sum += b.Share * w.relative(w.Rate, practice*len(bands)+i)
		all += b.Share
	}
	return sum / all
}

// relative is the rate of a stratum in a campaign whose rate is given.
func (w *World) relative(rate float64, stratum int) float64 {
	if len(w.Response) == 0 {
		return rate
	}
	return min(1, rate*w.Response[stratum%len(w.Response)])
}

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

// ResponseClock is how much the hours of the day count for answers. It is not the pacer's own idea of it. The zero value is the usual day.
type ResponseClock struct{ hours []float64 }

// Clock is the world's response clock.
func (w World) Clock() ResponseClock { return ResponseClock{w.Hours} }

// hourWeight by civil hour: people sleep, wake slowly and read in the evening.
var hourWeight = [24]float64{
	.05, .05, .05, .05, .05, .05, .2, .7, 1, 1, 1, 1, 1.1, 1, 1, 1, 1, 1.1, 1.1, 1, .9, .7, .4, .2,
}

func (c ResponseClock) weight(hour int) float64 {
	if c.hours != nil {
		return c.hours[hour]
	}
	return hourWeight[hour]
}

// Add is the instant so many response-hours after t.
func (c ResponseClock) Add(t time.Time, hours float64) time.Time {
	t = t.In(civil)
	for range 24 * 400 {
		next := t.Truncate(time.Hour).Add(time.Hour)
		w := c.weight(t.Hour())
		if span := next.Sub(t).Hours() * w; span >= hours {
			return t.Add(time.Duration(hours / w * float64(time.Hour)))
		} else {
			hours -= span
		}
		t = next
	}
	return t
}

// Surge is the factor of the response to texts sent on a day after the launch.
func (w World) Surge(day int) float64 {
	f := 1.0
	for _, s := range w.Surges {
		if day >= s.FromDay && day < s.ToDay {
			f *= s.Factor
		}
	}
	return f
}

// fiercest is the largest factor of all.
func (w *World) fiercest() float64 {
	most := 1.0
	for _, s := range w.Surges {
		for _, d := range []int{s.FromDay, s.ToDay - 1} {
			most = max(most, w.Surge(d))
		}
	}
	return most
}
