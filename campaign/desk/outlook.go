package desk

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// futures are played for each of two policies; the same dice fall in both, so that fewer do than for one alone.
const futures = 100

// capMost is the largest daily limit that a slider reaches; a larger one is typed.
const capMost = 2000

// whatIf is a policy that differs from the saved one: nothing of it is saved.
type whatIf struct {
	Capacity int // percent of today's
	DailyCap int // 0: none
	Promise  int // working days
}

// forecastData is how a campaign will go, and how it would with another policy.
type forecastData struct {
	Sentence               string // why it cannot be told, or will not go at all
	Points                 []string
	Texts, Answers, Queue  ui.Chart
	Capacity, Cap, Promise ui.Field
	Changed                bool
	Table                  ui.Table
}

// another is a team's policy with what somebody wants to try.
func (w whatIf) another(p throttle.TeamPolicy, id string) throttle.TeamPolicy {
	p.PromiseDays = w.Promise
	p.Roster = slices.Clone(p.Roster)
	for i := range p.Roster {
		p.Roster[i].Minutes *= 100 / float64(w.Capacity) // more calls in the same hours, by the same people
	}
	p.Campaigns = slices.Clone(p.Campaigns)
	for i := range p.Campaigns {
		if p.Campaigns[i].ID == id {
			p.Campaigns[i].DailyCap = w.DailyCap
		}
	}
	return p
}

// readWhatIf reads what is to be tried; what is not said stays as it is saved.
func readWhatIf(q url.Values, c campaign.Campaign, promise int) (w whatIf, bad invalid) {
	w = whatIf{Capacity: 100, DailyCap: c.Policy.DailyCap, Promise: promise}
	read := func(name string, least, most int, to *int, sentence string) {
		s := strings.TrimSpace(q.Get(name))
		if _, said := q[name]; !said || s == "" && least > 0 {
			return
		}
		n, err := strconv.Atoi(strings.ReplaceAll(strings.TrimSuffix(s, "%"), ",", ""))
		if s == "" {
			n, err = 0, nil
		}
		if err != nil || n < least || n > most {
			bad = append(bad, ui.FieldError{Field: name, Sentence: sentence})
			return
		}
		*to = n
	}
	read("capacity", 10, 1000, &w.Capacity, "The team's time must be between 10% and 1,000% of today's.")
	read("cap", 0, 10_000_000, &w.DailyCap, "The most texts in one day must be a whole number, such as 500.")
	read("promise", 1, 60, &w.Promise, "The promise must be between 1 and 60 working days.")
	return w, bad
}

// foretell plays the futures of a campaign under its saved policy, and under another one.
func (h *Handler) foretell(ctx context.Context, who staff.Account, c campaign.Campaign, q url.Values) (now, then throttle.Outcome, w whatIf, bad invalid, err error) {
	select { // one at a time: it takes a processor
	case h.playing <- struct{}{}:
		defer func() { <-h.playing }()
	case <-ctx.Done():
		return now, then, w, nil, ctx.Err()
	}
	snap, err := h.cfg.Store.Outlook(ctx, who.Network, c.ID)
	if err != nil {
		return now, then, w, nil, fmt.Errorf("read what is known for a forecast of campaign %d: %w", c.ID, err)
	}
	promise := snap.Policy.PromiseDays
	if promise == 0 {
		promise = 2
	}
	w, bad = readWhatIf(q, c, promise)
	at, id := h.cfg.Now(), strconv.FormatInt(int64(c.ID), 10)
	now = throttle.WhatIf(at, snap.Policy, snap.Policy, snap.State, futures)
	if then = now; len(bad) == 0 && w != (whatIf{100, c.Policy.DailyCap, promise}) {
		then = throttle.WhatIf(at, snap.Policy, w.another(snap.Policy, id), snap.State, futures)
	}
	return now, then, w, bad, nil
}

// own is a campaign's part of an outcome.
func own(o throttle.Outcome, id campaign.ID) throttle.CampaignOutcome {
	key := strconv.FormatInt(int64(id), 10)
	for _, c := range o.Campaigns {
		if c.ID == key {
			return c
		}
	}
	return throttle.CampaignOutcome{}
}

func (h *Handler) fillForecast(ctx context.Context, who staff.Account, c campaign.Campaign, f url.Values, _ invalid, d *stepData) error {
	now, then, w, _, err := h.foretell(ctx, who, c, f)
	if err != nil {
		return err
	}
	e, err := h.costOf(ctx, who, c)
	if err != nil {
		return err
	}
	x := &forecastData{Changed: w != whatIf{100, c.Policy.DailyCap, w.Promise} || f.Has("promise")}
	d.Forecast = x
	mine := own(then, c.ID)
	texts := 0.0
	for _, d := range then.Days {
		texts += d.Texts.Mean
	}
	switch {
	case mine.Stopped != "":
		x.Sentence = asSentence(mine.Stopped)
	case texts < .5: // of this campaign and of all others of the team
		x.Sentence = "No text would go. The team needs hours for first calls on its capacity page, and a senior link worker among those who have them."
	}
	x.Points = append(x.Points, "Last text: "+h.lastText(mine)+".")
	if mine.Answers.P90 > 0 {
		x.Points = append(x.Points, fmt.Sprintf("Answers: about %s in all, eight times in ten between %s and %s.", count(rounded(mine.Answers.Mean), "person", "people"),
			number(rounded(mine.Answers.P10)), number(rounded(mine.Answers.P90))))
	}
	x.Points = append(x.Points, fmt.Sprintf("Longest wait for a first call: about %s. The promise is %s.", days(then.LongestWait), count(w.Promise, "working day", "working days")),
		"Chance that somebody waits longer than promised: "+chance(then.LateChance)+".", "Cost: up to "+pounds(e)+".")
	x.Texts, x.Answers, x.Queue = h.outlookCharts(then)
	x.Capacity = ui.Field{Name: "capacity", Label: "Time of the team for first calls", Suffix: "% of today’s", Width: 5, Slider: "10 300 10", Inputmode: "numeric", Value: strconv.Itoa(w.Capacity)}
	x.Cap = ui.Field{Name: "cap", Label: "Most texts in one day", Hint: "Empty: only the team’s time limits the texts.", Width: 10, Slider: fmt.Sprintf("10 %d 10", capMost), Inputmode: "numeric"}
	if w.DailyCap > 0 {
		x.Cap.Value = strconv.Itoa(w.DailyCap)
	}
	x.Promise = ui.Field{Name: "promise", Label: "Promise of a first call", Suffix: "working days", Width: 3, Slider: "1 20 1", Inputmode: "numeric", Value: strconv.Itoa(w.Promise)}
	if x.Changed {
		was := own(now, c.ID)
		x.Table = ui.Table{Caption: "As it is saved, and as you try it", RowHeaders: true, Stacked: true, Head: []ui.Cell{{Text: "What"}, {Text: "As saved"}, {Text: "As tried"}}}
		row := func(what, a, b string) {
			x.Table.Rows = append(x.Table.Rows, []ui.Cell{{Text: what}, {Text: a}, {Text: b}})
		}
		row("Last text", h.lastText(was), h.lastText(mine))
		row("Answers still to come", number(rounded(was.Answers.Mean)), number(rounded(mine.Answers.Mean)))
		row("Longest wait for a first call", days(now.LongestWait), days(then.LongestWait))
		row("Chance that somebody waits longer than promised", chance(now.LateChance), chance(then.LateChance))
	}
	return nil
}

// eventful are the days until nothing is likely to happen any more, and one more: a few futures drag on for months in which nobody could read
// the others.
func eventful(all []throttle.DayOutcome) []throttle.DayOutcome {
	for n := len(all); n > 0; n-- {
		d := all[n-1]
		if max(d.Texts.Mean, d.Texts.P90, d.Answers.Mean, d.Answers.P90, d.Queue.P90) >= .5 {
			return all[:min(n+1, len(all))]
		}
	}
	return all[:min(leastDays, len(all))]
}

// leastDays are drawn even if nothing happens in them.
const leastDays = 5

// outlookCharts draw the days ahead: texts, answers, and the queue beside what the team can do.
func (h *Handler) outlookCharts(o throttle.Outcome) (texts, answers, queue ui.Chart) {
	const in = "Eight times in ten, so many"
	texts = ui.Chart{Title: "Texts by day", Unit: "texts a day", Sentence: "How many texts are likely to leave each day.", Series: []ui.Series{{Name: "Texts", BandIs: in}}}
	answers = ui.Chart{Title: "Answers by day", Unit: "people a day", Sentence: "How many people are likely to ask for help each day.", Series: []ui.Series{{Name: "People who ask for help", BandIs: in}}}
	queue = ui.Chart{Title: "The queue by day", Unit: "people", Sentence: "Who waits for a first call at the end of each day, beside the first calls that the team can make that day.",
		Series: []ui.Series{{Name: "Waiting for a first call", BandIs: in}, {Name: "First calls the team can make"}}}
	add := func(s *ui.Series, at time.Time, r throttle.Range) {
		// A mean that a few futures pull out of the band says nothing of a usual one.
		s.Points = append(s.Points, ui.Point{At: at, Value: math.Round(min(max(r.Mean, r.P10), r.P90))})
		s.Bands = append(s.Bands, ui.Range{Low: math.Round(r.P10), High: math.Round(r.P90)})
	}
	for _, d := range eventful(o.Days) {
		add(&texts.Series[0], d.Day, d.Texts)
		add(&answers.Series[0], d.Day, d.Answers)
		add(&queue.Series[0], d.Day, d.Queue)
		queue.Series[1].Points = append(queue.Series[1].Points, ui.Point{At: d.Day, Value: math.Round(d.Capacity)})
	}
	return texts, answers, queue
}

// costOf is the most that a campaign's texts cost, in hundredths of a penny: everybody gets each of them.
func (h *Handler) costOf(ctx context.Context, who staff.Account, c campaign.Campaign) (cost int64, err error) {
	for _, s := range c.Steps {
		texts, err := s.Texts()
		if err != nil {
			return 0, fmt.Errorf("read the texts of campaign %d: %w", c.ID, err)
		}
		e, err := h.cfg.Store.EstimateTexts(ctx, who.Network, c.Audience, texts)
		if err != nil {
			return 0, fmt.Errorf("count the texts of campaign %d: %w", c.ID, err)
		}
		cost += int64(e.Segments) * c.Policy.Price
	}
	return cost, nil
}

func rounded(x float64) int { return int(math.Round(x)) }

// lastText is when the last text is likely to go.
func (h *Handler) lastText(c throttle.CampaignOutcome) string {
	switch {
	case c.Stopped != "":
		return "none goes"
	case c.P50.IsZero():
		return fmt.Sprintf("not by %s; about %s left", h.day(c.Until), count(rounded(c.TextsLeft), "text is", "texts are"))
	case c.P10.IsZero() || c.P90.IsZero() || h.day(c.P10) == h.day(c.P90):
		return "most likely on " + h.day(c.P50)
	}
	return "most likely on " + h.day(c.P50) + ", eight times in ten " + h.between(c.P10, c.P90)
}

func chance(x float64) string {
	switch {
	case x == 0:
		return fmt.Sprintf("below 1 in %d", futures)
	case x > .995:
		return "nearly certain"
	}
	return fmt.Sprintf("%.0f%%", max(1, math.Round(100*x)))
}

func days(x float64) string {
	if x = math.Round(10*x) / 10; x == 1 {
		return "1 working day"
	}
	return strconv.FormatFloat(x, 'f', -1, 64) + " working days"
}

// forecastPage is the fifth step, with what somebody tries in the address: nothing of it is kept.
func (h *Handler) forecastPage(w http.ResponseWriter, r *http.Request) {
	who, c, err := h.draftOfPath(r)
	if err != nil {
		h.stepPage("forecast")(w, r)
		return
	}
	v, err := h.cfg.Store.View(r.Context(), who.Network, c.ID)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	_, bad := readWhatIf(r.URL.Query(), c, max(v.Team.PromiseDays, 1))
	status := http.StatusOK
	if len(bad) > 0 {
		status = http.StatusUnprocessableEntity
	}
	h.showStep(w, r, status, "forecast", c, r.URL.Query(), bad)
}

// outlookAnswer is a forecast as the API tells it.
type outlookAnswer struct {
	LastFrom   *time.Time  `json:"last_text_from"` // eight in ten lie between from and to; null: not in time
	LastLikely *time.Time  `json:"last_text"`
	LastTo     *time.Time  `json:"last_text_to"`
	Stopped    string      `json:"stopped,omitempty"`
	Answers    float64     `json:"answers"`
	Wait       float64     `json:"longest_wait_days"`
	Late       float64     `json:"late_chance"`
	Cost       amount      `json:"cost"`
	Days       []dayAnswer `json:"days"`
}

type dayAnswer struct {
	Day      string  `json:"day"`
	Texts    float64 `json:"texts"`
	Answers  float64 `json:"answers"`
	Queue    float64 `json:"queue"`
	QueueP90 float64 `json:"queue_p90"`
	Capacity float64 `json:"capacity"`
}

func (h *Handler) apiOutlook(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, v, err := h.view(r)
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	_, then, _, bad, err := h.foretell(ctx, who, v.Campaign, r.URL.Query())
	if err == nil && len(bad) > 0 {
		err = bad
	}
	cost := int64(0)
	if err == nil {
		cost, err = h.costOf(ctx, who, v.Campaign)
	}
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	tenth := func(x float64) float64 { return math.Round(10*x) / 10 }
	c := own(then, v.ID)
	a := outlookAnswer{optional(c.P10), optional(c.P50), optional(c.P90), c.Stopped, tenth(c.Answers.Mean), tenth(then.LongestWait), math.Round(100*then.LateChance) / 100, amount(cost), []dayAnswer{}}
	for _, d := range then.Days {
		a.Days = append(a.Days, dayAnswer{h.civil(d.Day).Format(time.DateOnly), tenth(d.Texts.Mean), tenth(d.Answers.Mean), tenth(d.Queue.Mean), tenth(d.Queue.P90), tenth(d.Capacity)})
	}
	writeJSON(w, http.StatusOK, a)
}
