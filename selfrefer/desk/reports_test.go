package desk

import (
	"archive/zip"
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
)

// counted gives the first network months from February to April that have been counted, with a service whose name a spreadsheet would run.
func (b *bench) counted() (service string) {
	b.tb.Helper()
	b.refer(selfrefer.Answers{Name: "Marigold Testperson"}, selfrefer.Verified)
	s := must(b.db.SetService(b.tb.Context(), b.who[staff.SeniorLinkWorker], selfrefer.Service{Name: "=Evil & Sons", Places: selfrefer.UnknownPlaces, Active: true}))(b.tb)
	service = fmt.Sprint(s.ID)
	db := must(sql.Open("sqlite", filepath.Join(b.data, "wellpaced.db")+"?_pragma=busy_timeout(5000)"))(b.tb)
	defer db.Close()
	must(db.Exec(`UPDATE referral SET received_at = $1`, time.Date(2026, 2, 2, 9, 0, 0, 0, time.UTC).UnixMilli()))(b.tb)
	dice := rand.New(rand.NewPCG(1, 1))
	for month := range 3 {
		var f selfrefer.MonthFigures
		for i := range 160 {
			a := selfrefer.Attributes{Practice: "N83006", Age: []string{"18-39", "40-64", "65+"}[i%3], Sex: []string{"f", "m"}[i%2], Language: "English", Sector: []string{"L36 1", "L36 2", "L36 3", "L34 0", "L34 1"}[i%5]}
			switch {
			case i < 2:
				a.Sector, a.Language = "L35 9", "Tagalog"
			case i < 20:
				a.Practice = ""
			}
			f.Texted(a, 40, 9600)
			f.Received(a, selfrefer.ByLink, i%20 == 0, 1)
			for k, r := range selfrefer.Reasons[:12] {
				if i%(k+2) == 0 {
					f.Asked(a, r.Code, 1)
				}
			}
			at := time.Date(2026, time.Month(2+month), 2+i/6, 10, 0, 0, 0, time.UTC)
			monday := at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
			f.Contacted(a, selfrefer.DayOf(monday, time.UTC), time.Duration(1+dice.IntN(24))*time.Hour, i%8 > 0)
			f.Ended(a, []selfrefer.State{selfrefer.Closed, selfrefer.Closed, selfrefer.Onward, selfrefer.Declined}[i%4], []selfrefer.Discharge{selfrefer.NeedsMet, selfrefer.LostContact, selfrefer.NotSaid}[i%3], 1)
			f.Did(a, "welfare_call", 1, 2, 25)
			f.Passed(a, service, 1)
			f.Goal(a, selfrefer.Reached, 1)
			if i < 8 {
				f.Measured(a, selfrefer.KindONS4, "happy", 3, 6)
				f.Measured(a, selfrefer.KindONS4, "anxious", 7, 3)
			}
		}
		must(db.Exec(`INSERT INTO report_month (network, month, made_at, figures) VALUES ($1, $2, 0, $3)`, int64(b.net.ID), fmt.Sprintf("2026-%02d", 2+month), string(must(json.Marshal(f))(b.tb))))(b.tb)
	}
	return service
}

func TestReportsPage(t *testing.T) {
	b := newBench(t)
	mo := b.who[staff.CampaignManager]
	b.send(mo, "GET", reportsPath, "").holds(t, 200, "Nothing can be reported yet", "The next one is May 2026, from 4 June 2026 on")
	b.counted()
	page := b.send(mo, "GET", reportsPath, "")
	page.holds(t, 200, "February 2026 to April 2026", "Everybody", "Reasons for referral", "Street by street", "Referrals for each 1,000 texts, by postcode sector", "Practice: Elm Tree Surgery",
		"Problems coping: 240", "hidden", "Fewer than 30 people: this may well be chance", "Source: the referrals", "Drawn up on", "/desk/reports/report.xlsx?from=2026-02&amp;to=2026-04")
	if strings.Contains(page.body, "Tagalog") { // two people: that they are there tells of them
		t.Error("the page names a language of two people")
	}
	// Every picture has its table: pictures without words are nothing to who cannot see them.
	if pictures, tables := strings.Count(page.body, `role="img" aria-label=`), strings.Count(page.body, "<table"); pictures < 12 || tables < 16 {
		t.Errorf("%d pictures and %d tables", pictures, tables)
	}
	b.send(mo, "GET", reportsPath+"?from=2026-04&to=2026-04&only=sex:f", "").holds(t, 200, "April 2026. Female", `value="sex:f" selected`)
	for query, says := range map[string]string{"from=2026-04&to=2026-02": "Select months in their order", "from=2019-01": "Select a first month from February 2026 to April 2026", "to=2026-05": "Select a last month", "only=sector:L36 1": "one group at a time",
		"only=language:Tagalog": "Select a group that has enough people", "only=language:Klingon": "Select a group that has enough people"} {
		b.send(mo, "GET", reportsPath+"?"+strings.ReplaceAll(query, " ", "%20"), "").holds(t, 422, says, "Reasons for referral")
		var p struct{ Code string }
		if got := b.call(mo, "GET", "/reports?"+strings.ReplaceAll(query, " ", "%20"), "", &p); got != 422 || p.Code != "invalid" {
			t.Errorf("%s by the API: %d %+v", query, got, p)
		}
	}
	b.send(b.who[staff.LinkWorker], "GET", reportsPath, "").holds(t, 403)
	b.send(b.away[staff.CampaignManager], "GET", reportsPath, "").holds(t, 200, "Nothing can be reported yet")
}

// The report is read on a phone, by keyboard, without scripts and on paper.
func TestReportsInBrowser(t *testing.T) {
	if !ui.Built() {
		t.Skip("the styles are not built: run make assets")
	}
	browser := browsertest.Open(t)
	b := newBench(t)
	at := b.server.URL
	p := browser.In(t).Page()
	p.Goto(at + reportsPath)
	p.Fill("#email", b.who[staff.CampaignManager].Email)
	p.Fill("#password", testPassword)
	if status := p.Follow("main button"); status != 200 || p.URL() != at+reportsPath {
		t.Fatalf("signed in: %d at %s", status, p.URL())
	}
	p.CheckPage(at+reportsPath, "desk-reports-none")
	b.counted()
	p.CheckPage(at+reportsPath, "desk-reports")
	p.CheckPage(at+reportsPath+"?from=2019-01", "desk-reports-refused")
	p.Goto(at + reportsPath)
	p.Paper()
	paper := p.Shown()
	for _, on := range []string{"Reasons for referral", "Street by street", "Drawn up on", "Problems coping", "February 2026 to April 2026"} {
		if !strings.Contains(paper, on) {
			t.Errorf("the paper does not say %q", on)
		}
	}
	for _, off := range []string{"Show the report", "Download", "Sign out", "Show the numbers", "Capacity"} {
		if strings.Contains(paper, off) {
			t.Errorf("the paper says %q", off)
		}
	}
	p = browser.In(t).Page()
	p.Goto(at + reportsPath)
	p.Fill("#email", b.who[staff.CampaignManager].Email)
	p.Fill("#password", testPassword)
	p.NoScripts()
	if status := p.Follow("main button"); status != 200 {
		t.Fatalf("signed in without scripts: %d", status)
	}
	if status := p.Follow("form.wp-no-print button"); status != 200 || p.URL() != at+reportsPath+"?from=2026-02&to=2026-04&only=" {
		t.Errorf("asked for a report: %d at %s", status, p.URL())
	}
}

func TestReportFiles(t *testing.T) {
	b := newBench(t)
	mo := b.who[staff.CampaignManager]
	service := b.counted()
	var api struct {
		From, To, Of string
		Groups       []struct{ Only, Words string }
		Tables       []struct {
			Code, Title string
			Columns     []struct{ Code, Words, Unit string }
			Rows        []struct {
				Code, Words string
				Figures     []*struct {
					Value   *float64
					AtLeast *float64 `json:"at_least"`
					Hidden  bool
				}
			}
		}
	}
	if got := b.call(mo, "GET", "/reports?from=2026-03", "", &api); got != 200 || api.From != "2026-03" || api.To != "2026-04" || api.Of != "Everybody" {
		t.Fatalf("%d %+v", got, api)
	}
	if !slices.ContainsFunc(api.Groups, func(g struct{ Only, Words string }) bool {
		return g.Only == "practice:N83006" && g.Words == "Elm Tree Surgery"
	}) {
		t.Errorf("groups: %+v", api.Groups)
	}
	file := b.send(mo, "GET", reportsPath+"/report.csv?from=2026-03&to=2026-04", "")
	if got := file.header.Get("Content-Disposition"); got != `attachment; filename="report-2026-03-2026-04.csv"` || file.header.Get("Cache-Control") != "no-store" {
		t.Errorf("sent as %q", got)
	}
	lines := must(csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, "\ufeff"))).ReadAll())(t)
	if again := b.send(mo, "GET", "/api/v1/reports/report.csv?from=2026-03&to=2026-04", ""); again.body != file.body {
		t.Error("the API has another file")
	}
	sheets := b.sheets(b.send(mo, "GET", reportsPath+"/report.xlsx?from=2026-03&to=2026-04", "").body)
	if len(sheets) != len(api.Tables)+1 {
		t.Errorf("%d sheets for %d tables", len(sheets), len(api.Tables))
	}
	if got := strings.Join(sheets["About"], "\n"); !strings.Contains(got, "March 2026") || !strings.Contains(got, "Every number from 1 to 4") {
		t.Errorf("about: %q", got)
	}
	// The three tell the same, figure by figure.
	n, evil := 1, 0
	for _, table := range api.Tables {
		if _, ok := sheets[sheetName(table.Title)]; !ok {
			t.Errorf("no sheet for %s", table.Title)
			continue
		}
		for y, row := range table.Rows {
			for i, f := range row.Figures {
				line := lines[n]
				n++
				want := "none"
				switch {
				case f == nil:
				case f.Hidden:
					want = "hidden"
				case f.AtLeast != nil:
					want = "at least"
				default:
					want = "exact"
				}
				if line[3] != table.Title || strings.TrimPrefix(line[4], "'") != row.Words || line[5] != table.Columns[i].Words || line[8] != want || (want == "hidden") != (line[7] == "" && f != nil) {
					t.Fatalf("CSV has %q for %s, %s, %s: %s", line, table.Code, row.Code, table.Columns[i].Code, want)
				}
			}
			if row.Code == service {
				evil++
				if sheet := sheets[sheetName(table.Title)]; !strings.HasPrefix(sheet[y+1], "inlineStr:=Evil & Sons|") || !strings.HasPrefix(lines[n-1][4], "'=") {
					t.Errorf("a name that a spreadsheet would run stands as %q and %q", sheet[y+1], lines[n-1][4])
				}
			}
		}
	}
	if n != len(lines) || evil != 1 {
		t.Errorf("%d lines, %d are in the API; the service %d times", len(lines), n, evil)
	}
}

// sheets opens a spreadsheet: each row as "kind:text|kind:text", by sheet.
func (b *bench) sheets(body string) map[string][]string {
	b.tb.Helper()
	z := must(zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body))))(b.tb)
	read := func(name string, v any) {
		f := must(z.Open(name))(b.tb)
		defer f.Close()
		if err := xml.Unmarshal(must(io.ReadAll(f))(b.tb), v); err != nil {
			b.tb.Fatalf("%s: %v", name, err)
		}
	}
	var book struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
		} `xml:"sheets>sheet"`
	}
	read("xl/workbook.xml", &book)
	out := map[string][]string{}
	for i, s := range book.Sheets {
		var data struct {
			Rows []struct {
				Cells []struct {
					Kind string `xml:"t,attr"`
					V    string `xml:"v"`
					Text string `xml:"is>t"`
				} `xml:"c"`
			} `xml:"sheetData>row"`
		}
		read(fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), &data)
		if _, twice := out[s.Name]; twice || len(s.Name) > 31 {
			b.tb.Errorf("sheet %q is there twice, or its name is too long", s.Name)
		}
		for _, r := range data.Rows {
			line := ""
			for _, c := range r.Cells {
				line += c.Kind + ":" + c.Text + c.V + "|"
			}
			out[s.Name] = append(out[s.Name], line)
		}
	}
	return out
}
