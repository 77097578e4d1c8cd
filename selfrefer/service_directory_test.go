package selfrefer

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestService_check(t *testing.T) {
	s, bad := Service{Name: "  Elm   House ", About: "A club.\r\n\r\n\r\nOn Fridays. ", Reasons: []string{"loneliness", "made up", "loneliness"}, Languages: []string{"pl", "English", "en", " "},
		Web: "elm.example/club", Phone: "0151 496 0123 ext 4", Email: "a@elm.example", Places: UnknownPlaces, PlacesOn: "2026-01-01", Active: true}.Check()
	if len(bad) > 0 || s.Name != "Elm House" || s.About != "A club.\n\nOn Fridays." || fmt.Sprint(s.Reasons, s.Languages) != "[loneliness] [Polish English]" || s.Web != "https://elm.example/club" || s.PlacesOn != "" {
		t.Errorf("%+v, %v", s, bad)
	}
	if again, bad := s.Check(); len(bad) > 0 || !again.Same(s) {
		t.Error("tidying twice changes it")
	}
	for field, s := range map[string]Service{
		"name": {}, "about": {Name: "x", About: strings.Repeat("é", MaxServiceAbout+1)}, "phone": {Name: "x", Phone: "ask Marigold"}, "email": {Name: "x", Email: "Marigold <a@b.example>"},
		"web": {Name: "x", Web: "javascript:alert(1)"}, "places": {Name: "x", Places: -2}, "how": {Name: "x", How: strings.Repeat("x", MaxServiceHow+1)}, "area": {Name: "x", Area: strings.Repeat("x", MaxServiceLine+1)},
	} {
		if _, bad := s.Check(); len(bad) != 1 || bad[0].Field != field {
			t.Errorf("%s: %v", field, bad)
		}
	}
	for in, want := range map[string]string{
		"": "", "https://a.example/x?y=1": "https://a.example/x?y=1", "http://a.example": "http://a.example", "a.example": "https://a.example",
		"data:text/html,x": "!", "https://user:word@a.example": "!", "ftp://a.example": "!", "https://": "!", "a b.example": "!", "//evil": "!", "https://localhost": "!", "javascript://a.example/%0aalert(1)": "!",
	} {
		got, ok := webAddress(in)
		if !ok {
			got = "!"
		}
		if got != want {
			t.Errorf("web address %q: %q, want %q", in, got, want)
		}
	}
}

func TestServiceFilter(t *testing.T) {
	s := Service{Name: "Café at St Mary's", About: "Lunch for older people", Reasons: []string{"loneliness", "money"}, ReasonWords: []string{"Food"}, Area: "Kirkby", Languages: []string{"Polish"}, Places: 3, Active: true}
	for i, c := range []struct {
		f    ServiceFilter
		want bool
	}{
		{ServiceFilter{}, true},
		{ServiceFilter{Find: "cafe LUNCH"}, true},
		{ServiceFilter{Find: "financial"}, true}, // the words of a reason
		{ServiceFilter{Find: "unch"}, false},
		{ServiceFilter{Find: "lunch chess"}, false},
		{ServiceFilter{Reason: "money", Language: "polish", Area: "kirkby", Places: true}, true},
		{ServiceFilter{Reason: "Food"}, true},
		{ServiceFilter{Reason: "housing"}, false},
		{ServiceFilter{Language: "Urdu"}, false},
		{ServiceFilter{Area: "Huyton"}, false},
		{ServiceFilter{Inactive: true}, false},
	} {
		if got := c.f.Takes(s); got != c.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	for places, want := range map[int]bool{0: false, UnknownPlaces: true, 1: true} {
		if s.Places = places; (ServiceFilter{Places: true}).Takes(s) != want {
			t.Errorf("%d places", places)
		}
	}
}

func TestSuggest(t *testing.T) {
	all := []Service{
		{Name: "a nothing", Places: 5, Active: true},
		{Name: "b housing", Reasons: []string{"housing"}, Places: UnknownPlaces, Active: true},
		{Name: "c both, closed", Reasons: []string{"housing", "loneliness"}},
		{Name: "d both, full", Reasons: []string{"housing", "loneliness"}, Places: 0, Active: true},
		{Name: "e housing in Urdu", Reasons: []string{"housing"}, Languages: []string{"Urdu"}, Places: 0, Active: true},
		{Name: "f housing, free", Reasons: []string{"housing"}, Places: 2, Active: true},
		{Name: "g own", ReasonWords: []string{"Food parcels"}, Places: UnknownPlaces, Active: true},
		{Name: "h Urdu alone", Languages: []string{"Urdu"}, Places: UnknownPlaces, Active: true},
	}
	order := func(a Answers, language string) string {
		var names []string
		for _, s := range Suggest(all, a, language) {
			names = append(names, s.Service.Name[:1])
			if s.Fits() != (s.fits > 0) {
				t.Errorf("%s: fits %v", s.Service.Name, s.Fits())
			}
		}
		return strings.Join(names, "")
	}
	if got := order(Answers{Reasons: []string{"loneliness", "housing"}}, "ur"); got != "defbhag" {
		t.Errorf("got %s", got)
	}
	if got := order(Answers{ReasonWords: []string{"food parcels"}, Language: "English"}, "en"); got != "gabdefh" {
		t.Errorf("own reasons: got %s", got)
	}
}

const dirtyCSV = "\ufeffService Name;What they do;For;WARD;Languages spoken;Places free;Tel.;E-Mail;Web-site;Status\r\n" +
	"Elm House;\"A club; on Fridays\nand Mondays\";Loneliness, debt advice, falconry;Kirkby;Polish/English;3;0151 496 0123;a@elm.example;elm.example;open\r\n" +
	";;;;;;;;;\r\n" +
	"Oak House;;;;;lots;;;;\r\n" +
	"elm  house;again;;;;;;;;\r\n" +
	";no name;;;;;;;;\r\n" +
	"Ash House;;;;;;;;javascript:alert(1);\r\n" +
	"Bay House;;;;;;ring Marigold;;;\r\n" +
	"'=Cmd House;;;;;;n/a;;;no\r\n" +
	"Fig House;;;;;;;;;perhaps"

func codes(rows []ServiceRow) string {
	var out []string
	for _, r := range rows {
		code := r.Problem
		if code == "" {
			code = r.Service.Name
		}
		out = append(out, fmt.Sprintf("%d %s", r.Row, code))
	}
	return strings.Join(out, ", ")
}

func TestReadServices_dirtyCSV(t *testing.T) {
	rows, err := ReadServices(strings.NewReader(dirtyCSV), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := codes(rows), "2 Elm House, 5 places, 6 twice, 7 no_name, 8 web, 9 phone, 10 =Cmd House, 11 active"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	elm := rows[0]
	want := Service{Key: "name:elm house", Name: "Elm House", About: "A club; on Fridays\nand Mondays\n\nAlso listed under: falconry", Reasons: []string{"loneliness", "money"}, Area: "Kirkby",
		Languages: []string{"Polish", "English"}, Places: 3, Phone: "0151 496 0123", Email: "a@elm.example", Web: "https://elm.example", Active: true}
	if !elm.Service.Same(want) || elm.Service.Key != want.Key || elm.Unknown != 1 || len(elm.Fields) != 10 {
		t.Errorf("got  %+v\nwant %+v, %v", elm, want, elm.Fields)
	}
	if rows[6].Service.Active || rows[6].Service.Phone != "" {
		t.Errorf("%+v", rows[6])
	}
	// Commas, tabs, older spreadsheets, and the network's own reasons.
	for name, file := range map[string]string{
		"commas": "name,for\nCaf\u00e9,food PARCELS", "tabs": "NAME\tFor\nCaf\u00e9\tFood parcels\n", "Windows": "Name,For\rCaf\xe9,Food parcels\r", "ids": "ref,name,for\n7,Caf\u00e9,food parcels",
	} {
		rows, err := ReadServices(strings.NewReader(file), []string{"Food parcels"})
		if err != nil || len(rows) != 1 || rows[0].Service.Name != "Café" || fmt.Sprint(rows[0].Service.ReasonWords) != "[Food parcels]" || len(rows[0].Service.Reasons) != 0 {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
		if key := map[bool]string{true: "csv:7", false: "name:cafe"}[name == "ids"]; len(rows) == 1 && rows[0].Service.Key != key {
			t.Errorf("%s: key %q", name, rows[0].Service.Key)
		}
	}
	for name, file := range map[string]string{
		"empty": "  \n", "no name column": "colour,size\nred,3", "a spreadsheet": "PK\x03\x04xxxx", "UTF-16": "\xff\xfen\x00a\x00", "broken JSON": `{"contents":[`, "other JSON": `{"hits":[]}`, "JSON text": `["x"`,
		"too many": "name\n" + strings.Repeat("x\n", MaxServices+1), "too large": "name\n" + strings.Repeat("x", MaxServiceFile),
	} {
		if rows, err := ReadServices(strings.NewReader(file), nil); !errors.Is(err, ErrServiceFile) {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
	}
}

const openPage = `{"total_items":5,"page_number":1,"contents":[
 {"id":"ac148810","name":"Community Counselling","description":"<p>For people who are <b>anxious</b> &amp; low.</p>","url":"http://example.com/counselling","email":"email@example.com","status":"active","fees":"free",
  "schedules":[{"byday":"TH,FR","opens_at":"10:00:00","closes_at":"18:00:00"},{"description":"By appointment"},{"description":"By appointment"}],
  "service_areas":[{"name":"Knowsley"},{"service_area":"Halewood"}],"languages":[{"code":"pl"},{"name":"Urdu"},{"id":"2989"}],
  "organization":{"name":"Example Organization","website":"http://example.com","phones":[{"number":"0151 496 0199"}]},
  "cost_options":[{"option":"Over 60s","amount":3.5,"amount_description":"a session"}],
  "attributes":[{"taxonomy_term":{"name":"Bereavement"}},{"label":"Falconry"},{"link_type":"x"}],
  "contacts":[{"name":"Ann Persona","title":"Manager","phones":[{"number":"0151 496 0150"}]}],
  "application_process":"Ring us","unknown":{"deep":[1,2,{"x":null}]}},
 {"id":7,"name":"Old Club","status":"defunct","service_at_locations":[{"location":{"addresses":[{"city":"Huyton","postal_code":"L36 9YY"}],"phones":[{"number":"0151 496 0151"}]}}]},
 {"id":"8","description":"nameless"},
 "not a service",
 {"id":"ac148810","name":"Twice"},
 {"id":"9","name":["not","words"]},
 {"id":"10","name":"Odd","description":7,"languages":"pl","organization":[{"name":"Odd"}],"phones":{"number":1514960152},"service_areas":null,"status":null}]}`

func TestReadServices_openReferral(t *testing.T) {
	rows, err := ReadServices(strings.NewReader(openPage), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := codes(rows), "1 Community Counselling, 2 Old Club, 3 no_name, 4 unreadable, 5 twice, 6 no_name, 7 Odd"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := Service{Name: "Community Counselling", About: "For people who are anxious & low.\nRun by Example Organization\nWhen: TH,FR 10:00 18:00\nWhen: By appointment\nCost: Over 60s 3.5 a session\nCost: free\n\nAlso listed under: Falconry",
		Reasons: []string{"coping"}, Area: "Knowsley; Halewood", Languages: []string{"Polish", "Urdu"}, Places: UnknownPlaces, How: "Ring us", Phone: "0151 496 0150", Email: "email@example.com",
		Web: "http://example.com/counselling", Active: true}
	if got := rows[0].Service; !got.Same(want) || got.Key != "openreferral:ac148810" {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if strings.Contains(fmt.Sprintf("%+v", rows), "Persona") {
		t.Error("a named contact came along")
	}
	if got := rows[1].Service; got.Active || got.Area != "Huyton L36 9YY" || got.Phone != "0151 496 0151" || got.Key != "openreferral:7" {
		t.Errorf("%+v", got)
	}
	if got := rows[6].Service; got.About != "7" || got.Phone != "1514960152" || !got.Active {
		t.Errorf("%+v", got)
	}
	// A list, and a service by itself.
	for _, file := range []string{`[{"id":"1","name":"A"}]`, ` {"id":"1","name":"A"}`, `{"content":[{"id":"1","name":"A"}]}`} {
		if rows, err := ReadServices(strings.NewReader(file), nil); err != nil || codes(rows) != "1 A" {
			t.Errorf("%s: %s, %v", file, codes(rows), err)
		}
	}
}

func TestMerge(t *testing.T) {
	old := Service{Name: "Elm House", About: "A club", Places: 3, PlacesOn: "2026-05-01", Phone: "0151 496 0123", Active: true}
	row := ServiceRow{Service: Service{Name: "Elm House", About: "A club", Places: UnknownPlaces}, Fields: []ServiceField{FieldName, FieldAbout}}
	if s, changed := Merge(old, row, "2026-06-04"); changed || !reflect.DeepEqual(s, old) {
		t.Errorf("a file without places and phone changed %+v", s)
	}
	row.Fields = append(row.Fields, FieldPlaces)
	row.Service.Places = 3
	if _, changed := Merge(old, row, "2026-06-04"); changed {
		t.Error("the same number of places changed something")
	}
	row.Service.Places = 2
	if s, changed := Merge(old, row, "2026-06-04"); !changed || s.Places != 2 || s.PlacesOn != "2026-06-04" || s.Phone != old.Phone {
		t.Errorf("%+v", s)
	}
}

// Whatever the file, each of its rows is one service that can be listed as it is, or has a problem with a sentence; reading it twice is the same.
func FuzzReadServices(f *testing.F) {
	for _, s := range []string{dirtyCSV, openPage, "name,for\nx,y", "name\n\"x", `[{"id":1}]`, `[[[[`, "name;web\n\xff\xfe;\x00", `{"contents":[{"id":"\ud800","name":"<<b>"}]}`, `[{"id":"a\u0000b","name":"b\u0000c \u0000","description":"\u0000"}]`, "id,name\n" + strings.Repeat("é", 300) + ",x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		own := []string{"Food parcels"}
		rows, err := ReadServices(strings.NewReader(string(file)), own)
		again, errAgain := ReadServices(strings.NewReader(string(file)), own)
		if fmt.Sprint(err) != fmt.Sprint(errAgain) || !reflect.DeepEqual(rows, again) {
			t.Fatal("read twice, it is something else")
		}
		if err != nil && !errors.Is(err, ErrServiceFile) {
			t.Fatalf("an error that nobody can mend: %v", err)
		}
		keys := map[string]bool{}
		for _, r := range rows {
			if r.Problem != "" {
				if ServiceProblems[r.Problem] == "" || r.Service.Name != "" {
					t.Fatalf("problem %q", r.Problem)
				}
				continue
			}
			s, bad := r.Service.Check()
			if len(bad) > 0 || !s.Same(r.Service) {
				t.Fatalf("row %d is not tidy: %v", r.Row, bad)
			}
			if s.Name == "" || s.Key == "" || len(s.Key) > 220 || !utf8.ValidString(s.Key+s.Name+s.About+s.Area+s.How) || keys[s.Key] {
				t.Fatalf("row %d: %q by %q", r.Row, s.Name, s.Key)
			}
			if strings.ContainsRune(s.Key+s.Name+s.About+s.How+s.Area, 0) {
				t.Fatalf("row %d holds a NUL, which Postgres refuses", r.Row)
			}
			keys[s.Key] = true
		}
	})
}
