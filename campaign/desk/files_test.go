package desk

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// trueList is what stands beside each of patientlist's files: its ledger, on which lines the rows stand that are not invited, or why it is
// refused.
type trueList struct {
	campaign.Ledger
	Where         map[string]string
	Refused, Says string
}

func trueLists(tb testing.TB) map[string]trueList {
	tb.Helper()
	files, err := filepath.Glob("../patientlist/testdata/shapes/*.truth.json")
	if err != nil || len(files) < 30 {
		tb.Fatal(len(files), err)
	}
	all := map[string]trueList{}
	for _, file := range files {
		var u trueList
		b, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &u)
		}
		if err != nil {
			tb.Fatal(err)
		}
		all[strings.TrimSuffix(file, ".truth.json")] = u
	}
	return all
}

// notInvitedOf reads the download of rows that are not invited: line -> code.
func (w *world) notInvitedOf(id campaign.AudienceID) map[string]string {
	w.tb.Helper()
	rows, err := csv.NewReader(w.get(w.by[staff.CampaignManager], fmt.Sprintf("/desk/lists/%d/not-invited.csv", id)).Body).ReadAll()
	w.must(err)
	codes := map[string]string{}
	for _, r := range rows[1:] {
		codes[r[0]] = r[2]
	}
	return codes
}

// Files of many shapes, through the page and through the API: each has its true ledger, and each row that is not invited its line and its
// reason. What is refused is refused with its sentence, and leaves nothing.
func TestUpload_files(t *testing.T) {
	w := newWorld(t, nil)
	manager := w.by[staff.CampaignManager]
	for path, want := range trueLists(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			defer func(outer testing.TB) { w.tb = outer }(w.tb)
			w.tb = t
			b, err := os.ReadFile(path)
			w.must(err)
			file := "@" + filepath.Base(path) + "=" + string(b)
			before := w.lists()
			if want.Refused != "" {
				if v := w.answer(w.upload(manager, "/api/v1/lists", file), 422); v["code"] != want.Refused || !strings.Contains(fmt.Sprint(v["detail"]), want.Says) {
					t.Errorf("the API answers %v, want %s, saying %q", v, want.Refused, want.Says)
				}
				rec := w.upload(manager, "/desk/lists", file)
				body := html.UnescapeString(rec.Body.String())
				if at := rec.Header().Get("Location"); rec.Code == 303 { // only the columns page can ask for what is missing
					w.page(at, "We did not find a column for")
				} else if rec.Code != 422 || !strings.Contains(body, want.Says) {
					t.Errorf("the page answers %d: %s", rec.Code, body)
				}
				if after := w.lists(); after != before {
					t.Errorf("%d lists left behind", after-before)
				}
				return
			}
			v := w.answer(w.upload(manager, "/api/v1/lists", file, "taken_on=2026-06-01"), 201)
			at := w.stage(file)
			w.confirm(at)
			byPage := w.screened(at)
			for door, id := range map[string]campaign.AudienceID{"API": campaign.AudienceID(v["id"].(float64)), "page": byPage.ID} {
				a, err := w.db.Audience(context.Background(), w.network.ID, id)
				w.must(err)
				if fmt.Sprint(a.Ledger) != fmt.Sprint(want.Ledger) || !a.Ledger.Balanced() {
					t.Errorf("by %s:\n got %+v\nwant %+v", door, a.Ledger, want.Ledger)
				}
				if got := w.notInvitedOf(id); !maps.Equal(got, want.Where) {
					t.Errorf("by %s: rows not invited\n got %v\nwant %v", door, got, want.Where)
				}
			}
		})
	}
}

func (w *world) lists() int {
	all, err := w.db.Audiences(context.Background(), w.network.ID, 1000)
	w.must(err)
	return len(all)
}

// planDoor lets the planning of a launch wait.
type planDoor struct {
	Store
	open chan struct{}
}

func (d planDoor) PlanMessages(ctx context.Context, id campaign.ID) error {
	<-d.open
	return d.Store.PlanMessages(ctx, id)
}

// A launch tells how far it is, and goes on when whoever launched has closed the browser.
func TestLaunch_browserClosed(t *testing.T) {
	d := planDoor{open: make(chan struct{})}
	w := newWorld(t, func(c *Config) {
		d.Store = c.Store
		c.Store = d
	})
	manager, second := w.by[staff.CampaignManager], w.by[staff.SeniorLinkWorker]
	a := w.listOf(30, "999")
	c := w.call(manager, 201, "/api/v1/campaigns", w.draft(a.ID))
	at := fmt.Sprintf("/campaigns/%.0f", c["id"])
	w.call(manager, 200, "/api/v1"+at+"/submit", "")
	w.call(second, 200, "/api/v1"+at+"/approve", fmt.Sprintf(`{"hash":%q}`, c["hash"]))
	for _, ods := range []string{"N83006", "N83014"} {
		w.call(w.by[staff.Administrator], 200, "/api/v1"+at+"/practices/"+ods+"/approve", `{"note":"Dr Ray, by phone today"}`)
	}
	ctx, leave := context.WithCancel(staff.With(context.Background(), manager))
	rec := httptest.NewRecorder()
	w.site.ServeHTTP(rec, httptest.NewRequest("POST", "/api/v1"+at+"/launch", nil).WithContext(ctx))
	if rec.Code != 200 {
		t.Fatalf("launch: %d %s", rec.Code, rec.Body)
	}
	leave()
	w.page("/desk"+at, "The launch is under way: 0 of 30 texts are ready.", "hx-trigger")
	close(d.open)
	w.h.launches.Wait()
	if v := w.answer(w.get(manager, "/api/v1"+at), 200); v["planning"] != false || v["messages"].(map[string]any)["planned"] != 30.0 {
		t.Errorf("after the launch: planning %v, %v", v["planning"], v["messages"])
	}
	if strings.Contains(w.page("/desk"+at), "The launch is under way") {
		t.Error("the launch never ends")
	}
}
