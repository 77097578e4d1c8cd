// Package ui turns a screen's data into a page.
//
// A page is a layout (header, back link, error summary, main, footer) around the template of one screen.
// Packages with screens embed their templates and hand them to Parse; a template is what stands inside
// <main>, named after its file:
//
//	//go:embed *.html
//	var screens embed.FS
//	err := renderer.Parse(screens, "*.html")
//	renderer.Render(w, r, 200, "queue", ui.Page{Kind: ui.Desk, Title: "Queue", Data: data})
//
// Inside, dot is the Page. Content is chosen in Go and drawn by components that mirror the macros of
// nhsuk-frontend, and are tested against the HTML which that package publishes:
//
//	{{.Field .Data.Birth}}                      a form control; its error comes from Page.Errors
//	{{render .Data.Table}}                      SummaryList, Table, Pagination, Button, Tag, Chart
//	{{button "Continue"}} {{tag "Urgent" "red"}}
//	{{care "emergency" "Call 999 if:"}}<p>…</p>{{endCare}}    also inset, details, panel, banner
//
// Every page works without scripts, and reads well without the built styles: base.css is always embedded.
// The styles and scripts come from `make assets` (see web/), carry a hash in their names and are cached for
// ever; pages are never stored. Patients' pages get no htmx. A desk that polls asks for its own page again:
// hx-get="…" hx-trigger="every 15s" hx-select="#live" hx-target="#live" hx-swap="outerHTML".
//
// The content security policy has no exceptions: no style attribute, no inline script, nothing from elsewhere.
package ui
