package throttle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// monday is a launch without bank holidays in the six weeks after it.
var monday = at("2026-06-01 09:00")

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, london)
	if err != nil {
		panic(err)
	}
	return t
}

// team is four people who make twelve first contacts a day together.
func team() TeamPolicy {
	p := TeamPolicy{Campaigns: []CampaignPolicy{{ID: "c", Rate: 50}}}
	for _, name := range []string{"Anna", "Ben", "Chloe", "Dev"} {
		p.Roster = append(p.Roster, Worker{ID: name, Name: name, Week: officeWeek, FirstContact: .375, Minutes: 60, Places: -1})
	}
	return p
}

// history is a campaign that has sent so many texts each working hour until now, of which a share has answered.
func history(rng *rand.Rand, now time.Time, days, perHour, strata int, rate float64) CampaignState {
	c := CampaignState{ID: "c", Running: true, Planned: 30000, Started: now.AddDate(0, 0, -days)}
	for i := range strata {
		c.Strata = append(c.Strata, fmt.Sprint("practice ", i))
		c.Sizes = append(c.Sizes, 52000/strata)
	}
	var cal Calendar
	last := now.Unix() / 3600
	for h := c.Started.Unix() / 3600; h <= last; h++ {
		if t := time.Unix(h*3600, 0); cal.Working(t, t.Add(time.Hour)) == 0 {
			continue
		}
		for s := range strata {
			n := perHour / strata
			c.Delivered = append(c.Delivered, Cell{h*3600 + 1800, s, float64(n)})
			for range n {
				if rng.Float64() > rate {
					continue
				}
				if a := h + int64(math.Exp(1+1.8*rng.NormFloat64())); a <= last {
					c.Answers = append(c.Answers, Answer{h*3600 + 1800, a*3600 + 1800, s, 1})
				}
			}
		}
	}
	return c
}

func TestDecideFirstBatch(t *testing.T) {
	s := TeamState{Campaigns: []CampaignState{{ID: "c", Running: true, Planned: 52000, Sizes: []int{52000}}}}
	d := Decide(monday, team(), s)[0]
	// With a prior that allows for 10 % who answer, nobody sends thousands into a team of 24 calls in two days.
	if d.N < 20 || d.N > 800 {
		t.Errorf("first batch: %d texts", d.N)
	}
	if d.Figures.CanAnswer < 23.9 || d.Figures.CanAnswer > 24.1 {
		t.Errorf("can answer %.2f within the promise, want 24", d.Figures.CanAnswer)
	}
	for _, want := range []string{"Sending ", "Anna, Ben, Chloe and Dev can call 24 before Tuesday 17:00", "2 working days", "Nobody is waiting"} {
		if !strings.Contains(d.Sentence, want) {
			t.Errorf("sentence lacks %q: %s", want, d.Sentence)
		}
	}
}

func TestDecideLimits(t *testing.T) {
	type change = func(*TeamPolicy, *TeamState)
	c := func(f func(*CampaignPolicy, *CampaignState)) change {
		return func(p *TeamPolicy, s *TeamState) { f(&p.Campaigns[0], &s.Campaigns[0]) }
	}
	tests := []struct {
		name   string
		now    time.Time
		change change
		limit  Limit
		n      int // -1: any but 0
		words  string
	}{
		{"finished", monday, c(func(p *CampaignPolicy, s *CampaignState) { s.Planned = 0 }), LimitList, 0, "everybody on the list"},
		{"rest of the list", monday, c(func(p *CampaignPolicy, s *CampaignState) { s.Planned = 3 }), LimitList, 3, "rest of the list"},
		{"paused", monday, c(func(p *CampaignPolicy, s *CampaignState) { s.Running = false }), LimitPaused, 0, "not running"},
		{"over", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.Last = monday.Add(-1) }), LimitPaused, 0, "last day"},
		{"not begun", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.First = monday.Add(24 * time.Hour) }), LimitStart, 0, "starts on Tuesday 2 June"},
		{"begun", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.First = monday }), "", -1, ""},
		{"held", monday, c(func(p *CampaignPolicy, s *CampaignState) { s.Held = "the link is dead." }), LimitHeld, 0, "the link is dead"},
		{"old list", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.Screened = monday.AddDate(0, 0, -15) }), LimitListAge, 0, "17 May 2026"},
		{"list just young enough", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.Screened = monday.AddDate(0, 0, -14) }), "", -1, ""},
		{"at most 28 days", monday, c(func(p *CampaignPolicy, s *CampaignState) {
			p.Screened, p.MaxListAge = monday.AddDate(0, 0, -29), 1000*time.Hour
		}), LimitListAge, 0, "28 days"},
		{"evening", at("2026-06-01 17:00"), nil, LimitWindow, 0, "Tuesday 09:00"},
		{"bank holiday", at("2026-05-25 11:00"), nil, LimitWindow, 0, "Tuesday 09:00"},
		{"Saturday", at("2026-06-06 11:00"), nil, LimitWindow, 0, "Monday 09:00"},
		{"cap reached", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.DailyCap, s.SentToday = 90, 90 }), LimitDailyCap, 0, "90 texts a day"},
		{"cap in sight", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.DailyCap, s.SentToday = 90, 83 }), LimitDailyCap, 7, "90 texts a day"},
		{"budget", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.Budget, p.CostPerText, s.Spent = 100000, 400, 96000 }), LimitBudget, 10, "£10"},
		{"sender", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.Rate, p.SegmentsPerText = .1, 3 }), LimitRate, 10, "sender"},
		{"sender busy", monday, c(func(p *CampaignPolicy, s *CampaignState) { p.Rate, s.Released = .1, 30 }), LimitRate, 0, "sender"},
		{"nobody", monday, func(p *TeamPolicy, s *TeamState) { p.Roster = nil }, LimitNobody, 0, "nobody on the rota"},
		{"all on leave", monday, func(p *TeamPolicy, s *TeamState) {
			for i := range p.Roster {
				p.Roster[i].Leave = []Span{{monday.AddDate(0, 0, -1), monday.AddDate(0, 0, 3)}}
			}
		}, LimitNobody, 0, "nobody on the rota"},
		{"full queue", monday, func(p *TeamPolicy, s *TeamState) { s.Waiting = 21 }, LimitBrake, 0, "21 people are waiting"},
		{"somebody may wait longer", monday, func(p *TeamPolicy, s *TeamState) { s.Waiting = 23 }, LimitBrake, 0, "This counts that somebody may be away, and that many may answer at once. No more texts go until it is small."},
		{"still braked", monday, func(p *TeamPolicy, s *TeamState) { s.Waiting = 15; s.Campaigns[0].Memory.Braked = true }, LimitBrake, 0, "well below"},
		{"steady queue", monday, func(p *TeamPolicy, s *TeamState) { s.Waiting = 8 }, LimitSetPoint, 0, "25\u00a0%"},
		{"no places", monday, func(p *TeamPolicy, s *TeamState) {
			for i := range p.Roster {
				p.Roster[i].Places = 0
			}
		}, LimitCaseloads, 0, "caseloads"},
		{"immature", monday.Add(90 * time.Minute), func(p *TeamPolicy, s *TeamState) {
			s.Campaigns[0].Delivered = []Cell{{monday.Unix() + 1800, 0, 5000}}
		}, LimitMaturity, 0, "only 0 answers so far"},
		{"blast", monday, func(p *TeamPolicy, s *TeamState) {
			p.Campaigns[0].Blast, p.Campaigns[0].DailyCap, p.Campaigns[0].Screened, s.Waiting = true, 5, monday.AddDate(-1, 0, 0), 400
		}, LimitRate, 15000, "switched off"},
		{"blast at night", at("2026-06-01 22:00"), func(p *TeamPolicy, s *TeamState) { p.Campaigns[0].Blast = true }, LimitWindow, 0, "hours for texts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := team()
			s := TeamState{Campaigns: []CampaignState{{ID: "c", Running: true, Planned: 52000, Strata: []string{"all"}, Sizes: []int{52000}}}}
			if tt.change != nil {
				tt.change(&p, &s)
			}
			d := Decide(tt.now, p, s)[0]
			if tt.limit != "" && d.Limit != tt.limit {
				t.Errorf("limit %s, want %s", d.Limit, tt.limit)
			}
			if tt.n >= 0 && d.N != tt.n || tt.n < 0 && d.N == 0 {
				t.Errorf("%d texts, want %d", d.N, tt.n)
			}
			if !strings.Contains(d.Sentence, tt.words) {
				t.Errorf("sentence lacks %q: %s", tt.words, d.Sentence)
			}
			for _, jargon := range []string{"set-point", "set_point", "theta", "prior", "NaN", "Inf", "%!", "0001"} {
				if strings.Contains(d.Sentence, jargon) {
					t.Errorf("sentence says %q: %s", jargon, d.Sentence)
				}
			}
		})
	}
}

// random is some state of a team's life.
func random(rng *rand.Rand) (time.Time, TeamPolicy, TeamState) {
	now := monday.Add(time.Duration(rng.IntN(14*24*60)) * time.Minute)
	if rng.IntN(5) > 0 {
		now = (Calendar{}).NextOpen(now)
	}
	p := team()
	rate := math.Exp(-6 + 3*rng.Float64())
	s := TeamState{Waiting: rng.IntN(14), Campaigns: []CampaignState{
		history(rng, now, rng.IntN(15), 10+rng.IntN(150), 1+rng.IntN(4), rate),
	}}
	c, cp := &s.Campaigns[0], &p.Campaigns[0]
	cp.Rate = 2
	if rng.IntN(3) == 0 {
		c.OnTheWay = rng.IntN(400)
	}
	if rng.IntN(4) == 0 {
		c.Planned = rng.IntN(60)
	}
	if rng.IntN(3) == 0 {
		cp.DailyCap, c.SentToday = 400, rng.IntN(420)
	}
	if rng.IntN(4) == 0 {
		cp.Budget, cp.CostPerText, c.Spent = 1e6, 400, rng.Int64N(1e6)
	}
	if rng.IntN(4) == 0 {
		for i := range p.Roster {
			p.Roster[i].Places = rng.IntN(8)
		}
	}
	if rng.IntN(4) == 0 {
		from := now.Add(time.Duration(rng.IntN(200)) * time.Hour)
		for i := range 1 + rng.IntN(4) {
			p.Roster[i].Leave = []Span{{from, from.Add(72 * time.Hour)}}
		}
	}
	if rng.IntN(8) == 0 {
		c.Memory.Braked = true
	}
	for range rng.IntN(10) {
		s.Other = append(s.Other, Count{now.Unix() - 3600*rng.Int64N(200), 1})
	}
	return now, p, s
}

// The sentence must be true: without the limit that it names, more texts would go.
func TestNamedLimitBinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	named := map[Limit]int{}
	group := 0
	const rounds = 400
	for i := range rounds {
		now, p, s := random(rng)
		if i%4 == 0 { // a second campaign of the same team
			second := history(rng, now, rng.IntN(15), 10+rng.IntN(150), 1+rng.IntN(4), .004)
			second.ID, second.Planned = "d", rng.IntN(40000)
			s.Campaigns = append(s.Campaigns, second)
			p.Campaigns = append(p.Campaigns, CampaignPolicy{ID: "d", Rate: 2, DailyCap: rng.IntN(2) * 100})
		}
		d := Decide(now, p, s)[0]
		named[d.Limit]++
		if d.N < 0 || d.N > s.Campaigns[0].Planned {
			t.Fatalf("round %d: %d of %d texts", i, d.N, s.Campaigns[0].Planned)
		}
		if d.Limit == LimitList {
			if d.N != s.Campaigns[0].Planned {
				t.Fatalf("round %d: the list is said to be done with %d of %d", i, d.N, s.Campaigns[0].Planned)
			}
			continue
		}
		off := lift{d.Limit: true}
		lifted := decide(now, &p, &s, off)[0]
		// Where several limits allow the same number, lifting one shows the next, until one of them gives way.
		for lifted.N <= d.N && !off[lifted.Limit] {
			off[lifted.Limit] = true
			lifted = decide(now, &p, &s, off)[0]
		}
		if len(off) > 1 && d.N > 0 {
			group++
		}
		if lifted.N <= d.N {
			t.Errorf("round %d at %v: %d texts bound by %s, but %d (%s) without %v\n%s", i, now, d.N, d.Limit, lifted.N, lifted.Limit, off, d.Sentence)
		}
	}
	if group > rounds/20 {
		t.Errorf("%d of %d batches had no single limit", group, rounds)
	}
	for _, l := range []Limit{LimitSetPoint, LimitRisk, LimitStress, LimitBrake, LimitDailyCap, LimitCaseloads, LimitWindow, LimitNobody} {
		if named[l] == 0 {
			t.Errorf("no round was bound by %s", l)
		}
	}
}

func TestDecideIsPure(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		now, p, s := random(rng)
		first := Decide(now, p, s)
		again := Decide(now, p, s)
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("two answers to one question:\n%+v\n%+v", first, again)
		}
		// The order of counters means nothing, but for the last bits of sums.
		c := &s.Campaigns[0]
		rng.Shuffle(len(c.Answers), func(i, j int) { c.Answers[i], c.Answers[j] = c.Answers[j], c.Answers[i] })
		if shuffled := Decide(now, p, s); abs(shuffled[0].N-first[0].N) > 1 {
			t.Fatalf("%d texts, and %d with the answers in another order", first[0].N, shuffled[0].N)
		}
	}
}

func abs(n int) int { return max(n, -n) }

// More people waiting, or fewer to call them, never means more texts.
func TestDecideIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 120 {
		now, p, s := random(rng)
		before := Decide(now, p, s)[0]
		worse := s
		worse.Waiting += 1 + rng.IntN(5)
		if d := Decide(now, p, worse)[0]; d.N > before.N {
			t.Errorf("round %d: %d texts with %d waiting, %d with %d", i, before.N, s.Waiting, d.N, worse.Waiting)
		}
		fewer := p
		fewer.Roster = p.Roster[1:]
		if d := Decide(now, fewer, s)[0]; d.N > before.N {
			t.Errorf("round %d: %d texts with %d workers, %d with one fewer", i, before.N, len(p.Roster), d.N)
		}
	}
}

// Asking often releases no more than asking once: what was released counts at once.
func TestAskingOftenDoesNotBurst(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	now := at("2026-06-10 10:00")
	p := team()
	s := TeamState{Waiting: 1, Campaigns: []CampaignState{history(rng, now, 9, 100, 5, .0066)}}
	once := Decide(now, p, s)[0].N
	if once == 0 {
		t.Fatal("nothing to send at all")
	}
	sum := 0
	for range 10 {
		d := Decide(now, p, s)[0]
		sum += d.N
		s.Campaigns[0].OnTheWay += d.N
		s.Campaigns[0].Planned -= d.N
	}
	if sum > once+once/10+5 {
		t.Errorf("%d texts at once, %d when asked ten times", once, sum)
	}
}

func TestCampaignsShareTheTeam(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	now := at("2026-06-10 10:00")
	p := team()
	one := history(rng, now, 9, 120, 3, .0066) // so many answers that twice as many make nobody bolder
	alone := Decide(now, p, TeamState{Campaigns: []CampaignState{one}})[0]

	two := one
	two.ID, two.Planned = "d", one.Planned/3
	p.Campaigns = append(p.Campaigns, CampaignPolicy{ID: "d", Rate: 50}, CampaignPolicy{ID: "unknown"})
	both := Decide(now, p, TeamState{Campaigns: []CampaignState{two, one}})
	if len(both) != 3 || both[0].Campaign != "c" || both[1].Campaign != "d" || both[2].Campaign != "unknown" {
		t.Fatalf("decisions out of order: %+v", both)
	}
	if both[2].N != 0 || both[2].Limit == "" {
		t.Errorf("a campaign without state: %+v", both[2])
	}
	if both[0].N+both[1].N > alone.N {
		t.Errorf("two campaigns send %d + %d, one alone %d: they must share what the team can do", both[0].N, both[1].N, alone.N)
	}
	if r := float64(both[0].N) / float64(max(1, both[1].N)); r < 2 || r > 4.5 {
		t.Errorf("%d and %d texts, planned 3 to 1", both[0].N, both[1].N)
	}

	// With room for less than two batches they take turns.
	p.Campaigns = p.Campaigns[:2]
	p.Campaigns[0].MinBatch, p.Campaigns[1].MinBatch = 2*alone.N, 2*alone.N
	turns := map[string]int{}
	s := TeamState{Campaigns: []CampaignState{two, one}}
	least := (both[0].N + both[1].N) * 9 / 10
	p.Campaigns[0].MinBatch, p.Campaigns[1].MinBatch = least, least
	for i := range 30 {
		for _, d := range Decide(now.Add(time.Duration(i)*time.Minute), p, s) {
			if d.N > 0 {
				turns[d.Campaign]++
			}
		}
	}
	if turns["c"] < 12 || turns["d"] < 3 || turns["c"]+turns["d"] > 30 {
		t.Errorf("turns %v of 30", turns)
	}
}

func TestContactBy(t *testing.T) {
	p := team()
	tests := []struct {
		now     time.Time
		waiting int
		want    string
	}{
		{monday, 0, "2026-06-02 17:00"},                  // never sooner than the promise
		{at("2026-06-01 11:00"), 0, "2026-06-03 17:00"},  // due on Wednesday at 11:00: some time that day
		{at("2026-06-06 11:00"), 0, "2026-06-09 17:00"},  // at the weekend
		{monday, 40, "2026-06-05 17:00"},                 // 12 a day, slow days included
		{at("2026-05-22 16:00"), 12, "2026-05-27 17:00"}, // across a bank holiday
		{monday, 5000, "0001-01-01 00:00"},               // cannot be told
	}
	for _, tt := range tests {
		got := ContactBy(tt.now, p, TeamState{Waiting: tt.waiting})
		if want := at(tt.want); !got.Equal(want) && !(got.IsZero() && tt.waiting > 1000) {
			t.Errorf("asked at %v with %d waiting: %v, want %s", tt.now, tt.waiting, got, tt.want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	rng := rand.New(rand.NewPCG(11, 12))
	now := at("2026-07-10 10:00")
	for _, planned := range []int{1000, 1000000} {
		b.Run(fmt.Sprint("planned ", planned), func(b *testing.B) {
			p := team()
			s := TeamState{Waiting: 2, Campaigns: []CampaignState{history(rng, now, 40, 200, 10, .0066)}}
			s.Campaigns[0].Planned = planned
			b.ReportAllocs()
			for b.Loop() {
				Decide(now, p, s)
			}
		})
	}
}

// The last stretch: when all that is left fits with less in reserve, it goes at once.
func TestLastStretch(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	now, p := at("2026-06-10 10:00"), team()
	p.Knobs.Risk = .3 // it is about the reserves
	c := history(rng, now, 9, 120, 3, .0066)
	n := func(planned int) Decision {
		c.Planned = planned
		return Decide(now, p, TeamState{Campaigns: []CampaignState{c}})[0]
	}
	usual := n(30000)
	if usual.N == 0 || usual.Limit != LimitSetPoint && usual.Limit != LimitStress {
		t.Fatalf("%d texts, bound by %s", usual.N, usual.Limit)
	}
	rest := usual.N * 5 / 4
	if d := n(rest); d.N != rest || d.Limit != LimitList {
		t.Errorf("%d of the last %d go (%s), and %d of many", d.N, rest, d.Limit, usual.N)
	}
	if d := n(6 * usual.N); d.N > usual.N {
		t.Errorf("%d of the last %d go, and %d of many", d.N, 6*usual.N, usual.N)
	}
	// Only part of them may go, so it is not the last stretch.
	p.Campaigns[0].DailyCap = c.SentToday + rest - 1
	if d := n(rest); d.N > usual.N {
		t.Errorf("%d of the last %d go, of which %d may", d.N, rest, rest-1)
	}
	// A list in a given order: what the batch at hand shows of its people says nothing of those at the end.
	p.Campaigns[0].DailyCap = 0
	c.Ahead = []Ahead{{0, usual.N * 9 / 8}, {1, rest - usual.N*9/8}}
	if d := n(rest); d.N == rest {
		t.Errorf("all of the last %d go, though nobody has looked at the last of them", rest)
	}
}

// What one practice has shown says little of the next.
func TestNextPracticeIsUnknown(t *testing.T) {
	now := at("2026-06-03 09:00")
	p := team()
	c := CampaignState{ID: "c", Running: true, Planned: 46000, Sizes: []int{5200, 5200, 41600}, Ahead: []Ahead{{1, 5200}, {2, 40800}}}
	for h := range 14 {
		c.Delivered = append(c.Delivered, Cell{monday.Add(time.Duration(h/7*24+h%7) * time.Hour).Unix(), 0, 400})
	}
	for i := range 6 { // few, which is this practice's way or the town's
		sent := monday.Add(time.Duration(i) * time.Hour).Unix()
		c.Answers = append(c.Answers, Answer{sent, sent + 3600, 0, 1})
	}
	one := Decide(now, p, TeamState{Campaigns: []CampaignState{c}})[0]
	if one.Limit != LimitMaturity || one.N > 1500 {
		t.Errorf("%d texts to a practice of which nothing is known (%s)", one.N, one.Limit)
	}
	// The same evidence from all over the town: the rate is known better, and more go.
	spread := c
	spread.Delivered, spread.Answers, spread.Ahead = nil, nil, nil
	spread.Sizes = []int{17400, 17300, 17300}
	for i, d := range c.Delivered {
		for s := range 3 {
			spread.Delivered = append(spread.Delivered, Cell{d.At, s, d.N / 3})
		}
		if i < len(c.Answers) {
			a := c.Answers[i]
			a.Stratum = i % 3
			spread.Answers = append(spread.Answers, a)
		}
	}
	if all := Decide(now, p, TeamState{Campaigns: []CampaignState{spread}})[0]; all.N < 2*one.N {
		t.Errorf("%d texts where all practices have been asked (%s), %d where one has", all.N, all.Limit, one.N)
	}
}

// Bands of small counts hold what they say: nobody or one person cannot be split in halves but by lot.
func TestCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, mean := range []float64{.05, .3, 1, 4, 20, 59, 61, 300} {
		m := mixed{{.6, mean, mean + .1*mean*mean}, {.4, 1.5 * mean, 1.5*mean + .2*mean*mean}}
		q := m.counts(.05, .25, .75, .95)
		in50, in90 := 0, 0
		const draws = 20000
		for range draws {
			g := m[0]
			if rng.Float64() < .4 {
				g = m[1]
			}
			rate := gamma(rng, g.mean, g.mean*g.mean/(g.variance-g.mean))
			y := float64(poisson(rng, rate)) + rng.Float64() - .5
			if q[1] <= y && y <= q[2] {
				in50++
			}
			if q[0] <= y && y <= q[3] {
				in90++
			}
		}
		if a, b := float64(in50)/draws, float64(in90)/draws; math.Abs(a-.5) > .02 || math.Abs(b-.9) > .015 {
			t.Errorf("mean %v: the bands %.2f hold %.3f and %.3f", mean, q, a, b)
		}
	}
}

// gamma draws by Marsaglia and Tsang.
func gamma(rng *rand.Rand, mean, shape float64) float64 {
	d := shape - 1./3
	for {
		x := rng.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v > 0 && math.Log(rng.Float64()) < x*x/2+d*(1-v*v*v+3*math.Log(v)) {
			return mean * d * v * v * v / shape
		}
	}
}

func poisson(rng *rand.Rand, mean float64) (n int) {
	for at := rng.ExpFloat64(); at < mean; at += rng.ExpFloat64() {
		n++
	}
	return n
}
