package selfrefer

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var allEvents = []Event{Claim, Release, Attempt, StartSupport, SendOnward, Close, Decline, GiveUp, MarkDuplicate, HandOver, TakeBack, Escalate, Note}

func TestNext(t *testing.T) {
	// The whole life, written out: a transition that is not here does not exist.
	life := map[State]string{
		New:        "claim>claimed escalate>new hand_over>claimed mark_duplicate>duplicate note>new",
		Claimed:    "attempt>contacting close>closed decline>declined escalate>claimed hand_over>claimed mark_duplicate>duplicate note>claimed release>new send_onward>onward start_support>in_support take_back>claimed",
		Contacting: "attempt>contacting close>closed decline>declined escalate>contacting give_up>unreachable hand_over>contacting mark_duplicate>duplicate note>contacting release>new send_onward>onward start_support>in_support take_back>contacting",
		InSupport:  "close>closed escalate>in_support hand_over>in_support note>in_support send_onward>onward take_back>in_support",
	}
	reached := map[State]bool{New: true}
	for _, s := range States {
		var got []string
		for _, e := range allEvents {
			to, ok := Next(s, e)
			if ok != slices.Contains(Events(s), e) {
				t.Errorf("%s: Next and Events disagree about %s", s, e)
			}
			if ok {
				got = append(got, fmt.Sprintf("%s>%s", e, to))
				reached[to] = true
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != life[s] {
			t.Errorf("%s: got %q, want %q", s, got, life[s])
		}
	}
	for _, s := range States {
		if !reached[s] {
			t.Errorf("nothing leads to %s", s)
		}
		if s.Open() && len(Events(s)) == 0 {
			t.Errorf("%s waits for somebody, and nothing can be done", s)
		}
	}
}

// TestNext_promise: a referral leaves the open queue only by a first contact, or by one of the outcomes that say why there was none.
func TestNext_promise(t *testing.T) {
	without := map[State]bool{Unreachable: true, Duplicate: true}
	for _, s := range States {
		for _, e := range Events(s) {
			to, _ := Next(s, e)
			if s.Open() && !to.Open() && e.FirstContact() == without[to] {
				t.Errorf("%s, %s: leaves the queue as %s, first contact %v", s, e, to, e.FirstContact())
			}
			if s.Open() && to.Open() && e.FirstContact() {
				t.Errorf("%s, %s: contacted, yet still waiting", s, e)
			}
		}
	}
}

func TestMay(t *testing.T) {
	worker := staff.Account{ID: 1, Network: 7, Role: staff.LinkWorker}
	other := staff.Account{ID: 2, Network: 7, Role: staff.LinkWorker}
	senior := staff.Account{ID: 3, Network: 7, Role: staff.SeniorLinkWorker}
	volunteer := staff.Account{ID: 4, Network: 7, Role: staff.Volunteer}
	manager := staff.Account{ID: 5, Network: 7, Role: staff.CampaignManager}
	stranger := staff.Account{ID: 6, Network: 8, Role: staff.SeniorLinkWorker}
	gone := staff.Account{ID: 1, Network: 7, Role: staff.LinkWorker, Disabled: true}
	free := Referral{Network: 7, State: New}
	mine := Referral{Network: 7, State: Claimed, ClaimedBy: 1}
	urgent := Referral{Network: 7, State: New, Urgent: true}
	theirs := Referral{Network: 7, State: Claimed, ClaimedBy: 4, Urgent: true}
	handed := Referral{Network: 7, State: Claimed, ClaimedBy: 1, HandedBy: 2}
	for i, c := range []struct {
		who  staff.Account
		r    Referral
		e    Event
		want error
	}{
		{worker, free, Claim, nil},
		{volunteer, free, Claim, nil},
		{senior, free, Claim, nil},
		{worker, mine, Attempt, nil},
		{worker, mine, Close, nil},
		{worker, mine, Release, nil},
		{other, mine, Claim, ErrTaken},
		{other, mine, Attempt, ErrTaken},
		{other, mine, Release, ErrTaken},
		{senior, mine, Release, nil},
		{senior, mine, Close, ErrTaken},
		{worker, urgent, Claim, nil},
		{volunteer, urgent, Claim, staff.ErrDenied},
		{volunteer, theirs, Attempt, staff.ErrDenied},
		{manager, free, Claim, staff.ErrDenied},
		{gone, free, Claim, staff.ErrDenied},
		{staff.Account{}, free, Claim, staff.ErrDenied},
		{stranger, free, Claim, staff.ErrNotFound},
		{stranger, mine, Release, staff.ErrNotFound},
		{worker, mine, HandOver, nil},
		{other, mine, HandOver, ErrTaken},
		{senior, mine, HandOver, nil},
		{senior, free, HandOver, ErrTaken},
		{worker, mine, TakeBack, ErrNotNow},
		{other, handed, TakeBack, nil},
		{worker, handed, TakeBack, ErrNotNow},
		{senior, handed, TakeBack, ErrNotNow},
		{other, handed, Attempt, ErrTaken},
		{worker, mine, Escalate, nil},
		{other, mine, Note, nil}, // whoever takes the call leaves word
		{volunteer, free, Note, nil},
		{volunteer, urgent, Note, staff.ErrDenied},
		{manager, mine, Note, staff.ErrDenied},
		{other, mine, Escalate, ErrTaken},
		{senior, mine, Escalate, nil},
		{volunteer, free, Escalate, nil},
		{volunteer, urgent, Escalate, staff.ErrDenied},
		{stranger, free, Escalate, staff.ErrNotFound},
	} {
		if err := May(c.who, c.r, c.e); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("case %d: account %d, %s: got %v, want %v", i, c.who.ID, c.e, err, c.want)
		}
	}
}

func TestMayBeTold(t *testing.T) {
	at := func(id staff.AccountID, role staff.Role) staff.Account {
		return staff.Account{ID: id, Network: 7, Role: role}
	}
	who, away, gone := at(1, staff.LinkWorker), at(9, staff.SeniorLinkWorker), at(8, staff.LinkWorker)
	away.Network, gone.Disabled = 8, true
	calm, urgent := Referral{Network: 7, State: Claimed, ClaimedBy: 1}, Referral{Network: 7, State: Claimed, ClaimedBy: 1, Urgent: true}
	for _, c := range []struct {
		colleague staff.Account
		r         Referral
		e         Event
		ok        bool
	}{
		{at(2, staff.LinkWorker), calm, HandOver, true}, {at(2, staff.LinkWorker), urgent, HandOver, true}, {at(3, staff.SeniorLinkWorker), urgent, HandOver, true},
		{at(4, staff.Volunteer), calm, HandOver, true}, {at(4, staff.Volunteer), urgent, HandOver, false}, {at(1, staff.LinkWorker), calm, HandOver, false},
		{at(5, staff.Administrator), calm, HandOver, false}, {away, calm, HandOver, false}, {gone, calm, HandOver, false}, {staff.Account{}, calm, HandOver, false},
		{at(3, staff.SeniorLinkWorker), calm, Escalate, true}, {at(2, staff.LinkWorker), calm, Escalate, false}, {at(4, staff.Volunteer), calm, Escalate, false}, {away, calm, Escalate, false},
	} {
		if err := MayBeTold(who, c.colleague, c.r, c.e); (err == nil) != c.ok {
			t.Errorf("%s to a %s %d, urgent %v: %v", c.e, c.colleague.Role, c.colleague.ID, c.r.Urgent, err)
		}
	}
	if MayBeTold(at(3, staff.SeniorLinkWorker), at(3, staff.SeniorLinkWorker), calm, Escalate) == nil {
		t.Error("a senior tells themselves")
	}
}

func TestAgeAt(t *testing.T) {
	r := Referral{Received: today, Due: today.Add(16 * time.Hour)}
	for after, want := range map[time.Duration]Age{0: InTime, 12 * time.Hour: InTime, 12*time.Hour + 1: DueSoon, 16 * time.Hour: DueSoon, 16*time.Hour + 1: Late} {
		if got := r.AgeAt(today.Add(after)); got != want {
			t.Errorf("after %v: got %q, want %q", after, got, want)
		}
	}
	r.Contacted = today.Add(20 * time.Hour)
	if got := r.AgeAt(today.Add(90 * time.Hour)); got != Kept {
		t.Errorf("got %q", got)
	}
}

// TestRedaction: answers do not come out by accident.
func TestRedaction(t *testing.T) {
	a := Answers{Words: "canary", Name: "canary", Phone: "canary"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("form", "answers", a, "form", Form{Answers: a}, "referral", Referral{Answers: a})
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&b, f+f+f+f, a, &a, Form{Answers: a}, Referral{Answers: a})
	}
	if strings.Contains(b.String(), "canary") {
		t.Errorf("printed: %s", b.String())
	}
}
