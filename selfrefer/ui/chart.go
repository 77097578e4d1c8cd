package ui

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"
)

// SeriesKind is how a series is drawn. Areas and bars lie behind lines.
type SeriesKind int

const (
	Line SeriesKind = iota
	Area
	Bar
)

// Point is a value at a time; the time's location is the one that is shown. NaN leaves a gap.
type Point struct {
	At    time.Time
	Value float64
}

// Series is one line, area or row of bars.
type Series struct {
	Name   string
	Kind   SeriesKind
	Points []Point // by time
	// Bands, if given, say for each point between which values it lies, and BandIs what that means: "eight times in ten".
	Bands  []Range
	BandIs string
}

// Range is from a low value to a high one.
type Range struct{ Low, High float64 }

// banded reports whether every point has its band.
func (s Series) banded() bool { return len(s.Bands) > 0 && len(s.Bands) == len(s.Points) }

// Chart draws series over time as inline SVG, once wide and once for phones (text in a scaled picture would
// shrink), with the same numbers as a table. Sentence says what the reader should see in it; it comes first.
type Chart struct {
	Title    string
	Sentence string
	Unit     string // of the axis: "texts a day"
	Series   []Series
	Limit    float64 // a dashed line across; 0: none
	LimitIs  string  // its name: "Capacity"
}

// maxSeries is how many looks the style sheet has.
const maxSeries = 5

// box is one drawing: its size, and the room that the axes take.
type box struct{ w, h, left, right, top, bottom float64 }

func (b box) inner() (w, h float64) { return b.w - b.left - b.right, b.h - b.top - b.bottom }

// Wide and Narrow are for the template.
func (c Chart) Wide() template.HTML { return c.svg(box{760, 320, 56, 16, 24, 32}, 6) }

func (c Chart) Narrow() template.HTML { return c.svg(box{340, 260, 48, 8, 24, 32}, 3) }

// Shown are the series that have a look of their own. A chart with more should be two charts.
func (c Chart) Shown() []Series { return c.Series[:min(len(c.Series), maxSeries)] }

func (c Chart) svg(b box, ticks int) template.HTML {
	from, to, top, ok := c.extent()
	if !ok {
		return ""
	}
	w, h := b.inner()
	pad := c.barWidth(w, to.Sub(from)) / 2 // the first and last bars must not stand on the axes
	x := func(t time.Time) float64 {
		return b.left + pad + (w-2*pad)*float64(t.Sub(from))/float64(max(to.Sub(from), 1))
	}
	step := niceStep(top / 4)
	top = math.Ceil(top/step) * step
	y := func(v float64) float64 { return b.top + h*(1-v/top) }

	var s strings.Builder
	// One picture for a screen reader: the numbers are in the table.
	fmt.Fprintf(&s, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s" focusable="false"><title>%s</title><desc>%s</desc>`,
		b.w, b.h, esc(c.Title), esc(c.Title), esc(c.Sentence))
	for v := 0.0; v <= top+step/2; v += step {
		fmt.Fprintf(&s, `<line class="wp-chart__grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, b.left, b.left+w, y(v), y(v))
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, b.left-6, y(v)+5, number(trim(v)))
	}
	fmt.Fprintf(&s, `<text x="0" y="12">%s</text>`, esc(c.Unit))
	layout := c.timeLayout(from, to)
	times := c.times()
	every := (len(times) + ticks - 2) / max(ticks-1, 1) // the same number of points apart, or days seem to be missing
	for i := 0; i < len(times); i += max(every, 1) {    // each stands under a point: a label between two days would name neither
		label := times[i].Format(layout)
		anchor, half := "middle", 4.5*float64(len(label))
		if x(times[i])+half > b.w {
			anchor = "end"
		}
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x(times[i]), b.h-8, anchor, label)
	}
	for _, kind := range []SeriesKind{Area, Bar, Line} { // back to front
		for i, series := range c.Shown() {
			if series.Kind == kind {
				drawSeries(&s, series, i+1, x, y, 2*pad)
			}
		}
	}
	if c.Limit > 0 {
		fmt.Fprintf(&s, `<line class="wp-chart__limit" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, b.left, b.left+w, y(c.Limit), y(c.Limit))
	}
	s.WriteString("</svg>")
	return template.HTML(s.String())
}

func drawSeries(s *strings.Builder, series Series, look int, x func(time.Time) float64, y func(float64) float64, width float64) {
	if series.Kind == Bar {
		for _, p := range series.Points {
			if math.IsNaN(p.Value) {
				continue
			}
			fmt.Fprintf(s, `<rect class="wp-bar-%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
				look, x(p.At)-width/2, y(p.Value), width, y(0)-y(p.Value))
		}
		return
	}
	if series.banded() {
		drawBand(s, series, look, x, y)
	}
	for _, run := range runs(series.Points) {
		var path strings.Builder
		for i, p := range run {
			fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[i == 0], x(p.At), y(p.Value))
		}
		if len(run) == 1 { // a line without length, which nobody sees: draw a short one
			path.Reset()
			fmt.Fprintf(&path, "M%.1f %.1fh12", x(run[0].At)-6, y(run[0].Value))
		}
		if series.Kind == Area {
			fmt.Fprintf(s, `<path class="wp-area-%d" d="%sL%.1f %.1fL%.1f %.1fZ"/>`, look, path.String(), x(run[len(run)-1].At), y(0), x(run[0].At), y(0))
		}
		fmt.Fprintf(s, `<path class="wp-series-%d" d="%s"/>`, look, path.String())
	}
}

// drawBand fills what lies between the bands' edges, and draws the edges: in grey a pale area alone is lost.
func drawBand(s *strings.Builder, series Series, look int, x func(time.Time) float64, y func(float64) float64) {
	var high, back strings.Builder
	for i, b := range series.Bands {
		fmt.Fprintf(&high, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[i == 0], x(series.Points[i].At), y(b.High))
	}
	for i := len(series.Bands) - 1; i >= 0; i-- {
		fmt.Fprintf(&back, "L%.1f %.1f", x(series.Points[i].At), y(series.Bands[i].Low))
	}
	fmt.Fprintf(s, `<path class="wp-bar-%d" d="%s%sZ"/>`, look, high.String(), back.String())
}

// barWidth leaves three tenths of the room between bars, as close as the two closest stand among all that the picture spans; 0 when there are no
// bars. A few bars are no walls.
func (c Chart) barWidth(room float64, span time.Duration) float64 {
	bars, closest := false, time.Duration(0)
	for _, series := range c.Shown() {
		if series.Kind != Bar || len(series.Points) == 0 {
			continue
		}
		bars = true
		for i := 1; i < len(series.Points); i++ {
			if d := series.Points[i].At.Sub(series.Points[i-1].At); d > 0 && (closest == 0 || d < closest) {
				closest = d
			}
		}
	}
	if !bars {
		return 0
	}
	if closest == 0 { // a single one
		closest = 24 * time.Hour
	}
	const of = .7
	width := of * room * float64(closest) / (float64(span) + of*float64(closest)) // the first and the last stick out by half of it
	return min(max(width, 1), room/8)
}

// runs cuts the points at gaps.
func runs(points []Point) [][]Point {
	var out [][]Point
	start := 0
	for i := 0; i <= len(points); i++ {
		if i == len(points) || math.IsNaN(points[i].Value) {
			if i > start {
				out = append(out, points[start:i])
			}
			start = i + 1
		}
	}
	return out
}

// extent is the time span and the highest value; not ok when there is nothing to draw.
func (c Chart) extent() (from, to time.Time, top float64, ok bool) {
	top = c.Limit
	for _, series := range c.Shown() {
		for i, p := range series.Points {
			if series.banded() && series.Bands[i].High > top {
				top = series.Bands[i].High
			}
			if !ok || p.At.Before(from) {
				from = p.At
			}
			if !ok || p.At.After(to) {
				to = p.At
			}
			ok = true
			if p.Value > top { // false for NaN
				top = p.Value
			}
		}
	}
	return from, to, math.Max(top, 1), ok
}

// niceStep rounds up to 1, 2 or 5 times a power of ten, and to whole numbers: half a text is no mark to have.
func niceStep(v float64) float64 {
	if v <= 1 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}

func (c Chart) timeLayout(from, to time.Time) string {
	switch span := to.Sub(from); {
	case span > 36*time.Hour, c.daily() && from.Format("15:04") == "00:00": // one day alone is a day, not the hour 00:00
		return "2 Jan"
	case from.YearDay() != to.YearDay():
		return "2 Jan 15:04"
	}
	return "15:04"
}

// times are the instants of all points, in order.
func (c Chart) times() (times []time.Time) {
	for _, series := range c.Shown() {
		for _, p := range series.Points {
			times = append(times, p.At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// Data is the table under the chart: a row for each time, a column for each series.
func (c Chart) Data() Table {
	from, to, _, _ := c.extent()
	layout := c.timeLayout(from, to)
	if layout == "2 Jan" && !c.daily() {
		layout = "2 Jan 15:04"
	}
	t := Table{Caption: c.Title, CaptionSize: "s", Head: []Cell{{Text: "Time"}}, RowHeaders: true, Compact: true}
	var values []map[int64]string // by column
	column := func(name string) map[int64]string {
		t.Head = append(t.Head, Cell{Text: name, Numeric: true})
		values = append(values, map[int64]string{})
		return values[len(values)-1]
	}
	for _, series := range c.Shown() {
		of := column(series.Name)
		for _, p := range series.Points {
			if !math.IsNaN(p.Value) {
				of[p.At.UnixNano()] = number(trim(p.Value))
			}
		}
		if series.banded() {
			of := column(series.BandIs)
			for i, p := range series.Points {
				of[p.At.UnixNano()] = number(trim(series.Bands[i].Low)) + " to " + number(trim(series.Bands[i].High))
			}
		}
	}
	for _, at := range c.times() {
		row := []Cell{{Text: at.Format(layout)}}
		for _, of := range values {
			row = append(row, Cell{Text: of[at.UnixNano()], Numeric: true})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// daily tells whether every point stands at the same time of day: then the table shows days only.
func (c Chart) daily() bool {
	seen := map[string]bool{}
	for _, series := range c.Shown() {
		for _, p := range series.Points {
			seen[p.At.Format("15:04")] = true
		}
	}
	return len(seen) <= 1
}

// trim writes at most one decimal.
func trim(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

func esc(s string) string { return template.HTMLEscapeString(s) }
