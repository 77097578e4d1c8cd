package selfrefer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var today = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

func mustBorn(tb testing.TB, iso string) person.BirthDate {
	tb.Helper()
	b, err := person.ParseISO(iso)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestJudge(t *testing.T) {
	agnes, basil := mustBorn(t, "1950-02-01"), mustBorn(t, "1948-07-30")
	found := Matched{Found: true, Born: []person.BirthDate{agnes, basil}}
	alone := Matched{Found: true, Born: []person.BirthDate{agnes}}
	with := func(m Matched, change func(*Matched)) Matched { change(&m); return m }
	link := func(a Answers) Form { return Form{Source: ByLink, Answers: a} }
	for _, c := range []struct {
		name   string
		form   Form
		m      Matched
		lane   Lane
		person int
		urgent bool
		why    string // part of NotMatched, "" means matched
	}{
		{"the first on the number", link(Answers{BirthDate: "1/2/1950"}), found, Verified, 0, false, ""},
		{"the second on the number", link(Answers{BirthDate: "30 July 1948"}), found, Verified, 1, false, ""},
		{"a wrong birth date", link(Answers{BirthDate: "2/2/1950"}), found, Unverified, -1, false, "not the one on the list"},
		{"an unreadable birth date", link(Answers{BirthDate: "spring"}), found, Unverified, -1, false, "cannot be read"},
		{"no birth date", link(Answers{}), found, Unverified, -1, false, "no birth date was given"},
		{"nobody left on the list", link(Answers{BirthDate: "1/2/1950"}), Matched{Found: true}, Unverified, -1, false, "not the one on the list"},
		{"an unknown birth date on the list", link(Answers{}), Matched{Found: true, Born: []person.BirthDate{{}}}, Unverified, -1, false, "no birth date was given"},
		{"a foreign link", link(Answers{BirthDate: "1/2/1950"}), Matched{}, Unverified, -1, false, "not one of ours"},
		{"a spent link", link(Answers{BirthDate: "1/2/1950"}), with(found, func(m *Matched) { m.Spent = true }), Unverified, -1, false, "already"},
		{"an expired link", link(Answers{BirthDate: "1/2/1950"}), with(found, func(m *Matched) { m.Expired = true }), Unverified, -1, false, "expired"},
		{"for someone else", link(Answers{BirthDate: "1/2/1950", ForOther: true}), found, Unverified, -1, false, "someone else"},
		{"the general form", Form{Source: ByGeneral, Answers: Answers{BirthDate: "1/2/1950"}}, found, Unverified, -1, false, "without a link"},
		{"a reply from one person's number", Form{Source: ByReply}, alone, Verified, 0, false, ""},
		{"a reply from a shared number", Form{Source: ByReply}, found, Unverified, -1, false, "several people"},
		{"a reply from nowhere", Form{Source: ByReply}, Matched{}, Unverified, -1, false, "belongs to nobody"},
		{"danger goes first, matched", link(Answers{BirthDate: "1/2/1950", DangerNow: "yes"}), found, Verified, 0, true, ""},
		{"danger goes first, whoever it is", link(Answers{Words: "I want to die"}), Matched{}, Verified, -1, true, "not one of ours"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := Judge(c.form, c.m, today)
			if j.Lane != c.lane || j.Person != c.person || j.Urgent != c.urgent || j.Urgent != (len(j.WhyUrgent) > 0) {
				t.Errorf("got lane %s, person %d, urgent %v %v", j.Lane, j.Person, j.Urgent, j.WhyUrgent)
			}
			if (c.why == "") != (j.NotMatched == "") || !strings.Contains(j.NotMatched, c.why) {
				t.Errorf("got %q, want %q", j.NotMatched, c.why)
			}
		})
	}
}

// TestJudge_neverGuesses: whatever comes in, somebody is matched only by a birth date of their own, and only by a good link.
func TestJudge_neverGuesses(t *testing.T) {
	dates := []string{"1950-02-01", "1948-07-30", "1961-12-24"}
	rapid.Check(t, func(t *rapid.T) {
		var m Matched
		m.Found, m.Spent, m.Expired = rapid.Bool().Draw(t, "found"), rapid.Bool().Draw(t, "spent"), rapid.Bool().Draw(t, "expired")
		for range rapid.IntRange(0, 3).Draw(t, "people") {
			b, _ := person.ParseISO(rapid.SampledFrom(dates).Draw(t, "born"))
			m.Born = append(m.Born, b)
		}
		f := Form{Source: ByLink, Answers: Answers{BirthDate: rapid.SampledFrom(dates).Draw(t, "typed"), Words: rapid.String().Draw(t, "words")}}
		j := Judge(f, m, today)
		if j.Person >= 0 && (!m.Found || m.Spent || m.Expired || m.Born[j.Person].ISO() != f.Answers.BirthDate || j.NotMatched != "") {
			t.Fatalf("matched person %d of %+v", j.Person, m)
		}
		if j.Person < 0 && (j.NotMatched == "" || (j.Lane == Verified) != j.Urgent) {
			t.Fatalf("unmatched, yet lane %s, urgent %v, %q", j.Lane, j.Urgent, j.NotMatched)
		}
	})
}

func TestDanger(t *testing.T) {
	for words, want := range map[string]string{
		"I want to die":                             "suicide or self-harm",
		"I’ve been thinking about SUICIDE":          "suicide or self-harm",
		"i don`t want to\nlive anymore":             "suicide or self-harm",
		"took an overdose last week":                "suicide or self-harm",
		"my husband hits me":                        "violence or abuse",
		"I am scared of him":                        "violence or abuse",
		"we have nothing to eat":                    "no food, warmth or home today",
		"being evicted on friday":                   "no food, warmth or home today",
		"my daughter is not safe":                   "violence or abuse, a child or an adult at risk",
		"chest pain":                                "sounds like an emergency",
		"I would like to join a walking group":      "",
		"my knees are killing the mood on the bus":  "",
		"the gas bill is too high":                  "",
		"I used to be a hitter in cricket":          "",
		"":                                          "",
		"he hits me and I can’t go on, please help": "suicide or self-harm, violence or abuse",
	} {
		if got := strings.Join(Danger(words), ", "); got != want {
			t.Errorf("%q: got %q, want %q", words, got, want)
		}
	}
}

// TestDanger_anyTyping: how somebody types it does not hide it.
func TestDanger_anyTyping(t *testing.T) {
	cries := []string{"i want to die", "he hits me", "i can't go on", "we have no food", "i don't want to live"}
	rapid.Check(t, func(t *rapid.T) {
		cry := rapid.SampledFrom(cries).Draw(t, "cry")
		typed := strings.NewReplacer(" ", rapid.SampledFrom([]string{" ", "  ", "\n", "\t "}).Draw(t, "gap"), "'", rapid.SampledFrom([]string{"'", "’", "`"}).Draw(t, "quote")).Replace(cry)
		if rapid.Bool().Draw(t, "upper") {
			typed = strings.ToUpper(typed)
		}
		typed = rapid.StringMatching(`([a-z]{0,8} )?`).Draw(t, "before") + typed + rapid.SampledFrom([]string{"", ".", "!!", " thanks"}).Draw(t, "after")
		if got, want := Danger(typed), Danger(cry); len(want) == 0 || !slices.Contains(got, want[0]) {
			t.Fatalf("%q: got %v, want %v", typed, got, want)
		}
	})
}

func TestUrgency(t *testing.T) {
	for _, a := range []Answers{{DangerNow: "yes"}, {Words: "he hits me"}, {IfAnother: "I am scared of him"}, {Needs: "no heating"}} {
		if Urgency(a) == nil {
			t.Error("an answer that sounds like danger is not urgent")
		}
	}
	if why := Urgency(Answers{DangerNow: "no", Words: "lonely"}); why != nil {
		t.Errorf("got %v", why)
	}
}

func TestIsStop(t *testing.T) {
	for _, s := range []string{"STOP", "stop", " Stop. ", "STOP!", "“stop”", "Stop please", "stop: no more", "STOPALL", "Unsubscribe", "unsubscribe me", "end", "QUIT", "cancel",
		"opt out", "remove me", "No more texts.", "arret", "STOPIO", "توقف"} {
		if !IsStop(s) {
			t.Errorf("%q does not stop", s)
		}
	}
	for _, s := range []string{"", "yes", "please don't stop", "bus stop", "stopped smoking, need help", "end of my tether", "cancel culture gets me down", "I quit my job", "nonstop worry"} {
		if IsStop(s) {
			t.Errorf("%q stops", s)
		}
	}
}

// FuzzIsStop: whatever surrounds it, a lone STOP is one, and no reply breaks the reader.
func FuzzIsStop(f *testing.F) {
	for _, s := range []string{"", " ", "!", "\"", "STOP\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		IsStop(s)
		Danger(s)
		if !IsStop("stop " + s) {
			t.Errorf("%q after stop hides it", s)
		}
	})
}

// keeper notes what it is given and fails when told to.
type keeper struct {
	forms   []Form
	optOuts []OptOut
	err     error
}

func (k *keeper) Keep(_ context.Context, f Form, judge func(Matched) Judgement) (Receipt, error) {
	k.forms = append(k.forms, f)
	return Receipt{Reference: "ABCD-2345", Urgent: judge(Matched{}).Urgent}, k.err
}

func (k *keeper) OptOut(_ context.Context, o OptOut) error {
	k.optOuts = append(k.optOuts, o)
	return k.err
}

func TestReceiver_Reply(t *testing.T) {
	from, err := person.ParseE164("+447700900001")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		body        string
		stops, asks int
	}{
		{"STOP", 1, 0},
		{"yes please call me", 0, 1},
		{"stop, he hits me", 1, 1},
		{"I can't go on", 0, 1},
	} {
		k := &keeper{}
		r := Receiver{Keeper: k, Now: func() time.Time { return today }}
		if err := r.Reply(t.Context(), Reply{ID: "SM1", Network: 7, From: from, Body: c.body}); err != nil {
			t.Fatal(err)
		}
		if len(k.optOuts) != c.stops || len(k.forms) != c.asks {
			t.Fatalf("%q: %d opt-outs, %d referrals", c.body, len(k.optOuts), len(k.forms))
		}
		for _, o := range k.optOuts {
			if o.Network != staff.NetworkID(7) || o.Phone != from || o.Why != WhyStop || !o.At.Equal(today) {
				t.Errorf("%q: the opt-out is of network %d at %v", c.body, o.Network, o.At)
			}
		}
		for _, f := range k.forms {
			if f.ID != "reply-SM1" || f.Source != ByReply || f.From != from || f.Answers.Words != c.body || !f.At.Equal(today) {
				t.Errorf("%q: got form %q from %s", c.body, f.ID, f.Source)
			}
		}
	}
}

// TestReceiver_notKept: nobody is told that we have what we do not have.
func TestReceiver_notKept(t *testing.T) {
	r := Receiver{Keeper: &keeper{err: ErrNotKept}, Now: func() time.Time { return today }}
	if rc, err := r.Receive(t.Context(), Form{ID: "f"}); !errors.Is(err, ErrNotKept) || rc != (Receipt{}) {
		t.Errorf("got receipt %+v, %v", rc, err)
	}
	if err := r.Reply(t.Context(), Reply{ID: "SM1", Network: 1, Body: "STOP"}); !errors.Is(err, ErrNotKept) {
		t.Errorf("got %v", err)
	}
}
