package desk

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// workbook makes an Excel workbook of the rows of a CSV list, its numbers as numbers.
func workbook(tb testing.TB, list string) string {
	tb.Helper()
	r := csv.NewReader(strings.NewReader(list))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	var sheet strings.Builder
	sheet.WriteString(`<worksheet><sheetData>`)
	number := regexp.MustCompile(`^[1-9][0-9]{8,10}$`)
	for i, row := range rows {
		fmt.Fprintf(&sheet, `<row r="%d">`, i+1)
		for j, c := range row {
			if number.MatchString(c) {
				fmt.Fprintf(&sheet, `<c r="%c%d"><v>%s</v></c>`, 'A'+j, i+1, c)
			} else if c != "" {
				fmt.Fprintf(&sheet, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+j, i+1, strings.ReplaceAll(c, "&", "&amp;"))
			}
		}
		sheet.WriteString(`</row>`)
	}
	sheet.WriteString(`</sheetData></worksheet>`)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="r"><sheets><sheet name="Patients" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   sheet.String(),
	} {
		f, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(f, text)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// stage uploads a file on the page, and gives the page that it leads to.
func (w *world) stage(parts ...string) (at string) {
	w.tb.Helper()
	rec := w.upload(w.by[staff.CampaignManager], "/desk/lists", parts...)
	at = rec.Header().Get("Location")
	if rec.Code != 303 || !strings.HasPrefix(at, "/desk/uploads/") {
		w.tb.Fatalf("%d %s: %s", rec.Code, at, rec.Body)
	}
	return at
}

func (w *world) page(path string, want ...string) string {
	w.tb.Helper()
	rec := w.get(w.by[staff.CampaignManager], path)
	for _, s := range want {
		if !strings.Contains(rec.Body.String(), s) {
			w.tb.Errorf("%s (%d) does not say %q", path, rec.Code, s)
		}
	}
	return rec.Body.String()
}

// A workbook goes the same way as text, through both doors.
func TestUpload_workbook(t *testing.T) {
	w := newWorld(t, nil)
	book := workbook(t, csvOf(700, "999")+"1,Eve,Singh,01/02/1970,07700900999,N83006,\n")
	v := w.answer(w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "@May.xlsx="+book, "name=May list"), 201)
	if v["rows"] != 701.0 || v["invited"] != 700.0 || v["name"] != "May list" || fmt.Sprint(v["rejected"]) != "map[nhs_number_invalid:1]" {
		t.Errorf("answer %v", v)
	}
	at := w.stage("@June.xlsx=" + book)
	w.page(at, "We read the sheet “Patients”", "99••••••", "Check this list")
	body := w.page(at)
	if strings.Contains(body, nhs(0, "999")) {
		t.Error("a whole NHS number is on the page")
	}
	w.confirm(at)
	if a := w.screened(at); a.Ledger.Rows != 701 || a.Ledger.Invited != 700 || a.Name != "June" {
		t.Errorf("list %+v", a)
	}
	// What is wrong with one leaves nothing.
	v = w.answer(w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "@bad.xlsx="+book[:len(book)-50]), 422)
	if v["code"] != "workbook_damaged" {
		t.Errorf("answer %v", v)
	}
	if rec := w.upload(w.by[staff.CampaignManager], "/desk/lists", "@bad.xlsx="+book[:len(book)-50]); rec.Code != 422 {
		t.Errorf("page %d", rec.Code)
	}
	if all, err := w.db.Uploads(context.Background(), w.network.ID, 9); err != nil || len(all) != 0 {
		t.Errorf("left behind %v %v", all, err)
	}
}

// confirm presses the button with the columns as they are shown, and what is added.
func (w *world) confirm(at string, more ...string) {
	w.tb.Helper()
	form := url.Values{"taken": {"today"}}
	body := w.page(at)
	for _, s := range regexp.MustCompile(`(?s)<select[^>]* name="([^"]+)".*?</select>`).FindAllStringSubmatch(body, -1) {
		if v := regexp.MustCompile(`<option value="([^"]*)" selected`).FindStringSubmatch(s[0]); v != nil {
			form.Set(s[1], v[1])
		}
	}
	if v := regexp.MustCompile(`name="name"[^>]* value="([^"]*)"`).FindStringSubmatch(body); v != nil {
		form.Set("name", v[1])
	}
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		form.Set(name, value)
	}
	if rec := w.post(w.by[staff.CampaignManager], at, form); rec.Code != 303 {
		w.tb.Fatalf("confirm: %d %s", rec.Code, rec.Body)
	}
}

// screened waits for the list of an upload.
func (w *world) screened(at string) campaign.Audience {
	w.tb.Helper()
	w.h.launches.Wait()
	var id int64
	rec := w.get(w.by[staff.CampaignManager], at)
	if _, err := fmt.Sscanf(rec.Header().Get("Location"), "/desk/lists/%d", &id); err != nil {
		w.tb.Fatalf("%d: %s", rec.Code, rec.Body)
	}
	a, err := w.db.Audience(context.Background(), w.network.ID, campaign.AudienceID(id))
	w.must(err)
	return a
}

// A file whose columns nobody knows: the page asks, refuses what cannot be, and reads the file as it is told.
func TestUpload_columnsByHand(t *testing.T) {
	w := newWorld(t, nil)
	odd := "who,when,ring,other\n" + nhs(1, "999") + ",01/02/1970,07700900001,07700900002\n"
	at := w.stage("practice=n83014", "@odd.csv="+odd)
	w.page(at, "We did not find a column for", "<strong>NHS number</strong>", "Column 3: ring", "No column says who has died", "01/02/1970", "07•••••••01")
	manager := w.by[staff.CampaignManager]
	form := url.Values{"column-1": {"nhs_number"}, "column-2": {"date_of_birth"}, "name": {"Odd"}, "taken": {"today"}}
	rec := w.post(manager, at, form)
	if rec.Code != 422 || !strings.Contains(rec.Body.String(), "Say which column is “Mobile number”") {
		t.Errorf("without mobiles: %d", rec.Code)
	}
	form.Set("column-3", "mobile")
	form.Set("column-4", "mobile")
	rec = w.post(manager, at, form)
	if rec.Code != 422 || !strings.Contains(rec.Body.String(), "Column 3 already is “Mobile number”") || !strings.Contains(rec.Body.String(), `<option value="date_of_birth" selected`) {
		t.Errorf("two mobiles: %d", rec.Code)
	}
	form.Set("column-4", "")
	form.Set("practice", "X99999")
	if rec = w.post(manager, at, form); rec.Code != 422 {
		t.Errorf("another network's practice: %d", rec.Code)
	}
	form.Set("practice", "N83014")
	if rec = w.post(manager, at, form); rec.Code != 303 {
		t.Fatalf("confirmed: %d %s", rec.Code, rec.Body)
	}
	a := w.screened(at)
	if a.Ledger.Invited != 1 || a.Name != "Odd" {
		t.Errorf("list %+v", a)
	}
	if rec = w.post(manager, at, form); rec.Code != 303 {
		t.Errorf("a second press: %d", rec.Code)
	}
	for path, who := range map[string]staff.Account{at: w.other} {
		if rec := w.get(who, path); rec.Code != 404 {
			t.Errorf("another network sees it: %d", rec.Code)
		}
	}
	if rec := w.get(w.by[staff.LinkWorker], at); rec.Code != 403 {
		t.Errorf("a link worker sees it: %d", rec.Code)
	}
}

// A screening that is broken off says so, leaves nothing that could be launched, and can be started again or thrown away.
func TestUpload_interrupted(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	at := w.stage("@list.csv=" + csvOf(900, "999"))
	w.h.screening <- struct{}{} // another list is being read
	w.confirm(at)
	w.page(at, "Checking the list", `role="status"`, `hx-trigger="every 2s"`, "You can close this page")
	w.page("/desk/lists", "Being checked: 0 rows so far")
	w.h.stop() // the program ends
	w.h.launches.Wait()
	<-w.h.screening
	w.page(at, "was interrupted before it was done", "Check this list", "Throw the file away")
	w.page("/desk/lists", "Interrupted: start it again")
	if all, err := w.db.Audiences(ctx, w.network.ID, 9); err != nil || len(all) != 0 {
		t.Errorf("half a list: %v %v", all, err)
	}
	w.h.background, w.h.stop = context.WithCancel(ctx)
	w.confirm(at)
	if a := w.screened(at); a.Ledger.Invited != 900 {
		t.Errorf("list %+v", a)
	}
	at = w.stage("@list.csv=" + csvOf(30, "999"))
	if rec := w.post(w.by[staff.CampaignManager], at+"/discard", nil); rec.Code != 303 {
		t.Errorf("thrown away: %d", rec.Code)
	}
	if rec := w.get(w.by[staff.CampaignManager], at); rec.Code != 404 {
		t.Errorf("still there: %d", rec.Code)
	}
	// A file that is none is told before anybody looks at its columns.
	if rec := w.upload(w.by[staff.CampaignManager], "/desk/lists", "@list.csv="+header); rec.Code != 422 {
		t.Errorf("without patients: %d", rec.Code)
	}
}

// A list is narrowed on its page and by the API: counted first, then made.
func TestNarrow(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	file := "NHS Number,Given Name,Family Name,Date of Birth,Mobile Telephone,Organisation ODS Code,Sex,Conditions\n"
	for i := range 40 {
		file += fmt.Sprintf("%s,Ann,Singh,%s,07700 %06d,%s,%s,%s\n", nhs(i, "999"), []string{"01/02/1940", "01/02/1990"}[i%2], 900000+i, []string{"N83006", "N83014"}[i/20], []string{"F", "M", ""}[i%3], []string{"", "Frailty"}[i%4/3])
	}
	v := w.answer(w.upload(manager, "/api/v1/lists", "@all.csv="+file), 201)
	at := fmt.Sprintf("/lists/%.0f", v["id"])
	w.page("/desk"+at, "This list was taken from the GP system on Tuesday 2 June and is less than a day old. It can be used until Tuesday 16 June, when it is 14 days old.", "Narrow this list")
	w.page("/desk"+at+"/narrow", "80&#43;: 20 people", "FRAILTY: 10 people", "Elm Street Surgery (N83006): 20 people", "Not known: 13 people")
	form := url.Values{"age_bands": {"80+"}, "practices": {"N83006"}, "do": {"count"}}
	if body := w.post(manager, "/desk"+at+"/narrow", form).Body.String(); !strings.Contains(body, "10 of the 40 in this list would be in the new one") || !strings.Contains(body, `value="80&#43;" checked`) {
		t.Errorf("counted: %s", body)
	}
	form.Set("do", "make")
	rec := w.post(manager, "/desk"+at+"/narrow", form)
	w.h.launches.Wait()
	w.page(rec.Header().Get("Location"), "Of 40 rows in the file, 10 can be texted. 30 are left out", "not in the cohort", "narrowed to: practice N83006; age 80&#43;")
	if rec := w.post(manager, "/desk"+at+"/narrow", url.Values{"do": {"make"}}); rec.Code != 422 {
		t.Errorf("narrowed to all: %d", rec.Code)
	}
	if rec := w.post(manager, "/desk"+at+"/narrow", url.Values{"do": {"count"}, "needs": {"GOUT"}}); rec.Code != 422 {
		t.Errorf("a need that nobody has: %d", rec.Code)
	}
	g := w.answer(w.get(manager, "/api/v1"+at+"/groups"), 200)
	if fmt.Sprint(g["needs"]) != "[map[people:10 value:FRAILTY]]" {
		t.Errorf("groups %v", g)
	}
	if n := w.call(manager, 200, "/api/v1"+at+"/narrow", `{"needs":["FRAILTY"],"dry_run":true}`); n["people"] != 10.0 {
		t.Errorf("dry run %v", n)
	}
	n := w.call(manager, 202, "/api/v1"+at+"/narrow", `{"needs":["FRAILTY"],"sexes":[""],"name":"Frail"}`)
	w.h.launches.Wait()
	n = w.answer(w.get(manager, fmt.Sprintf("/api/v1/lists/%.0f", n["id"])), 200)
	if n["name"] != "Frail" || n["state"] != "screened" || n["invited"] == 0.0 || n["rows"] != 40.0 || n["parent"] != v["id"] || n["screened_at"] != v["screened_at"] {
		t.Errorf("narrowed %v", n)
	}
	w.call(manager, 422, "/api/v1"+at+"/narrow", `{}`)
	c := w.answer(w.get(manager, fmt.Sprintf("/api/v1/lists/%.0f/compare?with=%.0f", n["id"], v["id"])), 200)
	if c["same"] != n["invited"] || c["new"] != 0.0 || c["gone"] != 40-n["invited"].(float64) {
		t.Errorf("compared %v", c)
	}
	w.page(fmt.Sprintf("/desk/lists/%.0f/compare?with=%.0f", n["id"], v["id"]), "In both lists, unchanged", "Gone: only in all")
	if rec := w.get(manager, fmt.Sprintf("/desk/lists/%.0f/compare?with=x", n["id"])); rec.Code != 422 {
		t.Errorf("compared with nothing: %d", rec.Code)
	}
	for _, path := range []string{"/desk" + at + "/narrow", "/api/v1" + at + "/groups", "/api/v1" + at + fmt.Sprintf("/compare?with=%.0f", n["id"])} {
		if rec := w.get(w.other, path); rec.Code != 404 {
			t.Errorf("another network gets %s: %d", path, rec.Code)
		}
	}
	// The program ends while a list is being made: whoever waits for it is told, and nothing of it can be used.
	w.h.stop()
	n = w.call(manager, 202, "/api/v1"+at+"/narrow", `{"sexes":["female"],"name":"Women"}`)
	w.h.launches.Wait()
	w.h.background, w.h.stop = context.WithCancel(context.Background())
	w.page("/desk/lists", "Women", "Interrupted: make it again")
	w.page(fmt.Sprintf("/desk/lists/%.0f", n["id"]), "was interrupted before it was done", "/desk"+at+"/narrow", "Narrow “all” again")
	if n = w.answer(w.get(manager, fmt.Sprintf("/api/v1/lists/%.0f", n["id"])), 200); n["state"] != "interrupted" || n["invited"] != 0.0 {
		t.Errorf("interrupted %v", n)
	}
	if rec := w.get(manager, fmt.Sprintf("/desk/lists/%.0f/narrow", n["id"])); rec.Code != 409 {
		t.Errorf("an interrupted list is narrowed: %d", rec.Code)
	}
	// It grows old.
	for _, want := range []struct {
		after time.Duration
		say   string
	}{{throttle.UsualListAge + time.Hour, "Campaigns stop sending when their list is 14 days old"}, {throttle.LongestListAge + time.Hour, "That is too old: nothing is sent"}} {
		w.now = civil.Add(want.after)
		w.page("/desk"+at, want.say)
	}
}

// The rows of one reason, as a file of their own, in which no cell can be taken for a formula.
func TestNotInvited_byReason(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	v := w.answer(w.upload(manager, "/api/v1/lists", "@x.csv="+csvOf(2, "999")+"1,Eve,=1+1,01/02/1970,07700900999,N83006,\n"+nhs(5, "999")+",Fay,Singh,01/02/1970,,N83006,\n"), 201)
	at := fmt.Sprintf("/lists/%.0f/not-invited.csv", v["id"])
	w.page(fmt.Sprintf("/desk/lists/%.0f", v["id"]), "not-invited.csv?reason=mobile_missing")
	for query, want := range map[string]int{"": 3, "?reason=mobile_missing": 2, "?reason=deceased": 1} {
		rows, err := csv.NewReader(w.get(manager, "/api/v1"+at+query).Body).ReadAll()
		if err != nil || len(rows) != want {
			t.Errorf("%s: %v %v", query, rows, err)
		}
		for _, row := range rows {
			for _, c := range row {
				if strings.ContainsAny(c[:1], "=+-@\t\r") {
					t.Errorf("a formula: %q", c)
				}
			}
		}
	}
	if rec := w.get(manager, "/desk"+at+"?reason=x%22y"); rec.Code != 404 {
		t.Errorf("a reason that is none: %d", rec.Code)
	}
}

// Both samples, turned into workbooks, have the ledgers that they have as text.
func TestImport_samplesAsWorkbooks(t *testing.T) {
	w := newWorld(t, nil)
	for _, name := range []string{"emis-2000.csv", "systmone-2000.csv"} {
		list, err := os.ReadFile(filepath.Join("..", "patientlist", "testdata", name))
		w.must(err)
		text := w.answer(w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "taken_on=2026-06-01", "@x.csv="+string(list)), 201)
		book := w.answer(w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "@x.xlsx="+workbook(t, plainCSV(t, list)), "taken_on=2026-06-01"), 201)
		for _, k := range []string{"rows", "invited", "excluded", "rejected"} {
			if fmt.Sprint(text[k]) != fmt.Sprint(book[k]) {
				t.Errorf("%s: %s %v as text, %v as a workbook", name, k, text[k], book[k])
			}
		}
	}
}

// plainCSV leaves the sample's own reading of quotation marks to the package that reads lists: rows are as many cells as the names.
func plainCSV(tb testing.TB, list []byte) string {
	tb.Helper()
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(list, []byte("\uFEFF"))))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	var out strings.Builder
	c := csv.NewWriter(&out)
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatal(err)
		}
		for i := range row {
			row[i] = strings.ToValidUTF8(row[i], "?")
		}
		_ = c.Write(row)
	}
	c.Flush()
	s := out.String()
	return s
}
