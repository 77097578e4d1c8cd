package ui

import (
	"strings"
	"testing"
)

func TestBars(t *testing.T) {
	b := Bars{Title: "Reasons <b>", Sentence: "Coping & more", Rows: []BarRow{{"Problems coping", "1,200 or more", 1200}, {strings.Repeat("long ", 30), "hidden", 0}, {"Half", "600", 600}}}
	for name, svg := range map[string]string{"wide": string(b.Wide()), "narrow": string(b.Narrow())} {
		for _, want := range []string{`role="img" aria-label="Reasons &lt;b&gt;"`, "<desc>Coping &amp; more</desc>", "Problems coping: 1,200 or more", "…: hidden"} {
			if !strings.Contains(svg, want) {
				t.Errorf("%s: no %q in %s", name, want, svg)
			}
		}
		if n := strings.Count(svg, "<rect"); n != 2 {
			t.Errorf("%s: %d bars, want 2: what is hidden has none", name, n)
		}
	}
	if svg := string(b.Wide()); !strings.Contains(svg, `width="758.0"`) || !strings.Contains(svg, `width="379.0"`) {
		t.Errorf("half of the most is not half as long: %s", svg)
	}
	for range 2 * maxBars {
		b.Rows = append(b.Rows, BarRow{"More", "1", 1})
	}
	if n := strings.Count(string(b.Narrow()), "<text"); n != maxBars {
		t.Errorf("%d bars, want %d", n, maxBars)
	}
	if (Bars{Title: "Nothing"}).Wide() != "" {
		t.Error("a picture of nothing")
	}
}

func TestTiles(t *testing.T) {
	m := Tiles{Title: "Street by street", Sentence: "Each tile is a sector."}
	for _, s := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		m.Tiles = append(m.Tiles, Tile{Group: "L36", Words: "L36 " + s, Text: s + ".0", Value: float64(s[0] - '0'), Told: true})
	}
	m.Tiles = append(m.Tiles, Tile{Group: "L37", Words: "L37 1", Text: "hidden", Value: 99})
	svg := string(m.Wide())
	for _, want := range []string{">L36<", ">L37<", ">L36 9<", ">9.0<", ">hidden<", `fill-opacity="0.40"`, `fill-opacity="0.10"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in %s", want, svg)
		}
	}
	if n := strings.Count(svg, `fill-opacity="0.40"`); n != 3 { // 7, 8 and 9: a hidden number shades nothing, itself included
		t.Errorf("%d tiles are the darkest, want 3", n)
	}
	if n := strings.Count(svg, `fill="#ffffff"`); n != 1 {
		t.Errorf("%d tiles are white, want the hidden one", n)
	}
	// Eight to a row when wide, four on a phone: the picture grows.
	if !strings.HasPrefix(svg, `<svg viewBox="0 0 760 234"`) || !strings.HasPrefix(string(m.Narrow()), `<svg viewBox="0 0 340 292"`) {
		t.Errorf("%.40s, %.40s", svg, m.Narrow())
	}
}
