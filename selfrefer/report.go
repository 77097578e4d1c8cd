package selfrefer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/suppress"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Reporter counts what happened, for reports. It asks [staff.May].
type Reporter interface {
	// ReportSpan is from which month to which there is something to tell; "" if nothing is yet.
	ReportSpan(ctx context.Context, who staff.Account) (first, last Month, err error)
	// ReportBasis gives counted months with the names of what they count; [NotCounted] if some of them have not been counted yet.
	ReportBasis(ctx context.Context, who staff.Account, from, to Month) (ReportBasis, error)
	// CountReport begins to count the months that have not been, or joins whoever counts for the network already. It goes on when the caller has
	// gone; wait gives how it ends, or the context's error if that ends first.
	CountReport(ctx context.Context, who staff.Account, from, to Month) (wait func(context.Context) error, err error)
}

// NotCounted means that a report cannot be made yet: so many of its months have been counted.
type NotCounted struct{ Counted, Of int }

func (e NotCounted) Error() string {
	return fmt.Sprintf("%d of %d months have been counted", e.Counted, e.Of)
}

// ReportBasis is what a report is made of: the months in their order, and what things are called.
type ReportBasis struct {
	Months    []MonthFigures
	Practices map[string]string // by ODS code
	Campaigns map[string]string // by id
	Services  map[string]string // by id
	Kinds     []Kind
}

// The bounds of a report.
const (
	MaxReportMonths   = 24
	UsualReportMonths = 3
	// WeekAtLeast is of how many first contacts a week's waits are told.
	WeekAtLeast = 10
	// FewMeasured is below how many people a change of their answers says little.
	FewMeasured = 30
)

// ErrReport means that there is no such report.
var ErrReport = errors.New("a report is of whole months that are over, at most 24, and of one group at a time")

// ReportQuery says of which months a report is, and of whom: of everybody, or of one group.
type ReportQuery struct {
	From, To Month
	By       string // of Narrowings; "": everybody
	Value    string
}

// Check refuses what is no report. first and last are the months there are.
func (q ReportQuery) Check(first, last Month) error {
	if q.From > q.To || q.From < first || q.To > last || q.From.Add(MaxReportMonths) <= q.To || q.By != "" && !slices.Contains(Narrowings, q.By) {
		return ErrReport
	}
	return nil
}

// Figure is a number as it may be told.
type Figure struct {
	Value    float64
	Unit     Unit
	AtLeast, // some of its months are hidden: it is this or more
	Hidden, // too few people
	None bool // there is nothing to tell
}

// Unit is what a figure counts.
type Unit string

// The units.
const (
	Number  Unit = ""
	Percent Unit = "percent"
	Hours   Unit = "hours"  // of working time
	Pounds  Unit = "pounds" // sterling
	Points  Unit = "points" // of a scale
	PerMill Unit = "per_1000"
)

// Exact reports whether all of a figure is known.
func (f Figure) Exact() bool { return !f.AtLeast && !f.Hidden && !f.None }

// Text is the figure as it stands in a table.
func (f Figure) Text() string {
	switch {
	case f.None:
		return "–"
	case f.Hidden:
		return "hidden"
	}
	s := f.plain()
	if f.Unit == Pounds {
		s = "£" + s
	}
	if f.Unit == Percent {
		s += "%"
	}
	if f.AtLeast {
		s += " or more"
	}
	return s
}

func (f Figure) plain() string {
	decimals := map[Unit]int{Hours: 1, Pounds: 2, Points: 1, PerMill: 1}[f.Unit]
	s := strconv.FormatFloat(f.Value, 'f', decimals, 64)
	whole, fraction, dot := strings.Cut(s, ".")
	sign := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if sign {
		whole = "-" + whole
	}
	if dot {
		whole += "." + fraction
	}
	return whole
}

// MarshalJSON writes {"value":12}, {"at_least":12}, {"hidden":true} or null.
func (f Figure) MarshalJSON() ([]byte, error) {
	v := math.Round(f.Value*100) / 100
	switch {
	case f.None:
		return []byte("null"), nil
	case f.Hidden:
		return []byte(`{"hidden":true}`), nil
	case f.AtLeast:
		return json.Marshal(map[string]any{"at_least": v})
	}
	return json.Marshal(map[string]any{"value": v})
}

// ReportTable is one table of a report.
type ReportTable struct {
	Code  string
	Title string
	Note  string // how to read it; "" if nothing need be said
	Of    string // what the rows are
	Heads []ReportHead
	Rows  []ReportRow
}

// ReportHead is the head of a column.
type ReportHead struct {
	Code, Words string
	Unit        Unit
}

// ReportRow is one row.
type ReportRow struct {
	Code, Words string
	Figures     []Figure
	Note        string
}

// Empty reports whether there is nothing in the table.
func (t ReportTable) Empty() bool { return len(t.Rows) == 0 }

// ReportGroup is something by which the report can be narrowed.
type ReportGroup struct{ By, Value, Words string }

// Report is what happened in whole months, with every number from 1 to 4 that counts people hidden.
type Report struct {
	Query  ReportQuery
	Of     string // whom it is of, in words
	Groups []ReportGroup
	Tables []ReportTable
}

// Table is the one of a code; the zero table if it has none.
func (r Report) Table(code string) ReportTable {
	for _, t := range r.Tables {
		if t.Code == code {
			return t
		}
	}
	return ReportTable{}
}

// The tables of a report.
const (
	TableSummary       = "summary"
	TableReasons       = "reasons"
	TableOnward        = "onward"
	TableInterventions = "interventions"
	TableWaits         = "waits"
	TableWeeks         = "weeks"
	TableOutcomes      = "outcomes"
	TableDischarges    = "discharges"
	TableGoals         = "goals"
	TableMeasures      = "measures"
	TablePractices     = "practices"
	TableCampaigns     = "campaigns"
	TableAges          = "ages"
	TableSexes         = "sexes"
	TableLanguages     = "languages"
	TableSectors       = "sectors"
	TableSources       = "sources"
)

const notKnown = "Not known"

// reporting makes one report.
type reporting struct {
	ReportBasis
	q      ReportQuery
	hidden []map[cell]bool
}

// NewReport makes a report of what was counted. Its rows are ranked by what is shown, for the order must not tell what is hidden.
func NewReport(q ReportQuery, basis ReportBasis) (Report, error) {
	p := reporting{ReportBasis: basis, q: q}
	for _, m := range p.Months {
		p.hidden = append(p.hidden, m.hidden())
	}
	r := Report{Query: q, Of: "Everybody", Groups: p.groups()}
	if q.By != "" {
		i := slices.IndexFunc(r.Groups, func(g ReportGroup) bool { return g.By == q.By && g.Value == q.Value })
		if i < 0 { // nobody is told whether there is such a group, if it is hidden
			return r, ErrReport
		}
		r.Of = r.Groups[i].Words
	}
	r.Tables = []ReportTable{p.summary(), p.sources(), p.reasons(), p.onward(), p.interventions(), p.waits()}
	if q.By == "" {
		r.Tables = append(r.Tables, p.weeks())
	}
	r.Tables = append(r.Tables, p.outcomes(), p.discharges(), p.goals(), p.measures())
	if q.By == "" {
		r.Tables = append(r.Tables, p.per(ByPractice, TablePractices, "By practice", "Practice"), p.per(ByCampaign, TableCampaigns, "By campaign", "Campaign"), p.per(ByAge, TableAges, "By age", "Age"),
			p.per(BySex, TableSexes, "By sex", "Sex"), p.per(ByLanguage, TableLanguages, "By language", "Language"), p.per(BySector, TableSectors, "Street by street", "Postcode sector"))
	}
	return r, nil
}

// people adds up what is shown of the months.
func (p reporting) people(by, value, table, code string) Figure {
	c := cell{by, value, table, code}
	return p.total(c, func(m MonthFigures) float64 { return float64(m.people(by, value, table, code)) }, func(m MonthFigures) float64 { return float64(m.atLeast(c)) })
}

// sums adds up what belongs to people: of the months in which those are shown.
func (p reporting) sums(by, value, sum, code string, of cell, unit Unit) Figure {
	f := p.total(of, func(m MonthFigures) float64 {
		if c := m.cut(by, value); c != nil {
			return c.Sums[sum][code]
		}
		return 0
	}, func(MonthFigures) float64 { return 0 })
	f.Unit = unit
	return f
}

// total adds up what is shown; of a month in which it is hidden, what the pages of campaigns tell anyway.
func (p reporting) total(c cell, of, least func(MonthFigures) float64) (f Figure) {
	for i, m := range p.Months {
		if p.hidden[i][c] {
			f.AtLeast = true
			f.Value += least(m)
			continue
		}
		f.Value += of(m)
	}
	if f.AtLeast && f.Value == 0 {
		f.AtLeast, f.Hidden = false, true
	}
	return f
}

// cut is what is counted of a group, or of everybody; nil if nothing is.
func (f MonthFigures) cut(by, value string) *Cut {
	if by == "" {
		return &f.All
	}
	return f.By[by][value]
}

// here is a count of whom the report is of.
func (p reporting) here(table, code string) Figure {
	return p.people(p.q.By, p.q.Value, table, code)
}

// ratio tells a share, or a rate, if both are known.
func ratio(a, b Figure, times float64, unit Unit) Figure {
	switch {
	case a.None || b.None || b.Exact() && b.Value == 0:
		return Figure{None: true}
	case !a.Exact() || !b.Exact():
		return Figure{Hidden: true}
	}
	return Figure{Value: times * a.Value / b.Value, Unit: unit}
}

// codes are all that is counted in a table, in the months.
func (p reporting) codes(table string) []string {
	known := map[string]bool{}
	for _, m := range p.Months {
		for code := range m.All.People[table] {
			known[code] = true
		}
	}
	return inOrder(known)
}

// values are all groups of a kind, in the months.
func (p reporting) values(by string) []string {
	known := map[string]bool{}
	for _, m := range p.Months {
		for v := range m.By[by] {
			known[v] = true
		}
	}
	return inOrder(known)
}

// groups are those by which the report can be narrowed: whose number of referrals or of first contacts is shown.
func (p reporting) groups() (all []ReportGroup) {
	for _, by := range Narrowings {
		for _, v := range p.values(by) {
			for _, table := range []string{countReceived, countContacted} {
				if f := p.people(by, v, table, "all"); !f.Hidden && f.Value > 0 {
					all = append(all, ReportGroup{by, v, p.words(by, v)})
					break
				}
			}
		}
	}
	return all
}

func (p reporting) words(by, value string) string {
	switch by {
	case ByPractice:
		return cmp.Or(p.Practices[value], value, "Practice not known")
	case ByCampaign:
		return cmp.Or(p.Campaigns[value], map[bool]string{true: "No campaign", false: "A campaign that is deleted"}[value == "" || value == "0"])
	case BySex:
		return cmp.Or(map[string]string{"f": "Female", "m": "Male", "": "Sex not known"}[strings.ToLower(value)], capital(value))
	case ByAge:
		return cmp.Or(value, "Age not known")
	case ByLanguage:
		return cmp.Or(value, "Language not known")
	}
	return cmp.Or(value, notKnown)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// rank puts the greatest first, by what is shown; what is equal stands in the order of its words.
func rank(rows []ReportRow) []ReportRow {
	rows = slices.DeleteFunc(rows, func(r ReportRow) bool { return r.Figures[0].Exact() && r.Figures[0].Value == 0 })
	slices.SortStableFunc(rows, func(a, b ReportRow) int {
		return cmp.Or(cmp.Compare(shown(b.Figures[0]), shown(a.Figures[0])), strings.Compare(a.Words, b.Words))
	})
	return rows
}

func shown(f Figure) float64 {
	if f.Hidden || f.None {
		return -1
	}
	return f.Value
}

func (p reporting) summary() ReportTable {
	t := ReportTable{Code: TableSummary, Title: "In short", Of: "What", Heads: []ReportHead{{"figure", "Figure", Number}}}
	row := func(code, words string, f Figure) {
		t.Rows = append(t.Rows, ReportRow{Code: code, Words: words, Figures: []Figure{f}})
	}
	received, contacted := p.here(countReceived, all), p.here(countContacted, all)
	row("referrals", "Referrals received", received)
	row("urgent", "Of these, urgent", p.here(countUrgent, "yes"))
	row("first_contacts", "First contacts made", contacted)
	row("within_promise", "Of these, within the promise", ratio(p.here(countKept, "yes"), contacted, 100, Percent))
	row("ended", "Referrals ended", p.here(countEnded, all))
	if p.q.By == ByLanguage {
		return t // texts are in the language of a list, which is not the one in which somebody asks to talk
	}
	texts := p.here(countTexted, all)
	cost := p.sums(p.q.By, p.q.Value, sumCost, all, cell{p.q.By, p.q.Value, countTexted, all}, Pounds)
	cost.Value /= 10_000
	row("texts", "Texts sent", texts)
	row("cost", "Cost of the texts", cost)
	row("per_1000", "Referrals for each 1,000 texts", ratio(received, texts, 1000, PerMill))
	row("cost_per_referral", "Cost of the texts for each referral", ratio(cost, received, 1, Pounds))
	return t
}

func (p reporting) sources() ReportTable {
	t := ReportTable{Code: TableSources, Title: "How they came", Of: "Way", Heads: []ReportHead{{"referrals", "Referrals", Number}, {"share", "Share", Percent}}}
	words := map[string]string{string(ByLink): "By the link of a text", string(ByGeneral): "By the form, without a link", string(ByReply): "By a reply to a text", string(ByCall): "By telephone"}
	whole := p.here(countReceived, all)
	for _, code := range p.codes(countSource) {
		n := p.here(countSource, code)
		t.Rows = append(t.Rows, ReportRow{Code: code, Words: cmp.Or(words[code], code), Figures: []Figure{n, ratio(n, whole, 100, Percent)}})
	}
	t.Rows = rank(t.Rows)
	return t
}

func (p reporting) reasons() ReportTable {
	t := ReportTable{Code: TableReasons, Title: "Reasons for referral", Note: "One person can give several reasons.", Of: "Reason", Heads: []ReportHead{{"referrals", "Referrals", Number}, {"share", "Share of referrals", Percent}}}
	whole := p.here(countReceived, all)
	for _, reason := range Reasons {
		n := p.here(countReason, reason.Code)
		t.Rows = append(t.Rows, ReportRow{Code: reason.Code, Words: reason.Words, Figures: []Figure{n, ratio(n, whole, 100, Percent)}})
	}
	t.Rows = rank(t.Rows)
	return t
}

// named drops the rows that are hidden as a whole: that there is such a service, or such a group, would tell that it is somebody's.
func named(rows []ReportRow) []ReportRow {
	return slices.DeleteFunc(rows, func(r ReportRow) bool {
		return !slices.ContainsFunc(r.Figures, func(f Figure) bool { return !f.Hidden && !f.None && f.Value != 0 })
	})
}

func (p reporting) onward() ReportTable {
	t := ReportTable{Code: TableOnward, Title: "Onward referrals", Note: "How many people were referred to a service in these months. Services with too few people are left out.", Of: "Service", Heads: []ReportHead{{"people", "People", Number}}}
	for _, code := range p.codes(countOnward) {
		words := cmp.Or(p.Services[code], "A service that is no longer listed")
		if code == "0" {
			words = "Places that are not in the directory"
		}
		t.Rows = append(t.Rows, ReportRow{Code: code, Words: words, Figures: []Figure{p.here(countOnward, code)}})
	}
	t.Rows = rank(named(t.Rows))
	return t
}

func (p reporting) interventions() ReportTable {
	t := ReportTable{Code: TableInterventions, Title: "Interventions", Of: "Intervention", Note: "What link workers did for people in these months. Minutes are those that were noted.",
		Heads: []ReportHead{{"people", "People", Number}, {"times", "Times", Number}, {"minutes", "Minutes", Number}}}
	for _, code := range p.codes(countKind) {
		words := code
		for _, k := range slices.Concat(Kinds, p.Kinds) {
			if k.Code == code {
				words = k.Words
			}
		}
		of := cell{p.q.By, p.q.Value, countKind, code}
		t.Rows = append(t.Rows, ReportRow{Code: code, Words: words, Figures: []Figure{p.here(countKind, code), p.sums(p.q.By, p.q.Value, sumNumber, code, of, Number), p.sums(p.q.By, p.q.Value, sumMinutes, code, of, Number)}})
	}
	t.Rows = rank(named(t.Rows))
	return t
}

// quantile is the wait that so large a share had at most, in hours.
func quantile(waits map[int]int, share float64) float64 {
	n := 0
	for _, k := range waits {
		n += k
	}
	need, seen := int(math.Ceil(share*float64(n))), 0
	steps := make([]int, 0, len(waits))
	for s := range waits {
		steps = append(steps, s)
	}
	slices.Sort(steps)
	for _, s := range steps {
		if seen += waits[s]; seen >= need {
			return float64(s) * WaitStep.Hours()
		}
	}
	return 0
}

func (p reporting) waits() ReportTable {
	t := ReportTable{Code: TableWaits, Title: "Waits", Note: "From the referral to the first contact, in hours in which the service is open.", Of: "What", Heads: []ReportHead{{"figure", "Figure", Number}}}
	waits, n := map[int]int{}, 0
	for i, m := range p.Months {
		if c := m.cut(p.q.By, p.q.Value); c != nil && !p.hidden[i][cell{p.q.By, p.q.Value, countContacted, all}] {
			for s, k := range c.Waits {
				waits[s] += k
				n += k
			}
		}
	}
	told := func(share float64) Figure {
		if n < WeekAtLeast {
			return Figure{Hidden: true}
		}
		return Figure{Value: quantile(waits, share), Unit: Hours}
	}
	yes := p.here(countKept, "yes")
	t.Rows = []ReportRow{{Code: "median", Words: "Half waited no longer than (hours)", Figures: []Figure{told(.5)}}, {Code: "nine_in_ten", Words: "9 in 10 waited no longer than (hours)", Figures: []Figure{told(.9)}},
		{Code: "within", Words: "First contacts within the promise", Figures: []Figure{yes}}, {Code: "late", Words: "First contacts later than promised", Figures: []Figure{p.here(countKept, "no")}}}
	return t
}

// weeks tells the waits of every week that lies in the months as a whole: a part of a week would tell the other part, beside another report.
func (p reporting) weeks() ReportTable {
	t := ReportTable{Code: TableWeeks, Title: "Waits by week", Of: "Week from", Note: fmt.Sprintf("Weeks with fewer than %d first contacts, and weeks that are not wholly in these months, are left out.", WeekAtLeast),
		Heads: []ReportHead{{"median", "Half waited no longer than (hours)", Hours}, {"nine_in_ten", "9 in 10 waited no longer than (hours)", Hours}}}
	merged := map[Day]map[int]int{}
	for _, m := range p.Months {
		for week, waits := range m.Weeks {
			if merged[week] == nil {
				merged[week] = map[int]int{}
			}
			for s, n := range waits {
				merged[week][s] += n
			}
		}
	}
	for _, week := range slices.Sorted(maps.Keys(merged)) {
		n := 0
		for _, k := range merged[week] {
			n += k
		}
		monday := week.Date()
		if n < WeekAtLeast || MonthOf(monday, time.UTC) < p.q.From || MonthOf(monday.AddDate(0, 0, 6), time.UTC) > p.q.To {
			continue
		}
		t.Rows = append(t.Rows, ReportRow{Code: string(week), Words: monday.Format("2 January 2006"),
			Figures: []Figure{{Value: quantile(merged[week], .5), Unit: Hours}, {Value: quantile(merged[week], .9), Unit: Hours}}})
	}
	return t
}

func (p reporting) outcomes() ReportTable {
	t := ReportTable{Code: TableOutcomes, Title: "Outcomes", Note: "Referrals that ended in these months.", Of: "Ended", Heads: []ReportHead{{"referrals", "Referrals", Number}, {"share", "Share", Percent}}}
	whole := p.here(countEnded, all)
	for _, s := range []State{Onward, Closed, Declined, Unreachable} {
		n := p.here(countOutcome, string(s))
		words := map[State]string{Onward: "Passed on to other services", Closed: "Closed", Declined: "Declined by the person", Unreachable: "Could not be reached"}[s]
		t.Rows = append(t.Rows, ReportRow{Code: string(s), Words: words, Figures: []Figure{n, ratio(n, whole, 100, Percent)}})
	}
	t.Rows = rank(t.Rows)
	return t
}

func (p reporting) discharges() ReportTable {
	t := ReportTable{Code: TableDischarges, Title: "Why support ended", Note: "Of those who had been in support.", Of: "Reason", Heads: []ReportHead{{"referrals", "Referrals", Number}}}
	for _, d := range Discharges {
		t.Rows = append(t.Rows, ReportRow{Code: string(d.Reason), Words: d.Words, Figures: []Figure{p.here(countDischarge, string(d.Reason))}})
	}
	t.Rows = rank(t.Rows)
	return t
}

func (p reporting) goals() ReportTable {
	t := ReportTable{Code: TableGoals, Title: "Goals", Note: "People with a goal that ended so in these months.", Of: "Goal", Heads: []ReportHead{{"people", "People", Number}}}
	t.Rows = rank([]ReportRow{{Code: string(Reached), Words: "Reached", Figures: []Figure{p.here(countGoal, string(Reached))}}, {Code: string(GivenUp), Words: "Given up", Figures: []Figure{p.here(countGoal, string(GivenUp))}}})
	return t
}

func (p reporting) measures() ReportTable {
	t := ReportTable{Code: TableMeasures, Title: "Before and after", Of: "Question", Note: "People who answered again in these months, compared with their first answer. It does not tell what brought the change. Months with too few people are left out.",
		Heads: []ReportHead{{"people", "People", Number}, {"before", "Mean before", Points}, {"after", "Mean after", Points}, {"change", "Change", Points}}}
	for _, i := range []Instrument{ONS4, Loneliness} {
		questions := slices.Clone(i.Questions)
		if i.Total != "" {
			questions = append(questions, Question{Item: i.Total, Words: i.TotalWords, MoreIs: i.moreIs()})
		}
		for _, q := range questions {
			code := i.Kind + "/" + q.Item
			n, of := p.here(countMeasure, code), cell{p.q.By, p.q.Value, countMeasure, code}
			if n.Hidden || n.Value == 0 {
				continue
			}
			before, after := p.sums(p.q.By, p.q.Value, sumBefore, code, of, Points).Value/n.Value, p.sums(p.q.By, p.q.Value, sumAfter, code, of, Points).Value/n.Value
			row := ReportRow{Code: code, Words: q.Words, Figures: []Figure{n, {Value: before, Unit: Points}, {Value: after, Unit: Points}, {Value: after - before, Unit: Points}}}
			row.Note = map[Direction]string{Better: "Higher is better.", Worse: "Lower is better."}[q.MoreIs]
			if n.Value < FewMeasured {
				row.Note += fmt.Sprintf(" Fewer than %d people: this may well be chance.", FewMeasured)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// per sets groups beside each other.
func (p reporting) per(by, code, title, of string) ReportTable {
	t := ReportTable{Code: code, Title: title, Of: of}
	texts := by != ByLanguage
	if texts {
		t.Heads = []ReportHead{{"referrals", "Referrals", Number}, {"texts", "Texts", Number}, {"per_1000", "Referrals for each 1,000 texts", PerMill}}
	} else {
		t.Heads = []ReportHead{{"referrals", "Referrals", Number}}
	}
	if by == BySector {
		t.Note = "By the postcode of people who were found on a list, or whose link was used. Sectors with too few people are left out."
	} else {
		t.Heads = append(t.Heads, ReportHead{"first_contacts", "First contacts", Number}, ReportHead{"within", "Within the promise", Percent}, ReportHead{"ended", "Ended", Number})
	}
	for _, v := range p.values(by) {
		received := p.people(by, v, countReceived, all)
		row := ReportRow{Code: v, Words: p.words(by, v), Figures: []Figure{received}}
		if texts {
			sent := p.people(by, v, countTexted, all)
			row.Figures = append(row.Figures, sent, ratio(received, sent, 1000, PerMill))
		}
		if by != BySector {
			contacted := p.people(by, v, countContacted, all)
			row.Figures = append(row.Figures, contacted, ratio(p.people(by, v, countKept, "yes"), contacted, 100, Percent), p.people(by, v, countEnded, all))
		}
		t.Rows = append(t.Rows, row)
	}
	if by != ByPractice && by != ByCampaign { // those are known to everybody who works here
		t.Rows = named(t.Rows)
	}
	slices.SortStableFunc(t.Rows, func(a, b ReportRow) int {
		if by == BySector || by == ByAge {
			return strings.Compare(a.Code, b.Code)
		}
		return cmp.Or(cmp.Compare(shown(b.Figures[0]), shown(a.Figures[0])), strings.Compare(a.Words, b.Words))
	})
	return t
}

// HiddenBelow is the least number of people that is shown.
const HiddenBelow = suppress.Least
