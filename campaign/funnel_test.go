package campaign

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign/suppress"
)

var funnelDay = time.Date(2026, 6, 3, 23, 0, 0, 0, time.UTC)

// street is a head count of people of two practices and three age bands.
func street(of func(practice, age int) (n int, furthest Stage)) *Head {
	h := &Head{}
	for p := range 2 {
		for a, band := range []string{"18-39", "40-64", "80+"} {
			n, furthest := of(p, a)
			for range n {
				h.Add(Member{Practice: fmt.Sprintf("N8300%d", p+1), AgeBand: band, Sex: "female", Language: "en", Sector: "L32 8"}, furthest)
			}
		}
	}
	return h
}

func groupOf(t *testing.T, f Funnel, by Grouping, name string) Group {
	t.Helper()
	i := slices.IndexFunc(f.Groups[by], func(g Group) bool { return g.Name == name })
	if i < 0 {
		t.Fatalf("there is no group %q by %s: %v", name, by, f.Groups[by])
	}
	return f.Groups[by][i]
}

func TestAFunnelCountsEachPersonInAllStagesUpToTheirs(t *testing.T) {
	f := Funnel{}.Next(street(func(p, a int) (int, Stage) { return 10 * (p + a + 1), Stage(p + a) }), funnelDay)
	if f.All != (Reached{150, 140, 100, 40}) { // 10 invited; 20 and 20 texted; 30 and 30 delivered; 40 opened
		t.Errorf("all are %v", f.All)
	}
	if g := groupOf(t, f, ByPractice, "N83002"); g.N != (Reached{90, 90, 70, 40}) {
		t.Errorf("the second practice has %v", g.N)
	}
	if g := groupOf(t, f, ByDistrict, "L32"); g.N != f.All {
		t.Errorf("L32 has %v", g.N)
	}
	if len(f.Groups[ByDeprivation]) > 0 {
		t.Error("districts and deciles are shown beside each other")
	}
}

// Numbers of groups that may not be shown cannot be had from a group either.
func TestAFunnelHidesSmallNumbers(t *testing.T) {
	f := Funnel{}.Next(street(func(p, a int) (int, Stage) {
		if p == 1 && a == 2 {
			return 3, ReachedDelivered // few people in all
		}
		return 100, ReachedDelivered
	}), funnelDay)
	for _, s := range []Stage{ReachedInvited, ReachedDelivered} {
		if n, _, known := groupOf(t, f, ByAge, "80+").Number(s); !known || n != 103 {
			t.Errorf("stage %v of 80+ shows %d, %v", s, n, known)
		}
	}
	few := Funnel{}.Next(street(func(p, a int) (int, Stage) {
		if a == 2 {
			return 1 + p, ReachedDelivered
		}
		return 100, ReachedDelivered
	}), funnelDay)
	if n, _, known := groupOf(t, few, ByAge, "80+").Number(ReachedInvited); known {
		t.Errorf("3 people are shown as %d", n)
	}
	if r := groupOf(t, few, ByAge, "80+").RateOf(ReachedSent); r.Known {
		t.Errorf("they have a rate: %v", r)
	}
	hidden := 0
	for _, g := range few.Groups[ByAge] {
		if g.Hidden[ReachedInvited] {
			hidden++
		}
	}
	if hidden < 2 {
		t.Error("the few can be had from the total")
	}
}

// From day to day a number stays as it was until it has grown by 5.
func TestAFunnelGrowsInSteps(t *testing.T) {
	day := func(answers int) *Head {
		h := street(func(p, a int) (int, Stage) { return 200, ReachedDelivered })
		for range answers {
			h.Add(Member{Practice: "N83001", AgeBand: "18-39", Sex: "male", Language: "en", Sector: "L32 8"}, ReachedSent)
		}
		for range 40 {
			h.Add(Member{Practice: "N83002", AgeBand: "18-39", Sex: "male", Language: "en", Sector: "L32 8"}, ReachedSent)
		}
		return h
	}
	f := Funnel{}.Next(day(30), funnelDay)
	for i, want := range []string{"30 true", "30 false", "30 false", "37 true"} {
		answers := []int{30, 32, 34, 37}[i]
		if i > 0 {
			f = f.Next(day(answers), funnelDay.AddDate(0, 0, i))
		}
		n, exact, known := groupOf(t, f, ByPractice, "N83001").Number(ReachedSent)
		if got := fmt.Sprint(n, exact); !known || got != want {
			t.Errorf("with %d answers the page shows %s, want %s", answers, got, want)
		}
	}
}

// Whatever happens from day to day: no two numbers that are shown of a group differ by 1 to 4, none is 1 to 4, and none but 0 is shown that is.
func TestAFunnelShowsNoFewPeopleOnAnyDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := map[string]int{}
		var f Funnel
		shown := map[string][]int{}
		for day := range 4 {
			h := &Head{}
			for _, band := range []string{"18-39", "40-64", "65-79", "80+"} {
				for s := ReachedInvited; s < stages; s++ {
					key := band + s.String()
					if day == 0 {
						counts[key] = rapid.SampledFrom([]int{0, 1, 2, 6, 20, 100}).Draw(t, "count")
					} else {
						counts[key] += rapid.SampledFrom([]int{0, 0, 1, 3, 9}).Draw(t, "more")
					}
					for range counts[key] {
						h.Add(Member{AgeBand: band}, s)
					}
				}
			}
			f = f.Next(h, funnelDay.AddDate(0, 0, day))
			for _, g := range f.Groups[ByAge] {
				for s := ReachedInvited; s < stages; s++ {
					n, _, known := g.Number(s)
					if !known {
						continue
					}
					key := g.Name + s.String()
					for _, before := range append(shown[key], 0) {
						if d := n - before; suppress.Small(d) || suppress.Small(-d) {
							t.Fatalf("day %d: %s of %s is %d after %d", day, s, g.Name, n, before)
						}
					}
					shown[key] = append(shown[key], n)
				}
			}
		}
	})
}

// Of very many groups the smallest stand together, and stay together.
func TestTheSmallestOfManyGroupsStandTogether(t *testing.T) {
	count := func(more int) *Head {
		h := &Head{}
		for d := range 60 {
			for range 10 + d*(1+more*(60-d)) {
				h.Add(Member{Sector: fmt.Sprintf("L%d 1", d+1)}, ReachedDelivered)
			}
		}
		return h
	}
	f := Funnel{}.Next(count(0), funnelDay)
	first := f.Groups[ByDistrict]
	if len(first) != mostGroups || first[len(first)-1].Name != OtherGroups {
		t.Fatalf("%d groups, the last %q", len(first), first[len(first)-1].Name)
	}
	if first[0].Name == "L1" {
		t.Error("the smallest stands on its own")
	}
	f = f.Next(count(1), funnelDay.AddDate(0, 0, 1))
	for i, g := range f.Groups[ByDistrict] {
		if g.Name != first[i].Name {
			t.Fatalf("group %d was %q and is %q", i, first[i].Name, g.Name)
		}
	}
}

func TestWhoAnswersLessIsNamedOnlyIfItIsNotChance(t *testing.T) {
	of := func(old, young Rate) Funnel {
		h := &Head{}
		for band, r := range map[string]Rate{"80+": old, "18-39": young} {
			for i := range r.Of {
				furthest := ReachedDelivered
				if i < r.Did {
					furthest = ReachedSent
				}
				h.Add(Member{AgeBand: band}, furthest)
			}
		}
		return Funnel{}.Next(h, funnelDay)
	}
	f := of(Rate{Of: 2000, Did: 40}, Rate{Of: 4000, Did: 160})
	got := f.LeastHeard()
	if len(got) != 1 || got[0].By != ByAge || got[0].Name != "80+" || got[0].Group.Did != 40 || got[0].Others != (Rate{4000, 160, true, true}) {
		t.Errorf("2 in 100 of 2,000 against 4 in 100 of 4,000: %v", got)
	}
	for name, f := range map[string]Funnel{
		"the same rate":        of(Rate{Of: 2000, Did: 80}, Rate{Of: 4000, Did: 160}),
		"chance":               of(Rate{Of: 300, Did: 6}, Rate{Of: 400, Did: 16}),
		"certain, but small":   of(Rate{Of: 400_000, Did: 14_400}, Rate{Of: 400_000, Did: 16_000}),
		"too few to be shown":  of(Rate{Of: 2000, Did: 3}, Rate{Of: 4000, Did: 160}),
		"nobody has had texts": {},
	} {
		if got := f.LeastHeard(); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := of(Rate{Of: 2000, Did: 0}, Rate{Of: 4000, Did: 160}).LeastHeard(); len(got) != 1 {
		t.Errorf("nobody of 2,000 against 160 of 4,000: %v", got)
	}
}

// Every prefix holds all who answered less before anybody who answered more; who answered equally stands mixed, as the first step had them.
func TestLeastFirst_EveryPrefixIsAsPromised(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := make([]Asked, rapid.IntRange(1, 8).Draw(t, "groups"))
		sizes := make([]int, len(groups))
		for i := range groups {
			groups[i].Texts = rapid.SampledFrom([]int{0, 10, 100, 100, 1000}).Draw(t, "texts")
			groups[i].Answers = min(groups[i].Texts, rapid.SampledFrom([]int{0, 1, 4, 4, 50}).Draw(t, "answers"))
			sizes[i] = groups[i].Texts - groups[i].Answers
		}
		turns := LeastFirst(groups)
		if !reflect.DeepEqual(turns, LeastFirst(slices.Clone(groups))) {
			t.Fatal("the same answers give another order")
		}
		texts, answers := 0, 0
		for _, g := range groups {
			texts, answers = texts+g.Texts, answers+g.Answers
		}
		rate := func(g Asked) float64 {
			return (float64(g.Answers) + alike*float64(answers)/max(float64(texts), 1)) / (float64(g.Texts) + alike)
		}
		type member struct {
			group        int
			first, place int64
		}
		var all []member
		for g, places := range Order(rapid.Uint64().Draw(t, "seed"), sizes) {
			for _, p := range places {
				all = append(all, member{g, p, turns[g].Place(p)})
			}
		}
		slices.SortFunc(all, func(a, b member) int { return int(a.place - b.place) })
		together := map[Turn]int{}
		for g, n := range sizes {
			together[turns[g]] += n
		}
		seen, inTurn := make([]int, len(groups)), map[Turn]int{}
		for i, m := range all {
			if m.place < 0 || m.place >= whole {
				t.Fatalf("a place outside the way: %d", m.place)
			}
			if i > 0 {
				before := all[i-1]
				if a, b := rate(groups[before.group]), rate(groups[m.group]); a > b {
					t.Fatalf("somebody of %v comes before somebody of %v", groups[before.group], groups[m.group])
				}
				if turns[before.group] == turns[m.group] && before.first > m.first {
					t.Fatal("within a turn the order of the first step is lost")
				}
			}
			seen[m.group]++
			inTurn[turns[m.group]]++
			for g, n := range sizes {
				if turns[g] != turns[m.group] || n == 0 {
					continue
				}
				want := float64(n) * float64(inTurn[turns[g]]) / float64(together[turns[g]])
				if d := float64(seen[g]) - want; d > float64(len(groups)) || d < -float64(len(groups)) {
					t.Fatalf("of a group of %d that shares its turn %d stand among the first %d", n, seen[g], inTurn[turns[g]])
				}
			}
		}
	})
}

// A handful without an answer is not called the least heard.
func TestLeastFirst_AHandfulIsNotCalledLeast(t *testing.T) {
	turns := LeastFirst([]Asked{{5, 0}, {2000, 20}, {2000, 100}})
	if !(turns[1].From < turns[0].From && turns[0].From < turns[2].From) {
		t.Errorf("the turns are %v", turns)
	}
}

func TestReadDeprivation(t *testing.T) {
	d, err := ReadDeprivation(strings.NewReader("\ufeffpcds,lsoa21cd,IMD Decile\n" +
		"L32 8RE,E01006420,1\nL32 8QA,E01006420,1\nl328xx,E01006421,3\nL32 9AA,E01006422,4\nL32 9AB,E01006423,2\nL33 1AA,E01,11\nL33,E01,1\n,,\nshort\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"L32 8": 1, "L32 9": 2}; !reflect.DeepEqual(d.Sectors, want) {
		t.Errorf("the sectors are %v, not %v", d.Sectors, want)
	}
	if d.Rows != 9 || d.Used != 5 || d.Undecided != 1 || !reflect.DeepEqual(d.Rejected, map[string]int{DecileNotOne: 1, DecileNoPlace: 2, DecileUnreadable: 1}) {
		t.Errorf("the rows are %+v", d)
	}
	d, err = ReadDeprivation(strings.NewReader("l32 8,10\nL3 2,7\n"))
	if err != nil || !reflect.DeepEqual(d.Sectors, map[string]int{"L32 8": 10, "L3 2": 7}) || d.Rows != 2 {
		t.Errorf("without a heading: %+v, %v", d, err)
	}
	if d.Decile("L3 2") != "7" || d.Decile("L9 9") != "" {
		t.Errorf("deciles %q and %q", d.Decile("L3 2"), d.Decile("L9 9"))
	}
	if _, err := ReadDeprivation(strings.NewReader("name,town\nAnn,Kirkby\n")); err == nil {
		t.Error("a file without deciles is taken")
	}
}
