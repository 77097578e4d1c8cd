package selfrefer

import (
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/suppress"
)

// Month is a month of the calendar as 2026-06. Months compare as strings do.
type Month string

// MonthOf is the month of a time in a zone.
func MonthOf(t time.Time, zone *time.Location) Month { return Month(t.In(zone).Format("2006-01")) }

// ParseMonth reads 2026-06.
func ParseMonth(s string) (Month, bool) {
	t, err := time.Parse("2006-01", s)
	return Month(s), err == nil && t.Year() >= 2000 && t.Year() <= 2099
}

// First is the month's first midnight in a zone.
func (m Month) First(zone *time.Location) time.Time {
	t, _ := time.Parse("2006-01", string(m))
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, zone)
}

// Add is so many months later.
func (m Month) Add(n int) Month { return Month(m.First(time.UTC).AddDate(0, n, 0).Format("2006-01")) }

// Words is the month as people say it.
func (m Month) Words() string { return m.First(time.UTC).Format("January 2006") }

// MonthSettles is how long after its end a month is counted, so that what is written down a little later is in it.
const MonthSettles = 3 * 24 * time.Hour

// LastMonth is the last month that can be counted now.
func LastMonth(now time.Time, zone *time.Location) Month {
	return MonthOf(now.Add(-MonthSettles), zone).Add(-1)
}

// The groups by which a report can be narrowed, and the sector, by which it cannot.
const (
	ByPractice = "practice"
	ByCampaign = "campaign"
	ByAge      = "age"
	BySex      = "sex"
	ByLanguage = "language"
	BySector   = "sector"
)

// Narrowings are the groups by which a report can be narrowed, one at a time.
var Narrowings = []string{ByPractice, ByCampaign, ByAge, BySex, ByLanguage}

// Attributes are what a report groups people by: "" is not known.
type Attributes struct{ Practice, Campaign, Age, Sex, Language, Sector string }

func (a Attributes) by() map[string]string {
	return map[string]string{ByPractice: a.Practice, ByCampaign: a.Campaign, ByAge: a.Age, BySex: a.Sex, ByLanguage: a.Language, BySector: a.Sector}
}

// The tables of a month. Each counts people, by code.
const (
	countReceived  = "received"  // the whole of those below
	countSource    = "source"    // how they came
	countUrgent    = "urgent"    // yes, no
	countReason    = "reason"    // what they ask help for: several each
	countContacted = "contacted" // first contacts made
	countKept      = "kept"      // yes: within the promise; no
	countEnded     = "ended"
	countOutcome   = "outcome"   // the state in which it has ended
	countDischarge = "discharge" // why support has ended, of those that had any
	countTexted    = "texted"
	countOnward    = "onward"  // by service
	countKind      = "kind"    // of intervention
	countGoal      = "goal"    // reached, given up
	countMeasure   = "measure" // people with an answer before and one after, by question

	// What is summed up beside them and is no number of people: it is shown where the people are.
	sumCost    = "cost"    // of the texts, in hundredths of a penny
	sumNumber  = "number"  // of interventions, by kind
	sumMinutes = "minutes" // of interventions, by kind
	sumBefore  = "before"  // of the answers, by question
	sumAfter   = "after"

	all = "all" // the code of what is counted as a whole
)

// wholes are counted as one number, with the tables that divide it up and those of which one person can be in several rows.
var wholes = []struct {
	table  string
	parts  []string
	within []string
}{
	{countReceived, []string{countSource, countUrgent}, []string{countReason}},
	{countContacted, []string{countKept}, nil},
	{countEnded, []string{countOutcome}, []string{countDischarge}},
	{countTexted, nil, nil},
}

// apart are the tables that are no part of any number that is told.
var apart = []string{countOnward, countKind, countGoal, countMeasure}

// Cut is what is counted in a month, of everybody or of one group.
type Cut struct {
	People map[string]map[string]int     `json:"people,omitempty"` // by table and code
	Sums   map[string]map[string]float64 `json:"sums,omitempty"`
	Waits  map[int]int                   `json:"waits,omitempty"` // first contacts by their wait in steps of WaitStep
}

// WaitStep is how finely waits are kept.
const WaitStep = 6 * time.Minute

// MonthFigures are the counts of one month. They are never shown as they are: [NewReport] hides what is too small.
type MonthFigures struct {
	All Cut                        `json:"all"`
	By  map[string]map[string]*Cut `json:"by,omitempty"`
	// Deciles are those of the sectors, as they were when the month was counted: a campaign tells its people by decile.
	Deciles map[string]string `json:"deciles,omitempty"`
	// Pages are what the pages of campaigns tell of the same people; nil in months that were counted before that was looked at.
	Pages *Pages              `json:"pages,omitempty"`
	Weeks map[Day]map[int]int `json:"weeks,omitempty"` // waits by the Monday of the week of the first contact; of a week at the edge, the month's part
}

// each runs over all the groups that somebody is in, and everybody.
func (f *MonthFigures) each(a Attributes, do func(*Cut)) {
	do(&f.All)
	if f.By == nil {
		f.By = map[string]map[string]*Cut{}
	}
	for by, value := range a.by() {
		if f.By[by] == nil {
			f.By[by] = map[string]*Cut{}
		}
		if f.By[by][value] == nil {
			f.By[by][value] = &Cut{}
		}
		do(f.By[by][value])
	}
}

func plus[N int | float64](to *map[string]map[string]N, table, code string, n N) {
	if *to == nil {
		*to = map[string]map[string]N{}
	}
	if (*to)[table] == nil {
		(*to)[table] = map[string]N{}
	}
	(*to)[table][code] += n
}

func (f *MonthFigures) count(a Attributes, table, code string, n int) {
	f.each(a, func(c *Cut) { plus(&c.People, table, code, n) })
}

func (f *MonthFigures) sum(a Attributes, table, code string, n float64) {
	f.each(a, func(c *Cut) { plus(&c.Sums, table, code, n) })
}

// Received counts n referrals.
func (f *MonthFigures) Received(a Attributes, source Source, urgent bool, n int) {
	f.count(a, countReceived, all, n)
	f.count(a, countSource, string(source), n)
	f.count(a, countUrgent, yesNo(urgent), n)
}

// Asked counts n referrals by what they ask help for.
func (f *MonthFigures) Asked(a Attributes, reason string, n int) { f.count(a, countReason, reason, n) }

// Contacted counts a first contact: how long the person had waited in working time, whether that was within the promise, and the week.
func (f *MonthFigures) Contacted(a Attributes, week Day, wait time.Duration, kept bool) {
	f.count(a, countContacted, all, 1)
	f.count(a, countKept, yesNo(kept), 1)
	step := int(max(wait, 0) / WaitStep)
	f.each(a, func(c *Cut) {
		if c.Waits == nil {
			c.Waits = map[int]int{}
		}
		c.Waits[step]++
	})
	if f.Weeks == nil {
		f.Weeks = map[Day]map[int]int{}
	}
	if f.Weeks[week] == nil {
		f.Weeks[week] = map[int]int{}
	}
	f.Weeks[week][step]++
}

// Ended counts n referrals by how they have ended.
func (f *MonthFigures) Ended(a Attributes, state State, why Discharge, n int) {
	f.count(a, countEnded, all, n)
	f.count(a, countOutcome, string(state), n)
	if why != NotSaid {
		f.count(a, countDischarge, string(why), n)
	}
}

// Texted counts n texts and what they cost, in hundredths of a penny. The language in which people are texted is not the one in which they
// ask to talk: no rate is told by it.
func (f *MonthFigures) Texted(a Attributes, n int, cost float64) {
	f.count(a, countTexted, all, n)
	f.sum(a, sumCost, all, cost)
}

// Passed counts n people who were referred onward to a service; "0" is another place.
func (f *MonthFigures) Passed(a Attributes, service string, n int) {
	f.count(a, countOnward, service, n)
}

// Did counts n people for whom something was done, how often, and for how many minutes.
func (f *MonthFigures) Did(a Attributes, kind string, n, times, minutes int) {
	f.count(a, countKind, kind, n)
	f.sum(a, sumNumber, kind, float64(times))
	f.sum(a, sumMinutes, kind, float64(minutes))
}

// Goal counts n people with a goal that has ended so.
func (f *MonthFigures) Goal(a Attributes, state GoalState, n int) {
	f.count(a, countGoal, string(state), n)
}

// Measured counts somebody who has answered a question before and again.
func (f *MonthFigures) Measured(a Attributes, kind, item string, before, after int) {
	code := kind + "/" + item
	f.count(a, countMeasure, code, 1)
	f.sum(a, sumBefore, code, float64(before))
	f.sum(a, sumAfter, code, float64(after))
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// cell names one number of people of a month; by is "" for everybody's.
type cell struct{ by, value, table, code string }

// hidden are the numbers of a month that nobody is shown. What is shown of a month never depends on what else is asked for, and whatever is
// shown of several months is made of what is shown of each: so no two reports differ by anything that is hidden. Narrowing is one row of the
// whole table of a group: that is looked at with the sums of its rows and of its columns, which other reports show. Where one table hides a sum,
// all tables that have it do, with what it is the sum of.
func (f MonthFigures) hidden() map[cell]bool {
	h := hiding{MonthFigures: f, out: map[cell]bool{}, guarded: map[cell]bool{}, byPages: map[cell]bool{}}
	same := f.samePeople()
	for h.all(); h.guard(same); {
		h.all()
	}
	return h.out
}

// hiding finds what of a month is hidden.
type hiding struct {
	MonthFigures
	out     map[cell]bool
	guarded map[cell]bool // hidden where the same people are another group
	byPages map[cell]bool // wholes that are hidden only because the pages of campaigns hide them: what divides them up may be told if it does not tell them
}

func (h hiding) given(c cell) suppress.Given {
	switch {
	case h.guarded[c], h.byPages[c]:
		return suppress.Guarded
	case h.out[c]:
		return suppress.Gone
	}
	return suppress.Open
}

// all hides what it must beside what is hidden already. It takes everything in its order, for the same month hides the same.
func (h hiding) all() {
	for _, w := range wholes {
		h.column(w.table, all)
		for _, p := range w.parts {
			if codes := h.codes(p); len(codes) > 0 {
				h.divide(w.table, p, codes, func(by, value string) (row []int) {
					for _, code := range codes {
						row = append(row, h.people(by, value, p, code))
					}
					return row
				})
			}
		}
		for _, p := range w.within {
			for _, code := range h.codes(p) { // beside those who are not in it: one less than all is as telling as one
				h.divide(w.table, p, []string{code}, func(by, value string) []int {
					n := h.people(by, value, p, code)
					return []int{n, h.people(by, value, w.table, all) - n}
				})
			}
		}
	}
	for _, table := range apart {
		for _, code := range h.codes(table) {
			h.column(table, code)
		}
	}
	for _, w := range wholes { // the wholes come before what divides them up
		h.columnParts(w.table, all)
		for _, p := range slices.Concat(w.parts, w.within) {
			h.divideParts(w.table, p)
		}
	}
	for _, table := range apart {
		for _, code := range h.codes(table) {
			h.columnParts(table, code)
		}
	}
}

// column hides numbers of one code, group by group.
func (h hiding) column(table, code string) {
	if suppress.Small(h.people("", "", table, code)) {
		h.out[cell{"", "", table, code}] = true
	}
	switch {
	case h.Pages == nil:
		h.hideByArea(table, code)
	case slices.Contains([]string{countTexted, countReceived, countContacted}, table):
		h.hideBesidePages(table)
	}
	for _, by := range inOrder(h.By) {
		values := inOrder(h.By[by])
		counts, given := make([]int, len(values)), make([]suppress.Given, len(values))
		for i, v := range values {
			counts[i], given[i] = h.people(by, v, table, code), h.given(cell{by, v, table, code})
			if h.byPages[cell{by, v, table, code}] {
				given[i] = suppress.Gone // what keeps it from being worked out here, the pages have hidden already
			}
		}
		for i, hide := range suppress.ListBeside(counts, given, false) {
			switch {
			case hide && i == len(values):
				h.out[cell{"", "", table, code}] = true
			case hide:
				h.out[cell{by, values[i], table, code}] = true
			}
		}
	}
}

// hideByArea is for months of which nobody knows what the pages of campaigns told: these tell their people by postcode district, or by decile. In a
// month with one campaign alone, that is a sum of some sectors.
func (h hiding) hideByArea(table, code string) {
	for _, areaOf := range []func(sector string) string{districtOf, func(sector string) string { return h.Deciles[sector] }} {
		areas := map[string][]string{}
		for _, sector := range inOrder(h.By[BySector]) {
			areas[areaOf(sector)] = append(areas[areaOf(sector)], sector)
		}
		names := inOrder(areas)
		sums := make([]int, len(names))
		for a, name := range names {
			sectors := areas[name]
			counts := make([]int, len(sectors))
			for i, sector := range sectors {
				counts[i] = h.people(BySector, sector, table, code)
				sums[a] += counts[i]
			}
			for i, hide := range suppress.List(counts)[:len(sectors)] {
				if hide {
					h.out[cell{BySector, sectors[i], table, code}] = true
				}
			}
		}
		for a, hide := range suppress.List(sums)[:len(names)] { // what is hidden there must not follow from what is shown here
			for _, sector := range areas[names[a]] {
				if hide {
					h.out[cell{BySector, sector, table, code}] = true
				}
			}
		}
	}
}

func (h hiding) columnParts(table, code string) {
	if !h.out[cell{"", "", table, code}] {
		return
	}
	for by, groups := range h.By {
		for v := range groups {
			h.out[cell{by, v, table, code}] = true
		}
	}
}

// divide hides numbers of the rows of a table that add up to a whole; row gives them for a group, and the first of them are told by code. Where
// pages of campaigns may tell a whole that is hidden here, or will, it is looked at as if they all did, too.
func (h hiding) divide(whole, table string, codes []string, row func(by, value string) []int) {
	cellOf := func(by, value string, i, of int) cell {
		switch {
		case i < len(codes):
			return cell{by, value, table, codes[i]}
		case i == of-1:
			return cell{by, value, whole, all}
		}
		return cell{by, value, table, codes[0]} // of those who are not in it: then it is not told either
	}
	mark := func(by, value string, masks []bool) {
		for i, hide := range masks {
			if hide && (i < len(codes) || i == len(masks)-1 || !h.byPages[cell{by, value, whole, all}]) {
				h.out[cellOf(by, value, i, len(masks))] = true
			}
		}
	}
	mark("", "", suppress.List(row("", "")))
	for _, by := range inOrder(h.By) {
		values := inOrder(h.By[by])
		counts, given := make([][]int, len(values)), make([][]suppress.Given, len(values)+1)
		least := make([]int, len(values))
		for i := range given {
			v, group := "", ""
			if i < len(values) {
				v, group = values[i], by
				counts[i], least[i] = row(by, v), h.atLeast(cell{by, v, whole, all})
			}
			given[i] = make([]suppress.Given, len(row("", ""))+1)
			for j := range given[i] {
				given[i][j] = h.given(cellOf(group, v, j, len(given[i])))
				rest := j >= len(codes) && j < len(given[i])-1
				if w := (cell{group, v, whole, all}); given[i][j] == suppress.Open && h.out[w] && (!h.byPages[w] || rest) {
					given[i][j] = suppress.Gone // with its whole
				}
				if rest {
					given[i][j] = min(given[i][j], suppress.Gone) // it is told nowhere
				}
			}
		}
		for _, told := range []bool{false, true} {
			if told && !h.Pages.any() {
				continue
			}
			for i, masks := range suppress.TableBeside(counts, given, least, told) {
				if i == len(values) {
					mark("", "", masks)
				} else {
					mark(by, values[i], masks)
				}
			}
		}
	}
}

func (h hiding) divideParts(whole, table string) {
	for _, code := range h.codes(table) {
		of := cell{"", "", table, code}
		h.out[of] = h.out[of] || h.out[cell{"", "", whole, all}]
		for by, groups := range h.By {
			for v := range groups {
				if w := (cell{by, v, whole, all}); h.out[of] || h.out[w] && !h.byPages[w] {
					h.out[cell{by, v, table, code}] = true
				}
			}
		}
	}
}

// districtOf is the postcode district that a sector belongs to.
func districtOf(sector string) string {
	district, _, _ := strings.Cut(sector, " ")
	return district
}

// people is a count; by is "" for everybody's.
func (f MonthFigures) people(by, value, table, code string) int {
	if by == "" {
		return f.All.People[table][code]
	}
	if c := f.By[by][value]; c != nil {
		return c.People[table][code]
	}
	return 0
}

func (f MonthFigures) codes(table string) []string { return inOrder(f.All.People[table]) }

func inOrder[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
