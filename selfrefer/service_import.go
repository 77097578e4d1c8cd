package selfrefer

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// MaxServiceFile is how large a file of services may be, in bytes.
const MaxServiceFile = 4 << 20

// ErrServiceFile means that a file holds no services; the text says what to do, and quotes nothing of the file.
var ErrServiceFile = errors.New("the file cannot be read")

// ServiceRow is one service of a file, or the reason why it cannot be taken.
type ServiceRow struct {
	Row     int // the line of a CSV file; in JSON the place of the service in the list, from 1
	Service Service
	Fields  []ServiceField // those that the file has
	Problem string         // a code of [ServiceProblems]; "" if it can be taken
	// Unknown is how many of its reasons nobody could place. They stand in its description's last line.
	Unknown int
}

// ServiceProblems are why a row cannot be taken, in sentences for people. None quotes the row.
var ServiceProblems = map[string]string{
	"no_name":    "It has no name.",
	"twice":      "It stands in the file twice: the first is taken.",
	"unreadable": "It cannot be read: a field that should be words is something else.",
	"name":       "Its name is too long.",
	"about":      "Its description is too long.",
	"reasons":    "It has too many reasons, or one is too long.",
	"area":       "Its area is too long.",
	"languages":  "It has too many languages, or one is too long.",
	"places":     "Its places free are not a whole number.",
	"how":        "How to refer is too long.",
	"phone":      "Its phone number is none.",
	"email":      "Its e-mail address is none.",
	"web":        "Its web address is none.",
	"active":     "Whether it is active can be yes or no.",
	"full":       "The directory is full.",
}

// ServiceLedger accounts for every row of a file: Taken + Changed + Unchanged + Rejected = Rows.
type ServiceLedger struct {
	Rows      int          `json:"rows"`
	Taken     int          `json:"taken"` // new in the directory
	Changed   int          `json:"changed"`
	Unchanged int          `json:"unchanged"`
	Rejected  int          `json:"rejected"`
	Problems  []RowProblem `json:"problems,omitempty"`
	// Unplaced is how many services name a reason that is none of ours; they are taken.
	Unplaced int  `json:"unplaced_reasons"`
	DryRun   bool `json:"dry_run"`
}

// Balanced reports whether every row is accounted for.
func (l ServiceLedger) Balanced() bool {
	return l.Taken+l.Changed+l.Unchanged+l.Rejected == l.Rows && len(l.Problems) == l.Rejected
}

// ReadServices reads a file: Open Referral UK JSON if it begins like JSON, CSV otherwise. own are the network's own reasons, in English.
func ReadServices(from io.Reader, own []string) ([]ServiceRow, error) {
	raw, err := io.ReadAll(io.LimitReader(from, MaxServiceFile+1))
	if err != nil {
		return nil, fmt.Errorf("read services: %w", err)
	}
	if len(raw) > MaxServiceFile {
		return nil, fmt.Errorf("%w: it is larger than %d MB; send it in parts", ErrServiceFile, MaxServiceFile>>20)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	switch trimmed := bytes.TrimSpace(raw); {
	case len(trimmed) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrServiceFile)
	case trimmed[0] == '{' || trimmed[0] == '[':
		return readOpenReferral(trimmed, own)
	}
	return readServiceCSV(raw, own)
}

// finish tidies the rows of a file, says what is wrong with them, and keeps the first of those that are there twice.
func finish(rows []ServiceRow) []ServiceRow {
	seen := map[string]bool{}
	for i := range rows {
		r := &rows[i]
		if r.Problem == "" {
			var f []EntryFault
			if r.Service, f = r.Service.Check(); len(f) > 0 {
				r.Problem = f[0].Field
			}
			if r.Service.Name == "" {
				r.Problem = "no_name"
			}
		}
		if r.Problem == "" && seen[r.Service.Key] {
			r.Problem = "twice"
		}
		if r.Problem != "" {
			r.Service, r.Fields, r.Unknown = Service{}, nil, 0
			continue
		}
		seen[r.Service.Key] = true
	}
	return rows
}

// serviceColumns are the names that columns go by, in letters and digits alone.
var serviceColumns = map[string]ServiceField{}

func init() {
	for f, names := range map[ServiceField]string{
		fieldID:        "id serviceid reference ref key code uniqueid identifier",
		FieldName:      "name service servicename organisation organization organisationname group groupname provider title nameofservice project charity",
		FieldAbout:     "about description servicedescription whattheydo whatitdoes whatisit details summary information notes activity offer support",
		FieldReasons:   "reasons reason for whatfor need needs category categories type servicetype theme themes topic tags supports helpswith issue issues taxonomy",
		FieldArea:      "area areas areacovered servicearea ward district town location coverage where borough locality neighbourhood place",
		FieldLanguages: "languages language languagesspoken spokenlanguages",
		FieldPlaces:    "places placesfree freeplaces spaces availability vacancies capacity placesavailable spacesavailable",
		FieldHow:       "how howtorefer referral referralroute referralprocess howtoaccess access accessroute referralinformation applicationprocess howtojoin eligibility",
		FieldPhone:     "phone telephone tel phonenumber telephonenumber contactnumber contactphone mobile telno phoneno",
		FieldEmail:     "email emailaddress contactemail mail",
		FieldWeb:       "web website url webaddress link weblink site homepage",
		FieldActive:    "active status open current live isactive",
	} {
		for _, n := range strings.Fields(names) {
			serviceColumns[n] = f
		}
	}
}

// columnOf recognises a header, whatever its capitals, blanks and signs.
func columnOf(head string) (ServiceField, bool) {
	f, ok := serviceColumns[strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, head)]
	return f, ok
}

// readServiceCSV reads a file with a header, cut by commas, semicolons or tabs, in UTF-8 or as older spreadsheets write it.
func readServiceCSV(raw []byte, own []string) ([]ServiceRow, error) {
	if bytes.HasPrefix(raw, []byte("PK\x03\x04")) || bytes.IndexByte(raw, 0) >= 0 {
		return nil, fmt.Errorf("%w: save it as CSV (UTF-8) and send it again", ErrServiceFile)
	}
	if !utf8.Valid(raw) {
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: save it as CSV (UTF-8) and send it again", ErrServiceFile)
		}
		raw = decoded
	}
	raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	first, _, _ := bytes.Cut(bytes.TrimLeft(raw, "\n"), []byte("\n"))
	r := csv.NewReader(bytes.NewReader(raw))
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = -1, true, true
	for _, comma := range []rune{';', '\t'} {
		if bytes.Count(first, []byte(string(comma))) > bytes.Count(first, []byte(string(r.Comma))) {
			r.Comma = comma
		}
	}
	var columns map[ServiceField]int
	var rows []ServiceRow
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			return nil, fmt.Errorf("%w: line %d is no CSV", ErrServiceFile, parse.Line) // the cause may quote it
		}
		if err != nil {
			return nil, fmt.Errorf("read services: %w", err)
		}
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue // commas that a spreadsheet has left over
		}
		if columns == nil {
			columns = map[ServiceField]int{}
			for i, head := range cells {
				if f, ok := columnOf(head); ok {
					if _, twice := columns[f]; !twice {
						columns[f] = i
					}
				}
			}
			if _, ok := columns[FieldName]; !ok {
				return nil, fmt.Errorf("%w: its first line must name the columns, and one of them must be called name", ErrServiceFile)
			}
			continue
		}
		if len(rows) == MaxServices {
			return nil, fmt.Errorf("%w: it has more than %d services", ErrServiceFile, MaxServices)
		}
		line, _ := r.FieldPos(0)
		rows = append(rows, serviceOfCells(line, cells, columns, own))
	}
	if columns == nil {
		return nil, fmt.Errorf("%w: it is empty", ErrServiceFile)
	}
	return finish(rows), nil
}

func serviceOfCells(line int, cells []string, columns map[ServiceField]int, own []string) ServiceRow {
	row := ServiceRow{Row: line, Service: Service{Active: true, Places: UnknownPlaces}}
	cell := func(f ServiceField) string {
		i, ok := columns[f]
		if !ok || i >= len(cells) {
			return ""
		}
		c := strings.TrimSpace(cells[i])
		if len(c) > 1 && c[0] == '\'' && strings.ContainsRune("=+-@", rune(c[1])) { // as we write what looks like a formula
			c = c[1:]
		}
		return nothing(c)
	}
	for f := range columns {
		if f != fieldID {
			row.Fields = append(row.Fields, f)
		}
	}
	slices.Sort(row.Fields)
	s := &row.Service
	s.Name, s.About, s.Area, s.How, s.Phone, s.Email, s.Web = cell(FieldName), cell(FieldAbout), cell(FieldArea), cell(FieldHow), cell(FieldPhone), cell(FieldEmail), cell(FieldWeb)
	s.Languages = parts(cell(FieldLanguages))
	row.reasons(parts(cell(FieldReasons)), own)
	if v := strings.ToLower(cell(FieldPlaces)); v != "" && v != "unknown" && v != "not known" && v != "?" {
		n, err := strconv.Atoi(v)
		if s.Places = n; err != nil || n < 0 {
			row.Problem = "places"
		}
	}
	switch strings.ToLower(cell(FieldActive)) {
	case "", "yes", "y", "true", "1", "active", "open", "current", "live":
	case "no", "n", "false", "0", "inactive", "closed", "ended", "defunct", "not active", "temporarily closed":
		s.Active = false
	default:
		row.Problem = "active"
	}
	// Without an id the name is what a later file has in common with this one.
	switch id := squeeze(cell(fieldID)); {
	case keyOfOurs.MatchString(id): // of a file that came from here
		s.Key = cut(id, 220)
	case id != "":
		s.Key = "csv:" + cut(id, 200)
	default:
		s.Key = "name:" + cut(strings.Join(wordsOf(s.Name), " "), 200)
	}
	return row
}

// keyOfOurs is a key as our own export writes it.
var keyOfOurs = regexp.MustCompile(`^(csv|name|openreferral|here):.`)

// cut keeps the beginning of a key.
func cut(s string, most int) string {
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// parts cuts a cell into the entries of its list.
func parts(cell string) []string {
	return tidyList(strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(";,|/\n", r) }))
}

// reasonsByWord are the words by which directories call what people come to us with. A word is found at the beginning of a word.
var reasonsByWord = []struct{ code, words string }{
	{"money", "money debt benefit financ budget welfare fuel food poverty employment job"},
	{"housing", "hous homeless tenan"},
	{"loneliness", "lonel befriend companion"},
	{"isolation", "isolat"},
	{"mental_health", "mental anxi depress counsel wellbeing"},
	{"coping", "coping crisis stress bereave grief"},
	{"inactivity", "inactiv exercise sport fitness walking activ gym swim"},
	{"substance", "substance alcohol drug addict smok gambl"},
	{"independence", "independen homecare equipment adaptation"},
	{"getting_out", "transport mobility travel driver"},
	{"community", "community social volunteer club craft art music garden lunch"},
	{"carer", "carer caring respite"},
}

// reasons finds what a service is for among our own words. What is none of them goes to the end of the description: nothing is lost.
func (r *ServiceRow) reasons(named, own []string) {
	var unknown []string
	for _, n := range named {
		found := false
		for _, o := range own {
			if strings.EqualFold(n, o) {
				r.Service.ReasonWords, found = append(r.Service.ReasonWords, o), true
			}
		}
		for _, known := range Reasons {
			if strings.EqualFold(n, known.Code) || strings.EqualFold(n, known.Words) {
				r.Service.Reasons, found = append(r.Service.Reasons, known.Code), true
			}
		}
		if found {
			continue
		}
		in := " " + strings.Join(wordsOf(n), " ")
		for _, by := range reasonsByWord {
			if slices.ContainsFunc(strings.Fields(by.words), func(w string) bool { return strings.Contains(in, " "+w) }) {
				r.Service.Reasons, found = append(r.Service.Reasons, by.code), true
			}
		}
		if !found {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) > 0 {
		r.Unknown = len(unknown)
		r.Service.About = strings.TrimSpace(r.Service.About + "\n\nAlso listed under: " + strings.Join(unknown, ", "))
	}
}

// loose is words of a foreign file: numbers and truths are words too, and what is none of these is nothing.
type loose string

// UnmarshalJSON never fails on JSON.
func (l *loose) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*l = loose(v)
	case float64:
		*l = loose(strconv.FormatFloat(v, 'f', -1, 64))
	case bool:
		*l = loose(strconv.FormatBool(v))
	default:
		*l = ""
	}
	return nil
}

// several is a list of a foreign file: one thing by itself is a list of one, and what is nothing of the kind is none.
type several[T any] []T

// UnmarshalJSON never fails on JSON: entries that are something else are left out.
func (s *several[T]) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if json.Unmarshal(b, &raw) != nil {
		raw = []json.RawMessage{b}
	}
	*s = nil
	for _, r := range raw {
		var t T
		if string(r) != "null" && json.Unmarshal(r, &t) == nil {
			*s = append(*s, t)
		}
	}
	return nil
}

// openService is a service as Open Referral UK writes it, as far as a link worker needs it; fields of versions 1 and 3 side by side.
// The names of contacts stay out: a directory is no place for people.
// Source: github.com/OpenReferralUK/uk-profile, schema/service.json and its parts.
type openService struct {
	ID          loose `json:"id"`
	Name        loose `json:"name"`
	Description loose `json:"description"`
	Status      loose `json:"status"`
	URL         loose `json:"url"`
	Email       loose `json:"email"`
	Fees        loose `json:"fees"`
	FeesAbout   loose `json:"fees_description"`
	Process     loose `json:"application_process"`
	Eligibility loose `json:"eligibility_description"`
	Alert       loose `json:"alert"`

	Organization several[openOrganization] `json:"organization"`
	Areas        several[openNamed]        `json:"service_areas"`
	Languages    several[openNamed]        `json:"languages"`
	Schedules    several[openSchedule]     `json:"schedules"`
	Hours        several[openSchedule]     `json:"regular_schedules"`
	Costs        several[openCost]         `json:"cost_options"`
	Attributes   several[openAttribute]    `json:"attributes"`
	Taxonomies   several[openAttribute]    `json:"service_taxonomys"`
	Terms        several[openNamed]        `json:"taxonomy_terms"`
	Phones       several[openPhone]        `json:"phones"`
	Contacts     several[openContact]      `json:"contacts"`
	At           several[openAt]           `json:"service_at_locations"`
	Locations    several[openLocation]     `json:"locations"`
}

type openOrganization struct {
	Name    loose              `json:"name"`
	Email   loose              `json:"email"`
	Website loose              `json:"website"`
	URL     loose              `json:"url"`
	Phones  several[openPhone] `json:"phones"`
}

type openNamed struct {
	Name     loose `json:"name"`
	Area     loose `json:"service_area"`
	Language loose `json:"language"`
	Code     loose `json:"code"`
}

type openSchedule struct {
	Description loose `json:"description"`
	Freq        loose `json:"freq"`
	Days        loose `json:"byday"`
	Opens       loose `json:"opens_at"`
	Closes      loose `json:"closes_at"`
}

type openCost struct {
	Option loose `json:"option"`
	Amount loose `json:"amount"`
	About  loose `json:"amount_description"`
}

type openAttribute struct {
	Label    loose              `json:"label"`
	Value    loose              `json:"value"`
	Term     several[openNamed] `json:"taxonomy_term"`
	Taxonomy several[openNamed] `json:"taxonomy"`
}

type openPhone struct {
	Number loose `json:"number"`
}

type openContact struct {
	Email  loose              `json:"email"`
	Phones several[openPhone] `json:"phones"`
}

type openAt struct {
	Location several[openLocation] `json:"location"`
	Phones   several[openPhone]    `json:"phones"`
}

type openLocation struct {
	Name      loose                `json:"name"`
	Addresses several[openAddress] `json:"addresses"`
	Physical  several[openAddress] `json:"physical_addresses"`
	Phones    several[openPhone]   `json:"phones"`
}

type openAddress struct {
	City   loose `json:"city"`
	Region loose `json:"region"`
	Code   loose `json:"postal_code"`
}

// readOpenReferral reads a page of /services, whose services stand in contents, one service by itself, or a list of services. It follows no
// link: a directory of several pages is sent page by page.
func readOpenReferral(raw []byte, own []string) ([]ServiceRow, error) {
	var list []json.RawMessage
	if raw[0] == '{' {
		var page struct {
			Contents *[]json.RawMessage `json:"contents"`
			Content  *[]json.RawMessage `json:"content"` // of version 1
			ID       json.RawMessage    `json:"id"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, notJSON(err)
		}
		switch {
		case page.Contents != nil:
			list = *page.Contents
		case page.Content != nil:
			list = *page.Content
		case page.ID != nil:
			list = []json.RawMessage{raw}
		default:
			return nil, fmt.Errorf("%w: it must be a page of services as Open Referral UK has it, or a list of services", ErrServiceFile)
		}
	} else if err := json.Unmarshal(raw, &list); err != nil {
		return nil, notJSON(err)
	}
	if len(list) > MaxServices {
		return nil, fmt.Errorf("%w: it has more than %d services", ErrServiceFile, MaxServices)
	}
	rows := make([]ServiceRow, len(list))
	for i, one := range list {
		rows[i] = serviceOfOpen(one, own)
		rows[i].Row = i + 1
	}
	return finish(rows), nil
}

// notJSON says where JSON is broken, if that is known, without quoting it.
func notJSON(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: it is no JSON after %d bytes", ErrServiceFile, syntax.Offset)
	}
	return fmt.Errorf("%w: it must be a page of services as Open Referral UK has it, or a list of services", ErrServiceFile)
}

func serviceOfOpen(raw json.RawMessage, own []string) ServiceRow {
	row := ServiceRow{Service: Service{Places: UnknownPlaces}, Fields: []ServiceField{FieldAbout, FieldActive, FieldArea, FieldEmail, FieldHow, FieldLanguages, FieldName, FieldPhone, FieldReasons, FieldWeb}}
	var o openService
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(raw, &o) != nil {
		row.Problem = "unreadable"
		return row
	}
	s := &row.Service
	s.Name = plain(o.Name)
	if id := plain(o.ID); id != "" {
		s.Key = "openreferral:" + cut(squeeze(id), 200)
	} else {
		s.Key = "name:" + cut(strings.Join(wordsOf(s.Name), " "), 200)
	}
	status := strings.ToLower(plain(o.Status))
	s.Active = status == "" || status == "active"
	s.Web, s.Email = plain(o.URL), plain(o.Email)
	phones := slices.Clone(o.Phones)
	var areas, named, about []string
	for _, c := range o.Contacts {
		phones = append(phones, c.Phones...)
		if s.Email == "" {
			s.Email = plain(c.Email)
		}
	}
	for _, at := range o.At {
		phones = append(phones, at.Phones...)
		o.Locations = append(o.Locations, at.Location...)
	}
	for _, l := range o.Locations {
		phones = append(phones, l.Phones...)
	}
	for _, a := range o.Areas {
		areas = append(areas, firstOf(a.Name, a.Area))
	}
	if areas = tidyList(areas); len(areas) == 0 { // where it is, if nobody says for whom it is
		for _, l := range o.Locations {
			for _, a := range slices.Concat(l.Addresses, l.Physical) {
				areas = append(areas, strings.TrimSpace(firstOf(a.City, a.Region)+" "+plain(a.Code)))
			}
		}
	}
	s.Area = strings.Join(tidyList(areas), "; ")
	if description := plain(o.Description); description != "" {
		about = append(about, description)
	}
	if alert := plain(o.Alert); alert != "" {
		about = append(about, "Notice: "+alert)
	}
	for _, g := range o.Organization {
		if n := plain(g.Name); n != "" && !strings.EqualFold(n, s.Name) {
			about = append(about, "Run by "+n)
		}
		phones = append(phones, g.Phones...)
		s.Email, s.Web = firstOf(loose(s.Email), g.Email), firstOf(loose(s.Web), g.Website, g.URL)
	}
	for _, h := range slices.Concat(o.Schedules, o.Hours) {
		when := plain(h.Description)
		if when == "" {
			when = strings.TrimSpace(plain(h.Days) + " " + hour(h.Opens) + " " + hour(h.Closes))
		}
		if when != "" {
			about = append(about, "When: "+when)
		}
	}
	for _, c := range o.Costs {
		if cost := squeeze(plain(c.Option) + " " + plain(c.Amount) + " " + plain(c.About)); cost != "" {
			about = append(about, "Cost: "+cost)
		}
	}
	if fees := firstOf(o.FeesAbout, o.Fees); fees != "" {
		about = append(about, "Cost: "+fees)
	}
	s.About = strings.Join(tidyParagraphs(about), "\n")
	s.How = strings.TrimSpace(plain(o.Process) + "\n" + plain(o.Eligibility))
	for _, p := range phones {
		if n := plain(p.Number); s.Phone == "" && n != "" {
			s.Phone = n
		}
	}
	for _, l := range o.Languages {
		s.Languages = append(s.Languages, firstOf(l.Name, l.Language, l.Code))
	}
	for _, a := range slices.Concat(o.Attributes, o.Taxonomies) {
		for _, t := range slices.Concat(a.Term, a.Taxonomy) {
			named = append(named, plain(t.Name))
		}
		if len(a.Term) == 0 {
			named = append(named, firstOf(a.Label, a.Value))
		}
	}
	for _, t := range o.Terms {
		named = append(named, plain(t.Name))
	}
	row.reasons(tidyList(named), own)
	return row
}

// tidyParagraphs drops what stands there twice: every location of a service has the same hours.
func tidyParagraphs(all []string) (out []string) {
	for _, p := range all {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// firstOf is the first that says something.
func firstOf(all ...loose) string {
	for _, l := range all {
		if s := plain(l); s != "" {
			return s
		}
	}
	return ""
}

// hour shortens 10:00:00.
func hour(l loose) string {
	if s := plain(l); len(s) >= 5 && s[2] == ':' {
		return s[:5]
	}
	return plain(l)
}

var markup = regexp.MustCompile(`<[^<>]{0,500}>`)

// plain takes the markup out of words: descriptions in directories have some, and here they are shown as they are.
func plain(l loose) string {
	s := strings.ToValidUTF8(string(l), "")
	if strings.ContainsRune(s, '<') {
		s = markup.ReplaceAllString(s, " ")
	}
	return nothing(strings.TrimSpace(html.UnescapeString(s)))
}

// nothing is what people write where there is nothing to write.
func nothing(s string) string {
	switch strings.ToLower(s) {
	case "n/a", "na", "none", "-", "--", "tbc", "nil", "null":
		return ""
	}
	return s
}
