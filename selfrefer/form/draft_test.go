package form

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// again is a site whose program has been started again over the same store.
func (s *site) again(t *testing.T) *site {
	t.Helper()
	s.h.Close()
	other := newSite(t)
	c := other.h.Config
	s.set(func() { other.drafts = s.drafts })
	c.Alone = true
	other.h.Config = c
	return other
}

// Where one process serves alone, answers are there at once and written a moment later: one write for many answers, none for a form that is
// sent meanwhile, and all of them before the program ends.
func TestDraft_behind(t *testing.T) {
	s := newSite(t)
	s.h.Alone = true
	base := link.URL("", known)
	b := s.browser(t)
	b.post(base+"/start", url.Values{})
	b.post(base+"/danger", url.Values{"danger": {"no"}})
	b.post(base+"/who", url.Values{"for_other": {"no"}})
	b.post(base+"/tell", url.Values{"words": {"The rent."}})
	code, body := b.get(base + "/tell")
	b.want(200, code, body, "The rent.")
	saved := func() (n int) { s.set(func() { n = s.saves }); return n }
	if n := saved(); n != 0 {
		t.Errorf("%d drafts were written while somebody writes", n)
	}
	for until := time.Now().Add(10 * time.Second); saved() == 0 && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
	if n := saved(); n != 1 {
		t.Fatalf("four answers took %d writes", n)
	}

	b.post(base+"/tell", url.Values{"words": {"The rent and the bills."}})
	after := s.again(t)
	b.site = after
	code, body = b.get(base + "/tell")
	b.want(200, code, body, "The rent and the bills.")

	// Sent within the moment: nothing of it is written as a draft, and nothing is left.
	quick := newSite(t)
	quick.h.Alone = true
	b = quick.browser(t)
	b.post(base+"/start", url.Values{})
	b.fill(full)
	code, body = b.post(base+"/send", url.Values{})
	b.want(200, code, body, "We have received it")
	quick.h.Close()
	if quick.saves != 0 || len(quick.drafts) != 0 {
		t.Errorf("%d drafts of a form that was sent were written, %d are left", quick.saves, len(quick.drafts))
	}
	if f := quick.only(t); f.Answers.Words != "The bills, mostly." {
		t.Errorf("received %s", jsonOf(f.Answers))
	}

	// The store refuses: memory has the answers, and takes the form.
	s = newSite(t)
	s.h.Alone = true
	b = s.browser(t)
	b.post(base+"/start", url.Values{})
	s.set(func() { s.writesFail, s.readsFail = true, true })
	b.post(base+"/tell", url.Values{"words": {"The rent."}})
	s.h.flush()
	code, body = b.get(base + "/tell")
	b.want(200, code, body, "The rent.")
}

// A page without answers is drawn once for many people. Nobody sees what somebody else has written, and each sees the page of their own
// language, network and way.
func TestDrawn(t *testing.T) {
	s := newSite(t)
	base := link.URL("", known)
	walk := func(from string, words string) (empty, filled string) {
		b := s.browser(t)
		b.accept = "en"
		b.post(from+"/start", url.Values{})
		_, empty = b.get(from + "/tell")
		b.post(from+"/tell", url.Values{"words": {words}})
		b.post(from+"/language", url.Values{"language": {"Somali"}})
		_, filled = b.get(from + "/tell")
		return empty, filled
	}
	first, told := walk(base, "Ann’s secret")
	second, _ := walk(base, "Bob’s secret")
	if first != second {
		t.Error("two people without answers see different pages")
	}
	if !strings.Contains(told, "Ann’s secret") || strings.Contains(second, "Ann’s secret") || strings.Contains(second, known.Reveal()) {
		t.Error("a page that is drawn for many holds what is one person's")
	}
	b := s.browser(t)
	b.post(base+"/start", url.Values{})
	if _, body := b.get(base + "/language"); strings.Contains(body, `value="Somali" selected`) {
		t.Error("somebody sees the language that somebody else has chosen")
	}
	if _, body := b.get(base + "/tell?lang=ar"); !strings.Contains(body, lang.In(lang.Arabic).Say("tell.ask")) {
		t.Error("the page in another language is not drawn anew")
	}
	if general, _ := walk("/help/7", "x"); strings.Contains(general, known.Reveal()) || !strings.Contains(general, `action="tell"`) {
		t.Error("the general form leads to somebody's link")
	}
	// The way back from the first question, and the form's own address, are where they should be.
	_, body := b.get(base + "/danger?lang=en")
	if !strings.Contains(body, `href="./"`) || !strings.Contains(body, `action="danger"`) || !strings.Contains(body, `href="leave"`) {
		t.Errorf("the first question leads elsewhere:\n%s", body)
	}
	if code, body := b.get(base + "/"); code != 200 || !strings.Contains(body, "Talk to a link worker") {
		t.Errorf("the way back leads to status %d", code)
	}
}
