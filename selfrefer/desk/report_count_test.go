package desk

import (
	"context"
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// uncounted takes back two of the three counted months, and keeps them from being counted again until the test lets them.
func (b *bench) uncounted() (release func()) {
	b.tb.Helper()
	db := must(sql.Open("sqlite", filepath.Join(b.data, "wellpaced.db")+"?_pragma=busy_timeout(5000)"))(b.tb)
	db.SetMaxOpenConns(1)
	must(db.Exec(`DELETE FROM report_month WHERE month > '2026-02'`))(b.tb)
	must(db.Exec(`BEGIN IMMEDIATE`))(b.tb) // whoever counts must wait before it can keep a month
	b.desk.patience = time.Millisecond
	return func() {
		b.tb.Helper()
		must(db.Exec(`ROLLBACK`))(b.tb)
		if err := db.Close(); err != nil {
			b.tb.Error(err)
		}
	}
}

// While months are being counted nobody waits for an answer: the page, a program and a file are told how far it is, and have the report afterwards.
func TestReportIsBeingCounted(t *testing.T) {
	b := newBench(t)
	mo := b.who[staff.CampaignManager]
	b.counted()
	b.send(mo, "GET", reportsPath, "").holds(t, 200, "Reasons for referral") // they have signed in before nothing can be written
	release := b.uncounted()
	began := time.Now()
	page := b.send(mo, "GET", reportsPath+"?from=2026-02&to=2026-04&only=", "")
	page.holds(t, 200, "February 2026 to April 2026", "Counting: 1 of 3 months done.", `<progress max="3" value="1"`, `hx-get="/desk/reports?from=2026-02&amp;to=2026-04&amp;only="`, `http-equiv="refresh" content="3"`, "You can close this page")
	if strings.Contains(page.body, "Reasons for referral") {
		t.Error("a report is shown of months that have not been counted")
	}
	b.send(mo, "GET", reportsPath+"?from=2019-01", "").holds(t, 200, "Counting: 1 of 3")
	var far struct {
		Counted int `json:"months_counted"`
		Months  int
		Of      string
	}
	for _, path := range []string{"/reports?from=2026-03", "/reports/report.csv?from=2026-03", "/reports/report.xlsx?from=2026-03"} {
		got := b.send(mo, "GET", "/api/v1"+path, "")
		if got.status != http.StatusAccepted || got.header.Get("Location") != "/api/v1"+path || got.header.Get("Retry-After") != "3" || !strings.Contains(got.body, `"months_counted":0,"months":2`) {
			t.Errorf("%s: %d %v %s", path, got.status, got.header, got.body)
		}
	}
	if got := b.send(mo, "GET", reportsPath+"/report.csv?from=2026-03&to=2026-04", ""); got.status != http.StatusSeeOther || got.header.Get("Location") != reportsPath+"?from=2026-03&to=2026-04" {
		t.Errorf("the file: %d to %s", got.status, got.header.Get("Location"))
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	release()
	// Nobody asks now, and it is counted all the same.
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := b.db.ReportBasis(context.Background(), mo, "2026-02", "2026-04")
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it is not counted: %v", err)
		}
	}
	b.send(mo, "GET", reportsPath, "").holds(t, 200, "Reasons for referral")
	if got := b.call(mo, "GET", "/reports?from=2026-03", "", &far); got != 200 || far.Of != "Everybody" {
		t.Errorf("%d %+v", got, far)
	}
}

// The page that waits becomes the report by itself.
func TestReportIsBeingCountedInBrowser(t *testing.T) {
	if !ui.Built() {
		t.Skip("the styles are not built: run make assets")
	}
	browser := browsertest.Open(t)
	b := newBench(t)
	b.counted()
	p := browser.In(t).Page()
	p.Goto(b.server.URL + reportsPath)
	p.Fill("#email", b.who[staff.CampaignManager].Email)
	p.Fill("#password", testPassword)
	if status := p.Follow("main button"); status != 200 {
		t.Fatalf("signed in: %d", status)
	}
	release := b.uncounted()
	p.CheckPage(b.server.URL+reportsPath, "desk-reports-counting")
	p.Goto(b.server.URL + reportsPath)
	if got := p.Text("main"); !strings.Contains(got, "Counting: 1 of 3 months done.") {
		t.Fatalf("the page says %q", got)
	}
	release()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(p.Text("main"), "Reasons for referral"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not become the report: %q", p.Text("main"))
		}
	}
	if n := strings.Count(p.HTML(), `id="maincontent"`); n != 1 {
		t.Errorf("the page has %d main parts", n)
	}
}
