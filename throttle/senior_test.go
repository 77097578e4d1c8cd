package throttle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// lead makes the first of the usual team its senior, with hours on some days.
func lead(p *TeamPolicy, from, to int, days ...time.Weekday) {
	p.NeedSenior = true
	p.Roster[0].Senior, p.Roster[0].Week = true, Week{}
	for _, d := range days {
		p.Roster[0].Week[d] = Hours{from * 60, to * 60}
	}
}

// When texts may leave: the half hours in which that changes, in one week.
func TestSeniorThere(t *testing.T) {
	const mon, tue, wed, thu, fri = time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday
	span := func(from, to string) []Span { return []Span{{at(from), at(to)}} }
	for _, tt := range []struct {
		name     string
		from, to int
		days     []time.Weekday
		leave    []Span
		start    string
		want     string // whether at the start, and when that changes; the rest of it is not asked where it is a matter of the night
	}{
		{"the whole week", 9, 17, []time.Weekday{mon, tue, wed, thu, fri}, nil, "2026-06-01", "yes"},
		{"no hours", 9, 9, nil, nil, "2026-06-01", "no"},
		{"Mondays to Wednesdays", 9, 17, []time.Weekday{mon, tue, wed}, nil, "2026-06-01", "yes Wed 14:30 Fri 15:30"},
		{"mornings", 9, 13, []time.Weekday{mon, tue, wed, thu, fri}, nil, "2026-06-05", "yes Fri 13:00 Fri 15:30"},
		{"a day in the week", 9, 17, []time.Weekday{tue}, nil, "2026-06-03", "no Mon 16:00"},
		{"a week away, which ends", 9, 17, []time.Weekday{mon, tue, wed, thu, fri}, span("2026-06-01 00:00", "2026-06-08 00:00"), "2026-06-01", "no Fri 15:30"},
		{"a week away from Monday on", 9, 17, []time.Weekday{mon, tue, wed, thu, fri}, span("2026-06-08 00:00", "2026-06-15 00:00"), "2026-06-01", "yes Fri 09:00"},
		{"over Christmas nobody works and no time runs", 9, 17, []time.Weekday{mon, tue, wed, thu, fri}, nil, "2026-12-23", "yes"},
		{"away for a year", 9, 17, []time.Weekday{mon, tue, wed, thu, fri}, span("2026-01-01 00:00", "2027-01-01 00:00"), "2026-06-01", "no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := team()
			lead(&p, tt.from, tt.to, tt.days...)
			p.Roster[0].Leave = tt.leave
			start := at(tt.start + " 00:00")
			was := SeniorThere(p.Calendar, p.Roster, start)
			got := map[bool]string{true: "yes", false: "no"}[was]
			for i := range 7 * 48 {
				x := start.Add(time.Duration(i) * step)
				if there := SeniorThere(p.Calendar, p.Roster, x); there != was {
					got, was = got+x.Format(" Mon 15:04"), there
				}
			}
			if !strings.HasPrefix(got, tt.want) || tt.want == "yes" && got != "yes" || tt.want == "no" && got != "no" {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLimitSenior(t *testing.T) {
	office := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	s := TeamState{Campaigns: []CampaignState{{ID: "c", Running: true, Planned: 52000, Strata: []string{"all"}, Sizes: []int{52000}}}}
	for _, tt := range []struct {
		name   string
		change func(p *TeamPolicy)
		limit  Limit // "": another than LimitSenior
		words  string
	}{
		{"no senior", func(p *TeamPolicy) { p.NeedSenior = true }, LimitSenior, "No texts now: no senior link worker is on the roster, and an urgent form could wait with nobody to turn to; put a senior's hours on the capacity page."},
		{"none is needed", func(p *TeamPolicy) {}, "", "Sending"},
		{"a senior", func(p *TeamPolicy) { lead(p, 9, 17, office...) }, "", "Sending"},
		{"a senior who makes no first contacts", func(p *TeamPolicy) { lead(p, 9, 17, office...); p.Roster[0].FirstContact, p.Roster[0].Places = 0, 0 }, "", "Sending"},
		{"from Wednesday on", func(p *TeamPolicy) { lead(p, 9, 17, time.Wednesday) }, LimitSenior, "on the roster before Wednesday 09:00"},
		{"an hour today", func(p *TeamPolicy) { lead(p, 9, 11, time.Monday) }, LimitSenior, "on the roster from Monday 11:00 to Monday 8 June 09:00, when most of the answers would come"},
		{"today, and never again", func(p *TeamPolicy) {
			lead(p, 9, 11, office...)
			p.Roster[0].Leave = []Span{{at("2026-06-02 00:00"), at("2027-06-02 00:00")}}
		}, LimitSenior, "from Monday 11:00 on, and an urgent form"},
		{"nobody at all", func(p *TeamPolicy) { p.NeedSenior, p.Roster = true, nil }, LimitNobody, "nobody on the rota"},
		{"nobody at all, at night", func(p *TeamPolicy) {
			p.NeedSenior, p.Roster, p.Campaigns[0].Windows = true, nil, Week{time.Sunday: {0, 1}}
		}, LimitWindow, "hours for texts"},
		{"no senior, at night", func(p *TeamPolicy) { p.NeedSenior, p.Campaigns[0].Windows = true, Week{time.Sunday: {0, 1}} }, LimitSenior, "no senior link worker is on the roster, and"},
		{"a senior, at night", func(p *TeamPolicy) { lead(p, 9, 17, office...); p.Campaigns[0].Windows = Week{time.Sunday: {0, 1}} }, LimitWindow, "hours for texts"},
		{"without pacing", func(p *TeamPolicy) { p.NeedSenior, p.Campaigns[0].Blast = true, true }, LimitRate, "switched off"},
		{"somebody else's capacity", func(p *TeamPolicy) {
			p.NeedSenior, p.Roster = true, nil
			p.Declared = &Declared{Capacity: []Able{{Span{monday, monday.AddDate(0, 0, 40)}, 900}}}
		}, "", "Sending"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := team()
			tt.change(&p)
			d := Decide(monday, p, s)[0]
			if tt.limit != "" && d.Limit != tt.limit || tt.limit == "" && d.Limit == LimitSenior || (d.N == 0) != (tt.limit == LimitSenior || tt.limit == LimitNobody || tt.limit == LimitWindow) {
				t.Errorf("%d texts, bound by %s", d.N, d.Limit)
			}
			if !strings.Contains(d.Sentence, tt.words) {
				t.Errorf("the sentence lacks %q: %s", tt.words, d.Sentence)
			}
		})
	}
}

// Without the limit the decision is what it was, bit by bit; with it, that or nothing. What was stored before there was one is read so.
func TestSeniorsChangeNothingElse(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	held := 0
	for i := range 60 {
		now, p, s := random(rng)
		plain := Decide(now, p, s)[0]
		b, err := json.Marshal(p)
		if err != nil || strings.Contains(string(b), "enior") {
			t.Fatalf("a policy without seniors is written as %s, %v", b, err)
		}
		p.Roster[rng.IntN(4)].Senior, p.NeedSenior = true, true
		d := Decide(now, p, s)[0]
		if d.Limit != LimitSenior {
			if !reflect.DeepEqual(d, plain) {
				t.Errorf("round %d: %+v\nwithout seniors %+v", i, d, plain)
			}
			continue
		}
		held++
		if d.N != 0 || d.Forecast.ContactBy != plain.Forecast.ContactBy {
			t.Errorf("round %d: %+v", i, d)
		}
		if x := decide(now, &p, &s, lift{LimitSenior: true})[0]; x.N != plain.N {
			t.Errorf("round %d: %d texts without the limit, want %d", i, x.N, plain.N)
		}
	}
	if held == 0 || held > 30 {
		t.Errorf("%d of 60 decisions had no senior", held)
	}
}

// The futures wait for a senior as the pacer does.
func TestFuturesWaitForASenior(t *testing.T) {
	now, p, s := underWay(1)
	lead(&p, 9, 17, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	changed := p
	changed.Roster = append([]Worker(nil), p.Roster...)
	back := now.AddDate(0, 0, 14)
	changed.Roster[0].Leave = []Span{{now.AddDate(0, 0, -1), back}}
	changed.Roster[0].FirstContact = 0 // else it would be the hours that are missing
	p.Roster[0].FirstContact = 0
	today, away := WhatIf(now, p, p, s, 60), WhatIf(now, p, changed, s, 60)
	for _, d := range away.Days {
		if d.Day.AddDate(0, 0, 4).Before(back) && d.Texts.P90 > 0 {
			t.Errorf("%v: texts go while no senior is there: %+v", fmt.Sprint(d.Day), d.Texts)
		}
	}
	if later := away.Campaigns[0].P50.Sub(today.Campaigns[0].P50); later < 7*24*time.Hour {
		t.Errorf("two weeks without a senior put the last text off by %v", later)
	}
}

func BenchmarkSeniors(b *testing.B) {
	now, p, s := underWay(1)
	lead(&p, 9, 17, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	for b.Loop() {
		Decide(now, p, s)
	}
}
