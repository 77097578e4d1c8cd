package ui

import (
	"fmt"
	"html/template"
	"strings"
)

// Bars draws ranked numbers as inline SVG, once wide and once for phones. The page shows the same numbers in a table of its own.
type Bars struct {
	Title    string
	Sentence string
	Rows     []BarRow
}

// BarRow is one bar. Text is its number as it may be told; one without a number has no bar.
type BarRow struct {
	Words, Text string
	Value       float64
}

// maxBars is how many bars a picture holds: the rest is in the table.
const maxBars = 15

// Tiles draws places as tiles of one size, group by group in the order given: a map without a map. How dark a tile is and the number in it
// tell the same.
type Tiles struct {
	Title    string
	Sentence string
	Tiles    []Tile
}

// Tile is one place.
type Tile struct {
	Group, Words, Text string
	Value              float64
	Told               bool // Value is known
}

func (Bars) component() string  { return "bars" }
func (Tiles) component() string { return "tiles" }

// Wide and Narrow are for the template.
func (b Bars) Wide() template.HTML   { return b.svg(760) }
func (b Bars) Narrow() template.HTML { return b.svg(340) }

func begin(s *strings.Builder, width, height int, title, sentence string) {
	fmt.Fprintf(s, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s" focusable="false"><title>%s</title><desc>%s</desc>`, width, height, esc(title), esc(title), esc(sentence))
}

func (b Bars) svg(width int) template.HTML {
	rows := b.Rows[:min(len(b.Rows), maxBars)]
	if len(rows) == 0 {
		return ""
	}
	most := 1.0
	for _, r := range rows {
		most = max(most, r.Value)
	}
	const each = 44 // the words stand above the bar: so long ones have room
	var s strings.Builder
	begin(&s, width, each*len(rows), b.Title, b.Sentence)
	for i, r := range rows {
		y := each * i
		fmt.Fprintf(&s, `<text x="0" y="%d">%s: %s</text>`, y+14, esc(shorten(r.Words, (width-110)/8)), esc(r.Text))
		if r.Value > 0 {
			fmt.Fprintf(&s, `<rect class="wp-bar-1" x="1" y="%d" width="%.1f" height="14"/>`, y+21, max(2, float64(width-2)*r.Value/most))
		}
	}
	s.WriteString("</svg>")
	return template.HTML(s.String())
}

// shorten cuts words to so many letters.
func shorten(words string, letters int) string {
	r := []rune(words)
	if len(r) <= letters {
		return words
	}
	return strings.TrimSpace(string(r[:letters-1])) + "…"
}

// Wide and Narrow are for the template.
func (t Tiles) Wide() template.HTML   { return t.svg(760, 95) }
func (t Tiles) Narrow() template.HTML { return t.svg(340, 85) }

// shades are how dark a tile can be: the words on the darkest can still be read.
const shades = 4

func (t Tiles) svg(width, tile int) template.HTML {
	if len(t.Tiles) == 0 {
		return ""
	}
	most := 0.0
	for _, one := range t.Tiles {
		if one.Told {
			most = max(most, one.Value)
		}
	}
	const high, head = 58, 26
	var s strings.Builder
	x, y, group := 0, 0, ""
	for i, one := range t.Tiles {
		if i == 0 || one.Group != group {
			if i > 0 {
				y += high + 8
			}
			x, group = 0, one.Group
			fmt.Fprintf(&s, `<text x="0" y="%d" font-weight="700">%s</text>`, y+18, esc(group))
			y += head
		} else if x+tile > width {
			x, y = 0, y+high
		}
		fill := `fill="#ffffff"`
		if one.Told && one.Value > 0 && most > 0 {
			shade := min(shades, 1+int(one.Value/most*shades*.999))
			fill = fmt.Sprintf(`fill="#005eb8" fill-opacity="%.2f"`, .1*float64(shade))
		}
		fmt.Fprintf(&s, `<rect x="%d" y="%d" width="%d" height="%d" %s stroke="#4c6272"/>`, x+1, y+1, tile-4, high-4, fill)
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="middle">%s</text>`, x+tile/2-1, y+23, esc(shorten(one.Words, tile/9)))
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="middle" font-weight="700">%s</text>`, x+tile/2-1, y+43, esc(one.Text))
		x += tile
	}
	var whole strings.Builder
	begin(&whole, width, y+high, t.Title, t.Sentence)
	return template.HTML(whole.String() + s.String() + "</svg>")
}
