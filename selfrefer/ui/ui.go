package ui

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"runtime"
	"strings"
	"sync"
)

//go:embed layout.html components.html base.css icon.svg passkey.js
var own embed.FS

// Config of a Renderer. The zero value works, and serves the embedded assets.
type Config struct {
	PublicURL string       // where people reach the site: its origin may post here. Empty: same origin only
	Assets    fs.FS        // a built dist folder in place of the embedded one; nil: embedded
	Logger    *slog.Logger // nil: slog.Default
}

// Renderer draws the pages. Parse everything before the first Render; after that it is safe for concurrent use.
type Renderer struct {
	layout  *template.Template
	screens map[string]*template.Template
	static  *static
	cross   *http.CrossOriginProtection
	hsts    bool
	log     *slog.Logger
}

// Kind tells who sits in front of a page. A patient's page is one narrow column without htmx.
type Kind int

const (
	Patient Kind = iota
	Desk
)

// NavItem is a link in the menu or the footer.
type NavItem struct {
	Text, Href string
	Current    bool
}

// FieldError says what is wrong with a field and how to mend it, in the order of the page. Field is the id
// that the summary links to: the Name of the Field, or for one part of a date its Name + "-day", "-month", "-year".
// Empty: the sentence concerns the whole form.
type FieldError struct{ Field, Sentence string }

// Words are what the layout and the components say by themselves. Those of the zero Page are [English].
type Words struct {
	Skip, Back, Leave, Links     string
	Language                     string // the name of the list of languages
	ErrorIs, Problem             string // "Error: " before a title or a sentence, and the heading of the list of all
	Information, Missing         string // read out before an inset text; in place of an answer
	Day, Month, Year             string
	Emergency, Urgent, NonUrgent string // read out before the heading of a care card
}

// English is what pages say unless they have words of their own.
var English = Words{
	Skip: "Skip to main content", Back: "Back", Leave: "Leave this page", Links: "Support links", Language: "Language",
	ErrorIs: "Error:", Problem: "There is a problem", Information: "Information:", Missing: "Not provided", Day: "Day", Month: "Month", Year: "Year",
	Emergency: "Immediate action required:", Urgent: "Urgent advice:", NonUrgent: "Non-urgent advice:",
}

// Language is one in which a page can be read.
type Language struct {
	Code, Dir, Own string // its own name for itself
	Href           string
	Current        bool
}

// Alert is a sentence that stands at the top of somebody's pages until they have looked. Without Href it is not theirs to open.
type Alert struct{ Text, Href string }

// Page is what the layout needs, and the screen's own Data. Titles must not name a patient: they end up in
// browser histories.
type Page struct {
	Title        string
	Lang, Dir    string // "en" and "ltr" when empty
	Words        *Words // nil: English
	Languages    []Language
	Folded       bool // the languages stand behind their heading: whoever has come so far has chosen
	Kind         Kind
	Organisation string // the network, in the header: a local service must not stand under the bare NHS logo. Empty, where nobody can tell: "Link workers"
	Home         string // where the organisation's name links to; empty: no link
	Nav          []NavItem
	Footer       []NavItem
	Footnote     string // a sentence below the footer's links
	User         string // who is signed in
	UserURL      string // where they change how they sign in
	SignOutURL   string // gets a POST
	Back         string // the back link; empty: none
	Leave        string // "Leave this page": a neutral site to flee to; empty: none
	Breadcrumbs  []NavItem
	Alerts       []Alert // what cannot wait, above all else, on desks
	Notice       string  // what has just been done, in a green banner
	Undo         *Undo   // beside the notice
	Runs         *Runs   // what runs while its page is read, with what stops it
	Refresh      int     // seconds after which a page without scripts loads itself again; 0: never
	Errors       []FieldError
	Data         any
}

// Undo is a button that takes back what has just been done: a form, which needs no scripts.
type Undo struct {
	Action, Button string
	Of             string // what it undoes, for who cannot see where the button stands
	Words          string // beside it, where there is no notice
	Event          string // its code: the notice says done=
}

// Runs is something that is under way, on each of its pages: what stops it is never more than one press away, and needs no scripts.
type Runs struct {
	Sentence string
	Of       string // what it is, for who cannot see where the buttons stand
	Buttons  []RunsButton
	Back     string // the page that a press comes back to; posted as "back"
}

// RunsButton is a form that posts, or a link to a page that asks first.
type RunsButton struct {
	Text, Href, Variant string
	Post                bool
}

// New fails on a public URL that is none, or on an asset folder with a broken manifest.
func New(c Config) (*Renderer, error) {
	r := &Renderer{screens: map[string]*template.Template{}, log: c.Logger}
	if r.log == nil {
		r.log = slog.Default()
	}
	var err error
	if c.Assets == nil {
		r.static, err = embedded()
	} else {
		r.static, err = loadStatic(c.Assets)
	}
	if err != nil {
		return nil, err
	}
	if r.cross, r.hsts, err = crossOrigin(c.PublicURL); err != nil {
		return nil, err
	}
	r.layout, err = template.New("layout.html").Funcs(funcs()).Funcs(template.FuncMap{"asset": r.static.url}).ParseFS(own, "layout.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	if err := r.add("ui-error", errorScreen); err != nil {
		return nil, err
	}
	return r, nil
}

// errorScreen is the whole content of a page that reports a failure: a sentence and, if a person should be
// told, the reference under which the log has the cause.
const errorScreen = `<h1>{{.Title}}</h1>
<p>{{.Data.Sentence}}</p>
{{with .Data.Reference}}<p>If you contact us about this, give us this code: <strong class="wp-nowrap">{{.}}</strong></p>{{end}}
<p><a class="nhsuk-link" href="{{.Data.On.Href}}">{{.Data.On.Text}}</a></p>`

// Parse adds the screens in the files that match. A screen is named after its file without ".html"; a file
// whose name begins with "_" is no screen, and its blocks are shared by the screens of this call.
func (r *Renderer) Parse(fsys fs.FS, patterns ...string) error {
	var shared []string
	screens := map[string]string{}
	for _, pattern := range patterns {
		files, err := fs.Glob(fsys, pattern)
		if err != nil {
			return fmt.Errorf("find screens %q: %w", pattern, err)
		}
		if len(files) == 0 {
			return fmt.Errorf("find screens %q: no such file", pattern)
		}
		for _, file := range files {
			src, err := fs.ReadFile(fsys, file)
			if err != nil {
				return fmt.Errorf("read screen: %w", err)
			}
			if base := path.Base(file); strings.HasPrefix(base, "_") {
				shared = append(shared, string(src))
			} else {
				screens[strings.TrimSuffix(base, path.Ext(base))] = string(src)
			}
		}
	}
	for name, src := range screens {
		if err := r.add(name, src, shared...); err != nil {
			return err
		}
	}
	return nil
}

func (r *Renderer) add(name, src string, shared ...string) error {
	if r.screens[name] != nil {
		return fmt.Errorf("parse screen %q: two files have this name", name)
	}
	t, err := r.layout.Clone()
	for _, s := range shared {
		if err == nil {
			_, err = t.New("shared").Parse(s)
		}
	}
	if err == nil {
		_, err = t.New("content").Parse(src)
	}
	if err != nil {
		return fmt.Errorf("parse screen %q: %w", name, err)
	}
	r.screens[name] = t
	return nil
}

// Screens lists the names that Render knows, so that a test can show each.
func (r *Renderer) Screens() []string {
	var names []string
	for name := range r.screens {
		if name != "ui-error" {
			names = append(names, name)
		}
	}
	return names
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Render draws the whole page before it writes the first byte: a template that fails halfway becomes an error
// page, not half a page.
func (r *Renderer) Render(w http.ResponseWriter, req *http.Request, status int, screen string, p Page) {
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() < 1<<20 { // one huge page must not stay in memory for ever
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	if err := r.draw(buf, screen, p); err != nil {
		r.Error(w, req, http.StatusInternalServerError, "", fmt.Errorf("render screen %q: %w", screen, err))
		return
	}
	if p.Kind == Patient && acceptsGzip(req) {
		zipped := buffers.Get().(*bytes.Buffer)
		zip(zipped, buf.Bytes())
		writeZipped(w, status, zipped.Bytes())
		zipped.Reset()
		buffers.Put(zipped)
		return
	}
	write(w, status, buf.Bytes())
}

// Kept is a patient's page that is drawn once for many: nothing in it may be anybody's.
type Kept struct{ plain, zipped []byte }

// Keep draws a page to be written again and again.
func (r *Renderer) Keep(screen string, p Page) (Kept, error) {
	var plain, zipped bytes.Buffer
	if err := r.draw(&plain, screen, p); err != nil {
		return Kept{}, fmt.Errorf("draw screen %q: %w", screen, err)
	}
	zip(&zipped, plain.Bytes())
	return Kept{plain.Bytes(), zipped.Bytes()}, nil
}

// Write answers a request with the page.
func (k Kept) Write(w http.ResponseWriter, req *http.Request, status int) {
	if acceptsGzip(req) {
		writeZipped(w, status, k.zipped)
		return
	}
	write(w, status, k.plain)
}

func (r *Renderer) draw(buf *bytes.Buffer, screen string, p Page) error {
	t := r.screens[screen]
	if t == nil {
		return errors.New("no such screen")
	}
	p.Lang, p.Dir, p.Organisation = cmp.Or(p.Lang, "en"), cmp.Or(p.Dir, "ltr"), cmp.Or(p.Organisation, "Link workers")
	p.Words = cmp.Or(p.Words, &English)
	return t.ExecuteTemplate(buf, "layout.html", p)
}

func write(w http.ResponseWriter, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page) // the reader has gone: nobody is left to tell
}

// zippers compress patients' pages, which may come over one bar of signal. Each holds about a megabyte, so that there are no more than
// processors: a thousand pages at once wait for a moment instead of taking a gigabyte. Desks' pages are not compressed: they hold what people
// search for beside what is secret, and their length would tell of it.
var zippers = func() chan *gzip.Writer {
	all := make(chan *gzip.Writer, runtime.GOMAXPROCS(0))
	for range cap(all) {
		z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is valid; the best saves 300 bytes of a page and takes three times as long
		all <- z
	}
	return all
}()

func acceptsGzip(req *http.Request) bool {
	return strings.Contains(req.Header.Get("Accept-Encoding"), "gzip")
}

func zip(to *bytes.Buffer, page []byte) {
	z := <-zippers
	z.Reset(to)
	_, _ = z.Write(page) // a buffer takes everything
	_ = z.Close()
	zippers <- z
}

func writeZipped(w http.ResponseWriter, status int, zipped []byte) {
	h := w.Header()
	h.Set("Content-Encoding", "gzip")
	h.Set("Vary", "Accept-Encoding")
	write(w, status, zipped)
}

// Error shows a failure in words for people. An empty sentence gets the usual one for the status. From 500 on,
// err is logged once, under a reference that the page shows; err never reaches the page.
func (r *Renderer) Error(w http.ResponseWriter, req *http.Request, status int, sentence string, err error) {
	title, usual := errorWords(status)
	var reference string
	if status >= 500 {
		reference = rand.Text()[:8]
		r.log.ErrorContext(req.Context(), "page failed", "reference", reference, "status", status, "method", req.Method, "err", err)
	}
	var buf bytes.Buffer
	// Nobody is left at a dead end: staff go back to their desk, everybody else to the page that anybody may open.
	on, name := NavItem{Text: "Go to the start page", Href: "/"}, ""
	if req.URL.Path == "/desk" || strings.HasPrefix(req.URL.Path, "/desk/") {
		on, name = NavItem{Text: "Go to the first page of your desk", Href: "/desk"}, "Wellpaced" // as at sign-in: whose desk it is may not be known
	}
	data := struct {
		Sentence, Reference string
		On                  NavItem
	}{cmp.Or(sentence, usual), reference, on}
	if drawErr := r.draw(&buf, "ui-error", Page{Title: title, Organisation: name, Data: data}); drawErr != nil {
		buf.Reset()
		buf.WriteString("<!DOCTYPE html><html lang=en><title>Sorry, there is a problem</title><h1>Sorry, there is a problem</h1><p>Try again later.</p>")
	}
	write(w, status, buf.Bytes())
}

func errorWords(status int) (title, sentence string) {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return "Page not found", "If you typed the web address, check that it is correct. If you copied it, check that you copied all of it."
	case http.StatusForbidden, http.StatusUnauthorized:
		return "You cannot see this page", "Sign in with an account that may see it, or ask the person who manages your team."
	case http.StatusTooManyRequests:
		return "Too many tries", "Wait a few minutes, then try again."
	case http.StatusRequestEntityTooLarge:
		return "That is too large", "Send less at once, then try again."
	case http.StatusServiceUnavailable:
		return "Sorry, the service is not available", "Try again in a few minutes."
	}
	if status < 500 {
		return "That did not work", "Go back, check what you entered and try again."
	}
	return "Sorry, there is a problem with the service", "Try again later."
}
