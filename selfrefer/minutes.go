package selfrefer

import (
	"slices"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// CallTime is when somebody took a referral in hand and when they had spoken to the person for the first time. It names no patient.
type CallTime struct {
	By            staff.AccountID
	Taken, Spoken time.Time
}

const (
	// LearnDays is how far back first contacts are looked at: eight weeks.
	LearnDays = 56
	// longestCall is where a first contact says nothing any more of how long one takes: somebody had taken the referral and left it.
	longestCall = 14 * 24 * time.Hour
	// declaredWeighs is for how many first contacts what somebody has declared counts.
	declaredWeighs = 8
)

// Minutes is how long a first contact takes, as far as what happened tells.
type Minutes struct {
	Minutes  float64 // what to reckon with: the median, drawn towards what is declared while there are few
	Median   float64
	Contacts int // it rests on so many
	People   int // who made them
}

// LearnMinutes learns from a team's first contacts, for each worker of the roster by id and for all of them together. A first contact begins
// when the referral was taken, or when the same person had spoken to somebody before, if that is later: whoever claims five in the morning
// calls them one after the other. Only time in which they were at work counts, and a contact outside of it says nothing. The median does not
// care for the one that took all day. It is pure.
func LearnMinutes(c throttle.Calendar, roster []throttle.Worker, calls []CallTime) (each map[string]Minutes, team Minutes) {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b CallTime) int { return a.Spoken.Compare(b.Spoken) })
	before := map[staff.AccountID]time.Time{}
	took := map[string][]float64{}
	for _, x := range calls {
		from := x.Taken
		if last := before[x.By]; last.After(from) {
			from = last
		}
		before[x.By] = x.Spoken
		if x.Spoken.Sub(from) > longestCall {
			continue
		}
		id := strconv.FormatInt(int64(x.By), 10)
		i := slices.IndexFunc(roster, func(w throttle.Worker) bool { return w.ID == id })
		if i < 0 {
			continue
		}
		if m := throttle.AtWork(c, roster[i], from, x.Spoken).Minutes(); m > 0 {
			took[id] = append(took[id], m)
		}
	}
	each = map[string]Minutes{}
	var all []float64
	declared, share := 0.0, 0.0
	for _, w := range roster {
		if w.FirstContact > 0 {
			declared, share = declared+w.FirstContact*w.Minutes, share+w.FirstContact
		}
		if n := len(took[w.ID]); n > 0 {
			each[w.ID] = learned(w.Minutes, took[w.ID])
			all = append(all, took[w.ID]...)
			team.People++
		}
	}
	if len(all) == 0 {
		return each, Minutes{}
	}
	if share == 0 { // whoever calls has no time for it: then what happened is all there is
		declared, share = median(all), 1
	}
	people := team.People
	team = learned(declared/share, all)
	team.People = people
	return each, team
}

func learned(declared float64, took []float64) Minutes {
	m := Minutes{Median: median(took), Contacts: len(took), People: 1}
	n := float64(len(took))
	m.Minutes = (declaredWeighs*declared + n*m.Median) / (declaredWeighs + n)
	return m
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}
