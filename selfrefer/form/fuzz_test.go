package form

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer"
)

// Whatever is posted to whichever page: no page fails, nothing of it runs, and what is kept is what the form allows.
func FuzzForm(f *testing.F) {
	f.Add("/send", "application/x-www-form-urlencoded", "danger=no&words=%00%F0%9F%98%80&call_safe=yes")
	f.Add("/tell", "application/x-www-form-urlencoded", "words=%3Cscript%3Ealert(1)%3C/script%3E")
	f.Add("/tell", "text/plain", "words=hello")
	f.Add("/birth", "application/x-www-form-urlencoded", "birth_date-day=31&birth_date-month=&birth_date-year=%D9%A1%D9%A9")
	f.Add("/send", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"words\"\r\n\r\nhi\r\n--x--")
	f.Add("/send", "application/json", `{"words":"hi"}`)
	f.Add("/reasons", "application/x-www-form-urlencoded", "reasons=money&reasons=money&reasons=%ff&%=%")
	f.Add("/start", "", "again=1")
	f.Add("/urgent", "application/x-www-form-urlencoded", strings.Repeat("a=b&", 3000))
	s := newSite(f)
	r := chi.NewRouter()
	s.h.Routes(r)
	f.Fuzz(func(t *testing.T, path, kind, body string) {
		if strings.ContainsAny(path, " ?#%\r\n") || !utf8.ValidString(path) || strings.ContainsAny(kind, "\r\n") {
			t.Skip("no browser asks for that")
		}
		s.set(func() { s.forms = nil })
		req, err := http.NewRequest("POST", link.URL("", known)+"/"+strings.TrimPrefix(path, "/"), strings.NewReader(body))
		if err != nil {
			t.Skip("no address")
		}
		req.Header.Set("Content-Type", kind)
		req.AddCookie(&http.Cookie{Name: formCookie, Value: strings.Repeat("S", secretLength)})
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Fatalf("status %d", w.Code)
		}
		if page := w.Body.String(); strings.Contains(page, "<script>") || strings.Contains(page, "javascript:") {
			t.Errorf("something of it runs: %s", page)
		}
		s.set(func() {
			for _, form := range s.forms {
				if a := within(form.Answers); a.Words != form.Answers.Words || a.Name != form.Answers.Name || a.Email != form.Answers.Email {
					t.Error("longer answers were kept than the form allows")
				}
				for _, said := range []string{form.Answers.Words, form.Answers.Name, form.Answers.Needs, form.Answers.BirthDate} {
					if strings.ContainsRune(said, 0) || !utf8.ValidString(said) {
						t.Errorf("kept %q", said)
					}
				}
			}
		})
	})
}

// What people write survives the form as they wrote it, but for what no keyboard types.
func TestClean_keepsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.RuneFrom([]rune("aé漢ض😀👩‍👧 \n\"'<&;"))).Draw(t, "words")
		var a selfrefer.Answers
		overlay(&a, map[string][]string{"words": {s}})
		if a.Words != strings.TrimSpace(s) {
			t.Fatalf("%q became %q", s, a.Words)
		}
	})
}
