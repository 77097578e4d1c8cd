package patientlist

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldestBelieved is how long ago a file may say that it was taken from the GP system without anybody being asked: a year has been mistyped, or
// the day is of something else, more often than a list of last year is meant to be used.
const oldestBelieved = 366 * 24 * time.Hour

// tailBytes is how much of a file's end Look reads for what a report prints below its table, tailRows how far it reads on in a workbook, which
// cannot be read from its end.
const (
	tailBytes = 4 << 10
	tailRows  = 3000
)

var (
	monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

	// printedDay finds days as reports print them: 2026-11-23, 20261123, 23/11/2026, 23-Nov-26, 23rd November 2026, November 23, 2026.
	printedDay = func() *regexp.Regexp {
		const month = `(jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:uary|ruary|ch|il|ust|ember|ober)?`
		return regexp.MustCompile(`(?i)\b(?:` +
			`(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})` +
			`|(20\d\d)(\d\d)(\d\d)` +
			`|(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})` +
			`|(\d{1,2})(?:st|nd|rd|th)?[-/. ]*(?:of )?` + month + `[-/., ]*(\d{4}|\d{2})` +
			`|` + month + `[. ]+(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})` +
			`)(?:T|\b)`)
	}()
	// printedTime is the time of day that stands behind a day.
	printedTime = regexp.MustCompile(`(?i)^[ T,]*(?:at )?\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)? ?(?:am|pm|hrs)?(?: ?(?:Z|GMT|BST|UTC|[+-]\d\d:?\d\d))?`)
	// segmentEnds part what a cell says before its day.
	segmentEnds = regexp.MustCompile(`[:;|,•(]|\s[-–—]+\s|\.\s`)
	// spanWords join the two days of a span.
	spanWords = regexp.MustCompile(`(?i)^\W*(?:to|and|until|till|through|thru|-|–|—)\W*$`)
)

// What is said before the day on which a report was made. Every word must be one of these: "Relative date", "Age as at", "Registered on" and
// "Next run" are days of something else.
var (
	takenVerbs = []string{"run", "ran", "extracted", "exported", "generated", "produced", "printed", "downloaded", "refreshed", "taken", "completion"}
	takenNouns = []string{"report", "search", "list", "listing", "extract", "extraction", "export", "query", "data", "file", "output", "print", "printout", "download", "document"}
	takenOther = []string{"on", "at", "of", "the", "this", "was", "is", "last", "latest", "and", "when", "date", "dated", "time", "datetime", "timestamp", "patient", "patients", "results", "as", "correct", "page",
		"emis", "web", "systmone", "tpp", "vision", "created", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun"}
	weekdayWords = takenOther[slices.Index(takenOther, "monday"):]
)

// saysTaken tells whether words stand before the day on which a list was taken from the GP system. weak: they might, if nothing else does.
func saysTaken(label string) (yes, weak bool) {
	label = strings.TrimRight(label, " \t:;,-–—=.(*")
	if ends := segmentEnds.FindAllStringIndex(label, -1); len(ends) > 0 {
		label = label[ends[len(ends)-1][1]:]
	}
	words := wordsOf(strings.ReplaceAll(strings.ReplaceAll(label, "’", ""), "'", ""))
	if by := slices.Index(words, "by"); by >= 0 { // "Printed by Jane Roe on"
		if len(words)-by > 6 {
			return false, false
		}
		words = words[:by]
	}
	words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(weekdayWords, w) })
	if len(words) == 0 || len(words) > 8 {
		return false, false
	}
	has := func(set ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(set, w) })
	}
	if !slices.ContainsFunc(words, func(w string) bool { return w != "date" && w != "dated" && w != "time" && w != "and" && w != "todays" }) {
		return has("date", "dated", "todays"), true
	}
	for _, w := range words {
		if strings.Trim(w, "0123456789") == "" { // "Page 1 of 3, printed"
			continue
		}
		if !slices.Contains(takenVerbs, w) && !slices.Contains(takenNouns, w) && !slices.Contains(takenOther, w) {
			return false, false
		}
	}
	as := slices.Index(words, "as")
	switch {
	case as >= 0:
		return as+1 < len(words) && (words[as+1] == "at" || words[as+1] == "of"), false
	case has("created"): // reports and searches tell when somebody first wrote them
		return has("file", "list", "listing", "extract", "export", "output", "download") && !has("report", "search", "query"), false
	case has(takenVerbs...):
		return true, false
	}
	return has(takenNouns...) && has("date", "dated", "time", "datetime", "timestamp"), false
}

// dayAt is one day in a cell, with what stands before and behind it up to the next one.
type dayAt struct {
	day           time.Time
	before, after string
}

// daysIn finds the days in a cell. Those of figures alone have the day first, unless they cannot.
func daysIn(cell string, monthFirst bool) (all []dayAt) {
	if len(cell) > 300 || !strings.ContainsAny(cell, "0123456789") {
		return nil
	}
	from := 0
	for _, m := range printedDay.FindAllStringSubmatchIndex(cell, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return cell[m[2*i]:m[2*i+1]]
		}
		first := func(is ...int) string {
			for _, i := range is {
				if s := group(i); s != "" {
					return s
				}
			}
			return ""
		}
		d, _ := strconv.Atoi(first(3, 6, 7, 11, 15))
		month, _ := strconv.Atoi(first(2, 5, 9))
		year, _ := strconv.Atoi(first(1, 4, 10, 13, 16))
		if name := first(12, 14); name != "" {
			month = slices.Index(monthNames, strings.ToLower(name[:3])) + 1
		}
		if group(7) != "" && (monthFirst && d <= 12 || month > 12) {
			d, month = month, d
		}
		if year < 100 {
			year += 2000
		}
		end := m[1]
		if cell[end-1]|0x20 == 't' { // of a time in ISO 8601
			end--
		}
		day := time.Date(year, time.Month(month), d, 0, 0, 0, 0, time.UTC)
		if day.Day() != d || int(day.Month()) != month {
			day = time.Time{} // there is no such day
		}
		before := cell[from:m[0]]
		if len(all) > 0 {
			all[len(all)-1].after = before
		}
		from = end + len(printedTime.FindString(cell[end:]))
		all = append(all, dayAt{day: day, before: before, after: cell[from:]})
	}
	return all
}

// noteTaken looks in a line above or below the table for the day on which the list was taken from the GP system.
func (r *Reader) noteTaken(cells []string) {
	var said []string
	for _, c := range cells {
		if c = squash(strings.TrimPrefix(c, "\uFEFF")); c != "" {
			said = append(said, c)
		}
	}
	for i, cell := range said {
		days := daysIn(cell, r.monthFirst)
		for k, d := range days {
			label, after := d.before, d.after
			if bare := wordsOf(label); k == 0 && i > 0 && !slices.ContainsFunc(bare, func(w string) bool { return !slices.Contains(weekdayWords, w) }) {
				label = said[i-1] // "Run on:" in a cell of its own
			}
			if k == len(days)-1 && strings.TrimSpace(after) == "" && i+1 < len(said) {
				if after = said[i+1]; len(daysIn(after, r.monthFirst)) > 0 && strings.Trim(daysIn(after, r.monthFirst)[0].before, " .-") == "" {
					continue // a span: the next cell is its end
				}
			}
			if spanWords.MatchString(after) || d.day.IsZero() {
				continue
			}
			if yes, weak := saysTaken(label); yes {
				r.believe(d.day, weak)
			}
		}
	}
}

// believe takes a day that the file says. Of several the earliest holds: what was printed later was found out then.
func (r *Reader) believe(day time.Time, weak bool) {
	y, m, d := r.opt.Today.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if day.After(today) || today.Sub(day) > oldestBelieved {
		if !weak {
			r.found.TakenOdd = day
		}
		return
	}
	switch {
	case !r.found.TakenOn.IsZero() && weak && !r.takenWeak: // something better has been said
	case r.found.TakenOn.IsZero(), r.takenWeak && !weak, day.Before(r.found.TakenOn):
		r.found.TakenOn, r.takenWeak = day, weak
	}
}

// linesAbove keeps the lines before an offset in the window, which moves on when the table is read.
func (r *Reader) linesAbove(end int, delim byte) (above [][]string) {
	for off := 0; off < end; {
		rec, err := r.record(off, delim, nil)
		if err != nil || rec.next <= off {
			break
		}
		above = append(above, slices.Clone(rec.cells))
		off = rec.next
	}
	if len(above) > 0 {
		above = above[:len(above)-1] // the column names
	}
	return above
}

// cover is what a sheet says that is no list, but may tell of the one beside it.
func (r *Reader) cover() (all [][]string) {
	for off := 0; len(all) < 40; {
		rec, err := r.record(off, sheetDelim, nil)
		if err != nil || off > sniffLen {
			break
		}
		all = append(all, slices.Clone(rec.cells))
		off = rec.next
	}
	return all
}

// lookBelow looks at the end of a file that does not say above its table when it was taken.
func (r *Reader) lookBelow(src io.Reader) error {
	at, ok := src.(io.ReaderAt)
	if !r.found.TakenOn.IsZero() {
		return nil
	}
	if r.sheet != nil || !ok || r.opt.Size <= sniffLen {
		for n := 0; n < tailRows && r.err == nil; n++ {
			_, _ = r.Next() // what is wrong with rows that nobody looks at yet is said when the list is checked
		}
		return nil
	}
	tail := make([]byte, tailBytes)
	if n, err := at.ReadAt(tail, r.opt.Size-tailBytes); n < tailBytes && !errors.Is(err, io.EOF) {
		return wrapRead(err)
	}
	text := string(tail)
	if r.found.Encoding == "UTF-16" {
		text = strings.ReplaceAll(text, "\x00", "") // only what is written in plain letters is looked for
	}
	for _, line := range strings.FieldsFunc(decodeText([]byte(text)), func(c rune) bool { return c == '\n' || c == '\r' }) {
		cells, _, _ := split(line, r.delim, nil)
		r.noteTaken(cells)
	}
	return nil
}
