package form

import (
	"fmt"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// A network's own numbers and reasons stand on the pages, marked as English where they are not translated; staff read what was chosen.
func TestOwnWords(t *testing.T) {
	s := newSite(t)
	s.own = selfrefer.Words{
		Lines:   []selfrefer.OwnLine{{Key: "samaritans", Hidden: true}, {Words: map[lang.Code]string{lang.English: "Riverside crisis café, every evening:", lang.Polish: "Kawiarnia kryzysowa, co wieczór:"}, By: selfrefer.ByPhone, Number: "0151 496 0999"}},
		Options: []selfrefer.OwnReason{{Code: "money", Labels: map[lang.Code]string{lang.English: "I cannot pay for food"}}, {Code: "substance", Hidden: true}},
	}
	base := link.URL("", known)
	b := s.browser(t)
	code, body := b.get(base)
	b.want(200, code, body, "Riverside crisis café", "0151 496 0999", "Call 999")
	if strings.Contains(body, "116 123") {
		t.Error("a line that the network has hidden is shown")
	}
	code, body = b.get(base + "?lang=pl")
	b.want(200, code, body, "Kawiarnia kryzysowa")
	b.post(base+"/start", url.Values{})
	b.post(base+"/danger", url.Values{"danger": {"no"}})
	code, body = b.get(base + "/reasons?lang=ar")
	b.want(200, code, body, "I cannot pay for food", lang.In(lang.Arabic).Say("reason.money"))
	if !strings.Contains(body, `lang="en">I cannot pay for food`) {
		t.Error("a reason that nobody has translated is read out as Arabic")
	}
	if strings.Contains(body, lang.In(lang.Arabic).Say("reason.substance")) {
		t.Error("a reason that the network has hidden is offered")
	}
	b.post(base+"/reasons", url.Values{"reasons": {"money.i-cannot-pay-for-food", "nonsense", "loneliness"}})
	b.post(base+"/send", url.Values{"call_safe": {"yes"}})
	if a := s.only(t).Answers; !slices.Equal(a.Reasons, []string{"money", "loneliness"}) || !slices.Equal(a.ReasonWords, []string{"I cannot pay for food"}) {
		t.Errorf("kept the reasons %v and the words %v", a.Reasons, a.ReasonWords)
	}
	s.set(func() { s.readsFail = true })
	_, body = s.browser(t).get(base)
	if !strings.Contains(body, "116 123") {
		t.Error("while the database is away nobody is told whom to ring")
	}
}

// Out of hours the pages say so, and when somebody will be there; what is not known is not said.
func TestAway(t *testing.T) {
	s := newSite(t)
	base := link.URL("", known)
	b := s.browser(t)
	const closed = "Nobody is here to answer now"
	if _, body := b.get(base); strings.Contains(body, closed) {
		t.Error("the page says what nobody knows")
	}
	s.set(func() { s.duty = selfrefer.Duty{Next: time.Date(2027, 6, 2, 8, 0, 0, 0, time.UTC)} })
	code, body := b.get(base)
	b.want(200, code, body, closed+". We are back on Wednesday 2 June at 9am.")
	b.post(base+"/start", url.Values{})
	code, body = b.post(base+"/danger", url.Values{"danger": {"yes"}})
	b.want(200, code, body, "Nobody reads this form before you send it", closed)
	code, body = b.get(base + "/urgent?lang=uk")
	b.want(200, code, body, "9:00")
	b.get(base + "/urgent?lang=en")
	code, body = b.post(base+"/send", url.Values{"call_safe": {"yes"}})
	b.want(200, code, body, "top of our list", closed)
	s.set(func() { s.duty = selfrefer.Duty{Open: true, Until: noon.Add(time.Hour)} })
	if _, body := s.browser(t).get(base); strings.Contains(body, closed) {
		t.Error("somebody is there, and the page says nobody")
	}
}

// A link that is passed on to a hundred people, or to a program, does not flood the team, and loses nobody's answers.
func TestSend_passedOn(t *testing.T) {
	s := newSite(t)
	base := link.URL("", known)
	kept, told := 0, 0
	for i := range 100 {
		b := s.browser(t)
		b.from = fmt.Sprintf("192.0.2.%d", i)
		code, body := b.post(base+"/send", url.Values{"words": {fmt.Sprint("Person ", i)}, "call_safe": {"yes"}})
		switch code {
		case 200:
			kept++
		case 429:
			if told++; !strings.Contains(body, fmt.Sprint("Person ", i)) {
				t.Fatal("the answers are gone")
			}
		default:
			t.Fatalf("status %d", code)
		}
	}
	if kept != 20 || told != 80 || len(s.forms) != kept {
		t.Errorf("%d forms by one link were kept, %d were asked to wait", kept, told)
	}
	// One address, by many used links and by none: as many as a house or a surgery could send, not as many as a program can.
	b := s.browser(t)
	b.from = "198.51.100.7"
	kept = 0
	for i := range 100 {
		b.c.Jar, _ = cookiejar.New(nil)
		path := "/help/7/send"
		if i%2 == 0 {
			path = link.URL("", used) + "/send"
		}
		if code, _ := b.post(path, url.Values{"words": {"x"}, "phone": {"07700 900123"}, "call_safe": {"yes"}}); code == 200 {
			kept++
		}
	}
	if kept > 70 || kept < 50 {
		t.Errorf("%d forms from one address were kept", kept)
	}
	// Whoever begins by a used link is led to the other form, not into one that ends nowhere.
	b = s.browser(t)
	code, body := b.post(link.URL("", used)+"/start", url.Values{})
	b.want(410, code, body, "This link does not work any more", "Fill in the form without a link")
}

// A button pressed by mistake can be pressed back; nobody learns from it what others have done.
func TestStop_undo(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	stop := link.StopURL("", known)
	code, body := b.post(stop, url.Values{"undo": {"1"}})
	b.want(410, code, body, "This can no longer be undone here", "0151 496 0001")
	code, body = b.post(stop, url.Values{"why": {"practice"}})
	b.want(200, code, body, "It is done", "We ask your GP practice to stop its other texts too", "Undo: I want these texts")
	if o := s.stops[0]; !o.All || o.Why != selfrefer.WhyStop {
		t.Errorf("kept %+v", o)
	}
	s.set(func() { s.keepFails = true })
	code, body = b.post(stop, url.Values{"undo": {"1"}})
	b.want(503, code, body, "Sorry, we could not do that just now", "Try again")
	s.set(func() { s.keepFails = false })
	code, body = b.post(stop, url.Values{"undo": {"1"}})
	b.want(200, code, body, "The texts are on again")
	if len(s.stops) != 0 {
		t.Error("the opt-out is still in force")
	}
}

// Every page can be left in one press, and leaving forgets what this browser knows.
func TestLeave_everywhere(t *testing.T) {
	s := newSite(t)
	base := link.URL("", known)
	b := s.browser(t)
	b.post(base+"/start", url.Values{})
	for _, path := range []string{"/", "/r", base, base + "/danger", base + "/urgent", link.URL("", used), link.URL("", unknown), link.StopURL("", known), "/help/7"} {
		if _, body := b.get(path); !strings.Contains(body, "data-wp-leave") {
			t.Errorf("%s cannot be left", path)
		}
	}
	b.get("/leave")
	if left := b.c.Jar.Cookies(mustURL(t, s.url)); len(left) != 0 {
		t.Errorf("cookies are left: %v", left)
	}
	if _, body := s.browser(t).get("/"); !strings.Contains(body, "<bdi>https://riverside.test/r/</bdi>") {
		t.Error("in a text from right to left the slash at the end of a link would stand before it")
	}
	if code, body := s.browser(t).get("/"); code != 200 || !strings.Contains(body, "0151 496 0000") {
		t.Error("the page that tells how to check a text gives no number to check it by")
	}
}
