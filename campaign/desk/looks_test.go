package desk

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Who was shown people of a list, and which, stands on a page of the list; a page that shows nobody leaves nothing there.
func TestLooks(t *testing.T) {
	w := newWorld(t, nil)
	manager, second, admin := w.by[staff.CampaignManager], w.by[staff.SeniorLinkWorker], w.by[staff.Administrator]
	a := w.listOf(3, "999")
	list := fmt.Sprintf("/desk/lists/%d", a.ID)
	w.sees(w.get(manager, list), 200, "/looked", "Who has looked at people in this list")
	w.sees(w.get(manager, list+"/looked"), 200, "Nobody has looked at anybody in it.")
	looks := func(query string) (all []string, next string) {
		t.Helper()
		v := w.answer(w.get(admin, fmt.Sprintf("/api/v1/lists/%d/looked%s", a.ID, query)), 200)
		for _, x := range v["looks"].([]any) {
			l := x.(map[string]any)
			all = append(all, fmt.Sprintf("%v row %v", l["by"].(map[string]any)["name"], l["row"]))
		}
		next, _ = v["next"].(string)
		return all, next
	}
	at := w.made(manager, url.Values{"name": {"Spring"}, "list": {fmt.Sprint(a.ID)}})
	if all, _ := looks(""); len(all) != 0 {
		t.Errorf("nobody was shown, and the audit tells %v", all)
	}
	form := url.Values{"text": {campaign.DefaultText}}
	for range 3 { // the preview of each word that is tried
		_, ways := onPhone(t, w.sees(w.post(manager, at+"/steps/what/preview", form), 200))
		form["person"] = []string{ways["Next person"]}
	}
	w.saveAll(manager, at, url.Values{"text": {campaign.DefaultText}})
	w.sees(w.post(manager, at+"/submit", nil), 303)
	w.sees(w.get(second, at+"/approve"), 200, "Hello Ann,")
	w.sees(w.get(second, at+"/approve"), 200, "Hello Ann,")
	w.sees(w.post(second, at+"/approve", nil), 303)
	for _, p := range w.network.Practices {
		w.call(admin, 200, "/api/v1"+strings.TrimPrefix(at, "/desk")+"/practices/"+p.ODS+"/approve", `{"note":"Dr Ray, by phone today"}`)
	}
	w.sees(w.get(admin, at+"/launch"), 200, "Launch the campaign", "These people are made up")
	w.sees(w.get(admin, at), 200)
	want := "[Sam Senior row 2 Maya Manager row 4 Maya Manager row 3 Maya Manager row 2]"
	all, _ := looks("")
	if fmt.Sprint(all) != want {
		t.Errorf("looked: %v, want %s", all, want)
	}
	if page, next := looks("?limit=3"); len(page) != 3 || next == "" {
		t.Errorf("a page: %v", page)
	} else if rest, end := looks("?limit=3&after=" + url.QueryEscape(next)); fmt.Sprint(rest) != "[Maya Manager row 2]" || end != "" {
		t.Errorf("the next page: %v", rest)
	}
	w.sees(w.get(manager, list+"/looked"), 200, "Row 2: their text, with first name, practice and language", "Sam Senior", "Maya Manager")
	for _, path := range []string{list + "/looked", fmt.Sprintf("/api/v1/lists/%d/looked", a.ID)} {
		if rec := w.get(w.by[staff.LinkWorker], path); rec.Code != 403 {
			t.Errorf("a link worker gets %s: %d", path, rec.Code)
		}
		if rec := w.get(w.other, path); rec.Code != 404 {
			t.Errorf("another network gets %s: %d", path, rec.Code)
		}
		if rec := w.get(manager, path+"?after=x"); rec.Code != 422 {
			t.Errorf("%s goes on behind x: %d", path, rec.Code)
		}
	}
}

// Whoever checks the columns of a file sees its first rows: that is one look at the list that is made of it, however often the page is drawn.
func TestLooks_columns(t *testing.T) {
	w := newWorld(t, nil)
	at := w.stage("@list.csv=" + csvOf(9, "999"))
	for range 3 {
		w.page(at, "The first rows")
	}
	w.confirm(at)
	a := w.screened(at)
	v := w.answer(w.get(w.by[staff.CampaignManager], fmt.Sprintf("/api/v1/lists/%d/looked", a.ID)), 200)["looks"].([]any)
	if len(v) != 1 || v[0].(map[string]any)["first"] != float64(previewRows) {
		t.Errorf("looked: %v", v)
	}
	w.page(fmt.Sprintf("/desk/lists/%d/looked", a.ID), "The first 5 rows of the file, when its columns were checked")
}
