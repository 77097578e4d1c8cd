package desk

import (
	"fmt"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// when writes an instant as people here say it: "9:05am today", "9:05am on Tuesday 3 June". "" for the zero time.
func (h *Handler) when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(h.zone)
	now := h.Now().In(h.zone)
	y, m, d := now.Date()
	midnight := func(days int) time.Time { return time.Date(y, m, d+days, 0, 0, 0, 0, h.zone) }
	switch {
	case !t.Before(midnight(0)) && t.Before(midnight(1)):
		return ui.Clock(t) + " today"
	case !t.Before(midnight(-1)) && t.Before(midnight(0)):
		return ui.Clock(t) + " yesterday"
	case !t.Before(midnight(1)) && t.Before(midnight(2)):
		return ui.Clock(t) + " tomorrow"
	}
	return ui.Clock(t) + " on " + h.day(t)
}

// day writes a date: "Tuesday 3 June", with the year if it is another one.
func (h *Handler) day(t time.Time) string {
	t = t.In(h.zone)
	if t.Year() != h.Now().In(h.zone).Year() {
		return t.Format("Monday 2 January 2006")
	}
	return t.Format("Monday 2 January")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// working writes a length of working time, rounded down: "3 working days", "5 working hours".
func (h *Handler) working(d time.Duration) string {
	day := h.Calendar.WorkingDayLength()
	switch {
	case d >= 2*day:
		return plural(int(d/day), "working day")
	case d >= time.Hour:
		return plural(int(d/time.Hour), "working hour")
	case d >= time.Minute:
		return plural(int(d/time.Minute), "working minute")
	}
	return "less than a working minute"
}

// age is a referral against its promise: a tag, and how much is left.
func (h *Handler) age(r selfrefer.Referral) (tag ui.Tag, words string) {
	now := h.Now()
	age := r.AgeAt(now)
	switch {
	case age == selfrefer.Kept:
		return ui.Tag{Text: "Contacted", Colour: "grey"}, h.when(r.Contacted)
	case !r.State.Open():
		return ui.Tag{Text: "No first contact", Colour: "grey"}, ""
	case age == selfrefer.Late:
		return ui.Tag{Text: "Late", Colour: "red"}, "by " + h.working(h.Calendar.Working(r.Due, now))
	case age == selfrefer.DueSoon:
		tag = ui.Tag{Text: "Due soon", Colour: "orange"}
	default:
		tag = ui.Tag{Text: "In time", Colour: "green"}
	}
	return tag, h.working(h.Calendar.Working(now, r.Due)) + " left"
}

// stateTag is a state as a word and a colour.
func stateTag(s selfrefer.State) ui.Tag {
	return ui.Tag{Text: capital(s.Words()), Colour: map[selfrefer.State]string{
		selfrefer.New: "blue", selfrefer.Claimed: "purple", selfrefer.Contacting: "purple", selfrefer.InSupport: "green", selfrefer.Onward: "green"}[s]}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// reasons are the words for a form's codes; what is not known (a network may change them) is shown as it is.
func reasons(codes []string) []string {
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = code
		for _, r := range selfrefer.Reasons {
			if r.Code == code {
				words[i] = r.Words
			}
		}
	}
	return words
}

// national writes a number as people here dial it. It reveals the number.
func national(p person.Phone) string {
	s := p.Reveal()
	rest, home := strings.CutPrefix(s, "+44")
	switch {
	case !home:
		return s
	case len(rest) == 10 && rest[0] == '7':
		return "0" + rest[:4] + " " + rest[4:]
	case len(rest) == 10 && rest[0] == '2': // 020 7946 0123
		return "0" + rest[:2] + " " + rest[2:6] + " " + rest[6:]
	case len(rest) == 10 && rest[0] == '1' && (rest[1] == '1' || rest[2] == '1'): // 0151 496 0123
		return "0" + rest[:3] + " " + rest[3:6] + " " + rest[6:]
	case len(rest) == 10:
		return "0" + rest[:4] + " " + rest[4:]
	}
	return "0" + rest
}

// piece is a stretch of what somebody wrote.
type piece struct {
	Text   string
	Danger bool
}

// highlight cuts a person's words so that what sounds like danger stands out. Together the pieces are what was written.
func highlight(s string) []piece {
	var out []piece
	at := 0
	for _, f := range selfrefer.Find(s) {
		switch {
		case f.End <= at: // within the last one
		case f.Start < at || at > 0 && f.Start == at: // it goes on from the last one
			out[len(out)-1].Text += s[at:f.End]
			at = f.End
		default:
			if f.Start > at {
				out = append(out, piece{Text: s[at:f.Start]})
			}
			out = append(out, piece{s[f.Start:f.End], true})
			at = f.End
		}
	}
	if at < len(s) {
		out = append(out, piece{Text: s[at:]})
	}
	return out
}

// lines cuts pieces where the person began a new line.
func lines(pieces []piece) [][]piece {
	if pieces == nil {
		return nil
	}
	out := [][]piece{nil}
	for _, p := range pieces {
		for i, text := range strings.Split(p.Text, "\n") {
			if i > 0 {
				out = append(out, nil)
			}
			if text != "" {
				out[len(out)-1] = append(out[len(out)-1], piece{text, p.Danger})
			}
		}
	}
	return out
}
