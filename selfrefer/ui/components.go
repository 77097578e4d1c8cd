package ui

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FieldKind is the sort of a form control.
type FieldKind int

const (
	Text FieldKind = iota
	Textarea
	Select
	Radios
	Checkboxes
	Date // three inputs, posted as Name-day, Name-month, Name-year
)

// Field is one question with its control. Draw it with {{.Field .Data.X}}, which fills in Error.
type Field struct {
	Kind    FieldKind
	Name    string
	ID      string // Name when empty; what FieldError.Field refers to
	Label   string // the question; the legend of Radios, Checkboxes and Date
	Heading bool   // Label is the page's only h1
	Size    string // of Label: s, m, l, xl; "l" for a heading when empty
	Hint    string
	Error   string
	Value   string
	Values  []string // the ticked Checkboxes, or day, month and year
	Options []Option // of Select, Radios, Checkboxes

	Type         string // of Text: "text" when empty; tel, email, password. Never number
	Width        int    // in characters: 2, 3, 4, 5, 10, 20, 30; 0: full
	Rows         int    // of Textarea: 5 when 0
	Autocomplete string // only for what people fill in about themselves; for a Date "bday"
	Inputmode    string
	Prefix       string
	Suffix       string
	Slider       string // of Text, for a number: "10 200 5" is its least, its most and a step of the slider that scripts put beside it
	Code         bool   // a number or code that is read digit by digit
	NoSpellcheck bool
	Small        bool // Radios, Checkboxes: small ones, for desks
	Inline       bool

	words    *Words   // of the page; nil: English
	badParts []string // of a Date: the parts that the error is about; none: all
}

// Option is one choice. One with a Divider only is the word "or" between two others.
type Option struct {
	Value, Label, Hint string
	Divider            string
	Lang               string  // of Label, where it is not the page's
	Exclusive          bool    // "none of these": unticks the others where scripts run
	Reveal             []Field // asked when this is chosen; without scripts always shown
}

// Button posts its form, or is a link that looks like a button when Href is set.
type Button struct {
	Text        string
	Href        string
	Variant     string // "", secondary, warning, reverse
	Small       bool
	Once        bool // ignores a second press within a second, where scripts run
	Name, Value string
}

// Tag is a state in a word and a colour: white, grey, green, aqua-green, blue, purple, pink, red, orange, yellow.
type Tag struct{ Text, Colour string }

// Cell is text, or a link, or a tag in a table or summary list. HTML wins over Text and must be trusted.
type Cell struct {
	Text    string
	Href    string
	Hidden  string // read out after Text, not shown: "Change" + " date of birth"
	Tag     string // colour: the text becomes a Tag
	HTML    template.HTML
	Numeric bool // to the right, so that digits line up
}

// Table says in Caption what it lists. The first cell of a row is its header if RowHeaders is set.
type Table struct {
	Caption     string
	CaptionSize string // m when empty
	Head        []Cell
	Rows        [][]Cell
	RowHeaders  bool
	Compact     bool
	Stacked     bool   // on a phone each row becomes a block with the heads beside its cells: for tables too wide for 320 pixels
	Empty       string // shown in place of the table when it has no rows
}

// SummaryRow is a question, its answer and what can be done about it.
type SummaryRow struct {
	Key     string
	Values  []Cell // one line each; none: "Not provided"
	Actions []Cell // links
}

// SummaryList shows answers to check, or the facts of a record.
type SummaryList struct {
	Rows     []SummaryRow
	NoBorder bool
	Words    *Words // nil: English
}

// Pagination links to the pages beside Current (counted from 1) of Total. Href makes the address of a page.
type Pagination struct {
	Current, Total int
	Href           func(page int) string
}

type crumbs []NavItem

// component is what {{render}} can draw: a template of components.html, or a chart.
type component interface{ component() string }

func (Field) component() string  { return "field" }
func (Button) component() string { return "button" }
func (Tag) component() string    { return "tag" }
func (Table) component() string  { return "table" }

// HeadOf is for the template: what stands beside a cell of a stacked table.
func (t Table) HeadOf(column int) string {
	if !t.Stacked || column >= len(t.Head) {
		return ""
	}
	return t.Head[column].Text
}

func (SummaryList) component() string { return "summary-list" }
func (Pagination) component() string  { return "pagination" }
func (crumbs) component() string      { return "breadcrumbs" }
func (Chart) component() string       { return "chart" }

// components refers to render, which executes components: hence the late assignment.
var components *template.Template

func init() {
	components = template.Must(template.New("components").Funcs(funcs()).ParseFS(own, "components.html"))
}

func render(c component) (template.HTML, error) { return draw(c.component(), c) }

func draw(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	err := components.ExecuteTemplate(&b, name, data)
	return template.HTML(b.String()), err
}

// funcs are what screens may call. The pairs (care … endCare) return a half-open element, so that what stands
// between them is ordinary, escaped template.
func funcs() template.FuncMap {
	end := func(tags string) func() template.HTML { return func() template.HTML { return template.HTML(tags) } }
	return template.FuncMap{
		"asset":  func(string) string { return "" }, // New puts the real one in
		"render": render,
		"button": func(text string, words ...string) (template.HTML, error) {
			return makeButton(text, "", words)
		},
		"linkButton": makeLinkButton,
		"tag": func(text string, colour ...string) (template.HTML, error) {
			return render(Tag{text, strings.Join(colour, "")})
		},
		"care":       care,
		"endCare":    end("</div></div>"),
		"inset":      inset,
		"endInset":   end("</div>"),
		"details":    func(summary string) (template.HTML, error) { return draw("details", summary) },
		"endDetails": end("</div></details>"),
		"panel":      func(heading string) (template.HTML, error) { return draw("panel", heading) },
		"endPanel":   end("</div></div>"),
		"banner":     func(kind, heading string) (template.HTML, error) { return draw("banner", [2]string{kind, heading}) },
		"endBanner":  end("</div></div>"),
		"number":     number,
		"date":       func(t time.Time) string { return t.Format("2 January 2006") },
		"clock":      Clock,
		"inc":        func(i int) int { return i + 1 },
	}
}

// care opens a care card: non-urgent, urgent or emergency. Pages in other languages give their words.
func care(kind, heading string, words ...*Words) (template.HTML, error) {
	w := said(words)
	return draw("care", [3]string{kind, heading, map[string]string{"emergency": w.Emergency, "urgent": w.Urgent, "non-urgent": w.NonUrgent}[kind]})
}

func inset(words ...*Words) (template.HTML, error) { return draw("inset", said(words).Information) }

func said(words []*Words) *Words {
	if len(words) > 0 && words[0] != nil {
		return words[0]
	}
	return &English
}

func makeLinkButton(text, href string, words ...string) (template.HTML, error) {
	return makeButton(text, href, words)
}

func makeButton(text, href string, words []string) (template.HTML, error) {
	b := Button{Text: text, Href: href}
	for _, w := range words {
		switch w {
		case "secondary", "warning", "reverse":
			b.Variant = w
		case "small":
			b.Small = true
		case "once":
			b.Once = true
		default:
			return "", fmt.Errorf("button %q: unknown word %q", text, w)
		}
	}
	return render(b)
}

// number writes 52000 as 52,000.
func number(n any) string {
	s := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, fraction, dot := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		whole += "." + fraction
	}
	return sign + whole
}

// Clock writes a time of day the NHS way: 9am, 2:30pm, midday, midnight.
func Clock(t time.Time) string {
	switch {
	case t.Minute() != 0:
		return t.Format("3:04pm")
	case t.Hour() == 0:
		return "midnight"
	case t.Hour() == 12:
		return "midday"
	}
	return t.Format("3pm")
}

// IsDesk is for the layout.
func (p Page) IsDesk() bool { return p.Kind == Desk }

// Crumbs is for the layout.
func (p Page) Crumbs() any { return crumbs(p.Breadcrumbs) }

// ErrorSummary is for the layout.
func (p Page) ErrorSummary() (template.HTML, error) {
	p.Words = cmp.Or(p.Words, &English)
	return draw("error-summary", p)
}

// Field draws a form control with its error from p.Errors.
func (p Page) Field(f Field) (template.HTML, error) { return render(p.withErrors(f)) }

func (p Page) withErrors(f Field) Field {
	id := cmp.Or(f.ID, f.Name)
	f.words = p.Words
	for _, e := range p.Errors {
		part := f.Kind == Date && strings.HasPrefix(e.Field, id+"-")
		if e.Field == id || part {
			f.Error = cmp.Or(f.Error, e.Sentence)
			if part {
				f.badParts = append(f.badParts, strings.TrimPrefix(e.Field, id+"-"))
			}
		}
	}
	if len(f.Options) > 0 {
		f.Options = slices.Clone(f.Options) // the caller's Field stays as it was
	}
	for i, o := range f.Options {
		reveal := make([]Field, len(o.Reveal))
		for j, inner := range o.Reveal {
			reveal[j] = p.withErrors(inner)
		}
		f.Options[i].Reveal = reveal
	}
	return f
}

// Below: what components.html asks of a Field.

func (f Field) Words() *Words { return said([]*Words{f.words}) }
func (f Field) Ident() string { return cmp.Or(f.ID, f.Name) }

func (f Field) LabelSize() string {
	if f.Heading {
		return cmp.Or(f.Size, "l")
	}
	return f.Size
}

// Dir lets words find their own direction where pages have languages, and keeps numbers and addresses from left to right.
func (f Field) Dir() string {
	switch {
	case f.words == nil || f.words == &English:
		return ""
	case f.Code || f.Type == "tel" || f.Type == "email":
		return "ltr"
	}
	return "auto"
}

// Grouped controls have a legend, the others a label.
func (f Field) Grouped() bool { return f.Kind == Radios || f.Kind == Checkboxes || f.Kind == Date }
func (f Field) IsDate() bool  { return f.Kind == Date }
func (f Field) IsBoxes() bool { return f.Kind == Checkboxes }
func (f Field) Template() string {
	return [...]string{"text", "textarea", "select", "choices", "choices", "date"}[f.Kind]
}

func (f Field) Control() (template.HTML, error) { return draw(f.Template(), f) }

func (f Field) DescribedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.Ident()+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.Ident()+"-error")
	}
	return strings.Join(ids, " ")
}

type choice struct {
	Option
	ID      string
	Checked bool
}

// Choices numbers the options as nhsuk-frontend does: the first has the field's own id, so that the error
// summary can link to it.
func (f Field) Choices() []choice {
	out := make([]choice, len(f.Options))
	for i, o := range f.Options {
		id := f.Ident()
		if i > 0 {
			id += "-" + strconv.Itoa(i+1)
		}
		out[i] = choice{o, id, o.Value == f.Value && f.Value != "" || slices.Contains(f.Values, o.Value)}
	}
	return out
}

// Parts are the three inputs of a Date, as fields of their own.
func (f Field) Parts() []Field {
	parts := make([]Field, 3)
	for i, part := range []string{"day", "month", "year"} {
		parts[i] = Field{Name: f.Name + "-" + part, ID: f.Ident() + "-" + part, Label: []string{f.Words().Day, f.Words().Month, f.Words().Year}[i], Width: 2, Inputmode: "numeric"}
		if i < len(f.Values) {
			parts[i].Value = f.Values[i]
		}
		if f.Autocomplete != "" {
			parts[i].Autocomplete = f.Autocomplete + "-" + part
		}
		if f.Error != "" && (len(f.badParts) == 0 || slices.Contains(f.badParts, part)) {
			parts[i].Error = f.Error
		}
	}
	parts[2].Width = 4
	return parts
}

// Missing stands in place of an answer.
func (s SummaryList) Missing() string { return said([]*Words{s.Words}).Missing }

// HasActions tells whether any row has some: then the others keep the column free.
func (s SummaryList) HasActions() bool {
	return slices.ContainsFunc(s.Rows, func(r SummaryRow) bool { return len(r.Actions) > 0 })
}

// Pages are the numbers to show: the ends and the neighbours; 0 is a gap.
func (p Pagination) Pages() []int {
	var out []int
	for n := 1; n <= p.Total; n++ {
		if n == 1 || n == p.Total || n >= p.Current-1 && n <= p.Current+1 {
			out = append(out, n)
		} else if out[len(out)-1] != 0 {
			out = append(out, 0)
		}
	}
	return out
}

func (p Pagination) Link(page int) string { return p.Href(page) }
func (p Pagination) Prev() int            { return p.Current - 1 }
func (p Pagination) Next() int {
	if p.Current < p.Total {
		return p.Current + 1
	}
	return 0
}
