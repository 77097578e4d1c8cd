package selfrefer

import (
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

func TestOfferOf(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, london)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var week throttle.Week
	for d := time.Monday; d <= time.Friday; d++ {
		week[d] = throttle.Hours{From: 9 * 60, To: 17 * 60}
	}
	early := week
	for d := time.Monday; d <= time.Friday; d++ {
		early[d] = throttle.Hours{From: 9 * 60, To: 13 * 60}
	}
	sam := throttle.Worker{ID: "3", Week: week}
	morning := throttle.Worker{ID: "4", Week: early}
	away := throttle.Worker{ID: "5", Week: week, Leave: []throttle.Span{{From: at("2026-03-02 00:00"), To: at("2026-12-31 00:00")}}}
	all := []throttle.Worker{sam}
	for _, c := range []struct {
		name      string
		seniors   []throttle.Worker
		from, now string
		want      Offer
	}{
		{"just come", all, "2026-06-02 10:00", "2026-06-02 10:00", ToTeam},
		{"a minute before", all, "2026-06-02 10:00", "2026-06-02 10:29", ToTeam},
		{"half an hour", all, "2026-06-02 10:00", "2026-06-02 10:30", ToSenior},
		{"a minute before the hour", all, "2026-06-02 10:00", "2026-06-02 10:59", ToSenior},
		{"an hour", all, "2026-06-02 10:00", "2026-06-02 11:00", ToManager},
		{"no senior on the roster", nil, "2026-06-02 10:00", "2026-06-02 10:30", ToManager},
		{"no senior, a minute before", nil, "2026-06-02 10:00", "2026-06-02 10:29", ToTeam},
		{"the only senior is on leave", []throttle.Worker{away}, "2026-06-02 10:00", "2026-06-02 10:30", ToManager},
		{"one of two is on leave", []throttle.Worker{away, sam}, "2026-06-02 10:00", "2026-06-02 10:30", ToSenior},
		{"the senior goes home at one", []throttle.Worker{morning}, "2026-06-02 12:20", "2026-06-02 12:55", ToSenior},
		{"the senior has gone home", []throttle.Worker{morning}, "2026-06-02 12:20", "2026-06-02 13:05", ToManager},
		{"the night counts for nothing", all, "2026-06-01 16:50", "2026-06-02 09:10", ToTeam},
		{"in the morning it goes on", all, "2026-06-01 16:50", "2026-06-02 09:20", ToSenior},
		{"all night", all, "2026-06-01 17:00", "2026-06-02 08:59", ToTeam},
		{"in the middle of the night the first offer stands, to nobody but the manager", all, "2026-06-01 16:25", "2026-06-02 02:00", ToManager},
		{"a weekend", all, "2026-06-05 16:45", "2026-06-08 09:14", ToTeam},
		{"after a weekend", all, "2026-06-05 16:45", "2026-06-08 09:15", ToSenior},
		{"a bank holiday", all, "2026-05-22 16:45", "2026-05-25 12:00", ToTeam},
		{"after a bank holiday", all, "2026-05-22 16:45", "2026-05-26 09:15", ToSenior},
		{"over Christmas", all, "2026-12-24 16:45", "2026-12-28 12:00", ToTeam},
		{"the clocks go forward", all, "2026-03-27 16:45", "2026-03-30 09:14", ToTeam},
		{"after the clocks have gone forward", all, "2026-03-27 16:45", "2026-03-30 09:15", ToSenior},
		{"the clocks go back", all, "2026-10-23 16:45", "2026-10-26 09:14", ToTeam},
		{"after the clocks have gone back", all, "2026-10-23 16:45", "2026-10-26 09:15", ToSenior},
	} {
		r := Referral{Urgent: true, State: New, Received: at(c.from)}
		if got := OfferOf(throttle.Calendar{}, c.seniors, r, at(c.now)); got != c.want {
			t.Errorf("%s: offered to %q, want %q", c.name, got, c.want)
		}
		// The same, put back into the queue at that time by somebody who had it for a week.
		r.Received, r.FreeSince = at(c.from).AddDate(0, 0, -7), at(c.from)
		if got := OfferOf(throttle.Calendar{}, c.seniors, r, at(c.now)); got != c.want {
			t.Errorf("%s, put back: offered to %q, want %q", c.name, got, c.want)
		}
		for _, other := range []Referral{{State: New, Received: r.Received}, {Urgent: true, State: Claimed, ClaimedBy: 1, Received: r.Received}, {Urgent: true, State: Closed, Received: r.Received}} {
			if got := OfferOf(throttle.Calendar{}, c.seniors, other, at(c.now)); got != ToTeam {
				t.Errorf("%s: offered to %q though it is %s, urgent %v", c.name, got, other.State, other.Urgent)
			}
		}
	}
}

func TestOffered(t *testing.T) {
	duty := []staff.AccountID{3}
	for _, c := range []struct {
		id       staff.AccountID
		role     staff.Role
		sen, man bool
	}{
		{3, staff.SeniorLinkWorker, true, true}, {4, staff.SeniorLinkWorker, false, false}, {5, staff.Administrator, false, true}, {6, staff.CampaignManager, false, true},
		{3, staff.LinkWorker, false, false}, {3, staff.Volunteer, false, false}, {8, staff.PracticeViewer, false, false},
	} {
		who := staff.Account{ID: c.id, Network: 7, Role: c.role}
		if Offered(ToSenior, who, duty) != c.sen || Offered(ToManager, who, duty) != c.man || Offered(ToTeam, who, duty) {
			t.Errorf("%s %d: offered to the senior %v, to the manager %v", c.role, c.id, Offered(ToSenior, who, duty), Offered(ToManager, who, duty))
		}
	}
}
