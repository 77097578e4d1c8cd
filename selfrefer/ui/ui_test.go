package ui

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"
)

func newRenderer(t *testing.T, c Config, screens map[string]string) *Renderer {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for name, src := range screens {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	if len(screens) > 0 {
		if err := r.Parse(fsys, "*.html"); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func TestRender_page(t *testing.T) {
	r := newRenderer(t, Config{}, map[string]string{"hello.html": `<h1>{{.Title}}</h1>{{template "shared-part" .}}`, "_part.html": `{{define "shared-part"}}<p>{{.Data}}</p>{{end}}`})
	page := Page{Title: "Your details", Organisation: "Knowsley <PCN>", Lang: "ar", Dir: "rtl", Back: "/back", Leave: "https://www.example.org", Data: "<i>",
		Home: "/", Nav: []NavItem{{"Queue", "/q", true}}, User: "Sam", SignOutURL: "/out", Footer: []NavItem{{Text: "Privacy", Href: "/privacy"}},
		Errors: []FieldError{{"b", "Second field"}, {"a", "First field"}}}
	w := httptest.NewRecorder()
	r.Render(w, httptest.NewRequest("GET", "/", nil), 422, "hello", page)
	body := w.Body.String()
	if w.Code != 422 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, headers %v", w.Code, w.Header())
	}
	for _, want := range []string{
		`<html lang="ar" dir="rtl">`, "<title>Error: Your details - Knowsley &lt;PCN&gt;</title>", "<p>&lt;i&gt;</p>", `href="#maincontent"`, `id="maincontent"`,
		`href="/back"`, `rel="noreferrer"`, "There is a problem", `<a class="nhsuk-header__service-logo" href="/">`, `aria-current="page"`, `action="/out" method="post"`, "Privacy",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in\n%s", want, body)
		}
	}
	if strings.Index(body, "Second field") > strings.Index(body, "First field") {
		t.Error("the error summary lost the order of the errors")
	}
	if strings.Contains(body, "htmx") {
		t.Error("a patient's page loads htmx")
	}
	if strings.Contains(body, "nhsuk-header__logo") {
		t.Error("a local service stands under the NHS logo")
	}
}

// The policy forbids it all: a page that holds any would look broken, or hide a hole.
func TestRender_needsNoPolicyExceptions(t *testing.T) {
	for _, bad := range []string{"unsafe", "http:", "https:", "*", "nonce"} {
		if strings.Contains(csp, bad) {
			t.Errorf("the policy holds %q", bad)
		}
	}
	r := newRenderer(t, Config{}, map[string]string{"all.html": `<h1>{{.Title}}</h1>{{render .Data}}{{care "urgent" "x"}}{{endCare}}`})
	for _, kind := range []Kind{Patient, Desk} {
		w := httptest.NewRecorder()
		r.Render(w, httptest.NewRequest("GET", "/", nil), 200, "all", Page{Title: "All", Kind: kind, Data: sampleChart(), Refresh: 15, Errors: []FieldError{{"x", "y"}}, Notice: "Done", Leave: "https://example.org"})
		z := html.NewTokenizer(w.Body)
		for z.Next() != html.ErrorToken {
			token := z.Token()
			if token.Type == html.StartTagToken && token.Data == "style" {
				t.Error("inline style element")
			}
			hasSrc := false
			for _, a := range token.Attr {
				hasSrc = hasSrc || a.Key == "src"
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("attribute %s in %v", a.Key, token)
				}
				if (a.Key == "src" || a.Key == "href" && token.Data == "link") && !strings.HasPrefix(a.Val, staticPrefix) {
					t.Errorf("%v reaches outside", token)
				}
			}
			if token.Type == html.StartTagToken && token.Data == "script" && !hasSrc {
				t.Error("inline script")
			}
		}
	}
}

func TestRender_failureLeaksNothing(t *testing.T) {
	var log bytes.Buffer
	r := newRenderer(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, map[string]string{"bad.html": `<p>half a page</p>{{.Data.Missing}}`})
	w := httptest.NewRecorder()
	r.Render(w, httptest.NewRequest("GET", "/r/SECRETTOKEN", nil), 200, "bad", Page{Data: struct{ Name string }{"x"}})
	body := w.Body.String()
	if w.Code != 500 || strings.Contains(body, "half a page") || strings.Contains(body, "Missing") {
		t.Errorf("status %d, page:\n%s", w.Code, body)
	}
	reference := regexp.MustCompile(`<strong[^>]*>([A-Z2-7]{8})</strong>`).FindStringSubmatch(body)
	if reference == nil || !strings.Contains(log.String(), reference[1]) {
		t.Errorf("the page's reference is not in the log\n%s\n%s", body, log.String())
	}
	if strings.Contains(log.String(), "SECRETTOKEN") {
		t.Errorf("the log holds the token: %s", log.String())
	}

	log.Reset()
	w = httptest.NewRecorder()
	r.Error(w, httptest.NewRequest("GET", "/", nil), 404, "", errors.New("row 7 of table patients"))
	if w.Code != 404 || strings.Contains(w.Body.String(), "patients") || !strings.Contains(w.Body.String(), "Page not found - Link workers<") || log.Len() > 0 {
		t.Errorf("not found: status %d, log %q, page\n%s", w.Code, log.String(), w.Body)
	}
	for path, on := range map[string]string{"/": `href="/">Go to the start page<`, "/deskside": `href="/">Go to the start page<`, "/desk/lists/7": `href="/desk">Go to the first page of your desk<`} {
		w = httptest.NewRecorder()
		r.Error(w, httptest.NewRequest("GET", path, nil), 404, "", nil)
		if !strings.Contains(w.Body.String(), on) {
			t.Errorf("%s: no way on from an error page\n%s", path, w.Body)
		}
		if got, want := strings.Contains(w.Body.String(), ">Wellpaced</span>"), on == `href="/desk">Go to the first page of your desk<`; got != want {
			t.Errorf("%s: the header of an error page names Wellpaced: %v, want %v, because patients do not know that name", path, got, want)
		}
	}
}

func TestParse_errors(t *testing.T) {
	r := newRenderer(t, Config{}, map[string]string{"a.html": "x"})
	for name, fsys := range map[string]fstest.MapFS{
		"twice":  {"a.html": {Data: []byte("y")}},
		"none":   {"a.txt": {Data: []byte("y")}},
		"syntax": {"b.html": {Data: []byte("{{if}}")}},
	} {
		if err := r.Parse(fsys, "*.html"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, bad := range []string{"refer.example.nhs.uk", "ftp://x", "https://", "://"} {
		if _, err := New(Config{PublicURL: bad}); err == nil {
			t.Errorf("public URL %q was taken", bad)
		}
	}
}

func TestProtect(t *testing.T) {
	r := newRenderer(t, Config{PublicURL: "https://refer.example.nhs.uk/"}, nil)
	h := r.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	for _, tt := range []struct {
		name, method, path string
		header             [2]string
		want               int
	}{
		{"page of another site", "POST", "/stop/x", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"foreign origin", "POST", "/api/v1/lists", [2]string{"Origin", "https://evil.example"}, 403},
		{"own origin behind a proxy", "POST", "/stop/x", [2]string{"Origin", "https://refer.example.nhs.uk"}, 204},
		{"same origin", "POST", "/stop/x", [2]string{"Sec-Fetch-Site", "same-origin"}, 204},
		{"webhook", "POST", "/webhooks/twilio/status", [2]string{"X-Twilio-Signature", "s"}, 204},
		{"link from a mail", "GET", "/r/x", [2]string{"Sec-Fetch-Site", "cross-site"}, 204},
	} {
		req := httptest.NewRequest(tt.method, "http://10.0.0.7"+tt.path, nil)
		req.Header.Set(tt.header[0], tt.header[1])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, w.Code, tt.want)
		}
		for k, want := range map[string]string{"Content-Security-Policy": csp, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000"} {
			if got := w.Header().Get(k); got != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, k, got, want)
			}
		}
		if tt.want == 403 && strings.HasPrefix(tt.path, "/api/") != (w.Header().Get("Content-Type") == "application/problem+json") {
			t.Errorf("%s: answered with %s", tt.name, w.Header().Get("Content-Type"))
		}
	}
}

func TestProblem(t *testing.T) {
	w := httptest.NewRecorder()
	Problem(w, 409, "already_claimed", "Sam claimed this at 10:42.")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != 409 || got["status"] != 409.0 || got["code"] != "already_claimed" || got["detail"] != "Sam claimed this at 10:42." || got["title"] != "Conflict" {
		t.Errorf("status %d, problem %v", w.Code, got)
	}
}

func TestStatic(t *testing.T) {
	r := newRenderer(t, Config{}, nil)
	h := r.Static()
	css := get(h, r.static.url("desk.css"))
	if css.Code != 200 || !strings.Contains(css.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(css.Header().Get("Content-Type"), "text/css") {
		t.Errorf("styles: status %d, %v", css.Code, css.Header())
	}
	zipped := get(h, r.static.url("desk.css"), "Accept-Encoding", "br, gzip")
	if zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Body.Len() > css.Body.Len()/2 {
		t.Errorf("compressed: %d of %d bytes, %v", zipped.Body.Len(), css.Body.Len(), zipped.Header())
	}
	for _, p := range []string{"/static/", "/static/manifest.json", "/static/.gitkeep", "/static/../ui.go", "/static/desk.css"} {
		if w := get(h, p); w.Code != 404 || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, %v", p, w.Code, w.Header())
		}
	}
	broken := fstest.MapFS{"manifest.json": {Data: []byte(`{"desk.css":"desk-1.css"}`)}}
	if _, err := New(Config{Assets: broken}); err == nil {
		t.Error("a manifest that names a missing file was taken")
	}
}

// Without the build every page still has styles and no dead links to scripts.
func TestStatic_unbuilt(t *testing.T) {
	r := newRenderer(t, Config{Assets: fstest.MapFS{}}, map[string]string{"x.html": "<h1>x</h1>"})
	w := httptest.NewRecorder()
	r.Render(w, httptest.NewRequest("GET", "/", nil), 200, "x", Page{Kind: Desk})
	body := w.Body.String()
	if !strings.Contains(body, `href="/static/base-`) || strings.Contains(body, "<script") {
		t.Errorf("unbuilt page:\n%s", body)
	}
	if got := get(r.Static(), r.static.url("desk.css")); got.Code != 200 {
		t.Errorf("base styles: status %d", got.Code)
	}
}

func TestBuilt(t *testing.T) {
	if !Built() {
		if os.Getenv("CI") == "true" {
			t.Fatal("the styles are not built: run make assets")
		}
		t.Skip("the styles are not built: run make assets")
	}
	r := newRenderer(t, Config{}, nil)
	for _, name := range []string{"desk.css", "patient.css", "patient-rtl.css", "boot.js", "init.js", "nhsuk.js", "htmx.js", "licences.txt"} {
		w := get(r.Static(), r.static.url(name))
		body, err := io.ReadAll(w.Body)
		if err != nil || w.Code != 200 || len(body) < 100 {
			t.Errorf("%s: status %d, %d bytes, %v", name, w.Code, len(body), err)
		}
		if strings.HasSuffix(name, ".css") {
			if regexp.MustCompile(`@font-face|//assets\.nhs\.uk`).Match(body) {
				t.Errorf("%s fetches fonts from elsewhere", name)
			}
			for _, m := range regexp.MustCompile(`url\(["']?(/[^"')]+)`).FindAllSubmatch(body, -1) {
				if w := get(r.Static(), string(m[1])); w.Code != 200 {
					t.Errorf("%s needs %s, which is not there", name, m[1])
				}
			}
		}
	}
}

// A patient's page travels compressed to whoever takes it so, from many at once too; a desk's does not.
func TestRender_compressed(t *testing.T) {
	r := newRenderer(t, Config{}, map[string]string{"x.html": "<h1>" + strings.Repeat("word ", 2000) + "</h1>"})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			req := httptest.NewRequest("GET", "/", nil)
			req.Header.Set("Accept-Encoding", "gzip, br")
			w := httptest.NewRecorder()
			r.Render(w, req, 200, "x", Page{})
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Errorf("not compressed: %v", err)
				return
			}
			page, err := io.ReadAll(z)
			if err != nil || !strings.Contains(string(page), "</html>") || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%v: %d bytes", err, len(page))
			}
		})
	}
	all.Wait()
	for _, c := range []struct {
		accept string
		kind   Kind
	}{{"", Patient}, {"gzip", Desk}} {
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set("Accept-Encoding", c.accept)
		w := httptest.NewRecorder()
		r.Render(w, req, 200, "x", Page{Kind: c.kind})
		if w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "</html>") {
			t.Errorf("kind %v, accepting %q: %v", c.kind, c.accept, w.Header())
		}
	}
}
