package throttle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// underWay is a campaign of 52,000 two weeks after its launch.
func underWay(seed uint64) (time.Time, TeamPolicy, TeamState) {
	now := at("2026-06-15 10:00")
	c := history(rand.New(rand.NewPCG(seed, 1)), now, 14, 200, 10, .0066)
	c.Planned = 52000 - 80*200
	return now, team(), TeamState{Waiting: 4, OldestDue: at("2026-06-17 09:30"), Campaigns: []CampaignState{c}}
}

// with changes a copy of a policy.
func with(p TeamPolicy, change func(*TeamPolicy)) TeamPolicy {
	p.Roster, p.Campaigns = slices.Clone(p.Roster), slices.Clone(p.Campaigns)
	for i := range p.Roster {
		p.Roster[i].Leave = slices.Clone(p.Roster[i].Leave)
	}
	change(&p)
	return p
}

func TestWhatIf(t *testing.T) {
	now, p, s := underWay(1)
	o := WhatIf(now, p, p, s, 0)
	c := o.Campaigns[0]
	if o.Futures != 300 || len(o.Campaigns) != 1 || c.ID != "c" || c.Stopped != "" {
		t.Fatalf("%+v", o)
	}
	// 36,000 texts at .66 % bring 240 people, and 12 a day can be called: four weeks, a little less or more.
	if c.P10.After(c.P50) || c.P50.After(c.P90) || c.WorkingDays < 14 || c.WorkingDays > 30 || c.TextsLeft != 0 {
		t.Errorf("the last text goes at %v, %v, %v, after %.1f working days; %.0f are left", c.P10, c.P50, c.P90, c.WorkingDays, c.TextsLeft)
	}
	if days := (Calendar{}).Working(now, c.P50).Hours() / 8; math.Abs(days-c.WorkingDays) > .01 {
		t.Errorf("%.2f working days, by the calendar %.2f", c.WorkingDays, days)
	}
	texts, capacity := 0.0, 0.0
	for i, d := range o.Days {
		if !d.Day.Equal((Calendar{}).Midnight(now).AddDate(0, 0, i)) {
			t.Fatalf("day %d is %v", i, d.Day)
		}
		for _, r := range []Range{d.Texts, d.Answers, d.Contacts, d.Queue} {
			if r.P10 < 0 || r.P10 > r.P90 {
				t.Errorf("%v: %+v", d.Day, d)
			}
		}
		if working := (Calendar{}).WorkingDay(d.Day); !working && (d.Texts.Mean > 0 || d.Contacts.Mean > 0 || d.Capacity > 0) || working && i > 0 && math.Abs(d.Capacity-12) > 1 {
			t.Errorf("%v: %+v", d.Day, d)
		}
		texts += d.Texts.Mean
		capacity += d.Capacity
	}
	if math.Abs(texts-36000) > 36 {
		t.Errorf("%.0f texts go, 36,000 are planned", texts)
	}
	if c.Answers.Mean < 180 || c.Answers.Mean > 320 || c.Answers.Mean > 1.3*capacity {
		t.Errorf("%.0f answers", c.Answers.Mean)
	}
	if o.LateChance > .2 || o.LateShare > .01 {
		t.Errorf("with the pacer, somebody is late in %.2f of the futures, %.4f of all people", o.LateChance, o.LateShare)
	}
	for _, want := range []string{"The last text would go between ", " July 2026", "2 working days"} {
		if !strings.Contains(o.Sentence, want) {
			t.Errorf("sentence lacks %q: %s", want, o.Sentence)
		}
	}
	if again := WhatIf(now, p, p, s, 0); !reflect.DeepEqual(again, o) {
		t.Error("two answers to one question")
	}
	// More futures of the same kind tell about the same.
	if more := WhatIf(now, p, p, s, 600); math.Abs(more.Campaigns[0].WorkingDays-c.WorkingDays) > 1 || math.Abs(more.LateChance-o.LateChance) > .05 {
		t.Errorf("%d futures: %+v", more.Futures, more.Campaigns[0])
	}
}

// Nothing is foretold before a campaign's first day.
func TestWhatIfBegins(t *testing.T) {
	now, p, s := underWay(1)
	first := now.AddDate(0, 0, 6)
	p.Campaigns[0].First = first
	texts := 0.0
	for _, d := range WhatIf(now, p, p, s, 20).Days {
		if d.Day.AddDate(0, 0, 1).Before(first) && d.Texts.Mean > 0 {
			t.Errorf("%.0f texts on %s, before the first day", d.Texts.Mean, d.Day.Format(time.DateOnly))
		}
		texts += d.Texts.Mean
	}
	if texts < 1 {
		t.Errorf("%.1f texts in all", texts)
	}
}

// What people ask has the answer that people expect.
func TestWhatIfResponds(t *testing.T) {
	for seed := range uint64(2) {
		now, p, s := underWay(seed)
		today := WhatIf(now, p, p, s, 120)
		days := today.Campaigns[0].WorkingDays
		ask := func(change func(*TeamPolicy)) (Outcome, float64, string) {
			o := WhatIf(now, p, with(p, change), s, 120)
			return o, o.Campaigns[0].WorkingDays - days, Compare(today, o)
		}
		nextWeek := Span{at("2026-06-22 00:00"), at("2026-06-29 00:00")}
		_, by, words := ask(func(p *TeamPolicy) { p.Roster[0].Leave = []Span{nextWeek} })
		if by < .4 || by > 3 { // a quarter of five days, and some reserve
			t.Errorf("seed %d, Anna away: %.2f days later. %s", seed, by, words)
		}
		if !strings.Contains(words, "later") {
			t.Errorf("seed %d, Anna away: %s", seed, words)
		}
		_, by, words = ask(func(p *TeamPolicy) {
			for i := range p.Roster {
				p.Roster[i].Leave = []Span{nextWeek}
			}
		})
		if by < 4 || by > 11 {
			t.Errorf("seed %d, all away: %.2f days later. %s", seed, by, words)
		}
		_, by, words = ask(func(p *TeamPolicy) { p.PromiseDays = 3 })
		if by > .1 || by < -6 || !strings.Contains(words, "3 working days (today: 2 working days)") {
			t.Errorf("seed %d, three days: %.2f days later. %s", seed, by, words)
		}
		if _, by, words = ask(func(p *TeamPolicy) { p.PromiseDays = 1 }); by < .5 {
			t.Errorf("seed %d, one day: %.2f days later. %s", seed, by, words)
		}
		_, by, words = ask(func(p *TeamPolicy) {
			p.Roster = append(p.Roster, Worker{ID: "v", Name: "Eve", Week: officeWeek, FirstContact: .375, Minutes: 60, Places: -1})
		})
		if by > -.1*days || by < -.3*days || !strings.Contains(words, "sooner") { // a fifth more people
			t.Errorf("seed %d, a volunteer: %.2f of %.2f days later. %s", seed, by, days, words)
		}
		if _, by, words = ask(func(p *TeamPolicy) { p.Campaigns[0].DailyCap = 900 }); math.Abs(days+by-40) > 1.5 {
			t.Errorf("seed %d, 36,000 at 900 a day: %.2f days. %s", seed, days+by, words)
		}
		blast, by, words := ask(func(p *TeamPolicy) { p.Campaigns[0].Blast = true })
		if days+by > 1 || blast.LateChance < .99 || blast.LateShare < .5 || !strings.Contains(words, "would rise") {
			t.Errorf("seed %d, all at once: %+v. %s", seed, blast.Campaigns[0], words)
		}
		few, _, words := ask(func(p *TeamPolicy) {
			for i := range p.Roster {
				p.Roster[i].Places = 10
			}
		})
		if c := few.Campaigns[0]; !c.P50.IsZero() || c.TextsLeft < 25000 || !strings.Contains(words, "no longer go in time: about ") {
			t.Errorf("seed %d, forty places: %+v. %s", seed, c, words)
		}
		for _, d := range few.Days {
			if few.Campaigns[0].Answers.P90 > 90 {
				t.Errorf("seed %d, forty places on %v: %+v", seed, d.Day, few.Campaigns[0].Answers)
				break
			}
		}
	}
}

// Where a team can do more, no text goes later, nearly: each future throws the same dice.
func TestWhatIfIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	asked := 0
	for i := range 20 {
		now, p, s := random(rng)
		today := WhatIf(now, p, p, s, 40)
		more := WhatIf(now, p, with(p, func(p *TeamPolicy) {
			p.Roster = append(p.Roster, Worker{Week: officeWeek, FirstContact: .375, Minutes: 60, Places: -1})
		}), s, 40)
		fewer := WhatIf(now, p, with(p, func(p *TeamPolicy) { p.Roster = p.Roster[1:] }), s, 40)
		for k, o := range []Outcome{today, more} {
			worse := []Outcome{fewer, today}[k]
			a, b := o.Campaigns[0], worse.Campaigns[0]
			if a.Stopped != b.Stopped || a.TextsLeft > b.TextsLeft+1+.02*b.TextsLeft {
				t.Errorf("round %d: %s %.0f left, with fewer people %s %.0f", i, a.Stopped, a.TextsLeft, b.Stopped, b.TextsLeft)
			}
			if a.P50.IsZero() || b.P50.IsZero() {
				if a.P50.IsZero() && !b.P50.IsZero() {
					t.Errorf("round %d: only fewer people finish", i)
				}
				continue
			}
			asked++
			if a.WorkingDays > b.WorkingDays+.5 {
				t.Errorf("round %d: %.2f working days, with fewer people %.2f", i, a.WorkingDays, b.WorkingDays)
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d comparisons", asked)
	}
}

// A campaign that sends nothing says why; its answers still come.
func TestWhatIfStopped(t *testing.T) {
	now, p, s := underWay(1)
	for words, change := range map[string]func(*CampaignPolicy, *CampaignState){
		"is not running":     func(p *CampaignPolicy, c *CampaignState) { c.Running = false },
		"on hold (a typo)":   func(p *CampaignPolicy, c *CampaignState) { c.Held = "a typo." },
		"everybody":          func(p *CampaignPolicy, c *CampaignState) { c.Planned = 0 },
		"last day":           func(p *CampaignPolicy, c *CampaignState) { p.Last = now.Add(-1) },
		"has to be checked":  func(p *CampaignPolicy, c *CampaignState) { p.Screened = now.AddDate(0, 0, -20) },
		"the budget is used": func(p *CampaignPolicy, c *CampaignState) { p.Budget, p.CostPerText, c.Spent = 5, 1, 5 },
	} {
		p, s := with(p, func(*TeamPolicy) {}), s
		s.Campaigns = slices.Clone(s.Campaigns)
		change(&p.Campaigns[0], &s.Campaigns[0])
		o := WhatIf(now, p, p, s, 50)
		c := o.Campaigns[0]
		if !strings.Contains(o.Sentence, words) || !c.P90.IsZero() || c.Answers.Mean == 0 || o.Days[0].Texts.Mean != 0 {
			t.Errorf("%s: %+v, %+v", words, o.Sentence, c)
		}
		if got := Compare(o, o); !strings.Contains(got, "No text would go") {
			t.Error(got)
		}
	}
	p.Campaigns[0].Screened = now
	o := WhatIf(now, p, p, s, 50)
	if c := o.Campaigns[0]; !c.CheckListBy.Equal(now.AddDate(0, 0, 14)) || !strings.Contains(o.Sentence, "checked again by 29 June 2026") {
		t.Errorf("%v: %s", c.CheckListBy, o.Sentence)
	}
	p.Campaigns[0].Last = at("2026-06-20 00:00")
	o = WhatIf(now, p, p, s, 50)
	if c := o.Campaigns[0]; !c.P10.IsZero() || c.TextsLeft < 20000 || c.TextsLeft > 35000 || !strings.Contains(o.Sentence, "would not go by 20 June 2026") {
		t.Errorf("with a last day: %+v: %s", c, o.Sentence)
	}
	p.Campaigns[0].Last = time.Time{}
	s.Campaigns[0].Memory.Silence = &Silence{now.Unix() - 9*3600, now.Unix()}
	o = WhatIf(now, p, p, s, 50)
	if c := o.Campaigns[0]; !c.LinkAssumed || c.P50.IsZero() || !strings.Contains(o.Sentence, "if the link is found to work") {
		t.Errorf("in a silence: %+v: %s", c, o.Sentence)
	}
	// Nobody is left to call those who have their text already: they wait for ever.
	s.Campaigns[0].Memory = Memory{}
	o = WhatIf(now, p, with(p, func(p *TeamPolicy) { p.Roster = nil }), s, 50)
	if c := o.Campaigns[0]; o.LateChance != 1 || o.LateShare < .9 || !c.P10.IsZero() || c.TextsLeft != 36000 {
		t.Errorf("without a team: %.2f, %.2f late: %+v", o.LateChance, o.LateShare, c)
	}
}

// Campaigns of one team share it: each takes longer than alone, and together they bring no more than can be called.
func TestWhatIfShares(t *testing.T) {
	now, p, s := underWay(2)
	alone := WhatIf(now, p, p, s, 100)
	second := s.Campaigns[0]
	second.ID, second.Planned = "d", second.Planned/2
	s.Campaigns = append(slices.Clone(s.Campaigns), second)
	p.Campaigns = append(p.Campaigns, CampaignPolicy{ID: "d", Rate: 50})
	both := WhatIf(now, p, p, s, 100)
	if len(both.Campaigns) != 2 || both.Campaigns[0].WorkingDays < 1.3*alone.Campaigns[0].WorkingDays || both.LateShare > .02 {
		t.Errorf("alone %.1f days; both %+v", alone.Campaigns[0].WorkingDays, both.Campaigns)
	}
	for _, d := range both.Days {
		if d.Contacts.Mean > 1.15*d.Capacity+1 {
			t.Errorf("%v: %.1f calls, the roster allows for %.1f", d.Day, d.Contacts.Mean, d.Capacity)
		}
	}
	for _, want := range []string{"of campaign c would", "of campaign d would"} {
		if !strings.Contains(both.Sentence, want) {
			t.Errorf("sentence lacks %q: %s", want, both.Sentence)
		}
	}
}

func TestChancesInWords(t *testing.T) {
	for chance, want := range map[float64]string{
		0: "In none of 300 simulated futures", 1: "In all of 300 simulated futures", .02: "In about 1 in 50 simulated futures",
		.5: "In about half of the simulated futures", .72: "In 72\u00a0% of the simulated futures",
	} {
		if got := inFutures(chance, 300); got != want {
			t.Errorf("%v: %q, want %q", chance, got, want)
		}
	}
}

func TestWhatIfWithNonsense(t *testing.T) {
	now := monday
	states, policies := nonsense(now)
	for i, c := range states {
		for k, p := range policies {
			for _, w := range []int{-3, 40} {
				o := WhatIf(now, team(), p, TeamState{Waiting: w, Campaigns: []CampaignState{c}, Other: nonsenseCounts(now)}, 7)
				if len(o.Campaigns) != len(p.Campaigns) || o.Sentence == "" || !(o.LateChance >= 0 && o.LateChance <= 1) || !(o.LateShare >= 0 && o.LateShare <= 1) || Compare(o, o) == "" {
					t.Errorf("state %d, policy %d: %+v", i, k, o)
				}
				for _, c := range o.Campaigns {
					if !(c.TextsLeft >= 0) || !(c.Answers.Mean >= 0) {
						t.Errorf("state %d, policy %d: %+v", i, k, c)
					}
				}
			}
		}
	}
	Compare(Outcome{}, Outcome{})
}

// The cost must not depend on the length of the list.
func BenchmarkWhatIf(b *testing.B) {
	for _, x := range []struct{ texts, workers int }{{52000, 4}, {1000000, 4}, {1000000, 76}} {
		b.Run(fmt.Sprintf("%d texts, %d workers", x.texts, x.workers), func(b *testing.B) {
			now, p, s := underWay(1)
			c := &s.Campaigns[0]
			c.Planned = x.texts - 16000
			for i := range c.Sizes {
				c.Sizes[i] = x.texts / len(c.Sizes)
			}
			for len(p.Roster) < x.workers {
				p.Roster = append(p.Roster, p.Roster[0])
			}
			b.ReportAllocs()
			for b.Loop() {
				WhatIf(now, p, p, s, 0)
			}
		})
	}
}

// The longest wait is what the queue takes, in working days: of those who wait now, if nobody else comes.
func TestLongestWait(t *testing.T) {
	now, p := monday, team() // twelve first contacts a day
	for _, tt := range []struct {
		waiting int
		least   float64
		most    float64
	}{{0, 0, .2}, {6, .4, .7}, {12, .9, 1.2}, {36, 2.9, 3.2}} {
		o := WhatIf(now, p, TeamPolicy{Roster: p.Roster}, TeamState{Waiting: tt.waiting}, 40)
		if o.LongestWait < tt.least || o.LongestWait > tt.most {
			t.Errorf("%d wait: %.2f working days, want %.1f to %.1f", tt.waiting, o.LongestWait, tt.least, tt.most)
		}
	}
	half := TeamPolicy{Roster: p.Roster[:2]}
	if one, two := WhatIf(now, p, p, TeamState{Waiting: 20}, 40).LongestWait, WhatIf(now, p, half, TeamState{Waiting: 20}, 40).LongestWait; two < 1.8*one {
		t.Errorf("%.2f working days with four, %.2f with two", one, two)
	}
}
