package campaign

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wellpaced/wellpaced/campaign/suppress"
)

// between is what an attacker knows of a number.
type between struct{ low, high float64 }

// sumOf says that some numbers add up to another.
type sumOf struct {
	sum   string
	parts []string
}

// narrow uses every sum until nothing narrows any more.
func narrow(known map[string]between, sums []sumOf) {
	at := func(k string) between {
		if u, ok := known[k]; ok {
			return u
		}
		return between{0, math.Inf(1)}
	}
	for changed := true; changed; {
		changed = false
		set := func(k string, low, high float64) {
			u := at(k)
			if n := (between{max(u.low, low), min(u.high, high)}); n != u {
				known[k], changed = n, true
			}
		}
		for _, e := range sums {
			low, high := 0.0, 0.0
			for _, p := range e.parts {
				low, high = low+at(p).low, high+at(p).high
			}
			set(e.sum, low, high)
			for _, p := range e.parts {
				u, othersLow, othersHigh := at(p), 0.0, 0.0
				for _, o := range e.parts {
					if o != p {
						othersLow, othersHigh = othersLow+at(o).low, othersHigh+at(o).high
					}
				}
				least := 0.0
				if !math.IsInf(othersHigh, 1) {
					least = at(e.sum).low - othersHigh
				}
				set(p, max(u.low, least), at(e.sum).high-othersLow)
			}
		}
	}
}

// Whoever has made the list, and reads all that is told of one campaign on every day (the funnel and who answers, by all groupings at once, the
// totals of the campaign's page, how many of each practice and of each group of the list are invited), can work out no number of people from 1 to
// 4: neither how many of a group came so far, nor how many came no further; also not where groups of two kinds are the same people. What the totals alone tell, beside earlier days, is not hidden: where
// all other groups have been texted to the last, whoever has not is of the one that is left.
func TestNothingSmallFollowsFromAllPagesOfACampaign(t *testing.T) {
	for seed := range uint64(60) {
		dice := rand.New(rand.NewPCG(seed, 7))
		pick := func(from ...string) string { return from[dice.IntN(len(from))] }
		type patient struct {
			Member
			furthest Stage
		}
		var people []patient
		same := map[string]string{} // groups that are the same people
		for range 30 + dice.IntN(400) {
			sector := pick("L32 8", "L32 8", "L33 1", "L33 1", "L34 2", "L36 9")
			p := patient{Member{Practice: pick("A", "A", "A", "A", "B", "B", "C"), AgeBand: pick("18-39", "40-64", "40-64", "65-79", "80+"), Sex: pick("female", "female", "male", ""), Language: pick("en", "en", "en", "en", "en", "pl", "cy", ""),
				Sector: sector, Decile: map[string]string{"L32 8": "1", "L33 1": "2", "L34 2": "2", "L36 9": "9"}[sector]}, ReachedInvited}
			switch seed % 4 {
			case 1: // all of B, and nobody else, read Welsh
				same["practice B"] = "language cy"
				if p.Practice == "B" {
					p.Language = "cy"
				} else if p.Language == "cy" {
					p.Language = "en"
				}
			case 2: // both practices have a language of their own, and the oldest one too
				same["practice B"], same["practice C"], same["age 80+"] = "language cy", "language pl", "sex "
				p.Language = map[string]string{"A": pick("en", ""), "B": "cy", "C": "pl"}[p.Practice]
				if p.Sex = pick("female", "female", "male"); p.AgeBand == "80+" {
					p.Sex = ""
				}
			}
			people = append(people, p)
		}
		var f Funnel
		small, told := 0, 0
		before := map[string]float64{} // what was last told of a number: nobody forgets it
		for day := range 4 {
			h := &Head{Deprived: seed%2 == 0}
			for i := range people {
				for people[i].furthest < ReachedSupported && dice.IntN(3) > 0 {
					people[i].furthest++
				}
				h.Add(people[i].Member, people[i].furthest)
			}
			f = f.Next(h, funnelDay.AddDate(0, 0, day))
			if len(f.Groups[ByDistrict]) > 0 && len(f.Groups[ByDeprivation]) > 0 {
				t.Fatalf("seed %d: two maps of the same streets", seed)
			}
			truth, without, with := map[string]int{}, map[string]between{}, map[string]between{}
			know := func(k string, n int, everybody bool) {
				with[k] = between{float64(n), float64(n)}
				if everybody {
					without[k] = with[k]
				}
			}
			var sums []sumOf
			for s := range stages {
				know("all "+s.String(), f.All[s], true)
			}
			for by, groups := range f.Groups {
				for s := range stages {
					all := sumOf{sum: "all " + s.String()}
					for _, g := range groups {
						key := fmt.Sprint(by, " ", g.Name, " ", s)
						all.parts = append(all.parts, key)
						truth[key] = g.N[s]
						without[key] = between{before[key], math.Inf(1)}
						if n, exact, known := g.Number(s); exact {
							know(key, n, false)
							told++
							before[key] = float64(n)
						} else if known {
							with[key] = between{float64(n), math.Inf(1)}
						}
						if s == ReachedInvited {
							know(key, g.N[s], true) // the list's own pages tell it
							continue
						}
						stopped := fmt.Sprint(key, " not")
						sums = append(sums, sumOf{fmt.Sprint(by, " ", g.Name, " ", s-1), []string{key, stopped}})
						truth[stopped] = g.N[s-1] - g.N[s]
					}
					sums = append(sums, all)
				}
				for s := ReachedTexted; s < stages; s++ {
					of := sumOf{sum: "all not " + s.String()}
					know(of.sum, f.All[s-1]-f.All[s], true)
					for _, g := range groups {
						of.parts = append(of.parts, fmt.Sprint(by, " ", g.Name, " ", s, " not"))
					}
					sums = append(sums, of)
				}
			}
			for one, other := range same {
				for s := range stages {
					sums = append(sums, sumOf{fmt.Sprint(one, " ", s), []string{fmt.Sprint(other, " ", s)}})
				}
			}
			narrow(without, sums)
			narrow(with, sums)
			for key, n := range truth {
				if _, invited := without[key]; invited && without[key].low == without[key].high {
					continue // the list or the totals alone say it
				}
				if u := with[key]; u.low > float64(n) || u.high < float64(n) {
					t.Fatalf("seed %d, day %d: %s is %d, and the attack finds %v: it goes wrong", seed, day, key, n, u)
				}
				if !suppress.Small(n) {
					continue
				}
				small++
				u, now := without[key], with[key]
				if now.low > max(u.low, 1) || now.high < min(u.high, suppress.Least-1) {
					t.Fatalf("seed %d, day %d: %s is %d; without today's pages it is %v, with them %v", seed, day, key, n, u, now)
				}
			}
		}
		if small == 0 || told == 0 {
			t.Fatalf("seed %d: %d small numbers, %d told: it tries nothing", seed, small, told)
		}
	}
}
