package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/throttle"
)

var _ Store = (*store.DB)(nil)

// Tuesday in British Summer Time.
var civil = time.Date(2026, 6, 2, 9, 30, 0, 0, time.UTC)

// world is a network with its staff in a real store, and the desk's site in front of it.
type world struct {
	tb      testing.TB
	db      *store.DB
	h       *Handler
	site    http.Handler
	network staff.Network
	team    staff.Team
	by      map[staff.Role]staff.Account
	other   staff.Account // administrator of another network
	now     time.Time
	epoch   int64
	dir     string // of the database
}

func newWorld(tb testing.TB, change func(*Config)) *world {
	tb.Helper()
	w := &world{tb: tb, by: map[staff.Role]staff.Account{}, now: civil, dir: tb.TempDir()}
	ctx := context.Background()
	now := func() time.Time { return w.now }
	db, err := store.Open(ctx, store.Config{DataDir: w.dir, Keys: filepath.Join(tb.TempDir(), "keys"), Now: now, Machine: time.Now})
	w.must(err)
	w.db = db
	w.network, err = db.CreateNetwork(ctx, staff.Network{Name: "Knowsley Central PCN", Sender: "KnowsleyPCN", LinkHost: "https://knowsley.example", Phone: "0151 496 0000", Practices: []staff.Practice{
		{ODS: "N83006", Name: "Elm Street Surgery", Phone: "0151 496 0006"}, {ODS: "N83014", Name: "Prescot Road Medical Centre"}}})
	w.must(err)
	w.team, err = db.CreateTeam(ctx, staff.Team{Network: w.network.ID, Name: "Knowsley link workers", PromiseDays: 2})
	w.must(err)
	for i, role := range staff.Roles {
		practices := map[staff.Role]string{staff.PracticeViewer: "N83006"}[role]
		a, err := db.CreateAccount(ctx, staff.Account{Network: w.network.ID, Team: w.team.ID, Practices: practices, Email: fmt.Sprintf("p%d@knowsley.example", i), Name: []string{"Ada Admin", "Maya Manager", "Sam Senior", "Lou Link", "Vic Volunteer", "Pat Practice"}[i], Role: role}, "x")
		w.must(err)
		w.by[role] = a
	}
	far, err := db.CreateNetwork(ctx, staff.Network{Name: "Far PCN", LinkHost: "https://far.example"})
	w.must(err)
	w.other, err = db.CreateAccount(ctx, staff.Account{Network: far.ID, Email: "a@far.example", Name: "Fay", Role: staff.Administrator}, "x")
	w.must(err)
	renderer, err := ui.New(ui.Config{})
	w.must(err)
	c := Config{UI: renderer, Store: db, Now: now, Nav: func(_ staff.Account, path string) []ui.NavItem {
		return []ui.NavItem{{Text: "Patient lists", Href: "/desk/lists", Current: strings.HasPrefix(path, "/desk/lists")}, {Text: "Campaigns", Href: "/desk/campaigns", Current: strings.HasPrefix(path, "/desk/campaigns")}}
	}}
	if change != nil {
		change(&c)
	}
	w.h, err = New(c)
	w.must(err)
	r := chi.NewRouter()
	w.h.Routes(r)
	r.Handle("/static/*", renderer.Static())
	w.site = r
	tb.Cleanup(func() {
		w.h.Close()
		w.must(db.Close())
	})
	return w
}

func (w *world) must(err error) {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) do(who staff.Account, req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.site.ServeHTTP(rec, req.WithContext(staff.With(req.Context(), who)))
	return rec
}

func (w *world) get(who staff.Account, path string) *httptest.ResponseRecorder {
	return w.do(who, httptest.NewRequest("GET", path, nil))
}

func (w *world) post(who staff.Account, path string, form url.Values) *httptest.ResponseRecorder {
	req := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.do(who, req)
}

// call posts JSON, checks the status and reads the answer.
func (w *world) call(who staff.Account, status int, path, body string) map[string]any {
	w.tb.Helper()
	return w.answer(w.do(who, httptest.NewRequest("POST", path, strings.NewReader(body))), status)
}

func (w *world) answer(rec *httptest.ResponseRecorder, status int) map[string]any {
	w.tb.Helper()
	var v map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil || rec.Code != status {
		w.tb.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	return v
}

// upload posts parts in order: "name=value", or "@file name=content".
func (w *world) upload(who staff.Account, path string, parts ...string) *httptest.ResponseRecorder {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		to, err := m.CreateFormField(name)
		if file, ok := strings.CutPrefix(name, "@"); ok {
			to, err = m.CreateFormFile("file", file)
		}
		w.must(err)
		_, err = io.WriteString(to, value)
		w.must(err)
	}
	w.must(m.Close())
	req := httptest.NewRequest("POST", path, &b)
	req.Header.Set("Content-Type", m.FormDataContentType())
	return w.do(who, req)
}

// nhs gives made-up NHS numbers; live ones are outside the range for tests.
func nhs(i int, start string) string {
	for ; ; i += 1000 {
		for d := range 10 {
			s := fmt.Sprintf("%s%06d%d", start, i, d)
			if n, err := person.ParseNHSNumber(s); err == nil {
				return n.Reveal()
			}
		}
	}
}

const header = "NHS Number,Given Name,Family Name,Date of Birth,Mobile Telephone,Organisation ODS Code,Date of Death\n"

// csvOf is a list of n people who can be texted.
func csvOf(n int, start string) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "%s,%s,Singh,01/02/1970,07700 %06d,%s,\n", nhs(i, start), []string{"Ann", "Siân", "Christopher"}[i%3], 900000+i, []string{"N83006", "N83014"}[i%2])
	}
	return b.String()
}

func (w *world) listOf(n int, start string) campaign.Audience {
	w.tb.Helper()
	rec := w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "@people.csv="+csvOf(n, start), "name=Spring list")
	v := w.answer(rec, http.StatusCreated)
	a, err := w.db.Audience(context.Background(), w.network.ID, campaign.AudienceID(v["id"].(float64)))
	w.must(err)
	return a
}

func TestUpload_ledger(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	list := "Report of patients\n\n" + header +
		nhs(1, "400") + ",Ann,Singh,01/02/1970,07700 900001,N83006,\n" +
		nhs(2, "400") + ",Ben,Singh,01/02/1970,07700 900001,N83006,\n" + // the same number
		nhs(1, "400") + ",Ann,Singh,01/02/1970,07700 900003,N83006,\n" + // the same person
		nhs(3, "400") + ",Cat,Singh,01/02/2015,07700 900004,N83006,\n" +
		nhs(4, "400") + ",Dan,Singh,01/02/1930,07700 900005,N83006,01/03/2020\n" +
		"123,Eve,Singh,01/02/1970,07700 900006,N83006,\n" +
		nhs(5, "400") + ",Fay,Singh,01/02/1970,0151 496 0000,N83006,\n"
	v := w.answer(w.upload(manager, "/api/v1/lists", "@C:\\lists\\May.2026.csv="+list), http.StatusCreated)
	if v["rows"] != 7.0 || v["invited"] != 1.0 || v["synthetic"] != false || v["name"] != "May.2026" {
		t.Errorf("ledger %v", v)
	}
	if got := fmt.Sprint(v["excluded"], v["rejected"]); got != "map[deceased:1 duplicate_person:1 shared_number:1 under_age:1] map[mobile_not_mobile:1 nhs_number_invalid:1]" {
		t.Errorf("ledger %s", got)
	}
	at := fmt.Sprintf("/api/v1/lists/%.0f", v["id"])
	if again := w.answer(w.get(manager, at), 200); fmt.Sprint(again) != fmt.Sprint(v) {
		t.Errorf("read again: %v, want %v", again, v)
	}
	rec := w.get(manager, at+"/not-invited.csv")
	lines := strings.Split(strings.TrimSpace(rec.Body.String()), "\n")
	if len(lines) != 7 || !strings.HasPrefix(lines[1], "5,Left out,shared_number,") || !strings.HasPrefix(lines[6], "10,Could not be used,mobile_not_mobile,") {
		t.Errorf("rows not invited, by the line of the file:\n%s", rec.Body)
	}
	page := w.get(manager, fmt.Sprintf("/desk/lists/%.0f", v["id"])).Body.String()
	for _, want := range []string{"Of 7 rows in the file, 1 can be texted. 4 are left out for a good reason, and 2 could not be used.", "Uploaded by Maya Manager at 10:30am on Tuesday 2 June", "not-invited.csv"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "Singh") || strings.Contains(rec.Body.String(), "Singh") {
		t.Error("a patient's name got out")
	}
	for path, who := range map[string]staff.Account{at: w.other, at + "/not-invited.csv": w.other} {
		if rec := w.get(who, path); rec.Code != 404 {
			t.Errorf("another network gets %s: %d", path, rec.Code)
		}
	}
	if rec := w.get(w.by[staff.LinkWorker], "/desk/lists"); rec.Code != 403 {
		t.Errorf("a link worker sees lists: %d", rec.Code)
	}
	if rec := w.get(staff.Account{}, "/api/v1/lists"); rec.Code != 401 {
		t.Errorf("nobody sees lists: %d", rec.Code)
	}
}

func TestUpload_mappingAndPractice(t *testing.T) {
	w := newWorld(t, nil)
	odd := "who,when,ring\n" + nhs(1, "999") + ",01/02/1970,07700900001\n"
	manager := w.by[staff.CampaignManager]
	rec := w.upload(manager, "/api/v1/lists", "practice=n83014", `mapping={"nhs_number":"who","date_of_birth":"when","mobile":"ring"}`, "@odd.csv="+odd, "name=Odd one")
	if v := w.answer(rec, 201); v["invited"] != 1.0 || v["name"] != "Odd one" || v["synthetic"] != true {
		t.Errorf("answer %v", v)
	}
}

// A file that cannot be used is told in one sentence and leaves nothing behind.
func TestUpload_wrongFileChangesNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxUpload = 200_000 })
	manager := w.by[staff.CampaignManager]
	photo := "\xff\xd8\xff\xe0\x00\x10JFIF\x00" + strings.Repeat("\x00\x01\x92\xfe", 4000)
	for _, c := range []struct {
		name  string
		parts []string
		code  string
	}{
		{"photo", []string{"@me.jpg=" + photo}, "file_not_text"},
		{"empty", []string{"@list.csv="}, "file_empty"},
		{"no phones", []string{"@list.csv=NHS number,Date of birth\n1,2\n"}, "no_mobile_column"},
		{"too large", []string{"@list.csv=" + csvOf(100, "400") + strings.Repeat("x,y,z,,,,\n", 40_000)}, "file_too_large"},
		{"too large halfway", []string{"@list.csv=" + csvOf(5000, "400")}, "file_too_large"},
		{"no such column", []string{`mapping={"mobile":"nope"}`, "@list.csv=" + csvOf(1, "400")}, "no_such_column"},
		{"mapping is no JSON", []string{`mapping=mobile`, "@list.csv=" + csvOf(1, "400")}, "invalid"},
		{"mapping of nothing", []string{`mapping={"shoe_size":"x"}`, "@list.csv=" + csvOf(1, "400")}, "invalid"},
		{"mapping too late", []string{"@list.csv=" + csvOf(1, "400"), `mapping={"mobile":"x"}`}, "invalid"},
		{"two files", []string{"@list.csv=" + csvOf(1, "400"), "@list.csv=" + csvOf(2, "400")}, "invalid"},
		{"foreign practice", []string{"practice=N99999", "@list.csv=" + csvOf(1, "400")}, "invalid"},
		{"no file", []string{"name=x"}, "invalid"},
		{"nothing chosen", []string{"@="}, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{tb: t, db: w.db, site: w.site, network: w.network}
			v := w.answer(w.upload(manager, "/api/v1/lists", c.parts...), 422)
			if v["code"] != c.code || v["detail"] == "" {
				t.Errorf("answer %v, want code %s", v, c.code)
			}
			if c.code == "no_mobile_column" || c.code == "no_such_column" {
				return // the page with the columns asks
			}
			rec := w.upload(manager, "/desk/lists", c.parts...)
			if rec.Code != 422 || !strings.Contains(rec.Body.String(), "There is a problem") {
				t.Errorf("page: %d", rec.Code)
			}
			if all, err := w.db.Audiences(context.Background(), w.network.ID, 10); err != nil || len(all) != 0 {
				t.Errorf("left behind: %v %v", all, err)
			}
			if all, err := w.db.Uploads(context.Background(), w.network.ID, 10); err != nil || len(all) != 0 {
				t.Errorf("files left behind: %v %v", all, err)
			}
		})
	}
}

// A torn upload leaves nothing, even when the person is gone.
func TestUpload_tornOff(t *testing.T) {
	w := newWorld(t, nil)
	ctx, gone := context.WithCancel(staff.With(context.Background(), w.by[staff.CampaignManager]))
	body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n" + csvOf(5000, "400")
	torn := io.MultiReader(strings.NewReader(body), readerFunc(func([]byte) (int, error) { gone(); return 0, io.ErrUnexpectedEOF }))
	req := httptest.NewRequest("POST", "/api/v1/lists", torn).WithContext(ctx)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	rec := httptest.NewRecorder()
	w.site.ServeHTTP(rec, req)
	if rec.Code != 422 {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
	if all, err := w.db.Audiences(context.Background(), w.network.ID, 10); err != nil || len(all) != 0 {
		t.Errorf("left behind: %v %v", all, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// Through the door that everybody uses, both sample lists give their true ledger.
func TestImport_samples(t *testing.T) {
	want := campaign.Ledger{Rows: 2000, Invited: 1664,
		Excluded: map[string]int{"deceased": 19, "dissent": 48, "duplicate_person": 27, "shared_number": 83, "under_age": 24},
		Rejected: map[string]int{"date_of_birth_invalid": 14, "mobile_damaged": 12, "mobile_invalid": 16, "mobile_missing": 39, "mobile_not_mobile": 27, "nhs_number_invalid": 27}}
	w := newWorld(t, nil)
	for _, name := range []string{"emis-2000.csv", "systmone-2000.csv"} {
		list, err := os.ReadFile(filepath.Join("..", "patientlist", "testdata", name))
		w.must(err)
		v := w.answer(w.upload(w.by[staff.CampaignManager], "/api/v1/lists", "@x.csv="+string(list), "taken_on=2026-06-01"), 201)
		a, err := w.db.Audience(context.Background(), w.network.ID, campaign.AudienceID(v["id"].(float64)))
		w.must(err)
		if got := a.Ledger; fmt.Sprint(got) != fmt.Sprint(want) || !a.Synthetic {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func (w *world) draft(list campaign.AudienceID) string {
	b, err := json.Marshal(map[string]any{"list": list, "name": "Spring", "text": campaign.DefaultText, "price": "0.0240", "budget": "100", "daily_cap": 20})
	w.must(err)
	return string(b)
}

// The whole life of a campaign through the API.
func TestCampaign_life(t *testing.T) {
	w := newWorld(t, nil)
	a := w.listOf(30, "999")
	manager, second := w.by[staff.CampaignManager], w.by[staff.SeniorLinkWorker]
	c := w.call(manager, 201, "/api/v1/campaigns", w.draft(a.ID))
	at := fmt.Sprintf("/api/v1/campaigns/%.0f", c["id"])
	if p := c["policy"].(map[string]any); c["state"] != "draft" || p["price"] != "0.024" && p["price"] != "0.0240" || p["budget"] != "100.00" || fmt.Sprint(p["windows"].(map[string]any)["friday"]) != "[09:00 17:00]" {
		t.Errorf("draft %v", c)
	}
	refuse := func(who staff.Account, status int, move, body, code string) {
		t.Helper()
		if v := w.call(who, status, at+"/"+move, body); v["code"] != code {
			t.Errorf("%s: %v, want %s", move, v, code)
		}
	}
	refuse(manager, 409, "launch", "", "not_now")
	refuse(w.by[staff.LinkWorker], 403, "submit", "", "denied")
	refuse(w.other, 404, "submit", "", "not_found")
	refuse(manager, 404, "finish", "", "not_found")
	w.call(manager, 200, at+"/submit", "")
	refuse(manager, 409, "approve", "", "same_hand")
	refuse(second, 409, "approve", `{"hash":"another"}`, "changed")
	w.call(second, 200, at+"/approve", fmt.Sprintf(`{"hash":%q}`, c["hash"]))
	refuse(manager, 409, "launch", "{}", "practices_missing")
	refuse(manager, 403, "practices/N83006/approve", "", "denied")
	refuse(w.by[staff.PracticeViewer], 404, "practices/N99999/approve", "", "not_found")
	w.call(w.by[staff.PracticeViewer], 200, at+"/practices/N83006/approve", "")
	w.call(w.by[staff.Administrator], 200, at+"/practices/N83014/approve", `{"note":"Dr Ray, by phone today"}`)
	if v := w.call(manager, 200, at+"/launch", ""); v["state"] != "running" {
		t.Errorf("launched: %v", v)
	}
	w.h.launches.Wait()
	v := w.answer(w.get(second, at), 200)
	if v["messages"].(map[string]any)["planned"] != 30.0 || v["planning"] != false || v["last_decision"] != nil || v["cost"] != "0.00" {
		t.Errorf("running: %v", v)
	}
	w.decide(campaign.ID(c["id"].(float64)), 12)
	v = w.answer(w.get(second, at), 200)
	if d := v["last_decision"].(map[string]any); d["n"] != 12.0 || d["sentence"] != "12 texts go now." || v["messages"].(map[string]any)["released"] != 12.0 {
		t.Errorf("decided: %v", v)
	}
	if f := v["forecast"].(map[string]any); f["finish_from"] != nil || f["contact_by"] == nil {
		t.Errorf("forecast %v", f)
	}
	for _, step := range [][2]string{{"pause", "paused"}, {"resume", "running"}, {"stop", "stopped"}} {
		if v := w.call(manager, 200, at+"/"+step[0], ""); v["state"] != step[1] {
			t.Errorf("%s: %v", step[0], v)
		}
	}
	refuse(manager, 409, "resume", "", "not_now")
	// After a wrong text its links can be switched off, and on again; nobody else may.
	if v := w.call(manager, 200, at+"/links-off", ""); v["links_off_at"] == nil {
		t.Errorf("links off: %v", v)
	}
	desk := strings.Replace(at, "/api/v1", "/desk", 1)
	if page := w.get(manager, desk).Body.String(); !strings.Contains(page, "Switched off at") || !strings.Contains(page, `action="`+desk+`/links-on"`) {
		t.Error("the page does not say that the links are off, or how to switch them on")
	}
	refuse(w.by[staff.PracticeViewer], 403, "links-on", "", "denied")
	if rec := w.post(manager, desk+"/links-on", nil); rec.Code != 303 {
		t.Errorf("links on: %d", rec.Code)
	}
	if page := w.get(manager, desk).Body.String(); strings.Contains(page, "Switched off at") || !strings.Contains(page, `action="`+desk+`/links-off"`) {
		t.Error("the page does not say that the links are on")
	}
	if all := w.answer(w.get(second, "/api/v1/campaigns"), 200)["campaigns"].([]any); len(all) != 1 {
		t.Errorf("campaigns %v", all)
	}
}

// decide stores a decision, as the pacer would.
func (w *world) decide(id campaign.ID, n int) []campaign.Ring {
	w.tb.Helper()
	ctx := context.Background()
	epoch, _, err := w.db.Lead(ctx, "test", time.Hour)
	w.must(err)
	w.epoch = epoch
	rings, err := w.db.Release(ctx, epoch, []throttle.Decision{{Campaign: strconv.FormatInt(int64(id), 10), At: w.now, N: n, Limit: throttle.LimitMaturity, Sentence: fmt.Sprintf("%d texts go now.", n),
		Forecast: throttle.Forecast{ContactBy: w.now.AddDate(0, 0, 2)}}})
	w.must(err)
	return rings
}

// A list that is made up never goes to real phones, however it was uploaded.
func TestLaunch_syntheticListIsRefusedByALiveSender(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Live = true })
	for start, status := range map[string]int{"999": 409, "400": 200} {
		a := w.listOf(4, start)
		at := fmt.Sprintf("/api/v1/campaigns/%.0f", w.call(w.by[staff.CampaignManager], 201, "/api/v1/campaigns", w.draft(a.ID))["id"])
		w.call(w.by[staff.CampaignManager], 200, at+"/submit", "")
		w.call(w.by[staff.Administrator], 200, at+"/approve", "")
		for _, p := range w.network.Practices {
			w.call(w.by[staff.Administrator], 200, at+"/practices/"+p.ODS+"/approve", `{"note":"Dr Ray, by phone today"}`)
		}
		if v := w.call(w.by[staff.CampaignManager], status, at+"/launch", ""); status == 409 && v["code"] != "synthetic" {
			t.Errorf("answer %v", v)
		}
	}
}

func TestCreate_refuses(t *testing.T) {
	w := newWorld(t, nil)
	a := w.listOf(2, "999")
	manager := w.by[staff.CampaignManager]
	change := func(key, value string) string {
		var v map[string]json.RawMessage
		w.must(json.Unmarshal([]byte(w.draft(a.ID)), &v))
		v[key] = json.RawMessage(value)
		b, err := json.Marshal(v)
		w.must(err)
		return string(b)
	}
	for _, c := range []struct{ key, value, says string }{
		{"name", `""`, "Give the campaign a name."},
		{"list", `7`, "Choose a patient list."},
		{"team", `7`, "Choose the team that will answer."},
		{"text", `"Hello"`, "((link))"},
		{"text", `"((lnik)) x"`, "no field ((lnik))"},
		{"price", `"0.00001"`, "four decimals"},
		{"price", `"0"`, "more than 0"},
		{"rate", `0`, "speed"},
		{"daily_cap", `-1`, "less than 0"},
		{"daily_cap", `"many"`, "daily_cap"},
		{"dayly_cap", `5`, "dayly_cap"},
		{"windows", `{"monday":["17:00","09:00"]}`, "weekday"},
		{"windows", `{}`, "at least one day"},
		{"last", `"2020-01-01"`, "must not have passed"},
		{"reminder", `{"text":"x","after_days":3}`, "((link))"},
	} {
		if v := w.call(manager, 422, "/api/v1/campaigns", change(c.key, c.value)); !strings.Contains(fmt.Sprint(v["detail"]), c.says) || v["code"] != "invalid" {
			t.Errorf("%s %s: %v", c.key, c.value, v)
		}
	}
	w.call(manager, 422, "/api/v1/campaigns", "not json")
	w.call(w.by[staff.SeniorLinkWorker], 403, "/api/v1/campaigns", w.draft(a.ID))
	if v := w.call(w.other, 422, "/api/v1/campaigns", w.draft(a.ID)); !strings.Contains(fmt.Sprint(v["detail"]), "Choose a patient list.") {
		t.Errorf("another network's list: %v", v)
	}
}

// The same on the pages: what was typed stays, the check shows names and price, approving needs a second person.
func TestPages(t *testing.T) {
	w := newWorld(t, nil)
	a := w.listOf(30, "999")
	manager, second := w.by[staff.CampaignManager], w.by[staff.Administrator]
	see := func(rec *httptest.ResponseRecorder, status int, wants ...string) {
		t.Helper()
		if rec.Code != status {
			t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
		}
		for _, want := range wants {
			if !strings.Contains(rec.Body.String(), want) {
				t.Errorf("the page does not say %q", want)
			}
		}
	}
	form := url.Values{"name": {"Spring & co"}}
	see(w.post(manager, "/desk/campaigns", form), 422, "Choose a patient list.", `value="Spring &amp; co"`)
	form.Set("list", fmt.Sprint(a.ID))
	at := w.made(manager, form)
	see(w.get(manager, at), 200, "Some steps are still to be done", "Go through the steps", "Draft")
	see(w.post(manager, at+"/steps/when", url.Values{"days": {"mon"}, "from": {"540"}, "to": {"600"}, "budget": {"lots"}, "price": {"0.04"}, "rate": {"10"}}), 422, "The budget must be an amount in pounds", `value="lots"`)
	see(w.post(manager, at+"/steps/what", url.Values{"text": {"Hello"}}), 422, "((link))", ">Hello</textarea>")
	see(w.post(manager, at+"/steps/what/preview", url.Values{"text": {campaign.DefaultText}}), 200, "Llŷr: a name with ŷ", "With “ŷ” in it, a part holds 67 letters", "For the 30 people in this list")
	w.saveAll(manager, at, nil)
	see(w.get(manager, at), 200, "Submit for approval", "Draft")
	see(w.post(manager, at+"/submit", nil), 303)
	see(w.get(manager, at), 200, "You have submitted this campaign.")
	see(w.post(manager, at+"/approve", nil), 409, "second person has to approve: whoever", "There is a problem")
	see(w.get(second, at+"/approve"), 200, "30 texts will go to 30 people", "Approve exactly this", "This costs up to £")
	see(w.post(second, at+"/approve", url.Values{"hash": {"old"}}), 409, "changed after the approval")
	see(w.post(second, at+"/approve", nil), 303)
	see(w.post(second, at+"/launch", nil), 409, "2 practices must approve first")
	for _, p := range w.network.Practices {
		see(w.post(second, at+"/practices/"+p.ODS, url.Values{"do": {"agreed"}, "note": {"Dr Ray, by phone today"}}), 303)
	}
	see(w.get(manager, at+"/launch"), 200, "cannot be called back", "Launch the campaign")
	see(w.post(manager, at+"/launch", nil), 303)
	w.h.launches.Wait()
	id, err := strconv.ParseInt(at[strings.LastIndexByte(at, '/')+1:], 10, 64)
	w.must(err)
	w.decide(campaign.ID(id), 5)
	see(w.get(manager, at), 200, "5 texts go now.", "Waiting for first answers", "Whoever asks for help now will be called by Thursday 4 June.", "Waiting for their turn")
	see(w.get(w.by[staff.PracticeViewer], at), 200, "5 texts go now.")
	see(w.get(manager, at+"/stop"), 200, "30 texts will not be sent", "Stop the campaign for good")
	see(w.get(manager, at+"/pause"), 404)
	see(w.get(manager, "/desk/campaigns/new?from="+strconv.FormatInt(id, 10)), 200, `value="Spring &amp; co"`)
	see(w.get(w.other, at), 404)
	see(w.get(w.by[staff.Volunteer], at), 403)
	see(w.get(manager, "/desk/campaigns/abc"), 404)
	if rec := w.get(manager, at); strings.Contains(rec.Body.String(), "Singh") || strings.Contains(rec.Body.String(), "77009") {
		t.Error("a patient's data are on the campaign's page")
	}
}

// made posts the first step, and gives the draft's page.
func (w *world) made(who staff.Account, form url.Values) string {
	w.tb.Helper()
	rec := w.post(who, "/desk/campaigns", form)
	at, ok := strings.CutSuffix(rec.Header().Get("Location"), "/steps/what")
	if rec.Code != 303 || !ok {
		w.tb.Fatalf("the first step: %d %s", rec.Code, rec.Body)
	}
	return at
}

// saveAll saves the steps after the first, with what is usual; change holds what differs.
func (w *world) saveAll(who staff.Account, at string, change url.Values) {
	w.tb.Helper()
	for _, p := range partPages[1:5] {
		form := formDefaults()
		form.Set("team", fmt.Sprint(w.team.ID))
		for k, v := range change {
			form[k] = v
		}
		if rec := w.post(who, at+"/steps/"+p.name, form); rec.Code != 303 {
			w.tb.Fatalf("step %s: %d %s", p.name, rec.Code, rec.Body)
		}
	}
}

// A list with patients of a practice elsewhere goes no further than a draft: nobody here could agree for them.
func TestSubmit_foreignPractices(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	for name, c := range map[string]struct{ ods, says string }{
		"elsewhere":   {"N99999", "1 practice that your network does not have (N99999)"},
		"no practice": {"", "does not say which practice"},
	} {
		list := header + nhs(1, "400") + ",Ann,Singh,01/02/1970,07700 900001,N83006,\n" + nhs(2, "400") + ",Ben,Singh,01/02/1970,07700 900002," + c.ods + ",\n"
		if c.ods == "" {
			list = header + nhs(2, "400") + ",Ben,Singh,01/02/1970,07700 900002,,\n"
		}
		v := w.answer(w.upload(manager, "/api/v1/lists", "@people.csv="+list), http.StatusCreated)
		made, err := w.db.CreateCampaign(context.Background(), manager, campaign.Campaign{Name: name, Audience: campaign.AudienceID(v["id"].(float64)), Team: w.team.ID,
			Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}, Policy: campaign.Policy{Price: 100, Rate: 10}})
		w.must(err)
		at := fmt.Sprintf("/desk/campaigns/%d", made.ID)
		rec := w.post(manager, at+"/submit", nil)
		if body := rec.Body.String(); rec.Code != 409 || !strings.Contains(body, c.says) || !strings.Contains(body, "Submit for approval") {
			t.Errorf("%s: status %d, want the reason and the draft: %s", name, rec.Code, body)
		}
	}
}

// A campaign that is over must not promise texts, nor call the last day of its picture "now".
func TestCampaignPage_afterTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	id := w.launched(w.listOf(3, "999"))
	at := fmt.Sprintf("/desk/campaigns/%d", id)
	if page := w.get(manager, at).Body.String(); !strings.Contains(page, "0 people wait for a first call from Knowsley link workers now.") || !strings.Contains(page, "Waiting for their turn") {
		t.Errorf("a running campaign: %s", page)
	}
	if rec := w.post(manager, at+"/stop", nil); rec.Code != 303 {
		t.Fatalf("stop: %d %s", rec.Code, rec.Body)
	}
	w.now = w.now.AddDate(0, 0, 20)
	page := w.get(manager, at).Body.String()
	if !strings.Contains(page, "The picture ends on ") || strings.Contains(page, "workers now.") || strings.Contains(page, "Waiting for their turn") || !strings.Contains(page, "Will not be sent") {
		t.Errorf("20 days after a stop: %s", page)
	}
}

// While a restored database does not know what left, the page and the API say why nothing is sent.
func TestWaits(t *testing.T) {
	w := newWorld(t, nil)
	ctx, manager := context.Background(), w.by[staff.CampaignManager]
	id := w.launched(w.listOf(3, "999"))
	at := fmt.Sprintf("/desk/campaigns/%d", id)
	const says = "Sending waits: the database was restored from a backup."
	if page := w.get(manager, at).Body.String(); strings.Contains(page, says) {
		t.Error("sending waits for nothing")
	}
	w.must(w.db.Begin(ctx, campaign.Restored))
	if page := w.get(manager, at).Body.String(); !strings.Contains(page, says) {
		t.Errorf("the page does not say that sending waits: %s", page)
	}
	if answer := w.get(manager, "/api/v1"+strings.TrimPrefix(at, "/desk")).Body.String(); !strings.Contains(answer, `"waits":"`+says) {
		t.Errorf("the API does not say that sending waits: %s", answer)
	}
}

// Nobody but a person decides about a text that may have left.
func TestHeld(t *testing.T) {
	w := newWorld(t, nil)
	ctx, manager := context.Background(), w.by[staff.CampaignManager]
	id := w.launched(w.listOf(3, "999"))
	at := fmt.Sprintf("/desk/campaigns/%d", id)
	var held []campaign.Ring
	for _, ring := range w.decide(id, 3) {
		if _, err := w.db.Claim(ctx, ring); err != nil {
			t.Fatal(err)
		}
		w.must(w.db.Record(ctx, ring, campaign.Outcome{Event: campaign.LoseSight, Code: "timeout"}))
		ring.Attempt++ // the claim counted it
		w.must(w.db.Clear(ctx, w.epoch, campaign.Doubtful{Message: ring.Message, Attempt: ring.Attempt}, campaign.Hold, campaign.HeldAgain))
		held = append(held, ring)
	}
	page := w.get(manager, at).Body.String()
	if !strings.Contains(page, "Texts that need your decision") || !strings.Contains(page, "The provider did not answer in time. It was tried three times, and each time") || !strings.Contains(page, ", tried at ") || !strings.Contains(page, "It was not sent") || strings.Contains(page, "07700") || strings.Contains(page, "+447700") {
		t.Errorf("held texts are not shown, or not masked: %s", page)
	}
	if page := w.get(w.by[staff.LinkWorker], at).Body.String(); strings.Contains(page, "need your decision") || strings.Contains(page, "Send it again") {
		t.Error("a link worker is shown the buttons")
	}
	settle := func(who staff.Account, ring campaign.Ring, was string) int {
		return w.post(who, fmt.Sprintf("%s/messages/%d", at, ring.Message), url.Values{"attempt": {strconv.Itoa(ring.Attempt)}, "was": {was}}).Code
	}
	for i, c := range []struct {
		who    staff.Account
		was    string
		status int
	}{{w.by[staff.LinkWorker], "again", 403}, {w.other, "again", 404}, {manager, "lost", 404}, {manager, "sent", 303}, {manager, "again", 409}} {
		if got := settle(c.who, held[0], c.was); got != c.status {
			t.Errorf("%d: %q is answered with %d, want %d", i, c.was, got, c.status)
		}
	}
	if got := settle(manager, held[1], "again"); got != 303 {
		t.Errorf("send it again: %d", got)
	}
	if page := w.get(manager, at+"?done=settle_again").Body.String(); !strings.Contains(page, "waits for its turn again") || !strings.Contains(page, "Send it again") {
		t.Error("nothing says that it is done, or the next one cannot be sent again")
	}
	counted := func(want campaign.Counts) {
		t.Helper()
		v, err := w.db.View(ctx, w.network.ID, id)
		w.must(err)
		for s, n := range want {
			if v.Counts[s] != n {
				t.Errorf("%d are %s, want %d: %v", v.Counts[s], s, n, v.Counts)
			}
		}
	}
	counted(campaign.Counts{campaign.Accepted: 1, campaign.Planned: 1, campaign.Held: 1})

	// Once the campaign is over nothing goes again, and nobody is told that it does.
	w.call(manager, 200, fmt.Sprintf("/api/v1/campaigns/%d/stop", id), "")
	if page := w.get(manager, at).Body.String(); strings.Contains(page, "Send it again") || !strings.Contains(page, "none of them is sent again") || !strings.Contains(page, "Count it as not sent") {
		t.Errorf("a stopped campaign offers to send again: %s", page)
	}
	if got := settle(manager, held[2], "again"); got != 303 {
		t.Errorf("count it as not sent: %d", got)
	}
	if page := w.get(manager, at+"?done=settle_again").Body.String(); strings.Contains(page, "waits for its turn") || !strings.Contains(page, "counts as not sent") {
		t.Error("it is said to go again")
	}
	w.must(w.db.Finish(ctx, w.epoch))
	counted(campaign.Counts{campaign.Accepted: 1, campaign.Expired: 2})
}

// The page says in words why a text is held, whatever the reason, and nothing in it is a code.
func TestHeldWords(t *testing.T) {
	seen := map[string]bool{}
	for _, why := range []string{campaign.HeldOver, campaign.HeldAgain, campaign.HeldUnreadable, campaign.HeldNoRecord, "timeout"} {
		s := recordWords(why)
		if seen[s] || strings.Contains(s, "_") || !strings.Contains(s, "rovider") {
			t.Errorf("%s: %q", why, s)
		}
		seen[s] = true
	}
}

// Two texts for one message: the page says so once, which texts, and what to do.
func TestTwoSIDs(t *testing.T) {
	w := newWorld(t, nil)
	ctx, manager := context.Background(), w.by[staff.CampaignManager]
	id := w.launched(w.listOf(2, "999"))
	ring := w.decide(id, 1)[0]
	_, err := w.db.Claim(ctx, ring)
	w.must(err)
	w.must(w.db.Record(ctx, ring, campaign.Outcome{Event: campaign.Accept, SID: "SMfirst"}))
	at := fmt.Sprintf("/desk/campaigns/%d", id)
	if page := w.get(manager, at).Body.String(); strings.Contains(page, "twice") || strings.Contains(page, "This needs a look") {
		t.Fatal("an alarm without a reason")
	}
	for _, on := range []campaign.Event{campaign.Accept, campaign.ReportSent, campaign.Deliver} {
		w.must(w.db.Adopt(ctx, campaign.Evidence{Message: ring.Message, Attempt: 1, Event: on, Kind: "callback", SID: "SMsecond"}))
	}
	page := w.get(manager, at).Body.String()
	if strings.Count(page, "the same text twice") != 1 || !strings.Contains(page, fmt.Sprintf("message %d the provider has SMfirst and SMsecond", ring.Message)) ||
		!strings.Contains(page, "Tell whoever runs this system") {
		t.Errorf("the alarm: %s", page)
	}
	if strings.Contains(page, "+447700") {
		t.Error("the alarm shows the number")
	}
}

// Two processes that complete one launch write every message once, and the texts cost what the page before the launch said.
func TestLaunch_plannedTwiceAndPricedRight(t *testing.T) {
	w := newWorld(t, nil)
	ctx, admin := context.Background(), w.by[staff.Administrator]
	a := w.listOf(900, "999")
	c, err := w.db.CreateCampaign(ctx, w.by[staff.CampaignManager], campaign.Campaign{Name: "x", Audience: a.ID, Team: w.team.ID,
		Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}, Policy: campaign.Policy{Price: 100, Rate: 10}})
	w.must(err)
	_, err = w.db.MoveCampaign(ctx, w.by[staff.CampaignManager], c.ID, campaign.Submit)
	w.must(err)
	_, err = w.db.ApproveCampaign(ctx, admin, c.ID, campaign.Approval{People: a.Ledger.Invited})
	w.must(err)
	for _, p := range w.network.Practices {
		w.must(w.db.ApprovePractice(ctx, admin, c.ID, p.ODS))
	}
	w.must(w.db.PlanMessages(ctx, c.ID)) // not launched: nothing happens
	_, err = w.db.LaunchCampaign(ctx, admin, c.ID)
	w.must(err)
	both := make(chan error, 2)
	for range 2 {
		go func() { both <- w.db.PlanMessages(ctx, c.ID) }()
	}
	w.must(errors.Join(<-both, <-both))
	w.must(w.db.PlanMessages(ctx, c.ID))
	w.decide(c.ID, a.Ledger.Invited)
	v, err := w.db.View(ctx, w.network.ID, c.ID)
	w.must(err)
	texts, err := c.Texts(1)
	w.must(err)
	exact, err := w.db.EstimateTexts(ctx, w.network.ID, a.ID, texts)
	w.must(err)
	if v.Counts.Total() != a.Ledger.Invited || v.Counts[campaign.Released] != a.Ledger.Invited || v.Cost != int64(exact.Segments)*100 || exact.Texts != a.Ledger.Invited {
		t.Errorf("invited %d, messages %v, cost %d, estimate %+v", a.Ledger.Invited, v.Counts, v.Cost, exact)
	}
}

// launched takes a campaign with a list to its launch.
func (w *world) launched(a campaign.Audience) campaign.ID {
	w.tb.Helper()
	admin := w.by[staff.Administrator]
	id := w.call(w.by[staff.CampaignManager], 201, "/api/v1/campaigns", w.draft(a.ID))["id"].(float64)
	at := fmt.Sprintf("/api/v1/campaigns/%.0f", id)
	w.call(w.by[staff.CampaignManager], 200, at+"/submit", "")
	w.call(admin, 200, at+"/approve", fmt.Sprintf(`{"people":%d}`, a.Ledger.Invited))
	for _, p := range w.network.Practices {
		w.call(admin, 200, at+"/practices/"+p.ODS+"/approve", `{"note":"Dr Ray, by phone today"}`)
	}
	w.call(admin, 200, at+"/launch", "")
	w.h.launches.Wait()
	return campaign.ID(id)
}

func TestOpenAPI_namesEveryRoute(t *testing.T) {
	w := newWorld(t, nil)
	described := map[string]bool{}
	for path, item := range OpenAPI() {
		for method := range item.(map[string]any) {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	moves := []string{"submit", "approve", "return", "launch", "pause", "resume", "stop"}
	n := 0
	err := chi.Walk(w.site.(chi.Router), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.HasPrefix(route, "/api/") {
			return nil
		}
		routes := []string{route}
		if strings.HasSuffix(route, "/{move}") {
			routes = nil
			for _, m := range moves {
				routes = append(routes, strings.TrimSuffix(route, "{move}")+m)
			}
		}
		for _, r := range routes {
			n++
			if !described[method+" "+r] {
				t.Errorf("%s %s is not described", method, r)
			}
		}
		return nil
	})
	w.must(err)
	if n != len(described) {
		t.Errorf("%d routes, %d described", n, len(described))
	}
	if _, err := json.Marshal(OpenAPI()); err != nil {
		t.Error(err)
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 52000: "52,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{412: "0.0412", 0: "0.00", 1_000_000: "100.00", 5_000: "0.50", 12_345: "1.2345", 10: "0.001"} {
		got := plainPounds(n)
		back, err := parsePounds(got)
		if got != want || err != nil || back != n {
			t.Errorf("plainPounds(%d) = %q, want %q; read again %d %v", n, got, want, back, err)
		}
	}
	week := officeHours
	if got := windowWords(week); got != "9am to 5pm, Monday to Friday" {
		t.Errorf("office hours: %s", got)
	}
	week[time.Wednesday], week[time.Saturday] = throttle.Hours{}, throttle.Hours{From: 600, To: 750}
	if got := windowWords(week); got != "9am to 5pm, Monday to Tuesday; 9am to 5pm, Thursday to Friday; 10am to 12:30pm, Saturday" {
		t.Errorf("a week with holes: %s", got)
	}
	codes := []string{}
	for _, r := range slices.Concat(rejections, exclusions) {
		codes = append(codes, r.code)
	}
	if len(codes) != 19 || slices.Contains(codes, "") {
		t.Errorf("reasons %v", codes)
	}
}
