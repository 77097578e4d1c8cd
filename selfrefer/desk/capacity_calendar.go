package desk

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// calendarDays is how far the calendar looks ahead, from the Monday of this week.
const calendarDays = 28

// calendar shows who is there when: a picture for those who see, wide and for phones, and a table with the same for everybody.
type calendar struct {
	Wide, Narrow drawing
	Sentence     string
	Table        ui.Table
}

// drawing is a picture made of cells with a word in each, or beside them.
type drawing struct {
	W, H  int
	Cells []drawn
}

type drawn struct {
	X, Y, W, H, TX, TY int
	Fill, Text, Anchor string
	Bold               bool
}

// kinds of a day of somebody's, with the colour behind its word.
const (
	atWork  = "#cce2f3"
	partly  = "#fff0c2" // there for a part of the usual hours
	onLeave = "#ffe08a"
	holiday = "#d8dde0"
	notIn   = "#ffffff"
	missing = "#f7c6bf" // nobody senior on a working day
	covered = "#cfe8d5"
)

// rosterRow is a row of the calendar.
type rosterRow struct {
	name, role string
	cells      []dayCell
}

type dayCell struct{ word, fill, told string }

// calendarFrom lists the days of the calendar; the first is the Monday of this week.
func (h *Handler) calendarFrom() (days []time.Time) {
	today := h.Calendar.Midnight(h.Now()).In(h.zone)
	y, m, d := today.Date()
	back := (int(today.Weekday()) + 6) % 7
	for i := range calendarDays {
		days = append(days, time.Date(y, m, d-back+i, 0, 0, 0, 0, h.zone))
	}
	return days
}

// bankHoliday tells whether a day is closed for the whole network although it has hours in an ordinary week.
func (h *Handler) bankHoliday(day time.Time) bool {
	week := throttle.Week{}
	for i := range week {
		week[i] = throttle.Hours{To: 24 * 60}
	}
	return throttle.AtWork(h.Calendar, throttle.Worker{Week: week}, day, day.AddDate(0, 0, 1)) == 0
}

// cell says what somebody does on a day.
func (h *Handler) cell(w throttle.Worker, known bool, day time.Time, closed bool) dayCell {
	next := day.AddDate(0, 0, 1)
	usual := w
	usual.Leave = nil
	hours := throttle.AtWork(h.Calendar, w, day, next).Hours()
	switch all := throttle.AtWork(h.Calendar, usual, day, next).Hours(); {
	case !known:
		return dayCell{"", notIn, ""}
	case closed && w.Week[day.Weekday()].From < w.Week[day.Weekday()].To:
		return dayCell{"BH", holiday, ""}
	case all == 0:
		return dayCell{"", notIn, ""}
	case hours == 0:
		return dayCell{"L", onLeave, "leave"}
	case hours < all:
		return dayCell{short(math.Round(hours*10) / 10), partly, short(hours) + " hours, some leave"}
	default:
		return dayCell{short(math.Round(hours*10) / 10), atWork, short(hours) + " hours"}
	}
}

// calendar lays out four weeks by day and person.
func (h *Handler) calendar(team staff.Team, accounts []staff.Account, declared, left []throttle.Worker) calendar {
	days := h.calendarFrom()
	closed := make([]bool, len(days))
	for i, d := range days {
		closed[i] = h.bankHoliday(d)
	}
	from := h.Calendar.Midnight(h.Now())
	var rows []rosterRow
	var seniors []throttle.Worker
	for _, a := range accounts {
		if a.Team != team.ID || a.Disabled || !a.Role.Answers() {
			continue
		}
		w, known := workerOf(declared, a.ID)
		if known && a.Role == staff.SeniorLinkWorker {
			seniors = append(seniors, w)
		}
		row := rosterRow{name: a.Name, role: map[staff.Role]string{staff.SeniorLinkWorker: "senior", staff.Volunteer: "volunteer"}[a.Role]}
		for i, d := range days {
			// Leave that is over is not kept, so that nothing certain is known of days that are gone.
			row.cells = append(row.cells, h.cell(w, known && !d.Before(from), d, closed[i]))
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return calendar{}
	}
	senior, contacts := rosterRow{name: "Senior on duty"}, rosterRow{name: "First contacts"}
	before := 0.0
	var alone []time.Time
	for _, d := range days {
		if d.Before(from) {
			senior.cells, contacts.cells = append(senior.cells, dayCell{"", notIn, ""}), append(contacts.cells, dayCell{"", notIn, ""})
			continue
		}
		there := 0.0
		for _, w := range seniors {
			there += throttle.AtWork(h.Calendar, w, d, d.AddDate(0, 0, 1)).Hours()
		}
		switch {
		case there > 0:
			senior.cells = append(senior.cells, dayCell{"yes", covered, "yes"})
		case h.Calendar.WorkingDay(d):
			senior.cells = append(senior.cells, dayCell{"no", missing, "nobody"})
			alone = append(alone, d)
		default:
			senior.cells = append(senior.cells, dayCell{"", notIn, "closed"})
		}
		sum := throttle.Capacity(h.Calendar, left, nil, from, d.AddDate(0, 0, 1))
		made := max(0, sum-before)
		before = sum
		c := dayCell{"", notIn, "0"}
		if made >= .05 {
			c = dayCell{fmt.Sprintf("%.0f", made), notIn, short(math.Round(made*10) / 10)}
		}
		contacts.cells = append(contacts.cells, c)
	}
	shown := append(append([]rosterRow(nil), rows...), senior, contacts)
	return calendar{Wide: draw(shown, days, closed, calendarDays, 168, 28), Narrow: draw(shown, days, closed, 7, 116, 29),
		Sentence: h.calendarSentence(alone), Table: h.calendarTable(days, closed, rows, senior, contacts)}
}

func (h *Handler) calendarSentence(alone []time.Time) string {
	if len(alone) == 0 {
		return "A senior link worker is there on each working day."
	}
	const most = 5
	var named []string
	for _, d := range alone[:min(most, len(alone))] {
		named = append(named, h.day(d))
	}
	more := ""
	if len(alone) > most {
		more = fmt.Sprintf(" and %s more", plural(len(alone)-most, "day"))
	}
	return "No senior link worker is there on " + strings.Join(named, ", ") + more + ". Texts go only while one is there for most of their answers."
}

// calendarTable is the same by day, for those who do not see the picture and for whoever wants the names.
func (h *Handler) calendarTable(days []time.Time, closed []bool, rows []rosterRow, senior, contacts rosterRow) ui.Table {
	from := h.Calendar.Midnight(h.Now())
	t := ui.Table{Caption: "Four weeks, day by day", CaptionSize: "s", RowHeaders: true, Compact: true, Stacked: true,
		Head: []ui.Cell{{Text: "Day"}, {Text: "At work"}, {Text: "Away"}, {Text: "Senior on duty"}, {Text: "First contacts", Numeric: true}}}
	for i, d := range days {
		var in, away []string
		for _, r := range rows {
			switch c := r.cells[i]; c.fill {
			case atWork, partly:
				in = append(in, r.name+": "+c.told)
			case onLeave:
				away = append(away, r.name)
			}
		}
		if d.Before(from) || len(in) == 0 && len(away) == 0 && !h.Calendar.WorkingDay(d) && !(closed[i] && d.Weekday() != time.Saturday && d.Weekday() != time.Sunday) {
			continue // a weekend
		}
		there := cmp.Or(strings.Join(in, "; "), "Nobody")
		if closed[i] {
			there = "Bank holiday"
		}
		t.Rows = append(t.Rows, []ui.Cell{{Text: h.day(d)}, {Text: there}, {Text: cmp.Or(strings.Join(away, ", "), "Nobody")}, {Text: upper(senior.cells[i].told)},
			{Text: contacts.cells[i].told, Numeric: true}})
	}
	return t
}

// draw lays rows and days out as cells of a picture, so many days beside each other; what is too many goes below.
func draw(rows []rosterRow, days []time.Time, closed []bool, across, names, size int) drawing {
	const line, base = 26, 18 // height of a row, and where its text stands
	d := drawing{W: names + across*size + 2}
	y := 0
	for first := 0; first < len(days); first += across {
		last := min(len(days), first+across)
		for i := first; i < last; i++ {
			x := names + (i-first)*size
			if days[i].Weekday() == time.Monday {
				d.Cells = append(d.Cells, drawn{X: x, Y: y, TX: x + 2, TY: y + base, Text: days[i].Format("Jan"), Anchor: "start", Bold: true})
			}
			d.Cells = append(d.Cells,
				drawn{X: x, Y: y + line, TX: x + size/2, TY: y + line + base, Text: days[i].Format("Mon")[:1], Anchor: "middle"},
				drawn{X: x, Y: y + 2*line, TX: x + size/2, TY: y + 2*line + base, Text: fmt.Sprint(days[i].Day()), Anchor: "middle", Bold: closed[i]})
		}
		y += 3 * line
		for _, r := range rows {
			name := r.name
			if most := names / 8; len([]rune(name)) > most {
				name = string([]rune(name)[:most-1]) + "…"
			}
			d.Cells = append(d.Cells, drawn{X: 0, Y: y, TX: 0, TY: y + base, Text: name, Anchor: "start", Bold: r.role == "senior"})
			for i := first; i < last; i++ {
				c := r.cells[i]
				x := names + (i-first)*size
				d.Cells = append(d.Cells, drawn{X: x + 1, Y: y + 1, W: size - 2, H: line - 2, TX: x + size/2, TY: y + base, Fill: c.fill, Text: c.word, Anchor: "middle", Bold: c.fill == missing})
			}
			y += line
		}
		y += line / 2
	}
	d.H = y
	return d
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
