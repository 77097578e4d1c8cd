package emulator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestPhone_screen(t *testing.T) {
	r := newRig(t, func(c *Config) { c.PhonePrefix = "/demo/phones/" })
	screen := r.PhoneHandler()
	request := func(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		screen.ServeHTTP(w, req)
		return w
	}
	has := func(w *httptest.ResponseRecorder, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("no %q in\n%s", want, w.Body)
			}
		}
	}
	has(request("GET", "/demo/phones/", nil), "No text has arrived yet", "<strong>Pretend phones:</strong> nothing leaves this computer",
		`<html lang="en-GB">`, `http-equiv="refresh"`, `href="/demo/phones/?find"`, `href="/demo/phones/phone.css"`)
	if w := request("GET", "/demo/phones/?find", nil); strings.Contains(w.Body.String(), "http-equiv") {
		t.Error("the page refreshes while somebody types a number")
	} else {
		has(w, `<label for="number">`)
	}

	r.send(t, number(1), `<script>alert(1)</script> "see" https://h.test/r/AB?x=1&y=2. javascript:alert(2) or http://h.test/stop/"onclick=x`)
	r.send(t, number(2), "Hello")
	if w := request("GET", "/demo/phones/447700900001", nil); w.Code != 404 {
		t.Errorf("a text is on the phone before it is delivered: %d", w.Code)
	}
	r.forward(t, time.Hour)

	has(request("GET", "/demo/phones/", nil), "2 of 2 texts have arrived", `<a href="/demo/phones/447700900001">07700 900001</a>`)
	w := request("GET", "/demo/phones/447700900001", nil)
	has(w, "&lt;script&gt;alert(1)&lt;/script&gt;", `<a href="https://h.test/r/AB?x=1&amp;y=2" rel="noopener noreferrer">https://h.test/r/AB?x=1&amp;y=2</a>.`,
		` javascript:alert(2) or <a href="http://h.test/stop/"`, "Mon 23 Nov, 09:00", `http-equiv="refresh"`, "Reply STOP")
	if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), `href="javascript`) {
		t.Error("a text got into the markup")
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'self'; form-action 'self'") {
		t.Errorf("CSP %q", got)
	}

	if w := request("GET", "/demo/phones/447700900001?write", nil); strings.Contains(w.Body.String(), "http-equiv") {
		t.Error("the page refreshes while somebody writes")
	} else {
		has(w, `<label for="body">Your reply</label>`, `<textarea id="body"`)
	}
	w = request("POST", "/demo/phones/447700900001", url.Values{"body": {"STOP"}})
	if w.Code != 303 || w.Header().Get("Location") != "/demo/phones/447700900001?sent" {
		t.Fatalf("reply: %d %s", w.Code, w.Body)
	}
	has(request("GET", "/demo/phones/", nil), "2 of 2 texts have arrived") // a reply is not a text of ours
	has(request("GET", "/demo/phones/447700900001?sent", nil), "Your reply was sent", `class="mine"`)
	hooks := r.forwarded()
	if h := hooks[len(hooks)-1]; h.path != "/inbound" || h.form.Get("Body") != "STOP" || !h.signed {
		t.Errorf("webhook %+v", h)
	}
	if w := request("POST", "/demo/phones/447700900001", url.Values{"body": {"STOP"}}, "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("a reply from another site: %d", w.Code)
	}
	w = request("POST", "/demo/phones/447700900001", url.Values{"body": {" "}})
	if has(w, "Write something first"); w.Code != 422 {
		t.Errorf("an empty reply: %d", w.Code)
	}
	r.mu.Lock()
	r.answer = func(int) int { return 503 }
	r.mu.Unlock()
	has(request("POST", "/demo/phones/447700900002", url.Values{"body": {"<help> me"}}), "did not reach Wellpaced", "&lt;help&gt; me</textarea>")
	for name, path := range map[string]string{"css": "/demo/phones/phone.css", "no slash": "/demo/phones"} {
		if w := request("GET", path, nil); w.Code != 200 && w.Code != 301 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestPhone_search(t *testing.T) {
	r := newRig(t, nil)
	for i := range maxPhones + 5 {
		r.send(t, number(i), "Hello")
	}
	r.forward(t, time.Hour)
	screen := r.PhoneHandler()
	for search, want := range map[string]string{
		"07700 900 017":  "303 /phones/447700900017",
		"+447700900017":  "303 /phones/447700900017",
		"00447700900017": "303 /phones/447700900017",
		"0017":           "303 /phones/447700900017",
		"017":            "303 /phones/447700900017",
		"07700 900":      "200 ",
		"07999":          "200 ",
		"<b>":            "200 ",
	} {
		w := httptest.NewRecorder()
		screen.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/phones/?number="+url.QueryEscape(search), nil))
		if got := fmt.Sprint(w.Code, " ", w.Header().Get("Location")); want != "" && got != want {
			t.Errorf("%q: %s, want %s", search, got, want)
		}
		if n := strings.Count(w.Body.String(), "<li>"); n > maxPhones || search == "07700 900" && n != maxPhones || search == "07999" && n != 0 {
			t.Errorf("%q: %d phones", search, n)
		}
		if strings.Contains(w.Body.String(), "<b>") {
			t.Errorf("%q got into the markup", search)
		}
	}
}

func TestSplit(t *testing.T) {
	for body, want := range map[string]string{
		"":                          "",
		"no link":                   "no link",
		"https://a.test":            "[https://a.test]",
		"(see https://a.test/r/B).": "(see [https://a.test/r/B]).",
		"HTTPS://A.test x":          "[HTTPS://A.test] x",
		"https:// and http://":      "https:// and http://",
		"ftp://a.test":              "ftp://a.test",
		"a https://b.test\nc http://d.test/?q=1!": "a [https://b.test]\nc [http://d.test/?q=1]!",
	} {
		var got strings.Builder
		for _, p := range split(body) {
			if p.URL != "" {
				got.WriteString("[" + p.URL + "]")
			} else {
				got.WriteString(p.Text)
			}
		}
		if got.String() != want {
			t.Errorf("split(%q) = %q, want %q", body, got.String(), want)
		}
	}
}
