package desk

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var (
	aPhone = regexp.MustCompile(`(?s)id="somebody">.*?</figure>`)
	aWay   = regexp.MustCompile(`(?:name="person" value="(\d+)" hx-post|\?person=(\d+)#somebody)[^>]*>([^<]*)<`)
	aTag   = regexp.MustCompile(`<[^>]*>`)
)

// onPhone is what stands on the phone of somebody of the list, and the ids behind the ways to others.
func onPhone(tb testing.TB, page string) (words string, ways map[string]string) {
	tb.Helper()
	words = strings.Join(strings.Fields(aTag.ReplaceAllString(aPhone.FindString(page), "")), " ")
	ways = map[string]string{}
	for _, m := range aWay.FindAllStringSubmatch(page, -1) {
		ways[m[3]] = m[1] + m[2]
	}
	return words, ways
}

// The text is shown as it reaches people of the list, one after the other, as it is typed; and to whoever approves it as to whoever made it.
func TestPhone(t *testing.T) {
	w := newWorld(t, nil)
	manager, second := w.by[staff.CampaignManager], w.by[staff.SeniorLinkWorker]
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(w.listOf(3, "999").ID)}})
	form := url.Values{"text": {campaign.DefaultText + "\nReally."}, "reminder": {"Hello ((first_name)). ((link)) No: ((stop_link))"}, "after_days": {"7"}}
	look := func(person string) (string, map[string]string) {
		t.Helper()
		if form["person"] = nil; person != "" {
			form["person"] = []string{"1", person} // the field of the page, and the button
		}
		return onPhone(t, w.sees(w.post(manager, at+"/steps/what/preview", form), 200))
	}
	w.sees(w.post(manager, at+"/steps/what/preview", form), 200, "For the 3 people in this list that makes 9 parts, and costs £0.37: 12.36p for each.", "1 text is longer than usual, up to 5 parts",
		"If nobody answers the first, the reminder makes 4 parts more. Both then cost £0.54: 17.85p for each.")
	words, ways := look("")
	for _, want := range []string{"Row 2 of the file", "From KnowsleyPCN", "First text", "Hello Ann, this is Elm Street Surgery.", "Really.", "Reminder: 7 days later, if there is no answer", "2 parts, 8.24p."} {
		if !strings.Contains(words, want) {
			t.Errorf("the phone does not say %q: %s", want, words)
		}
	}
	if len(ways) != 2 || ways["Person before"] != "" {
		t.Errorf("from the first row one can go to %v", ways)
	}
	dear := ways["The dearest text"]
	words, ways = look(ways["Next person"])
	if !strings.Contains(words, "Row 3 of the file") || !strings.Contains(words, "Hello Siân, this is Prescot Road Medical Centre.") || !strings.Contains(words, "With “â” in it, a part holds 67 letters in place of 153: without, it would be 2 parts.") {
		t.Errorf("the second row: %s", words)
	}
	if first, _ := look(ways["Person before"]); !strings.Contains(first, "Hello Ann,") {
		t.Errorf("the row before: %s", first)
	}
	if last, _ := look(ways["Next person"]); !strings.Contains(last, "Hello Christopher,") {
		t.Errorf("the third row: %s", last)
	}
	if dearest, _ := look(dear); dearest != words {
		t.Errorf("the dearest text: %s", dearest)
	}
	if page := w.post(manager, at+"/steps/what/preview", form).Body.String(); strings.Contains(page, "Singh") || strings.Contains(page, "9000") {
		t.Error("more than the text shows is on the page")
	}
	form.Set("text", "No link")
	if page := w.sees(w.post(manager, at+"/steps/what/preview", form), 200, "as soon as it can be sent"); aPhone.MatchString(page) {
		t.Error("what cannot be sent is shown on a phone")
	}

	w.saveAll(manager, at, url.Values{"text": {campaign.DefaultText}})
	mine, ways := onPhone(t, w.sees(w.get(manager, at+"/steps/check"), 200, "Llŷr: a name with ŷ", "5 parts"))
	w.sees(w.post(manager, at+"/submit", nil), 303)
	theirs, again := onPhone(t, w.sees(w.get(second, at+"/approve"), 200, "Llŷr: a name with ŷ", "Why some names make a text dearer"))
	if mine != theirs || !strings.Contains(mine, "Hello Ann,") || ways["Next person"] == "" || ways["Next person"] != again["Next person"] {
		t.Errorf("one sees %s %v, the other %s %v", mine, ways, theirs, again)
	}
	if next, _ := onPhone(t, w.get(second, at+"/approve?person="+again["Next person"]).Body.String()); !strings.Contains(next, "Hello Siân,") {
		t.Errorf("whoever approves goes on to %s", next)
	}
	for _, nobody := range []string{"x", "77", "-1"} {
		if first, _ := onPhone(t, w.get(second, at+"/approve?person="+nobody).Body.String()); first != mine {
			t.Errorf("person %s is %s", nobody, first)
		}
	}
	// A practice sees made-up people: who else is in the list is none of its business.
	if page := w.sees(w.get(w.by[staff.PracticeViewer], at+"/practices/N83006"), 200, "Ann: a short name"); strings.Contains(page, "of the file") {
		t.Error("a practice is shown people of the list")
	}
}

// Whoever's list says Arabic gets Arabic, from right to left; whoever's says Somali gets English.
func TestPhone_languages(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(w.spoken("999", "Arabic", "Somali"))}})
	page := w.sees(w.get(manager, at+"/steps/what"), 200)
	if words, ways := onPhone(t, page); !strings.Contains(words, "مرحبًا Ann") || !strings.Contains(aPhone.FindString(page), `lang="ar" dir="rtl"`) || strings.Contains(words, "in it, a part holds") {
		t.Errorf("the first: %s %v", words, ways)
	}
	_, ways := onPhone(t, page)
	arabic, _ := campaign.Ready(lang.Arabic)
	form := url.Values{"text": {campaign.DefaultText}, "offered": {"ar"}, "text_ar": {arabic.Text}, "person": {ways["Next person"]}}
	if words, _ := onPhone(t, w.sees(w.post(manager, at+"/steps/what/preview", form), 200, "Language in the list: Somali.")); !strings.Contains(words, "Hello Ann,") {
		t.Errorf("the second: %s", words)
	}
	form.Del("person")
	if words, _ := onPhone(t, w.sees(w.post(manager, at+"/steps/what/preview", form), 200, "Language in the list: Arabic.")); !strings.Contains(words, "Hello Ann,") {
		t.Errorf("a language that is left out: %s", words)
	}
	form["translate"] = []string{"ar"}
	form.Set("text_ar", "(( broken")
	if words, _ := onPhone(t, w.sees(w.post(manager, at+"/steps/what/preview", form), 200)); !strings.Contains(words, "Hello Ann,") {
		t.Errorf("a language that cannot be sent: %s", words)
	}
}

func TestPence(t *testing.T) {
	for n, want := range map[int64]string{412: "4.12p", 824: "8.24p", 2060: "20.6p", 400: "4p", 5: "0.05p", 9_999: "99.99p", 10_000: "£1.00", 0: "0p"} {
		if got := pence(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
