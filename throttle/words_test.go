package throttle

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestNumbersForPeople(t *testing.T) {
	for want, got := range map[string]string{
		"0": number(0), "999": number(999), "1,000": number(1000), "1,234,567": number(1234567), "-1,000": number(-1000), "-100": number(-100),
		"1 text": count(1, "text"), "2,000 texts": count(2000, "text"),
		"0.66\u00a0%": percent(.0066), "1.5\u00a0%": percent(.015), "3\u00a0%": percent(.03), "20\u00a0%": percent(.2), "less than 0.01\u00a0%": percent(1e-7),
		"0\u00a0%": percent(0), "more than 99\u00a0%": percent(.9999), "100\u00a0%": percent(1),
		"1.4 referrals": referrals(1.4), "12 referrals": referrals(12.4),
		"3 hours": span(3 * time.Hour), "1 hour": span(time.Hour), "40 minutes": span(40 * time.Minute), "3 days": span(70 * time.Hour),
	} {
		if want != got {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSentenceTellsTheForecast(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	now := at("2026-06-15 10:00")
	p := team()
	s := TeamState{Waiting: 1, Campaigns: []CampaignState{history(rng, now, 14, 100, 5, .0066)}}
	d := Decide(now, p, s)[0]
	f := d.Forecast
	// 30,000 texts bring about 200 referrals, which take four people about 17 working days.
	if f.FinishFrom.Before(at("2026-06-25 00:00")) || f.FinishTo.After(at("2026-08-10 00:00")) || f.FinishTo.Before(f.FinishFrom) {
		t.Errorf("finish from %v to %v", f.FinishFrom, f.FinishTo)
	}
	if !strings.Contains(d.Sentence, f.FinishTo.In(london).Format("2 January 2006")) || !strings.Contains(d.Sentence, "1 person is waiting") {
		t.Errorf("sentence: %s", d.Sentence)
	}
	if g := d.Figures; g.Rate < .004 || g.Rate > .01 || g.RateLow >= g.Rate || g.RateHigh <= g.Rate || g.Expected < 1 || g.Expected > 60 {
		t.Errorf("figures: %+v", g)
	}

	// With a tenth of the texts a day allowed, the money and the hours set the date.
	p.Campaigns[0].DailyCap = 500
	if slow := Decide(now, p, s)[0].Forecast; slow.FinishTo.Before(at("2026-09-01 00:00")) {
		t.Errorf("30,000 texts at 500 a day are done by %v", slow.FinishTo)
	}
	// Too few answers to tell.
	fresh := TeamState{Campaigns: []CampaignState{{ID: "c", Running: true, Planned: 100, Sizes: []int{100}}}}
	if f := Decide(now, p, fresh)[0].Forecast; !f.FinishTo.IsZero() || f.ContactBy.IsZero() {
		t.Errorf("before any answer: %+v", f)
	}
	// Four names at most, and nobody who is away.
	p.Roster = append(p.Roster, p.Roster[0], p.Roster[1])
	p.Roster[1].Leave = []Span{{now.AddDate(0, 0, -3), now.AddDate(0, 0, 8)}}
	if d := Decide(now, p, s)[0]; !strings.Contains(d.Sentence, "Anna, Chloe, Dev and 2 others can call") {
		t.Errorf("names: %s", d.Sentence)
	}
}

// A team that makes half the calls that its hours allow for, with enough people to call, is believed less and is told.
func TestOutput(t *testing.T) {
	now := at("2026-06-15 12:00")
	p := team()
	busy := func(every int) TeamState {
		s := TeamState{Waiting: 12, Campaigns: []CampaignState{{ID: "c", Running: true, Planned: 1000, Sizes: []int{1000}}}}
		var cal Calendar
		for h := now.Unix()/3600 - 200; h < now.Unix()/3600; h++ {
			if at := time.Unix(h*3600, 0); cal.Working(at, at.Add(time.Hour)) > 0 && int(h)%every == 0 {
				s.Contacts = append(s.Contacts, Count{h*3600 + 1800, 3})
				s.Other = append(s.Other, Count{h*3600 + 1800, 3}) // the queue stays as it is
			}
		}
		return s
	}
	usualOf := func(s TeamState) float64 {
		g := newGrid(&p, nil, now.AddDate(0, 0, -throughputDays), 20*24*time.Hour)
		t := lookAtThroughput(now, g, &s, p.headcount(now, true))
		return t.mean()
	}
	full, half := busy(2), busy(4) // 1.5 calls an hour are what the roster allows for
	if x := usualOf(full); math.Abs(x-1) > .1 {
		t.Errorf("a team that does all it can: %.2f", x)
	}
	if x := usualOf(half); x > .78 || x < .4 {
		t.Errorf("a team that does half: %.2f", x)
	}
	if d := Decide(now, p, half)[0]; !strings.Contains(d.Sentence, "is somebody away?") {
		t.Errorf("sentence: %s", d.Sentence)
	}
	idle := half
	idle.Waiting = 0
	if x := usualOf(idle); x != 1 {
		t.Errorf("a team with nobody to call: %.2f", x)
	}
}

// nonsense is what no store should ever hand over.
func nonsense(now time.Time) ([]CampaignState, []TeamPolicy) {
	h, nan := now.Unix(), math.NaN()
	states := []CampaignState{
		{},
		{ID: "c", Running: true, Planned: -5, OnTheWay: -5, Released: -9},
		{ID: "c", Running: true, Planned: 100, Sizes: []int{-1, 0}, Strata: []string{"a", "b", "c"}},
		{ID: "c", Running: true, Planned: 100, Delivered: []Cell{{h + 500*3600, 0, 10}, {h, 7, 10}, {h, -1, 10}, {h - 1e9, 0, 10}, {h, 0, -3}, {h, 0, nan}}},
		{ID: "c", Running: true, Planned: 100, Answers: []Answer{{h, h - 5, 0, 1}, {h + 90, h + 99, 0, 1}, {-h, h, 0, 9}, {h, h, 3, 1}, {h, h, 0, nan}}},
		{ID: "c", Running: true, Planned: 100, Answers: []Answer{{h - 9*3600, h - 9*3600, 0, 1e6}}},
		{ID: "c", Running: true, Planned: 100, OnTheWay: 50, OnTheWayBy: []int{0, 0, 80}, Starts: []Cell{{h, 9, 1}}},
		{ID: "c", Running: true, Planned: 100, Ahead: []Ahead{{-1, 5}, {7, 5}, {0, -3}, {0, 10}}},
	}
	policies := []TeamPolicy{
		team(), {}, {Campaigns: []CampaignPolicy{{ID: "c"}}}, {Campaigns: []CampaignPolicy{{ID: "c", Blast: true}}},
		{Campaigns: []CampaignPolicy{{ID: "c", Prior: &Prior{Mean: 5, Shape: -1, Curves: []WeightedCurve{{Weight: 1}, {Weight: nan}}, Spread: -2}, Rate: nan, MinBatch: -1}}, PromiseDays: -3,
			Roster:   []Worker{{Week: Week{1: {900, 300}}, FirstContact: 9, Minutes: -1}, {Week: officeWeek, FirstContact: 3, Minutes: 1, Places: 3}},
			Calendar: Calendar{Holidays: []string{"soon"}}},
		{Campaigns: []CampaignPolicy{{ID: "c"}}, Declared: &Declared{}, PromiseHours: 1e9},
		{Campaigns: []CampaignPolicy{{ID: "c"}}, Declared: &Declared{Capacity: []Able{{Span{now.AddDate(0, 0, -1), now.AddDate(0, 0, 5)}, 40}, {Span{now, now}, nan}}}},
	}
	return states, policies
}

func nonsenseCounts(now time.Time) []Count {
	return []Count{{now.Unix() * 2, 1}, {0, 4}, {now.Unix() - 60, math.NaN()}}
}

// Nonsense gives a harmless decision.
func TestDecideWithNonsense(t *testing.T) {
	now := monday
	states, policies := nonsense(now)
	for i, c := range states {
		for _, p := range policies {
			for _, d := range Decide(now, p, TeamState{Waiting: -3, Campaigns: []CampaignState{c}, Other: nonsenseCounts(now)}) {
				if d.N < 0 || d.N > max(0, c.Planned) || d.Limit == "" || d.Sentence == "" || math.IsNaN(d.Figures.Risk) || math.IsNaN(d.Figures.Rate) {
					t.Errorf("state %d: %+v", i, d)
				}
			}
		}
	}
}
