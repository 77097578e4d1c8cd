package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/suppress"
	"github.com/wellpaced/wellpaced/selfrefer"
)

const (
	attackMonths  = 3
	pagesOfMonth  = 4 // days on which somebody reads the pages of the campaigns; the last is the month's end
	attackPages   = attackMonths * pagesOfMonth
	neverHappened = 1 << 30
)

// resident is one of those whom both pages count, with the page from which on each thing has happened.
type resident struct {
	campaign.Member
	campaign int // 0: came by themselves
	reached  map[campaign.Stage]int
	source   selfrefer.Source
	urgent   bool
	kept     bool
	reasons  []string
	ended    int
}

var attackDeciles = map[string]string{"L36 1": "1", "L36 2": "2", "L37 3": "1", "L37 4": "2", "L38 5": "2"}

// residents are made by the dice: few, so that much is small.
func residents(dice *rand.Rand, campaigns, alone int) (all []resident) {
	pick := func(from ...string) string { return from[dice.IntN(len(from))] }
	n, often := 60+dice.IntN(400), 3+dice.IntN(20)
	for i := range n + alone {
		sector := pick("L36 1", "L36 2", "L36 2", "L36 2", "L37 3", "L37 3", "L37 4", "L38 5")
		r := resident{Member: campaign.Member{Practice: pick("A", "A", "A", "B", "B", "C"), AgeBand: pick("18-39", "40-64", "40-64", "65+"), Sex: pick("f", "f", "f", "m"), Language: "en",
			Sector: sector, Decile: attackDeciles[sector]}, reached: map[campaign.Stage]int{}, source: selfrefer.Source(pick("link", "link", "link", "reply")), urgent: dice.IntN(12) == 0, kept: dice.IntN(6) > 0, ended: neverHappened}
		for _, reason := range []string{"money", "housing"} {
			if dice.IntN(3) == 0 {
				r.reasons = append(r.reasons, reason)
			}
		}
		at, goes := 0, true
		if i >= n {
			r.source, at = selfrefer.ByCall, dice.IntN(attackPages)
			r.reached[campaign.ReachedSent] = at
		} else {
			r.campaign = 1 + dice.IntN(campaigns)
			at = dice.IntN(attackPages + 3)
			for s := campaign.ReachedTexted; s <= campaign.ReachedSent && goes; s++ {
				r.reached[s] = at
				goes = dice.IntN(20) > 0 && (s != campaign.ReachedOpened || dice.IntN(3) > 0)
				at += dice.IntN(2) * dice.IntN(2)
			}
		}
		if goes && dice.IntN(8) > 0 {
			at += dice.IntN(2)
			r.reached[campaign.ReachedContacted] = at
			if dice.IntN(often) > 0 {
				r.reached[campaign.ReachedSupported] = at
				if at += dice.IntN(3); dice.IntN(often) > 0 {
					r.ended = at
				}
			}
		}
		all = append(all, r)
	}
	return all
}

func (r resident) by(s campaign.Stage) int {
	if at, ok := r.reached[s]; ok {
		return at
	}
	return neverHappened
}

// interval is between which bounds somebody knows a number to lie.
type interval struct{ low, high float64 }

// puzzle is numbers, not negative, of which some add up to others.
type puzzle struct {
	id    map[string]int
	keys  []string
	truth []int
	sums  [][]int // the sum, and its parts
	in    [][]int // by number, in which sums it is
}

func (p *puzzle) at(key string) int {
	i, ok := p.id[key]
	if !ok {
		i = len(p.keys)
		p.id[key], p.keys, p.truth, p.in = i, append(p.keys, key), append(p.truth, 0), append(p.in, nil)
	}
	return i
}

func (p *puzzle) sum(of string, parts ...string) {
	s := []int{p.at(of)}
	for _, k := range parts {
		s = append(s, p.at(k))
	}
	for _, i := range s {
		p.in[i] = append(p.in[i], len(p.sums))
	}
	p.sums = append(p.sums, s)
}

// narrowed uses every sum until nothing narrows any more.
func (p *puzzle) narrowed(known ...map[string]interval) []interval {
	u := make([]interval, len(p.keys))
	for i := range u {
		u[i].high = math.Inf(1)
	}
	for _, k := range known {
		for key, v := range k {
			if i, ok := p.id[key]; ok {
				u[i] = interval{max(u[i].low, v.low), min(u[i].high, v.high)}
			}
		}
	}
	queue, queued := make([]int, len(p.sums)), make([]bool, len(p.sums))
	for i := range queue {
		queue[i], queued[i] = i, true
	}
	set := func(i int, low, high float64) {
		if n := (interval{max(u[i].low, low), min(u[i].high, high)}); n != u[i] {
			u[i] = n
			for _, e := range p.in[i] {
				if !queued[e] {
					queue, queued[e] = append(queue, e), true
				}
			}
		}
	}
	for len(queue) > 0 {
		e := queue[0]
		queue, queued[e] = queue[1:], false
		sum, parts := p.sums[e][0], p.sums[e][1:]
		low, high, ends := 0.0, 0.0, 0
		for _, i := range parts {
			low += u[i].low
			if math.IsInf(u[i].high, 1) {
				ends++
			} else {
				high += u[i].high
			}
		}
		if ends > 0 {
			set(sum, low, math.Inf(1))
		} else {
			set(sum, low, high)
		}
		for _, i := range parts {
			least := 0.0
			if ends == 0 {
				least = u[sum].low - (high - u[i].high)
			} else if ends == 1 && math.IsInf(u[i].high, 1) {
				least = u[sum].low - high
			}
			set(i, least, u[sum].high-(low-u[i].low))
		}
	}
	return u
}

type attacked struct {
	told    int // numbers of groups that reports tell
	atLeast int
	of      int // of so many
	leaks   []string
	small   int
}

var pageDay = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

// attackTogether reads all pages of the campaigns and all reports of a network.
func attackTogether(t *testing.T, people []resident, campaigns int, deprived bool, unread int) (out attacked) {
	t.Helper()
	p := &puzzle{id: map[string]int{}}
	base, pages, reports := map[string]interval{}, map[string]interval{}, map[string]interval{}
	exactly := func(k map[string]interval, key string, n int) { k[key] = interval{float64(n), float64(n)} }
	groupings := map[campaign.Grouping]string{campaign.ByPractice: selfrefer.ByPractice, campaign.ByAge: selfrefer.ByAge, campaign.BySex: selfrefer.BySex}
	where := campaign.ByDistrict
	if deprived {
		where = campaign.ByDeprivation
	}
	groupings[where] = "area"
	stages := campaign.Stages()
	months := make([]selfrefer.MonthFigures, attackMonths)
	secrets := map[string]string{} // by key, what it is
	funnelKey := func(c int, by, name string, s campaign.Stage, page int) string {
		return fmt.Sprint("F|", c, "|", by, "|", name, "|", s, "|", page)
	}
	monthOf := func(page int) int { return page / pagesOfMonth }
	for c := 1; c <= campaigns; c++ {
		var f campaign.Funnel
		for page := range attackPages {
			h := &campaign.Head{Deprived: deprived}
			for _, r := range people {
				if r.campaign != c {
					continue
				}
				furthest := campaign.ReachedInvited
				for _, s := range stages {
					if r.by(s) <= page {
						furthest = s
					}
				}
				h.Add(r.Member, furthest)
			}
			f = f.Next(h, pageDay.AddDate(0, 0, 7*page))
			for _, s := range stages {
				exactly(base, funnelKey(c, "", "", s, page), f.All[s])
			}
			for by, report := range groupings {
				for _, s := range stages {
					total := []string{}
					for _, g := range f.Groups[by] {
						key := funnelKey(c, report, g.Name, s, page)
						total = append(total, key)
						p.truth[p.at(key)] = g.N[s]
						secrets[key] = "page"
						switch n, exact, known := g.Number(s); {
						case s == campaign.ReachedInvited:
							exactly(base, key, g.N[s])
						case exact:
							exactly(pages, key, n)
						case known:
							pages[key] = interval{float64(n), math.Inf(1)}
						}
						if s > campaign.ReachedInvited {
							stopped := key + "|not"
							p.sum(funnelKey(c, report, g.Name, s-1, page), key, stopped)
							p.truth[p.at(stopped)] = g.N[s-1] - g.N[s]
							secrets[stopped] = "page"
						}
						grown := key + "|grown"
						if page == 0 {
							p.sum(key, grown)
							p.truth[p.at(grown)] = g.N[s]
						} else {
							was := funnelKey(c, report, g.Name, s, page-1)
							p.sum(key, was, grown)
							p.truth[p.at(grown)] = g.N[s] - p.truth[p.at(was)]
						}
						secrets[grown] = "page"
					}
					p.sum(funnelKey(c, "", "", s, page), total...)
				}
			}
			if page%pagesOfMonth == pagesOfMonth-1 {
				f = endPages(t, f, &months[monthOf(page)], monthOf(page) == unread)
			}
		}
	}
	// What the months count.
	columns := map[string]campaign.Stage{"referrals": campaign.ReachedSent, "first_contacts": campaign.ReachedContacted, "texts": campaign.ReachedTexted}
	for _, r := range people {
		a := selfrefer.Attributes{Practice: r.Practice, Age: r.AgeBand, Sex: r.Sex, Language: "English", Sector: r.Sector}
		if r.campaign > 0 {
			a.Campaign = fmt.Sprint(r.campaign)
		}
		month := func(at int) *selfrefer.MonthFigures {
			if at >= attackPages {
				return &selfrefer.MonthFigures{} // later
			}
			return &months[monthOf(at)]
		}
		month(r.by(campaign.ReachedTexted)).Texted(a, 1, 240)
		m := month(r.by(campaign.ReachedSent))
		m.Received(a, r.source, r.urgent, 1)
		for _, reason := range r.reasons {
			m.Asked(a, reason, 1)
		}
		month(r.by(campaign.ReachedContacted)).Contacted(a, "2026-01-05", 0, r.kept)
		month(r.ended).Ended(a, selfrefer.Closed, selfrefer.NotSaid, 1)
	}
	reportKey := func(month int, by, value, column string) string {
		return fmt.Sprint("R|", month, "|", by, "|", value, "|", column)
	}
	values := map[string]map[string]bool{selfrefer.ByPractice: {}, selfrefer.ByAge: {}, selfrefer.BySex: {}, selfrefer.BySector: {}, "area": {}}
	of := func(r resident, by string) string {
		area, _, _ := strings.Cut(r.Sector, " ")
		if deprived {
			area = r.Decile
		}
		return map[string]string{selfrefer.ByPractice: r.Practice, selfrefer.ByAge: r.AgeBand, selfrefer.BySex: r.Sex, selfrefer.BySector: r.Sector, "area": area}[by]
	}
	for _, r := range people {
		for by := range values {
			values[by][of(r, by)] = true
		}
	}
	within := map[string]map[string]func(resident) bool{"referrals": {"source link": func(r resident) bool { return r.source == selfrefer.ByLink }, "source reply": func(r resident) bool { return r.source == selfrefer.ByReply },
		"source call": func(r resident) bool { return r.source == selfrefer.ByCall }}, "referrals ": {"urgent yes": func(r resident) bool { return r.urgent }, "urgent no": func(r resident) bool { return !r.urgent }},
		"referrals  ":  {"reason money": func(r resident) bool { return slices.Contains(r.reasons, "money") }, "reason not money": func(r resident) bool { return !slices.Contains(r.reasons, "money") }},
		"referrals   ": {"reason housing": func(r resident) bool { return slices.Contains(r.reasons, "housing") }, "reason not housing": func(r resident) bool { return !slices.Contains(r.reasons, "housing") }}, "first_contacts": {"kept yes": func(r resident) bool { return r.kept }, "kept no": func(r resident) bool { return !r.kept }}}
	for m := range attackMonths {
		for column, s := range columns {
			for by, all := range values {
				var total []string
				for v := range all {
					key := reportKey(m, by, v, column)
					total = append(total, key)
					n, rest := 0, 0
					inner := map[string]int{}
					for _, r := range people {
						at := r.by(s)
						if at >= attackPages || monthOf(at) != m || of(r, by) != v {
							continue
						}
						n++
						if r.campaign == 0 {
							rest++
						}
						for table, parts := range within {
							for name, is := range parts {
								if strings.TrimSpace(table) == column && is(r) {
									inner[name]++
								}
							}
						}
					}
					p.truth[p.at(key)] = n
					secrets[key] = "report"
					if by != "area" && (by != selfrefer.BySector || column != "first_contacts") && n > 0 {
						out.of++
					}
					if by != selfrefer.BySector {
						parts := []string{key + "|rest"}
						p.truth[p.at(key+"|rest")] = rest
						secrets[key+"|rest"] = "rest"
						for c := 1; c <= campaigns; c++ {
							grown := fmt.Sprint(key, "|by ", c)
							end, start := funnelKey(c, by, v, s, (m+1)*pagesOfMonth-1), funnelKey(c, by, v, s, m*pagesOfMonth-1)
							if _, counted := p.id[end]; !counted {
								continue
							}
							if m == 0 {
								p.sum(end, grown)
							} else {
								p.sum(end, start, grown)
							}
							parts = append(parts, grown)
						}
						p.sum(key, parts...)
					}
					for table, names := range within {
						if strings.TrimSpace(table) != column || by == "area" {
							continue
						}
						var parts []string
						for name := range names {
							part := reportKey(m, by, v, name)
							p.truth[p.at(part)] = inner[name]
							secrets[part] = "report"
							parts = append(parts, part)
						}
						p.sum(key, parts...)
					}
				}
				p.sum(reportKey(m, "", "", column), total...)
				n := 0
				rests := []string{}
				for _, k := range total {
					n += p.truth[p.at(k)]
					rests = append(rests, k+"|rest")
				}
				exactly(base, reportKey(m, "", "", column), n)
				if by != selfrefer.BySector {
					p.sum(reportKey(m, "", "", column)+"|rest", rests...)
					n := 0
					for _, k := range rests {
						n += p.truth[p.at(k)]
					}
					exactly(base, reportKey(m, "", "", column)+"|rest", n)
				}
				for table, names := range within {
					for name := range names {
						if by == "area" || strings.TrimSpace(table) != column {
							continue
						}
						var parts []string
						n := 0
						for v := range all {
							parts = append(parts, reportKey(m, by, v, name))
							n += p.truth[p.at(parts[len(parts)-1])]
						}
						p.sum(reportKey(m, "", "", name), parts...)
						if !suppress.Small(n) {
							exactly(base, reportKey(m, "", "", name), n)
						}
					}
				}
			}
			areas := map[string][]string{}
			for _, r := range people {
				k, part := reportKey(m, "area", of(r, "area"), column), reportKey(m, selfrefer.BySector, r.Sector, column)
				if !slices.Contains(areas[k], part) {
					areas[k] = append(areas[k], part)
				}
			}
			for k, parts := range areas {
				p.sum(k, parts...)
			}
		}
	}
	for m := range months {
		months[m].Deciles = attackDeciles
	}
	// What is read in them: month by month, for a longer span tells the same.
	for m := range attackMonths {
		see := func(key string, f selfrefer.Figure, counts bool) {
			if f.AtLeast {
				reports[key] = interval{f.Value, math.Inf(1)}
			} else if f.Exact() {
				exactly(reports, key, int(math.Round(f.Value)))
			}
			if counts {
				if f.AtLeast {
					out.atLeast++
				} else if f.Exact() {
					out.told++
				}
			}
		}
		month := selfrefer.Month("2026-01").Add(m)
		basis := selfrefer.ReportBasis{Months: months[m : m+1]}
		q := selfrefer.ReportQuery{From: month, To: month}
		r, err := selfrefer.NewReport(q, basis)
		if err != nil {
			t.Fatal(err)
		}
		for by, table := range map[string]string{selfrefer.ByPractice: selfrefer.TablePractices, selfrefer.ByAge: selfrefer.TableAges, selfrefer.BySex: selfrefer.TableSexes, selfrefer.BySector: selfrefer.TableSectors} {
			for _, row := range r.Table(table).Rows {
				for i, h := range r.Table(table).Heads {
					if _, ok := columns[h.Code]; ok {
						see(reportKey(m, by, row.Code, h.Code), row.Figures[i], !row.Figures[i].Exact() || row.Figures[i].Value > 0)
					}
				}
			}
		}
		for _, g := range r.Groups {
			if _, ok := values[g.By]; !ok {
				continue
			}
			q.By, q.Value = g.By, g.Value
			r, err := selfrefer.NewReport(q, basis)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range r.Table(selfrefer.TableSources).Rows {
				see(reportKey(m, g.By, g.Value, "source "+row.Code), row.Figures[0], false)
			}
			for _, row := range r.Table(selfrefer.TableReasons).Rows {
				see(reportKey(m, g.By, g.Value, "reason "+row.Code), row.Figures[0], false)
			}
			see(reportKey(m, g.By, g.Value, "urgent yes"), r.Table(selfrefer.TableSummary).Rows[1].Figures[0], false)
			for _, row := range r.Table(selfrefer.TableWaits).Rows {
				if name, ok := map[string]string{"within": "kept yes", "late": "kept no"}[row.Code]; ok {
					see(reportKey(m, g.By, g.Value, name), row.Figures[0], false)
				}
			}
		}
	}
	alone, onlyPages, onlyReports, both := p.narrowed(base), p.narrowed(base, pages), p.narrowed(base, reports), p.narrowed(base, pages, reports)
	for i, key := range p.keys {
		what, secret := secrets[key]
		if !secret {
			continue
		}
		n := p.truth[i]
		if u := both[i]; u.low > float64(n) || u.high < float64(n) {
			t.Fatalf("%s is %d, and the attack finds %v: it goes wrong", key, n, u)
		}
		if !suppress.Small(n) {
			continue
		}
		out.small++
		before := map[string]interval{"page": onlyPages[i], "report": {max(onlyReports[i].low, onlyPages[i].low), min(onlyReports[i].high, onlyPages[i].high)}, "rest": alone[i]}[what]
		if u := both[i]; u.low > max(before.low, 1) || u.high < min(before.high, suppress.Least-1) {
			out.leaks = append(out.leaks, fmt.Sprintf("%s is %d: of %v there is left %v", key, n, before, u))
		}
	}
	return out
}

// endPages tells a month what the pages of a campaign tell of it, or that nobody has read them.
func endPages(t *testing.T, f campaign.Funnel, m *selfrefer.MonthFigures, unread bool) campaign.Funnel {
	next, grown, known := f.EndMonth()
	if !known {
		t.Fatal("nobody knows how the month began")
	}
	if m.Pages == nil {
		m.Pages = &selfrefer.Pages{}
	}
	if m.Pages.Unknown = m.Pages.Unknown || unread; !unread {
		addPages(m, grown)
	}
	return next
}

// Whoever reads all pages of the campaigns on all days, and all reports, and knows all totals, can narrow no small number further than the pages
// alone, or the reports alone, narrow it: not those who came so far, or no further, or since the page before; not those of a report and what
// divides them up; and not those of them who are on no page.
func TestNothingSmallFollowsFromReportsBesidePages(t *testing.T) {
	told, small := 0, 0
	for seed := range uint64(40) {
		dice := rand.New(rand.NewPCG(seed, 3))
		campaigns, alone, unread := 1+int(seed/2)%2, int(seed%2)*(1+dice.IntN(40)), -1
		if seed%8 == 7 {
			unread = 1
		}
		o := attackTogether(t, residents(dice, campaigns, alone), campaigns, seed%4 >= 2, unread)
		for _, leak := range o.leaks {
			t.Errorf("seed %d, %d campaigns, %d by themselves: %s", seed, campaigns, alone, leak)
		}
		told, small = told+o.told+o.atLeast, small+o.small
	}
	if told == 0 || small == 0 {
		t.Errorf("%d told, %d small: it tries nothing", told, small)
	}
}

// usefulness is how much reports tell beside the pages of a campaign.
type usefulness struct{ exactly, atLeast, of, reasons, ofReasons int }

// reportedBeside gives a campaign whose texts go out evenly over so many days, and tells what three months' reports tell by practice, age, sex and sector,
// and of what people ask help for by practice.
func reportedBeside(t *testing.T, dice *rand.Rand, people, practices, answers, first, days int, pages bool) (u usefulness) {
	bands := []string{"18-39", "18-39", "40-64", "40-64", "65-79", "80+"}
	var all []resident
	for range people {
		at := first + dice.IntN(days)
		r := resident{Member: campaign.Member{Practice: fmt.Sprintf("N%05d", dice.IntN(practices+3)%practices), AgeBand: bands[dice.IntN(len(bands))], Sex: []string{"male", "female"}[dice.IntN(2)], Language: "en",
			Sector: fmt.Sprintf("L%d %d", 32+dice.IntN(5), 1+dice.IntN(6))}, reached: map[campaign.Stage]int{campaign.ReachedTexted: at}}
		if dice.IntN(30) > 0 {
			r.reached[campaign.ReachedDelivered] = at
			if dice.IntN(people) < 3*answers {
				r.reached[campaign.ReachedOpened] = at
				if dice.IntN(3) == 0 {
					at += dice.IntN(2) * dice.IntN(4)
					r.reached[campaign.ReachedStarted], r.reached[campaign.ReachedSent] = at, at
					if dice.IntN(10) > 0 {
						r.reached[campaign.ReachedContacted] = at + 1 + dice.IntN(3)
					}
				}
			}
		}
		all = append(all, r)
	}
	const daysOfMonth = 30
	var months [attackMonths]selfrefer.MonthFigures
	var f campaign.Funnel
	for day := first; pages && day < attackMonths*daysOfMonth; day++ {
		h := &campaign.Head{}
		for _, r := range all {
			furthest := campaign.ReachedInvited
			for s, at := range r.reached {
				if at <= day {
					furthest = max(furthest, s)
				}
			}
			h.Add(r.Member, furthest)
		}
		if f = f.Next(h, pageDay.AddDate(0, 0, day)); day%daysOfMonth == daysOfMonth-1 {
			f = endPages(t, f, &months[day/daysOfMonth], false)
		}
	}
	for i, r := range all {
		a := selfrefer.Attributes{Practice: r.Practice, Campaign: "1", Age: r.AgeBand, Sex: r.Sex, Language: "English", Sector: r.Sector}
		in := func(s campaign.Stage) *selfrefer.MonthFigures {
			if at := r.by(s); at < attackMonths*daysOfMonth {
				return &months[at/daysOfMonth]
			}
			return &selfrefer.MonthFigures{}
		}
		in(campaign.ReachedTexted).Texted(a, 1, 240)
		in(campaign.ReachedSent).Received(a, selfrefer.ByLink, i%20 == 0, 1)
		in(campaign.ReachedSent).Asked(a, []string{"money", "lonely"}[i%2], 1)
		in(campaign.ReachedContacted).Contacted(a, "2026-01-05", 0, i%6 > 0)
	}
	counted := map[string]string{"referrals": "received", "texts": "texted", "first_contacts": "contacted"}
	for m, figures := range months {
		month := selfrefer.Month("2026-01").Add(m)
		basis := selfrefer.ReportBasis{Months: []selfrefer.MonthFigures{figures}}
		r, err := selfrefer.NewReport(selfrefer.ReportQuery{From: month, To: month}, basis)
		if err != nil {
			t.Fatal(err)
		}
		for by, code := range map[string]string{selfrefer.ByPractice: selfrefer.TablePractices, selfrefer.ByAge: selfrefer.TableAges, selfrefer.BySex: selfrefer.TableSexes, selfrefer.BySector: selfrefer.TableSectors} {
			table := r.Table(code)
			for i, head := range table.Heads {
				what, counts := counted[head.Code]
				for v, cut := range figures.By[by] {
					if !counts || cut.People[what]["all"] == 0 {
						continue
					}
					u.of++
					j := slices.IndexFunc(table.Rows, func(row selfrefer.ReportRow) bool { return row.Code == v })
					switch {
					case j >= 0 && table.Rows[j].Figures[i].Exact():
						u.exactly++
					case j >= 0 && table.Rows[j].Figures[i].AtLeast:
						u.atLeast++
					}
				}
			}
		}
		for v, cut := range figures.By[selfrefer.ByPractice] {
			u.ofReasons += len(cut.People["reason"])
			narrow, err := selfrefer.NewReport(selfrefer.ReportQuery{From: month, To: month, By: selfrefer.ByPractice, Value: v}, basis)
			if err != nil {
				continue // too few
			}
			for _, row := range narrow.Table(selfrefer.TableReasons).Rows {
				if row.Figures[0].Exact() {
					u.reasons++
				}
			}
		}
	}
	return u
}

// What the reports must not tell beside the pages leaves them useful: most numbers are told as before, and nearly all others as so many or more.
func TestReportsBesidePagesTellEnough(t *testing.T) {
	for _, shape := range []struct {
		name                                    string
		people, practices, answers, first, days int
		exactly, told, reasons                  int // at least so many in 100 of what is told without looking at pages
	}{{"a network of ten practices, in one month", 5200, 10, 300, 2, 20, 70, 95, 90}, {"the same, in two months", 5200, 10, 300, 10, 40, 65, 92, 85}, {"many answers", 5200, 10, 1500, 10, 40, 72, 95, 90},
		{"a small network", 1000, 3, 60, 2, 20, 70, 90, 75}} {
		var before, after usefulness
		for seed := range uint64(2) {
			for _, pages := range []bool{false, true} {
				u, sum := reportedBeside(t, rand.New(rand.NewPCG(seed, 5)), shape.people, shape.practices, shape.answers, shape.first, shape.days, pages), &before
				if pages {
					sum = &after
				}
				*sum = usefulness{sum.exactly + u.exactly, sum.atLeast + u.atLeast, sum.of + u.of, sum.reasons + u.reasons, sum.ofReasons + u.ofReasons}
			}
		}
		t.Logf("%s: %+v without pages, %+v beside them", shape.name, before, after)
		if got := 100 * after.exactly / before.exactly; got < shape.exactly {
			t.Errorf("%s: %d in 100 are told exactly", shape.name, got)
		}
		if got := 100 * (after.exactly + after.atLeast) / before.exactly; got < shape.told {
			t.Errorf("%s: %d in 100 are told", shape.name, got)
		}
		if got := 100 * after.reasons / before.reasons; got < shape.reasons {
			t.Errorf("%s: %d in 100 reasons by practice are told", shape.name, got)
		}
	}
}
