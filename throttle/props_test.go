package throttle

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// life draws some state of a team's life: a history under one roster, then perhaps a surge, an absence or a silence.
func life(t *rapid.T) (time.Time, TeamPolicy, TeamState) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	now := monday.Add(time.Duration(rapid.IntRange(0, 20*24*60).Draw(t, "minutes")) * time.Minute)
	if rapid.IntRange(0, 4).Draw(t, "any time") > 0 {
		now = (Calendar{}).NextOpen(now)
	}
	p := team()
	p.Roster = p.Roster[:rapid.IntRange(1, 4).Draw(t, "workers")]
	days := rapid.IntRange(0, 15).Draw(t, "days")
	c := history(rng, now, days, rapid.IntRange(5, 150).Draw(t, "per hour"), rapid.IntRange(1, 5).Draw(t, "strata"), math.Exp(rapid.Float64Range(-7, -3).Draw(t, "log rate")))
	c.Planned = rapid.IntRange(0, 40000).Draw(t, "planned")
	s := TeamState{Waiting: rapid.IntRange(0, 14).Draw(t, "waiting")}
	switch rapid.IntRange(0, 5).Draw(t, "trouble") {
	case 0: // a surge
		for i := range c.Answers {
			if now.Unix()-c.Answers[i].Answered < 8*3600 {
				c.Answers[i].N *= 4
			}
		}
	case 1: // silence
		for i := range c.Answers {
			if now.Unix()-c.Answers[i].Answered < 30*3600 {
				c.Answers[i].N = 0
			}
		}
	case 2: // contacts, fewer than the roster has
		for h := now.Unix() - 5*24*3600; h < now.Unix(); h += 3600 {
			if (Calendar{}).Working(time.Unix(h, 0), time.Unix(h+3600, 0)) > 0 {
				s.Contacts = append(s.Contacts, Count{h, float64(rng.IntN(2))})
				s.Other = append(s.Other, Count{h, float64(rng.IntN(2))})
			}
		}
	}
	cp := &p.Campaigns[0]
	if rapid.Bool().Draw(t, "capped") {
		cp.DailyCap, c.SentToday = rapid.IntRange(1, 900).Draw(t, "cap"), rapid.IntRange(0, 900).Draw(t, "sent")
	}
	if rapid.IntRange(0, 3).Draw(t, "given order") == 0 {
		for range 6 {
			c.Ahead = append(c.Ahead, Ahead{rng.IntN(len(c.Sizes)), 1 + rng.IntN(3000)})
		}
	}
	s.Campaigns = []CampaignState{c}
	return now, p, s
}

// Never outside a window, a cap, the list, the sender's speed or the roster, whatever has happened.
func TestDecideStaysWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, p, s := life(t)
		c, cp := &s.Campaigns[0], &p.Campaigns[0]
		d := Decide(now, p, s)[0]
		if d.N < 0 || d.N > c.Planned || cp.DailyCap > 0 && d.N > max(0, cp.DailyCap-c.SentToday) || float64(d.N) > cp.Rate*300 {
			t.Fatalf("%d texts: %d planned, cap %d with %d sent\n%s", d.N, c.Planned, cp.DailyCap, c.SentToday, d.Sentence)
		}
		if _, open := p.Calendar.WindowAt(now, cp.Windows); !open && d.N > 0 {
			t.Fatalf("%d texts outside the window", d.N)
		}
		for i := range p.Roster {
			p.Roster[i].Leave = []Span{{now.AddDate(0, 0, -1), now.AddDate(0, 0, 5)}}
		}
		if d := Decide(now, p, s)[0]; d.N > 0 {
			t.Fatalf("%d texts with nobody there", d.N)
		}
		for _, x := range []float64{d.Figures.Rate, d.Figures.Risk, d.Forecast.NextDay.Mean, d.Forecast.NextDay.P05 + .5, d.Forecast.NextDay.P95} {
			if math.IsNaN(x) || x < 0 {
				t.Fatalf("figures %+v, forecast %+v", d.Figures, d.Forecast)
			}
		}
	})
}

// A longer queue never means more texts.
func TestDecideQueueMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, p, s := life(t)
		s.Contacts, s.Other = nil, nil // with them a longer queue would tell of another past too
		before := Decide(now, p, s)[0]
		s.Waiting += rapid.IntRange(1, 9).Draw(t, "more")
		if d := Decide(now, p, s)[0]; d.N > before.N {
			t.Fatalf("%d texts (%s), %d (%s) with more waiting", before.N, before.Limit, d.N, d.Limit)
		}
	})
}

// More capacity ahead never means fewer texts.
func TestDecideCapacityMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, p, s := life(t)
		hours := func(more float64) *Declared {
			d := &Declared{}
			for h := now.Truncate(time.Hour).AddDate(0, 0, -12); h.Before(now.AddDate(0, 0, 40)); h = h.Add(time.Hour) {
				if (Calendar{}).Working(h, h.Add(time.Hour)) == 0 {
					continue
				}
				x := .375 * float64(len(p.Roster))
				if !h.Before(now) {
					x *= more
				}
				d.Capacity = append(d.Capacity, Able{Span{h, h.Add(time.Hour)}, x})
			}
			return d
		}
		p.Campaigns[0].MinBatch = 1
		p.Declared = hours(1)
		before := Decide(now, p, s)[0]
		p.Declared = hours(rapid.Float64Range(1.01, 2).Draw(t, "more"))
		if d := Decide(now, p, s)[0]; d.N < before.N {
			t.Fatalf("%d texts (%s), %d (%s) with more capacity", before.N, before.Limit, d.N, d.Limit)
		}
	})
}

// A stored state gives the same decision, bit for bit.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, p, s := life(t)
		p.Calendar.Location = london
		type record struct {
			Now    time.Time
			Policy TeamPolicy
			State  TeamState
		}
		b, err := json.Marshal(record{now, p, s})
		if err != nil {
			t.Fatal(err)
		}
		var r record
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		a, b2 := Decide(now, p, s), Decide(r.Now, r.Policy, r.State)
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b2)
		if string(x) != string(y) || a[0].N != b2[0].N || !reflect.DeepEqual(a[0].Figures, b2[0].Figures) {
			t.Fatalf("decided\n%s\nreplayed\n%s", x, y)
		}
	})
}
