package browsertest

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Paper shows the page as it is printed.
func (p *Page) Paper() {
	p.tb.Helper()
	p.do("show it on paper", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return chromedp.Void{}, err
	})
}

// Shown is the visible text of the page, without what its styles hide.
func (p *Page) Shown() string {
	p.tb.Helper()
	return read(p, "read the page", chromedp.Evaluate[string](`document.body.innerText`))
}
