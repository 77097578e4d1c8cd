package emulator

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed phone.html phone.css
var phoneFiles embed.FS

// The templates are part of the program: a mistake in them is the programmer's.
var phoneTemplates = template.Must(template.ParseFS(phoneFiles, "phone.html"))

const phonePolicy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// PhoneHandler is the phone screen: the phones that were texted last, what is on each, and a way to
// reply. Mount it at Config.PhonePrefix, without stripping the prefix.
func (e *Emulator) PhoneHandler() http.Handler {
	prefix := strings.TrimSuffix(e.cfg.PhonePrefix, "/")
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		london = time.UTC // no time zone data on this computer
	}
	p := &phones{e: e, prefix: prefix, london: london}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/{$}", p.index)
	mux.HandleFunc("GET "+prefix+"/phone.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, phoneFiles, "phone.css")
	})
	mux.HandleFunc("GET "+prefix+"/{number}", p.phone)
	mux.HandleFunc("POST "+prefix+"/{number}", p.reply)
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", phonePolicy)
		h.Set("Referrer-Policy", "no-referrer") // a link's token is nobody else's business
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if r.URL.Path == prefix {
			http.Redirect(w, r, prefix+"/", http.StatusMovedPermanently)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

type phones struct {
	e      *Emulator
	prefix string
	london *time.Location
}

// screen is what both pages need.
type screen struct {
	Prefix, Title, Clock string
	Refresh              int // seconds; 0 keeps the page still, so that nothing typed is lost
}

type indexPage struct {
	screen
	Accepted, Arrived int
	Finding           bool // the search box is shown, and the page keeps still
	Search, Problem   string
	Phones            []phoneRow
}

type phoneRow struct{ Path, Number, From, Preview, When string }

type phonePage struct {
	screen
	Path, Number, Sender string
	Owner                string // whose phone it is, as far as the page may say
	Bubbles              []bubble
	OneWay, Writing      bool
	Sent                 bool
	Draft, Problem       string
}

type bubble struct {
	Mine  bool // written on this phone
	From  string
	When  string
	Parts []part
}

// part is a run of a text; URL is set if it is a link.
type part struct{ Text, URL string }

// refresh is how often a page loads itself again, in seconds.
const refresh = 5

// maxPhones bounds the list of phones: more than this nobody reads, and a search finds the rest.
const maxPhones = 40

func (p *phones) screen(title string, every int) screen {
	return screen{Prefix: p.prefix, Title: title, Clock: p.e.cfg.Now().In(p.london).Format("Mon 2 Jan 2006, 15:04"), Refresh: every}
}

func (p *phones) index(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	search := strings.TrimSpace(q.Get("number"))
	page := indexPage{Finding: q.Has("find") || q.Has("number"), Search: search, screen: p.screen("Pretend phones", refresh)}
	if page.Finding || q.Has("still") {
		page.Refresh = 0
	}
	p.e.mu.Lock()
	b := p.e.book
	page.Accepted, page.Arrived = b.outbound, len(b.deliveries)
	var last []*text
	if search == "" {
		seen := map[string]bool{}
		for _, t := range slices.Backward(b.deliveries) {
			if len(last) == maxPhones {
				break
			}
			if !seen[t.to] {
				seen[t.to] = true
				last = append(last, t)
			}
		}
	} else {
		for number, texts := range b.byNumber {
			if !searched(number, search) {
				continue
			}
			for _, t := range slices.Backward(texts) {
				if t.to == number && t.delivery > 0 {
					last = append(last, t)
					break
				}
			}
		}
	}
	p.e.mu.Unlock()
	if search != "" {
		slices.SortFunc(last, func(a, b *text) int { return cmp.Compare(b.delivery, a.delivery) })
		switch {
		case len(last) == 1:
			http.Redirect(w, r, p.path(last[0].to), http.StatusSeeOther)
			return
		case len(last) == 0:
			page.Problem = "No phone with a text has this number. Check the number, or wait: the text may still be on its way."
		case len(last) > maxPhones:
			last = last[:maxPhones]
			page.Problem = "More than " + strconv.Itoa(maxPhones) + " phones match. Type more of the number."
		}
	}
	for _, t := range last {
		page.Phones = append(page.Phones, phoneRow{Path: p.path(t.to), Number: national(t.to), From: t.from, Preview: preview(t.body),
			When: p.when(t.updated)})
	}
	p.render(w, http.StatusOK, "index", page)
}

func (p *phones) phone(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page, ok := p.load(r.PathValue("number"))
	if !ok {
		p.missing(w)
		return
	}
	page.Sent, page.Writing = q.Has("sent"), q.Has("write") && !page.OneWay
	if page.Writing || q.Has("still") {
		page.Refresh = 0
	}
	p.render(w, http.StatusOK, "phone", page)
}

func (p *phones) reply(w http.ResponseWriter, r *http.Request) {
	page, ok := p.load(r.PathValue("number"))
	if !ok {
		p.missing(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	body := strings.TrimSpace(r.PostFormValue("body"))
	var problem string
	switch {
	case body == "":
		problem = "Write something first."
	case utf8.RuneCountInString(body) > 1600:
		problem = "This is too long for a text. Use at most 1,600 characters."
	default:
		err := p.e.InboundFrom(r.Context(), "+"+r.PathValue("number"), body, "")
		switch {
		case err == nil:
			http.Redirect(w, r, page.Path+"?sent", http.StatusSeeOther)
			return
		case errors.Is(err, ErrOneWay):
			problem = "This text came from a name, not a number. It cannot be replied to: use the link in the text."
		default:
			p.e.log.Warn("reply from a phone", "err", err)
			problem = "Your reply did not reach Wellpaced. Send it again in a moment."
		}
	}
	page.Draft, page.Problem, page.Writing, page.Refresh = body, problem, true, 0
	p.render(w, http.StatusUnprocessableEntity, "phone", page)
}

// load reads one phone: what arrived on it and what was written on it, oldest first.
func (p *phones) load(digits string) (phonePage, bool) {
	number := "+" + digits
	page := phonePage{Path: p.path(number), Number: national(number), screen: p.screen("Phone "+national(number), refresh)}
	if p.e.cfg.Owner != nil {
		page.Owner = p.e.cfg.Owner(number)
	}
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	var shown []*text
	for _, t := range p.e.book.byNumber[number] {
		if t.to == number && t.delivery > 0 || t.inbound && t.from == number {
			shown = append(shown, t)
		}
	}
	slices.SortStableFunc(shown, func(a, b *text) int { return cmp.Compare(a.updated, b.updated) })
	for _, t := range shown {
		page.Bubbles = append(page.Bubbles, bubble{Mine: t.inbound && t.from == number, From: t.from, When: p.when(t.updated), Parts: split(t.body)})
		if t.to == number {
			page.Sender = t.from
		}
	}
	page.OneWay = !strings.HasPrefix(page.Sender, "+") && !shortCode.MatchString(page.Sender)
	return page, len(shown) > 0
}

func (p *phones) missing(w http.ResponseWriter) {
	page := indexPage{Finding: true, screen: p.screen("Phone not found", 0), Problem: "This phone has not had a text yet. Look for another one."}
	p.render(w, http.StatusNotFound, "index", page)
}

func (p *phones) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := phoneTemplates.ExecuteTemplate(&b, name, data); err != nil {
		p.e.log.Error("phone screen", "err", err)
		http.Error(w, "This page could not be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

func (p *phones) path(number string) string {
	return p.prefix + "/" + url.PathEscape(strings.TrimPrefix(number, "+"))
}

func (p *phones) when(ms int64) string {
	return time.UnixMilli(ms).In(p.london).Format("Mon 2 Jan, 15:04")
}

// national writes a UK mobile as people do: 07700 900123.
func national(number string) string {
	if rest, ok := strings.CutPrefix(number, "+447"); ok && len(rest) == 9 {
		return "07" + rest[:3] + " " + rest[3:]
	}
	return number
}

// searched reports whether a stored number is what a person may have meant by 07700 900 123,
// +44 7700…, or its last digits.
func searched(number, search string) bool {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, search)
	if digits == "" {
		return false
	}
	if strings.Contains(number, digits) {
		return true
	}
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		return strings.Contains(number, "+"+rest)
	}
	rest, ok := strings.CutPrefix(digits, "0")
	return ok && strings.Contains(number, "+44"+rest)
}

func preview(body string) string {
	line := strings.Join(strings.Fields(body), " ")
	if r := []rune(line); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return line
}

var link = regexp.MustCompile(`(?i)https?://[^\s<>"'` + "`" + `]+`)

// split finds the links of a text. A phone leaves closing punctuation out of a link.
func split(body string) (parts []part) {
	at := 0
	for _, m := range link.FindAllStringIndex(body, -1) {
		address := strings.TrimRight(body[m[0]:m[1]], ".,;:!?)]}")
		if u, err := url.Parse(address); err != nil || u.Host == "" {
			continue
		}
		if m[0] > at {
			parts = append(parts, part{Text: body[at:m[0]]})
		}
		parts = append(parts, part{Text: address, URL: address})
		at = m[0] + len(address)
	}
	if at < len(body) {
		parts = append(parts, part{Text: body[at:]})
	}
	return parts
}
