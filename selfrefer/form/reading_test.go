package form

import (
	"cmp"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// Reading ages, in years. Whoever can read at eleven can read every page, and so can most who are ill or afraid; the mean is what the pages
// have reached, and may only fall.
const (
	oldest     = 11.0
	oldestMean = 6.7
)

// blocks end what stands in one place; what they are not is within a sentence.
var (
	blocks = regexp.MustCompile(`(?i)</?(p|h[1-6]|li|ul|ol|label|legend|div|button|summary|details|fieldset|dt|dd|dl|form|strong|br|section|blockquote|tr|td|th)\b[^>]*>`)
	unsaid = regexp.MustCompile(`(?is)<(nav|header|footer|script|style|option|select|head)\b.*?</(nav|header|footer|script|style|option|select|head)>`)
	marked = regexp.MustCompile(`<[^>]*>`)
)

// places are what stands in the places of a page, without names, which nobody has to understand, and without addresses.
func places(page string) (all []string) {
	_, main, _ := strings.Cut(page, "<main")
	_, main, _ = strings.Cut(main, ">")
	main, _, _ = strings.Cut(main, "</main>")
	for _, s := range blocks.Split(unsaid.ReplaceAllString(main, ""), -1) {
		s = html.UnescapeString(marked.ReplaceAllString(s, ""))
		for _, name := range []string{network.Name, practice.Name, "Sam Roe"} {
			s = strings.ReplaceAll(s, name, "Elm")
		}
		if s = strings.Join(strings.Fields(s), " "); s != "" && !strings.Contains(s, "://") && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// englishPages shows every page once: what a patient reads on the way through, on the ways out, and where something has gone wrong.
func englishPages(t *testing.T) (names []string, pages map[string][]string) {
	s := newSite(t)
	base := link.URL("", known)
	b := s.browser(t)
	pages = map[string][]string{}
	show := func(name, body string) {
		t.Helper()
		if pages[name] = places(body); len(pages[name]) < 2 {
			t.Fatalf("%s is nearly empty: %s", name, text(body))
		}
		names = append(names, name)
	}
	get := func(name, path string) {
		t.Helper()
		_, body := b.get(path)
		show(name, body)
	}
	post := func(name, path string, form url.Values) {
		t.Helper()
		_, body := b.post(path, form)
		show(name, body)
	}
	get("home", "/")
	get("code", "/r")
	post("code, mistaken", "/r", url.Values{"code": {"x"}})
	get("start, without a link", "/help/7")
	get("lost, unknown", link.URL("", unknown))
	get("lost, used", link.URL("", used))
	get("lost, expired", link.URL("", old))
	get("stop", link.StopURL("", known))
	get("stop, unknown", link.StopURL("", unknown))
	for _, why := range stopWhys {
		post("stop, done: "+why, link.StopURL("", known), url.Values{"why": {why}})
	}
	post("stop, undone", link.StopURL("", known), url.Values{"undo": {"1"}})
	for range stopWhys {
		b.post(link.StopURL("", known), url.Values{"undo": {"1"}})
	}
	post("stop, too late", link.StopURL("", known), url.Values{"undo": {"1"}})
	get("start", base)
	b.post(base+"/start", url.Values{})
	b.post(base+"/danger", url.Values{"danger": {"no"}})
	for _, step := range Steps {
		if step.Path == "helper" {
			b.post(base+"/who", url.Values{"for_other": {"yes"}})
		}
		if step.Path == "email" {
			b.post(base+"/channel", url.Values{"channel": {"email"}})
		}
		get(step.Path, base+"/"+step.Path)
	}
	get("urgent", base+"/urgent")
	for path, wrong := range map[string]url.Values{"/danger": {}, "/who": {}, "/helper": {}, "/name": {}, "/email": {}, "/safe": {}, "/number": {"phone": {"1"}}, "/birth": {"birth_date-day": {"40"}}, "/agree": {}, "/tell": {"words": {strings.Repeat("a ", maxWords+1)}}} {
		_, body := b.post(base+path, wrong)
		body = strings.ReplaceAll(body, strings.TrimSpace(strings.Repeat("a ", maxWords+1)), "")
		show(path[1:]+", mistaken", body)
	}
	for _, way := range []string{"email", "text", "call", "visit", "video", ""} {
		b.get(base + "/leave")
		b.post(base+"/start", url.Values{"again": {"1"}})
		answers := url.Values{"agreed": {"yes"}, "channel": {way}, "email": {"sam@example.org"}, "danger": {"no"}, "text_safe": {"no"}, "call_safe": {"no"}, "words": {""}}
		switch way {
		case "text":
			answers.Set("text_safe", "yes")
		case "call", "visit", "video":
			answers.Set("call_safe", "yes")
		}
		if way != "" { // of all pages that check the answers this has most to say
			for _, p := range []string{"danger", "channel", "email", "safe", "agree"} {
				b.post(base+"/"+p, answers)
			}
			get("check, "+way, base+"/check")
		} else {
			b.post(base+"/danger", answers)
			b.post(base+"/safe", answers)
			b.post(base+"/agree", answers)
			get("check, nothing safe", base+"/check")
		}
		if way == "" {
			answers.Set("danger", "yes")
			way = "nothing safe, urgent"
		}
		post("sent, "+way, base+"/send", answers)
	}
	s.set(func() { s.keepFails, s.writesFail = true, true })
	b.get(base + "/leave")
	b.post(base+"/start", url.Values{"again": {"1"}})
	post("kept", base+"/send", full)
	post("stop, down", link.StopURL("", known), url.Values{"why": {"opted_out"}})
	return names, pages
}

// A measure says nothing of sense: people must try the pages. It sees to it that none of them becomes hard unnoticed.
func TestReading(t *testing.T) {
	names, pages := englishPages(t)
	sum := 0.0
	for _, name := range names {
		age := lang.ReadingAge(pages[name])
		if sum += age; age > oldest {
			t.Errorf("%s: a reading age of %.2f years, at most %.0f", name, age, oldest)
		}
		t.Logf("%-28s %5.2f", name, age)
	}
	mean := sum / float64(len(names))
	t.Logf("%d pages, %.2f years in the mean", len(names), mean)
	if mean > oldestMean {
		t.Errorf("a reading age of %.2f years in the mean, at most %.1f: which sentence is new?", mean, oldestMean)
	}
	// For whoever writes the words: the sentences above it, the hardest first. One alone may be: a page is read as a whole.
	var hard []string
	for _, name := range names {
		for _, s := range pages[name] {
			if lang.ReadingAge([]string{s}) > oldest && !slices.Contains(hard, s) {
				hard = append(hard, s)
			}
		}
	}
	slices.SortStableFunc(hard, func(a, b string) int { return cmp.Compare(lang.ReadingAge([]string{b}), lang.ReadingAge([]string{a})) })
	for _, s := range hard {
		t.Logf("%5.1f %s", lang.ReadingAge([]string{s}), s)
	}
}

// The pages are those that they are called.
func TestReading_pages(t *testing.T) {
	names, pages := englishPages(t)
	words := lang.In(lang.English)
	for name, key := range map[string]string{"home": "home.heading", "lost, used": "lost.spent", "lost, unknown": "lost.unknown", "stop, undone": "stop.undone", "stop, too late": "stop.undo.late",
		"stop, done: practice": "stop.done.practice", "start": "start.heading", "helper": "helper.ask", "email": "email.ask", "urgent": "urgent.heading", "tell, mistaken": "frame.problem",
		"check, nothing safe": "check.no_reach", "sent, video": "sent.received", "sent, nothing safe, urgent": "sent.urgent.top", "kept": "kept.down", "stop, down": "stop.down"} {
		if want := words.Say(key); !slices.ContainsFunc(pages[name], func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%s does not say %q: %q", name, want, pages[name])
		}
	}
	for _, step := range Steps {
		if !slices.Contains(names, step.Path) {
			t.Errorf("the question %s is not read", step.Path)
		}
	}
}

// The measure sees what it is meant to see on a page.
func TestReading_places(t *testing.T) {
	got := places(`<head><title>x</title></head><nav>Long navigational words</nav><main class="a"><h1>Stop &amp; go</h1><p>We <b>ring</b> you,` +
		` <a href="tel:1">0151 496 0000</a>.<br>Elm Road Surgery does.</p><select><option>Incomprehensibility</option></select><p>See https://a.test</p><label>Day</label></main><footer>More</footer>`)
	if want := []string{"Stop & go", "We ring you, 0151 496 0000.", "Elm does.", "Day"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
