package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/wellpaced/wellpaced/throttle/sim"
)

// The charts of wellpaced simulate are pictures for slides: each stands alone as an SVG file, 16 by 9 or less, without a style sheet.
// Colours are of the Okabe-Ito set, and differ in lightness and pattern too, so that they survive greyscale.
const (
	inkText  = "#1a1a1a"
	inkFaint = "#6b6b6b"
	inkGrid  = "#d9d9d9"
	inkQueue = "#56b4e9" // light: the queue that can be cleared
	inkOver  = "#a83f00" // dark and hatched: what is beyond it
	inkTexts = "#4d4d4d"
)

// plainNames are the policies in words for people who do not know their names.
var plainNames = map[sim.Policy]string{
	sim.Blast: "Everything at once", sim.Fixed: "The same number each day", sim.AIMD: "More while the queue is short",
	sim.Token: "By the answers so far", sim.Oracle: "Bold oracle", sim.Honest: "Careful oracle", sim.Pacer: "Wellpaced",
	sim.Learner: "Careful oracle that has to learn", sim.Holder: "Careful oracle that stops", sim.Guard: "Careful oracle with a reserve",
}

// svg collects a picture.
type svg struct{ strings.Builder }

func (s *svg) put(format string, args ...any) { fmt.Fprintf(s, format, args...); s.WriteByte('\n') }

// write puts words at a place. Style is more attributes.
func (s *svg) write(x, y, size float64, style, words string) {
	s.put(`<text x="%.1f" y="%.1f" font-size="%g" %s>%s</text>`, x, y, size, style, html.EscapeString(words))
}

func (s *svg) open(w, h float64, id, title, text string) {
	s.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="Arial, Helvetica, sans-serif" fill="%s" role="img" aria-labelledby="%s-t %s-d">`, w, h, inkText, id, id)
	s.put(`<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, id, html.EscapeString(title), id, html.EscapeString(text))
	s.put(`<rect width="%g" height="%g" fill="#fff"/>`, w, h)
}

// bucket is a stretch of a run in a chart: the highest queue in it.
type bucket struct {
	day   float64 // working days since the launch
	queue int
}

// panel is one policy's run, made ready for drawing.
type panel struct {
	policy  sim.Policy
	run     sim.Result
	buckets []bucket
	clears  []float64 // by working day, mean
	texts   []int     // by working day
	end     float64   // working day from which nothing happens any more
	longest int
	most    int // texts in a day
}

const (
	bucketHours = 2.
	chartDays   = 130 // drawn at most
)

func newPanel(r sim.Result) panel {
	p := panel{policy: r.Policy, run: r, longest: r.PeakQueue}
	day, count, drained := -1, 0, -1.
	lastText := 0.
	for _, s := range r.Course.Steps {
		if s.Day != day {
			day, count = s.Day, 0
			p.clears, p.texts = append(p.clears, 0), append(p.texts, 0)
		}
		i := len(p.texts) - 1
		p.clears[i] = (p.clears[i]*float64(count) + s.Clears) / float64(count+1)
		count++
		p.texts[i] += s.Texts
		p.most = max(p.most, p.texts[i])
		at := s.Open / 8
		if n := len(p.buckets); n == 0 || at >= p.buckets[n-1].day+bucketHours/8-1e-9 {
			p.buckets = append(p.buckets, bucket{day: at})
		}
		b := &p.buckets[len(p.buckets)-1]
		b.queue = max(b.queue, s.Queue)
		switch {
		case s.Texts > 0:
			lastText, drained = at, -1
		case s.Queue == 0 && drained < 0:
			drained = at
		}
	}
	p.end = lastText + 2
	if drained > p.end {
		p.end = drained + 1
	}
	return p
}

// outcome is the panel in a sentence.
func (p *panel) outcome() string {
	r := &p.run
	late := "nobody called too late"
	if r.Late > 0 {
		late = fmt.Sprintf("%s of %s called too late", thousands(r.Late), thousands(r.Referrals))
	}
	days := fmt.Sprintf("%.0f working days", math.Max(1, math.Round(r.WorkingDays)))
	if days == "1 working days" {
		days = "1 working day"
	}
	if r.TextsLeft > 0 {
		days = "not finished"
	}
	return late + ", " + days
}

// axes are common to all panels of a chart.
type axes struct {
	days         float64
	queue, texts float64 // tops
}

func commonAxes(panels []panel) axes {
	var a axes
	var queues, texts []float64
	clears := 0.
	for _, p := range panels {
		a.days = max(a.days, p.end)
		queues, texts = append(queues, float64(p.longest)), append(texts, float64(p.most))
		for _, c := range p.clears[:min(len(p.clears), int(p.end)+1)] {
			clears = max(clears, c)
		}
	}
	a.days = math.Min(math.Ceil(a.days/5)*5, chartDays)
	// One policy that floods the team would flatten all the others: what is beyond the axis is cut off, and said.
	a.queue = niceTop(max(1.15*clears, min(highest(queues), 2*clears)))
	slices.Sort(texts)
	a.texts = niceTop(min(highest(texts), 2.5*texts[(len(texts)-1)/2]))
	return a
}

func highest(x []float64) float64 {
	most := 0.
	for _, v := range x {
		most = max(most, v)
	}
	return most
}

// niceTop rounds an axis up to four steps of a whole number that is easily read.
func niceTop(v float64) float64 {
	step := max(v/4, .5)
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10} {
		if s := m * power; s >= step-1e-9 && s == math.Trunc(s) {
			return 4 * s
		}
	}
	return 4 * math.Ceil(step)
}

const (
	chartWidth  = 1280.
	chartMargin = 28.
	chartHead   = 92.
	panelHeight = 306.
	plotTop     = 64. // below the panel's title
	queueHeight = 118.
	textsTop    = 212.
	textsHeight = 52.
	plotLeft    = 44.
	plotRight   = 10.
)

// chart draws one world: a panel for each policy, and how to read them.
func chart(w worldHead, seed uint64, panels []panel) string {
	a := commonAxes(panels)
	columns := min(len(panels)+1, 4)
	rows := (len(panels) + columns) / columns
	width := (chartWidth - 2*chartMargin) / float64(columns)
	height := chartHead + float64(rows)*panelHeight + 12
	var text strings.Builder
	for _, p := range panels {
		fmt.Fprintf(&text, "%s: %s, %s waited at most at once. ", plainNames[p.policy], p.outcome(), thousands(p.longest))
	}
	id := "w" + slug(w.Name)
	title := worldTitle(w.Name)
	var s svg
	s.open(chartWidth, height, id, title+": who waits, and how many texts go", text.String())
	s.put(`<defs><pattern id="%s-h" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" fill="#e8a87c"/><rect width="2.4" height="5" fill="%s"/></pattern></defs>`, id, inkOver)
	s.write(chartMargin, 38, 26, `font-weight="bold"`, title)
	for i, line := range wrap(w.About, 165) {
		if i == 2 {
			break
		}
		s.write(chartMargin, 60+18*float64(i), 14.5, `fill="`+inkFaint+`"`, line)
	}
	for i, p := range panels {
		x, y := chartMargin+width*float64(i%columns), chartHead+panelHeight*float64(i/columns)
		s.panel(p, a, id, x, y, width-14)
	}
	i := len(panels)
	x, y := chartMargin+width*float64(i%columns), chartHead+panelHeight*float64(i/columns)
	oracles := slices.ContainsFunc(panels, func(p panel) bool { return p.policy == sim.Oracle || p.policy == sim.Honest })
	s.key(id, x+8, y, width-22, seed, oracles)
	s.put(`</svg>`)
	return s.String()
}

// panel draws one policy.
func (s *svg) panel(p panel, a axes, id string, x, y, width float64) {
	if p.policy == sim.Pacer {
		s.put(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" fill="none" stroke="%s" stroke-width="2"/>`, x-6, y+2, width+10, panelHeight-8, inkText)
	}
	s.write(x+4, y+24, 17, `font-weight="bold"`, plainNames[p.policy])
	s.write(x+4, y+43, 13.5, "", p.outcome())
	left, right := x+plotLeft, x+width-plotRight
	at := func(day float64) float64 { return left + (right-left)*min(day, a.days)/a.days }
	s.write(left, y+plotTop-3, 11.5, `fill="`+inkFaint+`"`, "people waiting")
	top := y + plotTop + 4
	up := func(v float64) float64 { return top + queueHeight*(1-min(v, a.queue)/a.queue) }
	s.grid(left, right, a.queue, up)

	// The queue in steps: as far as it can be cleared, and beyond.
	var within, beyond strings.Builder
	bottom := up(0)
	for i, b := range p.buckets {
		if b.day >= a.days || b.queue == 0 {
			continue
		}
		to := b.day + bucketHours/8
		if i+1 < len(p.buckets) {
			to = min(to, p.buckets[i+1].day)
		}
		can := 0.
		if d := int(p.dayOf(i)); d < len(p.clears) {
			can = p.clears[d]
		}
		q := float64(b.queue)
		if h := up(min(q, can)); h < bottom {
			fmt.Fprintf(&within, "M%.1f %.1fV%.1fH%.1fV%.1fZ", at(b.day), bottom, h, at(to)+.2, bottom)
		}
		if q > can && up(q) < up(can) {
			fmt.Fprintf(&beyond, "M%.1f %.1fV%.1fH%.1fV%.1fZ", at(b.day), up(can), up(q), at(to)+.2, up(can))
		}
	}
	if within.Len() > 0 {
		s.put(`<path d="%s" fill="%s"/>`, within.String(), inkQueue)
	}
	if beyond.Len() > 0 {
		s.put(`<path d="%s" fill="url(#%s-h)"/>`, beyond.String(), id)
	}
	var can strings.Builder
	for d, c := range p.clears {
		if float64(d) >= a.days {
			break
		}
		if d == 0 {
			fmt.Fprintf(&can, "M%.1f %.1f", at(0), up(c))
		} else {
			fmt.Fprintf(&can, "V%.1f", up(c))
		}
		fmt.Fprintf(&can, "H%.1f", at(float64(d+1)))
	}
	s.put(`<path d="%s" fill="none" stroke="%s" stroke-width="1.8" stroke-dasharray="5 3"/>`, can.String(), inkText)
	if float64(p.longest) > a.queue {
		s.tag(right, top+13, fmt.Sprintf("up to %s ▲", thousands(p.longest)))
	}

	s.write(left, y+textsTop-3, 11.5, `fill="`+inkFaint+`"`, "texts a day")
	top = y + textsTop + 4
	low := func(v float64) float64 { return top + textsHeight*(1-min(v, a.texts)/a.texts) }
	s.grid(left, right, a.texts, low)
	var bars strings.Builder
	for d, n := range p.texts {
		if n > 0 && float64(d) < a.days {
			fmt.Fprintf(&bars, "M%.1f %.1fV%.1fH%.1fV%.1fZ", at(float64(d)+.12), low(0), low(float64(n)), at(float64(d)+.88), low(0))
		}
	}
	if bars.Len() > 0 {
		s.put(`<path d="%s" fill="%s"/>`, bars.String(), inkTexts)
	}
	if float64(p.most) > a.texts {
		s.tag(right, top+12, fmt.Sprintf("up to %s ▲", thousands(p.most)))
	}
	step := 5.
	for a.days/step > 7 {
		step *= 2
	}
	for d := 0.; d <= a.days; d += step {
		s.put(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>`, at(d), at(d), low(0), low(0)+4, inkFaint)
		anchor := "middle"
		if at(d) > right-8 {
			anchor = "end"
		}
		s.write(at(d), low(0)+16, 11.5, `text-anchor="`+anchor+`" fill="`+inkFaint+`"`, fmt.Sprintf("%.0f", d))
	}
}

// dayOf is which working day a bucket is of. Days of a run that does not start in the morning do not begin with whole numbers.
func (p *panel) dayOf(i int) float64 { return math.Floor(p.buckets[i].day + 1e-9) }

// grid draws an axis with its marks.
func (s *svg) grid(left, right, top float64, y func(float64) float64) {
	steps := 4.
	if y(0)-y(top) < 80 {
		steps = 2
	}
	for i := 0.; i <= steps; i++ {
		v := top * i / steps
		ink := inkGrid
		if i == 0 {
			ink = inkFaint
		}
		s.put(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>`, left, right, y(v), y(v), ink)
		s.write(left-5, y(v)+4, 11.5, `text-anchor="end" fill="`+inkFaint+`"`, thousands(int(v+.5)))
	}
}

// tag says what does not fit, on a ground of its own.
func (s *svg) tag(right, y float64, words string) {
	w := 7.2 * float64(len([]rune(words)))
	s.put(`<rect x="%.1f" y="%.1f" width="%.1f" height="17" rx="3" fill="#fff" stroke="%s"/>`, right-w-4, y-13, w+4, inkOver)
	s.write(right-4, y, 12, `text-anchor="end" font-weight="bold" fill="`+inkOver+`"`, words)
}

// key says how to read the panels.
func (s *svg) key(id string, x, y, width float64, seed uint64, oracles bool) {
	s.write(x, y+24, 17, `font-weight="bold"`, "How to read this")
	y += 44
	s.put(`<rect x="%.1f" y="%.1f" width="26" height="14" fill="%s"/>`, x, y, inkQueue)
	y = s.lines(x+36, y+12, width-36, "people waiting for a first call")
	s.put(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="1.8" stroke-dasharray="5 3"/>`, x, x+26, y+4, y+4, inkText)
	y = s.lines(x+36, y+8, width-36, "what the team can call within the promise")
	s.put(`<rect x="%.1f" y="%.1f" width="26" height="14" fill="url(#%s-h)"/>`, x, y-4, id)
	y = s.lines(x+36, y+8, width-36, "more than that: some will be called too late")
	s.put(`<rect x="%.1f" y="%.1f" width="26" height="14" fill="%s"/>`, x, y-4, inkTexts)
	y = s.lines(x+36, y+8, width-36, "texts sent in a day")
	words := fmt.Sprintf("From left to right: working days since the launch. All panels have the same axes and the same town (seed %d): the same people would answer, and the team has the same days.", seed)
	if oracles {
		words += " The oracles know the town beforehand; nobody real does."
	}
	s.lines(x, y+14, width, words)
}

// lines writes words in a column and returns where the next could go.
func (s *svg) lines(x, y, width float64, words string) float64 {
	for _, line := range wrap(words, int(width/6.6)) {
		s.write(x, y, 13.5, "", line)
		y += 17
	}
	return y + 4
}

// summaryChart compares the policies over all worlds: how often promises are kept, and how long it takes.
func summaryChart(r *simulateReport) string {
	const left, mid, barWidth, timeLeft, timeWidth = 300., 330., 420., 850., 380.
	rowHeight := min(74, 540/float64(len(r.Totals)))
	height := 150 + rowHeight*float64(len(r.Totals)) + 30
	title := "How often promises are kept, and how long it takes"
	var text strings.Builder
	most := 2.
	for _, t := range r.Totals {
		fmt.Fprintf(&text, "%s: %.1f percent of runs keep the promise, in %.2f times the working days of the careful oracle. ", plainNames[t.Policy], t.PassPercent, t.ToHonest)
		most = max(most, math.Ceil(t.ToHonest))
	}
	var s svg
	s.open(chartWidth, height, "summary", title, text.String())
	s.write(chartMargin, 38, 26, `font-weight="bold"`, title)
	s.write(chartMargin, 62, 14.5, `fill="`+inkFaint+`"`, fmt.Sprintf("%s, %s each", count(len(r.Worlds), "made-up world"), count(r.Seeds, "town")))
	s.write(mid, 96, 14.5, `font-weight="bold"`, "Runs in which at most 1 in 100 people")
	s.write(mid, 114, 14.5, `font-weight="bold"`, "was called after the promise, percent")
	s.write(timeLeft, 96, 14.5, `font-weight="bold"`, "Working days until the last text,")
	s.write(timeLeft, 114, 14.5, `font-weight="bold"`, "as a multiple of the careful oracle's (median)")
	top, bottom := 130., 130+rowHeight*float64(len(r.Totals))
	for v := 0.; v <= 100; v += 25 {
		x := mid + barWidth*v/100
		s.put(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>`, x, x, top, bottom, inkGrid)
		s.write(x, bottom+18, 12, `text-anchor="middle" fill="`+inkFaint+`"`, fmt.Sprintf("%.0f", v))
	}
	tx := func(v float64) float64 { return timeLeft + timeWidth*v/most }
	step := .5
	for most/step > 8 {
		step *= 2
	}
	for v := 0.; v <= most+1e-9; v += step {
		s.put(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" %s/>`, tx(v), tx(v), top, bottom, map[bool]string{true: inkText, false: inkGrid}[v == 1],
			map[bool]string{true: `stroke-dasharray="5 3"`}[v == 1])
		s.write(tx(v), bottom+18, 12, `text-anchor="middle" fill="`+inkFaint+`"`, fmt.Sprintf("%g", v))
	}
	for i, t := range r.Totals {
		y := top + rowHeight*(float64(i)+.5) - 22
		weight, ink := "normal", "#9a9a9a"
		if t.Policy == sim.Pacer {
			weight, ink = "bold", "#0072b2"
		}
		s.write(left, y+27, 15.5, `text-anchor="end" font-weight="`+weight+`"`, plainNames[t.Policy])
		w := barWidth * t.PassPercent / 100
		s.put(`<rect x="%.1f" y="%.1f" width="%.1f" height="24" fill="%s"/>`, mid, y+10, max(w, 1), ink)
		s.write(mid+w+8, y+27, 14.5, `font-weight="`+weight+`"`, fmt.Sprintf("%.1f", t.PassPercent))
		s.put(`<circle cx="%.1f" cy="%.1f" r="8" fill="%s"/>`, tx(t.ToHonest), y+22, ink)
		s.write(tx(t.ToHonest)+14, y+27, 14.5, `font-weight="`+weight+`"`, fmt.Sprintf("%.2f", t.ToHonest))
	}
	s.put(`</svg>`)
	return s.String()
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(n) + " " + thing + "s"
}

// wrap breaks words into lines of about so many letters.
func wrap(words string, letters int) (lines []string) {
	line := ""
	for _, w := range strings.Fields(words) {
		switch {
		case line == "":
			line = w
		case len([]rune(line))+1+len([]rune(w)) > letters:
			lines, line = append(lines, line), w
		default:
			line += " " + w
		}
	}
	return append(lines, line)
}

// slug makes a name fit for a file and an id.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
}

// worldTitle is a world's name for people: "01-knowsley" is "Knowsley".
func worldTitle(name string) string {
	_, words, ok := strings.Cut(name, "-")
	if !ok || strings.Trim(name[:strings.Index(name, "-")], "0123456789") != "" {
		words = name
	}
	words = strings.ReplaceAll(words, "-", " ")
	if words == "" {
		return name
	}
	return strings.ToUpper(words[:1]) + words[1:]
}
