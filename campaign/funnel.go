package campaign

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/suppress"
)

// Stage is how far an invited person has come.
type Stage int

// The stages, each beyond the one before: who answers by a text or a call has come past the form.
const (
	ReachedInvited   Stage = iota // in the campaign
	ReachedTexted                 // a text to them has left
	ReachedDelivered              // the phone has it, as far as we know
	ReachedOpened                 // the link was fetched: by them, or by what their phone looks ahead with
	ReachedStarted                // they pressed Start
	ReachedSent                   // they asked for help
	ReachedContacted              // a link worker has spoken with them
	ReachedSupported              // they are supported, or were passed on to who can
	stages
)

var stageCodes = [stages]string{"invited", "texted", "delivered", "opened", "started", "sent", "contacted", "supported"}

// String is the stage's name for programs.
func (s Stage) String() string { return stageCodes[s] }

// Stages lists them in their order.
func Stages() []Stage {
	all := make([]Stage, stages)
	for i := range all {
		all[i] = Stage(i)
	}
	return all
}

// Reached counts people by how far they have come at least.
type Reached [stages]int

// Grouping is by what people are told apart.
type Grouping string

// The groupings.
const (
	ByPractice    Grouping = "practice"
	ByAge         Grouping = "age"
	BySex         Grouping = "sex"
	ByLanguage    Grouping = "language"
	ByDistrict    Grouping = "district"
	ByDeprivation Grouping = "deprivation"
)

// Groupings lists them as they are shown.
var Groupings = []Grouping{ByPractice, ByAge, BySex, ByLanguage, ByDistrict, ByDeprivation}

const (
	// OtherGroups is the group of all who belong to none of the largest.
	OtherGroups = "*"
	// mostGroups is how many groups of a grouping are told apart.
	mostGroups = 30
)

// Member is what a person is grouped by.
type Member struct {
	Practice, AgeBand, Sex, Language string
	Sector                           string // of their postcode
	Decile                           string // of deprivation; "" if it is not known
}

// Head counts the people of a campaign by group. The zero value is ready.
type Head struct {
	all Reached
	by  map[Grouping]map[string]*Reached
	// Deprived counts by deprivation instead of by postcode district. A campaign has one of the two for good: what is known of two maps of the
	// same streets, one taken from the other, singles out a few houses.
	Deprived bool
}

// Add counts people who came so far and no further.
func (h *Head) Add(m Member, furthest Stage) {
	if h.by == nil {
		h.by = map[Grouping]map[string]*Reached{}
	}
	district, _, _ := strings.Cut(m.Sector, " ")
	where, place := ByDistrict, district
	if h.Deprived {
		where, place = ByDeprivation, m.Decile
	}
	for _, g := range [...]struct {
		by   Grouping
		name string
	}{{ByPractice, m.Practice}, {ByAge, m.AgeBand}, {BySex, m.Sex}, {ByLanguage, m.Language}, {where, place}} {
		groups := h.by[g.by]
		if groups == nil {
			groups = map[string]*Reached{}
			h.by[g.by] = groups
		}
		n := groups[g.name]
		if n == nil {
			n = &Reached{}
			groups[g.name] = n
		}
		for s := range furthest + 1 {
			n[s]++
		}
	}
	for s := range furthest + 1 {
		h.all[s]++
	}
}

// Group is one group's numbers, with what of them may be shown.
type Group struct {
	Name   string       `json:"name"` // a code; "" if it is not known
	N      Reached      `json:"n"`    // for the store alone
	Hidden [stages]bool `json:"hidden"`
	Shown  Reached      `json:"shown"` // what was last shown of each number; 0 before it was
	Month  SinceMonth   `json:"month"`
}

// Number is what may be shown of a group's number: exactly, or that it is at least so many, or nothing.
func (g Group) Number(s Stage) (n int, exact, known bool) {
	if !g.Hidden[s] {
		return g.N[s], true, true
	}
	return g.Shown[s], false, g.Shown[s] > 0
}

// Funnel is how far the people of a campaign have come, up to the end of a day.
type Funnel struct {
	CountedTo time.Time            `json:"counted_to"`
	Deprived  bool                 `json:"deprived"` // grouped by deprivation instead of by district
	All       Reached              `json:"all"`
	Groups    map[Grouping][]Group `json:"groups"`
	Begun     bool                 `json:"begun"` // what is kept of the month's beginning is right: it is not in a funnel that is older than that
}

// Next is the funnel of a later day. Numbers of all people are shown as they are: whoever sees a campaign sees them elsewhere too. Of the
// groups, no number from 1 to 4 can be worked out: not from one table, not from all of them beside the totals, and not from yesterday's page
// beside today's. Therefore they are counted to the end of a day and no later, and a number that has grown by fewer than 5 since it was last
// shown stays as it was.
func (f Funnel) Next(h *Head, to time.Time) Funnel {
	next := Funnel{CountedTo: to, Deprived: h.Deprived, All: h.all, Groups: map[Grouping][]Group{}, Begun: f.Begun || f.CountedTo.IsZero()}
	var tables []*table
	for _, by := range Groupings {
		if counted := h.by[by]; counted != nil {
			known := map[string]Group{}
			for _, g := range f.Groups[by] {
				known[g.Name] = g
			}
			next.Groups[by] = largest(counted, known)
			tables = append(tables, newTable(next.Groups[by], known))
		}
	}
	hide(tables)
	for _, groups := range next.Groups {
		for i := range groups {
			g := &groups[i]
			for s, no := range g.Hidden {
				if !no {
					g.Shown[s] = g.N[s]
				}
			}
			g.Month.shows(*g)
		}
	}
	return next
}

// table is the groups of one grouping, and what is known of them from before.
type table struct {
	groups                []Group
	counts, shown, before [][]int
	guarded               [][]bool // hidden where the same people stand in another table
}

func newTable(groups []Group, known map[string]Group) *table {
	t := &table{groups: groups}
	for _, g := range groups {
		t.counts = append(t.counts, slices.Clone(g.N[:]))
		t.guarded = append(t.guarded, make([]bool, stages))
		if len(known) > 0 {
			n := known[g.Name].N
			t.shown, t.before = append(t.shown, slices.Clone(g.Shown[:])), append(t.before, slices.Clone(n[:]))
		}
	}
	return t
}

// hide hides what may not be shown. Where two groups are the same people, as the only patients of a practice who read Polish, what one table hides
// of them the other hides too, and keeps from being worked out.
func hide(tables []*table) {
	due := slices.Clone(tables)
	for len(due) > 0 {
		for _, t := range due {
			for g, hidden := range suppress.NestedBeside(t.counts, t.shown, t.before, t.guarded) {
				copy(t.groups[g].Hidden[:], hidden)
			}
		}
		due = nil
		for i, t := range tables {
			more := false
			for j, other := range tables {
				if i != j {
					more = t.guard(other) || more
				}
			}
			if more {
				due = append(due, t)
			}
		}
	}
}

// guard has a table hide what another hides of the same people, and reports whether that is more than it hid before. The same numbers at every
// stage are taken for the same people. A group of everybody stands beside totals that are never hidden.
func (t *table) guard(other *table) (more bool) {
	if len(t.groups) == 1 || len(other.groups) == 1 {
		return false
	}
	for i, g := range t.groups {
		for _, o := range other.groups {
			if g.N != o.N {
				continue
			}
			for s, hidden := range o.Hidden {
				if hidden && !t.guarded[i][s] {
					t.guarded[i][s], more = true, true
				}
			}
		}
	}
	return more
}

// largest sorts groups by name and puts the smallest of too many together. Groups that were told apart before still are, so that none can be
// taken from the rest.
func largest(counted map[string]*Reached, known map[string]Group) (groups []Group) {
	names := slices.SortedFunc(maps.Keys(counted), func(a, b string) int {
		return cmp.Or(cmp.Compare(counted[b][ReachedInvited], counted[a][ReachedInvited]), strings.Compare(a, b))
	})
	apart := map[string]bool{}
	for name := range known {
		apart[name] = true
	}
	for _, name := range names {
		if _, was := known[name]; was || len(known) == 0 && (len(names) <= mostGroups || len(apart) < mostGroups-1) {
			apart[name] = true
		}
	}
	at := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(apart)) {
		if name != OtherGroups {
			at[name] = len(groups)
			groups = append(groups, again(known, name))
		}
	}
	if len(names) > len(groups) || apart[OtherGroups] {
		at[OtherGroups] = len(groups)
		groups = append(groups, again(known, OtherGroups))
	}
	for name, n := range counted {
		i, ok := at[name]
		if !ok {
			i = at[OtherGroups]
		}
		for s, k := range n {
			groups[i].N[s] += k
		}
	}
	return groups
}

// again is a group before it is counted again.
func again(known map[string]Group, name string) Group {
	g, was := known[name]
	if !was { // of whom nobody knew was nobody there
		g.Month.Told = everyStage
	}
	return Group{Name: name, Shown: g.Shown, Month: g.Month}
}

// Rate is how many of those who had a text did something, as far as it is shown.
type Rate struct {
	Of, Did int
	Exact   bool
	Known   bool
}

// RateOf is how many of a group who had a text came to a stage. A number that is not shown now counts as it was last shown, and where it
// never was, there is no rate.
func (g Group) RateOf(s Stage) Rate {
	of, exactOf, knownOf := g.Number(ReachedDelivered)
	did, exact, known := g.Number(s)
	return Rate{of, did, exactOf && exact, knownOf && known && of > 0}
}

// Behind is a group that answers less often than the others, more so than by chance.
type Behind struct {
	By     Grouping
	Name   string
	Group  Rate
	Others Rate
}

// surely is how many standard errors a difference must be away from none: so many groups are compared that one in twenty would be named by
// chance. This is 99 in 100.
const surely = 2.576

// notably is how much less often a group must answer to be worth a sentence: a difference that is certain may still be small.
const notably = .8

// LeastHeard names the groups that answer less often than all others together, the largest difference first. Chance is ruled out by Newcombe's
// interval for the difference of two shares, made of two Wilson intervals, which holds for small groups and for few answers too. It knows only
// what is shown.
func (f Funnel) LeastHeard() (all []Behind) {
	for _, by := range Groupings {
		for _, g := range f.Groups[by] {
			r := g.RateOf(ReachedSent)
			if !r.Known || g.Name == "" || g.Name == OtherGroups {
				continue
			}
			others := Rate{Of: f.All[ReachedDelivered] - r.Of, Did: f.All[ReachedSent] - r.Did, Exact: r.Exact, Known: true}
			if others.Of <= 0 || others.Did < 0 || others.Did > others.Of || r.Did > r.Of {
				continue
			}
			if r.share() <= notably*others.share() && differs(r, others) {
				all = append(all, Behind{by, g.Name, r, others})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Behind) int {
		return cmp.Compare(a.Group.share()/a.Others.share(), b.Group.share()/b.Others.share())
	})
	return all
}

func (r Rate) share() float64 { return float64(r.Did) / float64(r.Of) }

// wilson is the interval in which the true share lies.
func (r Rate) wilson() (low, high float64) {
	n, p := float64(r.Of), r.share()
	middle := (p + surely*surely/(2*n)) / (1 + surely*surely/n)
	half := surely / (1 + surely*surely/n) * math.Sqrt(p*(1-p)/n+surely*surely/(4*n*n))
	return middle - half, middle + half
}

// differs reports whether the lesser share is lesser by more than chance.
func differs(lesser, greater Rate) bool {
	_, high := lesser.wilson()
	low, _ := greater.wilson()
	p, q := lesser.share(), greater.share()
	return q-p > math.Hypot(q-low, high-p)
}

// Trouble is how many texts of a campaign did not arrive, by the provider's code.
type Trouble struct {
	Code  string
	Texts int
}
