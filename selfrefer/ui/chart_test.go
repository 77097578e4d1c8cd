package ui

import (
	"flag"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

func at(hour, minute int) time.Time { return time.Date(2026, 3, 2, hour, minute, 0, 0, time.UTC) }

func sampleChart() Chart {
	c := Chart{Title: "Texts and answers", Sentence: "Texts slowed when the queue reached what the team can answer.", Unit: "a day", Limit: 60, LimitIs: "Capacity",
		Series: []Series{{Name: "Texts", Kind: Bar}, {Name: "Queue", Kind: Area}, {Name: "Answers"}}}
	for i := range 14 {
		day := at(0, 0).AddDate(0, 0, i)
		c.Series[0].Points = append(c.Series[0].Points, Point{day, float64(120 - 6*i)})
		c.Series[1].Points = append(c.Series[1].Points, Point{day, 30 + 25*math.Sin(float64(i)/3)})
		answers := float64(10 + i%5*8)
		if i == 6 {
			answers = math.NaN()
		}
		c.Series[2].Points = append(c.Series[2].Points, Point{day, answers})
	}
	return c
}

func TestChart_golden(t *testing.T) {
	html, err := render(sampleChart())
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(html), "><", ">\n<")
	const golden = "testdata/chart.golden.html"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the chart changed; look at it, then run go test -run Chart -update\n%s", got)
	}
}

func TestChart_edges(t *testing.T) {
	one := Chart{Title: "One", Series: []Series{{Name: "A", Points: []Point{{at(9, 0), 0}}}, {Name: "B", Kind: Bar, Points: []Point{{at(9, 0), math.NaN()}}}}}
	for name, c := range map[string]Chart{"empty": {Title: "None"}, "one zero point": one, "only gaps": {Series: []Series{{Points: []Point{{at(1, 0), math.NaN()}}}}}} {
		html, err := render(c)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(html), "NaN") || strings.Contains(string(html), "Inf") {
			t.Errorf("%s: not a number in\n%s", name, html)
		}
		if name == "empty" && !strings.Contains(string(html), "Nothing to show yet") {
			t.Errorf("an empty chart does not say so:\n%s", html)
		}
	}
	many := Chart{Series: make([]Series, 9)}
	if len(many.Shown()) != maxSeries {
		t.Errorf("%d series shown, want %d: the style sheet has no more looks", len(many.Shown()), maxSeries)
	}
	table := sampleChart().Data()
	if len(table.Rows) != 14 || table.Rows[6][3].Text != "" || table.Rows[0][1].Text != "120" || table.Rows[0][0].Text != "2 Mar" {
		t.Errorf("table does not hold the numbers: %v", table.Rows)
	}
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.2: 2, 3: 5, 7: 10, 31: 50, 12000: 20000} {
		if got := niceStep(v); got != want {
			t.Errorf("niceStep(%g) = %g, want %g", v, got, want)
		}
	}
}

// A band is drawn behind its line, counts for the height of the axis, and stands in the table in words.
func TestChart_band(t *testing.T) {
	c := Chart{Title: "Ahead", Series: []Series{{Name: "Waiting", BandIs: "Eight times in ten", Points: []Point{{at(9, 0), 4}, {at(12, 0), 6}}, Bands: []Range{{2, 9}, {1, 38}}}, {Name: "Calls", Points: []Point{{at(9, 0), 12}}}}}
	rendered, err := render(c)
	if err != nil {
		t.Fatal(err)
	}
	page := string(rendered)
	band, line := strings.Index(page, `<path class="wp-bar-1" d="M`), strings.Index(page, `<path class="wp-series-1" d="M`)
	if band < 0 || line < band || !strings.Contains(page, ">Eight times in ten</li>") || !strings.Contains(page, `text-anchor="end">40</text>`) {
		t.Errorf("no band behind the line, no legend, or an axis that is too short:\n%s", page)
	}
	table := c.Data()
	if len(table.Head) != 4 || table.Head[2].Text != "Eight times in ten" || table.Rows[1][2].Text != "1 to 38" || table.Rows[1][3].Text != "" || table.Rows[0][3].Text != "12" {
		t.Errorf("table %+v", table)
	}
	c.Series[0].Bands = c.Series[0].Bands[:1] // one too few: none
	if rendered, err = render(c); err != nil || strings.Contains(string(rendered), `class="wp-bar-1" d=`) || len(c.Data().Head) != 3 {
		t.Errorf("a band that does not fit its line is drawn: %v", err)
	}
}

// Bars stand side by side, however far the other lines of the picture go.
func TestChart_barsApart(t *testing.T) {
	for name, ahead := range map[string]int{"alone": 3, "with a forecast": 40} {
		texts, queue := Series{Name: "Texts", Kind: Bar}, Series{Name: "Waiting"}
		for day := range ahead + 1 {
			if day < 4 {
				texts.Points = append(texts.Points, Point{at(24*day, 0), 10})
			}
			queue.Points = append(queue.Points, Point{at(24*day, 0), 3})
		}
		html, err := render(Chart{Title: "A campaign", Series: []Series{texts, queue}})
		if err != nil {
			t.Fatal(err)
		}
		wide, _, _ := strings.Cut(string(html), "</svg>")
		end := 0.0
		bars := regexp.MustCompile(`<rect class="wp-bar-1" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"`).FindAllStringSubmatch(wide, -1)
		for i, bar := range bars {
			x, _ := strconv.ParseFloat(bar[1], 64)
			width, _ := strconv.ParseFloat(bar[2], 64)
			if width < 5 || i > 0 && (x < end+1 || x > end+15*width) {
				t.Errorf("%s: bar %d goes from %g, %g wide, after one that ends at %g", name, i, x, width, end)
			}
			end = x + width
		}
		if len(bars) != 4 {
			t.Errorf("%s: %d bars", name, len(bars))
		}
	}
}

func TestChart_firstDay(t *testing.T) {
	day := []Point{{at(0, 0), 17}}
	html, err := render(Chart{Title: "People by day", Series: []Series{{Name: "Asked", Kind: Bar, Points: day}, {Name: "Waiting", Points: day}}})
	if err != nil {
		t.Fatal(err)
	}
	got := string(html)
	if strings.Contains(got, "00:00") || !strings.Contains(got, "2 Mar") {
		t.Errorf("a single day is called by its hour, not its date:\n%s", got)
	}
	if !strings.Contains(got, "h12") {
		t.Errorf("a line of one point is invisible:\n%s", got)
	}
}
