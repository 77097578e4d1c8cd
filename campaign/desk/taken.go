package desk

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// What the page’s "taken" says: the day is the file’s, today, or the one that is typed beside it.
const (
	takenAsFile = "file"
	takenToday  = "today"
	takenOther  = "other"
)

// TakenUnclear is the code of a file whose own day cannot be and that comes without another.
const TakenUnclear = "taken_unclear"

// takenBy is the day on which a list was taken from the GP system: the one that somebody says, or else the file's. file is what the file is known
// to say before it is read, zero for nothing.
func takenBy(said, file time.Time, f patientlist.Found) (on, says time.Time, err error) {
	if !f.TakenOn.IsZero() {
		file = f.TakenOn
	}
	if !said.IsZero() {
		if file.IsZero() && f.TakenOdd.Before(said) {
			file = f.TakenOdd // long ago: it is shown beside what is said
		}
		return said, file, nil
	}
	if file.IsZero() && !f.TakenOdd.IsZero() {
		return on, says, &patientlist.FileError{Code: TakenUnclear, Sentence: fmt.Sprintf("The file says that the list was taken from the GP system on %s, which cannot be. Say on which day it was, with taken_on.", f.TakenOdd.Format("2 January 2006"))}
	}
	return file, file, nil
}

// takenField asks for the day on which a list was taken from the GP system, and begins with what the file says.
func (h *Handler) takenField(r *http.Request, u campaign.Upload, p patientlist.Preview) ui.Field {
	today := campaign.CivilDay(h.civil(h.cfg.Now()))
	f := ui.Field{Kind: ui.Radios, Name: "taken", Label: "When was this list taken from the GP system?", Value: r.PostForm.Get("taken"),
		Hint: "The age of the list counts from this day, not from the upload: people move, die and change their minds."}
	other := ui.Field{Kind: ui.Date, Name: "taken_on", Label: "On which day?", Hint: "For example, 23 11 2026", Values: []string{"", "", ""}}
	for i, part := range []string{"-day", "-month", "-year"} {
		other.Values[i] = r.PostForm.Get("taken_on" + part)
	}
	switch {
	case !p.TakenOn.IsZero():
		label := h.day(p.TakenOn)
		if p.TakenOn.Equal(today) {
			label = "Today, " + label
		}
		f.Options = append(f.Options, ui.Option{Value: takenAsFile, Label: label, Hint: "The file says so."})
		if r.Method != http.MethodPost {
			f.Value = takenAsFile
		}
	case !p.TakenOdd.IsZero():
		f.Hint += fmt.Sprintf(" The file says %s, which cannot be.", p.TakenOdd.Format("2 January 2006"))
	}
	if !p.TakenOn.Equal(today) {
		f.Options = append(f.Options, ui.Option{Value: takenToday, Label: "Today, " + h.day(today)})
	}
	if on := u.Choice.TakenOn; r.Method != http.MethodPost && !on.IsZero() { // as it was said before
		switch {
		case on.Equal(p.TakenOn):
		case on.Equal(today):
			f.Value = takenToday
		default:
			f.Value, other.Values = takenOther, []string{strconv.Itoa(on.Day()), strconv.Itoa(int(on.Month())), strconv.Itoa(on.Year())}
		}
	}
	f.Options = append(f.Options, ui.Option{Value: takenOther, Label: "Another day", Reveal: []ui.Field{other}})
	return f
}

// takenAnswer reads what the page says. Without scripts a day can be typed though another is ticked: then nobody knows which is meant.
func (h *Handler) takenAnswer(r *http.Request, p patientlist.Preview) (on time.Time, wrong invalid) {
	today := campaign.CivilDay(h.civil(h.cfg.Now()))
	var typed [3]string
	for i, part := range []string{"-day", "-month", "-year"} {
		typed[i] = strings.TrimSpace(r.PostForm.Get("taken_on" + part))
	}
	isTyped := typed != [3]string{}
	other, err := typedDay(typed)
	switch r.PostForm.Get("taken") {
	case takenAsFile:
		on = p.TakenOn
	case takenToday:
		on = today
	default:
		switch {
		case !isTyped && r.PostForm.Get("taken") == takenOther:
			return on, invalid{{Field: "taken_on", Sentence: "Give the day on which this list was taken from the GP system."}}
		case !isTyped:
		case err != nil:
			return on, invalid{{Field: "taken_on", Sentence: "This is not a day of the calendar. Give the day, the month and the year with four figures, such as 23 11 2026."}}
		default:
			if err := campaign.CheckTakenOn(other, today); err != nil {
				return on, invalid{{Field: "taken_on", Sentence: asSentence(err.Error())}}
			}
			on = other
		}
	}
	switch {
	case on.IsZero():
		return on, invalid{{Field: "taken", Sentence: "Say when this list was taken from the GP system."}}
	case isTyped && !on.Equal(other):
		return on, invalid{{Field: "taken", Sentence: "You have typed another day than the one that is ticked. Tick “Another day”, or empty the day."}}
	}
	return on, nil
}

// typedDay reads a day of three fields.
func typedDay(parts [3]string) (time.Time, error) {
	return time.Parse("2 1 2006", strings.Join(parts[:], " "))
}

// fileSays warns of a list whose file says an older day than whoever uploaded it; "" if it does not.
func (h *Handler) fileSays(a campaign.Audience) string {
	if !a.Contradicts() {
		return ""
	}
	return fmt.Sprintf("The file itself says that it was taken earlier, on %s: ask whoever uploaded it.", h.day(a.FileOn))
}

// onDay writes a day for programs; nil for none.
func onDay(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.Format(time.DateOnly)
	return &s
}

// givenDay reads the day that a call gives for taken_on.
func givenDay(s string) (time.Time, error) {
	on, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return on, invalid{{Field: "taken_on", Sentence: "Give the day on which the list was taken from the GP system as a date, such as 2026-11-23."}}
	}
	return on, nil
}

// checkGiven refuses a day that cannot be; zero is none.
func (h *Handler) checkGiven(on time.Time) error {
	if on.IsZero() {
		return nil
	}
	if err := campaign.CheckTakenOn(on, h.civil(h.cfg.Now())); err != nil {
		return invalid{{Field: "taken_on", Sentence: asSentence(err.Error())}}
	}
	return nil
}
