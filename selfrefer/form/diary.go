package form

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// diary is the day by which we will be in touch, for the calendar of a phone (RFC 5545). Others may read that calendar: it says nothing of
// why, and nothing of us but the number to ring.
func (h *Handler) diary(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.done == nil || v.done.by.IsZero() {
		http.Redirect(w, r, v.base, http.StatusSeeOther)
		return
	}
	day := v.done.by.In(london)
	about := v.say("sent.diary.about", "Reference", v.done.reference)
	if n := v.in.Network.Phone; n != "" {
		about += " " + n
	}
	lines := []string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Wellpaced//EN", "BEGIN:VEVENT",
		"UID:" + v.done.reference + "@wellpaced",
		"DTSTAMP:" + h.Now().UTC().Format("20060102T150405Z"),
		"DTSTART;VALUE=DATE:" + day.Format("20060102"),
		"DTEND;VALUE=DATE:" + day.AddDate(0, 0, 1).Format("20060102"),
		"SUMMARY:" + icsText(v.say("sent.diary.title")),
		"DESCRIPTION:" + icsText(about),
		"TRANSP:TRANSPARENT", "END:VEVENT", "END:VCALENDAR",
	}
	head := w.Header()
	head.Set("Content-Type", "text/calendar; charset=utf-8")
	head.Set("Content-Disposition", `attachment; filename="reminder.ics"`)
	head.Set("Cache-Control", "no-store")
	for _, l := range lines {
		_, _ = fmt.Fprint(w, icsFold(l), "\r\n")
	}
}

var icsEscape = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`)

func icsText(s string) string { return icsEscape.Replace(s) }

// icsFold breaks a line after 75 bytes at most, between characters.
func icsFold(s string) string {
	var b strings.Builder
	width := 0
	for _, r := range s {
		if n := utf8.RuneLen(r); width+n > 75 {
			b.WriteString("\r\n ")
			width = 1
		}
		b.WriteRune(r)
		width += utf8.RuneLen(r)
	}
	return b.String()
}
