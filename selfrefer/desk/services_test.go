package desk

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"mime/multipart"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func TestServicesPage(t *testing.T) {
	b := newBench(t)
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	b.send(lin, "GET", servicesPath, "").holds(t, 200, "0 services")
	club := b.listed(selfrefer.Service{Name: "Elm Club", About: "Tea & talk.\nOn Fridays.", Reasons: []string{"loneliness"}, Area: "Kirkby", Languages: []string{"Polish"}, Places: 3, PlacesOn: "2026-06-01", Phone: "0151 496 0123 ext 4", Web: "https://elm.example", Email: "a@elm.example"})
	b.listed(selfrefer.Service{Name: "Advice shop", Reasons: []string{"money"}, Area: "Huyton", Places: 0, PlacesOn: "2026-06-01"})
	old := must(b.db.SetService(context.Background(), sam, selfrefer.Service{Name: "Old club", Places: selfrefer.UnknownPlaces}))(t)
	for address, want := range map[string]string{
		"": "Advice shop, Elm Club", "?find=tea+frid": "Elm Club", "?find=financial": "Advice shop", "?reason=loneliness": "Elm Club", "?language=Polish": "Elm Club", "?area=Huyton": "Advice shop", "?places=free": "Elm Club", "?show=inactive": "Old club",
		"?find=" + strings.Repeat("x", 400): "Advice shop, Elm Club", "?find=nothing": "",
	} {
		got := b.send(lin, "GET", servicesPath+address, "")
		got.holds(t, 200)
		var names []string
		for _, m := range regexp.MustCompile(`<a href="/desk/services/\d+">([^<]*)</a>`).FindAllStringSubmatch(got.body, -1) {
			names = append(names, m[1])
		}
		if strings.Join(names, ", ") != want {
			t.Errorf("%s finds %q, want %q", address, names, want)
		}
	}
	b.send(lin, "GET", servicesPath+"?area=Huyton", "").holds(t, 200, `href="/desk/services?area=Huyton&amp;reason=money"`, "Financial difficulties (1)", `type="hidden" name="area" value="Huyton"`, "Show all")
	page := b.send(lin, "GET", fmt.Sprint(servicesPath, "/", club), "")
	page.holds(t, 200, "Tea &amp; talk.<br>On Fridays.", "3 places free", "Told on 1 June 2026", `href="tel:01514960123"`, `href="https://elm.example"`, "How many places are free today?")
	if strings.Contains(page.body, "Change this service") {
		t.Error("a link worker may change it")
	}
	address := fmt.Sprint(servicesPath, "/", club)
	b.send(lin, "POST", address, form("places", "none")).holds(t, 422, "must be a whole number", `value="none"`)
	b.send(lin, "POST", address, form("places", "0")).holds(t, 303)
	b.send(lin, "GET", address+"?done=places", "").holds(t, 200, "Saved: the places", "Full", "Told on 2 June 2026")
	b.send(lin, "POST", address, form("places", "")).holds(t, 303)
	b.send(lin, "GET", address, "").holds(t, 200, "Not known")
	b.send(b.who[staff.Volunteer], "POST", address, form("places", "1")).holds(t, 403)

	// A new one, and changes. The network's own reasons are offered.
	w := selfrefer.Words{Options: []selfrefer.OwnReason{{Code: "money", Labels: map[lang.Code]string{lang.English: "Food parcels"}}}}
	must(b.db.SetWords(context.Background(), b.who[staff.Administrator], 0, w))(t)
	b.send(sam, "GET", servicesPath+"/new", "").holds(t, 200, "Food parcels", "Loneliness")
	b.send(sam, "POST", servicesPath+"/new", form("name", "", "web", "javascript:alert(1)", "places", "x", "about", "kept")).holds(t, 422, "Enter the service&#39;s name", `href="#web"`, `href="#places"`, "kept")
	got := b.send(sam, "POST", servicesPath+"/new", "name=Food+bank&reasons=money&reasons=own%3AFood+parcels&languages=Polish%2C+ur&places=4&active=yes&web=food.example")
	got.holds(t, 303)
	made := strings.TrimSuffix(got.header.Get("Location"), "?done=saved")
	b.send(sam, "GET", made, "").holds(t, 200, "Financial difficulties", "Food parcels", "Urdu", "4 places free", "https://food.example")
	edit := b.send(sam, "GET", made+"/edit", "")
	edit.holds(t, 200, `value="own:Food parcels" checked`, `value="money" checked`, `name="version" value="1"`)
	change := func(version, places string) reply {
		return b.send(sam, "POST", made+"/edit", form("version", version, "name", "Food bank", "places", places, "active", "no"))
	}
	change("1", "4").holds(t, 303)
	change("1", "5").holds(t, 409, "Somebody else has changed this service")
	b.send(sam, "GET", made, "").holds(t, 200, "Not active", "4 places free")
	b.send(sam, "GET", fmt.Sprint(servicesPath, "/", old.ID), "").holds(t, 200, "Not active")
	for _, path := range []string{servicesPath + "/abc", servicesPath + "/999", servicesPath + "/999/edit"} {
		b.send(sam, "GET", path, "").holds(t, 404)
	}
}

// upload sends a file as the page does.
func (b *bench) upload(a staff.Account, path, name, file string) reply {
	b.tb.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	_ = m.WriteField("other", "x")
	part := must(m.CreateFormFile("file", name))(b.tb)
	_, _ = part.Write([]byte(file))
	_ = m.Close()
	req := httptest.NewRequest("POST", path, &body)
	req.Header.Set("Content-Type", m.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+b.token(a))
	return b.do(req)
}

func TestImportServicesPage(t *testing.T) {
	b := newBench(t)
	sam, lin := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker]
	const path = servicesPath + "/import"
	count := func() int { return len(must(b.db.Services(context.Background(), sam.Network))(t)) }
	b.send(sam, "GET", path, "").holds(t, 200, "Choose a file")
	tried := b.upload(sam, path, "services.csv", "name,for\nElm Club,falconry\n,x\n=Oak Club,loneliness\n")
	tried.holds(t, 200, "Nothing is changed yet", "Row 3: It has no name.", "1 service name reasons that are none of ours", "Take it in")
	if count() != 0 {
		t.Fatal("a trial took something in")
	}
	secret := regexp.MustCompile(`name="secret" value="([^"]+)"`).FindStringSubmatch(tried.body)[1]
	b.send(b.who[staff.Administrator], "POST", path, form("secret", secret)).holds(t, 422, "choose it again") // somebody else's
	b.send(sam, "POST", path, form("secret", secret)).holds(t, 200, "This was taken in", "Row 3")
	if count() != 2 {
		t.Errorf("%d services", count())
	}
	b.send(sam, "POST", path, form("secret", secret)).holds(t, 422, "taken in already")
	again := b.upload(sam, path, "services.csv", "name,for\nElm Club,falconry\n")
	again.holds(t, 200, "Unchanged")
	if strings.Contains(again.body, "Take it in") {
		t.Error("there is nothing to take in")
	}
	for name, file := range map[string]string{"empty.csv": "", "other.csv": "colour\nred\n", "": "name\nx", "big.csv": "name\n" + strings.Repeat("x", selfrefer.MaxServiceFile+2*maxBody)} {
		b.upload(sam, path, name, file).holds(t, 422, `href="#file"`)
	}
	b.upload(lin, path, "x.csv", "name\nx").holds(t, 403)

	// The whole directory goes out without formulas, and comes back as it is.
	got := b.send(lin, "GET", servicesPath+"/services.csv", "")
	got.holds(t, 200, "'=Oak Club")
	if cells := must(csv.NewReader(strings.NewReader(strings.TrimPrefix(got.body, "\ufeff"))).ReadAll())(t); len(cells) != 3 || cells[1][1] != "'=Oak Club" && cells[2][1] != "'=Oak Club" {
		t.Errorf("%q", cells)
	}
	var l selfrefer.ServiceLedger
	if status := b.call(sam, "POST", "/services/import?dry_run=true", got.body, &l); status != 200 || l.Rows != 2 || l.Unchanged != 2 || !l.DryRun {
		t.Errorf("%d: our own export comes back as %+v", status, l)
	}
}

func TestServicesAPI(t *testing.T) {
	b := newBench(t)
	sam, lin := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker]
	var s serviceJSON
	if got := b.call(sam, "POST", "/services", `{"name":"Elm Club","reasons":["loneliness"],"languages":["pl"],"places":3,"web":"elm.example"}`, &s); got != 201 || s.ID == 0 || s.Places == nil || *s.Places != 3 || s.PlacesOn != "2026-06-02" || s.Languages[0] != "Polish" || !*s.Active {
		t.Errorf("%d %+v", got, s)
	}
	path := fmt.Sprint("/services/", s.ID)
	if got := b.call(lin, "PUT", path+"/places", `{"places":null}`, &s); got != 200 || s.Places != nil || s.Version != 2 {
		t.Errorf("%d %+v", got, s)
	}
	if got := b.call(sam, "PUT", path, `{"name":"Elm Club","active":false,"version":2}`, &s); got != 200 || *s.Active || s.Version != 3 || len(s.Reasons) != 0 {
		t.Errorf("%d %+v", got, s)
	}
	for _, c := range []struct {
		a                  staff.Account
		method, path, body string
		want               int
	}{
		{sam, "PUT", path, `{"name":"Elm Club","version":2}`, 409}, {sam, "PUT", path, `{"name":"","version":3}`, 422}, {sam, "POST", "/services", `{"name":"x","places":-1}`, 422}, {sam, "POST", "/services", `{"name":"x","web":"javascript:x"}`, 422},
		{lin, "PUT", path + "/places", `{"places":-1}`, 422}, {lin, "PUT", "/services/999/places", `{"places":1}`, 404}, {lin, "POST", "/services", `{"name":"x"}`, 403}, {sam, "GET", "/services/999", "", 404},
		{sam, "POST", "/services/import?dry_run=perhaps", "name\nx", 422}, {sam, "POST", "/services/import", "colour\nx", 422}, {sam, "POST", "/services/import", `{"contents":[{"id":"1","name":"A"},{"id":"2"}]}`, 200},
	} {
		if got := b.call(c.a, c.method, c.path, c.body, nil); got != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.method, c.path, c.body, got, c.want)
		}
	}
	var l struct{ Services []serviceJSON }
	if got := b.call(lin, "GET", "/services?find=a", "", &l); got != 200 || len(l.Services) != 1 || l.Services[0].Name != "A" {
		t.Errorf("%d %+v", got, l)
	}
	if got := b.call(lin, "GET", "/services?show=inactive", "", &l); got != 200 || len(l.Services) != 1 || l.Services[0].Name != "Elm Club" {
		t.Errorf("%d %+v", got, l)
	}
}

// Pages of the directory are those of what is asked for, and go on though the service at which one ended is full by now.
func TestServices_pages(t *testing.T) {
	b := newBench(t)
	sam := b.who[staff.SeniorLinkWorker]
	for _, name := range []string{"Elm", "Ash", "Oak", "Yew"} {
		if got := b.call(sam, "POST", "/services", `{"name":"`+name+`","places":2}`, nil); got != 201 {
			t.Fatalf("status %d", got)
		}
	}
	var names []string
	for after := ""; ; {
		var page struct {
			Services []serviceJSON `json:"services"`
			Next     string        `json:"next"`
		}
		if got := b.call(sam, "GET", "/services?places=free&limit=1&after="+after, "", &page); got != 200 || len(page.Services) != 1 {
			t.Fatalf("status %d, %d services behind %v", got, len(page.Services), names)
		}
		one := page.Services[0]
		names = append(names, one.Name)
		if got := b.call(sam, "PUT", fmt.Sprint("/services/", one.ID, "/places"), `{"places":0}`, nil); got != 200 {
			t.Fatalf("status %d", got)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "Ash Elm Oak Yew" {
		t.Errorf("pages hold %s", got)
	}
	if got := b.call(sam, "GET", "/services?after=999", "", nil); got != 422 {
		t.Errorf("behind no service: %d", got)
	}
}
