package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// place finds where something stands in the full lists.
func (b *bench) place(about string) (version, entry string) {
	b.tb.Helper()
	e := must(b.db.Edition(context.Background(), b.net.ID))(b.tb)
	full := e.Full()
	for i, l := range full.Lines {
		if l.About() == about || l.Key == about {
			return fmt.Sprint(e.Version), fmt.Sprint(i)
		}
	}
	for i, o := range full.Options {
		if o.About() == about || o.Standard() && o.Code == about {
			return fmt.Sprint(e.Version), fmt.Sprint(i)
		}
	}
	b.tb.Fatalf("%q is in neither list", about)
	return "", ""
}

// press presses a button of the lists.
func (b *bench) press(a staff.Account, part, about, do string) reply {
	b.tb.Helper()
	version, entry := b.place(about)
	return b.send(a, "POST", wordsPath, form("version", version, "part", part, "entry", entry, "do", do))
}

func (b *bench) help(c lang.Code) string {
	b.tb.Helper()
	var out []string
	for _, l := range must(b.db.WordsOf(context.Background(), b.net.ID))(b.tb).Help(c) {
		if l.Key == "" {
			out = append(out, l.Words+" "+l.Href)
		} else {
			out = append(out, l.Key)
		}
	}
	return strings.Join(out, ", ")
}

func TestOwnWordsPages(t *testing.T) {
	b := newBench(t)
	cam, lin, ada := b.who[staff.CampaignManager], b.who[staff.LinkWorker], b.who[staff.Administrator]
	b.send(lin, "GET", wordsPath, "").holds(t, 200, "Samaritans", "116 123", "changed by an administrator", "Nobody can choose: Covid-19.", fmt.Sprintf(`href="/help/%d"`, b.net.ID))
	if page := b.send(lin, "GET", wordsPath, "").body; strings.Contains(page, `action="/desk/words"`) || strings.Contains(page, "Add a ") {
		t.Error("a link worker is offered changes")
	}
	page := b.send(cam, "GET", wordsPath, "")
	page.holds(t, 200, `Hide<span class="nhsuk-u-visually-hidden"> Samaritans`, "Always at the top", "Add a reason")
	for _, word := range []string{"Use all standard words again", "Take the last change back", "Last changed"} {
		if strings.Contains(page.body, word) {
			t.Errorf("with nothing changed the page says %q", word)
		}
	}

	// A line of the network's own, in two languages: first what is wrong with it, then a preview, then it stands there.
	add := wordsPath + "/help/new"
	b.send(cam, "GET", add, "").holds(t, 200, "Add a line of urgent help", "Urdu (اردو)", `name="words-zh-Hans"`)
	b.send(cam, "POST", add, form("version", "0", "do", "save", "by", "call", "number", "0906 1234567", "words-pl", "Linia")).
		holds(t, 422, `href="#words-en"`, "Say in English who that is", `href="#number"`, "cost more", `value="Linia"`)
	own := []string{"version", "0", "by", "call", "number", "0800 145 6570", "words-en", "Riverside <crisis> line", "words-ur", "ہیلپ لائن"}
	b.send(cam, "POST", add, form(append(own, "do", "preview")...)).
		holds(t, 200, "It is not saved yet", "Riverside &lt;crisis&gt; line", `<span lang="ur" dir="rtl">ہیلپ لائن</span>`, `href="tel:08001456570"`)
	if got := b.help(lang.English); strings.Contains(got, "Riverside") {
		t.Errorf("a preview was kept: %s", got)
	}
	b.send(cam, "POST", add, form(append(own, "do", "save")...)).holds(t, 303)
	if got := b.help(lang.Urdu); !strings.HasSuffix(got, "domestic_abuse, ہیلپ لائن tel:08001456570") {
		t.Errorf("patients read %s", got)
	}
	b.send(cam, "GET", wordsPath+"?done=saved", "").holds(t, 200, "Saved. Patients read it", "Last changed by Cam Moore at 9:05am today.", "Written in English, Urdu")
	// Somebody who opened the page before comes too late, but keeps what they typed and can save it.
	late := b.send(ada, "POST", add, form("version", "0", "by", "text", "number", "85258", "words-en", "Late line", "do", "save"))
	late.holds(t, 409, "save again", `value="Late line"`, `name="version" value="1"`)
	_, entry := b.place("Riverside <crisis> line")
	b.send(ada, "POST", wordsPath+"/help/"+entry, form("version", "0", "by", "text", "number", "85258", "words-en", "Late line", "do", "save")).holds(t, 409, "Copy your words")

	// The buttons of the list.
	for range 6 {
		b.press(cam, partHelp, "Riverside <crisis> line", "up").holds(t, 303)
	}
	b.press(cam, partHelp, "Riverside <crisis> line", "up").holds(t, 409) // already the first of those
	b.press(cam, partHelp, "111", "hide").holds(t, 303)
	b.press(cam, partHelp, "samaritans", "hide").holds(t, 422, "There is a problem", "whoever cannot cope")
	b.press(cam, partHelp, "999", "hide").holds(t, 409)
	b.press(cam, partHelp, "relay_18000", "up").holds(t, 409) // not before 999
	b.press(cam, partHelp, "relay_18000", "down").holds(t, 303)
	b.press(cam, partHelp, "bsl_999", "remove").holds(t, 409)
	b.press(cam, partHelp, "shout", "explode").holds(t, 409)
	version, entry := b.place("domestic_abuse")
	b.send(cam, "GET", wordsPath+"/help/"+entry, "").holds(t, 200, "Replace: National Domestic Abuse Helpline", "in the place of this one")
	b.send(cam, "POST", wordsPath+"/help/"+entry, form("version", version, "by", "page", "number", "https://www.example.org/safe", "words-en", "Mersey safe homes", "do", "save")).holds(t, 303)
	if got, want := b.help(lang.English), "999, silent_55, bsl_999, relay_18000, Riverside <crisis> line tel:08001456570, 111_relay, bsl_111, samaritans, shout, Mersey safe homes https://www.example.org/safe"; got != want {
		t.Errorf("patients read %s\nwant          %s", got, want)
	}
	b.send(cam, "GET", wordsPath, "").holds(t, 200, "In the place of: National Domestic Abuse Helpline", "Hidden")
	b.press(cam, partHelp, "Mersey safe homes", "standard").holds(t, 303)
	b.press(cam, partHelp, "111", "show").holds(t, 303)

	// Reasons.
	reason := wordsPath + "/reasons/new"
	v, _ := b.place("coping")
	b.send(cam, "POST", reason, form("version", v, "words-en", strings.Repeat("x", 81), "do", "save")).holds(t, 422, "80 characters", `href="#words-en"`)
	b.send(cam, "POST", reason, form("version", v, "words-en", "I cannot pay for food", "do", "save")).holds(t, 422, `href="#code"`, "one of the 13")
	b.send(cam, "POST", reason, form("version", v, "code", "money", "words-en", "I cannot pay for food", "words-cy", "Ni allaf dalu am fwyd", "do", "save")).holds(t, 303)
	b.press(cam, partReasons, "I cannot pay for food", "up").holds(t, 303)
	b.press(cam, partReasons, "substance", "hide").holds(t, 303)
	b.send(cam, "GET", wordsPath+"?language=cy", "").holds(t, 200, "Nobody can choose: Substance misuse, Covid-19.", `<span lang="cy" dir="ltr">Ni allaf dalu am fwyd</span>`, "Counts as: Financial difficulties", "Preview for somebody who reads Welsh")
	options := must(b.db.WordsOf(context.Background(), b.net.ID))(t).Reasons(lang.English)
	if len(options) != 12 || options[11].Label != "I cannot pay for food" && options[10].Label != "I cannot pay for food" {
		t.Errorf("%+v", options)
	}
	_, entry = b.place("coping")
	b.send(cam, "GET", wordsPath+"/reasons/"+entry, "").holds(t, 404) // the form's translations are not the network's to change
	for _, path := range []string{"/help/0", "/help/99", "/help/-1", "/reasons/x", "/else/new"} {
		b.send(cam, "GET", wordsPath+path, "").holds(t, 404)
	}

	// One press, and all is standard; another, and it is back.
	before := b.help(lang.English)
	v, _ = b.place("coping")
	b.send(ada, "POST", wordsPath, form("version", "1", "do", "standard-all")).holds(t, 409, "Below they are as they stand now")
	b.send(ada, "POST", wordsPath, form("version", v, "do", "standard-all")).holds(t, 303)
	if got := b.help(lang.English); got != "999, silent_55, relay_18000, bsl_999, 111, 111_relay, bsl_111, samaritans, shout, domestic_abuse" {
		t.Errorf("patients read %s", got)
	}
	b.send(ada, "GET", wordsPath, "").holds(t, 200, "Take the last change back")
	v, _ = b.place("coping")
	b.send(ada, "POST", wordsPath, form("version", v, "do", "back")).holds(t, 303)
	if got := b.help(lang.English); got != before {
		t.Errorf("patients read %s\nwant          %s", got, before)
	}

	entries, _, err := b.db.AuditEntries(context.Background(), b.net.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if e := entries[0]; e.Action != "words.edit" || e.Account != ada.ID || !strings.Contains(e.Target, "own lines: 1; reasons hidden: substance; own reasons: 1") {
		t.Errorf("audit: %+v", e)
	}
}

func TestOwnWordsAPI(t *testing.T) {
	b := newBench(t)
	cam, lin := b.who[staff.CampaignManager], b.who[staff.LinkWorker]
	var got, set wordsJSON
	if status := b.call(lin, "GET", "/words", "", &got); status != 200 || got.Version != 0 || len(got.Help) != 10 || got.Help[0].Key != "999" || len(got.Reasons) != 12 || !slices.Equal(got.Missing, []string{"covid"}) || got.ChangedBy != nil {
		t.Errorf("%d %+v", status, got)
	}
	got.Help = append(got.Help, selfrefer.OwnLine{Words: map[lang.Code]string{lang.English: "Our line"}, By: selfrefer.ByText, Number: "60777"})
	got.Reasons[0], got.Reasons[1] = got.Reasons[1], got.Reasons[0]
	put := func(v any, into any) int {
		t.Helper()
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b.call(cam, "PUT", "/words", string(body), into)
	}
	if status := put(got, &set); status != 200 || set.Version != 1 || len(set.Help) != 11 || set.Reasons[0].Code != "mental_health" || set.ChangedBy == nil || set.ChangedBy.Name != "Cam Moore" || !set.ChangedAt.Equal(b.civil().Truncate(time.Millisecond)) {
		t.Errorf("%d %+v", status, set)
	}
	var problem struct{ Code, Detail string }
	if status := put(got, &problem); status != 409 || problem.Code != "changed" { // read before the change
		t.Errorf("%d %+v", status, problem)
	}
	// What the API gives, it takes.
	if status := put(set, &got); status != 200 || got.Version != 2 || b.help(lang.English) != "999, silent_55, relay_18000, bsl_999, 111, 111_relay, bsl_111, samaritans, shout, domestic_abuse, Our line sms:60777" {
		t.Errorf("%d %+v: %s", status, got, b.help(lang.English))
	}
	for body, want := range map[string]string{
		`{"version":2}`: "help or reasons is missing",
		`{"version":2,"help":[{"key":"999","hidden":true}],"reasons":[]}`:                                    "help[0]: Emergencies must stay",
		`{"version":2,"help":[],"reasons":[{"code":"money"},{"code":"pets"}]}`:                               "reasons[1]: Choose one of the 13",
		`{"version":2,"help":[{"words":{"en":"x"},"by":"call","tel":"1"}],"reasons":[]}`:                     "must be one JSON object",
		`{"version":2,"help":[{"key":"111","hidden":true},{"key":"samaritans","hidden":true}],"reasons":[]}`: "help: Keep NHS 111",
	} {
		if status := b.call(cam, "PUT", "/words", body, &problem); status != 422 || !strings.Contains(problem.Detail, want) {
			t.Errorf("%s: %d %+v", body, status, problem)
		}
	}
	if status := b.call(cam, "PUT", "/words", `{"version":2,"help":[],"reasons":[]}`, &got); status != 200 || len(got.Help) != 10 || got.Version != 3 {
		t.Errorf("%d %+v", status, got)
	}
}

func TestOwnWordsBrowser(t *testing.T) {
	if !ui.Built() {
		t.Skip("the styles are not built: run make assets")
	}
	browser := browsertest.Open(t)
	b := newBench(t)
	cam := b.who[staff.CampaignManager]
	words := selfrefer.Words{
		Lines: []selfrefer.OwnLine{{Words: map[lang.Code]string{lang.English: "Riverside crisis line, day and night", lang.Urdu: "ہیلپ لائن، دن رات"}, By: selfrefer.ByPhone, Number: "0800 145 6570"},
			{Key: "shout", Hidden: true}, {Key: "domestic_abuse", Words: map[lang.Code]string{lang.English: "Mersey safe homes"}, By: selfrefer.ByPage, Number: "https://www.a-rather-long-name-for-a-narrow-phone.example.org/help"}},
		Options: []selfrefer.OwnReason{{Code: "money", Labels: map[lang.Code]string{lang.English: "I cannot pay for food or heating"}}},
	}
	must(b.db.SetWords(context.Background(), cam, 0, words))(t)
	enter := func(t *testing.T) *browsertest.Page {
		p := browser.In(t).Page()
		p.Goto(b.server.URL + signInPath)
		p.Fill("#email", cam.Email)
		p.Fill("#password", testPassword)
		p.Follow("main button")
		return p
	}
	t.Run("lists", func(t *testing.T) { enter(t).CheckPage(b.server.URL+wordsPath+"?language=ur", "desk-words") })
	t.Run("new line", func(t *testing.T) { enter(t).CheckPage(b.server.URL+wordsPath+"/help/new", "desk-words-line") })
	t.Run("reason", func(t *testing.T) { enter(t).CheckPage(b.server.URL+wordsPath+"/reasons/new", "desk-words-reason") })

	// Without scripts: what is wrong is said beside the field, what was typed stays, and the line is on the page.
	t.Run("add a line", func(t *testing.T) {
		p := enter(t)
		p.NoScripts()
		p.Goto(b.server.URL + wordsPath + "/help/new")
		p.Fill("#number", "0151 496 0000")
		if status := p.Follow("button[value=save]"); status != 422 || !strings.Contains(p.Text("#words-en-error"), "Say in English") {
			t.Fatalf("%d: %s", status, p.Text("main"))
		}
		p.Fill("#words-en", "Warm rooms, from Monday to Friday")
		if status := p.Follow("button[value=save]"); status != 200 || !strings.Contains(p.Text("main"), "Warm rooms, from Monday to Friday 0151 496 0000") {
			t.Fatalf("%d at %s: %s", status, p.URL(), p.Text("main"))
		}
	})
}
