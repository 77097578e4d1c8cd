package selfrefer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func TestDay(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	// Half past eleven in the evening, UTC, is the next day in summer.
	if got := DayOf(time.Date(2026, 6, 3, 23, 30, 0, 0, time.UTC), london); got != "2026-06-04" {
		t.Errorf("got %s", got)
	}
	for s, ok := range map[string]bool{"2026-06-04": true, "2026-02-29": false, "2028-02-29": true, "4 June 2026": false, "": false, "0202-06-04": false, "2026-6-4": false} {
		if d, err := ParseDay(s); (err == nil) != ok || ok && string(d) != s {
			t.Errorf("ParseDay(%q) = %q, %v", s, d, err)
		}
	}
	for due, want := range map[Day]Pressing{"2026-06-03": Overdue, "2026-06-04": Today, "2026-06-05": Upcoming, "2027-01-01": Upcoming} {
		if got := (Task{Due: due}).PressingOn("2026-06-04"); got != want {
			t.Errorf("%s: %s, want %s", due, got, want)
		}
	}
}

// What staff write about people stays out of whatever is printed, logged or marshalled by the way.
func TestFreeTextHides(t *testing.T) {
	task := Task{Words: "ring Marigold", Due: "2026-06-04"}
	all := fmt.Sprintf("%v %+v %#v %s", task, task, task, task.Words)
	b, err := json.Marshal(OnwardReferral{Place: "Marigold House", Why: "Marigold"})
	if err != nil {
		t.Fatal(err)
	}
	if all += string(b) + task.Words.LogValue().String(); strings.Contains(all, "Marigold") {
		t.Error(all)
	}
	if task.Words.Reveal() != "ring Marigold" {
		t.Error("it cannot be shown to staff either")
	}
}

func TestMayRecord(t *testing.T) {
	worker := staff.Account{ID: 1, Network: 7, Role: staff.LinkWorker}
	other := staff.Account{ID: 2, Network: 7, Role: staff.LinkWorker}
	senior := staff.Account{ID: 3, Network: 7, Role: staff.SeniorLinkWorker}
	volunteer := staff.Account{ID: 4, Network: 7, Role: staff.Volunteer}
	manager := staff.Account{ID: 5, Network: 7, Role: staff.CampaignManager}
	stranger := staff.Account{ID: 6, Network: 8, Role: staff.SeniorLinkWorker}
	in := func(s State) Referral { return Referral{Network: 7, State: s, ClaimedBy: 1} }
	urgent := Referral{Network: 7, State: InSupport, ClaimedBy: 4, Urgent: true}
	for i, c := range []struct {
		who  staff.Account
		r    Referral
		c    Change
		want error
	}{
		{worker, in(InSupport), AddGoal{}, nil},
		{senior, in(InSupport), AddGoal{}, nil},
		{other, in(InSupport), AddGoal{}, ErrTaken},
		{manager, in(InSupport), AddGoal{}, staff.ErrDenied},
		{stranger, in(InSupport), AddGoal{}, staff.ErrNotFound},
		{volunteer, urgent, AddGoal{}, staff.ErrDenied},
		{worker, in(Contacting), AddGoal{}, ErrNotNow},
		{worker, in(Closed), SetGoal{}, ErrNotNow},
		{worker, in(InSupport), AddMeasure{}, nil},
		{other, in(InSupport), AddMeasure{}, ErrTaken},
		{worker, in(Onward), AddMeasure{}, ErrNotNow},
		{worker, in(InSupport), AddIntervention{}, nil},
		{worker, in(Closed), AddIntervention{}, ErrNotNow},
		{worker, in(Onward), AddOnward{}, nil},
		{worker, in(Closed), AddOnward{}, ErrNotNow},
		{worker, in(Closed), SetOnward{}, nil}, // whether they started is known later
		{other, in(Closed), SetOnward{}, ErrTaken},
		{worker, in(Declined), SetOnward{}, ErrNotNow},
		{worker, in(Onward), Remove{Kind: OnwardEntry}, nil},
		{worker, in(Onward), Remove{Kind: GoalEntry}, ErrNotNow},
		{other, in(Contacting), AddTask{}, nil}, // whoever takes the call
		{volunteer, in(New), AddTask{}, nil},
		{other, in(Closed), AddTask{}, ErrNotNow},
		{other, in(Closed), TickTask{}, nil},
		{manager, in(New), AddTask{}, staff.ErrDenied},
	} {
		if got := MayRecord(c.who, c.r, c.c); !errors.Is(got, c.want) {
			t.Errorf("%d: %s, %s by %s: %v, want %v", i, c.c.Name(), c.r.State, c.who.Role, got, c.want)
		}
	}
	for _, c := range []struct {
		who  staff.Account
		r    Referral
		want error
	}{{worker, urgent, nil}, {volunteer, urgent, ErrNotTheirs}, {volunteer, in(New), nil}, {manager, in(New), ErrNotTheirs}, {stranger, in(New), ErrNotTheirs}, {staff.Account{}, in(New), ErrNotTheirs}} {
		if got := MayDo(c.who, c.r); !errors.Is(got, c.want) {
			t.Errorf("a task for %s: %v, want %v", c.who.Role, got, c.want)
		}
	}
}

func TestChanges_check(t *testing.T) {
	const today = Day("2026-06-04")
	long := FreeText(strings.Repeat("é", MaxEntry+1))
	onward := OnwardReferral{Place: "Elm House", How: ByThemselves, State: Suggested, Day: today}
	with := func(change func(*OnwardReferral)) AddOnward { o := onward; change(&o); return AddOnward{o} }
	scores := func(day Day, of Instrument, m map[string]int) AddMeasure {
		return AddMeasure{Measure{Day: day, Scores: m}, of}
	}
	for i, c := range []struct {
		c    Change
		want string // the fields that cannot be taken
	}{
		{AddTask{Task{Kind: PlainTask, Words: "ring", Due: today}}, ""},
		{AddTask{Task{Kind: FollowUp, Words: "ring", Due: "2026-06-03"}}, "due"},
		{AddTask{Task{Kind: "x"}}, "words due kind"},
		{AddTask{Task{Kind: PlainTask, Words: long, Due: today}}, "words"},
		{AddGoal{Goal{Words: "get out more"}}, ""},
		{AddGoal{}, "words"},
		{SetGoal{State: Reached}, ""},
		{SetGoal{State: "won"}, "state"},
		{AddOnward{onward}, ""},
		{with(func(o *OnwardReferral) { o.Place = "" }), "place"},
		{with(func(o *OnwardReferral) { o.Place, o.Service = "", 5 }), ""},
		{with(func(o *OnwardReferral) { o.How, o.State = "", "" }), "how state"},
		{with(func(o *OnwardReferral) { o.Day = "2026-06-05" }), "day"},
		{with(func(o *OnwardReferral) { o.State = DidNotStart }), "why"},
		{with(func(o *OnwardReferral) { o.State, o.Why = DidNotStart, "too far" }), ""},
		{SetOnward{State: Started}, ""},
		{SetOnward{State: DidNotStart}, "why"},
		{SetOnward{}, "state"},
		{AddIntervention{Intervention{Kind: "advocacy", Day: today, Minutes: 30}}, ""},
		{AddIntervention{Intervention{Day: today, Minutes: -1}}, "kind minutes"},
		{AddIntervention{Intervention{Kind: "advocacy", Minutes: MaxMinutes + 1}}, "day minutes"},
		{scores(today, ONS4, map[string]int{"happy": 0, "anxious": 10}), ""}, // two were not answered
		{scores(today, ONS4, map[string]int{"happy": 11}), "happy"},
		{scores(today, ONS4, map[string]int{"happy": -1}), "happy"},
		{scores(today, ONS4, nil), "scores"},
		{scores("", Instrument{}, nil), "day kind"},
		{scores(today, ONS4, map[string]int{"lonely": 1}), "scores"},
		{scores(today, Loneliness, map[string]int{"lonely": 5, "left_out": 3}), ""},
		{scores(today, Loneliness, map[string]int{"lonely": 0, "left_out": 4}), "left_out lonely"},
		{Remove{Kind: MeasureEntry}, ""},
		{Remove{Kind: "task"}, "entry"},
		{TickTask{}, ""},
	} {
		var got []string
		for _, f := range c.c.Check(today) {
			if f.Sentence == "" {
				t.Errorf("%d: %s has no sentence", i, f.Field)
			}
			got = append(got, f.Field)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%d: %s: got %v, want %q", i, c.c.Name(), got, c.want)
		}
	}
}

func TestReasonKept(t *testing.T) {
	for i, c := range []struct {
		was  State
		c    Contact
		want Discharge
	}{
		{InSupport, Contact{Event: Close, Reason: LostContact}, LostContact},
		{InSupport, Contact{Event: Close}, NotSaid},
		{InSupport, Contact{Event: SendOnward}, PassedOn},
		{InSupport, Contact{Event: Escalate, Reason: LostContact}, NotSaid},
		{Claimed, Contact{Event: Close, Reason: NeedsMet}, NotSaid}, // nobody was in support
		{Claimed, Contact{Event: SendOnward}, NotSaid},
	} {
		if got := ReasonKept(c.was, c.c); got != c.want {
			t.Errorf("%d: got %q, want %q", i, got, c.want)
		}
	}
	for _, d := range Discharges {
		if d.Words != d.Reason.Words() || d.Words == "" {
			t.Errorf("%s has no words", d.Reason)
		}
	}
}

func TestCompare(t *testing.T) {
	m := func(id int64, day Day, scores map[string]int) Measure {
		return Measure{ID: EntryID(id), Day: day, Scores: scores}
	}
	// In any order; the first answer to each question stands beside the last.
	got := Compare(ONS4, []Measure{
		m(3, "2026-08-01", map[string]int{"satisfied": 7, "worthwhile": 4, "anxious": 3}),
		m(1, "2026-06-01", map[string]int{"satisfied": 3, "anxious": 8}),
		m(2, "2026-07-01", map[string]int{"satisfied": 2, "worthwhile": 4, "happy": 5}),
	})
	want := []Comparison{
		{Words: ONS4.Questions[0].Words, Before: "3", After: "7", BeforeOn: "2026-06-01", AfterOn: "2026-08-01", Change: "Better by 4", Direction: Better},
		{Words: ONS4.Questions[1].Words, Before: "4", After: "4", BeforeOn: "2026-07-01", AfterOn: "2026-08-01", Change: "No change"},
		{Words: ONS4.Questions[2].Words, Before: "5", BeforeOn: "2026-07-01"},
		{Words: ONS4.Questions[3].Words, Before: "8", After: "3", BeforeOn: "2026-06-01", AfterOn: "2026-08-01", Change: "Better by 5", Direction: Better},
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("question %d: got %+v, want %+v", i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d lines", len(got))
	}
	lonely := Compare(Loneliness, []Measure{
		m(1, "2026-06-01", map[string]int{"companionship": 1, "left_out": 2, "isolated": 3, "lonely": 4}),
		m(2, "2026-06-01", map[string]int{"companionship": 3, "left_out": 3, "isolated": 3, "lonely": 1}), // later the same day
	})
	if len(lonely) != 5 || lonely[4].Before != "6" || lonely[4].After != "9" || lonely[4].Change != "Worse by 3" || lonely[3].Change != "Worse by 3" ||
		lonely[0].Before != "Hardly ever or never" || lonely[0].After != "Often" || lonely[3].After != "Often or always" {
		t.Errorf("loneliness: %+v", lonely)
	}
	if empty := Compare(ONS4, nil); len(empty) != 4 || empty[0].Before != "" || empty[0].Change != "" {
		t.Errorf("without measures: %+v", empty)
	}
}

func TestInstruments(t *testing.T) {
	if _, ok := Loneliness.TotalIn(map[string]int{"companionship": 1, "left_out": 1, "lonely": 5}); ok {
		t.Error("a sum with an answer missing")
	}
	for want, each := range map[int]int{3: 1, 9: 3} {
		if total, ok := Loneliness.TotalIn(map[string]int{"companionship": each, "left_out": each, "isolated": each}); !ok || total != want {
			t.Errorf("three times %d: %d, want %d", each, total, want)
		}
	}
	if _, ok := ONS4.TotalIn(map[string]int{"satisfied": 1, "worthwhile": 1, "happy": 1, "anxious": 1}); ok {
		t.Error("ONS4 has a sum, and must have none")
	}
	for _, i := range []Instrument{ONS4, Loneliness} {
		for _, q := range i.Questions {
			if len(q.Answers) > 0 && len(q.Answers) != q.High-q.Low+1 || q.Says(q.High) == "" || q.MoreIs == 0 {
				t.Errorf("%s: its answers do not fit", q.Item)
			}
		}
	}
	m, bad := OwnMeasure{Name: " My  star ", Questions: []string{"Money?", " ", "Friends?"}, Low: 1, High: 10, MoreIs: Better}.Check()
	if len(bad) > 0 || m.Name != "My star" || len(m.Questions) != 2 {
		t.Errorf("%+v, %v", m, bad)
	}
	m.ID = 5
	if i, ok := InstrumentOf(KindOwn, 5, []OwnMeasure{m}); !ok || i.Questions[1].Item != "q2" || i.TotalWords != "Sum (2 to 20)" {
		t.Errorf("%+v, %v", i, ok)
	}
	if _, ok := InstrumentOf(KindOwn, 6, []OwnMeasure{m}); ok {
		t.Error("found another network's")
	}
	if one := (OwnMeasure{Questions: []string{"a"}, High: 5}).Instrument(); one.Total != "" || len(one.TotalOf) != 0 {
		t.Error("one question is summed up")
	}
	for i, c := range []OwnMeasure{{}, {Name: "x", Questions: []string{"q"}, Low: 5, High: 5, MoreIs: Worse}, {Name: "x", Questions: make([]string, 3), High: 1, MoreIs: Worse}, {Name: "x", Questions: []string{"q"}, High: 101, MoreIs: 1}, {Name: "x", Questions: []string{"q"}, High: 3}} {
		if _, bad := c.Check(); len(bad) == 0 {
			t.Errorf("%d: taken", i)
		}
	}
}

func TestParseKinds(t *testing.T) {
	got, err := ParseKinds("Advocacy\r\n\n  Debt   café \nmine\n", []Kind{{"old_code", "Mine"}})
	if err != nil || fmt.Sprint(got) != "[{advocacy Advocacy} {debt_cafe Debt café} {old_code mine}]" {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", " \n ", "a\nA", "!!!", strings.Repeat("x", MaxKindWords+1), strings.Repeat("a b\n", 2), func() (s string) {
		for i := range MaxKinds + 1 {
			s += fmt.Sprintln("kind", i)
		}
		return s
	}()} {
		if got, err := ParseKinds(s, nil); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
	seen := map[string]bool{}
	for _, k := range Kinds {
		if seen[k.Code] || k.Words == "" {
			t.Errorf("%+v", k)
		}
		seen[k.Code] = true
	}
}
