package main

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

	"github.com/wellpaced/wellpaced/throttle/sim"
)

//go:embed simulate.html
var simulateHTML string

var simulatePage = template.Must(template.New("simulate").Funcs(template.FuncMap{
	"name": func(p sim.Policy) string { return plainNames[p] },
}).Parse(simulateHTML))

// pageWorld is one world on the page.
type pageWorld struct {
	worldHead
	Title, File string
	Chart       template.HTML
	Rows        []sim.Row
}

// writePage writes the page with all charts in it, and each chart as a file.
func (r *simulateReport) writePage(dir string) error {
	page := struct {
		*simulateReport
		Summary template.HTML
		Head    []string
		Lines   [][]string
		Pages   []pageWorld
	}{simulateReport: r}
	page.Head, page.Lines = r.lines()
	write := func(name, picture string) (template.HTML, error) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(picture), 0o644); err != nil {
			return "", fmt.Errorf("write a chart: %w", err)
		}
		return template.HTML(picture), nil
	}
	var err error
	if page.Summary, err = write("summary.svg", summaryChart(r)); err != nil {
		return err
	}
	for _, w := range r.Worlds {
		one := pageWorld{worldHead: w, Title: worldTitle(w.Name), File: slug(w.Name) + ".svg"}
		var panels []panel
		for _, t := range r.Totals {
			row, _ := r.of(w.Name, t.Policy)
			one.Rows = append(one.Rows, row)
			panels = append(panels, newPanel(row.Shown))
		}
		if one.Chart, err = write(one.File, chart(w, r.First, panels)); err != nil {
			return err
		}
		page.Pages = append(page.Pages, one)
	}
	f, err := os.Create(filepath.Join(dir, "index.html"))
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := errors.Join(simulatePage.Execute(f, page), f.Close()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
