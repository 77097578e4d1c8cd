package selfrefer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/suppress"
)

// unknown is what an attacker knows of a number: between which it lies.
type unknown struct{ low, high float64 }

// equation says that some numbers add up to another.
type equation struct {
	parts []string
	sum   string
}

// attack narrows what is not shown by everything that is, until nothing narrows any more: every number of every report, every sum of a row, of
// a column and of months.
func attack(known map[string]unknown, all []equation) {
	at := func(k string) unknown {
		if u, ok := known[k]; ok {
			return u
		}
		return unknown{0, math.Inf(1)}
	}
	narrow := func(k string, low, high float64) bool {
		u := at(k)
		n := unknown{max(u.low, low), min(u.high, high)}
		known[k] = n
		return n != u
	}
	for changed := true; changed; {
		changed = false
		for _, e := range all {
			low, high := 0.0, 0.0
			for _, p := range e.parts {
				low, high = low+at(p).low, high+at(p).high
			}
			changed = narrow(e.sum, low, high) || changed
			sum := at(e.sum)
			for _, p := range e.parts {
				u := at(p)
				othersHigh := 0.0
				for _, o := range e.parts {
					if o != p {
						othersHigh += at(o).high
					}
				}
				others := 0.0
				for _, o := range e.parts {
					if o != p {
						others += at(o).low
					}
				}
				least := 0.0
				if !math.IsInf(othersHigh, 1) {
					least = sum.low - othersHigh
				}
				changed = narrow(p, max(u.low, least), min(u.high, sum.high-others)) || changed
			}
		}
	}
}

var madeDeciles = map[string]string{"L36 1": "1", "L36 2": "2", "L37 3": "1", "L37 4": "2", "L38 5": "2"}

// same are groups of two kinds that are the same people.
type same struct{ by, value, otherBy, other string }

// made is a network's months by the dice: few people, so that much is small.
func made(dice *rand.Rand, months int, alike ...same) (basis ReportBasis) {
	pick := func(from ...string) string { return from[dice.IntN(len(from))] }
	for range months {
		var m MonthFigures
		for range 5 + dice.IntN(120) {
			a := Attributes{Practice: pick("A", "A", "A", "B", "B", "C"), Campaign: pick("1", "1", "2"), Age: pick("18-39", "40-64", "40-64", "65+"), Sex: pick("f", "f", "f", "m"), Language: pick("English", "English", "English", "English", "Polish", "Welsh"),
				Sector: pick("L36 1", "L36 2", "L36 2", "L36 2", "L37 3", "L37 3", "L37 4", "L38 5")}
			for _, s := range alike {
				is := a.by()[s.by] == s.value
				at := map[string]*string{ByLanguage: &a.Language, BySex: &a.Sex}[s.otherBy]
				if is {
					*at = s.other
				} else if *at == s.other {
					*at = "another"
				}
			}
			m.Received(a, Source(pick("link", "link", "link", "reply", "call")), dice.IntN(12) == 0, 1)
			for _, reason := range []string{"money", "housing", "covid"} {
				if dice.IntN(3) == 0 {
					m.Asked(a, reason, 1)
				}
			}
			if dice.IntN(3) > 0 {
				m.Contacted(a, "2026-01-05", 0, dice.IntN(6) > 0)
			}
			if dice.IntN(3) > 0 {
				m.Ended(a, State(pick("closed", "closed", "closed", "onward", "declined", "unreachable")), Discharge(pick("", "", "needs_met", "moved")), 1)
			}
			if dice.IntN(3) == 0 {
				m.Passed(a, pick("7", "8", "8"), 1)
			}
			m.Texted(a, 1+dice.IntN(3), 240)
		}

		m.Deciles = madeDeciles
		basis.Months = append(basis.Months, m)
	}
	return basis
}

// Whoever reads every report that there is, of all months and groups, and the pages of a campaign beside them, cannot narrow any number of people
// from 1 to 4; also not where groups of two kinds are the same people.
func TestNothingSmallCanBeWorkedOut(t *testing.T) {
	for seed := range uint64(24) {
		dice := rand.New(rand.NewPCG(seed, 1))
		const months = 3
		var alike []same
		switch seed % 3 {
		case 1:
			alike = []same{{ByPractice, "B", ByLanguage, "Welsh"}}
		case 2:
			alike = []same{{ByPractice, "C", ByLanguage, "Welsh"}, {ByPractice, "A", BySex, "m"}}
		}
		basis := made(dice, months, alike...)
		first := Month("2026-01")
		key := func(month int, by, value, table, code string) string {
			return fmt.Sprint(month, "|", by, "|", value, "|", table, "|", code)
		}
		truth := map[string]int{}
		known := map[string]unknown{}
		var sums []equation
		tables := []string{countSource, countUrgent, countReason, countContacted, countKept, countEnded, countOutcome, countDischarge, countTexted, countOnward, countReceived}
		bys := append([]string{BySector}, Narrowings...)
		for i, m := range basis.Months {
			for _, s := range alike {
				for _, table := range tables {
					for _, code := range m.codes(table) {
						if table != countTexted || s.otherBy != ByLanguage { // that is counted by another language
							sums = append(sums, equation{[]string{key(i, s.by, s.value, table, code)}, key(i, s.otherBy, s.other, table, code)})
						}
					}
				}
			}
			for _, table := range tables {
				for _, code := range m.codes(table) {
					truth[key(i, "", "", table, code)] = m.people("", "", table, code)
					for _, by := range bys {
						e := equation{sum: key(i, "", "", table, code)}
						for _, v := range inOrder(m.By[by]) {
							truth[key(i, by, v, table, code)] = m.people(by, v, table, code)
							e.parts = append(e.parts, key(i, by, v, table, code))
						}
						sums = append(sums, e)
					}
				}
			}
			for _, w := range wholes {
				for _, p := range w.parts {
					for _, by := range append([]string{""}, bys...) {
						values := inOrder(m.By[by])
						if by == "" {
							values = []string{""}
						}
						for _, v := range values {
							e := equation{sum: key(i, by, v, w.table, all)}
							for _, code := range m.codes(p) {
								e.parts = append(e.parts, key(i, by, v, p, code))
							}
							if len(e.parts) > 0 {
								sums = append(sums, e)
							}
						}
					}
				}
			}
		}
		// The pages of a campaign that was alone in a month tell by district, or by decile, what the report tells by sector.
		areaOf := districtOf
		if seed%2 == 1 {
			areaOf = func(sector string) string { return madeDeciles[sector] }
		}
		for i, m := range basis.Months {
			for _, table := range []string{countReceived, countContacted, countTexted} {
				areas := map[string]*equation{}
				for _, sector := range inOrder(m.By[BySector]) {
					k := key(i, "area", areaOf(sector), table, all)
					if areas[k] == nil {
						areas[k] = &equation{sum: k}
					}
					areas[k].parts = append(areas[k].parts, key(i, BySector, sector, table, all))
					truth[k] += m.people(BySector, sector, table, all)
				}
				names := inOrder(areas)
				var counts []int
				for _, k := range names {
					sums = append(sums, *areas[k])
					counts = append(counts, truth[k])
				}
				for j, hide := range suppress.List(counts)[:len(names)] {
					if !hide {
						known[names[j]] = unknown{float64(counts[j]), float64(counts[j])}
					}
				}
			}
		}
		// Every span of months, of everybody and of every group.
		told := 0
		for from := range months {
			for to := from; to < months; to++ {
				some := basis
				some.Months = basis.Months[from : to+1]
				queries := []ReportQuery{{From: first.Add(from), To: first.Add(to)}}
				p := reporting{ReportBasis: some}
				for _, m := range some.Months {
					p.hidden = append(p.hidden, m.hidden())
				}
				for _, g := range p.groups() {
					queries = append(queries, ReportQuery{queries[0].From, queries[0].To, g.By, g.Value})
				}
				see := func(by, value, table, code string, f Figure) {
					k := fmt.Sprint(from, "-", to, key(0, by, value, table, code))
					e := equation{sum: k}
					for i := from; i <= to; i++ {
						e.parts = append(e.parts, key(i, by, value, table, code))
					}
					sums = append(sums, e)
					switch {
					case f.Exact():
						known[k] = unknown{f.Value, f.Value}
						told++
					case f.AtLeast:
						known[k] = unknown{f.Value, math.Inf(1)}
					}
				}
				columns := map[string]string{"referrals": countReceived, "texts": countTexted, "first_contacts": countContacted, "ended": countEnded}
				rows := map[string][2]string{"referrals": {countReceived, all}, "urgent": {countUrgent, "yes"}, "first_contacts": {countContacted, all}, "ended": {countEnded, all}, "texts": {countTexted, all}, "within": {countKept, "yes"}, "late": {countKept, "no"}}
				for _, q := range queries {
					r, err := NewReport(q, some)
					if err != nil {
						t.Fatal(err)
					}
					for _, table := range r.Tables {
						for _, row := range table.Rows {
							switch table.Code {
							case TableSummary, TableWaits:
								if c, ok := rows[row.Code]; ok {
									see(q.By, q.Value, c[0], c[1], row.Figures[0])
								}
							case TableReasons:
								see(q.By, q.Value, countReason, row.Code, row.Figures[0])
							case TableSources:
								see(q.By, q.Value, countSource, row.Code, row.Figures[0])
							case TableOutcomes:
								see(q.By, q.Value, countOutcome, row.Code, row.Figures[0])
							case TableDischarges:
								see(q.By, q.Value, countDischarge, row.Code, row.Figures[0])
							case TableOnward:
								see(q.By, q.Value, countOnward, row.Code, row.Figures[0])
							}
							by := map[string]string{TablePractices: ByPractice, TableCampaigns: ByCampaign, TableAges: ByAge, TableSexes: BySex, TableLanguages: ByLanguage, TableSectors: BySector}[table.Code]
							for i, h := range table.Heads {
								if c, ok := columns[h.Code]; ok && by != "" {
									see(by, row.Code, c, all, row.Figures[i])
								}
								if by != "" && h.Code == "within" && row.Figures[i].Exact() { // the share gives the number, beside that of all
									n := row.Figures[slices.IndexFunc(table.Heads, func(h ReportHead) bool { return h.Code == "first_contacts" })]
									see(by, row.Code, countKept, "yes", Figure{Value: math.Round(row.Figures[i].Value * n.Value / 100)})
								}
							}
						}
					}
				}
			}
		}
		if told == 0 {
			t.Fatalf("seed %d: nothing is told at all", seed)
		}
		attack(known, sums)
		for k, n := range truth {
			if u := known[k]; n > 0 && n < HiddenBelow && (u.low > 1 || u.high < HiddenBelow-1 && u.high > 0) {
				t.Fatalf("seed %d: %s is %d, and it can be worked out that it is from %g to %g", seed, k, n, u.low, u.high)
			}
			if u := known[k]; u.low > float64(n) || u.high > 0 && u.high < float64(n) {
				t.Fatalf("seed %d: %s is %d, and the attack finds %g to %g: it goes wrong", seed, k, n, u.low, u.high)
			}
		}
	}
}

// What is hidden stands nowhere: not in the order of the rows either.
func TestRankTellsNothing(t *testing.T) {
	var m MonthFigures
	a := Attributes{Practice: "A"}
	m.Received(a, ByLink, false, 30)
	for code, n := range map[string]int{"money": 12, "carer": 4, "covid": 1, "housing": 2} {
		m.Asked(a, code, n)
	}
	r, err := NewReport(ReportQuery{From: "2026-01", To: "2026-01"}, ReportBasis{Months: []MonthFigures{m}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range r.Table(TableReasons).Rows {
		got = append(got, row.Code+" "+row.Figures[0].Text())
	}
	if want := []string{"money 12", "carer hidden", "covid hidden", "housing hidden"}; !slices.Equal(got, want) { // by their words
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSpansOfMonths(t *testing.T) {
	var months []MonthFigures
	for _, n := range []int{9, 3, 8, 0} {
		var m MonthFigures
		if n > 0 {
			m.Received(Attributes{Practice: "A"}, ByLink, false, n)
		}
		months = append(months, m)
	}
	for _, c := range []struct {
		months []MonthFigures
		want   string
	}{{months, "17 or more"}, {months[:1], "9"}, {months[1:2], "hidden"}, {months[2:], "8"}, {months[3:], "0"}} {
		r, err := NewReport(ReportQuery{From: "2026-01", To: "2026-04"}, ReportBasis{Months: c.months})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Table(TableSummary).Rows[0].Figures[0].Text(); got != c.want {
			t.Errorf("%d months: %s, want %s", len(c.months), got, c.want)
		}
	}
	for q, ok := range map[ReportQuery]bool{{From: "2026-01", To: "2026-03"}: true, {From: "2026-03", To: "2026-01"}: false, {From: "2024-01", To: "2026-01"}: false, {From: "2024-02", To: "2026-01"}: true,
		{From: "2026-01", To: "2026-04"}: false, {From: "2023-12", To: "2024-01"}: false, {From: "2026-01", To: "2026-03", By: BySector}: false, {From: "2026-01", To: "2026-03", By: BySex}: true} {
		if got := q.Check("2024-01", "2026-03") == nil; got != ok {
			t.Errorf("%+v: %v", q, got)
		}
	}
}

// A week that reaches over the edge of the months is left out: its part would tell the other part, beside a report that has both.
func TestWeeksAreWhole(t *testing.T) {
	var may, june MonthFigures
	a := Attributes{Practice: "A"}
	for i := range 12 {
		may.Contacted(a, "2026-05-18", time.Duration(i)*time.Hour, true)
		may.Contacted(a, "2026-05-25", time.Hour, true)  // to 31 May
		june.Contacted(a, "2026-06-01", time.Hour, true) // to 7 June
		june.Contacted(a, "2026-06-29", 2*time.Hour, true)
		if i < 9 {
			may.Contacted(a, "2026-05-04", time.Hour, true)
			may.Contacted(a, "2026-04-27", time.Hour, true)
		}
	}
	weeks := func(from, to Month, months ...MonthFigures) (all []string) {
		r, err := NewReport(ReportQuery{From: from, To: to}, ReportBasis{Months: months})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r.Table(TableWeeks).Rows {
			all = append(all, row.Code+" "+row.Figures[0].Text()+" "+row.Figures[1].Text())
		}
		return all
	}
	if got, want := weeks("2026-05", "2026-05", may), []string{"2026-05-18 5.0 10.0", "2026-05-25 1.0 1.0"}; !slices.Equal(got, want) {
		t.Errorf("May: %v, want %v", got, want)
	}
	if got, want := weeks("2026-05", "2026-06", may, june), []string{"2026-05-18 5.0 10.0", "2026-05-25 1.0 1.0", "2026-06-01 1.0 1.0"}; !slices.Equal(got, want) {
		t.Errorf("May and June: %v, want %v", got, want)
	}
}
