package ui

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// fixture returns the HTML that nhsuk-frontend publishes for one case of a component.
func fixture(t *testing.T, component, name string) string {
	t.Helper()
	b, err := os.ReadFile("web/node_modules/nhsuk-frontend/dist/nhsuk/components/" + component + "/fixtures.json")
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("nhsuk-frontend is not installed: run make assets")
	}
	if err != nil {
		t.Fatalf("read fixtures (make assets installs them): %v", err)
	}
	var file struct{ Fixtures []struct{ Name, HTML string } }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, f := range file.Fixtures {
		if f.Name == name {
			return f.HTML
		}
	}
	t.Fatalf("%s has no fixture %q", component, name)
	return ""
}

// normal writes HTML one token a line: attributes and classes sorted, white space collapsed.
func normal(t *testing.T, src string) string {
	t.Helper()
	var out strings.Builder
	z := html.NewTokenizer(strings.NewReader(src))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out.String()
		case html.TextToken:
			if text := strings.Join(strings.Fields(html.UnescapeString(string(z.Text()))), " "); text != "" {
				out.WriteString(text + "\n")
			}
		case html.EndTagToken:
			out.WriteString("</" + z.Token().Data + ">\n")
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			attrs := map[string]string{}
			for _, a := range token.Attr {
				words := strings.Fields(a.Val)
				if a.Key == "class" {
					slices.Sort(words)
				}
				attrs[a.Key] = strings.Join(words, " ")
			}
			out.WriteString("<" + token.Data)
			for _, k := range slices.Sorted(maps.Keys(attrs)) {
				out.WriteString(" " + k + "=" + attrs[k])
			}
			out.WriteString(">\n")
		}
	}
}

// within draws a screen's fragment, as html/template escapes it there.
func within(t *testing.T, src string, p Page) string {
	t.Helper()
	r, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.add("it", src); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.screens["it"].ExecuteTemplate(&b, "content", p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestComponents_drawWhatNHSUKFrontendDraws(t *testing.T) {
	contact := []Option{{Value: "email", Label: "Email"}, {Value: "phone", Label: "Phone"}, {Value: "text", Label: "Text message"}}
	const how, nhs = "How do you want to be contacted about this?", "What is your NHS number?"
	nhsHint := "This is a 10 digit number (like 999 123 4567) that you can find on an NHS letter, prescription or in the NHS App"
	reveal := func(by, label, kind string) []Field {
		return []Field{{Name: "contact-by-" + by, Label: label, Type: kind, NoSpellcheck: by == "email"}}
	}
	revealing := slices.Clone(contact)
	for i, f := range [][]Field{reveal("email", "Email address", ""), reveal("phone", "Phone number", "tel"), reveal("text", "Mobile phone number", "tel")} {
		revealing[i].Reveal = f
	}
	birth := Field{Kind: Date, Name: "example", Label: "What is your date of birth?", Heading: true, Hint: "For example, 31 3 1980"}
	birthAuto := birth
	birthAuto.Autocomplete = "bday"
	birthBad := birth
	birthBad.Values = []string{"", "3", "1980"}
	people := []SummaryRow{
		{Key: "Name", Values: []Cell{{Text: "Karen Francis"}}},
		{Key: "Date of birth", Values: []Cell{{Text: "15 March 1984"}}},
		{Key: "Contact information", Values: []Cell{{Text: "73 Roman Rd"}, {Text: "Leeds"}, {Text: "LS2 5ZN"}}},
		{Key: "Contact details", Values: []Cell{{HTML: "<p>07700 900362</p><p>karen.francis@example.com</p>"}}},
	}
	changeable := slices.Clone(people)
	for i, row := range changeable {
		changeable[i].Actions = []Cell{{Text: "Change", Href: "#/change", Hidden: strings.ToLower(row.Key)}}
	}
	skin := Table{
		Caption: "Impetigo can look similar to other skin conditions", RowHeaders: true,
		Head: []Cell{{Text: "Skin symptoms"}, {Text: "Possible cause"}},
		Rows: [][]Cell{
			{{Text: "Blisters on lips or around the mouth"}, {Text: "Cold sores"}},
			{{Text: "Itchy, dry, cracked, sore"}, {Text: "Eczema"}},
			{{Text: "Itchy blisters"}, {Text: "Shingles, chickenpox"}},
		},
	}
	sections := func(page int) string { return "#/section/" + string(rune('0'+page)) }
	locations := Field{Kind: Select, Name: "example", Label: "Sort by", Heading: true, Options: []Option{
		{Value: "published", Label: "Recently published"}, {Value: "updated", Label: "Recently updated"},
		{Value: "views", Label: "Most views"}, {Value: "comments", Label: "Most comments"}}}

	const field, drawn = "{{.Field .Data}}", "{{render .Data}}"
	for _, tt := range []struct {
		component, fixture, src string
		data                    any
		errs                    []FieldError
	}{
		{"input", "without heading", field, Field{ID: "without-heading", Name: "example", Label: nhs, Code: true, Width: 10, NoSpellcheck: true, Inputmode: "numeric"}, nil},
		{"input", "label", field, Field{ID: "custom-size", Name: "example", Label: nhs, Heading: true, Size: "s", Code: true, Width: 10, NoSpellcheck: true, Inputmode: "numeric"}, nil},
		{"input", "with error message and hint", field, Field{ID: "with-hint-error", Name: "example", Label: nhs, Heading: true, Hint: nhsHint, Code: true, Width: 10, NoSpellcheck: true, Inputmode: "numeric"}, []FieldError{{"with-hint-error", "Enter NHS number"}}},
		{"input", "with prefix and suffix", field, Field{ID: "with-prefix-suffix", Name: "example", Label: "Cost per item, in pounds", Heading: true, Size: "none", Width: 5, Prefix: "£", Suffix: "per item"}, nil},
		{"textarea", "default", field, Field{Kind: Textarea, Name: "example", Label: "Can you provide more detail?", Heading: true, Hint: "Do not include personal information like your name, date of birth or NHS number"}, nil},
		{"textarea", "with error message and hint, without heading", field, Field{Kind: Textarea, ID: "with-hint-error", Name: "example", Label: "Can you provide more detail?", Hint: "Do not include personal information like your name, date of birth or NHS number"}, []FieldError{{"with-hint-error", "You must provide an explanation"}}},
		{"select", "default", field, locations, nil},
		{"radios", "default", field, Field{Kind: Radios, Name: "example", Label: how, Heading: true, Options: contact}, nil},
		{"radios", "without heading", field, Field{Kind: Radios, ID: "without-heading", Name: "example", Label: how, Options: contact}, nil},
		{"radios", "with conditional content, error message", field, Field{Kind: Radios, ID: "conditional", Name: "example", Label: how, Heading: true, Hint: "Select 1 option", Options: revealing}, []FieldError{{"conditional", "Select how you want to be contacted"}}},
		{"radios", "with divider", field, Field{Kind: Radios, ID: "with-divider", Name: "example", Label: "Do you know your NHS number?", Heading: true, Hint: nhsHint, Options: []Option{
			{Value: "yes", Label: "Yes, I know my NHS number"}, {Value: "no", Label: "No, I do not know my NHS number"}, {Divider: "or"}, {Value: "not sure", Label: "I'm not sure"}}}, nil},
		{"radios", "with hints on items", field, Field{Kind: Radios, ID: "with-hint-item", Name: "example", Label: "Do you have a mobile phone with signal?", Heading: true, Options: []Option{
			{Value: "mobile", Label: "Yes, I have a mobile phone with signal", Hint: "We will text you a 6 digit security code"},
			{Value: "landline", Label: "No, I want to use my landline", Hint: "We will call you to give you a 6 digit security code"}}}, nil},
		{"checkboxes", "default", field, Field{Kind: Checkboxes, Name: "example", Label: how, Heading: true, Hint: "Select all options that are relevant to you", Options: contact}, nil},
		{"checkboxes", `with "none" option`, field, Field{Kind: Checkboxes, ID: "none", Name: "example", Label: how, Heading: true, Options: append(slices.Clone(contact), Option{Divider: "or"}, Option{Value: "none", Label: "I do not want to be contacted", Exclusive: true})}, nil},
		{"date-input", "default", field, birth, nil},
		{"date-input", "with autocomplete values", field, birthAuto, nil},
		{"date-input", "with error on day input", field, birthBad, []FieldError{{"example-day", "Date of birth must include a day"}}},
		{"button", "secondary, small", `{{button "Find my location" "secondary" "small"}}`, nil, nil},
		{"button", "warning", `{{button "Yes, delete this vaccine" "warning"}}`, nil, nil},
		{"button", "with double click prevented", `{{button "Save and continue" "once"}}`, nil, nil},
		{"button", "as a link", `{{linkButton "Link button" "#"}}`, nil, nil},
		{"error-summary", "with multiple errors", "{{.ErrorSummary}}", nil, []FieldError{{"example-first-name", "Enter your first name"}, {"example-last-name", "Enter your last name"}}},
		{"error-summary", "without error link", "{{.ErrorSummary}}", nil, []FieldError{{"", "Invalid username or password"}}},
		{"summary-list", "default", drawn, SummaryList{Rows: people}, nil},
		{"summary-list", "with actions", drawn, SummaryList{Rows: changeable}, nil},
		{"summary-list", "without border", drawn, SummaryList{Rows: people, NoBorder: true}, nil},
		{"tables", "default", drawn, skin, nil},
		{"tag", "with text escaping", `{{tag "A&E" "red"}}`, nil, nil},
		{"pagination", "numbered", drawn, Pagination{Current: 2, Total: 3, Href: sections}, nil},
		{"breadcrumb", "default", "{{render .Crumbs}}", nil, nil},
		{"details", "default", `{{details "How to find your NHS number"}}You can find your NHS number by logging in to the NHS App or on any document the NHS has sent you.{{endDetails}}`, nil, nil},
		{"panel", "default", `{{panel "Booking complete"}}We have sent you a confirmation email{{endPanel}}`, nil, nil},
		{"inset-text", "default", `{{inset}}<p>You can report any suspected side effect using the Yellow Card safety scheme</p>{{endInset}}`, nil, nil},
		{"notification-banner", "default", `{{banner "" "The patient record was updated."}}{{endBanner}}`, nil, nil},
		{"notification-banner", "with success variant", `{{banner "success" "Email sent to example@email.com"}}{{endBanner}}`, nil, nil},
		{"card", "emergency (red and black)", `{{care "emergency" "Call 999 if you have sudden chest pain that:"}}<ul>
  <li>spreads to your arms, back, neck or jaw</li>
  <li>makes your chest feel tight or heavy</li>
  <li>also started with shortness of breath, sweating and feeling or being sick</li>
</ul>
<p>You could be having a heart attack. Call 999 immediately as you need immediate treatment in hospital.</p>{{endCare}}`, nil, nil},
	} {
		t.Run(tt.component+"/"+tt.fixture, func(t *testing.T) {
			// Known differences: hints are plain text here, inputs take no extra classes, and the parts of a date are named after the field.
			want := strings.NewReplacer(`<span class="nhsuk-u-nowrap">999 123 4567</span>`, "999 123 4567", " nhsuk-u-width-two-thirds", "").Replace(fixture(t, tt.component, tt.fixture))
			page := Page{Data: tt.data, Errors: tt.errs, Breadcrumbs: []NavItem{{Text: "Home", Href: "#"}, {Text: "NHS services", Href: "#"}, {Text: "Hospitals", Href: "#"}}}
			got := strings.NewReplacer(` name="example-day"`, ` name="day"`, ` name="example-month"`, ` name="month"`, ` name="example-year"`, ` name="year"`,
				" nhsuk-label--none", "", // the fixture's heading has no size
			).Replace(within(t, tt.src, page))
			if g, w := normal(t, got), normal(t, want); g != w {
				t.Errorf("drew\n%s\nnhsuk-frontend draws\n%s", g, w)
			}
		})
	}
}

func TestField_errorsOfRevealedFields(t *testing.T) {
	f := Field{Kind: Radios, Name: "call", Label: "May we call?", Value: "yes", Options: []Option{
		{Value: "yes", Label: "Yes", Reveal: []Field{{Name: "number", Label: "Number", Value: "x"}}}, {Value: "no", Label: "No"}}}
	got := within(t, "{{.Field .Data}}", Page{Data: f, Errors: []FieldError{{"number", "Enter a phone number"}}})
	for _, want := range []string{`id="number-error"`, "Enter a phone number", `value="yes" checked`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "__conditional--hidden") {
		t.Error("the chosen option hides what it reveals")
	}
	if f.Options[0].Reveal[0].Error != "" {
		t.Error("drawing changed the caller's field")
	}
}

func TestTable_stacked(t *testing.T) {
	html, err := render(Table{Stacked: true, RowHeaders: true, Head: []Cell{{Text: "Campaign"}, {Text: "State"}}, Rows: [][]Cell{{{Text: "Spring"}, {Text: "Waits for approval", Tag: "yellow"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`role="table"`, `role="rowheader"><span class="nhsuk-table-responsive__heading" aria-hidden="true">Campaign </span>Spring`, `aria-hidden="true">State </span><strong`} {
		if !strings.Contains(string(html), want) {
			t.Errorf("a stacked table lacks %s:\n%s", want, html)
		}
	}
	plain, err := render(Table{Head: []Cell{{Text: "Campaign"}}, Rows: [][]Cell{{{Text: "Spring"}}}})
	if err != nil || strings.Contains(string(plain), "responsive") || strings.Contains(string(plain), "role=") {
		t.Errorf("a plain table became a stacked one: %v\n%s", err, plain)
	}
}

func TestComponents_escape(t *testing.T) {
	const evil = `"><script>alert(1)</script><b style="x">`
	data := []any{
		Field{Name: "a", Label: evil, Hint: evil, Value: evil, Prefix: evil},
		Field{Kind: Textarea, Name: "a", Label: evil, Value: evil},
		Field{Kind: Checkboxes, Name: evil, Label: evil, Options: []Option{{Value: evil, Label: evil, Hint: evil}}},
		Field{Kind: Date, Name: "d", Label: evil, Values: []string{evil, evil, evil}},
		SummaryList{Rows: []SummaryRow{{Key: evil, Values: []Cell{{Text: evil}}, Actions: []Cell{{Text: evil, Href: "javascript:alert(1)", Hidden: evil}}}}},
		Table{Caption: evil, Head: []Cell{{Text: evil}}, Rows: [][]Cell{{{Text: evil, Tag: evil}}}},
		Tag{evil, evil}, Button{Text: evil, Name: evil, Value: evil},
		Chart{Title: evil, Sentence: evil, Unit: evil, LimitIs: evil, Limit: 3, Series: []Series{{Name: evil, Points: []Point{{Value: 1}}}}},
	}
	var all strings.Builder
	for _, d := range data {
		all.WriteString(within(t, "{{render .Data}}", Page{Data: d}))
	}
	all.WriteString(within(t, `{{care "urgent" .Data}}{{.Data}}{{endCare}}{{banner "" .Data}}{{endBanner}}{{details .Data}}{{endDetails}}{{panel .Data}}{{endPanel}}{{.ErrorSummary}}`,
		Page{Data: evil, Errors: []FieldError{{evil, evil}}}))
	z := html.NewTokenizer(strings.NewReader(all.String()))
	for z.Next() != html.ErrorToken {
		token := z.Token()
		if token.Type != html.StartTagToken {
			continue
		}
		if token.Data == "script" || token.Data == "b" {
			t.Errorf("a value became the element %v", token)
		}
		for _, a := range token.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("a value became the attribute %v", a)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{number(0), "0"}, {number(999), "999"}, {number(52000), "52,000"}, {number(-1234567), "-1,234,567"}, {number("1234.5"), "1,234.5"},
		{Clock(at(9, 0)), "9am"}, {Clock(at(14, 30)), "2:30pm"}, {Clock(at(12, 0)), "midday"}, {Clock(at(0, 0)), "midnight"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	for _, tt := range []struct {
		current, total int
		want           []int
	}{{1, 1, []int{1}}, {1, 3, []int{1, 2, 3}}, {5, 9, []int{1, 0, 4, 5, 6, 0, 9}}, {9, 9, []int{1, 0, 8, 9}}} {
		if got := (Pagination{Current: tt.current, Total: tt.total}).Pages(); !slices.Equal(got, tt.want) {
			t.Errorf("page %d of %d shows %v, want %v", tt.current, tt.total, got, tt.want)
		}
	}
}
