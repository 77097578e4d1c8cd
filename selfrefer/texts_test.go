package selfrefer

import (
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/throttle"
)

func TestMayText(t *testing.T) {
	invited, err := person.ParseE164("+447700900001")
	if err != nil {
		t.Fatal(err)
	}
	fine := Referral{State: Contacting, Source: ByLink, Answers: Answers{TextSafe: SafeYes}}
	for name, c := range map[string]struct {
		change func(*Referral)
		heard  bool
		want   NoText
	}{
		"":                             {func(*Referral) {}, false, ""},
		"handed back":                  {func(r *Referral) { r.State = New }, false, ""},
		"the invited number, typed":    {func(r *Referral) { r.Answers.Phone = "07700 900 001" }, false, ""},
		"a call is not safe":           {func(r *Referral) { r.Answers.CallSafe = SafeNo }, false, ""},
		"urgent":                       {func(r *Referral) { r.Urgent = true }, false, TextUrgent},
		"something else came":          {func(*Referral) {}, true, TextHeard},
		"not safe":                     {func(r *Referral) { r.Answers.TextSafe = SafeNo }, false, TextUnsafe},
		"unasked":                      {func(r *Referral) { r.Answers.TextSafe = SafeUnasked }, false, TextUnsafe},
		"for somebody else":            {func(r *Referral) { r.Answers.ForOther = true }, false, TextForOther},
		"a wrong birth date":           {func(r *Referral) { r.NotMatched = "the birth date is not the one on the list" }, false, TextUnproven},
		"without a link":               {func(r *Referral) { r.Source = ByGeneral }, false, TextUnproven},
		"a reply":                      {func(r *Referral) { r.Source = ByReply }, false, TextUnproven},
		"another number":               {func(r *Referral) { r.Answers.Phone = "07700 900002" }, false, TextOther},
		"what may be another number":   {func(r *Referral) { r.Answers.Phone = "mum's" }, false, TextOther},
		"reached":                      {func(r *Referral) { r.State, r.Contacted = InSupport, time.Unix(1, 0) }, false, TextReached},
		"reached, and open once more":  {func(r *Referral) { r.Contacted = time.Unix(1, 0) }, false, TextReached},
		"cannot be reached":            {func(r *Referral) { r.State = Unreachable }, false, TextOver},
		"the same request again":       {func(r *Referral) { r.State = Duplicate }, false, TextOver},
		"urgent weighs more than safe": {func(r *Referral) { r.Urgent, r.Answers.TextSafe = true, SafeNo }, true, TextUrgent},
	} {
		r := fine
		c.change(&r)
		if got := MayText(r, invited, c.heard); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := MayText(fine, person.Phone{}, false); got != TextNowhere {
		t.Errorf("without a number: %q", got)
	}
	for attempts, want := range map[int]bool{0: false, 2: false, 3: true, 7: true} {
		if Tried(Referral{Attempts: attempts}) != want {
			t.Errorf("%d attempts: want %v", attempts, want)
		}
	}
}

func TestRunsLate(t *testing.T) {
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.June, day, hour-1, minute, 0, 0, time.UTC)
	} // London
	var c throttle.Calendar
	free := Referral{State: New}
	for name, k := range map[string]struct {
		r                Referral
		told, tried, now time.Time
		want             bool
	}{
		"two working hours before the end": {free, at(3, 17, 0), time.Time{}, at(3, 15, 0), true},
		"a minute sooner":                  {free, at(3, 17, 0), time.Time{}, at(3, 14, 59), false},
		"the evening before":               {free, at(4, 10, 0), time.Time{}, at(3, 16, 0), true},
		"before the week-end":              {free, at(8, 10, 0), time.Time{}, at(5, 16, 30), true},
		"over":                             {free, at(3, 17, 0), time.Time{}, at(3, 17, 0), false},
		"long over":                        {free, at(1, 17, 0), time.Time{}, at(3, 16, 0), false},
		"claimed just now":                 {Referral{State: Claimed, ClaimedBy: 1, ClaimedAt: at(3, 15, 40)}, at(3, 17, 0), time.Time{}, at(3, 16, 0), false},
		"claimed in the morning":           {Referral{State: Claimed, ClaimedBy: 1, ClaimedAt: at(3, 9, 40)}, at(3, 17, 0), time.Time{}, at(3, 16, 0), true},
		"claimed, and handed back":         {Referral{State: New, ClaimedAt: at(3, 15, 40)}, at(3, 17, 0), time.Time{}, at(3, 16, 0), true},
		"tried just now":                   {Referral{State: Contacting, Attempts: 1}, at(3, 17, 0), at(3, 15, 31), at(3, 16, 0), false},
		"tried half an hour ago":           {Referral{State: Contacting, Attempts: 1}, at(3, 17, 0), at(3, 15, 30), at(3, 16, 0), true},
		"who knows already that we tried":  {Referral{State: Contacting, Attempts: 3}, at(3, 17, 0), at(3, 10, 0), at(3, 16, 0), false},
	} {
		if got := RunsLate(c, k.r, k.told, k.tried, k.now); got != k.want {
			t.Errorf("%s: %v", name, got)
		}
		if late := LateBefore(c, k.now); k.want && k.told.After(late) {
			t.Errorf("%s: not found before %v", name, late)
		}
	}
	if late := LateBefore(c, at(3, 10, 0)); late.After(at(3, 12, 2)) || late.Before(at(3, 12, 0)) {
		t.Errorf("at ten, days that end before %v are nearly over", late)
	}
}
