package desk

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// reason says why a row is not invited: in short, and in a sentence that tells how to mend it, where that can be done.
type reason struct{ code, short, long string }

// The reasons, in the order in which a row is tested for them.
var rejections = []reason{
	{string(patientlist.RowUnreadable), "Row cannot be read", "The row does not have the columns that the others have. Check for commas and quotation marks that do not belong there."},
	{string(patientlist.NHSNumberInvalid), "NHS number is wrong", "The NHS number is missing or has a wrong digit. Correct it in the patient's record."},
	{string(patientlist.DateOfBirthInvalid), "Date of birth is wrong", "The date of birth is missing or is not a possible date. Correct it in the patient's record."},
	{string(patientlist.MobileMissing), "No mobile number", "The record has no mobile number."},
	{string(patientlist.MobileDamaged), "Mobile number damaged by a spreadsheet", "A spreadsheet has rounded the mobile number. Export the list again and do not save it from a spreadsheet."},
	{string(patientlist.MobileNotMobile), "Number is not a mobile", "The number is a landline, which cannot get texts."},
	{string(patientlist.RowHidden), "Row is hidden in the spreadsheet", "The spreadsheet hides this row, perhaps by a filter, so that we cannot know whether you meant it. Show all rows that you mean, save the file and upload it again."},
	{string(patientlist.RowStruck), "Row is crossed out in the spreadsheet", "Something in this row is crossed out, so that we cannot know whether you still mean the person. Take the line through it away, or the row, save the file and upload it again."},
	{string(patientlist.MobileInvalid), "Mobile number is wrong", "The number is too long or too short, or is not a UK mobile number."},
}

var exclusions = []reason{
	{string(campaign.ExDeceased), "Has died", "The record says that the person has died."},
	{string(campaign.ExDissent), "Does not want texts", "The record says that the person does not want texts from the practice."},
	{string(campaign.ExDoNotContact), "Not to be contacted", "The list says that the person must not be contacted, or is no longer the practice's patient."},
	{string(campaign.ExSuppressed), "Asked for no more texts", "The person asked for no more texts, or somebody told us that the number is not theirs or that they have died or moved."},
	{string(campaign.ExUnderAge), "Under 18", "The person is younger than 18."},
	{string(campaign.ExDuplicatePerson), "Already in this list", "The same NHS number stands further up in the list."},
	{string(campaign.ExSharedNumber), "Shares a number", "Somebody further up in the list has the same mobile number. One text goes to that number, without a name, and either of them can answer it."},
	{string(campaign.ExRecentlyTexted), "Texted in the last 90 days", "The number had a text from a campaign in the last 90 days."},
	{string(campaign.ExNotInCohort), "Not in the cohort", "The list was narrowed to a part of its people, and this one is not among them."},
	{string(campaign.ExAlreadySupported), "Already in touch with a link worker", "The person has asked for help and a link worker is in touch with them, or soon will be."},
}

func reasonOf(code string) reason {
	for _, all := range [][]reason{rejections, exclusions} {
		for _, r := range all {
			if r.code == code {
				return r
			}
		}
	}
	return reason{code, code, code}
}

// limits says what kept a batch from being larger.
var limits = map[throttle.Limit]string{
	throttle.LimitList:      "End of the list",
	throttle.LimitPaused:    "Paused",
	throttle.LimitHeld:      "Held",
	throttle.LimitSilence:   "Answers have stopped",
	throttle.LimitListAge:   "List is too old",
	throttle.LimitNobody:    "Nobody there to answer",
	throttle.LimitStart:     "Before its first day",
	throttle.LimitSenior:    "No senior link worker there",
	throttle.LimitWindow:    "Outside the hours for texts",
	throttle.LimitRate:      "Speed of the sender",
	throttle.LimitDailyCap:  "Most for one day",
	throttle.LimitBudget:    "Money",
	throttle.LimitBrake:     "Too many people waiting",
	throttle.LimitRisk:      "People might wait too long",
	throttle.LimitSetPoint:  "Room for new answers",
	throttle.LimitStress:    "Reserve for a rush",
	throttle.LimitMaturity:  "Waiting for first answers",
	throttle.LimitMinBatch:  "Too few to be worth a batch",
	throttle.LimitCaseloads: "Caseloads are full",

	campaign.LimitFirstBatch: "First texts, then a look",
}

func limitWords(code string) string {
	if w, ok := limits[throttle.Limit(code)]; ok {
		return w
	}
	return code
}

// states says where a message is; a campaign's page adds up those that mean the same to a manager.
var messageRows = []struct {
	Key    string
	States []campaign.MessageState
}{
	{"Waiting for their turn", []campaign.MessageState{campaign.Planned}},
	{"On their way", []campaign.MessageState{campaign.Released, campaign.Sending, campaign.Accepted, campaign.Sent}},
	{"Delivered", []campaign.MessageState{campaign.Delivered}},
	{"Could not be delivered", []campaign.MessageState{campaign.Undelivered, campaign.Failed, campaign.Rejected}},
	{"Being checked: it is not clear whether they left", []campaign.MessageState{campaign.Unknown}},
	{"Need your decision", []campaign.MessageState{campaign.Held}},
	{"Taken out: opted out, already in touch, or by a fresh list", []campaign.MessageState{campaign.Suppressed}},
	{"Not sent before the campaign ended", []campaign.MessageState{campaign.Expired}},
}

var stateTags = map[campaign.State][2]string{
	campaign.Draft:     {"Draft", "grey"},
	campaign.Submitted: {"Waits for approval", "yellow"},
	campaign.Approved:  {"Approved", "aqua-green"},
	campaign.Running:   {"Running", "green"},
	campaign.Paused:    {"Paused", "orange"},
	campaign.Finished:  {"Finished", "blue"},
	campaign.Stopped:   {"Stopped", "red"},
}

var alarmWords = map[string]string{
	"account_refused": "The provider refuses our account. Sending is paused until somebody has looked at it.",
	"generation":      "A backup was restored. Sending waits until the provider has told us which texts left.",
	"disk_low":        "The disk of a computer that runs this system was nearly full. It sent nothing until there was room again.",
	"clock_step":      "The clock of a computer that runs this system was set. It sent nothing until the clock had run true for a minute.",
}

// stateWords says of one state what the system page needs to tell apart; see messageRows for managers.
var stateWords = map[campaign.MessageState]string{
	campaign.Planned:     "Planned",
	campaign.Released:    "Released, and waiting in the queue",
	campaign.Sending:     "Being sent",
	campaign.Unknown:     "Being checked: it is not clear whether they left",
	campaign.Held:        "Held for a person’s decision",
	campaign.Accepted:    "Accepted by the provider",
	campaign.Sent:        "Handed to the phone network",
	campaign.Delivered:   "Delivered",
	campaign.Undelivered: "Could not be delivered",
	campaign.Failed:      "Given up by the provider",
	campaign.Rejected:    "Refused by the provider",
	campaign.Suppressed:  "Taken out",
	campaign.Expired:     "Not sent before the campaign ended",
}

func alarmSentence(a campaign.Alarm) string {
	if a.Code == "two_sids" && len(a.SIDs) == 0 {
		return "Somebody may have had the same text twice. The campaign’s page says which text, and what to do."
	}
	if a.Code == "two_sids" {
		return fmt.Sprintf("Somebody may have had the same text twice: for message %d the provider has %s. Look these up in the provider’s console. "+
			"If both arrived, ask the practice to tell the person that it was our mistake. Tell whoever runs this system in any case: it must never happen.",
			a.Message, strings.Join(a.SIDs, " and "))
	}
	if s, ok := alarmWords[a.Code]; ok {
		return s
	}
	return "Something needs a look: " + strings.ReplaceAll(a.Code, "_", " ") + "."
}

// perUnit turns hundredths of a penny, in which policies count, into the millionths of a pound of package text.
const perUnit = text.Pound / 10_000

func pounds(hundredths int64) string { return (text.Money(hundredths) * perUnit).String() }

// plainPounds is an amount as it is typed: 0.0412.
func plainPounds(hundredths int64) string {
	s := fmt.Sprintf("%d.%04d", hundredths/10_000, hundredths%10_000)
	for strings.HasSuffix(s, "0") && !strings.HasSuffix(s[:len(s)-1], ".") && len(s)-strings.IndexByte(s, '.') > 3 {
		s = s[:len(s)-1]
	}
	return s
}

// number groups thousands.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count is a number with its noun: "1 text", "2,000 texts".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// isAre agrees with a number.
func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// civil is the calendar's time zone.
func (h *Handler) civil(t time.Time) time.Time { return t.In(h.zone) }

// when is an instant in words: "9:05am on Tuesday 3 June", with the year if it is not this one.
func (h *Handler) when(t time.Time) string {
	t = h.civil(t)
	return clockOf(t.Hour()*60+t.Minute()) + " on " + h.day(t)
}

// day is a date in words.
func (h *Handler) day(t time.Time) string {
	t = h.civil(t)
	if t.Year() == h.civil(h.cfg.Now()).Year() {
		return t.Format("Monday 2 January")
	}
	return t.Format("Monday 2 January 2006")
}

// between is a span of dates in words, with no month twice and no year that is this one: "between 3 and 9 July".
func (h *Handler) between(from, to time.Time) string {
	from, to = h.civil(from), h.civil(to)
	last := "2 January"
	if to.Year() != h.civil(h.cfg.Now()).Year() || to.Year() != from.Year() {
		last += " 2006"
	}
	first := "2"
	switch {
	case from.Year() != to.Year():
		first = "2 January 2006"
	case from.Month() != to.Month():
		first = "2 January"
	case from.Day() == to.Day():
		return "on " + to.Format("Monday "+last)
	}
	return "between " + from.Format(first) + " and " + to.Format(last)
}

// date is the day of a month, with the year if it is not this one.
func (h *Handler) date(t time.Time) string {
	t = h.civil(t)
	if t.Year() == h.civil(h.cfg.Now()).Year() {
		return t.Format("2 January")
	}
	return t.Format("2 January 2006")
}

var weekdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}

// windowWords describes the hours for texts: "9am to 5pm, Monday to Friday".
func windowWords(w throttle.Week) string {
	if w == (throttle.Week{}) {
		w = officeHours
	}
	var parts []string
	for i := 0; i < len(weekdays); {
		h := w[weekdays[i]]
		j := i
		for j+1 < len(weekdays) && w[weekdays[j+1]] == h {
			j++
		}
		if h.From < h.To {
			days := weekdays[i].String()
			if j > i {
				days += " to " + weekdays[j].String()
			}
			parts = append(parts, clockOf(h.From)+" to "+clockOf(h.To)+", "+days)
		}
		i = j + 1
	}
	return strings.Join(parts, "; ")
}

// officeHours are the hours for texts if nobody chose others.
var officeHours = throttle.Week{time.Monday: {From: 540, To: 1020}, time.Tuesday: {From: 540, To: 1020}, time.Wednesday: {From: 540, To: 1020},
	time.Thursday: {From: 540, To: 1020}, time.Friday: {From: 540, To: 1020}}

// clockOf writes minutes after midnight: "9am", "4:30pm".
func clockOf(minutes int) string {
	return ui.Clock(time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC))
}

// bar is a share as a bar for a table's cell; the number stands beside it, so it says nothing to a screen reader.
func bar(n, most int) template.HTML {
	if n == 0 || most == 0 {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<svg width="100" height="16" viewBox="0 0 100 16" aria-hidden="true" focusable="false"><rect class="wp-bar-1" x="0" y="1" width="%.1f" height="14"/></svg>`,
		max(1, 100*float64(n)/float64(most))))
}

// lowerFirst begins a phrase that stands inside a sentence; "NHS number" stays.
func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
