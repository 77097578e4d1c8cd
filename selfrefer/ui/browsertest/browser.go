// Package browsertest shows pages to a real browser: Debian's Chromium, without a window.
//
// It hides chromedp, whose interface moves, behind the few things that our tests of pages ask: go there, fill
// in, press, read, take a picture, and have axe-core look for what shuts people out. Anything that goes wrong
// fails the test. Where Chromium or axe-core is missing a test is skipped, but fails when CI=true.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// actionLimit is how long one step may take; a busy machine starts pages slowly.
const actionLimit = 30 * time.Second

// Browser is a running Chromium with a profile of its own. It ends with the test.
type Browser struct {
	tb  testing.TB
	ctx context.Context
}

// Open starts Chromium. Tests that look at many pages share one.
func Open(tb testing.TB) *Browser {
	tb.Helper()
	if testing.Short() {
		tb.Skip("no browser in a short run")
	}
	bin := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			bin = p
			break
		}
	}
	if bin == "" {
		missing(tb, "Chromium is not installed: run .ci/deps")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin),
		chromedp.NoSandbox, // root in a container has none
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("force-prefers-reduced-motion", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for its end, so that no process outlives the test
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("start Chromium: %v", err)
	}
	return &Browser{tb, ctx}
}

// In makes failures those of a subtest.
func (b *Browser) In(tb testing.TB) *Browser { return &Browser{tb, b.ctx} }

func missing(tb testing.TB, sentence string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(sentence)
	}
	tb.Skip(sentence)
}

// Page is one tab with cookies of its own, 1280 x 900 at first.
type Page struct {
	tb    testing.TB
	ctx   context.Context
	width int

	mu      sync.Mutex
	errs    []consoleError
	visited map[string]bool
	traffic Traffic
}

// Traffic is what came over the line: not what the browser still had.
type Traffic struct {
	Bytes    int // with headers
	Requests int
}

type consoleError struct {
	text, url string
	network   bool
}

// Page opens a tab, as a person who has never been here.
func (b *Browser) Page() *Page {
	b.tb.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.tb.Cleanup(cancel)
	p := &Page{tb: b.tb, ctx: ctx, visited: map[string]bool{}}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		b.tb.Fatalf("open a tab: %v", err)
	}
	p.desk()
	return p
}

const deskWidth = 1280

// desk is the size that a tab has at first.
func (p *Page) desk() {
	p.tb.Helper()
	p.width = deskWidth
	p.do("become a desk", chromedp.EmulateViewport(deskWidth, 900))
}

func (p *Page) listen(event any) {
	var e consoleError
	switch ev := event.(type) {
	case *runtime.EventExceptionThrown:
		e.text = ev.ExceptionDetails.Text
		if x := ev.ExceptionDetails.Exception; x != nil {
			e.text += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if ev.Type != "error" {
			return
		}
		e.text = "console.error"
		for _, a := range ev.Args {
			e.text += " " + a.Description + string(a.Value)
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level != log.EntryLevelError {
			return
		}
		e = consoleError{ev.Entry.Text, ev.Entry.URL, ev.Entry.Source == "network"}
	case *network.EventLoadingFinished:
		if ev.EncodedDataLength > 0 {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.traffic.Bytes += int(ev.EncodedDataLength)
			p.traffic.Requests++
		}
		return
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, e)
}

func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actionLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.tb.Fatalf("%s: %v", what, err)
	}
}

func run[T any](p *Page, what string, a chromedp.Action[T]) T {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actionLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.tb.Fatalf("%s: %v", what, err)
	}
	return v
}

// read is run for what changes nothing: a page that is just giving way to the next one is read again.
func read[T any](p *Page, what string, a chromedp.Action[T]) T {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actionLimit)
	defer cancel()
	for {
		v, err := chromedp.Run(ctx, a)
		if err != nil && ctx.Err() == nil && givesWay(err) {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if err != nil {
			p.tb.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// givesWay tells by the browser's words that a page went while it was asked something.
func givesWay(err error) bool {
	for _, words := range []string{"Cannot find context", "context was destroyed", "navigated or closed", "Could not find node", "does not belong to the document", "No node with given id"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// Phone makes the tab a small phone: 320 x 640, touch.
func (p *Page) Phone() {
	p.tb.Helper()
	p.width = 320
	p.do("become a phone", chromedp.EmulateViewport(320, 640, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2)))
}

// LargeText doubles the size of all letters on the page that is shown, as somebody does who sees badly.
func (p *Page) LargeText() {
	p.tb.Helper()
	p.width = 640
	p.do("double the text", chromedp.EmulateViewport(640, 900), chromedp.Evaluate[chromedp.Void](`document.documentElement.style.fontSize = '200%'`))
}

// Throttle makes the line slow: kilobits a second both ways, and a delay before each answer.
func (p *Page) Throttle(kbits int, delay time.Duration) {
	p.tb.Helper()
	p.do("slow the line", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		bytes := float64(kbits) * 1000 / 8
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Latency: float64(delay.Milliseconds()), DownloadThroughput: bytes, UploadThroughput: bytes}}})
		return chromedp.Void{}, err
	})
}

// Accept says which languages the browser likes, from the next page on.
func (p *Page) Accept(languages string) {
	p.tb.Helper()
	p.do("set the languages", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": languages}})
		return chromedp.Void{}, err
	})
}

// Traffic tells what came over the line since it was last asked.
func (p *Page) Traffic() Traffic {
	p.tb.Helper()
	p.URL() // events come before the answer to a later question
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.traffic
	p.traffic = Traffic{}
	return t
}

// NoScripts switches the page's own scripts off, from the next Goto on.
func (p *Page) NoScripts() {
	p.tb.Helper()
	p.do("switch scripts off", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
}

// Authenticator gives the tab a device that keeps passkeys, as a phone or a laptop does, and whose owner is there at once. With verify it
// makes sure that it is the owner (a finger, a face); verifies changes that later.
func (p *Page) Authenticator(verify bool) (verifies func(bool)) {
	p.tb.Helper()
	var id webauthn.AuthenticatorID
	p.do("plug in an authenticator", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return chromedp.Void{}, err
		}
		made, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
			AutomaticPresenceSimulation: true, IsUserVerified: verify}})
		id = made.AuthenticatorID
		return chromedp.Void{}, err
	})
	return func(verify bool) {
		p.tb.Helper()
		p.do("change an authenticator", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
			_, err := cdp.Call(ctx, t, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: id, IsUserVerified: verify})
			return chromedp.Void{}, err
		})
	}
}

// Goto opens the address and returns the HTTP status.
func (p *Page) Goto(url string) int {
	p.tb.Helper()
	return p.load("go to "+url, chromedp.Navigate(url))
}

// Follow presses a link or a button that leads to a page, waits for it and returns its HTTP status.
func (p *Page) Follow(css string) int {
	p.tb.Helper()
	return p.load("follow "+css, chromedp.Click(chromedp.CSS(css)))
}

func (p *Page) load(what string, step chromedp.Action[chromedp.Void]) int {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actionLimit)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		p.tb.Fatalf("%s: %v", what, err)
	}
	if response == nil {
		p.tb.Fatalf("%s: no page came", what)
	}
	p.mu.Lock()
	p.visited[response.URL] = true
	p.mu.Unlock()
	return int(response.Status)
}

// Click presses what stays on its page. For links and submit buttons use Follow.
func (p *Page) Click(css string) {
	p.tb.Helper()
	p.do("click "+css, chromedp.Click(chromedp.CSS(css)))
}

// Fill replaces what stands in an input.
func (p *Page) Fill(css, value string) {
	p.tb.Helper()
	p.do("fill in "+css, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).value = ''`, css)), chromedp.SendKeys(chromedp.CSS(css), value))
}

// Press sends one key to whatever has the focus: "Tab", "Enter", "Escape", or a character.
func (p *Page) Press(key string) {
	p.tb.Helper()
	keys, ok := map[string]string{"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Space": " ", "Down": kb.ArrowDown}[key]
	if !ok {
		keys = key
	}
	p.do("press "+key, chromedp.KeyEvent(keys))
}

// FollowKey sends one key that leads to another page, waits for it and returns its HTTP status.
func (p *Page) FollowKey(key string) int {
	p.tb.Helper()
	return p.load("press "+key, chromedp.KeyEvent(map[string]string{"Enter": kb.Enter, "Space": " "}[key]))
}

// Text is what a person reads in the first element that matches; it waits for it.
func (p *Page) Text(css string) string {
	p.tb.Helper()
	return read(p, "read "+css, chromedp.Text(chromedp.CSS(css)))
}

// HTML is the document as it stands now.
func (p *Page) HTML() string {
	p.tb.Helper()
	return read(p, "read the document", chromedp.OuterHTML(chromedp.CSS("html")))
}

// URL is where the tab is.
func (p *Page) URL() string {
	p.tb.Helper()
	return read(p, "read the address", chromedp.Location())
}

// Focused describes the element that has the focus: "a#id.class".
func (p *Page) Focused() string {
	p.tb.Helper()
	return read(p, "find the focus", chromedp.Evaluate[string](
		`(e => e.localName + (e.id ? '#' + e.id : '') + (e.className ? '.' + e.className.split(' ')[0] : ''))(document.activeElement)`))
}

// FocusedWords is what somebody hears of the element that has the focus: its label, or what stands in it.
func (p *Page) FocusedWords() string {
	p.tb.Helper()
	return read(p, "read what has the focus", chromedp.Evaluate[string](
		`(e => (e.ariaLabel || (e.labels && e.labels.length ? e.labels[0].innerText : e.innerText) || '').trim().replace(/\s+/g, ' '))(document.activeElement)`))
}

// Wider tells by how many pixels the page is wider than the window: more than 0 means sideways scrolling.
func (p *Page) Wider() int {
	p.tb.Helper()
	// Not innerWidth: a phone zooms out until everything fits, and that grows with it.
	return read(p, "measure the page", chromedp.Evaluate[int](`document.documentElement.scrollWidth`)) - p.width
}

// Screenshot writes the whole page as PNG.
func (p *Page) Screenshot(path string) {
	p.tb.Helper()
	png := run(p, "take a picture", chromedp.FullScreenshot(100))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.tb.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		p.tb.Fatal(err)
	}
}

// ConsoleErrors are the uncaught exceptions, broken requests and breaches of the content security policy so far.
// The status of a page itself is not among them: a form with mistakes in it answers 422 on purpose.
func (p *Page) ConsoleErrors() []string {
	p.tb.Helper()
	p.URL() // events come before the answer to a later question
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, e := range p.errs {
		// The browser asks for an icon by itself where an answer is no page of ours, as after a download.
		if !e.network || !p.visited[e.url] && !strings.HasSuffix(e.url, "/favicon.ico") {
			out = append(out, strings.TrimSpace(e.text+" "+e.url))
		}
	}
	return out
}

// Violation is something that shuts people out, as axe-core tells it.
type Violation struct {
	ID, Impact, Help string
	Nodes            []node
}

type node struct{ HTML, FailureSummary string }

func (v Violation) String() string {
	s := fmt.Sprintf("%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, n := range v.Nodes {
		s += "\n  " + n.HTML + "\n    " + strings.ReplaceAll(n.FailureSummary, "\n", "\n    ")
	}
	return s
}

// Axe checks the page against WCAG 2.2 AA and the usual good practice.
func (p *Page) Axe() []Violation {
	p.tb.Helper()
	src, err := os.ReadFile(filepath.Join(moduleRoot(p.tb), "selfrefer/ui/web/node_modules/axe-core/axe.min.js"))
	if errors.Is(err, fs.ErrNotExist) {
		missing(p.tb, "axe-core is not installed: run make assets")
	}
	if err != nil {
		p.tb.Fatal(err)
	}
	if !run(p, "look for axe-core", chromedp.Evaluate[bool](`!!window.axe`)) {
		p.do("load axe-core", chromedp.Evaluate[chromedp.Void](string(src)))
	}
	type result struct{ Violations []Violation }
	found := run(p, "run axe-core", chromedp.Evaluate[result](`axe.run(document, {resultTypes: ['violations'], preload: false,
		runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => ({
			Violations: r.violations.map(v => ({ID: v.id, Impact: v.impact || '', Help: v.help,
				Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary || ''}))}))}))`, chromedp.EvalAwaitPromise)).Violations
	return slices.DeleteFunc(found, func(v Violation) bool {
		return v.ID == "aria-allowed-attr" && !slices.ContainsFunc(v.Nodes, func(n node) bool { return !revealing.MatchString(n.HTML) })
	})
}

// revealing matches a radio or checkbox that shows more fields. nhsuk-frontend puts aria-expanded on it, against
// the letter of ARIA and on purpose: screen readers do announce it. This is the one finding that is passed over.
var revealing = regexp.MustCompile(`^<input class="nhsuk-(radios|checkboxes)__input"[^>]* aria-controls="[^"]+" aria-expanded="(true|false)"[^>]*>$`)

// CheckPage is what every page must pass, on a desk and on a phone: axe-core finds nothing, nothing scrolls
// sideways, the console stays empty. It leaves the tab as a phone. Pictures go to WELLPACED_SHOTS if that is
// set: name-wide.png and name-phone.png.
func (p *Page) CheckPage(url, name string) {
	p.tb.Helper()
	if p.width != deskWidth {
		p.desk()
	}
	p.Goto(url)
	p.CheckWide(name)
	p.Phone()
	p.Goto(url)
	p.check(name, "phone")
}

// CheckWide checks the page that is shown, on a desk.
func (p *Page) CheckWide(name string) { p.tb.Helper(); p.check(name, "wide") }

// CheckSmall checks the page that is shown as those see it who have most need of it: on a phone of 320 pixels, and with letters of twice
// the size. The tab must be a phone, and is left as one.
func (p *Page) CheckSmall(name string) {
	p.tb.Helper()
	p.check(name, "phone")
	p.LargeText()
	p.check(name, "large")
	p.Phone()
}

func (p *Page) check(name, size string) {
	p.tb.Helper()
	if dir := os.Getenv("WELLPACED_SHOTS"); dir != "" {
		p.Screenshot(filepath.Join(dir, name+"-"+size+".png"))
	}
	for _, v := range p.Axe() {
		p.tb.Errorf("%s, %s: %s", name, size, v)
	}
	if wider := p.Wider(); wider > 0 {
		p.tb.Errorf("%s, %s: scrolls sideways by %d pixels", name, size, wider)
	}
	for _, e := range p.ConsoleErrors() {
		p.tb.Errorf("%s, %s: console: %s", name, size, e)
	}
}

func moduleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			err = errors.New("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatalf("find the module: %v", err)
	return ""
}
