package selfrefer

import (
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func TestLikeNamed(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"Agnes Arkwright", "AGNES Mary Arkwright", true},
		{"Agnes Arkwright", "Arkwright, Agnes", true},
		{"Agnes Arkwright", "Arkwright Agnes", true},
		{"Mrs Agnes Arkwright", "Agnes Arkwright (Mrs)", true},
		{"Siân O'Connor", "Sian O Connor", true},
		{"Anna Smith-Jones", "Anna Smith Jones", true},
		{"Anna Smith-Jones", "Anna SmithJones", true},
		{"Anna Smith-Jones", "Ben Smith-Jones", false}, // twins
		{"Anna Smith Jones", "Ben Smith Jones", false},
		{"Agnes Arkwright", "Basil Arkwright", false},
		{"Agnes", "Agnes", true},
		{"Agnes", "Agnes Arkwright", false},
		{"A Arkwright", "B Arkwright", false},
		{"Vincent van Gogh", "Vincent vanGogh", true},
		{"", "", false},
	} {
		a, b := person.SplitName(c.a), person.SplitName(c.b)
		if LikeNamed(a, b) != c.want || LikeNamed(b, a) != c.want {
			t.Errorf("%q and %q: %v, want %v", c.a, c.b, !c.want, c.want)
		}
	}
}

func TestHeed(t *testing.T) {
	for _, c := range []struct{ a, b, want Safe }{
		{SafeYes, SafeYes, SafeYes}, {SafeYes, SafeNo, SafeNo}, {SafeNo, SafeUnasked, SafeNo}, {SafeYes, SafeUnasked, SafeUnasked}, {SafeUnasked, SafeUnasked, SafeUnasked},
	} {
		for _, pair := range [][2]Safe{{c.a, c.b}, {c.b, c.a}} {
			a := Answers{CallSafe: pair[0], TextSafe: pair[0], MessageSafe: pair[0], IfAnother: "a"}
			a.Heed(Answers{CallSafe: pair[1], TextSafe: pair[1], MessageSafe: pair[1], IfAnother: "a"})
			if a.CallSafe != c.want || a.TextSafe != c.want || a.MessageSafe != c.want || a.IfAnother != "a" {
				t.Errorf("%q and %q: %q %q %q, want %q", pair[0], pair[1], a.CallSafe, a.TextSafe, a.MessageSafe, c.want)
			}
		}
	}
}

func TestGoesOn(t *testing.T) {
	at := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	first, second := Referral{ID: 1, State: New, Received: at}, Referral{ID: 2, State: New, Received: at.Add(time.Hour)}
	with := func(r Referral, change func(*Referral)) Referral { change(&r); return r }
	claimed := func(r *Referral) { r.State, r.ClaimedBy = Claimed, 7 }
	supported := func(r *Referral) { r.State, r.ClaimedBy = InSupport, 7 }
	urgent := func(r *Referral) { r.Urgent = true }
	for i, c := range []struct {
		a, b Referral
		want ReferralID
	}{
		{first, second, 1},
		{first, with(second, urgent), 2},
		{with(first, claimed), with(second, urgent), 1},
		{first, with(second, claimed), 2},
		{with(first, claimed), with(second, supported), 2},
		{with(first, claimed), with(second, claimed), 1},
		{first, with(second, func(r *Referral) { r.Received = at }), 1},
	} {
		for _, pair := range [][2]Referral{{c.a, c.b}, {c.b, c.a}} {
			if on, gone := GoesOn(pair[0], pair[1]); on.ID != c.want || gone.ID != 3-c.want {
				t.Errorf("%d: %d goes on and %d does not", i, on.ID, gone.ID)
			}
		}
	}
}

func TestMayUndo(t *testing.T) {
	at := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	worker, senior := staff.Account{ID: 1, Network: 1, Role: staff.LinkWorker}, staff.Account{ID: 2, Network: 1, Role: staff.SeniorLinkWorker}
	for name, c := range map[string]struct {
		who   staff.Account
		step  Step
		after time.Duration
		may   bool
	}{
		"at once":                 {worker, Step{Close, 1, at, 0}, 0, true},
		"to the last moment":      {worker, Step{Close, 1, at, 0}, UndoFor, true},
		"too late":                {worker, Step{Close, 1, at, 0}, UndoFor + 1, false},
		"another's":               {worker, Step{Close, 2, at, 0}, 0, false},
		"another's, by a senior":  {senior, Step{Close, 1, at, 2}, 0, true},
		"opened by another":       {worker, Step{Close, 1, at, 2}, 0, false},
		"opened by several":       {senior, Step{Close, 1, at, Several}, 0, false},
		"handed over":             {worker, Step{HandOver, 1, at, 0}, 0, false},
		"what a senior was told":  {worker, Step{Escalate, 1, at, 0}, 0, false},
		"nobody of this network":  {staff.Account{ID: 1, Network: 2, Role: staff.LinkWorker}, Step{Close, 1, at, 0}, 0, false},
		"who may no longer do it": {staff.Account{ID: 1, Network: 1, Role: staff.PracticeViewer}, Step{Close, 1, at, 0}, 0, false},
	} {
		if err := MayUndo(c.who, Referral{Network: 1}, c.step, at.Add(c.after)); (err == nil) != c.may {
			t.Errorf("%s: %v", name, err)
		}
	}
}
