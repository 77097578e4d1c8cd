package form

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// What a page says is in selfrefer/lang/words, a file for each language; here is how a visit comes by its language.

const (
	langCookie = "lang"
	langParam  = "lang"
)

// chooseLanguage takes a choice out of the address and into the browser, so that it holds on every page that follows.
func (h *Handler) chooseLanguage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if c := lang.Code(q.Get(langParam)); r.Method == http.MethodGet && lang.Known(c) {
			h.setCookie(w, langCookie, string(c))
			q.Del(langParam)
			to := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
			http.Redirect(w, r, to.String(), http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// speak settles in which language to write to whoever makes this request: as chosen here, else as the patient list says of the person
// whose link it is, else as the browser is set, else English.
func (h *Handler) speak(r *http.Request, v *visit) {
	c := lang.Code(h.readCookie(r, langCookie))
	if !lang.Known(c) {
		var ok bool
		if c, ok = lang.Read(v.in.Language); !ok || v.in.Language == "" {
			c, _ = lang.Match(r.Header.Get("Accept-Language"))
		}
	}
	v.words = lang.In(c)
	v.here = r.URL.Query()
	if p := r.URL.Path; r.Method == http.MethodPost && (strings.HasSuffix(p, "/send") || strings.HasSuffix(p, "/start")) {
		v.here = nil // every other page that answers a post has a twin to be got
	}
}

// guest is the visit of a page that belongs to no link.
func (h *Handler) guest(r *http.Request) *visit {
	v := &visit{}
	h.speak(r, v)
	return v
}

// say gives a sentence in the visitor's language.
func (v *visit) say(key string, fields ...string) string { return v.words.Say(key, fields...) }

// says gives several.
func (v *visit) says(keys ...string) []string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = v.say(k)
	}
	return all
}

// day writes a date as people say it, with the year only where it is another one.
func (h *Handler) day(v *visit, t time.Time) string {
	return v.words.Day(t.In(london), h.Now().In(london))
}

// frame is what the layout and the components say around a page's own words.
var frame = func() map[lang.Code]*ui.Words {
	all := map[lang.Code]*ui.Words{}
	for _, l := range lang.All {
		w := lang.In(l.Code)
		all[l.Code] = &ui.Words{
			Skip: w.Say("frame.skip"), Back: w.Say("frame.back"), Leave: w.Say("frame.leave"), Links: w.Say("frame.links"), Language: tongue(w),
			ErrorIs: w.Say("frame.error"), Problem: w.Say("frame.problem"), Information: w.Say("frame.information"), Missing: w.Say("frame.missing"),
			Day: w.Say("frame.day"), Month: w.Say("frame.month"), Year: w.Say("frame.year"),
			Emergency: w.Say("frame.emergency"), Urgent: w.Say("frame.urgent"), NonUrgent: w.Say("frame.non_urgent"),
		}
	}
	return all
}()

// tongue is the heading of the languages: in English too, for whoever is on a page that they cannot read.
func tongue(w *lang.Words) string {
	own := w.Say("frame.language")
	if w.Code == lang.English {
		return own
	}
	return own + " / " + lang.In(lang.English).Say("frame.language")
}

// languages are the same page in all languages.
func (v *visit) languages() []ui.Language {
	if v.here == nil {
		return nil
	}
	var all []ui.Language
	for _, l := range lang.All {
		q := url.Values{langParam: {string(l.Code)}}
		for _, ours := range []string{"after", "change"} { // nothing else that somebody has put into the address
			if has := v.here[ours]; len(has) > 0 {
				q.Set(ours, has[0])
			}
		}
		all = append(all, ui.Language{Code: string(l.Code), Dir: l.Code.Dir(), Own: l.Own, Href: "?" + q.Encode(), Current: l.Code == v.words.Code})
	}
	return all
}

// page fills in what all pages of a visit have.
func (v *visit) page(title string, data any) ui.Page {
	p := ui.Page{Title: title, Lang: string(v.words.Code), Dir: v.words.Code.Dir(), Words: frame[v.words.Code], Languages: v.languages(),
		Organisation: v.in.Network.Name, Home: "/", Footer: []ui.NavItem{{Text: v.say("frame.check"), Href: "/"}}, Data: data}
	p.Leave = v.base + "/leave" // where there is nothing to delete, the cookies are forgotten
	if p.Organisation == "" {
		p.Organisation = v.say("frame.service")
	}
	if !v.words.Reviewed() {
		p.Footnote = v.say("frame.unreviewed")
	}
	return p
}

// private is page for what somebody may have to hide in a moment.
func (v *visit) private(title, back string, data any) ui.Page {
	p := v.page(title, data)
	p.Back, p.Folded = back, true
	return p
}
