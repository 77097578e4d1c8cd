package desk

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// Funnels tells how far the people of a campaign have come, by group. It reads what was counted before: the cost does not grow with the list.
type Funnels interface {
	// Funnel is zero before it was first counted.
	Funnel(ctx context.Context, n staff.NetworkID, id campaign.ID) (campaign.Funnel, error)
	// Troubles counts the texts that did not arrive, by the provider's code.
	Troubles(ctx context.Context, n staff.NetworkID, id campaign.ID) ([]campaign.Trouble, error)
	// Deprivation has a zero time if the network has uploaded none.
	Deprivation(ctx context.Context, n staff.NetworkID) (campaign.Deprivation, error)
	SetDeprivation(ctx context.Context, who staff.Account, d campaign.Deprivation) error
}

// Cause is why a text did not arrive, in words.
type Cause struct {
	Kind  string // wrong_number, another_way, no_texts, our_problem; anything else is not known
	Words string
}

// stageWords are the stages as a manager thinks of them.
var stageWords = map[campaign.Stage]string{
	campaign.ReachedInvited:   "Invited",
	campaign.ReachedTexted:    "Texted",
	campaign.ReachedDelivered: "Text arrived",
	campaign.ReachedOpened:    "Opened the link",
	campaign.ReachedStarted:   "Started the form",
	campaign.ReachedSent:      "Asked for help",
	campaign.ReachedContacted: "Spoke with us",
	campaign.ReachedSupported: "Supported or passed on",
}

var groupingWords = map[campaign.Grouping]string{
	campaign.ByPractice:    "By practice",
	campaign.ByAge:         "By age",
	campaign.BySex:         "By sex",
	campaign.ByLanguage:    "By language",
	campaign.ByDistrict:    "By postcode district",
	campaign.ByDeprivation: "By how deprived the area is",
}

// groupName is what a group is called in a table.
func groupName(by campaign.Grouping, name string, n staff.Network) string {
	switch {
	case name == campaign.OtherGroups:
		return "All others"
	case name == "" && by == campaign.ByLanguage:
		return "Another language, or not known"
	case name == "":
		return "Not known"
	}
	switch by {
	case campaign.ByPractice:
		practice, _ := practiceName(n, name)
		return practice
	case campaign.ByAge:
		return ageWords(name)
	case campaign.BySex:
		return cmp.Or(map[string]string{"female": "Women", "male": "Men"}[name], "Other")
	case campaign.ByLanguage:
		return lang.Of(lang.Code(name)).Name
	case campaign.ByDeprivation:
		switch name {
		case "1":
			return "1 (most deprived)"
		case "10":
			return "10 (least deprived)"
		}
	}
	return name
}

// ageWords writes an age band: "65 to 79", "80 and over".
func ageWords(band string) string {
	var from, to int
	if n, _ := fmt.Sscanf(band, "%d-%d", &from, &to); n == 2 {
		return fmt.Sprintf("%d to %d", from, to)
	}
	if n, _ := fmt.Sscanf(band, "%d+", &from); n == 1 {
		return fmt.Sprintf("%d and over", from)
	}
	return band
}

// sortGroups puts a grouping's groups in the order of its table: numbers by their size, names by the alphabet, what is not known and the rest last.
func sortGroups(by campaign.Grouping, groups []campaign.Group, n staff.Network) []campaign.Group {
	sorted := slices.Clone(groups)
	slices.SortStableFunc(sorted, func(a, b campaign.Group) int {
		last := func(g campaign.Group) int {
			return map[string]int{"": 1, campaign.OtherGroups: 2}[g.Name]
		}
		var x, y int
		_, _ = fmt.Sscanf(a.Name, "%d", &x)
		_, _ = fmt.Sscanf(b.Name, "%d", &y)
		return cmp.Or(last(a)-last(b), x-y, cmp.Compare(groupName(by, a.Name, n), groupName(by, b.Name, n)))
	})
	return sorted
}

// numberCell shows a group's number as far as it may be shown.
func numberCell(g campaign.Group, s campaign.Stage) ui.Cell {
	n, exact, known := g.Number(s)
	switch {
	case !known:
		return ui.Cell{Text: "–", Hidden: "not shown", Numeric: true}
	case !exact:
		return ui.Cell{Text: number(n) + "+", Hidden: "or a few more", Numeric: true}
	}
	return ui.Cell{Text: number(n), Numeric: true}
}

// funnelData is the page of how far people have come.
type funnelData struct {
	ID      campaign.ID
	Name    string
	Counted string // up to when; "" before the first count
	All     ui.Table
	Groups  []ui.Table
}

// funnelView reads what both pages of groups need.
func (h *Handler) funnelView(r *http.Request) (who staff.Account, c campaign.Campaign, n staff.Network, f campaign.Funnel, err error) {
	ctx := r.Context()
	if who, c, err = h.seen(r); err != nil {
		return who, c, n, f, err
	}
	if f, err = h.cfg.Store.Funnel(ctx, who.Network, c.ID); err != nil {
		return who, c, n, f, fmt.Errorf("read the funnel of campaign %d: %w", c.ID, err)
	}
	if n, err = h.cfg.Store.Network(ctx, who.Network); err != nil {
		return who, c, n, f, fmt.Errorf("read the network: %w", err)
	}
	return who, c, n, f, nil
}

// countedTo names the day whose end a funnel was counted to.
func (h *Handler) countedTo(f campaign.Funnel) string {
	if f.CountedTo.IsZero() {
		return ""
	}
	return h.day(f.CountedTo.Add(-time.Second))
}

func (h *Handler) funnelPage(w http.ResponseWriter, r *http.Request) {
	who, c, n, f, err := h.funnelView(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	d := &funnelData{ID: c.ID, Name: c.Name, Counted: h.countedTo(f), All: funnelTable(f)}
	head := []ui.Cell{{Text: "Group"}}
	for _, s := range campaign.Stages() {
		head = append(head, ui.Cell{Text: stageWords[s], Numeric: true})
	}
	for _, by := range campaign.Groupings {
		if len(f.Groups[by]) == 0 {
			continue
		}
		t := ui.Table{Caption: groupingWords[by], Head: head, RowHeaders: true, Compact: true, Stacked: true}
		for _, g := range sortGroups(by, f.Groups[by], n) {
			row := []ui.Cell{{Text: groupName(by, g.Name, n)}}
			for _, s := range campaign.Stages() {
				row = append(row, numberCell(g, s))
			}
			t.Rows = append(t.Rows, row)
		}
		d.Groups = append(d.Groups, t)
	}
	p, err := h.page(r.Context(), r, who, "How far people have come", d)
	p.Back = fmt.Sprintf("/desk/campaigns/%d", c.ID)
	h.show(w, r, http.StatusOK, "funnel", p, err)
}

// funnelTable draws the funnel of all people: a bar for each stage, its number beside it.
func funnelTable(f campaign.Funnel) ui.Table {
	t := ui.Table{Caption: "Everybody in this campaign", Head: []ui.Cell{{Text: "Step"}, {Text: "People", Numeric: true}, {Text: "Share"}}, RowHeaders: true, Compact: true}
	if f.CountedTo.IsZero() {
		return t
	}
	for _, s := range campaign.Stages() {
		t.Rows = append(t.Rows, []ui.Cell{{Text: stageWords[s]}, {Text: number(f.All[s]), Numeric: true}, {HTML: bar(f.All[s], f.All[campaign.ReachedInvited])}})
	}
	return t
}

// trouble is why texts did not arrive, with what can be done about it.
type trouble struct {
	Sentence, Advice string
	Href, Link       string
	Causes           []string
}

// troubleKinds are the kinds of causes in the order in which somebody can do something about them.
var troubleKinds = []struct{ kind, words, advice string }{
	{"wrong_number", "The number does not exist any more, or is no mobile", "The practice can correct it in the patient’s record."},
	{"our_problem", "Something on our side was wrong", "Tell whoever runs this system: it can be mended, and then concerns everybody."},
	{"another_way", "The phone could not be reached by text", "Nothing is wrong with the number. The practice can call or write to these people."},
	{"no_texts", "The number has asked for no more texts", "Nothing is to be done: they are not texted again."},
	{"", "The reason is not known", "The network gave none. The practice can check the numbers."},
}

// troubles groups what the provider's codes say by what can be done.
func (h *Handler) troubles(who staff.Account, all []campaign.Trouble) (found []trouble) {
	sums, causes := map[string]int{}, map[string][]string{}
	for _, t := range all {
		c := h.cfg.Explain(t.Code)
		if !slices.ContainsFunc(troubleKinds, func(k struct{ kind, words, advice string }) bool { return k.kind == c.Kind }) {
			c.Kind = ""
		}
		sums[c.Kind] += t.Texts
		words := c.Words
		if t.Code != "" {
			words += " (code " + t.Code + ")"
		}
		causes[c.Kind] = append(causes[c.Kind], count(t.Texts, "text", "texts")+": "+words)
	}
	for _, k := range troubleKinds {
		if sums[k.kind] == 0 {
			continue
		}
		t := trouble{Sentence: k.words + ": " + number(sums[k.kind]), Advice: k.advice, Causes: causes[k.kind]}
		if (k.kind == "wrong_number" || k.kind == "") && can(who, staff.ExportPractice) {
			t.Href, t.Link = "/desk/practices", "Back to practices"
		}
		found = append(found, t)
	}
	return found
}

// watched is what a campaign's page shows beside its last decision.
type watched struct {
	Picture  ui.Chart
	Drawn    bool
	Funnel   ui.Table
	Counted  string
	Troubles []trouble
}

// watch reads it.
func (h *Handler) watch(ctx context.Context, who staff.Account, v campaign.View, days []campaign.Day) (w watched, err error) {
	if w.Picture, err = h.picture(ctx, who, v, days); err != nil {
		return w, err
	}
	w.Drawn = len(days) > 0
	f, err := h.cfg.Store.Funnel(ctx, who.Network, v.ID)
	if err != nil {
		return w, fmt.Errorf("read the funnel of campaign %d: %w", v.ID, err)
	}
	w.Funnel, w.Counted = funnelTable(f), h.countedTo(f)
	all, err := h.cfg.Store.Troubles(ctx, who.Network, v.ID)
	if err != nil {
		return w, fmt.Errorf("read the delivery problems of campaign %d: %w", v.ID, err)
	}
	w.Troubles = h.troubles(who, all)
	return w, nil
}

// textsAPoint is how many texts are one on the scale of people: there are a hundred times as many.
const textsAPoint = 100

// picture draws how a campaign goes, and what the pacer expects, in one: who waits against whom the team can call within its promise, who asked
// for help, and the texts. What is to come has a band.
func (h *Handler) picture(ctx context.Context, who staff.Account, v campaign.View, days []campaign.Day) (c ui.Chart, err error) {
	texts := ui.Series{Name: "Texts, in hundreds", Kind: ui.Bar}
	answers := ui.Series{Name: "Asked for help after a text"}
	waits := ui.Series{Name: "Waiting for a first call", BandIs: "Expected, eight times in ten"}
	can := ui.Series{Name: fmt.Sprintf("First calls the team can make in %s", count(v.Team.PromiseDays, "working day", "working days"))}
	var at []time.Time
	for _, d := range days {
		at = append(at, d.Date)
	}
	if len(at) == 0 {
		return c, nil
	}
	calls, err := h.cfg.Store.CanAnswer(ctx, who.Network, v.ID, at)
	if err != nil {
		return c, fmt.Errorf("read what the team of campaign %d can answer: %w", v.ID, err)
	}
	for i, d := range days {
		texts.Points = append(texts.Points, ui.Point{At: d.Date, Value: float64(d.Texts) / textsAPoint})
		answers.Points = append(answers.Points, ui.Point{At: d.Date, Value: float64(d.Answers)})
		waits.Points = append(waits.Points, ui.Point{At: d.Date, Value: float64(d.Queue)})
		waits.Bands = append(waits.Bands, ui.Range{Low: float64(d.Queue), High: float64(d.Queue)})
		can.Points = append(can.Points, ui.Point{At: d.Date, Value: math.Floor(calls[i] + .05)})
	}
	last := days[len(days)-1]
	c = ui.Chart{Title: "How it goes, day by day", Unit: "people, and hundreds of texts"}
	c.Sentence = fmt.Sprintf("%s asked for help so far.", count(v.Answers, "person has", "people have"))
	if h.day(last.Date) == h.day(h.cfg.Now()) {
		c.Sentence += fmt.Sprintf(" %s for a first call from %s now. The team can make %s in %s.", count(last.Queue, "person waits", "people wait"), v.Team.Name,
			count(int(calls[len(calls)-1]+.05), "first call", "first calls"), count(v.Team.PromiseDays, "working day", "working days"))
	} else {
		c.Sentence += " The picture ends on " + h.day(last.Date) + ", a week after the campaign."
	}
	if v.Last != nil && (v.State == campaign.Running || v.State == campaign.Paused) {
		f := forecastOf(v.Last)
		ahead, err := h.aheadSeries(ctx, who, v, f, last.Date)
		if err != nil {
			return c, err
		}
		waits.Points, waits.Bands = append(waits.Points, ahead.waits...), append(waits.Bands, ahead.bands...)
		can.Points = append(can.Points, ahead.can...)
		if len(ahead.waits) > 0 {
			c.Sentence += " After today the picture shows what we expect if no more texts go."
		}
	}
	c.Series = []ui.Series{texts, answers, waits, can}
	return c, nil
}

// coming is the queue ahead, each day at its fullest.
type coming struct {
	waits, can []ui.Point
	bands      []ui.Range
}

func (h *Handler) aheadSeries(ctx context.Context, who staff.Account, v campaign.View, f throttle.Forecast, today time.Time) (a coming, err error) {
	at, calls, err := h.canAnswer(ctx, who, v, f)
	if err != nil {
		return a, err
	}
	for i, q := range f.Queue {
		day := throttle.Calendar{}.Midnight(at[i])
		if !day.After(today) {
			continue
		}
		if day.Sub(today) > daysAhead*24*time.Hour {
			break
		}
		last := len(a.waits) - 1
		if last < 0 || !a.waits[last].At.Equal(day) {
			a.waits, a.can, a.bands = append(a.waits, ui.Point{At: day}), append(a.can, ui.Point{At: day}), append(a.bands, ui.Range{High: -1})
			last++
		}
		if high := math.Round(q.P90); high > a.bands[last].High {
			a.waits[last].Value, a.bands[last] = math.Round(q.Mean), ui.Range{Low: math.Round(q.P10), High: high}
			a.can[last].Value = math.Floor(calls[i] + .05)
		}
	}
	return a, nil
}

// shownNumber is a number of a group as the API tells it: null and suppressed where it is not shown. AtLeast is what was last shown of it.
type shownNumber struct {
	N          *int `json:"n"`
	Suppressed bool `json:"suppressed"`
	AtLeast    *int `json:"at_least,omitempty"`
}

func shown(g campaign.Group, s campaign.Stage) (x shownNumber) {
	n, exact, known := g.Number(s)
	x.Suppressed = !exact
	switch {
	case exact:
		x.N = &n
	case known:
		x.AtLeast = &n
	}
	return x
}

// funnelAnswer is a funnel as the API tells it.
type funnelAnswer struct {
	CountedTo *time.Time                          `json:"counted_to"` // null before the first count
	All       map[string]int                      `json:"all"`
	Groups    map[campaign.Grouping][]funnelGroup `json:"groups"`
	Troubles  []troubleAnswer                     `json:"delivery_problems"`
}

type funnelGroup struct {
	Group  string                 `json:"group"` // a code; empty if it is not known, * for all others
	Label  string                 `json:"label"`
	Stages map[string]shownNumber `json:"stages"`
}

type troubleAnswer struct {
	Code  string `json:"code"`
	Kind  string `json:"kind"`
	Texts int    `json:"texts"`
	Words string `json:"words"`
}

func (h *Handler) apiFunnel(w http.ResponseWriter, r *http.Request) {
	who, c, n, f, err := h.funnelView(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	all, err := h.cfg.Store.Troubles(r.Context(), who.Network, c.ID)
	if err != nil {
		h.apiError(r.Context(), w, fmt.Errorf("read the delivery problems of campaign %d: %w", c.ID, err))
		return
	}
	a := funnelAnswer{CountedTo: optional(f.CountedTo), All: map[string]int{}, Groups: map[campaign.Grouping][]funnelGroup{}, Troubles: []troubleAnswer{}}
	for _, t := range all {
		c := h.cfg.Explain(t.Code)
		a.Troubles = append(a.Troubles, troubleAnswer{t.Code, c.Kind, t.Texts, c.Words})
	}
	for _, s := range campaign.Stages() {
		a.All[s.String()] = f.All[s]
	}
	for by, groups := range f.Groups {
		for _, g := range sortGroups(by, groups, n) {
			stages := map[string]shownNumber{}
			for _, s := range campaign.Stages() {
				stages[s.String()] = shown(g, s)
			}
			a.Groups[by] = append(a.Groups[by], funnelGroup{g.Name, groupName(by, g.Name, n), stages})
		}
	}
	writeJSON(w, http.StatusOK, a)
}
