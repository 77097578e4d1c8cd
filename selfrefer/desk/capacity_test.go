package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

func TestCapacityPages(t *testing.T) {
	b := newBench(t)
	sam, lin := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker]
	b.send(lin, "GET", rosterPath, "").holds(t, 200, "Lin Okafor", "None yet", "Hours are changed by a senior", "within 2 working days")
	b.send(sam, "GET", rosterPath, "").holds(t, 200, fmt.Sprintf(`href="/desk/capacity/%d"`, lin.ID))
	path := fmt.Sprint(rosterPath, "/", lin.ID)
	b.send(sam, "GET", path, "").holds(t, 200, "Hours and leave of Lin Okafor", "No leave from today on")
	b.send(sam, "POST", path, form("monday-from", "nine", "monday-to", "17:00", "tuesday-from", "17", "tuesday-to", "9", "share", "140", "minutes", "0", "places", "-1")).
		holds(t, 422, "Enter when Monday starts", "Tuesday must end after it starts", "from 0 to 100", "from 1 to 480", "caseload limit", `value="nine"`)
	hours := []string{"share", "50%", "minutes", "45", "places", "30"}
	for _, d := range workweek[:5] {
		hours = append(hours, strings.ToLower(d.String())+"-from", "9am", strings.ToLower(d.String())+"-to", "5.30 pm")
	}
	b.send(sam, "POST", path, form(hours...)).holds(t, 303)
	// 8.5 hours x 50 % x 60/45 = 5.67 a day, and no more than 30 places: the last days have less.
	page := b.send(lin, "GET", rosterPath+"?done=hours", "")
	page.holds(t, 200, "42.5", "50%", "30 of 30", "next 10 working days the team can call about 30 people", "2 Jun", "Saved.")
	b.send(sam, "POST", path+"/leave", form("first-day", "8", "first-month", "6", "first-year", "2026", "last-day", "31", "last-month", "6", "last-year", "2026")).holds(t, 422, "must be a real date")
	b.send(sam, "POST", path+"/leave", form("first-day", "8", "first-month", "6", "first-year", "2026", "last-day", "1", "last-month", "6", "last-year", "2026")).holds(t, 422, "must not be before the first")
	b.send(sam, "POST", path+"/leave", form("first-day", "3", "first-month", "6", "first-year", "2026", "last-day", "15", "last-month", "6", "last-year", "2026")).holds(t, 303)
	b.send(lin, "GET", rosterPath, "").holds(t, 200, "Wednesday 3 June to Monday 15 June", "about 6 people") // Tuesday 2 June is left
	_, workers, err := b.db.Capacity(context.Background(), b.team.ID)
	if err != nil || len(workers) != 1 || len(workers[0].Leave) != 1 {
		t.Fatalf("%+v, %v", workers, err)
	}
	leave := workers[0].Leave[0]
	b.send(sam, "POST", path+"/leave", form("do", "remove", "from", fmt.Sprint(leave.From.UnixMilli()), "to", fmt.Sprint(leave.To.UnixMilli()))).holds(t, 303)
	b.send(lin, "GET", rosterPath, "").holds(t, 200, "about 30 people")
	b.send(sam, "GET", fmt.Sprint(rosterPath, "/", b.who[staff.Administrator].ID), "").holds(t, 404) // makes no first contacts
	b.send(lin, "GET", rosterPath+"?team=x", "").holds(t, 404)

	// Whoever has people in hand has fewer places.
	id := b.refer(selfrefer.Answers{}, selfrefer.Verified)
	b.send(lin, "POST", fmt.Sprint("/desk/referrals/", id), form("event", "claim"))
	b.send(lin, "GET", rosterPath, "").holds(t, 200, "29 of 30")
}

func TestCapacityAPI(t *testing.T) {
	b := newBench(t)
	sam, lin := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker]
	path := fmt.Sprint("/teams/", b.team.ID, "/capacity")
	var set, got capacityJSON
	body := fmt.Sprintf(`{"workers":[{"account":%d,"hours":{"monday":{"from":"09:00","to":"17:00"},"friday":{"from":"8","to":"12:30"}},"first_contact_share":0.25,"minutes_per_contact":30,"caseload_limit":null,
		"leave":[{"from":"2026-06-08T00:00:00+01:00","to":"2026-06-10T00:00:00+01:00"}]}]}`, lin.ID)
	if status := b.call(sam, "PUT", path, body, &set); status != 200 || len(set.Workers) != 1 || len(set.Days) != 14 {
		t.Fatalf("%d %+v", status, set)
	}
	// What the API gives, it takes: nothing changes.
	again, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	if status := b.call(sam, "PUT", path, string(again), &got); status != 200 {
		t.Fatalf("status %d", status)
	}
	if second, _ := json.Marshal(got); string(second) != string(again) {
		t.Errorf("got  %s\nwant %s", second, again)
	}
	// Friday 5 June: 4.5 h x 25 % x 2 an hour. Monday 8 June is leave.
	for _, d := range got.Days {
		want := map[string]float64{"2026-06-05": 2.25, "2026-06-12": 2.25, "2026-06-15": 4}[d.Date]
		if d.FirstContacts != want {
			t.Errorf("%s: %v first contacts, want %v", d.Date, d.FirstContacts, want)
		}
	}
	for _, bad := range []string{
		`{}`, `{"workers":[{"account":1,"hours":{},"first_contact_share":0.2,"minutes_per_contact":30}]}`,
		fmt.Sprintf(`{"workers":[{"account":%d,"hours":{},"first_contact_share":0.2,"minutes_per_contact":30}]}`, b.away[staff.LinkWorker].ID),
		fmt.Sprintf(`{"workers":[{"account":%d,"hours":{"mon":{"from":"9","to":"17"}},"first_contact_share":0.2,"minutes_per_contact":30}]}`, lin.ID),
		fmt.Sprintf(`{"workers":[{"account":%d,"hours":{},"first_contact_share":2,"minutes_per_contact":0,"caseload_limit":-1}]}`, lin.ID),
	} {
		if status := b.call(sam, "PUT", path, bad, nil); status != 422 {
			t.Errorf("%s: %d", bad, status)
		}
	}
	if b.call(sam, "GET", path, "", &got); len(got.Workers) != 1 {
		t.Error("a refused roster changed the one before")
	}
}

func TestParseMinute(t *testing.T) {
	for s, want := range map[string]int{"9": 540, "09:00": 540, "9.30": 570, "0930": 570, "5pm": 1020, "5:15 PM": 1035, "12am": 0, "12pm": 720, "24:00": 1440, "0": 0,
		"": -1, "25": -1, "9:5": -1, "9:60": -1, "13pm": -1, "24:01": -1, "-1": -1, "９": -1, "930": -1, "9:30:00": -1, "+9": -1} {
		got, err := parseMinute(s)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("parseMinute(%q) = %d, want %d", s, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(0, 24*60).Draw(t, "minute")
		if got, err := parseMinute(minuteWords(m)); err != nil || got != m {
			t.Fatalf("%d came back as %d, %v", m, got, err)
		}
	})
}

func FuzzParseMinute(f *testing.F) {
	f.Add("9:30pm")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMinute(s); err == nil && (m < 0 || m > 24*60) {
			t.Errorf("%q is minute %d", s, m)
		}
	})
}

// The chart's days never promise more than the places that are left, and their sum is what the pacer reckons with.
func TestDays(t *testing.T) {
	h := &Handler{Config: Config{Now: func() time.Time { return time.Date(2026, 6, 2, 8, 5, 0, 0, time.UTC) }}}
	h.zone, _ = time.LoadLocation("Europe/London")
	for places, want := range map[int]float64{-1: 40, 7: 7, 0: 0} {
		var week throttle.Week
		for d := time.Monday; d <= time.Friday; d++ {
			week[d] = throttle.Hours{From: 540, To: 1020}
		}
		sum := 0.0
		for _, d := range h.days([]throttle.Worker{{ID: "1", Week: week, FirstContact: .5, Minutes: 60, Places: places}}) {
			sum += d.Contacts
		}
		if sum < want-1e-6 || sum > want+1e-6 {
			t.Errorf("%d places: %v contacts, want %v", places, sum, want)
		}
	}
}
