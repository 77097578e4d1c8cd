package desk

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const reportsPath = "/desk/reports"

// dateWords is a date that is still one when the paper is old.
const dateWords = "2 January 2006"

// reportsScreen is the data of reports.html.
type reportsScreen struct {
	None           string // why there is no report
	Counting       *reportCounting
	From, To, Only ui.Field
	Of             string
	Most           int // that is hidden
	XLSX, CSV      string
	Parts          []reportPart
	Foot           string
}

// reportPart is a table with its picture, if it has one.
type reportPart struct {
	Code, Title, Note string
	Picture           any
	Table             ui.Table
}

// errNoReport means that nothing can be reported yet.
var errNoReport = invalid{{Sentence: "Nothing can be reported yet: a report is of whole months that are over, and a month is counted three days after its end."}}

// askedReport reads what report is asked for; without a word it is the last three months. It also gives all months there are.
func (h *Handler) askedReport(r *http.Request, who staff.Account) (q selfrefer.ReportQuery, first, last selfrefer.Month, err error) {
	if first, last, err = h.Store.ReportSpan(r.Context(), who); err != nil {
		return q, "", "", fmt.Errorf("see which months there are: %w", err)
	}
	if first == "" {
		return q, "", "", errNoReport
	}
	q = selfrefer.ReportQuery{From: max(first, last.Add(1-selfrefer.UsualReportMonths)), To: last}
	usual := q
	get := r.URL.Query().Get
	var bad invalid
	for _, f := range []struct {
		name, words string
		to          *selfrefer.Month
	}{{"from", "first", &q.From}, {"to", "last", &q.To}} {
		if s := get(f.name); s != "" {
			m, ok := selfrefer.ParseMonth(s)
			if !ok || m < first || m > last {
				bad = append(bad, ui.FieldError{Field: f.name, Sentence: fmt.Sprintf("Select a %s month from %s to %s", f.words, first.Words(), last.Words())})
				continue
			}
			*f.to = m
		}
	}
	if get("from") != "" && get("to") == "" { // never before the first
		q.To = max(q.From, q.To)
	}
	if get("to") != "" && get("from") == "" {
		q.From = min(q.From, q.To)
	}
	q.By, q.Value, _ = strings.Cut(get("only"), ":")
	if bad == nil && q.Check(first, last) != nil {
		bad = append(bad, ui.FieldError{Field: "to", Sentence: fmt.Sprintf("Select months in their order, %d at most, and one group at a time", selfrefer.MaxReportMonths)})
	}
	if bad != nil {
		return usual, first, last, bad
	}
	return q, first, last, nil
}

func (h *Handler) reportsPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	q, first, last, err := h.askedReport(r, who)
	var report selfrefer.Report
	if err == nil {
		report, err = h.report(r, who, q)
	}
	status := http.StatusOK
	var bad invalid
	var not selfrefer.NotCounted
	if errors.As(err, &not) {
		return h.showCounting(w, r, q, not)
	}
	switch e, ok := err.(invalid); { //nolint:errorlint // askedReport wraps none
	case err == nil:
	case !ok:
		return err
	case first == "":
		now := selfrefer.MonthOf(h.Now(), h.zone)
		if selfrefer.LastMonth(h.Now(), h.zone) < now.Add(-1) {
			now = now.Add(-1)
		}
		none := fmt.Sprintf("%s The next one is %s, from %s on. How a campaign goes until then is on its own page.", e[0].Sentence, now.Words(), now.Add(1).First(h.zone).Add(selfrefer.MonthSettles).Format(dateWords))
		return h.show(w, r, status, "reports", ui.Page{Title: "Reports", Data: reportsScreen{None: none}})
	default:
		status, bad = http.StatusUnprocessableEntity, e
		q.By, q.Value = "", ""
		if report, err = h.report(r, who, q); errors.As(err, &not) {
			return h.showCounting(w, r, q, not)
		}
		if err != nil {
			return err
		}
	}
	network, err := h.Store.Network(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	s := reportsScreen{Of: span(q) + ". " + report.Of, Most: selfrefer.HiddenBelow - 1, XLSX: reportsPath + "/report.xlsx?" + reportQuery(q), CSV: reportsPath + "/report.csv?" + reportQuery(q),
		Foot: fmt.Sprintf("Source: the referrals, records of support and texts of %s, kept by Wellpaced. Whole months, each counted once, three days after its end. Drawn up on %s.", network.Name, h.Now().In(h.zone).Format(dateWords))}
	s.From = ui.Field{Kind: ui.Select, Name: "from", Label: "First month", Value: string(q.From)}
	s.To = ui.Field{Kind: ui.Select, Name: "to", Label: "Last month", Value: string(q.To)}
	for m := last; m >= first; m = m.Add(-1) {
		s.From.Options = append(s.From.Options, ui.Option{Value: string(m), Label: m.Words()})
	}
	s.To.Options = s.From.Options
	s.Only = ui.Field{Kind: ui.Select, Name: "only", Label: "Only", Hint: "One group at a time: two together could tell who is in both", Value: reportGroup(q.By, q.Value), Options: []ui.Option{{Value: "", Label: "Everybody"}}}
	for _, g := range report.Groups {
		s.Only.Options = append(s.Only.Options, ui.Option{Value: reportGroup(g.By, g.Value), Label: groupWords[g.By] + g.Words})
	}
	for _, t := range report.Tables {
		s.Parts = append(s.Parts, h.part(t))
	}
	return h.show(w, r, status, "reports", ui.Page{Title: "Reports", Errors: bad, Data: s})
}

var groupWords = map[string]string{selfrefer.ByPractice: "Practice: ", selfrefer.ByCampaign: "Campaign: ", selfrefer.ByAge: "Age: ", selfrefer.BySex: "Sex: ", selfrefer.ByLanguage: "Language: "}

func reportGroup(by, value string) string {
	if by == "" {
		return ""
	}
	return by + ":" + value
}

func reportQuery(q selfrefer.ReportQuery) string {
	v := url.Values{"from": {string(q.From)}, "to": {string(q.To)}}
	if q.By != "" {
		v.Set("only", reportGroup(q.By, q.Value))
	}
	return v.Encode()
}

// span says of which months a report is.
func span(q selfrefer.ReportQuery) string {
	if q.From == q.To {
		return q.From.Words()
	}
	return q.From.Words() + " to " + q.To.Words()
}

// part makes a table of a report, and the picture that goes with it.
func (h *Handler) part(t selfrefer.ReportTable) reportPart {
	p := reportPart{Code: t.Code, Title: t.Title, Note: t.Note, Table: ui.Table{Caption: t.Title + ": the numbers", CaptionSize: "s", RowHeaders: true, Stacked: len(t.Heads) > 2, Empty: "There is nothing that can be told of these months.", Head: []ui.Cell{{Text: t.Of}}}}
	notes := slices.ContainsFunc(t.Rows, func(r selfrefer.ReportRow) bool { return r.Note != "" })
	for _, head := range t.Heads {
		p.Table.Head = append(p.Table.Head, ui.Cell{Text: head.Words, Numeric: true})
	}
	if notes {
		p.Table.Head = append(p.Table.Head, ui.Cell{Text: "How to read it"})
	}
	for _, r := range t.Rows {
		row := []ui.Cell{{Text: r.Words}}
		for _, f := range r.Figures {
			row = append(row, ui.Cell{Text: f.Text(), Numeric: true})
		}
		if notes {
			row = append(row, ui.Cell{Text: r.Note})
		}
		p.Table.Rows = append(p.Table.Rows, row)
	}
	if len(t.Rows) == 0 {
		return p
	}
	switch t.Code {
	case selfrefer.TableReasons, selfrefer.TableOnward, selfrefer.TableInterventions, selfrefer.TableOutcomes, selfrefer.TableDischarges, selfrefer.TablePractices:
		bars := ui.Bars{Title: t.Title, Sentence: told(t.Rows[0])}
		for _, r := range t.Rows {
			bars.Rows = append(bars.Rows, ui.BarRow{Words: r.Words, Text: r.Figures[0].Text(), Value: r.Figures[0].Value})
		}
		p.Picture = bars
	case selfrefer.TableWeeks:
		c := ui.Chart{Title: t.Title, Unit: "working hours", Sentence: "How long people waited for their first contact, by the week in which it was made."}
		for i, head := range t.Heads {
			s := ui.Series{Name: head.Words}
			for _, r := range t.Rows {
				at, err := time.ParseInLocation(time.DateOnly, r.Code, h.zone)
				if err == nil {
					s.Points = append(s.Points, ui.Point{At: at, Value: r.Figures[i].Value})
				}
			}
			c.Series = append(c.Series, s)
		}
		p.Picture = c
	case selfrefer.TableSectors:
		p.Picture = tiles(t)
	}
	return p
}

// told says in a sentence which comes first.
func told(r selfrefer.ReportRow) string {
	if f := r.Figures[0]; !f.Hidden && !f.None {
		return fmt.Sprintf("%s comes first: %s.", r.Words, f.Text())
	}
	return "All numbers are hidden."
}

// tiles is the map of the sectors: by the rate, or by the number where nobody was texted.
func tiles(t selfrefer.ReportTable) ui.Tiles {
	const rate = 2 // the column
	m := ui.Tiles{Title: "Referrals for each 1,000 texts, by postcode sector", Sentence: "Each tile is a sector; the darker, the more people referred themselves. “hidden” is a sector with too few people, “–” one without texts."}
	for _, r := range t.Rows {
		if r.Code == "" {
			continue
		}
		district, _, _ := strings.Cut(r.Code, " ")
		f := r.Figures[rate]
		m.Tiles = append(m.Tiles, ui.Tile{Group: cmp.Or(district, r.Code), Words: r.Words, Text: f.Text(), Value: f.Value, Told: f.Exact()})
	}
	return m
}

// reportJSON is a report as the API tells it.
type reportJSON struct {
	From   selfrefer.Month   `json:"from"`
	To     selfrefer.Month   `json:"to"`
	Only   string            `json:"only,omitempty"`
	Of     string            `json:"of"`
	First  selfrefer.Month   `json:"first_month"`
	Last   selfrefer.Month   `json:"last_month"`
	Groups []groupJSON       `json:"groups"`
	Tables []reportTableJSON `json:"tables"`
}

type groupJSON struct {
	Only  string `json:"only"`
	Words string `json:"words"`
}

type reportTableJSON struct {
	Code    string             `json:"code"`
	Title   string             `json:"title"`
	Note    string             `json:"note,omitempty"`
	Columns []reportColumnJSON `json:"columns"`
	Rows    []reportRowJSON    `json:"rows"`
}

type reportColumnJSON struct {
	Code  string         `json:"code"`
	Words string         `json:"words"`
	Unit  selfrefer.Unit `json:"unit,omitempty"`
}

type reportRowJSON struct {
	Code    string             `json:"code"`
	Words   string             `json:"words"`
	Figures []selfrefer.Figure `json:"figures"`
	Note    string             `json:"note,omitempty"`
}

func (h *Handler) getReport(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	q, first, last, err := h.askedReport(r, who)
	if err != nil {
		return err
	}
	report, err := h.report(r, who, q)
	var not selfrefer.NotCounted
	if errors.As(err, &not) {
		return comeAgain(w, r, not)
	}
	if err != nil {
		return err
	}
	out := reportJSON{From: q.From, To: q.To, Only: reportGroup(q.By, q.Value), Of: report.Of, First: first, Last: last, Groups: []groupJSON{}, Tables: []reportTableJSON{}}
	for _, g := range report.Groups {
		out.Groups = append(out.Groups, groupJSON{reportGroup(g.By, g.Value), g.Words})
	}
	for _, t := range report.Tables {
		j := reportTableJSON{Code: t.Code, Title: t.Title, Note: t.Note, Columns: []reportColumnJSON{}, Rows: []reportRowJSON{}}
		for _, head := range t.Heads {
			j.Columns = append(j.Columns, reportColumnJSON(head))
		}
		for _, row := range t.Rows {
			j.Rows = append(j.Rows, reportRowJSON(row))
		}
		out.Tables = append(out.Tables, j)
	}
	return writeJSON(w, http.StatusOK, out)
}
