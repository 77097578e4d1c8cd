package desk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func TestReferralPage_safety(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	open := func(a selfrefer.Answers) reply {
		a.Phone = "07700 900123"
		return b.send(lin, "GET", fmt.Sprint("/desk/referrals/", b.refer(a, selfrefer.Unverified)), "")
	}
	unasked := open(selfrefer.Answers{Name: "Marigold Testperson"})
	unasked.holds(t, 200, "Do NOT leave a message: they have not said", "Do NOT text", "Take care with calling", "Show the number", "Not confirmed", "Came without a link")
	if !inOrder(unasked.body, "Do NOT leave a message", "<details", "07700 900123", "</details>") {
		t.Error("the number is not hidden behind what is safe")
	}
	if !strings.Contains(unasked.body, "Marigold") || strings.Contains(unasked.body[:strings.Index(unasked.body, "</title>")], "Marigold") {
		t.Error("the name is missing, or in the title")
	}
	no := open(selfrefer.Answers{CallSafe: selfrefer.SafeNo, MessageSafe: selfrefer.SafeNo, TextSafe: selfrefer.SafeYes, IfAnother: "you are from the library"})
	no.holds(t, 200, "Do NOT call", "<strong>Do NOT leave a message.</strong>", "It is safe to text.")
	if !inOrder(no.body, "Do NOT call", "you are from the library", "<details", "07700 900123") {
		t.Error("the number comes before what is safe")
	}
	if strings.Contains(no.body, "There is no safe way") {
		t.Error("somebody who may be texted counts as out of reach")
	}
	open(selfrefer.Answers{CallSafe: selfrefer.SafeNo, DangerNow: "unsaid", Agreed: true}).holds(t, 200, "There is no safe way to reach them by phone", "They did not want to say", "sharing these answers with the link workers")
	yes := open(selfrefer.Answers{CallSafe: selfrefer.SafeYes, MessageSafe: selfrefer.SafeYes, TextSafe: selfrefer.SafeNo, Needs: "an interpreter", Language: "Welsh", Reasons: []string{"carer"}})
	yes.holds(t, 200, "It is safe to call.", "You can leave a voice message.", "Do NOT text.", "an interpreter", "Welsh", "Carer", `href="tel:&#43;447700900123"`)
	if !inOrder(yes.body, "It is safe to call.", "07700 900123") || strings.Contains(yes.body, "Show the number") {
		t.Error("the number of somebody who may be called is hidden")
	}
	open(selfrefer.Answers{Words: "There is <b>no food</b>, and I can't go on like this."}).holds(t, 200, "Why it is urgent", `<mark><span class="nhsuk-u-visually-hidden">Sounds like danger: </span>can&#39;t go on</mark>`, "There is &lt;b&gt;<mark>")
}

// A whole case: two tries, hand back, another takes it, support, close; the history tells who, when and what.
func TestReferralPage_case(t *testing.T) {
	b := newBench(t)
	lin, sam, val := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer]
	id := b.refer(selfrefer.Answers{Name: "Marigold Testperson", CallSafe: selfrefer.SafeYes}, selfrefer.Verified)
	path := fmt.Sprint("/desk/referrals/", id)
	post := func(a staff.Account, want int, pairs ...string) reply {
		t.Helper()
		b.pass(10 * time.Minute)
		got := b.send(a, "POST", path, form(pairs...))
		got.holds(t, want)
		return got
	}
	b.send(lin, "GET", path, "").holds(t, 200, ">Claim</button>", "Received", ">Is this a second referral from the same person?<")
	post(lin, 409, "event", "attempt").holds(t, 409, "Nobody has claimed")
	post(lin, 303, "event", "claim")
	post(lin, 422, "asked", "channel").holds(t, 422, "Select what came of it", `href="#event"`)
	post(lin, 422, "event", "attempt", "asked", "channel", "note", "kept in the form").holds(t, 422, "Select how you tried", "kept in the form")
	post(lin, 422, "event", "attempt", "channel", "call", "note", strings.Repeat("é", maxNote+1))
	post(lin, 422, "event", "mark_duplicate", "note", "  ").holds(t, 422, "Enter which referral is the other one", `href="#note"`)
	post(lin, 422, "event", "send_onward", "channel", "call").holds(t, 422, "Enter which service will help them")
	post(lin, 303, "event", "attempt", "channel", "call", "note", "rang <twice>")
	post(lin, 303, "event", "attempt", "channel", "visit")
	b.send(lin, "GET", path, "").holds(t, 200, "You tried 2 times before", "Try 1: not reached, by call", "Try 2: not reached, by visit", "rang &lt;twice&gt;", "We cannot reach them")
	b.send(sam, "GET", path, "").holds(t, 200, "Lin Okafor has had it since 9:25am today", "Take it from Lin Okafor")
	other := b.send(val, "GET", path, "")
	other.holds(t, 200, "Lin Okafor has had it")
	if strings.Contains(other.body, "What came of it?") || strings.Contains(other.body, "Take it from") {
		t.Error("somebody else may work on a claimed referral")
	}
	post(val, 409, "event", "close", "channel", "call").holds(t, 409, "Lin Okafor claimed ")
	if got := post(sam, 303, "event", "release"); got.header.Get("Location") != fmt.Sprint("/desk/queue?state=open&done=release&of=", id) {
		t.Errorf("released: to %s", got.header.Get("Location"))
	}
	post(sam, 303, "event", "claim")
	post(sam, 303, "event", "start_support", "channel", "call", "asked", "channel")
	support := b.send(sam, "GET", path, "")
	support.holds(t, 200, "In support", "Contacted", "Our support has ended")
	if strings.Contains(support.body, "How did you try?") {
		t.Error("asks how they were reached after they were")
	}
	post(sam, 303, "event", "close", "note", "goals met")
	end := b.send(sam, "GET", path, "")
	if !inOrder(end.body, "Closed", "Sam Jones", "goals met", "Reached: in support, by call", "Claimed", "Sam Jones", "Handed back", "Try 2", "Try 1", "Claimed", "Lin Okafor", "Received") {
		t.Error("the history is not in order")
	}
	post(sam, 409, "event", "close").holds(t, 409, "is closed")
	if strings.Contains(b.log.String(), "Marigold") {
		t.Error("the log holds a name")
	}

	var j referralJSON
	if got := b.call(sam, "GET", fmt.Sprint("/referrals/", id), "", &j); got != 200 || j.State != selfrefer.Closed || j.Attempts != 2 || len(j.Contacts) != 7 || j.Contacts[1].Note != "rang <twice>" || j.Name != "Marigold Testperson" || j.Closed == nil {
		t.Errorf("%d %+v", got, j)
	}
}

func TestHighlight(t *testing.T) {
	show := func(s string) string {
		var out strings.Builder
		for _, p := range highlight(s) {
			if p.Danger {
				out.WriteString("[" + p.Text + "]")
			} else {
				out.WriteString(p.Text)
			}
		}
		return out.String()
	}
	for s, want := range map[string]string{
		"":                                  "",
		"I feel lonely.":                    "I feel lonely.",
		"He hits me and I am scared of him": "He [hits me] and I am [scared of him]",
		"I no longer wish to be here at all.\nHelp": "I [no longer wish to be here] at all.\nHelp",
		"suicide": "[suicide]",
	} {
		if got := show(s); got != want {
			t.Errorf("highlight(%q) = %q, want %q", s, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"I", "can't", "go", "on", "no", "food", " ", "\n", "he", "hits", "me.", "é<b>", "end", "my", "life"})).Draw(t, "words"), rapid.SampledFrom([]string{" ", "\n ", "  "}).Draw(t, "space"))
		whole, any := "", false
		for _, p := range highlight(s) {
			whole += p.Text
			any = any || p.Danger
			if p.Danger && len(selfrefer.Danger(p.Text)) == 0 {
				t.Fatalf("%q stands out for nothing", p.Text)
			}
		}
		if whole != s {
			t.Fatalf("%q became %q", s, whole)
		}
		if any != (len(selfrefer.Danger(s)) > 0) {
			t.Fatalf("%q: danger %v, marked %v", s, selfrefer.Danger(s), any)
		}
	})
}

func TestNational(t *testing.T) {
	for e164, want := range map[string]string{"+447700900123": "07700 900123", "+441514960123": "0151 496 0123", "+442079460123": "020 7946 0123", "+441632960123": "01632 960123", "+33123456789": "+33123456789"} {
		p, err := person.ParseE164(e164)
		if err != nil {
			t.Fatal(err)
		}
		if got := national(p); got != want {
			t.Errorf("national(%s) = %s, want %s", e164, got, want)
		}
	}
}

func TestWhen(t *testing.T) {
	h := &Handler{Config: Config{Now: func() time.Time { return time.Date(2026, 3, 30, 7, 0, 0, 0, time.UTC) }}}
	h.zone, _ = time.LoadLocation("Europe/London")
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Time{}, ""},
		{time.Date(2026, 3, 30, 8, 5, 0, 0, time.UTC), "9:05am today"},
		{time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC), "12:30am yesterday"}, // the clocks went forward half an hour later
		{time.Date(2026, 3, 30, 23, 0, 0, 0, time.UTC), "midnight tomorrow"},
		{time.Date(2026, 6, 2, 11, 0, 0, 0, time.UTC), "midday on Tuesday 2 June"},
		{time.Date(2027, 1, 4, 15, 0, 0, 0, time.UTC), "3pm on Monday 4 January 2027"},
	} {
		if got := h.when(c.at); got != c.want {
			t.Errorf("when(%v) = %q, want %q", c.at, got, c.want)
		}
	}
}

// Whoever calls reads all that the form has asked, in words of their own.
func TestAnswers_all(t *testing.T) {
	a := selfrefer.Answers{Reasons: []string{"money"}, ReasonWords: []string{"I cannot pay for food"}, Channel: "video", Email: "sam@example.com", When: []string{"mornings"}, Language: "Polish", Pages: lang.Polish,
		Support: []string{"interpreter", "hearing"}, Needs: "speak slowly", Tell: []string{"practice"}, TellWhom: "my sister Ann", Agreed: true, ForOther: true, Helper: "Kim Roe", HelperIs: "a neighbour", HelperPhone: "0151 496 0001"}
	var said strings.Builder
	for _, row := range answers(selfrefer.Referral{Answers: a}).Rows {
		for _, v := range row.Values {
			said.WriteString(row.Key + ": " + v.Text + "\n")
		}
	}
	for _, want := range []string{"In their words: I cannot pay for food", "Best way to reach them: Video call", "Language to speak: Polish", "Language of the form: Polish", "easier for them: An interpreter", "They do not hear well",
		"need: speak slowly", "tell: Their GP practice", "tell: my sister Ann", "Filled in by: Kim Roe", "a neighbour", "0151 496 0001"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the page does not say %q:\n%s", want, said.String())
		}
	}
	var s referralScreen
	s.safety(selfrefer.Referral{Answers: a})
	if len(s.Safe) != 5 || !strings.Contains(s.Safe[3].Text, "sam@example.com") || !s.Safe[4].Stop {
		t.Errorf("before the number stands %+v", s.Safe)
	}
}
