package town

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer/form"
)

var errGone = errors.New("the link does not work any more")

// browser is one person's: it keeps its own cookies.
type browser struct {
	http.Client
	site   string
	accept string // languages that its owner has chosen
	page   []byte // the last page opened
}

// shareForeign of those who speak another language have telephones that do so, too. The others are as they came from the shop.
const shareForeign = .75

// browser is that of somebody with this number.
func (t *Town) browser(number string) *browser {
	jar, _ := cookiejar.New(nil) // no options, no error
	accept := tongues[0].accept()
	if who, ok := t.people[number]; ok && lots(t.cfg.Seed, "browser", number).Float64() < shareForeign {
		accept = who.speaks.accept()
	}
	return &browser{http.Client{Transport: t.web.Transport, Timeout: t.web.Timeout, Jar: jar}, t.cfg.Site, accept, nil}
}

// inOwn opens a page in the language of whoever has this number, if it speaks it already or offers it at its top.
func (t *Town) inOwn(ctx context.Context, b *browser, number, path string) error {
	if _, err := b.get(ctx, path); err != nil {
		return err
	}
	who, ok := t.people[number]
	if !ok || who.speaks.code == "" || bytes.Contains(b.page, []byte(`<html lang="`+string(who.speaks.code)+`"`)) {
		return nil
	}
	_, err := b.get(ctx, path+"?lang="+string(who.speaks.code))
	return err
}

// get opens a page, and post sends a form; both give the path where they ended up.
func (b *browser) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.site+path, nil)
	if err != nil {
		return "", fmt.Errorf("open a page: %w", err)
	}
	return b.do(req)
}

func (b *browser) post(ctx context.Context, path string, answers url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.site+path, strings.NewReader(answers.Encode()))
	if err != nil {
		return "", fmt.Errorf("send a form: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

// do names no path in its errors: it holds a token.
func (b *browser) do(req *http.Request) (string, error) {
	req.Header.Set("Accept-Language", b.accept)
	res, err := b.Do(req)
	if err != nil {
		if quoted, ok := errors.AsType[*url.Error](err); ok {
			err = quoted.Err
		}
		return "", fmt.Errorf("%s a page: %w", strings.ToLower(req.Method), err)
	}
	defer res.Body.Close()
	if b.page, err = io.ReadAll(io.LimitReader(res.Body, 1<<20)); err != nil {
		return "", fmt.Errorf("read a page: %w", err)
	}
	if res.StatusCode == http.StatusGone {
		return "", errGone
	}
	if res.StatusCode >= 400 {
		return "", fmt.Errorf("%s a page: answered %d", strings.ToLower(req.Method), res.StatusCode)
	}
	return res.Request.URL.Path, nil
}

// look opens a link, and perhaps presses Start, and leaves it at that.
func (t *Town) look(ctx context.Context, number, path string, start bool) error {
	b := t.browser(number)
	if _, err := b.get(ctx, path); err != nil || !start {
		return err
	}
	_, err := b.post(ctx, path+"/start", nil)
	return err
}

// stop opens the page behind the link to opt out, and presses its button; some press the next one too, which takes it back.
func (t *Town) stop(ctx context.Context, number, path, why string) error {
	b := t.browser(number)
	if _, err := b.get(ctx, path); err != nil {
		return err
	}
	if _, err := b.post(ctx, path, url.Values{"why": {why}}); err != nil {
		return err
	}
	if why != "opted_out" || lots(t.cfg.Seed, "undo", number).Float64() >= shareUndo {
		return nil
	}
	if _, err := b.post(ctx, path, url.Values{"undo": {"1"}}); err != nil && !errors.Is(err, errGone) { // too late for it
		return err
	}
	return nil
}

// refer goes through the whole form. What is about to be sent goes into the diary first, so that after a crash the same form is sent
// again and not another one.
func (t *Town) refer(ctx context.Context, path string, p plan) error {
	b := t.browser(p.text.To)
	site, err := url.Parse(t.cfg.Site)
	if err != nil {
		return fmt.Errorf("read the site's address: %w", err)
	}
	d := deed{p.text.Seq, p.what}
	t.mu.Lock()
	before, begun := t.posts[d]
	t.mu.Unlock()
	if begun {
		answers, err := url.ParseQuery(before.Form)
		if err != nil {
			return fmt.Errorf("read a form in the diary: %w", err)
		}
		cookies, err := http.ParseCookie(before.Cookie)
		if err != nil {
			return fmt.Errorf("read a cookie in the diary: %w", err)
		}
		b.Jar.SetCookies(site, cookies)
		return t.send(ctx, b, before.Base, answers)
	}
	if err := t.inOwn(ctx, b, p.text.To, path); err != nil {
		return err
	}
	if _, err := b.post(ctx, path+"/start", nil); err != nil {
		return err
	}
	answers := t.answers(p)
	for _, step := range form.Steps {
		page := url.Values{}
		for _, name := range step.Fields {
			if v, ok := answers[name]; ok {
				page[name] = v
			}
		}
		if _, err := b.post(ctx, path+"/"+step.Path, page); err != nil {
			return fmt.Errorf("answer %q: %w", step.Path, err)
		}
	}
	if _, err := b.get(ctx, path+"/check"); err != nil {
		return err
	}
	var cookies []string
	for _, c := range b.Jar.Cookies(site) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	e := entry{Kind: sending, Text: p.text.Seq, Deed: p.what, Cookie: strings.Join(cookies, "; "), Form: answers.Encode(), Base: path}
	if err := t.diary.note(e); err != nil {
		return err
	}
	t.mu.Lock()
	t.posts[d] = e
	t.mu.Unlock()
	return t.send(ctx, b, path, answers)
}

var referencePattern = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)

// send sends the form, and notes the reference: what has none of the town's is a visitor's, who wants to find themselves in the queue.
func (t *Town) send(ctx context.Context, b *browser, path string, answers url.Values) error {
	end, err := b.post(ctx, path+"/send", answers)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(end, "/sent") {
		return errors.New("the form was not taken")
	}
	if ref := referencePattern.Find(b.page); ref != nil {
		t.mu.Lock()
		t.ours[string(ref)] = true
		t.mu.Unlock()
		return t.diary.note(entry{Kind: ours, Form: string(ref)})
	}
	return nil
}

var (
	wishes = []string{
		"I would like to meet more people since my husband passed away.", "My rent went up and I do not know what I can claim.",
		"I look after my mum and hardly get out.", "I have been feeling low for a while.", "Is there a walking group near me?",
		"", "", "", "I just moved here and know nobody.", "I need help with forms for the council.", "I want to be a bit more active after my operation.",
	}
	cries = []string{
		"I have nothing to eat in the house and no heating.", "My partner hits me and I am scared of him.",
		"Some days I want to die.", "We will be evicted on Friday and have nowhere to go.",
	}
	times    = []string{"mornings", "afternoons", "any"}
	weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday"}
	reasons  = []string{"loneliness", "money", "mental_health", "isolation", "housing", "inactivity", "carer", "coping", "getting_out", "community", "independence"}
)

// answers is what somebody writes.
func (t *Town) answers(p plan) url.Values {
	rng := lots(t.cfg.Seed, "answers", p.what, p.text.To, strconv.Itoa(t.texts[p.text.To]))
	who := t.people[p.text.To]
	born := who.born
	if p.what == forwards || rng.Float64() < shareMistaken {
		born = born.AddDate(-1-rng.IntN(9), rng.IntN(12), rng.IntN(27))
	}
	a := url.Values{
		"danger":           {"no"},
		"for_other":        {"no"},
		"reasons":          some(rng, reasons, 1+rng.IntN(3)),
		"words":            {pick(rng, wishes)},
		"channel":          {pick(rng, []string{"call", "call", "call", "text", "visit"})},
		"when":             {pick(rng, times)},
		"days":             some(rng, weekdays, 2+rng.IntN(4)),
		"call_safe":        {"yes"},
		"text_safe":        {"yes"},
		"needs":            {""},
		"if_another":       {""},
		"phone":            {""},
		"agreed":           {"yes"},
		"language":         {pick(rng, form.Languages[:1])},
		"birth_date-day":   {strconv.Itoa(born.Day())},
		"birth_date-month": {strconv.Itoa(int(born.Month()))},
		"birth_date-year":  {strconv.Itoa(born.Year())},
	}
	if p.what == forwards { // a friend: another name and another telephone
		a.Set("name", pick(rng, givenFemale)+" "+pick(rng, families))
		a.Set("phone", fmt.Sprintf("07700 900%03d", rng.IntN(500)))
	}
	a.Set("message_safe", pick(rng, []string{"yes", "yes", "no"}))
	if rng.Float64() < shareDanger {
		a.Set("words", pick(rng, cries))
		a.Set("danger", pick(rng, []string{"no", "unsaid", "yes"}))
		t.inWords(a, p, who, func(s *tongue) []string { return s.cries })
	} else {
		t.inWords(a, p, who, func(s *tongue) []string { return s.wishes })
	}
	t.otherWays(a, p, who)
	return a
}

// inWords lets somebody write in their own language.
func (t *Town) inWords(a url.Values, p plan, who neighbour, what func(*tongue) []string) {
	if who.speaks == nil || who.speaks == &tongues[0] {
		return
	}
	rng := lots(t.cfg.Seed, "words", p.what, p.text.To)
	if own := what(who.speaks); len(own) > 0 && a.Get("words") != "" {
		a.Set("words", pick(rng, own))
	}
	a.Set("language", who.speaks.asked)
	if rng.Float64() < shareInterpreter {
		a.Set("support", "interpreter")
	}
}

// otherWays are those of people who want an e-mail, let their practice be told, or fill the form in for somebody else.
func (t *Town) otherWays(a url.Values, p plan, who neighbour) {
	rng := lots(t.cfg.Seed, "other ways", p.what, p.text.To)
	if rng.Float64() < shareEmail {
		a.Set("channel", "email")
		a.Set("email", fmt.Sprintf("resident%d@post.example", rng.IntN(1_000_000)))
	}
	if lots(t.cfg.Seed, "sharing", p.what, p.text.To).Float64() < shareTells {
		a.Set("tell", "practice")
	}
	if p.what == asks && rng.Float64() < shareHelped {
		a.Set("for_other", "yes")
		a.Set("name", who.given+" "+who.family)
		a.Set("helper", pick(rng, givenFemale)+" "+who.family)
		a.Set("helper_is", pick(rng, []string{"daughter", "neighbour", "carer"}))
		a.Set("helper_phone", fmt.Sprintf("07700 900%03d", 500+rng.IntN(500)))
	}
}

// some picks n different ones.
func some(rng *rand.Rand, from []string, n int) []string {
	var out []string
	for _, i := range rng.Perm(len(from))[:min(n, len(from))] {
		out = append(out, from[i])
	}
	return out
}
