package browsertest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const formScreen = `
<form method="post" action="/form" novalidate>
<h1>{{.Title}}</h1>
{{inset}}<p>Your GP practice sent you a text about this.</p>{{endInset}}
{{.Field .Data.Reasons}}
{{.Field .Data.Call}}
{{.Field .Data.Birth}}
{{.Field .Data.More}}
{{details "Why we ask"}}<p>To be sure that it is you.</p>{{endDetails}}
{{button "Continue" "once"}}
</form>
{{care "emergency" "Call 999 if:"}}<p>someone's life is in danger</p>{{endCare}}`

const deskScreen = `
<h1>{{.Title}}</h1>
<p>{{number 412}} people are invited. <span aria-live="polite">Last updated {{clock .Data.Now}}.</span></p>
{{banner "" "Two link workers are away next week."}}{{endBanner}}
{{render .Data.Chart}}
<div class="wp-scroll" tabindex="0" role="region" aria-label="The queue">{{render .Data.Queue}}</div>
{{render .Data.Pages}}
{{render .Data.Facts}}
<form method="post" action="/claim">{{button "Claim" "small"}} {{linkButton "Report" "/report" "secondary" "small"}}</form>`

const doneScreen = `{{panel "We have received it"}}Your reference<br><strong>HDJ2123F</strong>{{endPanel}}<p>We will call you by {{date .Data}}.</p>`

func formData(call string) any {
	return struct{ Reasons, Call, Birth, More ui.Field }{
		ui.Field{Kind: ui.Checkboxes, Name: "reasons", Label: "What would you like help with?", Hint: "Select all that apply", Options: []ui.Option{
			{Value: "money", Label: "Money or benefits", Hint: "Debt, bills, what you can claim"}, {Value: "lonely", Label: "Feeling lonely"}, {Divider: "or"}, {Value: "unsure", Label: "I'm not sure", Exclusive: true}}},
		ui.Field{Kind: ui.Radios, Name: "call", Label: "May we call you?", Value: call, Options: []ui.Option{
			{Value: "yes", Label: "Yes", Reveal: []ui.Field{{Name: "number", Label: "Phone number", Type: "tel", Autocomplete: "tel", Width: 20}}}, {Value: "no", Label: "No"}}},
		ui.Field{Kind: ui.Date, Name: "birth", Label: "What is your date of birth?", Hint: "For example, 31 3 1980", Autocomplete: "bday"},
		ui.Field{Kind: ui.Textarea, Name: "more", Label: "Is there anything else?"},
	}
}

func sampleSite(t *testing.T, assets bool) *httptest.Server {
	t.Helper()
	var c ui.Config
	if !assets {
		c.Assets = fstest.MapFS{}
	} else if !ui.Built() {
		missing(t, "the styles are not built: run make assets")
	}
	r, err := ui.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Parse(fstest.MapFS{"form.html": {Data: []byte(formScreen)}, "desk.html": {Data: []byte(deskScreen)}, "done.html": {Data: []byte(doneScreen)}}, "*.html"); err != nil {
		t.Fatal(err)
	}
	footer := []ui.NavItem{{Text: "Privacy", Href: "/privacy"}, {Text: "Accessibility statement", Href: "/accessibility"}}
	form := ui.Page{Title: "Ask for help", Organisation: "Knowsley Primary Care Network", Back: "/", Leave: "https://www.example.org/", Footer: footer}
	mux := http.NewServeMux()
	mux.Handle("/static/", r.Static())
	mux.HandleFunc("GET /form", func(w http.ResponseWriter, req *http.Request) {
		page := form
		page.Data = formData("")
		if dir := req.URL.Query().Get("dir"); dir != "" {
			page.Lang, page.Dir = "ar", dir
		}
		r.Render(w, req, 200, "form", page)
	})
	mux.HandleFunc("POST /form", func(w http.ResponseWriter, req *http.Request) {
		page := form
		page.Data = formData(req.FormValue("call"))
		page.Errors = []ui.FieldError{{Field: "reasons", Sentence: "Select what you would like help with"}, {Field: "number", Sentence: "Enter a phone number, like 07700 900 982"}, {Field: "birth-day", Sentence: "Date of birth must include a day"}}
		r.Render(w, req, 422, "form", page)
	})
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, req *http.Request) {
		r.Render(w, req, 200, "done", ui.Page{Title: "We have received it", Organisation: "Knowsley Primary Care Network", Data: time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC)})
	})
	mux.HandleFunc("GET /missing", func(w http.ResponseWriter, req *http.Request) { r.Error(w, req, 404, "", nil) })
	mux.HandleFunc("GET /desk", func(w http.ResponseWriter, req *http.Request) {
		r.Render(w, req, 200, "desk", ui.Page{Title: "Spring invitations", Kind: ui.Desk, Organisation: "Knowsley Primary Care Network", Home: "/desk", User: "Sam Ogden", SignOutURL: "/out", Footer: footer,
			Nav:    []ui.NavItem{{Text: "Queue", Href: "/queue"}, {Text: "Campaigns", Href: "/desk", Current: true}, {Text: "Capacity", Href: "/capacity"}, {Text: "Directory", Href: "/directory"}},
			Notice: "The campaign is running", Breadcrumbs: []ui.NavItem{{Text: "Campaigns", Href: "/desk"}}, Data: deskData()})
	})
	srv := httptest.NewServer(r.Protect(mux))
	t.Cleanup(srv.Close)
	return srv
}

func deskData() any {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	series := []ui.Series{{Name: "Texts", Kind: ui.Bar}, {Name: "Queue", Kind: ui.Area}, {Name: "Answers"}}
	for i := range 28 {
		day := start.AddDate(0, 0, i)
		series[0].Points = append(series[0].Points, ui.Point{At: day, Value: float64(1400 - 30*i)})
		series[1].Points = append(series[1].Points, ui.Point{At: day, Value: float64(200 + i*i%300)})
		series[2].Points = append(series[2].Points, ui.Point{At: day, Value: float64(100 + i*37%400)})
	}
	row := func(ref, state, colour, due string) []ui.Cell {
		return []ui.Cell{{Text: ref, Href: "/r"}, {Text: state, Tag: colour}, {Text: "07••• •••982"}, {Text: due, Numeric: true}}
	}
	return struct {
		Now   time.Time
		Chart ui.Chart
		Queue ui.Table
		Pages ui.Pagination
		Facts ui.SummaryList
	}{start.Add(9*time.Hour + 42*time.Minute),
		ui.Chart{Title: "Texts, queue and answers", Sentence: "Texts slowed when the queue reached what the team can answer.", Unit: "a day", Limit: 1100, LimitIs: "Most that the team can answer", Series: series},
		ui.Table{Caption: "Queue", RowHeaders: true, Head: []ui.Cell{{Text: "Reference"}, {Text: "State"}, {Text: "Phone"}, {Text: "Working days left", Numeric: true}},
			Rows: [][]ui.Cell{row("HDJ2123F", "Urgent", "red", "0"), row("KLM4567G", "New", "blue", "2"), row("PQR8901H", "Unverified", "grey", "2")}},
		ui.Pagination{Current: 3, Total: 9, Href: func(int) string { return "/desk" }},
		ui.SummaryList{Rows: []ui.SummaryRow{{Key: "Patients", Values: []ui.Cell{{Text: "52,000"}}, Actions: []ui.Cell{{Text: "Show", Href: "/list", Hidden: "patients"}}}, {Key: "Finishes", Values: []ui.Cell{{Text: "about 3 June 2026"}}}}}}
}

func TestPages_inABrowser(t *testing.T) {
	b := Open(t)
	site := sampleSite(t, true).URL
	for name, path := range map[string]string{"form": "/form", "rtl": "/form?dir=rtl", "desk": "/desk", "done": "/done", "missing": "/missing"} {
		t.Run(name, func(t *testing.T) { b.In(t).Page().CheckPage(site+path, name) })
	}
	t.Run("unstyled", func(t *testing.T) {
		plain := sampleSite(t, false).URL
		for name, path := range map[string]string{"form": "/form", "desk": "/desk"} {
			b.In(t).Page().CheckPage(plain+path, "unstyled-"+name)
		}
	})

	t.Run("errors", func(t *testing.T) {
		p := b.In(t).Page()
		p.Phone()
		p.Goto(site + "/form")
		p.Click("#call")
		p.Fill("#number", "x")
		if status := p.Follow("form button"); status != 422 {
			t.Errorf("status %d", status)
		}
		if focused := p.Focused(); focused != "div.nhsuk-error-summary" {
			t.Errorf("the focus is on %s, not on the error summary", focused)
		}
		for _, v := range p.Axe() {
			t.Errorf("%s", v)
		}
		p.Click(`a[href="#birth-day"]`)
		if focused := p.Focused(); focused != "input#birth-day.nhsuk-input" {
			t.Errorf("the summary leads to %s", focused)
		}
		p.Press("7")
		if got := p.Text("#birth-error"); !strings.Contains(got, "must include a day") {
			t.Errorf("the error at the field reads %q", got)
		}
		if dir := os.Getenv("WELLPACED_SHOTS"); dir != "" {
			p.Screenshot(filepath.Join(dir, "errors-phone.png"))
		}
		if errs := p.ConsoleErrors(); len(errs) > 0 {
			t.Errorf("console: %v", errs)
		}
	})

	t.Run("without scripts", func(t *testing.T) {
		p := b.In(t).Page()
		p.NoScripts()
		p.Goto(site + "/form")
		p.Fill("#number", "07700900982") // revealed by a choice where scripts run, always there without
		if status := p.Follow("form button"); status != 422 {
			t.Errorf("status %d", status)
		}
		if got := p.Text(".nhsuk-error-summary"); !strings.Contains(got, "There is a problem") {
			t.Errorf("the summary reads %q", got)
		}
	})
}

// The checks must be able to fail.
func TestPage_findsFaults(t *testing.T) {
	b := Open(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		_, _ = w.Write([]byte(`<!DOCTYPE html><html><title>x</title><div style="width:900px">wide</div><table width=900><td>wide</table><input><img src="/gone.png"><script>alert(1)</script>`))
	}))
	defer srv.Close()
	p := b.Page()
	p.Phone()
	p.Goto(srv.URL)
	var found []string
	for _, v := range p.Axe() {
		found = append(found, v.ID)
	}
	for _, want := range []string{"label", "html-has-lang", "image-alt"} {
		if !strings.Contains(strings.Join(found, " "), want) {
			t.Errorf("axe-core found %v, not %s", found, want)
		}
	}
	if p.Wider() <= 0 {
		t.Error("a page of 900 pixels fits a phone")
	}
	if len(p.ConsoleErrors()) == 0 {
		t.Error("the blocked style and script are not in the console")
	}
}
