package campaign

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Whatever is true of somebody: a correction leaves only for who may have had the text, and for nobody who must not be texted. And where nothing
// speaks against it, it leaves.
func TestAdmitCorrection(t *testing.T) {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		yes := func(name string) bool { return rapid.Float64Range(0, 1).Draw(t, name) > .8 }
		why := func(name, code string) string {
			if yes(name) {
				return code
			}
			return ""
		}
		f := CorrectionFacts{
			Texted: Texted{State: rapid.SampledFrom(MessageStates).Draw(t, "state"), Suppressed: why("suppressed", "opted_out"), TakenOut: why("taken out", "deceased"),
				Refused: yes("refused"), Corrected: yes("corrected")},
			Whom:  Whom{Uncorrected: yes("uncorrected")},
			State: CorrectionSending, Held: yes("held"), Quarantined: yes("quarantined"), Stranger: yes("stranger"), Expires: now.Add(time.Hour), From: now, Until: now.Add(time.Hour),
		}
		if yes("stopped") {
			f.State = CorrectionStopped
		}
		if yes("late") {
			f.Expires = now
		}
		if yes("night") {
			f.From = now.Add(time.Hour)
		}
		v := AdmitCorrection(now, f)
		out := f.Suppressed != "" || f.TakenOut != "" || f.Refused || f.Whom.Uncorrected && f.Corrected
		had := slices.Contains([]MessageState{Accepted, Sent, Delivered, Held}, f.Texted.State)
		waits := f.Texted.State == Sending || f.Texted.State == Unknown || f.Held || f.Quarantined || f.From.After(now)
		over := f.State != CorrectionSending || !now.Before(f.Expires)
		may := had && !out && !waits && !over && !f.Stranger
		if (v.Event == Claim) != may {
			t.Fatalf("%+v: %+v", f, v)
		}
		if (out || !had && f.Texted.State != Sending && f.Texted.State != Unknown) && !f.Quarantined && v.Event != Suppress {
			t.Fatalf("out of reach, and not taken out: %+v: %+v", f, v)
		}
		if _, ok := Next(Released, v.Event); !ok || v.Event != Claim && v.Reason == "" {
			t.Fatalf("a verdict that leads nowhere: %+v", v)
		}
		if v.Event == Recall && v.After.Before(now) {
			t.Fatalf("it asks again in the past: %+v", v)
		}
	})
}

// Of those whom a correction is for, nobody is left out who got a text in time, and nobody comes in who got none.
func TestWhom_Among(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 6, 1, 9, minute, 0, 0, time.UTC) }
	rapid.Check(t, func(t *rapid.T) {
		minute, step, language := rapid.IntRange(0, 9), rapid.IntRange(0, 2), rapid.SampledFrom([]lang.Code{lang.English, lang.Polish})
		texted := Texted{State: rapid.SampledFrom(MessageStates).Draw(t, "state"), Step: 1 + step.Draw(t, "step")%2, Language: language.Draw(t, "language"), At: at(minute.Draw(t, "at"))}
		w := Whom{Step: step.Draw(t, "whose"), To: at(minute.Draw(t, "to"))}
		if rapid.Bool().Draw(t, "in one language") {
			w.Language = language.Draw(t, "whose language")
		}
		if rapid.Bool().Draw(t, "since") {
			w.From = at(minute.Draw(t, "from"))
		}
		never := slices.Contains([]MessageState{Planned, Released, Rejected, Suppressed, Expired}, texted.State)
		want := !never && (w.Step == 0 || w.Step == texted.Step) && (w.Language == "" || w.Language == texted.Language) && texted.At.Compare(w.From) >= 0 && texted.At.Compare(w.To) <= 0
		if got := w.Among(texted); got != want {
			t.Fatalf("%+v among %+v: %t", texted, w, got)
		}
	})
}

func TestCorrection_MayApprove(t *testing.T) {
	const writer, second = staff.AccountID(1), staff.AccountID(2)
	k := Correction{State: CorrectionWritten, Wording: Wording{Text: DefaultCorrection}, WrittenBy: writer}
	small, large := Reach{People: 200}, Reach{People: 201}
	dear := Reach{People: 3, Cost: 10, Spent: 91, Budget: 100}
	approve := func(people int, over bool) CorrectionApproval {
		return CorrectionApproval{Approval: Approval{Hash: k.Hash(), People: people}, OverBudget: over}
	}
	for _, c := range []struct {
		name  string
		who   staff.AccountID
		a     CorrectionApproval
		reach Reach
		one   bool
		want  error
	}{
		{"a second person", second, approve(0, false), small, false, nil},
		{"whoever wrote it", writer, approve(200, false), small, false, ErrCorrectionHands},
		{"whoever wrote it, where one may", writer, approve(0, false), small, true, nil},
		{"whoever wrote it, for many", writer, approve(201, false), large, true, ErrCorrectionHands},
		{"many, not typed", second, approve(0, false), large, false, ErrPeople},
		{"many, typed", second, approve(201, false), large, false, nil},
		{"few, typed wrong", second, approve(7, false), small, false, ErrPeople},
		{"nobody", second, approve(0, false), Reach{}, false, ErrNobodyTexted},
		{"another one", second, CorrectionApproval{Approval: Approval{Hash: "x"}}, small, false, ErrCorrectionOther},
		{"too dear", second, approve(0, false), dear, false, ErrOverBudget},
		{"too dear, and said so", second, approve(0, true), dear, false, nil},
	} {
		if err := k.MayApprove(c.who, c.a, false, c.reach, staff.Network{OnePerson: c.one}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// What somebody was shown counts until it has grown; what nobody has shown them counts only if it is so.
	for _, c := range []struct {
		typed int
		shown bool
		now   int
		want  error
	}{
		{24_318, true, 24_306, nil},
		{24_318, false, 24_306, ErrPeople},
		{24_306, false, 24_306, nil},
		{24_318, true, 24_318, nil},
		{24_318, true, 24_319, ErrMorePeople{24_318, 24_319}},
		{24_318, false, 24_319, ErrPeople},
		{0, true, 24_306, ErrPeople},
		{-1, true, 24_306, ErrMorePeople{-1, 24_306}}, // nobody is ever shown it
		{201, true, 199, nil},
		{150, true, 151, ErrMorePeople{150, 151}},
		{150, true, 0, ErrNobodyTexted},
	} {
		if err := k.MayApprove(second, approve(c.typed, false), c.shown, Reach{People: c.now}, staff.Network{}); !errors.Is(err, c.want) {
			t.Errorf("%d typed, shown: %t, %d now: %v, want %v", c.typed, c.shown, c.now, err, c.want)
		}
	}
	if err := k.MayApprove(second, approve(4, false), true, dear, staff.Network{}); !errors.Is(err, ErrOverBudget) {
		t.Errorf("too dear, though it was shown: %v", err)
	}
	if err := k.MayApprove(writer, approve(205, false), true, large, staff.Network{OnePerson: true}); !errors.Is(err, ErrCorrectionHands) {
		t.Errorf("whoever wrote it, though it was shown: %v", err)
	}
	for _, s := range []CorrectionState{CorrectionSending, CorrectionDone, CorrectionStopped} {
		k.State = s
		if err := k.MayApprove(second, approve(0, false), true, small, staff.Network{}); !errors.Is(err, ErrNotNow) {
			t.Errorf("%s: approved: %v", s, err)
		}
	}
}

// What is said in a correction is held to the rules of all texts, but it needs no form, and never a name.
func TestWording_Unsendable(t *testing.T) {
	in := Setting{Network: staff.Network{LinkHost: "https://help.nhs.uk", Sender: "Riverside"}}
	for _, c := range []struct {
		w    Wording
		want string
	}{
		{Wording{Text: DefaultCorrection}, ""},
		{Wording{Text: "Hello ((first_name)), sorry.\n((stop_link))"}, "((first_name))"},
		{Wording{Text: "Sorry."}, "((stop_link))"},
		{Wording{Text: "Sorry. Reply STOP.\n((stop_link))"}, "cannot be answered"},
		{Wording{Text: DefaultCorrection, Translations: map[lang.Code]Translation{lang.Polish: {Text: "Przepraszamy.\n((stop_link))"}}}, "no professional"},
		{Wording{Text: DefaultCorrection, Translations: map[lang.Code]Translation{lang.Polish: {Text: "Przepraszamy.\n((stop_link))", Reviewed: true}}}, ""},
	} {
		var all []string
		for _, e := range c.w.Unsendable(in) {
			all = append(all, e.Error())
		}
		if got := strings.Join(all, "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) || got != "" && !strings.HasPrefix(got, "the correction") {
			t.Errorf("%+v: %q, want %q", c.w, got, c.want)
		}
	}
}
