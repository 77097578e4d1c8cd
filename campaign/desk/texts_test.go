package desk

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// spoken uploads a list with people of so many cells of language; start 999 makes it a made-up one.
func (w *world) spoken(start string, cells ...string) campaign.AudienceID {
	w.tb.Helper()
	b := "NHS number,Given name,Family name,Date of birth,Mobile,Practice code,Main spoken language\n"
	for i, cell := range cells {
		b += fmt.Sprintf("%s,Ann,Singh,01/02/1970,077009%05d,N83006,%s\n", nhs(i+1, start), i+1, cell)
	}
	v := w.answer(w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "@x.csv="+b), 201)
	if v["invited"] != float64(len(cells)) {
		w.tb.Fatalf("list %v", v)
	}
	return campaign.AudienceID(v["id"].(float64))
}

// The composer offers the languages that the list holds, ready and ticked; a real list wants each reviewed, and nobody overlooks them.
func TestComposer_languages(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	list := w.spoken("400", "Arabic", "Polish", "English", "Somali", "pl", "")
	form := formDefaults()
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(list)}})
	post := func(path string, status int) string {
		t.Helper()
		rec := w.post(manager, at+path, form)
		if rec.Code != status {
			t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
		}
		return rec.Body.String()
	}
	says := func(page string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %q", want)
			}
		}
	}
	// Without a look at them it is not made.
	says(post("/steps/what", 422), "This list has people who speak Polish and Arabic.")
	page := post("/steps/what/preview", 200)
	arabic, _ := campaign.Ready(lang.Arabic)
	says(page, "Polish (<span lang=\"pl\" dir=\"ltr\">Polski</span>): 2 people", `lang="ar" dir="rtl" spellcheck="false" aria-describedby="text_ar-hint">`+html.EscapeString(arabic.Text)[:30],
		`name="translate" type="checkbox" value="pl" checked`, "A machine made this translation", "No professional has reviewed this translation", "only once a professional has reviewed it",
		"For 2 people the list names no language", "Oluwadamilọla-Małgorzata: a very long name", "characters, 5 parts")
	if strings.Contains(page, `value="cy"`) {
		t.Error("a language is offered that nobody in the list speaks")
	}
	polish, _ := campaign.Ready(lang.Polish)
	form["offered"], form["translate"] = []string{"pl", "ar"}, []string{"pl", "ar"}
	form.Set("text_pl", polish.Text)
	form.Set("text_ar", arabic.Text)
	form.Set("reviewed_pl", "yes")
	page = post("/steps/what", 422)
	says(page, `href="#text_ar"`, "The text in Arabic cannot be sent: no professional has reviewed")
	if strings.Contains(page, `href="#text_pl"`) {
		t.Error("a reviewed translation is refused")
	}
	form.Set("text_pl", "Cześć ((first_name)), tu ((practice)). Odpowiedz TAK. ((link)) ((stop_link))")
	says(post("/steps/what/preview", 200), "your sender cannot be answered")
	form.Set("text_pl", polish.Text)
	form["translate"] = []string{"pl"} // Arabic is left out: those people get English
	rec := w.post(manager, at+"/steps/what", form)
	if rec.Code != 303 {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	// Who comes back finds what was chosen, and what was left out.
	again := w.get(manager, at+"/steps/what").Body.String()
	says(again, `name="translate" type="checkbox" value="pl" checked`, `value="ar">`)
	if strings.Contains(again, `value="ar" checked`) {
		t.Error("a language that was left out is ticked again")
	}
	says(w.get(manager, at).Body.String(), "Polish (reviewed by a professional). Everybody else gets the text in English", `lang="pl" dir="ltr"><span class="wp-phone__part">`)
	// A copy starts with what was chosen.
	copied := w.get(manager, w.made(manager, url.Values{"name": {"Again"}, "list": {fmt.Sprint(list)}, "started_from": {at[strings.LastIndexByte(at, '/')+1:]}})+"/steps/what").Body.String()
	says(copied, `name="translate" type="checkbox" value="pl" checked`, `name="reviewed_pl" type="checkbox" value="yes" checked`)

	// Who changes the English text does not send our translations of another one unawares.
	fresh := url.Values{"text": {campaign.DefaultText + " Really."}}
	page = w.post(manager, w.made(manager, url.Values{"name": {"Other"}, "list": {fmt.Sprint(list)}})+"/steps/what/preview", fresh).Body.String()
	says(page, "you have changed that in English")
	if strings.Contains(page, `value="pl" checked`) {
		t.Error("a translation of another text is ticked")
	}
	// People who are made up may get what nobody reviewed.
	madeUp := w.made(manager, url.Values{"name": {"Made up"}, "list": {fmt.Sprint(w.spoken("999", "Arabic"))}})
	form["offered"], form["translate"] = []string{"ar"}, []string{"ar"}
	if rec := w.post(manager, madeUp+"/steps/what", form); rec.Code != 303 {
		t.Errorf("a made-up list: %d %s", rec.Code, rec.Body)
	}
}

// A text that asks for an answer is refused on the page, by the API and at submission, where the sender is a name.
func TestComposer_replyIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	a := w.listOf(3, "999")
	body := map[string]any{"list": a.ID, "team": w.team.ID, "name": "Spring", "text": campaign.DefaultText + "\nOr reply CALL"}
	asJSON := func() string {
		b, err := json.Marshal(body)
		w.must(err)
		return string(b)
	}
	if v := w.call(manager, 422, "/api/v1/campaigns", asJSON()); !strings.Contains(v["detail"].(string), "your sender cannot be answered") {
		t.Errorf("answer %v", v)
	}
	if page := w.post(manager, w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(a.ID)}})+"/steps/what/preview", url.Values{"text": {body["text"].(string)}}).Body.String(); !strings.Contains(page, "your sender cannot be answered") {
		t.Errorf("the page does not refuse it: %s", page)
	}
	body["text"] = campaign.DefaultText
	body["reminder"] = map[string]any{"text": campaign.DefaultText, "after_days": 7, "translations": map[string]any{"cy": map[string]any{"text": "Atebwch ((link)) ((stop_link))"}}}
	if v := w.call(manager, 422, "/api/v1/campaigns", asJSON()); !strings.Contains(v["detail"].(string), "The reminder in Welsh cannot be sent") {
		t.Errorf("answer %v", v)
	}
	delete(body, "reminder")
	body["translations"] = map[string]any{"tlh": map[string]any{"text": campaign.DefaultText}}
	if v := w.call(manager, 422, "/api/v1/campaigns", asJSON()); !strings.Contains(v["detail"].(string), "tlh") {
		t.Errorf("answer %v", v)
	}
	welsh, _ := campaign.Ready(lang.Welsh)
	body["translations"] = map[string]any{"cy": map[string]any{"text": " " + welsh.Text + "\n", "reviewed": true}}
	c := w.call(manager, 201, "/api/v1/campaigns", asJSON())
	tr := c["steps"].([]any)[0].(map[string]any)["translations"].(map[string]any)["cy"].(map[string]any)
	if tr["text"] != welsh.Text || tr["reviewed"] != true {
		t.Errorf("translation %v", tr)
	}
}
