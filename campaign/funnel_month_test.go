package campaign

import (
	"encoding/json"
	"testing"
)

// What pages tell of a month is what they showed exactly when it began and when it ended, or at least what they showed in between.
func TestWhatPagesTellOfAMonth(t *testing.T) {
	day := func(a, b int) *Head {
		h := &Head{}
		for name, n := range map[string]int{"A": a, "B": b, "C": 40} {
			for range n {
				h.Add(Member{Practice: name}, ReachedSent)
			}
			for range 200 - n {
				h.Add(Member{Practice: name}, ReachedDelivered)
			}
		}
		return h
	}
	grown := func(g Growth, name string) Grown {
		for _, m := range g.Groups[ByPractice] {
			if m.Name == name {
				return m
			}
		}
		t.Fatalf("there is no %s in %+v", name, g)
		return Grown{}
	}
	f := Funnel{}.Next(day(20, 20), funnelDay)
	f = f.Next(day(22, 20), funnelDay.AddDate(0, 0, 1))
	f, g, known := f.EndMonth()
	if a := grown(g, "A"); !known || a.Told[ReachedSent] || a.AtLeast[ReachedSent] != 20 || a.N[ReachedSent] != 22 {
		t.Errorf("A, with 22 after 20: %+v, %t", a, known)
	}
	told := 0
	for _, name := range []string{"A", "B", "C"} {
		if grown(g, name).Told[ReachedSent] {
			told++
		}
		if m := grown(g, name); !m.Told[ReachedDelivered] || m.N[ReachedDelivered] != 200 {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if told > 1 {
		t.Errorf("%d of three are told: it follows by how much A has grown", told)
	}
	f = f.Next(day(30, 30), funnelDay.AddDate(0, 0, 2))
	f = f.Next(day(40, 40), funnelDay.AddDate(0, 0, 3))
	f, g, _ = f.EndMonth()
	if a := grown(g, "A"); a.Told[ReachedSent] || a.AtLeast[ReachedSent] != 10 || a.N[ReachedSent] != 18 { // 30 was shown first
		t.Errorf("A in the next month: %+v", a)
	}
	f = f.Next(day(50, 40), funnelDay.AddDate(0, 0, 4))
	_, g, _ = f.EndMonth()
	if a, b := grown(g, "A"), grown(g, "B"); !a.Told[ReachedSent] || a.N[ReachedSent] != 10 || !b.Told[ReachedSent] || b.N[ReachedSent] != 0 {
		t.Errorf("A and B after a month that began and ended told: %+v, %+v", a, b)
	}
	// A funnel that is older than what is kept of months is read, and knows it from the next month on.
	var old Funnel
	if err := json.Unmarshal([]byte(`{"counted_to":"2026-06-03T23:00:00Z","all":[600,600,600,120,120,120,0,0],"groups":{"practice":[
		{"name":"A","n":[200,200,200,40,40,40,0,0],"hidden":[false,false,false,false,false,false,false,false],"shown":[200,200,200,40,40,40,0,0]}]}}`), &old); err != nil {
		t.Fatal(err)
	}
	old, _, known = old.Next(day(50, 40), funnelDay.AddDate(0, 0, 4)).EndMonth()
	if known {
		t.Error("how an older funnel has grown in its month is known")
	}
	if _, _, known = old.Next(day(60, 40), funnelDay.AddDate(0, 0, 5)).EndMonth(); !known {
		t.Error("in the month after, it is not known either")
	}
}
