package selfrefer

import (
	"github.com/wellpaced/wellpaced/campaign/suppress"
)

// What the pages of campaigns group by, beside practice, age and sex: sectors are parts of these.
const (
	ByDistrict = "district"
	ByDecile   = "decile"
)

// OtherGroups is the name under which the pages of a campaign put the smallest of many groups together.
const OtherGroups = "*"

// OnPages is by how much a group has grown in a month on the pages of campaigns, and what these tell of it.
type OnPages struct {
	N         int  `json:"n"` // never told
	AtLeast   int  `json:"at_least,omitempty"`
	Hidden    bool `json:"hidden,omitempty"` // the pages of a campaign do not tell exactly by how much
	Campaigns int  `json:"campaigns"`        // how many tell the group apart
}

// Pages are what the pages of campaigns tell of the people of a month: of texts, referrals and first contacts, as they count them. A number of the
// report is the sum of that and of a rest, of people who are on no such page. So it is told where the pages tell their part to the full and the
// rest may be told too: then the report tells nothing of their people that they do not.
type Pages struct {
	// Unknown says that the pages of a campaign were not read, so that nobody knows what they tell.
	Unknown   bool                                      `json:"unknown,omitempty"`
	Campaigns map[string]int                            `json:"campaigns,omitempty"` // by what they group
	By        map[string]map[string]map[string]*OnPages `json:"by,omitempty"`        // by group and table
}

// Paged are the tables of a month that the pages of a campaign count as well.
type Paged struct{ Texted, Received, Contacted OnPages }

// Add counts how a group has grown on the pages of a campaign.
func (p *Pages) Add(by, group string, of Paged) {
	if p.By == nil {
		p.By = map[string]map[string]map[string]*OnPages{}
	}
	if p.By[by] == nil {
		p.By[by] = map[string]map[string]*OnPages{}
	}
	if p.By[by][group] == nil {
		p.By[by][group] = map[string]*OnPages{countTexted: {}, countReceived: {}, countContacted: {}}
	}
	for table, n := range map[string]OnPages{countTexted: of.Texted, countReceived: of.Received, countContacted: of.Contacted} {
		sum := p.By[by][group][table]
		sum.N, sum.AtLeast, sum.Hidden, sum.Campaigns = sum.N+n.N, sum.AtLeast+n.AtLeast, sum.Hidden || n.Hidden, sum.Campaigns+1
	}
}

// Group counts a campaign whose pages group so.
func (p *Pages) Group(by string) {
	if p.Campaigns == nil {
		p.Campaigns = map[string]int{}
	}
	p.Campaigns[by]++
}

// paged is how the pages of campaigns and the report group the same people.
var paged = []struct {
	pages, report string
	group         func(f MonthFigures, value string) string
}{
	{ByPractice, ByPractice, itself},
	{ByAge, ByAge, itself},
	{BySex, BySex, itself},
	{ByDistrict, BySector, func(_ MonthFigures, sector string) string { return districtOf(sector) }},
	{ByDecile, BySector, func(f MonthFigures, sector string) string { return f.Deciles[sector] }},
}

// any reports whether there are pages of campaigns in the month.
func (p *Pages) any() bool { return p != nil && (p.Unknown || len(p.Campaigns) > 0) }

func itself(_ MonthFigures, value string) string { return value }

// hideBesidePages hides numbers of a table that the pages of campaigns do not tell their part of, or whose rest is small.
func (h hiding) hideBesidePages(table string) {
	for _, g := range paged {
		if h.Pages.Unknown {
			for v := range h.By[g.report] {
				c := cell{g.report, v, table, all}
				h.out[c], h.byPages[c] = true, g.report != BySector && !suppress.Small(h.people(g.report, v, table, all))
			}
			continue
		}
		if h.Pages.Campaigns[g.pages] == 0 {
			continue
		}
		shown := h.Pages.By[g.pages]
		members, sum := map[string][]string{}, map[string]int{}
		for _, v := range inOrder(h.By[g.report]) {
			name := g.group(h.MonthFigures, v)
			if p := shown[name]; shown[OtherGroups] != nil && (p == nil || p[table].Campaigns < h.Pages.Campaigns[g.pages]) {
				name = OtherGroups
			}
			members[name], sum[name] = append(members[name], v), sum[name]+h.people(g.report, v, table, all)
		}
		for name := range shown {
			if _, counted := members[name]; !counted {
				members[name] = nil
			}
		}
		names := inOrder(members)
		rest, given := make([]int, len(names)), make([]suppress.Given, len(names))
		for i, name := range names {
			rest[i] = sum[name]
			if p := shown[name]; p != nil {
				if rest[i] -= p[table].N; rest[i] < 0 { // what was counted on a page, and has been undone since
					rest[i] = -rest[i]
				}
				if p[table].Hidden {
					given[i] = suppress.Gone
				}
			}
			if name == OtherGroups {
				given[i] = suppress.Gone
			}
		}
		for i, hide := range suppress.ListBeside(rest, given, true)[:len(names)] {
			name := names[i]
			counts, known := make([]int, len(members[name])), make([]suppress.Given, len(members[name]))
			for j, v := range members[name] {
				counts[j], known[j] = h.people(g.report, v, table, all), h.given(cell{g.report, v, table, all})
			}
			masks := suppress.ListBeside(counts, known, true)[:len(counts)]
			if hide = hide && len(names) > 1; hide { // else it is everybody, whose numbers are known
				least := 0
				if p := shown[name]; p != nil && p[table].AtLeast <= sum[name] {
					least = p[table].AtLeast
				}
				for j, no := range masks {
					if no && known[j] == suppress.Open {
						known[j] = suppress.Gone
					}
				}
				masks = suppress.PartsBeside(counts, known, least) // the more the sum is known, the more that protects
			}
			for j, no := range masks {
				if !no {
					continue
				}
				c := cell{g.report, members[name][j], table, all}
				if h.out[c] = true; hide && len(counts) == 1 && !suppress.Small(counts[0]) {
					h.byPages[c] = true
				}
			}
		}
	}
}

// atLeast is what pages tell of a number that is hidden.
func (f MonthFigures) atLeast(c cell) int {
	if f.Pages == nil || f.Pages.Unknown || c.code != all || c.by == BySector || f.Pages.By[c.by] == nil {
		return 0
	}
	p := f.Pages.By[c.by][c.value]
	if p == nil || p[c.table] == nil || p[c.table].AtLeast < HiddenBelow || p[c.table].AtLeast > f.people(c.by, c.value, c.table, all) {
		return 0
	}
	return p[c.table].AtLeast
}

// twins are two groups of different kinds.
type twins struct{ by, value, otherBy, other string }

// samePeople are groups of two kinds that are the same people, as the only patients of a practice who speak Welsh: what one hides, the other would
// tell. The same numbers in all tables are taken for the same people. The language of texts is not counted.
func (f MonthFigures) samePeople() (all []twins) {
	bys := inOrder(f.By)
	for i, by := range bys {
		for _, other := range bys[i+1:] {
			if len(f.By[by]) < 2 || len(f.By[other]) < 2 { // everybody's numbers are shown as they are
				continue
			}
			for _, v := range inOrder(f.By[by]) {
				for _, w := range inOrder(f.By[other]) {
					if f.By[by][v].same(f.By[other][w], by == ByLanguage || other == ByLanguage) {
						all = append(all, twins{by, v, other, w})
					}
				}
			}
		}
	}
	return all
}

func (c *Cut) same(o *Cut, withoutTexts bool) bool {
	tables := 0
	for _, both := range [][2]*Cut{{c, o}, {o, c}} {
		for table, codes := range both[0].People {
			if table == countTexted && withoutTexts {
				continue
			}
			tables++
			for code, n := range codes {
				if both[1].People[table][code] != n {
					return false
				}
			}
		}
	}
	return tables > 0
}

// guard hides what is hidden of the same people elsewhere, and reports whether that was anything new.
func (h hiding) guard(same []twins) (more bool) {
	told := func(c cell) bool { return c.by != BySector || c.code == all } // what divides up a sector stands nowhere
	var found []cell
	for c, hidden := range h.out {
		for _, t := range same {
			o := cell{t.otherBy, t.other, c.table, c.code}
			if c.by == t.otherBy && c.value == t.other {
				o.by, o.value = t.by, t.value
			} else if c.by != t.by || c.value != t.value {
				continue
			}
			if hidden && told(c) && told(o) && !h.guarded[o] && (o.table != countTexted || o.by != ByLanguage) {
				found = append(found, o)
			}
		}
	}
	for _, c := range found {
		h.guarded[c], h.out[c] = true, true
	}
	return len(found) > 0
}
